#include "node/sound.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "node/blobnet.h"
#include "node/child.h"
#include "node/speech.h"
#include "telephony/prompt.h"

enum { SOUND_THREADS = 2 };

struct sound_job {
    struct list_node link;
    int fd;                   /* file to convert, or -1 */
    char language[16], *text; /* to be said, or NULL */
    sound_done_fn *done;
    void *ctx;
    struct sound_result result;
    struct node_posted post;
};

struct node_sounds {
    struct node *n;
    pthread_t threads[SOUND_THREADS];
    unsigned n_threads;
    int stop_fd; /* readable: stop */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list_node texts, files; /* under lock */
    size_t waiting;                /* under lock */
    bool stopping;                 /* under lock */
    unsigned open;                 /* under lock: jobs whose done has not been called */
};

static void job_free(struct sound_job *j)
{
    if (j->fd >= 0)
        close(j->fd);
    prompt_unref(j->result.prompt);
    free(j->text);
    free(j);
}

/* ---- in the threads */

static int new_file(struct err_info *info)
{
    int fd = memfd_create("sound", MFD_CLOEXEC);
    if (fd < 0)
        err_set(info, ERR_IO, "", "no memory for the sound");
    return fd;
}

static int read_file(int fd, void **data, size_t *len, struct err_info *info)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char *buf = end >= 0 && end <= (off_t)PROMPT_BYTES_MAX ? malloc((size_t)end + 1) : NULL;
    size_t n = 0;
    for (ssize_t got = 1; buf && got > 0 && n<(size_t)end; n += got> 0 ? (size_t)got : 0)
        got = pread(fd, buf + n, (size_t)end - n, (off_t)n);
    if (!buf || n < (size_t)end) {
        free(buf);
        return err_set(info, ERR_IO, "", "the sound cannot be read back");
    }
    *data = buf;
    *len = n;
    return 0;
}

static int keep(struct node_sounds *s, int fd, struct sound_result *r)
{
    void *data = NULL;
    size_t len = 0;
    int rc = read_file(fd, &data, &len, &r->info);
    if (!rc)
        rc = prompt_parse_wav(data, len, &r->prompt, &r->info);
    if (!rc)
        rc = blobs_put(blobnet_store(s->n), data, len, r->blob, &r->info);
    free(data);
    if (rc)
        return rc;
    r->bytes = len;
    r->duration_ms = (uint32_t)((uint64_t)r->prompt->n_samples * 1000u / PROMPT_RATE_HZ);
    return 0;
}

/* Whatever file in_fd is becomes a prompt. */
static int convert(struct node_sounds *s, int in_fd, unsigned timeout_ms, struct sound_result *r)
{
    char helper[CHILD_PATH_MAX];
    char *const argv[] = {helper, NULL};
    int rc = child_ccsound(helper, &r->info);
    if (rc)
        return rc;
    int out = new_file(&r->info);
    if (out < 0)
        return r->info.code;
    rc = lseek(in_fd, 0, SEEK_SET) == 0 ? child_run(argv, in_fd, out, s->stop_fd, timeout_ms, &r->info)
                                        : err_set(&r->info, ERR_IO, "", "the sound cannot be read back");
    if (!rc)
        rc = keep(s, out, r);
    close(out);
    return rc;
}

static int say(struct node_sounds *s, const struct sound_job *j, struct sound_result *r)
{
    int in = new_file(&r->info), out = in >= 0 ? new_file(&r->info) : -1;
    int rc = out >= 0 ? 0 : r->info.code;
    size_t len = strlen(j->text);
    if (!rc && write(in, j->text, len) != (ssize_t)len)
        rc = err_set(&r->info, ERR_IO, "", "no memory for the text");
    if (!rc && lseek(in, 0, SEEK_SET) == 0)
        rc = speech_run(&s->n->cfg, j->language, in, out, s->stop_fd, SOUND_SAY_MS, &r->info);
    if (!rc)
        rc = convert(s, out, SOUND_SAY_MS, r);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return rc;
}

static void job_answer(struct node *n, void *ctx)
{
    struct sound_job *j = ctx;
    j->done(j->ctx, &j->result);
    pthread_mutex_lock(&n->sounds->lock);
    n->sounds->open--;
    pthread_mutex_unlock(&n->sounds->lock);
    job_free(j);
}

/* The next job, texts before files; NULL: stop. With the lock. */
static struct sound_job *job_next(struct node_sounds *s)
{
    while (!s->stopping && list_empty(&s->texts) && list_empty(&s->files))
        pthread_cond_wait(&s->wake, &s->lock);
    struct list_node *from = list_empty(&s->texts) ? &s->files : &s->texts;
    if (list_empty(from))
        return NULL;
    struct sound_job *j = list_entry(from->next, struct sound_job, link);
    list_del(&j->link);
    s->waiting--;
    return j;
}

static void *sound_main(void *arg)
{
    struct node_sounds *s = arg;
    thread_ordinary(); /* and so are its helpers, which take minutes of a processor for a long text */
    pthread_mutex_lock(&s->lock);
    for (struct sound_job *j; (j = job_next(s));) {
        bool stopping = s->stopping;
        pthread_mutex_unlock(&s->lock);
        struct sound_result *r = &j->result;
        int rc = stopping  ? err_set(&r->info, ERR_CLOSED, "", "this node is stopping")
                 : j->text ? say(s, j, r)
                           : convert(s, j->fd, SOUND_FILE_MS, r);
        r->info.code = rc;
        node_post_lend(s->n, &j->post, job_answer, j);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- any thread */

static int job_queue(struct node *n, struct sound_job *j, sound_done_fn *done, void *ctx)
{
    struct node_sounds *s = n->sounds;
    j->done = done;
    j->ctx = ctx;
    pthread_mutex_lock(&s->lock);
    int rc = s->stopping ? ERR_CLOSED : s->waiting >= SOUND_JOBS_MAX ? ERR_BUSY : 0;
    if (!rc) {
        list_push_back(j->text ? &s->texts : &s->files, &j->link);
        s->waiting++;
        s->open++;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int sound_file(struct node *n, int fd, sound_done_fn *done, void *ctx)
{
    struct sound_job *j = calloc(1, sizeof *j);
    if (!j)
        return ERR_NOMEM;
    j->fd = fd;
    int rc = job_queue(n, j, done, ctx);
    if (rc) {
        j->fd = -1; /* the caller's still */
        job_free(j);
    }
    return rc;
}

int sound_say(struct node *n, const char *language, const char *text, sound_done_fn *done, void *ctx)
{
    if (strlen(text) > SOUND_TEXT_MAX)
        return ERR_TOOBIG;
    if (!speech_voice(language))
        return ERR_INVAL;
    struct sound_job *j = calloc(1, sizeof *j);
    if (!j)
        return ERR_NOMEM;
    j->fd = -1;
    snprintf(j->language, sizeof j->language, "%s", language);
    j->text = mem_strdup(text);
    int rc = j->text ? job_queue(n, j, done, ctx) : ERR_NOMEM;
    if (rc)
        job_free(j);
    return rc;
}

size_t sound_waiting(struct node *n)
{
    struct node_sounds *s = n->sounds;
    if (!s)
        return 0;
    pthread_mutex_lock(&s->lock);
    size_t waiting = s->waiting;
    pthread_mutex_unlock(&s->lock);
    return waiting;
}

/* ---- start and end */

int sound_start(struct node *n)
{
    struct node_sounds *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->n = n;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    list_init(&s->texts);
    list_init(&s->files);
    n->sounds = s;
    char helper[CHILD_PATH_MAX];
    struct err_info info;
    if (child_ccsound(helper, &info))
        log_warn("sound", "%s: prompts cannot be uploaded or spoken here", info.text);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (s->stop_fd < 0)
        return ERR_IO;
    for (; s->n_threads < SOUND_THREADS; s->n_threads++) {
        if (pthread_create(&s->threads[s->n_threads], NULL, sound_main, s) != 0)
            return ERR_NOMEM;
        (void)pthread_setname_np(s->threads[s->n_threads], "sound");
    }
    return 0;
}

void sound_stop(struct node *n)
{
    struct node_sounds *s = n->sounds;
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->stop_fd >= 0 && eventfd_write(s->stop_fd, 1) != 0)
        log_warn("sound", "helpers cannot be told to stop");
    for (unsigned i = 0; i < s->n_threads; i++)
        pthread_join(s->threads[i], NULL);
    while (s->open > 0) /* their answers are on their way to this thread */
        uv_run(&n->loop, UV_RUN_ONCE);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    n->sounds = NULL;
    free(s);
}
