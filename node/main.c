#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "node/config.h"
#include "node/daemon.h"
#include "node/hook.h"
#include "node/node.h"
#include "node/supervisor.h"

static const char main_help[] =
    "Usage: ccnode [OPTIONS] CONFIG\n"
    "Runs one node of an Everline cluster.\n"
    "\n"
    "  --bootstrap       found a new cluster if the data folder is empty; harmless later\n"
    "  --check           check CONFIG, certificates and folders, then end\n"
    "  --no-supervisor   run without the parent that starts a crashed node again\n"
    "  --version         print the version\n"
    "  --help            print this\n"
    "\n"
    "Examples:\n"
    "  ccnode --check /etc/everline/ccnode.conf\n"
    "  ccnode --bootstrap run/n1.conf       first node of a new cluster\n"
    "  ccnode run/n2.conf                   further nodes: 'join' in the file, 'ccctl node add' on the cluster\n"
    "\n"
    "Exit codes: 0 stopped in order, 1 cannot start, 2 usage, 3 cannot go on (disk or log; see the last log line).\n";

struct main_args {
    const char *file;
    bool bootstrap, check, alone;
};

static int main_child(void *arg)
{
    const struct main_args *a = arg;
    struct node_config cfg;
    struct err_info info = {0};
    int rc = node_config_load(a->file, &cfg, &info);
    if (rc) {
        if (info.line)
            fprintf(stderr, "%s:%u:%u: %s: %s\n", a->file, info.line, info.column, info.field, info.text);
        else
            fprintf(stderr, "%s: %s%s%s\n", a->file, info.field, info.field[0] ? ": " : "", info.text);
        return 1;
    }
    log_setup(cfg.log_level, cfg.log_json, cfg.name);
    return daemon_run(&cfg, a->bootstrap);
}

/* The dead process has left its addresses on the interface, and this machine still answers for them: taken off at once, for another
 * node has them now. */
static void main_crashed(void *arg)
{
    const struct main_args *a = arg;
    struct node_config cfg;
    struct err_info info = {0};
    if (node_config_load(a->file, &cfg, &info))
        return; /* the next start says what is wrong */
    for (unsigned i = 0; cfg.address_hook && i < cfg.n_service; i++)
        hook_run_now(cfg.address_hook, "del", cfg.service_ip[i]);
    node_config_free(&cfg);
}

static int main_options(int argc, char **argv, struct main_args *a)
{
    static const struct option options[] = {
        {"bootstrap", no_argument, NULL, 'b'},     {"check", no_argument, NULL, 'c'},
        {"no-supervisor", no_argument, NULL, 's'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (o) {
        case 'b':
            a->bootstrap = true;
            break;
        case 'c':
            a->check = true;
            break;
        case 's':
            a->alone = true;
            break;
        case 'v':
            puts("ccnode " EVERLINE_VERSION);
            return 0;
        case 'h':
            fputs(main_help, stdout);
            return 0;
        default:
            fputs("Try 'ccnode --help'.\n", stderr);
            return 2;
        }
    }
    if (optind != argc - 1) {
        fputs("ccnode: exactly one configuration file is needed. Try 'ccnode --help'.\n", stderr);
        return 2;
    }
    a->file = argv[optind];
    return -1;
}

int main(int argc, char **argv)
{
    struct main_args a = {0};
    int code = main_options(argc, argv, &a);
    if (code >= 0)
        return code;
    signal(SIGPIPE, SIG_IGN);
    umask(077); /* the database holds what passwords are checked with */
    if (a.check)
        return node_config_check(a.file, stdout) ? 1 : 0;
    return a.alone ? main_child(&a) : supervisor_run(main_child, main_crashed, &a);
}
