/* The rooms of a media thread. A packet is relayed the moment it arrives to the ears that hear its mouth alone, and put into the mouth's
 * jitter buffer if others hear it too; each tick takes a frame of each such mouth, mixes, and sends one packet to each mixed ear, coded once
 * for those that are given the same. Nothing here allocates, locks or logs, but for media_room_apply and _end, which are commands. */
#include <stdlib.h>
#include <string.h>

#include "telephony/g711.h"
#include "telephony/level.h"
#include "telephony/media_int.h"

#define NOBODY MEDIA_SEATS_MAX

/* ---- who is in it */

/* Mixed ears that hear the same, by the same codec and length of packet, are given the same packets. */
static void find_leaders(struct media_plan *pl)
{
    for (unsigned i = 0; i < pl->n; i++) {
        const struct media_coder *c = pl->seat[i].s ? pl->seat[i].s->coder : NULL;
        pl->seat[i].leader = c ? i : NOBODY;
        for (unsigned k = 0; c && k < i; k++) {
            const struct media_coder *other = pl->seat[k].s ? pl->seat[k].s->coder : NULL;
            if (pl->seat[k].leader == k && other && other->codec == c->codec && other->whole == c->whole &&
                pl->seat[k].hears == pl->seat[i].hears) {
                pl->seat[i].leader = k;
                break;
            }
        }
    }
}

static void drop_voice(struct media_stream *s, bool mouth, bool coder)
{
    if (mouth) {
        mouth_free(s->mouth);
        s->mouth = NULL;
    }
    if (coder) {
        media_coder_free(s->coder);
        s->coder = NULL;
        s->tx.local = false;
    }
}

static void out_of_room(struct media_stream *s)
{
    s->room = NULL;
    media_stream_set_source(s, NULL);
    drop_voice(s, true, true);
}

void media_room_leave(struct media_stream *s)
{
    if (!s->room)
        return;
    struct media_plan *pl = s->room->plan;
    uint32_t bit = UINT32_C(1) << s->seat;
    for (unsigned i = 0; i < pl->n; i++) {
        if (pl->seat[s->seat].relayed_to >> i & 1)
            media_stream_set_source(pl->seat[i].s, NULL);
        pl->seat[i].hears &= ~bit;
        pl->seat[i].relayed_to &= ~bit;
    }
    pl->decoded &= ~bit;
    pl->mixed &= ~bit;
    if (pl->mix)
        mix_drop(pl->mix, s->seat);
    pl->seat[s->seat].relayed_to = 0;
    pl->seat[s->seat].s = NULL;
    out_of_room(s);
    find_leaders(pl);
}

static bool in_plan(const struct media_plan *pl, const struct media_stream *s)
{
    for (unsigned i = 0; i < pl->n; i++) {
        if (pl->seat[i].s == s)
            return true;
    }
    return false;
}

/* The one whose packets are relayed to ear i. */
static struct media_stream *source_of(const struct media_plan *pl, unsigned i)
{
    for (unsigned k = 0; k < pl->n; k++) {
        if (pl->seat[k].relayed_to >> i & 1)
            return pl->seat[k].s;
    }
    return NULL;
}

static void take_seat(struct media_room *r, struct media_plan *pl, unsigned i)
{
    struct media_stream *s = pl->seat[i].s;
    if (s->room != r) {
        if (s->room)
            media_room_leave(s);
        if (s->peer)
            s->peer->peer = NULL; /* what was relayed between the two may go on so */
        s->peer = NULL;
        s->echo = false;
        s->room = r;
    }
    s->seat = i;
    bool decoded = pl->decoded >> i & 1, mixed = pl->mixed >> i & 1;
    drop_voice(s, !decoded || pl->seat[i].mouth, !mixed || pl->seat[i].coder);
    if (pl->seat[i].mouth)
        s->mouth = pl->seat[i].mouth;
    if (pl->seat[i].coder)
        s->coder = pl->seat[i].coder;
    pl->seat[i].mouth = NULL;
    pl->seat[i].coder = NULL;
}

void media_room_apply(struct media_thread *t, struct media_room *r, struct media_plan *pl)
{
    struct media_plan *before = r->plan;
    if (!before)
        list_push_back(&t->rooms, &r->tick_node);
    for (unsigned i = 0; before && i < before->n; i++) {
        if (before->seat[i].s && !in_plan(pl, before->seat[i].s))
            out_of_room(before->seat[i].s);
    }
    struct media_stream *widowed[MEDIA_SEATS_MAX];
    for (unsigned i = 0; i < pl->n; i++)
        widowed[i] = pl->seat[i].s->peer;
    for (unsigned i = 0; i < pl->n; i++)
        take_seat(r, pl, i);
    for (unsigned i = 0; i < pl->n; i++) {
        media_stream_set_source(pl->seat[i].s, source_of(pl, i));
        if (widowed[i] && widowed[i]->room != r)
            media_stream_set_source(widowed[i], NULL);
    }
    find_leaders(pl);
    r->plan = pl;
    media_plan_free(before);
}

void media_room_end(struct media_room *r)
{
    for (unsigned i = 0; r->plan && i < r->plan->n; i++) {
        if (r->plan->seat[i].s)
            out_of_room(r->plan->seat[i].s);
    }
    list_del(&r->tick_node);
    media_plan_free(r->plan);
    free(r);
}

/* ---- packets */

/* Either law may come on a session of the other. */
static void into_mouth(struct media_stream *s, const struct codec *codec, const struct rtp_packet *p,
                       enum media_kind kind)
{
    struct rtp_packet own = *p;
    uint8_t payload[CODEC_PACKET_MAX];
    bool audio = media_kind_sound(kind) && !media_stream_silent(s);
    if (codec != media_codec(&s->sdp))
        return; /* another was agreed, which the room has yet to be told of */
    if (audio && media_kind_g711(kind) && (kind == MEDIA_KIND_ULAW) != (codec->id == CODEC_PCMU)) {
        if (p->len > sizeof payload)
            return;
        own.payload = payload;
        memcpy(payload, p->payload, p->len);
        media_stream_convert(&own, &kind, codec->id == CODEC_PCMU ? SDP_PCMU : SDP_PCMA);
    }
    (void)mouth_put(s->mouth, &own, audio, s->t->now_us);
}

bool media_room_packet(struct media_stream *s, const struct rtp_packet *p, enum media_kind kind, bool restart)
{
    struct media_plan *pl = s->room->plan;
    uint32_t others = 0;
    bool in_time = true;
    if (s->mouth)
        into_mouth(s, pl->seat[s->seat].codec, p, kind);
    for (uint32_t ears = pl->seat[s->seat].relayed_to; ears; ears &= ears - 1) {
        struct media_stream *d = pl->seat[__builtin_ctz(ears)].s;
        if (media_kind_g711(kind) && (d->sdp.codec == SDP_PCMU) != (kind == MEDIA_KIND_ULAW))
            others |= ears & -ears;
        else if (!d->echo)
            in_time = media_stream_relay(d, p, kind, restart) && in_time;
    }
    for (; others; others &= others - 1) { /* last: what is converted is so for good */
        struct media_stream *d = pl->seat[__builtin_ctz(others)].s;
        media_stream_convert(p, &kind, d->sdp.codec);
        if (!d->echo)
            in_time = media_stream_relay(d, p, kind, restart) && in_time;
    }
    return in_time;
}

void media_room_key(struct media_stream *s, char digit, uint32_t ms, bool inband)
{
    const struct media_plan *pl = s->room->plan;
    for (unsigned i = 0; i < pl->n; i++) {
        struct media_stream *d = pl->seat[i].s;
        bool relayed = d && pl->seat[s->seat].relayed_to >> i & 1 && !media_dtmf_made_anew(s, d);
        /* What is relayed takes events with it, and sound takes tones. */
        if (d && d != s && pl->seat[i].hears >> s->seat & 1 && !inband && !relayed)
            media_dtmf_queue(d, digit, ms);
    }
}

/* ---- ticks */

/* What was coded in this tick by one law of G.711, where a frame is a packet: coding has no memory there, so ears that hear the same by
 * chance, such as all others while one speaks, need it once. */
struct coded {
    const int16_t *pcm;
    size_t len;
    uint8_t packet[RTP_HEADER_BYTES + CODEC_PACKET_MAX];
};

static void send_to(struct media_plan *pl, unsigned leader, uint8_t *payload, size_t len)
{
    for (unsigned i = leader; i < pl->n; i++) {
        struct media_stream *s = pl->seat[i].s;
        if (!s || pl->seat[i].leader != leader || media_codec(&s->sdp) != s->coder->codec)
            continue;
        if (!s->tx_on) {
            s->tx.local = false; /* time goes on unheard */
        } else if (!s->play && !s->echo && !s->digit_tx.active && s->digits_count == 0) {
            const struct media_coder *c = pl->seat[leader].s->coder;
            uint32_t units = c->whole / (c->rate_hz / 1000u) * s->clock_khz;
            if (len > 0)
                media_stream_send_local(s, payload, len, units);
            else
                media_stream_skip_local(s, units);
            s->stats_changed = true;
        }
    }
}

static void give(struct media_plan *pl, unsigned leader, const int16_t *pcm, struct coded *made)
{
    struct media_coder *c = pl->seat[leader].s->coder;
    unsigned frame = mix_frame(pl->mix);
    uint8_t *payload = made->packet + RTP_HEADER_BYTES;
    if (made->pcm == pcm && c->whole == frame) {
        send_to(pl, leader, payload, made->len);
        return;
    }
    for (unsigned at = 0; at < frame;) {
        bool whole;
        at += media_coder_put(c, pcm + at, frame - at, payload, &whole, &made->len);
        if (whole)
            send_to(pl, leader, payload, made->len);
    }
    made->pcm = c->whole == frame ? pcm : NULL;
}

void media_room_tick(struct media_room *r)
{
    struct media_plan *pl = r->plan;
    const int16_t *in[MIX_PARTIES_MAX] = {0}, *out[MIX_EARS_MAX];
    struct coded made[CODEC_PCMA + 1], scratch;
    int16_t nobody[MIX_FRAME_MAX] = {0};
    if (!pl->mix)
        return;
    if (pl->noise)
        level_noise(&r->noise_seed, nobody, mix_frame(pl->mix));
    for (uint32_t mouths = pl->decoded; mouths; mouths &= mouths - 1) {
        unsigned i = (unsigned)__builtin_ctz(mouths);
        struct media_stream *s = pl->seat[i].s;
        const int16_t *frame = mouth_frame(s->mouth, s->t->due_us);
        in[i] = media_stream_silent(s) || s->echo ? NULL : frame;
    }
    mix_run(pl->mix, in, out);
    made[CODEC_PCMU].pcm = made[CODEC_PCMA].pcm = NULL;
    for (uint32_t ears = pl->mixed; ears; ears &= ears - 1) {
        unsigned i = (unsigned)__builtin_ctz(ears);
        if (pl->seat[i].leader != i)
            continue;
        enum codec_id id = pl->seat[i].s->coder->codec->id;
        scratch.pcm = NULL;
        give(pl, i, out[i] ? out[i] : nobody, id <= CODEC_PCMA ? &made[id] : &scratch);
    }
}
