/* The mesh: one mutual-TLS 1.3 connection between each pair of nodes, kept up, carrying frames (mesh_frame.h).
 *
 * Who dials: both sides may. The lower id dials at once, the higher one only when no connection came within
 * MESH_HIGHER_WAITS_MS; after a loss both dial at once, because a refused dial is how the death of a process is told from
 * a broken link. When two connections of one pair meet, both sides keep the one that the lower id dialled; of two dialled
 * by the same side the newer one; a peer with a new incarnation always replaces its old connection.
 *
 * Trust: a certificate must be signed by our authority and its CN must be the name that the peer claims; the owner's
 * `admit` then holds that name against the id.
 *
 * Thread: the core thread. Nothing blocks. Frames are gathered and leave by mesh_flush, which the owner calls at the end
 * of each turn of the loop. Limits: MESH_OUT_MAX bytes wait for one peer, after that mesh_begin refuses (ERR_BUSY);
 * MESH_STRANGERS_MAX connections that others made and have not said hello on: one more, and the oldest is closed. */
#ifndef RAFT_MESH_H
#define RAFT_MESH_H

#include <uv.h>

#include "raft/mesh_frame.h"

#define MESH_OUT_MAX (32u << 20)
#define MESH_STRANGERS_MAX 64u
#define MESH_HIGHER_WAITS_MS 300u
#define MESH_RETRY_MIN_MS 50u
#define MESH_RETRY_MAX_MS 500u
#define MESH_HANDSHAKE_MS 5000u
#define MESH_SILENCE_MS \
    2000u /* a connection without any frame for so long is given up, or thrice detect_ms if that is more */
#define MESH_ANSWER_MAX 64u

struct mesh;

struct mesh_events {
    void *ctx;
    /* A peer with an id said hello. 0 to let it in; else the code and `why` go to it and to the log. */
    int (*admit)(void *ctx, const struct mesh_hello *hello, char *why, size_t cap);
    /* A node without an id asks to join. */
    void (*join)(void *ctx, const struct mesh_hello *hello, struct mesh_join_reply *out);
    /* Answer to mesh_join_ask; NULL when there was none (unreachable, refused): ask again. */
    void (*joined)(void *ctx, const struct mesh_join_reply *reply);
    /* A frame of a peer that is up. Non-zero: malformed, the connection is closed. */
    int (*frame)(void *ctx, uint64_t peer, uint8_t type, uint16_t flags, const uint8_t *data, size_t len);
    /* A connection came up or went down; refused: a dial was refused, so the process that last greeted is dead. Up: see
     * mesh_peer_state for the process that greeted; those of the peer that came before it are dead. */
    void (*link)(void *ctx, uint64_t peer, bool up, bool refused);
    /* A peer refused us for good: code is one of enum err_code. */
    void (*refused)(void *ctx, uint64_t peer, int code, const char *text);
    /* Last index of our log, for the hello. */
    uint64_t (*last_index)(void *ctx);
    /* What travels beside the answer to a ping of this peer (asked), or by mesh_tell: at most MESH_ANSWER_MAX bytes. */
    size_t (*answer)(void *ctx, uint64_t peer, bool asked, uint8_t *out);
    /* The same at the other side. sent_us: when the ping left that is answered, 0 when none is. Non-zero: malformed. */
    int (*answered)(void *ctx, uint64_t peer, uint64_t sent_us, const uint8_t *data, size_t len);
    /* Nothing came from a peer for detect_ms, connected or not; or something came again. */
    void (*silent)(void *ctx, uint64_t peer, bool silent);
};

struct mesh_config {
    const char *name, *listen;
    const char *ca_file, *cert_file, *key_file;
    unsigned tick_ms;   /* between two looks at connections; pings go out at every look */
    unsigned detect_ms; /* silence that is told */
    uint64_t incarnation;
};

/* Ignores SIGPIPE for the whole process, unless it is handled already. Nobody can connect to us before mesh_listen. */
ERR_CHECKED int mesh_open(uv_loop_t *loop, const struct mesh_config *cfg, const struct mesh_events *events,
                          struct mesh **out, struct err_info *info);
/* Called when we can answer at once: until then peers are refused, and so learn that a former process of ours is dead. */
ERR_CHECKED int mesh_listen(struct mesh *m, struct err_info *info);
/* Closes everything; cb when no handle is left; the mesh is then freed. */
void mesh_close(struct mesh *m, void (*cb)(void *arg), void *arg);
/* Who we are; connections to peers are made from now on. */
void mesh_identify(struct mesh *m, uint64_t id, uint64_t cluster, uint64_t incarnation);

/* Keeps a connection to this member. 0 or ERR_NOMEM, ERR_INVAL. Known already: name and address are renewed. */
ERR_CHECKED int mesh_peer_put(struct mesh *m, uint64_t id, const char *name, const char *address);
/* Ends it. With `why` the peer is told that it is no longer a member (code ERR_NOTFOUND). */
void mesh_peer_drop(struct mesh *m, uint64_t id, const char *why);
void mesh_join_ask(struct mesh *m, const char *address);

struct mesh_peer_state {
    bool up;
    bool silent;
    uint32_t rtt_us;
    uint64_t contact_us; /* send time of the last ping that was answered: it was alive then or later; 0 never */
    uint64_t out_bytes;  /* waiting to be sent */
    uint64_t
        incarnation; /* of the process that greeted last; 0 none. It holds the lock of its data folder, so earlier ones are dead */
    char name[MESH_NAME_MAX];
    char address[MESH_ADDRESS_MAX];
};
/* False when there is no such peer. */
bool mesh_peer_state(const struct mesh *m, uint64_t id, struct mesh_peer_state *out);
/* A ping to everybody now, besides those of the clock. */
void mesh_ping(struct mesh *m);
/* An answer that nobody asked for to everybody. */
void mesh_tell(struct mesh *m);

/* Room for a frame's payload of exactly len bytes; the caller fills it and calls mesh_end before anything else of the
 * mesh. NULL when the peer is not connected (*err ERR_CLOSED), too much waits for it (ERR_BUSY) or ERR_NOMEM. */
uint8_t *mesh_begin(struct mesh *m, uint64_t peer, uint8_t type, uint16_t flags, size_t len, int *err);
void mesh_end(struct mesh *m);
ERR_CHECKED int mesh_send(struct mesh *m, uint64_t peer, uint8_t type, uint16_t flags, const void *data, size_t len);
void mesh_flush(struct mesh *m);

/* Parses "ip:port" or "[ip6]:port". 0 or ERR_INVAL. */
ERR_CHECKED int mesh_address_parse(const char *text, struct sockaddr_storage *out);

#endif
