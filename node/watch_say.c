/* What a subscription is told: the state of the moment, as a document. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/ident.h"
#include "node/watch_int.h"
#include "telephony/replaces.h"

static uint64_t hash_of(const void *p, size_t n, uint64_t h)
{
    for (const uint8_t *b = p; n > 0; n--)
        h = (h ^ *b++) * UINT64_C(1099511628211);
    return h ? h : 1;
}

#define HASH_BEGIN UINT64_C(14695981039346656037)

/* ---- dialog */

/* What a ringing telephone's dialog is called to the outside: there may be several INVITEs (its registrations), and who picks it up by
 * Replaces comes to us with it. The tag is a secret's, so that nobody can make one up. */
static void ringing_names(const struct node *n, uint64_t call_id, uint64_t offer_id, struct watch_dialog *d)
{
    uint8_t nonce[32], key[32];
    char cluster[33], call[17], offer[17];
    struct ident_dialog ids;
    if (!core_secrets(n->core, nonce, key, cluster))
        return;
    ident_dialog(key, call_id, offer_id, UINT32_MAX, &ids);
    snprintf(d->call_id, sizeof d->call_id, "%s-%s", ident_text(call_id, call), ident_text(offer_id, offer));
    snprintf(d->remote_tag, sizeof d->remote_tag, "%s", ids.tag);
    snprintf(d->local_tag, sizeof d->local_tag, "%.14s", ids.call_id);
}

/* Some telephones mean the tags as the one sees them who rings, others as the one whom he rings: both are taken. */
bool watch_ringing_named(const struct node *n, const struct sip_replaces *r, uint64_t *call_id, uint64_t *offer_id)
{
    struct watch_dialog d = {.call_id = ""};
    char call[17];
    snprintf(call, sizeof call, "%s", r->call_id);
    if (strlen(r->call_id) != 33 || ident_parse(call, call_id) != 0 || ident_parse(r->call_id + 17, offer_id) != 0)
        return false;
    ringing_names(n, *call_id, *offer_id, &d);
    if (!d.call_id[0] || strcmp(d.call_id, r->call_id) != 0)
        return false;
    return (strcmp(d.remote_tag, r->to_tag) == 0 && strcmp(d.local_tag, r->from_tag) == 0) ||
           (strcmp(d.remote_tag, r->from_tag) == 0 && strcmp(d.local_tag, r->to_tag) == 0);
}

static void dialog_names(const Ev__Dialog *from, struct watch_dialog *d)
{
    if (!from)
        return;
    snprintf(d->call_id, sizeof d->call_id, "%s", from->call_id);
    snprintf(d->local_tag, sizeof d->local_tag, "%s", from->remote_tag);
    snprintf(d->remote_tag, sizeof d->remote_tag, "%s", from->local_tag);
}

static const struct core_offer *offer_to(const struct core_call *k, const char *extension)
{
    for (unsigned i = 0; !k->out_trunk[0] && i < k->n_offers; i++)
        if (strcmp(k->offers[i].extension, extension) == 0)
            return &k->offers[i];
    return NULL;
}

/* Whom it called, or has been joined with. */
static void other_of_caller(const struct core_call *k, struct watch_dialog *d)
{
    const struct core_leg *b = k->n_legs > 1 ? &k->legs[1] : NULL;
    snprintf(d->remote, sizeof d->remote, "%s", b ? b->number : k->called);
}

/* The telephone's part in a call; false: it has none that shows. */
static bool dialog_of(const struct node *n, const struct core_call *k, const char *extension, struct watch_dialog *d)
{
    const struct core_offer *o = offer_to(k, extension);
    char call[17];
    memset(d, 0, sizeof *d);
    ident_text(k->id, call);
    if (strcmp(k->extension, extension) == 0 && k->n_legs && k->legs[0].role == CORE_LEG_CALLER) {
        bool talks = k->answered || k->legs[0].answered;
        snprintf(d->id, sizeof d->id, "%s-caller", call);
        d->state = talks ? WATCH_CONFIRMED : k->phase == CORE_CALL_DIALLING ? WATCH_EARLY : WATCH_TRYING;
        d->initiator = !k->we_call;
        dialog_names(k->legs[0].dialog, d);
        other_of_caller(k, d);
        return true;
    }
    snprintf(d->id, sizeof d->id, "%s-callee", call);
    snprintf(d->remote, sizeof d->remote, "%s", k->we_call && !k->n_legs ? k->called : k->caller);
    snprintf(d->remote_name, sizeof d->remote_name, "%s", k->we_call && !k->n_legs ? "" : k->caller_name);
    if (o) {
        d->state = WATCH_EARLY;
        ringing_names(n, k->id, o->id, d);
        return true;
    }
    for (size_t i = 0; !k->out_trunk[0] && i < k->n_legs; i++)
        if (k->legs[i].role == CORE_LEG_CALLEE && strcmp(k->legs[i].number, extension) == 0) {
            d->state = WATCH_CONFIRMED;
            dialog_names(k->legs[i].dialog, d);
            return true;
        }
    return false;
}

static bool has(const struct watch_dialog *d, unsigned n, const char *id)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(d[i].id, id) == 0)
            return true;
    return false;
}

static int say_dialogs(const struct watcher *w, struct watch_news *out)
{
    const struct core_call *calls[WATCH_DIALOGS_MAX];
    struct watch_dialog all[2 * WATCH_DIALOGS_MAX];
    size_t there = core_telephone_calls(w->n->core, w->is->target, calls, WATCH_DIALOGS_MAX);
    unsigned n = 0;
    for (size_t i = 0; i < there && i < WATCH_DIALOGS_MAX; i++)
        n += dialog_of(w->n, calls[i], w->is->target, &all[n]);
    out->n_dialogs = n;
    memcpy(out->dialogs, all, n * sizeof *all);
    out->hash = hash_of(all, n * sizeof *all, HASH_BEGIN);
    for (unsigned i = 0; i < w->n_last; i++)
        if (!has(out->dialogs, out->n_dialogs, w->last[i].id)) {
            all[n] = w->last[i];
            all[n++].state = WATCH_TERMINATED;
        }
    uint32_t version = ((w->epoch ? w->epoch - 1 : 0) << 20) + w->told;
    out->type = "application/dialog-info+xml";
    out->body = watch_doc_dialogs(w->is->local_uri, version, all, n);
    return out->body ? 0 : ERR_NOMEM;
}

/* ---- presence */

static enum watch_activity activity_of(const struct node *n, const struct core_agent *a, const char **note)
{
    const char *chosen = core_agent_activity(n->core, a->number);
    *note = core_agent_state_name(a->state);
    switch (a->state) {
    case CORE_AGENT_LOGGED_OUT:
        return WATCH_CLOSED;
    case CORE_AGENT_IDLE:
        return WATCH_OPEN;
    case CORE_AGENT_RINGING:
    case CORE_AGENT_TALKING:
        return WATCH_ON_THE_PHONE;
    case CORE_AGENT_WRAP_UP:
        return WATCH_BUSY;
    case CORE_AGENT_NOT_READY:
        break;
    }
    if (!chosen[0])
        return WATCH_BUSY;
    *note = chosen;
    return strcmp(chosen, "busy") == 0 ? WATCH_BUSY : WATCH_AWAY;
}

/* An agent by his number, who is at this telephone, or whose it is. */
static const struct core_agent *agent_of(const struct node *n, const char *target)
{
    const struct core_agent *a = core_agent(n->core, target);
    const Ev__Agent *bound = NULL;
    if (!a)
        a = core_agent_at_extension(n->core, target);
    if (!a)
        bound = core_agent_bound_to(n->core, target);
    return bound ? core_agent(n->core, bound->number) : a;
}

static int say_presence(const struct watcher *w, struct watch_news *out)
{
    const struct core_agent *a = agent_of(w->n, w->is->target);
    const char *note = "";
    enum watch_activity what;
    if (a) {
        what = activity_of(w->n, a, &note);
        snprintf(out->other, sizeof out->other, "a:%s", a->number);
    } else {
        struct core_binding b;
        const struct core_call *k;
        const Ev__Extension *x = core_extension(w->n->core, w->is->target);
        bool there = x && !x->disabled && (x->contact[0] || core_bindings(w->n->core, w->is->target, &b, 1));
        what = !there                                                       ? WATCH_CLOSED
               : core_telephone_calls(w->n->core, w->is->target, &k, 1) > 0 ? WATCH_ON_THE_PHONE
                                                                            : WATCH_OPEN;
        note = what == WATCH_CLOSED ? "unreachable" : what == WATCH_OPEN ? "idle" : "talking";
    }
    out->type = "application/pidf+xml";
    out->body = watch_doc_presence(w->is->local_uri, what, note);
    if (!out->body)
        return ERR_NOMEM;
    out->hash = hash_of(out->body, strlen(out->body), HASH_BEGIN);
    return 0;
}

/* ---- message-summary */

struct lamp {
    const struct core *c;
    uint32_t fresh, heard;
};

static void add_box(void *ctx, const char *box)
{
    struct lamp *l = ctx;
    uint32_t fresh, heard;
    core_box_counts(l->c, box, &fresh, &heard);
    l->fresh += fresh;
    l->heard += heard;
}

static int say_messages(const struct watcher *w, struct watch_news *out)
{
    struct lamp l = {w->n->core, 0, 0};
    core_boxes_each(l.c, w->is->extension, add_box, &l);
    snprintf(out->other, sizeof out->other, "b:%s", core_box_of(l.c, w->is->extension));
    out->type = "application/simple-message-summary";
    out->body = watch_doc_messages(w->is->local_uri, l.fresh, l.heard);
    if (!out->body)
        return ERR_NOMEM;
    out->hash = hash_of(out->body, strlen(out->body), HASH_BEGIN);
    return 0;
}

int watch_say(const struct watcher *w, struct watch_news *out)
{
    memset(out, 0, sizeof *out);
    int rc = strcmp(w->is->event, "dialog") == 0     ? say_dialogs(w, out)
             : strcmp(w->is->event, "presence") == 0 ? say_presence(w, out)
                                                     : say_messages(w, out);
    out->changed = out->hash != w->last_hash;
    return rc;
}
