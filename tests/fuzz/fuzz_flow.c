/* Flows, and states to restore. The input is a flow, optionally followed by a NUL, a state, a NUL, and events. What is taken
 * is run: no step gives more actions than fit, nothing happens after the end, and a run that is saved and restored after each
 * step does the same as one that is not; what is to be said has words. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "telephony/ivr.h"
#include "telephony/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_name(void *ctx, const char *kind, const char *name, const char *path)
{
    unsigned *count = ctx;
    assert(*kind && *name && *path);
    ++*count;
}

static struct ivr_event fuzz_event(uint8_t byte)
{
    static const enum ivr_event_type types[] = {IVR_EV_PLAYED, IVR_EV_TIMER, IVR_EV_FAILED, IVR_EV_RESTORED,
                                                IVR_EV_START};
    if (byte < 0x80)
        return (struct ivr_event){IVR_EV_KEY, (char)byte};
    return (struct ivr_event){types[byte % (sizeof types / sizeof *types)], 0};
}

static bool fuzz_same_prompts(const struct ivr_action *a, const struct ivr_action *b)
{
    if (a->n_prompts != b->n_prompts || a->n_prompts > IVR_PROMPTS_MAX)
        return false;
    for (unsigned i = 0; i < a->n_prompts; i++)
        if (a->prompts[i].key != b->prompts[i].key || a->prompts[i].value != b->prompts[i].value)
            return false;
    return true;
}

/* What was taken can be played: each value has words in each of the flow's languages, and all of them fit. */
static void fuzz_spoken(const struct ivr_action *a, const char *language)
{
    const char *keys[SPEAK_KEYS_MAX];
    unsigned sounds = 0;
    for (unsigned i = 0; i < a->n_prompts; i++) {
        int n = a->prompts[i].value ? speak_keys(language, a->prompts[i].value, keys, SPEAK_KEYS_MAX) : 1;
        assert(n > 0 && !a->prompts[i].key == !!a->prompts[i].value);
        for (int k = 0; a->prompts[i].value && k < n; k++)
            assert(*keys[k]);
        sounds += (unsigned)n;
    }
    assert(sounds <= MEDIA_ITEMS_MAX);
}

static void fuzz_same(const struct ivr_action *a, unsigned n_a, const struct ivr_action *b, unsigned n_b)
{
    assert(n_a == n_b && n_a <= IVR_ACTIONS_MAX);
    for (unsigned i = 0; i < n_a; i++) {
        assert(a[i].type == b[i].type && a[i].ms == b[i].ms && a[i].barge_in == b[i].barge_in);
        assert(!a[i].name == !b[i].name && (!a[i].name || strcmp(a[i].name, b[i].name) == 0));
        assert(fuzz_same_prompts(&a[i], &b[i]));
    }
}

static struct ivr_run *fuzz_move(struct ivr_flow *f, struct ivr_run *r)
{
    char state[IVR_STATE_MAX];
    struct ivr_run *moved = NULL;
    assert(ivr_save(r, state, sizeof state) == 0);
    assert(ivr_restore(f, state, &moved) == 0);
    ivr_run_free(r);
    return moved;
}

/* Takes over both runs. */
static void fuzz_run(struct ivr_flow *f, struct ivr_run *kept, struct ivr_run *moved, const uint8_t *events, size_t n)
{
    static struct ivr_action a[IVR_ACTIONS_MAX], b[IVR_ACTIONS_MAX];
    bool ended = false;
    for (size_t i = 0; i < n && i < 200; i++) {
        struct ivr_event ev = fuzz_event(events[i]);
        unsigned n_a = ivr_step(kept, &ev, a), n_b = ivr_step(moved, &ev, b);
        fuzz_same(a, n_a, b, n_b);
        for (unsigned k = 0; k < n_a; k++)
            fuzz_spoken(&a[k], ivr_run_language(kept));
        assert(!ended || n_a == 0 || ev.type == IVR_EV_RESTORED);
        ended = ended || (n_a && a[n_a - 1].type == IVR_ACT_HANGUP);
        assert(*ivr_run_node(kept) && *ivr_run_language(kept));
        moved = fuzz_move(f, moved);
    }
    ivr_run_free(kept);
    ivr_run_free(moved);
}

static void fuzz_both_from_state(struct ivr_flow *f, const char *state, const uint8_t *events, size_t n)
{
    struct ivr_run *kept = NULL, *moved = NULL;
    int rc = ivr_restore(f, state, &kept);
    assert(rc == 0 || rc == ERR_INVAL || rc == ERR_NOTFOUND);
    if (rc)
        return;
    assert(ivr_restore(f, state, &moved) == 0);
    fuzz_run(f, kept, moved, events, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t usual[] = {0x82, 0x80, '1',  0x80, '9', 0x81, '*',  0x80,
                                    0x81, 0x81, 0x81, 0x81, '0', '#',  0x80, 0x83};
    const uint8_t *cut = memchr(data, 0, size);
    size_t flow_len = cut ? (size_t)(cut - data) : size;
    struct ivr_flow *f = NULL;
    struct err_info info;
    int rc = ivr_flow_parse((const char *)data, flow_len, &f, &info);
    if (rc) {
        assert(info.code == rc && info.text[0] && utf8_valid(info.text));
        return 0;
    }
    unsigned names = 0;
    ivr_flow_references(f, fuzz_name, &names);
    assert(names >= 1 && *ivr_flow_name(f));
    const uint8_t *state = cut ? cut + 1 : data + size, *end = data + size;
    const uint8_t *state_end = memchr(state, 0, (size_t)(end - state));
    const uint8_t *events = state_end ? state_end + 1 : usual;
    size_t n_events = state_end ? (size_t)(end - events) : sizeof usual;
    if (state_end)
        fuzz_both_from_state(f, (const char *)state, events, n_events);
    struct ivr_run *kept = NULL, *moved = NULL;
    assert(ivr_run_new(f, "en", &kept) == 0 && ivr_run_new(f, "en", &moved) == 0);
    struct ivr_event start = {IVR_EV_START, 0};
    static struct ivr_action a[IVR_ACTIONS_MAX], b[IVR_ACTIONS_MAX];
    unsigned n_a = ivr_step(kept, &start, a), n_b = ivr_step(moved, &start, b);
    fuzz_same(a, n_a, b, n_b);
    for (unsigned k = 0; k < n_a; k++)
        fuzz_spoken(&a[k], ivr_run_language(kept));
    if (n_a && a[n_a - 1].type == IVR_ACT_HANGUP)
        n_events = 0;
    fuzz_run(f, kept, moved, events, n_events);
    ivr_flow_unref(f);
    return 0;
}
