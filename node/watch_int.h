/* Inside node/watch*.c only. Core thread. */
#ifndef NODE_WATCH_INT_H
#define NODE_WATCH_INT_H

#include "node/watch.h"
#include "node/watch_doc.h"

#define WATCH_DIALOGS_MAX 8u /* of one telephone that are told; more are passed over */

/* One who is told: a subscription of this node's, or (id 0) a telephone that is told of messages without one. */
struct watcher {
    struct node *n;
    uint64_t id;
    uint32_t epoch, told; /* NOTIFYs of this epoch */
    Ev__Subscribe *is;
    struct list_node by_topic, by_other, queue,
        failing; /* of what it depends; whether it is due; whether it could not be told */
    struct watch_topic *topic, *other;
    bool force, again, over; /* told even if nothing has changed; once the answer is here; for the last time */
    uint64_t not_before_ms;
    struct sip_notify *out;                      /* the NOTIFY that is out */
    unsigned failed;                             /* in a row */
    uint64_t last_hash;                          /* of what was told last; 0: nothing */
    struct watch_dialog last[WATCH_DIALOGS_MAX]; /* dialog: likewise, but for those that had ended */
    unsigned n_last;
};

/* What a watcher is to be told now (watch_say.c). */
struct watch_news {
    char *body;
    const char *type;
    uint64_t hash;
    bool changed;
    struct watch_dialog dialogs[WATCH_DIALOGS_MAX];
    unsigned n_dialogs;
    char other[80]; /* what else it depends on: "b:BOX", "a:AGENT", or "" */
};
ERR_CHECKED int watch_say(const struct watcher *w, struct watch_news *out);

#endif
