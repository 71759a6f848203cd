#include "telephony/replaces.h"

#include <string.h>
#include <strings.h>

#define VALUE_MAX 1024u /* of a header in a URI, decoded */

/* RFC 3261 section 25.1: "word", and the '@' between two of them. */
static bool is_call_id(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("-.!%*_+`'~()<>:\\\"/[]?{}@", c));
}

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-.!%*_+`'~", c));
}

struct text {
    const char *at, *end;
};

static void skip_space(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\r' || *t->at == '\n'))
        t->at++;
}

static size_t span(const struct text *t, bool (*of)(char))
{
    size_t n = 0;
    while (t->at + n < t->end && of(t->at[n]))
        n++;
    return n;
}

static int take(struct text *t, bool (*of)(char), char *out, size_t size)
{
    size_t n = span(t, of);
    if (n == 0)
        return ERR_INVAL;
    if (n >= size)
        return ERR_TOOBIG;
    memcpy(out, t->at, n);
    out[n] = '\0';
    t->at += n;
    return 0;
}

static bool next_is(struct text *t, char c)
{
    skip_space(t);
    if (t->at >= t->end || *t->at != c)
        return false;
    t->at++;
    skip_space(t);
    return true;
}

/* The value of a parameter that means nothing here: a token, a host in brackets, or a quoted string. */
static int skip_value(struct text *t)
{
    if (t->at < t->end && *t->at == '"') {
        for (t->at++; t->at < t->end && *t->at != '"'; t->at++)
            t->at += *t->at == '\\' && t->at + 1 < t->end;
        return t->at < t->end ? (t->at++, 0) : ERR_INVAL;
    }
    const char *from = t->at;
    while (t->at < t->end && (is_token(*t->at) || strchr("[]:", *t->at)) && *t->at)
        t->at++;
    return t->at > from ? 0 : ERR_INVAL;
}

static int parameter(struct text *t, struct sip_replaces *out)
{
    char name[32];
    size_t n = span(t, is_token);
    size_t keep = n < sizeof name ? n : 0; /* a longer one is none of ours */
    if (n == 0)
        return ERR_INVAL;
    memcpy(name, t->at, keep);
    name[keep] = '\0';
    t->at += n;
    if (strcasecmp(name, "early-only") == 0) {
        out->early_only = true;
        return 0;
    }
    char *tag = strcasecmp(name, "to-tag") == 0     ? out->to_tag
                : strcasecmp(name, "from-tag") == 0 ? out->from_tag
                                                    : NULL;
    if (!next_is(t, '='))
        return tag ? ERR_INVAL : 0;
    if (!tag)
        return skip_value(t);
    return tag[0] ? ERR_INVAL : take(t, is_token, tag, sizeof out->to_tag);
}

int sip_replaces_parse(const char *text, size_t len, struct sip_replaces *out)
{
    struct text t = {text, text + len};
    memset(out, 0, sizeof *out);
    skip_space(&t);
    int rc = take(&t, is_call_id, out->call_id, sizeof out->call_id);
    while (rc == 0 && next_is(&t, ';'))
        rc = parameter(&t, out);
    skip_space(&t);
    if (rc == 0 && (t.at != t.end || !out->to_tag[0] || !out->from_tag[0]))
        rc = ERR_INVAL;
    if (rc)
        memset(out, 0, sizeof *out);
    return rc;
}

/* ---- in a URI */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Bytes into out, or ERR_*. NUL is refused: none of what it stands for has one. */
static int decode(const char *text, size_t len, char *out, size_t size, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 1 < len ? hex(text[i + 1]) : -1, low = i + 2 < len ? hex(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return ERR_INVAL;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (*n + 1 >= size)
            return ERR_TOOBIG;
        out[(*n)++] = c;
    }
    out[*n] = '\0';
    return 0;
}

static int one(const char *field, size_t len, struct sip_replaces *out, bool *found)
{
    static const char name[] = "replaces";
    const char *equals = memchr(field, '=', len);
    size_t n = equals ? (size_t)(equals - field) : len;
    char value[VALUE_MAX];
    if (n != sizeof name - 1 || strncasecmp(field, name, n) != 0)
        return 0;
    if (*found || !equals)
        return ERR_INVAL;
    *found = true;
    int rc = decode(equals + 1, len - n - 1, value, sizeof value, &n);
    return rc ? rc : sip_replaces_parse(value, n, out);
}

int sip_replaces_in_uri(const char *headers, struct sip_replaces *out)
{
    bool found = false;
    int rc = 0;
    memset(out, 0, sizeof *out);
    while (rc == 0 && *headers) {
        size_t len = strcspn(headers, "&");
        rc = one(headers, len, out, &found);
        headers += len + (headers[len] == '&');
    }
    if (rc)
        memset(out, 0, sizeof *out);
    return rc ? rc : found ? 0 : ERR_NOTFOUND;
}
