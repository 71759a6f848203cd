/* What callers are told about their waiting, in the words of the catalogues. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "telephony/speak_queue.h"
#include "tests/unit/suite.h"
#include "tests/unit/telephony/shipped.h"

static json_t *catalogues[2];
static const char *const languages[2] = {"zh", "en"};

static void load(void)
{
    catalogues[0] = shipped("etc/prompts/zh.yaml");
    catalogues[1] = shipped("etc/prompts/en.yaml");
}

static void unload(void)
{
    json_decref(catalogues[0]);
    json_decref(catalogues[1]);
}

static const char *said(int l, const char **keys, int n)
{
    static char out[512];
    ck_assert_int_ge(n, 0);
    out[0] = '\0';
    for (int i = 0; i < n; i++) {
        const char *word = shipped_text(catalogues[l], keys[i]);
        size_t at = strlen(out);
        ck_assert_msg(word != NULL, "%s has no %s", languages[l], keys[i]);
        snprintf(out + at, sizeof out - at, "%s%s", i && l ? " " : "", word);
    }
    return out;
}

START_TEST(places)
{
    const char *k[SPEAK_KEYS_MAX];
    static const struct {
        uint32_t place;
        const char *words[2];
    } cases[] = {
        {1, {"您目前排在第一位。", "You are number one in the queue."}},
        {2, {"您目前排在第二位。", "You are number two in the queue."}},
        {12, {"您目前排在第十二位。", "You are number twelve in the queue."}},
        {101, {"您目前排在第一百零一位。", "You are number one hundred and one in the queue."}},
        {0, {"", ""}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int l = 0; l < 2; l++)
            ck_assert_str_eq(said(l, k, speak_queue_position(languages[l], cases[i].place, k, SPEAK_KEYS_MAX)),
                             cases[i].words[l]);
    }
}
END_TEST

START_TEST(waits)
{
    const char *k[SPEAK_KEYS_MAX];
    static const struct {
        uint32_t seconds;
        const char *words[2];
    } cases[] = {
        {0, {"预计等待不到一分钟。", "The expected waiting time is less than a minute."}},
        {44, {"预计等待不到一分钟。", "The expected waiting time is less than a minute."}},
        {45, {"预计等待一分钟。", "The expected waiting time is one minute."}},
        {60, {"预计等待一分钟。", "The expected waiting time is one minute."}},
        {61, {"预计等待两分钟。", "The expected waiting time is two minutes."}},
        {600, {"预计等待十分钟。", "The expected waiting time is ten minutes."}},
        {601, {"预计等待十五分钟。", "The expected waiting time is fifteen minutes."}},
        {1320, {"预计等待二十五分钟。", "The expected waiting time is twenty five minutes."}},
        {3600, {"预计等待六十分钟。", "The expected waiting time is sixty minutes."}},
        {3601, {"预计等待超过一小时。", "The expected waiting time is more than an hour."}},
        {UINT32_MAX, {"预计等待超过一小时。", "The expected waiting time is more than an hour."}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int l = 0; l < 2; l++)
            ck_assert_str_eq(said(l, k, speak_queue_wait(languages[l], cases[i].seconds, k, SPEAK_KEYS_MAX)),
                             cases[i].words[l]);
    }
}
END_TEST

START_TEST(agents)
{
    const char *k[SPEAK_KEYS_MAX];
    ck_assert_str_eq(said(0, k, speak_queue_agent("zh-CN", "1001", k, SPEAK_KEYS_MAX)), "工号一零零一为您服务。");
    ck_assert_str_eq(said(1, k, speak_queue_agent("en", "1001", k, SPEAK_KEYS_MAX)),
                     "Agent one zero zero one at your service.");
    ck_assert_int_eq(speak_queue_agent("en", "", k, SPEAK_KEYS_MAX), 0);
    ck_assert_int_eq(speak_queue_agent("en", "anna", k, SPEAK_KEYS_MAX), 0);
    ck_assert_int_eq(speak_queue_agent("en", "111111111111111111111111111111111", k, SPEAK_KEYS_MAX), 0);
    ck_assert_int_eq(speak_queue_agent("en", "11111111111111111111111111111111", k, SPEAK_KEYS_MAX), 34);
}
END_TEST

START_TEST(refusals)
{
    const char *k[SPEAK_KEYS_MAX];
    ck_assert_int_eq(speak_queue_position("fr", 1, k, SPEAK_KEYS_MAX), ERR_UNSUPPORTED);
    ck_assert_int_eq(speak_queue_wait("fr", 1, k, SPEAK_KEYS_MAX), ERR_UNSUPPORTED);
    ck_assert_int_eq(speak_queue_wait("fr", 90, k, SPEAK_KEYS_MAX), ERR_UNSUPPORTED);
    ck_assert_int_eq(speak_queue_agent("fr", "1", k, SPEAK_KEYS_MAX), ERR_UNSUPPORTED);
    ck_assert_int_eq(speak_queue_position("en", 5, k, 2), ERR_TOOBIG);
    ck_assert_int_eq(speak_queue_wait("zh", 120, k, 2), ERR_TOOBIG);
    ck_assert_int_eq(speak_queue_wait("en", 1, k, 0), ERR_TOOBIG);
    ck_assert_int_eq(speak_queue_agent("en", "1001", k, 5), ERR_TOOBIG);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("speak about queues");
    TCase *t = tcase_create("words");
    tcase_add_unchecked_fixture(t, load, unload);
    tcase_add_test(t, places);
    tcase_add_test(t, waits);
    tcase_add_test(t, agents);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return run_suite(s);
}
