/* Nodes by which somebody listens to messages: "mailbox" does one thing with a box, "listen" plays a message.
 *
 *   mailbox: BUSY --BOX--> its variables are set; next, or none: there is no (further) message;  --FAILED--> none
 *   listen:  PLAYING --PLAYED, key--> next, the key in hand
 *
 * Where he is in his box is in variables (ivr_box_variables), which are in the saved state: whoever takes the call over goes on with the same message. */
#include <stdio.h>
#include <string.h>

#include "telephony/ivr_int.h"

#define IVR_THE_MESSAGE "${message}"

static const char *const ivr_box_words[] = {
    [IVR_BOX_LOOK] = "look", [IVR_BOX_NEXT] = "next",     [IVR_BOX_HEARD] = "heard",
    [IVR_BOX_NEW] = "new",   [IVR_BOX_DELETE] = "delete", [IVR_BOX_CALL] = "call",
};
#define IVR_BOX_WORDS (sizeof ivr_box_words / sizeof *ivr_box_words)

/* What each mailbox node may set, in the order of ivr_box_set. */
static const char *const ivr_box_variables[] = {"new_messages",   "old_messages",   "message",     "message_place",
                                                "message_caller", "message_number", "message_time"};
#define IVR_BOX_VARIABLES (sizeof ivr_box_variables / sizeof *ivr_box_variables)

bool ivr_box_sets(const char *name)
{
    for (size_t i = 0; i < IVR_BOX_VARIABLES; i++)
        if (strcmp(ivr_box_variables[i], name) == 0)
            return true;
    return false;
}

/* ---- parsing */

static int ivr_parse_do(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    const char *word = json_string_value(json_object_get(o, "do"));
    for (size_t i = 0; word && i < IVR_BOX_WORDS; i++)
        if (strcmp(ivr_box_words[i], word) == 0) {
            n->mailbox.what = (enum ivr_box_do)i;
            return 0;
        }
    return ivr_refuse(p, n, "do", "must be look, next, heard, new, delete or call");
}

int ivr_parse_mailbox(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_do(p, n, o);
    if (!rc)
        rc = ivr_parse_text(p, n, "box", json_object_get(o, "box"), false, &n->record.box);
    if (!rc && !ivr_text_varies(n->record.box) && !ivr_name_ok(n->record.box))
        return ivr_refuse(p, n, "box", "must name a box: a queue, an agent, or any name");
    if (!rc)
        rc = ivr_parse_some_text(p, n, o, "which", &n->mailbox.which);
    if (!rc)
        rc = ivr_parse_needed_link(p, n, o, "next", &n->next);
    return rc ? rc : ivr_parse_needed_link(p, n, o, "none", &n->on_fail);
}

int ivr_parse_listen(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    n->mailbox.message = IVR_THE_MESSAGE;
    int rc = ivr_parse_some_text(p, n, o, "message", &n->mailbox.message);
    return rc ? rc : ivr_parse_needed_link(p, n, o, "next", &n->next);
}

/* ---- running */

static void ivr_box_fill(struct ivr_run *r, const char *text, char *out, size_t size)
{
    (void)ivr_text_fill(text ? text : "", IVR_TEXT_PLAIN, ivr_lookup, r, out, size);
}

void ivr_ask_mailbox(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    char which[IVR_VALUE_MAX];
    ivr_box_fill(r, n->record.box, r->target, sizeof r->target);
    ivr_box_fill(r, n->mailbox.which, which, sizeof which);
    r->box = (struct ivr_box_ask){.what = n->mailbox.what,
                                  .old = strcmp(which, "old") == 0,
                                  .message = ivr_run_variable(r, "message", NULL),
                                  .place = ivr_run_variable(r, "message_place", NULL),
                                  .caller = ivr_run_variable(r, "message_caller", NULL)};
    ivr_act(s, IVR_ACT_BOX, r->target)->box = &r->box;
}

static void ivr_box_number(struct ivr_run *r, size_t variable, unsigned value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    (void)ivr_vars_set(&r->vars, ivr_box_variables[variable], text, false);
}

int ivr_box_answered(struct ivr_steps *s, const struct ivr_event *ev)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    const struct ivr_box *b = ev->box;
    bool next = n->mailbox.what == IVR_BOX_NEXT, none = next && !b->message[0];
    ivr_box_number(r, 0, b->fresh);
    ivr_box_number(r, 1, b->heard);
    if (next || n->mailbox.what == IVR_BOX_LOOK) {
        /* his place stays when there is nothing behind it: a message that comes meanwhile is the next one */
        const char *const is[] = {b->message, b->place, b->caller, b->number, b->time};
        for (size_t i = 0; !none && i < sizeof is / sizeof *is; i++)
            (void)ivr_vars_set(&r->vars, ivr_box_variables[2 + i], is[i], false);
    }
    return none ? n->on_fail : n->next;
}

int ivr_enter_listen(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_settle(s, IVR_PLAYING);
    ivr_replay(s, n->mailbox.message, n->barge_in);
    return IVR_NONE;
}

void ivr_replay(struct ivr_steps *s, const char *message, bool barge_in)
{
    struct ivr_run *r = s->run;
    ivr_box_fill(r, message, r->target, sizeof r->target);
    ivr_act(s, IVR_ACT_REPLAY, r->target)->barge_in = barge_in;
}
