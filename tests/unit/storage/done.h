/* For tests of storage/: the answers of its worker threads. Include after core_fixture.h. */
#ifndef TESTS_STORAGE_DONE_H
#define TESTS_STORAGE_DONE_H

#include <pthread.h>
#include <time.h>

/* ---- waiting for a worker's answer, with a deadline */

struct done {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    int status;
    struct storage_image image;
    struct storage_digest digest;
};

FX void done_init(struct done *d)
{
    memset(d, 0, sizeof *d);
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_cond_init(&d->cond, NULL);
}

FX void finish(struct done *d, int status)
{
    d->status = status;
    d->done = true;
    (void)pthread_cond_signal(&d->cond);
    (void)pthread_mutex_unlock(&d->lock);
}

FX void on_image(void *arg, int status, const struct storage_image *image)
{
    struct done *d = arg;
    (void)pthread_mutex_lock(&d->lock);
    if (image)
        d->image = *image;
    finish(d, status);
}

FX void on_digest(void *arg, int status, const struct storage_digest *digest)
{
    struct done *d = arg;
    (void)pthread_mutex_lock(&d->lock);
    if (digest)
        d->digest = *digest;
    finish(d, status);
}

FX void wait_for_any(struct done *d)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    (void)pthread_mutex_lock(&d->lock);
    while (!d->done)
        ck_assert_int_eq(pthread_cond_timedwait(&d->cond, &d->lock, &until), 0);
    (void)pthread_mutex_unlock(&d->lock);
}

FX void wait_for(struct done *d)
{
    wait_for_any(d);
    ck_assert_int_eq(d->status, 0);
}

#endif
