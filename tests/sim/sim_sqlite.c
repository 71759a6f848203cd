/* The real storage in a folder of its own, in the place of sim_storage.c: slower, but a restarted node is really opened again
 * from its database, and the tables themselves are compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/storage.h"
#include "tests/folder.h"
#include "tests/sim/sim.h"

static void die(const char *what, const char *why)
{
    fprintf(stderr, "sim: %s: %s\n", what, why);
    exit(2);
}

static struct storage *open_at(const char *dir)
{
    struct storage *st = NULL;
    struct err_info info = {0};
    if (storage_open(dir, &st, &info) != 0)
        die(dir, info.text);
    return st;
}

/* The folder that a storage lies in. */
static void folder(const struct storage *st, char out[STORAGE_PATH_MAX])
{
    (void)snprintf(out, STORAGE_PATH_MAX, "%s", storage_path(st));
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

struct storage *sim_store_new(struct sim *s, int node)
{
    char dir[STORAGE_PATH_MAX];
    const char *base = getenv("TMPDIR");
    (void)s;
    (void)node;
    (void)snprintf(dir, sizeof dir, "%s/everline-sim-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(dir))
        die(dir, "cannot be made");
    return open_at(dir);
}

void sim_store_free(struct storage *st)
{
    char dir[STORAGE_PATH_MAX];
    if (!st)
        return;
    folder(st, dir);
    storage_close(st);
    folder_remove(dir);
}

/* Too dear for each entry: the tables are compared at rest. */
uint64_t sim_store_hash(const struct storage *st)
{
    return storage_applied_index(st);
}

uint64_t sim_store_digest(struct storage *st)
{
    struct storage_digest d;
    uint64_t v;
    if (storage_digest_now(st, &d) != 0)
        die("digest", "cannot be computed");
    memcpy(&v, d.sha256, sizeof v);
    return v;
}

struct storage *sim_store_reopen(struct storage *st)
{
    char dir[STORAGE_PATH_MAX];
    folder(st, dir);
    storage_close(st);
    return open_at(dir);
}
