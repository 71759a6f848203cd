/* DNS records from rows of nodes. */
#include "api/dns.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct err_info info;

static json_t *nodes(const char *text)
{
    json_error_t e;
    json_t *rows = json_loads(text, 0, &e);
    ck_assert_msg(rows != NULL, "%s", e.text);
    return rows;
}

static int build(const char *rows, const struct dns_query *q, char **zone)
{
    json_t *list = nodes(rows), *records = NULL;
    int err = dns_records(list, q, &records, &info);
    json_decref(list);
    if (err)
        return err;
    *zone = dns_zone(records, q);
    ck_assert_ptr_nonnull(*zone);
    json_decref(records);
    return 0;
}

#define TWO_SITES                                                                                           \
    "[{\"name\": \"n3\", \"site\": \"south\", \"rtt_us\": 9100, \"sip\": [\"192.0.2.3:5060\"]},"            \
    " {\"name\": \"N_1\", \"site\": \"north\", \"rtt_us\": 0, \"sip\": [\"192.0.2.1:5060\", \"[2001:db8::1]:5060\"]}," \
    " {\"name\": \"n2\", \"site\": \"north\", \"rtt_us\": null, \"sip\": [\"192.0.2.2:5070\", \"192.0.2.12:5080\", \"0.0.0.0:5060\"]}]"

START_TEST(one_site_only)
{
    const struct dns_query q = {.domain = "sip.example.cn", .site = "south", .own_site = "north", .ttl = 60};
    char *zone = NULL;
    ck_assert_msg(build(TWO_SITES, &q, &zone) == 0, "%s", info.text);
    ck_assert_str_eq(zone, "; SIP servers of sip.example.cn for site south\n"
                           "sip.example.cn.\t60\tIN\tNAPTR\t10 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.sip.example.cn.\n"
                           "sip.example.cn.\t60\tIN\tNAPTR\t20 10 \"s\" \"SIP+D2T\" \"\" _sip._tcp.sip.example.cn.\n"
                           "_sip._udp.sip.example.cn.\t60\tIN\tSRV\t10 10 5060 n3.sip.example.cn.\n"
                           "_sip._udp.sip.example.cn.\t60\tIN\tSRV\t20 10 5060 n-1.sip.example.cn.\n"
                           "_sip._udp.sip.example.cn.\t60\tIN\tSRV\t20 10 5070 n2.sip.example.cn.\n"
                           "_sip._udp.sip.example.cn.\t60\tIN\tSRV\t20 10 5080 n2-5080.sip.example.cn.\n"
                           "_sip._tcp.sip.example.cn.\t60\tIN\tSRV\t10 10 5060 n3.sip.example.cn.\n"
                           "_sip._tcp.sip.example.cn.\t60\tIN\tSRV\t20 10 5060 n-1.sip.example.cn.\n"
                           "_sip._tcp.sip.example.cn.\t60\tIN\tSRV\t20 10 5070 n2.sip.example.cn.\n"
                           "_sip._tcp.sip.example.cn.\t60\tIN\tSRV\t20 10 5080 n2-5080.sip.example.cn.\n"
                           "n-1.sip.example.cn.\t60\tIN\tA\t192.0.2.1\n"
                           "n-1.sip.example.cn.\t60\tIN\tAAAA\t2001:db8::1\n"
                           "n2.sip.example.cn.\t60\tIN\tA\t192.0.2.2\n"
                           "n2-5080.sip.example.cn.\t60\tIN\tA\t192.0.2.12\n"
                           "n3.sip.example.cn.\t60\tIN\tA\t192.0.2.3\n");
    free(zone);
}
END_TEST

START_TEST(each_site_has_a_domain)
{
    const struct dns_query q = {.domain = "example.cn", .own_site = "north", .ttl = 300};
    char *zone = NULL;
    ck_assert_msg(build(TWO_SITES, &q, &zone) == 0, "%s", info.text);
    ck_assert_ptr_nonnull(strstr(zone, "\nnorth.example.cn.\t300\tIN\tNAPTR\t10 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.north.example.cn.\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\n_sip._udp.example.cn.\t300\tIN\tSRV\t10 10 5060 n-1.example.cn.\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\n_sip._udp.north.example.cn.\t300\tIN\tSRV\t20 10 5060 n3.example.cn.\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\n_sip._tcp.south.example.cn.\t300\tIN\tSRV\t10 10 5060 n3.example.cn.\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\n_sip._tcp.south.example.cn.\t300\tIN\tSRV\t20 10 5060 n-1.example.cn.\n"));
    unsigned lines = 0;
    for (const char *p = zone; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    ck_assert_uint_eq(lines, 1 + 3 * (2 + 2 * 4) + 5); /* hosts are named once */
    free(zone);
}
END_TEST

#define THREE_SITES                                                                                  \
    "[{\"name\": \"a\", \"site\": \"s0\", \"rtt_us\": 0, \"sip\": [\"192.0.2.1:5060\"]},"            \
    " {\"name\": \"b\", \"site\": \"s1\", \"rtt_us\": 30000, \"sip\": [\"192.0.2.2:5060\"]},"        \
    " {\"name\": \"c\", \"site\": \"s2\", \"rtt_us\": 8000, \"sip\": [\"192.0.2.3:5060\"]},"         \
    " {\"name\": \"d\", \"site\": \"s3\", \"rtt_us\": null, \"sip\": [\"192.0.2.4:5060\"]}]"

START_TEST(nearer_sites_first_where_it_is_known)
{
    static const struct {
        const char *site, *expected[4];
    } cases[] = {
        {"s0", {"10 10 5060 a.", "30 10 5060 b.", "20 10 5060 c.", "40 10 5060 d."}},
        {"s1", {"20 10 5060 a.", "10 10 5060 b.", "20 10 5060 c.", "20 10 5060 d."}},
        {"nowhere", {"20 10 5060 a.", "20 10 5060 b.", "20 10 5060 c.", "20 10 5060 d."}},
    };
    const struct dns_query q = {.domain = "example.cn", .site = cases[_i].site, .own_site = "s0", .ttl = 300};
    char *zone = NULL;
    ck_assert_msg(build(THREE_SITES, &q, &zone) == 0, "%s", info.text);
    for (unsigned i = 0; i < 4; i++) {
        char line[128];
        (void)snprintf(line, sizeof line, "\n_sip._udp.example.cn.\t300\tIN\tSRV\t%sexample.cn.\n", cases[_i].expected[i]);
        ck_assert_msg(strstr(zone, line) != NULL, "%s in\n%s", line + 1, zone);
    }
    free(zone);
}
END_TEST

START_TEST(names_are_kept_apart)
{
    const struct dns_query q = {.domain = "example.cn", .site = "s", .ttl = 300};
    char *zone = NULL;
    ck_assert_int_eq(build("[{\"name\": \"n.1\", \"site\": \"s\", \"sip\": [\"192.0.2.1:5060\"]},"
                           "{\"name\": \"n_1\", \"site\": \"s\", \"sip\": [\"192.0.2.2:5060\"]},"
                           "{\"name\": \"N-1\", \"site\": \"s\", \"sip\": [\"192.0.2.3:5060\"]},"
                           "{\"name\": \"--\", \"site\": \"s\", \"sip\": [\"192.0.2.4:5060\"]}]", &q, &zone), 0);
    ck_assert_ptr_nonnull(strstr(zone, "\nx.example.cn.\t300\tIN\tA\t192.0.2.4\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\nn-1.example.cn.\t300\tIN\tA\t192.0.2.3\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\nn-1-2.example.cn.\t300\tIN\tA\t192.0.2.1\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\nn-1-3.example.cn.\t300\tIN\tA\t192.0.2.2\n"));
    free(zone);
}
END_TEST

START_TEST(what_cannot_be_said_is_refused)
{
    struct dns_query q = {.domain = "example.cn", .ttl = 300};
    char *zone = NULL;
    ck_assert_int_eq(build("[]", &q, &zone), ERR_NOTFOUND);
    ck_assert_int_eq(build("[{\"name\": \"n1\", \"site\": \"s\", \"sip\": [\"0.0.0.0:5060\", \"[::]:5060\", \"nonsense\", \":1\", \"[\", "
                           "\"192.0.2.1:0\", \"192.0.2.1:70000\", \"192.0.2.1\"]}]", &q, &zone), ERR_NOTFOUND);
    ck_assert_int_eq(build("[{\"name\": \"n1\", \"site\": \"a.b\", \"sip\": [\"192.0.2.1:5060\"]},"
                           "{\"name\": \"n2\", \"site\": \"a_b\", \"sip\": [\"192.0.2.2:5060\"]}]", &q, &zone), ERR_CONFLICT);
    (void)memset(q.domain, 'a', 245);
    for (unsigned i = 50; i < 245; i += 50)
        q.domain[i] = '.';
    ck_assert_int_eq(build(TWO_SITES, &q, &zone), ERR_INVAL);
    ck_assert_str_eq(info.field, "domain");
    ck_assert_ptr_null(zone);
}
END_TEST

static const struct {
    const char *text, *is; /* NULL: refused */
} domains[] = {
    {"sip.example.cn", "sip.example.cn"}, {"SIP.Example.CN.", "sip.example.cn"}, {"localhost", "localhost"}, {"a-b.c1", "a-b.c1"},
    {"xn--fiqs8s", "xn--fiqs8s"},         {"", NULL},                            {".", NULL},                {"a..b", NULL},
    {".a", NULL},                         {"a.-b", NULL},                        {"a-.b", NULL},             {"a-", NULL},
    {"a_b.c", NULL},                      {"a b", NULL},                         {"a.b..", NULL},            {"\"x\".y", NULL},
    {"a\nb", NULL},                       {"\xe4\xb8\xad.cn", NULL},
};

START_TEST(domains_are_checked)
{
    char out[DNS_NAME_MAX + 1] = "";
    int err = dns_domain(domains[_i].text, out, &info);
    if (domains[_i].is) {
        ck_assert_int_eq(err, 0);
        ck_assert_str_eq(out, domains[_i].is);
    } else {
        ck_assert_int_eq(err, ERR_INVAL);
        ck_assert_str_eq(info.field, "domain");
    }
}
END_TEST

START_TEST(long_domains_are_refused)
{
    char text[300], out[DNS_NAME_MAX + 1];
    (void)memset(text, 'a', sizeof text);
    text[63] = '\0';
    ck_assert_int_eq(dns_domain(text, out, &info), 0);
    text[63] = 'a';
    text[64] = '\0';
    ck_assert_int_eq(dns_domain(text, out, &info), ERR_INVAL);
    (void)memset(text, 'a', sizeof text);
    for (unsigned i = 60; i < sizeof text; i += 61)
        text[i] = '.';
    text[253] = '\0';
    ck_assert_int_eq(dns_domain(text, out, &info), 0);
    text[253] = 'a';
    text[254] = '\0';
    ck_assert_int_eq(dns_domain(text, out, &info), ERR_INVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dns");
    TCase *t = tcase_create("records");
    tcase_add_test(t, one_site_only);
    tcase_add_test(t, each_site_has_a_domain);
    tcase_add_loop_test(t, nearer_sites_first_where_it_is_known, 0, 3);
    tcase_add_test(t, names_are_kept_apart);
    tcase_add_test(t, what_cannot_be_said_is_refused);
    tcase_add_loop_test(t, domains_are_checked, 0, sizeof domains / sizeof domains[0]);
    tcase_add_test(t, long_domains_are_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
