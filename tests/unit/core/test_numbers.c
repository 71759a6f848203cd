/* Blacklist and VIPs: what is on a list, what becomes of the call, and what is there after a restart. */
#include "core/core_int.h"
#include "core/explain.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
}

static void down(void)
{
    fx_close(&f);
}

/* ---- the list itself */

static struct number_pattern pattern(const char *text)
{
    struct number_pattern p = {.kind = NUMBER_ONE};
    ck_assert_int_eq(number_pattern_parse(text, &p, NULL), 0);
    return p;
}

static uint64_t state = 20261122;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(state >> 33) % below;
}

static bool covers(const struct number_pattern *p, const char *number)
{
    if (p->kind == NUMBER_ONE)
        return strcmp(p->from, number) == 0;
    if (p->kind == NUMBER_PREFIX)
        return strncmp(p->from, number, strlen(p->from)) == 0;
    return strlen(number) == strlen(p->from) && strcmp(p->from, number) <= 0 && strcmp(number, p->to) <= 0;
}

/* Against a search through all entries, while entries come and go. */
START_TEST(test_list_finds_what_a_search_finds)
{
    enum { N = 400 };
    static struct number_pattern all[N];
    static bool in[N];
    struct number_list l;
    memset(&l, 0, sizeof l);
    memset(in, 0, sizeof in);
    unsigned hits = 0;
    for (unsigned i = 0; i < N; i++) {
        char text[64];
        unsigned a = draw(10000), b = a + draw(40);
        if (i % 3 == 0)
            (void)snprintf(text, sizeof text, "%u", a);
        else if (i % 3 == 1 || b > 99999)
            (void)snprintf(text, sizeof text, "%05u~%05u", a, b);
        else
            (void)snprintf(text, sizeof text, "%u*", 100 + draw(9900));
        all[i] = pattern(text);
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = draw(N);
        if (draw(4) == 0) {
            /* two entries of one text are one entry */
            char mine[NUMBER_MAX], other[NUMBER_MAX];
            number_pattern_text(&all[i], mine);
            for (unsigned k = 0; k < N; k++) {
                number_pattern_text(&all[k], other);
                if (k != i && strcmp(mine, other) == 0)
                    in[k] = false;
            }
            in[i] = !in[i];
            if (in[i])
                number_list_put(&l, &all[i], &all[i]);
            else
                number_list_drop(&l, &all[i]);
        }
        char number[16];
        (void)snprintf(number, sizeof number, draw(2) ? "%u" : "%05u", draw(11000));
        bool any = false;
        for (unsigned k = 0; k < N && !any; k++)
            any = in[k] && covers(&all[k], number);
        const struct number_pattern *found = number_list_find(&l, number);
        ck_assert_msg(any == (found != NULL), "%s at step %u", number, step);
        ck_assert(!found || covers(found, number));
        hits += any;
    }
    ck_assert_uint_gt(hits, 1000);
    ck_assert_uint_lt(hits, 19000);
    number_list_free(&l);
    ck_assert_ptr_null(number_list_find(&l, "1"));
}
END_TEST

START_TEST(test_which_entry_counts)
{
    struct number_list l;
    memset(&l, 0, sizeof l);
    static const char *const texts[] = {"138*", "1380*", "13800138000-13800138999", "13800138100-13800138200", "13800138150"};
    struct number_pattern p[5];
    for (int i = 0; i < 5; i++) {
        p[i] = pattern(texts[i]);
        number_list_put(&l, &p[i], &p[i]);
    }
    ck_assert_ptr_eq(number_list_find(&l, "13800138150"), &p[4]);
    ck_assert_ptr_eq(number_list_find(&l, "13800138151"), &p[2]);
    ck_assert_ptr_eq(number_list_find(&l, "13800139000"), &p[1]);
    ck_assert_ptr_eq(number_list_find(&l, "138"), &p[0]);
    ck_assert_ptr_null(number_list_find(&l, "13"));
    number_list_drop(&l, &p[2]);
    ck_assert_ptr_eq(number_list_find(&l, "13800138151"), &p[3]);
    ck_assert_ptr_eq(number_list_find(&l, "13800138201"), &p[1]);
    number_list_free(&l);
}
END_TEST

/* ---- blacklist */

static void black(const char *number, enum core_call_direction d, const char *entry)
{
    const Ev__BlacklistEntry *e = core_blacklisted(f.c, number, d);
    ck_assert_msg((e != NULL) == (entry != NULL) && (!e || strcmp(e->number, entry) == 0), "%s: %s", number, e ? e->number : "none");
}

static void set(const char *text)
{
    ck_assert_msg(fx_set(&f, text) == 0, "%s", f.last.text);
}

START_TEST(test_blacklisted_caller_is_refused)
{
    set("[{'kind':'blacklist','number':'13800138000','note':'silent'},{'kind':'blacklist','number':'0900*','direction':'both'},"
        "{'kind':'blacklist','number':'00*','direction':'out'},{'kind':'blacklist','number':'4000-4099'}]");
    static const char *const refused[] = {"13800138000", "+8613800138000", "09001", "4050"};
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(fx_start(&f, i + 1, refused[i], i % 2 ? "10003" : "10000", true), 0);
        const struct core_call *k = core_call(f.c, i + 1);
        ck_assert_int_eq(k->phase, CORE_CALL_FAILED);
        ck_assert_int_eq(k->fail_status, 603);
        ck_assert_str_eq(k->fail_cause, "blacklisted");
        ck_assert(!k->answered);
        ck_assert_uint_eq(k->menu_us + k->queued_us, 0);
    }
    fx_reopen(&f);
    ck_assert_int_eq(core_call(f.c, 1)->phase, CORE_CALL_FAILED);
    ck_assert_int_eq(fx_start(&f, 9, "13800138001", "10000", true), 0);
    ck_assert_int_eq(fx_phase(&f, 9), CORE_CALL_MENU);
    ck_assert_int_eq(fx_start(&f, 10, "00852123", "10000", true), 0); /* only calls out to it are forbidden */
    ck_assert_int_eq(fx_phase(&f, 10), CORE_CALL_MENU);
    black("13800138000", CORE_CALL_OUT, NULL);
    black("+852123", CORE_CALL_OUT, "00*");
    black("0900", CORE_CALL_OUT, "0900*");
    black("", CORE_CALL_IN, NULL);
    set("[{'kind':'blacklist','number':'13800138000','direction':'out'}]"); /* another direction: it is not left behind */
    black("13800138000", CORE_CALL_IN, NULL);
    black("13800138000", CORE_CALL_OUT, "13800138000");
    ck_assert_int_eq(fx_config(&f, NULL, "['blacklist/13800138000','blacklist/4000-4099']", NULL, NULL), 0);
    black("13800138000", CORE_CALL_OUT, NULL);
    black("4050", CORE_CALL_IN, NULL);
    fx_same_after_restart(&f);
    black("09001", CORE_CALL_IN, "0900*");
    black("4050", CORE_CALL_IN, NULL);
}
END_TEST

START_TEST(test_telephones_are_not_refused)
{
    set("[{'kind':'blacklist','number':'8001','direction':'both'}]");
    ck_assert_int_eq(fx_start(&f, 1, "8001", "10001", true), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_APP);
}
END_TEST

/* ---- VIPs */

static void enters(uint64_t id, const char *caller, const char *number, bool vip, enum core_vip_by by, const char *entry)
{
    ck_assert_int_eq(fx_start(&f, id, caller, number, true), 0);
    const Ev__CallState *s = core_call_obj(f.c, id)->st;
    ck_assert_msg(s->vip == vip && s->vip_by == (uint32_t)by && strcmp(s->vip_entry, entry) == 0, "%llu: %d %u %s", (unsigned long long)id, s->vip, s->vip_by, s->vip_entry);
}

static void position(uint64_t id, uint32_t place)
{
    ck_assert_uint_eq(acd_position(f.c->acd, id), place);
}

static bool says(uint64_t id, const char *words)
{
    json_t *o = NULL;
    struct err_info info = {0};
    ck_assert_int_eq(core_explain_call(f.c, id, &o, &info), 0);
    char *text = json_dumps(json_object_get(o, "lines"), 0);
    bool found = strstr(text, words) != NULL;
    free(text);
    json_decref(o);
    return found;
}

START_TEST(test_vips_go_first_by_the_list_of_the_queue)
{
    set("[{'kind':'queue','name':'sales','vip':'list','members':[{'agent':'1001'}]},"
        "{'kind':'access_number','number':'10010','queue':'sales'},{'kind':'access_number','number':'10011','queue':'sales','vip':true},"
        "{'kind':'vip','entry':'13800138000','note':'Li Na'},{'kind':'vip','entry':'139*@sales'}]");
    enters(1, "555", "10003", false, CORE_VIP_BY_NUMBER, "");
    enters(2, "13800138000", "10003", false, CORE_VIP_BY_NUMBER, ""); /* the queue goes by no list */
    set("[{'kind':'queue','name':'service','vip':'global','members':[{'agent':'1001'}]}]");
    enters(3, "+8613800138000", "10003", true, CORE_VIP_BY_GLOBAL, "13800138000");
    enters(4, "13912345678", "10003", false, CORE_VIP_BY_NUMBER, "");
    enters(5, "13812345678", "10010", false, CORE_VIP_BY_NUMBER, "");
    enters(6, "13912345678", "10010", true, CORE_VIP_BY_QUEUE, "139*@sales");
    enters(7, "13800138000", "10010", false, CORE_VIP_BY_NUMBER, "");
    enters(8, "13912345679", "10011", true, CORE_VIP_BY_NUMBER, ""); /* the number called says it already */
    for (int pass = 0; pass < 2; pass++) {
        position(3, 1);
        position(1, 2);
        position(6, 1);
        position(8, 2);
        position(5, 3);
        ck_assert(says(3, "VIP by entry 13800138000 of the global list"));
        ck_assert(says(6, "VIP by entry 139* of the queue's own list"));
        ck_assert(says(8, "The number called is a VIP number"));
        ck_assert(!says(7, "VIP"));
        fx_reopen(&f);
    }
    /* decided when he entered */
    ck_assert_int_eq(fx_config(&f, NULL, "['vip/13800138000']", NULL, NULL), 0);
    position(3, 1);
    enters(9, "13800138000", "10003", false, CORE_VIP_BY_NUMBER, "");
}
END_TEST

START_TEST(test_rules_and_references)
{
    static const struct {
        const char *kind, *json, *field, *text;
    } bad[] = {{"blacklist", "{\"number\":\"+8613800138000\"}", "number", "must be written as 13800138000"},
               {"blacklist", "{\"number\":\"13*8\"}", "number", "prefix"},
               {"blacklist", "{\"number\":\"1\",\"direction\":\"sideways\"}", "direction", ""},
               {"blacklist", "{}", "number", ""},
               {"vip", "{\"entry\":\"138-0013-8000@service\"}", "entry", "must be written as 13800138000"},
               {"vip", "{\"entry\":\"138@\"}", "entry", ""},
               {"vip", "{\"entry\":\"138@a b\"}", "entry", ""},
               {"queue", "{\"name\":\"q\",\"vip\":\"http\"}", "vip", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err_info info = {0};
        struct Ev__ConfigObject *o = NULL;
        json_t *j = json_loads(bad[i].json, 0, NULL);
        ck_assert_msg(view_config_from_json(bad[i].kind, j, "r", &o, &info) != 0, "%s", bad[i].json);
        ck_assert_str_eq(info.field, bad[i].field);
        ck_assert_msg(strstr(info.text, bad[i].text) != NULL, "%s", info.text);
        json_decref(j);
    }
    ck_assert_int_eq(fx_set(&f, "[{'kind':'vip','entry':'1@nowhere'}]"), ERR_INVAL);
    ck_assert_str_eq(f.last.field, "vip/1@nowhere.entry");
    set("[{'kind':'queue','name':'sales'},{'kind':'vip','entry':'1@sales'}]");
    ck_assert_int_eq(fx_config(&f, NULL, "['queue/sales']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(fx_config(&f, NULL, "['queue/sales','vip/1@sales']", NULL, NULL), 0);
    ck_assert_ptr_null(core_vip_entry(f.c, "1", "sales"));
}
END_TEST

/* Many in one command: as many as there can be are taken, one more is not. */
START_TEST(test_limit)
{
    enum { MANY = 1000 };
    static Ev__BlacklistEntry entries[CORE_LISTED_MAX + 1];
    static Ev__ConfigObject objects[CORE_LISTED_MAX + 1], *list[CORE_LISTED_MAX + 1];
    static char names[CORE_LISTED_MAX + 1][16];
    for (unsigned i = 0; i <= CORE_LISTED_MAX; i++) {
        ev__blacklist_entry__init(&entries[i]);
        ev__config_object__init(&objects[i]);
        (void)snprintf(names[i], sizeof names[i], "139%08u", i);
        entries[i].number = names[i];
        objects[i].object_case = EV__CONFIG_OBJECT__OBJECT_BLACKLIST;
        objects[i].blacklist = &entries[i];
        list[i] = &objects[i];
    }
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    m.set = list;
    m.n_set = MANY;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    black("13900000999", CORE_CALL_IN, "13900000999");
    m.set = list + 1; /* one goes beyond, though all but it and the last are there */
    m.n_set = CORE_LISTED_MAX;
    cmd.time_us = 0;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_TOOBIG);
    black("13900001000", CORE_CALL_IN, NULL);
}
END_TEST

START_TEST(test_feature_level)
{
    static const struct {
        const char *kind, *json;
    } rows[] = {{"blacklist", "{\"number\":\"1\"}"}, {"vip", "{\"entry\":\"1\"}"}, {"queue", "{\"name\":\"q\",\"vip\":\"list\"}"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {0};
        Ev__ConfigObject *o = NULL;
        json_t *j = json_loads(rows[i].json, 0, NULL);
        ck_assert_int_eq(view_config_from_json(rows[i].kind, j, "r", &o, &info), 0);
        Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
        m.set = &o;
        m.n_set = 1;
        FX_BODY(CONFIG_APPLY, config_apply, m);
        ck_assert_uint_eq(core_feature_of(&cmd), 3);
        ev__config_object__free_unpacked(o, NULL);
        json_decref(j);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core numbers");
    TCase *t = tcase_create("numbers");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_list_finds_what_a_search_finds);
    tcase_add_test(t, test_which_entry_counts);
    tcase_add_test(t, test_blacklisted_caller_is_refused);
    tcase_add_test(t, test_telephones_are_not_refused);
    tcase_add_test(t, test_vips_go_first_by_the_list_of_the_queue);
    tcase_add_test(t, test_rules_and_references);
    tcase_add_test(t, test_limit);
    tcase_add_test(t, test_feature_level);
    suite_add_tcase(s, t);
    return run_suite(s);
}
