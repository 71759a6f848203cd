/* 8 kHz to 16 kHz and back, by a half-band filter: 0 to 3.4 kHz pass within 0.01 dB, what would fold back from above 4.6 kHz is
 * 65 dB down. Delays by 1.7 ms.
 *
 * What for: G.722 beside G.711. Opus is coded at the rate that is wanted and needs none.
 * Owner: who made it; one line of sound and one direction each. Thread: one at a time; nothing is allocated after resample_new. */
#ifndef TELEPHONY_RESAMPLE_H
#define TELEPHONY_RESAMPLE_H

#include <stdint.h>

#include "base/err.h"

struct resample;

/* 8000 to 16000, or 16000 to 8000. ERR_INVAL (other rates), ERR_NOMEM. */
ERR_CHECKED int resample_new(unsigned from_hz, unsigned to_hz, struct resample **out);
void resample_free(struct resample *r); /* NULL is fine */
/* n samples in, any n when it goes up, an even n when it goes down; twice or half as many out, which is what it returns. in and out
 * do not overlap. */
unsigned resample_run(struct resample *r, const int16_t *in, unsigned n, int16_t *out);

#endif
