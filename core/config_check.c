/* What the fields of one configuration object have to do with each other. */
#include <stdio.h>
#include <string.h>

#include "core/action.h"
#include "core/agent_state.h"
#include "core/config_json.h"
#include "core/notice.h"
#include "core/queue_rules.h"
#include "core/scope.h"
#include "core/time_group.h"

#define PATH_MAX_BYTES ERR_INFO_FIELD_MAX

static int twice(struct err_info *info, const char *list, size_t i, const char *field, const char *what)
{
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof path, "%s[%zu]%s", list, i, field);
    return err_set(info, ERR_INVAL, path, "%.64s is given twice", what);
}

/* The engine knows skills by their numbers. */
static int check_skills(const char *const *names, size_t n, struct err_info *info)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (queue_name_number(names[i]) == queue_name_number(names[k]))
                return twice(info, "skills", i, ".skill", names[i]);
        }
    }
    return 0;
}

static int check_agent(const Ev__Agent *a, struct err_info *info)
{
    const char *names[ACD_SKILLS_MAX];
    for (size_t i = 0; i < a->n_skills; i++)
        names[i] = a->skills[i]->skill; /* no more than fit: the table of rules says so */
    int err = check_skills(names, a->n_skills, info);
    return err ? err : scope_check_agent(a, info);
}

static int check_agent_state(const Ev__AgentState *s, struct err_info *info)
{
    if (agent_state_reserved(s->name))
        return err_set(info, ERR_INVAL, "name", "%.64s is a state that calls and logins bring about", s->name);
    for (size_t i = 0; i < s->n_reasons; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(s->reasons[i], s->reasons[k]) == 0)
                return twice(info, "reasons", i, "", s->reasons[i]);
        }
    }
    return 0;
}

struct of_queue {
    const char *name;
    struct err_info *info;
};

static int not_itself(void *ctx, const Ev__Action *a, const char *path)
{
    const struct of_queue *q = ctx;
    if (strcmp(a->type, "queue") != 0 || strcmp(a->target, q->name) != 0)
        return 0;
    char field[PATH_MAX_BYTES];
    (void)snprintf(field, sizeof field, "%.100s.target", path);
    return err_set(q->info, ERR_INVAL, field, "must be another queue");
}

static int check_overflow(const Ev__Queue *q, size_t i, struct err_info *info)
{
    const Ev__QueueOverflow *o = q->overflow[i];
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof path, "overflow[%zu]", i);
    if ((o->after_wait_s != 0) + (o->if_waiting != 0) + (o->if_estimated_s != 0) != 1)
        return err_set(info, ERR_INVAL, path, "exactly one of after_wait_s, if_waiting, if_estimated_s is needed");
    if (strcmp(o->queue, q->name) == 0)
        return err_set(info, ERR_INVAL, path, "must be another queue");
    for (size_t k = 0; k < i; k++) {
        if (strcmp(o->queue, q->overflow[k]->queue) == 0)
            return twice(info, "overflow", i, ".queue", o->queue);
    }
    return 0;
}

static int check_keys(const Ev__Queue *q, struct err_info *info)
{
    for (size_t i = 0; i < q->n_keys; i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "keys[%zu].key", i);
        if (!strchr("0123456789*#", q->keys[i]->key[0]))
            return err_set(info, ERR_INVAL, path, "must be one of 0 to 9, * and #");
        for (size_t k = 0; k < i; k++) {
            if (strcmp(q->keys[i]->key, q->keys[k]->key) == 0)
                return twice(info, "keys", i, ".key", q->keys[i]->key);
        }
    }
    return 0;
}

static int check_queue(const Ev__Queue *q, struct err_info *info)
{
    for (size_t i = 0; i < q->n_preferences; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(q->preferences[i], q->preferences[k]) == 0)
                return twice(info, "preferences", i, "", q->preferences[i]);
        }
    }
    for (size_t i = 0; i < q->n_overflow; i++) {
        int wrong = check_overflow(q, i, info);
        if (wrong)
            return wrong;
    }
    int err = check_keys(q, info);
    if (err)
        return err;
    if (q->max_wait_s && !q->max_wait_action)
        return err_set(info, ERR_INVAL, "max_wait_action", "must say what is done after max_wait_s");
    return action_each(&q->base, not_itself, &(struct of_queue){q->name, info});
}

/* A place to lead callers to: one. */
static int check_place(const char *flow, const char *queue, const char *app, const char *extension, const char *agent,
                       const char *outside, const char *path, struct err_info *info)
{
    int given =
        (flow[0] != 0) + (queue[0] != 0) + (app[0] != 0) + (extension[0] != 0) + (agent[0] != 0) + (outside[0] != 0);
    if (given != 1)
        return err_set(info, ERR_INVAL, path, "exactly one of flow, queue, app, extension, agent, outside is needed");
    return 0;
}

static int check_access(const Ev__AccessNumber *a, struct err_info *info)
{
    const char *names[ACD_NEEDS_MAX];
    for (size_t i = 0; i < a->n_skills; i++)
        names[i] = a->skills[i]->skill;
    int err = check_skills(names, a->n_skills, info);
    if (!err)
        err = check_place(a->flow, a->queue, a->app, a->extension, a->agent, a->outside, "", info);
    for (size_t i = 0; i < a->n_schedule && !err; i++) {
        const Ev__ScheduleEntry *e = a->schedule[i];
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "schedule[%zu]", i);
        err = check_place(e->flow, e->queue, e->app, e->extension, e->agent, e->outside, path, info);
    }
    return err;
}

static int check_versions(const Ev__PromptSound *s, size_t at, struct err_info *info)
{
    bool has_current = false;
    for (size_t i = 0; i < s->n_versions; i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "sounds[%zu].versions[%zu].version", at, i);
        if (i > 0 && s->versions[i]->version <= s->versions[i - 1]->version)
            return err_set(info, ERR_INVAL, path, "must be above the one before it");
        has_current |= s->versions[i]->version == s->current;
    }
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof path, "sounds[%zu].current", at);
    return has_current ? 0 : err_set(info, ERR_INVAL, path, "must be one of its versions");
}

static int check_prompt(const Ev__Prompt *p, struct err_info *info)
{
    if (p->n_sounds == 0)
        return err_set(info, ERR_INVAL, "sounds", "at least one language is needed");
    for (size_t i = 0; i < p->n_sounds; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(p->sounds[i]->language, p->sounds[k]->language) == 0)
                return twice(info, "sounds", i, ".language", p->sounds[i]->language);
        }
        int err = check_versions(p->sounds[i], i, info);
        if (err)
            return err;
    }
    return 0;
}

/* Written as it is compared: otherwise one number could be there twice. */
static int check_number(const char *text, const char *field, struct err_info *info)
{
    struct number_pattern p;
    struct err_info why = {.code = 0};
    char form[NUMBER_MAX];
    if (number_pattern_parse(text, &p, &why) != 0)
        return err_set(info, ERR_INVAL, field, "%s", why.text);
    number_pattern_text(&p, form);
    return strcmp(form, text) == 0 ? 0 : err_set(info, ERR_INVAL, field, "must be written as %s", form);
}

static int check_numbers(const char *field, char *const *list, size_t n, struct err_info *info)
{
    int err = 0;
    for (size_t i = 0; i < n && !err; i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "%.100s[%zu]", field, i);
        err = check_number(list[i], path, info);
    }
    return err;
}

const char *config_vip_queue(const char *entry, char number[NUMBER_MAX])
{
    const char *mark = strchr(entry, '@');
    (void)snprintf(number, NUMBER_MAX, "%.*s", mark ? (int)(mark - entry) : (int)NUMBER_MAX, entry);
    return mark ? mark + 1 : "";
}

static int check_vip(const Ev__VipEntry *v, struct err_info *info)
{
    char number[NUMBER_MAX];
    const char *queue = config_vip_queue(v->entry, number);
    int err = check_number(number, "entry", info);
    if (!err && strchr(v->entry, '@'))
        err = config_check_text(config_rule("Queue", "name"), queue, "entry", info);
    return err;
}

static int check_mailbox(const Ev__Mailbox *m, struct err_info *info)
{
    if (strchr(m->hook_url, '$'))
        return err_set(info, ERR_INVAL, "hook_url", "must be without variables: what it is told stands in the body");
    if (m->hook_secret[0] && !m->hook_url[0])
        return err_set(info, ERR_INVAL, "hook_secret", "there is no hook_url that is told something");
    return 0;
}

static int check_lookup(const Ev__Lookup *l, struct err_info *info)
{
    for (size_t i = 0; i < l->n_headers; i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "headers[%zu]", i);
        if ((l->headers[i]->value[0] != 0) == (l->headers[i]->secret[0] != 0))
            return err_set(info, ERR_INVAL, path, "exactly one of value, secret is needed");
    }
    return 0;
}

static int check_trunk(const Ev__Trunk *t, struct err_info *info)
{
    if (!t->username[0] != !t->secret[0])
        return err_set(info, ERR_INVAL, t->username[0] ? "secret" : "username", "username and secret go together");
    return check_numbers("caller_ids", t->caller_ids, t->n_caller_ids, info);
}

static int check_forward(const Ev__Forward *f, struct err_info *info)
{
    const Ev__Action *to = f->to;
    if (!f->agent[0] == !f->extension[0])
        return err_set(info, ERR_INVAL, "agent", "exactly one of agent, extension is needed");
    if (!to)
        return err_set(info, ERR_INVAL, "to", "must say where the calls go");
    if (strcmp(to->type, "hangup") == 0 || strcmp(to->type, "callback") == 0)
        return err_set(info, ERR_INVAL, "to.type", "must be agent, extension, queue, flow, outside or voicemail");
    bool itself = (strcmp(to->type, "agent") == 0 && strcmp(to->target, f->agent) == 0) ||
                  (strcmp(to->type, "extension") == 0 && strcmp(to->target, f->extension) == 0);
    return itself ? err_set(info, ERR_INVAL, "to.target", "must be somebody else") : 0;
}

int config_check_object(enum cfg_kind kind, const ProtobufCMessage *msg, struct err_info *info)
{
    return kind == CFG_AGENT           ? check_agent((const Ev__Agent *)(const void *)msg, info)
           : kind == CFG_AGENT_STATE   ? check_agent_state((const Ev__AgentState *)(const void *)msg, info)
           : kind == CFG_QUEUE         ? check_queue((const Ev__Queue *)(const void *)msg, info)
           : kind == CFG_ACCESS_NUMBER ? check_access((const Ev__AccessNumber *)(const void *)msg, info)
           : kind == CFG_HOLIDAY_LIST  ? holiday_list_check((const Ev__HolidayList *)(const void *)msg, info)
           : kind == CFG_PROMPT        ? check_prompt((const Ev__Prompt *)(const void *)msg, info)
           : kind == CFG_TRUNK         ? check_trunk((const Ev__Trunk *)(const void *)msg, info)
           : kind == CFG_TOKEN         ? scope_check_token((const Ev__Token *)(const void *)msg, info)
           : kind == CFG_FORWARD       ? check_forward((const Ev__Forward *)(const void *)msg, info)
           : kind == CFG_MAILBOX       ? check_mailbox((const Ev__Mailbox *)(const void *)msg, info)
           : kind == CFG_LOOKUP        ? check_lookup((const Ev__Lookup *)(const void *)msg, info)
           : kind == CFG_AREA          ? check_numbers("numbers", ((const Ev__Area *)(const void *)msg)->numbers,
                                                       ((const Ev__Area *)(const void *)msg)->n_numbers, info)
           : kind == CFG_NOTICE        ? notice_check((const Ev__Notice *)(const void *)msg, info)
           : kind == CFG_BLACKLIST
               ? check_number(((const Ev__BlacklistEntry *)(const void *)msg)->number, "number", info)
           : kind == CFG_VIP ? check_vip((const Ev__VipEntry *)(const void *)msg, info)
                             : 0;
}
