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
    r->all->counts.lost_samples += rec_line_lost(&r->line);
    rec_line_close(&r->line);
    r->touched_us = clock_mono_now().us;
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
    w->id = r->id;
    w->keys = r->all->keys;
    w->channels = r->line.channels;
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
    } else if (w->kind == REC_WRITE || w->kind == REC_STORE) {
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
    Ev__RecordGap gaps[REC_GAPS_MAX], *list[REC_GAPS_MAX];
    for (size_t i = 0; kept && i < r->n_gaps; i++) {
        ev__record_gap__init(&gaps[i]);
        gaps[i].from_ms = r->gaps[i].from_ms;
        gaps[i].to_ms = r->gaps[i].to_ms;
        list[i] = &gaps[i];
        m.n_gaps = i + 1;
    }
    m.gaps = list;
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
    if (!k || blobnet_spread(r->all->n, r->blob, seal_bytes(r->blob_bytes, REC_BLOB_CHUNK), spread_done, k)) {
        free(k);
        again(r, REC_SPREAD_AGAIN);
    }
}

/* Begun with a key that this node lacks: it is left as it is, for a node that has it. */
static void deny(struct recording *r)
{
    log_error("record",
              "%016llx was begun with a key that is not in recording_key_file: it can neither go on nor be kept here",
              (unsigned long long)r->id);
    r->denied = true;
    tell_call(r, RECORDING_FAILED);
    make_end(r);
}

static void rec_built(struct rec_work *w)
{
    struct recording *r = w->r;
    if (!r->made_here || r->stage != REC_BUILDS)
        return;
    if (w->rc == ERR_NOTFOUND) {
        conclude(r, RECORDING_EMPTY, "empty");
    } else if (w->rc == ERR_DENIED) {
        deny(r);
    } else if (w->rc) {
        log_warn("record", "%016llx cannot be kept: %s", (unsigned long long)r->id, err_text(w->rc));
        conclude(r, RECORDING_FAILED, w->rc == ERR_NOSPACE ? "no_space" : "failed");
    } else {
        memcpy(r->blob, w->blob, sizeof r->blob);
        r->blob_bytes = w->bytes;
        r->duration_ms = w->duration_ms;
        memcpy(r->gaps, w->gaps, sizeof r->gaps);
        r->n_gaps = w->n_gaps;
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
    w->trims = r->trims;
    r->stage = REC_BUILDS;
    rec_begin(w);
}

/* ---- step by step */

static bool ours(const struct recording *r)
{
    const struct core_recording *s = core_recording(r->all->n->core, r->id);
    return s && strcmp(s->owner, r->all->n->cfg.name) == 0;
}

static void write_samples(struct recording *r, uint64_t now)
{
    size_t n = r->writing ? 0 : rec_line_ready(&r->line, now, r->finishing);
    struct rec_work *w = n ? rec_work_new(r) : NULL;
    if (!w)
        return;
    w->kind = REC_WRITE;
    w->offset = r->line.place / REC_CHUNK_SAMPLES;
    w->truncate = r->cuts;
    w->cut = r->agreed;
    w->len = n * r->line.channels;
    memcpy(w->data, r->line.buf, w->len);
    rec_line_written(&r->line, n);
    r->cuts = false;
    r->writing = true;
    rec_begin(w);
}

/* What was found of it is known: this node's part begins behind it. */
static void begin_line(struct recording *r, uint64_t now)
{
    uint64_t chunks = rec_file_chunks(r->len, r->line.channels);
    r->agreed = chunks ? rec_file_at(chunks, r->line.channels) : 0;
    r->len = r->agreed;
    r->cuts = true;
    rec_line_begin(&r->line, chunks * REC_CHUNK_SAMPLES, now);
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
    rec_line_take(&r->line);
    if (rec_search_step(r, now))
        return;
    if (!r->line.placed)
        begin_line(r, now);
    if (r->failed == ERR_DENIED) {
        deny(r);
        return;
    }
    if (r->failed) {
        conclude(r, RECORDING_FAILED, r->failed == ERR_NOSPACE ? "no_space" : "failed");
        return;
    }
    write_samples(r, now);
    rec_copies_step(r, now);
    r->finishing |= r->line.place >= r->line.max;
    if (r->finishing && rec_line_over(&r->line) && !rec_line_ready(&r->line, now, true) && !r->writing)
        build(r);
}

/* ---- what is ours in the state */

/* Whether a call of this node records it, or is about to. */
static bool call_records(struct node *n, const struct core_recording *s)
{
    const struct core_call *k = core_call(n->core, s->call_id);
    bool records = s->of_call || (k && k->recording == s->id && k->phase == CORE_CALL_MENU);
    return k && records && strcmp(k->owner, n->cfg.name) == 0;
}

static struct recording *make(struct node_recordings *a, const struct core_recording *s, bool fresh)
{
    struct recording *r = a->keys && a->made < RECORDINGS_MAX ? rec_hold(a, s->id) : NULL;
    unsigned channels = s->of_call ? 2 : 1;
    uint64_t most = rec_file_chunks(REC_BYTES_MAX, channels) * REC_CHUNK_SAMPLES,
             max = s->max_s * 1000ull * REC_SAMPLES_A_MS;
    if (!r || r->gone || r->denied || rec_line_open(&r->line, channels, max < most ? max : most))
        return NULL;
    r->made_here = true;
    a->made++;
    r->epoch = core_applied_index(a->n->core);
    r->trims = !s->of_call;
    r->min_ms = ORPHAN_MIN_MS;
    r->stage = REC_RUNS;
    r->failed = 0;
    memset(r->copies, 0, sizeof r->copies);
    if (!fresh) {
        uint64_t now = node_time_us(a->n);
        rec_line_base(&r->line, (int64_t)clock_mono_now().us - ((int64_t)now - (int64_t)s->started_us));
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
        if (!a->keys || (call_records(n, s) && (s->of_call || expected)))
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
    if (a->ticks % SCAN_TICKS == 0 && node_may_act(a->n)) {
        scan(a);
        rec_forms_tick(a);
    }
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
        return a->keys ? ERR_BUSY : ERR_DENIED;
    r->done = done;
    r->ctx = ctx;
    *out = r;
    return 0;
}

uint32_t recording_left_ms(const struct recording *r)
{
    uint64_t at = rec_line_at(&r->line, clock_mono_now().us);
    return at < r->line.max ? (uint32_t)((r->line.max - at) / REC_SAMPLES_A_MS) : 0;
}

int recording_feed(struct recording *r, unsigned channel, struct recorder *rec)
{
    return r->made_here ? rec_line_feed(&r->line, channel, rec) : ERR_CLOSED;
}

void recording_cut(struct recording *r, const struct recorder *rec)
{
    if (r->made_here)
        rec_line_cut(&r->line, rec);
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
    if (n->cfg.recording_key_file)
        rc = seal_keys_load(n->cfg.recording_key_file, &a->keys, info);
    else
        log_warn("record", "no recording_key_file: this node records no call and no message, and plays none");
    if (!rc)
        rc = find_files(a, info);
    if (!rc)
        rc = rec_forms_start(a);
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
    rec_forms_stop(a);
    do
        uv_run(&n->loop, a->working ? UV_RUN_ONCE : UV_RUN_NOWAIT); /* what the workers hold, and the timer's memory */
    while (a->working);
    n->recordings = NULL;
    for (size_t it = 0; map_next(&a->by_id, &it, &slot);) {
        make_end(slot->value);
        free(slot->value);
    }
    map_free(&a->by_id);
    seal_keys_free(a->keys);
    free(a);
}

int recordings_sound_bytes(struct node *n, const char *blob, uint64_t *bytes)
{
    return rec_sound_bytes(blobnet_store(n), n->recordings->keys, blob, bytes);
}

int recordings_sound_read(struct node *n, const char *blob, uint64_t id, uint64_t from, size_t count, void **data)
{
    return rec_sound_read(blobnet_store(n), n->recordings->keys, blob, id, from, count, data);
}

int recordings_sound_mp3(struct node *n, const char *blob, uint64_t id, void **data, size_t *len)
{
    struct rec_mp3 m = {.blobs = blobnet_store(n), .keys = n->recordings->keys, .id = id};
    (void)snprintf(m.wav, sizeof m.wav, "%s", blob);
    return rec_mp3_bytes(&m, data, len);
}

void recordings_get_counts(struct node *n, struct recordings_counts *out)
{
    *out = n->recordings->counts;
    out->made = n->recordings->made;
    out->files = map_count(&n->recordings->by_id);
}
