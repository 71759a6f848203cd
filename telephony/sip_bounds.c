/* What is no message, in front of the library's msg_extract().
 *
 * More than so many header lines: the library looks for the end of the list at each header that it adds, and 64 KiB of the shortest
 * ones kept the core thread busy for a third of a second, longer than the lease.
 *
 * A stream whose message has no Content-Length (RFC 3261 sections 18.3 and 20.14): where it ends is not known, and the library would
 * wait for the end of the connection. Garbage, too: a request is answered 400 and the connection is closed. */
#include <dlfcn.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_buffer.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip_header.h>
#include <stdint.h>
#include <string.h>

#include "telephony/sip_guard.h"

#define LINES_MAX 512u
#define SLOTS 256u /* messages that come in pieces (TCP) at the same time; one that meets another is counted anew */

static _Thread_local struct {
    const msg_t *msg;
    unsigned lines;
} seen[SLOTS];
static _Thread_local bool on;

typedef int extract_fn(msg_t *msg);

void sip_bounds_guard(bool enable)
{
    on = enable;
    memset(seen, 0, sizeof seen);
}

/* Lines of the header that these bytes bring. */
static unsigned lines_of(const char *p, size_t n, bool begins)
{
    unsigned lines = 0;
    const char *end = p + n;
    while (begins && n > 0 && (*p == '\r' || *p == '\n')) { /* what keeps a connection alive is no header */
        p++;
        n--;
    }
    while (p < end && lines <= LINES_MAX) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl || nl == p || (nl == p + 1 && *p == '\r'))
            break; /* cut short: it comes again, or the body begins */
        lines++;
        p = nl + 1;
    }
    return lines;
}

static bool too_many(msg_t *msg)
{
    const sip_t *sip = sip_object(msg);
    const char *data = msg_buf_committed_data(msg);
    if (!sip || !data || sip->sip_separator)
        return false;
    size_t slot = ((uintptr_t)msg >> 5) % SLOTS;
    bool begins = !sip->sip_request && !sip->sip_status;
    unsigned before = !begins && seen[slot].msg == msg ? seen[slot].lines : 0;
    seen[slot].msg = msg;
    seen[slot].lines = before + lines_of(data, msg_buf_committed(msg), begins);
    return seen[slot].lines > LINES_MAX;
}

int msg_extract(msg_t *msg)
{
    static extract_fn *real;
    if (!__atomic_load_n(&real, __ATOMIC_RELAXED)) {
        extract_fn *fn = NULL;
        *(void **)&fn = dlsym(RTLD_NEXT, "msg_extract");
        if (!fn)
            return -1;
        __atomic_store_n(&real, fn, __ATOMIC_RELAXED);
    }
    if (on && too_many(msg)) {
        msg_mark_as_complete(msg, MSG_FLG_ERROR);
        return -1;
    }
    int rc = real(msg);
    sip_t *sip = on && rc == 0 ? sip_object(msg) : NULL;
    if (sip && (sip->sip_flags & MSG_FLG_BODY) && !sip->sip_content_length) {
        msg_mark_as_complete(msg, MSG_FLG_ERROR);
        return -1;
    }
    return rc;
}
