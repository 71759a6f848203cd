/* Callers who are told notices (core/notice.h): before what the number leads to, or from a menu.
 *
 *   CallStart -> NOTICE (by themselves) -CallNotice...-> MENU | WAITING | ... as core_route says then
 *   MENU -CallNotices-> NOTICE (asked for) -CallNotice...-> MENU, with notices_done
 *   WAITING -CallWaitNotice-> WAITING, with wait_notice -CallWaitNotice-> WAITING (a queue that tells them between announcements)
 *
 * Which they are is decided once, by the clock of apply, and stands in the call: who takes it over goes on with the present one from
 * where it is by since_us. Each thing that becomes of one is a CallNotice with the turn that it belongs to, so that it is counted once,
 * whoever proposes it and how often. Who has heard what stands in a table, not in memory: it may be large, and is looked at once a call. */
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/notice.h"

#define HEARD_RECORDS 200000u /* no more than so many callers and notices */
#define HEARD_LONGEST_US (720ull * 3600 * 1000000)
#define TOLD_MAX 32u /* that a call's record names */
#define GOODBYE "notice_goodbye"

/* ---- the index: made when it is first asked for after a change */

void core_notice_changed(struct core *c, enum cfg_kind kind)
{
    if (kind != CFG_AREA && kind != CFG_NOTICE)
        return;
    notice_index_free(c->notices);
    c->notices = NULL;
}

static const void **messages(const struct core *c, enum cfg_kind kind, size_t *n)
{
    const void **v = core_alloc((map_count(&c->cfg[kind]) + 1) * sizeof *v);
    const struct map_slot *slot;
    *n = 0;
    for (size_t it = 0; map_next(&c->cfg[kind], &it, &slot);)
        v[(*n)++] = ((const struct cfg *)slot->value)->msg;
    return v;
}

const struct notice_index *core_notice_index(const struct core *cc)
{
    struct core *c = (struct core *)(uintptr_t)cc;
    if (!c->notices) {
        size_t n_areas, n_notices;
        const void **areas = messages(c, CFG_AREA, &n_areas), **notices = messages(c, CFG_NOTICE, &n_notices);
        c->notices =
            notice_index_make((const Ev__Area *const *)areas, n_areas, (const Ev__Notice *const *)notices, n_notices);
        free(areas);
        free(notices);
    }
    return c->notices;
}

/* ---- who has heard what, and how often that was */

enum count { BEGAN, HEARD, SKIPPED, AGAIN, ASKED_FOR, REPEATS, WENT_ON, COUNTS };

static void count(struct core *c, const char *name, enum count what, bool asked_for)
{
    struct storage_val v[3 + COUNTS] = {storage_text(name), storage_int(c->now_us), storage_int(c->now_us)};
    for (int i = 0; i < COUNTS; i++)
        v[3 + i] = storage_int(i == (int)what || (i == ASKED_FOR && asked_for));
    storage_run(c->st, STORAGE_NOTICE_COUNT, v, 3 + COUNTS);
}

void core_notice_forget(struct core *c, const char *name)
{
    const struct storage_val v = storage_text(name);
    storage_run(c->st, STORAGE_NOTICE_STAT_DEL, &v, 1);
}

static bool heard_before(const struct core *c, const Ev__CallState *s, const Ev__Notice *n)
{
    char form[NUMBER_MAX];
    uint64_t at_us = 0;
    if (!notice_number_known(s->caller, form))
        return false;
    const struct storage_val v[] = {storage_text(n->name), storage_text(form)};
    return storage_query(c->st, STORAGE_NOTICE_HEARD_GET, v, 2, core_row_number, &at_us) == 1 &&
           at_us + notice_repeat_us(n) > c->now_us;
}

static void keep_heard(struct core *c, const Ev__CallState *s, const char *name)
{
    char form[NUMBER_MAX];
    if (!notice_number_known(s->caller, form))
        return;
    const struct storage_val v[] = {storage_text(name), storage_text(form), storage_int(c->now_us)};
    storage_run(c->st, STORAGE_NOTICE_HEARD_PUT, v, 3);
    const struct storage_val old[] = {storage_int(HEARD_RECORDS),
                                      storage_int(c->now_us > HEARD_LONGEST_US ? c->now_us - HEARD_LONGEST_US : 0)};
    storage_run(c->st, STORAGE_NOTICE_HEARD_TRIM, old, 2);
}

/* ---- what the call's record says */

static void note(Ev__CallState *s, const char *name, const char *how)
{
    for (size_t i = s->n_notices; i-- > 0;) {
        if (strcmp(s->notices[i]->name, name) == 0) {
            core_pbset(&s->notices[i]->how, how);
            return;
        }
    }
    if (s->n_notices >= TOLD_MAX)
        return;
    s->notices = core_grow(s->notices, (s->n_notices + 1) * sizeof(Ev__NoticeHeard *));
    Ev__NoticeHeard *h = core_alloc(sizeof *h);
    ev__notice_heard__init(h);
    core_pbset(&h->name, name);
    core_pbset(&h->how, how);
    s->notices[s->n_notices++] = h;
}

void core_notices_json(struct sbuf *b, const Ev__CallState *s)
{
    sbuf_add(b, "[", 1);
    for (size_t i = 0; i < s->n_notices; i++) {
        sbuf_puts(b, i ? ",{" : "{");
        sbuf_kv(b, "name", s->notices[i]->name);
        sbuf_kv(b, "how", s->notices[i]->how);
        sbuf_add(b, "}", 1);
    }
    sbuf_add(b, "]", 1);
}

/* ---- one after the other */

/* The present one begins. */
static void begin(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    Ev__CallNoticeState *st = s->notice;
    const char *name = st->names[st->at];
    st->turn++;
    st->since_us = c->now_us;
    count(c, name, st->repeat ? REPEATS : BEGAN, st->menu);
    note(s, name, st->repeat ? "repeat" : "began");
    struct sbuf *b = core_ev_call_begin(c, "call.notice", k);
    sbuf_kv(b, "notice", name);
    sbuf_kv(b, "area", st->area);
    sbuf_kv(b, "by", st->repeat ? "repeat" : st->menu ? "menu" : "itself");
    core_ev_end(c);
    core_call_touch(c, k);
}

static void enter(struct core *c, struct call *k, const Ev__Notice *const *list, unsigned n, const Ev__Area *area,
                  bool menu, bool repeat)
{
    Ev__CallState *s = k->st;
    Ev__CallNoticeState *st = core_alloc(sizeof *st);
    ev__call_notice_state__init(st);
    st->names = core_alloc(n * sizeof(char *));
    for (st->n_names = 0; st->n_names < n; st->n_names++)
        st->names[st->n_names] = core_dup(list[st->n_names]->name);
    core_pbset(&st->area, area ? area->name : "");
    st->menu = menu;
    st->repeat = repeat;
    s->notice = st;
    s->phase = CORE_CALL_NOTICE;
    begin(c, k);
}

static void leave(Ev__CallState *s)
{
    ev__call_notice_state__free_unpacked(s->notice, NULL);
    s->notice = NULL;
}

static void done(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    bool menu = s->notice->menu;
    leave(s);
    if (menu) {
        s->phase = CORE_CALL_MENU;
        s->notices_done = true;
        core_call_touch(c, k);
    } else {
        core_call_lead(c, k);
    }
}

static void next(struct core *c, struct call *k)
{
    Ev__CallNoticeState *st = k->st->notice;
    while (++st->at < st->n_names && !core_notice_config(c, st->names[st->at]))
        ; /* removed since it was chosen */
    if (st->at < st->n_names)
        begin(c, k);
    else
        done(c, k);
}

static void goodbye(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    leave(s);
    s->phase = CORE_CALL_APP;
    core_pbset(&s->app, "hangup");
    core_pbset(&s->app_argument, GOODBYE);
    core_pbset(&s->fail_cause, "notice");
    core_call_touch(c, k);
}

bool core_notice_begin(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    const Ev__AccessNumber *a = core_access_number(c, s->called);
    if (c->feature_level < 4 || !a || a->no_notices || map_count(&c->cfg[CFG_NOTICE]) == 0)
        return false;
    const struct notice_index *ix = core_notice_index(c);
    const Ev__Area *area = notice_where(ix, "", s->caller, s->region);
    const Ev__Notice *all[NOTICES_MAX], *list[NOTICE_AUTO_MAX];
    unsigned n_all = notice_match(ix, area, c->now_us, true, all, NOTICES_MAX), n = 0;
    for (unsigned i = 0; i < n_all && n < NOTICE_AUTO_MAX; i++) {
        bool mass = notice_is_mass(ix, area, all[i]), once = strcmp(all[i]->play, "once") == 0;
        bool heard = (mass || once) && heard_before(c, s, all[i]);
        if (heard && mass) {
            enter(c, k, &all[i], 1, area, false, true);
            return true;
        }
        if (!heard)
            list[n++] = all[i];
    }
    if (n)
        enter(c, k, list, n, area, false, false);
    return n > 0;
}

int core_call_notices(struct core *c, const Ev__CallNotices *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    if (k->st->phase != CORE_CALL_MENU)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call is not in a menu");
    const struct notice_index *ix = core_notice_index(c);
    const Ev__Area *area = notice_where(ix, m->area, k->st->caller, k->st->region);
    const Ev__Notice *list[NOTICE_MENU_MAX];
    unsigned n = notice_match(ix, area, c->now_us, false, list, NOTICE_MENU_MAX);
    if (n == 0)
        return core_refuse(c, ERR_NOTFOUND, "area", "there is no notice now");
    core_call_acked(k, m->caller_acked);
    enter(c, k, list, n, area, true, false);
    return 0;
}

int core_call_notice(struct core *c, const Ev__CallNotice *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    const Ev__CallNoticeState *st = s->notice;
    if (s->phase != CORE_CALL_NOTICE || !st)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the call hears no notice");
    if (st->turn != m->turn)
        return core_refuse(c, ERR_STALE, "turn", "the caller hears turn %u by now", st->turn);
    const char *name = st->names[st->at];
    const Ev__Notice *n =
        core_notice_config(c, name); /* NULL: it was removed while he heard it, and with it what was counted */
    bool heard = m->what == EV__CALL_NOTICE__WHAT__HEARD, skipped = m->what == EV__CALL_NOTICE__WHAT__SKIPPED;
    if ((m->what == EV__CALL_NOTICE__WHAT__GO_ON && !st->repeat) ||
        (m->what == EV__CALL_NOTICE__WHAT__AGAIN && !st->menu) ||
        (skipped && (st->repeat || (n && strcmp(n->skip, "none") == 0))))
        return core_refuse(c, ERR_BADSTATE, "what", "that is not possible with this notice");
    core_call_acked(k, m->caller_acked);
    if (st->repeat) {
        if (n && m->what == EV__CALL_NOTICE__WHAT__GO_ON)
            count(c, name, WENT_ON, false);
        if (heard)
            goodbye(c, k);
        else
            done(c, k);
        return 0;
    }
    if (m->what == EV__CALL_NOTICE__WHAT__AGAIN) {
        if (n)
            count(c, name, AGAIN, false);
        s->notice->turn++;
        s->notice->since_us = c->now_us;
        core_call_touch(c, k);
        return 0;
    }
    if (n && (heard || skipped)) {
        count(c, name, heard ? HEARD : SKIPPED, false);
        keep_heard(c, s, name);
    }
    if (heard || skipped)
        note(s, name, heard ? "heard" : "skipped");
    next(c, k);
    return 0;
}

/* ---- while he waits */

static bool told(const Ev__CallState *s, const char *name)
{
    for (size_t i = 0; i < s->n_notices; i++)
        if (strcmp(s->notices[i]->name, name) == 0)
            return true;
    return false;
}

static const Ev__Notice *wait_next(const struct core *c, const Ev__CallState *s, const Ev__Area **area)
{
    const Ev__AccessNumber *a = core_access_number(c, s->called);
    const Ev__Queue *q = core_queue_config(c, s->queue);
    if (c->feature_level < 4 || !q || !q->notices || (a && a->no_notices) || map_count(&c->cfg[CFG_NOTICE]) == 0)
        return NULL;
    const struct notice_index *ix = core_notice_index(c);
    const Ev__Notice *all[NOTICES_MAX];
    *area = notice_where(ix, "", s->caller, s->region);
    unsigned n = notice_match(ix, *area, c->now_us, true, all, NOTICES_MAX);
    for (unsigned i = 0; i < n; i++) {
        bool sparing = notice_is_mass(ix, *area, all[i]) || strcmp(all[i]->play, "once") == 0;
        if (!told(s, all[i]->name) && !(sparing && heard_before(c, s, all[i])))
            return all[i];
    }
    return NULL;
}

const Ev__Notice *core_wait_notice_next(const struct core *c, uint64_t call_id)
{
    const struct call *k = core_call_obj(c, call_id);
    const Ev__Area *area;
    return k && k->st->phase == CORE_CALL_WAITING ? wait_next(c, k->st, &area) : NULL;
}

static int wait_begin(struct core *c, struct call *k)
{
    Ev__CallState *s = k->st;
    const Ev__Area *area = NULL;
    const Ev__Notice *n = wait_next(c, s, &area);
    if (!n)
        return core_refuse(c, ERR_NOTFOUND, "name", "there is no notice for this caller now");
    core_pbset(&s->wait_notice, n->name);
    count(c, n->name, BEGAN, false);
    note(s, n->name, "began");
    struct sbuf *b = core_ev_call_begin(c, "call.notice", k);
    sbuf_kv(b, "notice", n->name);
    sbuf_kv(b, "area", area ? area->name : "");
    sbuf_kv(b, "by", "queue");
    core_ev_end(c);
    core_call_touch(c, k);
    return 0;
}

int core_call_wait_notice(struct core *c, const Ev__CallWaitNotice *m)
{
    struct call *k = core_call_of(c, m->call_id);
    if (!k)
        return c->ans->code;
    Ev__CallState *s = k->st;
    if (s->phase != CORE_CALL_WAITING && s->phase != CORE_CALL_OFFERED)
        return core_refuse(c, ERR_BADSTATE, "call_id", "the caller does not wait");
    if (!m->name[0])
        return s->wait_notice[0] ? core_refuse(c, ERR_BADSTATE, "name", "he is being told %.64s", s->wait_notice)
                                 : wait_begin(c, k);
    if (strcmp(s->wait_notice, m->name) != 0)
        return core_refuse(c, ERR_STALE, "name", "he is not being told %.64s", m->name);
    bool heard = m->what == EV__CALL_NOTICE__WHAT__HEARD, skipped = m->what == EV__CALL_NOTICE__WHAT__SKIPPED;
    if ((heard || skipped) && core_notice_config(c, m->name)) {
        count(c, m->name, heard ? HEARD : SKIPPED, false);
        keep_heard(c, s, m->name);
    }
    if (heard || skipped)
        note(s, m->name, heard ? "heard" : "skipped");
    core_pbset(&s->wait_notice, "");
    core_call_touch(c, k);
    return 0;
}

/* ---- what a change of areas and notices has to keep */

struct after { /* of one kind, as they will be, by name */
    const struct cfg **v;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct cfg *const *)a)->name, (*(const struct cfg *const *)b)->name);
}

static void gather(const struct cfg_change *ch, enum cfg_kind kind, struct after *out)
{
    const struct map_slot *slot;
    out->v = core_alloc((map_count(&ch->c->cfg[kind]) + map_count(&ch->set[kind]) + 1) * sizeof *out->v);
    out->n = 0;
    for (size_t it = 0; map_next(&ch->c->cfg[kind], &it, &slot);)
        if (!map_get(&ch->set[kind], slot->skey) && !map_get(&ch->remove[kind], slot->skey))
            out->v[out->n++] = slot->value;
    for (size_t it = 0; map_next(&ch->set[kind], &it, &slot);)
        out->v[out->n++] = slot->value;
    if (out->n)
        qsort(out->v, out->n, sizeof *out->v, by_name);
}

static const Ev__Area *area_after(const struct cfg_change *ch, const char *name)
{
    return (const Ev__Area *)(const void *)core_refs_get(ch, CFG_AREA, name);
}

static int check_parents(struct cfg_change *ch, const Ev__Area *a)
{
    unsigned depth = 1;
    for (const Ev__Area *in = a; in && in->parent[0]; in = area_after(ch, in->parent), depth++) {
        if (depth >= NOTICE_DEPTH_MAX)
            return core_refuse(ch->c, ERR_INVAL, "area", "area %.64s lies within more than %u areas, or within itself",
                               a->name, NOTICE_DEPTH_MAX - 1);
    }
    return 0;
}

static int check_areas(struct cfg_change *ch)
{
    struct after all;
    struct map owner;
    int err = 0;
    size_t numbers = 0;
    gather(ch, CFG_AREA, &all);
    map_init(&owner);
    if (all.n > NOTICE_AREAS_MAX)
        err = core_refuse(ch->c, ERR_TOOBIG, "area", "there can be %u areas, not %zu", NOTICE_AREAS_MAX, all.n);
    for (size_t i = 0; i < all.n && !err; i++) {
        const Ev__Area *a = (const Ev__Area *)(const void *)all.v[i]->msg;
        err = check_parents(ch, a);
        numbers += a->n_numbers;
        if (!err && numbers > NOTICE_NUMBERS_ALL)
            err = core_refuse(ch->c, ERR_TOOBIG, "area", "areas can have %u numbers in all", NOTICE_NUMBERS_ALL);
        for (size_t k = 0; k < a->n_numbers && !err; k++) {
            const Ev__Area *other = map_get(&owner, a->numbers[k]);
            if (other)
                err = core_refuse(ch->c, ERR_CONFLICT, "area", "%.64s is of area %.64s already, not of area %.64s",
                                  a->numbers[k], other->name, a->name);
            else if (map_set(&owner, a->numbers[k], (void *)(uintptr_t)a) != 0)
                core_oom();
        }
    }
    map_free(&owner);
    free(all.v);
    return err;
}

static int check_count(struct cfg_change *ch)
{
    struct after all;
    gather(ch, CFG_NOTICE, &all);
    free(all.v);
    return all.n > NOTICES_MAX
               ? core_refuse(ch->c, ERR_TOOBIG, "notice", "there can be %u notices, not %zu", NOTICES_MAX, all.n)
               : 0;
}

int core_notice_check_change(struct cfg_change *ch)
{
    bool areas = map_count(&ch->set[CFG_AREA]) || map_count(&ch->remove[CFG_AREA]);
    int err = areas ? check_areas(ch) : 0;
    return !err && map_count(&ch->set[CFG_NOTICE]) ? check_count(ch) : err;
}
