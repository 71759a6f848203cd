"""What agents have of a call and leave behind it: what is known of its caller. Nodes die in the middle."""
import test_takeover
from callcase import AGENT_HZ, CALLER_HZ
from everline import Events
from test_transfer import THIRD, THIRD_HZ, Parties

ASKS = {"name": "asks", "languages": ["en", "zh"], "start": "who", "nodes": {
    "who": {"type": "set", "set": {"customer": "C-20931", "order": "4711"}, "next": "pin"},
    "pin": {"type": "collect", "variable": "pin", "secret": True, "min": 4, "max": 4, "prompts": ["main_menu"], "timeout_s": 20, "next": "on"},
    "on": {"type": "queue", "queue": "service"}}}


class Desk(Parties, test_takeover.Takeover):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.apply({"flows": [ASKS], "access_numbers": [{"number": "10020", "flow": "asks"}]})

    def test_what_is_known_goes_along(self):
        """From a menu to the agent, through the death of the node and a transfer, into the record; the digits of a PIN never."""
        agent, third = self.agent_phone(tone=AGENT_HZ), self.third()
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10020").wait_answered()
        self.assertEqual(self.call_of(caller, phase="menu", customer="C-20931")["data"], {"order": "4711"})
        with Events(self.a) as events:
            call.rtp.send_digits("1234")
            there = self.rung(agent)
            e = events.wait("everline.call.offered")["data"]
        self.assertEqual((e["customer"], e["data"]), ("C-20931", {"order": "4711"}))
        there.wait_answered()
        self.hears(call, AGENT_HZ)
        call_id = self.call_of(caller, phase="talking")["call_id"]
        self.cluster.must("call", "set", call_id, "--notes", "rings again tomorrow", "--data", "tariff=gold", "--data", "order=")
        after = self.kill_and_see(caller)
        known = {"customer": "C-20931", "notes": "rings again tomorrow", "data": {"tariff": "gold"}}
        self.assertEqual({k: after[k] for k in known}, known)
        self.cluster.must("call", "transfer", call_id, "--extension", THIRD)
        there.wait_ended()
        got = third.wait_call()
        self.hears(got, CALLER_HZ)
        self.hears(call, THIRD_HZ)
        call.hangup()
        got.wait_ended()
        r = self.record(caller, transfers=1)
        self.assertEqual({k: r[k] for k in known}, known)
        rows = self.cluster.must("cdr", "list", "--customer", "C-20931", "-o", "json").json
        self.assertEqual([x["call_id"] for x in rows], [call_id])
        self.assertNotIn("1234", str(r["data"]) + str(r["variables"]))
