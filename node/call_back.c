/* The caller is asked where he may be called back (application "callback").
 *
 *   his number is known:   "We call you back at 1 3 8 ..." 1 or # that number; another number and #; * he would rather wait
 *   it is not:             "Please enter the number ..."   a number and #
 *
 * A number may begin with 1 as well: a 1 alone counts when nothing follows for CALL_BACK_KEY_MS. Who says nothing is asked CALL_BACK_ROUNDS times, then
 * he waits on in the place that he has. What he keys in is not in the state until it is whole: a new owner asks again. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/config_json.h"
#include "node/call_int.h"
#include "telephony/speak.h"

#define CALL_BACK_ROUNDS 3u
#define CALL_BACK_PATIENCE_MS 6000u /* after the question */
#define CALL_BACK_KEY_MS 4000u      /* after a key */
#define CALL_BACK_LEAST 3u          /* digits of a number */

static const char *known_number(const struct core_call *s)
{
    return s->caller && config_is_outside(s->caller) ? s->caller : "";
}

static void ask(struct call *k);
static void patience_over(struct call *k);

static void answered(struct call *k, int status, const struct core_answer *a)
{
    k->back.sent = false;
    if (k->ending || k->gone || (status == 0 && a->code == 0))
        return;
    log_info("call", "%s: call back not taken: %s", k->text_id, status ? err_text(status) : a->text);
    const struct core_call *s = call_state(k);
    if (!s || s->phase != CORE_CALL_APP || strcmp(s->app, "callback") != 0)
        return;
    bool number = !status && (a->code == ERR_INVAL || a->code == ERR_DENIED);
    k->back.refused |= number;
    if (!number && !status)
        k->back.rounds = CALL_BACK_ROUNDS; /* nobody can be called: he had better wait */
    ask(k);
}

/* "": he waits on. */
static void answer(struct call *k, const char *number)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallBackAsk m = EV__CALL_BACK_ASK__INIT;
    call_timer_stop(&k->back.timer);
    cmd.body_case = EV__COMMAND__BODY_CALL_BACK_ASK;
    cmd.call_back_ask = &m;
    m.call_id = k->id;
    m.number = (char *)(uintptr_t)number;
    k->back.n = 0;
    k->back.sent = call_propose(k, &cmd, answered) == 0;
    if (!k->back.sent)
        call_timer_set(k, &k->back.timer, CALL_BACK_KEY_MS, patience_over);
}

static void ask(struct call *k)
{
    const struct core_call *s = call_state(k);
    const char *keys[SPEAK_KEYS_MAX + 3];
    size_t n = 0;
    if (k->back.rounds++ >= CALL_BACK_ROUNDS) {
        answer(k, "");
        return;
    }
    k->back.n = 0;
    const char *number = known_number(s), *language = call_language(k);
    if (k->back.refused)
        keys[n++] = "callback_wrong";
    struct speak_value v = {.kind = SPEAK_DIGITS, .digits = number + (number[0] == '+')};
    int digits = number[0] && !k->back.refused
                     ? speak_keys(speak_language(language) ? language : "zh", &v, keys + n + 1, SPEAK_KEYS_MAX)
                     : 0;
    if (digits > 0) {
        keys[n] = "callback_at";
        n += 1 + (size_t)digits;
        keys[n++] = "callback_confirm";
    } else {
        keys[n++] = "callback_which";
    }
    call_play_keys(&k->a, language, keys, n, &k->play_id);
    if (!k->play_id)
        call_back_played(k);
}

/* He has keyed in all that he will. */
static void complete(struct call *k)
{
    const struct core_call *s = call_state(k);
    const char *known = s && !k->back.refused ? known_number(s) : "";
    char number[sizeof k->back.digits];
    snprintf(number, sizeof number, "%.*s", (int)k->back.n, k->back.digits);
    if (!s || k->back.sent)
        return;
    if (known[0] && (!number[0] || strcmp(number, "1") == 0))
        answer(k, known);
    else if (strlen(number) >= CALL_BACK_LEAST)
        answer(k, number);
    else
        ask(k);
}

static void patience_over(struct call *k)
{
    if (k->ending || k->back.sent)
        return;
    if (k->back.n)
        complete(k);
    else
        ask(k);
}

void call_back_begin(struct call *k)
{
    k->back.rounds = k->back.n = 0;
    k->back.refused = false;
    ask(k);
}

void call_back_played(struct call *k)
{
    if (!k->back.sent)
        call_timer_set(k, &k->back.timer, CALL_BACK_PATIENCE_MS, patience_over);
}

void call_back_key(struct call *k, char digit)
{
    const struct core_call *s = call_state(k);
    if (!s || s->phase != CORE_CALL_APP || strcmp(s->app, "callback") != 0 || k->back.sent)
        return;
    if (k->play_id) /* he has heard enough of it */
        media_stream_stop_play(k->a.media);
    k->play_id = 0;
    if (digit == '#') {
        call_timer_stop(&k->back.timer);
        complete(k);
        return;
    }
    if (digit == '*' && !k->back.n) {
        answer(k, "");
        return;
    }
    if (digit == '*')
        k->back.n = 0; /* once more from the beginning */
    else if (digit >= '0' && digit <= '9' && k->back.n + 1 < sizeof k->back.digits)
        k->back.digits[k->back.n++] = digit;
    call_timer_set(k, &k->back.timer, CALL_BACK_KEY_MS, patience_over);
}
