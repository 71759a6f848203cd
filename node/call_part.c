/* A party hangs up, and the call goes on with the other one: an agent whose queue has a rating flow (core/core_rating.c).
 *
 *   BYE of the agent, or a request ─► CallPart ─committed─► 200 (or our BYE), and the other party is in the flow
 *                                        └─refused─► the call ends, as after any BYE
 *
 * From there on it is as after a transfer: call_transfer_follow lets go of who has left. A caller who hangs up in the same moment ends the call. */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

static const char *who_is(const struct call *k, bool callee)
{
    return callee ? call_callee_is(k) : call_caller_is(k);
}

static void part_done(struct call *k, int status, const struct core_answer *a)
{
    k->parting = false;
    if (k->ending || k->gone || (!status && !a->code))
        return; /* the change of state does the rest */
    log_info("call", "%s: ends with its agent: %s", k->text_id, status ? err_text(status) : a->text);
    call_end(k, who_is(k, k->parting_callee), "normal", 0);
}

bool call_part_over(struct call_leg *l)
{
    struct call *k = l->call;
    uint64_t leg_id = call_leg_id(l);
    if (k->parting)
        return k->parting_callee == l->callee;
    if (k->ending || k->shown != CALL_SHOWN_TALK || !core_rates(call_node(k)->core, k->id, leg_id))
        return false;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallPart m = EV__CALL_PART__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_PART;
    cmd.call_part = &m;
    m.call_id = k->id;
    m.leg_id = (uint32_t)leg_id;
    k->parting = true;
    k->parting_callee = l->callee;
    if (call_propose(k, &cmd, part_done) == 0)
        return true;
    k->parting = false;
    return false;
}

void call_part_hung_up(struct call *k, const char *by)
{
    static const char *const parties[] = {"caller", "callee", "agent"};
    const char *who = NULL; /* the end keeps the text */
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++)
        who = strcmp(parties[i], by) == 0 ? parties[i] : who;
    call_end(k, who ? who : "system", who ? "normal" : "operator", 0);
}
