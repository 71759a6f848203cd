"""A crowd that speaks, and what of it stands in recordings: each 20 ms of each party is marked with whose it is and which one, so that what is
missing in a recording is counted, not guessed. One thread sends for all; what they hear is not read.

    with Speakers(cluster.network.client()) as crowd:
        plan(cluster, crowd, 12)                    # 12 numbers, each leads to a telephone of the crowd
        callers = talk(cluster, crowd, 12, node)    # who talk with them
        ...
        crowd.hang_up_all()
        for s in survived(node, callers): print(s.lost_ms, s.gaps)
"""
import re
import socket
import struct
import threading
import time

from crowd import Crowd
from everline import wait_for
from sipmsg import sdp

FRAME, FRAME_MS, SILENCE = 160, 20, 0xD5
MARK = b"\x11\x22\x33"
MARKED = re.compile(MARK + rb"(..)(...)(?=\x11\x22\x33\1\2)", re.S)
FIRST_EXTENSION, FIRST_NUMBER = 8500, 10500


def frame(who, side, count):
    return (MARK + bytes((0x40 | who, 0x40 | side)) + bytes((0x40 | count >> 12 & 63, 0x40 | count >> 6 & 63, 0x40 | count & 63))) * (FRAME // 8)


class Speakers(Crowd):
    def __init__(self, ip):
        self.speaking, self.over = [], threading.Event()
        super().__init__(ip)
        self.sender = threading.Thread(target=self._speak, daemon=True)
        self.sender.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        super().close()
        self.over.set()
        self.sender.join(2)
        for p in self.speaking:
            p.rtp.close()

    def _sdp(self, p):
        p.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        p.rtp.bind((self.ip, 0))
        p.frames, p.to = 0, None
        p.who = int(re.search(r"[0-9]+$", p.number).group()) % 64
        self.speaking.append(p)
        return sdp(self.ip, p.rtp.getsockname()[1], (8,), events=False)

    def _speak(self):
        at = time.monotonic()
        while not self.closed:
            with self.changed:
                talking = [p for p in self.speaking if p.answered and not p.ended and p.described]
            for p in talking:
                if not p.to:
                    p.to = (re.search(r"c=IN IP4 (\S+)", p.described).group(1), int(re.search(r"m=audio ([0-9]+)", p.described).group(1)))
                header = struct.pack("!BBHII", 0x80, 8, p.frames & 0xFFFF, p.frames * FRAME, 0x10000 + p.rtp.getsockname()[1])
                try:
                    p.rtp.sendto(header + frame(p.who, 0 if p.outbound else 1, p.frames), p.to)
                except OSError:
                    pass
                p.frames += 1
            at += FRAME_MS / 1000
            self.over.wait(max(0, at - time.monotonic()))


# ---- a cluster that records them

def plan(cluster, crowd, count):
    cluster.apply({
        "extensions": [{"number": str(FIRST_EXTENSION + i), "contact": crowd.contact(str(FIRST_EXTENSION + i))} for i in range(count)],
        "access_numbers": [{"number": str(FIRST_NUMBER + i), "extension": str(FIRST_EXTENSION + i)} for i in range(count)],
        "recording_rules": [{"name": "speakers", "direction": "inbound"}]})
    last = "/v1/access-numbers/%d" % (FIRST_NUMBER + count - 1)
    for n in cluster:
        wait_for(lambda: n.api("GET", last).status == 200, 10, "%s has the numbers" % n.name)
    for i in range(count):
        crowd.on(str(FIRST_EXTENSION + i), "answer")


def talk(cluster, crowd, count, node, first=4266660000):
    """Callers' numbers, once all talk and are recorded."""
    callers = [str(first + i) for i in range(count)]
    calls = [crowd.invite(str(FIRST_NUMBER + i), node.ip, c) for i, c in enumerate(callers)]
    for c in calls:
        c.wait_answered(20)

    def recorded():
        rows = next(iter(cluster)).api("GET", "/v1/calls?phase=talking&limit=1000").json["items"]
        return {r["caller"] for r in rows if r["recorded_at"]} >= set(callers)
    wait_for(recorded, 20, "all are recorded")
    return callers


# ---- what there is of them

class Survivor:
    """One recording. lost_ms: of whichever side lost more, between the first and the last that is there of it; unmarked_ms: silence that no gap
    tells of; sides: who is heard in each channel, (who, side) each."""

    def __init__(self, row, body):
        self.row, self.gaps = row, row["gaps"]
        channels = [body[58 + c::2] for c in (0, 1)]
        seen = [[(m.group(1), m.group(2)) for m in MARKED.finditer(c)] for c in channels]
        self.sides = [{(w[0] & 63, w[1] & 63) for w, _ in s} for s in seen]
        self.lost_ms = max(self._lost(s) for s in seen)
        self.unmarked_ms = max(self._unmarked(c) for c in channels)
        self.duration_ms = len(channels[0]) // 8

    @staticmethod
    def _lost(seen):
        counts = {(c[0] & 63) << 12 | (c[1] & 63) << 6 | c[2] & 63 for _, c in seen}
        return (max(counts) + 1 - min(counts) - len(counts)) * FRAME_MS if counts else 1 << 30

    def _unmarked(self, channel):
        """Silence between the first and the last sound."""
        quiet = 0
        for m in re.finditer(b"%c{%d,}" % (SILENCE, 3 * FRAME), channel):
            from_ms, to_ms = m.start() // 8, m.end() // 8
            if m.start() == 0 or m.end() == len(channel):
                continue
            known = sum(max(0, min(to_ms, g["to_ms"]) - max(from_ms, g["from_ms"])) for g in self.gaps)
            quiet += to_ms - from_ms - known
        return quiet


def survived(node, callers, deadline=60):
    """A Survivor for each caller: once each has exactly one recording."""
    def rows(caller):
        return node.api("GET", "/v1/recordings?caller=" + caller).json["items"]
    out = []
    for caller in callers:
        wait_for(lambda: rows(caller), deadline, "the recording of %s" % caller)
        (row,) = rows(caller)
        r = node.api("GET", "/v1/recordings/%s/audio" % row["recording_id"])
        if r.status != 200 or len(r.body) != row["bytes"]:
            raise AssertionError(r)
        out.append(Survivor(row, r.body))
    return out
