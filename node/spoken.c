/* One text: ──asked for──► READS (its file, its blob) ──there──► READY
 *                              └──not there──► MADE by a child ──► READY, written down, told to the others
 *                                                  └──fails──► FAILED for a while: nobody waits for it again and again */
#include "node/spoken.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/blobnet.h"
#include "node/sound.h"
#include "node/speech.h"
#include "node/uploaded.h"
#include "telephony/prompt.h"

#define FAILED_US 30000000u
#define FILE_PATH_MAX (FOLDER_PATH_MAX + BLOB_NAME_MAX + 8u)

struct spoken {
    struct node_spoken *sp;
    char key[BLOB_NAME_MAX], blob[BLOB_NAME_MAX], language[16];
    char *text;
    enum { SPOKEN_READS, SPOKEN_MADE, SPOKEN_READY, SPOKEN_FAILED } state;
    uint64_t used_us; /* asked for last; FAILED: since when */
    struct prompt *prompt;
    struct list_node waits;
    uv_work_t work;
    int rc;
};

struct node_spoken {
    struct node *n;
    char dir[FOLDER_PATH_MAX];
    struct map by_key;
    unsigned working;
    bool stopping;
};

/* ---- files; in workers */

static int read_name(int dir_fd, const char *key, char blob[BLOB_NAME_MAX])
{
    int fd = openat(dir_fd, key, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, blob, BLOB_NAME_MAX - 1) : -1;
    if (fd >= 0)
        close(fd);
    blob[n > 0 ? n : 0] = '\0';
    return blob_name_ok(blob) ? 0 : ERR_NOTFOUND;
}

/* Not synced: what a power failure takes is made again. */
static void write_name(const char *dir, const char *key, const char *blob)
{
    char path[FILE_PATH_MAX], part[FILE_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/%s", dir, key);
    snprintf(part, sizeof part, "%s.new", path);
    FILE *f = fopen(part, "we");
    bool ok = f && fputs(blob, f) >= 0;
    if (f)
        ok = fclose(f) == 0 && ok;
    if (!ok || rename(part, path) != 0)
        log_warn("speech", "%s cannot be written", path);
}

int spoken_keep(const struct node *n, struct map *keep)
{
    DIR *d = opendir(n->spoken->dir);
    int rc = 0;
    time_t old = time(NULL) - (time_t)SPOKEN_DAYS * 86400;
    for (struct dirent *e; d && !rc && (e = readdir(d));) {
        char blob[BLOB_NAME_MAX];
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0) != 0)
            continue;
        if (st.st_mtime < old || read_name(dirfd(d), e->d_name, blob) != 0)
            (void)unlinkat(dirfd(d), e->d_name, 0);
        else
            rc = map_set(keep, blob, keep);
    }
    if (d)
        closedir(d);
    return rc;
}

static void spoken_read(uv_work_t *work)
{
    struct spoken *s = work->data;
    char path[FILE_PATH_MAX];
    void *data = NULL;
    size_t len = 0;
    struct err_info info;
    snprintf(path, sizeof path, "%s/%s", s->sp->dir, s->key);
    s->rc = read_name(AT_FDCWD, path, s->blob);
    if (!s->rc)
        s->rc = blobs_get(blobnet_store(s->sp->n), s->blob, &data, &len);
    if (!s->rc)
        s->rc = prompt_parse_wav(data, len, &s->prompt, &info);
    if (!s->rc)
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    free(data);
}

struct note {
    struct node_spoken *sp;
    char key[BLOB_NAME_MAX], blob[BLOB_NAME_MAX];
    uv_work_t work;
};

static void note_run(uv_work_t *work)
{
    const struct note *t = work->data;
    write_name(t->sp->dir, t->key, t->blob);
}

static void note_done(uv_work_t *work, int status)
{
    struct note *t = work->data;
    (void)status;
    t->sp->working--;
    free(t);
}

static void note_begin(struct node_spoken *sp, const char *key, const char *blob)
{
    struct note *t = calloc(1, sizeof *t);
    if (!t)
        return;
    t->sp = sp;
    snprintf(t->key, sizeof t->key, "%s", key);
    snprintf(t->blob, sizeof t->blob, "%s", blob);
    t->work.data = t;
    sp->working++;
    (void)uv_queue_work(&sp->n->loop, &t->work, note_run, note_done);
}

/* ---- one text */

static void spoken_settle(struct spoken *s, int rc)
{
    s->state = rc ? SPOKEN_FAILED : SPOKEN_READY;
    s->used_us = clock_mono_now().us;
    struct list_node waits;
    list_init(&waits);
    while (!list_empty(&s->waits)) { /* whoever is told may ask again */
        struct list_node *w = s->waits.next;
        list_del(w);
        list_push_back(&waits, w);
    }
    while (!list_empty(&waits)) {
        struct spoken_wait *w = list_entry(waits.next, struct spoken_wait, link);
        list_del(&w->link);
        w->fn(w->ctx);
    }
}

static void spoken_made(void *ctx, const struct sound_result *r)
{
    struct spoken *s = ctx;
    struct node_spoken *sp = s->sp;
    sp->working--;
    if (r->info.code)
        log_warn("speech", "a text in %s cannot be spoken: %s", s->language, r->info.text);
    else if (!sp->stopping) {
        s->prompt = prompt_ref(r->prompt);
        memcpy(s->blob, r->blob, sizeof s->blob);
        blobnet_note(sp->n, s->blob, true);
        note_begin(sp, s->key, s->blob);
        blobnet_tell_spoken(sp->n, s->key, s->blob);
    }
    spoken_settle(s, sp->stopping ? ERR_CLOSED : r->info.code);
}

static void spoken_read_done(uv_work_t *work, int status)
{
    struct spoken *s = work->data;
    struct node_spoken *sp = s->sp;
    sp->working--;
    int rc = status ? ERR_CLOSED : s->rc;
    if (rc && !sp->stopping) {
        rc = sound_say(sp->n, s->language, s->text, spoken_made, s);
        if (!rc) {
            s->state = SPOKEN_MADE;
            sp->working++;
            return;
        }
    }
    spoken_settle(s, rc);
}

static void spoken_free(struct spoken *s)
{
    prompt_unref(s->prompt);
    free(s->text);
    free(s);
}

static bool make_room(struct node_spoken *sp)
{
    struct spoken *oldest = NULL;
    const struct map_slot *it;
    if (map_count(&sp->by_key) < SPOKEN_MAX)
        return true;
    for (size_t i = 0; map_next(&sp->by_key, &i, &it);) {
        struct spoken *s = it->value;
        if (s->state >= SPOKEN_READY && (!oldest || s->used_us < oldest->used_us))
            oldest = s;
    }
    if (!oldest)
        return false;
    (void)map_del(&sp->by_key, oldest->key);
    spoken_free(oldest);
    return true;
}

static int spoken_new(struct node_spoken *sp, const char *key, const char *language, const char *text,
                      struct spoken **out)
{
    struct spoken *s = make_room(sp) ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return ERR_NOMEM;
    s->sp = sp;
    list_init(&s->waits);
    memcpy(s->key, key, sizeof s->key);
    snprintf(s->language, sizeof s->language, "%s", language);
    s->text = mem_strdup(text);
    if (!s->text || map_set(&sp->by_key, key, s)) {
        spoken_free(s);
        return ERR_NOMEM;
    }
    s->work.data = s;
    sp->working++;
    (void)uv_queue_work(&sp->n->loop, &s->work, spoken_read, spoken_read_done);
    *out = s;
    return 0;
}

static int key_of(const struct node *n, const char *language, const char *text, char key[BLOB_NAME_MAX])
{
    char engine[1024];
    unsigned char sum[32];
    speech_engine(&n->cfg, language, engine, sizeof engine);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool ok = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(hash, engine, strlen(engine) + 1) == 1 &&
              EVP_DigestUpdate(hash, text, strlen(text)) == 1 && EVP_DigestFinal_ex(hash, sum, NULL) == 1;
    EVP_MD_CTX_free(hash);
    for (unsigned i = 0; ok && i < sizeof sum; i++)
        snprintf(key + 2 * i, 3, "%02x", sum[i]);
    return ok ? 0 : ERR_NOMEM;
}

int spoken_get(struct node *n, const char *language, const char *text, struct spoken_wait *w, struct prompt **out)
{
    char key[BLOB_NAME_MAX] = "";
    if (!n->spoken || n->spoken->stopping)
        return ERR_CLOSED;
    if (!speech_voice(language))
        return ERR_INVAL;
    int rc = key_of(n, language, text, key);
    struct spoken *s = rc ? NULL : map_get(&n->spoken->by_key, key);
    uint64_t now = clock_mono_now().us;
    if (s && s->state == SPOKEN_FAILED && now - s->used_us > FAILED_US) {
        (void)map_del(&n->spoken->by_key, key);
        spoken_free(s);
        s = NULL;
    }
    if (!rc && !s)
        rc = spoken_new(n->spoken, key, language, text, &s);
    if (rc)
        return rc;
    if (s->state == SPOKEN_FAILED)
        return ERR_IO;
    s->used_us = now;
    if (s->state == SPOKEN_READY) {
        *out = prompt_ref(s->prompt);
        return 0;
    }
    if (w)
        list_push_back(&s->waits, &w->link);
    return ERR_BUSY;
}

void spoken_cancel(struct spoken_wait *w)
{
    if (w->link.next)
        list_del(&w->link);
}

static void on_fetched(void *ctx, int status)
{
    (void)ctx;
    if (status)
        log_info("speech", "a spoken text was not fetched: %s", err_text(status));
}

void spoken_heard(struct node *n, const struct blob_msg *m)
{
    if (!n->spoken || n->spoken->stopping)
        return;
    note_begin(n->spoken, m->name, m->blob);
    if (!blobnet_has(n, m->blob) && blobnet_fetch(n, m->blob, false, on_fetched, NULL))
        log_info("speech", "a spoken text is not fetched: too many are");
}

/* ---- start and end */

int spoken_start(struct node *n)
{
    struct node_spoken *sp = calloc(1, sizeof *sp);
    if (!sp)
        return ERR_NOMEM;
    sp->n = n;
    map_init(&sp->by_key);
    snprintf(sp->dir, sizeof sp->dir, "%s/spoken", n->cfg.data);
    n->spoken = sp;
    return folder_make(sp->dir);
}

void spoken_stop(struct node *n)
{
    struct node_spoken *sp = n->spoken;
    if (!sp)
        return;
    sp->stopping = true;
    while (sp->working)
        uv_run(&n->loop, UV_RUN_ONCE);
    n->spoken = NULL;
    const struct map_slot *it;
    for (size_t i = 0; map_next(&sp->by_key, &i, &it);)
        spoken_free(it->value);
    map_free(&sp->by_key);
    free(sp);
}
