/* What a supervisor (Agent.type) manages, and so sees and has power over: the agents of his groups, the callers and members of his
 * queues, the calls that any of them takes part in. Himself too.
 *
 * Two ways to ask. Inside apply, of the state in memory: core_manages_*. From other threads, of the tables, for lists and for what an API
 * client asks for: struct view_scope, which stands still from when it is opened (one answer, one batch of events).
 * A token of role "supervisor" acts as an agent (Token.agent); its actor is "agent:NUMBER". */
#ifndef CORE_SCOPE_H
#define CORE_SCOPE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/config_json.h"
#include "core/core.h"

struct storage_reader;

/* ---- configuration: only supervisors manage; only tokens of supervisors act as an agent, and need one */
ERR_CHECKED int scope_check_agent(const Ev__Agent *a, struct err_info *info);
ERR_CHECKED int scope_check_token(const Ev__Token *t, struct err_info *info);

/* ---- the core thread. False also when `supervisor` is none. */
bool core_manages_agent(const struct core *c, const char *supervisor, const char *agent);
bool core_manages_queue(const struct core *c, const char *supervisor, const char *queue);
bool core_manages_call(const struct core *c, const char *supervisor, uint64_t call_id);

/* ---- any thread that has a reader */
struct view_scope;
/* ERR_DENIED: there is no agent of that number, or he is no supervisor (info says which). Within storage_reader_begin or not. */
ERR_CHECKED int view_scope_open(struct storage_reader *r, const char *supervisor, struct view_scope **out,
                                struct err_info *info);
void view_scope_free(struct view_scope *s); /* NULL is fine */
const char *view_scope_agent(const struct view_scope *s);
bool view_scope_queue(const struct view_scope *s, const char *queue);
/* Whether a row of this kind of core/view.h (and "event": CloudEvents) is of what he manages. Of kinds that are everybody's (agent_state): true, that are nobody's: false. */
bool view_scope_row(const struct view_scope *s, const char *kind, const json_t *row);
/* The event (a CloudEvent) tells of a change that what was read does not know: it is to be opened anew. */
bool view_scope_stale(const struct view_scope *s, const json_t *event);
/* What he manages, as texts for a condition in SQL: JSON arrays. */
const char *view_scope_queues_json(const struct view_scope *s);
const char *view_scope_agents_json(const struct view_scope *s);

#endif
