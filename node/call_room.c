/* Calls with more than two parties: what the state says of who hears whom (core/core.h, core_seats), done with the streams that are here.
 *
 * One room for a call and all that are joined to it, kept by the call; there is none as long as it is just two who talk, or hold each other
 * (call_leg.c). It is set as a whole whenever one of them changes, or gets its stream: in any order, after a takeover too. Whoever is
 * not here yet is left out until he is. Nothing is remembered but what each stream was last given. */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

struct call *call_room_main(struct call *k)
{
    const struct core_call *s = call_state(k);
    struct call *m = s && s->joined ? map_get_u64(&k->cs->by_id, s->joined) : k;
    return m && !m->ending && !m->gone ? m : NULL;
}

struct call_leg *call_room_leg(const struct calls *cs, const struct core_seat *seat)
{
    struct call *k = map_get_u64(&cs->by_id, seat->call_id);
    const struct core_call *s = k && !k->ending && !k->gone ? call_state(k) : NULL;
    if (!s || seat->leg >= s->n_legs)
        return NULL;
    struct call_leg *l = s->legs[seat->leg].role == CORE_LEG_CALLER ? &k->a : k->b;
    bool his = l->media && l->came == s->legs[seat->leg].from_call; /* else who sat there has still to make room */
    return his ? l : NULL;
}

static void give(struct call_leg *l, enum call_room_sound sound)
{
    if (l->room == sound)
        return;
    l->room = sound;
    if (sound == CALL_ROOM_MUSIC)
        call_play_music(l);
    else if (sound == CALL_ROOM_RINGBACK)
        call_play_ringback(l);
    else
        media_stream_stop_play(l->media);
}

static enum call_room_sound sound_of(const struct core_seat *seat)
{
    return seat->sound == CORE_SOUND_MUSIC      ? CALL_ROOM_MUSIC
           : seat->sound == CORE_SOUND_RINGBACK ? CALL_ROOM_RINGBACK
                                                : CALL_ROOM_SEATS;
}

#define CAME_HZ 880u
#define WENT_HZ 440u
#define TOLD_DBM0 (-24)
#define TOLD_MS 150u

static bool on(const char *value)
{
    return strcmp(value, "on") == 0;
}

/* Who hears more than he did, or fewer, is told by a tone, if that is wanted. Who hears the first one, or comes from another node, is not. */
static void tell(struct call_leg *l, const struct core_seat *seat, bool wanted)
{
    unsigned now = (unsigned)__builtin_popcount(seat->hears);
    bool among = l->room == CALL_ROOM_SEATS && sound_of(seat) == CALL_ROOM_SEATS && l->heard && now;
    if (wanted && among && now != l->heard)
        call_play_tone(l, now > l->heard ? CAME_HZ : WENT_HZ, TOLD_DBM0, TOLD_MS, NULL);
    l->heard = now;
}

/* Those who are here, numbered anew. */
static void set(struct call *m, const struct core_seat *seat, unsigned n)
{
    struct call_leg *leg[CORE_SEATS_MAX];
    struct media_seat put[CORE_SEATS_MAX];
    unsigned at[CORE_SEATS_MAX], here = 0;
    for (unsigned i = 0; i < n; i++) {
        leg[i] = call_room_leg(m->cs, &seat[i]);
        at[i] = here;
        here += leg[i] != NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!leg[i])
            continue;
        put[at[i]] = (struct media_seat){.stream = leg[i]->media};
        for (unsigned j = 0; j < n; j++)
            put[at[i]].hears |= leg[j] && seat[i].hears & 1u << j ? 1u << at[j] : 0;
    }
    const struct core *c = call_node(m)->core;
    int rc = m->room ? 0 : media_room_open(call_node(m)->media, &m->room);
    if (rc == 0)
        media_room_comfort(m->room, on(core_parameter(c, "gain_control", "off")),
                           on(core_parameter(c, "comfort_noise", "on")));
    if (rc == 0)
        rc = media_room_set(m->room, put, here);
    if (rc)
        log_error("call", "%s: cannot join the parties: %s", m->text_id, err_text(rc));
    for (unsigned i = 0; i < n; i++) {
        if (!leg[i])
            continue;
        tell(leg[i], &seat[i], on(core_parameter(c, "conference_tones", "off")));
        give(leg[i], sound_of(&seat[i]));
    }
}

static void plain(struct call_leg *l)
{
    if (l->media && l->room)
        media_stream_stop_play(l->media);
    l->room = CALL_ROOM_NONE;
    l->heard = 0;
}

void call_room_close(struct call *k)
{
    media_room_close(k->room);
    k->room = NULL;
}

bool call_room_follow(struct call *k)
{
    struct core_seat seat[CORE_SEATS_MAX];
    struct call *m = call_room_main(k);
    const struct core_call *s = m ? call_state(m) : NULL;
    if (!s)
        return false;
    unsigned n = core_seats(call_node(m)->core, m->id, seat);
    if (n > 2 || (n && s->turned_to)) {
        m->joining = false;
        set(m, seat, n);
        return true;
    }
    if (!m->room)
        return false;
    call_room_close(m);
    plain(&m->a);
    plain(m->b);
    if (n)
        call_leg_hold_changed(&m->a); /* two, as ever */
    return m != k;
}

void call_joined_begin(struct call *k, const struct core_call *s)
{
    if (k->shown != CALL_SHOWN_JOINED) {
        call_hush(k);
        call_menu_leave(k);
        call_offer_drop(k, CALL_ELSEWHERE, CALL_ELSEWHERE_TEXT);
        call_answer_caller(k);
        if (k->ending)
            return;
        k->shown = CALL_SHOWN_JOINED;
    }
    call_leg_follow(k, s);
    (void)call_room_follow(k);
}
