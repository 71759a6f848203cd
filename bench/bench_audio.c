/* Audio that is decoded: what a frame of 20 ms costs in mixing, jitter buffer, concealment, resampling and codecs, and how well lost packets
 * are concealed.
 *
 * Times are nanoseconds of CPU, the best of several rounds. References in the same run: for mixing the obvious loop (each ear adds up all it
 * hears), for concealment spandsp's, for transcoding the system calls that carry a packet, for all the rest a frame of A-law coded and
 * decoded by table. Bar: 2,000 ns a party and frame for
 * a conference of three. */
#include <arpa/inet.h>
#include <math.h>
#include <spandsp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "telephony/codec.h"
#include "telephony/conceal.h"
#include "telephony/g711.h"
#include "telephony/jitter.h"
#include "telephony/mix.h"
#include "telephony/mouth.h"
#include "telephony/resample.h"

enum { ROUNDS = 7, FRAMES = 2000, VOICE = 16000 * 8 };

static int16_t voice8[VOICE], voice16[VOICE], voice48[VOICE];
static volatile int32_t sink;

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void must(int rc)
{
    if (rc) {
        fprintf(stderr, "bench_audio: %s\n", err_text(rc));
        exit(EXIT_FAILURE);
    }
}

/* A vowel whose pitch glides up and down between 120 and 160 Hz, four syllables a second. */
static void speak(int16_t *out, unsigned hz)
{
    double phase = 0;
    for (unsigned i = 0; i < VOICE; i++) {
        double f = 140 + 20 * sin(2 * M_PI * 0.25 * i / hz), v = 0;
        phase += 2 * M_PI * f / hz;
        for (unsigned k = 1; k * f < 3400; k++)
            v += (1 / (1 + pow((k * f - 600) / 300, 2)) + 0.5 / (1 + pow((k * f - 1700) / 400, 2))) *
                 sin(k * phase + k * k);
        out[i] = (int16_t)lrint(2500 * v * (0.55 + 0.45 * sin(2 * M_PI * 4 * i / hz)));
    }
}

static const int16_t *frame_at(const int16_t *voice, unsigned n, unsigned k)
{
    return voice + k * n % (VOICE - n);
}

/* ns a call of work(ctx, k), k counting up. */
static double time_of(void (*work)(void *ctx, unsigned k), void *ctx)
{
    double best = INFINITY;
    unsigned k = 0;
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t from = cpu_ns();
        for (unsigned i = 0; i < FRAMES; i++)
            work(ctx, k++);
        best = fmin(best, (double)(cpu_ns() - from) / FRAMES);
    }
    return best;
}

/* ---- mixing */

struct room {
    struct mix *m;
    unsigned parties, talking;
    int16_t out[MIX_EARS_MAX][MIX_FRAME_MAX];
};

static void fill(const struct room *r, unsigned k, const int16_t *in[MIX_PARTIES_MAX])
{
    for (unsigned p = 0; p < MIX_PARTIES_MAX; p++)
        in[p] = p < r->talking ? frame_at(voice8, 160, k + 37 * p) : NULL;
}

static void mix_ours(void *ctx, unsigned k)
{
    struct room *r = ctx;
    const int16_t *in[MIX_PARTIES_MAX], *out[MIX_EARS_MAX];
    fill(r, k, in);
    mix_run(r->m, in, out);
    for (unsigned p = 0; p < r->parties; p++)
        sink += out[p] ? out[p][k % 160] : 0;
}

static void mix_obvious(void *ctx, unsigned k)
{
    struct room *r = ctx;
    const int16_t *in[MIX_PARTIES_MAX];
    fill(r, k, in);
    for (unsigned ear = 0; ear < r->parties; ear++) {
        for (unsigned i = 0; i < 160; i++) {
            int32_t sum = 0;
            for (unsigned p = 0; p < r->parties; p++) {
                if (p != ear && in[p])
                    sum += in[p][i];
            }
            r->out[ear][i] = (int16_t)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
        }
        sink += r->out[ear][k % 160];
    }
}

static void bench_mix(void)
{
    static const unsigned cases[][2] = {{3, 3}, {3, 1}, {10, 10}, {32, 32}, {32, 2}};
    static struct room r;
    printf("mixing, ns a party and frame      ours   obvious  ratio\n");
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        must(mix_new(8000, &r.m));
        r.parties = cases[i][0];
        r.talking = cases[i][1];
        mix_conference(r.m, (uint32_t)((UINT64_C(1) << r.parties) - 1));
        double ours = time_of(mix_ours, &r) / r.parties, obvious = time_of(mix_obvious, &r) / r.parties;
        printf("  %2u parties, %2u speak        %8.0f  %8.0f  %5.2f\n", r.parties, r.talking, ours, obvious,
               ours / obvious);
        mix_free(r.m);
    }
}

/* ---- all else, beside a frame of A-law */

static double alaw_ns;

static void alaw(void *ctx, unsigned k)
{
    const int16_t *in = frame_at(voice8, 160, k);
    uint8_t code[160];
    (void)ctx;
    for (unsigned i = 0; i < 160; i++)
        code[i] = g711_alaw_encode(in[i]);
    int32_t sum = 0;
    for (unsigned i = 0; i < 160; i++)
        sum += g711_alaw_linear[code[i]];
    sink += sum;
}

static void row(const char *what, double ns)
{
    printf("  %-28s %7.0f  %18.2f\n", what, ns, ns / alaw_ns);
}

static void through_jitter(void *ctx, unsigned k)
{
    static const uint8_t payload[160];
    struct jitter_packet p = {
        .seq = (uint16_t)k, .ts = k * 160, .duration = 160, .payload = payload, .len = sizeof payload};
    struct jitter_item it;
    uint64_t now_us = UINT64_C(1000000) + k * UINT64_C(20000);
    sink += jitter_put(ctx, &p, now_us);
    jitter_pull(ctx, now_us, &it);
    sink += (int32_t)it.duration;
}

static void resample8(void *ctx, unsigned k)
{
    int16_t out[320];
    (void)resample_run(ctx, frame_at(voice8, 160, k), 160, out);
    sink += out[k % 320];
}

static void resample16(void *ctx, unsigned k)
{
    int16_t out[160];
    (void)resample_run(ctx, frame_at(voice16, 320, k), 320, out);
    sink += out[k % 160];
}

struct coding {
    struct codec_state *s;
    const int16_t *voice;
    unsigned n;
    uint8_t packet[64][CODEC_PACKET_MAX];
    int len[64];
};

static void encode(void *ctx, unsigned k)
{
    struct coding *c = ctx;
    c->len[k % 64] = codec_encode(c->s, frame_at(c->voice, c->n, k), c->n, c->packet[k % 64], CODEC_PACKET_MAX);
    sink += c->len[k % 64];
}

static void decode(void *ctx, unsigned k)
{
    struct coding *c = ctx;
    int16_t out[CODEC_SAMPLES_MAX];
    sink += codec_decode(c->s, c->packet[k % 64], (size_t)c->len[k % 64], out, CODEC_SAMPLES_MAX);
}

static void bench_codecs(void)
{
    static const unsigned rates[] = {8000, 16000, 48000};
    static struct coding c;
    for (unsigned i = 0; i < CODEC_COUNT; i++) {
        for (unsigned r = 0; r < 3; r++) {
            char what[64];
            const struct codec *k = codec_get((enum codec_id)i);
            if (codec_open(k, rates[r], CODEC_ENCODE | CODEC_DECODE, NULL, &c.s, NULL))
                continue;
            c.voice = r == 0 ? voice8 : r == 1 ? voice16 : voice48;
            c.n = rates[r] / 50;
            snprintf(what, sizeof what, "%s at %u kHz, coded", k->name, rates[r] / 1000);
            row(what, time_of(encode, &c));
            snprintf(what, sizeof what, "%s at %u kHz, decoded", k->name, rates[r] / 1000);
            row(what, time_of(decode, &c));
            codec_close(c.s);
        }
    }
}

static void bench_parts(void)
{
    struct jitter *j;
    struct resample *up, *down;
    struct jitter_config cfg = {.clock_hz = 8000, .min_ms = 40, .payload_max = 480};
    must(jitter_new(&cfg, &j));
    must(resample_new(8000, 16000, &up));
    must(resample_new(16000, 8000, &down));
    alaw_ns = time_of(alaw, NULL);
    printf("ns a frame of 20 ms                           to A-law there and back\n");
    row("A-law there and back", alaw_ns);
    row("jitter buffer, in and out", time_of(through_jitter, j));
    row("8 to 16 kHz", time_of(resample8, up));
    row("16 to 8 kHz", time_of(resample16, down));
    bench_codecs();
    jitter_free(j);
    resample_free(up);
    resample_free(down);
}

/* ---- transcoding: one direction of a call between two codecs, beside the system calls without which nothing is relayed */

static void relay(void *ctx, unsigned k)
{
    uint8_t packet[RTP_HEADER_BYTES + 160] = {(uint8_t)k};
    const int *fd = ctx;
    sink += (int32_t)send(fd[0], packet, sizeof packet, 0) + (int32_t)recv(fd[0], packet, sizeof packet, 0);
}

/* A UDP socket that is connected to itself. */
static double relay_ns(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof to;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&to, len) || getsockname(fd, (struct sockaddr *)&to, &len) ||
        connect(fd, (struct sockaddr *)&to, len))
        must(ERR_IO);
    double ns = time_of(relay, &fd);
    (void)close(fd);
    return ns;
}

struct direction {
    const struct codec *from;
    unsigned said_hz, heard_hz;
    struct coding in; /* what comes */
    struct mouth *m;
    struct resample *between; /* NULL: one rate */
    struct codec_state *coder;
};

static void transcode(void *ctx, unsigned k)
{
    static const int16_t silence[320];
    struct direction *d = ctx;
    int16_t other[320];
    uint8_t out[CODEC_PACKET_MAX];
    uint64_t now_us = UINT64_C(1000000) + k * UINT64_C(20000);
    struct rtp_packet p = {.seq = (uint16_t)k,
                           .ts = k * (d->from->clock_hz / 50),
                           .ssrc = 1,
                           .payload = d->in.packet[k % 64],
                           .len = (size_t)d->in.len[k % 64]};
    sink += mouth_put(d->m, &p, true, now_us);
    const int16_t *pcm = mouth_frame(d->m, now_us);
    pcm = pcm ? pcm : silence;
    if (d->between) {
        (void)resample_run(d->between, pcm, d->said_hz / 50, other);
        pcm = other;
    }
    sink += codec_encode(d->coder, pcm, d->heard_hz / 50, out, sizeof out);
}

static double transcoding_ns(enum codec_id from, enum codec_id to)
{
    static struct direction d;
    d = (struct direction){.from = codec_get(from),
                           .said_hz = codec_get(from)->sample_hz > 8000 ? 16000 : 8000,
                           .heard_hz = codec_get(to)->sample_hz > 8000 ? 16000 : 8000};
    const struct mouth_config mc = {.codec = d.from, .rate_hz = d.said_hz, .min_ms = 20};
    d.in.voice = d.said_hz == 8000 ? voice8 : voice16;
    d.in.n = d.said_hz / 50;
    must(codec_open(d.from, d.said_hz, CODEC_ENCODE, NULL, &d.in.s, NULL));
    for (unsigned k = 0; k < 64; k++)
        encode(&d.in, k);
    must(mouth_new(&mc, &d.m));
    must(codec_open(codec_get(to), d.heard_hz, CODEC_ENCODE, NULL, &d.coder, NULL));
    if (d.said_hz != d.heard_hz)
        must(resample_new(d.said_hz, d.heard_hz, &d.between));
    double ns = time_of(transcode, &d);
    codec_close(d.in.s);
    codec_close(d.coder);
    mouth_free(d.m);
    resample_free(d.between);
    return ns;
}

static void bench_transcoding(void)
{
    double wire = relay_ns();
    printf("one direction of a call, ns a packet of 20 ms   with send and receive, to these alone (%.0f ns)\n", wire);
    for (unsigned from = 0; from < CODEC_COUNT; from++) {
        for (unsigned to = 0; to < CODEC_COUNT; to++) {
            if (from == to || (from <= CODEC_PCMA && to <= CODEC_PCMA))
                continue; /* relayed, by table at most */
            char what[64];
            double ns = transcoding_ns((enum codec_id)from, (enum codec_id)to);
            snprintf(what, sizeof what, "%s to %s", codec_get((enum codec_id)from)->name,
                     codec_get((enum codec_id)to)->name);
            printf("  %-28s %7.0f  %18.2f\n", what, ns, (wire + ns) / wire);
        }
    }
}

/* ---- concealment: each tenth frame of 20 ms is lost */

struct gaps {
    struct conceal *ours;
    plc_state_t *theirs;
    double error, silence; /* energies */
    bool keep;             /* measure errors */
};

static void judge(struct gaps *g, const int16_t *is, const int16_t *was, bool lost)
{
    for (unsigned i = 0; g->keep && i < 160; i++) {
        double e = is[i] - was[i];
        g->error += e * e;
        g->silence += lost ? (double)was[i] * was[i] : 0;
    }
}

static void conceal_ours(void *ctx, unsigned k)
{
    struct gaps *g = ctx;
    int16_t pcm[160];
    bool lost = k % 10 == 9;
    const int16_t *was = frame_at(voice8, 160, k);
    memcpy(pcm, was, sizeof pcm);
    if (lost)
        conceal_lost(g->ours, pcm, 160);
    else
        conceal_good(g->ours, pcm, 160);
    sink += pcm[k % 160];
    judge(g, pcm, was, lost);
}

static void conceal_theirs(void *ctx, unsigned k)
{
    struct gaps *g = ctx;
    int16_t pcm[160];
    bool lost = k % 10 == 9;
    const int16_t *was = frame_at(voice8, 160, k);
    memcpy(pcm, was, sizeof pcm);
    if (lost)
        (void)plc_fillin(g->theirs, pcm, 160);
    else
        (void)plc_rx(g->theirs, pcm, 160);
    sink += pcm[k % 160];
    judge(g, pcm, was, lost);
}

static double error_of(struct gaps *g, void (*work)(void *ctx, unsigned k))
{
    g->keep = true;
    g->error = g->silence = 0;
    for (unsigned k = 0; k < VOICE / 160 - 1; k++)
        work(g, k);
    g->keep = false;
    return g->error / g->silence;
}

static void bench_conceal(void)
{
    struct gaps g = {.theirs = plc_init(NULL)};
    must(conceal_new(8000, &g.ours));
    double ours = time_of(conceal_ours, &g), theirs = time_of(conceal_theirs, &g);
    printf("concealment, one frame in ten     ours  spandsp  ratio\n");
    printf("  ns a frame                  %8.0f %8.0f  %5.2f\n", ours, theirs, ours / theirs);
    ours = error_of(&g, conceal_ours);
    theirs = error_of(&g, conceal_theirs);
    printf("  error, silence being 1      %8.2f %8.2f  %5.2f\n", ours, theirs, ours / theirs);
    conceal_free(g.ours);
    (void)plc_free(g.theirs);
}

int main(void)
{
    g711_setup();
    speak(voice8, 8000);
    speak(voice16, 16000);
    speak(voice48, 48000);
    bench_mix();
    bench_parts();
    bench_transcoding();
    bench_conceal();
    return 0;
}
