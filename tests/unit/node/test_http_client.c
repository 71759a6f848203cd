/* Requests to business systems that answer, are slow, dead, refuse, or talk nonsense: what each becomes, and what it may cost others. */
#include <signal.h>

#include "base/clock.h"
#include "tests/unit/node/http_rig.h"
#include "node/http_client.h"
#include "tests/unit/suite.h"

#define ROOM 200u

static uv_loop_t loop;
static struct rig rig, other;
static struct http_client *client;

struct got {
    bool done;
    int code, status;
    char body[4096], type[64];
    size_t len;
};
static struct got got[ROOM];

static void on_done(void *ctx, const struct http_answer *a)
{
    struct got *g = ctx;
    ck_assert(!g->done);
    g->done = true;
    g->code = a->code;
    g->status = a->status;
    g->len = a->body_len;
    snprintf(g->body, sizeof g->body, "%s", a->body);
    snprintf(g->type, sizeof g->type, "%s", a->content_type);
}

static void setup(void)
{
    memset(got, 0, sizeof got);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    rig_start(&rig, NULL);
    rig_start(&other, NULL);
}

static void begin(const struct http_config *cfg)
{
    ck_assert_int_eq(http_client_start(&loop, cfg, &client), 0);
}

static void teardown(void)
{
    http_client_stop(client);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    rig_stop(&rig);
    rig_stop(&other);
}

static struct http_ask ask_for(char url[256], const struct rig *r, const char *path)
{
    snprintf(url, 256, "http%s://127.0.0.1:%u%s", r->tls ? "s" : "", r->port, path);
    return (struct http_ask){.method = "GET", .url = url, .timeout_ms = 5000, .max_bytes = 65536};
}

static int send_to(const struct rig *r, const char *path, unsigned lane, uint32_t timeout_ms, struct got *g,
                   struct http_request **out)
{
    char url[256];
    struct http_ask ask = ask_for(url, r, path);
    ask.lane = lane;
    ask.timeout_ms = timeout_ms;
    return http_client_send(client, &ask, on_done, g, out, NULL);
}

/* Turns the loop until all of these have come. Check's own time limit is the deadline. */
static void wait_all(struct got *g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        while (!g[i].done)
            uv_run(&loop, UV_RUN_ONCE);
}

static const struct got *fetch(const struct rig *r, const char *path, uint32_t timeout_ms)
{
    memset(&got[0], 0, sizeof got[0]);
    int err = send_to(r, path, 0, timeout_ms, &got[0], NULL);
    if (err) {
        got[0].code = err;
        return &got[0];
    }
    wait_all(got, 1);
    return &got[0];
}

static struct http_counts counts(void)
{
    struct http_counts n;
    http_client_counts(client, &n);
    return n;
}

static const struct http_config usual;

START_TEST(test_request_arrives_as_asked)
{
    begin(&usual);
    char url[256];
    struct http_ask ask = ask_for(url, &rig, "/echo?caller=%2B86");
    const struct http_header headers[] = {{"X-Api-Key", "s3cret"}, {"X-Empty", ""}};
    ask.method = "POST";
    ask.headers = headers;
    ask.n_headers = 2;
    ask.body = "{\"a\":1}";
    ask.body_len = 7;
    ck_assert_int_eq(http_client_send(client, &ask, on_done, &got[0], NULL, NULL), 0);
    wait_all(got, 1);
    ck_assert_int_eq(got[0].code, 0);
    ck_assert_int_eq(got[0].status, 200);
    ck_assert_str_eq(got[0].type, "application/json");
    const char *const there[] = {"POST /echo?caller=%2B86 HTTP/1.1\\n", "X-Api-Key: s3cret\\n", "X-Empty:",
                                 "Content-Type: application/json\\n",   "Content-Length: 7\\n", "{\\\"a\\\":1}"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        ck_assert_msg(strstr(got[0].body, there[i]), "%s is not in %s", there[i], got[0].body);
    ck_assert_ptr_null(strstr(got[0].body, "Expect"));
    ck_assert_ptr_null(strstr(got[0].body, "Accept-Encoding"));
}
END_TEST

static const struct {
    const char *path;
    int code, status;
} outcomes[] = {
    {"/ok", 0, 200},
    {"/redirect", 0, 302},
    {"/broken", 0, 500},
    {"/garbage", ERR_INVAL, 0},
    {"/half", ERR_CLOSED, 0},
    {"/huge", ERR_TOOBIG, 0},
    {"/headers", ERR_TOOBIG, 0},
    {"/gone", ERR_CLOSED, 0}, /* closes without a word */
};

START_TEST(test_outcomes)
{
    begin(&usual);
    const struct got *g = fetch(&rig, outcomes[_i].path, 5000);
    ck_assert_int_eq(g->code, outcomes[_i].code);
    ck_assert_int_eq(g->status, outcomes[_i].status);
    /* no redirect was followed, no cookie is sent back */
    ck_assert_int_eq(fetch(&rig, "/echo", 5000)->status, 200);
    ck_assert_ptr_null(strstr(got[0].body, "Cookie"));
}
END_TEST

START_TEST(test_dead_server_times_out)
{
    begin(&usual);
    uint64_t t0 = clock_mono_now().us;
    ck_assert_int_eq(fetch(&rig, "/dead", 200)->code, ERR_TIMEOUT);
    ck_assert_uint_ge(clock_mono_now().us - t0, 190000);
    ck_assert_uint_eq(counts().timeouts, 1);
    ck_assert_uint_eq(counts().active, 0);
}
END_TEST

START_TEST(test_refusing_server)
{
    begin(&usual);
    struct rig gone = {0};
    rig_start(&gone, NULL);
    rig_stop(&gone);
    ck_assert_int_eq(fetch(&(struct rig){.port = gone.port}, "/ok", 5000)->code, ERR_CLOSED);
}
END_TEST

START_TEST(test_certificates)
{
    begin(&usual);
    struct rig good, named_otherwise;
    rig_start(&good, "127.0.0.1");
    rig_start(&named_otherwise, "127.0.0.9");
    ck_assert_int_eq(fetch(&good, "/ok", 5000)->code, ERR_DENIED); /* nobody vouches for it */
    ck_assert_int_eq(http_client_set(client, "", good.ca), 0);
    ck_assert_int_eq(fetch(&good, "/ok", 5000)->code, 0);
    ck_assert_int_eq(got[0].status, 200);
    ck_assert_int_eq(http_client_set(client, "", named_otherwise.ca), 0);
    ck_assert_int_eq(fetch(&named_otherwise, "/ok", 5000)->code, ERR_DENIED); /* vouched for, another name */
    ck_assert_int_eq(fetch(&good, "/ok", 5000)->code, ERR_DENIED);            /* and this one is not any more */
    /* TLS to one that talks something else */
    char url[256];
    struct http_ask ask = ask_for(url, &rig, "/ok");
    snprintf(url, sizeof url, "https://127.0.0.1:%u/ok", rig.port);
    ask.timeout_ms = 300;
    ck_assert_int_eq(http_client_send(client, &ask, on_done, &got[1], NULL, NULL), 0);
    wait_all(got + 1, 1);
    ck_assert(got[1].code == ERR_DENIED || got[1].code == ERR_TIMEOUT);
    rig_stop(&good);
    rig_stop(&named_otherwise);
}
END_TEST

/* The environment's proxy is nobody's configuration; the configured one is asked for the whole URL. */
START_TEST(test_proxy)
{
    char env[64];
    snprintf(env, sizeof env, "http://127.0.0.1:%u", other.port);
    setenv("http_proxy", env, 1);
    setenv("no_proxy", "127.0.0.1", 1);
    begin(&usual);
    ck_assert_int_eq(fetch(&rig, "/ok", 5000)->status, 200);
    ck_assert_int_eq(atomic_load(&other.requests), 0);
    ck_assert_int_eq(http_client_set(client, env, ""), 0);
    (void)fetch(&rig, "/ok", 5000);
    ck_assert_int_eq(atomic_load(&other.requests), 1);
    ck_assert_int_eq(atomic_load(&rig.requests), 1);
}
END_TEST

/* One dead system has no more than its own room; callers of the others notice nothing. */
START_TEST(test_room)
{
    const struct http_config cfg = {.concurrent = 8, .per_host = 4, .waiting = 16, .failures = 1000};
    begin(&cfg);
    unsigned sent = 0;
    int err = 0;
    while (!err && sent < ROOM - 10)
        err = send_to(&rig, "/dead", 0, 60000, &got[10 + sent++], NULL);
    ck_assert_int_eq(err, ERR_BUSY);
    ck_assert_uint_eq(sent, 4 + 4 + 1); /* out, a quarter of the queue, and the one that was refused */
    ck_assert_uint_eq(counts().busy, 1);
    ck_assert_int_eq(fetch(&other, "/ok", 5000)->status, 200); /* another host */
    ck_assert_int_eq(send_to(&rig, "/ok", 1, 5000, &got[1], NULL), 0);
    wait_all(got + 1, 1); /* the same host, for somebody else */
    ck_assert_int_eq(got[1].status, 200);
    for (unsigned i = 0; i < sent; i++)
        ck_assert(!got[10 + i].done);
}
END_TEST

START_TEST(test_waiting_requests_follow_and_expire)
{
    const struct http_config cfg = {.concurrent = 2, .per_host = 2, .waiting = 100, .failures = 1000};
    begin(&cfg);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_int_eq(send_to(&rig, "/slow/1", 0, 10000, &got[i], NULL), 0);
    wait_all(got, 20);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_int_eq(got[i].status, 200);
    memset(got, 0, sizeof got);
    ck_assert_int_eq(send_to(&rig, "/dead", 0, 10000, &got[0], NULL), 0);
    ck_assert_int_eq(send_to(&rig, "/dead", 0, 10000, &got[1], NULL), 0);
    ck_assert_int_eq(send_to(&rig, "/ok", 0, 100, &got[2], NULL), 0); /* never gets its turn */
    wait_all(got + 2, 1);
    ck_assert_int_eq(got[2].code, ERR_TIMEOUT);
    ck_assert(!got[0].done && !got[1].done);
}
END_TEST

START_TEST(test_breaker)
{
    const struct http_config cfg = {.concurrent = 4, .per_host = 2, .failures = 2, .pause_ms = 300};
    begin(&cfg);
    atomic_store(&rig.dead, 1);
    /* the sixth waits for its turn, and is told as soon as the host is given up */
    for (unsigned i = 0; i < 6; i++)
        ck_assert_int_eq(send_to(&rig, "/ok", 0, i < 5 ? 150 : 60000, &got[i], NULL), 0);
    wait_all(got, 6);
    ck_assert_int_eq(got[0].code, ERR_TIMEOUT);
    ck_assert_int_eq(got[5].code, ERR_BADSTATE);
    ck_assert_uint_eq(counts().hosts_down, 1);
    int seen = atomic_load(&rig.requests);
    ck_assert_int_eq(send_to(&rig, "/ok", 0, 150, &got[6], NULL), ERR_BADSTATE);
    ck_assert_int_eq(fetch(&other, "/ok", 5000)->status, 200);
    ck_assert_int_eq(send_to(&rig, "/ok", 1, 150, &got[6], NULL), 0); /* another lane has its own opinion */
    wait_all(got + 6, 1);
    seen = atomic_load(&rig.requests);
    /* after the pause one tries, the others are still refused */
    int err;
    while ((err = send_to(&rig, "/ok", 0, 150, &got[7], NULL)) == ERR_BADSTATE)
        uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(send_to(&rig, "/ok", 0, 150, &got[8], NULL), ERR_BADSTATE);
    wait_all(got + 7, 1);
    ck_assert_int_eq(got[7].code, ERR_TIMEOUT);
    ck_assert_int_eq(atomic_load(&rig.requests), seen + 1);
    ck_assert_int_eq(send_to(&rig, "/ok", 0, 150, &got[8], NULL), ERR_BADSTATE);
    /* it is back */
    atomic_store(&rig.dead, 0);
    while (send_to(&rig, "/broken", 0, 5000, &got[9], NULL) == ERR_BADSTATE)
        uv_run(&loop, UV_RUN_NOWAIT);
    wait_all(got + 9, 1);
    ck_assert_int_eq(got[9].status, 500);
    ck_assert_int_eq(fetch(&rig, "/ok", 5000)->status, 200);
    ck_assert_uint_eq(counts().hosts_down, 0);
}
END_TEST

/* A probe that is taken back leaves the way free for the next. */
START_TEST(test_cancelled)
{
    const struct http_config cfg = {.concurrent = 2, .per_host = 1, .failures = 1, .pause_ms = 50};
    struct http_request *out, *waits;
    begin(&cfg);
    ck_assert_int_eq(send_to(&rig, "/dead", 0, 60000, &got[0], &out), 0);
    ck_assert_int_eq(send_to(&rig, "/ok", 0, 60000, &got[1], &waits), 0);
    http_client_cancel(client, waits);
    while (atomic_load(&rig.requests) < 1)
        uv_run(&loop, UV_RUN_NOWAIT);
    http_client_cancel(client, out);
    ck_assert_int_eq(fetch(&rig, "/ok", 5000)->status, 200); /* has the place of the one that was out */
    while (counts().cancelled < 2)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert(!got[1].done);
    atomic_store(&rig.dead, 1);
    ck_assert_int_eq(fetch(&rig, "/ok", 50)->code, ERR_TIMEOUT);
    while (send_to(&rig, "/ok", 0, 60000, &got[2], &out) == ERR_BADSTATE)
        uv_run(&loop, UV_RUN_NOWAIT);
    http_client_cancel(client, out);
    atomic_store(&rig.dead, 0);
    while (send_to(&rig, "/ok", 0, 5000, &got[3], NULL) == ERR_BADSTATE)
        uv_run(&loop, UV_RUN_NOWAIT);
    wait_all(got + 3, 1);
    ck_assert_int_eq(got[3].status, 200);
    ck_assert(!got[2].done);
}
END_TEST

/* Requests that are out, wait, or are done but not told yet: all of them go without a callback, and nothing leaks. */
START_TEST(test_stop_with_requests)
{
    const struct http_config cfg = {.concurrent = 2, .per_host = 1, .waiting = 100};
    begin(&cfg);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(send_to(&rig, "/dead", 0, 60000, &got[i], NULL), 0);
    ck_assert_int_eq(send_to(&other, "/ok", 0, 5000, &got[10], NULL), 0);
    while (atomic_load(&rig.requests) < 1 || atomic_load(&other.requests) < 1)
        poll(NULL, 0, 1);
    http_client_stop(client);
    client = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < 11; i++)
        ck_assert(!got[i].done);
}
END_TEST

START_TEST(test_connections_are_kept)
{
    begin(&usual);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(fetch(&rig, "/ok", 5000)->status, 200);
    ck_assert_int_eq(atomic_load(&rig.connections), 1);
}
END_TEST

static const char *const bad_urls[] = {
    "",
    "crm.example/x",
    "ftp://crm.example/",
    "file:///etc/passwd",
    "http://",
    "http:///x",
    "http://user:pw@crm.example/",
    "http://user@crm.example/",
    "http://crm.example/a b",
    "http://crm.example/\r\nX: y",
    "http://crm.example:0x50/",
    "http://crm.example:99999/",
    "http://crm.example/\xe4",
};

START_TEST(test_what_is_no_request)
{
    begin(&usual);
    struct err_info info;
    for (size_t i = 0; i < sizeof bad_urls / sizeof *bad_urls; i++) {
        struct http_ask ask = {.method = "GET", .url = bad_urls[i], .timeout_ms = 100, .max_bytes = 100};
        ck_assert_msg(http_client_send(client, &ask, on_done, &got[0], NULL, &info) == ERR_INVAL, "%s", bad_urls[i]);
        ck_assert_str_eq(info.field, "url");
        ck_assert_int_eq(http_url_check(bad_urls[i], NULL), ERR_INVAL);
    }
    char longest[HTTP_URL_MAX + 8];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "http://x/", 9);
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(http_url_check(longest, NULL), ERR_TOOBIG);
    ck_assert_int_eq(http_url_check("HTTPS://CRM.example:8443/a?b=c", NULL), 0);
    ck_assert_int_eq(http_url_check("http://[::1]:8080/", NULL), 0);
    ck_assert_int_eq(http_header_check("X-Key", "a\r\nX-Other: b", NULL), ERR_INVAL);
    ck_assert_int_eq(http_header_check("X Key", "a", NULL), ERR_INVAL);
    ck_assert_int_eq(http_header_check("", "a", NULL), ERR_INVAL);
    ck_assert_int_eq(http_header_check("content-length", "1", NULL), ERR_INVAL);
    ck_assert_int_eq(http_header_check("Authorization", "Bearer x", NULL), 0);
    const struct http_header no_header = {"Host", "elsewhere"};
    struct http_ask ask = {.method = "GET", .url = "http://x/", .timeout_ms = 100, .headers = &no_header, .n_headers = 1};
    ck_assert_int_eq(http_client_send(client, &ask, on_done, &got[0], NULL, &info), ERR_INVAL);
    ask.n_headers = 0;
    ask.method = "TRACE";
    ck_assert_int_eq(http_client_send(client, &ask, on_done, &got[0], NULL, &info), ERR_INVAL);
    ask.method = "GET";
    ask.timeout_ms = 0;
    ck_assert_int_eq(http_client_send(client, &ask, on_done, &got[0], NULL, &info), ERR_INVAL);
    ask.timeout_ms = 100;
    ask.body_len = HTTP_BODY_MAX + 1;
    ck_assert_int_eq(http_client_send(client, &ask, on_done, &got[0], NULL, &info), ERR_TOOBIG);
    ck_assert_uint_eq(counts().requests, 0);
}
END_TEST

/* Names that come with every request must not fill the memory. */
START_TEST(test_hosts_are_bounded)
{
    begin(&usual);
    for (unsigned lane = 0; lane < HTTP_HOSTS_MAX + 50; lane++) {
        memset(&got[0], 0, sizeof got[0]);
        ck_assert_int_eq(send_to(&rig, "/ok", lane, 5000, &got[0], NULL), 0);
        wait_all(got, 1);
        ck_assert_int_eq(got[0].status, 200);
    }
}
END_TEST

/* Names that do not answer give way too, when their pause is over. */
START_TEST(test_dead_hosts_give_way)
{
    const struct http_config cfg = {.failures = 1, .pause_ms = 1};
    begin(&cfg);
    struct rig gone = {0};
    rig_start(&gone, NULL);
    rig_stop(&gone);
    for (unsigned lane = 0; lane < HTTP_HOSTS_MAX + 50; lane++) {
        int err;
        memset(&got[0], 0, sizeof got[0]);
        uint64_t end = clock_mono_now().us + 1000000;
        while ((err = send_to(&gone, "/ok", lane, 5000, &got[0], NULL)) == ERR_BUSY && clock_mono_now().us < end)
            uv_run(&loop, UV_RUN_NOWAIT); /* none of their pauses is over */
        ck_assert_int_eq(err, 0);
        wait_all(got, 1);
        ck_assert_int_eq(got[0].code, ERR_CLOSED);
    }
    ck_assert_uint_le(counts().hosts_down, HTTP_HOSTS_MAX);
    ck_assert_int_eq(fetch(&rig, "/ok", 5000)->status, 200);
}
END_TEST

static void on_other(void *ctx, const struct http_answer *a)
{
    (void)a;
    ++*(unsigned *)ctx;
}

/* Taken back when it is through, though nobody has been told yet, and its host has given way to another. */
START_TEST(test_cancelled_when_through)
{
    const struct http_config cfg = {.waiting = 4096};
    struct http_request *first;
    unsigned others = 0;
    char url[256];
    begin(&cfg);
    ck_assert_int_eq(send_to(&rig, "/ok", 0, 60000, &got[0], &first), 0);
    while (counts().active || counts().waiting)
        poll(NULL, 0, 1);
    for (unsigned lane = 1; lane <= HTTP_HOSTS_MAX; lane++) {
        struct http_ask ask = ask_for(url, &rig, "/ok");
        ask.lane = lane;
        ck_assert_int_eq(http_client_send(client, &ask, on_other, &others, NULL, NULL), 0);
    }
    http_client_cancel(client, first);
    while (others < HTTP_HOSTS_MAX)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert(!got[0].done);
    ck_assert_uint_eq(counts().cancelled, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_client");
    TCase *t = tcase_create("http_client");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_request_arrives_as_asked);
    tcase_add_loop_test(t, test_outcomes, 0, sizeof outcomes / sizeof *outcomes);
    tcase_add_test(t, test_dead_server_times_out);
    tcase_add_test(t, test_refusing_server);
    tcase_add_test(t, test_certificates);
    tcase_add_test(t, test_proxy);
    tcase_add_test(t, test_room);
    tcase_add_test(t, test_waiting_requests_follow_and_expire);
    tcase_add_test(t, test_breaker);
    tcase_add_test(t, test_cancelled);
    tcase_add_test(t, test_cancelled_when_through);
    tcase_add_test(t, test_stop_with_requests);
    tcase_add_test(t, test_connections_are_kept);
    tcase_add_test(t, test_what_is_no_request);
    tcase_add_test(t, test_hosts_are_bounded);
    tcase_add_test(t, test_dead_hosts_give_way);
    suite_add_tcase(s, t);
    return run_suite(s);
}
