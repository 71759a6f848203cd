/* iCalendar: unfolded lines one by one; an event is judged where it ends. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/cli_ics.h"

#define NAME_MAX_BYTES 128u /* of a day, as the API takes it */

struct event {
    unsigned line; /* of its BEGIN */
    bool has_start, has_end, cancelled;
    int64_t start, end; /* days since 1970 */
    char name[NAME_MAX_BYTES + 1];
};
struct ics {
    const char *p, *end;
    unsigned next, line; /* lines of the file, 1-based: the one to read, and where the present one began */
    char *text;          /* the present line, unfolded */
    size_t len, cap;
    unsigned depth, event_depth; /* of components; event_depth 0: in no event */
    struct event ev;
    const char *const *words;
    size_t n_words;
    json_t *by_date; /* date: {name, kind} */
    struct err_info *info;
};

static int refuse(struct ics *c, int code, unsigned line, const char *text)
{
    err_set(c->info, code, "", "%s", text);
    if (c->info)
        c->info->line = line;
    return code;
}

static int add_text(struct ics *c, const char *s, size_t n)
{
    if (c->len + n + 1 > c->cap) {
        char *p = realloc(c->text, (c->len + n + 1) * 2);
        if (!p)
            return ERR_NOMEM;
        c->text = p;
        c->cap = (c->len + n + 1) * 2;
    }
    memcpy(c->text + c->len, s, n);
    c->len += n;
    c->text[c->len] = '\0';
    return 0;
}

/* 1: c->text is the next line; 0: none is left. A line that begins with a blank goes on with the one before it. */
static int next_line(struct ics *c)
{
    c->len = 0;
    c->line = c->next;
    if (c->p >= c->end)
        return 0;
    int err = add_text(c, "", 0);
    do {
        const char *nl = memchr(c->p, '\n', (size_t)(c->end - c->p));
        const char *stop = nl ? nl : c->end;
        size_t n = (size_t)(stop - c->p);
        if (!err)
            err = add_text(c, c->p, n > 0 && stop[-1] == '\r' ? n - 1 : n);
        c->p = nl ? nl + 1 : c->end;
        c->next++;
    } while (!err && c->p < c->end && (*c->p == ' ' || *c->p == '\t') && c->p++);
    return err ? err : 1;
}

/* ---- values */

static int64_t days_of(int y, int m, int d)
{
    struct tm tm = {.tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d};
    return timegm(&tm) / 86400;
}

static void date_of(int64_t days, char out[16])
{
    struct tm tm;
    time_t t = (time_t)days * 86400;
    out[0] = '\0';
    if (gmtime_r(&t, &tm))
        strftime(out, 16, "%Y-%m-%d", &tm);
}

/* "20261001", a day that there is. */
static bool read_date(const char *v, int64_t *days)
{
    char text[16], back[16];
    if (strlen(v) != 8 || strspn(v, "0123456789") != 8 || v[0] == '0')
        return false;
    snprintf(text, sizeof text, "%.4s-%.2s-%.2s", v, v + 4, v + 6);
    int y = atoi(text), m = atoi(text + 5), d = atoi(text + 8);
    if (y < 1970)
        return false;
    int64_t n = days_of(y, m, d);
    date_of(n, back);
    if (strcmp(text, back) != 0)
        return false;
    *days = n;
    return true;
}

/* RFC 5545, section 3.3.11; cut at a whole character. */
static void read_text(const char *v, char out[NAME_MAX_BYTES + 1])
{
    size_t n = 0;
    for (; *v && n < NAME_MAX_BYTES; v++) {
        char ch = *v;
        if (ch == '\\' && v[1]) {
            v++;
            ch = *v == 'n' || *v == 'N' ? ' ' : *v;
        }
        out[n++] = (unsigned char)ch < 0x20 ? ' ' : ch;
    }
    while (*v && n > 0 && ((unsigned char)*v & 0xc0) == 0x80) /* in the middle of a character */
        n--, v--;
    out[n] = '\0';
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; n > 0 && *text; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return false;
}

/* ---- events */

static int end_event(struct ics *c)
{
    const struct event *e = &c->ev;
    const char *kind = "off";
    if (e->cancelled)
        return 0;
    if (!e->has_start)
        return refuse(c, ERR_INVAL, e->line, "an event without DTSTART");
    int64_t end = e->has_end ? e->end : e->start + 1;
    if (end == e->start)
        end++; /* some programs mean the day itself */
    if (end < e->start)
        return refuse(c, ERR_INVAL, e->line, "an event that ends before it begins");
    if (end - e->start > CLI_ICS_EVENT_DAYS_MAX)
        return refuse(c, ERR_TOOBIG, e->line, "an event of more than a year");
    for (size_t i = 0; i < c->n_words; i++)
        if (has_word(e->name, c->words[i]))
            kind = "work";
    for (int64_t day = e->start; day < end; day++) {
        char date[16];
        date_of(day, date);
        const json_t *old = json_object_get(c->by_date, date);
        if (old && strcmp(json_string_value(json_object_get(old, "kind")), kind) != 0) {
            err_set(c->info, ERR_INVAL, "", "%s is both a day off and a working day", date);
            if (c->info)
                c->info->line = e->line;
            return ERR_INVAL;
        }
        if (old)
            continue; /* the first name stays */
        if (json_object_size(c->by_date) >= CLI_ICS_DAYS_MAX)
            return refuse(c, ERR_TOOBIG, e->line, "too many days");
        json_t *name = json_string(e->name);
        if (!name)
            return refuse(c, ERR_INVAL, e->line, "the SUMMARY is not UTF-8 text");
        if (json_object_set_new(c->by_date, date,
                                json_pack("{s:s,s:o,s:s}", "date", date, "name", name, "kind", kind)) != 0)
            return ERR_NOMEM;
    }
    return 0;
}

static int date_property(struct ics *c, const char *params, const char *value, bool *has, int64_t *day)
{
    if (*has)
        return refuse(c, ERR_INVAL, c->line, "the event has this property twice");
    if (strcasestr(params, "VALUE=DATE-TIME") || strchr(value, 'T'))
        return refuse(c, ERR_UNSUPPORTED, c->line,
                      "an event with a time of day: only whole days (VALUE=DATE) are taken");
    if (!read_date(value, day))
        return refuse(c, ERR_INVAL, c->line, "not a day that there is, such as 20261001 (from 1970 on)");
    *has = true;
    return 0;
}

static int event_property(struct ics *c, const char *name, const char *params, const char *value)
{
    static const char *const repeats[] = {"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"};
    for (size_t i = 0; i < sizeof repeats / sizeof repeats[0]; i++)
        if (strcasecmp(name, repeats[i]) == 0)
            return refuse(c, ERR_UNSUPPORTED, c->line, "an event that repeats: write each day as an event of its own");
    if (strcasecmp(name, "DURATION") == 0)
        return refuse(c, ERR_UNSUPPORTED, c->line, "an event with a DURATION: give DTEND");
    if (strcasecmp(name, "DTSTART") == 0)
        return date_property(c, params, value, &c->ev.has_start, &c->ev.start);
    if (strcasecmp(name, "DTEND") == 0)
        return date_property(c, params, value, &c->ev.has_end, &c->ev.end);
    if (strcasecmp(name, "SUMMARY") == 0)
        read_text(value, c->ev.name);
    else if (strcasecmp(name, "STATUS") == 0)
        c->ev.cancelled = strcasecmp(value, "CANCELLED") == 0;
    return 0;
}

static int begin(struct ics *c, const char *what)
{
    if (c->depth == 0 && strcasecmp(what, "VCALENDAR") != 0)
        return refuse(c, ERR_INVAL, c->line, "not a calendar: it must begin with BEGIN:VCALENDAR");
    if (++c->depth > 8)
        return refuse(c, ERR_INVAL, c->line, "components too deep inside each other");
    if (c->event_depth == 0 && strcasecmp(what, "VEVENT") == 0) {
        c->event_depth = c->depth;
        c->ev = (struct event){.line = c->line};
    }
    return 0;
}

static int end(struct ics *c, const char *what)
{
    if (c->depth == 0)
        return refuse(c, ERR_INVAL, c->line, "END without BEGIN");
    bool of_event = c->event_depth == c->depth;
    c->depth--;
    if (of_event != (strcasecmp(what, "VEVENT") == 0 && (of_event || c->event_depth == 0)))
        return refuse(c, ERR_INVAL, c->line, "END of something else than what began");
    if (!of_event)
        return 0;
    c->event_depth = 0;
    return end_event(c);
}

/* name *(";" param) ":" value; a parameter may be quoted, with colons in it. */
static int one_line(struct ics *c)
{
    char *p = c->text;
    if (c->len == 0)
        return 0;
    if (strlen(p) != c->len)
        return refuse(c, ERR_INVAL, c->line, "not a text file");
    size_t name = strcspn(p, ";:\"");
    char *params = p + name, *value = params;
    for (bool quoted = false; *value && (quoted || *value != ':'); value++)
        quoted ^= *value == '"';
    if (!*value || name == 0)
        return refuse(c, ERR_INVAL, c->line, "not a calendar line: NAME:VALUE is expected");
    *value++ = '\0';
    if (*params)
        *params++ = '\0';
    if (strcasecmp(p, "BEGIN") == 0)
        return begin(c, value);
    if (c->depth == 0)
        return refuse(c, ERR_INVAL, c->line, "not a calendar: it must begin with BEGIN:VCALENDAR");
    if (strcasecmp(p, "END") == 0)
        return end(c, value);
    return c->event_depth == c->depth ? event_property(c, p, params, value) : 0;
}

static int sorted_days(const json_t *by_date, json_t **out)
{
    json_t *list = json_array();
    char *text = json_dumps(by_date, JSON_SORT_KEYS | JSON_COMPACT);
    json_t *again = text ? json_loads(text, 0, NULL) : NULL, *day;
    const char *key;
    int err = list && again ? 0 : ERR_NOMEM;
    json_object_foreach(again, key, day)
    {
        if (!err && json_array_append(list, day) != 0)
            err = ERR_NOMEM;
    }
    json_decref(again);
    free(text);
    if (err)
        json_decref(list);
    else
        *out = list;
    return err;
}

int cli_ics_parse(const char *text, size_t len, const char *const *work_words, size_t n_words, json_t **days,
                  struct err_info *info)
{
    struct ics c = {.p = text,
                    .end = text + len,
                    .next = 1,
                    .words = work_words,
                    .n_words = n_words,
                    .by_date = json_object(),
                    .info = info};
    if (len > CLI_ICS_BYTES_MAX) {
        json_decref(c.by_date);
        return err_set(info, ERR_TOOBIG, "", "more than 1 MiB");
    }
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        c.p += 3;
    int err = c.by_date ? 0 : ERR_NOMEM, more = 1;
    while (!err && (more = next_line(&c)) > 0)
        err = one_line(&c);
    if (!err && more < 0)
        err = more;
    if (!err && (c.depth > 0 || json_object_size(c.by_date) == 0))
        err = refuse(&c, ERR_INVAL, c.line,
                     c.depth > 0 ? "the file ends in the middle: END:VCALENDAR is missing" : "no days in it");
    if (!err)
        err = sorted_days(c.by_date, days);
    if (err == ERR_NOMEM)
        err_set(info, err, "", "%s", err_text(err));
    json_decref(c.by_date);
    free(c.text);
    return err;
}
