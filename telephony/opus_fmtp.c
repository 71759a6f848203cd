#include "telephony/opus_fmtp.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind { NUMBER, YES_OR_NO };

static const struct param {
    const char *name;
    enum kind kind;
    size_t at;
    uint32_t min, max, unsaid;
} params[] = {
    {"maxplaybackrate", NUMBER, offsetof(struct opus_fmtp, max_playback_hz), 8000, 48000, 48000},
    {"sprop-maxcapturerate", NUMBER, offsetof(struct opus_fmtp, sprop_max_hz), 8000, 48000, 48000},
    {"maxaveragebitrate", NUMBER, offsetof(struct opus_fmtp, max_average_bits), 6000, 510000, 0},
    {"minptime", NUMBER, offsetof(struct opus_fmtp, min_ptime_ms), 3, 120, 0},
    {"stereo", YES_OR_NO, offsetof(struct opus_fmtp, stereo), 0, 1, 0},
    {"sprop-stereo", YES_OR_NO, offsetof(struct opus_fmtp, sprop_stereo), 0, 1, 0},
    {"cbr", YES_OR_NO, offsetof(struct opus_fmtp, cbr), 0, 1, 0},
    {"useinbandfec", YES_OR_NO, offsetof(struct opus_fmtp, in_band_fec), 0, 1, 0},
    {"usedtx", YES_OR_NO, offsetof(struct opus_fmtp, dtx), 0, 1, 0},
};
#define N_PARAMS (sizeof params / sizeof params[0])

static void set(struct opus_fmtp *f, const struct param *p, uint32_t v)
{
    char *at = (char *)f + p->at;
    bool yes = v != 0;
    if (p->kind == YES_OR_NO)
        memcpy(at, &yes, sizeof yes);
    else
        memcpy(at, &v, sizeof v);
}

static uint32_t get(const struct opus_fmtp *f, const struct param *p)
{
    const char *at = (const char *)f + p->at;
    uint32_t v;
    bool yes;
    if (p->kind == YES_OR_NO) {
        memcpy(&yes, at, sizeof yes);
        return yes;
    }
    memcpy(&v, at, sizeof v);
    return v;
}

static const struct param *find(const char *name, size_t len)
{
    for (size_t i = 0; i < N_PARAMS; i++) {
        if (strlen(params[i].name) == len && strncasecmp(params[i].name, name, len) == 0)
            return &params[i];
    }
    return NULL;
}

/* Digits alone, in bounds. */
static bool number(const char *text, size_t len, const struct param *p, uint32_t *out)
{
    uint32_t v = 0;
    if (len == 0 || len > 7)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (uint32_t)(text[i] - '0');
    }
    *out = v;
    return v >= p->min && v <= p->max;
}

static const char *trim(const char *from, const char **to)
{
    while (from < *to && strchr(" \t", *from))
        from++;
    while (*to > from && strchr(" \t", (*to)[-1]))
        (*to)--;
    return from;
}

static int take(struct opus_fmtp *f, const char *from, const char *to, struct err_info *info)
{
    const char *equals = memchr(from, '=', (size_t)(to - from));
    const char *name_end = equals ? equals : to, *value_end = to;
    const char *name = trim(from, &name_end);
    const struct param *p = find(name, (size_t)(name_end - name));
    uint32_t v;
    if (!p)
        return 0;
    const char *value = equals ? trim(equals + 1, &value_end) : to;
    if (!number(value, (size_t)(value_end - value), p, &v))
        return err_set(info, ERR_INVAL, p->name, "a number from %u to %u is needed", (unsigned)p->min,
                       (unsigned)p->max);
    set(f, p, v);
    return 0;
}

int opus_fmtp_parse(const char *text, struct opus_fmtp *out, struct err_info *info)
{
    struct opus_fmtp f;
    memset(&f, 0, sizeof f);
    for (size_t i = 0; i < N_PARAMS; i++)
        set(&f, &params[i], params[i].unsaid);
    for (const char *from = text; *from;) {
        const char *to = strchr(from, ';');
        if (!to)
            to = from + strlen(from);
        int rc = take(&f, from, to, info);
        if (rc)
            return rc;
        from = *to ? to + 1 : to;
    }
    *out = f;
    return 0;
}

int opus_fmtp_write(const struct opus_fmtp *f, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < N_PARAMS; i++) {
        if (get(f, &params[i]) == params[i].unsaid)
            continue;
        int n = snprintf(out + at, size - at, "%s%s=%u", at ? ";" : "", params[i].name, (unsigned)get(f, &params[i]));
        if (n < 0 || (size_t)n >= size - at)
            return ERR_TOOBIG;
        at += (size_t)n;
    }
    if (at == 0 && size > 0)
        out[0] = '\0';
    return (int)at;
}
