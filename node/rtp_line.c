#include "node/rtp_line.h"

#include <sys/random.h>

#define KHZ_USUAL 8u

int rtp_line_begin(struct rtp_line *out, uint64_t now_us, uint32_t epoch)
{
    struct {
        uint64_t cname;
        uint32_t ssrc, ts;
        uint16_t seq;
    } bytes;
    if (getrandom(&bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return ERR_IO;
    *out = (struct rtp_line){
        .ssrc = bytes.ssrc,
        .cname = bytes.cname,
        .seq = bytes.seq & 0x7fffu, /* a wrap in the first seconds upsets some receivers (RFC 3711 section 3.3.1) */
        .ts = bytes.ts,
        .at_us = now_us,
        .per_s = RTP_LINE_PER_S,
        .epoch = epoch,
        .khz = KHZ_USUAL,
    };
    return 0;
}

static uint64_t passed(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? to_us - from_us : 0;
}

struct rtp_line rtp_line_at(const struct rtp_line *line, uint64_t since_us, uint64_t now_us, uint32_t epoch)
{
    struct rtp_line at = *line;
    uint32_t owners = epoch > line->epoch ? epoch - line->epoch : 0;
    uint64_t from = since_us > line->at_us ? since_us : line->at_us;
    uint64_t packets = since_us ? passed(from, now_us) / 1000u * line->per_s / 1000u : 0;
    at.seq = (uint16_t)(line->seq + packets + owners * RTP_LINE_SEQ_STEP);
    at.ts = (uint32_t)(line->ts + passed(line->at_us, now_us) * line->khz / 1000u +
                       owners * RTP_LINE_TS_STEP_MS * line->khz);
    at.at_us = now_us;
    at.epoch = epoch;
    return at;
}

int32_t rtp_line_seq_ahead(const struct rtp_line *at, uint16_t seq)
{
    return (int16_t)(uint16_t)(seq - at->seq);
}

int32_t rtp_line_ts_ahead(const struct rtp_line *at, uint32_t ts)
{
    return (int32_t)(ts - at->ts);
}
