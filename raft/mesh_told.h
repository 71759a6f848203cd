/* What the log was last told of whom, so that a peer that tries again and again with the same result is told of once.
 *
 * Held by the mesh, core thread only. Of MESH_TOLD_MAX peers; with more the one told of longest ago is forgotten, and what
 * happens to it next is news. */
#ifndef RAFT_MESH_TOLD_H
#define RAFT_MESH_TOLD_H

#include <stdbool.h>

#define MESH_TOLD_MAX 32u

struct mesh_told {
    struct {
        char who[80], what[100];
    } last[MESH_TOLD_MAX]; /* who "": free */
    unsigned next;
};

/* Whether `what` differs from the last that was told of `who` (both are compared up to the room there is); notes it. */
bool mesh_told_news(struct mesh_told *t, const char *who, const char *what);
/* His state has changed: the next is news. */
void mesh_told_forget(struct mesh_told *t, const char *who);

#endif
