/* Prompts: sounds that are uploaded or spoken, their versions, listening to them.
 *
 *   PUT ──file on disk──► api_sound ──the node converts it, a majority has it──► on_sound: one version more ──► ConfigApply
 *                                                                                   ▲ somebody was faster: again, up to TRIES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/config_json.h"

#define TRIES 4u

struct making {
    unsigned tries;
    char language[8];
    char *text, *file; /* where the sound is from; one of them "" */
    char sha256[65];
    uint32_t bytes, duration_ms;
    uint32_t to; /* rollback: the version to play, 0: the one before */
    bool rollback;
};

static void making_free(void *state)
{
    struct making *m = state;
    free(m->text);
    free(m->file);
    free(m);
}

static void on_stored(struct api_request *q, const struct api_result *r);

/* NULL and answered when the request's names are not such. */
static struct making *begin(struct api_request *q, const char *language, const char *text, const char *file)
{
    struct err_info info = {.code = 0};
    int err = config_check_text(config_rule("Prompt", "name"), q->params[0], "name", &info);
    if (!err)
        err = config_check_text(config_rule("PromptSound", "language"), language ? language : "", "language", &info);
    if (!err)
        err = config_check_text(config_rule("PromptVersion", "text"), text, "text", &info);
    if (!err)
        err = config_check_text(config_rule("PromptVersion", "file"), file, "file", &info);
    if (err) {
        api_fail(q, &info);
        return NULL;
    }
    struct making *m = calloc(1, sizeof *m);
    if (m) {
        snprintf(m->language, sizeof m->language, "%s", language);
        m->text = mem_strdup(text);
        m->file = mem_strdup(file);
        q->state = m;
        q->state_free = making_free;
    }
    if (!m || !m->text || !m->file) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return NULL;
    }
    return q->method != API_GET && api_answered_before(q, on_stored) ? NULL : m;
}

/* ---- the object with one version more, or another one played */

static json_t *sound_of(json_t *prompt, const char *language)
{
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(prompt, "sounds"), i, s)
    {
        if (strcmp(json_string_value(json_object_get(s, "language")), language) == 0)
            return s;
    }
    return NULL;
}

static const json_t *version_of(const json_t *sound, json_int_t version)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(sound, "versions"), i, v)
    {
        if (json_integer_value(json_object_get(v, "version")) == version)
            return v;
    }
    return NULL;
}

static json_int_t current_of(const json_t *sound)
{
    return json_integer_value(json_object_get(sound, "current"));
}

/* The oldest makes room, but never the one that is played. */
static void drop_oldest(json_t *sound)
{
    json_t *versions = json_object_get(sound, "versions");
    size_t first = json_integer_value(json_object_get(json_array_get(versions, 0), "version")) == current_of(sound);
    if (json_array_size(versions) >= CONFIG_PROMPT_VERSIONS_MAX)
        (void)json_array_remove(versions, first);
}

static int add_version(const struct api_request *q, json_t *prompt, const struct making *m)
{
    char at[CLOCK_TEXT_MAX];
    json_t *sound = sound_of(prompt, m->language);
    if (!sound) {
        sound = json_pack("{s:s, s:i, s:[]}", "language", m->language, "current", 0, "versions");
        if (json_array_append_new(json_object_get(prompt, "sounds"), sound) != 0)
            return ERR_NOMEM;
    }
    drop_oldest(sound);
    json_t *versions = json_object_get(sound, "versions");
    json_t *last = json_array_get(versions, json_array_size(versions) - 1);
    json_int_t version = (last ? json_integer_value(json_object_get(last, "version")) : 0) + 1;
    json_t *v = json_pack("{s:I, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "version", version, "sha256", m->sha256, "bytes",
                          (json_int_t)m->bytes, "duration_ms", (json_int_t)m->duration_ms, "text", m->text, "file",
                          m->file, "by", q->actor, "at", clock_wall_text(clock_wall_now(), at));
    if (json_array_append_new(versions, v) != 0 || json_object_set_new(sound, "current", json_integer(version)) != 0)
        return ERR_NOMEM;
    return 0;
}

static int play_other(json_t *prompt, struct making *m, struct err_info *info)
{
    json_t *sound = sound_of(prompt, m->language);
    json_int_t to = m->to, before = 0;
    size_t i;
    json_t *v;
    if (!sound)
        return err_set(info, ERR_NOTFOUND, "language", "there is nothing in this language");
    json_array_foreach(json_object_get(sound, "versions"), i, v)
    {
        json_int_t n = json_integer_value(json_object_get(v, "version"));
        before = n < current_of(sound) ? n : before;
    }
    to = to ? to : before;
    if (to == 0)
        return err_set(info, ERR_BADSTATE, "version", "there is no version before the one that is played");
    if (!version_of(sound, to))
        return err_set(info, ERR_NOTFOUND, "version", "there is no version %lld any more", (long long)to);
    return json_object_set_new(sound, "current", json_integer(to)) ? ERR_NOMEM : 0;
}

/* Whether that very sound is what is played already. */
static bool is_played(json_t *prompt, const struct making *m)
{
    const json_t *sound = sound_of(prompt, m->language);
    const json_t *v = sound ? version_of(sound, current_of(sound)) : NULL;
    return v && strcmp(json_string_value(json_object_get(v, "sha256")), m->sha256) == 0 &&
           strcmp(json_string_value(json_object_get(v, "text")), m->text) == 0;
}

static void store(struct api_request *q);

static void answer_prompt(struct api_request *q, bool created)
{
    struct view_query vq = {.kind = "prompt", .key = q->params[0]};
    json_t *out = NULL;
    if (!api_view(q, &vq, &out))
        return;
    api_set_etag(q, out);
    if (created)
        snprintf(q->location, sizeof q->location, "/v1/prompts/%s", q->params[0]);
    api_reply(q, created ? 201 : 200, out);
}

static void on_stored(struct api_request *q, const struct api_result *r)
{
    struct making *m = q->state;
    if ((r->code == ERR_CONFLICT || r->code == ERR_EXISTS) && !q->idem[0] && ++m->tries < TRIES)
        store(q);
    else if (r->code)
        api_fail_result(q, r);
    else
        answer_prompt(q, r->json_text && strstr(r->json_text, "\"created\""));
}

static void submit(struct api_request *q, json_t *json, uint64_t version)
{
    struct err_info info = {.code = 0};
    Ev__ConfigObject *o = NULL;
    int err = api_object_read(q->s->realm, api_kind_of("prompt"), json, &o, &info);
    api_object_send(q, o, err, &info, version, version == 0, on_stored);
}

static void store(struct api_request *q)
{
    struct making *m = q->state;
    struct err_info info = {.code = 0};
    Ev__ConfigObject *o = NULL;
    uint64_t version = 0;
    int err = api_stored(q->s, "prompt", q->params[0], &o, &version);
    if (err == ERR_NOTFOUND && !m->rollback)
        err = 0;
    json_t *json = err ? NULL
                   : o ? api_object_json(o, false)
                       : json_pack("{s:s, s:[]}", "name", q->params[0], "sounds");
    if (o)
        ev__config_object__free_unpacked(o, NULL);
    if (!err && !json)
        err = ERR_NOMEM;
    if (!err && !m->rollback && is_played(json, m)) {
        json_decref(json);
        answer_prompt(q, false);
        return;
    }
    if (!err)
        err = m->rollback ? play_other(json, m, &info) : add_version(q, json, m);
    if (!err)
        submit(q, json, version);
    else if (info.code)
        api_fail(q, &info);
    else
        api_fail_code(q, err, NULL, err == ERR_NOTFOUND ? "there is no such prompt" : "%s", err_text(err));
    json_decref(json);
}

static void on_sound(struct api_request *q, const struct api_result *r)
{
    struct making *m = q->state;
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    snprintf(m->sha256, sizeof m->sha256, "%s", json_string_value(json_object_get(r->json, "sha256")));
    m->bytes = (uint32_t)json_integer_value(json_object_get(r->json, "bytes"));
    m->duration_ms = (uint32_t)json_integer_value(json_object_get(r->json, "duration_ms"));
    store(q);
}

void api_put_prompt(struct api_request *q)
{
    const char *file = api_query(q, "file");
    if (q->spool < 0) {
        api_fail_code(q, ERR_INVAL, NULL, "a sound file is needed as the body");
        return;
    }
    if (begin(q, api_query(q, "language"), "", file ? file : ""))
        api_sound(q, api_query(q, "language"), NULL, on_sound);
}

/* Fields of the body; NULL and answered when one is unknown or no text. */
static const char *body_text(struct api_request *q, const char *name)
{
    const char *v = json_string_value(json_object_get(q->json, name));
    if (!v || !v[0])
        api_fail_code(q, ERR_INVAL, name, "must be a text");
    return v && v[0] ? v : NULL;
}

static bool only_fields(struct api_request *q, const char *a, const char *b)
{
    const char *name;
    json_t *value;
    json_object_foreach(q->json, name, value)
    {
        if (strcmp(name, a) != 0 && strcmp(name, b) != 0) {
            api_fail_code(q, ERR_INVAL, name, "there is no such field");
            return false;
        }
    }
    return true;
}

void api_say_prompt(struct api_request *q)
{
    const char *language = only_fields(q, "language", "text") ? body_text(q, "language") : NULL;
    const char *text = language ? body_text(q, "text") : NULL;
    if (text && begin(q, language, text, ""))
        api_sound(q, language, text, on_sound);
}

void api_rollback_prompt(struct api_request *q)
{
    const char *language = only_fields(q, "language", "version") ? body_text(q, "language") : NULL;
    const json_t *to = json_object_get(q->json, "version");
    if (!language)
        return;
    if (to && (!json_is_integer(to) || json_integer_value(to) < 1 || json_integer_value(to) > 1000000)) {
        api_fail_code(q, ERR_INVAL, "version", "must be the number of a version");
        return;
    }
    struct making *m = begin(q, language, "", "");
    if (!m)
        return;
    m->rollback = true;
    m->to = (uint32_t)json_integer_value(to);
    store(q);
}

/* ---- listening */

static void reply_sound(struct api_request *q, int err, void *data, size_t len)
{
    if (!err)
        api_reply_text(q, 200, "audio/wav", data, len);
    else if (err == ERR_NOTFOUND)
        api_fail_code(q, err, NULL, "there is no such prompt in this language");
    else
        api_fail_code(q, err, NULL, "the sound cannot be read: %s", err_text(err));
}

static void read_blob(struct api_request *q)
{
    const struct making *m = q->state;
    void *data = NULL;
    size_t len = 0;
    int err = q->s->be.blob_read(q->s->be.ctx, m->sha256, &data, &len);
    reply_sound(q, err, data, len);
}

static void on_fetched(struct api_request *q, const struct api_result *r)
{
    if (r->code)
        api_fail_result(q, r);
    else
        read_blob(q);
}

/* Which blob that is. ERR_NOTFOUND: not an uploaded prompt, or not in that language or version. */
static int find_sound(struct api_request *q, const char *language, json_int_t version, char sha256[65])
{
    Ev__ConfigObject *o = NULL;
    uint64_t stored;
    int err = api_stored(q->s, "prompt", q->params[0], &o, &stored);
    if (err)
        return err;
    err = ERR_NOTFOUND;
    for (size_t i = 0; i < o->prompt->n_sounds; i++) {
        const Ev__PromptSound *s = o->prompt->sounds[i];
        for (size_t k = 0; strcmp(s->language, language) == 0 && k < s->n_versions; k++) {
            if (s->versions[k]->version != (version ? version : (json_int_t)s->current))
                continue;
            snprintf(sha256, 65, "%s", s->versions[k]->sha256);
            err = 0;
        }
    }
    ev__config_object__free_unpacked(o, NULL);
    return err;
}

void api_prompt_audio(struct api_request *q)
{
    const char *language = api_query(q, "language"), *text = api_query(q, "version");
    char *end = NULL;
    json_int_t version = text ? (json_int_t)strtoul(text, &end, 10) : 0;
    if (text && (version < 1 || version > 1000000 || *end)) {
        api_fail_code(q, ERR_INVAL, "version", "must be the number of a version");
        return;
    }
    struct making *m = begin(q, language, "", "");
    if (!m)
        return;
    int err =
        q->s->be.blob_read && q->s->be.prompt_read ? find_sound(q, language, version, m->sha256) : ERR_UNSUPPORTED;
    if (!err) {
        api_operation(q, API_OP_BLOB_FETCH, json_pack("{s:s}", "sha256", m->sha256), on_fetched);
        return;
    }
    void *data = NULL;
    size_t len = 0;
    if (err == ERR_NOTFOUND && !version)
        err = q->s->be.prompt_read(q->s->be.ctx, language, q->params[0], &data, &len);
    reply_sound(q, err, data, len);
}
