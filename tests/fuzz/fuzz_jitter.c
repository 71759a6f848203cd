/* The jitter buffer against any sender: order, lengths and bounds hold whatever numbers come, at whatever times.
 *
 * The first byte chooses the least delay (3: times 20 ms), the clock (4: 48 kHz) and the most (8: 40 ms). Then records: a byte of choices and
 * what they ask for, in this order: 1 a packet in (2 its number, in two bytes, else the next one; 4 its time stamp, in four, else the next
 * one; 8 another SSRC, in one; 16 its length in 2.5 ms, in one, else 20 ms); 32 a pull; 64 time passes, in ms, in one byte, else 20. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/jitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
};

static uint32_t number(struct input *in, unsigned bytes)
{
    uint32_t v = 0;
    for (; bytes > 0 && in->left > 0; bytes--, in->left--)
        v = v << 8 | *in->data++;
    return v;
}

struct play {
    struct jitter *j;
    uint32_t hz, put, kept, given; /* packets put in are numbered, each tells its number */
    uint32_t max_ms;
    bool seen[65536];
};

static void put(struct play *p, struct jitter_packet *k, struct input *in, unsigned choice, uint64_t now_us)
{
    uint32_t n = p->put++;
    k->seq = (uint16_t)(choice & 2 ? number(in, 2) : k->seq + 1u);
    k->ts = choice & 4 ? number(in, 4) : k->ts + k->duration;
    k->ssrc = choice & 8 ? number(in, 1) : k->ssrc;
    k->duration = choice & 16 ? number(in, 1) * (p->hz / 400) : p->hz / 50;
    k->payload = (const uint8_t *)&n;
    k->len = sizeof n;
    p->kept += jitter_put(p->j, k, now_us) == JITTER_KEPT;
}

static void pull(struct play *p, uint64_t now_us)
{
    struct jitter_item it;
    uint32_t n;
    jitter_pull(p->j, now_us, &it);
    assert(it.duration > 0);
    assert(it.kind == JITTER_PACKET ? it.duration <= p->hz / 1000 * JITTER_PACKET_MAX_MS : it.duration <= p->hz / 50);
    assert(it.kind == JITTER_PACKET || !it.surplus);
    if (it.payload) {
        assert(it.len == sizeof n);
        memcpy(&n, it.payload, sizeof n);
        assert(n < p->put);
    }
    if (it.kind != JITTER_PACKET)
        return;
    assert(it.payload && !p->seen[n % 65536]); /* none twice */
    p->seen[n % 65536] = true;
    p->given++;
}

static void check(const struct play *p)
{
    struct jitter_stats st;
    jitter_get_stats(p->j, &st);
    assert(st.packets == p->kept && st.given == p->given && st.packets + st.late + st.again + st.noise == p->put);
    assert(st.given + st.dropped <= st.packets && st.lost_runs <= st.lost && st.target_ms <= p->max_ms);
    assert(st.delay_ms <= st.delay_max_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play p;
    struct input in = {.data = data, .left = size};
    uint32_t choice = number(&in, 1);
    struct jitter_config cfg = {.clock_hz = choice & 4 ? 48000 : 8000,
                                .min_ms = 20 * (choice & 3),
                                .max_ms = choice & 8 ? 60 : 0,
                                .payload_max = 4};
    struct jitter_packet last = {.seq = 65530, .ts = UINT32_MAX - 1000};
    uint64_t now_us = 1000000;
    memset(&p, 0, sizeof p);
    p.hz = cfg.clock_hz;
    p.max_ms = cfg.max_ms ? cfg.max_ms : 200;
    if (jitter_new(&cfg, &p.j))
        abort();
    while (in.left > 0 && p.put < 65536) {
        choice = number(&in, 1);
        if (choice & 1)
            put(&p, &last, &in, choice, now_us);
        if (choice & 32)
            pull(&p, now_us);
        now_us += choice & 64 ? number(&in, 1) * 1000u : 20000u;
        check(&p);
    }
    jitter_free(p.j);
    return 0;
}
