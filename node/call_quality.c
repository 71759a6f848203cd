/* How the legs of a call sounded, for its record: counted by the streams, rated by the E-model (telephony/quality.h).
 *
 * A leg is noted when its stream goes: at the end of the call, or before, when the party leaves it. What is noted stays in this process: a new
 * owner counts from where it began, as its streams do. */
#include <math.h>

#include "node/call_int.h"
#include "telephony/codec.h"
#include "telephony/quality.h"

#define POOR_MOS 3.6 /* G.107 Annex B: below it many are dissatisfied */

/* In hundredths; 0: nothing was heard that could be rated. */
static uint32_t mos_of(struct quality_leg q, const struct codec *codec, uint32_t ptime_ms)
{
    struct quality_line line;
    if (q.packets + q.lost == 0)
        return 0;
    q.ptime_ms = ptime_ms;
    q.lookahead_us = codec ? codec->lookahead_us : 0;
    quality_of_leg(&q, &line);
    return (uint32_t)lrint(100 * quality_mos(quality_r(&line)));
}

static void rate(struct call_leg *l, const struct media_stats *s, Ev__LegQuality *out)
{
    const char *name = l->agreed.active ? sdp_codec_name(l->agreed.codec) : "";
    uint32_t clock = sdp_codec_clock(l->agreed.codec);
    const struct codec *codec = codec_find(name, clock, l->agreed.codec == SDP_OPUS ? 2 : 1);
    bool reported = s->rtt_us || s->remote_jitter_us || s->remote_lost; /* else nobody has told what he hears */
    uint64_t lost = s->remote_lost < s->tx_packets ? s->remote_lost : s->tx_packets;
    out->codec = (char *)(uintptr_t)name;
    out->mos = mos_of(
        (struct quality_leg){
            .packets = s->rx_packets, .lost = s->rx_lost, .jitter_us = s->jitter_us, .rtt_us = s->rtt_us},
        codec, l->agreed.ptime_ms);
    if (reported)
        out->remote_mos = mos_of(
            (struct quality_leg){
                .packets = s->tx_packets - lost, .lost = lost, .jitter_us = s->remote_jitter_us, .rtt_us = s->rtt_us},
            codec, l->agreed.ptime_ms);
}

static void count(struct calls *cs, const Ev__LegQuality *q)
{
    if (!q->mos)
        return;
    cs->counts.legs_rated++;
    cs->counts.mos_sum += q->mos / 100.0;
    cs->counts.legs_poor += q->mos < 100 * POOR_MOS;
}

void call_quality_note(struct call_leg *l, uint64_t leg_id, unsigned role)
{
    struct call *k = l->call;
    struct media_stats s;
    if (!l->media || k->n_quality == CALL_QUALITY_MAX)
        return;
    Ev__LegQuality *out = &k->quality[k->n_quality++];
    media_stream_stats(l->media, &s);
    ev__leg_quality__init(out);
    out->leg_id = leg_id;
    out->role = 1 + role;
    out->rx_packets = s.rx_packets;
    out->tx_packets = s.tx_packets;
    out->rx_lost = s.rx_lost;
    out->jitter_us = s.jitter_us;
    out->remote_jitter_us = s.remote_jitter_us;
    out->rtt_us = s.rtt_us;
    out->remote_lost = s.remote_lost;
    rate(l, &s, out);
    count(k->cs, out);
}

void call_quality_end(struct call *k)
{
    const struct core_call *s = call_state(k);
    for (size_t i = 0; s && i < s->n_legs; i++) {
        struct call_leg *l = s->legs[i].role == CORE_LEG_CALLER ? &k->a : k->b;
        call_quality_note(l, s->legs[i].id, s->legs[i].role);
    }
}
