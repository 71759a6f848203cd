"""Numbers that answer by themselves, calls between extensions, registration, and what RFC 3261 and its kin ask of a dialog."""
import re

from callcase import CallCase
from everline import HTTPS, PEER, SIP, Cluster, wait_for
from sip_phone import Rtp, SipPhone, bracketed
from sipmsg import sdp, uri_of
from sipua import Ua, free_port6


class Applications(CallCase):
    def test_echo(self):
        p = self.caller(tone=900)
        call = p.invite("10001").wait_answered()
        call.rtp.wait_tone(900)
        call.rtp.silence()
        call.rtp.send_digits("5")  # nothing asks for digits here: the call lives on
        at = call.rtp.mark()
        call.rtp.send_tone(1300)
        call.rtp.wait_tone(1300, after=at)
        call.hangup()
        r = self.record(p.user)
        self.in_order(r, "arrived_at", "answered_at", "ended_at")
        self.assertEqual((r["called"], r["agent"], r["queue"], r["ended_by"], r["cause"]), ("10001", "", "", "caller", "normal"))

    def test_echo_over_tcp(self):
        rtp = Rtp(self.cluster.network.client())
        self.addCleanup(rtp.close)
        with Ua(rtp.ip, self.b.ip, transport="tcp", user=str(next(self.numbers))) as ua:
            d = ua.invite("10001", sdp(rtp.ip, rtp.port))
            r = d.final()
            self.assertEqual(r.status, 200)
            d.ack()
            rtp.remote = (self.b.ip, int(re.search(r"m=audio (\d+)", r.body).group(1)))
            rtp.send_tone(800)
            rtp.wait_tone(800)
            self.assertEqual(self.live(ua.user)["owner"], self.b.name)
            self.assertEqual(d.send("BYE").status, 200)
            self.assertEqual(self.record(ua.user)["ended_by"], "caller")

    def test_tone_1004(self):
        for node in self.cluster:
            p = self.caller(node)
            call = p.invite("10002").wait_answered()
            self.assertGreater(call.rtp.wait_tone(1004), 0.8)
            call.hangup()
            self.assertEqual(self.record(p.user)["owner"], node.name)

    def test_unknown_number(self):
        p = self.caller()
        self.assertEqual(p.invite("19999").wait_ended().status, 404)
        # An extension is not for callers from outside.
        self.assertEqual(p.invite("8002").wait_ended().status, 404)
        self.assertIsNone(self.live(p.user))

    def test_number_with_parameters(self):
        """As carriers write them: what follows the number in the user part is not part of it (RFC 3261 19.1.6)."""
        p = self.caller()
        call = p.invite("10002;npdi;rn=+8610").wait_answered()
        call.hangup()
        self.assertEqual(self.record(p.user)["called"], "10002")

    def test_delayed_offer(self):
        p = self.caller(tone=900)
        call = p.invite("10001", body="").wait_answered()
        call.rtp.wait_tone(900)
        call.hangup()
        self.assertEqual(self.record(p.user)["cause"], "normal")

    def test_nothing_in_common(self):
        p = self.caller()
        body = sdp(p.ip, 40000).replace("RTP/AVP 0 8 101", "RTP/AVP 18 101").replace("rtpmap:0 PCMU", "rtpmap:18 G729")
        call = p.invite("10001", body=body).wait_ended()
        self.assertEqual(call.status, 488)
        self.assertRegex(call.final.get("warning"), r'^305 %s:%d "[^"]*G\.711' % (re.escape(self.a.ip), SIP))
        call = p.invite("10001", body=body.replace("m=audio", "m=video")).wait_ended()
        self.assertRegex(call.final.get("warning"), "^304 ")
        self.assertEqual(p.invite("10001", body="v=0\r\nthis is not SDP\r\n").wait_ended().status, 400)

    def test_options(self):
        for transport in ("udp", "tcp"):
            with Ua(self.cluster.network.client(), self.a.ip, transport=transport) as ua:
                r = ua.request("OPTIONS", "sip:%s" % self.a.ip)
                self.assertEqual(r.status, 200)
                self.assertTrue({"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "UPDATE", "INFO"} <=
                                {x.strip() for x in ",".join(r.all("allow")).split(",")}, r.text())
                d = ua.invite("10001", sdp(ua.ip, 40000))
                d.final()
                d.ack()
                self.assertEqual(d.send("OPTIONS").status, 200)
                self.assertEqual(d.send("BYE").status, 200)
                self.assertEqual(d.send("BYE").status, 481)


class Extensions(CallCase):
    """A telephone registered at node A calls one at node B."""

    next_pair = 8001

    def pair(self, on_invite="ring", register=True, **callee):
        n = Extensions.next_pair
        Extensions.next_pair += 2
        return (self.extension(str(n), self.a, register=register, tone=700),
                self.extension(str(n + 1), self.b, on_invite=on_invite, tone=1100, **callee))

    def failed(self, p, status, cause):
        r = self.record(p.user)
        self.assertEqual((r["sip_status"], r["cause"], r["direction"], r["extension"], r["connected_at"]),
                         (status, cause, "internal", p.user, None), r)
        return r

    def test_ring_answer_hang_up(self):
        p, q = self.pair()
        call = p.invite(q.user).wait_status(180)
        other = q.wait_call()
        self.assertEqual(self.wait_phase(p.user, "dialling")["owner"], self.a.name)
        self.assertFalse(call.answered)
        other.answer()
        call.wait_answered()
        call.rtp.wait_tone(1100)
        other.rtp.wait_tone(700)
        self.assertEqual(other.rtp.remote[0], self.a.ip)
        other.hangup()
        call.wait_ended()
        r = self.record(p.user)
        times = [r[x] for x in ("arrived_at", "offered_at", "answered_at", "connected_at", "ended_at")]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[2], times[1])
        self.assertEqual((r["ended_by"], r["cause"], r["answered_by"], r["agent"], r["direction"]),
                         ("callee", "normal", q.user, "", "internal"))

    def test_ended_by_the_operator(self):
        p, q = self.pair("answer")
        call = p.invite(q.user).wait_answered()
        other = q.wait_call()
        # At a node that does not own it.
        self.cluster.must("call", "hangup", self.wait_phase(p.user, "talking")["call_id"], node=2)
        for c in (call, other):
            self.assertEqual((c.wait_ended().by, c.history[-1]), ("them", "BYE"))
        r = self.record(p.user)
        self.assertEqual((r["ended_by"], r["cause"]), ("system", "operator"))

    def test_early_media(self):
        p, q = self.pair()
        call = p.invite(q.user)
        other = q.wait_call()
        other._media(other.request.body)
        q._reply(other.request, 183, "Session Progress", other, other.description())
        call.wait_status(183)
        call.rtp.wait_tone(1100)
        self.assertFalse(call.answered)
        other.answer()
        call.wait_answered()
        other.rtp.wait_tone(700)
        call.hangup()
        other.wait_ended()
        self.assertEqual(self.record(p.user)["ended_by"], "caller")

    def test_busy(self):
        p, q = self.pair("busy")
        self.assertEqual(p.invite(q.user).wait_ended().status, 486)
        self.failed(p, 486, "busy")

    def test_declined(self):
        p, q = self.pair()
        call = p.invite(q.user).wait_status(180)
        q.wait_call().refuse(603, "Decline")
        self.assertEqual(call.wait_ended().status, 603)
        self.failed(p, 603, "rejected")

    def test_cancelled_while_ringing(self):
        p, q = self.pair()
        call = p.invite(q.user).wait_status(180)
        other = q.wait_call()
        call.hangup()
        self.assertEqual(call.wait_ended().status, 487)
        other.wait_ended()
        self.assertIn("CANCEL", other.history)
        self.assertEqual(self.failed(p, 487, "cancelled")["ended_by"], "caller")

    def test_no_such_extension(self):
        p, _ = self.pair()
        self.assertEqual(p.invite("8999").wait_ended().status, 404)

    def test_not_registered(self):
        p, q = self.pair()
        self.unregister(q)
        for n in self.cluster:
            wait_for(lambda: not n.api("GET", "/v1/extensions/" + q.user).json["registrations"], 5, "%s has forgotten it" % n.name)
        self.assertEqual(p.invite(q.user).wait_ended().status, 480)
        self.failed(p, 480, "unreachable")
        # Registered again, it rings again.
        q.register()
        call = p.invite(q.user).wait_status(180)
        call.hangup()
        call.wait_ended()

    def test_password_is_asked_of_callers_too(self):
        p, q = self.pair(register=False)
        p.password = "wrong"
        self.assertEqual(p.invite(q.user).wait_ended().status, 407)
        self.assertEqual(q.incoming, [])

    def test_reliable_ringing(self):
        """Require: 100rel (RFC 3262): the 180 is numbered, repeated until its PRACK, and the call goes on after it."""
        p, q = self.pair()
        rtp = Rtp(self.cluster.network.client())
        self.addCleanup(rtp.close)
        with Ua(rtp.ip, self.a.ip, user=p.user) as ua:
            d = ua.invite(q.user, sdp(rtp.ip, rtp.port), [("require", "100rel")],
                          lambda r, uri: p._authorize(r.get("proxy-authenticate"), "INVITE", uri))
            other = q.wait_call()
            first = d.wait(180)
            self.assertIn("100rel", first.get("require"))
            again = d.wait(180)
            self.assertEqual(again.get("rseq"), first.get("rseq"))
            number = d.cseq
            self.assertEqual(d.send("PRACK", [("rack", "%s %d INVITE" % (first.get("rseq"), number))]).status, 200)
            self.assertEqual(d.send("PRACK", [("rack", "%s %d INVITE" % (int(first.get("rseq")) + 7, number))]).status, 481)
            other.answer()
            self.assertEqual(d.final().status, 200)
            d.cseq, last = number, d.cseq
            d.ack()
            d.cseq = last
            self.wait_phase(p.user, "talking")
            self.assertEqual(d.send("BYE").status, 200)
            other.wait_ended()
        self.assertEqual(self.record(p.user)["cause"], "normal")


class SessionTimers(CallCase):
    """RFC 4028."""

    def test_accepted_and_refreshed_by_the_caller(self):
        with Ua(self.cluster.network.client(), self.a.ip, user=str(next(self.numbers))) as ua:
            d = ua.invite("10001", sdp(ua.ip, 40000), [("supported", "timer"), ("session-expires", "90;refresher=uac"), ("min-se", "90")])
            r = d.final()
            self.assertEqual((r.status, r.get("session-expires")), (200, "90;refresher=uac"))
            self.assertIn("timer", r.get("require"))
            d.ack()
            r = d.send("UPDATE", [("supported", "timer"), ("session-expires", "120;refresher=uac")])
            self.assertEqual((r.status, r.get("session-expires")), (200, "120;refresher=uac"))
            self.assertEqual(d.send("BYE").status, 200)

    def test_too_small(self):
        with Ua(self.cluster.network.client(), self.a.ip, user=str(next(self.numbers))) as ua:
            d = ua.invite("10001", sdp(ua.ip, 40000), [("supported", "timer"), ("session-expires", "30")])
            r = d.final()
            self.assertEqual((r.status, r.get("min-se")), (422, "90"))
            d.ack()
            self.assertIsNone(self.live(ua.user))


class Registration(CallCase):
    def test_md5_and_sha256(self):
        for number, algorithm, node in (("8001", "MD5", self.a), ("8002", "SHA-256", self.b)):
            p = self.extension(number, node, register=False)
            r = p.register(algorithm=algorithm)
            self.assertIn(p.contact, r.get("contact"))
            self.known(number, node)
            call = self.extension("8003", self.c).invite(number)
            other = p.wait_call()
            call.wait_answered()
            other.hangup()
            call.wait_ended()
            self.unregister(p)

    def test_refused_alike(self):
        """Whether an extension exists is not told."""
        self.cluster.must("extension", "set", "8006", "--disabled", "yes")
        seen = []
        for user in ("8001", "8777", "8006"):
            p = SipPhone(self.cluster.network.client(), user, self.a.ip, "guess")
            self.addCleanup(p.close)
            r = p.try_register()
            self.assertEqual(r.status, 401)
            seen.append((r.first, [k for k, _ in r.headers], r.body))
        self.assertEqual(seen, [seen[0]] * 3)
        self.assertEqual(self.a.api("GET", "/v1/extensions/8001").json["registrations"], [])

    def test_contacts_are_listed_and_removed(self):
        p = self.extension("8004", self.a)
        other = self.extension("8004", self.c)
        r = p.try_register()
        self.assertEqual(len(r.all("contact")), 2)
        self.assertIn(other.contact.strip("<>"), " ".join(r.all("contact")))
        self.assertNotIn("+sip.instance", r.text().decode())
        # Both ring for one call: the second when the first cannot be reached.
        r = other.try_register(expires=0)
        self.assertEqual([uri_of(c) for c in r.all("contact")], [p.contact.strip("<>")])


class Ipv6(CallCase):
    """One more node's worth: IPv6 beside IPv4, on the one address that every machine has, at a free port."""

    @classmethod
    def setUpClass(cls):
        cls.port = free_port6()
        cls.cluster = Cluster(1, start=False)
        cls.addClassCleanup(cls.cluster.close)
        cls.a = cls.cluster[0]
        cls.a.configure(listen={"sip": [cls.a.sip, "[::1]:%d" % cls.port], "https": "%s:%d" % (cls.a.ip, HTTPS),
                                "peer": "%s:%d" % (cls.a.ip, PEER), "rtp": {"ports": "20000-29999"}})
        cls.cluster.start()
        cls.passwords = cls.cluster.apply_demo()
        cls.numbers = iter(range(4255560000, 4255560100))

    def test_tone_over_udp_and_tcp(self):
        r = self.a.api("PUT", "/v1/trunks/six", {"sources": ["::1/128"]})
        self.assertIn(r.status, (200, 201), r)
        for transport in ("udp", "tcp"):
            rtp = Rtp("::1")
            self.addCleanup(rtp.close)
            with Ua("::1", "::1", self.port, transport, str(next(self.numbers))) as ua:
                self.assertEqual(ua.request("OPTIONS", "sip:" + bracketed("::1")).status, 200)
                d = ua.invite("10001", sdp(rtp.ip, rtp.port))
                r = d.final()
                self.assertEqual(r.status, 200)
                self.assertIn("[::1]:%d" % self.port, d.target)
                self.assertIn("c=IN IP6 ::1", r.body)
                d.ack()
                rtp.remote = ("::1", int(re.search(r"m=audio (\d+)", r.body).group(1)))
                rtp.send_tone(800)
                rtp.wait_tone(800)
                self.assertEqual(d.send("BYE").status, 200)
                self.assertEqual(self.record(ua.user)["trunk"], "six")
