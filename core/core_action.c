/* Carrying out actions (core/action.h): where a caller goes when a condition of configuration is met. Apply moves him, in the state;
 * the owner of the call follows, as after any other change of its phase. */
#include <stdio.h>
#include <string.h>

#include "core/action.h"
#include "core/core_int.h"

#define ACTED_MAX 32u /* of one call: queues that send callers to each other come to an end */

static void leave_queue(Ev__CallState *s)
{
    if (s->queue[0])
        core_pbset(&s->left_queue, s->queue);
    core_pbset(&s->queue, "");
}

static void begin_flow(struct core *c, struct call *k, const char *flow)
{
    Ev__CallState *s = k->st;
    leave_queue(s);
    s->phase = CORE_CALL_MENU;
    s->menu_us = s->menu_us ? s->menu_us : c->now_us;
    s->menu_moved_us = 0;
    s->fail_status = 0;
    core_pbset(&s->fail_cause, "");
    core_pbset(&s->flow, flow);
    core_pbset(&s->flow_node, ""); /* it begins at its beginning */
    core_pbset(&s->flow_state, "");
    if (c->feature_level >= 3)
        core_flow_began(c, s);
}

static int to_flow(struct core *c, struct call *k, const Ev__Action *a, const char **why)
{
    *why = "no_flow";
    if (!core_flow(c, a->target))
        return ERR_NOTFOUND;
    begin_flow(c, k, a->target);
    return 0;
}

/* He keeps his wait clock, and with it his turn among those who wait there. */
static int to_queue(struct core *c, struct call *k, const Ev__Action *a, const char **why)
{
    Ev__CallState *s = k->st;
    const Ev__Queue *cfg = core_queue_config(c, a->target);
    *why = cfg ? "queue_full" : "no_queue";
    if (!cfg || (core_queue_full(c, a->target) && !cfg->full_action))
        return cfg ? ERR_BUSY : ERR_NOTFOUND;
    leave_queue(s);
    core_pbset(&s->queue, a->target);
    core_queue_enter(c, k, s->queued_us != 0);
    return 0;
}

static int to_telephone(struct core *c, struct call *k, const Ev__Action *a, const char **why)
{
    const struct core_dial_to to = core_dial_of(a);
    uint32_t status;
    int err = core_dial(c, k, &to, &status, why);
    if (!err && k->st->phase == CORE_CALL_DIALLING) /* else he was forwarded, to another queue perhaps */
        leave_queue(k->st);
    return err;
}

/* The flow that records is made by the program, by its name (node/call_menu.c). */
static int to_voicemail(struct core *c, struct call *k, const Ev__Action *a)
{
    char flow[sizeof CORE_FLOW_VOICEMAIL + CORE_NAME_MAX];
    (void)snprintf(flow, sizeof flow, "%s%s", CORE_FLOW_VOICEMAIL, a->target[0] ? a->target : k->st->queue);
    begin_flow(c, k, flow);
    return 0;
}

static int hang_up(struct core *c, struct call *k, const Ev__Action *a, const char *reason)
{
    Ev__CallState *s = k->st;
    char keys[ACTION_PROMPTS_MAX * CORE_NAME_MAX] = "";
    for (size_t i = 0, at = 0; i < a->n_prompts && at < sizeof keys; i++)
        at += (size_t)snprintf(keys + at, sizeof keys - at, "%s%s", i ? " " : "", a->prompts[i]);
    if (!a->n_prompts) {
        core_call_fail(c, k, strcmp(reason, "queue_full") == 0 ? 486 : 480, reason);
        return 0;
    }
    leave_queue(s);
    s->phase = CORE_CALL_APP;
    core_pbset(&s->app, "hangup");
    core_pbset(&s->app_argument, keys);
    core_pbset(&s->fail_cause, reason);
    return 0;
}

/* Where he may be called back is asked by the owner of the call; his answer is CallBackAsk. */
static int to_callback(struct core *c, struct call *k, const char *reason, const char **why)
{
    Ev__CallState *s = k->st;
    *why = "no_queue";
    if (c->feature_level < 4 || !core_queue_config(c, s->queue))
        return ERR_NOTFOUND;
    leave_queue(s);
    s->phase = CORE_CALL_APP;
    core_pbset(&s->app, "callback");
    core_pbset(&s->app_argument, "");
    core_pbset(&s->fail_cause, reason);
    return 0;
}

static void tell(struct core *c, const struct call *k, const Ev__Action *a, const char *reason, const char *queue,
                 const char *failed)
{
    struct sbuf *b = core_ev_call_begin(c, "call.action", k);
    sbuf_kv(b, "reason", reason);
    sbuf_kv(b, "from_queue", queue);
    sbuf_kv(b, "action", a->type);
    if (a->target[0])
        sbuf_kv(b, "target", a->target);
    if (failed)
        sbuf_kv(b, "failed", failed);
    core_ev_end(c);
}

int core_action_do(struct core *c, struct call *k, const Ev__Action *a, const char *reason)
{
    Ev__CallState *s = k->st;
    char queue[CORE_NAME_MAX];
    const char *why = NULL;
    (void)snprintf(queue, sizeof queue, "%s", s->queue);
    int err = ERR_UNSUPPORTED;
    if (core_first_rings(k)) { /* nobody is there yet who could be given to it */
        core_call_fail(c, k, 480, reason);
        return 0;
    }
    if (++s->acted > ACTED_MAX) {
        core_call_fail(c, k, 480, "action_loop");
        return 0;
    }
    if (strcmp(a->type, "flow") == 0)
        err = to_flow(c, k, a, &why);
    else if (strcmp(a->type, "queue") == 0)
        err = to_queue(c, k, a, &why);
    else if (strcmp(a->type, "agent") == 0 || strcmp(a->type, "extension") == 0 || strcmp(a->type, "outside") == 0)
        err = to_telephone(c, k, a, &why);
    else if (strcmp(a->type, "hangup") == 0)
        err = hang_up(c, k, a, reason);
    else if (strcmp(a->type, "callback") == 0)
        err = to_callback(c, k, reason, &why);
    else if (strcmp(a->type, "voicemail") == 0)
        err = to_voicemail(c, k, a);
    core_call_touch(c, k);
    tell(c, k, a, reason, queue, err ? (why ? why : "unknown") : NULL);
    return err;
}

bool core_action_only_ends(const Ev__Action *a)
{
    return strcmp(a->type, "hangup") == 0 && !a->n_prompts;
}
