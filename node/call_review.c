/* The caller listens to a message: one that he has left (flows with `review`), one in a box, or a greeting. Its sound is on the disks of a majority by then; where it is not on
 * ours it is fetched first. What cannot be had in REVIEW_PATIENCE_MS is not played: the flow goes on as if he had heard it. Whoever takes
 * the call over goes on where it was. */
#include <stdlib.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/uploaded.h"

#define REVIEW_PATIENCE_MS 5000u

void call_review_stop(struct call *k)
{
    struct call_review *r = &k->review;
    call_timer_stop(&r->timer);
    if (r->sound)
        uploaded_sound_cancel(r->sound);
    r->sound = NULL;
}

static void review_over(struct call *k, const char *why)
{
    log_warn("call", "%s: the message cannot be played: %s", k->text_id, why);
    call_review_stop(k);
    call_menu_event(k, IVR_EV_PLAYED, 0);
}

static void review_late(struct call *k)
{
    review_over(k, "it does not come");
}

static void review_ready(void *ctx, struct prompt *p)
{
    struct call *k = ctx;
    k->review.sound = NULL;
    call_timer_stop(&k->review.timer);
    if (k->ending || k->gone || k->shown != CALL_SHOWN_MENU)
        return;
    if (!p) {
        review_over(k, "its sound is not there");
        return;
    }
    k->play_from_ms = k->review.from_ms;
    call_play_prompt(&k->a, p, &k->play_id);
    if (!k->play_id)
        review_over(k, "there is no sound to the caller");
}

void call_review_play(struct call *k, const char *id)
{
    const struct core_call *s = call_state(k);
    char sha256[CORE_SHA256_MAX];
    struct call_review *r = &k->review;
    uint64_t message = id ? strtoull(id, NULL, 16) : s ? s->recording : 0;
    call_review_stop(k);
    r->from_ms = k->play_from_ms;
    int rc = core_message_blob(call_node(k)->core, message, sha256);
    if (!rc)
        rc = uploaded_sound(call_node(k), message, sha256, review_ready, k, &r->sound);
    if (rc)
        review_over(k, err_text(rc));
    else
        call_timer_set(k, &r->timer, REVIEW_PATIENCE_MS, review_late);
}
