/* Who did what: one row for each object a person or a token changed, or tried to. */
#include <stdio.h>
#include <string.h>

#include "core/core_int.h"

void core_audit(struct core *c, const char *action, const char *object, const char *before, const char *after, int code)
{
    const Ev__Command *m = c->cmd;
    const struct storage_val v[] = {storage_int(c->index),
                                    storage_int(++c->audit_n),
                                    storage_int(c->now_us),
                                    storage_text(m->actor),
                                    storage_text(m->origin),
                                    storage_text(m->node),
                                    storage_text(action),
                                    storage_text(object),
                                    storage_text(before),
                                    storage_text(after),
                                    storage_int((uint64_t)(int64_t)code)};
    storage_run(c->st, STORAGE_AUDIT_PUT, v, 11);
}

static const char *joined_action(uint32_t mode)
{
    static const char *const actions[] = {
        [CORE_MODE_CONSULT] = "call.consult",
        [CORE_MODE_PARTY] = "call.conference",
        [CORE_MODE_LISTEN] = "call.listen",
        [CORE_MODE_WHISPER] = "call.whisper",
    };
    return mode < CORE_MODES ? actions[mode] : "command";
}

/* What is done with more than two parties; NULL: nothing of the kind. */
static const char *room_action(const Ev__Command *m, uint64_t *call_id)
{
    switch ((int)m->body_case) {
    case EV__COMMAND__BODY_CALL_JOIN:
        *call_id = m->call_join->call_id;
        return joined_action(m->call_join->mode);
    case EV__COMMAND__BODY_CALL_MODE:
        *call_id = m->call_mode->call_id;
        return joined_action(m->call_mode->mode);
    case EV__COMMAND__BODY_CALL_TURN:
        *call_id = m->call_turn->call_id;
        return "call.toggle";
    case EV__COMMAND__BODY_CALL_MERGE:
        *call_id = m->call_merge->call_id;
        return m->call_merge->from ? "call.merge" : "call.complete";
    case EV__COMMAND__BODY_CALL_DROP:
        *call_id = m->call_drop->call_id;
        return m->call_drop->party[0] || m->call_drop->from ? "call.drop" : "call.cancel";
    default:
        return NULL;
    }
}

/* A telephone that calls takes the place of another one. */
static bool replaces(const Ev__Command *m)
{
    return m->body_case == EV__COMMAND__BODY_CALL_START && m->call_start->replaces;
}

static const char *action_of(const struct core *c, const Ev__Command *m, char object[160])
{
    object[0] = '\0';
    if (m->body_case == EV__COMMAND__BODY_CONFIG_APPLY)
        return "config.apply";
    if (m->body_case == EV__COMMAND__BODY_AGENT_SET) {
        (void)snprintf(object, 160, "agent/%.64s", m->agent_set->agent);
        if (m->agent_set->action == EV__AGENT_SET__ACTION__LOGIN)
            return "agent.login";
        if (m->agent_set->action == EV__AGENT_SET__ACTION__LOGOUT)
            return "agent.logout";
        if (m->agent_set->extend_s && c->feature_level >= 4)
            return "agent.wrap_up";
        return strcmp(m->agent_set->state, "ready") == 0 ? "agent.ready" : "agent.not_ready";
    }
    if (m->body_case == EV__COMMAND__BODY_AGENT_DIAL) {
        (void)snprintf(object, 160, "agent/%.64s", m->agent_dial->agent);
        return m->agent_dial->of_call ? "agent.call_back" : "agent.dial";
    }
    if (m->body_case == EV__COMMAND__BODY_NODE_FORGET) {
        (void)snprintf(object, 160, "node/%.64s", m->node_forget->name);
        return "node.forget";
    }
    if (m->body_case == EV__COMMAND__BODY_NODE_DRAIN) {
        (void)snprintf(object, 160, "node/%.64s", m->node_drain->name);
        return m->node_drain->on ? "node.drain" : "node.undrain";
    }
    if (m->body_case == EV__COMMAND__BODY_ADDRESS_MOVE) {
        (void)snprintf(object, 160, "address/%.45s", m->address_move->ip);
        return "address.move";
    }
    if (m->body_case == EV__COMMAND__BODY_CLUSTER_OPERATION)
        return "cluster.operation";
    if (m->body_case == EV__COMMAND__BODY_FEATURE)
        return "cluster.feature";
    if (m->body_case == EV__COMMAND__BODY_CALL_BACK_SET) {
        const Ev__CallBackSet *s = m->call_back_set;
        if (s->cancel)
            (void)snprintf(object, 160, "callback/%016llx", (unsigned long long)s->id);
        else
            (void)snprintf(object, 160, "callback/%.64s/%.64s", s->queue, s->number);
        return s->cancel ? "callback.cancel" : "callback.add";
    }
    if (m->body_case == EV__COMMAND__BODY_MESSAGE_SET) {
        (void)snprintf(object, 160, "message/%016llx", (unsigned long long)m->message_set->id);
        return m->message_set->only_note ? "message.note" : m->message_set->heard ? "message.heard" : "message.unheard";
    }
    if (m->body_case == EV__COMMAND__BODY_MESSAGE_PLAY) {
        (void)snprintf(object, 160, "message/%016llx", (unsigned long long)m->message_play->id);
        return "message.play";
    }
    if (m->body_case == EV__COMMAND__BODY_MESSAGE_DELETE) {
        (void)snprintf(object, 160, "message/%016llx", (unsigned long long)m->message_delete->id);
        return "message.delete";
    }
    if (m->body_case == EV__COMMAND__BODY_CALL_TRANSFER) {
        (void)snprintf(object, 160, "call/%016llx", (unsigned long long)m->call_transfer->call_id);
        return "call.transfer";
    }
    uint64_t room = 0;
    const char *of_room = room_action(m, &room);
    if (of_room) {
        (void)snprintf(object, 160, "call/%016llx", (unsigned long long)room);
        return of_room;
    }
    if (m->body_case == EV__COMMAND__BODY_CALL_PARTY) {
        static const char *const actions[] = {"call.hold", "call.resume", "call.mute", "call.unmute", "call.answer"};
        (void)snprintf(object, 160, "call/%016llx", (unsigned long long)m->call_party->call_id);
        return (unsigned)m->call_party->action < 5 ? actions[m->call_party->action] : "command";
    }
    if (m->body_case == EV__COMMAND__BODY_CALL_DATA) {
        (void)snprintf(object, 160, "call/%016llx", (unsigned long long)m->call_data->call_id);
        return "call.data";
    }
    if (m->body_case == EV__COMMAND__BODY_CALL_SUPERVISE) {
        static const char *const hows[] = {"call.listen", "call.whisper", "call.barge", "call.take_over"};
        (void)snprintf(object, 160, "call/%016llx",
                       (unsigned long long)(c->ans->call_id ? c->ans->call_id : m->call_supervise->call_id));
        return (unsigned)m->call_supervise->how < 4 ? hows[m->call_supervise->how] : "command";
    }
    if (m->body_case == EV__COMMAND__BODY_AGENT_NEXT) {
        const Ev__AgentNext *n = m->agent_next;
        (void)snprintf(object, 160, "%s/%.64s", n->agent[0] ? "agent" : "queue", n->agent[0] ? n->agent : n->queue);
        return n->agent[0] || n->queue[0] ? "agent.next" : "agent.next_cancelled";
    }
    if (m->body_case == EV__COMMAND__BODY_CALL_PICKUP || replaces(m)) {
        uint64_t from = replaces(m) ? m->call_start->call_id : m->call_pickup->from;
        (void)snprintf(object, 160, "call/%016llx", (unsigned long long)(c->ans->call_id ? c->ans->call_id : from));
        return replaces(m) && !m->call_start->replaces->rings_for ? "call.replace" : "call.pickup";
    }
    if (m->body_case == EV__COMMAND__BODY_FORWARD_SET) {
        const Ev__ForwardSet *s = m->forward_set;
        (void)snprintf(object, 160, "%s/%.64s", s->agent[0] ? "agent" : "extension",
                       s->agent[0]       ? s->agent
                       : s->extension[0] ? s->extension
                                         : s->telephone);
        return s->to || s->dialled[0] ? "forward.set" : "forward.off";
    }
    if (m->body_case == EV__COMMAND__BODY_CALL_HANG_UP) {
        (void)snprintf(object, 160, "call/%016llx", (unsigned long long)m->call_hang_up->call_id);
        return "call.hang_up";
    }
    if (m->body_case == EV__COMMAND__BODY_RECORDING_SET) {
        (void)snprintf(object, 160, "recording/%016llx", (unsigned long long)m->recording_set->id);
        return m->recording_set->hold ? "recording.hold" : "recording.release";
    }
    if (m->body_case == EV__COMMAND__BODY_RECORDING_DELETE) {
        (void)snprintf(object, 160, "recording/%016llx", (unsigned long long)m->recording_delete->id);
        return "recording.delete";
    }
    if (m->body_case == EV__COMMAND__BODY_RECORDING_PLAY) {
        (void)snprintf(object, 160, "recording/%016llx", (unsigned long long)m->recording_play->id);
        return "recording.play";
    }
    if (m->body_case == EV__COMMAND__BODY_RECORDING_PAUSE) {
        (void)snprintf(object, 160, "recording/%016llx", (unsigned long long)m->recording_pause->call_id);
        return m->recording_pause->on ? "recording.pause" : "recording.resume";
    }
    if (m->body_case == EV__COMMAND__BODY_CALL_END) {
        (void)snprintf(object, 160, "call/%016llx", (unsigned long long)m->call_end->call_id);
        return "call.end";
    }
    return "command";
}

/* Which of the states of "not ready" it is, where and for how long. */
static void asked_for(const Ev__AgentSet *m, struct sbuf *b)
{
    bool state = m->action == EV__AGENT_SET__ACTION__SET_STATE;
    sbuf_puts(b, "{");
    if (m->extension[0])
        sbuf_kv(b, "extension", m->extension);
    if (state && m->code[0])
        sbuf_kv(b, "code", m->code);
    else if (state)
        sbuf_kv(b, "state", m->state);
    if (m->reason[0])
        sbuf_kv(b, "reason", m->reason);
    if (m->extend_s)
        sbuf_kv_uint(b, "extend_s", m->extend_s);
    if (m->force)
        sbuf_kv_uint(b, "force", 1);
    sbuf_puts(b, "}");
}

static void dialled(const Ev__AgentDial *m, struct sbuf *b)
{
    sbuf_puts(b, "{");
    sbuf_kv(b,
            m->to_agent[0]       ? "agent"
            : m->to_extension[0] ? "extension"
                                 : "number",
            m->to_agent[0]       ? m->to_agent
            : m->to_extension[0] ? m->to_extension
                                 : m->number);
    if (m->of_call)
        sbuf_kv_id(b, "record_id", m->of_call);
    sbuf_puts(b, "}");
}

static bool of_message(const Ev__Command *m)
{
    return m->body_case == EV__COMMAND__BODY_MESSAGE_SET || m->body_case == EV__COMMAND__BODY_MESSAGE_DELETE ||
           m->body_case == EV__COMMAND__BODY_MESSAGE_PLAY;
}

void core_audit_command(struct core *c)
{
    const Ev__Command *m = c->cmd;
    if (!m->actor[0] || strncmp(m->actor, "node:", 5) == 0)
        return;
    /* A telephone registers and calls by itself; the person behind it acts by its codes. */
    uint64_t room;
    if (strncmp(m->actor, "phone:", 6) == 0 && !replaces(m) && m->body_case != EV__COMMAND__BODY_AGENT_SET &&
        m->body_case != EV__COMMAND__BODY_CALL_SUPERVISE && m->body_case != EV__COMMAND__BODY_CALL_TRANSFER &&
        m->body_case != EV__COMMAND__BODY_CALL_PICKUP && m->body_case != EV__COMMAND__BODY_CALL_DATA &&
        m->body_case != EV__COMMAND__BODY_RECORDING_PAUSE && m->body_case != EV__COMMAND__BODY_FORWARD_SET &&
        !of_message(m) && !room_action(m, &room))
        return;
    /* An apply that was carried out has a row for each object that it changed; an operation on the cluster writes its own. */
    if ((m->body_case == EV__COMMAND__BODY_CONFIG_APPLY || m->body_case == EV__COMMAND__BODY_FORWARD_SET ||
         m->body_case == EV__COMMAND__BODY_CLUSTER_OPERATION) &&
        !c->ans->code)
        return;
    char object[160];
    const char *action = action_of(c, m, object);
    struct sbuf after = {0};
    if (m->body_case == EV__COMMAND__BODY_AGENT_SET && c->feature_level >= 4)
        asked_for(m->agent_set, &after);
    else if (m->body_case == EV__COMMAND__BODY_AGENT_DIAL)
        dialled(m->agent_dial, &after);
    core_audit(c, action, object, NULL, after.len > 2 ? after.p : NULL, c->ans->code);
    sbuf_free(&after);
}
