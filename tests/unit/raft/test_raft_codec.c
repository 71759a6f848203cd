/* Frames, messages of libraft, log entries, manifests: what goes in comes out, and nothing else is let in. */
#include <check.h>
#include <raft.h>
#include <stdlib.h>
#include <string.h>

#include "raft/crc32c.h"
#include "raft/image.h"
#include "raft/mesh_frame.h"
#include "raft/raft_msg.h"
#include "raft/repl_batch.h"
#include "tests/unit/suite.h"

START_TEST(test_crc32c_known_answer)
{
    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
    ck_assert_uint_eq(crc32c(0, NULL, 0), 0);
}
END_TEST

START_TEST(test_frame)
{
    uint8_t buf[MESH_FRAME_HEADER];
    struct mesh_frame f;
    mesh_frame_encode(buf, MESH_FORWARD, 3, "abc", 3);
    ck_assert_int_eq(mesh_frame_decode(buf, 100, &f), 0);
    ck_assert_uint_eq(f.type, MESH_FORWARD);
    ck_assert_uint_eq(f.flags, 3);
    ck_assert_uint_eq(f.len, 3);
    ck_assert(mesh_frame_intact(buf, &f, "abc"));
    ck_assert(!mesh_frame_intact(buf, &f, "abd"));
    ck_assert_int_eq(mesh_frame_decode(buf, 2, &f), ERR_TOOBIG);
    for (unsigned i = 0; i < 6; i++) { /* magic, version, type */
        uint8_t bad[MESH_FRAME_HEADER];
        memcpy(bad, buf, sizeof bad);
        bad[i] ^= 0x80;
        ck_assert_int_eq(mesh_frame_decode(bad, 100, &f), ERR_CORRUPT);
    }
    buf[6] ^= 1; /* the checksum covers the header */
    ck_assert_int_eq(mesh_frame_decode(buf, 100, &f), 0);
    ck_assert(!mesh_frame_intact(buf, &f, "abc"));
}
END_TEST

START_TEST(test_hello_and_join_reply)
{
    struct mesh_hello h = {7, 8, 9, 10, "n1", "127.0.0.1:7400"}, h2;
    struct mesh_join_reply j = {0, 5, 6, "", "text"}, j2;
    uint8_t buf[MESH_JOIN_REPLY_BYTES_MAX];
    size_t n = mesh_hello_encode(buf, &h);
    ck_assert_int_eq(mesh_hello_decode(buf, n, &h2), 0);
    ck_assert_uint_eq(h2.id, 7);
    ck_assert_str_eq(h2.address, "127.0.0.1:7400");
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_eq(mesh_hello_decode(buf, cut, &h2), ERR_CORRUPT);
    n = mesh_join_reply_encode(buf, &j);
    ck_assert_int_eq(mesh_join_reply_decode(buf, n, &j2), 0);
    ck_assert_uint_eq(j2.cluster, 6);
    ck_assert_str_eq(j2.text, "text");
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_eq(mesh_join_reply_decode(buf, cut, &j2), ERR_CORRUPT);
}
END_TEST

/* Encodes [from, to), decodes; cuts at every place must fail. */
static void round_trip(const struct raft_message *m, unsigned from, unsigned to, struct raft_message *out)
{
    size_t n = raft_msg_size(m, from, to);
    uint8_t *buf = malloc(n);
    ck_assert_ptr_eq(raft_msg_encode(buf, m, from, to), buf + n);
    ck_assert_int_eq(raft_msg_decode(buf, n, out), 0);
    ck_assert_int_eq(out->type, m->type);
    for (size_t cut = 0; cut < n; cut++) {
        struct raft_message bad;
        uint8_t *piece = malloc(cut ? cut : 1);
        memcpy(piece, buf, cut);
        ck_assert_int_eq(raft_msg_decode(piece, cut, &bad), ERR_CORRUPT);
        free(piece);
    }
    free(buf);
}

START_TEST(test_messages_without_data)
{
    struct raft_message m = {.type = RAFT_REQUEST_VOTE}, o;
    m.request_vote = (struct raft_request_vote){2, 3, 4, 5, 6, true, false};
    round_trip(&m, 0, 0, &o);
    ck_assert_uint_eq(o.request_vote.version, 2);
    ck_assert_uint_eq(o.request_vote.candidate_id, 4);
    ck_assert(o.request_vote.disrupt_leader && !o.request_vote.pre_vote);
    m = (struct raft_message){.type = RAFT_REQUEST_VOTE_RESULT};
    m.request_vote_result = (struct raft_request_vote_result){2, 9, true, true, 1, 77};
    round_trip(&m, 0, 0, &o);
    ck_assert(o.request_vote_result.vote_granted && o.request_vote_result.pre_vote);
    ck_assert_uint_eq(o.request_vote_result.capacity, 77);
    m = (struct raft_message){.type = RAFT_APPEND_ENTRIES_RESULT};
    m.append_entries_result = (struct raft_append_entries_result){2, 9, 8, 7, 1, 5};
    round_trip(&m, 0, 0, &o);
    ck_assert_uint_eq(o.append_entries_result.rejected, 8);
    m = (struct raft_message){.type = RAFT_TIMEOUT_NOW};
    m.timeout_now = (struct raft_timeout_now){0, 4, 5, 6};
    round_trip(&m, 0, 0, &o);
    ck_assert_uint_eq(o.timeout_now.last_log_index, 5);
}
END_TEST

START_TEST(test_append_entries_whole_and_cut)
{
    uint8_t data[3][16];
    struct raft_entry e[3];
    struct raft_message m = {.type = RAFT_APPEND_ENTRIES}, o;
    for (unsigned i = 0; i < 3; i++) {
        memset(data[i], (int)i + 1, sizeof data[i]);
        e[i] = (struct raft_entry){.term = 10 + i, .type = RAFT_COMMAND, .buf = {data[i], sizeof data[i]}};
    }
    m.append_entries = (struct raft_append_entries){0, 20, 100, 9, 99, e, 3};
    round_trip(&m, 0, 3, &o);
    ck_assert_uint_eq(o.append_entries.n_entries, 3);
    ck_assert_mem_eq(o.append_entries.entries[2].buf.base, data[2], 16);
    ck_assert_ptr_eq(o.append_entries.entries[2].batch, o.append_entries.entries[0].batch);
    raft_msg_release(&o);
    /* a part stands on the entry before it */
    round_trip(&m, 1, 3, &o);
    ck_assert_uint_eq(o.append_entries.prev_log_index, 101);
    ck_assert_uint_eq(o.append_entries.prev_log_term, 10);
    ck_assert_uint_eq(o.append_entries.n_entries, 2);
    raft_msg_release(&o);
    round_trip(&m, 3, 3, &o);
    ck_assert_uint_eq(o.append_entries.n_entries, 0);
    ck_assert_ptr_null(o.append_entries.entries);
}
END_TEST

START_TEST(test_append_entries_refuses_what_libraft_cannot_bear)
{
    uint8_t change[24] = {1, 200}; /* a configuration of 200 servers in 24 bytes */
    uint8_t odd[12] = {0};
    struct raft_entry e = {.term = 1, .type = RAFT_CHANGE, .buf = {change, sizeof change}};
    struct raft_message m = {.type = RAFT_APPEND_ENTRIES}, o;
    uint8_t buf[256];
    m.append_entries = (struct raft_append_entries){0, 1, 0, 0, 0, &e, 1};
    raft_msg_encode(buf, &m, 0, 1);
    ck_assert_int_eq(raft_msg_decode(buf, raft_msg_size(&m, 0, 1), &o), ERR_CORRUPT);
    e = (struct raft_entry){.term = 1, .type = RAFT_COMMAND, .buf = {odd, sizeof odd}};
    raft_msg_encode(buf, &m, 0, 1);
    ck_assert_int_eq(raft_msg_decode(buf, raft_msg_size(&m, 0, 1), &o), ERR_CORRUPT);
    e = (struct raft_entry){.term = 1, .type = (enum raft_entry_type)9, .buf = {odd, 8}};
    raft_msg_encode(buf, &m, 0, 1);
    ck_assert_int_eq(raft_msg_decode(buf, raft_msg_size(&m, 0, 1), &o), ERR_CORRUPT);
}
END_TEST

START_TEST(test_change_entry_as_libraft_encodes_it)
{
    struct raft_configuration c;
    struct raft_buffer buf;
    struct raft_message m = {.type = RAFT_APPEND_ENTRIES}, o;
    raft_configuration_init(&c);
    ck_assert_int_eq(raft_configuration_add(&c, 1, "n1|127.0.0.1:7400", RAFT_VOTER), 0);
    ck_assert_int_eq(raft_configuration_add(&c, 5, "n2|127.0.0.2:7400", RAFT_SPARE), 0);
    ck_assert_int_eq(raft_configuration_encode(&c, &buf), 0);
    struct raft_entry e = {.term = 1, .type = RAFT_CHANGE, .buf = buf};
    m.append_entries = (struct raft_append_entries){0, 1, 0, 0, 0, &e, 1};
    round_trip(&m, 0, 1, &o);
    raft_msg_release(&o);
    m = (struct raft_message){.type = RAFT_INSTALL_SNAPSHOT};
    m.install_snapshot = (struct raft_install_snapshot){0, 3, 50, 2, c, 7, buf};
    round_trip(&m, 0, 0, &o);
    ck_assert_uint_eq(o.install_snapshot.conf.n, 2);
    ck_assert_str_eq(o.install_snapshot.conf.servers[1].address, "n2|127.0.0.2:7400");
    ck_assert_uint_eq(o.install_snapshot.data.len, buf.len);
    raft_msg_release(&o);
    raft_free(buf.base);
    raft_configuration_close(&c);
}
END_TEST

START_TEST(test_batch)
{
    static struct repl_item out[REPL_BATCH_ITEMS_MAX];
    struct repl_batch *b = repl_batch_new();
    uint64_t term;
    unsigned n;
    ck_assert_ptr_nonnull(b);
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        struct repl_item it = {1, 2, i + 1, text, i % 13};
        memset(text, (int)i, sizeof text);
        ck_assert(repl_batch_fits(b, it.len));
        ck_assert_int_eq(repl_batch_add(b, &it), 0);
    }
    repl_batch_seal(b, 42);
    ck_assert_uint_eq(b->len % 8, 0);
    ck_assert_int_eq(repl_batch_decode(b->data, b->len, &term, out, &n), 0);
    ck_assert_uint_eq(term, 42);
    ck_assert_uint_eq(n, 100);
    ck_assert_uint_eq(out[99].seq, 100);
    ck_assert_uint_eq(out[12].len, 12);
    ck_assert_uint_eq(((const uint8_t *)out[12].data)[11], 12);
    for (size_t i = 0; i < b->len; i++) {
        b->data[i] ^= 0x10;
        ck_assert_int_eq(repl_batch_decode(b->data, b->len, &term, out, &n), ERR_CORRUPT);
        b->data[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < b->len; cut += 8)
        ck_assert_int_eq(repl_batch_decode(b->data, cut, &term, out, &n), ERR_CORRUPT);
    repl_batch_free(b);
}
END_TEST

START_TEST(test_batch_is_bounded)
{
    static uint8_t big[REPL_COMMAND_MAX];
    struct repl_batch *b = repl_batch_new();
    struct repl_item it = {1, 1, 1, big, sizeof big - 64};
    ck_assert(repl_batch_fits(b, REPL_COMMAND_MAX));
    ck_assert_int_eq(repl_batch_add(b, &it), 0);
    ck_assert(!repl_batch_fits(b, REPL_COMMAND_MAX));
    repl_batch_free(b);
    b = repl_batch_new();
    it.len = 0;
    for (unsigned i = 0; i < REPL_BATCH_ITEMS_MAX; i++)
        ck_assert_int_eq(repl_batch_add(b, &it), 0);
    ck_assert(!repl_batch_fits(b, 0));
    repl_batch_free(b);
}
END_TEST

START_TEST(test_manifest)
{
    struct image_manifest m = {.index = 9, .bytes = 100, .n_origins = 2}, o;
    uint8_t buf[IMAGE_MANIFEST_BYTES];
    m.origins[1] = (struct image_origin){3, 4, 5};
    memset(m.sha256, 7, sizeof m.sha256);
    image_manifest_encode(buf, &m);
    ck_assert_int_eq(image_manifest_decode(buf, sizeof buf, &o), 0);
    ck_assert_uint_eq(o.origins[1].seq, 5);
    ck_assert_mem_eq(o.sha256, m.sha256, 32);
    ck_assert_int_eq(image_manifest_decode(buf, sizeof buf - 8, &o), ERR_CORRUPT);
    for (size_t i = 0; i < sizeof buf; i++) {
        buf[i] ^= 1;
        ck_assert_int_eq(image_manifest_decode(buf, sizeof buf, &o), ERR_CORRUPT);
        buf[i] ^= 1;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("raft codec");
    TCase *tc = tcase_create("codec");
    tcase_add_test(tc, test_crc32c_known_answer);
    tcase_add_test(tc, test_frame);
    tcase_add_test(tc, test_hello_and_join_reply);
    tcase_add_test(tc, test_messages_without_data);
    tcase_add_test(tc, test_append_entries_whole_and_cut);
    tcase_add_test(tc, test_append_entries_refuses_what_libraft_cannot_bear);
    tcase_add_test(tc, test_change_entry_as_libraft_encodes_it);
    tcase_add_test(tc, test_batch);
    tcase_add_test(tc, test_batch_is_bounded);
    tcase_add_test(tc, test_manifest);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
