/* ccctl top: the live lists on a whole terminal. cli_top.c draws a picture of what has been read, and knows nothing of terminals or servers;
 * cli_top_run.c reads, waits for keys, and keeps the terminal. One thread. */
#ifndef CLI_CLI_TOP_H
#define CLI_CLI_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

#define CLI_TOP_VIEWS 5u
struct cli_top_view {
    const char *name, *path, *columns;
};
extern const struct cli_top_view cli_top_views[CLI_TOP_VIEWS];

struct cli_top {
    unsigned view;
    unsigned sort[CLI_TOP_VIEWS]; /* column */
    bool reverse[CLI_TOP_VIEWS];
    char filter[64]; /* only rows that have it in a cell; "": all */
    bool typing;     /* the filter is being typed */
    bool help, paused;
    size_t first;       /* row at the top */
    size_t shown, page; /* of the latest picture: rows that pass the filter, and rows that fit */
    /* what was read */
    json_t *rows;                           /* of the view */
    json_t *agents, *waiting;               /* for the line above; NULL: not known */
    char server[128], trouble[160], at[16]; /* trouble: why it is not of now, "" */
};

/* The column of that title in a view; false: there is none. */
bool cli_top_column(unsigned view, const char *title, unsigned *column);
bool cli_top_view_of(const char *name, unsigned *view);
/* One picture; width 0: as wide and as long as it takes, else so many columns and lines exactly, lines parted by \r\n. */
ERR_CHECKED int cli_top_draw(struct cli_top *t, FILE *to, unsigned width, unsigned height, bool color);
/* What a key does; `key`: a character, or one of these. false: quit. */
enum {
    CLI_TOP_UP = 256,
    CLI_TOP_DOWN,
    CLI_TOP_PAGE_UP,
    CLI_TOP_PAGE_DOWN,
    CLI_TOP_HOME,
    CLI_TOP_END,
    CLI_TOP_NEXT,
    CLI_TOP_LAST
};
bool cli_top_key(struct cli_top *t, int key);

#endif
