/* Three passes over the node file. base/yaml finds broken YAML, repeated keys and the place of every field; libcyaml fills
 * a struct by schema and refuses unknown keys and wrong shapes; then every value is looked at. libcyaml takes "3x" as 3,
 * "maybe" as false and an empty list as none, so these are checked on the tree of the first pass. */
#include "node/config.h"

#include <arpa/inet.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/yaml.h"
#include "storage/seal.h"

enum { CONFIG_PATH_MAX = 1024, CONFIG_RTP_PORTS_LEAST = 10, CONFIG_MEDIA_THREADS_MAX = 64, CONFIG_TOKEN_LEAST = 16 };
enum { CONFIG_SPEECH_WORD_MAX = 256 };
enum { CONFIG_DETECT_MS = 300, CONFIG_DETECT_MS_MAX = 10000 };
enum { CONFIG_SNAPSHOT_ENTRIES = 8192, CONFIG_SNAPSHOT_ENTRIES_MIN = 256, CONFIG_SNAPSHOT_ENTRIES_MAX = 1000000 };

struct config_raw_rtp {
    char **addresses;
    unsigned addresses_count;
    char *ports;
};
struct config_raw_listen {
    char **sip;
    unsigned sip_count;
    char *https, *peer;
    struct config_raw_rtp rtp;
};
struct config_raw_tls {
    char *ca, *cert, *key;
};
struct config_raw_log {
    char *level;
    bool json;
};
struct config_raw {
    char *name, *site, *data, *prompts, *join, *admin_token_file, *address_hook, *recording_key_file;
    char **service_addresses, **speech_command;
    unsigned service_addresses_count, speech_command_count;
    struct config_raw_listen listen;
    struct config_raw_tls tls;
    struct config_raw_log log;
    unsigned media_threads, snapshot_entries, detect_ms;
};

/* Everything is optional to libcyaml: it would name a missing field without its place. NULL tells us. */
#define CONFIG_STRING(key, type, member) \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define CONFIG_LIST(key, type, member)                                                                          \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &config_schema_string, 0, \
                         CYAML_UNLIMITED)

static const cyaml_schema_value_t config_schema_string = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};
static const cyaml_schema_field_t config_schema_rtp[] = {
    CONFIG_LIST("addresses", struct config_raw_rtp, addresses),
    CONFIG_STRING("ports", struct config_raw_rtp, ports),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t config_schema_listen[] = {
    CONFIG_LIST("sip", struct config_raw_listen, sip),
    CONFIG_STRING("https", struct config_raw_listen, https),
    CONFIG_STRING("peer", struct config_raw_listen, peer),
    CYAML_FIELD_MAPPING("rtp", CYAML_FLAG_OPTIONAL, struct config_raw_listen, rtp, config_schema_rtp),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t config_schema_tls[] = {
    CONFIG_STRING("ca", struct config_raw_tls, ca),
    CONFIG_STRING("cert", struct config_raw_tls, cert),
    CONFIG_STRING("key", struct config_raw_tls, key),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t config_schema_log[] = {
    CONFIG_STRING("level", struct config_raw_log, level),
    CYAML_FIELD_BOOL("json", CYAML_FLAG_OPTIONAL, struct config_raw_log, json),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t config_schema_top[] = {
    CONFIG_STRING("name", struct config_raw, name),
    CONFIG_STRING("site", struct config_raw, site),
    CONFIG_STRING("data", struct config_raw, data),
    CONFIG_STRING("prompts", struct config_raw, prompts),
    CONFIG_STRING("join", struct config_raw, join),
    CONFIG_STRING("admin_token_file", struct config_raw, admin_token_file),
    CYAML_FIELD_MAPPING("listen", CYAML_FLAG_OPTIONAL, struct config_raw, listen, config_schema_listen),
    CYAML_FIELD_MAPPING("tls", CYAML_FLAG_OPTIONAL, struct config_raw, tls, config_schema_tls),
    CYAML_FIELD_MAPPING("log", CYAML_FLAG_OPTIONAL, struct config_raw, log, config_schema_log),
    CONFIG_LIST("service_addresses", struct config_raw, service_addresses),
    CONFIG_LIST("speech_command", struct config_raw, speech_command),
    CONFIG_STRING("address_hook", struct config_raw, address_hook),
    CONFIG_STRING("recording_key_file", struct config_raw, recording_key_file),
    CYAML_FIELD_UINT("media_threads", CYAML_FLAG_OPTIONAL, struct config_raw, media_threads),
    CYAML_FIELD_UINT("snapshot_entries", CYAML_FLAG_OPTIONAL, struct config_raw, snapshot_entries),
    CYAML_FIELD_UINT("detect_ms", CYAML_FLAG_OPTIONAL, struct config_raw, detect_ms),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_raw, config_schema_top),
};

/* ---- what libcyaml says, as struct err_info ---- */

struct config_complaint {
    char text[160];                /* its first error line, without "Load: " */
    char path[ERR_INFO_FIELD_MAX]; /* built from its backtrace, which comes innermost first */
};

static void config_path_prepend(struct config_complaint *c, const char *part)
{
    char joined[2 * ERR_INFO_FIELD_MAX];
    const char *dot = c->path[0] && c->path[0] != '[' ? "." : "";
    snprintf(joined, sizeof joined, "%.*s%s%s", ERR_INFO_FIELD_MAX - 1, part, dot, c->path);
    snprintf(c->path, sizeof c->path, "%.*s", ERR_INFO_FIELD_MAX - 1, joined);
}

__attribute__((format(printf, 3, 0))) static void config_log(cyaml_log_t level, void *ctx, const char *fmt,
                                                             va_list args)
{
    struct config_complaint *c = ctx;
    if (level < CYAML_LOG_ERROR)
        return;
    char line[256], name[64];
    unsigned entry;
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = '\0';
    if (!c->text[0]) {
        const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
        snprintf(c->text, sizeof c->text, "%.*s", (int)sizeof c->text - 1, text);
    } else if (sscanf(line, " in mapping field '%63[^']'", name) == 1) {
        config_path_prepend(c, name);
    } else if (sscanf(line, " in sequence entry '%u'", &entry) == 1 && entry > 0) {
        snprintf(name, sizeof name, "[%u]", entry - 1); /* it counts from 1 */
        config_path_prepend(c, name);
    }
}

static int config_from_cyaml(cyaml_err_t e, struct config_complaint *c, struct err_info *info)
{
    if (e == CYAML_ERR_OOM)
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    char key[64];
    if (sscanf(c->text, "Unexpected key: %63s", key) == 1) {
        char full[2 * ERR_INFO_FIELD_MAX];
        snprintf(full, sizeof full, "%s%s%s", c->path, c->path[0] ? "." : "", key);
        return err_set(info, ERR_INVAL, full, "unknown key");
    }
    char want[24], got[24];
    if (sscanf(c->text, "Expecting %23[A-Z], got event: %23[A-Z_]", want, got) == 2) {
        bool list = strcmp(want, "SEQUENCE") == 0, map = strcmp(want, "MAPPING") == 0;
        return err_set(info, ERR_INVAL, c->path, "must be %s",
                       list  ? "a list"
                       : map ? "a group of fields"
                             : "a single value");
    }
    return err_set(info, ERR_INVAL, c->path, "%s", c->text[0] ? c->text : cyaml_strerror(e));
}

/* ---- values ---- */

struct config_reader {
    const struct config_raw *raw;
    const char *folder;
    struct node_config *out;
    struct err_info *info;
};

static bool config_name_ok(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return n > 0 && n <= NODE_NAME_MAX && s[n] == '\0';
}

static int config_missing(struct config_reader *r, const char *field)
{
    return err_set(r->info, ERR_INVAL, field, "required, but missing");
}

static int config_names(struct config_reader *r)
{
    const char *site = r->raw->site ? r->raw->site : "default";
    if (!r->raw->name)
        return config_missing(r, "name");
    if (!config_name_ok(r->raw->name))
        return err_set(r->info, ERR_INVAL, "name", "must be 1 to %u letters, digits, '-' or '_'", NODE_NAME_MAX);
    if (!config_name_ok(site))
        return err_set(r->info, ERR_INVAL, "site", "must be 1 to %u letters, digits, '-' or '_'", NODE_NAME_MAX);
    snprintf(r->out->name, sizeof r->out->name, "%s", r->raw->name);
    snprintf(r->out->site, sizeof r->out->site, "%s", site);
    return 0;
}

static int config_path(struct config_reader *r, const char *field, const char *value, char **out)
{
    if (!value)
        return config_missing(r, field);
    if (!*value || strlen(value) > CONFIG_PATH_MAX)
        return err_set(r->info, ERR_INVAL, field, "must be a path of 1 to %d bytes", CONFIG_PATH_MAX);
    bool relative = *value != '/' && r->folder[0];
    size_t size = strlen(r->folder) + strlen(value) + 2;
    char *path = malloc(size);
    if (!path)
        return err_set(r->info, ERR_NOMEM, field, "%s", err_text(ERR_NOMEM));
    snprintf(path, size, "%s%s%s", relative ? r->folder : "", relative ? "/" : "", value);
    *out = path;
    return 0;
}

static bool config_wildcard(const char *ip)
{
    return strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0;
}

static bool config_multicast(const char *ip, bool ipv6)
{
    struct in_addr v4;
    if (ipv6)
        return ip[0] == 'f' && ip[1] == 'f' && ip[2] != ':' && ip[3] != ':';
    return inet_pton(AF_INET, ip, &v4) == 1 && ntohl(v4.s_addr) >= 0xe0000000u;
}

static int config_addr(struct config_reader *r, const char *field, const char *value, bool wildcard_ok,
                       struct addr *out)
{
    if (!value)
        return config_missing(r, field);
    if (addr_parse(value, out))
        return err_set(r->info, ERR_INVAL, field, "must be \"IP:PORT\" or \"[IPv6]:PORT\", numeric, port 1 to 65535");
    if (config_multicast(out->ip, out->ipv6))
        return err_set(r->info, ERR_INVAL, field, "must be an address of this machine, not a multicast one");
    if (!wildcard_ok && config_wildcard(out->ip))
        return err_set(r->info, ERR_INVAL, field, "must be one address: others are told to reach this node there");
    return 0;
}

static int config_sip(struct config_reader *r)
{
    const struct config_raw_listen *l = &r->raw->listen;
    struct node_config *c = r->out;
    if (!l->sip)
        return config_missing(r, "listen.sip");
    if (l->sip_count > NODE_ADDRESSES_MAX)
        return err_set(r->info, ERR_INVAL, "listen.sip", "must list 1 to %u addresses", NODE_ADDRESSES_MAX);
    for (unsigned i = 0; i < l->sip_count; i++) {
        char field[32];
        snprintf(field, sizeof field, "listen.sip[%u]", i);
        int rc = config_addr(r, field, l->sip[i], false, &c->sip[i]);
        if (rc)
            return rc;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(c->sip[k].text, c->sip[i].text) == 0)
                return err_set(r->info, ERR_INVAL, field, "listed twice");
        c->n_sip = i + 1;
    }
    return 0;
}

/* Returns whether it was new. */
static bool config_rtp_add(struct node_config *c, const char *ip)
{
    for (unsigned i = 0; i < c->n_rtp; i++)
        if (strcmp(c->rtp_ip[i], ip) == 0)
            return false;
    memcpy(c->rtp_ip[c->n_rtp++], ip, strlen(ip) + 1);
    return true;
}

static int config_rtp_addresses(struct config_reader *r)
{
    const struct config_raw_rtp *rtp = &r->raw->listen.rtp;
    if (!rtp->addresses) {
        for (unsigned i = 0; i < r->out->n_sip; i++)
            config_rtp_add(r->out, r->out->sip[i].ip);
        return 0;
    }
    if (rtp->addresses_count > NODE_ADDRESSES_MAX)
        return err_set(r->info, ERR_INVAL, "listen.rtp.addresses", "must list 1 to %u addresses", NODE_ADDRESSES_MAX);
    for (unsigned i = 0; i < rtp->addresses_count; i++) {
        char field[40], ip[ADDR_IP_MAX];
        bool ipv6;
        snprintf(field, sizeof field, "listen.rtp.addresses[%u]", i);
        if (addr_parse_ip(rtp->addresses[i], ip, &ipv6) || config_multicast(ip, ipv6) || config_wildcard(ip))
            return err_set(r->info, ERR_INVAL, field, "must be one numeric IP address of this machine");
        if (!config_rtp_add(r->out, ip))
            return err_set(r->info, ERR_INVAL, field, "listed twice");
    }
    return 0;
}

static int config_rtp_ports(struct config_reader *r)
{
    const char *text = r->raw->listen.rtp.ports ? r->raw->listen.rtp.ports : "20000-29999";
    char low[8];
    const char *dash = strchr(text, '-');
    struct node_config *c = r->out;
    if (!dash || (size_t)(dash - text) >= sizeof low)
        return err_set(r->info, ERR_INVAL, "listen.rtp.ports", "must be \"LOW-HIGH\", such as \"20000-29999\"");
    snprintf(low, sizeof low, "%.*s", (int)(dash - text), text);
    if (addr_parse_port(low, &c->rtp_port_min) || addr_parse_port(dash + 1, &c->rtp_port_max))
        return err_set(r->info, ERR_INVAL, "listen.rtp.ports", "must be \"LOW-HIGH\", such as \"20000-29999\"");
    if (c->rtp_port_min < 1024 || c->rtp_port_max < c->rtp_port_min + CONFIG_RTP_PORTS_LEAST - 1)
        return err_set(r->info, ERR_RANGE, "listen.rtp.ports", "must hold at least %d ports, none below 1024",
                       CONFIG_RTP_PORTS_LEAST);
    return 0;
}

static int config_listen(struct config_reader *r)
{
    const struct config_raw_listen *l = &r->raw->listen;
    struct node_config *c = r->out;
    int rc = config_sip(r);
    if (!rc)
        rc = config_addr(r, "listen.https", l->https, true, &c->https);
    if (!rc)
        rc = config_addr(r, "listen.peer", l->peer, false, &c->peer);
    if (rc)
        return rc;
    if (strcmp(c->https.text, c->peer.text) == 0)
        return err_set(r->info, ERR_INVAL, "listen.peer", "the same address and port as listen.https");
    for (unsigned i = 0; i < c->n_sip; i++)
        if (strcmp(c->sip[i].text, c->https.text) == 0 || strcmp(c->sip[i].text, c->peer.text) == 0)
            return err_set(r->info, ERR_INVAL, "listen.sip",
                           "the same address and port as listen.https or listen.peer");
    if ((rc = config_rtp_addresses(r)) || (rc = config_rtp_ports(r)))
        return rc;
    if (r->raw->join && (rc = config_addr(r, "join", r->raw->join, false, &c->join)))
        return rc;
    if (r->raw->join && strcmp(c->join.text, c->peer.text) == 0)
        return err_set(r->info, ERR_INVAL, "join",
                       "this node's own peer address; give that of a member, or leave it out");
    return 0;
}

static int config_log_level(struct config_reader *r)
{
    static const char *const names[] = {"debug", "info", "notice", "warn", "error"};
    const char *level = r->raw->log.level ? r->raw->log.level : "info";
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(level, names[i]) == 0) {
            r->out->log_level = (enum log_level)i;
            r->out->log_json = r->raw->log.json;
            return 0;
        }
    return err_set(r->info, ERR_INVAL, "log.level", "must be debug, info, notice, warn or error");
}

/* ---- files ---- */

/* Reads a regular file of at most `max` bytes, NUL-terminated. `secret`: refused when everybody may read or change it. */
static int config_slurp(struct err_info *info, const char *field, const char *path, size_t max, bool secret, char **out,
                        size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(info, err_from_errno(errno), field, "cannot read %.180s: %s", path, strerror(errno));
    struct stat st;
    int rc = 0;
    char *text = NULL;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        rc = err_set(info, ERR_INVAL, field, "%.200s is not a file", path);
    else if (secret && (st.st_mode & 0007))
        rc = err_set(info, ERR_DENIED, field, "%.160s is open to every user of the machine: chmod 600 it", path);
    else if ((size_t)st.st_size > max)
        rc = err_set(info, ERR_TOOBIG, field, "%.200s is larger than %zu bytes", path, max);
    else if (!(text = malloc(max + 1)))
        rc = err_set(info, ERR_NOMEM, field, "%s", err_text(ERR_NOMEM));
    size_t n = 0;
    while (!rc && n < max) {
        ssize_t got = read(fd, text + n, max - n);
        if (got < 0 && errno != EINTR)
            rc = err_set(info, ERR_IO, field, "cannot read %.180s: %s", path, strerror(errno));
        if (got == 0)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    if (rc) {
        free(text);
        return rc;
    }
    text[n] = '\0';
    *out = text;
    *len = n;
    return 0;
}

static int config_file_ok(struct config_reader *r, const char *field, const char *path, bool secret)
{
    char *text;
    size_t len;
    int rc = config_slurp(r->info, field, path, 1u << 20, secret, &text, &len);
    if (rc)
        return rc;
    explicit_bzero(text, len);
    free(text);
    return len ? 0 : err_set(r->info, ERR_INVAL, field, "%.200s is empty", path);
}

static int config_tls(struct config_reader *r)
{
    struct node_config *c = r->out;
    const struct config_raw_tls *tls = &r->raw->tls;
    int rc = config_path(r, "tls.ca", tls->ca, &c->tls_ca);
    if (!rc)
        rc = config_path(r, "tls.cert", tls->cert, &c->tls_cert);
    if (!rc)
        rc = config_path(r, "tls.key", tls->key, &c->tls_key);
    if (!rc)
        rc = config_file_ok(r, "tls.ca", c->tls_ca, false);
    if (!rc)
        rc = config_file_ok(r, "tls.cert", c->tls_cert, false);
    return rc ? rc : config_file_ok(r, "tls.key", c->tls_key, true);
}

static int config_recording_key(struct config_reader *r)
{
    struct seal_keys *keys = NULL;
    if (!r->raw->recording_key_file)
        return 0;
    int rc = config_path(r, "recording_key_file", r->raw->recording_key_file, &r->out->recording_key_file);
    if (!rc)
        rc = seal_keys_load(r->out->recording_key_file, &keys, r->info);
    if (!rc)
        seal_keys_free(keys); /* read again by whom it is for */
    return rc;
}

static int config_token(struct config_reader *r)
{
    char *path = NULL, *text;
    size_t len;
    int rc = config_path(r, "admin_token_file", r->raw->admin_token_file, &path);
    if (rc)
        return rc;
    rc = config_slurp(r->info, "admin_token_file", path, 4096, true, &text, &len);
    free(path);
    if (rc)
        return rc;
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    bool ok = len >= CONFIG_TOKEN_LEAST && len <= NODE_TOKEN_MAX;
    for (size_t i = 0; i < len; i++)
        ok = ok && text[i] > ' ' && text[i] < 0x7f;
    if (ok)
        memcpy(r->out->admin_token, text, len + 1);
    else
        rc = err_set(r->info, ERR_INVAL, "admin_token_file", "must hold one line of %d to %u visible characters",
                     CONFIG_TOKEN_LEAST, NODE_TOKEN_MAX);
    explicit_bzero(text, len);
    free(text);
    return rc;
}

/* ---- addresses that another node takes over ---- */

/* It is run with the rights of this process: nobody else may be able to change what it does. */
static int config_hook(struct config_reader *r)
{
    struct stat st;
    if (!r->raw->address_hook)
        return 0;
    int rc = config_path(r, "address_hook", r->raw->address_hook, &r->out->address_hook);
    if (rc)
        return rc;
    const char *path = r->out->address_hook;
    if (stat(path, &st))
        return err_set(r->info, err_from_errno(errno), "address_hook", "%.180s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(r->info, ERR_INVAL, "address_hook", "%.200s is not a file", path);
    if (st.st_mode & 0022)
        return err_set(r->info, ERR_DENIED, "address_hook", "%.160s can be changed by others: chmod go-w it", path);
    if (access(path, X_OK))
        return err_set(r->info, ERR_DENIED, "address_hook", "%.180s cannot be run: chmod +x it", path);
    return 0;
}

static bool config_sip_has(const struct node_config *c, const char *ip)
{
    for (unsigned i = 0; i < c->n_sip; i++)
        if (strcmp(c->sip[i].ip, ip) == 0)
            return true;
    return false;
}

static int config_service(struct config_reader *r)
{
    struct node_config *c = r->out;
    if (r->raw->service_addresses_count > NODE_SERVICE_MAX)
        return err_set(r->info, ERR_INVAL, "service_addresses", "must list at most %u addresses", NODE_SERVICE_MAX);
    for (unsigned i = 0; i < r->raw->service_addresses_count; i++) {
        char field[40], ip[ADDR_IP_MAX];
        bool ipv6;
        snprintf(field, sizeof field, "service_addresses[%u]", i);
        if (addr_parse_ip(r->raw->service_addresses[i], ip, &ipv6))
            return err_set(r->info, ERR_INVAL, field, "must be one numeric IP address, without a port");
        if (!config_sip_has(c, ip))
            return err_set(r->info, ERR_INVAL, field, "is not among the addresses of listen.sip");
        if (node_config_service(c, ip))
            return err_set(r->info, ERR_INVAL, field, "listed twice");
        memcpy(c->service_ip[c->n_service++], ip, sizeof ip);
    }
    int rc = config_hook(r);
    if (rc || !c->address_hook)
        return rc;
    bool peer = node_config_service(c, c->peer.ip), https = node_config_service(c, c->https.ip);
    if (peer || https)
        return err_set(r->info, ERR_INVAL, peer ? "listen.peer" : "listen.https",
                       "the hook takes this address off while it is elsewhere: give one that stays");
    return 0;
}

bool node_config_service(const struct node_config *c, const char *ip)
{
    for (unsigned i = 0; i < c->n_service; i++)
        if (strcmp(c->service_ip[i], ip) == 0)
            return true;
    return false;
}

/* ---- putting it together ---- */

static int config_no_nulls(json_t *v, const char *path, struct err_info *info)
{
    char sub[2 * ERR_INFO_FIELD_MAX];
    const char *key;
    json_t *member;
    if (json_is_null(v))
        return err_set(info, ERR_INVAL, path, "has no value");
    json_object_foreach(v, key, member)
    {
        snprintf(sub, sizeof sub, "%.*s%s%.*s", ERR_INFO_FIELD_MAX, path, *path ? "." : "", ERR_INFO_FIELD_MAX - 2,
                 key);
        int rc = config_no_nulls(member, sub, info);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        snprintf(sub, sizeof sub, "%.*s[%zu]", ERR_INFO_FIELD_MAX, path, i);
        int rc = config_no_nulls(json_array_get(v, i), sub, info);
        if (rc)
            return rc;
    }
    return 0;
}

static int config_number(struct config_reader *r, json_t *tree, const char *key, json_int_t min, json_int_t max,
                         unsigned *out)
{
    json_t *v = json_object_get(tree, key);
    if (v && (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max))
        return err_set(r->info, ERR_RANGE, key, "must be a number from %lld to %lld", (long long)min, (long long)max);
    if (v)
        *out = (unsigned)json_integer_value(v);
    return 0;
}

static int config_types(struct config_reader *r, json_t *tree)
{
    json_t *json = json_object_get(json_object_get(tree, "log"), "json");
    json_t *listen = json_object_get(tree, "listen");
    json_t *sip = json_object_get(listen, "sip"), *rtp = json_object_get(json_object_get(listen, "rtp"), "addresses");
    if ((sip && !json_array_size(sip)) || (rtp && !json_array_size(rtp)))
        return err_set(r->info, ERR_INVAL, sip && !json_array_size(sip) ? "listen.sip" : "listen.rtp.addresses",
                       "must list 1 to %u addresses", NODE_ADDRESSES_MAX);
    if (json && !json_is_boolean(json))
        return err_set(r->info, ERR_INVAL, "log.json", "must be true or false");
    int rc = config_number(r, tree, "media_threads", 0, CONFIG_MEDIA_THREADS_MAX, &r->out->media_threads);
    r->out->snapshot_entries = CONFIG_SNAPSHOT_ENTRIES;
    if (!rc)
        rc = config_number(r, tree, "snapshot_entries", CONFIG_SNAPSHOT_ENTRIES_MIN, CONFIG_SNAPSHOT_ENTRIES_MAX,
                           &r->out->snapshot_entries);
    r->out->detect_ms = CONFIG_DETECT_MS;
    if (!rc)
        rc = config_number(r, tree, "detect_ms", CONFIG_DETECT_MS, CONFIG_DETECT_MS_MAX, &r->out->detect_ms);
    return rc;
}

static int config_speech(struct config_reader *r)
{
    struct node_config *c = r->out;
    if (r->raw->speech_command_count > NODE_SPEECH_MAX)
        return err_set(r->info, ERR_INVAL, "speech_command", "must be 1 to %u words", NODE_SPEECH_MAX);
    for (unsigned i = 0; i < r->raw->speech_command_count; i++) {
        const char *word = r->raw->speech_command[i];
        char field[40];
        snprintf(field, sizeof field, "speech_command[%u]", i);
        if (strlen(word) > CONFIG_SPEECH_WORD_MAX || (i == 0 && !*word))
            return err_set(r->info, ERR_INVAL, field, "must be 1 to %d bytes", CONFIG_SPEECH_WORD_MAX);
        c->speech_command[i] = strdup(word);
        if (!c->speech_command[i])
            return err_set(r->info, ERR_NOMEM, field, "%s", err_text(ERR_NOMEM));
        c->n_speech = i + 1;
    }
    return 0;
}

static int config_validate(struct config_reader *r, json_t *tree)
{
    int rc = config_types(r, tree);
    if (!rc)
        rc = config_names(r);
    if (!rc)
        rc = config_path(r, "data", r->raw->data, &r->out->data);
    if (!rc)
        rc = config_path(r, "prompts", r->raw->prompts, &r->out->prompts);
    if (!rc)
        rc = config_listen(r);
    if (!rc)
        rc = config_service(r);
    if (!rc)
        rc = config_speech(r);
    if (!rc)
        rc = config_log_level(r);
    if (!rc)
        rc = config_tls(r);
    if (!rc)
        rc = config_recording_key(r);
    return rc ? rc : config_token(r);
}

static int config_read(const char *text, size_t len, json_t *tree, struct config_reader *r)
{
    struct config_complaint said = {.text = ""};
    const cyaml_config_t how = {
        .log_fn = config_log,
        .log_ctx = &said,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    struct config_raw *raw = NULL;
    if (!json_is_object(tree))
        return err_set(r->info, ERR_INVAL, "", "must be a list of \"key: value\" lines");
    int rc = config_no_nulls(tree, "", r->info);
    if (rc)
        return rc;
    cyaml_err_t e = cyaml_load_data((const uint8_t *)text, len, &how, &config_schema, (cyaml_data_t **)&raw, NULL);
    if (e != CYAML_OK)
        return config_from_cyaml(e, &said, r->info);
    if (!raw)
        return config_missing(r, "name");
    r->raw = raw;
    rc = config_validate(r, tree);
    cyaml_free(&how, &config_schema, raw, 0);
    return rc;
}

int node_config_parse(const char *text, size_t len, const char *folder, struct node_config *out, struct err_info *info)
{
    if (len > NODE_CONFIG_BYTES_MAX)
        return err_set(info, ERR_TOOBIG, "", "larger than %u bytes", NODE_CONFIG_BYTES_MAX);
    json_t *tree = NULL;
    struct yaml_marks *marks = NULL;
    int rc = yaml_load(text, len, &tree, &marks, info);
    if (rc)
        return rc;
    struct node_config c = {.n_sip = 0};
    struct config_reader r = {.folder = folder, .out = &c, .info = info};
    rc = config_read(text, len, tree, &r);
    if (rc) {
        yaml_locate(marks, info);
        node_config_free(&c);
    } else {
        *out = c;
    }
    yaml_marks_free(marks);
    json_decref(tree);
    return rc;
}

int node_config_load(const char *path, struct node_config *out, struct err_info *info)
{
    char *text, *folder;
    size_t len;
    int rc = config_slurp(info, "", path, NODE_CONFIG_BYTES_MAX, false, &text, &len);
    if (rc)
        return rc;
    const char *slash = strrchr(path, '/');
    folder = strndup(slash ? path : ".", slash ? (slash == path ? 1 : (size_t)(slash - path)) : 1);
    rc = folder ? node_config_parse(text, len, folder, out, info)
                : err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    free(folder);
    free(text);
    return rc;
}

void node_config_free(struct node_config *c)
{
    free(c->data);
    free(c->prompts);
    free(c->tls_ca);
    free(c->tls_cert);
    free(c->tls_key);
    free(c->address_hook);
    free(c->recording_key_file);
    for (unsigned i = 0; i < c->n_speech; i++)
        free(c->speech_command[i]);
    explicit_bzero(c, sizeof *c);
}
