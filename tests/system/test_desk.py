"""What agents have of a call and leave behind it: what is known of its caller, and what he thinks of them. Nodes die in the middle."""
import test_takeover
from callcase import AGENT_HZ, CALLER_HZ, wait_prompt
from everline import Events, wait_for
from test_transfer import THIRD, THIRD_HZ, Parties

ASKS = {"name": "asks", "languages": ["en", "zh"], "start": "who", "nodes": {
    "who": {"type": "set", "set": {"customer": "C-20931", "order": "4711"}, "next": "pin"},
    "pin": {"type": "collect", "variable": "pin", "secret": True, "min": 4, "max": 4, "prompts": ["main_menu"], "timeout_s": 20, "next": "on"},
    "on": {"type": "queue", "queue": "service"}}}


# of a caller whom an agent has sent back into a menu: it knows what the agent has noted
KNOWS = {"name": "knows", "languages": ["en", "zh"], "start": "is", "nodes": {
    "is": {"type": "branch", "cases": [{"if": "data.tariff == 'gold' and data.customer == 'C-20931'", "next": "gold"}], "else": "no"},
    "gold": {"type": "hangup", "prompts": ["rating_thanks"]},
    "no": {"type": "hangup"}}}


class Desk(Parties, test_takeover.Takeover):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.apply({"flows": [ASKS, KNOWS], "access_numbers": [{"number": "10020", "flow": "asks"}]})

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
        self.cluster.must("parameter", "set", "user_to_user", "on")
        self.addCleanup(self.cluster.must, "parameter", "delete", "user_to_user")
        self.cluster.must("call", "transfer", call_id, "--extension", THIRD)
        there.wait_ended()
        got = third.wait_call()
        said, _, how = got.request.get("user-to-user").partition(";")
        self.assertEqual((bytes.fromhex(said)[:1], how), (b"\x04", "encoding=hex"))
        self.assertEqual(bytes.fromhex(said)[1:].decode(), "call_id=%s&customer=C-20931&tariff=gold" % call_id)
        self.hears(got, CALLER_HZ)
        self.hears(call, THIRD_HZ)
        at = call.rtp.mark()
        self.cluster.must("call", "transfer", call_id, "--flow", "knows")
        got.wait_ended()
        wait_prompt(call.rtp, "en", "rating_thanks", after=at)
        call.wait_ended()
        r = self.record(caller, transfers=2)
        self.assertEqual({k: r[k] for k in known}, known)
        rows = self.cluster.must("cdr", "list", "--customer", "C-20931", "-o", "json").json
        self.assertEqual([x["call_id"] for x in rows], [call_id])
        self.assertNotIn("1234", str(r["data"]) + str(r["variables"]))

    def rated(self):
        """A caller of queue `rated` and an agent who talk over the victim."""
        agent, caller = self.agent_phone(tone=AGENT_HZ), self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10005").wait_answered()
        there = self.rung(agent)
        there.wait_answered()
        self.hears(call, AGENT_HZ)
        return caller, call, agent, there

    def test_rating(self):
        """The agent hangs up and is free; his node dies while the caller is asked; the one who carries on gets the answer."""
        caller, call, _, there = self.rated()
        at = call.rtp.mark()
        there.hangup()
        self.idle("1001")
        wait_prompt(call.rtp, "zh", "rating_ask", after=at)
        self.assertIsNotNone(self.call_of(caller, phase="menu", flow="rate")["parted_at"])
        self.kill_and_see(caller)
        with Events(self.a) as events:
            call.rtp.send_digits("4")
            e = events.wait("everline.call.rated")["data"]
        self.assertEqual((e["rating"], e["rated_agent"], e["rated_queue"]), (4, "1001", "rated"))
        wait_prompt(call.rtp, "zh", "rating_thanks", after=at)
        call.wait_ended()
        self.one_source(call)
        r = self.record(caller, rating=4, rated_agent="1001", rated_queue="rated", agent="1001", ended_by="agent", transfers=0)
        self.assertLess(r["talk_ms"], r["duration_ms"])
        rows = self.cluster.must("rating", "list", "--agent", "1001", "--queue", "rated", "-o", "json").json
        self.assertEqual([(x["count"], x["average"]) for x in rows], [(1, 4.0)])

    def test_no_rating(self):
        """By request of an operator the agent hangs up; the caller does so too. On demand: a transfer to the flow."""
        caller, call, agent, there = self.rated()
        call_id = self.call_of(caller)["call_id"]
        self.assertEqual(self.a.api("POST", "/v1/calls/%s:hangup" % call_id, {"leg": "1002"}).status, 404)
        self.cluster.must("call", "hangup", call_id, "--leg", "1001")
        there.wait_ended()
        self.call_of(caller, phase="menu", flow="rate")
        call.hangup()
        row = self.of_caller(caller)
        self.assertEqual((row["rating"], row["rated_agent"], row["agent"], row["ended_by"]), (None, "", "1001", "agent"))
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003").wait_answered()
        there = self.rung(agent, 2)
        there.wait_answered()
        self.hears(call, AGENT_HZ)
        self.cluster.must("call", "transfer", self.call_of(caller)["call_id"], "--flow", "rate")
        there.wait_ended()
        self.call_of(caller, phase="menu", flow="rate")
        call.rtp.send_digits("1")
        call.wait_ended()
        row = self.of_caller(caller)
        self.assertEqual((row["rating"], row["rated_agent"], row["rated_queue"], row["ended_by"]), (1, "1001", "service", "system"))

    def of_caller(self, caller):
        """Its one record."""
        return wait_for(lambda: self.a.api("GET", "/v1/cdrs?caller=" + caller.user).json["items"], 10, "a record")[0]
