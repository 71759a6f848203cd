/* What relaying a packet costs, beside the least that one can do: a thread with one socket a leg, epoll, recvmsg, a
 * rewritten 12 byte header, sendto. Both carry the same calls from a sender in a process of its own, in turns, so that what
 * else runs on the machine hits both. CPU is that of the relaying thread; latency is from the sender's clock to the kernel's
 * time stamp at the receiving socket. A third time the same calls are recorded, both parties of each: what the process spends on that, to
 * sealed chunks in a file, beside what it spends on relaying alone; copies at other nodes are not in it. */
#include <malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "storage/seal.h"
#include "telephony/media_int.h" /* the threads, whose time is read */

#ifndef CALLS /* bench_relay_200.c has more */
#define CALLS 100u
#endif
#define LEGS (2 * CALLS)
#define ROUNDS 3u
#include "bench/phones.h"

struct tally {
    uint64_t cpu_ns, sent, received;
    uint32_t histogram[HISTOGRAM + 1];
};

/* ---- the reference ---- */

struct bare {
    int fd[LEGS], epoll_fd;
    uint16_t port[LEGS];
    struct sockaddr_in to[LEGS];
    atomic_bool stop;
    pthread_t id;
};

static void *bare_main(void *arg)
{
    struct bare *b = arg;
    static uint16_t seq[LEGS];
    struct sched_param priority = {.sched_priority = sched_get_priority_min(SCHED_RR)};
    (void)pthread_setschedparam(pthread_self(), SCHED_RR, &priority); /* as the engine does */
    while (!atomic_load(&b->stop)) {
        struct epoll_event evs[256];
        int n = epoll_wait(b->epoll_fd, evs, 256, 100);
        for (int k = 0; k < n; k++) {
            unsigned from = evs[k].data.u32, to = from ^ 1;
            uint8_t buf[2048];
            struct sockaddr_in source;
            struct iovec iov = {buf, sizeof buf};
            struct msghdr m = {.msg_name = &source, .msg_namelen = sizeof source, .msg_iov = &iov, .msg_iovlen = 1};
            ssize_t len = recvmsg(b->fd[from], &m, MSG_DONTWAIT);
            if (len < 12)
                continue;
            uint32_t ts;
            memcpy(&ts, buf + 4, sizeof ts);
            rtp_write(buf, false, buf[1] & 0x7f, seq[to]++, ntohl(ts) + 1000, 99);
            (void)sendto(b->fd[to], buf, (size_t)len, MSG_DONTWAIT, (struct sockaddr *)&b->to[to], sizeof b->to[to]);
        }
    }
    return NULL;
}

static void add(struct tally *t, int link, const uint16_t *ports, clockid_t cpu)
{
    static struct result r;
    uint64_t before = clock_ns(cpu);
    write_all(link, ports, LEGS * sizeof *ports);
    read_all(link, &r, sizeof r);
    t->cpu_ns += clock_ns(cpu) - before;
    t->sent += r.sent;
    t->received += r.received;
    for (unsigned k = 0; k <= HISTOGRAM; k++)
        t->histogram[k] += r.histogram[k];
}

static void run_bare(int link, const uint16_t *phones, struct tally *t)
{
    static struct bare b;
    clockid_t cpu;
    memset(&b, 0, sizeof b);
    b.epoll_fd = epoll_create1(0);
    for (unsigned k = 0; k < LEGS; k++) {
        b.fd[k] = open_socket(&b.port[k]);
        b.to[k] = loopback(phones[k]);
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = k};
        if (epoll_ctl(b.epoll_fd, EPOLL_CTL_ADD, b.fd[k], &ev) != 0)
            die("epoll");
    }
    if (pthread_create(&b.id, NULL, bare_main, &b) != 0 || pthread_getcpuclockid(b.id, &cpu) != 0)
        die("thread");
    add(t, link, b.port, cpu);
    atomic_store(&b.stop, true);
    (void)pthread_join(b.id, NULL);
    for (unsigned k = 0; k < LEGS; k++)
        (void)close(b.fd[k]);
    (void)close(b.epoll_fd);
}

/* ---- ours ---- */

static void open_calls(struct media_engine *e, const uint16_t *phones, struct media_stream **s, uint16_t *ports)
{
    for (unsigned k = 0; k < LEGS; k++) {
        struct media_stream_params p = {.family = AF_INET};
        struct media_remote r = {.symmetric = true};
        struct sockaddr_in to = loopback(phones[k]), rtcp = loopback(9);
        if (media_stream_open(e, &p, &s[k]) != 0)
            die("media_stream_open");
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
        media_stream_set_remote(s[k], &r);
        ports[k] = media_stream_port(s[k]);
        if ((k & 1) && media_bridge(s[k - 1], s[k]) != 0)
            die("media_bridge");
    }
}

/* ---- recording, as node/recordings*.c does it: both parties in turn, a chunk of 250 ms sealed and written */
#define CHUNK_SAMPLES 2000u

struct tape {
    struct recorder *rec[2];
    size_t n[2];
    uint64_t chunk;
    uint8_t samples[2 * (CHUNK_SAMPLES + 65536u)];
};
struct writer {
    struct tape tapes[CALLS];
    struct seal_key key;
    int fd;
    uint64_t at, lost;
    atomic_bool stop;
};

static void tape_take(struct writer *w, struct tape *t)
{
    uint8_t in[1600], sealed[2 * CHUNK_SAMPLES + SEAL_EXTRA_BYTES];
    for (unsigned side = 0; side < 2; side++) {
        for (size_t n; (n = recorder_take(t->rec[side], in, sizeof in)) > 0; t->n[side] += n)
            for (size_t i = 0; i < n; i++)
                t->samples[2 * (t->n[side] + i) + side] = in[i];
    }
    while (t->n[0] >= CHUNK_SAMPLES && t->n[1] >= CHUNK_SAMPLES) {
        if (seal_close(&w->key, t->chunk++, t->samples, 2 * CHUNK_SAMPLES, sealed) != 0 ||
            pwrite(w->fd, sealed, sizeof sealed, (off_t)w->at) != (ssize_t)sizeof sealed)
            die("recording");
        w->at += sizeof sealed;
        for (unsigned side = 0; side < 2; side++)
            t->n[side] -= CHUNK_SAMPLES;
        memmove(t->samples, t->samples + 2 * CHUNK_SAMPLES, 2 * (t->n[0] > t->n[1] ? t->n[0] : t->n[1]));
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    const struct timespec tenth = {.tv_nsec = 100000000};
    while (!atomic_load(&w->stop)) {
        (void)nanosleep(&tenth, NULL);
        for (unsigned k = 0; k < CALLS; k++)
            tape_take(w, &w->tapes[k]);
    }
    return NULL;
}

static struct writer *writer_open(struct media_stream **s, pthread_t *id)
{
    struct writer *w = calloc(1, sizeof *w);
    FILE *file = tmpfile();
    if (!w || !file)
        die("file");
    w->fd = fileno(file);
    for (unsigned k = 0; k < LEGS; k++) {
        if (recorder_new(&(struct recorder_params){0}, &w->tapes[k / 2].rec[k % 2]) != 0 ||
            media_stream_record(s[k], w->tapes[k / 2].rec[k % 2]) != 0)
            die("recorder");
    }
    if (pthread_create(id, NULL, writer_main, w) != 0)
        die("thread");
    return w;
}

static uint64_t writer_close(struct writer *w, pthread_t id)
{
    uint64_t lost = 0;
    atomic_store(&w->stop, true);
    (void)pthread_join(id, NULL);
    for (unsigned k = 0; k < LEGS; k++) {
        lost += recorder_lost(w->tapes[k / 2].rec[k % 2]);
        recorder_unref(w->tapes[k / 2].rec[k % 2]);
    }
    (void)close(w->fd);
    free(w);
    return lost;
}

static void run_ours(int link, const uint16_t *phones, struct tally *t, size_t *bytes, uint64_t *lost)
{
    uv_loop_t loop;
    struct media_engine *e;
    struct media_stream *s[LEGS];
    uint16_t ports[LEGS];
    clockid_t cpu;
    struct err_info info = {0};
    struct media_config cfg = {
        .bind_ip = {"127.0.0.1"}, .port_min = 20000, .port_max = 59999, .threads = 1, .dead_ms = 20000};
    if (uv_loop_init(&loop) != 0 || media_engine_start(&loop, &cfg, &e, &info) != 0) {
        (void)fprintf(stderr, "bench_relay: %s\n", info.text);
        exit(1);
    }
    size_t before = mallinfo2().uordblks;
    open_calls(e, phones, s, ports);
    uv_run(&loop, UV_RUN_NOWAIT); /* the media thread is woken for its first streams at the loop's turn */
    *bytes = (mallinfo2().uordblks - before) / CALLS;
    if (pthread_getcpuclockid(e->threads[0].id, &cpu) != 0)
        die("thread");
    if (lost) { /* recorded: all that this process does */
        pthread_t id;
        struct writer *w = writer_open(s, &id);
        add(t, link, ports, CLOCK_PROCESS_CPUTIME_ID);
        *lost += writer_close(w, id);
    } else {
        add(t, link, ports, cpu);
    }
    for (unsigned k = 0; k < LEGS; k++)
        media_stream_close(s[k]);
    media_engine_stop(e);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
    }
    (void)uv_loop_close(&loop);
}

static unsigned percentile(const struct tally *t, double q)
{
    uint64_t want = (uint64_t)((double)t->received * q), n = 0;
    for (unsigned k = 0; k <= HISTOGRAM; k++) {
        n += t->histogram[k];
        if (n > want)
            return k;
    }
    return HISTOGRAM;
}

int main(void)
{
    static struct tally bare, ours, recorded;
    uint64_t lost = 0;
    uint16_t phones[LEGS];
    int link;
    size_t bytes = 0;
    pid_t child = telephones_start(&link, phones);

    for (unsigned k = 0; k < ROUNDS; k++) {
        run_bare(link, phones, &bare);
        run_ours(link, phones, &ours, &bytes, NULL);
        run_ours(link, phones, &recorded, &bytes, &lost);
    }
    telephones_stop(link, child);
    if (bare.received == 0 || ours.received == 0 || recorded.received == 0) {
        (void)fprintf(stderr, "bench_relay: nothing came through\n");
        return 1;
    }
    double a = (double)bare.cpu_ns / (double)bare.received, b = (double)ours.cpu_ns / (double)ours.received;
    double core = (double)ours.cpu_ns / 1e9 / (ROUNDS * SECONDS) * 100.0 * 100.0 / CALLS;
    printf("relay_calls: %u two-way G.711 calls, %u packets/s\n", CALLS, LEGS * 50);
    printf("relay_cpu_bare: %.0f ns/packet\n", a);
    printf("relay_cpu: %.0f ns/packet (ratio %.2f, at most 1.30)\n", b, b / a);
    printf("relay_core_per_100_calls: %.1f %% (at most 12)\n", core);
    double taped = (double)recorded.cpu_ns / 1e9 / (ROUNDS * SECONDS) * 100.0 * 100.0 / CALLS;
    printf("record_core_per_100_calls: %.1f %% (ratio %.2f, at most 1.50; at most 16)\n", taped, taped / core);
    printf("record_lost: %llu samples, %llu packets\n", (unsigned long long)lost,
           (unsigned long long)(recorded.sent - recorded.received));
    printf("relay_lost_bare: %llu of %llu packets\n", (unsigned long long)(bare.sent - bare.received),
           (unsigned long long)bare.sent);
    printf("relay_lost: %llu of %llu packets\n", (unsigned long long)(ours.sent - ours.received),
           (unsigned long long)ours.sent);
    printf("relay_latency_bare_p50: %u us\nrelay_latency_bare_p99: %u us\n", percentile(&bare, 0.5),
           percentile(&bare, 0.99));
    printf("relay_latency_p50: %u us (ratio %.2f)\n", percentile(&ours, 0.5),
           (double)percentile(&ours, 0.5) / (percentile(&bare, 0.5) ? percentile(&bare, 0.5) : 1));
    printf("relay_latency_p99: %u us\n", percentile(&ours, 0.99));
    printf("relay_memory_per_call: %zu bytes of heap\n", bytes);
    return 0;
}
