/* A parsed flow as the parser (ivr_flow.c, ivr_node.c, ivr_field.c) and the interpreter (ivr.c, ivr_enter.c, ivr_state.c,
 * ivr_http.c, ivr_record.c, ivr_mailbox.c) share it. Immutable after parsing. */
#ifndef TELEPHONY_IVR_INT_H
#define TELEPHONY_IVR_INT_H

#include <jansson.h>

#include "telephony/ivr.h"
#include "telephony/ivr_text.h"

#define IVR_HTTP_STATUS "http_status" /* what an http node sets beside its answer; 0: none came */

enum {
    IVR_LANGUAGES_MAX = 8,
    IVR_KEY_MAX = 8,   /* digits of a menu's key */
    IVR_KEYS_MAX = 64, /* of one menu */
    IVR_SETS_MAX = 16, /* variables that one node sets */
    IVR_CASES_MAX = 32,
    IVR_OUTSIDE_MAX = 32, /* digits of a number outside (core/config_json.h has the same) */
    IVR_NONE = -1,        /* no node */
    IVR_TOGGLE = -2,      /* language: the next one of the flow */
    IVR_STEP_NODES_MAX = 64,
};

enum ivr_node_type {
    IVR_NODE_PLAY,
    IVR_NODE_MENU,
    IVR_NODE_COLLECT,
    IVR_NODE_SET,
    IVR_NODE_BRANCH,
    IVR_NODE_TIME,
    IVR_NODE_HTTP,
    IVR_NODE_QUEUE,
    IVR_NODE_AGENT,
    IVR_NODE_OUTSIDE,
    IVR_NODE_RECORD,
    IVR_NODE_VOICEMAIL,
    IVR_NODE_FLOW,
    IVR_NODE_RETURN,
    IVR_NODE_LANGUAGE,
    IVR_NODE_PARENT,
    IVR_NODE_TOP,
    IVR_NODE_HANGUP,
    IVR_NODE_NOTICES,
    IVR_NODE_CALLBACK,
    IVR_NODE_MAILBOX,
    IVR_NODE_LISTEN,
    IVR_NODE_TYPES
};

struct ivr_parser;
struct ivr_steps;
struct ivr_node;

/* What the interpreter and the checks of the graph need to know about a type of node. */
enum {
    IVR_CAN_PLAY = 1,   /* may be in the phase PLAYING */
    IVR_CAN_WAIT = 2,   /* for keys: may be in the phase WAITING, takes digits */
    IVR_CAN_ASK = 4,    /* the owner has something to do first: phase BUSY */
    IVR_HURRIES = 8,    /* goes on by itself, or may at once be made to */
    IVR_GOES_BACK = 16, /* to a menu, without `next` */
    IVR_ENDS = 32,      /* the flow may end here */
    IVR_PLAIN = 64,     /* programs before feature level 3 have it */
    IVR_LEAVES = 128,   /* to somebody else, and comes back only when that fails */
};
struct ivr_kind {
    const char *name;
    const char *fields; /* allowed ones between spaces, so that a plain search for " name " decides */
    unsigned traits;
    int (*parse)(struct ivr_parser *p, struct ivr_node *n, json_t *o); /* its own fields; may be NULL */
    /* Comes to the node: returns the node to go on to, or IVR_NONE when the run has settled or ended. */
    int (*enter)(struct ivr_steps *s, const struct ivr_node *n);
    void (*ask)(struct ivr_steps *s, const struct ivr_node *n); /* gives the action that BUSY waits for */
};
extern const struct ivr_kind ivr_kinds[IVR_NODE_TYPES];

/* Something to be said: a key, a value, or a value to be made from a text with variables. */
struct ivr_say {
    const char *key;
    const char *text;         /* template */
    const char *speech;       /* template of a text for synthesis */
    struct speak_value value; /* kind and weekday count with `text` as well */
};
struct ivr_prompt_list {
    unsigned n;
    struct ivr_say *at; /* owned */
};

struct ivr_key {
    const char *digits;
    int target;
};
struct ivr_case {
    struct ivr_expr *condition; /* owned; branch */
    const char *group;          /* time */
    int target;
};
struct ivr_set {
    const char *name;
    const char *text;       /* template, or a path into the answer (http) */
    struct ivr_expr *value; /* owned; instead of text */
    bool secret;
};
struct ivr_header {
    const char *name, *text;
};

/* Texts point into the flow's tree. */
struct ivr_node {
    const char *name;
    enum ivr_node_type type;
    struct ivr_prompt_list prompts, invalid, timeout;
    const char *target;             /* queue, agent (template), flow, trunk (or NULL) */
    const char *number, *caller_id; /* outside, callback; templates, the second may be NULL */
    const char *area;               /* notices; a template, or NULL: the variable of that name */
    unsigned ring_time_s;           /* outside; 0: as for telephones */
    int next,
        on_fail;  /* node or IVR_NONE; branch, time: next is "else"; on_fail is "on_error" of http, "none" of notices,
                     * "refused" of callback */
    int language; /* index or IVR_TOGGLE */
    uint32_t timeout_ms, digit_timeout_ms;
    unsigned retries;
    bool barge_in;
    unsigned n_keys;
    struct ivr_key *keys; /* owned */
    unsigned n_cases;
    struct ivr_case *cases; /* owned */
    unsigned n_sets;
    struct ivr_set *sets; /* owned; set, queue (its data), http (from the answer) */
    struct {
        const char *variable;
        unsigned least, most;
        char terminator; /* 0: none */
        bool secret;
    } collect;
    struct {
        const char *method, *url;
        json_t *body; /* in the tree; may be NULL */
        unsigned n_headers;
        struct ivr_header headers[IVR_HEADERS_MAX];
    } http;
    struct {
        const char *variable, *box; /* box: template, of mailbox as well; variable NULL with voicemail */
        const char *greeting;       /* voicemail: a message instead of the prompts; template or NULL */
        struct ivr_prompt_list thanks;
        struct ivr_record how;
        bool review;
    } record;
    struct {
        const char *at, *group; /* at: template; both or neither */
    } callback;
    struct {
        enum ivr_box_do what;
        const char *which, *message; /* templates; which: NULL is new */
    } mailbox;                       /* listen has the message */
    bool needs;                      /* queue: `need` says something */
    struct ivr_queue_need need;      /* callback: its priority */
};

struct ivr_flow {
    json_t *tree;
    const char *name;
    const char *languages[IVR_LANGUAGES_MAX];
    unsigned n_languages;
    unsigned n_variables;
    struct ivr_set *variables; /* owned; name and text: what it is when nobody has set it */
    int start;
    unsigned n_nodes;
    struct ivr_node *nodes; /* owned */
    bool plain;             /* nothing in it that came with feature level 3 */
};

/* Index or IVR_NONE. */
int ivr_flow_find(const struct ivr_flow *f, const char *name);
int ivr_flow_language(const struct ivr_flow *f, const char *name);
/* The i-th way on from a node; false beyond the last. *to may be IVR_NONE. */
bool ivr_node_way(const struct ivr_node *n, unsigned i, int *to);
/* Every variable that a node reads, with the field where; "secret.NAME" as well. */
void ivr_node_reads(const struct ivr_node *n, void (*cb)(void *ctx, const char *name, const char *field), void *ctx);
/* A variable that there always is. */
bool ivr_builtin(const char *name);

/* ---- parsing (ivr_field.c) */
struct ivr_parser {
    struct ivr_flow *flow;
    struct err_info *info;
    /* NULL: the first fault ends it. Else each is told and what does not hang on it is read on. */
    void (*fault)(void *ctx, const struct err_info *info);
    void *ctx;
    unsigned n_faults;
};
void ivr_path(char out[ERR_INFO_FIELD_MAX], const struct ivr_node *n, const char *field);
int ivr_refuse(struct ivr_parser *p, const struct ivr_node *n, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool ivr_name_ok(const char *s);
ERR_CHECKED int ivr_parse_target(struct ivr_parser *p, struct ivr_node *n, const char *field, json_t *v, int *out);
/* Absent: untouched. */
ERR_CHECKED int ivr_parse_link(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, int *out);
ERR_CHECKED int ivr_parse_needed_link(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, int *out);
ERR_CHECKED int ivr_parse_uint(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, unsigned low,
                               unsigned high, unsigned *out);
ERR_CHECKED int ivr_parse_bool(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, bool *out);
/* A text with variables in it; `v` must be a text. */
ERR_CHECKED int ivr_parse_text(struct ivr_parser *p, struct ivr_node *n, const char *field, json_t *v, bool secrets,
                               const char **out);
/* One that may be left out, but not be empty; `out` stays as it is then. */
ERR_CHECKED int ivr_parse_some_text(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field,
                                    const char **out);
ERR_CHECKED int ivr_parse_expr(struct ivr_parser *p, struct ivr_node *n, const char *field, json_t *v,
                               struct ivr_expr **out);
/* The name of a variable that a flow may set. */
ERR_CHECKED int ivr_parse_variable(struct ivr_parser *p, struct ivr_node *n, const char *field, const char *name);
ERR_CHECKED int ivr_parse_prompts(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field,
                                  struct ivr_prompt_list *out);
/* The name of something to go to. */
ERR_CHECKED int ivr_parse_target_name(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field);
/* A number for outside: digits, a "+" before them or not, or a text with variables. */
ERR_CHECKED int ivr_parse_number(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field,
                                 const char **out);
/* Whether both lists, played in one go, fit in each of the flow's languages. */
ERR_CHECKED int ivr_check_sounds(struct ivr_parser *p, struct ivr_node *n, const char *field,
                                 const struct ivr_prompt_list *a, const struct ivr_prompt_list *b);
/* ---- ivr_node.c */
ERR_CHECKED int ivr_parse_node(struct ivr_parser *p, struct ivr_node *n, json_t *o);
void ivr_node_free(struct ivr_node *n);

/* ---- running */
enum ivr_phase { IVR_IDLE, IVR_PLAYING, IVR_WAITING, IVR_BUSY, IVR_ENDED };

/* A flow that the run is in: the first one, or one called by the one before, at its present node. */
struct ivr_frame {
    struct ivr_flow *flow; /* a reference */
    uint64_t version;
    int node;
    unsigned language; /* of the flow's */
    unsigned depth;
    int stack[IVR_DEPTH_MAX]; /* menus the caller came through; the last is the present one */
};
struct ivr_run {
    const struct ivr_flows *flows;
    enum ivr_phase phase;
    unsigned n_frames; /* at least one */
    struct ivr_frame frames[IVR_CALLS_MAX + 1];
    unsigned failures; /* in the present menu since it was entered */
    unsigned walked;   /* nodes since something was played or waited for */
    unsigned asked;    /* requests of http nodes so far */
    char digits[IVR_DIGITS_MAX + 1];
    char *caller, *called, *call_id; /* built-in variables; owned */
    char queue[IVR_NAME_MAX];
    struct ivr_vars vars;
    json_t *known;    /* what is known of the caller, as texts; NULL: nothing */
    char *known_data; /* of which it was made */
    char node_name[2 * IVR_NAME_MAX];
    /* what the latest actions point at */
    char target[IVR_VALUE_MAX];
    struct ivr_queue_need need;
    char need_agent[IVR_VALUE_MAX];
    struct ivr_outside outside;
    struct ivr_record record;
    struct ivr_callback callback;
    struct ivr_box_ask box;
    char caller_id[IVR_VALUE_MAX];
    struct speak_value spoken[IVR_PROMPTS_MAX];
    char spoken_text[IVR_PROMPTS_MAX][SPEAK_TEXT_MAX + 1];
    char speech[IVR_SPEECH_MAX][IVR_SPEECH_BYTES_MAX];
    unsigned n_speech;
};
struct ivr_steps {
    struct ivr_run *run;
    struct ivr_action *out;
    unsigned n;
    bool language_changed;
    char key; /* pressed during a play node and not used yet; 0 */
};

static inline struct ivr_frame *ivr_top(struct ivr_run *r)
{
    return &r->frames[r->n_frames - 1];
}
static inline const struct ivr_node *ivr_present(const struct ivr_run *r)
{
    const struct ivr_frame *f = &r->frames[r->n_frames - 1];
    return &f->flow->nodes[f->node];
}
static inline const struct ivr_kind *ivr_kind_of(const struct ivr_node *n)
{
    return &ivr_kinds[n->type];
}
/* ---- ivr.c */
struct ivr_action *ivr_act(struct ivr_steps *s, enum ivr_action_type type, const char *name);
void ivr_act_timer(struct ivr_steps *s, uint32_t ms);
void ivr_settle(struct ivr_steps *s, enum ivr_phase phase);
void ivr_end(struct ivr_steps *s);
/* Where `parent` and nodes without `next` lead: a node or IVR_NONE. */
int ivr_back(const struct ivr_run *r);
void ivr_play(struct ivr_steps *s, const struct ivr_prompt_list *first);
int ivr_take_key(struct ivr_steps *s, char key);
/* The target of exactly these digits or IVR_NONE; *longer: some key begins with them and goes on. */
int ivr_menu_match(const struct ivr_node *n, const char *digits, bool *longer);
const char *ivr_lookup(void *run, const char *name);
/* The menu to go back to; the run ends where there is none. */
int ivr_back_or_end(struct ivr_steps *s);
/* ---- ivr_enter.c */
/* Gives the variables that the flow declares their first values. */
void ivr_declare(struct ivr_run *r, const struct ivr_flow *f);
int ivr_enter_menu(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_collect(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_play(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_set(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_branch(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_ask(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_http(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_queue(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_flow(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_return(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_language(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_parent(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_top(struct ivr_steps *s, const struct ivr_node *n);
int ivr_enter_hangup(struct ivr_steps *s, const struct ivr_node *n);
void ivr_ask_queue(struct ivr_steps *s, const struct ivr_node *n);
void ivr_ask_agent(struct ivr_steps *s, const struct ivr_node *n);
void ivr_ask_outside(struct ivr_steps *s, const struct ivr_node *n);
void ivr_ask_time(struct ivr_steps *s, const struct ivr_node *n);
void ivr_ask_http(struct ivr_steps *s, const struct ivr_node *n);
/* ---- ivr_record.c */
bool ivr_records(const struct ivr_node *n);
/* What the present node says now: its prompts, but for one that has recorded already. */
const struct ivr_prompt_list *ivr_prompts_of(const struct ivr_run *r);
bool ivr_record_state_ok(const struct ivr_run *r);
int ivr_parse_record(struct ivr_parser *p, struct ivr_node *n, json_t *o);
int ivr_parse_voicemail(struct ivr_parser *p, struct ivr_node *n, json_t *o);
int ivr_enter_record(struct ivr_steps *s, const struct ivr_node *n);
void ivr_ask_record(struct ivr_steps *s, const struct ivr_node *n);
int ivr_record_played(struct ivr_steps *s);
/* Whether the caller is being asked, or has asked, what becomes of his message. */
bool ivr_record_reviews(const struct ivr_run *r);
int ivr_record_key(struct ivr_steps *s, char key);
int ivr_record_silent(struct ivr_steps *s); /* the time for a key is over */
void ivr_record_again(struct ivr_steps *s); /* what it says, after a takeover */
const char *ivr_record_left_by(const struct ivr_run *r, char key);
int ivr_recorded(struct ivr_steps *s, const struct ivr_event *ev);
void ivr_ask_notices(struct ivr_steps *s, const struct ivr_node *n);
/* ---- ivr_callback.c */
int ivr_parse_callback(struct ivr_parser *p, struct ivr_node *n, json_t *o);
int ivr_enter_callback(struct ivr_steps *s, const struct ivr_node *n);
void ivr_ask_callback(struct ivr_steps *s, const struct ivr_node *n);
/* ---- ivr_known.c */
/* NULL: not known. */
const char *ivr_known_get(const struct ivr_run *r, const char *name);
void ivr_known_free(struct ivr_run *r);
/* ---- ivr_mailbox.c */
/* Whether mailbox nodes set it. */
bool ivr_box_sets(const char *name);
int ivr_parse_mailbox(struct ivr_parser *p, struct ivr_node *n, json_t *o);
int ivr_parse_listen(struct ivr_parser *p, struct ivr_node *n, json_t *o);
void ivr_ask_mailbox(struct ivr_steps *s, const struct ivr_node *n);
int ivr_box_answered(struct ivr_steps *s, const struct ivr_event *ev);
int ivr_enter_listen(struct ivr_steps *s, const struct ivr_node *n);
void ivr_replay(struct ivr_steps *s, const char *message, bool barge_in); /* a template */
/* ---- ivr_http.c */
int ivr_http_answered(struct ivr_steps *s, const struct ivr_event *ev);

#endif
