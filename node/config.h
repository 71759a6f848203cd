/* The node file (etc/ccnode.conf): who this node is, where it listens, its certificates and its data folder. All else is
 * replicated configuration.
 *
 * YAML, at most 64 KiB, read with libcyaml; unknown or repeated keys, wrong types and overflow are refused. Every refusal
 * names the field and where it stands (struct err_info: field, line, column, text). Relative paths are relative to the
 * folder of the file. Addresses are numeric: a node never waits for name resolution. Read once at start, before other
 * threads exist; afterwards immutable. Owner: the caller; free with node_config_free.
 *
 *   name: node1                        letters, digits, - and _, at most 32; the CN of the certificate
 *   site: default                      optional, same letters: nodes of one site share a failure domain
 *   data: /var/lib/ccnode              made by the daemon when missing
 *   prompts: /usr/share/ccnode/prompts
 *   listen:
 *     sip: ["192.0.2.1:5060"]          1 to 16, UDP and TCP each; IPv6 as "[2001:db8::1]:5060"
 *     https: "192.0.2.1:8443"
 *     peer: "192.0.2.1:7400"           told to the other nodes
 *     rtp:                             optional
 *       addresses: ["192.0.2.1"]       default: those of sip, each once
 *       ports: "20000-29999"           default; at least 10 ports, from 1024 up
 *   tls: {ca: ca.pem, cert: cert.pem, key: key.pem}    key not readable by others
 *   service_addresses: ["192.0.2.1"] optional: of the sip addresses, those that another node takes over while this one is away
 *   address_hook: /etc/everline/address optional: program run as `HOOK add|del IP` to put such an address on or off an interface;
 *                                    without one it is only bound. Must be executable and not writable by others; listen.peer
 *                                    and listen.https then need addresses that stay
 *   speech_command: [espeak-ng, --stdin, --stdout, -v, "{voice}"]   optional: program that speaks texts (node/speech.h), 1 to 16 words
 *   detect_ms: 300                   optional; 300 to 10000: silence after which a node counts as gone; the same on all nodes
 *   join: "192.0.2.2:7400"             optional: peer address of a member of the cluster to join
 *   admin_token_file: admin.token      one line of 16 to 256 visible characters; not readable by others
 *   recording_key_file: recording.key  optional: master keys of recordings (storage/seal.h), a line of 64 hexadecimal digits each, the first
 *                                    for new ones; the same on all nodes; not readable by others. Without it nothing is recorded here
 *   log: {level: info, json: false}    optional; debug, info, notice, warn, error
 *   media_threads: 0                   optional; 0: one for each processor, at most 64
 *   snapshot_entries: 8192             optional; log entries between two snapshots, 256 to 1000000
 *
 * The wildcard addresses 0.0.0.0 and [::] are accepted for https only: the others are told to peers and phones. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"

#define NODE_NAME_MAX 32u
#define NODE_ADDRESSES_MAX 16u
#define NODE_SERVICE_MAX 8u /* as many are told to the cluster */
#define NODE_TOKEN_MAX 256u
#define NODE_SPEECH_MAX 16u
#define NODE_CONFIG_BYTES_MAX (64u << 10)

struct node_config {
    char name[NODE_NAME_MAX + 1];
    char site[NODE_NAME_MAX + 1];
    char *data, *prompts; /* absolute, or relative to the present folder; never NULL after a load */
    struct addr sip[NODE_ADDRESSES_MAX];
    unsigned n_sip; /* at least 1 */
    struct addr https, peer;
    char rtp_ip[NODE_ADDRESSES_MAX][ADDR_IP_MAX];
    unsigned n_rtp;                      /* at least 1 */
    uint16_t rtp_port_min, rtp_port_max; /* both usable */
    char *tls_ca, *tls_cert, *tls_key;
    char service_ip[NODE_SERVICE_MAX][ADDR_IP_MAX]; /* each of them among sip */
    unsigned n_service;
    char *address_hook;       /* NULL: none */
    char *recording_key_file; /* NULL: none, and nothing is recorded */
    char *speech_command[NODE_SPEECH_MAX];
    unsigned n_speech; /* words of it; 0: the program that is built in */
    unsigned detect_ms;
    struct addr join;                     /* port 0: none */
    char admin_token[NODE_TOKEN_MAX + 1]; /* secret: never logged */
    enum log_level log_level;
    bool log_json;
    unsigned media_threads;
    unsigned snapshot_entries; /* a quarter of it stays in the log behind a snapshot */
};

/* Errors: ERR_INVAL, ERR_RANGE, ERR_TOOBIG, ERR_NOTFOUND (a file), ERR_DENIED (permissions of a secret), ERR_IO, ERR_NOMEM.
 * *out is untouched on failure. Needs no privilege and opens no socket. */
ERR_CHECKED int node_config_load(const char *path, struct node_config *out, struct err_info *info);
/* The same from memory; `folder` is what relative paths are relative to. */
ERR_CHECKED int node_config_parse(const char *text, size_t len, const char *folder, struct node_config *out,
                                  struct err_info *info);
void node_config_free(struct node_config *c);
/* Whether `ip` is one of its service addresses. */
bool node_config_service(const struct node_config *c, const char *ip);

/* `ccnode --check FILE`: loads, looks into the certificates (readable, cert signed by ca, valid now, CN is the name,
 * key belongs to cert) and into the folders, and writes to `to` one line for each fault, as "FILE:LINE:COLUMN: FIELD: TEXT", or
 * "FILE: ok". 0 or the first error. */
int node_config_check(const char *path, FILE *to);

#endif
