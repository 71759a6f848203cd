#include "core/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/core_int.h"
#include "core/view_int.h"

/* ---- lines */

static void line(json_t *lines, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(json_t *lines, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_t *s = view_text(text);
    if (!s || json_array_append_new(lines, s) != 0)
        (void)json_array_clear(lines); /* an answer without lines is told from others: see finish */
}

/* Takes `o` over; NULL or without lines: memory was short. */
static int finish(json_t *o, json_t **out)
{
    if (!o || json_array_size(json_object_get(o, "lines")) == 0) {
        json_decref(o);
        return ERR_NOMEM;
    }
    *out = o;
    return 0;
}

static const char *when(uint64_t us, char out[CLOCK_TEXT_MAX])
{
    return clock_wall_text((struct clock_wall){us}, out);
}

static const char *of_strategy(enum acd_strategy s)
{
    static const char *const words[ACD_STRATEGIES] = {
        [ACD_LONGEST_IDLE] = "idle for longest",         [ACD_LOGIN_ORDER] = "logged in first",
        [ACD_FEWEST_ANSWERED] = "fewest calls answered", [ACD_RANDOM] = "drawn at random",
        [ACD_ROUND_ROBIN] = "next in the round",         [ACD_LEAST_OCCUPIED] = "least occupied",
        [ACD_RING_ALL] = "rung together with others"};
    return words[s];
}

static const char *of_preference(enum acd_preference p)
{
    static const char *const words[ACD_PREFERENCES] = {[ACD_BY_REGION] = "of the caller's region first",
                                                       [ACD_BY_LEVEL] = "highest level first",
                                                       [ACD_BY_LAST_SERVED] = "who served this caller last first"};
    return words[p];
}

/* "highest level first, then idle for longest" */
static void of_rules(const struct acd_rules *r, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < r->n_preferences && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s, then ", of_preference(r->preferences[i]));
    if (at < size)
        (void)snprintf(out + at, size - at, "%s", of_strategy(r->strategy));
}

/* ---- what an agent does */

static void of_state(const struct agent *a, char *out, size_t size)
{
    char t[CLOCK_TEXT_MAX], id[17];
    const struct core_agent *p = &a->pub;
    view_id(p->call_id, id);
    switch (p->state) {
    case CORE_AGENT_LOGGED_OUT:
        (void)snprintf(out, size, "is not logged in");
        break;
    case CORE_AGENT_NOT_READY:
        (void)snprintf(out, size, "is not ready%s%s since %s%s%s", a->work && a->work->activity[0] ? ", " : "",
                       a->work ? a->work->activity : "", when(p->since_us, t), a->reason[0] ? ": " : "", a->reason);
        break;
    case CORE_AGENT_IDLE:
        (void)snprintf(out, size, "waits for calls since %s", when(p->idle_since_us, t));
        break;
    case CORE_AGENT_RINGING:
        (void)snprintf(out, size, "is being rung for call %s", id);
        break;
    case CORE_AGENT_TALKING:
        (void)snprintf(out, size, "is on call %s since %s", id, when(p->since_us, t));
        break;
    case CORE_AGENT_WRAP_UP:
        (void)snprintf(out, size, "is in wrap-up until %s", when(p->wrap_up_until_us, t));
        break;
    }
}

/* ---- skills */

static const Ev__SkillNeed *need_of(const Ev__CallState *s, uint64_t number)
{
    for (size_t i = 0; i < s->n_needs; i++) {
        if (queue_name_number(s->needs[i]->skill) == number)
            return s->needs[i];
    }
    return NULL;
}

static void of_lack(const struct core *c, const struct agent *a, const Ev__CallState *s, uint64_t number, char *out,
                    size_t size)
{
    const Ev__SkillNeed *need = need_of(s, number);
    const Ev__Agent *cfg = core_agent_config(c, a->number);
    const Ev__AgentSkill *has = NULL;
    for (size_t i = 0; need && i < cfg->n_skills; i++) {
        if (strcmp(cfg->skills[i]->skill, need->skill) == 0)
            has = cfg->skills[i];
    }
    uint64_t until = 0;
    const char *skill = need ? need->skill : "?";
    unsigned least = need ? need->level : 0;
    if (has && has->until[0] && config_parse_time(has->until, &until) == 0 && until <= c->now_us)
        (void)snprintf(out, size, "had skill %s until %s only", skill, has->until);
    else if (has)
        (void)snprintf(out, size, "has skill %s at level %u, %u is needed", skill, has->level, least);
    else
        (void)snprintf(out, size, "lacks skill %s (level %u is needed)", skill, least);
}

static const char *verdict_name(enum acd_verdict v)
{
    static const char *const names[] = {"can", "not_available", "unskilled", "kept_idle", "not_his"};
    return (unsigned)v < 5 ? names[v] : "";
}

static void of_verdict(const struct core *c, const struct agent *a, const Ev__CallState *s,
                       const struct acd_candidate *x, char *out, size_t size)
{
    switch (x->verdict) {
    case ACD_CAN:
        (void)snprintf(out, size, "could serve the call now");
        break;
    case ACD_NOT_AVAILABLE:
        of_state(a, out, size);
        break;
    case ACD_UNSKILLED:
        of_lack(c, a, s, x->missing.skill, out, size);
        break;
    case ACD_KEPT_IDLE:
        (void)snprintf(out, size, "is kept free for callers");
        break;
    case ACD_NOT_HIS:
        (void)snprintf(out, size, "is not the agent for whom the call waits");
        break;
    }
}

/* ---- a call */

static const char *of_entry(const char *entry, char number[NUMBER_MAX])
{
    (void)config_vip_queue(entry, number);
    return number;
}

/* How it is reckoned, so that it can be followed. */
static void estimate_line(const struct core *c, const struct call *k, struct queue *q, json_t *lines)
{
    uint32_t s = core_estimated_wait_s(c, k->pub.id);
    const struct estimate *e = core_estimate(c, q);
    if (!e->agents_1000)
        line(lines, "Nobody works for queue %s now: how long he will wait cannot be told.", q->name);
    else
        line(lines,
             "He will wait for about %u seconds more: a call keeps an agent of queue %s busy for %llu seconds, "
             "%llu.%02llu "
             "agents work for it (who serves others too counts in part), %llu of 1000 callers give up in each minute.",
             s, q->name, (unsigned long long)(e->handling_us / 1000000), (unsigned long long)(e->agents_1000 / 1000),
             (unsigned long long)(e->agents_1000 % 1000 / 10), (unsigned long long)(e->leaving * 60 / 1000));
}

/* His own agent, and further queues. */
static void own_lines(const struct core *c, const struct call *k, json_t *lines)
{
    const Ev__CallState *s = k->st;
    const Ev__Queue *cfg = core_queue_config(c, s->queue);
    char t[CLOCK_TEXT_MAX];
    if (s->dedicated[0] && core_wait_for_own(c, k))
        line(lines, "Until %s he waits for his own agent %s alone.",
             when((s->entered_us ? s->entered_us : s->queued_us) + cfg->dedicated_wait_s * 1000000ull, t),
             s->dedicated);
    else if (s->dedicated[0])
        line(lines, "His own agent is %s; anybody may serve him.", s->dedicated);
    for (size_t i = 0; i < s->n_overflow; i++)
        line(lines, "He waits in queue %s as well, with the same wait clock.", s->overflow[i]);
    for (size_t i = 0; i < cfg->n_overflow && s->n_overflow == 0; i++) {
        const Ev__QueueOverflow *o = cfg->overflow[i];
        if (o->after_wait_s)
            line(lines, "After %u seconds of waiting he waits in queue %s as well.", o->after_wait_s, o->queue);
        else if (o->if_estimated_s)
            line(lines, "Once he is reckoned to wait for more than %u seconds he waits in queue %s as well.",
                 o->if_estimated_s, o->queue);
        else
            line(lines, "Behind place %u he would wait in queue %s as well.", o->if_waiting, o->queue);
    }
}

/* What his queue does with him when he has waited for long. */
static void rule_lines(const struct core *c, const struct call *k, json_t *lines)
{
    const char *reason;
    const Ev__Action *a;
    uint64_t due;
    bool tried;
    char t[CLOCK_TEXT_MAX];
    for (unsigned i = 0; core_wait_rule(c, k, i, &reason, &a, &due, &tried); i++) {
        const char *when_so =
            strcmp(reason, "no_agents") == 0 ? "while no member of the queue is logged in" : "waiting";
        if (a && tried)
            line(lines, "He waited for too long (%s), but %s %s could not be reached: he goes on waiting.", when_so,
                 a->type, a->target);
        else if (a && due != UINT64_MAX)
            line(lines, "At %s, if he is still %s: %s%s%s.", when(due, t), when_so, a->type, a->target[0] ? " " : "",
                 a->target);
    }
}

static void place_lines(const struct core *c, const struct call *k, const struct queue *q, json_t *lines)
{
    const Ev__CallState *s = k->st;
    char t[CLOCK_TEXT_MAX], number[NUMBER_MAX];
    const char *who = core_call_obj(c, s->call_id) ? "Caller" : "A call back to";
    line(lines, "%s %.64s waits in queue %s since %s: place %u of %u.", who, s->caller, q->name, when(s->queued_us, t),
         acd_position(c->acd, s->call_id), acd_waiting(c->acd, q->key));
    if (s->front)
        line(lines, "The call stands at the very front: an offer of it was not answered.");
    if (s->vip_said[0])
        line(lines,
             strcmp(s->vip_said, "lookup") == 0
                 ? "The business system says that the caller is a VIP: he goes before all others."
                 : "The business system could not be asked about the caller, and is set to make him a VIP then.");
    else if (s->vip && s->vip_by == CORE_VIP_BY_NUMBER)
        line(lines, "The number called is a VIP number: its callers go before all others.");
    else if (s->vip)
        line(lines, "The caller is a VIP by entry %s of %s: VIPs go before all others.", of_entry(s->vip_entry, number),
             s->vip_by == CORE_VIP_BY_QUEUE ? "the queue's own list" : "the global list");
    if (s->priority && q->rules.ageing_us)
        line(lines, "Priority %u counts as %llu seconds of waiting.", s->priority,
             (unsigned long long)(s->priority * (q->rules.ageing_us / 1000000)));
    else if (s->priority)
        line(lines, "Priority %u: it goes before all of less.", s->priority);
    if (q->rules.target_us)
        line(lines, "The queue's service target is %llu seconds.", (unsigned long long)(q->rules.target_us / 1000000));
    estimate_line(c, k, core_queue_obj(c, s->queue), lines);
    own_lines(c, k, lines);
    rule_lines(c, k, lines);
    for (size_t i = 0; i < s->n_needs; i++)
        line(lines, "The call needs skill %s at level %u or more.", s->needs[i]->skill, s->needs[i]->level);
}

static int member_lines(const struct core *c, const struct call *k, const struct queue *q, json_t *o, json_t *lines)
{
    struct acd_candidate *all = calloc(EXPLAIN_AGENTS_MAX, sizeof *all);
    json_t *agents = json_array();
    if (!all || !agents || json_object_set(o, "agents", agents) != 0) {
        free(all);
        json_decref(agents);
        return ERR_NOMEM;
    }
    unsigned n = acd_explain(c->acd, k->pub.id, q->key, all, EXPLAIN_AGENTS_MAX), count[ACD_NOT_HIS + 1] = {0};
    int err = json_object_set_new(o, "members", json_integer(n));
    for (unsigned i = 0; i < n && i < EXPLAIN_AGENTS_MAX && !err; i++) {
        const struct agent *a = c->agent_by_key[all[i].agent];
        char reason[256];
        of_verdict(c, a, k->st, &all[i], reason, sizeof reason);
        count[all[i].verdict]++;
        err = json_array_append_new(agents,
                                    json_pack("{s:s,s:i,s:s,s:s,s:o}", "agent", a->number, "level", (int)all[i].level,
                                              "state", core_agent_state_name(a->pub.state), "verdict",
                                              verdict_name(all[i].verdict), "reason", view_text(reason)));
    }
    if (n == 0)
        line(lines, "The queue has no members.");
    else if (count[ACD_CAN] == 0)
        line(lines, "No member can serve it now: %u of %u are not available, %u lack a skill.",
             count[ACD_NOT_AVAILABLE], n, count[ACD_UNSKILLED]);
    free(all);
    json_decref(agents);
    return err ? ERR_NOMEM : 0;
}

static void chosen_line(const struct call *k, const char *agent, const struct queue *q, json_t *lines)
{
    const Ev__CallState *s = k->st;
    unsigned others = s->offer_candidates > 0 ? s->offer_candidates - 1 : 0;
    if (s->next) {
        line(lines, "Agent %s had asked for the next call.", agent);
        return;
    }
    if (!s->offer_why)
        return; /* it was offered by a program that did not keep why */
    switch ((enum acd_why)(s->offer_why - 1)) {
    case ACD_WHY_DEDICATED:
        line(lines, "Agent %s is the caller's own agent.", agent);
        break;
    case ACD_WHY_ONLY_ONE:
        line(lines, "Agent %s was the only one who could serve the call.", agent);
        break;
    case ACD_WHY_REGION:
        line(lines, "Of %u who could, agent %s was chosen: of the caller's region.", others + 1, agent);
        break;
    case ACD_WHY_LEVEL:
        line(lines, "Of %u who could, agent %s was chosen: the highest level.", others + 1, agent);
        break;
    case ACD_WHY_LAST_SERVED:
        line(lines, "Of %u who could, agent %s was chosen: served this caller last.", others + 1, agent);
        break;
    case ACD_WHY_STRATEGY:
        line(lines, "Of %u who could, agent %s was chosen by the strategy: %s.", others + 1, agent,
             q ? of_strategy(q->rules.strategy) : "of a queue that is gone");
        break;
    }
}

static void ring_lines(const struct core *c, const struct call *k, const struct queue *q, json_t *lines)
{
    line(
        lines,
        "%u could serve the call when it was offered; the queue rings up to %u at once, and who answers first gets it.",
        k->st->offer_candidates, q->rules.ring_max);
    line(lines, "Who has not answered by then is %s.",
         queue_unready_unanswered(core_queue_config(c, q->name)) ? "not ready" : "still ready, and is rung again");
}

static void offered_lines(const struct core *c, const struct call *k, const struct queue *q, json_t *lines)
{
    const Ev__CallState *s = k->st;
    char t[CLOCK_TEXT_MAX];
    bool ring_all = q && q->rules.strategy == ACD_RING_ALL;
    if (s->phase == CORE_CALL_OFFERED) {
        line(lines, "Agent %s is being rung at extension %s since %s, for %u seconds at most.", s->offer_agent,
             s->offer_extension, when(s->offer_since_us, t), s->offer_ring_time_s);
        for (size_t i = 0; i < s->n_rings; i++)
            line(lines, "Agent %s is being rung at extension %s for it too.", s->rings[i]->agent,
                 s->rings[i]->extension);
        if (ring_all)
            ring_lines(c, k, q, lines);
        else
            chosen_line(k, s->offer_agent, q, lines);
    } else {
        const Ev__LegState *l = core_leg_served(s);
        line(lines, "Agent %s has answered the call from queue %s at %s.", l->agent, s->queue,
             when(s->connected_us, t));
        if (ring_all)
            line(lines, "He was the first to answer of those whom the queue rang together.");
        else
            chosen_line(k, l->agent, q, lines);
    }
    if (s->offers > 1)
        line(lines, "It is offer %u of this call.", s->offers);
}

static const char *why_forwarded(const char *why)
{
    return strcmp(why, "always") == 0      ? "has all calls forwarded"
           : strcmp(why, "busy") == 0      ? "was busy"
           : strcmp(why, "no_answer") == 0 ? "has not answered"
                                           : "could not be reached";
}

static void forward_lines(const Ev__CallState *s, json_t *lines)
{
    char t[CLOCK_TEXT_MAX];
    for (size_t i = 0; i < s->n_segments; i++) {
        const Ev__CallSegment *g = s->segments[i];
        if (g->why[0])
            line(lines, "At %s it was forwarded to %s %s: %s%s%s%s %s.", when(g->to_us, t), g->to_type, g->to,
                 g->agent[0] ? "agent " : "extension ", g->agent[0] ? g->agent : g->number, g->agent[0] ? " at " : "",
                 g->agent[0] ? g->number : "", why_forwarded(g->why));
    }
}

int core_explain_call(const struct core *c, uint64_t call_id, json_t **out, struct err_info *info)
{
    const struct call *k = core_waiter(c, call_id);
    const Ev__CallBack *row = core_callback(c, call_id);
    if (!k)
        return err_set(info, ERR_NOTFOUND, "call_id", "there is no such call");
    if (row && k->st == row->waits && (row->call_id || row->due_us))
        return err_set(info, ERR_NOTFOUND, "call_id", "that call back does not wait in a queue now: it is %s",
                       core_callback_state(row->call_id, row->due_us));
    const Ev__CallState *s = k->st;
    const struct queue *q = s->queue[0] ? core_queue_obj(c, s->queue) : NULL;
    uint32_t place = s->phase == CORE_CALL_WAITING ? acd_position(c->acd, call_id) : 0;
    char id[17], rules[200] = "";
    view_id(call_id, id);
    json_t *lines = json_array();
    uint32_t wait_s = core_estimated_wait_s(c, call_id);
    json_t *o = json_pack("{s:o,s:s,s:s,s:s,s:s,s:o,s:O,s:i,s:[]}", "estimated_wait_s",
                          wait_s == ESTIMATE_UNKNOWN ? json_null() : json_integer(wait_s), "call_id", id, "phase",
                          core_call_phase_name((enum core_call_phase)s->phase), "queue", s->queue, "strategy",
                          q ? queue_strategy_name(q->rules.strategy) : "", "position",
                          place ? json_integer(place) : json_null(), "lines", lines, "members", 0, "agents");
    int err = o ? 0 : ERR_NOMEM;
    if (!err)
        forward_lines(s, lines);
    bool served = s->phase == CORE_CALL_OFFERED || (s->phase == CORE_CALL_TALKING && q && s->n_legs > 1);
    if (!err && s->phase == CORE_CALL_WAITING && q) {
        place_lines(c, k, q, lines);
        err = member_lines(c, k, q, o, lines);
    } else if (!err && served) {
        offered_lines(c, k, q, lines);
    } else if (!err) {
        line(lines, "The call is not in a queue: its phase is %s.",
             core_call_phase_name((enum core_call_phase)s->phase));
    }
    if (!err && q && (served || s->phase == CORE_CALL_WAITING)) {
        of_rules(&q->rules, rules, sizeof rules);
        line(lines, "Queue %s chooses among those who can: %s.", q->name, rules);
    }
    json_decref(lines);
    if (err) {
        json_decref(o);
        return err;
    }
    return finish(o, out);
}

/* ---- an agent */

static const Ev__QueueMember *member_of(const Ev__Queue *q, const char *agent)
{
    for (size_t i = 0; i < q->n_members; i++) {
        if (strcmp(q->members[i]->agent, agent) == 0)
            return q->members[i];
    }
    return NULL;
}

/* Of the first who wait, why none is his. */
static void waiting_lines(const struct core *c, const struct queue *q, const struct agent *a, json_t *lines)
{
    uint64_t id;
    const Ev__Queue *cfg = core_queue_config(c, q->name);
    struct acd_candidate *all = calloc(cfg->n_members + 1, sizeof *all);
    for (uint32_t i = 0; all && i < EXPLAIN_CALLS_MAX && acd_waiting_at(c->acd, q->key, i, &id); i++) {
        unsigned n = acd_explain(c->acd, id, q->key, all, (unsigned)cfg->n_members + 1);
        for (unsigned k = 0; k < n && k <= cfg->n_members; k++) {
            if (all[k].agent != a->key)
                continue;
            char text[17], reason[256];
            view_id(id, text);
            of_verdict(c, a, core_waiter(c, id)->st, &all[k], reason, sizeof reason);
            line(lines, "Place %u, %s %s: agent %s %s.", i + 1, core_call_obj(c, id) ? "call" : "call back", text,
                 a->number, reason);
        }
    }
    free(all);
}

/* What his place goes by. */
static void turn_line(const struct core *c, const struct queue *q, const struct agent *a, json_t *lines)
{
    const struct core_agent *p = &a->pub;
    char t[CLOCK_TEXT_MAX], rules[200];
    of_rules(&q->rules, rules, sizeof rules);
    line(lines, "%u members are available; the queue chooses: %s.", acd_available(c->acd, q->key), rules);
    switch (q->rules.strategy) {
    case ACD_LONGEST_IDLE:
    case ACD_RANDOM:
    case ACD_RING_ALL:
        line(lines, "He is idle since %s.", when(p->idle_since_us, t));
        break;
    case ACD_LOGIN_ORDER:
        line(lines, "He logged in at %s.", when(p->login_us, t));
        break;
    case ACD_FEWEST_ANSWERED:
        line(lines, "He has answered %u calls since he logged in.", p->answered);
        break;
    case ACD_ROUND_ROBIN:
        line(lines, "%s",
             a->last_offer ? "He has had his turn in this round or an earlier one."
                           : "He has had no turn since he logged in.");
        break;
    case ACD_LEAST_OCCUPIED:
        line(lines, "He was occupied for %llu seconds since he logged in.",
             (unsigned long long)(a->occupied_us / 1000000));
        break;
    case ACD_STRATEGIES:
        break;
    }
}

int core_explain_agent(const struct core *c, const char *queue, const char *agent, json_t **out, struct err_info *info)
{
    const struct queue *q = core_queue_obj(c, queue);
    const struct agent *a = core_agent_obj(c, agent);
    if (!q)
        return err_set(info, ERR_NOTFOUND, "queue", "there is no queue \"%.64s\"", queue);
    if (!a)
        return err_set(info, ERR_NOTFOUND, "agent", "there is no agent \"%.64s\"", agent);
    const Ev__QueueMember *m = member_of(core_queue_config(c, queue), agent);
    bool idle = a->pub.state == CORE_AGENT_IDLE;
    json_t *lines = json_array();
    json_t *o = json_pack("{s:s,s:s,s:s,s:b,s:O}", "agent", agent, "queue", queue, "state",
                          core_agent_state_name(a->pub.state), "available", m && idle, "lines", lines);
    char state[256];
    of_state(a, state, sizeof state);
    if (!m)
        line(lines, "Agent %s is not a member of queue %s: its calls are never offered to him.", agent, queue);
    line(lines, "Agent %s %s.", agent, state);
    if (m && idle && acd_waiting(c->acd, q->key) == 0)
        line(lines, "Nobody waits in queue %s.", queue);
    else if (m && idle)
        waiting_lines(c, q, a, lines);
    if (m && idle)
        turn_line(c, q, a, lines);
    json_decref(lines);
    return finish(o, out);
}

/* ---- a number */

/* {"number", "listed", "entry", "note", and `key`: value} */
static int number_answer(const char *number, const char *entry, const char *note, const char *key, const char *value,
                         json_t **out)
{
    char form[NUMBER_MAX];
    number_form(number, form);
    *out = json_pack("{s:o,s:b,s:s,s:o,s:s}", "number", view_text(form), "listed", entry != NULL, "entry",
                     entry ? entry : "", "note", view_text(entry ? note : ""), key, value);
    return *out ? 0 : ERR_NOMEM;
}

int core_explain_blacklist(const struct core *c, const char *number, bool out_of_here, json_t **out)
{
    const Ev__BlacklistEntry *e = core_blacklisted(c, number, out_of_here ? CORE_CALL_OUT : CORE_CALL_IN);
    return number_answer(number, e ? e->number : NULL, e ? e->note : "", "direction", out_of_here ? "out" : "in", out);
}

int core_explain_vip(const struct core *c, const char *number, const char *queue, json_t **out, struct err_info *info)
{
    const Ev__Queue *q = queue[0] ? core_queue_config(c, queue) : NULL;
    if (queue[0] && !q)
        return err_set(info, ERR_NOTFOUND, "queue", "there is no queue \"%.64s\"", queue);
    const char *list = !q ? "global" : q->vip[0] ? q->vip : "none";
    const Ev__VipEntry *e =
        strcmp(list, "none") == 0 ? NULL : core_vip_entry(c, number, strcmp(list, "list") == 0 ? queue : "");
    return number_answer(number, e ? e->entry : NULL, e ? e->note : "", "list", list, out);
}
