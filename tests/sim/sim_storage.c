/* A stand-in for storage/ in memory: as much of its contract as core uses. It keeps the rows that core reads again when it
 * opens, so that a restarted node is rebuilt as from its tables, and a running digest over every statement and value. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "storage/storage.h"
#include "tests/sim/sim.h"

enum {
    T_APPLIED,
    T_CLUSTER,
    T_IDEM,
    T_CONFIG,
    T_NODE,
    T_ADDRESS,
    T_REG,
    T_AGENT,
    T_CALL,
    T_CDR,
    T_QUEUE,
    T_CALLBACK,
    T_MESSAGE,
    T_COUNT
};

struct row {
    unsigned n;
    struct storage_val v[];
};
struct table {
    struct row **rows;
    size_t n, cap;
};
struct storage {
    struct table t[T_COUNT];
    uint64_t hash, applied;
    int err;
};
struct storage_row {
    const struct row *r;
    unsigned from;
};

static void fatal(const char *what, int sql)
{
    log_error("sim", "the storage of the simulation cannot do this: %s (statement %d)", what, sql);
    abort();
}

static bool same(const struct storage_val *a, const struct storage_val *b)
{
    if (a->type == STORAGE_INT)
        return a->i == b->i;
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static int order(const struct storage_val *a, const struct storage_val *b)
{
    if (a->type == STORAGE_INT)
        return a->i < b->i ? -1 : a->i > b->i;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = n ? memcmp(a->p, b->p, n) : 0;
    return c ? c : a->len < b->len ? -1 : a->len > b->len;
}

static struct row *copy(const struct storage_val *v, unsigned n)
{
    size_t bytes = sizeof(struct row) + n * sizeof *v;
    for (unsigned i = 0; i < n; i++)
        bytes += v[i].type == STORAGE_INT ? 0 : v[i].len + 1;
    struct row *r = malloc(bytes);
    if (!r)
        abort();
    char *at = (char *)(r->v + n);
    r->n = n;
    for (unsigned i = 0; i < n; i++) {
        r->v[i] = v[i];
        if (v[i].type == STORAGE_INT)
            continue;
        if (v[i].len)
            memcpy(at, v[i].p, v[i].len);
        at[v[i].len] = '\0';
        r->v[i].p = at;
        at += v[i].len + 1;
    }
    return r;
}

/* Rows stand in the order of their keys; `keys` columns from `first` are the key. */
static size_t place_of(const struct table *t, const struct storage_val *key, unsigned first, unsigned keys, bool *there)
{
    size_t lo = 0, hi = t->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = 0;
        for (unsigned i = 0; i < keys && !c; i++)
            c = order(&t->rows[mid]->v[first + i], &key[i]);
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *there = lo < t->n;
    for (unsigned i = 0; i < keys && *there; i++)
        *there = same(&t->rows[lo]->v[first + i], &key[i]);
    return lo;
}

static int put(struct table *t, const struct storage_val *v, unsigned n, unsigned first, unsigned keys, bool replace)
{
    bool there;
    size_t at = place_of(t, v + first, first, keys, &there);
    if (there) {
        if (!replace)
            return ERR_CORRUPT; /* a constraint of the schema */
        free(t->rows[at]);
        t->rows[at] = copy(v, n);
        return 0;
    }
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->rows = realloc(t->rows, t->cap * sizeof(struct row *));
        if (!t->rows)
            abort();
    }
    memmove(t->rows + at + 1, t->rows + at, (t->n - at) * sizeof(struct row *));
    t->rows[at] = copy(v, n);
    t->n++;
    return 0;
}

static void del(struct table *t, const struct storage_val *key, unsigned keys)
{
    bool there;
    size_t at = place_of(t, key, 0, keys, &there);
    if (!there)
        return;
    free(t->rows[at]);
    t->n--;
    memmove(t->rows + at, t->rows + at + 1, (t->n - at) * sizeof(struct row *));
}

/* ---- digest */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ (h >> 29);
}

static uint64_t mix_bytes(uint64_t h, const void *p, size_t len)
{
    const unsigned char *b = p;
    h = mix(h, len);
    for (; len >= 8; len -= 8, b += 8) {
        uint64_t v;
        memcpy(&v, b, 8);
        h = mix(h, v);
    }
    uint64_t last = 0;
    if (len)
        memcpy(&last, b, len);
    return mix(h, last);
}

static void note(struct storage *st, enum storage_sql sql, const struct storage_val *v, unsigned n)
{
    uint64_t h = mix(st->hash, (uint64_t)sql);
    for (unsigned i = 0; i < n; i++)
        h = v[i].type == STORAGE_INT ? mix(h, (uint64_t)v[i].i) : mix_bytes(h, v[i].p, v[i].len);
    st->hash = h;
}

static int one_row(const struct storage_val *v, unsigned n, storage_row_fn *fn, void *ctx)
{
    struct row *r = copy(v, n);
    const struct storage_row row = {r, 0};
    int rc = fn(ctx, &row);
    free(r);
    return rc;
}

/* ---- messages: as they were begun, by that time, which no two have in common; then owner, whether kept and how long */

enum {
    M_STARTED,
    M_ID,
    M_BOX,
    M_OWNER,
    M_CALL,
    M_CALLER,
    M_CALLED,
    M_QUEUE,
    M_FLOW,
    M_LEAD,
    M_MAX,
    M_KEPT,
    M_LENGTH,
    M_BLOB,
    M_COLUMNS
};

static struct row *message_row(const struct table *t, const struct storage_val *id)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i]->v[M_ID].i == id->i)
            return t->rows[i];
    return NULL;
}

static int message_run(struct table *t, enum storage_sql sql, const struct storage_val *v, unsigned n)
{
    struct storage_val next[M_COLUMNS];
    const struct row *old = sql == STORAGE_MESSAGE_PUT ? NULL : message_row(t, &v[0]);
    if (old)
        memcpy(next, old->v, sizeof next);
    if (sql == STORAGE_MESSAGE_PUT) {
        memcpy(next, v, n * sizeof *v);
        next[M_KEPT] = next[M_LENGTH] = storage_int(0);
        next[M_BLOB] = storage_text("");
    } else if (old && sql == STORAGE_MESSAGE_OWNER) {
        next[M_OWNER] = v[1];
    } else if (old && sql == STORAGE_MESSAGE_KEEP) {
        next[M_OWNER] = storage_text("");
        next[M_KEPT] = storage_int(1);
        next[M_BLOB] = v[1];
        next[M_LENGTH] = v[3];
    } else if (old) {
        del(t, &old->v[M_STARTED], 1);
        return 0;
    } else {
        return ERR_CORRUPT; /* core never asks for it */
    }
    struct row *copied = copy(next, M_COLUMNS); /* the old row may go first */
    int err = put(t, copied->v, M_COLUMNS, 0, 1, sql != STORAGE_MESSAGE_PUT);
    free(copied);
    return err;
}

static int message_query(const struct table *t, enum storage_sql sql, const struct storage_val *v, storage_row_fn *fn,
                         void *ctx)
{
    uint64_t in_box = 0;
    const struct row *found = NULL;
    if (sql == STORAGE_MESSAGE_GET)
        found = message_row(t, &v[0]);
    if (sql == STORAGE_MESSAGE_GET && !found)
        return 0;
    struct storage_val out[10] = {{0}};
    for (size_t i = 0; i < t->n && sql != STORAGE_MESSAGE_GET; i++) {
        const struct storage_val *m = t->rows[i]->v;
        const struct storage_val pending[] = {m[M_STARTED], m[M_ID],   m[M_BOX], m[M_OWNER],
                                              m[M_CALL],    m[M_LEAD], m[M_MAX]};
        in_box += sql == STORAGE_MESSAGE_COUNT && same(&m[M_BOX], &v[0]);
        if (sql == STORAGE_MESSAGE_OLDEST && m[M_KEPT].i)
            return one_row(m, 1, fn, ctx);
        int rc = sql == STORAGE_MESSAGE_PENDING && !m[M_KEPT].i ? one_row(pending, 7, fn, ctx) : 0;
        if (rc)
            return rc;
    }
    if (sql == STORAGE_MESSAGE_COUNT) {
        out[0] = storage_int(in_box);
        return one_row(out, 1, fn, ctx);
    }
    if (!found)
        return 0;
    static const unsigned get[] = {M_KEPT, M_BOX, M_CALLER, M_CALLED, M_CALL, M_QUEUE, M_STARTED, M_LENGTH};
    for (unsigned i = 0; i < 8; i++)
        out[i] = found->v[get[i]];
    out[8] = storage_int(0);
    out[9] = found->v[M_BLOB];
    return one_row(out, 10, fn, ctx);
}

/* ---- the contract */

int storage_begin(struct storage *st)
{
    st->err = 0;
    return 0;
}

int storage_commit(struct storage *st, uint64_t index)
{
    if (!st->err)
        st->applied = index;
    return st->err;
}

void storage_rollback(struct storage *st)
{
    (void)st; /* core stops after it: nothing of this storage is used again */
}

uint64_t storage_applied_index(const struct storage *st)
{
    return st->applied;
}

void storage_run(struct storage *st, enum storage_sql sql, const struct storage_val *v, unsigned n)
{
    struct table *t = st->t;
    int err = 0;
    note(st, sql, v, n);
    switch ((int)sql) {
    case STORAGE_APPLIED_PUT:
        err = put(&t[T_APPLIED], v, n, 0, 0, true);
        break;
    case STORAGE_CLUSTER_PUT:
        err = put(&t[T_CLUSTER], v, n, 0, 0, true);
        break;
    case STORAGE_IDEM_PUT:
        err = put(&t[T_IDEM], v, n, 1, 1, false);
        break;
    case STORAGE_CONFIG_PUT:
        err = put(&t[T_CONFIG], v, n, 0, 2, true);
        break;
    case STORAGE_CONFIG_DEL:
        del(&t[T_CONFIG], v, 2);
        break;
    case STORAGE_NODE_PUT:
        err = put(&t[T_NODE], v, n, 0, 1, true);
        break;
    case STORAGE_NODE_DEL:
        del(&t[T_NODE], v, 1);
        break;
    case STORAGE_ADDRESS_PUT:
        err = put(&t[T_ADDRESS], v, n, 0, 1, true);
        break;
    case STORAGE_ADDRESS_DEL:
        del(&t[T_ADDRESS], v, 1);
        break;
    case STORAGE_AGENT_PUT:
        err = put(&t[T_AGENT], v, n, 0, 1, true);
        break;
    case STORAGE_AGENT_DEL:
        del(&t[T_AGENT], v, 1);
        break;
    case STORAGE_CALL_PUT:
        err = put(&t[T_CALL], v, n, 0, 1, true);
        break;
    case STORAGE_CALL_DEL:
        del(&t[T_CALL], v, 1);
        break;
    case STORAGE_QUEUE_STATE_PUT:
        err = put(&t[T_QUEUE], v, n, 0, 1, true);
        break;
    case STORAGE_QUEUE_STATE_DEL:
        del(&t[T_QUEUE], v, 1);
        break;
    case STORAGE_CALLBACK_PUT:
        err = put(&t[T_CALLBACK], v, n, 0, 1, true);
        break;
    case STORAGE_CALLBACK_DEL:
        del(&t[T_CALLBACK], v, 1);
        break;
    case STORAGE_DELIVERY_DEL: /* no box there has anybody who is told */
        break;
    case STORAGE_MESSAGE_PUT:
    case STORAGE_MESSAGE_OWNER:
    case STORAGE_MESSAGE_KEEP:
    case STORAGE_MESSAGE_DEL:
        err = message_run(&t[T_MESSAGE], sql, v, n);
        break;
    case STORAGE_CDR_PUT:
        err = put(&t[T_CDR], v, n, 1, 1, false);
        break;
    case STORAGE_MISSED_PUT:
    case STORAGE_MISSED_FOLLOW:
    case STORAGE_MISSED_TRIM:
    case STORAGE_EVENT_PUT:
    case STORAGE_AUDIT_PUT:
        break; /* written only: the digest has them */
    default:
        fatal("statement", (int)sql);
    }
    if (err && !st->err)
        st->err = err;
}

static int all(const struct table *t, unsigned from, storage_row_fn *fn, void *ctx)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct storage_row row = {t->rows[i], from};
        int rc = fn(ctx, &row);
        if (rc)
            return rc;
    }
    return 0;
}

static int one(const struct table *t, const struct storage_val *key, unsigned column, unsigned from, storage_row_fn *fn,
               void *ctx)
{
    bool there;
    size_t at = place_of(t, key, column, 1, &there);
    const struct storage_row row = {there ? t->rows[at] : NULL, from};
    return there ? fn(ctx, &row) : 0;
}

static int idem_oldest(const struct table *t, storage_row_fn *fn, void *ctx)
{
    const struct row *old = NULL;
    for (size_t i = 0; i < t->n; i++) {
        if (!old || t->rows[i]->v[0].i < old->v[0].i)
            old = t->rows[i];
    }
    const struct storage_row row = {old, 9};
    return old ? fn(ctx, &row) : 0;
}

int storage_query(struct storage *st, enum storage_sql sql, const struct storage_val *v, unsigned n, storage_row_fn *fn,
                  void *ctx)
{
    struct table *t = st->t;
    (void)n;
    switch ((int)sql) {
    case STORAGE_APPLIED_GET:
        return all(&t[T_APPLIED], 0, fn, ctx);
    case STORAGE_CLUSTER_GET:
        return all(&t[T_CLUSTER], 0, fn, ctx);
    case STORAGE_CONFIG_ALL:
        return all(&t[T_CONFIG], 0, fn, ctx);
    case STORAGE_NODE_ALL:
        return all(&t[T_NODE], 0, fn, ctx);
    case STORAGE_ADDRESS_ALL:
        return all(&t[T_ADDRESS], 0, fn, ctx);
    case STORAGE_REG_ALL:
        return all(&t[T_REG], 0, fn, ctx); /* telephones here have static contacts */
    case STORAGE_AGENT_ALL:
        return all(&t[T_AGENT], 0, fn, ctx);
    case STORAGE_CALL_ALL:
        return all(&t[T_CALL], 8, fn, ctx);
    case STORAGE_QUEUE_STATE_ALL:
        return all(&t[T_QUEUE], 0, fn, ctx);
    case STORAGE_CALLBACK_ALL:
        return all(&t[T_CALLBACK], 5, fn, ctx);
    case STORAGE_SUBSCRIPTION_ALL:
        return 0; /* nor does a telephone subscribe */
    case STORAGE_IDEM_GET:
        return one(&t[T_IDEM], v, 1, 2, fn, ctx);
    case STORAGE_IDEM_OLDEST:
        return idem_oldest(&t[T_IDEM], fn, ctx);
    case STORAGE_CDR_HAS:
        return one(&t[T_CDR], v, 1, 0, fn, ctx);
    case STORAGE_MESSAGE_PENDING:
    case STORAGE_MESSAGE_OLDEST:
    case STORAGE_MESSAGE_GET:
    case STORAGE_MESSAGE_LATEST:
    case STORAGE_DELIVERY_PENDING:
    case STORAGE_MESSAGE_COUNT:
        return message_query(&t[T_MESSAGE], sql, v, fn, ctx);
    case STORAGE_RECORDING_PENDING:
    case STORAGE_RECORDING_TOTAL:
    case STORAGE_RECORDING_OLDEST:
        return 0; /* no call is recorded here */
    default:
        fatal("query", (int)sql);
    }
    return ERR_UNSUPPORTED;
}

uint64_t storage_row_int(const struct storage_row *row, int column)
{
    return (uint64_t)row->r->v[row->from + (unsigned)column].i;
}

const char *storage_row_text(const struct storage_row *row, int column)
{
    const struct storage_val *v = &row->r->v[row->from + (unsigned)column];
    return v->type == STORAGE_NULL ? "" : v->p;
}

const void *storage_row_blob(const struct storage_row *row, int column, size_t *len)
{
    const struct storage_val *v = &row->r->v[row->from + (unsigned)column];
    *len = v->len;
    return v->p;
}

/* ---- for the simulation */

struct storage *sim_store_new(struct sim *s, int node)
{
    (void)s;
    (void)node;
    struct storage *st = calloc(1, sizeof *st);
    if (!st)
        abort();
    return st;
}

void sim_store_free(struct storage *st)
{
    for (unsigned k = 0; st && k < T_COUNT; k++) {
        for (size_t i = 0; i < st->t[k].n; i++)
            free(st->t[k].rows[i]);
        free(st->t[k].rows);
    }
    free(st);
}

uint64_t sim_store_hash(const struct storage *st)
{
    return st->hash;
}

uint64_t sim_store_digest(struct storage *st)
{
    return st->hash;
}

struct storage *sim_store_reopen(struct storage *st)
{
    return st;
}
