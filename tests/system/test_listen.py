"""Supervisors in calls: who hears whom while somebody listens, whispers, barges in and takes over, told by the tones that all of them send; by
ccctl, by keys and codes of the telephone, and while the node that carries the call dies."""
import test_takeover
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import wait_for
from test_consult import Room
from test_transfer import THIRD, THIRD_HZ

SUPERVISOR = {"agents": [{"number": "1020", "extension": THIRD, "type": "supervisor", "manages_queues": ["service"]}]}


class Supervising(Room):
    def supervised(self, call, agent, there, how):
        """Who hears the supervisor; both talk with each other all the time, and she hears both."""
        self.hears_all(there, CALLER_HZ, AGENT_HZ)
        self.hears_all(agent, CALLER_HZ, *([THIRD_HZ] if how in ("whisper", "barge") else []))
        self.hears_all(call, AGENT_HZ, *([THIRD_HZ] if how == "barge" else []))
        if how != "barge":
            self.hears_not(call, THIRD_HZ)
        if how == "listen":
            self.hears_not(agent, THIRD_HZ)

    def taken(self, call, agent, there):
        agent.wait_ended()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        self.hears_not(call, AGENT_HZ)


class Listen(Supervising, CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.apply(SUPERVISOR)

    def test_listen_whisper_barge_take_over(self):
        """By ccctl, then by keys; neither the agent nor the customer is told anything, nor hears the keys."""
        call, agent = self.talking()
        call_id = self.live(call.phone.user)["call_id"]
        asked = [len(c.phone.requests) for c in (call, agent)]
        phone = self.third()
        self.cluster.must("call", "listen", call_id, "--agent", "1020")
        there = phone.wait_call()
        self.supervised(call, agent, there, "listen")
        self.cluster.must("call", "whisper", call_id, "--agent", "1020")
        self.supervised(call, agent, there, "whisper")
        there.rtp.send_digits("6")
        self.supervised(call, agent, there, "barge")
        there.rtp.send_digits("4")
        self.supervised(call, agent, there, "listen")
        self.assertEqual([len(c.phone.requests) for c in (call, agent)], asked)
        self.assertEqual([len({p.ssrc for p in c.rtp.heard}) for c in (call, agent)], [1, 1])
        there.rtp.send_digits("7")
        self.taken(call, agent, there)
        there.hangup()
        call.wait_ended()
        done = self.cluster.must("audit", "list", "--object", "call/" + call_id, "-o", "json").json
        self.assertEqual([(a["actor"], a["action"]) for a in done],
                         [("agent:1020", "call.take_over"), ("agent:1020", "call.listen"), ("agent:1020", "call.barge"),
                          ("token:admin", "call.whisper"), ("token:admin", "call.listen")])

    def test_by_codes(self):
        """*91 and the agent; she hangs up, and the two go on; not of an agent whom she does not manage."""
        call, agent = self.talking()
        phone = self.third()
        there = phone.invite("*91" + self.agent_number).wait_answered()
        self.supervised(call, agent, there, "whisper")
        there.hangup()
        self.hear_each_other(call, agent)
        self.cluster.apply({"agents": [dict(SUPERVISOR["agents"][0], manages_queues=[], manages_groups=["none"])]})
        wait_for(lambda: self.a.api("GET", "/v1/agents/1020").json["manages_queues"] == [], 5, "she manages nothing")
        denied = phone.invite("*93" + self.agent_number).wait_answered()
        denied.wait_ended()  # after she has been told
        self.hear_each_other(call, agent)
        self.cluster.apply(SUPERVISOR)
        call.hangup()
        agent.wait_ended()


class NodesDie(Supervising, test_takeover.Takeover):
    def test_owner_dies_in_each_way(self):
        """While she listens; at the next owner she whispers, barges in, and takes over."""
        self.cluster.apply(SUPERVISOR)
        caller, call, _, agent = self.connected()
        phone = self.third()
        call_id = self.call_of(caller)["call_id"]
        self.do(call_id, "listen", {"agent": "1020"})
        there = phone.wait_call()
        self.supervised(call, agent, there, "listen")
        after = self.kill_and_see(caller)
        self.assertEqual([p["mode"] for p in after["parties"]], ["listen"])
        self.supervised(call, agent, there, "listen")
        self.one_source(call)
        self.do(call_id, "whisper", {"agent": "1020"})
        self.supervised(call, agent, there, "whisper")
        self.do(call_id, "barge", {"agent": "1020"})
        self.supervised(call, agent, there, "barge")
        self.do(call_id, "take-over", {"agent": "1020"})
        self.taken(call, agent, there)
        call.hangup()
        there.wait_ended()
