"""A node dies by SIGKILL while calls hang on it, and every one goes on at another node: told by the telephones themselves.

Both ways are run: the node's address comes along (nothing is sent, the telephone notices nothing), and by re-INVITE from the new
owner's own address (network with takeover: reinvite)."""
import re
import time
import unittest

from callcase import AGENT_HZ, CALLER_HZ, WRAP_UP_S, CallCase  # noqa: F401
from everline import wait_for
from rtp_numbers import complaints

TEST_HZ = 1004


class Takeover(CallCase):
    """One node is killed in each test and comes back at its end. Callers call node c, telephones of agents stand at node b."""

    def setUp(self):
        self.victim = self.c
        self.addCleanup(self.come_back)

    def come_back(self):
        if not self.victim.alive():
            self.victim.restart()
        wait_for(lambda: all(a["holder"] == a["home"] and a["bound"] for a in self.a.api("GET", "/v1/addresses").json["items"]), 20,
                 "addresses are at home")

    def call_of(self, caller, **match):
        def found():
            rows = self.a.api("GET", "/v1/calls?caller=" + caller.user).json["items"]
            return next((r for r in rows if all(r[k] == v for k, v in match.items())), None)
        return wait_for(found, 10, "call of %s with %s" % (caller.user, match))

    def kill(self):
        self.victim.kill9()

    def record(self, caller, **match):
        """Exactly one, the same on both nodes that live."""
        def one():
            rows = [n.api("GET", "/v1/cdrs?caller=" + caller.user).json["items"] for n in (self.a, self.b)]
            return rows[0] if len(rows[0]) == 1 and rows[0] == rows[1] else None
        (row,) = wait_for(one, 10, "one record of %s" % caller.user)
        for k, v in match.items():
            self.assertEqual(row[k], v, row)
        self.assertGreaterEqual(row["taken_over"], 1, row)
        return row

    def hears(self, call, hz):
        call.rtp.wait_tone(hz, after=call.rtp.mark())


    def one_source(self, *calls):
        """What each has heard all the time is one RTP source, none of it to be taken for old or for a restart."""
        for c in calls:
            wait_for(lambda: len(c.rtp.heard) > 50, 10, "a second of sound")
            with c.rtp.lock:
                heard = list(c.rtp.heard)
            self.assertEqual(complaints(heard, timed=False), [])

    def idle(self, agent):
        for n in (self.a, self.b):
            wait_for(lambda: self.state(agent, n) == "idle", 10, "agent %s is idle at %s" % (agent, n.name))

    def agent_phone(self, **options):
        agent = self.extension("8001", self.b, **options)
        self.ready("1001")
        return agent

    def rung(self, agent, n=1):
        return wait_for(lambda: len(agent.incoming) >= n and agent.incoming[-1], 10, "the agent's telephone rings")

    def connected(self):
        """A caller and an agent who talk over the victim."""
        caller, agent = self.caller(self.victim, tone=CALLER_HZ), self.agent_phone(tone=AGENT_HZ)
        call = caller.invite("10003")
        call.wait_answered()
        there = self.rung(agent)
        there.wait_answered()
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        self.call_of(caller, phase="talking", owner=self.victim.name)
        return caller, call, agent, there

    def lead(self, node):
        """It leads, and is the next to get a call: the two others have some."""
        self.cluster.ccctl("cluster", "transfer", "--to", node.name)
        wait_for(lambda: self.a.api("GET", "/v1/cluster").json["leader"] == node.name, 15, "%s leads" % node.name)
        for other in (self.a, self.b):
            busy = self.caller(other)
            call = busy.invite("10001").wait_answered()
            self.addCleanup(call.hangup)
            self.call_of(busy, phase="app", owner=other.name)

    def kill_and_see(self, caller):
        self.kill()
        return self.call_of(caller, epoch=2)

    def music(self, call):
        """Anything but silence: music has no single tone."""
        call.rtp.wait_samples(4000, after=call.rtp.mark())


class ByAddress(Takeover):
    def told(self, *calls):
        """How many re-INVITEs the telephones got: none, their node's address came along."""
        self.assertEqual([len(c.reinvites) for c in calls], [0] * len(calls))

    def rings_on(self, phone, call):
        """The same INVITE once more: the telephone takes it for a repetition."""
        self.assertEqual(len(phone.incoming), 1)
        return call

    def test_talking(self):
        caller, call, agent, there = self.connected()
        self.assertNotEqual(self.kill_and_see(caller)["owner"], self.victim.name)
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        self.told(call, there)
        # all that a call can do works as before
        there.reinvite("sendonly")
        wait_for(lambda: self.call_of(caller)["legs"][1]["held"], 5, "held")
        there.reinvite("sendrecv")
        self.hears(call, AGENT_HZ)
        self.one_source(call, there)
        call.hangup()
        there.wait_ended()
        self.record(caller, ended_by="caller", cause="normal", agent="1001")
        self.idle("1001")

    def lines_written(self):
        return int(re.search(r"^everline_node_rtp_lines_written_total (\d+)", self.victim.api("GET", "/metrics").text, re.M).group(1))

    def test_numbers_far_off_the_line(self):
        """Gaps in what a telephone sends are gaps in what is relayed: where the numbers are by now has to be known elsewhere."""
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10001")
        call.wait_answered()
        self.hears(call, CALLER_HZ)
        before = self.lines_written()
        call.rtp.sequence = (call.rtp.sequence + 2500) & 0xFFFF
        wait_for(lambda: self.lines_written() > before, 15, "the numbers are written down anew")
        self.kill_and_see(caller)
        self.hears(call, CALLER_HZ)
        self.one_source(call)
        call.hangup()
        self.record(caller, cause="normal")

    def test_agent_hangs_up(self):
        caller, call, agent, there = self.connected()
        self.kill_and_see(caller)
        self.hears(call, AGENT_HZ)
        there.hangup()
        call.wait_ended()
        self.record(caller, ended_by="agent", cause="normal")
        self.idle("1001")

    def test_held_by_the_agent(self):
        caller, call, agent, there = self.connected()
        there.reinvite("sendonly")
        wait_for(lambda: self.call_of(caller)["legs"][1]["held"], 5, "held")
        self.kill_and_see(caller)
        self.music(call)
        there.reinvite("sendrecv")
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        self.one_source(call, there)
        call.hangup()
        there.wait_ended()
        self.record(caller, ended_by="caller")

    def test_waiting(self):
        agent = self.extension("8001", self.b, tone=AGENT_HZ)
        caller = self.caller(self.victim)
        call = caller.invite("10000")
        call.wait_answered()
        call.rtp.wait_samples(8000)
        call.rtp.send_digits("1")
        before = self.call_of(caller, phase="waiting")
        self.music(call)
        after = self.kill_and_see(caller)
        self.music(call)
        self.assertEqual((after["phase"], after["queued_at"]), ("waiting", before["queued_at"]))
        self.cluster.must("agent", "login", "1001")
        self.addCleanup(self.logout, "1001")
        self.cluster.must("agent", "set-state", "1001", "ready")
        self.rung(agent).wait_answered()
        self.hears(call, AGENT_HZ)
        self.one_source(call)
        self.told(call)
        call.hangup()
        self.record(caller, queue="service", agent="1001")

    def test_menu(self):
        caller = self.caller(self.victim)
        call = caller.invite("10000")
        call.wait_answered()
        call.rtp.wait_samples(4000)
        self.call_of(caller, phase="menu")
        self.kill_and_see(caller)
        call.rtp.wait_samples(4000, after=call.rtp.mark())
        call.rtp.send_digits("1")
        self.call_of(caller, phase="waiting")
        self.told(call)
        call.hangup()
        self.record(caller, queue="service")

    def test_ringing_at_an_agent(self):
        agent = self.agent_phone(on_invite="ring", tone=AGENT_HZ)
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003")
        call.wait_answered()
        there = self.rung(agent)
        self.call_of(caller, phase="offered")
        self.kill_and_see(caller)
        there = self.rings_on(agent, there)
        there.answer()
        there.wait_answered()
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        call.hangup()
        there.wait_ended()
        self.record(caller, agent="1001")
        self.idle("1001")

    def test_caller_not_answered_yet(self):
        phone = self.extension("8002", self.b, on_invite="ring", tone=AGENT_HZ)
        caller = self.extension("8003", self.victim, tone=CALLER_HZ)
        call = caller.invite("8002")
        there = self.rung(phone)
        call.wait_status(180)
        self.kill_and_see(caller)
        there = self.rings_on(phone, there)
        there.answer()
        call.wait_answered()
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        call.hangup()
        there.wait_ended()
        self.record(caller, cause="normal")

    def test_leader(self):
        if self.cluster.leader() is not self.victim:
            self.cluster.hand_over(self.victim)
        caller, call, agent, there = self.connected()
        self.kill_and_see(caller)
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        self.told(call, there)
        self.one_source(call, there)
        call.hangup()
        there.wait_ended()
        self.record(caller, ended_by="caller")


class ByReinvite(ByAddress):
    """The same, in a network that is told."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.must("network", "set", "told", "--range", cls.cluster.network.prefix + "0/24", "--takeover", "reinvite")
        cls.cluster.must("trunk", "set", "demo", "--takeover", "reinvite")

    def told(self, *calls):
        for c in calls:
            c.wait_reinvite()

    def rings_on(self, phone, call):
        """Called off and rung anew: never twice at once."""
        call.wait_ended()
        return self.rung(phone, 2)


class MovedTwice(Takeover):
    """The new owner dies over the re-INVITE by which it moves a call: the telephone sends there already, nobody else knows."""

    def test_answer_to_the_re_invite_is_lost(self):
        self.cluster.must("trunk", "set", "demo", "--takeover", "reinvite")
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10001")
        call.wait_answered()
        self.hears(call, CALLER_HZ)
        call.lose_answer = True
        self.kill()
        call.wait_reinvite()
        second = next(n for n in (self.a, self.b) if n.name == self.call_of(caller, epoch=2)["owner"])
        self.addCleanup(lambda: second.alive() or second.restart())
        # As if its address could not be had at first, and then could: by what it had before it would now go on, without a word.
        self.cluster.must("trunk", "set", "demo", "--takeover", "address")
        self.come_back()
        self.assertEqual(self.call_of(caller)["owner"], second.name)
        second.kill9()
        call.wait_reinvite(2)
        self.assertNotEqual(*call.reinvites)
        self.hears(call, CALLER_HZ)
        call.hangup()
        second.restart()
        second.wait_ready()
        self.record(caller, cause="normal", taken_over=2)


class FewPorts(Takeover):
    """As many ports as the calls need: a telephone that is rung anew must get none that another call has and has not come for yet."""
    conf = {"rtp_ports": "20000-20011"}

    def listener(self):
        call = self.caller(self.victim).invite("10002")
        call.wait_answered()
        self.hears(call, TEST_HZ)
        return call

    def test_everybody_keeps_his(self):
        agent = self.agent_phone(on_invite="ring", tone=AGENT_HZ)
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003")
        call.wait_answered()
        there = self.rung(agent)
        listeners = [self.listener() for _ in range(4)]
        self.kill_and_see(caller)
        for c in listeners:
            self.hears(c, TEST_HZ)
        self.come_back()
        for c in listeners:
            self.hears(c, TEST_HZ)
        self.assertEqual([len(c.reinvites) for c in [call, *listeners]], [0] * 5)
        self.assertEqual(len(agent.incoming), 1)
        there.answer()
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        for c in listeners:
            c.hangup()
        call.hangup()
        there.wait_ended()
        self.idle("1001")


class LetGo(Takeover):
    """A node that is cut off for a moment lets go of its calls, and carries them on itself when it is back."""

    def cut_off(self):
        """The others stand still until it has let go."""
        def seen():
            return len(re.findall("lets go of its calls", self.victim.log_text()))
        before = seen()
        others = [n for n in self.cluster if n is not self.victim]
        for n in others:
            n.sigstop()
        try:
            wait_for(lambda: seen() > before, 10, "%s has let go" % self.victim.name)
        finally:
            for n in others:
                n.sigcont()
        for n in self.cluster:
            n.wait_ready()

    def test_ringing_at_an_agent(self):
        agent = self.agent_phone(on_invite="ring", tone=AGENT_HZ)
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003")
        call.wait_answered()
        there = self.rung(agent)
        self.cut_off()
        there.answer()
        there.wait_answered()
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        self.assertEqual((len(agent.incoming), len(call.reinvites)), (1, 0))
        call.hangup()
        there.wait_ended()
        self.idle("1001")


class HangsUpAsItDies(Takeover):
    """The caller cancels, and the node dies with that on its way to the others: whether it still comes there or not, the call ends once,
    and nobody is rung for it any more."""

    def rings(self):
        agent, caller = self.agent_phone(on_invite="ring"), self.extension("8003", self.victim)
        call = caller.invite("1001")
        there = self.rung(agent)
        call.wait_status(180)
        self.call_of(caller, phase="dialling", owner=self.victim.name)
        for n in (self.a, self.b):
            self.wait_state("1001", "ringing")
        return caller, call, agent, there

    def ends(self, caller, call, agent, call_id):
        call.wait_cancelled(20)
        call.wait_ended(40)
        self.assertIn((call.cancelled, call.status >= 400), [(200, True), (481, False)])
        self.idle("1001")
        wait_for(lambda: all(c.ended for c in agent.incoming), 20, "nothing rings")
        self.assertFalse(any(c.answered for c in agent.incoming))
        def one():
            rows = [n.api("GET", "/v1/cdrs/" + call_id) for n in (self.a, self.b)]
            return rows[0].json if [r.status for r in rows] == [200, 200] and rows[0].json == rows[1].json else None
        self.assertIsNone(wait_for(one, 20, "its record")["answered_at"])
        rows = self.a.api("GET", "/v1/cdrs?caller=" + caller.user).json["items"]
        self.assertEqual([r["call_id"] for r in rows].count(call_id), 1)
        self.assertEqual(self.a.api("GET", "/v1/calls?caller=" + caller.user).json["items"], [])

    def test_on_its_way(self):
        """The others stand still while it happens, and find it when they go on."""
        self.cancelled_as_it_dies()

    def test_leader(self):
        self.cluster.hand_over(self.victim)
        self.cancelled_as_it_dies()

    def cancelled_as_it_dies(self):
        caller, call, agent, there = self.rings()
        call_id = self.call_of(caller)["call_id"]
        try:
            for n in (self.a, self.b):
                n.sigstop()
            call.cancel()
            there.wait_ended()  # the agent's telephone is called off at once
            self.assertNotIn(487, call.history)
            self.kill()
        finally:
            for n in (self.a, self.b):
                n.sigcont()
        self.ends(caller, call, agent, call_id)


class StoodStill(Takeover):
    """A node that wakes up after its calls have gone to others finds timers that are overdue, and commands that were committed
    meanwhile: nothing of what they would send may leave."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.victim.sigcont)

    def test_says_nothing_when_it_wakes_up(self):
        agent = self.agent_phone(on_invite="ignore")
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003")
        call.wait_answered()
        first = self.rung(agent).request
        self.victim.sigstop()
        self.assertNotEqual(self.call_of(caller, epoch=2)["owner"], self.victim.name)
        # Anew, from another node, and that a second time: by now the first INVITE is due again, too.
        wait_for(lambda: len([m for m in agent.requests if m.get("via") != first.get("via")]) >= 2, 10, "the next node asks twice")
        before = len(agent.requests)
        self.victim.sigcont()
        # What was overdue has been looked at when it answers again.
        wait_for(lambda: self.victim.api("GET", "/readyz", token=None).status, 10, "%s answers" % self.victim.name)
        self.victim.wait_ready()
        late = [m.first for m in agent.requests[before:] if m.get("via") == first.get("via")]
        self.assertEqual(late, [])
        call.hangup()
        self.idle("1001")


if __name__ == "__main__":
    unittest.main()
