/* Configuration objects between JSON, protobuf and their rules. One table of fields (config_rules.c) says for each what is
 * allowed; names and types come from the descriptors of core/commands.proto, so a new field needs one line there
 * and one in the table. Any thread; nothing is shared. */
#ifndef CORE_CONFIG_JSON_H
#define CORE_CONFIG_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/number.h"
#include "core/commands.pb-c.h"

enum cfg_kind {
    CFG_NONE, /* no kind: numbers are stored, so new kinds are added at the end */
    CFG_EXTENSION,
    CFG_AGENT,
    CFG_QUEUE,
    CFG_TRUNK,
    CFG_ACCESS_NUMBER,
    CFG_FLOW,
    CFG_PARAMETER,
    CFG_TOKEN,
    CFG_NETWORK,
    CFG_TIME_GROUP,
    CFG_HOLIDAY_LIST,
    CFG_PROMPT,
    CFG_AGENT_STATE,
    CFG_AGENT_GROUP,
    CFG_BLACKLIST,
    CFG_VIP,
    CFG_SECRET,
    CFG_LOOKUP,
    CFG_FLOW_DRAFT,
    CFG_AREA,
    CFG_NOTICE,
    CFG_RECORDING_RULE,
    CFG_MAILBOX,
    CFG_FORWARD,
    CFG_KINDS
};

#define CONFIG_PROMPT_VERSIONS_MAX 10u /* kept of each language of a prompt */
#define CONFIG_ANNOUNCE_MAX 4u         /* parts of an announcement */
#define CONFIG_SERVED_H_MAX 2160u      /* hours: the longest last_served_h */
#define CONFIG_MANAGES_MAX 200u        /* groups, and queues, of one supervisor */
#define CONFIG_CALLER_IDS_MAX 100u     /* of one trunk */
#define CONFIG_CUSTOMERS_MAX 5000u     /* of one agent */
#define CONFIG_BOX_AGENTS_MAX 200u     /* whose box one is, besides */
#define CONFIG_BOX_EMAIL_MAX 16u       /* addresses that are told of a box's messages */

/* CFG_NONE when there is no such kind. */
enum cfg_kind config_kind(const char *name);
const char *config_kind_name(enum cfg_kind kind);
const ProtobufCMessageDescriptor *config_descriptor(enum cfg_kind kind);
/* The object inside a ConfigObject; NULL when it is empty. */
ProtobufCMessage *config_object(const Ev__ConfigObject *o, enum cfg_kind *kind);
/* Wraps; takes `msg` over. NULL when out of memory (msg is freed). */
Ev__ConfigObject *config_wrap(enum cfg_kind kind, ProtobufCMessage *msg);
const char *config_key(enum cfg_kind kind, const ProtobufCMessage *msg);

/* "NAME@draft": the name of the flow whose draft is meant; NULL: no draft is. */
#define CONFIG_DRAFT "@draft"
const char *config_draft_of(const char *flow, char name[64]);

/* The queue on whose own list a VIP entry is, a part of `entry`; "" for the global one. */
const char *config_vip_queue(const char *entry, char number[NUMBER_MAX]);

/* Every field within its rule. info->field is the path inside the object. */
ERR_CHECKED int config_check(enum cfg_kind kind, const ProtobufCMessage *msg, struct err_info *info);
/* Fills in the defaults of fields that are empty. 0 or ERR_NOMEM. */
ERR_CHECKED int config_defaults(enum cfg_kind kind, ProtobufCMessage *msg);

/* New reference, or NULL when out of memory. Secrets are left out, or with `mask` shown as "***" when they are set. */
json_t *config_to_json(enum cfg_kind kind, const ProtobufCMessage *msg, bool mask);
/* *out is malloc'ed: free with protobuf_c_message_free_unpacked. */
ERR_CHECKED int config_from_json(enum cfg_kind kind, const json_t *object, const char *realm, ProtobufCMessage **out,
                                 struct err_info *info);

/* HA1 of RFC 7616 with MD5 (hex, 33 bytes) or SHA-256 (65 bytes). */
ERR_CHECKED int config_ha1(bool sha256, const char *user, const char *realm, const char *password, char *out,
                           size_t size);

/* ---- config_check.c: what the fields of one object have to do with each other; each is within its rule. */
ERR_CHECKED int config_check_object(enum cfg_kind kind, const ProtobufCMessage *msg, struct err_info *info);

/* ---- config_rules.c */
enum config_format {
    FORMAT_TEXT,       /* any printable UTF-8 */
    FORMAT_LINE,       /* the same, one line without tabs: a header's value */
    FORMAT_NAME,       /* letters, digits, . _ - */
    FORMAT_FLOW,       /* the same, or NAME@draft */
    FORMAT_NUMBER,     /* what can be dialled: digits, letters, + . _ - */
    FORMAT_DIGITS,     /* 0 to 9 */
    FORMAT_OUTSIDE,    /* a number outside (config_is_outside) */
    FORMAT_EMAIL,      /* name@domain (config_is_email) */
    FORMAT_SIP_URI,    /* sip:[user@]ip[:port][;transport=udp|tcp] or empty */
    FORMAT_HEX,        /* of exactly `max` digits */
    FORMAT_SECRET_HEX, /* the same, or "-": remove */
    FORMAT_RANGE,      /* address range, "192.0.2.0/24" or one address */
    FORMAT_CHOICE,     /* one of `choices`, separated by | */
    FORMAT_JSON,       /* JSON text, in JSON an object */
    FORMAT_TIME,       /* RFC 3339 */
    FORMAT_DATE,       /* "2026-10-01" */
    FORMAT_HOURS,      /* "08:30-12:00" (core/calendar.h) */
    FORMAT_ZONE,       /* name of a time zone: letters, digits, / _ + - */
    FORMAT_TZ,         /* POSIX TZ string (core/calendar.h) */
    FORMAT_URL,        /* http:// or https://, with ${caller}, ${called}, ${queue} after the host */
    FORMAT_LIST,       /* repeated: max entries */
    FORMAT_OBJECT,     /* another message, with rules of its own; null in JSON: none */
    FORMAT_UINT,
    FORMAT_BOOL,
};
struct config_rule {
    const char *message; /* short name of the message: "Extension" */
    const char *field;
    enum config_format format;
    bool required, secret;
    uint32_t min, max; /* of numbers; max of texts in bytes, of lists in entries */
    const char *choices;
    uint32_t def; /* default of a number */
};
/* NULL: no rule, a fault of ours that tests find. */
const struct config_rule *config_rule(const char *message, const char *field);
ERR_CHECKED int config_check_text(const struct config_rule *r, const char *value, const char *path,
                                  struct err_info *info);

/* RFC 3339, such as 2026-03-01T09:30:00.125Z or with +08:00; 0 or ERR_INVAL. */
int config_parse_time(const char *text, uint64_t *us);
/* Parses a range or an address into 16 bytes (IPv4 mapped) and a prefix length of 0 to 128. */
ERR_CHECKED int config_parse_range(const char *text, uint8_t addr[16], unsigned *prefix);
/* Whether it is a number outside: digits, at most CONFIG_OUTSIDE_MAX, with or without a "+" before them. */
bool config_is_outside(const char *number);
/* What may name an object, and a box: letters, digits, . _ - */
bool config_is_name(const char *name);
/* name@domain, of ASCII without what has a meaning in headers and commands of SMTP. */
bool config_is_email(const char *address);
#define CONFIG_OUTSIDE_MAX 32u
/* Address and port of a SIP contact (port 0 when none is written). */
ERR_CHECKED int config_parse_contact(const char *text, uint8_t addr[16], uint16_t *port);

#endif
