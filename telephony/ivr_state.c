/* A run as text, and back.
 *
 * Of a flow with nothing that came with feature level 3, so that older programs can go on with it:
 *     "1 PHASE LANGUAGE NODE FAILURES DIGITS STACK": fields between single spaces, "-" for nothing, stack with commas.
 * Of others JSON: {"v":2, "phase", "failures", "walked", "asked", "digits", "secret": {variables},
 *                  "frames": [{"node", "language", "menus", and but for the first "flow", "version"}]}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/ivr_int.h"

static const char ivr_phase_letters[] = "ipwbe";

/* ---- saving */

static int ivr_save_plain(const struct ivr_run *r, char *out, size_t size)
{
    const struct ivr_frame *f = &r->frames[0];
    int n = snprintf(out, size, "1 %c %s %s %u %s ", ivr_phase_letters[r->phase], ivr_run_language(r), ivr_run_node(r),
                     r->failures, r->digits[0] ? r->digits : "-");
    size_t at = n > 0 ? (size_t)n : 0;
    for (unsigned i = 0; i < f->depth && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "", f->flow->nodes[f->stack[i]].name);
    if (f->depth == 0 && at < size)
        at += (size_t)snprintf(out + at, size - at, "-");
    return at < size ? 0 : ERR_TOOBIG;
}

static json_t *ivr_frame_json(const struct ivr_frame *f, bool first)
{
    json_t *menus = json_array();
    for (unsigned i = 0; i < f->depth; i++)
        if (json_array_append_new(menus, json_string(f->flow->nodes[f->stack[i]].name)) != 0)
            goto fail;
    json_t *o = json_pack("{s:s, s:s, s:O}", "node", f->flow->nodes[f->node].name, "language",
                          f->flow->languages[f->language], "menus", menus);
    json_decref(menus);
    if (!first && (json_object_set_new(o, "flow", json_string(ivr_flow_name(f->flow))) != 0 ||
                   json_object_set_new(o, "version", json_integer((json_int_t)f->version)) != 0)) {
        json_decref(o);
        return NULL;
    }
    return o;
fail:
    json_decref(menus);
    return NULL;
}

static int ivr_dump(json_t *o, char *out, size_t size)
{
    if (!o)
        return ERR_NOMEM;
    size_t n = json_dumpb(o, out, size, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    if (n == 0)
        return ERR_NOMEM;
    if (n >= size)
        return ERR_TOOBIG;
    out[n] = '\0';
    return 0;
}

int ivr_save(const struct ivr_run *r, char *out, size_t size)
{
    if (size == 0)
        return ERR_TOOBIG;
    if (r->frames[0].flow->plain)
        return ivr_save_plain(r, out, size);
    char phase[2] = {ivr_phase_letters[r->phase], '\0'};
    json_t *frames = json_array();
    for (unsigned i = 0; frames && i < r->n_frames; i++)
        if (json_array_append_new(frames, ivr_frame_json(&r->frames[i], i == 0)) != 0)
            frames = (json_decref(frames), NULL);
    json_t *secret = ivr_vars_json(&r->vars, true), *o = NULL;
    if (frames && secret)
        o = json_pack("{s:i, s:s, s:i, s:i, s:i, s:s, s:O, s:O}", "v", 2, "phase", phase, "failures", (int)r->failures,
                      "walked", (int)r->walked, "asked", (int)r->asked, "digits", r->digits, "secret", secret, "frames",
                      frames);
    json_decref(secret);
    json_decref(frames);
    return ivr_dump(o, out, size);
}

int ivr_run_variables(const struct ivr_run *r, char *out, size_t size)
{
    if (size == 0)
        return ERR_TOOBIG;
    out[0] = '\0';
    json_t *o = ivr_vars_json(&r->vars, false);
    if (o && json_object_size(o) == 0) {
        json_decref(o);
        return 0;
    }
    return ivr_dump(o, out, size);
}

/* ---- restoring */

/* A menu of the way back: known, a menu, and there once. */
static int ivr_restore_menu(struct ivr_frame *f, const char *name)
{
    int at = name ? ivr_flow_find(f->flow, name) : IVR_NONE;
    if (at == IVR_NONE)
        return ERR_NOTFOUND;
    if (f->depth == IVR_DEPTH_MAX || f->flow->nodes[at].type != IVR_NODE_MENU)
        return ERR_INVAL;
    for (unsigned i = 0; i < f->depth; i++)
        if (f->stack[i] == at)
            return ERR_INVAL;
    f->stack[f->depth++] = at;
    return 0;
}

static int ivr_restore_place(struct ivr_frame *f, const char *node, const char *language)
{
    int at = ivr_flow_find(f->flow, node), spoken = ivr_flow_language(f->flow, language);
    if (at == IVR_NONE || spoken == IVR_NONE)
        return ERR_NOTFOUND;
    f->node = at;
    f->language = (unsigned)spoken;
    return 0;
}

static bool ivr_restore_phase(struct ivr_run *r, const char *letter)
{
    const char *phase = letter && strlen(letter) == 1 ? strchr(ivr_phase_letters, letter[0]) : NULL;
    if (phase)
        r->phase = (enum ivr_phase)(phase - ivr_phase_letters);
    return phase != NULL;
}

/* Whether the digits are some that the node, waiting, can have taken and wants more after. */
static bool ivr_digits_fit(const struct ivr_run *r)
{
    const struct ivr_node *n = ivr_present(r);
    size_t len = strlen(r->digits);
    bool longer = true;
    if (len == 0)
        return true;
    if (r->phase != IVR_WAITING || strspn(r->digits, "0123456789*#") != len)
        return false;
    if (n->type == IVR_NODE_COLLECT)
        return len < n->collect.most && !(n->collect.terminator && strchr(r->digits, n->collect.terminator));
    ivr_menu_match(n, r->digits, &longer);
    return n->type == IVR_NODE_MENU && longer;
}

/* Whether the parts fit together, so that a state from elsewhere can do no more than one of our own. */
static bool ivr_state_ok(const struct ivr_run *r)
{
    const struct ivr_node *n = ivr_present(r);
    const struct ivr_frame *f = &r->frames[r->n_frames - 1];
    unsigned traits = ivr_kind_of(n)->traits;
    bool input = (traits & IVR_CAN_WAIT) != 0;
    if (n->type == IVR_NODE_MENU && r->phase != IVR_IDLE && ivr_back(r) != f->node)
        return false;
    if (!ivr_digits_fit(r) || (!input && !ivr_records(n) && r->failures))
        return false;
    if (ivr_records(n) && !ivr_record_state_ok(r))
        return false;
    switch (r->phase) {
    case IVR_IDLE:
        return r->n_frames == 1 && f->node == f->flow->start && f->depth == 0 && !r->failures;
    case IVR_PLAYING:
        return (traits & IVR_CAN_PLAY) && (n->type != IVR_NODE_HANGUP || n->prompts.n);
    case IVR_WAITING:
        return input || ivr_records(n);
    case IVR_BUSY:
        return (traits & IVR_CAN_ASK) != 0;
    case IVR_ENDED:
        return true;
    }
    return false;
}

static int ivr_restore_plain(struct ivr_run *r, char *text)
{
    char *field[7], *rest = text;
    unsigned n = 0;
    for (char *s; n < 7 && (s = strsep(&rest, " "));)
        field[n++] = s;
    if (n != 7 || rest || strcmp(field[0], "1") != 0 || strlen(field[4]) > 3 ||
        field[4][strspn(field[4], "0123456789")] || strlen(field[5]) > IVR_KEY_MAX || !ivr_restore_phase(r, field[1]))
        return ERR_INVAL;
    int rc = ivr_restore_place(&r->frames[0], field[3], field[2]);
    if (rc)
        return rc;
    r->failures = (unsigned)strtoul(field[4], NULL, 10);
    if (strcmp(field[5], "-") != 0)
        snprintf(r->digits, sizeof r->digits, "%s", field[5]);
    bool none = strcmp(field[6], "-") == 0;
    rest = field[6];
    for (char *name; !rc && !none && (name = strsep(&rest, ","));)
        rc = ivr_restore_menu(&r->frames[0], name);
    return rc;
}

/* `o`: a frame; not the first one has a flow to be got. */
static int ivr_restore_frame(struct ivr_run *r, json_t *o, bool first)
{
    const char *node, *language, *name = NULL;
    json_int_t version = 0;
    json_t *menus, *menu;
    size_t i;
    if (json_unpack(o, "{s:s, s:s, s:o, s?s, s?I}", "node", &node, "language", &language, "menus", &menus, "flow",
                    &name, "version", &version) != 0 ||
        !json_is_array(menus) || version < 0 || !name != first)
        return ERR_INVAL;
    struct ivr_frame *f = &r->frames[first ? 0 : r->n_frames];
    if (!first) {
        const struct ivr_node *caller = ivr_present(r);
        if (r->n_frames > IVR_CALLS_MAX || caller->type != IVR_NODE_FLOW || strcmp(caller->target, name) != 0)
            return ERR_INVAL;
        *f = (struct ivr_frame){.version = (uint64_t)version};
        f->flow = r->flows ? r->flows->get(r->flows->ctx, name, &f->version) : NULL;
        if (!f->flow)
            return ERR_NOTFOUND;
        r->n_frames++;
    }
    int rc = ivr_restore_place(f, node, language);
    json_array_foreach(menus, i, menu)
    {
        if (!rc)
            rc = ivr_restore_menu(f, json_string_value(menu));
    }
    return rc;
}

static bool ivr_small(json_int_t v)
{
    return v >= 0 && v < 1000000;
}

static int ivr_restore_json(struct ivr_run *r, const char *text)
{
    const char *phase, *digits;
    json_int_t v, failures, walked, asked;
    json_t *secret, *frames, *frame, *o = json_loads(text, 0, NULL);
    size_t i;
    int rc = ERR_INVAL;
    if (json_unpack(o, "{s:I, s:s, s:I, s:I, s:I, s:s, s:o, s:o!}", "v", &v, "phase", &phase, "failures", &failures,
                    "walked", &walked, "asked", &asked, "digits", &digits, "secret", &secret, "frames", &frames) == 0 &&
        v == 2 && ivr_restore_phase(r, phase) && ivr_small(failures) && ivr_small(walked) && ivr_small(asked) &&
        strlen(digits) <= IVR_DIGITS_MAX && json_array_size(frames) > 0 && ivr_vars_load(&r->vars, secret, true)) {
        rc = 0;
        r->failures = (unsigned)failures;
        r->walked = (unsigned)walked;
        r->asked = (unsigned)asked;
        snprintf(r->digits, sizeof r->digits, "%s", digits);
        json_array_foreach(frames, i, frame)
        {
            if (!rc)
                rc = ivr_restore_frame(r, frame, i == 0);
        }
    }
    json_decref(o);
    return rc;
}

static int ivr_restore_variables(struct ivr_run *r, const char *variables)
{
    if (!variables || !variables[0])
        return 0;
    json_t *o = json_loads(variables, 0, NULL);
    bool good = ivr_vars_load(&r->vars, o, false);
    json_decref(o);
    return good ? 0 : ERR_INVAL;
}

int ivr_restore(const struct ivr_setup *setup, const char *state, const char *variables, struct ivr_run **out)
{
    if (strlen(state) >= IVR_STATE_MAX)
        return ERR_INVAL;
    char *text = strdup(state);
    struct ivr_run *r = NULL;
    int rc = text ? ivr_run_new(setup, &r) : ERR_NOMEM;
    if (!rc) {
        memset(&r->vars, 0, sizeof r->vars); /* what was declared is among what was saved */
        rc = ivr_restore_variables(r, variables);
    }
    if (!rc)
        rc = text[0] == '{' ? ivr_restore_json(r, text) : ivr_restore_plain(r, text);
    if (!rc && !ivr_state_ok(r))
        rc = ERR_INVAL;
    if (!rc)
        ivr_declare(r, setup->flow);
    free(text);
    if (rc)
        ivr_run_free(r);
    else
        *out = r;
    return rc;
}
