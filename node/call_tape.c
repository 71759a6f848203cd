/* Calls that are recorded, while two parties or more talk: whose streams are heard in which channel.
 *
 *   OfferAnswered ─commit─► state says so ─► a recorder on each stream ─► node/recordings.h ─► ... the call is over ─► RecordEnd
 *
 * The streams go on as they are: a packet that is relayed or mixed is put into the recorder of the stream that it came by as well. Left is the
 * customer, right our side, as the state says (core_seats), also once they have other seats; whoever has joined the call is heard right, as long as
 * he takes part and somebody hears him. Who holds or is muted, or not there (a menu, a queue), is silence: so
 * nothing is recorded of digits that a flow collects, and of keys pressed in a talk only what the telephone puts into its audio. All that is
 * needed to go on at another node stands in the state; each reconciliation compares what should be heard with what is.
 *
 * What a stream is recorded by belongs to its leg, and goes with it from one call into another. */
#include "base/log.h"
#include "node/call_int.h"
#include "node/recordings.h"
#include "telephony/recorder.h"

/* ---- one leg */

void call_tape_leg_gone(struct call_leg *l)
{
    recorder_unref(l->taped.recorder);
    l->taped.recorder = NULL;
}

/* The recorder gives what it still has, and ends. */
static void leave(struct call_leg *l)
{
    struct recorder *r = l->taped.recorder;
    if (!r)
        return;
    struct call *k = map_get_u64(&l->call->cs->by_id, l->taped.call_id);
    if (l->media && recorder_ended(r) == RECORDER_RUNS && media_stream_record(l->media, NULL)) {
        log_warn("call", "%s: the recorder goes on unheard: the media thread is busy", l->call->text_id);
        if (k && k->tape.job)
            recording_cut(k->tape.job, r);
    }
    call_tape_leg_gone(l);
}

static bool follows(const struct call_leg *l, const struct call *k, unsigned channel)
{
    return l->taped.recorder && l->taped.call_id == k->id && l->taped.channel == channel &&
           recorder_ended(l->taped.recorder) == RECORDER_RUNS;
}

static void join(struct call_leg *l, struct call *k, unsigned channel)
{
    static const struct recorder_params endless = {0};
    struct recorder *r = NULL;
    int rc = recorder_new(&endless, &r);
    if (!rc)
        rc = recording_feed(k->tape.job, channel, r);
    if (!rc) {
        rc = media_stream_record(l->media, r);
        if (rc)
            recording_cut(k->tape.job, r);
    }
    if (rc) { /* at the next change of the call */
        log_warn("call", "%s: one party is not recorded: %s", k->text_id, err_text(rc));
        recorder_unref(r);
        return;
    }
    l->taped.recorder = r;
    l->taped.call_id = k->id;
    l->taped.channel = channel;
}

/* ---- all of a call */

#define LEGS_MAX (2u + 2u * CORE_JOINED_MAX)

/* Its own, and those of the calls that are joined to it. */
static unsigned legs_of(struct call *k, struct call_leg *out[LEGS_MAX])
{
    const struct core *c = call_node(k)->core;
    unsigned n = 0;
    out[n++] = &k->a;
    out[n++] = k->b;
    for (const struct core_call *s = NULL; n < LEGS_MAX && (s = core_joined_next(c, k->id, s)) != NULL;) {
        struct call *party = map_get_u64(&k->cs->by_id, s->id);
        if (!party)
            continue;
        out[n++] = &party->a;
        out[n++] = party->b;
    }
    return n;
}

static void tape_done(void *ctx, enum recording_outcome outcome)
{
    struct call *k = ctx;
    if (outcome == RECORDING_EMPTY || outcome == RECORDING_FAILED)
        log_info("call", "%s: nothing of it is recorded", k->text_id);
    k->tape.job = NULL;
    call_tape_stop(k);
}

static bool tape_begin(struct call *k)
{
    struct call_tape *t = &k->tape;
    if (t->job)
        return true;
    int rc = recording_attach(call_node(k), k->id, !k->adopted, tape_done, k, &t->job);
    if (rc && rc != ERR_NOTFOUND && !t->refused)
        log_warn("call", "%s: is not recorded: %s", k->text_id, err_text(rc));
    t->refused = rc != 0;
    return rc == 0;
}

struct heard {
    unsigned n;
    struct call_leg *leg[CORE_SEATS_MAX];
    unsigned channel[CORE_SEATS_MAX];
};

static struct heard heard_of(const struct call *k)
{
    struct core_seat seat[CORE_SEATS_MAX];
    struct heard h = {0};
    unsigned n = core_seats(call_node(k)->core, k->id, seat);
    for (unsigned i = 0; i < n; i++) {
        h.leg[h.n] = seat[i].side == CORE_SIDE_NONE ? NULL : call_room_leg(k->cs, &seat[i]);
        h.channel[h.n] = seat[i].side == CORE_SIDE_LEFT ? 0 : 1;
        h.n += h.leg[h.n] != NULL;
    }
    return h;
}

static bool is_as_wanted(const struct call_leg *l, const struct call *k, const struct heard *h)
{
    for (unsigned i = 0; i < h->n; i++)
        if (h->leg[i] == l)
            return follows(l, k, h->channel[i]);
    return false;
}

/* Who changes sides leaves the one before he joins the other: a stream has one recorder. */
static void follow(struct call *k, const struct heard *h)
{
    struct call_leg *leg[LEGS_MAX];
    unsigned n = legs_of(k, leg);
    for (unsigned i = 0; i < n; i++)
        if (!is_as_wanted(leg[i], k, h))
            leave(leg[i]);
    for (unsigned i = 0; i < h->n; i++)
        if (!h->leg[i]->taped.recorder)
            join(h->leg[i], k, h->channel[i]);
}

void call_tape_follow(struct call *k)
{
    static const struct heard nobody = {0};
    struct call *m = k->ending || k->gone ? NULL : call_room_main(k);
    const struct core_call *s = m ? call_state(m) : NULL;
    if (!s || m->ending || m->gone)
        return;
    bool talks = s->phase == CORE_CALL_TALKING && s->recorded_us && !s->recording_paused;
    bool made = talks && tape_begin(m);
    const struct heard h = made ? heard_of(m) : nobody;
    follow(m, &h);
}

void call_tape_stop(struct call *k)
{
    struct call_leg *leg[LEGS_MAX];
    unsigned n = legs_of(k, leg);
    for (unsigned i = 0; i < n; i++)
        if (leg[i]->taped.call_id == k->id)
            leave(leg[i]);
    if (k->tape.job)
        recording_detach(k->tape.job);
    k->tape.job = NULL;
}

void call_tape_hung_up(struct call *k)
{
    if (k->tape.job)
        recording_finish(k->tape.job, 0);
    call_tape_stop(k);
}
