/* Why a call is served by whom, and why an agent is not offered a call: in words, for people.
 *
 * Asked on the core thread, of the state as it is. Linear in the members of the queue. The answers are objects of
 * api/openapi.yaml (CallExplanation, AgentExplanation); the words may change, they are not for programs. Errors: ERR_NOTFOUND
 * (info says what there is not), ERR_NOMEM. */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct core;

#define EXPLAIN_AGENTS_MAX 200u /* members that an answer lists */
#define EXPLAIN_CALLS_MAX 5u    /* waiting callers that an agent's answer looks at */

/* {"call_id", "phase", "queue", "strategy", "position": n or null, "estimated_wait_s": n or null, "lines": [text], "members": n, "agents": [{"agent", "level", "state",
 * "verdict": "can"|"not_available"|"unskilled"|"not_his", "reason": text}]}; agents of a waiting call only, in the order of choice. */
ERR_CHECKED int core_explain_call(const struct core *c, uint64_t call_id, json_t **out, struct err_info *info);
/* {"agent", "queue", "state", "available": bool, "lines": [text]} */
ERR_CHECKED int core_explain_agent(const struct core *c, const char *queue, const char *agent, json_t **out,
                                   struct err_info *info);

/* Whether a call from this number (or, out_of_here, to it) is refused: {"number": its form, "listed": bool, "entry", "note",
 * "direction": "in"|"out"}. */
ERR_CHECKED int core_explain_blacklist(const struct core *c, const char *number, bool out_of_here, json_t **out);
/* Whether this caller is a VIP of the queue, or is on the global list (queue ""): {"number", "listed": bool, "entry", "note", "list": the
 * list that was asked: "none"|"global"|"list"}. */
ERR_CHECKED int core_explain_vip(const struct core *c, const char *number, const char *queue, json_t **out,
                                 struct err_info *info);

#endif
