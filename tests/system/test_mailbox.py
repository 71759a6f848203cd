"""Voicemail of agents: messages for colleagues by dialling code and transfer, lamps of own and shared boxes, notes, calling back, who did what."""
from callcase import CallCase
from everline import elapse, wait_for
from test_watch import Subscription

VOICE_HZ, OTHER_HZ = 700, 1300


class Mailbox(CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.must("voicemail", "set", "team", "--greeting", "queue_no_agent", "--agent", "1002")
        for n in cls.cluster:
            wait_for(lambda: n.api("GET", "/v1/mailboxes/team").status == 200, 10, "%s has the box" % n.name)

    def messages(self, box, node=None):
        return (node or self.a).api("GET", "/v1/messages?box=" + box).json["items"]

    def message(self, box, count=1, node=None):
        return wait_for(lambda: len(self.messages(box, node)) == count and self.messages(box, node), 10, "%d messages in %s" % (count, box))[0]

    def leave(self, call):
        """A key ends the greeting; from the tone on he says something, and hangs up."""
        mark = call.rtp.mark()
        call.rtp.send_digits("1")
        call.rtp.wait_tone(1000, seconds=0.2, deadline=20, after=mark)
        elapse(1.5, "what he has to say")
        call.hangup()

    def test_for_a_colleague(self):
        mine = self.extension("8004", self.a, tone=VOICE_HZ)
        colleague = self.extension("8002", self.b, tone=OTHER_HZ)
        lamp = Subscription(colleague, "message-summary")
        self.assertEqual(lamp.send(600).status, 200)
        self.addCleanup(lamp.send, 0)
        lamp.wait(lambda m: "0/0" in m.body)
        self.leave(mine.invite("*978002").wait_answered())
        own = self.message("1002")
        self.assertEqual((own["caller"], own["called"], own["heard"], own["note"]), ("8004", "*978002", False, ""))
        lamp.wait(lambda m: "Messages-Waiting: yes" in m.body and "1/0" in m.body)
        self.leave(mine.invite("*97team").wait_answered())
        shared = self.message("team")
        lamp.wait(lambda m: "2/0" in m.body)
        self.assertEqual(mine.invite("*97nobody").wait_status(404).status, 404)

        # with the agent's part in a call over, the other party is in front of his box
        call, _ = self.talking()
        r = self.a.api("POST", "/v1/calls/%s:transfer" % self.live(call.phone.user)["call_id"], {"box": "1002"})
        self.assertEqual(r.status, 202, r)
        self.leave(call)
        self.assertEqual(self.message("1002", 2)["caller"], call.phone.user)
        lamp.wait(lambda m: "3/0" in m.body)
        self.tended(own, shared, mine, lamp)

    def tended(self, own, shared, mine, lamp):
        """Listened to, noted, deleted; its number called back. All of it is in the audit trail."""
        self.assertEqual(self.c.api("GET", "/v1/messages/%s/audio" % own["message_id"]).status, 200)
        self.cluster.must("message", "note", own["message_id"], "wants to know the time")
        self.assertEqual(self.a.api("GET", "/v1/messages/" + own["message_id"]).json["note"], "wants to know the time")
        self.cluster.must("message", "heard", own["message_id"])
        lamp.wait(lambda m: "2/1" in m.body)
        self.cluster.must("message", "delete", shared["message_id"])
        lamp.wait(lambda m: "1/1" in m.body)
        count = len(mine.incoming)
        self.ready("1002")
        self.cluster.must("message", "call-back", own["message_id"], "--agent", "1002")
        other = mine.wait_call(count + 1)
        self.assertEqual(self.live("8002")["called"], "8004")
        other.rtp.wait_tone(OTHER_HZ, after=other.rtp.mark())
        other.hangup()
        wait_for(lambda: self.live("8002") is None, 10, "it is over")
        actions = [r["action"] for r in self.a.api("GET", "/v1/audit?object=message/" + own["message_id"]).json["items"]]
        self.assertEqual(actions, ["message.heard", "message.note", "message.play"])
        self.assertEqual(self.a.api("GET", "/v1/audit?object=agent/1002&action=agent.call_back").json["items"][0]["actor"][:6], "token:")
