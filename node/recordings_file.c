/* The disk's part of recordings, in worker threads: samples sealed and written, pieces of others stored and read, and the WAV file in the end. */
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
#define CHUNK_MAX (REC_CHUNK_SAMPLES * REC_CHANNELS_MAX)

uint64_t rec_file_at(uint64_t chunk, unsigned channels)
{
    return SEAL_HEADER_BYTES + chunk * (REC_CHUNK_SAMPLES * channels + SEAL_EXTRA_BYTES);
}

uint64_t rec_file_chunks(uint64_t bytes, unsigned channels)
{
    return bytes > SEAL_HEADER_BYTES ? (bytes - SEAL_HEADER_BYTES) / (REC_CHUNK_SAMPLES * channels + SEAL_EXTRA_BYTES)
                                     : 0;
}

static int file_err(int rc)
{
    return rc == ENOSPC || rc == EDQUOT || rc == EFBIG ? ERR_NOSPACE : rc == ENOENT ? ERR_NOTFOUND : ERR_IO;
}

static int write_all(int fd, const uint8_t *data, size_t len, uint64_t offset)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = pwrite(fd, data + at, len - at, (off_t)(offset + at));
        if (n <= 0)
            return file_err(n < 0 ? errno : ENOSPC);
        at += (size_t)n;
    }
    return 0;
}

static int file_store(struct rec_work *w)
{
    int fd = open(w->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), rc = 0;
    if (fd < 0)
        return file_err(errno);
    if (w->truncate && ftruncate(fd, (off_t)w->offset) != 0)
        rc = file_err(errno);
    if (!rc)
        rc = write_all(fd, w->data, w->len, w->offset);
    if (close(fd) != 0 && !rc)
        rc = file_err(errno);
    w->end = w->offset + w->len;
    return rc;
}

/* The key of the file, which is made when there is nothing of it yet. */
static int file_key(struct rec_work *w, int fd, struct seal_key *key)
{
    uint8_t header[SEAL_HEADER_BYTES];
    ssize_t n = pread(fd, header, sizeof header, 0);
    if (n == (ssize_t)sizeof header)
        return seal_find(w->keys, w->id, header, key);
    int rc = n < 0 ? file_err(errno) : seal_new(w->keys, w->id, key, header);
    return rc ? rc : write_all(fd, header, sizeof header, 0);
}

static int write_chunks(struct rec_work *w, int fd)
{
    uint8_t sealed[CHUNK_MAX + SEAL_EXTRA_BYTES];
    size_t whole = REC_CHUNK_SAMPLES * w->channels;
    struct seal_key key;
    int rc = file_key(w, fd, &key);
    w->end = rec_file_at(w->offset, w->channels);
    for (size_t at = 0; !rc && at < w->len; at += whole) {
        size_t n = w->len - at < whole ? w->len - at : whole;
        rc = seal_close(&key, w->offset + at / whole, w->data + at, n, sealed);
        if (!rc)
            rc = write_all(fd, sealed, n + SEAL_EXTRA_BYTES, w->end);
        w->end += n + SEAL_EXTRA_BYTES;
    }
    return rc;
}

static int file_write(struct rec_work *w)
{
    int fd = open(w->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_err(errno);
    int rc = w->truncate && ftruncate(fd, (off_t)w->cut) != 0 ? file_err(errno) : 0;
    if (!rc)
        rc = write_chunks(w, fd);
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

/* RIFF WAVE, format 6 (ITU-T G.711 A-law), 8000 Hz. */
static void wav_header(uint8_t h[WAV_HEADER], uint32_t samples, unsigned channels)
{
    uint32_t bytes = samples * channels;
    memset(h, 0, WAV_HEADER);
    memcpy(h, "RIFF", 4);
    put32(h + 4, WAV_HEADER - 8 + bytes + (bytes & 1));
    memcpy(h + 8, "WAVEfmt ", 8);
    put32(h + 16, 18);
    put16(h + 20, 6);
    put16(h + 22, channels);
    put32(h + 24, 8000);
    put32(h + 28, 8000 * channels);
    put16(h + 32, channels);
    put16(h + 34, 8);
    memcpy(h + 38, "fact", 4);
    put32(h + 42, 4);
    put32(h + 46, samples);
    memcpy(h + 50, "data", 4);
    put32(h + 54, bytes);
}

/* ---- reading what was recorded */

struct source {
    struct rec_work *w;
    int fd;
    struct seal_key key;
    uint64_t bytes; /* of the file */
    uint64_t samples;
    uint64_t at; /* the chunk that is in `data` */
    bool there;  /* data counts */
    bool hole;
    uint8_t data[CHUNK_MAX];
};

/* What was never written, or cannot be opened (a beginning of a chunk, a bad disk), is silence. */
static int source_get(struct source *s, uint64_t chunk)
{
    uint8_t sealed[CHUNK_MAX + SEAL_EXTRA_BYTES];
    uint64_t from = rec_file_at(chunk, s->w->channels);
    size_t whole = REC_CHUNK_SAMPLES * s->w->channels + SEAL_EXTRA_BYTES;
    size_t want = from >= s->bytes ? 0 : s->bytes - from < whole ? (size_t)(s->bytes - from) : whole;
    if (s->there && s->at == chunk)
        return 0;
    ssize_t n = pread(s->fd, sealed, want, (off_t)from);
    if (n < 0)
        return file_err(errno);
    size_t got = (size_t)n;
    s->hole = got <= SEAL_EXTRA_BYTES || seal_hole(sealed, got) || seal_open(&s->key, chunk, sealed, got, s->data) != 0;
    size_t known = s->hole ? 0 : got - SEAL_EXTRA_BYTES;
    memset(s->data + known, RECORDER_SILENCE, sizeof s->data - known);
    s->at = chunk;
    s->there = true;
    return 0;
}

static int source_open(struct source *s)
{
    struct stat st;
    uint8_t header[SEAL_HEADER_BYTES];
    s->fd = open(s->w->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return file_err(errno);
    ssize_t n = pread(s->fd, header, sizeof header, 0);
    if (n != (ssize_t)sizeof header)
        return n < 0 ? file_err(errno) : ERR_NOTFOUND;
    s->bytes = (uint64_t)st.st_size;
    s->samples = seal_content(s->bytes, REC_CHUNK_SAMPLES * s->w->channels) / s->w->channels;
    return seal_find(s->w->keys, s->w->id, header, &s->key);
}

/* How far there are sounds, in samples; one channel. */
static int last_sound(struct source *s, uint64_t *out)
{
    *out = 0;
    for (uint64_t end = s->samples - s->samples % FRAME; end >= FRAME && !*out; end -= FRAME) {
        uint8_t frame[FRAME];
        for (uint64_t i = 0; i < FRAME; i++) {
            uint64_t at = end - FRAME + i;
            int rc = source_get(s, at / REC_CHUNK_SAMPLES);
            if (rc)
                return rc;
            frame[i] = s->data[at % REC_CHUNK_SAMPLES];
        }
        *out = recorder_sounds(frame, FRAME) ? end : 0;
    }
    return 0;
}

static void note_gap(struct rec_work *w, uint64_t from, uint64_t to)
{
    uint32_t from_ms = (uint32_t)(from / REC_SAMPLES_A_MS), to_ms = (uint32_t)(to / REC_SAMPLES_A_MS);
    struct rec_gap *before = w->n_gaps ? &w->gaps[w->n_gaps - 1] : NULL;
    if (before && (before->to_ms == from_ms || w->n_gaps == REC_GAPS_MAX))
        before->to_ms = to_ms; /* of too many the last ones are one */
    else
        w->gaps[w->n_gaps++] = (struct rec_gap){from_ms, to_ms};
}

/* Who goes on with a recording begins with a whole chunk, in the middle of which he hears the first of it: until then nobody recorded. */
static uint64_t lead_in(const struct source *s, uint64_t samples)
{
    size_t n = 0, all = (size_t)samples * s->w->channels;
    while (n < all && s->data[n] == RECORDER_SILENCE)
        n++;
    return n / s->w->channels;
}

static void note_chunk(const struct source *s, uint64_t at, uint64_t samples)
{
    struct rec_work *w = s->w;
    uint32_t at_ms = (uint32_t)(at / REC_SAMPLES_A_MS);
    bool behind_gap = w->n_gaps && w->gaps[w->n_gaps - 1].to_ms == at_ms;
    if (s->hole)
        note_gap(w, at, at + samples);
    else if (behind_gap && lead_in(s, samples) < samples)
        note_gap(w, at, at + lead_in(s, samples));
}

static int put_samples(struct source *s, struct rec_target *t, uint64_t samples)
{
    int rc = 0;
    for (uint64_t at = 0; !rc && at < samples; at += REC_CHUNK_SAMPLES) {
        uint64_t n = samples - at < REC_CHUNK_SAMPLES ? samples - at : REC_CHUNK_SAMPLES;
        rc = source_get(s, at / REC_CHUNK_SAMPLES);
        if (!rc)
            note_chunk(s, at, n);
        if (!rc)
            rc = rec_target_add(t, s->data, (size_t)n * s->w->channels);
    }
    return rc;
}

static int write_wav(struct source *s, uint64_t samples)
{
    struct rec_work *w = s->w;
    struct rec_target t;
    uint8_t wav[WAV_HEADER];
    uint64_t sound = samples * w->channels;
    w->bytes = WAV_HEADER + sound + (sound & 1);
    int rc = rec_target_open(&t, w->blobs, w->keys, w->id, w->bytes);
    if (rc)
        return rc;
    wav_header(wav, (uint32_t)samples, w->channels);
    rc = rec_target_add(&t, wav, sizeof wav);
    if (!rc)
        rc = put_samples(s, &t, samples);
    if (!rc && (sound & 1))
        rc = rec_target_add(&t, (const uint8_t *)"", 1);
    return rec_target_finish(&t, rc, w->blob);
}

/* ERR_NOTFOUND: there is nothing to keep. */
static int file_build(struct rec_work *w)
{
    struct source s = {.w = w};
    uint64_t sound = 0;
    w->n_gaps = 0;
    int rc = source_open(&s);
    uint64_t samples = s.samples;
    if (!rc && w->trims) {
        rc = last_sound(&s, &sound);
        if (!rc && (sound == 0 || sound < w->min_ms * REC_SAMPLES_A_MS))
            rc = ERR_NOTFOUND;
        samples = sound + TAIL < samples ? sound + TAIL : samples;
    }
    if (!rc)
        rc = samples ? write_wav(&s, samples) : ERR_NOTFOUND;
    w->duration_ms = (uint32_t)(samples / REC_SAMPLES_A_MS);
    if (s.fd >= 0)
        (void)close(s.fd);
    return rc;
}

void rec_file_run(struct rec_work *w)
{
    switch (w->kind) {
    case REC_WRITE:
        w->rc = file_write(w);
        break;
    case REC_STORE:
        w->rc = file_store(w);
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
