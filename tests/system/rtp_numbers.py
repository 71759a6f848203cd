"""Whether what a telephone hears is one RTP source all the time: judged by RFC 3550 as a receiver does."""
import collections

MAX_DROPOUT, MAX_MISORDER = 3000, 100   # RFC 3550 A.1
RATE = 8000
HOLE_S = 0.06        # longer than that without a packet: time stamps before and after it are held against the clock
AROUND = 50          # packets on either side; the least delayed one tells where the time line is
TIME_OFF_S = 1.0     # more than the hole itself that the line may be off: machines halt while they are watched; how far it is off is a figure

Packet = collections.namedtuple("Packet", "t pt ssrc seq ts")


def complaints(packets, timed=True):
    """What a receiver takes for an old packet, a restart, another source or another time line: texts, each with its time. Packets in
    the order of their coming, no network between that changes it; `timed`: their times are the kernel's."""
    out = []
    for i in range(1, len(packets)):
        last, p = packets[i - 1], packets[i]
        wrong = between(last, p)
        if not wrong and timed and abs(off_line(packets, i)) > TIME_OFF_S + p.t - last.t:
            wrong = "time stamps that are %.3f s off after a hole of %.3f s" % (off_line(packets, i), p.t - last.t)
        if wrong:
            out.append((p.t, wrong))
    return out


def off_line(packets, i):
    """How far [s] the time stamps are off the clock after packet i, against before; 0 where there is no hole."""
    if packets[i].t - packets[i - 1].t <= HOLE_S or between(packets[i - 1], packets[i]):
        return 0.0
    return line(packets[max(0, i - AROUND):i], packets[i]) - line(packets[i:i + AROUND], packets[i])


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
