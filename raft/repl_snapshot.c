/* Images: taking, fetching, installing. */
#include "raft/repl_int.h"

int repl_snapshot_open(struct repl *r, struct err_info *info)
{
    (void)r;
    (void)info;
    return 0;
}

bool repl_snapshot_idle(const struct repl *r)
{
    return !r->snap;
}

void repl_snapshot_close(struct repl *r)
{
    (void)r;
}

void repl_snapshot_pump(struct repl *r)
{
    (void)r;
}

int repl_snapshot_take(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    (void)fsm;
    (void)bufs;
    (void)n_bufs;
    return RAFT_BUSY;
}

int repl_snapshot_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    (void)fsm;
    (void)buf;
    return RAFT_CORRUPT;
}

int repl_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                      const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct repl *r = list_entry(io, struct repl, io);
    return r->io_uv.snapshot_put(io, trailing, req, snapshot, cb);
}

void repl_snapshot_received(struct repl *r, uint64_t peer, struct raft_message *m)
{
    repl_io_deliver(r, m, peer);
}

void repl_snapshot_cancel(struct repl *r)
{
    (void)r;
}

void repl_snapshot_down(struct repl *r, uint64_t peer)
{
    (void)r;
    (void)peer;
}

int repl_snapshot_frame(struct repl *r, uint64_t peer, uint8_t type, const uint8_t *data, size_t len)
{
    (void)r;
    (void)peer;
    (void)type;
    (void)data;
    (void)len;
    return 0;
}
