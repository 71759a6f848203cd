#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    int rc = fsync(fd) ? err_from_errno(errno) : 0;
    close(fd);
    return rc;
}

/* The folder above, into `out`: all but the last part of the path. */
static void folder_above(const char *path, char out[FOLDER_PATH_MAX])
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    memcpy(out, len ? path : ".", len ? len : 1);
    out[len ? len : 1] = '\0';
}

int folder_make(const char *path)
{
    char above[FOLDER_PATH_MAX];
    if (strlen(path) >= sizeof above)
        return ERR_TOOBIG;
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST)
        return err_from_errno(errno);
    folder_above(path, above);
    int rc = folder_sync(above);
    /* one that somebody else made for us may lie in a folder that is not ours to read */
    return rc == ERR_DENIED && !made ? 0 : rc;
}
