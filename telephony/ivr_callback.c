/* The node "callback": the caller is put on the list of those whom a queue calls back.
 *
 *   BUSY --DONE--> next: he is on it;  --FAILED--> refused: his number cannot be called, is on the blacklist, or the list is full
 *
 * `at` may come from the caller: one that is no time of day leads to `refused` without asking. */
#include <string.h>

#include "telephony/ivr_int.h"

#define IVR_CALLER "${caller}"

/* "18:30" or "1830": seconds after midnight, -1: no time of day. */
static int ivr_clock(const char *text)
{
    size_t len = strlen(text), head = len - 2;
    if ((len != 5 || text[2] != ':') && len != 4)
        return -1;
    if (strspn(text, "0123456789") < 2 || strspn(text + head, "0123456789") < 2)
        return -1;
    int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[head] - '0') * 10 + text[head + 1] - '0';
    return hour < 24 && minute < 60 ? (hour * 60 + minute) * 60 : -1;
}

static int ivr_parse_at(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    json_t *at = json_object_get(o, "at"), *group = json_object_get(o, "group");
    if (!at != !group)
        return ivr_refuse(p, n, at ? "group" : "at", "at and group (whose time zone it is in) go together");
    if (!at)
        return 0;
    int rc = ivr_parse_text(p, n, "at", at, false, &n->callback.at);
    if (!rc && !ivr_text_varies(n->callback.at) && ivr_clock(n->callback.at) < 0)
        return ivr_refuse(p, n, "at", "must be a time of day between quotes, as \"18:30\"");
    n->callback.group = json_string_value(group);
    return rc || ivr_name_ok(n->callback.group) ? rc : ivr_refuse(p, n, "group", "must name a time group");
}

int ivr_parse_callback(struct ivr_parser *p, struct ivr_node *n, json_t *o)
{
    int rc = ivr_parse_target_name(p, n, o, "queue");
    n->number = IVR_CALLER;
    if (!rc && json_object_get(o, "number"))
        rc = ivr_parse_number(p, n, o, "number", &n->number);
    if (!rc && json_object_get(o, "priority")) {
        rc = ivr_parse_uint(p, n, o, "priority", 0, 1000, &n->need.priority);
        n->need.has_priority = true;
    }
    if (!rc)
        rc = ivr_parse_at(p, n, o);
    if (!rc)
        rc = ivr_parse_needed_link(p, n, o, "next", &n->next);
    return rc ? rc : ivr_parse_needed_link(p, n, o, "refused", &n->on_fail);
}

static int ivr_at(struct ivr_run *r, const struct ivr_node *n)
{
    char text[IVR_VALUE_MAX];
    (void)ivr_text_fill(n->callback.at, IVR_TEXT_PLAIN, ivr_lookup, r, text, sizeof text);
    return ivr_clock(text);
}

int ivr_enter_callback(struct ivr_steps *s, const struct ivr_node *n)
{
    return n->callback.at && ivr_at(s->run, n) < 0 ? n->on_fail : ivr_enter_ask(s, n);
}

void ivr_ask_callback(struct ivr_steps *s, const struct ivr_node *n)
{
    struct ivr_run *r = s->run;
    (void)ivr_text_fill(n->number, IVR_TEXT_PLAIN, ivr_lookup, r, r->target, sizeof r->target);
    r->callback = (struct ivr_callback){.number = r->target,
                                        .has_priority = n->need.has_priority,
                                        .priority = n->need.priority,
                                        .at_s = n->callback.at ? ivr_at(r, n) : -1,
                                        .group = n->callback.group};
    ivr_act(s, IVR_ACT_CALLBACK, n->target)->callback = &r->callback;
}
