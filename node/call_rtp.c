/* The numbers of what our legs send, so that another node can go on with them: see rtp_line.h.
 *
 * Every command that carries a dialog says where they stand, which costs nothing. Between commands they are where the line says, as
 * long as packets come at the rate that it tells of; every RTP_LOOK_MS all legs are looked at, and one whose numbers have strayed is
 * written down anew. A call that talks with packets of 20 ms all the time never needs that. Packets of 10 ms, silence that is not
 * sent or a long pause in a menu cost one LegUpdate when 600 packets too many or too few have gone out, after 12 s at the
 * earliest, and with the right rate usually none after. So does a telephone whose clock drifts by 40 ms. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/call_int.h"
#include "node/lease.h"

#define RTP_LOOK_MS 5000u
#define RTP_TS_LOOKS 3u     /* a jittering packet or a key held down is no drift */
#define RTP_WRITES_MAX 100u /* of one look: when all stray at once (a clock was set), others wait for the next */
#define RTP_PER_S_MAX 500u
#define RTP_KHZ_USUAL 8u /* of a line that does not say */

/* ---- from and to the state */

static struct rtp_line line_of(const Ev__RtpLine *p)
{
    return (struct rtp_line){
        .ssrc = p->ssrc,
        .cname = p->cname,
        .seq = (uint16_t)p->seq,
        .ts = p->ts,
        .at_us = p->at_us,
        .per_s = p->per_s < RTP_PER_S_MAX ? p->per_s : RTP_PER_S_MAX,
        .epoch = p->epoch,
        .khz = p->khz ? p->khz : RTP_KHZ_USUAL,
    };
}

/* Of what is agreed, which is in the state before it is sent. */
static uint32_t khz_of(const struct call_leg *l)
{
    return l->agreed.active ? sdp_codec_clock(l->agreed.codec) / 1000u : l->line.khz;
}

static const struct core_leg *leg_in_state(const struct call_leg *l, const struct core_call *s)
{
    for (size_t i = 0; s && i < s->n_legs; i++)
        if ((s->legs[i].role == CORE_LEG_CALLEE) == l->callee)
            return &s->legs[i];
    return NULL;
}

/* What the state says of this leg; false: nothing of this source. */
static bool line_in_state(const struct call_leg *l, const struct core_leg *leg, struct rtp_line *out)
{
    if (!leg || !leg->dialog || !leg->dialog->rtp || leg->dialog->rtp->ssrc != l->line.ssrc)
        return false;
    *out = line_of(leg->dialog->rtp);
    return true;
}

static uint64_t flows_since(const struct call_leg *l, const struct core_call *s)
{
    return l->callee ? s->connected_us : s->answered ? s->answered_us : 0;
}

void call_rtp_recall(struct call_leg *l, const struct core_call *s, const struct core_leg *leg)
{
    if (!leg->dialog || !leg->dialog->rtp)
        return;
    struct rtp_line line = line_of(leg->dialog->rtp);
    /* Let go of and taken up by the same owner: it is ahead of itself too, and the next look writes that down. */
    uint32_t epoch = s->epoch > line.epoch ? s->epoch : line.epoch + 1;
    l->line = rtp_line_at(&line, flows_since(l, s), node_time_us(call_node(l->call)), epoch);
    l->line.epoch = s->epoch;
    l->line_per_s = line.per_s;
    l->line_sends = line.per_s > 0;
    l->line_known = l->line_goes_on = true;
}

int call_rtp_numbering(struct call_leg *l, struct media_numbering *out)
{
    uint64_t now = node_time_us(call_node(l->call));
    const struct core_call *s = call_state(l->call);
    if (!l->line_known) {
        int rc = rtp_line_begin(&l->line, now, s ? s->epoch : 1);
        if (rc)
            return rc;
        l->line_known = l->line_sends = true;
        l->line_per_s = RTP_LINE_PER_S;
        l->line_goes_on = false;
    }
    *out = (struct media_numbering){
        .ssrc = l->line.ssrc,
        .seq = l->line.seq,
        .ts = l->line.ts,
        .at_us = clock_mono_now().us,
        .cname = l->line.cname,
        .goes_on = l->line_goes_on,
    };
    l->seen_seq = l->line.seq;
    l->seen_us = out->at_us;
    l->ts_off = 0;
    return 0;
}

/* ---- where they stand */

struct rtp_now {
    uint32_t seq, ts;
    bool sent; /* something since the last look */
};

static struct rtp_now numbers_now(const struct call_leg *l)
{
    struct media_stats st;
    media_stream_stats(l->media, &st);
    if (!st.tx_at_us) /* its first tick is still to come */
        return (struct rtp_now){.seq = l->line.seq, .ts = l->line.ts};
    uint64_t now = clock_mono_now().us, gone = now > st.tx_at_us ? now - st.tx_at_us : 0;
    return (struct rtp_now){st.tx_seq, (uint32_t)(st.tx_ts + gone * khz_of(l) / 1000u), st.tx_seq != l->seen_seq};
}

void call_rtp_fill(struct call_leg *l, Ev__RtpLine *out)
{
    const struct core_call *s = call_state(l->call);
    struct rtp_line line;
    if (!line_in_state(l, leg_in_state(l, s), &line))
        line = l->line;
    struct rtp_line at = rtp_line_at(&line, 0, node_time_us(call_node(l->call)), s ? s->epoch : line.epoch);
    if (l->media) {
        struct rtp_now now = numbers_now(l);
        at.seq = (uint16_t)now.seq;
        if (l->ts_off >= RTP_TS_LOOKS || at.khz != khz_of(l))
            at.ts = now.ts;
    }
    at.khz = khz_of(l);
    bool sends = !l->answered || (l->agreed.active && l->agreed.can_send);
    if (sends != l->line_sends)
        l->line_per_s = sends ? RTP_LINE_PER_S : 0;
    l->line_sends = sends;
    ev__rtp_line__init(out);
    out->ssrc = at.ssrc;
    out->cname = at.cname;
    out->seq = at.seq;
    out->ts = at.ts;
    out->at_us = at.at_us;
    out->per_s = l->line_per_s;
    out->epoch = at.epoch;
    out->khz = at.khz;
}

/* ---- looking after them */

/* The leg stands in the state as it stands here: no other change of it is on its way there. */
static bool leg_settled(const struct call_leg *l, const struct core_leg *leg)
{
    return leg && leg->dialog && l->sip && l->media && l->line_known && !l->we_offered && !l->moving &&
           leg->held == l->held && strcmp(leg->dialog->local_sdp, call_leg_sdp(l)) == 0;
}

/* True: another node would not find its numbers. */
static bool leg_strays(struct call_leg *l, const struct core_call *s, const struct core_leg *leg)
{
    struct rtp_now now = numbers_now(l);
    uint64_t mono = clock_mono_now().us, span = mono - l->seen_us;
    uint64_t rate = span ? ((uint64_t)(uint16_t)(now.seq - l->seen_seq) * 1000000u + span / 2) / span : 0;
    struct rtp_line line;
    bool known = line_in_state(l, leg, &line);
    if (known)
        line = rtp_line_at(&line, flows_since(l, s), node_time_us(call_node(l->call)), s->epoch);
    bool seq = known && rtp_line_strays(rtp_line_seq_ahead(&line, (uint16_t)now.seq), RTP_LINE_SEQ_STRAY);
    bool ts = known && now.sent &&
              rtp_line_strays(rtp_line_ts_ahead(&line, now.ts), RTP_LINE_TS_STRAY_MS * (int32_t)line.khz);
    if (now.sent)
        l->ts_off = ts ? l->ts_off + 1 : 0;
    l->seen_seq = now.seq;
    l->seen_us = mono;
    if (seq)
        l->line_per_s = rate < RTP_PER_S_MAX ? (uint32_t)rate : RTP_PER_S_MAX;
    return !known || seq || l->ts_off >= RTP_TS_LOOKS;
}

static unsigned look_at(struct call *k)
{
    const struct core_call *s = call_state(k);
    struct call_leg *legs[] = {&k->a, k->b};
    unsigned written = 0;
    for (size_t i = 0; i < 2 && s && k->started && !k->ending; i++) {
        const struct core_leg *leg = leg_in_state(legs[i], s);
        if (!leg_settled(legs[i], leg) || !leg_strays(legs[i], s, leg))
            continue;
        int rc = call_leg_commit(legs[i], leg->held, NULL);
        if (rc)
            log_debug("call", "%s: its RTP numbers are not in the state: %s", k->text_id, err_text(rc));
        legs[i]->ts_off = 0;
        written++;
        k->cs->counts.rtp_written++;
    }
    return written;
}

static void look(uv_timer_t *t)
{
    struct calls *cs = t->data;
    const struct map_slot *slot;
    unsigned written = 0;
    if (!node_may_act(cs->n))
        return;
    for (size_t it = 0; written < RTP_WRITES_MAX && map_next(&cs->by_id, &it, &slot);)
        written += look_at(slot->value);
}

int call_rtp_start(struct calls *cs)
{
    uv_timer_t *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NOMEM;
    uv_timer_init(&cs->n->loop, t);
    t->data = cs;
    uv_timer_start(t, look, RTP_LOOK_MS, RTP_LOOK_MS);
    cs->rtp_timer = t;
    return 0;
}

static void look_closed(uv_handle_t *h)
{
    free(h);
}

void call_rtp_stop(struct calls *cs)
{
    uv_close((uv_handle_t *)cs->rtp_timer, look_closed);
    cs->rtp_timer = NULL;
}
