/* Shared by core_recording*.c, and what the rest of core/ tells them: recordings of calls, their rows, sides, keys and forms. Inside core/ only, as
 * core_int.h; the core thread. */
#ifndef CORE_CORE_RECORDING_H
#define CORE_CORE_RECORDING_H

#include "core/core_int.h"

/* ---- core_recording.c */
/* As it stands in the table. */
struct recording_row {
    uint64_t state, hold, started_us;                /* state 1: kept */
    uint64_t bytes, wav_bytes;                       /* of all its files, of the WAV file */
    bool as_mp3;                                     /* that is how it is to be kept */
    char wav[CORE_SHA256_MAX], mp3[CORE_SHA256_MAX]; /* blobs; "": there is none (any more, yet) */
};
/* False: there is none. */
bool core_recording_row(const struct core *c, uint64_t id, struct recording_row *out);
/* One that was kept, or a refusal. */
bool core_recording_kept(struct core *c, uint64_t id, struct recording_row *out);
struct sbuf *core_recording_ev_begin(struct core *c, const char *type, uint64_t id);
/* ---- core_recording_form.c: as MP3 */
int core_recording_form(struct core *c, const Ev__RecordingForm *m);

/* ---- core_recording_about.c: who is heard in a recording, and what it is found by */
enum core_side core_recording_side(const Ev__CallState *s, uint32_t leg_id);
/* Two parties begin to talk in a call that is recorded: who is heard where from now on. */
void core_recording_seats(struct call *k);
/* A call that is joined to another one begins to take part in it, ceases to, or leaves it: from when to when its party is heard in the recording
 * of that one. Before it is taken from there, and with its leg. */
void core_recording_joined(struct core *c, struct call *k, bool leaves);
enum core_recording_key {
    CORE_RECORDING_AGENT = 1, /* each who took part */
    CORE_RECORDING_NUMBER,    /* of each party, and the one that was called */
    CORE_RECORDING_QUEUE,     /* each that the call was in */
    CORE_RECORDING_CUSTOMER,
};
/* Empty values are none. */
void core_recording_key(struct core *c, uint64_t started_us, enum core_recording_key kind, const char *value);
/* All that is known of the call so far, into the row of its recording, which there is. */
void core_recording_about(struct core *c, const struct call *k, uint64_t started_us);

#endif
