/* What the SIP endpoint costs beside a bare Sofia-SIP server: CPU per answered-and-ended call, memory per idle leg.
 *
 * Both servers run in child processes; the load is one client of raw UDP text in this process, so that it is the same for
 * both. A call is INVITE, 100, 180, 200, ACK, BYE, 200. CPU is user + system time of the child.
 * `bench_sip --serve ADDRESS` only runs the bare server there, prints its port, and serves until it is ended: for
 * bench/system. */
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sofia-sip/nta.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/tport.h>

#include "telephony/sip.h"

#define CALLS 6000
#define WARM 500
#define IDLE_LEGS 4000
#define IN_FLIGHT 20

extern su_log_t nta_log[], tport_log[];

static const char sdp[] =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";

/* ---- bare server ---- */

static nta_agent_t *bare_agent;

static int bare_leg_recv(nta_leg_magic_t *m, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
    (void)m;
    (void)irq;
    if (sip->sip_request->rq_method != sip_method_bye)
        return 501;
    nta_leg_destroy(leg);
    return 200;
}

static int bare_ack(nta_incoming_magic_t *m, nta_incoming_t *irq, const sip_t *sip)
{
    (void)m;
    (void)sip;
    nta_incoming_destroy(irq);
    return 0;
}

static int bare_recv(nta_leg_magic_t *m, nta_leg_t *dflt, nta_incoming_t *irq, const sip_t *sip)
{
    (void)m;
    (void)dflt;
    if (sip->sip_request->rq_method != sip_method_invite)
        return 501;
    nta_leg_t *leg = nta_leg_tcreate(bare_agent, bare_leg_recv, NULL, SIPTAG_CALL_ID(sip->sip_call_id),
                                     SIPTAG_FROM(sip->sip_to), SIPTAG_TO(sip->sip_from), TAG_END());
    nta_leg_tag(leg, NULL);
    nta_incoming_tag(irq, nta_leg_get_tag(leg));
    nta_leg_server_route(leg, sip->sip_record_route, sip->sip_contact);
    nta_incoming_bind(irq, bare_ack, NULL);
    nta_incoming_treply(irq, SIP_100_TRYING, TAG_END());
    nta_incoming_treply(irq, SIP_180_RINGING, TAG_END());
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT(nta_agent_contact(bare_agent)),
                        SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    return 0;
}

/* Port, 0 when the address cannot be had. */
static uint16_t bare_start(su_root_t *root, const char *address)
{
    char url[64];
    snprintf(url, sizeof url, "sip:%s:*", address);
    bare_agent = nta_agent_create(root, URL_STRING_MAKE(url), NULL, NULL, NTATAG_UA(1), NTATAG_USE_NAPTR(0),
                                  NTATAG_USE_SRV(0), NTATAG_SIP_T1X64(2000), TAG_END());
    if (!bare_agent)
        return 0;
    nta_leg_tcreate(bare_agent, bare_recv, NULL, NTATAG_NO_DIALOG(1), TAG_END());
    return (uint16_t)atoi(nta_agent_via(bare_agent)->v_port);
}

static void bare_server(su_root_t *root, int report)
{
    uint16_t port = bare_start(root, "127.0.0.1");
    if (write(report, &port, sizeof port) != sizeof port)
        _exit(1);
    su_root_run(root);
}

/* ---- our endpoint ---- */

static void leg_cb(void *ctx, struct sip_leg *leg, const struct sip_event *ev)
{
    (void)ctx;
    (void)leg;
    (void)ev;
}

static void on_invite(void *ctx, struct sip_leg *leg, const struct sip_invite_info *info)
{
    (void)ctx;
    (void)info;
    sip_leg_set_cb(leg, leg_cb, NULL);
    if (sip_leg_ring(leg, 180, NULL) != 0 || sip_leg_answer(leg, sdp) != 0)
        _exit(1);
}

static void on_register(void *ctx, struct sip_reg *reg, const struct sip_register_info *info)
{
    (void)ctx;
    (void)info;
    sip_register_reply(reg, 403, NULL, 0, NULL, 0);
}

static enum sip_identity identify(void *ctx, const struct sockaddr *sa, const char *user, const char **trunk,
                                  const char **ext)
{
    (void)ctx;
    (void)sa;
    (void)user;
    (void)ext;
    *trunk = "bench";
    return SIP_ID_TRUNK;
}

static int get_ha1(void *ctx, const char *user, const char *alg, char out[65])
{
    (void)ctx;
    (void)user;
    (void)alg;
    (void)out;
    return ERR_NOTFOUND;
}

static int overloaded(void *ctx, const char **why)
{
    (void)ctx;
    (void)why;
    return 0;
}

static void our_server(su_root_t *root, int report)
{
    struct sip_config c = {.listen = {{"127.0.0.1", 0}}, .realm = "r", .product = "Everline/bench", .t1x64_ms = 2000};
    struct sip_handler h = {.identify = identify,
                            .get_ha1 = get_ha1,
                            .overloaded = overloaded,
                            .on_invite = on_invite,
                            .on_register = on_register};
    struct sip_ua *ua = NULL;
    struct err_info info = {0};
    if (sip_ua_start(root, &c, &h, &ua, &info) != 0) {
        fprintf(stderr, "%s\n", info.text);
        _exit(1);
    }
    uint16_t port = sip_ua_port(ua, 0);
    if (write(report, &port, sizeof port) != sizeof port)
        _exit(1);
    su_root_run(root);
}

/* ---- the client ---- */

struct server {
    pid_t pid;
    uint16_t port;
};

static void trim(su_root_magic_t *m, su_timer_t *t, su_timer_arg_t *arg)
{
    (void)m;
    (void)t;
    (void)arg;
    malloc_trim(0);
}

static su_root_t *server_root(void)
{
    su_init();
    su_log_set_level(nta_log, 0);
    su_log_set_level(tport_log, 0);
    su_root_t *root = su_root_create(NULL);
    su_root_threading(root, 0);
    return root;
}

/* trimming: freed memory goes back to the system every second, so that RSS shows what is held. */
static struct server start_server(void (*run)(su_root_t *, int), bool trimming)
{
    int p[2];
    if (pipe(p) != 0)
        exit(1);
    struct server s = {fork(), 0};
    if (s.pid == 0) {
        su_root_t *root = server_root();
        if (trimming)
            su_timer_set_for_ever(su_timer_create(su_root_task(root), 1000), trim, NULL);
        run(root, p[1]);
        _exit(0);
    }
    if (s.pid < 0 || read(p[0], &s.port, sizeof s.port) != sizeof s.port) {
        fprintf(stderr, "server did not start\n");
        exit(1);
    }
    close(p[0]);
    close(p[1]);
    return s;
}

static double cpu_of(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid); /* nanoseconds on CPU */
    FILE *f = fopen(path, "r");
    if (!f || !fgets(text, sizeof text, f))
        exit(1);
    fclose(f);
    return (double)strtoull(text, NULL, 10) / 1e6;
}

static double rss_kb(pid_t pid)
{
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = atof(line + 6);
    if (f)
        fclose(f);
    return kb;
}

static int fd;
static uint16_t my_port;
static unsigned run_serial;

static void send_request(const char *method, unsigned n, const char *to_tag, const char *body)
{
    char out[2048];
    int len = snprintf(
        out, sizeof out,
        "%s sip:10000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%s%u.%u;rport\r\n"
        "Max-Forwards: 70\r\nFrom: \"Caller\" <sip:8001@127.0.0.1>;tag=t%u\r\nTo: <sip:10000@127.0.0.1>%s%s\r\n"
        "Call-ID: c%u.%u\r\nCSeq: %u %s\r\nContact: <sip:8001@127.0.0.1:%u>\r\nUser-Agent: bench\r\n"
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n%sContent-Length: %zu\r\n\r\n%s",
        method, my_port, method, run_serial, n, n, *to_tag ? ";tag=" : "", to_tag, run_serial, n,
        strcmp(method, "BYE") == 0 ? 2u : 1u, method, my_port, *body ? "Content-Type: application/sdp\r\n" : "",
        strlen(body), body);
    if (send(fd, out, (size_t)len, 0) < 0)
        perror("send");
}

/* Runs calls with IN_FLIGHT at a time; bye false leaves them up. */
static void run_calls(unsigned calls, bool bye)
{
    unsigned started = 0, done = 0;
    char *up = calloc(calls, 1);
    run_serial++;
    while (done < calls) {
        while (started < calls && started - done < IN_FLIGHT)
            send_request("INVITE", started++, "", sdp);
        struct pollfd pf = {fd, POLLIN, 0};
        if (poll(&pf, 1, 5000) != 1) {
            fprintf(stderr, "no answer: %u of %u calls done\n", done, calls);
            exit(1);
        }
        char m[4096];
        ssize_t n = recv(fd, m, sizeof m - 1, 0);
        if (n <= 0)
            continue;
        m[n] = '\0';
        unsigned serial = 0, id = 0;
        const char *cid = strstr(m, "Call-ID: c"), *tag = strstr(m, "\r\nTo:"), *cseq = strstr(m, "CSeq: ");
        if (strncmp(m, "SIP/2.0 200", 11) != 0 || !cid || !tag || !cseq ||
            sscanf(cid + 10, "%u.%u", &serial, &id) != 2 || serial != run_serial || id >= calls)
            continue;
        if (strncmp(cseq, "CSeq: 2", 7) == 0) {
            done++;
            continue;
        }
        char to_tag[64] = "";
        tag = strstr(tag, ";tag=");
        if (tag)
            sscanf(tag + 5, "%63[^;\r]", to_tag);
        send_request("ACK", id, to_tag, "");
        if (up[id]++)
            continue;
        if (bye)
            send_request("BYE", id, to_tag, "");
        else
            done++;
    }
    free(up);
}

static void open_client(const struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    int size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        exit(1);
    my_port = ntohs(a.sin_port);
    a.sin_port = htons(s->port);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        exit(1);
}

static void end_server(const struct server *s)
{
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    close(fd);
}

static double cpu_per_call(void (*run)(su_root_t *, int))
{
    struct server s = start_server(run, false);
    open_client(&s);
    run_calls(WARM, true);
    double before = cpu_of(s.pid);
    run_calls(CALLS, true);
    double ms = (cpu_of(s.pid) - before) / CALLS;
    end_server(&s);
    return ms;
}

/* What is measured is memory after the ended transactions (2 s, then the trim each second) have gone: reads on for 4 s. */
static void settle(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t end_ms = t.tv_sec * 1000 + t.tv_nsec / 1000000 + 4000, left;
    do {
        clock_gettime(CLOCK_MONOTONIC, &t);
        left = end_ms - (t.tv_sec * 1000 + t.tv_nsec / 1000000);
        struct pollfd pf = {fd, POLLIN, 0};
        char sink[4096];
        if (left > 0 && poll(&pf, 1, (int)left) == 1 && recv(fd, sink, sizeof sink, 0) < 0)
            return;
    } while (left > 0);
}

static double kb_per_leg(void (*run)(su_root_t *, int))
{
    struct server s = start_server(run, true);
    open_client(&s);
    run_calls(WARM, true);
    settle();
    double kb = rss_kb(s.pid);
    run_calls(IDLE_LEGS, false);
    settle();
    kb = (rss_kb(s.pid) - kb) / IDLE_LEGS;
    end_server(&s);
    return kb;
}

static int serve(const char *address)
{
    su_root_t *root = server_root();
    uint16_t port = bare_start(root, address);
    if (!port) {
        fprintf(stderr, "cannot listen at %s\n", address);
        return 1;
    }
    printf("%u\n", port);
    fflush(stdout);
    su_root_run(root);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--serve") == 0)
        return serve(argv[2]);
    double bare = cpu_per_call(bare_server), ours = cpu_per_call(our_server);
    double bare_kb = kb_per_leg(bare_server), our_kb = kb_per_leg(our_server);
    printf("sip_bare_nta_call: %.4f ms CPU\n", bare);
    printf("sip_endpoint_call: %.4f ms CPU (ratio %.2f to bare nta)\n", ours, ours / bare);
    printf("sip_bare_nta_idle_leg: %.2f kB RSS\n", bare_kb);
    printf("sip_endpoint_idle_leg: %.2f kB RSS (ratio %.2f to bare nta)\n", our_kb, our_kb / bare_kb);
    return 0;
}
