/* Walking configuration objects by their descriptors. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/action.h"
#include "core/config_json.h"
#include "core/view.h"

#define PATH_MAX_BYTES ERR_INFO_FIELD_MAX

/* By enum cfg_kind. `wrap` is the field of ConfigObject. */
static const struct {
    const char *name;
    const ProtobufCMessageDescriptor *descriptor;
    Ev__ConfigObject__ObjectCase wrap;
} kinds[CFG_KINDS] = {
    [CFG_EXTENSION] = {"extension", &ev__extension__descriptor, EV__CONFIG_OBJECT__OBJECT_EXTENSION},
    [CFG_AGENT] = {"agent", &ev__agent__descriptor, EV__CONFIG_OBJECT__OBJECT_AGENT},
    [CFG_QUEUE] = {"queue", &ev__queue__descriptor, EV__CONFIG_OBJECT__OBJECT_QUEUE},
    [CFG_TRUNK] = {"trunk", &ev__trunk__descriptor, EV__CONFIG_OBJECT__OBJECT_TRUNK},
    [CFG_ACCESS_NUMBER] = {"access_number", &ev__access_number__descriptor, EV__CONFIG_OBJECT__OBJECT_ACCESS_NUMBER},
    [CFG_FLOW] = {"flow", &ev__flow__descriptor, EV__CONFIG_OBJECT__OBJECT_FLOW},
    [CFG_PARAMETER] = {"parameter", &ev__parameter__descriptor, EV__CONFIG_OBJECT__OBJECT_PARAMETER},
    [CFG_TOKEN] = {"token", &ev__token__descriptor, EV__CONFIG_OBJECT__OBJECT_TOKEN},
    [CFG_NETWORK] = {"network", &ev__network__descriptor, EV__CONFIG_OBJECT__OBJECT_NETWORK},
    [CFG_TIME_GROUP] = {"time_group", &ev__time_group__descriptor, EV__CONFIG_OBJECT__OBJECT_TIME_GROUP},
    [CFG_HOLIDAY_LIST] = {"holiday_list", &ev__holiday_list__descriptor, EV__CONFIG_OBJECT__OBJECT_HOLIDAY_LIST},
    [CFG_PROMPT] = {"prompt", &ev__prompt__descriptor, EV__CONFIG_OBJECT__OBJECT_PROMPT},
    [CFG_AGENT_STATE] = {"agent_state", &ev__agent_state__descriptor, EV__CONFIG_OBJECT__OBJECT_AGENT_STATE},
    [CFG_AGENT_GROUP] = {"agent_group", &ev__agent_group__descriptor, EV__CONFIG_OBJECT__OBJECT_AGENT_GROUP},
    [CFG_BLACKLIST] = {"blacklist", &ev__blacklist_entry__descriptor, EV__CONFIG_OBJECT__OBJECT_BLACKLIST},
    [CFG_VIP] = {"vip", &ev__vip_entry__descriptor, EV__CONFIG_OBJECT__OBJECT_VIP},
    [CFG_SECRET] = {"secret", &ev__secret__descriptor, EV__CONFIG_OBJECT__OBJECT_SECRET},
    [CFG_FLOW_DRAFT] = {"flow_draft", &ev__flow_draft__descriptor, EV__CONFIG_OBJECT__OBJECT_FLOW_DRAFT},
    [CFG_LOOKUP] = {"lookup", &ev__lookup__descriptor, EV__CONFIG_OBJECT__OBJECT_LOOKUP},
    [CFG_AREA] = {"area", &ev__area__descriptor, EV__CONFIG_OBJECT__OBJECT_AREA},
    [CFG_NOTICE] = {"notice", &ev__notice__descriptor, EV__CONFIG_OBJECT__OBJECT_NOTICE},
    [CFG_RECORDING_RULE] = {"recording_rule", &ev__recording_rule__descriptor,
                            EV__CONFIG_OBJECT__OBJECT_RECORDING_RULE},
    [CFG_MAILBOX] = {"mailbox", &ev__mailbox__descriptor, EV__CONFIG_OBJECT__OBJECT_MAILBOX},
    [CFG_FORWARD] = {"forward", &ev__forward__descriptor, EV__CONFIG_OBJECT__OBJECT_FORWARD},
};

enum cfg_kind config_kind(const char *name)
{
    for (int i = CFG_EXTENSION; i < CFG_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return (enum cfg_kind)i;
    }
    return CFG_NONE;
}

const char *config_kind_name(enum cfg_kind kind)
{
    return kind > CFG_NONE && kind < CFG_KINDS ? kinds[kind].name : "";
}

const ProtobufCMessageDescriptor *config_descriptor(enum cfg_kind kind)
{
    return kinds[kind].descriptor;
}

ProtobufCMessage *config_object(const Ev__ConfigObject *o, enum cfg_kind *kind)
{
    for (int i = CFG_EXTENSION; i < CFG_KINDS; i++) {
        if (kinds[i].wrap == o->object_case) {
            *kind = (enum cfg_kind)i;
            return (ProtobufCMessage *)o->extension; /* all members of the union are pointers to messages */
        }
    }
    *kind = CFG_NONE;
    return NULL;
}

Ev__ConfigObject *config_wrap(enum cfg_kind kind, ProtobufCMessage *msg)
{
    Ev__ConfigObject *o = malloc(sizeof *o);
    if (!o) {
        protobuf_c_message_free_unpacked(msg, NULL);
        return NULL;
    }
    ev__config_object__init(o);
    o->object_case = kinds[kind].wrap;
    o->extension = (Ev__Extension *)(void *)msg;
    return o;
}

/* ---- fields */

static void *at(const ProtobufCMessage *m, unsigned offset)
{
    return (char *)(uintptr_t)m + offset;
}

static char **text_at(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return at(m, f->offset);
}

static ProtobufCMessage **message_at(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return at(m, f->offset);
}

static size_t count_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return *(size_t *)at(m, f->quantifier_offset);
}

const char *config_key(enum cfg_kind kind, const ProtobufCMessage *msg)
{
    return *text_at(msg, &kinds[kind].descriptor->fields[0]);
}

static void path_of(char out[PATH_MAX_BYTES], const char *prefix, const char *name)
{
    (void)snprintf(out, PATH_MAX_BYTES, "%s%s%s", prefix, prefix[0] ? "." : "", name);
}

static void path_item(char out[PATH_MAX_BYTES], const char *prefix, size_t i)
{
    (void)snprintf(out, PATH_MAX_BYTES, "%.100s[%zu]", prefix, i);
}

static const struct config_rule *item_rule(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s[]", f->name);
    return config_rule(d->short_name, name);
}

/* ---- rules */

static int check_message(const ProtobufCMessage *m, const char *prefix, struct err_info *info);

static int check_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const struct config_rule *r,
                      const char *path, struct err_info *info)
{
    size_t n = count_of(m, f);
    if (n > r->max)
        return err_set(info, ERR_TOOBIG, path, "at most %u entries", r->max);
    int err = 0;
    for (size_t i = 0; i < n && !err; i++) {
        char item[PATH_MAX_BYTES];
        path_item(item, path, i);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            err = check_message((*(ProtobufCMessage ***)at(m, f->offset))[i], item, info);
        else
            err = config_check_text(item_rule(m->descriptor, f), (*(char ***)at(m, f->offset))[i], item, info);
    }
    return err;
}

static int check_message(const ProtobufCMessage *m, const char *prefix, struct err_info *info)
{
    int err = 0;
    for (unsigned i = 0; i < m->descriptor->n_fields && !err; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const struct config_rule *r = config_rule(m->descriptor->short_name, f->name);
        char path[PATH_MAX_BYTES];
        path_of(path, prefix, f->name);
        if (!r)
            return err_set(info, ERR_UNSUPPORTED, path, "no rule for this field");
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            err = check_list(m, f, r, path, info);
        } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            const ProtobufCMessage *inner = *message_at(m, f);
            err = inner ? check_message(inner, path, info) : 0;
        } else if (f->type == PROTOBUF_C_TYPE_STRING) {
            err = config_check_text(r, *text_at(m, f), path, info);
        } else if (f->type == PROTOBUF_C_TYPE_UINT32) {
            uint32_t v = *(uint32_t *)at(m, f->offset);
            if (v < r->min || v > r->max)
                err = err_set(info, ERR_RANGE, path, "must be %u to %u", r->min, r->max);
        }
    }
    if (!err && m->descriptor == &ev__action__descriptor)
        err = action_check((const Ev__Action *)(const void *)m, prefix, info);
    return err;
}

int config_check(enum cfg_kind kind, const ProtobufCMessage *msg, struct err_info *info)
{
    int err = check_message(msg, "", info);
    return err ? err : config_check_object(kind, msg, info);
}

static int message_defaults(ProtobufCMessage *msg)
{
    const ProtobufCMessageDescriptor *d = msg->descriptor;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const struct config_rule *r = config_rule(d->short_name, f->name);
        if (r && f->label == PROTOBUF_C_LABEL_REPEATED) {
            for (size_t k = 0; f->type == PROTOBUF_C_TYPE_MESSAGE && k < count_of(msg, f); k++) {
                if (message_defaults((*(ProtobufCMessage ***)at(msg, f->offset))[k]) != 0)
                    return ERR_NOMEM;
            }
            continue;
        }
        if (!r)
            continue;
        if (r->format == FORMAT_UINT && r->def) {
            uint32_t *v = at(msg, f->offset);
            *v = *v ? *v : r->def;
        } else if (r->format == FORMAT_CHOICE && !(*text_at(msg, f))[0]) {
            size_t n = strcspn(r->choices, "|");
            char *v = n ? strndup(r->choices, n) : NULL;
            if (n && !v)
                return ERR_NOMEM;
            if (v)
                *text_at(msg, f) = v; /* it was the shared empty string */
        }
    }
    return 0;
}

int config_defaults(enum cfg_kind kind, ProtobufCMessage *msg)
{
    (void)kind;
    return message_defaults(msg);
}

/* ---- to JSON */

static json_t *message_json(const ProtobufCMessage *m, bool mask);

static json_t *text_json(const struct config_rule *r, const char *value, bool mask)
{
    if (r && r->secret)
        return mask ? json_string(value[0] ? "***" : "") : NULL;
    if (r && r->format == FORMAT_JSON)
        return json_loads(value, JSON_REJECT_DUPLICATES, NULL);
    return json_string(value);
}

static json_t *list_json(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, bool mask)
{
    json_t *list = json_array();
    size_t n = count_of(m, f);
    for (size_t i = 0; list && i < n; i++) {
        json_t *v = f->type == PROTOBUF_C_TYPE_MESSAGE
                        ? message_json((*(ProtobufCMessage ***)at(m, f->offset))[i], mask)
                        : json_string((*(char ***)at(m, f->offset))[i]);
        if (json_array_append_new(list, v) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *message_json(const ProtobufCMessage *m, bool mask)
{
    json_t *o = json_object();
    for (unsigned i = 0; o && i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const struct config_rule *r = config_rule(m->descriptor->short_name, f->name);
        json_t *v = NULL;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            v = list_json(m, f, mask);
        else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            v = *message_at(m, f) ? message_json(*message_at(m, f), mask) : json_null();
        else if (f->type == PROTOBUF_C_TYPE_STRING)
            v = text_json(r, *text_at(m, f), mask);
        else if (f->type == PROTOBUF_C_TYPE_UINT32)
            v = json_integer(*(uint32_t *)at(m, f->offset));
        else if (f->type == PROTOBUF_C_TYPE_UINT64)
            v = json_integer((json_int_t) * (uint64_t *)at(m, f->offset));
        else if (f->type == PROTOBUF_C_TYPE_BOOL)
            v = json_boolean(*(protobuf_c_boolean *)at(m, f->offset));
        if (!v && r && r->secret && !mask)
            continue;
        if (json_object_set_new(o, f->name, v) != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

json_t *config_to_json(enum cfg_kind kind, const ProtobufCMessage *msg, bool mask)
{
    (void)kind;
    return message_json(msg, mask);
}

/* ---- from JSON */

static int message_from_json(const ProtobufCMessageDescriptor *d, const json_t *o, const char *prefix,
                             ProtobufCMessage **out, struct err_info *info);

static int text_from_json(const struct config_rule *r, const json_t *v, const char *path, char **out,
                          struct err_info *info)
{
    char digits[24];
    const char *s = NULL;
    char *owned = NULL;
    if (json_is_string(v)) {
        s = json_string_value(v);
        if (strlen(s) != json_string_length(v))
            return err_set(info, ERR_INVAL, path, "must not hold a NUL");
    } else if (r->format == FORMAT_NUMBER && json_is_integer(v) && json_integer_value(v) >= 0) {
        /* a telephone number written without quotes */
        (void)snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(v));
        s = digits;
    } else if (r->format == FORMAT_JSON && json_is_object(v)) {
        s = owned = json_dumps(v, JSON_COMPACT);
        if (!s)
            return ERR_NOMEM;
    } else {
        return err_set(info, ERR_INVAL, path, r->format == FORMAT_JSON ? "must be an object" : "must be a string");
    }
    int err = config_check_text(r, s, path, info);
    if (err || !s[0]) {
        free(owned);
        return err;
    }
    char *copy = owned ? owned : strdup(s);
    if (!copy)
        return ERR_NOMEM;
    if (*out && *out != protobuf_c_empty_string)
        free(*out);
    *out = copy;
    return 0;
}

static int list_from_json(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const struct config_rule *r,
                          const json_t *v, const char *path, struct err_info *info)
{
    if (!json_is_array(v))
        return err_set(info, ERR_INVAL, path, "must be a list");
    size_t n = json_array_size(v);
    if (n > r->max)
        return err_set(info, ERR_TOOBIG, path, "at most %u entries", r->max);
    if (n == 0)
        return 0;
    void **items = calloc(n, sizeof *items);
    if (!items)
        return ERR_NOMEM;
    *(void ***)at(m, f->offset) = items;
    int err = 0;
    for (size_t i = 0; i < n && !err; i++) {
        char item[PATH_MAX_BYTES];
        path_item(item, path, i);
        const json_t *e = json_array_get(v, i);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            err = message_from_json(f->descriptor, e, item, (ProtobufCMessage **)&items[i], info);
        } else {
            char *text = NULL;
            err = text_from_json(item_rule(m->descriptor, f), e, item, &text, info);
            if (!err && !text)
                err = err_set(info, ERR_INVAL, item, "must not be empty");
            items[i] = text;
        }
        if (!err)
            *(size_t *)at(m, f->quantifier_offset) = i + 1; /* free_unpacked frees what is counted */
    }
    return err;
}

static int field_from_json(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const json_t *v, const char *path,
                           struct err_info *info)
{
    const struct config_rule *r = config_rule(m->descriptor->short_name, f->name);
    if (!r)
        return err_set(info, ERR_UNSUPPORTED, path, "no rule for this field");
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return list_from_json(m, f, r, v, path, info);
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return message_from_json(f->descriptor, v, path, message_at(m, f), info);
    if (f->type == PROTOBUF_C_TYPE_STRING)
        return text_from_json(r, v, path, text_at(m, f), info);
    if (f->type == PROTOBUF_C_TYPE_BOOL) {
        if (!json_is_boolean(v))
            return err_set(info, ERR_INVAL, path, "must be true or false");
        *(protobuf_c_boolean *)at(m, f->offset) = json_is_true(v);
        return 0;
    }
    if (!json_is_integer(v))
        return err_set(info, ERR_INVAL, path, "must be a whole number");
    json_int_t n = json_integer_value(v);
    if (f->type == PROTOBUF_C_TYPE_UINT64) {
        if (n < 0)
            return err_set(info, ERR_RANGE, path, "must be a whole number from 0 on");
        *(uint64_t *)at(m, f->offset) = (uint64_t)n;
        return 0;
    }
    if (n < (json_int_t)r->min || n > (json_int_t)r->max)
        return err_set(info, ERR_RANGE, path, "must be %u to %u", r->min, r->max);
    *(uint32_t *)at(m, f->offset) = (uint32_t)n;
    return 0;
}

static int message_from_json(const ProtobufCMessageDescriptor *d, const json_t *o, const char *prefix,
                             ProtobufCMessage **out, struct err_info *info)
{
    if (!json_is_object(o))
        return err_set(info, ERR_INVAL, prefix, "must be an object");
    ProtobufCMessage *m = malloc(d->sizeof_message);
    if (!m)
        return ERR_NOMEM;
    protobuf_c_message_init(d, m);
    int err = 0;
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        char path[PATH_MAX_BYTES];
        path_of(path, prefix, key);
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(d, key);
        if (!f)
            err = err_set(info, ERR_INVAL, path, "is not a field of %s", d->short_name);
        else if (!json_is_null(v)) /* null: as if it were not there */
            err = field_from_json(m, f, v, path, info);
        if (err)
            break;
    }
    for (unsigned i = 0; i < d->n_fields && !err; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const struct config_rule *r = config_rule(d->short_name, f->name);
        char path[PATH_MAX_BYTES];
        path_of(path, prefix, f->name);
        if (r && r->required && !r->secret && f->type == PROTOBUF_C_TYPE_STRING && !(*text_at(m, f))[0])
            err = err_set(info, ERR_INVAL, path, "is required");
    }
    if (err) {
        protobuf_c_message_free_unpacked(m, NULL);
        return err;
    }
    *out = m;
    return 0;
}

static int hex_digest(const EVP_MD *md, const char *const *parts, unsigned n, char *out, size_t size)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ok = c && EVP_DigestInit_ex(c, md, NULL) == 1;
    for (unsigned i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(c, parts[i], strlen(parts[i])) == 1;
    ok = ok && EVP_DigestFinal_ex(c, raw, &len) == 1;
    EVP_MD_CTX_free(c);
    if (!ok || size < (size_t)len * 2 + 1)
        return ERR_NOMEM;
    for (unsigned i = 0; i < len; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
    OPENSSL_cleanse(raw, sizeof raw);
    return 0;
}

int config_ha1(bool sha256, const char *user, const char *realm, const char *password, char *out, size_t size)
{
    const char *const parts[] = {user, ":", realm, ":", password};
    return hex_digest(sha256 ? EVP_sha256() : EVP_md5(), parts, 5, out, size);
}

static int replace(char **field, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return ERR_NOMEM;
    if (*field != protobuf_c_empty_string)
        free(*field);
    *field = copy;
    return 0;
}

/* "password" of an extension and "token" of a token: known here only, as what is kept of them. */
static int secret_from_json(enum cfg_kind kind, const json_t *secret, const char *realm, ProtobufCMessage *msg,
                            struct err_info *info)
{
    const char *field = kind == CFG_EXTENSION ? "password" : "token";
    bool none = json_is_null(secret) || (json_is_string(secret) && json_string_length(secret) == 0);
    const char *text = json_string_value(secret);
    if (!none && !text)
        return err_set(info, ERR_INVAL, field, "must be a string");
    if (!none && (json_string_length(secret) > 256 || strlen(text) != json_string_length(secret)))
        return err_set(info, ERR_TOOBIG, field, "at most 256 bytes, without NUL");
    char md5[33] = "-", sha[65] = "-";
    if (kind == CFG_TOKEN) {
        if (none)
            return err_set(info, ERR_INVAL, field, "must not be empty");
        int err = hex_digest(EVP_sha256(), &text, 1, sha, sizeof sha);
        return err ? err : replace(&((Ev__Token *)(void *)msg)->sha256, sha);
    }
    Ev__Extension *x = (Ev__Extension *)(void *)msg;
    int err = none ? 0 : config_ha1(false, x->number, realm, text, md5, sizeof md5);
    if (!err && !none)
        err = config_ha1(true, x->number, realm, text, sha, sizeof sha);
    if (!err)
        err = replace(&x->ha1_md5, md5);
    return err ? err : replace(&x->ha1_sha256, sha);
}

int config_from_json(enum cfg_kind kind, const json_t *object, const char *realm, ProtobufCMessage **out,
                     struct err_info *info)
{
    const char *field = kind == CFG_EXTENSION ? "password" : kind == CFG_TOKEN ? "token" : NULL;
    json_t *secret = field ? json_object_get(object, field) : NULL;
    json_t *rest = NULL;
    if (secret) {
        rest = json_copy((json_t *)(uintptr_t)object);
        if (!rest)
            return ERR_NOMEM;
        (void)json_object_del(rest, field);
    }
    ProtobufCMessage *m = NULL;
    int err = message_from_json(kinds[kind].descriptor, rest ? rest : object, "", &m, info);
    json_decref(rest);
    if (!err && secret)
        err = secret_from_json(kind, secret, realm, m, info);
    if (!err)
        err = config_defaults(kind, m);
    if (!err) {
        struct err_info local = {0};
        err = config_check(kind, m, &local);
        /* What is secret of an object that exists may be left out: apply knows whether it does. */
        if (err && kind == CFG_TOKEN && strcmp(local.field, "sha256") == 0 && !((Ev__Token *)(void *)m)->sha256[0])
            err = 0;
        else if (err && kind == CFG_SECRET && strcmp(local.field, "value") == 0 && !((Ev__Secret *)(void *)m)->value[0])
            err = 0;
        else if (err && info)
            *info = local;
    }
    if (err) {
        if (m)
            protobuf_c_message_free_unpacked(m, NULL);
        return err;
    }
    *out = m;
    return 0;
}

int view_config_from_json(const char *kind, const json_t *object, const char *realm, struct Ev__ConfigObject **out,
                          struct err_info *info)
{
    enum cfg_kind k = config_kind(kind);
    if (!k)
        return err_set(info, ERR_INVAL, "kind", "there is no kind \"%.32s\"", kind);
    ProtobufCMessage *m = NULL;
    int err = config_from_json(k, object, realm, &m, info);
    if (err)
        return err;
    Ev__ConfigObject *o = config_wrap(k, m);
    if (!o)
        return ERR_NOMEM;
    *out = (struct Ev__ConfigObject *)o;
    return 0;
}
