"""What becomes of callers who wait too long, although the node that they hang on dies meanwhile."""
import unittest

from callcase import wait_prompt
from everline import wait_for
from test_takeover import Takeover, TEST_HZ


class WaitsTooLong(Takeover):
    WAIT_S = 4

    def waits(self, action):
        self.cluster.must("queue", "set", "service", "--max-wait", str(self.WAIT_S), "--max-wait-action", action)
        self.addCleanup(self.cluster.must, "queue", "set", "service", "--max-wait", "0", "--max-wait-action", "")
        caller = self.caller(self.victim)
        call = caller.invite("10003")
        call.wait_answered()
        self.call_of(caller, phase="waiting")
        return caller, call

    def test_flow_begins_at_the_new_owner(self):
        caller, call = self.waits("flow:welcome")
        self.assertIn("flow welcome", self.cluster.must("queue", "explain", self.call_of(caller)["call_id"]).out)
        self.kill_and_see(caller)
        there = self.call_of(caller, phase="menu", flow="welcome")
        self.assertGreaterEqual(there["epoch"], 2)
        # he hears it, and its keys work
        call.rtp.wait_samples(8000, after=call.rtp.mark())
        self.call_of(caller, flow_node="main")
        call.rtp.send_digits("0")
        call.wait_ended()
        self.record(caller, queue="service", flow="welcome", ended_by="system", cause="normal")

    def test_owner_dies_while_it_says_why_it_ends(self):
        caller, call = self.waits("hangup:queue_wait,queue_no_agent")
        self.call_of(caller, phase="app")
        self.kill_and_see(caller)
        call.rtp.wait_samples(4000, after=call.rtp.mark())  # said again, from its beginning
        call.wait_ended(30)
        self.record(caller, queue="service", ended_by="system", cause="max_wait")

    def test_nobody_logged_in(self):
        """The owner dies before the time is over: it runs on from when he came, and what is done then is said to its end by the next one."""
        self.cluster.must("queue", "set", "service", "--no-agents-wait", str(self.WAIT_S), "--no-agents-action", "hangup:queue_no_agent,goodbye")
        self.addCleanup(self.cluster.must, "queue", "set", "service", "--no-agents-wait", "0", "--no-agents-action", "")
        caller = self.caller(self.victim)
        call = caller.invite("10003").wait_answered()
        before = self.call_of(caller, phase="waiting")
        after = self.kill_and_see(caller)
        self.assertEqual(after["queued_at"], before["queued_at"])
        self.call_of(caller, phase="app")
        at = call.rtp.mark()
        for key in ("queue_no_agent", "goodbye"):
            wait_prompt(call.rtp, "zh", key, after=at)
        call.wait_ended(20)
        self.record(caller, queue="service", ended_by="system", cause="no_agents")

    def test_overflow_survives(self):
        self.cluster.apply({"queues": [{"name": "second", "members": [{"agent": "1001"}]}]})
        self.cluster.must("queue", "set", "service", "--overflow", "second:behind:1", "--member", "1002")
        self.addCleanup(self.cluster.must, "queue", "set", "service", "--overflow", "", "--member", ",".join(str(a) for a in range(1001, 1021)))
        self.extension("8001", self.b, tone=TEST_HZ)
        first, second = (self.caller(self.victim) for _ in range(2))
        calls = []
        for c in (first, second):
            calls.append(c.invite("10003"))
            calls[-1].wait_answered()
            self.call_of(c, phase="waiting")
        before = self.call_of(second, overflow=["second"])
        after = self.kill_and_see(second)
        self.assertEqual((after["queued_at"], after["overflow"], after["position"]), (before["queued_at"], ["second"], 2))
        self.assertRegex(self.cluster.must("queue", "status", "second").out, r"(?m)^ *1 .*%s +- +service " % second.user)
        # Of the second queue only: he gets the one who overflowed, though the other came first.
        self.addCleanup(self.logout, "1001")
        self.cluster.must("agent", "login", "1001")
        self.call_of(second, phase="talking", served_queue="second")
        self.hears(calls[1], TEST_HZ)
        calls[1].hangup()
        self.record(second, queue="service", served_queue="second", agent="1001")
        self.call_of(first, phase="waiting")
        calls[0].hangup()

    def test_rung_elsewhere_and_back(self):
        phone = self.extension("8002", self.b, on_invite="ring", tone=TEST_HZ)
        caller, call = self.waits("extension:8002")
        self.rung(phone)
        self.call_of(caller, phase="dialling")
        self.kill_and_see(caller)
        there = phone.incoming[-1]
        there.refuse(486)
        self.call_of(caller, phase="waiting", queue="service")
        self.music(call)
        call.hangup()
        self.record(caller, queue="service", ended_by="caller")
        wait_for(lambda: self.a.api("GET", "/v1/queues/service").json["waiting"] == 0, 5, "nobody waits")


class FromMenuToMenu(Takeover):
    def test_queue_that_leads_to_a_menu_at_once(self):
        """The caller never waits: from the one flow to the other in one step, and within a flow that begins once more."""
        def leads(name, to):
            self.cluster.apply({"flows": [{"name": name, **{"languages": ["en"], "start": "first", "nodes": {
                "first": {"type": "queue", "queue": to, "on_fail": "end"}, "end": {"type": "hangup"}}}}]})
        self.cluster.apply({"queues": [{"name": "closed"}, {"name": "round"}]})
        leads("leads", "closed")
        leads("circle", "round")
        self.cluster.must("queue", "set", "closed", "--no-agents-action", "flow:welcome", "--no-agents-wait", "0")
        self.cluster.must("queue", "set", "round", "--no-agents-action", "flow:circle", "--no-agents-wait", "0")
        self.cluster.must("access-number", "set", "4008005001", "--flow", "leads")
        self.cluster.must("access-number", "set", "4008005002", "--flow", "circle")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/access-numbers/4008005002").status == 200, 10, "%s has the number" % n.name)
        caller = self.caller(self.victim)
        call = caller.invite("4008005001")
        call.wait_answered()
        self.call_of(caller, phase="menu", flow="welcome", flow_node="main")
        call.rtp.wait_samples(8000, after=call.rtp.mark())
        call.rtp.send_digits("0")
        call.wait_ended()
        round_ = self.caller(self.victim)
        call = round_.invite("4008005002")
        call.wait_ended(20)
        (row,) = wait_for(lambda: self.a.api("GET", "/v1/cdrs?caller=" + round_.user).json["items"], 10, "record")
        self.assertEqual((row["cause"], row["flow"]), ("action_loop", "circle"))


if __name__ == "__main__":
    unittest.main()
