#include "telephony/quality.h"

#include <math.h>

#define BPL_CONCEALED 25.1 /* G.113 Appendix I: G.711 with concealment, and without; Ie is 0 for both */
#define BPL_SILENCE 4.3

static double between(double v, double min, double max)
{
    return v > min ? fmin(v, max) : min; /* min for what is no number */
}

/* G.107 equation 7-27: Idd with mT = 100 ms and sT = 1. */
static double delay_impairment(double ms)
{
    if (ms <= 100)
        return 0;
    double x = log2(ms / 100);
    return 25 * (pow(1 + pow(x, 6), 1.0 / 6) - 3 * pow(1 + pow(x / 3, 6), 1.0 / 6) + 2);
}

double quality_r(const struct quality_line *l)
{
    double percent = between(l->loss, 0, 1) * 100;
    double bpl = l->concealed ? BPL_CONCEALED : BPL_SILENCE;
    double equipment = 95 * percent / (percent / between(l->burst, 1, 100) + bpl);
    return QUALITY_R_MAX - delay_impairment(between(l->delay_ms, 0, 10000)) - equipment;
}

double quality_mos(double r)
{
    r = between(r, 0, 100);
    return fmax(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

/* G.107 section 7.5: the mean run that was seen, to what it would be with losses that know nothing of each other, 1 / (1 - loss). */
static double burst_of(const struct quality_leg *leg, double loss)
{
    if (leg->lost_runs == 0 || leg->lost_runs > leg->lost)
        return 1;
    return fmax(1, (double)leg->lost / (double)leg->lost_runs * (1 - loss));
}

void quality_of_leg(const struct quality_leg *leg, struct quality_line *out)
{
    double sent = (double)leg->packets + (double)leg->lost, jitter_ms = leg->jitter_us / 1000.0;
    double packet_ms = leg->ptime_ms ? leg->ptime_ms : 20;
    double buffer_ms = leg->buffer_ms ? leg->buffer_ms : fmax(2 * jitter_ms, packet_ms);
    double loss = sent > 0 ? (double)leg->lost / sent : 0;
    *out = (struct quality_line){
        .loss = loss,
        .burst = burst_of(leg, loss),
        .delay_ms = packet_ms + leg->rtt_us / 2000.0 + buffer_ms + leg->lookahead_us / 1000.0,
        .concealed = true,
    };
}
