/* Listening to messages of callers and recordings of calls: whole, or a range of bytes (RFC 9110 section 14). Each listening is in the
 * audit trail before the first byte is given. */
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

struct sound {
    char sha256[65];
    const char *type; /* of its bytes */
    uint64_t id;
    uint64_t bytes;
};

static void fail_read(struct api_request *q, int err)
{
    if (err == ERR_DENIED)
        api_fail_code(q, ERR_CLOSED, NULL, "this node has no key for it: ask one with the right recording_key_file");
    else
        api_fail_code(q, err, NULL, "the sound cannot be read: %s", err_text(err));
}

static void reply_part(struct api_request *q, int status, size_t from, size_t count)
{
    const struct sound *m = q->state;
    void *data = NULL;
    int err = q->s->be.sound_read(q->s->be.ctx, m->sha256, m->id, from, count, &data);
    if (err)
        fail_read(q, err);
    else
        api_reply_text(q, status, m->type, data, count);
}

static void on_there(struct api_request *q, const struct api_result *r)
{
    struct sound *m = q->state;
    struct err_info info = {.code = 0};
    size_t from, count;
    int err = r->code ? 0 : q->s->be.sound_bytes(q->s->be.ctx, m->sha256, &m->bytes);
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    if (err) {
        fail_read(q, err);
        return;
    }
    q->ranges = true;
    (void)snprintf(q->etag, sizeof q->etag, "\"%.24s\"", m->sha256); /* a sound never changes */
    bool other = q->if_range[0] && strcmp(q->if_range, q->etag) != 0;
    switch (api_range_read(other ? "" : q->range, (size_t)m->bytes, &from, &count)) {
    case API_RANGE_WHOLE:
        reply_part(q, 200, 0, (size_t)m->bytes);
        break;
    case API_RANGE_PART:
        snprintf(q->content_range, sizeof q->content_range, "bytes %zu-%zu/%zu", from, from + count - 1,
                 (size_t)m->bytes);
        reply_part(q, 206, from, count);
        break;
    case API_RANGE_NONE:
        snprintf(q->content_range, sizeof q->content_range, "bytes */%zu", (size_t)m->bytes);
        err_set(&info, ERR_RANGE, "Range", "the sound has %zu bytes", (size_t)m->bytes);
        api_fail_status(q, 416, &info);
        break;
    }
}

static void fetch(struct api_request *q)
{
    const struct sound *m = q->state;
    api_operation(q, API_OP_BLOB_FETCH, json_pack("{s:s}", "sha256", m->sha256), on_there);
}

static void play(struct sound *m, const char *sha256, const char *type)
{
    snprintf(m->sha256, sizeof m->sha256, "%s", sha256);
    m->type = type;
}

/* False and answered: there is none. */
static bool find(struct api_request *q, const char *kind, json_t **row)
{
    struct view_query vq = {.kind = kind, .key = q->params[0]};
    struct sound *m = q->state ? q->state : calloc(1, sizeof *m);
    q->state = m;
    q->state_free = free;
    if (!m || !q->s->be.sound_read) {
        api_fail_code(q, m ? ERR_UNSUPPORTED : ERR_NOMEM, NULL, "sounds cannot be read here");
        return false;
    }
    if (!api_view(q, &vq, row))
        return false;
    play(m, json_string_value(json_object_get(*row, "sha256")), "audio/wav");
    m->id = strtoull(q->params[0], NULL, 16);
    return true;
}

static void on_message_traced(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        fetch(q);
}

void api_message_audio(struct api_request *q)
{
    json_t *row = NULL;
    Ev__MessagePlay *m;
    if (!find(q, "message", &row))
        return;
    json_decref(row);
    Ev__Command *cmd = api_command_with(q, EV__COMMAND__BODY_MESSAGE_PLAY, sizeof *m, (void **)&m);
    if (!cmd)
        return;
    ev__message_play__init(m);
    m->id = ((const struct sound *)q->state)->id;
    cmd->message_play = m;
    api_command(q, cmd, on_message_traced);
}

/* ---- recordings: as WAV or MP3 */

static bool choose(struct api_request *q, const json_t *row, const char *format)
{
    const char *sha256 = json_string_value(json_object_get(json_object_get(row, format), "sha256"));
    if (sha256)
        play(q->state, sha256, strcmp(format, "mp3") == 0 ? "audio/mpeg" : "audio/wav");
    return sha256 != NULL;
}

static void on_made(struct api_request *q, const struct api_result *r)
{
    json_t *row = NULL;
    if (r->code == ERR_TIMEOUT || r->code == ERR_BUSY) {
        q->retry_after = 5;
        api_fail_code(q, ERR_BUSY, NULL, "the MP3 file is being made, at low priority: ask again");
    } else if (r->code) {
        api_fail_result(q, r);
    } else if (find(q, "recording", &row)) {
        if (choose(q, row, "mp3"))
            fetch(q);
        else
            api_fail_code(q, ERR_BUSY, NULL, "the MP3 file is being made: ask again");
        json_decref(row);
    }
}

static void on_traced(struct api_request *q, const struct api_result *r)
{
    const struct sound *m = q->state;
    if (r->code)
        api_fail_result(q, r);
    else if (m->sha256[0])
        fetch(q);
    else
        api_operation(q, API_OP_RECORDING_MP3, json_pack("{s:s}", "recording_id", q->params[0]), on_made);
}

void api_recording_audio(struct api_request *q)
{
    const char *format = api_query(q, "format");
    bool mp3 = format && strcmp(format, "mp3") == 0;
    json_t *row = NULL;
    if (format && !mp3 && strcmp(format, "wav") != 0) {
        api_fail_code(q, ERR_INVAL, "format", "must be wav or mp3");
        return;
    }
    if (!find(q, "recording", &row))
        return;
    bool there = choose(q, row, format ? format : json_string_value(json_object_get(row, "format")));
    json_decref(row);
    if (!there && !mp3) {
        api_fail_code(q, ERR_CONFLICT, "format", "it is kept as MP3 only");
        return;
    }
    struct sound *s = q->state;
    if (!there)
        s->sha256[0] = '\0'; /* made once the listening is in the audit trail */
    Ev__RecordingPlay *m;
    Ev__Command *cmd = api_command_with(q, EV__COMMAND__BODY_RECORDING_PLAY, sizeof *m, (void **)&m);
    if (!cmd)
        return;
    q->idem[0] = '\0'; /* each listening is a row of its own: what was done under this key before is not this one */
    ev__recording_play__init(m);
    m->id = s->id;
    cmd->recording_play = m;
    api_command(q, cmd, on_traced);
}
