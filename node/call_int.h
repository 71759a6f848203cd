/* Shared by the files of call control only. */
#ifndef NODE_CALL_INT_H
#define NODE_CALL_INT_H

#include "base/mem.h"
#include "core/parameter.h"
#include "node/call.h"
#include "node/flow.h"
#include "node/ident.h"
#include "node/rtp_line.h"
#include "telephony/ivr.h"
#include "telephony/media.h"
#include "telephony/prompt.h"
#include "telephony/sdp.h"

#define CALL_SDP_MAX 2048 /* an answer that repeats SDP_MEDIA_MAX usual lines fits */
#define CALL_KEYS_MAX 16
#define CALL_QUALITY_MAX 8u /* legs that a record tells of: who leaves after so many have is not */
#define CALL_DISPLAY_MAX 128
#define CALL_HEADERS_MAX 640
#define CALL_INVITE_TEXT_MAX 16384u /* a longer INVITE is not kept: taken over, its call goes on by re-INVITE at once */

/* What a dialog that is written for a command points into. */
struct call_dialog_room {
    char local_address[64];
    Ev__RtpLine rtp;
};

/* One party: its dialog, its media, and what was negotiated. */
struct call_leg {
    struct call *call;
    uv_timer_t *move_timer; /* a re-INVITE with our address that has to be tried again */
    unsigned move_tries;
    bool moving;                /* that re-INVITE is out: an ACK without a description is of an earlier 200 */
    bool unsure, unsure_known;  /* the peer may not know our address yet; and that is in the state */
    bool callee;                /* else the caller */
    struct sip_leg *sip;        /* NULL: none, or gone */
    struct sip_bye *bye;        /* the peer has hung up; told so when the end is committed */
    struct media_stream *media; /* NULL: none */
    struct rtp_line line;       /* as which source, and from which numbers on, it was opened */
    bool line_known, line_sends, line_goes_on;
    uint32_t line_per_s; /* packets a second that it sends at present */
    uint32_t seen_seq;   /* at the last look (call_rtp.c) */
    uint64_t seen_us;
    unsigned ts_off;        /* looks in a row at which its time stamps were off the line */
    char media_address[64]; /* "ip:port" of ours */
    struct sdp_local local; /* our side of the description */
    char *local_sdp;        /* our description as last made, malloc'ed; see call_leg_sdp */
    char *remote_sdp;       /* last description of the peer, malloc'ed */
    struct sdp_session_params agreed;
    bool we_offered;    /* our description is an offer that waits for its answer */
    bool offered_by_us; /* what is agreed came from an offer of ours */
    bool answered;      /* the 200 was sent (caller) or acknowledged (callee) */
    bool acked;         /* caller: the ACK of that 200 has come */
    bool held;          /* the peer put us on hold */
    bool holds, muted;  /* as the state says: by request */
    bool bound_here;    /* taken over with its SIP address ... */
    bool port_kept;     /* ... and the port of its media: the peer has nothing to be told */
    bool early;         /* callee: early media is being heard */
    bool redescribed;   /* callee: an UPDATE while he rang has; what his 200 says is older */
    enum call_room_sound {
        CALL_ROOM_NONE,
        CALL_ROOM_SEATS,
        CALL_ROOM_MUSIC,
        CALL_ROOM_RINGBACK
    } room;          /* call_room.c */
    unsigned heard;  /* likewise: how many he hears there */
    uint64_t came;   /* core_leg.from_call of whom this is */
    bool reoffered;  /* its re-INVITE waits for a commit */
    bool was_callee; /* caller: was called, and has the seat of a caller who has left (call_transfer.c) */
    struct {
        struct recorder *recorder; /* of what its stream hears; NULL: it is not recorded */
        uint64_t call_id;          /* in the recording of this call */
        unsigned channel;
    } taped; /* call_tape.c */
    struct {
        char text[PARAMETER_CODE_MAX];
        size_t n;
        uv_timer_t *timer;
    } keyed;        /* call_code.c: of a code, so far */
    bool described; /* callee: a provisional answer has described his media: the 200 may do without (RFC 6337 3.1) */
};

/* One telephone that is rung for a call: an offer of the state. */
struct call_ring {
    struct list_node link; /* call.rings */
    uint64_t offer_id;     /* 0: not in use */
    char extension[64];
    struct call_leg leg;
    unsigned attempt;            /* which of `targets` */
    struct flow_target *targets; /* n_targets of them, malloc'ed */
    unsigned n_targets;
    bool first;          /* of those who are rung before the number outside (we_call) */
    bool rung;           /* the phone of this attempt said 18x */
    bool again;          /* its INVITE may have been sent before, from the address that is ours now */
    bool answer_pending; /* OfferAnswered is in flight */
    bool over;           /* OfferFailed is in flight: kept so that it is not begun anew before that is committed */
    bool busy;       /* said so, though only an earlier ring may have kept it: is rung once more when busy_timer ends */
    unsigned tries;  /* times that it has been rung once more */
    int last_status; /* final status of the latest attempt */
    const struct sip_leg *asked; /* to answer, and which of the requests for that */
    uint32_t asks;
};

enum call_shown {
    CALL_SHOWN_NOTHING,
    CALL_SHOWN_APP,
    CALL_SHOWN_MENU,
    CALL_SHOWN_QUEUE,
    CALL_SHOWN_DIAL,
    CALL_SHOWN_TALK,
    CALL_SHOWN_NOTICE,
    CALL_SHOWN_JOINED
};

struct call {
    struct calls *cs;
    uint64_t id;
    char text_id[17];
    struct call_leg a;
    struct call_leg *b;     /* who talks with the caller: the leg of a ring, never NULL */
    struct list_node rings; /* who is rung, or has answered */
    struct call_ring first; /* the first of them; further ones (ring all) are malloc'ed */
    enum call_shown shown;  /* what the caller is being given now */
    char app[16];           /* of CALL_SHOWN_APP: which */
    bool started;           /* CallStart is committed */
    bool replaces;          /* its caller takes the place of another dialog (core_replace.c) */
    bool adopting;          /* waits for its address to be bound here */
    bool sounds;            /* carried on so far as its streams go */
    bool sounds_early;      /* on an address that is not here yet */
    bool sound_lost;        /* not even that can be had */
    bool adopted;           /* carried on from state: what follows may have been done by a former owner already */
    unsigned hops;          /* that the caller's INVITE had behind it; 0 when it is not known (adopted) */
    bool ending;            /* an end has been decided: legs are released, CallEnd is (being) committed */
    bool gone;              /* out of the table */
    bool dirty;
    struct list_node dirty_link, adopting_link;
    uv_timer_t *adopt_timer;
    char ports[2][64]; /* "ip:port" of its legs in the state, kept for them until it is carried on */

    uint64_t
        resumed_offer; /* up to this one: were there when this process carried the call on from itself, under the same epoch */
    uv_timer_t *ring_timer, *busy_timer;
    uv_timer_t *talk_timer; /* the longest that a call may talk */

    /* waiting in a queue (call_wait.c), and being told who answers */
    uint64_t wait_since_us; /* the wait clock that what is shown goes by */
    uint64_t wait_next;     /* piece of speech that has its turn next */
    bool wait_music;        /* music or silence, not speech */
    bool wait_notice;       /* he hears one, or it is on its way into or out of the state */
    bool choosing;          /* a key of the queue is on its way into the state */
    bool joining;           /* the agent has answered; the caller is told his number */
    uv_timer_t *wait_timer;

    /* menu */
    struct ivr_run *ivr;
    uv_timer_t *ivr_timer;
    struct call_menu_step *menu_step; /* actions that wait for a commit */
    bool ivr_waiting;                 /* a commit is in flight: keys are kept */
    bool ivr_leaving;                 /* ... that leads out of this run */
    uint32_t menu_acted;              /* core_call.acted when this run began, or was come back to */
    char keys[CALL_KEYS_MAX];
    unsigned n_keys;
    struct call_saying *saying; /* what it says once its texts are spoken (call_say.c); NULL: nothing */
    uint32_t play_from_ms;      /* the next list begins so far in: a prompt that a former owner had begun */
    uint32_t play_id;           /* of the list whose end matters; 0 none */
    bool hang_up_after_play;

    /* call_back.c: where he may be called back */
    struct {
        char digits[24];
        unsigned n, rounds;
        bool refused; /* the number that he gave cannot be called, or the one that is known */
        bool sent;    /* CallBackAsk is in flight */
        uv_timer_t *timer;
    } back;

    /* call_notice.c */
    uint32_t notice_turn; /* of the state, that he hears */
    bool notice_told;     /* what became of it is on its way into the state */

    /* call_http.c: the http node that the flow waits at */
    struct http_request *http_request; /* is out */
    uv_timer_t *http_timer;
    bool http_music;

    /* call_record.c: the message that the flow's node makes */
    struct call_record {
        struct recording *job;     /* NULL: nothing is recorded */
        struct recorder *recorder; /* of the caller's stream */
        uint64_t id;
        uint64_t asked; /* a CallMenu that begins it is on its way, or was just committed */
        struct ivr_record how;
        bool tone; /* is being heard */
        bool over; /* it is being kept */
        uv_timer_t *timer;
    } record;

    /* call_transfer.c */
    uint32_t transfers; /* of the state, that have been followed here */
    bool losers_told;   /* whom a former owner may have left ringing has been called off */
    bool left_told;     /* who has left by the latest of them has been hung up on */
    struct {
        bool asked;             /* a CallTransfer that a telephone of this call asked for is in flight */
        bool callee;            /* which of the two it was */
        bool hung_up;           /* it has hung up meanwhile */
        struct sip_refer *news; /* what became of it is told to it; NULL: it is not */
    } refer;
    /* call_merge.c, call_room.c */
    uint32_t merges; /* of the state, that have been followed here */
    struct call_left {
        bool asked;             /* the caller, the callee has hung up, and whether the call goes on is not known yet */
        uint64_t leg_id;        /* which leg that was */
        const char *by, *cause; /* static texts */
        int status;
    } left[2];
    struct media_room *room;      /* of those who take part beside the two; NULL: nobody does */
    bool parting, parting_callee; /* call_part.c: a CallPart is in flight, and for whom */
    /* call_tape.c: the call itself is recorded */
    struct call_tape {
        struct recording *job; /* NULL: it is not */
        bool refused;
    } tape;

    /* call_review.c: he listens to it */
    struct call_review {
        struct uploaded_sound *sound; /* is on its way; else NULL */
        uint32_t from_ms;             /* so much of it a former owner has played */
        uv_timer_t *timer;
    } review;
    char box[64]; /* call_mailbox.c: what the flow has asked of it is being done */

    /* call_vip.c */
    struct http_request *vip_request; /* is out */
    char *vip_key;                    /* under which its answer is remembered */
    char vip_queue[64];               /* for which he has been asked about */

    /* the end */
    const char *end_by; /* static text */
    char end_cause[32];
    int end_status;
    uv_timer_t *end_timer;                    /* repeats CallEnd until it is committed */
    Ev__LegQuality quality[CALL_QUALITY_MAX]; /* of who has left, and at the end of all */
    size_t n_quality;
};

struct calls {
    struct node *n;
    struct map by_id;  /* u64 -> struct call, one reference held */
    struct map let_go; /* u64 -> its epoch, and one: forgotten here while core still says that it is ours */
    struct list_node dirty;
    struct ident_source ids;
    struct calls_counts counts;
    struct list_node adopting; /* calls that wait for an address */
    struct map ports;          /* "ip:port" -> call that is not carried on here yet and has its media there */
    unsigned moving;           /* CallMove in flight */
    bool resume_due;           /* something was not done, or let go of, for want of the lease */
    struct ivr_flows library;  /* gives flows to runs */
    struct map flows;          /* "name@version" -> struct ivr_flow, a reference */
    uv_timer_t *rtp_timer;     /* call_rtp.c */
    struct map vip_answers;    /* call_vip.c */
    struct list_node vip_order;
};

/* ---- calls.c */
/* A new call in the table with an id of its own; NULL when out of memory. The table holds the reference. */
struct call *call_begin(struct calls *cs);
struct node *call_node(const struct call *k);
const struct core_call *call_state(const struct call *k); /* NULL when core has none (any more) */
/* Decides the end once: releases both legs and commits CallEnd until it is done. `by` is static text. */
void call_end(struct call *k, const char *by, const char *cause, int sip_status);
void call_forget(struct call *k);
/* Lets go of a call that another node carries on (or this one later): nothing is sent, nothing is committed. */
void call_let_go(struct call *k);
/* Without the lease nothing may be done for a call that is in the state: it is let go of, and carried on by its owner, which
 * may be this node when the lease is back (calls_resume). True: it was. */
bool call_yields(struct call *k);
/* The same, as something was refused for want of the lease a moment ago. */
void call_pause(struct call *k);
/* The call's object here, made when there is none; NULL: not ours, or out of memory. */
struct call *call_of(struct calls *cs, uint64_t id);
void call_make_dirty(struct call *k);
/* A timer bound to a call (holds a reference while it runs). */
void call_timer_set(struct call *k, uv_timer_t **slot, uint64_t ms, void (*fn)(struct call *));
void call_timer_stop(uv_timer_t **slot);
/* Proposes for a call: done gets the call (a reference is held meanwhile). */
typedef void call_done_fn(struct call *k, int status, const struct core_answer *a);
ERR_CHECKED int call_propose(struct call *k, Ev__Command *cmd, call_done_fn *done);
ERR_CHECKED int call_propose_later(struct call *k, Ev__Command *cmd, unsigned patience_ms, call_done_fn *done);
int call_sip_status(int err);

/* ---- call_say.c */
/* Plays to the caller, once texts among it are spoken; until then he hears nothing new. */
void call_say(struct call *k, const char *language, const struct ivr_prompt_ref *refs, unsigned n);
/* Likewise, with silence among it; since_us: began then, at a former owner. 0: begins now. */
struct call_word;
void call_say_words(struct call *k, const char *language, const struct call_word *words, unsigned n, uint64_t since_us);
/* What was still to be said is not. */
void call_hush(struct call *k);

/* ---- call_menu.c */
/* The flow in that version, 0: the live one, which is told; belongs to the cache. NULL: there is none. */
struct ivr_flow *call_flow_get(struct calls *cs, const char *name, uint64_t *version);

/* ---- call_adopt.c */
/* Builds legs and media from state. False: not yet (its address is being bound), or it has come to an end by that. */
bool call_adopt(struct call *k, const struct core_call *s);
/* Whether its turn has come: we may act, and addresses and ports that it stands on are there. */
bool call_adopt_may(struct call *k, const struct core_call *s);
/* The first half of it, for all calls that are due: their streams. */
void calls_adopt_sound(struct calls *cs);
/* While a call is not carried on yet no other gets its ports: its peers know them. */
void call_adopt_keep_ports(struct call *k, const struct core_call *s);
void call_adopt_drop_ports(struct call *k);
/* The answer to the re-INVITE by which a leg was moved to our address. */
void call_adopt_on_reanswered(struct call_leg *l, const struct sip_event *ev);
/* Tells the peer our address by a re-INVITE. */
void call_leg_move(struct call_leg *l);

/* The same, once it is in the state that he may be told. */
void call_leg_move_begin(struct call_leg *l);
/* One leg that has come from another call, which is not here. */
ERR_CHECKED bool call_adopt_leg(struct call *k, const struct core_call *s, const struct core_leg *leg);
/* Lets go of streams that were opened ahead of the legs. */
void call_adopt_silence(struct call *k);
/* Hangs up on who has left the call by a transfer, as far as a former owner may not have done so. */
void call_adopt_hang_up(struct call *k, const struct core_call *s, const Ev__LegState *gone, const char *trunk,
                        uint64_t us);

/* ---- call_transfer.c */
/* Its telephone asks by REFER. */
void call_transfer_asked(struct call_leg *l, const struct sip_event *ev);
/* It has hung up: true while it is not known yet whether that is the end of its part only, or of the call. */
bool call_transfer_awaited(struct call_leg *l);
/* Lets go of who has left, when the state has gone through a transfer. Before anything else of the state is followed. */
void call_transfer_follow(struct call *k, const struct core_call *s);
/* When it is carried on here. */
void call_transfer_tell_left(struct call *k, const struct core_call *s);
/* To the telephone that asked, if any. */
void call_transfer_news(struct call *k, int status);
void call_transfer_stop(struct call *k);

/* ---- call_room.c: calls with more than two parties */
/* Sets who hears whom in the call, or in the one that it is joined to, as the state says. False: it is just two, as far as this call goes. */
bool call_room_follow(struct call *k);
void call_room_close(struct call *k);
/* The call that others have joined, if that is what this is about; NULL: it is not here. */
struct call *call_room_main(struct call *k);
/* Who sits there, with his stream; NULL: not here. */
struct call_leg *call_room_leg(const struct calls *cs, const struct core_seat *seat);
/* Phase JOINED. */
void call_joined_begin(struct call *k, const struct core_call *s);

/* ---- call_merge.c */
/* For a command; it points into both. */
struct sip_replaces;
void call_replaces(const struct node *n, const struct sip_replaces *r, Ev__Replaces *out);
/* Legs of other calls that the state says are this one's are. Before anything else of the state is followed. */
void call_merge_follow(struct call *k, const struct core_call *s);
/* A leg of this call is another one's now: it is taken, or at least let go of, before anything is hung up here. */
void call_merge_hand_over(struct call *k);
/* It has hung up: true while it is not known yet whether the call goes on with somebody else; the texts are static. */
bool call_merge_awaited(struct call_leg *l, const char *by, const char *cause, int status);
/* ---- call_part.c */
/* This party has hung up: true when that is the end of its part only, or it is not known yet whether. */
bool call_part_over(struct call_leg *l);
/* The state says that the call is to end: by this party, or "" by an operator. */
void call_part_hung_up(struct call *k, const char *by);

/* ---- call_leg.c */
/* Its re-INVITE is in the state, or not. */
void call_leg_reoffer_a(struct call *k, int status, const struct core_answer *a);
void call_leg_reoffer_b(struct call *k, int status, const struct core_answer *a);
/* 0: it is not in the state, because whoever is rung has not answered yet. */
uint64_t call_leg_id(const struct call_leg *l);
ERR_CHECKED int call_leg_open_media(struct call_leg *l, const char *local_ip, int family);
/* The same at this port (0: any), which may be in use: ERR_BUSY. */
ERR_CHECKED int call_leg_open_media_at(struct call_leg *l, const char *local_ip, int family, uint16_t port);
/* The carrier behind this trunk ("" or NULL: a telephone) may challenge what is sent on the leg. */
void call_leg_credentials(struct call_leg *l, const char *trunk);
/* Drops both without a word. */
void call_leg_forget(struct call_leg *l);
/* Proposes what another node would need to carry this leg on, as it stands now. */
ERR_CHECKED int call_leg_commit(struct call_leg *l, bool held, call_done_fn *done);
/* Holds and mutes by request, of a call that is being heard. */
void call_leg_follow(struct call *k, const struct core_call *s);
/* As the state says, for a stream that was just opened. */
void call_leg_set_party(struct call_leg *l, const struct core_leg *leg);
/* Whether one of the two holds the other. */
bool call_leg_on_hold(const struct call *k);
/* Bridge or music, as the holds of both say. */
void call_leg_hold_changed(struct call_leg *l);
void call_leg_close(struct call_leg *l, int reason_status, const char *reason);
/* Our description as last made, "" none yet; and away with it. */
const char *call_leg_sdp(const struct call_leg *l);
void call_leg_drop_sdp(struct call_leg *l);
/* The peer's offer: makes our answer in local_sdp. ERR_INVAL, ERR_UNSUPPORTED. */
ERR_CHECKED int call_leg_take_offer(struct call_leg *l, const char *sdp, size_t len, enum sdp_dir want,
                                    struct err_info *info);
/* Our offer into local_sdp; `first` is the codec to prefer, before those of the parameter `codecs`; SDP_OTHER: none. */
ERR_CHECKED int call_leg_make_offer(struct call_leg *l, enum sdp_codec first, enum sdp_dir dir);
ERR_CHECKED int call_leg_take_answer(struct call_leg *l, const char *sdp, size_t len, struct err_info *info);
/* What was agreed, from both descriptions as they are in the state. `ip` and port are where media is now. */
ERR_CHECKED int call_leg_recall(struct call_leg *l, const Ev__Dialog *d, struct err_info *info);
/* Tells the media thread what was agreed. */
void call_leg_apply_media(struct call_leg *l);
/* Writes the leg's dialog for a command; it points into the leg and into `room`, valid until they change. */
void call_leg_dialog(struct call_leg *l, Ev__Dialog *out, struct call_dialog_room *room);
/* re-INVITE or UPDATE from the peer: answers after its commit. */
void call_leg_on_reoffer(struct call_leg *l, const struct sip_event *ev);
/* ACK of our 200: the answer when that carried our offer (INVITE or re-INVITE without a description). */
void call_leg_on_acked(struct call_leg *l, const struct sip_event *ev);
/* A key that came by INFO while the parties talk: the other one gets it as his phone can take it. */
void call_leg_pass_key(struct call_leg *l, char digit);

/* ---- call_quality.c */
/* What is known of this leg so far is for the record: its stream is about to go. role: enum core_leg_role, as it had. */
void call_quality_note(struct call_leg *l, uint64_t leg_id, unsigned role);
/* The same for all that the state has, at the end. */
void call_quality_end(struct call *k);

/* ---- call_rtp.c: the numbers of what a leg sends, and that another node finds them */
ERR_CHECKED int call_rtp_start(struct calls *cs);
void call_rtp_stop(struct calls *cs);
/* Before its media is opened: goes on where a former owner's numbers are by now. NULL: a new source. */
void call_rtp_recall(struct call_leg *l, const struct core_call *s, const struct core_leg *leg);
/* The numbering to open its media with; a new source when none was recalled. */
ERR_CHECKED int call_rtp_numbering(struct call_leg *l, struct media_numbering *out);
/* Where the numbers stand now, for a command. */
void call_rtp_fill(struct call_leg *l, Ev__RtpLine *out);

/* ---- call_play.c: everything the caller is played */
/* What the caller speaks, or callers do when that is not known. */
const char *call_language(const struct call *k);
/* How long these prompts last. */
uint64_t call_play_length_ms(const struct call *k, const char *language, const char *const *keys, size_t n);
void call_play_keys(struct call_leg *l, const char *language, const char *const *keys, size_t n, uint32_t *play_id);
/* The music of the call's queue, or none as it says. */
void call_play_music(struct call_leg *l);
/* A short tone for who has answered, and is not joined yet. */
void call_play_attention(struct call_leg *l);
void call_play_ringback(struct call_leg *l);
/* The caller of the function keeps his reference. */
void call_play_prompt(struct call_leg *l, struct prompt *p, uint32_t *play_id);
void call_play_tone(struct call_leg *l, unsigned hz, int dbm0, unsigned ms, uint32_t *play_id);
/* One of the three. */
struct call_word {
    const char *key;  /* of the prompt store */
    const char *text; /* that synthesis has spoken; left out when it has not */
    uint32_t ms;      /* silence */
};
void call_play_words(struct call_leg *l, const char *language, const struct call_word *words, unsigned n,
                     uint32_t *play_id);
/* Prompts of a menu's action as words, values by their sounds: how many. `words` has room for MEDIA_ITEMS_MAX. */
unsigned call_play_words_of(const char *language, const struct ivr_prompt_ref *refs, unsigned n,
                            struct call_word *words);
void call_on_media(void *ctx, struct media_stream *s, const struct media_event *ev);

/* ---- call_wait.c: callers in queues */
void call_wait_begin(struct call *k, const struct core_call *s);
void call_wait_played(struct call *k);
/* A key that the caller has pressed meanwhile. */
void call_wait_key(struct call *k, char digit);
/* The caller is being told who has answered: call_join comes when that is over. False: nothing is told, join them. */
bool call_agent_announce(struct call *k);
void call_join(struct call *k);

/* ---- call_menu.c */
void call_menu_begin(struct call *k, const struct core_call *s);
void call_menu_event(struct call *k, enum ivr_event_type type, char digit);
/* Likewise with all that belongs to the event. An answer (time, HTTP) that comes when the run waits for something else, or while a
 * commit is in flight, is dropped: what was asked is asked again after a takeover only. */
void call_menu_tell(struct call *k, const struct ivr_event *ev);
/* Proposes what leads out of the menu; IVR_EV_FAILED when that is refused. */
void call_menu_leave_by(struct call *k, Ev__Command *cmd);
/* Something that the flow waited for is over: keys that came meanwhile are its next. */
void call_menu_next_key(struct call *k);

/* ---- call_mailbox.c: nodes by which somebody listens to messages */
void call_mailbox_ask(struct call *k, const struct ivr_action *a);
void call_menu_leave(struct call *k);
void call_flows_init(struct calls *cs);
void call_flows_free(struct calls *cs);

/* ---- call_notice.c: callers who are told notices */
void call_notice_begin(struct call *k, const struct core_call *s);
void call_notice_key(struct call *k, char digit);
void call_notice_played(struct call *k);
/* For who waits in a queue: says it (false: there is nothing to say); and whether what was played was heard. */
bool call_notice_say(struct call *k, const char *name);
bool call_notice_sayable(struct call *k, const char *name);

/* ---- call_http.c, call_vip.c */
struct http_answer;
struct http_ask;
struct http_request;
enum call_lane { CALL_LANE_VIP, CALL_LANE_FLOW }; /* http_ask.lane: none takes the room of the other */
/* As http_client_send, with the cluster's proxy and certificates; done gets the call. */
ERR_CHECKED int call_http_send(struct call *k, const struct http_ask *ask,
                               void (*done)(void *, const struct http_answer *), struct http_request **out);
/* The request of the http node that the flow has come to; its answer, or that there is none, is told to the flow. */
void call_http_ask(struct call *k);
/* The flow waits for it no longer, whatever became of it. */
void call_http_stop(struct call *k);
/* Asks about a caller who has come to a queue; takes the question back when he has left it. */
void call_vip_follow(struct call *k, const struct core_call *s);
void call_vip_stop(struct call *k);
void call_vip_free(struct calls *cs);
/* `form` with what its variables stand for, URL-encoded. ERR_TOOBIG. */
ERR_CHECKED int call_vip_url(const char *form, const char *caller, const char *called, const char *queue, char *out,
                             size_t size);
/* What an answer says; ERR_INVAL: nothing. */
ERR_CHECKED int call_vip_read(int status, const char *body, size_t len, bool *vip);

/* ---- call_record.c: flows record what the caller says */
/* The command that brings the flow to its node begins the message as well. */
void call_record_fill(struct call *k, const struct ivr_action *a, Ev__CallMenu *m, Ev__RecordBegin *room);
/* That command was refused. False: it was not about a message. */
bool call_record_refused(struct call *k, const char *why);
void call_record_ask(struct call *k, const struct ivr_action *a);
bool call_record_played(struct call *k);          /* false: it was no tone of ours */
bool call_record_key(struct call *k, char digit); /* false: nothing is recorded, it is the flow's */
void call_record_ended(struct call *k);           /* the recorder has, by itself */
/* The call has no part in it any more; what there is of the message is the state's owner's to end. */
void call_record_stop(struct call *k);
void call_record_hung_up(struct call *k);

/* ---- call_review.c: a message, by its id in text, NULL: the one that the flow's node has recorded last */
void call_review_play(struct call *k, const char *id); /* the flow is told IVR_EV_PLAYED, whatever becomes of it */
void call_review_stop(struct call *k);

/* ---- call_tape.c: calls are recorded */
/* After each change of the call, and of those who have joined it: what is recorded of it, or of the one that it is joined to, is what should be. */
void call_tape_follow(struct call *k);
/* Its stream is about to be closed. */
void call_tape_leg_gone(struct call_leg *l);
/* The call has no part in it any more. */
void call_tape_stop(struct call *k);
void call_tape_hung_up(struct call *k);

/* ---- call_code.c: codes that telephones key while they talk */
/* A key that is passed on as well. */
void call_code_key(struct call_leg *l, char digit);

/* ---- call_app.c: echo, tone, feature codes */
void call_app_begin(struct call *k, const struct core_call *s);
void call_app_played(struct call *k);

/* ---- call_back.c */
void call_back_begin(struct call *k);
void call_back_played(struct call *k);
void call_back_key(struct call *k, char digit);

/* ---- call_first.c: calls whose both parties are called by us */
/* ---- call_supervise.c */
/* A key of a supervisor who has joined a call; false: it is nobody such. */
bool call_supervise_key(struct call *k, char digit);
/* A code by which he does; false: another one. */
bool call_supervise_code(struct call *k, const struct core_call *s);
/* Plays one prompt, then hangs up (call_app.c). */
void call_app_say(struct call *k, const char *key);

/* The state has a leg that is no caller's: the telephone that answered takes the caller's place. False: it is not one of those that
 * this process rings. */
bool call_first_answered(struct call *k, const struct core_call *s);
/* The leg, its stream and all that is known of both is in that seat from now on, of this call or another; l is as new. */
void call_leg_take_seat(struct call_leg *to, struct call_leg *l);
/* Who ends a call whose caller's leg hangs up: "caller", or the agent whom we called first. */
const char *call_caller_is(const struct call *k);
/* What such a telephone shows while it rings. */
const char *call_first_shown(const struct core_call *s, char display[CALL_DISPLAY_MAX]);
/* Further header lines of the INVITE at a telephone of ours: that it is to answer by itself, and what is known of the caller (parameter
 * user_to_user). */
const char *call_rung_headers(const struct call *k, const struct core_call *s, const char *extension,
                              char text[CALL_HEADERS_MAX]);
/* A telephone says that it rings. */
void call_first_rings(struct call_ring *r);
/* Somebody may have asked that a telephone which rings answers. */
void call_first_ask(struct call *k, const struct core_call *s);

/* ---- call_forward.c */
/* The telephone has dialled a code that sets forwarding, or ends it. False: it is another code. */
bool call_forward_code(struct call *k, const struct core_call *s);
/* Further header lines of an INVITE to somebody outside; NULL: none. */
const char *call_forward_headers(const struct call *k, const struct core_call *s, const char *number,
                                 char text[CALL_HEADERS_MAX]);

/* ---- call_offer.c: ringing somebody */
/* The leg of this ring is another's now: nothing of it is released. */
void call_ring_unseat(struct call_ring *r);
void call_offer_follow(struct call *k, const struct core_call *s);
void call_offer_drop(struct call *k, int reason_status, const char *reason);
/* Releases, or (forget) just drops, the legs of all who are rung or talk. What else is known of them stays. */
void call_callees_close(struct call *k, int reason_status, const char *reason);
void call_callees_forget(struct call *k);
/* The peers who have hung up are told that it is done, or nothing. */
void call_callees_byes_done(struct call *k, bool answer);
void call_callees_free(struct call *k);
/* Whether one of them is rung through this node. */
bool call_offer_through(const struct call *k, const char *node);
/* Who lost a ring to another telephone is called off once more, when a former owner may not have come to that. */
#define CALL_ELSEWHERE 200 /* RFC 3326: another phone has answered; it shows no missed call */
#define CALL_ELSEWHERE_TEXT "Call completed elsewhere"
void call_cancel_losers(struct call *k, const struct core_call *s);
void call_bridge(struct call *k);
/* Who he is that was rung, as records name him: "agent" or "callee". */
const char *call_callee_is(const struct call *k);
void call_on_callee(void *ctx, struct sip_leg *leg, const struct sip_event *ev);

/* ---- call_in.c: the caller's leg */
void call_on_caller(void *ctx, struct sip_leg *leg, const struct sip_event *ev);
void call_answer_caller(struct call *k);

#endif
