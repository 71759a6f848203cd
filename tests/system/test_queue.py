"""Queues and agents on three nodes: fifty callers at once, and every way in which an offer or a call can end."""
import itertools
import unittest
from concurrent.futures import ThreadPoolExecutor

from crowd import Crowd
from everline import Cluster, Events, wait_for

AGENTS = ["%d" % (1001 + i) for i in range(20)]
PHONE = {a: "8" + a[1:] for a in AGENTS}
MERGE = {"Content-Type": "application/merge-patch+json"}


class QueueCase(unittest.TestCase):
    """A cluster whose agents' telephones are all in one Crowd. Each test ends with nobody stuck."""

    wrap_up_s = 0

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.apply_demo()
        cls.crowd = Crowd(cls.cluster.network.client())
        cls.addClassCleanup(cls.crowd.close)
        cls.apply({"extensions": [{"number": PHONE[a], "contact": cls.crowd.contact(PHONE[a])} for a in AGENTS],
                   "access_numbers": [{"number": "10013", "queue": "service", "priority": 5}]})
        cls.numbers = itertools.count(4255770000)
        cls.queue(wrap_up_s=cls.wrap_up_s)

    @classmethod
    def apply(cls, document):
        cls.cluster.apply(document)
        index = cls.cluster[0].ask("GET", "/v1/config").headers["everline-index"]
        cls.everywhere(int(index))

    @classmethod
    def queue(cls, **fields):
        r = cls.cluster[0].ask("PATCH", "/v1/queues/service", fields, headers=MERGE)
        if r.status != 200:
            raise AssertionError(r)
        cls.everywhere(int(r.headers["everline-index"]))

    @classmethod
    def everywhere(cls, index):
        for n in cls.cluster:
            wait_for(lambda: int(n.api("GET", "/v1/agents?limit=1").headers["everline-index"]) >= index, 10, "%s has applied it" % n.name)

    def tearDown(self):
        self.crowd.hang_up_all()  # what a failed test left
        self.nobody_stuck()
        for a in AGENTS:
            if self.agent(a)["state"] != "logged_out":
                self.do(a, "logout")
        self.queue(wrap_up_s=self.wrap_up_s, ring_time_s=20)
        self.assertEqual(self.crowd.faults, [])

    def nobody_stuck(self):
        """No live call, nobody who waits, no agent with a call."""
        for n in self.cluster:
            wait_for(lambda: not n.api("GET", "/v1/calls").json["items"], 10, "no call is left at %s" % n.name)
            for a in n.api("GET", "/v1/agents?limit=100").json["items"]:
                self.assertIn(a["state"], ("logged_out", "idle", "not_ready", "wrap_up"), a)
                self.assertIsNone(a["call_id"], a)
            q = n.api("GET", "/v1/queues/service/status").json
            self.assertEqual((q["waiting"], q["talking"]), (0, 0), q)

    # -- agents

    def do(self, agent, verb, body=None, node=0):
        r = self.cluster[node].ask("POST", "/v1/agents/%s:%s" % (agent, verb), body)
        self.assertEqual(r.status, 200, r)
        return r

    def idle(self, agent, conduct="answer", talk=None):
        """Logged in, and waiting for a call; longer than those who come after him."""
        self.crowd.on(PHONE[agent], conduct, talk)
        self.do(agent, "login")
        self.do(agent, "set-state", {"state": "ready"})

    def agent(self, agent, node=0):
        return self.cluster[node].api("GET", "/v1/agents/" + agent).json

    def wait_agent(self, agent, state, reason=None, deadline=10):
        """On all nodes."""
        for i in range(len(self.cluster.nodes)):
            wait_for(lambda: self.agent(agent, i)["state"] == state, deadline, "agent %s is %s at node %d" % (agent, state, i))
        if reason is not None:
            self.assertEqual(self.agent(agent)["reason"], reason)

    # -- callers

    def dial(self, number="10003", node=0):
        return self.crowd.invite(number, self.cluster[node].ip, str(next(self.numbers)))

    def live(self, party):
        items = self.cluster[0].api("GET", "/v1/calls?caller=" + party.number).json["items"]
        return items[0] if items else None

    def wait_phase(self, party, phase):
        return wait_for(lambda: (self.live(party) or {}).get("phase") == phase and self.live(party), 10,
                        "call of %s is %s" % (party.number, phase))

    def waiting(self, number="10003", node=0):
        p = self.dial(number, node).wait_answered()
        self.wait_phase(p, "waiting")
        return p

    def record(self, party):
        """His one record, the same on all nodes."""
        rows = []
        for n in self.cluster:
            rows.append(wait_for(lambda: n.api("GET", "/v1/cdrs?caller=" + party.number).json["items"], 5,
                                 "record of %s at %s" % (party.number, n.name)))
        for r in rows:
            self.assertEqual(r, rows[0])
            self.assertEqual(len(r), 1, r)
        return rows[0][0]

    def rung(self, agent, n=1):
        return self.crowd.wait_rung(PHONE[agent], n + self.before[agent])

    def setUp(self):
        self.before = {a: len(self.crowd.rung(PHONE[a])) for a in AGENTS}

    def calls_to(self, agent):
        return len(self.crowd.rung(PHONE[agent])) - self.before[agent]


class ManyCallers(QueueCase):
    deadline = 180
    CALLERS = 50

    def test_fifty_callers_twenty_agents(self):
        with ThreadPoolExecutor(8) as pool:
            for a in AGENTS:
                # Of half of the calls the agent is the one who hangs up.
                self.crowd.on(PHONE[a], "answer", 0.4 if int(a) % 2 else None)
            list(pool.map(lambda a: self.do(a, "login", node=int(a) % 3), AGENTS))
        for a in AGENTS:
            self.wait_agent(a, "idle")
        with Events(self.cluster[1]) as events:
            callers = [self.dial(node=i % 3) for i in range(self.CALLERS)]
            done = set()

            def hang_up_when_connected():
                for p in self.crowd.incoming:
                    if p.caller not in done and p.answered and int(p.number) % 2 == 0 and "ACK" in p.history:
                        done.add(p.caller)
                        next(c for c in callers if c.number == p.caller).hangup()
                return all(c.ended for c in callers)
            wait_for(hang_up_when_connected, 60, "all calls are over", 0.05)
            wait_for(lambda: sum(e["type"] == "everline.call.ended" for e in list(events.seen)) >= self.CALLERS, 10, "all ends are told")
            seen = list(events.seen)
        self.assertEqual([c.history for c in callers if 200 not in c.history], [])
        for c in callers:
            self.assertEqual(self.record(c)["cause"], "normal")
        self.served_in_order(seen)
        self.never_two_at_once(seen)
        for a in AGENTS:
            self.assertLessEqual(self.crowd.at_once(PHONE[a]), 1, a)
            self.wait_agent(a, "idle")
        for n in self.cluster:
            rows = [r for r in n.api("GET", "/v1/cdrs?limit=1000").json["items"] if r["caller"] in {c.number for c in callers}]
            self.assertEqual(len(rows), self.CALLERS)
            self.assertEqual({r["owner"] for r in rows}, {"n1", "n2", "n3"})
            self.assertTrue(all(r["agent"] and r["offers"] == 1 and r["answered_by"] == PHONE[r["agent"]] for r in rows), rows)
            rows.sort(key=lambda r: (r["queued_at"], r["offered_at"]))  # both are told in milliseconds
            offered = [r["offered_at"] for r in rows]
            self.assertEqual(offered, sorted(offered), [(r["queued_at"], r["offered_at"]) for r in rows])
        self.assertTrue(self.cluster.must("cluster", "verify", "-o", "json").json["equal"])

    def served_in_order(self, events):
        came = [e["data"]["call_id"] for e in events if e["type"] == "everline.call.queued"]
        served = [e["data"]["call_id"] for e in events if e["type"] == "everline.call.offered"]
        self.assertEqual(len(came), self.CALLERS)
        self.assertEqual(came, served)
        # Some had to wait, or the order would say nothing.
        most = max(e["data"]["waiting"] for e in events if e["type"] == "everline.queue.waiting")
        self.assertGreaterEqual(most, 10)

    def never_two_at_once(self, events):
        busy = {}
        for e in events:
            d = e["data"]
            if e["type"] == "everline.call.offered":
                self.assertNotIn(d["agent"], busy)
                self.assertNotIn(d["call_id"], busy.values())
                busy[d["agent"]] = d["call_id"]
            elif e["type"] == "everline.call.ended":
                busy = {a: c for a, c in busy.items() if c != d["call_id"]}
        self.assertEqual(busy, {})


class Offers(QueueCase):
    """How ringing an agent can fail."""

    def refused(self, conduct, reason, ring_time_s=20):
        """1001 does not take the call; it goes before one of higher priority that came later, to the next agent."""
        self.queue(ring_time_s=ring_time_s)
        self.idle("1001", conduct)
        first = self.dial(node=1).wait_answered()
        leg = self.rung("1001")
        self.wait_agent("1001", "not_ready", reason)
        self.wait_phase(first, "waiting")
        later = self.waiting("10013", node=2)
        status = self.cluster[2].api("GET", "/v1/queues/service/status").json
        self.assertEqual([e["caller"] for e in status["entries"]], [first.number, later.number])
        self.idle("1002")
        taken = self.rung("1002")
        self.assertEqual(taken.caller, first.number)
        self.wait_phase(first, "talking")
        self.assertEqual(self.live(later)["phase"], "waiting")
        first.hangup()
        self.assertEqual(self.rung("1002", 2).caller, later.number)
        self.wait_phase(later, "talking")
        later.hangup()
        r = self.record(first)
        self.assertEqual((r["offers"], r["agent"], r["cause"], r["ended_by"]), (2, "1002", "normal", "caller"))
        self.assertEqual(self.record(later)["offers"], 1)
        self.wait_agent("1002", "idle")
        self.assertEqual(self.calls_to("1001"), 1)
        self.wait_agent("1001", "not_ready", reason)
        return leg

    def test_no_answer(self):
        leg = self.refused("ring", "no_answer", ring_time_s=1)
        self.assertEqual(leg.history, ["INVITE", "CANCEL", "ACK"])

    def test_busy(self):
        self.refused(486, "busy")

    def test_decline(self):
        self.refused(603, "rejected")

    def test_telephone_that_leads_elsewhere(self):
        """Not followed: it is as if he had declined."""
        self.refused(302, "rejected")

    def test_unavailable(self):
        self.refused(480, "unreachable")

    def test_telephone_that_says_nothing(self):
        leg = self.refused("ignore", "no_answer", ring_time_s=1)
        self.assertNotIn("ACK", leg.history)

    def test_telephone_that_is_not_there(self):
        """Its contact leads to a port where nobody listens, then it has no contact at all."""
        ip = self.cluster.network.client()
        self.apply({"extensions": [{"number": "8001", "contact": "sip:8001@%s:5999" % ip}]})
        self.addCleanup(self.apply, {"extensions": [{"number": "8001", "contact": self.crowd.contact("8001")}]})
        self.queue(ring_time_s=2)
        self.idle("1001")
        p = self.dial().wait_answered()
        self.wait_agent("1001", "not_ready")
        self.assertIn(self.agent("1001")["reason"], ("unreachable", "no_answer"))
        self.wait_phase(p, "waiting")
        self.apply({"extensions": [{"number": "8001", "contact": ""}]})
        self.do("1001", "set-state", {"state": "ready"})
        self.wait_agent("1001", "not_ready", "unreachable")
        self.wait_phase(p, "waiting")
        self.idle("1002")
        self.rung("1002")
        self.wait_phase(p, "talking")
        p.hangup()
        self.assertEqual(self.record(p)["agent"], "1002")

    def test_two_agents_fail_one_after_another(self):
        self.queue(ring_time_s=1)
        self.idle("1001", "ring")
        self.idle("1002", 486)
        self.idle("1003")
        p = self.dial(node=1).wait_answered()
        self.assertEqual(self.rung("1003").caller, p.number)
        self.wait_phase(p, "talking")
        p.hangup()
        r = self.record(p)
        self.assertEqual((r["offers"], r["agent"]), (3, "1003"))
        self.wait_agent("1001", "not_ready", "no_answer")
        self.wait_agent("1002", "not_ready", "busy")
        self.wait_agent("1003", "idle")

    def test_logout_while_it_rings(self):
        self.idle("1001", "ring")
        p = self.dial(node=1).wait_answered()
        leg = self.rung("1001")
        self.do("1001", "logout", node=2)
        leg.wait_ended()
        self.assertEqual(leg.by, "them")
        self.assertIn("CANCEL", leg.history)
        self.wait_agent("1001", "logged_out")
        self.wait_phase(p, "waiting")
        self.idle("1002")
        self.rung("1002")
        p.hangup()
        self.assertEqual(self.record(p)["offers"], 2)

    def test_not_ready_while_it_rings(self):
        """What he says while it rings takes effect after it: he may still take this call."""
        self.idle("1001", "ring")
        p = self.dial(node=1).wait_answered()
        leg = self.rung("1001")
        self.do("1001", "set-state", {"state": "not_ready", "reason": "lunch"}, node=2)
        leg.answer()
        self.wait_phase(p, "talking")
        p.hangup()
        self.wait_agent("1001", "not_ready", "lunch")
        self.record(p)


class Ends(QueueCase):
    """How a caller or an agent may leave, in each stage."""

    def test_caller_gives_up_in_the_menu(self):
        p = self.dial("10000", node=1).wait_answered()
        self.wait_phase(p, "menu")
        p.hangup()
        r = self.record(p)
        self.assertEqual((r["ended_by"], r["cause"], r["flow"], r["queue"], r["queued_at"]), ("caller", "normal", "welcome", "", None))

    def test_caller_gives_up_while_waiting(self):
        p, other = self.waiting(node=1), self.waiting(node=2)
        p.hangup()
        r = self.record(p)
        self.assertEqual((r["ended_by"], r["cause"], r["queue"], r["offered_at"], r["offers"]), ("caller", "normal", "service", None, 0))
        self.assertIsNotNone(r["queued_at"])
        self.idle("1001")
        self.assertEqual(self.rung("1001").caller, other.number)
        self.wait_phase(other, "talking")
        other.hangup()
        self.record(other)

    def test_caller_gives_up_while_an_agent_rings(self):
        self.idle("1001", "ring")
        p = self.dial(node=1).wait_answered()
        leg = self.rung("1001")
        self.wait_agent("1001", "ringing")
        p.hangup()
        leg.wait_ended()
        self.assertIn("CANCEL", leg.history)
        self.wait_agent("1001", "idle")
        r = self.record(p)
        self.assertEqual((r["ended_by"], r["agent"], r["connected_at"], r["offers"]), ("caller", "", None, 1))
        self.assertIsNotNone(r["offered_at"])

    def test_caller_gives_up_while_talking(self):
        self.idle("1001")
        p = self.dial(node=1).wait_answered()
        leg = self.rung("1001")
        self.wait_phase(p, "talking")
        p.hangup()
        leg.wait_ended()
        self.assertEqual(leg.history, ["INVITE", "ACK", "BYE"])
        self.wait_agent("1001", "idle")
        r = self.record(p)
        self.assertEqual((r["ended_by"], r["cause"], r["agent"]), ("caller", "normal", "1001"))

    def test_agent_hangs_up(self):
        self.idle("1001")
        p = self.dial(node=2).wait_answered()
        leg = self.rung("1001")
        self.wait_phase(p, "talking")
        leg.hangup()
        p.wait_ended()
        self.assertEqual(p.by, "them")
        self.wait_agent("1001", "idle")
        r = self.record(p)
        self.assertEqual((r["ended_by"], r["cause"], r["agent"]), ("agent", "normal", "1001"))

    def test_caller_and_agent_hang_up_together(self):
        self.idle("1001")
        for node in range(3):
            p = self.dial(node=node).wait_answered()
            leg = self.rung("1001", node + 1)
            self.wait_phase(p, "talking")
            leg.hangup()
            p.hangup()
            self.assertIn(self.record(p)["ended_by"], ("agent", "caller"))
            self.wait_agent("1001", "idle")

    def test_caller_gives_up_as_the_agent_answers(self):
        """Whatever comes first: no leg is left, and the agent is free."""
        self.idle("1001", "ring")
        for node in range(3):
            p = self.dial(node=node).wait_answered()
            leg = self.rung("1001", node + 1)
            leg.answer()
            p.hangup()
            leg.wait_ended()
            self.record(p)
            self.wait_agent("1001", "idle")

    def test_wrap_up(self):
        self.queue(wrap_up_s=2)
        self.idle("1001")
        p = self.dial(node=1).wait_answered()
        self.rung("1001")
        self.wait_phase(p, "talking")
        waits = self.waiting(node=2)
        p.hangup()
        self.wait_agent("1001", "wrap_up")
        self.assertEqual(self.live(waits)["phase"], "waiting")
        self.rung("1001", 2)
        waits.hangup()
        ended, offered = self.record(p)["ended_at"], self.record(waits)["offered_at"]
        self.assertGreaterEqual(self.seconds(offered) - self.seconds(ended), 2.0)
        self.wait_agent("1001", "wrap_up")
        self.wait_agent("1001", "idle")

    def test_ready_ends_wrap_up(self):
        self.queue(wrap_up_s=3600)
        self.idle("1001")
        p = self.dial().wait_answered()
        self.rung("1001")
        self.wait_phase(p, "talking")
        p.hangup()
        self.wait_agent("1001", "wrap_up")
        self.do("1001", "set-state", {"state": "ready"}, node=1)
        self.wait_agent("1001", "idle")

    def test_not_ready_during_a_call(self):
        self.idle("1001")
        p = self.dial(node=1).wait_answered()
        self.rung("1001")
        self.wait_phase(p, "talking")
        self.do("1001", "set-state", {"state": "not_ready", "reason": "lunch"}, node=2)
        self.assertEqual(self.agent("1001", 2)["state"], "talking")
        waits = self.waiting(node=2)
        p.hangup()
        self.wait_agent("1001", "not_ready", "lunch")
        self.assertEqual(self.live(waits)["phase"], "waiting")
        self.assertEqual(self.calls_to("1001"), 1)
        self.do("1001", "set-state", {"state": "ready"})
        self.assertEqual(self.rung("1001", 2).caller, waits.number)
        waits.hangup()
        self.record(waits)

    def test_logout_during_a_call(self):
        self.idle("1001")
        p = self.dial(node=1).wait_answered()
        leg = self.rung("1001")
        self.wait_phase(p, "talking")
        self.do("1001", "logout", node=2)
        self.assertEqual(self.agent("1001", 2)["state"], "talking")
        self.assertFalse(leg.ended)
        p.hangup()
        self.wait_agent("1001", "logged_out")
        self.record(p)

    def test_hang_up_by_an_operator(self):
        """At any node, in each stage."""
        p = self.dial("10000", node=1).wait_answered()
        self.hung_up(p, "menu", 0)
        p = self.dial(node=1).wait_answered()
        self.hung_up(p, "waiting", 2)
        self.idle("1001", "ring")
        p = self.dial(node=2).wait_answered()
        leg = self.rung("1001")
        self.hung_up(p, "offered", 1)
        leg.wait_ended()
        self.wait_agent("1001", "idle")
        self.crowd.on("8001", "answer")
        p = self.dial(node=2).wait_answered()
        leg = self.rung("1001", 2)
        self.hung_up(p, "talking", 0)
        leg.wait_ended()
        self.assertEqual(leg.by, "them")
        self.wait_agent("1001", "idle")

    def hung_up(self, p, phase, node):
        call = self.wait_phase(p, phase)
        wait_for(lambda: self.cluster[node].api("GET", "/v1/calls/" + call["call_id"]).status == 200, 5, "the call is known there")
        self.cluster.must("call", "hangup", call["call_id"], node=node)
        p.wait_ended()
        self.assertEqual(p.by, "them")
        r = self.record(p)
        self.assertEqual((r["ended_by"], r["cause"]), ("system", "operator"))

    @staticmethod
    def seconds(stamp):
        h, m, s = stamp[11:].rstrip("Z").split(":")
        return 3600 * int(h) + 60 * int(m) + float(s)
