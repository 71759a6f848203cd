/* Expressions of flows, texts with variables, paths into JSON, and the store of variables. */
#include "tests/unit/base/alloc_budget.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_expr.h"
#include "telephony/ivr_text.h"
#include "tests/unit/suite.h"

static const char *value_of(void *ctx, const char *name)
{
    static const struct {
        const char *name, *value;
    } values[] = {{"n", "7"},
                  {"account", "0012345"},
                  {"phone", "13800138000"},
                  {"empty", ""},
                  {"yes", "true"},
                  {"no", "false"},
                  {"name", "王小明"},
                  {"big", "9223372036854775807"},
                  {"minus", "-3"},
                  {"money", "12.50"},
                  {"big2", "9223372036854775808"},
                  {"secret.key", "k"},
                  {"data.order", "4711"},
                  {"data.Order.no-1", "9"},
                  {"data.a.B", "x"},
                  {"odd", "a b&c=\"d\"/é"}};
    (void)ctx;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].name, name) == 0)
            return values[i].value;
    return "";
}

START_TEST(values_of_expressions)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"1", "1"},
        {"n + 1", "8"},
        {"n - 1 - 2", "4"}, /* from the left */
        {"n - (1 - 2)", "8"},
        {"-n", "-7"},
        {"- -n", "7"},
        {"minus + 3", "0"},
        {"'a' + 1", ""}, /* no value */
        {"money + 1", ""},
        {"big + 1", ""}, /* beyond 64 bits */
        {"big2 + 0", ""},
        {"-9223372036854775807 - 1", "-9223372036854775808"},
        {"-9223372036854775807 - 2", ""},
        {"n == 7", "true"},
        {"n == '7'", "true"},
        {"account == 12345", "false"}, /* leading zeros: no number */
        {"number(account) == 12345", "true"},
        {"number('-007')", "-7"},
        {"number('x')", ""},
        {"number('')", ""},
        {"account == '0012345'", "true"},
        {"n != 7", "false"},
        {"n < 8 and n <= 7 and n > 6 and n >= 7", "true"},
        {"n < 'b'", ""},
        {"not n < 'b'", ""},
        {"n < 'b' or n == 7", "true"}, /* decided by the other side */
        {"n == 7 or n < 'b'", "true"},
        {"n < 'b' and n == 8", "false"},
        {"n < 'b' and n == 7", ""},
        {"not yes", "false"},
        {"not not yes", "true"},
        {"yes and not no", "true"},
        {"name and yes", ""},
        {"no or no or yes", "true"},
        {"yes or no and no", "true"}, /* and first */
        {"(yes or no) and no", "false"},
        {"data.order == 4711 and data.a.B == 'x'", "true"}, /* what is known of the caller */
        {"data.order + 1", "4712"},
        {"data.none", ""},
        {"len(name)", "3"},
        {"len('')", "0"},
        {"len(12345)", "5"},
        {"len(1 == 1)", "4"},
        {"substr(name, 1)", "小明"},
        {"substr(name, 0, 1)", "王"},
        {"substr(phone, -4)", "8000"},
        {"substr(phone, -40, 3)", "138"},
        {"substr(phone, 40)", ""},
        {"substr(phone, 0, -1)", ""},
        {"substr(phone, 'x')", ""},
        {"starts_with(phone, '138')", "true"},
        {"starts_with(phone, '139')", "false"},
        {"starts_with(phone, '')", "true"},
        {"starts_with(n, '77')", "false"},
        {"ends_with(phone, '8000')", "true"},
        {"contains(phone, '001')", "true"},
        {"contains(phone, '002')", "false"},
        {"matches(phone, '1ZXXXXXXXXX')", "true"},
        {"matches(phone, '1NXXXXXXXX')", "false"}, /* one too few */
        {"matches(phone, '1.')", "true"},
        {"matches('1', '1.')", "false"},
        {"matches('12', '1N')", "true"},
        {"matches('11', '1N')", "false"},
        {"matches('*1#', '*X#')", "true"},
        {"matches('', '')", "true"},
        {"empty == ''", "true"},
        {"unset == ''", "true"},
        {"\"it's\" == 'it\\'s'", "true"},
        {"'\\\\'", "\\"},
        {"true", "true"},
        {"false == 'false'", "true"},
        {"  n==7  ", "true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ivr_expr *e = NULL;
        struct err_info info;
        char out[64];
        int rc = ivr_expr_parse(cases[i].text, &e, &info);
        ck_assert_msg(rc == 0, "%s: %s", cases[i].text, info.text);
        ivr_expr_text(e, value_of, NULL, out, sizeof out);
        ck_assert_msg(strcmp(out, cases[i].value) == 0, "%s gave '%s', not '%s'", cases[i].text, out, cases[i].value);
        ck_assert_msg(ivr_expr_true(e, value_of, NULL) == (strcmp(out, "true") == 0), "%s", cases[i].text);
        ivr_expr_free(e);
    }
}
END_TEST

START_TEST(faults_have_a_column)
{
    static const struct {
        const char *text;
        unsigned column;
        const char *words;
    } cases[] = {
        {"", 1, "at the end"},
        {"n ==", 5, "at the end"},
        {"n = 3", 3, "an operator"},
        {"n == 3 4", 8, "an operator"},
        {"(n == 3", 8, "')'"},
        {"n == 3)", 7, "an operator"},
        {"and n", 1, "before 'and'"},
        {"n and and", 7, "before 'and'"},
        {"N == 3", 1, "a value is missing before"},
        {"1.5", 1, "whole numbers"},
        {"007", 1, "leading zeros"},
        {"9223372036854775808", 1, "64 bits"},
        {"'abc", 1, "closing quote"},
        {"'a\\n'", 1, "backslash"},
        {"'a\\", 1, "closing quote"},
        {"length(n)", 1, "no function 'length'"},
        {"len(n, n)", 7, "no more than 1"},
        {"substr(n)", 9, "takes 2"},
        {"len(n", 6, "')'"},
        {"9n", 1, "whole numbers"},
        {"a_name_that_is_longer_than_31_bytes", 1, "at most 31"},
        {"1 < 2 < 3", 7, "an operator"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ivr_expr *e = NULL;
        struct err_info info;
        char head[32];
        ck_assert_msg(ivr_expr_parse(cases[i].text, &e, &info) == ERR_INVAL && !e, "%s was taken", cases[i].text);
        snprintf(head, sizeof head, "column %u: ", cases[i].column);
        ck_assert_msg(strncmp(info.text, head, strlen(head)) == 0, "%s: %s", cases[i].text, info.text);
        ck_assert_msg(strstr(info.text, cases[i].words) != NULL, "%s: %s", cases[i].text, info.text);
        ck_assert_uint_eq(info.column, cases[i].column);
    }
}
END_TEST

START_TEST(expressions_are_bounded)
{
    char text[2 * IVR_EXPR_BYTES_MAX];
    struct ivr_expr *e = NULL;
    memset(text, ' ', sizeof text);
    text[IVR_EXPR_BYTES_MAX + 1] = '\0';
    ck_assert_int_eq(ivr_expr_parse(text, &e, NULL), ERR_TOOBIG);
    for (int levels = 1; levels <= 40; levels++) { /* parentheses, signs and nots alike */
        static const char *const openers[] = {"(", "-", "not "};
        for (int k = 0; k < 3; k++) {
            text[0] = '\0';
            for (int i = 0; i < levels; i++)
                strcat(text, openers[k]);
            strcat(text, "1");
            for (int i = 0; k == 0 && i < levels; i++)
                strcat(text, ")");
            int rc = ivr_expr_parse(text, &e, NULL);
            ck_assert_msg(rc == (levels < (int)IVR_EXPR_DEPTH_MAX ? 0 : ERR_TOOBIG), "%d levels of %s: %d", levels,
                          openers[k], rc);
            if (rc == 0)
                ivr_expr_free(e);
        }
    }
    strcpy(text, "1");
    for (unsigned i = 1; i < 32; i++)
        strcat(text, "+1");
    ck_assert_int_eq(ivr_expr_parse(text, &e, NULL), 0); /* 63 parts */
    ivr_expr_free(e);
    strcat(text, "+1");
    ck_assert_int_eq(ivr_expr_parse(text, &e, NULL), ERR_TOOBIG);
}
END_TEST

static void note(void *ctx, const char *name)
{
    strcat(ctx, name);
    strcat(ctx, " ");
}

START_TEST(names_that_are_read)
{
    struct ivr_expr *e = NULL;
    char names[256] = "", out[4];
    ck_assert_int_eq(ivr_expr_parse("n == 1 or len(account) > n and not true", &e, NULL), 0);
    ivr_expr_names(e, note, names);
    ck_assert_str_eq(names, "n account n ");
    ivr_expr_free(e);
    ck_assert_int_eq(ivr_expr_parse("name", &e, NULL), 0);
    ivr_expr_text(e, value_of, NULL, out, sizeof out); /* cut between characters of three bytes */
    ck_assert_str_eq(out, "王");
    ivr_expr_free(e);
    names[0] = '\0';
    ck_assert_int_eq(ivr_text_check("${n} $$ $5 ${account}${secret.key}", true, note, names, NULL), 0);
    ck_assert_str_eq(names, "n account secret.key ");
}
END_TEST

START_TEST(texts)
{
    static const struct {
        const char *text;
        enum ivr_text_form form;
        const char *value;
    } cases[] = {
        {"plain", IVR_TEXT_PLAIN, "plain"},
        {"${n}", IVR_TEXT_PLAIN, "7"},
        {"a${n}b${account}", IVR_TEXT_PLAIN, "a7b0012345"},
        {"$$${n}$ $5", IVR_TEXT_PLAIN, "$7$ $5"},
        {"$${n}", IVR_TEXT_PLAIN, "${n}"},
        {"[${unset}]", IVR_TEXT_PLAIN, "[]"},
        {"http://x/?q=${odd}&m=1", IVR_TEXT_URL, "http://x/?q=a%20b%26c%3D%22d%22%2F%C3%A9&m=1"},
        {"${secret.key}", IVR_TEXT_PLAIN, "k"},
    };
    static const struct {
        const char *text;
        bool secrets;
        const char *words;
    } wrong[] = {
        {"${", true, "column 1"},    {"ab${}", true, "column 3"},        {"${Name}", true, "a-z"},
        {"${n", true, "column 1"},   {"${n}${ n}", true, "column 5"},    {"${secret.a b}", true, "column 1"},
        {"${secret.}", true, "a-z"}, {"x${secret.k}", false, "secrets"},
    };
    char out[128], names[256] = "";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(ivr_text_fill(cases[i].text, cases[i].form, value_of, NULL, out, sizeof out));
        ck_assert_str_eq(out, cases[i].value);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err_info info;
        ck_assert_int_eq(ivr_text_check(wrong[i].text, wrong[i].secrets, note, names, &info), ERR_INVAL);
        ck_assert_msg(strstr(info.text, wrong[i].words) != NULL, "%s: %s", wrong[i].text, info.text);
    }
    ck_assert(!ivr_text_fill("${name}!", IVR_TEXT_PLAIN, value_of, NULL, out, 9));
    ck_assert_str_eq(out, "王小");
}
END_TEST

START_TEST(paths)
{
    static const struct {
        const char *path, *value;
    } cases[] = {
        {"$.a", "x"},
        {"$.b.c", "12"},
        {"$.list[0]", "1.5"},
        {"$.list[1].deep", "true"},
        {"$.list[9]", ""},
        {"$.none.at.all", ""},
        {"$['d e']", "-3"},
        {"$.nothing", ""},
        {"$.list", ""},
        {"$.b", ""},
        {"$", ""},
        {"$.a[0]", ""},
        {"$.a.b", ""},
        {"$.text", "two lines"},
        {"$.list[1]['deep']", "true"},
    };
    static const char *const wrong[] = {"",    "a",     ".a",    "$a",        "$.",   "$.a.",  "$[",  "$[x]",
                                        "$[1", "$['a]", "$['']", "$[999999]", "$..a", "$.a b", "$[*]"};
    json_t *o = json_loads("{\"a\":\"x\",\"b\":{\"c\":12},\"list\":[1.5,{\"deep\":true}],\"d e\":-3,\"nothing\":null,"
                           "\"text\":\"two\\nlines\"}",
                           0, NULL);
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(ivr_path_check(cases[i].path, NULL) == 0, "%s", cases[i].path);
        ivr_path_text(o, cases[i].path, out, sizeof out);
        ck_assert_msg(strcmp(out, cases[i].value) == 0, "%s gave '%s'", cases[i].path, out);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(ivr_path_check(wrong[i], NULL) == ERR_INVAL, "%s was taken", wrong[i]);
    json_decref(o);
}
END_TEST

START_TEST(store)
{
    static struct ivr_vars v;
    char name[32], large[700];
    bool secret;
    memset(&v, 0, sizeof v);
    ck_assert(ivr_vars_set(&v, "a", "1", false));
    ck_assert(ivr_vars_set(&v, "pin", "1234", true));
    ck_assert(ivr_vars_set(&v, "a", "22", false)); /* again, longer */
    ck_assert_str_eq(ivr_vars_get(&v, "a", &secret), "22");
    ck_assert(!secret);
    ck_assert_str_eq(ivr_vars_get(&v, "pin", &secret), "1234");
    ck_assert(secret);
    ck_assert_ptr_null(ivr_vars_get(&v, "b", NULL));
    ck_assert_uint_eq(v.n, 2);
    ck_assert(ivr_vars_set(&v, "line", "a\r\nb\x7f\xff", false));
    ck_assert_str_eq(ivr_vars_get(&v, "line", NULL), "a  b ?");

    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    ck_assert(!ivr_vars_set(&v, "big", large, false)); /* cut */
    ck_assert_uint_eq(strlen(ivr_vars_get(&v, "big", NULL)), IVR_VALUE_MAX - 1);
    unsigned kept = 0;
    for (unsigned i = 0; i < 40; i++) { /* until there is no room */
        snprintf(name, sizeof name, "more_%u", i);
        (void)ivr_vars_set(&v, name, large, false);
        kept += ivr_vars_get(&v, name, NULL) != NULL;
        ck_assert_uint_le(v.used, sizeof v.pool);
    }
    ck_assert_uint_ge(kept, 4);
    ck_assert_uint_lt(kept, 8);
    ck_assert_str_eq(ivr_vars_get(&v, "pin", NULL), "1234");
    ck_assert(ivr_vars_set(&v, "big", "", false)); /* gives its room back */

    json_t *open = ivr_vars_json(&v, false), *hidden = ivr_vars_json(&v, true);
    ck_assert_str_eq(json_string_value(json_object_get(open, "a")), "22");
    ck_assert_ptr_null(json_object_get(open, "pin"));
    ck_assert_uint_eq(json_object_size(hidden), 1);
    static struct ivr_vars w;
    memset(&w, 0, sizeof w);
    ck_assert(ivr_vars_load(&w, open, false) && ivr_vars_load(&w, hidden, true));
    ck_assert_uint_eq(w.n, v.n);
    ck_assert_str_eq(ivr_vars_get(&w, "pin", &secret), "1234");
    ck_assert(secret);
    json_decref(open);
    json_decref(hidden);
    memset(&w, 0, sizeof w);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "v%u", i);
        ck_assert(ivr_vars_set(&w, name, "", false) == (i < IVR_VARIABLES_MAX));
    }
    static const char *const bad[] = {"[]", "{\"A\":\"x\"}", "{\"a\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *o = json_loads(bad[i], 0, NULL);
        memset(&w, 0, sizeof w);
        ck_assert(!ivr_vars_load(&w, o, false));
        json_decref(o);
    }
}
END_TEST

START_TEST(out_of_memory)
{
    for (long budget = 0; alloc_budget_works(); budget++) {
        struct ivr_expr *e = NULL;
        long live = alloc_budget_live;
        alloc_budget_set(budget);
        int rc = ivr_expr_parse("len(account) > 3 and n == 7", &e, NULL);
        bool failed = alloc_budget_clear();
        ck_assert_int_eq(rc, failed ? ERR_NOMEM : 0);
        ivr_expr_free(e);
        ck_assert_int_eq(alloc_budget_live, live);
        if (!failed)
            break;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ivr expr");
    TCase *t = tcase_create("expr");
    tcase_add_test(t, values_of_expressions);
    tcase_add_test(t, faults_have_a_column);
    tcase_add_test(t, expressions_are_bounded);
    tcase_add_test(t, names_that_are_read);
    tcase_add_test(t, texts);
    tcase_add_test(t, paths);
    tcase_add_test(t, store);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return run_suite(s);
}
