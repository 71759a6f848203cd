/* What e-mails and web hooks say of a message. Sending: tests/system/test_mailbox.py, to a mail server. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "node/mail.h"
#include "tests/unit/suite.h"

static const struct mail_about about = {.language = "en",
                                        .box = "service",
                                        .caller = "13800138000",
                                        .called = "10041",
                                        .id = "00000000000000ab",
                                        .started_us = 1772357400000000ull,
                                        .duration_ms = 72400};

START_TEST(subjects)
{
    char line[MAIL_LINE_MAX];
    struct mail_about a = about;
    mail_subject(&a, line);
    ck_assert_str_eq(line, "Voice message from 13800138000 (1:12)");
    a.caller = "evil\r\nBcc: x@y.example";
    mail_subject(&a, line);
    ck_assert_ptr_null(strpbrk(line, "\r\n"));
    a.language = "zh";
    a.caller = "13800138000";
    mail_subject(&a, line); /* in words of at most 75 bytes, none cut within a character */
    ck_assert_str_eq(line, "=?UTF-8?B?5p2l6IeqIDEzODAwMTM4MDAwIOeahOivremfs+eVmeiogA==?= =?UTF-8?B?77yIMToxMu+8iQ==?=");
    a.caller = "";
    mail_subject(&a, line);
    ck_assert_ptr_nonnull(strstr(line, "=?UTF-8?B?"));
}
END_TEST

START_TEST(texts)
{
    char text[MAIL_TEXT_MAX];
    struct mail_about a = about;
    mail_text(&a, text);
    ck_assert_ptr_nonnull(strstr(text, "Box: service\r\nCaller: 13800138000\r\nCalled: 10041\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "Length: 1:12\r\nMessage: 00000000000000ab\r\n"));
    a.language = "zh";
    mail_text(&a, text);
    ck_assert_ptr_nonnull(strstr(text, "主叫号码：13800138000\r\n"));
}
END_TEST

/* The example of RFC 4231, section 4.3. */
START_TEST(hooks)
{
    char signature[MAIL_SIGNATURE_MAX];
    mail_hook_sign("Jefe", "what do ya want for nothing?", signature);
    ck_assert_str_eq(signature, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char *body = mail_hook_body(&about, "abc", 1772357500000000ull);
    json_t *o = json_loads(body, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(o, "message_id")), "00000000000000ab");
    ck_assert_str_eq(json_string_value(json_object_get(o, "caller")), "13800138000");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "duration_ms")), 72400);
    ck_assert_str_eq(json_string_value(json_object_get(o, "type")), "message.new");
    ck_assert_uint_eq(json_object_size(o), 9);
    json_decref(o);
    free(body);
}
END_TEST

START_TEST(no_password_in_the_clear)
{
    struct mail m = {.url = "smtp://127.0.0.1:1", .tls = MAIL_TLS_NONE, .user = "u", .password = "p", .ca = "", .from = "a@b.example",
                     .to = {"c@d.example"}, .n_to = 1, .about = about};
    struct mail_result r;
    mail_send(&m, &r);
    ck_assert_int_eq(r.code, ERR_DENIED);
    m.user = m.password = "";
    mail_send(&m, &r); /* nobody listens there */
    ck_assert_int_eq(r.code, ERR_IO);
    ck_assert(!r.for_good);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mail");
    TCase *t = tcase_create("mail");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, subjects);
    tcase_add_test(t, texts);
    tcase_add_test(t, hooks);
    tcase_add_test(t, no_password_in_the_clear);
    suite_add_tcase(s, t);
    return run_suite(s);
}
