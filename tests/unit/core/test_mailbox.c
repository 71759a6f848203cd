/* Boxes for messages: whose they are, where codes lead, the flows that the program makes, the next message, greetings by telephone. */
#include "core/core_int.h"
#include "telephony/ivr.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
}

static void teardown(void)
{
    fx_close(&f);
}

static void set(const char *text)
{
    fx_must_set(&f, text);
}

static void greets_with(const char *box, const char *prompt)
{
    char flow[80], *text = NULL;
    uint64_t version = 0;
    (void)snprintf(flow, sizeof flow, "voicemail:%s", box);
    ck_assert_int_eq(core_flow_definition(f.c, flow, &version, &text), 0);
    ck_assert_uint_eq(version, core_flow_version(f.c, flow));
    if (prompt[0])
        ck_assert_ptr_nonnull(strstr(text, prompt));
    else
        ck_assert_ptr_null(strstr(text, "prompts"));
    free(text);
}

/* What is set of a box comes before its queue; the flow has another version whenever one of the two changes. */
START_TEST(test_greeting)
{
    greets_with("1001", "");
    greets_with("service", "");
    set("[{'kind':'mailbox','name':'1001','greeting':'mine'}]");
    greets_with("1001", "\"mine\"");
    uint64_t first = core_flow_version(f.c, "voicemail:1001");
    set("[{'kind':'mailbox','name':'1001','greeting':'other'}]");
    greets_with("1001", "\"other\"");
    ck_assert_uint_ne(core_flow_version(f.c, "voicemail:1001"), first);
    set("[{'kind':'mailbox','name':'service'}]");
    greets_with("service", "");
    first = core_flow_version(f.c, "voicemail:service");
    set("[{'kind':'queue','name':'service','strategy':'longest_idle','voicemail_greeting':'closed'}]");
    greets_with("service", "\"closed\"");
    ck_assert_uint_ne(core_flow_version(f.c, "voicemail:service"), first);
    set("[{'kind':'mailbox','name':'service','greeting':'ours'}]");
    greets_with("service", "\"ours\"");
}
END_TEST

static void leads(const char *caller, const char *called, const char *to)
{
    struct core_route r;
    core_route(f.c, f.now, caller, called, &r);
    ck_assert_int_eq(r.kind, to[0] ? CORE_ROUTE_FLOW : CORE_ROUTE_NONE);
    ck_assert_str_eq(r.name, to);
}

START_TEST(test_dialled)
{
    leads("8002", "*978001", "voicemail:1001"); /* agent 1001 has that telephone */
    leads("8002", "*971002", "voicemail:1002");
    leads("8002", "*97service", "voicemail:service");
    leads("8002", "*97night", "");
    set("[{'kind':'mailbox','name':'night'}]");
    leads("8002", "*97night", "voicemail:night");
    leads(NULL, "*971002", "");
    leads("8002", "*97", "mailbox:1002");
    leads("8002", "*98", "mailbox:1002");
    leads("8002", "*98night", "");
    leads(NULL, "*97", "");
    set("[{'kind':'extension','number':'8001','mailbox':'night','contact':'sip:127.0.0.1:5071'}]");
    leads("8002", "*978001", "voicemail:night");
    leads("8001", "*98night", "mailbox:night");
    leads("8001", "*981001", ""); /* not any more */
    set("[{'kind':'mailbox','name':'night','agents':['1002']}]");
    leads("8002", "*98night", "mailbox:night");
    leads("8002", "*981001", "");
}
END_TEST

static void count_box(void *ctx, const char *box)
{
    char *list = ctx;
    (void)snprintf(list + strlen(list), 200 - strlen(list), "%s ", box);
}

static void boxes(const char *extension, const char *expected)
{
    char list[200] = "";
    core_boxes_each(f.c, extension, count_box, list);
    ck_assert_str_eq(list, expected);
}

/* The lamp of an agent's telephone tells of his own box and of those that are his besides. */
START_TEST(test_boxes_of_a_telephone)
{
    boxes("8001", "1001 ");
    set("[{'kind':'mailbox','name':'team','agents':['1001','1002']},{'kind':'mailbox','name':'1001','agents':['1001']}]");
    boxes("8001", "1001 team ");
    boxes("8002", "1002 team ");
    set("[{'kind':'extension','number':'8003','contact':'sip:127.0.0.1:5073'}]");
    ck_assert_int_eq(fx_agent(&f, "1002", EV__AGENT_SET__ACTION__LOGIN, "8003"), 0);
    boxes("8003", "1002 team ");
    set("[{'kind':'extension','number':'8001','mailbox':'night','contact':'sip:127.0.0.1:5071'}]");
    boxes("8001", "night 1001 team ");
}
END_TEST

static void mark(uint64_t id, bool heard)
{
    Ev__MessageSet m = EV__MESSAGE_SET__INIT;
    m.id = id;
    m.heard = heard;
    FX_BODY(MESSAGE_SET, message_set, m);
    cmd.actor = (char *)(uintptr_t) "phone:8001";
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}

START_TEST(test_next_one)
{
    struct core_box_message m;
    fx_leave(&f, 1, "1001");
    fx_leave(&f, 2, "other");
    fx_leave(&f, 3, "1001");
    ck_assert(core_box_next(f.c, "1001", false, 0, &m));
    ck_assert_uint_eq(m.id, 1001);
    ck_assert_str_eq(m.caller, "13800138000");
    uint64_t first = m.place;
    mark(1001, true);
    ck_assert(core_box_next(f.c, "1001", false, first, &m));
    ck_assert_uint_eq(m.id, 1003);
    ck_assert(!core_box_next(f.c, "1001", false, m.place, &m));
    ck_assert(core_box_next(f.c, "1001", true, 0, &m));
    ck_assert_uint_eq(m.id, 1001);
    ck_assert(!core_box_next(f.c, "1001", true, m.place, &m));
    json_t *by = json_pack("{s:s}", "actor", "phone:8001"), *rows = fx_view(&f, "audit", NULL, by);
    const json_t *row = json_array_get(json_object_get(rows, "items"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "action")), "message.heard");
    json_decref(rows);
    json_decref(by);
}
END_TEST

static size_t listed(const char *box)
{
    json_t *by = box ? json_pack("{s:s}", "box", box) : NULL, *list = fx_view(&f, "message", NULL, by);
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    json_decref(by);
    return n;
}

/* The latest one counts, is none of the messages, and does not grow old. */
START_TEST(test_greeting_by_telephone)
{
    set("[{'kind':'mailbox','name':'1001','greeting':'mine'},{'kind':'parameter','name':'message_box_max','value':'1'}]");
    uint64_t version = core_flow_version(f.c, "voicemail:1001");
    fx_leave(&f, 1, "greeting:1001");
    greets_with("1001", "\"greeting\":\"00000000000003e9\"");
    ck_assert_uint_ne(core_flow_version(f.c, "voicemail:1001"), version);
    version = core_flow_version(f.c, "voicemail:1001");
    fx_leave(&f, 2, "greeting:1001");
    fx_reopen(&f);
    greets_with("1001", "\"greeting\":\"00000000000003ea\"");
    ck_assert_uint_ne(core_flow_version(f.c, "voicemail:1001"), version);
    ck_assert_uint_eq(listed(NULL), 0);
    ck_assert_uint_eq(listed("greeting:1001"), 1);
    fx_later(&f, f.now + 200 * 86400ull * US);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(listed("greeting:1001"), 1);
}
END_TEST

/* Both flows of a box are flows that could be stored. */
START_TEST(test_flows_are_good)
{
    static const char *const names[] = {"mailbox:1001", "voicemail:1001", "voicemail:service", "mailbox:a_b-c.d"};
    set("[{'kind':'mailbox','name':'1001','language':'en'}]");
    fx_leave(&f, 1, "greeting:service");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct err_info info = {.code = 0};
        struct ivr_flow *flow = NULL;
        uint64_t version = 0;
        char *text = NULL;
        ck_assert_int_eq(core_flow_definition(f.c, names[i], &version, &text), 0);
        ck_assert_msg(ivr_flow_parse(text, strlen(text), &flow, &info) == 0, "%s: %s", info.field, info.text);
        ck_assert_msg(ivr_flow_check(flow, text, strlen(text), &info) == 0, "%s: %s", info.field, info.text);
        ck_assert_ptr_nonnull(strstr(text, i < 2 ? "[\"en\",\"zh\"]" : "[\"zh\",\"en\"]"));
        ck_assert_uint_eq(core_flow_level(text), 4);
        ivr_flow_unref(flow);
        free(text);
    }
    set("[{'kind':'parameter','name':'language','value':'en'}]");
    greets_with("service", "[\"en\",\"zh\"]");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mailbox");
    TCase *t = tcase_create("mailbox");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_greeting);
    tcase_add_test(t, test_dialled);
    tcase_add_test(t, test_boxes_of_a_telephone);
    tcase_add_test(t, test_next_one);
    tcase_add_test(t, test_greeting_by_telephone);
    tcase_add_test(t, test_flows_are_good);
    suite_add_tcase(s, t);
    return run_suite(s);
}
