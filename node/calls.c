/* The table of this node's calls, their timers and proposals, and the end of a call. See call.h. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/lease.h"

#define CALL_END_RETRY_MS 500u
#define CALL_END_PATIENCE_MS 20u
#define CALL_RETRY_AFTER_S 2

struct node *call_node(const struct call *k)
{
    return k->cs->n;
}

const struct core_call *call_state(const struct call *k)
{
    return core_call(k->cs->n->core, k->id);
}

/* ---- timers */

struct call_timer {
    uv_timer_t uv; /* first: the slot points at it */
    struct call *call;
    uv_timer_t **slot;
    void (*fn)(struct call *);
};

static void call_timer_closed(uv_handle_t *h)
{
    free(h);
}

static void call_timer_fired(uv_timer_t *uv)
{
    struct call_timer *t = (struct call_timer *)uv;
    struct call *k = t->call;
    *t->slot = NULL;
    uv_close((uv_handle_t *)uv, call_timer_closed);
    t->fn(k);
    mem_unref(k);
}

void call_timer_stop(uv_timer_t **slot)
{
    if (!*slot)
        return;
    struct call_timer *t = (struct call_timer *)*slot;
    struct call *k = t->call;
    *slot = NULL;
    uv_timer_stop(&t->uv);
    uv_close((uv_handle_t *)&t->uv, call_timer_closed);
    mem_unref(k);
}

void call_timer_set(struct call *k, uv_timer_t **slot, uint64_t ms, void (*fn)(struct call *))
{
    call_timer_stop(slot);
    struct call_timer *t = calloc(1, sizeof *t);
    if (!t) {
        log_error("call", "%s: out of memory for a timer", k->text_id);
        return;
    }
    t->call = mem_ref(k);
    t->slot = slot;
    t->fn = fn;
    uv_timer_init(&k->cs->n->loop, &t->uv);
    uv_timer_start(&t->uv, call_timer_fired, ms, 0);
    *slot = &t->uv;
}

/* ---- proposals */

struct call_proposal {
    struct call *call;
    call_done_fn *done;
};

static void call_proposal_done(void *ctx, int status, const struct core_answer *a)
{
    struct call_proposal *p = ctx;
    if (p->done)
        p->done(p->call, status, a);
    mem_unref(p->call);
    free(p);
}

int call_propose(struct call *k, Ev__Command *cmd, call_done_fn *done)
{
    return call_propose_later(k, cmd, 0, done);
}

int call_propose_later(struct call *k, Ev__Command *cmd, unsigned patience_ms, call_done_fn *done)
{
    struct call_proposal *p = malloc(sizeof *p);
    if (!p)
        return ERR_NOMEM;
    const struct core_call *s = call_state(k);
    cmd->call_epoch = s ? s->epoch : 0;
    p->call = mem_ref(k);
    p->done = done;
    int rc = node_propose_later(k->cs->n, cmd, 0, patience_ms, call_proposal_done, p);
    if (rc) {
        mem_unref(k);
        free(p);
    }
    return rc;
}

int call_sip_status(int err)
{
    switch (err) {
    case 0:
        return 200;
    case ERR_NOTFOUND:
        return 404;
    case ERR_DENIED:
        return 403;
    case ERR_INVAL:
    case ERR_RANGE:
        return 400;
    case ERR_TOOBIG:
        return 413;
    case ERR_UNSUPPORTED:
        return 488;
    case ERR_BADSTATE:
        return 480;
    case ERR_CONFLICT:
    case ERR_EXISTS:
        return 486;
    default:
        return 503;
    }
}

/* ---- life */

static void call_destroy(void *obj)
{
    struct call *k = obj;
    call_hush(k);
    ivr_run_free(k->ivr);
    free(k->a.remote_sdp);
    free(k->a.local_sdp);
    call_callees_free(k);
}

static struct call *call_new(struct calls *cs, uint64_t id)
{
    struct call *k = mem_new(sizeof *k, call_destroy);
    if (!k)
        return NULL;
    k->cs = cs;
    k->id = id;
    ident_text(id, k->text_id);
    k->a.call = k->first.leg.call = k;
    k->first.leg.callee = true;
    k->b = &k->first.leg;
    list_init(&k->rings);
    list_init(&k->first.link);
    list_init(&k->dirty_link);
    list_init(&k->adopting_link);
    if (map_set_u64(&cs->by_id, id, k)) {
        mem_unref(k);
        return NULL;
    }
    return k;
}

/* Who hung up is told that it is done, or nothing: then he says it again, to the owner. */
static void call_byes_done(struct call *k, bool answer)
{
    struct sip_bye *bye = k->a.bye;
    k->a.bye = NULL;
    sip_bye_done(bye, answer);
    call_callees_byes_done(k, answer);
}

static void call_leave_table(struct call *k)
{
    k->gone = k->ending = true; /* whoever is in the middle of something sees it */
    call_timer_stop(&k->ring_timer);
    call_timer_stop(&k->busy_timer);
    call_timer_stop(&k->talk_timer);
    call_timer_stop(&k->ivr_timer);
    call_timer_stop(&k->wait_timer);
    call_timer_stop(&k->end_timer);
    call_timer_stop(&k->adopt_timer);
    call_timer_stop(&k->back.timer);
    call_adopt_drop_ports(k);
    call_vip_stop(k);
    call_http_stop(k);
    call_record_stop(k);
    call_transfer_stop(k);
    call_tape_stop(k);
    call_room_close(k);
    call_review_stop(k);
    list_del(&k->dirty_link);
    list_del(&k->adopting_link);
    k->dirty = k->adopting = false;
    map_del_u64(&k->cs->by_id, k->id);
    mem_unref(k);
}

void call_forget(struct call *k)
{
    if (k->gone)
        return;
    call_leg_close(&k->a, 0, NULL);
    call_callees_close(k, 0, NULL);
    call_byes_done(k, true);
    k->cs->counts.ended++;
    call_leave_table(k);
}

void call_let_go(struct call *k)
{
    if (k->gone)
        return;
    const struct core_call *s = call_state(k);
    call_leg_forget(&k->a);
    call_callees_forget(k);
    call_byes_done(k, false);
    k->cs->counts.given_away++;
    if (s && strcmp(s->owner, k->cs->n->cfg.name) == 0 &&
        map_set_u64(&k->cs->let_go, k->id, (void *)((uintptr_t)s->epoch + 1)))
        log_warn("call", "%s: out of memory", k->text_id);
    call_leave_table(k);
}

static void call_end_propose(struct call *k);

static void call_end_done(struct call *k, int status, const struct core_answer *a)
{
    if (k->gone)
        return;
    const struct core_call *s = call_state(k);
    if (status == 0 && (a->code == 0 || !s)) {
        call_forget(k);
        return;
    }
    if (s && strcmp(s->owner, k->cs->n->cfg.name) != 0) {
        call_let_go(k); /* its new owner finds the legs gone, and ends it */
        return;
    }
    log_warn("call", "%s: end not committed yet: %s", k->text_id, status ? err_text(status) : a->text);
    call_timer_set(k, &k->end_timer, CALL_END_RETRY_MS, call_end_propose);
}

/* The other party has heard of it already; who hung up hears a moment later that it is done. Only a caller who waits in a queue for an
 * agent may be waiting for this very end. */
static unsigned call_end_patience(const struct call *k)
{
    return core_callers_wait(k->cs->n->core) || k->cs->n->stopping ? 0 : CALL_END_PATIENCE_MS;
}

static void call_end_propose(struct call *k)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallEnd end = EV__CALL_END__INIT;
    Ev__LegQuality *rows[CALL_QUALITY_MAX];
    cmd.body_case = EV__COMMAND__BODY_CALL_END;
    cmd.call_end = &end;
    end.call_id = k->id;
    end.by = (char *)(uintptr_t)k->end_by;
    end.cause = k->end_cause;
    end.sip_status = (uint32_t)k->end_status;
    for (size_t i = 0; i < k->n_quality; i++)
        rows[i] = &k->quality[i];
    end.quality = rows;
    end.n_quality = k->n_quality;
    if (call_propose_later(k, &cmd, call_end_patience(k), call_end_done) && !k->cs->n->stopping)
        call_timer_set(k, &k->end_timer, CALL_END_RETRY_MS, call_end_propose);
}

/* A caller who has no final answer yet gets the one that fits, not just "declined". */
static void call_refuse_caller(struct call *k, int status)
{
    struct sip_leg *leg = k->a.sip;
    if (!leg || k->a.answered || status < 400 || status == 487)
        return;
    k->a.sip = NULL;
    sip_leg_reject(leg, status, NULL, status == 503 ? CALL_RETRY_AFTER_S : 0);
}

void call_pause(struct call *k)
{
    k->cs->resume_due = true;
    call_let_go(k);
}

bool call_yields(struct call *k)
{
    if (!k->started || node_may_act(k->cs->n))
        return false;
    call_pause(k);
    return true;
}

void call_end(struct call *k, const char *by, const char *cause, int sip_status)
{
    if (k->ending || k->gone || call_yields(k))
        return;
    k->ending = true;
    k->end_by = by;
    snprintf(k->end_cause, sizeof k->end_cause, "%s", cause);
    k->end_status = sip_status;
    const struct core_call *s = call_state(k);
    log_info("call", "%s: %s to %s%s%s ended by %s: %s", k->text_id, s ? s->caller : "caller", s ? s->called : "",
             s && s->queue && s->queue[0] ? " in queue " : "", s && s->queue ? s->queue : "", by, cause);
    call_quality_end(k);
    call_record_hung_up(k);
    call_transfer_news(k, 487);
    call_tape_hung_up(k);
    call_timer_stop(&k->ring_timer);
    call_timer_stop(&k->busy_timer);
    call_timer_stop(&k->talk_timer);
    call_timer_stop(&k->ivr_timer);
    call_timer_stop(&k->wait_timer);
    call_timer_stop(&k->back.timer);
    int reason = sip_status >= 300 ? sip_status : 0;
    call_refuse_caller(k, sip_status);
    call_leg_close(&k->a, reason, cause);
    call_callees_close(k, reason, cause);
    if (k->started)
        call_end_propose(k);
}

/* ---- the table */

int calls_start(struct node *n, struct calls **out)
{
    struct calls *cs = calloc(1, sizeof *cs);
    if (!cs)
        return ERR_NOMEM;
    cs->n = n;
    map_init(&cs->by_id);
    map_init(&cs->let_go);
    call_flows_init(cs);
    map_init(&cs->vip_answers);
    list_init(&cs->vip_order);
    map_init(&cs->ports);
    list_init(&cs->dirty);
    list_init(&cs->adopting);
    int rc = call_rtp_start(cs);
    if (rc) {
        free(cs);
        return rc;
    }
    *out = cs;
    return 0;
}

void calls_stop(struct calls *cs)
{
    if (!cs)
        return;
    const struct map_slot *slot;
    call_rtp_stop(cs);
    for (size_t it = 0; map_next(&cs->by_id, &it, &slot);)
        call_forget(slot->value);
    map_free(&cs->by_id);
    map_free(&cs->let_go);
    map_free(&cs->ports);
    call_flows_free(cs);
    call_vip_free(cs);
    free(cs);
}

/* What was proposed for a call before it was let go of may be committed after: it must not be begun anew here, for it is on its way
 * to another owner. A new epoch tells that it came to one, even if that is us again. */
static bool calls_on_its_way(struct calls *cs, const struct core_call *s)
{
    uintptr_t epoch = s ? (uintptr_t)map_get_u64(&cs->let_go, s->id) : 0;
    return epoch && strcmp(s->owner, cs->n->cfg.name) == 0 && (uintptr_t)s->epoch + 1 == epoch;
}

/* Or is joined to such a one, with which it goes: somebody may have asked for that just now. */
static bool calls_left(struct calls *cs, uint64_t id)
{
    uintptr_t epoch = (uintptr_t)map_get_u64(&cs->let_go, id);
    const struct core_call *s = core_call(cs->n->core, id);
    if (calls_on_its_way(cs, s) || (s && s->joined && calls_on_its_way(cs, core_call(cs->n->core, s->joined))))
        return true;
    if (epoch)
        (void)map_del_u64(&cs->let_go, id);
    return cs->n->leaving;
}

void calls_changed(struct calls *cs, uint64_t id)
{
    if (calls_left(cs, id))
        return;
    struct call *k = call_of(cs, id);
    if (k)
        call_make_dirty(k);
}

struct call *call_of(struct calls *cs, uint64_t id)
{
    struct call *k = map_get_u64(&cs->by_id, id);
    const struct core_call *s = k ? NULL : core_call(cs->n->core, id);
    if (!s || strcmp(s->owner, cs->n->cfg.name) != 0)
        return k;
    k = call_new(cs, id);
    if (!k)
        return NULL;
    k->started = true;
    /* Owned by us but unknown here. By change of owner: to be carried on. From its beginning: its start was given up when the
     * commit came too late, and its caller was refused. */
    k->adopted = s->epoch > 1;
    k->transfers = s->transfers;
    k->merges = s->merges;
    call_adopt_keep_ports(k, s);
    return k;
}

void call_make_dirty(struct call *k)
{
    if (!k->dirty) {
        k->dirty = true;
        list_push_back(&k->cs->dirty, &k->dirty_link);
    }
}

/* A refusal by the phone that was rung, as the caller is told it: not what concerns us and that phone alone (redirection,
 * its wish for credentials, its silence or overload: RFC 3261 16.7). */
static int call_status_for_caller(int status)
{
    bool ours = status < 400 || status == 401 || status == 407 || status == 408 || status == 503;
    return ours ? 480 : status;
}

/* The caller's leg is here, or there is to be none yet. */
static bool call_has_caller(struct call *k, const struct core_call *s)
{
    if (k->a.sip || k->left[0].asked)
        return true;
    if (!s->n_legs)
        return call_adopt_may(k, s);
    if (call_first_answered(k, s))
        return !k->ending;
    if (k->adopted)
        return call_adopt(k, s);
    call_end(k, "system", "lost", 0);
    return false;
}

/* Who has no answer yet is not declined: his call has gone into another one. */
static void call_withdraw_caller(struct call *k)
{
    struct sip_leg *leg = k->a.answered ? NULL : k->a.sip;
    if (!leg)
        return;
    k->a.sip = NULL;
    sip_leg_reject(leg, 487, NULL, 0);
}

/* What the committed phase asks for, given what the caller is being given now. */
static void call_reconcile(struct call *k)
{
    const struct core_call *s = call_state(k);
    if (k->started && !k->ending && (!s || s->went_into))
        call_merge_hand_over(k);
    if (!s) {
        if (k->started && !k->ending) {
            log_info("call", "%s: ended elsewhere", k->text_id);
            call_withdraw_caller(k);
            call_forget(k);
        }
        return;
    }
    if (strcmp(s->owner, k->cs->n->cfg.name) != 0) {
        if (k->started && !k->ending)
            log_info("call", "%s: carried on by node %s", k->text_id, s->owner);
        if (k->started)
            call_let_go(k);
        return;
    }
    if (k->ending || !k->started)
        return;
    call_transfer_follow(k, s);
    call_merge_follow(k, s);
    if (k->ending || k->gone || !call_has_caller(k, s))
        return;
    call_transfer_tell_left(k, s);
    call_cancel_losers(k, s);
    if (s->hung_up) {
        call_part_hung_up(k, s->hung_up_by);
        return;
    }
    if (!s->we_call)
        call_vip_follow(k, s);
    switch (s->phase) {
    case CORE_CALL_APP:
        call_app_begin(k, s);
        break;
    case CORE_CALL_MENU:
        call_menu_begin(k, s);
        break;
    case CORE_CALL_WAITING:
    case CORE_CALL_OFFERED:
    case CORE_CALL_DIALLING:
        call_offer_follow(k, s);
        call_first_ask(k, s);
        break;
    case CORE_CALL_TALKING:
        call_offer_follow(k, s);
        call_leg_follow(k, s);
        (void)call_room_follow(k);
        break;
    case CORE_CALL_NOTICE:
        call_notice_begin(k, s);
        break;
    case CORE_CALL_JOINED:
        call_joined_begin(k, s);
        break;
    case CORE_CALL_FAILED:
        call_end(k, "system", s->fail_cause && s->fail_cause[0] ? s->fail_cause : "failed",
                 s->fail_status ? call_status_for_caller(s->fail_status) : 0);
        break;
    }
    call_tape_follow(k);
}

void calls_reconcile(struct calls *cs)
{
    calls_adopt_sound(cs);
    while (!list_empty(&cs->dirty)) {
        struct call *k = list_entry(cs->dirty.next, struct call, dirty_link);
        list_del(&k->dirty_link);
        k->dirty = false;
        mem_ref(k);
        call_reconcile(k);
        mem_unref(k);
    }
}

void calls_node_changed(struct calls *cs, const char *name)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&cs->by_id, &it, &slot);) {
        struct call *k = slot->value;
        if (call_offer_through(k, name))
            call_make_dirty(k);
    }
}

void calls_reload(struct calls *cs)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&cs->by_id, &it, &slot);)
        calls_changed(cs, slot->nkey);
    for (const struct core_call *s = NULL; (s = core_call_next(cs->n->core, s, cs->n->cfg.name));)
        calls_changed(cs, s->id);
    calls_reconcile(cs);
}

void calls_get_counts(const struct calls *cs, struct calls_counts *out)
{
    *out = cs->counts;
    out->live = (uint32_t)map_count(&cs->by_id);
}

/* ---- a call begins */

struct call *call_begin(struct calls *cs)
{
    cs->ids.node_id = repl_id(cs->n->repl);
    struct call *k = call_new(cs, ident_call(&cs->ids));
    if (k)
        cs->counts.started++;
    return k;
}
