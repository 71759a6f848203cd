/* ccctl top: reading what it shows, the terminal and the keys.
 *
 * The terminal is given back as it was however the program ends: q, a signal (INT, TERM, HUP stop the loop), a stop by Ctrl-Z (the screen is
 * given back before, and taken again after). */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli_run.h"
#include "cli/cli_top.h"

#define ROWS_MAX 5000u
#define KEY_MS 40 /* an escape that nothing follows within this is the key Esc */

static volatile sig_atomic_t resized, suspended, ended;

static void on_winch(int sig)
{
    (void)sig;
    resized = 1;
}

static void on_stop(int sig)
{
    (void)sig;
    suspended = 1;
}

static void on_hang_up(int sig)
{
    (void)sig;
    ended = 1;
}

/* ---- reading */

/* All pages of a list, ROWS_MAX rows at most. false: t->trouble says why; *denied: this token may not see it. */
static bool fetch(struct cli_run *r, struct cli_top *t, const char *path, json_t **out, bool *denied)
{
    json_t *all = json_array();
    char cursor[512] = "";
    *denied = false;
    do {
        char target[700];
        struct cli_reply reply = {0};
        struct err_info info = {0};
        snprintf(target, sizeof target, "%s?limit=1000%s%s", path, cursor[0] ? "&cursor=" : "", cursor);
        const struct cli_http_request q = {.method = "GET", .target = target};
        if (cli_http_do(r->http, &q, &reply, &info) != 0) {
            snprintf(t->trouble, sizeof t->trouble, "%.140s", info.text[0] ? info.text : err_text(info.code));
            t->trouble[strcspn(t->trouble, "\n")] = '\0';
            json_decref(all);
            return false;
        }
        snprintf(t->server, sizeof t->server, "%s", r->context.servers[reply.server]);
        json_t *page = cli_run_parse(&reply), *items = json_object_get(page, "items");
        bool good = reply.status == 200 && json_is_array(items) && json_array_extend(all, items) == 0;
        const char *next = json_string_value(json_object_get(page, "next_cursor"));
        const char *why = json_string_value(json_object_get(page, "detail"));
        *denied = reply.status == 401 || reply.status == 403;
        if (!good)
            snprintf(t->trouble, sizeof t->trouble, "%.140s", why ? why : "an answer that is none");
        snprintf(cursor, sizeof cursor, "%s", next && json_array_size(all) < ROWS_MAX ? next : "");
        json_decref(page);
        cli_reply_free(&reply);
        if (!good) {
            json_decref(all);
            return false;
        }
    } while (cursor[0]);
    *out = all;
    return true;
}

static void replace(json_t **have, json_t *now)
{
    json_decref(*have);
    *have = now;
}

/* What could not be read stays as it was, and it is said why. false: nothing can be read at all. */
static bool refresh(struct cli_run *r, struct cli_top *t)
{
    const char *path = cli_top_views[t->view].path;
    json_t *agents = NULL, *waiting = NULL, *rows = NULL;
    bool denied = false, good;
    t->trouble[0] = '\0';
    good = fetch(r, t, "/v1/live/agents", &agents, &denied) && fetch(r, t, "/v1/live/waiting", &waiting, &denied);
    if (good && strcmp(path, "/v1/live/agents") == 0)
        rows = json_incref(agents);
    else if (good && strcmp(path, "/v1/live/waiting") == 0)
        rows = json_incref(waiting);
    else if (good && !fetch(r, t, path, &rows, &denied) && denied)
        rows = json_array(); /* of nodes a supervisor is told nothing */
    if (agents)
        replace(&t->agents, agents);
    if (waiting)
        replace(&t->waiting, waiting);
    if (rows)
        replace(&t->rows, rows);
    if (rows) {
        time_t now = time(NULL);
        struct tm tm;
        strftime(t->at, sizeof t->at, "%H:%M:%S", localtime_r(&now, &tm));
    }
    return rows != NULL;
}

/* ---- the terminal */

static struct termios before;
static bool taken;

static void say(const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};
            (void)poll(&p, 1, 1000);
            continue;
        }
        if (n <= 0) {
            ended = 1; /* nobody looks any more */
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

static bool take_terminal(void)
{
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0)
        return false;
    taken = true;
    say("\033[?1049h\033[?25l\033[2J");
    return true;
}

static void give_terminal(void)
{
    if (!taken)
        return;
    taken = false;
    say("\033[?25h\033[?1049l");
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

static void be_suspended(void)
{
    suspended = 0;
    give_terminal();
    struct sigaction stops = {.sa_handler = SIG_DFL}, was;
    sigaction(SIGTSTP, &stops, &was);
    raise(SIGTSTP); /* stops here, until it is continued */
    sigaction(SIGTSTP, &was, NULL);
    if (!take_terminal())
        ended = 1;
}

static int draw(struct cli_run *r, struct cli_top *t)
{
    struct winsize ws = {0};
    char *text = NULL;
    size_t len = 0;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 && ws.ws_row > 0;
    FILE *f = open_memstream(&text, &len);
    int err = f ? 0 : ERR_NOMEM;
    if (f) {
        fputs("\033[H", f);
        err = cli_top_draw(t, f, known ? ws.ws_col : 80, known ? ws.ws_row : 24, r->out.color);
        if (fclose(f) != 0 && !err)
            err = ERR_NOMEM;
    }
    if (!err)
        say(text);
    free(text);
    return err;
}

/* ---- keys */

static bool next_byte(unsigned char *c, int ms)
{
    struct pollfd p = {STDIN_FILENO, POLLIN, 0};
    if (poll(&p, 1, ms) <= 0)
        return false;
    ssize_t n = read(STDIN_FILENO, c, 1);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        ended = 1; /* the terminal is gone */
    return n == 1;
}

/* What an escape sequence stands for; 0: nothing that is known. */
static int read_escape(void)
{
    static const struct {
        const char *text;
        int key;
    } known[] = {{"A", CLI_TOP_UP},       {"B", CLI_TOP_DOWN},       {"C", CLI_TOP_NEXT},  {"D", CLI_TOP_LAST},
                 {"H", CLI_TOP_HOME},     {"F", CLI_TOP_END},        {"1~", CLI_TOP_HOME}, {"4~", CLI_TOP_END},
                 {"5~", CLI_TOP_PAGE_UP}, {"6~", CLI_TOP_PAGE_DOWN}, {"Z", CLI_TOP_LAST}};
    char text[8] = "";
    unsigned char c;
    if (!next_byte(&c, KEY_MS))
        return 27;
    if (c != '[' && c != 'O')
        return 0;
    for (size_t n = 0; n + 1 < sizeof text && next_byte(&c, KEY_MS);) {
        text[n++] = (char)c;
        if (c >= 0x40 && c <= 0x7E)
            break;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].text) == 0)
            return known[i].key;
    return 0;
}

static long long now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until it is time to read again, or a key has changed what is to be read. false: quit. */
static bool wait_keys(struct cli_run *r, struct cli_top *t, long long until)
{
    unsigned view = t->view;
    unsigned char c;
    while (!*r->stop && !ended) {
        if (suspended)
            be_suspended();
        if (resized) {
            resized = 0;
            say("\033[2J");
        }
        if (draw(r, t) != 0)
            return false;
        long long left = until - now_ms();
        if (left <= 0)
            return true;
        if (!next_byte(&c, left < 1000 ? (int)left : 1000)) /* durations move on */
            continue;
        int key = c == 27 ? read_escape() : c;
        if (key && !cli_top_key(t, key))
            return false;
        if (t->view != view)
            return true;
    }
    return false;
}

static int watch(struct cli_run *r, struct cli_top *t, long long every_ms)
{
    struct sigaction winch = {.sa_handler = on_winch}, stops = {.sa_handler = on_stop},
                     hang_up = {.sa_handler = on_hang_up};
    sigaction(SIGWINCH, &winch, NULL);
    sigaction(SIGTSTP, &stops, NULL);
    sigaction(SIGHUP, &hang_up, NULL);
    if (!take_terminal()) {
        fprintf(stderr, "ccctl: this is no terminal; --once shows one picture\n");
        return CLI_EXIT_USAGE;
    }
    bool more = true;
    while (more && !*r->stop && !ended) {
        if (!t->paused || !t->rows)
            (void)refresh(r, t);
        more = wait_keys(r, t, now_ms() + every_ms);
    }
    give_terminal();
    return *r->stop ? CLI_EXIT_OK + 130 : CLI_EXIT_OK;
}

static int read_options(struct cli_run *r, struct cli_top *t, double *every_s)
{
    const char *view = cli_args_value(r->args, "view"), *sort = cli_args_value(r->args, "sort");
    const char *filter = cli_args_value(r->args, "filter"), *every = cli_args_value(r->args, "interval");
    char *end;
    if (view && !cli_top_view_of(view, &t->view)) {
        fprintf(stderr, "ccctl: --view \"%s\": expected queues, agents, waiting, calls or nodes\n", view);
        return CLI_EXIT_USAGE;
    }
    if (sort && !cli_top_column(t->view, sort, &t->sort[t->view])) {
        fprintf(stderr, "ccctl: --sort \"%s\": %s have no such column\n", sort, cli_top_views[t->view].name);
        return CLI_EXIT_USAGE;
    }
    t->reverse[t->view] = cli_args_given(r->args, "reverse");
    snprintf(t->filter, sizeof t->filter, "%s", filter ? filter : "");
    *every_s = every ? strtod(every, &end) : 1;
    if (every && (*end || *every_s < 0.2 || *every_s > 3600)) {
        fprintf(stderr, "ccctl: --interval \"%s\": expected seconds from 0.2 to 3600\n", every);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

int cli_run_top(struct cli_run *r)
{
    struct cli_top t = {.view = 0};
    double every_s = 1;
    int rc = read_options(r, &t, &every_s);
    if (rc)
        return rc;
    if (!cli_args_given(r->args, "once")) {
        if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
            rc = watch(r, &t, (long long)(every_s * 1000));
        } else {
            fprintf(stderr, "ccctl: top needs a terminal; --once shows one picture\n");
            rc = CLI_EXIT_USAGE;
        }
    } else if (refresh(r, &t)) {
        rc = cli_run_printed(cli_top_draw(&t, r->out.to, 0, 0, false));
    } else {
        fprintf(stderr, "ccctl: %s\n", t.trouble);
        rc = CLI_EXIT_ERROR;
    }
    json_decref(t.rows);
    json_decref(t.agents);
    json_decref(t.waiting);
    return rc;
}
