#include "node/uploaded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/view.h"
#include "node/blobnet.h"
#include "node/recordings.h"
#include "node/spoken.h"
#include "storage/storage.h"
#include "telephony/prompt.h"

#define SWEEP_MS 600000u
#define SWEEP_GRACE_S 3600u
#define CHECKS_EVERY 36u /* sweeps: six hours */
#define LOADS_MAX 4u     /* at once */
#define KEY_MAX 128u

/* A prompt in a language. */
struct slot {
    char want[BLOB_NAME_MAX];    /* of its current version; "": it is gone from the configuration */
    char loaded[BLOB_NAME_MAX];  /* what the prompt store plays; "": nothing of ours */
    char refused[BLOB_NAME_MAX]; /* cannot be decoded: not tried again */
    bool loading;
};

struct node_prompts {
    struct node *n;
    struct map slots;  /* "language/name" -> struct slot */
    struct map wanted; /* blobs of all versions */
    bool dirty, stopping;
    unsigned loading, working;
    uv_timer_t sweep;
    unsigned sweeps;
};

static void reconcile_loads(struct node_prompts *u);

/* ---- loading */

struct load {
    struct node_prompts *u;
    char key[KEY_MAX], name[BLOB_NAME_MAX];
    uv_work_t work;
    struct prompt *prompt;
    struct err_info info;
    int rc;
};

static void load_run(uv_work_t *work)
{
    struct load *l = work->data;
    void *data = NULL;
    size_t len = 0;
    l->rc = blobs_get(blobnet_store(l->u->n), l->name, &data, &len);
    if (!l->rc)
        l->rc = prompt_parse_wav(data, len, &l->prompt, &l->info) ? ERR_INVAL : 0;
    free(data);
}

static int play(struct node_prompts *u, const char *key, struct prompt *p)
{
    char language[KEY_MAX];
    snprintf(language, sizeof language, "%s", key);
    char *slash = strchr(language, '/');
    *slash = '\0';
    return prompt_store_put(u->n->prompts, language, slash + 1, p);
}

static void load_take(struct node_prompts *u, const struct load *l)
{
    struct slot *s = map_get(&u->slots, l->key);
    if (!s)
        return;
    s->loading = false;
    if (strcmp(s->want, l->name) != 0)
        return; /* another version is wanted by now */
    if (!l->rc && play(u, l->key, l->prompt) == 0) {
        memcpy(s->loaded, l->name, sizeof s->loaded);
    } else if (l->rc == ERR_CORRUPT || l->rc == ERR_NOTFOUND) {
        blobnet_note(u->n, l->name, false); /* and so it is fetched */
        blobnet_count_corrupt(u->n, l->rc == ERR_CORRUPT);
        u->dirty = true;
    } else {
        log_warn("prompt", "%s cannot be played: %s", l->key, l->rc == ERR_INVAL ? l->info.text : err_text(l->rc));
        memcpy(s->refused, l->name, sizeof s->refused);
    }
}

static void load_done(uv_work_t *work, int status)
{
    struct load *l = work->data;
    struct node_prompts *u = l->u;
    (void)status;
    u->loading--;
    u->working--;
    if (!u->stopping) {
        load_take(u, l);
        uploaded_reconcile(u->n);
        reconcile_loads(u);
    }
    prompt_unref(l->prompt);
    free(l);
}

static void load_begin(struct node_prompts *u, const char *key, struct slot *s)
{
    struct load *l = calloc(1, sizeof *l);
    if (!l)
        return;
    l->u = u;
    snprintf(l->key, sizeof l->key, "%s", key);
    memcpy(l->name, s->want, sizeof l->name);
    l->work.data = l;
    s->loading = true;
    u->loading++;
    u->working++;
    (void)uv_queue_work(&u->n->loop, &l->work, load_run, load_done);
}

static void reconcile_loads(struct node_prompts *u)
{
    const struct map_slot *it;
    for (size_t i = 0; u->loading < LOADS_MAX && map_next(&u->slots, &i, &it);) {
        struct slot *s = it->value;
        if (!s->loading && s->want[0] && strcmp(s->want, s->loaded) != 0 && strcmp(s->want, s->refused) != 0 &&
            blobnet_has(u->n, s->want))
            load_begin(u, it->skey, s);
    }
}

/* ---- the configuration */

static void on_fetched(void *ctx, int status)
{
    struct node *n = ctx;
    if (!status && n->uploaded && !n->uploaded->stopping)
        reconcile_loads(n->uploaded);
}

static void want_sound(struct node_prompts *u, const Ev__Prompt *p, const Ev__PromptSound *sound)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%s/%s", sound->language, p->name);
    struct slot *s = map_get(&u->slots, key);
    if (!s && (s = calloc(1, sizeof *s)) && map_set(&u->slots, key, s)) {
        free(s);
        s = NULL;
    }
    for (size_t i = 0; i < sound->n_versions; i++) {
        const Ev__PromptVersion *v = sound->versions[i];
        bool current = v->version == sound->current;
        if (map_set(&u->wanted, v->sha256, u))
            u->dirty = true;
        if (current && s)
            snprintf(s->want, sizeof s->want, "%s", v->sha256);
        if (!blobnet_has(u->n, v->sha256) && blobnet_fetch(u->n, v->sha256, current, on_fetched, u->n))
            u->dirty = true; /* too much is on its way */
    }
    if (!s)
        u->dirty = true;
}

static void want_prompt(void *ctx, const Ev__Prompt *p)
{
    for (size_t i = 0; i < p->n_sounds; i++)
        want_sound(ctx, p, p->sounds[i]);
}

static void drop_slots(struct node_prompts *u)
{
    const struct map_slot *it;
    for (size_t i = 0; map_next(&u->slots, &i, &it);) {
        struct slot *s = it->value;
        if (s->want[0] || s->loading)
            continue;
        (void)play(u, it->skey, NULL);
        char key[KEY_MAX];
        snprintf(key, sizeof key, "%s", it->skey);
        (void)map_del(&u->slots, key);
        free(s);
    }
}

/* What callers have left: on all nodes, so that it outlives each of them. Somebody waits for it, so that it is not given up. */
void uploaded_message(struct node *n, const char *sha256)
{
    if (!n->uploaded || n->uploaded->stopping || !n->repl || blobnet_has(n, sha256))
        return;
    int rc = blobnet_fetch(n, sha256, false, on_fetched, n);
    if (rc)
        log_info("blob", "%.16s is fetched later: %s", sha256, err_text(rc));
}

void uploaded_changed(struct node *n)
{
    if (n->uploaded)
        n->uploaded->dirty = true;
}

void uploaded_reconcile(struct node *n)
{
    struct node_prompts *u = n->uploaded;
    if (!u || !u->dirty || u->stopping || !n->repl)
        return;
    u->dirty = false;
    const struct map_slot *it;
    for (size_t i = 0; map_next(&u->slots, &i, &it);)
        ((struct slot *)it->value)->want[0] = '\0';
    map_free(&u->wanted);
    blobs_set_quota(blobnet_store(n), ((uint64_t)core_parameter_number(n->core, "prompt_quota_mb", 1024) +
                                       core_parameter_number(n->core, "recording_quota_mb", 20480))
                                          << 20);
    core_prompts_each(n->core, want_prompt, u);
    blobnet_forget(n, &u->wanted);
    drop_slots(u);
    reconcile_loads(u);
}

size_t uploaded_lacking(struct node *n)
{
    size_t lacking = 0;
    const struct map_slot *it;
    for (size_t i = 0; n->uploaded && map_next(&n->uploaded->slots, &i, &it);) {
        const struct slot *s = it->value;
        lacking += strcmp(s->want, s->loaded) != 0;
    }
    return lacking;
}

/* ---- messages that are played to who has left them */

struct uploaded_sound {
    struct node *n;
    uint64_t id;
    char name[BLOB_NAME_MAX];
    void (*done)(void *ctx, struct prompt *p); /* NULL: nobody wants it any more */
    void *ctx;
    uv_work_t work;
    struct prompt *prompt;
};

static void sound_give(struct uploaded_sound *s)
{
    if (s->done)
        s->done(s->ctx, s->prompt);
    prompt_unref(s->prompt);
    free(s);
}

static void sound_run(uv_work_t *work)
{
    struct uploaded_sound *s = work->data;
    struct err_info info = {0};
    void *data = NULL;
    uint64_t len = 0;
    int rc = recordings_sound_bytes(s->n, s->name, &len);
    if (!rc)
        rc = recordings_sound_read(s->n, s->name, s->id, 0, (size_t)len, &data);
    if (!rc)
        rc = prompt_parse_wav(data, (size_t)len, &s->prompt, &info);
    if (rc)
        log_warn("blob", "%.16s cannot be played: %s", s->name, info.text[0] ? info.text : err_text(rc));
    free(data);
}

static void sound_read(uv_work_t *work, int status)
{
    struct uploaded_sound *s = work->data;
    (void)status;
    s->n->uploaded->working--; /* it waits for us before it goes */
    sound_give(s);
}

static void sound_load(struct uploaded_sound *s)
{
    s->work.data = s;
    s->n->uploaded->working++;
    (void)uv_queue_work(&s->n->loop, &s->work, sound_run, sound_read);
}

static void sound_fetched(void *ctx, int status)
{
    struct uploaded_sound *s = ctx;
    if (status || !s->done || !s->n->uploaded || s->n->uploaded->stopping)
        sound_give(s);
    else
        sound_load(s);
}

int uploaded_sound(struct node *n, uint64_t id, const char *sha256, void (*done)(void *ctx, struct prompt *p),
                   void *ctx, struct uploaded_sound **out)
{
    if (!n->uploaded || n->uploaded->stopping || !blob_name_ok(sha256))
        return ERR_NOTFOUND;
    struct uploaded_sound *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->n = n;
    s->id = id;
    s->done = done;
    s->ctx = ctx;
    snprintf(s->name, sizeof s->name, "%s", sha256);
    int rc = 0;
    if (blobnet_has(n, s->name))
        sound_load(s);
    else
        rc = blobnet_fetch(n, s->name, true, sound_fetched, s);
    if (rc) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void uploaded_sound_cancel(struct uploaded_sound *s)
{
    s->done = NULL;
}

/* ---- looking after the files */

struct care {
    struct node_prompts *u;
    uv_work_t work;
    struct map keep, gone;
    struct map lacking; /* messages that are not on our disk */
    bool checks;
    unsigned corrupt;
};

/* Asked of old files only: what it does not want is removed. */
static bool care_keeps(void *ctx, const char *name)
{
    struct care *c = ctx;
    return map_get(&c->keep, name) || map_set(&c->gone, name, c) != 0;
}

static int care_check(void *ctx, const char *name, uint64_t bytes, uint64_t age_s)
{
    struct care *c = ctx;
    (void)bytes;
    (void)age_s;
    if (blobs_check(blobnet_store(c->u->n), name) != ERR_CORRUPT)
        return 0;
    c->corrupt++;
    return map_set(&c->gone, name, c);
}

static int care_message(void *ctx, const char *sha256)
{
    struct care *c = ctx;
    uint64_t bytes;
    if (!blob_name_ok(sha256))
        return 0;
    if (map_set(&c->keep, sha256, c))
        return ERR_NOMEM;
    return blobs_size(blobnet_store(c->u->n), sha256, &bytes) == ERR_NOTFOUND ? map_set(&c->lacking, sha256, c) : 0;
}

/* Many more than there are prompts: read here, not by the core thread. */
static int care_messages(struct care *c)
{
    struct storage_reader *r = NULL;
    struct err_info info = {0};
    int rc = storage_reader_open(c->u->n->st, &r, &info);
    if (!rc)
        rc = view_message_blobs(r, care_message, c);
    storage_reader_close(r);
    return rc;
}

static void care_run(uv_work_t *work)
{
    struct care *c = work->data;
    struct blobs *store = blobnet_store(c->u->n);
    int rc = c->checks ? blobs_each(store, care_check, c) : 0;
    if (rc)
        log_warn("blob", "files cannot be checked: %s", err_text(rc));
    if (care_messages(c) || spoken_keep(c->u->n, &c->keep))
        return; /* out of memory, or not to be read: nothing is removed this time */
    if (blobs_sweep(store, care_keeps, c, SWEEP_GRACE_S) > 0)
        log_info("blob", "files that no prompt and no message names are removed");
}

static void care_done(uv_work_t *work, int status)
{
    struct care *c = work->data;
    struct node_prompts *u = c->u;
    (void)status;
    u->working--;
    const struct map_slot *it;
    for (size_t i = 0; !u->stopping && map_next(&c->gone, &i, &it);) {
        blobnet_note(u->n, it->skey, false);
        u->dirty = true;
    }
    for (size_t i = 0; !u->stopping && map_next(&c->lacking, &i, &it);)
        uploaded_message(u->n, it->skey);
    blobnet_count_corrupt(u->n, c->corrupt);
    map_free(&c->lacking);
    map_free(&c->keep);
    map_free(&c->gone);
    free(c);
    uploaded_reconcile(u->n);
}

static void care_begin(uv_timer_t *t)
{
    struct node_prompts *u = t->data;
    struct care *c = u->n->core && !u->dirty ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return;
    c->u = u;
    map_init(&c->keep);
    map_init(&c->gone);
    map_init(&c->lacking);
    c->checks = u->sweeps++ % CHECKS_EVERY == 0;
    const struct map_slot *it;
    for (size_t i = 0; map_next(&u->wanted, &i, &it);) {
        if (map_set(&c->keep, it->skey, u)) {
            map_free(&c->keep);
            free(c);
            return;
        }
    }
    c->work.data = c;
    u->working++;
    (void)uv_queue_work(&u->n->loop, &c->work, care_run, care_done);
}

/* ---- start and end */

int uploaded_start(struct node *n)
{
    struct node_prompts *u = calloc(1, sizeof *u);
    if (!u)
        return ERR_NOMEM;
    u->n = n;
    u->dirty = true;
    map_init(&u->slots);
    map_init(&u->wanted);
    uv_timer_init(&n->loop, &u->sweep);
    u->sweep.data = u;
    n->uploaded = u;
    uv_timer_start(&u->sweep, care_begin, 1000, SWEEP_MS);
    uploaded_reconcile(n);
    return 0;
}

void uploaded_stop(struct node *n)
{
    struct node_prompts *u = n->uploaded;
    if (!u)
        return;
    u->stopping = true;
    uv_close((uv_handle_t *)&u->sweep, NULL);
    do
        uv_run(&n->loop, u->working ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    while (u->working);
    n->uploaded = NULL;
    const struct map_slot *it;
    for (size_t i = 0; map_next(&u->slots, &i, &it);)
        free(it->value);
    map_free(&u->slots);
    map_free(&u->wanted);
    free(u);
}
