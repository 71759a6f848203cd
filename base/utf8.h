/* UTF-8 (RFC 3629) at the edges: what strangers send and what a length limit has cut is made fit for JSON and logs.
 * Any thread; nothing here allocates or fails. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes (1 to 4) of the well-formed sequence at `s`, which ends at a NUL at the latest; 0 when there is none
 * (also at the NUL). Overlong forms, surrogates and values above U+10FFFF are not well-formed. */
size_t utf8_sequence(const char *s);
bool utf8_valid(const char *s);
/* Replaces each byte that belongs to no well-formed sequence by '?', in place. */
void utf8_clean(char *s);

#endif
