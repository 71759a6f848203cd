/* Views and configuration as JSON. */
#include "core/config_json.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
}

static void down(void)
{
    fx_close(&f);
}

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    ck_assert_msg(s != NULL, "%s", key);
    return s;
}

static json_int_t num(const json_t *o, const char *key)
{
    ck_assert_msg(json_is_integer(json_object_get(o, key)), "%s", key);
    return json_integer_value(json_object_get(o, key));
}

static json_t *items(json_t *list)
{
    return json_object_get(list, "items");
}

static int ask(const struct view_query *q, json_t **out, struct err_info *info)
{
    struct storage_reader *r;
    ck_assert_int_eq(storage_reader_open(f.st, &r, info), 0);
    int err = view_read(r, q, out, info);
    storage_reader_close(r);
    return err;
}

START_TEST(test_agents_and_queues)
{
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    for (uint64_t id = 1; id <= 3; id++) {
        f.now += 1000;
        ck_assert_int_eq(fx_start(&f, id, "13800", "10003", true), 0);
    }
    json_t *a = fx_view(&f, "agent", "1002", NULL);
    ck_assert_str_eq(str(a, "state"), "ringing");
    ck_assert_str_eq(str(a, "extension_in_use"), "8002");
    ck_assert_str_eq(str(a, "call_id"), "0000000000000001");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(a, "queues"), 0)), "service");
    json_decref(a);
    json_t *q = fx_view(&f, "queue", "service", NULL);
    ck_assert_int_eq(num(q, "waiting"), 2);
    ck_assert_int_eq(num(q, "logged_in"), 1);
    ck_assert_int_eq(num(q, "available"), 0);
    json_t *e = json_object_get(q, "entries");
    ck_assert_uint_eq(json_array_size(e), 3);
    ck_assert_str_eq(str(json_array_get(e, 0), "state"), "offered");
    ck_assert_str_eq(str(json_array_get(e, 1), "call_id"), "0000000000000002");
    ck_assert_int_eq(num(json_array_get(e, 2), "position"), 2);
    json_decref(q);
    json_t *k = fx_view(&f, "call", "0000000000000003", NULL);
    ck_assert_int_eq(num(k, "position"), 2);
    ck_assert_str_eq(str(k, "phase"), "waiting");
    ck_assert_str_eq(str(json_array_get(json_object_get(k, "legs"), 0), "remote_target"), "sip:x@127.0.0.1:5999");
    json_decref(k);
    json_t *filter = json_pack("{s:s}", "state", "ringing");
    json_t *list = fx_view(&f, "agent", NULL, filter);
    ck_assert_uint_eq(json_array_size(items(list)), 1);
    json_decref(list);
    json_decref(filter);
    filter = json_pack("{s:s,s:s}", "queues", "service", "level", "0");
    list = fx_view(&f, "agent", NULL, filter);
    ck_assert_uint_eq(json_array_size(items(list)), 3);
    json_decref(list);
    json_decref(filter);
}
END_TEST

START_TEST(test_extensions_show_no_secret)
{
    ck_assert_int_eq(fx_register(&f, "8001", "sip:8001@192.0.2.7", "c1", 1, f.now + 60 * US), 0);
    json_t *x = fx_view(&f, "extension", "8001", NULL);
    ck_assert(json_is_true(json_object_get(x, "has_password")));
    ck_assert_ptr_null(json_object_get(x, "ha1_md5"));
    ck_assert_ptr_null(json_object_get(x, "ha1_sha256"));
    json_t *r = json_array_get(json_object_get(x, "registrations"), 0);
    ck_assert_str_eq(str(r, "uri"), "sip:8001@192.0.2.7");
    ck_assert_str_eq(str(r, "expires_at"), "2023-11-14T22:14:20.000Z");
    json_decref(x);
    json_t *fl = fx_view(&f, "flow", "welcome", NULL);
    ck_assert(json_is_object(json_object_get(fl, "definition")));
    json_decref(fl);
}
END_TEST

START_TEST(test_pages)
{
    /* every kind gives the same items in pages of one as in one page */
    static const char *const kinds[] = {"extension", "agent", "call", "cdr", "node", "event", "audit"};
    for (uint64_t id = 1; id <= 6; id++)
        ck_assert_int_eq(fx_start(&f, id == 6 ? UINT64_MAX : id, "13800", "10001", true), 0);
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    json_t *whole = fx_view(&f, kinds[_i], NULL, NULL), *got = json_array();
    char cursor[256] = "";
    for (unsigned page = 0; page < 200; page++) {
        struct view_query q = {.kind = kinds[_i], .limit = 1, .cursor = cursor[0] ? cursor : NULL};
        struct err_info info = {0};
        json_t *one = NULL;
        ck_assert_int_eq(ask(&q, &one, &info), 0);
        ck_assert_int_eq(json_array_extend(got, items(one)), 0);
        const char *next = json_string_value(json_object_get(one, "next_cursor"));
        (void)snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        ck_assert_int_eq(num(one, "index"), (json_int_t)f.index);
        json_decref(one);
        if (!cursor[0])
            break;
    }
    ck_assert_uint_gt(json_array_size(got), 1);
    ck_assert(json_equal(items(whole), got));
    json_decref(whole);
    json_decref(got);
}
END_TEST

START_TEST(test_bad_questions)
{
    json_t *filter = json_pack("{s:s}", "ha1_md5", "x"), *time = json_pack("{s:s}", "from", "yesterday"), *out = NULL;
    const struct {
        struct view_query q;
        int code;
        const char *field;
    } bad[] = {{{.kind = "cat"}, ERR_INVAL, "kind"},
               {{.kind = "extension", .filter = filter}, ERR_INVAL, "ha1_md5"},
               {{.kind = "cdr", .filter = time}, ERR_INVAL, "from"},
               {{.kind = "extension", .cursor = "zz"}, ERR_INVAL, "cursor"},
               {{.kind = "extension", .cursor = "ag-31"}, ERR_INVAL, "cursor"},
               {{.kind = "call", .cursor = "ca-31"}, ERR_INVAL, "cursor"},
               {{.kind = "extension", .cursor = "ex-00"}, ERR_INVAL, "cursor"},
               {{.kind = "extension", .limit = VIEW_LIMIT_MAX + 1}, ERR_INVAL, "limit"},
               {{.kind = "extension", .key = "nobody"}, ERR_NOTFOUND, ""},
               {{.kind = "call", .key = "nohex"}, ERR_NOTFOUND, ""},
               {{.kind = "cdr", .key = "00000000000000ff"}, ERR_NOTFOUND, ""},
               {{.kind = "audit", .key = "x"}, ERR_NOTFOUND, ""}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err_info info = {0};
        ck_assert_int_eq(ask(&bad[i].q, &out, &info), bad[i].code);
        ck_assert_str_eq(info.field, bad[i].field);
    }
    json_decref(filter);
    json_decref(time);
}
END_TEST

/* What no row can have is refused: finding nothing would look like an answer. */
START_TEST(test_filters_take_words_that_exist)
{
    static const struct {
        const char *kind, *field, *value;
        int code;
    } asked[] = {
        {"agent", "state", "sleeping", ERR_INVAL},   {"agent", "state", "", ERR_INVAL},
        {"agent", "type", "boss", ERR_INVAL},        {"agent", "type", "supervisor", 0},
        {"agent", "group", "anything", 0},           {"call", "phase", "ringing", ERR_INVAL},
        {"token", "role", "root", ERR_INVAL},        {"token", "role", "read", 0},
        {"network", "takeover", "never", ERR_INVAL}, {"network", "takeover", "", 0},
        {"trunk", "takeover", "reinvite", 0},        {"address", "state", "lost", ERR_INVAL},
        {"address", "state", "moving", 0},           {"cdr", "direction", "outward", ERR_INVAL},
        {"cdr", "direction", "internal", 0},         {"cdr", "ended_by", "nobody", ERR_INVAL},
        {"cdr", "ended_by", "system", 0},            {"cdr", "call_id", "12", ERR_INVAL},
        {"cdr", "call_id", "00000000000000FF", ERR_INVAL}, {"cdr", "call_id", "00000000000000ff", 0},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        json_t *filter = json_pack("{s:s}", asked[i].field, asked[i].value), *out = NULL;
        struct view_query q = {.kind = asked[i].kind, .filter = filter};
        struct err_info info = {0};
        ck_assert_msg(ask(&q, &out, &info) == asked[i].code, "%s %s=%s", q.kind, asked[i].field, asked[i].value);
        ck_assert_str_eq(info.field, asked[i].code ? asked[i].field : "");
        json_decref(out);
        json_decref(filter);
    }
}
END_TEST

/* The words are those that rows show. */
START_TEST(test_filters_know_all_words)
{
    const char *words[16][2];
    size_t n = 0;
    for (unsigned s = 0; s <= CORE_AGENT_WRAP_UP; s++, n++) {
        words[n][0] = "state";
        words[n][1] = core_agent_state_name((enum core_agent_state)s);
    }
    for (unsigned p = 0; p <= CORE_CALL_FAILED; p++, n++) {
        words[n][0] = "phase";
        words[n][1] = core_call_phase_name((enum core_call_phase)p);
    }
    for (size_t i = 0; i < n; i++) {
        json_t *filter = json_pack("{s:s}", words[i][0], words[i][1]);
        json_t *list = fx_view(&f, words[i][0][0] == 's' ? "agent" : "call", NULL, filter);
        ck_assert(json_is_array(items(list)));
        json_decref(list);
        json_decref(filter);
    }
}
END_TEST

START_TEST(test_records_by_time)
{
    for (uint64_t id = 1; id <= 20; id++) {
        f.now = (1700000000 + id * 60) * US;
        ck_assert_int_eq(fx_start(&f, id, id % 2 ? "13800" : "8002", "10001", true), 0);
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
    }
    /* 1700000000 is 22:13:20Z: call 5 ends at 22:18:20, call 10 at 22:23:20 */
    json_t *filter = json_pack("{s:s,s:s}", "from", "2023-11-14T22:18:20Z", "to", "2023-11-15T06:23:20.000+08:00");
    json_t *list = fx_view(&f, "cdr", NULL, filter);
    ck_assert_uint_eq(json_array_size(items(list)), 5);
    ck_assert_str_eq(str(json_array_get(items(list), 0), "call_id"), "0000000000000009"); /* newest first */
    ck_assert_str_eq(str(json_array_get(items(list), 4), "call_id"), "0000000000000005");
    json_decref(list);
    (void)json_object_set_new(filter, "direction", json_string("internal"));
    list = fx_view(&f, "cdr", NULL, filter);
    ck_assert_uint_eq(json_array_size(items(list)), 2);
    json_decref(list);
    json_decref(filter);
    filter = json_pack("{s:s}", "from", "2030-01-01T00:00:00Z");
    list = fx_view(&f, "cdr", NULL, filter);
    ck_assert_uint_eq(json_array_size(items(list)), 0);
    json_decref(list);
    list = fx_view(&f, "audit", NULL, filter);
    ck_assert_uint_eq(json_array_size(items(list)), 0);
    json_decref(list);
    json_decref(filter);
}
END_TEST

START_TEST(test_event_stream)
{
    uint64_t from = f.index;
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "1380\"0\x01\xff", "10003", true), 0); /* what a stranger sends stays text */
    struct storage_reader *r;
    struct err_info info = {0};
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    json_t *all = NULL, *rest = NULL;
    int gone = 1;
    ck_assert_int_eq(view_events(r, from, UINT32_MAX, 100, &all, &gone), 0);
    ck_assert_int_eq(gone, 0);
    static const char *const types[] = {"everline.agent.state", "everline.call.started", "everline.call.answered",
                                        "everline.call.queued", "everline.agent.state",  "everline.call.offered",
                                        "everline.queue.waiting"};
    ck_assert_uint_eq(json_array_size(all), 7);
    for (unsigned i = 0; i < 7; i++)
        ck_assert_str_eq(str(json_array_get(all, i), "type"), types[i]);
    ck_assert_str_eq(str(json_array_get(all, 1), "specversion"), "1.0");
    ck_assert_str_eq(str(json_array_get(all, 1), "subject"), "call/0000000000000001");
    ck_assert_str_eq(str(json_object_get(json_array_get(all, 5), "data"), "agent"), "1001");
    /* taken up in the middle */
    ck_assert_int_eq(view_events(r, f.index, 2, 2, &rest, &gone), 0);
    ck_assert_uint_eq(json_array_size(rest), 2);
    ck_assert_str_eq(str(json_array_get(rest, 0), "id"), str(json_array_get(all, 3), "id"));
    json_decref(rest);
    json_decref(all);
    storage_reader_close(r);
}
END_TEST

START_TEST(test_config_errors_have_paths)
{
    static const struct {
        const char *kind, *json, *field;
        int code;
    } bad[] = {
        {"extension", "{}", "number", ERR_INVAL},
        {"extension", "{\"number\":\"80 01\"}", "number", ERR_INVAL},
        {"extension", "{\"number\":\"8001\",\"colour\":1}", "colour", ERR_INVAL},
        {"extension", "{\"number\":\"8001\",\"contact\":\"sip:host.example\"}", "contact", ERR_INVAL},
        {"extension", "{\"number\":\"8001\",\"contact\":\"sip:1.2.3.4:0\"}", "contact", ERR_INVAL},
        {"extension", "{\"number\":\"8001\",\"ha1_md5\":\"xyz\"}", "ha1_md5", ERR_INVAL},
        {"extension", "{\"number\":\"8001\",\"password\":5}", "password", ERR_INVAL},
        {"extension", "{\"number\":\"8001\",\"disabled\":\"yes\"}", "disabled", ERR_INVAL},
        {"agent", "{\"number\":\"1001\"}", "extension", ERR_INVAL},
        {"agent", "{\"number\":\"1001\",\"extension\":\"8001\",\"level\":10}", "level", ERR_RANGE},
        {"agent", "{\"number\":\"1001\",\"extension\":\"8001\",\"type\":\"boss\"}", "type", ERR_INVAL},
        {"queue", "{\"name\":\"q\",\"ring_time_s\":-1}", "ring_time_s", ERR_RANGE},
        {"queue", "{\"name\":\"q\",\"ring_time_s\":1.5}", "ring_time_s", ERR_INVAL},
        {"queue", "{\"name\":\"q\",\"members\":[{\"agent\":\"1\"},{\"agent\":\"2\",\"level\":99}]}", "members[1].level", ERR_RANGE},
        {"queue", "{\"name\":\"q\",\"members\":[5]}", "members[0]", ERR_INVAL},
        {"queue", "{\"name\":\"q\",\"members\":[{}]}", "members[0].agent", ERR_INVAL},
        {"queue", "{\"name\":\"q\",\"members\":{}}", "members", ERR_INVAL},
        {"trunk", "{\"name\":\"t\",\"sources\":[\"10.0.0.0/8\",\"10.0.0.0/99\"]}", "sources[1]", ERR_INVAL},
        {"trunk", "{\"name\":\"t\",\"sources\":[\"\"]}", "sources[0]", ERR_INVAL},
        {"access_number", "{\"number\":\"1\"}", "", ERR_INVAL},
        {"access_number", "{\"number\":\"1\",\"flow\":\"a\",\"queue\":\"b\"}", "", ERR_INVAL},
        {"access_number", "{\"number\":\"1\",\"app\":\"dance\"}", "app", ERR_INVAL},
        {"flow", "{\"name\":\"f\"}", "definition", ERR_INVAL},
        {"flow", "{\"name\":\"f\",\"definition\":[1]}", "definition", ERR_INVAL},
        {"token", "{\"name\":\"t\",\"token\":\"\"}", "token", ERR_INVAL},
        {"token", "{\"name\":\"t\",\"role\":\"king\",\"token\":\"x\"}", "role", ERR_INVAL},
        {"cat", "{}", "kind", ERR_INVAL},
        {"queue", "[]", "", ERR_INVAL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *j = json_loads(bad[i].json, 0, NULL);
        ck_assert_ptr_nonnull(j);
        struct err_info info = {0};
        struct Ev__ConfigObject *o = NULL;
        int err = view_config_from_json(bad[i].kind, j, "everline", &o, &info);
        ck_assert_msg(err == bad[i].code, "%s: %d %s: %s", bad[i].json, err, info.field, info.text);
        ck_assert_msg(strcmp(info.field, bad[i].field) == 0, "%s: %s", bad[i].json, info.field);
        ck_assert_str_ne(info.text, "");
        json_decref(j);
    }
}
END_TEST

START_TEST(test_config_values)
{
    json_t *j = json_pack("{s:I,s:s,s:n}", "number", (json_int_t)8001, "password", "zanzibar", "contact");
    struct err_info info = {0};
    struct Ev__ConfigObject *o = NULL;
    ck_assert_int_eq(view_config_from_json("extension", j, "biloxi.com", &o, &info), 0);
    Ev__Extension *x = ((Ev__ConfigObject *)o)->extension;
    ck_assert_str_eq(x->number, "8001"); /* written without quotes */
    char ha1[65];
    ck_assert_int_eq(config_ha1(false, "8001", "biloxi.com", "zanzibar", ha1, sizeof ha1), 0);
    ck_assert_str_eq(x->ha1_md5, ha1);
    ev__config_object__free_unpacked((Ev__ConfigObject *)o, NULL);
    json_decref(j);
    /* RFC 7616 section 3.9.1 gives user, realm and password; the digests are those of md5sum and sha256sum */
    ck_assert_int_eq(config_ha1(false, "Mufasa", "http-auth@example.org", "Circle of Life", ha1, sizeof ha1), 0);
    ck_assert_str_eq(ha1, "3d78807defe7de2157e2b0b6573a855f");
    ck_assert_int_eq(config_ha1(true, "Mufasa", "http-auth@example.org", "Circle of Life", ha1, sizeof ha1), 0);
    ck_assert_str_eq(ha1, "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
    j = json_pack("{s:s}", "name", "q");
    ck_assert_int_eq(view_config_from_json("queue", j, "", &o, &info), 0);
    ck_assert_uint_eq(((Ev__ConfigObject *)o)->queue->ring_time_s, 20);
    ck_assert_str_eq(((Ev__ConfigObject *)o)->queue->strategy, "longest_idle");
    ev__config_object__free_unpacked((Ev__ConfigObject *)o, NULL);
    json_decref(j);
    /* every field of every kind has a rule */
    for (int k = CFG_EXTENSION; k < CFG_KINDS; k++) {
        const ProtobufCMessageDescriptor *d = config_descriptor((enum cfg_kind)k);
        for (unsigned i = 0; i < d->n_fields; i++)
            ck_assert_msg(config_rule(d->short_name, d->fields[i].name) != NULL, "%s.%s", d->short_name, d->fields[i].name);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core views");
    TCase *t = tcase_create("views");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_agents_and_queues);
    tcase_add_test(t, test_extensions_show_no_secret);
    tcase_add_loop_test(t, test_pages, 0, 7);
    tcase_add_test(t, test_bad_questions);
    tcase_add_test(t, test_filters_take_words_that_exist);
    tcase_add_test(t, test_filters_know_all_words);
    tcase_add_test(t, test_records_by_time);
    tcase_add_test(t, test_event_stream);
    tcase_add_test(t, test_config_errors_have_paths);
    tcase_add_test(t, test_config_values);
    suite_add_tcase(s, t);
    return run_suite(s);
}
