/* Numbers that answer by themselves: echo, tone, and the codes by which agents log in and out from their phone. */
#include <string.h>

#include "base/log.h"
#include "core/action.h"
#include "node/call_int.h"

#define CALL_TONE_HZ 1004
#define CALL_TONE_DBM0 (-13)

/* What each code asks for and says. */
static const struct {
    const char *app;
    Ev__AgentSet__Action action;
    const char *state, *done;
} call_codes[] = {
    {"code:login", EV__AGENT_SET__ACTION__LOGIN, "", "agent_logged_in"},
    {"code:logout", EV__AGENT_SET__ACTION__LOGOUT, "", "agent_logged_out"},
    {"code:ready", EV__AGENT_SET__ACTION__SET_STATE, "ready", "agent_ready"},
    {"code:not_ready", EV__AGENT_SET__ACTION__SET_STATE, "not_ready", "agent_not_ready"},
};

void call_app_say(struct call *k, const char *key)
{
    k->hang_up_after_play = true;
    call_play_keys(&k->a, call_language(k), &key, 1, &k->play_id);
}

static const char *call_code_done_prompt(const char *app)
{
    for (size_t i = 0; i < sizeof call_codes / sizeof *call_codes; i++)
        if (strcmp(call_codes[i].app, app) == 0)
            return call_codes[i].done;
    return "agent_code_failed";
}

static void call_code_done(struct call *k, int status, const struct core_answer *a)
{
    if (k->ending || k->gone)
        return;
    const struct core_call *s = call_state(k);
    if (status || a->code) {
        log_info("call", "%s: code refused: %s", k->text_id, status ? err_text(status) : a->text);
        call_app_say(k, !status && a->code == ERR_NOTFOUND ? "agent_unknown" : "agent_code_failed");
        return;
    }
    call_app_say(k, s ? call_code_done_prompt(s->app) : "agent_code_failed");
}

/* The agent that a code is about: the one dialled after the one to log in, or the one at (or bound to) the calling phone. */
static const char *call_code_agent(struct call *k, const struct core_call *s)
{
    if (s->app_argument && s->app_argument[0] && strcmp(s->app, "code:login") == 0)
        return s->app_argument;
    const struct core_agent *in = core_agent_at_extension(call_node(k)->core, s->extension);
    if (in)
        return in->number;
    const Ev__Agent *bound = core_agent_bound_to(call_node(k)->core, s->extension);
    return bound ? bound->number : NULL;
}

/* *8: the leg goes into the call that it answers, whoever owns that (call_merge.c). */
static void call_pickup_done(struct call *k, int status, const struct core_answer *a)
{
    if (k->ending || k->gone || (status == 0 && a->code == 0))
        return;
    log_info("call", "%s: nothing is picked up: %s", k->text_id, status ? err_text(status) : a->text);
    call_app_say(k, "agent_code_failed");
}

static void call_pickup_begin(struct call *k, const struct core_call *s)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallPickup m = EV__CALL_PICKUP__INIT;
    char actor[80];
    snprintf(actor, sizeof actor, "phone:%s", s->extension);
    cmd.actor = actor;
    cmd.body_case = EV__COMMAND__BODY_CALL_PICKUP;
    cmd.call_pickup = &m;
    m.from = k->id;
    m.extension = (char *)(uintptr_t)s->app_argument;
    if (call_propose(k, &cmd, call_pickup_done))
        call_app_say(k, "agent_code_failed");
}

static void call_code_begin(struct call *k, const struct core_call *s)
{
    if (call_supervise_code(k, s) || call_forward_code(k, s))
        return;
    if (strcmp(s->app, "code:pickup") == 0) {
        call_pickup_begin(k, s);
        return;
    }
    const char *agent = call_code_agent(k, s);
    for (size_t i = 0; i < sizeof call_codes / sizeof *call_codes; i++) {
        if (strcmp(call_codes[i].app, s->app) != 0 || !agent)
            continue;
        Ev__Command cmd = EV__COMMAND__INIT;
        Ev__AgentSet set = EV__AGENT_SET__INIT;
        char actor[80];
        snprintf(actor, sizeof actor, "phone:%s", s->extension);
        cmd.actor = actor;
        cmd.body_case = EV__COMMAND__BODY_AGENT_SET;
        cmd.agent_set = &set;
        set.agent = (char *)(uintptr_t)agent;
        set.action = call_codes[i].action;
        set.extension = (char *)(uintptr_t)s->extension;
        if (set.action == EV__AGENT_SET__ACTION__SET_STATE && s->app_argument && s->app_argument[0])
            set.code = (char *)(uintptr_t)s->app_argument; /* which state, as configured by then */
        else
            set.state = (char *)(uintptr_t)call_codes[i].state;
        if (call_propose(k, &cmd, call_code_done))
            call_app_say(k, "agent_code_failed");
        return;
    }
    call_app_say(k, "agent_unknown");
}

/* An action ends the call: what its configuration says is played, then. */
static void call_hangup_begin(struct call *k, const struct core_call *s)
{
    char keys[ACTION_PROMPTS_MAX * 64], *rest = keys, *key;
    const char *list[ACTION_PROMPTS_MAX];
    size_t n = 0;
    snprintf(keys, sizeof keys, "%s", s->app_argument);
    while (n < ACTION_PROMPTS_MAX && (key = strsep(&rest, " ")) != NULL)
        list[n++] = key;
    k->hang_up_after_play = true;
    call_play_keys(&k->a, call_language(k), list, n, &k->play_id);
    if (!k->play_id)
        call_app_played(k);
}

void call_app_begin(struct call *k, const struct core_call *s)
{
    if (k->shown == CALL_SHOWN_APP && strcmp(k->app, s->app) == 0)
        return;
    call_answer_caller(k);
    if (k->ending)
        return;
    call_offer_drop(k, 0, NULL);
    call_menu_leave(k);
    k->shown = CALL_SHOWN_APP;
    snprintf(k->app, sizeof k->app, "%s", s->app);
    if (strcmp(s->app, "echo") == 0) {
        media_stream_echo(k->a.media, true);
    } else if (strcmp(s->app, "tone") == 0) {
        struct media_item tone = {.kind = MEDIA_TONE, .hz1 = CALL_TONE_HZ, .level_dbm0 = CALL_TONE_DBM0};
        uint32_t id;
        if (media_stream_play(k->a.media, &tone, 1, 0, &id))
            call_end(k, "system", "failed", 500);
    } else if (strncmp(s->app, "code:", 5) == 0) {
        call_code_begin(k, s);
    } else if (strcmp(s->app, "hangup") == 0) {
        call_hangup_begin(k, s);
    } else if (strcmp(s->app, "callback") == 0) {
        call_back_begin(k);
    } else {
        call_end(k, "system", "failed", 501);
    }
}

void call_app_played(struct call *k)
{
    const struct core_call *s = call_state(k);
    if (strcmp(k->app, "callback") == 0)
        call_back_played(k);
    else if (k->hang_up_after_play)
        call_end(k, "system", s && s->fail_cause[0] ? s->fail_cause : "normal", 0);
}
