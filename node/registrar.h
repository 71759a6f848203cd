/* The registrar: turns authenticated REGISTER requests into commands and answers them after their commit (RFC 3261 section
 * 10, RFC 5626 for several flows of one phone). Core thread; `reg` is answered exactly once. */
#ifndef NODE_REGISTRAR_H
#define NODE_REGISTRAR_H

#include "node/node.h"
#include "telephony/sip.h"

void registrar_on_register(struct node *n, struct sip_reg *reg, const struct sip_register_info *info);

#endif
