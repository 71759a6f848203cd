/* Identifiers. Call numbers are unique for ever; identifiers of outbound dialogs are computed from what is already
 * committed (call, offer, attempt) and the cluster's secret, so that any node can compute them again without a commit of
 * their own. Core thread. */
#ifndef NODE_IDENT_H
#define NODE_IDENT_H

#include <stdint.h>

struct ident_source {
    uint64_t node_id;
    uint64_t last;
};

/* Microseconds of wall clock, made strictly growing, and 12 bits of the node id: sorted by time, below 2^63. */
uint64_t ident_call(struct ident_source *s);

struct ident_dialog {
    char call_id[48]; /* Call-ID */
    char tag[20];     /* From tag */
    char branch[40];  /* Via branch with its magic cookie */
};
void ident_dialog(const uint8_t key[32], uint64_t call_id, uint64_t offer_id, uint32_t attempt,
                  struct ident_dialog *out);

/* 16 hex digits and back. */
char *ident_text(uint64_t id, char out[17]);
/* 0 or ERR_INVAL. */
int ident_parse(const char *text, uint64_t *id);

#endif
