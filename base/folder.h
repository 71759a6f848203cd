/* Folders that outlive a power failure. Any thread; waits for the disk. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "base/err.h"

/* What was made, renamed or removed in this folder is on disk. Codes of errno. */
ERR_CHECKED int folder_sync(const char *path);
/* Makes one folder (0700) and has it on disk, in the folder above it; that is looked after as well if it is there already, since it may
 * have been made just before a crash. Codes of errno; ERR_TOOBIG for a path of FOLDER_PATH_MAX bytes and more. */
#define FOLDER_PATH_MAX 512u
ERR_CHECKED int folder_make(const char *path);

#endif
