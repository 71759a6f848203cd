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
    unsigned n;
    struct call_word words[MEDIA_ITEMS_MAX];
    char *owned[MEDIA_ITEMS_MAX];
};

void call_hush(struct call *k)
{
    struct call_saying *s = k->saying;
    if (!s)
        return;
    k->saying = NULL;
    spoken_cancel(&s->wait);
    for (unsigned i = 0; i < s->n; i++)
        free(s->owned[i]);
    free(s);
}

static bool call_saying_add(struct call_saying *s, const char *key, const char *text)
{
    if (s->n == MEDIA_ITEMS_MAX)
        return true; /* the rest is not said: flows are refused before it comes to that */
    char *copy = mem_strdup(key ? key : text);
    if (!copy)
        return false;
    s->owned[s->n] = copy;
    s->words[s->n++] = (struct call_word){.key = key ? copy : NULL, .text = key ? NULL : copy};
    return true;
}

static void call_saying_try(void *ctx)
{
    struct call *k = ctx;
    struct call_saying *s = k->saying;
    if (k->shown != CALL_SHOWN_MENU || k->ending || k->gone) {
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
    call_play_words(&k->a, s->language, s->words, s->n, &k->play_id);
    call_hush(k);
}

void call_say(struct call *k, const char *language, const struct ivr_prompt_ref *refs, unsigned count)
{
    bool synthesis = false;
    call_hush(k);
    for (unsigned i = 0; i < count; i++)
        synthesis |= refs[i].text != NULL;
    struct call_saying *s = synthesis ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        call_play_refs(&k->a, language, refs, count, &k->play_id);
        return;
    }
    bool ok = true;
    k->saying = s;
    s->k = k;
    s->wait.fn = call_saying_try;
    s->wait.ctx = k;
    snprintf(s->language, sizeof s->language, "%s", language);
    for (unsigned i = 0; i < count; i++) {
        const char *keys[SPEAK_KEYS_MAX];
        int m = refs[i].value ? speak_keys(language, refs[i].value, keys, SPEAK_KEYS_MAX) : 1;
        for (int j = 0; j < m; j++)
            ok &= call_saying_add(s, refs[i].value ? keys[j] : refs[i].key, refs[i].text);
    }
    if (ok) {
        call_saying_try(k);
        return;
    }
    call_hush(k);
    call_play_refs(&k->a, language, refs, count, &k->play_id);
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
