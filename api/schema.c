/* Schemas for editors, as they were when this program was built. */
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

static const char *const flow_schema[] = {
#include "api/flow_schema.inc"
};

void api_get_flow_schema(struct api_request *q)
{
    size_t len = 0, n = sizeof flow_schema / sizeof *flow_schema;
    for (size_t i = 0; i < n; i++)
        len += strlen(flow_schema[i]);
    char *text = malloc(len + 1), *at = text;
    if (!text) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, flow_schema[i]);
    api_reply_text(q, 200, "application/schema+json", text, len);
}
