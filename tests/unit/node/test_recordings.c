/* Life of recordings: what a call that makes one is told when it is made here no longer, and files that go while others ask for them. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "node/recordings_int.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

#define CALL 11u
#define ID 77u
#define PEER 2u

static struct fx f;
static struct node n;
static unsigned told;
static enum recording_outcome outcome;

static char *key_file(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/recording.key", f.dir);
    FILE *k = fopen(path, "w");
    ck_assert_ptr_nonnull(k);
    ck_assert_int_ge(fputs("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", k), 0);
    ck_assert_int_eq(fclose(k), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
    return path;
}

static void up(void)
{
    struct err_info info = {0};
    told = 0;
    fx_open(&f);
    fx_demo(&f, 2);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
    memset(&n, 0, sizeof n);
    n.core = f.c;
    snprintf(n.cfg.name, sizeof n.cfg.name, "%s", f.node);
    n.cfg.data = f.dir;
    n.cfg.recording_key_file = key_file();
    ck_assert_int_eq(uv_loop_init(&n.loop), 0);
    ck_assert_msg(recordings_start(&n, &info) == 0, "%s", info.text);
}

static void down(void)
{
    char folder[300];
    recordings_stop(&n);
    ck_assert_int_eq(uv_loop_close(&n.loop), 0);
    snprintf(folder, sizeof folder, "%s/recordings", f.dir);
    folder_remove(folder);
    (void)remove(n.cfg.recording_key_file);
    fx_close(&f);
}

static void done(void *ctx, enum recording_outcome o)
{
    ck_assert_ptr_eq(ctx, &told);
    told++;
    outcome = o;
}

static void in_the_state(void)
{
    Ev__CallMenu m = EV__CALL_MENU__INIT;
    Ev__RecordBegin r = EV__RECORD_BEGIN__INIT;
    char box[] = "night", flow[] = "welcome", at[] = "leave";
    ck_assert_int_eq(fx_start(&f, CALL, "13800138000", "10000", true), 0);
    m.call_id = CALL;
    m.flow = flow;
    m.node = at;
    m.record = &r;
    r.id = ID;
    r.box = box;
    r.max_s = 60;
    FX_BODY(CALL_MENU, call_menu, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_ptr_nonnull(core_recording(n.core, ID));
}

static size_t files(void)
{
    struct recordings_counts c;
    recordings_get_counts(&n, &c);
    return c.files;
}

/* What a call holds of a recording is not to be touched once the node has let go of it: it hears so in time. */
START_TEST(the_node_stops)
{
    struct recording *r = NULL;
    in_the_state();
    ck_assert_int_eq(recording_attach(&n, ID, true, done, &told, &r), 0);
    ck_assert_uint_eq(recording_left_ms(r), 60000);
    recordings_stop(&n);
    ck_assert_uint_eq(told, 1);
    ck_assert_int_eq(outcome, RECORDING_LOST);
    struct err_info info = {0};
    ck_assert_int_eq(recordings_start(&n, &info), 0);
}
END_TEST

/* One that has left it is told nothing. */
START_TEST(the_call_has_left)
{
    struct recording *r = NULL;
    in_the_state();
    ck_assert_int_eq(recording_attach(&n, ID, true, done, &told, &r), 0);
    recording_detach(r);
    recordings_stop(&n);
    ck_assert_uint_eq(told, 0);
    struct err_info info = {0};
    ck_assert_int_eq(recordings_start(&n, &info), 0);
}
END_TEST

static void hears(enum rec_msg_kind kind, uint64_t offset, size_t len)
{
    uint8_t msg[REC_MSG_HEADER + 2000] = {0};
    ck_assert_uint_le(len, 2000);
    rec_msg_encode(msg, &(struct rec_msg){.kind = kind, .id = ID, .epoch = 1, .offset = offset});
    ck_assert(recordings_message(&n, PEER, msg, REC_MSG_HEADER + len));
}

/* All that is under way is done. The timer alone keeps the loop. */
static void work(bool (*over)(void))
{
    while (!over())
        uv_run(&n.loop, UV_RUN_ONCE);
}

static bool is_written(void)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "%s/recordings/%016x.part", f.dir, ID);
    return stat(path, &st) == 0 && st.st_size == 2000;
}

static bool is_gone(void)
{
    return files() == 0;
}

/* A copy goes, as its recording is not in the state any more, while another node asks for a piece of it. */
START_TEST(asked_for_while_it_goes)
{
    hears(REC_MSG_DATA, 0, 2000);
    work(is_written);
    for (int i = 0; i < 3; i++) /* until its length is known here */
        uv_run(&n.loop, UV_RUN_ONCE);
    recordings_changed(&n, ID);
    for (int i = 0; i < 8; i++)
        hears(REC_MSG_GET, 0, 0);
    work(is_gone);
    hears(REC_MSG_GET, 0, 0);
    ck_assert(!is_written());
}
END_TEST

/* Whoever dies, what it was making is another one's turn: at once, or when the ten minutes are over. */
START_TEST(whose_turn_it_is)
{
    static const uint64_t turn_us = 600000000ull;
    for (uint64_t id = 1; id < 50; id++) {
        for (unsigned up = 1; up <= 5; up++) {
            unsigned seen = 0;
            for (unsigned t = 0; t < up; t++) {
                unsigned who = rec_forms_turn(id, 1700000000000000ull + t * turn_us, up);
                ck_assert_uint_lt(who, up);
                seen |= 1u << who;
            }
            ck_assert_uint_eq(seen, (1u << up) - 1); /* each once in so many turns */
            ck_assert_uint_eq(rec_forms_turn(id, 3 * turn_us, up), rec_forms_turn(id, 4 * turn_us - 1, up));
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recordings");
    TCase *t = tcase_create("life");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, the_node_stops);
    tcase_add_test(t, the_call_has_left);
    tcase_add_test(t, asked_for_while_it_goes);
    tcase_add_test(t, whose_turn_it_is);
    suite_add_tcase(s, t);
    return run_suite(s);
}
