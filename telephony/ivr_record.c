/* Nodes that record what the caller says: "record" into a variable, "voicemail" into a box, with a greeting before and thanks after.
 *
 *   PLAYING (greeting) --PLAYED, key--> BUSY --RECORDED--> voicemail: PLAYING (thanks, or that it failed) --PLAYED--> next or the end
 *                                                          record: next, or on_fail
 * With `review` what was recorded is kept already, and the caller says what becomes of it:
 *   ... --RECORDED--> PLAYING (the choice) --PLAYED--> WAITING --1--> PLAYING (his message) --PLAYED, key--> the choice
 *                     --2, #, three times silent--> as above;  --3--> DISCARD, BUSY;  --*--> DISCARD, as if nothing had been said
 *
 * Which of its things a node says is kept where menus count failures (enum ivr_record_says), so that it is in the saved state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_int.h"

enum ivr_record_says {
    IVR_SAYS_GREETING,
    IVR_SAYS_THANKS,
    IVR_SAYS_FAILED,
    IVR_SAYS_DISCARDED,
    IVR_SAYS_REVIEW, /* the choice, and waits for a key; so often he has been silent: */
    IVR_SAYS_REVIEW_2,
    IVR_SAYS_REVIEW_3,
    IVR_SAYS_MESSAGE /* what was recorded */
};

#define IVR_RECORD_MAX_S 3600
#define IVR_REVIEW_MS 6000 /* after the choice */

static struct ivr_say ivr_failed_say = {.key = "voicemail_failed"}, ivr_review_say = {.key = "review_menu"},
                      ivr_discarded_say = {.key = "review_discarded"};
static const struct ivr_prompt_list ivr_failed_list = {1, &ivr_failed_say}, ivr_review_list = {1, &ivr_review_say},
                                    ivr_discarded_list = {1, &ivr_discarded_say}, ivr_no_list = {0, NULL};

bool ivr_records(const struct ivr_node *n)
{
    return n->type == IVR_NODE_RECORD || n->type == IVR_NODE_VOICEMAIL;
}

const struct ivr_prompt_list *ivr_prompts_of(const struct ivr_run *r)
{
    const struct ivr_node *n = ivr_present(r);
    if (!ivr_records(n))
        return &n->prompts;
    switch ((enum ivr_record_says)r->failures) {
    case IVR_SAYS_GREETING:
        return &n->prompts;
    case IVR_SAYS_THANKS:
        return &n->record.thanks;
    case IVR_SAYS_FAILED:
        return &ivr_failed_list;
    case IVR_SAYS_DISCARDED:
        return &ivr_discarded_list;
    case IVR_SAYS_REVIEW:
    case IVR_SAYS_REVIEW_2:
    case IVR_SAYS_REVIEW_3:
        return &ivr_review_list;
    case IVR_SAYS_MESSAGE:
        break;
    }
    return &ivr_no_list;
}

bool ivr_record_reviews(const struct ivr_run *r)
{
    return ivr_records(ivr_present(r)) && r->failures >= IVR_SAYS_REVIEW;
}

/* Whether the node ever says that. */
static bool ivr_record_may_say(const struct ivr_node *n, unsigned what)
{
    if (what == IVR_SAYS_GREETING)
        return true;
    if (what <= IVR_SAYS_FAILED)
        return n->type == IVR_NODE_VOICEMAIL;
    return n->record.review && what <= IVR_SAYS_MESSAGE &&
           (what != IVR_SAYS_DISCARDED || n->type == IVR_NODE_VOICEMAIL);
}

bool ivr_record_state_ok(const struct ivr_run *r)
{
    if (!ivr_record_may_say(ivr_present(r), r->failures))
        return false;
    if (r->phase == IVR_PLAYING)
        return r->failures == IVR_SAYS_MESSAGE || ivr_prompts_of(r)->n > 0;
    if (r->phase == IVR_WAITING)
        return ivr_record_reviews(r) && r->failures != IVR_SAYS_MESSAGE;
    return r->phase != IVR_BUSY || r->failures == IVR_SAYS_GREETING;
}

/* ---- parsing */

static int ivr_default_prompt(struct ivr_prompt_list *list, const char *key)
{
    list->at = calloc(1, sizeof *list->at);
    if (!list->at)
        return ERR_NOMEM;
    list->at[0].key = key;
    list->n = 1;
    return 0;
}

static int ivr_parse_terminator(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    json_t *end = json_object_get(o, "terminator");
    const char *key = end ? json_string_value(end) : "#";
    if (!key ||
        (strcmp(key, "none") != 0 && strcmp(key, "any") != 0 && (strlen(key) != 1 || !strchr("0123456789*#", key[0]))))
        return ivr_refuse(p, n, "terminator", "must be one of 0-9 * #, any, or none");
    n->record.how.terminator = key[1] == '\0' ? key[0] : strcmp(key, "any") == 0 ? IVR_KEY_ANY : '\0';
    return 0;
}

static int ivr_parse_recording(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    struct ivr_record *how = &n->record.how;
    how->silence_s = 10;
    how->min_s = 1;
    how->beep = true;
    int rc = ivr_parse_uint(p, n, o, "max_s", 1, IVR_RECORD_MAX_S, &how->max_s);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "silence_s", 0, 60, &how->silence_s);
    if (!rc)
        rc = ivr_parse_uint(p, n, o, "min_s", 0, 60, &how->min_s);
    if (!rc)
        rc = ivr_parse_bool(p, n, o, "beep", &how->beep);
    if (!rc)
        rc = ivr_parse_bool(p, n, o, "review", &n->record.review);
    n->timeout_ms = IVR_REVIEW_MS;
    if (!rc)
        rc = ivr_parse_terminator(p, n, o);
    json_t *box = json_object_get(o, "box");
    if (!rc && box && ivr_text_varies(json_string_value(box) ? json_string_value(box) : ""))
        return ivr_parse_text(p, n, "box", box, false, &n->record.box);
    n->record.box = box ? json_string_value(box) : NULL;
    if (!rc && box && !ivr_name_ok(n->record.box))
        return ivr_refuse(p, n, "box", "must name a box: a queue, an agent, or any name");
    return rc;
}

int ivr_parse_record(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    n->record.variable = json_string_value(json_object_get(o, "variable"));
    int rc = ivr_parse_variable(p, n, "variable", n->record.variable);
    if (!rc)
        rc = ivr_parse_recording(p, n, o);
    if (!rc && !n->record.box)
        n->record.box = "record";
    return rc ? rc : ivr_parse_needed_link(p, n, o, "next", &n->next);
}

int ivr_parse_voicemail(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    n->record.how.voicemail = true;
    int rc = ivr_parse_recording(p, n, o);
    if (!rc && !n->record.box)
        return ivr_refuse(p, n, "box", "must name the box that the message goes to");
    if (!rc)
        rc = ivr_parse_prompts(p, n, o, "thanks", &n->record.thanks);
    if (!rc)
        rc = ivr_parse_some_text(p, n, o, "greeting", &n->record.greeting);
    if (!rc && !json_object_get(o, "prompts"))
        rc = ivr_default_prompt(&n->prompts, "voicemail_greeting");
    if (!rc && !json_object_get(o, "thanks"))
        rc = ivr_default_prompt(&n->record.thanks, "voicemail_thanks");
    return rc;
}

/* ---- running */

void ivr_ask_record(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    r->record = n->record.how;
    (void)ivr_text_fill(n->record.box, IVR_TEXT_PLAIN, ivr_lookup, r, r->target, sizeof r->target);
    ivr_act(s, IVR_ACT_RECORD, r->target)->record = &r->record;
}

/* In his own words. */
static int ivr_record_greets(struct ivr_steps *s, const struct ivr_node *n)
{
    ivr_settle(s, IVR_PLAYING);
    ivr_replay(s, n->record.greeting, n->barge_in);
    return IVR_NONE;
}

int ivr_enter_record(struct ivr_steps *s, const struct ivr_node *n)
{
    if (n->record.greeting)
        return ivr_record_greets(s, n);
    return n->prompts.n ? ivr_enter_play(s, n) : ivr_enter_ask(s, n);
}

static int ivr_record_says(struct ivr_steps *s, enum ivr_record_says what);

/* What there was to say is said. */
int ivr_record_played(struct ivr_steps *s)
{
    const struct ivr_node *n = ivr_present(s->run);
    if (s->run->failures == IVR_SAYS_GREETING)
        return ivr_enter_ask(s, n);
    if (s->run->failures == IVR_SAYS_MESSAGE)
        return ivr_record_says(s, IVR_SAYS_REVIEW);
    if (ivr_record_reviews(s->run)) {
        s->run->phase = IVR_WAITING;
        ivr_act_timer(s, n->timeout_ms);
        return IVR_NONE;
    }
    if (s->run->failures == IVR_SAYS_FAILED || n->next == IVR_NONE) {
        ivr_end(s);
        return IVR_NONE;
    }
    return n->next;
}

static int ivr_record_says(struct ivr_steps *s, enum ivr_record_says what)
{
    s->run->failures = what;
    if (what == IVR_SAYS_GREETING && ivr_present(s->run)->record.greeting)
        return ivr_record_greets(s, ivr_present(s->run));
    if (what == IVR_SAYS_MESSAGE) {
        ivr_settle(s, IVR_PLAYING);
        ivr_act(s, IVR_ACT_REPLAY, NULL)->barge_in = true;
        return IVR_NONE;
    }
    if (ivr_prompts_of(s->run)->n == 0)
        return ivr_record_played(s);
    ivr_play(s, NULL);
    return IVR_NONE;
}

void ivr_record_again(struct ivr_steps *s)
{
    (void)ivr_record_says(s, (enum ivr_record_says)s->run->failures);
}

/* ---- review */

static int ivr_record_keep(struct ivr_steps *s)
{
    const struct ivr_node *n = ivr_present(s->run);
    return n->type == IVR_NODE_RECORD ? n->next : ivr_record_says(s, IVR_SAYS_THANKS);
}

static int ivr_record_discard(struct ivr_steps *s)
{
    const struct ivr_node *n = ivr_present(s->run);
    ivr_act(s, IVR_ACT_DISCARD, NULL);
    if (n->type == IVR_NODE_VOICEMAIL)
        return ivr_record_says(s, IVR_SAYS_DISCARDED);
    (void)ivr_vars_set(&s->run->vars, n->record.variable, "", false);
    return n->on_fail == IVR_NONE ? n->next : n->on_fail;
}

int ivr_record_key(struct ivr_steps *s, char key)
{
    struct ivr_run *r = s->run;
    if (!ivr_record_reviews(r))
        return ivr_record_played(s);
    switch (key) {
    case '1':
        return ivr_record_says(s, IVR_SAYS_MESSAGE);
    case '2':
    case '#':
        return ivr_record_keep(s);
    case '3':
        ivr_act(s, IVR_ACT_DISCARD, NULL);
        r->failures = IVR_SAYS_GREETING;
        return ivr_enter_ask(s, ivr_present(r));
    case '*':
        return ivr_record_discard(s);
    default:
        return ivr_record_says(s, IVR_SAYS_REVIEW);
    }
}

int ivr_record_silent(struct ivr_steps *s)
{
    unsigned says = s->run->failures;
    return says == IVR_SAYS_REVIEW_3 ? ivr_record_keep(s) : ivr_record_says(s, (enum ivr_record_says)(says + 1));
}

const char *ivr_record_left_by(const struct ivr_run *r, char key)
{
    if (!ivr_record_reviews(r))
        return "skipped";
    return key == '*' ? "discarded" : key == '2' || key == '#' ? "kept" : "";
}

int ivr_recorded(struct ivr_steps *s, const struct ivr_event *ev)
{
    const struct ivr_node *n = ivr_present(s->run);
    bool kept = ev->status == IVR_RECORDED_KEPT, failed = ev->status == IVR_RECORDED_FAILED;
    if (n->type == IVR_NODE_RECORD)
        (void)ivr_vars_set(&s->run->vars, n->record.variable, kept && ev->body ? ev->body : "", false);
    if (kept && n->record.review)
        return ivr_record_says(s, IVR_SAYS_REVIEW);
    if (n->type == IVR_NODE_RECORD)
        return kept || n->on_fail == IVR_NONE ? n->next : n->on_fail;
    if (failed && n->on_fail == IVR_NONE)
        return ivr_record_says(s, IVR_SAYS_FAILED);
    if (failed)
        return n->on_fail;
    if (kept)
        return ivr_record_says(s, IVR_SAYS_THANKS);
    s->run->failures = IVR_SAYS_THANKS; /* nothing was said: nothing to thank for */
    return ivr_record_played(s);
}
