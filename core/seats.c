/* Who hears what in a call and those joined to it: worked out from their states alone, so that every owner comes to the same, whenever it
 * looks (core.h, core_seats).
 *
 *   the call        its two legs and each PARTY hear each other; a leg that is turned to a consultation does not
 *   consultation    the leg that is turned to it and its party hear each other
 *   LISTEN, WHISPER hear all of the call, and its consultation while somebody is turned to it; WHISPER is heard by the call's agent alone
 *
 * Of a call that is recorded its two parties are heard in the recording, whoever hears them now: one who hears music as well. Who has joined it
 * is, on our side, while he talks and somebody hears him; who listens or whispers is not. A consultation can be left out of it, by parameter.
 *
 * Who holds hears nothing and is not heard; whoever hears nobody by all this hears music, but for those who listen. */
#include <string.h>

#include "core/core_int.h"
#include "core/core_recording.h"

struct seat {
    const Ev__LegState *leg;
    enum core_call_mode mode; /* PARTY also of the call's own legs */
    bool apart;               /* in the consultation */
    bool agent;               /* whom a whisper is for */
    bool own;                 /* of the call itself */
};

static bool holds(const struct seat *t)
{
    return t->leg->held || t->leg->holds;
}

static bool talks(const struct seat *t)
{
    return t->mode == CORE_MODE_CONSULT || t->mode == CORE_MODE_PARTY;
}

static bool hears(const struct seat *who, const struct seat *whom)
{
    if (holds(who) || holds(whom))
        return false;
    if (!talks(who))
        return talks(whom);
    if (whom->mode == CORE_MODE_WHISPER)
        return who->agent;
    return talks(whom) && who->apart == whom->apart;
}

/* Alone in his consultation, for the other one is turned to the call: he is neither here nor there. */
static bool waits(const struct seat *t, const Ev__CallState *m)
{
    return t->mode == CORE_MODE_CONSULT && !m->turned_to;
}

static enum core_side side_of(const struct core *c, const struct seat *t, const Ev__CallState *m, bool heard)
{
    if (!m->recorded_us || (t->apart && strcmp(core_parameter(c, "recording_consultations", "on"), "off") == 0))
        return CORE_SIDE_NONE;
    if (t->own)
        return core_recording_side(m, t->leg->id);
    return talks(t) && heard ? CORE_SIDE_RIGHT : CORE_SIDE_NONE;
}

/* Who talks, that is: one who listens does not count. */
static bool is_heard(const struct seat *t, const struct core_seat *seat, unsigned n, unsigned whom)
{
    for (unsigned i = 0; i < n; i++)
        if (talks(&t[i]) && seat[i].hears & 1u << whom)
            return true;
    return false;
}

unsigned core_seats(const struct core *c, uint64_t call_id, struct core_seat out[CORE_SEATS_MAX])
{
    const struct call *main = core_call_obj(c, call_id);
    struct seat t[CORE_SEATS_MAX];
    unsigned n = 0;
    if (!main || main->st->phase != CORE_CALL_TALKING || main->st->n_legs != 2)
        return 0;
    const Ev__CallState *m = main->st;
    for (unsigned i = 0; i < 2; i++) {
        bool apart = m->turned_to && m->legs[i]->id == m->turned_leg;
        t[n] = (struct seat){m->legs[i], CORE_MODE_PARTY, apart, core_call_who(m, 0, "") == i, true};
        out[n++] = (struct core_seat){.call_id = call_id, .leg = i};
    }
    const struct call *consulted = NULL;
    list_foreach(it, &main->parties) {
        const struct call *k = list_entry(it, struct call, party);
        consulted = m->turned_to == k->st->call_id ? k : consulted;
        if (k->st->phase != CORE_CALL_JOINED || n == CORE_SEATS_MAX)
            continue;
        t[n] = (struct seat){k->st->legs[0], (enum core_call_mode)k->st->mode,
                             k->st->mode == CORE_MODE_CONSULT && m->turned_to, false, false};
        out[n++] = (struct core_seat){.call_id = k->st->call_id};
    }
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < n; j++) {
            if (i != j && !waits(&t[i], m) && !waits(&t[j], m) && hears(&t[i], &t[j]))
                out[i].hears |= 1u << j;
        }
        if (out[i].hears || holds(&t[i]) || !talks(&t[i]))
            continue;
        bool rings = t[i].own && t[i].apart && consulted && consulted->st->phase != CORE_CALL_JOINED;
        out[i].sound = rings ? CORE_SOUND_RINGBACK : CORE_SOUND_MUSIC;
    }
    for (unsigned i = 0; i < n; i++)
        out[i].side = side_of(c, &t[i], m, is_heard(t, out, n, i));
    return n;
}
