/* What rooms cost a media thread: conferences of three, and a supervisor who listens to a call that is relayed.
 *
 * First the work alone, in memory: of as many conferences in turns, each party's packet buffered, decoded, mixed for each and coded. Then over the network.
 * CPU is that of the media thread; each figure is the best of ROUNDS, all kinds in turns. The reference is the same telephones in relayed calls of two:
 * a conference costs what it takes more than these for each party and frame (receiving and sending are in both); a listener costs what
 * calls with one take more than the same calls without. */
#include <pthread.h>
#include <stdbool.h>

#define CALLS 50u
#define LEGS (3 * CALLS)
#define ROUNDS 5u
#include "bench/phones.h"
#include "telephony/g711.h"
#include "telephony/media_int.h" /* the threads, whose time is read */

#define FRAME_S 0.02
#define FRAMES 500u

enum kind { RELAYED, CONFERENCES, LISTENERS, ALONE, KINDS };
struct seen {
    double ns_frame; /* CPU a frame of 20 ms, of all that is carried */
    unsigned legs;
};

static void must(int rc, const char *what)
{
    if (rc) {
        (void)fprintf(stderr, "bench_room: %s: %s\n", what, err_text(rc));
        exit(EXIT_FAILURE);
    }
}

/* ---- in memory */

struct party {
    struct mouth *mouth;
    struct codec_state *coder;
};

static void frame_of(struct party *p, struct mix *m, unsigned k)
{
    static uint8_t in[160], out[CODEC_PACKET_MAX];
    static const int16_t silence[160];
    const int16_t *said[MIX_PARTIES_MAX] = {0}, *heard[MIX_EARS_MAX];
    uint64_t now_us = UINT64_C(1000000) + k * UINT64_C(20000);
    for (unsigned i = 0; i < 3; i++) {
        struct rtp_packet r = {.ssrc = i, .seq = (uint16_t)k, .ts = k * 160, .payload = in, .len = sizeof in};
        in[k % sizeof in] = (uint8_t)(k + i); /* nobody is quiet */
        (void)mouth_put(p[i].mouth, &r, true, now_us);
        said[i] = mouth_frame(p[i].mouth, now_us);
    }
    mix_run(m, said, heard);
    for (unsigned i = 0; i < 3; i++)
        (void)codec_encode(p[i].coder, heard[i] ? heard[i] : silence, 160, out, sizeof out);
}

/* us a party and frame. */
static double in_memory(void)
{
    static struct party p[LEGS];
    struct mix *m[CALLS];
    const struct mouth_config cfg = {.codec = codec_get(CODEC_PCMA), .rate_hz = 8000, .min_ms = 20};
    double best = 0;
    for (unsigned i = 0; i < LEGS; i++) {
        must(mouth_new(&cfg, &p[i].mouth), "mouth_new");
        must(codec_open(cfg.codec, 8000, CODEC_ENCODE, NULL, &p[i].coder, NULL), "codec_open");
    }
    for (unsigned c = 0; c < CALLS; c++) {
        must(mix_new(8000, &m[c]), "mix_new");
        mix_conference(m[c], 7);
    }
    for (unsigned round = 0, k = 0; round < ROUNDS; round++) {
        uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned i = 0; i < FRAMES; i++, k++) {
            for (unsigned c = 0; c < CALLS; c++)
                frame_of(p + 3 * c, m[c], k);
        }
        double us = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before) / 1e3 / FRAMES / LEGS;
        best = best == 0 || us < best ? us : best;
    }
    for (unsigned i = 0; i < LEGS; i++) {
        mouth_free(p[i].mouth);
        codec_close(p[i].coder);
    }
    for (unsigned c = 0; c < CALLS; c++)
        mix_free(m[c]);
    return best;
}

/* ---- over the network */

static struct media_stream *open_leg(struct media_engine *e, uint16_t phone)
{
    struct media_stream_params p = {.family = AF_INET};
    struct media_remote r = {.symmetric = true};
    struct sockaddr_in to = loopback(phone), rtcp = loopback(9);
    struct media_stream *s = NULL;
    must(media_stream_open(e, &p, &s), "media_stream_open");
    r.sdp = (struct sdp_session_params){.active = true,
                                        .codec = SDP_PCMA,
                                        .codec_pt = 8,
                                        .recv_pt = 8,
                                        .dtmf_pt = 101,
                                        .dtmf_recv_pt = 101,
                                        .ptime_ms = 20,
                                        .can_send = true,
                                        .can_recv = true};
    memcpy(&r.sdp.remote, &to, sizeof to);
    memcpy(&r.sdp.remote_rtcp, &rtcp, sizeof rtcp);
    media_stream_set_remote(s, &r);
    return s;
}

static void seat(struct media_engine *e, struct media_stream **s, unsigned n, const uint32_t *hears)
{
    struct media_room *r;
    struct media_seat seats[3];
    for (unsigned i = 0; i < n; i++)
        seats[i] = (struct media_seat){s[i], hears[i]};
    must(media_room_open(e, &r), "media_room_open");
    must(media_room_set(r, seats, n), "media_room_set");
}

/* As the kind has it; returns the legs that talk. */
static unsigned set_up(struct media_engine *e, enum kind kind, const uint16_t *phones, uint16_t *ports)
{
    static const uint32_t all[3] = {6, 5, 3}, listen[3] = {2, 1, 3};
    unsigned n = kind == ALONE ? 2 * CALLS : LEGS, each = kind == CONFERENCES || kind == LISTENERS ? 3 : 2;
    struct media_stream *s[LEGS];
    memset(ports, 0, LEGS * sizeof *ports);
    for (unsigned k = 0; k < n; k++) {
        s[k] = open_leg(e, phones[k]);
        ports[k] = media_stream_port(s[k]);
    }
    for (unsigned k = 0; k < n; k += each)
        seat(e, s + k, each, kind == CONFERENCES ? all : listen);
    return n;
}

static void run(int link, enum kind kind, const uint16_t *phones, struct seen *best)
{
    static struct result r;
    struct media_config cfg = {.bind_ip = {"127.0.0.1"}, .port_min = 20000, .port_max = 59999, .threads = 1};
    uv_loop_t loop;
    struct media_engine *e = NULL;
    uint16_t ports[LEGS];
    clockid_t cpu;
    must(uv_loop_init(&loop) ? ERR_IO : media_engine_start(&loop, &cfg, &e, NULL), "media_engine_start");
    unsigned legs = set_up(e, kind, phones, ports);
    uv_run(&loop, UV_RUN_NOWAIT); /* the media thread is woken for its first streams at the loop's turn */
    must(pthread_getcpuclockid(e->threads[0].id, &cpu) ? ERR_IO : 0, "thread");
    uint64_t before = clock_ns(cpu);
    write_all(link, ports, sizeof ports);
    read_all(link, &r, sizeof r);
    double ns = (double)(clock_ns(cpu) - before) / (SECONDS / FRAME_S);
    if (r.received < r.sent * 9 / 10) {
        (void)fprintf(stderr, "bench_room: %llu packets came of %llu\n", (unsigned long long)r.received,
                      (unsigned long long)r.sent);
        exit(EXIT_FAILURE);
    }
    if (best->legs == 0 || ns < best->ns_frame)
        *best = (struct seen){ns, legs};
    media_engine_stop(e);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
    }
    (void)uv_loop_close(&loop);
}

int main(void)
{
    struct seen best[KINDS] = {0};
    uint16_t phones[LEGS];
    int link;
    pid_t child = telephones_start(&link, phones);
    g711_setup();
    printf("room_work: %.2f us a party and frame of a conference of three, without the network (at most 2)\n",
           in_memory());
    for (unsigned k = 0; k < ROUNDS; k++) {
        for (unsigned kind = 0; kind < KINDS; kind++)
            run(link, (enum kind)kind, phones, &best[kind]);
    }
    telephones_stop(link, child);
    double relayed = best[RELAYED].ns_frame / LEGS / 1e3, three = best[CONFERENCES].ns_frame / LEGS / 1e3;
    double listener = (best[LISTENERS].ns_frame - best[ALONE].ns_frame) / CALLS / 1e3;
    printf("room_relayed: %.2f us a party and frame (calls of two, %u parties, best of %u rounds)\n", relayed, LEGS,
           ROUNDS);
    printf("room_conference: %.2f us a party and frame, %.2f more (ratio %.2f)\n", three, three - relayed,
           three / relayed);
    printf("room_listener: %.1f us a frame, %.3f %% of a core per call (at most 0.1; ratio to a relayed party %.2f)\n",
           listener, listener / 1e4 / FRAME_S, listener / relayed);
    return 0;
}
