/* Whether what is kept is still what was recorded: the files of a recording on this node's disk, against their hashes in the replicated state and their
 * seals, in a worker. One that is damaged goes, and comes anew from another node, as when the damage is found in any other way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/blobnet.h"
#include "node/recordings_int.h"
#include "node/uploaded.h"

struct verify {
    struct node_recordings *all;
    struct blobs *blobs;
    uint64_t id;
    uv_work_t work;
    struct recordings_verified v;
    int rc[2];
    recordings_verify_fn *done;
    void *ctx;
};

static void look(struct verify *v, unsigned i)
{
    uint64_t chunk;
    char *fault = v->v.file[i].fault;
    const size_t room = sizeof v->v.file[i].fault;
    int rc = rec_sound_verify(v->blobs, v->all->keys, v->v.file[i].sha256, v->id, &v->v.file[i].bytes, &chunk);
    bool gone = rc == ERR_NOTFOUND || (rc == ERR_CORRUPT && chunk == REC_CHUNK_ALL);
    v->rc[i] = gone ? rc : 0;
    if (rc == ERR_NOTFOUND)
        (void)snprintf(fault, room, "it is not on this node's disk");
    else if (rc == ERR_DENIED)
        (void)snprintf(fault, room, "it was sealed with a key that this node does not have");
    else if (rc == ERR_CORRUPT && chunk == REC_CHUNK_ALL)
        (void)snprintf(fault, room, "it is not the file whose hash is in the state: it is fetched anew");
    else if (rc == ERR_CORRUPT)
        (void)snprintf(fault, room, "the seal of chunk %llu is broken", (unsigned long long)chunk);
    else if (rc)
        (void)snprintf(fault, room, "it cannot be read: %s", err_text(rc));
}

static void run(uv_work_t *work)
{
    struct verify *v = work->data;
    for (unsigned i = 0; i < v->v.n; i++)
        look(v, i);
}

static void over(uv_work_t *work, int status)
{
    struct verify *v = work->data;
    v->all->working--;
    for (unsigned i = 0; status && i < v->v.n; i++)
        (void)snprintf(v->v.file[i].fault, sizeof v->v.file[i].fault, "it was not looked at: the node stops");
    for (unsigned i = 0; !status && i < v->v.n; i++) {
        if (!v->rc[i])
            continue;
        blobnet_note(v->all->n, v->v.file[i].sha256, false);
        blobnet_count_corrupt(v->all->n, v->rc[i] == ERR_CORRUPT);
        uploaded_message(v->all->n, v->v.file[i].sha256);
    }
    v->done(v->ctx, &v->v);
    free(v);
}

static void file_add(struct verify *v, const char *format, const char *sha256)
{
    if (!sha256[0])
        return;
    v->v.file[v->v.n].format = format;
    (void)snprintf(v->v.file[v->v.n].sha256, sizeof v->v.file[0].sha256, "%s", sha256);
    v->v.n++;
}

int recordings_verify(struct node *n, uint64_t id, recordings_verify_fn *done, void *ctx)
{
    struct node_recordings *a = n->recordings;
    char wav[CORE_SHA256_MAX], mp3[CORE_SHA256_MAX];
    int rc = !a || a->stopping ? ERR_CLOSED : !a->keys ? ERR_DENIED : core_recording_forms(n->core, id, wav, mp3);
    struct verify *v = rc ? NULL : calloc(1, sizeof *v);
    if (!v)
        return rc ? rc : ERR_NOMEM;
    *v = (struct verify){.all = a, .blobs = blobnet_store(n), .id = id, .done = done, .ctx = ctx};
    v->work.data = v;
    file_add(v, "wav", wav);
    file_add(v, "mp3", mp3);
    a->working++;
    (void)uv_queue_work(&n->loop, &v->work, run, over); /* fails only without the function */
    return 0;
}
