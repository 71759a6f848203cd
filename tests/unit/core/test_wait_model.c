/* What queues do with callers who wait, against a model that looks at everybody and every rule each time: overflow by wait, place and estimated
 * wait, longest wait, nobody logged in, queue full, keys, each with actions into flows, queues, telephones and the end; own agents alone for a
 * time; VIPs of the number, of both lists; priorities; readiness and logging out in every state of a call. Random histories over a whole
 * core, restarted now and then; after each command all calls, agents and places are compared. What the queue engine does with strategies and
 * preferences is compared in test_acd_model.c; here agents serve in the order of logging in.
 *
 * Estimates: a caller is looked at in the command that brings him to a queue or back, in one that changes the queue or has its first member
 * in or its last one out, and at each 5 s. The estimate of a queue is reckoned when first needed in a command, after its work, when all
 * who can be served are: from all that became of calls in this and the last 11 periods of 5 minutes (what the sums lead to is compared
 * in test_estimate.c).
 *
 * EVERLINE_SEED=n repeats the history that printed that seed; EVERLINE_WAIT_EVENTS=n sets how many commands there are in all. */
#include <inttypes.h>
#include <time.h>

#include "core/core_int.h"
#include "core/estimate.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/core/wait_rules.h"
#include "tests/unit/suite.h"

enum { CALLS = 14, CALLERS = 8, NOBODY = -1, ACTED_MAX = 32, HISTORIES = 5, PERIODS = 4096 };
enum phase { NONE, WAITS, OFFERED, TALKS, MENU, DIALS, FAILED };
struct caller {
    uint64_t id, queued, entered, front, look, offered, connected;
    enum phase phase;
    int home, also[3], n_also, agent, own, left, who, served; /* served: the queue whose agent it is */
    uint32_t priority, acted;
    bool vip, vip_number, own_done, max_done, none_done, from_queue;
};
struct server {
    bool in, ready, leaving, member[QUEUES];
    uint64_t login;
    int call; /* slot that rings or talks to him */
};
struct model {
    struct caller calls[CALLS];
    struct server agents[AGENTS];
    struct rules rules[QUEUES];
    uint64_t empty_since[QUEUES], front, now, first_period;
    struct estimate_window periods[QUEUES][PERIODS];
    struct estimate estimates[QUEUES];
    bool estimated[QUEUES]; /* in this command */
};
static struct fx f;
static struct model m;
static uint64_t next_id;
static unsigned long served, acted, overflowed, by_estimate, restarts;

/* ---- the model: order and service */

static bool waits_in(const struct caller *k, int q)
{
    bool also = k->home == q;
    for (int i = 0; i < k->n_also; i++)
        also |= k->also[i] == q;
    return also;
}

static bool before(const struct caller *a, const struct caller *b)
{
    if (a->front != b->front)
        return a->front > b->front;
    if (a->vip != b->vip)
        return a->vip;
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->queued != b->queued ? a->queued < b->queued : a->id < b->id;
}

static uint32_t place(const struct caller *k, int q)
{
    uint32_t n = 1;
    for (int i = 0; i < CALLS; i++)
        n += m.calls[i].phase == WAITS && waits_in(&m.calls[i], q) && before(&m.calls[i], k);
    return n;
}

static bool idle(int g)
{
    return m.agents[g].in && m.agents[g].ready && !m.agents[g].leaving && m.agents[g].call == NOBODY;
}

/* Who serves him, for which queue: his own agent, else of his queues the first by number that somebody can serve in. */
static int server_of(const struct caller *k, int *queue)
{
    *queue = k->home;
    if (k->own != NOBODY && idle(k->own))
        return k->own;
    if (k->own != NOBODY && !k->own_done)
        return NOBODY;
    for (int q = 0; q < QUEUES; q++) {
        int best = NOBODY;
        for (int g = 0; waits_in(k, q) && g < AGENTS; g++)
            if (idle(g) && m.agents[g].member[q] && (best == NOBODY || m.agents[g].login < m.agents[best].login))
                best = g;
        *queue = q;
        if (best != NOBODY)
            return best;
    }
    return NOBODY;
}

static void serve_all(void)
{
    for (;;) {
        struct caller *first = NULL;
        int queue;
        for (int i = 0; i < CALLS; i++) {
            struct caller *k = &m.calls[i];
            if (k->phase == WAITS && server_of(k, &queue) != NOBODY && (!first || before(k, first)))
                first = k;
        }
        if (!first)
            return;
        first->agent = server_of(first, &first->served);
        first->phase = OFFERED;
        first->offered = m.now;
        m.agents[first->agent].call = (int)(first - m.calls);
        served++;
    }
}

/* ---- the model: estimates */

static struct estimate_window *period(int q)
{
    uint64_t at = m.now / ESTIMATE_WINDOW_US - m.first_period;
    ck_assert_uint_lt(at, PERIODS);
    return &m.periods[q][at];
}

static uint64_t waiting_in(int q)
{
    uint64_t n = 0;
    for (int i = 0; i < CALLS; i++)
        n += m.calls[i].phase == WAITS && waits_in(&m.calls[i], q);
    return n;
}

/* In thousandths: who serves several queues is divided among them by who waits there. */
static uint64_t at_work(int q)
{
    uint64_t sum = 0, mine = waiting_in(q) ? waiting_in(q) : 1;
    for (int g = 0; g < AGENTS; g++) {
        const struct server *a = &m.agents[g];
        uint64_t all = mine;
        for (int o = 0; o < QUEUES; o++)
            all += o != q && a->member[o] ? waiting_in(o) : 0;
        sum += a->member[q] && a->in && a->ready && !a->leaving ? 1000 * mine / all : 0;
    }
    return sum;
}

static struct estimate reckon(int q)
{
    struct estimate_window sum = {.served = 3, .busy_us = 3 * 180 * US};
    for (const struct estimate_window *w = period(q); w >= m.periods[q] && w > period(q) - 12; w--) {
        sum.served += w->served;
        sum.busy_us += w->busy_us;
        sum.left += w->left;
        sum.waited_us += w->waited_us;
    }
    uint64_t handling = sum.busy_us / sum.served;
    return (struct estimate){.serving = at_work(q) * 1000000000 / (handling ? handling : 1),
                             .leaving = sum.waited_us ? sum.left * 1000000000 / (sum.waited_us / 1000 + 1) : 0};
}

static bool waits_longer(const struct caller *k, uint32_t seconds)
{
    if (!m.estimated[k->home])
        m.estimates[k->home] = reckon(k->home);
    m.estimated[k->home] = true;
    return estimate_exceeds(&m.estimates[k->home], place(k, k->home), seconds);
}

static void look_at_all(int q)
{
    for (int i = 0; i < CALLS; i++)
        if (m.calls[i].phase == WAITS && m.calls[i].home == q)
            m.calls[i].look = m.now;
}

/* ---- the model: rules */

static uint32_t waiting_home(int q)
{
    uint32_t n = 0;
    for (int i = 0; i < CALLS; i++)
        n += m.calls[i].phase == WAITS && m.calls[i].home == q;
    return n;
}

static bool full(int q)
{
    return m.rules[q].max_waiting && waiting_home(q) >= m.rules[q].max_waiting;
}

static bool act(struct caller *k, struct action a);

/* Callers 0 and 1 are in the global list, 1 and 2 in that of q1; 3 and 4 have agents of their own, 1 and 2. */
static void enter(struct caller *k, int q, bool again)
{
    k->home = q;
    if (full(q)) {
        if (!m.rules[q].full.what || !act(k, m.rules[q].full))
            k->phase = FAILED;
        return;
    }
    k->queued = again ? k->queued : m.now;
    k->entered = m.now;
    k->front = 0;
    k->max_done = k->none_done = k->own_done = false;
    k->n_also = 0;
    if (!k->vip_number)
        k->vip = m.rules[q].vip == 1 ? k->who < 2 : m.rules[q].vip == 2 && q == 1 && (k->who == 1 || k->who == 2);
    if (k->own == NOBODY && (k->who == 3 || k->who == 4))
        k->own = k->who - 2;
    k->own_done = k->own == NOBODY || !m.agents[k->own].in || !m.rules[q].own_wait_s;
    k->phase = WAITS;
    k->look = m.now;
}

static void leave(struct caller *k)
{
    if (k->home != NOBODY)
        k->left = k->home;
    k->home = NOBODY;
}

static bool act(struct caller *k, struct action a)
{
    acted++;
    if (++k->acted > ACTED_MAX) {
        k->phase = FAILED;
        return true;
    }
    if (a.what == TO_FLOW) {
        leave(k);
        k->phase = MENU;
    } else if (a.what == TO_QUEUE) {
        if (full(a.target) && !m.rules[a.target].full.what)
            return false;
        leave(k);
        enter(k, a.target, k->queued != 0);
    } else if (a.what == TO_AGENT) {
        struct server *g = &m.agents[a.target];
        if (!g->in || g->leaving || g->call != NOBODY)
            return false;
        k->agent = a.target;
        k->phase = DIALS;
        g->call = (int)(k - m.calls);
        leave(k);
    } else if (a.what == TO_NOWHERE) {
        return false; /* a number outside, and no way out */
    } else {
        k->phase = FAILED;
    }
    return true;
}

static int logged_in(int q)
{
    int n = 0;
    for (int g = 0; g < AGENTS; g++)
        n += m.agents[g].member[q] && m.agents[g].in;
    return n;
}

/* Whether its time has come; since when, for the order among callers. */
enum rule { OWN, SPILL_0, SPILL_1, NO_AGENTS, MAX_WAIT, RULES };
static bool spill_due(const struct caller *k, const struct spill *s, uint64_t *at)
{
    *at = s->after_s ? k->entered + s->after_s * US : s->longer_s ? k->look : m.now;
    return !waits_in(k, s->queue) && *at <= m.now && (!s->behind || place(k, k->home) > s->behind);
}

static bool due(const struct caller *k, enum rule r, uint64_t *at)
{
    const struct rules *q = &m.rules[k->home];
    *at = m.now;
    if (r == OWN) {
        if (!k->own_done && m.agents[k->own].in)
            *at = k->entered + q->own_wait_s * US;
        return !k->own_done && *at <= m.now;
    }
    if (r == SPILL_0 || r == SPILL_1) {
        return r - SPILL_0 < (enum rule)q->n_spills && spill_due(k, &q->spills[r - SPILL_0], at);
    }
    if (r == NO_AGENTS) {
        uint64_t from = m.empty_since[k->home] > k->entered ? m.empty_since[k->home] : k->entered;
        *at = from + q->no_agents_wait_s * US;
        return !k->none_done && q->no_agents.what && !logged_in(k->home) && *at <= m.now;
    }
    *at = k->entered + q->max_wait_s * US;
    return !k->max_done && q->max_wait.what && q->max_wait_s && *at <= m.now;
}

static void lead_away(struct caller *k, struct action a, bool *done)
{
    const struct caller was = *k;
    k->phase = NONE; /* while it is done he stands nowhere */
    if (act(k, a)) {
        k->from_queue = k->phase == DIALS;
        if (k->from_queue)
            k->left = was.home;
        if (k->from_queue && done)
            *done = true;
        return;
    }
    uint32_t n = k->acted;
    *k = was;
    k->acted = n;
    if (done)
        *done = true;
}

/* Its time has come: is it done? Other rules ask for nothing more. */
static bool applies(const struct caller *k, enum rule r)
{
    uint32_t longer_s = r == SPILL_0 || r == SPILL_1 ? m.rules[k->home].spills[r - SPILL_0].longer_s : 0;
    return !longer_s || waits_longer(k, longer_s);
}

static void perform(struct caller *k, enum rule r)
{
    const struct rules *q = &m.rules[k->home];
    if (r == OWN)
        k->own_done = true;
    else if (r == NO_AGENTS)
        lead_away(k, q->no_agents, &k->none_done);
    else if (r == MAX_WAIT)
        lead_away(k, q->max_wait, &k->max_done);
    else {
        k->also[k->n_also++] = q->spills[r - SPILL_0].queue;
        overflowed++;
        by_estimate += q->spills[r - SPILL_0].longer_s != 0;
    }
}

static void settle(void)
{
    memset(m.estimated, 0, sizeof m.estimated);
    for (;;) {
        struct caller *next = NULL;
        uint64_t earliest = UINT64_MAX, at;
        serve_all();
        for (int i = 0; i < CALLS; i++) {
            struct caller *k = &m.calls[i];
            for (enum rule r = OWN; k->phase == WAITS && r < RULES; r++)
                if (due(k, r, &at) && (at < earliest || (at == earliest && k->id < next->id))) {
                    earliest = at;
                    next = k;
                }
        }
        if (!next)
            return;
        enum rule r = OWN;
        while (r < RULES && !(due(next, r, &at) && applies(next, r)))
            r++;
        if (r < RULES)
            perform(next, r);
        else
            next->look = (m.now / (5 * US) + 1) * 5 * US;
    }
}

/* ---- the model: agents and ends of rings */

static void set_in(int g, bool in)
{
    m.agents[g].in = in;
    for (int q = 0; q < QUEUES; q++)
        if (m.agents[g].member[q] && logged_in(q) == in)
            look_at_all(q);
    for (int q = 0; q < QUEUES; q++)
        m.empty_since[q] = !m.rules[q].no_agents.what || logged_in(q) ? 0 : m.empty_since[q] ? m.empty_since[q] : m.now;
}

static void free_agent(int g)
{
    m.agents[g].call = NOBODY;
    if (m.agents[g].leaving) {
        m.agents[g].leaving = false;
        set_in(g, false);
    }
}

static void rings_no_more(struct caller *k)
{
    int g = k->agent;
    k->agent = NOBODY;
    if (k->phase == OFFERED) {
        k->own_done |= g == k->own;
        k->front = ++m.front;
        k->phase = WAITS;
        k->look = m.now;
    } else if (k->from_queue) {
        k->from_queue = false;
        k->home = k->left;
        k->left = NOBODY;
        k->phase = WAITS;
        k->look = m.now;
    } else {
        k->phase = FAILED;
    }
    free_agent(g);
}

/* ---- comparing */

static void same_call(const struct caller *k)
{
    static const enum core_call_phase phases[] = {
        [WAITS] = CORE_CALL_WAITING, [OFFERED] = CORE_CALL_OFFERED, [TALKS] = CORE_CALL_TALKING,
        [MENU] = CORE_CALL_MENU,     [DIALS] = CORE_CALL_DIALLING,  [FAILED] = CORE_CALL_FAILED};
    const struct call *c = core_call_obj(f.c, k->id);
    char text[16];
    ck_assert_ptr_nonnull(c);
    const Ev__CallState *s = c->st;
    ck_assert_msg(s->phase == phases[k->phase], "call %" PRIu64 " of %d is in phase %u, not %d", k->id, k->who,
                  s->phase, k->phase);
    if (k->phase == OFFERED || k->phase == DIALS)
        ck_assert_str_eq(s->offer_agent, number(text, "1", 1 + k->agent));
    if (k->phase != WAITS && k->phase != OFFERED)
        return;
    ck_assert_str_eq(s->queue, queues[k->home]);
    ck_assert_uint_eq(s->n_overflow, (unsigned)k->n_also);
    for (int i = 0; i < k->n_also; i++)
        ck_assert_str_eq(s->overflow[i], queues[k->also[i]]);
    ck_assert_int_eq(s->vip, k->vip);
    if (k->phase == WAITS)
        ck_assert_uint_eq(acd_position(f.c->acd, k->id), place(k, k->home));
}

static void same(void)
{
    for (int i = 0; i < CALLS; i++)
        if (m.calls[i].phase != NONE)
            same_call(&m.calls[i]);
    for (int g = 0; g < AGENTS; g++) {
        const struct server *a = &m.agents[g];
        char text[16];
        enum core_agent_state want = !a->in              ? CORE_AGENT_LOGGED_OUT
                                     : a->call == NOBODY ? a->ready ? CORE_AGENT_IDLE : CORE_AGENT_NOT_READY
                                     : m.calls[a->call].phase == TALKS ? CORE_AGENT_TALKING
                                                                       : CORE_AGENT_RINGING;
        ck_assert_msg(fx_state(&f, number(text, "1", 1 + g)) == want, "agent %d is %d, not %d", g, fx_state(&f, text),
                      want);
    }
}

/* ---- configuration */

static void set_queue(int q)
{
    struct rules r = draw_rules(q);
    char text[2048];
    bool member[AGENTS];
    for (int g = 0; g < AGENTS; g++)
        m.agents[g].member[q] = member[g] = rnd(2) != 0;
    rules_text(text, sizeof text, q, &r, member);
    ck_assert_msg(fx_set(&f, text) == 0, "%s: %s in %s", f.last.field, f.last.text, text);
    m.now = f.c->now_us;
    m.rules[q] = r;
    m.empty_since[q] = !r.no_agents.what || logged_in(q) ? 0 : m.empty_since[q] ? m.empty_since[q] : m.now;
    look_at_all(q);
}

static void set_up(uint64_t seed)
{
    memset(&m, 0, sizeof m);
    rng = seed;
    fx_open(&f);
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 1), 0);
    ck_assert_int_eq(fx_raise(&f, CORE_FEATURE_LEVEL), 0);
    m.first_period = f.c->now_us / ESTIMATE_WINDOW_US;
    char text[4096] = "[{'kind':'trunk','name':'demo','sources':['127.0.0.0/"
                      "8']},{'kind':'flow','name':'welcome','definition':{'name':'welcome'}},"
                      "{'kind':'parameter','name':'state_limit_s','value':'604800'}";
    for (int g = 0; g < AGENTS; g++) {
        size_t at = strlen(text);
        (void)snprintf(text + at, sizeof text - at,
                       ",{'kind':'extension','number':'8%d','contact':'sip:8@127.0.0.1:900%d'},{'kind':'agent','number'"
                       ":'1%d','extension':'8%d'%s}",
                       1 + g, g, 1 + g, 1 + g,
                       g == 1   ? ",'customers':['903']"
                       : g == 2 ? ",'customers':['904']"
                                : "");
    }
    for (int q = 0; q < QUEUES; q++) {
        size_t at = strlen(text);
        (void)snprintf(text + at, sizeof text - at,
                       ",{'kind':'queue','name':'%s'},{'kind':'access_number','number':'2%d','queue':'%s'%s}",
                       queues[q], q, queues[q], q == 1 ? ",'priority':3" : "");
    }
    (void)strcat(text, ",{'kind':'access_number','number':'23','queue':'q0','vip':true},{'kind':'access_number','"
                       "number':'24','queue':'q2','dedicated_agent':'14'}]");
    ck_assert_msg(fx_set(&f, text) == 0, "%s: %s", f.last.field, f.last.text);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'vip','entry':'900'},{'kind':'vip','entry':'901'},{'kind':'vip','entry':'901@"
                                "q1'},{'kind':'vip','entry':'902@q1'}]"),
                     0);
    for (int g = 0; g < AGENTS; g++)
        m.agents[g].call = NOBODY;
    for (int q = 0; q < QUEUES; q++)
        set_queue(q);
}

/* ---- events; each brings the model to just after its command, before what follows from it (settle) */

static void event_start(void)
{
    struct caller *k = m.calls;
    char caller[16], called[16];
    while (k < m.calls + CALLS && k->phase != NONE)
        k++;
    if (k == m.calls + CALLS)
        return;
    int to = (int)rnd(5);
    *k = (struct caller){
        .id = ++next_id, .who = (int)rnd(CALLERS), .agent = NOBODY, .own = to == 4 ? 3 : NOBODY, .left = NOBODY};
    ck_assert_int_eq(fx_start(&f, k->id, number(caller, "90", k->who), number(called, "2", to), true), 0);
    m.now = f.c->now_us;
    k->priority = to == 1 ? 3 : 0;
    k->vip = k->vip_number = to == 3;
    k->phase = NONE;
    enter(k, to < QUEUES ? to : to == 3 ? 0 : 2, false);
}

static struct caller *some_in(unsigned phases)
{
    struct caller *found = NULL;
    unsigned n = 0;
    for (int i = 0; i < CALLS; i++)
        if (phases & 1u << m.calls[i].phase && rnd(++n) == 0)
            found = &m.calls[i];
    return found;
}

static void event_end(void)
{
    struct caller *k = some_in(rnd(3) ? 1u << TALKS | 1u << MENU | 1u << FAILED : ~(1u << NONE));
    if (!k)
        return;
    ck_assert_int_eq(fx_end(&f, k->id, "caller"), 0);
    m.now = f.c->now_us;
    if (k->phase == WAITS || k->phase == OFFERED) {
        period(k->home)->left++;
        period(k->home)->waited_us += m.now - k->queued;
    } else if (k->phase == TALKS && k->home != NOBODY) {
        period(k->served)->served++;
        period(k->served)->busy_us += m.now - k->connected;
    }
    k->phase = NONE;
    if (k->agent != NOBODY)
        free_agent(k->agent);
}

static void event_answer(void)
{
    struct caller *k = some_in(1u << OFFERED | 1u << DIALS);
    if (!k)
        return;
    ck_assert_int_eq(fx_answer(&f, k->id, core_call(f.c, k->id)->offer.id), 0);
    m.now = f.c->now_us;
    if (k->phase == OFFERED) {
        period(k->home)->waited_us += m.now - k->queued;
        period(k->served)->busy_us += m.now - k->offered;
    }
    k->connected = m.now;
    k->phase = TALKS;
    k->from_queue = false;
}

static void event_fail(void)
{
    struct caller *k = some_in(1u << OFFERED | 1u << DIALS);
    if (!k)
        return;
    ck_assert_int_eq(fx_fail(&f, k->id, core_call(f.c, k->id)->offer.id, (Ev__OfferFailed__Cause)rnd(3)), 0);
    m.now = f.c->now_us;
    if (k->phase == OFFERED)
        m.agents[k->agent].ready = false;
    rings_no_more(k);
}

static void event_agent(void)
{
    int g = (int)rnd(AGENTS);
    char text[16];
    struct server *a = &m.agents[g];
    bool rings = a->call != NOBODY && m.calls[a->call].phase != TALKS;
    number(text, "1", 1 + g);
    if (!a->in || rnd(12) == 0) {
        bool in = !a->in || a->leaving || (a->in && rnd(8) == 0);
        ck_assert_int_eq(in ? fx_login(&f, text) : fx_logout(&f, text), 0);
        m.now = f.c->now_us;
        if (in && !a->in) {
            a->login = m.now;
            set_in(g, true);
            a->ready = true;
        } else if (in && a->leaving) {
            a->leaving = false;
            a->ready = true;
        } else if (!in) {
            a->leaving = true;
            if (rings)
                rings_no_more(&m.calls[a->call]);
            else if (a->call == NOBODY)
                free_agent(g);
        }
        return;
    }
    bool ready = rnd(3) != 0;
    ck_assert_int_eq(ready ? fx_ready(&f, text) : fx_not_ready(&f, text), 0);
    m.now = f.c->now_us;
    a->ready = ready;
}

static void event_queue(void)
{
    struct caller *k = some_in(1u << MENU);
    if (!k)
        return;
    int q = (int)rnd(QUEUES);
    int rc = fx_queue(&f, k->id, queues[q]);
    m.now = f.c->now_us;
    bool refused = full(q) && !m.rules[q].full.what;
    ck_assert_int_eq(rc, refused ? ERR_BUSY : 0);
    if (!refused)
        enter(k, q, false);
}

static void event_key(void)
{
    struct caller *k = some_in(1u << WAITS);
    if (!k)
        return;
    Ev__CallQueue c = EV__CALL_QUEUE__INIT;
    c.call_id = k->id;
    c.choice = (char *)(uintptr_t) "1";
    FX_BODY(CALL_QUEUE, call_queue, c);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    m.now = f.c->now_us;
    if (m.rules[k->home].key.what)
        lead_away(k, m.rules[k->home].key, NULL);
}

static void event_tick(void)
{
    f.now += rnd(3) ? rnd(2000000) : rnd(8) * US;
    ck_assert_int_eq(fx_tick(&f), 0);
    m.now = f.c->now_us;
}

static void event_config(void)
{
    set_queue((int)rnd(QUEUES));
}

static void event_restart(void)
{
    fx_reopen(&f);
    restarts++;
}

static const struct {
    void (*happen)(void);
    unsigned share;
} events[] = {{event_start, 250}, {event_end, 200}, {event_answer, 130}, {event_fail, 30},   {event_agent, 240},
              {event_queue, 40},  {event_key, 30},  {event_tick, 220},   {event_config, 12}, {event_restart, 2}};

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t first_seed;

START_TEST(test_random_history)
{
    uint64_t seed = first_seed + (uint64_t)_i, total = number_from("EVERLINE_WAIT_EVENTS", 100000) / HISTORIES, all = 0;
    set_up(seed);
    settle();
    same();
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        all += events[i].share;
    for (uint64_t n = 0; n < total; n++) {
        uint32_t dice = rnd((uint32_t)all);
        size_t at = 0;
        while (dice >= events[at].share)
            dice -= events[at++].share;
        events[at].happen();
        settle();
        same();
    }
    printf("  %" PRIu64 " commands, %lu served, %lu actions, %lu overflows (%lu by estimate), %lu "
           "restarts, EVERLINE_SEED=%" PRIu64 "\n",
           total, served, acted, overflowed, by_estimate, restarts, seed);
    ck_assert(served > total / 50 && acted > total / 50 && overflowed > total / 100 && by_estimate > total / 400);
    fx_close(&f);
}
END_TEST

int main(void)
{
    first_seed = number_from("EVERLINE_SEED", (uint64_t)time(NULL));
    Suite *s = suite_create("core: callers who wait against a model");
    TCase *t = tcase_create("random histories");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, test_random_history, 0, HISTORIES);
    suite_add_tcase(s, t);
    return run_suite(s);
}
