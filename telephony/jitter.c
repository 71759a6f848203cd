/* Two time lines meet here: the sender's, carried on over new SSRCs and time lines (`ts`, 64 bit), and that of our clock in the same units
 * (`at`). at - ts of a packet is its transit; `base` is the least of late. The `lag` of the place that is played next is
 * how long after the fastest packet its turn is; it must not be less than the target, so that a packet which is late by
 * no more than that is there.
 *
 *     IDLE --packet, lag >= target--> PLAYING --nothing for max_ms--> IDLE
 *
 * `done` is the number of the newest packet that was given out or given up: what is not newer is late. */
#include "telephony/jitter.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SEQ (UINT64_C(1) << 32) /* so that what is before the first packet has a number too */
#define JUMP_MS 1000                  /* a time stamp that is so far from where it should be is of another time line */
#define BUCKET_MS 4000
#define MOVED_MS 200 /* all packets are slower than max_ms for so long: the path has changed */
#define MAX_MS_DEFAULT 200

struct slot {
    bool used;
    uint64_t seq; /* stays when it is not used any more: duplicates */
    int64_t ts;
    uint32_t duration;
    size_t len;
    uint8_t buffer; /* where its payload is, while it is used */
};

/* The fastest and the slowest transit of a while. */
struct range {
    bool any;
    int64_t min, max;
};

struct jitter {
    uint32_t clock_hz, payload_max;
    int64_t frame, min, max, packet_max, jump, bucket, moved; /* in units */

    /* The sender's numbers on our lines. */
    bool begun;
    uint32_t ssrc, newest_ts32;
    uint16_t newest_seq16;
    uint64_t newest;               /* the greatest number so far */
    int64_t newest_ts, newest_end; /* of the latest audio */
    bool odd;                      /* a packet that was far off has come; the next one would be odd_seq */
    uint16_t odd_seq;

    bool playing;
    uint64_t done;
    int64_t play; /* what is given out next begins here */
    int64_t held; /* concealed at `play`, in the hope that the packet comes */
    bool stretched;
    bool gap_lost; /* something is missing since the last packet that was given out */
    unsigned used;
    uint8_t spare[JITTER_SLOTS]; /* buffers, the one that was used last on top: it is still in the processor's cache */

    struct range range[2]; /* of this bucket and of the one before */
    int64_t bucket_at;
    struct range over; /* packets slower than max, one after another */
    int64_t over_since;

    struct jitter_stats stats;
    uint64_t missing_units;
    struct slot slot[JITTER_SLOTS];
    uint8_t bytes[];
};

static void free_buffers(struct jitter *j)
{
    j->used = 0;
    for (unsigned i = 0; i < JITTER_SLOTS; i++)
        j->spare[i] = (uint8_t)i;
}

static void take(struct jitter *j, struct slot *s)
{
    s->used = true;
    s->buffer = j->spare[JITTER_SLOTS - 1 - j->used++];
}

static void let_go(struct jitter *j, struct slot *s)
{
    s->used = false;
    j->spare[JITTER_SLOTS - 1 - --j->used] = s->buffer;
}

static uint8_t *payload_of(struct jitter *j, const struct slot *s)
{
    return j->bytes + (size_t)s->buffer * j->payload_max;
}

int jitter_new(const struct jitter_config *cfg, struct jitter **out)
{
    uint32_t max_ms = cfg->max_ms ? cfg->max_ms : MAX_MS_DEFAULT;
    if (cfg->clock_hz < 8000 || cfg->clock_hz > 48000 || cfg->clock_hz % 50 || max_ms < 20 ||
        max_ms > JITTER_DELAY_MAX_MS || cfg->min_ms > max_ms || cfg->payload_max == 0 ||
        cfg->payload_max > JITTER_PAYLOAD_MAX)
        return ERR_INVAL;
    struct jitter *j = calloc(1, sizeof *j + (size_t)JITTER_SLOTS * cfg->payload_max);
    if (!j)
        return ERR_NOMEM;
    int64_t hz = cfg->clock_hz;
    j->clock_hz = cfg->clock_hz;
    j->payload_max = cfg->payload_max;
    j->frame = hz / 50;
    j->min = cfg->min_ms * hz / 1000;
    j->max = max_ms * hz / 1000;
    free_buffers(j);
    j->packet_max = JITTER_PACKET_MAX_MS * hz / 1000;
    j->jump = JUMP_MS * hz / 1000;
    j->bucket = BUCKET_MS * hz / 1000;
    j->moved = MOVED_MS * hz / 1000;
    *out = j;
    return 0;
}

void jitter_free(struct jitter *j)
{
    free(j);
}

void jitter_reset(struct jitter *j)
{
    j->begun = j->odd = j->playing = j->stretched = j->gap_lost = false;
    j->newest = j->done = 0;
    j->newest_ts = j->newest_end = j->play = j->held = 0;
    free_buffers(j);
    memset(j->range, 0, sizeof j->range);
    memset(j->slot, 0, sizeof j->slot);
    j->over.any = false;
}

static int64_t units(const struct jitter *j, uint64_t us)
{
    return (int64_t)(us / 1000000u * j->clock_hz + us % 1000000u * j->clock_hz / 1000000u);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- what the network does */

static int64_t base_of(const struct jitter *j)
{
    const struct range *now = &j->range[0], *before = &j->range[1];
    if (now->any && before->any)
        return least(now->min, before->min);
    return now->any ? now->min : before->any ? before->min : 0;
}

/* The delay of the slowest packet: with less, it would have come too late. */
static int64_t need_of(const struct jitter *j)
{
    int64_t slowest = base_of(j);
    for (unsigned i = 0; i < 2; i++) {
        if (j->range[i].any)
            slowest = most(slowest, j->range[i].max);
    }
    return least(slowest - base_of(j), j->max);
}

/* What is begun with, and gone back to where nobody speaks. */
static int64_t target_of(const struct jitter *j)
{
    return most(need_of(j), j->min);
}

static void widen(struct range *r, int64_t transit)
{
    r->min = r->any ? least(r->min, transit) : transit;
    r->max = r->any ? most(r->max, transit) : transit;
    r->any = true;
}

static void learn(struct jitter *j, int64_t transit, int64_t at)
{
    int64_t age = at - j->bucket_at;
    if (age >= j->bucket) {
        j->range[1] = j->range[0];
        if (age >= 2 * j->bucket)
            j->range[1].any = false;
        j->range[0].any = false;
        j->bucket_at = at;
    }
    if ((!j->range[0].any && !j->range[1].any) || transit - base_of(j) <= j->max) {
        j->over.any = false;
        widen(&j->range[0], transit);
        return;
    }
    if (!j->over.any)
        j->over_since = at;
    widen(&j->over, transit);
    if (at - j->over_since < j->moved)
        return;
    j->range[0] = j->over;
    j->range[1].any = j->over.any = false;
    j->bucket_at = at;
}

/* ---- packets in */

struct place {
    uint64_t seq;
    int64_t ts;
};

/* Another source or time line: it goes on after what is here, where the clock says. */
static struct place begin_anew(struct jitter *j, const struct jitter_packet *p, int64_t at)
{
    struct place to = {.seq = FIRST_SEQ, .ts = at};
    if (j->begun) {
        to.seq = j->newest + 1;
        to.ts = most(at - base_of(j), j->newest_end);
        j->stats.restarts++;
    } else {
        j->done = FIRST_SEQ - 1 - JITTER_SLOTS; /* older ones may come, out of order */
        j->newest_end = to.ts;
        j->bucket_at = at;
    }
    j->begun = true;
    j->odd = false;
    j->ssrc = p->ssrc;
    return to;
}

static bool fits(const struct jitter *j, int64_t ts, int64_t at)
{
    int64_t off = at - ts - base_of(j);
    return off <= j->jump && off >= -j->jump;
}

/* False: dropped until a second one follows it. */
static bool place_of(struct jitter *j, const struct jitter_packet *p, int64_t at, struct place *to)
{
    if (!j->begun || p->ssrc != j->ssrc) {
        *to = begin_anew(j, p, at);
        return true;
    }
    int ahead = (int16_t)(uint16_t)(p->seq - j->newest_seq16);
    to->ts = j->newest_ts + (int32_t)(p->ts - j->newest_ts32);
    if (ahead >= (int)JITTER_SLOTS || ahead <= -(int)JITTER_SLOTS) {
        if (p->duration && to->ts >= j->newest_end && fits(j, to->ts, at)) { /* after an outage */
            to->seq = ahead > 0 ? j->newest + (unsigned)ahead : j->newest + 1;
            return true;
        }
        if (!j->odd || p->seq != j->odd_seq) {
            j->odd = true;
            j->odd_seq = (uint16_t)(p->seq + 1);
            return false;
        }
        *to = begin_anew(j, p, at);
        return true;
    }
    j->odd = false;
    to->seq = (uint64_t)((int64_t)j->newest + ahead);
    if (ahead > 0 && p->duration) {
        if (!fits(j, to->ts, at)) {
            to->ts = at - base_of(j);
            j->stats.restarts++;
        }
        to->ts = most(to->ts, j->newest_end); /* time stamps that stand still or go back while numbers go on */
    }
    return true;
}

static void drop(struct jitter *j, struct slot *s)
{
    let_go(j, s);
    if (s->duration)
        j->stats.dropped++;
    j->done = s->seq > j->done ? s->seq : j->done;
}

/* What is buffered is newer than done: as a rule it is found at once. */
static struct slot *oldest(struct jitter *j)
{
    struct slot *found = NULL;
    if (j->used == 0)
        return NULL;
    if (j->newest > j->done && j->newest - j->done <= JITTER_SLOTS) {
        for (uint64_t seq = j->done + 1; seq <= j->newest; seq++) {
            struct slot *s = &j->slot[seq % JITTER_SLOTS];
            if (s->used && s->seq == seq)
                return s;
        }
    }
    for (unsigned i = 0; i < JITTER_SLOTS; i++) {
        struct slot *s = &j->slot[i];
        if (s->used && (!found || s->seq < found->seq))
            found = s;
    }
    return found;
}

/* What is buffered is no longer than max, but for a single packet. */
static void bound(struct jitter *j)
{
    int64_t from = j->newest_end - j->max;
    for (struct slot *s = oldest(j); s && s->ts < from && j->used > 1; s = oldest(j))
        drop(j, s);
    if (j->playing && j->play < from)
        j->play = from;
}

static void keep(struct jitter *j, struct slot *s, const struct jitter_packet *p, struct place at)
{
    for (struct slot *old = oldest(j); old && old->seq + JITTER_SLOTS <= j->newest; old = oldest(j))
        drop(j, old);
    *s = (struct slot){.seq = at.seq, .ts = at.ts, .duration = p->duration, .len = p->duration ? p->len : 0};
    take(j, s);
    if (s->len)
        memcpy(payload_of(j, s), p->payload, s->len);
    j->stats.packets++;
    bound(j);
}

enum jitter_put jitter_put(struct jitter *j, const struct jitter_packet *p, uint64_t now_us)
{
    int64_t at = units(j, now_us);
    struct place to;
    if (p->duration > j->packet_max || p->len > j->payload_max || (p->duration && !p->len) ||
        !place_of(j, p, at, &to)) {
        j->stats.noise++;
        return JITTER_NOISE;
    }
    struct slot *s = &j->slot[to.seq % JITTER_SLOTS];
    if (s->seq == to.seq) {
        j->stats.again++;
        return JITTER_AGAIN;
    }
    if (to.seq > j->newest) {
        j->newest = to.seq;
        j->newest_seq16 = p->seq;
    }
    if (p->duration) {
        learn(j, at - to.ts, at);
        if (to.ts + p->duration > j->newest_end || to.seq == j->newest) {
            j->newest_ts = to.ts;
            j->newest_ts32 = p->ts;
            j->newest_end = to.ts + p->duration;
        }
    }
    if (to.seq <= j->done || to.seq + JITTER_SLOTS <= j->newest) {
        j->stats.late++;
        return JITTER_LATE;
    }
    keep(j, s, p, to);
    return JITTER_KEPT;
}

/* ---- audio out */

static void attach(struct jitter *j, struct jitter_item *out, const struct slot *s)
{
    out->payload = payload_of(j, s);
    out->len = s->len;
}

static void silent(struct jitter_item *out, int64_t duration)
{
    *out = (struct jitter_item){.kind = JITTER_SILENT, .duration = (uint32_t)duration};
}

/* next: the packet after the gap, if what is missing now is the last piece before it. */
static void missing(struct jitter *j, struct jitter_item *out, int64_t duration, const struct slot *next)
{
    *out = (struct jitter_item){.kind = JITTER_MISSING, .duration = (uint32_t)duration};
    j->missing_units += (uint64_t)duration;
    if (next)
        attach(j, out, next);
}

/* It may still come: concealed, and the place stays. */
static void hold(struct jitter *j, struct jitter_item *out, const struct slot *next)
{
    j->held += j->frame;
    missing(j, out, j->frame, next);
}

/* The numbers between what was given out last and this one never came; `itself`: nor will it be given out. */
static void count_lost(struct jitter *j, uint64_t seq, bool itself)
{
    uint64_t n = seq - j->done - 1 + itself;
    if (j->done < FIRST_SEQ - 1) /* before the first packet nothing was lost */
        n = itself;
    if (n && !j->gap_lost)
        j->stats.lost_runs++;
    j->stats.lost += n;
    j->gap_lost = j->gap_lost || n;
}

static void give_up(struct jitter *j, struct slot *s)
{
    count_lost(j, s->seq, s->duration > 0);
    let_go(j, s);
    j->done = s->seq;
}

static void give(struct jitter *j, struct jitter_item *out, struct slot *s, int64_t lag)
{
    int64_t end = s->ts + s->duration;
    count_lost(j, s->seq, false);
    *out = (struct jitter_item){
        .kind = JITTER_PACKET,
        .duration = s->duration,
        .surplus = lag >= target_of(j) + j->frame + s->duration && j->newest_end - end >= j->frame,
    };
    attach(j, out, s);
    let_go(j, s);
    j->done = s->seq;
    j->play = end;
    j->held = 0;
    j->stretched = j->gap_lost = false;
    j->stats.delay_ms = (uint32_t)(most(lag, 0) * 1000 / j->clock_hz);
    j->stats.delay_max_ms = j->stats.delay_ms > j->stats.delay_max_ms ? j->stats.delay_ms : j->stats.delay_max_ms;
    j->stats.delay_sum_ms += j->stats.delay_ms;
    j->stats.given++;
}

/* A gap before s. True: *out fills some of it; false: it is over. */
static bool fill(struct jitter *j, struct jitter_item *out, const struct slot *s, int64_t at)
{
    bool lost = s->seq > j->done + 1 || j->gap_lost;
    int64_t target = lost ? need_of(j) : target_of(j), gap = s->ts - j->play, lag = at - base_of(j) - j->play;
    int64_t step = lost ? least(gap, j->held) : least(gap, most(lag - target, 0));
    j->play += step;
    gap -= step;
    lag -= step;
    if (lost)
        j->held -= step;
    if (gap <= 0)
        return false;
    const struct slot *next = gap <= j->frame ? s : NULL;
    int64_t n = least(gap, j->frame);
    if (lag < target) {
        if (lost)
            hold(j, out, next);
        else
            silent(out, j->frame);
        return true;
    }
    j->play += n;
    if (lost)
        missing(j, out, n, next);
    else
        silent(out, n);
    return true;
}

/* The oldest packet that is worth something: audio that is not over. */
static struct slot *next_audio(struct jitter *j)
{
    struct slot *s = oldest(j);
    while (s && (!s->duration || (j->playing && s->ts + s->duration <= j->play))) {
        give_up(j, s);
        s = oldest(j);
    }
    return s;
}

void jitter_pull(struct jitter *j, uint64_t now_us, struct jitter_item *out)
{
    int64_t at = units(j, now_us);
    struct slot *s = next_audio(j);
    if (!j->playing) {
        if (!s || at - base_of(j) - s->ts < target_of(j)) {
            silent(out, j->frame);
            return;
        }
        j->playing = true;
        j->play = s->ts;
        j->held = 0;
    }
    if (!s) {
        hold(j, out, NULL);
        j->playing = j->held < j->max;
        return;
    }
    if (s->ts > j->play && fill(j, out, s, at))
        return;
    int64_t lag = at - base_of(j) - j->play;
    if (lag < need_of(j) && !j->stretched) {
        j->stretched = true;
        missing(j, out, j->frame, NULL);
        return;
    }
    give(j, out, s, lag);
}

void jitter_get_stats(const struct jitter *j, struct jitter_stats *out)
{
    *out = j->stats;
    out->missing_ms = j->missing_units * 1000u / j->clock_hz;
    out->target_ms = (uint32_t)(target_of(j) * 1000 / j->clock_hz);
}
