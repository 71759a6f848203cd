"""Telephones that subscribe: lamps for colleagues' calls (dialog), for messages (message-summary), for what agents do (presence); also over
TCP and behind NAT, told by other nodes, and while nodes die (RFC 6665, 4235, 3842, 3863)."""
import secrets
import xml.etree.ElementTree as ET

from callcase import AGENT_HZ
from everline import SIP, Baresip, wait_for
from sip_phone import SipPhone
from sipmsg import tag_of, uri_of
from test_flow import FlowCase, NatPhone, TcpPhone

DIALOG = "{urn:ietf:params:xml:ns:dialog-info}"
PIDF = "{urn:ietf:params:xml:ns:pidf}"
RPID = "{urn:ietf:params:xml:ns:pidf:rpid}"
MERGE = {"Content-Type": "application/merge-patch+json"}


class Subscription:
    """One subscription of a telephone (sip_phone.SipPhone)."""

    class NoSound:
        def close(self):
            pass

    def __init__(self, phone, event, target=None, server=None):
        self.phone, self.event, self.server = phone, event, server or phone.server
        self.uri = "sip:%s@%s" % (target or phone.user, self.server)
        self.call_id, self.local_tag, self.remote_tag = secrets.token_hex(8), secrets.token_hex(4), ""
        self.cseq, self.answered, self.ended, self.rtp = 0, False, False, self.NoSound()
        self.target, self.hop = self.uri, (self.server, SIP)
        phone.calls[self.call_id] = self

    def send(self, expires=None, extra=(), deadline=10):
        """The final answer, after a challenge if there is one."""
        auth = []
        for attempt in range(2):
            self.cseq += 1
            headers = [("event", self.event), *([] if expires is None else [("expires", str(expires))]), *extra, *auth]
            to = "<%s>%s" % (self.uri, ";tag=" + self.remote_tag if self.remote_tag else "")
            m = self.phone._base("SUBSCRIBE", self.target, self.phone._branch(), "<%s>;tag=%s" % (self.phone.aor, self.local_tag), to, self.call_id,
                                 self.cseq, extra=headers)
            r = self.phone._transact(m, self.hop, deadline)
            if r.status != 401 or attempt or not self.phone.password:
                break
            auth = [("authorization", self.phone._authorize(r.all("www-authenticate")[0], "SUBSCRIBE", self.target))]
        if r.status == 200:
            self.remote_tag, self.target = tag_of(r.get("to")), uri_of(r.get("contact"))
        return r

    def notifies(self):
        """Those that came, each once, in the order of their CSeq."""
        seen = {m.cseq[0]: m for m in list(self.phone.requests) if m.method == "NOTIFY" and m.get("call-id") == self.call_id}
        return [seen[n] for n in sorted(seen)]

    def wait(self, condition, deadline=10, after=0):
        """The first of those behind the first `after` for which this is true."""
        def found():
            return next((m for m in self.notifies()[after:] if condition(m)), None)
        return wait_for(found, deadline, "NOTIFY of %s for %s; seen %s" % (self.event, self.uri, [m.body for m in self.notifies()[-3:]]))

    def count(self):
        return len(self.notifies())


def dialogs(m):
    """[(state, direction, remote number, id, call-id, local tag, remote tag)]"""
    return [(d.find(DIALOG + "state").text, d.get("direction"), d.find(DIALOG + "remote/" + DIALOG + "identity").text.split(":")[1].split("@")[0],
             d.get("id"), d.get("call-id"), d.get("local-tag"), d.get("remote-tag")) for d in ET.fromstring(m.body)]


def states(*wanted):
    return lambda m: [d[:3] for d in dialogs(m)] == list(wanted)


def presence(m):
    """(basic, note, activity)"""
    root = ET.fromstring(m.body)
    activity = [e.tag.replace(RPID, "") for e in root.iter() if e.tag.startswith(RPID) and e.tag != RPID + "activities"]
    return root.find("%stuple/%sstatus/%sbasic" % (PIDF, PIDF, PIDF)).text, root.find("%stuple/%snote" % (PIDF, PIDF)).text, (activity or [""])[0]


class Watch(FlowCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        flow = {"name": "leave", "languages": ["en"], "start": "say", "nodes": {"say": {"type": "voicemail", "box": "night", "max_s": 2}}}
        cls.cluster.apply({"flows": [flow], "access_numbers": [{"number": "10043", "flow": "leave"}]})
        for n in cls.cluster:
            wait_for(lambda: n.api("GET", "/v1/access-numbers/10043").status == 200, 10, "%s has the number" % n.name)

    def setUp(self):
        self.victim = None
        self.addCleanup(self.come_back)

    def come_back(self):
        if self.victim and not self.victim.alive():
            self.victim.restart()
            wait_for(lambda: all(a["holder"] == a["home"] and a["bound"] for a in self.a.api("GET", "/v1/addresses").json["items"]), 20,
                     "addresses are at home")

    def subscribe(self, phone, event, target=None, **options):
        s = Subscription(phone, event, target, **options)
        r = s.send(600)
        self.assertEqual((r.status, r.get("expires")), (200, "600"), r.text())
        self.addCleanup(s.send, 0)
        return s

    def lamp(self, watcher, callee, caller):
        """One call from end to end; returns the subscription."""
        s = self.subscribe(watcher, "dialog", callee.user)
        first = s.wait(states())
        self.assertTrue(first.get("subscription-state").startswith("active;expires="), first.text())
        self.assertEqual((first.get("content-type"), ET.fromstring(first.body).get("version")), ("application/dialog-info+xml", "0"))
        self.ring_and_talk(s, callee, caller)
        return s

    def ring_and_talk(self, s, callee, caller):
        count, before = len(callee.incoming), s.count()
        callee.on_invite = "ring"
        call = caller.invite(callee.user)
        other = callee.wait_call(count + 1)
        ringing = dialogs(s.wait(states(("early", "recipient", caller.user)), after=before))[0]
        self.assertTrue(all(ringing[4:]), ringing)  # what a pick-up by Replaces takes
        other.answer()
        call.wait_answered()
        talking = dialogs(s.wait(states(("confirmed", "recipient", caller.user)), after=before))[0]
        self.assertEqual(talking[3:], (ringing[3], other.call_id, other.local_tag, other.remote_tag))
        call.hangup()
        other.wait_ended()
        s.wait(states(("terminated", "recipient", caller.user)), after=before)
        versions = [int(ET.fromstring(m.body).get("version")) for m in s.notifies()]
        self.assertEqual(versions, sorted(set(versions)))

    def test_dialog(self):
        """Also of who calls; refreshed, and ended."""
        watcher, callee, caller = self.extension("8001", self.a), self.extension("8002", self.b), self.extension("8003", self.c)
        mine = self.subscribe(watcher, "dialog", caller.user)
        s = self.lamp(watcher, callee, caller)
        mine.wait(states(("early", "initiator", callee.user)))
        mine.wait(states(("confirmed", "initiator", callee.user)))
        mine.wait(states(("terminated", "initiator", callee.user)))
        before = s.count()
        self.assertEqual(s.send(700).get("expires"), "700")
        again = s.wait(states(), after=before)  # told at once, and no terminated dialog a second time
        self.assertIn("expires=6", again.get("subscription-state"))
        before = s.count()
        self.assertEqual(s.send(0).status, 200)
        self.assertTrue(s.wait(states(), after=before).get("subscription-state").startswith("terminated"))
        self.assertEqual(s.send(600).status, 481)

    def test_over_tcp_behind_nat(self):
        """Over the flow that they came by. When the connection is lost: over the next one, as soon as that is registered."""
        callee, caller = self.extension("8006", self.a), self.extension("8007", self.c)
        self.lamp(self.phone(NatPhone, "8005"), callee, caller)
        watcher = self.phone(TcpPhone, "8004")
        s = self.lamp(watcher, callee, caller)
        callee.on_invite, before = "ring", s.count()
        watcher.cut()
        call = caller.invite(callee.user).wait_status(180)
        watcher.connect()
        watcher.contact = "<sip:8004@%s:%d;transport=tcp>" % (watcher.ip, watcher.stream.getsockname()[1])
        watcher.register()
        s.wait(states(("early", "recipient", caller.user)), after=before)
        call.hangup()
        call.wait_ended()
        s.wait(states(("terminated", "recipient", caller.user)), after=before)

    def test_the_node_dies(self):
        """Lamps go on: in the same dialogs, told anew by whoever has them now; refreshed there."""
        self.victim = self.c
        watcher, callee, caller = self.extension("8008", self.c), self.extension("8009", self.b), self.extension("8010", self.a)
        s = self.lamp(watcher, callee, caller)
        hidden = self.subscribe(self.phone(NatPhone, "8018", self.c), "dialog", callee.user)
        callee.on_invite = "ring"
        call, before = caller.invite(callee.user).wait_status(180), s.count()
        s.wait(states(("early", "recipient", caller.user)), after=before - 1)
        before = s.count()
        self.c.kill9()
        call.hangup()
        call.wait_ended()
        gone = s.wait(lambda m: not [d for d in dialogs(m) if d[0] != "terminated"], 15, after=before)
        self.assertGreater(gone.cseq[0], s.notifies()[before - 1].cseq[0] + 1000)
        hidden.wait(lambda m: m.cseq[0] > hidden.notifies()[0].cseq[0] + 1000)
        self.ring_and_talk(s, callee, caller)
        before = s.count()
        self.assertEqual(s.send(600).status, 200)
        s.wait(states(), after=before)

    def leave_message(self):
        call = self.caller(tone=AGENT_HZ).invite("10043").wait_answered()
        call.rtp.send_digits("1")
        return call.wait_ended(30)

    @staticmethod
    def summary(m):
        lines = dict(line.split(": ", 1) for line in m.body.strip().split("\r\n"))
        return lines["Messages-Waiting"], lines["Voice-Message"]

    def test_messages(self):
        """One telephone has subscribed, another is told of the same box without; heard, and deleted."""
        for number, more in (("8011", {}), ("8012", {"mwi": "unsolicited"})):
            r = self.a.api("PATCH", "/v1/extensions/" + number, {"mailbox": "night", **more}, headers=MERGE)
            self.assertEqual(r.status, 200, r)
        told = SipPhone(self.cluster.network.client(), "8012", self.b.ip, self.passwords["8012"])
        self.addCleanup(told.close)
        told.unsolicited = True
        told.register()
        watcher = self.extension("8011", self.a)
        s = self.subscribe(watcher, "message-summary")
        first = s.wait(lambda m: self.summary(m) == ("no", "0/0 (0/0)"))
        self.assertEqual(first.get("content-type"), "application/simple-message-summary")

        def unsolicited(what):
            return wait_for(lambda: next((m for m in told.requests if m.method == "NOTIFY" and self.summary(m) == what), None), 10, "told of %s" % (what,))
        m = unsolicited(("no", "0/0 (0/0)"))
        self.assertEqual((m.get("event"), m.get("subscription-state")), ("message-summary", ""))
        self.leave_message()
        s.wait(lambda m: self.summary(m) == ("yes", "1/0 (0/0)"))
        unsolicited(("yes", "1/0 (0/0)"))
        message = self.a.api("GET", "/v1/messages?box=night").json["items"][0]["message_id"]
        self.cluster.must("message", "heard", message)
        s.wait(lambda m: self.summary(m) == ("no", "0/1 (0/0)"))
        unsolicited(("no", "0/1 (0/0)"))
        before = s.count()
        self.cluster.must("message", "delete", message)
        s.wait(lambda m: self.summary(m) == ("no", "0/0 (0/0)"), after=before)

    def test_messages_of_baresip(self):
        r = self.a.api("PATCH", "/v1/extensions/8013", {"mailbox": "night"}, headers=MERGE)
        self.assertEqual(r.status, 200, r)
        phone = Baresip(self.cluster, "8013", self.b.ip, self.passwords["8013"], extra=("module mwi.so",))
        self.addCleanup(phone.end)
        first = phone.wait("MWI_NOTIFY", 20)
        mark = phone.mark()
        self.leave_message()
        phone.wait("MWI_NOTIFY", 20, after=mark)
        self.assertIn("message-summary", [s["event"] for s in self.a.api("GET", "/v1/extensions/8013").json["subscriptions"]])

    def test_presence(self):
        watcher = self.extension("8013", self.a)
        agent, phone = self.subscribe(watcher, "presence", "1014"), self.subscribe(watcher, "presence", "8014")
        for s in (agent, phone):
            s.wait(lambda m: presence(m)[0] == "closed")
        callee = self.extension("8014", self.b, on_invite="ring")
        self.ready("1014")
        agent.wait(lambda m: presence(m) == ("open", "idle", ""))
        phone.wait(lambda m: presence(m) == ("open", "idle", ""))
        self.cluster.must("agent", "set-state", "1014", "away")
        agent.wait(lambda m: presence(m) == ("open", "away", "away"))
        caller = self.extension("8015", self.c)
        call = caller.invite("8014")
        callee.wait_call()
        agent.wait(lambda m: presence(m)[2] == "on-the-phone")
        call.hangup()
        call.wait_ended()
        before = agent.count()
        self.cluster.must("agent", "set-state", "1014", "busy", "--force")
        agent.wait(lambda m: presence(m) == ("open", "busy", "busy"), after=before - 1)

    def test_refused(self):
        phone = self.extension("8016", self.a)
        r = Subscription(phone, "conference").send(600)
        self.assertEqual((r.status, r.get("allow-events")), (489, "message-summary, dialog, presence"))
        r = Subscription(phone, "dialog", "8001").send(10)
        self.assertEqual((r.status, r.get("min-expires")), (423, "60"))
        self.assertEqual(Subscription(phone, "dialog", "4711").send(600).status, 404)
        self.assertEqual(Subscription(phone, "dialog", "8001").send(600, [("accept", "text/plain")]).status, 406)
        s = Subscription(phone, "dialog", "8001")
        s.remote_tag = "nobody"
        self.assertEqual(s.send(600).status, 481)
        # Asked once, with no subscription.
        s = Subscription(phone, "dialog", "8001")
        self.assertEqual((s.send(0).status, s.wait(states()).get("subscription-state")), (200, "terminated;reason=timeout"))
        # Somebody else, and nobody.
        wrong = SipPhone(self.cluster.network.client(), "8017", self.a.ip, "guessed")
        self.addCleanup(wrong.close)
        self.assertEqual(Subscription(wrong, "dialog", "8001").send(600).status, 401)
        trunk = self.caller()
        self.assertEqual(Subscription(trunk, "dialog", "8001").send(600).status, 403)

    def able(self, number, node, events="talk, hold"):
        """A telephone that rings, and says what it can be told."""
        p = self.extension(number, node, register=False, on_invite="ring", tone=AGENT_HZ)
        p.allow_events = events
        p.register()
        self.addCleanup(self.unregister, p)
        self.known(number, node)
        return p

    def asked(self, other):
        return [m for m in list(other.phone.requests) if m.method == "NOTIFY" and m.get("call-id") == other.call_id and m.get("event") == "talk"]

    def test_answered_by_request(self):
        """By ccctl at another node; not by a telephone that has not said that it can."""
        callee, caller = self.able("8019", self.b), self.extension("8020", self.a)
        call = caller.invite(callee.user).wait_status(180)
        other, row = callee.wait_call(), self.wait_phase(caller.user, "dialling")
        self.assertEqual(self.a.api("GET", "/v1/extensions/8019").json["registrations"][0]["events"], "talk, hold")
        self.cluster.must("call", "answer", row["call_id"], "--leg", "8019", node=2)
        m = wait_for(lambda: self.asked(other), 10, "it is asked to answer")[0]
        self.assertEqual((tag_of(m.get("to")), tag_of(m.get("from"))), (other.local_tag, other.remote_tag))
        other.answer()
        call.wait_answered()
        call.rtp.wait_tone(AGENT_HZ)
        r = self.cluster.ccctl("call", "answer", row["call_id"])
        self.assertEqual((r.code, "no telephone of ours is being rung" in r.err), (4, True), r)
        call.hangup()
        other.wait_ended()
        self.assertEqual([x["action"] for x in self.a.api("GET", "/v1/audit?object=call/" + row["call_id"]).json["items"]], ["call.answer"] * 2)
        plain = self.extension("8001", self.b, on_invite="ring")
        call = caller.invite("8001").wait_status(180)
        row = self.wait_phase(caller.user, "dialling")
        r = self.a.api("POST", "/v1/calls/%s:answer" % row["call_id"])
        self.assertEqual((r.status, "Allow-Events" in r.json["detail"]), (422, True), r)
        self.assertEqual(self.asked(plain.wait_call()), [])
        call.hangup()
        call.wait_ended()

    def test_asked_while_the_node_dies(self):
        """The node dies right after it was asked: the next one rings it, and asks it again."""
        self.victim = self.c
        callee, caller = self.able("8002", self.b), self.extension("8003", self.c)
        call = caller.invite(callee.user).wait_status(180)
        callee.wait_call()
        row = self.wait_phase(caller.user, "dialling")
        self.assertEqual(row["owner"], self.c.name)
        self.cluster.must("call", "answer", row["call_id"])
        self.c.kill9()
        other = wait_for(lambda: next((c for c in callee.incoming if not c.ended and any(
            m.source[0] != self.c.ip or len(self.asked(c)) > 1 for m in self.asked(c))), None), 15, "asked by the next node")
        other.answer()
        call.wait_answered()
        call.rtp.wait_tone(AGENT_HZ)
        call.hangup()
        other.wait_ended()

    def test_each_call_by_itself(self):
        """Asked in each INVITE, with the text of the site."""
        for name, value in (("auto_answer_info", "Auto Answer"),):
            self.cluster.must("parameter", "set", name, value)
        r = self.a.api("PATCH", "/v1/extensions/8017", {"auto_answer_all": True}, headers=MERGE)
        self.assertEqual(r.status, 200, r)
        callee, caller = self.extension("8017", self.b), self.extension("8016", self.a)
        call = caller.invite("8017").wait_answered()
        m = callee.wait_call().request
        self.assertIn(";answer-after=0", m.get("call-info"))
        self.assertIn(";info=Auto Answer", m.get("alert-info"))
        call.hangup()
        self.assertEqual(self.a.api("PATCH", "/v1/parameters/auto_answer_info", {"value": "a\r\nEvil: b"}, headers=MERGE).status, 422)
