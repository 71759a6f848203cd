/* Voice menus: a flow (a graph of nodes read from YAML/JSON) and its interpreter. The language of flows, with every node,
 * field, default and limit: docs/flows.md.
 *
 * The interpreter is a pure step function: an event in, actions out. It touches no clock, socket or file. The caller
 * (node/) plays, collects keys, sets timers, asks business systems, commits the position and then calls ivr_step again. A
 * run's whole state can be saved and restored on another node, where it goes on at the same node with the same digits and
 * variables.
 * Core thread; a flow is immutable after parsing and reference-counted (base/mem.h): a run keeps the version it began with. */
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
#define IVR_DEPTH_MAX 16 /* menus on the way back */
#define IVR_CALLS_MAX 4  /* flows called by flows, one within the other */
#define IVR_PROMPTS_MAX 32
#define IVR_NAME_MAX 64
#define IVR_DIGITS_MAX 32 /* that one node collects */

/* ---- flows */

/* Parses and validates (JSON, at most 1 MiB): unknown fields and types, missing targets, unreachable nodes, loops that
 * neither play nor wait, menus without keys, ways back to a menu where there was none, values that are none (31 February,
 * 25:00, three decimals of a yuan), expressions, texts and paths. info->field is a path such as "nodes.main.keys.1", with line
 * and column. The result starts with one reference. */
ERR_CHECKED int ivr_flow_parse(const char *json, size_t len, struct ivr_flow **out, struct err_info *info);
/* What a flow must keep beyond that to be stored; flows that were stored before a rule came run on. Variables that are used
 * but are set on no way there, loops that nothing leads out of. `text` is what was parsed, for line and column. */
ERR_CHECKED int ivr_flow_check(const struct ivr_flow *f, const char *text, size_t len, struct err_info *info);
/* Both for somebody who is still writing: each fault is told, at most one of a node, with info->field, line and column, and those
 * of the graph as a whole once the nodes have none. *out gets the flow when there was none; else it is untouched. Returns how many
 * were told, or ERR_NOMEM. */
ERR_CHECKED int ivr_flow_faults(const char *text, size_t len, void (*fault)(void *ctx, const struct err_info *info),
                                void *ctx, struct ivr_flow **out);
struct ivr_flow *ivr_flow_ref(struct ivr_flow *f);
void ivr_flow_unref(struct ivr_flow *f);
const char *ivr_flow_name(const struct ivr_flow *f);
/* Names that the flow refers to, so that the owner can check that they exist:
 * cb(ctx, "queue" | "agent" | "trunk" | "prompt" | "language" | "flow" | "time_group" | "secret" | "area", name, path). */
void ivr_flow_references(const struct ivr_flow *f,
                         void (*cb)(void *ctx, const char *kind, const char *name, const char *path), void *ctx);

/* Texts for synthesis that are known without a call, in each language: they can be spoken ahead. */
void ivr_flow_texts(const struct ivr_flow *f, void (*cb)(void *ctx, const char *language, const char *text), void *ctx);

/* ---- events in */

enum ivr_event_type {
    IVR_EV_START,  /* the call has been answered */
    IVR_EV_KEY,    /* digit */
    IVR_EV_PLAYED, /* what was to be played has ended by itself (not: was stopped or replaced) */
    IVR_EV_TIMER,  /* the timer set by the last actions has run out */
    IVR_EV_FAILED, /* queue/agent could not take the call: go on at on_fail */
    /* After ivr_restore: plays the present node's prompts again from their beginning (a menu that was only waiting for a
     * key goes on waiting), gives the action again that it waits for (queue, agent, http, time, record). */
    IVR_EV_RESTORED,
    IVR_EV_TIME,     /* answers IVR_ACT_TIME: `choice` */
    IVR_EV_HTTP,     /* answers IVR_ACT_HTTP: `status`, `body` */
    IVR_EV_RECORDED, /* answers IVR_ACT_RECORD: `status` as enum ivr_recorded, `body` the message's id */
    /* Answers IVR_ACT_NOTICES: they were heard (IVR_EV_FAILED: there are none); IVR_ACT_CALLBACK: he is on the list (IVR_EV_FAILED: he
     * is not). */
    IVR_EV_DONE,
    IVR_EV_BOX, /* answers IVR_ACT_BOX: `box`; IVR_EV_FAILED: it cannot be done */
};
enum ivr_recorded {
    IVR_RECORDED_KEPT,
    IVR_RECORDED_EMPTY, /* nothing was said, or less than min_s */
    IVR_RECORDED_FAILED /* nothing can be recorded, or it cannot be kept */
};
/* A box, and of IVR_BOX_NEXT the message that was found; texts may be "". */
struct ivr_box {
    unsigned fresh, heard; /* messages in it */
    const char *message;   /* its id */
    const char *place;     /* where it stands among all: of the owner's making, at most 20 bytes; "" before the first */
    const char *caller, *number, *time; /* who left it, his digits alone, and when, as speak.h reads a SPEAK_DATETIME */
};
struct ivr_event {
    enum ivr_event_type type;
    char digit;
    int choice; /* number of the first group that is open; -1: none */
    int status; /* of HTTP; 0: there was no answer (refused, too late, too large, not trusted, ...) */
    const char
        *body; /* `body_len` bytes, at most IVR_ANSWER_BYTES_MAX, as they came; may be NULL when there are none */
    size_t body_len;
    const struct ivr_box *box;
};
#define IVR_ANSWER_BYTES_MAX 65536u

/* ---- actions out */

enum ivr_action_type {
    IVR_ACT_PLAY,  /* prompts[], replacing what plays; `barge_in`: a key stops it (the run says so by IVR_ACT_STOP) */
    IVR_ACT_STOP,  /* stop playing */
    IVR_ACT_TIMER, /* ms; replaces the running one; 0 stops it */
    /* At node `name`: entered it, took a digit or counted a failure: commit the position (ivr_save). Once per step, before
     * what the node does; nodes passed on the way are not told. */
    IVR_ACT_MOVED,
    IVR_ACT_LANGUAGE, /* from now on `name` */
    IVR_ACT_QUEUE,    /* to queue `name`, as `need` says */
    IVR_ACT_AGENT,    /* to agent `name` */
    IVR_ACT_OUTSIDE, /* to the number `name` outside, as `outside` says; it is whatever the flow's variables made of it */
    IVR_ACT_HANGUP, /* end the call */
    /* Which of the time groups (ivr_run_time_group) is the first that is open? By the owner's clock, at once. */
    IVR_ACT_TIME,
    /* Make the request (ivr_run_request) and tell what came. Given again after a takeover: what the business system does with
     * a request must bear being asked twice (ivr_request.id is the same then). The caller may leave meanwhile. */
    IVR_ACT_HTTP,
    /* Record what the caller says into box `name`, as `record` says, and tell when that is kept. After a takeover it is given again: the
     * owner knows that it goes on with the same message. The caller may leave meanwhile. */
    IVR_ACT_RECORD,
    IVR_ACT_REPLAY, /* play message `name`, NULL: what the node has recorded last; then IVR_EV_PLAYED, also when it cannot be had */
    /* That message is not wanted any more: it goes in the commit of the position, or by itself when there is none. */
    IVR_ACT_DISCARD,
    /* Tell the notices of the area `name` ("": the caller's), taking keys meanwhile; then IVR_EV_DONE, or IVR_EV_FAILED. */
    IVR_ACT_NOTICES,
    /* Put the caller on the list of those whom queue `name` calls back, as `callback` says; then IVR_EV_DONE, or IVR_EV_FAILED. After a
     * takeover it is given again: the owner knows when it has been done. */
    IVR_ACT_CALLBACK,
    /* Do with box `name` what `box` says, then IVR_EV_BOX, or IVR_EV_FAILED. After a takeover it is given again: done once is enough. */
    IVR_ACT_BOX,
};
enum ivr_box_do {
    IVR_BOX_LOOK,   /* how many messages there are; the next one is the first */
    IVR_BOX_NEXT,   /* the first behind `place` that was heard (`old`), or was not */
    IVR_BOX_HEARD,  /* `message` was listened to */
    IVR_BOX_NEW,    /* it is as new again */
    IVR_BOX_DELETE, /* it is gone; that it was gone before is as good */
    IVR_BOX_CALL    /* dial `caller`; the flow is over when he is rung */
};
/* Valid as long as the action. */
struct ivr_box_ask {
    enum ivr_box_do what;
    bool old;
    const char *message, *place, *caller;
};
#define IVR_KEY_ANY '?' /* ivr_record.terminator */
/* Valid as long as the action. */
struct ivr_record {
    unsigned max_s;     /* 0: as configured */
    unsigned silence_s; /* it ends after so much of that; 0: it does not */
    unsigned min_s;     /* what is shorter is not kept */
    char terminator;    /* a key, IVR_KEY_ANY, or 0: none */
    bool beep;          /* a tone before */
    bool voicemail;     /* of a voicemail node */
};
/* One of the three; valid as long as the action. */
struct ivr_prompt_ref {
    const char *key;                 /* or NULL */
    const struct speak_value *value; /* or NULL */
    const char *text;                /* for speech synthesis, or NULL */
};
#define IVR_SPEECH_MAX 4u          /* texts for synthesis that a node says in one go */
#define IVR_SPEECH_BYTES_MAX 1000u /* of one, with its values and its NUL: longer ones are cut */
#define IVR_SKILLS_MAX 8
#define IVR_NEEDS_MAX 4 /* of them counted in queues (core/acd.h has the same): flows stored from now on have no more */
/* What a caller needs in the queue, beyond what his call brings along. Valid as long as the action. */
struct ivr_queue_need {
    bool has_priority;
    unsigned priority; /* 0 to 1000 */
    const char *agent; /* his own (dedicated), whatever the flow's variables made of it; NULL: as without the flow */
    unsigned n_skills; /* 0: those of the access number */
    struct {
        const char *skill;
        unsigned level; /* 0 to 9 */
    } skills[IVR_SKILLS_MAX];
};
/* How a number outside is called. Valid as long as the action. */
struct ivr_outside {
    const char *trunk;     /* NULL: as configured */
    const char *caller_id; /* the number to show; "": as configured */
    unsigned ring_time_s;  /* 0: as for telephones */
};
/* Valid as long as the action. */
struct ivr_callback {
    const char *number; /* whatever the flow's variables made of it */
    bool has_priority;  /* else as the caller's */
    unsigned priority;  /* 0 to 1000 */
    int at_s; /* not before this second of a day, when it comes next in the zone of time group `group`; -1: as soon as can be */
    const char *group; /* NULL with -1 */
};
struct ivr_action {
    enum ivr_action_type type;
    const char *name;
    uint32_t ms;
    bool barge_in;
    const struct ivr_queue_need *need;   /* of IVR_ACT_QUEUE; NULL: nothing */
    const struct ivr_outside *outside;   /* of IVR_ACT_OUTSIDE */
    const struct ivr_record *record;     /* of IVR_ACT_RECORD */
    const struct ivr_callback *callback; /* of IVR_ACT_CALLBACK */
    const struct ivr_box_ask *box;       /* of IVR_ACT_BOX */
    unsigned n_prompts;
    struct ivr_prompt_ref prompts[IVR_PROMPTS_MAX];
};
#define IVR_ACTIONS_MAX 12

/* ---- runs */

/* Where flows are that flows call, and that a restored run stands in. get: `*version` 0: the one that is live, whose version it
 * fills in; else just that one. Returns a reference for the run, or NULL when there is none. NULL for the whole: there are none.
 * Lives as long as the runs. */
struct ivr_flows {
    struct ivr_flow *(*get)(void *ctx, const char *name, uint64_t *version);
    void *ctx;
};
/* What a run begins with. Texts are copied; NULL is "". */
struct ivr_setup {
    struct ivr_flow *flow; /* the run takes a reference of its own */
    uint64_t version;      /* of `flow`; 0: not known */
    const char *language;  /* NULL or unknown: the flow's first */
    const char *caller, *called, *call_id;
    const char *queue; /* the last one that the call was in */
    const struct ivr_flows *flows;
};
ERR_CHECKED int ivr_run_new(const struct ivr_setup *setup, struct ivr_run **out);
void ivr_run_free(struct ivr_run *r);
/* What is known of the caller now, which the flow reads as "data.NAME" and "data.customer": his key in a business system, and a JSON object of
 * texts. NULL or "" is nothing. Said by the owner before each step, after a restore as well; 0 or ERR_NOMEM (it is as it was). */
ERR_CHECKED int ivr_run_know(struct ivr_run *r, const char *customer, const char *data);
/* Fills `out` (IVR_ACTIONS_MAX entries) and returns how many; never fails: a flow that would run without end without
 * playing or waiting is ended by IVR_ACT_HANGUP after 64 nodes. Events that mean nothing at the present node
 * give no action; after IVR_ACT_HANGUP nothing does. What actions point at is valid until the next ivr_step or the end of the
 * run. */
unsigned ivr_step(struct ivr_run *r, const struct ivr_event *ev, struct ivr_action *out);
/* The node, with the flow that was called before it ("identify/ask") where that is not the first. Valid until the next
 * ivr_step. */
const char *ivr_run_node(const struct ivr_run *r);
const char *ivr_run_language(const struct ivr_run *r);
/* The n-th flow that the run stands in, the first being what it began with; false beyond. */
bool ivr_run_flow(const struct ivr_run *r, unsigned n, const char **name, uint64_t *version);
/* Its time groups while IVR_ACT_TIME is asked, in their order; NULL beyond. */
const char *ivr_run_time_group(const struct ivr_run *r, unsigned n);

/* What leads on from the present node if this event does, in a word, for counting: the key (of a menu all its digits), "digits" (collected ones
 * are told to nobody), "timeout", "played", "skipped", "failed", the status of http, the time group that is open or "closed"; "" for others. */
#define IVR_LEFT_BY_MAX 64u
void ivr_run_left_by(const struct ivr_run *r, const struct ivr_event *ev, char out[IVR_LEFT_BY_MAX]);

/* Text form of the state, NUL-terminated, at most IVR_STATE_MAX bytes with the NUL: place, digits, secret variables. Log,
 * table and memory hold it for each call in a menu; it is as long as it must be: 40 bytes in a plain menu, at most 12 kB with
 * 3 kB of secrets that are all quotation marks, 4 flows deep. 0, ERR_NOMEM, or ERR_TOOBIG when `size` is too small.
 * Restoring: ERR_INVAL when a text is not a state or variables, ERR_NOTFOUND when it names a node, language or flow that there
 * is not. `variables` may be NULL.
 * A flow that uses nothing of feature level 3 (core/core_feature.c) has states that the programs before it can restore. */
#define IVR_STATE_MAX 16384
ERR_CHECKED int ivr_save(const struct ivr_run *r, char *out, size_t size);
ERR_CHECKED int ivr_restore(const struct ivr_setup *setup, const char *state, const char *variables,
                            struct ivr_run **out);
/* The variables that may be shown, as a JSON object of texts with sorted names; "" when there are none. Secret ones are in the
 * state only. 0, ERR_NOMEM or ERR_TOOBIG. */
#define IVR_VARIABLES_TEXT_MAX 8192
ERR_CHECKED int ivr_run_variables(const struct ivr_run *r, char *out, size_t size);
/* One variable as the run reads it, built-in ones included; "" when it is not set. *secret may be NULL. */
const char *ivr_run_variable(const struct ivr_run *r, const char *name, bool *secret);

/* ---- http nodes */

#define IVR_HEADERS_MAX 16
/* malloc'ed, with all values in their places: URL-encoded in the URL, escaped in the JSON body. May hold secrets: no part of it
 * is for logs or views, but for `method`. */
struct ivr_request {
    char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    char *url;    /* "http://..." or "https://..." */
    unsigned n_headers;
    char *headers[IVR_HEADERS_MAX]; /* "Name: value", no control characters */
    char *body; /* JSON, or NULL; Content-Type: application/json is among the headers then, unless the flow says else */
    size_t body_len;
    uint32_t timeout_ms; /* for everything, 1000 to 30000 */
    char id[160];        /* the same when the request is made again: for an Idempotency-Key */
};
/* The request of the http node that the run waits at. `secret(ctx, name)` gives secrets of the configuration ("${secret.NAME}");
 * NULL: there is none of that name, then ERR_NOTFOUND. ERR_BADSTATE when the run waits for no answer, ERR_TOOBIG when the URL is
 * longer than 2047 bytes or a header longer than 2048, ERR_NOMEM. After an error the owner answers with status 0. */
ERR_CHECKED int ivr_run_request(const struct ivr_run *r, const char *(*secret)(void *ctx, const char *name), void *ctx,
                                struct ivr_request *out);
void ivr_request_free(struct ivr_request *q);

#endif
