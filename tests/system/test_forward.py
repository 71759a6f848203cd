"""Forwarding (转移设置): by codes and by request, to telephones of two kinds, outside and to a menu, and while the node dies at which the first
telephone is being rung. Who hears whom is told by tones."""
from callcase import AGENT_HZ, CALLER_HZ, wait_prompt
from everline import Baresip, wait_for
from sip_phone import SipPhone
from test_takeover import Takeover

HIS, ACCESS, MOBILE = "10051", "4008001234", "13900000009"
BARESIP_HZ, OTHER_HZ = 600, 1500


class Forward(Takeover):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.must("parameter", "set", "outside_prefix", "9")
        cls.cluster.must("access-number", "set", HIS, "--agent", "1001")
        cls.carrier = SipPhone(cls.cluster.network.client(), "carrier", cls.a.ip, tone=OTHER_HZ)
        cls.addClassCleanup(cls.carrier.close)
        cls.cluster.must("trunk", "set", "carrier", "--contact", "sip:%s:%d" % (cls.carrier.ip, cls.carrier.port), "--outbound", "yes",
                         "--caller-id", ACCESS, "--diversion", "both")
        for n in cls.cluster:
            wait_for(lambda: n.api("GET", "/v1/trunks/carrier").json.get("diversion") == "both", 10, "%s knows the carrier" % n.name)

    def code(self, phone, number, prompt):
        call = phone.invite(number).wait_answered()
        wait_prompt(call.rtp, "zh", prompt)
        call.wait_ended()

    def rules(self, *names):
        """On every node."""
        for n in self.cluster:
            wait_for(lambda: sorted(r["name"] for r in n.api("GET", "/v1/forwards").json["items"]) == list(names), 10,
                     "%s has the rules %s" % (n.name, names))

    def forwarded(self, row):
        return [(s["number"], s["agent"], s["why"], s["forwarded_to"]["type"], s["forwarded_to"]["target"])
                for s in row["segments"] if s["ended"] == "forwarded"]

    def rows(self, caller):
        return wait_for(lambda: self.a.api("GET", "/v1/cdrs?caller=" + caller.user).json["items"], 10, "a record of %s" % caller.user)

    def test_by_codes(self):
        his = self.agent_phone(tone=AGENT_HZ)
        other = Baresip(self.cluster, "8002", self.a.ip, self.passwords["8002"])
        self.addCleanup(other.end)
        self.known("8002", self.a)
        # He refuses: the other one talks.
        self.code(his, "*40*8002%23", "forward_on")
        self.rules("agent-1001-busy")
        his.on_invite = "busy"
        caller = self.caller(tone=CALLER_HZ)
        call = caller.invite(HIS).wait_answered()
        his.wait_call()
        self.hears(call, BARESIP_HZ)
        other.wait("CALL_ESTABLISHED")
        call.hangup()
        other.wait("CALL_CLOSED")
        (row,) = self.rows(caller)
        self.assertEqual(self.forwarded(row), [("8001", "1001", "busy", "extension", "8002")])
        self.assertEqual(row["answered_by"], "8002")
        self.cluster.must("agent", "forward-off", "1001", "--when", "busy")
        # Outside, by his way; the carrier is told for whom it was.
        self.code(his, "*579" + MOBILE, "forward_on")
        self.rules("agent-1001-always")
        caller = self.caller(tone=CALLER_HZ)
        call = caller.invite(HIS).wait_answered()
        there = self.carrier.wait_call()
        self.hears(call, OTHER_HZ)
        self.hears(there, CALLER_HZ)
        told = there.request
        self.assertIn("sip:%s@" % ACCESS, told.get("from"))
        self.assertRegex(told.get("diversion"), r"^<sip:%s@[0-9.]+:%d>;reason=unconditional;counter=1$" % (ACCESS, self.carrier.port))
        self.assertRegex(told.get("history-info"), r"^<sip:%s@.*>;index=1,<sip:%s@.*;cause=302>;index=1\.1;mp=1$" % (ACCESS, MOBILE))
        live = self.call_of(caller)
        self.assertEqual([(f["agent"], f["why"]) for f in live["forwards"]], [("1001", "always")])
        self.assertIn("to outside %s" % MOBILE, self.cluster.must("queue", "explain", live["call_id"]).out)
        self.assertEqual(len(his.incoming), 1)
        call.hangup()
        there.wait_ended()
        # And not any more: he himself.
        self.code(his, "*57", "forward_off")
        self.rules()
        his.on_invite = "answer"
        call = self.caller(tone=CALLER_HZ).invite(HIS).wait_answered()
        there = his.wait_call(2)
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        call.hangup()
        there.wait_ended()
        # To a menu: who was never answered is, by what follows from the rule.
        self.cluster.must("agent", "forward", "1001", "--when", "no_answer", "--after", "1", "--to", "flow:welcome")
        self.rules("agent-1001-no_answer")
        his.on_invite = "ring"
        caller = self.caller()
        call = caller.invite(HIS).wait_answered()
        self.music(call)
        self.call_of(caller, phase="menu", flow="welcome")
        self.assertEqual(his.wait_call(3).wait_ended().reason, "CANCEL")
        call.hangup()
        self.cluster.must("agent", "forward-off", "1001", "--when", "no_answer")
        audit = self.a.api("GET", "/v1/audit?object=forward/agent-1001-always").json["items"]
        self.assertEqual([(x["action"], x["actor"]) for x in audit],
                         [("config.removed", "phone:8001"), ("config.created", "phone:8001")])

    def test_node_dies_while_the_first_rings(self):
        his = self.agent_phone(on_invite="ring")
        other = self.extension("8003", self.a, tone=AGENT_HZ)
        self.cluster.must("agent", "forward", "1001", "--when", "no_answer", "--after", "4", "--to", "extension:8003")
        self.addCleanup(self.cluster.must, "agent", "forward-off", "1001", "--when", "no_answer")
        self.rules("agent-1001-no_answer")
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite(HIS)
        call.wait_status(180)
        first = his.wait_call()
        self.call_of(caller, phase="dialling", owner=self.victim.name)
        self.kill_and_see(caller)
        second = other.wait_call(deadline=30)
        call.wait_answered()
        self.assertEqual(first.wait_ended().reason, "CANCEL")
        self.hears(call, AGENT_HZ)
        self.hears(second, CALLER_HZ)
        self.assertEqual((len(his.incoming), len(other.incoming)), (1, 1))
        call.hangup()
        second.wait_ended()
        row = self.record(caller, agent="", answered_by="8003", cause="normal")
        self.assertEqual(self.forwarded(row), [("8001", "1001", "no_answer", "extension", "8003")])
