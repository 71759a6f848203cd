/* Blacklist and VIPs: entries one by one, and many out of a file. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/number.h"
#include "cli/cli_records.h"
#include "cli/cli_run.h"

#define BATCH 1000u      /* entries of a request */
#define FAULTS_SHOWN 20u /* one line each; the rest is counted */
#define KEY_MAX 192u

/* ---- one entry */

/* The key of the object that the text names: "+86 138 0013 8000" and queue "service": "13800138000@service". */
static int key_of(const char *text, const char *queue, char out[KEY_MAX], struct err_info *info)
{
    struct number_pattern p;
    char number[NUMBER_MAX];
    int err = number_pattern_parse(text, &p, info);
    if (err)
        return err;
    number_pattern_text(&p, number);
    int n = snprintf(out, KEY_MAX, "%s%s%s", number, queue && *queue ? "@" : "", queue ? queue : "");
    return n < (int)KEY_MAX ? 0 : err_set(info, ERR_TOOBIG, "", "has a queue of too long a name");
}

/* Runs `fn` as if the key had been written. */
static int with_key(struct cli_run *r, int (*fn)(struct cli_run *))
{
    struct cli_args mine = *r->args;
    const struct cli_args *was = r->args;
    struct err_info info = {0};
    char key[KEY_MAX];
    if (key_of(was->args[0], cli_args_value(was, "queue"), key, &info)) {
        fprintf(stderr, "ccctl: number \"%s\" %s\n", was->args[0], info.text);
        return CLI_EXIT_USAGE;
    }
    mine.args[0] = key;
    r->args = &mine;
    int rc = fn(r);
    r->args = was;
    return rc;
}

int cli_run_number_add(struct cli_run *r)
{
    return with_key(r, cli_run_set);
}

int cli_run_number_remove(struct cli_run *r)
{
    return with_key(r, cli_run_change);
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void say_test(struct cli_run *r, const json_t *o)
{
    const char *list = text_of(o, "list"), *direction = text_of(o, "direction"), *note = text_of(o, "note");
    char *safe = cli_out_safe(note), *number = cli_out_safe(text_of(o, "number"));
    bool listed = json_is_true(json_object_get(o, "listed")), vip = *list;
    fprintf(r->out.to, "%s: %s", number ? number : "?",
            vip      ? listed ? "VIP" : "no VIP"
            : listed ? "blacklisted"
                     : "not blacklisted");
    if (vip && strcmp(list, "none") == 0)
        fputs(": the queue goes by no list", r->out.to);
    if (!vip)
        fprintf(r->out.to, " (%s)", direction);
    if (listed)
        fprintf(r->out.to, " by entry %s%s%s", text_of(o, "entry"), *note ? ": " : "", safe ? safe : "?");
    fputc('\n', r->out.to);
    free(safe);
    free(number);
}

int cli_run_number_test(struct cli_run *r)
{
    json_t *o = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &o, NULL) : CLI_EXIT_ERROR;
    if (rc == CLI_EXIT_OK && (r->out.format == CLI_JSON || r->out.format == CLI_CSV))
        rc = cli_run_printed(cli_out_object(&r->out, o));
    else if (rc == CLI_EXIT_OK)
        say_test(r, o);
    json_decref(o);
    free(target);
    return rc;
}

/* ---- a file */

enum column { COLUMN_NONE, COLUMN_NUMBER, COLUMN_DIRECTION, COLUMN_NOTE };

struct import {
    const char *file, *list, *key, *queue,
        *direction; /* list and key: of the document; direction NULL: not that list */
    enum column columns[CLI_CELLS_MAX];
    json_t *entries;
    struct map seen; /* key: line + 1, as a pointer */
    unsigned faults, repeated, sent, created, updated;
    bool skip_faults;
};

static enum column column_of(const char *cell)
{
    static const struct {
        const char *word;
        enum column column;
    } words[] = {{"number", COLUMN_NUMBER},   {"phone", COLUMN_NUMBER},        {"caller", COLUMN_NUMBER},
                 {"entry", COLUMN_NUMBER},    {"号码", COLUMN_NUMBER},         {"电话", COLUMN_NUMBER},
                 {"电话号码", COLUMN_NUMBER}, {"手机", COLUMN_NUMBER},         {"手机号", COLUMN_NUMBER},
                 {"手机号码", COLUMN_NUMBER}, {"direction", COLUMN_DIRECTION}, {"方向", COLUMN_DIRECTION},
                 {"note", COLUMN_NOTE},       {"name", COLUMN_NOTE},           {"备注", COLUMN_NOTE},
                 {"说明", COLUMN_NOTE},       {"姓名", COLUMN_NOTE},           {"名称", COLUMN_NOTE}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(cell, words[i].word) == 0)
            return words[i].column;
    }
    return COLUMN_NONE;
}

static const char *direction_of(const char *cell)
{
    static const char *const words[][2] = {{"in", "in"},   {"out", "out"},  {"both", "both"},
                                           {"呼入", "in"}, {"呼出", "out"}, {"双向", "both"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(cell, words[i][0]) == 0)
            return words[i][1];
    }
    return NULL;
}

/* Names of columns; without them: number, then direction if it is one, then note. */
static bool take_header(struct import *m, const char *const *cells, unsigned n)
{
    enum column found[CLI_CELLS_MAX] = {COLUMN_NONE};
    bool number = false;
    for (unsigned i = 0; i < n; i++) {
        found[i] = column_of(cells[i]);
        number = number || found[i] == COLUMN_NUMBER;
    }
    if (number)
        memcpy(m->columns, found, sizeof found);
    return number;
}

static void fault(struct import *m, unsigned line, const char *what, const char *why)
{
    char *safe = cli_out_safe(what);
    if (m->faults++ < FAULTS_SHOWN)
        fprintf(stderr, "ccctl: %s:%u: \"%.80s\" %s\n", m->file, line, safe ? safe : "?", why);
    free(safe);
}

struct record {
    const char *number, *direction, *note;
};

static bool take_cells(struct import *m, unsigned line, const char *const *cells, unsigned n, struct record *out)
{
    bool named = false;
    for (unsigned i = 0; i < CLI_CELLS_MAX; i++)
        named = named || m->columns[i] != COLUMN_NONE;
    *out = (struct record){.number = "", .direction = m->direction, .note = ""};
    for (unsigned i = 0; i < n; i++) {
        bool direction = named ? m->columns[i] == COLUMN_DIRECTION : i == 1 && m->direction && direction_of(cells[i]);
        bool number = named ? m->columns[i] == COLUMN_NUMBER : i == 0;
        bool note = named ? m->columns[i] == COLUMN_NOTE : i > 0 && !direction && !*out->note;
        if (number)
            out->number = cells[i];
        else if (note)
            out->note = cells[i];
        else if (direction && m->direction && *cells[i])
            out->direction = direction_of(cells[i]);
        if (m->direction && !out->direction) {
            fault(m, line, cells[i], "is no direction: in, out or both");
            return false;
        }
    }
    return true;
}

/* An enum err_code; faults of the line are told and counted. */
static int take_record(struct import *m, unsigned line, const char *const *cells, unsigned n)
{
    struct record rec;
    struct err_info info = {0};
    char key[KEY_MAX];
    if (!take_cells(m, line, cells, n, &rec))
        return 0;
    if (key_of(rec.number, m->queue, key, &info)) {
        fault(m, line, rec.number, info.text);
        return 0;
    }
    if (strlen(rec.note) > 256) {
        fault(m, line, rec.number, "has a note of more than 256 bytes");
        return 0;
    }
    json_t *o = json_pack("{s:s,s:s}", m->key, key, "note", rec.note);
    if (o && m->direction && json_object_set_new(o, "direction", json_string(rec.direction)) != 0) {
        json_decref(o);
        o = NULL;
    }
    uintptr_t before = (uintptr_t)map_get(&m->seen, key);
    m->repeated += before != 0;
    if (!o || map_set(&m->seen, key, (void *)(before ? before : json_array_size(m->entries) + 1)) != 0) {
        json_decref(o);
        return ERR_NOMEM;
    }
    int err = before ? json_array_set_new(m->entries, before - 1, o) : json_array_append_new(m->entries, o);
    return err ? ERR_NOMEM : 0;
}

static int read_file(struct import *m)
{
    struct err_info info = {0};
    struct cli_records *rows = NULL;
    const char *cells[CLI_CELLS_MAX], *broken = NULL;
    char *text = NULL;
    unsigned line = 0, n;
    size_t len;
    if (cli_read_file(m->file, CLI_RECORDS_BYTES_MAX, &text, &len, &info))
        return cli_run_fault(&info);
    if (cli_records_open(text, len, &rows, &info)) {
        fprintf(stderr, "ccctl: %s: %s\n", m->file, info.text);
        return CLI_EXIT_ERROR;
    }
    int err = 0;
    for (bool first = true; !err && cli_records_next(rows, &line, cells, &n, &broken); first = false) {
        if (!first || !take_header(m, cells, n))
            err = take_record(m, line, cells, n);
    }
    cli_records_free(rows);
    if (broken) {
        fprintf(stderr, "ccctl: %s:%u: %s\n", m->file, line, broken);
        return CLI_EXIT_ERROR;
    }
    return cli_run_printed(err);
}

static void count_changes(struct import *m, const json_t *answer)
{
    json_t *c;
    size_t i;
    json_array_foreach(json_object_get(answer, "changes"), i, c)
    {
        m->created += strcmp(text_of(c, "action"), "create") == 0;
        m->updated += strcmp(text_of(c, "action"), "update") == 0;
    }
}

static int send_batch(struct cli_run *r, struct import *m)
{
    json_t *body = json_object(), *batch = json_array(), *answer = NULL;
    size_t all = json_array_size(m->entries), end = m->sent + BATCH < all ? m->sent + BATCH : all;
    int err = body && batch && json_object_set(body, m->list, batch) == 0 ? 0 : ERR_NOMEM;
    for (size_t i = m->sent; i < end && !err; i++)
        err = json_array_append(batch, json_array_get(m->entries, i)) ? ERR_NOMEM : 0;
    char *text = err ? NULL : json_dumps(body, JSON_COMPACT);
    int rc = text ? CLI_EXIT_OK : cli_run_printed(ERR_NOMEM);
    struct cli_reply reply;
    const struct cli_http_request q = {.method = "POST", .target = r->verb->path, .body = text};
    if (rc == CLI_EXIT_OK)
        rc = cli_run_request(r, &q, NULL, &reply);
    if (rc == CLI_EXIT_OK) {
        count_changes(m, answer = cli_run_parse(&reply));
        cli_reply_free(&reply);
        m->sent = (unsigned)end;
    }
    json_decref(answer);
    json_decref(batch);
    json_decref(body);
    free(text);
    return rc;
}

static int send_all(struct cli_run *r, struct import *m)
{
    unsigned all = (unsigned)json_array_size(m->entries);
    int rc = CLI_EXIT_OK;
    while (rc == CLI_EXIT_OK && m->sent < all) {
        rc = send_batch(r, m);
        if (rc == CLI_EXIT_OK && all > BATCH)
            fprintf(stderr, "ccctl: %u of %u entries\n", m->sent, all);
    }
    if (rc != CLI_EXIT_OK && m->sent > 0)
        fprintf(stderr, "  %u of %u entries are in; import the file again for the rest\n", m->sent, all);
    return rc;
}

static int finish(struct cli_run *r, struct import *m)
{
    unsigned all = (unsigned)json_array_size(m->entries);
    if (m->faults > FAULTS_SHOWN)
        fprintf(stderr, "ccctl: and %u more\n", m->faults - FAULTS_SHOWN);
    if (m->faults && !m->skip_faults) {
        fprintf(stderr,
                "ccctl: %u of the lines cannot be taken, so nothing was done\n  correct them, or take the others with "
                "--skip-faulty\n",
                m->faults);
        return CLI_EXIT_ERROR;
    }
    int rc = r->dry_run ? CLI_EXIT_OK : send_all(r, m);
    if (rc != CLI_EXIT_OK)
        return rc;
    json_t *o = json_pack("{s:i,s:i,s:i,s:i,s:i}", "entries", (int)all, "created", (int)m->created, "updated",
                          (int)m->updated, "repeated", (int)m->repeated, "faulty", (int)m->faults);
    if (r->out.format == CLI_JSON || r->out.format == CLI_CSV)
        rc = cli_run_printed(o ? cli_out_object(&r->out, o) : ERR_NOMEM);
    else if (r->dry_run)
        fprintf(r->out.to, "would send %u entries of %s\n", all, m->file);
    else
        fprintf(r->out.to, "%u entries of %s: %u created, %u updated, %u unchanged%s\n", all, m->file, m->created,
                m->updated, all - m->created - m->updated, m->faults ? "; faulty lines were left out" : "");
    if (m->repeated && r->out.format != CLI_JSON && r->out.format != CLI_CSV)
        fprintf(r->out.to, "%u lines name an entry that the file has already: the last one counts\n", m->repeated);
    json_decref(o);
    return rc;
}

int cli_run_number_import(struct cli_run *r)
{
    bool vip = strcmp(r->verb->noun, "vip") == 0;
    const char *direction = cli_args_value(r->args, "direction");
    struct import m = {.file = r->args->args[0],
                       .list = vip ? "vips" : "blacklist",
                       .key = vip ? "entry" : "number",
                       .queue = cli_args_value(r->args, "queue"),
                       .direction = vip         ? NULL
                                    : direction ? direction_of(direction)
                                                : "in",
                       .entries = json_array(),
                       .skip_faults = cli_args_given(r->args, "skip-faulty")};
    if (!vip && !m.direction) {
        fprintf(stderr, "ccctl: --direction \"%s\": expected in, out or both\n", direction);
        json_decref(m.entries);
        return CLI_EXIT_USAGE;
    }
    map_init(&m.seen);
    int rc = m.entries ? read_file(&m) : cli_run_printed(ERR_NOMEM);
    if (rc == CLI_EXIT_OK)
        rc = finish(r, &m);
    map_free(&m.seen);
    json_decref(m.entries);
    return rc;
}
