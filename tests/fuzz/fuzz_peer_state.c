/* What a peer may send once it is known: commands forwarded, read index, changes of members, pieces of images, notices of a commit,
 * given to a whole replication layer as leader or as follower. The mesh is played here, libraft is real with its disk played here,
 * and is itself only shown messages of ours: fuzz_peer_frame has the decoder of its own.
 *
 * An input: u8 role, then frames: u8 from whom and whether the loop turns after it, u8 type, u16 length, payload. */
#include <fcntl.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/raft_msg.h"
#include "raft/repl_int.h"
#include "raft/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define SELF 1u
#define PEERS 3u /* 2 a voter, 3 a standby, 4 a stranger that the mesh let in */
#define APPENDS_MAX 256u
#define FRAMES_MAX 64u

static struct repl *r;
static struct raft_io_append *appends[APPENDS_MAX];
static raft_io_append_cb appends_cb[APPENDS_MAX];
static unsigned n_appends, n_fatal;
static uint64_t clock_ms;
static char dir[64];
static uint8_t *frame_out;
static struct image_manifest held; /* the image that this node has, and that others may ask for */
static raft_io_tick_cb tick;
static raft_io_recv_cb io_recv;

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the mesh: takes everything, answers nothing ---- */

int mesh_open(uv_loop_t *loop, const struct mesh_config *cfg, const struct mesh_events *events, struct mesh **out,
              struct err_info *info)
{
    (void)loop;
    (void)cfg;
    (void)events;
    (void)out;
    return err_set(info, ERR_UNSUPPORTED, "", "not here");
}

int mesh_listen(struct mesh *m, struct err_info *info)
{
    (void)m;
    (void)info;
    return 0;
}

void mesh_close(struct mesh *m, void (*cb)(void *arg), void *arg)
{
    (void)m;
    cb(arg);
}

void mesh_identify(struct mesh *m, uint64_t id, uint64_t cluster, uint64_t incarnation)
{
    (void)m;
    (void)id;
    (void)cluster;
    (void)incarnation;
}

int mesh_peer_put(struct mesh *m, uint64_t id, const char *name, const char *address)
{
    (void)m;
    must(id != SELF && strlen(name) < MESH_NAME_MAX && strlen(address) < MESH_ADDRESS_MAX);
    return 0;
}

void mesh_peer_drop(struct mesh *m, uint64_t id, const char *why)
{
    (void)m;
    (void)id;
    (void)why;
}

void mesh_join_ask(struct mesh *m, const char *address)
{
    (void)m;
    (void)address;
}

bool mesh_peer_state(const struct mesh *m, uint64_t id, struct mesh_peer_state *out)
{
    (void)m;
    *out = (struct mesh_peer_state){.up = id <= SELF + PEERS, .name = "n", .address = "127.0.0.1:1"};
    return id != SELF && id <= SELF + PEERS;
}

uint8_t *mesh_begin(struct mesh *m, uint64_t peer, uint8_t type, uint16_t flags, size_t len, int *err)
{
    (void)m;
    (void)flags;
    must(type && type < MESH_FRAME_TYPES && len <= MESH_FRAME_MAX);
    free(frame_out);
    frame_out = NULL;
    *err = ERR_CLOSED;
    if (peer == SELF || peer > SELF + PEERS)
        return NULL;
    *err = 0;
    frame_out = malloc(len ? len : 1); /* of just this size: a byte too many is seen */
    must(frame_out != NULL);
    return frame_out;
}

void mesh_end(struct mesh *m)
{
    (void)m;
}

int mesh_send(struct mesh *m, uint64_t peer, uint8_t type, uint16_t flags, const void *data, size_t len)
{
    int err;
    uint8_t *p = mesh_begin(m, peer, type, flags, len, &err);
    if (p && len)
        memcpy(p, data, len);
    return err;
}

void mesh_ping(struct mesh *m)
{
    (void)m;
}

void mesh_tell(struct mesh *m)
{
    (void)m;
}

void mesh_flush(struct mesh *m)
{
    (void)m;
}

int mesh_address_parse(const char *text, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    return strchr(text, ':') ? 0 : ERR_INVAL;
}

/* ---- libraft's disk and network ---- */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
    for (unsigned i = 0; i < n_appends; i++)
        appends_cb[i](appends[i], RAFT_CANCELED);
    n_appends = 0;
    repl_snapshot_cancel(r);
    cb(io);
}

static bool leading_role;
static void take_message(struct raft_io *io, struct raft_message *m);

static int io_load(struct raft_io *io, raft_term *term, raft_id *vote, struct raft_snapshot **snapshot,
                   raft_index *start, struct raft_entry *entries[], size_t *n)
{
    struct raft_configuration conf;
    struct raft_entry *e = raft_calloc(1, sizeof *e);
    (void)io;
    must(e != NULL);
    raft_configuration_init(&conf);
    must(raft_configuration_add(&conf, SELF, "n1|127.0.0.1:1", RAFT_VOTER) == 0);
    must(raft_configuration_add(&conf, 2, "n2|127.0.0.2:1", leading_role ? RAFT_SPARE : RAFT_VOTER) == 0);
    must(raft_configuration_add(&conf, 3, "n3|127.0.0.3:1", RAFT_STANDBY) == 0);
    must(raft_configuration_encode(&conf, &e->buf) == 0);
    raft_configuration_close(&conf);
    e->term = 1;
    e->type = RAFT_CHANGE;
    e->batch = e->buf.base;
    *term = 1;
    *vote = 0;
    *snapshot = NULL;
    *start = 1;
    *entries = e;
    *n = 1;
    return 0;
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb on_tick, raft_io_recv_cb recv)
{
    (void)io;
    (void)msecs;
    tick = on_tick;
    io_recv = recv;
    r->recv = take_message;
    return 0;
}

static int io_term(struct raft_io *io, raft_term term)
{
    (void)io;
    (void)term;
    return 0;
}

static int io_vote(struct raft_io *io, raft_id id)
{
    (void)io;
    (void)id;
    return 0;
}

static int io_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m, raft_io_send_cb cb)
{
    (void)io;
    (void)m;
    cb(req, 0);
    return 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
                     raft_io_append_cb cb)
{
    (void)io;
    for (unsigned i = 0; i < n; i++)
        must(entries[i].buf.len % 8 == 0);
    must(n_appends < APPENDS_MAX);
    appends[n_appends] = req;
    appends_cb[n_appends++] = cb;
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    (void)io;
    (void)index;
    return 0;
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
    (void)io;
    (void)req;
    (void)cb;
    return RAFT_BUSY;
}

static raft_time io_time(struct raft_io *io)
{
    (void)io;
    return clock_ms;
}

static int io_random(struct raft_io *io, int min, int max)
{
    (void)io;
    (void)max;
    return min;
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    (void)fsm;
    *result = NULL;
    if (!r->dead)
        (void)repl_propose_apply(r, raft_last_applied(&r->raft) + 1, buf->base, buf->len);
    return 0;
}

static void appends_done(void)
{
    for (unsigned turns = 0; n_appends && turns < 16; turns++) {
        struct raft_io_append *req = appends[0];
        raft_io_append_cb cb = appends_cb[0];
        n_appends--;
        memmove(appends, appends + 1, n_appends * sizeof appends[0]);
        memmove(appends_cb, appends_cb + 1, n_appends * sizeof appends_cb[0]);
        cb(req, 0);
    }
}

/* ---- the owner ---- */

static int on_apply(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                    struct repl_outcome *outcomes)
{
    (void)ctx;
    (void)outcomes;
    must(index && term && n && n <= REPL_BATCH_ITEMS_MAX);
    for (unsigned i = 0; i < n; i++)
        must(items[i].origin && items[i].incarnation && items[i].seq && items[i].len <= REPL_COMMAND_MAX);
    return 0;
}

static void on_state(void *ctx, bool ready)
{
    (void)ctx;
    (void)ready;
}

static void on_fatal(void *ctx, int err, const char *text)
{
    (void)ctx;
    must(err && text[0]);
    n_fatal++;
}

static void on_read(void *arg, int status)
{
    (void)status;
    *(bool *)arg = true;
}

static void on_member(void *arg, int status, uint64_t id, const char *text)
{
    (void)status;
    (void)id;
    must(text != NULL);
    *(bool *)arg = true;
}

static void on_command(struct repl_req *req, int status, const void *answer)
{
    (void)status;
    (void)answer;
    *(bool *)req->ctx = true;
}

static void swept(const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, text);
    (void)unlink(path);
}

static void leave(void)
{
    char name[IMAGE_NAME_MAX];
    image_sweep(dir, NULL, 0);
    image_name(name, &held);
    swept(name);
    (void)rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char name[IMAGE_NAME_MAX], path[200];
    (void)argc;
    (void)argv;
    log_setup(LOG_ERROR, false, "fuzz");
    snprintf(dir, sizeof dir, "%s/everline-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(dir) != NULL);
    held.index = 7;
    held.bytes = 4096;
    image_name(name, &held);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0 && ftruncate(fd, 4096) == 0);
    close(fd);
    must(atexit(leave) == 0);
    return 0;
}

/* ---- one life of a node ---- */

static uv_loop_t loop;

static void begin(void)
{
    struct err_info info = {0};
    r = calloc(1, sizeof *r);
    must(r != NULL && uv_loop_init(&loop) == 0);
    r->loop = &loop;
    r->h = (struct repl_handler){.ctx = r, .apply = on_apply, .state_changed = on_state, .fatal = on_fatal};
    r->ident = (struct identity){.id = SELF, .cluster = 9, .incarnation = 1};
    r->next_seq = 1;
    r->next_token = 1;
    list_init(&r->pends);
    list_init(&r->batches);
    list_init(&r->ops);
    list_init(&r->reads);
    r->cursor = &r->pends;
    r->mesh = (struct mesh *)(void *)r; /* never looked into */
    r->seen_state = -1;
    snprintf(r->image_dir, sizeof r->image_dir, "%s", dir);
    must(uv_timer_init(&loop, &r->tell) == 0 && repl_snapshot_open(r, &info) == 0);
    r->io = (struct raft_io){
        .version = 2,
        .capacity = UINT16_MAX,
        .init = io_init,
        .close = io_close,
        .load = io_load,
        .start = io_start,
        .set_term = io_term,
        .set_vote = io_vote,
        .send = io_send,
        .append = io_append,
        .truncate = io_truncate,
        .snapshot_get = io_snapshot_get,
        .time = io_time,
        .random = io_random,
    };
    r->fsm = (struct raft_fsm){.version = 1, .apply = fsm_apply};
    must(raft_init(&r->raft, &r->io, &r->fsm, SELF, "n1|127.0.0.1:1") == 0);
    raft_set_snapshot_threshold(&r->raft, 1u << 30);
    must(raft_start(&r->raft) == 0);
    r->raft_inited = r->raft_up = true;
    repl_member_refresh(r);
}

static bool raft_gone;

static void on_raft_closed(struct raft *raft)
{
    (void)raft;
    raft_gone = true;
}

static void end(void)
{
    repl_propose_fail_all(r, ERR_CLOSED);
    repl_read_fail_all(r, ERR_CLOSED);
    repl_member_fail_all(r, ERR_CLOSED, "the end");
    must(list_empty(&r->pends) && list_empty(&r->reads) && list_empty(&r->ops) && !r->n_reads && !r->n_ops);
    r->raft_closing = true;
    while (!repl_snapshot_idle(r))
        uv_run(&loop, UV_RUN_ONCE);
    raft_gone = false;
    raft_close(&r->raft, on_raft_closed);
    must(raft_gone);
    repl_propose_lost(r);
    repl_snapshot_close(r);
    uv_close((uv_handle_t *)&r->tell, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop) == 0);
    free(r);
    free(frame_out);
    frame_out = NULL;
    r = NULL;
}

static void turn(void)
{
    clock_ms += 10;
    repl_pump(r);
    appends_done();
    tick(&r->io);
    uv_run(&loop, UV_RUN_NOWAIT);
    repl_pump(r);
}

/* libraft itself is only shown what we made of a notice: a snapshot that was fetched ends here. */
static void take_message(struct raft_io *io, struct raft_message *m)
{
    if (m->type == RAFT_APPEND_ENTRIES)
        io_recv(io, m);
    else
        raft_msg_release(m);
}

static void follow(void)
{
    struct raft_message m = {.type = RAFT_APPEND_ENTRIES};
    m.append_entries.term = m.append_entries.prev_log_index = m.append_entries.prev_log_term = 1;
    m.append_entries.leader_commit = 1;
    repl_io_deliver(r, &m, 2);
}

/* An image is to be had: what its sender says of it is part of the input. */
static void announce(uint64_t peer, const uint8_t *data, size_t len)
{
    struct image_manifest m = {.index = 9, .bytes = len ? data[0] * 1024u : 0};
    struct raft_message msg = {.type = RAFT_INSTALL_SNAPSHOT};
    uint8_t *copy = raft_malloc(IMAGE_MANIFEST_BYTES);
    must(copy != NULL);
    image_manifest_encode(copy, &m);
    msg.install_snapshot.data = (struct raft_buffer){.base = copy, .len = IMAGE_MANIFEST_BYTES};
    raft_configuration_init(&msg.install_snapshot.conf);
    repl_snapshot_received(r, peer, &msg);
}

static int frame(uint64_t peer, uint8_t type, const uint8_t *data, size_t len)
{
    switch (type) {
    case MESH_RAFT:
        announce(peer, data, len);
        return 0;
    case MESH_COMMIT:
        return repl_io_commit_frame(r, peer, data, len);
    case MESH_FORWARD:
        return repl_propose_frame(r, peer, data, len);
    case MESH_RESUME:
        repl_propose_rewind(r);
        return 0;
    case MESH_READ:
    case MESH_READ_ANSWER:
    case MESH_CONFIRM:
    case MESH_CONFIRMED:
        return repl_read_frame(r, peer, type, data, len);
    case MESH_MEMBER:
        return repl_member_frame(r, peer, data, len);
    case MESH_MEMBER_ANSWER:
        return repl_member_answer_frame(r, peer, data, len);
    case MESH_IMAGE:
    case MESH_IMAGE_PIECE:
        return repl_snapshot_frame(r, peer, type, data, len);
    default:
        return ERR_CORRUPT;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_reader rd;
    struct repl_req req = {.cb = on_command};
    bool read = false, member = false, command = false;
    wire_reader_init(&rd, data, size);
    uint8_t role = wire_get8(&rd);
    leading_role = role & 1;
    clock_ms = n_fatal = 0;
    begin();
    if (!leading_role)
        follow();
    turn();
    turn();
    must(repl_leading(r) == leading_role && repl_leader(r) == (leading_role ? SELF : 2));
    /* own business under way, so that answers find something */
    req.ctx = &command;
    bool proposed = role & 2 && repl_propose(r, &req, "command", 7, 0) == 0;
    bool asked = role & 4 && repl_read_index(r, on_read, &read, 0) == 0;
    bool adding = role & 8 && repl_add(r, "n9", "127.0.0.9:1", on_member, &member) == 0;
    for (unsigned i = 0; i < FRAMES_MAX && wire_left(&rd) >= 4; i++) {
        uint8_t who = wire_get8(&rd), type = wire_get8(&rd);
        size_t len = wire_get16(&rd);
        if (len > wire_left(&rd))
            len = wire_left(&rd);
        uint8_t *copy = malloc(len ? len : 1); /* of just this size */
        must(copy != NULL);
        if (len)
            memcpy(copy, wire_take(&rd, len), len);
        int rc = frame(2 + who % PEERS, type % MESH_FRAME_TYPES, copy, len);
        must(rc == 0 || rc == ERR_CORRUPT);
        free(copy);
        if (who & 0x80)
            turn();
    }
    turn();
    end();
    must((!proposed || command) && (!asked || read) && (!adding || member));
    return 0;
}
