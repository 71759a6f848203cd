"""Habits of telephones and proxies of others that the demonstration's own do not have."""
from callcase import CallCase
from everline import Sipp, wait_for
from sip_phone import Rtp, SipPhone, read_sdp
from sipmsg import Message, sdp, tag_of, uri_of
from sipua import Ua


class Interop(CallCase):
    def bare(self, **options):
        ua = Ua(self.cluster.network.client(), self.a.ip, **options)
        self.addCleanup(ua.close)
        return ua

    def lines(self, body):
        return [l.split()[:2] for l in body.split("\r\n") if l.startswith("m=")]

    def called_by(self, user, *headers):
        """The caller of the record of a call to the echo from the trunk."""
        ua = self.bare(user=user)
        d = ua.invite("10001", body=sdp(ua.ip, 40000), headers=headers)
        call_id = d.call_id
        self.assertEqual(d.final().status, 200)
        d.ack()
        started = wait_for(lambda: [c for c in self.cluster.must("call", "list", "-o", "json").json if c["called"] == "10001"], 10,
                           "the call %s is there" % call_id)
        self.assertEqual(d.send("BYE").status, 200)
        record = wait_for(lambda: self.cluster.must("cdr", "show", started[0]["call_id"], "-o", "json").json, 10, "its record")
        return record["caller"]

    def test_built_in_scenarios_of_sipp(self):
        """As they are, with the checks that they make of what they are told."""
        for scenario, args in (("uac", ()), ("uac", ("-t", "t1")), ("regexp", ())):
            sipp = Sipp(self.cluster, scenario, self.a.ip, calls=3, args=("-s", "10001", *args))
            self.addCleanup(sipp.end)
            sipp.must()

    def test_asserted_identity(self):
        """A carrier names the caller of a call that hides its From (RFC 3325); a trunk may say where to read the number."""
        asserted = [("p-asserted-identity", '"Clinic" <sip:alice@carrier.invalid>'), ("p-asserted-identity", "<tel:+86-10-5555-7100>"),
                    ("privacy", "id")]
        self.assertEqual(self.called_by("anonymous", *asserted), "+861055557100")
        self.assertEqual(self.called_by("anonymous"), "anonymous")
        self.assertEqual(self.called_by("4255557101", *asserted), "4255557101")
        self.addCleanup(self.cluster.must, "trunk", "set", "demo", "--identity", "")
        for where, caller in (("asserted", "+861055557100"), ("from", "anonymous")):
            self.cluster.must("trunk", "set", "demo", "--identity", where)
            wait_for(lambda: self.a.api("GET", "/v1/trunks/demo").json["identity"] == where, 10, "the node has it")
            self.assertEqual(self.called_by("4255557102" if where == "asserted" else "anonymous", *asserted), caller)

    def test_video_keeps_its_place(self):
        """Our offer in a call that was begun with video and audio has both lines, in that order."""
        ua = self.bare(user="4255557001")
        offer = "v=0\r\no=x 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=video 40010 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=audio 40000 RTP/AVP 0\r\n" % (ua.ip, ua.ip)
        d = ua.invite("10001", body=offer)
        port = self.lines(d.final().body)[1][1]
        d.ack()
        ours = d.send("INVITE").body
        self.assertEqual(self.lines(ours), [["m=video", "0"], ["m=audio", port]])
        d.ack(body=offer.replace("m=video 40010", "m=video 0").replace("x 1 1", "x 1 2"))
        self.assertEqual(d.send("OPTIONS").status, 200)
        self.assertEqual(d.send("BYE").status, 200)
        self.record("4255557001")

    def test_description_among_other_parts(self):
        ua = self.bare(user="4255557002")
        body = ("--x1\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--x1\r\nContent-Type: application/isup;version=itu-t92+\r\n"
                "Content-Disposition: signal;handling=optional\r\n\r\n\x01\x10\r\n--x1--\r\n") % sdp(ua.ip, 40000)
        m = ua.message("INVITE", ua.uri("10001"), body=body, kind="multipart/mixed;boundary=x1")
        ua.send(m.text())
        r = ua.answer_to(m)
        self.assertEqual(r.status, 200)
        self.assertTrue(read_sdp(r.body))
        to = r.get("to")
        for cseq, method in ((1, "ACK"), (2, "BYE")):
            last = ua.message(method, uri_of(r.get("contact")), call_id=m.get("call-id"), cseq=cseq, from_tag=tag_of(m.get("from")), to=to)
            ua.send(last.text())
        self.assertEqual(ua.answer_to(last).status, 200)
        self.record("4255557002")

    def behind_proxy(self, number, node, path, transport="udp"):
        """A registration that came through a proxy: its Contact leads nowhere."""
        phone = SipPhone(self.cluster.network.client(), number, node.ip, self.passwords[number])
        self.addCleanup(phone.close)
        phone.contact = "<sip:%s@10.255.255.1:5999>" % number
        base = phone._base
        phone._base = lambda method, *a, **k: base(method, *a, **{**k, "extra": [*k.get("extra", ()), ("path", path), ("supported", "path")]}) if method == "REGISTER" else base(method, *a, **k)
        phone.register()
        self.addCleanup(self.unregister, phone)
        self.known(number, node)
        return phone

    def test_phone_behind_a_proxy(self):
        """RFC 3327: calls go to the proxy that left its address in the Path, from every node, whatever the Contact says."""
        proxy = self.bare(user="proxy")
        for number, path in (("8015", "<sip:%s;lr>" % proxy.here), ("8016", "<sip:edge@%s;lr>, <sip:far.invalid;lr>" % proxy.here)):
            self.behind_proxy(number, self.b, path)
            caller = self.extension("8017", self.a)
            call = caller.invite(number)
            m = proxy.wait(lambda m: m.method == "INVITE", what="INVITE at the proxy")
            self.assertEqual(m.first, "INVITE sip:%s@10.255.255.1:5999 SIP/2.0" % number)
            self.assertEqual(", ".join(m.all("route")), path)
            self.assertEqual(m.get("max-forwards"), "69")
            proxy.reply(m, 486, "Busy Here")
            call.wait_status(486)
            proxy.wait(lambda m: m.method == "ACK", what="ACK")
            wait_for(lambda: self.live("8017") is None, 5, "the call is over")
            self.unregister(caller)

    def test_early_update(self):
        """A phone that rings changes its description by UPDATE (RFC 3311); the one in its 200 is older and does not count."""
        phone = self.bare(user="8018")
        self.cluster.must("extension", "set", "8018", "--contact", "sip:8018@%s" % phone.here)
        caller = self.extension("8017", self.a)
        call = caller.invite("8018")
        m = phone.wait(lambda m: m.method == "INVITE", what="INVITE")
        here, tagged = ("contact", "<sip:8018@%s>" % phone.here), m.get("to") + ";tag=phone"

        def answer(line, extra=(), body=""):
            keep = [(k, v) for k, v in m.headers if k in ("via", "from", "call-id", "cseq")]
            kind = [("content-type", "application/sdp")] if body else []
            phone.send(Message("SIP/2.0 " + line, keep + [("to", tagged), here, *extra, *kind], body).text())
        answer("183 Session Progress", [("require", "100rel"), ("rseq", "7")], sdp(phone.ip, 41000))
        phone.reply(phone.wait(lambda m: m.method == "PRACK", what="PRACK"), 200)
        rtp = Rtp(phone.ip)
        self.addCleanup(rtp.close)
        u = phone.message("UPDATE", uri_of(m.get("contact")), body=sdp(phone.ip, rtp.port, version=2), call_id=m.get("call-id"), to=m.get("from"))
        u.headers = [(k, tagged if k == "from" else v) for k, v in u.headers]
        phone.send(u.text())
        r = phone.answer_to(u)
        self.assertEqual(r.status, 200)
        self.assertEqual(self.lines(r.body)[0][0], "m=audio")
        answer("200 OK", body=sdp(phone.ip, 41000))
        phone.wait(lambda m: m.method == "ACK", what="ACK")
        call.wait_answered().rtp.send_tone(600)
        rtp.wait_tone(600)
        call.hangup()
        phone.reply(phone.wait(lambda m: m.method == "BYE", what="BYE"), 200)
        self.record("8017")
