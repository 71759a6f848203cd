#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli_out.h"
#include "cli/cli_out_int.h"

const json_t *cli_out_at(const json_t *item, const char *path, size_t len)
{
    while (len > 0 && json_is_object(item)) {
        const char *dot = memchr(path, '.', len);
        size_t part = dot ? (size_t)(dot - path) : len;
        char key[64];
        if (part >= sizeof key)
            return NULL;
        memcpy(key, path, part);
        key[part] = 0;
        item = json_object_get(item, key);
        path += part + (dot != NULL);
        len -= part + (dot != NULL);
    }
    return item;
}

/* RFC 3339 in UTC to seconds since 1970; false for anything else. */
static bool parse_time(const char *s, time_t *out)
{
    struct tm tm = {0};
    const char *end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end)
        return false;
    if (*end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    if (strcmp(end, "Z") != 0)
        return false;
    *out = timegm(&tm);
    return true;
}

static char *duration(long long ms)
{
    char *out = NULL;
    long long s = ms / 1000;
    int rc;
    if (ms < 0)
        rc = asprintf(&out, "%lld ms", ms);
    else if (ms < 60000)
        rc = asprintf(&out, "%lld.%lld s", s, ms / 100 % 10);
    else if (s < 3600)
        rc = asprintf(&out, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        rc = asprintf(&out, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        rc = asprintf(&out, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    return rc < 0 ? NULL : out;
}

static char *local_time(const char *text, bool ago)
{
    time_t t;
    struct tm tm;
    char out[40];
    if (!parse_time(text, &t))
        return strdup(text);
    if (ago) {
        time_t now = time(NULL);
        return duration(now > t ? (long long)(now - t) * 1000 : 0);
    }
    localtime_r(&t, &tm);
    strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", &tm);
    return strdup(out);
}

static char *bytes(long long n)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double v = (double)n;
    unsigned u = 0;
    while (v >= 1000 && u < 5) {
        v /= 1000;
        u++;
    }
    char *out = NULL;
    return asprintf(&out, u ? "%.1f %s" : "%.0f %s", v, units[u]) < 0 ? NULL : out;
}

static char *plain(const json_t *v)
{
    char *out = NULL;
    if (json_is_string(v))
        return strdup(json_string_value(v));
    if (json_is_integer(v))
        return asprintf(&out, "%" JSON_INTEGER_FORMAT, json_integer_value(v)) < 0 ? NULL : out;
    if (json_is_boolean(v))
        return strdup(json_is_true(v) ? "true" : "false");
    if (!v || json_is_null(v))
        return strdup("");
    return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

static char *joined(const json_t *list, const char *path, size_t len, bool pairs)
{
    char *out = NULL;
    size_t size = 0, i;
    json_t *v;
    FILE *f = open_memstream(&out, &size);
    if (!f)
        return NULL;
    json_array_foreach((json_t *)list, i, v)
    {
        const json_t *at = cli_out_at(v, path, len);
        char *one = plain(pairs ? json_object_get(v, "agent") : at);
        fprintf(f, "%s%s", i ? "," : "", one ? one : "?");
        free(one);
        json_int_t level = json_integer_value(json_object_get(v, "level"));
        if (pairs && level)
            fprintf(f, ":%" JSON_INTEGER_FORMAT, level);
    }
    fclose(f);
    return out;
}

static char *cell_of_array(const json_t *item, const char *path, size_t len, const char *format)
{
    /* Find the array on the way and what of the path is left for its members. */
    for (size_t n = 1; n <= len; n++) {
        if (n < len && path[n] != '.')
            continue;
        const json_t *v = cli_out_at(item, path, n);
        if (!json_is_array(v))
            continue;
        if (strcmp(format, "count") == 0) {
            char *out = NULL;
            return asprintf(&out, "%zu", json_array_size(v)) < 0 ? NULL : out;
        }
        return joined(v, path + n + (n < len), n < len ? len - n - 1 : 0, strcmp(format, "pairs") == 0);
    }
    return strdup("");
}

char *cli_out_cell(const json_t *item, const char *path, size_t len, const char *format, bool raw)
{
    const json_t *v = cli_out_at(item, path, len);
    if (!format)
        format = "";
    if (json_is_array(v))
        return cell_of_array(item, path, len, format);
    if (raw || !*format || !v || json_is_null(v))
        return plain(v);
    if (json_is_string(v) && strcmp(format, "time") == 0)
        return local_time(json_string_value(v), false);
    if (json_is_string(v) && strcmp(format, "age") == 0)
        return local_time(json_string_value(v), true);
    if (json_is_integer(v) && strcmp(format, "ms") == 0)
        return duration(json_integer_value(v));
    if (json_is_integer(v) && strcmp(format, "us") == 0) {
        char *out = NULL;
        return asprintf(&out, "%.1f ms", (double)json_integer_value(v) / 1000.0) < 0 ? NULL : out;
    }
    if (json_is_integer(v) && strcmp(format, "bytes") == 0)
        return bytes(json_integer_value(v));
    if (strcmp(format, "up") == 0)
        return strdup(json_is_true(v) ? "up" : "down");
    if (strcmp(format, "yes") == 0 && !json_is_string(v))
        return strdup(json_is_true(v) || json_integer_value(v) > 0 ? "yes" : "");
    return plain(v);
}
