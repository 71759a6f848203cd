/* Configuration objects between JSON (as clients write it) and protobuf (as it is stored). */
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/mem.h"
#include "core/config_json.h"
#include "telephony/ivr.h"

/* In the order in which a document is applied: what others refer to comes first. */
const struct api_kind api_kinds[API_KINDS] = {
    {"parameter", "parameters", "parameters", "name", EV__CONFIG_OBJECT__OBJECT_PARAMETER},
    {"secret", "secrets", "secrets", "name", EV__CONFIG_OBJECT__OBJECT_SECRET},
    {"lookup", "lookups", "lookups", "name", EV__CONFIG_OBJECT__OBJECT_LOOKUP},
    {"extension", "extensions", "extensions", "number", EV__CONFIG_OBJECT__OBJECT_EXTENSION},
    {"agent", "agents", "agents", "number", EV__CONFIG_OBJECT__OBJECT_AGENT},
    {"agent_state", "agent_states", "agent-states", "name", EV__CONFIG_OBJECT__OBJECT_AGENT_STATE},
    {"agent_group", "agent_groups", "agent-groups", "name", EV__CONFIG_OBJECT__OBJECT_AGENT_GROUP},
    {"queue", "queues", "queues", "name", EV__CONFIG_OBJECT__OBJECT_QUEUE},
    {"trunk", "trunks", "trunks", "name", EV__CONFIG_OBJECT__OBJECT_TRUNK},
    {"network", "networks", "networks", "name", EV__CONFIG_OBJECT__OBJECT_NETWORK},
    {"prompt", "prompts", "prompts", "name", EV__CONFIG_OBJECT__OBJECT_PROMPT},
    {"area", "areas", "areas", "name", EV__CONFIG_OBJECT__OBJECT_AREA},
    {"notice", "notices", "notices", "name", EV__CONFIG_OBJECT__OBJECT_NOTICE},
    {"recording_rule", "recording_rules", "recording-rules", "name", EV__CONFIG_OBJECT__OBJECT_RECORDING_RULE},
    {"mailbox", "mailboxes", "mailboxes", "name", EV__CONFIG_OBJECT__OBJECT_MAILBOX},
    {"flow", "flows", "flows", "name", EV__CONFIG_OBJECT__OBJECT_FLOW},
    {"flow_draft", "flow_drafts", "flow-drafts", "name", EV__CONFIG_OBJECT__OBJECT_FLOW_DRAFT},
    {"holiday_list", "holiday_lists", "holiday-lists", "name", EV__CONFIG_OBJECT__OBJECT_HOLIDAY_LIST},
    {"time_group", "time_groups", "time-groups", "name", EV__CONFIG_OBJECT__OBJECT_TIME_GROUP},
    {"access_number", "access_numbers", "access-numbers", "number", EV__CONFIG_OBJECT__OBJECT_ACCESS_NUMBER},
    {"forward", "forwards", "forwards", "name", EV__CONFIG_OBJECT__OBJECT_FORWARD},
    {"blacklist", "blacklist", "blacklist", "number", EV__CONFIG_OBJECT__OBJECT_BLACKLIST},
    {"vip", "vips", "vips", "entry", EV__CONFIG_OBJECT__OBJECT_VIP},
    {"token", "tokens", "tokens", "name", EV__CONFIG_OBJECT__OBJECT_TOKEN},
};

const struct api_kind *api_kind_of(const char *kind)
{
    for (size_t i = 0; i < API_KINDS; i++)
        if (strcmp(api_kinds[i].kind, kind) == 0)
            return &api_kinds[i];
    return NULL;
}

const char *api_object_key(const Ev__ConfigObject *o)
{
    enum cfg_kind kind = CFG_NONE;
    const ProtobufCMessage *m = config_object(o, &kind);
    const char *key = m ? config_key(kind, m) : NULL;
    return key ? key : "";
}

json_t *api_object_json(const Ev__ConfigObject *o, bool mask)
{
    enum cfg_kind kind = CFG_NONE;
    const ProtobufCMessage *m = config_object(o, &kind);
    return m ? config_to_json(kind, m, mask) : NULL;
}

static uint8_t *packed(const ProtobufCMessage *m, size_t *len)
{
    *len = protobuf_c_message_get_packed_size(m);
    uint8_t *p = malloc(*len + 1);
    if (p)
        (void)protobuf_c_message_pack(m, p);
    return p;
}

static bool same_message(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t na, nb;
    uint8_t *pa = packed(a, &na), *pb = packed(b, &nb);
    bool same = pa && pb && na == nb && memcmp(pa, pb, na) == 0;
    free(pa);
    free(pb);
    return same;
}

/* What the field will be: a secret that is not given stays, "-" removes it. */
static char *secret_after(char *now, char *before)
{
    if (!now[0])
        return before;
    return strcmp(now, "-") == 0 ? (char *)(uintptr_t)protobuf_c_empty_string : now;
}

bool api_object_equal(const Ev__ConfigObject *now, const Ev__ConfigObject *before)
{
    if (now->object_case != before->object_case)
        return false;
    if (now->object_case == EV__CONFIG_OBJECT__OBJECT_EXTENSION) {
        Ev__Extension x = *now->extension;
        x.ha1_md5 = secret_after(x.ha1_md5, before->extension->ha1_md5);
        x.ha1_sha256 = secret_after(x.ha1_sha256, before->extension->ha1_sha256);
        return same_message(&x.base, &before->extension->base);
    }
    if (now->object_case == EV__CONFIG_OBJECT__OBJECT_TOKEN) {
        Ev__Token x = *now->token;
        x.sha256 = secret_after(x.sha256, before->token->sha256);
        return same_message(&x.base, &before->token->base);
    }
    if (now->object_case == EV__CONFIG_OBJECT__OBJECT_SECRET) {
        Ev__Secret x = *now->secret;
        x.value = x.value[0] ? x.value : before->secret->value;
        return same_message(&x.base, &before->secret->base);
    }
    if (now->object_case == EV__CONFIG_OBJECT__OBJECT_FLOW) {
        Ev__Flow x = *now->flow; /* a text that stays keeps its note */
        x.note = x.note[0] ? x.note : before->flow->note;
        return same_message(&x.base, &before->flow->base);
    }
    if (now->object_case == EV__CONFIG_OBJECT__OBJECT_FLOW_DRAFT) {
        Ev__FlowDraft x = *now->flow_draft;
        x.based_on = x.based_on ? x.based_on : before->flow_draft->based_on;
        return same_message(&x.base, &before->flow_draft->base);
    }
    enum cfg_kind kind;
    return same_message(config_object(now, &kind), config_object(before, &kind));
}

/* ---- as it is stored */

struct stored {
    enum cfg_kind kind;
    api_stored_fn *fn;
    void *ctx;
    int err;
};

static int each_stored(void *ctx, const struct storage_row *row)
{
    struct stored *s = ctx;
    size_t len;
    const void *body = storage_row_blob(row, 2, &len);
    ProtobufCMessage *m = protobuf_c_message_unpack(config_descriptor(s->kind), NULL, len, body);
    Ev__ConfigObject *o = m ? config_wrap(s->kind, m) : NULL;
    if (!o)
        return ERR_NOMEM;
    s->err = s->fn(s->ctx, storage_row_text(row, 0), storage_row_int(row, 1), o);
    ev__config_object__free_unpacked(o, NULL);
    return s->err;
}

int api_stored_all(struct api_server *s, const char *kind, api_stored_fn *fn, void *ctx)
{
    struct stored st = {.kind = config_kind(kind), .fn = fn, .ctx = ctx};
    struct storage_val v = storage_int(st.kind);
    return storage_reader_query(s->reader, "SELECT name, version, body FROM config WHERE kind=? ORDER BY name", &v, 1,
                                each_stored, &st);
}

struct one {
    const char *name;
    Ev__ConfigObject *o;
    uint64_t version;
};

static int take_one(void *ctx, const struct storage_row *row)
{
    struct one *one = ctx;
    enum cfg_kind kind = (enum cfg_kind)storage_row_int(row, 0);
    size_t len;
    const void *body = storage_row_blob(row, 2, &len);
    ProtobufCMessage *m = protobuf_c_message_unpack(config_descriptor(kind), NULL, len, body);
    one->version = storage_row_int(row, 1);
    one->o = m ? config_wrap(kind, m) : NULL;
    return one->o ? 0 : ERR_NOMEM;
}

int api_stored(struct api_server *s, const char *kind, const char *name, Ev__ConfigObject **out, uint64_t *version)
{
    struct one one = {.name = name};
    struct storage_val v[2] = {storage_int(config_kind(kind)), storage_text(name)};
    int err = storage_reader_query(s->reader, "SELECT kind, version, body FROM config WHERE kind=? AND name=?", v, 2,
                                   take_one, &one);
    if (err)
        return err;
    if (!one.o)
        return ERR_NOTFOUND;
    *out = one.o;
    *version = one.version;
    return 0;
}

/* ---- from JSON */

/* A token that people choose must not be guessable, and must fit into a header. */
static int check_token(const json_t *json, struct err_info *info)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    const json_t *v = json_object_get(json, "token");
    const char *text = json_string_value(v);
    size_t len = json_string_length(v);
    const char *name = json_string_value(json_object_get(json, "name"));
    if (name && strcmp(name, "admin") == 0) /* one name in the audit trail for two tokens would say nothing */
        return err_set(info, ERR_INVAL, "name", "is that of the token of the node files: take another one");
    if (v && json_object_get(json, "sha256"))
        return err_set(info, ERR_INVAL, "token", "give token or sha256, not both");
    if (v && (!text || len < 16 || len > API_TOKEN_MAX || strspn(text, good) != len))
        return err_set(info, ERR_INVAL, "token",
                       "must be 16 to %u of the characters A-Z a-z 0-9 - . _ ~ + / =", API_TOKEN_MAX);
    return 0;
}

static int check_flow(const Ev__Flow *flow, struct err_info *info)
{
    struct ivr_flow *f = NULL;
    struct err_info at = {.code = 0};
    int err = ivr_flow_parse(flow->definition, strlen(flow->definition), &f, &at);
    if (!err)
        err = ivr_flow_check(f, flow->definition, strlen(flow->definition), &at);
    if (err) {
        char field[ERR_INFO_FIELD_MAX];
        snprintf(field, sizeof field, "definition%s%.100s", at.field[0] ? "." : "", at.field);
        ivr_flow_unref(f);
        return err_set(info, err, field, "%s", at.text);
    }
    ivr_flow_unref(f);
    return 0;
}

/* The name of a flow is its key: in the definition it may be left out, and may not differ. */
static int name_flow(json_t *json, struct err_info *info)
{
    json_t *def = json_object_get(json, "definition");
    json_t *name = json_object_get(json, "name");
    if (!json_is_object(def) || !json_is_string(name))
        return 0; /* refused with its field further on */
    json_t *inner = json_object_get(def, "name");
    if (inner && !json_equal(inner, name))
        return err_set(info, ERR_INVAL, "definition.name", "must be left out or be \"%s\"", json_string_value(name));
    if (inner)
        return 0;
    json_t *copy = json_copy(def);
    if (!copy || json_object_set(copy, "name", name) != 0) {
        json_decref(copy);
        return ERR_NOMEM;
    }
    return json_object_set_new(json, "definition", copy) ? ERR_NOMEM : 0;
}

int api_object_read(const char *realm, const struct api_kind *k, const json_t *source, Ev__ConfigObject **out,
                    struct err_info *info)
{
    if (!json_is_object(source))
        return err_set(info, ERR_INVAL, "", "must be an object");
    json_t *json = json_copy((json_t *)(uintptr_t)source);
    if (!json)
        return ERR_NOMEM;
    int err = 0;
    if (k->which == EV__CONFIG_OBJECT__OBJECT_TOKEN)
        err = check_token(json, info);
    if (!err && (k->which == EV__CONFIG_OBJECT__OBJECT_FLOW || k->which == EV__CONFIG_OBJECT__OBJECT_FLOW_DRAFT))
        err = name_flow(json, info);
    if (!err && k->which == EV__CONFIG_OBJECT__OBJECT_TIME_GROUP)
        err = api_time_group_zone(json, info);
    if (!err && k->which == EV__CONFIG_OBJECT__OBJECT_NOTICE && json_string_length(json_object_get(json, "zone")))
        err = api_time_group_zone(json, info);
    Ev__ConfigObject *o = NULL;
    if (!err)
        err = view_config_from_json(k->kind, json, realm, &o, info);
    json_decref(json);
    if (!err && k->which == EV__CONFIG_OBJECT__OBJECT_FLOW)
        err = check_flow(o->flow, info);
    if (err) {
        if (o)
            ev__config_object__free_unpacked(o, NULL);
        if (err == ERR_NOMEM)
            err_set(info, err, "", "%s", err_text(err));
        return err;
    }
    *out = o;
    return 0;
}
