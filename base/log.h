/* The log: one line per event on standard error, either text for people or JSON for machines.
 *
 * Any thread; a line is written with one write(2), so lines never interleave. Nothing per packet is logged. Secrets
 * (passwords, HA1 values, tokens, keys, digits marked secret) are never passed to it. The caller names a part
 * ("sip", "raft", ...) and says in plain words what happened and what the operator can do. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARN, LOG_ERROR };

/* Set once at start, before other threads exist. `node` is copied. */
void log_setup(enum log_level least, bool json, const char *node);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *part, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(part, ...)                         \
    do {                                             \
        if (log_enabled(LOG_DEBUG))                  \
            log_write(LOG_DEBUG, part, __VA_ARGS__); \
    } while (0)
#define log_info(part, ...) log_write(LOG_INFO, part, __VA_ARGS__)
#define log_notice(part, ...) log_write(LOG_NOTICE, part, __VA_ARGS__)
#define log_warn(part, ...) log_write(LOG_WARN, part, __VA_ARGS__)
#define log_error(part, ...) log_write(LOG_ERROR, part, __VA_ARGS__)

#endif
