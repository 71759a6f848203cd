/* What goes with a call: from flows, people and programs; over queues, transfers and call backs; into its record. Each step is followed by a
 * restart, which must change nothing. */
#include "core/core_int.h"
#include "core/parameter.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;
#define T(text) ((char *)(uintptr_t)(text))

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    fx_must_set(&f, "[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true}]");
}

static void teardown(void)
{
    fx_close(&f);
}

/* One of customer, notes, name may be NULL: nothing is said of it; value NULL: the name is removed. */
static int say(uint64_t id, const char *customer, const char *notes, const char *name, const char *value)
{
    Ev__CallData m = EV__CALL_DATA__INIT;
    Ev__CallDatum d = EV__CALL_DATUM__INIT, *one = &d;
    m.call_id = id;
    m.has_customer = customer != NULL;
    m.customer = T(customer ? customer : "");
    m.has_notes = notes != NULL;
    m.notes = T(notes ? notes : "");
    d.name = T(name ? name : "");
    d.value = T(value ? value : "");
    d.remove = !value;
    m.data = &one;
    m.n_data = name != NULL;
    FX_BODY(CALL_DATA, call_data, m);
    cmd.actor = T("token:desk");
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

static void is(uint64_t id, const char *customer, const char *notes, const char *data)
{
    const struct core_call *k = core_call(f.c, id);
    ck_assert_str_eq(k->customer, customer);
    ck_assert_str_eq(k->notes, notes);
    ck_assert_str_eq(k->data, data);
}

static json_t *row(const char *kind, uint64_t id)
{
    char key[17];
    (void)snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
    return fx_view(&f, kind, key, NULL);
}

static void row_is(json_t *r, const char *customer, const char *data)
{
    char *text = json_dumps(json_object_get(r, "data"), JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_str_eq(json_string_value(json_object_get(r, "customer")), customer);
    ck_assert_str_eq(text, data);
    free(text);
    json_decref(r);
}

/* The latest event of this type has this in it. */
static void told(const char *type, const char *part)
{
    json_t *list = fx_list(&f, "event", json_pack("{s:s}", "type", type)), *items = json_object_get(list, "items");
    ck_assert_uint_gt(json_array_size(items), 0);
    char *text = json_dumps(json_array_get(items, json_array_size(items) - 1), JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_msg(strstr(text, part) != NULL, "%s has no %s", text, part);
    free(text);
    json_decref(list);
}

/* From a menu over a queue, an agent and a transfer to the next one. */
START_TEST(test_all_the_way)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    fx_says(&f, 1, "welcome", "ask", "{\"customer\":\"C-1\",\"order\":\"4711\"}");
    is(1, "C-1", "", "{\"order\":\"4711\"}");
    ck_assert_int_eq(fx_queue(&f, 1, "service"), 0);
    ck_assert_int_eq(say(1, NULL, "angry", "tariff", "gold"), 0);
    told("everline.call.data", "\"tariff\":\"gold\"");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    told("everline.call.offered", "\"data\":{\"order\":\"4711\",\"tariff\":\"gold\"}");
    told("everline.call.offered", "\"customer\":\"C-1\"");
    ck_assert_int_eq(fx_answer(&f, 1, core_call(f.c, 1)->offer.id), 0);
    told("everline.call.connected", "\"notes\":\"angry\"");
    ck_assert_int_eq(say(1, "C-2", NULL, "order", "4712"), 0);
    Ev__CallTransfer to = EV__CALL_TRANSFER__INIT;
    to.call_id = 1;
    to.flow = T("welcome");
    FX_BODY(CALL_TRANSFER, call_transfer, to);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    fx_same_after_restart(&f);
    is(1, "C-2", "angry", "{\"order\":\"4712\",\"tariff\":\"gold\"}");
    fx_says(&f, 1, "welcome", "ask", "{\"customer\":\"\",\"order\":\"\",\"tries\":\"2\"}"); /* another flow: it says less, and one thing anew */
    is(1, "C-2", "angry", "{\"order\":\"\",\"tariff\":\"gold\",\"tries\":\"2\"}");
    fx_says(&f, 1, "welcome", "ask", "");
    is(1, "C-2", "angry", "{\"order\":\"\",\"tariff\":\"gold\",\"tries\":\"2\"}");
    row_is(row("call", 1), "C-2", "{\"order\":\"\",\"tariff\":\"gold\",\"tries\":\"2\"}");
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    row_is(row("cdr", 1), "C-2", "{\"order\":\"\",\"tariff\":\"gold\",\"tries\":\"2\"}");
    json_t *list = fx_list(&f, "cdr", json_pack("{s:s}", "customer", "C-2"));
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 1);
    json_decref(list);
    list = fx_list(&f, "cdr", json_pack("{s:s}", "customer", "C-1"));
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 0);
    json_decref(list);
    list = fx_list(&f, "audit", json_pack("{s:s}", "action", "call.data"));
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 2);
    json_decref(list);
}
END_TEST

/* Who is called back is who he was. */
START_TEST(test_called_back)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    fx_says(&f, 1, "welcome", "ask", "{\"customer\":\"C-1\",\"order\":\"4711\"}");
    Ev__CallBackNote m = EV__CALL_BACK_NOTE__INIT;
    m.call_id = 1;
    m.queue = T("service");
    m.number = T("13800138000");
    FX_BODY(CALL_BACK_NOTE, call_back_note, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    fx_same_after_restart(&f);
    json_t *list = fx_view(&f, "callback", NULL, NULL), *items = json_object_get(list, "items");
    ck_assert_uint_eq(json_array_size(items), 1);
    row_is(json_incref(json_array_get(items, 0)), "C-1", "{\"order\":\"4711\"}");
    json_decref(list);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    const struct core_call *k = core_call_next(f.c, NULL, NULL);
    ck_assert_ptr_nonnull(k);
    is(k->id, "C-1", "", "{\"order\":\"4711\"}");
    told("everline.call.offered", "\"customer\":\"C-1\"");
}
END_TEST

static int run(Ev__Command *cmd)
{
    cmd->actor = T("token:desk");
    int code = fx_run(&f, cmd);
    fx_same_after_restart(&f);
    return code;
}

/* Another agent is asked: the call of his that is made for it. */
static uint64_t consult(uint64_t id, const char *agent)
{
    Ev__CallJoin m = EV__CALL_JOIN__INIT;
    m.call_id = id;
    m.agent = T(agent);
    FX_BODY(CALL_JOIN, call_join, m);
    ck_assert_int_eq(run(&cmd), 0);
    return core_joined_next(f.c, id, NULL)->id;
}

static void talking(uint64_t id, const char *agent)
{
    ck_assert_int_eq(fx_login(&f, agent), 0);
    ck_assert_int_eq(fx_start(&f, id, "13800138000", "10003", true), 0);
    ck_assert_int_eq(fx_answer(&f, id, core_call(f.c, id)->offer.id), 0);
}

/* Whoever is consulted has what the agent has, whenever and of whichever of the two calls it is said; and so has the call once he is in it. */
START_TEST(test_consulted)
{
    talking(1, "1001");
    ck_assert_int_eq(say(1, "C-1", "angry", "order", "4711"), 0);
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    uint64_t asked = consult(1, "1002");
    is(asked, "C-1", "angry", "{\"order\":\"4711\"}");
    told("everline.call.offered", "\"customer\":\"C-1\"");
    told("everline.call.offered", "\"order\":\"4711\"");
    ck_assert_int_eq(say(1, NULL, "calm", NULL, NULL), 0);
    is(asked, "C-1", "calm", "{\"order\":\"4711\"}");
    ck_assert_int_eq(fx_answer(&f, asked, core_call(f.c, asked)->offer.id), 0);
    ck_assert_int_eq(say(asked, NULL, NULL, "offer", "10 %"), 0); /* by the one who is consulted, of his call */
    is(1, "C-1", "calm", "{\"offer\":\"10 %\",\"order\":\"4711\"}");
    is(asked, "C-1", "calm", "{\"offer\":\"10 %\",\"order\":\"4711\"}");
    Ev__CallMerge m = EV__CALL_MERGE__INIT;
    m.call_id = 1;
    FX_BODY(CALL_MERGE, call_merge, m);
    ck_assert_int_eq(run(&cmd), 0);
    ck_assert_ptr_null(core_call(f.c, asked));
    row_is(row("call", 1), "C-1", "{\"offer\":\"10 %\",\"order\":\"4711\"}");
    row_is(row("cdr", asked), "C-1", "{\"offer\":\"10 %\",\"order\":\"4711\"}");
}
END_TEST

/* Who joins by a code of his telephone, too. */
START_TEST(test_joined_as_he_is)
{
    talking(1, "1001");
    ck_assert_int_eq(say(1, "C-1", NULL, "order", "4711"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "8003", "10001", true), 0);
    is(2, "", "", "");
    Ev__CallJoin m = EV__CALL_JOIN__INIT;
    m.call_id = 1;
    m.from = 2;
    m.mode = CORE_MODE_PARTY;
    FX_BODY(CALL_JOIN, call_join, m);
    ck_assert_int_eq(run(&cmd), 0);
    is(2, "C-1", "", "{\"order\":\"4711\"}");
}
END_TEST

/* Two calls become one: what the one does not know it has from the other. */
START_TEST(test_two_become_one)
{
    talking(1, "1001");
    ck_assert_int_eq(fx_start(&f, 2, "8001", "8003", true), 0); /* the agent calls a colleague beside it */
    ck_assert_int_eq(fx_answer(&f, 2, core_call(f.c, 2)->offer.id), 0);
    ck_assert_int_eq(say(1, "C-1", NULL, "order", "4711"), 0);
    ck_assert_int_eq(say(2, "C-2", "by a colleague", "order", "4712"), 0);
    ck_assert_int_eq(say(2, NULL, NULL, "offer", "10 %"), 0);
    Ev__CallMerge m = EV__CALL_MERGE__INIT;
    m.call_id = 1;
    m.leg = T("8001");
    m.from = 2;
    m.from_leg = (uint32_t)core_call(f.c, 2)->legs[1].id;
    FX_BODY(CALL_MERGE, call_merge, m);
    ck_assert_int_eq(run(&cmd), 0);
    is(1, "C-1", "by a colleague", "{\"offer\":\"10 %\",\"order\":\"4711\"}");
}
END_TEST

static int dial(const char *customer, const char *name)
{
    Ev__AgentDial m = EV__AGENT_DIAL__INIT;
    Ev__CallData known = EV__CALL_DATA__INIT;
    Ev__CallDatum d = EV__CALL_DATUM__INIT, *one = &d;
    m.agent = T("1001");
    m.number = T("13800001111");
    m.known = &known;
    known.has_customer = true;
    known.customer = T(customer);
    known.data = &one;
    known.n_data = 1;
    d.name = T(name);
    d.value = T("4711");
    FX_BODY(AGENT_DIAL, agent_dial, m);
    return run(&cmd);
}

/* Click to dial: the program that asks for it knows whom. */
START_TEST(test_clicked)
{
    fx_must_set(&f, "[{'kind':'parameter','name':'outbound_trunk','value':'carrier'}]");
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(dial("C-1", "a b"), ERR_INVAL);
    ck_assert_ptr_null(core_call_next(f.c, NULL, NULL)); /* nothing is left of it */
    ck_assert_int_eq(dial("C-1", "order"), 0);
    const struct core_call *k = core_call_next(f.c, NULL, NULL);
    is(k->id, "C-1", "", "{\"order\":\"4711\"}");
    told("everline.call.offered", "\"customer\":\"C-1\"");
}
END_TEST

START_TEST(test_refused)
{
    char name[65], value[1002], notes[2002], customer[65];
    memset(name, 'n', 64), name[64] = 0;
    memset(value, 'v', 1001), value[1001] = 0;
    memset(notes, 'x', 2001), notes[2001] = 0;
    memset(customer, 'c', 64), customer[64] = 0;
    ck_assert_int_eq(say(7, "C-1", NULL, NULL, NULL), ERR_NOTFOUND);
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    ck_assert_int_eq(say(1, customer, NULL, NULL, NULL), ERR_TOOBIG);
    ck_assert_int_eq(say(1, NULL, notes, NULL, NULL), ERR_TOOBIG);
    ck_assert_int_eq(say(1, "C-1", NULL, "order", value), ERR_TOOBIG);
    ck_assert_str_eq(f.last.field, "data");
    static const char *const names[] = {"", "a b", "customer", "a\"b", "\xe5\xae\xa2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_int_eq(say(1, "C-1", NULL, names[i], "x"), ERR_INVAL);
    ck_assert_int_eq(say(1, "C-1", NULL, name, "x"), ERR_INVAL);
    ck_assert_int_eq(say(1, "C-1", NULL, "order", "\xff"), ERR_INVAL);
    is(1, "", "", "");
    name[63] = value[1000] = notes[2000] = customer[63] = 0;
    ck_assert_int_eq(say(1, customer, notes, name, value), 0);
    ck_assert_int_eq(say(1, "", "", name, NULL), 0);
    is(1, "", "", "");
}
END_TEST

/* No more than 64 texts, nor 16 KiB of them: who asks for more is refused, what a flow says beyond that is left out. */
START_TEST(test_bounds)
{
    char name[16], value[1001], text[512] = "{\"a\":\"1\",\"customer\":\"C\"";
    memset(value, 'v', 1000), value[1000] = 0;
    ck_assert_int_eq(fx_start(&f, 1, "13800138000", "10000", true), 0);
    int n = 0, code = 0;
    for (; n < 64 && !code; n++) {
        (void)snprintf(name, sizeof name, "big%02d", n);
        code = say(1, NULL, NULL, name, value);
    }
    ck_assert_int_eq(code, ERR_TOOBIG);
    ck_assert_int_eq(n - 1, 16);
    (void)snprintf(name, sizeof name, "big%02d", n - 1);
    ck_assert_str_eq(f.last.field, "data");
    ck_assert_int_eq(fx_start(&f, 2, "13800138000", "10000", true), 0);
    for (n = 0; n < 63; n++) {
        (void)snprintf(name, sizeof name, "k%02d", n);
        ck_assert_int_eq(say(2, NULL, NULL, name, "1"), 0);
    }
    (void)strcat(text, ",\"b\":\"2\",\"k00\":\"3\"}");
    fx_says(&f, 2, "welcome", "ask", text);
    const struct core_call *k = core_call(f.c, 2);
    ck_assert_ptr_nonnull(strstr(k->data, "\"a\":\"1\""));
    ck_assert_ptr_null(strstr(k->data, "\"b\":"));
    ck_assert_ptr_nonnull(strstr(k->data, "\"k00\":\"3\""));
    ck_assert_str_eq(k->customer, "C");
    ck_assert_int_eq(say(2, NULL, NULL, "one-more", "x"), ERR_TOOBIG);
    ck_assert_int_eq(say(2, NULL, NULL, "k01", "y"), 0);
}
END_TEST

static int marks(uint64_t id, bool on, const char *actor)
{
    Ev__CallData m = EV__CALL_DATA__INIT;
    m.call_id = id;
    m.customer = m.notes = T("");
    m.has_marked = true;
    m.marked = on;
    FX_BODY(CALL_DATA, call_data, m);
    cmd.actor = T(actor);
    int code = fx_run(&f, &cmd);
    fx_same_after_restart(&f);
    return code;
}

static size_t found(const char *kind, const char *filter, const char *value)
{
    json_t *filters = json_pack("{s:s}", filter, value), *list = fx_view(&f, kind, NULL, filters);
    size_t n = json_array_size(json_object_get(list, "items"));
    json_decref(list);
    json_decref(filters);
    return n;
}

/* In the record, by whom in the audit log: an agent at his telephone, or a telephone without one. */
START_TEST(test_marked_calls_are_found)
{
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_int_eq(fx_start(&f, id, "8001", "8002", true), 0);
        if (id < 3)
            ck_assert_int_eq(marks(id, true, id == 1 ? "agent:1001" : "phone:8001"), 0);
        if (id == 2)
            ck_assert_int_eq(marks(id, false, "token:desk"), 0);
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    }
    ck_assert_uint_eq(found("cdr", "marked", "true"), 1);
    ck_assert_uint_eq(found("cdr", "marked", "false"), 2);
    json_t *one = row("cdr", 1), *other = row("cdr", 2);
    ck_assert(json_is_true(json_object_get(one, "marked")) && json_is_false(json_object_get(other, "marked")));
    json_decref(one);
    json_decref(other);
    ck_assert_uint_eq(found("audit", "actor", "agent:1001") + found("audit", "actor", "phone:8001"), 2);
    ck_assert_int_eq(marks(1, true, "agent:1001"), ERR_NOTFOUND);
}
END_TEST

/* Codes that telephones key while they talk. */
START_TEST(test_codes)
{
    static const struct {
        const char *value;
        int code;
    } values[] = {{"none", 0},    {"*", 0},      {"* *83", 0},     {"#1 *2 *3 *4", 0},     {"*1234567", 0},  {"", ERR_INVAL},
                  {"83", ERR_INVAL}, {"*83 ", ERR_INVAL}, {"*  *83", ERR_INVAL}, {"*12345678", ERR_INVAL}, {"*8a", ERR_INVAL}, {"*1 *2 *3 *4 *5", ERR_INVAL},
                  {" *1", ERR_INVAL}, {"none *1", ERR_INVAL}};
    static const char *const names[] = {"mark_codes", "recording_pause_codes"};
    struct err_info info;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (size_t k = 0; k < 2; k++)
            ck_assert_msg(parameter_check(names[k], values[i].value, &info) == values[i].code, "%s \"%s\"", names[k], values[i].value);
    ck_assert_int_eq(parameter_check("mark_codes", "* *83", &info), 0);
    ck_assert_int_eq(parameter_check("recording_pause_codes", "*84", &info), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("data");
    TCase *t = tcase_create("data");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_all_the_way);
    tcase_add_test(t, test_called_back);
    tcase_add_test(t, test_consulted);
    tcase_add_test(t, test_joined_as_he_is);
    tcase_add_test(t, test_two_become_one);
    tcase_add_test(t, test_clicked);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_bounds);
    tcase_add_test(t, test_marked_calls_are_found);
    tcase_add_test(t, test_codes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
