/* Pure parts of ccctl: its table, the command line, columns and cells. Requests are tested by tests/unit/cli/run. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_args.h"
#include "cli/cli_out.h"
#include "cli/cli_run.h"
#include "tests/unit/suite.h"

static int parse(const char *line, struct cli_args *out, struct err_info *info)
{
    static char words[512];
    static char *argv[40];
    int argc = 1;
    argv[0] = (char *)"ccctl";
    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok(words, " "); w && argc < 40; w = strtok(NULL, " "))
        argv[argc++] = w;
    *info = (struct err_info){0};
    return cli_args_parse(argc, argv, out, info);
}

START_TEST(table_is_consistent)
{
    for (const struct cli_verb *v = NULL; (v = cli_next_verb(v));) {
        ck_assert_msg(cli_noun_summary(v->noun) != NULL, "%s has no summary", v->noun);
        ck_assert_ptr_nonnull(v->summary);
        ck_assert_ptr_nonnull(v->run);
        ck_assert_ptr_eq(cli_find_verb(v->noun, v->verb), v);
        /* Each example is a command line of this very verb. */
        char text[512];
        snprintf(text, sizeof text, "%s", v->example);
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));) {
            ck_assert_msg(strncmp(line, v->noun, strlen(v->noun)) == 0, "example \"%s\"", line);
            ck_assert_msg(strstr(line, v->verb) != NULL, "example \"%s\"", line);
        }
        for (const struct cli_option *o = v->options; o && o->name; o++) {
            ck_assert_msg((o->metavar == NULL) == (o->type == CLI_FLAG || o->type == CLI_STDIN), "--%s", o->name);
            for (const struct cli_option *g = cli_globals; g->name; g++)
                ck_assert_msg(strcmp(g->name, o->name) != 0, "--%s is global and of %s", o->name, v->noun);
            /* Options of one name take a value everywhere or nowhere: they are read before the verb is known. */
            for (const struct cli_verb *w = NULL; (w = cli_next_verb(w));) {
                const struct cli_option *other = cli_find_option(w, o->name, strlen(o->name));
                ck_assert_msg(!other || (other->metavar == NULL) == (o->metavar == NULL), "--%s", o->name);
                const struct cli_option *letter = o->letter ? cli_find_letter(w, o->letter) : NULL;
                ck_assert_msg(!letter || strcmp(letter->name, o->name) == 0, "-%c means two things", o->letter);
            }
        }
    }
}
END_TEST

START_TEST(examples_parse)
{
    for (const struct cli_verb *v = NULL; (v = cli_next_verb(v));) {
        char text[512];
        snprintf(text, sizeof text, "%s", v->example);
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));) {
            struct cli_args a;
            struct err_info info;
            if (strpbrk(line, "\">|"))
                continue; /* the shell's part */
            ck_assert_msg(parse(line, &a, &info) == 0, "%s: %s", line, info.text);
            ck_assert_ptr_eq(a.verb, v);
        }
    }
}
END_TEST

START_TEST(options_anywhere)
{
    static const char *const lines[] = {"-o json agent list --state idle", "agent --state=idle -ojson list",
                                        "agent list --state idle --output json"};
    for (unsigned i = 0; i < 3; i++) {
        struct cli_args a;
        struct err_info info;
        ck_assert_int_eq(parse(lines[i], &a, &info), 0);
        ck_assert_str_eq(cli_args_value(&a, "output"), "json");
        ck_assert_str_eq(cli_args_value(&a, "state"), "idle");
        ck_assert_uint_eq(a.n_args, 0);
    }
}
END_TEST

START_TEST(watch_takes_seconds_only_when_they_are_no_argument)
{
    struct cli_args a;
    struct err_info info;
    ck_assert_int_eq(parse("agent list --watch 5", &a, &info), 0);
    ck_assert_str_eq(cli_args_value(&a, "watch"), "5");
    ck_assert_int_eq(parse("agent show --watch 1001", &a, &info), 0);
    ck_assert_ptr_null(cli_args_value(&a, "watch"));
    ck_assert_str_eq(a.args[0], "1001");
    ck_assert_int_eq(parse("agent show --watch 1 1001", &a, &info), 0);
    ck_assert_str_eq(cli_args_value(&a, "watch"), "1");
    ck_assert_str_eq(a.args[0], "1001");
    ck_assert_int_eq(parse("agent list --watch", &a, &info), 0);
    ck_assert(cli_args_given(&a, "watch"));
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *line, *text;
    } bad[] = {
        {"agnet list", "did you mean \"agent\""},
        {"agent lisst", "did you mean \"agent list\""},
        {"agent show", "NUMBER is missing"},
        {"agent show 1 2", "too many"},
        {"agent", "needs a verb"},
        {"agent list --nonsense", "unknown option"},
        {"agent list -Z", "unknown option"},
        {"agent list --limit", "needs a value"},
        {"agent list --dry-run=yes", "takes no value"},
        {"agent list --prune", "not an option"},
        {"", "NOUN VERB"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cli_args a;
        struct err_info info;
        ck_assert_int_eq(parse(bad[i].line, &a, &info), ERR_INVAL);
        ck_assert_msg(strstr(info.text, bad[i].text) != NULL, "%s: %s", bad[i].line, info.text);
    }
}
END_TEST

START_TEST(nearest)
{
    static const char *const words[] = {"list", "login", "logout", "set-state"};
    ck_assert_str_eq(cli_args_nearest("lsit", words, 4), "list");
    ck_assert_str_eq(cli_args_nearest("logot", words, 4), "logout");
    ck_assert_str_eq(cli_args_nearest("set", words, 4), "set-state");
    ck_assert_ptr_null(cli_args_nearest("x", words, 4));
    ck_assert_ptr_null(cli_args_nearest("something-else-entirely-and-much-longer-than-any-word", words, 4));
}
END_TEST

START_TEST(widths)
{
    ck_assert_uint_eq(cli_out_width("abc"), 3);
    ck_assert_uint_eq(cli_out_width("李娜"), 4);
    ck_assert_uint_eq(cli_out_width("e\u0301"), 1);
    ck_assert_uint_eq(cli_out_width("\xff\xfe"), 2);
    char *safe = cli_out_safe("a\033[31m\u202eb\nc\xc3");
    ck_assert_str_eq(safe, "a\uFFFD[31m\uFFFDb\uFFFDc\uFFFD");
    free(safe);
}
END_TEST

static char *cell(const char *json, const char *path, const char *format, bool raw)
{
    static char text[256];
    json_t *o = json_loads(json, 0, NULL);
    ck_assert_ptr_nonnull(o);
    char *c = cli_out_cell(o, path, strlen(path), format, raw);
    snprintf(text, sizeof text, "%s", c);
    free(c);
    json_decref(o);
    return text;
}

START_TEST(cells)
{
    ck_assert_str_eq(cell("{\"a\": {\"b\": 5}}", "a.b", NULL, false), "5");
    ck_assert_str_eq(cell("{\"a\": null}", "a", NULL, false), "");
    ck_assert_str_eq(cell("{}", "a.b.c", NULL, false), "");
    ck_assert_str_eq(cell("{\"a\": [\"x\", \"y\"]}", "a", NULL, false), "x,y");
    ck_assert_str_eq(cell("{\"a\": [{\"r\": 1}, {\"r\": 2}]}", "a.r", NULL, false), "1,2");
    ck_assert_str_eq(cell("{\"a\": [1, 2, 3]}", "a", "count", false), "3");
    ck_assert_str_eq(cell("{\"a\": [{\"agent\": \"1001\", \"level\": 5}, {\"agent\": \"1002\", \"level\": 0}]}", "a",
                          "pairs", false),
                     "1001:5,1002");
    ck_assert_str_eq(cell("{\"a\": 59999}", "a", "ms", false), "59.9 s");
    ck_assert_str_eq(cell("{\"a\": 61000}", "a", "ms", false), "1m01s");
    ck_assert_str_eq(cell("{\"a\": 61000}", "a", "ms", true), "61000");
    ck_assert_str_eq(cell("{\"a\": 90061000}", "a", "ms", false), "1d01h");
    ck_assert_str_eq(cell("{\"a\": 1234}", "a", "us", false), "1.2 ms");
    ck_assert_str_eq(cell("{\"a\": 1500000}", "a", "bytes", false), "1.5 MB");
    ck_assert_str_eq(cell("{\"a\": true}", "a", "up", false), "up");
    ck_assert_str_eq(cell("{\"a\": false}", "a", "yes", false), "");
    ck_assert_str_eq(cell("{\"a\": 9223372036854775807}", "a", NULL, false), "9223372036854775807");
    ck_assert_str_eq(cell("{\"a\": \"2026-03-01T09:30:00.125Z\"}", "a", "time", false), "2026-03-01 09:30:00");
    ck_assert_str_eq(cell("{\"a\": \"not a time\"}", "a", "time", false), "not a time");
}
END_TEST

static char *printed(enum cli_format format, const char *json, const char *columns)
{
    static char text[1024];
    json_t *list = json_loads(json, 0, NULL);
    ck_assert_ptr_nonnull(list);
    memset(text, 0, sizeof text);
    FILE *f = fmemopen(text, sizeof text - 1, "w");
    struct cli_out o = {.to = f, .format = format};
    ck_assert_int_eq(cli_out_list(&o, list, columns, "none"), 0);
    fclose(f);
    json_decref(list);
    return text;
}

START_TEST(lists)
{
    static const char rows[] =
        "[{\"n\": \"李娜\", \"v\": 7, \"w\": \"x,y\"}, {\"n\": \"Bob\", \"v\": 1234, \"w\": \"\"}]";
    ck_assert_str_eq(printed(CLI_TABLE, rows, "NAME=n V=v | W=w"), "NAME     V\n李娜     7\nBob   1234\n");
    ck_assert_str_eq(printed(CLI_WIDE, rows, "NAME=n | W=w"), "NAME  W\n李娜  x,y\nBob   -\n");
    ck_assert_str_eq(printed(CLI_CSV, rows, "NAME=n | W=w"), "n,w\r\n李娜,\"x,y\"\r\nBob,\r\n");
    ck_assert_str_eq(printed(CLI_TABLE, "[]", "NAME=n"), "none\n");
    ck_assert_str_eq(printed(CLI_JSON, "[]", "NAME=n"), "[]\n");
}
END_TEST

/* Callers choose their names, and the file is opened by whoever counts their calls. */
START_TEST(a_spreadsheet_calculates_nothing)
{
    static const char rows[] = "[{\"a\": \"=HYPERLINK(\\\"http://x\\\")\", \"b\": \"@SUM(A1)\"}, {\"a\": \"+1+cmd|x\", \"b\": \"-2+3\"},"
                               " {\"a\": \"+8613800138000\", \"b\": \"-1.5\"}, {\"a\": \"-\", \"b\": \"\\u001b[2J\\u009bx\\u007f\"},"
                               " {\"a\": \"\\tx\", \"b\": \"a=b\\nc\"}]";
    ck_assert_str_eq(printed(CLI_CSV, rows, "A=a B=b"), "a,b\r\n\"'=HYPERLINK(\"\"http://x\"\")\",'@SUM(A1)\r\n'+1+cmd|x,'-2+3\r\n"
                                                        "+8613800138000,-1.5\r\n-,\uFFFD[2J\uFFFDx\uFFFD\r\n'\tx,\"a=b\nc\"\r\n");
}
END_TEST

static void begin(const char *line, struct cli_args *args, struct cli_run *r)
{
    struct err_info info;
    ck_assert_msg(parse(line, args, &info) == 0, "%s", info.text);
    *r = (struct cli_run){.args = args, .verb = args->verb, .out.to = stdout};
}

/* What --dry-run would send, on one line. */
static char *would(const char *line)
{
    static char text[1024];
    struct cli_args args;
    struct cli_run r;
    begin(line, &args, &r);
    memset(text, 0, sizeof text);
    r.out.to = fmemopen(text, sizeof text - 1, "w");
    json_t *body = cli_run_body(&r);
    ck_assert_ptr_nonnull(body);
    ck_assert_int_eq(cli_run_would(&r, "PATCH", "/v1/x", body), 0);
    fclose(r.out.to);
    json_decref(body);
    return text;
}

START_TEST(secrets_are_not_shown)
{
    char path[] = "/tmp/everline-secret-XXXXXX", line[128];
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, "hush-hush\n", 10), 10);
    close(fd);
    static const char *const lines[] = {"secret set crm --value-file", "extension set 8001 --site a --password-file"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(line, sizeof line, "%s %s", lines[i], path);
        const char *text = would(line);
        ck_assert_msg(strstr(text, "(hidden)") && !strstr(text, "hush"), "%s", text);
    }
    unlink(path);
}
END_TEST

START_TEST(names_stay_names)
{
    static const char *const bad[] = {"agent show ..", "queue delete a/../b", "token delete ../queues/service"};
    struct cli_args args;
    struct cli_run r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin(bad[i], &args, &r);
        ck_assert_msg(cli_run_target(&r, args.verb->path) == NULL, "%s", bad[i]);
    }
    begin("agent show a:b?c", &args, &r);
    char *target = cli_run_target(&r, args.verb->path);
    ck_assert_str_eq(target, "/v1/agents/a%3Ab%3Fc");
    free(target);
}
END_TEST

START_TEST(times)
{
    static const struct {
        const char *text, *utc;
    } t[] = {{"2026-03-01", "2026-03-01T00:00:00Z"},
             {"2026-03-01T09:30", "2026-03-01T09:30:00Z"},
             {"2026-03-01 09:30:15", "2026-03-01T09:30:15Z"},
             {"2024-02-29", "2024-02-29T00:00:00Z"},
             /* refused by the node, as they are */
             {"2026-02-29", "2026-02-29"},
             {"2026-04-31T10:00", "2026-04-31T10:00"},
             {"tomorrow", "tomorrow"},
             {"2026-03-01T09:30:00+08:00", "2026-03-01T09:30:00+08:00"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char *got = cli_run_time(t[i].text, false);
        ck_assert_str_eq(got, t[i].utc);
        free(got);
    }
    ck_assert_ptr_nonnull(strstr(would("flow test welcome --at 2026-10-01T09:30"), "\"2026-10-01T09:30:00Z\""));
}
END_TEST

int main(void)
{
    setenv("TZ", "UTC", 1);
    cli_out_init();
    TCase *tc = tcase_create("cli");
    tcase_add_test(tc, table_is_consistent);
    tcase_add_test(tc, examples_parse);
    tcase_add_test(tc, options_anywhere);
    tcase_add_test(tc, watch_takes_seconds_only_when_they_are_no_argument);
    tcase_add_test(tc, refusals);
    tcase_add_test(tc, nearest);
    tcase_add_test(tc, widths);
    tcase_add_test(tc, cells);
    tcase_add_test(tc, lists);
    tcase_add_test(tc, a_spreadsheet_calculates_nothing);
    tcase_add_test(tc, secrets_are_not_shown);
    tcase_add_test(tc, names_stay_names);
    tcase_add_test(tc, times);
    Suite *s = suite_create("cli");
    suite_add_tcase(s, tc);
    return run_suite(s);
}
