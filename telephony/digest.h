/* HTTP digest for SIP: RFC 7616 and RFC 8760 (MD5 and SHA-256, qop=auth), with nonces that every node can check.
 *
 * Pure but for OpenSSL; thread: any, except struct digest_replay (its owner's thread). Nonces carry their own time and
 * an HMAC-SHA256 under a key that all nodes share, so none is stored. What is stored, per node and bounded, is the
 * highest nonce count (nc) seen per nonce, against replay. */
#ifndef TELEPHONY_DIGEST_H
#define TELEPHONY_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum digest_alg { DIGEST_MD5, DIGEST_SHA256 };

#define DIGEST_HEX_MAX 65    /* hex of a SHA-256 with NUL */
#define DIGEST_NONCE_SIZE 57 /* with NUL */
#define DIGEST_KEY_BYTES 32

/* "MD5", "SHA-256" (case does not matter) to the enum. ERR_UNSUPPORTED. NULL or "" is MD5 (RFC 7616 3.3). */
ERR_CHECKED int digest_alg_parse(const char *text, enum digest_alg *out);
const char *digest_alg_name(enum digest_alg alg);

/* H(user:realm:password), lower-case hex. ERR_IO when OpenSSL refuses. */
ERR_CHECKED int digest_ha1(enum digest_alg alg, const char *user, const char *realm, const char *password,
                           char out[DIGEST_HEX_MAX]);

/* The response value for qop=auth; qop NULL gives the form of RFC 2069. */
ERR_CHECKED int digest_response(enum digest_alg alg, const char *ha1, const char *nonce, const char *nc,
                                const char *cnonce, const char *qop, const char *method, const char *uri,
                                char out[DIGEST_HEX_MAX]);

/* A fresh nonce stamped with now_s. ERR_IO when no randomness is to be had. */
ERR_CHECKED int digest_nonce_make(const uint8_t key[DIGEST_KEY_BYTES], uint64_t now_s, char out[DIGEST_NONCE_SIZE]);

/* 0: ours and young enough; ERR_STALE: ours, but older than life_s (or more than 5 s from the future); ERR_DENIED: not ours. */
ERR_CHECKED int digest_nonce_check(const uint8_t key[DIGEST_KEY_BYTES], const char *nonce, uint64_t now_s,
                                   uint32_t life_s);

/* Hex that looks like an HA1 for a user that does not exist, so that the same work is done. */
void digest_fake_ha1(const uint8_t key[DIGEST_KEY_BYTES], enum digest_alg alg, const char *user,
                     char out[DIGEST_HEX_MAX]);

/* Equal, in a time that does not depend on where they differ; hex case does not matter. */
bool digest_equal(const char *a, const char *b);

/* Highest nc per nonce. Holds `cap` nonces; a new one in a full table takes the place of the oldest in its set. */
struct digest_replay;
struct digest_replay *digest_replay_new(size_t cap); /* NULL: out of memory */
void digest_replay_free(struct digest_replay *r);
/* Takes nc of a nonce whose response was right. 0, or ERR_STALE when this nc (or a higher one) was seen. */
ERR_CHECKED int digest_replay_take(struct digest_replay *r, const char *nonce, uint32_t nc);

#endif
