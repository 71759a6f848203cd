"""States of agents on three nodes whose times go on while nodes die: one's own state chosen from the phone, wrap-up, the longest call."""
import unittest

from callcase import CallCase
from everline import wait_for


class States(CallCase):
    def agent(self, number, node=None):
        return (node or self.b).api("GET", "/v1/agents/" + number).json

    def kill_leader(self):
        dies = self.cluster.leader()
        dies.kill9()
        return dies, [n for n in self.cluster if n is not dies]

    def test_times_go_on_while_nodes_die(self):
        self.cluster.must("agent-state", "set", "lunch", "--code", "5", "--reason", "meal,prayer", "--reason-required", "yes", "--limit", "12")
        self.cluster.must("queue", "set", "service", "--wrap-up", "4")
        self.cluster.must("parameter", "set", "max_call_s", "3")
        phone = self.extension("8001", self.b)
        self.ready("1001")
        # Without a reason the code is refused, with one it is not; and he is in it on every node.
        phone.invite("*745").wait_ended(15)
        self.wait_state("1001", "idle")
        phone.invite("*745*2").wait_ended(15)
        self.wait_state("1001", "not_ready")
        a = self.agent("1001")
        self.assertEqual((a["activity"], a["reason"]), ("lunch", "prayer"))
        dies, left = self.kill_leader()
        for n in left:
            b = self.agent("1001", n)
            self.assertEqual((b["activity"], b["until"], b["since"]), ("lunch", a["until"], a["since"]))
        for n in left:
            wait_for(lambda: self.agent("1001", n)["state"] == "idle", 20, "the limit is over at %s" % n.name)
        dies.restart()
        wait_for(lambda: self.agent("1001", dies)["state"] == "idle", 20, "%s knows" % dies.name)
        lunch = next(t for t in self.agent("1001", dies)["times"] if t["state"] == "lunch")
        self.assertEqual((lunch["seconds"], lunch["counts_as"], lunch["times"]), (12, "break", 1))
        # A call that has talked for as long as it may; then wrap-up, made longer, over the death of a node.
        call, _ = self.talking()
        call.wait_ended(10)
        self.assertEqual(self.record(call.phone.user)["cause"], "max_duration")
        number = self.agent_number
        self.wait_state(number, "wrap_up")
        before = self.agent(number)["until"]
        self.cluster.must("agent", "set-state", number, "wrap_up", "--extend", "12")
        until = wait_for(lambda: next((u for u in [self.agent(number, self.cluster.leader())["until"]] if u != before), None), 5, "the wrap-up is longer")
        dies, left = self.kill_leader()
        for n in left:
            a = self.agent(number, n)
            self.assertEqual((a["state"], a["until"]), ("wrap_up", until))
        for n in left:
            wait_for(lambda: self.agent(number, n)["state"] == "idle", 20, "wrap-up is over at %s" % n.name)
        dies.restart()
        self.wait_state(number, "idle")
        wait_for(lambda: self.cluster.ccctl("cluster", "verify").code == 0, 20, "all nodes hold the same")


if __name__ == "__main__":
    unittest.main()
