/* What goes with a call, whoever has it: who the caller is in a business system (the customer), what people have noted, and named texts.
 *
 *   a flow's variables (CallMenu) ──┐
 *   CallData of a person or program ┴──► CallState ──► queue, transfer, call back, whoever is rung; in the end the record
 *
 * It belongs to the call and not to its phase: nothing has to be handed over. Of two that say different things the later one counts. Secret variables
 * of flows are not among what a flow tells, and so never here. All of it is bounded: what a person asks for beyond that is refused, what
 * a flow says beyond that is left out, name by name in their order. Level 4. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"

#define DATA_MAX 64u
#define DATA_NAME_MAX 64u /* with the NUL */
#define DATA_VALUE_MAX 1000u
#define DATA_BYTES_MAX 16384u /* of all, as JSON text */
#define DATA_NOTES_MAX 2000u
#define CUSTOMER "customer"

static json_t *known(const Ev__CallState *s)
{
    json_t *o = s->data[0] ? json_loads(s->data, 0, NULL) : json_object();
    if (!o)
        core_oom(); /* it is what we have written */
    return o;
}

static char *text_of(const json_t *o)
{
    char *text = json_object_size(o) ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : strdup("");
    if (!text)
        core_oom();
    return text;
}

static bool fits(const json_t *o)
{
    return json_object_size(o) <= DATA_MAX && json_dumpb(o, NULL, 0, JSON_COMPACT) <= DATA_BYTES_MAX;
}

static void keep(Ev__CallState *s, json_t *o)
{
    char *text = text_of(o);
    core_pbset(&s->data, text);
    free(text);
    json_decref(o);
}

static bool set(json_t *o, const char *name, const char *value)
{
    json_t *text = json_string(value); /* none: this is no UTF-8 */
    return text && json_object_set_new(o, name, text) == 0;
}

static bool name_ok(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return core_fits(s, DATA_NAME_MAX) && strspn(s, letters) == strlen(s) && strcmp(s, CUSTOMER) != 0;
}

/* ---- from flows */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void learn(json_t *o, const char *name, const char *value)
{
    json_t *before = json_incref(json_object_get(o, name));
    if (!name_ok(name) || strlen(value) > DATA_VALUE_MAX || !set(o, name, value) || !fits(o)) {
        if (before)
            (void)json_object_set(o, name, before);
        else
            (void)json_object_del(o, name);
    }
    json_decref(before);
}

void core_data_learn(Ev__CallState *s, const char *variables)
{
    json_t *said = variables[0] ? json_loads(variables, 0, NULL) : NULL, *value;
    size_t n = json_object_size(said), i = 0;
    const char **names = n ? core_alloc(n * sizeof *names) : NULL, *name;
    json_t *o = n ? known(s) : NULL;
    json_object_foreach(said, name, value) names[i++] = name;
    if (n)
        qsort(names, n, sizeof *names, by_name);
    for (i = 0; i < n; i++) {
        const char *text = json_string_value(json_object_get(said, names[i]));
        if (text && strcmp(names[i], CUSTOMER) == 0 && core_fits(text, CORE_NAME_MAX))
            core_pbset(&s->customer, text);
        else if (text)
            learn(o, names[i], text);
    }
    if (o)
        keep(s, o);
    free(names);
    json_decref(said);
}

void core_data_copy(Ev__CallState *to, const Ev__CallState *from)
{
    core_pbset(&to->customer, from->customer);
    core_pbset(&to->notes, from->notes);
    core_pbset(&to->data, from->data);
}

void core_data_gain(Ev__CallState *to, const Ev__CallState *from)
{
    json_t *o = from->data[0] ? known(to) : NULL, *said = o ? known(from) : NULL;
    const char *name;
    json_t *value;
    if (!to->customer[0])
        core_pbset(&to->customer, from->customer);
    if (!to->notes[0])
        core_pbset(&to->notes, from->notes);
    json_object_foreach(said, name, value)
    {
        if (json_object_get(o, name))
            continue;
        if (json_object_set(o, name, value) != 0)
            core_oom();
        if (!fits(o))
            (void)json_object_del(o, name);
    }
    json_decref(said);
    if (o)
        keep(to, o);
}

/* ---- CallData */

static int change(struct core *c, json_t *o, const Ev__CallDatum *d)
{
    if (!name_ok(d->name))
        return core_refuse(c, ERR_INVAL, "data",
                           "a name has 1 to %u letters, digits, \"_.-\", and is not \"" CUSTOMER "\"",
                           DATA_NAME_MAX - 1);
    if (d->remove) {
        (void)json_object_del(o, d->name);
        return 0;
    }
    if (strlen(d->value) > DATA_VALUE_MAX)
        return core_refuse(c, ERR_TOOBIG, "data", "%.63s: at most %u bytes", d->name, DATA_VALUE_MAX);
    return set(o, d->name, d->value) ? 0 : core_refuse(c, ERR_INVAL, "data", "%.63s: must be UTF-8", d->name);
}

static int check_texts(struct core *c, const Ev__CallData *m)
{
    if (m->has_customer && strlen(m->customer) >= CORE_NAME_MAX)
        return core_refuse(c, ERR_TOOBIG, CUSTOMER, "at most %u bytes", CORE_NAME_MAX - 1);
    if (m->has_notes && strlen(m->notes) > DATA_NOTES_MAX)
        return core_refuse(c, ERR_TOOBIG, "notes", "at most %u bytes", DATA_NOTES_MAX);
    return 0;
}

int core_data_say(struct core *c, Ev__CallState *s, const Ev__CallData *m)
{
    int err = check_texts(c, m);
    if (err)
        return err;
    json_t *o = known(s);
    for (size_t i = 0; i < m->n_data && !err; i++)
        err = change(c, o, m->data[i]);
    if (!err && !fits(o))
        err = core_refuse(c, ERR_TOOBIG, "data", "at most %u texts, %u bytes in all", DATA_MAX, DATA_BYTES_MAX);
    if (err) {
        json_decref(o);
        return err;
    }
    keep(s, o);
    if (m->has_customer)
        core_pbset(&s->customer, m->customer);
    if (m->has_notes)
        core_pbset(&s->notes, m->notes);
    return 0;
}

/* Whoever takes part in a call has what it has, whichever of their calls it was said of. */
int core_call_data(struct core *c, const Ev__CallData *m)
{
    struct call *k = core_call_obj(c, m->call_id), *main = k ? core_join_main(c, k) : NULL;
    c->ans->call_id = m->call_id;
    if (!k)
        return core_refuse(c, ERR_NOTFOUND, "call_id", "there is no such call");
    main = main ? main : k;
    int err = core_data_say(c, main->st, m);
    if (err)
        return err;
    if (m->has_marked)
        k->st->marked = m->marked;
    core_call_touch(c, main);
    list_foreach(it, &main->parties) {
        struct call *one = list_entry(it, struct call, party);
        core_data_copy(one->st, main->st);
        core_call_touch(c, one);
    }
    (void)core_ev_call_begin(c, "call.data", k);
    core_data_kv(&c->events, k->st);
    core_ev_end(c);
    return 0;
}

void core_data_kv(struct sbuf *b, const Ev__CallState *s)
{
    if (s->customer[0])
        sbuf_kv(b, CUSTOMER, s->customer);
    if (s->notes[0])
        sbuf_kv(b, "notes", s->notes);
    if (s->marked)
        sbuf_puts(b, ",\"marked\":true");
    if (s->data[0]) {
        sbuf_puts(b, ",\"data\":");
        sbuf_puts(b, s->data);
    }
}
