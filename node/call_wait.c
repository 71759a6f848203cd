/* What a caller hears who waits in a queue, and between waiting and talking.
 *
 *   entered            first                    first + every            first + 2 every
 *   |welcome|music.....|announcement|music......|announcement|music......|...
 *
 * Each piece of speech has its time by the wait clock alone, and so the music has its place: a new owner finds out what was being said and
 * goes on in the middle of it, nothing of this is written down. What began when nobody was there to say it (from a second before
 * the takeover on) is said from its beginning. Speech that is due while something is being said waits for that to end; if several
 * pieces are due by then the last of them is said. While an agent is being rung nothing is announced.
 *
 * A queue may have its callers told the notices that are for them (core/core_notice.c): when an announcement is due, before it. That one begins,
 * and what has become of it, is in the state: a new owner says it once more from its beginning, and it is counted once.
 *
 * A queue may have the number of the agent who answers told before the two are joined. The agent hears a short tone meanwhile. It is
 * not in the state that this was done: a new owner joins them at once. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/estimate.h"
#include "node/call_int.h"
#include "telephony/speak_queue.h"

#define NEVER UINT64_MAX
#define SECOND_US 1000000u
#define UNSAID_US SECOND_US /* before a takeover: what had begun then may not have been heard */
#define WORDS_MAX MEDIA_ITEMS_MAX
#define JOIN_AT_MOST_MS 5000 /* however long the number of the agent */

static const Ev__Queue *queue_of(const struct call *k, const struct core_call *s)
{
    return core_queue_config(call_node(k)->core, s->queue);
}

static bool quiet(const struct call *k, const struct core_call *s, const Ev__Queue *q)
{
    const Ev__AccessNumber *number = core_access_number(call_node(k)->core, s->called);
    return (q && q->quiet) || (number && number->quiet);
}

/* When he came to this queue. */
static uint64_t since_us(const struct core_call *s)
{
    return s->entered_us ? s->entered_us : s->queued_us;
}

/* When piece i is to be said: 0 the welcome, the others the announcements after it. */
static uint64_t due_at(const Ev__Queue *q, uint64_t since_us, uint64_t i)
{
    uint64_t again = q->announce_first_s && i ? i - 1 : i;
    if (i == 0)
        return since_us;
    if ((!q->n_announce && !q->notices) || (again && !q->announce_every_s))
        return NEVER;
    return since_us + (q->announce_first_s + again * q->announce_every_s) * SECOND_US;
}

static uint64_t latest_due(const Ev__Queue *q, uint64_t since_us, uint64_t now_us, uint64_t from)
{
    while (due_at(q, since_us, from + 1) <= now_us)
        from++;
    return from;
}

/* ---- words */

/* The language that numbers are spoken in. */
static const char *language_of(const struct call *k)
{
    const char *language = call_language(k);
    return speak_language(language) ? language : "zh";
}

/* One entry of `announce`: how many keys, none when there is nothing that can be said. */
static int announced(const struct call *k, const Ev__Queue *q, const char *what, const char **keys, size_t max)
{
    const struct core *c = call_node(k)->core;
    if (strcmp(what, "position") == 0) {
        uint32_t place = core_queue_position(c, k->id);
        bool told = !q->announce_position_max || place <= q->announce_position_max;
        return told ? speak_queue_position(language_of(k), place, keys, max) : 0;
    }
    if (strcmp(what, "wait") == 0) {
        uint32_t seconds = core_estimated_wait_s(c, k->id);
        return seconds == ESTIMATE_UNKNOWN ? 0 : speak_queue_wait(language_of(k), seconds, keys, max);
    }
    if (max < 1)
        return 0;
    keys[0] = what;
    return 1;
}

static size_t words(const struct call *k, const Ev__Queue *q, uint64_t i, const char **keys)
{
    size_t n = 0;
    if (i == 0 && q->welcome[0])
        keys[n++] = q->welcome;
    for (size_t a = 0; a < q->n_announce && (i > 0 || !q->announce_first_s); a++) {
        int more = announced(k, q, q->announce[a], keys + n, WORDS_MAX - n);
        n += more > 0 ? (size_t)more : 0;
    }
    return n;
}

/* ---- speech and music in turn */

static void music(struct call *k, uint64_t now_us)
{
    k->play_id = 0;
    k->play_from_ms = now_us > k->wait_since_us ? (uint32_t)((now_us - k->wait_since_us) / 1000u) : 0;
    call_play_music(&k->a);
    k->play_from_ms = 0;
}

static void turn(struct call *k);
static void say_notice(struct call *k, const struct core_call *s);

/* False: there is nothing to say. */
static bool say(struct call *k, const struct core_call *s, const Ev__Queue *q, uint64_t i, uint32_t from_ms)
{
    const char *keys[WORDS_MAX];
    if (i > 0 && s->phase != CORE_CALL_WAITING)
        return false;
    size_t n = words(k, q, i, keys);
    if (!n)
        return false;
    k->play_from_ms = from_ms;
    call_play_keys(&k->a, language_of(k), keys, n, &k->play_id);
    k->play_from_ms = 0;
    k->wait_music = false;
    return k->play_id != 0;
}

/* Music unless it plays already; then again when the next piece is due. */
static void pass_time(struct call *k, const Ev__Queue *q, uint64_t now_us)
{
    if (!k->wait_music)
        music(k, now_us);
    k->wait_music = true;
    uint64_t at = due_at(q, k->wait_since_us, k->wait_next);
    if (at != NEVER)
        call_timer_set(k, &k->wait_timer, at > now_us ? (at - now_us + 999u) / 1000u : 0, turn);
}

/* ---- notices */

static void wait_told(struct call *k, int status, const struct core_answer *a)
{
    const struct core_call *s = call_state(k);
    k->wait_notice = false;
    if (k->ending || k->gone || !s || k->shown != CALL_SHOWN_QUEUE)
        return;
    bool begun = !status && a->code == 0 && s->wait_notice[0];
    if (status || (a->code && a->code != ERR_NOTFOUND))
        log_info("call", "%s: notice: %s", k->text_id, status ? err_text(status) : a->text);
    if (begun)
        say_notice(k, s);
    else if (!status)
        turn(k);
    else
        pass_time(k, queue_of(k, s), node_time_us(call_node(k)));
}

/* name "": the next one begins. False: it does not. */
static bool tell_notice(struct call *k, const char *name, enum _Ev__CallNotice__What what)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallWaitNotice m = EV__CALL_WAIT_NOTICE__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_WAIT_NOTICE;
    cmd.call_wait_notice = &m;
    m.call_id = k->id;
    m.name = (char *)(uintptr_t)name;
    m.what = what;
    k->wait_notice = call_propose(k, &cmd, wait_told) == 0;
    return k->wait_notice;
}

static void say_notice(struct call *k, const struct core_call *s)
{
    k->wait_notice = true;
    k->wait_music = false;
    if (!call_notice_say(k, s->wait_notice))
        (void)tell_notice(k, s->wait_notice, EV__CALL_NOTICE__WHAT__UNSAID);
}

/* ---- speech and music in turn */

static void turn(struct call *k)
{
    const struct core_call *s = call_state(k);
    bool free_to = k->shown == CALL_SHOWN_QUEUE && !k->ending && !k->play_id && !k->wait_notice;
    const Ev__Queue *q = s && free_to ? queue_of(k, s) : NULL;
    if (!q || quiet(k, s, q))
        return;
    uint64_t now = node_time_us(call_node(k));
    bool due = due_at(q, k->wait_since_us, k->wait_next) <= now;
    if (due && (k->wait_next > 0 || !q->announce_first_s) && core_wait_notice_next(call_node(k)->core, k->id) &&
        tell_notice(k, "", EV__CALL_NOTICE__WHAT__HEARD))
        return;
    if (due_at(q, k->wait_since_us, k->wait_next) <= now) {
        uint64_t i = latest_due(q, k->wait_since_us, now, k->wait_next);
        k->wait_next = i + 1;
        if (say(k, s, q, i, 0))
            return; /* its end brings us here again */
    }
    pass_time(k, q, now);
}

/* Carried on: where the former owner was. */
static void recall(struct call *k, const struct core_call *s, const Ev__Queue *q)
{
    uint64_t now = node_time_us(call_node(k)), since = k->wait_since_us;
    uint64_t i = latest_due(q, since, now, 0), at = due_at(q, since, i);
    if (s->wait_notice[0]) { /* the announcement comes after it */
        k->wait_next = i;
        say_notice(k, s);
        return;
    }
    if (s->taken_over_us && at + UNSAID_US >= s->taken_over_us) {
        k->wait_next = i;
        turn(k);
        return;
    }
    const char *keys[WORDS_MAX];
    uint64_t gone_ms = now > at ? (now - at) / 1000u : 0;
    k->wait_next = i + 1;
    if (gone_ms >= call_play_length_ms(k, language_of(k), keys, words(k, q, i, keys)) ||
        !say(k, s, q, i, (uint32_t)gone_ms))
        pass_time(k, q, now);
}

void call_wait_begin(struct call *k, const struct core_call *s)
{
    call_answer_caller(k);
    if (k->ending || (k->shown == CALL_SHOWN_QUEUE && k->wait_since_us == since_us(s)))
        return;
    bool carried_on = k->adopted && k->shown == CALL_SHOWN_NOTHING;
    call_menu_leave(k);
    k->shown = CALL_SHOWN_QUEUE;
    k->wait_since_us = since_us(s);
    k->wait_next = 0;
    k->wait_music = k->wait_notice = false;
    const Ev__Queue *q = queue_of(k, s);
    if (!q || quiet(k, s, q))
        return;
    if (carried_on)
        recall(k, s, q);
    else
        turn(k);
}

void call_wait_played(struct call *k)
{
    const struct core_call *s = call_state(k);
    bool notice = k->wait_notice && s && s->wait_notice[0];
    k->wait_notice = false;
    if (!notice || !tell_notice(k, s->wait_notice,
                                call_notice_sayable(k, s->wait_notice) ? EV__CALL_NOTICE__WHAT__HEARD
                                                                       : EV__CALL_NOTICE__WHAT__UNSAID))
        turn(k);
}

/* ---- keys */

/* He has heard enough of what is being said. */
static void hush(struct call *k, const struct core_call *s, const Ev__Queue *q)
{
    uint64_t now = node_time_us(call_node(k));
    bool notice = k->wait_notice && s->wait_notice[0];
    const Ev__Notice *n = notice ? core_notice_config(call_node(k)->core, s->wait_notice) : NULL;
    if (!k->play_id || (n && strcmp(n->skip, "none") == 0))
        return;
    k->play_id = 0;
    if (notice) {
        k->wait_next = latest_due(q, k->wait_since_us, now, k->wait_next) + 1;
        (void)tell_notice(k, s->wait_notice, EV__CALL_NOTICE__WHAT__SKIPPED);
    }
    pass_time(k, q, now);
}

static void chosen(struct call *k, int status, const struct core_answer *a)
{
    k->choosing = false;
    if (!k->ending && !k->gone && (status || a->code))
        log_info("call", "%s: choice not taken: %s", k->text_id, status ? err_text(status) : a->text);
}

static void choose(struct call *k, const char *key)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallQueue m = EV__CALL_QUEUE__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_QUEUE;
    cmd.call_queue = &m;
    m.call_id = k->id;
    m.choice = (char *)(uintptr_t)key;
    m.caller_acked = k->a.acked;
    k->choosing = call_propose(k, &cmd, chosen) == 0;
}

void call_wait_key(struct call *k, char digit)
{
    const struct core_call *s = call_state(k);
    const Ev__Queue *q = s && s->phase == CORE_CALL_WAITING && !k->choosing ? queue_of(k, s) : NULL;
    for (size_t i = 0; q && i < q->n_keys; i++) {
        if (q->keys[i]->key[0] != digit)
            continue;
        hush(k, s, q);
        if (q->keys[i]->action)
            choose(k, q->keys[i]->key);
        return;
    }
}

/* ---- who answers */

static const struct core_leg *agent_leg(const struct core_call *s)
{
    for (size_t i = 0; i < s->n_legs; i++)
        if (s->legs[i].role == CORE_LEG_CALLEE)
            return &s->legs[i];
    return NULL;
}

bool call_agent_announce(struct call *k)
{
    const struct core_call *s = call_state(k);
    const Ev__Queue *q = s ? queue_of(k, s) : NULL;
    const struct core_leg *leg = s ? agent_leg(s) : NULL;
    const char *keys[SPEAK_KEYS_MAX];
    if (!q || !q->announce_agent || !leg || call_leg_on_hold(k))
        return false;
    int n = speak_queue_agent(language_of(k), leg->agent, keys, SPEAK_KEYS_MAX);
    if (n <= 0)
        return false;
    call_play_keys(&k->a, language_of(k), keys, (size_t)n, &k->play_id);
    if (!k->play_id)
        return false;
    k->joining = true;
    call_play_attention(k->b);
    call_timer_set(k, &k->wait_timer, JOIN_AT_MOST_MS, call_join);
    return true;
}

void call_join(struct call *k)
{
    if (!k->joining || k->ending || k->shown != CALL_SHOWN_TALK)
        return;
    call_timer_stop(&k->wait_timer);
    k->joining = false;
    k->play_id = 0;
    call_leg_hold_changed(&k->a);
}
