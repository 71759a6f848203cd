/* Time groups out of their configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/time_group.h"

struct time_group {
    struct calendar_group g;
    struct calendar_span *spans;          /* of all days, one after the other */
    struct calendar_exception *exception; /* names are in `names` */
    char *names;
};

const char *time_group_weekday(unsigned weekday)
{
    static const char *const names[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
    return names[weekday % 7];
}

void time_group_free(struct time_group *g)
{
    if (!g)
        return;
    free(g->spans);
    free(g->exception);
    free(g->names);
    free(g);
}

static int by_day(const void *a, const void *b)
{
    const struct calendar_exception *x = a, *y = b;
    return x->day < y->day ? -1 : x->day > y->day;
}

static int take_hours(struct time_group *t, size_t *at, struct calendar_hours *h, char *const *texts, size_t n)
{
    h->spans = t->spans + *at;
    h->n = n;
    for (size_t i = 0; i < n; i++) {
        if (calendar_span_parse(texts[i], &t->spans[(*at)++]) != 0)
            return ERR_INVAL;
    }
    return 0;
}

static int take_week(struct time_group *t, const Ev__TimeGroup *m)
{
    const struct {
        char *const *v;
        size_t n;
    } days[7] = {{m->sunday, m->n_sunday},       {m->monday, m->n_monday},     {m->tuesday, m->n_tuesday},
                 {m->wednesday, m->n_wednesday}, {m->thursday, m->n_thursday}, {m->friday, m->n_friday},
                 {m->saturday, m->n_saturday}};
    size_t n = m->n_holiday_hours, at = 0;
    for (unsigned i = 0; i < 7; i++)
        n += days[i].n;
    t->spans = calloc(n + 1, sizeof *t->spans);
    if (!t->spans)
        return ERR_NOMEM;
    int err = take_hours(t, &at, &t->g.holiday, m->holiday_hours, m->n_holiday_hours);
    for (unsigned i = 0; i < 7 && !err; i++)
        err = take_hours(t, &at, &t->g.week[i], days[i].v, days[i].n);
    t->g.work_as = 1;
    for (unsigned i = 0; i < 7; i++) {
        if (strcmp(m->work_as, time_group_weekday(i)) == 0)
            t->g.work_as = i;
    }
    return err;
}

static int take_holidays(struct time_group *t, const Ev__HolidayList *l)
{
    size_t bytes = 1, used = 0;
    for (size_t i = 0; i < l->n_days; i++)
        bytes += strlen(l->days[i]->name) + 1;
    t->exception = calloc(l->n_days + 1, sizeof *t->exception);
    t->names = malloc(bytes);
    if (!t->exception || !t->names)
        return ERR_NOMEM;
    for (size_t i = 0; i < l->n_days; i++) {
        struct calendar_exception *x = &t->exception[i];
        if (calendar_date_parse(l->days[i]->date, &x->day) != 0)
            return ERR_INVAL;
        x->kind = strcmp(l->days[i]->kind, "work") == 0 ? CALENDAR_WORK : CALENDAR_OFF;
        x->name = strcpy(t->names + used, l->days[i]->name);
        used += strlen(x->name) + 1;
    }
    qsort(t->exception, l->n_days, sizeof *t->exception, by_day);
    t->g.exception = t->exception;
    t->g.n_exceptions = l->n_days;
    return 0;
}

int time_group_make(const Ev__TimeGroup *group, const Ev__HolidayList *holidays, struct time_group **out)
{
    struct time_group *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NOMEM;
    int err = calendar_zone_parse(group->tz, &t->g.zone);
    if (!err)
        err = take_week(t, group);
    if (!err && holidays)
        err = take_holidays(t, holidays);
    if (err) {
        time_group_free(t);
        return err;
    }
    *out = t;
    return 0;
}

void time_group_at(const struct time_group *g, uint64_t us, struct calendar_verdict *out)
{
    calendar_group_at(&g->g, us, out);
}

int time_group_next(const struct time_group *g, int32_t second, uint64_t after_us, uint64_t *us)
{
    struct calendar_time now;
    uint64_t at = 0;
    calendar_local(&g->g.zone, after_us, &now);
    int err = calendar_utc(&g->g.zone, now.day, second, false, &at);
    if (!err && at <= after_us)
        err = calendar_utc(&g->g.zone, now.day + 1, second, false, &at);
    if (!err)
        *us = at;
    return err;
}

/* ---- words */

static void date_text(int64_t day, char out[24])
{
    int64_t y;
    unsigned m, d;
    calendar_date(day, &y, &m, &d);
    (void)snprintf(out, 24, "%04lld-%02u-%02u", (long long)y, m, d);
}

void time_group_local(const struct calendar_verdict *v, char out[TIME_GROUP_TEXT_MAX])
{
    char date[24];
    int s = v->now.second, off = v->now.offset_s < 0 ? -v->now.offset_s : v->now.offset_s;
    date_text(v->now.day, date);
    (void)snprintf(out, TIME_GROUP_TEXT_MAX, "%sT%02d:%02d:%02d%c%02d:%02d", date, s / 3600, s / 60 % 60, s % 60,
                   v->now.offset_s < 0 ? '-' : '+', off / 3600, off / 60 % 60);
}

void time_group_why(const struct calendar_verdict *v, char *out, size_t size)
{
    int64_t day = v->now.day - v->since_yesterday;
    unsigned weekday = (v->now.weekday + (v->since_yesterday ? 6 : 0)) % 7;
    char date[24], hours[24] = "", of[224];
    date_text(day, date);
    int name = (int)(v->name ? strlen(v->name) : 0);
    if (v->kind == CALENDAR_WEEK)
        (void)snprintf(of, sizeof of, "%s %s", time_group_weekday(weekday), date);
    else
        (void)snprintf(of, sizeof of, "%s %s, a %s%s%.*s%s", time_group_weekday(weekday), date,
                       v->kind == CALENDAR_OFF ? "holiday" : "make-up working day", name ? " (" : "", name,
                       name ? v->name : "", name ? ")" : "");
    if (v->open)
        (void)snprintf(hours, sizeof hours, "%02d:%02d-%02d:%02d", v->span.from / 3600, v->span.from / 60 % 60,
                       v->span.to == CALENDAR_DAY_S ? 24 : v->span.to / 3600 % 24, v->span.to / 60 % 60);
    if (v->open)
        (void)snprintf(out, size, "open by %s of %s", hours, of);
    else
        (void)snprintf(out, size, "closed: no hours of %s cover this time", of);
}

/* ---- rules */

int holiday_list_check(const Ev__HolidayList *l, struct err_info *info)
{
    struct calendar_exception *v = calloc(l->n_days + 1, sizeof *v);
    int err = v ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < l->n_days && !err; i++) {
        err = calendar_date_parse(l->days[i]->date, &v[i].day);
        v[i].name = l->days[i]->date;
    }
    if (!err)
        qsort(v, l->n_days, sizeof *v, by_day);
    for (size_t i = 1; i < l->n_days && !err; i++) {
        if (v[i].day == v[i - 1].day)
            err = err_set(info, ERR_INVAL, "days", "%s is in the list twice", v[i].name);
    }
    free(v);
    return err;
}
