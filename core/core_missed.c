/* Missed calls: callers from outside with whom nobody has talked, and whether they were called back or served since.
 *
 *   menu        he hung up in a menu, or while he was told notices, and has not come to a queue
 *   queue       he came to a queue, and nobody was rung for him: he hung up, was turned away or led elsewhere
 *   unanswered  somebody was rung for him, and did not answer or refused
 *   ringing     he hung up while somebody was being rung
 *
 * Who asked to be called back in that call is not missed: he is on a list, and what becomes of it has records of its own. Written with the
 * record, from what the call is at that moment; what follows is found by the caller's number in its form (base/number.h): a call out to it
 * is a call back, and who talks with it, whoever called, has reached him. Of a call that was forwarded it is told for whom it was, not who was rung
 * last. Of feature level 4. */
#include <string.h>

#include "base/number.h"
#include "core/core_int.h"

static const char *kind_of(const struct call *k, const struct core_ended *e)
{
    const Ev__CallState *s = k->st;
    bool left = strcmp(e->by, "caller") == 0;
    bool rings = s->phase == CORE_CALL_OFFERED || s->phase == CORE_CALL_DIALLING;
    if (strcmp(e->direction, "inbound") != 0 || e->connected || strcmp(e->cause, "callback") == 0)
        return NULL;
    if (s->offers)
        return left && rings ? "ringing" : "unanswered";
    if (s->queue[0] || s->left_queue[0])
        return "queue";
    return left && (s->menu_us || s->phase == CORE_CALL_NOTICE) ? "menu" : NULL;
}

/* The number outside that this call was about, when it is one that can be called; else NULL. *out: whether we called it. */
static const char *number_of(const struct call *k, const struct core_ended *e, bool *out)
{
    const Ev__CallState *s = k->st;
    *out = strcmp(e->direction, "outbound") == 0;
    const char *number = !*out          ? strcmp(e->direction, "inbound") == 0 && e->connected ? e->caller : ""
                         : s->dials_out ? (s->forward ? "" : s->rung) /* who dialled wanted somebody else */
                         : s->began     ? s->caller                   /* who stayed when the agent left */
                                        : "";
    return config_is_outside(number) ? number : NULL;
}

void core_missed_ended(struct core *c, const struct call *k, const struct core_ended *e)
{
    const Ev__CallState *s = k->st;
    char form[NUMBER_MAX];
    bool out;
    if (c->feature_level < 4)
        return;
    const char *number = number_of(k, e, &out), *kind = kind_of(k, e);
    if (number) {
        number_form(number, form);
        const struct storage_val v[] = {storage_text(form), storage_int(c->now_us), storage_text(e->agent),
                                        storage_int(out), storage_int(e->connected)};
        storage_run(c->st, STORAGE_MISSED_FOLLOW, v, 5);
    }
    if (!kind)
        return;
    form[0] = '\0';
    if (config_is_outside(e->caller))
        number_form(e->caller, form);
    const struct storage_val v[] = {storage_int(c->cdr_seq), storage_text(kind), storage_text(form),
                                    storage_text(s->meant_for[0] ? s->meant_for : s->rung)};
    storage_run(c->st, STORAGE_MISSED_PUT, v, 4);
}
