/* Who may act and who leads when nodes are cut off, halted or killed. One rule is looked at after each turn of the loop: when a
 * leader may declare a node down, that node's lease is older than detect_ms. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/raft/fixture.h"
#include "tests/unit/suite.h"

#define DETECT_MS 300u
#define NEVER_MS 60000u /* an election time-out that no test lives to see */

static unsigned fenced; /* bit i: a leader may declare node i down */

/* A leader of an older term may think what it likes: nothing that it declares is committed. */
static struct fx_node *newest_leader(struct fx *fx)
{
    struct fx_node *found = NULL;
    uint64_t term = 0;
    for (unsigned i = 0; i < FX_NODES; i++) {
        struct repl_status s = {.term = 0};
        if (fx->nodes[i].repl)
            repl_get_status(fx->nodes[i].repl, &s);
        if (s.term > term && s.state == REPL_LEADER) {
            found = &fx->nodes[i];
            term = s.term;
        }
    }
    return found && found->leader_ready ? found : NULL;
}

static bool is_gone(struct fx_node *leader, uint64_t id)
{
    struct repl_peer_info p[FX_NODES];
    size_t n = repl_peers(leader->repl, p, FX_NODES);
    for (size_t i = 0; i < n && i < FX_NODES; i++)
        if (p[i].id == id && p[i].up && !p[i].silent)
            return false;
    return true;
}

static void one_owner(struct fx *fx)
{
    struct fx_node *leader = newest_leader(fx);
    for (unsigned x = 0; leader && x < FX_NODES; x++) {
        struct fx_node *node = &fx->nodes[x];
        if (node == leader || !node->repl || !repl_id(node->repl) || !is_gone(leader, repl_id(node->repl)) ||
            !repl_fence(leader->repl, repl_id(node->repl), false))
            continue;
        fenced |= 1u << x;
        ck_assert_uint_ge(repl_lease_age_us(node->repl), DETECT_MS * 1000u);
    }
}

static bool young(const struct fx_node *n)
{
    return n->repl && repl_lease_age_us(n->repl) < 250000u;
}

static bool all_young(struct fx *fx, void *arg)
{
    for (unsigned i = 0; i < *(unsigned *)arg; i++)
        if (!young(&fx->nodes[i]))
            return false;
    return newest_leader(fx) != NULL;
}

static bool all_fenced(struct fx *fx, void *arg)
{
    (void)fx;
    return (fenced & *(unsigned *)arg) == *(unsigned *)arg;
}

static struct fx *cluster(unsigned n)
{
    struct fx *fx = fx_new();
    fenced = 0;
    fx_cluster(fx, n);
    ck_assert(fx_until(fx, all_young, &n));
    fx->each_turn = one_owner;
    return fx;
}

static void unfence(struct fx *fx, unsigned who)
{
    for (unsigned l = 0; l < FX_NODES; l++)
        for (unsigned x = 0; x < FX_NODES && fx->nodes[l].repl; x++)
            if ((who >> x & 1) && fx->nodes[x].repl)
                repl_unfence(fx->nodes[l].repl, repl_id(fx->nodes[x].repl));
    fenced &= ~who;
}

static bool heard_again(struct fx *fx, void *arg)
{
    struct fx_node *leader = newest_leader(fx);
    return leader && leader->heard_again > *(unsigned *)arg;
}

/* A follower alone, the leader alone. */
START_TEST(test_cut_off)
{
    struct fx *fx = cluster(3);
    unsigned n = 3, leader = (unsigned)fx_leader(fx), victim = _i ? leader : (leader + 1) % 3, who = 1u << victim;
    fx->cut = who;
    ck_assert(fx_until(fx, all_fenced, &who));
    struct fx_node *leads = newest_leader(fx);
    ck_assert_ptr_nonnull(leads);
    ck_assert_ptr_ne(leads, &fx->nodes[victim]);
    ck_assert_uint_ge(repl_lease_age_us(fx->nodes[victim].repl), DETECT_MS * 1000u);
    unsigned before = leads->heard_again;
    ck_assert_uint_gt(leads->silent, 0);
    fx->cut = 0;
    /* it is back, and gets no lease before its loss is committed */
    ck_assert(fx_until(fx, heard_again, &before));
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_int_eq(fx_commit(fx, (unsigned)(leads - fx->nodes), i), 0);
        ck_assert(!young(&fx->nodes[victim]));
    }
    unfence(fx, who);
    ck_assert(fx_until(fx, all_young, &n));
    fx_free(fx);
}
END_TEST

/* The leader and one that still hears it, cut off from the rest. */
START_TEST(test_leader_and_another_cut_off)
{
    struct fx *fx = cluster(5);
    unsigned n = 5, leader = (unsigned)fx_leader(fx), who = 1u << leader | 1u << (leader + 1) % 5;
    fx->island = who;
    ck_assert(fx_until(fx, all_fenced, &who));
    fx->island = 0;
    fx->each_turn = NULL; /* it would declare them again before they are back */
    unfence(fx, who);
    ck_assert(fx_until(fx, all_young, &n));
    fx_free(fx);
}
END_TEST

static bool knows_silence(struct fx *fx, void *arg)
{
    return fx->nodes[*(unsigned *)arg].silent > 0;
}

/* Who alone has lost the leader starts no election: the others still hear it. Its lease runs out all the same. */
START_TEST(test_link_to_the_leader_lost)
{
    struct fx *fx = cluster(3);
    unsigned leader = (unsigned)fx_leader(fx), other = (leader + 1) % 3, who = 1u << other;
    struct repl_status before, after;
    repl_get_status(fx->nodes[leader].repl, &before);
    fx->pair = 1u << leader | 1u << other;
    ck_assert(fx_until(fx, knows_silence, &other));
    ck_assert(fx_until(fx, all_fenced, &who));
    for (uint32_t i = 0; i < 50; i++)
        ck_assert_int_eq(fx_commit(fx, leader, i), 0);
    repl_get_status(fx->nodes[leader].repl, &after);
    ck_assert_uint_eq(before.term, after.term);
    ck_assert_int_eq(after.state, REPL_LEADER);
    fx_free(fx);
}
END_TEST

/* Hands over and back: a lease does not stop for it. */
START_TEST(test_handing_over_keeps_leases)
{
    struct fx *fx = cluster(3);
    unsigned n = 3;
    for (unsigned i = 0; i < 3; i++) {
        int leader = fx_leader(fx);
        ck_assert_int_ge(leader, 0);
        ck_assert_int_eq(
            fx_member_op(fx, (unsigned)leader, FX_TRANSFER, fx->nodes[(leader + 1) % 3].name, NULL, NULL, NULL, 0), 0);
        ck_assert(fx_until(fx, all_young, &n));
    }
    ck_assert_uint_eq(fenced, 0);
    fx_free(fx);
}
END_TEST

/* ---- a node in a process of its own, which may be halted or killed */

struct other {
    pid_t keeper, pid; /* who starts it again as long as it may, and the process itself */
    int runs[2];       /* a byte comes out of this when a process of it takes connections */
    unsigned turns;
    uint64_t id, incarnation, age_us, least_us; /* least of the turns that began since `anew` was set */
    bool leads, again, anew;
};

static struct other *other; /* shared between the processes */

static void other_turn(struct fx *fx)
{
    struct fx_node *n = &fx->nodes[2];
    if (other->anew) {
        other->least_us = UINT64_MAX;
        other->anew = false;
    }
    uint64_t age = repl_lease_age_us(n->repl);
    other->pid = getpid();
    if (other->incarnation != repl_incarnation(n->repl))
        ck_assert_int_eq(write(other->runs[1], "", 1), 1);
    other->id = repl_id(n->repl);
    other->incarnation = repl_incarnation(n->repl);
    other->leads = n->leader_ready;
    other->age_us = age;
    if (age < other->least_us)
        other->least_us = age;
    other->turns++;
}

static bool other_never(struct fx *fx, void *arg)
{
    (void)fx;
    (void)arg;
    return false;
}

static void other_main(struct fx *fx)
{
    struct err_info info = {0};
    ck_assert_int_eq(uv_loop_fork(&fx->loop), 0);
    if (fx_start(fx, 2, false, 0, &info))
        _exit(1);
    fx->each_turn = other_turn;
    for (;;)
        (void)fx_until(fx, other_never, NULL);
}

static void other_keep(struct fx *fx)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    do {
        pid_t pid = fork();
        if (!pid) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            other_main(fx);
        }
        (void)waitpid(pid, NULL, 0);
    } while (other->again);
    _exit(0);
}

static void other_runs(void)
{
    char byte;
    ck_assert_int_eq(read(other->runs[0], &byte, 1), 1);
}

static bool other_votes(struct fx *fx, void *arg)
{
    struct repl_peer_info p[FX_NODES];
    (void)arg;
    int leader = fx_leader(fx);
    size_t n = leader < 0 ? 0 : repl_peers(fx->nodes[leader].repl, p, FX_NODES);
    for (size_t i = 0; i < n && i < FX_NODES; i++)
        if (p[i].id == other->id && p[i].role == REPL_VOTER && p[i].up)
            return other->age_us < 250000u;
    return false;
}

static bool other_leads(struct fx *fx, void *arg)
{
    (void)fx;
    (void)arg;
    return other->leads && other->age_us < 250000u;
}

/* Nodes 1 and 2 here, node 3 in a process; it leads if asked to. Elections only by the fast way. */
static struct fx *with_other(bool leads)
{
    struct fx *fx = fx_new();
    char text[256] = "";
    fenced = 0;
    fx->election_ms = NEVER_MS;
    other = mmap(NULL, sizeof *other, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(other, MAP_FAILED);
    other->age_us = UINT64_MAX;
    other->again = true;
    ck_assert_int_eq(pipe(other->runs), 0);
    pid_t keeper = fork();
    ck_assert_int_ge(keeper, 0);
    if (!keeper)
        other_keep(fx);
    other->keeper = keeper;
    other_runs();
    fx_cluster(fx, 2);
    ck_assert_msg(fx_member_op(fx, 0, FX_ADD, "n3", fx->nodes[2].listen, NULL, text, sizeof text) == 0, "%s", text);
    ck_assert(fx_until(fx, other_votes, NULL));
    if (leads) {
        ck_assert_int_eq(fx_member_op(fx, (unsigned)fx_leader(fx), FX_TRANSFER, "n3", NULL, NULL, NULL, 0), 0);
        ck_assert(fx_until(fx, other_leads, NULL));
    }
    return fx;
}

static void without_other(struct fx *fx)
{
    other->again = false;
    (void)kill(other->keeper, SIGKILL); /* and with it who it keeps */
    ck_assert_int_eq(waitpid(other->keeper, NULL, 0), other->keeper);
    close(other->runs[0]);
    close(other->runs[1]);
    fx->each_turn = NULL;
    fx_free(fx);
    munmap(other, sizeof *other);
}

static bool other_fenced(struct fx *fx, void *arg)
{
    (void)arg;
    int leader = fx_leader(fx);
    return leader >= 0 && fx->nodes[leader].silent && repl_fence(fx->nodes[leader].repl, other->id, false);
}

static bool other_turned(struct fx *fx, void *arg)
{
    struct repl_peer_info p[FX_NODES];
    size_t n = repl_peers(fx->nodes[fx_leader(fx)].repl, p, FX_NODES);
    for (size_t i = 0; i < n && i < FX_NODES; i++)
        if (p[i].id == other->id && (!p[i].up || p[i].silent))
            return false;
    return other->turns > *(unsigned *)arg;
}

static bool other_young(struct fx *fx, void *arg)
{
    (void)fx;
    (void)arg;
    return other->age_us < 250000u;
}

/* Halted until it may be declared down, then set free with all the old answers in its sockets: they renew nothing. */
START_TEST(test_halted)
{
    struct fx *fx = with_other(_i);
    ck_assert_int_eq(kill(other->pid, SIGSTOP), 0);
    ck_assert(fx_until(fx, other_fenced, NULL));
    other->anew = true; /* it may have been halted with an age in its hand */
    unsigned turns = other->turns + 50;
    ck_assert_int_eq(kill(other->pid, SIGCONT), 0);
    ck_assert(fx_until(fx, other_turned, &turns));
    ck_assert_uint_ge(other->least_us, DETECT_MS * 1000u);
    ck_assert(!other->leads);
    repl_unfence(fx->nodes[fx_leader(fx)].repl, other->id);
    ck_assert(fx_until(fx, other_young, NULL));
    without_other(fx);
}
END_TEST

/* A loop that turns late, as on a machine that has too much to do. */
static void late_turn(struct fx *fx)
{
    (void)fx;
    uv_sleep(50);
}

/* The two who are left come late to everything: the second one does not take its own lateness for the first one's silence. */
START_TEST(test_killed_and_late)
{
    struct fx *fx = with_other(true);
    fx->each_turn = late_turn;
    other->again = false;
    ck_assert_int_eq(kill(other->pid, SIGKILL), 0);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    without_other(fx);
}
END_TEST

static bool cut_from_leader(struct fx *fx, void *arg)
{
    struct repl_peer_info p[FX_NODES];
    bool up = false, silent = false;
    size_t n = repl_peers(fx->nodes[0].repl, p, FX_NODES);
    for (size_t i = 0; i < n && i < FX_NODES; i++)
        if (p[i].id == other->id) {
            up = p[i].up;
            silent = p[i].silent;
        }
    return !up && (!*(bool *)arg || silent);
}

/* The one with the lowest id lacks what the other has acknowledged, whether or not it had lost the leader long before: it does not
 * even stand, so that the other is elected by the first election there is. */
START_TEST(test_killed_and_the_lowest_is_behind)
{
    struct fx *fx = with_other(true);
    struct repl_status before, after;
    bool long_before = _i;
    fx->pair = 1u << 0 | 1u << 2;
    ck_assert(fx_until(fx, cut_from_leader, &long_before));
    ck_assert_int_eq(fx_commit(fx, 1, 1), 0);
    ck_assert_uint_lt(fx->nodes[0].n, fx->nodes[1].n);
    repl_get_status(fx->nodes[1].repl, &before);
    other->again = false;
    ck_assert_int_eq(kill(other->pid, SIGKILL), 0);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    ck_assert_int_eq(fx_leader(fx), 1);
    repl_get_status(fx->nodes[1].repl, &after);
    ck_assert_uint_eq(after.term, before.term + 1);
    ck_assert_int_eq(fx_commit(fx, 0, 2), 0);
    ck_assert_uint_eq(fx->nodes[0].n, fx->nodes[1].n);
    without_other(fx);
}
END_TEST

static unsigned sync_ms; /* a disk that is as slow as that in this process */

static int slow_sync(long call, int fd)
{
    if (sync_ms)
        uv_sleep(sync_ms);
    return (int)syscall(call, fd);
}

/* instead of the C library's, for the engine too */
int fsync(int fd)
{
    return slow_sync(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return slow_sync(SYS_fdatasync, fd);
}

/* As slow as both ends of a test machine at its busiest: a vote takes longer to write than libraft's own time-out. Whoever stands is
 * given the time that it needs, however often it has stood in vain. */
START_TEST(test_killed_late_and_slow)
{
    struct fx *fx = with_other(true);
    fx->each_turn = late_turn;
    other->again = false;
    sync_ms = _i ? 150 : 60;
    ck_assert_int_eq(kill(other->pid, SIGKILL), 0);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    sync_ms = 0;
    without_other(fx);
}
END_TEST

/* The second one leads, or hears another one (it was so late itself that the third one stood). */
static bool led_anew(struct fx *fx, void *arg)
{
    struct repl_status now, *before = arg;
    repl_get_status(fx->nodes[1].repl, &now);
    return now.term > before->term && now.leader && now.leader != before->leader;
}

/* Who stands needs far longer for its vote than the next one waits for a word of it: it has had its word. */
START_TEST(test_slow_disk_splits_no_votes)
{
    struct fx *fx = with_other(false);
    struct repl_status before, after;
    if (fx_leader(fx) != 0) {
        ck_assert_int_eq(fx_member_op(fx, (unsigned)fx_leader(fx), FX_TRANSFER, "n1", NULL, NULL, NULL, 0), 0);
        ck_assert_int_eq(fx_leader(fx), 0);
    }
    ck_assert_int_eq(fx_commit(fx, 1, 1), 0);
    repl_get_status(fx->nodes[0].repl, &before);
    sync_ms = 100;
    fx->cut = 1u << 0;
    ck_assert(fx_until(fx, led_anew, &before));
    sync_ms = 0;
    repl_get_status(fx->nodes[1].repl, &after);
    ck_assert_uint_eq(after.term, before.term + 1);
    fx->cut = 0;
    without_other(fx);
}
END_TEST

static bool refused_by_both(struct fx *fx, void *arg)
{
    (void)arg;
    return fx->nodes[0].refusals && fx->nodes[1].refusals;
}

/* Its process is known dead at once; if it led, another leads without waiting for a time-out. */
START_TEST(test_killed)
{
    struct fx *fx = with_other(_i);
    fx->nodes[0].refusals = fx->nodes[1].refusals = 0;
    other->again = false;
    ck_assert_int_eq(kill(other->pid, SIGKILL), 0);
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    ck_assert_int_eq(fx_commit(fx, 0, 1), 0);
    ck_assert_int_eq(fx_commit(fx, 1, 2), 0);
    ck_assert(fx_until(fx, refused_by_both, NULL));
    ck_assert(repl_fence(fx->nodes[fx_leader(fx)].repl, other->id, true));
    without_other(fx);
}
END_TEST

static struct {
    unsigned looks, dead, silent;
} unready;

static void fence_unready(struct fx *fx)
{
    struct repl_status st;
    for (unsigned i = 0; i < 2; i++) {
        repl_get_status(fx->nodes[i].repl, &st);
        if (st.state != REPL_LEADER || fx->nodes[i].leader_ready)
            continue;
        unready.looks++;
        unready.silent += repl_fence(fx->nodes[i].repl, other->id, false);
        unready.dead += repl_fence(fx->nodes[i].repl, other->id, true);
    }
}

static bool one_is_ready(struct fx *fx, void *arg)
{
    (void)arg;
    return fx->nodes[0].leader_ready || fx->nodes[1].leader_ready;
}

/* What a dead leader had may be given away by the first entry of the next; of one that is only silent nothing is known yet. */
START_TEST(test_killed_and_next_not_ready)
{
    struct fx *fx = with_other(true);
    other->again = false;
    unready.looks = unready.dead = unready.silent = 0;
    fx->each_turn = fence_unready;
    ck_assert_int_eq(kill(other->pid, SIGKILL), 0);
    ck_assert(fx_until(fx, one_is_ready, NULL));
    fx->each_turn = NULL;
    ck_assert_uint_gt(unready.looks, 0);
    ck_assert_uint_eq(unready.dead, unready.looks);
    ck_assert_uint_eq(unready.silent, 0);
    without_other(fx);
}
END_TEST

static bool dead_to_both(struct fx *fx, void *arg)
{
    uint64_t incarnation = *(uint64_t *)arg;
    return fx->nodes[0].dead == incarnation && fx->nodes[1].dead == incarnation;
}

/* Killed, and started again before anybody looked: no dial is refused, the hello of the new process says that the old one is dead. */
START_TEST(test_restarted)
{
    struct fx *fx = with_other(_i);
    uint64_t incarnation = other->incarnation;
    fx->nodes[0].refusals = fx->nodes[1].refusals = 0;
    ck_assert_int_eq(kill(other->pid, SIGKILL), 0);
    other_runs();
    ck_assert(fx_until(fx, dead_to_both, &incarnation));
    ck_assert(fx_until(fx, fx_has_leader, NULL));
    ck_assert_int_eq(fx_commit(fx, 0, 1), 0);
    ck_assert_int_eq(fx_commit(fx, 1, 2), 0);
    ck_assert_uint_eq(fx->nodes[0].refusals + fx->nodes[1].refusals, 0);
    ck_assert(repl_fence(fx->nodes[fx_leader(fx)].repl, other->id, true));
    without_other(fx);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("raft lease");
    TCase *tc = tcase_create("lease");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_cut_off, 0, 2);
    tcase_add_test(tc, test_leader_and_another_cut_off);
    tcase_add_test(tc, test_link_to_the_leader_lost);
    tcase_add_test(tc, test_handing_over_keeps_leases);
    tcase_add_loop_test(tc, test_halted, 0, 2);
    tcase_add_loop_test(tc, test_killed, 0, 2);
    tcase_add_test(tc, test_killed_and_late);
    tcase_add_test(tc, test_killed_and_next_not_ready);
    tcase_add_loop_test(tc, test_killed_and_the_lowest_is_behind, 0, 2);
    tcase_add_test(tc, test_slow_disk_splits_no_votes);
    tcase_add_loop_test(tc, test_restarted, 0, 2);
    suite_add_tcase(s, tc);
    TCase *late = tcase_create("late");
    tcase_set_timeout(late, 60);
    tcase_add_loop_test(late, test_killed_late_and_slow, 0, 2);
    suite_add_tcase(s, late);
    return run_suite(s);
}
