/* The loop of a media thread: one epoll set, a 20 ms tick while it has streams, commands at each wake-up before all else. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "telephony/media_int.h"

#define WAKE_TAG 1u
#define TIMER_TAG 2u
#define RTCP_TAG 1u /* low bit of a stream's pointer */
#define EVENTS_A_TURN 256
#define TICKS_AT_ONCE 5u

uint64_t media_thread_random(struct media_thread *t)
{
    uint64_t x = t->random; /* xorshift64: for spreading, not for secrets */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    t->random = x;
    return x;
}

/* Core thread only. A thread that has streams looks at each tick and before each packet it takes: nothing needs it earlier, and to
 * be woken for every command costs more than most of them. Only its first stream wakes it, at the loop's next turn. */
void media_thread_push(struct media_thread *t, struct media_cmd *c)
{
    struct media_cmd *top = atomic_load_explicit(&t->commands, memory_order_relaxed);
    bool first = c->type == MEDIA_CMD_OPEN && t->assigned == 1; /* once pushed the command may be gone */
    atomic_fetch_add_explicit(&t->n_commands, 1, memory_order_relaxed);
    do {
        c->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&t->commands, &top, c, memory_order_release, memory_order_relaxed));
    t->wake_due = t->wake_due || first;
}

void media_thread_wake(struct media_thread *t)
{
    uint64_t one = 1;
    if (!t->wake_due)
        return;
    t->wake_due = false;
    if (write(t->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is at its top: it is awake already */
}

void media_thread_free_command(struct media_cmd *c)
{
    if (c->type == MEDIA_CMD_ROOM_CLOSE) { /* never run: with the engine ends the room, which it is part of */
        media_plan_free(c->room->plan);
        free(c->room);
        return;
    }
    if (c->type == MEDIA_CMD_ROOM_SET)
        media_plan_free(c->u.plan);
    if (c->type == MEDIA_CMD_PLAY)
        media_playlist_free(c->u.play);
    if (c->type == MEDIA_CMD_RECORD)
        recorder_unref(c->u.recorder);
    if (c->type == MEDIA_CMD_AUDIO)
        media_audio_free(c->u.audio);
    if (c->type == MEDIA_CMD_REMOTE && c->u.remote.inband)
        media_dtmf_free(c->u.remote.inband);
    if (!c->embedded)
        free(c);
}

bool media_thread_emit(struct media_thread *t, struct media_stream *s, const struct media_event *ev)
{
    unsigned tail = atomic_load_explicit(&t->ring_tail, memory_order_relaxed);
    unsigned head = atomic_load_explicit(&t->ring_head, memory_order_acquire);
    t->wake_core = true;
    if (tail - head >= MEDIA_EVENTS_MAX)
        return false;
    t->ring[tail % MEDIA_EVENTS_MAX] = (struct media_message){s, *ev};
    atomic_store_explicit(&t->ring_tail, tail + 1, memory_order_release);
    return true;
}

static void arm_timer(struct media_thread *t, bool on)
{
    struct itimerspec spec = {0};
    if (on)
        spec.it_interval.tv_nsec = spec.it_value.tv_nsec = MEDIA_TICK_US * 1000;
    (void)timerfd_settime(t->timer_fd, 0, &spec, NULL);
    t->due_us = clock_mono_now().us;
}

static void watch(struct media_thread *t, struct media_stream *s)
{
    for (unsigned k = 0; k < 2; k++) {
        struct epoll_event ev = {.events = EPOLLIN};
        ev.data.u64 = (uint64_t)(uintptr_t)s | (k ? RTCP_TAG : 0);
        /* Only lack of kernel memory fails here: the stream is then deaf, and found dead by its owner. */
        (void)epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, s->fd[k], &ev);
    }
    s->t = t;
    list_push_back(&t->streams, &s->tick_node);
    if (t->n_streams++ == 0)
        arm_timer(t, true);
}

static void unwatch(struct media_thread *t, struct media_stream *s)
{
    for (unsigned k = 0; k < 2; k++)
        (void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, s->fd[k], NULL);
    list_del(&s->tick_node);
    if (--t->n_streams == 0)
        arm_timer(t, false);
}

/* Of its bridge or room. */
static void let_go(struct media_stream *s)
{
    media_room_leave(s);
    if (!s->peer)
        return;
    media_stream_set_source(s->peer, NULL);
    media_stream_set_source(s, NULL);
    s->peer->peer = NULL;
    s->peer = NULL;
}

static void open_stream(struct media_thread *t, struct media_stream *s)
{
    if (s->numbered) {
        s->tx.ssrc = s->given.ssrc;
        s->tx.last_ts = s->given.ts;
        s->tx.last_us = s->given.at_us < t->now_us ? s->given.at_us : t->now_us;
        s->tx.next_seq = s->given.seq;
    } else {
        s->tx.ssrc = (uint32_t)(media_thread_random(t) >> 16);
        s->tx.last_ts = (uint32_t)(media_thread_random(t) >> 16);
        /* It stays low: a wrap in the first seconds upsets some receivers (RFC 3711 section 3.3.1). */
        s->tx.next_seq = (uint16_t)(media_thread_random(t) & 0x7fff);
    }
    s->rtcp_next_us = UINT64_MAX;
    watch(t, s);
}

static void close_stream(struct media_thread *t, struct media_stream *s)
{
    struct media_engine *e = s->e;
    let_go(s);
    if (!s->silent_close)
        media_stream_send_rtcp(s, true);
    unwatch(t, s);
    (void)close(s->fd[0]);
    (void)close(s->fd[1]);
    media_play_drop(s);
    media_stream_let_go(s);
    media_dtmf_free(s->inband);
    s->inband = NULL;
    media_audio_free(s->audio);
    s->audio = NULL;
    bool at_once = t->n_streams == 0 || s->silent_close; /* once handed back it is the core's to free */
    struct media_stream *top = atomic_load_explicit(&e->closed, memory_order_relaxed);
    do {
        s->handed_next = top;
    } while (!atomic_compare_exchange_weak_explicit(&e->closed, &top, s, memory_order_release, memory_order_relaxed));
    /* The core takes it back at its next turn; it is woken for that only when it has none until the tick after the next. */
    t->gave_back = 2;
    if (at_once)
        t->wake_core = true;
}

static void move_stream(struct media_thread *from, struct media_stream *s, struct media_thread *to)
{
    let_go(s);
    unwatch(from, s); /* what arrives meanwhile waits in the socket */
    atomic_store_explicit(&s->owner, NULL, memory_order_relaxed);
    struct media_stream *top = atomic_load_explicit(&to->adopted, memory_order_relaxed);
    do {
        s->handed_next = top;
    } while (!atomic_compare_exchange_weak_explicit(&to->adopted, &top, s, memory_order_release, memory_order_relaxed));
    uint64_t one = 1;
    if (write(to->wake_fd, &one, sizeof one) < 0)
        return; /* awake already */
}

static void read_clocks(struct media_thread *t)
{
    t->now_us = clock_mono_now().us;
    t->wall_us = clock_wall_now().us;
}

static void adopt(struct media_thread *t)
{
    struct media_stream *s = atomic_exchange_explicit(&t->adopted, NULL, memory_order_acquire);
    if (s) /* its times are of the other thread's clock, which may have been read after ours: none may lie ahead */
        read_clocks(t);
    while (s) {
        struct media_stream *next = s->handed_next;
        atomic_store_explicit(&s->owner, t, memory_order_relaxed);
        watch(t, s);
        s = next;
    }
}

static void bridge(struct media_stream *a, struct media_stream *b)
{
    if (a->peer == b && b->peer == a) {
        a->echo = b->echo = false;
        media_play_drop(a);
        media_play_drop(b);
        return;
    }
    const struct media_map maps[2] = {a->map, b->map};
    bool goes_on = a->source == b && b->source == a; /* they were relayed to each other in a room */
    let_go(a);
    let_go(b);
    media_play_drop(a);
    media_play_drop(b);
    a->echo = b->echo = false;
    a->peer = a->source = b;
    b->peer = b->source = a;
    if (goes_on) {
        a->map = maps[0];
        b->map = maps[1];
    }
}

static void apply_remote(struct media_stream *s, struct media_cmd *c)
{
    bool first = !s->have_remote;
    if (!s->inband) {
        s->inband = c->u.remote.inband;
        c->u.remote.inband = NULL;
    }
    media_stream_apply_remote(s, &c->u.remote.r);
    if (first)
        media_stream_start_rtcp(s);
}

static void run_command(struct media_thread *t, struct media_cmd *c)
{
    struct media_stream *s = c->s;
    switch (c->type) {
    case MEDIA_CMD_OPEN:
        open_stream(t, s);
        break;
    case MEDIA_CMD_CLOSE:
        close_stream(t, s);
        return; /* the command was part of the stream, which is the core's again */
    case MEDIA_CMD_MOVE:
        move_stream(t, s, c->u.thread);
        break;
    case MEDIA_CMD_REMOTE:
        apply_remote(s, c);
        break;
    case MEDIA_CMD_PAUSE:
        if (s->paused && !c->u.on)
            s->rx_since_us = t->now_us;
        s->paused = c->u.on;
        media_stream_update_gates(s);
        break;
    case MEDIA_CMD_MUTE:
        s->muted = c->u.on;
        break;
    case MEDIA_CMD_PLAY:
        media_playlist_free(s->play);
        s->play = c->u.play;
        c->u.play = NULL;
        break;
    case MEDIA_CMD_STOP_PLAY:
        media_play_drop(s);
        break;
    case MEDIA_CMD_ECHO:
        s->echo = c->u.on;
        s->map.valid = false;
        break;
    case MEDIA_CMD_DTMF:
        media_dtmf_queue(s, c->u.dtmf.digit, c->u.dtmf.ms);
        break;
    case MEDIA_CMD_BRIDGE:
        bridge(s, c->u.peer);
        break;
    case MEDIA_CMD_UNBRIDGE:
        let_go(s);
        break;
    case MEDIA_CMD_RECORD:
        media_stream_let_go(s);
        s->recorder = c->u.recorder;
        c->u.recorder = NULL;
        break;
    case MEDIA_CMD_ROOM_SET:
        media_room_apply(t, c->room, c->u.plan);
        c->u.plan = NULL;
        break;
    case MEDIA_CMD_ROOM_CLOSE:
        media_room_end(c->room);
        return; /* the command was part of the room */
    case MEDIA_CMD_AUDIO: {
        struct media_audio *before = s->audio;
        s->audio = c->u.audio;
        c->u.audio = before;
        break;
    }
    }
    media_thread_free_command(c);
}

static bool owns(const struct media_thread *t, const struct media_stream *s)
{
    return atomic_load_explicit(&s->owner, memory_order_relaxed) == t;
}

/* Whether all whom it is about are here. */
static bool ready(const struct media_thread *t, const struct media_cmd *c)
{
    for (unsigned i = 0; c->type == MEDIA_CMD_ROOM_SET && i < c->u.plan->n; i++) {
        if (!owns(t, c->u.plan->seat[i].s))
            return false;
    }
    return (!c->s || owns(t, c->s)) && (c->type != MEDIA_CMD_BRIDGE || owns(t, c->u.peer));
}

/* Takes over what the core has pushed, oldest first, behind what waits here already. */
static void collect(struct media_thread *t)
{
    struct media_cmd *c = atomic_exchange_explicit(&t->commands, NULL, memory_order_acquire), *fifo = NULL,
                     **end = NULL;
    while (c) {
        struct media_cmd *next = c->next;
        if (!end)
            end = &c->next;
        c->next = fifo;
        fifo = c;
        c = next;
    }
    if (fifo) {
        *t->todo_end = fifo;
        t->todo_end = end;
    }
}

static void run_commands(struct media_thread *t)
{
    adopt(t);
    collect(t);
    while (t->todo && ready(t, t->todo)) {
        struct media_cmd *c = t->todo;
        t->todo = c->next;
        if (!t->todo)
            t->todo_end = &t->todo;
        run_command(t, c);
        atomic_fetch_sub_explicit(&t->n_commands, 1, memory_order_release);
    }
}

static void publish(struct media_thread *t)
{
    uint64_t words[sizeof t->count / 8];
    memcpy(words, &t->count, sizeof words);
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        atomic_store_explicit(&t->pub[k], words[k], memory_order_relaxed);
}

static void tick(struct media_thread *t)
{
    uint64_t turns = 0;
    if (read(t->timer_fd, &turns, sizeof turns) != (ssize_t)sizeof turns || turns == 0)
        return;
    t->count.ticks_late += turns - 1;
    t->due_us += turns * MEDIA_TICK_US;
    /* After a long stop the missed time is not sent in one burst; the next packet's time stamp jumps instead. */
    if (turns > TICKS_AT_ONCE) {
        turns = 1;
        list_foreach(n, &t->streams)
            list_entry(n, struct media_stream, tick_node)->tx.local = false;
    }
    t->due_us -= (turns - 1) * MEDIA_TICK_US;
    for (; turns > 0; turns--, t->due_us += turns ? MEDIA_TICK_US : 0) {
        list_foreach(n, &t->rooms)
            media_room_tick(list_entry(n, struct media_room, tick_node));
        list_foreach_safe(n, &t->streams)
            media_stream_tick(t, list_entry(n, struct media_stream, tick_node));
    }
    t->gathers = t->count.packets_in - t->packets_ticked >= MEDIA_GATHER_PACKETS;
    t->packets_ticked = t->count.packets_in;
    publish(t);
    if (t->gave_back && --t->gave_back == 0 && atomic_load_explicit(&t->e->closed, memory_order_relaxed))
        t->wake_core = true;
}

/* To be woken costs more than a packet does. A thread that has many is woken once a millisecond for all that have come since. */
static void gather(struct media_thread *t)
{
    if (!t->gathers)
        return;
    uint64_t due_ns = (t->now_us + MEDIA_GATHER_US) * 1000u;
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000u), .tv_nsec = (long)(due_ns % 1000000000u)};
    (void)clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &due,
                          NULL); /* the clock of now_us; in the past: it does not wait */
}

static void turn(struct media_thread *t)
{
    struct epoll_event evs[EVENTS_A_TURN];
    bool ticked = false, woken = false;
    gather(t);
    int n = epoll_wait(t->epoll_fd, evs, EVENTS_A_TURN, -1);

    read_clocks(t);
    if (atomic_load_explicit(&t->commands, memory_order_relaxed) ||
        atomic_load_explicit(&t->adopted, memory_order_relaxed)) {
        /* They were sent before these packets were looked at, and may close streams that have events in evs. */
        run_commands(t);
        n = epoll_wait(t->epoll_fd, evs, EVENTS_A_TURN, 0);
    }
    for (int k = 0; k < n; k++) {
        uint64_t tag = evs[k].data.u64;
        if (tag == WAKE_TAG)
            woken = true;
        else if (tag == TIMER_TAG)
            ticked = true;
        else if (tag & RTCP_TAG)
            media_stream_on_rtcp(t, (struct media_stream *)(uintptr_t)(tag & ~(uint64_t)RTCP_TAG));
        else
            media_stream_on_rtp(t, (struct media_stream *)(uintptr_t)tag);
    }
    if (woken) {
        uint64_t count;
        if (read(t->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
            t->count.queue_full++;
        run_commands(
            t); /* what was pushed since the beginning of the turn: its waking is taken, and there may be no tick */
    }
    if (ticked)
        tick(t);
    if (t->wake_core) {
        t->wake_core = false;
        (void)uv_async_send(&t->e->handles->async);
    }
}

static bool start_polling(struct media_thread *t)
{
    struct epoll_event wake = {.events = EPOLLIN}, timer = {.events = EPOLLIN};
    wake.data.u64 = WAKE_TAG;
    timer.data.u64 = TIMER_TAG;
    return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->wake_fd, &wake) == 0 &&
           epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->timer_fd, &timer) == 0;
}

int media_thread_prepare(struct media_thread *t)
{
    return start_polling(t) ? 0 : ERR_IO;
}

void *media_thread_main(void *arg)
{
    struct media_thread *t = arg;
    /* Ahead of ordinary threads, so that a busy core does not delay audio. Needs a privilege; without it we go on. */
    struct sched_param priority = {.sched_priority = sched_get_priority_min(SCHED_RR)};
    (void)pthread_setschedparam(pthread_self(), SCHED_RR, &priority);
    (void)pthread_setname_np(pthread_self(), "media");
    read_clocks(t);
    while (!atomic_load_explicit(&t->stop, memory_order_acquire))
        turn(t);
    return NULL;
}
