/* Real clients, started as children: sipp (scenarios in tests/unit/telephony/sipp) and baresip. Run from the top folder, or with
 * TEST_ROOT naming it. */
#include <limits.h>
#include <sys/stat.h>

#include "tests/unit/telephony/test_sip_env.h"

#define CALLS 30

static char scenario[PATH_MAX];

static const char *scenario_file(const char *name)
{
    const char *root = getenv("TEST_ROOT");
    char rel[PATH_MAX];
    snprintf(rel, sizeof rel, "%s/tests/unit/telephony/sipp/%s.xml", root ? root : ".", name);
    ck_assert_msg(realpath(rel, scenario) != NULL, "no %s: run from the top folder or set TEST_ROOT", rel);
    return scenario;
}

static pid_t start_child(char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        for (int fd = 3; fd < 256; fd++)
            close(fd);
        if (chdir("/tmp") != 0)
            _exit(126);
        execvp(argv[0], argv);
        _exit(127);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

/* Until the child ends; its exit code. */
static int child_result(struct env *e, pid_t pid)
{
    int status = 0;
    uint64_t end = now_ms() + 30000;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            ck_abort_msg("the client did not end");
        }
        env_turn(e);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void answer_all(struct env *e, struct sip_leg *leg, const struct sip_event *ev)
{
    if (ev->type == SIP_EV_REOFFER)
        ck_assert_int_eq(sip_leg_reanswer(leg, 200, SDP_B), 0);
    e->n_ev = 0; /* counted by status only */
    if (ev->type == SIP_EV_ENDED)
        e->registers++; /* calls that ended */
}

static void answer_invite(struct env *e, struct sip_leg *leg)
{
    (void)e;
    ck_assert_int_eq(sip_leg_ring(leg, 180, NULL), 0);
    ck_assert_int_eq(sip_leg_answer(leg, SDP_B), 0);
}

static void sipp_calls_us(const char *ip, const char *transport)
{
    struct env *e = env_new();
    e->on_invite = answer_invite;
    e->on_event = answer_all;
    env_start_at(e, ip);
    char target[96], calls[8];
    snprintf(target, sizeof target, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, e->port);
    snprintf(calls, sizeof calls, "%d", CALLS);
    char bare[64];
    snprintf(bare, sizeof bare, "%s", ip);
    char *argv[] = {"sipp", target, "-sf",      (char *)scenario_file("uac"),
                    "-i",   bare,   "-t",       (char *)transport,
                    "-m",   calls,  "-r",       "30",
                    "-l",   "10",   "-nostdin", "-timeout",
                    "20s",  NULL};
    ck_assert_int_eq(child_result(e, start_child(argv)), 0);
    ck_assert_int_eq(e->invites, CALLS);
    env_until(e, e->registers == CALLS);
    env_stop(e);
}

START_TEST(sipp_udp)
{
    sipp_calls_us("127.0.0.1", "u1");
}
END_TEST

START_TEST(sipp_tcp)
{
    sipp_calls_us("127.0.0.1", "t1");
}
END_TEST

START_TEST(sipp_ipv6)
{
    sipp_calls_us("::1", "u1");
}
END_TEST

static void ring_only(struct env *e, struct sip_leg *leg)
{
    (void)e;
    ck_assert_int_eq(sip_leg_ring(leg, 180, NULL), 0);
}

START_TEST(sipp_gives_up)
{
    struct env *e = env_new();
    e->on_invite = ring_only;
    env_start(e);
    char target[64];
    snprintf(target, sizeof target, "127.0.0.1:%u", e->port);
    char *argv[] = {"sipp", target,      "-sf",      (char *)scenario_file("cancel"),
                    "-i",   "127.0.0.1", "-m",       "5",
                    "-r",   "20",        "-nostdin", "-timeout",
                    "20s",  NULL};
    ck_assert_int_eq(child_result(e, start_child(argv)), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(env_event(e, SIP_EV_FAILED)->status, 487);
    env_stop(e);
}
END_TEST

START_TEST(sipp_registers)
{
    struct env *e = env_new();
    e->identity = SIP_ID_PHONE;
    env_start(e);
    char target[64];
    snprintf(target, sizeof target, "127.0.0.1:%u", e->port);
    char *argv[] = {"sipp",     target,      "-sf", (char *)scenario_file("register"),
                    "-i",       "127.0.0.1", "-m",  "3",
                    "-nostdin", "-timeout",  "20s", NULL};
    ck_assert_int_eq(child_result(e, start_child(argv)), 0);
    ck_assert_int_eq(e->registers, 3);
    env_stop(e);
}
END_TEST

/* A loopback port that was free a moment ago. */
static uint16_t free_port(void)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    getsockname(s, (struct sockaddr *)&a, &len);
    close(s);
    return ntohs(a.sin_port);
}

/* Whether somebody listens on this UDP port, by the kernel's table. */
static bool listens(uint16_t port)
{
    char line[256], want[16];
    snprintf(want, sizeof want, "0100007F:%04X ", port);
    FILE *f = fopen("/proc/net/udp", "r");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, want) != NULL;
    if (f)
        fclose(f);
    return found;
}

START_TEST(we_call_sipp)
{
    struct env *e = env_new();
    env_start(e);
    char port[8];
    uint16_t there = free_port();
    snprintf(port, sizeof port, "%u", there);
    char *argv[] = {
        "sipp", "-sf", (char *)scenario_file("uas"), "-i", "127.0.0.1", "-p", port, "-m", "1", "-nostdin", "-timeout",
        "20s",  NULL};
    pid_t pid = start_child(argv);
    struct peer *p = peer_udp(e);
    p->port = there;
    env_until(e, listens(there));
    struct sip_leg *leg = peer_called(p);
    env_event(e, SIP_EV_PROGRESS);
    struct seen *s = env_event(e, SIP_EV_ANSWERED);
    ck_assert(s->has_sdp);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    sip_leg_release(leg, 0, NULL);
    ck_assert_int_eq(child_result(e, pid), 0);
    peer_free(p);
    env_stop(e);
}
END_TEST

/* baresip registers, is called, answers by itself and is hung up on. */
START_TEST(baresip_phone)
{
    struct env *e = env_new();
    e->identity = SIP_ID_PHONE;
    env_start(e);
    char dir[] = "/tmp/baresip-test-XXXXXX", path[128], listen[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/config", dir);
    FILE *f = fopen(path, "w");
    snprintf(listen, sizeof listen, "127.0.0.1:%u", free_port());
    fprintf(f,
            "sip_listen %s\ncall_max_calls 4\naudio_source ausine,440\nausrc_srate 48000\nausrc_channels 2\n"
            "module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule ausine.so\n"
            "module_app account.so\nmodule_app menu.so\n",
            listen);
    fclose(f);
    snprintf(path, sizeof path, "%s/accounts", dir);
    f = fopen(path, "w");
    fprintf(f, "<sip:8001@127.0.0.1:%u>;auth_user=8001;auth_pass=secret;regint=60;answermode=auto\n", e->port);
    fclose(f);
    char *argv[] = {"baresip", "-4", "-f", dir, "-n", "127.0.0.1", NULL};
    pid_t pid = start_child(argv);
    env_until(e, e->registers > 0);
    ck_assert_str_eq(e->reg_text[0], "8001");
    struct peer *p = peer_udp(e);
    char target[160], call_id[64], branch[64];
    struct sip_out_params params = peer_params(p, target, call_id, branch);
    params.target = e->reg_uri[0];
    params.flow = e->reg_text[1];
    struct sip_leg *leg = NULL;
    ck_assert_int_eq(sip_leg_invite(e->ua, &params, &leg, NULL), 0);
    struct seen *s;
    do {
        env_until(e, e->next_ev < e->n_ev);
        s = &e->ev[e->next_ev++];
        ck_assert_msg(s->type == SIP_EV_PROGRESS || s->type == SIP_EV_ANSWERED, "event %d %d %s", (int)s->type,
                      s->status, s->phrase);
    } while (s->type != SIP_EV_ANSWERED);
    ck_assert(s->has_sdp);
    ck_assert_int_eq(sip_leg_ack(leg), 0);
    ck_assert_int_eq(sip_leg_reinvite(leg, SDP_HOLD), 0);
    s = env_event(e, SIP_EV_REANSWERED);
    ck_assert_int_eq(s->status, 200);
    ck_assert(s->has_sdp);
    sip_leg_release(leg, 0, NULL);
    kill(pid, SIGTERM);
    child_result(e, pid);
    static const char *const left[] = {"config", "accounts", "uuid", "contacts", "current_contact"};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, left[i]);
        unlink(path);
    }
    rmdir(dir);
    peer_free(p);
    env_stop(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip with real clients");
    TCase *t = tcase_create("clients");
    tcase_set_timeout(t, 90);
    tcase_add_test(t, sipp_udp);
    tcase_add_test(t, sipp_tcp);
    tcase_add_test(t, sipp_ipv6);
    tcase_add_test(t, sipp_gives_up);
    tcase_add_test(t, sipp_registers);
    tcase_add_test(t, we_call_sipp);
    tcase_add_test(t, baresip_phone);
    suite_add_tcase(s, t);
    return run_suite(s);
}
