/* The configuration as a whole: export, what applying a document would change, and applying it in one command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "core/refs.h"

/* ---- export */

struct export
{
    json_t *list;
    bool flow;
};

static int export_one(void *ctx, const char *name, uint64_t version, const Ev__ConfigObject *o)
{
    struct export *e = ctx;
    (void)name;
    (void)version;
    json_t *j = api_object_json(o, false);
    if (e->flow && j) {
        json_t *def = json_incref(json_object_get(j, "definition"));
        json_decref(j);
        j = def;
    }
    return json_array_append_new(e->list, j) ? ERR_NOMEM : 0;
}

static bool wants_yaml(const struct api_request *q, struct err_info *info)
{
    const char *format = api_query(q, "format");
    if (!format)
        return strstr(q->accept, "yaml") != NULL;
    if (strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0)
        err_set(info, ERR_INVAL, "format", "must be json or yaml");
    return strcmp(format, "yaml") == 0;
}

void api_export_config(struct api_request *q)
{
    struct err_info info = {.code = 0};
    bool yaml = wants_yaml(q, &info);
    if (info.code) {
        api_fail_status(q, 400, &info);
        return;
    }
    int err = storage_reader_begin(q->s->reader, &q->index);
    if (err) {
        api_fail_code(q, err, NULL, "the database cannot be read");
        return;
    }
    json_t *doc = json_object();
    if (!doc)
        err = ERR_NOMEM;
    for (size_t i = 0; !err && i < API_KINDS; i++) {
        struct export e = {.list = json_array(), .flow = api_kinds[i].which == EV__CONFIG_OBJECT__OBJECT_FLOW};
        err = e.list ? api_stored_all(q->s, api_kinds[i].kind, export_one, &e) : ERR_NOMEM;
        if (json_object_set_new(doc, api_kinds[i].list, e.list) != 0)
            err = ERR_NOMEM;
    }
    storage_reader_end(q->s->reader);
    if (err) {
        json_decref(doc);
        api_fail_code(q, err, NULL, "%s", err_text(err));
        return;
    }
    if (!yaml) {
        api_reply(q, 200, doc);
        return;
    }
    char *text = api_yaml_write(doc);
    json_decref(doc);
    if (text)
        api_reply_text(q, 200, "application/yaml", text, strlen(text));
    else
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}

/* ---- the plan: the document's objects with what is there now */

struct plan {
    struct api_request *q;
    struct api_document *doc;
    struct map wanted[API_KINDS]; /* name -> struct api_object of the document */
    struct map
        present[API_KINDS]; /* name -> struct api_object: what stays although the document does not name it, or goes */
    struct api_object **removed;
    size_t n_removed;
    const struct api_object **sent; /* of the command, in its order */
    size_t n_sent;
    bool prune, dry_run;
};

static void plan_free(void *state)
{
    struct plan *p = state;
    for (size_t i = 0; i < API_KINDS; i++) {
        const struct map_slot *slot;
        for (size_t it = 0; map_next(&p->present[i], &it, &slot);) {
            struct api_object *ob = slot->value;
            ev__config_object__free_unpacked(ob->before, NULL);
            free(ob);
        }
        map_free(&p->present[i]);
        map_free(&p->wanted[i]);
    }
    free(p->removed);
    free(p->sent);
    api_document_free(p->doc);
    free(p);
}

struct loading {
    struct plan *p;
    size_t kind;
};

static Ev__ConfigObject *copy_of(const Ev__ConfigObject *o)
{
    size_t n = ev__config_object__get_packed_size(o);
    uint8_t *buf = malloc(n + 1);
    if (!buf)
        return NULL;
    (void)ev__config_object__pack(o, buf);
    Ev__ConfigObject *c = ev__config_object__unpack(NULL, n, buf);
    free(buf);
    return c;
}

static int load_one(void *ctx, const char *name, uint64_t version, const Ev__ConfigObject *o)
{
    const struct loading *l = ctx;
    Ev__ConfigObject *copy = copy_of(o);
    if (!copy)
        return ERR_NOMEM;
    struct api_object *ob = map_get(&l->p->wanted[l->kind], name);
    if (ob) {
        ob->before = copy;
        ob->version = version;
        return 0;
    }
    ob = calloc(1, sizeof *ob);
    if (!ob || map_set(&l->p->present[l->kind], name, ob)) {
        free(ob);
        ev__config_object__free_unpacked(copy, NULL);
        return ERR_NOMEM;
    }
    ob->kind = &api_kinds[l->kind];
    ob->before = copy;
    ob->version = version;
    return 0;
}

static int load_present(struct plan *p)
{
    for (size_t i = 0; i < p->doc->n; i++) {
        struct api_object *ob = &p->doc->objects[i];
        if (map_set(&p->wanted[ob->kind - api_kinds], api_object_key(ob->o), ob))
            return ERR_NOMEM;
    }
    int err = storage_reader_begin(p->q->s->reader, &p->q->index);
    if (err)
        return err;
    for (size_t i = 0; !err && i < API_KINDS; i++) {
        struct loading l = {.p = p, .kind = i};
        err = api_stored_all(p->q->s, api_kinds[i].kind, load_one, &l);
    }
    storage_reader_end(p->q->s->reader);
    return err;
}

static int by_kind_and_name(const void *a, const void *b)
{
    const struct api_object *x = *(struct api_object *const *)a, *y = *(struct api_object *const *)b;
    if (x->kind != y->kind)
        return x->kind > y->kind ? -1 : 1; /* what refers to others goes before them */
    return strcmp(api_object_key(x->before), api_object_key(y->before));
}

static int find_removed(struct plan *p)
{
    size_t n = 0;
    for (size_t i = 0; p->prune && i < API_KINDS; i++)
        n += p->doc->has_kind[i] ? map_count(&p->present[i]) : 0;
    p->removed = calloc(n + 1, sizeof(struct api_object *));
    if (!p->removed)
        return ERR_NOMEM;
    for (size_t i = 0; n && i < API_KINDS; i++) {
        const struct map_slot *slot;
        for (size_t it = 0; p->doc->has_kind[i] && map_next(&p->present[i], &it, &slot);)
            p->removed[p->n_removed++] = slot->value;
    }
    qsort(p->removed, p->n_removed, sizeof(struct api_object *), by_kind_and_name);
    return 0;
}

static bool goes(const struct plan *p, size_t kind)
{
    return p->prune && p->doc->has_kind[kind];
}

/* Whether there will be such an object afterwards. */
static bool exists_after(void *ctx, const char *kind, const char *name)
{
    const struct plan *p = ctx;
    const struct api_kind *k = api_kind_of(kind);
    if (!k)
        return false;
    size_t i = (size_t)(k - api_kinds);
    return map_get(&p->wanted[i], name) || (!goes(p, i) && map_get(&p->present[i], name));
}

static void at_object(struct err_info *info, const struct api_object *ob)
{
    const char *rest = info->field;
    if (ob->kind->which == EV__CONFIG_OBJECT__OBJECT_FLOW && strncmp(rest, "definition.", 11) == 0)
        rest += 11;
    char field[ERR_INFO_FIELD_MAX + 80];
    snprintf(field, sizeof field, "%s%s%s", ob->path, rest[0] ? "." : "", rest);
    memcpy(info->field, field, sizeof info->field - 1);
    info->field[sizeof info->field - 1] = '\0';
}

struct user {
    struct refs_users *users;
    enum cfg_kind kind;
    const char *name;
};

static int add_user(void *ctx, const struct ref *r)
{
    const struct user *u = ctx;
    refs_users_add(u->users, u->kind, u->name, r);
    return 0;
}

static int add_users(struct refs_users *users, const Ev__ConfigObject *o)
{
    struct user u = {.users = users};
    const ProtobufCMessage *m = config_object(o, &u.kind);
    u.name = m ? config_key(u.kind, m) : "";
    return m && refs_users_concerns(users, u.kind) ? refs_each(u.kind, m, add_user, &u) : 0;
}

static bool there_after(void *ctx, enum cfg_kind kind, const char *name)
{
    const struct plan *p = ctx;
    const struct api_backend *be = &p->q->s->be;
    return exists_after(ctx, config_kind_name(kind), name) ||
           (kind == CFG_PROMPT && be->prompt_exists(be->ctx, "", name));
}

/* Whatever will be there: the document's objects, and what stays beside them. */
static int find_users(struct plan *p, struct refs_users *users)
{
    int err = 0;
    for (size_t i = 0; i < p->n_removed && !err; i++)
        err = refs_users_goes(users, config_kind(p->removed[i]->kind->kind), api_object_key(p->removed[i]->before));
    for (size_t i = 0; i < p->doc->n && !err; i++)
        err = add_users(users, p->doc->objects[i].o);
    for (size_t i = 0; i < API_KINDS && !err; i++) {
        const struct map_slot *slot;
        for (size_t it = 0; !goes(p, i) && !err && map_next(&p->present[i], &it, &slot);)
            err = add_users(users, ((const struct api_object *)slot->value)->before);
    }
    return err;
}

/* What goes must not be named by what will be there. Apply looks again; this is what a dry run says. */
static int check_removed(struct plan *p, struct err_info *info)
{
    const struct refs_after after = {there_after, p};
    struct refs_users *users = NULL;
    char text[REFS_TEXT_MAX];
    int err = p->n_removed ? refs_users_new(&after, &users) : 0;
    if (!err && users)
        err = find_users(p, users);
    if (err)
        err_set(info, err, "", "out of memory");
    for (size_t i = 0; i < p->n_removed && !err; i++) {
        const struct api_object *ob = p->removed[i];
        if (refs_users_of(users, config_kind(ob->kind->kind), api_object_key(ob->before), REFS_NAMED, text))
            err = err_set(info, ERR_CONFLICT, "", "%s; nothing was applied", text);
    }
    refs_users_free(users);
    return err;
}

static int check_references(struct plan *p, struct err_info *info)
{
    for (size_t i = 0; i < p->doc->n; i++) {
        const struct api_object *ob = &p->doc->objects[i];
        int err = api_references_check(&p->q->s->be, ob->o, exists_after, p, info);
        if (err) {
            at_object(info, ob);
            return err;
        }
    }
    return check_removed(p, info);
}

/* ---- saying what changes */

static bool unchanged(const struct api_object *ob)
{
    return ob->o && ob->before && api_object_equal(ob->o, ob->before);
}

static json_t *shown(const Ev__ConfigObject *o)
{
    return o ? api_object_json(o, true) : json_null();
}

/* As it will be: a secret that is not given stays, "-" removes it. */
static json_t *shown_after(const struct api_object *ob)
{
    static const char *const names[] = {"ha1_md5", "ha1_sha256", "sha256", "value"};
    json_t *after = shown(ob->o), *before = shown(ob->before);
    bool value = ob->o && ob->o->object_case == EV__CONFIG_OBJECT__OBJECT_SECRET; /* of other kinds it is none */
    for (size_t i = 0; i < sizeof names / sizeof names[0] - !value; i++) {
        const json_t *now = json_object_get(after, names[i]);
        json_t *was = json_object_get(before, names[i]);
        const char *removed =
            ob->o && ob->o->object_case == EV__CONFIG_OBJECT__OBJECT_EXTENSION ? ob->o->extension->ha1_md5 : "";
        if (now && strcmp(removed, "-") == 0)
            (void)json_object_set_new(after, names[i], json_string(""));
        else if (now && was && json_string_length(now) == 0)
            (void)json_object_set(after, names[i], was);
    }
    json_decref(before);
    return after;
}

static json_t *change_row(const struct api_object *ob)
{
    const char *action = !ob->o ? "delete" : !ob->before ? "create" : unchanged(ob) ? "unchanged" : "update";
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "kind", ob->kind->kind, "name",
                     api_object_key(ob->o ? ob->o : ob->before), "action", action, "before", shown(ob->before), "after",
                     shown_after(ob));
}

static json_t *changes_of(const struct plan *p)
{
    json_t *list = json_array();
    int err = list ? 0 : ERR_NOMEM;
    for (size_t i = 0; !err && i < p->doc->n; i++)
        err = json_array_append_new(list, change_row(&p->doc->objects[i]));
    for (size_t i = 0; !err && i < p->n_removed; i++)
        err = json_array_append_new(list, change_row(p->removed[i]));
    if (err) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static void answer_changes(struct api_request *q, const struct plan *p, json_t *changes)
{
    if (!changes)
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
    else
        api_reply(
            q, 200,
            json_pack("{s:b, s:I, s:o}", "dry_run", p->dry_run, "index", (json_int_t)q->index, "changes", changes));
}

/* ---- doing it */

static Ev__ConfigRef *ref_of(const struct api_object *ob)
{
    Ev__ConfigRef *r = malloc(sizeof *r);
    if (!r)
        return NULL;
    ev__config_ref__init(r);
    r->kind = mem_strdup(ob->kind->kind);
    r->name = mem_strdup(api_object_key(ob->before));
    r->if_version = ob->version;
    if (!r->kind || !r->name) {
        ev__config_ref__free_unpacked(r, NULL);
        return NULL;
    }
    return r;
}

/* Only what changes, and only if it still is as it was looked at. NULL: out of memory. */
static Ev__Command *command_of(struct plan *p)
{
    Ev__Command *cmd = api_config_command(p->doc->n, p->n_removed);
    if (!cmd)
        return NULL;
    Ev__ConfigApply *a = cmd->config_apply;
    p->sent = calloc(p->doc->n + 1, sizeof *p->sent);
    bool bad = !p->sent;
    for (size_t i = 0; !bad && i < p->doc->n; i++) {
        const struct api_object *ob = &p->doc->objects[i];
        if (unchanged(ob))
            continue;
        Ev__ConfigObject *o = copy_of(ob->o);
        bad = o == NULL;
        if (bad)
            break;
        o->if_version = ob->version;
        o->create_only = ob->before == NULL;
        a->set[a->n_set++] = o;
        p->sent[p->n_sent++] = ob;
    }
    for (size_t i = 0; !bad && i < p->n_removed; i++) {
        a->remove[a->n_remove] = ref_of(p->removed[i]);
        bad = a->remove[a->n_remove] == NULL;
        a->n_remove += !bad;
    }
    if (bad || api_config_built_in(p->q, a)) {
        ev__command__free_unpacked(cmd, NULL);
        return NULL;
    }
    return cmd;
}

/* Apply names fields by "set[1].level" or "queue/service.members[0].agent": where that stands in the document. */
static void place_in_document(const struct plan *p, const char *field, struct err_info *info)
{
    size_t i = 0;
    int used = 0;
    const struct api_object *ob = NULL;
    snprintf(info->field, sizeof info->field, "%s", field);
    if (sscanf(field, "set[%zu]%n", &i, &used) == 1 && used && i < p->n_sent)
        ob = p->sent[i];
    for (size_t k = 0; !ob && k < p->doc->n; k++) {
        char own[160];
        int n = snprintf(own, sizeof own, "%s/%s", p->doc->objects[k].kind->kind, api_object_key(p->doc->objects[k].o));
        if (n > 0 && strncmp(field, own, (size_t)n) == 0 && (field[n] == '.' || field[n] == '\0')) {
            ob = &p->doc->objects[k];
            used = n;
        }
    }
    if (!ob)
        return;
    const char *rest = field + used + (field[used] == '.');
    snprintf(info->field, sizeof info->field, "%s", rest);
    at_object(info, ob);
    yaml_locate(p->doc->marks, info);
}

static void on_applied(struct api_request *q, const struct api_result *r)
{
    struct plan *p = q->state;
    if (r->code == 0) {
        answer_changes(q, p, changes_of(p));
        return;
    }
    struct err_info info;
    err_set(&info, r->code == ERR_EXISTS ? ERR_CONFLICT : r->code, "", "%s; nothing was applied",
            r->text && r->text[0] ? r->text : err_text(r->code));
    place_in_document(p, r->field ? r->field : "", &info);
    api_fail(q, &info);
}

/* ---- a repetition: the first answer, as the audit trail has it */

struct replay {
    json_t *changed; /* what apply said: kind, name, action */
    json_t *list;
};

static json_t *json_or_null(const char *text)
{
    json_t *j = text[0] ? json_loads(text, 0, NULL) : NULL;
    return j ? j : json_null();
}

static int replay_row(void *ctx, const struct storage_row *row)
{
    struct replay *r = ctx;
    size_t i;
    json_t *c;
    json_array_foreach(r->changed, i, c)
    {
        const char *kind = json_string_value(json_object_get(c, "kind")),
                   *name = json_string_value(json_object_get(c, "name"));
        const char *done = json_string_value(json_object_get(c, "action"));
        char object[192], action[40];
        snprintf(object, sizeof object, "%s/%s", kind ? kind : "", name ? name : "");
        snprintf(action, sizeof action, "config.%s", done ? done : "");
        if (!kind || !name || !done || strcmp(object, storage_row_text(row, 1)) != 0 ||
            strcmp(action, storage_row_text(row, 0)) != 0)
            continue;
        const char *verb = done[0] == 'c' ? "create" : done[0] == 'u' ? "update" : "delete";
        return json_array_append_new(r->list,
                                     json_pack("{s:s, s:s, s:s, s:o, s:o}", "kind", kind, "name", name, "action", verb,
                                               "before", json_or_null(storage_row_text(row, 2)), "after",
                                               json_or_null(storage_row_text(row, 3))))
                   ? ERR_NOMEM
                   : 0;
    }
    return 0;
}

static void answer_replay(struct api_request *q, const struct api_posted *before)
{
    q->index = before->index;
    if (before->code) {
        api_fail_code(q, before->code, before->field, "%s", before->text);
        return;
    }
    json_t *said = before->json_text ? json_loads(before->json_text, 0, NULL) : NULL;
    struct replay r = {.changed = json_object_get(said, "changed"), .list = json_array()};
    struct storage_val v = storage_int(before->index);
    int err = r.list ? storage_reader_query(q->s->reader,
                                            "SELECT action, object, before, after FROM audit WHERE idx=? ORDER BY n",
                                            &v, 1, replay_row, &r)
                     : ERR_NOMEM;
    json_decref(said);
    if (err) {
        json_decref(r.list);
        api_fail_code(q, err, NULL, "%s", err_text(err));
        return;
    }
    api_reply(q, 200,
              json_pack("{s:b, s:I, s:o}", "dry_run", 0, "index", (json_int_t)before->index, "changes", r.list));
}

static struct plan *make_plan(struct api_request *q, bool dry_run)
{
    struct err_info info = {.code = 0};
    struct plan *p = calloc(1, sizeof *p);
    if (!p) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return NULL;
    }
    q->state = p;
    q->state_free = plan_free;
    p->q = q;
    int err = api_query_bool(q, "prune", &p->prune, &info);
    bool dry = false;
    if (!err && strstr(q->route->query, "dry_run"))
        err = api_query_bool(q, "dry_run", &dry, &info);
    p->dry_run = dry || dry_run;
    if (!err && q->body_len == 0)
        err = err_set(&info, ERR_INVAL, "", "a body is needed");
    if (err) {
        api_fail_status(q, 400, &info);
        return NULL;
    }
    bool yaml = strstr(q->content_type, "yaml") != NULL, unreadable = false;
    err = api_document_read(q->s->realm, q->body, q->body_len, yaml, &unreadable, &p->doc, &info);
    if (err) { /* a text that cannot be read is another thing than one that says something wrong */
        api_fail_status(q, unreadable ? 400 : api_status_of(err), &info);
        return NULL;
    }
    err = load_present(p);
    if (!err)
        err = find_removed(p);
    if (err) {
        api_fail_code(q, err, NULL, "%s", err_text(err));
        return NULL;
    }
    if (check_references(p, &info)) {
        yaml_locate(p->doc->marks, &info);
        api_fail(q, &info);
        return NULL;
    }
    return p;
}

void api_diff_config(struct api_request *q)
{
    struct plan *p = make_plan(q, true);
    if (p)
        answer_changes(q, p, changes_of(p));
}

void api_apply_config(struct api_request *q)
{
    struct api_posted before;
    if (api_replayed(q, &before)) {
        answer_replay(q, &before);
        free(before.json_text);
        return;
    }
    struct plan *p = make_plan(q, false);
    if (!p)
        return;
    bool any = p->n_removed > 0;
    for (size_t i = 0; !any && i < p->doc->n; i++)
        any = !unchanged(&p->doc->objects[i]);
    if (!any || p->dry_run)
        answer_changes(q, p, changes_of(p));
    else
        api_command(q, command_of(p), on_applied);
}
