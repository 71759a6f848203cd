/* What the caller is played: prompts, music, ringback; and what media threads report back. */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/spoken.h"

/* The ringing tone of the Chinese network (YD/T 1366): 450 Hz, one second on, four off. */
#define CALL_RINGBACK_HZ 450
#define CALL_RINGBACK_ON_MS 1000
#define CALL_RINGBACK_OFF_MS 4000
#define CALL_RINGBACK_DBM0 (-15)
#define CALL_ATTENTION_HZ 880
#define CALL_ATTENTION_MS 150
#define CALL_ATTENTION_DBM0 (-18)
#define CALL_MUSIC_SILENCE "silence" /* Queue.music */

const char *call_language(const struct call *k)
{
    const struct core_call *s = call_state(k);
    return s && s->language && s->language[0] ? s->language : core_parameter(call_node(k)->core, "language", "zh");
}

static void call_play_items(struct call_leg *l, struct media_item *items, unsigned n, uint32_t *play_id)
{
    uint32_t id = 0;
    uint32_t from_ms = l->callee ? 0 : l->call->play_from_ms;
    if (!l->callee)
        l->call->play_from_ms = 0;
    int rc = l->media ? media_stream_play(l->media, items, n, from_ms, &id) : ERR_BADSTATE;
    if (rc)
        log_warn("call", "%s: cannot play: %s", l->call->text_id, err_text(rc));
    if (play_id)
        *play_id = rc ? 0 : id;
    for (unsigned i = 0; i < n; i++)
        if (items[i].kind == MEDIA_PROMPT || items[i].kind == MEDIA_MUSIC)
            prompt_unref(items[i].prompt);
}

static unsigned call_play_add(struct call_leg *l, const char *language, const char *key, struct media_item *items,
                              unsigned n)
{
    if (n >= MEDIA_ITEMS_MAX)
        return n;
    struct prompt *p = NULL;
    int rc = prompt_get(call_node(l->call)->prompts, language, key, &p);
    if (rc) {
        log_warn("call", "%s: prompt %s/%s: %s", l->call->text_id, language, key, err_text(rc));
        return n;
    }
    items[n] = (struct media_item){.kind = MEDIA_PROMPT, .prompt = p};
    return n + 1;
}

/* A list that turned out empty still has to end, or the menu would wait for ever. */
static unsigned call_play_nonempty(struct media_item *items, unsigned n)
{
    if (n == 0)
        items[n++] = (struct media_item){.kind = MEDIA_SILENCE, .ms = 20};
    return n;
}

void call_play_keys(struct call_leg *l, const char *language, const char *const *keys, size_t count, uint32_t *play_id)
{
    struct media_item items[MEDIA_ITEMS_MAX];
    unsigned n = 0;
    for (size_t i = 0; i < count; i++)
        n = call_play_add(l, language, keys[i], items, n);
    call_play_items(l, items, call_play_nonempty(items, n), play_id);
}

uint64_t call_play_length_ms(const struct call *k, const char *language, const char *const *keys, size_t count)
{
    uint64_t samples = 0;
    for (size_t i = 0; i < count && i < MEDIA_ITEMS_MAX; i++) {
        struct prompt *p;
        if (prompt_get(call_node(k)->prompts, language, keys[i], &p))
            continue;
        samples += p->n_samples;
        prompt_unref(p);
    }
    return samples * 1000u / PROMPT_RATE_HZ;
}

static unsigned call_play_text(struct call_leg *l, const char *language, const char *text, struct media_item *items,
                               unsigned n)
{
    struct prompt *p = NULL;
    int rc = n < MEDIA_ITEMS_MAX ? spoken_get(call_node(l->call), language, text, NULL, &p) : ERR_TOOBIG;
    if (rc) {
        log_warn("call", "%s: a text in %s is left out: %s", l->call->text_id, language, err_text(rc));
        return n;
    }
    items[n] = (struct media_item){.kind = MEDIA_PROMPT, .prompt = p};
    return n + 1;
}

void call_play_words(struct call_leg *l, const char *language, const struct call_word *words, unsigned count,
                     uint32_t *play_id)
{
    struct media_item items[MEDIA_ITEMS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (words[i].ms && n < MEDIA_ITEMS_MAX)
            items[n++] = (struct media_item){.kind = MEDIA_SILENCE, .ms = words[i].ms};
        else if (words[i].key)
            n = call_play_add(l, language, words[i].key, items, n);
        else if (words[i].text)
            n = call_play_text(l, language, words[i].text, items, n);
    }
    call_play_items(l, items, call_play_nonempty(items, n), play_id);
}

unsigned call_play_words_of(const char *language, const struct ivr_prompt_ref *refs, unsigned count,
                            struct call_word *words)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *keys[SPEAK_KEYS_MAX];
        int m = refs[i].value ? speak_keys(language, refs[i].value, keys, SPEAK_KEYS_MAX) : 1;
        for (int j = 0; j < m && n < MEDIA_ITEMS_MAX; j++)
            words[n++] = (struct call_word){.key = refs[i].value ? keys[j] : refs[i].key, .text = refs[i].text};
    }
    return n;
}

/* NULL: silence. A prompt that is lacking is no reason for that. */
static struct prompt *call_music(const struct call *k)
{
    const struct core_call *s = call_state(k);
    const Ev__Queue *q = s && s->queue ? core_queue_config(call_node(k)->core, s->queue) : NULL;
    struct prompt_store *prompts = call_node(k)->prompts;
    struct prompt *p;
    if (!q || !q->music[0])
        return prompt_hold_music(prompts);
    if (strcmp(q->music, CALL_MUSIC_SILENCE) == 0)
        return NULL;
    int rc = prompt_get(prompts, call_language(k), q->music, &p);
    if (rc == 0 && p->n_samples)
        return p;
    log_warn("call", "%s: music %s: %s", k->text_id, q->music, err_text(rc));
    if (rc == 0)
        prompt_unref(p);
    return prompt_hold_music(prompts);
}

void call_play_music(struct call_leg *l)
{
    struct media_item music = {.kind = MEDIA_MUSIC, .prompt = call_music(l->call)};
    if (music.prompt)
        call_play_items(l, &music, 1, NULL);
    else if (l->media)
        media_stream_stop_play(l->media);
}

void call_play_attention(struct call_leg *l)
{
    struct media_item tone = {
        .kind = MEDIA_TONE, .hz1 = CALL_ATTENTION_HZ, .level_dbm0 = CALL_ATTENTION_DBM0, .ms = CALL_ATTENTION_MS};
    call_play_items(l, &tone, 1, NULL);
}

void call_play_tone(struct call_leg *l, unsigned hz, int dbm0, unsigned ms, uint32_t *play_id)
{
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = (uint16_t)hz, .level_dbm0 = (int16_t)dbm0, .ms = ms};
    call_play_items(l, &tone, 1, play_id);
}

void call_play_prompt(struct call_leg *l, struct prompt *p, uint32_t *play_id)
{
    struct media_item item = {.kind = MEDIA_PROMPT, .prompt = prompt_ref(p)};
    call_play_items(l, &item, 1, play_id);
}

void call_play_ringback(struct call_leg *l)
{
    struct media_item tone = {.kind = MEDIA_TONE,
                              .hz1 = CALL_RINGBACK_HZ,
                              .level_dbm0 = CALL_RINGBACK_DBM0,
                              .on_ms = CALL_RINGBACK_ON_MS,
                              .off_ms = CALL_RINGBACK_OFF_MS};
    call_play_items(l, &tone, 1, NULL);
}

static void call_on_played(struct call *k, uint32_t play_id)
{
    if (!k->play_id || play_id != k->play_id)
        return;
    k->play_id = 0;
    if (k->shown == CALL_SHOWN_MENU && !call_record_played(k))
        call_menu_event(k, IVR_EV_PLAYED, 0);
    else if (k->shown == CALL_SHOWN_APP)
        call_app_played(k);
    else if (k->shown == CALL_SHOWN_QUEUE)
        call_wait_played(k);
    else if (k->shown == CALL_SHOWN_TALK)
        call_join(k);
    else if (k->shown == CALL_SHOWN_NOTICE)
        call_notice_played(k);
}

void call_on_media(void *ctx, struct media_stream *s, const struct media_event *ev)
{
    struct call_leg *l = ctx;
    struct call *k = l->call;
    (void)s;
    if (k->ending || k->gone)
        return;
    switch (ev->type) {
    case MEDIA_EV_DTMF:
        if (!l->callee && k->shown == CALL_SHOWN_MENU)
            call_menu_event(k, IVR_EV_KEY, ev->digit);
        else if (!l->callee && k->shown == CALL_SHOWN_QUEUE)
            call_wait_key(k, ev->digit);
        else if (!l->callee && k->shown == CALL_SHOWN_APP)
            call_back_key(k, ev->digit);
        else if (!l->callee && k->shown == CALL_SHOWN_NOTICE)
            call_notice_key(k, ev->digit);
        else if (l->callee || !call_supervise_key(k, ev->digit))
            call_code_key(l, ev->digit);
        break;
    case MEDIA_EV_PLAYED:
        if (!l->callee)
            call_on_played(k, ev->play_id);
        break;
    case MEDIA_EV_DEAD: {
        struct media_stats st;
        media_stream_stats(l->media, &st);
        bool spoke = st.rx_packets > 0 || (k->adopted && k->shown == CALL_SHOWN_TALK);
        if (spoke && !l->held)
            call_end(k, "system", "media_timeout", 0);
        break;
    }
    case MEDIA_EV_RECORDED:
        if (!l->callee)
            call_record_ended(k);
        break;
    case MEDIA_EV_ALIVE:
    case MEDIA_EV_TONE:
        break;
    }
}
