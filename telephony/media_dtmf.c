/* Digits: RFC 4733 events received and sent; in-band tones found (spandsp) and made. Owner thread only, but for making and
 * freeing a detector. */
#include <spandsp.h>
#include <string.h>

#include "telephony/g711.h"
#include "telephony/media_int.h"

#define ENDS 3u          /* the end is sent three times (RFC 4733 section 2.5.1.4) */
#define REST_TICKS 3u    /* between two digits, at least 45 ms (Q.24) */
#define EVENT_VOLUME 10u /* -10 dBm0 */
#define SEGMENT_MAX 0xFFFFu
#define DEFAULT_MS 100u
#define LONGEST_MS 5000u

static const char DIGITS[] = "0123456789*#ABCD";

int media_dtmf_event_of(char digit)
{
    if (digit >= 'a' && digit <= 'd')
        digit = (char)(digit - 'a' + 'A');
    const char *at = digit ? strchr(DIGITS, digit) : NULL;
    return at ? (int)(at - DIGITS) : -1;
}

static uint32_t event_khz(const struct media_stream *s)
{
    return s->sdp.dtmf_clock_hz ? s->sdp.dtmf_clock_hz / 1000u : 8u;
}

bool media_dtmf_made_anew(const struct media_stream *s, const struct media_stream *d)
{
    return d->sdp.dtmf_pt < 0 || event_khz(s) != event_khz(d) || media_audio_transcodes(s, d);
}

static void report(struct media_stream *s)
{
    struct media_digit_rx *d = &s->digit_rx;
    struct media_event ev = {
        .type = MEDIA_EV_DTMF,
        .digit = DIGITS[d->event],
        .duration_ms = (d->dur_before + d->dur) / (d->inband ? 8u : event_khz(s)),
    };
    d->active = false;
    if (!media_thread_emit(s->t, s, &ev))
        s->t->count.queue_full++;
    if (media_stream_silent(s))
        return;
    if (s->room && !s->echo)
        media_room_key(s, ev.digit, ev.duration_ms, d->inband);
    /* The other leg cannot take these events: it is sent its own, or hears tones. Tones that came in-band went through as audio. */
    if (s->peer && !d->inband && media_dtmf_made_anew(s, s->peer))
        media_dtmf_queue(s->peer, ev.digit, ev.duration_ms);
}

/* When what began so long ago began, seen from the opening of the stream: before it, at another node? */
static bool before_opening(const struct media_stream *s, uint64_t ago_us)
{
    return s->given.goes_on && s->t->now_us < s->given.at_us + ago_us;
}

bool media_dtmf_elsewhere(struct media_stream *d, const struct rtp_packet *p)
{
    if (d->elsewhere.known && d->elsewhere.ts == p->ts)
        return true;
    if (p->len < 4 || p->marker)
        return false;
    uint64_t units = (uint64_t)(p->payload[2] << 8 | p->payload[3]);
    if (!before_opening(d, units * 1000u / event_khz(d)))
        return false;
    d->elsewhere.known = true;
    d->elsewhere.ts = p->ts;
    return true;
}

static void begin(struct media_stream *s, const struct rtp_packet *p, uint8_t event)
{
    s->digit_rx = (struct media_digit_rx){.active = true, .known = true, .event = event, .ssrc = p->ssrc, .ts = p->ts};
}

void media_dtmf_on_event(struct media_stream *s, const struct rtp_packet *p, bool late)
{
    struct media_digit_rx *d = &s->digit_rx;
    if (p->len < 4 || p->payload[0] > 15)
        return;
    uint8_t event = p->payload[0];
    bool end = p->payload[1] & 0x80;
    uint32_t dur = (uint32_t)(p->payload[2] << 8 | p->payload[3]);
    bool same = d->known && d->ssrc == p->ssrc && d->ts == p->ts && d->event == event;

    if (same && !d->active)
        return; /* a repeat of the end */
    if (!same) {
        if (late && d->known && d->ssrc == p->ssrc && (int32_t)(p->ts - d->ts) < 0)
            return; /* of a digit that is over */
        if (d->active && d->ssrc == p->ssrc && d->event == event && p->ts == d->ts + SEGMENT_MAX) {
            d->dur_before += SEGMENT_MAX; /* a key held so long that it needs a new segment (section 2.5.1.3) */
            d->ts = p->ts;
            d->dur = 0;
        } else {
            if (d->active)
                report(s); /* all its ends were lost */
            begin(s, p, event);
        }
    }
    if (dur > d->dur)
        d->dur = dur;
    if (!same && end && before_opening(s, MEDIA_ENDS_US)) {
        d->active = false; /* nothing but its end was seen: a repeat of the one that the former node has reported */
        return;
    }
    d->last_us = s->t->now_us;
    if (end)
        report(s);
}

void media_dtmf_check_lost(struct media_stream *s)
{
    if (s->t->now_us - s->digit_rx.last_us >= MEDIA_DIGIT_LOST_US)
        report(s);
}

/* spandsp tells the beginning (the digit) and the end (0) of a tone. */
static void on_tone(void *user, int code, int level, int delay)
{
    struct media_stream *s = user;
    struct media_digit_rx *d = &s->digit_rx;
    (void)level;
    (void)delay;
    int event = code > 0 && code < 128 ? media_dtmf_event_of((char)code) : -1;

    if (d->active) {
        d->dur = (uint32_t)(s->inband_samples - d->inband_start);
        report(s);
    }
    if (event >= 0) {
        *d = (struct media_digit_rx){.active = true, .event = (uint8_t)event, .inband = true};
        d->inband_start = s->inband_samples;
        d->last_us = s->t->now_us;
    }
}

struct dtmf_rx_state_s *media_dtmf_detector(struct media_stream *s)
{
    dtmf_rx_state_t *rx = dtmf_rx_init(NULL, NULL, NULL);
    if (rx)
        dtmf_rx_set_realtime_callback(rx, on_tone, s);
    return rx;
}

void media_dtmf_free(struct dtmf_rx_state_s *rx)
{
    if (rx)
        (void)dtmf_rx_free(rx);
}

void media_dtmf_on_audio(struct media_stream *s, const struct rtp_packet *p, enum media_kind kind)
{
    const int16_t *table = kind == MEDIA_KIND_ULAW ? g711_ulaw_linear : g711_alaw_linear;
    int16_t pcm[MEDIA_TICK_SAMPLES];

    for (size_t at = 0; at < p->len;) {
        size_t n = p->len - at < MEDIA_TICK_SAMPLES ? p->len - at : MEDIA_TICK_SAMPLES;
        for (size_t k = 0; k < n; k++)
            pcm[k] = table[p->payload[at + k]];
        media_dtmf_on_sound(s, pcm, (unsigned)n);
        at += n;
    }
}

void media_dtmf_on_sound(struct media_stream *s, const int16_t *pcm, unsigned n)
{
    s->inband_samples += n;
    (void)dtmf_rx(s->inband, pcm, (int)n);
    if (s->digit_rx.active && s->digit_rx.inband) {
        s->digit_rx.dur = (uint32_t)(s->inband_samples - s->digit_rx.inband_start);
        s->digit_rx.last_us = s->t->now_us;
    }
}

void media_dtmf_queue(struct media_stream *s, char digit, uint32_t ms)
{
    if (media_dtmf_event_of(digit) < 0)
        return;
    if (s->digits_count == MEDIA_DIGITS_MAX) { /* the newest is lost: those before it keep their order */
        s->t->count.queue_full++;
        return;
    }
    if (ms == 0)
        ms = DEFAULT_MS;
    unsigned at = (s->digits_head + s->digits_count++) % MEDIA_DIGITS_MAX;
    s->digits[at].digit = digit;
    s->digits[at].ms = (uint16_t)(ms > LONGEST_MS ? LONGEST_MS : ms < 40 ? 40 : ms);
}

static void start_digit(struct media_stream *s)
{
    static const uint16_t low[] = {697, 770, 852, 941}, high[] = {1209, 1336, 1477, 1633};
    static const uint8_t place[16] = {13, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 3, 7, 11, 15}; /* row * 4 + column */
    struct media_digit_tx *d = &s->digit_tx;
    int event = media_dtmf_event_of(s->digits[s->digits_head].digit);

    *d = (struct media_digit_tx){
        .active = true,
        .inband = s->sdp.dtmf_pt < 0,
        .event = (uint8_t)event,
        .ends_left = ENDS,
        .rest_ticks = REST_TICKS,
        .total = s->digits[s->digits_head].ms * (s->sdp.dtmf_pt < 0 ? 8u : event_khz(s)),
    };
    if (!d->inband && d->total > SEGMENT_MAX)
        d->total = SEGMENT_MAX; /* one segment: at 48 kHz no key lasts longer */
    d->step[0] = media_tone_step(low[place[event] / 4]);
    d->step[1] = media_tone_step(high[place[event] % 4]);
    s->digits_head = (s->digits_head + 1) % MEDIA_DIGITS_MAX;
    s->digits_count--;
    if (!d->inband)
        d->ts = s->tx.local ? s->tx.last_ts + s->tx.last_dur : media_stream_resume_ts(s);
}

static void send_event(struct media_stream *s, bool first, bool end)
{
    struct media_digit_tx *d = &s->digit_tx;
    uint8_t packet[RTP_HEADER_BYTES + 4], *p = packet + RTP_HEADER_BYTES;
    p[0] = d->event;
    p[1] = (uint8_t)((end ? 0x80u : 0) | EVENT_VOLUME);
    p[2] = (uint8_t)(d->dur >> 8);
    p[3] = (uint8_t)d->dur;
    media_stream_send_raw(s, first, (uint8_t)s->sdp.dtmf_pt, d->ts, p, 4);
    s->tx.last_ts = d->ts;
    s->tx.last_dur = d->dur * s->clock_khz / event_khz(s);
    s->tx.last_us = s->t->now_us;
    s->tx.local = false;
    s->stats_changed = true;
}

/* False: this tick sent nothing. */
static bool step_event(struct media_stream *s)
{
    struct media_digit_tx *d = &s->digit_tx;
    if (d->dur < d->total) {
        bool first = d->dur == 0;
        d->dur += MEDIA_TICK_US / 1000u * event_khz(s);
        if (d->dur > d->total)
            d->dur = d->total;
        send_event(s, first, false);
        return true;
    }
    if (d->ends_left == 0)
        return false;
    d->ends_left--;
    send_event(s, false, true);
    /* Time has gone on since the event's end; what comes next takes its stamp from there. */
    s->tx.last_dur += media_stream_units(s, MEDIA_TICK_US) * (ENDS - 1u - d->ends_left);
    return true;
}

static bool step_tone(struct media_stream *s)
{
    struct media_digit_tx *d = &s->digit_tx;
    int16_t pcm[MEDIA_TICK_SAMPLES] = {0};
    bool sounds = d->dur < d->total;
    int32_t amplitude[2] = {media_tone_amplitude(-8), media_tone_amplitude(-6)};

    for (unsigned k = 0; k < MEDIA_TICK_SAMPLES && d->dur < d->total; k++, d->dur++) {
        int v = 0;
        for (unsigned i = 0; i < 2; i++) {
            v += media_tone_sample(d->phase[i]) * amplitude[i] / 32768;
            d->phase[i] += d->step[i];
        }
        pcm[k] = (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
    }
    if (sounds)
        media_play_samples(s, pcm, MEDIA_TICK_SAMPLES);
    return sounds;
}

bool media_dtmf_tick(struct media_stream *s)
{
    struct media_digit_tx *d = &s->digit_tx;
    if (!d->active && s->digits_count == 0)
        return false;
    if (!s->tx_on) {
        d->active = false;
        if (s->have_remote)
            s->digits_count = 0; /* nobody may hear it: late digits would do harm */
        return false;
    }
    if (!d->active)
        start_digit(s);
    if (d->inband ? step_tone(s) : step_event(s))
        return true;
    if (d->rest_ticks > 0) {
        d->rest_ticks--;
        return true;
    }
    d->active = false;
    return false;
}
