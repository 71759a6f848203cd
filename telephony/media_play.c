/* Prompts, music, tones and silence: made per tick, encoded, sent by ptime. Lists are made on the core thread, then
 * belong to the media thread. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/g711.h"
#include "telephony/media_int.h"

#define SINE_BITS 10
#define SINE_SIZE (1u << SINE_BITS)

struct item {
    struct media_item i;
    uint32_t step[2];
    int32_t amplitude;
};

struct media_playlist {
    uint32_t id;
    unsigned n, at;
    uint64_t pos; /* samples into the item `at` */
    uint32_t phase[2];
    struct item items[];
};

static int16_t sine[SINE_SIZE + 1];

static void build_sine(void)
{
    for (unsigned i = 0; i <= SINE_SIZE; i++)
        sine[i] = (int16_t)lrint(32767.0 * sin(2.0 * M_PI * i / SINE_SIZE));
}

uint32_t media_tone_step(unsigned hz)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, build_sine);
    return (uint32_t)(((uint64_t)hz << 32) / PROMPT_RATE_HZ);
}

int media_tone_sample(uint32_t phase)
{
    unsigned i = phase >> (32 - SINE_BITS);
    int frac = (int)(phase >> (32 - SINE_BITS - 8) & 255u);
    return sine[i] + (sine[i + 1] - sine[i]) * frac / 256;
}

/* A full-scale sine is +3.14 dBm0 in A-law (G.711), within 0.03 dB of mu-law. */
int32_t media_tone_amplitude(int dbm0)
{
    double a = 32767.0 * pow(10.0, (dbm0 - 3.14) / 20.0);
    return a > 32767.0 ? 32767 : (int32_t)a;
}

/* Samples of an item; 0: without end. */
static uint64_t item_length(const struct media_item *i)
{
    switch (i->kind) {
    case MEDIA_PROMPT:
        return i->prompt->n_samples;
    case MEDIA_SILENCE:
    case MEDIA_TONE:
        return (uint64_t)i->ms * PROMPT_RATE_HZ / 1000u;
    case MEDIA_MUSIC:
    default:
        return 0;
    }
}

static bool item_endless(const struct media_item *i)
{
    return i->kind == MEDIA_MUSIC || (i->kind != MEDIA_PROMPT && i->ms == 0);
}

static int check_item(const struct media_item *i)
{
    switch (i->kind) {
    case MEDIA_PROMPT:
        return i->prompt ? 0 : ERR_INVAL;
    case MEDIA_MUSIC:
        return i->prompt && i->prompt->n_samples > 0 ? 0 : ERR_INVAL;
    case MEDIA_SILENCE:
        return 0;
    case MEDIA_TONE:
        if (i->hz1 == 0 || i->hz1 >= PROMPT_RATE_HZ / 2 || i->hz2 >= PROMPT_RATE_HZ / 2)
            return ERR_RANGE;
        return (i->on_ms == 0) == (i->off_ms == 0) ? 0 : ERR_INVAL;
    default:
        return ERR_INVAL;
    }
}

static void skip_to(struct media_playlist *pl, uint32_t start_ms)
{
    uint64_t left = (uint64_t)start_ms * PROMPT_RATE_HZ / 1000u;
    while (pl->at < pl->n) {
        const struct media_item *i = &pl->items[pl->at].i;
        if (item_endless(i) || left < item_length(i)) {
            pl->pos = left;
            return;
        }
        left -= item_length(i);
        pl->at++;
    }
}

int media_playlist_new(const struct media_item *items, unsigned n, uint32_t start_ms, uint32_t id,
                       struct media_playlist **out)
{
    if (n == 0 || n > MEDIA_ITEMS_MAX)
        return ERR_RANGE;
    for (unsigned k = 0; k < n; k++) {
        int rc = check_item(&items[k]);
        if (rc)
            return rc;
    }
    struct media_playlist *pl = calloc(1, sizeof *pl + n * sizeof pl->items[0]);
    if (!pl)
        return ERR_NOMEM;
    pl->id = id;
    pl->n = n;
    for (unsigned k = 0; k < n; k++) {
        struct item *it = &pl->items[k];
        it->i = items[k];
        if (it->i.kind == MEDIA_PROMPT || it->i.kind == MEDIA_MUSIC) {
            it->i.prompt = prompt_ref(it->i.prompt);
        } else {
            it->i.prompt = NULL;
        }
        if (it->i.kind == MEDIA_TONE) {
            it->step[0] = media_tone_step(it->i.hz1);
            it->step[1] = it->i.hz2 ? media_tone_step(it->i.hz2) : 0;
            /* The level is that of the whole: each of two tones has half the power. */
            it->amplitude = media_tone_amplitude(it->i.level_dbm0);
            if (it->i.hz2)
                it->amplitude = it->amplitude * 181 / 256;
        }
    }
    skip_to(pl, start_ms);
    *out = pl;
    return 0;
}

void media_playlist_free(struct media_playlist *pl)
{
    if (!pl)
        return;
    for (unsigned k = 0; k < pl->n; k++)
        prompt_unref(pl->items[k].i.prompt);
    free(pl);
}

static void fill_tone(struct media_playlist *pl, const struct item *it, int16_t *out, unsigned n)
{
    uint64_t on = (uint64_t)it->i.on_ms * 8u, cycle = on + (uint64_t)it->i.off_ms * 8u;
    for (unsigned k = 0; k < n; k++) {
        bool sounds = cycle == 0 || (pl->pos + k) % cycle < on;
        int v = 0;
        if (sounds) {
            v = media_tone_sample(pl->phase[0]) * it->amplitude / 32768;
            if (it->step[1])
                v += media_tone_sample(pl->phase[1]) * it->amplitude / 32768;
        }
        pl->phase[0] += it->step[0];
        pl->phase[1] += it->step[1];
        out[k] = (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
    }
}

static void fill_music(struct media_playlist *pl, const struct prompt *p, int16_t *out, unsigned n)
{
    uint32_t at = (uint32_t)(pl->pos % p->n_samples);
    for (unsigned k = 0; k < n; k++) {
        out[k] = p->pcm[at];
        at = at + 1 < p->n_samples ? at + 1 : 0;
    }
}

/* Up to n samples; fewer only at the end of the list. */
static unsigned fill(struct media_playlist *pl, int16_t *out, unsigned n)
{
    unsigned done = 0;
    while (done < n && pl->at < pl->n) {
        const struct item *it = &pl->items[pl->at];
        uint64_t left = item_endless(&it->i) ? UINT64_MAX : item_length(&it->i) - pl->pos;
        unsigned take = left < n - done ? (unsigned)left : n - done;
        switch (it->i.kind) {
        case MEDIA_PROMPT:
            memcpy(out + done, it->i.prompt->pcm + pl->pos, take * sizeof *out);
            break;
        case MEDIA_MUSIC:
            fill_music(pl, it->i.prompt, out + done, take);
            break;
        case MEDIA_TONE:
            fill_tone(pl, it, out + done, take);
            break;
        case MEDIA_SILENCE:
        default:
            memset(out + done, 0, take * sizeof *out);
            break;
        }
        done += take;
        pl->pos += take;
        if (take == left) {
            pl->at++;
            pl->pos = 0;
            pl->phase[0] = pl->phase[1] = 0;
        }
    }
    return done;
}

void media_play_samples(struct media_stream *s, const int16_t *pcm, unsigned n)
{
    uint8_t packet[RTP_HEADER_BYTES + MEDIA_FRAME_MAX];
    unsigned whole = s->sdp.ptime_ms * 8u;
    if (whole == 0 || whole > MEDIA_FRAME_MAX)
        whole = MEDIA_TICK_SAMPLES;
    bool ulaw = s->sdp.codec == SDP_PCMU;

    if (!media_audio_narrow(s->sdp.codec)) {
        media_audio_say(s, pcm, n);
        return;
    }
    for (unsigned k = 0; k < n; k++) {
        s->frame[s->frame_n++] = ulaw ? g711_ulaw_encode(pcm[k]) : g711_alaw_encode(pcm[k]);
        if (s->frame_n < whole)
            continue;
        memcpy(packet + RTP_HEADER_BYTES, s->frame, whole);
        media_stream_send_local(s, packet + RTP_HEADER_BYTES, whole, whole);
        s->frame_n = 0;
        s->stats_changed = true;
    }
}

/* What waits for a whole packet at the end of a list goes out filled up with silence. */
static void flush(struct media_stream *s)
{
    static const int16_t silence[MEDIA_FRAME_MAX];
    unsigned whole = s->sdp.ptime_ms * 8u;
    if (whole == 0 || whole > MEDIA_FRAME_MAX)
        whole = MEDIA_TICK_SAMPLES;
    media_audio_flush(s);
    if (s->frame_n > 0)
        media_play_samples(s, silence, whole - s->frame_n);
}

void media_play_drop(struct media_stream *s)
{
    media_playlist_free(s->play);
    s->play = NULL;
    s->frame_n = 0;
    media_audio_drop(s);
    s->tx.local = false;
}

void media_play_tick(struct media_stream *s)
{
    struct media_playlist *pl = s->play;
    int16_t pcm[MEDIA_TICK_SAMPLES];

    if (!s->have_remote) /* nobody to hear it yet: wait; on hold, time goes on */
        return;
    unsigned n = fill(pl, pcm, MEDIA_TICK_SAMPLES);
    if (s->tx_on) {
        if (n > 0)
            media_play_samples(s, pcm, n);
    } else {
        s->frame_n = 0;
        media_audio_drop(s);
        s->tx.local = false;
    }
    if (pl->at < pl->n)
        return;
    if (s->tx_on)
        flush(s);
    struct media_event ev = {.type = MEDIA_EV_PLAYED, .play_id = pl->id};
    if (media_thread_emit(s->t, s, &ev)) /* else the list stays, empty, and the next tick tries again */
        media_play_drop(s);
}
