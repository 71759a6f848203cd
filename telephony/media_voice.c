/* Sound decoded and coded by the codec of a session: for rooms, and wherever else packets are not relayed as they are. */
#include <stdlib.h>
#include <string.h>

#include "telephony/media_int.h"

#define MOUTH_MIN_MS 20u /* a tick of tolerance to begin with; the network teaches the rest */
#define MOUTH_MAX_MS 200u

const struct codec *media_codec(const struct sdp_session_params *p)
{
    if (!p->active)
        return NULL;
    switch (p->codec) {
    case SDP_PCMU:
        return codec_get(CODEC_PCMU);
    case SDP_G722:
        return codec_get(CODEC_G722);
    case SDP_OPUS:
        return codec_get(CODEC_OPUS);
    case SDP_PCMA:
    case SDP_OTHER:
    case SDP_TELEPHONE_EVENT:
    case SDP_CN:
    default:
        return codec_get(CODEC_PCMA);
    }
}

static bool g711(const struct codec *c)
{
    return c->id == CODEC_PCMU || c->id == CODEC_PCMA;
}

bool media_codec_relays(const struct codec *from, const struct codec *to)
{
    return !from || !to || from == to || (g711(from) && g711(to));
}

int media_mouth_new(const struct codec *codec, unsigned rate_hz, bool level, struct mouth **out)
{
    const struct mouth_config cfg = {
        .codec = codec, .rate_hz = rate_hz, .min_ms = MOUTH_MIN_MS, .max_ms = MOUTH_MAX_MS, .level = level};
    return mouth_new(&cfg, out);
}

/* What codec_encode takes that comes nearest to what the other side asks for. */
static unsigned packet_ms(const struct codec *codec, unsigned ptime_ms)
{
    bool fits = ptime_ms == 10 || ptime_ms == 20 || ptime_ms == 40 || ptime_ms == 60 ||
                (ptime_ms == 30 && codec->id != CODEC_OPUS);
    return fits ? ptime_ms : 20;
}

int media_coder_open(const struct codec *codec, unsigned rate_hz, const char *fmtp, struct codec_state **out)
{
    int rc = codec_open(codec, rate_hz, CODEC_ENCODE, fmtp, out, NULL);
    return rc == ERR_INVAL ? codec_open(codec, rate_hz, CODEC_ENCODE, NULL, out, NULL) : rc;
}

int media_coder_new(const struct codec *codec, unsigned rate_hz, unsigned ptime_ms, const char *fmtp,
                    struct media_coder **out)
{
    struct media_coder *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->codec = codec;
    c->rate_hz = rate_hz;
    c->whole = rate_hz / 1000 * packet_ms(codec, ptime_ms);
    int rc = media_coder_open(codec, rate_hz, fmtp, &c->state);
    if (rc)
        free(c);
    else
        *out = c;
    return rc;
}

void media_coder_free(struct media_coder *c)
{
    if (!c)
        return;
    codec_close(c->state);
    free(c);
}

unsigned media_coder_put(struct media_coder *c, const int16_t *pcm, unsigned n, uint8_t *out, bool *whole, size_t *len)
{
    unsigned take = c->whole - c->n < n ? c->whole - c->n : n;
    const int16_t *packet = pcm;
    *whole = false;
    *len = 0;
    if (take < c->whole) { /* else it is coded where it is */
        memcpy(c->pcm + c->n, pcm, take * sizeof *pcm);
        c->n += take;
        if (c->n < c->whole)
            return take;
        packet = c->pcm;
    }
    c->n = 0;
    *whole = true;
    int rc = codec_encode(c->state, packet, c->whole, out, CODEC_PACKET_MAX);
    *len = rc > 0 ? (size_t)rc : 0;
    return take;
}
