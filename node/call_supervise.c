/* A supervisor's telephone: codes that lead into a call of an agent, and keys while it is there. Whether that may be is for apply to say
 * (core/core_supervise.c). */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

/* The keys stand side by side, and are never heard by anybody. */
static const struct {
    const char *app;
    char key;
    Ev__CallSupervise__How how;
} supervise_ways[] = {
    {"code:listen", '4', EV__CALL_SUPERVISE__HOW__LISTEN},
    {"code:whisper", '5', EV__CALL_SUPERVISE__HOW__WHISPER},
    {"code:barge", '6', EV__CALL_SUPERVISE__HOW__BARGE},
    {"code:take_over", '7', EV__CALL_SUPERVISE__HOW__TAKE_OVER},
};
#define SUPERVISE_WAYS (sizeof supervise_ways / sizeof *supervise_ways)

static int supervise_propose(struct call *k, const struct core_call *s, Ev__CallSupervise__How how, const char *agent,
                             call_done_fn *done)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallSupervise m = EV__CALL_SUPERVISE__INIT;
    char actor[80];
    if (s->supervisor[0])
        snprintf(actor, sizeof actor, "agent:%s", s->supervisor);
    else
        snprintf(actor, sizeof actor, "phone:%s", s->extension);
    cmd.actor = actor;
    cmd.body_case = EV__COMMAND__BODY_CALL_SUPERVISE;
    cmd.call_supervise = &m;
    m.from = k->id;
    m.agent = (char *)(uintptr_t)agent;
    m.how = how;
    return call_propose(k, &cmd, done);
}

static void supervise_key_done(struct call *k, int status, const struct core_answer *a)
{
    if (status || a->code)
        log_info("call", "%s: the supervisor's key does nothing: %s", k->text_id, status ? err_text(status) : a->text);
}

bool call_supervise_key(struct call *k, char digit)
{
    const struct core_call *s = call_state(k);
    if (!s || s->phase != CORE_CALL_JOINED || !s->supervisor[0])
        return false;
    for (size_t i = 0; i < SUPERVISE_WAYS; i++) {
        if (supervise_ways[i].key == digit && supervise_propose(k, s, supervise_ways[i].how, "", supervise_key_done))
            log_info("call", "%s: the supervisor's key cannot be looked at now", k->text_id);
    }
    return true;
}

static void supervise_code_done(struct call *k, int status, const struct core_answer *a)
{
    if (k->ending || k->gone || (!status && !a->code))
        return; /* he is in the call: what he hears follows from the state */
    log_info("call", "%s: code refused: %s", k->text_id, status ? err_text(status) : a->text);
    call_app_say(k, !status && a->code == ERR_NOTFOUND ? "agent_unknown" : "agent_code_failed");
}

bool call_supervise_code(struct call *k, const struct core_call *s)
{
    for (size_t i = 0; i < SUPERVISE_WAYS; i++) {
        if (strcmp(supervise_ways[i].app, s->app) != 0)
            continue;
        if (!s->app_argument[0])
            call_app_say(k, "agent_unknown");
        else if (supervise_propose(k, s, supervise_ways[i].how, s->app_argument, supervise_code_done))
            call_app_say(k, "agent_code_failed");
        return true;
    }
    return false;
}
