/* Messages about recordings: there and back, and what is refused. */
#include <string.h>

#include "node/rec_msg.h"
#include "tests/unit/suite.h"

static uint8_t buf[REC_MSG_HEADER + REC_PIECE_MAX + 1];

static int decode(const struct rec_msg *m, size_t data, struct rec_msg *out)
{
    rec_msg_encode(buf, m);
    return rec_msg_decode(buf, REC_MSG_HEADER + data, out);
}

START_TEST(there_and_back)
{
    for (int kind = REC_MSG_DATA; kind < REC_MSG_KINDS; kind++) {
        struct rec_msg m = {.kind = (enum rec_msg_kind)kind, .id = 0x123456789abcdef, .epoch = 1ull << 60, .offset = 48000, .total = 96000}, n;
        size_t data = kind == REC_MSG_DATA || kind == REC_MSG_PIECE ? REC_PIECE_MAX : 0;
        ck_assert_int_eq(decode(&m, data, &n), 0);
        ck_assert_int_eq((int)n.kind, kind);
        ck_assert_uint_eq(n.id, m.id);
        ck_assert_uint_eq(n.epoch, m.epoch);
        ck_assert_uint_eq(n.offset, m.offset);
        ck_assert_uint_eq(n.total, m.total);
        ck_assert_uint_eq(n.len, data);
        ck_assert_ptr_eq(n.data, buf + REC_MSG_HEADER);
    }
}
END_TEST

START_TEST(refused)
{
    struct rec_msg m = {.kind = REC_MSG_DATA, .id = 1, .offset = REC_BYTES_MAX - 10}, n;
    ck_assert_int_eq(decode(&m, 10, &n), 0);
    ck_assert_int_eq(decode(&m, 11, &n), ERR_INVAL); /* longer than any recording */
    m.offset = 0;
    ck_assert_int_eq(decode(&m, REC_PIECE_MAX + 1, &n), ERR_INVAL);
    m.offset = REC_BYTES_MAX + 1ull;
    ck_assert_int_eq(decode(&m, 0, &n), ERR_INVAL);
    m.offset = 0;
    m.total = REC_BYTES_MAX + 1ull;
    ck_assert_int_eq(decode(&m, 0, &n), ERR_INVAL);
    m.total = 0;
    m.id = 0;
    ck_assert_int_eq(decode(&m, 0, &n), ERR_INVAL);
    m.id = UINT64_MAX;
    ck_assert_int_eq(decode(&m, 0, &n), ERR_INVAL);
    m.id = 1;
    m.kind = REC_MSG_ASK;
    ck_assert_int_eq(decode(&m, 1, &n), ERR_INVAL); /* a question has no data */
    m.kind = REC_MSG_KINDS;
    ck_assert_int_eq(decode(&m, 0, &n), ERR_INVAL);
    m.kind = REC_MSG_ASK;
    ck_assert_int_eq(decode(&m, 0, &n), 0);
    ck_assert_int_eq(rec_msg_decode(buf, REC_MSG_HEADER - 1, &n), ERR_INVAL);
    ck_assert_int_eq(rec_msg_decode(buf, 0, &n), ERR_INVAL);
    buf[0] = 0xB1;
    ck_assert_int_eq(rec_msg_decode(buf, REC_MSG_HEADER, &n), ERR_INVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rec_msg");
    TCase *t = tcase_create("rec_msg");
    tcase_add_test(t, there_and_back);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
