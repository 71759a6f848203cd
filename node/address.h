/* Service addresses on this node: binds those that core says it holds, lets go of those that it does not hold or is to give away,
 * and says so to the cluster. With a hook (node file: address_hook) the address is put on and off an interface by it, else it is
 * only bound (loopback, or an address that stands on several hosts).
 *
 *   holder is us, not bound      hook add (in a process of its own), then SIP ports and media addresses; AddressState
 *   target is another            calls on it are forgotten, unbound, hook del; AddressGiven
 *   holder is another            the same without a word
 *   home is us, holder another   once we take calls and do not drain: AddressMove to us
 * While a hook runs the calls of its address wait (ADDRESS_PENDING); if it cannot be had they go on by re-INVITE and it is tried
 * again each second. Core thread. */
#ifndef NODE_ADDRESS_H
#define NODE_ADDRESS_H

#include "node/node.h"

enum address_here {
    ADDRESS_OTHER, /* not a service address, or not ours to hold */
    ADDRESS_PENDING, /* ours; its hook runs or binding is being tried for the first ADDRESS_PATIENCE_MS; or it is on its way from here */
    ADDRESS_BOUND,  /* SIP and media stand on it */
    ADDRESS_FAILED, /* ours, cannot be had now */
};
#define ADDRESS_PATIENCE_MS 200u

ERR_CHECKED int address_start(struct node *n);
/* Unbinds all without a word. */
void address_stop(struct node *n);
/* Core: something that addresses hang on changed (an address, a node, or all state at a reload). What follows from it is carried
 * out by the next address_reconcile, which looks at all of them: there are a few. */
void address_look_again(struct node *n);
/* After an entry was applied, before calls_reconcile; and after a reload. */
void address_reconcile(struct node *n);
/* The drain of this node has ended: what was moved away from here on request may come home, too. */
void address_homecoming(struct node *n);
/* Whether a call could reach this node at all: a service address is here, or one that never goes away. */
bool address_any(const struct node *n);
/* Nothing is bound, on its way, or on an interface by a hook. */
bool address_none_left(const struct node *n);
/* The lease was lost for long (let go of all, say nothing) or is back. */
void address_suspend(struct node *n);
void address_resume(struct node *n);
enum address_here address_here(const struct node *n, const char *ip);
/* ADDRESS_PENDING, and it is being put on an interface now: streams can be opened on it (media_engine_expect_ip). */
bool address_expected(const struct node *n, const char *ip);

#endif
