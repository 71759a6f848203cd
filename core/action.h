/* The action set: what can be done with a caller when a condition of configuration is met (a queue is full, he has waited for too
 * long, ...). One message, Action (core/commands.proto), wherever it stands; its types stand in one table (action.c).
 *
 * A new type is: its row in that table; what carries it out in core_action.c; its word in api/openapi.yaml. How it is checked, what it
 * refers to, and how it looks in JSON and at ccctl follow from the row. An Action in a configuration object of any kind is found
 * by the descriptors: it is checked and its target kept from being removed without a line more.
 * Pure, any thread, nothing shared. */
#ifndef CORE_ACTION_H
#define CORE_ACTION_H

#include <stdbool.h>

#include "core/config_json.h"

#define ACTION_PROMPTS_MAX 8u

struct action_type {
    const char *name;
    bool target;          /* has one */
    bool optional;        /* or goes without, and means what the queue says */
    bool prompts;         /* may have some */
    enum cfg_kind refers; /* what `target` names; CFG_NONE: nothing that is configured */
};
/* NULL: there is no such type. */
const struct action_type *action_type(const char *name);
/* Target and prompts as the type asks. Whether the target exists: core_refs.c. info->field begins with `path`. */
ERR_CHECKED int action_check(const Ev__Action *a, const char *path, struct err_info *info);

/* Calls fn for each Action in the object, in the order of fields; `path` is its place, "max_wait_action". Stops at the first that
 * is not 0 and returns that. */
typedef int action_fn(void *ctx, const Ev__Action *a, const char *path);
int action_each(const ProtobufCMessage *m, action_fn *fn, void *ctx);

#endif
