/* Parameters of the whole cluster that nodes read, and which values they take. Pure; any thread.
 *
 * Checked before a command is made, so that a slip is told to whoever makes it; what is stored already is read with a fallback. */
#ifndef CORE_PARAMETER_H
#define CORE_PARAMETER_H

#include "base/err.h"

/* 0, also for a name that no node reads; else ERR_INVAL with field "value" and what is expected. */
ERR_CHECKED int parameter_check(const char *name, const char *value, struct err_info *info);

/* Of the value of `codecs`: names in the order in which calls of ours offer them, separated by single spaces. */
#define PARAMETER_CODECS_MAX 63u
/* Of the values of `mark_codes` and `recording_pause_codes`: codes that telephones key while they talk, with single spaces between; "none". */
#define PARAMETER_CODES_OF_KEYS_MAX 4u
#define PARAMETER_CODE_MAX 8u

#endif
