/* Texts of flows, spoken by synthesis (node/speech.h) and kept: in memory, and on disk as blobs with a file DATA/spoken/KEY that names
 * the blob. KEY is the SHA-256 of program, voice, language and text.
 *
 * The files are this node's own: what is lost is made again. Whoever makes one tells the others, which fetch the blob, so that a caller
 * who is taken over hears the very same sound. What was not used for SPOKEN_DAYS is removed. Core thread. */
#ifndef NODE_SPOKEN_H
#define NODE_SPOKEN_H

#include "node/blob_msg.h"
#include "node/node.h"

#define SPOKEN_MAX 1000u /* in memory; the one used longest ago makes room */
#define SPOKEN_DAYS 30u

struct prompt;

/* Somebody who waits for a text; zeroed at first. */
struct spoken_wait {
    struct list_node link;
    void (*fn)(void *ctx);
    void *ctx;
};

ERR_CHECKED int spoken_start(struct node *n);
void spoken_stop(struct node *n);
/* 0: *out is a new reference. ERR_BUSY: it is being made; w->fn is then called once, when asking again gives another answer (w may
 * be NULL). Else it cannot be had now: no voice for the language, the program fails, or too many are being made. */
ERR_CHECKED int spoken_get(struct node *n, const char *language, const char *text, struct spoken_wait *w,
                           struct prompt **out);
/* w->fn is not called any more. Harmless when it does not wait. */
void spoken_cancel(struct spoken_wait *w);
/* A peer has made one (blob_msg.h, BLOB_MSG_SPOKEN). */
void spoken_heard(struct node *n, const struct blob_msg *m);
/* In a worker: the blobs that files name, into `keep`; files not used for SPOKEN_DAYS are removed. */
ERR_CHECKED int spoken_keep(const struct node *n, struct map *keep);

#endif
