#include "telephony/mouth.h"

#include <stdlib.h>
#include <string.h>

#include "telephony/level.h"

#define FRAME_MAX 960u /* 20 ms at 48 kHz */
#define QUIET 100u     /* mean of the absolute samples: about -50 dBm0 */

struct mouth {
    const struct codec *codec;
    struct codec_state *state;
    struct jitter *jitter;
    unsigned frame, given; /* given: samples at the beginning that the last call gave out */
    unsigned n, sound;     /* samples that are there; up to where there is sound */
    bool levelled;
    struct level level;
    int16_t pcm[FRAME_MAX + CODEC_SAMPLES_MAX];
};

int mouth_new(const struct mouth_config *cfg, struct mouth **out)
{
    struct mouth *m = calloc(1, sizeof *m);
    if (!m)
        return ERR_NOMEM;
    m->codec = cfg->codec;
    m->frame = cfg->rate_hz / 50;
    m->levelled = cfg->level;
    const struct jitter_config jc = {.clock_hz = cfg->codec->clock_hz,
                                     .min_ms = cfg->min_ms,
                                     .max_ms = cfg->max_ms,
                                     .payload_max = CODEC_PACKET_MAX};
    int rc = codec_open(cfg->codec, cfg->rate_hz, CODEC_DECODE, NULL, &m->state, NULL);
    if (!rc)
        rc = jitter_new(&jc, &m->jitter);
    if (rc)
        mouth_free(m);
    else
        *out = m;
    return rc;
}

void mouth_free(struct mouth *m)
{
    if (!m)
        return;
    codec_close(m->state);
    jitter_free(m->jitter);
    free(m);
}

enum jitter_put mouth_put(struct mouth *m, const struct rtp_packet *p, bool audio, uint64_t now_us)
{
    struct jitter_packet k = {.ssrc = p->ssrc, .ts = p->ts, .seq = p->seq};
    if (audio && p->len > 0) {
        k.duration = codec_duration(m->codec, p->payload, p->len);
        k.payload = p->payload;
        k.len = k.duration ? p->len : JITTER_PAYLOAD_MAX + 1; /* not of this codec: noise */
    }
    return jitter_put(m->jitter, &k, now_us);
}

static bool quiet(const int16_t *pcm, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += (uint64_t)abs(pcm[i]);
    return sum <= (uint64_t)n * QUIET;
}

/* Appends what the item says; false: it is left out. */
static bool append(struct mouth *m, const struct jitter_item *it)
{
    int16_t *to = m->pcm + m->n;
    unsigned room = FRAME_MAX + CODEC_SAMPLES_MAX - m->n, n = codec_samples(m->state, it->duration);
    n = n < room ? n : room;
    if (it->kind == JITTER_SILENT) {
        memset(to, 0, n * sizeof *to);
        m->n += n;
        return true;
    }
    if (it->kind == JITTER_MISSING) {
        codec_lost(m->state, it->payload, it->len, to, n);
    } else {
        int got = codec_decode(m->state, it->payload, it->len, to, room);
        if (got < 0)
            codec_lost(m->state, NULL, 0, to, n);
        else
            n = (unsigned)got;
        if (it->surplus && quiet(to, n))
            return false;
    }
    m->n += n;
    m->sound = m->n;
    return true;
}

const int16_t *mouth_frame(struct mouth *m, uint64_t now_us)
{
    m->n -= m->given;
    m->sound -= m->sound < m->given ? m->sound : m->given;
    memmove(m->pcm, m->pcm + m->given, m->n * sizeof *m->pcm);
    for (unsigned left_out = 0; m->n < m->frame;) {
        struct jitter_item it;
        jitter_pull(m->jitter, now_us, &it);
        it.surplus = it.surplus && left_out < JITTER_SLOTS;
        if (!append(m, &it))
            left_out++;
    }
    m->given = m->frame;
    if (m->levelled && m->sound > 0)
        level_run(&m->level, m->pcm, m->frame, m->pcm);
    return m->sound > 0 ? m->pcm : NULL;
}

void mouth_reset(struct mouth *m)
{
    jitter_reset(m->jitter);
    m->n = m->given = m->sound = 0;
}

void mouth_get_stats(const struct mouth *m, struct jitter_stats *out)
{
    jitter_get_stats(m->jitter, out);
}
