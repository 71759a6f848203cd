/* What a caller would be told: areas and notices as they are stored, asked as apply asks them (core/notice.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/clock.h"
#include "core/config_json.h"
#include "core/notice.h"

struct messages {
    enum cfg_kind kind;
    ProtobufCMessage **v;
    size_t n, cap;
};

static int message_row(void *ctx, const struct storage_row *row)
{
    struct messages *m = ctx;
    size_t len;
    const void *body = storage_row_blob(row, 0, &len);
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        ProtobufCMessage **v = realloc(m->v, cap * sizeof(ProtobufCMessage *));
        if (!v)
            return ERR_NOMEM;
        m->v = v;
        m->cap = cap;
    }
    m->v[m->n] = protobuf_c_message_unpack(config_descriptor(m->kind), NULL, len, body);
    return m->v[m->n++] ? 0 : ERR_CORRUPT;
}

static void messages_free(struct messages *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i])
            protobuf_c_message_free_unpacked(m->v[i], NULL);
    free(m->v);
}

static int region_of(struct api_server *s, const char *called, char region[64])
{
    Ev__ConfigObject *o = NULL;
    uint64_t version;
    int err = called[0] ? api_stored(s, "access_number", called, &o, &version) : ERR_NOTFOUND;
    region[0] = '\0';
    if (!err)
        snprintf(region, 64, "%s", o->access_number->region);
    if (o)
        ev__config_object__free_unpacked(o, NULL);
    return err == ERR_NOTFOUND ? 0 : err;
}

static json_t *told_json(const struct notice_index *ix, const Ev__Area *area, const Ev__Notice *n)
{
    return json_pack("{s:s, s:s, s:b, s:b}", "name", n->name, "title", n->title, "automatic", n->automatic, "mass",
                     n->automatic && notice_is_mass(ix, area, n));
}

int api_notices_for(struct api_server *s, const struct api_notice_ask *ask, json_t **out)
{
    struct messages areas = {.kind = CFG_AREA}, notices = {.kind = CFG_NOTICE};
    static const char sql[] = "SELECT body FROM config WHERE kind=? ORDER BY name";
    const struct storage_val kinds[] = {storage_int(CFG_AREA), storage_int(CFG_NOTICE)};
    char region[64];
    int err = region_of(s, ask->called, region);
    if (!err)
        err = storage_reader_query(s->reader, sql, &kinds[0], 1, message_row, &areas);
    if (!err)
        err = storage_reader_query(s->reader, sql, &kinds[1], 1, message_row, &notices);
    if (!err) {
        struct notice_index *ix = notice_index_make((const Ev__Area *const *)(void *)areas.v, areas.n,
                                                    (const Ev__Notice *const *)(void *)notices.v, notices.n);
        const Ev__Area *area = notice_where(ix, ask->area, ask->caller, region);
        const Ev__Notice *list[NOTICE_MENU_MAX];
        unsigned n = notice_match(ix, area, ask->at_us, false, list, NOTICE_MENU_MAX);
        json_t *items = json_array();
        for (unsigned i = 0; i < n; i++)
            if (json_array_append_new(items, told_json(ix, area, list[i])) != 0)
                err = ERR_NOMEM;
        *out = json_pack("{s:s, s:o}", "area", area ? area->name : "", "notices", items);
        err = *out ? err : ERR_NOMEM;
        notice_index_free(ix);
    }
    messages_free(&areas);
    messages_free(&notices);
    return err;
}

void api_test_notice(struct api_request *q)
{
    const char *caller = api_query(q, "caller"), *called = api_query(q, "called"), *area = api_query(q, "area"),
               *at = api_query(q, "at");
    struct api_notice_ask ask = {caller ? caller : "", called ? called : "", area ? area : "", clock_wall_now().us};
    struct err_info info = {.code = 0};
    json_t *out = NULL;
    if (at && config_parse_time(at, &ask.at_us) != 0) {
        err_set(&info, ERR_INVAL, "at", "must be a time such as 2026-03-01T09:30:00Z");
        api_fail_status(q, 400, &info);
        return;
    }
    int err = storage_reader_begin(q->s->reader, &q->index);
    if (!err) {
        err = api_notices_for(q->s, &ask, &out);
        storage_reader_end(q->s->reader);
    }
    if (!err) {
        char text[CLOCK_TEXT_MAX];
        json_object_set_new(out, "at", json_string(clock_wall_text((struct clock_wall){ask.at_us}, text)));
        api_reply(q, 200, out);
        return;
    }
    json_decref(out);
    api_fail_code(q, err, NULL, "notices cannot be read");
}
