/* A caller in a voice menu: runs the interpreter (telephony/ivr.h) against media, keys and commits.
 *
 * Every move to another node of the flow is committed before what it says is played. While that commit is in flight keys
 * are kept and given to the interpreter afterwards. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

/* Parsed flows are shared by calls. Runs hold references of their own: what is not in the cache is parsed again when it is
 * asked for. */
#define CALL_FLOWS_CACHED 256u
#define CALL_FLOW_KEY_MAX (IVR_NAME_MAX + 24)

static void call_flow_key(char key[CALL_FLOW_KEY_MAX], const char *name, uint64_t version)
{
    snprintf(key, CALL_FLOW_KEY_MAX, "%.64s@%llu", name, (unsigned long long)version);
}

static void call_flow_drop_all(struct calls *cs)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&cs->flows, &it, &slot);)
        ivr_flow_unref(slot->value);
    map_free(&cs->flows);
    map_init(&cs->flows);
}

void call_flows_free(struct calls *cs)
{
    call_flow_drop_all(cs);
    map_free(&cs->flows);
}

static struct ivr_flow *call_flow_parse(struct calls *cs, const char *name, uint64_t *version)
{
    struct ivr_flow *flow = NULL;
    struct err_info info = {0};
    char *text = NULL, key[CALL_FLOW_KEY_MAX];
    int rc = core_flow_definition(cs->n->core, name, version, &text);
    if (rc) {
        log_warn("call", "flow %s: %s", name, err_text(rc));
        return NULL;
    }
    rc = ivr_flow_parse(text, strlen(text), &flow, &info);
    free(text);
    if (rc) {
        log_error("call", "flow %s cannot be used: %s: %s", name, info.field, info.text);
        return NULL;
    }
    if (map_count(&cs->flows) >= CALL_FLOWS_CACHED)
        call_flow_drop_all(cs);
    call_flow_key(key, name, *version);
    if (map_set(&cs->flows, key, flow)) {
        ivr_flow_unref(flow);
        return NULL;
    }
    return flow;
}

struct ivr_flow *call_flow_get(struct calls *cs, const char *name, uint64_t *version)
{
    char key[CALL_FLOW_KEY_MAX];
    if (!*version)
        *version = core_flow_version(cs->n->core, name);
    call_flow_key(key, name, *version);
    struct ivr_flow *flow = map_get(&cs->flows, key);
    return flow || !*version ? flow : call_flow_parse(cs, name, version);
}

/* Flows that flows call. */
static struct ivr_flow *call_flow_called(void *ctx, const char *name, uint64_t *version)
{
    return ivr_flow_ref(call_flow_get(ctx, name, version));
}

void call_flows_init(struct calls *cs)
{
    map_init(&cs->flows);
    cs->library = (struct ivr_flows){call_flow_called, cs};
}

static void call_menu_timer(struct call *k)
{
    call_menu_event(k, IVR_EV_TIMER, 0);
}

void call_menu_next_key(struct call *k)
{
    while (k->n_keys > 0 && !k->ivr_waiting && k->shown == CALL_SHOWN_MENU && !k->ending) {
        char key = k->keys[0];
        memmove(k->keys, k->keys + 1, --k->n_keys);
        call_menu_event(k, IVR_EV_KEY, key);
    }
}

/* Leaving by queue or agent was refused or failed: the flow says what comes then. */
static void call_menu_left(struct call *k, int status, const struct core_answer *a)
{
    if (k->ending || k->gone || !k->ivr_leaving)
        return;
    k->ivr_waiting = k->ivr_leaving = false;
    int code = status ? status : a->code;
    if (code == 0)
        return; /* the change of phase does the rest */
    log_info("call", "%s: not taken: %s", k->text_id, status ? err_text(status) : a->text);
    call_menu_event(k, IVR_EV_FAILED, 0);
}

void call_menu_leave_by(struct call *k, Ev__Command *cmd)
{
    k->ivr_waiting = k->ivr_leaving = true;
    if (call_propose(k, cmd, call_menu_left)) {
        k->ivr_waiting = k->ivr_leaving = false;
        call_menu_event(k, IVR_EV_FAILED, 0);
    }
}

/* His own agent is whatever a business system may have answered: one who is not there is nobody, and he waits like others. */
static void call_menu_to_queue(struct call *k, const char *queue, const struct ivr_queue_need *need)
{
    const char *agent = need && need->agent && core_agent_config(call_node(k)->core, need->agent) ? need->agent : "";
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallQueue q = EV__CALL_QUEUE__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_QUEUE;
    cmd.call_queue = &q;
    q.call_id = k->id;
    q.queue = (char *)(uintptr_t)queue;
    q.caller_acked = k->a.acked;
    q.agent = (char *)(uintptr_t)agent;
    call_menu_leave_by(k, &cmd);
}

static void call_menu_to_notices(struct call *k, const char *area)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallNotices m = EV__CALL_NOTICES__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_NOTICES;
    cmd.call_notices = &m;
    m.call_id = k->id;
    m.area = (char *)(uintptr_t)area;
    m.caller_acked = k->a.acked;
    call_menu_leave_by(k, &cmd);
}

/* He is on the list, or is not: the flow goes on either way. */
static void call_menu_noted(struct call *k, int status, const struct core_answer *a)
{
    if (k->ending || k->gone || !k->ivr_leaving)
        return;
    k->ivr_waiting = k->ivr_leaving = false;
    int code = status ? status : a->code;
    if (code)
        log_info("call", "%s: no call back: %s", k->text_id, status ? err_text(status) : a->text);
    call_menu_event(k, code ? IVR_EV_FAILED : IVR_EV_DONE, 0);
    call_menu_next_key(k);
}

static void call_menu_to_callback(struct call *k, const char *queue, const struct ivr_callback *how)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallBackNote m = EV__CALL_BACK_NOTE__INIT;
    struct node *n = call_node(k);
    cmd.body_case = EV__COMMAND__BODY_CALL_BACK_NOTE;
    cmd.call_back_note = &m;
    m.call_id = k->id;
    m.queue = (char *)(uintptr_t)queue;
    m.number = (char *)(uintptr_t)how->number;
    m.has_priority = how->has_priority;
    m.priority = how->priority;
    m.caller_acked = k->a.acked;
    int rc = how->at_s < 0 ? 0 : core_time_group_next(n->core, how->group, how->at_s, node_time_us(n), &m.due_us);
    k->ivr_waiting = k->ivr_leaving = true;
    if (rc || call_propose(k, &cmd, call_menu_noted)) {
        k->ivr_waiting = k->ivr_leaving = false;
        call_menu_event(k, IVR_EV_FAILED, 0);
    }
}

static void call_menu_dial(struct call *k, Ev__CallDial *d)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_DIAL;
    cmd.call_dial = d;
    d->call_id = k->id;
    d->caller_acked = k->a.acked;
    call_menu_leave_by(k, &cmd);
}

static void call_menu_to_agent(struct call *k, const char *agent)
{
    Ev__CallDial d = EV__CALL_DIAL__INIT;
    d.agent = (char *)(uintptr_t)agent;
    call_menu_dial(k, &d);
}

static void call_menu_to_outside(struct call *k, const char *number, const struct ivr_outside *how)
{
    Ev__CallDial d = EV__CALL_DIAL__INIT;
    d.number = (char *)(uintptr_t)number;
    d.trunk = (char *)(uintptr_t)(how->trunk ? how->trunk : "");
    d.caller_id = (char *)(uintptr_t)how->caller_id;
    d.ring_time_s = how->ring_time_s;
    call_menu_dial(k, &d);
}

/* Which of the node's time groups is open, by the cluster's clock. */
static void call_menu_ask_time(struct call *k)
{
    struct ivr_event ev = {.type = IVR_EV_TIME, .choice = -1};
    uint64_t now_us = node_time_us(call_node(k));
    const char *group;
    for (unsigned i = 0; ev.choice < 0 && (group = ivr_run_time_group(k->ivr, i)); i++)
        if (core_time_group_open(call_node(k)->core, group, now_us))
            ev.choice = (int)i;
    call_menu_tell(k, &ev);
}

static void call_menu_act(struct call *k, const struct ivr_action *act)
{
    switch (act->type) {
    case IVR_ACT_PLAY:
        call_say(k, ivr_run_language(k->ivr), act->prompts, act->n_prompts);
        break;
    case IVR_ACT_STOP:
        call_hush(k);
        k->play_id = 0;
        if (k->a.media)
            media_stream_stop_play(k->a.media);
        break;
    case IVR_ACT_TIMER:
        if (act->ms)
            call_timer_set(k, &k->ivr_timer, act->ms, call_menu_timer);
        else
            call_timer_stop(&k->ivr_timer);
        break;
    case IVR_ACT_MOVED:
    case IVR_ACT_LANGUAGE:
        break; /* both are in the saved state, committed before */
    case IVR_ACT_QUEUE:
        call_menu_to_queue(k, act->name, act->need);
        break;
    case IVR_ACT_AGENT:
        call_menu_to_agent(k, act->name);
        break;
    case IVR_ACT_OUTSIDE:
        call_menu_to_outside(k, act->name, act->outside);
        break;
    case IVR_ACT_HANGUP:
        call_end(k, "system", "normal", 0);
        break;
    case IVR_ACT_TIME:
        call_menu_ask_time(k);
        break;
    case IVR_ACT_HTTP:
        call_http_ask(k);
        break;
    case IVR_ACT_RECORD:
        call_record_ask(k, act);
        break;
    case IVR_ACT_REPLAY:
        call_review_play(k, act->name);
        break;
    case IVR_ACT_DISCARD:
        break; /* in the commit that came before */
    case IVR_ACT_NOTICES:
        call_menu_to_notices(k, act->name);
        break;
    case IVR_ACT_CALLBACK:
        call_menu_to_callback(k, act->name, act->callback);
        break;
    case IVR_ACT_BOX:
        call_mailbox_ask(k, act);
        break;
    }
}

/* Actions that wait for the commit of the position they belong to. */
struct call_menu_step {
    unsigned n;
    struct ivr_action actions[IVR_ACTIONS_MAX];
};

static void call_menu_run(struct call *k, const struct ivr_action *actions, unsigned n)
{
    for (unsigned i = 0; i < n && !k->ending; i++)
        call_menu_act(k, &actions[i]);
}

/* Silence is not a promise that another node would have to keep: a key stops the prompt at once, before the commit. */
static void call_menu_stop_now(struct call *k, const struct ivr_action *actions, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (actions[i].type == IVR_ACT_STOP)
            call_menu_act(k, &actions[i]);
}

static void call_menu_moved(struct call *k, int status, const struct core_answer *a)
{
    struct call_menu_step *step = k->menu_step;
    k->menu_step = NULL;
    k->ivr_waiting = false;
    if (!k->ending && !k->gone && k->shown == CALL_SHOWN_MENU) {
        if (!status && a->code == ERR_NOSPACE && call_record_refused(k, a->text)) {
            call_menu_next_key(k);
        } else if (status || a->code) {
            log_warn("call", "%s: menu position not committed: %s", k->text_id, status ? err_text(status) : a->text);
            call_end(k, "system", "no_quorum", 503);
        } else {
            call_menu_run(k, step->actions, step->n);
            call_menu_next_key(k);
        }
    }
    free(step);
}

/* What a command points into. */
struct call_menu_room {
    char state[IVR_STATE_MAX], variables[IVR_VARIABLES_TEXT_MAX];
    Ev__FlowRef flows[IVR_CALLS_MAX + 1], *flow_list[IVR_CALLS_MAX + 1];
    Ev__RecordBegin record;
    Ev__QueueNeed need;
    Ev__SkillNeed skills[IVR_SKILLS_MAX], *skill_list[IVR_SKILLS_MAX];
};

/* In the state before the queue is entered: whoever takes the call over in between enters it for the same need. */
static void call_menu_fill_need(Ev__CallMenu *m, struct call_menu_room *room, const struct ivr_queue_need *need)
{
    ev__queue_need__init(&room->need);
    m->need = &room->need;
    m->need->has_priority = need->has_priority;
    m->need->priority = need->priority;
    m->need->skills = room->skill_list;
    for (unsigned i = 0; i < need->n_skills; i++) {
        ev__skill_need__init(&room->skills[i]);
        room->skills[i].skill = (char *)(uintptr_t)need->skills[i].skill;
        room->skills[i].level = need->skills[i].level;
        room->skill_list[m->need->n_skills++] = &room->skills[i];
    }
}

/* Told when they are others than in the state: each stays in its version while a call stands in it. */
static void call_menu_fill_flows(struct call *k, const struct core_call *s, Ev__CallMenu *m,
                                 struct call_menu_room *room)
{
    const char *name;
    uint64_t version;
    size_t n = 0;
    bool same = true;
    while (n <= IVR_CALLS_MAX && ivr_run_flow(k->ivr, (unsigned)n, &name, &version)) {
        Ev__FlowRef *f = &room->flows[n];
        ev__flow_ref__init(f);
        f->name = (char *)(uintptr_t)(n ? name : s->flow); /* the first may be a draft */
        f->version = version;
        same = same && n < s->n_flows && s->flows[n]->version == version && strcmp(s->flows[n]->name, name) == 0;
        room->flow_list[n++] = f;
    }
    bool unknown = n == 1 && s->n_flows == 0; /* began before feature level 3 */
    if (unknown || (same && n == s->n_flows))
        return;
    m->flows = room->flow_list;
    m->n_flows = n;
}

static int call_menu_fill(struct call *k, Ev__CallMenu *m, struct call_menu_room *room,
                          const struct ivr_action *actions, unsigned n)
{
    const struct core_call *s = call_state(k);
    int rc = ivr_save(k->ivr, room->state, sizeof room->state);
    if (!rc)
        rc = ivr_run_variables(k->ivr, room->variables, sizeof room->variables);
    if (rc)
        return rc;
    m->call_id = k->id;
    m->flow = (char *)(uintptr_t)(s ? s->flow : "");
    m->node = (char *)(uintptr_t)ivr_run_node(k->ivr);
    m->language = (char *)(uintptr_t)ivr_run_language(k->ivr);
    m->state = room->state;
    m->caller_acked = k->a.acked;
    m->has_variables = s && strcmp(s->variables, room->variables) != 0;
    m->variables = room->variables;
    if (s)
        call_menu_fill_flows(k, s, m, room);
    for (unsigned i = 0; i < n; i++) {
        if (actions[i].need)
            call_menu_fill_need(m, room, actions[i].need);
        if (actions[i].type == IVR_ACT_RECORD)
            call_record_fill(k, &actions[i], m, &room->record);
        if (actions[i].type == IVR_ACT_DISCARD)
            m->drop_message = s ? s->recording : 0;
    }
    return 0;
}

static int call_menu_commit(struct call *k, const struct ivr_action *actions, unsigned n, char *left_by)
{
    struct call_menu_room room;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    int rc = call_menu_fill(k, &m, &room, actions, n);
    if (rc)
        return rc;
    if (core_feature_level(call_node(k)->core) >= 4)
        m.left_by = left_by;
    struct call_menu_step *step = malloc(sizeof *step);
    if (!step)
        return ERR_NOMEM;
    step->n = n;
    memcpy(step->actions, actions, n * sizeof *actions);
    cmd.body_case = EV__COMMAND__BODY_CALL_MENU;
    cmd.call_menu = &m;
    rc = call_propose(k, &cmd, call_menu_moved);
    explicit_bzero(room.state, sizeof room.state); /* secrets may be in it */
    if (rc) {
        free(step);
        return rc;
    }
    k->menu_step = step;
    k->ivr_waiting = true;
    return 0;
}

void call_menu_event(struct call *k, enum ivr_event_type type, char digit)
{
    call_menu_tell(k, &(struct ivr_event){.type = type, .digit = digit});
}

void call_menu_tell(struct call *k, const struct ivr_event *ev)
{
    if (!k->ivr || k->ending || (ev->type == IVR_EV_KEY && call_record_key(k, ev->digit)))
        return;
    if (k->ivr_waiting) {
        if (ev->type == IVR_EV_KEY && k->n_keys < CALL_KEYS_MAX)
            k->keys[k->n_keys++] = ev->digit;
        return;
    }
    const struct core_call *s = call_state(k);
    if (s && ivr_run_know(k->ivr, s->customer, s->data) != 0) {
        call_end(k, "system", "failed", 500);
        return;
    }
    struct ivr_action actions[IVR_ACTIONS_MAX];
    char left_by[IVR_LEFT_BY_MAX];
    ivr_run_left_by(k->ivr, ev, left_by);
    unsigned n = ivr_step(k->ivr, ev, actions);
    /* Whoever takes over stands where the state says: what he plays goes on where it was, without a commit that would begin its time anew. */
    bool moved = false;
    for (unsigned i = 0; i < n && ev->type != IVR_EV_RESTORED; i++)
        moved |= actions[i].type == IVR_ACT_MOVED || actions[i].type == IVR_ACT_DISCARD;
    if (moved)
        call_hush(k);
    if (moved) {
        call_menu_stop_now(k, actions, n);
        int rc = call_menu_commit(k, actions, n, left_by);
        if (rc)
            call_end(k, "system", "no_quorum", 503);
        return;
    }
    call_menu_run(k, actions, n);
}

/* The version that the call began with, also after a change and at another node; what is live, if that is gone. */
static struct ivr_setup call_menu_setup(struct call *k, const struct core_call *s)
{
    uint64_t version = s->n_flows ? s->flows[0]->version : 0;
    struct ivr_flow *flow = call_flow_get(k->cs, s->flow, &version);
    if (!flow) {
        version = 0;
        flow = call_flow_get(k->cs, s->flow, &version);
    }
    return (struct ivr_setup){.flow = flow,
                              .version = version,
                              .language = s->language,
                              .caller = s->caller,
                              .called = s->called,
                              .call_id = k->text_id,
                              .queue = s->queue,
                              .flows = &k->cs->library};
}

/* A caller whom a former owner had in a menu. A flow that has been changed so that it does not know his place any more begins
 * anew. */
static bool call_menu_restore(struct call *k, const struct core_call *s)
{
    if (k->ivr || !k->adopted || !s->flow_state || !s->flow_state[0])
        return false;
    struct ivr_setup setup = call_menu_setup(k, s);
    int rc = setup.flow ? ivr_restore(&setup, s->flow_state, s->variables, &k->ivr) : ERR_NOTFOUND;
    if (rc)
        log_info("call", "%s: begins flow %s anew: %s", k->text_id, s->flow, err_text(rc));
    return rc == 0;
}

void call_menu_begin(struct call *k, const struct core_call *s)
{
    bool led = k->shown == CALL_SHOWN_MENU; /* by a queue that took him in and sent him to a flow at once */
    if (led && k->menu_acted == s->acted)
        return;
    k->menu_acted = s->acted;
    call_answer_caller(k);
    if (k->ending)
        return;
    bool back = led || k->shown == CALL_SHOWN_DIAL || k->shown == CALL_SHOWN_QUEUE || k->shown == CALL_SHOWN_NOTICE;
    if (led) {
        call_menu_leave(k);
        call_hush(k);
    }
    if (back) {
        call_offer_drop(k, 0, NULL);
        call_timer_stop(&k->wait_timer);
        k->play_id = 0;
    }
    if (back && !s->flow_state[0]) { /* not back into the flow that he came from: an action has sent him here */
        ivr_run_free(k->ivr);
        k->ivr = NULL;
    }
    k->shown = CALL_SHOWN_MENU;
    bool restored = call_menu_restore(k, s);
    if (back && k->ivr) {
        k->ivr_waiting = false;
        call_menu_event(k, s->notices_done ? IVR_EV_DONE : IVR_EV_FAILED, 0);
        return;
    }
    if (restored) {
        uint64_t now = node_time_us(call_node(k)), since = s->menu_moved_us;
        k->play_from_ms = now > since ? (uint32_t)((now - since) / 1000u) : 0;
        bool done = s->notices_done || s->callback_noted;
        call_menu_event(k, done ? IVR_EV_DONE : s->fail_status ? IVR_EV_FAILED : IVR_EV_RESTORED, 0);
        k->play_from_ms = 0;
        return;
    }
    struct ivr_setup setup = call_menu_setup(k, s);
    if (!setup.flow || ivr_run_new(&setup, &k->ivr)) {
        call_end(k, "system", "failed", 500);
        return;
    }
    call_menu_event(k, IVR_EV_START, 0);
}

void call_menu_leave(struct call *k)
{
    call_http_stop(k);
    call_record_stop(k);
    call_review_stop(k);
    call_timer_stop(&k->ivr_timer);
    call_timer_stop(&k->wait_timer);
    k->play_id = 0;
    k->n_keys = 0;
    k->ivr_waiting = k->ivr_leaving = false;
}
