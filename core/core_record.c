/* What is being recorded: messages of callers (core_message.c) and calls (core_recording.c), until RecordEnd says that it is on the disks of
 * a majority, or that there is nothing to keep. Beginning and end are commands, nothing between them.
 *
 * Whose it is: the call's owner while there is a call; when that node goes, the call's next one, or a living one. Only it may end it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

struct recording {
    struct core_recording pub;
    struct list_node link;
    char box[CORE_NAME_MAX], owner[CORE_NAME_MAX];
};

static struct recording *recording_obj(const struct core *c, uint64_t id)
{
    return map_get_u64(&c->recordings_by_id, id);
}

const struct core_recording *core_recording(const struct core *c, uint64_t id)
{
    const struct recording *r = recording_obj(c, id);
    return r ? &r->pub : NULL;
}

const struct core_recording *core_recording_next(const struct core *c, const struct core_recording *after)
{
    const struct list_node *at = after ? list_entry(after, struct recording, pub)->link.next : c->recordings.next;
    return at == &c->recordings ? NULL : &list_entry(at, struct recording, link)->pub;
}

struct core_recording *core_record_add(struct core *c, uint64_t id, const char *box, const char *owner)
{
    struct recording *r = core_alloc(sizeof *r);
    (void)snprintf(r->box, sizeof r->box, "%s", box);
    (void)snprintf(r->owner, sizeof r->owner, "%s", owner);
    r->pub.id = id;
    r->pub.box = r->box;
    r->pub.owner = r->owner;
    if (map_set_u64(&c->recordings_by_id, id, r))
        core_oom();
    list_push_back(&c->recordings, &r->link);
    return &r->pub;
}

static void recording_drop(struct core *c, struct recording *r)
{
    (void)map_del_u64(&c->recordings_by_id, r->pub.id);
    list_del(&r->link);
    free(r);
}

void core_record_tell(struct core *c, uint64_t id, const char *what)
{
    core_tell(c, CORE_EV_MESSAGE, id, what, "");
}

/* ---- whose it is */

static void recording_give(struct core *c, struct recording *r, const char *to)
{
    const struct storage_val v[] = {storage_int(r->pub.id), storage_text(to)};
    (void)snprintf(r->owner, sizeof r->owner, "%s", to);
    storage_run(c->st, r->pub.of_call ? STORAGE_RECORDING_OWNER : STORAGE_MESSAGE_OWNER, v, 2);
    core_record_tell(c, r->pub.id, "owner");
}

void core_record_given(struct core *c, const struct call *k)
{
    struct recording *r[] = {k->st->recording ? recording_obj(c, k->st->recording) : NULL,
                             k->st->recorded_us ? recording_obj(c, k->st->call_id) : NULL};
    for (unsigned i = 0; i < 2; i++)
        if (r[i])
            recording_give(c, r[i], k->st->owner);
}

void core_record_call_over(struct core *c, const struct call *k)
{
    if (k->st->recording && recording_obj(c, k->st->recording))
        core_record_tell(c, k->st->recording, "call_over");
    core_recording_over(c, k);
    if (k->st->recorded_us && recording_obj(c, k->st->call_id))
        core_record_tell(c, k->st->call_id, "call_over");
}

void core_records_give(struct core *c, const char *from, const char *to)
{
    list_foreach(it, &c->recordings) {
        struct recording *r = list_entry(it, struct recording, link);
        if (strcmp(r->owner, from) == 0)
            recording_give(c, r, to);
    }
}

void core_records_come_back(struct core *c, const char *name)
{
    list_foreach(it, &c->recordings) {
        struct recording *r = list_entry(it, struct recording, link);
        const struct core_node *owner = core_node(c, r->owner);
        if (!owner || !owner->up)
            recording_give(c, r, name);
    }
}

/* ---- the end */

bool core_is_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

int core_record_end(struct core *c, const Ev__RecordEnd *m)
{
    struct recording *r = recording_obj(c, m->id);
    if (!r)
        return core_refuse(c, ERR_NOTFOUND, "id", "this is not being recorded");
    if (strcmp(r->owner, c->cmd->node) != 0)
        return core_refuse(c, ERR_STALE, "node", "the recording is node %.63s's", r->owner);
    if (m->sha256[0] && (!core_is_sha256(m->sha256) || !m->duration_ms || !m->bytes))
        return core_refuse(c, ERR_INVAL, "sha256", "a sound has a hash and a length");
    int err = r->pub.of_call ? core_recording_end(c, m) : core_message_end(c, m);
    if (!err)
        recording_drop(c, r);
    return err;
}

/* ---- age */

struct expired {
    uint64_t *id;
    unsigned n;
};

static int expired_row(void *ctx, const struct storage_row *row)
{
    struct expired *e = ctx;
    if (e->n < CORE_EXPIRED_AT_ONCE)
        e->id[e->n++] = storage_row_int(row, 0);
    return 0;
}

bool core_record_expired(struct core *c, uint64_t oldest_us, const char *parameter, uint32_t usual,
                         enum storage_sql sql, uint64_t id[CORE_EXPIRED_AT_ONCE], unsigned *n)
{
    uint64_t kept_us = core_parameter_number(c, parameter, usual) * 86400000000ull;
    if (!oldest_us || !kept_us || c->now_us < kept_us || oldest_us >= c->now_us - kept_us)
        return false;
    const struct storage_val before = storage_int(c->now_us - kept_us);
    struct expired old = {.id = id};
    /* What cannot be read has made the transaction fail. */
    if (storage_query(c->st, sql, &before, 1, expired_row, &old) < 0)
        return false;
    *n = old.n;
    return true;
}

/* ---- from the tables */

int core_records_load(struct core *c)
{
    int err = core_messages_load(c);
    return err ? err : core_recordings_load(c);
}

void core_records_free(struct core *c)
{
    if (!c->recordings.next)
        return; /* never loaded */
    list_foreach_safe(it, &c->recordings)
        recording_drop(c, list_entry(it, struct recording, link));
    map_free(&c->recordings_by_id);
}
