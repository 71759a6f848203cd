/* What agents choose to be: how long they may, must, and did; wrap-up. All of it from feature level 3 on.
 *
 * The limit of a state in which an agent is not ready begins when he comes into it: what he chooses during a call or wrap-up begins
 * after it. From then on it runs whatever else he does, so that a private call does not prolong it. It ends as the configuration
 * says at that time; how long it lasts was settled when it began, as for wrap-up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/agent_state.h"
#include "core/core_int.h"

#define SPENT_MAX 40u /* kinds of time of one agent; further ones are counted as "other" */
#define US 1000000ull

static Ev__AgentWork *work(struct agent *a)
{
    if (!a->work) {
        a->work = core_alloc(sizeof *a->work);
        ev__agent_work__init(a->work);
    }
    return a->work;
}

static const Ev__AgentState *config(const struct core *c, const char *name)
{
    const struct cfg *o = core_cfg(c, CFG_AGENT_STATE, name);
    return o ? (const Ev__AgentState *)(const void *)o->msg : NULL;
}

static const Ev__AgentGroup *group_of(const struct core *c, const Ev__Agent *cfg)
{
    const struct cfg *o = cfg->group[0] ? core_cfg(c, CFG_AGENT_GROUP, cfg->group) : NULL;
    return o ? (const Ev__AgentGroup *)(const void *)o->msg : NULL;
}

const char *core_state_name(const struct agent *a)
{
    return a->work && a->work->activity[0] ? a->work->activity : AGENT_STATE_NOT_READY;
}

bool core_state_in_use(const struct core *c, const char *name, const char **agent)
{
    for (uint32_t i = 0; i < c->agent_keys; i++) {
        const struct agent *a = c->agent_by_key[i];
        if (a && a->ext && !a->ready && strcmp(core_state_name(a), name) == 0) {
            *agent = a->number;
            return true;
        }
    }
    return false;
}

/* ---- the choice */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a, b, c": as many as there is room for. */
static void join(char *out, size_t size, const char *const *names, size_t n)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t need = strlen(names[i]) + 2;
        bool room = at + need + 5 < size;
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", room ? names[i] : "...");
        if (!room)
            return;
    }
}

static int refuse_unknown(struct core *c, const char *name)
{
    const char **names = core_alloc((map_count(&c->cfg[CFG_AGENT_STATE]) + 16) * sizeof *names), *before = "";
    size_t n = 0, kept = 0;
    for (size_t i = 0; agent_state_builtin(i); i++)
        names[n++] = agent_state_builtin(i)->name;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_AGENT_STATE], &it, &slot);)
        names[n++] = ((const struct cfg *)slot->value)->name;
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], before) != 0)
            before = names[kept++] = names[i];
    }
    char list[180];
    join(list, sizeof list, names, kept);
    free(names);
    return core_refuse(c, ERR_INVAL, "state", "there is no state %.40s; known are %s", name, list);
}

/* The state with this code: one that says so itself before a built-in one. */
static const char *of_code(const struct core *c, const char *code, size_t len)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_AGENT_STATE], &it, &slot);) {
        const struct cfg *o = slot->value;
        const char *own = ((const Ev__AgentState *)(const void *)o->msg)->code;
        if (strlen(own) == len && len && memcmp(own, code, len) == 0)
            return o->name;
    }
    for (size_t i = 0; agent_state_builtin(i); i++) {
        const struct agent_state *b = agent_state_builtin(i);
        const Ev__AgentState *refined = config(c, b->name);
        if ((!refined || !refined->code[0]) && strlen(b->code) == len && len && memcmp(b->code, code, len) == 0)
            return b->name;
    }
    return NULL;
}

/* CODE or CODE*N */
static int dialled(struct core *c, const char *dial, struct core_choice *out)
{
    size_t len = strspn(dial, "0123456789");
    out->name = of_code(c, dial, len);
    if (!out->name || (dial[len] && dial[len] != '*'))
        return core_refuse(c, ERR_INVAL, "code", "there is no state with the code %.32s", dial);
    if (!dial[len])
        return 0;
    const Ev__AgentState *cfg = config(c, out->name);
    const char *digits = dial + len + 1;
    size_t n = strspn(digits, "0123456789") < 4 ? strtoul(digits, NULL, 10) : 0;
    if (digits[strspn(digits, "0123456789")] || !cfg || n == 0 || n > cfg->n_reasons)
        return core_refuse(c, ERR_INVAL, "code", "state %s has no reason with the number %.16s", out->name, digits);
    out->reason = cfg->reasons[n - 1];
    return 0;
}

static int check_reason(struct core *c, const Ev__AgentState *cfg, const char *name, const char *reason)
{
    bool listed = !cfg || !cfg->n_reasons || (!reason[0] && !cfg->reason_required);
    for (size_t i = 0; !listed && i < cfg->n_reasons; i++)
        listed = strcmp(cfg->reasons[i], reason) == 0;
    if (listed && (reason[0] || !cfg || !cfg->reason_required))
        return 0;
    char list[120];
    join(list, sizeof list, (const char *const *)cfg->reasons, cfg->n_reasons);
    if (!reason[0])
        return core_refuse(c, ERR_INVAL, "reason", "state %s needs a reason%s%s", name,
                           cfg->n_reasons ? ": one of " : "", list);
    return core_refuse(c, ERR_INVAL, "reason", "%.63s is no reason of state %s; it has %s", reason, name, list);
}

static uint32_t busy_for_s(const struct core *c, const struct agent *a)
{
    const Ev__Agent *cfg = core_agent_config(c, a->number);
    const Ev__AgentGroup *g = group_of(c, cfg);
    return cfg->min_busy_s      ? cfg->min_busy_s
           : g && g->min_busy_s ? g->min_busy_s
                                : core_parameter_number(c, "min_busy_s", 0);
}

/* Not ready for no more than a moment, in order to be passed over. */
static int check_minimum(struct core *c, const struct agent *a)
{
    uint64_t from = a->work ? a->work->busy_us : 0;
    uint32_t least = from ? busy_for_s(c, a) : 0;
    if (!least || c->now_us >= from + least * US)
        return 0;
    uint64_t more = (from + least * US - c->now_us + US - 1) / US;
    return core_refuse(c, ERR_BADSTATE, "state", "agent %.64s has to stay not ready for %llu s more: %u s is the least",
                       a->number, (unsigned long long)more, least);
}

int core_state_choose(struct core *c, const struct agent *a, const Ev__AgentSet *m, struct core_choice *out)
{
    bool all = c->feature_level >= 3;
    *out = (struct core_choice){.name = m->state, .reason = m->reason};
    if (all && m->code[0]) {
        int err = dialled(c, m->code, out);
        if (err)
            return err;
    }
    out->ready = strcmp(out->name, AGENT_STATE_READY) == 0;
    struct agent_state s;
    const Ev__AgentState *cfg = all ? config(c, out->name) : NULL;
    if (!all && !out->ready && strcmp(out->name, AGENT_STATE_NOT_READY) != 0)
        return core_refuse(c, ERR_INVAL, "state", "a state is \"ready\" or \"not_ready\"");
    if (!agent_state_get(cfg, out->name, &s))
        return refuse_unknown(c, out->name);
    if (strlen(out->reason) >= CORE_REASON_MAX)
        return core_refuse(c, ERR_TOOBIG, "reason", "a reason has at most %u bytes", CORE_REASON_MAX - 1);
    if (!a->ext)
        return core_refuse(c, ERR_BADSTATE, "agent", "agent %.64s is not logged in", a->number);
    if (m->extend_s)
        return core_refuse(c, ERR_INVAL, "extend_s", "is for the state wrap_up");
    if (out->ready)
        out->reason = "";
    return out->ready ? (m->force || a->ready ? 0 : check_minimum(c, a)) : check_reason(c, cfg, out->name, out->reason);
}

void core_state_chosen(struct core *c, struct agent *a, const char *name, enum core_chosen_by by)
{
    if (c->feature_level < 3)
        return;
    Ev__AgentWork *w = work(a);
    core_pbset(&w->activity, a->ready || strcmp(name, AGENT_STATE_NOT_READY) == 0 ? "" : name);
    w->system = by == CORE_BY_SYSTEM;
    w->exempt = by != CORE_BY_AGENT;
    w->entered_us = w->until_us = 0;
    if (a->ready || w->exempt)
        w->busy_us = 0;
}

int core_state_extend(struct core *c, struct agent *a, const Ev__AgentSet *m)
{
    struct core_agent *p = &a->pub;
    if (!m->extend_s)
        return core_refuse(c, ERR_INVAL, "extend_s", "by how many seconds?");
    if (p->state != CORE_AGENT_WRAP_UP)
        return core_refuse(c, ERR_BADSTATE, "agent", "agent %.64s is not in wrap-up", a->number);
    uint32_t most = core_parameter_number(c, "wrap_up_max_s", 600);
    const Ev__AgentWork *w = work(a);
    uint64_t end = (w->wrap_up_from_us ? w->wrap_up_from_us : p->since_us) + most * US;
    if (p->wrap_up_until_us >= end)
        return core_refuse(c, ERR_BADSTATE, "extend_s", "wrap-up lasts no longer than %u s", most);
    uint64_t until = p->wrap_up_until_us + m->extend_s * US;
    p->wrap_up_until_us = until < end ? until : end;
    return 0;
}

/* ---- time */

static void drop_spent(Ev__AgentWork *w)
{
    for (size_t i = 0; i < w->n_spent; i++)
        ev__agent_spent__free_unpacked(w->spent[i], NULL);
    free(w->spent);
    w->spent = NULL;
    w->n_spent = 0;
    w->present = 0;
}

void core_state_login(struct core *c, struct agent *a)
{
    if (c->feature_level >= 3)
        drop_spent(work(a));
}

static uint32_t spent_as(Ev__AgentWork *w, const char *state, const char *reason, bool pause)
{
    for (size_t i = 0; i < w->n_spent; i++) {
        if (strcmp(w->spent[i]->state, state) == 0 && strcmp(w->spent[i]->reason, reason) == 0) {
            w->spent[i]->pause = pause;
            return (uint32_t)i + 1;
        }
    }
    if (w->n_spent == SPENT_MAX)
        return SPENT_MAX;
    bool last = w->n_spent + 1 == SPENT_MAX;
    w->spent = core_grow(w->spent, (w->n_spent + 1) * sizeof *w->spent);
    Ev__AgentSpent *e = core_alloc(sizeof *e);
    ev__agent_spent__init(e);
    core_pbset(&e->state, last ? "other" : state);
    core_pbset(&e->reason, last ? "" : reason);
    e->pause = pause;
    w->spent[w->n_spent++] = e;
    return (uint32_t)w->n_spent;
}

static void count(struct core *c, struct agent *a, enum core_agent_state s)
{
    Ev__AgentWork *w = work(a);
    uint32_t now = 0;
    if (s == CORE_AGENT_NOT_READY) {
        struct agent_state is;
        const char *name = core_state_name(a);
        bool pause = agent_state_get(config(c, name), name, &is) && is.pause;
        now = spent_as(w, name, a->reason, pause);
    } else if (s != CORE_AGENT_LOGGED_OUT) {
        now = spent_as(w, core_agent_state_name(s), "", false);
    }
    if (now == w->present)
        return;
    if (w->present)
        w->spent[w->present - 1]->us += c->now_us - w->counted_us;
    w->counted_us = c->now_us;
    w->present = now;
    if (now)
        w->spent[now - 1]->times++;
}

/* Seconds, 0: none; *out: it ends by logging him out. */
static uint32_t limit_of(const struct core *c, const struct agent *a, bool *out)
{
    *out = false;
    uint32_t again = a->work->system ? core_parameter_number(c, "auto_ready_after_s", 0) : 0;
    if (again)
        return again;
    const Ev__AgentState *cfg = config(c, core_state_name(a));
    *out = !cfg || strcmp(cfg->then, "logout") == 0;
    return cfg && cfg->limit_s ? cfg->limit_s : core_parameter_number(c, "state_limit_s", 28800);
}

void core_state_settle(struct core *c, struct agent *a, enum core_agent_state s)
{
    if (c->feature_level < 3)
        return;
    Ev__AgentWork *w = work(a);
    bool out;
    if (s == CORE_AGENT_LOGGED_OUT) {
        core_pbset(&w->activity, "");
        w->system = w->exempt = false;
        w->wrap_up_from_us = 0;
    }
    if (s == CORE_AGENT_LOGGED_OUT || a->ready) {
        w->entered_us = w->busy_us = w->until_us = 0;
    } else if (s == CORE_AGENT_NOT_READY && !w->entered_us) {
        w->entered_us = c->now_us;
        if (!w->busy_us && !w->exempt)
            w->busy_us = c->now_us;
        uint32_t limit = limit_of(c, a, &out);
        w->until_us = limit ? c->now_us + limit * US : 0;
    }
    core_state_watch(c, a);
    count(c, a, s);
}

void core_state_watch(struct core *c, struct agent *a)
{
    if (a->work && a->work->until_us)
        heap_set(&c->limits, &a->limit, a->work->until_us, a->key);
    else
        heap_remove(&c->limits, &a->limit);
}

void core_state_limits(struct core *c)
{
    for (;;) {
        struct heap_item *top = heap_top(&c->limits);
        if (!top || top->due > c->now_us)
            return;
        struct agent *a = list_entry(top, struct agent, limit);
        bool out;
        (void)limit_of(c, a, &out);
        a->work->until_us = 0;
        a->cause = "limit";
        if (out)
            core_agent_logout(c, a);
        else
            core_agent_make_ready(c, a);
        a->cause = NULL;
    }
}

/* ---- after a call */

static uint32_t own_wrap_up_s(const struct core *c, const struct agent *a)
{
    const Ev__Agent *cfg = core_agent_config(c, a->number);
    const Ev__AgentGroup *g = group_of(c, cfg);
    return cfg->wrap_up_s ? cfg->wrap_up_s : g ? g->wrap_up_s : 0;
}

static uint32_t wrap_up_s(const struct core *c, const struct agent *a, const char *queue)
{
    if (!queue[0])
        return strcmp(core_parameter(c, "wrap_up_direct_calls", "off"), "on") == 0 ? own_wrap_up_s(c, a) : 0;
    const Ev__Queue *q = core_queue_config(c, queue);
    if (q && strcmp(q->after_call, "ready") == 0)
        return 0;
    return q && q->wrap_up_s ? q->wrap_up_s : own_wrap_up_s(c, a);
}

void core_state_wrap_up(struct core *c, const struct call *k)
{
    const Ev__CallState *s = k->st;
    const struct ext *served_by = s->we_call ? k->caller : k->callee;
    struct agent *a = served_by ? served_by->agent : NULL;
    if (!a)
        return;
    if (c->feature_level < 3) {
        const Ev__Queue *q = s->queue[0] ? core_queue_config(c, s->queue) : NULL;
        if (q && q->wrap_up_s)
            a->pub.wrap_up_until_us = c->now_us + q->wrap_up_s * US;
        return;
    }
    const Ev__LegState *l = core_leg_served(s);
    uint32_t time_s = wrap_up_s(c, a, l->direct || l->queue[0] ? l->queue : s->queue);
    uint64_t until = c->now_us + time_s * US;
    if (!time_s || until <= a->pub.wrap_up_until_us)
        return;
    a->pub.wrap_up_until_us = until;
    work(a)->wrap_up_from_us = c->now_us;
    if (c->feature_level >= 4)
        core_agent_touch(c, a); /* his telephone may be in the call yet, until its owner has hung up */
}
