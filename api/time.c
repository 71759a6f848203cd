/* Time zones by their names, and whether a time group is open. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "core/config_json.h"
#include "core/time_group.h"

#define ZONES "/usr/share/zoneinfo/"
#define ZONE_FILE_MAX 65536u /* bytes; the largest of tzdata has 4 KiB */

/* ---- zones: a TZif file ends in "\n", a POSIX TZ string, "\n" (RFC 8536, section 3.3) */

/* Cannot lead out of the folder: neither empty parts nor dots. */
static bool is_zone_name(const char *zone)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t len = strlen(zone);
    return len > 0 && len < 64 && strspn(zone, good) == len && zone[0] != '/' && zone[len - 1] != '/' &&
           !strstr(zone, "//");
}

static bool has_zones(void)
{
    FILE *f = fopen(ZONES "Etc/UTC", "rb");
    if (f)
        fclose(f);
    return f != NULL;
}

static int read_footer(FILE *f, char *out, size_t size)
{
    char *data = malloc(ZONE_FILE_MAX);
    if (!data)
        return ERR_NOMEM;
    size_t n = fread(data, 1, ZONE_FILE_MAX, f);
    int err = ERR_INVAL;
    if (n >= 46 && n < ZONE_FILE_MAX && memcmp(data, "TZif", 4) == 0 && data[4] >= '2' && data[n - 1] == '\n') {
        const char *begin = memrchr(data, '\n', n - 1);
        size_t len = begin ? (size_t)(data + n - 1 - (begin + 1)) : 0;
        if (len > 0 && len < size && !memchr(begin + 1, '\0', len)) {
            memcpy(out, begin + 1, len);
            out[len] = '\0';
            err = 0;
        }
    }
    free(data);
    return err;
}

int api_zone_tz(const char *zone, char *out, size_t size, struct err_info *info)
{
    char path[sizeof ZONES + 64];
    snprintf(path, sizeof path, "%s%s", ZONES, is_zone_name(zone) ? zone : "");
    FILE *f = is_zone_name(zone) ? fopen(path, "rb") : NULL;
    if (!f && !has_zones())
        return err_set(info, ERR_IO, "zone", "this node has no time zone data: the package tzdata is missing");
    int err = f ? read_footer(f, out, size) : ERR_INVAL;
    if (f)
        fclose(f);
    struct calendar_zone z;
    if (!err)
        err = calendar_zone_parse(out, &z);
    if (err == ERR_INVAL)
        err_set(info, err, "zone", "there is no time zone \"%.64s\"; known are those of tzdata, such as Asia/Shanghai",
                zone);
    return err;
}

int api_time_group_zone(json_t *group, struct err_info *info)
{
    const json_t *zone = json_object_get(group, "zone"), *tz = json_object_get(group, "tz");
    char text[CALENDAR_TZ_MAX];
    if (zone && !json_is_null(zone) && !json_is_string(zone))
        return 0; /* refused with its field further on */
    if (json_string_length(zone) == 0)
        return json_string_length(tz) ? 0 : err_set(info, ERR_INVAL, "zone", "a zone (or tz) is needed");
    int err = api_zone_tz(json_string_value(zone), text, sizeof text, info);
    if (!err && json_object_set_new(group, "tz", json_string(text)) != 0)
        err = ERR_NOMEM;
    return err;
}

/* ---- open or closed */

int api_time_group(struct api_server *s, const char *name, struct time_group **out)
{
    Ev__ConfigObject *group = NULL, *days = NULL;
    uint64_t version;
    int err = api_stored(s, "time_group", name, &group, &version);
    if (!err && group->time_group->holidays[0])
        err = api_stored(s, "holiday_list", group->time_group->holidays, &days, &version);
    if (!err)
        err = time_group_make(group->time_group, days ? days->holiday_list : NULL, out);
    if (group)
        ev__config_object__free_unpacked(group, NULL);
    if (days)
        ev__config_object__free_unpacked(days, NULL);
    return err;
}

void api_test_time_group(struct api_request *q)
{
    static const char *const kinds[] = {"week", "off", "work"};
    const char *at = api_query(q, "at");
    uint64_t us = clock_wall_now().us;
    struct err_info info = {.code = 0};
    if (at && config_parse_time(at, &us) != 0) {
        err_set(&info, ERR_INVAL, "at", "must be a time such as 2026-03-01T09:30:00Z");
        api_fail_status(q, 400, &info);
        return;
    }
    struct time_group *g = NULL;
    int err = storage_reader_begin(q->s->reader, &q->index);
    if (!err) {
        err = api_time_group(q->s, q->params[0], &g);
        storage_reader_end(q->s->reader);
    }
    if (err) {
        api_fail_code(q, err, NULL,
                      err == ERR_NOTFOUND ? "there is no time group \"%.64s\"" : "\"%.64s\" cannot be read",
                      q->params[0]);
        return;
    }
    struct calendar_verdict v;
    char why[256], local[TIME_GROUP_TEXT_MAX], utc[CLOCK_TEXT_MAX];
    time_group_at(g, us, &v);
    time_group_why(&v, why, sizeof why);
    time_group_local(&v, local);
    api_reply(q, 200,
              json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:s}", "name", q->params[0], "open", v.open, "at",
                        clock_wall_text((struct clock_wall){us}, utc), "local", local, "day", kinds[v.kind], "holiday",
                        v.name ? v.name : "", "why", why));
    time_group_free(g);
}
