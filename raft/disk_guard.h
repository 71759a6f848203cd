/* Watch over libraft's files: checks them before libraft opens them, and keeps a record beside them of what must be
 * there, because libraft starts without complaint on a log whose end is gone, and would then vote as if it had never
 * acknowledged it.
 *
 * Files: `<dir>/record`: two slots written in turn, each with a CRC32C; holds last index on disk, term, vote. It is
 * written after the entries are durable and before a truncation, so it never promises more than there is. Term, vote
 * and truncation are fsynced; the last index is not (that would double the cost of a commit): it survives the death of
 * the process, and after a power failure it may be older than the log, never newer.
 *
 * Core thread. disk_guard_open reads the whole log once, before the loop runs. */
#ifndef RAFT_DISK_GUARD_H
#define RAFT_DISK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct disk_guard;

bool disk_guard_folder_empty(const char *log_dir);
/* Writes the record of a log that is still to be. Before the identity says that there is one. */
ERR_CHECKED int disk_guard_prepare(const char *dir);
/* Checks the log against the record. On error *info says in plain words what is wrong and what to do. */
ERR_CHECKED int disk_guard_open(const char *dir, const char *log_dir, struct disk_guard **out, struct err_info *info);
void disk_guard_close(struct disk_guard *g);
/* libraft has loaded the log: what it has now is the truth to go on from. */
ERR_CHECKED int disk_guard_started(struct disk_guard *g, uint64_t last, uint64_t term, uint64_t vote);

ERR_CHECKED int disk_guard_term(struct disk_guard *g, uint64_t term, uint64_t vote);
void disk_guard_last(struct disk_guard *g, uint64_t last);
ERR_CHECKED int disk_guard_truncate(struct disk_guard *g, uint64_t last);
/* Bytes of libraft's files, as of the last look (at most once a second). */
uint64_t disk_guard_log_bytes(struct disk_guard *g);

#endif
