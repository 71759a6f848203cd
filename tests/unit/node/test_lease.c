/* The lease turned by time: what this node does to its calls and addresses, and what the media threads are told.
 *
 * lease.c itself is compiled in here under other names, with the clock, replication and the rooms that it tells in our hands. */
#define node_may_act tested_node_may_act
#define lease_start tested_lease_start
#define lease_stop tested_lease_stop
#define lease_get tested_lease_get
#define lease_gone tested_lease_gone
#define lease_lost_total tested_lease_lost_total
#define repl_lease_age_us fake_lease_age_us
#define clock_mono_now fake_mono_now
#define media_engine_lease fake_media_lease
#define calls_suspend fake_calls_suspend
#define calls_resume fake_calls_resume
#define calls_lease_held fake_calls_lease_held
#define address_suspend fake_address_suspend
#define address_resume fake_address_resume
#include "node/lease.c"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define MS 1000ull

static uint64_t now_us, age_us; /* the clock; what replication says */
static uint64_t until_us;       /* the last that the media threads were told */
static unsigned told;           /* how often they were */
static unsigned held;           /* how often calls were told that it is held */
static char did[64];            /* what was done, a letter each */
static struct node n;
static char rooms[3]; /* addresses of things that only have to be there */

static void did_it(const char *what)
{
    ck_assert_uint_lt(strlen(did), sizeof did - 1);
    strcat(did, what);
}

uint64_t fake_lease_age_us(const struct repl *r)
{
    ck_assert_ptr_eq(r, n.repl);
    return age_us;
}

struct clock_mono fake_mono_now(void)
{
    return (struct clock_mono){.us = now_us};
}

void fake_media_lease(struct media_engine *e, uint64_t until)
{
    ck_assert_ptr_eq(e, n.media);
    ck_assert_uint_gt(until, until_us); /* never taken back: they stop by themselves */
    until_us = until;
    told++;
}

void fake_calls_suspend(struct calls *cs)
{
    ck_assert_ptr_eq(cs, n.calls);
    did_it("s");
}

/* At each look while it is held: nothing is put off here. */
void fake_calls_lease_held(struct calls *cs)
{
    ck_assert_ptr_eq(cs, n.calls);
    held++;
}

void fake_calls_resume(struct calls *cs)
{
    ck_assert_ptr_eq(cs, n.calls);
    did_it("r");
}

void fake_address_suspend(struct node *node)
{
    ck_assert_ptr_eq(node, &n);
    did_it("S");
}

void fake_address_resume(struct node *node)
{
    ck_assert_ptr_eq(node, &n);
    did_it("R");
}

static void set_up(void)
{
    memset(&n, 0, sizeof n);
    n.repl = (void *)&rooms[0];
    n.media = (void *)&rooms[1];
    n.calls = (void *)&rooms[2];
    n.cfg.detect_ms = NODE_LEASE_DETECT_MS;
    now_us = 10000 * MS;
    age_us = UINT64_MAX;
    until_us = told = 0;
    did[0] = '\0';
    ck_assert_int_eq(uv_loop_init(&n.loop), 0);
}

static void tear_down(void)
{
    lease_stop(&n);
    uv_run(&n.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&n.loop), 0);
    ck_assert_int_eq(lease_get(&n), LEASE_NONE);
    ck_assert(lease_gone(&n));
}

/* One turn of the loop, at which replication's base lies that far back. */
static enum lease_state turn(uint64_t ms)
{
    age_us = ms == UINT64_MAX ? UINT64_MAX : ms * MS;
    uv_run(&n.loop, UV_RUN_NOWAIT);
    return lease_get(&n);
}

START_TEST(states_follow_the_age)
{
    ck_assert_int_eq(lease_start(&n), 0);
    /* Before the first renewal it has nothing to let go of, however long that takes. */
    ck_assert_int_eq(turn(UINT64_MAX), LEASE_NONE);
    ck_assert(lease_gone(&n));
    ck_assert(!node_may_act(&n));
    ck_assert_int_eq(turn(10), LEASE_HELD);
    ck_assert(!lease_gone(&n));
    ck_assert(node_may_act(&n));
    ck_assert_int_eq(turn(NODE_LEASE_MS), LEASE_HELD);
    ck_assert_str_eq(did, "");
    ck_assert_uint_gt(held, 0);
    ck_assert_uint_eq(lease_lost_total(&n), 0);
    /* Silent: nothing is let go of, and whoever asks is not sent away for good. */
    ck_assert_int_eq(turn(NODE_LEASE_MS + 1), LEASE_SILENT);
    ck_assert(!node_may_act(&n));
    ck_assert(!lease_gone(&n));
    ck_assert_int_eq(turn(NODE_LEASE_DROP_MS), LEASE_SILENT);
    ck_assert_uint_eq(lease_lost_total(&n), 1);
    ck_assert_str_eq(did, "");
    /* In time again: addresses and dialogs were never given up, but for single calls that could not wait: they are told. */
    held = 0;
    ck_assert_int_eq(turn(20), LEASE_HELD);
    ck_assert_uint_gt(held, 0);
    ck_assert_str_eq(did, "");
    /* Let go: calls first, so that none of them says a word when its address closes. Once only. */
    turn(NODE_LEASE_MS + 1);
    ck_assert_int_eq(turn(NODE_LEASE_DROP_MS + 1), LEASE_DROPPED);
    ck_assert_int_eq(turn(NODE_LEASE_DROP_MS + 5000), LEASE_DROPPED);
    ck_assert(lease_gone(&n));
    ck_assert_str_eq(did, "sS");
    ck_assert_uint_eq(lease_lost_total(&n), 2);
    /* Young, but not young enough to act: it stays let go. */
    ck_assert_int_eq(turn(NODE_LEASE_MS + 100), LEASE_DROPPED);
    ck_assert_str_eq(did, "sS");
    /* Taken back: the address first, calls stand on it. */
    ck_assert_int_eq(turn(NODE_LEASE_MS), LEASE_HELD);
    ck_assert_str_eq(did, "sSRr");
    ck_assert_uint_eq(lease_lost_total(&n), 2);
}
END_TEST

START_TEST(halted_for_long)
{
    /* Nothing in between was seen: it lets go all the same, and it was lost once. */
    ck_assert_int_eq(lease_start(&n), 0);
    turn(0);
    did[0] = '\0';
    ck_assert_int_eq(turn(60000), LEASE_DROPPED);
    ck_assert_str_eq(did, "sS");
    ck_assert_uint_eq(lease_lost_total(&n), 1);
    /* "Unknown", as replication says after a start, is older than anything. */
    turn(0);
    did[0] = '\0';
    ck_assert_int_eq(turn(UINT64_MAX), LEASE_DROPPED);
    ck_assert_str_eq(did, "sS");
}
END_TEST

START_TEST(the_clock_decides_between_turns)
{
    /* What the state says is of the last turn; who wants to act asks the clock. */
    ck_assert_int_eq(lease_start(&n), 0);
    ck_assert_int_eq(turn(0), LEASE_HELD);
    age_us = (NODE_LEASE_MS + 1) * MS;
    ck_assert_int_eq(lease_get(&n), LEASE_HELD);
    ck_assert(!node_may_act(&n));
    age_us = 0;
    ck_assert(node_may_act(&n));
}
END_TEST

START_TEST(media_are_told_the_end)
{
    ck_assert_int_eq(lease_start(&n), 0);
    /* No renewal yet: told to be mute, once. */
    ck_assert_uint_eq(told, 1);
    ck_assert_uint_le(until_us, 1);
    turn(UINT64_MAX);
    ck_assert_uint_eq(told, 1);
    turn(40);
    ck_assert_uint_eq(until_us, now_us + (NODE_LEASE_MS - 40) * MS);
    /* Time passes without a renewal: the end stays where it was, they find it by themselves. */
    const uint64_t end = until_us;
    for (unsigned ms = 60; ms <= 1000; ms += 20) {
        now_us += 20 * MS;
        turn(ms);
        ck_assert_uint_eq(until_us, end);
    }
    ck_assert_uint_eq(told, 2);
    ck_assert_int_eq(lease_get(&n), LEASE_DROPPED);
    /* Renewed. */
    turn(5);
    ck_assert_uint_eq(until_us, now_us + (NODE_LEASE_MS - 5) * MS);
}
END_TEST

START_TEST(spans_grow_with_detection)
{
    n.cfg.detect_ms = 2 * NODE_LEASE_DETECT_MS;
    ck_assert_int_eq(lease_start(&n), 0);
    ck_assert_int_eq(turn(0), LEASE_HELD);
    ck_assert_uint_eq(until_us, now_us + 2 * NODE_LEASE_MS * MS);
    ck_assert_int_eq(turn(2 * NODE_LEASE_MS), LEASE_HELD);
    ck_assert(node_may_act(&n));
    ck_assert_int_eq(turn(2 * NODE_LEASE_MS + 1), LEASE_SILENT);
    ck_assert(!node_may_act(&n));
    ck_assert_int_eq(turn(2 * NODE_LEASE_DROP_MS), LEASE_SILENT);
    ck_assert_int_eq(turn(2 * NODE_LEASE_DROP_MS + 1), LEASE_DROPPED);
}
END_TEST

START_TEST(before_there_is_anything)
{
    /* No replication: may not act. No calls, no media: nothing to tell. */
    n.repl = NULL;
    n.media = NULL;
    n.calls = NULL;
    ck_assert(!node_may_act(&n));
    ck_assert_int_eq(lease_start(&n), 0);
    ck_assert_int_eq(turn(0), LEASE_NONE);
    n.repl = (void *)&rooms[0];
    ck_assert_int_eq(turn(0), LEASE_HELD);
    ck_assert_int_eq(turn(10000), LEASE_DROPPED);
    ck_assert_int_eq(turn(0), LEASE_HELD);
    ck_assert_str_eq(did, "SR");
    ck_assert_uint_eq(told, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lease");
    TCase *t = tcase_create("states");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, states_follow_the_age);
    tcase_add_test(t, halted_for_long);
    tcase_add_test(t, the_clock_decides_between_turns);
    tcase_add_test(t, media_are_told_the_end);
    tcase_add_test(t, spans_grow_with_detection);
    tcase_add_test(t, before_there_is_anything);
    suite_add_tcase(s, t);
    return run_suite(s);
}
