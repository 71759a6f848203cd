/* The table of endpoints and api/openapi.yaml say the same. Runs from the top of the tree. */
#include "api/api_int.h"
#include "base/yaml.h"
#include "tests/unit/suite.h"

#include <check.h>

static json_t *load_contract(void)
{
    FILE *f = fopen("api/openapi.yaml", "r");
    ck_assert_msg(f != NULL, "api/openapi.yaml is not here: run from the top of the tree");
    static char text[512 * 1024];
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    json_t *doc = NULL;
    struct err_info info = {0};
    ck_assert_msg(yaml_load(text, n, &doc, NULL, &info) == 0, "line %u: %s", info.line, info.text);
    return doc;
}

static json_t *operation(json_t *doc, const struct api_route *r)
{
    char method[8];
    snprintf(method, sizeof method, "%s", api_method_name(r->method));
    for (char *p = method; *p; p++)
        *p = (char)(*p + 32);
    return json_object_get(json_object_get(json_object_get(doc, "paths"), r->path), method);
}

START_TEST(each_route_is_in_the_contract)
{
    json_t *doc = load_contract();
    for (unsigned i = 0; i < api_n_routes; i++) {
        const struct api_route *r = &api_routes[i];
        json_t *op = operation(doc, r);
        ck_assert_msg(op != NULL, "%s %s", api_method_name(r->method), r->path);
        bool body = json_object_get(op, "requestBody") != NULL;
        ck_assert_msg(body == (r->body != API_BODY_NONE), "%s %s", api_method_name(r->method), r->path);
        bool open = json_is_array(json_object_get(op, "security"));
        ck_assert_msg(open == (r->role == API_ROLE_NONE), "%s %s", api_method_name(r->method), r->path);
    }
    json_decref(doc);
}
END_TEST

START_TEST(each_operation_has_a_route)
{
    static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
    json_t *doc = load_contract(), *item;
    const char *path;
    unsigned n = 0;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        for (unsigned m = 0; m < 5; m++) {
            if (!json_object_get(item, methods[m]))
                continue;
            bool found = false;
            for (unsigned i = 0; i < api_n_routes; i++)
                found = found || (strcmp(api_routes[i].path, path) == 0 && api_routes[i].method == (enum api_method)(1u << m));
            ck_assert_msg(found, "%s %s", methods[m], path);
            n++;
        }
    }
    ck_assert_uint_eq(n, api_n_routes);
    json_decref(doc);
}
END_TEST

START_TEST(query_parameters_are_the_same)
{
    json_t *doc = load_contract();
    for (unsigned i = 0; i < api_n_routes; i++) {
        const struct api_route *r = &api_routes[i];
        json_t *list = json_object_get(operation(doc, r), "parameters"), *p;
        size_t k, n_words = 0, n_query = 0;
        json_array_foreach(list, k, p)
        {
            const char *ref = json_string_value(json_object_get(p, "$ref"));
            if (ref)
                p = json_object_get(json_object_get(json_object_get(doc, "components"), "parameters"), strrchr(ref, '/') + 1);
            if (strcmp(json_string_value(json_object_get(p, "in")), "query") != 0)
                continue;
            n_query++;
            char word[80], words[256];
            snprintf(word, sizeof word, " %s ", json_string_value(json_object_get(p, "name")));
            snprintf(words, sizeof words, " %s ", r->query);
            ck_assert_msg(strstr(words, word) != NULL, "%s: %s", r->path, word);
        }
        for (const char *w = r->query; *w; w += strspn(w, " ")) {
            n_words++;
            w += strcspn(w, " ");
        }
        ck_assert_msg(n_words == n_query, "%s %s: %zu and %zu", api_method_name(r->method), r->path, n_words, n_query);
    }
    json_decref(doc);
}
END_TEST

START_TEST(paths_are_matched_whole)
{
    char params[API_PARAMS_MAX][API_PARAM_MAX];
    const struct api_route *r = NULL;
    unsigned allowed;
    ck_assert_int_eq(api_route_find(API_POST, "/v1/agents/1001:login", &r, params, &allowed), 0);
    ck_assert_str_eq(r->path, "/v1/agents/{number}:login");
    ck_assert_str_eq(params[0], "1001");
    ck_assert_int_eq(api_route_find(API_GET, "/v1/agents/1001:login", &r, params, &allowed), ERR_UNSUPPORTED);
    ck_assert_uint_eq(allowed, API_POST);
    ck_assert_int_eq(api_route_find(API_GET, "/v1/agents/", &r, params, &allowed), ERR_NOTFOUND);
    ck_assert_int_eq(api_route_find(API_GET, "/v1/agents/1/", &r, params, &allowed), ERR_NOTFOUND);
    ck_assert_int_eq(api_route_find(API_GET, "/v1/agentsx", &r, params, &allowed), ERR_NOTFOUND);
    ck_assert_int_eq(api_route_find(API_GET, "/v1/agents/1001:loginx", &r, params, &allowed), ERR_NOTFOUND);
    ck_assert_int_eq(api_route_find(API_GET, "", &r, params, &allowed), ERR_NOTFOUND);
    char path[400] = "/v1/agents/";
    memset(path + 11, 'a', 300);
    ck_assert_int_eq(api_route_find(API_GET, path, &r, params, &allowed), ERR_NOTFOUND);
}
END_TEST

START_TEST(yaml_that_is_written_is_read_back)
{
    static const char *const values[] = {
        "{}", "[]", "{\"a\": []}", "{\"a\": {\"b\": [1, [2, 3], {\"c\": null, \"d\": [{}]}]}, \"true\": true}",
        "{\"number\": \"0086\", \"s\": \"- x: y # z\", \"e\": \"\", \"u\": \"\\u4f60\\u597d\", \"n\": \"a\\nb\\t\\\"\", \"f\": 1.5, \"i\": -7}",
        /* what YAML takes for the end of a line, or not at all; the ends of such ranges; beside them what it takes */
        "[\"\\u007f\", \"a\\u0080\\u0085\\u009f b\", \"\\u00a0\\u2027\\u2028\\u2029\\u202a\", \"\\ufeffBOM\\ufefe\", \"\\uffff\\ufffe\\ufffd\"]",
        "[\"\\ud83d\\ude00 \\u4f60 \\u00e9\"]",
        "{\"a\\u2028b\": \"\\u2028\"}",
        "[\"yes\", \"no\", \"null\", \"~\", \"1e3\", \"0x1\", \"2026-01-01\", \"*a\", \"&b\", \"!c\", \"?\", \"-\"]",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        json_t *in = json_loads(values[i], 0, NULL), *out = NULL;
        struct err_info info = {0};
        ck_assert_ptr_nonnull(in);
        char *text = api_yaml_write(in);
        ck_assert_msg(yaml_load(text, strlen(text), &out, NULL, &info) == 0, "%s: %s", text, info.text);
        ck_assert_msg(json_equal(in, out), "%s", text);
        free(text);
        json_decref(in);
        json_decref(out);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("routes");
    TCase *t = tcase_create("contract");
    tcase_add_test(t, each_route_is_in_the_contract);
    tcase_add_test(t, each_operation_has_a_route);
    tcase_add_test(t, query_parameters_are_the_same);
    tcase_add_test(t, paths_are_matched_whole);
    tcase_add_test(t, yaml_that_is_written_is_read_back);
    suite_add_tcase(s, t);
    return run_suite(s);
}
