/* MP3 of recordings that are kept: who makes them, and what becomes of it.
 *
 *   wanted, or to be kept so ─► the WAV file is here ─► made ─► on a majority ─► RecordingForm ─► told to who wanted it
 *
 * One at a time on each node, in a thread that runs when nobody else wants the processor. Those that somebody wants come first. What is to be
 * kept as MP3 stands in the state until it is: the nodes that are up take turns by the recording's id, and by ten minutes of the
 * clock, so that one of them that cannot do it is no obstacle, and what a node was making when it died is made by another one. If two make the same
 * after all the second one changes nothing. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "node/blobnet.h"
#include "node/lease.h"
#include "node/recordings_int.h"

#define TURN_US 600000000ull
#define FAILED_MAX 64u
#define WANTED_MAX 32u

struct wanted {
    uint64_t id;
    recordings_mp3_fn *done;
    void *ctx;
};

struct rec_forms {
    struct node_recordings *all;
    struct wanted wanted[WANTED_MAX];
    unsigned n_wanted;
    uint64_t failed[FAILED_MAX], failed_us; /* not tried again here until a turn has gone by */
    unsigned n_failed;
    bool busy;    /* with `making` */
    bool running; /* the thread is to be joined */
    pthread_t thread;
    struct rec_mp3 making;
    int rc; /* of the thread */
    struct node_posted post;
    bool stopping;
};

/* ---- who wants it */

static void tell(struct rec_forms *f, uint64_t id, int status)
{
    for (unsigned i = 0; i < f->n_wanted;) {
        struct wanted w = f->wanted[i];
        if (w.id != id) {
            i++;
            continue;
        }
        f->wanted[i] = f->wanted[--f->n_wanted];
        w.done(w.ctx, status);
    }
}

static void over(struct rec_forms *f, int status)
{
    f->busy = false;
    if (status && status != ERR_CLOSED) {
        log_warn("record", "no MP3 is made of %016llx: %s", (unsigned long long)f->making.id, err_text(status));
        f->failed_us = clock_mono_now().us;
        f->failed[f->n_failed++ % FAILED_MAX] = f->making.id;
    }
    tell(f, f->making.id, status);
}

int recordings_mp3(struct node *n, uint64_t id, recordings_mp3_fn *done, void *ctx)
{
    struct rec_forms *f = n->recordings ? n->recordings->forms : NULL;
    char wav[CORE_SHA256_MAX], mp3[CORE_SHA256_MAX];
    int rc = !f || f->stopping      ? ERR_CLOSED
             : !n->recordings->keys ? ERR_DENIED
                                    : core_recording_forms(n->core, id, wav, mp3);
    if (rc)
        return rc;
    if (mp3[0]) {
        done(ctx, 0);
        return 0;
    }
    if (f->n_wanted == WANTED_MAX)
        return ERR_BUSY;
    f->wanted[f->n_wanted++] = (struct wanted){id, done, ctx};
    rec_forms_tick(n->recordings);
    return 0;
}

/* ---- one step after the other: each may come back when the next one is not possible any more */

static struct rec_forms *forms_of(struct node *n, uint64_t id)
{
    struct rec_forms *f = n->recordings ? n->recordings->forms : NULL;
    return f && f->busy && !f->stopping && f->making.id == id ? f : NULL;
}

struct ask {
    struct node *n;
    uint64_t id;
};

static struct ask *ask_new(const struct rec_forms *f)
{
    struct ask *k = malloc(sizeof *k);
    if (k)
        *k = (struct ask){f->all->n, f->making.id};
    return k;
}

static struct rec_forms *ask_end(struct ask *k)
{
    struct rec_forms *f = forms_of(k->n, k->id);
    free(k);
    return f;
}

static void committed(void *ctx, int status, const struct core_answer *answer)
{
    struct rec_forms *f = ask_end(ctx);
    if (!f)
        return;
    int rc = status ? status : answer->code;
    if (!rc)
        log_info("record", "%016llx is kept as MP3, %llu bytes", (unsigned long long)f->making.id,
                 (unsigned long long)f->making.bytes);
    over(f, rc);
}

static void spread_done(void *ctx, int status)
{
    struct ask *k = ctx;
    struct rec_forms *f = forms_of(k->n, k->id);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__RecordingForm m = EV__RECORDING_FORM__INIT;
    if (!f || status) {
        free(k);
        if (f)
            over(f, status);
        return;
    }
    cmd.body_case = EV__COMMAND__BODY_RECORDING_FORM;
    cmd.recording_form = &m;
    m.id = f->making.id;
    m.sha256 = f->making.mp3;
    m.bytes = (uint32_t)f->making.bytes;
    int rc = node_propose(f->all->n, &cmd, 0, committed, k);
    if (rc) {
        free(k);
        over(f, rc);
    }
}

static void made(struct node *n, void *ctx)
{
    struct rec_forms *f = ctx;
    (void)pthread_join(f->thread, NULL);
    f->running = false;
    if (f->stopping)
        return;
    struct ask *k = f->rc ? NULL : ask_new(f);
    int rc = f->rc ? f->rc : k ? 0 : ERR_NOMEM;
    if (!rc) {
        blobnet_note(n, f->making.mp3, true);
        rc = blobnet_spread(n, f->making.mp3, seal_bytes(f->making.bytes, REC_BLOB_CHUNK), spread_done, k);
    }
    if (!rc)
        return;
    free(k);
    over(f, rc);
}

static void *make(void *arg)
{
    struct rec_forms *f = arg;
    thread_ordinary();
    thread_idle();
    f->rc = rec_mp3_make(&f->making);
    node_post_lend(f->all->n, &f->post, made, f);
    return NULL;
}

static void here(void *ctx, int status)
{
    struct rec_forms *f = ask_end(ctx);
    if (!f)
        return;
    f->running = !status && pthread_create(&f->thread, NULL, make, f) == 0;
    if (!f->running)
        over(f, status ? status : ERR_NOMEM);
    else
        (void)pthread_setname_np(f->thread, "mp3");
}

static void begin(struct rec_forms *f, uint64_t id)
{
    struct node *n = f->all->n;
    char mp3[CORE_SHA256_MAX];
    f->busy = true;
    f->making = (struct rec_mp3){.blobs = blobnet_store(n), .keys = f->all->keys, .id = id};
    int rc = core_recording_forms(n->core, id, f->making.wav, mp3);
    struct ask *k = !rc && !mp3[0] ? ask_new(f) : NULL;
    if (rc || mp3[0] || !k) {
        over(f, rc ? rc : mp3[0] ? 0 : ERR_NOMEM);
        return;
    }
    if (blobnet_has(n, f->making.wav)) {
        here(k, 0);
        return;
    }
    rc = blobnet_fetch(n, f->making.wav, false, here, k);
    if (rc) {
        free(k);
        over(f, rc);
    }
}

/* ---- whose turn it is */

static bool has_failed(const struct rec_forms *f, uint64_t id)
{
    for (unsigned i = 0; i < f->n_failed && i < FAILED_MAX; i++)
        if (f->failed[i] == id)
            return true;
    return false;
}

unsigned rec_forms_turn(uint64_t id, uint64_t now_us, unsigned up)
{
    return (unsigned)((id + now_us / TURN_US) % up);
}

static bool my_turn(const struct node *n, uint64_t id)
{
    unsigned up = 0, mine = 0;
    for (const struct core_node *o = NULL; (o = core_node_next(n->core, o)) != NULL;) {
        if (strcmp(o->name, n->cfg.name) == 0)
            mine = up;
        up += o->up;
    }
    return up && rec_forms_turn(id, node_time_us(n), up) == mine;
}

void rec_forms_tick(struct node_recordings *a)
{
    struct rec_forms *f = a->forms;
    struct core_unconverted u;
    if (!f || f->stopping || f->busy || !a->keys || !a->n->repl || !node_may_act(a->n))
        return;
    if (f->n_failed && clock_mono_now().us - f->failed_us > TURN_US)
        f->n_failed = 0;
    if (f->n_wanted) {
        begin(f, f->wanted[0].id);
        return;
    }
    if (core_recordings_unconverted(a->n->core, &u))
        return; /* the next transaction fails likewise, and says so */
    for (unsigned i = 0; i < u.n; i++) {
        if (my_turn(a->n, u.id[i]) && !has_failed(f, u.id[i])) {
            begin(f, u.id[i]);
            return;
        }
    }
}

/* ---- start and end */

int rec_forms_start(struct node_recordings *a)
{
    struct rec_forms *f = calloc(1, sizeof *f);
    if (!f)
        return ERR_NOMEM;
    f->all = a;
    a->forms = f;
    return 0;
}

void rec_forms_stop(struct node_recordings *a)
{
    struct rec_forms *f = a->forms;
    if (!f)
        return;
    f->stopping = true;
    atomic_store(&f->making.stop, true);
    while (f->running)
        uv_run(&a->n->loop, UV_RUN_ONCE); /* its thread lends us what wakes the loop */
    while (f->n_wanted)
        tell(f, f->wanted[0].id, ERR_CLOSED);
    a->forms = NULL;
    free(f);
}
