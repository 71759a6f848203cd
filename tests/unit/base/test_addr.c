#include "base/addr.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

START_TEST(texts)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"1.2.3.4:1", "1.2.3.4:1"},
        {"[::1]:65535", "[::1]:65535"},
        {"[2001:0DB8::0:1]:5060", "[2001:db8::1]:5060"},
        {"[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4]:80"},
        {"", NULL},
        {":", NULL},
        {":5060", NULL},
        {"1.2.3.4", NULL},
        {"1.2.3.4:", NULL},
        {"1.2.3.4:0", NULL},
        {"1.2.3.4:05", NULL},
        {"1.2.3.4:65536", NULL},
        {"1.2.3.4:100000", NULL},
        {"1.2.3.4:5060 ", NULL},
        {" 1.2.3.4:5060", NULL},
        {"1.2.3:5060", NULL},
        {"1.2.3.256:5060", NULL},
        {"01.2.3.4:5060", NULL},
        {"1.2.3.4:+5", NULL},
        {"::1:5060", NULL},
        {"[::1]", NULL},
        {"[::1]5060", NULL},
        {"[::1:5060", NULL},
        {"[]:5060", NULL},
        {"[1.2.3.4]:5060", NULL},
        {"[fe80::1%eth0]:5060", NULL},
        {"host:5060", NULL},
        {"[::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::]:1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a = {.port = 7};
        int rc = addr_parse(cases[i].text, &a);
        ck_assert_msg((rc == 0) == (cases[i].canonical != NULL), "'%s' gave %d", cases[i].text, rc);
        if (rc == 0)
            ck_assert_str_eq(a.text, cases[i].canonical);
        else
            ck_assert_uint_eq(a.port, 7);
    }
}
END_TEST

START_TEST(nothing_is_no_address)
{
    struct addr a = {.port = 7};
    ck_assert_int_eq(addr_parse(NULL, &a), ERR_INVAL);
    ck_assert_uint_eq(a.port, 7);
}
END_TEST

START_TEST(addresses_alone)
{
    char ip[ADDR_IP_MAX];
    bool v6 = true;
    ck_assert_int_eq(addr_parse_ip("192.0.2.1", ip, &v6), 0);
    ck_assert(!v6);
    ck_assert_str_eq(ip, "192.0.2.1");
    ck_assert_int_eq(addr_parse_ip("2001:DB8:0::1", ip, &v6), 0);
    ck_assert(v6);
    ck_assert_str_eq(ip, "2001:db8::1");
    ck_assert_int_eq(addr_parse_ip("[2001:db8::1]", ip, &v6), ERR_INVAL);
    ck_assert_int_eq(addr_parse_ip("192.0.2.1:5060", ip, &v6), ERR_INVAL);
    ck_assert_int_eq(addr_parse_ip("", ip, &v6), ERR_INVAL);
}
END_TEST

START_TEST(for_sockets)
{
    struct addr a;
    struct sockaddr_storage ss;
    const struct sockaddr_in *v4 = (const void *)&ss;
    const struct sockaddr_in6 *v6 = (const void *)&ss;
    ck_assert_int_eq(addr_parse("192.0.2.1:5060", &a), 0);
    ck_assert_uint_eq(addr_sockaddr(&a, &ss), sizeof *v4);
    ck_assert_int_eq(ss.ss_family, AF_INET);
    ck_assert_uint_eq(ntohl(v4->sin_addr.s_addr), 0xc0000201u);
    ck_assert_uint_eq(ntohs(v4->sin_port), 5060);
    ck_assert_int_eq(addr_parse("[::1]:7400", &a), 0);
    ck_assert_uint_eq(addr_sockaddr(&a, &ss), sizeof *v6);
    ck_assert_int_eq(ss.ss_family, AF_INET6);
    ck_assert_mem_eq(&v6->sin6_addr, &in6addr_loopback, sizeof in6addr_loopback);
    ck_assert_uint_eq(ntohs(v6->sin6_port), 7400);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("addr");
    TCase *t = tcase_create("addr");
    tcase_add_test(t, texts);
    tcase_add_test(t, nothing_is_no_address);
    tcase_add_test(t, addresses_alone);
    tcase_add_test(t, for_sockets);
    suite_add_tcase(s, t);
    return run_suite(s);
}
