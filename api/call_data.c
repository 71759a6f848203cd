/* What is known about a caller: PATCH of a live call. Reading it: rows.c. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"

bool api_check_data(struct api_request *q, const json_t *data)
{
    const char *name;
    json_t *one;
    if (data && !json_is_object(data)) {
        api_fail_code(q, ERR_INVAL, "data", "must be an object");
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)data, name, one)
    {
        if (json_is_string(one) || json_is_null(one))
            continue;
        api_fail_code(q, ERR_INVAL, "data", "%.64s must be text, or null to remove it", name);
        return false;
    }
    return true;
}

/* Answers what is wrong. */
static bool check(struct api_request *q)
{
    const char *key;
    json_t *value;
    json_object_foreach(q->json, key, value)
    {
        bool data = strcmp(key, "data") == 0, marked = strcmp(key, "marked") == 0,
             text = strcmp(key, "customer") == 0 || strcmp(key, "notes") == 0;
        const char *wrong = !data && !text && !marked           ? "unknown field"
                            : marked && !json_is_boolean(value) ? "must be true or false"
                            : text && !json_is_string(value)    ? "must be text"
                                                                : NULL;
        if (wrong) {
            api_fail_code(q, ERR_INVAL, key, "%s", wrong);
            return false;
        }
    }
    if (!api_check_data(q, json_object_get(q->json, "data")))
        return false;
    if (json_object_size(q->json))
        return true;
    api_fail_code(q, ERR_INVAL, "data", "one of customer, notes, marked, data is required");
    return false;
}

static Ev__CallDatum *datum(const char *name, const json_t *value)
{
    Ev__CallDatum *d = malloc(sizeof *d);
    if (!d)
        return NULL;
    ev__call_datum__init(d);
    const char *text = json_string_value(value);
    d->remove = !text;
    d->name = mem_strdup(name);
    d->value = mem_strdup(text ? text : "");
    if (d->name && d->value)
        return d;
    ev__call_datum__free_unpacked(d, NULL);
    return NULL;
}

bool api_fill_call_data(Ev__CallData *m, const json_t *body)
{
    const json_t *customer = json_object_get(body, "customer"), *notes = json_object_get(body, "notes"),
                 *marked = json_object_get(body, "marked");
    json_t *data = json_object_get(body, "data"), *value;
    const char *name;
    m->has_customer = customer != NULL;
    m->has_notes = notes != NULL;
    m->has_marked = marked != NULL;
    m->marked = json_is_true(marked);
    m->customer = mem_strdup(customer ? json_string_value(customer) : "");
    m->notes = mem_strdup(notes ? json_string_value(notes) : "");
    m->data = json_object_size(data) ? malloc(json_object_size(data) * sizeof *m->data) : NULL;
    if (!m->customer || !m->notes || (json_object_size(data) && !m->data))
        return false;
    json_object_foreach(data, name, value)
    {
        Ev__CallDatum *d = datum(name, value);
        if (!d)
            return false;
        m->data[m->n_data++] = d;
    }
    return true;
}

void api_patch_call(struct api_request *q)
{
    uint64_t id; /* whether it is there is for apply to say, which knows repetitions of what was done */
    if (!check(q) || !api_path_id(q, &id))
        return;
    Ev__Command *cmd = api_command_new(EV__COMMAND__BODY_CALL_DATA);
    Ev__CallData *m = cmd ? malloc(sizeof *m) : NULL;
    if (m) {
        ev__call_data__init(m);
        cmd->call_data = m;
        m->call_id = id;
        if (api_fill_call_data(m, q->json)) {
            api_command(q, cmd, api_on_call_done);
            return;
        }
        ev__command__free_unpacked(cmd, NULL);
    } else {
        free(cmd);
    }
    api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
}
