#include "telephony/resample.h"

#include <stdlib.h>
#include <string.h>

/* A half-band filter is zero at every second tap but the middle one. So of two samples at 16 kHz one is at the place of a sample at 8 kHz
 * (the middle), and the one between is the sum over its neighbours at 8 kHz. Windowed sinc (Kaiser, beta 6.5), in 1/32768, adding up to a
 * half with the other side; the middle is the other half. */
#define PAIRS 14u
static const int32_t side[PAIRS] = {10393, -3360, 1895, -1233, 845, -588, 407, -276, 182, -115, 69, -38, 18, -7};

#define BEFORE (2 * PAIRS - 1) /* samples kept of each phase */
#define BLOCK 16u              /* a length that is known to the compiler: so it makes vectors of it at -O2 */
#define CHUNK 320u             /* samples at 8 kHz; a multiple of BLOCK */

struct resample {
    unsigned up;
    int16_t even[BEFORE + CHUNK], odd[BEFORE + CHUNK]; /* going up, only `even` is used */
};

int resample_new(unsigned from_hz, unsigned to_hz, struct resample **out)
{
    if (!(from_hz == 8000 && to_hz == 16000) && !(from_hz == 16000 && to_hz == 8000))
        return ERR_INVAL;
    struct resample *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->up = from_hz < to_hz;
    *out = r;
    return 0;
}

void resample_free(struct resample *r)
{
    free(r);
}

/* The sample between at[PAIRS - 1] and at[PAIRS], and BLOCK - 1 more, in 1/32768, at half their size. */
static void between(const int16_t *restrict at, int32_t acc[restrict BLOCK])
{
    for (unsigned k = 0; k < BLOCK; k++)
        acc[k] = 0;
    for (unsigned j = 0; j < PAIRS; j++) {
        const int16_t *left = at + (PAIRS - 1 - j), *right = at + PAIRS + j;
        for (unsigned k = 0; k < BLOCK; k++)
            acc[k] += side[j] * (left[k] + right[k]);
    }
}

static int16_t cut(int32_t v)
{
    v = v > INT16_MAX ? INT16_MAX : v;
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v);
}

static void slide(int16_t *line, unsigned n)
{
    memmove(line, line + n, BEFORE * sizeof *line);
}

static void go_up(struct resample *r, const int16_t *in, unsigned n, int16_t *out)
{
    memcpy(r->even + BEFORE, in, n * sizeof *in);
    for (unsigned at = 0; at < n; at += BLOCK) {
        int32_t acc[BLOCK];
        between(r->even + at, acc);
        for (unsigned k = 0; k < BLOCK && at + k < n; k++) {
            out[2 * (at + k)] = r->even[at + k + PAIRS - 1];
            out[2 * (at + k) + 1] = cut((acc[k] + (1 << 13)) >> 14);
        }
    }
    slide(r->even, n);
}

static void go_down(struct resample *r, const int16_t *in, unsigned n, int16_t *out)
{
    for (unsigned i = 0; i < n; i++) {
        r->even[BEFORE + i] = in[2 * i];
        r->odd[BEFORE + i] = in[2 * i + 1];
    }
    for (unsigned at = 0; at < n; at += BLOCK) {
        int32_t acc[BLOCK];
        between(r->even + at, acc);
        for (unsigned k = 0; k < BLOCK && at + k < n; k++)
            out[at + k] = cut((acc[k] + r->odd[at + k + PAIRS - 1] * (1 << 14) + (1 << 14)) >> 15);
    }
    slide(r->even, n);
    slide(r->odd, n);
}

unsigned resample_run(struct resample *r, const int16_t *in, unsigned n, int16_t *out)
{
    unsigned left = r->up ? n : n / 2;
    while (left > 0) {
        unsigned some = left < CHUNK ? left : CHUNK;
        if (r->up)
            go_up(r, in, some, out);
        else
            go_down(r, in, some, out);
        in += r->up ? some : 2 * some;
        out += r->up ? 2 * some : some;
        left -= some;
    }
    return r->up ? 2 * n : n / 2;
}
