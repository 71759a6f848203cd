/* From WAV to MP3: MPEG-2.5 layer 3 (8000 Hz), both parties each in a channel of its own, so that neither is heard in the other's; sealed as all
 * recordings are. A thread of its own, behind all others (node/recordings_form.c). */
#include <lame/lame.h>

#include <stdlib.h>
#include <string.h>

#include "node/recordings_int.h"
#include "telephony/g711.h"

#define KBPS_A_CHANNEL 16
#define PIECE 16000u                      /* bytes of the WAV file at a time */
#define MP3_MAX (PIECE * 5u / 4u + 7200u) /* what the library may write for that (lame.h) */
#define DATA_AT 58u
#define QUALITY 5

struct source {
    const struct rec_mp3 *m;
    unsigned channels;
    uint64_t end; /* of the samples, in the file */
};

static uint32_t u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* It is one of ours (recordings_file.c), and as it was made. */
static int source_open(struct source *s)
{
    const struct rec_mp3 *m = s->m;
    uint64_t bytes = 0;
    void *head = NULL;
    int rc = m->keys ? blobs_check(m->blobs, m->wav) : ERR_DENIED;
    if (!rc)
        rc = rec_sound_bytes(m->blobs, m->keys, m->wav, &bytes);
    if (!rc)
        rc = bytes > DATA_AT ? rec_sound_read(m->blobs, m->keys, m->wav, m->id, 0, DATA_AT, &head) : ERR_CORRUPT;
    if (rc)
        return rc;
    const uint8_t *h = head;
    s->channels = h[22];
    s->end = DATA_AT + (uint64_t)u32(h + 54);
    free(head);
    return s->end <= bytes && (s->channels == 1 || s->channels == 2) ? 0 : ERR_CORRUPT;
}

static lame_global_flags *encoder(unsigned channels)
{
    lame_global_flags *l = lame_init();
    if (!l)
        return NULL;
    lame_set_num_channels(l, (int)channels);
    lame_set_in_samplerate(l, 8000);
    lame_set_out_samplerate(l, 8000);
    lame_set_mode(l, channels == 2 ? STEREO : MONO);
    lame_set_brate(l, KBPS_A_CHANNEL * (int)channels);
    lame_set_quality(l, QUALITY);
    lame_set_bWriteVbrTag(l, 0);
    if (lame_init_params(l) < 0) {
        lame_close(l);
        return NULL;
    }
    return l;
}

/* The size of a blob is known before it is written: it is made in memory, a quarter of the WAV file. */
struct sink {
    uint8_t *p;
    size_t len, room;
};

static int piece(const struct source *s, lame_global_flags *l, uint64_t at, size_t n, struct sink *out)
{
    int16_t pcm[2][PIECE];
    void *data = NULL;
    if (out->room - out->len < MP3_MAX)
        return ERR_TOOBIG;
    int rc = rec_sound_read(s->m->blobs, s->m->keys, s->m->wav, s->m->id, at, n, &data);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        pcm[i % s->channels][i / s->channels] = g711_alaw_linear[((const uint8_t *)data)[i]];
    free(data);
    int got = lame_encode_buffer(l, pcm[0], pcm[s->channels - 1], (int)(n / s->channels), out->p + out->len, MP3_MAX);
    out->len += got > 0 ? (size_t)got : 0;
    return got < 0 ? ERR_IO : 0;
}

static int encode(const struct source *s, lame_global_flags *l, struct sink *out)
{
    int rc = 0;
    for (uint64_t at = DATA_AT; !rc && at < s->end; at += PIECE)
        rc = atomic_load(&s->m->stop) ? ERR_CLOSED
                                      : piece(s, l, at, s->end - at < PIECE ? (size_t)(s->end - at) : PIECE, out);
    int last = rc ? 0 : lame_encode_flush(l, out->p + out->len, (int)(out->room - out->len));
    out->len += last > 0 ? (size_t)last : 0;
    return rc ? rc : last < 0 ? ERR_IO : 0;
}

static int keep(struct rec_mp3 *m, const struct sink *made)
{
    struct rec_target t;
    int rc = rec_target_open(&t, m->blobs, m->keys, m->id, made->len);
    if (rc)
        return rc;
    m->bytes = made->len;
    return rec_target_finish(&t, rec_target_add(&t, made->p, made->len), m->mp3);
}

/* made->p is to be freed, also after an error. */
static int make(struct rec_mp3 *m, struct sink *out)
{
    struct source s = {.m = m};
    int rc = source_open(&s);
    if (rc)
        return rc;
    struct sink made = {.room = (size_t)(s.end - DATA_AT) * KBPS_A_CHANNEL / 64 + 2 * MP3_MAX};
    lame_global_flags *l = encoder(s.channels);
    made.p = malloc(made.room);
    rc = l && made.p ? encode(&s, l, &made) : ERR_NOMEM;
    if (l)
        lame_close(l);
    *out = made;
    return rc;
}

int rec_mp3_make(struct rec_mp3 *m)
{
    struct sink made = {.p = NULL};
    int rc = make(m, &made);
    if (!rc)
        rc = keep(m, &made);
    free(made.p);
    return rc;
}

int rec_mp3_bytes(struct rec_mp3 *m, void **data, size_t *len)
{
    struct sink made = {.p = NULL};
    int rc = make(m, &made);
    if (rc) {
        free(made.p);
        return rc;
    }
    *data = made.p;
    *len = made.len;
    return 0;
}
