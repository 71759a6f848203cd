#include "telephony/ivr_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* ---- variables */

bool ivr_variable_ok(const char *name, size_t len)
{
    return len > 0 && len < IVR_VARIABLE_MAX && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, IVR_VARIABLE_CHARS) >= len;
}

bool ivr_known_is(const char *name)
{
    return strncmp(name, IVR_KNOWN, sizeof IVR_KNOWN - 1) == 0;
}

bool ivr_value_copy(char *out, size_t size, const char *value)
{
    size_t len = strnlen(value, size);
    bool whole = len < size;
    if (!whole)
        for (len = size - 1; len && ((unsigned char)value[len] & 0xc0) == 0x80;)
            len--;
    memcpy(out, value, len);
    out[len] = '\0';
    for (char *s = out; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
    utf8_clean(out);
    return whole;
}

struct vars_record {
    char *mark;
    const char *name, *value;
    char *end;
};

static struct vars_record vars_at(const struct ivr_vars *v, size_t at)
{
    struct vars_record r = {.mark = (char *)(uintptr_t)&v->pool[at]};
    r.name = r.mark + 1;
    r.value = r.name + strlen(r.name) + 1;
    r.end = (char *)(uintptr_t)(r.value + strlen(r.value) + 1);
    return r;
}

static bool vars_find(const struct ivr_vars *v, const char *name, struct vars_record *out)
{
    for (size_t at = 0; at < v->used; at = (size_t)(out->end - v->pool)) {
        *out = vars_at(v, at);
        if (strcmp(out->name, name) == 0)
            return true;
    }
    return false;
}

const char *ivr_vars_get(const struct ivr_vars *v, const char *name, bool *secret)
{
    struct vars_record r;
    if (!vars_find(v, name, &r))
        return NULL;
    if (secret)
        *secret = *r.mark == 's';
    return r.value;
}

bool ivr_vars_set(struct ivr_vars *v, const char *name, const char *value, bool secret)
{
    struct vars_record r;
    if (vars_find(v, name, &r)) {
        size_t after = v->used - (size_t)(r.end - v->pool), gone = (size_t)(r.end - r.mark);
        memmove(r.mark, r.end, after);
        v->used -= gone;
        v->n--;
    }
    size_t head = strlen(name) + 2;
    if (v->n == IVR_VARIABLES_MAX || v->used + head + 1 > sizeof v->pool)
        return false;
    size_t room = sizeof v->pool - v->used - head;
    v->pool[v->used] = secret ? 's' : 'p';
    memcpy(&v->pool[v->used + 1], name, head - 1);
    char *to = &v->pool[v->used + head];
    bool whole = ivr_value_copy(to, room < IVR_VALUE_MAX ? room : IVR_VALUE_MAX, value);
    v->used += head + strlen(to) + 1;
    v->n++;
    return whole;
}

json_t *ivr_vars_json(const struct ivr_vars *v, bool secret)
{
    json_t *o = json_object();
    struct vars_record r;
    for (size_t at = 0; o && at < v->used; at = (size_t)(r.end - v->pool)) {
        r = vars_at(v, at);
        if ((*r.mark == 's') == secret && json_object_set_new(o, r.name, json_string(r.value)) != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

bool ivr_vars_load(struct ivr_vars *v, const json_t *object, bool secret)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return false;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!json_is_string(value) || !ivr_variable_ok(name, strlen(name)) ||
            !ivr_vars_set(v, name, json_string_value(value), secret))
            return false;
    }
    return true;
}

/* ---- texts */

#define TEXT_SECRET "secret."
#define TEXT_NAME_MAX 80u /* with its NUL */

/* The name between "${" and "}" at `s`, and what follows it; NULL: malformed. */
static const char *text_name(const char *s, char name[TEXT_NAME_MAX])
{
    const char *end = strchr(s + 2, '}');
    size_t len = end ? (size_t)(end - s - 2) : 0;
    if (!len || len >= TEXT_NAME_MAX)
        return NULL;
    memcpy(name, s + 2, len);
    name[len] = '\0';
    return end + 1;
}

static bool text_secret_ok(const char *name)
{
    size_t head = strlen(TEXT_SECRET), n = strspn(name + head, IVR_VARIABLE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ-.");
    return n > 0 && n < 64 && name[head + n] == '\0';
}

static bool text_known_ok(const char *name)
{
    size_t n = strspn(name + sizeof IVR_KNOWN - 1, IVR_KNOWN_CHARS "-");
    return n > 0 && n < IVR_KNOWN_NAME_MAX && name[sizeof IVR_KNOWN - 1 + n] == '\0';
}

static bool text_name_ok(const char *name)
{
    if (strncmp(name, TEXT_SECRET, strlen(TEXT_SECRET)) == 0)
        return text_secret_ok(name);
    return ivr_known_is(name) ? text_known_ok(name) : ivr_variable_ok(name, strlen(name));
}

int ivr_text_check(const char *text, bool secrets, void (*cb)(void *ctx, const char *name), void *ctx,
                   struct err_info *info)
{
    for (const char *s = text; (s = strchr(s, '$'));) {
        char name[TEXT_NAME_MAX];
        if (s[1] != '{') {
            s += s[1] == '$' ? 2 : 1;
            continue;
        }
        const char *after = text_name(s, name);
        bool secret = after && strncmp(name, TEXT_SECRET, strlen(TEXT_SECRET)) == 0;
        if (!after || !text_name_ok(name))
            return err_set(info, ERR_INVAL, "", "column %u: must be ${name} with a name of a-z 0-9 _",
                           1 + (unsigned)(s - text));
        if (secret && !secrets)
            return err_set(info, ERR_INVAL, "", "column %u: secrets stand in requests of http nodes only",
                           1 + (unsigned)(s - text));
        cb(ctx, name);
        s = after;
    }
    return 0;
}

bool ivr_text_varies(const char *text)
{
    return strchr(text, '$') != NULL;
}

struct text_out {
    char *at, *end; /* end: of the room, where the NUL has to go at the latest */
    bool cut;
};

static void text_put(struct text_out *o, const char *s, size_t n)
{
    if (o->cut || n > (size_t)(o->end - o->at)) {
        o->cut = true;
        return;
    }
    memcpy(o->at, s, n);
    o->at += n;
}

static void text_put_url(struct text_out *o, const char *s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *s; s++) {
        char hex[4];
        snprintf(hex, sizeof hex, "%%%02X", (unsigned char)*s);
        if (strchr(plain, *s))
            text_put(o, s, 1);
        else
            text_put(o, hex, 3);
    }
}

bool ivr_text_fill(const char *text, enum ivr_text_form form, ivr_lookup_fn *lookup, void *ctx, char *out, size_t size)
{
    struct text_out o = {.at = out, .end = out + size - 1};
    for (const char *s = text; *s;) {
        char name[TEXT_NAME_MAX];
        const char *after = s[0] == '$' && s[1] == '{' ? text_name(s, name) : NULL;
        if (after && form == IVR_TEXT_URL) {
            text_put_url(&o, lookup(ctx, name));
            s = after;
        } else if (after) {
            const char *value = lookup(ctx, name);
            for (size_t n; *value; value += n) { /* character by character: cut between them */
                n = utf8_sequence(value);
                n = n ? n : 1;
                text_put(&o, value, n);
            }
            s = after;
        } else {
            size_t n = utf8_sequence(s);
            text_put(&o, s, n ? n : 1);
            s += s[0] == '$' && s[1] == '$' ? 2 : n ? n : 1;
        }
    }
    *o.at = '\0';
    return !o.cut;
}

/* ---- paths */

#define PATH_BYTES_MAX 256u
#define PATH_NAME_CHARS IVR_VARIABLE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ-"

struct path_step {
    const char *name; /* of a field, with `len`; NULL: entry `index` of a list */
    size_t len, index;
};

/* Reads the step at `s`; where the next begins, or NULL: malformed. */
static const char *path_step(const char *s, struct path_step *out)
{
    const char *end;
    *out = (struct path_step){.name = s + 1};
    if (s[0] == '.') {
        out->len = strspn(s + 1, PATH_NAME_CHARS);
        return out->len ? s + 1 + out->len : NULL;
    }
    if (s[0] == '[' && s[1] == '\'') {
        end = strchr(s + 2, '\'');
        out->name = s + 2;
        out->len = end ? (size_t)(end - s - 2) : 0;
        return out->len && end[1] == ']' ? end + 2 : NULL;
    }
    size_t n = s[0] == '[' ? strspn(s + 1, "0123456789") : 0;
    out->name = NULL;
    if (n < 1 || n > 5 || s[1 + n] != ']')
        return NULL;
    out->index = strtoul(s + 1, NULL, 10);
    return s + n + 2;
}

int ivr_path_check(const char *path, struct err_info *info)
{
    struct path_step step;
    const char *s = path[0] == '$' && strlen(path) < PATH_BYTES_MAX ? path + 1 : NULL, *last = path;
    while (s && *s) {
        last = s;
        s = path_step(s, &step);
    }
    if (s)
        return 0;
    return err_set(info, ERR_INVAL, "",
                   "column %u: a path begins with $ and goes on with .name, ['name'] or [0], as $.items[0].due",
                   1 + (unsigned)(last - path));
}

void ivr_path_text(const json_t *from, const char *path, char *out, size_t size)
{
    char number[32] = "";
    struct path_step step;
    for (const char *s = path + 1; from && *s;) {
        s = path_step(s, &step);
        from = step.name ? json_object_getn(from, step.name, step.len) : json_array_get(from, step.index);
    }
    const char *text = number;
    if (json_is_string(from))
        text = json_string_value(from);
    else if (json_is_boolean(from))
        text = json_is_true(from) ? "true" : "false";
    else if (json_is_integer(from))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(from));
    else if (json_is_real(from))
        snprintf(number, sizeof number, "%.15g", json_real_value(from));
    (void)ivr_value_copy(out, size, text);
}
