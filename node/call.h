/* Call control: turns what happens on legs into commands, and committed state into actions on legs.
 *
 * A struct call exists on the node that owns the call, from the INVITE until the end is committed. What the call is, is
 * in core (core_call); struct call keeps only what belongs to this process: SIP legs, media streams, timers, and what has
 * been started so far. After each applied entry calls_changed is told which calls changed and reconciles: it compares the
 * committed phase with what is going on here and starts or stops what differs. Nothing that another node would need is
 * kept only here.
 *
 * Thread: core thread. Memory: reference-counted (base/mem.h); a proposal in flight holds a reference. */
#ifndef NODE_CALL_H
#define NODE_CALL_H

#include "node/node.h"
#include "telephony/sip.h"

struct calls;

ERR_CHECKED int calls_start(struct node *n, struct calls **out);
/* Releases all legs (BYE) without waiting for commits. */
void calls_stop(struct calls *cs);

/* SIP: a new call. */
void calls_on_invite(struct calls *cs, struct sip_leg *leg, const struct sip_invite_info *info);
/* Core: call `id` changed in the entry that was just applied. Remembered until calls_reconcile. */
void calls_changed(struct calls *cs, uint64_t id);
/* A flow was stored: what it says by synthesis is made ahead of the callers. */
void calls_flow_changed(struct calls *cs, const char *name);
/* Likewise those of a notice. */
void calls_notice_changed(struct calls *cs, const char *name);
/* Carries out what the changes ask for; after the entry's answers have been delivered. */
void calls_reconcile(struct calls *cs);
/* Core: a node came or went. Phones that are being rung through it are looked at in calls_reconcile. */
void calls_node_changed(struct calls *cs, const char *name);
/* All state was replaced (image installed): look at every call. */
void calls_reload(struct calls *cs);

/* ---- carrying calls on (call_adopt.c) and handing them over */
/* An address is on its way here: streams of calls that wait for it are opened now. */
void calls_address_expected(struct calls *cs);
/* Address `ip` is bound now, or cannot be had: calls that waited for it go on. */
void calls_address_ready(struct calls *cs, const char *ip);
/* All calls with a leg on this address are forgotten: nothing is sent, no record; whoever owns them carries them on. */
void calls_forget_address(struct calls *cs, const char *ip);
/* Every call is forgotten in this way (lease lost); resume: those that are (still) ours are carried on from state. */
void calls_suspend(struct calls *cs);
void calls_resume(struct calls *cs);
/* The lease is held now: what was put off for want of it is done. Cheap when there is nothing. */
void calls_lease_held(struct calls *cs);
/* Draining: calls that do not go with an address are forgotten and moved (CallMove), a few at a time. Returns how many this node
 * still owns. */
size_t calls_give_away(struct calls *cs);

struct calls_counts {
    uint32_t live;
    uint64_t started, refused, ended, taken_over, given_away;
    uint64_t vip_asked, vip_errors, vips; /* look-ups about callers, those without an answer, callers raised */
    uint64_t rtp_written;                 /* LegUpdates for RTP numbers that had strayed (call_rtp.c) */
    uint64_t legs_rated, legs_poor;       /* that ended here with sound; of these, below a mean opinion score of 3.6 */
    double mos_sum;
};
void calls_get_counts(const struct calls *cs, struct calls_counts *out);

#endif
