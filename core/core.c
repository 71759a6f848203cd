/* Applying the log: the transaction, the sequence rule, idempotency, and who carries out which command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/core_int.h"
#include "core/core_recording.h"

int core_open(struct storage *st, const struct core_hooks *hooks, struct core **out, struct err_info *info)
{
    struct core *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->st = st;
    if (hooks)
        c->hooks = *hooks;
    int err = core_load(c, info);
    if (err) {
        core_close(c);
        return err;
    }
    *out = c;
    return 0;
}

void core_close(struct core *c)
{
    if (!c)
        return;
    core_unload(c);
    core_apply_done(c);
    free(c->ev);
    free(c->buf);
    sbuf_free(&c->events);
    for (unsigned i = 0; i < c->n_answers; i++)
        free(c->answers[i]);
    free(c->answers);
    free(c);
}

int core_reload(struct core *c, struct err_info *info)
{
    core_unload(c);
    return core_load(c, info);
}

uint64_t core_applied_index(const struct core *c)
{
    return c->index;
}

int core_pack(const Ev__Command *cmd, void **out, size_t *len)
{
    size_t n = ev__command__get_packed_size(cmd);
    uint8_t *p = malloc(n ? n : 1);
    if (!p)
        return ERR_NOMEM;
    *len = ev__command__pack(cmd, p);
    *out = p;
    return 0;
}

int core_refuse(struct core *c, int code, const char *field, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    c->ans->code = code;
    (void)snprintf(c->ans->field, sizeof c->ans->field, "%s", field);
    (void)vsnprintf(c->ans->text, sizeof c->ans->text, fmt, ap);
    va_end(ap);
    return code;
}

uint8_t *core_packed(struct core *c, const ProtobufCMessage *m, size_t *len)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    if (n > c->buf_cap) {
        c->buf_cap = n * 2;
        c->buf = core_grow(c->buf, c->buf_cap);
    }
    *len = protobuf_c_message_pack(m, c->buf);
    return c->buf;
}

/* ---- sequence rule (raft/repl.h, "Exactly once") */

static struct session *session_of(struct core *c, uint64_t origin)
{
    for (size_t i = 0; i < c->n_sessions; i++) {
        if (c->sessions[i].origin == origin)
            return &c->sessions[i];
    }
    c->sessions = core_grow(c->sessions, (c->n_sessions + 1) * sizeof *c->sessions);
    struct session *s = &c->sessions[c->n_sessions++];
    memset(s, 0, sizeof *s);
    s->origin = origin;
    return s;
}

static bool in_sequence(struct core *c, const struct core_item *it)
{
    struct session *s = session_of(c, it->origin);
    if (it->incarnation < s->incarnation)
        return false;
    uint64_t last = it->incarnation == s->incarnation ? s->last_seq : 0;
    if (it->seq != last + 1)
        return false;
    s->incarnation = it->incarnation;
    s->last_seq = it->seq;
    return true;
}

/* ---- one command */

#define TRIM_AT_TICK 50u /* records; there is a Tick each minute at the least */

static int run_body(struct core *c, Ev__Command *cmd)
{
    switch (cmd->body_case) {
    case EV__COMMAND__BODY_NODE_UP:
        return core_node_up(c, cmd->node_up);
    case EV__COMMAND__BODY_NODE_DOWN:
        return core_node_down(c, cmd->node_down);
    case EV__COMMAND__BODY_CLUSTER_INIT:
        return core_cluster_init(c, cmd->cluster_init);
    case EV__COMMAND__BODY_NODE_FORGET:
        return core_node_forget(c, cmd->node_forget);
    case EV__COMMAND__BODY_TICK:
        core_idem_trim(c, true); /* wrap-ups and registrations have been looked at before the command */
        core_cdr_trim(c, TRIM_AT_TICK);
        return 0;
    case EV__COMMAND__BODY_DIGEST_MARK:
        core_tell(c, CORE_EV_DIGEST, 0, "", cmd->digest_mark->request_id);
        return 0;
    case EV__COMMAND__BODY_FEATURE:
        return core_feature(c, cmd->feature);
    case EV__COMMAND__BODY_CLUSTER_OPERATION:
        return core_cluster_operation(c, cmd->cluster_operation);
    case EV__COMMAND__BODY_CONFIG_APPLY:
        return core_config_apply(c, cmd->config_apply);
    case EV__COMMAND__BODY_REGISTER:
        return core_register(c, cmd->register_);
    case EV__COMMAND__BODY_AGENT_SET:
        return core_agent_set(c, cmd->agent_set);
    case EV__COMMAND__BODY_CALL_START:
        return core_call_start(c, cmd->call_start);
    case EV__COMMAND__BODY_CALL_ANSWERED:
        return core_call_answered(c, cmd->call_answered);
    case EV__COMMAND__BODY_CALL_MENU:
        return core_call_menu(c, cmd->call_menu);
    case EV__COMMAND__BODY_CALL_QUEUE:
        return core_call_queue(c, cmd->call_queue);
    case EV__COMMAND__BODY_CALL_DIAL:
        return core_call_dial(c, cmd->call_dial);
    case EV__COMMAND__BODY_OFFER_ANSWERED:
        return core_offer_answered(c, cmd->offer_answered);
    case EV__COMMAND__BODY_OFFER_FAILED:
        return core_offer_failed(c, cmd->offer_failed);
    case EV__COMMAND__BODY_LEG_UPDATE:
        return core_leg_update(c, cmd->leg_update);
    case EV__COMMAND__BODY_NODE_DRAIN:
        return core_node_drain(c, cmd->node_drain);
    case EV__COMMAND__BODY_ADDRESS_MOVE:
        return core_address_move(c, cmd->address_move);
    case EV__COMMAND__BODY_ADDRESS_GIVEN:
        return core_address_given(c, cmd->address_given);
    case EV__COMMAND__BODY_ADDRESS_STATE:
        return core_address_state(c, cmd->address_state);
    case EV__COMMAND__BODY_CALL_MOVE:
        return core_call_move(c, cmd->call_move);
    case EV__COMMAND__BODY_CALL_VIP:
        return core_call_vip(c, cmd->call_vip);
    case EV__COMMAND__BODY_CALL_BACK_ASK:
        return core_callback_ask(c, cmd->call_back_ask);
    case EV__COMMAND__BODY_CALL_BACK_NOTE:
        return core_callback_note(c, cmd->call_back_note);
    case EV__COMMAND__BODY_CALL_BACK_SET:
        return core_callback_set(c, cmd->call_back_set);
    case EV__COMMAND__BODY_RECORD_END:
        return core_record_end(c, cmd->record_end);
    case EV__COMMAND__BODY_MESSAGE_SET:
        return core_message_set(c, cmd->message_set);
    case EV__COMMAND__BODY_MESSAGE_DELETE:
        return core_message_delete(c, cmd->message_delete);
    case EV__COMMAND__BODY_MESSAGE_PLAY:
        return core_message_play(c, cmd->message_play);
    case EV__COMMAND__BODY_DELIVERY_END:
        return core_delivery_end(c, cmd->delivery_end);
    case EV__COMMAND__BODY_RECORDING_SET:
        return core_recording_set(c, cmd->recording_set);
    case EV__COMMAND__BODY_RECORDING_DELETE:
        return core_recording_delete(c, cmd->recording_delete);
    case EV__COMMAND__BODY_RECORDING_PLAY:
        return core_recording_play(c, cmd->recording_play);
    case EV__COMMAND__BODY_RECORDING_PAUSE:
        return core_recording_pause(c, cmd->recording_pause);
    case EV__COMMAND__BODY_RECORDING_FORM:
        return core_recording_form(c, cmd->recording_form);
    case EV__COMMAND__BODY_CALL_END:
        return core_call_end(c, cmd->call_end);
    case EV__COMMAND__BODY_CALL_NOTICES:
        return core_call_notices(c, cmd->call_notices);
    case EV__COMMAND__BODY_CALL_WAIT_NOTICE:
        return core_call_wait_notice(c, cmd->call_wait_notice);
    case EV__COMMAND__BODY_CALL_NOTICE:
        return core_call_notice(c, cmd->call_notice);
    case EV__COMMAND__BODY_CALL_TRANSFER:
        return core_call_transfer(c, cmd->call_transfer);
    case EV__COMMAND__BODY_AGENT_DIAL:
        return core_agent_dial(c, cmd->agent_dial);
    case EV__COMMAND__BODY_CALL_PARTY:
        return core_call_party(c, cmd->call_party);
    case EV__COMMAND__BODY_CALL_PART:
        return core_call_part(c, cmd->call_part);
    case EV__COMMAND__BODY_CALL_DATA:
        return core_call_data(c, cmd->call_data);
    case EV__COMMAND__BODY_CALL_SUPERVISE:
        return core_call_supervise(c, cmd->call_supervise);
    case EV__COMMAND__BODY_AGENT_NEXT:
        return core_agent_next(c, cmd->agent_next);
    case EV__COMMAND__BODY_CALL_HANG_UP:
        return core_call_hang_up(c, cmd->call_hang_up);
    case EV__COMMAND__BODY_SUBSCRIBE:
        return core_subscribe(c, cmd->subscribe);
    case EV__COMMAND__BODY_CALL_PICKUP:
        return core_call_pickup(c, cmd->call_pickup);
    case EV__COMMAND__BODY_UNSUBSCRIBE:
        return core_unsubscribe(c, cmd->unsubscribe);
    case EV__COMMAND__BODY_CALL_JOIN:
        return core_join(c, cmd->call_join, "");
    case EV__COMMAND__BODY_CALL_TURN:
        return core_call_turn(c, cmd->call_turn);
    case EV__COMMAND__BODY_CALL_MODE:
        return core_call_mode(c, cmd->call_mode);
    case EV__COMMAND__BODY_CALL_MERGE:
        return core_call_merge(c, cmd->call_merge);
    case EV__COMMAND__BODY_CALL_DROP:
        return core_call_drop(c, cmd->call_drop);
    case EV__COMMAND__BODY_FORWARD_SET:
        return core_forward_set(c, cmd->forward_set);
    case EV__COMMAND__BODY_CALL_LEFT:
        return core_call_left(c, cmd->call_left);
    case EV__COMMAND__BODY__NOT_SET:
    case _EV__COMMAND__BODY__CASE_IS_INT_SIZE:
        break;
    }
    return core_refuse(c, ERR_UNSUPPORTED, "", "command without a body that this version knows");
}

static void timers(struct core *c)
{
    core_agent_wrap_ups(c);
    core_state_limits(c);
    core_agent_skills_expire(c);
    core_reg_expire(c);
    core_subscriptions_expire(c);
    core_callbacks_due(c);
    core_messages_expire(c);
    core_recordings_expire(c);
}

static int run_command(struct core *c, const struct core_item *it, struct core_answer *ans)
{
    Ev__Command *cmd = it->len ? ev__command__unpack(NULL, it->len, it->data) : NULL;
    c->ans = ans;
    c->commands_total++;
    c->serial++;
    if (!cmd) {
        /* The same bytes fail on every node: a refusal like any other. */
        (void)core_refuse(c, ERR_INVAL, "", "command cannot be decoded");
        c->refused_total++;
        return 0;
    }
    if (cmd->feature_level > CORE_FEATURE_LEVEL) {
        log_error("core", "the log holds a command of feature level %u, this program knows %u: install a newer version",
                  cmd->feature_level, CORE_FEATURE_LEVEL);
        ev__command__free_unpacked(cmd, NULL);
        return ERR_UNSUPPORTED;
    }
    c->cmd = cmd;
    core_clock_advance(c, cmd);
    timers(c);
    char key[256] = "";
    uint64_t hash = 0;
    bool known = false;
    if (cmd->idem_key[0]) {
        /* Keys of different people never meet. */
        (void)snprintf(key, sizeof key, "%.96s\n%.128s", cmd->actor, cmd->idem_key);
        hash = core_idem_hash(c);
        known = core_idem_find(c, key, hash);
    }
    if (!known) {
        (void)run_body(c, cmd);
        core_audit_command(c);
        if (key[0])
            core_idem_keep(c, key, hash);
    }
    core_decide(c);
    while (core_wait_due(c)) /* whoever can be served is, before he is sent away for having waited too long */
        core_decide(c);
    if (ans->code)
        c->refused_total++;
    c->cmd = NULL;
    ev__command__free_unpacked(cmd, NULL);
    return c->stop;
}

/* ---- one entry */

static void flush(struct core *c)
{
    c->serial++;
    core_calls_flush(c);
    core_callbacks_flush(c);
    core_agents_flush(c);
    list_foreach_safe(it, &c->dirty_nodes) {
        struct node *n = list_entry(it, struct node, dirty);
        size_t len;
        uint8_t *body = core_packed(c, &n->msg->base, &len);
        const struct storage_val v[] = {storage_text(n->pub.name), storage_int(n->pub.up), storage_int(n->pub.since_us),
                                        storage_int(n->draining), storage_blob(body, len)};
        storage_run(c->st, STORAGE_NODE_PUT, v, 5);
        list_del(it);
    }
    core_addresses_flush(c);
    core_events_flush(c);
    core_wait_flush(c); /* events tell of queues: what is reckoned from is written with them */
    const struct storage_val v[] = {
        storage_int(c->index),       storage_int(c->term),
        storage_int(c->now_us),      storage_int(c->feature_level),
        storage_int(c->front),       storage_int(c->offer_seq),
        storage_int(c->binding_seq), storage_int(c->cdr_seq),
        storage_int(c->idem_seq),    storage_int(c->events_kept),
        storage_int(c->calls_total), storage_blob(c->sessions, c->n_sessions * sizeof *c->sessions)};
    storage_run(c->st, STORAGE_APPLIED_PUT, v, 12);
}

static void room_for_answers(struct core *c, unsigned n)
{
    if (n <= c->n_answers)
        return;
    c->answers = core_grow(c->answers, n * sizeof *c->answers);
    while (c->n_answers < n)
        c->answers[c->n_answers++] = core_alloc(sizeof **c->answers);
}

int core_apply(struct core *c, uint64_t index, uint64_t term, const struct core_item *items, unsigned n,
               struct core_answer **answers)
{
    room_for_answers(c, n);
    for (unsigned i = 0; i < n; i++) {
        answers[i] = c->answers[i];
        free(answers[i]->json);
        memset(answers[i], 0, sizeof *answers[i]);
        answers[i]->index = index;
        answers[i]->skipped = true;
    }
    if (index <= c->index)
        return 0;
    int err = storage_begin(c->st);
    if (err)
        return err;
    c->index = index;
    c->term = term;
    core_events_reset(c);
    for (unsigned i = 0; i < n && !err; i++) {
        if (!in_sequence(c, &items[i]))
            continue;
        answers[i]->skipped = false;
        err = run_command(c, &items[i], answers[i]);
    }
    if (!err) {
        flush(c);
        err = storage_commit(c->st, index);
    }
    if (err) {
        /* Memory is ahead of the tables now: the caller stops the node, nothing here is used again. */
        storage_rollback(c->st);
        log_error("core", "entry %llu cannot be applied: %s", (unsigned long long)index, err_text(err));
        return err;
    }
    c->serial++;
    for (unsigned i = 0; i < c->n_ev && c->hooks.on_event; i++)
        c->hooks.on_event(c->hooks.ctx, index, &c->ev[i]);
    core_events_reset(c);
    return 0;
}

void core_apply_done(struct core *c)
{
    for (unsigned i = 0; i < c->n_answers; i++) {
        free(c->answers[i]->json);
        c->answers[i]->json = NULL;
    }
}

/* ---- small questions */

uint64_t core_now_us(const struct core *c)
{
    return c->now_us;
}

uint32_t core_feature_level(const struct core *c)
{
    return (uint32_t)c->feature_level;
}

uint64_t core_next_due_us(const struct core *c)
{
    uint64_t due = 0;
    const struct heap_item *top[] = {
        heap_top(&c->wraps), heap_top(&c->expiries),      heap_top(&c->skills),           heap_top(&c->limits),
        heap_top(&c->waits), heap_top(&c->callbacks_due), heap_top(&c->subscriptions_due)};
    for (unsigned i = 0; i < sizeof top / sizeof top[0]; i++) {
        if (top[i] && (!due || top[i]->due < due))
            due = top[i]->due;
    }
    if (c->idem_oldest_us) {
        /* an hour late: many keys go with one tick */
        uint64_t trim = c->idem_oldest_us + CORE_IDEM_AGE_US + 3600ull * 1000000;
        if (!due || trim < due)
            due = trim;
    }
    return due;
}

bool core_secrets(const struct core *c, uint8_t nonce_key[32], uint8_t identifier_key[32], char cluster_id[33])
{
    if (!c->has_cluster)
        return false;
    memcpy(nonce_key, c->nonce_key, 32);
    memcpy(identifier_key, c->identifier_key, 32);
    memcpy(cluster_id, c->cluster_id, 33);
    return true;
}

bool core_callers_wait(const struct core *c)
{
    return acd_waiting_all(c->acd) != 0;
}

void core_get_counts(const struct core *c, struct core_counts *out)
{
    memset(out, 0, sizeof *out);
    out->calls = (uint32_t)map_count(&c->calls);
    out->waiting = acd_waiting_all(c->acd);
    out->talking = c->talking;
    for (uint32_t i = 0; i < c->agent_keys; i++) {
        const struct agent *a = c->agent_by_key[i];
        if (!a)
            continue;
        out->agents_in += a->pub.state != CORE_AGENT_LOGGED_OUT;
        out->agents_idle += a->pub.state == CORE_AGENT_IDLE;
    }
    out->registrations = c->registrations;
    out->calls_total = c->calls_total;
    out->commands_total = c->commands_total;
    out->refused_total = c->refused_total;
}
