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
    prompt_unref(s->music);
    free(s->dir);
    free(s);
}

/* ---- looking up ---- */

static struct prompt_entry *prompt_find(const struct prompt_store *s, const char *language, const char *key)
{
    char name[PROMPT_NAME_MAX];
    int n = snprintf(name, sizeof name, "%s/%s", language, key);
    return n > 0 && (size_t)n < sizeof name ? map_get(&s->by_name, name) : NULL;
}

int prompt_get(struct prompt_store *s, const char *language, const char *key, struct prompt **out)
{
    struct prompt_entry *e = language ? prompt_find(s, language, key) : NULL;
    if (!e)
        e = prompt_find(s, "zh", key);
    if (!e)
        e = prompt_find(s, "en", key);
    if (!e)
        return ERR_NOTFOUND;
    if (!e->prompt)
        return ERR_INVAL;
    *out = prompt_ref(e->prompt);
    return 0;
}

int prompt_exists(struct prompt_store *s, const char *language, const char *key)
{
    struct prompt_entry *e = prompt_find(s, language, key);
    return e && e->prompt;
}

struct prompt *prompt_hold_music(struct prompt_store *s)
{
    return prompt_ref(s->music);
}
