/* Replaces, as a header and inside the URI of a Refer-To. */
#include <check.h>
#include <string.h>

#include "telephony/replaces.h"
#include "tests/unit/suite.h"

static int parse(const char *text, struct sip_replaces *r)
{
    return sip_replaces_parse(text, strlen(text), r);
}

START_TEST(test_header)
{
    static const char *const good[] = {
        "a@b;to-tag=1;from-tag=2",
        " a@b ; from-tag = 2 ;\tto-tag=1 ",
        "a@b;x;to-tag=1;y=\"; to-tag=3 \\\" \";from-tag=2;z=[::1]",
        "a@b;TO-TAG=1;From-Tag=2;averyveryverylongparameterthatnobodyknows=1",
    };
    struct sip_replaces r;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(parse(good[i], &r) == 0, "%s", good[i]);
        ck_assert_str_eq(r.call_id, "a@b");
        ck_assert_str_eq(r.to_tag, "1");
        ck_assert_str_eq(r.from_tag, "2");
        ck_assert(!r.early_only);
    }
    ck_assert_int_eq(parse("x(1)/[y]:<z>@{\"h\"};early-only;to-tag=0;from-tag=a.b-c", &r), 0);
    ck_assert_str_eq(r.call_id, "x(1)/[y]:<z>@{\"h\"}");
    ck_assert_str_eq(r.from_tag, "a.b-c");
    ck_assert(r.early_only);
}
END_TEST

START_TEST(test_none)
{
    static const char *const bad[] = {
        "", " ", ";to-tag=1;from-tag=2", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag=;from-tag=2", "a;to-tag;from-tag=2",
        "a;to-tag=1;from-tag=2;to-tag=1", "a b;to-tag=1;from-tag=2", "a;to-tag=1;from-tag=2;", "a;to-tag=1;from-tag=2 x", "a;to-tag=1;from-tag=2,b",
        "a;to-tag=1;from-tag=\"2\"", "a;to-tag=1;from-tag=2;x=\"", "a;to-tag=1;from-tag=2;x=", "a;to-tag=1;;from-tag=2",
    };
    struct sip_replaces r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(parse(bad[i], &r) == ERR_INVAL, "%s", bad[i]);
        ck_assert_str_eq(r.call_id, "");
    }
    ck_assert_int_eq(sip_replaces_parse("a;to-tag=1;from-tag=2\0", 22, &r), ERR_INVAL);
    char text[600];
    memset(text, 'a', sizeof text);
    strcpy(text + 256, ";to-tag=1;from-tag=2");
    ck_assert_int_eq(parse(text, &r), ERR_TOOBIG);
    ck_assert_int_eq(parse(text + 1, &r), 0);
    memset(text, 'a', sizeof text);
    memcpy(text, "a;from-tag=2;to-tag=", 20);
    text[20 + 128] = '\0';
    ck_assert_int_eq(parse(text, &r), ERR_TOOBIG);
    text[20 + 127] = '\0';
    ck_assert_int_eq(parse(text, &r), 0);
}
END_TEST

START_TEST(test_uri)
{
    struct sip_replaces r;
    ck_assert_int_eq(sip_replaces_in_uri("Replaces=12345%40192.0.2.4%3Bto-tag%3D12%3Bfrom-tag%3d5FFE-3994", &r), 0);
    ck_assert_str_eq(r.call_id, "12345@192.0.2.4");
    ck_assert_str_eq(r.from_tag, "5FFE-3994");
    ck_assert_int_eq(sip_replaces_in_uri("Subject=x&replaces=a;to-tag=1;from-tag=2&Require=replaces", &r), 0);
    ck_assert_str_eq(r.to_tag, "1");
    ck_assert_int_eq(sip_replaces_in_uri("", &r), ERR_NOTFOUND);
    ck_assert_int_eq(sip_replaces_in_uri("Subject=Replaces&&x", &r), ERR_NOTFOUND);
    static const char *const bad[] = {
        "Replaces", "Replaces=", "Replaces=a", "Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2%", "Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2%0",
        "Replaces=a%00%3Bto-tag%3D1%3Bfrom-tag%3D2", "Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2",
        "Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3Dx%G1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(sip_replaces_in_uri(bad[i], &r) == ERR_INVAL, "%s", bad[i]);
    char text[1200];
    memset(text, 'a', sizeof text);
    memcpy(text, "Replaces=", 9);
    text[9 + 1024] = '\0';
    ck_assert_int_eq(sip_replaces_in_uri(text, &r), ERR_TOOBIG);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("replaces");
    TCase *t = tcase_create("replaces");
    tcase_add_test(t, test_header);
    tcase_add_test(t, test_none);
    tcase_add_test(t, test_uri);
    suite_add_tcase(s, t);
    return run_suite(s);
}
