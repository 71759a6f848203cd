/* One delivery:   due, ours ─► its sound is here ─► sent ─► result ─DeliveryEnd─► told by the state
 * It is taken out of `jobs` only when the state says what became of it, so that it is not sent again meanwhile. */
#include "node/deliver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "node/blobnet.h"
#include "node/http_client.h"
#include "node/lease.h"
#include "node/mail.h"
#include "node/recordings.h"

#define DELIVER_TURN_MS 1000u
#define DELIVER_HOOK_MS 10000u
#define DELIVER_HOOK_LANE 7u
#define DELIVER_ANSWER_BYTES 65536u

enum job_step { JOB_FETCHING, JOB_SENDING, JOB_OVER, JOB_TELLING };

struct job {
    struct list_node link;
    struct node *n;
    uint64_t message;
    enum core_delivery_kind kind;
    uint32_t tries;
    enum job_step step;
    struct core_message m;
    struct mail mail;
    char id[17], *owned[MAIL_TO_MAX + 8];
    unsigned n_owned;
    pthread_t thread;
    bool mp3, running;
    struct node_posted post;
    struct http_request *request;
    struct mail_result result;
};

struct node_deliver {
    struct node *n;
    uv_timer_t timer;
    struct list_node jobs;
    unsigned n_hooks;
    struct job *mailing; /* whose thread runs */
    atomic_bool stop;
    struct deliver_counts counts;
};

static void job_free(struct job *j)
{
    list_del(&j->link);
    for (unsigned i = 0; i < j->n_owned; i++) {
        explicit_bzero(j->owned[i], strlen(j->owned[i]));
        free(j->owned[i]);
    }
    free(j);
}

/* A copy for as long as the job is; "" when there is no memory, which the result then says. */
static const char *keep(struct job *j, const char *text)
{
    char *copy = j->n_owned < sizeof j->owned / sizeof *j->owned ? mem_strdup(text ? text : "") : NULL;
    if (copy)
        j->owned[j->n_owned++] = copy;
    else
        j->result.code = ERR_NOMEM;
    return copy ? copy : "";
}

/* ---- telling */

static void told(void *ctx, int status, const struct core_answer *a)
{
    struct job *j = ctx;
    (void)a; /* refused: it is another node's by now, or gone */
    if (status && j->n->deliver)
        j->step = JOB_OVER; /* once more with the next turn */
    else
        job_free(j);
}

static void job_tell(struct job *j)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__DeliveryEnd m = EV__DELIVERY_END__INIT;
    cmd.body_case = EV__COMMAND__BODY_DELIVERY_END;
    cmd.delivery_end = &m;
    m.message = j->message;
    m.kind = (uint32_t)j->kind;
    m.tries = j->tries;
    m.ok = j->result.code == 0;
    m.for_good = j->result.for_good;
    m.why = j->result.why;
    j->step = JOB_TELLING;
    if (node_propose(j->n, &cmd, 0, told, j))
        j->step = JOB_OVER;
}

static void job_over(struct job *j)
{
    struct node_deliver *d = j->n->deliver;
    bool mail = j->kind == CORE_DELIVERY_EMAIL, good = j->result.code == 0;
    uint64_t *count = mail ? (good ? &d->counts.mails : &d->counts.mails_failed)
                           : (good ? &d->counts.hooks : &d->counts.hooks_failed);
    (*count)++;
    if (!good && !j->result.why[0])
        snprintf(j->result.why, sizeof j->result.why, "%s", err_text(j->result.code));
    if (!good)
        log_warn("mail", "%s of message %s is not sent: %s", core_delivery_name(j->kind), j->id, j->result.why);
    job_tell(j);
}

static void job_failed(struct job *j, int code, bool for_good, const char *why)
{
    j->result = (struct mail_result){.code = code, .for_good = for_good};
    snprintf(j->result.why, sizeof j->result.why, "%s", why);
    job_over(j);
}

/* ---- e-mail */

static void mail_over(struct node *n, void *ctx)
{
    struct job *j = ctx;
    if (!n->deliver) { /* deliver_stop has joined it */
        job_free(j);
        return;
    }
    (void)pthread_join(j->thread, NULL);
    j->running = false;
    n->deliver->mailing = NULL;
    job_over(j);
}

static void *mail_run(void *ctx)
{
    struct job *j = ctx;
    void *sound = NULL;
    uint64_t len = 0;
    size_t n = 0;
    thread_ordinary();
    int rc = j->mp3 ? recordings_sound_mp3(j->n, j->m.sha256, j->message, &sound, &n)
                    : recordings_sound_bytes(j->n, j->m.sha256, &len);
    if (!rc && !j->mp3) {
        n = (size_t)len;
        rc = recordings_sound_read(j->n, j->m.sha256, j->message, 0, n, &sound);
    }
    j->mail.sound = sound;
    j->mail.sound_len = n;
    j->mail.mp3 = j->mp3;
    if (rc)
        j->result = (struct mail_result){.code = rc};
    else
        mail_send(&j->mail, &j->result);
    free(sound);
    node_post_lend(j->n, &j->post, mail_over, j);
    return NULL;
}

static void mail_begin(struct job *j)
{
    const struct core *c = j->n->core;
    const Ev__Mailbox *box = core_mailbox(c, j->m.box);
    const char *url = core_parameter(c, "smtp_url", ""), *from = core_parameter(c, "smtp_from", ""),
               *secret = core_secret(c, core_parameter(c, "smtp_secret", "")),
               *ca = core_parameter(c, "http_ca", "none");
    if (!box || !box->n_email) {
        job_failed(j, ERR_NOTFOUND, true, "the box has no e-mail address any more");
        return;
    }
    if (!url[0] || !from[0]) {
        job_failed(j, ERR_INVAL, false, "parameters smtp_url and smtp_from are not set");
        return;
    }
    struct mail *m = &j->mail;
    m->url = keep(j, url);
    m->from = keep(j, from);
    m->tls = strcmp(core_parameter(c, "smtp_tls", "required"), "none") == 0 ? MAIL_TLS_NONE : MAIL_TLS_REQUIRED;
    m->user = keep(j, core_parameter(c, "smtp_user", ""));
    m->password = keep(j, secret);
    m->ca = keep(j, strcmp(ca, "none") == 0 ? "" : ca);
    for (m->n_to = 0; m->n_to < box->n_email && m->n_to < MAIL_TO_MAX; m->n_to++)
        m->to[m->n_to] = keep(j, box->email[m->n_to]);
    const char *language = box->language[0] ? box->language : core_parameter(c, "language", "zh");
    m->about.language = keep(j, language);
    j->mp3 = strcmp(box->email_format, "mp3") == 0;
    m->stop = &j->n->deliver->stop;
    j->running = j->result.code == 0 && pthread_create(&j->thread, NULL, mail_run, j) == 0;
    if (j->running)
        j->n->deliver->mailing = j;
    else
        job_failed(j, ERR_NOMEM, false, "out of memory");
}

/* ---- web hook */

static void hook_answered(void *ctx, const struct http_answer *a)
{
    struct job *j = ctx;
    char why[MAIL_WHY_MAX];
    j->request = NULL;
    j->n->deliver->n_hooks--;
    bool good = a->code == 0 && a->status >= 200 && a->status < 300;
    bool later = a->code != 0 || a->status >= 500 || a->status == 408 || a->status == 425 || a->status == 429;
    snprintf(why, sizeof why, "the web hook said %d", a->status);
    if (good)
        job_over(j);
    else
        job_failed(j, a->code ? a->code : ERR_IO, !later, a->code ? err_text(a->code) : why);
}

static int hook_send(struct job *j, const Ev__Mailbox *box, const char *body)
{
    const struct core *c = j->n->core;
    const char *proxy = core_parameter(c, "http_proxy", "none"), *ca = core_parameter(c, "http_ca", "none");
    const char *secret = box->hook_secret[0] ? core_secret(c, box->hook_secret) : NULL;
    char signature[MAIL_SIGNATURE_MAX];
    if (secret)
        mail_hook_sign(secret, body, signature);
    const struct http_header headers[] = {{"Idempotency-Key", j->id}, {"X-Everline-Signature", signature}};
    const struct http_ask ask = {.lane = DELIVER_HOOK_LANE,
                                 .method = "POST",
                                 .url = box->hook_url,
                                 .headers = headers,
                                 .n_headers = secret ? 2 : 1,
                                 .body = body,
                                 .body_len = strlen(body),
                                 .timeout_ms = DELIVER_HOOK_MS,
                                 .max_bytes = DELIVER_ANSWER_BYTES};
    int rc = http_client_set(j->n->http, strcmp(proxy, "none") == 0 ? "" : proxy, strcmp(ca, "none") == 0 ? "" : ca);
    return rc ? rc : http_client_send(j->n->http, &ask, hook_answered, j, &j->request, NULL);
}

static void hook_begin(struct job *j)
{
    const Ev__Mailbox *box = core_mailbox(j->n->core, j->m.box);
    if (!box || !box->hook_url[0]) {
        job_failed(j, ERR_NOTFOUND, true, "the box has no web hook any more");
        return;
    }
    char *body = mail_hook_body(&j->mail.about, j->m.sha256, node_time_us(j->n));
    int rc = body ? hook_send(j, box, body) : ERR_NOMEM;
    free(body);
    if (rc)
        job_failed(j, rc, false, err_text(rc));
    else
        j->n->deliver->n_hooks++;
}

/* ---- what is due */

static struct job *job_of(const struct node_deliver *d, const struct core_delivery *is)
{
    list_foreach(it, &d->jobs) {
        struct job *j = list_entry(it, struct job, link);
        if (j->message == is->message && j->kind == is->kind)
            return j;
    }
    return NULL;
}

static void job_start(struct job *j)
{
    j->step = JOB_SENDING;
    if (j->kind == CORE_DELIVERY_EMAIL)
        mail_begin(j);
    else
        hook_begin(j);
}

static void job_new(struct node_deliver *d, const struct core_delivery *is)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return; /* looked at again with the next turn */
    j->n = d->n;
    j->message = is->message;
    j->kind = is->kind;
    j->tries = is->tries;
    list_push_back(&d->jobs, &j->link);
    snprintf(j->id, sizeof j->id, "%016llx", (unsigned long long)j->message);
    if (core_message_get(d->n->core, j->message, &j->m)) {
        job_failed(j, ERR_NOTFOUND, true, "the message is gone");
        return;
    }
    j->mail.about = (struct mail_about){.language = "zh",
                                        .box = j->m.box,
                                        .caller = j->m.caller,
                                        .called = j->m.called,
                                        .id = j->id,
                                        .started_us = j->m.started_us,
                                        .duration_ms = j->m.duration_ms};
    if (is->kind == CORE_DELIVERY_HOOK || blobnet_has(d->n, j->m.sha256))
        job_start(j);
    else if (blobnet_fetch(d->n, j->m.sha256, false, NULL, NULL))
        job_failed(j, ERR_BUSY, false, "its sound is not here");
    else
        job_free(j); /* looked at again when it has come */
}

static void turn(uv_timer_t *timer)
{
    struct node_deliver *d = timer->data;
    if (!node_may_act(d->n))
        return;
    list_foreach_safe(it, &d->jobs) {
        struct job *j = list_entry(it, struct job, link);
        if (j->step == JOB_OVER)
            job_tell(j);
    }
    uint64_t now = node_time_us(d->n);
    for (const struct core_delivery *is = NULL; (is = core_delivery_next(d->n->core, is));) {
        bool room = is->kind == CORE_DELIVERY_EMAIL ? !d->mailing : d->n_hooks < DELIVER_HOOKS_MAX;
        if (room && is->due_us <= now && strcmp(is->owner, d->n->cfg.name) == 0 && !job_of(d, is))
            job_new(d, is);
    }
}

void deliver_changed(struct node *n)
{
    if (n->deliver)
        (void)uv_timer_start(&n->deliver->timer, turn, 1, DELIVER_TURN_MS);
}

void deliver_get_counts(struct node *n, struct deliver_counts *out)
{
    *out = n->deliver ? n->deliver->counts : (struct deliver_counts){0};
}

int deliver_start(struct node *n)
{
    struct node_deliver *d = calloc(1, sizeof *d);
    if (!d)
        return ERR_NOMEM;
    d->n = n;
    d->timer.data = d;
    list_init(&d->jobs);
    (void)uv_timer_init(&n->loop, &d->timer);
    (void)uv_timer_start(&d->timer, turn, DELIVER_TURN_MS, DELIVER_TURN_MS);
    n->deliver = d;
    return 0;
}

static void deliver_free(uv_handle_t *timer)
{
    free(timer->data);
}

/* What was not told is sent again, by whoever has it then. */
void deliver_stop(struct node *n)
{
    struct node_deliver *d = n->deliver;
    if (!d)
        return;
    atomic_store(&d->stop, true);
    list_foreach_safe(it, &d->jobs) {
        struct job *j = list_entry(it, struct job, link);
        list_del(it);
        if (j->request)
            http_client_cancel(n->http, j->request);
        if (j->running)
            (void)pthread_join(j->thread, NULL); /* mail_over still comes */
        else if (j->step != JOB_TELLING)
            job_free(j);
    }
    n->deliver = NULL;
    uv_close((uv_handle_t *)&d->timer, deliver_free);
}
