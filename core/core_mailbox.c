/* Boxes for messages: what is set of them, whose they are, and the two flows that the program makes for each.
 *
 *   voicemail:BOX   of who leaves a message: greeting, tone, recording, thanks
 *   mailbox:BOX     of who listens: how many there are, each with its time and number, what becomes of it, his greeting
 *
 * A flow changes with what it is made of, and has another version then: that of the youngest setting, mixed with the greeting that was
 * recorded by telephone. That one is a message too, in a box of its own (CORE_BOX_GREETING and the box), of which the latest is kept. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

const Ev__Mailbox *core_mailbox(const struct core *c, const char *box)
{
    const struct cfg *o = core_cfg(c, CFG_MAILBOX, box);
    return o ? (const Ev__Mailbox *)(const void *)o->msg : NULL;
}

/* ---- whose they are */

/* Whether it is a box of this agent's besides his own. */
static bool shares(const Ev__Mailbox *m, const char *agent)
{
    for (size_t i = 0; i < m->n_agents; i++)
        if (strcmp(m->agents[i], agent) == 0)
            return true;
    return false;
}

static const char *agent_at(const struct core *c, const char *extension)
{
    const struct core_agent *there = core_agent_at_extension(c, extension);
    const Ev__Agent *bound = there ? NULL : core_agent_bound_to(c, extension);
    return there ? there->number : bound ? bound->number : NULL;
}

const char *core_box_of(const struct core *c, const char *extension)
{
    const Ev__Extension *x = core_extension(c, extension);
    const char *agent = x && x->mailbox[0] ? x->mailbox : agent_at(c, extension);
    return agent ? agent : extension;
}

void core_boxes_each(const struct core *c, const char *extension, void (*fn)(void *ctx, const char *box), void *ctx)
{
    const char *own = core_box_of(c, extension), *agent = agent_at(c, extension);
    const struct map_slot *slot;
    fn(ctx, own);
    for (size_t it = 0; agent && map_next(&c->cfg[CFG_MAILBOX], &it, &slot);) {
        const Ev__Mailbox *m = (const Ev__Mailbox *)(const void *)((const struct cfg *)slot->value)->msg;
        if (strcmp(m->name, own) != 0 && shares(m, agent))
            fn(ctx, m->name);
    }
}

/* ---- what is in them */

static int numbers_row(void *ctx, const struct storage_row *row)
{
    uint32_t *n = ctx;
    n[0] = (uint32_t)storage_row_int(row, 0);
    n[1] = (uint32_t)storage_row_int(row, 1);
    return 1;
}

void core_box_counts(const struct core *c, const char *box, uint32_t *fresh, uint32_t *heard)
{
    const struct storage_val v = storage_text(box);
    uint32_t n[2] = {0, 0};
    if (storage_query(c->st, STORAGE_MESSAGE_HEARDS, &v, 1, numbers_row, n) != 1)
        n[0] = n[1] = 0;
    *fresh = n[0];
    *heard = n[1];
}

static int next_row(void *ctx, const struct storage_row *row)
{
    struct core_box_message *m = ctx;
    m->place = storage_row_int(row, 0);
    m->id = storage_row_int(row, 1);
    m->started_us = m->place + storage_row_int(row, 3) * 1000u;
    (void)snprintf(m->caller, sizeof m->caller, "%s", storage_row_text(row, 2));
    return 1;
}

bool core_box_next(const struct core *c, const char *box, bool heard, uint64_t place, struct core_box_message *out)
{
    const struct storage_val v[] = {storage_text(box), storage_int(heard ? 1u : 0u), storage_int(place)};
    memset(out, 0, sizeof *out);
    return storage_query(c->st, STORAGE_MESSAGE_NEXT, v, 3, next_row, out) == 1;
}

bool core_box_is_greeting(const char *box)
{
    return strncmp(box, CORE_BOX_GREETING, sizeof CORE_BOX_GREETING - 1) == 0;
}

uint64_t core_box_latest(const struct core *c, const char *box)
{
    const struct storage_val v = storage_text(box);
    uint64_t id = 0;
    return storage_query(c->st, STORAGE_MESSAGE_LATEST, &v, 1, core_row_number, &id) == 1 ? id : 0;
}

static uint64_t greeting_of(const struct core *c, const char *box)
{
    char at[sizeof CORE_BOX_GREETING + CORE_NAME_MAX];
    (void)snprintf(at, sizeof at, CORE_BOX_GREETING "%s", box);
    return core_box_latest(c, at);
}

/* ---- the flows */

static const char *behind(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 ? name + n : NULL;
}

static const char *box_of_flow(const char *flow, bool *listens)
{
    const char *box = behind(flow, CORE_FLOW_MAILBOX);
    *listens = box != NULL;
    return box ? box : behind(flow, CORE_FLOW_VOICEMAIL);
}

bool core_mailbox_flow(const char *flow)
{
    bool listens;
    return box_of_flow(flow, &listens) != NULL;
}

uint64_t core_mailbox_flow_version(const struct core *c, const char *flow)
{
    bool listens;
    const char *box = box_of_flow(flow, &listens);
    const struct cfg *const of[] = {core_cfg(c, CFG_MAILBOX, box), core_cfg(c, CFG_QUEUE, box),
                                    core_cfg(c, CFG_PARAMETER, "language")};
    uint64_t version = 0;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        if (of[i] && of[i]->version > version)
            version = of[i]->version;
    version ^= listens ? 0 : greeting_of(c, box);
    return version ? version : 1;
}

/* The box's language first: of who has not chosen one. */
static json_t *languages(const struct core *c, const char *box)
{
    const Ev__Mailbox *m = core_mailbox(c, box);
    const char *first = m && m->language[0] ? m->language : core_parameter(c, "language", "zh");
    bool en = strcmp(first, "en") == 0;
    return json_pack("[s, s]", en ? "en" : "zh", en ? "zh" : "en");
}

static const char *prompt_of(const struct core *c, const char *box)
{
    const Ev__Mailbox *m = core_mailbox(c, box);
    const Ev__Queue *q = core_queue_config(c, box);
    return m && m->greeting[0] ? m->greeting : q ? q->voicemail_greeting : "";
}

static json_t *leaves(const struct core *c, const char *box)
{
    const char *prompt = prompt_of(c, box);
    uint64_t recorded = greeting_of(c, box);
    char id[17];
    json_t *node = json_pack("{s:s, s:s}", "type", "voicemail", "box", box);
    int rc = node ? 0 : -1;
    core_id_text(recorded, id);
    if (!rc && recorded)
        rc = json_object_set_new(node, "greeting", json_string(id));
    else if (!rc && prompt[0])
        rc = json_object_set_new(node, "prompts", json_pack("[s]", prompt));
    json_t *flow = rc ? NULL
                      : json_pack("{s:s, s:o, s:s, s:{s:O}}", "name", "voicemail", "languages", languages(c, box),
                                  "start", "leave", "nodes", "leave", node);
    json_decref(node);
    return flow;
}

/* BOX stands for the box's name, which has nothing in it that JSON would take for something else. */
static const char listening[] =
    "{'look':{'type':'mailbox','box':'BOX','do':'look','next':'top','none':'bye'},"
    "'top':{'type':'menu','prompts':['mailbox_new',{'number':'${new_messages}'},'mailbox_old',"
    "{'number':'${old_messages}'},'mailbox_menu'],'timeout_s':8,'keys':{'1':'fresh','2':'old','3':'own','*':'bye'},"
    "'on_fail':'bye'},"
    "'fresh':{'type':'set','set':{'which':'new'},'next':'next'},"
    "'old':{'type':'set','set':{'which':'old'},'next':'next'},"
    "'next':{'type':'mailbox','box':'BOX','do':'next','which':'${which}','next':'who','none':'none'},"
    "'none':{'type':'play','prompts':['mailbox_none'],'next':'look'},"
    "'who':{'type':'branch','cases':[{'if':'message_number == \\\"\\\"','next':'when'}],'else':'tell'},"
    "'tell':{'type':'play','prompts':['mailbox_message',{'datetime':'${message_time}'},'mailbox_from',"
    "{'digits':'${message_number}'}],'next':'mark'},"
    "'when':{'type':'play','prompts':['mailbox_message',{'datetime':'${message_time}'}],'next':'mark'},"
    "'mark':{'type':'mailbox','box':'BOX','do':'heard','next':'listen','none':'next'},"
    "'listen':{'type':'listen','next':'choice'},"
    "'choice':{'type':'menu','prompts':['mailbox_choice'],'timeout_s':8,'keys':{'1':'listen','2':'next','3':'delete',"
    "'4':'keep','5':'call','*':'look'},'on_fail':'bye'},"
    "'delete':{'type':'mailbox','box':'BOX','do':'delete','next':'deleted','none':'choice'},"
    "'deleted':{'type':'play','prompts':['mailbox_deleted'],'next':'next'},"
    "'keep':{'type':'mailbox','box':'BOX','do':'new','next':'kept','none':'next'},"
    "'kept':{'type':'play','prompts':['mailbox_kept'],'next':'next'},"
    "'call':{'type':'mailbox','box':'BOX','do':'call','next':'choice','none':'uncalled'},"
    "'uncalled':{'type':'play','prompts':['mailbox_uncalled'],'next':'choice'},"
    "'own':{'type':'set','set':{'greeting_box':'" CORE_BOX_GREETING "BOX'},'next':'record'},"
    "'record':{'type':'record','variable':'greeting','box':'${greeting_box}','prompts':['mailbox_greet'],'max_s':60,"
    "'silence_s':5,'next':'saved','on_fail':'look'},"
    "'saved':{'type':'play','prompts':['mailbox_saved'],'next':'look'},"
    "'bye':{'type':'hangup','prompts':['mailbox_bye']}}";

static json_t *listens_to(const struct core *c, const char *box)
{
    struct sbuf text = {0};
    for (const char *p = listening; *p;) {
        char one[2] = {*p == '\'' ? '"' : *p, '\0'};
        bool here = strncmp(p, "BOX", 3) == 0;
        sbuf_puts(&text, here ? box : one);
        p += here ? 3 : 1;
    }
    json_t *nodes = json_loads(text.p, 0, NULL);
    json_t *flow = nodes ? json_pack("{s:s, s:o, s:s, s:O}", "name", "mailbox", "languages", languages(c, box), "start",
                                     "look", "nodes", nodes)
                         : NULL;
    json_decref(nodes);
    sbuf_free(&text);
    return flow;
}

int core_mailbox_flow_definition(const struct core *c, const char *flow, char **out)
{
    bool listens;
    const char *box = box_of_flow(flow, &listens);
    json_t *made = listens ? listens_to(c, box) : leaves(c, box);
    char *text = made ? json_dumps(made, JSON_COMPACT) : NULL;
    json_decref(made);
    if (!text)
        return ERR_NOMEM;
    *out = text;
    return 0;
}
