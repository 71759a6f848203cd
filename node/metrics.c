#include "node/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "node/blobnet.h"
#include "node/call.h"
#include "node/deliver.h"
#include "node/http_client.h"
#include "node/lease.h"
#include "node/recordings.h"
#include "node/replica.h"
#include "node/sound.h"
#include "node/uploaded.h"
#include "node/watch.h"
#include "telephony/media.h"
#include "telephony/sip.h"

#define METRICS_EVERY_MS 1000u
#define METRICS_TEXT_MAX 16384

struct node_metrics {
    uv_timer_t timer;
    pthread_mutex_t lock;
    char text[METRICS_TEXT_MAX]; /* under lock */
    const char *why;             /* under lock; static text, NULL when ready */
};

struct metric {
    const char *name, *type, *help;
    double value;
};

/* The one list of figures: metrics, node status and documentation speak of the same. */
#define METRICS_MAX 94
static unsigned metrics_gather(struct node *n, struct metric *m)
{
    struct core_counts c;
    struct repl_status r;
    struct calls_counts k = {0};
    struct media_engine_stats md = {0};
    struct sip_stats s = {0};
    struct blobnet_counts b = {0};
    struct recordings_counts rec = {0};
    struct watch_counts w;
    watch_get_counts(n, &w);
    core_get_counts(n->core, &c);
    repl_get_status(n->repl, &r);
    if (n->calls)
        calls_get_counts(n->calls, &k);
    struct http_counts h = {0};
    if (n->http)
        http_client_counts(n->http, &h);
    if (n->media)
        media_engine_get_stats(n->media, &md);
    if (n->ua)
        sip_ua_get_stats(n->ua, &s);
    if (n->blobnet)
        blobnet_get_counts(n, &b);
    if (n->recordings)
        recordings_get_counts(n, &rec);
    struct deliver_counts told;
    deliver_get_counts(n, &told);
    uint64_t age = repl_lease_age_us(n->repl);
    const struct metric rows[] = {
        {"everline_calls", "gauge", "Live calls in the cluster.", c.calls},
        {"everline_calls_waiting", "gauge", "Calls that wait in queues.", c.waiting},
        {"everline_calls_talking", "gauge", "Calls with two parties joined.", c.talking},
        {"everline_calls_total", "counter", "Calls started in the cluster.", (double)c.calls_total},
        {"everline_agents_logged_in", "gauge", "Agents logged in.", c.agents_in},
        {"everline_agents_idle", "gauge", "Agents ready and waiting.", c.agents_idle},
        {"everline_registrations", "gauge", "Registered contacts of telephones.", c.registrations},
        {"everline_commands_total", "counter", "Commands applied.", (double)c.commands_total},
        {"everline_commands_refused_total", "counter", "Commands refused by apply.", (double)c.refused_total},
        {"everline_node_calls", "gauge", "Calls that this node carries.", k.live},
        {"everline_node_calls_started_total", "counter", "Calls begun at this node.", (double)k.started},
        {"everline_node_calls_refused_total", "counter", "Calls refused by this node.", (double)k.refused},
        {"everline_node_calls_ended_total", "counter", "Calls ended at this node.", (double)k.ended},
        {"everline_node_rtp_lines_written_total", "counter", "Commands for legs whose RTP numbers had strayed.",
         (double)k.rtp_written},
        {"everline_node_legs_rated_total", "counter", "Legs that ended here and were heard.", (double)k.legs_rated},
        {"everline_node_legs_poor_total", "counter", "Of these, with a mean opinion score below 3.6.",
         (double)k.legs_poor},
        {"everline_node_legs_mos_sum", "counter", "Sum of their mean opinion scores (E-model).", k.mos_sum},
        {"everline_raft_leader", "gauge", "1 on the leader.", r.state == REPL_LEADER},
        {"everline_raft_term", "gauge", "Term of the log.", (double)r.term},
        {"everline_raft_commit_index", "counter", "Last committed index.", (double)r.commit_index},
        {"everline_raft_applied_index", "counter", "Last applied index.", (double)r.applied_index},
        {"everline_raft_quorum_age_seconds", "gauge", "Time since a majority was last heard.",
         (double)repl_quorum_age_ms(n->repl) / 1000.0},
        {"everline_lease_age_seconds", "gauge", "Age of this node's lease to act on calls.",
         age == UINT64_MAX ? -1.0 : (double)age / 1e6},
        {"everline_lease_lost_total", "counter", "How often the lease was lost.", (double)lease_lost_total(n)},
        {"everline_node_isolated", "gauge", "1 while this node is cut off from the majority and takes no calls.",
         !node_may_act(n)},
        {"everline_raft_pending_commands", "gauge", "Own commands not yet applied.", (double)r.pending},
        {"everline_raft_refused_commands_total", "counter", "Commands refused because the queue was full.",
         (double)r.refused},
        {"everline_raft_forwarded_commands_total", "counter", "Commands sent on to the leader.", (double)r.forwarded},
        {"everline_raft_log_bytes", "gauge", "Log on disk.", (double)r.log_bytes},
        {"everline_media_streams", "gauge", "Open media streams.", md.streams},
        {"everline_media_ports_free", "gauge", "Port pairs left.", md.ports_free},
        {"everline_media_packets_received_total", "counter", "RTP packets received.", (double)md.packets_in},
        {"everline_media_packets_sent_total", "counter", "RTP packets sent.", (double)md.packets_out},
        {"everline_media_packets_noise_total", "counter", "Packets dropped as noise.", (double)md.packets_noise},
        {"everline_media_ticks_late_total", "counter", "Media ticks that came late.", (double)md.ticks_late},
        {"everline_media_queue_full_total", "counter", "Media commands or events refused.", (double)md.queue_full},
        {"everline_http_requests_total", "counter", "Requests to business systems.", (double)h.requests},
        {"everline_http_answered_total", "counter", "Of these, answered, with whatever status.", (double)h.answered},
        {"everline_http_timeouts_total", "counter", "Of these, not answered in time.", (double)h.timeouts},
        {"everline_http_failed_total", "counter", "Of these, failed otherwise.", (double)h.failed},
        {"everline_http_busy_total", "counter", "Requests refused because too many were under way.", (double)h.busy},
        {"everline_http_skipped_total", "counter", "Requests not made because the host does not answer.",
         (double)h.skipped},
        {"everline_http_active", "gauge", "Requests under way.", h.active},
        {"everline_http_waiting", "gauge", "Requests that wait for room.", h.waiting},
        {"everline_http_hosts_down", "gauge", "Business systems that do not answer.", h.hosts_down},
        {"everline_vip_lookups_total", "counter", "Business systems asked about callers.", (double)k.vip_asked},
        {"everline_vip_lookup_errors_total", "counter", "Of these, without a usable answer.", (double)k.vip_errors},
        {"everline_vip_raised_total", "counter", "Callers made VIPs while they waited.", (double)k.vips},
        {"everline_sip_requests_received_total", "counter", "SIP requests received.", (double)s.requests_in},
        {"everline_sip_responses_received_total", "counter", "SIP responses received.", (double)s.responses_in},
        {"everline_sip_invites_received_total", "counter", "INVITE requests received.", (double)s.invites_in},
        {"everline_sip_registers_received_total", "counter", "REGISTER requests received.", (double)s.registers_in},
        {"everline_sip_subscribes_received_total", "counter", "SUBSCRIBE requests received.", (double)s.subscribes_in},
        {"everline_sip_subscriptions", "gauge", "Subscriptions that this node tells.", w.subscriptions},
        {"everline_sip_notifies_sent_total", "counter", "NOTIFY requests to subscribers.", (double)w.notifies},
        {"everline_sip_notifies_failed_total", "counter", "Of these, refused or not answered.", (double)w.failed},
        {"everline_sip_malformed_total", "counter", "Malformed SIP messages.", (double)s.malformed},
        {"everline_sip_challenges_total", "counter", "Digest challenges sent.", (double)s.auth_challenges},
        {"everline_sip_auth_failures_total", "counter", "Wrong credentials.", (double)s.auth_failures},
        {"everline_sip_overloaded_total", "counter", "Requests refused with 503.", (double)s.overloaded},
        {"everline_sip_legs", "gauge", "SIP dialogs.", s.legs},
        {"everline_sip_tcp_connections", "gauge", "TCP connections.", s.tcp_connections},
        {"everline_blob_bytes", "gauge", "Sounds on disk.", (double)b.bytes},
        {"everline_blob_lacking", "gauge", "Sounds that are being fetched.", (double)b.lacking},
        {"everline_blob_fetched_total", "counter", "Sounds fetched from other nodes.", (double)b.fetched},
        {"everline_blob_corrupt_total", "counter", "Sounds found damaged.", (double)b.corrupt},
        {"everline_recordings", "gauge", "Messages that are being recorded or brought to the disks here.",
         (double)rec.made},
        {"everline_recordings_kept_total", "counter", "Messages kept.", (double)rec.kept},
        {"everline_recordings_empty_total", "counter", "Messages without a sound, or too short.", (double)rec.empty},
        {"everline_mails_sent_total", "counter", "E-mails of messages that the mail server has taken.",
         (double)told.mails},
        {"everline_mails_failed_total", "counter", "Tries to send one in vain.", (double)told.mails_failed},
        {"everline_hooks_sent_total", "counter", "Web hooks of messages that were taken.", (double)told.hooks},
        {"everline_hooks_failed_total", "counter", "Tries to send one in vain.", (double)told.hooks_failed},
        {"everline_recordings_failed_total", "counter", "Messages that could not be kept.", (double)rec.failed},
        {"everline_recordings_taken_over_total", "counter", "Recordings of other nodes carried on or ended.",
         (double)rec.adopted},
        {"everline_recordings_lost_samples_total", "counter", "Samples replaced by silence for want of room.",
         (double)rec.lost_samples},
        {"everline_prompts_lacking", "gauge", "Prompts whose sound is not in memory yet.", (double)uploaded_lacking(n)},
        {"everline_sound_jobs_waiting", "gauge", "Uploads and texts that wait to be made.", (double)sound_waiting(n)},
    };
    _Static_assert(sizeof rows / sizeof *rows <= METRICS_MAX, "METRICS_MAX is too small");
    memcpy(m, rows, sizeof rows);
    return sizeof rows / sizeof *rows;
}

void metrics_refresh(struct node *n)
{
    struct node_metrics *mt = n->metrics;
    if (!mt || !n->core || !n->repl)
        return;
    struct metric rows[METRICS_MAX];
    unsigned count = metrics_gather(n, rows);
    const char *why;
    node_refusal(n, &why);
    pthread_mutex_lock(&mt->lock);
    mt->why = why;
    size_t used = 0;
    for (unsigned i = 0; i < count && used < sizeof mt->text; i++)
        used += (size_t)snprintf(mt->text + used, sizeof mt->text - used, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n",
                                 rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name, rows[i].value);
    pthread_mutex_unlock(&mt->lock);
}

static void metrics_tick(uv_timer_t *t)
{
    metrics_refresh(t->data);
}

int metrics_start(struct node *n)
{
    struct node_metrics *mt = calloc(1, sizeof *mt);
    if (!mt)
        return ERR_NOMEM;
    pthread_mutex_init(&mt->lock, NULL);
    mt->why = "this node is starting";
    n->metrics = mt;
    uv_timer_init(&n->loop, &mt->timer);
    mt->timer.data = n;
    uv_timer_start(&mt->timer, metrics_tick, 0, METRICS_EVERY_MS);
    return 0;
}

static void metrics_closed(uv_handle_t *h)
{
    struct node_metrics *mt = (struct node_metrics *)((char *)h - offsetof(struct node_metrics, timer));
    pthread_mutex_destroy(&mt->lock);
    free(mt);
}

void metrics_stop(struct node *n)
{
    struct node_metrics *mt = n->metrics;
    n->metrics = NULL;
    if (mt)
        uv_close((uv_handle_t *)&mt->timer, metrics_closed);
}

char *metrics_text(struct node *n)
{
    struct node_metrics *mt = n->metrics;
    pthread_mutex_lock(&mt->lock);
    char *copy = strdup(mt->text);
    pthread_mutex_unlock(&mt->lock);
    return copy;
}

bool metrics_ready(struct node *n, const char **why)
{
    struct node_metrics *mt = n->metrics;
    pthread_mutex_lock(&mt->lock);
    *why = mt->why;
    pthread_mutex_unlock(&mt->lock);
    return *why == NULL;
}

json_t *metrics_counters(struct node *n)
{
    struct metric rows[METRICS_MAX];
    unsigned count = metrics_gather(n, rows);
    json_t *out = json_object();
    for (unsigned i = 0; i < count; i++)
        json_object_set_new(out, rows[i].name, json_integer((json_int_t)rows[i].value));
    return out;
}

/* CPU time of one thread from /proc: user and system ticks are fields 14 and 15 of its stat line. */
static json_t *metrics_thread(const char *tid)
{
    char path[64], line[512], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%.16s/stat", tid);
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    size_t got = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[got] = '\0';
    char *open = strchr(line, '('), *close = strrchr(line, ')');
    unsigned long user = 0, sys = 0;
    if (!open || !close || close < open)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)(close - open - 1), open + 1);
    if (strcmp(name, "core") == 0 &&
        strtol(tid, NULL, 10) != (long)getpid()) /* libuv's pool has the name of who made it */
        snprintf(name, sizeof name, "worker");
    if (sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        return NULL;
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    return json_pack("{s:s,s:I}", "name", name, "cpu_us", (json_int_t)((user + sys) * 1000000u / hz));
}

json_t *metrics_threads(void)
{
    json_t *out = json_array();
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));) {
        json_t *row = e->d_name[0] == '.' ? NULL : metrics_thread(e->d_name);
        if (row)
            json_array_append_new(out, row);
    }
    if (d)
        closedir(d);
    return out;
}
