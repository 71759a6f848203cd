#include "telephony/recorder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/g711.h"

#define WINDOW 1600u    /* samples: packets may come out of order by so much */
#define BEHIND 1920     /* the line follows the clock at this distance when no packets push it */
#define JUMP 16000      /* a time stamp that is further from the clock is of another time line */
#define FRAME 160u      /* samples in which silence is looked for */
#define SOUND_LEVEL 200 /* mean of the absolute samples */

struct recorder {
    atomic_uint refs;
    struct recorder_params p;

    /* Media thread. Places are samples since the beginning. */
    bool mapped;
    int64_t head, top; /* before head all is out; nothing is known from top on */
    int64_t last_place;
    uint32_t last_ts;
    uint16_t last_seq;
    uint8_t window[WINDOW]; /* place p at p % WINDOW, from head on */
    uint64_t out;           /* samples that went out */
    uint64_t owed;          /* silence for what did not fit */
    uint64_t silent;        /* samples of silence at the end */
    uint8_t frame[FRAME];
    unsigned frame_n;

    /* Both. */
    atomic_int ended;
    _Atomic uint64_t begun_us; /* 0: not yet */
    _Atomic uint64_t lost;
    atomic_uint taken, put; /* of the ring: free-running */
    uint8_t ring[RECORDER_RING_BYTES];
};

int recorder_new(const struct recorder_params *p, struct recorder **out)
{
    struct recorder *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    g711_setup();
    atomic_init(&r->refs, 1u);
    r->p = *p;
    memset(r->window, RECORDER_SILENCE, sizeof r->window);
    *out = r;
    return 0;
}

struct recorder *recorder_ref(struct recorder *r)
{
    (void)atomic_fetch_add_explicit(&r->refs, 1u, memory_order_relaxed);
    return r;
}

void recorder_unref(struct recorder *r)
{
    if (r && atomic_fetch_sub_explicit(&r->refs, 1u, memory_order_acq_rel) == 1u)
        free(r);
}

/* ---- the reader */

/* Samples from this place of the ring on that lie in one piece. */
static size_t ring_piece(unsigned at, size_t n)
{
    size_t left = RECORDER_RING_BYTES - at % RECORDER_RING_BYTES;
    return n < left ? n : left;
}

size_t recorder_take(struct recorder *r, uint8_t *out, size_t max)
{
    unsigned taken = atomic_load_explicit(&r->taken, memory_order_relaxed);
    unsigned put = atomic_load_explicit(&r->put, memory_order_acquire);
    size_t n = put - taken < max ? put - taken : max;
    size_t first = ring_piece(taken, n);
    memcpy(out, r->ring + taken % RECORDER_RING_BYTES, first);
    memcpy(out + first, r->ring, n - first);
    atomic_store_explicit(&r->taken, taken + (unsigned)n, memory_order_release);
    return n;
}

enum recorder_end recorder_ended(const struct recorder *r)
{
    return (enum recorder_end)atomic_load_explicit(&r->ended, memory_order_acquire);
}

bool recorder_over(const struct recorder *r)
{
    return recorder_ended(r) != RECORDER_RUNS &&
           atomic_load_explicit(&r->put, memory_order_acquire) == atomic_load_explicit(&r->taken, memory_order_relaxed);
}

uint64_t recorder_begun_us(const struct recorder *r)
{
    return atomic_load_explicit(&r->begun_us, memory_order_acquire);
}

uint64_t recorder_lost(const struct recorder *r)
{
    return atomic_load_explicit(&r->lost, memory_order_relaxed);
}

bool recorder_sounds(const uint8_t *alaw, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)abs(g711_alaw_linear[alaw[i]]);
    return sum >= (uint64_t)SOUND_LEVEL * n;
}

/* ---- the media thread */

static void ring_put(struct recorder *r, const uint8_t *samples, size_t n)
{
    unsigned put = atomic_load_explicit(&r->put, memory_order_relaxed);
    size_t room = RECORDER_RING_BYTES - (put - atomic_load_explicit(&r->taken, memory_order_acquire));
    for (; r->owed && room; r->owed--, room--)
        r->ring[put++ % RECORDER_RING_BYTES] = RECORDER_SILENCE;
    if (n > room) {
        r->owed += n;
        (void)atomic_fetch_add_explicit(&r->lost, n, memory_order_relaxed);
        n = 0;
    }
    size_t first = ring_piece(put, n);
    memcpy(r->ring + put % RECORDER_RING_BYTES, samples, first);
    memcpy(r->ring, samples + first, n - first);
    atomic_store_explicit(&r->put, put + (unsigned)n, memory_order_release);
}

static void end(struct recorder *r, enum recorder_end why)
{
    if (recorder_ended(r) == RECORDER_RUNS)
        atomic_store_explicit(&r->ended, why, memory_order_release);
}

static void emit_frame(struct recorder *r, unsigned n)
{
    r->silent = recorder_sounds(r->frame, n) ? 0 : r->silent + n;
    ring_put(r, r->frame, n);
    r->out += n;
    r->frame_n = 0;
    if (r->p.silence_ms && r->silent >= r->p.silence_ms * 8ull)
        end(r, RECORDER_SILENCE_END);
    if (r->p.max_ms && r->out >= r->p.max_ms * 8ull)
        end(r, RECORDER_MAX);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Samples from this place of the line on that lie in one piece of the window, up to `to`. */
static size_t window_piece(int64_t place, int64_t to)
{
    return (size_t)least((uint64_t)(to - place), WINDOW - (uint64_t)place % WINDOW);
}

/* All before `to` goes out. */
static void advance(struct recorder *r, int64_t to)
{
    while (r->head < to && recorder_ended(r) == RECORDER_RUNS) {
        uint8_t *at = &r->window[(uint64_t)r->head % WINDOW];
        uint64_t left = r->p.max_ms ? r->p.max_ms * 8ull - r->out - r->frame_n : UINT64_MAX;
        size_t n = (size_t)least(window_piece(r->head, to), least(FRAME - r->frame_n, left));
        memcpy(r->frame + r->frame_n, at, n);
        memset(at, RECORDER_SILENCE, n);
        r->frame_n += (unsigned)n;
        r->head += (int64_t)n;
        if (r->frame_n == FRAME || n == left)
            emit_frame(r, r->frame_n);
    }
    r->top = r->top > r->head ? r->top : r->head;
}

static int64_t clock_place(struct recorder *r, uint64_t now_us)
{
    uint64_t begun_us = recorder_begun_us(r);
    if (!begun_us) {
        begun_us = now_us;
        atomic_store_explicit(&r->begun_us, now_us, memory_order_release);
    }
    return now_us > begun_us ? (int64_t)((now_us - begun_us) / 125u) : 0; /* threads read their clocks apart */
}

/* Where a packet belongs that nothing tells of: it ends now. */
static int64_t place_now(const struct recorder *r, int64_t now, size_t len)
{
    int64_t at = now - (int64_t)len;
    return at > r->top ? at : r->top;
}

static int64_t place_of(struct recorder *r, const struct recorder_packet *p, int64_t now)
{
    if (!r->mapped || p->restart)
        return place_now(r, now, p->len);
    int64_t at = r->last_place + (int32_t)(p->ts - r->last_ts);
    bool newer = (int16_t)(uint16_t)(p->seq - r->last_seq) > 0;
    if (at > now + JUMP || at < now - JUMP || (newer && at + (int64_t)p->len <= r->head))
        return newer ? place_now(r, now, p->len) : at;
    return at;
}

/* What of it lies in the window. */
static void write_down(struct recorder *r, const struct recorder_packet *p, int64_t at)
{
    int64_t place = at > r->head ? at : r->head, over = at + (int64_t)p->len, end = r->head + (int64_t)WINDOW;
    over = over < end ? over : end;
    while (place < over) {
        const uint8_t *from = p->payload + (place - at);
        uint8_t *to = &r->window[(uint64_t)place % WINDOW];
        size_t n = window_piece(place, over);
        if (!p->ulaw)
            memcpy(to, from, n);
        for (size_t i = 0; p->ulaw && i < n; i++)
            to[i] = g711_ulaw_alaw[from[i]];
        place += (int64_t)n;
    }
}

void recorder_put(struct recorder *r, const struct recorder_packet *p, uint64_t now_us)
{
    int64_t now = clock_place(r, now_us);
    if (recorder_ended(r) != RECORDER_RUNS || p->len == 0 || p->len > WINDOW / 2)
        return;
    int64_t at = place_of(r, p, now), over = at + (int64_t)p->len;
    bool newest = !r->mapped || p->restart || (int16_t)(uint16_t)(p->seq - r->last_seq) > 0;
    if (!newest && at > r->last_place)
        return; /* it came late, and says that it is of later: of another time line, or made up */
    if (newest) {
        r->mapped = true;
        r->last_place = at;
        r->last_ts = p->ts;
        r->last_seq = p->seq;
    }
    if (over > r->head + (int64_t)WINDOW)
        advance(r, over - (int64_t)WINDOW);
    write_down(r, p, at);
    r->top = over > r->top ? over : r->top;
}

bool recorder_tick(struct recorder *r, uint64_t now_us)
{
    if (recorder_ended(r) != RECORDER_RUNS)
        return true;
    int64_t to = clock_place(r, now_us) - BEHIND;
    if (to > r->head)
        advance(r, to);
    return recorder_ended(r) != RECORDER_RUNS;
}

void recorder_stop(struct recorder *r)
{
    advance(r, r->top);
    if (r->frame_n && recorder_ended(r) == RECORDER_RUNS)
        emit_frame(r, r->frame_n);
    end(r, RECORDER_STOPPED);
}
