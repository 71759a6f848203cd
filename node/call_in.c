/* The caller's leg: a new INVITE, its answer, and what the caller's phone does afterwards. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

/* Media address of the same kind as the one the INVITE arrived at, so that the caller can reach it. */
static int call_in_open_media(struct call *k, const struct sip_invite_info *info)
{
    int family = info->source.ss_family == AF_INET6 ? AF_INET6 : AF_INET;
    return call_leg_open_media(&k->a, info->local_ip, family);
}

static int call_in_describe(struct call *k, const struct sip_invite_info *info, struct err_info *err)
{
    if (info->sdp)
        return call_leg_take_offer(&k->a, info->sdp, info->sdp_len, SDP_SENDRECV, err);
    return call_leg_make_offer(&k->a, SDP_OTHER, SDP_SENDRECV);
}

static void call_in_refuse(struct call *k, int status, const char *phrase, int retry_after_s)
{
    struct sip_leg *leg = k->a.sip;
    k->a.sip = NULL;
    k->cs->counts.refused++;
    if (leg)
        sip_leg_reject(leg, status, phrase, retry_after_s);
    call_forget(k);
}

/* RFC 3891 section 3 for dialogs that cannot be replaced. */
static int call_in_status(const struct call *k, int status, const struct core_answer *a)
{
    int code = status ? status : a->code;
    if (k->replaces && !status && strcmp(a->field, "replaces") == 0)
        return code == ERR_NOTFOUND ? 481 : code == ERR_BUSY ? 486 : code == ERR_STALE ? 603 : call_sip_status(code);
    return call_sip_status(code);
}

static void call_in_started(struct call *k, int status, const struct core_answer *a)
{
    if (k->gone)
        return;
    int code = status ? status : a->code;
    if (k->ending) {
        /* The caller hung up while the start was being committed: there is a call to end only if it was. */
        k->started = call_state(k) != NULL;
        k->ending = false;
        if (k->started)
            call_end(k, "caller", "cancelled", 487);
        else
            call_forget(k);
        return;
    }
    if (code) {
        log_info("call", "%s: refused: %s", k->text_id, status || !a->text[0] ? err_text(code) : a->text);
        int sip = call_in_status(k, status, a);
        k->started = call_state(k) != NULL;
        if (k->started) { /* it came with a snapshot, which tells no outcomes: to be ended like any other */
            call_end(k, "system", "no_quorum", sip);
            return;
        }
        call_in_refuse(k, sip, NULL, sip == 503 ? 2 : 0);
        return;
    }
    k->started = true;
    const struct core_call *now = call_state(k);
    if (now && !now->answered && k->a.sip)
        sip_leg_trying(k->a.sip);
    if (!now)
        call_make_dirty(k); /* its leg is another call's by the same command */
}

/* The number and the name that the call is kept with. A trunk is trusted by its address, so what it asserts may count; that the caller
 * wants it withheld (Privacy: id) is for those whom we would tell it to outside. */
static void call_in_caller(struct call *k, const struct sip_invite_info *info, const char **number, const char **name,
                           bool *withheld)
{
    *number = info->auth_user ? info->auth_user : info->from_user;
    *name = info->from_display;
    *withheld = info->withheld;
    const Ev__Trunk *t =
        info->auth_user ? NULL : core_trunk_of(call_node(k)->core, (const struct sockaddr *)&info->source);
    if (!t || !info->asserted_number[0] || strcmp(t->identity, "from") == 0)
        return;
    bool shown = sip_is_number(info->from_user) && !strstr(info->from_uri, "@anonymous.invalid");
    if (shown && strcmp(t->identity, "asserted") != 0)
        return;
    *withheld = *withheld || !shown;
    *number = info->asserted_number;
    *name = info->asserted_display;
}

static int call_in_propose(struct call *k, const struct sip_invite_info *info, bool answered)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallStart start = EV__CALL_START__INIT;
    Ev__Dialog dialog;
    struct call_dialog_room room;
    char origin[80] = "", actor[80];
    call_leg_dialog(&k->a, &dialog, &room);
    snprintf(origin, sizeof origin, "%s", dialog.flow ? dialog.flow : "");
    Ev__Replaces replaces;
    if (info->replaces && info->auth_user)
        snprintf(actor, sizeof actor, "phone:%s",
                 info->auth_user); /* a person does something with another one's call */
    else
        snprintf(actor, sizeof actor, "node:%s", call_node(k)->cfg.name);
    cmd.actor = actor;
    cmd.origin = origin;
    cmd.body_case = EV__COMMAND__BODY_CALL_START;
    cmd.call_start = &start;
    start.call_id = k->id;
    const char *number, *name;
    bool withheld;
    call_in_caller(k, info, &number, &name, &withheld);
    start.withheld = withheld;
    start.caller = (char *)(uintptr_t)number;
    start.caller_name = (char *)(uintptr_t)name;
    start.called = (char *)(uintptr_t)info->request_user;
    start.trunk = (char *)(uintptr_t)info->trunk;
    start.extension = (char *)(uintptr_t)info->auth_user;
    start.answered = answered;
    start.dialog = &dialog;
    if (info->replaces) {
        call_replaces(call_node(k), info->replaces, &replaces);
        start.replaces = &replaces;
    }
    return call_propose(k, &cmd, call_in_started);
}

void calls_on_invite(struct calls *cs, struct sip_leg *leg, const struct sip_invite_info *info)
{
    struct core_route route;
    core_route(cs->n->core, node_time_us(cs->n), info->auth_user, info->request_user, &route);
    if (route.kind == CORE_ROUTE_NONE && !info->replaces) {
        log_info("call", "%s calls %s: no such number", info->from_user, info->request_user);
        cs->counts.refused++;
        sip_leg_reject(leg, 404, NULL, 0);
        return;
    }
    struct call *k = call_begin(cs);
    if (!k) {
        sip_leg_reject(leg, 503, NULL, 5);
        return;
    }
    k->a.sip = leg;
    k->hops = info->hops;
    k->replaces = info->replaces != NULL;
    sip_leg_set_cb(leg, call_on_caller, &k->a);
    call_leg_credentials(&k->a, info->trunk);
    log_debug("call", "%s: %s calls %s", k->text_id, info->auth_user ? info->auth_user : info->from_user,
              info->request_user);
    struct err_info err = {0};
    int rc = call_in_open_media(k, info);
    if (rc) {
        call_in_refuse(k, 503, NULL, 5);
        return;
    }
    rc = call_in_describe(k, info, &err);
    if (rc) {
        log_info("call", "%s: description refused: line %u: %s", k->text_id, err.line, err.text);
        call_in_refuse(k, rc == ERR_UNSUPPORTED ? 488 : 400, rc == ERR_UNSUPPORTED ? NULL : "Bad Session Description",
                       0);
        return;
    }
    rc = call_in_propose(k, info, info->replaces || core_route_answers(route.kind));
    if (rc)
        call_in_refuse(k, call_sip_status(rc), NULL, 2);
}

/* Sends the 200 that has been committed. */
void call_answer_caller(struct call *k)
{
    if (k->a.answered || !k->a.sip)
        return;
    int rc = sip_leg_answer(k->a.sip, call_leg_sdp(&k->a));
    if (rc) {
        log_info("call", "%s: cannot be answered any more: %s", k->text_id, err_text(rc));
        call_end(k, "caller", "cancelled", 487);
        return;
    }
    k->a.answered = true;
    if (!k->a.we_offered)
        call_leg_apply_media(&k->a);
}

static void call_caller_gone(struct call *k, const char *cause, int status)
{
    k->a.sip = NULL;
    call_end(k, call_caller_is(k), cause, status); /* with the other leg's figures: it is released there */
}

void call_on_caller(void *ctx, struct sip_leg *leg, const struct sip_event *ev)
{
    struct call_leg *l = ctx;
    struct call *k = l->call;
    if (ev->type == SIP_EV_FAILED || ev->type == SIP_EV_ENDED)
        l->sip = NULL; /* gone, whatever follows */
    if ((ev->type == SIP_EV_ENDED || ev->type == SIP_EV_FAILED) && !l->bye)
        l->bye = sip_leg_keep_bye(leg);
    if (call_yields(k))
        return;
    mem_ref(k);
    switch (ev->type) {
    case SIP_EV_FAILED:
        call_caller_gone(k, ev->status == 487 ? "cancelled" : "no_ack", ev->status);
        break;
    case SIP_EV_ENDED:
        if (!call_transfer_awaited(l) &&
            !call_merge_awaited(l, call_caller_is(k), ev->status >= 400 ? "lost" : "normal",
                                ev->status >= 400 ? ev->status : 0) &&
            (ev->status >= 400 || !call_part_over(l)))
            call_caller_gone(k, ev->status >= 400 ? "lost" : "normal", ev->status >= 400 ? ev->status : 0);
        break;
    case SIP_EV_ACKED:
        call_leg_on_acked(l, ev);
        break;
    case SIP_EV_REOFFER:
        call_leg_on_reoffer(l, ev);
        break;
    case SIP_EV_INFO_DTMF:
        if (k->shown == CALL_SHOWN_MENU)
            call_menu_event(k, IVR_EV_KEY, ev->digit);
        else if (k->shown == CALL_SHOWN_QUEUE)
            call_wait_key(k, ev->digit);
        else if (k->shown == CALL_SHOWN_APP)
            call_back_key(k, ev->digit);
        else if (k->shown == CALL_SHOWN_NOTICE)
            call_notice_key(k, ev->digit);
        else if (!call_supervise_key(k, ev->digit))
            call_leg_pass_key(l, ev->digit);
        break;
    case SIP_EV_REANSWERED:
        call_adopt_on_reanswered(l, ev);
        break;
    case SIP_EV_REFER:
        call_transfer_asked(l, ev);
        break;
    case SIP_EV_PROGRESS:
    case SIP_EV_ANSWERED:
        break; /* only of legs that we called */
    }
    mem_unref(k);
}
