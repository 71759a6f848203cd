/* Agents.
 *
 *   state = LOGGED_OUT  not logged in
 *           TALKING     his telephone takes part in a call: as caller, or bridged
 *           RINGING     an offer is out to his telephone
 *           WRAP_UP     until wrap_up_until_us
 *           IDLE        ready
 *           NOT_READY   otherwise
 * The first that fits, in this order, worked out by core_agent_refresh after anything of it changed. Readiness is what he (or
 * an unanswered offer) chose and stays over calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/agent_state.h"
#include "core/core_int.h"

const char *core_agent_state_name(enum core_agent_state s)
{
    static const char *const names[] = {"logged_out", "not_ready", "idle", "ringing", "talking", "wrap_up"};
    return (unsigned)s < 6 ? names[s] : "unknown";
}

struct agent *core_agent_obj(const struct core *c, const char *number)
{
    return map_get(&c->agents, number);
}

const struct core_agent *core_agent(const struct core *c, const char *number)
{
    const struct agent *a = core_agent_obj(c, number);
    return a ? &a->pub : NULL;
}

const struct core_agent *core_agent_at_extension(const struct core *c, const char *extension)
{
    const struct ext *e = core_ext_find(c, extension);
    return e && e->agent ? &e->agent->pub : NULL;
}

struct agent *core_agent_new(struct core *c, const char *number, uint32_t key)
{
    struct agent *a = core_alloc(sizeof *a);
    (void)snprintf(a->number, sizeof a->number, "%s", number);
    a->key = key;
    a->pub.number = a->number;
    a->pub.extension = a->extension;
    a->pub.reason = a->reason;
    list_init(&a->dirty);
    if (map_set(&c->agents, number, a) != 0)
        core_oom();
    if (key >= c->agent_keys) {
        uint32_t n = key + 64;
        c->agent_by_key = core_grow(c->agent_by_key, n * sizeof(struct agent *));
        memset(c->agent_by_key + c->agent_keys, 0, (n - c->agent_keys) * sizeof(struct agent *));
        c->agent_keys = n;
    }
    c->agent_by_key[key] = a;
    return a;
}

void core_agent_free(struct core *c, struct agent *a)
{
    c->nexts = UINT32_MAX; /* he may have been among them */
    heap_remove(&c->wraps, &a->wrap);
    heap_remove(&c->skills, &a->skill);
    heap_remove(&c->limits, &a->limit);
    if (a->equipped && acd_agent_set(c->acd, a->key, 0, NULL, 0) != 0)
        core_oom(); /* his key will be another's */
    list_del(&a->dirty);
    c->agent_by_key[a->key] = NULL;
    (void)map_del(&c->agents, a->number);
    if (a->work)
        ev__agent_work__free_unpacked(a->work, NULL);
    free(a);
}

void core_agents_flush(struct core *c)
{
    list_foreach_safe(it, &c->dirty_agents) {
        struct agent *a = list_entry(it, struct agent, dirty);
        const struct core_agent *p = &a->pub;
        size_t len = 0;
        const uint8_t *work = a->work ? core_packed(c, &a->work->base, &len) : NULL;
        const struct storage_val v[] = {storage_text(a->number),
                                        storage_text(a->extension),
                                        storage_int(p->state),
                                        storage_int(a->ready),
                                        storage_int(a->logout),
                                        storage_text(a->reason),
                                        storage_int(p->since_us),
                                        storage_int(p->login_us),
                                        storage_int(p->idle_since_us),
                                        storage_int(p->wrap_up_until_us),
                                        storage_int(p->call_id),
                                        storage_int(p->answered),
                                        storage_int(a->occupied_us),
                                        storage_int(a->last_offer),
                                        storage_blob(len ? work : (const uint8_t *)"", len)};
        storage_run(c->st, STORAGE_AGENT_PUT, v, 15);
        a->told = false;
        list_del(it);
    }
}

void core_agent_touch(struct core *c, struct agent *a)
{
    if (list_empty(&a->dirty))
        list_push_back(&c->dirty_agents, &a->dirty);
}

static void tell(struct core *c, struct agent *a)
{
    if (!a->told)
        core_tell(c, CORE_EV_AGENT, 0, "", a->number);
    a->told = true;
    struct sbuf *b = core_ev_begin(c, "agent.state", "agent", a->number);
    sbuf_kv(b, "agent", a->number);
    sbuf_kv(b, "state", core_agent_state_name(a->pub.state));
    if (a->pub.state == CORE_AGENT_NOT_READY && a->work)
        sbuf_kv(b, "activity", core_state_name(a));
    if (a->reason[0])
        sbuf_kv(b, "reason", a->reason);
    if (a->cause)
        sbuf_kv(b, "cause", a->cause);
    if (a->extension[0])
        sbuf_kv(b, "extension", a->extension);
    if (a->pub.call_id)
        sbuf_kv_id(b, "call_id", a->pub.call_id);
    core_ev_end(c);
}

/* The call that keeps his telephone busy: one that talks before one that rings; the one he is shown with before a new one; then
 * the smallest id. */
static struct call *busy_call(const struct agent *a, bool *talks)
{
    struct call *best = NULL;
    *talks = false;
    for (unsigned i = 0; a->ext && i < a->ext->n_calls; i++) {
        struct call *k = a->ext->calls[i];
        bool t = k->caller == a->ext || k->pub.phase == CORE_CALL_TALKING;
        if (best && *talks && !t)
            continue;
        bool better = !best || (t && !*talks) || k->pub.id == a->pub.call_id ||
                      (best->pub.id != a->pub.call_id && k->pub.id < best->pub.id);
        if (!better)
            continue;
        best = k;
        *talks = t;
    }
    return best;
}

static void unseat(struct agent *a)
{
    /* The telephone itself is tidied up by whoever brought this about: it may be at hand there. */
    a->ext->agent = NULL;
    a->ext = NULL;
    a->extension[0] = a->reason[0] = '\0';
    a->logout = a->ready = false;
    a->pub.wrap_up_until_us = a->pub.login_us = 0;
}

int core_agent_offer_up(struct core *c, const struct agent *a)
{
    const struct core_agent *p = &a->pub;
    const struct acd_facts f = {.idle_since_us = p->idle_since_us,
                                .login_us = p->login_us,
                                .answered = p->answered,
                                .occupied_us = a->occupied_us,
                                .last_offer = a->last_offer};
    return acd_agent_idle(c->acd, a->key, &f);
}

void core_agent_equip(struct core *c, struct agent *a)
{
    const Ev__Agent *cfg = core_agent_config(c, a->number);
    struct acd_skill skills[ACD_SKILLS_MAX];
    uint64_t next, region = queue_name_number(cfg->region);
    unsigned n = queue_skills(cfg, c->now_us, skills, &next);
    bool equipped = region || n;
    if ((equipped || a->equipped) && acd_agent_set(c->acd, a->key, region, skills, n) != 0)
        core_oom();
    a->equipped = equipped;
    if (next)
        heap_set(&c->skills, &a->skill, next, a->key);
    else
        heap_remove(&c->skills, &a->skill);
}

void core_agent_skills_expire(struct core *c)
{
    for (;;) {
        struct heap_item *top = heap_top(&c->skills);
        if (!top || top->due > c->now_us)
            return;
        core_agent_equip(c, list_entry(top, struct agent, skill));
    }
}

void core_agent_refresh(struct core *c, struct agent *a)
{
    struct core_agent *p = &a->pub;
    bool talks = false;
    const struct call *k = busy_call(a, &talks);
    if (!k && a->logout && a->ext) {
        unseat(a);
        core_next_forget(c, a);
    }
    core_team_working(a);
    enum core_agent_state s = CORE_AGENT_NOT_READY;
    if (!a->ext)
        s = CORE_AGENT_LOGGED_OUT;
    else if (k)
        s = talks ? CORE_AGENT_TALKING : CORE_AGENT_RINGING;
    else if (p->wrap_up_until_us > c->now_us)
        s = CORE_AGENT_WRAP_UP;
    else if (a->ready)
        s = CORE_AGENT_IDLE;

    enum core_agent_state old = p->state;
    uint64_t call = k ? k->pub.id : 0;
    core_agent_touch(c, a);
    if (s == CORE_AGENT_WRAP_UP)
        heap_set(&c->wraps, &a->wrap, p->wrap_up_until_us, a->key);
    else
        heap_remove(&c->wraps, &a->wrap);
    if (s != CORE_AGENT_WRAP_UP && !k)
        p->wrap_up_until_us = 0;
    core_state_settle(c, a, s);
    if (s == old && call == p->call_id)
        return;
    p->state = s;
    p->call_id = call;
    if ((s == CORE_AGENT_LOGGED_OUT) != (old == CORE_AGENT_LOGGED_OUT))
        core_wait_agent(c, a, old == CORE_AGENT_LOGGED_OUT);
    if (s != old) {
        bool busy = old == CORE_AGENT_RINGING || old == CORE_AGENT_TALKING || old == CORE_AGENT_WRAP_UP;
        if (busy && c->least_occupied)
            a->occupied_us += c->now_us - p->since_us;
        p->since_us = c->now_us;
    }
    if (s == CORE_AGENT_IDLE && old != CORE_AGENT_IDLE) {
        /* A telephone that rang in vain does not cost him his place. */
        if (old != CORE_AGENT_RINGING || !p->idle_since_us)
            p->idle_since_us = c->now_us;
        if (core_agent_offer_up(c, a) != 0)
            core_oom();
        c->joins = true;
    } else if (old == CORE_AGENT_IDLE && s != CORE_AGENT_IDLE) {
        acd_agent_gone(c->acd, a->key);
    }
    if (s != CORE_AGENT_IDLE && s != CORE_AGENT_RINGING)
        p->idle_since_us = 0;
    tell(c, a);
}

void core_agent_wrap_ups(struct core *c)
{
    for (;;) {
        struct heap_item *top = heap_top(&c->wraps);
        if (!top || top->due > c->now_us)
            return;
        core_agent_refresh(c, list_entry(top, struct agent, wrap));
    }
}

static void set_reason(struct agent *a, const char *reason)
{
    (void)snprintf(a->reason, sizeof a->reason, "%s", reason);
}

void core_agent_unready(struct core *c, struct agent *a, const char *reason)
{
    /* What he chose himself while it rang stands. */
    if (a->ready) {
        a->ready = false;
        set_reason(a, reason);
        core_state_chosen(c, a, AGENT_STATE_NOT_READY, CORE_BY_SYSTEM);
    }
    core_agent_refresh(c, a);
}

void core_agent_make_ready(struct core *c, struct agent *a)
{
    a->ready = true;
    set_reason(a, "");
    core_state_chosen(c, a, AGENT_STATE_READY, CORE_BY_SYSTEM);
    core_agent_refresh(c, a);
}

void core_agent_reachable(struct core *c, struct ext *e)
{
    struct agent *a = e->agent;
    if (a && !a->ready && strcmp(a->reason, "unreachable") == 0)
        core_agent_make_ready(c, a);
}

/* ---- the command */

static void answer_state(struct core *c, const struct agent *a)
{
    struct sbuf b = {0};
    sbuf_puts(&b, "{");
    sbuf_kv(&b, "agent", a->number);
    sbuf_kv(&b, "state", core_agent_state_name(a->pub.state));
    sbuf_kv(&b, "extension", a->extension);
    sbuf_kv(&b, "reason", a->reason);
    if (a->pub.state == CORE_AGENT_NOT_READY && a->work)
        sbuf_kv(&b, "activity", core_state_name(a));
    if (a->logout)
        sbuf_kv(&b, "pending", "logged_out");
    else if (a->ext && a->pub.state != CORE_AGENT_IDLE && a->pub.state != CORE_AGENT_NOT_READY)
        sbuf_kv(&b, "pending", a->ready ? "ready" : "not_ready");
    sbuf_puts(&b, "}");
    c->ans->json = b.p;
}

static int login(struct core *c, struct agent *a, const Ev__AgentSet *m)
{
    const Ev__Agent *cfg = core_agent_config(c, a->number);
    const char *number = m->extension[0] ? m->extension : cfg->extension;
    const Ev__Extension *x = core_extension(c, number);
    if (!x || x->disabled)
        return core_refuse(c, ERR_NOTFOUND, "extension", "there is no extension %.64s in use", number);
    const struct ext *there = core_ext_find(c, number);
    if (there && there->agent && there->agent != a)
        return core_refuse(c, ERR_CONFLICT, "extension", "agent %.64s is logged in at extension %.64s",
                           there->agent->number, number);
    if (a->ext && strcmp(a->extension, number) != 0)
        return core_refuse(c, ERR_CONFLICT, "agent", "agent %.64s is logged in at extension %.64s", a->number,
                           a->extension);
    if (a->ext && !a->logout)
        return 0; /* he is: as asked */
    if (!a->ext) {
        a->ext = core_ext(c, number);
        a->ext->agent = a;
        (void)snprintf(a->extension, sizeof a->extension, "%s", number);
        a->pub.login_us = c->now_us;
        a->pub.answered = 0;
        a->occupied_us = a->last_offer = 0;
        core_state_login(c, a);
    }
    a->logout = false;
    core_agent_make_ready(c, a);
    return 0;
}

void core_agent_logout(struct core *c, struct agent *a)
{
    if (!a->ext)
        return;
    char number[CORE_NAME_MAX];
    (void)strcpy(number, a->extension);
    a->logout = true;
    core_team_working(a);
    a->pub.wrap_up_until_us = 0;
    bool talks;
    struct call *k = busy_call(a, &talks);
    if (k && !talks) {
        /* Every offer to his telephone is taken back; the last one releases him. */
        while (a->ext && (k = busy_call(a, &talks)) != NULL && !talks)
            core_offer_withdraw(c, k, a->ext, 480, "logged_out");
    }
    core_agent_refresh(c, a);
    struct ext *e = core_ext_find(c, number);
    if (e)
        core_ext_tidy(c, e);
}

static int set_state(struct core *c, struct agent *a, const Ev__AgentSet *m)
{
    struct core_choice ch;
    bool longer = c->feature_level >= 3 && strcmp(m->state, "wrap_up") == 0;
    int err = longer ? core_state_extend(c, a, m) : core_state_choose(c, a, m, &ch);
    if (err)
        return err;
    bool same = longer;
    if (!longer) {
        a->ready = ch.ready;
        set_reason(a, ch.reason);
        core_state_chosen(c, a, ch.name, m->force ? CORE_BY_SUPERVISOR : CORE_BY_AGENT);
        if (a->pub.state == CORE_AGENT_WRAP_UP)
            a->pub.wrap_up_until_us = 0;
        same = a->pub.state == CORE_AGENT_NOT_READY && !ch.ready;
    }
    core_agent_refresh(c, a);
    if (same)
        tell(c, a); /* the reason or the end may be another */
    return 0;
}

int core_agent_set(struct core *c, const Ev__AgentSet *m)
{
    struct agent *a = core_agent_obj(c, m->agent);
    if (!a)
        return core_refuse(c, ERR_NOTFOUND, "agent", "there is no agent %.64s", m->agent);
    int err = 0;
    if (m->action == EV__AGENT_SET__ACTION__LOGIN)
        err = login(c, a, m);
    else if (m->action == EV__AGENT_SET__ACTION__LOGOUT)
        core_agent_logout(c, a);
    else if (m->action == EV__AGENT_SET__ACTION__SET_STATE)
        err = set_state(c, a, m);
    else
        err = core_refuse(c, ERR_UNSUPPORTED, "action", "unknown action");
    if (!err)
        answer_state(c, a);
    return err;
}
