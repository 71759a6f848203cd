/* What a flow says, when texts that are spoken by synthesis are in it: all of them are waited for, then it is played in one go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "node/call_int.h"
#include "node/spoken.h"

/* Copies: the flow may go on, or be changed, meanwhile. */
struct call_saying {
    struct call *k;
    struct spoken_wait wait;
    char language[16];
    uint64_t since_us; /* began then, at a former owner; 0: begins when it is played */
    unsigned n;
    struct call_word words[MEDIA_ITEMS_MAX];
    char *owned[MEDIA_ITEMS_MAX];
};

void call_hush(struct call *k)
{
    struct call_saying *s = k->saying;
    call_review_stop(k);
    if (!s)
        return;
    k->saying = NULL;
    spoken_cancel(&s->wait);
    for (unsigned i = 0; i < s->n; i++)
        free(s->owned[i]);
    free(s);
}

static bool call_saying_add(struct call_saying *s, const struct call_word *w)
{
    const char *text = w->key ? w->key : w->text;
    if (s->n == MEDIA_ITEMS_MAX)
        return true; /* the rest is not said: flows are refused before it comes to that */
    char *copy = text ? mem_strdup(text) : NULL;
    if (text && !copy)
        return false;
    s->owned[s->n] = copy;
    s->words[s->n++] = (struct call_word){.key = w->key ? copy : NULL, .text = w->key ? NULL : copy, .ms = w->ms};
    return true;
}

static bool call_saying_is_for(const struct call *k)
{
    bool waits = k->shown == CALL_SHOWN_QUEUE && k->wait_notice;
    return (k->shown == CALL_SHOWN_MENU || k->shown == CALL_SHOWN_NOTICE || waits) && !k->ending && !k->gone;
}

static void call_say_now(struct call *k, const char *language, const struct call_word *words, unsigned n,
                         uint64_t since_us)
{
    uint64_t now = node_time_us(call_node(k));
    if (since_us && now > since_us)
        k->play_from_ms = (uint32_t)((now - since_us) / 1000u);
    call_play_words(&k->a, language, words, n, &k->play_id);
}

static void call_saying_try(void *ctx)
{
    struct call *k = ctx;
    struct call_saying *s = k->saying;
    if (!call_saying_is_for(k)) {
        call_hush(k);
        return;
    }
    for (unsigned i = 0; i < s->n; i++) {
        struct prompt *p = NULL;
        int rc = s->words[i].text ? spoken_get(call_node(k), s->language, s->words[i].text, &s->wait, &p) : 0;
        prompt_unref(p);
        if (rc == ERR_BUSY)
            return;
    }
    call_say_now(k, s->language, s->words, s->n, s->since_us);
    call_hush(k);
}

void call_say_words(struct call *k, const char *language, const struct call_word *words, unsigned n, uint64_t since_us)
{
    bool synthesis = false, ok = true;
    call_hush(k);
    for (unsigned i = 0; i < n; i++)
        synthesis |= words[i].text != NULL;
    struct call_saying *s = synthesis ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        call_say_now(k, language, words, n, since_us);
        return;
    }
    k->saying = s;
    s->k = k;
    s->since_us = since_us;
    s->wait.fn = call_saying_try;
    s->wait.ctx = k;
    snprintf(s->language, sizeof s->language, "%s", language);
    for (unsigned i = 0; i < n; i++)
        ok &= call_saying_add(s, &words[i]);
    if (ok) {
        call_saying_try(k);
        return;
    }
    call_hush(k);
    call_say_now(k, language, words, n, since_us);
}

void call_say(struct call *k, const char *language, const struct ivr_prompt_ref *refs, unsigned count)
{
    struct call_word words[MEDIA_ITEMS_MAX];
    call_say_words(k, language, words, call_play_words_of(language, refs, count, words), 0);
}

static void call_say_ahead(void *ctx, const char *language, const char *text)
{
    struct prompt *p = NULL;
    int rc = spoken_get(ctx, language, text, NULL, &p);
    if (!rc)
        prompt_unref(p);
}

void calls_flow_changed(struct calls *cs, const char *name)
{
    uint64_t live = 0;
    const struct ivr_flow *f = call_flow_get(cs, name, &live);
    if (f)
        ivr_flow_texts(f, call_say_ahead, cs->n);
}
