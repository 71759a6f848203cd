/* Telephones: callers outside, extensions, agents. Each repeats what it has to say until it hears something, sends to where its
 * dialog's peer last was, and gives up in the end. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

#define REPEAT_US (500 * SIM_MS)
#define TRIES 6u
#define BYE_TRIES 16u

enum { PLAN_NOTHING, PLAN_INVITE, PLAN_ANSWER, PLAN_REFUSE, PLAN_REPEAT, PLAN_HANG_UP, PLAN_BYE };

static void later(struct sim *s, unsigned i, uint64_t in, uint8_t what)
{
    struct sim_dialog *d = &s->dialogs[i];
    d->plan = what;
    struct sim_event ev = {.type = EV_DIALOG, .node = -1, .a = i, .b = ++d->timer};
    sim_at(s, s->now + in, ev);
}

static void say(struct sim *s, unsigned i, enum sim_msg_type type, uint64_t a)
{
    struct sim_msg m = {.type = type, .dialog = i, .place = s->dialogs[i].place, .a = a};
    sim_send_place(s, m);
}

bool phone_busy(const struct sim *s, int ext)
{
    for (unsigned i = 0; i < s->n_dialogs; i++) {
        const struct sim_dialog *d = &s->dialogs[i];
        if (ext >= 0 && d->ext == ext && d->state != D_NONE && d->state != D_OVER)
            return true;
    }
    return false;
}

bool phone_quiet(const struct sim *s)
{
    for (unsigned i = 0; i < s->n_dialogs; i++)
        if (s->dialogs[i].state != D_NONE && s->dialogs[i].state != D_OVER)
            return false;
    return true;
}

static void over(struct sim *s, unsigned i)
{
    struct sim_dialog *d = &s->dialogs[i];
    d->state = D_OVER;
    d->over_at = s->now;
    d->timer++;
}

static void invite(struct sim *s, const struct sim_dialog *like, unsigned attempt)
{
    if (s->n_dialogs == SIM_DIALOGS_MAX)
        return;
    unsigned i = s->n_dialogs++;
    struct sim_dialog *d = &s->dialogs[i];
    *d = (struct sim_dialog){.state = D_CALLING, .out = true, .ext = like->ext, .call = -1, .trunk = like->trunk};
    memcpy(d->called, like->called, sizeof d->called);
    d->who = like->who;
    d->began = like->began;
    d->attempt = attempt;
    d->place = (int)sim_below(s, s->n);
    say(s, i, MSG_INVITE, 0);
    later(s, i, REPEAT_US, PLAN_INVITE);
}

void phone_new_call(struct sim *s)
{
    static const char *const outside[] = {"100", "100", "100", "200", "200", "230", "230", "220",
                                          "210", "240", "250", "250", "250", "250", "300", "301"};
    static const char *const inside[] = {"8004", "8005", "8006", "1003", "200", "100", "*8", "*8"};
    struct sim_dialog like = {.ext = -1, .began = s->now};
    if (sim_chance(s, 75)) {
        like.trunk = (int)sim_between(s, 1, 2);
        (void)snprintf(like.called, sizeof like.called, "%s", outside[sim_below(s, 16)]);
        like.who = (unsigned)sim_between(s, 1, 9); /* the same one again, now and then */
    } else {
        like.ext = (int)sim_below(s, SIM_EXTS);
        (void)snprintf(like.called, sizeof like.called, "%s", inside[sim_below(s, s->parties ? 8 : 6)]);
        if (phone_busy(s, like.ext))
            return;
    }
    invite(s, &like, 0);
}

static void hang_up(struct sim *s, unsigned i)
{
    struct sim_dialog *d = &s->dialogs[i];
    d->tries = 0;
    d->state = D_ENDING;
    say(s, i, MSG_BYE, 0);
    later(s, i, REPEAT_US, PLAN_BYE);
}

static void next_try(struct sim *s, unsigned i)
{
    struct sim_dialog *d = &s->dialogs[i];
    bool taken = d->call >= 0 && s->calls[d->call].seen;
    if (s->now - d->began > (s->quiet_time ? 8 : 14) * SIM_S) {
        hang_up(s, i);
    } else if (!taken && ++d->tries >= TRIES) {
        over(s, i);
        if (d->attempt < 6)
            invite(s, d, d->attempt + 1);
    } else {
        say(s, i, MSG_INVITE, 0);
        later(s, i, REPEAT_US, PLAN_INVITE);
    }
}

void phone_timer(struct sim *s, unsigned i, uint32_t timer)
{
    struct sim_dialog *d = &s->dialogs[i];
    if (d->timer != timer || d->state == D_OVER)
        return;
    switch (d->plan) {
    case PLAN_INVITE:
        next_try(s, i);
        break;
    case PLAN_ANSWER:
        d->state = D_ANSWERED;
        d->tries = 0;
        d->answered_at = s->now;
        sim_say(s, "%d answers, dialog %u", d->ext >= 0 ? 8001 + d->ext : SIM_OUTSIDE + (int)d->who, i);
        say(s, i, MSG_ANSWERED, 0);
        later(s, i, REPEAT_US, PLAN_REPEAT);
        break;
    case PLAN_REFUSE:
        d->refused = true;
        over(s, i);
        say(s, i, MSG_REFUSED, 603);
        break;
    case PLAN_REPEAT:
        if (++d->tries > 20) {
            hang_up(s, i);
            break;
        }
        say(s, i, MSG_ANSWERED, 0);
        later(s, i, REPEAT_US, PLAN_REPEAT);
        break;
    case PLAN_HANG_UP:
        sim_say(s, "dialog %u hangs up", i);
        hang_up(s, i);
        break;
    case PLAN_BYE:
        if (++d->tries > BYE_TRIES) {
            over(s, i);
            break;
        }
        say(s, i, MSG_BYE, 0);
        later(s, i, REPEAT_US, PLAN_BYE);
        break;
    }
}

static void called(struct sim *s, unsigned i, const struct sim_msg *m)
{
    struct sim_dialog *d = &s->dialogs[i];
    d->place = m->place;
    if (d->state == D_RINGING)
        return;
    if (d->state == D_ANSWERED) {
        say(s, i, MSG_ANSWERED, 0);
        return;
    }
    if (d->state != D_NONE) {
        say(s, i, d->refused ? MSG_REFUSED : MSG_GONE, 603);
        return;
    }
    if (phone_busy(s, d->ext)) {
        d->refused = true;
        over(s, i);
        say(s, i, MSG_REFUSED, 486);
        return;
    }
    d->state = D_RINGING;
    unsigned what = (unsigned)sim_below(s, 100);
    if (what < 60)
        later(s, i, sim_between(s, 50, 2200) * SIM_MS, PLAN_ANSWER);
    else if (what < 75)
        later(s, i, sim_between(s, 50, 1500) * SIM_MS, PLAN_REFUSE);
}

static void acknowledged(struct sim *s, unsigned i)
{
    struct sim_dialog *d = &s->dialogs[i];
    unsigned up = 0;
    if (d->state != D_ANSWERED)
        return;
    d->state = D_UP;
    for (unsigned k = 0; k < s->n_dialogs; k++)
        up += !s->dialogs[k].out && !s->dialogs[k].moved && s->dialogs[k].state == D_UP &&
              s->dialogs[k].call == d->call &&
              (s->dialogs[k].ext < 0) == (d->ext < 0); /* we call one of ours and one outside */
    if (up > 1)
        sim_fail(s, "call %d is joined with two telephones", d->call);
    later(s, i, sim_between(s, 200, 6000) * SIM_MS, PLAN_HANG_UP);
}

void phone_message(struct sim *s, const struct sim_msg *m, int from)
{
    unsigned i = m->dialog;
    struct sim_dialog *d = &s->dialogs[i];
    (void)from;
    switch ((int)m->type) {
    case MSG_ANSWER:
        if (d->state == D_CALLING) {
            d->state = D_UP;
            d->place = m->place;
            later(s, i, sim_between(s, 200, 7000) * SIM_MS, PLAN_HANG_UP);
        } else if (d->state == D_OVER) {
            d->place = m->place;
            hang_up(s, i); /* it had given up: acknowledges and hangs up */
        }
        break;
    case MSG_REJECT:
        if (d->state != D_CALLING)
            break;
        over(s, i);
        if (m->a == 503 && d->attempt < 6 && !s->quiet_time)
            invite(s, d, d->attempt + 1);
        break;
    case MSG_CALL_YOU:
        called(s, i, m);
        break;
    case MSG_ACK:
        acknowledged(s, i);
        break;
    case MSG_RELEASE:
        if (d->state != D_OVER)
            over(s, i);
        break;
    case MSG_RENEW:
        d->place = m->place;
        if (d->state == D_OVER)
            say(s, i, MSG_GONE, 0);
        else if (d->state == D_ENDING)
            say(s, i, MSG_BYE, 0);
        break;
    case MSG_BYE_OK:
        if (d->state == D_ENDING)
            over(s, i);
        break;
    default:
        break;
    }
}
