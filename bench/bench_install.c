/* What the installation of an image costs the thread that calls for it, with and without its preparation elsewhere. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/storage.h"
#include "tests/folder.h"

#define ROWS 50000u
#define ROW_BYTES 4000u

struct taken {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int status; /* 1: not yet */
    struct storage_image image;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_install: %s\n", what);
    exit(1);
}

static void on_taken(void *arg, int status, const struct storage_image *image)
{
    struct taken *t = arg;
    (void)pthread_mutex_lock(&t->lock);
    t->status = status;
    if (image)
        t->image = *image;
    (void)pthread_cond_signal(&t->cond);
    (void)pthread_mutex_unlock(&t->lock);
}

static void fill(struct storage *st)
{
    static char body[ROW_BYTES];
    for (unsigned i = 0; i < ROWS; i++) {
        if (i % 1000 == 0 && storage_begin(st) != 0)
            die("cannot begin");
        for (size_t k = 0; k < sizeof body; k++)
            body[k] = (char)('a' + (i * 7 + k * 13) % 26);
        const struct storage_val row[] = {storage_int(i + 1), storage_int(0), storage_text_n(body, sizeof body)};
        storage_run(st, STORAGE_EVENT_PUT, row, 3);
        if (i % 1000 == 999 && storage_commit(st, i / 1000 + 1) != 0)
            die("cannot commit");
    }
}

static double ms_since(uint64_t us)
{
    return (double)(clock_mono_now().us - us) / 1000;
}

int main(void)
{
    char dir[] = "/tmp/everline-bench-XXXXXX";
    struct err_info info = {0};
    struct storage *st = NULL;
    struct taken t = {.status = 1};
    (void)pthread_mutex_init(&t.lock, NULL);
    (void)pthread_cond_init(&t.cond, NULL);
    if (!mkdtemp(dir) || storage_open(dir, &st, &info) != 0)
        die(info.text);
    fill(st);
    if (storage_image_begin(st, dir, on_taken, &t) != 0)
        die("no image");
    (void)pthread_mutex_lock(&t.lock);
    while (t.status > 0)
        (void)pthread_cond_wait(&t.cond, &t.lock);
    (void)pthread_mutex_unlock(&t.lock);
    if (t.status)
        die(err_text(t.status));
    uint64_t at = clock_mono_now().us;
    if (storage_install(st, t.image.path, &info) != 0)
        die(info.text);
    double alone = ms_since(at);
    at = clock_mono_now().us;
    if (storage_image_prepare(st, t.image.path, &info) != 0)
        die(info.text);
    double prepare = ms_since(at);
    at = clock_mono_now().us;
    if (storage_install(st, t.image.path, &info) != 0)
        die(info.text);
    double prepared = ms_since(at);
    printf("install_image_alone: %.0f ms (ratio 1.00, %.0f MB)\n", alone, (double)t.image.bytes / 1e6);
    printf("install_image_prepare_elsewhere: %.0f ms (ratio %.2f)\n", prepare, prepare / alone);
    printf("install_image_prepared: %.1f ms (ratio %.3f)\n", prepared, prepared / alone);
    storage_close(st);
    folder_remove(dir);
    return 0;
}
