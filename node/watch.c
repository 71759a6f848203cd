#include "node/watch_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/flow.h"
#include "telephony/sip.h"

#define WATCH_TURN_MS 20u
#define WATCH_SENDS 64u /* in one turn */
#define WATCH_LOOKS 256u
#define WATCH_WAYS_MAX 10u   /* to one telephone */
#define WATCH_FAILS_MAX 3u   /* NOTIFYs in a row without an answer: it is gone */
#define WATCH_AGAIN_MS 5000u /* after one of them */
#define WATCH_EPOCH_BITS \
    20 /* NOTIFYs of one epoch: 12 days at the highest rate, then the telephone has to subscribe anew */

struct watch_topic { /* "d:8002": who depends on it */
    struct list_node watchers;
    char key[];
};

struct node_watch {
    uv_timer_t timer; /* first: watch_closed */
    struct node *n;
    struct map by_id;       /* u64 -> struct watcher */
    struct map unsolicited; /* extension -> struct watcher */
    struct map topics;
    struct list_node queue, failing;
    bool turning; /* the timer is on */
    struct watch_counts counts;
};

static uint64_t now_ms(void)
{
    return clock_mono_now().us / 1000u;
}

static bool mine(const struct node *n, const char *owner)
{
    return strcmp(owner, n->cfg.name) == 0;
}

/* ---- who depends on what */

static struct watch_topic *topic_join(struct node_watch *nw, const char *key, struct list_node *link)
{
    struct watch_topic *t = map_get(&nw->topics, key);
    if (!t) {
        t = malloc(sizeof *t + strlen(key) + 1);
        if (!t)
            return NULL;
        strcpy(t->key, key);
        list_init(&t->watchers);
        if (map_set(&nw->topics, key, t)) {
            free(t);
            return NULL;
        }
    }
    list_push_back(&t->watchers, link);
    return t;
}

static void topic_leave(struct node_watch *nw, struct watch_topic *t, struct list_node *link)
{
    list_del(link);
    if (!t || !list_empty(&t->watchers))
        return;
    (void)map_del(&nw->topics, t->key);
    free(t);
}

static void turn(uv_timer_t *timer);

static void make_due(struct watcher *w)
{
    struct node_watch *nw = w->n->watch;
    if (w->out) {
        w->again = true;
        return;
    }
    if (list_empty(&w->queue))
        list_push_back(&nw->queue, &w->queue);
    if (!nw->turning)
        nw->turning = uv_timer_start(&nw->timer, turn, 1, WATCH_TURN_MS) == 0;
}

static void topic_due(struct node_watch *nw, char kind, const char *name)
{
    char key[80];
    snprintf(key, sizeof key, "%c:%s", kind, name);
    struct watch_topic *t = name[0] ? map_get(&nw->topics, key) : NULL;
    if (!t)
        return;
    list_foreach(it, &t->watchers)
        make_due(kind == 'b' || kind == 'a' ? list_entry(it, struct watcher, by_other)
                                            : list_entry(it, struct watcher, by_topic));
}

/* ---- life of a watcher */

static Ev__Subscribe *copy_of(const Ev__Subscribe *is)
{
    size_t len = ev__subscribe__get_packed_size(is);
    uint8_t *p = malloc(len + 1);
    if (!p)
        return NULL;
    ev__subscribe__pack(is, p);
    Ev__Subscribe *copy = ev__subscribe__unpack(NULL, len, p);
    free(p);
    return copy;
}

static struct watcher *watcher_new(struct node *n, const Ev__Subscribe *is)
{
    char key[80];
    struct watcher *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->n = n;
    list_init(&w->by_topic);
    list_init(&w->by_other);
    list_init(&w->queue);
    list_init(&w->failing);
    w->is = copy_of(is);
    snprintf(key, sizeof key, "%c:%s", is->event[0], is->target); /* m, d, p */
    if (w->is)
        w->topic = topic_join(n->watch, key, &w->by_topic);
    if (w->topic)
        return w;
    if (w->is)
        ev__subscribe__free_unpacked(w->is, NULL);
    free(w);
    return NULL;
}

static void watcher_free(struct watcher *w)
{
    struct node_watch *nw = w->n->watch;
    sip_notify_forget(w->out);
    topic_leave(nw, w->topic, &w->by_topic);
    topic_leave(nw, w->other, &w->by_other);
    list_del(&w->queue);
    list_del(&w->failing);
    if (w->id)
        (void)map_del_u64(&nw->by_id, w->id);
    else
        (void)map_del(&nw->unsolicited, w->is->extension);
    ev__subscribe__free_unpacked(w->is, NULL);
    free(w);
}

/* ---- telling */

static void unsubscribe(struct watcher *w, const char *why)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Unsubscribe m = EV__UNSUBSCRIBE__INIT;
    cmd.body_case = EV__COMMAND__BODY_UNSUBSCRIBE;
    cmd.unsubscribe = &m;
    m.id = w->id;
    m.why = (char *)(uintptr_t)why;
    log_info("sip", "subscription of %s to %s of %s is over: %s", w->is->extension, w->is->event, w->is->target, why);
    node_propose_quietly(w->n, &cmd, "end of a subscription");
}

/* The telephone knows nothing of it any more (RFC 5057 section 5.1), and does not want to. */
static bool knows_nothing(int status)
{
    static const int such[] = {404, 405, 410, 416, 481, 482, 483, 484, 485, 489, 501, 604};
    for (size_t i = 0; i < sizeof such / sizeof such[0]; i++)
        if (such[i] == status)
            return true;
    return false;
}

static void not_told(struct watcher *w, int status, int retry_after_s)
{
    struct node_watch *nw = w->n->watch;
    nw->counts.failed++;
    w->last_hash = 0;
    w->failed++;
    if (w->id && (knows_nothing(status) || w->failed >= WATCH_FAILS_MAX)) {
        unsubscribe(w, knows_nothing(status) ? "the telephone does not know it" : "the telephone does not answer");
        return;
    }
    if (!w->id && (w->failed >= WATCH_FAILS_MAX || knows_nothing(status)))
        return; /* when something changes */
    if (list_empty(&w->failing))
        list_push_back(&nw->failing, &w->failing);
    w->not_before_ms = now_ms() + (retry_after_s > 0 ? (unsigned)retry_after_s * 1000u : WATCH_AGAIN_MS);
    w->force = true;
    make_due(w);
}

static void told(void *ctx, int status, int retry_after_s)
{
    struct watcher *w = ctx;
    bool again = w->again;
    w->out = NULL;
    w->again = false;
    if (status >= 300) {
        not_told(w, status, retry_after_s);
        return;
    }
    w->failed = 0;
    list_del(&w->failing);
    if (again)
        make_due(w);
}

static void depend(struct watcher *w, const char *other)
{
    struct node_watch *nw = w->n->watch;
    if (w->other && strcmp(w->other->key, other) == 0)
        return;
    topic_leave(nw, w->other, &w->by_other);
    w->other = other[0] ? topic_join(nw, other, &w->by_other) : NULL;
}

static void random_text(char *out, size_t hex)
{
    uint64_t v[2] = {0, 0};
    if (uv_random(NULL, NULL, v, sizeof v, 0, NULL) != 0)
        v[0] = clock_mono_now().us;
    snprintf(out, hex + 1, "%016llx%016llx", (unsigned long long)v[0], (unsigned long long)v[1]);
}

/* To where it is registered, in a request of its own each. */
static int send_unsolicited(struct watcher *w, const struct watch_news *news)
{
    struct flow_target to[WATCH_WAYS_MAX];
    size_t n = flow_targets(w->n, w->is->extension, to, WATCH_WAYS_MAX);
    int rc = n ? ERR_IO : 0;
    for (size_t i = 0; i < n; i++) {
        char call_id[33], tag[17];
        bool before = false;
        for (size_t k = 0; k < i; k++)
            before |= to[k].phone == to[i].phone;
        if (before)
            continue; /* another way to the same one */
        random_text(call_id, 32);
        random_text(tag, 16);
        const struct sip_notify_params p = {
            .call_id = call_id,
            .local_uri = w->is->local_uri,
            .local_tag = tag,
            .remote_uri = w->is->local_uri,
            .remote_target = to[i].uri,
            .route = to[i].route,
            .flow = to[i].flow[0] ? to[i].flow : NULL,
            .local_ip = to[i].local_ip[0] ? to[i].local_ip : NULL,
            .cseq = 1,
            .event = w->is->event,
            .type = news->type,
            .body = news->body,
        };
        struct sip_notify *sent;
        if (sip_notify_send(w->n->ua, &p, NULL, NULL, &sent) == 0)
            rc = 0;
    }
    return rc;
}

static int send_to(struct watcher *w, const struct flow_target *to, const struct watch_news *news, const char *state)
{
    char event[160];
    const Ev__Subscribe *is = w->is;
    snprintf(event, sizeof event, is->event_id[0] ? "%s;id=%.120s" : "%s", is->event, is->event_id);
    const struct sip_notify_params p = {
        .call_id = is->call_id,
        .local_uri = is->local_uri,
        .local_tag = is->local_tag,
        .remote_uri = is->remote_uri,
        .remote_tag = is->remote_tag,
        .remote_target = is->remote_target,
        .route = to->route,
        .flow = to->flow[0] ? to->flow : NULL,
        .local_ip = to->local_ip[0] ? to->local_ip : is->local_ip,
        .cseq = (w->epoch << WATCH_EPOCH_BITS) + w->told + 1,
        .event = event,
        .state = state,
        .type = news->type,
        .body = news->body,
    };
    int rc = sip_notify_send(w->n->ua, &p, told, w, &w->out);
    if (rc == 0 && ++w->told + 2 >= 1u << WATCH_EPOCH_BITS && !w->over)
        unsubscribe(w, "its numbers are used up");
    return rc;
}

/* By the flow that it subscribed over; when that is lost, by one that it has registered since. */
static int send_in_dialog(struct watcher *w, const struct core_subscription *s, const struct watch_news *news,
                          const char *state)
{
    struct flow_target to[WATCH_WAYS_MAX];
    int rc = ERR_NOTFOUND;
    if (w->failed == 0 && flow_subscriber_target(w->n, s, &to[0]))
        rc = send_to(w, &to[0], news, state);
    size_t n = rc == ERR_NOTFOUND ? flow_targets(w->n, w->is->extension, to, WATCH_WAYS_MAX) : 0;
    for (size_t i = 0; rc == ERR_NOTFOUND && i < n; i++)
        rc = send_to(w, &to[(i + w->failed) % n], news, state);
    return rc;
}

static int send_news(struct watcher *w, const struct watch_news *news)
{
    char state[64] = "terminated;reason=timeout";
    uint64_t now = node_time_us(w->n);
    if (!w->id)
        return send_unsolicited(w, news);
    if (!w->over)
        snprintf(state, sizeof state, "active;expires=%llu",
                 (unsigned long long)(w->is->expires_us > now ? (w->is->expires_us - now) / 1000000u : 0));
    const struct core_subscription gone = {.is = w->is, .owner = w->n->cfg.name, .at = w->n->cfg.name};
    const struct core_subscription *s = core_subscription(w->n->core, w->id);
    return send_in_dialog(w, s ? s : &gone, news, state);
}

/* false: not now, it stays due. */
static bool tell(struct watcher *w)
{
    struct watch_news news;
    int rc = watch_say(w, &news);
    if (rc == 0)
        depend(w, news.other);
    if (rc == 0 && (news.changed || w->force || w->over)) {
        rc = send_news(w, &news);
        if (rc == 0) {
            w->n->watch->counts.notifies++;
            w->not_before_ms = now_ms() + WATCH_GAP_MS;
            w->force = false;
            w->last_hash = news.hash;
            w->n_last = news.n_dialogs;
            memcpy(w->last, news.dialogs, sizeof w->last);
        }
    }
    free(news.body);
    if (rc == ERR_NOQUORUM || rc == ERR_NOMEM)
        return false;
    if (rc && !w->over)
        not_told(w, 503, 0);
    return true;
}

static void turn(uv_timer_t *timer)
{
    struct node_watch *nw = timer->data;
    uint64_t now = now_ms();
    struct list_node seen;
    unsigned sent = 0;
    list_init(&seen);
    for (unsigned i = 0; i < WATCH_LOOKS && sent < WATCH_SENDS && nw->n->ua && !list_empty(&nw->queue); i++) {
        struct watcher *w = list_entry(nw->queue.next, struct watcher, queue);
        list_del(&w->queue);
        if (now < w->not_before_ms && !w->over) {
            list_push_back(&seen, &w->queue);
            continue;
        }
        sent++;
        if (!tell(w))
            list_push_back(&seen, &w->queue);
        else if (w->over)
            watcher_free(w);
    }
    while (!list_empty(&seen)) {
        struct list_node *it = seen.next;
        list_del(it);
        list_push_back(&nw->queue, it);
    }
    if (list_empty(&nw->queue)) {
        uv_timer_stop(timer);
        nw->turning = false;
    }
}

/* ---- which of them are ours */

static void end(struct watcher *w, bool word)
{
    sip_notify_forget(w->out);
    w->out = NULL;
    if (!word || !w->n->ua) {
        watcher_free(w);
        return;
    }
    (void)map_del_u64(&w->n->watch->by_id, w->id);
    w->over = true;
    list_del(&w->failing);
    make_due(w);
}

static void follow(struct node *n, uint64_t id)
{
    struct node_watch *nw = n->watch;
    const struct core_subscription *s = core_subscription(n->core, id);
    struct watcher *w = map_get_u64(&nw->by_id, id);
    bool ours = s && mine(n, s->owner);
    if (w && !ours) {
        /* Gone, not given away: the telephone is told, unless it was it that did not know of it. */
        end(w, !s && w->failed == 0);
        return;
    }
    if (!ours)
        return;
    if (w) {
        Ev__Subscribe *copy = copy_of(s->is);
        if (!copy)
            return;
        ev__subscribe__free_unpacked(w->is, NULL);
        w->is = copy;
    } else {
        w = watcher_new(n, s->is);
        if (!w || map_set_u64(&nw->by_id, id, w)) {
            log_error("sip", "out of memory: a subscription of %s is not told of anything", s->is->extension);
            if (w)
                watcher_free(w);
            return;
        }
        w->id = id;
    }
    if (w->epoch != s->epoch)
        w->told = 0;
    w->epoch = s->epoch;
    w->failed = 0;
    w->force = true;
    w->not_before_ms = 0; /* an answer to a SUBSCRIBE is due at once (RFC 6665 section 4.2.1.2) */
    make_due(w);
}

/* ---- told of messages without having asked */

/* The node that tells it: where it registered last, else the first by name. */
static bool tells(struct node *n, const Ev__Extension *x)
{
    struct core_binding b;
    bool there = core_bindings(n->core, x->number, &b, 1) > 0;
    const struct core_node *at = there ? core_node(n->core, b.node) : NULL;
    if (!there && !x->contact[0])
        return false;
    for (const struct core_node *k = NULL; !(at && at->up && !at->draining) && (k = core_node_next(n->core, k));)
        if (k->up && !k->draining)
            at = k;
    return at && mine(n, at->name);
}

static void unsolicited_look(struct node *n, const char *extension, bool again)
{
    const Ev__Extension *x = core_extension(n->core, extension);
    struct watcher *w = map_get(&n->watch->unsolicited, extension);
    bool want = x && !x->disabled && strcmp(x->mwi, "unsolicited") == 0 && tells(n, x);
    if (w && !want)
        watcher_free(w);
    if (!want)
        return;
    if (!w) {
        Ev__Subscribe is = EV__SUBSCRIBE__INIT;
        char uri[160];
        snprintf(uri, sizeof uri, "sip:%s@%s", extension, n->cfg.sip[0].text);
        is.extension = is.target = (char *)(uintptr_t)extension;
        is.event = (char *)(uintptr_t) "message-summary";
        is.local_uri = uri;
        w = watcher_new(n, &is);
        if (!w || map_set(&n->watch->unsolicited, extension, w)) {
            log_error("sip", "out of memory: %s is not told of messages", extension);
            if (w)
                watcher_free(w);
            return;
        }
        again = true;
    }
    w->force |= again;
    make_due(w);
}

static void unsolicited_each(void *ctx, const Ev__Extension *x)
{
    if (x->mwi[0])
        unsolicited_look(ctx, x->number, false);
}

/* ---- what happens */

static void agent_changed(struct node_watch *nw, const char *name)
{
    const struct core_agent *a = core_agent(nw->n->core, name);
    topic_due(nw, 'p', name);
    topic_due(nw, 'a', name);
    topic_due(nw, 'b', name);
    if (a) {
        topic_due(nw, 'p', a->extension);
        topic_due(nw, 'm', a->extension);
    }
}

/* Besides who has it as his own: those whose it is too (Mailbox.agents). */
static void box_changed(struct node_watch *nw, const char *box)
{
    const Ev__Mailbox *m = core_mailbox(nw->n->core, box);
    topic_due(nw, 'b', box);
    for (size_t i = 0; m && i < m->n_agents; i++) {
        const struct core_agent *there = core_agent(nw->n->core, m->agents[i]);
        const Ev__Agent *is = core_agent_config(nw->n->core, m->agents[i]);
        topic_due(nw, 'm', there ? there->extension : "");
        topic_due(nw, 'm', is ? is->extension : "");
    }
}

/* It may have been others' until now: all are looked at, and told if it is something new for them. */
static void boxes_changed(struct node_watch *nw)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&nw->topics, &it, &slot);) {
        const struct watch_topic *t = slot->value;
        if (t->key[0] == 'm')
            list_foreach(at, &t->watchers)
                make_due(list_entry(at, struct watcher, by_topic));
    }
}

static void config_changed(struct node_watch *nw, const char *kind, const char *name)
{
    const Ev__Agent *a = strcmp(kind, "agent") == 0 ? core_agent_config(nw->n->core, name) : NULL;
    if (strcmp(kind, "extension") == 0) {
        unsolicited_look(nw->n, name, false);
        topic_due(nw, 'm', name);
        topic_due(nw, 'p', name);
    } else if (strcmp(kind, "agent") == 0) {
        agent_changed(nw, name);
        topic_due(nw, 'm', a ? a->extension : "");
        topic_due(nw, 'p', a ? a->extension : "");
    } else if (strcmp(kind, "mailbox") == 0) {
        boxes_changed(nw);
    }
}

static void registered(struct node_watch *nw, const char *extension)
{
    unsolicited_look(nw->n, extension, true);
    topic_due(nw, 'p', extension);
    list_foreach_safe(it, &nw->failing) {
        struct watcher *w = list_entry(it, struct watcher, failing);
        if (strcmp(w->is->extension, extension) != 0)
            continue;
        list_del(it);
        w->not_before_ms = 0;
        make_due(w);
    }
}

void watch_event(struct node *n, const struct core_event *ev)
{
    struct node_watch *nw = n->watch;
    if (!nw)
        return;
    switch (ev->type) {
    case CORE_EV_SUBSCRIPTION:
        follow(n, ev->call_id);
        break;
    case CORE_EV_TELEPHONE:
        topic_due(nw, 'd', ev->name);
        topic_due(nw, 'p', ev->name);
        break;
    case CORE_EV_BOX:
        box_changed(nw, ev->name);
        break;
    case CORE_EV_AGENT:
        agent_changed(nw, ev->name);
        break;
    case CORE_EV_REGISTRATION:
        registered(nw, ev->name);
        break;
    case CORE_EV_CONFIG:
        config_changed(nw, ev->kind, ev->name);
        break;
    case CORE_EV_NODE:
        core_extensions_each(n->core, unsolicited_each, n);
        break;
    case CORE_EV_CALL:
    case CORE_EV_QUEUE:
    case CORE_EV_CDR:
    case CORE_EV_DIGEST:
    case CORE_EV_ADDRESS:
    case CORE_EV_MESSAGE:
    case CORE_EV_DELIVERY:
        break;
    }
}

void watch_reload(struct node *n)
{
    struct node_watch *nw = n->watch;
    const struct map_slot *slot;
    if (!nw || !n->ua)
        return;
    for (size_t it = 0; map_next(&nw->by_id, &it, &slot);) {
        const struct core_subscription *s = core_subscription(n->core, slot->nkey);
        if (!s || !mine(n, s->owner))
            end(slot->value, false);
    }
    for (const struct core_subscription *s = NULL; (s = core_subscription_next(n->core, s));)
        follow(n, s->id);
    core_extensions_each(n->core, unsolicited_each, n);
}

/* ---- SUBSCRIBE */

struct asked {
    struct node *n;
    struct sip_subscribe *s;
    uint32_t expires_s;
    bool in_dialog;
};

static void asked_done(void *ctx, int status, const struct core_answer *a)
{
    struct asked *q = ctx;
    int code = status ? status : a->code;
    if (!q->n->ua) { /* this node stops: the request has gone with the endpoint */
        free(q);
        return;
    }
    if (code)
        log_info("sip", "a subscription is refused: %s", status ? err_text(status) : a->text);
    if (code == 0)
        sip_subscribe_reply(q->s, 200, NULL, q->expires_s, 0);
    else if (code == ERR_NOTFOUND)
        sip_subscribe_reply(q->s, q->in_dialog ? 481 : 404, NULL, 0, 0);
    else if (code == ERR_STALE)
        sip_subscribe_reply(q->s, 500, "Outdated CSeq", 0, 1);
    else if (code == ERR_NOSPACE)
        sip_subscribe_reply(q->s, 403, "Too Many Subscriptions", 0, 0);
    else if (code == ERR_INVAL || code == ERR_DENIED)
        sip_subscribe_reply(q->s, 403, NULL, 0, 0);
    else
        sip_subscribe_reply(q->s, 503, NULL, 0, 2);
    free(q);
}

/* Whose it is to be told of: an extension, for presence an agent too; of messages its own only. */
static const char *target_of(struct node *n, const struct sip_subscribe_info *info)
{
    if (strcmp(info->event, "message-summary") == 0)
        return info->user;
    if (core_extension(n->core, info->target) ||
        (strcmp(info->event, "presence") == 0 && core_agent(n->core, info->target)))
        return info->target;
    return NULL;
}

/* The present state once, and no subscription (RFC 6665 section 4.4.3). */
static void tell_once(struct node *n, const Ev__Subscribe *is)
{
    struct watcher *w = watcher_new(n, is);
    if (!w)
        return;
    w->id = UINT64_MAX; /* in no table */
    w->over = true;
    make_due(w);
}

static void fill(struct node *n, const struct sip_subscribe_info *info, const char *target, Ev__Subscribe *m,
                 char path[FLOW_ROUTE_MAX])
{
#define TEXT(x) ((char *)(uintptr_t)(x))
    m->extension = TEXT(info->user);
    m->event = TEXT(info->event);
    m->event_id = TEXT(info->id);
    m->target = TEXT(target);
    m->call_id = TEXT(info->call_id);
    m->local_tag = TEXT(info->local_tag);
    m->remote_tag = TEXT(info->remote_tag);
    m->local_uri = TEXT(info->local_uri);
    m->remote_uri = TEXT(info->remote_uri);
    m->remote_target = TEXT(info->remote_target);
    m->route_set = TEXT(info->route_set);
    m->flow = TEXT(info->flow);
    m->local_ip = TEXT(info->local_ip);
#undef TEXT
    flow_path_of(n, info->flow, info->local, info->natted, path);
    m->path = info->route_set[0] ? m->path : path; /* a proxy in front of it says where to send */
    m->cseq = info->cseq;
    m->expires_us = info->expires_s ? node_time_us(n) + (uint64_t)info->expires_s * 1000000u : 0;
}

void watch_on_subscribe(struct node *n, struct sip_subscribe *s, const struct sip_subscribe_info *info)
{
    const struct core_subscription *had =
        info->in_dialog ? core_subscription_of(n->core, info->call_id, info->local_tag) : NULL;
    const char *target = had ? had->is->target : info->in_dialog ? NULL : target_of(n, info);
    if (!target) {
        sip_subscribe_reply(s, info->in_dialog ? 481 : 404, NULL, 0, 0);
        return;
    }
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__Subscribe m = EV__SUBSCRIBE__INIT;
    char path[FLOW_ROUTE_MAX];
    fill(n, info, target, &m, path);
    if (!info->in_dialog && info->expires_s == 0) {
        sip_subscribe_reply(s, 200, NULL, 0, 0);
        tell_once(n, &m);
        return;
    }
    struct asked *q = malloc(sizeof *q);
    if (q)
        *q = (struct asked){n, s, info->expires_s, info->in_dialog};
    cmd.body_case = EV__COMMAND__BODY_SUBSCRIBE;
    cmd.subscribe = &m;
    if (!q || node_propose(n, &cmd, 3000, asked_done, q)) {
        free(q);
        sip_subscribe_reply(s, 503, NULL, 0, 2);
    }
}

/* ---- start and end */

int watch_start(struct node *n)
{
    struct node_watch *nw = calloc(1, sizeof *nw);
    if (!nw)
        return ERR_NOMEM;
    nw->n = n;
    map_init(&nw->by_id);
    map_init(&nw->unsolicited);
    map_init(&nw->topics);
    list_init(&nw->queue);
    list_init(&nw->failing);
    uv_timer_init(&n->loop, &nw->timer);
    nw->timer.data = nw;
    n->watch = nw;
    return 0;
}

static void watch_closed(uv_handle_t *h)
{
    free((struct node_watch *)(void *)h);
}

void watch_stop(struct node *n)
{
    struct node_watch *nw = n->watch;
    const struct map_slot *slot;
    if (!nw)
        return;
    while (!list_empty(&nw->queue)) {
        struct watcher *w = list_entry(nw->queue.next, struct watcher, queue);
        list_del(&w->queue);
        if (w->over)
            watcher_free(w);
    }
    for (size_t it = 0; map_next(&nw->by_id, &it, &slot);)
        watcher_free(slot->value);
    for (size_t it = 0; map_next(&nw->unsolicited, &it, &slot);)
        watcher_free(slot->value);
    map_free(&nw->by_id);
    map_free(&nw->unsolicited);
    map_free(&nw->topics);
    n->watch = NULL;
    uv_close((uv_handle_t *)&nw->timer, watch_closed);
}

void watch_get_counts(const struct node *n, struct watch_counts *out)
{
    *out = n->watch ? n->watch->counts : (struct watch_counts){0};
    if (n->watch)
        out->subscriptions = (uint32_t)map_count(&n->watch->by_id);
}
