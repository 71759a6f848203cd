/* Messages that callers leave: from the moment that one begins to be recorded until it is deleted, by somebody or by its age.
 *
 *   CallMenu.record ─► being recorded, by the call's owner ─RecordEnd with a blob─► kept ─MessageDelete, age─► gone
 *                                                          ─RecordEnd without────────────────────────────► gone
 * A caller who reviews his message may drop it (CallMenu.drop_message), and begin another in the same commit.
 *
 * Beginning and end are commands, and nothing between them: what has been said meanwhile lies at the owner and, a second later, at others
 * (node/recordings.h), so that whoever gets the call goes on with the same message. A message outlives its call: the owner of the call
 * brings it to the disks after that, and when he goes a living node does it with what it finds.
 * Rows are numbered by the time of their beginning, which no two have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

#define MESSAGE_LONGEST_S 3600u
#define MESSAGE_LEAD_MAX_MS 5000u
#define MESSAGE_NOTE_MAX 2000u /* bytes */

static int state_row(void *ctx, const struct storage_row *row)
{
    *(bool *)ctx = storage_row_int(row, 0) == 1;
    return 1;
}

bool core_message_kept(const struct core *c, uint64_t id)
{
    const struct storage_val v = storage_int(id);
    bool kept = false;
    return storage_query(c->st, STORAGE_MESSAGE_GET, &v, 1, state_row, &kept) == 1 && kept;
}

static int blob_row(void *ctx, const struct storage_row *row)
{
    (void)snprintf(ctx, CORE_SHA256_MAX, "%s", storage_row_text(row, 9));
    return 1;
}

int core_message_blob(const struct core *c, uint64_t id, char out[CORE_SHA256_MAX])
{
    const struct storage_val v = storage_int(id);
    char name[CORE_SHA256_MAX] = "";
    if (storage_query(c->st, STORAGE_MESSAGE_GET, &v, 1, blob_row, name) != 1 || !name[0])
        return ERR_NOTFOUND;
    memcpy(out, name, sizeof name);
    return 0;
}

static int about_row(void *ctx, const struct storage_row *row)
{
    struct core_message *m = ctx;
    (void)snprintf(m->box, sizeof m->box, "%s", storage_row_text(row, 1));
    (void)snprintf(m->caller, sizeof m->caller, "%s", storage_row_text(row, 2));
    (void)snprintf(m->called, sizeof m->called, "%s", storage_row_text(row, 3));
    m->started_us = storage_row_int(row, 6);
    m->duration_ms = (uint32_t)storage_row_int(row, 7);
    (void)snprintf(m->sha256, sizeof m->sha256, "%s", storage_row_text(row, 9));
    return 1;
}

int core_message_get(const struct core *c, uint64_t id, struct core_message *out)
{
    const struct storage_val v = storage_int(id);
    return storage_query(c->st, STORAGE_MESSAGE_GET, &v, 1, about_row, out) == 1 && out->sha256[0] ? 0 : ERR_NOTFOUND;
}

/* ---- beginning */

struct in_box {
    const char *box;
    bool there;
};

static int box_row(void *ctx, const struct storage_row *row)
{
    struct in_box *b = ctx;
    b->there = strcmp(storage_row_text(row, 1), b->box) == 0;
    return 1;
}

static bool in_box(const struct core *c, uint64_t id, const char *box)
{
    const struct storage_val v = storage_int(id);
    struct in_box b = {box, false};
    return id && storage_query(c->st, STORAGE_MESSAGE_GET, &v, 1, box_row, &b) == 1 && b.there;
}

static int check_begin(struct core *c, const Ev__RecordBegin *m, uint64_t drops)
{
    const struct storage_val id = storage_int(m->id), box = storage_text(m->box);
    uint64_t there = 0;
    if (!m->id || m->id > INT64_MAX)
        return core_refuse(c, ERR_INVAL, "record.id", "a message needs an id");
    if (!core_fits(m->box, CORE_NAME_MAX))
        return core_refuse(c, ERR_INVAL, "record.box", "a box's name has 1 to %u bytes", CORE_NAME_MAX - 1);
    if (m->max_s < 1 || m->max_s > MESSAGE_LONGEST_S)
        return core_refuse(c, ERR_RANGE, "record.max_s", "1 to %u s", MESSAGE_LONGEST_S);
    if (m->lead_ms > MESSAGE_LEAD_MAX_MS)
        return core_refuse(c, ERR_RANGE, "record.lead_ms", "at most %u ms", MESSAGE_LEAD_MAX_MS);
    if (storage_query(c->st, STORAGE_MESSAGE_GET, &id, 1, core_row_some, NULL) == 1)
        return core_refuse(c, ERR_EXISTS, "record.id", "the id has been used");
    if (!core_box_is_greeting(m->box) &&
        storage_query(c->st, STORAGE_MESSAGE_COUNT, &box, 1, core_row_number, &there) == 1 &&
        there - in_box(c, drops, m->box) >= core_parameter_number(c, "message_box_max", 500))
        return core_refuse(c, ERR_NOSPACE, "record.box", "box %.63s holds %llu messages: no more are taken", m->box,
                           (unsigned long long)there);
    return 0;
}

int core_message_check(struct core *c, const struct call *k, const Ev__CallMenu *m)
{
    if (m->drop_message && m->drop_message != k->st->recording)
        return core_refuse(c, ERR_INVAL, "drop_message", "the call has not recorded this message last");
    return m->record ? check_begin(c, m->record, m->drop_message) : 0;
}

void core_message_begin(struct core *c, struct call *k, const Ev__RecordBegin *m)
{
    Ev__CallState *s = k->st;
    if (!m)
        return;
    struct core_recording *r = core_record_add(c, m->id, m->box, s->owner);
    r->call_id = s->call_id;
    r->started_us = c->now_us + m->lead_ms * 1000ull;
    r->max_s = m->max_s;
    s->recording = m->id;
    const struct storage_val v[] = {storage_int(c->now_us),  storage_int(m->id),
                                    storage_text(m->box),    storage_text(s->owner),
                                    storage_int(s->call_id), storage_text(s->caller),
                                    storage_text(s->called), storage_text(s->queue[0] ? s->queue : s->left_queue),
                                    storage_text(s->flow),   storage_int(m->lead_ms),
                                    storage_int(m->max_s)};
    storage_run(c->st, STORAGE_MESSAGE_PUT, v, 11);
    core_record_tell(c, m->id, "begun");
}

/* ---- the end, and afterwards */

struct message {
    uint64_t state, call_id, started_us, duration_ms;
    bool heard;
    char box[CORE_NAME_MAX], queue[CORE_NAME_MAX], *caller, *called;
};

static int message_row(void *ctx, const struct storage_row *r)
{
    struct message *m = ctx;
    m->state = storage_row_int(r, 0);
    (void)snprintf(m->box, sizeof m->box, "%s", storage_row_text(r, 1));
    m->caller = core_dup(storage_row_text(r, 2));
    m->called = core_dup(storage_row_text(r, 3));
    m->call_id = storage_row_int(r, 4);
    (void)snprintf(m->queue, sizeof m->queue, "%s", storage_row_text(r, 5));
    m->started_us = storage_row_int(r, 6);
    m->duration_ms = storage_row_int(r, 7);
    m->heard = storage_row_int(r, 8) != 0;
    return 1;
}

static bool message_get(struct core *c, uint64_t id, struct message *m)
{
    const struct storage_val v = storage_int(id);
    memset(m, 0, sizeof *m);
    return storage_query(c->st, STORAGE_MESSAGE_GET, &v, 1, message_row, m) == 1;
}

static void message_free(struct message *m)
{
    free(m->caller);
    free(m->called);
}

static void message_event(struct core *c, const char *type, uint64_t id, const struct message *m, const char *why)
{
    char text[17];
    core_id_text(id, text);
    struct sbuf *b = core_ev_begin(c, type, "message", text);
    sbuf_kv(b, "message_id", text);
    core_tell(c, CORE_EV_BOX, 0, "", m->box);
    sbuf_kv(b, "box", m->box);
    sbuf_kv_id(b, "call_id", m->call_id);
    sbuf_kv(b, "caller", m->caller);
    sbuf_kv(b, "called", m->called);
    if (m->queue[0])
        sbuf_kv(b, "queue", m->queue);
    sbuf_kv_uint(b, "duration_ms", m->duration_ms);
    if (why)
        sbuf_kv(b, "reason", why);
    core_ev_end(c);
}

static int find_oldest(struct core *c)
{
    c->message_oldest_us = 0;
    int err = storage_query(c->st, STORAGE_MESSAGE_OLDEST, NULL, 0, core_row_number, &c->message_oldest_us);
    return err < 0 ? err : 0;
}

static void message_remove(struct core *c, uint64_t id, const char *what)
{
    const struct storage_val v = storage_int(id);
    storage_run(c->st, STORAGE_MESSAGE_DEL, &v, 1);
    core_deliveries_drop(c, id);
    core_record_tell(c, id, what);
}

int core_message_end(struct core *c, const Ev__RecordEnd *m)
{
    struct message now;
    if (!message_get(c, m->id, &now)) { /* the transaction fails: the query could not be made */
        message_free(&now);
        return core_refuse(c, ERR_NOTFOUND, "id", "this message is not being recorded");
    }
    if (m->sha256[0]) {
        bool greeting = core_box_is_greeting(now.box);
        uint64_t former = greeting ? core_box_latest(c, now.box) : 0;
        const struct storage_val v[] = {storage_int(m->id), storage_text(m->sha256), storage_int(m->bytes),
                                        storage_int(m->duration_ms)};
        storage_run(c->st, STORAGE_MESSAGE_KEEP, v, 4);
        now.duration_ms = m->duration_ms;
        if (former)
            message_remove(c, former, "replaced");
        if (!greeting && (!c->message_oldest_us || now.started_us < c->message_oldest_us))
            c->message_oldest_us = now.started_us;
        core_tell(c, CORE_EV_MESSAGE, m->id, "kept", m->sha256);
        if (!greeting)
            core_deliveries_begin(c, m->id, now.box);
        message_event(c, greeting ? "message.greeting" : "message.new", m->id, &now, NULL);
    } else {
        message_remove(c, m->id, "dropped");
        message_event(c, "message.dropped", m->id, &now, m->why);
    }
    message_free(&now);
    return 0;
}

/* One that was kept, or a refusal. */
static bool message_kept(struct core *c, uint64_t id, struct message *m)
{
    if (message_get(c, id, m) && m->state == 1)
        return true;
    message_free(m);
    (void)core_refuse(c, ERR_NOTFOUND, "id", "there is no such message");
    return false;
}

int core_message_set(struct core *c, const Ev__MessageSet *m)
{
    struct message now;
    if (m->has_note && strlen(m->note) > MESSAGE_NOTE_MAX)
        return core_refuse(c, ERR_TOOBIG, "note", "at most %u bytes", MESSAGE_NOTE_MAX);
    if (!message_kept(c, m->id, &now))
        return c->ans->code;
    const struct storage_val v[] = {storage_int(m->id), storage_int(m->heard ? 1u : 0u)},
                             note[] = {storage_int(m->id), storage_text(m->note)};
    if (m->has_note)
        storage_run(c->st, STORAGE_MESSAGE_NOTE, note, 2);
    if (!m->only_note && (now.heard != 0) != (m->heard != 0)) {
        storage_run(c->st, STORAGE_MESSAGE_HEARD, v, 2);
        core_record_tell(c, m->id, "heard");
        message_event(c, m->heard ? "message.heard" : "message.unheard", m->id, &now, NULL);
    }
    message_free(&now);
    return 0;
}

int core_message_play(struct core *c, const Ev__MessagePlay *m)
{
    struct message now;
    if (!message_kept(c, m->id, &now))
        return c->ans->code;
    message_free(&now);
    return 0;
}

int core_message_delete(struct core *c, const Ev__MessageDelete *m)
{
    struct message now;
    if (!message_kept(c, m->id, &now))
        return c->ans->code;
    message_remove(c, m->id, "deleted");
    message_event(c, "message.deleted", m->id, &now, NULL);
    message_free(&now);
    return 0;
}

/* One that somebody has deleted meanwhile is gone already; one that is still being recorded stays. */
void core_message_drop(struct core *c, struct call *k, uint64_t id)
{
    struct message now;
    bool there = id && message_get(c, id, &now);
    if (there && now.state == 1) {
        message_remove(c, id, "deleted");
        message_event(c, "message.deleted", id, &now, "caller");
        k->st->recording = 0;
    }
    if (there)
        message_free(&now);
}

/* ---- age */

void core_messages_expire(struct core *c)
{
    uint64_t old[CORE_EXPIRED_AT_ONCE];
    unsigned n = 0;
    if (!core_record_expired(c, c->message_oldest_us, "message_days", 90, STORAGE_MESSAGE_EXPIRED, old, &n))
        return;
    for (unsigned i = 0; i < n; i++) {
        struct message now;
        if (message_get(c, old[i], &now))
            core_tell(c, CORE_EV_BOX, 0, "", now.box);
        message_free(&now);
        message_remove(c, old[i], "expired");
    }
    if (find_oldest(c))
        c->message_oldest_us = 0;
}

/* ---- from the tables */

static int pending_row(void *ctx, const struct storage_row *row)
{
    const char *box = storage_row_text(row, 2), *owner = storage_row_text(row, 3);
    if (!core_fits(box, CORE_NAME_MAX) || !core_fits(owner, CORE_NAME_MAX))
        return ERR_CORRUPT;
    struct core_recording *r = core_record_add(ctx, storage_row_int(row, 1), box, owner);
    r->call_id = storage_row_int(row, 4);
    r->started_us = storage_row_int(row, 0) + storage_row_int(row, 5) * 1000u;
    r->max_s = (uint32_t)storage_row_int(row, 6);
    return 0;
}

int core_messages_load(struct core *c)
{
    int err = storage_query(c->st, STORAGE_MESSAGE_PENDING, NULL, 0, pending_row, c);
    return err < 0 ? err : find_oldest(c);
}
