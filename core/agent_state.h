/* What agents may choose to be: ready, the built-in states, and those of the configuration (AgentState). Pure; any thread.
 *
 * A configured state with the name of a built-in one refines it: what it leaves empty is as built in. Texts point into what was
 * given and into constants. */
#ifndef CORE_AGENT_STATE_H
#define CORE_AGENT_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/commands.pb-c.h"

#define AGENT_STATE_READY "ready"
#define AGENT_STATE_NOT_READY "not_ready"

struct agent_state {
    const char *name, *zh, *en; /* zh, en: "" when nobody said */
    const char *code;           /* "" none */
    bool pause;                 /* counts as break */
};

/* Built-in ones in the order of their names, ready among them; NULL past the last. */
const struct agent_state *agent_state_builtin(size_t i);
const struct agent_state *agent_state_find_builtin(const char *name); /* NULL: there is none */
/* Names that no configured state may have: ready, states that calls and logins bring about, and other words for ready. */
bool agent_state_reserved(const char *name);
/* cfg NULL: the built-in one as it is. false: there is no such state. */
bool agent_state_get(const Ev__AgentState *cfg, const char *name, struct agent_state *out);

#endif
