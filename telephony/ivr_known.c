/* What is known of the caller (core_data.c), as flows read it: "data.NAME", and "data.customer" for his key in a business system. Nothing here
 * sets it: what a flow sets are its variables, which become part of what is known by the commit of its next node. */
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_int.h"

#define KNOWN_CUSTOMER "customer"

/* Values as a variable keeps them. NULL: out of memory, or no object of texts. */
static json_t *known_read(const char *customer, const char *data)
{
    json_t *said = data[0] ? json_loads(data, 0, NULL) : json_object(), *out = json_object(), *value;
    const char *name;
    char room[IVR_VALUE_MAX];
    bool good = said && out;
    json_object_foreach(said, name, value)
    {
        (void)ivr_value_copy(room, sizeof room, json_is_string(value) ? json_string_value(value) : "");
        good = good && json_object_set_new(out, name, json_string(room)) == 0;
    }
    (void)ivr_value_copy(room, sizeof room, customer);
    good = good && json_object_set_new(out, KNOWN_CUSTOMER, json_string(room)) == 0;
    json_decref(said);
    if (good)
        return out;
    json_decref(out);
    return NULL;
}

int ivr_run_know(struct ivr_run *r, const char *customer, const char *data)
{
    customer = customer ? customer : "";
    data = data ? data : "";
    bool same = r->known && strcmp(r->known_data, data) == 0 &&
                strcmp(json_string_value(json_object_get(r->known, KNOWN_CUSTOMER)), customer) == 0;
    if (same || (!r->known && !customer[0] && !data[0]))
        return 0;
    json_t *known = known_read(customer, data);
    char *text = strdup(data);
    if (!known || !text) {
        json_decref(known);
        free(text);
        return ERR_NOMEM;
    }
    ivr_known_free(r);
    r->known = known;
    r->known_data = text;
    return 0;
}

const char *ivr_known_get(const struct ivr_run *r, const char *name)
{
    return json_string_value(json_object_get(r->known, name + sizeof IVR_KNOWN - 1));
}

void ivr_known_free(struct ivr_run *r)
{
    json_decref(r->known);
    free(r->known_data);
    r->known = NULL;
    r->known_data = NULL;
}
