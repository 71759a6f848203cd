/* A caller who is told notices (core/core_notice.c): by themselves before what his number leads to, or from a menu.
 *
 * Which notice, and since when, is in the state; what it says is looked up as it is configured now. Each end of one (heard, skipped by
 * a key, wanted again) is proposed with the turn it belongs to, and what follows is heard when that is committed. Whoever takes the
 * call over begins as far in as the former owner was. */
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"
#include "node/spoken.h"

#define NOTICE_KEY_AGAIN '*' /* asked for in a menu */
#define NOTICE_KEY_ON '1'    /* a repeat caller */
#define NOTICE_MENU_PAUSE_MS 1500u
#define NOTICE_REPEAT_PAUSE_MS 6000u

/* What of a notice is said, and in which language: the caller's, or the one that there is. */
struct notice_content {
    const char *language;
    struct call_word word;
};

static bool content_text(struct notice_content *out, const char *language, const char *zh, const char *en)
{
    bool in_zh = strcmp(language, "zh") == 0 ? zh[0] || !en[0] : !en[0];
    const char *text = in_zh ? zh : en;
    *out = (struct notice_content){.language = in_zh ? "zh" : "en", .word.text = text};
    return text[0] != '\0';
}

static bool content_of(const Ev__Notice *n, bool brief, const char *language, struct notice_content *out)
{
    const char *prompt = brief ? n->short_prompt : n->prompt;
    if (prompt[0]) {
        *out = (struct notice_content){.language = language, .word.key = prompt};
        return true;
    }
    if (content_text(out, language, brief ? n->short_zh : n->text_zh, brief ? n->short_en : n->text_en))
        return true;
    return brief && content_of(n, false, language, out);
}

static bool can_be_heard(struct call *k, const struct notice_content *c)
{
    struct prompt *p = NULL;
    int rc = c->word.key ? prompt_get(call_node(k)->prompts, c->language, c->word.key, &p)
                         : spoken_get(call_node(k), c->language, c->word.text, NULL, &p);
    if (!rc)
        prompt_unref(p);
    return rc == 0;
}

/* ---- what becomes of it */

static void call_notice_tell(struct call *k, uint32_t turn, enum _Ev__CallNotice__What what);

static void notice_told(struct call *k, int status, const struct core_answer *a)
{
    k->notice_told = false;
    if (k->ending || k->gone)
        return;
    const struct core_call *s = call_state(k);
    if (status) {
        log_warn("call", "%s: what became of a notice is not committed: %s", k->text_id, err_text(status));
        call_end(k, "system", "no_quorum", 503);
    } else if (a->code == ERR_BADSTATE && s && s->notice && s->notice->turn == k->notice_turn) {
        call_notice_tell(k, k->notice_turn,
                         EV__CALL_NOTICE__WHAT__UNSAID); /* its rules have been changed while he heard it */
    } else if (a->code) {
        log_info("call", "%s: %s", k->text_id, a->text);
    }
}

static void call_notice_tell(struct call *k, uint32_t turn, enum _Ev__CallNotice__What what)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallNotice m = EV__CALL_NOTICE__INIT;
    cmd.body_case = EV__COMMAND__BODY_CALL_NOTICE;
    cmd.call_notice = &m;
    m.call_id = k->id;
    m.turn = turn;
    m.what = what;
    m.caller_acked = k->a.acked;
    k->notice_told = true;
    if (call_propose(k, &cmd, notice_told)) {
        k->notice_told = false;
        call_end(k, "system", "no_quorum", 503);
    }
}

static void notice_silence(struct call *k)
{
    call_hush(k);
    k->play_id = 0;
    if (k->a.media)
        media_stream_stop_play(k->a.media);
}

/* ---- hearing it */

/* A flow's caller hears how many there are before the first one. Whoever wants one again has time for it at its end. */
static unsigned notice_words(const Ev__CallNoticeState *st, const struct notice_content *c, struct call_word *words,
                             unsigned max)
{
    unsigned n = 0;
    if (st->menu && st->at == 0 && st->n_names > 1) {
        const char *keys[SPEAK_KEYS_MAX];
        const struct speak_value count = {.kind = SPEAK_NUMBER, .whole = st->n_names};
        int m = speak_keys(c->language, &count, keys, SPEAK_KEYS_MAX);
        words[n++] = (struct call_word){.key = "notice_count"};
        for (int i = 0; i < m && n + 4 < max; i++)
            words[n++] = (struct call_word){.key = keys[i]};
    }
    words[n++] = c->word;
    if (st->menu || st->repeat) {
        words[n++] = (struct call_word){.key = st->menu ? "notice_again" : "notice_go_on"};
        words[n++] = (struct call_word){.ms = st->menu ? NOTICE_MENU_PAUSE_MS : NOTICE_REPEAT_PAUSE_MS};
    }
    return n;
}

bool call_notice_say(struct call *k, const char *name)
{
    const Ev__Notice *n = core_notice_config(call_node(k)->core, name);
    struct notice_content c;
    if (!n || !content_of(n, false, call_language(k), &c))
        return false;
    call_say_words(k, c.language, &c.word, 1, 0);
    return true;
}

bool call_notice_sayable(struct call *k, const char *name)
{
    const Ev__Notice *n = core_notice_config(call_node(k)->core, name);
    struct notice_content c;
    return n && content_of(n, false, call_language(k), &c) && can_be_heard(k, &c);
}

void call_notice_begin(struct call *k, const struct core_call *s)
{
    const Ev__CallNoticeState *st = s->notice;
    call_answer_caller(k);
    if (k->ending || (k->shown == CALL_SHOWN_NOTICE && k->notice_turn == st->turn))
        return;
    bool carried_on = k->adopted && k->shown == CALL_SHOWN_NOTHING;
    call_menu_leave(k);
    notice_silence(k);
    k->shown = CALL_SHOWN_NOTICE;
    k->notice_turn = st->turn;
    const Ev__Notice *n = core_notice_config(call_node(k)->core, st->names[st->at]);
    struct notice_content c;
    struct call_word words[MEDIA_ITEMS_MAX];
    if (!n || !content_of(n, st->repeat, call_language(k), &c)) {
        call_notice_tell(k, st->turn, EV__CALL_NOTICE__WHAT__UNSAID);
        return;
    }
    call_say_words(k, c.language, words, notice_words(st, &c, words, MEDIA_ITEMS_MAX), carried_on ? st->since_us : 0);
}

/* Only what could be played was heard. */
void call_notice_played(struct call *k)
{
    const struct core_call *s = call_state(k);
    if (!s || !s->notice || s->notice->turn != k->notice_turn || k->notice_told)
        return;
    const Ev__Notice *n = core_notice_config(call_node(k)->core, s->notice->names[s->notice->at]);
    struct notice_content c;
    bool heard = n && content_of(n, s->notice->repeat, call_language(k), &c) && can_be_heard(k, &c);
    call_notice_tell(k, k->notice_turn, heard ? EV__CALL_NOTICE__WHAT__HEARD : EV__CALL_NOTICE__WHAT__UNSAID);
}

void call_notice_key(struct call *k, char digit)
{
    const struct core_call *s = call_state(k);
    const Ev__CallNoticeState *st = s ? s->notice : NULL;
    if (!st || st->turn != k->notice_turn || k->notice_told)
        return;
    const Ev__Notice *n = core_notice_config(call_node(k)->core, st->names[st->at]);
    enum _Ev__CallNotice__What what = EV__CALL_NOTICE__WHAT__SKIPPED;
    if (st->repeat) {
        if (digit != NOTICE_KEY_ON)
            return;
        what = EV__CALL_NOTICE__WHAT__GO_ON;
    } else if (st->menu && digit == NOTICE_KEY_AGAIN) {
        what = EV__CALL_NOTICE__WHAT__AGAIN;
    } else if (n && strcmp(n->skip, "none") == 0) {
        return;
    }
    notice_silence(k);
    if (st->menu && what == EV__CALL_NOTICE__WHAT__SKIPPED) { /* whoever knows the menu need not wait for it */
        k->keys[0] = digit;
        k->n_keys = 1;
    }
    call_notice_tell(k, k->notice_turn, what);
}

/* ---- ahead of the first call */

static void notice_ahead(struct node *n, const char *language, const char *text)
{
    struct prompt *p = NULL;
    if (text[0] && spoken_get(n, language, text, NULL, &p) == 0)
        prompt_unref(p);
}

void calls_notice_changed(struct calls *cs, const char *name)
{
    const Ev__Notice *n = core_notice_config(cs->n->core, name);
    if (!n)
        return;
    notice_ahead(cs->n, "zh", n->prompt[0] ? "" : n->text_zh);
    notice_ahead(cs->n, "en", n->prompt[0] ? "" : n->text_en);
    notice_ahead(cs->n, "zh", n->short_prompt[0] ? "" : n->short_zh);
    notice_ahead(cs->n, "en", n->short_prompt[0] ? "" : n->short_en);
}
