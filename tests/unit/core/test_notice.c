/* Areas and notices: who is in which area, what holds when, and what becomes of a caller who is told. */
#include "core/core_int.h"
#include "core/notice.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
}

static void down(void)
{
    fx_close(&f);
}

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void refused(const char *text, int code, const char *words)
{
    ck_assert_int_eq(fx_set(&f, text), code);
    ck_assert_msg(strstr(f.last.text, words) != NULL, "%s", f.last.text);
}

static void faulty(const char *kind, const char *json, const char *field, const char *words)
{
    struct err_info info = {0};
    Ev__ConfigObject *o = NULL;
    json_t *j = json_loads(json, 0, NULL);
    ck_assert_ptr_nonnull(j);
    ck_assert_int_eq(view_config_from_json(kind, j, "r", &o, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, field);
    ck_assert_msg(strstr(info.text, words) != NULL, "%s", info.text);
    json_decref(j);
}

#define AREAS                                                                                                \
    "{'kind':'area','name':'shanghai','numbers':['021*']},{'kind':'area','name':'beijing','numbers':['010*']}," \
    "{'kind':'area','name':'pudong','parent':'shanghai','numbers':['0215*','13800000000-13800000999']}"

/* ---- the clock */

static uint64_t at(const char *rfc3339)
{
    uint64_t us = 0;
    ck_assert_int_eq(config_parse_time(rfc3339, &us), 0);
    return us;
}

static void means(const char *text, const char *tz, bool last, const char *rfc3339)
{
    struct calendar_zone z;
    uint64_t us = 0;
    ck_assert_int_eq(calendar_zone_parse(tz, &z), 0);
    ck_assert_msg(notice_time(text, &z, last, &us) == 0, "%s", text);
    ck_assert_msg(us == at(rfc3339), "%s in %s: %llu", text, tz, (unsigned long long)us);
}

START_TEST(test_times_by_the_clock_on_the_wall)
{
    static const char cet[] = "CET-1CEST,M3.5.0,M10.5.0/3";
    means("2026-11-22T08:00", "CST-8", false, "2026-11-22T00:00:00Z");
    means("2026-11-22T08:00:30", "CST-8", true, "2026-11-22T00:00:30Z");
    means("2026-11-22T08:00:00+09:00", "CST-8", true, "2026-11-21T23:00:00Z");
    means("2026-01-15T12:00", cet, false, "2026-01-15T11:00:00Z");
    means("2026-07-15T12:00", cet, false, "2026-07-15T10:00:00Z");
    /* the last Sunday of March: 02:00 becomes 03:00; half past two is skipped */
    means("2026-03-29T01:59", cet, false, "2026-03-29T00:59:00Z");
    means("2026-03-29T02:30", cet, false, "2026-03-29T01:30:00Z");
    means("2026-03-29T02:30", cet, true, "2026-03-29T01:30:00Z");
    means("2026-03-29T03:00", cet, false, "2026-03-29T01:00:00Z");
    /* the last Sunday of October: half past two comes twice */
    means("2026-10-25T02:30", cet, false, "2026-10-25T00:30:00Z");
    means("2026-10-25T02:30", cet, true, "2026-10-25T01:30:00Z");
    means("2026-10-25T03:00", cet, false, "2026-10-25T02:00:00Z");
    means("2026-07-01T12:00", "<-03>3", true, "2026-07-01T15:00:00Z");
    static const char *const faulty[] = {"",           "2026-11-22",       "2026-11-22 08:00", "2026-13-01T08:00",
                                         "2026-02-30T08:00", "2026-11-22T24:00", "2026-11-22T08:60", "2026-11-22T8:00:000"};
    struct calendar_zone z;
    uint64_t us = 7;
    ck_assert_int_eq(calendar_zone_parse(cet, &z), 0);
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++)
        ck_assert_msg(notice_time(faulty[i], &z, false, &us) == ERR_INVAL && us == 7, "%s", faulty[i]);
    ck_assert_int_eq(notice_time("2026-11-22T08:00", NULL, false, &us), ERR_INVAL);
    ck_assert_int_eq(notice_time("2026-11-22T08:00:00Z", NULL, false, &us), 0);
}
END_TEST

/* Every quarter of an hour of two years, in both directions. */
START_TEST(test_local_times_read_back)
{
    static const char *const zones[] = {"CST-8", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"};
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct calendar_zone z;
        ck_assert_int_eq(calendar_zone_parse(zones[i], &z), 0);
        for (uint64_t us = at("2026-01-01T00:00:00Z"); us < at("2028-01-01T00:00:00Z"); us += 900 * US) {
            struct calendar_time t;
            uint64_t first, last;
            calendar_local(&z, us, &t);
            ck_assert_int_eq(calendar_utc(&z, t.day, t.second, false, &first), 0);
            ck_assert_int_eq(calendar_utc(&z, t.day, t.second, true, &last), 0);
            ck_assert_msg((first == us || last == us) && first <= last, "%s at %llu", zones[i], (unsigned long long)us);
        }
    }
}
END_TEST

/* ---- areas, against a search through all of them */

static uint64_t state = 20261122;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(state >> 33) % below;
}

enum { MANY_AREAS = 60, MANY_NOTICES = 40 };

static char names[MANY_AREAS][16], numbers[MANY_AREAS][3][40], notice_names[MANY_NOTICES][16];
static char *number_list[MANY_AREAS][3], *notice_areas[MANY_NOTICES][3];
static Ev__Area areas[MANY_AREAS];
static Ev__Notice notices[MANY_NOTICES];

static void make_world(void)
{
    struct map seen;
    map_init(&seen);
    for (unsigned i = 0; i < MANY_AREAS; i++) {
        ev__area__init(&areas[i]);
        (void)snprintf(names[i], sizeof names[i], "a%u", i);
        areas[i].name = names[i];
        if (i % 8 && draw(3))
            areas[i].parent = names[i - 1]; /* chains of up to eight */
        areas[i].mass = draw(10) == 0;
        areas[i].numbers = number_list[i];
        areas[i].n_numbers = 0;
        for (unsigned k = 0; k < 3; k++) {
            char *text = numbers[i][areas[i].n_numbers];
            unsigned a = draw(100000), b = a + draw(300);
            if (k == 0)
                (void)snprintf(text, 40, "%u*", 10 + draw(9990));
            else if (k == 1 && b < 100000)
                (void)snprintf(text, 40, "%05u-%05u", a, b);
            else
                (void)snprintf(text, 40, "%05u", a);
            struct number_pattern p;
            if (map_get(&seen, text) || number_pattern_parse(text, &p, NULL) != 0)
                continue;
            number_pattern_text(&p, text);
            ck_assert_int_eq(map_set(&seen, text, text), 0);
            number_list[i][areas[i].n_numbers++] = text;
        }
    }
    map_free(&seen);
    for (unsigned i = 0; i < MANY_NOTICES; i++) {
        Ev__Notice *n = &notices[i];
        ev__notice__init(n);
        (void)snprintf(notice_names[i], sizeof notice_names[i], "n%u", i);
        n->name = notice_names[i];
        n->order = draw(5);
        n->automatic = draw(2);
        n->disabled = draw(8) == 0;
        n->areas = notice_areas[i];
        n->n_areas = draw(4);
        for (unsigned k = 0; k < n->n_areas; k++)
            notice_areas[i][k] = names[draw(MANY_AREAS)];
        n->from = draw(3) ? (char *)(uintptr_t)"" : (char *)(uintptr_t)"2026-01-01T00:00:00Z";
        n->until = draw(3) ? (char *)(uintptr_t)"" : (char *)(uintptr_t)"2026-06-01T00:00:00Z";
    }
}

/* Numbers before ranges before prefixes; of prefixes the longest, of ranges the one that reaches furthest, then the one that begins
 * first. */
static const Ev__Area *searched(const char *number)
{
    const Ev__Area *found = NULL;
    char best[100] = "";
    for (unsigned i = 0; i < MANY_AREAS; i++) {
        for (size_t k = 0; k < areas[i].n_numbers; k++) {
            struct number_pattern p;
            char rank[100] = "";
            ck_assert_int_eq(number_pattern_parse(areas[i].numbers[k], &p, NULL), 0);
            if (p.kind == NUMBER_ONE && strcmp(p.from, number) == 0)
                (void)strcpy(rank, "3");
            else if (p.kind == NUMBER_RANGE && strlen(p.from) == strlen(number) && strcmp(p.from, number) <= 0 && strcmp(number, p.to) <= 0)
                (void)snprintf(rank, sizeof rank, "2%s-%06u", p.to, 999999 - (unsigned)strtoul(p.from, NULL, 10));
            else if (p.kind == NUMBER_PREFIX && strncmp(p.from, number, strlen(p.from)) == 0)
                (void)snprintf(rank, sizeof rank, "1%02zu", strlen(p.from));
            if (rank[0] && strcmp(rank, best) > 0) {
                (void)strcpy(best, rank);
                found = &areas[i];
            }
        }
    }
    return found;
}

static const Ev__Area *named(const char *name)
{
    for (unsigned i = 0; i < MANY_AREAS; i++)
        if (strcmp(areas[i].name, name) == 0)
            return &areas[i];
    return NULL;
}

static bool concerns(const Ev__Notice *n, const Ev__Area *area)
{
    bool yes = n->n_areas == 0;
    for (unsigned depth = 0; area && depth < 8; area = named(area->parent), depth++)
        for (size_t i = 0; i < n->n_areas; i++)
            yes = yes || strcmp(n->areas[i], area->name) == 0;
    return yes;
}

static bool before(const Ev__Notice *a, const Ev__Notice *b)
{
    return a->order != b->order ? a->order < b->order : strcmp(a->name, b->name) < 0;
}

START_TEST(test_index_finds_what_a_search_finds)
{
    unsigned hits = 0, told = 0, mass = 0;
    for (unsigned round = 0; round < 40; round++) {
        make_world();
        const Ev__Area *area_list[MANY_AREAS];
        const Ev__Notice *notice_list[MANY_NOTICES];
        for (unsigned i = 0; i < MANY_AREAS; i++)
            area_list[i] = &areas[(i * 7 + round) % MANY_AREAS]; /* the order in which they come does not matter */
        for (unsigned i = 0; i < MANY_NOTICES; i++)
            notice_list[i] = &notices[(i * 3 + round) % MANY_NOTICES];
        struct notice_index *ix = notice_index_make(area_list, MANY_AREAS, notice_list, MANY_NOTICES);
        for (unsigned i = 0; i < 300; i++) {
            char number[16];
            (void)snprintf(number, sizeof number, "%05u", draw(100000));
            const Ev__Area *area = notice_area_of(ix, number), *expected = searched(number);
            ck_assert_msg(area == expected, "%s: %s, not %s", number, area ? area->name : "-", expected ? expected->name : "-");
            hits += area != NULL;
            const Ev__Notice *got[MANY_NOTICES];
            uint64_t now = at(draw(2) ? "2026-05-31T23:59:59Z" : "2026-06-01T00:00:00Z");
            bool automatic = draw(2);
            unsigned n = notice_match(ix, area, now, automatic, got, MANY_NOTICES), want = 0;
            for (unsigned k = 0; k < MANY_NOTICES; k++) {
                const Ev__Notice *x = &notices[k];
                bool holds = !x->disabled && (!automatic || x->automatic) && concerns(x, area) && !(x->until[0] && now >= at(x->until));
                bool is_there = false;
                for (unsigned j = 0; j < n; j++)
                    is_there = is_there || got[j] == x;
                ck_assert_msg(holds == is_there, "%s for %s", x->name, number);
                want += holds;
            }
            ck_assert_uint_eq(n, want);
            for (unsigned j = 1; j < n; j++)
                ck_assert(before(got[j - 1], got[j]));
            told += n;
            if (n) {
                bool expected_mass = got[0]->mass;
                const Ev__Area *in = area;
                for (unsigned depth = 0; in && depth < 8; in = named(in->parent), depth++)
                    expected_mass = expected_mass || in->mass;
                ck_assert(notice_is_mass(ix, area, got[0]) == expected_mass);
                mass += expected_mass;
            }
        }
        notice_index_free(ix);
    }
    ck_assert_uint_gt(hits, 1000);
    ck_assert_uint_gt(told, 1000);
    ck_assert_uint_gt(mass, 50);
}
END_TEST

/* ---- rules */

START_TEST(test_rules_and_references)
{
    faulty("notice", "{\"name\":\"n\"}", "text_zh", "one of text_zh, text_en, prompt");
    faulty("notice", "{\"name\":\"n\",\"text_en\":\"x\",\"from\":\"2026-11-22T08:00\"}", "from", "unless a zone");
    faulty("notice", "{\"name\":\"n\",\"text_en\":\"x\",\"tz\":\"CST-8\",\"from\":\"2026-11-22T08:00\",\"until\":\"2026-11-22T00:00:00Z\"}", "until", "later than from");
    faulty("notice", "{\"name\":\"n\",\"text_en\":\"x\",\"tz\":\"CST-8\",\"until\":\"soon\"}", "until", "such as 2026-11-22T08:00");
    faulty("notice", "{\"name\":\"n\",\"text_en\":\"x\",\"mass\":true}", "mass", "needs automatic");
    faulty("notice", "{\"name\":\"n\",\"text_en\":\"x\",\"areas\":[\"a\",\"a\"]}", "areas", "twice");
    faulty("area", "{\"name\":\"a\",\"numbers\":[\"(021) 5*\"]}", "numbers[0]", "must be written as 0215*");
    refused("[{'kind':'notice','name':'n','text_en':'x','areas':['nowhere']}]", ERR_INVAL, "no area nowhere");
    refused("[{'kind':'area','name':'a','parent':'nowhere'}]", ERR_INVAL, "no area nowhere");
    refused("[{'kind':'area','name':'a','parent':'b'},{'kind':'area','name':'b','parent':'a'}]", ERR_INVAL, "within itself");
    refused("[{'kind':'area','name':'a','numbers':['021*']},{'kind':'area','name':'b','numbers':['021*']}]", ERR_CONFLICT, "021* is of area a already, not of area b");
    set("[" AREAS ",{'kind':'notice','name':'n','text_en':'x','areas':['pudong']}]");
    ck_assert_int_eq(fx_config(&f, NULL, "['area/pudong']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(fx_config(&f, NULL, "['area/shanghai']", NULL, NULL), ERR_CONFLICT);
    refused("[{'kind':'area','name':'minhang','numbers':['0215*']}]", ERR_CONFLICT, "0215* is of area");
    /* a number goes from one to the other in one change, whichever of the two comes first */
    set("[{'kind':'area','name':'minhang','numbers':['0215*']},{'kind':'area','name':'pudong','parent':'shanghai'}]");
    ck_assert_str_eq(notice_area_of(core_notice_index(f.c), "021 5123 4567")->name, "minhang");
    set("[{'kind':'area','name':'pudong','parent':'shanghai','numbers':['0215*']},{'kind':'area','name':'minhang'}]");
    ck_assert_str_eq(notice_area_of(core_notice_index(f.c), "+86 21 5123 4567")->name, "pudong");
    ck_assert_int_eq(fx_config(&f, NULL, "['notice/n','area/pudong']", NULL, NULL), 0);
    ck_assert_str_eq(notice_area_of(core_notice_index(f.c), "02151234567")->name, "shanghai");
    fx_reopen(&f);
    ck_assert_str_eq(notice_area_of(core_notice_index(f.c), "02151234567")->name, "shanghai");
}
END_TEST

START_TEST(test_depth)
{
    char text[2048] = "[";
    for (int i = 1; i <= 8; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s{'kind':'area','name':'d%d','parent':'%s'}", i > 1 ? "," : "", i, i > 1 ? (const char[][3]){"d1", "d2", "d3", "d4", "d5", "d6", "d7"}[i - 2] : "");
    (void)strcat(text, "]");
    set(text);
    refused("[{'kind':'area','name':'d9','parent':'d8'}]", ERR_INVAL, "more than 7");
    refused("[{'kind':'area','name':'d0'},{'kind':'area','name':'d1','parent':'d0'}]", ERR_INVAL, "more than 7");
}
END_TEST

/* ---- callers */

static int becomes_of(uint64_t id, uint32_t turn, Ev__CallNotice__What what)
{
    Ev__CallNotice m = EV__CALL_NOTICE__INIT;
    m.call_id = id;
    m.turn = turn;
    m.what = what;
    FX_BODY(CALL_NOTICE, call_notice, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static int asks(uint64_t id, const char *area)
{
    Ev__CallNotices m = EV__CALL_NOTICES__INIT;
    m.call_id = id;
    m.area = (char *)(uintptr_t)area;
    FX_BODY(CALL_NOTICES, call_notices, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static void calls(uint64_t id, const char *caller, const char *number)
{
    ck_assert_int_eq(fx_start(&f, id, caller, number, true), 0);
}

/* "water" or "water, gas" that he hears, at the given one; "": none */
static void hears(uint64_t id, const char *what, unsigned nth)
{
    const struct core_call *k = core_call(f.c, id);
    char text[256] = "";
    ck_assert_ptr_nonnull(k);
    for (size_t i = 0; k->notice && i < k->notice->n_names; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "", k->notice->names[i]);
    ck_assert_str_eq(text, what);
    ck_assert_int_eq(k->phase == CORE_CALL_NOTICE, what[0] != '\0');
    if (k->notice)
        ck_assert_uint_eq(k->notice->at, nth);
}

static json_int_t stat_of(const char *notice, const char *what)
{
    json_t *v = fx_view(&f, "notice", notice, NULL);
    json_t *item = json_is_array(json_object_get(v, "items")) ? json_array_get(json_object_get(v, "items"), 0) : v;
    json_int_t n = json_integer_value(json_object_get(json_object_get(item, "stats"), what));
    json_decref(v);
    return n;
}

START_TEST(test_heard_before_the_flow)
{
    set("[" AREAS ",{'kind':'notice','name':'water','text_zh':'t','areas':['shanghai'],'automatic':true,'order':2},"
        "{'kind':'notice','name':'gas','text_zh':'t','areas':['pudong'],'automatic':true,'order':1},"
        "{'kind':'notice','name':'road','text_zh':'t','areas':['pudong']}]");
    calls(1, "02151234567", "10000");
    hears(1, "gas, water", 0);
    ck_assert(core_call(f.c, 1)->answered);
    ck_assert_uint_eq(core_call(f.c, 1)->menu_us, 0);
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__AGAIN), ERR_BADSTATE);
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__GO_ON), ERR_BADSTATE);
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    hears(1, "gas, water", 1);
    /* proposed once more by whoever took the call over: counted once */
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__HEARD), ERR_STALE);
    ck_assert_int_eq(stat_of("gas", "heard"), 1);
    fx_same_after_restart(&f);
    hears(1, "gas, water", 1);
    f.node = "n2";
    ck_assert_int_eq(becomes_of(1, 2, EV__CALL_NOTICE__WHAT__SKIPPED), ERR_STALE); /* not its owner */
    f.node = "n1";
    ck_assert_int_eq(becomes_of(1, 2, EV__CALL_NOTICE__WHAT__SKIPPED), 0);
    hears(1, "", 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert(!core_call(f.c, 1)->notices_done);
    ck_assert_int_eq(becomes_of(1, 2, EV__CALL_NOTICE__WHAT__SKIPPED), ERR_BADSTATE);
    ck_assert_int_eq(stat_of("water", "began"), 1);
    ck_assert_int_eq(stat_of("water", "skipped"), 1);
    ck_assert_int_eq(stat_of("water", "heard"), 0);
    ck_assert_int_eq(stat_of("road", "began"), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    json_t *v = fx_view(&f, "cdr", "0000000000000001", NULL);
    json_t *item = json_is_array(json_object_get(v, "items")) ? json_array_get(json_object_get(v, "items"), 0) : v;
    char *told = json_dumps(json_object_get(item, "notices"), JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_str_eq(told, "[{\"how\":\"heard\",\"name\":\"gas\"},{\"how\":\"skipped\",\"name\":\"water\"}]");
    free(told);
    json_decref(v);
    /* into a queue, and from elsewhere */
    calls(2, "02161234567", "10003");
    hears(2, "water", 0);
    ck_assert_uint_eq(core_call(f.c, 2)->queued_us, 0);
    ck_assert_int_eq(becomes_of(2, 1, EV__CALL_NOTICE__WHAT__UNSAID), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    ck_assert_int_eq(stat_of("water", "heard") + stat_of("water", "skipped"), 1);
    calls(3, "01051234567", "10000");
    hears(3, "", 0);
    calls(4, "02151234567", "10001"); /* an echo has no callers to tell */
    hears(4, "", 0);
    fx_same_after_restart(&f);
}
END_TEST

START_TEST(test_who_is_told)
{
    set("[" AREAS ",{'kind':'notice','name':'all','text_zh':'t','automatic':true},{'kind':'notice','name':'bj','text_zh':'t','areas':['beijing'],'automatic':true},"
        "{'kind':'access_number','number':'10000','flow':'welcome','region':'beijing'},{'kind':'access_number','number':'10009','flow':'welcome','no_notices':true}]");
    calls(1, "anonymous", "10000"); /* withheld: the region of the number that he calls */
    hears(1, "all, bj", 0);
    calls(2, "02112345678", "10000"); /* his own area comes first */
    hears(2, "all", 0);
    calls(3, "02112345678", "10009");
    hears(3, "", 0);
    calls(4, "02112345678", "10003");
    hears(4, "all", 0);
    /* removed while he hears it: nothing is counted for what is not there, and he goes on */
    ck_assert_int_eq(fx_config(&f, NULL, "['notice/all','notice/bj']", NULL, NULL), 0);
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    set("[{'kind':'notice','name':'all','text_zh':'t','automatic':true}]");
    ck_assert_int_eq(stat_of("all", "began") + stat_of("all", "heard"), 0);
    /* the number goes while he hears */
    calls(5, "02112345678", "10009");
    calls(6, "02112345678", "10003");
    hears(6, "all", 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['access_number/10003']", NULL, NULL), 0);
    ck_assert_int_eq(becomes_of(6, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(fx_phase(&f, 6), CORE_CALL_FAILED);
}
END_TEST

START_TEST(test_validity_is_decided_at_one_time)
{
    set("[{'kind':'notice','name':'n','text_zh':'t','automatic':true,'tz':'CST-8','from':'2023-11-15T08:00','until':'2023-11-15T09:00'}]");
    fx_later(&f, at("2023-11-14T23:59:59Z"));
    calls(1, "021", "10000");
    hears(1, "", 0);
    f.now = at("2023-11-15T00:00:00Z") - 1; /* fx_run adds one */
    calls(2, "021", "10000");
    hears(2, "n", 0);
    fx_later(&f, at("2023-11-15T01:00:00Z") - 4); /* two nodes tell the time */
    calls(3, "021", "10000");
    hears(3, "n", 0);
    calls(4, "021", "10000");
    hears(4, "", 0);
    ck_assert_int_eq(becomes_of(2, 1, EV__CALL_NOTICE__WHAT__HEARD), 0); /* what he began to hear he hears to its end */
    ck_assert_int_eq(stat_of("n", "heard"), 1);
}
END_TEST

START_TEST(test_from_a_menu)
{
    set("[" AREAS ",{'kind':'notice','name':'water','text_zh':'t','areas':['pudong']},{'kind':'notice','name':'gas','text_zh':'t','areas':['shanghai'],'skip':'none'}]");
    calls(1, "02151234567", "10000");
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU); /* neither is heard by itself */
    ck_assert_int_eq(asks(1, ""), 0);
    hears(1, "gas, water", 0);
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__SKIPPED), ERR_BADSTATE); /* this one is heard to its end */
    uint64_t since = core_call(f.c, 1)->notice->since_us;
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__AGAIN), 0);
    hears(1, "gas, water", 0);
    ck_assert_uint_gt(core_call(f.c, 1)->notice->since_us, since);
    ck_assert_int_eq(becomes_of(1, 2, EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(becomes_of(1, 3, EV__CALL_NOTICE__WHAT__SKIPPED), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert(core_call(f.c, 1)->notices_done);
    fx_same_after_restart(&f);
    ck_assert(core_call(f.c, 1)->notices_done);
    ck_assert_int_eq(fx_menu(&f, 1, "next"), 0);
    ck_assert(!core_call(f.c, 1)->notices_done);
    ck_assert_int_eq(stat_of("gas", "began"), 1);
    ck_assert_int_eq(stat_of("gas", "menu"), 1);
    ck_assert_int_eq(stat_of("gas", "again"), 1);
    ck_assert_int_eq(stat_of("gas", "heard"), 1);
    ck_assert_int_eq(asks(1, "beijing"), ERR_NOTFOUND); /* an area that the flow names comes before his number */
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert_int_eq(asks(1, "nowhere"), 0);
    hears(1, "gas, water", 0);
    ck_assert_int_eq(asks(1, ""), ERR_BADSTATE);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0); /* in the middle */
    ck_assert_int_eq(stat_of("gas", "began"), 2);
    ck_assert_int_eq(stat_of("gas", "heard"), 1);
}
END_TEST

static int while_waiting(uint64_t id, const char *name, Ev__CallNotice__What what)
{
    Ev__CallWaitNotice m = EV__CALL_WAIT_NOTICE__INIT;
    m.call_id = id;
    m.name = (char *)(uintptr_t)name;
    m.what = what;
    FX_BODY(CALL_WAIT_NOTICE, call_wait_notice, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    return fx_run(&f, &cmd);
}

static void next_is(uint64_t id, const char *name)
{
    for (int i = 0; i < 2; i++) {
        const Ev__Notice *n = core_wait_notice_next(f.c, id);
        ck_assert_str_eq(n ? n->name : "", name);
        fx_reopen(&f);
    }
}

#define BEGIN(id) while_waiting(id, "", EV__CALL_NOTICE__WHAT__HEARD)

/* In a queue that says so, each once a call, counted once, whatever came before and whoever says it. */
START_TEST(test_while_waiting)
{
    set("[" AREAS ",{'kind':'notice','name':'first','text_zh':'t','automatic':true,'areas':['pudong']}]");
    calls(1, "02151234567", "10003");
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    set("[{'kind':'notice','name':'gas','text_zh':'t','automatic':true,'areas':['shanghai'],'order':1},"
        "{'kind':'notice','name':'water','text_zh':'t','automatic':true,'areas':['pudong'],'order':2,'play':'once'},"
        "{'kind':'notice','name':'menus','text_zh':'t','areas':['pudong']},{'kind':'notice','name':'far','text_zh':'t','automatic':true,'areas':['beijing']}]");
    next_is(1, "");
    ck_assert_int_eq(BEGIN(1), ERR_NOTFOUND); /* the queue tells none */
    set("[{'kind':'queue','name':'service','notices':true,'announce_every_s':9,'members':[{'agent':'1001'}]}]");
    next_is(1, "gas");
    ck_assert_int_eq(BEGIN(1), 0);
    ck_assert_str_eq(core_call(f.c, 1)->wait_notice, "gas");
    ck_assert_int_eq(BEGIN(1), ERR_BADSTATE);
    ck_assert_int_eq(while_waiting(1, "water", EV__CALL_NOTICE__WHAT__HEARD), ERR_STALE);
    fx_same_after_restart(&f);
    ck_assert_int_eq(while_waiting(1, "gas", EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(while_waiting(1, "gas", EV__CALL_NOTICE__WHAT__HEARD), ERR_STALE); /* counted once */
    next_is(1, "water");
    ck_assert_int_eq(BEGIN(1), 0);
    ck_assert_int_eq(while_waiting(1, "water", EV__CALL_NOTICE__WHAT__SKIPPED), 0);
    next_is(1, "");
    ck_assert_int_eq(stat_of("gas", "began") + stat_of("gas", "heard"), 2);
    ck_assert_int_eq(stat_of("water", "began") + stat_of("water", "skipped"), 2);
    ck_assert_int_eq(stat_of("first", "heard"), 1);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    /* the same caller once more: what is heard once is not heard again */
    calls(2, "02151234567", "10003");
    hears(2, "first, gas", 0);
    ck_assert_int_eq(BEGIN(2), ERR_BADSTATE);
    set("[{'kind':'access_number','number':'10003','queue':'service','no_notices':true}]");
    calls(3, "02151234567", "10003");
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_WAITING);
    next_is(3, "");
}
END_TEST

START_TEST(test_once)
{
    set("[{'kind':'notice','name':'n','text_zh':'t','automatic':true,'play':'once','repeat_h':2}]");
    calls(1, "021-1234 5678", "10000");
    hears(1, "n", 0);
    calls(2, "02112345678", "10000");
    hears(2, "n", 0); /* he has not heard it yet */
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    calls(3, "+862112345678", "10000");
    hears(3, "", 0);
    calls(4, "anonymous", "10000");
    hears(4, "n", 0);
    ck_assert_int_eq(becomes_of(4, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    calls(5, "anonymous", "10000"); /* nobody knows that it is the same */
    hears(5, "n", 0);
    fx_later(&f, f.now + 2 * 3600 * US);
    calls(6, "02112345678", "10000");
    hears(6, "n", 0);
    /* of a notice that had the same name nobody has heard */
    ck_assert_int_eq(becomes_of(6, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(fx_config(&f, NULL, "['notice/n']", NULL, NULL), 0);
    set("[{'kind':'notice','name':'n','text_zh':'other','automatic':true,'play':'once'}]");
    calls(7, "02112345678", "10000");
    hears(7, "n", 0);
}
END_TEST

START_TEST(test_mass_outage)
{
    set("[" AREAS ",{'kind':'notice','name':'water','text_zh':'t','areas':['shanghai'],'automatic':true,'mass':true},"
        "{'kind':'notice','name':'zz','text_zh':'t','automatic':true}]");
    calls(1, "02151234567", "10003");
    hears(1, "water, zz", 0); /* for the first time: the whole, then on */
    ck_assert(!core_call(f.c, 1)->notice->repeat);
    ck_assert_int_eq(becomes_of(1, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    calls(2, "02151234567", "10003");
    hears(2, "water", 0);
    ck_assert(core_call(f.c, 2)->notice->repeat);
    fx_same_after_restart(&f);
    ck_assert_int_eq(becomes_of(2, 1, EV__CALL_NOTICE__WHAT__SKIPPED), ERR_BADSTATE);
    ck_assert_int_eq(becomes_of(2, 1, EV__CALL_NOTICE__WHAT__GO_ON), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0);
    calls(3, "02151234567", "10000");
    ck_assert_int_eq(becomes_of(3, 1, EV__CALL_NOTICE__WHAT__HEARD), 0); /* no key: goodbye */
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_APP);
    ck_assert_str_eq(core_call(f.c, 3)->app, "hangup");
    ck_assert_str_eq(core_call(f.c, 3)->app_argument, "notice_goodbye");
    calls(4, "02151234567", "10000");
    ck_assert_int_eq(becomes_of(4, 1, EV__CALL_NOTICE__WHAT__UNSAID), 0); /* he must not hear silence */
    ck_assert_int_eq(fx_phase(&f, 4), CORE_CALL_MENU);
    ck_assert_int_eq(stat_of("water", "began"), 1);
    ck_assert_int_eq(stat_of("water", "repeats"), 3);
    ck_assert_int_eq(stat_of("water", "went_on"), 1);
    ck_assert_int_eq(stat_of("water", "heard"), 1);
    calls(5, "01012345678", "10000");
    hears(5, "zz", 0); /* elsewhere nothing of that */
    fx_later(&f, f.now + 25 * 3600 * US);
    calls(6, "02151234567", "10000");
    hears(6, "water, zz", 0); /* a day later he is told again */
    ck_assert_int_eq(becomes_of(6, 1, EV__CALL_NOTICE__WHAT__HEARD), 0);
    /* switched off, and on for the area */
    set("[{'kind':'notice','name':'water','text_zh':'t','areas':['shanghai'],'automatic':true}]");
    calls(7, "02151234567", "10000");
    hears(7, "water, zz", 0);
    set("[{'kind':'area','name':'pudong','parent':'shanghai','numbers':['0215*'],'mass':true}]");
    calls(8, "02151234567", "10000");
    hears(8, "water", 0);
    ck_assert(core_call(f.c, 8)->notice->repeat);
    calls(9, "02161234567", "10000");
    hears(9, "water, zz", 0);
}
END_TEST

START_TEST(test_at_most_five_by_themselves)
{
    char text[4096] = "[";
    for (int i = 0; i < 25; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s{'kind':'notice','name':'n%02d','text_zh':'t','automatic':true}", i ? "," : "", i);
    (void)strcat(text, "]");
    set(text);
    calls(1, "021", "10000");
    hears(1, "n00, n01, n02, n03, n04", 0);
    for (uint32_t turn = 1; turn <= 5; turn++)
        ck_assert_int_eq(becomes_of(1, turn, EV__CALL_NOTICE__WHAT__HEARD), 0);
    ck_assert_int_eq(asks(1, ""), 0);
    ck_assert_uint_eq(core_call(f.c, 1)->notice->n_names, NOTICE_MENU_MAX);
}
END_TEST

START_TEST(test_feature_level)
{
    static const struct {
        const char *kind, *json;
        uint32_t level;
    } rows[] = {{"area", "{\"name\":\"a\"}", 4},
                {"notice", "{\"name\":\"n\",\"text_en\":\"x\"}", 4},
                {"access_number", "{\"number\":\"1\",\"app\":\"echo\",\"no_notices\":true}", 4},
                {"access_number", "{\"number\":\"1\",\"app\":\"echo\"}", 1},
                {"flow", "{\"name\":\"f\",\"definition\":{\"nodes\":{\"a\":{\"type\":\"notices\",\"next\":\"a\"}}}}", 4},
                {"flow", "{\"name\":\"f\",\"definition\":{\"nodes\":{\"a\":{\"type\":\"hangup\"}}}}", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {0};
        Ev__ConfigObject *o = NULL;
        json_t *j = json_loads(rows[i].json, 0, NULL);
        ck_assert_int_eq(view_config_from_json(rows[i].kind, j, "r", &o, &info), 0);
        Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
        m.set = &o;
        m.n_set = 1;
        FX_BODY(CONFIG_APPLY, config_apply, m);
        ck_assert_msg(core_feature_of(&cmd) == rows[i].level, "%s: %u", rows[i].json, core_feature_of(&cmd));
        ev__config_object__free_unpacked(o, NULL);
        json_decref(j);
    }
}
END_TEST

/* 10,000 areas and 1,000 notices: taken, and asked in no time that the next command would notice. */
START_TEST(test_limits)
{
    enum { AREAS_AT_ONCE = 200 };
    char *text = malloc(64 * AREAS_AT_ONCE + 16);
    ck_assert_ptr_nonnull(text);
    for (unsigned i = 0; i < NOTICE_AREAS_MAX; i += AREAS_AT_ONCE) {
        size_t at_ = (size_t)sprintf(text, "[");
        for (unsigned k = i; k < i + AREAS_AT_ONCE; k++)
            at_ += (size_t)sprintf(text + at_, "%s{'kind':'area','name':'a%05u','numbers':['1%05u*']}", k > i ? "," : "", k, k);
        (void)sprintf(text + at_, "]");
        set(text);
    }
    refused("[{'kind':'area','name':'b'}]", ERR_TOOBIG, "there can be 10000 areas");
    for (unsigned i = 0; i < NOTICES_MAX; i += 100) {
        size_t at_ = (size_t)sprintf(text, "[");
        for (unsigned k = i; k < i + 100; k++)
            at_ += (size_t)sprintf(text + at_, "%s{'kind':'notice','name':'n%04u','text_zh':'t','automatic':true,'areas':['a%05u']}", k > i ? "," : "", k, k * 10);
        (void)sprintf(text + at_, "]");
        set(text);
    }
    refused("[{'kind':'notice','name':'b','text_zh':'t'}]", ERR_TOOBIG, "there can be 1000 notices");
    free(text);
    calls(1, "10999112345", "10000");
    hears(1, "", 0);
    calls(2, "10999099999", "10000");
    hears(2, "n0999", 0);
    ck_assert_str_eq(notice_area_of(core_notice_index(f.c), "109990")->name, "a09990");
    calls(4, "109990", "10000");
    hears(4, "n0999", 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core notices");
    TCase *t = tcase_create("notices");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_times_by_the_clock_on_the_wall);
    tcase_add_test(t, test_local_times_read_back);
    tcase_add_test(t, test_index_finds_what_a_search_finds);
    tcase_add_test(t, test_rules_and_references);
    tcase_add_test(t, test_depth);
    tcase_add_test(t, test_heard_before_the_flow);
    tcase_add_test(t, test_who_is_told);
    tcase_add_test(t, test_validity_is_decided_at_one_time);
    tcase_add_test(t, test_from_a_menu);
    tcase_add_test(t, test_while_waiting);
    tcase_add_test(t, test_once);
    tcase_add_test(t, test_mass_outage);
    tcase_add_test(t, test_at_most_five_by_themselves);
    tcase_add_test(t, test_feature_level);
    tcase_add_test(t, test_limits);
    suite_add_tcase(s, t);
    return run_suite(s);
}
