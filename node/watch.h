/* Telephones that want to be told of something: SUBSCRIBE turned into commands, and NOTIFYs of the subscriptions that this node tells
 * (core_subscription.c has who subscribes to what, telephony/sip_subscribe.h the messages).
 *
 *   message-summary  the boxes of the telephone itself (core_boxes_each); also without SUBSCRIBE, by Extension.mwi
 *   dialog           calls at any telephone of ours
 *   presence         an agent, by his number or a telephone of his; of a telephone without one whether it is there and talks
 *
 * What is told follows from the state at that moment: a change makes a subscription due, and it is told once however much has changed. One
 * NOTIFY is out at a time, and WATCH_GAP_MS lie between two beginnings (RFC 4235 and 3842 ask for limits;
 * presence keeps to the same). Nothing is told twice, but for answers to SUBSCRIBE and the first of a new owner. Core thread. */
#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include "node/node.h"
#include "telephony/sip_subscribe.h"

#define WATCH_GAP_MS 1000u

ERR_CHECKED int watch_start(struct node *n);
void watch_stop(struct node *n);

void watch_on_subscribe(struct node *n, struct sip_subscribe *s, const struct sip_subscribe_info *info);
/* Something was committed. Cheap when nobody wants to know. */
void watch_event(struct node *n, const struct core_event *ev);
/* All state may have been replaced, or SIP begins. */
void watch_reload(struct node *n);

/* A ringing telephone's dialog as subscriptions to it tell of it: whose it is. False: no such names, or made up. Whether it rings still is
 * for apply to say. */
struct sip_replaces;
bool watch_ringing_named(const struct node *n, const struct sip_replaces *r, uint64_t *call_id, uint64_t *offer_id);

struct watch_counts {
    uint32_t subscriptions; /* that this node tells */
    uint64_t notifies, failed;
};
void watch_get_counts(const struct node *n, struct watch_counts *out);

#endif
