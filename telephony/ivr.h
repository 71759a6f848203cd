/* Voice menus: a flow (a graph of nodes read from YAML/JSON) and its interpreter.
 *
 * The interpreter is a pure step function: an event in, actions out. It touches no clock, socket or file. The caller
 * (node/) plays, collects keys, sets timers, commits the position and then calls ivr_step again. A run's whole state
 * can be saved and restored on another node, where it goes on at the same node with the same digits.
 * Core thread; a flow is immutable after parsing and reference-counted (base/mem.h): a run keeps the version it began with.
 *
 * Flow, as JSON (the YAML has the same shape):
 *   {"name": "welcome", "languages": ["zh","en"], "start": "greet", "nodes": {
 *      "greet":  {"type": "play", "prompts": ["welcome"], "next": "main"},
 *      "main":   {"type": "menu", "prompts": ["main_menu"], "timeout_s": 5, "retries": 3,
 *                 "keys": {"1": "service", "2": "outage", "8": "lang", "0": "bye"},
 *                 "invalid_prompts": ["invalid_key"], "timeout_prompts": ["no_input"], "on_fail": "bye"},
 *      "service": {"type": "queue", "queue": "service", "on_fail": "main"},
 *      "agent":  {"type": "agent", "agent": "1001", "on_fail": "main"},
 *      "lang":   {"type": "language", "language": "toggle", "next": "main"},
 *      "back":   {"type": "parent"},     "top": {"type": "top"},
 *      "bye":    {"type": "hangup", "prompts": ["goodbye"]}}}
 * "prompts" entries are keys, or values to be spoken in the caller's language, one field each (forms and bounds: speak.h):
 *   {"number": 12} {"number": "-12.5"}   an integer, or text, which may have decimals
 *   {"ordinal": 3}                       the third
 *   {"digits": "95598"}                  one by one
 *   {"money": "1234.50"}                 yuan; text, never a number, so that no cent is lost on the way
 *   {"date": "2026-11-22"}               or "11-22"; {"date": "2026-11-22", "weekday": true} says Sunday as well
 *   {"time": "15:04"}                    hours and minutes
 *   {"datetime": "2026-11-22 15:04"}     with "weekday" as date
 * Values need languages that speak.h knows. What one node plays in one go, failure prompts and the menu's together, is at most
 * MEDIA_ITEMS_MAX sounds in each of the flow's languages.
 *
 * Fields by type (* required):
 *   play      prompts*, next, barge_in (true)
 *   menu      prompts, keys*, timeout_s (5; 1-60), digit_timeout_s (3; 1-60), retries (3; 0-10), invalid_prompts, timeout_prompts,
 *             on_fail, barge_in (true). Keys are 1 to 8 of 0-9 * #. When one key begins another ("1" and "12") the menu waits
 *             digit_timeout_s for more digits. A wrong key or a time-out plays its own prompts and the menu's again, `retries`
 *             times in all; the next failure goes to on_fail, or hangs up without one.
 *   queue     queue*, on_fail           agent     agent*, on_fail
 *   language  language* (one of the flow's, or "toggle"), next
 *   parent, top  (nothing)              hangup    prompts
 * Menus that the caller came through are a stack; a menu that is entered again is gone back to. "parent" goes to the menu
 * before the present one (to the present one if it is the first), "top" to the first. Without "next" a play or language
 * node goes back to the menu it came from; so does a queue or agent without on_fail, or hangs up if there was none.
 * A key during a play node with barge_in ends it and, if a menu follows, is taken as the choice. Keys while a prompt
 * without barge_in plays, in a queue, or while hanging up are dropped. */
#ifndef TELEPHONY_IVR_H
#define TELEPHONY_IVR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "telephony/speak.h"

struct ivr_flow;
struct ivr_run;

#define IVR_NODES_MAX 256
#define IVR_DEPTH_MAX 16
#define IVR_PROMPTS_MAX 32
#define IVR_NAME_MAX 64

/* Parses and validates (JSON, at most 1 MiB): unknown fields and types, missing targets, unreachable nodes, loops that
 * neither play nor wait, menus without keys, ways back to a menu where there was none, values that are none (31 February,
 * 25:00, three decimals of a yuan). info->field is a path such as
 * "nodes.main.keys.1", with line and column. The result starts with one reference. */
ERR_CHECKED int ivr_flow_parse(const char *json, size_t len, struct ivr_flow **out, struct err_info *info);
struct ivr_flow *ivr_flow_ref(struct ivr_flow *f);
void ivr_flow_unref(struct ivr_flow *f);
const char *ivr_flow_name(const struct ivr_flow *f);
/* Names that the flow refers to, so that the owner can check that they exist:
 * cb(ctx, "queue" | "agent" | "prompt" | "language", name, path). */
void ivr_flow_references(const struct ivr_flow *f,
                         void (*cb)(void *ctx, const char *kind, const char *name, const char *path), void *ctx);

enum ivr_event_type {
    IVR_EV_START,  /* the call has been answered */
    IVR_EV_KEY,    /* digit */
    IVR_EV_PLAYED, /* what was to be played has ended by itself (not: was stopped or replaced) */
    IVR_EV_TIMER,  /* the timer set by the last actions has run out */
    IVR_EV_FAILED, /* queue/agent could not take the call: go on at on_fail */
    /* After ivr_restore: plays the present node's prompts again from their beginning (a menu that was only waiting for a
     * key goes on waiting), gives the queue or agent action again. */
    IVR_EV_RESTORED,
};
struct ivr_event {
    enum ivr_event_type type;
    char digit;
};

enum ivr_action_type {
    IVR_ACT_PLAY,  /* prompts[], replacing what plays; `barge_in`: a key stops it (the run says so by IVR_ACT_STOP) */
    IVR_ACT_STOP,  /* stop playing */
    IVR_ACT_TIMER, /* ms; replaces the running one; 0 stops it */
    /* At node `name`: entered it, took a digit or counted a failure: commit the position (ivr_save). Once per step, before
     * what the node does; nodes passed on the way are not told. */
    IVR_ACT_MOVED,
    IVR_ACT_LANGUAGE, /* from now on `name` */
    IVR_ACT_QUEUE,    /* to queue `name` */
    IVR_ACT_AGENT,    /* to agent `name` */
    IVR_ACT_HANGUP,   /* end the call */
};
/* One of the two; both live as long as the flow. */
struct ivr_prompt_ref {
    const char *key;                 /* or NULL */
    const struct speak_value *value; /* or NULL */
};
struct ivr_action {
    enum ivr_action_type type;
    const char *name;
    uint32_t ms;
    bool barge_in;
    unsigned n_prompts;
    struct ivr_prompt_ref prompts[IVR_PROMPTS_MAX];
};
#define IVR_ACTIONS_MAX 12

/* `language` NULL or unknown: the flow's first. */
ERR_CHECKED int ivr_run_new(struct ivr_flow *f, const char *language, struct ivr_run **out);
void ivr_run_free(struct ivr_run *r);
/* Fills `out` (IVR_ACTIONS_MAX entries) and returns how many; never fails: a flow that would run without end without
 * playing or waiting is ended by IVR_ACT_HANGUP after 64 nodes in one step. Events that mean nothing at the present node
 * give no action; after IVR_ACT_HANGUP nothing does. Texts in actions live as long as the flow. */
unsigned ivr_step(struct ivr_run *r, const struct ivr_event *ev, struct ivr_action *out);
const char *ivr_run_node(const struct ivr_run *r);
const char *ivr_run_language(const struct ivr_run *r);
/* Text form of the state, NUL-terminated, at most IVR_STATE_MAX bytes with the NUL. 0, or ERR_TOOBIG when `size` is too
 * small. Restoring: ERR_INVAL when the text is not a state, ERR_NOTFOUND when it names a node or language that this flow
 * does not have. */
#define IVR_STATE_MAX 2048
ERR_CHECKED int ivr_save(const struct ivr_run *r, char *out, size_t size);
ERR_CHECKED int ivr_restore(struct ivr_flow *f, const char *state, struct ivr_run **out);

#endif
