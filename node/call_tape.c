/* Calls that are recorded, while two parties talk: which of their streams is heard in which channel.
 *
 *   OfferAnswered ─commit─► state says so ─► a recorder on each stream ─► node/recordings.h ─► ... the call is over ─► RecordEnd
 *
 * The streams go on as they are: a packet that is relayed is put into the recorder of the stream that it came by as well. Left is the
 * customer, right our side, as the state says (core_recording_about.c), also once they have other seats. Who is on hold, or not there (a menu, a queue), is silence: so
 * nothing is recorded of digits that a flow collects, and of keys pressed in a talk only what the telephone puts into its audio. All that is
 * needed to go on at another node stands in the state; each reconciliation compares what should be heard with what is. */
#include "base/log.h"
#include "node/call_int.h"
#include "node/recordings.h"
#include "telephony/recorder.h"

static void tape_channel_stop(struct call *k, unsigned channel)
{
    struct call_tape *t = &k->tape;
    recorder_unref(t->recorder[channel]);
    t->recorder[channel] = NULL;
    t->on[channel] = NULL;
}

/* The recorder gives what it still has, and ends. */
static void tape_channel_leave(struct call *k, unsigned channel)
{
    const struct call_tape *t = &k->tape;
    struct media_stream *s = t->on[channel];
    bool there = s && (s == k->a.media || s == k->b->media);
    if (there && recorder_ended(t->recorder[channel]) == RECORDER_RUNS && media_stream_record(s, NULL))
        log_warn("call", "%s: the recorder goes on: the media thread is busy", k->text_id);
    tape_channel_stop(k, channel);
}

static void tape_done(void *ctx, enum recording_outcome outcome)
{
    struct call *k = ctx;
    if (outcome == RECORDING_EMPTY || outcome == RECORDING_FAILED)
        log_info("call", "%s: nothing of it is recorded", k->text_id);
    k->tape.job = NULL;
    call_tape_stop(k);
}

static bool tape_channel_follows(const struct call *k, unsigned channel, const struct media_stream *s)
{
    const struct call_tape *t = &k->tape;
    return s == t->on[channel] && (!s || recorder_ended(t->recorder[channel]) == RECORDER_RUNS);
}

static void tape_channel_join(struct call *k, unsigned channel, struct media_stream *s)
{
    static const struct recorder_params endless = {0};
    struct call_tape *t = &k->tape;
    struct recorder *r = NULL;
    int rc = recorder_new(&endless, &r);
    if (!rc)
        rc = media_stream_record(s, r);
    if (rc) { /* at the next change of the call */
        log_warn("call", "%s: one side is not recorded: %s", k->text_id, err_text(rc));
        recorder_unref(r);
        return;
    }
    recording_feed(t->job, channel, r);
    t->recorder[channel] = r;
    t->on[channel] = s;
}

/* Who changes sides leaves the one before he joins the other: a stream has one recorder. */
static void tape_follow(struct call *k, struct media_stream *const side[2])
{
    for (unsigned i = 0; i < 2; i++)
        if (!tape_channel_follows(k, i, side[i]))
            tape_channel_leave(k, i);
    for (unsigned i = 0; i < 2; i++)
        if (side[i] && !tape_channel_follows(k, i, side[i]))
            tape_channel_join(k, i, side[i]);
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

void call_tape_follow(struct call *k, const struct core_call *s)
{
    bool talks = s->phase == CORE_CALL_TALKING && s->recorded_us && !s->recording_paused;
    unsigned caller = s->recorded_left == CORE_LEG_CALLER ? 0 : 1;
    if (k->ending || k->gone)
        return;
    if (talks && !tape_begin(k))
        return;
    if (!k->tape.job)
        return;
    struct media_stream *side[2] = {NULL, NULL};
    if (talks) {
        side[caller] = k->a.media;
        side[1 - caller] = k->b->media;
    }
    tape_follow(k, side);
}

void call_tape_stop(struct call *k)
{
    for (unsigned i = 0; i < 2; i++)
        tape_channel_leave(k, i);
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
