/* A business system for tests: a server on loopback, a thread for each connection, whose behaviour is the path that is asked for. */
#ifndef TESTS_HTTP_RIG_H
#define TESTS_HTTP_RIG_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig {
    int fd;
    uint16_t port;
    SSL_CTX *tls; /* NULL: plain */
    char *ca;     /* its certificate, PEM */
    pthread_t thread;
    atomic_int stop, requests, connections, threads;
    atomic_int dead; /* not 0: nothing is answered, whatever is asked for */
};

struct rig_conn {
    struct rig *rig;
    int fd;
    SSL *ssl;
};

static ssize_t rig_read(struct rig_conn *c, char *buf, size_t size)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    while (!atomic_load(&c->rig->stop)) {
        if (c->ssl && SSL_pending(c->ssl))
            break;
        if (poll(&p, 1, 20) > 0)
            break;
    }
    if (atomic_load(&c->rig->stop))
        return -1;
    return c->ssl ? SSL_read(c->ssl, buf, (int)size) : recv(c->fd, buf, size, 0);
}

static int rig_write(struct rig_conn *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0 || atomic_load(&c->rig->stop))
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Until the other end goes, or the test ends. */
static void rig_silence(struct rig_conn *c)
{
    char buf[64];
    while (rig_read(c, buf, sizeof buf) > 0)
        ;
}

static int rig_say(struct rig_conn *c, const char *status, const char *more, const char *body)
{
    char head[512];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
                     status, more, strlen(body));
    return rig_write(c, head, (size_t)n) || rig_write(c, body, strlen(body)) ? -1 : 0;
}

static void rig_flood(struct rig_conn *c, const char *head, const char *unit)
{
    int bad = rig_write(c, head, strlen(head));
    while (!bad)
        bad = rig_write(c, unit, strlen(unit));
}

static void rig_json(char *out, size_t size, const char *request)
{
    size_t n = 0;
    out[n++] = '"';
    for (; *request && n + 4 < size; request++) {
        if (*request == '\r')
            continue;
        if (*request == '\n' || *request == '"' || *request == '\\') {
            out[n++] = '\\';
            out[n++] = *request == '\n' ? 'n' : *request;
        } else {
            out[n++] = *request;
        }
    }
    out[n++] = '"';
    out[n] = '\0';
}

/* 0: the connection goes on */
static int rig_answer(struct rig_conn *c, const char *request)
{
    const char *path = strchr(request, ' ');
    path = path ? path + 1 : "";
    char text[8192];
    atomic_fetch_add(&c->rig->requests, 1);
    if (atomic_load(&c->rig->dead) || strncmp(path, "/dead", 5) == 0) {
        rig_silence(c);
        return -1;
    }
    if (strncmp(path, "/echo", 5) == 0) {
        rig_json(text, sizeof text, request);
        return rig_say(c, "200 OK", "", text);
    }
    if (strncmp(path, "/slow", 5) == 0) {
        poll(NULL, 0, atoi(path + 6));
        return rig_say(c, "200 OK", "", "{}");
    }
    if (strncmp(path, "/redirect", 9) == 0)
        return rig_say(c, "302 Found", "Location: /ok\r\n", "");
    if (strncmp(path, "/broken", 7) == 0)
        return rig_say(c, "500 Internal Server Error", "", "{\"sorry\":1}");
    if (strncmp(path, "/ok", 3) == 0)
        return rig_say(c, "200 OK", "Set-Cookie: a=b\r\n", "{\"vip\":true}");
    if (strncmp(path, "/garbage", 8) == 0)
        (void)rig_write(c, "\001\002 not HTTP at all\r\n\r\n", 22);
    if (strncmp(path, "/half", 5) == 0)
        (void)rig_write(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 41);
    if (strncmp(path, "/huge", 5) == 0)
        rig_flood(c, "HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    if (strncmp(path, "/headers", 8) == 0)
        rig_flood(c, "HTTP/1.1 200 OK\r\n", "X-More: 0123456789abcdef0123456789abcdef\r\n");
    return -1;
}

static void rig_serve(struct rig_conn *c)
{
    static const char length[] = "\r\nContent-Length: ";
    char buf[4096];
    size_t have = 0;
    for (;;) {
        ssize_t n = rig_read(c, buf + have, sizeof buf - 1 - have);
        if (n <= 0)
            return;
        have += (size_t)n;
        buf[have] = '\0';
        char *end = strstr(buf, "\r\n\r\n"), *len = strcasestr(buf, length);
        if (!end)
            continue;
        size_t want = (size_t)(end + 4 - buf) + (len ? strtoul(len + sizeof length - 1, NULL, 10) : 0);
        if (have < want)
            continue;
        if (rig_answer(c, buf))
            return;
        have = 0;
    }
}

static void *rig_connection(void *arg)
{
    struct rig_conn *c = arg;
    bool ready = true;
    if (c->rig->tls) {
        c->ssl = SSL_new(c->rig->tls);
        SSL_set_fd(c->ssl, c->fd);
        ready = SSL_accept(c->ssl) == 1;
    }
    if (ready)
        rig_serve(c);
    SSL_free(c->ssl);
    close(c->fd);
    atomic_fetch_sub(&c->rig->threads, 1);
    free(c);
    return NULL;
}

static void *rig_main(void *arg)
{
    struct rig *r = arg;
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    while (!atomic_load(&r->stop)) {
        if (poll(&p, 1, 20) <= 0)
            continue;
        struct rig_conn *c = calloc(1, sizeof *c);
        c->rig = r;
        c->fd = accept(r->fd, NULL, NULL);
        atomic_fetch_add(&r->connections, 1);
        atomic_fetch_add(&r->threads, 1);
        pthread_t t;
        ck_assert_int_eq(pthread_create(&t, NULL, rig_connection, c), 0);
        pthread_detach(t);
    }
    return NULL;
}

/* A certificate for this name that its owner has signed himself. */
static void rig_certificate(struct rig *r, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"crm", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    char alt[64];
    snprintf(alt, sizeof alt, "IP:%s", name);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
    r->tls = SSL_CTX_new(TLS_server_method());
    ck_assert_int_eq(SSL_CTX_use_certificate(r->tls, x), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(r->tls, key), 1);
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, x);
    char *pem;
    long len = BIO_get_mem_data(b, &pem);
    r->ca = calloc(1, (size_t)len + 1); /* pem has no end of its own */
    ck_assert_ptr_nonnull(r->ca);
    memcpy(r->ca, pem, (size_t)len);
    BIO_free(b);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* certificate_name NULL: plain HTTP */
static void rig_start(struct rig *r, const char *certificate_name)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    memset(r, 0, sizeof *r);
    if (certificate_name)
        rig_certificate(r, certificate_name);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(r->fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(r->fd, 512), 0);
    ck_assert_int_eq(getsockname(r->fd, (struct sockaddr *)&a, &len), 0);
    r->port = ntohs(a.sin_port);
    ck_assert_int_eq(pthread_create(&r->thread, NULL, rig_main, r), 0);
}

static void rig_stop(struct rig *r)
{
    atomic_store(&r->stop, 1);
    pthread_join(r->thread, NULL);
    while (atomic_load(&r->threads) > 0)
        poll(NULL, 0, 1); /* each sees `stop` within 20 ms */
    close(r->fd);
    SSL_CTX_free(r->tls);
    free(r->ca);
}

#endif
