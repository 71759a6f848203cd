/* SDP (RFC 8866) and offer/answer (RFC 3264) for one audio stream: parse what strangers send, write what we send.
 *
 * Codecs: PCMU, PCMA, G722 (RFC 3551), opus (RFC 7587), with telephone-event (RFC 4733) at the clock of the codec. Who answers Opus is given
 * events at 8000 where the offer has no others: telephones mix the two, and expect that.
 * Pure: no I/O, no thread, no allocation beyond the caller's struct. Limits are the array sizes below; a longer list is
 * cut (formats) or refused with err_info naming the line. Media lines other than RTP/AVP(F) audio are kept only
 * so that an answer can refuse them with port 0 in the same place (RFC 3264 section 6).
 * Not built on Sofia's sdp_parse, which never returns on `m=audio 9 X @`. */
#ifndef TELEPHONY_SDP_H
#define TELEPHONY_SDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

enum sdp_codec { SDP_OTHER, SDP_PCMU, SDP_PCMA, SDP_G722, SDP_OPUS, SDP_TELEPHONE_EVENT, SDP_CN };
enum sdp_dir { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

#define SDP_CODECS 4 /* of audio: PCMU, PCMA, G722, opus */
#define SDP_FORMATS_MAX 32
#define SDP_FMTP_MAX 256 /* all parameters of Opus (RFC 7587) fit; what is longer is cut */
#define SDP_MEDIA_MAX 32 /* m= lines that an answer repeats; a description with more is refused (488) */
#define SDP_TEXT_MAX 16384

struct sdp_format {
    uint8_t pt; /* RTP payload type 0-127 */
    enum sdp_codec codec;
    uint32_t clock_hz;
    uint8_t channels;
    char name[24]; /* encoding name as written, or the static name */
    char fmtp[SDP_FMTP_MAX];
};

struct sdp_media {
    char kind[16];                /* "audio", "video", "image", ... */
    char proto[24];               /* "RTP/AVP", ... */
    uint16_t port;                /* 0: refused */
    struct sockaddr_storage addr; /* from c=, with `port`; family 0 if it was a host name or missing */
    struct sockaddr_storage rtcp; /* RFC 3605 a=rtcp, or port + 1, or equal to addr with rtcp_mux */
    bool rtcp_mux;
    enum sdp_dir dir;
    bool hold_by_zero_addr; /* c=0.0.0.0, RFC 2543 style hold */
    uint16_t ptime_ms;      /* 0 when absent */
    size_t n_formats;
    struct sdp_format formats[SDP_FORMATS_MAX];
    char formats_raw[128]; /* the format list as written */
};

struct sdp {
    uint64_t session_id, session_version; /* of o= */
    char origin_user[64];
    size_t n_media;
    struct sdp_media media[SDP_MEDIA_MAX]; /* beyond n_media: undefined */
};

/* Parses `len` bytes (need not end in NUL). 0, ERR_INVAL, ERR_TOOBIG, ERR_UNSUPPORTED (more m= lines than SDP_MEDIA_MAX: 488);
 * *info gets line number and reason. */
ERR_CHECKED int sdp_parse(const char *text, size_t len, struct sdp *out, struct err_info *info);

/* What a negotiation has come to. */
struct sdp_session_params {
    bool active;        /* an audio stream was agreed */
    size_t media_index; /* which m= line it is */
    struct sockaddr_storage remote, remote_rtcp;
    enum sdp_codec codec;    /* both ways: one of audio */
    char fmtp[SDP_FMTP_MAX]; /* what the other side says about what it wants to be sent */
    uint8_t codec_pt;        /* payload type to send */
    uint8_t recv_pt;         /* payload type expected (own numbering when we offered) */
    int dtmf_pt;             /* telephone-event to send, -1 none */
    int dtmf_recv_pt;
    uint32_t dtmf_clock_hz; /* in which the duration of a key is told; 0: 8000 */
    uint16_t ptime_ms;
    bool rtcp_mux;
    bool can_send, can_recv; /* from our point of view after the directions of both sides */
};

/* Our own numbers of what has no static one. Those that the other side has given stay for the call: a number never changes its meaning
 * (RFC 3264 section 8.3.2). 0: not settled yet. */
struct sdp_numbers {
    uint8_t opus, event, event48;
};

/* Our side of one stream. */
struct sdp_local {
    uint64_t session_id, version;      /* o=; raise version by one for each changed description (RFC 3264 section 8) */
    const char *ip;                    /* textual, IPv4 or IPv6 */
    uint16_t rtp_port;                 /* RTCP is rtp_port + 1 */
    enum sdp_dir dir;                  /* what we want */
    enum sdp_codec prefer[SDP_CODECS]; /* what is taken, in order; SDP_OTHER is passed over */
    struct sdp_numbers numbers;
    bool dtmf;   /* offer telephone-event, at the clocks of what is offered (RFC 4733 section 2.1) */
    size_t line; /* place of the stream among the m= lines of our offers, from 0 */
};

/* Writes an offer. before: our last description in this dialog, NULL for the first. Its other m= lines stay where they are, with
 * port 0: none may go away or change its kind (RFC 3264 section 8). Returns the length, or ERR_TOOBIG. */
int sdp_write_offer(const struct sdp_local *local, const struct sdp *before, char *out, size_t size);
/* The place of the stream in a description that we wrote. */
size_t sdp_own_line(const struct sdp *ours);
/* Answers `offer`: takes the first plain RTP audio line of our address family with a codec of ours, by the order of
 * `local->prefer`, and refuses the others in place; no such line: ERR_UNSUPPORTED (488). An offer whose lines all have port 0
 * (or that has none) is answered likewise, with agreed->active false. Returns the length, or ERR_TOOBIG. Fills *agreed. */
int sdp_write_answer(const struct sdp *offer, const struct sdp_local *local, char *out, size_t size,
                     struct sdp_session_params *agreed);
/* Why sdp_write_answer says ERR_UNSUPPORTED: a warn-code of RFC 3261 section 20.43 and its text (static, no '"') for who calls.
 * Of several m= lines the one that came nearest is told of. */
struct sdp_warning {
    unsigned code;
    const char *text;
};
struct sdp_warning sdp_why_not(const struct sdp *offer, const struct sdp_local *local);
/* Takes the answer to an offer of ours (the m= line at offered->line). ERR_UNSUPPORTED when nothing common was chosen. */
ERR_CHECKED int sdp_take_answer(const struct sdp_local *offered, const struct sdp *answer,
                                struct sdp_session_params *agreed);

/* Of the audio codecs, else "" and 0. */
const char *sdp_codec_name(enum sdp_codec c);
enum sdp_codec sdp_codec_named(const char *name); /* in any case; SDP_OTHER: none */
uint32_t sdp_codec_clock(enum sdp_codec c);       /* of RTP time stamps */
/* The audio codecs of a line, in its order; returns how many. */
size_t sdp_codecs_of(const struct sdp_media *m, enum sdp_codec out[SDP_CODECS]);
/* Takes over the numbers that a description of either side has given; for those that it gives to something else, others are found. */
void sdp_keep_numbers(struct sdp_numbers *n, const struct sdp_media *m);

#endif
