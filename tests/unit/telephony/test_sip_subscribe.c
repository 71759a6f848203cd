/* SUBSCRIBE as it reaches the owner, what is refused before; NOTIFY in a dialog, without one, and while nothing may be sent. */
#include "telephony/sip_subscribe.h"
#include "tests/unit/telephony/test_sip_env.h"

static struct {
    struct sip_subscribe *s;
    struct sip_subscribe_info info;
    char text[16][256];
    int count;
    int notify_status, notify_after, notified;
} got;

static void on_subscribe(void *ctx, struct sip_subscribe *s, const struct sip_subscribe_info *info)
{
    (void)ctx;
    got.s = s;
    got.info = *info;
    const char **const texts[] = {&got.info.user,       &got.info.event,      &got.info.id,        &got.info.target,
                                  &got.info.call_id,    &got.info.local_tag,  &got.info.remote_tag, &got.info.local_uri,
                                  &got.info.remote_uri, &got.info.remote_target, &got.info.route_set, &got.info.flow,
                                  &got.info.local_ip,   &got.info.local};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        copy_text(got.text[i], sizeof got.text[i], *texts[i]);
        *texts[i] = got.text[i];
    }
    got.count++;
}

static void on_notified(void *ctx, int status, int retry_after_s)
{
    (void)ctx;
    got.notify_status = status;
    got.notify_after = retry_after_s;
    got.notified++;
}

static void up(void)
{
    memset(&got, 0, sizeof got);
    rig_up();
    rig.env->identity = SIP_ID_STATIC_PHONE;
    const struct sip_handler h = {.ctx = rig.env,
                                  .identify = env_identify,
                                  .get_ha1 = env_get_ha1,
                                  .overloaded = env_overloaded,
                                  .may_act = env_may_act,
                                  .on_invite = env_on_invite,
                                  .on_register = env_on_register,
                                  .on_subscribe = on_subscribe};
    sip_ua_stop(rig.env->ua, false);
    struct err_info info = {0};
    ck_assert_int_eq(sip_ua_start(rig.env->root, &rig.env->cfg, &h, &rig.env->ua, &info), 0);
    rig.env->port = sip_ua_port(rig.env->ua, 0);
    peer_free(rig.peer);
    rig.peer = peer_udp(rig.env);
}

static void subscribe(struct peer *p, const char *headers)
{
    peer_request(p, "SUBSCRIBE", headers, NULL);
    p->cseq++;
}

START_TEST(a_subscription)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    subscribe(p, "Event: Dialog;id=7\r\nExpires: 600\r\nAccept: application/*\r\n");
    env_until(e, got.count == 1);
    ck_assert_str_eq(got.info.user, "8002");
    ck_assert_str_eq(got.info.event, "dialog");
    ck_assert_str_eq(got.info.id, "7");
    ck_assert_str_eq(got.info.target, "10000");
    ck_assert(!got.info.in_dialog);
    ck_assert_uint_eq(got.info.expires_s, 600);
    ck_assert_str_eq(got.info.call_id, p->call_id);
    ck_assert_str_eq(got.info.remote_tag, p->tag);
    ck_assert_uint_eq(strlen(got.info.local_tag), 16);
    ck_assert(!got.info.natted);
    sip_subscribe_reply(got.s, 200, NULL, 500, 0);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_str_eq(peer_header(p, "Expires"), "500");
    ck_assert_str_eq(p->to_tag, got.info.local_tag);
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), "127.0.0.1"));
    /* again, in the dialog: what is in it now is what the telephone says */
    subscribe(p, "Event: dialog;id=7\r\n");
    env_until(e, got.count == 2);
    ck_assert(got.info.in_dialog);
    ck_assert_str_eq(got.info.local_tag, p->to_tag);
    ck_assert_uint_eq(got.info.expires_s, SIP_SUBSCRIBE_MAX_S);
    sip_subscribe_reply(got.s, 481, NULL, 0, 0);
    peer_expect(p, "SIP/2.0 481");
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *headers, *answer, *name, *value;
    } at[] = {
        {"", "SIP/2.0 489", "Allow-Events", "message-summary, dialog, presence"},
        {"Event: conference\r\n", "SIP/2.0 489", "Allow-Events", "message-summary, dialog, presence"},
        {"Event: dialog.winfo\r\n", "SIP/2.0 489", "Allow-Events", "message-summary, dialog, presence"},
        {"Event: dialog\r\nExpires: 59\r\n", "SIP/2.0 423", "Min-Expires", "60"},
        {"Event: dialog\r\nAccept: application/pidf+xml\r\n", "SIP/2.0 406", "Event", ""},
        {"Event: presence\r\nRequire: eventlist\r\n", "SIP/2.0 420", "Unsupported", "eventlist"},
        {"Event: presence\r\nContact: <sip:other@127.0.0.1>\r\n", "SIP/2.0 400", "Event", ""},
    };
    struct peer *p = rig.peer;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        p->to_tag[0] = '\0';
        subscribe(p, at[i].headers);
        peer_expect(p, at[i].answer);
        ck_assert_str_eq(peer_header(p, at[i].name), at[i].value);
    }
    ck_assert_int_eq(got.count, 0);
}
END_TEST

/* As REGISTER: a stranger is challenged, a trunk has no telephones. */
START_TEST(who_it_is)
{
    struct peer *p = rig.peer;
    rig.env->identity = SIP_ID_PHONE;
    subscribe(p, "Event: presence\r\n");
    peer_expect(p, "SIP/2.0 401");
    p->to_tag[0] = '\0';
    rig.env->identity = SIP_ID_TRUNK;
    subscribe(p, "Event: presence\r\n");
    peer_expect(p, "SIP/2.0 403");
    p->to_tag[0] = '\0';
    rig.env->identity = SIP_ID_STATIC_PHONE;
    rig.env->overload = 3;
    subscribe(p, "Event: presence\r\n");
    peer_expect(p, "SIP/2.0 503");
    ck_assert_str_eq(peer_header(p, "Retry-After"), "3");
    rig.env->overload = 0;
    rig.env->silent = true;
    p->to_tag[0] = '\0';
    subscribe(p, "Event: presence\r\n");
    peer_expect(p, "SIP/2.0 503");
    ck_assert_int_eq(got.count, 0);
}
END_TEST

static struct sip_notify_params params(const struct peer *p, char target[64])
{
    snprintf(target, 64, "sip:8001@127.0.0.1:%u%s", p->port, p->tcp ? ";transport=tcp" : "");
    return (struct sip_notify_params){
        .call_id = "watched", .local_uri = "sip:8002@127.0.0.1", .local_tag = "ours", .remote_uri = "sip:8001@127.0.0.1",
        .remote_tag = "theirs", .remote_target = target, .cseq = (3u << 20) + 5, .event = "dialog;id=7",
        .state = "active;expires=90", .type = "application/dialog-info+xml", .body = "<dialog-info/>",
    };
}

START_TEST(in_a_dialog)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_notify *n;
    char target[64];
    struct sip_notify_params what = params(p, target);
    ck_assert_int_eq(sip_notify_send(e->ua, &(struct sip_notify_params){.call_id = "x"}, NULL, NULL, &n), ERR_INVAL);
    char route[64];
    snprintf(route, sizeof route, "<sip:127.0.0.1:%u;lr>, <sip:192.0.2.1;lr>", p->port);
    what.route = route;
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), 0);
    peer_expect(p, "NOTIFY sip:8001@127.0.0.1");
    ck_assert_str_eq(peer_header(p, "Call-ID"), "watched");
    ck_assert_str_eq(peer_header(p, "CSeq"), "3145733 NOTIFY");
    ck_assert_str_eq(peer_header(p, "From"), "<sip:8002@127.0.0.1>;tag=ours");
    ck_assert_str_eq(peer_header(p, "To"), "<sip:8001@127.0.0.1>;tag=theirs");
    ck_assert_str_eq(peer_header(p, "Event"), "dialog;id=7");
    ck_assert_str_eq(peer_header(p, "Subscription-State"), "active;expires=90");
    ck_assert_ptr_nonnull(strstr(p->msg, "<sip:192.0.2.1;lr>"));
    ck_assert_str_eq(peer_body(p), "<dialog-info/>");
    peer_reply(p, 503, NULL, "Retry-After: 7\r\n", NULL);
    env_until(e, got.notified == 1);
    ck_assert_int_eq(got.notify_status, 503);
    ck_assert_int_eq(got.notify_after, 7);
    /* the owner may forget it before the answer */
    what.cseq++;
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), 0);
    peer_expect(p, "NOTIFY ");
    sip_notify_forget(n);
    peer_reply(p, 200, NULL, "", NULL);
    for (int i = 0; i < 20; i++)
        env_turn(e);
    ck_assert_int_eq(got.notified, 1);
}
END_TEST

START_TEST(without_a_dialog)
{
    struct peer *p = rig.peer;
    struct sip_notify *n;
    char target[64];
    struct sip_notify_params what = params(p, target);
    what.remote_tag = what.state = NULL;
    what.cseq = 1;
    what.event = "message-summary";
    ck_assert_int_eq(sip_notify_send(rig.env->ua, &what, NULL, NULL, &n), 0);
    peer_expect(p, "NOTIFY ");
    ck_assert_str_eq(peer_header(p, "To"), "<sip:8001@127.0.0.1>");
    ck_assert_str_eq(peer_header(p, "Subscription-State"), "");
    peer_reply(p, 200, "t", "", NULL);
}
END_TEST

START_TEST(not_sent)
{
    struct env *e = rig.env;
    struct sip_notify *n;
    char target[64];
    struct sip_notify_params what = params(rig.peer, target);
    e->silent = true;
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), ERR_NOQUORUM);
    e->silent = false;
    what.flow = "tcp:127.0.0.1:9";
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), ERR_NOTFOUND);
    what.flow = NULL;
    what.remote_target = "sip:8001@example.cn";
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), ERR_INVAL);
    what.remote_target = "sip:8001@[::1]";
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), ERR_NOTFOUND);
    what.remote_target = target;
    what.remote_tag = "a\r\nEvil: b";
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), ERR_INVAL);
    ck_assert_int_eq(got.notified, 0);
}
END_TEST

/* Its answer leads nowhere, and what is out is told of as lost. */
START_TEST(the_address_goes)
{
    struct env *e = rig.env;
    struct peer *p = rig.peer;
    struct sip_notify *n;
    char target[64];
    const struct sip_notify_params what = params(p, target);
    subscribe(p, "Event: presence\r\n");
    env_until(e, got.count == 1);
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), 0);
    sip_ua_drop_listen(e->ua, "127.0.0.1");
    ck_assert_int_eq(got.notified, 1);
    ck_assert_int_eq(got.notify_status, 503);
    sip_subscribe_reply(got.s, 200, NULL, 60, 0);
}
END_TEST

START_TEST(over_tcp)
{
    struct env *e = rig.env;
    struct peer *p = peer_new(e, AF_INET, true);
    struct sip_notify *n;
    char target[64], flow[64];
    subscribe(p, "Event: message-summary\r\nExpires: 60\r\n");
    env_until(e, got.count == 1);
    snprintf(flow, sizeof flow, "tcp:127.0.0.1:%u", p->port);
    ck_assert_str_eq(got.info.flow, flow);
    sip_subscribe_reply(got.s, 200, NULL, 60, 0);
    peer_expect(p, "SIP/2.0 200");
    ck_assert_ptr_nonnull(strstr(peer_header(p, "Contact"), "transport=tcp"));
    struct sip_notify_params what = params(p, target);
    what.flow = flow;
    ck_assert_int_eq(sip_notify_send(e->ua, &what, on_notified, NULL, &n), 0);
    peer_expect(p, "NOTIFY ");
    peer_reply(p, 200, NULL, "", NULL);
    env_until(e, got.notified == 1);
    ck_assert_int_eq(got.notify_status, 200);
    peer_free(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip subscribe");
    TCase *t = tcase_create("subscribe");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, rig_down);
    tcase_add_test(t, a_subscription);
    tcase_add_test(t, refused);
    tcase_add_test(t, who_it_is);
    tcase_add_test(t, in_a_dialog);
    tcase_add_test(t, without_a_dialog);
    tcase_add_test(t, not_sent);
    tcase_add_test(t, the_address_goes);
    tcase_add_test(t, over_tcp);
    suite_add_tcase(s, t);
    return run_suite(s);
}
