/* Which level of behaviour a command takes. A node that does not know it stops when it meets the command in the log: it must not
 * come there while such a node is a member. */
#include <string.h>

#include "core/core_int.h"

static bool beyond_level_1(const Ev__ConfigObject *o)
{
    switch ((int)o->object_case) {
    case EV__CONFIG_OBJECT__OBJECT_AGENT:
        return o->agent->region[0] || o->agent->n_skills;
    case EV__CONFIG_OBJECT__OBJECT_QUEUE: {
        const Ev__Queue *q = o->queue;
        return (q->strategy[0] && strcmp(q->strategy, queue_strategy_name(ACD_LONGEST_IDLE)) != 0) ||
               q->n_preferences || q->priority_step_s || q->target_s || q->last_served_h;
    }
    case EV__CONFIG_OBJECT__OBJECT_ACCESS_NUMBER:
        return o->access_number->region[0] || o->access_number->n_skills || o->access_number->vip ||
               o->access_number->n_schedule;
    case EV__CONFIG_OBJECT__OBJECT_TIME_GROUP:
    case EV__CONFIG_OBJECT__OBJECT_HOLIDAY_LIST:
        return true;
    default:
        return false;
    }
}

uint32_t core_feature_of(const Ev__Command *cmd)
{
    if (cmd->body_case != EV__COMMAND__BODY_CONFIG_APPLY)
        return 1;
    for (size_t i = 0; i < cmd->config_apply->n_set; i++) {
        if (beyond_level_1(cmd->config_apply->set[i]))
            return 2;
    }
    return 1;
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
