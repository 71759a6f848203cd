/* Sound made ready for the telephone beside the core thread: files that people upload, and texts spoken by synthesis. What comes out is
 * a blob on this node's disk (node/blobnet.h spreads it).
 *
 * Two threads of their own wait for the helper programs (node/child.h) and the disk; texts go first, as a caller may wait for them.
 * Core thread, unless a function says otherwise. Limits: SOUND_JOBS_MAX wait (ERR_BUSY); a file takes SOUND_FILE_MS at most, a
 * text SOUND_SAY_MS. */
#ifndef NODE_SOUND_H
#define NODE_SOUND_H

#include "node/node.h"
#include "storage/blob.h"

#define SOUND_JOBS_MAX 64u
#define SOUND_FILE_MS 40000u
#define SOUND_SAY_MS 8000u
#define SOUND_TEXT_MAX 2000u /* bytes */

struct prompt;

struct sound_result {
    struct err_info info; /* code 0: made */
    char blob[BLOB_NAME_MAX];
    uint64_t bytes;
    uint32_t duration_ms;
    struct prompt *prompt; /* decoded; whoever keeps it takes a reference */
};
/* On the core thread, exactly once. */
typedef void sound_done_fn(void *ctx, const struct sound_result *r);

ERR_CHECKED int sound_start(struct node *n);
/* Helpers that run are killed; what waits or runs is answered with ERR_CLOSED before it returns. */
void sound_stop(struct node *n);
/* Any thread. fd is a file to be read from its beginning, taken over (closed) unless an error is returned. */
ERR_CHECKED int sound_file(struct node *n, int fd, sound_done_fn *done, void *ctx);
/* Any thread. Both are copied. ERR_INVAL: no voice for the language; ERR_TOOBIG. */
ERR_CHECKED int sound_say(struct node *n, const char *language, const char *text, sound_done_fn *done, void *ctx);
size_t sound_waiting(struct node *n);

#endif
