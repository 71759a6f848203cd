/* Codes that a telephone of ours keys while it talks: the call is marked, its recording is paused and goes on.
 *
 *   key ─► what was keyed so far, as long as it may become a code ─► a code ─► CallData, RecordingPause ─commit─► a tone, to who keyed it
 *                                                └─ it may become a longer one: when no key has come for CODE_WAIT_MS
 *
 * Which they are is in parameters (mark_codes, recording_pause_codes), and as whom it is done in the audit log. The keys go on to the other party
 * as ever. What has been keyed of a code is nowhere else: who takes the call over begins anew. Keys of those outside are no codes. */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

#define CODE_WAIT_MS 2000u
#define TONE_HZ 1400u
#define TONE_LOW_HZ 500u
#define TONE_DBM0 (-15)
#define TONE_MS 250u

enum code { CODE_NONE, CODE_MARK, CODE_PAUSE };

static bool is_begun(const char *codes, const char *keyed, size_t n, bool *whole)
{
    bool more = false;
    for (size_t len; codes[0]; codes += len + strspn(codes + len, " ")) {
        len = strcspn(codes, " ");
        bool begins = len >= n && strncmp(codes, keyed, n) == 0;
        *whole |= begins && len == n;
        more |= begins && len > n;
    }
    return more;
}

/* Which code it is, and whether it may become another one. */
static enum code code_of(const struct core *c, const char *keyed, size_t n, bool *more)
{
    bool mark = false, pause = false;
    *more = is_begun(core_parameter(c, "mark_codes", "* *83"), keyed, n, &mark);
    *more |= is_begun(core_parameter(c, "recording_pause_codes", "*84"), keyed, n, &pause);
    return mark ? CODE_MARK : pause ? CODE_PAUSE : CODE_NONE;
}

/* ---- what they do */

static const struct core_leg *state_of(const struct call_leg *l, const struct core_call *s)
{
    for (size_t i = 0; s && i < s->n_legs; i++)
        if ((s->legs[i].role == CORE_LEG_CALLEE) == l->callee)
            return &s->legs[i];
    return NULL;
}

static void told(struct call_leg *l, int status, const struct core_answer *a, unsigned hz)
{
    struct call *k = l->call;
    if (status || a->code)
        log_info("call", "%s: a code does nothing: %s", k->text_id, status ? err_text(status) : a->text);
    else if (!k->ending && !k->gone && k->shown == CALL_SHOWN_TALK && l->media)
        call_play_tone(l, hz, TONE_DBM0, TONE_MS, NULL);
}

static void marked_a(struct call *k, int status, const struct core_answer *a)
{
    told(&k->a, status, a, TONE_HZ);
}

static void marked_b(struct call *k, int status, const struct core_answer *a)
{
    told(k->b, status, a, TONE_HZ);
}

static void paused_a(struct call *k, int status, const struct core_answer *a)
{
    const struct core_call *s = call_state(k);
    told(&k->a, status, a, s && s->recording_paused ? TONE_LOW_HZ : TONE_HZ);
}

static void paused_b(struct call *k, int status, const struct core_answer *a)
{
    const struct core_call *s = call_state(k);
    told(k->b, status, a, s && s->recording_paused ? TONE_LOW_HZ : TONE_HZ);
}

static void act(struct call_leg *l, const struct core_call *s, enum code code)
{
    struct call *k = l->call;
    const struct core_leg *leg = state_of(l, s);
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallData data = EV__CALL_DATA__INIT;
    Ev__RecordingPause pause = EV__RECORDING_PAUSE__INIT;
    char actor[80];
    bool agent = leg && leg->agent[0];
    snprintf(actor, sizeof actor, "%s:%s", agent ? "agent" : "phone", agent ? leg->agent : leg ? leg->number : "");
    cmd.actor = actor;
    if (code == CODE_MARK) {
        cmd.body_case = EV__COMMAND__BODY_CALL_DATA;
        cmd.call_data = &data;
        data.call_id = k->id;
        data.has_marked = data.marked = true;
    } else {
        cmd.body_case = EV__COMMAND__BODY_RECORDING_PAUSE;
        cmd.recording_pause = &pause;
        pause.call_id = k->id;
        pause.on = !s->recording_paused;
    }
    call_done_fn *done = code == CODE_MARK ? (l->callee ? marked_b : marked_a) : l->callee ? paused_b : paused_a;
    int rc = call_propose(k, &cmd, done);
    if (rc)
        log_info("call", "%s: a code cannot be looked at now: %s", k->text_id, err_text(rc));
}

/* ---- keys */

/* A telephone of ours that talks; whoever is outside has no codes. */
static const struct core_call *may_key(const struct call_leg *l)
{
    const struct call *k = l->call;
    const struct core_call *s = k->ending || k->gone ? NULL : call_state(k);
    bool ours = s && s->n_legs == 2 && !(l->callee ? s->out_trunk : s->trunk)[0];
    return ours && s->phase == CORE_CALL_TALKING && k->shown == CALL_SHOWN_TALK ? s : NULL;
}

static void waited(struct call_leg *l)
{
    const struct core_call *s = may_key(l);
    bool more;
    enum code code = s && l->keyed.n ? code_of(call_node(l->call)->core, l->keyed.text, l->keyed.n, &more) : CODE_NONE;
    l->keyed.n = 0;
    if (code)
        act(l, s, code);
}

static void waited_a(struct call *k)
{
    waited(&k->a);
}

static void waited_b(struct call *k)
{
    waited(k->b);
}

void call_code_key(struct call_leg *l, char digit)
{
    struct call *k = l->call;
    const struct core_call *s = may_key(l);
    const struct core *c = call_node(k)->core;
    bool more = false;
    enum code code = CODE_NONE;
    call_timer_stop(&l->keyed.timer);
    if (!s) {
        l->keyed.n = 0;
        return;
    }
    l->keyed.text[l->keyed.n++] = digit; /* it may have become one yet, so there is room */
    while (l->keyed.n && !(code = code_of(c, l->keyed.text, l->keyed.n, &more)) && !more)
        memmove(l->keyed.text, l->keyed.text + 1, --l->keyed.n); /* what comes last may begin one */
    if (l->keyed.n && more) {
        call_timer_set(k, &l->keyed.timer, CODE_WAIT_MS, l->callee ? waited_b : waited_a);
        return;
    }
    l->keyed.n = 0;
    if (code)
        act(l, s, code);
}
