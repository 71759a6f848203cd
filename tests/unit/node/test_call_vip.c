/* What is asked about a caller, and what an answer says. */
#include <check.h>
#include <string.h>

#include "node/call_int.h"
#include "tests/unit/suite.h"

START_TEST(test_url)
{
    char url[128];
    ck_assert_int_eq(call_vip_url("https://crm/${queue}?a=${caller}&b=${called}&c=${x}$", "+86 1&2/\xe4", "10003", "sales",
                                  url, sizeof url),
                     0);
    ck_assert_str_eq(url, "https://crm/sales?a=%2B86%201%262%2F%E4&b=10003&c=${x}$");
    ck_assert_int_eq(call_vip_url("https://crm/?${caller}", "", "", "", url, sizeof url), 0);
    ck_assert_str_eq(url, "https://crm/?");
    /* no byte beyond its room, however it is filled */
    char caller[64], room[40];
    for (size_t n = 0; n < sizeof caller; n++) {
        memset(caller, '+', n);
        caller[n] = '\0';
        memset(room, 'x', sizeof room);
        int err = call_vip_url("http://h/${caller}", caller, "", "", room, sizeof room - 1);
        ck_assert_int_eq(room[sizeof room - 1], 'x');
        ck_assert_int_eq(err, n <= 8 ? 0 : ERR_TOOBIG);
        if (!err)
            ck_assert_uint_eq(strlen(room), 9 + 3 * n);
    }
}
END_TEST

static const struct {
    int status;
    const char *body;
    int err;
    bool vip;
} answers[] = {
    {200, "{\"vip\":true,\"name\":\"x\"}", 0, true},
    {200, "{\"vip\":false}", 0, false},
    {404, "not JSON", 0, false},
    {200, "{\"vip\":1}", ERR_INVAL, false},
    {200, "{\"vip\":\"true\"}", ERR_INVAL, false},
    {200, "{}", ERR_INVAL, false},
    {200, "[true]", ERR_INVAL, false},
    {200, "", ERR_INVAL, false},
    {200, "{\"vip\":true", ERR_INVAL, false},
    {200, "{\"vip\":false,\"vip\":true}", ERR_INVAL, false},
    {500, "{\"vip\":true}", ERR_INVAL, false},
    {302, "", ERR_INVAL, false},
    {204, "", ERR_INVAL, false},
};

START_TEST(test_answer)
{
    bool vip = true;
    ck_assert_int_eq(call_vip_read(answers[_i].status, answers[_i].body, strlen(answers[_i].body), &vip), answers[_i].err);
    ck_assert_int_eq(vip, answers[_i].vip);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("call_vip");
    TCase *t = tcase_create("call_vip");
    tcase_add_test(t, test_url);
    tcase_add_loop_test(t, test_answer, 0, sizeof answers / sizeof *answers);
    suite_add_tcase(s, t);
    return run_suite(s);
}
