/* Shared by core/view*.c only. */
#ifndef CORE_VIEW_INT_H
#define CORE_VIEW_INT_H

#include "base/map.h"
#include "core/config_json.h"
#include "core/core.h"
#include "core/view.h"
#include "storage/storage.h"

struct view {
    struct storage_reader *r;
    const struct view_query *q;
    const struct view_kind *kind;
    char after[160]; /* key from the cursor, "" at the beginning */
    uint32_t limit;
    json_t *items;
    char last[160]; /* key of the last item taken */
    bool more;
    int err; /* set by callbacks: out of memory, rows that cannot be read */
    struct err_info *info;
    /* loaded when first needed */
    struct map agent_states, agent_queues, positions;
    struct map overflows;  /* "queue" -> JSON list of the queues whose callers may wait there as well */
    struct map live_calls; /* id -> JSON of what a row of an agent says of his call */
    bool has_states, has_queues, has_positions, has_overflows, has_live_calls;
    size_t builtins; /* agent states that have been passed */
};

struct view_kind {
    const char *name;
    int (*list)(struct view *v); /* of one object when q->key is set */
    const char *const *filters;  /* NULL-terminated; compared with the field of that name */
    bool own_filters;            /* the SQL does it: view_add does not compare */
};

/* Takes `item` over. 0: go on; 1: enough (stop the query). */
int view_add(struct view *v, json_t *item, const char *key);
json_t *view_time(uint64_t us); /* RFC 3339 or null */
/* Variables of a flow, as they are stored: an object, empty when there are none. */
json_t *view_variables(const char *json);
json_t *view_text(const char *s); /* never fails on bad UTF-8: such bytes are shown as '?' */
void view_id(uint64_t id, char out[17]);
bool view_parse_id(const char *text, uint64_t *id);
const char *view_filter(const struct view *v, const char *name); /* text of a filter, NULL: none */
/* One more name in the list of this key (a map of JSON arrays). 0 or ERR_NOMEM. */
int view_name_add(struct map *lists, const char *key, const char *name);
/* json_object_set_new whose failure sticks in v->err. */
void view_set(struct view *v, json_t *o, const char *key, json_t *value);

int view_list_config(struct view *v);
int view_list_calls(struct view *v);
int view_list_callbacks(struct view *v);
int view_list_nodes(struct view *v);
int view_list_live_agents(struct view *v);
int view_list_live_waiting(struct view *v);
int view_list_live_queues(struct view *v);
int view_list_addresses(struct view *v);
int view_list_cdrs(struct view *v);
int view_list_missed(struct view *v);
int view_list_missed_counts(struct view *v);
int view_list_ratings(struct view *v);
int view_list_messages(struct view *v);
int view_list_recordings(struct view *v);
int view_list_events(struct view *v);
int view_list_audit(struct view *v);

/* A call at hand in a queue, be it its own or one that it has overflowed to, in the order of service (core/acd.h): offered ones first. */
struct view_entry {
    uint64_t id, front, queued_us;
    int64_t deadline_us;
    uint32_t priority, phase;
    bool vip, callback; /* callback: not a caller but a call back that waits, its number in `caller` */
    char queue[64];
    char caller[64];
};
int view_queue_entries(struct view *v, const char *queue, struct view_entry **out, size_t *n);

/* What goes on at an agent or a queue now, into `o`: the fields that core/view.h says of them. */
int view_agent_now(struct view *v, json_t *o, const char *number);
int view_queue_now(struct view *v, json_t *o, const Ev__Queue *q);
int view_mailbox_now(struct view *v, json_t *o, const char *box);
/* After one of the two. */
enum core_agent_state view_agent_state(const struct view *v, const char *number);

#endif
