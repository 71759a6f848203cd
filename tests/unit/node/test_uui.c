/* What is known of a caller as a header of the INVITE at an agent's telephone: read back, bounded, nothing of it a header of its own. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "node/uui.h"
#include "tests/unit/suite.h"

#define ID "00f3a1b2c4d5e6f7"

/* What the receiver finds in it. */
static const char *said(const char *customer, const char *data)
{
    static char text[UUI_BYTES_MAX + 1];
    char header[UUI_HEADER_MAX];
    unsigned byte, n = 0;
    uui_header(ID, customer, data, header);
    ck_assert_ptr_eq(strstr(header, "User-to-User: 04"), header);
    ck_assert_uint_lt(strlen(header), UUI_HEADER_MAX);
    const char *at = header + strlen("User-to-User: 04");
    for (; strspn(at, "0123456789abcdef") >= 2 && sscanf(at, "%2x", &byte) == 1; at += 2)
        text[n++] = (char)byte;
    text[n] = '\0';
    ck_assert_uint_lt(n, UUI_BYTES_MAX);
    ck_assert_str_eq(at, ";encoding=hex\r\n");
    return text;
}

START_TEST(in_order_and_escaped)
{
    ck_assert_str_eq(said("", ""), "call_id=" ID);
    ck_assert_str_eq(said("C-1", "{\"tariff\":\"gold\",\"order\":\"4711\"}"), "call_id=" ID "&customer=C-1&order=4711&tariff=gold");
    ck_assert_str_eq(said("a&b=c\r\nEvil: 1", ""), "call_id=" ID "&customer=a%26b%3Dc%0D%0AEvil%3A%201");
    ck_assert_str_eq(said("", "{\"name\":\"\xe7\x8e\x8b\"}"), "call_id=" ID "&name=%E7%8E%8B");
    ck_assert_str_eq(said("", "{\"n\":1}"), "call_id=" ID); /* no text */
    ck_assert_str_eq(said("", "[}"), "call_id=" ID);
}
END_TEST

START_TEST(whole_entries_as_far_as_they_fit)
{
    char data[2048] = "{\"a\":\"", value[1001], expected[256];
    memset(value, 'v', 1000), value[1000] = '\0';
    (void)strcat(strcat(data, value), "\",\"b\":\"2\"}");
    ck_assert_str_eq(said("C", data), "call_id=" ID "&customer=C&b=2"); /* the long one is left out, the next fits */
    /* 127 octets of text: 24 for the id, "&x=", 100 of the value */
    value[100] = '\0';
    (void)snprintf(data, sizeof data, "{\"x\":\"%s\"}", value);
    (void)snprintf(expected, sizeof expected, "call_id=" ID "&x=%s", value);
    ck_assert_str_eq(said("", data), expected);
    (void)snprintf(data, sizeof data, "{\"x\":\"%sv\"}", value);
    ck_assert_str_eq(said("", data), "call_id=" ID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("uui");
    TCase *t = tcase_create("uui");
    tcase_add_test(t, in_order_and_escaped);
    tcase_add_test(t, whole_entries_as_far_as_they_fit);
    suite_add_tcase(s, t);
    return run_suite(s);
}
