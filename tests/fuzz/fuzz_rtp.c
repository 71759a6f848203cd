/* RTP and RTCP from strangers, through real sockets into two bridged streams; the media thread is played by the fuzzer,
 * so that time is the input's.
 *
 * An input is records: a byte of choices, a byte of length, that many bytes of datagram. Choices: 1 RTCP port, 2 second
 * stream, 4 a second source, 8 a tick of 20 ms follows, 16 three seconds of silence follow, 32 play something to the
 * other leg, 64 press a key towards it. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "telephony/g711.h"
#include "telephony/media_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct media_engine e;
    struct media_thread t;
    struct sockaddr_in at[2][2]; /* of each stream's RTP and RTCP */
    int fd[2][2];
    int source[2], sink;
    struct sockaddr_in sink_at, source_at;
    bool ready;
} rig;

static int open_socket(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof *at) != 0 || getsockname(fd, (struct sockaddr *)at, &len) != 0)
        abort();
    return fd;
}

static void prepare(void)
{
    struct sockaddr_in other;
    g711_setup();
    rig.sink = open_socket(&rig.sink_at);
    rig.source[0] = open_socket(&rig.source_at);
    rig.source[1] = open_socket(&other);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 2; k++)
            rig.fd[i][k] = open_socket(&rig.at[i][k]);
    }
    rig.e.dead_ms = 1000;
    rig.ready = true;
}

static struct media_stream *new_stream(unsigned i)
{
    struct media_stream *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->e = &rig.e;
    s->t = &rig.t;
    s->fd[0] = rig.fd[i][0];
    s->fd[1] = rig.fd[i][1];
    s->tx.ssrc = i + 1;
    struct media_remote r = {.symmetric = true, .inband_dtmf = i == 1};
    r.sdp = (struct sdp_session_params){.active = true,
                                        .codec = i ? SDP_PCMA : SDP_PCMU,
                                        .codec_pt = i ? 8 : 0,
                                        .recv_pt = i ? 8 : 0,
                                        .dtmf_pt = i ? -1 : 101,
                                        .dtmf_recv_pt = i ? -1 : 101,
                                        .ptime_ms = 20,
                                        .rtcp_mux = i == 1,
                                        .can_send = true,
                                        .can_recv = true};
    memcpy(&r.sdp.remote, &rig.source_at, sizeof rig.source_at);
    memcpy(&r.sdp.remote_rtcp, &rig.sink_at, sizeof rig.sink_at);
    if (i)
        s->inband = media_dtmf_detector(s);
    media_stream_apply_remote(s, &r);
    media_stream_start_rtcp(s);
    return s;
}

static void feed(struct media_stream *s[2], uint8_t choice, const uint8_t *data, size_t n)
{
    unsigned port = choice & 1, i = choice >> 1 & 1, from = choice >> 2 & 1;
    struct media_stats st;
    (void)sendto(rig.source[from], data, n, 0, (struct sockaddr *)&rig.at[i][port], sizeof rig.at[i][port]);
    rig.t.now_us += 1000;
    rig.t.wall_us += 1000;
    if (port)
        media_stream_on_rtcp(&rig.t, s[i]);
    else
        media_stream_on_rtp(&rig.t, s[i]);
    if (choice & 32 && !s[i ^ 1]->play) {
        struct media_item item = {.kind = MEDIA_TONE, .hz1 = 700, .ms = 60, .level_dbm0 = -10};
        if (media_playlist_new(&item, 1, 0, 1, &s[i ^ 1]->play) != 0)
            abort();
    }
    if (choice & 64)
        media_dtmf_queue(s[i ^ 1], "0123456789*#ABCD"[n & 15], 60);
    if (choice & 16) {
        rig.t.now_us += 3000000;
        rig.t.wall_us += 3000000;
    }
    if (choice & (8 | 16)) {
        rig.t.now_us += MEDIA_TICK_US;
        rig.t.wall_us += MEDIA_TICK_US;
        media_stream_tick(&rig.t, s[0]);
        media_stream_tick(&rig.t, s[1]);
    }
    atomic_store(&rig.t.ring_head, atomic_load(&rig.t.ring_tail)); /* the core takes its events */
    for (unsigned k = 0; k < 2; k++) {
        media_stream_publish(s[k]);
        media_stream_stats(s[k], &st);
        if (st.rx_late > st.rx_packets || s[k]->digits_count > MEDIA_DIGITS_MAX || s[k]->frame_n >= MEDIA_FRAME_MAX)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t buf[256];
    if (!rig.ready)
        prepare();
    rig.t.now_us = 1000000000;
    rig.t.wall_us = 1700000000000000;
    rig.t.random = 88172645463325252u;
    rig.t.e = &rig.e;
    struct media_stream *s[2] = {new_stream(0), new_stream(1)};
    s[0]->peer = s[1];
    s[1]->peer = s[0];
    for (size_t at = 0; at + 2 <= size;) {
        size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        feed(s, data[at], data + at + 2, n);
        at += 2 + n;
    }
    for (unsigned k = 0; k < 2; k++) {
        while (recv(s[k]->fd[0], buf, sizeof buf, 0) >= 0 || recv(s[k]->fd[1], buf, sizeof buf, 0) >= 0) {
        }
        media_play_drop(s[k]);
        media_dtmf_free(s[k]->inband);
        free(s[k]);
    }
    return 0;
}
