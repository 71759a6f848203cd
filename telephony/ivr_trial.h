/* Walks a flow without a call: the same interpreter, given keys and answers from a list, and what happens as rows for people.
 * Used by `ccctl flow test` (through the API) and by tests.
 *
 * Everything that is played is heard to its end; then the next key is pressed, if the flow waits for one. Pure, any thread (the
 * flows then belong to that thread); ends after IVR_TRIAL_STEPS_MAX rows at the latest. */
#ifndef TELEPHONY_IVR_TRIAL_H
#define TELEPHONY_IVR_TRIAL_H

#include <jansson.h>

#include "telephony/ivr.h"

#define IVR_TRIAL_STEPS_MAX 256u
#define IVR_TRIAL_MESSAGE "0000000000000001" /* what a record node's variable gets */

struct ivr_trial {
    struct ivr_setup setup;
    const char *customer, *data; /* what is known of the caller, as ivr_run_know has it */
    /* What the caller presses, one entry each time the flow waits: keys ("1", "42#"), or "-": he lets the time run out. */
    const char *const *keys;
    unsigned n_keys;
    /* Whether a time group is open; NULL: none ever is. */
    bool (*open)(void *ctx, const char *group);
    /* The answer at an http node (its name as ivr_run_node says): status, and the body as JSON or NULL. NULL, or false: none came. */
    bool (*answer)(void *ctx, const char *node, int *status, const json_t **body);
    /* What a caller is told of this area ("": his own), as its names between commas; 0: nothing. NULL: nothing ever. */
    unsigned (*notices)(void *ctx, const char *area, char *out, size_t size);
    void *ctx;
};

/* {"outcome": text, "node": where, "language": text, "variables": {those that are no secret},
 *  "steps": [{"node", "event": text, "action": text}]}. NULL when out of memory.
 * Outcomes: "hung up", "queue NAME", "agent NUMBER", "waits for keys" (there were no more), "goes on" (too many steps). Secrets are
 * neither in requests nor in keys. */
json_t *ivr_trial_run(const struct ivr_trial *t);

#endif
