/* Messages that callers have left: listened to (whole, or a range of it), marked, deleted. Lists and single ones are rows like any other. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

/* ---- ranges of bytes */

/* Digits up to `end`; false: none, or too many. */
static bool number_of(const char *p, const char *end, uint64_t *out)
{
    *out = 0;
    if (p == end || end - p > 18)
        return false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        *out = *out * 10 + (uint64_t)(*p - '0');
    }
    return true;
}

enum api_range api_range_read(const char *range, size_t size, size_t *from, size_t *count)
{
    uint64_t first = 0, last = 0;
    const char *p = range, *dash;
    *from = 0;
    *count = size;
    if (strncasecmp(p, "bytes=", 6) != 0 || strchr(p, ','))
        return API_RANGE_WHOLE; /* a unit that is not known, or several: the whole is a right answer too */
    p += 6;
    dash = strchr(p, '-');
    if (!dash)
        return API_RANGE_WHOLE;
    bool has_first = number_of(p, dash, &first), has_last = number_of(dash + 1, p + strlen(p), &last);
    if ((!has_first && dash != p) || (!has_last && dash[1]) || (!has_first && !has_last) ||
        (has_first && has_last && last < first))
        return API_RANGE_WHOLE; /* not one at all: as if it were not there */
    if (has_first ? first >= size : last == 0 || size == 0)
        return API_RANGE_NONE;
    if (!has_first) {
        *count = last < size ? (size_t)last : size;
        *from = size - *count;
        return API_RANGE_PART;
    }
    *from = (size_t)first;
    *count = has_last && last < size - 1 ? (size_t)(last - first + 1) : size - (size_t)first;
    return API_RANGE_PART;
}

/* ---- listening */

struct message {
    char sha256[65];
};

static void reply_audio(struct api_request *q, char *data, size_t len)
{
    size_t from, count;
    struct err_info info = {.code = 0};
    q->ranges = true;
    switch (api_range_read(q->range, len, &from, &count)) {
    case API_RANGE_WHOLE:
        api_reply_text(q, 200, "audio/wav", data, len);
        break;
    case API_RANGE_PART:
        memmove(data, data + from, count);
        char *less = realloc(data, count);
        data = less ? less : data;
        snprintf(q->content_range, sizeof q->content_range, "bytes %zu-%zu/%zu", from, from + count - 1, len);
        api_reply_text(q, 206, "audio/wav", data, count);
        break;
    case API_RANGE_NONE:
        free(data);
        snprintf(q->content_range, sizeof q->content_range, "bytes */%zu", len);
        err_set(&info, ERR_RANGE, "Range", "the message has %zu bytes", len);
        api_fail_status(q, 416, &info);
        break;
    }
}

static void on_there(struct api_request *q, const struct api_result *r)
{
    const struct message *m = q->state;
    void *data = NULL;
    size_t len = 0;
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    int err = q->s->be.blob_read(q->s->be.ctx, m->sha256, &data, &len);
    if (err)
        api_fail_code(q, err, NULL, "the message cannot be read: %s", err_text(err));
    else
        reply_audio(q, data, len);
}

/* False and answered: there is no such message. */
static bool find(struct api_request *q, json_t **out)
{
    struct view_query vq = {.kind = "message", .key = q->params[0]};
    return api_view(q, &vq, out);
}

void api_message_audio(struct api_request *q)
{
    json_t *row = NULL;
    struct message *m = calloc(1, sizeof *m);
    q->state = m;
    q->state_free = free;
    if (!m || !q->s->be.blob_read) {
        api_fail_code(q, m ? ERR_UNSUPPORTED : ERR_NOMEM, NULL, "messages cannot be read here");
        return;
    }
    if (!find(q, &row))
        return;
    snprintf(m->sha256, sizeof m->sha256, "%s", json_string_value(json_object_get(row, "sha256")));
    json_decref(row);
    api_operation(q, API_OP_BLOB_FETCH, json_pack("{s:s}", "sha256", m->sha256), on_there);
}

/* ---- changing: whether the message is there is for apply to say, which knows repetitions of what was done */

static void on_marked(struct api_request *q, const struct api_result *r)
{
    json_t *out = NULL;
    if (r->code)
        api_fail_result(q, r);
    else if (find(q, &out))
        api_reply(q, 200, out);
}

static void submit(struct api_request *q, Ev__Command *cmd, ProtobufCMessage *body, api_resume_fn *resume)
{
    if (cmd && body) {
        api_command(q, cmd, resume);
        return;
    }
    free(cmd);
    free(body);
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

void api_patch_message(struct api_request *q)
{
    const json_t *heard = json_object_get(q->json, "heard");
    uint64_t id;
    if (json_object_size(q->json) != 1 || !json_is_boolean(heard)) {
        api_fail_code(q, ERR_INVAL, "heard", "is the one thing that can be changed: true or false");
        return;
    }
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_MESSAGE_SET);
    Ev__MessageSet *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__message_set__init(m);
        m->id = id;
        m->heard = json_is_true(heard);
        cmd->message_set = m;
    }
    submit(q, cmd, m ? &m->base : NULL, on_marked);
}

void api_delete_message(struct api_request *q)
{
    uint64_t id;
    if (!api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_MESSAGE_DELETE);
    Ev__MessageDelete *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__message_delete__init(m);
        m->id = id;
        cmd->message_delete = m;
    }
    submit(q, cmd, m ? &m->base : NULL, api_on_removed);
}
