#include "cli/cli_run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often a read-change-write is tried again when somebody else wrote in between. */
#define CONFLICT_TRIES 5

int cli_run_printed(int rc)
{
    if (rc == 0)
        return CLI_EXIT_OK;
    fprintf(stderr, "ccctl: %s\n", err_text(rc));
    return CLI_EXIT_ERROR;
}

int cli_run_fault(const struct err_info *info)
{
    fprintf(stderr, "ccctl: %s\n", info->text[0] ? info->text : err_text(info->code));
    if (info->code == ERR_CLOSED || info->code == ERR_TIMEOUT)
        fprintf(stderr,
                "  is a node running there? Give more with --server, more time with --timeout, or look with -v\n");
    return info->code == ERR_TIMEOUT ? CLI_EXIT_TIMEOUT : CLI_EXIT_ERROR;
}

json_t *cli_run_parse(const struct cli_reply *reply)
{
    return json_loadb(reply->body, reply->len, JSON_DECODE_ANY, NULL);
}

static const struct {
    int status, exit;
} exits[] = {
    {401, CLI_EXIT_DENIED},   {403, CLI_EXIT_DENIED},   {404, CLI_EXIT_NOTFOUND}, {408, CLI_EXIT_TIMEOUT},
    {409, CLI_EXIT_CONFLICT}, {412, CLI_EXIT_CONFLICT}, {504, CLI_EXIT_TIMEOUT},
};

static int exit_of(long status, const char *code)
{
    if (strcmp(code, "no_quorum") == 0)
        return CLI_EXIT_NOQUORUM;
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
        if (exits[i].status == status)
            return exits[i].exit;
    return CLI_EXIT_ERROR;
}

static void advise(const struct cli_run *r, int code, long status, const char *name)
{
    const char *noun = r->verb->noun;
    if (code == CLI_EXIT_NOTFOUND && cli_find_verb(noun, "list"))
        fprintf(stderr, "  see what there is: ccctl %s list\n", noun);
    else if (code == CLI_EXIT_CONFLICT && cli_find_verb(noun, "show") && r->args->n_args > 0)
        fprintf(stderr, "  look at how it is now: ccctl %s show %s\n", noun, r->args->args[0]);
    else if (status == 422 && strcmp(r->verb->verb, "set-state") == 0)
        fprintf(stderr, "  see which states and reasons there are: ccctl agent-state list\n");
    else if (status == 401)
        fprintf(stderr, "  the token is wrong or missing: token_file in the configuration, or CCCTL_TOKEN\n");
    else if (status == 403)
        fprintf(stderr, "  this token may not do that; one with the role admin may\n");
    else if (code == CLI_EXIT_NOQUORUM)
        fprintf(stderr,
                "  nothing can be changed while a majority of the nodes is not reachable: ccctl cluster status\n");
    else if (code == CLI_EXIT_TIMEOUT)
        fprintf(stderr, "  it may have been done or not: look before you try again\n");
    else if (strcmp(name, "busy") == 0)
        fprintf(stderr, "  the cluster has too much to do just now: try again in a moment\n");
}

static void print_safe(const char *before, const char *text, const char *after)
{
    char *safe = cli_out_safe(text);
    fprintf(stderr, "%s%s%s", before, safe ? safe : "?", after);
    free(safe);
}

/* Where in the file the fault is. A body that was made here of arguments and options has no lines that anybody has seen. */
static void print_place(const json_t *p, const struct cli_source *source)
{
    const char *field = json_string_value(json_object_get(p, "field"));
    if (source) {
        json_int_t line = json_integer_value(json_object_get(p, "line"));
        json_int_t column = json_integer_value(json_object_get(p, "column"));
        const char *inside = field ? field : "";
        size_t skip = strlen(source->prefix);
        /* The file is only a part of the body: places are looked up by field, and lines of the body mean nothing. */
        if (skip > 0) {
            line = column = 0;
            if (strncmp(inside, source->prefix, skip) == 0)
                inside += skip + (inside[skip] == '.');
        }
        unsigned l = 0, c = 0;
        if (line == 0 && *inside) {
            (void)yaml_position(source->marks, inside, &l, &c);
            line = (json_int_t)l;
            column = (json_int_t)c;
        }
        if (line > 0)
            fprintf(stderr, "  at %s:%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT "\n", source->file, line, column);
    }
}

/* What is wrong, as a sentence: many reasons are said of a field ("must be 0 to 9"), others stand alone. */
static void print_reason(const json_t *p, const char *reason)
{
    const char *field = json_string_value(json_object_get(p, "field"));
    bool of_field =
        strncmp(reason, "must ", 5) == 0 || strncmp(reason, "is ", 3) == 0 || strncmp(reason, "has ", 4) == 0;
    if (field && *field && of_field)
        print_safe("ccctl: ", field, " ");
    print_safe(field && *field && of_field ? "" : "ccctl: ", reason, "\n");
    if (field && *field && !of_field)
        print_safe("  field ", field, "\n");
}

int cli_run_refused(struct cli_run *r, const struct cli_reply *reply, const struct cli_source *source)
{
    json_t *p = cli_run_parse(reply);
    const char *title = json_string_value(json_object_get(p, "title"));
    const char *detail = json_string_value(json_object_get(p, "detail"));
    const char *name = json_string_value(json_object_get(p, "code"));
    const char *id = json_string_value(json_object_get(p, "request_id"));
    int code = exit_of(reply->status, name ? name : "");
    if (title || detail) {
        print_reason(p, detail && *detail ? detail : title);
        print_place(p, source);
    } else {
        fprintf(stderr, "ccctl: the server answered %ld without saying why\n", reply->status);
    }
    if (reply->status >= 500 && id)
        print_safe("  request ", id, "\n");
    advise(r, code, reply->status, name ? name : "");
    json_decref(p);
    return code;
}

int cli_run_try(struct cli_run *r, const struct cli_http_request *q, struct cli_reply *reply)
{
    struct err_info info = {0};
    *reply = (struct cli_reply){0};
    if (cli_http_do(r->http, q, reply, &info) == 0)
        return CLI_EXIT_OK;
    if (r->stop && *r->stop)
        return CLI_EXIT_OK + 130; /* as a shell says of a program that Ctrl-C ended */
    return cli_run_fault(&info);
}

int cli_run_request(struct cli_run *r, const struct cli_http_request *q, const struct cli_source *source,
                    struct cli_reply *reply)
{
    int rc = cli_run_try(r, q, reply);
    if (rc == CLI_EXIT_OK && (reply->status < 200 || reply->status >= 300)) {
        rc = cli_run_refused(r, reply, source);
        cli_reply_free(reply);
    }
    return rc;
}

int cli_run_get(struct cli_run *r, const char *target, json_t **out, char etag[80])
{
    struct cli_reply reply;
    const struct cli_http_request q = {.method = "GET", .target = target};
    int rc = cli_run_request(r, &q, NULL, &reply);
    if (rc)
        return rc;
    *out = cli_run_parse(&reply);
    if (etag)
        memcpy(etag, reply.etag, sizeof reply.etag);
    if (!*out) {
        fprintf(stderr, "ccctl: what the server answered is not JSON (%s)\n", reply.type);
        rc = CLI_EXIT_ERROR;
    }
    cli_reply_free(&reply);
    return rc;
}

/* ---- target */

char *cli_run_time(const char *s, bool ahead)
{
    char unit = 0, extra = 0;
    unsigned n = 0;
    char *out = NULL;
    time_t at = time(NULL);
    struct tm tm = {.tm_isdst = -1};
    if (sscanf(s, "%u%c%c", &n, &unit, &extra) == 2 && strchr("smhd", unit)) {
        time_t away = (time_t)n * (unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 86400);
        at += ahead ? away : -away;
    } else {
        const char *end = strptime(s, "%Y-%m-%d", &tm);
        if (end && (*end == ' ' || *end == 'T')) {
            const char *clock_text = end + 1;
            end = strptime(clock_text, "%H:%M:%S", &tm);
            if (!end)
                end = strptime(clock_text, "%H:%M", &tm);
        }
        struct tm noon = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday, .tm_hour = 12};
        if (!end || *end || timegm(&noon) == -1 ||
            noon.tm_mday != tm.tm_mday) /* 30 February is refused there, not moved */
            return strdup(s);
        at = mktime(&tm);
    }
    if (!gmtime_r(&at, &tm) || !(out = malloc(32)))
        return NULL;
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return out;
}

static bool append(char **out, const char *text, size_t len)
{
    size_t have = *out ? strlen(*out) : 0;
    char *more = realloc(*out, have + len + 1);
    if (!more)
        return false;
    memcpy(more + have, text, len);
    more[have + len] = 0;
    *out = more;
    return true;
}

static bool add_query(char **out, const char *field, const char *value)
{
    bool is_time = strcmp(field, "from") == 0 || strcmp(field, "to") == 0 || strcmp(field, "at") == 0;
    char *when = is_time ? cli_run_time(value, false) : NULL;
    bool ok = (!is_time || when) && append(out, strchr(*out, '?') ? "&" : "?", 1) &&
              append(out, field, strlen(field)) && append(out, "=", 1) &&
              cli_http_escape(out, when ? when : value) == 0;
    free(when);
    return ok;
}

char *cli_run_target(struct cli_run *r, const char *path)
{
    char *out = NULL;
    bool ok = true, read = r->verb->method == NULL || strcmp(r->verb->method, "GET") == 0;
    while (*path && ok) {
        size_t n = strcspn(path, "{");
        ok = append(&out, path, n);
        path += n;
        if (ok && *path == '{') {
            size_t len = strcspn(path + 1, "}");
            const char *value = cli_args_named(r->args, path + 1, len);
            /* "." and ".." would be taken for steps in the path, and what follows a '/' for another object. */
            if (value && (strspn(value, ".") == strlen(value) || strchr(value, '/'))) {
                fprintf(stderr, "ccctl: \"%s\" cannot be a name\n", value);
                free(out);
                return NULL;
            }
            ok = cli_http_escape(&out, value ? value : "") == 0;
            path += len + 2;
        }
    }
    if (read && r->consistent)
        ok = ok && add_query(&out, "consistent", "true");
    for (unsigned i = 0; i < r->args->n_set && ok && read; i++) {
        const struct cli_option *o = r->args->set[i].option;
        const char *value = r->args->set[i].value;
        if (value && o->type == CLI_BOOL) /* any other word is refused by the node */
            value = strcmp(value, "yes") == 0 ? "true" : strcmp(value, "no") == 0 ? "false" : value;
        if (o->field && value)
            ok = add_query(&out, o->field, value);
    }
    if (ok)
        return out;
    free(out);
    fprintf(stderr, "ccctl: out of memory\n");
    return NULL;
}

/* ---- results */

int cli_run_would(struct cli_run *r, const char *method, const char *target, const json_t *body)
{
    json_t *shown = body ? json_deep_copy(body) : NULL;
    for (unsigned i = 0; i < r->args->n_set; i++) {
        const struct cli_option *o = r->args->set[i].option;
        if ((o->type == CLI_SECRET || o->type == CLI_STDIN) && o->field && json_object_get(shown, o->field) &&
            json_object_set_new(shown, o->field, json_string("(hidden)")) != 0)
            (void)json_object_del(shown, o->field);
    }
    fprintf(r->out.to, "would %s %s\n", method, target);
    int rc = shown ? cli_out_json(&r->out, shown) : 0;
    json_decref(shown);
    return cli_run_printed(rc);
}

int cli_run_done(struct cli_run *r, const json_t *object)
{
    if (r->out.format == CLI_JSON || r->out.format == CLI_CSV)
        return object ? cli_run_printed(cli_out_object(&r->out, object)) : CLI_EXIT_OK;
    for (const char *s = r->verb->done; s && *s;) {
        size_t n = strcspn(s, "{");
        fwrite(s, 1, n, r->out.to);
        s += n;
        if (*s == '{') {
            size_t len = strcspn(s + 1, "}");
            const char *value = cli_args_named(r->args, s + 1, len);
            fputs(value ? value : "", r->out.to);
            s += len + 2;
        }
    }
    if (r->verb->done)
        fputc('\n', r->out.to);
    return CLI_EXIT_OK;
}

/* ---- general verbs */

int cli_run_show(struct cli_run *r)
{
    json_t *object = NULL;
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? cli_run_get(r, target, &object, NULL) : CLI_EXIT_ERROR;
    if (rc == 0)
        rc = cli_run_printed(cli_out_object(&r->out, object));
    json_decref(object);
    free(target);
    return rc;
}

static int append_items(json_t *all, json_t *page, json_int_t limit)
{
    json_t *items = json_object_get(page, "items"), *item;
    size_t i;
    if (!json_is_array(items)) {
        fprintf(stderr, "ccctl: the server's answer is no list\n");
        return CLI_EXIT_ERROR;
    }
    json_array_foreach(items, i, item)
    {
        if (limit && json_array_size(all) >= (size_t)limit)
            break;
        if (json_array_append(all, item) != 0)
            return cli_run_printed(ERR_NOMEM);
    }
    return CLI_EXIT_OK;
}

int cli_run_all(struct cli_run *r, const char *path, json_int_t limit, json_t **out)
{
    char *base = cli_run_target(r, path), *cursor = NULL;
    json_t *all = json_array();
    int rc = base && all ? CLI_EXIT_OK : CLI_EXIT_ERROR;
    do {
        json_t *page = NULL;
        char *target = rc == CLI_EXIT_OK ? strdup(base) : NULL;
        json_int_t left = limit ? limit - (json_int_t)json_array_size(all) : 1000;
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)(left < 1000 ? left : 1000));
        if (!target || !add_query(&target, "limit", number) || (cursor && !add_query(&target, "cursor", cursor)))
            rc = CLI_EXIT_ERROR;
        if (rc == CLI_EXIT_OK)
            rc = cli_run_get(r, target, &page, NULL);
        if (rc == CLI_EXIT_OK)
            rc = append_items(all, page, limit);
        free(target);
        free(cursor);
        const char *next = rc == CLI_EXIT_OK ? json_string_value(json_object_get(page, "next_cursor")) : NULL;
        cursor = next && !(limit && json_array_size(all) >= (size_t)limit) ? strdup(next) : NULL;
        json_decref(page);
    } while (cursor);
    free(base);
    if (rc == CLI_EXIT_OK)
        *out = all;
    else
        json_decref(all);
    return rc;
}

int cli_run_list(struct cli_run *r)
{
    json_int_t limit = 0;
    const char *text = cli_args_value(r->args, "limit");
    json_t *all = NULL;
    if (text && (!cli_run_number(text, &limit) || limit == 0)) {
        fprintf(stderr, "ccctl: --limit \"%s\": expected a number from 1\n", text);
        return CLI_EXIT_USAGE;
    }
    int rc = cli_run_all(r, r->verb->path, limit, &all);
    if (rc == CLI_EXIT_OK) {
        char empty[64];
        snprintf(empty, sizeof empty, "none (%s)", r->verb->summary);
        rc = cli_run_printed(cli_out_list(&r->out, all, r->verb->columns, empty));
    }
    json_decref(all);
    return rc;
}

int cli_run_change(struct cli_run *r)
{
    char *target = cli_run_target(r, r->verb->path), *text = NULL;
    json_t *body = NULL, *object = NULL;
    bool wants_body = r->verb->body || (r->verb->options && strcmp(r->verb->method, "DELETE") != 0);
    int rc = CLI_EXIT_USAGE;
    if (!target)
        return rc;
    if (wants_body && (!(body = cli_run_body(r)) || !(text = json_dumps(body, JSON_COMPACT))))
        goto out;
    if (r->dry_run) {
        rc = cli_run_would(r, r->verb->method, target, body);
        goto out;
    }
    struct cli_reply reply;
    const struct cli_http_request q = {.method = r->verb->method, .target = target, .body = text};
    rc = cli_run_request(r, &q, NULL, &reply);
    if (rc == CLI_EXIT_OK) {
        object = reply.len ? cli_run_parse(&reply) : NULL;
        rc = cli_run_done(r, object);
        cli_reply_free(&reply);
    }
out:
    json_decref(object);
    json_decref(body);
    free(text);
    free(target);
    return rc;
}

/* Change what is there; when nothing is, create it. Somebody else may delete or create in between: then once more. */
static int patch_or_create(struct cli_run *r, const char *target, const char *text, struct cli_reply *reply)
{
    for (int i = 0;; i++) {
        struct cli_http_request q = {
            .method = "PATCH", .target = target, .body = text, .type = "application/merge-patch+json"};
        int rc = cli_run_try(r, &q, reply);
        if (rc || reply->status != 404)
            return rc;
        cli_reply_free(reply);
        q.method = "PUT";
        q.type = NULL;
        q.if_match = "!*";
        rc = cli_run_try(r, &q, reply);
        if (rc || (reply->status != 412 && reply->status != 409) || i == CONFLICT_TRIES)
            return rc;
        cli_reply_free(reply);
    }
}

/* `complete` adds to the body what follows from what was given. */
static int set_object(struct cli_run *r, bool (*complete)(json_t *body))
{
    char *target = cli_run_target(r, r->verb->path), *text = NULL;
    json_t *body = target ? cli_run_body(r) : NULL, *object = NULL;
    int rc = CLI_EXIT_USAGE;
    if (!body || (complete && !complete(body)) || !(text = json_dumps(body, JSON_COMPACT)))
        goto out;
    if (r->dry_run) {
        rc = cli_run_would(r, "PATCH", target, body);
        goto out;
    }
    struct cli_reply reply;
    rc = patch_or_create(r, target, text, &reply);
    if (rc == CLI_EXIT_OK && reply.status >= 300)
        rc = cli_run_refused(r, &reply, NULL);
    else if (rc == CLI_EXIT_OK)
        rc = cli_run_done(r, object = cli_run_parse(&reply));
    cli_reply_free(&reply);
out:
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    json_decref(object);
    json_decref(body);
    free(target);
    return rc;
}

int cli_run_access_number_set(struct cli_run *r)
{
    return set_object(r, cli_run_lead_elsewhere);
}

int cli_run_set(struct cli_run *r)
{
    return set_object(r, NULL);
}

static json_t *members_with(const json_t *old, const char *agent, json_int_t level, bool add, bool *had)
{
    json_t *out = json_array(), *m;
    size_t i;
    *had = false;
    json_array_foreach((json_t *)old, i, m)
    {
        const char *name = json_string_value(json_object_get(m, "agent"));
        bool same = name && strcmp(name, agent) == 0;
        *had = *had || same;
        json_t *keep = same && add ? json_pack("{s:s,s:I}", "agent", agent, "level", level)
                       : same      ? NULL
                                   : json_incref(m);
        if (keep && json_array_append_new(out, keep) != 0)
            return json_decref(out), NULL;
    }
    if (add && !*had && json_array_append_new(out, json_pack("{s:s,s:I}", "agent", agent, "level", level)) != 0)
        return json_decref(out), NULL;
    return out;
}

int cli_run_edit(struct cli_run *r, bool create, cli_edit_fn *edit, void *ctx)
{
    char *target = cli_run_target(r, r->verb->path);
    int rc = target ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    for (int i = 0; i < CONFLICT_TRIES && target; i++) {
        json_t *now = NULL, *body = NULL, *object = NULL;
        char etag[80] = "", *text = NULL;
        bool again = false;
        struct cli_reply reply = {0};
        const struct cli_http_request get = {.method = "GET", .target = target};
        rc = cli_run_try(r, &get, &reply);
        if (rc == CLI_EXIT_OK && reply.status >= 300 && !(create && reply.status == 404))
            rc = cli_run_refused(r, &reply, NULL);
        if (rc == CLI_EXIT_OK && reply.status < 300) {
            now = cli_run_parse(&reply);
            memcpy(etag, reply.etag, sizeof etag);
        }
        cli_reply_free(&reply);
        reply = (struct cli_reply){0};
        if (rc == CLI_EXIT_OK)
            rc = edit(r, ctx, now, &body);
        const char *method = now ? "PATCH" : "PUT";
        if (rc == CLI_EXIT_OK && r->dry_run) {
            rc = cli_run_would(r, method, target, body);
        } else if (rc == CLI_EXIT_OK) {
            text = json_dumps(body, JSON_COMPACT);
            const struct cli_http_request q = {.method = method,
                                               .target = target,
                                               .body = text ? text : "{}",
                                               .type = now ? "application/merge-patch+json" : NULL,
                                               .if_match = !now      ? "!*"
                                                           : etag[0] ? etag
                                                                     : NULL};
            rc = cli_run_try(r, &q, &reply);
            again = rc == CLI_EXIT_OK && reply.status == 412 && i + 1 < CONFLICT_TRIES;
            if (rc == CLI_EXIT_OK && reply.status >= 300 && !again)
                rc = cli_run_refused(r, &reply, NULL);
            else if (rc == CLI_EXIT_OK && !again)
                rc = cli_run_done(r, object = cli_run_parse(&reply));
            cli_reply_free(&reply);
        }
        json_decref(now);
        json_decref(body);
        json_decref(object);
        free(text);
        if (!again)
            break;
    }
    free(target);
    return rc;
}

struct member_edit {
    json_int_t level;
    bool add;
};

static int edit_members(struct cli_run *r, void *ctx, const json_t *queue, json_t **body)
{
    const struct member_edit *m = ctx;
    const char *agent = r->args->args[1];
    bool had = false;
    json_t *members = members_with(json_object_get(queue, "members"), agent, m->level, m->add, &had);
    *body = json_pack("{s:o}", "members", members);
    if (m->add || had)
        return *body ? CLI_EXIT_OK : cli_run_printed(ERR_NOMEM);
    fprintf(stderr, "ccctl: agent %s is no member of queue %s\n", agent, r->args->args[0]);
    return CLI_EXIT_NOTFOUND;
}

static int change_members(struct cli_run *r, bool add)
{
    const char *text_level = cli_args_value(r->args, "level");
    struct member_edit m = {.add = add};
    if (text_level && !cli_run_number(text_level, &m.level)) {
        fprintf(stderr, "ccctl: --level \"%s\": expected a number from 0 to 9\n", text_level);
        return CLI_EXIT_USAGE;
    }
    return cli_run_edit(r, false, edit_members, &m);
}

int cli_run_add_member(struct cli_run *r)
{
    return change_members(r, true);
}

int cli_run_remove_member(struct cli_run *r)
{
    return change_members(r, false);
}
