/* What configuration makes of the queue engine: strategies, preferences, skills, regions, VIP numbers, ageing, targets. Each is
 * followed by a restart, after which callers stand in the same places and the same agents are chosen. */
#include <sqlite3.h>

#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
}

static void teardown(void)
{
    fx_close(&f);
}

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static const char *offered_to(uint64_t id)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_ptr_nonnull(k);
    return k->phase == CORE_CALL_OFFERED ? k->offer.agent : "";
}

/* A caller to `number`, answered by whom it is offered to, ends. */
static void one_call(uint64_t id, const char *number, const char *agent)
{
    ck_assert_int_eq(fx_start(&f, id, "13800138000", number, true), 0);
    ck_assert_str_eq(offered_to(id), agent);
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
    ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
}

static void all_in(void)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_login(&f, "1003"), 0);
}

/* One takes a private call, so that "longest idle" is not what decides. */
static void busy_for(const char *agent, uint64_t id, uint64_t us)
{
    char phone[8] = "8";
    (void)strcat(phone, agent + 1);
    ck_assert_int_eq(fx_start(&f, id, phone, "10001", true), 0);
    f.now += us;
    ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
}

static void strategy(const char *name, const char *preferences)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "[{'kind':'queue','name':'service','strategy':'%s','preferences':[%s],"
                   "'members':[{'agent':'1001'},{'agent':'1002','level':7},{'agent':'1003'}]}]",
                   name, preferences);
    set(text);
}

START_TEST(test_login_order)
{
    strategy("login_order", "");
    all_in();
    busy_for("1001", 1, US);
    one_call(2, "10003", "1001");
    fx_reopen(&f);
    one_call(3, "10003", "1001");
}
END_TEST

START_TEST(test_fewest_answered)
{
    strategy("fewest_answered", "");
    all_in();
    one_call(1, "10003", "1001");
    one_call(2, "10003", "1002");
    fx_reopen(&f);
    one_call(3, "10003", "1003");
    one_call(4, "10003", "1001");
}
END_TEST

START_TEST(test_round_robin)
{
    strategy("round_robin", "");
    all_in();
    one_call(1, "10003", "1001");
    one_call(2, "10003", "1002");
    busy_for("1003", 3, US); /* idle for least now; it is his turn all the same */
    fx_reopen(&f);
    one_call(4, "10003", "1003");
    /* a turn that was not answered is a turn */
    ck_assert_int_eq(fx_start(&f, 5, "13800", "10003", true), 0);
    ck_assert_str_eq(offered_to(5), "1001");
    ck_assert_int_eq(fx_fail(&f, 5, core_call(f.c, 5)->offer.id, EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_str_eq(offered_to(5), "1002");
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    fx_reopen(&f);
    one_call(6, "10003", "1003");
    one_call(7, "10003", "1001");
}
END_TEST

START_TEST(test_least_occupied)
{
    all_in();
    busy_for("1003", 1, US); /* before any queue goes by it: not counted */
    strategy("least_occupied", "");
    busy_for("1001", 2, 9 * US);
    busy_for("1002", 3, 5 * US);
    one_call(4, "10003", "1003");
    busy_for("1003", 5, 20 * US);
    fx_reopen(&f);
    one_call(6, "10003", "1002");
    ck_assert_int_eq(fx_logout(&f, "1003"), 0);
    ck_assert_int_eq(fx_login(&f, "1003"), 0); /* counts from there */
    one_call(7, "10003", "1003");
}
END_TEST

START_TEST(test_random_is_the_same_everywhere)
{
    strategy("random", "");
    all_in();
    unsigned seen = 0;
    for (uint64_t id = 1; id <= 40; id++) {
        ck_assert_int_eq(fx_start(&f, id, "13800", "10003", true), 0);
        seen |= 1u << (offered_to(id)[3] - '1');
        uint64_t pick = acd_draw(id, 0) % 3;
        ck_assert_int_eq(offered_to(id)[3] - '1', (int)pick);
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    }
    ck_assert_uint_eq(seen, 7);
}
END_TEST

START_TEST(test_level_is_the_members_or_the_agents)
{
    strategy("longest_idle", "'level'");
    all_in();
    one_call(1, "10003", "1002"); /* 7 as a member */
    set("[{'kind':'agent','number':'1003','extension':'8003','level':9}]");
    one_call(2, "10003", "1003"); /* his membership names none */
    fx_reopen(&f);
    one_call(3, "10003", "1003");
    set("[{'kind':'agent','number':'1003','extension':'8003','level':2}]");
    one_call(4, "10003", "1002");
}
END_TEST

START_TEST(test_region)
{
    strategy("longest_idle", "'region'");
    set("[{'kind':'agent','number':'1002','extension':'8002','region':'north'},"
        "{'kind':'agent','number':'1003','extension':'8003','region':'south'},"
        "{'kind':'access_number','number':'10010','queue':'service','region':'south'},"
        "{'kind':'access_number','number':'10011','queue':'service','region':'north'}]");
    all_in();
    one_call(1, "10010", "1003");
    one_call(2, "10011", "1002");
    one_call(3, "10003", "1001"); /* the caller's region is not known */
    fx_reopen(&f);
    one_call(4, "10010", "1003");
    set("[{'kind':'agent','number':'1003','extension':'8003'}]");
    one_call(5, "10010", "1002"); /* nobody of the south: the one idle for longest */
}
END_TEST

START_TEST(test_last_served)
{
    strategy("longest_idle", "'last_served'");
    all_in();
    one_call(1, "10003", "1001");
    busy_for("1002", 2, US);
    busy_for("1003", 3, US);
    busy_for("1001", 4, US); /* idle for least */
    fx_reopen(&f);
    one_call(5, "10003", "1001"); /* he served this caller */
    ck_assert_int_eq(fx_start(&f, 6, "13900", "10003", true), 0);
    ck_assert_str_eq(offered_to(6), "1002"); /* another caller */
    ck_assert_int_eq(fx_end(&f, 6, "caller"), 0);
    fx_later(&f, f.now + 169ull * 3600 * US);
    one_call(7, "10003", "1002"); /* too long ago */
    one_call(8, "10003", "1002");
}
END_TEST

START_TEST(test_agent_who_served_last_is_removed)
{
    strategy("longest_idle", "'last_served'");
    all_in();
    one_call(1, "10003", "1001");
    ck_assert_int_eq(fx_not_ready(&f, "1002"), 0);
    ck_assert_int_eq(fx_not_ready(&f, "1003"), 0);
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800138000", "10003", true), 0);
    ck_assert_str_eq(core_call_obj(f.c, 2)->st->last_agent, "1001");
    ck_assert_int_eq(fx_logout(&f, "1001"), 0);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'queue','name':'service','preferences':['last_served'],"
                                   "'members':[{'agent':'1002'},{'agent':'1003'}]}]",
                               "['agent/1001']", NULL, NULL),
                     0);
    ck_assert_str_eq(core_call_obj(f.c, 2)->st->last_agent, "");
    struct acd_call now, loaded;
    ck_assert(acd_waits(f.c->acd, 2, &now));
    ck_assert_uint_eq(now.last_agent, ACD_NOBODY);
    fx_reopen(&f);
    ck_assert(acd_waits(f.c->acd, 2, &loaded));
    ck_assert_uint_eq(loaded.last_agent, ACD_NOBODY);
    ck_assert_uint_eq(loaded.enqueued_us, now.enqueued_us);
}
END_TEST

START_TEST(test_skills_and_their_end)
{
    set("[{'kind':'agent','number':'1001','extension':'8001','skills':[{'skill':'english','level':2}]},"
        "{'kind':'agent','number':'1002','extension':'8002','skills':[{'skill':'english','level':5,'until':'2023-11-14T23:00:00Z'},"
        "{'skill':'tax'}]},"
        "{'kind':'access_number','number':'10010','queue':'service','skills':[{'skill':'english','level':3}]}]");
    all_in();
    one_call(1, "10010", "1002");
    uint64_t end = 1700002800 * US; /* 23:00 */
    ck_assert_uint_lt(f.now, end);
    ck_assert_uint_eq(core_next_due_us(f.c), end);
    fx_reopen(&f);
    ck_assert_uint_eq(core_next_due_us(f.c), end);
    one_call(2, "10010", "1002");
    fx_later(&f, end);
    ck_assert_uint_ne(core_next_due_us(f.c), end);
    ck_assert_int_eq(fx_start(&f, 3, "13800", "10010", true), 0);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_WAITING); /* nobody has it any more */
    ck_assert_int_eq(fx_start(&f, 4, "13900", "10003", true), 0);
    ck_assert_str_eq(offered_to(4), "1001"); /* the first who can be served is served */
    fx_reopen(&f);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_WAITING);
    set("[{'kind':'agent','number':'1003','extension':'8003','skills':[{'skill':'english','level':3}]}]");
    ck_assert_str_eq(offered_to(3), "1003");
}
END_TEST

static json_t *entries(void)
{
    json_t *q = fx_view(&f, "queue", "service", NULL);
    json_t *e = json_incref(json_object_get(q, "entries"));
    json_decref(q);
    return e;
}

/* As the engine has them, as the view shows them. */
static void order_is(const uint64_t *ids, unsigned n)
{
    json_t *e = entries();
    ck_assert_uint_eq(json_array_size(e), n);
    for (unsigned i = 0; i < n; i++) {
        char id[17];
        uint64_t there = 0;
        (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)ids[i]);
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(e, i), "call_id")), id);
        ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(e, i), "position")), i + 1);
        ck_assert(acd_waiting_at(f.c->acd, core_queue_obj(f.c, "service")->key, i, &there));
        ck_assert_uint_eq(there, ids[i]);
    }
    json_decref(e);
}

START_TEST(test_vip_ageing_and_target)
{
    set("[{'kind':'queue','name':'service','priority_step_s':60,'target_s':30,'members':[{'agent':'1001'}]},"
        "{'kind':'access_number','number':'10010','queue':'service','vip':true},"
        "{'kind':'access_number','number':'10011','queue':'service','priority':2}]");
    ck_assert_int_eq(fx_start(&f, 1, "1", "10003", true), 0);
    f.now += 121 * US;
    ck_assert_int_eq(fx_start(&f, 2, "2", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 3, "3", "10011", true), 0); /* two steps: 120 s, less than the first has waited */
    ck_assert_int_eq(fx_start(&f, 4, "4", "10010", true), 0);
    const uint64_t order[] = {4, 1, 3, 2};
    order_is(order, 4);
    fx_reopen(&f);
    order_is(order, 4);
    /* priority is absolute without ageing */
    set("[{'kind':'queue','name':'service','members':[{'agent':'1001'}]}]");
    const uint64_t strict[] = {4, 3, 1, 2};
    order_is(strict, 4);
    fx_reopen(&f);
    order_is(strict, 4);
    json_t *e = entries();
    ck_assert(json_is_true(json_object_get(json_array_get(e, 0), "vip")));
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(e, 1), "priority")), 2);
    json_decref(e);
}
END_TEST

START_TEST(test_targets_of_two_queues)
{
    set("[{'kind':'queue','name':'service','target_s':60,'members':[{'agent':'1001'}]},"
        "{'kind':'queue','name':'sales','target_s':10,'members':[{'agent':'1001'}]},"
        "{'kind':'access_number','number':'10010','queue':'sales'}]");
    ck_assert_int_eq(fx_start(&f, 1, "1", "10003", true), 0);
    f.now += 20 * US;
    ck_assert_int_eq(fx_start(&f, 2, "2", "10010", true), 0); /* due 30 s before him */
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_str_eq(offered_to(2), "1001");
    ck_assert_str_eq(core_call(f.c, 2)->offer.queue, "sales");
}
END_TEST

/* ---- in words */

static bool says(json_t *o, const char *words)
{
    size_t i;
    json_t *l;
    json_array_foreach(json_object_get(o, "lines"), i, l)
    {
        if (strstr(json_string_value(l), words))
            return true;
    }
    return false;
}

static json_t *why_call(uint64_t id)
{
    json_t *o = NULL;
    struct err_info info = {0};
    ck_assert_msg(core_explain_call(f.c, id, &o, &info) == 0, "%s", info.text);
    return o;
}

static void agent_says(const char *agent, const char *words)
{
    json_t *o = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(core_explain_agent(f.c, "service", agent, &o, &info), 0);
    char *text = json_dumps(o, 0);
    ck_assert_msg(says(o, words), "%s not in %s", words, text);
    free(text);
    json_decref(o);
}

START_TEST(test_explanations)
{
    struct err_info info = {0};
    json_t *o = NULL;
    ck_assert_int_eq(core_explain_call(f.c, 99, &o, &info), ERR_NOTFOUND);
    ck_assert_int_eq(core_explain_agent(f.c, "none", "1001", &o, &info), ERR_NOTFOUND);
    ck_assert_str_eq(info.field, "queue");
    ck_assert_int_eq(core_explain_agent(f.c, "service", "1009", &o, &info), ERR_NOTFOUND);
    set("[{'kind':'agent','number':'1001','extension':'8001','skills':[{'skill':'english','level':2}]},"
        "{'kind':'agent','number':'1002','extension':'8002','skills':[{'skill':'english','level':9,'until':'2020-01-01T00:00:00Z'}]},"
        "{'kind':'access_number','number':'10010','queue':'service','vip':true,'priority':3,'skills':[{'skill':'english','level':3}]},"
        "{'kind':'queue','name':'service','priority_step_s':10,'strategy':'least_occupied','preferences':['level'],"
        "'members':[{'agent':'1001','level':4},{'agent':'1002'},{'agent':'1003'}]}]");
    agent_says("1001", "is not logged in");
    all_in();
    agent_says("1001", "Nobody waits");
    agent_says("1001", "occupied for 0 seconds");
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10010", true), 0);
    o = why_call(1);
    ck_assert(says(o, "place 1 of 1"));
    ck_assert(says(o, "VIP number"));
    ck_assert(says(o, "Priority 3 counts as 30 seconds"));
    ck_assert(says(o, "needs skill english at level 3"));
    ck_assert(says(o, "No member can serve it now: 0 of 3 are not available, 3 lack a skill"));
    ck_assert(says(o, "highest level first, then least occupied"));
    ck_assert_int_eq(json_integer_value(json_object_get(o, "members")), 3);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "agents")), 3);
    json_decref(o);
    agent_says("1001", "has skill english at level 2, 3 is needed");
    agent_says("1002", "had skill english until 2020-01-01T00:00:00Z only");
    agent_says("1003", "lacks skill english");
    /* an offer tells why, and so does the call afterwards; not while an older program may write the same rows */
    ck_assert_int_eq(fx_start(&f, 4, "13600", "10003", true), 0);
    ck_assert_str_eq(offered_to(4), "1001");
    ck_assert_uint_eq(core_call_obj(f.c, 4)->st->offer_why, 0);
    ck_assert_int_eq(fx_end(&f, 4, "caller"), 0);
    ck_assert_int_eq(fx_raise(&f, 2), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13900", "10003", true), 0);
    o = why_call(2);
    ck_assert(says(o, "Agent 1001 is being rung at extension 8001"));
    ck_assert(says(o, "Of 3 who could, agent 1001 was chosen: the highest level"));
    json_decref(o);
    agent_says("1001", "is being rung for call 0000000000000002");
    json_t *events = fx_view(&f, "event", NULL, NULL);
    char *text = json_dumps(events, JSON_COMPACT);
    ck_assert_ptr_nonnull(strstr(text, "\"why\":\"level\",\"candidates\":3"));
    free(text);
    json_decref(events);
    ck_assert_int_eq(fx_answer(&f, 2, core_call(f.c, 2)->offer.id), 0);
    fx_reopen(&f);
    o = why_call(2);
    ck_assert(says(o, "Agent 1001 has answered"));
    ck_assert(says(o, "the highest level"));
    json_decref(o);
    ck_assert_int_eq(fx_not_ready(&f, "1003"), 0);
    agent_says("1003", "is not ready");
    ck_assert_int_eq(fx_start(&f, 3, "13700", "10001", true), 0);
    o = why_call(3);
    ck_assert(says(o, "not in a queue"));
    json_decref(o);
    set("[{'kind':'queue','name':'service','members':[{'agent':'1001'}]}]");
    agent_says("1003", "not a member");
}
END_TEST

/* ---- what older programs wrote, and what they must not meet */

static void downgrade(const char *dir)
{
    char path[256];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/state.db", dir);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    char *why = NULL;
    int rc = sqlite3_exec(db,
                          "DROP TABLE recording_key; ALTER TABLE agent_state DROP COLUMN occupied_us; ALTER TABLE agent_state DROP COLUMN last_offer;"
                          "ALTER TABLE agent_state DROP COLUMN work; ALTER TABLE cdr DROP COLUMN served_queue; ALTER TABLE cdr DROP COLUMN menu;"
                          "ALTER TABLE cdr DROP COLUMN notices; ALTER TABLE cdr DROP COLUMN segments; ALTER TABLE cdr DROP COLUMN transfers; ALTER TABLE cdr DROP COLUMN customer; ALTER TABLE cdr DROP COLUMN notes; ALTER TABLE cdr DROP COLUMN data; ALTER TABLE cdr DROP COLUMN shown; ALTER TABLE cdr DROP COLUMN dialled_by; ALTER TABLE cdr DROP COLUMN of_call; DROP INDEX cdr_marked; ALTER TABLE cdr DROP COLUMN marked; DROP INDEX cdr_rating; ALTER TABLE cdr DROP COLUMN rating; ALTER TABLE cdr DROP COLUMN rated_agent; ALTER TABLE cdr DROP COLUMN rated_queue; ALTER TABLE cdr DROP COLUMN parted_us; DROP TABLE message; DROP TABLE delivery; DROP TABLE recording; DROP TABLE notice_stat; DROP TABLE notice_heard;"
                          "ALTER TABLE cdr DROP COLUMN variables; DROP TABLE flow_version; DROP TABLE callback; DROP TABLE subscription; ALTER TABLE registration DROP COLUMN events; DROP TABLE missed;"
                          "DROP TABLE served; DROP TABLE queue_state; PRAGMA user_version=2;",
                          NULL, NULL, &why);
    ck_assert_msg(rc == SQLITE_OK, "%s", why);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* A database of schema 2: callers wait in the same order, agents do what they did, and it is as if it had always been of the present one. */
START_TEST(test_state_of_schema_2)
{
    char before[65], after[65];
    set("[{'kind':'access_number','number':'10011','queue':'service','priority':2}]");
    all_in();
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_int_eq(fx_start(&f, id, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    ck_assert_int_eq(fx_fail(&f, 2, core_call(f.c, 2)->offer.id, EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_start(&f, 4, "1", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 5, "2", "10011", true), 0);
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_OFFERED);
    const uint64_t order[] = {2, 5, 4};
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t id = 0;
        ck_assert(acd_waiting_at(f.c->acd, core_queue_obj(f.c, "service")->key, i, &id));
        ck_assert_uint_eq(id, order[i]);
    }
    fx_digest(&f, before);
    core_close(f.c);
    storage_close(f.st);
    f.c = NULL;
    downgrade(f.dir);
    fx_reopen(&f);
    fx_digest(&f, after);
    ck_assert_str_eq(after, before);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t id = 0;
        ck_assert(acd_waiting_at(f.c->acd, core_queue_obj(f.c, "service")->key, i, &id));
        ck_assert_uint_eq(id, order[i]);
    }
    ck_assert_int_eq(fx_ready(&f, "1002"), 0);
    ck_assert_str_eq(offered_to(2), "1002");
}
END_TEST

START_TEST(test_what_callers_hear)
{
    set("[{'kind':'queue','name':'service','music':'tune','welcome':'hello','announce':['position','wait','sorry'],"
        "'announce_first_s':5,'announce_every_s':30,'announce_agent':true,'announce_position_max':9}]");
    const Ev__Queue *q = core_queue_config(f.c, "service");
    ck_assert_str_eq(q->music, "tune");
    ck_assert_uint_eq(q->n_announce, 3);
    ck_assert_uint_eq(q->announce_every_s, 30);
    ck_assert(q->announce_agent);
}
END_TEST

/* The place that is told is the one that the engine has, and none while an agent is being rung. */
START_TEST(test_place_that_is_told)
{
    set("[{'kind':'access_number','number':'10013','queue':'service','priority':5}]");
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_int_eq(fx_start(&f, id, "13800138000", id == 3 ? "10013" : "10003", true), 0);
    ck_assert_uint_eq(core_queue_position(f.c, 3), 1); /* of higher priority */
    ck_assert_uint_eq(core_queue_position(f.c, 1), 2);
    ck_assert_uint_eq(core_queue_position(f.c, 2), 3);
    ck_assert_uint_eq(core_queue_position(f.c, 4), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    ck_assert_str_eq(offered_to(3), "1001");
    ck_assert_uint_eq(core_queue_position(f.c, 3), 0);
    ck_assert_uint_eq(core_queue_position(f.c, 1), 1);
}
END_TEST

START_TEST(test_level_that_a_command_takes)
{
    Ev__Queue q = EV__QUEUE__INIT;
    Ev__ConfigObject object = EV__CONFIG_OBJECT__INIT, *objects[1] = {&object};
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    char *level = (char *)(uintptr_t) "level";
    object.object_case = EV__CONFIG_OBJECT__OBJECT_QUEUE;
    object.queue = &q;
    m.n_set = 1;
    m.set = objects;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    q.strategy = (char *)(uintptr_t) "longest_idle";
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    q.n_preferences = 1;
    q.preferences = &level;
    ck_assert_uint_eq(core_feature_of(&cmd), 2);
    q.announce_agent = true;
    ck_assert_uint_eq(core_feature_of(&cmd), 3);
    ck_assert_uint_eq(core_feature_common(f.c), CORE_FEATURE_LEVEL);
    Ev__NodeUp up = EV__NODE_UP__INIT;
    up.name = (char *)(uintptr_t) "n2";
    up.node_id = 2;
    up.incarnation = 2;
    up.max_feature_level = 1;
    Ev__Command cmd_up = EV__COMMAND__INIT;
    cmd_up.body_case = EV__COMMAND__BODY_NODE_UP;
    cmd_up.node_up = &up;
    ck_assert_int_eq(fx_run(&f, &cmd_up), 0);
    ck_assert_uint_eq(core_feature_common(f.c), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core rules of service");
    TCase *t = tcase_create("service");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_login_order);
    tcase_add_test(t, test_fewest_answered);
    tcase_add_test(t, test_round_robin);
    tcase_add_test(t, test_least_occupied);
    tcase_add_test(t, test_random_is_the_same_everywhere);
    tcase_add_test(t, test_level_is_the_members_or_the_agents);
    tcase_add_test(t, test_region);
    tcase_add_test(t, test_last_served);
    tcase_add_test(t, test_agent_who_served_last_is_removed);
    tcase_add_test(t, test_skills_and_their_end);
    tcase_add_test(t, test_vip_ageing_and_target);
    tcase_add_test(t, test_targets_of_two_queues);
    tcase_add_test(t, test_explanations);
    tcase_add_test(t, test_state_of_schema_2);
    tcase_add_test(t, test_what_callers_hear);
    tcase_add_test(t, test_place_that_is_told);
    tcase_add_test(t, test_level_that_a_command_takes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
