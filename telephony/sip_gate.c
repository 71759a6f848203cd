/* What may leave: the last look at each message, in front of the library's tport_tsend().
 *
 * The library has no way to end a transaction without a word: one that is destroyed answers 500, or repeats what it sent until
 * its timers end. A dialog that another node carries on must fall silent at once, and so must a node whose lease is over,
 * with the repetitions of what it sent before. So messages of muted transactions (known by their branch), and while the owner
 * says that nothing may be done all requests of ours, are taken as sent and go nowhere. Requests that we only forward (two
 * Vias, sip_edge.c) go on: they are somebody else's. One list per thread, like the other guards. */
#include <dlfcn.h>
#include <sofia-sip/su_tagarg.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/sip_int.h"

struct muted {
    struct list_node link;
    uint64_t until_us;
    char branch[];
};

/* The endpoints of this thread. */
static _Thread_local struct {
    struct list_node uas;
    bool ready, trying; /* trying: a 100 may pass now */
} gate;

typedef tport_t *tsend_fn(tport_t *, msg_t *, tp_name_t const *, tag_type_t, tag_value_t, ...);

void sip_gate_add(struct sip_ua *ua)
{
    if (!gate.ready)
        list_init(&gate.uas);
    gate.ready = true;
    for (size_t i = 0; i < SIP_MUTED_BUCKETS; i++)
        list_init(&ua->muted[i]);
    list_push_back(&gate.uas, &ua->link);
}

static void forget_muted(struct sip_ua *ua, struct muted *m)
{
    list_del(&m->link);
    free(m);
    ua->n_muted--;
}

void sip_gate_remove(struct sip_ua *ua)
{
    list_del(&ua->link);
    for (size_t i = 0; i < SIP_MUTED_BUCKETS; i++)
        list_foreach_safe(it, &ua->muted[i])
            forget_muted(ua, list_entry(it, struct muted, link));
}

bool sip_may_act(const struct sip_ua *ua)
{
    return !ua->handler.may_act || ua->handler.may_act(ua->handler.ctx);
}

static size_t bucket(const char *branch)
{
    uint32_t h = 2166136261u;
    for (const char *p = branch; *p; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return h % SIP_MUTED_BUCKETS;
}

static struct muted *find(const struct sip_ua *ua, const char *branch)
{
    list_foreach(it, &ua->muted[bucket(branch)]) {
        struct muted *m = list_entry(it, struct muted, link);
        if (strcmp(m->branch, branch) == 0)
            return m;
    }
    return NULL;
}

void sip_gate_mute(struct sip_ua *ua, const char *branch, unsigned ms)
{
    if (!branch || !*branch)
        return;
    struct muted *m = find(ua, branch);
    if (!m) {
        size_t n = strlen(branch) + 1;
        m = malloc(sizeof *m + n);
        if (!m) {
            log_error("sip", "out of memory: a transaction that is given up is not silent");
            return;
        }
        memcpy(m->branch, branch, n);
        list_push_back(&ua->muted[bucket(branch)], &m->link);
        ua->n_muted++;
    }
    m->until_us = clock_mono_now().us + (uint64_t)ms * 1000u;
}

void sip_gate_unmute(struct sip_ua *ua, const char *branch)
{
    struct muted *m = branch && ua->n_muted ? find(ua, branch) : NULL;
    if (m)
        forget_muted(ua, m);
}

void sip_gate_sweep(struct sip_ua *ua)
{
    uint64_t now = clock_mono_now().us;
    for (size_t i = 0; ua->n_muted && i < SIP_MUTED_BUCKETS; i++)
        list_foreach_safe(it, &ua->muted[i]) {
            struct muted *m = list_entry(it, struct muted, link);
            if (m->until_us <= now)
                forget_muted(ua, m);
        }
}

/* The endpoint that a transport belongs to, and which of its agents. */
static struct sip_ua *owner_of(const tport_t *tp, const nta_agent_t **agent)
{
    const tport_t *primary = tport_parent(tp);
    list_foreach(it, &gate.uas) {
        struct sip_ua *ua = list_entry(it, struct sip_ua, link);
        for (size_t i = 0; i < SIP_LISTEN_MAX; i++)
            for (tport_t *p = ua->ports[i] ? tport_primaries(nta_agent_tports(ua->ports[i]->agent)) : NULL; p;
                 p = tport_next(p))
                if (p == primary) {
                    *agent = ua->ports[i]->agent;
                    return ua;
                }
    }
    return NULL;
}

/* The library ends a dialog that it takes for an orphan by a BYE with the highest CSeq there is; one of ours never has it. */
#define ORPHAN_CSEQ 0x7fffffffu

static bool held_back(const tport_t *tp, const sip_t *sip)
{
    const sip_via_t *via = sip ? sip->sip_via : NULL;
    if (!via || list_empty(&gate.uas))
        return false;
    const nta_agent_t *agent = NULL;
    const struct sip_ua *ua = owner_of(tp, &agent);
    if (!ua)
        return false;
    /* The library's own, 200 ms after an INVITE that nobody has answered. */
    if (sip->sip_status && sip->sip_status->st_status == 100 && !gate.trying)
        return true;
    if (sip->sip_status && sip->sip_status->st_status == 200 && sip->sip_cseq &&
        sip->sip_cseq->cs_method == sip_method_cancel && via->v_branch && sip_cancel_waits(ua, agent, sip))
        return true;
    if (ua->n_muted && via->v_branch && find(ua, via->v_branch))
        return true;
    if (!sip->sip_request || via->v_next)
        return false;
    if (!sip_may_act(ua))
        return true;
    return sip->sip_cseq && sip->sip_cseq->cs_seq == ORPHAN_CSEQ && sip->sip_call_id && sip->sip_from &&
           sip->sip_from->a_tag && sip_limbo_has(ua, sip->sip_call_id->i_id, sip->sip_from->a_tag);
}

void sip_gate_trying(nta_incoming_t *irq)
{
    sip_gate_pass_100(true);
    nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
    sip_gate_pass_100(false);
}

void sip_gate_pass_100(bool pass)
{
    gate.trying = pass;
}

tport_t *tport_tsend(tport_t *self, msg_t *msg, tp_name_t const *tpn, tag_type_t tag, tag_value_t value, ...)
{
    static tsend_fn *real;
    if (!__atomic_load_n(&real, __ATOMIC_RELAXED)) {
        tsend_fn *fn = NULL;
        *(void **)&fn = dlsym(RTLD_NEXT, "tport_tsend");
        if (!fn)
            return NULL;
        __atomic_store_n(&real, fn, __ATOMIC_RELAXED);
    }
    if (gate.ready && self && msg && held_back(self, sip_object(msg)))
        return self;
    ta_list ta;
    ta_start(ta, tag, value);
    tport_t *sent = real(self, msg, tpn, ta_tags(ta));
    ta_end(ta);
    return sent;
}
