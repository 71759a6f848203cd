"""What the tests of calls share: a cluster of three with the demonstration's configuration, telephones, agents, records."""
import itertools
import math
import os
import unittest

from everline import BUILD, Cluster, wait_for, wav_samples
from sip_phone import FRAME, SipPhone

WRAP_UP_S = 1
CALLER_HZ, AGENT_HZ = 700, 1100
STAGES = ("arrived_at", "answered_at", "menu_at", "queued_at", "offered_at", "connected_at", "ended_at")


class CallCase(unittest.TestCase):
    conf = {}  # of the node files

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, conf=cls.conf)
        cls.addClassCleanup(cls.cluster.close)
        cls.addClassCleanup(cls.ends_cleanly)
        cls.passwords = cls.cluster.apply_demo()
        cls.a, cls.b, cls.c = cls.cluster
        # Each node has applied it: tests ask and dial all of them.
        r = cls.a.api("PATCH", "/v1/queues/service", {"wrap_up_s": WRAP_UP_S}, headers={"Content-Type": "application/merge-patch+json"})
        if r.status != 200:
            raise AssertionError(r)
        for n in cls.cluster:
            wait_for(lambda: n.api("GET", "/v1/queues/service").json["wrap_up_s"] == WRAP_UP_S, 10, "%s has the queue" % n.name)
        cls.working = set()
        cls.numbers, cls.agents = itertools.count(4255550000), itertools.count(1001)

    @classmethod
    def ends_cleanly(cls):
        for n in cls.cluster:
            code = n.stop()
            if code:
                raise AssertionError("node %s ended with %s:\n%s" % (n.name, code, n.last_words(60)))

    def caller(self, node=None, **options):
        """A telephone outside, of a number of its own."""
        p = SipPhone(self.cluster.network.client(), str(next(self.numbers)), (node or self.a).ip, **options)
        self.addCleanup(p.close)
        return p

    def extension(self, number, node, register=True, **options):
        p = SipPhone(self.cluster.network.client(), number, node.ip, self.passwords[number], **options)
        self.addCleanup(p.close)
        if register:
            p.register()
            self.addCleanup(self.unregister, p)
            self.known(number, node)
        return p

    @staticmethod
    def unregister(phone):
        phone.try_register(expires=0)

    def known(self, number, node):
        """Until all nodes know where the extension is."""
        for n in self.cluster:
            wait_for(lambda: any(b["node"] == node.name for b in n.api("GET", "/v1/extensions/" + number).json["registrations"]), 5,
                     "%s knows where %s is" % (n.name, number))

    def ready(self, agent):
        """Logged in and idle; out again at the end of the test."""
        self.cluster.must("agent", "login", agent)
        self.working.add(agent)
        self.addCleanup(self.logout, agent)
        self.cluster.must("agent", "set-state", agent, "ready")
        self.wait_state(agent, "idle")

    def logout(self, agent):
        wait_for(lambda: self.state(agent) not in ("ringing", "talking"), 10, "agent %s is free" % agent)
        self.cluster.ccctl("agent", "logout", agent)
        self.working.discard(agent)

    def talking(self, caller=None, agent=None, **invite):
        """A caller at node A in a call with an agent (a new one each time) whose telephone is at node B. Returns both calls."""
        # An agent of an earlier call would be idle longer, and served first.
        for old in list(self.working):
            self.logout(old)
        self.agent_number = number = str(next(self.agents))
        phone = self.extension("8" + number[1:], self.b, tone=AGENT_HZ, **(agent or {}))
        self.ready(number)
        p = self.caller(tone=CALLER_HZ, **(caller or {}))
        call = p.invite("10003", **invite).wait_answered()
        other = phone.wait_call()
        self.wait_phase(p.user, "talking")
        self.hear_each_other(call, other)
        return call, other

    def hear_each_other(self, *calls):
        marks = [c.rtp.mark() for c in calls]
        for c, mark in zip(calls, marks):
            c.rtp.wait_tone(AGENT_HZ if c.outbound else CALLER_HZ, after=mark)

    def state(self, agent, node=None):
        return (node or self.a).api("GET", "/v1/agents/" + agent).json["state"]

    def wait_state(self, agent, state, deadline=10):
        """On every node."""
        for n in self.cluster:
            wait_for(lambda: self.state(agent, n) == state, deadline, "agent %s is %s at %s" % (agent, state, n.name))

    def live(self, caller, node=None):
        items = (node or self.a).api("GET", "/v1/calls?caller=" + caller).json["items"]
        return items[0] if items else None

    def wait_phase(self, caller, phase, deadline=10):
        def there():
            c = self.live(caller)
            return c if c and c["phase"] == phase else None
        return wait_for(there, deadline, "call of %s is %s" % (caller, phase))

    def record(self, caller, deadline=3, count=1):
        """The one record of that caller, the same on every node."""
        def rows(n):
            return n.api("GET", "/v1/cdrs?caller=" + caller).json["items"]
        for n in self.cluster:
            wait_for(lambda: len(rows(n)) >= count, deadline, "record of %s at %s" % (caller, n.name))
        seen = [rows(n) for n in self.cluster]
        for s in seen:
            self.assertEqual(len(s), count, s)
            self.assertEqual(s, seen[0])
        self.assertIsNone(self.live(caller))
        return seen[0][0]

    def in_order(self, record, *present):
        """These stages have times, one not before the other; the others have none."""
        times = [record[s] for s in STAGES if s in present]
        self.assertNotIn(None, times, record)
        self.assertEqual(times, sorted(times), record)
        for s in STAGES:
            if s not in present:
                self.assertIsNone(record[s], (s, record))


# ---------------------------------------------------------------- sound

def loud(samples):
    """A piece of a prompt by which it is known: the 40 ms of its first second and a half with most energy."""
    n = 2 * FRAME
    best = max(range(0, min(len(samples), 12000) - n, FRAME), key=lambda i: sum(x * x for x in samples[i:i + n]))
    return samples[best:best + n]


def find(samples, piece):
    """Where the piece begins in what was heard, but for what G.711 takes away; None: nowhere."""
    n = len(piece)
    peak = max(range(n), key=lambda i: abs(piece[i]))
    order = [peak] + [i for i in range(n) if i != peak]
    for at in range(len(samples) - n + 1):
        for i in order:
            if abs(samples[at + i] - piece[i]) > 24 + abs(piece[i]) / 10:
                break
        else:
            return at
    return None


def contains(samples, piece):
    return find(samples, piece) is not None


def prompt_piece(language, key):
    return loud(wav_samples(os.path.join(BUILD, "prompts", language, key + ".wav")))


def wait_prompt(rtp, language, key, deadline=10, after=0):
    piece, seen = prompt_piece(language, key), [after]

    def heard():
        with rtp.lock:
            samples = rtp.received[max(after, seen[0] - len(piece)):]
            seen[0] = len(rtp.received)
        return contains(samples, piece)
    wait_for(heard, deadline, "prompt %s/%s is heard" % (language, key), 0.1)


def dtmf_samples(digits, on=800, off=800, rate=8000):
    """In-band digits (Q.23), 100 ms each, 100 ms apart."""
    rows, columns, keys = (697, 770, 852, 941), (1209, 1336, 1477), ("123", "456", "789", "*0#")
    out = []
    for d in digits:
        r = next(i for i, k in enumerate(keys) if d in k)
        f1, f2 = rows[r], columns[keys[r].index(d)]
        out += [6000 * (math.sin(2 * math.pi * f1 * i / rate) + math.sin(2 * math.pi * f2 * i / rate)) for i in range(on)] + [0] * off
    return out
