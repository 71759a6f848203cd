"""Calls to numbers outside, through a trunk: a carrier rings, answers or refuses, and nodes die meanwhile.

The carrier is a telephone at the trunk's contact. Both ways of a takeover are run, as in test_takeover.py."""
import json
import unittest

from callcase import AGENT_HZ, CALLER_HZ
from everline import Sipp, wait_for
from sip_phone import SipPhone
from test_takeover import Takeover

ACCESS, NUMBER = "4008001234", "+861085551234"


class Outside(Takeover):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.carrier_ip = cls.cluster.network.client()
        must = cls.cluster.must
        must("parameter", "set", "outside_prefix", "9")
        must("access-number", "set", ACCESS, "--outside", NUMBER)

    def setUp(self):
        super().setUp()
        self.carrier = SipPhone(self.carrier_ip, "carrier", self.a.ip, tone=AGENT_HZ)
        self.addCleanup(self.carrier.close)
        self.contact(self.carrier.ip, self.carrier.port)

    def contact(self, ip, port):
        uri = "sip:%s:%s" % (ip, port)
        self.cluster.must("trunk", "set", "carrier", "--contact", uri, "--outbound", "yes")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/trunks/carrier").json["contact"] == uri, 10, "%s knows the carrier" % n.name)

    def talk(self, call, there):
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)


class ByAddress(Outside):
    def told(self, *calls):
        self.assertEqual([len(c.reinvites) for c in calls], [0] * len(calls))

    def rings_on(self, call):
        """The same INVITE once more: the carrier takes it for a repetition."""
        self.assertEqual(len(self.carrier.incoming), 1)
        return call

    def dialling(self, on_invite="ring"):
        self.carrier.on_invite = on_invite
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite(ACCESS)
        there = self.carrier.wait_call()
        self.call_of(caller, phase="dialling" if on_invite == "ring" else "talking", owner=self.victim.name, out_trunk="carrier",
                     out_caller=ACCESS)
        return caller, call, there

    def ends(self, caller, call, there):
        there.hangup()
        call.wait_ended()
        self.record(caller, direction="inbound", trunk="demo", called=ACCESS, answered_by=NUMBER, agent="", ended_by="callee",
                    cause="normal")

    def test_killed_while_dialling(self):
        caller, call, there = self.dialling()
        call.wait_status(180)
        self.kill_and_see(caller)
        there = self.rings_on(there)
        there.answer()
        call.wait_answered()
        self.talk(call, there)
        self.ends(caller, call, there)

    def test_killed_while_talking(self):
        caller, call, there = self.dialling("answer")
        call.wait_answered()
        self.talk(call, there)
        self.kill_and_see(caller)
        self.talk(call, there)
        self.told(call, there)
        self.ends(caller, call, there)


class ByReinvite(ByAddress):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.must("trunk", "set", "carrier", "--takeover", "reinvite")
        cls.cluster.must("trunk", "set", "demo", "--takeover", "reinvite")

    def told(self, *calls):
        for c in calls:
            c.wait_reinvite()

    def rings_on(self, call):
        call.wait_ended()
        return self.carrier.wait_call(2)


    def test_carrier_wants_a_password(self):
        """The INVITE is challenged, after the death the re-INVITE of another node, and its BYE: whoever has the call knows the password."""
        must = self.cluster.must
        must("secret", "set", "carrier-key", "--value-stdin", stdin="pass word\n")
        must("trunk", "set", "carrier", "--username", "ever", "--secret", "carrier-key")
        self.addCleanup(must, "trunk", "set", "carrier", "--username", "", "--secret", "")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/trunks/carrier").json["secret"], 10, "%s has it" % n.name)
        self.carrier.demands = ("ever", "pass word")
        caller, call, there = self.dialling("answer")
        call.wait_answered()
        self.talk(call, there)
        self.assertEqual((self.carrier.proven, self.carrier.refused), (["INVITE"], 1))
        self.kill_and_see(caller)
        self.told(call, there)
        self.talk(call, there)
        call.hangup()
        there.wait_ended()
        self.assertEqual(self.carrier.proven, ["INVITE", "INVITE", "BYE"])
        self.record(caller, direction="inbound", trunk="demo", answered_by=NUMBER, ended_by="caller", cause="normal")
        for n in (self.a, self.b):
            self.assertNotIn("pass word", n.log_text())


class FromQueue(Outside):
    """A queue's action leads outside, and the node dies while it is dialled."""

    def leads(self, **rules):
        names = ["--%s" % k.replace("_", "-") for k in rules]
        self.cluster.must("queue", "set", "service", *(x for pair in zip(names, rules.values()) for x in pair))
        self.addCleanup(self.cluster.must, "queue", "set", "service", "--max-wait", "0", "--max-wait-action", "", "--max-waiting", "0",
                        "--full-action", "")
        for n in self.cluster:
            wait_for(lambda: str(n.api("GET", "/v1/queues/service").json).count(NUMBER) == 1, 10, "%s has the action" % n.name)
        self.carrier.on_invite = "ring"

    def dialled(self, caller):
        there = self.carrier.wait_call()
        self.assertIn("sip:%s@" % NUMBER, there.request.first)
        self.call_of(caller, phase="dialling", owner=self.victim.name, out_trunk="carrier")
        self.kill_and_see(caller)
        self.call_of(caller, phase="dialling", out_trunk="carrier")
        self.assertEqual(len(self.carrier.incoming), 1)  # the same INVITE once more
        return there

    def test_longest_wait(self):
        """In vain: he waits as before, on his wait clock, and is not led there again."""
        self.leads(max_wait="1", max_wait_action="outside:" + NUMBER)
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003").wait_answered()
        before = self.call_of(caller)
        there = self.dialled(caller)
        there.refuse(486)
        after = self.call_of(caller, phase="waiting", queue="service")
        self.assertEqual(after["queued_at"], before["queued_at"])
        self.music(call)
        self.assertEqual(len(self.carrier.incoming), 1)
        call.hangup()
        self.record(caller, queue="service", ended_by="caller", answered_by="")

    def test_full(self):
        self.leads(max_waiting="1", full_action="outside:" + NUMBER)
        first = self.caller(self.a)
        waits = first.invite("10003").wait_answered()
        self.call_of(first, phase="waiting")
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003")
        there = self.dialled(caller)
        there.answer()
        call.wait_answered()
        self.talk(call, there)
        self.call_of(first, phase="waiting", position=1)
        there.hangup()
        call.wait_ended()
        self.record(caller, answered_by=NUMBER, agent="", ended_by="callee", cause="normal")
        waits.hangup()


class WhatComesOfIt(Outside):
    """Nobody dies."""

    def one(self, caller, **match):
        (row,) = wait_for(lambda: self.a.api("GET", "/v1/cdrs?caller=" + caller).json["items"], 10, "record of %s" % caller)
        for k, v in match.items():
            self.assertEqual(row[k], v, row)

    def test_a_telephone_dials_out(self):
        """No internal number is shown outside; the trunk's is, when it has one."""
        phone = self.extension("8001", self.b, tone=CALLER_HZ)
        for shown in ("anonymous", "+861085550000"):
            call = phone.invite("913800138000")
            call.wait_answered()
            there = self.carrier.incoming[-1]
            self.assertIn("sip:13800138000@%s:%d" % (self.carrier.ip, self.carrier.port), there.request.first)
            self.assertRegex(there.request.get("from"), r'^"?[^"]*"?\s*<sip:%s@' % shown.replace("+", r"\+"))
            self.assertNotIn("8001", there.request.get("from"))
            self.talk(call, there)
            call.hangup()
            there.wait_ended()
            self.cluster.must("trunk", "set", "carrier", "--caller-id", "+861085550000")
            for n in self.cluster:
                wait_for(lambda: n.api("GET", "/v1/trunks/carrier").json["caller_id"], 10, "%s has it" % n.name)
        self.addCleanup(self.cluster.must, "trunk", "set", "carrier", "--caller-id", "")
        rows = wait_for(lambda: (lambda r: r if len(r) == 2 else None)(self.a.api("GET", "/v1/cdrs?caller=8001").json["items"]), 10, "two records")
        for r in rows:
            self.assertEqual((r["direction"], r["trunk"], r["answered_by"]), ("outbound", "carrier", "13800138000"))

    def test_from_a_menu(self):
        """Nobody answers in time, another one is busy, and so is the third: the menu says what comes when."""
        flow = {"languages": ["en"], "start": "first", "nodes": {
            "first": {"type": "outside", "number": "1001", "ring_time_s": 1, "on_fail": "second"},
            "second": {"type": "outside", "number": "1002", "on_fail": "third"},
            "third": {"type": "outside", "number": "${caller}", "trunk": "carrier", "caller_id": "95588", "on_fail": "end"},
            "end": {"type": "hangup"}}}
        with open(self.cluster.path("outside.json"), "w") as f:
            json.dump(flow, f)
        self.cluster.must("flow", "set", "outside", "-f", self.cluster.path("outside.json"))
        self.cluster.must("access-number", "set", "4008001235", "--flow", "outside")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/access-numbers/4008001235").status == 200, 10, "%s has the number" % n.name)
        self.carrier.on_invite = "ring"
        caller = self.caller(tone=CALLER_HZ)
        call = caller.invite("4008001235")
        call.wait_answered()
        first = self.carrier.wait_call(1)
        self.carrier.on_invite = "busy"
        first.wait_ended()
        self.assertIn("CANCEL", first.history)
        self.carrier.wait_call(2).wait_ended()
        third = self.carrier.wait_call(3)
        self.assertIn("sip:1002@", self.carrier.incoming[1].request.first)
        self.assertIn("sip:%s@" % caller.user, third.request.first)
        self.assertIn("<sip:95588@", third.request.get("from"))
        call.wait_ended()
        self.one(caller.user, direction="inbound", trunk="demo", flow="outside")

    def test_sipp_is_the_carrier(self):
        sipp = Sipp(self.cluster, "uas", self.a.ip)
        self.addCleanup(sipp.end)
        self.contact(sipp.ip, sipp.port)
        phone = self.extension("8003", self.b)
        call = phone.invite("913800138003")
        call.wait_answered()
        call.hangup()
        sipp.must()
        self.one("8003", direction="outbound", trunk="carrier", answered_by="13800138003", cause="normal", ended_by="caller")

    def test_refused(self):
        phone = self.extension("8002", self.b)
        self.carrier.on_invite = "busy"
        call = phone.invite("913800138001")
        call.wait_status(486)
        self.one("8002", direction="outbound", trunk="carrier", cause="busy", sip_status=486)
        self.cluster.must("blacklist", "add", "1380013800*", "--direction", "out")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/blacklist/13800138002/test?direction=out").json["listed"], 10, "%s has the entry" % n.name)
        phone.invite("913800138002").wait_status(603)
        self.cluster.must("blacklist", "remove", "1380013800*")
        self.cluster.must("trunk", "set", "carrier", "--outbound", "no")
        for n in self.cluster:
            wait_for(lambda: not n.api("GET", "/v1/trunks/carrier").json["outbound"], 10, "%s has it" % n.name)
        phone.invite("913800138002").wait_status(404)
        self.assertEqual(len(self.carrier.incoming), 1)


if __name__ == "__main__":
    unittest.main()
