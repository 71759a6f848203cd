/* The samples of both parties, each in its place of the recording, until a chunk is whole.
 *
 * A recorder (telephony/recorder.h) gives one steady line from the moment that it began; where that was in the recording is told by the clock. So
 * a party who comes later, goes and comes back, or is another one from now on stands where he was heard, and who is not heard is silence. A
 * channel with a recorder is known as far as that has given its samples; one without, up to a moment ago. */
#include <stdlib.h>
#include <string.h>

#include "node/recordings_int.h"
#include "telephony/recorder.h"

#define LAG_SAMPLES \
    3200u /* a recorder that has just begun may still tell of that long ago: more than its window and two looks */
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
    for (unsigned i = 0; i < REC_CHANNELS_MAX; i++)
        recorder_unref(l->channel[i].rec);
    free(l->buf);
    *l = (struct rec_line){0};
}

void rec_line_feed(struct rec_line *l, unsigned channel, struct recorder *rec)
{
    struct rec_channel *c = &l->channel[channel];
    recorder_unref(c->rec);
    c->rec = rec ? recorder_ref(rec) : NULL;
    c->placed = false;
}

uint64_t rec_line_lost(const struct rec_line *l)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < l->channels; i++)
        n += l->channel[i].rec ? recorder_lost(l->channel[i].rec) : 0;
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
    for (unsigned i = 0; i < l->channels; i++) {
        uint64_t begun = l->channel[i].rec ? recorder_begun_us(l->channel[i].rec) : 0;
        if (begun && rec_line_at(l, begun) < first)
            first = rec_line_at(l, begun);
    }
    first -= first % REC_CHUNK_SAMPLES;
    l->place = first > from ? first : from;
    l->placed = true;
}

/* What is before the beginning of buf has been written as silence: it comes too late. */
static void channel_take(struct rec_line *l, unsigned index)
{
    struct rec_channel *c = &l->channel[index];
    uint8_t in[TAKE];
    for (;;) {
        bool late = c->at < l->place;
        uint64_t room = late                                  ? l->place - c->at
                        : l->place + REC_LINE_SAMPLES > c->at ? l->place + REC_LINE_SAMPLES - c->at
                                                              : 0;
        size_t n = room ? recorder_take(c->rec, in, room < TAKE ? (size_t)room : TAKE) : 0;
        if (n == 0)
            return;
        for (size_t i = 0; !late && i < n; i++)
            l->buf[(c->at - l->place + i) * l->channels + index] = in[i];
        c->at += n;
    }
}

void rec_line_take(struct rec_line *l)
{
    for (unsigned i = 0; i < l->channels; i++) {
        struct rec_channel *c = &l->channel[i];
        uint64_t begun = c->rec ? recorder_begun_us(c->rec) : 0;
        if (!begun)
            continue;
        if (!l->based)
            rec_line_base(l, (int64_t)begun);
        if (!c->placed) {
            uint64_t at = rec_line_at(l, begun);
            c->at = at > c->at ? at : c->at;
            c->placed = true;
        }
        if (l->placed)
            channel_take(l, i);
    }
}

bool rec_line_over(const struct rec_line *l)
{
    for (unsigned i = 0; i < l->channels; i++)
        if (l->channel[i].rec && !recorder_over(l->channel[i].rec))
            return false;
    return true;
}

/* Up to where all channels are known. */
static uint64_t known(const struct rec_line *l, uint64_t now_us)
{
    uint64_t end = l->max, clock = settled(l, now_us);
    for (unsigned i = 0; i < l->channels; i++) {
        const struct rec_channel *c = &l->channel[i];
        bool runs = c->rec && c->placed && !recorder_over(c->rec);
        uint64_t at = runs || c->at > clock ? c->at : clock;
        end = at < end ? at : end;
    }
    return end;
}

static uint64_t last(const struct rec_line *l)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < l->channels; i++)
        end = l->channel[i].at > end ? l->channel[i].at : end;
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
