/* Random histories: every node ends with the same tables, reopened or not, and no step breaks a rule of service.
 * EVERLINE_SEED=N repeats a run; seeds that once failed stay in the list below. */
#include "base/clock.h"
#include "core/core_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define COMMANDS 20000u
#define BATCH_MAX 8u
#define AGENTS 8u

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 32) % n);
}

/* ---- rules that hold after every entry */

static unsigned rung_by(const struct core_call *k, const char *agent)
{
    unsigned n = 0;
    for (unsigned i = 0; i < k->n_offers; i++)
        n += strcmp(k->offers[i].agent, agent) == 0;
    return n;
}

static void check_offer(const struct core *c, const struct core_offer *offer)
{
    const struct core_agent *a = core_agent(c, offer->agent);
    ck_assert_ptr_nonnull(a);
    ck_assert_str_eq(a->extension, offer->extension);
    /* Reserved for this one; he may have picked up his telephone to call somebody meanwhile. */
    ck_assert(a->state == CORE_AGENT_RINGING || a->state == CORE_AGENT_TALKING);
    unsigned offers = 0;
    for (const struct core_call *o = NULL; (o = core_call_next(c, o, NULL));)
        offers += rung_by(o, offer->agent);
    ck_assert_msg(offers == 1, "agent %s is in %u offers", offer->agent, offers);
}

static void check_call(const struct core *c, const struct core_call *k)
{
    bool offer = k->phase == CORE_CALL_OFFERED || k->phase == CORE_CALL_DIALLING;
    ck_assert_int_eq(offer, k->offer.id != 0);
    ck_assert_int_eq(k->phase == CORE_CALL_OFFERED, k->offer.queue[0] != '\0');
    ck_assert_int_eq(k->phase == CORE_CALL_TALKING, k->n_legs == 2);
    ck_assert_int_eq(k->phase == CORE_CALL_WAITING, acd_position(c->acd, k->id) > 0);
    ck_assert_int_eq(offer, k->n_offers != 0);
    if (offer)
        ck_assert_uint_eq(k->offers[0].id, k->offer.id);
    for (unsigned i = 0; k->phase == CORE_CALL_OFFERED && i < k->n_offers; i++)
        check_offer(c, &k->offers[i]);
}

static bool takes_part(const struct core_call *k, const char *extension)
{
    if (strcmp(k->extension, extension) == 0)
        return true;
    for (unsigned i = 0; i < k->n_offers; i++) {
        if (strcmp(k->offers[i].extension, extension) == 0)
            return true;
    }
    return k->n_legs > 1 && strcmp(k->legs[1].number, extension) == 0;
}

static void check_agent(const struct core *c, const struct core_agent *a, bool waiting)
{
    unsigned parts = 0;
    for (const struct core_call *k = NULL; a->extension[0] && (k = core_call_next(c, k, NULL));)
        parts += takes_part(k, a->extension);
    bool busy = a->state == CORE_AGENT_RINGING || a->state == CORE_AGENT_TALKING;
    ck_assert_int_eq(busy, parts > 0);
    ck_assert_int_eq(busy, a->call_id != 0);
    if (busy)
        ck_assert(takes_part(core_call(c, a->call_id), a->extension));
    ck_assert_int_eq(a->state == CORE_AGENT_LOGGED_OUT, a->extension[0] == '\0');
    ck_assert_int_eq(a->state == CORE_AGENT_WRAP_UP, a->wrap_up_until_us != 0 && a->wrap_up_until_us > c->now_us && !busy);
    /* Nobody is in a state beyond its limit. */
    const struct agent *obj = core_agent_obj(c, a->number);
    if (a->state == CORE_AGENT_NOT_READY && c->feature_level >= 3)
        ck_assert_uint_gt(obj->work->until_us, c->now_us);
    if (obj->work && obj->work->until_us)
        ck_assert(!obj->ready && obj->work->until_us > c->now_us && obj->work->entered_us);
    ck_assert_msg(!(waiting && a->state == CORE_AGENT_IDLE), "agent %s idles while callers wait", a->number);
}

/* Each row is in one of its states, and one live call at most is made for it. Whether one waits for any agent. */
static bool check_callbacks(const struct core *c)
{
    bool waiting = false;
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&c->callbacks, &it, &slot);) {
        const struct callback *cb = slot->value;
        const Ev__CallBack *m = cb->st;
        bool waits = acd_position(c->acd, m->id) > 0;
        unsigned calls = 0;
        for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL));)
            calls += core_call_obj(c, k->id)->st->callback == m->id;
        ck_assert_int_eq(waits, cb->waits);
        ck_assert_uint_eq((waits != 0) + (m->due_us != 0) + (m->call_id != 0), 1);
        ck_assert_int_eq(cb->due.at != 0, m->due_us != 0);
        ck_assert_uint_eq(calls, m->call_id != 0);
        ck_assert(!m->call_id || core_call(c, m->call_id));
        ck_assert(!m->due_us || m->due_us > c->now_us);
        waiting = waiting || (waits && strcmp(m->waits->queue, "service") == 0 && m->waits->n_needs == 0);
    }
    return waiting;
}

static unsigned seen_joined, seen_merged; /* in a history: entries after which there were such calls */

/* Whoever has joined a call that talks has its owner; nobody is joined to one that does not. */
static void check_joined(const struct core *c, const struct core_call *k)
{
    const struct call *main = core_join_main(c, core_call_obj(c, k->id));
    unsigned n = 0, consults = 0;
    if (main) {
        ck_assert_int_eq(main->pub.phase, CORE_CALL_TALKING);
        ck_assert_str_eq(main->pub.owner, k->owner);
        ck_assert_uint_eq(main->pub.id, k->joined);
    }
    ck_assert(main || k->phase != CORE_CALL_JOINED);
    seen_joined += k->phase == CORE_CALL_JOINED;
    seen_merged += k->merges > 0;
    bool turned = k->turned_to == 0;
    for (const struct core_call *p = NULL; (p = core_joined_next(c, k->id, p)); n++) {
        consults += p->mode == CORE_MODE_CONSULT;
        turned = turned || (p->id == k->turned_to && p->mode == CORE_MODE_CONSULT && p->joined_leg == k->turned_leg);
    }
    ck_assert(turned && n <= CORE_JOINED_MAX && consults <= 1);
    struct core_seat seat[CORE_SEATS_MAX];
    unsigned seats = core_seats(c, k->id, seat);
    for (unsigned i = 0; i < seats; i++)
        ck_assert((seat[i].hears & 1u << i) == 0 && seat[i].hears >> seats == 0);
}

static void check_rules(const struct core *c)
{
    bool waiting = check_callbacks(c);
    for (const struct core_call *k = NULL; (k = core_call_next(c, k, NULL));) {
        check_call(c, k);
        check_joined(c, k);
        waiting = waiting || (k->phase == CORE_CALL_WAITING && strcmp(k->queue, "service") == 0 &&
                              core_call_obj(c, k->id)->st->n_needs == 0);
    }
    for (unsigned i = 1; i <= AGENTS; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "1%03u", i);
        const struct core_agent *a = core_agent(c, number);
        ck_assert_ptr_nonnull(a);
        check_agent(c, a, waiting); /* all are members of service */
    }
    struct err_info info = {0};
    ck_assert_msg(acd_check(c->acd, &info) == 0, "%s", info.text);
}

/* Whom an agent would join first. */
static bool same_rings(const struct queue *x, const struct queue *y)
{
    const struct list_node *b = y->ringing.next;
    list_foreach(a, &x->ringing) {
        if (b == &y->ringing ||
            list_entry(a, const struct call, ringing)->pub.id != list_entry(b, const struct call, ringing)->pub.id)
            return false;
        b = b->next;
    }
    return b == &y->ringing;
}

/* Everybody waits in the same way in both: one of them has just been loaded. */
static void same_places(const struct core *x, const struct core *y)
{
    for (const struct core_call *k = NULL; (k = core_call_next(x, k, NULL));) {
        struct acd_call a = {.call = 0}, b = {.call = 0};
        ck_assert_int_eq(acd_waits(x->acd, k->id, &a), acd_waits(y->acd, k->id, &b));
        ck_assert(a.enqueued_us == b.enqueued_us && a.front == b.front && a.region == b.region && a.vip == b.vip);
        ck_assert(a.priority == b.priority && a.last_agent == b.last_agent && a.offers == b.offers);
        ck_assert(a.n_needs == b.n_needs && a.needs[0].skill == b.needs[0].skill && a.needs[0].level == b.needs[0].level);
        ck_assert_uint_eq(acd_position(x->acd, k->id), acd_position(y->acd, k->id));
    }
    const struct map_slot *slot;
    for (size_t it = 0; map_next(&x->callbacks, &it, &slot);) {
        uint64_t id = ((struct callback *)slot->value)->st->id;
        ck_assert_uint_eq(acd_position(x->acd, id), acd_position(y->acd, id));
    }
    for (uint32_t i = 0; i < x->queue_keys; i++)
        ck_assert(!x->queue_by_key[i] || same_rings(x->queue_by_key[i], y->queue_by_key[i]));
    ck_assert_uint_eq(core_next_due_us(x), core_next_due_us(y));
}

/* ---- a random command, mostly sensible for the state at hand */

struct made {
    void *data;
    size_t len;
};

static char *text(char *buf, size_t size, const char *fmt, unsigned n)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(buf, size, fmt, n);
#pragma GCC diagnostic pop
    return buf;
}

static const struct core_call *some_call(const struct core *c)
{
    size_t n = map_count(&c->calls), want = n ? rnd((uint32_t)n) : 0;
    const struct core_call *k = NULL;
    for (size_t i = 0; n && i <= want; i++)
        k = core_call_next(c, k, NULL);
    return k;
}

static uint64_t some_offer(const struct core_call *k)
{
    return k->n_offers > 1 ? k->offers[rnd(k->n_offers)].id : k->offer.id;
}

static uint64_t next_call_id;

/* "small" changes its members, "service" keeps everybody; both change their rules. */
static void some_queue(const struct core *c, Ev__Queue *q)
{
    static Ev__Action action = EV__ACTION__INIT;
    static Ev__QueueKey key = EV__QUEUE_KEY__INIT, *keys[1] = {&key};
    static Ev__QueueMember members[AGENTS], *member_p[AGENTS];
    static char names[AGENTS][8], *preferences[3];
    static const char *const strategies[] = {"longest_idle", "login_order", "fewest_answered",
                                             "random",       "round_robin", "least_occupied", "ring_all"};
    static const char *const preferred[] = {"region", "level", "last_served"};
    bool all = rnd(3) == 0;
    ev__queue__init(q);
    q->name = (char *)(uintptr_t)(all ? "service" : "small");
    q->max_waiting = all ? 0 : 3;
    q->wrap_up_s = rnd(5);
    for (unsigned i = 0; i < AGENTS; i++) {
        if (!all && rnd(2))
            continue;
        ev__queue_member__init(&members[i]);
        members[i].agent = text(names[i], sizeof names[i], "1%03u", i + 1);
        members[i].level = rnd(3);
        member_p[q->n_members++] = &members[i];
    }
    q->members = member_p;
    q->strategy = (char *)(uintptr_t)strategies[rnd(9) % 7];
    q->ring_max = rnd(5);
    q->ring_no_answer = (char *)(uintptr_t)(rnd(2) ? "not_ready" : "");
    uint32_t first = rnd(3), n = rnd(4);
    for (uint32_t i = 0; i < n; i++)
        preferences[q->n_preferences++] = (char *)(uintptr_t)preferred[(first + i) % 3];
    q->preferences = preferences;
    q->priority_step_s = rnd(3) * 20;
    q->target_s = rnd(3) * 10;
    if (core_feature_level(c) < 4)
        return;
    action.type = (char *)(uintptr_t) "callback";
    key.key = (char *)(uintptr_t) "2";
    key.action = &action;
    q->n_keys = 1;
    q->keys = keys;
    q->full_action = rnd(2) ? &action : NULL;
    q->callback_tries = rnd(3);
    q->callback_interval_s = 1 + rnd(5);
}

/* Level, region and a skill that may end soon. */
static void some_agent(Ev__Agent *a, uint64_t now_us)
{
    static Ev__AgentSkill skill, *list[1] = {&skill};
    static char number[8], extension[8], until[CLOCK_TEXT_MAX];
    uint32_t i = 1 + rnd(AGENTS);
    ev__agent__init(a);
    ev__agent_skill__init(&skill);
    a->number = text(number, sizeof number, "1%03u", i);
    a->extension = text(extension, sizeof extension, "8%03u", i);
    a->level = rnd(4);
    a->region = (char *)(uintptr_t)(rnd(2) ? "north" : "");
    a->n_skills = rnd(4) ? 1 : 0;
    a->skills = list;
    skill.skill = (char *)(uintptr_t) "english";
    skill.level = 1 + rnd(4);
    if (rnd(2))
        skill.until = (char *)(uintptr_t)clock_wall_text((struct clock_wall){now_us + rnd(60) * US}, until);
}

static void some_state(Ev__AgentState *s)
{
    static char *reasons[] = {"pause", "meal"};
    ev__agent_state__init(s);
    s->name = (char *)(uintptr_t)(rnd(2) ? "lunch" : "away");
    s->limit_s = rnd(6);
    s->then = (char *)(uintptr_t)(rnd(3) ? "ready" : "logout");
    s->reasons = reasons;
    s->n_reasons = rnd(3);
    s->reason_required = rnd(2) != 0;
}

static Ev__ConfigObject some_config(const struct core *c, uint64_t now_us)
{
    static Ev__Queue q;
    static Ev__Agent a;
    static Ev__AgentState s;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT;
    if (rnd(5) == 0) {
        some_state(&s);
        o.object_case = EV__CONFIG_OBJECT__OBJECT_AGENT_STATE;
        o.agent_state = &s;
    } else if (rnd(2)) {
        some_queue(c, &q);
        o.object_case = EV__CONFIG_OBJECT__OBJECT_QUEUE;
        o.queue = &q;
    } else {
        some_agent(&a, now_us);
        o.object_case = EV__CONFIG_OBJECT__OBJECT_AGENT;
        o.agent = &a;
    }
    return o;
}

/* True: it is about call backs. */
static bool some_callback(const struct core *c, const struct core_call *k, Ev__Command *m)
{
    static Ev__CallBackAsk ask;
    static Ev__CallBackSet set;
    static Ev__CallBackNote noted;
    static Ev__CallQueue choose;
    static char number[32];
    if (core_feature_level(c) < 4 || rnd(8))
        return false;
    (void)text(number, sizeof number, "1380013800%u", rnd(6));
    if (k && k->phase == CORE_CALL_WAITING) {
        ev__call_queue__init(&choose);
        choose.call_id = k->id;
        choose.choice = (char *)(uintptr_t) "2";
        m->body_case = EV__COMMAND__BODY_CALL_QUEUE;
        m->call_queue = &choose;
    } else if (k && k->phase == CORE_CALL_MENU) {
        ev__call_back_note__init(&noted);
        noted.call_id = k->id;
        noted.queue = (char *)(uintptr_t)(rnd(2) ? "service" : "small");
        noted.number = number;
        noted.has_priority = rnd(2);
        noted.priority = rnd(9);
        noted.due_us = rnd(2) ? c->now_us + rnd(30) * US : 0;
        m->body_case = EV__COMMAND__BODY_CALL_BACK_NOTE;
        m->call_back_note = &noted;
    } else if (k && strcmp(k->app, "callback") == 0) {
        ev__call_back_ask__init(&ask);
        ask.call_id = k->id;
        ask.number = rnd(4) ? number : (char *)(uintptr_t) "";
        m->body_case = EV__COMMAND__BODY_CALL_BACK_ASK;
        m->call_back_ask = &ask;
    } else {
        ev__call_back_set__init(&set);
        const struct callback *some = NULL;
        const struct map_slot *slot;
        for (size_t it = 0; map_next(&c->callbacks, &it, &slot);)
            some = slot->value;
        set.cancel = some && rnd(3) == 0;
        set.id = some ? some->st->id : 0;
        set.queue = (char *)(uintptr_t)(rnd(2) ? "service" : "small");
        set.number = number;
        set.due_us = rnd(2) ? c->now_us + rnd(30) * US : 0;
        m->body_case = EV__COMMAND__BODY_CALL_BACK_SET;
        m->call_back_set = &set;
    }
    return true;
}

/* True: a call that talks goes on elsewhere. */
static bool some_transfer(const struct core *c, const struct core_call *k, Ev__Command *m)
{
    static Ev__CallTransfer t;
    static char name[16];
    if (core_feature_level(c) < 4 || !k || k->phase != CORE_CALL_TALKING || rnd(4))
        return false;
    ev__call_transfer__init(&t);
    t.call_id = k->id;
    t.leg = (char *)(uintptr_t)(rnd(2) ? "" : rnd(2) ? "caller" : "callee");
    if (rnd(3) == 0)
        t.queue = (char *)(uintptr_t)(rnd(2) ? "service" : "small");
    else if (rnd(2))
        t.agent = text(name, sizeof name, "1%03u", 1 + rnd(AGENTS + 1));
    else
        t.dialled = rnd(3) ? text(name, sizeof name, "8%03u", 1 + rnd(AGENTS + 2)) : (char *)(uintptr_t) "10000";
    m->body_case = EV__COMMAND__BODY_CALL_TRANSFER;
    m->call_transfer = &t;
    return true;
}

static const struct core_call *some_other(const struct core *c, const struct core_call *but)
{
    const struct core_call *k = some_call(c);
    return k == but ? NULL : k;
}

/* True: somebody joins a call that talks, or what follows from it. */
static bool some_join(const struct core *c, const struct core_call *k, Ev__Command *m)
{
    static Ev__CallJoin join;
    static Ev__CallTurn turn;
    static Ev__CallMode mode;
    static Ev__CallMerge merge;
    static Ev__CallDrop drop;
    static Ev__CallLeft left;
    static char name[16];
    const struct core_call *other = k ? some_other(c, k) : NULL;
    if (core_feature_level(c) < 4 || !other || rnd(3))
        return false;
    if (k->phase != CORE_CALL_TALKING && k->phase != CORE_CALL_JOINED && rnd(4))
        return false;
    uint32_t what = rnd(12);
    if (what < 5) {
        ev__call_join__init(&join);
        join.call_id = k->id;
        join.mode = rnd(2) ? CORE_MODE_CONSULT : rnd(CORE_MODES);
        join.leg = (char *)(uintptr_t)(rnd(2) ? "" : "caller");
        if (rnd(5) == 0)
            join.queue = (char *)(uintptr_t)(rnd(2) ? "service" : "small");
        else if (rnd(4) == 0)
            join.from = other->id;
        else if (rnd(3) == 0)
            join.number = text(name, sizeof name, "1390013900%u", rnd(6));
        else if (rnd(2))
            join.agent = text(name, sizeof name, "1%03u", 1 + rnd(AGENTS + 1));
        else
            join.extension = text(name, sizeof name, "8%03u", 1 + rnd(AGENTS + 2));
        m->body_case = EV__COMMAND__BODY_CALL_JOIN;
        m->call_join = &join;
    } else if (what < 6) {
        ev__call_turn__init(&turn);
        turn.call_id = k->id;
        m->body_case = EV__COMMAND__BODY_CALL_TURN;
        m->call_turn = &turn;
    } else if (what < 8) {
        ev__call_mode__init(&mode);
        mode.call_id = k->id;
        mode.from = rnd(2) ? other->id : 0;
        mode.mode = 1 + rnd(CORE_MODES);
        m->body_case = EV__COMMAND__BODY_CALL_MODE;
        m->call_mode = &mode;
    } else if (what < 10) {
        ev__call_merge__init(&merge);
        merge.call_id = k->id;
        merge.from = rnd(3) ? other->id : 0;
        merge.from_leg = rnd(2) ? 1 + rnd(3) : 0;
        merge.leg = (char *)(uintptr_t)(rnd(2) ? "caller" : "callee");
        m->body_case = EV__COMMAND__BODY_CALL_MERGE;
        m->call_merge = &merge;
    } else if (what < 11) {
        ev__call_drop__init(&drop);
        drop.call_id = k->id;
        drop.party = (char *)(uintptr_t)(rnd(3) ? "caller" : "");
        m->body_case = EV__COMMAND__BODY_CALL_DROP;
        m->call_drop = &drop;
    } else {
        ev__call_left__init(&left);
        left.call_id = k->id;
        left.leg_id = 1 + rnd(3);
        m->body_case = EV__COMMAND__BODY_CALL_LEFT;
        m->call_left = &left;
    }
    return true;
}

static void fill(const struct core *c, Ev__Command *m, struct made *out)
{
    char a[32], b[32];
    Ev__Dialog dialog = EV__DIALOG__INIT;
    dialog.call_id = text(a, sizeof a, "d%u@x", rnd(1000));
    const struct core_call *k = some_call(c);
    uint64_t id = k && rnd(20) ? k->id : rnd(50);
    if (k)
        m->node = (char *)(uintptr_t)(rnd(30) ? k->owner : "n1");
    Ev__CallStart start = EV__CALL_START__INIT;
    Ev__CallMenu menu = EV__CALL_MENU__INIT;
    Ev__CallQueue queue = EV__CALL_QUEUE__INIT;
    Ev__CallDial dial = EV__CALL_DIAL__INIT;
    Ev__CallAnswered answered = EV__CALL_ANSWERED__INIT;
    Ev__OfferAnswered taken = EV__OFFER_ANSWERED__INIT;
    Ev__OfferFailed failed = EV__OFFER_FAILED__INIT;
    Ev__LegUpdate leg = EV__LEG_UPDATE__INIT;
    Ev__CallEnd end = EV__CALL_END__INIT;
    Ev__AgentSet agent = EV__AGENT_SET__INIT;
    Ev__Register reg = EV__REGISTER__INIT;
    Ev__RegisterBinding bind = EV__REGISTER_BINDING__INIT, *binds[1] = {&bind};
    Ev__NodeUp up = EV__NODE_UP__INIT;
    Ev__NodeDown down = EV__NODE_DOWN__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    Ev__ConfigApply config = EV__CONFIG_APPLY__INIT;
    Ev__ConfigObject object = EV__CONFIG_OBJECT__INIT, *objects[1] = {&object};
    char key[32], caller[32];
    uint32_t what = rnd(100);
    if (some_callback(c, k, m) || some_join(c, k, m) || some_transfer(c, k, m)) {
        /* filled */
    } else if (what < 22) {
        static const char *const to[] = {"10000", "10001", "10003", "10003", "8003", "1004",
                                         "*73",   "404",   "10004", "10005", "10006"};
        start.call_id = rnd(40) ? ++next_call_id : id;
        bool phone = rnd(3) == 0;
        start.extension = phone ? text(b, sizeof b, "8%03u", 1 + rnd(AGENTS + 2)) : (char *)(uintptr_t) "";
        start.trunk = (char *)(uintptr_t)(phone ? "" : "demo");
        start.caller = phone ? start.extension : text(caller, sizeof caller, "1380013800%u", rnd(6));
        start.called = (char *)(uintptr_t)to[rnd(11)];
        start.answered = rnd(2) != 0;
        start.dialog = &dialog;
        m->node = (char *)(uintptr_t)(rnd(2) ? "n1" : "n2");
        m->body_case = EV__COMMAND__BODY_CALL_START;
        m->call_start = &start;
    } else if (what < 27) {
        menu.call_id = id;
        menu.flow = (char *)(uintptr_t) "welcome";
        menu.node = text(b, sizeof b, "node%u", rnd(5));
        m->body_case = EV__COMMAND__BODY_CALL_MENU;
        m->call_menu = &menu;
    } else if (what < 34) {
        queue.call_id = id;
        queue.queue = (char *)(uintptr_t)(rnd(3) ? "service" : "small");
        m->body_case = EV__COMMAND__BODY_CALL_QUEUE;
        m->call_queue = &queue;
    } else if (what < 38) {
        dial.call_id = id;
        dial.agent = text(b, sizeof b, "1%03u", 1 + rnd(AGENTS));
        m->body_case = EV__COMMAND__BODY_CALL_DIAL;
        m->call_dial = &dial;
    } else if (what < 50) {
        taken.call_id = id;
        taken.offer_id = k && rnd(10) ? some_offer(k) : rnd(100);
        taken.dialog = &dialog;
        m->body_case = EV__COMMAND__BODY_OFFER_ANSWERED;
        m->offer_answered = &taken;
    } else if (what < 58) {
        failed.call_id = id;
        failed.offer_id = k && rnd(10) ? some_offer(k) : rnd(100);
        failed.cause = (Ev__OfferFailed__Cause)rnd(6);
        m->body_case = EV__COMMAND__BODY_OFFER_FAILED;
        m->offer_failed = &failed;
    } else if (what < 74) {
        end.call_id = id;
        end.by = (char *)(uintptr_t) "caller";
        end.cause = (char *)(uintptr_t) "normal";
        m->body_case = EV__COMMAND__BODY_CALL_END;
        m->call_end = &end;
    } else if (what < 86) {
        agent.agent = text(b, sizeof b, "1%03u", 1 + rnd(AGENTS + 1));
        agent.action = rnd(8) == 0 ? EV__AGENT_SET__ACTION__LOGOUT
                       : rnd(3)    ? EV__AGENT_SET__ACTION__SET_STATE
                                   : EV__AGENT_SET__ACTION__LOGIN;
        static const char *const states[] = {"not_ready", "lunch", "away", "wrap_up"};
        agent.state = (char *)(uintptr_t)(rnd(5) ? "ready" : states[rnd(4)]);
        agent.reason = (char *)(uintptr_t) "pause";
        agent.force = rnd(2) != 0;
        agent.extend_s = strcmp(agent.state, "wrap_up") == 0 ? rnd(4) : 0;
        if (agent.action == EV__AGENT_SET__ACTION__LOGIN && rnd(4) == 0)
            agent.extension = text(a, sizeof a, "8%03u", 1 + rnd(AGENTS));
        m->body_case = EV__COMMAND__BODY_AGENT_SET;
        m->agent_set = &agent;
        if (rnd(3) == 0)
            m->idem_key = text(key, sizeof key, "key%u", rnd(200));
    } else if (what < 91) {
        reg.extension = text(b, sizeof b, "8%03u", AGENTS + rnd(3));
        reg.call_id = text(a, sizeof a, "reg%u", rnd(3));
        reg.cseq = rnd(1000);
        reg.node = (char *)(uintptr_t) "n1";
        reg.remove_all = rnd(10) == 0;
        bind.uri = (char *)(uintptr_t)(rnd(2) ? "sip:a@127.0.0.1:7000" : "sip:b@127.0.0.1:7001");
        bind.expires_us = m->time_us + rnd(40) * US;
        reg.n_bindings = 1;
        reg.bindings = binds;
        m->body_case = EV__COMMAND__BODY_REGISTER;
        m->register_ = &reg;
    } else if (what < 93) {
        leg.call_id = id;
        leg.leg_id = 1 + rnd(3);
        leg.held = rnd(2) != 0;
        leg.dialog = rnd(2) ? &dialog : NULL;
        m->body_case = EV__COMMAND__BODY_LEG_UPDATE;
        m->leg_update = &leg;
    } else if (what < 95) {
        answered.call_id = id;
        m->body_case = EV__COMMAND__BODY_CALL_ANSWERED;
        m->call_answered = &answered;
    } else if (what < 96 && rnd(4) == 0) {
        up.name = (char *)(uintptr_t)(rnd(2) ? "n1" : "n2");
        up.node_id = core_node(c, up.name)->node_id;
        up.incarnation = core_node(c, up.name)->incarnation + rnd(2);
        down.name = up.name;
        down.incarnation = up.incarnation;
        bool is_up = core_node(c, up.name)->up;
        m->body_case = is_up ? EV__COMMAND__BODY_NODE_DOWN : EV__COMMAND__BODY_NODE_UP;
        if (is_up)
            m->node_down = &down;
        else
            m->node_up = &up;
    } else if (what < 98) {
        object = some_config(c, m->time_us);
        config.n_set = 1;
        config.set = objects;
        m->actor = (char *)(uintptr_t) "token:admin";
        m->body_case = EV__COMMAND__BODY_CONFIG_APPLY;
        m->config_apply = &config;
    } else {
        m->body_case = EV__COMMAND__BODY_TICK;
        m->tick = &tick;
    }
    ck_assert_int_eq(core_pack(m, &out->data, &out->len), 0);
}

static void apply(struct fx *f, const struct core_item *items, unsigned n)
{
    struct core_answer *answers[BATCH_MAX];
    f->events[0] = '\0';
    ck_assert_int_eq(core_apply(f->c, ++f->index, 1, items, n, answers), 0);
    for (unsigned i = 0; i < n; i++)
        ck_assert(!answers[i]->skipped);
    core_apply_done(f->c);
}

static size_t called_back(struct fx *f)
{
    json_t *filter = json_pack("{s:s}", "direction", "outbound");
    json_t *all = fx_view(f, "cdr", NULL, filter);
    size_t n = json_array_size(json_object_get(all, "items"));
    json_decref(all);
    json_decref(filter);
    return n;
}

static void history(uint64_t seed)
{
    struct fx f[3];
    rng = seed * 0x9e3779b97f4a7c15ull + 1;
    next_call_id = 100;
    seen_joined = seen_merged = 0;
    for (int i = 0; i < 3; i++) {
        fx_open(&f[i]);
        fx_demo(&f[i], AGENTS);
        ck_assert_int_eq(fx_set(&f[i], "[{'kind':'extension','number':'8009'},{'kind':'extension','number':'8010'},"
                                       "{'kind':'queue','name':'small','max_waiting':3,'wrap_up_s':2,"
                                       "'members':[{'agent':'1001'},{'agent':'1002'}]},"
                                       "{'kind':'access_number','number':'10004','queue':'small','priority':5},"
                                       "{'kind':'access_number','number':'10005','queue':'service','vip':true,'region':'north'},"
                                       "{'kind':'access_number','number':'10006','queue':'service',"
                                       "'skills':[{'skill':'english','level':3}]}]"),
                         0);
        ck_assert_int_eq(fx_set(&f[i], "[{'kind':'parameter','name':'auto_ready_after_s','value':'7'},"
                                       "{'kind':'parameter','name':'min_busy_s','value':'1'},"
                                       "{'kind':'agent_state','name':'lunch','limit_s':3}]"),
                         0);
        if (seed != 1) /* one history as older programs made it */
            ck_assert_int_eq(fx_raise(&f[i], CORE_FEATURE_LEVEL), 0);
        ck_assert_int_eq(fx_set(&f[i], "[{'kind':'trunk','name':'carrier','contact':'sip:192.0.2.9:5060','outbound':true}]"), 0);
    }
    uint64_t now = f[0].now, seq = f[0].seq;
    for (unsigned done = 0; done < COMMANDS;) {
        struct made made[BATCH_MAX];
        struct core_item items[BATCH_MAX];
        unsigned n = 1 + rnd(BATCH_MAX);
        for (unsigned i = 0; i < n; i++) {
            Ev__Command m = EV__COMMAND__INIT;
            now += rnd(3) ? rnd(300) * 1000 : 0; /* many things happen in the same microsecond */
            m.time_us = rnd(20) ? now : now - rnd(1000000);
            m.node = (char *)(uintptr_t) "n1";
            m.actor = (char *)(uintptr_t) "node:n1";
            m.feature_level = CORE_FEATURE_LEVEL;
            fill(f[0].c, &m, &made[i]);
            items[i] = (struct core_item){1, 1, ++seq, made[i].data, made[i].len};
        }
        done += n;
        for (int i = 0; i < 3; i++)
            apply(&f[i], items, n);
        check_rules(f[0].c);
        if (rnd(100) == 0) {
            struct err_info info = {0};
            if (rnd(2))
                fx_reopen(&f[2]);
            else
                ck_assert_msg(core_reload(f[2].c, &info) == 0, "%s", info.text);
            check_rules(f[2].c);
            same_places(f[0].c, f[2].c);
        }
        for (unsigned i = 0; i < n; i++)
            free(made[i].data);
    }
    struct core_counts counts;
    core_get_counts(f[0].c, &counts);
    json_t *all = fx_view(&f[0], "cdr", NULL, NULL);
    ck_assert_uint_gt(json_array_size(json_object_get(all, "items")), 50);
    json_decref(all);
    uint32_t unanswered = 0; /* calls of ours whose first telephone rings: they may go without a record */
    for (const struct core_call *k = NULL; (k = core_call_next(f[0].c, k, NULL));)
        unanswered += core_first_rings(core_call_obj(f[0].c, k->id));
    ck_assert_uint_eq(f[0].c->cdr_seq + counts.calls - unanswered, counts.calls_total); /* one record for each call that ended */
    if (seed != 1) {
        ck_assert_uint_gt(called_back(&f[0]), 20);
        ck_assert_uint_gt(seen_joined, 20);
        ck_assert_uint_gt(seen_merged, 20);
    }
    ck_assert_uint_gt(counts.calls_total, COMMANDS / 20);
    struct storage_digest d[3];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(storage_digest_now(f[i].st, &d[i]), 0);
    for (int i = 1; i < 3; i++) {
        for (unsigned t = 0; t < d[0].n; t++)
            ck_assert_msg(memcmp(d[0].tables[t].sha256, d[i].tables[t].sha256, 32) == 0, "seed %llu: table %s differs",
                          (unsigned long long)seed, d[0].tables[t].table);
        ck_assert_mem_eq(d[0].sha256, d[i].sha256, 32);
    }
    for (int i = 0; i < 3; i++)
        fx_close(&f[i]);
}

START_TEST(test_histories)
{
    static const uint64_t seeds[] = {1, 2, 3};
    const char *want = getenv("EVERLINE_SEED");
    uint64_t seed = want ? strtoull(want, NULL, 10) : seeds[_i];
    printf("seed %llu\n", (unsigned long long)seed);
    (void)fflush(stdout);
    history(seed);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core random histories");
    TCase *t = tcase_create("histories");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_histories, 0, 3);
    suite_add_tcase(s, t);
    return run_suite(s);
}
