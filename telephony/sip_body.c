/* The session description in a body: alone, or as a part of a multipart one (RFC 2046 section 5.1, RFC 5621). The library's
 * reader of multipart bodies reads out of bounds and is not used. Nothing is copied but the description that is found. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */
#define PARTS_MAX 16

struct text {
    const char *p;
    size_t n;
};

/* Takes the first line off the front, without its end. */
static struct text take_line(struct text *rest)
{
    const char *nl = memchr(rest->p, '\n', rest->n);
    struct text line = {rest->p, nl ? (size_t)(nl - rest->p) : rest->n};
    size_t used = nl ? line.n + 1 : line.n;
    rest->p += used;
    rest->n -= used;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* Whether a line is the delimiter of this boundary. *last: the one after the last part. */
static bool delimits(struct text line, const char *boundary, bool *last)
{
    size_t n = strlen(boundary);
    if (line.n < n + 2 || memcmp(line.p, "--", 2) != 0 || memcmp(line.p + 2, boundary, n) != 0)
        return false;
    struct text rest = {line.p + n + 2, line.n - n - 2};
    *last = rest.n >= 2 && memcmp(rest.p, "--", 2) == 0;
    for (size_t i = *last ? 2 : 0; i < rest.n; i++)
        if (rest.p[i] != ' ' && rest.p[i] != '\t')
            return false;
    return true;
}

/* What the headers of a part say. */
struct part {
    bool sdp, plain, optional, required;
    struct text body;
};

static bool begins(struct text value, const char *word)
{
    size_t n = strlen(word);
    return value.n >= n && strncasecmp(value.p, word, n) == 0 && (value.n == n || strchr(" \t;,", value.p[n]));
}

static bool mentions(struct text value, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= value.n; i++)
        if (strncasecmp(value.p + i, word, n) == 0)
            return true;
    return false;
}

static void read_header(struct part *part, struct text line, bool folded)
{
    if (folded || mentions(line, "handling")) { /* a parameter, maybe on a line of its own */
        part->optional |= mentions(line, "handling=optional");
        part->required |= mentions(line, "handling=required");
    }
    const char *colon = folded ? NULL : memchr(line.p, ':', line.n);
    if (!colon)
        return;
    struct text name = {line.p, (size_t)(colon - line.p)}, value = {colon + 1, line.n - name.n - 1};
    while (value.n > 0 && (*value.p == ' ' || *value.p == '\t')) {
        value.p++;
        value.n--;
    }
    if (begins(name, "Content-Type") || begins(name, "c"))
        part->sdp = begins(value, "application/sdp");
    else if (begins(name, "Content-Transfer-Encoding"))
        part->plain = begins(value, "7bit") || begins(value, "8bit") || begins(value, "binary");
    else if (begins(name, "Content-Encoding") || begins(name, "e"))
        part->plain = begins(value, "identity");
}

/* The part that begins here, up to the delimiter that ends it. false: there is none, it is cut short. */
static bool read_part(struct text *rest, const char *boundary, struct part *part, bool *last)
{
    *part = (struct part){.plain = true};
    for (struct text line = take_line(rest); line.n > 0; line = take_line(rest))
        read_header(part, line, *line.p == ' ' || *line.p == '\t');
    part->body = (struct text){rest->p, 0};
    while (rest->n > 0) {
        const char *end = rest->p; /* the line end before a delimiter belongs to it */
        if (delimits(take_line(rest), boundary, last)) {
            if (end > part->body.p && end[-1] == '\n')
                end--;
            if (end > part->body.p && end[-1] == '\r')
                end--;
            part->body.n = (size_t)(end - part->body.p);
            return true;
        }
    }
    return false;
}

static int copy_sdp(struct text body, char **sdp)
{
    if (body.n > SIP_SDP_MAX)
        return 413;
    if (memchr(body.p, '\0', body.n))
        return 400;
    free(*sdp);
    *sdp = strndup(body.p, body.n);
    return *sdp ? 0 : 500;
}

/* mixed: the first description counts; alternative: the last, which its sender likes best. */
static int from_parts(struct text rest, const char *boundary, bool alternative, char **sdp)
{
    bool last = false, unknown = false, any = false;
    while (rest.n > 0 && !delimits(take_line(&rest), boundary, &last))
        ; /* the preamble */
    for (size_t i = 0; i < PARTS_MAX && !last && rest.n > 0; i++) {
        struct part part;
        if (!read_part(&rest, boundary, &part, &last))
            return 400;
        any = true;
        if (part.sdp && part.plain && (!*sdp || alternative)) {
            int status = copy_sdp(part.body, sdp);
            if (status)
                return status;
        } else if (!part.sdp || !part.plain) {
            if (part.required && !alternative)
                return 415;
            unknown |= !part.optional;
        }
    }
    if (!last)
        return *sdp || rest.n > 0 ? 400 : 415;
    return *sdp || (any && !unknown) ? 0 : 415;
}

/* The boundary of a multipart type, unquoted. */
static bool boundary_of(const sip_content_type_t *c, char out[BOUNDARY_MAX + 1])
{
    const char *v = c->c_params ? msg_params_find(c->c_params, "boundary=") : NULL;
    size_t n = v ? strlen(v) : 0;
    if (n >= 2 && v[0] == '"' && v[n - 1] == '"') {
        v++;
        n -= 2;
    }
    if (n == 0 || n > BOUNDARY_MAX)
        return false;
    memcpy(out, v, n);
    out[n] = '\0';
    return true;
}

static bool encoded(const sip_t *sip)
{
    for (const sip_content_encoding_t *e = sip->sip_content_encoding; e; e = (const sip_content_encoding_t *)e->k_next)
        for (size_t i = 0; e->k_items && e->k_items[i]; i++)
            if (strcasecmp(e->k_items[i], "identity") != 0)
                return true;
    return false;
}

int sip_body_sdp(const sip_t *sip, char **sdp)
{
    *sdp = NULL;
    if (!sip->sip_payload || sip->sip_payload->pl_len == 0)
        return 0;
    const sip_content_type_t *c = sip->sip_content_type;
    const char *type = c && c->c_type ? c->c_type : "";
    struct text body = {sip->sip_payload->pl_data, sip->sip_payload->pl_len};
    bool alternative = strcasecmp(type, "multipart/alternative") == 0;
    char boundary[BOUNDARY_MAX + 1];
    int status = 415;
    if (!encoded(sip) && strcasecmp(type, "application/sdp") == 0)
        status = copy_sdp(body, sdp);
    else if (!encoded(sip) && (alternative || strcasecmp(type, "multipart/mixed") == 0) && boundary_of(c, boundary))
        status = from_parts(body, boundary, alternative, sdp);
    else if (sip->sip_content_disposition && sip->sip_content_disposition->cd_optional)
        status = 0; /* RFC 3261 20.11: as if it were not there */
    if (status) {
        free(*sdp);
        *sdp = NULL;
    }
    return status;
}
