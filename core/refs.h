/* Which objects a configuration object names, and who names those that are to go: the one place that knows.
 *
 * A field that names another object is a row of the table in refs.c; what a flow's nodes name stands in refs_flow.c, and the targets of
 * actions in action.c. From there on it follows that what is named must be there (core_refs.c, when it is set), and that it is not
 * removed while somebody names it (core_refs.c in apply, api/apply.c for what a document would do). A test walks all fields of all
 * objects: each is a row here or is known to name nothing.
 * Pure, any thread, nothing shared. */
#ifndef CORE_REFS_H
#define CORE_REFS_H

#include <stdbool.h>

#include "core/config_json.h"

struct ref {
    enum cfg_kind kind;
    const char *name; /* never ""; of a flow also NAME@draft: the draft, or while there is none the flow */
    const char *path; /* "members[3].agent", "definition.nodes.main.queue" */
    uint32_t level;   /* of behaviour (core_feature.c) that apply must have to look at it */
    bool
        loose; /* may name what is not there: prompts that are built in, groups without settings of their own, drafts */
    bool once; /* no two of the object name the same */
};
/* Valid as long as the call. Not 0: it ends, and that is returned. */
typedef int ref_fn(void *ctx, const struct ref *r);
/* Every reference of the object, in the order of the table. ERR_NOMEM, or what fn has returned. */
ERR_CHECKED int refs_each(enum cfg_kind of, const ProtobufCMessage *m, ref_fn *fn, void *ctx);
/* The kinds that objects of this kind may name, as bits (1 << kind). */
uint32_t refs_targets(enum cfg_kind of);
/* Whether the field of this message (short name) is a row of the table. For tests. */
bool refs_is_row(const char *message, const char *field);

/* The references of one object, kept: a flow need not be read again whenever something else is removed. */
struct refs;
ERR_CHECKED int refs_keep(enum cfg_kind of, const ProtobufCMessage *m, struct refs **out);
ERR_CHECKED int refs_kept_each(const struct refs *kept, ref_fn *fn, void *ctx);
void refs_free(struct refs *kept); /* NULL is fine */

/* ---- who names what goes */

/* What there will be after the change. */
struct refs_after {
    bool (*there)(void *ctx, enum cfg_kind kind, const char *name);
    void *ctx;
};
bool refs_there(const struct refs_after *after, const struct ref *r);

#define REFS_NAMED 3u /* users of an object that are named; of others it is said how many there are */
struct refs_users;
ERR_CHECKED int refs_users_new(const struct refs_after *after, struct refs_users **out);
void refs_users_free(struct refs_users *u); /* NULL is fine */
/* This object goes. Names stay the caller's, and must live as long as u. */
ERR_CHECKED int refs_users_goes(struct refs_users *u, enum cfg_kind kind, const char *name);
/* Whether objects of this kind may name anything that goes. */
bool refs_users_concerns(const struct refs_users *u, enum cfg_kind by_kind);
/* `by`, which will be there, has this reference. Those of one object are told in one go; the order of objects does not matter. */
void refs_users_add(struct refs_users *u, enum cfg_kind by_kind, const char *by, const struct ref *r);
/* The object that goes is named by how many; with some: "queue q is in use by flow a, flow b and 3 more", at most `most` named
 * (REFS_NAMED; 1 leaves out the count as well). */
#define REFS_TEXT_MAX 256u
size_t refs_users_of(const struct refs_users *u, enum cfg_kind kind, const char *name, unsigned most,
                     char text[REFS_TEXT_MAX]);

/* ---- refs_flow.c */
/* What the nodes of a definition name; nothing when it is no JSON object. draft: all of it is loose. */
ERR_CHECKED int refs_flow_each(const char *definition, bool draft, ref_fn *fn, void *ctx);

#endif
