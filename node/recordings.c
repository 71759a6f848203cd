/* Life of recordings: begun or carried on here, held for others, ended.
 *
 *   held ◄──► RUNS ──finish, all is written──► BUILDS ──blob──► SPREADS ──majority──► COMMITS ──► gone everywhere
 *                                                 └─ nothing to keep, disk full ──────────┘
 * A recording that is made here and becomes another node's in the state is held from then on. */
#include "node/recordings.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/blobnet.h"
#include "node/ident.h"
#include "node/lease.h"
#include "node/recordings_int.h"
#include "telephony/recorder.h"

#define WRITE_BYTES 2000u        /* a quarter of a second is written at a time */
#define AGAIN_US 1000000u        /* what could not be done is tried again */
#define SCAN_TICKS 10u           /* what is ours in the state is looked for */
#define GRACE_US 5000000u        /* in which the call that records is expected to come */
#define HELD_STALE_US 600000000u /* a file that the state does not name */
#define ORPHAN_MIN_MS 1000u

/* ---- the table */

struct recording *rec_find(struct node_recordings *a, uint64_t id)
{
    return map_get_u64(&a->by_id, id);
}

struct recording *rec_hold(struct node_recordings *a, uint64_t id)
{
    struct recording *r = rec_find(a, id);
    if (r || map_count(&a->by_id) >= RECORDINGS_HELD_MAX)
        return r;
    r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->all = a;
    r->id = id;
    r->touched_us = clock_mono_now().us;
    if (map_set_u64(&a->by_id, id, r)) {
        free(r);
        return NULL;
    }
    return r;
}

static void tell_call(struct recording *r, enum recording_outcome outcome)
{
    recording_done_fn *done = r->done;
    void *ctx = r->ctx;
    r->done = NULL;
    if (done)
        done(ctx, outcome);
}

static void make_end(struct recording *r)
{
    if (!r->made_here)
        return;
    tell_call(r, RECORDING_LOST);
    r->made_here = false;
    r->all->made--;
    if (r->rec)
        r->all->counts.lost_samples += recorder_lost(r->rec);
    recorder_unref(r->rec);
    r->rec = NULL;
    r->touched_us = clock_mono_now().us;
    free(r->buf);
    r->buf = NULL;
    r->buf_len = 0;
    r->finishing = false;
    r->search = (struct rec_search){0};
}

static void rec_path(const struct recording *r, char out[FOLDER_PATH_MAX])
{
    snprintf(out, FOLDER_PATH_MAX, "%s/%016llx.part", r->all->dir, (unsigned long long)r->id);
}

/* The state does not know it any more: it goes with its file as soon as nothing is being done with it. */
static void rec_go(struct recording *r)
{
    make_end(r);
    if (r->working)
        return;
    struct node_recordings *a = r->all;
    struct rec_work *w = a->stopping ? NULL : rec_work_new(r);
    if (!w) {
        (void)map_del_u64(&a->by_id, r->id);
        free(r);
        return;
    }
    w->kind = REC_REMOVE;
    rec_begin(w);
}

static void rec_drop(struct recording *r)
{
    if (r->gone)
        return;
    r->gone = true;
    rec_go(r);
}

/* ---- work */

struct rec_work *rec_work_new(struct recording *r)
{
    struct rec_work *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    memset(w, 0, offsetof(struct rec_work, data));
    w->r = r;
    w->work.data = w;
    rec_path(r, w->path);
    return w;
}

static void rec_built(struct rec_work *w);

static void work_run(uv_work_t *work)
{
    rec_file_run(work->data);
}

static void work_done(uv_work_t *work, int status)
{
    struct rec_work *w = work->data;
    struct recording *r = w->r;
    struct node_recordings *a = r->all;
    r->working--;
    a->working--;
    if (status && !w->rc)
        w->rc = ERR_CLOSED;
    if (w->kind == REC_REMOVE) {
        (void)map_del_u64(&a->by_id, r->id);
        free(r);
        free(w);
        return;
    }
    if (r->gone || a->stopping) {
        r->writing = false;
    } else if (w->kind == REC_WRITE) {
        rec_write_done(w);
    } else if (w->kind == REC_READ) {
        rec_read_done(w);
    } else {
        rec_built(w);
    }
    free(w);
    if (r->gone)
        rec_go(r);
    else if (!a->stopping)
        rec_step(r);
}

void rec_begin(struct rec_work *w)
{
    w->r->working++;
    w->r->all->working++;
    (void)uv_queue_work(&w->r->all->n->loop, &w->work, work_run, work_done); /* fails only without the function */
}

/* ---- the end */

/* A proposal or a spread may outlive what it is about. */
struct rec_ask {
    struct node *n;
    uint64_t id;
};

static struct rec_ask *ask_new(const struct recording *r)
{
    struct rec_ask *k = malloc(sizeof *k);
    if (k)
        *k = (struct rec_ask){r->all->n, r->id};
    return k;
}

/* Frees the question; NULL: nobody waits for the answer. */
static struct recording *ask_end(struct rec_ask *k, enum rec_stage stage)
{
    struct node_recordings *a = k->n->recordings;
    struct recording *r = a && !a->stopping ? rec_find(a, k->id) : NULL;
    free(k);
    return r && r->made_here && r->stage == stage ? r : NULL;
}

static void again(struct recording *r, enum rec_stage stage)
{
    r->stage = stage;
    r->again_us = clock_mono_now().us + AGAIN_US;
}

static void committed(void *ctx, int status, const struct core_answer *answer)
{
    struct recording *r = ask_end(ctx, REC_COMMITS);
    if (!r)
        return;
    if (status) {
        again(r, REC_COMMIT_AGAIN);
        return;
    }
    if (answer->code == ERR_STALE) { /* another node ends it, with what it finds here */
        make_end(r);
        r->stage = REC_RUNS;
        return;
    }
    struct recordings_counts *c = &r->all->counts;
    c->kept += r->outcome == RECORDING_KEPT;
    c->empty += r->outcome == RECORDING_EMPTY;
    c->failed += r->outcome == RECORDING_FAILED;
    log_info("record", "%016llx %s, %u ms", (unsigned long long)r->id,
             r->outcome == RECORDING_KEPT ? "is kept" : r->why, r->duration_ms);
    r->stage = REC_OVER;
    tell_call(r, r->outcome);
    rec_drop(r);
}

static void commit(struct recording *r)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__RecordEnd m = EV__RECORD_END__INIT;
    bool kept = r->outcome == RECORDING_KEPT;
    cmd.body_case = EV__COMMAND__BODY_RECORD_END;
    cmd.record_end = &m;
    m.id = r->id;
    m.sha256 = kept ? r->blob : (char *)(uintptr_t) "";
    m.bytes = kept ? (uint32_t)r->blob_bytes : 0;
    m.duration_ms = kept ? r->duration_ms : 0;
    m.why = (char *)(uintptr_t)(kept ? "" : r->why);
    struct rec_ask *k = ask_new(r);
    r->stage = REC_COMMITS;
    if (!k || node_propose(r->all->n, &cmd, 0, committed, k)) {
        free(k);
        again(r, REC_COMMIT_AGAIN);
    }
}

static void conclude(struct recording *r, enum recording_outcome outcome, const char *why)
{
    r->outcome = outcome;
    r->why = why;
    commit(r);
}

static void spread_done(void *ctx, int status)
{
    struct recording *r = ask_end(ctx, REC_SPREADS);
    if (!r)
        return;
    if (status) {
        log_warn("record", "%016llx is not on a majority yet: %s", (unsigned long long)r->id, err_text(status));
        again(r, REC_SPREAD_AGAIN);
        return;
    }
    r->outcome = RECORDING_KEPT;
    commit(r);
}

static void spread(struct recording *r)
{
    struct rec_ask *k = ask_new(r);
    r->stage = REC_SPREADS;
    if (!k || blobnet_spread(r->all->n, r->blob, r->blob_bytes, spread_done, k)) {
        free(k);
        again(r, REC_SPREAD_AGAIN);
    }
}

static void rec_built(struct rec_work *w)
{
    struct recording *r = w->r;
    if (!r->made_here || r->stage != REC_BUILDS)
        return;
    if (w->rc == ERR_NOTFOUND) {
        conclude(r, RECORDING_EMPTY, "empty");
    } else if (w->rc) {
        log_warn("record", "%016llx cannot be kept: %s", (unsigned long long)r->id, err_text(w->rc));
        conclude(r, RECORDING_FAILED, w->rc == ERR_NOSPACE ? "no_space" : "failed");
    } else {
        memcpy(r->blob, w->blob, sizeof r->blob);
        r->blob_bytes = w->bytes;
        r->duration_ms = w->duration_ms;
        blobnet_note(r->all->n, r->blob, true);
        spread(r);
    }
}

static void build(struct recording *r)
{
    struct rec_work *w = rec_work_new(r);
    if (!w)
        return; /* at the next tick */
    w->kind = REC_BUILD;
    w->blobs = blobnet_store(r->all->n);
    w->min_ms = r->min_ms;
    r->stage = REC_BUILDS;
    rec_begin(w);
}

/* ---- step by step */

static bool ours(const struct recording *r)
{
    const struct core_recording *s = core_recording(r->all->n->core, r->id);
    return s && strcmp(s->owner, r->all->n->cfg.name) == 0;
}

static void take_samples(struct recording *r)
{
    size_t room = REC_BUFFER_BYTES - r->buf_len;
    size_t n = r->rec ? recorder_take(r->rec, r->buf + r->buf_len, room) : 0;
    for (size_t i = 0; i < n; i++)
        r->buf[r->buf_len + i] ^= REC_MASK;
    r->buf_len += n;
}

static void write_samples(struct recording *r)
{
    bool all = r->finishing || !r->rec || recorder_ended(r->rec) != RECORDER_RUNS;
    struct rec_work *w = r->buf_len >= (all ? 1 : WRITE_BYTES) && !r->writing ? rec_work_new(r) : NULL;
    if (!w)
        return;
    uint64_t room = r->max_bytes > r->at ? r->max_bytes - r->at : 0;
    w->kind = REC_WRITE;
    w->offset = r->at;
    w->len = r->buf_len < room ? r->buf_len : (size_t)room;
    memcpy(w->data, r->buf, w->len);
    r->at += w->len;
    r->buf_len = 0;
    if (w->len == 0) {
        free(w);
        return;
    }
    r->writing = true;
    rec_begin(w);
}

void rec_step(struct recording *r)
{
    uint64_t now = clock_mono_now().us;
    if (!r->made_here)
        return;
    if (r->stage == REC_RUNS && !ours(r)) {
        make_end(r);
        return;
    }
    if (r->stage == REC_SPREAD_AGAIN && now >= r->again_us)
        spread(r);
    else if (r->stage == REC_COMMIT_AGAIN && now >= r->again_us)
        commit(r);
    if (r->stage != REC_RUNS)
        return;
    take_samples(r);
    if (rec_search_step(r, now))
        return;
    if (r->failed) {
        conclude(r, RECORDING_FAILED, r->failed == ERR_NOSPACE ? "no_space" : "failed");
        return;
    }
    write_samples(r);
    rec_copies_step(r, now);
    if (r->finishing && (!r->rec || recorder_over(r->rec)) && !r->buf_len && !r->writing)
        build(r);
}

/* ---- what is ours in the state */

/* Whether a call of this node records it, or is about to. */
static bool call_records(struct node *n, const struct core_recording *s)
{
    const struct core_call *k = core_call(n->core, s->call_id);
    return k && k->recording == s->id && k->phase == CORE_CALL_MENU && strcmp(k->owner, n->cfg.name) == 0;
}

static struct recording *make(struct node_recordings *a, const struct core_recording *s, bool fresh)
{
    struct recording *r = a->made < RECORDINGS_MAX ? rec_hold(a, s->id) : NULL;
    if (!r || r->gone)
        return NULL;
    r->buf = malloc(REC_BUFFER_BYTES);
    if (!r->buf)
        return NULL;
    r->made_here = true;
    a->made++;
    r->epoch = core_applied_index(a->n->core);
    r->started_us = s->started_us;
    r->max_bytes = s->max_s * 1000ull * REC_BYTES_A_MS;
    r->max_bytes = r->max_bytes < REC_BYTES_MAX ? r->max_bytes : REC_BYTES_MAX;
    r->min_ms = ORPHAN_MIN_MS;
    r->stage = REC_RUNS;
    r->failed = 0;
    r->at = r->len;
    memset(r->copies, 0, sizeof r->copies);
    if (!fresh) {
        a->counts.adopted++;
        rec_search_begin(r);
    }
    return r;
}

/* Recordings without a call that makes them are ended: their callers have gone, or have gone on in their flow. */
static void scan(struct node_recordings *a)
{
    struct node *n = a->n;
    uint64_t now = node_time_us(n), mono = clock_mono_now().us;
    for (const struct core_recording *s = NULL; (s = core_recording_next(n->core, s)) != NULL;) {
        struct recording *r = rec_find(a, s->id);
        if (strcmp(s->owner, n->cfg.name) != 0 || (r && r->made_here && (r->done || r->finishing)))
            continue;
        const struct core_call *k = core_call(n->core, s->call_id);
        uint64_t since = k && k->taken_over_us > s->started_us ? k->taken_over_us : s->started_us;
        bool expected = now < since + GRACE_US || (r && r->made_here && mono < r->touched_us + GRACE_US);
        if (call_records(n, s) && expected)
            continue;
        if (!r || !r->made_here)
            r = make(a, s, false);
        if (r)
            r->finishing = true;
    }
}

/* Files that the state does not name: it was told when this node was away. */
static void sweep(struct node_recordings *a)
{
    const struct map_slot *slot;
    uint64_t now = clock_mono_now().us, stale[64];
    size_t n = 0;
    for (size_t it = 0; n < 64 && map_next(&a->by_id, &it, &slot);) {
        const struct recording *r = slot->value;
        if (!r->made_here && !r->gone && !core_recording(a->n->core, r->id) && now - r->touched_us > HELD_STALE_US)
            stale[n++] = r->id;
    }
    while (n)
        rec_drop(rec_find(a, stale[--n]));
}

static void on_tick(uv_timer_t *t)
{
    struct node_recordings *a = t->data;
    const struct map_slot *slot;
    uint64_t made[RECORDINGS_MAX];
    size_t n = 0;
    if (!a->n->core || !a->n->repl)
        return;
    a->ticks++;
    for (size_t it = 0; a->made && n < RECORDINGS_MAX && map_next(&a->by_id, &it, &slot);)
        if (((struct recording *)slot->value)->made_here)
            made[n++] = ((struct recording *)slot->value)->id;
    for (size_t i = 0; i < n; i++) {
        struct recording *r = rec_find(a, made[i]); /* a step may end others */
        if (r)
            rec_step(r);
    }
    if (a->ticks % SCAN_TICKS == 0 && node_may_act(a->n))
        scan(a);
    if (a->ticks % (SCAN_TICKS * 60u) == 0)
        sweep(a);
}

void recordings_changed(struct node *n, uint64_t id)
{
    struct node_recordings *a = n->recordings;
    struct recording *r = a && !a->stopping ? rec_find(a, id) : NULL;
    if (!r || core_recording(n->core, id))
        return;
    if (!r->made_here || r->stage != REC_COMMITS) /* else its answer is on the way */
        rec_drop(r);
}

/* ---- the call that records */

int recording_attach(struct node *n, uint64_t id, bool fresh, recording_done_fn *done, void *ctx,
                     struct recording **out)
{
    struct node_recordings *a = n->recordings;
    const struct core_recording *s = core_recording(n->core, id);
    struct recording *r = a && !a->stopping ? rec_find(a, id) : NULL;
    if (!s || !a || a->stopping)
        return s ? ERR_CLOSED : ERR_NOTFOUND;
    if (!r || !r->made_here)
        r = make(a, s, fresh);
    if (!r)
        return ERR_BUSY;
    r->done = done;
    r->ctx = ctx;
    *out = r;
    return 0;
}

static uint64_t now_at(const struct recording *r)
{
    uint64_t now = node_time_us(r->all->n);
    uint64_t at = now > r->started_us ? (now - r->started_us) / 125u : 0;
    at = at > r->len ? at : r->len;
    return at < r->max_bytes ? at : r->max_bytes;
}

uint32_t recording_left_ms(const struct recording *r)
{
    uint64_t at = r->len || r->search.on ? now_at(r) : 0;
    return (uint32_t)((r->max_bytes - at) / REC_BYTES_A_MS);
}

void recording_feed(struct recording *r, struct recorder *rec)
{
    recorder_unref(r->rec);
    r->rec = recorder_ref(rec);
    if (!r->buf_len && !r->writing && (r->len || r->search.on))
        r->at = now_at(r);
}

void recording_finish(struct recording *r, uint32_t min_ms)
{
    r->finishing = true;
    r->min_ms = min_ms;
}

void recording_detach(struct recording *r)
{
    r->done = NULL;
    r->touched_us = clock_mono_now().us;
}

/* ---- start and end */

static int find_files(struct node_recordings *a, struct err_info *info)
{
    DIR *dir = opendir(a->dir);
    if (!dir)
        return err_set(info, ERR_IO, "data", "folder %s cannot be read", a->dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char text[17] = "", path[FOLDER_PATH_MAX];
        uint64_t id = 0;
        struct stat st;
        if (strlen(e->d_name) != 21 || strcmp(e->d_name + 16, ".part") != 0)
            continue;
        memcpy(text, e->d_name, 16);
        snprintf(path, sizeof path, "%s/%.21s", a->dir, e->d_name);
        struct recording *r = ident_parse(text, &id) == 0 && stat(path, &st) == 0 ? rec_hold(a, id) : NULL;
        if (r)
            r->len = (uint64_t)st.st_size < REC_BYTES_MAX ? (uint64_t)st.st_size : REC_BYTES_MAX;
    }
    (void)closedir(dir);
    return 0;
}

int recordings_start(struct node *n, struct err_info *info)
{
    struct node_recordings *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    a->n = n;
    map_init(&a->by_id);
    uv_timer_init(&n->loop, &a->tick);
    a->tick.data = a;
    n->recordings = a;
    if ((size_t)snprintf(a->dir, sizeof a->dir, "%s/recordings", n->cfg.data) >= sizeof a->dir)
        return err_set(info, ERR_TOOBIG, "data", "the path of the folder is too long");
    int rc = folder_make(a->dir);
    if (rc)
        return err_set(info, rc, "data", "folder %s cannot be made: %s", a->dir, err_text(rc));
    rc = find_files(a, info);
    if (!rc)
        uv_timer_start(&a->tick, on_tick, REC_TICK_MS, REC_TICK_MS);
    return rc;
}

void recordings_stop(struct node *n)
{
    struct node_recordings *a = n->recordings;
    const struct map_slot *slot;
    if (!a)
        return;
    a->stopping = true;
    uv_close((uv_handle_t *)&a->tick, NULL);
    do
        uv_run(&n->loop, a->working ? UV_RUN_ONCE : UV_RUN_NOWAIT); /* what the workers hold, and the timer's memory */
    while (a->working);
    n->recordings = NULL;
    for (size_t it = 0; map_next(&a->by_id, &it, &slot);) {
        make_end(slot->value);
        free(slot->value);
    }
    map_free(&a->by_id);
    free(a);
}

void recordings_get_counts(struct node *n, struct recordings_counts *out)
{
    *out = n->recordings->counts;
    out->made = n->recordings->made;
    out->files = map_count(&n->recordings->by_id);
}
