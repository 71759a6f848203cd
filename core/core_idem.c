/* The same request twice gives the first answer again: keys of API clients and what was answered. */
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

/* FNV-1a over the body: tells a repetition from another request under the same key. Bodies that the proposer fills with
 * new identifiers each time (calls) are not compared. */
uint64_t core_idem_hash(struct core *c)
{
    const ProtobufCMessage *body = NULL;
    if (c->cmd->body_case == EV__COMMAND__BODY_CONFIG_APPLY)
        body = &c->cmd->config_apply->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_AGENT_SET)
        body = &c->cmd->agent_set->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_BACK_SET)
        body = &c->cmd->call_back_set->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_MESSAGE_SET)
        body = &c->cmd->message_set->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_MESSAGE_DELETE)
        body = &c->cmd->message_delete->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_TRANSFER)
        body = &c->cmd->call_transfer->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_AGENT_DIAL)
        body = &c->cmd->agent_dial->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_JOIN)
        body = &c->cmd->call_join->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_TURN)
        body = &c->cmd->call_turn->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_MODE)
        body = &c->cmd->call_mode->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_MERGE)
        body = &c->cmd->call_merge->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_DROP)
        body = &c->cmd->call_drop->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_PARTY)
        body = &c->cmd->call_party->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_PICKUP)
        body = &c->cmd->call_pickup->base;
    else if (c->cmd->body_case == EV__COMMAND__BODY_CALL_DATA)
        body = &c->cmd->call_data->base;
    uint64_t h = 0xcbf29ce484222325ull ^ (uint64_t)c->cmd->body_case;
    if (!body)
        return h;
    size_t len;
    const uint8_t *p = core_packed(c, body, &len);
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3ull;
    return h;
}

struct find {
    struct core *c;
    uint64_t hash;
};

static int found(void *ctx, const struct storage_row *row)
{
    struct find *f = ctx;
    struct core_answer *a = f->c->ans;
    if (storage_row_int(row, 0) != f->hash) {
        (void)core_refuse(f->c, ERR_CONFLICT, "", "the idempotency key was used for another request");
        return 1;
    }
    a->index = storage_row_int(row, 1);
    a->code = (int)(int64_t)storage_row_int(row, 2);
    (void)strncpy(a->text, storage_row_text(row, 3), sizeof a->text - 1);
    (void)strncpy(a->field, storage_row_text(row, 4), sizeof a->field - 1);
    a->version = storage_row_int(row, 5);
    const char *json = storage_row_text(row, 6);
    if (json[0])
        a->json = core_dup(json);
    return 1;
}

bool core_idem_find(struct core *c, const char *key, uint64_t body_hash)
{
    struct find f = {c, body_hash};
    const struct storage_val v = storage_text(key);
    return storage_query(c->st, STORAGE_IDEM_GET, &v, 1, found, &f) == 1;
}

void core_idem_keep(struct core *c, const char *key, uint64_t body_hash)
{
    const struct core_answer *a = c->ans;
    const struct storage_val v[] = {storage_int(++c->idem_seq),
                                    storage_text(key),
                                    storage_int(body_hash),
                                    storage_int(a->index),
                                    storage_int((uint64_t)(int64_t)a->code),
                                    storage_text(a->text),
                                    storage_text(a->field),
                                    storage_int(a->version),
                                    storage_text(a->json),
                                    storage_int(c->now_us)};
    storage_run(c->st, STORAGE_IDEM_PUT, v, 10);
    if (!c->idem_oldest_us)
        c->idem_oldest_us = c->now_us;
    if (c->idem_seq % CORE_IDEM_EVERY == 0)
        core_idem_trim(c, false);
}

void core_idem_trim(struct core *c, bool force)
{
    if (!c->idem_oldest_us)
        return;
    bool old = c->now_us - c->idem_oldest_us > CORE_IDEM_AGE_US;
    if (!old && (force || c->idem_seq <= CORE_IDEM_KEPT))
        return;
    const struct storage_val v[] = {storage_int(c->now_us > CORE_IDEM_AGE_US ? c->now_us - CORE_IDEM_AGE_US : 0),
                                    storage_int(c->idem_seq > CORE_IDEM_KEPT ? c->idem_seq - CORE_IDEM_KEPT : 0)};
    storage_run(c->st, STORAGE_IDEM_TRIM, v, 2);
    c->idem_oldest_us = 0;
    int rc = storage_query(c->st, STORAGE_IDEM_OLDEST, NULL, 0, core_row_number, &c->idem_oldest_us);
    (void)rc; /* an error sticks to the transaction */
}
