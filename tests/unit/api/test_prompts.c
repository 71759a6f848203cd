/* Prompts over HTTPS: uploads, texts, versions, what is refused. */
#include "tests/unit/api/api_rig.h"
#include "tests/unit/suite.h"

#define RAW "Content-Type: application/octet-stream"
#define P "/v1/prompts/nothing"
#define ZH P "?language=zh&file=a.wav"

static struct rig R;

static void up(void)
{
    rig_open(&R, 0, 0);
}

static void down(void)
{
    rig_close(&R);
}

static const struct answer *put(const char *path, const char *body)
{
    return rig_ask(&R, RIG_ADMIN, "PUT", path, RAW, body, strlen(body));
}

static json_t *sound(const struct answer *a)
{
    return json_array_get(json_object_get(a->json, "sounds"), 0);
}

static int current(const struct answer *a)
{
    return (int)json_integer_value(json_object_get(sound(a), "current"));
}

static size_t versions(const struct answer *a)
{
    return json_array_size(json_object_get(sound(a), "versions"));
}

static const char *last_text(const struct answer *a, const char *field)
{
    const json_t *list = json_object_get(sound(a), "versions");
    return json_string_value(json_object_get(json_array_get(list, json_array_size(list) - 1), field));
}

START_TEST(uploads_make_versions)
{
    const struct answer *a = put(ZH, "a sound");
    ck_status(a, 201);
    ck_assert_str_eq(rig_header(a, "Location"), P);
    ck_assert_int_eq(current(a), 1);
    ck_assert_str_eq(last_text(a, "file"), "a.wav");
    ck_assert_str_eq(last_text(a, "by"), "token:admin");
    ck_assert_str_eq(R.last_op, "a sound"); /* what arrived in the file */
    ck_status(put(ZH, "a sound"), 200);
    ck_assert_uint_eq(versions(rig_get(&R, P)), 1); /* that one is played already */
    a = put(ZH, "b sound");
    ck_status(a, 200);
    ck_assert_int_eq(current(a), 2);
    ck_status(put(P "?language=en", "b sound"), 200);
    a = rig_get(&R, P);
    ck_assert_uint_eq(json_array_size(json_object_get(a->json, "sounds")), 2);
    ck_assert_uint_eq(versions(a), 2);

    /* the first one again; it is not the one that makes room when there are too many */
    a = rig_send(&R, "POST", P ":rollback", "{\"language\":\"zh\"}");
    ck_status(a, 200);
    ck_assert_int_eq(current(a), 1);
    ck_status(rig_send(&R, "POST", P ":rollback", "{\"language\":\"zh\"}"), 409);
    for (int i = 0; i < 12; i++) {
        ck_status(put(ZH, i & 1 ? "c sound" : "b sound"), 200);
        if (i == 3)
            ck_status(rig_send(&R, "POST", P ":rollback", "{\"language\":\"zh\",\"version\":1}"), 200);
    }
    a = rig_get(&R, P);
    ck_assert_uint_eq(versions(a), 10);
    ck_assert_int_eq(current(a), 14);
    ck_status(rig_send(&R, "POST", P ":rollback", "{\"language\":\"zh\",\"version\":2}"), 404);
    ck_status(rig_send(&R, "POST", P ":rollback", "{\"language\":\"fr\"}"), 404);
    ck_status(rig_send(&R, "POST", "/v1/prompts/none:rollback", "{\"language\":\"zh\"}"), 404);
}
END_TEST

/* Larger than what other requests may bring, and so not in memory. */
START_TEST(large_files_are_taken)
{
    size_t len = API_BODY_MAX + 1000;
    char *body = malloc(len);
    ck_assert_ptr_nonnull(body);
    memset(body, 'a', len);
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", ZH, RAW, body, len), 201);
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", "/v1/parameters/x", JSON_TYPE, body, len), 413);
    free(body);
}
END_TEST

START_TEST(texts_are_spoken)
{
    const struct answer *a = rig_send(&R, "POST", P ":say", "{\"language\":\"zh\",\"text\":\"hello\"}");
    ck_status(a, 201);
    ck_assert_str_eq(last_text(a, "text"), "hello");
    ck_assert_str_eq(last_text(a, "file"), "");
    a = rig_send(&R, "POST", P ":say", "{\"language\":\"xx\",\"text\":\"hello\"}");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "language");
    ck_status(rig_send(&R, "POST", P ":say", "{\"language\":\"zh\"}"), 422);
    ck_status(rig_send(&R, "POST", P ":say", "{\"language\":\"zh\",\"text\":7}"), 422);
    ck_status(rig_send(&R, "POST", P ":say", "{\"language\":\"zh\",\"text\":\"a\",\"loud\":true}"), 422);
    ck_status(rig_send(&R, "POST", P ":say", "{\"language\":\"zh\",\"text\":\"a\\u0007\"}"), 422);
}
END_TEST

START_TEST(refusals)
{
    const struct answer *a = put(ZH, "bad file");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "detail"), "not a sound file");
    a = put(P, "a sound");
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "language");
    ck_status(put(P "?language=toolongaword", "a sound"), 413);
    ck_status(put("/v1/prompts/a*b?language=zh", "a sound"), 422);
    ck_status(put(P "?language=zh&loud=1", "a sound"), 400);
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", ZH, RAW "\nContent-Length: 0", "", 0), 422);
    ck_status(rig_ask(&R, NULL, "PUT", ZH, RAW, "a sound", 7), 401);
    ck_status(rig_get(&R, P), 404);
}
END_TEST

/* The answer that a key was given first, although the second file would be another version. */
START_TEST(a_repetition_makes_no_version)
{
    const char *headers = RAW "\nIdempotency-Key: once";
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", ZH, headers, "a sound", 7), 201);
    ck_status(rig_ask(&R, RIG_ADMIN, "PUT", ZH, headers, "b sound", 7), 201);
    ck_assert_uint_eq(versions(rig_get(&R, P)), 1);
}
END_TEST

START_TEST(what_plays_it_keeps_it)
{
    rig_newest(&R);
    ck_status(put(ZH, "a sound"), 201);
    const char *flow = "{\"definition\":{\"languages\":[\"zh\"],\"start\":\"a\",\"nodes\":{\"a\":{\"type\":\"hangup\",\"prompts\":[\"nothing\"]}}}}";
    ck_status(rig_send(&R, "PUT", "/v1/flows/f", flow), 201);
    const struct answer *a = rig_ask(&R, RIG_ADMIN, "DELETE", P, NULL, NULL, 0);
    ck_status(a, 409);
    ck_assert_ptr_nonnull(strstr(rig_text(a, "detail"), "prompt nothing is in use by flow f"));
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/flows/f", NULL, NULL, 0), 204);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", P, NULL, NULL, 0), 204);
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", P, NULL, NULL, 0), 404);
    ck_status(rig_send(&R, "PUT", "/v1/flows/f", flow), 422);
}
END_TEST

START_TEST(listening)
{
    ck_status(put(ZH, "a sound"), 201);
    ck_status(put(ZH, "b sound"), 200);
    const struct answer *a = rig_get(&R, P "/audio?language=zh");
    ck_status(a, 200);
    ck_assert_str_eq(rig_header(a, "Content-Type"), "audio/wav");
    ck_assert_int_eq(a->body[0], 'b');
    ck_assert_int_eq(rig_get(&R, P "/audio?language=zh&version=1")->body[0], 'a');
    ck_status(rig_get(&R, P "/audio?language=zh&version=9"), 404);
    ck_status(rig_get(&R, P "/audio?language=zh&version=x"), 422);
    ck_status(rig_get(&R, P "/audio?language=en"), 404);
    ck_status(rig_get(&R, P "/audio"), 422);
    ck_assert_str_eq(rig_get(&R, "/v1/prompts/welcome/audio?language=zh")->body, "built in");
}
END_TEST

/* What was exported is as it was; sounds that are nowhere are refused where they stand. */
START_TEST(documents)
{
    ck_status(put(ZH, "a sound"), 201);
    const struct answer *a = rig_get(&R, "/v1/config?format=json");
    ck_status(a, 200);
    char *text = strdup(a->body);
    a = rig_send(&R, "POST", "/v1/config:apply", text);
    ck_status(a, 200);
    free(text);
    ck_assert_uint_eq(versions(rig_get(&R, P)), 1);
    char doc[400];
    snprintf(doc, sizeof doc,
             "{\"prompts\":[{\"name\":\"p\",\"sounds\":[{\"language\":\"zh\",\"current\":1,\"versions\":[{\"version\":1,\"sha256\":\"%064d\"}]}]}]}", 0);
    memset(strstr(doc, "000"), 'c', 64);
    a = rig_send(&R, "POST", "/v1/config:apply", doc);
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "prompts[0].sounds[0].versions[0].sha256");
    memset(strstr(doc, "ccc"), 'a', 64);
    ck_status(rig_send(&R, "POST", "/v1/config:apply", doc), 200);
    memcpy(strstr(doc, "\"current\":1"), "\"current\":2", 11);
    a = rig_send(&R, "POST", "/v1/config:apply", doc);
    ck_status(a, 422);
    ck_assert_str_eq(rig_text(a, "field"), "prompts[0].sounds[0].current");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prompts");
    TCase *t = tcase_create("prompts");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, uploads_make_versions);
    tcase_add_test(t, large_files_are_taken);
    tcase_add_test(t, texts_are_spoken);
    tcase_add_test(t, refusals);
    tcase_add_test(t, a_repetition_makes_no_version);
    tcase_add_test(t, what_plays_it_keeps_it);
    tcase_add_test(t, listening);
    tcase_add_test(t, documents);
    suite_add_tcase(s, t);
    return run_suite(s);
}
