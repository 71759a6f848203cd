"""Supervisors: what they see, what they may do to agents and calls, and what goes on when the node dies."""
import unittest

from everline import wait_for
from test_queue import PHONE, QueueCase

DESK = "supervisor-token-0123456789abcdef"


class Powers(QueueCase):
    """Agent 1020 supervises group east (1001, 1002) and queue sales; queue service and the others are not hers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply({"agents": [{"number": a, "extension": "8" + a[1:], "group": "east"} for a in ("1001", "1002")] +
                   [{"number": "1020", "extension": "8020", "type": "supervisor", "manages_groups": ["east"], "manages_queues": ["sales"]}],
                   "queues": [{"name": "sales", "members": [{"agent": "1003"}]}],
                   "access_numbers": [{"number": "10021", "queue": "sales"}],
                   "tokens": [{"name": "desk", "role": "supervisor", "agent": "1020", "token": DESK}]})

    def desk(self, *args, node=0, code=0):
        r = self.cluster.ccctl(*args, node=node, env={"CCCTL_TOKEN": DESK})
        self.assertEqual(r.code, code, r)
        return r

    def numbers_of(self, *args, key="number"):
        return [row[key] for row in self.desk(*args, "-o", "json").json]

    def test_within_what_she_manages(self):
        mine, other = self.waiting("10021"), self.waiting("10003", node=1)
        self.assertEqual(self.numbers_of("agent", "list"), ["1001", "1002", "1003", "1020"])
        self.assertEqual(self.numbers_of("call", "list", key="caller"), [mine.number])
        self.assertIn("does not manage queue service", self.desk("queue", "status", "service", code=5).err)
        # forced, whatever the least time in busy is: offline, ready, busy
        self.idle("1004")
        self.wait_agent("1004", "talking")  # serves the other caller
        self.idle("1001")
        self.cluster.must("agent", "set-state", "1001", "busy")
        self.cluster.must("parameter", "set", "min_busy_s", "600")
        self.cluster.must("agent", "set-state", "1001", "away")
        self.assertEqual(self.cluster.ccctl("agent", "set-state", "1001", "ready").code, 4)
        self.desk("agent", "set-state", "1001", "ready", "--force", node=1)
        self.wait_agent("1001", "idle")
        self.desk("agent", "set-state", "1001", "busy", "--force", node=2)
        self.wait_agent("1001", "not_ready")
        self.desk("agent", "logout", "1001")
        self.wait_agent("1001", "logged_out")
        self.assertIn("does not manage agent 1004", self.desk("agent", "logout", "1004", code=5).err)
        # a call of her queue is ended; that of another one is not
        theirs = self.live(other)["call_id"]
        self.assertIn("does not manage call " + theirs, self.desk("call", "hangup", theirs, code=5).err)
        self.desk("call", "hangup", self.live(mine)["call_id"], node=2)
        mine.wait_ended()
        self.assertEqual(self.record(mine)["cause"], "operator")
        self.assertFalse(other.ended)
        self.assertEqual(self.numbers_of("cdr", "list", "--caller", mine.number, key="caller"), [mine.number])
        other.hangup()
        self.record(other)
        self.assertEqual(self.numbers_of("cdr", "list", "--caller", other.number, key="caller"), [])
        done = self.cluster.must("audit", "list", "--actor", "agent:1020", "-o", "json").json
        self.assertEqual([a["action"] for a in done[:4]], ["call.hang_up", "agent.logout", "agent.not_ready", "agent.ready"])
        self.cluster.must("parameter", "delete", "min_busy_s")

    def test_live(self):
        """The lists, the picture of them, and the stream, as she sees them and as an administrator does."""
        mine, other = self.waiting("10021"), self.waiting("10003")
        self.assertEqual(self.numbers_of("live", "waiting", key="caller"), [mine.number])
        self.assertEqual({w["caller"] for w in self.cluster.must("live", "waiting", "-o", "json", node=2).json}, {mine.number, other.number})
        self.crowd.on(PHONE["1003"], "answer")
        self.do("1003", "login")
        self.wait_agent("1003", "talking")
        [a] = self.desk("live", "agents", "--state", "talking", "-o", "json").json
        self.assertEqual((a["number"], a["call"]["caller"], a["call"]["queue"]), ("1003", mine.number, "sales"))
        rows = self.desk("top", "--view", "agents", "--filter", "talking", "--once").out.splitlines()
        self.assertIn(mine.number, rows[4])
        self.assertIn("1 of 4 agents", rows[5])
        self.assertIn("not for supervisors", self.desk("top", "--view", "nodes", "--once").out)
        rows = self.cluster.must("top", "--view", "nodes", "--once").out
        self.assertTrue(all(n.name in rows for n in self.cluster))
        mine.hangup()
        other.hangup()

    def test_next_call(self):
        """It goes to her once, though a member is idle; she need not be one."""
        self.cluster.must("agent", "login", "1020")
        self.wait_agent("1020", "idle")
        self.desk("queue", "next-to", "sales", "1020")
        self.crowd.on(PHONE["1003"], "answer")
        self.do("1003", "login")
        self.wait_agent("1003", "idle")
        self.crowd.on(PHONE["1020"], "answer")
        mine = self.dial("10021").wait_answered()
        call = self.wait_phase(mine, "talking")
        self.assertEqual(call["agent"], "1020")
        self.assertIn("Agent 1020 had asked for the next call.", self.cluster.must("queue", "explain", call["call_id"]).out)
        other = self.dial("10021").wait_answered()
        self.assertEqual(self.wait_phase(other, "talking")["agent"], "1003")
        self.desk("queue", "next-to", "service", "1020", code=5)
        mine.hangup()
        other.hangup()
        self.record(mine)

    def test_ended_by_who_has_it_then(self):
        """The owner hangs when the end is asked for: whoever takes the call over ends it."""
        p = self.waiting("10021", node=1)
        owner = self.cluster[1]
        self.assertEqual(self.live(p)["owner"], owner.name)
        owner.sigstop()
        try:
            self.desk("call", "hangup", self.live(p)["call_id"], node=0)
            p.wait_ended()
        finally:
            owner.kill9()
            owner.restart()
        self.assertEqual(p.by, "them")
        wait_for(lambda: self.cluster[0].api("GET", "/v1/cdrs?caller=" + p.number).json["items"], 10, "record")
        self.assertEqual(self.record(p)["cause"], "operator")


if __name__ == "__main__":
    unittest.main()
