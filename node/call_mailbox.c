/* Nodes of flows by which somebody listens to messages (telephony/ivr_mailbox.c): what is in a box is read from the state as it is then; what he
 * does with a message is a command of its own, by whose telephone it is, and done before he is told so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "core/config_json.h"
#include "node/call_int.h"

#define MAILBOX_TIME_MAX 20u

/* By the clock of this machine, as whoever listens has it on the wall. */
static void when(uint64_t us, char out[MAILBOX_TIME_MAX])
{
    time_t at = (time_t)(us / 1000000u);
    struct tm tm;
    if (!localtime_r(&at, &tm) || !strftime(out, MAILBOX_TIME_MAX, "%Y-%m-%d %H:%M", &tm))
        out[0] = '\0';
}

static void digits_of(const char *number, char *out, size_t size)
{
    size_t n = 0;
    for (; *number && n + 1 < size; number++)
        if (*number >= '0' && *number <= '9')
            out[n++] = *number;
    out[n] = '\0';
}

static void tell_box(struct call *k, const char *box, const struct core_box_message *found)
{
    char id[17] = "", place[24] = "", digits[SPEAK_TEXT_MAX] = "", at[MAILBOX_TIME_MAX] = "";
    struct ivr_box is = {.message = id, .place = place, .caller = "", .number = digits, .time = at};
    core_box_counts(call_node(k)->core, box, &is.fresh, &is.heard);
    if (found) {
        (void)ident_text(found->id, id);
        snprintf(place, sizeof place, "%llu", (unsigned long long)found->place);
        is.caller = found->caller;
        digits_of(found->caller, digits, sizeof digits);
        when(found->started_us, at);
    }
    call_menu_tell(k, &(struct ivr_event){.type = IVR_EV_BOX, .box = &is});
}

static void mailbox_over(struct call *k, int status, const struct core_answer *a, bool deleted)
{
    if (k->ending || k->gone || !k->ivr_leaving)
        return;
    k->ivr_waiting = k->ivr_leaving = false;
    int code = status ? status : a->code;
    if (deleted && code == ERR_NOTFOUND)
        code = 0; /* a former owner, or somebody else, was faster */
    if (code && code != ERR_NOTFOUND)
        log_warn("call", "%s: nothing is done with the message: %s", k->text_id, status ? err_text(status) : a->text);
    if (code)
        call_menu_event(k, IVR_EV_FAILED, 0);
    else
        tell_box(k, k->box, NULL);
    call_menu_next_key(k);
}

static void mailbox_done(struct call *k, int status, const struct core_answer *a)
{
    mailbox_over(k, status, a, false);
}

static void mailbox_deleted(struct call *k, int status, const struct core_answer *a)
{
    mailbox_over(k, status, a, true);
}

/* By the telephone, which is who the audit trail names. */
static void mailbox_do(struct call *k, Ev__Command *cmd, call_done_fn *done)
{
    const struct core_call *s = call_state(k);
    char actor[80];
    snprintf(actor, sizeof actor, "phone:%.64s", s ? (s->extension[0] ? s->extension : s->caller) : "");
    cmd->actor = actor;
    k->ivr_waiting = k->ivr_leaving = true;
    if (call_propose(k, cmd, done)) {
        k->ivr_waiting = k->ivr_leaving = false;
        call_menu_event(k, IVR_EV_FAILED, 0);
    }
}

static void mark(struct call *k, uint64_t id, bool heard)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__MessageSet m = EV__MESSAGE_SET__INIT;
    cmd.body_case = EV__COMMAND__BODY_MESSAGE_SET;
    cmd.message_set = &m;
    m.id = id;
    m.heard = heard;
    mailbox_do(k, &cmd, mailbox_done);
}

static void drop(struct call *k, uint64_t id)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__MessageDelete m = EV__MESSAGE_DELETE__INIT;
    cmd.body_case = EV__COMMAND__BODY_MESSAGE_DELETE;
    cmd.message_delete = &m;
    m.id = id;
    mailbox_do(k, &cmd, mailbox_deleted);
}

/* Who is a telephone of ours is rung as one, anybody else through a trunk. */
static void call_back(struct call *k, const char *number)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallDial d = EV__CALL_DIAL__INIT;
    bool ours = core_extension(call_node(k)->core, number) != NULL;
    cmd.body_case = EV__COMMAND__BODY_CALL_DIAL;
    cmd.call_dial = &d;
    d.call_id = k->id;
    d.caller_acked = k->a.acked;
    *(ours ? &d.extension : &d.number) = (char *)(uintptr_t)number;
    if (ours || config_is_outside(number))
        call_menu_leave_by(k, &cmd);
    else
        call_menu_event(k, IVR_EV_FAILED, 0);
}

void call_mailbox_ask(struct call *k, const struct ivr_action *a)
{
    const struct ivr_box_ask *ask = a->box;
    struct core_box_message found;
    uint64_t id = strtoull(ask->message, NULL, 16);
    snprintf(k->box, sizeof k->box, "%s", a->name);
    switch (ask->what) {
    case IVR_BOX_LOOK:
        tell_box(k, a->name, NULL);
        break;
    case IVR_BOX_NEXT:
        tell_box(k, a->name,
                 core_box_next(call_node(k)->core, a->name, ask->old, strtoull(ask->place, NULL, 10), &found) ? &found
                                                                                                              : NULL);
        break;
    case IVR_BOX_HEARD:
    case IVR_BOX_NEW:
        mark(k, id, ask->what == IVR_BOX_HEARD);
        break;
    case IVR_BOX_DELETE:
        drop(k, id);
        break;
    case IVR_BOX_CALL:
        call_back(k, ask->caller);
        break;
    }
}
