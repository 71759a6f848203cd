/* The mixer against a slow obvious model, and who hears whom in every state of a supervised, consulting or recorded call. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/mix.h"
#include "tests/unit/suite.h"

static uint64_t rng;

static uint32_t chance(uint32_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(rng >> 33) % n;
}

static struct mix *mixer(unsigned rate_hz)
{
    struct mix *m = NULL;
    ck_assert_int_eq(mix_new(rate_hz, &m), 0);
    ck_assert_uint_eq(mix_frame(m), rate_hz / 50);
    return m;
}

static void hear(struct mix *m, unsigned ear, unsigned mouth, unsigned gain)
{
    ck_assert_int_eq(mix_hear(m, ear, mouth, gain), 0);
}

/* ---- who hears whom: each party says a constant of its own, a power of four, so that a sum tells its parts */

enum { CALLER, AGENT, BOSS, EXPERT, PARTIES };

struct scene {
    struct mix *m;
    int16_t said[PARTIES][MIX_FRAME_MAX];
    const int16_t *in[MIX_PARTIES_MAX], *out[MIX_EARS_MAX];
};

static void set_up_scene(struct scene *s)
{
    memset(s, 0, sizeof *s);
    s->m = mixer(8000);
    for (unsigned p = 0; p < PARTIES; p++) {
        for (unsigned i = 0; i < MIX_FRAME_MAX; i++)
            s->said[p][i] = (int16_t)(1 << (2 * p));
        s->in[p] = s->said[p];
    }
}

/* Which parties an ear hears, bit by bit; each of them at gain 1. */
static unsigned heard(struct scene *s, unsigned ear)
{
    if (!s->out[ear])
        return 0;
    unsigned who = 0;
    for (unsigned p = 0; p < PARTIES; p++) {
        unsigned times = (unsigned)s->out[ear][0] >> (2 * p) & 3;
        ck_assert_uint_le(times, 1);
        who |= times << p;
    }
    for (unsigned i = 1; i < mix_frame(s->m); i++)
        must_hold(s->out[ear][i] == s->out[ear][0]);
    return who;
}

static void expect(struct scene *s, unsigned caller, unsigned agent, unsigned boss, unsigned expert)
{
    mix_run(s->m, s->in, s->out);
    ck_assert_uint_eq(heard(s, CALLER), caller);
    ck_assert_uint_eq(heard(s, AGENT), agent);
    ck_assert_uint_eq(heard(s, BOSS), boss);
    ck_assert_uint_eq(heard(s, EXPERT), expert);
}

#define C (1u << CALLER)
#define A (1u << AGENT)
#define B (1u << BOSS)
#define E (1u << EXPERT)

START_TEST(supervision)
{
    struct scene s;
    set_up_scene(&s);
    expect(&s, 0, 0, 0, 0);
    mix_conference(s.m, C | A);
    expect(&s, A, C, 0, 0);
    hear(s.m, BOSS, CALLER, MIX_UNITY); /* listen */
    hear(s.m, BOSS, AGENT, MIX_UNITY);
    expect(&s, A, C, C | A, 0);
    hear(s.m, AGENT, BOSS, MIX_UNITY); /* whisper */
    expect(&s, A, C | B, C | A, 0);
    mix_conference(s.m, C | A | B); /* barge in */
    expect(&s, A | B, C | B, C | A, 0);
    mix_drop(s.m, AGENT); /* take over */
    expect(&s, B, 0, C, 0);
    mix_drop(s.m, BOSS);
    expect(&s, 0, 0, 0, 0);
    mix_free(s.m);
}
END_TEST

START_TEST(consultation)
{
    struct scene s;
    set_up_scene(&s);
    mix_conference(s.m, A | E);
    expect(&s, 0, E, 0, A);
    hear(s.m, BOSS, AGENT, MIX_UNITY); /* a supervisor hears the consultation as well */
    hear(s.m, BOSS, EXPERT, MIX_UNITY);
    expect(&s, 0, E, A | E, A);
    mix_conference(s.m, C | A | E);
    expect(&s, A | E, C | E, A | E, C | A);
    s.in[CALLER] = NULL; /* mute */
    expect(&s, A | E, E, A | E, A);
    mix_free(s.m);
}
END_TEST

START_TEST(stereo_by_party)
{
    struct scene s;
    int16_t both[2 * MIX_FRAME_MAX];
    set_up_scene(&s);
    mix_conference(s.m, C | A | E);
    hear(s.m, MIX_TAP(0), CALLER, MIX_UNITY);
    hear(s.m, MIX_TAP(1), AGENT, MIX_UNITY);
    hear(s.m, MIX_TAP(1), EXPERT, MIX_UNITY);
    expect(&s, A | E, C | E, 0, C | A);
    ck_assert_uint_eq(heard(&s, MIX_TAP(0)), C);
    ck_assert_uint_eq(heard(&s, MIX_TAP(1)), A | E);
    ck_assert_ptr_eq(s.out[MIX_TAP(1)], s.out[CALLER]); /* the same sound is made once */
    mix_stereo(s.out[MIX_TAP(0)], s.out[MIX_TAP(1)], mix_frame(s.m), both);
    for (unsigned i = 0; i < mix_frame(s.m); i++) {
        ck_assert_int_eq(both[2 * i], 1 << (2 * CALLER));
        ck_assert_int_eq(both[2 * i + 1], (1 << (2 * AGENT)) + (1 << (2 * EXPERT)));
    }
    mix_stereo(NULL, s.said[AGENT], 1, both);
    ck_assert_int_eq(both[0], 0);
    ck_assert_int_eq(both[1], s.said[AGENT][0]);
    mix_stereo(s.said[AGENT], NULL, 1, both);
    ck_assert_int_eq(both[0], s.said[AGENT][0]);
    ck_assert_int_eq(both[1], 0);
    mix_drop(s.m, MIX_TAP(1));
    mix_run(s.m, s.in, s.out);
    ck_assert_ptr_null(s.out[MIX_TAP(1)]);
    ck_assert_uint_eq(heard(&s, CALLER), A | E);
    mix_free(s.m);
}
END_TEST

START_TEST(one_mouth_is_not_copied)
{
    struct scene s;
    set_up_scene(&s);
    mix_conference(s.m, C | A);
    expect(&s, A, C, 0, 0);
    ck_assert_ptr_eq(s.out[CALLER], s.said[AGENT]);
    ck_assert_ptr_eq(s.out[AGENT], s.said[CALLER]);
    mix_free(s.m);
}
END_TEST

START_TEST(refusals)
{
    struct mix *m = NULL;
    ck_assert_int_eq(mix_new(44100, &m), ERR_INVAL);
    ck_assert_int_eq(mix_new(0, &m), ERR_INVAL);
    ck_assert_ptr_null(m);
    m = mixer(16000);
    ck_assert_int_eq(mix_hear(m, 3, 3, MIX_UNITY), ERR_INVAL);
    ck_assert_int_eq(mix_hear(m, MIX_EARS_MAX, 3, MIX_UNITY), ERR_RANGE);
    ck_assert_int_eq(mix_hear(m, 3, MIX_PARTIES_MAX, MIX_UNITY), ERR_RANGE);
    ck_assert_int_eq(mix_hear(m, 3, 4, MIX_GAIN_MAX + 1), ERR_RANGE);
    ck_assert_uint_eq(mix_gain(m, 3, 4), 0);
    ck_assert_uint_eq(mix_gain(m, MIX_EARS_MAX, 4), 0);
    hear(m, 3, 4, 17);
    ck_assert_uint_eq(mix_gain(m, 3, 4), 17);
    mix_drop(m, MIX_EARS_MAX);
    mix_drop(m, 4);
    ck_assert_uint_eq(mix_gain(m, 3, 4), 0);
    mix_free(m);
    mix_free(NULL);
}
END_TEST

/* ---- against the model */

static int16_t model(struct mix *m, const int16_t *const in[], unsigned ear, unsigned i)
{
    int64_t scaled = 0, plain = 0;
    for (unsigned p = 0; p < MIX_PARTIES_MAX; p++) {
        if (!in[p])
            continue;
        if (mix_gain(m, ear, p) == MIX_UNITY)
            plain += in[p][i];
        else
            scaled += (int64_t)in[p][i] * mix_gain(m, ear, p);
    }
    int64_t sum = plain + scaled / MIX_UNITY;
    return (int16_t)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
}

static int16_t sample(unsigned loud)
{
    switch (loud) {
    case 0:
        return (int16_t)((int)chance(2000) - 1000);
    case 1:
        return (int16_t)((int)chance(65536) - 32768);
    default:
        return chance(2) ? INT16_MIN : INT16_MAX;
    }
}

static void change(struct mix *m)
{
    switch (chance(8)) {
    case 0:
        mix_conference(m, (uint32_t)rng ^ (uint32_t)(rng >> 32));
        break;
    case 1:
        mix_conference(m, UINT32_MAX);
        break;
    case 2:
        mix_drop(m, chance(MIX_EARS_MAX));
        break;
    default:
        for (unsigned n = chance(12); n > 0; n--) {
            unsigned ear = chance(MIX_EARS_MAX), mouth = chance(MIX_PARTIES_MAX);
            unsigned gain = chance(3) ? MIX_UNITY * chance(2) : chance(MIX_GAIN_MAX + 1);
            ck_assert_int_eq(mix_hear(m, ear, mouth, gain), ear == mouth ? ERR_INVAL : 0);
        }
    }
}

static void compare(struct mix *m, const int16_t *const in[])
{
    const int16_t *out[MIX_EARS_MAX];
    memset(out, 0xA5, sizeof out);
    mix_run(m, in, out);
    for (unsigned ear = 0; ear < MIX_EARS_MAX; ear++) {
        for (unsigned i = 0; i < mix_frame(m); i++) {
            int16_t want = model(m, in, ear, i), got = out[ear] ? out[ear][i] : (int16_t)0;
            if (want != got)
                ck_abort_msg("ear %u, sample %u: %d, not %d", ear, i, got, want);
        }
    }
}

START_TEST(random_matrices)
{
    static int16_t said[MIX_PARTIES_MAX][MIX_FRAME_MAX];
    const int16_t *in[MIX_PARTIES_MAX];
    rng = (uint64_t)_i + 1;
    struct mix *m = mixer(_i % 2 ? 16000 : 8000);
    for (unsigned round = 0; round < 40; round++) {
        unsigned talk = chance(4), loud = chance(3);
        change(m);
        for (unsigned p = 0; p < MIX_PARTIES_MAX; p++) {
            in[p] = chance(4) <= talk ? said[p] : NULL;
            for (unsigned i = 0; i < MIX_FRAME_MAX; i++)
                said[p][i] = sample(loud);
        }
        compare(m, in);
    }
    mix_free(m);
}
END_TEST

/* All 32 as loud as can be: cut off, not wrapped. */
START_TEST(saturation)
{
    static int16_t said[MIX_FRAME_MAX];
    const int16_t *in[MIX_PARTIES_MAX], *out[MIX_EARS_MAX];
    struct mix *m = mixer(8000);
    mix_conference(m, UINT32_MAX);
    hear(m, MIX_TAP(0), 0, MIX_GAIN_MAX);
    for (int sign = -1; sign <= 1; sign += 2) {
        for (unsigned i = 0; i < MIX_FRAME_MAX; i++)
            said[i] = sign < 0 ? INT16_MIN : INT16_MAX;
        for (unsigned p = 0; p < MIX_PARTIES_MAX; p++)
            in[p] = said;
        mix_run(m, in, out);
        for (unsigned ear = 0; ear <= MIX_TAP(0); ear++) {
            ck_assert_ptr_nonnull(out[ear]);
            for (unsigned i = 0; i < mix_frame(m); i++)
                must_hold(out[ear][i] == said[0]);
        }
    }
    mix_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mix");
    TCase *t = tcase_create("mix");
    tcase_add_test(t, supervision);
    tcase_add_test(t, consultation);
    tcase_add_test(t, stereo_by_party);
    tcase_add_test(t, one_mouth_is_not_copied);
    tcase_add_test(t, refusals);
    tcase_add_loop_test(t, random_matrices, 0, 24);
    tcase_add_test(t, saturation);
    suite_add_tcase(s, t);
    return run_suite(s);
}
