#include "raft/raft_msg.h"

#include <string.h>

#include "raft/wire.h"

/* Encoding of a configuration in the library: u8 format 1, u64 n, n times u64 id, string, u8 role; padded to 8. */
#define RAFT_MSG_CONF_FORMAT 1

static size_t raft_msg_conf_size(const struct raft_configuration *c)
{
    size_t n = 4;
    for (unsigned i = 0; i < c->n; i++)
        n += 8 + 1 + 1 + strnlen(c->servers[i].address, RAFT_MSG_ADDRESS_MAX);
    return n;
}

static uint8_t *raft_msg_conf_put(uint8_t *p, const struct raft_configuration *c)
{
    p = wire_put32(p, c->n);
    for (unsigned i = 0; i < c->n; i++) {
        p = wire_put64(p, c->servers[i].id);
        p = wire_put8(p, (uint8_t)c->servers[i].role);
        p = wire_put_str(p, c->servers[i].address);
    }
    return p;
}

static int raft_msg_conf_get(struct wire_reader *r, struct raft_configuration *c)
{
    char address[RAFT_MSG_ADDRESS_MAX + 1];
    uint32_t n = wire_get32(r);
    raft_configuration_init(c);
    if (n > RAFT_MSG_SERVERS_MAX)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t id = wire_get64(r);
        uint8_t role = wire_get8(r);
        wire_get_str(r, address, sizeof address);
        int rc = r->bad || !id || !address[0] || role > RAFT_SPARE ? RAFT_MALFORMED
                                                                   : raft_configuration_add(c, id, address, role);
        if (rc) {
            raft_configuration_close(c);
            return rc == RAFT_NOMEM ? ERR_NOMEM : ERR_CORRUPT;
        }
    }
    return 0;
}

/* A configuration inside a log entry is decoded by the library without looking at the end of the buffer. */
static bool raft_msg_change_sound(const uint8_t *data, size_t len)
{
    struct wire_reader r;
    wire_reader_init(&r, data, len);
    uint8_t format = wire_get8(&r);
    uint64_t n = wire_get64(&r);
    if (r.bad || format != RAFT_MSG_CONF_FORMAT || !n || n > RAFT_MSG_SERVERS_MAX)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t id = wire_get64(&r);
        const uint8_t *nul = r.bad ? NULL : memchr(r.at, 0, wire_left(&r));
        if (!id || !nul || nul == r.at || (size_t)(nul - r.at) > RAFT_MSG_ADDRESS_MAX)
            return false;
        r.at = nul + 1;
        if (wire_get8(&r) > RAFT_SPARE || r.bad)
            return false;
    }
    return wire_left(&r) < 8;
}

size_t raft_msg_size(const struct raft_message *m, unsigned from, unsigned to)
{
    size_t n = 2;
    switch (m->type) {
    case RAFT_REQUEST_VOTE:
        return n + 8 * 4 + 1;
    case RAFT_REQUEST_VOTE_RESULT:
        return n + 8 + 1 + 2 + 2;
    case RAFT_APPEND_ENTRIES:
        n += 8 * 4 + 4;
        for (unsigned i = from; i < to; i++)
            n += 8 + 1 + 4 + wire_pad8(m->append_entries.entries[i].buf.len);
        return n;
    case RAFT_APPEND_ENTRIES_RESULT:
        return n + 8 * 3 + 2 + 2;
    case RAFT_INSTALL_SNAPSHOT:
        return n + 8 * 4 + raft_msg_conf_size(&m->install_snapshot.conf) + 4 + m->install_snapshot.data.len;
    case RAFT_TIMEOUT_NOW:
        return n + 8 * 3;
    default:
        return 0;
    }
}

static uint8_t *raft_msg_append_put(uint8_t *p, const struct raft_append_entries *a, unsigned from, unsigned to)
{
    p = wire_put64(p, a->term);
    p = wire_put64(p, a->prev_log_index + from);
    p = wire_put64(p, from ? a->entries[from - 1].term : a->prev_log_term);
    p = wire_put64(p, a->leader_commit);
    p = wire_put32(p, to - from);
    for (unsigned i = from; i < to; i++) {
        p = wire_put64(p, a->entries[i].term);
        p = wire_put8(p, (uint8_t)a->entries[i].type);
        p = wire_put32(p, (uint32_t)a->entries[i].buf.len);
    }
    for (unsigned i = from; i < to; i++) {
        size_t len = a->entries[i].buf.len;
        if (len)
            memcpy(p, a->entries[i].buf.base, len);
        memset(p + len, 0, wire_pad8(len) - len);
        p += wire_pad8(len);
    }
    return p;
}

uint8_t *raft_msg_encode(uint8_t *p, const struct raft_message *m, unsigned from, unsigned to)
{
    p = wire_put8(p, (uint8_t)m->type);
    switch (m->type) {
    case RAFT_REQUEST_VOTE: {
        const struct raft_request_vote *a = &m->request_vote;
        p = wire_put8(p, a->version);
        p = wire_put64(p, a->term);
        p = wire_put64(p, a->candidate_id);
        p = wire_put64(p, a->last_log_index);
        p = wire_put64(p, a->last_log_term);
        return wire_put8(p, (uint8_t)(a->disrupt_leader | a->pre_vote << 1));
    }
    case RAFT_REQUEST_VOTE_RESULT: {
        const struct raft_request_vote_result *a = &m->request_vote_result;
        p = wire_put8(p, a->version);
        p = wire_put64(p, a->term);
        p = wire_put8(p, (uint8_t)(a->vote_granted | a->pre_vote << 1));
        p = wire_put16(p, a->features);
        return wire_put16(p, a->capacity);
    }
    case RAFT_APPEND_ENTRIES:
        p = wire_put8(p, m->append_entries.version);
        return raft_msg_append_put(p, &m->append_entries, from, to);
    case RAFT_APPEND_ENTRIES_RESULT: {
        const struct raft_append_entries_result *a = &m->append_entries_result;
        p = wire_put8(p, a->version);
        p = wire_put64(p, a->term);
        p = wire_put64(p, a->rejected);
        p = wire_put64(p, a->last_log_index);
        p = wire_put16(p, a->features);
        return wire_put16(p, a->capacity);
    }
    case RAFT_INSTALL_SNAPSHOT: {
        const struct raft_install_snapshot *a = &m->install_snapshot;
        p = wire_put8(p, a->version);
        p = wire_put64(p, a->term);
        p = wire_put64(p, a->last_index);
        p = wire_put64(p, a->last_term);
        p = wire_put64(p, a->conf_index);
        p = raft_msg_conf_put(p, &a->conf);
        p = wire_put32(p, (uint32_t)a->data.len);
        memcpy(p, a->data.base, a->data.len);
        return p + a->data.len;
    }
    case RAFT_TIMEOUT_NOW: {
        const struct raft_timeout_now *a = &m->timeout_now;
        p = wire_put8(p, a->version);
        p = wire_put64(p, a->term);
        p = wire_put64(p, a->last_log_index);
        return wire_put64(p, a->last_log_term);
    }
    default:
        return p;
    }
}

static int raft_msg_entries_get(struct wire_reader *r, struct raft_append_entries *a)
{
    uint32_t n = wire_get32(r);
    a->entries = NULL;
    a->n_entries = 0;
    if (r->bad || n > RAFT_MSG_ENTRIES_MAX || n > wire_left(r) / 13)
        return ERR_CORRUPT;
    if (!n)
        return 0;
    struct raft_entry *entries = raft_malloc(n * sizeof *entries);
    if (!entries)
        return ERR_NOMEM;
    uint8_t *batch = NULL;
    int rc = ERR_CORRUPT;
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        entries[i].term = wire_get64(r);
        uint8_t type = wire_get8(r);
        entries[i].buf.len = wire_get32(r);
        /* an empty entry has no place in our log, and the library would hand a NULL buffer on */
        if (type < RAFT_COMMAND || type > RAFT_CHANGE || !entries[i].buf.len)
            goto out;
        entries[i].type = type;
        total += wire_pad8(entries[i].buf.len);
    }
    if (r->bad || total != wire_left(r))
        goto out;
    rc = ERR_NOMEM;
    batch = raft_malloc((size_t)total);
    if (!batch)
        goto out;
    memcpy(batch, r->at, (size_t)total);
    rc = ERR_CORRUPT;
    uint8_t *at = batch;
    for (uint32_t i = 0; i < n; i++) {
        entries[i].buf.base = at;
        entries[i].batch = batch;
        if (entries[i].type == RAFT_CHANGE && !raft_msg_change_sound(at, entries[i].buf.len))
            goto out;
        /* the library reads and drops committed data when a length is not a multiple of 8 */
        if (entries[i].buf.len % 8)
            goto out;
        at += entries[i].buf.len;
    }
    r->at = r->end;
    a->entries = entries;
    a->n_entries = n;
    return 0;
out:
    raft_free(batch);
    raft_free(entries);
    return rc;
}

static int raft_msg_install_get(struct wire_reader *r, struct raft_install_snapshot *a)
{
    int rc = raft_msg_conf_get(r, &a->conf);
    if (rc)
        return rc;
    uint32_t len = wire_get32(r);
    const uint8_t *data = wire_take(r, len);
    if (!data || !len || len > RAFT_MSG_SNAPSHOT_MAX || !a->conf.n) {
        raft_configuration_close(&a->conf);
        return ERR_CORRUPT;
    }
    a->data.base = raft_malloc(len);
    if (!a->data.base) {
        raft_configuration_close(&a->conf);
        return ERR_NOMEM;
    }
    memcpy(a->data.base, data, len);
    a->data.len = len;
    return 0;
}

int raft_msg_decode(const void *data, size_t len, struct raft_message *out)
{
    struct wire_reader r;
    struct raft_message m;
    int rc = 0;
    wire_reader_init(&r, data, len);
    memset(&m, 0, sizeof m);
    uint8_t type = wire_get8(&r), version = wire_get8(&r);
    switch (type) {
    case RAFT_REQUEST_VOTE: {
        struct raft_request_vote *a = &m.request_vote;
        a->version = version;
        a->term = wire_get64(&r);
        a->candidate_id = wire_get64(&r);
        a->last_log_index = wire_get64(&r);
        a->last_log_term = wire_get64(&r);
        uint8_t flags = wire_get8(&r);
        a->disrupt_leader = flags & 1;
        a->pre_vote = flags >> 1 & 1;
        break;
    }
    case RAFT_REQUEST_VOTE_RESULT: {
        struct raft_request_vote_result *a = &m.request_vote_result;
        a->version = version;
        a->term = wire_get64(&r);
        uint8_t flags = wire_get8(&r);
        a->vote_granted = flags & 1;
        a->pre_vote = flags >> 1 & 1;
        a->features = wire_get16(&r);
        a->capacity = wire_get16(&r);
        break;
    }
    case RAFT_APPEND_ENTRIES: {
        struct raft_append_entries *a = &m.append_entries;
        a->version = version;
        a->term = wire_get64(&r);
        a->prev_log_index = wire_get64(&r);
        a->prev_log_term = wire_get64(&r);
        a->leader_commit = wire_get64(&r);
        rc = raft_msg_entries_get(&r, a);
        break;
    }
    case RAFT_APPEND_ENTRIES_RESULT: {
        struct raft_append_entries_result *a = &m.append_entries_result;
        a->version = version;
        a->term = wire_get64(&r);
        a->rejected = wire_get64(&r);
        a->last_log_index = wire_get64(&r);
        a->features = wire_get16(&r);
        a->capacity = wire_get16(&r);
        break;
    }
    case RAFT_INSTALL_SNAPSHOT: {
        struct raft_install_snapshot *a = &m.install_snapshot;
        a->version = version;
        a->term = wire_get64(&r);
        a->last_index = wire_get64(&r);
        a->last_term = wire_get64(&r);
        a->conf_index = wire_get64(&r);
        rc = raft_msg_install_get(&r, a);
        break;
    }
    case RAFT_TIMEOUT_NOW: {
        struct raft_timeout_now *a = &m.timeout_now;
        a->version = version;
        a->term = wire_get64(&r);
        a->last_log_index = wire_get64(&r);
        a->last_log_term = wire_get64(&r);
        break;
    }
    default:
        return ERR_CORRUPT;
    }
    if (rc)
        return rc;
    m.type = (enum raft_message_type)type;
    if (r.bad || wire_left(&r)) {
        raft_msg_release(&m);
        return ERR_CORRUPT;
    }
    *out = m;
    return 0;
}

void raft_msg_release(struct raft_message *m)
{
    if (m->type == RAFT_APPEND_ENTRIES && m->append_entries.n_entries) {
        raft_free(m->append_entries.entries[0].batch);
        raft_free(m->append_entries.entries);
    } else if (m->type == RAFT_INSTALL_SNAPSHOT) {
        raft_configuration_close(&m->install_snapshot.conf);
        raft_free(m->install_snapshot.data.base);
    }
}
