/* Shared by the files of core/ that say what becomes of one call: its offers, parties, transfers, merges, call backs, trunks and rings. Part of
 * core_int.h, which includes it behind the objects that it speaks of; owner, thread and errors are as said there. */
#ifndef CORE_CALL_INT_H
#define CORE_CALL_INT_H

#include "core/core_int.h"

/* ---- core_call.c, core_offer.c */
int core_call_start(struct core *c, Ev__CallStart *m);
int core_call_answered(struct core *c, Ev__CallAnswered *m);
int core_call_menu(struct core *c, const Ev__CallMenu *m);
int core_call_queue(struct core *c, const Ev__CallQueue *m);
int core_call_dial(struct core *c, const Ev__CallDial *m);
int core_leg_update(struct core *c, Ev__LegUpdate *m);
int core_call_end(struct core *c, const Ev__CallEnd *m);
int core_offer_answered(struct core *c, Ev__OfferAnswered *m);
int core_offer_failed(struct core *c, const Ev__OfferFailed *m);
int core_call_vip(struct core *c, const Ev__CallVip *m);
/* Whether a call can begin so, wherever it leads: 0 or a refusal. And the call, with its caller's leg; application "" until it is led
 * on, and to be touched. */
int core_call_check_new(struct core *c, const Ev__CallStart *m);
struct call *core_call_make(struct core *c, Ev__CallStart *m);
/* A call with an id of its own, in the table: nobody's yet, without legs, to be filled in and touched. */
struct call *core_call_new(struct core *c, uint64_t id);
/* Out of the table without a record; frees k. */
void core_call_remove(struct core *c, struct call *k);
/* The call of a command from its owner, or NULL and a refusal. */
struct call *core_call_of(struct core *c, uint64_t id);
struct call *core_call_obj(const struct core *c, uint64_t id);
void core_call_touch(struct core *c, struct call *k);
void core_call_publish(struct call *k);
void core_call_free(struct call *k);
/* The caller has acknowledged our 200: the text of his INVITE goes. */
void core_call_acked(struct call *k, bool acked);
/* *slot gets *from, which is then empty: the command's free does not reach it. Nothing happens without *from. */
void core_dialog_take(Ev__Dialog **slot, Ev__Dialog **from);

void core_call_lead(struct core *c, struct call *k);
/* The caller is answered by this command. */
void core_call_answer_now(struct core *c, struct call *k);
void core_call_set_caller(struct core *c, struct call *k, const char *extension);
void core_call_set_callee(struct core *c, struct call *k, const char *extension);
void core_call_part_add(struct call *k, struct ext *e); /* memory only */
/* A telephone takes part in the call, or does so no longer; the agent there changes with it, and *e may be gone. */
void core_call_join(struct core *c, struct call *k, struct ext *e);
void core_call_leave(struct core *c, struct call *k, struct ext *e);
void core_call_fail(struct core *c, struct call *k, uint32_t status, const char *cause);
/* Writes the record and removes the call; frees k. */
void core_call_finish(struct core *c, struct call *k, const char *by, const char *cause, uint32_t status,
                      size_t n_quality, Ev__LegQuality *const *quality);
void core_calls_flush(struct core *c);
Ev__LegState *core_call_add_leg(struct call *k, enum core_leg_role role, const char *number, const char *agent);
bool core_queue_full(const struct core *c, const char *name);
/* Into the queue named in st->queue, or to what is done with callers when it is full. again: he waited in another one until now,
 * and his wait clock goes on. */
void core_queue_enter(struct core *c, struct call *k, bool again);
/* Back to left_queue, to the place that he had there. What an action took him away for is not tried again. */
void core_queue_back(struct core *c, struct call *k);
/* Takes back the offer to this telephone. With the last one the call returns to the front of its queue, to its menu, or fails. */
void core_offer_withdraw(struct core *c, struct call *k, const struct ext *e, uint32_t status, const char *cause);
/* A caller who waits is offered to this agent, whom the engine has not chosen. */
void core_offer_to(struct core *c, struct call *k, struct queue *q, struct agent *a);
/* The second leg is there: they talk. */
void core_offer_talks(struct core *c, struct call *k);
/* Rings somebody outside any queue: 0 or a code with *status and *cause. */
struct core_dial_to {
    const char *agent, *extension, *number; /* one of them; the others "" */
    const char *trunk, *caller_id;          /* of a number, "": as configured */
    uint32_t ring_time_s;                   /* 0: CORE_DIAL_RING_S */
    const char *by; /* of core_dial_check: the agent whose call out it would be; NULL: nobody's */
};
/* Of an action agent, extension or outside; it holds as long as that does. */
struct core_dial_to core_dial_of(const Ev__Action *a);
/* Of core_forward.c: as rules of forwarding say. The call may then be on its way to somebody else, or wait, or be in a menu. */
int core_dial(struct core *c, struct call *k, const struct core_dial_to *to, uint32_t *status, const char **cause);
/* This one, and nobody else; and whether that could be done, by this agent. */
int core_offer_ring(struct core *c, struct call *k, const struct core_dial_to *to, uint32_t *status,
                    const char **cause);
int core_offer_check(const struct core *c, const struct core_dial_to *to, const char *by, uint32_t *status,
                     const char **cause);
/* ---- core_forward.c */
enum core_forwarding {
    CORE_FORWARD_ANYWHERE,
    CORE_FORWARD_RINGING, /* to what rings, and to queues: nobody is there yet for whom something could be played */
    CORE_FORWARD_NOT
};
/* Whether core_dial could be done, as far as that can be told before. */
int core_dial_check(const struct core *c, const struct core_dial_to *to, enum core_forwarding how, uint32_t *status,
                    const char **cause);
/* Who was rung outside any queue, since then, was so in vain for *cause, and rings no more. 0: the call is on its way elsewhere; else there is
 * no rule, or *status and *cause are of where it should have gone. */
int core_forward_unanswered(struct core *c, struct call *k, const char *agent, const char *extension, uint64_t since_us,
                            uint32_t *status, const char **cause);
/* The call is led elsewhere by something else. */
void core_forward_over(Ev__CallState *s);
/* Of a call that is forwarded: the agent whose matter that is, "": nobody's. */
const char *core_forward_agent(const struct core *c, const Ev__CallState *s);
int core_forward_set(struct core *c, const Ev__ForwardSet *m);
/* Nobody is forwarded to himself: 0 or a refusal. */
int core_forward_check_change(struct cfg_change *ch, const Ev__Forward *f, const char *path);
void core_forward_changed(struct core *c, enum cfg_kind kind); /* an object has come, changed or gone */
void core_forwards_drop(struct core *c);
/* ---- core_first.c: calls whose both parties are called by us */
struct core_first {
    const char *number, *name; /* who is called when our telephone has answered */
    const char *trunk, *caller_id;
    uint32_t ring_time_s; /* of that number; 0: CORE_DIAL_RING_S */
    const char *kind;     /* what `number` is: CallState.via_kind; NULL: a number outside */
    const char *agent;    /* who asked for it by click; NULL: nobody */
};
/* A call of the node that has the fewest. It rings nobody yet: an offer has to follow in the same command. */
struct call *core_first_begin(struct core *c, const struct core_first *f);
/* Its first telephone is being rung: it has no leg. */
bool core_first_rings(const struct call *k);
/* Telephone i of those that it rings has answered: now the number is called, or the call has failed. */
void core_first_answered(struct core *c, struct call *k, unsigned i, Ev__Dialog **dialog);
/* Nobody has answered it: it goes, without a record unless it was for another call. Frees k. */
void core_first_in_vain(struct core *c, struct call *k, uint32_t status, const char *cause);
/* Outside any queue: this one is rung for it. */
void core_first_ring(struct core *c, struct call *k, const char *agent, const char *extension);
/* ---- core_click.c */
int core_agent_dial(struct core *c, const Ev__AgentDial *m);
/* The agent's telephone has answered, and the other side is here: 0, and the call is on its way; else a code. */
int core_click_answered(struct core *c, struct call *k, uint32_t *status, const char **cause);
/* An id that no call has or had, made by apply. */
uint64_t core_id_new(const struct core *c);

/* ---- core_transfer.c: calls that talk go on elsewhere */
int core_call_transfer(struct core *c, const Ev__CallTransfer *m);
/* The same of a call that talks, for who sits there. `instead` ends by it, once it is known that it can be done: NULL none. */
int core_transfer_on(struct core *c, struct call *k, unsigned leg, const Ev__CallTransfer *m, struct call *instead);
int core_call_party(struct core *c, const Ev__CallParty *m);
/* Which of its two legs: by id if there is one, else by name as CallTransfer.leg says; 2: neither. */
unsigned core_call_who(const Ev__CallState *s, uint64_t leg_id, const char *name);
/* Whether this agent, extension or outside number can be rung for the call, by this agent ("": nobody): 0 or a refusal. */
int core_check_telephone(struct core *c, const Ev__CallState *s, const char *type, const char *name, const char *by,
                         const char *field, enum core_forwarding how);
/* The type of action that leads there, and its target, a part of *r; NULL: none does. */
const char *core_route_type(const struct core_route *r, const char **target);
/* The record is about the call as it is now, whatever becomes of it later. */
void core_call_keep_began(const struct call *k);
/* Who leaves the call: his part for the record (ended "": by a transfer; call_id: where he talks on, or 0), and his leg, which is taken: the
 * dialog by which he is told. */
/* When it came into the call; 0: it has not been answered. */
uint64_t core_leg_joined_us(const Ev__CallState *s, const Ev__LegState *l);
void core_segment_add(Ev__CallState *s, const Ev__LegState *l, uint64_t to_us, const char *ended, uint64_t call_id);
void core_call_keep_left(struct core *c, Ev__CallState *s, Ev__LegState *gone);
/* One of the two who talk is out of it, by his hanging up or by a transfer; the other is the caller, on the way to nothing yet. */
void core_call_part_leaves(struct core *c, struct call *k, unsigned leg, bool hung_up);
/* ---- core_rating.c: what callers think of agents */
int core_call_part(struct core *c, const Ev__CallPart *m);
/* By request: he leaves, or it is in the state that his hanging up ends the call. False: a refusal. */
bool core_part_hangs_up(struct core *c, struct call *k, const char *leg);
/* This one leaves: whom a rating is about from now on, if he is an agent. */
void core_rating_left(Ev__CallState *s, const Ev__LegState *gone);
/* A flow of the call has set its variables. */
void core_rating_said(struct core *c, struct call *k, const char *variables);
/* Whom it was transferred to was rung in vain: who did so is rung again, or the call has failed. False: it was not. */
bool core_transfer_in_vain(struct core *c, struct call *k, uint32_t status);
/* Somebody has answered. */
void core_transfer_done(Ev__CallState *s);
#define CORE_STRETCH_JOINED 2u /* beside the two */
/* One party's part in a call. */
struct core_stretch {
    uint32_t role, side; /* enum core_leg_role, or CORE_STRETCH_JOINED; core_side */
    const char *number, *agent, *queue;
    const char *ended; /* "transfer", "hang_up", "end", "merged", "dropped" or "forwarded" */
    uint64_t from_us, to_us;
    uint64_t call_id; /* of "merged", where he talks on; of one who came from another call, that; else 0 */
    const Ev__CallSegment *forwarded; /* he had no part in it: the call was for him and has gone elsewhere; else NULL */
};
typedef void core_stretch_fn(void *ctx, const struct core_stretch *p);
/* Each in a call that ends now, by whom ("": it does not), in their order. */
void core_stretches(const struct core *c, const struct call *k, const char *by, core_stretch_fn *fn, void *ctx);
/* {"role", "number", "agent", "queue" in a list that was begun by its bracket; the brace is not closed. */
void core_stretch_json(struct sbuf *b, const struct core_stretch *p);
/* [{"role", "number", "agent", "queue", "from_us", "to_us", "ended"}] of a call that ends now, by whom. */
void core_segments_json(struct sbuf *b, const struct core *c, const struct call *k, const char *by);
/* Whether anybody has ever talked in it. */
bool core_call_connected(const Ev__CallState *s);

/* ---- core_data.c: what goes with a call, whoever has it */
int core_call_data(struct core *c, const Ev__CallData *m);
/* What a flow has set, a JSON object of texts or "": added to what is known; its variable `customer` is the customer. */
void core_data_learn(Ev__CallState *s, const char *variables);
/* To another call about the same caller, instead of what that one has. */
void core_data_copy(Ev__CallState *to, const Ev__CallState *from);
/* What `to` does not know yet, as far as there is room: two calls become one. */
void core_data_gain(Ev__CallState *to, const Ev__CallState *from);
/* All of it or nothing (what is marked is the caller's matter); 0 or a refusal. */
int core_data_say(struct core *c, Ev__CallState *s, const Ev__CallData *m);
/* ,"customer":...,"notes":...,"data":{...} as far as there are any. */
void core_data_kv(struct sbuf *b, const Ev__CallState *s);
/* ---- core_join.c: calls that are joined to another one */
/* supervisor: whose call it is, and not forwarded then; "": nobody's. */
int core_join(struct core *c, const Ev__CallJoin *m, const char *supervisor);
int core_call_turn(struct core *c, const Ev__CallTurn *m);
int core_call_mode(struct core *c, const Ev__CallMode *m);
int core_call_drop(struct core *c, const Ev__CallDrop *m);
/* The call that this one is joined to, or is rung for; NULL: none, or it is about to end. */
struct call *core_join_main(const struct core *c, const struct call *k);
struct call *core_join_consultation(const struct call *main); /* NULL: none */
/* The call whose two parties talk, which this is or is joined to; NULL and a refusal. */
struct call *core_join_talking(struct core *c, uint64_t id);
/* Whoever was rung has answered. */
void core_join_answered(struct core *c, struct call *k);
/* He was rung in vain: its record is written, k is freed. False: it is not joined to any. */
bool core_join_in_vain(struct core *c, struct call *k, uint32_t status, const char *cause);
/* It takes no part any more; nothing else is done with it. Nor is anything with one that is not joined. */
void core_join_leave(struct core *c, struct call *k, const char *cause);
/* It leaves and ends: its owner hangs up, or (nobody has answered) it is freed. */
void core_join_end(struct core *c, struct call *k, const char *cause);
void core_join_over(struct core *c, struct call *main); /* all of them */
bool core_join_load(struct core *c);                    /* once all calls are there; false: they do not fit together */

/* ---- core_merge.c: legs that go from one call into another */
int core_call_merge(struct core *c, const Ev__CallMerge *m);
int core_call_left(struct core *c, const Ev__CallLeft *m);
/* Who sits there is sent away; whoever else is there takes his seat, or it is refused. */
int core_merge_drop(struct core *c, struct call *main, unsigned seat);

/* This leg of `from`, which core_call_merge would take out of it, has that seat; who sat there leaves by a transfer. */
void core_merge_seat(struct core *c, struct call *main, unsigned seat, struct call *from, unsigned leg);
/* Whoever is rung for it may find it answered by another one. */
bool core_merge_rings(const struct call *k);

/* ---- core_replace.c: what telephones do with dialogs that they name (Replaces) */
int core_replace_start(struct core *c, Ev__CallStart *m);
/* CallTransfer.replaces, by who sits there. */
int core_replace_transfer(struct core *c, struct call *k, unsigned leg, const Ev__CallTransfer *m);
/* The telephone that sits there has dialled that number in another call, and whom it has called talks with it or is rung. NULL: it has not. */
struct call *core_replace_dialled(const struct call *k, unsigned leg, const char *dialled);
/* Who that telephone has called in `other` is given to the one who stays in k, or k goes to where it was on its way to. */
int core_replace_join(struct core *c, struct call *k, unsigned leg, struct call *other, unsigned others_leg);

/* ---- core_callback.c: who wants to be called back */
struct callback *core_callback_obj(const struct core *c, uint64_t id);
/* Whoever waits in the engine under this id, as a call: a caller or a call back. NULL: neither. */
const struct call *core_waiter(const struct core *c, uint64_t id);
int core_callback_ask(struct core *c, const Ev__CallBackAsk *m);
int core_callback_note(struct core *c, const Ev__CallBackNote *m);
int core_callback_set(struct core *c, const Ev__CallBackSet *m);
/* The caller comes to the queue that his state names: if a call back waits for him there, its place is his. After queued_us is set. */
void core_callback_place(struct core *c, struct call *k);
/* The engine has found an agent for it: the call by which it is carried out. */
struct call *core_callback_call(struct core *c, uint64_t id);
/* No agent has answered this call. */
void core_callback_unrung(struct core *c, struct call *k);
/* What the record of a call says that ends for `cause`; and what follows for the row that it stands for. */
const char *core_callback_cause(const struct core *c, const struct call *k, const char *cause);
void core_callback_ended(struct core *c, struct call *k, const char *cause);
void core_callbacks_due(struct core *c);
void core_callbacks_forget_agent(struct core *c, const char *agent);
bool core_callbacks_in(const struct core *c, const char *queue); /* in whatever state */
void core_callbacks_flush(struct core *c);
void core_callbacks_free(struct core *c);
ERR_CHECKED int core_callback_load(struct core *c, const void *body, size_t len);

/* ---- core_outside.c: numbers outside, and the trunks that lead there */
/* The trunk for a call out; `name` "": that of agent `by` ("": nobody), of his group, else the one that is meant by the configuration. NULL with *status and *cause: there is none, or it
 * lets nobody out. */
const Ev__Trunk *core_outside_trunk(const struct core *c, const char *name, const char *by, uint32_t *status,
                                    const char **cause);
/* The agent whose call out it is: who had it forwarded, else who called, else who transferred it. "": nobody's. */
const char *core_outside_by(const struct core *c, const struct call *k);
/* The number that the call shows outside: what is asked for, that agent's, his group's, each where the trunk permits it; else the trunk's,
 * the access number that was called, or none. Never one of our extensions. */
const char *core_outside_caller(const struct core *c, const struct call *k, const Ev__Trunk *t, const char *asked);
/* How a call that rings outside goes on when its node dies. */
enum core_takeover core_takeover_out(const struct core *c, const char *trunk);
/* Where the call is when it has no telephone of ours as its callee. */
static inline bool core_outside(const struct call *k)
{
    return k->st->out_trunk[0] != '\0';
}
void core_decide(struct core *c);
/* To the engine, as its state says. */
ERR_CHECKED int core_queue_wait(struct core *c, const struct call *k, const struct queue *q);
/* The same in this queue alone: whoever else of its members may be rung. */
ERR_CHECKED int core_queue_join(struct core *c, const struct call *k, const struct queue *q);
void core_queue_touch(struct core *c, const char *name);
void core_queues_touch(struct core *c, const struct call *k); /* all that it waits in */
struct queue *core_queue_obj(const struct core *c, const char *name);

/* ---- core_ring.c: the telephones that are rung for one call. The first stands in offer_* of its state, further ones (ring all) in
 * `rings`: a call that rings one is stored as it was before there could be several. */
unsigned core_ring_count(const struct call *k);
/* The index of an offer by its id; core_ring_count: there is none. */
unsigned core_ring_find(const struct call *k, uint64_t offer_id);
const char *core_ring_extension(const struct call *k, unsigned i);
/* One more telephone. The first time: after the other fields of the offer were set. */
void core_ring_add(struct core *c, struct call *k, const char *agent, const char *extension);
/* One that is not the only one rings no more. */
void core_ring_drop(struct core *c, struct call *k, unsigned i);
/* This one has answered: the others ring no more (they stay in `rings`, to be called off), and it takes part in the call as its
 * callee. The offer is over. */
void core_ring_keep(struct core *c, struct call *k, unsigned i);
/* Somebody else has answered: all of them ring no more, and are to be called off likewise. */
void core_ring_taken(struct core *c, struct call *k);
/* The telephone that m names is asked to answer. */
int core_ring_answer(struct core *c, const Ev__CallParty *m);
/* Nobody rings any more. */
void core_ring_clear(struct core *c, struct call *k);
void core_ring_publish(struct call *k);
/* Into the list of its queue: state OFFERED. */
void core_ring_list(struct core *c, struct call *k);
/* Agents who are idle although calls of their queue ring fewer than they may: to the earliest of those. */
void core_ring_fill(struct core *c);
/* ,"agents":["1001","1002"] of those who are rung now; nothing when there is one. */
void core_ring_kv(struct sbuf *b, const struct call *k);

#endif
