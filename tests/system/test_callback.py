"""Call backs instead of waiting, and nodes that die at each step of one.

The customer is a telephone at the trunk's contact; each test owns its number."""
import itertools
import unittest

from callcase import AGENT_HZ, CALLER_HZ
from everline import wait_for
from sip_phone import SipPhone
from test_takeover import Takeover

RINGBACK_HZ = 450


class CallBack(Takeover):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.carrier_ip = cls.cluster.network.client()
        cls.cluster.must("queue", "set", "service", "--key", "2=callback", "--callback-interval", "1", "--callback-tries", "2",
                         "--callback-ring", "20")
        cls.customers = itertools.count(13800138001)

    def setUp(self):
        super().setUp()
        self.carrier = SipPhone(self.carrier_ip, "carrier", self.a.ip, tone=CALLER_HZ, on_invite="ring")
        self.addCleanup(self.carrier.close)
        uri = "sip:%s:%s" % (self.carrier.ip, self.carrier.port)
        self.cluster.must("trunk", "set", "carrier", "--contact", uri, "--outbound", "yes")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/trunks/carrier").json["contact"] == uri, 10, "%s knows the carrier" % n.name)
        self.number = str(next(self.customers))
        self.addCleanup(self.nobody)

    def nobody(self):
        """What a test that failed has left."""
        for r in self.a.api("GET", "/v1/callbacks").json["items"]:
            self.cluster.ccctl("callback", "cancel", r["callback_id"])

    def customer(self):
        p = SipPhone(self.cluster.network.client(), self.number, self.victim.ip)
        self.addCleanup(p.close)
        return p

    def waits(self):
        customer = self.customer()
        call = customer.invite("10003").wait_answered()
        self.call_of(customer, phase="waiting", owner=self.victim.name)
        return customer, call

    def row(self, **match):
        def found():
            rows = self.a.api("GET", "/v1/callbacks?number=" + self.number).json["items"]
            return next((r for r in rows if all(r[k] == v for k, v in match.items())), None)
        return wait_for(found, 15, "call back to %s with %s" % (self.number, match))

    def gone(self):
        wait_for(lambda: not self.a.api("GET", "/v1/callbacks?number=" + self.number).json["items"], 10, "nobody is to be called back")

    def carried_out(self, **match):
        """The call by which the customer is called."""
        def found():
            rows = self.a.api("GET", "/v1/calls?called=" + self.number).json["items"]
            return next((r for r in rows if all(r[k] == v for k, v in match.items())), None)
        return wait_for(found, 15, "call to %s with %s" % (self.number, match))

    def records(self, n, **match):
        """Of the tries: the same on both nodes that live, the latest first."""
        def all_there():
            rows = [x.api("GET", "/v1/cdrs?called=" + self.number).json["items"] for x in (self.a, self.b)]
            return rows[0] if len(rows[0]) == n and rows[0] == rows[1] else None
        rows = wait_for(all_there, 10, "%d records of tries" % n)
        for k, v in match.items():
            self.assertEqual(rows[0][k], v, rows[0])
        return rows

    def asks(self):
        """A caller who is to be called back at his number."""
        customer, call = self.waits()
        call.rtp.send_digits("2")
        self.call_of(customer, phase="app")
        call.rtp.send_digits("#")
        self.row(state="calling")
        call.hangup()
        self.row(state="waiting")
        return customer

    def agent_phone(self, **options):
        """Of an agent who comes in and is rung at once."""
        phone = self.extension("8001", self.b, **options)
        self.comes_in()
        return phone

    def comes_in(self):
        self.addCleanup(self.logout, "1001")
        self.cluster.must("agent", "login", "1001")

    def last(self, phone, n=1):
        """Who rings there and has not been called off: the nth that came, or a later one."""
        return wait_for(lambda: next((c for c in reversed(phone.incoming[n - 1:]) if not c.ended), None), 10, "it rings")

    def talk(self, agent, customer):
        self.hears(agent, CALLER_HZ)
        self.hears(customer, AGENT_HZ)

    def test_tries(self):
        """Nobody dies: what agent and customer see, a try in vain, and one that is answered."""
        self.asks()
        phone = self.agent_phone(tone=AGENT_HZ, on_invite="ring")
        there = self.rung(phone)
        self.assertRegex(there.request.get("from"), r'^"Call back %s, service" <sip:%s@' % (self.number, self.number))
        self.assertEqual(self.row()["state"], "calling")
        self.assertEqual(len(self.carrier.incoming), 0)
        there.answer()
        rings = self.carrier.wait_call()
        self.assertIn("sip:%s@" % self.number, rings.request.first)
        self.hears(there, RINGBACK_HZ)
        rings.refuse(486)
        there.wait_ended()
        self.row(tries=1, tried_cause="busy")
        again = self.rung(phone, 2).answer()
        rings = self.carrier.wait_call(2).answer()
        self.talk(again, rings)
        call = self.carried_out(phase="talking", agent="1001")
        self.assertEqual((call["caller"], call["we_call"], call["out_trunk"]), ("8001", True, "carrier"))
        again.reinvite("sendonly")
        wait_for(lambda: self.carried_out()["legs"][0]["held"], 5, "held")
        again.reinvite("sendrecv")
        self.talk(again, rings)
        rings.hangup()
        again.wait_ended()
        self.gone()
        first, second = reversed(self.records(2, direction="outbound", agent="1001", extension="8001", answered_by=self.number, queue="service",
                                              ended_by="callee", cause="normal"))
        self.assertEqual((first["cause"], first["agent"]), ("busy", "1001"))
        self.idle("1001")

    def test_waits_on_or_elsewhere(self):
        """Another number than his own; or he would rather wait; and whoever calls again stands where he stood."""
        first, call = self.waits()
        before = self.call_of(first)
        call.rtp.send_digits("2")
        self.call_of(first, phase="app")
        call.rtp.send_digits("*")
        after = self.call_of(first, phase="waiting")
        self.assertEqual(after["queued_at"], before["queued_at"])
        call.rtp.send_digits("2")
        self.call_of(first, phase="app")
        self.number = str(next(self.customers))
        call.rtp.send_digits(self.number + "#")
        row = self.row(call_id=before["call_id"])
        call.wait_ended(20)
        self.row(state="waiting")
        self.assertIn("A call back to %s waits" % self.number, self.cluster.must("queue", "explain", row["callback_id"]).out)
        self.assertRegex(self.cluster.must("queue", "status", "service").out, r"(?m)^ *1 .*%s +yes " % self.number)
        other = self.caller(self.a)
        waits = other.invite("10003").wait_answered()
        again, call = self.waits()
        wait_for(lambda: self.call_of(again)["position"] == 1, 5, "his place")
        self.assertEqual(self.row()["state"], "calling")
        call.hangup()
        self.row(state="waiting", queued_at=before["queued_at"])
        waits.hangup()
        self.cluster.must("callback", "cancel", row["callback_id"])
        self.gone()

    def test_owner_dies_after_the_key(self):
        """He is asked again; then the leader dies while the row waits, and the agent is rung by another node."""
        customer, call = self.waits()
        call.rtp.send_digits("2")
        self.call_of(customer, phase="app")
        self.kill_and_see(customer)
        self.call_of(customer, phase="app")
        call.rtp.wait_samples(8000, after=call.rtp.mark())
        call.rtp.send_digits("1")
        call.wait_ended(20)
        self.row(state="waiting", tries=0)
        self.come_back()
        phone = self.extension("8001", self.b, tone=AGENT_HZ)
        self.lead(self.victim)
        self.kill()
        self.row(state="waiting", tries=0)
        self.comes_in()
        there = self.rung(phone).wait_answered()
        rings = self.carrier.wait_call().answer()
        self.talk(there, rings)
        there.hangup()
        rings.wait_ended()
        self.gone()
        self.records(1, ended_by="agent", cause="normal")

    def test_owner_dies_while_the_agent_is_rung(self):
        self.asks()
        self.lead(self.victim)
        phone = self.agent_phone(tone=AGENT_HZ, on_invite="ring")
        there = self.rung(phone)
        self.carried_out(owner=self.victim.name, phase="offered")
        self.kill()
        there.wait_ended(15)  # called off, then rung anew
        self.carried_out(epoch=2, phase="offered")
        there = self.last(phone, 2).answer()
        rings = self.carrier.wait_call().answer()
        self.talk(there, rings)
        self.assertEqual((len(phone.incoming), len(self.carrier.incoming)), (2, 1))
        rings.hangup()
        self.gone()
        self.records(1, taken_over=1, ended_by="callee")
        self.idle("1001")

    def test_owner_dies_while_the_customer_is_called(self):
        self.asks()
        self.lead(self.victim)
        phone = self.agent_phone(tone=AGENT_HZ)
        there = self.rung(phone).wait_answered()
        self.carrier.wait_call()
        self.carried_out(owner=self.victim.name, phase="dialling", agent="1001")
        self.kill()
        self.carried_out(epoch=2, phase="dialling")
        self.hears(there, RINGBACK_HZ)
        rings = self.last(self.carrier).answer()
        self.talk(there, rings)
        self.one_source(there)
        there.hangup()
        rings.wait_ended()
        self.gone()
        self.records(1, taken_over=1, ended_by="agent")
        self.idle("1001")

    def test_owner_dies_before_the_others_are_called_off(self):
        """Ring all: one agent answers, the customer is called, and the owner dies before the other agent's telephone hears of it."""
        self.cluster.must("queue", "set", "service", "--strategy", "ring_all")
        self.addCleanup(self.cluster.must, "queue", "set", "service", "--strategy", "longest_idle")
        self.asks()
        self.lead(self.victim)
        phones = [self.extension("800%d" % i, self.b, tone=AGENT_HZ, on_invite="ring") for i in (1, 2)]
        for a in ("1001", "1002"):
            self.addCleanup(self.logout, a)
            self.cluster.must("agent", "login", a)
        answers, other = (self.rung(p) for p in phones)
        phones[1].loses_cancels = True
        answers.answer()
        self.carrier.wait_call()
        self.carried_out(owner=self.victim.name, phase="dialling", agent="1001")
        self.kill()
        phones[1].loses_cancels = False
        self.carried_out(epoch=2, phase="dialling")
        other.wait_ended()
        self.assertEqual((other.by, other.answered), ("them", False))
        rings = self.last(self.carrier).answer()
        self.talk(answers, rings)
        self.idle("1002")
        answers.hangup()
        rings.wait_ended()
        self.gone()
        self.records(1, taken_over=1, agent="1001", ended_by="agent")
        self.idle("1001")

    def flow(self, **node):
        """Number 10040: key 1 asks for the call back, then the node says which way it went."""
        nodes = {"ask": {"type": "menu", "prompts": ["main_menu"], "keys": {"1": "note"}, "timeout_s": 60},
                 "note": {"type": "callback", "queue": "service", "next": "noted", "refused": "not", **node},
                 "noted": {"type": "menu", "prompts": ["callback_noted"], "keys": {"2": "ask"}, "timeout_s": 60},
                 "not": {"type": "menu", "prompts": ["callback_wrong"], "keys": {"2": "ask"}, "timeout_s": 60}}
        for path, body in (("flows/calls-back", {"definition": {"languages": ["en"], "start": "ask", "nodes": nodes}}),
                           ("access-numbers/10040", {"flow": "calls-back"})):
            self.assertIn(self.a.api("PUT", "/v1/" + path, body).status, (200, 201))
        wait_for(lambda: all(n.api("GET", "/v1/access-numbers/10040").status == 200 and
                             n.api("GET", "/v1/flows/calls-back").json["definition"]["nodes"] == nodes for n in self.cluster.alive()), 10,
                 "the flow is everywhere")

    def in_flow(self):
        customer = self.customer()
        call = customer.invite("10040").wait_answered()
        self.call_of(customer, phase="menu", flow_node="ask")
        call.rtp.send_digits("1")
        return customer, call

    def test_owner_dies_at_a_node_of_a_flow(self):
        """One row, whatever of the node has been committed; then one for a time of day; and a number that may not be called."""
        self.flow()
        customer, call = self.in_flow()
        self.row(state="calling")
        self.kill_and_see(customer)
        self.call_of(customer, phase="menu", flow_node="noted")
        self.assertEqual(len(self.a.api("GET", "/v1/callbacks").json["items"]), 1)
        call.hangup()
        row = self.row(state="waiting", tries=0, asked_by="caller")
        record = self.record(customer)
        self.assertEqual([(s["node"], s["by"]) for s in record["menu"]], [("ask", "1"), ("note", "accepted"), ("noted", "end")])
        self.cluster.must("callback", "cancel", row["callback_id"])
        self.gone()
        self.come_back()
        self.number = str(next(self.customers))
        self.cluster.must("time-group", "set", "anywhere", "--zone", "Asia/Shanghai")
        self.flow(number="+" + self.number, priority=7, at="0000", group="anywhere")
        self.assertIn("time_group anywhere is in use by flow calls-back", self.cluster.ccctl("time-group", "delete", "anywhere").err)
        customer, call = self.in_flow()
        self.call_of(customer, phase="menu", flow_node="noted")
        call.hangup()
        (row,) = wait_for(lambda: self.a.api("GET", "/v1/callbacks?state=scheduled").json["items"], 10, "a row for midnight there")
        self.assertEqual((row["number"], row["priority"], row["due_at"][10:19]), ("+" + self.number, 7, "T16:00:00"), row)
        self.cluster.must("callback", "cancel", row["callback_id"])
        self.cluster.must("blacklist", "add", "+" + self.number, "--direction", "out")
        self.addCleanup(self.cluster.ccctl, "blacklist", "remove", "+" + self.number)
        customer, call = self.in_flow()
        self.call_of(customer, phase="menu", flow_node="not")
        call.hangup()
        self.gone()

    def test_scheduled(self):
        """By ccctl, for a time; cancelled, or carried out then; the last try says so."""
        self.cluster.must("callback", "add", "service", self.number, "--at", "1h", "--note", "by mail")
        row = self.row(state="scheduled", note="by mail", asked_by="token:admin")
        r = self.cluster.ccctl("callback", "add", "service", "+86" + self.number)
        self.assertEqual(r.code, 4, r)
        self.assertIn(self.number, self.cluster.must("callback", "list", "--state", "scheduled").out)
        self.cluster.must("callback", "cancel", row["callback_id"])
        self.gone()
        self.carrier.on_invite = "busy"
        self.agent_phone(tone=AGENT_HZ)
        self.cluster.must("callback", "add", "service", self.number, "--at", "1s")
        self.records(2, cause="callback_failed")
        self.gone()


if __name__ == "__main__":
    unittest.main()
