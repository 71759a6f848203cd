/* E-mails that tell of messages: what is in them, and sending one by SMTP (RFC 5321) with libcurl.
 *
 * TLS 1.2 at least, certificates and names verified; a user and password never leave in the clear (MAIL_TLS_NONE with a user: ERR_DENIED). Nothing of a mail
 * but the host's answer code is logged by whoever calls this.
 * Pure functions, and mail_send, which waits for the network up to MAIL_LIMIT_MS: any thread but the core's. */
#ifndef NODE_MAIL_H
#define NODE_MAIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MAIL_LIMIT_MS 60000L
#define MAIL_TO_MAX 16u
#define MAIL_WHY_MAX 128u
#define MAIL_LINE_MAX 512u  /* bytes of a header's value, encoded */
#define MAIL_TEXT_MAX 1024u /* bytes */

enum mail_tls {
    MAIL_TLS_REQUIRED, /* smtps, or STARTTLS before anything else */
    MAIL_TLS_NONE,
};
/* What is told; texts are valid as long as the struct is. */
struct mail_about {
    const char *language; /* "zh", "en" */
    const char *box, *caller, *called, *id;
    uint64_t started_us;
    uint32_t duration_ms;
};
struct mail {
    const char *url; /* smtp://host[:port], smtps://host[:port] */
    enum mail_tls tls;
    const char *user, *password; /* both or none: "" */
    const char *ca;              /* certificates (PEM) trusted beside the machine's own, or "" */
    const char *from;
    const char *to[MAIL_TO_MAX];
    unsigned n_to;
    struct mail_about about;
    const void *sound;
    size_t sound_len;
    bool mp3;                /* else WAV */
    const atomic_bool *stop; /* true: ERR_CLOSED soon */
};
struct mail_result {
    int code;      /* 0: the server has taken it */
    bool for_good; /* it will not take it the next time either */
    char why[MAIL_WHY_MAX];
};

void mail_send(const struct mail *m, struct mail_result *out);

/* The value of the header Subject (RFC 2047 where it is not of ASCII), and the text. Line ends of what callers have sent become spaces. */
void mail_subject(const struct mail_about *a, char out[MAIL_LINE_MAX]);
void mail_text(const struct mail_about *a, char out[MAIL_TEXT_MAX]);

/* The body of a web hook, malloc'ed JSON, and its signature: "sha256=" and the hex HMAC-SHA256 (RFC 2104) of the body. NULL: out of memory. */
char *mail_hook_body(const struct mail_about *a, const char *sha256, uint64_t sent_us);
#define MAIL_SIGNATURE_MAX 72u
void mail_hook_sign(const char *secret, const char *body, char out[MAIL_SIGNATURE_MAX]);

#endif
