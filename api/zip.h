/* A ZIP file written from its beginning to its end, without going back (PKWARE APPNOTE 6.3: method 0, stored; ZIP64 where it takes that).
 *
 * What for: sounds are not worth compressing, and a file of any size is sent while it is made. The writer knows where it stands and makes the heads; the
 * contents go straight to whoever gets the file. Size and CRC of each are known before, so that also who reads while it comes can unpack it.
 * Owner: who made it. Thread: one at a time. Memory: about 100 bytes for each file, until the end.
 * Limits: 4 GiB - 2 bytes for one file (ERR_TOOBIG), any number of files, any size of all. Names: UTF-8, with "/" between folders. */
#ifndef API_ZIP_H
#define API_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ZIP_NAME_MAX 255u
#define ZIP_HEAD_MAX (30u + ZIP_NAME_MAX)

struct zip;

ERR_CHECKED int zip_new(struct zip **out);
void zip_free(struct zip *z); /* NULL is fine */
/* CRC-32 (IEEE 802.3) of what came before, 0 at the beginning, and of this. */
uint32_t zip_crc(uint32_t before, const void *data, size_t len);
/* What stands before the contents of the next file, of `bytes` bytes, which follow it. when_s: seconds since 1970 (UTC), of its change; from 1980 on.
 * ERR_TOOBIG (its size, or its name), ERR_NOMEM. */
ERR_CHECKED int zip_file(struct zip *z, const char *name, uint32_t crc, uint64_t bytes, int64_t when_s,
                         uint8_t out[ZIP_HEAD_MAX], size_t *len);
/* What stands at the very end; malloc'ed. */
ERR_CHECKED int zip_end(const struct zip *z, uint8_t **out, size_t *len);

#endif
