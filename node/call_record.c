/* Callers who leave a message: the recording nodes of flows.
 *
 *   CallMenu with a RecordBegin ─commit─► tone ─► recorder of the caller's stream ─► node/recordings.h
 *   ... until a key, silence, the longest time, or he hangs up; then the flow waits until the message is kept, so that what it says is true.
 *
 * The state says that a recording runs and since when: who takes the call over goes on with it at once, without a tone. It does not say
 * that it has ended: who takes over between a key and the flow's next step records on, until another key or silence. */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/recordings.h"
#include "telephony/recorder.h"

#define TONE_HZ 1000u
#define TONE_DBM0 (-15)
#define TONE_MS 300u
#define KEEP_PATIENCE_MS 20000u /* the majority cannot be had: the caller is told so */

void call_record_fill(struct call *k, const struct ivr_action *a, Ev__CallMenu *m, Ev__RecordBegin *room)
{
    uint32_t longest = core_parameter_number(call_node(k)->core, "message_max_s", 180);
    ev__record_begin__init(room);
    k->record.asked = ident_call(&k->cs->ids);
    room->id = k->record.asked;
    room->box = (char *)(uintptr_t)a->name;
    room->max_s = a->record->max_s && a->record->max_s < longest ? a->record->max_s : longest;
    room->lead_ms = a->record->beep ? TONE_MS : 0;
    m->record = room;
}

static void record_tell(struct call *k, enum ivr_recorded outcome)
{
    char text[17];
    struct call_record *r = &k->record;
    call_timer_stop(&r->timer);
    r->asked = 0;
    r->over = false;
    call_menu_tell(
        k, &(struct ivr_event){
               .type = IVR_EV_RECORDED, .status = (int)outcome, .body = ident_text(r->id, text), .body_len = 16});
}

bool call_record_refused(struct call *k, const char *why)
{
    if (!k->record.asked)
        return false;
    log_info("call", "%s: nothing is recorded: %s", k->text_id, why);
    record_tell(k, IVR_RECORDED_FAILED);
    return true;
}

static void record_done(void *ctx, enum recording_outcome outcome)
{
    struct call *k = mem_ref(ctx);
    k->record.job = NULL;
    call_record_stop(k);
    if (outcome != RECORDING_LOST && !k->ending && !k->gone)
        record_tell(k, outcome == RECORDING_KEPT    ? IVR_RECORDED_KEPT
                       : outcome == RECORDING_EMPTY ? IVR_RECORDED_EMPTY
                                                    : IVR_RECORDED_FAILED);
    mem_unref(k);
}

/* It is brought to the disks without the caller waiting for it any longer. */
static void record_late(struct call *k)
{
    log_warn("call", "%s: message %016llx is not kept yet", k->text_id, (unsigned long long)k->record.id);
    call_record_stop(k);
    record_tell(k, IVR_RECORDED_FAILED);
}

static void record_end(struct call *k)
{
    struct call_record *r = &k->record;
    if (!r->job || r->over)
        return;
    r->over = true;
    if (r->recorder && k->a.media && media_stream_record(k->a.media, NULL))
        log_warn("call", "%s: the recorder goes on: the media thread is busy", k->text_id);
    recording_finish(r->job, r->how.min_s * 1000u);
    call_timer_set(k, &r->timer, KEEP_PATIENCE_MS, record_late);
}

static void record_start(struct call *k)
{
    struct call_record *r = &k->record;
    const struct recorder_params p = {.max_ms = recording_left_ms(r->job), .silence_ms = r->how.silence_s * 1000u};
    r->tone = false;
    int rc = p.max_ms == 0 ? ERR_RANGE : recorder_new(&p, &r->recorder);
    if (!rc)
        rc = k->a.media ? recording_feed(r->job, 0, r->recorder) : ERR_CLOSED;
    if (!rc)
        rc = media_stream_record(k->a.media, r->recorder);
    if (rc) { /* what there is of it is kept */
        log_warn("call", "%s: nothing more is recorded: %s", k->text_id, err_text(rc));
        if (r->recorder)
            recording_cut(r->job, r->recorder);
        record_end(k);
    }
}

/* The commit of this node's own CallMenu has begun it; else a former owner did, or it is over already. */
void call_record_ask(struct call *k, const struct ivr_action *a)
{
    struct call_record *r = &k->record;
    const struct core_call *s = call_state(k);
    bool fresh = r->asked != 0;
    r->id = fresh ? r->asked : s ? s->recording : 0;
    r->how = *a->record;
    int rc = recording_attach(call_node(k), r->id, fresh, record_done, k, &r->job);
    if (rc) {
        bool kept = core_message_kept(call_node(k)->core, r->id);
        log_info("call", "%s: message %016llx %s", k->text_id, (unsigned long long)r->id,
                 kept ? "is kept already" : err_text(rc));
        record_tell(k, kept ? IVR_RECORDED_KEPT : fresh ? IVR_RECORDED_FAILED : IVR_RECORDED_EMPTY);
        return;
    }
    r->asked = 0;
    r->tone = fresh && r->how.beep;
    if (!r->tone) {
        record_start(k);
        return;
    }
    call_play_tone(&k->a, TONE_HZ, TONE_DBM0, TONE_MS, &k->play_id);
    if (!k->play_id)
        record_start(k);
}

bool call_record_played(struct call *k)
{
    if (!k->record.job || !k->record.tone)
        return false;
    record_start(k);
    return true;
}

void call_record_ended(struct call *k)
{
    record_end(k);
}

bool call_record_key(struct call *k, char digit)
{
    const struct call_record *r = &k->record;
    if (!r->job)
        return false;
    if (!r->tone && r->how.terminator && (r->how.terminator == IVR_KEY_ANY || r->how.terminator == digit))
        record_end(k);
    return true;
}

void call_record_stop(struct call *k)
{
    struct call_record *r = &k->record;
    call_timer_stop(&r->timer);
    if (r->recorder && k->a.media && !r->over && media_stream_record(k->a.media, NULL))
        log_warn("call", "%s: the recorder goes on: the media thread is busy", k->text_id);
    recorder_unref(r->recorder);
    r->recorder = NULL;
    if (r->job)
        recording_detach(r->job);
    r->job = NULL;
    r->tone = r->over = false;
}

void call_record_hung_up(struct call *k)
{
    record_end(k);
    call_record_stop(k);
}
