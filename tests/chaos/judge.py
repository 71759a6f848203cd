"""The verdict on a round, from what was captured at the telephones, and from what the living nodes say of it afterwards."""
import collections
import math
import re

import rtp_numbers
from capture import tag_of
from service import EVERY_S, FIRST_S

TICK = 0.020
RING_ALL = ("ring all", "crossing")
ANNOUNCED_APART_S = 1.0   # of silence between two announcements, at least
ANNOUNCED_LATE_S = 2.0
SILENT_S = 5.0      # that long without sound: the call is lost
HEARD_S = 0.25      # before a call ends both must be heard
OVERLAP_S = 0.05    # two INVITEs for one call or one agent at once for longer than this are two offers


def quantile(values, q):
    """Nearest rank; 0 of nothing."""
    v = sorted(values)
    return v[max(0, math.ceil(q * len(v)) - 1)] if v else 0.0


class Verdict:
    def __init__(self):
        self.lost = []                                    # (call, why)
        self.gaps = collections.defaultdict(list)         # (state, way): seconds, of calls that were struck
        self.back = []                                    # the same legs while the node came back
        self.spared = []                                  # gaps of calls at the other nodes
        self.noise = 0.0                                  # the largest hole in what the telephones sent themselves
        self.off = 0.0                                    # how far time stamps were off the clock after a hole, at most
        self.doubles, self.senders, self.sources, self.stuck, self.records, self.commands, self.order = [], [], [], [], [], [], []
        self.legs = self.heard = self.moved = self.answered_new = self.announced = 0
        self.rows = {}                                    # caller: records
        self.accepted = None                              # seconds from the fault to the first new call at each other node, the slowest
        self.missed = 0
        self.faults = []

    @property
    def good(self):
        return not (self.lost or self.doubles or self.senders or self.sources or self.stuck or self.records or self.commands or self.order or self.faults)


def hole(times, start, end):
    """The longest time without a packet between `start` and `end`."""
    last, worst = None, 0.0
    for t in times:
        if t < start:
            last = t
            continue
        if t > end:
            break
        worst = max(worst, t - (last if last is not None else start))
        last = t
    return max(worst, end - max(last if last is not None else start, start))


class Judge:
    def __init__(self, capture, load, t0, t1, t2, victim_mac, changes):
        """t0: the fault; t1: its end; t2: the node is back, and the calls go on. `changes`: how
        often a call may change hands before and after t1."""
        self.sip = capture.sip()
        self.came, self.sent = capture.rtp()
        self.load, self.t0, self.t1, self.t2, self.mac, self.changes = load, t0, t1, t2, victim_mac, changes
        self.v = Verdict()
        self.by_call = collections.defaultdict(list)
        for s in self.sip:
            self.by_call[s.m.get("call-id")].append(s)
        self.phones = {(p.ip, p.port) for p in load.ex.phones}
        self.phone_ips = {p.ip for p in load.ex.phones}

    def from_node(self, s):
        return s.src[0] not in self.phone_ips

    def judge(self):
        self.meet()
        self.dialogs()
        self.sound()
        self.sources()
        if self.mac:
            self.owners()
        self.offers()
        self.winners()
        self.new_calls()
        self.places()
        return self.v

    def places(self):
        """Who waited longest is served first. Two are served at a time by different nodes, one of which may be the later one to ring: so each
        agent's callers come in order. That all were decided on in order is in the records (reconcile)."""
        for agent, callers in self.load.by_server.items():
            served = [n for n in callers if n in self.load.order]
            if served != sorted(served, key=self.load.order.index):
                self.v.order.append("waited in the order %s, %s served %s" % (self.load.order, agent, served))

    def meet(self):
        """The dialogs of telephones that are not ours, by their numbers."""
        known = {c.number: c.dialog for c in self.load.calls if not c.dialog.call_id}
        for s in self.sip:
            user = re.search(r"sips?:([^@;>]+)@", s.m.get("from"))
            d = known.get(user.group(1)) if user else None
            if d and not d.call_id and s.m.method == "INVITE" and not tag_of(s.m.get("to")):
                ip, port = re.search(r"^c=IN IP4 (\S+)", s.m.body, re.M), re.search(r"^m=audio (\d+) ", s.m.body, re.M)
                d.call_id, d.media = s.m.get("call-id"), (ip.group(1), int(port.group(1)))
                if d.media not in self.came:  # it speaks from another address of its machine, and is answered there
                    d.media = next((at for at in self.came if at[1] == d.media[1]), d.media)
                self.phone_ips.add(s.src[0])

    def lost(self, c, why):
        self.v.lost.append((c, why))

    def legs(self, c):
        yield c.dialog
        if c.agent:
            yield c.agent

    # -- calls that were ended, or not carried on

    def dialogs(self):
        for c in self.load.calls:
            for why in c.wrong:
                self.lost(c, why)
            for d in self.legs(c):
                answered = None
                for s in self.by_call[d.call_id]:
                    if s.m.status and 200 <= s.m.status < 300 and s.m.cseq[1] == "INVITE":
                        answered = answered or s.t
                    if not self.from_node(s) or (c.ending is not None and s.t > c.ending):
                        continue
                    if s.m.method in ("BYE", "CANCEL") and answered:
                        self.lost(c, "%s %.3f s after the fault: %s" % (s.m.method, s.t - self.t0, s.m.get("reason")))
                    elif s.m.status in (481, 408) and s.m.cseq[1] != "CANCEL" and answered:
                        self.lost(c, "%d to %s %.3f s after the fault" % (s.m.status, s.m.cseq[1], s.t - self.t0))
                    elif s.m.status >= 300 and s.m.cseq[1] == "INVITE" and not answered and s.m.status not in (401, 407) and d is c.dialog:
                        self.lost(c, "refused with %d %.3f s after the fault" % (s.m.status, s.t - self.t0))

    # -- sound

    def sound(self):
        for c in self.load.calls:
            for d in self.legs(c):
                times = [p.t for p in self.came.get(d.media, ())]
                end = min(self.t1, c.ending or self.t1, d.over or self.t1)
                if c.state == "re-INVITE" and d is c.dialog:
                    continue  # put the other side on hold: nothing is said to him
                if c.state in ("announced", "key"):
                    continue  # silence between announcements
                if sum(self.t0 - 1 <= t < self.t0 for t in times) < 40 or end - self.t0 < 0.5:
                    continue  # was not hearing anything
                gap = hole(times, self.t0 - 0.1, end)
                self.v.legs += 1
                if gap >= min(SILENT_S, end - self.t0 - 0.05):
                    self.lost(c, "%s hears nothing for %.1f s" % ("caller" if d is c.dialog else "agent", gap))
                    continue
                (self.v.gaps[c.state, c.way] if c.struck else self.v.spared).append(max(0.0, gap - TICK))
                if self.t2 > self.t1 and (c.ending is None or c.ending > self.t2):
                    again = hole(times, self.t1, min(self.t2, d.over or self.t2))
                    self.v.back.append(max(0.0, again - TICK))
                    if again >= SILENT_S:
                        self.lost(c, "hears nothing for %.1f s while the node comes back" % again)
            # Those who talk after all must be heard.
            if c.state in ("ringing", "dialling", "answering", "held by caller", "held by agent", "re-INVITE", "not ACKed", "ring all", "crossing", "preferred",
                           "overflow", "outside", "outside rings") and not c.wrong and c.ending:
                for d in self.legs(c):
                    n = sum(c.ending - HEARD_S <= p.t <= c.ending for p in self.came.get(d.media, ()))
                    if n < 5:
                        self.lost(c, "%s heard %d packets in its last quarter of a second" % ("caller" if d is c.dialog else "agent", n))
        holes = [hole(ts, max(self.t0 - 0.1, ts[0]), min(self.t1, ts[-1])) - TICK for ts in self.sent.values() if len(ts) > 100 and ts[0] < self.t0 < ts[-1]]
        self.v.noise = max(holes, default=0.0)

    # -- one source

    def sources(self):
        """Who hears something hears one RTP source to the end, whoever sends, and nothing of it is taken for old."""
        for c in self.load.calls:
            for d in self.legs(c):
                end = min(c.ending or float("inf"), d.over or float("inf"))
                heard = [p.packet for p in self.came.get(d.media, ()) if self.t0 - 1 <= p.t <= end]
                if not any(p.t < self.t0 for p in heard):
                    continue
                self.v.heard += 1
                self.v.off = max([self.v.off] + [abs(rtp_numbers.off_line(heard, i)) for i in range(1, len(heard))])
                for t, wrong in rtp_numbers.complaints(heard):
                    self.v.sources.append((c, "%s hears %.3f s after the fault %s" % ("caller" if d is c.dialog else "agent", t - self.t0, wrong)))

    # -- one owner

    def owners(self):
        for c in self.load.calls:
            marks = []
            for d in self.legs(c):
                marks += [(p.t, p.mac) for p in self.came.get(d.media, ())]
                marks += [(s.t, s.mac) for s in self.by_call[d.call_id] if s.m.method and self.from_node(s)]
            marks.sort()
            if any(m != self.mac for t, m in marks if t >= self.t0) and any(m == self.mac for t, m in marks if t < self.t0):
                self.v.moved += 1
            # It may go to another node and come back: before the fault is over only if the node heals by itself.
            for start, end, most in ((0, self.t1, self.changes[0]), (self.t1, float("inf"), self.changes[1]), (0, float("inf"), sum(self.changes))):
                runs = []
                for t, mac in marks:
                    if start <= t < end and (not runs or runs[-1][1] != mac):
                        runs.append((t, mac))
                if len(runs) > most + 1:
                    t, m = runs[most + 1]
                    self.v.senders.append((c, "%s sends %.3f s after the fault, after another: %s" % (
                        m, t - self.t0, " ".join("%s:%.3f" % (m[-2:], t - self.t0) for t, m in runs))))
                    break

    # -- offers

    def winners(self):
        """Of those who were rung at once one at most hears the caller."""
        for c in self.load.calls:
            if c.state not in RING_ALL:
                continue
            heard = []
            for d in c.special.legs(c):
                times = [p.t for p in self.came.get(d.media, ())]
                if len(times) >= 5:
                    heard.append((times[0], times[-1], d.phone.number))
            heard.sort()
            for (_, a1, first), (b0, _, second) in zip(heard, heard[1:]):
                if b0 < a1:
                    self.v.doubles.append("%r: %s and %s hear the caller at once" % (c, first, second))

    def announcements(self, rows):
        """Whoever is told his place in silence: each announcement begins in its turn by the wait clock, and there are no others. Left out are those
        whose time is near a change of owner, which are said late or go on in the middle."""
        for c in self.load.calls:
            if c.state != "announced" or len(rows.get(c.number, ())) != 1:
                continue
            times, began = [p.t for p in self.came.get(c.dialog.media, ())], []
            for last, t in zip([0.0] + times, times):
                if t - last > ANNOUNCED_APART_S:
                    began.append(t)
            since, end = seconds(rows[c.number][0]["queued_at"]), c.ending or self.t2
            due = [since + FIRST_S + i * EVERY_S for i in range(40)]
            for start, stop in ((self.t0 + 2.5, self.t1 - 0.5), (self.t1 + 3, self.t2)):
                here = [t for t in due if start < t < min(stop, end) - ANNOUNCED_LATE_S]
                self.v.announced += len(here)
                for t in here:
                    if not any(-0.3 < b - t < ANNOUNCED_LATE_S for b in began):
                        self.lost(c, "no announcement %.1f s after the fault, when it was due: they began at %s" % (t - self.t0, [round(b - self.t0, 1) for b in began]))
                for b in began:
                    if start + ANNOUNCED_LATE_S < b < min(stop, end) and not any(-0.3 < b - t < ANNOUNCED_LATE_S for t in due):
                        self.lost(c, "an announcement %.1f s after the fault, when none was due" % (b - self.t0))

    def offers(self):
        spans = []  # (from, to, caller, phone)
        many = {c.number for c in self.load.calls if c.state in RING_ALL}
        for messages in list(self.by_call.values()):
            if not messages:
                continue
            first = messages[0]
            if first.m.method != "INVITE" or not self.from_node(first) or tag_of(first.m.get("to")):
                continue
            caller = re.search(r"sips?:([^@;>]+)@", first.m.get("from"))
            over = next((s.t for s in messages if s.m.method in ("BYE", "CANCEL") or (s.m.status >= 300 and s.m.cseq[1] == "INVITE" and s.m.cseq[0] == first.m.cseq[0])),
                        float("inf"))
            called = re.search(r"sips?:([^@;>]+)@", first.m.first)
            spans.append((first.t, over, caller.group(1) if caller else "", called.group(1) if called else first.dst[0]))
        spans.sort()
        for i, (a0, a1, caller, phone) in enumerate(spans):
            for b0, b1, other, at in spans[i + 1:]:
                if b0 + OVERLAP_S >= a1:
                    continue
                if caller == other and caller in many:
                    if phone == at:
                        self.v.doubles.append("caller %s is offered to %s twice at once, %.3f s after the fault" % (caller, phone, b0 - self.t0))
                elif caller == other and caller:
                    self.v.doubles.append("caller %s is offered to %s and %s at once, %.3f s after the fault" % (caller, phone, at, b0 - self.t0))
                elif phone == at:
                    self.v.doubles.append("%s is offered %s and %s at once, %.3f s after the fault" % (phone, caller, other, b0 - self.t0))

    # -- new calls

    def new_calls(self):
        first = {}
        for d in self.load.probes:
            for s in self.by_call[d.call_id]:
                if s.m.status == 200 and s.m.cseq[1] == "INVITE":
                    first[d.server] = min(first.get(d.server, s.t), s.t)
                    self.v.answered_new += 1
                    break
        want = {d.server for d in self.load.probes}
        if want and want == set(first):
            self.v.accepted = max(first.values()) - self.t0
        elif want:
            self.v.records.append("no new call was taken at %s" % sorted(want - set(first)))


# ---------------------------------------------------------------- what the nodes say

def seconds(text):
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def reconcile(v, load, nodes, by_call, moves, skew):
    """Records, agents, commands. `skew`: the clock of the nodes may be off by that much."""
    wanted = {c.number: c for c in load.calls}
    probes = collections.Counter()
    for d in load.probes:
        if any(s.m.status == 200 and s.m.cseq[1] == "INVITE" for s in by_call[d.call_id]):
            probes[d.phone.number] += 1
    lists = []
    for n in nodes:
        rows, cursor = [], ""
        while True:
            r = n.api("GET", "/v1/cdrs?limit=500" + ("&cursor=" + cursor if cursor else "")).json
            rows += r["items"]
            cursor = r.get("next_cursor") or r.get("next") or ""
            if not cursor or not r["items"]:
                break
        lists.append(sorted(rows, key=lambda r: r["record_id"]))
    for n, rows in zip(nodes[1:], lists[1:]):
        if rows != lists[0]:
            ours, theirs = ({r["record_id"] for r in x} for x in (lists[0], rows))
            v.records.append("%s and %s do not have the same records: %s" % (nodes[0].name, n.name, sorted(ours ^ theirs)[:5] or "fields differ"))
    rows = collections.defaultdict(list)
    for r in lists[0]:
        rows[r["caller"]].append(r)
    mine = {number: rows.pop(number, []) for number in wanted}
    v.rows = mine
    for number, c in wanted.items():
        if len(mine[number]) != 1:
            v.records.append("%r has %d records" % (c, len(mine[number])))
            continue
        r = mine[number][0]
        if moves and c.struck and c.state != "hanging up" and not r["taken_over"]:
            v.records.append("%r: its record does not say that it was taken over" % c)
        if not c.struck and moves != "all" and r["taken_over"]:
            v.records.append("%r: taken over %d times, at a node that was spared" % (c, r["taken_over"]))
        seen = by_call[c.dialog.call_id]
        answered = next((s.t for s in seen if s.m.status == 200 and s.m.cseq[1] == "INVITE"), None)
        ended = next((s.t for s in seen if s.m.method == "BYE"), None)
        for name, there, told in (("answered", answered, seconds(r["answered_at"])), ("ended", ended, seconds(r["ended_at"]))):
            slack = 3 + skew if name == "ended" or c.state in ("dialling", "answering") else 1.5 + skew
            if there and told and abs(there - told) > slack:
                v.records.append("%r: %s at %.3f by its record, at %.3f by the capture" % (c, name, told, there))
            elif there and not told:
                v.records.append("%r: was %s, its record does not say so" % (c, name))
    decided = {n: min((seconds(r["offered_at"]) for r in mine[n] if r["offered_at"]), default=None) for n in load.order}
    due = [n for n in load.order if decided[n]]
    if due != sorted(due, key=decided.get):
        v.order.append("waited in the order %s, by the records decided on in %s" % (due, sorted(due, key=decided.get)))
    for number, n in probes.items():
        got = len(rows.pop(number, []))
        if got < n:
            v.records.append("%d of %d new calls of %s have a record" % (got, n, number))
    for n in nodes:
        for a in n.api("GET", "/v1/agents?limit=500").json["items"]:
            number = a["number"]
            if number in load.clerks:
                allowed = [load.acked.get(number)] + [u.reason for u in load.unsure if u.agent == number]
                if number in load.acked and a["reason"] not in allowed:
                    v.commands.append("%s: agent %s has reason %r, acknowledged was %r" % (n.name, number, a["reason"], allowed))
            elif number in load.resting:
                if (a["state"], a["activity"]) != ("not_ready", load.resting[number]) or a["call_id"]:
                    v.stuck.append("%s: agent %s is %s (%s), not in %s" % (n.name, number, a["state"], a["activity"], load.resting[number]))
            elif a["state"] != "idle" or a["call_id"]:
                v.stuck.append("%s: agent %s is %s with call %s" % (n.name, number, a["state"], a["call_id"]))
        left = n.api("GET", "/v1/calls?limit=1000").json["items"]
        for k in left:
            v.stuck.append("%s: call of %s is %s" % (n.name, k["caller"], k["phase"]))
    return v
