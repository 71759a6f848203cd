"""Sound in all conditions: hold by either side, codecs that differ, offers that come late, digits on their way."""
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import rms, tone_share, wait_for
from sip_phone import Rtp


class Talk(CallCase):
    def over(self, call, other):
        call.hangup()
        other.wait_ended()
        r = self.record(call.phone.user)
        self.assertEqual([q["rx_lost"] for q in r["quality"]], [0, 0])
        return r

    def hears_music(self, call, not_hz):
        """Neither silence nor the other's tone, nor a tone at all."""
        at = call.rtp.mark()
        heard = call.rtp.wait_samples(16000, after=at)[-12000:]
        self.assertGreater(rms(heard), 200)
        self.assertLess(tone_share(heard, not_hz), 0.05)

    def silent(self, call):
        """Nothing is sent to who does not want it: what was on its way has come, then no packet."""
        before = call.rtp.packets
        return lambda: self.assertLessEqual(call.rtp.packets - before, 3)


class Hold(Talk):
    def hold(self, holder, held, hz, direction="sendonly"):
        r = holder.reinvite(direction)
        self.assertEqual(r.status, 200)
        self.assertIn("a=recvonly" if direction == "sendonly" else "a=inactive", r.body)
        quiet = self.silent(holder)
        self.hears_music(held, hz)
        quiet()
        leg = [x for x in self.live(self.caller_number, self.c)["legs"] if x["held"]]
        self.assertEqual(len(leg), 1)
        return leg[0]["role"]

    def test_caller_holds_and_resumes(self):
        call, other = self.talking()
        self.caller_number = call.phone.user
        for direction in ("sendonly", "inactive"):
            self.assertEqual(self.hold(call, other, CALLER_HZ, direction), "caller")
            self.assertIn("a=sendrecv", call.reinvite("sendrecv").body)
            self.hear_each_other(call, other)
        self.assertEqual([x["held"] for x in self.live(call.phone.user)["legs"]], [False, False])
        self.over(call, other)

    def test_agent_holds_and_resumes(self):
        call, other = self.talking()
        self.caller_number = call.phone.user
        self.assertEqual(self.hold(other, call, AGENT_HZ), "callee")
        self.assertEqual(self.state(self.agent_number), "talking")
        self.assertEqual(other.reinvite("sendrecv").status, 200)
        self.hear_each_other(call, other)
        self.over(call, other)

    def test_both_hold(self):
        call, other = self.talking()
        call.reinvite("sendonly")
        other.reinvite("sendonly")
        # Who resumes first is still held by the other one.
        other.reinvite("sendrecv")
        self.hears_music(other, CALLER_HZ)
        call.reinvite("sendrecv")
        self.hear_each_other(call, other)
        call.reinvite("sendonly")
        other.reinvite("sendonly")
        call.reinvite("sendrecv")
        self.hears_music(call, AGENT_HZ)
        other.reinvite("sendrecv")
        self.hear_each_other(call, other)
        self.over(call, other)

    def test_offers_asked_of_us(self):
        """A re-INVITE without a description: ours is the offer, the answer comes in the ACK."""
        call, other = self.talking()
        for c in (call, other):
            self.assertIn("m=audio", c.reinvite("sendonly", delayed=True).body)
            held, hz = (other, CALLER_HZ) if c is call else (call, AGENT_HZ)
            self.hears_music(held, hz)
            # Every node knows what the ACK said: the hold, and the description.
            role = "caller" if c is call else "callee"
            for n in self.cluster:
                wait_for(lambda: [x["role"] for x in self.live(call.phone.user, n)["legs"] if x["held"]] == [role], 5, "held at " + n.name)
            self.assertIn("m=audio", c.reinvite("sendrecv", delayed=True).body)
            self.hear_each_other(call, other)
            for n in self.cluster:
                wait_for(lambda: not any(x["held"] for x in self.live(call.phone.user, n)["legs"]), 5, "resumed at " + n.name)
        self.over(call, other)


    def test_other_ways_to_hold(self):
        """By UPDATE (RFC 3311), and by the address 0.0.0.0 of old telephones, by no audio at all (port 0)."""
        call, other = self.talking()
        call.sdp_version += 1
        r = call.send("UPDATE", call.description("sendonly"))
        self.assertEqual(r.status, 200)
        self.assertIn("a=recvonly", r.body)
        self.hears_music(other, CALLER_HZ)
        call.sdp_version += 1
        self.assertEqual(call.send("UPDATE", call.description()).status, 200)
        self.hear_each_other(call, other)
        old = call.description().replace("c=IN IP4 " + call.rtp.ip, "c=IN IP4 0.0.0.0")
        remote = call.rtp.remote
        self.assertEqual(call.reinvite(body=old).status, 200)
        self.hears_music(other, CALLER_HZ)
        call.rtp.remote = remote
        self.assertEqual(call.reinvite().status, 200)
        self.hear_each_other(call, other)
        none = call.description().replace("m=audio %d" % call.rtp.port, "m=audio 0")
        self.assertEqual(call.reinvite(body=none).status, 200)
        call.rtp.remote = remote
        quiet = self.silent(call)
        self.hears_music(other, CALLER_HZ)
        quiet()
        self.assertEqual(call.reinvite().status, 200)
        self.hear_each_other(call, other)
        self.over(call, other)

    def test_refused_offer_changes_nothing(self):
        call, other = self.talking()
        call.sdp_version += 1
        bad = call.description().replace("RTP/AVP 0 8 101", "RTP/AVP 18").replace("rtpmap:0 PCMU", "rtpmap:18 G729")
        for body in (bad, "v=0\r\nnonsense\r\n"):
            self.assertIn(call.reinvite(body=body).status, (400, 488))
            self.hear_each_other(call, other)
        self.over(call, other)


class Codecs(Talk):
    def test_mu_law_and_a_law(self):
        """Caller speaks PCMU only, the agent PCMA only, and the other way round."""
        for mine, his in ((0, 8), (8, 0)):
            call, other = self.talking({"payload_types": (mine,)}, {"payload_types": (his,)})
            self.assertEqual((call.rtp.payload_type, other.rtp.payload_type), (mine, his))
            self.over(call, other)

    def test_codec_changed_in_the_call(self):
        call, other = self.talking({"payload_types": (8,)})
        call.payload_types = [0]
        call.rtp.payload_type = 0
        call.rtp.send_tone(CALLER_HZ)
        r = call.reinvite()
        self.assertEqual(r.status, 200)
        self.assertIn("RTP/AVP 0", r.body)
        self.hear_each_other(call, other)
        call.rtp.kinds.clear()
        self.hear_each_other(call, other)
        self.assertEqual(call.rtp.kinds, {0})
        self.over(call, other)

    def test_new_media_address(self):
        """The caller's phone moves to another address (re-INVITE): sound follows."""
        call, other = self.talking()
        old, call.rtp = call.rtp, Rtp(self.cluster.network.client(), call.rtp.payload_type)
        self.addCleanup(old.close)
        old.silence()
        call.rtp.send_tone(CALLER_HZ)
        self.assertEqual(call.reinvite().status, 200)
        self.hear_each_other(call, other)
        self.over(call, other)

    def test_delayed_offer_into_the_queue(self):
        call, other = self.talking(body="")
        self.over(call, other)


class EarlyAnswer(Talk):
    def test_described_before_the_answer(self):
        """A 183 sent reliably carries the answer: the 200 says nothing more (RFC 3262 section 5)."""
        number = str(next(self.agents))
        phone = self.extension("8" + number[1:], self.b, on_invite="ignore", tone=AGENT_HZ)
        self.ready(number)
        p = self.caller(tone=CALLER_HZ)
        call = p.invite("10003").wait_answered()
        other = phone.wait_call()
        other._media(other.request.body)
        phone._reply(other.request, 183, "Session Progress", other, other.description(), [("require", "100rel"), ("rseq", "17")])
        wait_for(lambda: any(way == "<" and first.startswith("PRACK ") for _, way, first in phone.log), 5, "PRACK")
        other.answered = True
        phone._reply(other.request, 200, "OK", other)
        self.wait_phase(p.user, "talking")
        self.hear_each_other(call, other)
        self.over(call, other)


class Digits(Talk):
    def digits(self, call):
        return "".join(d for _, d in call.rtp.events)

    def test_events_are_relayed_both_ways(self):
        call, other = self.talking()
        call.rtp.send_digits("42#")
        other.rtp.send_digits("7*")
        with other.rtp.lock:
            self.assertTrue(other.rtp.lock.wait_for(lambda: self.digits(other) == "42#", 5), other.rtp.events)
        with call.rtp.lock:
            self.assertTrue(call.rtp.lock.wait_for(lambda: self.digits(call) == "7*", 5), call.rtp.events)
        self.hear_each_other(call, other)
        self.over(call, other)

    def test_info_becomes_events(self):
        call, other = self.talking()
        r = call.send("INFO", "Signal=5\r\nDuration=160\r\n", "application/dtmf-relay")
        self.assertEqual(r.status, 200)
        with other.rtp.lock:
            self.assertTrue(other.rtp.lock.wait_for(lambda: self.digits(other) == "5", 5), other.rtp.events)
        self.over(call, other)
