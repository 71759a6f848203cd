/* A parsed flow as the interpreter (ivr.c) and the parser (ivr_flow.c) share it. Immutable after parsing. */
#ifndef TELEPHONY_IVR_INT_H
#define TELEPHONY_IVR_INT_H

#include <jansson.h>

#include "telephony/ivr.h"

enum {
    IVR_LANGUAGES_MAX = 8,
    IVR_DIGITS_MAX = 8, /* longest menu key */
    IVR_KEYS_MAX = 64,  /* of one menu */
    IVR_NONE = -1,      /* no node */
    IVR_TOGGLE = -2,    /* language: the next one of the flow */
    IVR_STEP_NODES_MAX = 64,
};

enum ivr_node_type {
    IVR_NODE_PLAY,
    IVR_NODE_MENU,
    IVR_NODE_QUEUE,
    IVR_NODE_AGENT,
    IVR_NODE_LANGUAGE,
    IVR_NODE_PARENT,
    IVR_NODE_TOP,
    IVR_NODE_HANGUP,
};

struct ivr_prompt_list {
    unsigned n;
    struct ivr_prompt_ref *at;  /* owned */
    struct speak_value *values; /* owned; one for each entry, used or not */
};

struct ivr_key {
    const char *digits;
    int target;
};

/* Texts point into the flow's tree. */
struct ivr_node {
    const char *name;
    enum ivr_node_type type;
    struct ivr_prompt_list prompts, invalid, timeout;
    const char *target; /* queue or agent */
    int next, on_fail;  /* node or IVR_NONE */
    int language;       /* index or IVR_TOGGLE */
    uint32_t timeout_ms, digit_timeout_ms;
    unsigned retries;
    bool barge_in;
    unsigned n_keys;
    struct ivr_key *keys; /* owned */
};

struct ivr_flow {
    json_t *tree;
    const char *name;
    const char *languages[IVR_LANGUAGES_MAX];
    unsigned n_languages;
    int start;
    unsigned n_nodes;
    struct ivr_node *nodes; /* owned */
};

/* Index or IVR_NONE. */
int ivr_flow_find(const struct ivr_flow *f, const char *name);

#endif
