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

/* A flow that calls itself is the one flow there is. */
static struct ivr_flow *fuzz_flow;

static struct ivr_flow *fuzz_get(void *ctx, const char *name, uint64_t *version)
{
    (void)ctx;
    if (!fuzz_flow || strcmp(name, ivr_flow_name(fuzz_flow)) != 0)
        return NULL;
    *version = 1;
    return ivr_flow_ref(fuzz_flow);
}

static const struct ivr_flows fuzz_library = {fuzz_get, NULL};

static struct ivr_setup fuzz_setup(struct ivr_flow *f, const char *language, const char *queue)
{
    return (struct ivr_setup){.flow = f,
                              .version = 1,
                              .language = language,
                              .caller = "8001",
                              .called = "10000",
                              .call_id = "1",
                              .queue = queue,
                              .flows = &fuzz_library};
}

static void fuzz_name(void *ctx, const char *kind, const char *name, const char *path)
{
    unsigned *count = ctx;
    assert(*kind && *name && *path);
    ++*count;
}

static struct ivr_event fuzz_event(uint8_t byte)
{
    static const enum ivr_event_type types[] = {IVR_EV_PLAYED, IVR_EV_TIMER, IVR_EV_FAILED, IVR_EV_RESTORED,
                                                IVR_EV_START,  IVR_EV_TIME,  IVR_EV_HTTP};
    static const char answer[] = "{\"a\":\"12\",\"b\":{\"c\":[1,2.5,true,null]},\"d\":\"\\u00e9\\n$\"}";
    if (byte < 0x80)
        return (struct ivr_event){.type = IVR_EV_KEY, .digit = (char)byte};
    return (struct ivr_event){.type = byte == 0xff ? IVR_EV_DONE : types[byte % (sizeof types / sizeof *types)],
                              .choice = byte % 5 - 1,
                              .status = byte & 8 ? 200 : 0,
                              .body = answer,
                              .body_len = byte & 16 ? sizeof answer - 1 : byte % 32};
}

/* Values that were made of variables stand in the run. */
static bool fuzz_same_prompt(const struct ivr_prompt_ref *a, const struct ivr_prompt_ref *b)
{
    const char *x[SPEAK_KEYS_MAX], *y[SPEAK_KEYS_MAX];
    if (!a->value || !b->value)
        return a->key == b->key && a->value == b->value;
    int n = speak_keys("zh", a->value, x, SPEAK_KEYS_MAX);
    return n == speak_keys("zh", b->value, y, SPEAK_KEYS_MAX) && (n <= 0 || memcmp(x, y, (size_t)n * sizeof *x) == 0);
}

static bool fuzz_same_prompts(const struct ivr_action *a, const struct ivr_action *b)
{
    if (a->n_prompts != b->n_prompts || a->n_prompts > IVR_PROMPTS_MAX)
        return false;
    for (unsigned i = 0; i < a->n_prompts; i++)
        if (!fuzz_same_prompt(&a->prompts[i], &b->prompts[i]))
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
    char state[IVR_STATE_MAX], variables[IVR_VARIABLES_TEXT_MAX];
    struct ivr_setup setup = fuzz_setup(f, NULL, ivr_run_variable(r, "queue", NULL));
    struct ivr_run *moved = NULL;
    assert(ivr_save(r, state, sizeof state) == 0);
    assert(ivr_run_variables(r, variables, sizeof variables) == 0);
    assert(ivr_restore(&setup, state, variables, &moved) == 0);
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
        struct ivr_request q;
        if (n_a && a[n_a - 1].type == IVR_ACT_HTTP && ivr_run_request(kept, NULL, NULL, &q) == 0)
            ivr_request_free(&q);
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
    struct ivr_setup setup = fuzz_setup(f, NULL, NULL);
    int rc = ivr_restore(&setup, state, NULL, &kept);
    assert(rc == 0 || rc == ERR_INVAL || rc == ERR_NOTFOUND);
    if (rc)
        return;
    assert(ivr_restore(&setup, state, NULL, &moved) == 0);
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
    fuzz_flow = f;
    rc = ivr_flow_check(f, (const char *)data, flow_len, &info);
    assert(rc == 0 || (info.code == rc && info.text[0] && utf8_valid(info.text)));
    ivr_flow_references(f, fuzz_name, &names);
    assert(names >= 1 && *ivr_flow_name(f));
    const uint8_t *state = cut ? cut + 1 : data + size, *end = data + size;
    const uint8_t *state_end = memchr(state, 0, (size_t)(end - state));
    const uint8_t *events = state_end ? state_end + 1 : usual;
    size_t n_events = state_end ? (size_t)(end - events) : sizeof usual;
    if (state_end)
        fuzz_both_from_state(f, (const char *)state, events, n_events);
    struct ivr_run *kept = NULL, *moved = NULL;
    struct ivr_setup setup = fuzz_setup(f, "en", NULL);
    assert(ivr_run_new(&setup, &kept) == 0 && ivr_run_new(&setup, &moved) == 0);
    struct ivr_event start = {.type = IVR_EV_START};
    static struct ivr_action a[IVR_ACTIONS_MAX], b[IVR_ACTIONS_MAX];
    unsigned n_a = ivr_step(kept, &start, a), n_b = ivr_step(moved, &start, b);
    fuzz_same(a, n_a, b, n_b);
    for (unsigned k = 0; k < n_a; k++)
        fuzz_spoken(&a[k], ivr_run_language(kept));
    if (n_a && a[n_a - 1].type == IVR_ACT_HANGUP)
        n_events = 0;
    fuzz_run(f, kept, moved, events, n_events);
    fuzz_flow = NULL;
    ivr_flow_unref(f);
    return 0;
}
