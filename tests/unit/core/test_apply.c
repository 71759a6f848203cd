/* What each command does, and what it refuses. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

static void up(void)
{
    fx_open(&f);
    fx_demo(&f, 3);
}

static void down(void)
{
    fx_close(&f);
}

static uint64_t offer_of(uint64_t call)
{
    const struct core_call *k = core_call(f.c, call);
    ck_assert_ptr_nonnull(k);
    return k->offer.id;
}

START_TEST(test_echo_call_is_two_commands)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), 0);
    ck_assert_uint_eq(f.last.call_id, 1);
    const struct core_call *k = core_call(f.c, 1);
    ck_assert_int_eq(k->phase, CORE_CALL_APP);
    ck_assert_str_eq(k->app, "echo");
    ck_assert_str_eq(k->owner, "n1");
    ck_assert(k->answered);
    ck_assert_uint_eq(k->n_legs, 1);
    ck_assert_str_eq(k->legs[0].dialog->call_id, "dialog@test");
    f.now += 3 * US;
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_str_eq(f.events, "call:1 cdr:1 ");
    ck_assert_ptr_null(core_call(f.c, 1));
    ck_assert_int_eq(fx_end(&f, 1, "caller"), ERR_NOTFOUND);
    json_t *r = fx_view(&f, "cdr", "0000000000000001", NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(r, "duration_ms")), 3000);
    ck_assert_str_eq(json_string_value(json_object_get(r, "direction")), "inbound");
    ck_assert_str_eq(json_string_value(json_object_get(r, "ended_by")), "caller");
    ck_assert_int_eq(json_integer_value(json_object_get(r, "sip_status")), 200);
    json_decref(r);
}
END_TEST

START_TEST(test_start_refusals)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800", "404", true), ERR_NOTFOUND);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "8001", true), ERR_NOTFOUND); /* trunks reach access numbers only */
    ck_assert_int_eq(fx_start(&f, 1, "13800", "*71", true), ERR_NOTFOUND);
    ck_assert_int_eq(fx_start(&f, 0, "13800", "10001", true), ERR_INVAL);
    ck_assert_int_eq(fx_start(&f, 1, "8999", "10001", true), ERR_DENIED);
    f.node = "n9";
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), ERR_BADSTATE);
    f.node = "n1";
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), ERR_EXISTS);
    f.node = "n2";
    ck_assert_int_eq(fx_end(&f, 1, "caller"), ERR_STALE); /* not the owner */
    f.node = "n1";
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), ERR_EXISTS); /* its record is there */
    struct core_counts n;
    core_get_counts(f.c, &n);
    ck_assert_uint_eq(n.calls, 0);
    ck_assert_uint_eq(n.calls_total, 1);
    ck_assert_uint_eq(n.refused_total, 9);
}
END_TEST

START_TEST(test_menu_to_agent)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 5, "13800", "10000", true), 0);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_MENU);
    ck_assert_str_eq(core_call(f.c, 5)->language, "zh");
    ck_assert_int_eq(fx_menu(&f, 5, "main"), 0);
    ck_assert_str_eq(core_call(f.c, 5)->flow_node, "main");
    ck_assert_int_eq(fx_queue(&f, 5, "nowhere"), ERR_NOTFOUND);
    ck_assert_int_eq(fx_queue(&f, 5, "service"), 0);
    const struct core_call *k = core_call(f.c, 5);
    ck_assert_int_eq(k->phase, CORE_CALL_OFFERED);
    ck_assert_str_eq(k->offer.agent, "1001");
    ck_assert_str_eq(k->offer.extension, "8001");
    ck_assert_uint_eq(k->offer.ring_time_s, 15);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    ck_assert_int_eq(fx_answer(&f, 5, k->offer.id + 1), ERR_STALE);
    f.now += US;
    uint64_t offer = offer_of(5);
    ck_assert_int_eq(fx_answer(&f, 5, offer), 0);
    ck_assert_int_eq(fx_answer(&f, 5, offer), ERR_STALE);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_TALKING);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_uint_eq(core_agent(f.c, "1001")->answered, 1);
    ck_assert_str_eq(core_call(f.c, 5)->legs[1].agent, "1001");
    ck_assert_int_eq(fx_menu(&f, 5, "main"), ERR_BADSTATE);
    f.now += US;
    ck_assert_int_eq(fx_end(&f, 5, "agent"), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
    ck_assert_uint_eq(core_agent(f.c, "1001")->idle_since_us, f.now);
}
END_TEST

START_TEST(test_unanswered_returns_to_the_very_front)
{
    static const Ev__OfferFailed__Cause causes[] = {EV__OFFER_FAILED__CAUSE__NO_ANSWER, EV__OFFER_FAILED__CAUSE__BUSY,
                                                    EV__OFFER_FAILED__CAUSE__REJECTED, EV__OFFER_FAILED__CAUSE__UNREACHABLE,
                                                    EV__OFFER_FAILED__CAUSE__ERROR};
    static const char *const reasons[] = {"no_answer", "busy", "rejected", "unreachable", "error"};
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13801", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    uint64_t offer = offer_of(1);
    ck_assert_int_eq(fx_fail(&f, 1, offer, causes[_i]), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_NOT_READY);
    ck_assert_str_eq(core_agent(f.c, "1001")->reason, reasons[_i]);
    ck_assert_int_eq(fx_fail(&f, 1, offer, causes[_i]), ERR_STALE);
    ck_assert_int_eq(fx_answer(&f, 1, offer), ERR_STALE);
    ck_assert_int_eq(fx_login(&f, "1002"), 0); /* 1 is served before 2, though 2 waits as well */
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_str_eq(core_call(f.c, 1)->offer.agent, "1002");
    ck_assert_uint_gt(offer_of(1), offer);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_OFFERED);
    ck_assert_str_eq(core_call(f.c, 2)->offer.agent, "1001");
    ck_assert_int_eq(fx_end(&f, 2, "caller"), 0); /* gives up while it rings */
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
}
END_TEST

START_TEST(test_wrap_up)
{
    ck_assert_int_eq(fx_set(&f, "[{'kind':'queue','name':'service','wrap_up_s':5,'members':[{'agent':'1001'}]}]"), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    for (uint64_t id = 1; id <= 3; id++) {
        ck_assert_int_eq(fx_start(&f, id, "13800", "10003", true), 0);
        ck_assert_int_eq(fx_answer(&f, id, offer_of(id)), 0);
        ck_assert_int_eq(fx_end(&f, id, "caller"), 0);
        ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP);
        ck_assert_uint_eq(core_next_due_us(f.c), f.now + 5 * US);
        if (id == 1) {
            f.now += 5 * US - 2; /* each command is one later */
            ck_assert_int_eq(fx_tick(&f), 0);
            ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_WRAP_UP);
            ck_assert_int_eq(fx_tick(&f), 0);
        } else if (id == 2) {
            ck_assert_int_eq(fx_ready(&f, "1001"), 0); /* cuts it short */
        } else {
            ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
            ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_NOT_READY);
            break;
        }
        ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE);
        ck_assert_uint_eq(core_next_due_us(f.c), 0);
    }
}
END_TEST

START_TEST(test_agent_commands)
{
    ck_assert_int_eq(fx_login(&f, "1999"), ERR_NOTFOUND);
    ck_assert_int_eq(fx_ready(&f, "1001"), ERR_BADSTATE);
    ck_assert_int_eq(fx_agent(&f, "1001", EV__AGENT_SET__ACTION__LOGIN, "8777"), ERR_NOTFOUND);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_agent(&f, "1002", EV__AGENT_SET__ACTION__LOGIN, "8001"), ERR_CONFLICT);
    ck_assert_int_eq(fx_agent(&f, "1001", EV__AGENT_SET__ACTION__LOGIN, "8002"), ERR_CONFLICT);
    ck_assert_int_eq(fx_agent(&f, "1001", EV__AGENT_SET__ACTION__SET_STATE, "lunch"), ERR_INVAL);
    ck_assert_str_eq(core_agent_at_extension(f.c, "8001")->number, "1001");
    ck_assert_int_eq(fx_not_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_ready(&f, "1001"), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED);
    ck_assert_int_eq(fx_logout(&f, "1001"), 0); /* while it rings: taken back */
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_LOGGED_OUT);
    ck_assert_ptr_null(core_agent_at_extension(f.c, "8001"));
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_answer(&f, 1, offer_of(1)), 0);
    ck_assert_int_eq(fx_logout(&f, "1002"), 0); /* while he talks: afterwards */
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_TALKING);
    ck_assert_ptr_nonnull(strstr(f.last.json, "\"pending\":\"logged_out\""));
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_state(&f, "1002"), CORE_AGENT_LOGGED_OUT);
}
END_TEST

START_TEST(test_own_calls_keep_an_agent_busy)
{
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "8001", "10001", true), 0);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_TALKING);
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_WAITING);
    ck_assert_int_eq(fx_end(&f, 1, "caller"), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_OFFERED); /* in the same apply */
    ck_assert_int_eq(fx_start(&f, 3, "8002", "1001", false), 0); /* dialled while it rings */
    ck_assert_int_eq(fx_phase(&f, 3), CORE_CALL_FAILED);
    ck_assert_int_eq(core_call(f.c, 3)->fail_status, 486);
    ck_assert_int_eq(fx_start(&f, 4, "8002", "1003", false), 0);
    ck_assert_int_eq(core_call(f.c, 4)->fail_status, 480); /* not logged in */
    ck_assert_int_eq(fx_start(&f, 5, "8002", "8003", false), 0);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_DIALLING);
    ck_assert_str_eq(core_call(f.c, 5)->offer.extension, "8003");
    ck_assert_int_eq(fx_fail(&f, 5, offer_of(5), EV__OFFER_FAILED__CAUSE__BUSY), 0);
    ck_assert_int_eq(fx_phase(&f, 5), CORE_CALL_FAILED);
    ck_assert_int_eq(core_call(f.c, 5)->fail_status, 486);
}
END_TEST

START_TEST(test_dial_from_a_menu_comes_back)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10000", true), 0);
    ck_assert_int_eq(fx_dial(&f, 1, "1001", ""), ERR_BADSTATE); /* not logged in: still in the menu */
    ck_assert_int_eq(fx_dial(&f, 1, "1999", ""), ERR_NOTFOUND);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert_int_eq(fx_login(&f, "1001"), 0);
    ck_assert_int_eq(fx_dial(&f, 1, "1001", ""), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_DIALLING);
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_RINGING);
    ck_assert_int_eq(fx_fail(&f, 1, offer_of(1), EV__OFFER_FAILED__CAUSE__NO_ANSWER), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_MENU);
    ck_assert_str_eq(core_call(f.c, 1)->fail_cause, "no_answer");
    ck_assert_int_eq(fx_state(&f, "1001"), CORE_AGENT_IDLE); /* a private call in vain costs him nothing */
    ck_assert_int_eq(fx_menu(&f, 1, "main"), 0);
    ck_assert_str_eq(core_call(f.c, 1)->fail_cause, "");
}
END_TEST

/* A node that is removed and added again under its name has a higher id and counts its processes from one. */
START_TEST(test_replaced_node_comes_up)
{
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 7), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10001", true), 0);
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 6), ERR_STALE);
    ck_assert_int_eq(fx_node_up(&f, "n1", 90, 1), 0);
    ck_assert(core_node(f.c, "n1")->up);
    ck_assert_uint_eq(core_node(f.c, "n1")->node_id, 90);
    ck_assert_uint_eq(core_node(f.c, "n1")->incarnation, 1);
    ck_assert_uint_eq(core_call(f.c, 1)->epoch, 2); /* of the machine that is gone: its successor carries it on */
    ck_assert_int_eq(fx_node_up(&f, "n1", 1, 8), ERR_STALE);
}
END_TEST

START_TEST(test_registrations)
{
    ck_assert_int_eq(fx_set(&f, "[{'kind':'extension','number':'8100','password':'x'},"
                                "{'kind':'agent','number':'1100','extension':'8100'},"
                                "{'kind':'queue','name':'q','members':[{'agent':'1100'}]},"
                                "{'kind':'access_number','number':'10009','queue':'q'}]"),
                     0);
    ck_assert_int_eq(fx_register(&f, "8999", "sip:a@h", "c", 1, f.now + US), ERR_NOTFOUND);
    ck_assert_int_eq(fx_login(&f, "1100"), 0);
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10009", true), 0);
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_WAITING); /* nothing to ring */
    ck_assert_str_eq(core_agent(f.c, "1100")->reason, "unreachable");
    ck_assert_int_eq(fx_register(&f, "8100", "sip:a@192.0.2.1", "c", 5, f.now + 60 * US), 0);
    ck_assert_str_eq(f.events, "registration:8100 agent:1100 call:1 queue:q ");
    ck_assert_int_eq(fx_phase(&f, 1), CORE_CALL_OFFERED); /* it is there again */
    ck_assert_int_eq(fx_register(&f, "8100", "sip:a@192.0.2.1", "c", 5, f.now + 60 * US), ERR_STALE);
    uint64_t expires = f.now + 90 * US;
    ck_assert_int_eq(fx_register(&f, "8100", "sip:a@192.0.2.1", "c", 6, expires), 0);
    ck_assert_str_eq(f.events, ""); /* a mere refresh */
    struct core_binding b[12];
    ck_assert_uint_eq(core_bindings(f.c, "8100", b, 12), 1);
    ck_assert_str_eq(b[0].uri, "sip:a@192.0.2.1");
    ck_assert_uint_eq(b[0].expires_us, expires);
    uint64_t from = f.now;
    for (int i = 0; i < 12; i++) {
        char uri[64];
        (void)snprintf(uri, sizeof uri, "sip:b%d@192.0.2.1", i);
        ck_assert_int_eq(fx_register(&f, "8100", uri, "d", 1, from + (100 + (uint64_t)i) * US), 0);
    }
    ck_assert_uint_eq(core_bindings(f.c, "8100", b, 12), 10); /* the oldest gave way */
    ck_assert_str_eq(b[0].uri, "sip:b11@192.0.2.1");
    ck_assert_int_eq(fx_register(&f, "8100", "sip:b11@192.0.2.1", "d", 2, 0), 0);
    ck_assert_uint_eq(core_bindings(f.c, "8100", b, 12), 9);
    ck_assert_uint_eq(core_next_due_us(f.c), from + 102 * US);
    f.now += 200 * US;
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(core_bindings(f.c, "8100", b, 12), 0);
}
END_TEST

START_TEST(test_config_all_or_nothing)
{
    uint64_t version = core_node(f.c, "n1") ? f.index : 0;
    /* the second object is wrong: the first is not made either */
    ck_assert_int_eq(fx_set(&f, "[{'kind':'extension','number':'8500'},{'kind':'agent','number':'1500','extension':'8501'}]"),
                     ERR_INVAL);
    ck_assert_str_eq(f.last.field, "agent/1500.extension");
    ck_assert_ptr_null(core_extension(f.c, "8500"));
    ck_assert_int_eq(fx_config(&f, NULL, "['agent/1001']", NULL, NULL), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(f.last.text, "queue service"));
    ck_assert_int_eq(fx_config(&f, NULL, "['extension/8001']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(fx_config(&f, NULL, "['queue/service']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/welcome']", NULL, NULL), ERR_CONFLICT);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/none']", NULL, NULL), ERR_NOTFOUND);
    ck_assert_int_eq(fx_config(&f, NULL, "['cat/none']", NULL, NULL), ERR_INVAL);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'queue','name':'q2','members':[{'agent':'1001'},{'agent':'1001'}]}]"), ERR_INVAL);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'extension','number':'8001','create_only':true}]"), ERR_EXISTS);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'flow','name':'welcome','if_version':77,'definition':{}}]"), ERR_CONFLICT);
    /* removed together with what names it */
    ck_assert_int_eq(fx_config(&f,
                               "[{'kind':'queue','name':'service','members':[{'agent':'1002'},{'agent':'1003'}]}]",
                               "['agent/1001','extension/8001']", NULL, NULL),
                     0);
    ck_assert_ptr_null(core_agent_config(f.c, "1001"));
    ck_assert_ptr_null(core_agent(f.c, "1001"));
    ck_assert_ptr_null(core_extension(f.c, "8001"));
    /* equal to what is there: version stays */
    ck_assert_int_eq(fx_set(&f, "[{'kind':'flow','name':'welcome','definition':{'name':'welcome'}}]"), 0);
    ck_assert_uint_eq(f.last.version, version);
    ck_assert_str_eq(f.last.json, "{\"changed\":[]}");
    ck_assert_int_eq(fx_set(&f, "[{'kind':'flow','name':'welcome','definition':{'name':'other'}}]"), 0);
    ck_assert_uint_eq(f.last.version, f.index);
    ck_assert_str_eq(core_flow(f.c, "welcome")->definition, "{\"name\":\"other\"}");
    /* prune: everything of the kind that is not named */
    ck_assert_int_eq(fx_config(&f, "[{'kind':'access_number','number':'10001','app':'tone'}]", NULL, "['access_number','flow']",
                               NULL),
                     0);
    ck_assert_ptr_null(core_flow(f.c, "welcome"));
    ck_assert_ptr_null(core_access_number(f.c, "10003"));
    ck_assert_str_eq(core_access_number(f.c, "10001")->app, "tone");
    /* a live agent or caller holds what he needs */
    ck_assert_int_eq(fx_login(&f, "1002"), 0);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'queue','name':'service'}]", "['agent/1002']", NULL, NULL), ERR_CONFLICT);
}
END_TEST

START_TEST(test_passwords_stay_and_stay_secret)
{
    char before[65];
    (void)strcpy(before, core_extension(f.c, "8001")->ha1_sha256);
    ck_assert_uint_eq(strlen(before), 64);
    ck_assert_uint_eq(strlen(core_extension(f.c, "8001")->ha1_md5), 32);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'extension','number':'8001','display_name':'Ann'}]"), 0);
    ck_assert_str_eq(core_extension(f.c, "8001")->ha1_sha256, before);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'extension','number':'8001','password':'other'}]"), 0);
    ck_assert_str_ne(core_extension(f.c, "8001")->ha1_sha256, before);
    char md5[33];
    ck_assert_str_eq(core_extension(f.c, "8001")->display_name, "");
    (void)strcpy(md5, core_extension(f.c, "8001")->ha1_md5);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'extension','number':'8001','password':''}]"), 0);
    ck_assert_str_eq(core_extension(f.c, "8001")->ha1_md5, "");
    json_t *audit = fx_view(&f, "audit", NULL, NULL);
    char *text = json_dumps(audit, 0);
    ck_assert_ptr_nonnull(strstr(text, "***"));
    ck_assert_ptr_null(strstr(text, before));
    ck_assert_ptr_null(strstr(text, md5));
    ck_assert_ptr_null(strstr(text, "secret1"));
    free(text);
    json_decref(audit);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'token','name':'t','token':'abcdefghijklmnop','role':'read'}]"), 0);
    const char *name = NULL;
    const char *role =
        core_token_role(f.c, "f39dac6cbaba535e2c207cd0cd8f154974223c848f727f98b3564cea569b41cf", &name);
    ck_assert_ptr_nonnull(role);
    ck_assert_str_eq(role, "read");
    ck_assert_str_eq(name, "t");
    ck_assert_ptr_null(core_token_role(f.c, "00", NULL));
}
END_TEST

START_TEST(test_idempotency)
{
    ck_assert_int_eq(fx_config(&f, "[{'kind':'parameter','name':'p','value':'1'}]", NULL, NULL, "k1"), 0);
    uint64_t index = f.last.index, version = f.last.version;
    ck_assert_int_eq(fx_set(&f, "[{'kind':'parameter','name':'p','value':'2'}]"), 0);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'parameter','name':'p','value':'1'}]", NULL, NULL, "k1"), 0);
    ck_assert_uint_eq(f.last.index, index);
    ck_assert_uint_eq(f.last.version, version);
    ck_assert_ptr_nonnull(strstr(f.last.json, "created"));
    ck_assert_str_eq(core_parameter(f.c, "p", ""), "2"); /* no new effect */
    ck_assert_int_eq(fx_config(&f, "[{'kind':'parameter','name':'p','value':'3'}]", NULL, NULL, "k1"), ERR_CONFLICT);
    /* a refusal is an answer too */
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/none']", NULL, "k2"), ERR_NOTFOUND);
    fx_reopen(&f);
    ck_assert_int_eq(fx_config(&f, NULL, "['flow/none']", NULL, "k2"), ERR_NOTFOUND);
    ck_assert_uint_lt(f.last.index, f.index);
    /* after a day they are forgotten */
    ck_assert_uint_ne(core_next_due_us(f.c), 0);
    fx_later(&f, core_next_due_us(f.c));
    ck_assert_int_eq(fx_tick(&f), 0);
    ck_assert_uint_eq(core_next_due_us(f.c), 0);
    ck_assert_int_eq(fx_config(&f, "[{'kind':'parameter','name':'p','value':'1'}]", NULL, NULL, "k1"), 0);
    ck_assert_str_eq(core_parameter(f.c, "p", ""), "1");
}
END_TEST

static bool applied(uint64_t incarnation, uint64_t seq, uint64_t index)
{
    Ev__Command m = EV__COMMAND__INIT;
    Ev__Tick tick = EV__TICK__INIT;
    m.body_case = EV__COMMAND__BODY_TICK;
    m.tick = &tick;
    void *data;
    size_t len;
    ck_assert_int_eq(core_pack(&m, &data, &len), 0);
    struct core_item it = {77, incarnation, seq, data, len};
    struct core_answer *a;
    ck_assert_int_eq(core_apply(f.c, index, 1, &it, 1, &a), 0);
    free(data);
    return !a->skipped;
}

START_TEST(test_sequence)
{
    uint64_t i = f.index;
    ck_assert(!applied(1, 2, ++i)); /* begins at 1 */
    ck_assert(applied(1, 1, ++i));
    ck_assert(!applied(1, 1, ++i));
    ck_assert(!applied(1, 3, ++i));
    ck_assert(applied(1, 2, ++i));
    ck_assert(applied(5, 1, ++i)); /* a new process */
    ck_assert(!applied(1, 3, ++i));
    ck_assert(!applied(5, 2, i)); /* index seen before */
    fx_reopen(&f);
    ck_assert(!applied(5, 1, ++i));
    ck_assert(applied(5, 2, ++i));
    ck_assert_uint_eq(core_applied_index(f.c), i);
    f.index = i;
}
END_TEST

START_TEST(test_cluster_and_odd_commands)
{
    uint8_t n[32], k[32];
    char id[33];
    ck_assert(!core_secrets(f.c, n, k, id));
    Ev__ClusterInit m = EV__CLUSTER_INIT__INIT;
    uint8_t key[32] = {1, 2, 3};
    m.cluster_id = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef";
    m.nonce_key = (ProtobufCBinaryData){32, key};
    m.identifier_key = (ProtobufCBinaryData){31, key};
    FX_BODY(CLUSTER_INIT, cluster_init, m);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_INVAL);
    m.identifier_key.len = 32;
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_EXISTS);
    fx_reopen(&f);
    ck_assert(core_secrets(f.c, n, k, id));
    ck_assert_mem_eq(n, key, 32);
    ck_assert_str_eq(id, m.cluster_id);

    Ev__Command empty = EV__COMMAND__INIT;
    ck_assert_int_eq(fx_run(&f, &empty), ERR_UNSUPPORTED);
    struct core_item junk = {1, 1, ++f.seq, "\xff\xff\xff", 3};
    struct core_answer *a;
    ck_assert_int_eq(core_apply(f.c, ++f.index, 1, &junk, 1, &a), 0);
    ck_assert_int_eq(a->code, ERR_INVAL);
    Ev__DigestMark mark = EV__DIGEST_MARK__INIT;
    mark.request_id = (char *)(uintptr_t) "r1";
    Ev__Command d = EV__COMMAND__INIT;
    d.body_case = EV__COMMAND__BODY_DIGEST_MARK;
    d.digest_mark = &mark;
    ck_assert_int_eq(fx_run(&f, &d), 0);
    ck_assert_str_eq(f.events, "digest:r1 ");
    /* Time never goes back, nor does it stand: what comes later is later. */
    ck_assert_int_eq(fx_start(&f, 8, "13800", "10001", true), 0);
    uint64_t last = core_call(f.c, 8)->arrived_us;
    f.now -= 50 * US;
    ck_assert_int_eq(fx_start(&f, 9, "13800", "10001", true), 0);
    ck_assert_uint_eq(core_call(f.c, 9)->arrived_us, last + 1);
    ck_assert_int_eq(fx_start(&f, 10, "13800", "10001", true), 0);
    ck_assert_uint_eq(core_call(f.c, 10)->arrived_us, last + 2);
}
END_TEST

static const struct sockaddr *addr(struct sockaddr_storage *ss, const char *ip, uint16_t port)
{
    memset(ss, 0, sizeof *ss);
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ss;
    if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, ip, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
    }
    return (const struct sockaddr *)ss;
}

START_TEST(test_addresses)
{
    struct sockaddr_storage ss;
    ck_assert_int_eq(fx_set(&f, "[{'kind':'trunk','name':'b','sources':['10.1.0.0/16','2001:db8::/32']},"
                                "{'kind':'trunk','name':'a','sources':['10.1.2.0/24']},"
                                "{'kind':'trunk','name':'off','sources':['10.1.2.3'],'disabled':true},"
                                "{'kind':'extension','number':'8200','contact':'sip:192.0.2.9:5070'},"
                                "{'kind':'extension','number':'8201','contact':'sip:192.0.2.9:5070;transport=tcp'},"
                                "{'kind':'extension','number':'8202','contact':'sip:x@[2001:db8::5]:5080'}]"),
                     0);
    ck_assert_str_eq(core_trunk_of(f.c, addr(&ss, "10.1.2.3", 5))->name, "a");
    ck_assert_str_eq(core_trunk_of(f.c, addr(&ss, "10.1.3.3", 5))->name, "b");
    ck_assert_str_eq(core_trunk_of(f.c, addr(&ss, "2001:db8::9", 5))->name, "b");
    ck_assert_ptr_null(core_trunk_of(f.c, addr(&ss, "10.2.0.1", 5)));
    ck_assert_str_eq(core_extension_of(f.c, addr(&ss, "127.0.0.1", 9001), "x")->number, "8001");
    ck_assert_ptr_null(core_extension_of(f.c, addr(&ss, "192.0.2.9", 5070), "x"));
    ck_assert_str_eq(core_extension_of(f.c, addr(&ss, "192.0.2.9", 5070), "8201")->number, "8201");
    ck_assert_ptr_null(core_extension_of(f.c, addr(&ss, "192.0.2.9", 5071), "8201"));
    ck_assert_str_eq(core_extension_of(f.c, addr(&ss, "2001:db8::5", 5080), "")->number, "8202");
    struct core_route r;
    core_route(f.c, f.now, "8001", "*711002", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_APP);
    ck_assert_str_eq(r.name, "code:login");
    ck_assert_str_eq(r.argument, "1002");
    core_route(f.c, f.now, "8001", "*73", &r);
    ck_assert_str_eq(r.name, "code:ready");
    core_route(f.c, f.now, "8001", "*731", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_NONE);
    core_route(f.c, f.now, "8001", "8002", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_EXTENSION);
    core_route(f.c, f.now, "8001", "1002", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_AGENT);
    core_route(f.c, f.now, NULL, "1002", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_NONE);
    core_route(f.c, f.now, NULL, "10000", &r);
    ck_assert_int_eq(r.kind, CORE_ROUTE_FLOW);
    ck_assert_str_eq(r.language, "zh");
}
END_TEST

START_TEST(test_hold_and_full_queue)
{
    ck_assert_int_eq(fx_start(&f, 1, "13800", "10003", false), 0);
    Ev__LegUpdate m = EV__LEG_UPDATE__INIT;
    m.call_id = 1;
    m.leg_id = 1;
    m.held = true;
    FX_BODY(LEG_UPDATE, leg_update, m);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
    ck_assert(core_call(f.c, 1)->legs[0].held);
    ck_assert_uint_eq(core_call(f.c, 1)->held_us, f.now);
    ck_assert_str_eq(core_call(f.c, 1)->legs[0].dialog->call_id, "dialog@test"); /* kept */
    m.leg_id = 2;
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_NOTFOUND);
    Ev__CallAnswered a = EV__CALL_ANSWERED__INIT;
    a.call_id = 1;
    Ev__Command c2 = EV__COMMAND__INIT;
    c2.body_case = EV__COMMAND__BODY_CALL_ANSWERED;
    c2.call_answered = &a;
    ck_assert_int_eq(fx_run(&f, &c2), 0);
    ck_assert(core_call(f.c, 1)->answered);
    ck_assert_int_eq(fx_run(&f, &c2), ERR_STALE);
    ck_assert_int_eq(fx_set(&f, "[{'kind':'queue','name':'service','max_waiting':1}]"), 0);
    ck_assert_int_eq(fx_start(&f, 2, "13800", "10003", true), 0);
    ck_assert_int_eq(fx_phase(&f, 2), CORE_CALL_FAILED);
    ck_assert_str_eq(core_call(f.c, 2)->fail_cause, "queue_full");
    /* The owner was to answer, and now refuses: nobody was answered, and the record says so. */
    ck_assert(!core_call(f.c, 2)->answered && !core_call(f.c, 2)->legs[0].answered);
    ck_assert_int_eq(fx_end(&f, 2, "system"), 0);
    json_t *record = fx_view(&f, "cdr", "0000000000000002", NULL);
    ck_assert(json_is_null(json_object_get(record, "answered_at")));
    ck_assert_int_eq(json_integer_value(json_object_get(record, "sip_status")), 486);
    json_decref(record);
    ck_assert_int_eq(fx_start(&f, 3, "13800", "10000", false), 0);
    ck_assert_int_eq(fx_queue(&f, 3, "service"), ERR_BUSY);
    ck_assert_int_eq(fx_config(&f, NULL, "['access_number/10003','queue/service']", NULL, NULL), ERR_CONFLICT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core apply");
    TCase *t = tcase_create("commands");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_echo_call_is_two_commands);
    tcase_add_test(t, test_start_refusals);
    tcase_add_test(t, test_menu_to_agent);
    tcase_add_loop_test(t, test_unanswered_returns_to_the_very_front, 0, 5);
    tcase_add_test(t, test_wrap_up);
    tcase_add_test(t, test_agent_commands);
    tcase_add_test(t, test_own_calls_keep_an_agent_busy);
    tcase_add_test(t, test_dial_from_a_menu_comes_back);
    tcase_add_test(t, test_replaced_node_comes_up);
    tcase_add_test(t, test_registrations);
    tcase_add_test(t, test_config_all_or_nothing);
    tcase_add_test(t, test_passwords_stay_and_stay_secret);
    tcase_add_test(t, test_idempotency);
    tcase_add_test(t, test_sequence);
    tcase_add_test(t, test_cluster_and_odd_commands);
    tcase_add_test(t, test_addresses);
    tcase_add_test(t, test_hold_and_full_queue);
    suite_add_tcase(s, t);
    return run_suite(s);
}
