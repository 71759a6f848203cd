/* ccctl: the command line of an Everline cluster. See cli/README.md. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_run.h"

#define TIMEOUT_S_DEFAULT 15.0
#define TIMEOUT_S_MAX 3600.0
#define WATCH_S_DEFAULT 2.0

static volatile sig_atomic_t interrupted;
static volatile int stop;

static void on_signal(int sig)
{
    interrupted = sig;
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool seconds_option(const struct cli_args *a, const char *name, double fallback, double *out)
{
    const char *text = cli_args_value(a, name);
    char *end;
    *out = text ? strtod(text, &end) : fallback;
    if (!text || (end != text && *end == 0 && *out >= 0.05 && *out <= TIMEOUT_S_MAX))
        return true;
    fprintf(stderr, "ccctl: --%s \"%s\": expected seconds from 0.05 to %.0f\n", name, text, TIMEOUT_S_MAX);
    return false;
}

static bool is_read(const struct cli_verb *v)
{
    return !v->method || strcmp(v->method, "GET") == 0;
}

/* One picture at a time, written in one go so that it does not flicker. */
static int watch(struct cli_run *r, double every_s)
{
    bool terminal = isatty(STDOUT_FILENO);
    int rc = CLI_EXIT_OK;
    while (!stop) {
        char *text = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&text, &len);
        if (!f)
            return cli_run_printed(ERR_NOMEM);
        r->out.to = f;
        rc = r->verb->run(r);
        fclose(f);
        if (!stop) {
            if (terminal)
                fputs("\033[H\033[J", stdout);
            fwrite(text, 1, len, stdout);
            if (!terminal && r->out.format != CLI_JSON)
                fputc('\n', stdout);
            if (fflush(stdout) != 0)
                stop = 1;
        }
        free(text);
        if (rc == CLI_EXIT_USAGE || rc == CLI_EXIT_DENIED)
            return rc;
        if (!stop)
            (void)poll(NULL, 0, (int)(every_s * 1000));
    }
    return CLI_EXIT_OK;
}

static int usage(const struct cli_args *a, const struct err_info *info)
{
    fprintf(stderr, "ccctl: %s\n  see: ccctl %s%s%s%s--help\n", info->text, a->noun ? a->noun : "", a->noun ? " " : "",
            a->verb && *a->verb->verb ? a->verb->verb : "", a->verb && *a->verb->verb ? " " : "");
    return CLI_EXIT_USAGE;
}

static int connect_cluster(struct cli_run *r, double timeout_s)
{
    struct err_info info = {0};
    const char *key = cli_args_value(r->args, "idempotency-key");
    if (key && (!*key || strlen(key) > 128 ||
                key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-")])) {
        fprintf(stderr, "ccctl: --idempotency-key: 1 to 128 letters, digits and ._:-\n");
        return CLI_EXIT_USAGE;
    }
    int rc = cli_context_load(r->args, &r->context, &info);
    if (rc) {
        fprintf(stderr, "ccctl: %s\n", info.text);
        return rc == ERR_DENIED ? CLI_EXIT_DENIED : CLI_EXIT_USAGE;
    }
    const struct cli_http_options o = {
        .context = &r->context,
        .timeout_ms = (unsigned)(timeout_s * 1000),
        .idempotency_key = key,
        .verbose = cli_args_given(r->args, "verbose"),
        .stop = &stop,
    };
    if (cli_http_new(&o, &r->http, &info))
        return cli_run_fault(&info);
    return CLI_EXIT_OK;
}

static int run(const struct cli_args *a)
{
    const char *format = cli_args_value(a, "output"), *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    double timeout_s, watch_s;
    struct cli_run r = {.args = a, .verb = a->verb, .stop = &stop};
    r.out.to = stdout;
    r.out.color = isatty(STDOUT_FILENO) && !cli_args_given(a, "no-color") && !(no_color && *no_color) &&
                  !(term && strcmp(term, "dumb") == 0);
    r.dry_run = cli_args_given(a, "dry-run");
    r.consistent = cli_args_given(a, "consistent");
    if (format && cli_out_format(format, &r.out.format)) {
        fprintf(stderr, "ccctl: -o \"%s\": expected table, wide, json or csv\n", format);
        return CLI_EXIT_USAGE;
    }
    if (!seconds_option(a, "timeout", TIMEOUT_S_DEFAULT, &timeout_s) ||
        !seconds_option(a, "watch", WATCH_S_DEFAULT, &watch_s))
        return CLI_EXIT_USAGE;
    bool watching = cli_args_given(a, "watch");
    if (watching && (!is_read(a->verb) || a->verb->run == cli_run_events || a->verb->run == cli_run_top)) {
        fprintf(stderr, "ccctl: --watch is for reading verbs such as list and status\n");
        return CLI_EXIT_USAGE;
    }
    int rc = a->verb->path ? connect_cluster(&r, timeout_s) : CLI_EXIT_OK;
    if (rc == CLI_EXIT_OK)
        rc = watching ? watch(&r, watch_s) : a->verb->run(&r);
    cli_http_free(r.http);
    cli_context_free(&r.context);
    return rc;
}

/* ---- completion: the keys of a noun come from the cluster, if it answers at once; else there are none */

struct keys {
    struct cli_args args;
};

static void print_keys(void *ctx, const char *noun)
{
    struct keys *k = ctx;
    const struct cli_verb *v = cli_find_verb(noun, strcmp(noun, "cdr") == 0 ? "show" : "list");
    json_t *list = NULL;
    struct cli_run r = {.args = &k->args, .verb = v, .stop = &stop};
    if (!v || !freopen("/dev/null", "w", stderr) || connect_cluster(&r, 1.0) != CLI_EXIT_OK)
        return;
    char target[64];
    snprintf(target, sizeof target, "%s?limit=1000", v->path);
    if (strchr(v->path, '{') == NULL && cli_run_get(&r, target, &list, NULL) == CLI_EXIT_OK) {
        static const char *const names[] = {"number", "name", "call_id"};
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(list, "items"), i, item)
        {
            const char *key = NULL;
            for (unsigned n = 0; n < 3 && !key; n++)
                key = strcmp(names[n], "name") == 0 && json_object_get(item, "number")
                          ? NULL
                          : json_string_value(json_object_get(item, names[n]));
            if (key)
                printf("%s\n", key);
        }
    }
    json_decref(list);
    cli_http_free(r.http);
    cli_context_free(&r.context);
}

static int complete(int n, char **words)
{
    struct keys k = {0};
    struct err_info info;
    /* Servers and configuration that were typed already hold for the question too; what is not yet whole does not matter. */
    char *argv[CLI_OPTIONS_MAX];
    int argc = 0;
    argv[argc++] = words[-1];
    for (int i = 0; i + 2 < n && argc + 1 < (int)CLI_OPTIONS_MAX; i++)
        if (strcmp(words[i], "--config") == 0 || strcmp(words[i], "-c") == 0 || strcmp(words[i], "--server") == 0 ||
            strcmp(words[i], "-s") == 0 || strcmp(words[i], "--context") == 0 || strcmp(words[i], "--ca") == 0) {
            argv[argc++] = words[i];
            argv[argc++] = words[i + 1];
        }
    if (cli_args_parse(argc, argv, &k.args, &info) == 0 || k.args.n_set < CLI_OPTIONS_MAX)
        cli_complete(stdout, n, words, print_keys, &k);
    return CLI_EXIT_OK;
}

int main(int argc, char **argv)
{
    struct cli_args args;
    struct err_info info = {0};
    int rc;
    cli_out_init();
    catch_signals();
    if (argc > 1 && strcmp(argv[1], "__complete") == 0)
        return complete(argc - 2, argv + 2);
    rc = cli_args_parse(argc, argv, &args, &info);
    if (rc) {
        if (argc < 2) {
            cli_help_print(stderr, NULL, NULL);
            return CLI_EXIT_USAGE;
        }
        return usage(&args, &info);
    }
    if (args.help) {
        cli_help_print(stdout, args.noun, args.verb);
        rc = CLI_EXIT_OK;
    } else {
        rc = run(&args);
    }
    /* A full disk or a closed pipe must not look like success. */
    if (fflush(stdout) != 0 && errno != EPIPE && rc == CLI_EXIT_OK) {
        fprintf(stderr, "ccctl: cannot write: %s\n", strerror(errno));
        rc = CLI_EXIT_ERROR;
    }
    return rc;
}
