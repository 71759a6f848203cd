/* A process that applies a stream of entries is killed again and again at moments of chance and goes on from its stored index. In
 * the end its tables equal those of one that was never disturbed: nothing lost, nothing twice. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define ENTRIES 6000u
#define KILLS 24

/* Entry `index` of the stream: the same for everybody. Calls come, are answered if the index says so, and end. */
static void entry(struct fx *f, uint64_t index)
{
    f->seq = index - 1;
    f->index = index - 1;
    f->now = 1700000000 * US + index * 100000;
    switch (index) {
    case 1:
        (void)fx_node_up(f, "n1", 1, 1);
        return;
    case 2:
        (void)fx_set(f, "[{'kind':'trunk','name':'demo'},{'kind':'extension','number':'8001','contact':'sip:127.0.0.1:9'},"
                        "{'kind':'agent','number':'1001','extension':'8001'},"
                        "{'kind':'queue','name':'service','wrap_up_s':1,'members':[{'agent':'1001'}]},"
                        "{'kind':'access_number','number':'10003','queue':'service'}]");
        return;
    case 3:
        (void)fx_login(f, "1001");
        return;
    default:
        break;
    }
    uint64_t id = index / 4;
    if (index % 4 == 0)
        (void)fx_start(f, id, "13800", "10003", true);
    else if (index % 4 == 1)
        (void)fx_answer(f, id, core_call(f->c, id) ? core_call(f->c, id)->offer.id : 0);
    else if (index % 4 == 2)
        (void)fx_end(f, id > 3 && id % 7 ? id - 3 : id, "caller");
    else
        (void)fx_tick(f);
}

static void __attribute__((noreturn)) child(const char *dir, int to)
{
    struct fx f;
    memset(&f, 0, sizeof f);
    (void)snprintf(f.dir, sizeof f.dir, "%s", dir);
    f.incarnation = 1;
    f.node = "n1";
    f.actor = "node:n1";
    fx_reopen(&f);
    for (uint64_t i = f.index + 1; i <= ENTRIES; i++) {
        entry(&f, i);
        if (write(to, &i, sizeof i) != (ssize_t)sizeof i)
            _exit(3);
    }
    core_close(f.c);
    storage_close(f.st);
    _exit(0);
}

/* Lets it run for some entries, kills it, and returns the last index it reported (*end: it came to the end). */
static uint64_t run(const char *dir, unsigned entries, bool *end)
{
    int p[2];
    ck_assert_int_eq(pipe(p), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)close(p[0]);
        child(dir, p[1]);
    }
    (void)close(p[1]);
    uint64_t last = 0, i;
    bool killed = false;
    for (unsigned n = 0;; n++) {
        ssize_t got = read(p[0], &i, sizeof i);
        if (got != (ssize_t)sizeof i)
            break;
        last = i;
        if (n >= entries && !killed) {
            ck_assert_int_eq(kill(pid, SIGKILL), 0);
            killed = true; /* what it had reported until then is still read */
        }
    }
    (void)close(p[0]);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    *end = last == ENTRIES;
    return last;
}

START_TEST(test_killed_again_and_again)
{
    struct fx whole, f;
    memset(&f, 0, sizeof f);
    fx_temp(f.dir, sizeof f.dir);
    unsigned kills = 0;
    uint64_t rng = 12345, acknowledged = 0;
    for (bool end = false; !end; kills++) {
        rng = rng * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t last = run(f.dir, kills < KILLS ? (unsigned)(rng >> 33) % (ENTRIES / KILLS) : ENTRIES, &end);
        ck_assert(last == 0 || last > acknowledged);
        acknowledged = last ? last : acknowledged;
        f.incarnation = 1;
        f.node = f.actor = "n1";
        fx_reopen(&f); /* checks all pages and that the tables fit together */
        ck_assert_uint_ge(f.index, acknowledged);
        core_close(f.c);
        storage_close(f.st);
        f.c = NULL;
    }
    ck_assert_uint_ge(kills, 20);
    memset(&whole, 0, sizeof whole);
    fx_open(&whole);
    for (uint64_t i = 1; i <= ENTRIES; i++)
        entry(&whole, i);
    fx_reopen(&f);
    char a[65], b[65];
    fx_digest(&whole, a);
    fx_digest(&f, b);
    ck_assert_str_eq(a, b);
    struct core_counts n;
    core_get_counts(f.c, &n);
    ck_assert_uint_eq(n.calls_total, ENTRIES / 4);
    fx_close(&whole);
    fx_close(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core crash");
    TCase *t = tcase_create("kill");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, test_killed_again_and_again);
    suite_add_tcase(s, t);
    return run_suite(s);
}
