/* User-to-User (RFC 7433): what is known of the caller, for the telephone of whoever is rung, or a program at his desk.
 *
 * In the form of ISDN (RFC 7434, which holds where no other is named): a first octet 04, text in IA5, then at most 127 octets of it; as hexadecimal
 * digits, so that nothing that somebody has typed can be taken for a header or a parameter. The text is a query (names and values
 * percent-encoded): call_id=00f3...&customer=C-20931&order=4711, of which the call's id, with which all can be had from the API, is
 * always there. Pure. */
#ifndef NODE_UUI_H
#define NODE_UUI_H

#include <stddef.h>

#define UUI_BYTES_MAX 128u /* of what is sent, with its first octet */
#define UUI_HEADER_MAX (2 * UUI_BYTES_MAX + 64u)

/* The header line with its CRLF. `data`: a JSON object of texts, or "". What does not fit as a whole is left out, entry by entry in the order of
 * their names. */
void uui_header(const char *call_id, const char *customer, const char *data, char out[UUI_HEADER_MAX]);

#endif
