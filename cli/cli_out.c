#include "cli/cli_out.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "cli/cli_out_int.h"

void cli_out_init(void)
{
    /* Widths of characters come from the C library's tables; only the character type matters, not the user's language. */
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
}

int cli_out_format(const char *name, enum cli_format *out)
{
    static const char *const names[] = {"table", "wide", "json", "csv"};
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum cli_format)i;
            return 0;
        }
    return ERR_INVAL;
}

/* One character; bad bytes count as one each, value U+FFFD. */
static uint32_t next_char(const char **s)
{
    const unsigned char *p = (const unsigned char *)*s;
    unsigned n = *p < 0x80                 ? 0
                 : *p >= 0xC2 && *p < 0xE0 ? 1
                 : *p >= 0xE0 && *p < 0xF0 ? 2
                 : *p >= 0xF0 && *p < 0xF5 ? 3
                                           : 4;
    if (n == 4) {
        (*s)++;
        return 0xFFFD;
    }
    uint32_t v = n == 0 ? *p : *p & (0x3Fu >> n);
    for (unsigned i = 1; i <= n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            (*s)++;
            return 0xFFFD;
        }
        v = v << 6 | (p[i] & 0x3Fu);
    }
    *s += n + 1;
    return v;
}

size_t cli_out_width(const char *s)
{
    size_t w = 0;
    while (*s) {
        int one = wcwidth((wchar_t)next_char(&s));
        w += one < 0 ? 1 : (size_t)one;
    }
    return w;
}

/* Control characters, and those that turn the direction of what follows round. */
static bool harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x200E || c == 0x200F || c == 0x2028 || c == 0x2029 || c == 0xFEFF || c == 0xFFFD;
}

char *cli_out_safe(const char *text)
{
    char *out = malloc(3 * strlen(text) + 1), *to = out;
    if (!out)
        return NULL;
    while (*text) {
        const char *from = text;
        uint32_t c = next_char(&text);
        if (harmful(c)) {
            memcpy(to, "\xEF\xBF\xBD", 3);
            to += 3;
        } else {
            memcpy(to, from, (size_t)(text - from));
            to += text - from;
        }
    }
    *to = 0;
    return out;
}

size_t cli_out_fit(const char *text, size_t columns, size_t *width)
{
    size_t bytes = 0;
    *width = 0;
    for (const char *s = text; *s;) {
        int one = wcwidth((wchar_t)next_char(&s));
        size_t w = one < 0 ? 1 : (size_t)one;
        if (*width + w > columns)
            break;
        *width += w;
        bytes = (size_t)(s - text);
    }
    return bytes;
}

const char *cli_out_color(const char *format, const char *cell)
{
    static const struct {
        const char *word, *color;
    } states[] = {
        {"up", "32"},        {"down", "31"},    {"idle", "32"},    {"ready", "32"},   {"ringing", "33"},
        {"talking", "36"},   {"wrap_up", "33"}, {"waiting", "33"}, {"offered", "33"}, {"not_ready", "33"},
        {"logged_out", "2"}, {"failed", "31"},  {"create", "32"},  {"update", "33"},  {"delete", "31"},
        {"unchanged", "2"},  {"no", "31"},      {"yes", "32"},
    };
    if (!format || (strcmp(format, "state") != 0 && strcmp(format, "up") != 0))
        return NULL;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(cell, states[i].word) == 0)
            return states[i].color;
    return NULL;
}

unsigned cli_out_columns(const char *spec, bool all, struct cli_column *out)
{
    unsigned n = 0;
    while (*spec && n < CLI_COLUMNS_MAX) {
        size_t len = strcspn(spec, " ");
        if (len == 1 && *spec == '|') {
            if (!all)
                break;
        } else if (len > 0) {
            struct cli_column *c = &out[n++];
            *c = (struct cli_column){.title = spec};
            c->title_len = (size_t)((const char *)memchr(spec, '=', len) - spec);
            c->path = spec + c->title_len + 1;
            size_t rest = len - c->title_len - 1;
            const char *slash = memchr(c->path, '/', rest);
            c->path_len = slash ? (size_t)(slash - c->path) : rest;
            if (slash && rest - c->path_len - 1 < sizeof c->fmt) {
                memcpy(c->fmt, slash + 1, rest - c->path_len - 1);
                c->right = strcmp(c->fmt, "ms") == 0 || strcmp(c->fmt, "us") == 0 || strcmp(c->fmt, "count") == 0 ||
                           strcmp(c->fmt, "bytes") == 0;
            }
        }
        spec += len + (spec[len] == ' ');
    }
    return n;
}

static void put_padded(const struct cli_out *o, const char *cell, size_t width, bool right, bool last,
                       const char *color)
{
    size_t pad = width - cli_out_width(cell);
    if (right)
        fprintf(o->to, "%*s", (int)pad, "");
    if (o->color && color)
        fprintf(o->to, "\033[%sm%s\033[0m", color, cell);
    else
        fputs(cell, o->to);
    if (!right && !last)
        fprintf(o->to, "%*s", (int)pad, "");
    fputs(last ? "\n" : "  ", o->to);
}

static int table(const struct cli_out *o, const json_t *items, struct cli_column *cols, unsigned n, unsigned indent)
{
    size_t rows = json_array_size(items), i;
    char **cells = calloc(rows * n + 1, sizeof *cells);
    json_t *item;
    int rc = cells ? 0 : ERR_NOMEM;
    for (unsigned c = 0; c < n; c++)
        cols[c].width = cols[c].title_len;
    json_array_foreach((json_t *)items, i, item)
    {
        for (unsigned c = 0; c < n && rc == 0; c++) {
            char *raw = cli_out_cell(item, cols[c].path, cols[c].path_len, cols[c].fmt, false);
            char *cell = raw ? cli_out_safe(*raw ? raw : "-") : NULL;
            free(raw);
            if (!cell) {
                rc = ERR_NOMEM;
                break;
            }
            size_t w = cli_out_width(cell);
            cols[c].width = w > cols[c].width ? w : cols[c].width;
            if (json_is_number(cli_out_at(item, cols[c].path, cols[c].path_len)) && !*cols[c].fmt)
                cols[c].right = true;
            cells[i * n + c] = cell;
        }
    }
    if (rc == 0) {
        fprintf(o->to, "%*s", (int)indent, "");
        for (unsigned c = 0; c < n; c++) {
            char title[48];
            snprintf(title, sizeof title, "%.*s", (int)cols[c].title_len, cols[c].title);
            put_padded(o, title, cols[c].width, cols[c].right, c + 1 == n, "1");
        }
        for (i = 0; i < rows; i++) {
            fprintf(o->to, "%*s", (int)indent, "");
            for (unsigned c = 0; c < n; c++)
                put_padded(o, cells[i * n + c], cols[c].width, cols[c].right, c + 1 == n,
                           cli_out_color(cols[c].fmt, cells[i * n + c]));
        }
    }
    for (i = 0; cells && i < rows * n; i++)
        free(cells[i]);
    free(cells);
    return rc;
}

/* What a spreadsheet would calculate: callers choose their names. Signed numbers (+8613800138000) are what they are. */
static bool is_formula(const char *cell)
{
    if (*cell == '+' || *cell == '-')
        return cell[1 + strspn(cell + 1, "0123456789.")] != '\0';
    return *cell && strchr("=@\t\r", *cell);
}

void cli_out_csv(FILE *to, const char *cell, bool last)
{
    bool formula = is_formula(cell), quoted = strpbrk(cell, ",\"\r\n") != NULL;
    fputs(quoted ? "\"" : "", to);
    fputs(formula ? "'" : "", to);
    while (*cell) {
        const char *from = cell;
        uint32_t c = next_char(&cell);
        bool control = (c < 0x20 && !strchr("\t\r\n", (int)c)) || (c >= 0x7F && c < 0xA0);
        if (c == '"')
            fputc('"', to);
        if (control)
            fputs("\xEF\xBF\xBD", to);
        else
            fwrite(from, 1, (size_t)(cell - from), to);
    }
    fputs(quoted ? "\"" : "", to);
    fputs(last ? "\r\n" : ",", to);
}

static int csv(const struct cli_out *o, const json_t *items, const struct cli_column *cols, unsigned n)
{
    for (unsigned c = 0; c < n; c++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)cols[c].path_len, cols[c].path);
        cli_out_csv(o->to, name, c + 1 == n);
    }
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)items, i, item)
    {
        for (unsigned c = 0; c < n; c++) {
            char *cell = cli_out_cell(item, cols[c].path, cols[c].path_len, cols[c].fmt, true);
            if (!cell)
                return ERR_NOMEM;
            cli_out_csv(o->to, cell, c + 1 == n);
            free(cell);
        }
    }
    return 0;
}

int cli_out_json(const struct cli_out *o, const json_t *value)
{
    if (json_dumpf(value, o->to, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) != 0)
        return ERR_NOMEM;
    fputc('\n', o->to);
    return 0;
}

int cli_out_list(const struct cli_out *o, const json_t *items, const char *columns, const char *empty)
{
    struct cli_column cols[CLI_COLUMNS_MAX];
    if (o->format == CLI_JSON)
        return cli_out_json(o, items);
    unsigned n = cli_out_columns(columns, o->format != CLI_TABLE, cols);
    if (o->format == CLI_CSV)
        return csv(o, items, cols, n);
    if (json_array_size(items) == 0 && empty) {
        fprintf(o->to, "%s\n", empty);
        return 0;
    }
    return table(o, items, cols, n, 0);
}

/* How fields are shown that have no column of their own: by the ends of their names, which the API keeps to. */
static const char *format_of(const char *key)
{
    static const struct {
        const char *end, *format;
    } ends[] = {{"_at", "time"}, {"since", "time"},   {"until", "time"},  {"time", "time"},   {"_ms", "ms"},
                {"_us", "us"},   {"_bytes", "bytes"}, {"state", "state"}, {"phase", "state"}, {"members", "pairs"}};
    size_t len = strlen(key);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t e = strlen(ends[i].end);
        if (len >= e && strcmp(key + len - e, ends[i].end) == 0)
            return ends[i].format;
    }
    return "";
}

/* What a field is called beside a value that is shown with its unit. */
static size_t label_length(const char *key)
{
    const char *format = format_of(key);
    size_t len = strlen(key), unit = strlen(format);
    bool said = strcmp(format, "ms") == 0 || strcmp(format, "us") == 0 || strcmp(format, "bytes") == 0;
    return said && len > unit + 1 ? len - unit - 1 : len;
}

static bool is_table(const char *key, const json_t *v)
{
    return json_is_array(v) && json_is_object(json_array_get(v, 0)) && strcmp(format_of(key), "pairs") != 0;
}

static int sub_table(const struct cli_out *o, const char *name, const json_t *items)
{
    struct cli_column cols[CLI_COLUMNS_MAX];
    unsigned n = 0;
    const char *key;
    json_t *v;
    json_object_foreach(json_array_get(items, 0), key, v)
    {
        if (n == CLI_COLUMNS_MAX || json_is_object(v) || json_is_array(v))
            continue;
        cols[n] =
            (struct cli_column){.title = key, .path = key, .title_len = label_length(key), .path_len = strlen(key)};
        snprintf(cols[n].fmt, sizeof cols[n].fmt, "%s", format_of(key));
        n++;
    }
    fprintf(o->to, "\n%s\n", name);
    return n ? table(o, items, cols, n, 2) : 0;
}

static int object_csv(const struct cli_out *o, const json_t *object)
{
    struct cli_column cols[CLI_COLUMNS_MAX];
    unsigned n = 0;
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        if (n < CLI_COLUMNS_MAX && !json_is_object(v) && !is_table(key, v))
            cols[n++] =
                (struct cli_column){.title = key, .path = key, .title_len = strlen(key), .path_len = strlen(key)};
    }
    json_t *one = json_pack("[O]", object);
    int rc = one ? csv(o, one, cols, n) : ERR_NOMEM;
    json_decref(one);
    return rc;
}

int cli_out_object(const struct cli_out *o, const json_t *object)
{
    const char *key;
    json_t *v;
    size_t width = 0;
    if (o->format == CLI_JSON || !json_is_object(object))
        return cli_out_json(o, object);
    if (o->format == CLI_CSV)
        return object_csv(o, object);
    json_object_foreach((json_t *)object, key, v)
    {
        if (!is_table(key, v) && label_length(key) > width)
            width = label_length(key);
    }
    json_object_foreach((json_t *)object, key, v)
    {
        if (is_table(key, v) || json_is_object(v))
            continue;
        char *raw = cli_out_cell(object, key, strlen(key), format_of(key), false);
        char *cell = raw ? cli_out_safe(*raw ? raw : "-") : NULL;
        free(raw);
        if (!cell)
            return ERR_NOMEM;
        fprintf(o->to, "%-*.*s  ", (int)width, (int)label_length(key), key);
        put_padded(o, cell, cli_out_width(cell), false, true, cli_out_color(format_of(key), cell));
        free(cell);
    }
    json_object_foreach((json_t *)object, key, v)
    {
        int rc = 0;
        if (is_table(key, v)) {
            rc = sub_table(o, key, v);
        } else if (json_is_object(v)) {
            fprintf(o->to, "\n%s\n", key);
            rc = cli_out_json(o, v);
        }
        if (rc)
            return rc;
    }
    return 0;
}
