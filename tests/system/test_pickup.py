"""Pick-up (抢接): a telephone dials *8, presses the key of a lamp (INVITE with Replaces), or is rung by request, and answers what rings at a
colleague's, also when another node owns that, and through its death; and talks that a telephone takes over."""
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import wait_for
from test_watch import Subscription, dialogs

COLLEAGUE_HZ = 1500
MERGE = {"Content-Type": "application/merge-patch+json"}


class Pickup(CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for agent in ("1001", "1002", "1003", "1004"):
            r = cls.a.api("PATCH", "/v1/agents/" + agent, {"group": "desk"}, headers=MERGE)
            if r.status != 200:
                raise AssertionError(r)
        for n in cls.cluster:
            wait_for(lambda: n.api("GET", "/v1/agents/1004").json["group"] == "desk", 10, "%s has the group" % n.name)

    def picked(self, caller, rung, by, code):
        """Returns the calls of caller and colleague, who hear each other; who was rung is called off."""
        count = len(rung.incoming)
        call = caller.invite(rung.user).wait_status(180)
        other = rung.wait_call(count + 1)
        mine = by.invite(code).wait_answered()
        call.wait_answered()
        self.assertEqual(other.wait_ended().reason, "CANCEL")
        self.hear(call, mine)
        return call, mine

    def hear(self, call, mine):
        marks = call.rtp.mark(), mine.rtp.mark()
        call.rtp.wait_tone(COLLEAGUE_HZ, after=marks[0])
        mine.rtp.wait_tone(CALLER_HZ, after=marks[1])

    def test_of_the_group_and_of_a_telephone(self):
        rung = self.extension("8001", self.b, on_invite="ring", tone=AGENT_HZ)
        by = self.extension("8002", self.a, tone=COLLEAGUE_HZ)
        caller = self.extension("8003", self.a, tone=CALLER_HZ)
        call, mine = self.picked(caller, rung, by, "*8")
        call.hangup()
        mine.wait_ended()
        call, mine = self.picked(caller, rung, by, "*88001")
        mine.hangup()
        call.wait_ended()
        r = by.invite("*8").wait_answered()
        r.wait_ended(20)  # nothing rings: it is told so
        actions = [x["action"] for x in self.a.api("GET", "/v1/audit?actor=phone:8002").json["items"]]
        self.assertEqual(actions[:3], ["call.pickup"] * 3)

    def test_at_another_node_which_dies(self):
        self.victim = self.c
        self.addCleanup(lambda: self.c.alive() or self.c.restart())
        rung = self.extension("8001", self.b, on_invite="ring", tone=AGENT_HZ)
        by = self.extension("8002", self.b, tone=COLLEAGUE_HZ)
        caller = self.extension("8004", self.c, tone=CALLER_HZ)
        call, mine = self.picked(caller, rung, by, "*8")
        self.c.kill9()
        wait_for(lambda: self.live("8004") and self.live("8004")["owner"] != self.c.name, 15, "another node has it")
        self.hear(call, mine)
        call.hangup()
        mine.wait_ended()

    def test_by_the_key_of_a_lamp(self):
        """The notification names what rings; INVITE with Replaces answers it, at another node than its owner's, which then dies. So does one for a
        talk, at the owner that has carried it on."""
        self.addCleanup(lambda: self.c.alive() or self.c.restart())
        rung = self.extension("8001", self.b, on_invite="ring", tone=AGENT_HZ)
        by = self.extension("8002", self.b, tone=COLLEAGUE_HZ)
        caller = self.caller(self.c, tone=CALLER_HZ)
        lamp = Subscription(by, "dialog", "8001")
        self.assertEqual(lamp.send(600).status, 200)
        self.addCleanup(lamp.send, 0)
        self.cluster.apply({"access_numbers": [{"number": "10021", "queue": "service", "quiet": True}]})
        wait_for(lambda: self.a.api("GET", "/v1/access-numbers/10021").status == 200, 10, "the number")
        self.ready("1001")
        call = caller.invite("10021").wait_answered()
        rings = rung.wait_call()
        (d,) = dialogs(lamp.wait(lambda m: [x[0] for x in dialogs(m)] == ["early"]))
        names = "%s;to-tag=%s;from-tag=%s;early-only" % (d[4], d[6], d[5])
        self.assertEqual(self.refused(by, "%s;to-tag=%s;from-tag=%s" % (d[4], d[6], d[6])), 481)
        self.assertEqual(self.refused(self.extension("8005", self.b), names), 403)
        mine = by.invite("8001", extra=[("replaces", names), ("require", "replaces")]).wait_answered()
        self.assertEqual(rings.wait_ended().reason, "CANCEL")
        self.hear(call, mine)
        self.assertEqual(self.live(caller.user)["owner"], self.c.name)
        self.c.kill9()
        wait_for(lambda: self.live(caller.user)["owner"] != self.c.name, 15, "another node has it")
        self.hear(call, mine)
        self.assertEqual(self.refused(by, names), 481)  # it rings no more
        # He goes on at another telephone of the same number; a stranger may not.
        talk = "%s;to-tag=%s;from-tag=%s" % (mine.call_id, mine.remote_tag, mine.local_tag)
        self.assertEqual(self.refused(rung, talk), 403)
        self.assertEqual(self.refused(by, talk + ";early-only"), 486)
        other = self.extension("8002", self.a, register=False, tone=AGENT_HZ)
        there = other.invite("8002", extra=[("replaces", talk)]).wait_answered()
        mine.wait_ended()
        call.rtp.wait_tone(AGENT_HZ, after=call.rtp.mark())
        there.rtp.wait_tone(CALLER_HZ, after=there.rtp.mark())
        call.hangup()
        there.wait_ended()
        actions = [x["action"] for x in self.a.api("GET", "/v1/audit?actor=phone:8002").json["items"]]
        self.assertTrue({"call.pickup", "call.replace"} <= set(actions), actions)

    @staticmethod
    def refused(phone, replaces):
        call = phone.invite("8001", extra=[("replaces", replaces)]).wait_ended()
        return call.status

    def test_by_request(self):
        """The agent's own telephone rings as well, and answers first."""
        rung = self.extension("8003", self.b, on_invite="ring", tone=AGENT_HZ)
        by = self.extension("8004", self.a, tone=COLLEAGUE_HZ, on_invite="ring")
        caller = self.extension("8006", self.c, tone=CALLER_HZ)
        self.cluster.must("agent", "login", "1004")
        self.addCleanup(self.cluster.must, "agent", "logout", "1004")
        call = caller.invite("8003").wait_status(180)
        rings = rung.wait_call()
        call_id = self.live("8006")["call_id"]
        self.cluster.must("call", "pickup", call_id, "1004")
        mine = by.wait_call()
        r = self.a.api("POST", "/v1/calls/%s:pickup" % call_id, {"agent": "1004"})
        self.assertEqual((r.status, r.json["field"]), (409, "agent"), r)  # he is rung
        mine.answer()
        call.wait_answered()
        self.assertEqual(rings.wait_ended().reason, "CANCEL")
        self.hear(call, mine)
        self.assertEqual(self.live("8006")["agent"], "1004")
        call.hangup()
        mine.wait_ended()
        rows = self.a.api("GET", "/v1/audit?action=call.pickup").json["items"]
        self.assertTrue([x for x in rows if x["actor"].startswith("token:") and x["object"] == "call/" + call_id], rows)
