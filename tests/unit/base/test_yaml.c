/* YAML and JSON reader: scalars by schema, refusals with their place, positions of fields, limits, memory. */
#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml.h"
#include "tests/unit/suite.h"

static json_t *load(const char *text)
{
    json_t *out = NULL;
    struct err_info info;
    int rc = yaml_load(text, strlen(text), &out, NULL, &info);
    ck_assert_msg(rc == 0, "'%s': %u:%u %s", text, info.line, info.column, info.text);
    return out;
}

static void refused(const char *text, size_t len, int code, unsigned line, unsigned column, const char *words)
{
    json_t *out = NULL;
    struct yaml_marks *marks = NULL;
    struct err_info info;
    ck_assert_msg(yaml_load(text, len, &out, &marks, &info) == code, "'%.60s' gave another code: %s", text, info.text);
    ck_assert_msg(!out && !marks, "'%.60s' left something behind", text);
    ck_assert_int_eq(info.code, code);
    ck_assert_msg(info.line == line && info.column == column, "'%.60s' blamed %u:%u, not %u:%u", text, info.line,
                  info.column, line, column);
    ck_assert_msg(strstr(info.text, words) != NULL, "'%.60s' said '%s'", text, info.text);
}

START_TEST(scalars)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"~", "null"},
        {"null", "null"},
        {"Null", "null"},
        {"NULL", "null"},
        {"a:", "{\"a\":null}"},
        {"nULL", "\"nULL\""},
        {"true", "true"},
        {"True", "true"},
        {"FALSE", "false"},
        {"yes", "\"yes\""},
        {"off", "\"off\""},
        {"tRue", "\"tRue\""},
        {"0", "0"},
        {"42", "42"},
        {"-7", "-7"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"-0", "\"-0\""},
        {"-", "[null]"},
        {"007", "\"007\""},
        {"+49", "\"+49\""},
        {"0086123", "\"0086123\""},
        {"-01", "\"-01\""},
        {"0x10", "\"0x10\""},
        {"0o17", "\"0o17\""},
        {"1_000", "\"1_000\""},
        {"12:30", "\"12:30\""},
        {"2026-03-01", "\"2026-03-01\""},
        {"1.5", "1.5"},
        {"-0.25", "-0.25"},
        {".5", "0.5"},
        {"1.", "1.0"},
        {"1e3", "1000.0"},
        {"2.5E-1", "0.25"},
        {"00.5", "\"00.5\""},
        {"+1.5", "\"+1.5\""},
        {".", "\".\""},
        {"1e", "\"1e\""},
        {"e5", "\"e5\""},
        {"1.2.3", "\"1.2.3\""},
        {"127.0.0.1", "\"127.0.0.1\""},
        {".inf", "\".inf\""},
        {".nan", "\".nan\""},
        {"1 2", "\"1 2\""},
        {"\"42\"", "\"42\""},
        {"'true'", "\"true\""},
        {"\"\"", "\"\""},
        {"!!str 42", "\"42\""},
        {"|\n  a\n  b\n", "\"a\\nb\\n\""},
        {">-\n  a\n  b\n", "\"a b\""},
        {"\"\\u4f60\\n\"", "\"你\\n\""},
        {"[1, [2], {a: b}]", "[1,[2],{\"a\":\"b\"}]"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"{\"a\": [true, null, 1.5, \"x\"]}", "{\"a\":[true,null,1.5,\"x\"]}"},
        {"--- 5\n...\n", "5"},
        {"# comment\na: 1 # more\n", "{\"a\":1}"},
        {"\xef\xbb\xbf"
         "a: 1",
         "{\"a\":1}"},
        {"1: one\ntrue: two", "{\"1\":\"one\",\"true\":\"two\"}"},
        {"%YAML 1.2\n---\na: 1", "{\"a\":1}"},
        {"<<: x", "{\"<<\":\"x\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *v = load(cases[i].yaml);
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        ck_assert_msg(strcmp(text, cases[i].json) == 0, "'%s' became %s, not %s", cases[i].yaml, text, cases[i].json);
        free(text);
        json_decref(v);
    }
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *yaml;
        unsigned line, column;
        const char *words;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key: 'a'"},
        {"x: {a: 1, \"a\": 2}", 1, 11, "duplicate key"},
        {"a: &x 1", 1, 4, "anchors"},
        {"a: &x [1]", 1, 4, "anchors"},
        {"a: &x {b: 1}", 1, 4, "anchors"},
        {"a: 1\nb: *a", 2, 4, "alias"},
        {"*a : 1", 1, 1, "key must be plain"},
        {"&k a: 1", 1, 1, "anchors"},
        {"a: !foo 1", 1, 4, "tags"},
        {"a: !!int 1", 1, 4, "tags"},
        {"a: !!map {}", 1, 4, "tags"},
        {"a: !!seq []", 1, 4, "tags"},
        {"a: 1\n---\nb: 2", 2, 1, "one document"},
        {"", 1, 1, "empty"},
        {"# nothing\n", 2, 1, "empty"},
        {"? [a]\n: b", 1, 3, "key must be plain"},
        {"\"\": 1", 1, 1, "empty"},
        {"a: \"x\\0y\"", 1, 4, "NUL"},
        {"\"k\\0\": 1", 1, 1, "NUL"},
        {"a: 9223372036854775808", 1, 4, "out of range"},
        {"a: 18601234567890123456", 1, 4, "out of range"},
        {"a: 1e999", 1, 4, "out of range"},
        {"a: [1, 2", 2, 1, "flow sequence"},
        {"a: b: c", 1, 5, "mapping values"},
        {"a:\n\t- b", 2, 1, "cannot start"},
        {"a: \"x", 1, 6, "quoted scalar"},
        {"a: 1\n b: 2", 2, 3, "mapping values"},
        {"a: @x", 1, 4, "cannot start any token"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].yaml, strlen(cases[i].yaml), ERR_INVAL, cases[i].line, cases[i].column, cases[i].words);
}
END_TEST

START_TEST(bad_bytes)
{
    refused("a: 1\nb: \xff\n", 10, ERR_INVAL, 2, 4, "UTF-8");
    refused("a: \xe4\xbd\xa0\nb: \xc0\x80\n", 13, ERR_INVAL, 2, 4, "UTF-8");
    refused("a: \xed\xa0\x80", 6, ERR_INVAL, 1, 4, "");
    refused("a: x\0y", 6, ERR_INVAL, 1, 5, "control");
    refused("a: \xe4\xbd", 5, ERR_INVAL, 1, 4, "UTF-8");
    refused("a: \x01", 4, ERR_INVAL, 1, 4, "control");
}
END_TEST

START_TEST(limits)
{
    char deep[400];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    refused(deep, sizeof deep, ERR_TOOBIG, 1, YAML_DEPTH_MAX + 1, "deep");
    memset(deep, '[', YAML_DEPTH_MAX);
    memset(deep + YAML_DEPTH_MAX, ']', YAML_DEPTH_MAX);
    json_t *out;
    ck_assert_int_eq(yaml_load(deep, 2 * YAML_DEPTH_MAX, &out, NULL, NULL), 0);
    json_decref(out);

    size_t size = YAML_BYTES_MAX + 1;
    char *big = malloc(size);
    memset(big, ' ', size);
    refused(big, size, ERR_TOOBIG, 0, 0, "larger");
    /* two bytes a value: more values than are allowed in a text that is not too long */
    size = 2 * YAML_NODES_MAX + 10;
    for (size_t i = 1; i < size; i += 2) {
        big[i - 1] = i == 1 ? '[' : ',';
        big[i] = '1';
    }
    struct err_info info;
    ck_assert_int_eq(yaml_load(big, size, &out, NULL, &info), ERR_TOOBIG);
    ck_assert_ptr_nonnull(strstr(info.text, "too many"));
    size_t n = 0;
    for (unsigned i = 0; n < 1000000; i++)
        n += (size_t)sprintf(big + n, "%%TAG !%x! a\n", i);
    refused(big, n, ERR_TOOBIG, 0, 0, "directives");
    free(big);
}
END_TEST

static void at(const struct yaml_marks *m, const char *path, bool exact, unsigned line, unsigned column)
{
    unsigned l, c;
    bool found = yaml_position(m, path, &l, &c);
    ck_assert_msg(found == exact && l == line && c == column, "%s: %d %u:%u", path, found, l, c);
}

START_TEST(positions)
{
    const char *text = "parameters: []\n"                /* 1 */
                       "queues:\n"                       /* 2 */
                       "  - name: a\n"                   /* 3 */
                       "    ring_time_s: 1\n"            /* 4 */
                       "  - name: b\n"                   /* 5 */
                       "  - {name: c, ring_time_s: x}\n" /* 6 */
                       "a.b: 1\n"                        /* 7 */
                       "a:\n"                            /* 8 */
                       "  b.c: {d: [1, [2, 3]]}\n";      /* 9 */
    json_t *out;
    struct yaml_marks *m;
    ck_assert_int_eq(yaml_load(text, strlen(text), &out, &m, NULL), 0);
    at(m, "", true, 1, 1);
    at(m, "queues", true, 2, 1);
    at(m, "queues[0]", true, 3, 5);
    at(m, "queues[0].ring_time_s", true, 4, 5);
    at(m, "queues[2].ring_time_s", true, 6, 15);
    at(m, "queues[2].name", true, 6, 6);
    at(m, "a.b", true, 7, 1);
    at(m, "a.b.c.d[1][0]", false, 7, 1);
    at(m, "a", true, 8, 1);
    at(m, "queues[1].ring_time_s", false, 5, 5);
    at(m, "queues[9].name", false, 2, 1);
    at(m, "queues[x]", false, 2, 1);
    at(m, "queues[", false, 2, 1);
    at(m, "queues[99999999999999999999]", false, 2, 1);
    at(m, "queues.name", false, 2, 1);
    at(m, "parameters[0]", false, 1, 1);
    at(m, "nothing.at.all", false, 1, 1);
    at(m, "queue", false, 1, 1);
    struct err_info info;
    err_set(&info, ERR_INVAL, "queues[2].ring_time_s", "wrong");
    yaml_locate(m, &info);
    ck_assert_uint_eq(info.line, 6);
    ck_assert_uint_eq(info.column, 15);
    yaml_locate(NULL, &info);
    ck_assert_uint_eq(info.line, 6);
    yaml_marks_free(m);
    yaml_marks_free(NULL);
    json_decref(out);
}
END_TEST

START_TEST(json_faults_are_in_plain_words)
{
    static const char *const nul[] = {"[1,\n \"a\\u0000b\"]", "{\"a\": 1,\n \"b\\u0000\": 2}"};
    for (size_t i = 0; i < 2; i++) {
        json_t *out = NULL;
        struct err_info info = {.line = 0};
        ck_assert_int_eq(json_load_text(nul[i], strlen(nul[i]), &out, &info), ERR_INVAL);
        ck_assert_str_eq(info.text, "text must not contain the character \\u0000");
        ck_assert_uint_eq(info.line, 2);
        ck_assert_ptr_null(out);
    }
}
END_TEST

START_TEST(json_text)
{
    static const struct {
        const char *text;
        int code;
        unsigned line;
    } cases[] = {
        {"{\"a\": 1}", 0, 0},
        {"[]", 0, 0},
        {"", ERR_INVAL, 1},
        {"{", ERR_INVAL, 1},
        {"{\"a\":1,\n\"a\":2}", ERR_INVAL, 2},
        {"{\n\n\"a\": tru}", ERR_INVAL, 3},
        {"1", ERR_INVAL, 1},
        {"{} x", ERR_INVAL, 1},
        {"[\"\xff\"]", ERR_INVAL, 1},
        {"[\"\\u0000\"]", ERR_INVAL, 1},
        {"[9223372036854775808]", ERR_INVAL, 1},
        {"[1e999]", ERR_INVAL, 1},
        {"[NaN]", ERR_INVAL, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *out = NULL;
        struct err_info info = {.line = 0};
        int rc = json_load_text(cases[i].text, strlen(cases[i].text), &out, &info);
        ck_assert_msg(rc == cases[i].code, "%s gave %d: %s", cases[i].text, rc, info.text);
        ck_assert(!rc == (out != NULL));
        ck_assert_msg(!rc || (info.line == cases[i].line && info.column >= 1 && info.text[0]), "%s: %u:%u",
                      cases[i].text, info.line, info.column);
        json_decref(out);
    }
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    json_t *out = NULL;
    ck_assert_int_eq(json_load_text(deep, sizeof deep, &out, NULL), ERR_TOOBIG);
    ck_assert_int_eq(json_load_text(deep, YAML_BYTES_MAX + 1, &out, NULL), ERR_TOOBIG);
    ck_assert_int_eq(json_load_text(deep + 40, 120, &out, NULL), 0);
    json_decref(out);
}
END_TEST

START_TEST(out_of_memory)
{
    const char *text = "a: [1, 2.5, x, {b: c, d: ~}]\ne: true\nf: \"quoted\"\n";
    json_t *out = NULL;
    struct yaml_marks *marks = NULL;
    struct err_info info;
    json_object_seed(1);
    for (long budget = 0; alloc_budget_works(); budget++) {
        long live = alloc_budget_live;
        alloc_budget_set(budget);
        int rc = yaml_load(text, strlen(text), &out, &marks, &info);
        bool starved = alloc_budget_clear();
        if (rc == 0 && !starved) {
            json_decref(out);
            yaml_marks_free(marks);
            ck_assert_int_eq(alloc_budget_live, live);
            ck_assert_int_gt(budget, 20);
            return;
        }
        ck_assert_msg(rc != 0, "succeeded although allocation %ld failed", budget);
        ck_assert_ptr_null(out);
        ck_assert_ptr_null(marks);
        ck_assert_msg(alloc_budget_live == live, "budget %ld: %ld blocks leaked", budget, alloc_budget_live - live);
        ck_assert_int_lt(budget, 10000);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("yaml");
    TCase *t = tcase_create("yaml");
    tcase_add_test(t, scalars);
    tcase_add_test(t, refusals);
    tcase_add_test(t, bad_bytes);
    tcase_add_test(t, limits);
    tcase_add_test(t, positions);
    tcase_add_test(t, json_faults_are_in_plain_words);
    tcase_add_test(t, json_text);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return run_suite(s);
}
