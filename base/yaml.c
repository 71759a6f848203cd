/* Recursive descent over libyaml's events. The depth limit bounds the recursion; the parser is asked for one event at a
 * time, so a text that breaks a limit is dropped at that point and not read to its end first. */
#include "base/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MARK_NONE = -1, YAML_DIRECTIVES_MAX = 1000 };

/* A tree beside the tree: paths are walked when asked for, never stored (a path for each field would cost depth x size). */
struct yaml_mark {
    unsigned line, column;
    int32_t child, next; /* first child, next sibling; MARK_NONE */
    int32_t key;         /* offset into keys; MARK_NONE for list entries */
};

struct yaml_marks {
    struct yaml_mark *at;
    size_t n, cap;
    char *keys; /* NUL-terminated keys one after the other */
    size_t keys_len, keys_cap;
};

struct yaml_reader {
    yaml_parser_t parser;
    struct yaml_marks *marks; /* NULL: not wanted */
    struct err_info *info;
    const char *text;
    size_t len;
    unsigned nodes;
};

void yaml_marks_free(struct yaml_marks *m)
{
    if (!m)
        return;
    free(m->at);
    free(m->keys);
    free(m);
}

static int yaml_fail(struct yaml_reader *r, const yaml_mark_t *at, int code, const char *text, const char *detail)
{
    err_set(r->info, code, "", detail ? "%s: '%.100s'" : "%s", text, detail);
    if (r->info && at) {
        r->info->line = (unsigned)at->line + 1;
        r->info->column = (unsigned)at->column + 1;
    }
    return code;
}

/* libyaml's reader gives a byte offset where its scanner gives a mark. */
static void yaml_offset_position(const char *text, size_t len, size_t offset, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset && i < len; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

static int yaml_fail_parser(struct yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not valid YAML";
    switch (p->error) {
    case YAML_MEMORY_ERROR:
        return err_set(r->info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    case YAML_READER_ERROR:
        err_set(r->info, ERR_INVAL, "", "%s", problem);
        if (r->info)
            yaml_offset_position(r->text, r->len, p->problem_offset, &r->info->line, &r->info->column);
        return ERR_INVAL;
    case YAML_NO_ERROR:
    case YAML_SCANNER_ERROR:
    case YAML_PARSER_ERROR:
    case YAML_COMPOSER_ERROR:
    case YAML_WRITER_ERROR:
    case YAML_EMITTER_ERROR:
        break;
    }
    err_set(r->info, ERR_INVAL, "", p->context ? "%s (%s)" : "%s", problem, p->context);
    if (r->info) {
        r->info->line = (unsigned)p->problem_mark.line + 1;
        r->info->column = (unsigned)p->problem_mark.column + 1;
    }
    return ERR_INVAL;
}

static int yaml_next(struct yaml_reader *r, yaml_event_t *ev)
{
    if (!yaml_parser_parse(&r->parser, ev))
        return yaml_fail_parser(r);
    return 0;
}

/* ---- positions ---- */

static int32_t yaml_mark_new(struct yaml_marks *m, const yaml_mark_t *at)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        struct yaml_mark *grown = realloc(m->at, cap * sizeof *grown);
        if (!grown)
            return MARK_NONE;
        m->at = grown;
        m->cap = cap;
    }
    m->at[m->n] = (struct yaml_mark){(unsigned)at->line + 1, (unsigned)at->column + 1, MARK_NONE, MARK_NONE, MARK_NONE};
    return (int32_t)m->n++;
}

static int32_t yaml_mark_key(struct yaml_marks *m, const char *key)
{
    size_t len = strlen(key) + 1;
    if (m->keys_cap - m->keys_len < len) {
        size_t cap = (m->keys_cap + len) * 2;
        char *grown = realloc(m->keys, cap);
        if (!grown)
            return MARK_NONE;
        m->keys = grown;
        m->keys_cap = cap;
    }
    memcpy(m->keys + m->keys_len, key, len);
    m->keys_len += len;
    return (int32_t)(m->keys_len - len);
}

/* Appends a child; *last is the sibling before it (MARK_NONE at first). key NULL for list entries. */
static int yaml_mark_add(struct yaml_reader *r, int32_t parent, int32_t *last, const yaml_mark_t *at, const char *key)
{
    struct yaml_marks *m = r->marks;
    if (!m)
        return 0;
    int32_t i = yaml_mark_new(m, at);
    if (i == MARK_NONE)
        return ERR_NOMEM;
    if (key && (m->at[i].key = yaml_mark_key(m, key)) == MARK_NONE)
        return ERR_NOMEM;
    if (*last == MARK_NONE)
        m->at[parent].child = i;
    else
        m->at[*last].next = i;
    *last = i;
    return 0;
}

static int32_t yaml_step_key(const struct yaml_marks *m, int32_t at, const char *path, size_t *used)
{
    int32_t best = MARK_NONE;
    *used = 0;
    for (int32_t i = m->at[at].child; i != MARK_NONE; i = m->at[i].next) {
        if (m->at[i].key == MARK_NONE)
            continue;
        const char *key = m->keys + m->at[i].key;
        size_t n = strlen(key);
        /* Keys may themselves contain dots: the longest that fits is meant. */
        if (n >= *used && strncmp(path, key, n) == 0 && (path[n] == '\0' || path[n] == '.' || path[n] == '[')) {
            best = i;
            *used = n;
        }
    }
    return best;
}

static int32_t yaml_step_index(const struct yaml_marks *m, int32_t at, const char *path, size_t *used)
{
    char *end;
    errno = 0;
    unsigned long index = strtoul(path + 1, &end, 10);
    if (errno || end == path + 1 || *end != ']')
        return MARK_NONE;
    *used = (size_t)(end - path) + 1;
    int32_t i = m->at[at].child;
    while (i != MARK_NONE && index-- > 0)
        i = m->at[i].next;
    return i != MARK_NONE && m->at[i].key == MARK_NONE ? i : MARK_NONE;
}

bool yaml_position(const struct yaml_marks *m, const char *path, unsigned *line, unsigned *column)
{
    int32_t at = 0;
    while (*path) {
        if (*path == '.')
            path++;
        size_t used = 0;
        int32_t next = *path == '[' ? yaml_step_index(m, at, path, &used) : yaml_step_key(m, at, path, &used);
        if (next == MARK_NONE)
            break;
        at = next;
        path += used;
    }
    *line = m->at[at].line;
    *column = m->at[at].column;
    return *path == '\0';
}

void yaml_locate(const struct yaml_marks *m, struct err_info *info)
{
    if (m && info)
        yaml_position(m, info->field, &info->line, &info->column);
}

/* ---- scalars ---- */

static bool yaml_one_of(const char *s, const char *a, const char *b, const char *c)
{
    return strcmp(s, a) == 0 || strcmp(s, b) == 0 || strcmp(s, c) == 0;
}

static bool yaml_is_null(const char *s)
{
    return *s == '\0' || strcmp(s, "~") == 0 || yaml_one_of(s, "null", "Null", "NULL");
}

static const char *yaml_skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

/* 'i' integer, 'f' float, 's' neither. "-0", "007" and "+1" are strings: they do not survive as numbers. */
static char yaml_number_kind(const char *s)
{
    const char *d = *s == '-' ? s + 1 : s;
    const char *e = yaml_skip_digits(d);
    size_t whole = (size_t)(e - d), fraction = 0;
    if (whole > 1 && *d == '0')
        return 's';
    if (*e == '\0')
        return whole && !(*s == '-' && *d == '0') ? 'i' : 's';
    if (*e == '.') {
        const char *f = yaml_skip_digits(e + 1);
        fraction = (size_t)(f - e - 1);
        e = f;
    }
    if (whole + fraction == 0)
        return 's';
    if (*e == 'e' || *e == 'E') {
        e++;
        if (*e == '-' || *e == '+')
            e++;
        const char *x = yaml_skip_digits(e);
        if (x == e)
            return 's';
        e = x;
    }
    return *e == '\0' ? 'f' : 's';
}

static int yaml_plain(struct yaml_reader *r, const yaml_event_t *ev, json_t **out)
{
    const char *s = (const char *)ev->data.scalar.value;
    if (yaml_is_null(s)) {
        *out = json_null();
        return 0;
    }
    if (yaml_one_of(s, "true", "True", "TRUE") || yaml_one_of(s, "false", "False", "FALSE")) {
        *out = json_boolean(*s == 't' || *s == 'T');
        return 0;
    }
    switch (yaml_number_kind(s)) {
    case 'i':
        errno = 0;
        *out = json_integer(strtoll(s, NULL, 10));
        if (errno) {
            json_decref(*out);
            *out = NULL;
            return yaml_fail(r, &ev->start_mark, ERR_INVAL, "integer out of range (put quotes around a long number)",
                             s);
        }
        break;
    case 'f': {
        double value = strtod(s, NULL);
        if (!isfinite(value))
            return yaml_fail(r, &ev->start_mark, ERR_INVAL, "number out of range", s);
        *out = json_real(value);
        break;
    }
    default:
        *out = json_string(s);
    }
    return *out ? 0 : ERR_NOMEM;
}

static int yaml_scalar(struct yaml_reader *r, const yaml_event_t *ev, json_t **out)
{
    const char *s = (const char *)ev->data.scalar.value;
    if (memchr(s, '\0', ev->data.scalar.length))
        return yaml_fail(r, &ev->start_mark, ERR_INVAL, "a text must not contain a NUL character", NULL);
    if (ev->data.scalar.plain_implicit)
        return yaml_plain(r, ev, out);
    *out = json_stringn(s, ev->data.scalar.length);
    return *out ? 0 : yaml_fail(r, &ev->start_mark, ERR_INVAL, "not valid UTF-8", NULL);
}

/* ---- nodes ---- */

static int yaml_node(struct yaml_reader *r, const yaml_event_t *ev, int32_t mark, unsigned depth, json_t **out);

static int yaml_check_decoration(struct yaml_reader *r, const yaml_event_t *ev, const yaml_char_t *anchor,
                                 const yaml_char_t *tag)
{
    if (anchor)
        return yaml_fail(r, &ev->start_mark, ERR_INVAL, "anchors are not supported", (const char *)anchor);
    bool is_str = tag && ev->type == YAML_SCALAR_EVENT &&
                  (strcmp((const char *)tag, YAML_STR_TAG) == 0 || strcmp((const char *)tag, "!") == 0);
    if (tag && !is_str)
        return yaml_fail(r, &ev->start_mark, ERR_INVAL, "tags are not supported", (const char *)tag);
    return 0;
}

static int yaml_check_limits(struct yaml_reader *r, const yaml_event_t *ev, unsigned depth)
{
    if (depth > YAML_DEPTH_MAX)
        return yaml_fail(r, &ev->start_mark, ERR_TOOBIG, "nested too deeply (the limit is 64)", NULL);
    if (++r->nodes > YAML_NODES_MAX)
        return yaml_fail(r, &ev->start_mark, ERR_TOOBIG, "too many values (the limit is 1000000)", NULL);
    return 0;
}

static int yaml_sequence(struct yaml_reader *r, int32_t mark, unsigned depth, json_t *list)
{
    int32_t last = MARK_NONE;
    for (;;) {
        yaml_event_t ev;
        int rc = yaml_next(r, &ev);
        if (rc)
            return rc;
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return 0;
        }
        json_t *value = NULL;
        rc = yaml_mark_add(r, mark, &last, &ev.start_mark, NULL);
        if (!rc)
            rc = yaml_node(r, &ev, last, depth + 1, &value);
        yaml_event_delete(&ev);
        if (!rc && json_array_append_new(list, value))
            rc = ERR_NOMEM;
        if (rc)
            return rc;
    }
}

/* `ev` is the key; reads the value and adds both. */
static int yaml_member(struct yaml_reader *r, const yaml_event_t *ev, int32_t mark, int32_t *last, unsigned depth,
                       json_t *object)
{
    if (ev->type != YAML_SCALAR_EVENT)
        return yaml_fail(r, &ev->start_mark, ERR_INVAL, "a key must be plain text", NULL);
    const char *key = (const char *)ev->data.scalar.value;
    int rc = yaml_check_decoration(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
    if (!rc)
        rc = yaml_check_limits(r, ev, depth);
    if (rc)
        return rc;
    if (!*key || strlen(key) != ev->data.scalar.length)
        return yaml_fail(r, &ev->start_mark, ERR_INVAL, "a key must not be empty or contain NUL", NULL);
    if (json_object_get(object, key))
        return yaml_fail(r, &ev->start_mark, ERR_INVAL, "duplicate key", key);
    if ((rc = yaml_mark_add(r, mark, last, &ev->start_mark, key)))
        return rc;
    yaml_event_t value_ev;
    if ((rc = yaml_next(r, &value_ev)))
        return rc;
    json_t *value = NULL;
    rc = yaml_node(r, &value_ev, *last, depth + 1, &value);
    yaml_event_delete(&value_ev);
    if (!rc && json_object_set_new(object, key, value))
        rc = yaml_fail(r, &ev->start_mark, ERR_INVAL, "key is not valid UTF-8", NULL);
    return rc;
}

static int yaml_mapping(struct yaml_reader *r, int32_t mark, unsigned depth, json_t *object)
{
    int32_t last = MARK_NONE;
    for (;;) {
        yaml_event_t ev;
        int rc = yaml_next(r, &ev);
        if (rc)
            return rc;
        bool end = ev.type == YAML_MAPPING_END_EVENT;
        if (!end)
            rc = yaml_member(r, &ev, mark, &last, depth, object);
        yaml_event_delete(&ev);
        if (end || rc)
            return rc;
    }
}

static int yaml_container(struct yaml_reader *r, const yaml_event_t *ev, int32_t mark, unsigned depth, json_t **out)
{
    bool is_list = ev->type == YAML_SEQUENCE_START_EVENT;
    int rc = is_list ? yaml_check_decoration(r, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag)
                     : yaml_check_decoration(r, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
    if (rc)
        return rc;
    json_t *node = is_list ? json_array() : json_object();
    if (!node)
        return ERR_NOMEM;
    rc = is_list ? yaml_sequence(r, mark, depth, node) : yaml_mapping(r, mark, depth, node);
    if (rc) {
        json_decref(node);
        return rc;
    }
    *out = node;
    return 0;
}

static int yaml_node(struct yaml_reader *r, const yaml_event_t *ev, int32_t mark, unsigned depth, json_t **out)
{
    int rc = yaml_check_limits(r, ev, depth);
    if (rc)
        return rc;
    if (ev->type == YAML_SEQUENCE_START_EVENT || ev->type == YAML_MAPPING_START_EVENT)
        return yaml_container(r, ev, mark, depth, out);
    if (ev->type == YAML_ALIAS_EVENT)
        return yaml_fail(r, &ev->start_mark, ERR_INVAL, "aliases are not supported",
                         (const char *)ev->data.alias.anchor);
    rc = yaml_check_decoration(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
    return rc ? rc : yaml_scalar(r, ev, out);
}

/* ---- documents ---- */

/* Reads one event that carries no data; *end tells whether it was the end of the stream. */
static int yaml_skip(struct yaml_reader *r, yaml_mark_t *at, bool *end)
{
    yaml_event_t ev;
    int rc = yaml_next(r, &ev);
    if (rc)
        return rc;
    *at = ev.start_mark;
    *end = ev.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&ev);
    return 0;
}

static int yaml_document(struct yaml_reader *r, json_t **out)
{
    yaml_mark_t at;
    bool end;
    int rc = yaml_skip(r, &at, &end); /* stream start */
    if (!rc)
        rc = yaml_skip(r, &at, &end); /* document start */
    if (rc)
        return rc;
    if (end)
        return yaml_fail(r, &at, ERR_INVAL, "the document is empty", NULL);
    yaml_event_t ev;
    if ((rc = yaml_next(r, &ev)))
        return rc;
    if (r->marks && yaml_mark_new(r->marks, &ev.start_mark) == MARK_NONE)
        rc = ERR_NOMEM;
    json_t *root = NULL;
    if (!rc)
        rc = yaml_node(r, &ev, 0, 1, &root);
    yaml_event_delete(&ev);
    if (!rc)
        rc = yaml_skip(r, &at, &end); /* document end */
    if (!rc)
        rc = yaml_skip(r, &at, &end);
    if (!rc && !end)
        rc = yaml_fail(r, &at, ERR_INVAL, "only one document is allowed", NULL);
    if (rc)
        json_decref(root);
    else
        *out = root;
    return rc;
}

/* libyaml compares each %TAG directive with all before it, ahead of the first event: a text full of them would keep it
 * busy for minutes. */
static bool yaml_too_many_directives(const char *text, size_t len)
{
    const char *end = text + len;
    for (unsigned n = 0; (text = memmem(text, (size_t)(end - text), "%TAG", 4)); text++)
        if (++n > YAML_DIRECTIVES_MAX)
            return true;
    return false;
}

int yaml_load(const char *text, size_t len, json_t **out, struct yaml_marks **marks, struct err_info *info)
{
    if (len > YAML_BYTES_MAX)
        return err_set(info, ERR_TOOBIG, "", "larger than %u bytes", YAML_BYTES_MAX);
    if (yaml_too_many_directives(text, len))
        return err_set(info, ERR_TOOBIG, "", "more than %d %%TAG directives", YAML_DIRECTIVES_MAX);
    struct yaml_reader r = {.info = info, .text = text, .len = len};
    err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    if (marks && !(r.marks = calloc(1, sizeof *r.marks)))
        return ERR_NOMEM;
    if (!yaml_parser_initialize(&r.parser)) {
        yaml_marks_free(r.marks);
        return ERR_NOMEM;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int rc = yaml_document(&r, out);
    yaml_parser_delete(&r.parser);
    if (rc) {
        yaml_marks_free(r.marks);
        return rc;
    }
    if (marks)
        *marks = r.marks;
    err_set(info, ERR_OK, "", "%s", "");
    return 0;
}

/* ---- JSON ---- */

static bool json_depth_ok(json_t *v, unsigned depth)
{
    if (depth > YAML_DEPTH_MAX)
        return false;
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            if (!json_depth_ok(json_array_get(v, i), depth + 1))
                return false;
    } else if (json_is_object(v)) {
        for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it))
            if (!json_depth_ok(json_object_iter_value(it), depth + 1))
                return false;
    }
    return true;
}

/* What jansson says, but for what it says in terms of its own options. */
static const char *json_fault(const json_error_t *e)
{
    enum json_error_code code = json_error_code(e);
    if (code == json_error_null_character || code == json_error_null_byte_in_key)
        return "text must not contain the character \\u0000";
    return e->text;
}

int json_load_text(const char *text, size_t len, json_t **out, struct err_info *info)
{
    if (len > YAML_BYTES_MAX)
        return err_set(info, ERR_TOOBIG, "", "larger than %u bytes", YAML_BYTES_MAX);
    json_error_t e;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (!root) {
        int code = json_error_code(&e) == json_error_out_of_memory ? ERR_NOMEM : ERR_INVAL;
        err_set(info, code, "", "%s", json_fault(&e));
        if (info) {
            info->line = e.line > 0 ? (unsigned)e.line : 1;
            info->column = e.column > 0 ? (unsigned)e.column : 1;
        }
        return code;
    }
    if (!json_depth_ok(root, 1)) {
        json_decref(root);
        return err_set(info, ERR_TOOBIG, "", "nested too deeply (the limit is %u)", YAML_DEPTH_MAX);
    }
    *out = root;
    return 0;
}
