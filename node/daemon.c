#include "node/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/thread.h"
#include "node/address.h"
#include "node/apiback.h"
#include "node/blobnet.h"
#include "node/call.h"
#include "node/deliver.h"
#include "node/drain.h"
#include "node/edge.h"
#include "node/http_client.h"
#include "node/lease.h"
#include "node/metrics.h"
#include "node/recordings.h"
#include "node/replica.h"
#include "node/sound.h"
#include "node/spoken.h"
#include "node/supervisor.h"
#include "node/uploaded.h"
#include "node/watch.h"
#include "telephony/media.h"
#include "telephony/prompt.h"
#include "telephony/sip.h"
#include "telephony/sip_guard.h"

#define DAEMON_EDGE_CHECK_MS 20u

/* Sofia's loop is the outer one; libuv's is turned whenever its descriptor is ready or its next timer is due. */
struct daemon {
    struct node n;
    su_wait_t uv_wait;
    int uv_index;
    uv_signal_t on_term, on_int;
    uv_timer_t edge, beat;
    bool handles;
    bool uv_ready; /* libuv's descriptor woke Sofia's loop */
};

static int daemon_uv_ready(su_root_magic_t *magic, su_wait_t *w, su_wakeup_arg_t *arg)
{
    (void)magic;
    (void)w;
    ((struct daemon *)arg)->uv_ready = true;
    return 0; /* the main loop turns libuv */
}

static void daemon_no_work(uv_work_t *work)
{
    (void)work;
}

static void daemon_no_work_done(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

void daemon_workers(uv_loop_t *loop)
{
    static uv_work_t first;
    (void)uv_queue_work(loop, &first, daemon_no_work, daemon_no_work_done);
}

static int daemon_loop_start(struct daemon *d, struct err_info *info)
{
    if (uv_loop_init(&d->n.loop))
        return err_set(info, ERR_IO, "", "no event loop");
    daemon_workers(&d->n.loop);
    if (!thread_urgent())
        log_info("node",
                 "no right to go before other programs (LimitNICE=-15): on a busy machine a takeover takes longer");
    su_init();
    d->n.root = su_root_create(d);
    if (!d->n.root)
        return err_set(info, ERR_NOMEM, "", "no SIP event loop");
    su_root_threading(d->n.root, 0);
    if (su_wait_create(&d->uv_wait, uv_backend_fd(&d->n.loop), SU_WAIT_IN))
        return err_set(info, ERR_IO, "", "event loops cannot be joined");
    d->uv_index = su_root_register(d->n.root, &d->uv_wait, daemon_uv_ready, (su_wakeup_arg_t *)d, 0);
    if (d->uv_index < 0)
        return err_set(info, ERR_IO, "", "event loops cannot be joined");
    return 0;
}

static void daemon_turn(struct daemon *d)
{
    uv_run(&d->n.loop, UV_RUN_NOWAIT);
    if (d->uv_ready) {
        /* What the callbacks have begun to watch is put into the descriptor by the next run only. */
        d->uv_ready = false;
        uv_run(&d->n.loop, UV_RUN_NOWAIT);
    }
    int ms = uv_backend_timeout(&d->n.loop);
    su_root_step(d->n.root, ms < 0 || ms > 1000 ? 1000 : ms);
}

/* SIGTERM: this node goes, the cluster goes on. SIGINT (Ctrl-C): it ends with all that it has. */
static void daemon_signal(uv_signal_t *s, int number)
{
    struct daemon *d = s->data;
    log_notice("node", "%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
    if (number == SIGTERM)
        drain_leave(&d->n);
    else
        node_stop(&d->n, 0);
}

static void daemon_beat(uv_timer_t *t)
{
    (void)t;
    supervisor_beat();
}

/* SIP begins when the node is announced: before that it could not take a call. */
static void daemon_edge(uv_timer_t *t)
{
    struct daemon *d = t->data;
    struct node *n = &d->n;
    if (n->ua || n->stopping || !replica_announced(n))
        return;
    struct err_info info = {0};
    if (edge_start(n, &info)) {
        log_error("sip", "cannot start: %s %s", info.field, info.text);
        node_stop(n, 1);
        return;
    }
    uv_timer_stop(t);
    address_look_again(n);
    address_reconcile(n);
    calls_reload(n->calls);
    watch_reload(n);
    metrics_refresh(n);
    log_notice("node", "takes calls%s%s", node_config_service(&n->cfg, n->cfg.sip[0].ip) ? "" : " at ",
               node_config_service(&n->cfg, n->cfg.sip[0].ip) ? "" : n->cfg.sip[0].text);
}

static int daemon_make_folder(const char *path, struct err_info *info)
{
    int rc = folder_make(path);
    return rc ? err_set(info, rc, "data", "folder %s cannot be made: %s", path, err_text(rc)) : 0;
}

static int daemon_media_start(struct node *n, struct err_info *info)
{
    struct media_config cfg = {
        .port_min = n->cfg.rtp_port_min,
        .port_max = n->cfg.rtp_port_max,
        .threads = n->cfg.media_threads,
        .dead_ms = core_parameter_number(n->core, "media_dead_ms", 60000),
    };
    for (unsigned i = 0, used = 0; i < n->cfg.n_rtp && used < 4; i++)
        if (!node_config_service(&n->cfg, n->cfg.rtp_ip[i]))
            cfg.bind_ip[used++] = n->cfg.rtp_ip[i];
    return media_engine_start(&n->loop, &cfg, &n->media, info);
}

static void daemon_handles(struct daemon *d)
{
    d->handles = true;
    uv_signal_init(&d->n.loop, &d->on_term);
    uv_signal_init(&d->n.loop, &d->on_int);
    uv_timer_init(&d->n.loop, &d->edge);
    uv_timer_init(&d->n.loop, &d->beat);
    d->on_term.data = d->on_int.data = d->edge.data = d->beat.data = d;
    uv_signal_start(&d->on_term, daemon_signal, SIGTERM);
    uv_signal_start(&d->on_int, daemon_signal, SIGINT);
    uv_timer_start(&d->edge, daemon_edge, 0, DAEMON_EDGE_CHECK_MS);
    uv_timer_start(&d->beat, daemon_beat, 0, SUPERVISOR_BEAT_MS);
}

static int daemon_start(struct daemon *d, bool bootstrap, struct err_info *info)
{
    struct node *n = &d->n;
    int rc = daemon_loop_start(d, info);
    if (rc == 0)
        rc = node_post_init(n);
    if (rc == 0)
        rc = daemon_make_folder(n->cfg.data, info);
    if (rc == 0)
        rc = prompt_store_open(n->cfg.prompts, &n->prompts, info);
    if (rc == 0)
        rc = blobnet_start(n, info);
    if (rc == 0)
        rc = recordings_start(n, info);
    if (rc == 0)
        rc = sound_start(n);
    if (rc == 0)
        rc = spoken_start(n);
    if (rc == 0)
        rc = http_client_start(&n->loop, &(struct http_config){0}, &n->http);
    if (rc == 0)
        rc = deliver_start(n);
    if (rc == 0)
        rc = calls_start(n, &n->calls);
    if (rc == 0)
        rc = watch_start(n);
    if (rc == 0)
        rc = replica_start(n, bootstrap, info);
    if (rc == 0)
        rc = uploaded_start(n);
    if (rc == 0)
        rc = daemon_media_start(n, info);
    if (rc == 0)
        rc = lease_start(n);
    if (rc == 0)
        rc = address_start(n);
    if (rc == 0)
        rc = drain_start(n);
    if (rc == 0)
        rc = metrics_start(n);
    if (rc == 0)
        rc = apiback_start(n, info);
    if (rc == 0)
        daemon_handles(d);
    return rc;
}

static void daemon_repl_stopped(void *arg)
{
    struct node *n = arg;
    n->repl = NULL;
    n->stopped = true;
}

void node_stop(struct node *n, int exit_code)
{
    if (n->stopping)
        return;
    n->stopping = true;
    n->exit_code = exit_code;
}

/* Order: nobody new (SIP, API), then calls, then replication, then the addresses, then the state. */
static void daemon_stop(struct daemon *d)
{
    struct node *n = &d->n;
    supervisor_beat_last();
    apiback_stop(n);
    lease_stop(n);
    drain_stop(n);
    uploaded_stop(n); /* a worker of its may be looking at the files of spoken texts */
    sound_stop(n);
    spoken_stop(n);
    deliver_stop(n);
    recordings_stop(n);
    blobnet_stop(n);
    /* Cut off, its calls may be another's by now; when it cannot go on they soon will be: they hear nothing from here. */
    bool may_act = node_may_act(n) && !n->removed && !(n->exit_code && drain_others_go_on(n));
    if (n->calls && !may_act)
        calls_suspend(n->calls);
    calls_stop(n->calls);
    n->calls = NULL;
    http_client_stop(n->http);
    n->http = NULL;
    watch_stop(n);
    sip_ua_stop(n->ua, may_act);
    n->ua = NULL;
    metrics_stop(n);
    if (n->repl) {
        repl_stop(n->repl, daemon_repl_stopped, n);
        while (!n->stopped)
            daemon_turn(d);
    }
    address_stop(n);
    replica_close(n);
    if (n->media)
        media_engine_stop(n->media);
    if (n->prompts)
        prompt_store_close(n->prompts);
    node_post_close(n);
    if (d->handles) {
        uv_close((uv_handle_t *)&d->on_term, NULL);
        uv_close((uv_handle_t *)&d->on_int, NULL);
        uv_close((uv_handle_t *)&d->edge, NULL);
        uv_close((uv_handle_t *)&d->beat, NULL);
    }
    uv_run(&n->loop, UV_RUN_NOWAIT);
    if (n->root) {
        su_root_unregister(n->root, &d->uv_wait, daemon_uv_ready, (su_wakeup_arg_t *)d);
        su_root_destroy(n->root);
        su_deinit();
    }
    uv_loop_close(&n->loop);
    node_config_free(&n->cfg);
}

int daemon_run(struct node_config *cfg, bool bootstrap)
{
    struct daemon *d = calloc(1, sizeof *d);
    if (!d)
        return 1;
    prctl(PR_SET_NAME, "core");
    d->n.cfg = *cfg;
    d->n.started_us = clock_wall_now().us;
    sip_resolve_guard(true);
    struct err_info info = {0};
    int rc = daemon_start(d, bootstrap, &info);
    if (rc) {
        log_error("node", "cannot start: %s%s%s", info.field, info.field[0] ? ": " : "",
                  info.text[0] ? info.text : err_text(rc));
        node_stop(&d->n, 1);
    }
    while (!d->n.stopping)
        daemon_turn(d);
    daemon_stop(d);
    int code = d->n.exit_code;
    free(d);
    log_notice("node", "stopped");
    return code;
}
