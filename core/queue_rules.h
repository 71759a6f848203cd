/* What a queue's configuration means to the queue engine (core/acd.h).
 *
 * Pure: any thread, nothing shared, no errors. Names of skills and regions become the engine's numbers by FNV-1a (64 bits): the
 * same on every node without a table. Two names with one number are refused where both are given (core/config_json.h). */
#ifndef CORE_QUEUE_RULES_H
#define CORE_QUEUE_RULES_H

#include "core/acd.h"
#include "core/commands.pb-c.h"

#define QUEUE_SERVED_H 168u /* last_served_h that is 0 */
#define QUEUE_RING_MAX 8u   /* ring_max that is 0 */

/* 0 for "". */
uint64_t queue_name_number(const char *name);
struct acd_rules queue_rules(const Ev__Queue *q);
bool queue_prefers(const struct acd_rules *r, enum acd_preference p);
/* Whether who was rung in vain is not ready then. With ring all he stays ready, and is rung again, unless the queue says otherwise. */
bool queue_unready_unanswered(const Ev__Queue *q);
/* How long an agent is remembered for a caller. */
uint64_t queue_served_us(const Ev__Queue *q);
/* As the engine wants them: by number. `out` has room for all that the rules of configuration allow. Of a skill that is needed twice
 * (a flow may say so) the higher level counts, of more than ACD_NEEDS_MAX the first. */
unsigned queue_needs(Ev__SkillNeed *const *needs, size_t n, struct acd_skill *out);
/* What the agent has at this time. *next: the earliest end of one of them, 0 none. */
unsigned queue_skills(const Ev__Agent *a, uint64_t now_us, struct acd_skill *out, uint64_t *next_us);

/* As configuration has them: "longest_idle", "level"; of a decision: "only_one". */
const char *queue_strategy_name(enum acd_strategy s);
const char *queue_preference_name(enum acd_preference p);
const char *queue_why_name(enum acd_why w);

#endif
