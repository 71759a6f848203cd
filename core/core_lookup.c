/* Lookups derived from the configuration: addresses to trunks and telephones, tokens, dialled numbers. Made when first asked
 * for after a change. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/time_group.h"

struct range {
    uint8_t addr[16];
    unsigned prefix;
    const char *name; /* of the object, for a total order */
    const void *of;   /* Ev__Trunk or Ev__Network */
};
struct ranges {
    struct range *v;
    size_t n;
};
struct contact {
    uint8_t addr[16];
    uint16_t port;
    const Ev__Extension *ext;
};
struct lookup {
    struct ranges trunks, networks;
    struct contact *contacts;
    size_t n_contacts;
    struct map tokens, bound; /* by hash; extension to agent */
    struct map groups;        /* struct time_group, made when first asked for */
};

void core_lookup_drop(struct core *c)
{
    struct lookup *l = c->lookup;
    if (!l)
        return;
    free(l->trunks.v);
    free(l->networks.v);
    free(l->contacts);
    map_free(&l->tokens);
    map_free(&l->bound);
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&l->groups, &it, &slot);)
        time_group_free(slot->value);
    map_free(&l->groups);
    free(l);
    c->lookup = NULL;
}

static int range_order(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix > y->prefix ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int contact_order(const void *a, const void *b)
{
    const struct contact *x = a, *y = b;
    int d = memcmp(x->addr, y->addr, 16);
    if (!d)
        d = x->port < y->port ? -1 : x->port > y->port;
    return d ? d : strcmp(x->ext->number, y->ext->number);
}

static void add_ranges(struct ranges *l, char *const *texts, size_t n, const char *name, const void *of)
{
    for (size_t i = 0; i < n; i++) {
        l->v = core_grow(l->v, (l->n + 1) * sizeof *l->v);
        struct range *r = &l->v[l->n];
        r->name = name;
        r->of = of;
        if (config_parse_range(texts[i], r->addr, &r->prefix) == 0)
            l->n++;
    }
}

/* Trunks and networks, the longest ranges first. */
static void make_ranges(const struct core *c, struct lookup *l)
{
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->cfg[CFG_TRUNK], &it, &slot);) {
        const Ev__Trunk *t = (const Ev__Trunk *)(const void *)((const struct cfg *)slot->value)->msg;
        if (!t->disabled)
            add_ranges(&l->trunks, t->sources, t->n_sources, t->name, t);
    }
    for (size_t it = 0; map_next(&c->cfg[CFG_NETWORK], &it, &slot);) {
        const Ev__Network *n = (const Ev__Network *)(const void *)((const struct cfg *)slot->value)->msg;
        add_ranges(&l->networks, n->ranges, n->n_ranges, n->name, n);
    }
    if (l->trunks.n)
        qsort(l->trunks.v, l->trunks.n, sizeof *l->trunks.v, range_order);
    if (l->networks.n)
        qsort(l->networks.v, l->networks.n, sizeof *l->networks.v, range_order);
}

static struct lookup *make(const struct core *cc)
{
    struct core *c = (struct core *)(uintptr_t)cc;
    if (c->lookup)
        return c->lookup;
    struct lookup *l = core_alloc(sizeof *l);
    map_init(&l->tokens);
    map_init(&l->bound);
    map_init(&l->groups);
    const struct map_slot *slot;
    make_ranges(c, l);
    size_t n = map_count(&c->cfg[CFG_EXTENSION]);
    l->contacts = core_alloc((n + 1) * sizeof *l->contacts);
    for (size_t it = 0; map_next(&c->cfg[CFG_EXTENSION], &it, &slot);) {
        const Ev__Extension *x = (const Ev__Extension *)(const void *)((const struct cfg *)slot->value)->msg;
        struct contact *k = &l->contacts[l->n_contacts];
        k->ext = x;
        if (!x->disabled && x->contact[0] && config_parse_contact(x->contact, k->addr, &k->port) == 0) {
            k->port = k->port ? k->port : 5060;
            l->n_contacts++;
        }
    }
    for (size_t it = 0; map_next(&c->cfg[CFG_TOKEN], &it, &slot);) {
        const struct cfg *o = slot->value;
        const Ev__Token *t = (const Ev__Token *)(const void *)o->msg;
        const Ev__Token *other = map_get(&l->tokens, t->sha256);
        /* two names for one token: the first by name, on every node */
        if ((!other || strcmp(t->name, other->name) < 0) && map_set(&l->tokens, t->sha256, (void *)(uintptr_t)t) != 0)
            core_oom();
    }
    for (size_t it = 0; map_next(&c->cfg[CFG_AGENT], &it, &slot);) {
        const Ev__Agent *a = (const Ev__Agent *)(const void *)((const struct cfg *)slot->value)->msg;
        const Ev__Agent *other = a->extension[0] ? map_get(&l->bound, a->extension) : NULL;
        if (a->extension[0] && (!other || strcmp(a->number, other->number) < 0) &&
            map_set(&l->bound, a->extension, (void *)(uintptr_t)a) != 0)
            core_oom();
    }
    if (l->n_contacts)
        qsort(l->contacts, l->n_contacts, sizeof *l->contacts, contact_order);
    c->lookup = l;
    return l;
}

static bool address(const struct sockaddr *sa, uint8_t addr[16], uint16_t *port)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        memset(addr, 0, 10);
        addr[10] = addr[11] = 0xff;
        memcpy(addr + 12, &in->sin_addr, 4);
        *port = ntohs(in->sin_port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)sa;
        memcpy(addr, &in->sin6_addr, 16);
        *port = ntohs(in->sin6_port);
        return true;
    }
    return false;
}

static bool within(const uint8_t addr[16], const struct range *r)
{
    unsigned whole = r->prefix / 8, rest = r->prefix % 8;
    if (memcmp(addr, r->addr, whole) != 0)
        return false;
    return !rest || ((addr[whole] ^ r->addr[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

static const void *find_range(const struct ranges *l, const uint8_t addr[16])
{
    for (size_t i = 0; i < l->n; i++) {
        if (within(addr, &l->v[i]))
            return l->v[i].of;
    }
    return NULL;
}

const Ev__Trunk *core_trunk_of(const struct core *c, const struct sockaddr *source)
{
    uint8_t addr[16];
    uint16_t port;
    return address(source, addr, &port) ? find_range(&make(c)->trunks, addr) : NULL;
}

enum core_takeover core_takeover_of(const struct core *c, const char *trunk, const char *flow)
{
    const struct cfg *t = trunk && trunk[0] ? core_cfg(c, CFG_TRUNK, trunk) : NULL;
    const char *how = t ? ((const Ev__Trunk *)(const void *)t->msg)->takeover : "";
    const char *at = flow ? strchr(flow, ':') : NULL;
    uint8_t addr[16];
    uint16_t port;
    char contact[CORE_IP_MAX + 16];
    if (!how[0] && at) {
        (void)snprintf(contact, sizeof contact, "sip:%s", at + 1);
        const Ev__Network *n =
            config_parse_contact(contact, addr, &port) == 0 ? find_range(&make(c)->networks, addr) : NULL;
        how = n ? n->takeover : "";
    }
    return strcmp(how, "reinvite") == 0 ? CORE_TAKEOVER_REINVITE : CORE_TAKEOVER_ADDRESS;
}

enum core_takeover core_takeover_out(const struct core *c, const char *trunk)
{
    const char *contact = core_trunk_contact(c, trunk), *at = contact ? strchr(contact, '@') : NULL;
    char flow[CORE_IP_MAX + 16] = "";
    if (contact) {
        contact = at ? at + 1 : contact + strlen("sip:");
        (void)snprintf(flow, sizeof flow, "udp:%.*s", (int)strcspn(contact, ";"), contact);
    }
    return core_takeover_of(c, trunk, flow);
}

const char *core_site_of(const struct core *c, const struct sockaddr *peer)
{
    uint8_t addr[16];
    uint16_t port;
    const Ev__Network *n = address(peer, addr, &port) ? find_range(&make(c)->networks, addr) : NULL;
    return n && n->site[0] ? n->site : NULL;
}

const Ev__Extension *core_extension_of(const struct core *c, const struct sockaddr *source, const char *from_user)
{
    uint8_t addr[16];
    uint16_t port;
    if (!address(source, addr, &port))
        return NULL;
    const struct lookup *l = make(c);
    size_t lo = 0, hi = l->n_contacts;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int d = memcmp(l->contacts[mid].addr, addr, 16);
        if (d < 0 || (d == 0 && l->contacts[mid].port < port))
            lo = mid + 1;
        else
            hi = mid;
    }
    const Ev__Extension *only = NULL;
    for (size_t n = 0; lo < l->n_contacts; lo++, n++) {
        const struct contact *k = &l->contacts[lo];
        if (memcmp(k->addr, addr, 16) != 0 || k->port != port)
            break;
        if (from_user && strcmp(k->ext->number, from_user) == 0)
            return k->ext;
        only = n == 0 ? k->ext : NULL;
    }
    return only;
}

const char *core_token_role(const struct core *c, const char *sha256_hex, const char **name)
{
    const Ev__Token *t = map_get(&make(c)->tokens, sha256_hex);
    if (t && name)
        *name = t->name;
    return t ? t->role : NULL;
}

const Ev__Agent *core_agent_bound_to(const struct core *c, const char *extension)
{
    return map_get(&make(c)->bound, extension);
}

/* ---- dialled numbers */

static bool feature_code(const struct core *c, const char *called, struct core_route *out)
{
    static const struct {
        const char *prefix, *name;
        uint32_t argument; /* from which feature level on it may have one; 0: never */
    } codes[] = {{"*71", "code:login", 1},
                 {"*72", "code:logout", 0},
                 {"*73", "code:ready", 0},
                 {"*74", "code:not_ready", 3},
                 {"*90", "code:listen", 4},
                 {"*91", "code:whisper", 4},
                 {"*92", "code:barge", 4},
                 {"*93", "code:take_over", 4},
                 /* as the telephones of the public network in China have them */
                 {"*57", "code:forward_always", 4},
                 {"*40", "code:forward_busy", 4},
                 {"*41", "code:forward_no_answer", 4},
                 {"*42", "code:forward_unavailable", 4}};
    if (strncmp(called, "*8", 2) == 0 && c->feature_level >= 4 && strlen(called + 2) < sizeof out->argument) {
        out->kind = CORE_ROUTE_APP;
        (void)strcpy(out->name, "code:pickup");
        (void)strcpy(out->argument, called + 2);
        return true;
    }
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strncmp(called, codes[i].prefix, 3) != 0 ||
            (called[3] && (!codes[i].argument || c->feature_level < codes[i].argument)))
            continue;
        if (strlen(called + 3) >= sizeof out->argument)
            return false;
        out->kind = CORE_ROUTE_APP;
        (void)strcpy(out->name, codes[i].name);
        (void)strcpy(out->argument, called + 3);
        return true;
    }
    return false;
}

struct its_box {
    const char *name;
    bool yes;
};

static void is_its_box(void *ctx, const char *box)
{
    struct its_box *b = ctx;
    b->yes |= strcmp(box, b->name) == 0;
}

/* The box behind *97: of who is reached at that number, whatever he does now; or that of this name. */
static const char *box_for(const struct core *c, const char *to)
{
    if (core_extension(c, to))
        return core_box_of(c, to);
    return core_agent_config(c, to) || core_mailbox(c, to) || core_queue_config(c, to) ? to : NULL;
}

/* *97: listen to the box of this telephone; *97 and a number: leave a message there; *98 and a box: listen to it, if it is one of this telephone. */
static bool box_code(const struct core *c, const char *extension, const char *called, struct core_route *out)
{
    bool leave = strncmp(called, "*97", 3) == 0 && called[3], listen = strncmp(called, "*98", 3) == 0;
    const char *flow = leave ? CORE_FLOW_VOICEMAIL : CORE_FLOW_MAILBOX;
    struct its_box asked = {.name = called + 3};
    if (c->feature_level < 4 || (!leave && !listen && strcmp(called, "*97") != 0))
        return false;
    if (listen && called[3])
        core_boxes_each(c, extension, is_its_box, &asked);
    const char *box = leave        ? box_for(c, called + 3)
                      : !called[3] ? core_box_of(c, extension)
                      : asked.yes  ? asked.name
                                   : NULL;
    if (!box || strlen(box) >= sizeof out->name - strlen(flow))
        return false;
    out->kind = CORE_ROUTE_FLOW;
    (void)snprintf(out->name, sizeof out->name, "%s%s", flow, box);
    return true;
}

static void target(struct core_route *out, enum core_route_kind kind, const char *name)
{
    out->kind = kind;
    (void)snprintf(out->name, sizeof out->name, "%s", name);
}

static const struct time_group *group_of(const struct core *c, const char *name)
{
    struct lookup *l = make(c);
    struct time_group *g = map_get(&l->groups, name);
    const struct cfg *o = g ? NULL : core_cfg(c, CFG_TIME_GROUP, name);
    if (!o)
        return g;
    const Ev__TimeGroup *m = (const Ev__TimeGroup *)(const void *)o->msg;
    const struct cfg *days = m->holidays[0] ? core_cfg(c, CFG_HOLIDAY_LIST, m->holidays) : NULL;
    /* The objects were checked when they were taken, so that only memory can fail. */
    if (time_group_make(m, days ? (const Ev__HolidayList *)(const void *)days->msg : NULL, &g) != 0 ||
        map_set(&l->groups, name, g) != 0)
        core_oom();
    return g;
}

bool core_time_group_open(const struct core *c, const char *name, uint64_t at_us)
{
    const struct time_group *g = group_of(c, name);
    struct calendar_verdict v = {.open = false};
    if (g)
        time_group_at(g, at_us, &v);
    return v.open;
}

int core_time_group_next(const struct core *c, const char *name, int32_t second, uint64_t after_us, uint64_t *us)
{
    const struct time_group *g = group_of(c, name);
    return g ? time_group_next(g, second, after_us, us) : ERR_NOTFOUND;
}

static void lead(struct core_route *out, const char *flow, const char *queue, const char *app, const char *extension,
                 const char *agent, const char *outside)
{
    if (flow[0])
        target(out, CORE_ROUTE_FLOW, flow);
    else if (queue[0])
        target(out, CORE_ROUTE_QUEUE, queue);
    else if (app[0])
        target(out, CORE_ROUTE_APP, app);
    else if (extension[0])
        target(out, CORE_ROUTE_EXTENSION, extension);
    else if (agent[0])
        target(out, CORE_ROUTE_AGENT, agent);
    else
        target(out, CORE_ROUTE_OUTSIDE, outside);
}

bool core_route_answers(enum core_route_kind kind)
{
    return kind == CORE_ROUTE_FLOW || kind == CORE_ROUTE_QUEUE || kind == CORE_ROUTE_APP;
}

/* A telephone that dials the prefix for outside and a number. */
static void dialled_out(const struct core *c, const char *called, struct core_route *out)
{
    const char *prefix = core_parameter(c, "outside_prefix", "");
    size_t n = strlen(prefix);
    if (c->feature_level >= 3 && n && strncmp(called, prefix, n) == 0 && config_is_outside(called + n))
        target(out, CORE_ROUTE_OUTSIDE, called + n);
}

void core_route(const struct core *c, uint64_t at_us, const char *caller_extension, const char *called,
                struct core_route *out)
{
    memset(out, 0, sizeof *out);
    if (caller_extension && called[0] == '*' &&
        (feature_code(c, called, out) || box_code(c, caller_extension, called, out)))
        return;
    const Ev__AccessNumber *m = core_access_number(c, called);
    if (m) {
        (void)snprintf(out->language, sizeof out->language, "%s", m->language);
        out->priority = m->priority;
        for (size_t i = 0; i < m->n_schedule; i++) {
            const Ev__ScheduleEntry *e = m->schedule[i];
            if (core_time_group_open(c, e->time_group, at_us)) {
                lead(out, e->flow, e->queue, e->app, e->extension, e->agent, e->outside);
                return;
            }
        }
        lead(out, m->flow, m->queue, m->app, m->extension, m->agent, m->outside);
        return;
    }
    if (!caller_extension)
        return;
    const Ev__Extension *x = core_extension(c, called);
    if (x && !x->disabled)
        target(out, CORE_ROUTE_EXTENSION, called);
    else if (!x && core_agent_config(c, called))
        target(out, CORE_ROUTE_AGENT, called);
    else if (!x)
        dialled_out(c, called, out);
}
