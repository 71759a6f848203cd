/* Parameters of Opus in SDP: the a=fmtp line (RFC 7587 section 6.1), read and written. Pure; any thread.
 *
 * They tell what the one who says them likes to receive (or, the sprop ones, will send). What is not one of them is passed over, as
 * RFC 8866 section 6.15 has it; a value that cannot be is refused and named. */
#ifndef TELEPHONY_OPUS_FMTP_H
#define TELEPHONY_OPUS_FMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct opus_fmtp {
    uint32_t max_playback_hz;  /* maxplaybackrate, 8000 to 48000: no use in sending more; default 48000 */
    uint32_t sprop_max_hz;     /* sprop-maxcapturerate, likewise */
    uint32_t max_average_bits; /* maxaveragebitrate, 6000 to 510000 bit/s; 0: not said */
    uint32_t min_ptime_ms;     /* minptime, 3 to 120; 0: not said */
    bool stereo, sprop_stereo; /* each false unless said */
    bool cbr, in_band_fec, dtx;
};

/* The part after the payload type, such as "minptime=10;useinbandfec=1"; names in any case, blanks around. ERR_INVAL: *info has the name of
 * the parameter; *out is untouched then. */
ERR_CHECKED int opus_fmtp_parse(const char *text, struct opus_fmtp *out, struct err_info *info);
/* Writes what is not the default. Returns the length, 0 if nothing is to be said (no a=fmtp line), or ERR_TOOBIG. */
int opus_fmtp_write(const struct opus_fmtp *f, char *out, size_t size);

#endif
