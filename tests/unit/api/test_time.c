/* Time groups from a client's side: zones by their names, open or closed, whole documents. */
#include "tests/unit/api/api_rig.h"

#include "api/api_int.h"
#include "core/calendar.h"
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

START_TEST(zones_have_their_strings)
{
    static const struct {
        const char *zone, *tz;
    } known[] = {{"Asia/Shanghai", "CST-8"}, {"Etc/UTC", "UTC0"}, {"Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"}, {"Asia/Kathmandu", "<+0545>-5:45"},
                 {"America/Argentina/Buenos_Aires", "<-03>3"}, {"Etc/GMT+5", "<-05>5"}};
    static const char *const unknown[] = {"", "Shanghai", "Asia", "Asia/", "/Asia/Shanghai", "Asia//Shanghai", "../zoneinfo/Asia/Shanghai", "tzdata.zi", "zone1970",
                                          "Asia/Shanghai.", "Asia/Shanghai\n", "CST-8", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    char tz[CALENDAR_TZ_MAX];
    struct err_info info = {0};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_msg(api_zone_tz(known[i].zone, tz, sizeof tz, &info) == 0, "%s: %s", known[i].zone, info.text);
        ck_assert_str_eq(tz, known[i].tz);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        ck_assert_msg(api_zone_tz(unknown[i], tz, sizeof tz, &info) == ERR_INVAL, "%s", unknown[i]);
        ck_assert_str_eq(info.field, "zone");
    }
}
END_TEST

START_TEST(groups_are_made_changed_and_removed)
{
    const struct answer *a = rig_send(&R, "PUT", "/v1/holiday-lists/china", "{\"days\":[{\"date\":\"2026-10-01\",\"name\":\"National Day\"},"
                                                                            "{\"date\":\"2026-10-10\",\"kind\":\"work\"}]}");
    ck_status(a, 201);
    ck_assert_str_eq(rig_text(a, "name"), "china");
    a = rig_send(&R, "PUT", "/v1/time-groups/office",
                 "{\"zone\":\"Asia/Shanghai\",\"thursday\":[\"08:30-12:00\"],\"friday\":[\"08:30-12:00\"],\"holidays\":\"china\",\"work_as\":\"friday\"}");
    ck_status(a, 201);
    ck_assert_str_eq(rig_text(a, "tz"), "CST-8");
    ck_assert_str_eq(rig_text(a, "zone"), "Asia/Shanghai");

    /* the string follows the zone, also when only that is changed; alone it stands for itself */
    a = rig_send(&R, "PATCH", "/v1/time-groups/office", "{\"zone\":\"Europe/Berlin\"}");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "tz"), "CET-1CEST,M3.5.0,M10.5.0/3");
    a = rig_send(&R, "PATCH", "/v1/time-groups/office", "{\"zone\":\"\",\"tz\":\"CST-8\"}");
    ck_status(a, 200);
    ck_assert_str_eq(rig_text(a, "tz"), "CST-8");

    a = rig_send(&R, "PATCH", "/v1/time-groups/office", "{\"zone\":\"Mars/Olympus\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "zone");
    a = rig_send(&R, "PUT", "/v1/time-groups/other", "{\"monday\":[\"08:30-12:00\"]}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "zone");
    a = rig_send(&R, "PUT", "/v1/time-groups/other", "{\"zone\":5}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "zone");
    a = rig_send(&R, "PATCH", "/v1/time-groups/office", "{\"holidays\":\"none\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "holidays");
    a = rig_send(&R, "PUT", "/v1/access-numbers/10000", "{\"app\":\"tone\",\"schedule\":[{\"time_group\":\"none\",\"app\":\"echo\"}]}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "schedule[0].time_group");
    a = rig_send(&R, "PUT", "/v1/access-numbers/10000", "{\"app\":\"tone\",\"schedule\":[{\"time_group\":\"office\",\"queue\":\"none\"}]}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "schedule[0].queue");
    ck_status(rig_send(&R, "PUT", "/v1/access-numbers/10000", "{\"app\":\"tone\",\"schedule\":[{\"time_group\":\"office\",\"app\":\"echo\"}]}"), 201);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/time-groups/office", NULL, NULL, 0), 409);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/holiday-lists/china", NULL, NULL, 0), 409);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/access-numbers/10000", NULL, NULL, 0), 204);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/time-groups/office", NULL, NULL, 0), 204);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/holiday-lists/china", NULL, NULL, 0), 204);
}
END_TEST

START_TEST(open_or_closed_and_why)
{
    ck_status(rig_send(&R, "PUT", "/v1/holiday-lists/china", "{\"days\":[{\"date\":\"2026-10-01\",\"name\":\"National Day\"}]}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/time-groups/office", "{\"zone\":\"Asia/Shanghai\",\"thursday\":[\"08:30-12:00\"],\"holidays\":\"china\"}"), 201);
    const struct answer *a = rig_get(&R, "/v1/time-groups/office/test?at=2026-10-08T00:30:00Z");
    ck_status(a, 200);
    ck_assert(json_is_true(json_object_get(a->json, "open")));
    ck_assert_str_eq(rig_text(a, "why"), "open by 08:30-12:00 of thursday 2026-10-08");
    ck_assert_str_eq(rig_text(a, "local"), "2026-10-08T08:30:00+08:00");
    ck_assert_str_eq(rig_text(a, "at"), "2026-10-08T00:30:00.000Z");
    ck_assert_str_eq(rig_text(a, "day"), "week");
    a = rig_get(&R, "/v1/time-groups/office/test?at=2026-10-01T08:30:00%2B08:00");
    ck_status(a, 200);
    ck_assert(json_is_false(json_object_get(a->json, "open")));
    ck_assert_str_eq(rig_text(a, "day"), "off");
    ck_assert_str_eq(rig_text(a, "holiday"), "National Day");
    a = rig_get(&R, "/v1/time-groups/office/test");
    ck_status(a, 200);
    ck_assert_ptr_nonnull(strstr(rig_text(a, "local"), "+08:00"));
    a = rig_get(&R, "/v1/time-groups/office/test?at=tomorrow");
    ck_status(a, 400);
    ck_assert_str_eq(rig_text(a, "field"), "at");
    ck_status(rig_get(&R, "/v1/time-groups/nobody/test"), 404);
    ck_status(rig_ask(&R, NULL, "GET", "/v1/time-groups/office/test", NULL, NULL, 0), 401);
}
END_TEST

START_TEST(documents_hold_them)
{
    static const char doc[] = "time_groups:\n"
                              "  - name: office\n"
                              "    zone: Asia/Shanghai\n"
                              "    monday: [\"08:30-12:00\", \"13:00-17:30\"]\n"
                              "    holidays: china\n"
                              "holiday_lists:\n"
                              "  - name: china\n"
                              "    days: [{date: \"2026-10-01\", name: 国庆节}, {date: \"2026-10-10\", kind: work}]\n"
                              "access_numbers:\n"
                              "  - {number: \"10000\", app: tone, schedule: [{time_group: office, app: echo}]}\n";
    const struct answer *a = rig_apply_yaml(&R, "/v1/config:apply", doc);
    ck_status(a, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "changes")), 3);
    a = rig_apply_yaml(&R, "/v1/config:apply", doc);
    ck_status(a, 200);
    json_t *c;
    size_t i;
    json_array_foreach(json_object_get(a->json, "changes"), i, c)
        ck_assert_str_eq(json_string_value(json_object_get(c, "action")), "unchanged");
    /* an export is a document again that changes nothing */
    a = rig_get(&R, "/v1/config?format=yaml");
    ck_status(a, 200);
    ck_assert_ptr_nonnull(strstr(a->body, "tz: CST-8"));
    char *text = strdup(a->body);
    a = rig_apply_yaml(&R, "/v1/config:apply?prune=true", text);
    free(text);
    ck_status(a, 200);
    json_array_foreach(json_object_get(a->json, "changes"), i, c)
        ck_assert_str_eq(json_string_value(json_object_get(c, "action")), "unchanged");
    /* what is in use cannot be pruned */
    ck_status(rig_apply_yaml(&R, "/v1/config:apply?prune=true", "holiday_lists: []\n"), 409);
    a = rig_apply_yaml(&R, "/v1/config:apply", "time_groups:\n  - {name: a, zone: Nowhere}\n");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "time_groups[0].zone");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("time");
    TCase *t = tcase_create("requests");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, zones_have_their_strings);
    tcase_add_test(t, groups_are_made_changed_and_removed);
    tcase_add_test(t, open_or_closed_and_why);
    tcase_add_test(t, documents_hold_them);
    suite_add_tcase(s, t);
    return run_suite(s);
}
