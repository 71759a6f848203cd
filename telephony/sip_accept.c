/* A cap on TCP connections per source address, in front of Sofia-SIP's accept().
 *
 * The table is indexed by descriptor. It is not told of close(): an entry counts only while getpeername() of its
 * descriptor still gives the address that was accepted, and it is overwritten when the kernel gives the descriptor out
 * again. Entries are checked only when a source is at its cap, so the normal accept costs one scan of the table. */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "telephony/sip_guard.h"

struct peer {
    struct in6_addr ip; /* IPv4 is mapped */
    uint16_t port;
    bool used;
};

static _Thread_local struct {
    struct peer *peer; /* by descriptor */
    size_t n;
    unsigned cap;
} guard;

typedef int accept_fn(int, struct sockaddr *, socklen_t *);

static bool peer_of(const struct sockaddr *sa, struct peer *out)
{
    memset(out, 0, sizeof *out);
    out->used = true;
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *s6 = (const void *)sa;
        out->ip = s6->sin6_addr;
        out->port = s6->sin6_port;
        return true;
    }
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *s4 = (const void *)sa;
        out->ip.s6_addr[10] = out->ip.s6_addr[11] = 0xff;
        memcpy(out->ip.s6_addr + 12, &s4->sin_addr, 4);
        out->port = s4->sin_port;
        return true;
    }
    return false;
}

static bool peer_open(size_t fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct peer now;
    struct peer *p = &guard.peer[fd];
    if (p->used && (getpeername((int)fd, (struct sockaddr *)&ss, &len) != 0 || !peer_of((struct sockaddr *)&ss, &now) ||
                    memcmp(&now.ip, &p->ip, sizeof now.ip) != 0 || now.port != p->port))
        p->used = false;
    return p->used;
}

static unsigned count_source(const struct in6_addr *ip, bool check)
{
    unsigned n = 0;
    for (size_t fd = 0; fd < guard.n; fd++)
        if (guard.peer[fd].used && memcmp(&guard.peer[fd].ip, ip, sizeof *ip) == 0 && (!check || peer_open(fd)))
            n++;
    return n;
}

static bool admit(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct peer p;
    if (getpeername(fd, (struct sockaddr *)&ss, &len) != 0 || !peer_of((struct sockaddr *)&ss, &p))
        return true;
    size_t at = (size_t)fd;
    if (at < guard.n)
        guard.peer[at].used = false;
    if (count_source(&p.ip, false) >= guard.cap && count_source(&p.ip, true) >= guard.cap)
        return false;
    if (at >= guard.n) {
        size_t n = (at + 64) & ~(size_t)63;
        struct peer *bigger = realloc(guard.peer, n * sizeof *bigger);
        if (!bigger)
            return false;
        memset(bigger + guard.n, 0, (n - guard.n) * sizeof *bigger);
        guard.peer = bigger;
        guard.n = n;
    }
    guard.peer[at] = p;
    return true;
}

void sip_accept_guard(unsigned cap)
{
    guard.cap = cap;
    if (cap == 0) {
        free(guard.peer);
        guard.peer = NULL;
        guard.n = 0;
    }
}

void sip_accept_sweep(uint32_t idle_ms)
{
    for (size_t fd = 0; fd < guard.n; fd++) {
        struct tcp_info info;
        socklen_t len = sizeof info;
        memset(&info, 0, sizeof info);
        if (guard.peer[fd].used && peer_open(fd) && getsockopt((int)fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
            info.tcpi_last_data_recv > idle_ms && info.tcpi_last_data_sent > idle_ms)
            shutdown((int)fd, SHUT_RDWR); /* the library sees the end and closes */
    }
}

uint32_t sip_accept_open(void)
{
    uint32_t n = 0;
    for (size_t fd = 0; fd < guard.n; fd++)
        if (guard.peer[fd].used && peer_open(fd))
            n++;
    return n;
}

int accept(int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
{
    static accept_fn *real;
    if (!__atomic_load_n(&real, __ATOMIC_RELAXED)) {
        accept_fn *fn = NULL;
        *(void **)&fn = dlsym(RTLD_NEXT, "accept");
        if (!fn) {
            errno = ENOSYS;
            return -1;
        }
        __atomic_store_n(&real, fn, __ATOMIC_RELAXED);
    }
    int got = real(fd, addr, len);
    if (got < 0 || guard.cap == 0 || admit(got))
        return got;
    close(got);
    errno = ECONNABORTED;
    return -1;
}
