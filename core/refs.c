#include "core/refs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "core/action.h"

/* ---- the table: fields in the order in which they are looked at. A field that holds messages leads to the rows of those. */

static const struct row {
    const char *message, *field;
    enum cfg_kind kind; /* CFG_NONE: messages */
    uint32_t level;
    bool loose, once;
    const char *words; /* that are no names there, between spaces */
} rows[] = {
    {"Agent", "extension", CFG_EXTENSION, .level = 1},
    {"Agent", "group", CFG_AGENT_GROUP, .level = 4, .loose = true},
    {"Agent", "manages_groups", CFG_AGENT_GROUP, .level = 4, .loose = true},
    {"Agent", "manages_queues", CFG_QUEUE, .level = 4},
    {"Agent", "outbound_trunk", CFG_TRUNK, .level = 4},
    {"AgentGroup", "outbound_trunk", CFG_TRUNK, .level = 4},
    {"Queue", "members", .kind = CFG_NONE},
    {"QueueMember", "agent", CFG_AGENT, .level = 1, .once = true},
    {"Queue", "overflow", .kind = CFG_NONE},
    {"QueueOverflow", "queue", CFG_QUEUE, .level = 1},
    {"Queue", "callback_trunk", CFG_TRUNK, .level = 1},
    {"Queue", "vip_lookup", CFG_LOOKUP, .level = 1},
    {"Queue", "music", CFG_PROMPT, .level = 4, .loose = true, .words = " silence "},
    {"Queue", "welcome", CFG_PROMPT, .level = 4, .loose = true},
    {"Queue", "announce", CFG_PROMPT, .level = 4, .loose = true, .words = " position wait "},
    {"Queue", "rating_flow", CFG_FLOW, .level = 4},
    {"Queue", "voicemail_greeting", CFG_PROMPT, .level = 4, .loose = true},
    {"Lookup", "headers", .kind = CFG_NONE},
    {"LookupHeader", "secret", CFG_SECRET, .level = 1},
    {"Trunk", "secret", CFG_SECRET, .level = 1},
    {"AccessNumber", "flow", CFG_FLOW, .level = 1},
    {"AccessNumber", "queue", CFG_QUEUE, .level = 1},
    {"AccessNumber", "extension", CFG_EXTENSION, .level = 1},
    {"AccessNumber", "agent", CFG_AGENT, .level = 1},
    {"AccessNumber", "dedicated_agent", CFG_AGENT, .level = 1},
    {"AccessNumber", "schedule", .kind = CFG_NONE},
    {"ScheduleEntry", "time_group", CFG_TIME_GROUP, .level = 1},
    {"ScheduleEntry", "flow", CFG_FLOW, .level = 1},
    {"ScheduleEntry", "queue", CFG_QUEUE, .level = 1},
    {"ScheduleEntry", "extension", CFG_EXTENSION, .level = 1},
    {"ScheduleEntry", "agent", CFG_AGENT, .level = 1},
    {"VipEntry", "entry", CFG_QUEUE, .level = 1}, /* the part behind the @ */
    {"TimeGroup", "holidays", CFG_HOLIDAY_LIST, .level = 1},
    {"Parameter", "value", CFG_TRUNK, .level = 4},  /* of outbound_trunk alone */
    {"Parameter", "value", CFG_SECRET, .level = 4}, /* of smtp_secret alone */
    {"Forward", "agent", CFG_AGENT, .level = 4},
    {"Forward", "extension", CFG_EXTENSION, .level = 4},
    {"Forward", "time_group", CFG_TIME_GROUP, .level = 4},
    {"RecordingRule", "queue", CFG_QUEUE, .level = 4},
    {"RecordingRule", "agent", CFG_AGENT, .level = 4},
    {"RecordingRule", "agent_group", CFG_AGENT_GROUP, .level = 4, .loose = true},
    {"RecordingRule", "access_number", CFG_ACCESS_NUMBER, .level = 4},
    {"Mailbox", "greeting", CFG_PROMPT, .level = 4, .loose = true},
    {"Mailbox", "agents", CFG_AGENT, .level = 4},
    {"Mailbox", "hook_secret", CFG_SECRET, .level = 4},
    {"Area", "parent", CFG_AREA, .level = 4},
    {"Notice", "areas", CFG_AREA, .level = 4},
    {"Notice", "prompt", CFG_PROMPT, .level = 4, .loose = true},
    {"Notice", "short_prompt", CFG_PROMPT, .level = 4, .loose = true},
    {"Token", "agent", CFG_AGENT, .level = 4},
};
#define ROWS (sizeof rows / sizeof rows[0])

bool refs_is_row(const char *message, const char *field)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].message, message) == 0 && strcmp(rows[i].field, field) == 0)
            return true;
    return false;
}

/* ---- walking an object */

struct walk {
    ref_fn *fn;
    void *ctx;
};

static int tell(const struct walk *w, const struct row *row, const char *name, const char *path)
{
    char word[80];
    (void)snprintf(word, sizeof word, " %.70s ", name);
    if (!name[0] || (row->words && strstr(row->words, word)))
        return 0;
    return w->fn(w->ctx, &(struct ref){row->kind, name, path, row->level, row->loose, row->once});
}

/* What the text of the field names; "": nothing. */
static const char *named(const struct row *row, const ProtobufCMessage *m, const char *text, char room[NUMBER_MAX])
{
    const char *parameter = row->kind == CFG_SECRET ? "smtp_secret" : "outbound_trunk";
    if (m->descriptor == &ev__vip_entry__descriptor)
        return config_vip_queue(text, room);
    if (m->descriptor == &ev__parameter__descriptor)
        return strcmp(((const Ev__Parameter *)(const void *)m)->name, parameter) == 0 ? text : "";
    return text;
}

static int walk_message(const struct walk *w, const ProtobufCMessage *m, const char *path);

static int walk_value(const struct walk *w, const struct row *row, const ProtobufCMessage *m,
                      const ProtobufCFieldDescriptor *f, const void *at, const char *path)
{
    char room[NUMBER_MAX];
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return walk_message(w, *(ProtobufCMessage *const *)at, path);
    return tell(w, row, named(row, m, *(char *const *)at, room), path);
}

static int walk_row(const struct walk *w, const struct row *row, const ProtobufCMessage *m, const char *path)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, row->field);
    const char *at = (const char *)m + f->offset, *dot = path[0] ? "." : "";
    char inner[ERR_INFO_FIELD_MAX];
    if (f->label != PROTOBUF_C_LABEL_REPEATED) {
        (void)snprintf(inner, sizeof inner, "%.80s%s%s", path, dot, f->name);
        return walk_value(w, row, m, f, at, inner);
    }
    size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
    int err = 0;
    for (size_t i = 0; i < n && !err; i++) {
        (void)snprintf(inner, sizeof inner, "%.60s%s%s[%zu]", path, dot, f->name, i);
        err = walk_value(w, row, m, f, (*(void *const *const *)(const void *)at) + i, inner);
    }
    return err;
}

static int walk_message(const struct walk *w, const ProtobufCMessage *m, const char *path)
{
    int err = 0;
    for (size_t i = 0; i < ROWS && !err; i++)
        if (strcmp(rows[i].message, m->descriptor->short_name) == 0)
            err = walk_row(w, &rows[i], m, path);
    return err;
}

static int walk_action(void *ctx, const Ev__Action *a, const char *path)
{
    static const struct row prompt = {"Action", "prompts", CFG_PROMPT, .level = 4, .loose = true};
    const struct action_type *t = action_type(a->type);
    const struct row target = {"Action", "target", t ? t->refers : CFG_NONE, .level = 1};
    char field[ERR_INFO_FIELD_MAX];
    (void)snprintf(field, sizeof field, "%.100s.target", path);
    int err = target.kind ? tell(ctx, &target, a->target, field) : 0;
    for (size_t i = 0; i < a->n_prompts && !err; i++) {
        (void)snprintf(field, sizeof field, "%.90s.prompts[%zu]", path, i);
        err = tell(ctx, &prompt, a->prompts[i], field);
    }
    return err;
}

int refs_each(enum cfg_kind of, const ProtobufCMessage *m, ref_fn *fn, void *ctx)
{
    struct walk w = {fn, ctx};
    if (of == CFG_FLOW)
        return refs_flow_each(((const Ev__Flow *)(const void *)m)->definition, false, fn, ctx);
    if (of == CFG_FLOW_DRAFT)
        return refs_flow_each(((const Ev__FlowDraft *)(const void *)m)->definition, true, fn, ctx);
    int err = walk_message(&w, m, "");
    return err ? err : action_each(m, walk_action, &w);
}

static uint32_t targets_of(const ProtobufCMessageDescriptor *d)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].message, d->short_name) == 0 && rows[i].kind)
            bits |= 1u << rows[i].kind;
    for (unsigned i = 0; i < d->n_fields; i++)
        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            bits |= targets_of(d->fields[i].descriptor);
    if (d == &ev__action__descriptor)
        bits |= 1u << CFG_FLOW | 1u << CFG_QUEUE | 1u << CFG_AGENT | 1u << CFG_EXTENSION | 1u << CFG_PROMPT;
    return bits;
}

uint32_t refs_targets(enum cfg_kind of)
{
    if (of == CFG_FLOW || of == CFG_FLOW_DRAFT)
        return UINT32_MAX;
    uint32_t bits = targets_of(config_descriptor(of));
    return bits & 1u << CFG_FLOW ? bits | 1u << CFG_FLOW_DRAFT : bits; /* NAME@draft */
}

/* ---- kept */

struct kept {
    struct ref ref;
    char text[]; /* name, path */
};
struct refs {
    struct kept **v;
    size_t n, cap;
};

static int keep_one(void *ctx, const struct ref *r)
{
    struct refs *k = ctx;
    size_t name = strlen(r->name) + 1, path = strlen(r->path) + 1;
    if (k->n == k->cap) {
        size_t cap = k->cap * 2 + 8;
        struct kept **v = realloc(k->v, cap * sizeof(struct kept *));
        if (!v)
            return ERR_NOMEM;
        k->v = v;
        k->cap = cap;
    }
    struct kept *one = malloc(sizeof *one + name + path);
    if (!one)
        return ERR_NOMEM;
    one->ref = *r;
    one->ref.name = memcpy(one->text, r->name, name);
    one->ref.path = memcpy(one->text + name, r->path, path);
    k->v[k->n++] = one;
    return 0;
}

int refs_keep(enum cfg_kind of, const ProtobufCMessage *m, struct refs **out)
{
    struct refs *k = calloc(1, sizeof *k);
    int err = k ? refs_each(of, m, keep_one, k) : ERR_NOMEM;
    if (err) {
        refs_free(k);
        return err;
    }
    *out = k;
    return 0;
}

int refs_kept_each(const struct refs *kept, ref_fn *fn, void *ctx)
{
    int err = 0;
    for (size_t i = 0; i < kept->n && !err; i++)
        err = fn(ctx, &kept->v[i]->ref);
    return err;
}

void refs_free(struct refs *kept)
{
    for (size_t i = 0; kept && i < kept->n; i++)
        free(kept->v[i]);
    if (kept)
        free(kept->v);
    free(kept);
}

/* ---- who names what goes */

struct user {
    enum cfg_kind kind;
    const char *name;
};
struct used {
    struct used *next;
    size_t n;
    struct user first[REFS_NAMED], latest;
};
struct refs_users {
    struct refs_after after;
    struct map goes[CFG_KINDS]; /* name -> struct used */
    struct used *all;
    uint32_t kinds; /* of what goes, as bits */
};

bool refs_there(const struct refs_after *after, const struct ref *r)
{
    char flow[64];
    if (r->kind == CFG_FLOW && config_draft_of(r->name, flow))
        return after->there(after->ctx, CFG_FLOW_DRAFT, flow) || after->there(after->ctx, CFG_FLOW, flow);
    return after->there(after->ctx, r->kind, r->name);
}

int refs_users_new(const struct refs_after *after, struct refs_users **out)
{
    struct refs_users *u = calloc(1, sizeof *u);
    if (!u)
        return ERR_NOMEM;
    u->after = *after;
    for (int i = 0; i < CFG_KINDS; i++)
        map_init(&u->goes[i]);
    *out = u;
    return 0;
}

void refs_users_free(struct refs_users *u)
{
    if (!u)
        return;
    for (int i = 0; i < CFG_KINDS; i++)
        map_free(&u->goes[i]);
    for (struct used *next; u->all; u->all = next) {
        next = u->all->next;
        free(u->all);
    }
    free(u);
}

int refs_users_goes(struct refs_users *u, enum cfg_kind kind, const char *name)
{
    struct used *d = calloc(1, sizeof *d);
    if (!d || map_set(&u->goes[kind], name, d) != 0) {
        free(d);
        return ERR_NOMEM;
    }
    d->next = u->all;
    u->all = d;
    u->kinds |= 1u << kind;
    return 0;
}

bool refs_users_concerns(const struct refs_users *u, enum cfg_kind by_kind)
{
    return (u->kinds & refs_targets(by_kind)) != 0;
}

/* Who is named first. Refusals of before feature level 4 went by this order as well: it stays. */
static int rank(enum cfg_kind kind)
{
    static const enum cfg_kind order[] = {CFG_AGENT,      CFG_QUEUE, CFG_LOOKUP, CFG_ACCESS_NUMBER,
                                          CFG_TIME_GROUP, CFG_VIP,   CFG_TRUNK,  CFG_FLOW};
    for (int i = 0; i < (int)(sizeof order / sizeof order[0]); i++)
        if (order[i] == kind)
            return i - CFG_KINDS;
    return (int)kind;
}

static bool before(const struct user *a, const struct user *b)
{
    return a->kind != b->kind ? rank(a->kind) < rank(b->kind) : strcmp(a->name, b->name) < 0;
}

static void note(struct refs_users *u, enum cfg_kind kind, const char *name, const struct user *by)
{
    struct used *d = map_get(&u->goes[kind], name);
    if (!d || (d->n && d->latest.kind == by->kind && strcmp(d->latest.name, by->name) == 0))
        return;
    size_t at = d->n < REFS_NAMED ? d->n : REFS_NAMED;
    while (at > 0 && before(by, &d->first[at - 1])) {
        if (at < REFS_NAMED)
            d->first[at] = d->first[at - 1];
        at--;
    }
    if (at < REFS_NAMED)
        d->first[at] = *by;
    d->latest = *by;
    d->n++;
}

void refs_users_add(struct refs_users *u, enum cfg_kind by_kind, const char *by, const struct ref *r)
{
    const struct user user = {by_kind, by};
    char flow[64];
    if (refs_there(&u->after, r))
        return;
    if (r->kind == CFG_FLOW && config_draft_of(r->name, flow)) {
        note(u, CFG_FLOW, flow, &user);
        note(u, CFG_FLOW_DRAFT, flow, &user);
    } else {
        note(u, r->kind, r->name, &user);
    }
}

size_t refs_users_of(const struct refs_users *u, enum cfg_kind kind, const char *name, unsigned most,
                     char text[REFS_TEXT_MAX])
{
    const struct used *d = map_get(&u->goes[kind], name);
    if (!d || !d->n)
        return 0;
    size_t shown = d->n < most ? d->n : most;
    int at = snprintf(text, REFS_TEXT_MAX, "%s %.64s is in use by", config_kind_name(kind), name);
    for (size_t i = 0; i < shown; i++) /* three long names leave room for the count */
        at += snprintf(text + at, REFS_TEXT_MAX - (size_t)at, "%s %s %.*s", i ? "," : "",
                       config_kind_name(d->first[i].kind), shown == 1 ? 64 : 32, d->first[i].name);
    if (most > 1 && d->n > shown)
        (void)snprintf(text + at, REFS_TEXT_MAX - (size_t)at, " and %zu more", d->n - shown);
    return d->n;
}
