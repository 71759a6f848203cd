"""Tests of ccctl live and ccctl top, run by tests/unit/cli/run."""
import json
import os
import re
import signal

from fake_api import CONTRACT, NOW, TOKEN, Problem
from on_terminal import Terminal, width


def live_agent(number, name, state, **more):
    a = {"number": number, "name": name, "group": "east", "type": "agent", "state": state, "activity": "ready" if state != "logged_out" else "",
         "reason": "", "since": NOW, "until": None, "login_at": NOW, "extension": "8" + number[1:], "answered": 3, "queues": ["service"],
         "call_id": None, "call": None}
    return CONTRACT.fit("LiveAgent", dict(a, **more))


def live_waiter(call_id, caller, position, **more):
    w = {"call_id": call_id, "caller": caller, "caller_name": "", "called": "10003", "trunk": "demo", "language": "zh", "queue": "service",
         "position": position, "type": "caller", "priority": 0, "arrived_at": NOW, "queued_at": NOW, "state": "waiting", "agents": [],
         "overflow": []}
    return CONTRACT.fit("LiveWaiter", dict(w, **more))


def live_cases(Base, CCCTL, call):
    class Live(Base):
        """What supervisors look at, and the full-screen view of it."""

        def setUp(self):
            super().setUp()
            self.state.live["agents"] = [
                live_agent("1001", "王芳", "idle"), live_agent("1002", "Li", "logged_out"),
                live_agent("1003", "欧阳小明明", "talking", call_id="00000000000000aa",
                           call={"caller": "13800138000", "called": "10003", "queue": "service", "direction": "inbound", "connected_at": NOW})]
            self.state.live["waiting"] = [live_waiter("00000000000000ab", "13900139000", 1), live_waiter("00000000000000ac", "4001", 2, type="vip")]
            self.state.calls["00000000000000aa"] = call("00000000000000aa")
            self.state.live["queues"] = [CONTRACT.fit("LiveQueue", {
                "name": "service", "display_name": "客服", "members": 3, "waiting": 2, "waiting_since": NOW, "estimated_wait_s": 40,
                "logged_out": 1, "not_ready": 0, "idle": 1, "ringing": 0, "talking": 1, "wrap_up": 0})]

        def test_lists(self):
            self.assertEqual([a["number"] for a in self.ok("live", "agents", "--group", "east", "-o", "json").json], ["1001", "1002", "1003"])
            self.assertIn("group=east", self.requests()[-1][1])
            self.assertRegex(self.ok("live", "waiting", "--queue", "service").out, r"(?m)^service +2 +4001 +10003 .* vip ")
            self.assertRegex(self.ok("live", "queues", "-o", "wide").out, r"(?m)^service +2 ")
            self.assertIn("queues=sales", self.ok("live", "agents", "--queue", "sales", "-o", "json") and self.requests()[-1][1])

        def test_one_picture_for_scripts(self):
            r = self.ok("top", "--view", "agents", "--sort", "state", "--once")
            self.assertNotIn("\033", r.out)
            rows = r.out.splitlines()
            self.assertRegex(rows[0], r"^Everline https://")
            self.assertRegex(rows[1], r"^agents 1 idle, 0 ringing, 1 talking, 0 wrap-up, 0 not ready, 1 out  waiting 2, longest ")
            self.assertEqual([x.split()[0] for x in rows[4:7]], ["1001", "1002", "1003"])  # idle, logged_out, talking
            self.assertEqual({width(x[:x.index("east")]) for x in rows[4:7]}, {width(rows[3][:rows[3].index("GROUP")])})
            self.assertEqual(rows[7], "3 of 3 agents")
            rows = self.ok("top", "--view", "waiting", "--filter", "139", "--once").out.splitlines()
            self.assertEqual((rows[4].split()[2], rows[5]), ("13900139000", "1 of 2 waiting"))
            self.assertIn("客服", self.ok("top", "--once").out)
            self.assertIn("n2", self.ok("top", "--view", "nodes", "--sort", "node", "--reverse", "--once").out.splitlines()[4])
            self.fails(2, "top", "--once", "--view", "moon")
            self.fails(2, "top", "--once", "--sort", "moon")
            self.fails(2, "top", "--once", "--interval", "0")
            self.assertIn("--once", self.fails(2, "top").err)  # this is no terminal
            self.fails(2, "top", "--watch")

        def test_supervising(self):
            for verb in ("listen", "whisper", "barge", "take-over"):
                self.ok("call", verb, "00000000000000aa", "--agent", "2001")
                self.assertEqual((self.requests()[-1][1], json.loads(self.requests()[-1][3])),
                                 ("/v1/calls/00000000000000aa:" + verb, {"agent": "2001"}))
            self.assertIn("goes to 2001", self.ok("queue", "next-to", "service", "2001").out)
            self.assertEqual((self.requests()[-1][1], json.loads(self.requests()[-1][3])), ("/v1/queues/service:next-to", {"agent": "2001"}))
            self.ok("agent", "next-to", "1001", "2001")
            self.assertEqual(self.requests()[-1][1], "/v1/agents/1001:next-to")
            self.ok("agent", "cancel-next", "2001")
            self.assertEqual(self.requests()[-1][1], "/v1/agents/2001:cancel-next")

        def test_no_answer(self):
            self.server.stop()
            self.fails(1, "top", "--once", "--timeout", "0.5")

        def screen(self, *args, columns=100, lines=12):
            env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CCCTL_TOKEN": TOKEN, "TERM": "xterm"}
            t = Terminal([CCCTL, "top", *self.where(), "--interval", "0.2", *args], env, columns, lines)
            self.addCleanup(t.close)
            return t

        def test_on_a_terminal(self):
            t = self.screen()
            rows = t.wait_text("客服")
            self.assertEqual(len(rows), 12)
            t.keys("2")
            rows = t.wait_text("欧阳小明明")
            names = [r for r in rows if re.match(r"100\d ", r)]
            self.assertEqual(len({width(r[:r.index("east")]) for r in names}), 1)
            # what happens is seen without a key
            self.state.live["agents"][1] = live_agent("1002", "Li", "ringing")
            t.wait_text("ringing")
            t.keys("r")
            t.wait(lambda rows: [r[:4] for r in rows if re.match(r"100\d ", r)] == ["1003", "1002", "1001"], "the other way round")
            t.keys("/王")
            t.wait_text("filter: 王_")
            t.keys("\r")
            t.wait_text("1 of 3 agents")
            t.keys("/\x1b")
            t.wait_text("3 of 3 agents")
            t.keys("\x1b[C")
            t.wait_text("13900139000")
            # another size
            t.resize(40, 9)
            rows = t.wait(lambda rows: len(rows) == 9 and max(map(width, rows)) <= 40, "40 columns")
            t.keys("h")
            t.wait_text("the other way round")
            t.keys("x5")
            t.wait_text("n1")
            t.keys("q")
            self.assertEqual(t.wait_end(), 0)
            self.assertTrue(t.is_as_before(), repr(t.text[-200:]))

        def test_signals_give_the_terminal_back(self):
            for sig, code in ((signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGHUP, 0)):
                t = self.screen()
                t.wait_text("客服")
                os.kill(t.pid, sig)
                self.assertEqual(t.wait_end(), code)
                self.assertTrue(t.is_as_before(), sig)

        def test_goes_on_when_nobody_answers(self):
            t = self.screen("--timeout", "0.5")
            t.wait_text("客服")

            def before(*_):
                raise Problem(500, "io_error", "the database cannot be read")
            self.state.before = before
            rows = t.wait_text("the database cannot be read")
            self.assertTrue(any("客服" in r for r in rows))  # as it was last
            self.state.before = None
            t.wait_text("1 of 1 queues")
            t.keys("q")
            self.assertEqual(t.wait_end(), 0)

        def test_what_a_supervisor_may_not_see(self):
            def before(handler, method, path):
                if path.startswith("/v1/nodes"):
                    raise Problem(403, "denied", "this is not for supervisors (agent 2001)")
            self.state.before = before
            self.assertIn("not for supervisors", self.ok("top", "--view", "nodes", "--once").out)

    return Live
