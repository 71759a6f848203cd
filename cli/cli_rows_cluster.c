/* Rows of the cluster, its nodes and their addresses. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

static const struct cli_option drain_options[] = {
    {"wait", 0, CLI_FLAG, NULL, NULL, "until no calls and no service addresses are left there", NULL, false},
    END,
};
static const struct cli_option address_filters[] = {
    TEXT("home", "NODE", "home", "only addresses of this node", "@node"),
    TEXT("holder", "NODE", "holder", "only addresses that are at this node", "@node"),
    TEXT("state", "STATE", "state", "only in this state", "bound pending moving failed"),
    LIMIT,
    END,
};
static const struct cli_option transfer_options[] = {
    TEXT("to", "NODE", "to", "to this node (default: the one furthest ahead)", "@node"), END};
static const struct cli_option nearest_options[] = {
    TEXT("site", "NAME", "site", "for phones of this site (default: of the network of the address)", NULL),
    TEXT("address", "IP", "address", "for a phone at this address (default: this computer's)", NULL),
    TEXT("transport", "NAME", "transport", "udp or tcp (default udp)", "udp tcp"),
    END,
};

#define NODE_COLUMNS                                                                                           \
    "NAME=name STATE=up/up ISOLATED=isolated/yes DRAINING=draining/yes ROLE=role LEADER=leader/yes SITE=site " \
    "CALLS=calls HELD=held_addresses HOME=home_addresses SIP=sip HTTPS=https PEER=peer VERSION=version "       \
    "SINCE=since/age | ID=node_id CONNECTED=connected/yes RTT=rtt_us/us MATCH=match_index INCARNATION=incarnation"
#define ADDRESS_COLUMNS "ADDRESS=ip STATE=state/state HOLDER=holder HOME=home TARGET=target WHY=why | EPOCH=epoch"

const struct cli_verb cli_rows_cluster[] = {
    V("cluster", "status", "which nodes are there, who leads, are all well", .path = "/v1/cluster",
      .columns = NODE_COLUMNS, .run = cli_run_cluster_status,
      .example = "cluster status\ncluster status -o json\ncluster status --watch 1"),
    V("cluster", "verify", "compare the state of all nodes at one index", .method = "POST",
      .path = "/v1/cluster:verify", .columns = "NAME=name OK=ok/yes INDEX=index DIGEST=digest ERROR=error",
      .run = cli_run_cluster_verify, .example = "cluster verify"),
    V("cluster", "transfer", "hand leadership over", .method = "POST", .path = "/v1/cluster:transfer",
      .options = transfer_options, .done = "leadership handed over", .run = cli_run_change,
      .example = "cluster transfer\ncluster transfer --to n2"),

    V("node", "list", "all nodes", .method = "GET", .path = "/v1/nodes", .columns = NODE_COLUMNS,
      .options = cli_only_limit, .run = cli_run_list, .example = "node list\nnode list -o wide"),
    V("node", "show", "one node", .args = "NAME", .method = "GET", .path = "/v1/nodes/{NAME}", .run = cli_run_show,
      .example = "node show n2"),
    V("node", "nearest", "which nodes phones and trunks should use, best first", .method = "GET",
      .path = "/v1/nodes/nearest", .options = nearest_options,
      .columns = "NAME=name SITE=site SIP=sip RTT=rtt_us/us CALLS=calls HTTPS=https REASON=reason | URI=uris "
                 "SAME-SITE=same_site/yes",
      .run = cli_run_nearest, .example = "node nearest\nnode nearest --site north\nnode nearest --address 192.0.2.77"),
    V("node", "status", "threads, queues, disk and counters of a node, asked there", .args = "NAME", .method = "GET",
      .path = "/v1/nodes/{NAME}/status", .run = cli_run_node_status, .example = "node status n2"),
    V("node", "add", "let a new node join; it votes once it has caught up", .args = "NAME ADDRESS", .method = "POST",
      .path = "/v1/nodes", .body = "NAME=name ADDRESS=address",
      .done = "node {NAME} may join now: start it with `join:` set", .run = cli_run_change,
      .example = "node add n4 192.0.2.4:7400"),
    V("node", "remove", "take a node out of the cluster", .args = "NAME", .method = "DELETE",
      .path = "/v1/nodes/{NAME}", .done = "node {NAME} removed", .run = cli_run_change, .example = "node remove n4"),
    V("node", "drain", "no new calls there; its calls and addresses go to other nodes", .args = "NAME",
      .method = "POST", .path = "/v1/nodes/{NAME}:drain", .options = drain_options, .done = "node {NAME} drains",
      .run = cli_run_node_drain, .example = "node drain n2 --wait"),
    V("node", "undrain", "take it into service again; its addresses come home", .args = "NAME", .method = "POST",
      .path = "/v1/nodes/{NAME}:undrain", .done = "node {NAME} is in service", .run = cli_run_change,
      .example = "node undrain n2"),

    V("address", "list", "service addresses: whose they are and where they are", .method = "GET",
      .path = "/v1/addresses", .columns = ADDRESS_COLUMNS, .options = address_filters, .run = cli_run_list,
      .example = "address list\naddress list --state failed"),
    V("address", "show", "one service address", .args = "IP", .method = "GET", .path = "/v1/addresses/{IP}",
      .run = cli_run_show, .example = "address show 192.0.2.1"),
    V("address", "move", "move a service address, with its calls, to another node", .args = "IP NODE", .method = "POST",
      .path = "/v1/addresses/{IP}:move", .body = "NODE=to", .done = "address {IP} is on its way to node {NODE}",
      .run = cli_run_change, .example = "address move 192.0.2.1 n2"),
    {.noun = NULL},
};
