/* P-Asserted-Identity (RFC 3325): what is read out of it, and from whom. */
#include "tests/unit/telephony/test_sip_env.h"

#define PAI "P-Asserted-Identity: "

/* The number and name that the owner hears of an INVITE with these headers. */
static void invite(const char *headers)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    e->leg = NULL;
    p->to_tag[0] = '\0';
    peer_request(p, "INVITE", headers, SDP_A);
    env_until(e, e->leg != NULL);
    sip_leg_reject(e->leg, 486, NULL, 0);
    peer_expect(p, "SIP/2.0 486");
    peer_request(p, "ACK", "", NULL);
    p->cseq++;
}

static const struct {
    const char *headers, *number, *display;
} cases[] = {
    {"", "", ""},
    {PAI "<sip:+861012345678@carrier.example>\r\n", "+861012345678", ""},
    {PAI "\"Li \\\"Na\\\"\" <sip:01012345678;npdi@192.0.2.1;user=phone>\r\n", "01012345678", "Li \"Na\""},
    {PAI "Clinic <tel:+86-10-1234-5678>\r\n", "+861012345678", "Clinic"},
    {PAI "tel:(010)12.34\r\n", "0101234", ""},
    {PAI "<tel:1234;phone-context=+8610>\r\n", "1234", ""},
    {PAI "\"A, B\" <sip:alice@carrier.example>, <tel:+861055>\r\n", "+861055", ""}, /* the first that gives a number */
    {PAI "<sip:alice@carrier.example>\r\n" PAI "<sips:77@carrier.example>\r\n", "77", ""},
    {"p-asserted-identity:<sip:88@x>\r\nPrivacy: id\r\n", "88", ""}, /* privacy is towards others */
    {PAI "<sip:1%30%31@x>\r\n", "101", ""},
    {PAI "<sip:10%002@x>\r\n", "", ""}, /* a NUL in it: none */
    {PAI "<sip:anonymous@anonymous.invalid>\r\n", "", ""},
    {PAI "<sip:+@x>, <tel:->, <sip:@x>, <mailto:1@x>, <http://1/>, *\r\n", "", ""},
    {PAI "<sip:10-02@x>\r\n", "", ""}, /* separators are for tel only */
    {PAI "<<<\"\r\n", "", ""},
    {PAI "\r\n", "", ""},
};

START_TEST(what_is_read)
{
    struct env *e = rig.env;
    invite(cases[_i].headers);
    ck_assert_msg(strcmp(e->inv_text[8], cases[_i].number) == 0, "%s: %s", cases[_i].headers, e->inv_text[8]);
    ck_assert_msg(strcmp(e->inv_text[9], cases[_i].display) == 0, "%s: %s", cases[_i].headers, e->inv_text[9]);
}
END_TEST

static const struct {
    const char *headers;
    bool withheld;
} private[] = {{"", false},
               {"Privacy: none\r\n", false},
               {"Privacy: id\r\n", true},
               {"privacy: header;ID;critical\r\n", true},
               {"Privacy: user\r\n", true},
               {"Privacy: session\r\n", false},
               {"Privacy: \r\n", false}};

START_TEST(who_withholds_his_number)
{
    invite(private[_i].headers);
    ck_assert_msg(rig.env->inv_withheld == private[_i].withheld, "%s", private[_i].headers);
}
END_TEST

/* RFC 3325 section 6: from whom we do not trust it counts for nothing. */
START_TEST(not_from_a_telephone)
{
    struct env *e = rig.env;
    e->identity = SIP_ID_STATIC_PHONE;
    invite(PAI "<tel:+861012345678>\r\n");
    ck_assert(e->inv_has_auth);
    ck_assert_str_eq(e->inv_text[8], "");
    ck_assert_str_eq(e->inv_text[9], "");
}
END_TEST

START_TEST(too_long_is_none)
{
    char header[700];
    int n = snprintf(header, sizeof header, PAI "<sip:");
    memset(header + n, '1', 600);
    snprintf(header + n + 600, sizeof header - (size_t)n - 600, "@x>\r\n");
    invite(header);
    ck_assert_str_eq(rig.env->inv_text[8], "");
}
END_TEST

START_TEST(what_a_number_is)
{
    ck_assert(sip_is_number("110") && sip_is_number("+861012345678"));
    ck_assert(!sip_is_number("") && !sip_is_number("+") && !sip_is_number("anonymous") && !sip_is_number("1a") &&
              !sip_is_number("1+1"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip asserted identity");
    TCase *t = tcase_create("calls");
    tcase_add_checked_fixture(t, rig_up, rig_down);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, what_is_read, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_loop_test(t, who_withholds_his_number, 0, (int)(sizeof private / sizeof private[0]));
    tcase_add_test(t, not_from_a_telephone);
    tcase_add_test(t, too_long_is_none);
    tcase_add_test(t, what_a_number_is);
    suite_add_tcase(s, t);
    return run_suite(s);
}
