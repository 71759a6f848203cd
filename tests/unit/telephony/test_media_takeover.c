/* What a call needs that goes on at another node: the same port, addresses that come and go, silence when the lease is over. */
#include "tests/unit/telephony/media_rig.h"

static struct rig rig;

static struct phone taken_over(struct phone *from, struct media_stream *s)
{
    struct phone ph = *from;
    ph.s = s;
    ph.to = rig_addr(AF_INET, media_stream_ip(s), media_stream_port(s));
    return ph;
}

static void until_unused(const char *ip)
{
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    while (media_engine_users(rig.e, ip)) {
        ck_assert_msg(clock_mono_now().us < end, "the sockets on %s stay open", ip);
        (void)rig_turn(&rig, -1);
    }
}

/* Everything on the RTCP socket so far; true when one of them says farewell. */
static bool said_bye(const struct phone *ph)
{
    uint8_t buf[512];
    struct rtcp_report r;
    bool bye = false;
    ssize_t n;
    while ((n = recv(ph->rtcp, buf, sizeof buf, MSG_DONTWAIT)) >= 0)
        bye |= rtcp_parse(buf, (size_t)n, 0, &r) == 0 && r.bye;
    return bye;
}

START_TEST(goes_on_at_its_port)
{
    struct phone a, b;
    struct media_stream *other;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    uint16_t port = media_stream_port(a.s);
    media_stream_echo(a.s, true);
    rig_settle(&rig);
    phone_talk(&a, 8, 1);
    struct heard before = phone_hear(&rig, &a);
    struct media_stream_params p = {.ip = "127.0.0.1", .port = port, .ssrc = 0x12345678};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), ERR_BUSY);
    media_stream_forget(a.s);
    until_unused("127.0.0.1");
    ck_assert(!said_bye(&a));
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), 0);
    ck_assert_uint_eq(media_stream_port(other), port);
    b = taken_over(&a, other);
    struct media_remote m = phone_remote(&b, SDP_PCMA);
    media_stream_set_remote(b.s, &m);
    media_stream_echo(b.s, true);
    rig_settle(&rig);
    phone_talk(&b, 8, 2);
    struct heard after = phone_hear(&rig, &b);
    ck_assert_uint_eq(after.ssrc, 0x12345678);
    ck_assert_uint_ne(after.ssrc, before.ssrc);
    ck_assert(after.marker);
    media_stream_close(b.s);
    until_unused("127.0.0.1");
    ck_assert(said_bye(&b)); /* an end is told, other than a move */
    p.port = 20001;
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), ERR_INVAL);
    p.port = 19998; /* out of our own range: the former owner's may have been another */
    ck_assert_int_eq(media_stream_open(rig.e, &p, &other), 0);
    media_stream_close(other);
    close(a.rtp);
    close(a.rtcp);
    rig_stop(&rig);
}
END_TEST

START_TEST(addresses_come_and_go)
{
    struct media_stream *s, *t;
    struct media_engine_stats st;
    rig_start(&rig, 2);
    media_engine_get_stats(rig.e, &st);
    uint32_t free_before = st.ports_free;
    struct media_stream_params p = {.ip = "127.0.0.9"};
    ck_assert_int_eq(media_stream_open(rig.e, &p, &s), ERR_NOTFOUND);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "nothing"), ERR_INVAL);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "192.0.2.77"), ERR_NOTFOUND);
    ck_assert_int_eq(media_engine_add_ip(rig.e, "127.0.0.1"), ERR_EXISTS);
    for (unsigned round = 0; round < 3u * MEDIA_IPS_MAX; round++) { /* slots are used again */
        ck_assert_int_eq(media_engine_add_ip(rig.e, "127.0.0.9"), 0);
        ck_assert_int_eq(media_stream_open(rig.e, &p, &s), 0);
        ck_assert_str_eq(media_stream_ip(s), "127.0.0.9");
        ck_assert_uint_eq(media_engine_users(rig.e, "127.0.0.9"), 1);
        media_engine_drop_ip(rig.e, "127.0.0.9");
        ck_assert_int_eq(media_stream_open(rig.e, &p, &t), ERR_NOTFOUND);
        media_stream_forget(s);
        until_unused("127.0.0.9");
    }
    struct media_stream_params any = {.family = AF_INET};
    ck_assert_int_eq(media_stream_open(rig.e, &any, &s), 0);
    ck_assert_str_eq(media_stream_ip(s), "127.0.0.1");
    media_stream_close(s);
    until_unused("127.0.0.1");
    media_engine_get_stats(rig.e, &st);
    ck_assert_uint_eq(st.ports_free, free_before);
    rig_stop(&rig);
}
END_TEST

START_TEST(is_silent_when_the_lease_is_over)
{
    struct phone a;
    struct heard h;
    rig_start(&rig, 1);
    phone_open(&rig, &a, SDP_PCMA);
    media_stream_echo(a.s, true);
    rig_settle(&rig);
    media_engine_lease(rig.e, clock_mono_now().us + 60000000u);
    phone_talk(&a, 8, 1);
    ck_assert_uint_eq(phone_hear(&rig, &a).payload[0], 1);
    media_engine_lease(rig.e, clock_mono_now().us - 1);
    phone_talk(&a, 8, 2);
    struct media_engine_stats st;
    uint64_t end = clock_mono_now().us + RIG_DEADLINE_MS * 1000u;
    do { /* the packet has been taken in */
        ck_assert_uint_lt(clock_mono_now().us, end);
        (void)rig_turn(&rig, -1);
        media_engine_get_stats(rig.e, &st);
    } while (st.packets_in < 2);
    media_engine_lease(rig.e, UINT64_MAX);
    phone_talk(&a, 8, 3);
    h = phone_hear(&rig, &a);
    ck_assert_uint_eq(h.payload[0], 3); /* the one between was never sent */
    phone_close(&a);
    rig_stop(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("media takeover");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, goes_on_at_its_port);
    tcase_add_test(tc, addresses_come_and_go);
    tcase_add_test(tc, is_silent_when_the_lease_is_over);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
