/* The HTTPS interface of a node: REST under /v1, events, metrics, health. The contract with clients is api/openapi.yaml.
 *
 * One thread of its own (libwebsockets), which reads the database through read-only connections and never waits for the
 * core. What only the core can do (commands, cluster operations) is handed to the node through struct api_backend; the
 * node answers later, from any thread, with api_post_result. A client that has gone meanwhile costs nothing.
 *
 * The node's part: put what submit and call hand over into a bounded queue, wake the core thread, carry it out there,
 * post the result under the same ticket. Each ticket is posted at most once; one that is never posted ends as
 * ERR_TIMEOUT for the client.
 *
 * Errors: api_start only; afterwards each request has its own answer (RFC 9457). Limits: API_* below; over them
 * clients get 413 or 503; connections over the limits, with too large headers, or too slow are closed without an answer.
 * RFC 9110, 9112 (HTTP/1.1 only), 9457 (problems), 7386 (merge patch), CloudEvents 1.0, WHATWG server-sent events. */
#ifndef API_API_H
#define API_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/commands.pb-c.h"

struct api_server;
struct storage;

#define API_BODY_MAX (8u << 20)         /* bytes of a request body */
#define API_SOUND_MAX (64u << 20)       /* bytes of a sound file that is uploaded: on disk, not in memory */
#define API_SOUNDS_MAX (256u << 20)     /* bytes of all of them at once */
#define API_BODIES_MAX (64u << 20)      /* bytes of all bodies held at once */
#define API_ANSWERS_MAX (256u << 20)    /* bytes of all large answers that are being sent; one more gets 503 */
#define API_CONNECTIONS_MAX 1024u       /* open connections */
#define API_SOURCE_CONNECTIONS_MAX 256u /* of one source address */
#define API_STREAMS_MAX 256u            /* event streams among them */
#define API_LIVE_STREAMS_MAX 64u        /* of these, those that follow the live lists */
#define API_LIVE_ROWS_MAX 5000u         /* rows of each live list; what is beyond is said to be left out */
#define API_ARCHIVES_MAX 8u             /* archives of recordings that are being sent; one more gets 503 */
#define API_ARCHIVE_MAX 50000u          /* recordings of one; it breaks off behind them */
#define API_NODE_NAME_MAX 32u           /* bytes, as node files have it */
#define API_TICKETS_MAX 1024u           /* requests that wait for the node */
#define API_IDLE_S 15u        /* a request must make progress, an idle connection must ask again, within this */
#define API_REQUEST_FACTOR 4u /* and a body must be complete within this many times that */

struct api_config {
    const char *node;                 /* this node's name */
    const char *listen_ip;            /* numeric; "" or "0.0.0.0": every address */
    uint16_t port;                    /* 0: any free one, see api_port */
    const char *cert_file, *key_file; /* PEM */
    const char *admin_token;     /* text of the admin token of the node file; only its SHA-256 is kept. NULL: none */
    const char *spool;           /* folder for sound files while they are looked at; they have no name there */
    struct storage *storage;     /* stays open until api_stop has returned; readers of it are opened */
    const char *realm;           /* of the SIP digests made from passwords */
    unsigned command_timeout_ms; /* 0: 5000 */
    unsigned idle_s;             /* 0: API_IDLE_S */
    size_t answers_max;          /* 0: API_ANSWERS_MAX */
};

/* Cluster operations that are not commands. Arguments and results are JSON objects. */
enum api_op {
    /* {} -> {"state": "leader|follower|candidate|idle", "leader": name or null, "term", "has_quorum", "isolated",
     * "cluster_id": text or null, "last_index", "commit_index", "applied_index", "snapshot_index", "log_bytes",
     * "peers": [{"name", "node_id", "address", "role": "voter|standby|spare", "self", "leader", "up", "rtt_us": n or null,
     * "match_index": n or null}]}; local, needs no quorum */
    API_OP_CLUSTER_STATUS,
    /* {} -> {"index", "equal", "nodes": [{"name", "index", "digest": hex or null, "ok", "error": text or null}]} */
    API_OP_CLUSTER_VERIFY,
    /* {"to": name or null} -> {"leader": name} */
    API_OP_CLUSTER_TRANSFER,
    /* {"name", "address"} -> {"name", "node_id", "detail": text} */
    API_OP_NODE_ADD,
    /* {"name"} -> {} */
    API_OP_NODE_REMOVE,
    /* {} -> {"node_id", "version", "uptime_s", "threads": [{"name", "cpu_us"}], "queues": [{"name", "length", "capacity", "refused"}],
     * "disk": {"data_bytes", "free_bytes", "log_bytes", "database_bytes"}, "counters": {name: number}}; local */
    API_OP_NODE_STATUS,
    /* {} -> {}: this node has applied everything that was committed anywhere when it was asked */
    API_OP_READ_INDEX,
    /* {"site": name or null, "address": ip or null, "all": whether also nodes that take no calls} -> {"node", "site": name or null,
     * "own_site", "items": [{"name", "site", "self", "up", "draining", "same_site", "rtt_us": n or null, "calls",
     * "sip": ["ip:port"], "https", "reason"}]}, best first; without a site that of the network of the address */
    API_OP_NODES_NEAREST,
    /* {"call_id": 16 hex digits}, {"queue", "agent"}, {"blacklist": number, "out": bool} or {"vip": number, "queue": name or ""} -> as
     * core/explain.h says; local. ERR_NOTFOUND */
    API_OP_EXPLAIN,
    /* {"sha256"} -> {}: the blob is on this node's disk, fetched from another node if need be. ERR_TIMEOUT */
    API_OP_BLOB_FETCH,
    /* {"recording_id"} -> {}: there is an MP3 file of it, made if need be; goes on when nobody waits any more. ERR_TIMEOUT */
    API_OP_RECORDING_MP3,
    /* {"recording_id"} -> {"recording_id", "node", "ok", "files": [{"format", "sha256", "bytes", "fault": text or null}]}: its files on this node's
     * disk, held against their hashes in the state and opened; local */
    API_OP_RECORDING_VERIFY,
};

/* What became of a ticket. Everything is copied or taken over before api_post_result returns. */
struct api_result {
    int code;              /* 0 or enum err_code: of the transport if negative there, else of the command */
    const char *text;      /* reason for people, or NULL */
    const char *field;     /* field path, or NULL */
    uint64_t index;        /* log index of a command; 0: none */
    uint64_t version;      /* core_answer.version */
    const char *json_text; /* core_answer.json, or NULL; copied */
    json_t *json;          /* result of an operation, or NULL; the reference is taken over, also on failure */
};

/* Given by the node; the table and ctx live until api_stop has returned. Each function is called on the API thread and returns at
 * once; it may post the result before it returns. */
struct api_backend {
    void *ctx;
    /* Proposes. cmd has actor, origin, idem_key and a body; the node fills time_us, node and feature_level. 0: cmd belongs to the node
     * now, which frees it by ev__command__free_unpacked(cmd, NULL) (all of its memory is malloc'ed), and the ticket is
     * open. Else ERR_BUSY / ERR_CLOSED / ERR_NOMEM, cmd stays here. */
    int (*submit)(void *ctx, Ev__Command *cmd, unsigned timeout_ms, uint64_t ticket);
    /* Carries out an operation. 0: the reference to args and the ticket are the node's; else as above. */
    int (*call)(void *ctx, enum api_op op, json_t *args, const char *actor, const char *origin, unsigned timeout_ms,
                uint64_t ticket);
    /* Metrics in the Prometheus text format, malloc'ed; NULL when out of memory. The API adds its own. */
    char *(*metrics)(void *ctx);
    /* Whether this node takes calls; else *why says why not, in static text. */
    bool (*ready)(void *ctx, const char **why);
    /* Whether a prompt is built in; language "" asks for any language. */
    bool (*prompt_exists)(void *ctx, const char *language, const char *name);
    /* Makes the sound of a prompt, of the file fd (duplicated, stays the caller's) or, with fd -1, of a text spoken in a language, and
     * posts {"sha256", "bytes", "duration_ms"} when a majority of the nodes has it on disk. 0 or as above; ERR_INVAL: no voice
     * for that language. This and what follows may be NULL: there are no prompts to be had then. */
    int (*sound)(void *ctx, int fd, const char *language, const char *text, uint64_t ticket);
    /* Whether a blob is on this node's disk. */
    bool (*blob_there)(void *ctx, const char *sha256);
    /* The bytes of a blob that is on this node's disk, checked; malloc'ed. ERR_NOTFOUND, ERR_CORRUPT ... */
    int (*blob_read)(void *ctx, const char *sha256, void **data, size_t *len);
    /* Of a message or recording whose blob is on this node's disk: how many bytes its WAV file has, and some of them, malloc'ed; `id` is its own. All of
     * them: held against the hash; each is authentic. ERR_DENIED: this node has no key for it; ERR_NOTFOUND, ERR_CORRUPT ... */
    int (*sound_bytes)(void *ctx, const char *sha256, uint64_t *bytes);
    int (*sound_read)(void *ctx, const char *sha256, uint64_t id, uint64_t from, size_t count, void **data);
    /* Likewise those of a prompt that is built in. */
    int (*prompt_read)(void *ctx, const char *language, const char *name, void **data, size_t *len);
};

/* Listens and starts the thread. info says what is wrong. The configuration's strings are copied. */
ERR_CHECKED int api_start(const struct api_config *cfg, const struct api_backend *backend, struct api_server **out,
                          struct err_info *info);
/* Closes all connections and ends the thread; open tickets are forgotten. The backend is not called any more after it
 * returns, and no thread may post or notify. NULL is fine. Not from the API thread. */
void api_stop(struct api_server *s);
/* Port that it listens on. */
uint16_t api_port(const struct api_server *s);

/* Any thread. */
void api_post_result(struct api_server *s, uint64_t ticket, const struct api_result *r);
/* Any thread: events up to `index` can be read from the database now. Cheap; may be called for each entry. */
void api_notify(struct api_server *s, uint64_t index);

#endif
