/* The disk's part of recordings, in worker threads: pieces written and read, and the WAV file in the end. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/recordings_int.h"
#include "telephony/recorder.h"

#define WAV_HEADER 58u /* RIFF, fmt with its size of nothing, fact, data */
#define FRAME 160u     /* samples: 20 ms */
#define TAIL 4000u     /* half a second of what is behind the last sound stays */

static int file_err(int rc)
{
    return rc == ENOSPC || rc == EDQUOT || rc == EFBIG ? ERR_NOSPACE : rc == ENOENT ? ERR_NOTFOUND : ERR_IO;
}

static int file_write(struct rec_work *w)
{
    int fd = open(w->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), rc = 0;
    if (fd < 0)
        return file_err(errno);
    if (w->truncate && ftruncate(fd, (off_t)w->offset) != 0)
        rc = file_err(errno);
    for (size_t at = 0; !rc && at < w->len;) {
        ssize_t n = pwrite(fd, w->data + at, w->len - at, (off_t)(w->offset + at));
        if (n <= 0)
            rc = file_err(n < 0 ? errno : ENOSPC);
        else
            at += (size_t)n;
    }
    if (close(fd) != 0 && !rc)
        rc = file_err(errno);
    return rc;
}

/* Up to w->len bytes; w->len becomes what there was. */
static int file_read(struct rec_work *w)
{
    int fd = open(w->path, O_RDONLY | O_CLOEXEC), rc = 0;
    if (fd < 0)
        return file_err(errno);
    ssize_t n = pread(fd, w->data, w->len, (off_t)w->offset);
    if (n < 0)
        rc = file_err(errno);
    w->len = n > 0 ? (size_t)n : 0;
    (void)close(fd);
    return rc;
}

/* ---- the WAV file */

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v & 0xFFFFu);
    put16(p + 2, v >> 16);
}

/* RIFF WAVE, format 6 (ITU-T G.711 A-law), one channel, 8000 Hz. */
static void wav_header(uint8_t h[WAV_HEADER], uint32_t samples)
{
    memset(h, 0, WAV_HEADER);
    memcpy(h, "RIFF", 4);
    put32(h + 4, WAV_HEADER - 8 + samples + (samples & 1));
    memcpy(h + 8, "WAVEfmt ", 8);
    put32(h + 16, 18);
    put16(h + 20, 6);
    put16(h + 22, 1);
    put32(h + 24, 8000);
    put32(h + 28, 8000);
    put16(h + 32, 1);
    put16(h + 34, 8);
    memcpy(h + 38, "fact", 4);
    put32(h + 42, 4);
    put32(h + 46, samples);
    memcpy(h + 50, "data", 4);
    put32(h + 54, samples);
}

static int read_samples(int fd, uint64_t offset, uint8_t *out, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = pread(fd, out + at, n - at, (off_t)(offset + at));
        if (got <= 0)
            return got < 0 ? file_err(errno) : ERR_IO;
        at += (size_t)got;
    }
    for (size_t i = 0; i < n; i++)
        out[i] ^= REC_MASK;
    return 0;
}

/* How far there are sounds. */
static int last_sound(int fd, uint64_t size, uint64_t *out)
{
    uint8_t frame[FRAME];
    *out = 0;
    for (uint64_t end = size - size % FRAME; end >= FRAME && !*out; end -= FRAME) {
        int rc = read_samples(fd, end - FRAME, frame, FRAME);
        if (rc)
            return rc;
        *out = recorder_sounds(frame, FRAME) ? end : 0;
    }
    return 0;
}

static int write_wav(struct rec_work *w, int fd, uint32_t samples)
{
    struct blob_writer *out = NULL;
    struct err_info info = {0};
    w->bytes = WAV_HEADER + samples + (samples & 1);
    int rc = blob_writer_open(w->blobs, NULL, w->bytes, &out, &info);
    if (rc)
        return rc;
    wav_header(w->data, samples);
    rc = blob_writer_add(out, w->data, WAV_HEADER);
    for (uint32_t at = 0; !rc && at < samples;) {
        size_t n = samples - at < sizeof w->data ? samples - at : sizeof w->data;
        rc = read_samples(fd, at, w->data, n);
        if (!rc)
            rc = blob_writer_add(out, w->data, n);
        at += (uint32_t)n;
    }
    if (!rc && (samples & 1))
        rc = blob_writer_add(out, "", 1);
    if (rc) {
        blob_writer_drop(out);
        return rc;
    }
    return blob_writer_finish(out, w->blob);
}

/* Silence at the end is not kept; ERR_NOTFOUND: nothing else is there. */
static int file_build(struct rec_work *w)
{
    struct stat st;
    uint64_t sound = 0;
    int fd = open(w->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_err(errno);
    int rc = fstat(fd, &st) != 0 ? file_err(errno) : 0;
    uint64_t size = rc ? 0 : (uint64_t)st.st_size;
    if (!rc)
        rc = last_sound(fd, size, &sound);
    if (!rc && (sound == 0 || sound < w->min_ms * REC_BYTES_A_MS))
        rc = ERR_NOTFOUND;
    uint64_t samples = sound + TAIL < size ? sound + TAIL : size;
    if (!rc)
        rc = write_wav(w, fd, (uint32_t)samples);
    w->duration_ms = (uint32_t)(samples / REC_BYTES_A_MS);
    (void)close(fd);
    return rc;
}

void rec_file_run(struct rec_work *w)
{
    switch (w->kind) {
    case REC_WRITE:
        w->rc = file_write(w);
        break;
    case REC_READ:
        w->rc = file_read(w);
        break;
    case REC_BUILD:
        w->rc = file_build(w);
        break;
    case REC_REMOVE:
        w->rc = unlink(w->path) != 0 && errno != ENOENT ? ERR_IO : 0;
        break;
    }
}
