"""Who serves whom, as configured: strategies, levels, skills, VIP numbers; on three nodes, and after one of them has died."""
import re
import unittest

import contract
from everline import wait_for
from test_queue import PHONE, QueueCase

ENGLISH = {"skill": "english", "level": 3}


class Service(QueueCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply({"access_numbers": [{"number": "10020", "queue": "service", "skills": [ENGLISH]},
                                      {"number": "10021", "queue": "service", "vip": True}]})

    def tearDown(self):
        super().tearDown()
        self.queue(strategy="longest_idle", preferences=[])

    def one_call(self, agent, number="10003", node=0):
        """A call that this agent is to get."""
        n = self.calls_to(agent) + 1
        p = self.dial(number, node).wait_answered()
        self.assertEqual(self.rung(agent, n).caller, p.number)
        self.wait_phase(p, "talking")
        p.hangup()
        self.record(p)
        self.wait_agent(agent, "idle")

    def ask(self, path, node=0):
        r = self.cluster[node].api("GET", path)
        contract.check("GET", path, r.status, r.headers, r.body)
        self.assertEqual(r.status, 200, r)
        return r.json

    def test_round_robin_then_longest_idle(self):
        self.cluster.must("queue", "set", "service", "--strategy", "round_robin")
        for a in ("1001", "1002", "1003"):
            self.idle(a)
        self.one_call("1001", node=0)
        self.one_call("1002", node=1)
        # 1003 has been busy until now, and it is his turn all the same.
        self.do("1003", "set-state", {"state": "not_ready"})
        self.do("1003", "set-state", {"state": "ready"})
        self.one_call("1003", node=2)
        self.one_call("1001", node=0)
        self.do("1002", "set-state", {"state": "not_ready"})
        self.do("1002", "set-state", {"state": "ready"})
        self.cluster.must("queue", "set", "service", "--strategy", "longest_idle")
        self.one_call("1003", node=1)
        self.assertTrue(self.cluster.must("cluster", "verify", "-o", "json").json["equal"])

    def test_level_first(self):
        self.cluster.must("queue", "set", "service", "--prefer", "level")
        self.cluster.must("agent", "set", "1002", "--level", "5")
        self.addCleanup(self.cluster.must, "agent", "set", "1002", "--level", "0")
        for a in ("1001", "1002"):
            self.idle(a)
        self.one_call("1002", node=2)
        self.one_call("1002", node=1)
        agents = {a["number"]: a["level"] for a in self.ask("/v1/queues/service/status")["agents"]}
        self.assertEqual((agents["1001"], agents["1002"]), (0, 5))

    def test_skills(self):
        self.cluster.must("agent", "set", "1002", "--skill", "english:5")
        self.addCleanup(self.cluster.must, "agent", "set", "1002", "--skill", "")
        self.idle("1001")
        p = self.waiting("10020", node=1)
        call = self.live(p)["call_id"]
        out = self.cluster.must("queue", "explain", call, "--consistent", node=2).out
        self.assertIn("The call needs skill english at level 3 or more.", out)
        self.assertRegex(out, r"1001 +0 +idle +lacks skill english \(level 3 is needed\)")
        self.assertIn("is not logged in", out)
        self.assertIn("Place 1, call %s: agent 1001 lacks skill english" % call, self.cluster.must("agent", "why-not", "1001", "service").out)
        why = self.ask("/v1/calls/%s/explanation" % call)
        self.assertEqual((why["position"], [a["verdict"] for a in why["agents"] if a["agent"] == "1001"]), (1, ["unskilled"]))
        self.assertFalse(self.ask("/v1/queues/service/agents/1002/explanation", 1)["available"])
        self.one_call("1001", node=0)  # who comes later and needs no skill does not wait for him
        self.idle("1002")
        self.assertEqual(self.rung("1002").caller, p.number)
        self.wait_phase(p, "talking")
        self.assertIn("Agent 1002 was the only one who could serve the call.", self.cluster.must("queue", "explain", call).out)
        p.hangup()
        self.record(p)
        self.assertEqual(self.cluster.ccctl("queue", "explain", call).code, 3)
        self.wait_agent("1002", "idle")

    def test_vip_goes_first_after_a_node_died(self):
        first = self.waiting("10003", node=0)
        second = self.waiting("10013", node=1)  # of priority 5
        vip = self.waiting("10021", node=1)
        order = [vip.number, second.number, first.number]
        dies = self.cluster[2]

        def seen(n):
            return [(e["caller"], e["position"], e["vip"]) for e in n.api("GET", "/v1/queues/service/status").json["entries"]]

        for n in self.cluster:
            wait_for(lambda: seen(n) == [(c, i + 1, i == 0) for i, c in enumerate(order)], 5, "the places as %s has them" % n.name)
        dies.kill9()
        dies.restart()  # it has them from its tables and the log
        wait_for(lambda: [e[0] for e in seen(dies)] == order, 10, "the places after the start of %s" % dies.name)
        self.assertIn("VIP number", self.cluster.must("queue", "explain", self.live(vip)["call_id"], node=2).out)
        out = self.cluster.must("queue", "status", "service").out
        self.assertTrue(re.search(r"(?m)^ *1 .*%s.* yes$" % vip.number, out), out)
        self.idle("1001")
        for i, p in enumerate((vip, second, first)):
            self.assertEqual(self.rung("1001", i + 1).caller, p.number)
            self.wait_phase(p, "talking")
            p.hangup()
            self.record(p)
        self.wait_agent("1001", "idle")

    def test_fields_are_checked(self):
        r = self.cluster.ccctl("queue", "set", "service", "--strategy", "ring_some")
        self.assertEqual((r.code, "strategy" in r.err), (1, True), r)
        r = self.cluster.ccctl("agent", "set", "1001", "--skill", "english:3:tomorrow")
        self.assertEqual((r.code, "skills[0].until" in r.err), (1, True), r)


if __name__ == "__main__":
    unittest.main()
