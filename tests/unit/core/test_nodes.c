/* What concerns the cluster as a whole: its nodes, feature levels, the audit trail, the event stream. */
#include "tests/unit/core/core_fixture.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
}

static void down(void)
{
    fx_close(&f);
}

static size_t audit_rows(json_t **newest)
{
    json_t *list = fx_view(&f, "audit", NULL, NULL), *items = json_object_get(list, "items");
    size_t n = json_array_size(items);
    if (newest)
        *newest = json_incref(json_array_get(items, 0));
    json_decref(list);
    return n;
}

START_TEST(test_one_audit_row_for_each_object)
{
    json_t *row;
    size_t n = audit_rows(NULL);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'parameter','name':'p','value':'1'}]"), 0);
    ck_assert_uint_eq(audit_rows(NULL), n + 1);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'parameter','name':'p','value':'1'}]"), 0); /* changes nothing */
    ck_assert_uint_eq(audit_rows(NULL), n + 1);
    ck_assert_int_eq(fx_config(&f, NULL, "['parameter/p']", NULL, NULL), 0);
    ck_assert_uint_eq(audit_rows(&row), n + 2);
    ck_assert_str_eq(json_string_value(json_object_get(row, "object")), "parameter/p");
    json_decref(row);
    ck_assert_int_eq(fx_config(&f, NULL, "['parameter/p']", NULL, NULL), ERR_NOTFOUND); /* tried */
    ck_assert_uint_eq(audit_rows(&row), n + 3);
    ck_assert_str_eq(json_string_value(json_object_get(row, "code")), "not_found");
    json_decref(row);
}
END_TEST

START_TEST(test_cluster_operations_leave_a_trace)
{
    json_t *row;
    size_t n = audit_rows(NULL);
    Ev__ClusterOperation m = EV__CLUSTER_OPERATION__INIT;
    m.node = (char *)(uintptr_t) "n4";
    m.address = (char *)(uintptr_t) "192.0.2.4:7400";
    FX_BODY(CLUSTER_OPERATION, cluster_operation, m);
    cmd.actor = (char *)(uintptr_t) "token:admin";
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_uint_eq(audit_rows(&row), n + 1);
    ck_assert_str_eq(json_string_value(json_object_get(row, "action")), "node.add");
    ck_assert_str_eq(json_string_value(json_object_get(row, "object")), "node/n4");
    ck_assert_str_eq(json_string_value(json_object_get(row, "actor")), "token:admin");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(row, "after"), "address")), "192.0.2.4:7400");
    ck_assert_str_eq(json_string_value(json_object_get(row, "code")), "ok");
    json_decref(row);
    m.action = EV__CLUSTER_OPERATION__ACTION__TRANSFER;
    m.node = m.address = (char *)(uintptr_t) "";
    m.code = ERR_TIMEOUT;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_uint_eq(audit_rows(&row), n + 2);
    ck_assert_str_eq(json_string_value(json_object_get(row, "action")), "cluster.transfer");
    ck_assert_str_eq(json_string_value(json_object_get(row, "object")), "cluster");
    ck_assert_str_eq(json_string_value(json_object_get(row, "code")), "timed_out");
    json_decref(row);
    m.action = (Ev__ClusterOperation__Action)7;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_INVAL);
    m.action = EV__CLUSTER_OPERATION__ACTION__NODE_REMOVE;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_INVAL); /* of no node */
    struct storage_reader *r;
    struct err_info info = {0};
    json_t *events = NULL;
    int gone;
    ck_assert_int_eq(storage_reader_open(f.st, &r, &info), 0);
    ck_assert_int_eq(view_events(r, f.index - 4, UINT32_MAX, 10, &events, &gone), 0);
    ck_assert_uint_eq(json_array_size(events), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(events, 0), "type")), "everline.cluster.operation");
    json_decref(events);
    storage_reader_close(r);
}
END_TEST

START_TEST(test_forgotten_node)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), 0);
    Ev__NodeForget m = EV__NODE_FORGET__INIT;
    m.name = (char *)(uintptr_t) "n9";
    FX_BODY(NODE_FORGET, node_forget, m);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_NOTFOUND);
    m.name = (char *)(uintptr_t) "n1";
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_ptr_null(core_call(f.c, 1)); /* what it carried has ended, with a record */
    ck_assert_ptr_nonnull(strstr(f.events, "cdr:1"));
    ck_assert_ptr_null(core_node(f.c, "n1"));
    ck_assert_str_eq(core_node_next(f.c, NULL)->name, "n2");
    ck_assert_ptr_null(core_node_next(f.c, core_node_next(f.c, NULL)));
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_NOTFOUND);
    fx_reopen(&f);
    ck_assert_ptr_null(core_node(f.c, "n1"));
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10001", true), ERR_BADSTATE); /* not one of us any more */
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 1), 0);                        /* added again: any process of it is new */
    ck_assert(core_node(f.c, "n1")->up);
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10001", true), 0);
}
END_TEST

static int raise_to(uint32_t level)
{
    Ev__FeatureLevel m = EV__FEATURE_LEVEL__INIT;
    m.level = level;
    FX_BODY(FEATURE, feature, m);
    return fx_run(&f, &cmd);
}

static void node_knows(const char *name, uint64_t id, uint64_t incarnation, uint32_t level)
{
    Ev__NodeUp m = EV__NODE_UP__INIT;
    m.name = (char *)(uintptr_t)name;
    m.node_id = id;
    m.incarnation = incarnation;
    m.max_feature_level = level;
    FX_BODY(NODE_UP, node_up, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}

START_TEST(test_feature_level_rises_when_all_can)
{
    uint32_t above = CORE_FEATURE_LEVEL + 1;
    ck_assert_int_eq(raise_to(CORE_FEATURE_LEVEL), ERR_STALE); /* it is that already */
    ck_assert_int_eq(raise_to(above), ERR_CONFLICT);
    node_knows("n1", 1, 2, above);
    ck_assert_int_eq(raise_to(above), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.last.text, "n2"));
    ck_assert_int_eq(fx_node_down(&f, "n2", 1), 0); /* a node that is down counts: it comes back with what it knows */
    ck_assert_int_eq(raise_to(above), ERR_CONFLICT);
    node_knows("n2", 2, 2, above);
    /* All can, but for this program: it stops rather than to go on with less, and keeps nothing of the entry. */
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__FeatureLevel m = EV__FEATURE_LEVEL__INIT;
    m.level = above;
    cmd.body_case = EV__COMMAND__BODY_FEATURE;
    cmd.feature = &m;
    void *data;
    size_t len;
    ck_assert_int_eq(core_pack(&cmd, &data, &len), 0);
    struct core_item it = {1, 1, ++f.seq, data, len};
    struct core_answer *a;
    uint64_t stored = storage_applied_index(f.st);
    ck_assert_int_eq(core_apply(f.c, f.index + 1, 1, &it, 1, &a), ERR_UNSUPPORTED);
    ck_assert_uint_eq(storage_applied_index(f.st), stored);
    free(data);
}
END_TEST

START_TEST(test_unknown_feature_level_stops_the_node)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    m.body_case = EV__COMMAND__BODY_TICK;
    m.tick = &tick;
    m.feature_level = CORE_FEATURE_LEVEL + 1;
    void *data;
    size_t len;
    ck_assert_int_eq(core_pack(&m, &data, &len), 0);
    struct core_item it = {1, 1, ++f.seq, data, len};
    struct core_answer *a;
    uint64_t stored = storage_applied_index(f.st);
    ck_assert_int_eq(core_apply(f.c, f.index + 1, 1, &it, 1, &a), ERR_UNSUPPORTED);
    ck_assert_uint_eq(storage_applied_index(f.st), stored);
    free(data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core cluster");
    TCase *t = tcase_create("cluster");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_one_audit_row_for_each_object);
    tcase_add_test(t, test_cluster_operations_leave_a_trace);
    tcase_add_test(t, test_forgotten_node);
    tcase_add_test(t, test_feature_level_rises_when_all_can);
    tcase_add_test(t, test_unknown_feature_level_stops_the_node);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
