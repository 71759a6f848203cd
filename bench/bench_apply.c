/* What applying costs: CPU microseconds for a command and for a whole queued call (CallStart, OfferAnswered, CallEnd), SQLite
 * included, each command an entry of its own, with a COMMIT of its own (the worst case) or shared as in a node, and in batches
 * as they come under load; and what of it grows with the queue: with as many agents as one can have, and with as many who want to be called
 * back as are kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/core.h"
#include "storage/storage.h"
#include "tests/folder.h"

#define AGENTS 100u
#define AGENTS_MANY 5000u
#define CALLBACKS 20000u
#define CALLS 4000u
#define BATCH 32u
#define GROUP 16u /* entries that share a COMMIT: a node at 50 queued calls a second */

struct bench {
    char dir[64];
    struct storage *st;
    struct core *c;
    uint64_t index, seq, now;
    struct core_item items[BATCH];
    unsigned n, batch, group;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_apply: %s\n", what);
    exit(1);
}

static double cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static char *word(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void flush(struct bench *b)
{
    struct core_answer *answers[BATCH];
    if (!b->n)
        return;
    if (core_apply(b->c, ++b->index, 1, b->items, b->n, answers) != 0)
        die("apply failed");
    for (unsigned i = 0; i < b->n; i++) {
        if (answers[i]->skipped || answers[i]->code)
            die(answers[i]->text);
        free((void *)(uintptr_t)b->items[i].data);
    }
    core_apply_done(b->c);
    b->n = 0;
    if (b->group && b->index % b->group == 0 && storage_flush(b->st) != 0)
        die("flush failed");
}

static void run(struct bench *b, Ev__Command *m)
{
    void *data;
    size_t len;
    m->time_us = b->now += 1000;
    m->node = m->origin = word("n1");
    m->actor = word("node:n1");
    m->feature_level = CORE_FEATURE_LEVEL;
    if (core_pack(m, &data, &len) != 0)
        die("no memory");
    b->items[b->n++] = (struct core_item){1, 1, ++b->seq, data, len};
    if (b->n == b->batch)
        flush(b);
}

static void config(struct bench *b, Ev__ConfigObject__ObjectCase kind, void *object)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__ConfigApply a = EV__CONFIG_APPLY__INIT;
    Ev__ConfigObject o = EV__CONFIG_OBJECT__INIT, *list[1] = {&o};
    o.object_case = kind;
    o.extension = object;
    a.n_set = 1;
    a.set = list;
    m.body_case = EV__COMMAND__BODY_CONFIG_APPLY;
    m.config_apply = &a;
    run(b, &m);
}

/* Here all of the newest behaviour is on. */
static void found(struct bench *b)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__NodeUp up = EV__NODE_UP__INIT;
    up.name = word("n1");
    up.node_id = up.incarnation = 1;
    up.max_feature_level = CORE_FEATURE_LEVEL;
    m.body_case = EV__COMMAND__BODY_NODE_UP;
    m.node_up = &up;
    run(b, &m);
    Ev__FeatureLevel level = EV__FEATURE_LEVEL__INIT;
    level.level = CORE_FEATURE_LEVEL;
    m.body_case = EV__COMMAND__BODY_FEATURE;
    m.feature = &level;
    run(b, &m);
}

static void set_up(struct bench *b, unsigned agents)
{
    found(b);
    Ev__Trunk t = EV__TRUNK__INIT;
    t.name = word("demo");
    t.contact = word("sip:127.0.0.1:9100");
    t.outbound = true;
    config(b, EV__CONFIG_OBJECT__OBJECT_TRUNK, &t);
    static char numbers[AGENTS_MANY][2][16];
    static Ev__QueueMember members[AGENTS_MANY], *list[AGENTS_MANY];
    for (unsigned i = 0; i < agents; i++) {
        Ev__Extension x = EV__EXTENSION__INIT;
        Ev__Agent a = EV__AGENT__INIT;
        (void)snprintf(numbers[i][0], 16, "8%04u", i);
        (void)snprintf(numbers[i][1], 16, "1%04u", i);
        x.number = a.extension = numbers[i][0];
        x.contact = word("sip:127.0.0.1:9000");
        config(b, EV__CONFIG_OBJECT__OBJECT_EXTENSION, &x);
        a.number = numbers[i][1];
        config(b, EV__CONFIG_OBJECT__OBJECT_AGENT, &a);
        ev__queue_member__init(&members[i]);
        members[i].agent = numbers[i][1];
        list[i] = &members[i];
    }
    Ev__Queue q = EV__QUEUE__INIT;
    q.name = word("service");
    q.n_members = agents;
    q.members = list;
    config(b, EV__CONFIG_OBJECT__OBJECT_QUEUE, &q);
    Ev__AccessNumber n = EV__ACCESS_NUMBER__INIT;
    n.number = word("10003");
    n.queue = word("service");
    config(b, EV__CONFIG_OBJECT__OBJECT_ACCESS_NUMBER, &n);
    Ev__AccessNumber e = EV__ACCESS_NUMBER__INIT;
    e.number = word("10001");
    e.app = word("echo");
    config(b, EV__CONFIG_OBJECT__OBJECT_ACCESS_NUMBER, &e);
    for (unsigned i = 0; i < agents; i++) {
        Ev__Command m = EV__COMMAND__INIT;
        Ev__AgentSet s = EV__AGENT_SET__INIT;
        s.agent = numbers[i][1];
        m.body_case = EV__COMMAND__BODY_AGENT_SET;
        m.agent_set = &s;
        run(b, &m);
    }
    flush(b);
}

static Ev__Dialog dialog(void)
{
    Ev__Dialog d = EV__DIALOG__INIT;
    d.call_id = word("f81d4fae-7dec-11d0-a765-00a0c91e6bf6@192.0.2.44");
    d.local_uri = word("sip:10003@192.0.2.1:5060");
    d.remote_uri = word("sip:13800138000@192.0.2.44:5060");
    d.local_tag = word("as7d8f9a7sdf");
    d.remote_tag = word("9fxced76sl");
    d.remote_target = word("sip:13800138000@192.0.2.44:5062;transport=udp");
    d.transport = word("udp");
    d.flow = word("udp:192.0.2.44:5060");
    d.local_address = word("192.0.2.1:5060");
    d.local_sdp = word(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8 0 101\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n");
    d.remote_sdp = d.local_sdp;
    d.media_address = word("192.0.2.1:20000");
    d.inbound = true;
    d.local_cseq = d.remote_cseq = 1;
    return d;
}

static void start(struct bench *b, uint64_t id, const char *called)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__Dialog d = dialog();
    Ev__CallStart s = EV__CALL_START__INIT;
    s.call_id = id;
    s.caller = word("13800138000");
    s.called = word(called);
    s.trunk = word("demo");
    s.answered = true;
    s.dialog = &d;
    m.body_case = EV__COMMAND__BODY_CALL_START;
    m.call_start = &s;
    run(b, &m);
}

static void answer(struct bench *b, uint64_t id, uint64_t offer)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__Dialog d = dialog();
    Ev__OfferAnswered a = EV__OFFER_ANSWERED__INIT;
    a.call_id = id;
    a.offer_id = offer;
    a.dialog = &d;
    m.body_case = EV__COMMAND__BODY_OFFER_ANSWERED;
    m.offer_answered = &a;
    run(b, &m);
}

static void end(struct bench *b, uint64_t id)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__LegQuality q[2], *list[2] = {&q[0], &q[1]};
    Ev__CallEnd e = EV__CALL_END__INIT;
    for (unsigned i = 0; i < 2; i++) {
        ev__leg_quality__init(&q[i]);
        q[i].leg_id = i + 1;
        q[i].rx_packets = q[i].tx_packets = 3000;
    }
    e.call_id = id;
    e.by = word("caller");
    e.cause = word("normal");
    e.n_quality = 2;
    e.quality = list;
    m.body_case = EV__COMMAND__BODY_CALL_END;
    m.call_end = &e;
    run(b, &m);
}

/* Calls go through in groups of 64 that are up at the same time: offers are read from the state as a node would. */
static double queued_calls(struct bench *b, uint64_t first)
{
    const unsigned group = 64;
    double t0 = cpu_us();
    for (unsigned done = 0; done < CALLS; done += group) {
        uint64_t id = first + done;
        for (unsigned i = 0; i < group; i++)
            start(b, id + i, "10003");
        flush(b);
        for (unsigned i = 0; i < group; i++) {
            const struct core_call *k = core_call(b->c, id + i);
            if (!k || !k->offer.id)
                die("a call was not offered");
            answer(b, id + i, k->offer.id);
        }
        flush(b);
        for (unsigned i = 0; i < group; i++)
            end(b, id + i);
        flush(b);
    }
    return (cpu_us() - t0) / (CALLS / group * group + (CALLS % group ? group : 0));
}

static double echo_calls(struct bench *b, uint64_t first)
{
    double t0 = cpu_us();
    for (unsigned i = 0; i < CALLS; i++) {
        start(b, first + i, "10001");
        end(b, first + i);
    }
    flush(b);
    return (cpu_us() - t0) / CALLS;
}

static void begin(struct bench *b)
{
    struct err_info info = {0};
    *b = (struct bench){.dir = "/tmp/everline-bench-XXXXXX", .batch = 1, .now = 1700000000000000ull};
    if (!mkdtemp(b->dir) || storage_open(b->dir, &b->st, &info) != 0 || core_open(b->st, NULL, &b->c, &info) != 0)
        die(info.text);
}

static void finish(struct bench *b)
{
    core_close(b->c);
    storage_close(b->st);
    folder_remove(b->dir);
}

/* In a year: they wait for their time, and are looked through by nobody but whoever comes to their queue. */
static void ask_call_backs(struct bench *b)
{
    for (unsigned i = 0; i < CALLBACKS; i++) {
        char number[16];
        Ev__Command m = EV__COMMAND__INIT;
        Ev__CallBackSet s = EV__CALL_BACK_SET__INIT;
        (void)snprintf(number, sizeof number, "139%08u", i);
        s.queue = word("service");
        s.number = number;
        s.due_us = b->now + 300ull * 24 * 3600 * 1000000;
        m.body_case = EV__COMMAND__BODY_CALL_BACK_SET;
        m.call_back_set = &s;
        run(b, &m);
    }
    flush(b);
}

/* Entries that share a COMMIT, as in a node. */
static void large(double *agents, double *call_backs)
{
    struct bench b;
    begin(&b);
    storage_set_grouping(b.st, true);
    b.batch = BATCH;
    set_up(&b, AGENTS_MANY);
    b.batch = 1;
    b.group = GROUP;
    *agents = queued_calls(&b, 1000000);
    b.batch = BATCH;
    ask_call_backs(&b);
    b.batch = 1;
    *call_backs = queued_calls(&b, 2000000);
    finish(&b);
}

int main(void)
{
    struct bench b;
    begin(&b);
    set_up(&b, AGENTS);
    double single = queued_calls(&b, 1000000), echo = echo_calls(&b, 2000000);
    storage_set_grouping(b.st, true);
    b.group = GROUP;
    double grouped = queued_calls(&b, 5000000), echo_grouped = echo_calls(&b, 6000000);
    storage_set_grouping(b.st, false);
    b.group = 0;
    b.batch = BATCH;
    double batched = queued_calls(&b, 3000000), echo_batched = echo_calls(&b, 4000000);
    printf("apply_queued_call_grouped: %.1f us CPU (ratio %.2f of the goal of 150, COMMIT shared by %u entries)\n",
           grouped, grouped / 150, GROUP);
    printf("apply_queued_call_single: %.1f us CPU (ratio %.2f of grouped, each entry its own COMMIT)\n", single,
           single / grouped);
    printf("apply_queued_call_batched: %.1f us CPU (ratio %.2f of single, batches of %u)\n", batched, batched / single,
           BATCH);
    printf("apply_echo_call_grouped: %.1f us CPU (ratio %.2f of single)\n", echo_grouped, echo_grouped / echo);
    printf("apply_echo_call_single: %.1f us CPU (ratio %.2f of a queued call)\n", echo, echo / single);
    printf("apply_echo_call_batched: %.1f us CPU (ratio %.2f of single)\n", echo_batched, echo_batched / echo);
    printf("apply_command_single: %.1f us CPU (ratio %.2f of a batched one)\n", single / 3, single / batched);
    finish(&b);
    double agents, call_backs;
    large(&agents, &call_backs);
    printf("apply_queued_call_agents_%u: %.1f us CPU (ratio %.2f of grouped, which has %u agents)\n", AGENTS_MANY,
           agents, agents / grouped, AGENTS);
    printf("apply_queued_call_callbacks_%u: %.1f us CPU (ratio %.2f of the same without)\n", CALLBACKS, call_backs,
           call_backs / agents);
    return 0;
}
