/* Where streams end: ports, queues, opening and closing under way, configurations that are none. */
#include <errno.h>

#include "tests/unit/suite.h"
#include "tests/unit/telephony/media_rig.h"

static struct rig rig;

START_TEST(ports_run_out_and_come_back)
{
    struct media_stream *s[8];
    struct media_stream_params p = {.family = AF_INET};
    struct media_engine_stats st;
    rig_start_with(
        &rig, (struct media_config){.bind_ip = {"127.0.0.77"}, .port_min = 31001, .port_max = 31009, .threads = 1});
    media_engine_get_stats(rig.e, &st);
    ck_assert_uint_eq(st.ports_free, 4);
    /* Another program holds one RTCP port: its pair is passed over. */
    struct sockaddr_storage other = rig_addr(AF_INET, "127.0.0.77", 31005);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&other, rig_addr_len(&other)), 0);
    for (unsigned k = 0; k < 3; k++) {
        ck_assert_int_eq(media_stream_open(rig.e, &p, &s[k]), 0);
        ck_assert_uint_eq(media_stream_port(s[k]) % 2, 0);
        ck_assert_uint_ne(media_stream_port(s[k]), 31004);
        ck_assert_uint_ge(media_stream_port(s[k]), 31002);
        ck_assert_uint_le(media_stream_port(s[k]), 31008);
    }
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s[3]), ERR_BUSY);
    close(fd);
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s[3]), 0);
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s[4]), ERR_BUSY);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned k = 0; k < 4; k++)
            media_stream_close(s[k]);
        uint64_t end = clock_mono_now().us + 5000000;
        do {
            ck_assert_uint_lt(clock_mono_now().us, end);
            (void)rig_turn(&rig, -1);
            media_engine_get_stats(rig.e, &st);
        } while (st.ports_free < 4);
        ck_assert_uint_eq(st.streams, 0);
        for (unsigned k = 0; k < 4; k++)
            ck_assert_int_eq(media_stream_open(rig.e, &p, &s[k]), 0);
    }
    rig_stop(&rig); /* with streams still open */
}
END_TEST

START_TEST(closes_while_traffic_flows)
{
    rig_start(&rig, 2);
    for (unsigned round = 0; round < 60; round++) {
        struct phone a, b, gone_a, gone_b;
        phones_bridged(&rig, &a, &b, SDP_PCMU, SDP_PCMA);
        for (unsigned k = 0; k < 6; k++) {
            phone_talk(&a, 0, 1);
            phone_talk(&b, 8, 2);
        }
        gone_a = a;
        gone_b = b;
        unsigned before = rig.n_events;
        if (round & 1)
            media_stream_close(a.s);
        media_stream_close(b.s);
        if (!(round & 1))
            media_stream_close(a.s);
        for (unsigned k = 0; k < 6; k++) {
            phone_talk(&gone_a, 0, 3);
            phone_talk(&gone_b, 8, 4);
            (void)rig_turn(&rig, -1);
        }
        ck_assert_uint_eq(rig.n_events, before); /* nothing after the close */
        close(a.rtp);
        close(a.rtcp);
        close(b.rtp);
        close(b.rtcp);
    }
    rig_stop(&rig);
}
END_TEST

START_TEST(opens_moves_and_closes_at_once)
{
    static struct phone ph[8];
    uint32_t seed = 815, id;
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = 500, .level_dbm0 = -10};
    rig_start(&rig, 4);
    for (unsigned k = 0; k < 8; k++)
        phone_open(&rig, &ph[k], SDP_PCMU);
    for (unsigned round = 0; round < 2000; round++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 20) % 8, j = (i + 1 + (seed >> 10) % 7) % 8;
        phone_talk(&ph[i], 0, 1);
        ck_assert_int_eq(media_bridge(ph[i].s, ph[j].s), 0);
        if (seed & 0x100)
            ck_assert_int_eq(media_stream_play(ph[j].s, &tone, 1, 0, &id), 0);
        if ((seed & 0x600) == 0) { /* gone, perhaps on its way from thread to thread, and another in its place */
            media_stream_close(ph[j].s);
            struct media_stream_params p = {.family = AF_INET, .cb = rig_on_event, .ctx = &rig};
            ck_assert_int_eq(media_stream_open(rig.e, &p, &ph[j].s), 0);
            ph[j].to = rig_addr(AF_INET, "127.0.0.1", media_stream_port(ph[j].s));
            struct media_remote m = phone_remote(&ph[j], SDP_PCMU);
            media_stream_set_remote(ph[j].s, &m);
        }
        if (round % 16 == 0) {
            rig.n_events = 0;
            (void)rig_turn(&rig, -1);
        }
    }
    rig_settle(&rig);
    for (unsigned k = 0; k < 8; k++)
        phone_close(&ph[k]);
    uint64_t end = clock_mono_now().us + 5000000;
    struct media_engine_stats st;
    do {
        ck_assert_uint_lt(clock_mono_now().us, end);
        rig.n_events = 0;
        (void)rig_turn(&rig, -1);
        media_engine_get_stats(rig.e, &st);
    } while (st.streams > 0);
    ck_assert_uint_eq(st.queue_full, 0);
    rig_stop(&rig);
}
END_TEST

START_TEST(full_command_queue_refuses)
{
    struct phone a, b;
    uint32_t id;
    struct media_engine_stats st;
    struct media_item tone = {.kind = MEDIA_TONE, .hz1 = 500, .level_dbm0 = -10};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    phone_open(&rig, &b, SDP_PCMU);
    /* As if the thread had stood still for so many commands. */
    atomic_fetch_add(&rig.e->threads[0].n_commands, MEDIA_COMMANDS_MAX);
    ck_assert_int_eq(media_stream_play(a.s, &tone, 1, 0, &id), ERR_BUSY);
    ck_assert_int_eq(media_bridge(a.s, b.s), ERR_BUSY);
    media_stream_pause(a.s, true);
    media_engine_get_stats(rig.e, &st);
    ck_assert_uint_eq(st.queue_full, 3);
    media_stream_close(b.s); /* always possible */
    uint64_t end = clock_mono_now().us + 5000000;
    do {
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, -1);
        media_engine_get_stats(rig.e, &st);
    } while (st.streams > 1);
    atomic_fetch_sub(&rig.e->threads[0].n_commands, MEDIA_COMMANDS_MAX);
    ck_assert_int_eq(media_stream_play(a.s, &tone, 1, 0, &id), 0);
    (void)phone_hear(&rig, &a); /* and it was not paused */
    close(b.rtp);
    close(b.rtcp);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

static unsigned keys_told, plays_told;
static void count_event(void *ctx, struct media_stream *s, const struct media_event *ev)
{
    (void)ctx;
    (void)s;
    keys_told += ev->type == MEDIA_EV_DTMF;
    plays_told += ev->type == MEDIA_EV_PLAYED;
}

START_TEST(full_event_queue_loses_keys_only)
{
    enum { KEYS = MEDIA_EVENTS_MAX + 76 };
    struct phone a;
    uint32_t id;
    struct media_stats st;
    struct media_engine_stats est;
    struct media_item quiet = {.kind = MEDIA_SILENCE, .ms = 20};
    uint8_t event[4] = {1, 0x80 | 10, 3, 0x20};
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMU);
    a.s->cb = count_event;
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    for (unsigned k = 0; k < KEYS; k++) { /* the core does not look at its events meanwhile */
        phone_send_as(&a, true, 101, a.seq++, a.ts += 1000, event, 4);
        do {
            ck_assert_uint_lt(clock_mono_now().us, end);
            media_stream_stats(a.s, &st);
        } while (k % 100 == 99 && st.rx_packets <= k && poll(NULL, 0, 1) == 0);
    }
    ck_assert_int_eq(media_stream_play(a.s, &quiet, 1, 0, &id), 0);
    media_thread_wake(&rig.e->threads[0]);     /* as the loop's next turn would */
    (void)recv(a.rtp, event, sizeof event, 0); /* it has played */
    do {
        ck_assert_uint_lt(clock_mono_now().us, end);
        media_stream_stats(a.s, &st);
    } while (st.rx_packets < KEYS && poll(NULL, 0, 1) == 0);
    while (plays_told == 0) {
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, -1);
    }
    do {
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, -1);
        media_engine_get_stats(rig.e, &est);
    } while (keys_told + est.queue_full < KEYS);
    ck_assert_uint_ge(keys_told, MEDIA_EVENTS_MAX - 1); /* one place may be ALIVE's */
    ck_assert_uint_eq(keys_told + est.queue_full, KEYS);
    ck_assert_uint_eq(plays_told, 1);
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

START_TEST(refuses_bad_configuration)
{
    uv_loop_t loop;
    struct media_engine *e;
    struct err_info info;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    struct media_config cfg = {.bind_ip = {"not-an-ip"}, .port_min = 20000, .port_max = 20100, .threads = 1};
    ck_assert_int_eq(media_engine_start(&loop, &cfg, &e, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "media.bind_ip");
    cfg.bind_ip[0] = "192.0.2.77"; /* not ours */
    ck_assert_int_ne(media_engine_start(&loop, &cfg, &e, &info), 0);
    ck_assert_str_eq(info.field, "media.bind_ip");
    cfg = (struct media_config){.bind_ip = {"127.0.0.1"}, .port_min = 20001, .port_max = 20001};
    ck_assert_int_eq(media_engine_start(&loop, &cfg, &e, &info), ERR_RANGE);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    rig_start(&rig, 1);
    struct media_stream *s;
    struct media_stream_params p = {.ip = "127.0.0.5"};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s), ERR_NOTFOUND);
    p = (struct media_stream_params){.family = AF_INET6};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s), ERR_NOTFOUND);
    p.family = AF_INET;
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s), 0);
    ck_assert_int_eq(media_bridge(s, s), ERR_INVAL);
    media_stream_close(s);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media at its bounds");
    TCase *tc = tcase_create("relay");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, ports_run_out_and_come_back);
    tcase_add_test(tc, closes_while_traffic_flows);
    tcase_add_test(tc, opens_moves_and_closes_at_once);
    tcase_add_test(tc, full_command_queue_refuses);
    tcase_add_test(tc, full_event_queue_loses_keys_only);
    tcase_add_test(tc, refuses_bad_configuration);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
