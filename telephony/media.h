/* Media: RTP streams, relay, tones, prompts, DTMF, quality. Runs in threads of its own.
 *
 * Model. An engine has N media threads; each owns an epoll set, a 20 ms tick and its streams. A stream is one leg's RTP and
 * RTCP socket pair on an even port. The core thread creates and commands streams; commands cross in a bounded queue and
 * take effect at once; events come back in a bounded queue and are delivered on the core thread. A stream is placed on the
 * thread with the fewest; two streams that are bridged live on one thread: media_bridge moves b to a's, and what arrives
 * meanwhile waits in its socket. A packet is relayed the moment it arrives; a thread that has 2,000 and more a second looks for
 * them once a millisecond, for to be woken costs more than a packet does. Same codec on both sides and nothing that listens to
 * the audio: packets are rewritten (payload type, SSRC, sequence, timestamp) and relayed without decoding;
 * A/mu differ: table transcoding; other codecs differ: what arrives is decoded behind a jitter buffer, what is lost concealed, and
 * it is encoded anew each tick. What leaves a stream is one RTP source with one continuous numbering, whatever feeds it.
 * RFC 4733 events are relayed as events (as tones where the other leg has none; between two codecs when they are over) and
 * reported; in-band DTMF is looked for
 * when asked. RTCP (RFC 3550 section 6) sender and receiver reports every 5 s; loss, jitter and round trip kept per stream.
 *
 * Thread: every function here is for the core thread. Nothing allocates, locks or logs per packet.
 * Handles: a stream is reference-free; it is valid until media_stream_close, after which no event for it arrives.
 * Noise (short packets, wrong version, wrong payload type, wrong source) is counted and dropped.
 * Overflow. 16384 commands may wait for a thread (it would have to stand still for seconds): then calls that return a code
 * say ERR_BUSY, the others are dropped and counted in queue_full; closing always works. 1024 events may wait for the core:
 * PLAYED, DEAD, ALIVE and RECORDED are kept and told later, a digit is dropped and counted. */
#ifndef TELEPHONY_MEDIA_H
#define TELEPHONY_MEDIA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/err.h"
#include "telephony/sdp.h"

struct media_engine;
struct media_stream;
struct recorder; /* telephony/recorder.h */
struct prompt;   /* telephony/prompt.h: decoded audio shared by all streams, 8 kHz mono 16 bit */

struct media_config {
    const char *bind_ip[4];      /* textual addresses, IPv4 and/or IPv6; NULL ends the list */
    uint16_t port_min, port_max; /* even ports are used for RTP, odd for RTCP */
    unsigned threads;            /* 0: one per core, at most 4 */
    unsigned dead_ms;            /* no packet for so long while we may receive: MEDIA_EV_DEAD; 0 = off; default 20000 */
};

ERR_CHECKED int media_engine_start(uv_loop_t *loop, const struct media_config *cfg, struct media_engine **out,
                                   struct err_info *info);
/* Closes what is open. Not from an event callback. The loop must turn once more before it is closed. NULL is fine. */
void media_engine_stop(struct media_engine *e);

enum media_event_type {
    MEDIA_EV_DTMF,     /* one key, told once, when it is let go: digit, duration_ms */
    MEDIA_EV_PLAYED,   /* play number `play_id` ended by itself */
    MEDIA_EV_DEAD,     /* nothing received for dead_ms */
    MEDIA_EV_ALIVE,    /* the first packet, or the first after MEDIA_EV_DEAD */
    MEDIA_EV_TONE,     /* detected call tone (issue-later use) */
    MEDIA_EV_RECORDED, /* the recorder of this stream has ended by itself (recorder_ended); it is detached */
};
struct media_event {
    enum media_event_type type;
    char digit; /* 0-9 * # A-D */
    uint32_t duration_ms;
    uint32_t play_id;
};
typedef void media_event_cb(void *ctx, struct media_stream *s, const struct media_event *ev);

/* Where the numbers of what leaves a stream begin, so that a node that carries a call on speaks as the same source (RFC 3550
 * section 8): receivers go by SSRC, sequence number and time stamp. */
struct media_numbering {
    uint32_t ssrc;
    uint16_t seq; /* of the first packet */
    uint32_t
        ts; /* of a packet sent at `at_us`; the time line runs on from there, at the clock of the codec, whether something is sent or not */
    uint64_t at_us; /* monotonic clock */
    uint64_t cname; /* of this source, in RTCP: stays with the SSRC */
    /* Another node has sent as this source: a key that was pressed before this stream was opened is not relayed once more, an end
     * that comes within 60 ms is not reported once more, and what the far end reports as lost counts from here. */
    bool goes_on;
};

struct media_stream_params {
    const char *ip; /* one of bind_ip; NULL: the first of `family` */
    int family;     /* AF_INET or AF_INET6, used when ip is NULL */
    uint16_t port;  /* this very even port (a call taken over with its address); 0: any. ERR_BUSY when it is taken */
    const struct media_numbering *numbering; /* copied; NULL: all random */
    /* May be NULL. For any port: whether this one is another's, who has not come for it yet. */
    bool (*spoken_for)(void *ctx, const char *ip, uint16_t port);
    media_event_cb *cb;
    void *ctx;
};

/* Reserves a port pair. ERR_BUSY: none left. */
ERR_CHECKED int media_stream_open(struct media_engine *e, const struct media_stream_params *p,
                                  struct media_stream **out);
/* At once for the caller; the thread says farewell by RTCP and gives the ports back a little later. NULL is fine. */
void media_stream_close(struct media_stream *s);
/* The same without a farewell: the stream goes on elsewhere, the far end shall not notice. */
void media_stream_forget(struct media_stream *s);
/* Events go to this context from now on. */
void media_stream_set_ctx(struct media_stream *s, void *ctx);
uint16_t media_stream_port(const struct media_stream *s);
const char *media_stream_ip(const struct media_stream *s);

/* Addresses that come and go while it runs (takeover). add: ERR_EXISTS, ERR_NOTFOUND (not an address of this host), ERR_TOOBIG.
 * drop: streams on it are forgotten first by their owner.
 * expect: it is being put on an interface (ip(7), IP_FREEBIND). Streams that name it can be opened from now on, and are heard from
 * the moment it is there; others are not put on it. Then add says that it is, or drop that it never came. */
ERR_CHECKED int media_engine_add_ip(struct media_engine *e, const char *ip);
ERR_CHECKED int media_engine_expect_ip(struct media_engine *e, const char *ip);
void media_engine_drop_ip(struct media_engine *e, const char *ip);
/* Streams whose sockets are still open on this address: closing takes a turn of a thread and one of the loop. */
unsigned media_engine_users(const struct media_engine *e, const char *ip);
/* Whether a stream at this address and port was closed and has not given them back yet. */
bool media_engine_closing(const struct media_engine *e, const char *ip, uint16_t port);
/* Nothing is sent by any thread once the monotonic clock (base/clock.h) has passed this, until it is set anew: a node that was
 * halted, or is cut off, falls silent by itself. UINT64_MAX at the start: no limit. From any thread. */
void media_engine_lease(struct media_engine *e, uint64_t until_mono_us);

struct media_remote {
    struct sdp_session_params sdp; /* where to and how to send */
    /* Comedia: send to where packets come from. The first source is taken, but the signalled address may take over at any time;
     * another one only after 2 s of silence. */
    bool symmetric;
    bool inband_dtmf; /* look for DTMF in the audio when the other side has no telephone-event */
};
/* May be called again at any time (re-INVITE): SSRC, sequence and timestamps go on. Without `symmetric`, packets are sent to
 * the signalled address and taken from its host only. Nothing is taken or sent before the first call. While nothing else
 * is sent for 10 s, a packet of silence goes out (RFC 6263). */
void media_stream_set_remote(struct media_stream *s, const struct media_remote *r);
/* Hold: stop sending and stop dead detection; false resumes. What arrives is still taken. */
void media_stream_pause(struct media_stream *s, bool paused);

/* What arrives is silence, and no keys, to the other leg of its bridge, packet for packet, so that neither its numbers nor its life
 * change by it; what nobody is to hear is not recorded either. */
void media_stream_mute(struct media_stream *s, bool muted);

/* One thing after another: prompts, silences and tones. The list is copied, prompts are referenced. */
struct media_item {
    enum { MEDIA_PROMPT, MEDIA_SILENCE, MEDIA_TONE, MEDIA_MUSIC } kind;
    struct prompt *prompt;
    uint32_t ms;            /* SILENCE, TONE: length; 0 = without end. MUSIC is without end */
    uint16_t hz1, hz2;      /* TONE: one or two frequencies */
    int16_t level_dbm0;     /* TONE: of the whole, such as -13 */
    uint32_t on_ms, off_ms; /* TONE cadence; 0,0: continuous */
};
#define MEDIA_ITEMS_MAX 64
/* Replaces what is playing. `start_ms`: begin so far into the list (takeover). *play_id identifies the MEDIA_EV_PLAYED.
 * Waits for the first media_stream_set_remote; on hold, time goes on unheard. On a bridged stream it is heard instead of
 * the other leg until it ends. ERR_INVAL / ERR_RANGE: an item makes no sense; ERR_NOMEM, ERR_BUSY. */
ERR_CHECKED int media_stream_play(struct media_stream *s, const struct media_item *items, unsigned n, uint32_t start_ms,
                                  uint32_t *play_id);
void media_stream_stop_play(struct media_stream *s);
/* What arrives is put into the recorder from now on, until it ends by itself, another one (or NULL: none) takes its place, or the
 * stream is closed. A reference is taken. ERR_BUSY. */
ERR_CHECKED int media_stream_record(struct media_stream *s, struct recorder *r);
/* Sends back what arrives (access number 10001). */
void media_stream_echo(struct media_stream *s, bool on);
/* Sends an RFC 4733 event (or in-band tones where the other side has no telephone-event). 40-5000 ms, 0 is 100 ms. Up to
 * 32 digits wait for their turn; a digit that cannot be sent (hold) is dropped. */
void media_stream_send_dtmf(struct media_stream *s, char digit, uint32_t duration_ms);

/* a hears b and b hears a; playing, echo and other bridges of both end. Either one's close or media_unbridge ends it.
 * ERR_INVAL: a is b; ERR_BUSY, ERR_CLOSED. */
ERR_CHECKED int media_bridge(struct media_stream *a, struct media_stream *b);
void media_unbridge(struct media_stream *s);

/* Rooms: more than two who hear each other, by a matrix. All streams of a room live on one thread, as those of a bridge. An ear that
 * hears one mouth of the same codec (or of the other law of G.711) is relayed to packet for packet, whoever else listens; every other ear is
 * given each 20 ms what is mixed of the mouths it hears, which are decoded for that, behind a jitter buffer of 20 to 200 ms. What leaves a
 * stream stays one RTP source. Keys are passed on to all who hear, and reported. In a room
 *     playing   is heard instead of the room until it ends; also what played when the stream came in
 *     muted     the mouth is silent, and gives no keys
 *     paused    the same, and nothing is sent
 *     echo      the stream hears itself alone, and nobody hears it; it ends when a stream comes into a room
 * An ear that hears nobody is sent nothing. */
struct media_room;
#define MEDIA_SEATS_MAX 32u
struct media_seat {
    struct media_stream *stream;
    uint32_t hears; /* bit i: the i-th seat of the list is heard; one's own means nothing */
};
/* Nobody is in it. ERR_NOMEM. */
ERR_CHECKED int media_room_open(struct media_engine *e, struct media_room **out);
/* From the next media_room_set on, of what is mixed there (telephony/level.h): whether those who come into the room are brought to one
 * loudness, and whether ears that hear nobody speak are sent a little noise. Neither, until this is called. */
void media_room_comfort(struct media_room *r, bool gain_control, bool noise);
/* The whole, at once: each frame has either what was before or this. Who is not in the list any more is let go of and hears nothing; a
 * stream that is bridged or in another room leaves that. The list is copied; to say again what is so costs nothing. On an error nothing has
 * changed: ERR_RANGE (n above MEDIA_SEATS_MAX), ERR_INVAL (a stream twice, of another engine, or a seat that there is not), ERR_CLOSED, ERR_BUSY, ERR_NOMEM. A stream that is
 * closed or bridged leaves by itself; the others stay as they are until the next call. */
ERR_CHECKED int media_room_set(struct media_room *r, const struct media_seat *seats, unsigned n);
/* All are let go of. NULL is fine. Not after media_engine_stop, which closes rooms too. */
void media_room_close(struct media_room *r);

struct media_stats {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t rx_lost; /* by sequence numbers (RFC 3550 A.3) */
    uint64_t rx_late, rx_discarded;
    uint32_t jitter_us; /* RFC 3550 A.8, ours of what we receive; the worst seen */
    uint32_t remote_jitter_us;
    uint32_t remote_lost;             /* as the other side reports */
    uint32_t rtt_us;                  /* from RTCP, 0 unknown */
    uint64_t first_rx_us, last_rx_us; /* wall clock, 0 none */
    uint32_t tx_seq,
        tx_ts;         /* the next sequence number (16 bit); time stamp of the newest packet, or the first one's base */
    uint64_t tx_at_us; /* monotonic, when that was; 0: nothing sent, and no numbering was given */
};
/* The counters as of the last tick. */
void media_stream_stats(struct media_stream *s, struct media_stats *out);

struct media_engine_stats {
    uint64_t packets_in, packets_out, packets_noise, ticks_late, queue_full;
    uint32_t streams, ports_free;
};
void media_engine_get_stats(struct media_engine *e, struct media_engine_stats *out);

#endif
