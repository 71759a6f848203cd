#include "telephony/mix.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Samples are summed by blocks of a length that is known to the compiler: so it makes vectors of them at -O2. */
#define BLOCK 16u

struct mix {
    unsigned frame;
    uint64_t ears;                                      /* that hear any mouth */
    uint32_t plain[MIX_EARS_MAX], scaled[MIX_EARS_MAX]; /* mouths heard at gain 1, and at another gain */
    uint8_t gain[MIX_EARS_MAX][MIX_PARTIES_MAX];

    /* Of one mix_run. */
    const int16_t *const *in;
    uint32_t all; /* mouths in the total */
    bool have_total;
    unsigned n_sums;
    uint32_t sum_of[MIX_EARS_MAX]; /* the mouths of each plain sum, 0: not to be shared */
    int32_t total[MIX_FRAME_MAX];
    int16_t sum[MIX_EARS_MAX][MIX_FRAME_MAX];
};

int mix_new(unsigned rate_hz, struct mix **out)
{
    if (rate_hz != 8000 && rate_hz != 16000)
        return ERR_INVAL;
    struct mix *m = calloc(1, sizeof *m);
    if (!m)
        return ERR_NOMEM;
    m->frame = rate_hz / 50;
    *out = m;
    return 0;
}

void mix_free(struct mix *m)
{
    free(m);
}

unsigned mix_frame(const struct mix *m)
{
    return m->frame;
}

static void set(struct mix *m, unsigned ear, unsigned mouth, unsigned gain)
{
    uint32_t bit = UINT32_C(1) << mouth;
    m->gain[ear][mouth] = (uint8_t)gain;
    m->plain[ear] = gain == MIX_UNITY ? m->plain[ear] | bit : m->plain[ear] & ~bit;
    m->scaled[ear] = gain && gain != MIX_UNITY ? m->scaled[ear] | bit : m->scaled[ear] & ~bit;
    uint64_t ear_bit = UINT64_C(1) << ear;
    m->ears = m->plain[ear] | m->scaled[ear] ? m->ears | ear_bit : m->ears & ~ear_bit;
}

int mix_hear(struct mix *m, unsigned ear, unsigned mouth, unsigned gain)
{
    if (ear >= MIX_EARS_MAX || mouth >= MIX_PARTIES_MAX || gain > MIX_GAIN_MAX)
        return ERR_RANGE;
    if (ear == mouth)
        return ERR_INVAL;
    set(m, ear, mouth, gain);
    return 0;
}

unsigned mix_gain(const struct mix *m, unsigned ear, unsigned mouth)
{
    return ear < MIX_EARS_MAX && mouth < MIX_PARTIES_MAX ? m->gain[ear][mouth] : 0;
}

void mix_conference(struct mix *m, uint32_t parties)
{
    for (unsigned ear = 0; ear < MIX_PARTIES_MAX; ear++) {
        for (unsigned mouth = 0; mouth < MIX_PARTIES_MAX; mouth++) {
            if (ear != mouth && parties >> ear & 1 && parties >> mouth & 1)
                set(m, ear, mouth, MIX_UNITY);
        }
    }
}

void mix_drop(struct mix *m, unsigned ear)
{
    if (ear >= MIX_EARS_MAX)
        return;
    for (unsigned i = 0; i < MIX_PARTIES_MAX; i++)
        set(m, ear, i, 0);
    for (unsigned i = 0; ear < MIX_PARTIES_MAX && i < MIX_EARS_MAX; i++)
        set(m, i, ear, 0);
}

/* ---- one frame */

static unsigned count(uint32_t mouths)
{
    return (unsigned)__builtin_popcount(mouths);
}

static int16_t cut(int32_t v)
{
    v = v > INT16_MAX ? INT16_MAX : v;
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v);
}

static void add(int32_t acc[BLOCK], const int16_t *a)
{
    for (unsigned k = 0; k < BLOCK; k++)
        acc[k] += a[k];
}

static void subtract(int32_t acc[BLOCK], const int16_t *a)
{
    for (unsigned k = 0; k < BLOCK; k++)
        acc[k] -= a[k];
}

static void add_scaled(int32_t acc[BLOCK], const int16_t *a, int32_t gain)
{
    for (unsigned k = 0; k < BLOCK; k++)
        acc[k] += a[k] * gain;
}

static void put(int16_t *out, const int32_t acc[BLOCK])
{
    for (unsigned k = 0; k < BLOCK; k++)
        out[k] = cut(acc[k]);
}

/* The samples of these mouths; how many. */
static unsigned list(const struct mix *m, uint32_t mouths, const int16_t *of[MIX_PARTIES_MAX])
{
    unsigned n = 0;
    for (; mouths; mouths &= mouths - 1)
        of[n++] = m->in[__builtin_ctz(mouths)];
    return n;
}

static void sum_up(struct mix *m, uint32_t mouths, int16_t *out)
{
    const int16_t *of[MIX_PARTIES_MAX];
    unsigned n = list(m, mouths, of);
    for (unsigned at = 0; at < m->frame; at += BLOCK) {
        int32_t acc[BLOCK] = {0};
        for (unsigned i = 0; i < n; i++)
            add(acc, of[i] + at);
        put(out + at, acc);
    }
}

static void make_total(struct mix *m)
{
    const int16_t *of[MIX_PARTIES_MAX];
    unsigned n = list(m, m->all, of);
    for (unsigned at = 0; at < m->frame; at += BLOCK) {
        int32_t acc[BLOCK] = {0};
        for (unsigned i = 0; i < n; i++)
            add(acc, of[i] + at);
        memcpy(m->total + at, acc, sizeof acc);
    }
    m->have_total = true;
}

static void take_off(struct mix *m, uint32_t mouths, int16_t *out)
{
    const int16_t *of[MIX_PARTIES_MAX];
    unsigned n = list(m, mouths, of);
    if (!m->have_total)
        make_total(m);
    for (unsigned at = 0; at < m->frame; at += BLOCK) {
        int32_t acc[BLOCK];
        memcpy(acc, m->total + at, sizeof acc);
        for (unsigned i = 0; i < n; i++)
            subtract(acc, of[i] + at);
        put(out + at, acc);
    }
}

static void sum_scaled(struct mix *m, unsigned ear, uint32_t plain, uint32_t scaled, int16_t *out)
{
    const int16_t *of[MIX_PARTIES_MAX], *louder[MIX_PARTIES_MAX];
    int32_t gain[MIX_PARTIES_MAX];
    unsigned n = list(m, plain, of), n_louder = list(m, scaled, louder), g = 0;
    for (uint32_t left = scaled; left; left &= left - 1)
        gain[g++] = m->gain[ear][__builtin_ctz(left)];
    for (unsigned at = 0; at < m->frame; at += BLOCK) {
        int32_t acc[BLOCK] = {0};
        for (unsigned i = 0; i < n_louder; i++)
            add_scaled(acc, louder[i] + at, gain[i]);
        for (unsigned k = 0; k < BLOCK; k++)
            acc[k] /= (int32_t)MIX_UNITY;
        for (unsigned i = 0; i < n; i++)
            add(acc, of[i] + at);
        put(out + at, acc);
    }
}

static const int16_t *hear_plain(struct mix *m, uint32_t mouths, bool by_total)
{
    for (unsigned i = 0; i < m->n_sums; i++) {
        if (m->sum_of[i] == mouths)
            return m->sum[i];
    }
    int16_t *out = m->sum[m->n_sums];
    m->sum_of[m->n_sums++] = mouths;
    if (by_total && count(m->all & ~mouths) + 1 < count(mouths))
        take_off(m, m->all & ~mouths, out);
    else
        sum_up(m, mouths, out);
    return out;
}

/* Whether one sum of all is worth its cost: what it saves the ears that hear nearly all. */
static bool total_pays(struct mix *m, uint32_t talking)
{
    int saved = 0;
    m->all = 0;
    for (uint64_t ears = m->ears; ears; ears &= ears - 1)
        m->all |= m->plain[__builtin_ctzll(ears)] & talking;
    for (uint64_t ears = m->ears; ears; ears &= ears - 1) {
        uint32_t heard = m->plain[__builtin_ctzll(ears)] & talking;
        int gain = (int)count(heard) - (int)count(m->all & ~heard) - 1;
        saved += gain > 0 ? gain : 0;
    }
    return saved > (int)count(m->all);
}

void mix_run(struct mix *m, const int16_t *const in[MIX_PARTIES_MAX], const int16_t *out[MIX_EARS_MAX])
{
    uint32_t talking = 0;
    for (unsigned i = 0; i < MIX_PARTIES_MAX; i++)
        talking |= (uint32_t)(in[i] != NULL) << i;
    memset(out, 0, MIX_EARS_MAX * sizeof *out);
    if (!talking)
        return;
    m->in = in;
    m->have_total = false;
    m->n_sums = 0;
    bool by_total = count(talking) > 3 && total_pays(m, talking);
    for (uint64_t ears = m->ears; ears; ears &= ears - 1) {
        unsigned ear = (unsigned)__builtin_ctzll(ears);
        uint32_t plain = m->plain[ear] & talking, scaled = m->scaled[ear] & talking;
        if (scaled) {
            out[ear] = m->sum[m->n_sums];
            sum_scaled(m, ear, plain, scaled, m->sum[m->n_sums]);
            m->sum_of[m->n_sums++] = 0;
        } else if (count(plain) == 1) {
            out[ear] = in[__builtin_ctz(plain)];
        } else if (plain) {
            out[ear] = hear_plain(m, plain, by_total);
        }
    }
}

void mix_stereo(const int16_t *left, const int16_t *right, unsigned n, int16_t *out)
{
    for (unsigned i = 0; i < n; i++) {
        out[2 * i] = left ? left[i] : (int16_t)0;
        out[2 * i + 1] = right ? right[i] : (int16_t)0;
    }
}
