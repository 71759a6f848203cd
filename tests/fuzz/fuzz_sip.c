/* SIP from strangers, through a real socket into a running endpoint that answers calls.
 *
 * An input is one or more datagrams parted by a line "--8<--". The marker @TAG@ stands for the tag of our side of the newest
 * call, so that inputs can speak inside a dialog; an input that starts as a response gets a call of ours first, whose Call-ID
 * is "o@N@" and whose branch is "z9hG4bKo@N@". @PORT@ stands for the endpoint's port, as Routes with flow tokens name it. The process moves to a network of its own first, since a call's Contact
 * may name any address; where that is refused, calls are not answered and nothing is sent there. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "telephony/digest.h"
#include "telephony/sip.h"
#include "telephony/sip_subscribe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char sdp_text[] =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
static const char cut[] = "--8<--";

static struct {
    su_root_t *root;
    struct sip_ua *ua;
    int fd;
    bool alone; /* in a network of its own */
    unsigned calls, out;
    char tag[64], serial[16], target[64], port[8];
    struct sip_leg *leg; /* the call of ours, while it lives */
} rig;

/* Refused, taken with its leg, or its owner says no more. */
static void refer(struct sip_leg *leg, const char *to)
{
    struct sip_refer *r;
    bool taken = rig.calls % 3 != 0;
    if (!*to || strlen(to) > 255 || sip_leg_refer_answer(leg, taken ? 202 : 404, NULL, &r) != 0)
        abort();
    if (taken && rig.calls % 2)
        sip_leg_release(leg, 0, NULL);
    sip_refer_notify(r, 180);
    if (rig.calls % 5)
        sip_refer_notify(r, 200);
    else
        sip_refer_drop(r);
}

static void leg_cb(void *ctx, struct sip_leg *leg, const struct sip_event *ev)
{
    (void)ctx;
    if (ev->type == SIP_EV_REOFFER && sip_leg_reanswer(leg, rig.calls % 3 ? 200 : 488, sdp_text) != 0)
        abort();
    if (ev->type == SIP_EV_ACKED && rig.calls % 4 == 0)
        sip_leg_release(leg, 200, "enough");
    if (ev->type == SIP_EV_REFER)
        refer(leg, ev->refer_to);
}

static void on_invite(void *ctx, struct sip_leg *leg, const struct sip_invite_info *info)
{
    (void)ctx;
    struct sip_dialog d;
    sip_leg_set_cb(leg, leg_cb, NULL);
    sip_leg_dialog(leg, &d);
    if (strlen(d.local_tag) == 0 || strlen(info->from_user) > 255)
        abort();
    snprintf(rig.tag, sizeof rig.tag, "%s", d.local_tag);
    unsigned n = rig.calls++;
    if (!rig.alone || n % 5 == 4) {
        sip_leg_reject(leg, 486, NULL, 0);
        return;
    }
    if (sip_leg_ring(leg, 183, n % 2 ? sdp_text : NULL) != 0 || sip_leg_answer(leg, sdp_text) != 0)
        sip_leg_release(leg, 0, NULL);
}

static void on_register(void *ctx, struct sip_reg *reg, const struct sip_register_info *info)
{
    (void)ctx;
    sip_register_reply(reg, info->star ? 403 : 200, NULL, 0, NULL, 0);
}

static void on_notified(void *ctx, int status, int retry_after_s)
{
    (void)ctx;
    if (status < 200 || status > 699 || retry_after_s < 0 || retry_after_s > 3600)
        abort();
}

/* Taken, with a NOTIFY of what it said of itself, or refused. */
static void on_subscribe(void *ctx, struct sip_subscribe *s, const struct sip_subscribe_info *info)
{
    (void)ctx;
    static unsigned turn;
    static const char *const known[] = {"message-summary", "dialog", "presence"};
    char event[300];
    bool ours = false, refused = turn++ % 4 == 3;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ours = ours || strcmp(info->event, known[i]) == 0;
    if (!ours || !info->remote_tag[0] || !info->local_tag[0] || info->expires_s > SIP_SUBSCRIBE_MAX_S)
        abort();
    snprintf(event, sizeof event, "%s;id=%.200s", info->event, info->id);
    struct sip_notify_params p = {.call_id = info->call_id,
                                  .local_uri = info->local_uri,
                                  .local_tag = info->local_tag,
                                  .remote_uri = info->remote_uri,
                                  .remote_tag = info->remote_tag,
                                  .remote_target = info->remote_target,
                                  .route = info->route_set[0] ? info->route_set : NULL,
                                  .flow = turn % 2 ? info->flow : NULL,
                                  .local_ip = info->local_ip,
                                  .cseq = 1,
                                  .event = info->id[0] ? event : info->event,
                                  .state = "active;expires=60",
                                  .type = "text/plain",
                                  .body = "x"};
    struct sip_notify *n = NULL;
    if (!refused && rig.alone && sip_notify_send(rig.ua, &p, on_notified, NULL, &n) == 0 && turn % 3 == 0)
        sip_notify_forget(n);
    sip_subscribe_reply(s, refused ? 404 : 200, NULL, info->expires_s, 0); /* after what its strings are needed for */
}

static enum sip_identity identify(void *ctx, const struct sockaddr *source, const char *user, const char **trunk,
                                  const char **ext)
{
    (void)ctx;
    (void)source;
    *trunk = "fuzz";
    *ext = "8002";
    return user[0] == '8' ? SIP_ID_PHONE : user[0] == '9' ? SIP_ID_STATIC_PHONE : SIP_ID_TRUNK;
}

static int get_ha1(void *ctx, const char *user, const char *algorithm, char out[65])
{
    (void)ctx;
    enum digest_alg alg;
    if (strcmp(user, "8001") != 0 || digest_alg_parse(algorithm, &alg) != 0)
        return ERR_NOTFOUND;
    return digest_ha1(alg, user, "everline", "secret", out);
}

static int overloaded(void *ctx, const char **why)
{
    (void)ctx;
    (void)why;
    return 0;
}

/* Tokens that lead to the rig itself (from there: to a node), and to another phone. */
static int open_token(void *ctx, const char *token, const char *local, char *flow, size_t size)
{
    (void)ctx;
    char kind = token[strlen(SIP_EDGE_TOKEN)];
    if (kind == 'r')
        snprintf(flow, size, "udp:%s", strchr(rig.target, '@') + 1);
    else
        snprintf(flow, size, "%s", kind == 'u' ? "udp:127.0.0.1:9" : "tcp:127.0.0.1:9");
    return kind == 'r' || kind == 'u' || kind == 't' ? 0 : local[0] ? ERR_DENIED : ERR_INVAL;
}

static bool is_node(void *ctx, const struct sockaddr *sa, bool with_port)
{
    (void)ctx;
    const struct sockaddr_in *s4 = (const void *)sa;
    return !with_port || (sa->sa_family == AF_INET && s4->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
}

static bool own_network(void)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq r;
    memset(&r, 0, sizeof r);
    strcpy(r.ifr_name, "lo");
    r.ifr_flags = IFF_UP;
    int rc = ioctl(s, SIOCSIFFLAGS, &r);
    close(s);
    return rc == 0;
}

static void out_cb(void *ctx, struct sip_leg *leg, const struct sip_event *ev)
{
    (void)ctx;
    if (ev->type == SIP_EV_ANSWERED && rig.out % 3 && sip_leg_ack(leg) != 0)
        abort();
    if (ev->type == SIP_EV_ANSWERED && rig.out % 3 == 1 && sip_leg_reinvite(leg, sdp_text) != 0)
        abort();
    if (ev->type == SIP_EV_FAILED || ev->type == SIP_EV_ENDED)
        rig.leg = NULL;
}

static void call_out(void)
{
    char call_id[32], branch[40];
    snprintf(rig.serial, sizeof rig.serial, "%u", ++rig.out);
    snprintf(call_id, sizeof call_id, "o%s", rig.serial);
    snprintf(branch, sizeof branch, "z9hG4bKo%s", rig.serial);
    struct sip_out_params p = {.target = rig.target,
                               .from_user = "10000",
                               .to_user = "1001",
                               .call_id = call_id,
                               .from_tag = "ours",
                               .branch = branch,
                               .cseq = 1,
                               .sdp = sdp_text,
                               .supports_100rel = true,
                               .cb = out_cb};
    if (sip_leg_invite(rig.ua, &p, &rig.leg, NULL) != 0)
        abort();
}

static void start(void)
{
    rig.alone = own_network();
    su_init();
    rig.root = su_root_create(NULL);
    su_root_threading(rig.root, 0);
    struct sip_config c = {
        .listen = {{"127.0.0.1", 0}}, .realm = "everline", .product = "fuzz", .t1_ms = 20, .t1x64_ms = 60};
    struct sip_handler h = {.identify = identify,
                            .get_ha1 = get_ha1,
                            .overloaded = overloaded,
                            .on_invite = on_invite,
                            .on_register = on_register,
                            .on_subscribe = on_subscribe};
    if (sip_ua_start(rig.root, &c, &h, &rig.ua, NULL) != 0)
        abort();
    struct sip_edge_handler flows = {NULL, open_token, is_node};
    sip_ua_set_edge(rig.ua, &flows);
    snprintf(rig.port, sizeof rig.port, "%u", sip_ua_port(rig.ua, 0));
    rig.fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(rig.fd, (struct sockaddr *)&a, sizeof a) != 0)
        abort();
    socklen_t len = sizeof a;
    if (getsockname(rig.fd, (struct sockaddr *)&a, &len) != 0)
        abort();
    snprintf(rig.target, sizeof rig.target, "sip:1001@127.0.0.1:%u", ntohs(a.sin_port));
    a.sin_port = htons(sip_ua_port(rig.ua, 0));
    if (connect(rig.fd, (struct sockaddr *)&a, sizeof a) != 0)
        abort();
}

static void send_one(const uint8_t *data, size_t size)
{
    const struct {
        const char *name, *value;
    } marker[] = {{"@TAG@", rig.tag}, {"@N@", rig.serial}, {"@PORT@", rig.port}};
    uint8_t out[65536];
    size_t n = 0;
    for (size_t i = 0; i < size && n < sizeof out - sizeof rig.tag;) {
        size_t taken = 0;
        for (size_t k = 0; k < sizeof marker / sizeof *marker && !taken; k++) {
            size_t len = strlen(marker[k].name);
            if (size - i < len || memcmp(data + i, marker[k].name, len) != 0)
                continue;
            memcpy(out + n, marker[k].value, strlen(marker[k].value));
            n += strlen(marker[k].value);
            taken = len;
        }
        if (!taken) {
            out[n++] = data[i];
            taken = 1;
        }
        i += taken;
    }
    uint8_t sink[65536];
    if (send(rig.fd, out, n, 0) > 0)
        for (int i = 0; i < 3; i++)
            su_root_step(rig.root, 0);
    while (recv(rig.fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!rig.root)
        start();
    if (rig.alone && size > 7 && memcmp(data, "SIP/2.0", 7) == 0)
        call_out();
    while (size > 0) {
        const uint8_t *end = memmem(data, size, cut, sizeof cut - 1);
        size_t n = end ? (size_t)(end - data) : size;
        send_one(data, n);
        size_t gone = end ? n + sizeof cut - 1 : size;
        data += gone;
        size -= gone;
    }
    if (rig.leg)
        sip_leg_release(rig.leg, 0, NULL);
    rig.leg = NULL;
    return 0;
}
