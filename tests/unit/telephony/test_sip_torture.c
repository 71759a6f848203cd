/* The messages of RFC 4475 (in tests/fuzz/corpus/sip, replies led back by rport): each gets the right refusal or none, and the
 * endpoint lives on. Run from the top folder, or with TEST_ROOT naming it. */
#include "tests/unit/telephony/test_sip_env.h"

static void refuse_call(struct env *e, struct sip_leg *leg)
{
    (void)e;
    sip_leg_reject(leg, 486, NULL, 0);
}

/* Up to three answers that are right; 0 is none at all. RFC 4475 leaves a choice where a receiver may be liberal. */
static const struct {
    const char *name;
    int status[3];
} torture[] = {
    /* 3.1.1, 3.2: valid */
    {"wsinv", {481, 481, 481}},
    {"intmeth", {501, 0, 0}}, /* the library drops such a method name */
    {"esc01", {486, 486, 486}},
    {"escnull", {401, 403, 400}},
    {"esc02", {501, 501, 501}},
    {"lwsdisp", {200, 200, 200}},
    {"longreq", {486, 486, 486}},
    {"dblreq", {401, 403, 403}},
    {"semiuri", {200, 200, 200}},
    {"transports", {200, 200, 200}},
    {"mpart01", {405, 405, 405}},
    {"unreason", {0, 0, 0}},
    {"noreason", {0, 0, 0}},
    /* 3.1.2: invalid */
    {"badinv01", {400, 400, 0}},
    {"clerr", {400, 400, 400}},
    {"ncl", {400, 400, 400}},
    {"scalar02", {400, 400, 403}},
    {"scalarlg", {0, 0, 0}},
    {"quotbal", {400, 400, 400}},
    {"ltgtruri", {400, 400, 416}},
    {"lwsruri", {400, 0, 505}},
    {"lwsstart", {400, 486, 486}},
    {"trws", {400, 200, 200}},
    {"escruri", {400, 486, 486}},
    {"baddate", {400, 486, 486}},
    {"regbadct", {400, 403, 403}},
    {"badaspec", {400, 200, 200}},
    {"baddn", {400, 200, 200}},
    {"badvers", {505, 505, 0}},
    {"mismatch01", {400, 400, 400}},
    {"mismatch02", {400, 501, 501}},
    {"bigcode", {0, 0, 0}},
    /* 3.2, 3.3, 3.4 */
    {"badbranch", {200, 200, 200}},
    {"insuf", {400, 400, 400}},
    {"unkscm", {416, 416, 416}},
    {"novelsc", {416, 416, 416}},
    {"unksm2", {400, 401, 416}},
    {"bext01", {420, 420, 420}},
    {"invut", {415, 415, 415}},
    {"regaut01", {403, 401, 401}},
    {"multi01", {400, 400, 400}},
    {"mcl01", {400, 400, 400}},
    {"bcast", {0, 0, 0}},
    {"zeromf", {200, 483, 483}},
    {"cparam01", {401, 403, 403}},
    {"cparam02", {401, 403, 403}},
    {"regescrt", {401, 400, 400}},
    {"sdp01", {406, 488, 486}},
    {"inv2543", {486, 400, 400}},
};

static size_t load(const char *name, char *out, size_t size)
{
    char path[512];
    const char *root = getenv("TEST_ROOT");
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/sip/rfc4475_%s", root ? root : ".", name);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "cannot read %s: run from the top folder or set TEST_ROOT", path);
    size_t n = fread(out, 1, size, f);
    fclose(f);
    return n;
}

START_TEST(torture_message)
{
    struct env *e = env_new();
    e->on_invite = refuse_call;
    e->cfg.t1_ms = 20;
    e->cfg.t1x64_ms = 400;
    env_start(e);
    struct peer *p = peer_udp(e), *q = peer_udp(e);
    char text[MSG_MAX];
    size_t n = load(torture[_i].name, text, sizeof text);
    peer_raw(p, text, n);
    int got = 0;
    uint64_t end = now_ms() + (torture[_i].status[0] ? 2000 : 150);
    while (got == 0 && now_ms() < end)
        if (peer_recv_ms(p, 10) && peer_status(p) != 100)
            got = peer_status(p);
    const int *want = torture[_i].status;
    ck_assert_msg(got == want[0] || got == want[1] || got == want[2], "%s: answer %d, wanted %d, %d or %d",
                  torture[_i].name, got, want[0], want[1], want[2]);
    peer_request(q, "OPTIONS", "", NULL);
    peer_expect(q, "SIP/2.0 200");
    peer_free(p);
    peer_free(q);
    env_stop(e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sip torture (RFC 4475)");
    TCase *t = tcase_create("messages");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, torture_message, 0, (int)(sizeof torture / sizeof torture[0]));
    suite_add_tcase(s, t);
    return run_suite(s);
}
