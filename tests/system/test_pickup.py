"""Pick-up (抢接): a telephone dials *8 and answers what rings at a colleague's, also when another node owns that, and through its death."""
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import wait_for

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
