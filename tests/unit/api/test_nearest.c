/* GET /v1/nodes/nearest and GET /v1/dns/records: what is asked of the node, and what is made of its answer. */
#include "tests/unit/api/api_rig.h"
#include "tests/unit/suite.h"

static struct rig R;

static void setup(void)
{
    rig_open(&R, 0, 0);
}
static void teardown(void)
{
    rig_close(&R);
}

static const char *last_op(void)
{
    static char text[sizeof R.last_op];
    pthread_mutex_lock(&R.lock);
    memcpy(text, R.last_op, sizeof text);
    pthread_mutex_unlock(&R.lock);
    return text;
}

START_TEST(the_client_s_own_address_is_taken)
{
    const struct answer *a = rig_get(&R, "/v1/nodes/nearest");
    ck_status(a, 200);
    ck_assert_str_eq(last_op(), "{\"address\":\"127.0.0.1\",\"all\":false,\"site\":null}");
    ck_assert_str_eq(rig_text(a, "address"), "127.0.0.1");
    ck_assert(json_is_null(json_object_get(a->json, "site")));
    const json_t *items = json_object_get(a->json, "items");
    ck_assert_uint_eq(json_array_size(items), 2);
    const json_t *second = json_array_get(items, 1);
    ck_assert_str_eq(json_string_value(json_object_get(second, "name")), "n2");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(second, "uris"), 0)), "sip:[2001:db8::2]:5060");
    ck_assert(json_is_null(json_object_get(second, "rtt_us")));
    ck_assert_ptr_null(json_object_get(second, "up"));
}
END_TEST

START_TEST(what_is_given_goes_to_the_node)
{
    const struct answer *a = rig_get(&R, "/v1/nodes/nearest?site=north&address=2001:db8::77&transport=tcp");
    ck_status(a, 200);
    ck_assert_str_eq(last_op(), "{\"address\":\"2001:db8::77\",\"all\":false,\"site\":\"north\"}");
    ck_assert_str_eq(rig_text(a, "site"), "north");
    ck_assert_str_eq(rig_text(a, "address"), "2001:db8::77");
    const json_t *first = json_array_get(json_object_get(a->json, "items"), 0);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(first, "uris"), 0)), "sip:192.0.2.1:5060;transport=tcp");
}
END_TEST

START_TEST(records_are_made)
{
    const struct answer *a = rig_get(&R, "/v1/dns/records?domain=SIP.Example.CN&ttl=60");
    ck_status(a, 200);
    ck_assert_str_eq(last_op(), "{\"all\":true,\"site\":null}");
    ck_assert_str_eq(rig_text(a, "domain"), "sip.example.cn");
    ck_assert_int_eq(rig_int(a, "ttl"), 60);
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "records")), 3 * (2 + 2 * 2) + 2);
    const char *zone = rig_text(a, "zone");
    ck_assert_ptr_nonnull(strstr(zone, "\n_sip._udp.sip.example.cn.\t60\tIN\tSRV\t10 10 5060 n1.sip.example.cn.\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\n_sip._udp.south.sip.example.cn.\t60\tIN\tSRV\t10 10 5060 n2.sip.example.cn.\n"));
    ck_assert_ptr_nonnull(strstr(zone, "\nn2.sip.example.cn.\t60\tIN\tAAAA\t2001:db8::2\n"));
    a = rig_get(&R, "/v1/dns/records?domain=example.cn&site=south");
    ck_status(a, 200);
    ck_assert_str_eq(last_op(), "{\"all\":true,\"site\":\"south\"}");
    ck_assert_ptr_nonnull(strstr(rig_text(a, "zone"), "\n_sip._udp.example.cn.\t300\tIN\tSRV\t10 10 5060 n2.example.cn.\n"));
    ck_assert_ptr_null(strstr(rig_text(a, "zone"), "south.example.cn"));
}
END_TEST

static const struct {
    const char *path, *field;
} faults[] = {
    {"/v1/nodes/nearest?address=nowhere", "address"},
    {"/v1/nodes/nearest?address=", "address"},
    {"/v1/nodes/nearest?address=192.0.2.1:5060", "address"},
    {"/v1/nodes/nearest?site=a%20b", "site"},
    {"/v1/nodes/nearest?site=", "site"},
    {"/v1/nodes/nearest?transport=sctp", "transport"},
    {"/v1/dns/records", "domain"},
    {"/v1/dns/records?domain=", "domain"},
    {"/v1/dns/records?domain=a_b.cn", "domain"},
    {"/v1/dns/records?domain=a%20b.cn", "domain"},
    {"/v1/dns/records?domain=a.cn&ttl=0", "ttl"},
    {"/v1/dns/records?domain=a.cn&ttl=604801", "ttl"},
    {"/v1/dns/records?domain=a.cn&ttl=1x", "ttl"},
    {"/v1/dns/records?domain=a.cn&ttl=-1", "ttl"},
    {"/v1/dns/records?domain=a.cn&site=..%2F", "site"},
};

START_TEST(faults_name_their_field)
{
    const struct answer *a = rig_get(&R, faults[_i].path);
    ck_status(a, 400);
    ck_assert_str_eq(rig_text(a, "field"), faults[_i].field);
    ck_assert_str_eq(last_op(), "");
}
END_TEST

START_TEST(refusals_of_the_node_are_passed_on)
{
    pthread_mutex_lock(&R.lock);
    R.op_code = ERR_NOQUORUM;
    pthread_mutex_unlock(&R.lock);
    ck_status(rig_get(&R, "/v1/nodes/nearest"), 503);
    ck_status(rig_get(&R, "/v1/dns/records?domain=a.cn"), 503);
    ck_status(rig_ask(&R, NULL, "GET", "/v1/nodes/nearest", NULL, NULL, 0), 401);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("nearest");
    TCase *t = tcase_create("requests");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_client_s_own_address_is_taken);
    tcase_add_test(t, what_is_given_goes_to_the_node);
    tcase_add_test(t, records_are_made);
    tcase_add_loop_test(t, faults_name_their_field, 0, sizeof faults / sizeof faults[0]);
    tcase_add_test(t, refusals_of_the_node_are_passed_on);
    suite_add_tcase(s, t);
    return run_suite(s);
}
