/* Forwarding: where calls go that are for an agent or a telephone, and not from a queue (Forward).
 *
 *   core_dial ─"always"───────────────────────────────────────────► where it leads
 *       │ cannot be rung ─"busy", "unavailable"───────────────────► likewise
 *       └─► DIALLING, for after_s when there is a rule "no_answer"
 *              │ in vain ─"no_answer", "busy" (refused as well), "unavailable"─► likewise
 *
 * Rules of an agent come before those of the telephone at which he is; of each the first by order, then by name, whose time group is open when the
 * call comes or has been rung for in vain: by the time of that command. Where it leads is an action like any other (core_action.c), to somebody
 * who may have rules himself. A call follows FORWARDS_MAX rules in a row; what would be the next is in vain, with the cause forward_loop. The
 * telephone that rang is called off, and the next one rung, by what follows from one commit: whoever owns the call by then.
 *
 * Not forwarded: offers from queues (the engine chooses), the telephone of who asked for the call (by click, a call back, a supervisor), who
 * is rung again because his transfer was in vain. Who is rung for a call that he is to join (a consultation) can be led to whatever
 * rings, and to queues; there is nobody yet who could hear a menu. Of feature level 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

#define FORWARDS_MAX 5u
#define SEGMENTS_MAX 40u /* of one call that tell of forwarding: a flow may dial the same agent for ever */

/* ---- the rules of one agent or telephone: derived from the configuration, made when first asked for */

struct rules {
    size_t n;
    const Ev__Forward **v;
};

static void key_of(char key[CORE_NAME_MAX + 16], const char *agent, const char *extension)
{
    (void)snprintf(key, CORE_NAME_MAX + 16, "%s/%s", agent[0] ? "agent" : "extension", agent[0] ? agent : extension);
}

void core_forwards_drop(struct core *c)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->forwards, &it, &slot);) {
        struct rules *r = slot->value;
        free(r->v);
        free(r);
    }
    map_free(&c->forwards);
    c->forwards_made = false;
}

void core_forward_changed(struct core *c, enum cfg_kind kind)
{
    if (kind == CFG_FORWARD)
        core_forwards_drop(c);
}

static int by_order(const void *a, const void *b)
{
    const Ev__Forward *x = *(const Ev__Forward *const *)a, *y = *(const Ev__Forward *const *)b;
    return x->order != y->order ? (x->order < y->order ? -1 : 1) : strcmp(x->name, y->name);
}

static void make(struct core *c)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_FORWARD], &it, &slot);) {
        const Ev__Forward *f = (const Ev__Forward *)(const void *)((const struct cfg *)slot->value)->msg;
        char key[CORE_NAME_MAX + 16];
        key_of(key, f->agent, f->extension);
        struct rules *r = map_get(&c->forwards, key);
        if (!r) {
            r = core_alloc(sizeof *r);
            if (map_set(&c->forwards, key, r) != 0)
                core_oom();
        }
        r->v = core_grow(r->v, (r->n + 1) * sizeof *r->v);
        r->v[r->n++] = f;
    }
    for (size_t it = 0; map_next(&c->forwards, &it, &slot);) {
        const struct rules *r = slot->value;
        qsort(r->v, r->n, sizeof *r->v, by_order);
    }
    c->forwards_made = true;
}

static bool rings(const Ev__Action *to)
{
    return strcmp(to->type, "agent") == 0 || strcmp(to->type, "extension") == 0 || strcmp(to->type, "outside") == 0;
}

static const Ev__Forward *first_of(const struct core *cc, enum core_forwarding how, const char *agent,
                                   const char *extension, const char *when)
{
    struct core *c = (struct core *)(uintptr_t)cc; /* what is derived is no state */
    char key[CORE_NAME_MAX + 16];
    if (!c->forwards_made)
        make(c);
    key_of(key, agent, extension);
    const struct rules *r = map_get(&c->forwards, key);
    for (size_t i = 0; r && i < r->n; i++) {
        const Ev__Forward *f = r->v[i];
        bool leads = how == CORE_FORWARD_ANYWHERE || rings(f->to) || strcmp(f->to->type, "queue") == 0;
        bool open = !f->time_group[0] || core_time_group_open(c, f->time_group, c->now_us);
        if (!f->disabled && leads && open && strcmp(f->when, when) == 0)
            return f;
    }
    return NULL;
}

static const Ev__Forward *rule_of(const struct core *c, enum core_forwarding how, const char *agent,
                                  const char *extension, const char *when)
{
    if (how == CORE_FORWARD_NOT || c->feature_level < 4 || map_count(&c->cfg[CFG_FORWARD]) == 0 || !when[0])
        return NULL;
    const Ev__Forward *f = agent[0] ? first_of(c, how, agent, "", when) : NULL;
    const struct agent *a = agent[0] ? core_agent_obj(c, agent) : NULL;
    const char *at = extension[0] ? extension : a && a->ext ? a->extension : "";
    return f || !at[0] ? f : first_of(c, how, "", at, when);
}

/* What the cause why somebody was not rung, or was in vain, is in rules; "": nothing. */
static const char *when_of(const char *cause)
{
    static const char *const whens[][2] = {{"busy", "busy"},
                                           {"rejected", "busy"},
                                           {"no_answer", "no_answer"},
                                           {"unreachable", "unavailable"},
                                           {"logged_out", "unavailable"}};
    for (size_t i = 0; i < sizeof whens / sizeof *whens; i++) {
        if (strcmp(cause, whens[i][0]) == 0)
            return whens[i][1];
    }
    return "";
}

static enum core_forwarding forwarding_of(const struct core *c, const struct call *k)
{
    const Ev__CallState *s = k->st;
    bool joins = core_join_main(c, k) != NULL;
    if ((s->recall && s->recall->rings) || s->supervisor[0] || (core_first_rings(k) && !joins))
        return CORE_FORWARD_NOT;
    return core_first_rings(k) ? CORE_FORWARD_RINGING : CORE_FORWARD_ANYWHERE;
}

int core_dial_check(const struct core *c, const struct core_dial_to *to, enum core_forwarding how, uint32_t *status,
                    const char **cause)
{
    if (rule_of(c, how, to->agent, to->extension, "always"))
        return 0;
    int err = core_offer_check(c, to, to->by ? to->by : "", status, cause);
    return err && rule_of(c, how, to->agent, to->extension, when_of(*cause)) ? 0 : err;
}

/* ---- what is kept of it */

void core_forward_over(Ev__CallState *s)
{
    if (s->forward)
        ev__call_forward__free_unpacked(s->forward, NULL);
    s->forward = NULL;
    core_pbset(&s->meant_for, "");
}

/* Whom the call was for, and since when he was rung; 0: he was not. */
struct meant {
    const char *agent, *extension;
    uint64_t since_us;
};

static void note_segment(struct core *c, Ev__CallState *s, const struct meant *m, const char *number,
                         const Ev__Forward *f, const char *target)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->n_segments; i++)
        n += strcmp(s->segments[i]->ended, "forwarded") == 0;
    if (n >= SEGMENTS_MAX)
        return;
    s->segments = core_grow(s->segments, (s->n_segments + 1) * sizeof *s->segments);
    Ev__CallSegment *g = core_alloc(sizeof *g);
    ev__call_segment__init(g);
    g->role = CORE_LEG_CALLEE;
    core_pbset(&g->number, number);
    core_pbset(&g->agent, m->agent);
    g->from_us = m->since_us ? m->since_us : c->now_us;
    g->to_us = c->now_us;
    core_pbset(&g->ended, "forwarded");
    core_pbset(&g->why, f->when);
    core_pbset(&g->to_type, f->to->type);
    core_pbset(&g->to, target);
    s->segments[s->n_segments++] = g;
}

static void note(struct core *c, struct call *k, const struct meant *m, const Ev__Forward *f, const char *target)
{
    Ev__CallState *s = k->st;
    const struct agent *a = m->agent[0] ? core_agent_obj(c, m->agent) : NULL;
    const char *number = m->extension[0] ? m->extension : a && a->ext ? a->extension : m->agent;
    note_segment(c, s, m, number, f, target);
    if (!s->forward) {
        s->forward = core_alloc(sizeof *s->forward);
        ev__call_forward__init(s->forward);
        core_pbset(&s->meant_for, m->agent[0] ? m->agent : m->extension);
    }
    s->forward->hops++;
    core_pbset(&s->forward->agent, f->agent);
    core_pbset(&s->forward->number, f->agent[0] ? f->agent : f->extension);
    core_pbset(&s->forward->why, f->when);
    struct sbuf *b = core_ev_call_begin(c, "call.forwarded", k);
    sbuf_kv(b, f->agent[0] ? "from_agent" : "from_extension", s->forward->number);
    sbuf_kv(b, "when", f->when);
    sbuf_kv(b, "rule", f->name);
    sbuf_kv(b, "action", f->to->type);
    sbuf_kv(b, "target", target);
    core_ev_end(c);
}

const char *core_forward_agent(const struct core *c, const Ev__CallState *s)
{
    const struct core_agent *there = s->forward->agent[0] ? NULL : core_agent_at_extension(c, s->forward->number);
    const Ev__Agent *bound = s->forward->agent[0] || there ? NULL : core_agent_bound_to(c, s->forward->number);
    return there ? there->number : bound ? bound->number : s->forward->agent;
}

/* ---- following a rule */

static int dial(struct core *c, struct call *k, const struct core_dial_to *to, uint32_t *status, const char **cause);

/* The voicemail box of whose rule it is, as his telephone's lamp has it. */
static const char *own_box(const struct core *c, const Ev__Forward *f)
{
    const Ev__Extension *x = f->extension[0] ? core_extension(c, f->extension) : NULL;
    return f->agent[0] ? f->agent : x && x->mailbox[0] ? x->mailbox : f->extension;
}

struct core_dial_to core_dial_of(const Ev__Action *a)
{
    struct core_dial_to to = {"", "", "", "", "", 0, NULL};
    if (strcmp(a->type, "agent") == 0)
        to.agent = a->target;
    else if (strcmp(a->type, "extension") == 0)
        to.extension = a->target;
    else
        to.number = a->target;
    return to;
}

static int to_telephone(struct core *c, struct call *k, const Ev__Action *a, uint32_t *status, const char **cause)
{
    const struct core_dial_to to = core_dial_of(a);
    return dial(c, k, &to, status, cause);
}

static int to_queue(struct core *c, struct call *k, const char *queue, uint32_t *status, const char **cause)
{
    const Ev__Queue *q = core_queue_config(c, queue);
    *status = q ? 486 : 404;
    *cause = q ? "queue_full" : "no_queue";
    if (!q || core_queue_full(c, queue))
        return q ? ERR_BUSY : ERR_NOTFOUND;
    core_pbset(&k->st->queue, queue);
    core_queue_enter(c, k, false);
    return 0;
}

/* To a queue, a flow, a box: the caller is answered, and does not come back from there to where he came from. */
static int to_program(struct core *c, struct call *k, const Ev__Action *a, uint32_t *status, const char **cause)
{
    Ev__CallState *s = k->st;
    const Ev__Queue *q = strcmp(a->type, "queue") == 0 ? core_queue_config(c, a->target) : NULL;
    if (core_first_rings(k))
        return to_queue(c, k, a->target, status, cause);
    *status = 486;
    *cause = "queue_full";
    if (q && core_queue_full(c, a->target) && (!q->full_action || core_action_only_ends(q->full_action)))
        return ERR_BUSY;
    if (!s->answered)
        core_call_answer_now(c, k);
    *status = 480;
    *cause = "forward_failed";
    int err = core_action_do(c, k, a, "forward");
    if (!err && s->phase != CORE_CALL_DIALLING) {
        s->from_menu = s->from_queue = false;
        core_transfer_done(s);
    }
    return err;
}

static int follow(struct core *c, struct call *k, const struct meant *m, const Ev__Forward *f, uint32_t *status,
                  const char **cause)
{
    Ev__CallState *s = k->st;
    if (s->forward && s->forward->hops >= FORWARDS_MAX) {
        *status = 482;
        *cause = "forward_loop";
        return ERR_CONFLICT;
    }
    Ev__Action to = *f->to;
    if (strcmp(to.type, "voicemail") == 0 && !to.target[0])
        to.target = (char *)(uintptr_t)own_box(c, f);
    note(c, k, m, f, to.target);
    int err = rings(&to) ? to_telephone(c, k, &to, status, cause) : to_program(c, k, &to, status, cause);
    core_call_touch(c, k);
    return err;
}

/* Who takes part in the call, or in the one that it is to join, is not rung for it by somebody else's rule. */
static bool takes_part(const struct core *c, const struct call *k, const char *extension)
{
    const struct call *main = core_join_main(c, k);
    const struct ext *e = extension[0] ? core_ext_find(c, extension) : NULL;
    return e && k->st->forward && (k->caller == e || (main && (main->caller == e || main->callee == e)));
}

static int dial(struct core *c, struct call *k, const struct core_dial_to *to, uint32_t *status, const char **cause)
{
    const enum core_forwarding how = forwarding_of(c, k);
    const struct meant m = {to->agent, to->extension, 0};
    const Ev__Forward *f = rule_of(c, how, to->agent, to->extension, "always");
    if (f)
        return follow(c, k, &m, f, status, cause);
    struct core_dial_to now = *to;
    f = rule_of(c, how, to->agent, to->extension, "no_answer");
    if (f && (!to->ring_time_s || f->after_s < to->ring_time_s))
        now.ring_time_s = f->after_s;
    *status = 486;
    *cause = "busy";
    int err = takes_part(c, k, to->extension) ? ERR_BUSY : core_offer_ring(c, k, &now, status, cause);
    f = err ? rule_of(c, how, to->agent, to->extension, when_of(*cause)) : NULL;
    return f ? follow(c, k, &m, f, status, cause) : err;
}

int core_dial(struct core *c, struct call *k, const struct core_dial_to *to, uint32_t *status, const char **cause)
{
    core_forward_over(k->st);
    return dial(c, k, to, status, cause);
}

int core_forward_unanswered(struct core *c, struct call *k, const char *agent, const char *extension, uint64_t since_us,
                            uint32_t *status, const char **cause)
{
    const struct meant m = {agent, extension, since_us};
    const Ev__Forward *f = rule_of(c, forwarding_of(c, k), agent, extension, when_of(*cause));
    return f ? follow(c, k, &m, f, status, cause) : ERR_NOTFOUND;
}

/* ---- setting it */

int core_forward_check_change(struct cfg_change *ch, const Ev__Forward *f, const char *path)
{
    bool to_extension = strcmp(f->to->type, "extension") == 0;
    const char *agent = to_extension ? f->agent : strcmp(f->to->type, "agent") == 0 ? f->to->target : "";
    const char *extension = to_extension ? f->to->target : f->extension;
    const Ev__Agent *a = agent[0] ? (const Ev__Agent *)(const void *)core_refs_get(ch, CFG_AGENT, agent) : NULL;
    char where[160];
    (void)snprintf(where, sizeof where, "%s.to.target", path);
    return a && extension[0] && strcmp(a->extension, extension) == 0
               ? core_refuse(ch->c, ERR_INVAL, where, "telephone %.64s is that of agent %.64s: must be somebody else",
                             extension, agent)
               : 0;
}

/* What a telephone means by the number. */
static int aim(struct core *c, const char *telephone, const char *dialled, struct core_route *r, Ev__Action *to)
{
    core_route(c, c->now_us, telephone, dialled, r);
    const char *target, *type = core_route_type(r, &target);
    if (r->kind == CORE_ROUTE_NONE)
        return core_refuse(c, ERR_NOTFOUND, "dialled", "there is no number %.64s", dialled);
    if (!type)
        return core_refuse(c, ERR_DENIED, "dialled", "nobody can be forwarded to %.64s", dialled);
    ev__action__init(to);
    to->type = (char *)(uintptr_t)type;
    to->target = (char *)(uintptr_t)target;
    return 0;
}

/* Whose the rule is, and its name. */
static int whose(struct core *c, const Ev__ForwardSet *m, Ev__Forward *f, char *name, size_t size)
{
    if (!m->agent[0] + !m->extension[0] + !m->telephone[0] != 2)
        return core_refuse(c, ERR_INVAL, "agent", "exactly one of agent, extension, telephone is needed");
    const struct core_agent *there = m->telephone[0] ? core_agent_at_extension(c, m->telephone) : NULL;
    f->agent = (char *)(uintptr_t)(there ? there->number : m->agent);
    f->extension = there ? (char *)(uintptr_t)protobuf_c_empty_string : m->telephone[0] ? m->telephone : m->extension;
    f->when = m->when;
    if (f->agent[0] ? !core_agent_obj(c, f->agent) : !core_extension(c, f->extension))
        return core_refuse(c, ERR_NOTFOUND, f->agent[0] ? "agent" : "extension", "there is no %s %.64s",
                           f->agent[0] ? "agent" : "extension", f->agent[0] ? f->agent : f->extension);
    (void)snprintf(name, size, "%s-%s-%s", f->agent[0] ? "agent" : "extension", f->agent[0] ? f->agent : f->extension,
                   m->when);
    f->name = name;
    return 0;
}

/* Fields of refusals are those of this command. */
static int apply(struct core *c, const Ev__ConfigApply *m)
{
    static const char prefix[] = "set[0].";
    int err = core_config_apply(c, m);
    char *field = c->ans->field;
    if (err && strncmp(field, prefix, sizeof prefix - 1) == 0)
        memmove(field, field + sizeof prefix - 1, strlen(field + sizeof prefix - 1) + 1);
    return err;
}

/* On the heap, for defaults are put into it. */
static Ev__Forward *copy_of(const Ev__Forward *f)
{
    size_t len = ev__forward__get_packed_size(f);
    uint8_t *bytes = core_alloc(len + 1);
    (void)ev__forward__pack(f, bytes);
    Ev__Forward *copy = ev__forward__unpack(NULL, len, bytes);
    free(bytes);
    if (!copy)
        core_oom();
    return copy;
}

int core_forward_set(struct core *c, const Ev__ForwardSet *m)
{
    Ev__Forward f = EV__FORWARD__INIT;
    Ev__ConfigApply a = EV__CONFIG_APPLY__INIT;
    Ev__Action to;
    struct core_route route;
    char name[2 * CORE_NAME_MAX + 16];
    int err = whose(c, m, &f, name, sizeof name);
    if (!err && m->dialled[0] && !m->telephone[0])
        err = core_refuse(c, ERR_INVAL, "dialled", "is for telephones");
    if (!err && m->dialled[0])
        err = aim(c, m->telephone, m->dialled, &route, &to);
    if (err)
        return err;
    f.to = m->dialled[0] ? &to : m->to;
    f.after_s = m->after_s;
    f.time_group = m->time_group;
    Ev__ConfigRef ref = EV__CONFIG_REF__INIT, *remove = &ref;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *set = &o;
    if (f.to) {
        Ev__Forward *own = copy_of(&f);
        o.object_case = EV__CONFIG_OBJECT__OBJECT_FORWARD;
        o.forward = own;
        a.n_set = 1;
        a.set = &set;
        err = apply(c, &a);
        ev__forward__free_unpacked(own, NULL);
        return err;
    }
    if (!core_cfg(c, CFG_FORWARD, name))
        return 0; /* as asked */
    ref.kind = (char *)(uintptr_t) "forward";
    ref.name = name;
    a.n_remove = 1;
    a.remove = &remove;
    return apply(c, &a);
}
