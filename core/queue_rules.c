#include "core/queue_rules.h"

#include <string.h>

#include "core/config_json.h"

#define SECOND_US 1000000ull

static const char *const strategies[ACD_STRATEGIES] = {
    [ACD_LONGEST_IDLE] = "longest_idle",
    [ACD_LOGIN_ORDER] = "login_order",
    [ACD_FEWEST_ANSWERED] = "fewest_answered",
    [ACD_RANDOM] = "random",
    [ACD_ROUND_ROBIN] = "round_robin",
    [ACD_LEAST_OCCUPIED] = "least_occupied",
    [ACD_RING_ALL] = "ring_all",
};
static const char *const preferences[ACD_PREFERENCES] = {
    [ACD_BY_REGION] = "region", [ACD_BY_LEVEL] = "level", [ACD_BY_LAST_SERVED] = "last_served"};

const char *queue_strategy_name(enum acd_strategy s)
{
    return (unsigned)s < ACD_STRATEGIES ? strategies[s] : "";
}

const char *queue_preference_name(enum acd_preference p)
{
    return (unsigned)p < ACD_PREFERENCES ? preferences[p] : "";
}

const char *queue_why_name(enum acd_why w)
{
    static const char *const names[] = {
        [ACD_WHY_DEDICATED] = "dedicated", [ACD_WHY_ONLY_ONE] = "only_one",       [ACD_WHY_REGION] = "region",
        [ACD_WHY_LEVEL] = "level",         [ACD_WHY_LAST_SERVED] = "last_served", [ACD_WHY_STRATEGY] = "strategy"};
    return (unsigned)w < sizeof names / sizeof *names ? names[w] : "";
}

uint64_t queue_name_number(const char *name)
{
    if (!name[0])
        return 0;
    uint64_t h = 0xcbf29ce484222325ull;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3ull;
    return h;
}

struct acd_rules queue_rules(const Ev__Queue *q)
{
    struct acd_rules r = {.ageing_us = q->priority_step_s * SECOND_US,
                          .target_us = q->target_s * SECOND_US,
                          .keep_idle = q->keep_idle,
                          .ring_max = 1};
    for (unsigned i = 0; i < ACD_STRATEGIES; i++) {
        if (strcmp(q->strategy, strategies[i]) == 0)
            r.strategy = (enum acd_strategy)i;
    }
    if (r.strategy == ACD_RING_ALL)
        r.ring_max = q->ring_max ? q->ring_max : QUEUE_RING_MAX;
    for (size_t i = 0; i < q->n_preferences && r.n_preferences < ACD_PREFERENCES; i++) {
        for (unsigned p = 0; p < ACD_PREFERENCES; p++) {
            if (strcmp(q->preferences[i], preferences[p]) == 0)
                r.preferences[r.n_preferences++] = (enum acd_preference)p;
        }
    }
    return r;
}

bool queue_prefers(const struct acd_rules *r, enum acd_preference p)
{
    for (unsigned i = 0; i < r->n_preferences; i++) {
        if (r->preferences[i] == p)
            return true;
    }
    return false;
}

bool queue_unready_unanswered(const Ev__Queue *q)
{
    return strcmp(q->strategy, strategies[ACD_RING_ALL]) != 0 || strcmp(q->ring_no_answer, "not_ready") == 0;
}

uint64_t queue_served_us(const Ev__Queue *q)
{
    return (q->last_served_h ? q->last_served_h : QUEUE_SERVED_H) * 3600 * SECOND_US;
}

/* At most ACD_SKILLS_MAX: each goes to its place. */
static unsigned insert(struct acd_skill *v, unsigned n, uint64_t skill, uint32_t level)
{
    unsigned i = n;
    for (; i > 0 && v[i - 1].skill > skill; i--)
        v[i] = v[i - 1];
    v[i] = (struct acd_skill){.skill = skill, .level = level};
    return n + 1;
}

unsigned queue_needs(Ev__SkillNeed *const *needs, size_t n, struct acd_skill *out)
{
    unsigned count = 0;
    for (size_t i = 0; i < n && count < ACD_NEEDS_MAX; i++) {
        uint64_t skill = queue_name_number(needs[i]->skill);
        unsigned k = 0;
        while (k < count && out[k].skill != skill)
            k++;
        if (k == count)
            count = insert(out, count, skill, needs[i]->level);
        else if (out[k].level < needs[i]->level)
            out[k].level = needs[i]->level;
    }
    return count;
}

unsigned queue_skills(const Ev__Agent *a, uint64_t now_us, struct acd_skill *out, uint64_t *next_us)
{
    unsigned count = 0;
    *next_us = 0;
    for (size_t i = 0; i < a->n_skills && count < ACD_SKILLS_MAX; i++) {
        const Ev__AgentSkill *s = a->skills[i];
        uint64_t until = 0;
        if (s->until[0] && (config_parse_time(s->until, &until) != 0 || until <= now_us))
            continue;
        if (until && (!*next_us || until < *next_us))
            *next_us = until;
        count = insert(out, count, queue_name_number(s->skill), s->level);
    }
    return count;
}
