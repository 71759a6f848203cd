/* The edge proxy inside the endpoint; see sip_edge.c. Core thread. */
#ifndef TELEPHONY_SIP_EDGE_H
#define TELEPHONY_SIP_EDGE_H

#include "telephony/sip_int.h"

/* Whether the topmost Route is this port with a flow token: then the request is no business of our dialogs. */
bool sip_edge_takes(const struct sip_port *port, const sip_t *sip);
/* Forwards or refuses it; takes msg. */
void sip_edge_request(struct sip_port *port, msg_t *msg);
/* true: it answers a request that went through us, and has been passed on (msg is taken). */
bool sip_edge_response(struct sip_port *port, msg_t *msg);

#endif
