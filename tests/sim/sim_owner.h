/* Call control, modelled: what sim_owner.c (a call's own life) and sim_adopt.c (calls that change hands) share. */
#ifndef TESTS_SIM_OWNER_H
#define TESTS_SIM_OWNER_H

#include "tests/sim/sim.h"

/* ---- sim_owner.c */
struct sim_ocall *ocall_of(struct sim *s, struct sim_node *n, uint64_t id);
unsigned ocall_index(const struct sim_node *n, const struct sim_ocall *k);
const struct core_call *ocall_state(struct sim_node *n, const struct sim_ocall *k);
/* To the telephone of this dialog. false: not done, there is no dialog or no lease. */
bool ocall_act(struct sim *s, struct sim_node *n, struct sim_ocall *k, enum sim_msg_type type, int dialog, uint64_t a);
void ocall_forget(struct sim_ocall *k);
/* The telephone of it that has this dialog, NULL none; or whose answer is being committed. */
struct sim_ring *ocall_ring(struct sim_ocall *k, int dialog);
bool ocall_pending(const struct sim_ocall *k);
/* text: what *d points into */
void ocall_dialog(Ev__Dialog *d, struct sim *s, struct sim_node *n, int dialog, char text[4][32]);
/* A telephone that has called, or has answered. */
void ocall_answer(struct sim *s, struct sim_node *n, struct sim_ocall *k, int dialog);
void ocall_answer_caller(struct sim *s, struct sim_node *n, struct sim_ocall *k);
void ocall_end(struct sim *s, struct sim_node *n, struct sim_ocall *k, const char *by, const char *cause);
/* Released, all but the one with this dialog. */
void ocall_drop_rings(struct sim *s, struct sim_node *n, struct sim_ocall *k, int but);
/* Releases what INVITEs of former epochs, or of all, may have left ringing for this offer. */
void ocall_call_off(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_offer *o, bool all);
/* What the committed phase asks for. */
void ocall_reconcile(struct sim *s, struct sim_node *n, struct sim_ocall *k);

/* ---- sim_keys.c */
void keys_menu(struct sim *s, struct sim_node *n, struct sim_ocall *k);
/* Waiting, or asked for his number: a key comes, later. */
void keys_follow(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c);
void keys_queue(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c);

/* ---- sim_back.c */
/* The telephone that was rung first takes the caller's place. false: nothing more is to be done with the call now. */
bool back_has_caller(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c);

/* ---- sim_parties.c */
/* Dialogs that have become legs of another call are that one's, and not to be released. */
void parties_let_go(const struct sim *s, const struct sim_node *n, struct sim_ocall *k);
/* Seats have changed hands. false: nothing more is to be done with the call now. */
bool parties_follow(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c);
/* What a former owner may not have told is told. */
void parties_adopt(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c);
/* One of two hangs up. false: nobody else is there, it is the end. */
bool parties_stay(struct sim *s, struct sim_node *n, struct sim_ocall *k, bool callee);
void parties_left(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct sim_prop *p, bool refused);
void parties_pickup(struct sim *s, struct sim_node *n, struct sim_ocall *k);
void parties_picked(struct sim *s, struct sim_node *n, struct sim_ocall *k, bool refused);

/* ---- sim_adopt.c */
/* The leg goes on by re-INVITE, if it does not stand on an address that is here. */
void ocall_move_leg(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c, unsigned leg);
/* From now on ours, whoever began it. */
void ocall_adopt(struct sim *s, struct sim_node *n, const struct core_call *c);
/* Legs are kept or moved as their addresses are; waits for an address that is on its way here. */
void ocall_carry_on(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c);

#endif
