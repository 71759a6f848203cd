#include "cli/cli_top.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli_out.h"
#include "cli/cli_out_int.h"

const struct cli_top_view cli_top_views[CLI_TOP_VIEWS] = {
    {"queues", "/v1/live/queues",
     "QUEUE=name NAME=display_name WAITING=waiting LONGEST=waiting_since/age ESTIMATE=estimated_wait_s IDLE=idle "
     "RINGING=ringing TALKING=talking WRAP-UP=wrap_up NOT-READY=not_ready OUT=logged_out"},
    {"agents", "/v1/live/agents",
     "NUMBER=number NAME=name GROUP=group STATE=state/state FOR=since/age ACTIVITY=activity REASON=reason "
     "PHONE=extension CALLER=call.caller CALLED=call.called QUEUE=call.queue TALKS=call.connected_at/age "
     "ANSWERED=answered QUEUES=queues"},
    {"waiting", "/v1/live/waiting",
     "QUEUE=queue PLACE=position CALLER=caller NAME=caller_name CALLED=called WAITS=queued_at/age TYPE=type "
     "PRIORITY=priority STATE=state/state RINGS=agents ALSO=overflow"},
    {"calls", "/v1/calls",
     "CALL=call_id OWNER=owner PHASE=phase/state CALLER=caller CALLED=called QUEUE=queue AGENT=agent FLOW=flow "
     "FOR=arrived_at/age TALKS=connected_at/age"},
    {"nodes", "/v1/nodes",
     "NODE=name SITE=site UP=up/up DRAINS=draining/yes CALLS=calls FOR=since/age VERSION=version SIP=sip"},
};

static unsigned columns_of(unsigned view, struct cli_column *cols)
{
    return cli_out_columns(cli_top_views[view].columns, true, cols);
}

bool cli_top_column(unsigned view, const char *title, unsigned *column)
{
    struct cli_column cols[CLI_COLUMNS_MAX];
    unsigned n = columns_of(view, cols);
    for (unsigned i = 0; i < n; i++) {
        if (strlen(title) == cols[i].title_len && strncasecmp(title, cols[i].title, cols[i].title_len) == 0) {
            *column = i;
            return true;
        }
    }
    return false;
}

bool cli_top_view_of(const char *name, unsigned *view)
{
    for (unsigned i = 0; i < CLI_TOP_VIEWS; i++) {
        if (strcmp(cli_top_views[i].name, name) == 0) {
            *view = i;
            return true;
        }
    }
    return false;
}

/* ---- rows: filtered and sorted */

struct line {
    char **cells;
    const json_t *sort; /* the value that its place follows from */
    size_t at;          /* as it came: ties stay */
    bool reverse;
};

static void lines_free(struct line *lines, size_t n, unsigned columns)
{
    for (size_t i = 0; lines && i < n; i++) {
        for (unsigned c = 0; lines[i].cells && c < columns; c++)
            free(lines[i].cells[c]);
        free(lines[i].cells);
    }
    free(lines);
}

static bool is_nothing(const json_t *v)
{
    return !v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

static int by_value(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = 0;
    if (is_nothing(x->sort) != is_nothing(y->sort))
        return is_nothing(x->sort) ? 1 : -1; /* what has none comes last, whichever way */
    if (json_is_integer(x->sort) && json_is_integer(y->sort)) {
        json_int_t m = json_integer_value(x->sort), n = json_integer_value(y->sort);
        order = m < n ? -1 : m > n;
    } else if (json_is_string(x->sort) && json_is_string(y->sort)) {
        order = strcmp(json_string_value(x->sort), json_string_value(y->sort));
    } else if (json_is_boolean(x->sort) && json_is_boolean(y->sort)) {
        order = json_is_true(x->sort) - json_is_true(y->sort);
    }
    if (order)
        return x->reverse ? -order : order;
    return x->at < y->at ? -1 : 1;
}

static int fill_line(const json_t *item, const struct cli_column *cols, unsigned n, const char *filter, struct line *l,
                     bool *wanted)
{
    l->cells = calloc(n, sizeof *l->cells);
    *wanted = !filter[0];
    for (unsigned c = 0; c < n; c++) {
        char *raw = l->cells ? cli_out_cell(item, cols[c].path, cols[c].path_len, cols[c].fmt, false) : NULL;
        l->cells[c] = raw ? cli_out_safe(*raw ? raw : "-") : NULL;
        *wanted = *wanted || (raw && strcasestr(raw, filter));
        free(raw);
        if (!l->cells[c])
            return ERR_NOMEM;
    }
    return 0;
}

static int make_lines(const struct cli_top *t, const struct cli_column *cols, unsigned n, struct line **out,
                      size_t *n_out)
{
    size_t i, used = 0;
    json_t *item;
    struct line *lines = calloc(json_array_size(t->rows) + 1, sizeof *lines);
    int err = lines ? 0 : ERR_NOMEM;
    unsigned sort = t->sort[t->view];
    json_array_foreach(t->rows, i, item)
    {
        bool wanted = false;
        if (err)
            break;
        struct line *l = &lines[used++];
        *l = (struct line){.at = i, .reverse = t->reverse[t->view]};
        l->sort = cli_out_at(item, cols[sort].path, cols[sort].path_len);
        err = fill_line(item, cols, n, t->filter, l, &wanted);
        if (!wanted && !err) {
            used--;
            for (unsigned c = 0; c < n; c++)
                free(l->cells[c]);
            free(l->cells);
            l->cells = NULL;
        }
    }
    if (err) {
        lines_free(lines, used, n);
        return err;
    }
    qsort(lines, used, sizeof *lines, by_value);
    *out = lines;
    *n_out = used;
    return 0;
}

/* ---- the picture */

struct page {
    FILE *to;
    unsigned width, height; /* width 0: no bounds */
    unsigned line;
    bool color;
    size_t used; /* columns of the line at hand */
};

static void put(struct page *p, const char *text, const char *color)
{
    size_t w = 0, bytes = p->width ? cli_out_fit(text, p->width - p->used, &w) : strlen(text);
    if (p->color && color && bytes)
        fprintf(p->to, "\033[%sm%.*s\033[0m", color, (int)bytes, text);
    else
        fprintf(p->to, "%.*s", (int)bytes, text);
    p->used += w;
}

static void put_cell(struct page *p, const char *cell, size_t width, bool right, bool last, const char *color)
{
    size_t w = cli_out_width(cell), gap = width > w ? width - w : 0;
    char pad[256];
    memset(pad, ' ', sizeof pad);
    pad[gap < sizeof pad ? gap : sizeof pad - 1] = '\0';
    if (right)
        put(p, pad, NULL);
    put(p, cell, color);
    if (!right && !last)
        put(p, pad, NULL);
    if (!last)
        put(p, "  ", NULL);
}

static void end_line(struct page *p)
{
    p->line++;
    fputs(!p->width ? "\n" : p->line < p->height ? "\033[K\r\n" : "\033[K", p->to);
    p->used = 0;
}

static size_t in_state(const json_t *agents, const char *state)
{
    size_t i, n = 0;
    json_t *a;
    json_array_foreach((json_t *)agents, i, a)
    {
        const char *s = json_string_value(json_object_get(a, "state"));
        n += s && strcmp(s, state) == 0;
    }
    return n;
}

/* The one who has waited longest; a time as text sorts like the time. */
static const json_t *oldest(const json_t *waiting)
{
    size_t i;
    json_t *w;
    const json_t *first = NULL;
    const char *since = NULL;
    json_array_foreach((json_t *)waiting, i, w)
    {
        const char *at = json_string_value(json_object_get(w, "queued_at"));
        if (at && (!since || strcmp(at, since) < 0)) {
            since = at;
            first = w;
        }
    }
    return first;
}

static void put_summary(struct page *p, const struct cli_top *t)
{
    static const struct {
        const char *state, *label;
    } states[] = {{"idle", "idle"},       {"ringing", "ringing"},     {"talking", "talking"},
                  {"wrap_up", "wrap-up"}, {"not_ready", "not ready"}, {"logged_out", "out"}};
    char text[200];
    put(p, "agents", "1");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        snprintf(text, sizeof text, "%s %zu %s", i ? "," : "", in_state(t->agents, states[i].state), states[i].label);
        put(p, text, NULL);
    }
    put(p, "  waiting", "1");
    const json_t *first = oldest(t->waiting);
    char *longest = first ? cli_out_cell(first, "queued_at", 9, "age", false) : NULL;
    snprintf(text, sizeof text, " %zu%s%s", json_array_size(t->waiting), longest ? ", longest " : "",
             longest ? longest : "");
    put(p, text, NULL);
    free(longest);
    end_line(p);
}

static void put_head(struct page *p, const struct cli_top *t)
{
    char text[400], *safe;
    snprintf(text, sizeof text, "Everline %.100s  %s%s", t->server, t->at, t->paused ? "  paused" : "");
    safe = cli_out_safe(text);
    put(p, safe ? safe : "Everline", "1");
    free(safe);
    end_line(p);
    put_summary(p, t);
    for (unsigned i = 0; i < CLI_TOP_VIEWS; i++) {
        snprintf(text, sizeof text, "%s%u %s%s", i == t->view ? "[" : " ", i + 1, cli_top_views[i].name,
                 i == t->view ? "] " : "  ");
        put(p, text, i == t->view ? "7" : NULL);
    }
    if (t->filter[0] || t->typing) {
        snprintf(text, sizeof text, "  filter: %s%s", t->filter, t->typing ? "_" : "");
        safe = cli_out_safe(text);
        put(p, safe ? safe : "", "33");
        free(safe);
    }
    end_line(p);
}

static void put_help(struct page *p)
{
    static const char *const lines[] = {
        "1-5, Tab      queues, agents, waiting callers, calls, nodes",
        "s, S          sort by the next column, by the one before",
        "r             the other way round",
        "/             only rows with a text; Enter keeps it, Esc takes it away",
        "arrows, PgUp, PgDn, Home, End   scroll",
        "Space         stand still, and go on",
        "h, ?          this help",
        "q             quit",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines && (!p->width || p->line + 1 < p->height); i++) {
        put(p, lines[i], NULL);
        end_line(p);
    }
}

static void put_table(struct page *p, struct cli_top *t, struct line *lines, size_t n, struct cli_column *cols,
                      unsigned n_cols)
{
    for (unsigned c = 0; c < n_cols; c++) {
        cols[c].width = cols[c].title_len + (c == t->sort[t->view]);
        for (size_t i = 0; i < n; i++) {
            size_t w = cli_out_width(lines[i].cells[c]);
            cols[c].width = w > cols[c].width ? w : cols[c].width;
        }
    }
    for (unsigned c = 0; c < n_cols; c++) {
        char title[48];
        snprintf(title, sizeof title, "%.*s%s", (int)cols[c].title_len, cols[c].title,
                 c != t->sort[t->view] ? ""
                 : t->reverse[t->view] ? "-"
                                       : "+");
        put_cell(p, title, cols[c].width, cols[c].right, c + 1 == n_cols, "1");
    }
    end_line(p);
    size_t left = p->width ? (p->height > p->line + 1 ? p->height - p->line - 1 : 0) : n;
    t->page = left;
    t->shown = n;
    size_t most = n > left ? n - left : 0;
    t->first = t->first > most ? most : t->first;
    for (size_t i = t->first; i < n && i < t->first + left; i++) {
        for (unsigned c = 0; c < n_cols; c++)
            put_cell(p, lines[i].cells[c], cols[c].width, cols[c].right, c + 1 == n_cols,
                     cli_out_color(cols[c].fmt, lines[i].cells[c]));
        end_line(p);
    }
}

int cli_top_draw(struct cli_top *t, FILE *to, unsigned width, unsigned height, bool color)
{
    struct cli_column cols[CLI_COLUMNS_MAX];
    unsigned n_cols = columns_of(t->view, cols);
    struct line *lines = NULL;
    size_t n = 0;
    int err = make_lines(t, cols, n_cols, &lines, &n);
    if (err)
        return err;
    struct page p = {.to = to, .width = width, .height = height < 5 ? 5 : height, .color = color};
    put_head(&p, t);
    if (t->help)
        put_help(&p);
    else
        put_table(&p, t, lines, n, cols, n_cols);
    lines_free(lines, n, n_cols);
    while (p.width && p.line + 1 < p.height)
        end_line(&p);
    char text[300], *safe;
    if (t->trouble[0])
        snprintf(text, sizeof text, "%s", t->trouble);
    else
        snprintf(text, sizeof text, "%zu of %zu %s%s", n, json_array_size(t->rows), cli_top_views[t->view].name,
                 width ? "   h help  q quit" : "");
    safe = cli_out_safe(text);
    put(&p, safe ? safe : "", t->trouble[0] ? "31" : "2");
    free(safe);
    end_line(&p);
    return ferror(to) ? ERR_IO : 0;
}

/* ---- keys */

static void type_filter(struct cli_top *t, int key)
{
    size_t len = strlen(t->filter);
    if (key == '\r' || key == '\n' || key == 27) {
        t->typing = false;
        if (key == 27)
            t->filter[0] = '\0';
    } else if (key == 127 || key == 8) {
        while (len > 0 && ((unsigned char)t->filter[len - 1] & 0xC0) == 0x80)
            len--; /* the rest of a character of several bytes */
        t->filter[len > 0 ? len - 1 : 0] = '\0';
    } else if (key >= 32 && key < 256 && len + 1 < sizeof t->filter) {
        t->filter[len] = (char)key;
        t->filter[len + 1] = '\0';
    }
    t->first = 0;
}

static void scroll(struct cli_top *t, long by)
{
    long first = (long)t->first + by, most = (long)(t->shown > t->page ? t->shown - t->page : 0);
    t->first = (size_t)(first < 0 ? 0 : first > most ? most : first);
}

static void show(struct cli_top *t, unsigned view)
{
    if (view == t->view)
        return;
    t->view = view;
    t->first = 0;
    json_decref(t->rows); /* they are of another one */
    t->rows = NULL;
}

bool cli_top_key(struct cli_top *t, int key)
{
    struct cli_column cols[CLI_COLUMNS_MAX];
    unsigned n = columns_of(t->view, cols), *sort = &t->sort[t->view];
    if (t->typing && key < 256) {
        type_filter(t, key);
        return true;
    }
    if (t->help && key != 'q') {
        t->help = false;
        return true;
    }
    if (key >= '1' && key < '1' + (int)CLI_TOP_VIEWS)
        show(t, (unsigned)(key - '1'));
    else if (key == '\t' || key == CLI_TOP_NEXT)
        show(t, (t->view + 1) % CLI_TOP_VIEWS);
    else if (key == CLI_TOP_LAST)
        show(t, (t->view + CLI_TOP_VIEWS - 1) % CLI_TOP_VIEWS);
    else if (key == 's')
        *sort = (*sort + 1) % n;
    else if (key == 'S')
        *sort = (*sort + n - 1) % n;
    else if (key == 'r')
        t->reverse[t->view] = !t->reverse[t->view];
    else if (key == '/')
        t->typing = true;
    else if (key == 27)
        t->filter[0] = '\0';
    else if (key == ' ')
        t->paused = !t->paused;
    else if (key == 'h' || key == '?')
        t->help = true;
    else if (key == CLI_TOP_UP || key == CLI_TOP_DOWN)
        scroll(t, key == CLI_TOP_UP ? -1 : 1);
    else if (key == CLI_TOP_PAGE_UP || key == CLI_TOP_PAGE_DOWN)
        scroll(t, key == CLI_TOP_PAGE_UP ? -(long)t->page : (long)t->page);
    else if (key == CLI_TOP_HOME || key == CLI_TOP_END)
        scroll(t, key == CLI_TOP_HOME ? -(long)t->shown : (long)t->shown);
    return key != 'q' && key != 'Q';
}
