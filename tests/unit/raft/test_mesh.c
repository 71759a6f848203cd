/* Strangers at the mesh port: wrong authority, wrong name, rubbish, half-open connections. The cluster goes on. */
#include <dlfcn.h>
#include <signal.h>

#include "base/log.h"
#include "raft/mesh.h"
#include "raft/mesh_told.h"
#include "tests/unit/raft/fixture.h"
#include "tests/unit/suite.h"

/* The library's own SSL_new, unless a test has used up the memory for it. */
static unsigned no_memory_for;

SSL *SSL_new(SSL_CTX *ctx)
{
    SSL *(*make)(SSL_CTX *);
    if (no_memory_for) {
        no_memory_for--;
        return NULL;
    }
    void *found = dlsym(RTLD_NEXT, "SSL_new");
    ck_assert_ptr_nonnull(found);
    memcpy(&make, &found, sizeof make);
    return make(ctx);
}

struct stranger {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    bool closed;
    char buf[512];
    const uint8_t *data;
    size_t len;
};

static void stranger_closed(uv_handle_t *h)
{
    ((struct stranger *)h->data)->closed = true;
}

static void stranger_alloc(uv_handle_t *h, size_t n, uv_buf_t *buf)
{
    struct stranger *s = h->data;
    (void)n;
    *buf = uv_buf_init(s->buf, sizeof s->buf);
}

static void stranger_read(uv_stream_t *st, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0)
        uv_close((uv_handle_t *)st, stranger_closed);
}

static void stranger_connected(uv_connect_t *req, int status)
{
    struct stranger *s = req->data;
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)s->data, (unsigned)s->len);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(uv_read_start((uv_stream_t *)&s->tcp, stranger_alloc, stranger_read), 0);
    if (s->len)
        ck_assert_int_eq(uv_write(&s->write, (uv_stream_t *)&s->tcp, &b, 1, NULL), 0);
}

static bool is_closed(struct fx *fx, void *arg)
{
    (void)fx;
    return ((struct stranger *)arg)->closed;
}

static void visit(struct fx *fx, struct stranger *s, const void *data, size_t len)
{
    struct sockaddr_storage to;
    memset(s, 0, sizeof *s);
    s->data = data;
    s->len = len;
    uv_tcp_init(&fx->loop, &s->tcp);
    s->tcp.data = s->connect.data = s;
    ck_assert_int_eq(mesh_address_parse(fx->nodes[0].listen, &to), 0);
    ck_assert_int_eq(uv_tcp_connect(&s->connect, &s->tcp, (struct sockaddr *)&to, stranger_connected), 0);
}

START_TEST(test_rubbish_is_harmless)
{
    struct fx *fx = fx_new();
    struct stranger s;
    uint8_t junk[4096];
    fx_cluster(fx, 2);
    for (unsigned round = 0; round < 8; round++) {
        for (size_t i = 0; i < sizeof junk; i++)
            junk[i] = (uint8_t)(i * 131 + round * 17 + (i >> 3));
        if (round & 1)
            memcpy(junk, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11); /* like a TLS hello */
        visit(fx, &s, junk, sizeof junk);
        ck_assert(fx_until(fx, is_closed, &s));
        ck_assert_int_eq(fx_commit(fx, 1, round), 0);
    }
    ck_assert_uint_eq(fx->nodes[0].fatals, 0);
    fx_free(fx);
}
END_TEST

START_TEST(test_silent_connections_are_closed_and_bounded)
{
    struct fx *fx = fx_new();
    struct stranger s[MESH_STRANGERS_MAX + 4];
    unsigned closed = 0;
    fx_cluster(fx, 2);
    for (unsigned i = 0; i < MESH_STRANGERS_MAX + 4; i++)
        visit(fx, &s[i], "", 0);
    ck_assert_int_eq(fx_commit(fx, 1, 1), 0);
    for (unsigned i = 0; i < MESH_STRANGERS_MAX + 4; i++)
        ck_assert(fx_until(fx, is_closed, &s[i]));
    for (unsigned i = 0; i < MESH_STRANGERS_MAX + 4; i++)
        closed += s[i].closed;
    ck_assert_uint_eq(closed, MESH_STRANGERS_MAX + 4);
    ck_assert_int_eq(fx_commit(fx, 1, 2), 0);
    fx_free(fx);
}
END_TEST

START_TEST(test_the_oldest_stranger_gives_way)
{
    /* However many there are, whoever comes is let in, and not only once the first have run out of time. */
    struct fx *fx = fx_new();
    struct stranger s[MESH_STRANGERS_MAX + 1];
    fx_cluster(fx, 2);
    for (unsigned i = 0; i < MESH_STRANGERS_MAX + 1; i++)
        visit(fx, &s[i], "", 0);
    ck_assert(fx_until(fx, is_closed, &s[0]));
    for (unsigned i = 1; i < MESH_STRANGERS_MAX + 1; i++)
        ck_assert_msg(!s[i].closed, "number %u", i);
    for (unsigned i = 1; i < MESH_STRANGERS_MAX + 1; i++)
        uv_close((uv_handle_t *)&s[i].tcp, stranger_closed);
    ck_assert(fx_until(fx, is_closed, &s[MESH_STRANGERS_MAX]));
    fx_free(fx);
}
END_TEST

START_TEST(test_out_of_memory_does_not_stop_the_listener)
{
    struct fx *fx = fx_new();
    struct stranger s[6];
    fx_cluster(fx, 1);
    no_memory_for = 5;
    for (unsigned i = 0; i < 5; i++)
        visit(fx, &s[i], "", 0);
    for (unsigned i = 0; i < 5; i++)
        ck_assert(fx_until(fx, is_closed, &s[i]));
    ck_assert_uint_eq(no_memory_for, 0);
    visit(fx, &s[5], "rubbish, for which it is closed", 31);
    ck_assert(fx_until(fx, is_closed, &s[5]));
    fx_join(fx, 0, 1);
    ck_assert_int_eq(fx_commit(fx, 1, 1), 0);
    fx_free(fx);
}
END_TEST

struct unchanged {
    unsigned left;
};

static bool turns(struct fx *fx, void *arg)
{
    struct unchanged *u = arg;
    (void)fx;
    return u->left == 0 || --u->left == 0;
}

/* A node with such a certificate asks to join under the name of a member that was added: it never gets in. */
static void refused_certificate(const char *cn, bool other_authority)
{
    struct fx *fx = fx_new();
    struct err_info info = {0};
    struct unchanged u = {200};
    fx_cluster(fx, 1);
    fx_certify(fx, cn, fx->nodes[1].cert, fx->nodes[1].key, other_authority);
    ck_assert_int_eq(fx_member_op(fx, 0, FX_ADD, "n2", fx->nodes[1].listen, NULL, NULL, 0), 0);
    ck_assert_int_eq(fx_start(fx, 1, false, 0, &info), 0);
    ck_assert(fx_until(fx, turns, &u));
    ck_assert_uint_eq(repl_id(fx->nodes[1].repl), 0);
    ck_assert_uint_eq(fx->nodes[0].ups, 0);
    ck_assert_int_eq(fx_commit(fx, 0, 1), 0);
    /* and with the right one it does */
    fx_stop(fx, 1);
    fx_remove_tree(fx->nodes[1].dir);
    fx_certify(fx, "n2", fx->nodes[1].cert, fx->nodes[1].key, false);
    ck_assert_int_eq(fx_start(fx, 1, false, 0, &info), 0);
    ck_assert(fx_wait_same(fx, 1));
    fx_free(fx);
}

START_TEST(test_other_authority_is_refused)
{
    refused_certificate("n2", true);
}
END_TEST

START_TEST(test_other_name_is_refused)
{
    refused_certificate("n3", false);
}
END_TEST

/* Lines of a log that say all of `a` and `b`. */
static unsigned lines_with(FILE *log, const char *a, const char *b)
{
    char line[1024];
    unsigned n = 0;
    rewind(log);
    while (fgets(line, sizeof line, log))
        n += strstr(line, a) && strstr(line, b);
    return n;
}

static int log_into(FILE *log)
{
    int before = dup(STDERR_FILENO);
    ck_assert_int_ge(before, 0);
    ck_assert_int_ge(dup2(fileno(log), STDERR_FILENO), 0);
    return before;
}

static bool has_tried(struct fx *fx, void *arg)
{
    (void)fx;
    return lines_with(arg, "asks to join", "not been added") > 0;
}

/* A node that asks again and again before it is added, and a stranger that comes again and again, are told of once. */
START_TEST(test_repetitions_are_told_once)
{
    struct fx *fx = fx_new();
    struct err_info info = {0};
    struct stranger s;
    FILE *log = tmpfile();
    ck_assert_ptr_nonnull(log);
    fx_cluster(fx, 2);
    int before = log_into(log);
    log_setup(LOG_INFO, false, "test");
    for (unsigned i = 0; i < 5; i++) {
        visit(fx, &s, "GET / HTTP/1.1\r\n\r\n", 18);
        ck_assert(fx_until(fx, is_closed, &s));
    }
    unsigned strangers = lines_with(log, "stranger", "closed");
    fx_certify(fx, "n3", fx->nodes[2].cert, fx->nodes[2].key, false);
    ck_assert_int_eq(fx_start(fx, 2, false, 0, &info), 0);
    ck_assert(fx_until(fx, has_tried, log));
    for (unsigned i = 0; i < 4; i++) { /* each takes several tries' time */
        struct unchanged u = {200};
        ck_assert(fx_until(fx, turns, &u));
    }
    unsigned asked = lines_with(log, "n3", "asks to join"), closed = lines_with(log, "n3", "closed");
    ck_assert_int_ge(dup2(before, STDERR_FILENO), 0);
    close(before);
    ck_assert_uint_eq(strangers, 1);
    ck_assert_uint_ge(asked, 1);
    ck_assert_uint_le(asked, 2); /* the leader, and perhaps the other node that sent it there */
    ck_assert_uint_eq(closed, 0);
    fclose(log);
    fx_free(fx);
}
END_TEST

START_TEST(test_what_is_news)
{
    static struct mesh_told t;
    char who[16];
    ck_assert(mesh_told_news(&t, "n1", "closed by peer"));
    ck_assert(!mesh_told_news(&t, "n1", "closed by peer"));
    ck_assert(mesh_told_news(&t, "n2", "closed by peer"));
    ck_assert(mesh_told_news(&t, "n1", "certificate has expired"));
    ck_assert(mesh_told_news(&t, "n1", "closed by peer"));
    mesh_told_forget(&t, "n1"); /* it was up in between */
    ck_assert(mesh_told_news(&t, "n1", "closed by peer"));
    ck_assert(!mesh_told_news(&t, "n2", "closed by peer"));
    for (unsigned i = 0; i < 2 * MESH_TOLD_MAX; i++) {
        snprintf(who, sizeof who, "x%u", i);
        ck_assert(mesh_told_news(&t, who, "closed by peer"));
        ck_assert(!mesh_told_news(&t, who, "closed by peer"));
    }
    ck_assert(mesh_told_news(&t, "n2", "closed by peer")); /* forgotten for others */
}
END_TEST

START_TEST(test_writing_to_a_dead_peer_is_no_signal)
{
    struct fx *fx = fx_new();
    struct sigaction sa;
    fx_cluster(fx, 1);
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &sa), 0);
    ck_assert(sa.sa_handler == SIG_IGN);
    fx_free(fx);
}
END_TEST

START_TEST(test_bad_files_are_told)
{
    struct fx *fx = fx_new();
    struct err_info info = {0};
    char keep[256];
    memcpy(keep, fx->nodes[0].cert, sizeof keep);
    snprintf(fx->nodes[0].cert, sizeof fx->nodes[0].cert, "%s/missing.crt", fx->dir);
    ck_assert_int_ne(fx_start(fx, 0, true, -1, &info), 0);
    ck_assert_str_eq(info.field, "cert_file");
    memcpy(fx->nodes[0].cert, keep, sizeof keep);
    memcpy(keep, fx->nodes[0].key, sizeof keep);
    memcpy(fx->nodes[0].key, fx->nodes[1].key, sizeof keep);
    ck_assert_int_ne(fx_start(fx, 0, true, -1, &info), 0);
    ck_assert_str_eq(info.field, "key_file");
    memcpy(fx->nodes[0].key, keep, sizeof keep);
    snprintf(fx->nodes[0].listen, sizeof fx->nodes[0].listen, "somewhere");
    ck_assert_int_eq(fx_start(fx, 0, true, -1, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "listen");
    fx_free(fx);
}
END_TEST

START_TEST(test_addresses)
{
    struct sockaddr_storage ss;
    ck_assert_int_eq(mesh_address_parse("127.0.0.1:7400", &ss), 0);
    ck_assert_int_eq(mesh_address_parse("[::1]:7400", &ss), 0);
    ck_assert_int_eq(ss.ss_family, AF_INET6);
    static const char *bad[] = {"",         ":1",        "1.2.3.4",   "1.2.3.4:",   "1.2.3.4:0", "1.2.3.4:65536",
                                "::1:7400", "[::1:7400", "host:7400", "1.2.3.4:7x", "[]:1",      "1.2.3.4:123456"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(mesh_address_parse(bad[i], &ss) == ERR_INVAL, "%s", bad[i]);
    ck_assert_int_eq(mesh_address_parse(NULL, &ss), ERR_INVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("raft mesh");
    TCase *tc = tcase_create("mesh");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_rubbish_is_harmless);
    tcase_add_test(tc, test_silent_connections_are_closed_and_bounded);
    tcase_add_test(tc, test_the_oldest_stranger_gives_way);
    tcase_add_test(tc, test_out_of_memory_does_not_stop_the_listener);
    tcase_add_test(tc, test_other_authority_is_refused);
    tcase_add_test(tc, test_other_name_is_refused);
    tcase_add_test(tc, test_repetitions_are_told_once);
    tcase_add_test(tc, test_what_is_news);
    tcase_add_test(tc, test_writing_to_a_dead_peer_is_no_signal);
    tcase_add_test(tc, test_bad_files_are_told);
    tcase_add_test(tc, test_addresses);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
