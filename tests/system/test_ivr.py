"""A flow with everything in it, and a node that dies while the caller enters his number in a flow that another has called."""
import json
import unittest

from callcase import wait_prompt
from everline import Events, wait_for
from test_takeover import Takeover

ALL_DAY = {d: ["00:00-24:00"] for d in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")}
IDENTIFY = {
    "languages": ["en"], "start": "ask", "variables": {"account": ""},
    "nodes": {
        "ask": {"type": "collect", "variable": "account", "prompts": ["queue_position_before"], "min": 4, "max": 4, "timeout_s": 60,
                "digit_timeout_s": 60, "next": "pin"},
        "pin": {"type": "collect", "variable": "pin", "secret": True, "prompts": ["agent_ready"], "max": 2, "timeout_s": 60, "next": "tail"},
        "tail": {"type": "set", "set": {"tail": {"expr": "substr(account, -2)"}, "seal": "${pin}!"}, "next": "back"},
        "back": {"type": "return"},
    },
}
TRIAL = {
    "languages": ["en"], "start": "ask",
    "nodes": {
        "ask": {"type": "collect", "variable": "n", "prompts": ["queue_position_before"], "max": 1, "timeout_s": 60, "next": "heard"},
        "heard": {"type": "play", "prompts": ["agent_ready"], "next": "queue"},
        "queue": {"type": "queue", "queue": "service"},
    },
}
CHANGED = {"languages": ["en"], "start": "bye", "nodes": {"bye": {"type": "hangup"}}}
BILL = {
    "languages": ["en"], "start": "hours", "variables": {"account": "", "tail": ""},
    "nodes": {
        "hours": {"type": "time", "cases": [{"group": "never", "next": "bye"}, {"group": "always", "next": "line"}], "else": "bye"},
        "line": {"type": "set", "set": {"line": "${called}", "own": "1001"}, "next": "who"},
        "who": {"type": "flow", "flow": "identify", "next": "route", "on_fail": "bye"},
        "route": {"type": "branch", "cases": [{"if": "account == tail", "next": "bye"},
                                              {"if": "starts_with(account, '88') and len(account) == 4", "next": "vip"}], "else": "bye"},
        "vip": {"type": "play", "prompts": [{"digits": "${tail}"}], "next": "queue"},
        "queue": {"type": "queue", "queue": "service", "priority": 7, "agent": "${own}", "data": {"from": "bill ${account}"}},
        "bye": {"type": "hangup"},
    },
}


class Flows(Takeover):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for path, body in (("time-groups/always", dict(ALL_DAY, zone="Asia/Shanghai")), ("time-groups/never", {"zone": "Asia/Shanghai"}),
                           ("flows/identify", {"definition": IDENTIFY}), ("flows/bill", {"definition": BILL}),
                           ("access-numbers/10030", {"flow": "bill"})):
            cls.put(path, body)
        wait_for(lambda: all(n.api("GET", "/v1/access-numbers/10030").status == 200 for n in cls.cluster), 10, "all have the menu")

    @classmethod
    def put(cls, path, body):
        r = cls.a.api("PUT", "/v1/" + path, body)
        if r.status not in (200, 201):
            raise AssertionError((path, r.status, r.text))
        return r.json

    @staticmethod
    def moves(events, caller):
        return sum(e["type"] == "everline.call.menu" and e["data"]["caller"] == caller.user for e in list(events.seen))

    def test_killed_while_a_called_flow_collects(self):
        caller = self.caller(self.victim)
        with Events(self.b) as events:
            call = caller.invite("10030").wait_answered()
            wait_prompt(call.rtp, "en", "queue_position_before")
            self.assertEqual(self.call_of(caller, phase="menu")["flow_node"], "identify/ask")
            wait_for(lambda: self.moves(events, caller), 5, "the place is in the log")
            before = self.moves(events, caller)
            call.rtp.send_digits("88")
            wait_for(lambda: self.moves(events, caller) == before + 2, 10, "both digits are in the log")
        self.kill_and_see(caller)
        # The call stays in the version that it began with, and in that of the flow which that has called.
        self.put("flows/identify", {"definition": CHANGED})
        at = call.rtp.mark()
        call.rtp.send_digits("12")
        wait_prompt(call.rtp, "en", "agent_ready", after=at)
        at = call.rtp.mark()
        call.rtp.send_digits("73")
        wait_prompt(call.rtp, "en", "num_1", after=at)
        live = self.call_of(caller, phase="waiting")
        variables = {"account": "8812", "tail": "12", "line": "10030", "own": "1001", "from": "bill 8812"}
        for n in (self.a, self.b):
            wait_for(lambda: n.api("GET", "/v1/calls/" + live["call_id"]).json["variables"] == variables, 5, "%s shows them" % n.name)
            self.assertNotIn("73", json.dumps(n.api("GET", "/v1/calls/" + live["call_id"]).json["variables"]))
        (waiting,) = self.a.api("GET", "/v1/queues/service").json["entries"]
        self.assertEqual((waiting["call_id"], waiting["priority"]), (live["call_id"], 7))
        self.assertEqual(live["dedicated_agent"], "1001")
        self.told(call)
        call.hangup()
        record = self.record(caller, queue="service", flow="bill")
        self.assertEqual(record["variables"], variables)
        # His way, over two nodes of the cluster, in each once; what he typed is in neither.
        self.assertEqual([(s["node"], s["by"]) for s in record["menu"]],
                         [("hours", "always"), ("identify/ask", "digits"), ("identify/pin", "digits"), ("vip", "played"), ("queue", "queue")])
        stats = self.a.api("GET", "/v1/flows/bill/stats").json
        self.assertEqual((stats["calls"], [(i["node"], i["entered"], i["ended"], i["left"]) for i in stats["items"]]),
                         (1, [("hours", 1, 0, {"always": 1}), ("identify/ask", 1, 0, {"digits": 1}), ("identify/pin", 1, 0, {"digits": 1}),
                              ("queue", 1, 0, {"queue": 1}), ("vip", 1, 0, {"played": 1})]))
        # Who calls now has the new version.
        self.caller(self.b).invite("10030").wait_ended()
        self.put("flows/identify", {"definition": IDENTIFY})

    def test_killed_in_a_draft(self):
        self.put("flow-drafts/trial", {"definition": TRIAL})
        self.put("access-numbers/10031", {"flow": "trial@draft"})
        wait_for(lambda: self.victim.api("GET", "/v1/access-numbers/10031").status == 200, 5, "the number leads there")
        caller = self.caller(self.victim)
        call = caller.invite("10031").wait_answered()
        wait_prompt(call.rtp, "en", "queue_position_before")
        self.kill_and_see(caller)
        # It goes live, and on: a caller who was in it stays in what he began with.
        self.assertEqual(self.a.api("POST", "/v1/flow-drafts/trial:publish", {"note": "tried"}).status, 201)
        self.put("flow-drafts/trial", {"definition": CHANGED})
        at = call.rtp.mark()
        call.rtp.send_digits("8")
        wait_prompt(call.rtp, "en", "agent_ready", after=at)
        self.told(call)
        call.hangup()
        self.record(caller, flow="trial@draft")
        self.assertEqual(self.a.api("DELETE", "/v1/flow-drafts/trial").status, 204)
        live = self.caller(self.b)
        call = live.invite("10031").wait_answered()  # no draft any more: the flow
        wait_prompt(call.rtp, "en", "queue_position_before")
        self.assertEqual(self.call_of(live, phase="menu")["flow"], "trial")
        call.hangup()

    def told(self, *calls):
        self.assertEqual([len(c.reinvites) for c in calls], [0] * len(calls))


if __name__ == "__main__":
    unittest.main()
