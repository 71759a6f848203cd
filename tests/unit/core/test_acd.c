/* Rules of service one by one; random histories are in test_acd_model.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/acd.h"
#include "tests/unit/suite.h"

/* ---- rules of service */

static struct acd *a;

static void setup(void)
{
    ck_assert_int_eq(acd_new(&a), 0);
}

static void teardown(void)
{
    struct err_info info = {0};
    ck_assert_msg(acd_check(a, &info) == 0, "%s", info.text);
    acd_free(a);
}

static const struct acd_rules plain = {.strategy = ACD_LONGEST_IDLE, .ring_max = 1};

static void rules(uint32_t q, struct acd_rules r)
{
    if (!r.ring_max)
        r.ring_max = 3;
    ck_assert_int_eq(acd_queue_set(a, q, &r), 0);
}

static void queue(uint32_t q)
{
    rules(q, plain);
}

static void member(uint32_t q, uint32_t agent)
{
    ck_assert_int_eq(acd_member_set(a, q, agent, 1), 0);
}

static void idle(uint32_t agent, uint64_t since)
{
    const struct acd_facts f = {.idle_since_us = since};
    ck_assert_int_eq(acd_agent_idle(a, agent, &f), 0);
}

static void enqueue(uint64_t call, uint32_t q, uint32_t priority, uint64_t at, uint64_t front)
{
    struct acd_call c = acd_call_in(call, q, at);
    c.priority = priority;
    c.front = front;
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
}

static void expect(uint64_t call, uint32_t q, uint32_t agent)
{
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.call, call);
    ck_assert_uint_eq(d.queue, q);
    ck_assert_uint_eq(d.n_agents, 1);
    ck_assert_uint_eq(d.agents[0], agent);
    ck_assert_uint_eq(d.was.call, call);
    ck_assert_uint_eq(d.was.queues[0], q);
}

static void expect_nothing(void)
{
    struct acd_decision d = {.call = 77};
    ck_assert(!acd_decide(a, &d));
    ck_assert_uint_eq(d.call, 77);
}

START_TEST(test_longest_idle_first)
{
    queue(1);
    for (uint32_t agent = 1; agent <= 4; agent++)
        member(1, agent);
    idle(1, 300);
    idle(2, 100);
    idle(3, 200);
    idle(4, 100);
    for (uint64_t call = 1; call <= 5; call++)
        enqueue(call, 1, 0, call, 0);
    expect(1, 1, 2); /* equal times: the smaller key */
    expect(2, 1, 4);
    expect(3, 1, 3);
    expect(4, 1, 1);
    expect_nothing();
    ck_assert_uint_eq(acd_waiting(a, 1), 1);
    ck_assert_uint_eq(acd_available(a, 1), 0);
}
END_TEST

START_TEST(test_order_of_service)
{
    queue(1);
    enqueue(10, 1, 0, 500, 0);
    enqueue(11, 1, 0, 400, 0);
    enqueue(13, 1, 5, 600, 0);
    enqueue(12, 1, 0, 400, 0);
    enqueue(14, 1, 0, 900, 1);
    enqueue(15, 1, 0, 800, 2);
    static const uint64_t order[] = {15, 14, 13, 11, 12, 10};
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t call;
        ck_assert_uint_eq(acd_position(a, order[i]), i + 1);
        ck_assert(acd_waiting_at(a, 1, i, &call));
        ck_assert_uint_eq(call, order[i]);
    }
    uint64_t call = 99;
    ck_assert(!acd_waiting_at(a, 1, 6, &call));
    ck_assert(!acd_waiting_at(a, 2, 0, &call));
    ck_assert_uint_eq(call, 99);
    member(1, 1);
    for (uint32_t i = 0; i < 6; i++) {
        expect_nothing();
        idle(1, i);
        expect(order[i], 1, 1);
    }
}
END_TEST

START_TEST(test_unanswered_offer_goes_back_to_the_very_front)
{
    queue(1);
    member(1, 1);
    enqueue(1, 1, 9, 10, 0);
    enqueue(2, 1, 0, 20, 0);
    idle(1, 0);
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.call, 1);
    ck_assert_uint_eq(d.was.enqueued_us, 10);
    ck_assert_uint_eq(d.was.priority, 9);
    d.was.priority = 0;
    d.was.front = 1;
    enqueue(3, 1, 99, 5, 0);
    ck_assert_int_eq(acd_enqueue(a, &d.was), 0);
    ck_assert_uint_eq(acd_position(a, 1), 1);
    ck_assert_uint_eq(acd_position(a, 3), 2);
    expect_nothing();
}
END_TEST

START_TEST(test_best_head_among_several_queues)
{
    for (uint32_t q = 1; q <= 4; q++) {
        queue(q);
        member(q, 1);
    }
    enqueue(1, 1, 0, 100, 0);
    enqueue(2, 2, 0, 50, 0);
    enqueue(3, 3, 1, 200, 0);
    enqueue(4, 4, 0, 300, 1);
    static const uint64_t order[] = {4, 3, 2, 1};
    for (size_t i = 0; i < 4; i++) {
        idle(1, i);
        expect(order[i], (uint32_t)order[i], 1);
        expect_nothing();
    }
}
END_TEST

START_TEST(test_nobody_is_offered_twice)
{
    queue(1);
    queue(2);
    member(1, 1);
    member(2, 1);
    enqueue(1, 1, 0, 1, 0);
    enqueue(2, 2, 0, 2, 0);
    idle(1, 0);
    expect(1, 1, 1);
    expect_nothing();
    ck_assert_uint_eq(acd_available(a, 2), 0);
    ck_assert_uint_eq(acd_position(a, 1), 0);
    ck_assert_int_eq(acd_dequeue(a, 1), ERR_NOTFOUND);
    ck_assert_uint_eq(acd_position(a, 2), 1);
}
END_TEST

START_TEST(test_members_come_and_go)
{
    queue(1);
    idle(1, 5); /* available before he is a member of anything */
    enqueue(1, 1, 0, 1, 0);
    expect_nothing();
    member(1, 1);
    ck_assert_int_eq(acd_member_set(a, 1, 1, 2), 0); /* again: only the level */
    ck_assert_uint_eq(acd_available(a, 1), 1);
    ck_assert_int_eq(acd_member_del(a, 1, 1), 0);
    ck_assert_int_eq(acd_member_del(a, 1, 1), ERR_NOTFOUND);
    expect_nothing();
    member(1, 1);
    acd_agent_gone(a, 1);
    acd_agent_gone(a, 1);
    acd_agent_gone(a, 1234);
    expect_nothing();
    idle(1, 9);
    expect(1, 1, 1);
}
END_TEST

START_TEST(test_idle_again_moves)
{
    queue(1);
    member(1, 1);
    member(1, 2);
    idle(1, 10);
    idle(2, 20);
    idle(1, 30);
    enqueue(1, 1, 0, 0, 0);
    expect(1, 1, 2);
}
END_TEST

START_TEST(test_queue_deletion)
{
    ck_assert_int_eq(acd_queue_del(a, 1), ERR_NOTFOUND);
    queue(1);
    queue(2);
    member(1, 1);
    member(2, 1);
    enqueue(1, 1, 0, 0, 0);
    ck_assert_int_eq(acd_queue_del(a, 1), ERR_CONFLICT);
    ck_assert_uint_eq(acd_waiting(a, 1), 1);
    ck_assert_int_eq(acd_dequeue(a, 1), 0);
    idle(1, 0);
    ck_assert_int_eq(acd_queue_del(a, 1), 0);
    ck_assert_int_eq(acd_member_del(a, 1, 1), ERR_NOTFOUND);
    ck_assert_uint_eq(acd_available(a, 1), 0);
    ck_assert_uint_eq(acd_available(a, 2), 1);
    queue(2); /* set again: members stay */
    enqueue(2, 2, 0, 0, 0);
    expect(2, 2, 1);
}
END_TEST

START_TEST(test_misuse_is_refused)
{
    struct acd_call c = acd_call_in(1, 1, 0);
    struct acd_rules bad = {.strategy = (enum acd_strategy)99};
    ck_assert_int_eq(acd_enqueue(a, &c), ERR_NOTFOUND);
    ck_assert_int_eq(acd_member_set(a, 1, 1, 0), ERR_NOTFOUND);
    ck_assert_int_eq(acd_queue_set(a, 1, &bad), ERR_INVAL);
    queue(1);
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    c.priority = 3;
    ck_assert_int_eq(acd_enqueue(a, &c), ERR_EXISTS);
    ck_assert_int_eq(acd_dequeue(a, 2), ERR_NOTFOUND);
    ck_assert_uint_eq(acd_waiting(a, 1), 1);
    ck_assert_uint_eq(acd_waiting(a, 2), 0);
    acd_free(NULL);
}
END_TEST

START_TEST(test_limit_of_queues_per_agent)
{
    for (uint32_t q = 0; q <= ACD_QUEUES_PER_AGENT_MAX; q++)
        queue(q);
    for (uint32_t q = 0; q < ACD_QUEUES_PER_AGENT_MAX; q++)
        member(q, 1);
    ck_assert_int_eq(acd_member_set(a, ACD_QUEUES_PER_AGENT_MAX, 1, 0), ERR_TOOBIG);
    member(ACD_QUEUES_PER_AGENT_MAX, 2);
    ck_assert_int_eq(acd_member_del(a, 0, 1), 0);
    member(ACD_QUEUES_PER_AGENT_MAX, 1);
}
END_TEST

/* Each operation that allocates is tried with 0, 1, 2... allocations left until it passes. */
START_TEST(test_refused_allocations_change_nothing)
{
    struct acd_call c = acd_call_in(5, 1, 0);
    const struct acd_facts facts = {0};
    for (int op = 0; op < 4; op++) {
        for (uint64_t left = 0;; left++) {
            ck_assert_uint_lt(left, 8);
            acd_allocations(a, left);
            int rc = op == 0   ? acd_queue_set(a, 1, &plain)
                     : op == 1 ? acd_member_set(a, 1, 1, 0)
                     : op == 2 ? acd_agent_idle(a, 2, &facts)
                               : acd_enqueue(a, &c);
            acd_allocations(a, UINT64_MAX);
            struct err_info info = {0};
            ck_assert_msg(acd_check(a, &info) == 0, "%s", info.text);
            if (rc == 0)
                break;
            ck_assert_int_eq(rc, ERR_NOMEM);
            ck_assert_uint_eq(acd_waiting(a, 1), 0);
        }
    }
    idle(1, 0);
    expect(5, 1, 1);
}
END_TEST

/* ---- strategies and preferences */

static void idle_with(uint32_t agent, struct acd_facts f)
{
    ck_assert_int_eq(acd_agent_idle(a, agent, &f), 0);
}

/* Three members whom each strategy orders in another way. */
static void three_agents(struct acd_rules r)
{
    rules(1, r);
    for (uint32_t agent = 1; agent <= 3; agent++)
        member(1, agent);
    idle_with(1,
              (struct acd_facts){.idle_since_us = 30, .login_us = 2, .answered = 9, .occupied_us = 7, .last_offer = 1});
    idle_with(2,
              (struct acd_facts){.idle_since_us = 10, .login_us = 3, .answered = 4, .occupied_us = 9, .last_offer = 3});
    idle_with(3,
              (struct acd_facts){.idle_since_us = 20, .login_us = 1, .answered = 5, .occupied_us = 3, .last_offer = 2});
}

static void expect_order(uint32_t x, uint32_t y, uint32_t z)
{
    for (uint64_t call = 1; call <= 3; call++)
        enqueue(call, 1, 0, call, 0);
    expect(1, 1, x);
    expect(2, 1, y);
    expect(3, 1, z);
    expect_nothing();
}

START_TEST(test_strategies)
{
    static const struct {
        enum acd_strategy strategy;
        uint32_t order[3];
    } cases[] = {{ACD_LONGEST_IDLE, {2, 3, 1}},
                 {ACD_LOGIN_ORDER, {3, 1, 2}},
                 {ACD_FEWEST_ANSWERED, {2, 3, 1}},
                 {ACD_ROUND_ROBIN, {1, 3, 2}},
                 {ACD_LEAST_OCCUPIED, {3, 1, 2}}};
    three_agents((struct acd_rules){.strategy = cases[_i].strategy});
    expect_order(cases[_i].order[0], cases[_i].order[1], cases[_i].order[2]);
}
END_TEST

START_TEST(test_random_serves_everybody_alike)
{
    enum { CALLS = 3000 };
    unsigned served[4] = {0};
    rules(1, (struct acd_rules){.strategy = ACD_RANDOM});
    for (uint32_t agent = 1; agent <= 3; agent++) {
        member(1, agent);
        idle(agent, agent);
    }
    for (uint64_t call = 1; call <= CALLS; call++) {
        struct acd_decision d;
        enqueue(call, 1, 0, call, 0);
        ck_assert(acd_decide(a, &d));
        served[d.agents[0]]++;
        idle(d.agents[0], call); /* the last one to become idle has the same chance */
    }
    for (uint32_t agent = 1; agent <= 3; agent++) {
        ck_assert_uint_gt(served[agent], CALLS / 3 - 150); /* 5.8 standard deviations */
        ck_assert_uint_lt(served[agent], CALLS / 3 + 150);
    }
}
END_TEST

START_TEST(test_ring_all)
{
    three_agents((struct acd_rules){.strategy = ACD_RING_ALL, .ring_max = 2});
    enqueue(1, 1, 0, 1, 0);
    enqueue(2, 1, 0, 2, 0);
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.call, 1);
    ck_assert_uint_eq(d.n_agents, 2);
    ck_assert_uint_eq(d.agents[0], 2);
    ck_assert_uint_eq(d.agents[1], 3);
    ck_assert_uint_eq(d.candidates, 3);
    expect(2, 1, 1);
    expect_nothing();
}
END_TEST

static struct acd_rules preferring(unsigned n, enum acd_preference first, enum acd_preference second)
{
    return (struct acd_rules){.n_preferences = n, .preferences = {first, second}};
}

START_TEST(test_level_goes_before_idle_time)
{
    rules(1, preferring(1, ACD_BY_LEVEL, ACD_BY_LEVEL));
    ck_assert_int_eq(acd_member_set(a, 1, 1, 5), 0);
    ck_assert_int_eq(acd_member_set(a, 1, 2, 9), 0);
    ck_assert_int_eq(acd_member_set(a, 1, 3, 9), 0);
    idle(1, 1);
    idle(2, 3);
    idle(3, 2);
    expect_order(3, 2, 1);
}
END_TEST

START_TEST(test_region_and_last_served)
{
    rules(1, preferring(2, ACD_BY_LAST_SERVED, ACD_BY_REGION));
    for (uint32_t agent = 1; agent <= 3; agent++) {
        member(1, agent);
        idle(agent, agent);
    }
    ck_assert_int_eq(acd_agent_set(a, 3, 21, NULL, 0), 0);
    struct acd_call c = acd_call_in(1, 1, 1);
    struct acd_decision d;
    c.region = 21;
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.agents[0], 3);
    ck_assert_int_eq(d.why, ACD_WHY_REGION);
    idle(3, 9);
    c.last_agent = 2;
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.agents[0], 2);
    ck_assert_int_eq(d.why, ACD_WHY_LAST_SERVED);
    ck_assert_uint_eq(d.candidates, 3);
}
END_TEST

START_TEST(test_skills_are_needed_and_lost)
{
    static const struct acd_skill english = {.skill = 7, .level = 2}, better = {.skill = 7, .level = 3};
    queue(1);
    member(1, 1);
    member(1, 2);
    idle(1, 1);
    idle(2, 2);
    struct acd_call c = acd_call_in(1, 1, 1);
    c.n_needs = 1;
    c.needs[0] = better;
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    expect_nothing();
    ck_assert_int_eq(acd_agent_set(a, 2, 0, &english, 1), 0);
    expect_nothing();
    ck_assert_int_eq(acd_agent_set(a, 2, 0, &better, 1), 0);
    enqueue(2, 1, 0, 2, 0);
    expect(1, 1, 2); /* the first caller, though he who is idle longest cannot serve him */
    expect(2, 1, 1);
    ck_assert_int_eq(acd_agent_set(a, 2, 0, NULL, 0), 0);
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    idle(2, 5);
    expect_nothing();
    const struct acd_skill twice[] = {{.skill = 3}, {.skill = 3}};
    ck_assert_int_eq(acd_agent_set(a, 2, 0, twice, 2), ERR_INVAL);
}
END_TEST

START_TEST(test_dedicated_agent)
{
    queue(1);
    member(1, 1);
    idle(1, 1);
    struct acd_call c = acd_call_in(1, 1, 1);
    c.dedicated = 9; /* is no member */
    c.only_dedicated = true;
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    expect_nothing();
    enqueue(2, 1, 0, 2, 0);
    expect(2, 1, 1);
    idle(9, 3);
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.call, 1);
    ck_assert_uint_eq(d.queue, 1);
    ck_assert_uint_eq(d.agents[0], 9);
    ck_assert_int_eq(d.why, ACD_WHY_DEDICATED);
    ck_assert_int_eq(acd_enqueue(a, &d.was), 0);
    idle(1, 4);
    expect_nothing();
    ck_assert_uint_eq(acd_position(a, 1), 1); /* waits like anybody */
    ck_assert_int_eq(acd_release(a, 1), 0);
    expect(1, 1, 1);
}
END_TEST

START_TEST(test_overflow_to_another_queue)
{
    queue(1);
    queue(2);
    member(2, 1);
    enqueue(1, 1, 0, 1, 0);
    enqueue(2, 2, 0, 2, 0);
    ck_assert_int_eq(acd_overflow(a, 1, 2), 0);
    ck_assert_int_eq(acd_overflow(a, 1, 2), ERR_EXISTS);
    ck_assert_int_eq(acd_overflow(a, 1, 5), ERR_NOTFOUND);
    ck_assert_uint_eq(acd_waiting(a, 2), 2);
    ck_assert_uint_eq(acd_position(a, 2), 2);
    idle(1, 1);
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_uint_eq(d.call, 1);
    ck_assert_uint_eq(d.queue, 2);
    ck_assert_uint_eq(acd_waiting(a, 1), 0);
    ck_assert_uint_eq(acd_waiting(a, 2), 1);
    ck_assert_int_eq(acd_queue_del(a, 1), 0);
}
END_TEST

/* A caller without priority is passed by those who come less than three steps after him, and by nobody later. */
START_TEST(test_ageing_bounds_starvation)
{
    rules(1, (struct acd_rules){.ageing_us = 100});
    enqueue(1, 1, 0, 1000, 0);
    enqueue(2, 1, 3, 1299, 0);
    enqueue(3, 1, 3, 1300, 0); /* equal: the smaller id */
    enqueue(4, 1, 3, 1301, 0);
    ck_assert_uint_eq(acd_position(a, 2), 1);
    ck_assert_uint_eq(acd_position(a, 1), 2);
    ck_assert_uint_eq(acd_position(a, 3), 3);
    ck_assert_uint_eq(acd_position(a, 4), 4);
    rules(1, plain); /* priority is absolute again */
    ck_assert_uint_eq(acd_position(a, 1), 4);
    struct acd_call vip = acd_call_in(5, 1, 9000);
    vip.vip = true;
    ck_assert_int_eq(acd_enqueue(a, &vip), 0);
    ck_assert_uint_eq(acd_position(a, 5), 1);
    enqueue(6, 1, 0, 9999, 1);
    ck_assert_uint_eq(acd_position(a, 6), 1); /* the very front is before VIPs */
}
END_TEST

START_TEST(test_service_targets_decide_between_queues)
{
    rules(1, (struct acd_rules){.target_us = 100});
    rules(2, (struct acd_rules){.target_us = 20});
    member(1, 1);
    member(2, 1);
    enqueue(1, 1, 0, 1000, 0);
    enqueue(2, 2, 0, 1050, 0);
    enqueue(3, 2, 0, 1090, 0);
    static const uint64_t order[] = {2, 1, 3};
    for (size_t i = 0; i < 3; i++) {
        idle(1, i);
        expect(order[i], order[i] == 1 ? 1 : 2, 1);
    }
}
END_TEST

START_TEST(test_idle_agents_are_kept_for_inbound)
{
    rules(1, (struct acd_rules){.keep_idle = 2});
    struct acd_call c = acd_call_in(1, 1, 1);
    c.campaign = true;
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    for (uint32_t agent = 1; agent <= 2; agent++) {
        member(1, agent);
        idle(agent, agent);
        expect_nothing();
    }
    struct acd_candidate who[4];
    ck_assert_uint_eq(acd_explain(a, 1, 1, who, 4), 2);
    ck_assert_int_eq(who[0].verdict, ACD_KEPT_IDLE);
    member(1, 3);
    idle(3, 3);
    expect(1, 1, 1);
    enqueue(2, 1, 0, 2, 0);
    expect(2, 1, 2);
}
END_TEST

START_TEST(test_explanation_names_each_reason)
{
    static const struct acd_skill water = {.skill = 4, .level = 1};
    rules(1, preferring(1, ACD_BY_LEVEL, ACD_BY_LEVEL));
    for (uint32_t agent = 1; agent <= 4; agent++) {
        ck_assert_int_eq(acd_member_set(a, 1, agent, agent == 3 ? 9 : 1), 0);
        if (agent != 1)
            ck_assert_int_eq(acd_agent_set(a, agent, 0, &water, 1), 0);
        if (agent != 4)
            idle(agent, agent);
    }
    struct acd_call c = acd_call_in(1, 1, 1);
    c.n_needs = 1;
    c.needs[0] = water;
    ck_assert_int_eq(acd_enqueue(a, &c), 0);
    struct acd_candidate who[4];
    ck_assert_uint_eq(acd_explain(a, 1, 1, who, 4), 4);
    ck_assert_uint_eq(who[0].agent, 3);
    ck_assert_uint_eq(who[1].agent, 2);
    ck_assert_int_eq(who[1].verdict, ACD_CAN);
    ck_assert_uint_eq(who[2].agent, 1);
    ck_assert_int_eq(who[2].verdict, ACD_UNSKILLED);
    ck_assert_uint_eq(who[2].missing.skill, 4);
    ck_assert_int_eq(who[3].verdict, ACD_NOT_AVAILABLE);
    ck_assert_uint_eq(acd_explain(a, 1, 2, who, 4), 0);
    ck_assert_uint_eq(acd_explain(a, 2, 1, who, 4), 0);
    struct acd_decision d;
    ck_assert(acd_decide(a, &d));
    ck_assert_int_eq(d.why, ACD_WHY_LEVEL);
    ck_assert_uint_eq(d.candidates, 2);
}
END_TEST

START_TEST(test_rules_out_of_range)
{
    static const struct acd_rules bad[] = {
        {.strategy = ACD_STRATEGIES, .ring_max = 1},
        {.strategy = ACD_RING_ALL, .ring_max = 0},
        {.strategy = ACD_RING_ALL, .ring_max = ACD_RING_MAX + 1},
        {.n_preferences = 2, .preferences = {ACD_BY_LEVEL, ACD_BY_LEVEL}},
        {.n_preferences = 4},
        {.ageing_us = ACD_STRICT_US + 1},
        {.target_us = UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(acd_queue_set(a, 1, &bad[i]), ERR_INVAL);
    struct acd_rules r;
    ck_assert(!acd_rules_of(a, 1, &r));
    struct acd_call c = acd_call_in(1, 1, 0);
    queue(1);
    c.only_dedicated = true; /* but to nobody */
    ck_assert_int_eq(acd_enqueue(a, &c), ERR_INVAL);
    c = acd_call_in(1, 1, 0);
    c.priority = ACD_PRIORITY_MAX + 1;
    ck_assert_int_eq(acd_enqueue(a, &c), ERR_INVAL);
    c = acd_call_in(1, 1, 0);
    c.n_queues = 2;
    c.queues[1] = 1;
    ck_assert_int_eq(acd_enqueue(a, &c), ERR_INVAL);
    ck_assert_uint_eq(acd_waiting(a, 1), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/acd");
    TCase *tc = tcase_create("rules");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_longest_idle_first);
    tcase_add_test(tc, test_order_of_service);
    tcase_add_test(tc, test_unanswered_offer_goes_back_to_the_very_front);
    tcase_add_test(tc, test_best_head_among_several_queues);
    tcase_add_test(tc, test_nobody_is_offered_twice);
    tcase_add_test(tc, test_members_come_and_go);
    tcase_add_test(tc, test_idle_again_moves);
    tcase_add_test(tc, test_queue_deletion);
    tcase_add_test(tc, test_misuse_is_refused);
    tcase_add_test(tc, test_limit_of_queues_per_agent);
    tcase_add_test(tc, test_refused_allocations_change_nothing);
    tcase_add_loop_test(tc, test_strategies, 0, 5);
    tcase_add_test(tc, test_random_serves_everybody_alike);
    tcase_add_test(tc, test_ring_all);
    tcase_add_test(tc, test_level_goes_before_idle_time);
    tcase_add_test(tc, test_region_and_last_served);
    tcase_add_test(tc, test_skills_are_needed_and_lost);
    tcase_add_test(tc, test_dedicated_agent);
    tcase_add_test(tc, test_overflow_to_another_queue);
    tcase_add_test(tc, test_ageing_bounds_starvation);
    tcase_add_test(tc, test_service_targets_decide_between_queues);
    tcase_add_test(tc, test_idle_agents_are_kept_for_inbound);
    tcase_add_test(tc, test_explanation_names_each_reason);
    tcase_add_test(tc, test_rules_out_of_range);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
