/* RTCP (RFC 3550 section 6): writes our compound packets, reads those of others. Pure; no allocation. */
#ifndef TELEPHONY_RTCP_H
#define TELEPHONY_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RTCP_BYTES_MAX 256u /* of what rtcp_write makes */

struct rtcp_block {
    uint32_t ssrc;            /* of the source that it tells of */
    uint8_t fraction;         /* lost, 1/256 */
    int32_t lost;             /* 24 bit, signed */
    uint32_t ext_max, jitter; /* jitter in RTP units */
    uint32_t lsr, dlsr;       /* 1/65536 s */
};
struct rtcp_report {
    uint32_t ssrc;  /* of the sender of the report */
    bool is_sender; /* SR, else RR */
    uint64_t ntp;   /* 32.32 s since 1900 */
    uint32_t rtp_ts, packets, octets;
    bool has_block;
    struct rtcp_block block;
    bool bye;
};

/* SR or RR, SDES CNAME, and BYE if so. Returns the length. `cname` is cut at 64 bytes. */
size_t rtcp_write(const struct rtcp_report *r, const char *cname, uint8_t out[RTCP_BYTES_MAX]);
/* Reads a compound packet. Only the block about `about_ssrc` is taken. ERR_INVAL: broken (A.2); *out untouched. */
ERR_CHECKED int rtcp_parse(const uint8_t *buf, size_t len, uint32_t about_ssrc, struct rtcp_report *out);

/* NTP time of a wall clock in microseconds since 1970. */
uint64_t rtcp_ntp(uint64_t wall_us);

#endif
