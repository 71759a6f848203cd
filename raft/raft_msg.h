/* Codec of libraft's messages for the mesh.
 *
 * Ownership after raft_msg_decode is what raft's receive callback expects: AppendEntries has an `entries` array and
 * one `batch` holding all data, both raft_malloc'ed and taken over by raft; InstallSnapshot has a configuration and data
 * taken over likewise. raft_msg_release frees them when the message is not given to raft. Everything is checked here
 * because raft checks nothing: it decodes configurations without bounds. */
#ifndef RAFT_RAFT_MSG_H
#define RAFT_RAFT_MSG_H

#include <raft.h>
#include <stddef.h>

#include "base/err.h"

#define RAFT_MSG_ENTRIES_MAX 4096u
#define RAFT_MSG_SNAPSHOT_MAX 65536u /* a manifest, never a state */
#define RAFT_MSG_SERVERS_MAX 64u
#define RAFT_MSG_ADDRESS_MAX 192u /* bytes of a server's address field */

/* Bytes needed for the message with its entries [from, to). */
size_t raft_msg_size(const struct raft_message *m, unsigned from, unsigned to);
/* Encodes into `out` (raft_msg_size bytes). A part of an AppendEntries is an AppendEntries of its own. Returns the end. */
uint8_t *raft_msg_encode(uint8_t *out, const struct raft_message *m, unsigned from, unsigned to);
/* 0, ERR_CORRUPT or ERR_NOMEM (*out untouched). server_id and server_address are the caller's to fill in. */
ERR_CHECKED int raft_msg_decode(const void *data, size_t len, struct raft_message *out);
void raft_msg_release(struct raft_message *m);

#endif
