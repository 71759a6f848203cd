/* Replaces from telephones, as a header (first byte even) and in the URI of a Refer-To: refused, or the same when it is written again. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/replaces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sip_replaces r, again;
    char out[600];
    if (size == 0)
        return 0;
    char *text = malloc(size);
    if (!text)
        abort();
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    int rc = data[0] & 1 ? sip_replaces_in_uri(text, &r) : sip_replaces_parse(text, size - 1, &r);
    if (rc == 0) {
        assert(r.call_id[0] && r.to_tag[0] && r.from_tag[0]);
        int n = snprintf(out, sizeof out, "%s;from-tag=%s;to-tag=%s%s", r.call_id, r.from_tag, r.to_tag,
                         r.early_only ? ";early-only" : "");
        assert(n > 0 && (size_t)n < sizeof out && sip_replaces_parse(out, (size_t)n, &again) == 0);
        assert(memcmp(&r, &again, sizeof r) == 0);
    } else {
        assert(!r.call_id[0] && (rc == ERR_INVAL || rc == ERR_TOOBIG || (rc == ERR_NOTFOUND && data[0] & 1)));
    }
    free(text);
    return 0;
}
