/* What the SIP tests share: an endpoint on its own su_root at free loopback ports, a record of what it told its owner, and a
 * peer with raw sockets that writes and reads SIP text. Everything waits for an event with a deadline, driving the
 * endpoint's loop meanwhile. */
#ifndef TEST_SIP_ENV_H
#define TEST_SIP_ENV_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "telephony/digest.h"
#include "telephony/sip.h"
#include "tests/unit/suite.h"

#define WAIT_MS 8000
#define MSG_MAX 70000
#define UNUSED __attribute__((unused))

static const char SDP_A[] UNUSED = "v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                                   "m=audio 4000 RTP/AVP 8\r\n";
static const char SDP_B[] UNUSED = "v=0\r\no=b 2 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                                   "m=audio 5000 RTP/AVP 8\r\n";
static const char SDP_HOLD[] UNUSED = "v=0\r\no=a 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                                      "m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n";

struct seen {
    struct sip_leg *leg;
    enum sip_event_type type;
    int status, retry_after_s;
    char digit;
    bool has_sdp, early_reliable;
    char sdp[2048], phrase[128], redirect[128], refer_to[128];
};

struct env {
    su_root_t *root;
    struct sip_ua *ua;
    uint16_t port;
    struct sip_config cfg;
    enum sip_identity identity;
    int overload;
    bool silent; /* may_act says no */
    /* last INVITE and REGISTER */
    struct sip_leg *leg;
    int invites, registers;
    struct sip_invite_info inv;
    char inv_text[10][256], inv_sdp[2048], auth_user[64];
    bool inv_has_sdp, inv_withheld, inv_has_auth;
    bool has_replaces; /* of the last INVITE or REFER */
    struct sip_replaces replaces;
    struct sip_reg *reg;
    struct sip_register_info reg_info;
    struct sip_register_contact reg_contact[10];
    char reg_uri[10][256], reg_instance[10][128], reg_text[4][256];
    bool hold_register;
    /* events */
    struct seen ev[64];
    size_t n_ev, next_ev;
    void (*on_event)(struct env *e, struct sip_leg *leg, const struct sip_event *ev);
    void (*on_invite)(struct env *e, struct sip_leg *leg);
};

static UNUSED uint64_t now_ms(void)
{
    return clock_mono_now().us / 1000;
}

static void copy_text(char *out, size_t size, const char *in)
{
    snprintf(out, size, "%s", in ? in : "");
}

static void env_replaces(struct env *e, const struct sip_replaces *r)
{
    e->has_replaces = r != NULL;
    e->replaces = r ? *r : (struct sip_replaces){.call_id = ""};
}

static void env_leg_cb(void *ctx, struct sip_leg *leg, const struct sip_event *ev)
{
    struct env *e = ctx;
    ck_assert_uint_lt(e->n_ev, 64);
    struct seen *s = &e->ev[e->n_ev++];
    memset(s, 0, sizeof *s);
    s->leg = leg;
    s->type = ev->type;
    s->status = ev->status;
    s->digit = ev->digit;
    s->retry_after_s = ev->retry_after_s;
    s->early_reliable = ev->early_reliable;
    s->has_sdp = ev->sdp != NULL;
    copy_text(s->sdp, sizeof s->sdp, ev->sdp);
    copy_text(s->phrase, sizeof s->phrase, ev->phrase);
    copy_text(s->redirect, sizeof s->redirect, ev->redirect);
    copy_text(s->refer_to, sizeof s->refer_to, ev->refer_to);
    if (ev->type == SIP_EV_REFER)
        env_replaces(e, ev->replaces);
    if (ev->sdp)
        ck_assert_uint_eq(ev->sdp_len, strlen(ev->sdp));
    if (e->on_event)
        e->on_event(e, leg, ev);
}

static enum sip_identity env_identify(void *ctx, const struct sockaddr *source, const char *from_user,
                                      const char **trunk, const char **user)
{
    struct env *e = ctx;
    (void)source;
    (void)from_user;
    if (e->identity == SIP_ID_TRUNK)
        *trunk = "demo";
    if (e->identity == SIP_ID_STATIC_PHONE)
        *user = "8002";
    return e->identity;
}

static int env_get_ha1(void *ctx, const char *user, const char *algorithm, char out[65])
{
    enum digest_alg alg;
    (void)ctx;
    if (strcmp(user, "8001") != 0 || digest_alg_parse(algorithm, &alg) != 0)
        return ERR_NOTFOUND;
    return digest_ha1(alg, user, "everline", "secret", out);
}

static int env_overloaded(void *ctx, const char **why)
{
    struct env *e = ctx;
    *why = "Too Busy";
    return e->overload;
}

static void env_on_invite(void *ctx, struct sip_leg *leg, const struct sip_invite_info *info)
{
    struct env *e = ctx;
    e->leg = leg;
    e->invites++;
    e->inv = *info;
    const char *text[10] = {info->from_user,   info->from_display, info->to_user,  info->request_user,    info->call_id,
                            info->contact_uri, info->trunk,        info->local_ip, info->asserted_number, info->asserted_display};
    for (int i = 0; i < 10; i++)
        copy_text(e->inv_text[i], sizeof e->inv_text[i], text[i]);
    e->inv_has_sdp = info->sdp != NULL;
    copy_text(e->inv_sdp, sizeof e->inv_sdp, info->sdp);
    e->inv_withheld = info->withheld;
    e->inv_has_auth = info->auth_user != NULL;
    env_replaces(e, info->replaces);
    copy_text(e->auth_user, sizeof e->auth_user, info->auth_user);
    sip_leg_set_cb(leg, env_leg_cb, e);
    sip_leg_trying(leg);
    if (e->on_invite)
        e->on_invite(e, leg);
}

static void env_on_register(void *ctx, struct sip_reg *reg, const struct sip_register_info *info)
{
    struct env *e = ctx;
    e->registers++;
    e->reg_info = *info;
    copy_text(e->reg_text[0], 256, info->user);
    copy_text(e->reg_text[1], 256, info->flow);
    copy_text(e->reg_text[2], 256, info->path);
    copy_text(e->reg_text[3], 256, info->user_agent);
    struct sip_binding b[10];
    for (size_t i = 0; i < info->n_contacts; i++) {
        e->reg_contact[i] = info->contacts[i];
        copy_text(e->reg_uri[i], 256, info->contacts[i].uri);
        copy_text(e->reg_instance[i], 128, info->contacts[i].instance);
        b[i] = (struct sip_binding){info->contacts[i].uri, info->contacts[i].expires_s, info->contacts[i].instance,
                                    info->contacts[i].reg_id};
    }
    e->reg = reg;
    if (!e->hold_register)
        sip_register_reply(reg, 200, NULL, 0, b, info->n_contacts);
}

static bool env_may_act(void *ctx)
{
    const struct env *e = ctx;
    return !e->silent;
}

/* Starts the endpoint on e->root. */
static void env_open(struct env *e)
{
    struct sip_handler h = {.ctx = e,
                            .identify = env_identify,
                            .get_ha1 = env_get_ha1,
                            .overloaded = env_overloaded,
                            .on_invite = env_on_invite,
                            .may_act = env_may_act,
                            .on_register = env_on_register};
    struct err_info info = {0};
    int rc = sip_ua_start(e->root, &e->cfg, &h, &e->ua, &info);
    ck_assert_msg(rc == 0, "%s: %s", info.field, info.text);
    e->port = sip_ua_port(e->ua, 0);
    ck_assert_uint_ne(e->port, 0);
}

static UNUSED void env_start_at(struct env *e, const char *ip)
{
    e->cfg.listen[0].ip = ip;
    e->cfg.realm = "everline";
    e->cfg.product = "Everline/test";
    memset(e->cfg.nonce_key, 7, sizeof e->cfg.nonce_key);
    su_init();
    e->root = su_root_create(NULL);
    ck_assert_ptr_nonnull(e->root);
    su_root_threading(e->root, 0);
    env_open(e);
}

static UNUSED void env_start(struct env *e)
{
    env_start_at(e, "127.0.0.1");
}

static UNUSED struct env *env_new(void)
{
    struct env *e = calloc(1, sizeof *e);
    e->identity = SIP_ID_TRUNK;
    return e;
}

static UNUSED void env_stop(struct env *e)
{
    sip_ua_stop(e->ua, false);
    su_root_destroy(e->root);
    su_deinit();
    free(e);
}

static UNUSED void env_turn(struct env *e)
{
    su_root_step(e->root, 2);
}

/* The next event to the owner; it must be of this type. */
static UNUSED struct seen *env_event(struct env *e, enum sip_event_type type)
{
    uint64_t end = now_ms() + WAIT_MS;
    while (e->next_ev == e->n_ev && now_ms() < end)
        env_turn(e);
    ck_assert_msg(e->next_ev < e->n_ev, "no event, wanted %d", (int)type);
    struct seen *s = &e->ev[e->next_ev++];
    ck_assert_msg(s->type == type, "event %d (%d %s), wanted %d", (int)s->type, s->status, s->phrase, (int)type);
    return s;
}

static UNUSED void env_no_event(struct env *e)
{
    ck_assert_msg(e->next_ev == e->n_ev, "unexpected event %d", (int)e->ev[e->next_ev].type);
}

#define env_until(e, cond)                               \
    do {                                                 \
        uint64_t env_end = now_ms() + WAIT_MS;           \
        bool env_ok;                                     \
        while (!(env_ok = (cond)) && now_ms() < env_end) \
            env_turn(e);                                 \
        ck_assert_msg(env_ok, "never came: %s", #cond);  \
    } while (0)

/* ---- a peer with a socket ---- */

struct peer {
    struct env *e;
    int fd;
    bool tcp;
    int family;
    uint16_t port;
    char ip[64], host[66]; /* host has brackets when IPv6 */
    char call_id[64], tag[32], to_tag[64], target[160];
    unsigned cseq;
    char branch[64];
    char buf[MSG_MAX]; /* TCP: what is not yet taken */
    size_t len;
    char msg[MSG_MAX]; /* last message read */
    char sent[8192];   /* last request sent, when it fits */
};

static UNUSED unsigned peer_serial;

static UNUSED struct peer *peer_new(struct env *e, int family, bool tcp)
{
    struct peer *p = calloc(1, sizeof *p);
    p->e = e;
    p->tcp = tcp;
    p->family = family;
    p->cseq = 1;
    snprintf(p->ip, sizeof p->ip, family == AF_INET6 ? "::1" : "127.0.0.1");
    snprintf(p->host, sizeof p->host, family == AF_INET6 ? "[::1]" : "127.0.0.1");
    snprintf(p->call_id, sizeof p->call_id, "call-%u-%d", ++peer_serial, (int)getpid());
    snprintf(p->tag, sizeof p->tag, "ptag%u", peer_serial);
    snprintf(p->target, sizeof p->target, "sip:10000@%s:%u", p->host, e->port);
    p->fd = socket(family, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    ck_assert_int_ge(p->fd, 0);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *sa = family == AF_INET6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
    socklen_t len = family == AF_INET6 ? sizeof a6 : sizeof a4;
    if (!tcp)
        ck_assert_int_eq(bind(p->fd, sa, len), 0);
    if (family == AF_INET6)
        a6.sin6_port = htons(e->port);
    else
        a4.sin_port = htons(e->port);
    ck_assert_int_eq(connect(p->fd, sa, len), 0);
    struct sockaddr_storage me;
    socklen_t mlen = sizeof me;
    getsockname(p->fd, (struct sockaddr *)&me, &mlen);
    p->port =
        ntohs(family == AF_INET6 ? ((struct sockaddr_in6 *)&me)->sin6_port : ((struct sockaddr_in *)&me)->sin_port);
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    return p;
}

static UNUSED struct peer *peer_udp(struct env *e)
{
    return peer_new(e, AF_INET, false);
}

static UNUSED void peer_free(struct peer *p)
{
    close(p->fd);
    free(p);
}

static UNUSED void peer_raw(struct peer *p, const char *text, size_t len)
{
    ck_assert_int_eq(send(p->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Sends text with %-formats; a body is appended with its Content-Length. */
static UNUSED void peer_text(struct peer *p, const char *body, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void peer_text(struct peer *p, const char *body, const char *fmt, ...)
{
    char out[MSG_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, sizeof out, fmt, ap);
    va_end(ap);
    n += snprintf(out + n, sizeof out - (size_t)n, "Content-Length: %zu\r\n\r\n%s", body ? strlen(body) : 0,
                  body ? body : "");
    if (strncmp(out, "SIP/2.0", 7) != 0)
        copy_text(p->sent, sizeof p->sent, out);
    peer_raw(p, out, (size_t)n);
}

/* The last request once more, as it was. */
static UNUSED void peer_again(struct peer *p)
{
    peer_raw(p, p->sent, strlen(p->sent));
}

/* A request of the peer. extra: header lines or "". The branch is new unless keep_branch was asked by an equal name. */
static UNUSED void peer_request(struct peer *p, const char *method, const char *extra, const char *body)
{
    bool same = strcmp(method, "ACK") == 0 || strcmp(method, "CANCEL") == 0;
    if (!same || !p->branch[0])
        snprintf(p->branch, sizeof p->branch, "z9hG4bKp%u.%d", ++peer_serial, (int)getpid());
    peer_text(p, body,
              "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s:%u;branch=%s;rport\r\nMax-Forwards: 70\r\n"
              "From: \"Caller\" <sip:8001@%s>;tag=%s\r\nTo: <sip:10000@%s>%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
              "Contact: <sip:8001@%s:%u%s>\r\n%s%s",
              method, p->target, p->tcp ? "TCP" : "UDP", p->host, p->port, p->branch, p->host, p->tag, p->host,
              p->to_tag[0] ? ";tag=" : "", p->to_tag, p->call_id, p->cseq, method, p->host, p->port,
              p->tcp ? ";transport=tcp" : "", extra,
              body && !strstr(extra, "Content-Type") ? "Content-Type: application/sdp\r\n" : "");
}

/* Value of a header of the last message ("" when absent); nth counts from 0. */
static UNUSED const char *peer_header_nth(struct peer *p, const char *name, int nth)
{
    static char value[1024];
    char key[64];
    snprintf(key, sizeof key, "\r\n%s:", name);
    const char *at = p->msg;
    while ((at = strcasestr(at, key)) && nth-- > 0)
        at++;
    const char *body = strstr(p->msg, "\r\n\r\n");
    if (!at || (body && at >= body))
        return "";
    at += strlen(key);
    at += strspn(at, " ");
    size_t n = strcspn(at, "\r\n");
    snprintf(value, sizeof value, "%.*s", (int)n, at);
    return value;
}

static UNUSED const char *peer_header(struct peer *p, const char *name)
{
    return peer_header_nth(p, name, 0);
}

static UNUSED const char *peer_body(struct peer *p)
{
    const char *b = strstr(p->msg, "\r\n\r\n");
    return b ? b + 4 : "";
}

static bool peer_take(struct peer *p)
{
    if (!p->tcp) {
        ssize_t n = recv(p->fd, p->msg, sizeof p->msg - 1, 0);
        if (n < 0)
            return false;
        p->msg[n] = '\0';
        return n > 0;
    }
    ssize_t n = recv(p->fd, p->buf + p->len, sizeof p->buf - 1 - p->len, 0);
    if (n > 0)
        p->len += (size_t)n;
    p->buf[p->len] = '\0';
    char *end = strstr(p->buf, "\r\n\r\n"), *cl = strcasestr(p->buf, "Content-Length:");
    if (!end)
        return false;
    size_t body = cl && cl < end ? (size_t)atoi(cl + 15) : 0, all = (size_t)(end + 4 - p->buf) + body;
    if (p->len < all)
        return false;
    memcpy(p->msg, p->buf, all);
    p->msg[all] = '\0';
    memmove(p->buf, p->buf + all, p->len - all + 1);
    p->len -= all;
    return true;
}

/* The next message. NULL when none came within ms. */
static UNUSED const char *peer_recv_ms(struct peer *p, unsigned ms)
{
    uint64_t end = now_ms() + ms;
    do {
        if (peer_take(p))
            return p->msg;
        env_turn(p->e);
    } while (now_ms() < end);
    return NULL;
}

/* The next message must start with this ("SIP/2.0 200", "BYE "); "100" answers are passed over. Tags are learnt. */
static UNUSED const char *peer_expect(struct peer *p, const char *start)
{
    bool hundred = strncmp(start, "SIP/2.0 100", 11) == 0;
    for (;;) {
        const char *m = peer_recv_ms(p, WAIT_MS);
        ck_assert_msg(m != NULL, "nothing came, wanted %s", start);
        if (!hundred && strncmp(m, "SIP/2.0 100", 11) == 0)
            continue;
        ck_assert_msg(strncmp(m, start, strlen(start)) == 0, "wanted %s, got:\n%s", start, m);
        if (strncmp(m, "SIP/2.0", 7) == 0) {
            const char *tag = strstr(peer_header(p, "To"), ";tag=");
            if (tag && atoi(m + 8) > 100)
                snprintf(p->to_tag, sizeof p->to_tag, "%s", tag + 5);
        }
        return m;
    }
}

static UNUSED int peer_status(struct peer *p)
{
    return strncmp(p->msg, "SIP/2.0 ", 8) == 0 ? atoi(p->msg + 8) : 0;
}

/* Answers the request in p->msg. */
static UNUSED void peer_reply(struct peer *p, int status, const char *to_tag, const char *extra, const char *body)
{
    char via[4096] = "", rr[2048] = "", from[512], to[512], cid[256], cseq[64];
    for (int i = 0; i < 8 && *peer_header_nth(p, "Via", i); i++)
        snprintf(via + strlen(via), sizeof via - strlen(via), "Via: %s\r\n", peer_header_nth(p, "Via", i));
    for (int i = 0; i < 8 && *peer_header_nth(p, "Record-Route", i); i++)
        snprintf(rr + strlen(rr), sizeof rr - strlen(rr), "Record-Route: %s\r\n",
                 peer_header_nth(p, "Record-Route", i));
    copy_text(from, sizeof from, peer_header(p, "From"));
    copy_text(to, sizeof to, peer_header(p, "To"));
    copy_text(cid, sizeof cid, peer_header(p, "Call-ID"));
    copy_text(cseq, sizeof cseq, peer_header(p, "CSeq"));
    bool add = to_tag && *to_tag && !strstr(to, ";tag=");
    peer_text(
        p, body,
        "SIP/2.0 %d Test\r\n%s%sFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:p@%s:%u%s>\r\n%s%s",
        status, via, rr, from, to, add ? ";tag=" : "", add ? to_tag : "", cid, cseq, p->host, p->port,
        p->tcp ? ";transport=tcp" : "", extra, body ? "Content-Type: application/sdp\r\n" : "");
}

/* Parameters for a call of ours to this peer. */
static UNUSED struct sip_out_params peer_params(struct peer *p, char target[160], char call_id[64], char branch[64])
{
    unsigned n = ++peer_serial;
    snprintf(target, 160, "sip:1001@%s:%u%s", p->host, p->port, p->tcp ? ";transport=tcp" : "");
    snprintf(call_id, 64, "out-%u-%d", n, (int)getpid());
    snprintf(branch, 64, "z9hG4bKout%u.%d", n, (int)getpid());
    return (struct sip_out_params){
        .target = target,
        .from_user = "10000",
        .from_display = "Ever \"line\"",
        .to_user = "1001",
        .call_id = call_id,
        .from_tag = "ourtag",
        .branch = branch,
        .cseq = 100,
        .sdp = SDP_B,
        .supports_100rel = true,
        .cb = env_leg_cb,
        .ctx = p->e,
    };
}

static UNUSED struct sip_leg *peer_called(struct peer *p)
{
    char target[160], call_id[64], branch[64];
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    struct sip_leg *leg = NULL;
    struct err_info info = {0};
    int rc = sip_leg_invite(p->e->ua, &params, &leg, &info);
    ck_assert_msg(rc == 0, "%s: %s", info.field, info.text);
    return leg;
}

/* Fixture of tests that need no more than an endpoint with default settings and one UDP peer. */
static UNUSED struct {
    struct env *env;
    struct peer *peer;
} rig;

static UNUSED void rig_up(void)
{
    rig.env = env_new();
    env_start(rig.env);
    rig.peer = peer_udp(rig.env);
}

static UNUSED void rig_down(void)
{
    peer_free(rig.peer);
    env_stop(rig.env);
}

#endif
