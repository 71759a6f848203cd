/* Which level of behaviour a command takes. A node that does not know it stops when it meets the command in the log: it must not
 * come there while such a node is a member. */
#include <string.h>

#include "core/action.h"
#include "core/core_int.h"

/* Music, welcome, announcements. */
static bool heard_in(const Ev__Queue *q)
{
    return q->music[0] || q->welcome[0] || q->announce_first_s || q->announce_every_s || q->n_announce || q->n_keys ||
           q->announce_agent || q->announce_position_max;
}

static bool queue_acts(const Ev__Queue *q)
{
    return q->max_wait_s || q->max_wait_action || q->no_agents_wait_s || q->no_agents_action || q->full_action ||
           q->n_overflow || q->keep_idle || q->dedicated_wait_s;
}

static bool leads_to_draft(const Ev__AccessNumber *a)
{
    bool draft = strchr(a->flow, '@');
    for (size_t i = 0; i < a->n_schedule; i++)
        draft |= strchr(a->schedule[i]->flow, '@') != NULL;
    return draft;
}

/* The level that is higher than whatever else the object takes. */
static int is_of_level_4(void *ctx, const Ev__Action *a, const char *path)
{
    (void)ctx;
    (void)path;
    return strcmp(a->type, "voicemail") == 0 || strcmp(a->type, "callback") == 0;
}

static bool is_parameter_of_level_4(const char *name)
{
    static const char *const names[] = {"cdr_keep_days", "transfer_recall",       "recording_consultations",
                                        "mark_codes",    "recording_pause_codes", "user_to_user",
                                        "gain_control",  "comfort_noise",         "conference_tones"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static uint32_t object_level(const Ev__ConfigObject *o)
{
    switch ((int)o->object_case) {
    case EV__CONFIG_OBJECT__OBJECT_EXTENSION:
        return o->extension->auto_answer || o->extension->auto_answer_all || o->extension->mwi[0] ||
                       o->extension->mailbox[0]
                   ? 4
                   : 1;
    case EV__CONFIG_OBJECT__OBJECT_AGENT:
        if (o->agent->n_manages_groups || o->agent->n_manages_queues || o->agent->outbound_trunk[0] ||
            o->agent->caller_id[0])
            return 4;
        return o->agent->n_customers || o->agent->min_busy_s || o->agent->wrap_up_s ? 3
               : o->agent->region[0] || o->agent->n_skills                          ? 2
                                                                                    : 1;
    case EV__CONFIG_OBJECT__OBJECT_QUEUE: {
        const Ev__Queue *q = o->queue;
        if (q->callback_tries || q->callback_interval_s || q->callback_ring_s || q->callback_trunk[0] ||
            q->callback_caller_id[0] || q->voicemail_greeting[0] || q->notices || q->rating_flow[0] ||
            action_each(&q->base, is_of_level_4, NULL))
            return 4;
        if (heard_in(q))
            return 3;
        bool served = (q->strategy[0] && strcmp(q->strategy, queue_strategy_name(ACD_LONGEST_IDLE)) != 0) ||
                      q->n_preferences || q->priority_step_s || q->target_s || q->last_served_h;
        if (strcmp(q->strategy, queue_strategy_name(ACD_RING_ALL)) == 0 || q->ring_max || q->ring_no_answer[0] ||
            q->after_call[0] || q->vip[0] || q->vip_lookup[0] || queue_acts(q))
            return 3;
        return served ? 2 : 1;
    }
    case EV__CONFIG_OBJECT__OBJECT_ACCESS_NUMBER: {
        const Ev__AccessNumber *a = o->access_number;
        if (leads_to_draft(a) || a->no_notices)
            return 4;
        return a->n_schedule || a->outside[0] || a->dedicated_agent[0] ? 3
               : a->region[0] || a->n_skills || a->vip                 ? 2
                                                                       : 1;
    }
    case EV__CONFIG_OBJECT__OBJECT_FLOW:
        return o->flow->note[0] ? 4 : core_flow_level(o->flow->definition);
    case EV__CONFIG_OBJECT__OBJECT_FLOW_DRAFT:
        return 4;
    case EV__CONFIG_OBJECT__OBJECT_TRUNK:
        return o->trunk->username[0] || o->trunk->n_caller_ids || o->trunk->diversion[0] || o->trunk->pass_caller ? 4
               : o->trunk->outbound || o->trunk->caller_id[0]                                                     ? 3
                                                                                                                  : 1;
    case EV__CONFIG_OBJECT__OBJECT_PARAMETER:
        if (is_parameter_of_level_4(o->parameter->name))
            return 4;
        return strcmp(o->parameter->name, "outside_prefix") == 0 || strcmp(o->parameter->name, "outbound_trunk") == 0
                   ? 3
                   : 1;
    case EV__CONFIG_OBJECT__OBJECT_TOKEN:
        return o->token->agent[0] || strcmp(o->token->role, "supervisor") == 0 ? 4 : 1;
    case EV__CONFIG_OBJECT__OBJECT_TIME_GROUP:
    case EV__CONFIG_OBJECT__OBJECT_HOLIDAY_LIST:
    case EV__CONFIG_OBJECT__OBJECT_PROMPT:
    case EV__CONFIG_OBJECT__OBJECT_AGENT_STATE:
    case EV__CONFIG_OBJECT__OBJECT_BLACKLIST:
    case EV__CONFIG_OBJECT__OBJECT_VIP:
    case EV__CONFIG_OBJECT__OBJECT_SECRET:
    case EV__CONFIG_OBJECT__OBJECT_LOOKUP:
        return 3;
    case EV__CONFIG_OBJECT__OBJECT_AGENT_GROUP:
        return o->agent_group->outbound_trunk[0] || o->agent_group->caller_id[0] ? 4 : 3;
    case EV__CONFIG_OBJECT__OBJECT_AREA:
    case EV__CONFIG_OBJECT__OBJECT_NOTICE:
    case EV__CONFIG_OBJECT__OBJECT_RECORDING_RULE:
    case EV__CONFIG_OBJECT__OBJECT_MAILBOX:
    case EV__CONFIG_OBJECT__OBJECT_FORWARD:
        return 4;
    default:
        return 1;
    }
}

static uint32_t level_of(const Ev__ConfigApply *m)
{
    uint32_t level = m->n_built_in ? 4 : 1;
    for (size_t i = 0; i < m->n_set; i++) {
        uint32_t takes = object_level(m->set[i]);
        level = takes > level ? takes : level;
    }
    return level;
}

static bool plain_state(const Ev__AgentSet *m)
{
    return !m->force && !m->extend_s && !m->code[0] &&
           (m->action != EV__AGENT_SET__ACTION__SET_STATE || strcmp(m->state, "ready") == 0 ||
            strcmp(m->state, "not_ready") == 0);
}

uint32_t core_feature_of(const Ev__Command *cmd)
{
    switch ((int)cmd->body_case) {
    case EV__COMMAND__BODY_CONFIG_APPLY:
        return level_of(cmd->config_apply);
    case EV__COMMAND__BODY_AGENT_SET:
        return plain_state(cmd->agent_set) ? 1 : 3;
    case EV__COMMAND__BODY_CALL_START:
        return cmd->call_start->replaces ? 4 : 1;
    case EV__COMMAND__BODY_RECORD_END:
    case EV__COMMAND__BODY_MESSAGE_SET:
    case EV__COMMAND__BODY_MESSAGE_DELETE:
    case EV__COMMAND__BODY_MESSAGE_PLAY:
    case EV__COMMAND__BODY_DELIVERY_END:
    case EV__COMMAND__BODY_RECORDING_SET:
    case EV__COMMAND__BODY_RECORDING_DELETE:
    case EV__COMMAND__BODY_RECORDING_PLAY:
    case EV__COMMAND__BODY_RECORDING_PAUSE:
    case EV__COMMAND__BODY_RECORDING_FORM:
        return 4;
    case EV__COMMAND__BODY_CALL_MENU:
        if (cmd->call_menu->left_by[0] || cmd->call_menu->record || cmd->call_menu->drop_message)
            return 4;
        return cmd->call_menu->has_variables || cmd->call_menu->n_flows || cmd->call_menu->need ? 3 : 1;
    case EV__COMMAND__BODY_CALL_DIAL:
        return cmd->call_dial->number[0] || cmd->call_dial->ring_time_s ? 3 : 1;
    case EV__COMMAND__BODY_CALL_VIP:
        return 3;
    case EV__COMMAND__BODY_CALL_BACK_ASK:
    case EV__COMMAND__BODY_CALL_BACK_NOTE:
    case EV__COMMAND__BODY_CALL_BACK_SET:
    case EV__COMMAND__BODY_CALL_WAIT_NOTICE:
    case EV__COMMAND__BODY_CALL_NOTICES:
    case EV__COMMAND__BODY_CALL_NOTICE:
    case EV__COMMAND__BODY_CALL_TRANSFER:
    case EV__COMMAND__BODY_CALL_PARTY:
    case EV__COMMAND__BODY_CALL_DATA:
    case EV__COMMAND__BODY_CALL_HANG_UP:
    case EV__COMMAND__BODY_CALL_SUPERVISE:
    case EV__COMMAND__BODY_AGENT_NEXT:
    case EV__COMMAND__BODY_AGENT_DIAL:
    case EV__COMMAND__BODY_SUBSCRIBE:
    case EV__COMMAND__BODY_UNSUBSCRIBE:
    case EV__COMMAND__BODY_CALL_PICKUP:
    case EV__COMMAND__BODY_CALL_JOIN:
    case EV__COMMAND__BODY_CALL_TURN:
    case EV__COMMAND__BODY_CALL_MODE:
    case EV__COMMAND__BODY_CALL_MERGE:
    case EV__COMMAND__BODY_CALL_DROP:
    case EV__COMMAND__BODY_CALL_LEFT:
    case EV__COMMAND__BODY_CALL_PART:
    case EV__COMMAND__BODY_FORWARD_SET:
        return 4;
    case EV__COMMAND__BODY_CALL_QUEUE: {
        const Ev__CallQueue *q = cmd->call_queue;
        return q->priority || q->n_needs || q->agent[0] ? 3 : 1;
    }
    default:
        return 1;
    }
}

uint32_t core_feature_common(const struct core *c)
{
    uint32_t level = CORE_FEATURE_LEVEL;
    for (size_t i = 0; i < c->n_nodes; i++) {
        uint32_t most = c->node_list[i]->msg->max_feature_level;
        level = most < level ? most : level;
    }
    return level;
}
