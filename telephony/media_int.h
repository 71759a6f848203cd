/* Inside of the media engine: what the files media*.c share.
 *
 * media.c         core thread: handles, ports, commands out, events in
 * media_thread.c  the loop of a media thread: epoll, tick, commands, moving a stream to another thread
 * media_stream.c  per packet: receive, check, book, rewrite, send; RTCP
 * media_play.c    prompts, tones, silence, encoded per tick
 * media_room.c    core thread: bridges and rooms: who hears whom, planned whole and handed to the thread
 * media_mix.c     the rooms of a thread: mouths, mixing, ears
 * media_voice.c   sound decoded and coded by the codec of a session
 * media_audio.c   sound that is decoded: two codecs in a bridge, G.722 and Opus that is recorded; and what is encoded for those
 * media_dtmf.c    RFC 4733 and in-band digits, both directions
 *
 * Crossing threads. Core to media: a lock-free stack per thread that the media thread takes whole and reverses, so the order
 * is kept and neither side ever waits for the other. Media to core: a single-producer ring per thread. Closed streams come
 * back on a stack of the engine, through a link inside the stream, so that giving back cannot fail.
 *
 * Moving a stream. The old thread lets go of it (owner = NULL) and pushes it on the new thread's `adopted` stack. Commands
 * sent to the new thread may get there earlier: a thread that meets a command for a stream it does not own yet stops
 * running commands until the adoption. Every such wait is for a command that the core sent earlier, so there is no cycle. */
#ifndef TELEPHONY_MEDIA_INT_H
#define TELEPHONY_MEDIA_INT_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "telephony/media.h"
#include "telephony/mix.h"
#include "telephony/mouth.h"
#include "telephony/prompt.h"
#include "telephony/recorder.h"
#include "telephony/rtcp.h"
#include "telephony/rtp.h"

#define MEDIA_TICK_US 20000u
#define MEDIA_GATHER_US 1000u    /* a thread that has many packets looks for them so often ... */
#define MEDIA_GATHER_PACKETS 40u /* ... when a tick had so many: 20 calls */
#define MEDIA_TICK_SAMPLES 160u
#define MEDIA_PACKET_MAX 2048u
#define MEDIA_FRAME_MAX 480u /* samples of the longest ptime, 60 ms */
#define MEDIA_THREADS_MAX 4u
#define MEDIA_IPS_MAX 32u         /* our own, and those taken over */
#define MEDIA_EVENTS_MAX 1024u    /* ring of each thread to the core; a power of two */
#define MEDIA_COMMANDS_MAX 16384u /* waiting for one thread */
#define MEDIA_DIGITS_MAX 32u      /* waiting to be sent on one stream */
#define MEDIA_RELEARN_US 2000000u /* silence after which another source is taken */
#define MEDIA_KEEPALIVE_US 10000000u
#define MEDIA_RTCP_US 5000000u
#define MEDIA_DIGIT_LOST_US 200000u /* no more packets of a digit: its end was lost */
#define MEDIA_ENDS_US 60000u        /* within that the end of a digit is repeated */

struct media_thread;
struct media_audio;
struct dtmf_rx_state_s; /* spandsp */

struct media_addr {
    socklen_t len; /* 0: none */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } u;
};

enum media_cmd_type {
    MEDIA_CMD_OPEN,
    MEDIA_CMD_CLOSE,
    MEDIA_CMD_MOVE, /* to `thread` */
    MEDIA_CMD_REMOTE,
    MEDIA_CMD_PAUSE,
    MEDIA_CMD_MUTE,
    MEDIA_CMD_PLAY,
    MEDIA_CMD_STOP_PLAY,
    MEDIA_CMD_ECHO,
    MEDIA_CMD_DTMF,
    MEDIA_CMD_BRIDGE,
    MEDIA_CMD_UNBRIDGE,
    MEDIA_CMD_RECORD,
    MEDIA_CMD_ROOM_SET,
    MEDIA_CMD_ROOM_CLOSE,
    MEDIA_CMD_AUDIO,
};

struct media_playlist;
struct media_plan;

struct media_cmd {
    struct media_cmd *next;
    enum media_cmd_type type;
    bool embedded;          /* part of the stream or room: not freed by itself */
    struct media_stream *s; /* NULL: of a room */
    struct media_room *room;
    union {
        struct media_stream *peer;
        struct media_thread *thread;
        struct media_playlist *play;
        struct recorder *recorder; /* a reference, or NULL */
        struct media_plan *plan;
        struct media_audio *audio;
        struct {
            struct media_remote r;
            struct dtmf_rx_state_s *inband; /* ready-made, so that the media thread need not allocate */
        } remote;
        struct {
            char digit;
            uint32_t ms;
        } dtmf;
        bool on;
    } u;
};

/* What a packet type number means on a stream. */
enum media_kind {
    MEDIA_KIND_NONE,
    MEDIA_KIND_ULAW,
    MEDIA_KIND_ALAW,
    MEDIA_KIND_G722,
    MEDIA_KIND_OPUS,
    MEDIA_KIND_EVENT,
    MEDIA_KIND_CN
};
static inline bool media_kind_g711(enum media_kind kind)
{
    return kind == MEDIA_KIND_ULAW || kind == MEDIA_KIND_ALAW;
}
static inline bool media_kind_sound(enum media_kind kind)
{
    return kind >= MEDIA_KIND_ULAW && kind <= MEDIA_KIND_OPUS;
}

/* Our outgoing RTP stream: one SSRC, one sequence, one time line, whatever feeds it. */
struct media_tx {
    uint32_t ssrc, last_ts, last_dur; /* last_dur: RTP units that the newest packet covers */
    uint16_t next_seq;
    uint64_t last_us; /* 0: nothing sent yet */
    bool local;       /* the newest packet was made here: the next one follows it directly */
};

/* How a source that is relayed into this stream maps onto media_tx. */
struct media_map {
    bool valid;
    uint32_t ssrc, ts_off, max_ts;
    uint16_t seq_off, max_seq;
    uint32_t ext; /* packets since the mapping began: what is older than that must not go out */
    uint64_t last_us;
};

/* A digit that is being received. */
struct media_digit_rx {
    bool active, known; /* known: ts holds the last digit's, its repeats are ignored */
    uint8_t event;
    uint32_t ssrc, ts, dur, dur_before;
    uint64_t last_us;
    bool inband;
    uint64_t
        inband_start; /* in samples of 8 kHz, as `dur` of such a one is; else that is in units of the events' clock */
};

/* A digit that is being sent. */
struct media_digit_tx {
    bool active;
    bool inband;
    uint8_t event;
    uint8_t ends_left, rest_ticks;
    uint32_t ts, dur, total; /* units of the events' clock; in-band samples of 8 kHz */
    uint32_t phase[2], step[2];
};

/* What a stream needs in a room, which the core makes: a mouth, a coder. */
struct media_voicing {
    const struct codec *codec;
    unsigned rate_hz;
    uint16_t ptime_ms;
    bool mouth, level, coder; /* level: the mouth has gain control */
};

#define MEDIA_CODER_MAX 960u /* samples of the longest packet, 60 ms at 16 kHz */

/* Sound made into the packets of a session. */
struct media_coder {
    const struct codec *codec;
    struct codec_state *state;
    unsigned rate_hz, whole; /* samples of a packet */
    unsigned n;              /* that wait for the rest */
    int16_t pcm[MEDIA_CODER_MAX];
};

struct media_stream {
    /* Fixed from open to close. */
    struct media_engine *e;
    int fd[2]; /* RTP, RTCP */
    unsigned ip_index;
    uint16_t port;
    bool numbered; /* `given` counts */
    struct media_numbering given;
    bool silent_close; /* no farewell; set before the command that closes */

    /* Core thread. */
    struct list_node node;
    media_event_cb *cb;
    void *ctx;
    bool closed;
    struct media_thread *thread; /* where commands go */
    struct media_stream *core_peer;
    struct media_room *core_room;
    const struct codec *core_codec; /* of its session; NULL: none was agreed yet */
    uint16_t core_ptime_ms;
    char core_fmtp[SDP_FMTP_MAX];
    const struct codec *core_audio;    /* for which it was given its media_audio, NULL: none */
    struct media_voicing core_voicing; /* what it has, as soon as its thread has done what it was told */
    uint32_t last_play_id;
    struct media_cmd cmd_open, cmd_close;

    /* Handed from thread to thread. */
    struct media_stream *handed_next; /* on a stack: `adopted` of a thread, `closed` of the engine */
    _Atomic(struct media_thread *) owner;

    /* Written by the owner thread at ticks, read by the core (a sequence lock). */
    atomic_uint pub_seq;
    _Atomic uint64_t pub[sizeof(struct media_stats) / 8];

    /* Owner thread. */
    struct list_node tick_node;
    struct media_thread *t;
    bool have_remote, paused, muted, symmetric;
    bool tx_on, rx_on; /* all conditions to send / take audio, computed when one changes */
    bool echo, dead, alive, record_anew;
    struct sdp_session_params sdp;
    uint32_t clock_khz;        /* RTP units a millisecond, both ways */
    struct media_audio *audio; /* NULL: none */
    struct media_addr signalled, signalled_rtcp, to, rtcp_to, latched;
    uint64_t rx_since_us, last_rx_us;
    uint8_t kind_of[128]; /* enum media_kind by payload type */
    struct media_stream *peer;
    struct media_room *room;
    unsigned seat;               /* in the room's plan */
    struct media_stream *source; /* whose packets are relayed into this */
    struct mouth *mouth;         /* while it is decoded */
    struct media_coder *coder;   /* while it is mixed to */
    struct rtp_receiver rx;
    struct media_tx tx;
    struct media_map map;
    struct media_digit_rx digit_rx;
    struct media_digit_tx digit_tx;
    struct {
        bool known;
        uint32_t ts;
    } elsewhere; /* an event that began at another node */
    bool lost_base_known;
    int32_t lost_base; /* what the far end had lost when we began */
    struct {
        char digit;
        uint16_t ms;
    } digits[MEDIA_DIGITS_MAX];
    unsigned digits_head, digits_count;
    struct dtmf_rx_state_s *inband;
    bool inband_on;
    uint64_t inband_samples;
    struct media_playlist *play;
    struct recorder *recorder;      /* a reference */
    uint8_t frame[MEDIA_FRAME_MAX]; /* encoded samples waiting for a whole packet */
    unsigned frame_n;
    uint64_t rtcp_next_us, rtcp_sr_at_us;
    uint32_t rtcp_lsr;
    uint64_t rtcp_tx_packets_prior[2];
    uint64_t tx_payload_bytes;
    struct media_stats stats;
    bool stats_changed;
};

/* Who hears whom, and what is needed for it. Made by the core thread, then the media thread's. */
struct media_plan {
    unsigned n, rate_hz;
    struct mix *mix;         /* NULL: all are relayed */
    bool level, noise;       /* see media_room_comfort */
    uint32_t decoded, mixed; /* mouths that are mixed; ears that are mixed to */
    struct {
        struct media_stream *s; /* NULL: it has left */
        const struct codec *codec;
        uint32_t hears, relayed_to; /* relayed_to: ears that are given its packets */
        unsigned leader;            /* mixed ears that hear the same: the one that it is coded for */
        struct mouth *mouth;        /* new ones, until they are handed over */
        struct media_coder *coder;
    } seat[MEDIA_SEATS_MAX];
};

struct media_room {
    /* Core thread. */
    struct media_engine *e;
    struct list_node node;
    struct media_thread *thread; /* of its streams; NULL: there were none yet */
    unsigned n;
    struct media_seat seats[MEDIA_SEATS_MAX];
    bool changed; /* since it was planned: who left, what was not planned for want of memory */
    bool level, noise;
    struct media_cmd cmd_close;

    /* Owner thread. */
    struct list_node tick_node;
    struct media_plan *plan;
    uint32_t noise_seed;
};

struct media_message {
    struct media_stream *s;
    struct media_event ev;
};

struct media_counters {
    uint64_t packets_in, packets_out, packets_noise, ticks_late, queue_full;
};

struct media_thread {
    struct media_engine *e;
    pthread_t id;
    bool running;      /* core thread */
    unsigned assigned; /* core thread: streams */
    bool wake_due;     /* core thread: it has no tick yet that would make it look at its commands */
    int epoll_fd, wake_fd, timer_fd;
    atomic_bool stop;

    _Atomic(struct media_cmd *) commands;
    atomic_uint n_commands;
    _Atomic(struct media_stream *) adopted;

    struct media_message ring[MEDIA_EVENTS_MAX];
    atomic_uint ring_head, ring_tail; /* core takes at head, the thread puts at tail */

    _Atomic uint64_t pub[sizeof(struct media_counters) / 8];

    /* The thread itself. */
    struct media_cmd *todo, **todo_end;
    struct list_node streams, rooms;
    unsigned n_streams;
    uint64_t now_us; /* monotonic, once per wake-up */
    uint64_t due_us; /* when the newest tick was due */
    uint64_t wall_us;
    bool wake_core;
    uint64_t packets_ticked; /* count.packets_in at the latest tick */
    bool gathers;
    unsigned gave_back; /* ticks until the core is woken for closed streams */
    uint64_t random;
    struct media_counters count;
    uint8_t buf[MEDIA_PACKET_MAX + 64];
};

enum media_port_use { MEDIA_PORT_FREE, MEDIA_PORT_USED, MEDIA_PORT_CLOSING };
struct media_ports {
    uint8_t *used; /* one byte a pair: enum media_port_use */
    unsigned next, users;
    bool gone;  /* dropped: the slot is free once users is 0 */
    bool early; /* expected, perhaps not on an interface yet */
};

/* Its handles on the core's loop. They outlive the engine by one loop turn. */
struct media_handles {
    uv_async_t async;     /* media threads have news */
    uv_prepare_t prepare; /* before the loop waits and after it: media threads are woken for what was pushed */
    uv_check_t check;
    int open;
};

struct media_engine {
    struct media_handles *handles;
    char ip[MEDIA_IPS_MAX][INET6_ADDRSTRLEN];
    struct media_addr bind[MEDIA_IPS_MAX]; /* port 0 */
    struct media_ports ports[MEDIA_IPS_MAX];
    unsigned n_ips, n_pairs;
    uint16_t port_min;
    unsigned n_threads;
    uint32_t dead_ms;
    struct media_thread *threads;
    _Atomic(struct media_stream *) closed;
    struct list_node streams, rooms;
    unsigned n_streams, n_free;
    uint32_t next_play_id;
    bool delivering;
    _Atomic uint64_t lease_us; /* monotonic: until then threads may send */
    uint64_t refused;          /* commands not taken because a queue was full or memory short */
    uint64_t cname;            /* of sources that were given none */
};

/* media.c */
/* NULL when the thread's queue is full or memory short, which is counted. */
struct media_cmd *media_command_new(struct media_engine *e, struct media_thread *t, enum media_cmd_type type,
                                    struct media_stream *s);

/* media_thread.c */
int media_thread_prepare(struct media_thread *t);
void *media_thread_main(void *arg);
void media_thread_push(struct media_thread *t, struct media_cmd *c);
void media_thread_wake(struct media_thread *t); /* if something was pushed */
void media_thread_free_command(struct media_cmd *c);
/* False when the ring is full; the caller tries again at the next tick or lets it go. */
bool media_thread_emit(struct media_thread *t, struct media_stream *s, const struct media_event *ev);
uint64_t media_thread_random(struct media_thread *t);

/* media_stream.c: owner thread */
void media_stream_on_rtp(struct media_thread *t, struct media_stream *s);
void media_stream_on_rtcp(struct media_thread *t, struct media_stream *s);
void media_stream_apply_remote(struct media_stream *s, const struct media_remote *r);
void media_stream_update_gates(struct media_stream *s);
void media_stream_tick(struct media_thread *t, struct media_stream *s);
void media_stream_start_rtcp(struct media_stream *s);
void media_stream_send_rtcp(struct media_stream *s, bool bye);
void media_stream_publish(struct media_stream *s);
void media_stream_let_go(struct media_stream *s); /* of its recorder */
/* Sends a packet of our own making that follows what was sent before, `units` of RTP time long; payload has RTP_HEADER_BYTES of room before
 * it. skip: that time goes by, and nothing is sent. */
void media_stream_send_local(struct media_stream *s, uint8_t *payload, size_t len, uint32_t units);
void media_stream_skip_local(struct media_stream *s, uint32_t units);
/* As above with type, time stamp and marker given. Does not touch tx.last_*. */
void media_stream_send_raw(struct media_stream *s, bool marker, uint8_t pt, uint32_t ts, uint8_t *payload, size_t len);
/* The time stamp with which something new may begin now. */
uint32_t media_stream_resume_ts(const struct media_stream *s);
/* False: it is older than the point where its source was switched in. The payload may be changed to the law of d. */
bool media_stream_relay(struct media_stream *d, const struct rtp_packet *p, enum media_kind kind, bool restart);
/* A-law to mu-law or back, in place. */
void media_stream_convert(const struct rtp_packet *p, enum media_kind *kind, enum sdp_codec to);
/* From whose packets are relayed into s from now on; NULL: nobody's. */
void media_stream_set_source(struct media_stream *s, struct media_stream *source);
static inline bool media_stream_silent(const struct media_stream *s)
{
    return s->muted || (s->room && s->paused);
}
/* RTP units of a time in microseconds. */
static inline uint32_t media_stream_units(const struct media_stream *s, uint64_t us)
{
    return (uint32_t)(us * s->clock_khz / 1000u);
}
static inline uint8_t media_stream_silence(const struct media_stream *s)
{
    return s->sdp.codec == SDP_PCMU ? 0xFFu : 0xD5u;
}

/* media_play.c */
int media_playlist_new(const struct media_item *items, unsigned n, uint32_t start_ms, uint32_t id,
                       struct media_playlist **out);
void media_playlist_free(struct media_playlist *pl); /* any thread */
void media_play_tick(struct media_stream *s);
void media_play_drop(struct media_stream *s);
/* Encodes and sends by ptime. */
void media_play_samples(struct media_stream *s, const int16_t *pcm, unsigned n);
uint32_t media_tone_step(unsigned hz);
int media_tone_sample(uint32_t phase); /* -32767..32767 */
int32_t media_tone_amplitude(int dbm0);

/* media_voice.c */
/* Of an agreed session; NULL: nothing was agreed. */
const struct codec *media_codec(const struct sdp_session_params *p);
/* Whether packets of one can be sent as the other without decoding them. NULL is nothing yet, which never hinders. */
bool media_codec_relays(const struct codec *from, const struct codec *to);
int media_mouth_new(const struct codec *codec, unsigned rate_hz, bool level, struct mouth **out);
/* fmtp: what the other side says of what it wants to be sent. */
int media_coder_new(const struct codec *codec, unsigned rate_hz, unsigned ptime_ms, const char *fmtp,
                    struct media_coder **out);
/* What cannot be asked for is passed over: then he gets what everybody does. */
int media_coder_open(const struct codec *codec, unsigned rate_hz, const char *fmtp, struct codec_state **out);
void media_coder_free(struct media_coder *c); /* any thread; NULL is fine */
/* Takes up to n samples, up to the end of a packet; returns how many. *whole: that was reached, and *len are the bytes of the packet, 0
 * where silence is not sent; out has CODEC_PACKET_MAX. */
unsigned media_coder_put(struct media_coder *c, const int16_t *pcm, unsigned n, uint8_t *out, bool *whole, size_t *len);

/* media_room.c: core thread */
void media_room_session(struct media_stream *s); /* another one is agreed */
void media_room_forget(struct media_stream *s);  /* s is about to be closed */
void media_plan_free(struct media_plan *pl);     /* any thread; NULL is fine */

/* media_mix.c: owner thread */
void media_room_apply(struct media_thread *t, struct media_room *r, struct media_plan *pl);
void media_room_end(struct media_room *r); /* frees it */
void media_room_leave(struct media_stream *s);
void media_room_tick(struct media_room *r);
/* What a stream in a room was sent; false: too late for all. */
bool media_room_packet(struct media_stream *s, const struct rtp_packet *p, enum media_kind kind, bool restart);
/* A key that was let go; inband: it is in the sound already. */
void media_room_key(struct media_stream *s, char digit, uint32_t ms, bool inband);
/* media_audio.c: core thread */
bool media_audio_narrow(enum sdp_codec c); /* G.711 */
/* Both get what it takes if they are to hear each other and cannot be relayed. ERR_NOMEM, ERR_BUSY. */
ERR_CHECKED int media_audio_pair(struct media_stream *a, struct media_stream *b);
/* A session is agreed, and about to be handed to the thread. True: it is another than before. */
bool media_audio_session(struct media_stream *s, const struct sdp_session_params *sdp);
void media_audio_free(struct media_audio *a); /* any thread; NULL is fine */
/* media_audio.c: owner thread */
bool media_audio_transcodes(const struct media_stream *s, const struct media_stream *d); /* s is heard by d, decoded */
/* What arrives; audio: of the stream's codec. */
void media_audio_put(struct media_stream *s, const struct rtp_packet *p, bool audio);
void media_audio_tick(struct media_stream *s);
/* 20 ms at 8000 or 16000 Hz are heard on s, unless a prompt or a key is. */
void media_audio_hear(struct media_stream *s, const int16_t *pcm, unsigned rate_hz);
/* Sound of 8 kHz, encoded and sent by ptime; what waits for a whole packet, filled up or dropped. */
void media_audio_say(struct media_stream *s, const int16_t *pcm, unsigned n);
void media_audio_flush(struct media_stream *s);
void media_audio_drop(struct media_stream *s);
/* A packet of silence as long as `units`; payload has CODEC_PACKET_MAX. Returns its bytes, 0: there is none so long. */
size_t media_audio_silence(struct media_stream *s, uint8_t *payload, uint32_t units);

/* media_dtmf.c */
/* Keys that s is sent go to d as keys that are made anew, when they are let go; else packet for packet. */
bool media_dtmf_made_anew(const struct media_stream *s, const struct media_stream *d);
void media_dtmf_on_sound(struct media_stream *s, const int16_t *pcm, unsigned n); /* of 8 kHz */
void media_dtmf_on_event(struct media_stream *s, const struct rtp_packet *p, bool late);
void media_dtmf_on_audio(struct media_stream *s, const struct rtp_packet *p, enum media_kind kind);
void media_dtmf_check_lost(struct media_stream *s);
void media_dtmf_queue(struct media_stream *s, char digit, uint32_t ms);
/* True while a digit has the outgoing stream. */
bool media_dtmf_tick(struct media_stream *s);
/* Whether another node has, or may have, relayed the beginning of this event into d: it would be heard as a second one. */
bool media_dtmf_elsewhere(struct media_stream *d, const struct rtp_packet *p);
struct dtmf_rx_state_s *media_dtmf_detector(struct media_stream *s);
void media_dtmf_free(struct dtmf_rx_state_s *rx); /* any thread; NULL is fine */
int media_dtmf_event_of(char digit);              /* 0-15 or -1 */

#endif
