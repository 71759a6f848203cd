/* CRC32C (Castagnoli, RFC 3720 appendix B.4): checks frames, log entries, manifests and our own records. Uses the
 * processor's instruction where there is one. Any thread, never fails. */
#ifndef RAFT_CRC32C_H
#define RAFT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* `crc` is 0 for a first piece, else the result for what came before. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
