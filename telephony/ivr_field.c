/* Fields of nodes, each checked where it is read; what is wrong is told with its path. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_int.h"
#include "telephony/media.h"

#define IVR_PROMPT_FORMS                                                                                              \
    "a prompt key, {\"text\": \"what to say\"}, or one of number, ordinal, digits, money, date, time, datetime with " \
    "its value, as {\"money\": "                                                                                      \
    "\"12.50\"}"
#define IVR_TEXT_BYTES_MAX 4096u
#define IVR_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

void ivr_path(char out[ERR_INFO_FIELD_MAX], const struct ivr_node *n, const char *field)
{
    snprintf(out, ERR_INFO_FIELD_MAX, "nodes.%.60s%s%.50s", n->name, field ? "." : "", field ? field : "");
}

int ivr_refuse(struct ivr_parser *p, const struct ivr_node *n, const char *field, const char *fmt, ...)
{
    char where[ERR_INFO_FIELD_MAX], text[ERR_INFO_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ivr_path(where, n, field);
    return err_set(p->info, ERR_INVAL, where, "%s", text);
}

bool ivr_name_ok(const char *s)
{
    size_t n = s ? strspn(s, IVR_NAME_CHARS) : 0;
    return n > 0 && n < IVR_NAME_MAX && s[n] == '\0' && s[0] != '.';
}

bool ivr_builtin(const char *name)
{
    static const char *const names[] = {"caller", "called", "call_id", "language", "queue"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

int ivr_parse_target(struct ivr_parser *p, struct ivr_node *n, const char *field, json_t *v, int *out)
{
    if (!json_is_string(v))
        return ivr_refuse(p, n, field, "must be the name of a node");
    *out = ivr_flow_find(p->flow, json_string_value(v));
    if (*out == IVR_NONE)
        return ivr_refuse(p, n, field, "there is no node '%.60s'", json_string_value(v));
    return 0;
}

int ivr_parse_link(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, int *out)
{
    json_t *v = json_object_get(o, field);
    return v ? ivr_parse_target(p, n, field, v, out) : 0;
}

int ivr_parse_uint(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, unsigned low, unsigned high,
                   unsigned *out)
{
    json_t *v = json_object_get(o, field);
    if (!v)
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < low || json_integer_value(v) > high)
        return ivr_refuse(p, n, field, "must be a number from %u to %u", low, high);
    *out = (unsigned)json_integer_value(v);
    return 0;
}

int ivr_parse_bool(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, bool *out)
{
    json_t *v = json_object_get(o, field);
    if (v && !json_is_boolean(v))
        return ivr_refuse(p, n, field, "must be true or false");
    if (v)
        *out = json_is_true(v);
    return 0;
}

int ivr_parse_needed_link(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, int *out)
{
    return ivr_parse_target(p, n, field, json_object_get(o, field), out);
}

static void ivr_ignore_name(void *ctx, const char *name)
{
    (void)ctx, (void)name;
}

int ivr_parse_text(struct ivr_parser *p, struct ivr_node *n, const char *field, json_t *v, bool secrets,
                   const char **out)
{
    struct err_info why;
    const char *text = json_string_value(v);
    if (!text || strlen(text) >= IVR_TEXT_BYTES_MAX)
        return ivr_refuse(p, n, field, "must be a text of less than %u bytes", IVR_TEXT_BYTES_MAX);
    if (ivr_text_check(text, secrets, ivr_ignore_name, NULL, &why))
        return ivr_refuse(p, n, field, "%s", why.text);
    *out = text;
    return 0;
}

int ivr_parse_some_text(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field, const char **out)
{
    json_t *v = json_object_get(o, field);
    const char *text = json_string_value(v);
    if (text && !*text)
        return ivr_refuse(p, n, field, "must not be empty");
    return v ? ivr_parse_text(p, n, field, v, false, out) : 0;
}

int ivr_parse_expr(struct ivr_parser *p, struct ivr_node *n, const char *field, json_t *v, struct ivr_expr **out)
{
    struct err_info why;
    if (!json_is_string(v))
        return ivr_refuse(p, n, field, "must be an expression between quotes, as \"tries < 3\"");
    int rc = ivr_expr_parse(json_string_value(v), out, &why);
    return !rc || rc == ERR_NOMEM ? rc : ivr_refuse(p, n, field, "%s", why.text);
}

int ivr_parse_variable(struct ivr_parser *p, struct ivr_node *n, const char *field, const char *name)
{
    if (!name || !ivr_variable_ok(name, strlen(name)))
        return ivr_refuse(p, n, field, "must be a variable: a small letter, then a-z 0-9 _, at most %u",
                          IVR_VARIABLE_MAX - 1);
    if (ivr_builtin(name) || strcmp(name, "true") == 0 || strcmp(name, "false") == 0 || strcmp(name, "and") == 0 ||
        strcmp(name, "or") == 0 || strcmp(name, "not") == 0)
        return ivr_refuse(p, n, field, "'%s' cannot be set", name);
    return 0;
}

/* ---- prompts */

/* `where` is the path of the entry within its node. */
static int ivr_parse_value(struct ivr_parser *p, struct ivr_node *n, const char *where, const char *name, json_t *v,
                           struct ivr_say *out)
{
    char path[64], integer[24];
    struct err_info why;
    enum speak_kind kind;
    const char *text = json_string_value(v);
    snprintf(path, sizeof path, "%s.%.20s", where, name);
    if (strcmp(name, "text") == 0) {
        if (text && (!text[strspn(text, " \t\n")] || strlen(text) >= IVR_SPEECH_BYTES_MAX))
            return ivr_refuse(p, n, path, "must be 1 to %u bytes", IVR_SPEECH_BYTES_MAX - 1);
        return ivr_parse_text(p, n, path, v, false, &out->speech);
    }
    if (!speak_kind_of(name, &kind))
        return ivr_refuse(p, n, where, "'%.20s' is no kind of value: must be " IVR_PROMPT_FORMS, name);
    if (json_is_integer(v) && (kind == SPEAK_NUMBER || kind == SPEAK_ORDINAL)) {
        snprintf(integer, sizeof integer, "%lld", (long long)json_integer_value(v));
        text = integer;
    }
    if (!text)
        return ivr_refuse(p, n, path, "must be text between quotes%s", kind == SPEAK_NUMBER ? ", or an integer" : "");
    if (ivr_text_varies(text)) {
        out->value.kind = kind;
        return ivr_parse_text(p, n, path, v, false, &out->text);
    }
    return speak_parse(kind, text, &out->value, &why) ? ivr_refuse(p, n, path, "%s", why.text) : 0;
}

static int ivr_parse_weekday(struct ivr_parser *p, struct ivr_node *n, const char *where, json_t *v,
                             struct ivr_say *out)
{
    char path[64];
    enum speak_kind kind = out->value.kind;
    snprintf(path, sizeof path, "%s.weekday", where);
    if (!json_is_boolean(v))
        return ivr_refuse(p, n, path, "must be true or false");
    out->value.weekday = json_is_true(v);
    if (out->text ? kind != SPEAK_DATE && kind != SPEAK_DATETIME : !out->value.year)
        return ivr_refuse(p, n, path, "only a date with its year has a weekday");
    return 0;
}

static int ivr_parse_prompt(struct ivr_parser *p, struct ivr_node *n, const char *where, json_t *v, struct ivr_say *out)
{
    json_t *weekday = json_object_get(v, "weekday"), *field;
    const char *name;
    int rc = 0;
    if (json_is_string(v) && ivr_name_ok(json_string_value(v))) {
        out->key = json_string_value(v);
        return 0;
    }
    if (json_object_size(v) != (weekday ? 2 : 1))
        return ivr_refuse(p, n, where, "must be " IVR_PROMPT_FORMS);
    json_object_foreach(v, name, field)
    {
        if (field != weekday && rc == 0)
            rc = ivr_parse_value(p, n, where, name, field, out);
    }
    if (weekday && rc == 0)
        rc = ivr_parse_weekday(p, n, where, weekday, out);
    return rc;
}

/* How many sounds the lists are in one of the flow's languages; ERR_UNSUPPORTED: it cannot say a value. What a value that
 * is not known yet will take is seen when it is said. */
static int ivr_count_sounds(const char *language, const struct ivr_prompt_list *a, const struct ivr_prompt_list *b)
{
    const struct ivr_prompt_list *lists[] = {a, b};
    const char *keys[SPEAK_KEYS_MAX];
    unsigned texts = 0;
    int sounds = 0;
    for (unsigned l = 0; l < 2; l++)
        for (unsigned i = 0; i < lists[l]->n; i++) {
            const struct ivr_say *say = &lists[l]->at[i];
            bool spoken =
                !say->speech || speak_language(language); /* the languages that synthesis has voices for, too */
            texts += say->speech != NULL;
            int m = !spoken                   ? ERR_UNSUPPORTED
                    : say->key || say->speech ? 1
                    : say->text               ? (speak_language(language) ? 0 : ERR_UNSUPPORTED)
                                              : speak_keys(language, &say->value, keys, SPEAK_KEYS_MAX);
            if (m < 0)
                return m;
            sounds += m;
        }
    return texts > IVR_SPEECH_MAX ? ERR_TOOBIG : sounds;
}

int ivr_check_sounds(struct ivr_parser *p, struct ivr_node *n, const char *field, const struct ivr_prompt_list *a,
                     const struct ivr_prompt_list *b)
{
    for (unsigned i = 0; i < p->flow->n_languages; i++) {
        const char *language = p->flow->languages[i];
        int sounds = ivr_count_sounds(language, a, b);
        if (sounds == ERR_TOOBIG)
            return ivr_refuse(p, n, field, "more than %u texts for synthesis in one go", IVR_SPEECH_MAX);
        if (sounds < 0)
            return ivr_refuse(p, n, field, "values and texts cannot be spoken in language '%s', only in zh and en",
                              language);
        if (sounds > MEDIA_ITEMS_MAX)
            return ivr_refuse(p, n, field, "%d sounds in one go in language '%s', more than %d", sounds, language,
                              MEDIA_ITEMS_MAX);
    }
    return 0;
}

int ivr_parse_prompts(struct ivr_parser *p, struct ivr_node *n, json_t *o, const char *field,
                      struct ivr_prompt_list *out)
{
    json_t *v = json_object_get(o, field);
    if (!v)
        return 0;
    size_t count = json_array_size(v);
    if (!json_is_array(v) || count < 1 || count > IVR_PROMPTS_MAX)
        return ivr_refuse(p, n, field, "must be a list of 1 to %d prompts", IVR_PROMPTS_MAX);
    out->at = calloc(count, sizeof *out->at);
    if (!out->at)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        char where[40];
        snprintf(where, sizeof where, "%.30s[%zu]", field, i);
        int rc = ivr_parse_prompt(p, n, where, json_array_get(v, i), &out->at[i]);
        if (rc)
            return rc;
    }
    out->n = (unsigned)count;
    return ivr_check_sounds(p, n, field, out, &(struct ivr_prompt_list){.n = 0});
}
