#include "core/parameter.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/config_json.h"

/* "none" or http://host:port, without a user: what needs a password is a Secret, and shown nowhere. */
static int check_proxy(const char *value, struct err_info *info)
{
    size_t host = strncmp(value, "http://", 7) == 0
                      ? strspn(value + 7, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
                      : 0;
    const char *port = host ? value + 7 + host : "";
    unsigned long n = *port == ':' ? strtoul(port + 1, NULL, 10) : 0;
    bool good = n > 0 && n < 65536 && strspn(port + 1, "0123456789") == strlen(port + 1);
    return good || strcmp(value, "none") == 0 ? 0
                                              : err_set(info, ERR_INVAL, "value", "must be http://host:port or none");
}

static int check_ca(const char *value, struct err_info *info)
{
    return strcmp(value, "none") == 0 || strstr(value, "-----BEGIN CERTIFICATE-----")
               ? 0
               : err_set(info, ERR_INVAL, "value", "must be certificates in PEM form, or none");
}

/* A mail server: smtp:// or smtps://, a host, a port or none, and nothing else. */
static int check_smtp_url(const char *value, struct err_info *info)
{
    size_t scheme = strncmp(value, "smtp://", 7) == 0 ? 7 : strncmp(value, "smtps://", 8) == 0 ? 8 : 0;
    const char *at = value + scheme;
    size_t host = scheme ? strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") : 0;
    unsigned long port = at[host] == ':' ? strtoul(at + host + 1, NULL, 10) : 25;
    size_t digits = at[host] == ':' ? strspn(at + host + 1, "0123456789") + 1 : 0;
    bool good = host > 0 && host < 254 && port > 0 && port < 65536 && digits != 1 && !at[host + digits];
    return good ? 0 : err_set(info, ERR_INVAL, "value", "must be smtp://host[:port] or smtps://host[:port]");
}

static int check_smtp_from(const char *value, struct err_info *info)
{
    return config_is_email(value) ? 0 : err_set(info, ERR_INVAL, "value", "must be an address such as a@b.example");
}

#define DAY_MS 86400000u
#define PREFIX_MAX 8u
#define INFO_MAX 40u

static const struct rule {
    const char *name;
    const char *a, *b; /* the two words it may be; NULL: a number */
    uint32_t least, most;
} rules[] = {
    {"rtp_symmetric", "on", "off", 0, 0},
    {"media_dead_ms", NULL, NULL, 0, DAY_MS},
    {"session_expires_s", NULL, NULL, 90, 86400},
    {"min_se_s", NULL, NULL, 90, 3600},
    {"prompt_quota_mb", NULL, NULL, 1, 1048576},
    {"min_busy_s", NULL, NULL, 0, 86400},
    {"state_limit_s", NULL, NULL, 0, 604800},
    {"auto_ready_after_s", NULL, NULL, 0, 86400},
    {"wrap_up_max_s", NULL, NULL, 0, 86400},
    {"wrap_up_direct_calls", "on", "off", 0, 0},
    {"max_call_s", NULL, NULL, 0, 604800},
    {"cdr_keep_days", NULL, NULL, 0, 36500},
    {"message_days", NULL, NULL, 0, 36500},
    {"message_max_s", NULL, NULL, 1, 3600},
    {"message_box_max", NULL, NULL, 1, 100000},
    {"transfer_recall", "on", "off", 0, 0},
    {"recording_format", "wav", "mp3", 0, 0},
    {"recording_keep_days", NULL, NULL, 0, 36500},
    {"recording_consultations", "on", "off", 0, 0},
    {"user_to_user", "on", "off", 0, 0},
    {"gain_control", "on", "off", 0, 0},
    {"comfort_noise", "on", "off", 0, 0},
    {"conference_tones", "on", "off", 0, 0},
    {"smtp_tls", "required", "none", 0, 0},
    {"recording_max_s", NULL, NULL, 60, 3600},
    {"recording_quota_mb", NULL, NULL, 1, 16777216},
};

/* What telephones dial before a number outside. */
static int check_prefix(const char *value, struct err_info *info)
{
    return strlen(value) <= PREFIX_MAX && !value[strspn(value, "0123456789*#")]
               ? 0
               : err_set(info, ERR_INVAL, "value", "must be empty or at most %u of 0-9 * #", PREFIX_MAX);
}

/* Each at most once. */
static int check_codecs(const char *value, struct err_info *info)
{
    static const char *const names[] = {"PCMA", "PCMU", "G722", "opus"};
    unsigned seen = 0;
    const char *at = value;
    for (; strlen(value) <= PARAMETER_CODECS_MAX; at++) {
        size_t n = strcspn(at, " "), i = 0;
        while (i < 4 && (strlen(names[i]) != n || strncasecmp(names[i], at, n) != 0))
            i++;
        if (i == 4 || seen & 1u << i)
            break;
        seen |= 1u << i;
        at += n;
        if (!*at)
            return 0;
    }
    return err_set(info, ERR_INVAL, "value", "must be some of PCMA PCMU G722 opus, each once, with a space between");
}

static int check_codes_of_keys(const char *value, struct err_info *info)
{
    size_t n = 0, len = 0;
    const char *at = value;
    for (; *at && n < PARAMETER_CODES_OF_KEYS_MAX; n++, at += len + (at[len] == ' ')) {
        len = strspn(at, "0123456789*#");
        bool good =
            (*at == '*' || *at == '#') && len <= PARAMETER_CODE_MAX && (!at[len] || (at[len] == ' ' && at[len + 1]));
        if (!good)
            break;
    }
    return (n && !*at) || strcmp(value, "none") == 0
               ? 0
               : err_set(
                     info, ERR_INVAL, "value",
                     "must be none, or at most %u codes with a space between, of * or # and then up to %u of 0-9 * #",
                     PARAMETER_CODES_OF_KEYS_MAX, PARAMETER_CODE_MAX - 1);
}

static int check_info(const char *value, struct err_info *info)
{
    size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ");
    return n > 0 && n <= INFO_MAX && !value[n]
               ? 0
               : err_set(info, ERR_INVAL, "value", "must be at most %u letters, digits, blanks and . - _", INFO_MAX);
}

int parameter_check(const char *name, const char *value, struct err_info *info)
{
    if (strcmp(name, "outside_prefix") == 0)
        return check_prefix(value, info);
    if (strcmp(name, "codecs") == 0)
        return check_codecs(value, info);
    if (strcmp(name, "mark_codes") == 0 || strcmp(name, "recording_pause_codes") == 0)
        return check_codes_of_keys(value, info);
    if (strcmp(name, "auto_answer_info") == 0)
        return check_info(value, info);
    if (strcmp(name, "http_proxy") == 0)
        return check_proxy(value, info);
    if (strcmp(name, "http_ca") == 0)
        return check_ca(value, info);
    if (strcmp(name, "smtp_url") == 0)
        return check_smtp_url(value, info);
    if (strcmp(name, "smtp_from") == 0)
        return check_smtp_from(value, info);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        if (strcmp(r->name, name) != 0)
            continue;
        if (r->a)
            return strcmp(value, r->a) == 0 || strcmp(value, r->b) == 0
                       ? 0
                       : err_set(info, ERR_INVAL, "value", "must be %s or %s", r->a, r->b);
        size_t n = strspn(value, "0123456789");
        unsigned long long v = n > 0 && n < 16 && !value[n] ? strtoull(value, NULL, 10) : UINT64_MAX;
        return v >= r->least && v <= r->most
                   ? 0
                   : err_set(info, ERR_INVAL, "value", "must be a whole number from %u to %u", r->least, r->most);
    }
    return 0;
}
