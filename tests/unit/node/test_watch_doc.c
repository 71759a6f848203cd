/* Documents that subscribers are told. */
#include "node/watch_doc.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void says(char *text, const char *what)
{
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strstr(text, what) != NULL, "%s lacks %s", text, what);
}

START_TEST(messages)
{
    char *text = watch_doc_messages("sip:8001@127.0.0.1", 2, 7);
    ck_assert_str_eq(text, "Messages-Waiting: yes\r\nMessage-Account: sip:8001@127.0.0.1\r\nVoice-Message: 2/7 (0/0)\r\n");
    free(text);
    text = watch_doc_messages("sip:8001@127.0.0.1", 0, 7);
    ck_assert_str_eq(text, "Messages-Waiting: no\r\nMessage-Account: sip:8001@127.0.0.1\r\nVoice-Message: 0/7 (0/0)\r\n");
    free(text);
}
END_TEST

START_TEST(dialogs)
{
    const struct watch_dialog d[] = {
        {.id = "1-callee", .state = WATCH_EARLY, .call_id = "a", .local_tag = "b", .remote_tag = "c", .remote = "13800", .remote_name = "Li"},
        {.id = "2-caller", .state = WATCH_TRYING, .initiator = true, .call_id = "d", .remote_tag = "e", .remote = "10000"},
        {.id = "3-callee", .state = WATCH_TERMINATED},
    };
    char *text = watch_doc_dialogs("sip:8002@127.0.0.1", 7, d, 3);
    says(text, "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"7\" state=\"full\" entity=\"sip:8002@127.0.0.1\">");
    says(text, "<dialog id=\"1-callee\" call-id=\"a\" local-tag=\"b\" remote-tag=\"c\" direction=\"recipient\"><state>early</state>"
               "<local><identity>sip:8002@127.0.0.1</identity><target uri=\"sip:8002@127.0.0.1\"/></local>"
               "<remote><identity display=\"Li\">sip:13800@127.0.0.1</identity><target uri=\"sip:13800@127.0.0.1\"/></remote></dialog>");
    says(text, "<dialog id=\"2-caller\" call-id=\"d\" remote-tag=\"e\" direction=\"initiator\"><state>trying</state>");
    says(text, "<state>terminated</state>");
    says(text, "sip:anonymous@127.0.0.1");
    free(text);
    text = watch_doc_dialogs("sip:8002@127.0.0.1", 0, NULL, 0);
    ck_assert_ptr_null(strstr(text, "<dialog "));
    free(text);
}
END_TEST

/* What others have chosen to be called changes nothing of the document. */
START_TEST(names_are_text)
{
    const struct watch_dialog d = {.id = "1", .remote = "\"><x>&", .remote_name = "<b> & \"c\"\r\n\x01"};
    char *text = watch_doc_dialogs("sip:8002@127.0.0.1", 0, &d, 1);
    says(text, "display=\"&lt;b&gt; &amp; &quot;c&quot;\"");
    says(text, "sip:&quot;&gt;&lt;x&gt;&amp;@127.0.0.1");
    ck_assert_ptr_null(strchr(text, 1));
    free(text);
}
END_TEST

START_TEST(presence)
{
    static const struct {
        enum watch_activity what;
        const char *basic, *activity;
    } at[] = {{WATCH_OPEN, "open", NULL},
              {WATCH_ON_THE_PHONE, "open", "<rpid:on-the-phone/>"},
              {WATCH_BUSY, "open", "<rpid:busy/>"},
              {WATCH_AWAY, "open", "<rpid:away/>"},
              {WATCH_CLOSED, "closed", NULL}};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        char basic[40], *text = watch_doc_presence("sip:1001@127.0.0.1", at[i].what, "here & there");
        snprintf(basic, sizeof basic, "<basic>%s</basic>", at[i].basic);
        says(text, basic);
        says(text, "entity=\"sip:1001@127.0.0.1\"");
        says(text, "<note>here &amp; there</note>");
        if (at[i].activity)
            says(text, at[i].activity);
        else
            ck_assert_ptr_null(strstr(text, "<rpid:activities>"));
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("watch documents");
    TCase *t = tcase_create("watch documents");
    tcase_add_test(t, messages);
    tcase_add_test(t, dialogs);
    tcase_add_test(t, names_are_text);
    tcase_add_test(t, presence);
    suite_add_tcase(s, t);
    return run_suite(s);
}
