/* Whole configurations: reading a document of YAML or JSON, and writing YAML. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/yaml.h"

#define DOCUMENT_OBJECTS_MAX 200000u

void api_document_free(struct api_document *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++) {
        if (d->objects[i].o)
            ev__config_object__free_unpacked(d->objects[i].o, NULL);
        if (d->objects[i].before)
            ev__config_object__free_unpacked(d->objects[i].before, NULL);
    }
    free(d->objects);
    json_decref(d->json);
    yaml_marks_free(d->marks);
    free(d);
}

/* In a document a flow is its definition. */
static json_t *wrap_flow(const json_t *entry)
{
    const json_t *name = json_object_get(entry, "name");
    return name ? json_pack("{s:O, s:O}", "name", name, "definition", entry) : json_pack("{s:O}", "definition", entry);
}

/* "queues[2]" + "members[0].agent"; a flow's fields are not inside "definition" here. */
static void prefix_field(struct err_info *info, const char *path, bool flow)
{
    const char *rest = info->field;
    if (flow && strncmp(rest, "definition", 10) == 0)
        rest += rest[10] == '.' ? 11 : 10;
    char joined[ERR_INFO_FIELD_MAX + 80];
    snprintf(joined, sizeof joined, "%s%s%s", path, rest[0] && rest[0] != '[' ? "." : "", rest);
    memcpy(info->field, joined, sizeof info->field - 1);
    info->field[sizeof info->field - 1] = '\0';
}

static int read_entry(struct api_document *d, const char *realm, const struct api_kind *k, const json_t *entry,
                      struct map *seen, struct err_info *info)
{
    struct api_object *ob = &d->objects[d->n];
    bool flow = k->which == EV__CONFIG_OBJECT__OBJECT_FLOW;
    if (!json_is_object(entry))
        return err_set(info, ERR_INVAL, ob->path, "must be a mapping with %s", k->key);
    json_t *whole = flow ? wrap_flow(entry) : NULL;
    if (flow && !whole)
        return ERR_NOMEM;
    ob->kind = k;
    int err = api_object_read(realm, k, flow ? whole : entry, &ob->o, info);
    json_decref(whole);
    if (err) {
        prefix_field(info, ob->path, flow);
        return err;
    }
    d->n++;
    const char *key = api_object_key(ob->o);
    if (!map_get(seen, key))
        return map_set(seen, key, ob);
    err_set(info, ERR_INVAL, k->key, "\"%.64s\" is in the list twice", key);
    prefix_field(info, ob->path, false);
    return ERR_INVAL;
}

static int read_list(struct api_document *d, const char *realm, const struct api_kind *k, struct err_info *info)
{
    const json_t *list = json_object_get(d->json, k->list);
    if (!list)
        return 0;
    d->has_kind[k - api_kinds] = true;
    if (json_is_null(list)) /* "queues:" with nothing under it */
        return 0;
    if (!json_is_array(list))
        return err_set(info, ERR_INVAL, k->list, "must be a list");
    struct map seen;
    map_init(&seen);
    int err = 0;
    for (size_t i = 0; !err && i < json_array_size(list); i++) {
        snprintf(d->objects[d->n].path, sizeof d->objects[d->n].path, "%s[%zu]", k->list, i);
        err = read_entry(d, realm, k, json_array_get(list, i), &seen, info);
    }
    map_free(&seen);
    return err;
}

static int check_top(const json_t *json, size_t *n, struct err_info *info)
{
    if (!json_is_object(json))
        return err_set(info, ERR_INVAL, "", "the document must be a mapping of lists: queues, agents, ...");
    const char *key;
    json_t *value;
    *n = 0;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < API_KINDS; i++)
            known = known || strcmp(key, api_kinds[i].list) == 0;
        if (!known)
            return err_set(info, ERR_INVAL, key,
                           "unknown; known are parameters, secrets, lookups, extensions, agents, agent_states, "
                           "agent_groups, queues, trunks, networks, prompts, areas, notices, forwards, "
                           "recording_rules, mailboxes, "
                           "access_numbers, flows, "
                           "flow_drafts, holiday_lists, "
                           "time_groups, blacklist, vips, tokens");
        *n += json_array_size(value);
    }
    if (*n > DOCUMENT_OBJECTS_MAX)
        return err_set(info, ERR_TOOBIG, "", "more than %u objects", DOCUMENT_OBJECTS_MAX);
    return 0;
}

/* JSON is parsed strictly; reading it as YAML as well gives the positions of its fields. */
static int parse(struct api_document *d, const char *text, size_t len, bool yaml, struct err_info *info)
{
    if (yaml)
        return yaml_load(text, len, &d->json, &d->marks, info);
    int err = json_load_text(text, len, &d->json, info);
    if (err)
        return err;
    json_t *again = NULL;
    struct err_info ignored;
    if (yaml_load(text, len, &again, &d->marks, &ignored) == 0)
        json_decref(again);
    return 0;
}

int api_document_read(const char *realm, const char *text, size_t len, bool yaml, bool *unreadable,
                      struct api_document **out, struct err_info *info)
{
    struct api_document *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    info->field[0] = '\0';
    info->line = info->column = 0;
    int err = parse(d, text, len, yaml, info);
    *unreadable = err == ERR_INVAL;
    if (err) {
        api_document_free(d);
        return err;
    }
    size_t n = 0;
    err = check_top(d->json, &n, info);
    if (!err) {
        d->objects = calloc(n + 1, sizeof *d->objects);
        err = d->objects ? 0 : err_set(info, ERR_NOMEM, "", "out of memory");
    }
    for (size_t i = 0; !err && i < API_KINDS; i++)
        err = read_list(d, realm, &api_kinds[i], info);
    if (err == ERR_NOMEM)
        err_set(info, err, "", "out of memory");
    if (err) {
        yaml_locate(d->marks, info);
        api_document_free(d);
        return err;
    }
    *out = d;
    return 0;
}

/* ---- writing YAML: block style; every string that could be read as something else is quoted as JSON does it */

struct text {
    char *p;
    size_t len, cap;
    bool failed;
};

static void put(struct text *t, const char *s, size_t n)
{
    if (t->failed)
        return;
    if (t->len + n + 1 > t->cap) {
        size_t cap = (t->cap + n + 1) * 2;
        char *p = realloc(t->p, cap);
        if (!p) {
            t->failed = true;
            return;
        }
        t->p = p;
        t->cap = cap;
    }
    memcpy(t->p + t->len, s, n);
    t->len += n;
    t->p[t->len] = '\0';
}

static void puts_to(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

static void indent(struct text *t, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        put(t, "  ", 2);
}

static bool is_plain(const char *s)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    if (!s[0] || !strchr(first, s[0]) || s[strspn(s, rest)])
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(s, words[i]) == 0)
            return false;
    return true;
}

/* Characters that JSON writes as they are and YAML takes for ends of lines, or not at all (YAML 1.1, sections 5.1 and 5.4). 0:
 * not one of them. */
static unsigned not_yaml(const unsigned char *p)
{
    if (p[0] == 0x7f)
        return 0x7f;
    if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
        return p[1];
    unsigned c = (p[0] & 0xf0) == 0xe0 ? (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu) : 0;
    return c == 0x2028 || c == 0x2029 || c == 0xfeff || c >= 0xfffe ? c : 0;
}

/* JSON of a text is YAML but for these. */
static void put_json(struct text *t, const char *s)
{
    const char *from = s;
    for (; *s; s++) {
        unsigned c = not_yaml((const unsigned char *)s);
        char escaped[8];
        if (!c)
            continue;
        put(t, from, (size_t)(s - from));
        snprintf(escaped, sizeof escaped, "\\u%04x", c);
        puts_to(t, escaped);
        s += c < 0x80 ? 0 : c < 0x800 ? 1 : 2;
        from = s + 1;
    }
    puts_to(t, from);
}

static void put_scalar(struct text *t, const json_t *v)
{
    if (json_is_string(v) && is_plain(json_string_value(v))) {
        puts_to(t, json_string_value(v));
        return;
    }
    char *s = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!s) {
        t->failed = true;
        return;
    }
    put_json(t, s);
    free(s);
}

static void put_key(struct text *t, const char *key)
{
    json_t *k = json_string(key);
    if (!k) {
        t->failed = true;
        return;
    }
    put_scalar(t, k);
    json_decref(k);
    put(t, ":", 1);
}

static bool is_block(const json_t *v)
{
    return (json_is_object(v) && json_object_size(v)) || (json_is_array(v) && json_array_size(v));
}

static void put_block(struct text *t, const json_t *v, unsigned depth, bool after_dash);

static void put_value(struct text *t, const json_t *v, unsigned depth)
{
    if (is_block(v)) {
        put(t, "\n", 1);
        put_block(t, v, depth, false);
        return;
    }
    put(t, " ", 1);
    put_scalar(t, v);
    put(t, "\n", 1);
}

static void put_block(struct text *t, const json_t *v, unsigned depth, bool after_dash)
{
    if (json_is_object(v)) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)v, key, value)
        {
            if (!after_dash)
                indent(t, depth);
            after_dash = false;
            put_key(t, key);
            put_value(t, value, depth + 1);
        }
        return;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        if (!after_dash)
            indent(t, depth);
        after_dash = false;
        puts_to(t, "-");
        if (json_is_object(item) && json_object_size(item)) {
            put(t, " ", 1);
            put_block(t, item, depth + 1, true);
        } else {
            put_value(t, item, depth + 1);
        }
    }
}

char *api_yaml_write(const json_t *json)
{
    struct text t = {.p = NULL};
    if (is_block(json)) {
        put_block(&t, json, 0, false);
    } else {
        put_scalar(&t, json);
        put(&t, "\n", 1);
    }
    if (t.failed) {
        free(t.p);
        return NULL;
    }
    return t.p;
}
