/* Event streams, and clients that are slow, silent or speak something else. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <sqlite3.h>

#include "tests/unit/api/api_rig.h"
#include "tests/unit/suite.h"

static struct rig R;

static void setup(void)
{
    rig_open(&R, 1, 300);
}
static void teardown(void)
{
    rig_close(&R);
}

/* ---- a TLS connection by hand */

struct tls {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    char text[65536];
    size_t len;
};

static long long now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int dial(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(api_port(R.api))};
    inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void tls_open(struct tls *t)
{
    memset(t, 0, sizeof *t);
    t->fd = dial();
    t->ctx = SSL_CTX_new(TLS_client_method());
    t->ssl = SSL_new(t->ctx);
    SSL_set_fd(t->ssl, t->fd);
    ck_assert_int_eq(SSL_connect(t->ssl), 1);
    fcntl(t->fd, F_SETFL, O_NONBLOCK);
}

static void tls_close(struct tls *t)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    close(t->fd);
}

static void tls_say(struct tls *t, const char *p, size_t n)
{
    long long end = now_ms() + 10000;
    while (n && now_ms() < end) {
        int w = SSL_write(t->ssl, p, (int)n);
        if (w > 0) {
            p += w;
            n -= (size_t)w;
            continue;
        }
        if (SSL_get_error(t->ssl, w) != SSL_ERROR_WANT_WRITE && SSL_get_error(t->ssl, w) != SSL_ERROR_WANT_READ)
            return; /* closed by the server: what the caller waits for */
        struct pollfd pf = {t->fd, POLLOUT, 0};
        poll(&pf, 1, 100);
    }
}

/* Reads until `want` has come (NULL: until the server closes). false: neither within the time. */
static bool tls_wait(struct tls *t, const char *want, int ms)
{
    long long end = now_ms() + ms;
    while (now_ms() < end) {
        if (want && strstr(t->text, want))
            return true;
        ERR_clear_error(); /* what the end of another connection has left would be taken for an error of this one */
        int r = SSL_read(t->ssl, t->text + t->len, (int)(sizeof t->text - 1 - t->len));
        if (r > 0) {
            t->len += (size_t)r;
            t->text[t->len] = '\0';
            continue;
        }
        int e = SSL_get_error(t->ssl, r);
        if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
            return want ? strstr(t->text, want) != NULL : true;
        struct pollfd pf = {t->fd, POLLIN, 0};
        poll(&pf, 1, (int)(end - now_ms() > 200 ? 200 : 20));
    }
    return false;
}

static void put(const char *value)
{
    char body[64];
    snprintf(body, sizeof body, "{\"value\":\"%s\"}", value);
    const struct answer *a = rig_send(&R, "PUT", "/v1/parameters/p", body);
    ck_assert_int_ge(a->status, 200);
    ck_assert_int_lt(a->status, 300);
}

#define AUTH "Authorization: Bearer " RIG_ADMIN "\r\n"

static void follow_as(struct tls *t, const char *token, const char *path, const char *header)
{
    char ask[512];
    tls_open(t);
    snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n", path, token, header);
    tls_say(t, ask, strlen(ask));
}

static void follow(struct tls *t, const char *path, const char *header)
{
    follow_as(t, RIG_ADMIN, path, header);
}

START_TEST(events_come_live_and_again)
{
    struct tls *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    put("1");
    follow(a, "/v1/events", "");
    ck_assert(tls_wait(a, ": beat", 10000));
    ck_assert_ptr_nonnull(strstr(a->text, "Content-Type: text/event-stream"));
    put("2");
    ck_assert(tls_wait(a, "\n\n", 10000) && tls_wait(a, "event: everline.config.changed", 10000));
    ck_assert(tls_wait(a, "\"specversion\":\"1.0\"", 10000));
    ck_assert_ptr_null(strstr(a->text, "id: 1.1\n")); /* what was before is not in it */
    ck_assert_ptr_nonnull(strstr(a->text, "id: 2.1\n"));
    put("3");
    ck_assert(tls_wait(a, "id: 3.1\n", 10000));

    /* again from a place, without a gap, and from the beginning */
    follow(b, "/v1/events", "Last-Event-ID: 1.1\r\n");
    ck_assert(tls_wait(b, "id: 3.1\n", 10000));
    ck_assert_ptr_nonnull(strstr(b->text, "id: 2.1\n"));
    ck_assert_ptr_null(strstr(b->text, "id: 1.1\n"));
    tls_close(b);
    follow(b, "/v1/events?after=0", "");
    ck_assert(tls_wait(b, "id: 3.1\n", 10000));
    ck_assert_ptr_nonnull(strstr(b->text, "id: 1.1\n"));
    tls_close(b);
    /* it stays open beyond the idle time by its beats */
    a->len = 0;
    a->text[0] = '\0';
    ck_assert(tls_wait(a, ": beat\n\n: beat\n\n: beat", 15000));
    tls_close(a);
    ck_status(rig_ask(&R, RIG_ADMIN, "GET", "/v1/events", "Last-Event-ID: rubbish", NULL, 0), 400);
    ck_status(rig_ask(&R, RIG_ADMIN, "GET", "/v1/events?after=1.2.3", NULL, NULL, 0), 400);
    ck_status(rig_ask(&R, NULL, "GET", "/v1/events", NULL, NULL, 0), 401);
    free(a);
    free(b);
}
END_TEST

/* As core leaves it when the oldest of too many events went (tests/unit/core/test_nodes.c). */
static void forget_events_before(unsigned index)
{
    char path[192], sql[128], *why = NULL;
    snprintf(path, sizeof path, "%s/state.db", R.dir);
    snprintf(sql, sizeof sql, "DELETE FROM event WHERE idx < %u; UPDATE applied SET events = 100000", index);
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &why);
    ck_assert_msg(rc == SQLITE_OK, "%s", why ? why : "");
    sqlite3_close(db);
}

START_TEST(events_that_are_not_kept_are_gone)
{
    for (int i = 0; i < 6; i++)
        put(i % 2 ? "odd" : "even");
    forget_events_before(4);
    static const char *const places[] = {"Last-Event-ID: 1.1", "Last-Event-ID: 3.1"};
    for (size_t i = 0; i < 2; i++) {
        const struct answer *a = rig_ask(&R, RIG_ADMIN, "GET", "/v1/events", places[i], NULL, 0);
        ck_status(a, 410);
        ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(a->json, "detail")), "no longer kept"));
    }
    static const char *const nonsense[] = {"x", "-1", "1.", ".1", "1.1.1", "1.4294967296", "9223372036854775808", "99999999999999999999"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        char target[80];
        snprintf(target, sizeof target, "/v1/events?after=%s", nonsense[i]);
        ck_status(rig_get(&R, target), 400);
    }
    struct tls *t = malloc(sizeof *t);
    follow(t, "/v1/events", "Last-Event-ID: 4.1\r\n"); /* the oldest that is kept: nothing is missing after it */
    ck_assert(tls_wait(t, "id: 6.1\n", 10000));
    ck_assert_ptr_nonnull(strstr(t->text, "id: 5.1\n"));
    ck_assert_ptr_null(strstr(t->text, "id: 4.1\n"));
    tls_close(t);
    follow(t, "/v1/events?after=0", ""); /* all that there is */
    ck_assert(tls_wait(t, "id: 6.1\n", 10000));
    ck_assert_ptr_nonnull(strstr(t->text, "id: 4.1\n"));
    ck_assert_ptr_null(strstr(t->text, "id: 3.1\n"));
    tls_close(t);
    free(t);
}
END_TEST

START_TEST(a_stream_ends_with_its_token)
{
    struct tls *gone = malloc(sizeof *gone), *stays = malloc(sizeof *stays);
    ck_status(rig_send(&R, "PUT", "/v1/tokens/wall", "{\"role\":\"read\",\"token\":\"wallboard-0123456789\"}"), 201);
    ck_status(rig_send(&R, "PUT", "/v1/tokens/other", "{\"role\":\"read\",\"token\":\"another-0123456789\"}"), 201);
    follow_as(gone, "wallboard-0123456789", "/v1/events", "");
    follow_as(stays, "another-0123456789", "/v1/events", "");
    ck_assert(tls_wait(gone, ": beat\n\n: beat", 15000) && tls_wait(stays, ": beat", 10000));
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/tokens/wall", NULL, NULL, 0), 204);
    ck_assert(tls_wait(gone, NULL, 15000));
    stays->len = 0;
    stays->text[0] = '\0';
    ck_assert(tls_wait(stays, ": beat\n\n: beat", 15000));
    tls_close(gone);
    tls_close(stays);
    free(gone);
    free(stays);
}
END_TEST

static void small_setup(void)
{
    rig_answers_max = 8u << 20;
    rig_open(&R, 10, 0);
}

/* 5 MB of configuration: more than the buffers of a connection hold, less than two of it are allowed at once. */
static void fill(void)
{
    char *doc = malloc(500000), *value = malloc(4001);
    memset(value, 'x', 4000);
    value[4000] = '\0';
    for (int i = 0; i < 13; i++) {
        size_t n = (size_t)sprintf(doc, "parameters:\n");
        for (int k = 0; k < 100; k++)
            n += (size_t)sprintf(doc + n, "  - {name: p%d-%d, value: %s}\n", i, k, value);
        ck_status(rig_apply_yaml(&R, "/v1/config:apply", doc), 200);
    }
    free(doc);
    free(value);
}

START_TEST(answers_that_nobody_takes_are_bounded)
{
    struct tls *t = malloc(sizeof *t);
    fill();
    follow(t, "/v1/config", "");
    ck_assert(tls_wait(t, "200 OK", 10000)); /* and nothing more is read */
    const struct answer *a = rig_get(&R, "/v1/config");
    ck_status(a, 503);
    ck_assert_str_eq(rig_text(a, "code"), "busy");
    ck_assert_str_ne(rig_header(a, "Retry-After"), "");
    ck_status(rig_get(&R, "/v1/parameters/p0-0"), 200);
    tls_close(t);
    free(t);
    long long end = now_ms() + 10000;
    long status = 0;
    while (status != 200 && now_ms() < end)
        status = rig_get(&R, "/v1/config")->status;
    ck_assert_int_eq(status, 200);
}
END_TEST

START_TEST(many_events_come_in_order)
{
    struct tls *t = malloc(sizeof *t);
    for (int i = 0; i < 150; i++) { /* more than are read at once */
        char v[16];
        snprintf(v, sizeof v, "%d", i);
        put(v);
    }
    follow(t, "/v1/events?after=0", "");
    ck_assert(tls_wait(t, "id: 150.1\n", 10000));
    const char *p = t->text;
    for (int i = 1; i <= 150; i++) {
        char id[24];
        snprintf(id, sizeof id, "id: %d.1\n", i);
        p = strstr(p, id);
        ck_assert_msg(p != NULL, "%s", id);
    }
    tls_close(t);
    free(t);
}
END_TEST

START_TEST(slow_clients_are_closed)
{
    static const char *const starts[] = {
        "",                                                                                  /* nothing at all */
        "GET /v1/agents HT",                                                                 /* half a line */
        "GET /v1/agents HTTP/1.1\r\nHost: x\r\nX-Slow: ",                                    /* half the headers */
        "POST /v1/config:apply HTTP/1.1\r\nHost: x\r\n" AUTH JSON_TYPE "\r\nContent-Length: 100\r\n\r\n{", /* half the body */
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct tls *t = malloc(sizeof *t);
        tls_open(t);
        tls_say(t, starts[i], strlen(starts[i]));
        ck_assert_msg(tls_wait(t, NULL, 20000), "%zu", i);
        tls_close(t);
        free(t);
    }
    /* one byte now and then does not keep it open either */
    struct tls *t = malloc(sizeof *t);
    tls_open(t);
    tls_say(t, starts[3], strlen(starts[3]));
    long long end = now_ms() + 25000;
    bool closed = false;
    while (!closed && now_ms() < end) {
        tls_say(t, " ", 1);
        closed = tls_wait(t, NULL, 300);
    }
    ck_assert(closed);
    tls_close(t);
    free(t);
    ck_status(rig_get(&R, "/healthz"), 200);
}
END_TEST

START_TEST(a_connection_without_tls_is_closed)
{
    int fd = dial();
    char c;
    struct pollfd pf = {fd, POLLIN, 0};
    ck_assert_int_eq(poll(&pf, 1, 20000), 1); /* silence before the handshake */
    ck_assert_int_le(recv(fd, &c, 1, 0), 0);
    close(fd);
    fd = dial();
    ck_assert_int_eq(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    pf.fd = fd;
    ck_assert_int_eq(poll(&pf, 1, 20000), 1);
    while (recv(fd, &c, 1, 0) > 0)
        ;
    close(fd);
    ck_status(rig_get(&R, "/healthz"), 200);
}
END_TEST

START_TEST(what_is_not_http_does_no_harm)
{
    static const char *const junk[] = {
        "\x01\x02\x03\x04\r\n\r\n",
        "GET\r\n\r\n",
        "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /v1/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "POST /v1/config:apply HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        "POST /v1/config:apply HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /v1/config:apply HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "GET /%2e%2e/%00/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/agents?%ff=%fe HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n",
        "GET /v1/agents/\xc3\x28 HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        struct tls *t = malloc(sizeof *t);
        tls_open(t);
        tls_say(t, junk[i], strlen(junk[i]) + (i == 3 ? 9 : 0));
        ck_assert_msg(tls_wait(t, NULL, 25000), "%zu", i); /* closed at once or when idle */
        ck_assert_ptr_null(strstr(t->text, " 500 "));
        if (i == sizeof junk / sizeof junk[0] - 1)
            ck_assert_msg(strstr(t->text, "200 OK") && strstr(t->text, "404 Not Found"), "%s", t->text);
        tls_close(t);
        free(t);
    }
    struct tls *t = malloc(sizeof *t);
    char *big = malloc(40000);
    memset(big, 'a', 40000);
    memcpy(big, "GET /healthz HTTP/1.1\r\nX: ", 26);
    tls_open(t);
    tls_say(t, big, 40000);
    ck_assert(tls_wait(t, NULL, 25000));
    tls_close(t);
    free(big);
    free(t);
    ck_status(rig_get(&R, "/healthz"), 200);
}
END_TEST

START_TEST(silence_of_the_node_is_a_time_out)
{
    pthread_mutex_lock(&R.lock);
    R.silent = true;
    pthread_mutex_unlock(&R.lock);
    const struct answer *a = rig_send(&R, "PUT", "/v1/parameters/a", "{\"value\":\"1\"}");
    ck_status(a, 504);
    ck_assert_str_eq(rig_text(a, "code"), "timed_out");
    /* a client that leaves while it waits */
    struct tls *t = malloc(sizeof *t);
    follow(t, "/v1/cluster", "");
    tls_close(t);
    free(t);
    ck_status(rig_get(&R, "/v1/cluster"), 504);
    pthread_mutex_lock(&R.lock);
    R.silent = false;
    pthread_mutex_unlock(&R.lock);
    ck_status(rig_get(&R, "/v1/cluster"), 200);
}
END_TEST

START_TEST(connections_of_one_source_are_limited)
{
    int *fds = calloc(API_SOURCE_CONNECTIONS_MAX + 8, sizeof *fds);
    unsigned n = API_SOURCE_CONNECTIONS_MAX + 8, closed = 0;
    for (unsigned i = 0; i < n; i++)
        fds[i] = dial();
    for (unsigned i = API_SOURCE_CONNECTIONS_MAX; i < n; i++) { /* the last ones are not taken */
        struct pollfd pf = {fds[i], POLLIN, 0};
        char c;
        closed += poll(&pf, 1, 10000) == 1 && recv(fds[i], &c, 1, 0) <= 0;
    }
    ck_assert_uint_eq(closed, 8);
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    free(fds);
    long long end = now_ms() + 10000;
    long status = 0;
    while (status != 200 && now_ms() < end)
        status = rig_get(&R, "/healthz")->status;
    ck_assert_int_eq(status, 200);
}
END_TEST

/* ---- the live lists */

#define DESK "supervisor-token-0123456789"

static void must(const char *method, const char *path, const char *json)
{
    const struct answer *a = rig_send(&R, method, path, json);
    ck_assert_msg(a->status == 200 || a->status == 201, "%s %s: %s", method, path, a->body);
}

/* 2001 supervises group east, in which 1001 is; 1002 is in west. */
static void people(void)
{
    static const char *const agents[] = {"1001", "1002", "2001"}, *const groups[] = {"east", "west", "west"};
    rig_newest(&R);
    for (int i = 0; i < 3; i++) {
        char path[64], body[200];
        snprintf(path, sizeof path, "/v1/extensions/800%d", i);
        must("PUT", path, "{\"contact\":\"sip:x@127.0.0.1:9000\"}");
        snprintf(path, sizeof path, "/v1/agents/%s", agents[i]);
        snprintf(body, sizeof body, "{\"extension\":\"800%d\",\"group\":\"%s\",\"type\":\"%s\"%s}", i, groups[i], i == 2 ? "supervisor" : "agent",
                 i == 2 ? ",\"manages_groups\":[\"east\"]" : "");
        must("PUT", path, body);
    }
    must("PUT", "/v1/queues/sales", "{\"members\":[{\"agent\":\"1002\"}]}");
    must("PUT", "/v1/tokens/desk", "{\"role\":\"supervisor\",\"agent\":\"2001\",\"token\":\"" DESK "\"}");
}

/* What came last of this type, as JSON; everything that came before is forgotten. */
static json_t *told(struct tls *t, const char *type)
{
    char want[80];
    snprintf(want, sizeof want, "event: everline.live.%s\ndata: ", type);
    ck_assert_msg(tls_wait(t, want, 10000), "no %s in: %s", type, t->text);
    const char *at = strstr(t->text, want);
    ck_assert(tls_wait(t, "}\n\n", 10000));
    json_t *j = json_loads(at + strlen(want), JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_msg(j != NULL, "%s", at);
    t->len = 0;
    t->text[0] = '\0';
    return j;
}

static const char *row_text(const json_t *change, const char *list, size_t i, const char *field)
{
    const char *s = json_string_value(json_object_get(json_array_get(json_object_get(change, list), i), field));
    return s ? s : "";
}

static size_t rows(const json_t *change, const char *list)
{
    return json_array_size(json_object_get(change, list));
}

START_TEST(live_lists_are_a_snapshot_then_changes)
{
    struct tls *all = malloc(sizeof *all), *desk = malloc(sizeof *desk);
    people();
    follow(all, "/v1/live", "");
    follow_as(desk, DESK, "/v1/live", "");
    json_t *a = told(all, "snapshot"), *d = told(desk, "snapshot");
    ck_assert_uint_eq(rows(a, "agents"), 3);
    ck_assert_str_eq(row_text(a, "queues", 0, "name"), "sales");
    ck_assert(json_is_false(json_object_get(a, "truncated")));
    ck_assert_uint_eq(rows(d, "agents"), 2); /* 1001 and the supervisor */
    ck_assert_uint_eq(rows(d, "queues"), 0);
    json_decref(a);
    json_decref(d);
    /* one row changes; of 1002 the supervisor hears nothing */
    must("POST", "/v1/agents/1002:login", "{}");
    a = told(all, "changed");
    ck_assert_uint_eq(rows(a, "agents"), 1);
    ck_assert_str_eq(row_text(a, "agents", 0, "state"), "idle");
    ck_assert_uint_eq(rows(a, "queues"), 1); /* one member more is idle */
    json_decref(a);
    must("POST", "/v1/agents/1001:login", "{}");
    d = told(desk, "changed");
    ck_assert_uint_eq(rows(d, "agents"), 1);
    ck_assert_str_eq(row_text(d, "agents", 0, "number"), "1001");
    ck_assert_str_eq(row_text(d, "agents", 0, "extension"), "8000");
    json_decref(d);
    json_decref(told(all, "changed"));
    /* what is managed changes: rows come and go; what is removed goes */
    must("PATCH", "/v1/agents/2001", "{\"manages_groups\":[],\"manages_queues\":[\"sales\"]}");
    d = told(desk, "changed");
    ck_assert_uint_eq(rows(d, "agents"), 1);
    ck_assert_str_eq(row_text(d, "agents", 0, "number"), "1002");
    ck_assert_str_eq(row_text(d, "queues", 0, "name"), "sales");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json_object_get(d, "gone"), "agents"), 0)), "1001");
    json_decref(d);
    must("POST", "/v1/agents/1001:logout", "{}");
    json_decref(told(all, "changed"));
    ck_status(rig_ask(&R, RIG_ADMIN, "DELETE", "/v1/agents/1001", NULL, NULL, 0), 204);
    a = told(all, "changed");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json_object_get(a, "gone"), "agents"), 0)), "1001");
    json_decref(a);
    /* no supervisor any more: the stream ends */
    must("PATCH", "/v1/agents/2001", "{\"manages_queues\":[],\"type\":\"agent\"}");
    ck_assert(tls_wait(desk, NULL, 10000));
    tls_close(all);
    tls_close(desk);
    free(all);
    free(desk);
}
END_TEST

START_TEST(live_streams_are_limited)
{
    struct tls *t = calloc(API_LIVE_STREAMS_MAX, sizeof *t);
    for (unsigned i = 0; i < API_LIVE_STREAMS_MAX; i++) {
        follow(&t[i], "/v1/live", "");
        ck_assert(tls_wait(&t[i], "everline.live.snapshot", 10000));
    }
    ck_status(rig_get(&R, "/v1/live"), 503);
    tls_close(&t[0]);
    long long end = now_ms() + 15000; /* that it has left is seen a little later */
    long status = 503;
    while (status == 503 && now_ms() < end)
        status = rig_ask(&R, RIG_ADMIN, "HEAD", "/v1/live", NULL, NULL, 0)->status;
    ck_assert_int_eq(status, 200);
    for (unsigned i = 1; i < API_LIVE_STREAMS_MAX; i++)
        tls_close(&t[i]);
    free(t);
}
END_TEST

/* A supervisor's events: only of what is managed, and not after that has ended. */
START_TEST(events_within_the_scope)
{
    struct tls *t = malloc(sizeof *t);
    people();
    follow_as(t, DESK, "/v1/events", "");
    ck_assert(tls_wait(t, ": beat", 10000));
    must("POST", "/v1/agents/1002:login", "{}");
    must("POST", "/v1/agents/1001:login", "{}");
    ck_assert(tls_wait(t, "\"agent\":\"1001\"", 10000));
    ck_assert_ptr_null(strstr(t->text, "1002"));
    must("PATCH", "/v1/agents/2001", "{\"manages_groups\":[\"west\"]}");
    must("POST", "/v1/agents/1002:set-state", "{\"state\":\"not_ready\"}");
    ck_assert(tls_wait(t, "\"agent\":\"1002\"", 10000));
    ck_assert_ptr_null(strstr(t->text, "everline.config.changed"));
    must("PATCH", "/v1/agents/2001", "{\"manages_groups\":[],\"type\":\"agent\"}");
    ck_assert(tls_wait(t, NULL, 10000));
    tls_close(t);
    free(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("streams");
    TCase *t = tcase_create("connections");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 150);
    tcase_add_test(t, events_come_live_and_again);
    tcase_add_test(t, events_that_are_not_kept_are_gone);
    tcase_add_test(t, a_stream_ends_with_its_token);
    tcase_add_test(t, many_events_come_in_order);
    tcase_add_test(t, slow_clients_are_closed);
    tcase_add_test(t, a_connection_without_tls_is_closed);
    tcase_add_test(t, what_is_not_http_does_no_harm);
    tcase_add_test(t, silence_of_the_node_is_a_time_out);
    tcase_add_test(t, connections_of_one_source_are_limited);
    tcase_add_test(t, live_lists_are_a_snapshot_then_changes);
    tcase_add_test(t, live_streams_are_limited);
    tcase_add_test(t, events_within_the_scope);
    suite_add_tcase(s, t);
    t = tcase_create("answers");
    tcase_add_checked_fixture(t, small_setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, answers_that_nobody_takes_are_bounded);
    suite_add_tcase(s, t);
    return run_suite(s);
}
