/* Shared by mesh.c (peers), mesh_conn.c (one connection) and mesh_tls.c. Core thread only. */
#ifndef RAFT_MESH_INT_H
#define RAFT_MESH_INT_H

#include "base/list.h"
#include "raft/mesh.h"
#include "raft/mesh_told.h"
#include "raft/tls.h"

/* A byte queue: bytes lie in data[start, end). */
struct mesh_buf {
    uint8_t *data;
    size_t start, end, cap;
};

/*            dial()            TCP up        TLS done, HELLO sent        HELLO of peer
 *   (new) ----------> CONNECT ---------> TLS ---------------> HELLO ---------------> UP
 *     accept() ------------------------^                                    |
 *   any --error, end of file, deadline--> CLOSED          DRAIN <--refused--+ (last words are sent, then CLOSED) */
enum mesh_conn_state { MESH_CONNECT, MESH_TLS, MESH_GREET, MESH_UP, MESH_DRAIN, MESH_CLOSED };

struct mesh_peer {
    struct list_node link;
    uint64_t id;
    char name[MESH_NAME_MAX];
    char address[MESH_ADDRESS_MAX];
    struct mesh_conn *conn;    /* the one that is up */
    struct mesh_conn *dialing; /* our attempt */
    uint64_t next_dial_us;
    unsigned retry_ms;
    struct mesh *mesh;
    unsigned quick_dials;
    bool refused_told; /* since the last time it was up */
    bool silent;
    uint64_t heard_us; /* when something last came */
    uint32_t rtt_us;
    uint64_t contact_us;
    uint64_t incarnation; /* of the process that greeted last */
};

struct mesh_conn {
    struct list_node link;
    struct mesh *mesh;
    struct mesh_peer *peer; /* while dialled for it or up */
    enum mesh_conn_state state;
    bool dialed, asks_join, shutdown_sent;
    int write_busy;
    uint64_t deadline_us; /* until it is up or drained */
    uint64_t last_rx_us;
    struct mesh_hello hello; /* of the peer */
    uv_tcp_t tcp;
    uv_connect_t connect_req;
    uv_shutdown_t shutdown_req;
    uv_write_t write_req;
    uint8_t *write_mem;
    SSL *ssl;
    BIO *rbio, *wbio; /* owned by ssl */
    struct mesh_buf in, out;
    char remote[64];
};

struct mesh {
    uv_loop_t *loop;
    struct mesh_events ev;
    SSL_CTX *tls;
    uv_tcp_t listener;
    uv_timer_t timer;
    unsigned tick_ms, detect_ms;
    uint64_t last_tick_us;
    struct mesh_hello self;
    struct sockaddr_storage listen_addr;
    struct list_node peers, conns;
    uv_tcp_t turned_away; /* a connection that there was no memory for, until it is closed */
    bool turning_away, turn_away_again;
    struct mesh_told told;
    struct mesh_conn *joining;
    struct mesh_conn *filling; /* between mesh_begin and mesh_end */
    size_t filling_at;
    int open_handles;
    bool closing;
    void (*close_cb)(void *arg);
    void *close_arg;
    uint8_t scratch[65536];
};

ERR_CHECKED int mesh_tls_open(struct mesh *m, const struct mesh_config *cfg, struct err_info *info);
/* Subject CN of the peer's verified certificate; false when there is none that is usable. */
bool mesh_tls_peer_name(SSL *ssl, char *out, size_t cap);
/* The oldest OpenSSL error as text. */
const char *mesh_tls_error(char *out, size_t cap);

struct mesh_conn *mesh_conn_new(struct mesh *m, bool dialed);
void mesh_conn_close(struct mesh_conn *c, const char *why);
/* Whether the log has not been told this of the peer since it was last up. */
bool mesh_conn_news(struct mesh_conn *c, const char *what);
int mesh_conn_dial(struct mesh_conn *c, const char *address);
void mesh_conn_accept(struct mesh *m);
void mesh_conn_flush(struct mesh_conn *c);
/* Room for a frame in the connection's queue; see mesh_begin. */
uint8_t *mesh_conn_begin(struct mesh_conn *c, uint8_t type, uint16_t flags, size_t len, int *err);
void mesh_conn_send(struct mesh_conn *c, uint8_t type, const void *data, size_t len);
void mesh_conn_ping(struct mesh_conn *c);
/* Answers a ping that left there at sent_us; 0: unasked. */
void mesh_conn_pong(struct mesh_conn *c, uint64_t sent_us);
/* Says why and lets the connection run out. */
void mesh_conn_refuse(struct mesh_conn *c, int code, const char *text);
void mesh_conn_drain(struct mesh_conn *c);

/* mesh.c, called by mesh_conn.c */
struct mesh_peer *mesh_peer_find(const struct mesh *m, uint64_t id);
/* The peer has said who it is. */
void mesh_greeted(struct mesh_conn *c);
/* A connection is gone; dial_status is the result of a failed connect, else 0. */
void mesh_lost(struct mesh_conn *c, int dial_status);
void mesh_ponged(struct mesh_conn *c, uint64_t sent_us);
void mesh_heard(struct mesh_peer *p, uint64_t now_us);
void mesh_handle_closed(struct mesh *m);

#endif
