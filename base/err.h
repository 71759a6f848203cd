/* One list of error codes for the whole program, with texts, and the record that describes a fault in input.
 *
 * Functions that can fail return 0 or one of these negative codes. Foreign codes (errno, SQLite, TLS, SIP status)
 * are translated at the edge of the folder that calls the library. Any thread; nothing here allocates. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_code {
    ERR_OK = 0,
    ERR_NOMEM = -1,        /* allocation failed: this request is refused, the process goes on */
    ERR_INVAL = -2,        /* input breaks its contract; struct err_info says where */
    ERR_NOTFOUND = -3,     /* no such object */
    ERR_EXISTS = -4,       /* already there */
    ERR_CONFLICT = -5,     /* version precondition failed, or the object is in use */
    ERR_BADSTATE = -6,     /* not possible in the present state */
    ERR_DENIED = -7,       /* not allowed, or bad credentials */
    ERR_NOQUORUM = -8,     /* no majority reachable: nothing can be committed now */
    ERR_TIMEOUT = -9,      /* not done in time; the outcome may be unknown */
    ERR_BUSY = -10,        /* a bounded queue is full: try again later */
    ERR_IO = -11,          /* the operating system refused */
    ERR_NOSPACE = -12,     /* disk full */
    ERR_CORRUPT = -13,     /* stored data fails its check */
    ERR_CLOSED = -14,      /* the connection or the object is shut */
    ERR_UNSUPPORTED = -15, /* well-formed, but not something we do */
    ERR_RANGE = -16,       /* number outside its bounds */
    ERR_TOOBIG = -17,      /* over a stated size limit */
    ERR_STALE = -18,       /* duplicate or outdated: already done, or overtaken */
};

#define ERR_INFO_FIELD_MAX 128
#define ERR_INFO_TEXT_MAX 256

/* Where and why input was refused. Owner: the caller. `line` and `column` are 1-based, 0 when not known. */
struct err_info {
    int code;                       /* enum err_code */
    unsigned line, column;          /* position in the text, if the input was text */
    char field[ERR_INFO_FIELD_MAX]; /* path of the field, such as "queues[2].ring_time_s"; "" if none */
    char text[ERR_INFO_TEXT_MAX];   /* what is wrong and what would be right */
};

/* A short lower-case English text for a code; never NULL. */
const char *err_text(int code);

/* A stable machine-readable name such as "not_found"; never NULL. Used in JSON and logs. */
const char *err_name(int code);

/* Translates an errno value. */
int err_from_errno(int sys_errno);

/* Fills *info (which may be NULL) and returns `code`, so that a parser can `return err_set(...)`. Position is set to
 * unknown; texts are cut to their sizes and made valid UTF-8. The arguments may point into *info. */
int err_set(struct err_info *info, int code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#define ERR_CHECKED __attribute__((warn_unused_result))

#endif
