/* Recordings as MP3: made from the WAV file when it has been kept, by one node at a time (node/recordings_form.c), because rule or parameter say that it
 * is to be kept so, or because somebody wants to hear it so.
 *
 *   kept as WAV ─RecordingForm─► as both ──to be kept as MP3, not on hold──► as MP3
 * What is on hold stays as it was made, also when it is released afterwards. */
#include <stdlib.h>
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"

int core_recording_form(struct core *c, const Ev__RecordingForm *m)
{
    struct recording_row now;
    if (!core_recording_kept(c, m->id, &now))
        return c->ans->code;
    if (!core_is_sha256(m->sha256) || !m->bytes)
        return core_refuse(c, ERR_INVAL, "sha256", "a sound has a hash and a length");
    if (now.mp3[0])
        return 0; /* another node was faster: what this one made is not named, and goes */
    bool replaces = now.as_mp3 && !now.hold;
    const struct storage_val v[] = {storage_int(m->id), storage_text(m->sha256), storage_int(m->bytes),
                                    storage_text(replaces ? "" : now.wav), storage_int(replaces ? 0 : now.wav_bytes)};
    storage_run(c->st, STORAGE_RECORDING_FORM, v, 5);
    c->recording_bytes += m->bytes;
    if (replaces)
        c->recording_bytes -= now.wav_bytes < c->recording_bytes ? now.wav_bytes : c->recording_bytes;
    core_tell(c, CORE_EV_MESSAGE, m->id, "kept", m->sha256);
    struct sbuf *b = core_recording_ev_begin(c, "recording.converted", m->id);
    sbuf_kv(b, "format", "mp3");
    core_ev_end(c);
    return 0;
}

/* ---- for the node that does it */

static int id_row(void *ctx, const struct storage_row *row)
{
    struct core_unconverted *u = ctx;
    if (u->n < CORE_UNCONVERTED_MAX)
        u->id[u->n++] = storage_row_int(row, 0);
    return 0;
}

int core_recordings_unconverted(const struct core *c, struct core_unconverted *out)
{
    out->n = 0;
    int err = storage_query(c->st, STORAGE_RECORDING_UNCONVERTED, NULL, 0, id_row, out);
    return err < 0 ? err : 0;
}

int core_recording_forms(const struct core *c, uint64_t id, char wav[CORE_SHA256_MAX], char mp3[CORE_SHA256_MAX])
{
    struct recording_row now;
    if (!core_recording_row(c, id, &now) || now.state != 1)
        return ERR_NOTFOUND;
    memcpy(wav, now.wav, sizeof now.wav);
    memcpy(mp3, now.mp3, sizeof now.mp3);
    return 0;
}
