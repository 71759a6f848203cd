/* The dialog that somebody's request is to take the place of: header Replaces (RFC 3891), also inside the URI of a Refer-To. Pure functions.
 *
 * Text from the network: what is not of that form is refused, as is what is longer than a dialog of ours is kept with. */
#ifndef TELEPHONY_REPLACES_H
#define TELEPHONY_REPLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct sip_replaces {
    char call_id[256];
    char to_tag[128], from_tag[128]; /* never empty; as the one who is asked sees it: to_tag is its own */
    bool early_only;
};

/* The value of a header: "call-id;to-tag=x;from-tag=y;early-only". Other parameters are passed over. ERR_INVAL: it lacks a tag, has one
 * twice, or is none; ERR_TOOBIG. */
ERR_CHECKED int sip_replaces_parse(const char *text, size_t len, struct sip_replaces *out);
/* Of the headers of a URI (behind its question mark): "Replaces=call-id%3Bto-tag%3Dx%3Bfrom-tag%3Dy&Require=replaces". ERR_NOTFOUND: there is none
 * among them; ERR_INVAL also for several. */
ERR_CHECKED int sip_replaces_in_uri(const char *headers, struct sip_replaces *out);

#endif
