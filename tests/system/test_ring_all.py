"""Ring all: several agents' telephones ring for one caller; who answers first gets him, whatever the others and the nodes do meanwhile."""
import unittest

from callcase import AGENT_HZ, CALLER_HZ
from everline import wait_for
from test_queue import PHONE, QueueCase
from test_takeover import Takeover

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


class RingAll(QueueCase):
    """All telephones without sound, calls by turns over all nodes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.queue(strategy="ring_all")

    def tearDown(self):
        super().tearDown()
        self.queue(ring_max=0, ring_no_answer="")

    def ringing(self, party, *agents):
        """Exactly these, on all nodes; their telephones have been called."""
        for n in self.cluster:
            def rung():
                rows = n.api("GET", "/v1/calls?caller=" + party.number).json["items"]
                return rows and sorted(r["agent"] for r in rows[0]["ringing"]) == sorted(agents)
            wait_for(rung, 10, "%s ring for %s at %s" % (agents, party.number, n.name))

    def elsewhere(self, leg):
        leg.wait_ended()
        self.assertEqual((leg.history, leg.reason), (["INVITE", "CANCEL", "ACK"], ELSEWHERE))

    def test_first_answer_wins(self):
        for a in ("1001", "1002", "1003"):
            self.idle(a, "ring")
        p = self.dial(node=1).wait_answered()
        legs = {a: self.rung(a) for a in ("1001", "1002", "1003")}
        self.ringing(p, "1001", "1002", "1003")
        legs["1002"].answer()
        self.wait_phase(p, "talking")
        self.assertEqual(self.live(p)["agent"], "1002")
        for a in ("1001", "1003"):
            self.elsewhere(legs[a])
            self.wait_agent(a, "idle", "")
        self.wait_agent("1002", "talking")
        # who has not talked is there for the next one
        second = self.dial(node=2).wait_answered()
        self.ringing(second, "1001", "1003")
        why = self.cluster.must("queue", "explain", self.live(second)["call_id"]).out
        self.assertIn("Agent 1003 is being rung at extension 8003 for it too.", why)
        second.hangup()
        for a in ("1001", "1003"):
            self.rung(a, 2).wait_ended()
            self.wait_agent(a, "idle")
        self.assertEqual(self.calls_to("1002"), 1)
        legs["1002"].hangup()
        p.wait_ended()
        r = self.record(p)
        self.assertEqual((r["agent"], r["answered_by"], r["offers"], r["ended_by"]), ("1002", "8002", 1, "agent"))
        self.assertEqual(self.record(second)["agent"], "")

    def test_answers_that_cross(self):
        """All pick up in the same moment: one gets the caller, the others are hung up on and idle, without wrap-up."""
        self.queue(wrap_up_s=3)
        agents = ["1001", "1002", "1003", "1004"]
        for i in range(3):
            for a in agents:
                self.idle(a)
            p = self.dial(node=i).wait_answered()
            legs = {a: self.rung(a, i + 1) for a in agents}
            winner = self.wait_phase(p, "talking")["agent"]
            for a in agents:
                if a != winner:
                    legs[a].wait_ended()
                    self.assertEqual((legs[a].by, legs[a].history[-1], legs[a].reason), ("them", "BYE", ELSEWHERE))
                    self.wait_agent(a, "idle", "")
            self.assertFalse(legs[winner].ended)
            p.hangup()
            legs[winner].wait_ended()
            self.wait_agent(winner, "wrap_up")
            self.assertEqual(self.record(p)["agent"], winner)
        for a in agents:
            self.assertEqual(self.crowd.at_once(PHONE[a]), 1)

    def test_who_refuses_drops_out(self):
        self.idle("1001", 486)
        self.idle("1002", "ring")
        self.idle("1003", 603)
        p = self.dial(node=1).wait_answered()
        leg = self.rung("1002")
        self.wait_agent("1001", "not_ready", "busy")
        self.wait_agent("1003", "not_ready", "rejected")
        self.ringing(p, "1002")
        self.idle("1004", "ring")  # comes while it rings, and joins
        self.ringing(p, "1002", "1004")
        late = self.rung("1004")
        self.do("1002", "logout", node=2)
        leg.wait_ended()
        self.ringing(p, "1004")
        late.answer()
        self.wait_phase(p, "talking")
        p.hangup()
        r = self.record(p)
        self.assertEqual((r["agent"], r["offers"]), ("1004", 1))
        self.assertEqual([self.calls_to(a) for a in ("1001", "1002", "1003", "1004")], [1, 1, 1, 1])

    def test_nobody_answers(self):
        self.queue(ring_time_s=1)
        self.idle("1001", "ring")
        self.idle("1002", "ignore")
        p = self.dial(node=1).wait_answered()
        first = self.rung("1001").wait_ended()
        self.rung("1001", 2)  # rung again, and nobody is less ready
        self.assertFalse(first.reason)
        self.rung("1002", 2)
        self.assertEqual(self.agent("1001")["state"], "ringing")
        self.queue(ring_no_answer="not_ready")
        for a in ("1001", "1002"):
            self.wait_agent(a, "not_ready", "no_answer")
        self.wait_phase(p, "waiting")
        later = self.waiting("10013", node=2)
        self.queue(ring_time_s=20, ring_max=1)
        self.idle("1003")
        self.assertEqual(self.rung("1003").caller, p.number)  # from the very front
        self.wait_phase(p, "talking")
        for c in (later, p):
            c.hangup()
            self.record(c)

    def test_free_before_his_telephone_knows(self):
        """Who lost is given the next caller at once; his telephone, rung by another node, has yet to hear that the first ring is over."""
        self.idle("1001", ["ring", 486, 486, "ring", 486])
        self.idle("1002", "ring")
        first = self.dial(node=0).wait_answered()
        self.ringing(first, "1001", "1002")
        second = self.waiting("10013", node=1)
        self.rung("1002").answer()
        leg = self.rung("1001", 4)
        self.assertEqual((leg.caller, leg.ended), (second.number, False))
        self.ringing(second, "1001")
        second.hangup()
        leg.wait_ended()
        self.assertEqual(self.record(second)["offers"], 1)
        # one who is busy in truth
        third = self.dial(node=2).wait_answered()
        self.wait_agent("1001", "not_ready", "busy")
        self.wait_phase(third, "waiting")
        for p in (first, third):
            p.hangup()
            self.record(p)

    def test_no_more_than_ring_max(self):
        self.queue(ring_max=2)
        for a in ("1001", "1002", "1003"):
            self.idle(a, "ring")
        first = self.dial(node=0).wait_answered()
        self.ringing(first, "1001", "1002")
        second = self.dial(node=1).wait_answered()
        self.ringing(second, "1003")
        first.hangup()
        self.ringing(second, *sorted(["1003", self.joined(second)]))
        second.hangup()
        for p in (first, second):
            self.record(p)

    def joined(self, party):
        """Who came into its ring beside 1003."""
        def two():
            rows = (self.live(party) or {}).get("ringing", [])
            return len(rows) == 2 and next(r["agent"] for r in rows if r["agent"] != "1003")
        return wait_for(two, 10, "a second agent rings")


class RingTakeover(Takeover):
    """Its node dies while two telephones ring: both ring on, one answers, the other one is called off."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.must("queue", "set", "service", "--strategy", "ring_all")

    def rings_on(self, phone, call):
        self.assertEqual(len(phone.incoming), 1)
        return call

    def both(self):
        phones = [self.extension("800%d" % i, self.b, on_invite="ring", tone=AGENT_HZ) for i in (1, 2)]
        for a in ("1001", "1002"):
            self.ready(a)
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003")
        call.wait_answered()
        legs = [self.rung(p) for p in phones]
        self.call_of(caller, phase="offered", owner=self.victim.name)
        return phones, legs, caller, call

    def goes_on(self):
        phones, legs, caller, call = self.both()
        after = self.kill_and_see(caller)
        self.assertEqual(sorted(r["agent"] for r in after["ringing"]), ["1001", "1002"])
        legs = [self.rings_on(p, leg) for p, leg in zip(phones, legs)]
        self.assertFalse(any(leg.ended for leg in legs))
        legs[1].answer()
        legs[1].wait_answered()
        self.hears(call, AGENT_HZ)
        self.hears(legs[1], CALLER_HZ)
        legs[0].wait_ended()
        self.assertEqual(legs[0].by, "them")
        self.idle("1001")
        call.hangup()
        legs[1].wait_ended()
        self.record(caller, agent="1002", cause="normal")
        self.idle("1002")

    def test_node_dies_while_phones_ring(self):
        self.goes_on()

    def test_leader_dies_while_phones_ring(self):
        if self.cluster.leader() is not self.victim:
            self.cluster.hand_over(self.victim)
        self.goes_on()


class RingReinvite(RingTakeover):
    """The same where the address stays away: both are called off and rung anew, once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.must("network", "set", "told", "--range", cls.cluster.network.prefix + "0/24", "--takeover", "reinvite")
        cls.cluster.must("trunk", "set", "demo", "--takeover", "reinvite")

    def rings_on(self, phone, call):
        call.wait_ended()
        leg = self.rung(phone, 2)
        self.assertEqual(len(phone.incoming), 2)
        return leg


if __name__ == "__main__":
    unittest.main()
