/* Precautions against faults of libraft (raft/README.md) that show only when something below or above it fails, so these tests
 * reach into a running node and make it fail there. */
#include <netinet/tcp.h>

#include "base/clock.h"
#include "raft/repl_int.h"
#include "raft/wire.h"
#include "tests/unit/raft/fixture.h"
#include "tests/unit/suite.h"

/* libraft loses its own request when a write fails at once: the process ends then anyway. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:raft_apply";
}

static bool is_fatal(struct fx *fx, void *arg)
{
    (void)fx;
    return ((struct fx_node *)arg)->fatals;
}

static void dies_of(struct fx *fx, struct fx_node *n, const char *word)
{
    ck_assert(fx_until(fx, is_fatal, n));
    ck_assert_uint_eq(n->fatals, 1);
    ck_assert_msg(strstr(n->fatal_text, word) != NULL, "\"%s\" says nothing of \"%s\"", n->fatal_text, word);
}

/* ---- a disk that fails: libraft would crash, or go on as if it had written ---- */

static int append_fails(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
                        raft_io_append_cb cb)
{
    (void)req;
    (void)entries;
    (void)n;
    (void)cb;
    snprintf(io->errmsg, sizeof io->errmsg, "the disk is gone");
    return RAFT_IOERR;
}

static int term_fails(struct raft_io *io, raft_term term)
{
    (void)term;
    snprintf(io->errmsg, sizeof io->errmsg, "the disk is gone");
    return RAFT_IOERR;
}

static int vote_fails(struct raft_io *io, raft_id id)
{
    (void)id;
    snprintf(io->errmsg, sizeof io->errmsg, "the disk is gone");
    return RAFT_IOERR;
}

START_TEST(test_failed_append_is_fatal)
{
    struct fx *fx = fx_new();
    struct fx_req req;
    fx_cluster(fx, 1);
    fx->nodes[0].repl->io_uv.append = append_fails;
    ck_assert_int_eq(fx_propose(fx, 0, &req, 1), 0);
    dies_of(fx, &fx->nodes[0], "cannot write the log: the disk is gone");
    ck_assert_uint_eq(fx->nodes[0].n, 0);
    fx_free(fx);
    ck_assert_int_eq(req.status, ERR_CLOSED);
}
END_TEST

/* A follower whose leader goes away stands for election, and must not without having written that down. */
static void election_with(int (*term)(struct raft_io *, raft_term), int (*vote)(struct raft_io *, raft_id),
                          const char *word)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 2);
    ck_assert_int_eq(fx_leader(fx), 0);
    if (term)
        fx->nodes[1].repl->io_uv.set_term = term;
    if (vote)
        fx->nodes[1].repl->io_uv.set_vote = vote;
    /* leadership is handed over, which makes the other one a candidate */
    ck_assert_int_eq(repl_transfer(fx->nodes[0].repl, "n2", NULL, NULL), 0);
    dies_of(fx, &fx->nodes[1], word);
    fx_free(fx);
}

START_TEST(test_failed_term_is_fatal)
{
    election_with(term_fails, NULL, "cannot write the term to disk");
}
END_TEST

START_TEST(test_failed_vote_is_fatal)
{
    election_with(NULL, vote_fails, "cannot write the vote to disk");
}
END_TEST

/* ---- a disk that is nearly full: commands are refused until there is room, none is lost ---- */

START_TEST(test_no_space_is_back_pressure)
{
    struct fx *fx = fx_new();
    struct fx_req first, second;
    fx_cluster(fx, 1);
    struct repl *r = fx->nodes[0].repl;
    unsigned short threshold = r->raft.capacity_threshold;
    raft_set_capacity_threshold(&r->raft, UINT16_MAX); /* more than there ever is */
    ck_assert_int_eq(fx_propose(fx, 0, &first, 1), 0);
    for (unsigned i = 0; i < 100 && !r->no_space; i++)
        fx_turn(fx);
    ck_assert(r->no_space);
    ck_assert_uint_eq(first.done, 0);
    ck_assert_int_eq(fx_propose(fx, 0, &second, 2), ERR_BUSY);
    ck_assert_uint_eq(fx->nodes[0].fatals, 0);
    raft_set_capacity_threshold(&r->raft, threshold);
    ck_assert(fx_until(fx, fx_done, &first));
    ck_assert_int_eq(first.status, 0);
    ck_assert_int_eq(fx_commit(fx, 0, 2), 0);
    ck_assert(fx_wait_same(fx, 2));
    fx_free(fx);
}
END_TEST

/* ---- sockets: without these options an answer waits for more to send, and a dead peer is noticed after minutes ---- */

START_TEST(test_socket_options)
{
    struct fx *fx = fx_new();
    unsigned found = 0;
    fx_cluster(fx, 2);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in a, b;
        socklen_t la = sizeof a, lb = sizeof b, len = sizeof(int);
        int nodelay = 0;
        unsigned timeout_ms = 0;
        if (getsockname(fd, (struct sockaddr *)&a, &la) || getpeername(fd, (struct sockaddr *)&b, &lb) ||
            a.sin_family != AF_INET || fx_owner_of(fx, &a) < 0 || fx_owner_of(fx, &b) < 0)
            continue;
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
        len = sizeof timeout_ms;
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &len), 0);
        ck_assert_int_ne(nodelay, 0);
        ck_assert_uint_eq(timeout_ms, MESH_SILENCE_MS);
        found++;
    }
    ck_assert_uint_ge(found, 2); /* both ends */
    fx_free(fx);
}
END_TEST

/* ---- libraft calls back later than it applies: what is in flight is counted when it is applied ---- */

static struct repl *watched;
static unsigned applied, in_flight_then;

static void count_in_flight(void *ctx, uint64_t index)
{
    (void)ctx;
    (void)index;
    applied++;
    in_flight_then += watched->inflight;
}

START_TEST(test_in_flight_ends_with_apply)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 1);
    watched = fx->nodes[0].repl;
    applied = in_flight_then = 0;
    watched->h.apply_done = count_in_flight;
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_int_eq(fx_commit(fx, 0, i), 0);
    ck_assert_uint_eq(applied, 5);
    ck_assert_uint_eq(in_flight_then, 0);
    fx_free(fx);
}
END_TEST

/* ---- a member that a commit concerns hears of it at once, others with what comes next ---- */

static struct repl *telling;
static uint64_t concerned;

static int apply_concerns(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                          struct repl_outcome *outcomes)
{
    repl_tell(telling, concerned);
    return fx_apply(ctx, index, term, items, n, outcomes);
}

START_TEST(test_concerned_member_is_told)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 2);
    ck_assert_int_eq(fx_leader(fx), 0);
    telling = fx->nodes[0].repl;
    concerned = _i ? repl_id(fx->nodes[1].repl) : 0;
    telling->h.apply = apply_concerns;
    for (uint32_t i = 0; i < 20; i++) { /* they come so fast that nobody else would be told before the next one */
        ck_assert_int_eq(fx_commit(fx, 0, i), 0);
        ck_assert_uint_eq(repl_member_find(telling, repl_id(fx->nodes[1].repl))->told_commit,
                          raft_commit_index(&telling->raft));
    }
    repl_tell(fx->nodes[1].repl, 0); /* no leader: of no effect */
    ck_assert_uint_eq(fx->nodes[1].repl->members[0].concerned, 0);
    fx_free(fx);
}
END_TEST

/* ---- a state that cannot be changed ends the node, and libraft hears nothing of it ---- */

static unsigned asked_to_apply;

static int apply_fails(void *ctx, uint64_t index, uint64_t term, const struct repl_item *items, unsigned n,
                       struct repl_outcome *outcomes)
{
    (void)ctx;
    (void)index;
    (void)term;
    (void)items;
    (void)n;
    (void)outcomes;
    asked_to_apply++;
    return ERR_IO;
}

START_TEST(test_failed_apply_is_fatal)
{
    struct fx *fx = fx_new();
    struct fx_req req[3];
    fx_cluster(fx, 2);
    asked_to_apply = 0;
    fx->nodes[1].repl->h.apply = apply_fails; /* a follower: there libraft would free the entries twice */
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(fx_propose(fx, 0, &req[i], i), 0);
    dies_of(fx, &fx->nodes[1], "could not be changed by log entry");
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert(fx_until(fx, fx_done, &req[i]));
        ck_assert_int_eq(req[i].status, 0);
    }
    for (unsigned i = 0; i < 50; i++)
        fx_turn(fx);
    ck_assert_uint_eq(asked_to_apply, 1);
    ck_assert_int_eq(fx_propose(fx, 1, &req[0], 9), ERR_CLOSED);
    fx_free(fx);
}
END_TEST

/* ---- the list of members is read at the end of a turn: until then nobody may be called removed by a newer index ---- */

static bool settled(struct fx *fx, void *arg)
{
    (void)arg;
    return fx->nodes[0].repl->members_uncommitted == 0;
}

START_TEST(test_list_that_is_behind_removes_nobody)
{
    struct fx *fx = fx_new();
    char why[256] = "";
    fx_cluster(fx, 2);
    ck_assert(fx_until(fx, settled, NULL));
    struct repl *r = fx->nodes[0].repl;
    struct mesh_hello hello = {.id = repl_id(fx->nodes[1].repl), .last_index = 1000, .name = "n2", .address = "x"};
    unsigned n = r->n_members;
    uint64_t committed = r->members_committed;
    ck_assert_uint_ge(committed, hello.id);
    ck_assert_uint_eq(n, 2);
    r->n_members = 1; /* as it was before the entry that added n2 came, in this turn */
    r->members_committed = 1;
    ck_assert_msg(repl_member_admit(r, &hello, why, sizeof why) == 0, "%s", why);
    r->n_members = n;
    r->members_committed = committed;
    hello.id = 2; /* an index that added nobody who is still there */
    ck_assert_int_eq(repl_member_admit(r, &hello, why, sizeof why), ERR_NOTFOUND);
    fx_free(fx);
}
END_TEST

/* ---- whom a removal concerns that is not committed is not told that it is removed: a new leader may know nothing of it ---- */

START_TEST(test_uncommitted_removal_sends_nobody_away)
{
    struct fx *fx = fx_new();
    char why[256] = "";
    fx_cluster(fx, 2);
    ck_assert(fx_until(fx, settled, NULL));
    struct repl *r = fx->nodes[0].repl;
    struct mesh_hello hello = {.id = repl_id(fx->nodes[1].repl), .last_index = 1000, .name = "n2", .address = "x"};
    ck_assert_uint_ge(r->members_committed, hello.id);
    memcpy(r->before, r->members, sizeof r->before);
    r->n_before = r->n_members;
    r->n_members = 1; /* the entry that removes n2 is in the log */
    r->members_uncommitted = r->members_committed + 1;
    ck_assert_msg(repl_member_admit(r, &hello, why, sizeof why) == 0, "%s", why);
    r->n_before = 0; /* restarted in between */
    ck_assert_int_eq(repl_member_admit(r, &hello, why, sizeof why), ERR_BUSY);
    r->members_uncommitted = 0;
    ck_assert_int_eq(repl_member_admit(r, &hello, why, sizeof why), ERR_NOTFOUND);
    fx_free(fx);
}
END_TEST

/* ---- whose id is above our list: needed to catch up, or a member no more that claims what it likes ---- */

static int admit(struct repl *r, uint64_t id, const char *name)
{
    char why[256];
    struct mesh_hello hello = {.id = id, .last_index = 1000, .address = "127.0.0.99:9"};
    snprintf(hello.name, sizeof hello.name, "%s", name);
    return repl_member_admit(r, &hello, why, sizeof why);
}

static bool is_no_peer(struct fx *fx, void *arg)
{
    struct mesh_peer_state state;
    return !mesh_peer_state(fx->nodes[1].repl->mesh, *(uint64_t *)arg, &state);
}

static unsigned ahead(const struct repl *r)
{
    unsigned n = 0;
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++)
        n += r->ahead[i].id != 0;
    return n;
}

START_TEST(test_ids_above_the_list_are_bounded)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 2);
    ck_assert(fx_until(fx, settled, NULL));
    ck_assert_int_eq(fx_leader(fx), 0);
    struct repl *leader = fx->nodes[0].repl, *r = fx->nodes[1].repl;
    /* the leader knows better; but it may be none any more, so not for good */
    ck_assert_int_eq(admit(leader, 1000000, "n3"), ERR_BUSY);
    /* one certificate has one place */
    for (uint64_t id = 1000000; id < 1000200; id++)
        ck_assert_int_eq(admit(r, id, "n3"), 0);
    ck_assert_uint_eq(ahead(r), 1);
    /* one that our list catches up with, and does not have */
    uint64_t soon = raft_last_applied(&r->raft) + 3;
    ck_assert_int_eq(admit(r, soon, "n4"), 0);
    ck_assert_int_eq(mesh_peer_put(r->mesh, soon, "n4", "127.0.0.99:9"), 0);
    ck_assert(!is_no_peer(fx, &soon));
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_int_eq(fx_commit(fx, 1, i), 0);
    ck_assert(fx_until(fx, is_no_peer, &soon));
    ck_assert_int_eq(admit(r, 1000199, "n3"), 0);
    ck_assert_uint_eq(ahead(r), 1);
    /* all places are taken by others that are not connected: they give way */
    for (unsigned i = 0; i < 2 * REPL_MEMBERS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%u", i);
        ck_assert_int_eq(admit(r, 2000000 + i, name), 0);
    }
    ck_assert_uint_eq(ahead(r), REPL_MEMBERS_MAX);
    fx_free(fx);
}
END_TEST

/* Whoever asked a leader for a change asks the next one by itself. Were it passed on as well, the change would be made by the one
 * and the other be told that it is there already. */
static bool no_ops(struct fx *fx, void *arg)
{
    (void)fx;
    return ((struct repl *)arg)->n_ops == 0;
}

START_TEST(test_a_leader_no_more_passes_no_change_on)
{
    struct fx *fx = fx_new();
    uint8_t frame[128];
    fx_cluster(fx, 2);
    struct repl *leader = fx->nodes[fx_leader(fx)].repl, *r = fx->nodes[!fx_leader(fx)].repl;
    uint8_t *p = wire_put64(frame, 77);
    p = wire_put8(p, REPL_OP_ADD);
    p = wire_put_str(p, "n9");
    p = wire_put_str(p, "127.0.0.1:9");
    ck_assert_int_eq(repl_member_frame(r, repl_id(leader), frame, (size_t)(p - frame)), 0);
    ck_assert_uint_eq(r->n_ops, 1);
    ck_assert(fx_until(fx, no_ops, r));
    ck_assert_int_eq(fx_commit(fx, 0, 1), 0);
    ck_assert_uint_eq(leader->n_members, 2);
    fx_free(fx);
}
END_TEST

/* ---- a fence falls with the command that it was for, whatever its proposer heard ---- */

static bool renews(struct repl *r, uint64_t peer)
{
    uint8_t answer[MESH_ANSWER_MAX];
    size_t len = repl_lease_answer(r, peer, true, answer);
    return answer[len - 1] & 1;
}

static bool renews_the_other(struct fx *fx, void *arg)
{
    return renews(arg, repl_id(fx->nodes[!fx_leader(fx)].repl));
}

START_TEST(test_fence_falls)
{
    struct fx *fx = fx_new();
    struct fx_req req = {0};
    fx_cluster(fx, 2);
    struct repl *r = fx->nodes[fx_leader(fx)].repl;
    uint64_t peer = repl_id(fx->nodes[!fx_leader(fx)].repl);
    ck_assert(fx_until(fx, renews_the_other, r));
    /* never sent: there was no room for it */
    ck_assert(repl_fence(r, peer, true));
    ck_assert(!renews(r, peer));
    repl_unfence(r, peer);
    ck_assert(renews(r, peer));
    /* sent, and its proposer was told that its outcome is unknown */
    ck_assert(repl_fence(r, peer, true));
    ck_assert_int_eq(fx_propose(fx, (unsigned)fx_leader(fx), &req, 1), 0);
    r->now_us = clock_mono_now().us;
    repl_propose_pump(r);
    repl_unfence(r, peer);
    ck_assert(!renews(r, peer));
    ck_assert(fx_until(fx, fx_done, &req));
    ck_assert_int_eq(req.status, 0);
    ck_assert(renews(r, peer));
    fx_free(fx);
}
END_TEST

/* ---- the leader's queue ---- */

static void forward(struct repl *r, uint64_t peer, uint64_t seq, size_t len)
{
    static uint8_t frame[8192];
    memset(frame, 0, sizeof frame);
    uint8_t *p = wire_put64(frame, raft_current_term(&r->raft));
    p = wire_put64(p, 1);
    p = wire_put64(p, seq);
    p = wire_put32(p, 1);
    p = wire_put32(p, (uint32_t)len);
    ck_assert_int_eq(repl_propose_frame(r, peer, frame, (size_t)(p - frame) + len), 0);
}

static unsigned queued(struct repl *r)
{
    unsigned n = 0;
    list_foreach(it, &r->batches)
        n += list_entry(it, struct repl_batch, link)->count;
    return n;
}

/* A first command for which there was no room, and a second one for which there is: taken, it would be skipped as out of order by
 * every state machine, and the first, sent again, by the leader: neither would ever be carried out. */
START_TEST(test_no_gap_behind_a_refused_first_command)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 2);
    struct repl *r = fx->nodes[fx_leader(fx)].repl;
    uint64_t peer = repl_id(fx->nodes[!fx_leader(fx)].repl);
    repl_propose_lost(r);
    r->batch_bytes = REPL_QUEUE_BYTES_MAX - 1000;
    forward(r, peer, 7, 4096);
    ck_assert_uint_eq(queued(r), 0);
    forward(r, peer, 8, 16);
    ck_assert_uint_eq(queued(r), 0);
    r->batch_bytes = 0;
    forward(r, peer, 7, 4096);
    forward(r, peer, 8, 16);
    forward(r, peer, 8, 16); /* once more */
    ck_assert_uint_eq(queued(r), 2);
    repl_propose_lost(r); /* they are not in the other node's list */
    fx_free(fx);
}
END_TEST

/* Members that came and went within one term leave room for those that come. */
START_TEST(test_removed_members_leave_their_place_in_the_queue)
{
    struct fx *fx = fx_new();
    fx_cluster(fx, 2);
    struct repl *r = fx->nodes[fx_leader(fx)].repl;
    uint64_t peer = repl_id(fx->nodes[!fx_leader(fx)].repl);
    repl_propose_lost(r);
    for (unsigned i = 0; i < REPL_MEMBERS_MAX; i++)
        r->origins[i] =
            (struct repl_origin){.id = 1000 + i, .incarnation = 1, .term = raft_current_term(&r->raft), .next = 2};
    forward(r, peer, 1, 16);
    ck_assert_uint_eq(queued(r), 1);
    repl_propose_lost(r);
    fx_free(fx);
}
END_TEST

/* However many nodes have come and gone, what a member's commands came to is known when an image replaces the state there. */
START_TEST(test_removed_members_leave_their_place_in_the_book)
{
    struct fx *fx = fx_new();
    struct fx_req req;
    fx_cluster(fx, 2);
    ck_assert_int_eq(fx_commit(fx, 0, 1), 0);
    ck_assert_int_eq(fx_commit(fx, 1, 2), 0);
    struct repl *r = fx->nodes[0].repl;
    struct repl_batch *b = repl_batch_new();
    for (uint64_t id = 1000; id < 1000 + 2 * REPL_APPLIED_MAX; id++)
        ck_assert_int_eq(repl_batch_add(b, &(struct repl_item){id, 1, 1, "x", 1}), 0);
    repl_batch_seal(b, 1);
    ck_assert_int_eq(repl_propose_apply(r, r->state_index, b->data, b->len), 0);
    repl_batch_free(b);
    ck_assert_uint_eq(r->n_applied, REPL_APPLIED_MAX);
    unsigned members = 0;
    for (unsigned i = 0; i < r->n_applied; i++)
        members += r->applied[i].id == repl_id(r) || r->applied[i].id == repl_id(fx->nodes[1].repl);
    ck_assert_uint_eq(members, 2);
    /* as after an image that holds the command */
    ck_assert_int_eq(fx_propose(fx, 0, &req, 3), 0);
    r->now_us = clock_mono_now().us;
    repl_propose_pump(r);
    for (unsigned i = 0; i < r->n_applied; i++)
        if (r->applied[i].id == repl_id(r))
            r->applied[i].seq++;
    repl_propose_installed(r);
    ck_assert_uint_eq(req.done, 1);
    ck_assert_int_eq(req.status, ERR_TIMEOUT);
    fx_free(fx);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("raft precautions");
    TCase *tc = tcase_create("precautions");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_failed_append_is_fatal);
    tcase_add_test(tc, test_failed_term_is_fatal);
    tcase_add_test(tc, test_failed_vote_is_fatal);
    tcase_add_test(tc, test_no_space_is_back_pressure);
    tcase_add_test(tc, test_socket_options);
    tcase_add_test(tc, test_in_flight_ends_with_apply);
    tcase_add_loop_test(tc, test_concerned_member_is_told, 0, 2);
    tcase_add_test(tc, test_failed_apply_is_fatal);
    tcase_add_test(tc, test_list_that_is_behind_removes_nobody);
    tcase_add_test(tc, test_uncommitted_removal_sends_nobody_away);
    tcase_add_test(tc, test_ids_above_the_list_are_bounded);
    tcase_add_test(tc, test_a_leader_no_more_passes_no_change_on);
    tcase_add_test(tc, test_fence_falls);
    tcase_add_test(tc, test_no_gap_behind_a_refused_first_command);
    tcase_add_test(tc, test_removed_members_leave_their_place_in_the_queue);
    tcase_add_test(tc, test_removed_members_leave_their_place_in_the_book);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
