/* Who hears whom, as the core thread sees it: bridges of two, rooms of many. A room is planned here as a whole (who is relayed to, who is
 * mixed, what is needed for that) and handed to its thread, which only has to put it in the place of the plan before. */
#include <stdlib.h>
#include <string.h>

#include "telephony/media_int.h"

#define NARROW_HZ 8000u
#define WIDE_HZ 16000u

_Static_assert(MEDIA_SEATS_MAX == MIX_PARTIES_MAX, "a seat is a party of the mixer");

void media_plan_free(struct media_plan *pl)
{
    if (!pl)
        return;
    for (unsigned i = 0; i < pl->n; i++) {
        mouth_free(pl->seat[i].mouth);
        media_coder_free(pl->seat[i].coder);
    }
    mix_free(pl->mix);
    free(pl);
}

/* ---- leaving */

static void leave_room(struct media_stream *s)
{
    struct media_room *r = s->core_room;
    if (!r)
        return;
    s->core_room = NULL;
    s->core_voicing = (struct media_voicing){0};
    unsigned k = 0, kept = 0;
    while (r->seats[k].stream != s)
        k++;
    uint32_t below = (UINT32_C(1) << k) - 1;
    for (unsigned i = 0; i < r->n; i++) {
        uint32_t hears = r->seats[i].hears;
        if (i != k)
            r->seats[kept++] = (struct media_seat){r->seats[i].stream, (hears & below) | (hears >> 1 & ~below)};
    }
    r->n = kept;
    r->changed = true;
}

static void leave_bridge(struct media_stream *s)
{
    if (s->core_peer)
        s->core_peer->core_peer = NULL;
    s->core_peer = NULL;
}

void media_room_forget(struct media_stream *s)
{
    leave_bridge(s);
    leave_room(s);
}

/* ---- bridges */

static struct media_cmd *move_command(struct media_stream *s, struct media_thread *to)
{
    struct media_cmd *c = media_command_new(s->e, s->thread, MEDIA_CMD_MOVE, s);
    if (c)
        c->u.thread = to;
    return c;
}

static void move(struct media_cmd *c)
{
    struct media_stream *s = c->s;
    struct media_thread *to = c->u.thread;
    media_thread_push(s->thread, c);
    s->thread->assigned--;
    s->thread = to;
    to->assigned++;
}

int media_bridge(struct media_stream *a, struct media_stream *b)
{
    if (a == b || a->e != b->e)
        return ERR_INVAL;
    if (a->closed || b->closed)
        return ERR_CLOSED;
    int rc = media_audio_pair(a, b);
    struct media_cmd *join = rc ? NULL : media_command_new(a->e, a->thread, MEDIA_CMD_BRIDGE, a);
    if (!join)
        return rc ? rc : ERR_BUSY;
    if (a->thread != b->thread) {
        struct media_cmd *c = move_command(b, a->thread);
        if (!c) {
            media_thread_free_command(join);
            return ERR_BUSY;
        }
        move(c);
    }
    join->u.peer = b;
    media_room_forget(a);
    media_room_forget(b);
    a->core_peer = b;
    b->core_peer = a;
    media_thread_push(a->thread, join);
    return 0;
}

void media_unbridge(struct media_stream *s)
{
    if (!s->core_peer)
        return;
    leave_bridge(s);
    struct media_cmd *c = media_command_new(s->e, s->thread, MEDIA_CMD_UNBRIDGE, s);
    if (c)
        media_thread_push(s->thread, c);
}

/* ---- planning a room */

static unsigned rate_of(const struct media_plan *pl)
{
    for (unsigned i = 0; i < pl->n; i++) {
        if (pl->seat[i].codec && pl->seat[i].codec->sample_hz > NARROW_HZ)
            return WIDE_HZ;
    }
    return NARROW_HZ;
}

/* Relayed to, mixed to, or sent nothing. */
static void plan_ear(struct media_plan *pl, unsigned ear)
{
    uint32_t hears = pl->seat[ear].hears, bit = UINT32_C(1) << ear;
    if (hears == 0)
        return;
    unsigned one = (unsigned)__builtin_ctz(hears);
    if ((hears & (hears - 1)) == 0 && media_codec_relays(pl->seat[one].codec, pl->seat[ear].codec)) {
        pl->seat[one].relayed_to |= bit;
    } else if (pl->seat[ear].codec) {
        pl->mixed |= bit;
        pl->decoded |= hears;
    }
}

static int plan_mix(struct media_plan *pl)
{
    int rc = mix_new(pl->rate_hz, &pl->mix);
    for (uint32_t ears = pl->mixed; !rc && ears; ears &= ears - 1) {
        unsigned ear = (unsigned)__builtin_ctz(ears);
        for (uint32_t mouths = pl->seat[ear].hears; !rc && mouths; mouths &= mouths - 1)
            rc = mix_hear(pl->mix, ear, (unsigned)__builtin_ctz(mouths), MIX_UNITY);
    }
    return rc;
}

static struct media_voicing needs_of(const struct media_plan *pl, unsigned i)
{
    return (struct media_voicing){.codec = pl->seat[i].codec,
                                  .rate_hz = pl->rate_hz,
                                  .ptime_ms = pl->seat[i].s->core_ptime_ms,
                                  .mouth = pl->decoded >> i & 1,
                                  .level = pl->level && pl->decoded >> i & 1,
                                  .coder = pl->mixed >> i & 1};
}

/* What a stream has already goes on: a new mouth would have to fill its buffer first. */
static int plan_voice(const struct media_room *r, struct media_plan *pl, unsigned i)
{
    struct media_voicing need = needs_of(pl, i), has = {0};
    if (pl->seat[i].s->core_room == r)
        has = pl->seat[i].s->core_voicing;
    bool same = has.codec == need.codec && has.rate_hz == need.rate_hz;
    int rc = 0;
    if (need.mouth && !(same && has.mouth && has.level == need.level))
        rc = media_mouth_new(need.codec, need.rate_hz, need.level, &pl->seat[i].mouth);
    if (!rc && need.coder && !(same && has.coder && has.ptime_ms == need.ptime_ms))
        rc = media_coder_new(need.codec, need.rate_hz, need.ptime_ms, pl->seat[i].s->core_fmtp, &pl->seat[i].coder);
    return rc;
}

static int plan_new(const struct media_room *r, const struct media_seat *seats, unsigned n, struct media_plan **out)
{
    struct media_plan *pl = calloc(1, sizeof *pl);
    if (!pl)
        return ERR_NOMEM;
    pl->n = n;
    pl->level = r->level;
    pl->noise = r->noise;
    uint32_t known = 0;
    for (unsigned i = 0; i < n; i++) {
        pl->seat[i].s = seats[i].stream;
        pl->seat[i].codec = seats[i].stream->core_codec;
        pl->seat[i].hears = seats[i].hears & ~(UINT32_C(1) << i);
        known |= (uint32_t)(pl->seat[i].codec != NULL) << i;
    }
    pl->rate_hz = rate_of(pl);
    for (unsigned i = 0; i < n; i++)
        plan_ear(pl, i);
    pl->decoded &= known;
    int rc = pl->mixed ? plan_mix(pl) : 0;
    for (unsigned i = 0; !rc && i < n; i++)
        rc = plan_voice(r, pl, i);
    if (rc)
        media_plan_free(pl);
    else
        *out = pl;
    return rc;
}

/* ---- rooms */

int media_room_open(struct media_engine *e, struct media_room **out)
{
    struct media_room *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->e = e;
    r->cmd_close = (struct media_cmd){.type = MEDIA_CMD_ROOM_CLOSE, .embedded = true, .room = r};
    list_init(&r->tick_node);
    list_push_back(&e->rooms, &r->node);
    *out = r;
    return 0;
}

void media_room_comfort(struct media_room *r, bool gain_control, bool noise)
{
    r->changed = r->changed || r->level != gain_control || r->noise != noise;
    r->level = gain_control;
    r->noise = noise;
}

static int check_seats(const struct media_room *r, const struct media_seat *seats, unsigned n)
{
    if (n > MEDIA_SEATS_MAX)
        return ERR_RANGE;
    for (unsigned i = 0; i < n; i++) {
        if (!seats[i].stream || seats[i].stream->e != r->e || (n < 32 && seats[i].hears >> n))
            return ERR_INVAL;
        for (unsigned k = 0; k < i; k++) {
            if (seats[k].stream == seats[i].stream)
                return ERR_INVAL;
        }
        if (seats[i].stream->closed)
            return ERR_CLOSED;
    }
    return 0;
}

/* Those of other threads, all or none. */
static int move_all(struct media_thread *to, const struct media_seat *seats, unsigned n)
{
    struct media_cmd *moves[MEDIA_SEATS_MAX];
    unsigned n_moves = 0;
    for (unsigned i = 0; i < n; i++) {
        if (seats[i].stream->thread == to)
            continue;
        moves[n_moves] = move_command(seats[i].stream, to);
        if (!moves[n_moves++]) {
            for (n_moves--; n_moves > 0; n_moves--)
                media_thread_free_command(moves[n_moves - 1]);
            return ERR_BUSY;
        }
    }
    for (unsigned i = 0; i < n_moves; i++)
        move(moves[i]);
    return 0;
}

static void note_seats(struct media_room *r, const struct media_plan *pl)
{
    while (r->n > 0) { /* those that stay are noted again */
        struct media_stream *s = r->seats[--r->n].stream;
        s->core_room = NULL;
        s->core_voicing = (struct media_voicing){0};
    }
    for (unsigned i = 0; i < pl->n; i++) {
        struct media_stream *s = pl->seat[i].s;
        media_room_forget(s);
        s->core_room = r;
        s->core_voicing = needs_of(pl, i);
        r->seats[i] = (struct media_seat){s, pl->seat[i].hears};
    }
    r->n = pl->n;
    r->changed = false;
}

/* Once pushed the command, and the room with it, may be gone. */
static void push(struct media_thread *t, struct media_cmd *c)
{
    media_thread_push(t, c);
    if (t->assigned == 0)
        t->wake_due = true; /* it has no ticks */
}

static bool is_so(const struct media_room *r, const struct media_seat *seats, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (r->seats[i].stream != seats[i].stream || r->seats[i].hears != (seats[i].hears & ~(UINT32_C(1) << i)))
            return false;
    }
    return n == r->n && !r->changed;
}

static int set_seats(struct media_room *r, const struct media_seat *seats, unsigned n)
{
    struct media_thread *t = r->thread ? r->thread : n ? seats[0].stream->thread : NULL;
    if (!t)
        return 0;
    struct media_plan *pl;
    int rc = plan_new(r, seats, n, &pl);
    if (rc)
        return rc;
    struct media_cmd *c = media_command_new(r->e, t, MEDIA_CMD_ROOM_SET, NULL);
    rc = c ? move_all(t, seats, n) : ERR_BUSY;
    if (rc) {
        media_plan_free(pl);
        free(c);
        return rc;
    }
    c->room = r;
    c->u.plan = pl;
    r->thread = t;
    note_seats(r, pl);
    push(t, c);
    return 0;
}

int media_room_set(struct media_room *r, const struct media_seat *seats, unsigned n)
{
    int rc = check_seats(r, seats, n);
    return rc || is_so(r, seats, n) ? rc : set_seats(r, seats, n);
}

void media_room_close(struct media_room *r)
{
    if (!r)
        return;
    while (r->n > 0)
        leave_room(r->seats[r->n - 1].stream);
    list_del(&r->node);
    if (r->thread)
        push(r->thread, &r->cmd_close); /* the thread frees it */
    else
        free(r);
}

void media_room_session(struct media_stream *s)
{
    struct media_room *r = s->core_room;
    if (!r)
        return;
    s->core_voicing.coder = false; /* also where no more than the parameters of a codec are others */
    struct media_seat seats[MEDIA_SEATS_MAX];
    memcpy(seats, r->seats, sizeof seats);
    r->changed = true;
    if (set_seats(r, seats, r->n))
        s->e->refused++; /* it is not heard, and hears nothing, until the room is set anew */
}
