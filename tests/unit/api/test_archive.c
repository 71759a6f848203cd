/* ZIP files as they are written, and archives of recordings over HTTPS: what is in them, what is not and why, who gets what, and what of it is in the
 * audit trail. */
#include "api/api_int.h"
#include "api/zip.h"
#include "tests/unit/api/api_rig.h"
#include "tests/unit/suite.h"

#define DESK "supervisor-token-0123456789"
#define READ "reading-token-0123456789012"

static struct rig R;

static uint64_t number(const void *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = bytes; i-- > 0;)
        v = v << 8 | ((const uint8_t *)p)[i];
    return v;
}

/* ---- the file */

START_TEST(crc_of_the_standard)
{
    ck_assert_uint_eq(zip_crc(0, "123456789", 9), 0xCBF43926u);
    ck_assert_uint_eq(zip_crc(zip_crc(0, "1234", 4), "56789", 5), 0xCBF43926u);
    ck_assert_uint_eq(zip_crc(0, "", 0), 0);
}
END_TEST

START_TEST(small)
{
    struct zip *z = NULL;
    uint8_t head[ZIP_HEAD_MAX], *end = NULL;
    size_t len = 0, end_len = 0;
    ck_assert_int_eq(zip_new(&z), 0);
    ck_assert_int_eq(zip_file(z, "a.wav", 0x11223344u, 1000, 1700000001, head, &len), 0); /* 2023-11-14 22:13:21 */
    ck_assert_uint_eq(len, 35);
    ck_assert_uint_eq(number(head, 4), 0x04034b50u);
    ck_assert_uint_eq(number(head + 8, 2), 0); /* stored */
    ck_assert_uint_eq(number(head + 10, 2), 22u << 11 | 13u << 5 | 10u);
    ck_assert_uint_eq(number(head + 12, 2), 43u << 9 | 11u << 5 | 14u);
    ck_assert_uint_eq(number(head + 14, 4), 0x11223344u);
    ck_assert_uint_eq(number(head + 18, 4), 1000);
    ck_assert_uint_eq(number(head + 22, 4), 1000);
    ck_assert_int_eq(memcmp(head + 30, "a.wav", 5), 0);
    ck_assert_int_eq(zip_file(z, "b", 0, 0, 0, head, &len), 0);
    ck_assert_uint_eq(number(head + 12, 2), 0x21); /* 1980 at the earliest */
    ck_assert_int_eq(zip_end(z, &end, &end_len), 0);
    ck_assert_uint_eq(end_len, 46 + 5 + 46 + 1 + 22);
    ck_assert_uint_eq(number(end, 4), 0x02014b50u);
    ck_assert_uint_eq(number(end + 51 + 42, 4), 1035); /* where the second one is */
    const uint8_t *last = end + end_len - 22;
    ck_assert_uint_eq(number(last, 4), 0x06054b50u);
    ck_assert_uint_eq(number(last + 10, 2), 2);
    ck_assert_uint_eq(number(last + 12, 4), 98);
    ck_assert_uint_eq(number(last + 16, 4), 1035 + 31);
    free(end);
    zip_free(z);
}
END_TEST

/* Beyond 4 GiB, and more than 65535 files: ZIP64. */
START_TEST(large)
{
    struct zip *z = NULL;
    uint8_t head[ZIP_HEAD_MAX], *end = NULL;
    char name[ZIP_NAME_MAX + 2];
    size_t len = 0, end_len = 0;
    ck_assert_int_eq(zip_new(&z), 0);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(zip_file(z, name, 0, 1, 0, head, &len), ERR_TOOBIG);
    ck_assert_int_eq(zip_file(z, "a", 0, 0xFFFFFFFFu, 0, head, &len), ERR_TOOBIG);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(zip_file(z, "a", 0, 3000000000u, 0, head, &len), 0);
    ck_assert_int_eq(zip_end(z, &end, &end_len), 0);
    const uint8_t *third = end + 2 * 47, *last = end + end_len - 22, *end64 = last - 76;
    ck_assert_uint_eq(number(third + 30, 2), 12);
    ck_assert_uint_eq(number(third + 42, 4), 0xFFFFFFFFu);
    ck_assert_uint_eq(number(third + 47, 2), 1);
    ck_assert_uint_eq(number(third + 51, 8), 2u * 3000000031ull);
    ck_assert_uint_eq(number(end64, 4), 0x06064b50u);
    ck_assert_uint_eq(number(end64 + 32, 8), 3);
    ck_assert_uint_eq(number(end64 + 40, 8), 3 * 47 + 12);
    ck_assert_uint_eq(number(end64 + 48, 8), 3u * 3000000031ull);
    ck_assert_uint_eq(number(end64 + 56, 4), 0x07064b50u);
    ck_assert_uint_eq(number(end64 + 64, 8), 3u * 3000000031ull + 3 * 47 + 12);
    ck_assert_uint_eq(number(last + 16, 4), 0xFFFFFFFFu);
    free(end);
    zip_free(z);
    ck_assert_int_eq(zip_new(&z), 0);
    for (unsigned i = 0; i < 65536; i++)
        ck_assert_int_eq(zip_file(z, "a", 0, 0, 0, head, &len), 0);
    ck_assert_int_eq(zip_end(z, &end, &end_len), 0);
    ck_assert_uint_eq(number(end + end_len - 22 + 10, 2), 0xFFFFu);
    ck_assert_uint_eq(number(end + end_len - 98 + 32, 8), 65536);
    free(end);
    zip_free(z);
}
END_TEST

/* ---- archives */

static void must(const char *method, const char *path, const char *json)
{
    const struct answer *a = rig_send(&R, method, path, json);
    ck_assert_msg(a->status == 200 || a->status == 201, "%s %s: %s", method, path, a->body);
}

static void setup(void)
{
    rig_open(&R, 0, 0);
    rig_newest(&R);
    for (int i = 1; i <= 3; i++) {
        char path[64], body[160];
        snprintf(path, sizeof path, "/v1/extensions/800%d", i);
        must("PUT", path, "{\"contact\":\"sip:x@127.0.0.1:9000\"}");
        snprintf(path, sizeof path, "/v1/agents/100%d", i);
        snprintf(body, sizeof body, "{\"extension\":\"800%d\",\"type\":\"%s\"}", i, i == 3 ? "supervisor" : "agent");
        must("PUT", path, body);
    }
    must("PUT", "/v1/trunks/line", "{\"sources\":[\"127.0.0.0/8\"]}");
    must("PUT", "/v1/queues/sales", "{\"members\":[{\"agent\":\"1002\"}],\"wrap_up_s\":0}");
    must("PUT", "/v1/queues/service", "{\"members\":[{\"agent\":\"1001\"}],\"wrap_up_s\":0}");
    must("PUT", "/v1/access-numbers/10001", "{\"queue\":\"service\"}");
    must("PUT", "/v1/access-numbers/10002", "{\"queue\":\"sales\"}");
    must("PATCH", "/v1/agents/1003", "{\"manages_queues\":[\"sales\"]}");
    must("PUT", "/v1/tokens/desk", "{\"role\":\"supervisor\",\"agent\":\"1003\",\"token\":\"" DESK "\"}");
    must("PUT", "/v1/tokens/read", "{\"role\":\"read\",\"token\":\"" READ "\"}");
    must("PUT", "/v1/recording-rules/all", "{}");
    for (int i = 1; i <= 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "/v1/agents/100%d:login", i);
        ck_status(rig_send(&R, "POST", path, "{}"), 200);
        snprintf(path, sizeof path, "/v1/agents/100%d:set-state", i);
        ck_status(rig_send(&R, "POST", path, "{\"state\":\"ready\"}"), 200);
    }
}

static void teardown(void)
{
    rig_close(&R);
}

#define SEED(BODY, body, m)                       \
    do {                                          \
        Ev__Command cmd_ = EV__COMMAND__INIT;     \
        cmd_.body_case = EV__COMMAND__BODY_##BODY; \
        cmd_.body = &(m);                         \
        rig_seed(&R, &cmd_);                      \
    } while (0)

/* A call to this queue, recorded, with a file whose name is so many of one digit. */
static void recorded(uint64_t id, const char *called, char digit)
{
    char sha256[65];
    memset(sha256, digit, 64);
    sha256[64] = '\0';
    Ev__Dialog d = EV__DIALOG__INIT;
    d.call_id = (char *)(uintptr_t) "x@test";
    Ev__CallStart start = EV__CALL_START__INIT;
    start.call_id = id;
    start.caller = (char *)(uintptr_t) "=13800138000";
    start.called = (char *)(uintptr_t)called;
    start.trunk = (char *)(uintptr_t) "line";
    start.dialog = &d;
    SEED(CALL_START, call_start, start);
    const struct core_call *k = core_call(R.core, id);
    Ev__OfferAnswered answered = EV__OFFER_ANSWERED__INIT;
    answered.call_id = id;
    answered.offer_id = k ? k->offer.id : 0;
    answered.dialog = &d;
    SEED(OFFER_ANSWERED, offer_answered, answered);
    Ev__CallEnd end = EV__CALL_END__INIT;
    end.call_id = id;
    end.by = (char *)(uintptr_t) "caller";
    end.cause = (char *)(uintptr_t) "normal";
    SEED(CALL_END, call_end, end);
    Ev__RecordEnd kept = EV__RECORD_END__INIT;
    kept.id = id;
    kept.sha256 = sha256;
    kept.bytes = 64;
    kept.duration_ms = 1000;
    kept.why = (char *)(uintptr_t) "";
    SEED(RECORD_END, record_end, kept);
}

/* The files in it, by the last digit of their id and their bytes: "2:64 1:64 index". */
static const char *files(const struct answer *a, const char **index)
{
    static char text[256], csv[8192];
    size_t at = 0;
    text[0] = '\0';
    ck_status(a, 200);
    while (at + 30 < a->len && number(a->body + at, 4) == 0x04034b50u) {
        size_t bytes = (size_t)number(a->body + at + 18, 4), name = (size_t)number(a->body + at + 26, 2), from = at + 30 + name;
        const char *p = a->body + at + 30;
        ck_assert_uint_eq(number(a->body + at + 14, 4), zip_crc(0, a->body + from, bytes));
        bool is_index = name == 9 && memcmp(p, "index.csv", 9) == 0;
        size_t n = strlen(text);
        if (is_index)
            snprintf(text + n, sizeof text - n, "%sindex", n ? " " : "");
        else
            snprintf(text + n, sizeof text - n, "%s%c:%zu", n ? " " : "", p[name - 5], bytes);
        snprintf(csv, sizeof csv, "%.*s", is_index ? (int)bytes : 0, a->body + from);
        at = from + bytes;
    }
    ck_assert_uint_eq(number(a->body + at, 4), 0x02014b50u);
    ck_assert_uint_eq(number(a->body + a->len - 22, 4), 0x06054b50u);
    if (index)
        *index = csv;
    return text;
}

static size_t plays(const char *actor)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/audit?action=recording.play&actor=%s", actor);
    return json_array_size(json_object_get(rig_get(&R, path)->json, "items"));
}

START_TEST(all_in_one)
{
    const char *index = NULL;
    ck_assert_str_eq(files(rig_get(&R, "/v1/recordings/archive"), &index), "index");
    ck_assert_ptr_nonnull(strstr(index, "file,recording_id,started_at"));
    recorded(1, "10001", 'e'); /* 150,000 bytes: several pieces */
    recorded(2, "10002", 'a');
    recorded(3, "10001", 'd'); /* sealed with another key */
    const struct answer *a = rig_get(&R, "/v1/recordings/archive");
    ck_assert_str_eq(rig_header(a, "content-type"), "application/zip");
    ck_assert_str_eq(files(a, &index), "2:64 1:150000 index");
    ck_assert_ptr_nonnull(strstr(index, "_13800138000_10002_0000000000000002.wav\",\"0000000000000002\""));
    ck_assert_ptr_nonnull(strstr(index, "\"'=13800138000\"")); /* no formula */
    ck_assert_ptr_nonnull(strstr(index, "\"\",\"0000000000000003\""));
    ck_assert_ptr_nonnull(strstr(index, "this node has no key for it"));
    ck_assert_uint_eq(plays("node-file"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(rig_get(&R, "/v1/audit?action=recording.play")->json, "items")), 3);
    ck_assert_str_eq(files(rig_get(&R, "/v1/recordings/archive?agent=1002"), NULL), "2:64 index");
    ck_assert_str_eq(files(rig_get(&R, "/v1/recordings/archive?min_duration_ms=5000"), NULL), "index");
    ck_status(rig_get(&R, "/v1/recordings/archive?hold=maybe"), 422);
    ck_status(rig_get(&R, "/v1/recordings/archive?limit=1"), 400);
    ck_status(rig_ask(&R, RIG_ADMIN, "HEAD", "/v1/recordings/archive", NULL, NULL, 0), 200);
}
END_TEST

/* More than a page of rows. */
START_TEST(page_after_page)
{
    for (uint64_t id = 1; id <= 230; id++)
        recorded(id, id % 2 ? "10001" : "10002", 'a');
    const struct answer *a = rig_get(&R, "/v1/recordings/archive");
    ck_status(a, 200);
    ck_assert_uint_eq(number(a->body + a->len - 22 + 10, 2), 231);
    ck_assert_uint_eq(json_array_size(json_object_get(rig_get(&R, "/v1/audit?action=recording.play&limit=1000")->json, "items")), 230);
}
END_TEST

/* A supervisor gets what he manages; each listening is in the audit trail as his, under whatever key he asks for it. */
START_TEST(who_gets_what)
{
    recorded(1, "10001", 'a');
    recorded(2, "10002", 'a');
    ck_assert_str_eq(files(rig_ask(&R, DESK, "GET", "/v1/recordings/archive", NULL, NULL, 0), NULL), "2:64 index");
    ck_assert_uint_eq(plays("agent:1003"), 1);
    ck_assert_str_eq(files(rig_ask(&R, READ, "GET", "/v1/recordings/archive", "Idempotency-Key: k", NULL, 0), NULL), "2:64 1:64 index");
    ck_assert_str_eq(files(rig_ask(&R, READ, "GET", "/v1/recordings/archive", "Idempotency-Key: k", NULL, 0), NULL), "2:64 1:64 index");
    ck_assert_uint_eq(plays("token:read"), 4);
    for (int i = 0; i < 2; i++)
        ck_status(rig_ask(&R, READ, "GET", "/v1/recordings/0000000000000001/audio", "Idempotency-Key: k", NULL, 0), 200);
    ck_assert_uint_eq(plays("token:read"), 6);
    ck_status(rig_ask(&R, NULL, "GET", "/v1/recordings/archive", NULL, NULL, 0), 401);
}
END_TEST

/* What cannot be in the audit trail is not given: the archive breaks off, without an end. */
START_TEST(nothing_without_a_trace)
{
    recorded(1, "10001", 'a');
    pthread_mutex_lock(&R.lock);
    R.op_code = ERR_NOQUORUM;
    pthread_mutex_unlock(&R.lock);
    const struct answer *a = rig_get(&R, "/v1/recordings/archive");
    ck_assert_int_eq(a->status, 0);
    ck_assert_uint_eq(a->len, 0);
    pthread_mutex_lock(&R.lock);
    R.op_code = 0;
    R.busy = true;
    pthread_mutex_unlock(&R.lock);
    ck_assert_int_eq(rig_get(&R, "/v1/recordings/archive")->status, 0);
    pthread_mutex_lock(&R.lock);
    R.busy = false;
    pthread_mutex_unlock(&R.lock);
    ck_assert_str_eq(files(rig_get(&R, "/v1/recordings/archive"), NULL), "1:64 index");
}
END_TEST

/* In parts: only of the sound that one has the first part of. Several parts at once, and what is none, is answered with the whole. */
START_TEST(in_parts)
{
    static const char *const path = "/v1/recordings/0000000000000001/audio";
    recorded(1, "10001", 'a');
    ck_status(rig_get(&R, path), 200);
    const struct answer *a = rig_ask(&R, READ, "GET", path, "Range: bytes=0-9", NULL, 0);
    ck_status(a, 206);
    ck_assert_uint_eq(a->len, 10);
    ck_assert_str_eq(rig_header(a, "content-range"), "bytes 0-9/64");
    ck_assert_str_eq(rig_header(a, "etag"), "\"aaaaaaaaaaaaaaaaaaaaaaaa\"");
    ck_status(rig_ask(&R, READ, "GET", path, "Range: bytes=0-9\nIf-Range: \"aaaaaaaaaaaaaaaaaaaaaaaa\"", NULL, 0), 206);
    ck_status(rig_ask(&R, READ, "GET", path, "Range: bytes=0-9\nIf-Range: \"bbbbbbbbbbbbbbbbbbbbbbbb\"", NULL, 0), 200);
    ck_status(rig_ask(&R, READ, "GET", path, "Range: bytes=0-9\nIf-Range: Wed, 21 Oct 2026 07:28:00 GMT", NULL, 0), 200);
    a = rig_ask(&R, READ, "GET", path, "Range: bytes=0-1,5-9", NULL, 0);
    ck_status(a, 200);
    ck_assert_uint_eq(a->len, 64);
    a = rig_ask(&R, READ, "GET", path, "Range: bytes=64-", NULL, 0);
    ck_status(a, 416);
    ck_assert_str_eq(rig_header(a, "content-range"), "bytes */64");
    ck_status(rig_ask(&R, READ, "GET", path, "Range: bytes=-0", NULL, 0), 416);
    ck_status(rig_ask(&R, READ, "GET", path, "Range: bytes=9-1", NULL, 0), 200);
}
END_TEST

START_TEST(verified)
{
    recorded(1, "10001", 'a');
    ck_status(rig_ask(&R, READ, "POST", "/v1/recordings/0000000000000001:verify", NULL, NULL, 0), 200);
    ck_assert_str_eq(R.last_op, "{\"recording_id\":\"0000000000000001\"}");
    ck_status(rig_ask(&R, RIG_ADMIN, "POST", "/v1/recordings/xyz:verify", NULL, NULL, 0), 404);
    ck_status(rig_ask(&R, DESK, "POST", "/v1/recordings/0000000000000001:verify", NULL, NULL, 0), 403);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("archive");
    TCase *t = tcase_create("zip"), *a = tcase_create("archive");
    tcase_add_test(t, crc_of_the_standard);
    tcase_add_test(t, small);
    tcase_add_test(t, large);
    suite_add_tcase(s, t);
    tcase_set_timeout(a, 60);
    tcase_add_checked_fixture(a, setup, teardown);
    tcase_add_test(a, all_in_one);
    tcase_add_test(a, page_after_page);
    tcase_add_test(a, who_gets_what);
    tcase_add_test(a, nothing_without_a_trace);
    tcase_add_test(a, in_parts);
    tcase_add_test(a, verified);
    suite_add_tcase(s, a);
    return run_suite(s);
}
