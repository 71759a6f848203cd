/* Telephones for benches of media: a process of its own that sends a packet of G.711 every 20 ms from each of up to LEGS sockets, and takes what
 * comes back. LEGS is defined before this is included. The parent writes LEGS ports of the engine (0: this one is silent) and
 * reads a struct result after SECONDS. Latency is from the sender's clock, in the payload, to the kernel's time stamp at the receiving socket. */
#ifndef BENCH_PHONES_H
#define BENCH_PHONES_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "telephony/rtp.h"

#define SECONDS 3u
#define STEP_US (20000u / LEGS) /* telephones have clocks of their own: their packets come one by one */
#define HISTOGRAM 50000u /* microseconds */

struct result {
    uint64_t sent, received;
    uint32_t histogram[HISTOGRAM + 1];
};

static inline _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return a;
}

static inline int open_socket(uint16_t *port)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    int room = 256 * 1024, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        die("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    *port = ntohs(a.sin_port);
    return fd;
}

static inline void read_all(int fd, void *out, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = read(fd, (char *)out + at, n - at);
        if (k == 0)
            _exit(0);
        if (k < 0)
            die("read");
        at += (size_t)k;
    }
}

static inline void write_all(int fd, const void *data, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = write(fd, (const char *)data + at, n - at);
        if (k <= 0)
            die("write");
        at += (size_t)k;
    }
}

static inline void drain(int epoll_fd, const int *fd, struct result *r, int wait_ms)
{
    struct epoll_event evs[256];
    int n = epoll_wait(epoll_fd, evs, 256, wait_ms);
    for (int k = 0; k < n; k++) {
        uint8_t buf[256];
        _Alignas(struct cmsghdr) char control[64];
        struct iovec iov = {buf, sizeof buf};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(fd[evs[k].data.u32], &m, MSG_DONTWAIT) != 172)
            continue;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        if (!c || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        struct timespec at;
        uint64_t sent;
        memcpy(&at, CMSG_DATA(c), sizeof at);
        memcpy(&sent, buf + 12, sizeof sent);
        uint64_t us = ((uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec - sent) / 1000u;
        r->histogram[us < HISTOGRAM ? us : HISTOGRAM]++;
        r->received++;
    }
}

static inline void talk(int epoll_fd, const int *fd, const uint16_t *ports, struct result *r)
{
    static uint16_t seq[LEGS];
    uint8_t packet[172] = {0};
    struct timespec next;
    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    for (unsigned step = 0; step < SECONDS * 1000000u / STEP_US; step++) {
        unsigned leg = step % LEGS;
        uint64_t now = clock_ns(CLOCK_REALTIME);
        if (ports[leg]) {
            rtp_write(packet, false, 8, seq[leg], seq[leg] * 160u, leg + 1);
            seq[leg]++;
            memcpy(packet + 12, &now, sizeof now);
            r->sent += send(fd[leg], packet, sizeof packet, 0) == (ssize_t)sizeof packet;
        }
        drain(epoll_fd, fd, r, 0);
        next.tv_nsec += STEP_US * 1000;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    for (unsigned k = 0; k < 500 && r->received < r->sent; k++)
        drain(epoll_fd, fd, r, 1);
}

static inline _Noreturn void telephones(int link)
{
    int fd[LEGS], on = 1, epoll_fd = epoll_create1(0);
    uint16_t ports[LEGS];
    static struct result r;
    for (unsigned k = 0; k < LEGS; k++) {
        fd[k] = open_socket(&ports[k]);
        (void)setsockopt(fd[k], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = k};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd[k], &ev) != 0)
            die("epoll");
    }
    write_all(link, ports, sizeof ports);
    for (;;) {
        read_all(link, ports, sizeof ports); /* ends the process when the link is shut */
        for (unsigned k = 0; k < LEGS; k++) {
            struct sockaddr_in to = loopback(ports[k]);
            if (ports[k] && connect(fd[k], (struct sockaddr *)&to, sizeof to) != 0)
                die("connect");
        }
        memset(&r, 0, sizeof r);
        talk(epoll_fd, fd, ports, &r);
        write_all(link, &r, sizeof r);
    }
}

/* *link: to the telephones; ports: of their sockets. */
static inline pid_t telephones_start(int *link, uint16_t *ports)
{
    int both[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, both) != 0)
        die("socketpair");
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        (void)close(both[0]);
        telephones(both[1]);
    }
    (void)close(both[1]);
    *link = both[0];
    read_all(*link, ports, LEGS * sizeof *ports);
    return child;
}

static inline void telephones_stop(int link, pid_t child)
{
    (void)shutdown(link, SHUT_RDWR);
    (void)waitpid(child, NULL, 0);
}

#endif
