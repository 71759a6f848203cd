/* Tickets: questions to the node whose answers come later, from another thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"

void api_posted_free(struct api_posted *p)
{
    json_decref(p->json);
    free(p->json_text);
    free(p);
}

void api_post_result(struct api_server *s, uint64_t ticket, const struct api_result *r)
{
    struct api_posted *p = calloc(1, sizeof *p);
    if (!p) { /* the client gets its answer when the ticket's time has run out */
        json_decref(r->json);
        return;
    }
    p->ticket = ticket;
    p->code = r->code;
    p->index = r->index;
    p->version = r->version;
    p->json = r->json;
    snprintf(p->text, sizeof p->text, "%s", r->text ? r->text : "");
    snprintf(p->field, sizeof p->field, "%s", r->field ? r->field : "");
    p->json_text = mem_strdup(r->json_text);
    pthread_mutex_lock(&s->lock);
    *s->posted_end = p;
    s->posted_end = &p->next;
    if (s->lws)
        lws_cancel_service(s->lws);
    pthread_mutex_unlock(&s->lock);
}

void api_tickets_run(struct api_server *s)
{
    pthread_mutex_lock(&s->lock);
    struct api_posted *p = s->posted;
    s->posted = NULL;
    s->posted_end = &s->posted;
    pthread_mutex_unlock(&s->lock);
    while (p) {
        struct api_posted *next = p->next;
        struct api_request *q = map_del_u64(&s->tickets, p->ticket);
        if (q) {
            struct api_result r = {.code = p->code,
                                   .text = p->text,
                                   .field = p->field,
                                   .index = p->index,
                                   .version = p->version,
                                   .json_text = p->json_text,
                                   .json = p->json};
            q->ticket = 0;
            lws_sul_schedule(s->lws, 0, &q->deadline, NULL, LWS_SET_TIMER_USEC_CANCEL);
            if (r.index)
                q->index = r.index;
            q->resume(q, &r);
        }
        api_posted_free(p);
        p = next;
    }
}

void api_ticket_drop(struct api_request *q)
{
    if (!q->ticket)
        return;
    (void)map_del_u64(&q->s->tickets, q->ticket);
    q->ticket = 0;
    lws_sul_schedule(q->s->lws, 0, &q->deadline, NULL, LWS_SET_TIMER_USEC_CANCEL);
}

static void on_deadline(lws_sorted_usec_list_t *sul)
{
    struct api_request *q = lws_container_of(sul, struct api_request, deadline);
    (void)map_del_u64(&q->s->tickets, q->ticket);
    q->ticket = 0;
    q->s->n.timeouts++;
    struct api_result r = {.code = ERR_TIMEOUT, .text = "no answer in time; whether it will be done is not known"};
    q->resume(q, &r);
}

/* Before the node is asked, so that it may post at once. */
static int open_ticket(struct api_request *q, api_resume_fn *resume, unsigned timeout_ms)
{
    struct api_server *s = q->s;
    if (map_count(&s->tickets) >= API_TICKETS_MAX)
        return ERR_BUSY;
    uint64_t t = ++s->next_ticket;
    int err = map_set_u64(&s->tickets, t, q);
    if (err)
        return err;
    q->ticket = t;
    q->resume = resume;
    lws_sul_schedule(s->lws, 0, &q->deadline, on_deadline, (lws_usec_t)(timeout_ms + API_RESERVE_MS) * 1000);
    return 0;
}

static void refuse(struct api_request *q, int err)
{
    api_ticket_drop(q);
    api_fail_code(q, err, NULL, "%s",
                  err == ERR_BUSY ? "too many requests wait for an answer: try again later" : err_text(err));
}

Ev__Command *api_command_new(Ev__Command__BodyCase body)
{
    Ev__Command *cmd = malloc(sizeof *cmd);
    if (cmd) {
        ev__command__init(cmd);
        cmd->body_case = body;
    }
    return cmd;
}

Ev__Command *api_command_with(struct api_request *q, Ev__Command__BodyCase body, size_t bytes, void **message)
{
    Ev__Command *cmd = api_command_new(body);
    *message = cmd ? malloc(bytes) : NULL;
    if (*message)
        return cmd;
    free(cmd);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
    return NULL;
}

void api_command(struct api_request *q, Ev__Command *cmd, api_resume_fn *resume)
{
    if (!cmd) {
        refuse(q, ERR_NOMEM);
        return;
    }
    int err = 0;
    cmd->actor = mem_strdup(q->actor);
    cmd->origin = mem_strdup(q->origin);
    cmd->idem_key = mem_strdup(q->idem); /* apply keeps it with the actor: two clients may use the same */
    if (!cmd->actor || !cmd->origin || !cmd->idem_key)
        err = ERR_NOMEM;
    if (!err)
        err = open_ticket(q, resume, q->s->timeout_ms);
    if (!err)
        err = q->s->be.submit(q->s->be.ctx, cmd, q->s->timeout_ms, q->ticket);
    if (err) {
        ev__command__free_unpacked(cmd, NULL);
        refuse(q, err);
    }
}

static unsigned op_timeout_ms(const struct api_request *q, enum api_op op)
{
    switch (op) {
    case API_OP_CLUSTER_VERIFY: /* digests are computed over the whole state */
    case API_OP_CLUSTER_TRANSFER:
    case API_OP_NODE_ADD:
    case API_OP_NODE_REMOVE:
        return 30000;
    case API_OP_CLUSTER_STATUS:
    case API_OP_NODE_STATUS:
    case API_OP_READ_INDEX:
    case API_OP_NODES_NEAREST:
    case API_OP_EXPLAIN:
        break;
    case API_OP_BLOB_FETCH:
    case API_OP_RECORDING_MP3:
    case API_OP_RECORDING_VERIFY: /* a file of an hour is read to its end */
        return 20000;
    }
    return q->s->timeout_ms;
}

void api_operation(struct api_request *q, enum api_op op, json_t *args, api_resume_fn *resume)
{
    unsigned ms = op_timeout_ms(q, op);
    int err = args ? open_ticket(q, resume, ms) : ERR_NOMEM;
    if (!err)
        err = q->s->be.call(q->s->be.ctx, op, args, q->actor, q->origin, ms, q->ticket);
    if (err) {
        json_decref(args);
        refuse(q, err);
    }
}

#define SOUND_MS 60000u /* conversion, and until a majority has it */

void api_sound(struct api_request *q, const char *language, const char *text, api_resume_fn *resume)
{
    int err = q->s->be.sound ? open_ticket(q, resume, SOUND_MS) : ERR_UNSUPPORTED;
    if (!err)
        err = q->s->be.sound(q->s->be.ctx, text ? -1 : q->spool, language, text, q->ticket);
    if (err == ERR_INVAL) {
        api_ticket_drop(q);
        api_fail_code(q, err, "language", "there is no voice for \"%.16s\"", language);
    } else if (err) {
        refuse(q, err);
    }
}

/* ---- answers given before */

static int take_replay(void *ctx, const struct storage_row *row)
{
    struct api_posted *p = ctx;
    p->index = storage_row_int(row, 0);
    p->code = (int)(int64_t)storage_row_int(row, 1);
    snprintf(p->text, sizeof p->text, "%s", storage_row_text(row, 2));
    snprintf(p->field, sizeof p->field, "%s", storage_row_text(row, 3));
    p->version = storage_row_int(row, 4);
    const char *json = storage_row_text(row, 5);
    p->json_text = json[0] ? mem_strdup(json) : NULL;
    p->ticket = 1;
    return 0;
}

bool api_replayed(struct api_request *q, struct api_posted *out)
{
    memset(out, 0, sizeof *out);
    if (!q->idem[0])
        return false;
    char key[sizeof q->actor + sizeof q->idem];
    snprintf(key, sizeof key, "%.96s\n%.128s", q->actor, q->idem); /* as core/core.c keeps it */
    struct storage_val v = storage_text(key);
    int err =
        storage_reader_query(q->s->reader, "SELECT idx, code, text, field, version, json FROM idempotency WHERE key=?",
                             &v, 1, take_replay, out);
    return err == 0 && out->ticket;
}

bool api_answered_before(struct api_request *q, api_resume_fn *done)
{
    struct api_posted before;
    if (!api_replayed(q, &before))
        return false;
    const struct api_result r = {.code = before.code,
                                 .text = before.text,
                                 .field = before.field,
                                 .index = before.index,
                                 .version = before.version,
                                 .json_text = before.json_text};
    q->index = before.index;
    done(q, &r);
    free(before.json_text);
    return true;
}
