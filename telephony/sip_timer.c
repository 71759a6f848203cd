/* Session timers (RFC 4028) and the other timers of a leg.
 *
 * One session timer per leg. When we refresh it fires at half the interval, and both sides let the dialog go a third of the
 * interval (at most 32 s) before its end, section 10. A peer that knows no session timers gets refreshes from us all the
 * same: that is how a dead peer is found. */
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

#define END_MARGIN_S 32u
#define BUSY_RETRY_MS 500u
#define INTERVAL_MAX_S 86400u

static su_timer_t *arm(struct sip_leg *leg, su_timer_t **timer, unsigned ms, su_timer_f fn)
{
    if (!*timer)
        *timer = su_timer_create(su_root_task(leg->ua->root), 0);
    if (!*timer || su_timer_set_interval(*timer, fn, (su_timer_arg_t *)leg, ms) < 0) {
        log_error("sip", "call %s: cannot set a timer: out of memory", leg->call_id);
        return NULL;
    }
    return *timer;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t bounded(unsigned long delta)
{
    return delta > INTERVAL_MAX_S ? INTERVAL_MAX_S : (uint32_t)delta;
}

int sip_timer_offered(struct sip_leg *leg, const sip_t *sip)
{
    const struct sip_config *c = &leg->ua->cfg;
    bool knows = sip->sip_supported && sip_has_feature(sip->sip_supported, "timer");
    const sip_session_expires_t *x = sip->sip_session_expires;
    if (sip->sip_min_se)
        leg->se_min = bounded(sip->sip_min_se->min_delta);
    if (x && knows && x->x_delta < c->min_se_s)
        return 422;
    uint32_t least = larger(c->min_se_s, leg->se_min);
    uint32_t se = x ? smaller(bounded(x->x_delta), c->session_expires_s) : c->session_expires_s;
    leg->se_s = larger(se, least);
    leg->refresher_is_us = !knows || (x && x->x_refresher && strcasecmp(x->x_refresher, "uas") == 0);
    return 0;
}

void sip_timer_accepted(struct sip_leg *leg, const sip_t *sip)
{
    const struct sip_config *c = &leg->ua->cfg;
    const sip_session_expires_t *x = sip->sip_session_expires;
    leg->se_s = x ? larger(bounded(x->x_delta), c->min_se_s) : larger(c->session_expires_s, leg->se_min);
    leg->refresher_is_us = !x || !x->x_refresher || strcasecmp(x->x_refresher, "uas") != 0;
}

const char *sip_timer_answer(const struct sip_leg *leg, char *buf, size_t size)
{
    if (leg->se_s == 0)
        return NULL;
    snprintf(buf, size, "%u;refresher=%s", leg->se_s, leg->refresher_is_us ? "uas" : "uac");
    return buf;
}

const char *sip_timer_ask(const struct sip_leg *leg, char *buf, size_t size)
{
    uint32_t se = larger(leg->se_s ? leg->se_s : leg->ua->cfg.session_expires_s, leg->se_min);
    if (leg->se_s == 0)
        snprintf(buf, size, "%u", se);
    else
        snprintf(buf, size, "%u;refresher=%s", se, leg->refresher_is_us ? "uac" : "uas");
    return buf;
}

static uint32_t session_left_ms(const struct sip_leg *leg)
{
    uint32_t margin = smaller(END_MARGIN_S, leg->se_s / 3);
    uint64_t end_ms = (uint64_t)(leg->se_s - margin) * 1000u;
    uint64_t gone_ms = (clock_mono_now().us - leg->se_since.us) / 1000u;
    return gone_ms >= end_ms ? 1 : (uint32_t)(end_ms - gone_ms);
}

static void session_fired(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    struct sip_leg *leg = (struct sip_leg *)arg;
    (void)magic;
    (void)timer;
    uint32_t left = session_left_ms(leg);
    if (!sip_may_act(leg->ua)) {
        arm(leg, &leg->timer_session, BUSY_RETRY_MS, session_fired);
        return;
    }
    if (left <= 1) {
        mem_ref(leg);
        sip_dialog_bye(leg, 408, "Session timer expired");
        sip_leg_end(leg, SIP_EV_ENDED, 408, "Session timer expired");
        mem_unref(leg);
        return;
    }
    if (leg->refresher_is_us && !leg->se_refreshed) {
        if (leg->state != SIP_UP || sip_dialog_offer(leg, NULL) != 0) {
            arm(leg, &leg->timer_session, smaller(left, BUSY_RETRY_MS), session_fired);
            return;
        }
        leg->se_refreshed = true;
    }
    arm(leg, &leg->timer_session, left, session_fired);
}

void sip_timer_start(struct sip_leg *leg)
{
    if (leg->se_s == 0)
        return;
    leg->se_since = clock_mono_now();
    leg->se_refreshed = false;
    uint32_t left = session_left_ms(leg);
    arm(leg, &leg->timer_session, leg->refresher_is_us ? smaller(left, leg->se_s * 500u) : left, session_fired);
}

void sip_timer_resume(struct sip_leg *leg)
{
    sip_timer_start(leg);
    if (leg->se_s == 0 || !leg->refresher_is_us)
        return;
    /* The former owner refreshed at half the interval at the latest, and the peer lets go a margin before its end: what is
     * certainly left is half of it less that margin. Not all legs of a node at the same moment. */
    uint32_t sure = leg->se_s * 500u - smaller(END_MARGIN_S, leg->se_s / 3) * 1000u;
    uint8_t r = 0;
    if (sip_random(&r, sizeof r) != 0)
        r = 128;
    arm(leg, &leg->timer_session, larger(1, sure / 4 + sure / 512 * r), session_fired);
}

void sip_timer_stop(struct sip_leg *leg)
{
    su_timer_t **all[] = {&leg->timer_session, &leg->timer_retry, &leg->timer_guard, &leg->timer_confirm};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (*all[i]) {
            su_timer_destroy(*all[i]);
            *all[i] = NULL;
        }
}

static void retry_fired(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    (void)magic;
    (void)timer;
    sip_dialog_retry((struct sip_leg *)arg);
}

void sip_timer_retry(struct sip_leg *leg, unsigned ms)
{
    arm(leg, &leg->timer_retry, ms, retry_fired);
}

static void confirm_fired(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    (void)magic;
    (void)timer;
    sip_uas_resume((struct sip_leg *)arg);
}

void sip_timer_confirm(struct sip_leg *leg, unsigned ms)
{
    arm(leg, &leg->timer_confirm, ms, confirm_fired);
}

static void guard_fired(su_root_magic_t *magic, su_timer_t *timer, su_timer_arg_t *arg)
{
    (void)magic;
    (void)timer;
    sip_leg_drop((struct sip_leg *)arg);
}

void sip_timer_guard(struct sip_leg *leg, unsigned ms)
{
    arm(leg, &leg->timer_guard, ms, guard_fired);
}
