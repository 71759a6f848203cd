/* Messages about blobs: there and back, and what is refused. */
#include <string.h>

#include "node/blob_msg.h"
#include "tests/unit/suite.h"

#define OTHER "00ffbf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad99"
#define NAME "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static uint8_t buf[BLOB_MSG_HEADER + BLOB_PIECE_MAX + 1];

static void encode(enum blob_msg_kind kind, int status, uint64_t total, uint64_t offset)
{
    struct blob_msg m = {.kind = kind, .name = NAME, .status = status, .total = total, .offset = offset, .blob = OTHER};
    blob_msg_encode(buf, &m);
}

START_TEST(there_and_back)
{
    struct blob_msg m;
    for (int kind = BLOB_MSG_OFFER; kind < BLOB_MSG_KINDS; kind++) {
        encode((enum blob_msg_kind)kind, 0, 7000000, 4096);
        size_t data = kind == BLOB_MSG_PIECE ? BLOB_PIECE_MAX : 0;
        size_t len = kind == BLOB_MSG_SPOKEN ? BLOB_MSG_SPOKEN_BYTES : BLOB_MSG_HEADER + data;
        ck_assert_int_eq(blob_msg_decode(buf, len, &m), 0);
        ck_assert_int_eq((int)m.kind, kind);
        ck_assert_str_eq(m.name, NAME);
        ck_assert_uint_eq(m.total, 7000000);
        ck_assert_uint_eq(m.offset, 4096);
        ck_assert_uint_eq(m.len, data);
        ck_assert_str_eq(m.blob, kind == BLOB_MSG_SPOKEN ? OTHER : "");
    }
    encode(BLOB_MSG_HAVE, ERR_CORRUPT, 0, 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER, &m), 0);
    ck_assert_int_eq(m.status, ERR_CORRUPT);
}
END_TEST

START_TEST(refused)
{
    struct blob_msg m;
    encode(BLOB_MSG_PIECE, 0, 10, 4);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER + 6, &m), 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER + 7, &m), ERR_INVAL); /* past the end of the blob */
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER - 1, &m), ERR_INVAL);
    ck_assert_int_eq(blob_msg_decode(buf, 0, &m), ERR_INVAL);
    encode(BLOB_MSG_PIECE, 0, 7000000, 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER + BLOB_PIECE_MAX + 1, &m), ERR_INVAL);
    encode(BLOB_MSG_PIECE, ERR_NOTFOUND, 10, 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER + 1, &m), ERR_INVAL); /* a refusal has no data */
    encode(BLOB_MSG_ASK, 0, 10, 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER + 1, &m), ERR_INVAL);
    encode(BLOB_MSG_ASK, 0, 10, 11);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER, &m), ERR_INVAL);
    encode(BLOB_MSG_OFFER, 0, BLOB_BYTES_MAX + 1ull, 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER, &m), ERR_INVAL);
    encode(BLOB_MSG_SPOKEN, 0, 0, 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_SPOKEN_BYTES - 1, &m), ERR_INVAL);
    encode(BLOB_MSG_KINDS, 0, 10, 0);
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER, &m), ERR_INVAL);
    encode(BLOB_MSG_ASK, 0, 10, 0);
    buf[0] = '{';
    ck_assert_int_eq(blob_msg_decode(buf, BLOB_MSG_HEADER, &m), ERR_INVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("blob_msg");
    TCase *t = tcase_create("blob_msg");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, there_and_back);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
