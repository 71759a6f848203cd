/* How many work for a queue: what is counted by teams against members counted one by one, over random histories. */
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define AGENTS 9u
#define QUEUES 5u
#define CALLS 6u
#define STEPS 1500u

static struct fx f;
static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % below;
}

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, AGENTS);
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), 0);
}

static void teardown(void)
{
    fx_close(&f);
}

static bool works(const struct agent *a)
{
    return a && a->ext && a->ready && !a->logout;
}

/* A thousand for one of this queue alone; else by how many wait in each queue of his. */
static uint64_t one_by_one(const char *name)
{
    const Ev__Queue *cfg = core_queue_config(f.c, name);
    uint32_t key = core_queue_obj(f.c, name)->key, keys[ACD_QUEUES_PER_AGENT_MAX];
    uint64_t sum = 0, mine = acd_waiting(f.c->acd, key);
    mine = mine ? mine : 1;
    for (size_t i = 0; i < cfg->n_members; i++) {
        const struct agent *a = core_agent_obj(f.c, cfg->members[i]->agent);
        uint64_t all = 0;
        if (!works(a))
            continue;
        for (unsigned n = acd_queues_of(f.c->acd, a->key, keys); n-- > 0;)
            all += keys[n] == key ? mine : acd_waiting(f.c->acd, keys[n]);
        sum += 1000 * mine / all;
    }
    return sum;
}

static unsigned check_all(void)
{
    unsigned some = 0;
    for (uint32_t key = 0; key < f.c->queue_keys; key++) {
        const struct queue *q = f.c->queue_by_key[key];
        if (!q)
            continue;
        ck_assert_uint_eq(core_team_at_work(f.c, q), one_by_one(q->name));
        some += one_by_one(q->name) > 0;
    }
    return some;
}

static void set_queue(unsigned q)
{
    char text[1024];
    size_t at = (size_t)snprintf(text, sizeof text, "[{'kind':'queue','name':'q%u','members':[", q);
    bool any = false;
    for (unsigned i = 1; i <= AGENTS; i++) {
        if (draw(2))
            continue;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s{'agent':'1%03u'}", any ? "," : "", i);
        any = true;
    }
    (void)snprintf(text + at, sizeof text - at, "]},{'kind':'access_number','number':'2000%u','queue':'q%u'}]", q, q);
    fx_must_set(&f, text);
}

/* Refused while somebody waits there: then it stays. */
static void remove_queue(unsigned q)
{
    char text[80];
    (void)snprintf(text, sizeof text, "['access_number/2000%u','queue/q%u']", q, q);
    (void)fx_config(&f, NULL, text, NULL, NULL);
}

static void call_something(void)
{
    char number[8];
    struct core_counts now;
    core_get_counts(f.c, &now);
    (void)snprintf(number, sizeof number, "2000%u", draw(QUEUES));
    if (now.calls < CALLS) /* refused when that queue is gone */
        (void)fx_start(&f, f.now, "139", number, true);
}

/* Whatever is going on with one of the calls goes on, or ends. */
static void go_on(void)
{
    unsigned n = draw(8);
    const struct core_call *k = core_call_next(f.c, NULL, NULL);
    while (k && n-- > 0)
        k = core_call_next(f.c, k, NULL);
    if (!k)
        return;
    uint64_t id = k->id, offer = k->offer.id;
    if (offer && draw(3))
        ck_assert_int_eq(fx_answer(&f, id, offer), 0);
    else if (offer && draw(2))
        ck_assert_int_eq(fx_fail(&f, id, offer, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    else
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
}

static void step(void)
{
    char agent[8];
    (void)snprintf(agent, sizeof agent, "1%03u", 1 + draw(AGENTS));
    switch (draw(16)) {
    case 0:
        set_queue(draw(QUEUES));
        break;
    case 1:
        remove_queue(draw(QUEUES));
        break;
    case 2:
        (void)fx_logout(&f, agent);
        break;
    case 3:
    case 4:
        (void)fx_not_ready(&f, agent);
        break;
    case 5:
    case 6:
    case 7:
        (void)fx_login(&f, agent);
        break;
    case 8:
        (void)fx_ready(&f, agent);
        break;
    case 9:
        fx_reopen(&f);
        break;
    case 10:
    case 11:
    case 12:
        call_something();
        break;
    default:
        go_on();
    }
}

START_TEST(test_teams_count_what_members_are)
{
    unsigned some = 0;
    seed = (uint64_t)_i + 1;
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        some += check_all();
    }
    ck_assert_uint_gt(some, STEPS); /* it was about something */
}
END_TEST

START_TEST(test_an_agent_of_two_queues_counts_in_both_by_who_waits)
{
    ck_assert_int_eq(fx_set(&f, "[{'kind':'queue','name':'q0','members':[{'agent':'1001'},{'agent':'1002'}]},"
                                "{'kind':'queue','name':'service','members':[{'agent':'1001'}]},"
                                "{'kind':'access_number','number':'20000','queue':'q0'}]"),
                     0);
    const struct queue *q0 = core_queue_obj(f.c, "q0"), *service = core_queue_obj(f.c, "service");
    ck_assert_uint_eq(core_team_at_work(f.c, q0), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_uint_eq(core_team_at_work(f.c, q0), 1000); /* nobody waits elsewhere */
    ck_assert_int_eq(fx_start(&f, 1, "139", "10003", true), 0);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    for (uint64_t id = 2; id < 5; id++)
        ck_assert_int_eq(fx_start(&f, id, "139", "10003", true), 0);
    ck_assert_uint_eq(core_team_at_work(f.c, service), 1000);
    ck_assert_uint_eq(core_team_at_work(f.c, q0), 250); /* one who comes now, three who wait there */
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_uint_eq(core_team_at_work(f.c, q0), 1250);
    ck_assert_int_eq(fx_logout(&f, "1001"), 0); /* after this call */
    ck_assert_uint_eq(core_team_at_work(f.c, service), 0);
    ck_assert_uint_eq(core_team_at_work(f.c, q0), 1000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("team");
    TCase *t = tcase_create("team");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_teams_count_what_members_are, 0, 3);
    tcase_add_test(t, test_an_agent_of_two_queues_counts_in_both_by_who_waits);
    suite_add_tcase(s, t);
    return run_suite(s);
}
