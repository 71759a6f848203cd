#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const struct {
    int code;
    const char *name;
    const char *text;
} err_table[] = {
    {ERR_OK, "ok", "done"},
    {ERR_NOMEM, "no_memory", "out of memory"},
    {ERR_INVAL, "invalid", "invalid input"},
    {ERR_NOTFOUND, "not_found", "not found"},
    {ERR_EXISTS, "exists", "already exists"},
    {ERR_CONFLICT, "conflict", "conflicts with the present version or use"},
    {ERR_BADSTATE, "wrong_state", "not possible in the present state"},
    {ERR_DENIED, "denied", "not allowed"},
    {ERR_NOQUORUM, "no_quorum", "no majority of nodes is reachable"},
    {ERR_TIMEOUT, "timed_out", "timed out"},
    {ERR_BUSY, "busy", "too much work in progress, try again later"},
    {ERR_IO, "io_error", "input/output error"},
    {ERR_NOSPACE, "no_space", "no space left on the disk"},
    {ERR_CORRUPT, "corrupt", "stored data fails its check"},
    {ERR_CLOSED, "closed", "closed"},
    {ERR_UNSUPPORTED, "unsupported", "not supported"},
    {ERR_RANGE, "out_of_range", "number out of range"},
    {ERR_TOOBIG, "too_big", "larger than the limit"},
    {ERR_STALE, "stale", "already done or overtaken"},
};

const char *err_text(int code)
{
    for (size_t i = 0; i < sizeof err_table / sizeof *err_table; i++)
        if (err_table[i].code == code)
            return err_table[i].text;
    return "unknown error";
}

const char *err_name(int code)
{
    for (size_t i = 0; i < sizeof err_table / sizeof *err_table; i++)
        if (err_table[i].code == code)
            return err_table[i].name;
    return "unknown";
}

int err_from_errno(int sys_errno)
{
    switch (sys_errno) {
    case 0:
        return ERR_OK;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOENT:
        return ERR_NOTFOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOSPC:
    case EDQUOT:
        return ERR_NOSPACE;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EINVAL:
        return ERR_INVAL;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

int err_set(struct err_info *info, int code, const char *field, const char *fmt, ...)
{
    if (!info)
        return code;
    /* By way of a copy: the arguments may be the texts that *info holds now. */
    struct err_info fresh = {.code = code};
    snprintf(fresh.field, sizeof fresh.field, "%s", field ? field : "");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fresh.text, sizeof fresh.text, fmt, ap);
    va_end(ap);
    utf8_clean(fresh.field);
    utf8_clean(fresh.text);
    *info = fresh;
    return code;
}
