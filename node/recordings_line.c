/* The samples of all parties, each in its place of the recording, until a chunk is whole.
 *
 * A recorder (telephony/recorder.h) gives one steady line from the moment that it began; where that was in the recording is told by the clock. So
 * a party who comes later, goes and comes back, or is another one from now on stands where he was heard, and who is not heard is silence. Of
 * several in one channel the sum is heard, cut off at the loudest that there is. A channel is known as far as each of its recorders has given
 * its samples; one without, up to a moment ago. */
#include <stdlib.h>
#include <string.h>

#include "node/recordings_int.h"
#include "telephony/g711.h"
#include "telephony/recorder.h"

#define LAG_SAMPLES \
    3200u /* a recorder that has just begun may still tell of that long ago: more than its window and two looks */
#define FRONT_SAMPLES 1600u /* and one that runs gives nothing that is younger, unless its sender is ahead */
#define US_A_SAMPLE 125
#define TAKE 1600u

int rec_line_open(struct rec_line *l, unsigned channels, uint64_t max)
{
    uint8_t *buf = malloc((size_t)REC_LINE_SAMPLES * channels);
    if (!buf)
        return ERR_NOMEM;
    memset(buf, RECORDER_SILENCE, (size_t)REC_LINE_SAMPLES * channels);
    *l = (struct rec_line){.channels = channels, .max = max, .buf = buf};
    return 0;
}

void rec_line_close(struct rec_line *l)
{
    for (unsigned i = 0; i < l->n_voices; i++)
        recorder_unref(l->voice[i].rec);
    free(l->buf);
    *l = (struct rec_line){0};
}

int rec_line_feed(struct rec_line *l, unsigned channel, struct recorder *rec)
{
    if (l->n_voices == REC_VOICES_MAX)
        return ERR_TOOBIG;
    l->voice[l->n_voices++] = (struct rec_voice){.rec = recorder_ref(rec), .channel = channel};
    return 0;
}

static void voice_drop(struct rec_line *l, unsigned i)
{
    struct rec_voice *v = &l->voice[i];
    l->end = v->at > l->end ? v->at : l->end;
    l->lost += recorder_lost(v->rec);
    recorder_unref(v->rec);
    *v = l->voice[--l->n_voices];
}

void rec_line_cut(struct rec_line *l, const struct recorder *rec)
{
    for (unsigned i = 0; i < l->n_voices; i++) {
        if (l->voice[i].rec == rec) {
            voice_drop(l, i);
            return;
        }
    }
}

uint64_t rec_line_lost(const struct rec_line *l)
{
    uint64_t n = l->lost;
    for (unsigned i = 0; i < l->n_voices; i++)
        n += recorder_lost(l->voice[i].rec);
    return n;
}

void rec_line_base(struct rec_line *l, int64_t base_us)
{
    l->based = true;
    l->base_us = base_us;
}

uint64_t rec_line_at(const struct rec_line *l, uint64_t now_us)
{
    int64_t gone = l->based ? (int64_t)now_us - l->base_us : 0;
    return gone > 0 ? (uint64_t)(gone / US_A_SAMPLE) : 0;
}

/* Where the clock is, as far as a recorder may still tell. */
static uint64_t settled(const struct rec_line *l, uint64_t now_us)
{
    uint64_t at = rec_line_at(l, now_us);
    return at > LAG_SAMPLES ? at - LAG_SAMPLES : 0;
}

void rec_line_begin(struct rec_line *l, uint64_t from, uint64_t now_us)
{
    uint64_t first = rec_line_at(l, now_us); /* who is still to be heard begins behind it */
    for (unsigned i = 0; i < l->n_voices; i++) {
        uint64_t begun = recorder_begun_us(l->voice[i].rec);
        if (begun && rec_line_at(l, begun) < first)
            first = rec_line_at(l, begun);
    }
    first -= first % REC_CHUNK_SAMPLES;
    l->place = first > from ? first : from;
    l->placed = true;
}

static uint8_t mixed(uint8_t a, uint8_t b)
{
    int32_t sum = g711_alaw_linear[a] + g711_alaw_linear[b];
    return b == RECORDER_SILENCE   ? a
           : a == RECORDER_SILENCE ? b
                                   : g711_alaw_encode((int16_t)(sum > INT16_MAX   ? INT16_MAX
                                                                : sum < INT16_MIN ? INT16_MIN
                                                                                  : sum));
}

/* What is before the beginning of buf has been written as silence: it comes too late. */
static void voice_take(struct rec_line *l, struct rec_voice *v)
{
    uint8_t in[TAKE];
    for (;;) {
        bool late = v->at < l->place;
        uint64_t room = late                                  ? l->place - v->at
                        : l->place + REC_LINE_SAMPLES > v->at ? l->place + REC_LINE_SAMPLES - v->at
                                                              : 0;
        size_t n = room ? recorder_take(v->rec, in, room < TAKE ? (size_t)room : TAKE) : 0;
        if (n == 0)
            return;
        uint8_t *to = l->buf + (late ? 0 : v->at - l->place) * l->channels + v->channel;
        for (size_t i = 0; !late && i < n; i++, to += l->channels)
            *to = mixed(*to, in[i]);
        v->at += n;
    }
}

void rec_line_take(struct rec_line *l)
{
    for (unsigned i = l->n_voices; i-- > 0;) { /* the last one takes the place of one that goes */
        struct rec_voice *v = &l->voice[i];
        uint64_t begun = recorder_begun_us(v->rec);
        if (begun && !l->based)
            rec_line_base(l, (int64_t)begun);
        if (begun && !v->placed) {
            v->at = rec_line_at(l, begun);
            v->placed = true;
        }
        if (begun && l->placed)
            voice_take(l, v);
        if (recorder_over(v->rec)) /* and taken: what it had went out before it was over */
            voice_drop(l, i);
    }
}

bool rec_line_over(const struct rec_line *l)
{
    for (unsigned i = 0; i < l->n_voices; i++)
        if (!recorder_over(l->voice[i].rec))
            return false;
    return true;
}

/* Up to where all channels are known. A sender whose time stamps run ahead of the clock does not lead: who begins to be heard beside him does so by
 * the clock. */
static uint64_t known(const struct rec_line *l, uint64_t now_us)
{
    uint64_t clock = settled(l, now_us), front = clock + (LAG_SAMPLES - FRONT_SAMPLES);
    uint64_t end = front < l->max ? front : l->max;
    bool runs[REC_CHANNELS_MAX] = {false};
    for (unsigned i = 0; i < l->n_voices; i++) {
        const struct rec_voice *v = &l->voice[i];
        if (!v->placed || recorder_over(v->rec))
            continue;
        runs[v->channel] = true;
        end = v->at < end ? v->at : end;
    }
    for (unsigned i = 0; i < l->channels; i++)
        if (!runs[i])
            end = clock < end ? clock : end;
    return end;
}

static uint64_t last(const struct rec_line *l)
{
    uint64_t end = l->end;
    for (unsigned i = 0; i < l->n_voices; i++)
        end = l->voice[i].at > end ? l->voice[i].at : end;
    return end < l->max ? end : l->max;
}

size_t rec_line_ready(const struct rec_line *l, uint64_t now_us, bool finishing)
{
    if (!l->placed)
        return 0;
    bool over = finishing && rec_line_over(l);
    uint64_t end = over ? last(l) : known(l, now_us);
    uint64_t n = end > l->place ? end - l->place : 0;
    if (n > REC_LINE_SAMPLES)
        n = REC_LINE_SAMPLES;
    return (size_t)(over || end == l->max ? n : n - n % REC_CHUNK_SAMPLES);
}

void rec_line_written(struct rec_line *l, size_t samples)
{
    size_t gone = samples * l->channels, all = (size_t)REC_LINE_SAMPLES * l->channels;
    memmove(l->buf, l->buf + gone, all - gone);
    memset(l->buf + all - gone, RECORDER_SILENCE, gone);
    l->place += samples;
}
