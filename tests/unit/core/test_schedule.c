/* Access numbers that lead elsewhere by time: references, apply, and what is there after a restart. */
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

#define HOURS "'monday':['08:30-12:00','13:00-17:30'],'saturday':['22:00-06:00']"
/* 2026-11-23 is a Monday; these are times of Shanghai */
#define MONDAY_9 (1795395600 * US)
#define HOUR (3600 * US)
#define DAY (24 * HOUR)

static void up(void)
{
    fx_open(&f);
    f.now = MONDAY_9 - DAY; /* the first command sets the clock */
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 1), 0);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'trunk','name':'carrier','sources':['192.0.2.0/24']},"
                                "{'kind':'flow','name':'closed','definition':{'name':'closed'}},"
                                "{'kind':'holiday_list','name':'china','days':[{'date':'2026-11-30','name':'Day'},{'date':'2026-11-24','kind':'work'}]},"
                                "{'kind':'time_group','name':'office','tz':'CST-8'," HOURS ",'holidays':'china'},"
                                "{'kind':'time_group','name':'eve','tz':'CST-8','monday':['17:00-19:00']},"
                                "{'kind':'access_number','number':'10010','flow':'closed','schedule':["
                                "{'time_group':'office','queue':'service'},{'time_group':'eve','app':'echo'}]}]"),
                     0);
}

static void down(void)
{
    fx_close(&f);
}

static void leads(uint64_t at, enum core_route_kind kind, const char *name)
{
    struct core_route r;
    core_route(f.c, at, NULL, "10010", &r);
    ck_assert_msg(r.kind == kind && strcmp(r.name, name) == 0, "%d %s", (int)r.kind, r.name);
}

START_TEST(test_first_open_group_counts)
{
    leads(MONDAY_9, CORE_ROUTE_QUEUE, "service");
    leads(MONDAY_9 - 31 * 60 * US, CORE_ROUTE_FLOW, "closed");
    leads(MONDAY_9 + 3 * HOUR, CORE_ROUTE_FLOW, "closed");
    leads(MONDAY_9 + 8 * HOUR + 10 * 60 * US, CORE_ROUTE_QUEUE, "service"); /* both are open */
    leads(MONDAY_9 + 9 * HOUR, CORE_ROUTE_APP, "echo");
    leads(MONDAY_9 + DAY, CORE_ROUTE_QUEUE, "service"); /* a Tuesday that is worked as a Monday */
    leads(MONDAY_9 + 2 * DAY, CORE_ROUTE_FLOW, "closed");
    leads(MONDAY_9 + 7 * DAY, CORE_ROUTE_FLOW, "closed"); /* a Monday off */
    leads(MONDAY_9 + 7 * DAY + 8 * HOUR, CORE_ROUTE_APP, "echo"); /* of which the other group knows nothing */
    ck_assert(core_time_group_open(f.c, "office", MONDAY_9));
    ck_assert(!core_time_group_open(f.c, "nobody", MONDAY_9));
}
END_TEST

/* A time of day in the zone of a group, the next time that it comes. */
START_TEST(test_next_time_of_day)
{
    uint64_t at = 0;
    ck_assert_int_eq(core_time_group_next(f.c, "office", 18 * 3600 + 1800, MONDAY_9, &at), 0);
    ck_assert_uint_eq(at, MONDAY_9 + 9 * HOUR + HOUR / 2);
    ck_assert_int_eq(core_time_group_next(f.c, "office", 9 * 3600, MONDAY_9, &at), 0); /* now is not later */
    ck_assert_uint_eq(at, MONDAY_9 + DAY);
    ck_assert_int_eq(core_time_group_next(f.c, "office", 0, MONDAY_9, &at), 0);
    ck_assert_uint_eq(at, MONDAY_9 + 15 * HOUR);
    ck_assert_int_eq(core_time_group_next(f.c, "nobody", 0, MONDAY_9, &at), ERR_NOTFOUND);
}
END_TEST

START_TEST(test_apply_goes_by_the_replicated_clock)
{
    f.now = MONDAY_9 - DAY + US;
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10010", true), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert_str_eq(core_call(f.c, 1)->flow, "closed");
    fx_later(&f, MONDAY_9);
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10010", true), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    fx_same_after_restart(&f);
    leads(MONDAY_9, CORE_ROUTE_QUEUE, "service");
    leads(MONDAY_9 + 7 * DAY, CORE_ROUTE_FLOW, "closed");
}
END_TEST

START_TEST(test_changes_count_at_once)
{
    leads(MONDAY_9, CORE_ROUTE_QUEUE, "service");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'holiday_list','name':'china','days':[{'date':'2026-11-23'}]}]"), 0);
    leads(MONDAY_9, CORE_ROUTE_FLOW, "closed");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'time_group','name':'office','tz':'CST-8','holiday_hours':['09:00-09:01'],'holidays':'china'}]"), 0);
    leads(MONDAY_9, CORE_ROUTE_QUEUE, "service");
    leads(MONDAY_9 + 60 * US, CORE_ROUTE_FLOW, "closed");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'time_group','name':'office','tz':'CST-7','holiday_hours':['09:00-09:01'],'holidays':'china'}]"), 0);
    leads(MONDAY_9, CORE_ROUTE_FLOW, "closed");
    leads(MONDAY_9 + HOUR, CORE_ROUTE_QUEUE, "service");
    json_t *o = fx_view(&f, "time_group", "office", NULL), *l = fx_view(&f, "holiday_list", "china", NULL);
    ck_assert_str_eq(json_string_value(json_object_get(o, "tz")), "CST-7");
    ck_assert_str_eq(json_string_value(json_object_get(o, "work_as")), "monday");
    json_t *day = json_array_get(json_object_get(l, "days"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(day, "kind")), "off");
    json_decref(o);
    json_decref(l);
}
END_TEST

START_TEST(test_references)
{
    static const char *const broken[] = {
        "[{'kind':'access_number','number':'1','app':'echo','schedule':[{'time_group':'none','app':'tone'}]}]",
        "[{'kind':'access_number','number':'1','app':'echo','schedule':[{'time_group':'office','queue':'none'}]}]",
        "[{'kind':'time_group','name':'x','tz':'CST-8','holidays':'none'}]"};
    static const char *const field[] = {"access_number/1.schedule[0].time_group", "access_number/1.schedule[0].queue", "time_group/x.holidays"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(fx_set(&f, broken[i]), ERR_INVAL);
        ck_assert_str_eq(f.last.field, field[i]);
    }
    static const char *const used[] = {"['time_group/office']", "['holiday_list/china']", "['flow/closed']", "['queue/service','access_number/10003']"};
    for (int i = 0; i < 4; i++)
        ck_assert_msg(fx_config(&f, NULL, used[i], NULL, NULL) == ERR_CONFLICT, "%s", used[i]);
    ck_assert_int_eq(fx_config(&f, NULL, "['access_number/10010','time_group/office','holiday_list/china']", NULL, NULL), 0);
    ck_assert(!core_time_group_open(f.c, "office", MONDAY_9));
    ck_assert(core_time_group_open(f.c, "eve", MONDAY_9 + 9 * HOUR));
}
END_TEST

static void begins(uint64_t id, bool owner_answers, enum core_call_phase phase, bool answered)
{
    ck_assert_int_eq(fx_start(&f, id, "13800", "10010", owner_answers), 0);
    ck_assert_int_eq(fx_phase(&f, id), phase);
    ck_assert_int_eq(core_call(f.c, id)->answered, answered);
}

/* The owner asks where a call leads before the command is applied: the hours may end in between. */
START_TEST(test_apply_says_who_is_answered)
{
    ck_assert_int_eq(fx_set(&f, "[{'kind':'access_number','number':'10010','extension':'8002','schedule':[{'time_group':'office','flow':'closed'}]}]"), 0);
    fx_later(&f, MONDAY_9 + 3 * HOUR - US);
    begins(1, true, CORE_CALL_MENU, true);
    f.now += US;
    begins(2, true, CORE_CALL_DIALLING, true); /* as programs of level 2 have it */
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    ck_assert_int_eq(fx_raise(&f, 3), 0);
    begins(3, true, CORE_CALL_DIALLING, false);
    ck_assert_int_eq(fx_end(&f, 3, "caller"), 0);
    fx_later(&f, MONDAY_9 + DAY);
    begins(4, false, CORE_CALL_MENU, true);
}
END_TEST

/* A node that does not know these objects must not meet them in the log. */
START_TEST(test_feature_level)
{
    static const struct {
        const char *kind, *json;
        uint32_t level;
    } rows[] = {{"time_group", "{\"name\":\"a\",\"tz\":\"CST-8\"}", 3},
                {"holiday_list", "{\"name\":\"a\"}", 3},
                {"access_number", "{\"number\":\"1\",\"app\":\"echo\",\"schedule\":[{\"time_group\":\"a\",\"app\":\"echo\"}]}", 3},
                {"access_number", "{\"number\":\"1\",\"app\":\"echo\"}", 1},
                {"access_number", "{\"number\":\"1\",\"app\":\"echo\",\"vip\":true}", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {0};
        Ev__ConfigObject *o = NULL;
        json_t *j = json_loads(rows[i].json, 0, NULL);
        ck_assert_int_eq(view_config_from_json(rows[i].kind, j, "r", &o, &info), 0);
        Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
        m.set = &o;
        m.n_set = 1;
        FX_BODY(CONFIG_APPLY, config_apply, m);
        ck_assert_uint_eq(core_feature_of(&cmd), rows[i].level);
        ev__config_object__free_unpacked(o, NULL);
        json_decref(j);
    }
}
END_TEST

START_TEST(test_rules)
{
    static const struct {
        const char *kind, *json, *field;
    } bad[] = {
        {"time_group", "{\"name\":\"a\"}", "tz"},
        {"time_group", "{\"name\":\"a\",\"tz\":\"Shanghai\"}", "tz"},
        {"time_group", "{\"name\":\"a\",\"tz\":\"CST-8\",\"zone\":\"a b\"}", "zone"},
        {"time_group", "{\"name\":\"a\",\"tz\":\"CST-8\",\"monday\":[\"8-12\"]}", "monday[0]"},
        {"time_group", "{\"name\":\"a\",\"tz\":\"CST-8\",\"monday\":[\"\"]}", "monday[0]"},
        {"time_group", "{\"name\":\"a\",\"tz\":\"CST-8\",\"holiday_hours\":[\"08:00-09:00\",\"08:00-08:00\"]}", "holiday_hours[1]"},
        {"time_group", "{\"name\":\"a\",\"tz\":\"CST-8\",\"work_as\":\"today\"}", "work_as"},
        {"holiday_list", "{\"name\":\"a\",\"days\":[{\"date\":\"2026-02-30\"}]}", "days[0].date"},
        {"holiday_list", "{\"name\":\"a\",\"days\":[{\"name\":\"x\"}]}", "days[0].date"},
        {"holiday_list", "{\"name\":\"a\",\"days\":[{\"date\":\"2026-02-28\",\"kind\":\"half\"}]}", "days[0].kind"},
        {"holiday_list", "{\"name\":\"a\",\"days\":[{\"date\":\"2026-02-28\"},{\"date\":\"2026-02-28\",\"kind\":\"work\"}]}", "days"},
        {"access_number", "{\"number\":\"1\",\"app\":\"echo\",\"schedule\":[{\"time_group\":\"a\"}]}", "schedule[0]"},
        {"access_number", "{\"number\":\"1\",\"app\":\"echo\",\"schedule\":[{\"app\":\"echo\"}]}", "schedule[0].time_group"},
        {"access_number", "{\"number\":\"1\",\"app\":\"echo\",\"schedule\":[{\"time_group\":\"a\",\"app\":\"echo\",\"queue\":\"b\"}]}", "schedule[0]"},
        {"access_number", "{\"number\":\"1\",\"schedule\":[{\"time_group\":\"a\",\"app\":\"echo\"}]}", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err_info info = {0};
        struct Ev__ConfigObject *o = NULL;
        json_t *j = json_loads(bad[i].json, 0, NULL);
        ck_assert_ptr_nonnull(j);
        ck_assert_msg(view_config_from_json(bad[i].kind, j, "r", &o, &info) != 0, "%s", bad[i].json);
        ck_assert_str_eq(info.field, bad[i].field);
        json_decref(j);
    }
}
END_TEST

START_TEST(test_long_holiday_lists)
{
    json_t *days = json_array();
    for (int y = 2001; y <= 2011; y++)
        for (int m = 1; m <= 12; m++)
            for (int d = 1; d <= 28 && json_array_size(days) < 4001; d++)
                json_array_append_new(days, json_pack("{s:o}", "date", json_sprintf("%04d-%02d-%02d", y, m, d)));
    ck_assert_uint_eq(json_array_size(days), 3696);
    while (json_array_size(days) < 4000)
        json_array_append_new(days, json_pack("{s:o}", "date", json_sprintf("%04d-11-23", (int)(2012 + json_array_size(days) - 3696))));
    json_t *o = json_pack("{s:s,s:o}", "name", "china", "days", days);
    struct Ev__ConfigObject *obj = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(view_config_from_json("holiday_list", o, "r", &obj, &info), 0);
    Ev__ConfigObject *list[] = {obj};
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    m.set = list;
    m.n_set = 1;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    leads(MONDAY_9, CORE_ROUTE_FLOW, "closed");
    leads(MONDAY_9 + 7 * DAY, CORE_ROUTE_QUEUE, "service");
    ev__config_object__free_unpacked(obj, NULL);
    json_array_append_new(days, json_pack("{s:s}", "date", "1999-01-01"));
    ck_assert_int_eq(view_config_from_json("holiday_list", o, "r", &obj, &info), ERR_TOOBIG);
    json_decref(o);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core schedule");
    TCase *t = tcase_create("schedule");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_first_open_group_counts);
    tcase_add_test(t, test_next_time_of_day);
    tcase_add_test(t, test_apply_goes_by_the_replicated_clock);
    tcase_add_test(t, test_changes_count_at_once);
    tcase_add_test(t, test_references);
    tcase_add_test(t, test_apply_says_who_is_answered);
    tcase_add_test(t, test_feature_level);
    tcase_add_test(t, test_rules);
    tcase_add_test(t, test_long_holiday_lists);
    suite_add_tcase(s, t);
    return run_suite(s);
}
