/* Cells are cut out in place: a cell is never longer than its text. */
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/cli_records.h"

struct cli_records {
    char *text, *p; /* p: what comes next */
    unsigned line;  /* of p */
    char delimiter; /* 0: not known yet */
};

/* malloc'ed, NULL: it is not GB18030, or memory is short. */
static char *from_gb18030(char *text, size_t len)
{
    iconv_t cd = iconv_open("UTF-8", "GB18030");
    size_t room = len * 3 + 1, left = room - 1;
    char *out = cd == (iconv_t)-1 ? NULL : malloc(room), *in = text, *at = out;
    bool good = out && iconv(cd, &in, &len, &at, &left) != (size_t)-1;
    if (cd != (iconv_t)-1)
        iconv_close(cd);
    if (!good) {
        free(out);
        return NULL;
    }
    *at = '\0';
    return out;
}

int cli_records_open(char *text, size_t len, struct cli_records **out, struct err_info *info)
{
    struct cli_records *r = calloc(1, sizeof *r);
    bool is_text = strlen(text) == len;
    if (is_text && !utf8_valid(text)) {
        char *converted = from_gb18030(text, len);
        is_text = converted != NULL;
        free(text);
        text = converted;
    }
    if (!r || !is_text) {
        free(text);
        free(r);
        return r ? err_set(info, ERR_INVAL, "", "not a text file in UTF-8 or GB18030") : ERR_NOMEM;
    }
    r->text = text;
    r->p = text + (strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    r->line = 1;
    *out = r;
    return 0;
}

void cli_records_free(struct cli_records *r)
{
    if (!r)
        return;
    free(r->text);
    free(r);
}

static char delimiter_of(const char *p)
{
    size_t n = strcspn(p, "\r\n");
    return memchr(p, '\t', n) ? '\t' : memchr(p, ',', n) ? ',' : memchr(p, ';', n) ? ';' : 0;
}

/* A cell in quotes, which may hold all else; a quote in it is written twice. NULL: it does not end. */
static char *quoted(struct cli_records *r)
{
    char *from = r->p, *to = ++r->p, *cell = to;
    unsigned lines = 0;
    for (;; r->p++) {
        if (!*r->p) {
            r->p = from;
            return NULL;
        }
        if (*r->p == '"' && *++r->p != '"')
            break;
        lines += *r->p == '\n';
        *to++ = *r->p;
    }
    r->line += lines;
    char *rest = r->p; /* what stands after the quote, up to the delimiter, is dropped */
    while (*rest && *rest != '\n' && *rest != '\r' && *rest != r->delimiter)
        rest++;
    r->p = rest;
    *to = '\0';
    return cell;
}

static char *trim(char *s)
{
    s += strspn(s, " ");
    for (size_t n = strlen(s); n > 0 && s[n - 1] == ' '; n--)
        s[n - 1] = '\0';
    return s;
}

/* Up to the end of the line or the delimiter, which is taken with it; *last: it was the end of the line. */
static char *next_cell(struct cli_records *r, bool *last)
{
    char *cell;
    r->p += strspn(r->p, " ");
    if (*r->p == '"') {
        cell = quoted(r);
        if (!cell)
            return NULL;
    } else {
        cell = r->p;
        while (*r->p && *r->p != '\n' && *r->p != '\r' && (!r->delimiter || *r->p != r->delimiter))
            r->p++;
    }
    char end = *r->p;
    *last = !r->delimiter || end != r->delimiter;
    *r->p = '\0';
    r->p += end != '\0';
    if (end == '\r' && *r->p == '\n')
        r->p++;
    r->line += end == '\n' || end == '\r';
    return trim(cell);
}

bool cli_records_next(struct cli_records *r, unsigned *line, const char *cells[CLI_CELLS_MAX], unsigned *n,
                      const char **fault)
{
    *fault = NULL;
    while (*r->p) {
        bool last = false, any = false, comment = *r->p == '#';
        *line = r->line;
        *n = 0;
        if (comment) { /* a quote in it is none */
            r->p += strcspn(r->p, "\r\n");
        } else if (!r->delimiter) {
            r->delimiter = delimiter_of(r->p);
        }
        while (!last) {
            const char *cell = next_cell(r, &last);
            if (!cell) {
                *fault = "a quote that is not closed";
                return false;
            }
            any = any || *cell;
            if (*n < CLI_CELLS_MAX)
                cells[(*n)++] = cell;
        }
        if (any)
            return true;
    }
    return false;
}
