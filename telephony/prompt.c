/* The store reads its whole folder when it is opened: prompts are small, and the core thread never waits for a disk. */
#include "telephony/prompt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "telephony/prompt_int.h"

enum { PROMPT_NAME_MAX = 128 }; /* "language/key" with its NUL */

struct prompt_store {
    char *dir;
    struct map by_name; /* "language/key" -> struct prompt_entry */
    struct map put;     /* likewise -> struct prompt: goes before it */
    struct prompt *music;
    uint64_t bytes;
};

struct prompt_entry {
    struct prompt *prompt; /* NULL: the file is there, but broken */
};

struct prompt *prompt_new(uint32_t n_samples)
{
    struct prompt *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->pcm = calloc(n_samples ? n_samples : 1, sizeof *p->pcm);
    if (!p->pcm) {
        free(p);
        return NULL;
    }
    p->n_samples = n_samples;
    p->refs = 1;
    return p;
}

struct prompt *prompt_ref(struct prompt *p)
{
    if (p)
        __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

void prompt_unref(struct prompt *p)
{
    if (p && __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        free(p->pcm);
        free(p);
    }
}

/* ---- reading the folder ---- */

static bool prompt_name_ok(const char *s, size_t len)
{
    return len > 0 && len < 64 && s[0] != '.' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") >= len;
}

static int prompt_read_file(const char *path, struct prompt **out, struct err_info *info)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(info, err_from_errno(errno), "", "%s", strerror(errno));
    struct stat st;
    int rc = 0;
    unsigned char *data = NULL;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > (off_t)PROMPT_BYTES_MAX)
        rc = err_set(info, ERR_INVAL, "", "not a file of at most %u bytes", PROMPT_BYTES_MAX);
    else if (!(data = malloc((size_t)st.st_size + 1)))
        rc = err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    size_t n = 0;
    while (!rc && n < (size_t)st.st_size) {
        ssize_t got = read(fd, data + n, (size_t)st.st_size - n);
        if (got < 0 && errno != EINTR)
            rc = err_set(info, ERR_IO, "", "%s", strerror(errno));
        if (got == 0)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    if (!rc)
        rc = prompt_parse_wav(data, n, out, info);
    free(data);
    return rc;
}

static int prompt_add(struct prompt_store *s, const char *name, struct prompt *p)
{
    struct prompt_entry *e = malloc(sizeof *e);
    if (!e)
        return ERR_NOMEM;
    e->prompt = p;
    if (map_set(&s->by_name, name, e)) {
        free(e);
        return ERR_NOMEM;
    }
    return 0;
}

/* A broken file is remembered as such and does not keep the node from starting. */
static int prompt_load_file(struct prompt_store *s, const char *language, const char *file)
{
    size_t len = strlen(file);
    if (len < 5 || strcmp(file + len - 4, ".wav") != 0 || !prompt_name_ok(file, len - 4))
        return 0;
    char name[PROMPT_NAME_MAX + 8], *path;
    snprintf(name, sizeof name, "%.63s/%.*s", language, (int)(len - 4), file);
    if (asprintf(&path, "%s/%s/%s", s->dir, language, file) < 0)
        return ERR_NOMEM;
    struct prompt *p = NULL;
    struct err_info info;
    int rc = prompt_read_file(path, &p, &info);
    if (rc && rc != ERR_NOMEM)
        log_warn("prompt", "%s cannot be used: %s", path, info.text);
    free(path);
    if (rc == ERR_NOMEM)
        return rc;
    rc = prompt_add(s, name, p);
    if (rc)
        prompt_unref(p);
    else if (p)
        s->bytes += (uint64_t)p->n_samples * sizeof *p->pcm;
    return rc;
}

/* Calls `each` for the entries of a folder whose names are ours to read. */
static int prompt_scan(struct prompt_store *s, const char *sub,
                       int (*each)(struct prompt_store *s, const char *sub, const char *name))
{
    char *path;
    if (asprintf(&path, "%s%s%s", s->dir, sub ? "/" : "", sub ? sub : "") < 0)
        return ERR_NOMEM;
    DIR *d = opendir(path);
    int rc = d ? 0 : errno == ENOTDIR ? ERR_BADSTATE : err_from_errno(errno);
    free(path);
    if (!d)
        return rc;
    for (struct dirent *e; !rc && (e = readdir(d));)
        if (e->d_name[0] != '.')
            rc = each(s, sub, e->d_name);
    closedir(d);
    return rc;
}

static int prompt_load_language(struct prompt_store *s, const char *none, const char *language)
{
    (void)none;
    if (!prompt_name_ok(language, strlen(language)))
        return 0;
    int rc = prompt_scan(s, language, prompt_load_file);
    return rc == ERR_NOMEM ? rc : 0; /* a plain file, or a folder that is not for us */
}

int prompt_store_open(const char *dir, struct prompt_store **out, struct err_info *info)
{
    struct prompt_store *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    map_init(&s->by_name);
    map_init(&s->put);
    s->dir = strdup(dir);
    s->music = music_hold();
    int rc = s->dir && s->music ? prompt_scan(s, NULL, prompt_load_language) : ERR_NOMEM;
    if (rc) {
        prompt_store_close(s);
        if (rc == ERR_BADSTATE)
            return err_set(info, ERR_INVAL, "", "prompt folder %.180s is not a folder", dir);
        return err_set(info, rc, "", "prompt folder %.180s: %s", dir, err_text(rc));
    }
    log_info("prompt", "%zu prompts from %s, %llu kB", map_count(&s->by_name), dir,
             (unsigned long long)s->bytes / 1024);
    *out = s;
    return 0;
}

void prompt_store_close(struct prompt_store *s)
{
    if (!s)
        return;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&s->by_name, &it, &slot);) {
        struct prompt_entry *e = slot->value;
        prompt_unref(e->prompt);
        free(e);
    }
    map_free(&s->by_name);
    for (size_t it = 0; map_next(&s->put, &it, &slot);)
        prompt_unref(slot->value);
    map_free(&s->put);
    prompt_unref(s->music);
    free(s->dir);
    free(s);
}

/* ---- looking up ---- */

static bool prompt_name(char out[PROMPT_NAME_MAX], const char *language, const char *key)
{
    int n = snprintf(out, PROMPT_NAME_MAX, "%s/%s", language, key);
    return n > 0 && n < PROMPT_NAME_MAX;
}

int prompt_store_put(struct prompt_store *s, const char *language, const char *key, struct prompt *p)
{
    char name[PROMPT_NAME_MAX];
    if (!prompt_name(name, language, key))
        return ERR_TOOBIG;
    struct prompt *old = map_get(&s->put, name);
    if (!p)
        (void)map_del(&s->put, name);
    else if (map_set(&s->put, name, p))
        return ERR_NOMEM;
    (void)prompt_ref(p);
    prompt_unref(old);
    return 0;
}

/* 0 with a sound that is not counted, ERR_NOTFOUND, or ERR_INVAL: broken. */
static int prompt_find(const struct prompt_store *s, const char *language, const char *key, struct prompt **out)
{
    char name[PROMPT_NAME_MAX];
    if (!prompt_name(name, language, key))
        return ERR_NOTFOUND;
    struct prompt *p = map_get(&s->put, name);
    const struct prompt_entry *e = p ? NULL : map_get(&s->by_name, name);
    if (!p && !e)
        return ERR_NOTFOUND;
    *out = p ? p : e->prompt;
    return *out ? 0 : ERR_INVAL;
}

int prompt_get(struct prompt_store *s, const char *language, const char *key, struct prompt **out)
{
    struct prompt *p = NULL;
    int rc = language ? prompt_find(s, language, key, &p) : ERR_NOTFOUND;
    if (rc == ERR_NOTFOUND)
        rc = prompt_find(s, "zh", key, &p);
    if (rc == ERR_NOTFOUND)
        rc = prompt_find(s, "en", key, &p);
    if (!rc)
        *out = prompt_ref(p);
    return rc;
}

int prompt_exists(struct prompt_store *s, const char *language, const char *key)
{
    struct prompt *p = NULL;
    return prompt_find(s, language, key, &p) == 0;
}

struct prompt *prompt_hold_music(struct prompt_store *s)
{
    return prompt_ref(s->music);
}
