/* See mesh_told.h. */
#include "raft/mesh_told.h"

#include <stdio.h>
#include <string.h>

bool mesh_told_news(struct mesh_told *t, const char *who, const char *what)
{
    unsigned i = 0;
    while (i < MESH_TOLD_MAX && strncmp(t->last[i].who, who, sizeof t->last[i].who - 1) != 0)
        i++;
    if (i < MESH_TOLD_MAX && strncmp(t->last[i].what, what, sizeof t->last[i].what - 1) == 0)
        return false;
    if (i == MESH_TOLD_MAX) {
        i = t->next;
        t->next = (t->next + 1) % MESH_TOLD_MAX;
        snprintf(t->last[i].who, sizeof t->last[i].who, "%s", who);
    }
    snprintf(t->last[i].what, sizeof t->last[i].what, "%s", what);
    return true;
}

void mesh_told_forget(struct mesh_told *t, const char *who)
{
    for (unsigned i = 0; i < MESH_TOLD_MAX; i++) {
        if (strncmp(t->last[i].who, who, sizeof t->last[i].who - 1) == 0)
            t->last[i].who[0] = '\0';
    }
}
