/* Between disk_guard.c (the record) and disk_guard_log.c (reading libraft's files). */
#ifndef RAFT_DISK_GUARD_INT_H
#define RAFT_DISK_GUARD_INT_H

#include "raft/disk_guard.h"

#define DISK_GUARD_ADVICE                                                                                         \
    "This node must not vote with it: keep its folder aside, remove the node from the cluster, and add it again " \
    "with an empty folder"

/* What libraft would find. */
struct disk_guard_log {
    uint64_t last;       /* last entry that it would load */
    uint64_t term, vote; /* of the newest readable metadata */
};

/* Reads everything. 0 or an error with text. An empty folder is well (all zero). */
ERR_CHECKED int disk_guard_read_log(const char *log_dir, struct disk_guard_log *out, struct err_info *info);

#endif
