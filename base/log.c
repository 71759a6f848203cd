#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

static struct {
    enum log_level least;
    bool json;
    char node[64];
} log_state = {LOG_INFO, false, ""};

static const char *const log_level_names[] = {"debug", "info", "notice", "warn", "error"};

void log_setup(enum log_level least, bool json, const char *node)
{
    log_state.least = least;
    log_state.json = json;
    snprintf(log_state.node, sizeof log_state.node, "%s", node ? node : "");
}

bool log_enabled(enum log_level level)
{
    return level >= log_state.least;
}

/* Appends `s` as the inside of a JSON string; control characters and quotes are escaped, the rest is kept. */
static size_t log_json_escape(char *out, size_t size, const char *s)
{
    size_t n = 0;
    for (; *s && n + 7 < size; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (c < 0x20) {
            n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
        } else {
            out[n++] = (char)c;
        }
    }
    out[n] = '\0';
    return n;
}

/* One line stays one line whatever a stranger's message contained. */
static void log_flatten(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

void log_write(enum log_level level, const char *part, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    /* Room for the worst case, so that escaping never cuts a character in two. */
    char text[1024], esc[6 * sizeof text + 8], line[sizeof esc + 256], when[CLOCK_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    utf8_clean(text);
    clock_wall_text(clock_wall_now(), when);
    int n;
    if (log_state.json) {
        log_json_escape(esc, sizeof esc, text);
        n = snprintf(line, sizeof line,
                     "{\"time\":\"%s\",\"level\":\"%s\",\"node\":\"%s\",\"part\":\"%s\",\"text\":\"%s\"}\n", when,
                     log_level_names[level], log_state.node, part, esc);
    } else {
        log_flatten(text);
        n = snprintf(line, sizeof line, "%s %-6s %s %s: %s\n", when, log_level_names[level], log_state.node, part,
                     text);
    }
    if (n < 0)
        return;
    size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    line[len - 1] = '\n';
    if (write(STDERR_FILENO, line, len) < 0) {
        /* Nowhere left to say it; losing a log line must not stop a call. */
    }
}
