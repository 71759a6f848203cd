"""Whether what a telephone hears is one RTP source all the time: judged by RFC 3550 as a receiver does."""
import collections

MAX_DROPOUT, MAX_MISORDER = 3000, 100   # RFC 3550 A.1
RATE = 8000
HOLE_S = 0.06        # longer than that without a packet: time stamps before and after it are held against the clock
AROUND = 50          # packets on either side; the least delayed one tells where the time line is
TIME_OFF_S = 0.1     # that it may be off after a hole: a packet, 40 ms of drift (node/rtp_line.h), ways of different length

Packet = collections.namedtuple("Packet", "t pt ssrc seq ts")


def complaints(packets, timed=True, slack_s=0.0):
    """What a receiver takes for an old packet, a restart or another source: texts, each with its time. Packets in the order of their
    coming, no network between that changes it; `timed`: their times are the kernel's. `slack_s`: that whoever is heard halted
    himself: the time line of what is relayed is his."""
    out = []
    for i in range(1, len(packets)):
        last, p = packets[i - 1], packets[i]
        wrong = between(last, p)
        if not wrong and timed and p.t - last.t > HOLE_S:
            off = line(packets[i:i + AROUND], p) - line(packets[max(0, i - AROUND):i], p)
            if abs(off) > TIME_OFF_S + slack_s:
                wrong = "time stamps that are %.3f s off after a hole of %.3f s" % (-off, p.t - last.t)
        if wrong:
            out.append((p.t, wrong))
    return out


def signed(a, b):
    went = (a - b) & 0xFFFFFFFF
    return went - ((went >> 31) << 32)


def line(packets, zero):
    """When time stamp 0, counted from that of `zero`, was or would be sent. An event's packets repeat its first stamp: they come late."""
    return min(p.t - signed(p.ts, zero.ts) / RATE for p in packets)


def between(last, p):
    if p.ssrc != last.ssrc:
        return "another source: %08x after %08x" % (p.ssrc, last.ssrc)
    ahead = (p.seq - last.seq) & 0xFFFF
    if ahead == 0 or ahead > 0xFFFF + 1 - MAX_MISORDER:
        return "an old packet: number %d after %d" % (p.seq, last.seq)
    if ahead >= MAX_DROPOUT:
        return "a restart, dropped: number %d after %d" % (p.seq, last.seq)
    if signed(p.ts, last.ts) < 0:
        return "a time stamp %d behind" % -signed(p.ts, last.ts)
    return None
