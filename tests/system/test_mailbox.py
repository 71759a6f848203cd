"""Voicemail of agents: messages for colleagues by dialling code and transfer, lamps of own and shared boxes, notes, calling back, who did what;
listening by telephone, through the death of the node, and greetings recorded there; e-mails and web hooks of messages."""
import hashlib
import hmac
import json

from business import Business
from callcase import CallCase, wait_prompt
from everline import elapse, tone_share, wait_for
from mail_server import MailServer
from sip_phone import RATE
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

    def audit(self, message):
        return [(r["action"], r["actor"]) for r in self.a.api("GET", "/v1/audit?object=message/" + message["message_id"]).json["items"]]

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
        self.assertEqual([a[0] for a in self.audit(own)], ["message.heard", "message.note", "message.play"])
        self.assertEqual(self.a.api("GET", "/v1/audit?object=agent/1002&action=agent.call_back").json["items"][0]["actor"][:6], "token:")

    def seconds_of(self, rtp, hz, mark):
        """How much of what was heard since is this tone, to 100 ms."""
        samples, n = rtp.wait_samples(0, after=mark), RATE // 10
        parts = [samples[i:i + n] for i in range(0, len(samples) - n + 1, n)]
        return sum(sum(abs(v) for v in p) > 200 * n and tone_share(p, hz) > 0.8 for p in parts) / 10

    def come_back(self):
        if not self.c.alive():
            self.c.restart()
            wait_for(lambda: all(a["holder"] == a["home"] and a["bound"] for a in self.a.api("GET", "/v1/addresses").json["items"]), 20, "addresses are at home")

    def to_the_tone(self, call):
        mark = call.rtp.mark()
        call.rtp.send_digits("1")
        call.rtp.wait_tone(1000, seconds=0.2, deadline=20, after=mark)

    def test_listened_to_while_the_node_dies(self):
        """One listens and the other one speaks, at a node that dies: the same message goes on where it was, the other is one message."""
        self.addCleanup(self.come_back)
        mine = self.extension("8004", self.c)
        listener = self.extension("8002", self.c)
        caller = self.extension("8003", self.a, tone=VOICE_HZ)
        for m in self.messages("1002"):
            self.cluster.must("message", "delete", m["message_id"])
        call = mine.invite("*978002").wait_answered()
        self.to_the_tone(call)
        call.rtp.send_tone(VOICE_HZ)
        elapse(4.0, "what he has to say")
        call.rtp.send_tone(OTHER_HZ)
        elapse(1.5, "and this")
        call.hangup()
        first = self.message("1002")
        listening = listener.invite("*97").wait_answered()
        wait_prompt(listening.rtp, "zh", "mailbox_menu", 20)
        mark = listening.rtp.mark()
        listening.rtp.send_digits("1")
        wait_prompt(listening.rtp, "zh", "mailbox_from", 20, after=mark)
        recording = mine.invite("*97team").wait_answered()
        self.to_the_tone(recording)
        recording.rtp.send_tone(OTHER_HZ)
        listening.rtp.wait_tone(VOICE_HZ, seconds=1.0, deadline=20, after=mark)
        self.c.kill9()
        listening.rtp.wait_tone(OTHER_HZ, seconds=0.5, deadline=20, after=mark)
        self.assertLess(self.seconds_of(listening.rtp, VOICE_HZ, mark), 4.5)
        elapse(1.0, "what he has to say at the next node")
        recording.hangup()
        other = self.message("team")
        self.assertEqual(len(self.messages("team", self.b)), 1)
        self.assertGreater(other["duration_ms"], 2000)
        wait_prompt(listening.rtp, "zh", "mailbox_choice", 20, after=mark)
        listening.rtp.send_digits("3")
        wait_for(lambda: not self.messages("1002", self.b), 10, "it is deleted")
        done = {("message.delete", "phone:8002"), ("message.heard", "phone:8002")}  # each takeover may do it once more
        wait_for(lambda: set(self.audit(first)) == done, 10, "it is in the audit trail")
        self.cluster.must("message", "delete", other["message_id"])
        self.greeting(listening, caller)

    def greeting(self, call, caller):
        """Of one's own, from the telephone: callers hear it from then on. And back to who has left a message."""
        mark = call.rtp.mark()
        wait_prompt(call.rtp, "zh", "mailbox_menu", 30, after=mark)
        call.rtp.send_digits("3")
        wait_prompt(call.rtp, "zh", "mailbox_greet", 20, after=mark)
        call.rtp.wait_tone(1000, seconds=0.2, deadline=20, after=mark)
        call.rtp.send_tone(OTHER_HZ)
        elapse(1.5, "a greeting")
        call.rtp.send_digits("#")
        call.rtp.silence()
        wait_prompt(call.rtp, "zh", "mailbox_saved", 20, after=mark)
        left = caller.invite("*978002").wait_answered()
        left.rtp.wait_tone(OTHER_HZ, seconds=0.5, deadline=20)
        self.leave(left)
        self.message("1002")
        mark = call.rtp.mark()
        wait_prompt(call.rtp, "zh", "mailbox_menu", 30, after=mark)
        call.rtp.send_digits("1")
        call.rtp.wait_tone(VOICE_HZ, seconds=0.3, deadline=30, after=mark)
        count = len(caller.incoming)
        call.rtp.send_digits("5")
        back = caller.wait_call(count + 1)
        call.rtp.wait_tone(VOICE_HZ, seconds=0.5, deadline=10, after=call.rtp.mark())
        back.hangup()
        call.wait_ended()

    def test_told_outside(self):
        """By e-mail, over STARTTLS with a password, after a refusal; and to a web hook, signed, after another one."""
        certs = self.cluster.path("certs")
        mails = MailServer(self.a.ip, certs + "/%s/cert.pem" % self.a.name, certs + "/%s/key.pem" % self.a.name, {"desk": "a secret"}, refuse=1)
        self.addCleanup(mails.close)
        answers = [503]
        hook = Business(self.a.ip, lambda q: (answers.pop() if answers else 200, {}))
        self.addCleanup(hook.close)
        with open(certs + "/ca/cert.pem") as f:
            ca = f.read()
        self.cluster.apply({"secrets": [{"name": "mail-key", "value": "a secret"}, {"name": "hook-key", "value": "signed"}],
                            "parameters": [{"name": "smtp_url", "value": "smtp://%s:%d" % (self.a.ip, mails.port)},
                                           {"name": "smtp_from", "value": "everline@shop.example"}, {"name": "smtp_user", "value": "desk"},
                                           {"name": "smtp_secret", "value": "mail-key"}, {"name": "http_ca", "value": ca}],
                            "mailboxes": [{"name": "told", "language": "en", "email": ["one@shop.example", "two@shop.example"],
                                           "hook_url": hook.url + "/voicemail", "hook_secret": "hook-key"}]})
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/mailboxes/told").status == 200, 10, "%s has the box" % n.name)
        mine = self.extension("8004", self.b, tone=VOICE_HZ)
        self.leave(mine.invite("*97told").wait_answered())
        row = self.message("told")
        wait_for(lambda: all(d["state"] == "done" for d in self.messages("told")[0]["deliveries"]), 90, "both are told: %s" % self.messages("told")[0])
        self.assertEqual([(d["kind"], d["tries"]) for d in self.messages("told")[0]["deliveries"]], [("email", 2), ("hook", 2)])
        self.assertEqual((len(mails.mails), mails.secure), (1, [True]))
        _, to, mail = mails.mails[0]
        self.assertEqual(to, ["one@shop.example", "two@shop.example"])
        self.assertIn("Voice message from 8004", mail["subject"])
        sound = next(mail.iter_attachments())
        self.assertEqual(sound.get_content(), self.c.api("GET", "/v1/messages/%s/audio" % row["message_id"]).body)
        self.assertEqual(len(hook.asked), 2)
        for asked in hook.asked:
            self.assertEqual(asked.headers["x-everline-signature"], "sha256=" + hmac.new(b"signed", asked.body, hashlib.sha256).hexdigest())
            self.assertEqual(asked.headers["idempotency-key"], row["message_id"])
        self.assertEqual(json.loads(hook.asked[0].body)["caller"], "8004")
        box = self.a.api("GET", "/v1/mailboxes/told").json
        self.assertEqual((box["new_messages"], box["pending_deliveries"], box["given_up_deliveries"]), (1, 0, 0))
