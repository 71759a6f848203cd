/* Prompts of the replicated configuration: their blobs on this node's disk, those that are played decoded in memory (telephony/prompt.h).
 *
 * Core thread; what touches the disk runs in libuv's workers. From the configuration alone: started anew, or after a snapshot, it comes to
 * the same. What no prompt names is removed an hour after it was stored last; all files are held against their hashes
 * at start and every six hours. */
#ifndef NODE_UPLOADED_H
#define NODE_UPLOADED_H

#include "node/node.h"

ERR_CHECKED int uploaded_start(struct node *n);
void uploaded_stop(struct node *n);
/* A prompt or a parameter changed, or the whole state: looked at with the next uploaded_reconcile. */
void uploaded_changed(struct node *n);
/* A message of a caller was kept: this node gets its sound as well. Those of messages that are gone are swept like any other. */
void uploaded_message(struct node *n, const char *sha256);
void uploaded_reconcile(struct node *n);
/* The sound of message `id`, for who has left it: read, or fetched and read, opened with its key, and given to done, which is not called
 * before this returns. p NULL: it cannot be had; else it goes when done returns, unless a reference is taken. */
struct prompt;
struct uploaded_sound;
ERR_CHECKED int uploaded_sound(struct node *n, uint64_t id, const char *sha256,
                               void (*done)(void *ctx, struct prompt *p), void *ctx, struct uploaded_sound **out);
/* done is not called any more. */
void uploaded_sound_cancel(struct uploaded_sound *s);
/* Prompts whose sound is not in memory yet. */
size_t uploaded_lacking(struct node *n);

#endif
