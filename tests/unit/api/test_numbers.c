/* Blacklist and VIPs from a client's side. */
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

static const struct answer *get(const char *path)
{
    const struct answer *a = rig_get(&R, path);
    ck_status(a, 200);
    return a;
}

START_TEST(blacklist_entries_are_made_tested_and_removed)
{
    const struct answer *a = rig_send(&R, "PUT", "/v1/blacklist/13800138000", "{\"note\":\"silent calls\"}");
    ck_status(a, 201);
    ck_assert_str_eq(rig_text(a, "direction"), "in");
    a = rig_send(&R, "PUT", "/v1/blacklist/0900*", "{\"direction\":\"both\"}");
    ck_status(a, 201);
    ck_assert_str_eq(rig_text(a, "number"), "0900*");
    a = rig_send(&R, "PUT", "/v1/blacklist/%2B8613800138001", "{}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "number");
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "must be written as 13800138001"));
    ck_status(rig_send(&R, "PUT", "/v1/blacklist/1-2", "{\"direction\":\"sideways\"}"), 422);

    a = get("/v1/blacklist/%2B86%20138%200013%208000/test");
    ck_assert_str_eq(rig_text(a, "number"), "13800138000");
    ck_assert_str_eq(rig_text(a, "entry"), "13800138000");
    ck_assert_str_eq(rig_text(a, "note"), "silent calls");
    ck_assert(json_is_true(json_object_get(a->json, "listed")));
    ck_assert(json_is_false(json_object_get(get("/v1/blacklist/13800138000/test?direction=out")->json, "listed")));
    ck_assert(json_is_true(json_object_get(get("/v1/blacklist/09001/test?direction=out")->json, "listed")));
    ck_status(rig_ask(&R, RIG_ADMIN, "GET", "/v1/blacklist/1/test?direction=both", NULL, NULL, 0), 400);
    ck_assert_uint_eq(json_array_size(json_object_get(get("/v1/blacklist?direction=both")->json, "items")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(get("/v1/blacklist")->json, "items")), 2);

    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/blacklist/13800138000", NULL, NULL, 0), 204);
    ck_assert(json_is_false(json_object_get(get("/v1/blacklist/13800138000/test")->json, "listed")));
}
END_TEST

START_TEST(vips_are_made_tested_and_removed)
{
    ck_status(rig_send(&R, "PUT", "/v1/queues/service", "{\"vip\":\"list\"}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/vips/139*", "{\"note\":\"Li Na\"}"), 201);
    const struct answer *a = rig_send(&R, "PUT", "/v1/vips/13800138000@service", "{}");
    ck_status(a, 201);
    ck_assert_str_eq(rig_text(a, "number"), "13800138000");
    ck_assert_str_eq(rig_text(a, "queue"), "service");
    a = rig_send(&R, "PUT", "/v1/vips/13800138000@nowhere", "{}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "entry");
    ck_assert_uint_eq(json_array_size(json_object_get(get("/v1/vips?queue=service")->json, "items")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(get("/v1/vips?queue=")->json, "items")), 1);

    a = get("/v1/vips/13912345678/test");
    ck_assert_str_eq(rig_text(a, "entry"), "139*");
    ck_assert_str_eq(rig_text(a, "list"), "global");
    a = get("/v1/vips/13912345678/test?queue=service");
    ck_assert(json_is_false(json_object_get(a->json, "listed")));
    ck_assert_str_eq(rig_text(a, "list"), "list");
    ck_assert_str_eq(rig_text(get("/v1/vips/8613800138000/test?queue=service"), "entry"), "13800138000@service");
    ck_status(rig_send(&R, "PATCH", "/v1/queues/service", "{\"vip\":\"none\"}"), 200);
    ck_assert_str_eq(rig_text(get("/v1/vips/8613800138000/test?queue=service"), "list"), "none");
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/queues/service", NULL, NULL, 0), 409);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/vips/13800138000@service", NULL, NULL, 0), 204);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/queues/service", NULL, NULL, 0), 204);
}
END_TEST

START_TEST(documents_hold_them)
{
    const struct answer *a = rig_apply_yaml(&R, "/v1/config:apply", "queues: [{name: service, vip: global}]\nblacklist:\n  - {number: 0900*, direction: both, note: 声讯台}\n"
                                     "vips:\n  - {entry: 138*@service}\n  - {entry: '13800138000'}\n");
    ck_status(a, 200);
    ck_assert(json_is_true(json_object_get(get("/v1/blacklist/09001234/test")->json, "listed")));
    a = rig_apply_yaml(&R, "/v1/config:apply", "blacklist:\n  - number: 138 0013 8000\n");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "blacklist[0].number");
    a = get("/v1/config");
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "vips")), 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("numbers");
    TCase *t = tcase_create("numbers");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, blacklist_entries_are_made_tested_and_removed);
    tcase_add_test(t, vips_are_made_tested_and_removed);
    tcase_add_test(t, documents_hold_them);
    suite_add_tcase(s, t);
    return run_suite(s);
}
