"""Calls that talk go on elsewhere: by API and ccctl, by REFER of two kinds of telephones, in vain, and while nodes die. Who hears whom is
told by the tones that they send."""
import csv
import os
import re
import signal
import socket
import urllib.parse

import test_takeover
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import Baresip, Events, Sipp, free_port, rms, tone_share, wait_for

THIRD_HZ = 1500
RINGBACK_HZ = 450
THIRD = "8020"


class Parties:
    """What the tests here share."""

    def hears(self, call, hz):
        call.rtp.wait_tone(hz, after=call.rtp.mark())

    def hears_music(self, call, *not_hz):
        heard = call.rtp.wait_samples(16000, after=call.rtp.mark())[-12000:]
        self.assertGreater(rms(heard), 200)
        for hz in not_hz:
            self.assertLess(tone_share(heard, hz), 0.05)

    def silent(self, call, hz):
        """It hears packets, and nothing in them."""
        def quiet():
            heard = call.rtp.wait_samples(4000, after=call.rtp.mark())[-4000:]
            return rms(heard) < 20 and tone_share(heard, hz) < 0.5
        wait_for(quiet, 5, "nothing is heard")

    def third(self, **options):
        return self.extension(THIRD, self.a, tone=THIRD_HZ, **options)

    def comes_in(self, agent):
        """While somebody waits: he is rung at once."""
        self.cluster.must("agent", "login", agent)
        self.working.add(agent)
        self.addCleanup(self.logout, agent)

    def refer(self, call, number, *extra):
        return call.send("REFER", extra=[("refer-to", "<sip:%s@%s>" % (number, call.phone.server)), *extra])

    @staticmethod
    def names(call):
        """As the one sees it whom the telephone has called; for a URI."""
        return urllib.parse.quote("%s;to-tag=%s;from-tag=%s" % (call.call_id, call.remote_tag, call.local_tag), safe="")

    def attended(self, call, other):
        """Names the other call of the same telephone."""
        return call.send("REFER", extra=[("refer-to", "<sip:%s@%s?Replaces=%s&Require=replaces>" % (
            THIRD, call.phone.server, self.names(other)))])

    @staticmethod
    def told(call):
        """Status lines of the NOTIFYs that came, in order, each once."""
        lines, seen = [], set()
        for m in list(call.phone.requests):
            if m.method == "NOTIFY" and m.get("call-id") == call.call_id and m.cseq[0] not in seen:
                seen.add(m.cseq[0])
                lines.append((int(m.body.split()[1]), m.get("subscription-state").split(";")[0]))
        return lines

    def wait_told(self, call, *statuses):
        """Exactly these, the last one ends it."""
        want = [(s, "terminated" if s >= 200 else "active") for s in statuses]
        wait_for(lambda: self.told(call) == want, 10, "NOTIFYs %s (%s)" % (want, self.told(call)))

    def parts(self, record):
        return [(s["role"], s["number"], s["agent"] or "", s["ended"]) for s in record["segments"]]


class Transfer(Parties, CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.apply({"queues": [{"name": "sales", "ring_time_s": 20, "members": [{"agent": "1019"}]}],
                           "access_numbers": [{"number": "10019", "queue": "sales"}]})

    def test_agent_refers_to_a_telephone(self):
        """He leaves and has his wrap-up; the caller hears ringing, then the third one; each step is told to who asked."""
        call, other = self.talking()
        third = self.third(on_invite="ring")
        with Events(self.a) as events:
            self.assertEqual(self.refer(other, THIRD).status, 202)
            e = events.wait("everline.call.transferred")
        self.assertEqual({k: e["data"][k] for k in ("from_agent", "action", "target")},
                         {"from_agent": self.agent_number, "action": "extension", "target": THIRD})
        other.wait_ended()
        self.wait_state(self.agent_number, "wrap_up")
        there = third.wait_call()
        self.hears(call, RINGBACK_HZ)
        self.wait_told(other, 100, 180)
        there.answer()
        self.wait_told(other, 100, 180, 200)
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        self.wait_state(self.agent_number, "idle")
        call.hangup()
        there.wait_ended()
        r = self.record(call.phone.user)
        self.assertEqual((r["transfers"], r["queue"], r["agent"], r["answered_by"]), (1, "service", self.agent_number, THIRD))
        self.assertEqual(self.parts(r), [("callee", other.phone.user, self.agent_number, "transfer"),
                                         ("caller", call.phone.user, "", "hang_up"), ("callee", THIRD, "", "end")])
        rows = list(csv.DictReader(self.cluster.must("cdr", "list", "--caller", call.phone.user, "-o", "csv").out.splitlines()))
        self.assertEqual([x["transfers"] for x in rows], ["1"])

    def test_to_a_queue_and_on(self):
        """By ccctl: the caller hears the music of the queue, then its agent, who sends him to a menu."""
        call, other = self.talking()
        self.cluster.must("call", "transfer", self.live(call.phone.user)["call_id"], "--queue", "sales", "--priority", "3")
        other.wait_ended()
        waiting = self.wait_phase(call.phone.user, "waiting")
        self.assertEqual((waiting["queue"], waiting["position"]), ("sales", 1))
        seller = self.extension("8019", self.b, tone=THIRD_HZ)
        self.comes_in("1019")
        there = seller.wait_call()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        self.assertEqual(self.refer(there, "10000", ("refer-sub", "false")).status, 202)
        there.wait_ended()
        self.assertEqual(self.wait_phase(call.phone.user, "menu")["flow"], "welcome")
        self.assertEqual(self.told(there), [])
        call.hangup()
        r = self.record(call.phone.user)
        self.assertEqual(self.parts(r), [("callee", other.phone.user, self.agent_number, "transfer"), ("callee", "8019", "1019", "transfer"),
                                         ("caller", call.phone.user, "", "hang_up")])
        rows = self.a.api("GET", "/v1/audit?action=call.transfer").json["items"]
        self.assertEqual(sorted({x["actor"].split(":")[0] for x in rows}), ["phone", "token"])

    def test_who_called_leaves(self):
        """A telephone that has called another one refers it to a queue: it waits there with music, and is served."""
        mine, his = self.extension("8017", self.a, tone=CALLER_HZ), self.extension("8018", self.b, tone=AGENT_HZ)
        call = mine.invite("8018").wait_answered()
        there = his.wait_call()
        self.hears(call, AGENT_HZ)
        self.hears(there, CALLER_HZ)
        self.assertEqual(self.refer(call, "10019").status, 202)
        call.wait_ended()
        self.wait_told(call, 100, 200)
        self.wait_phase("8018", "waiting")
        self.hears_music(there, CALLER_HZ)
        self.assertEqual(there.reinvite("sendonly").status, 200)  # all that a caller can do works in the new seat
        wait_for(lambda: self.live("8018")["legs"][0]["held"], 5, "held")
        self.assertEqual(there.reinvite("sendrecv").status, 200)
        seller = self.extension("8019", self.b, tone=THIRD_HZ)
        self.comes_in("1019")
        served = seller.wait_call()
        self.hears(there, THIRD_HZ)
        self.hears(served, AGENT_HZ)
        there.hangup()
        served.wait_ended()
        r = self.record("8017")
        self.assertEqual((r["direction"], r["called"], r["agent"]), ("internal", "8018", "1019"))
        self.assertEqual(self.parts(r), [("caller", "8017", "", "transfer"), ("caller", "8018", "", "hang_up"), ("callee", "8019", "1019", "end")])

    def test_in_vain(self):
        """The third one is busy: who transferred is rung again, and talks on."""
        call, other = self.talking()
        self.third(on_invite="busy")
        self.assertEqual(self.refer(other, THIRD).status, 202)
        other.wait_ended()
        back = other.phone.wait_call(2)
        self.wait_told(other, 100, 486)
        back.wait_answered()
        self.hears(call, AGENT_HZ)
        self.hears(back, CALLER_HZ)
        self.cluster.must("parameter", "set", "transfer_recall", "off")
        self.addCleanup(self.cluster.must, "parameter", "delete", "transfer_recall")
        self.cluster.must("call", "transfer", self.live(call.phone.user)["call_id"], "--extension", THIRD)
        call.wait_ended()
        self.assertEqual(self.record(call.phone.user)["cause"], "transfer_failed")

    def test_attended(self):
        """The agent holds, asks a third one by the second line of his telephone, which is at another node, and connects the two."""
        call, other = self.talking()
        self.assertEqual(self.cluster.ccctl("call", "set", self.live(call.phone.user)["call_id"], "--notes", "urgent").code, 0)
        third = self.third()
        self.assertEqual(other.reinvite("sendonly").status, 200)
        second = other.phone.invite(THIRD).wait_answered()
        there = third.wait_call()
        self.hears(there, AGENT_HZ)
        self.assertEqual({self.live(x.phone.user)["owner"] for x in (call, second)}, {self.a.name, self.b.name})
        self.assertEqual(self.attended(other, second).status, 202)
        self.wait_told(other, 100, 200)
        other.wait_ended()
        second.wait_ended()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        self.assertEqual(self.live(call.phone.user)["notes"], "urgent")
        self.wait_state(self.agent_number, "idle")
        call.hangup()
        there.wait_ended()
        r = self.record(call.phone.user)
        self.assertEqual(self.parts(r), [("callee", other.phone.user, self.agent_number, "transfer"),
                                         ("caller", call.phone.user, "", "hang_up"), ("callee", THIRD, "", "end")])
        self.assertEqual(self.record(other.phone.user)["cause"], "merged")

    def test_attended_while_it_rings(self):
        call, other = self.talking()
        third = self.third(on_invite="ring")
        second = other.phone.invite(THIRD).wait_status(180)
        rung = third.wait_call()
        self.assertEqual(self.attended(other, second).status, 202)
        second.wait_ended()
        self.assertEqual(second.status, 487)
        self.assertEqual(rung.wait_ended().reason, "CANCEL")
        other.wait_ended()
        there = third.wait_call(2)
        self.hears(call, RINGBACK_HZ)
        there.answer()
        self.wait_told(other, 100, 180, 200)
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        # to the number, without Replaces, while the second line talks with whoever is there
        (call2, other2), third2 = self.talking(), self.extension("8019", self.a, tone=THIRD_HZ)
        second2 = other2.phone.invite("8019").wait_answered()
        there2 = third2.wait_call()
        self.assertEqual(self.refer(other2, "8019").status, 202)
        second2.wait_ended()
        self.hears(call2, THIRD_HZ)
        self.hears(there2, CALLER_HZ)
        there2.hangup()
        call2.wait_ended()
        there.hangup()
        call.wait_ended()

    def test_refused(self):
        """Only telephones of ours transfer, and only to what there is; the call talks on."""
        call, other = self.talking()
        call_id = self.live(call.phone.user)["call_id"]
        self.assertEqual(self.refer(call, THIRD).status, 403)  # the caller is behind a trunk
        for number, status in (("4711", 404), ("10001", 403), (THIRD, 480)):  # 8020 is not registered
            self.assertEqual(self.refer(other, number).status, status, number)
        self.assertEqual(other.send("REFER", extra=[("refer-to", "<sip:8001@x?Replaces=a>")]).status, 400)
        self.assertEqual(self.attended(other, call).status, 202)  # no call of that telephone
        self.wait_told(other, 481)
        for body, status, field in (({}, 422, "agent"), ({"queue": "none"}, 404, "queue"), ({"extension": THIRD, "flow": "welcome"}, 422, "agent"),
                                    ({"extension": THIRD}, 409, "extension"), ({"extension": other.phone.user}, 409, "extension"), ({"queue": "sales", "leg": "1"}, 404, "leg"), ({"queu": "x"}, 422, "queu")):
            r = self.a.api("POST", "/v1/calls/%s:transfer" % call_id, body)
            self.assertEqual((r.status, r.json["field"]), (status, field), r)
        self.assertEqual(self.a.api("POST", "/v1/calls/00000000000000aa:transfer", {"queue": "sales"}).status, 404)
        self.hear_each_other(call, other)
        other.hangup()
        call.wait_ended()
        r = self.record(call.phone.user)
        self.assertEqual((r["transfers"], r["segments"]), (0, []))

    def test_held_and_muted_by_request(self):
        """Beside what the telephone does: who is held hears music until neither holds him; who is muted hears all the same."""
        call, other = self.talking()
        call_id = self.live(call.phone.user)["call_id"]
        self.cluster.must("call", "hold", call_id)  # the agent holds
        self.hears_music(call, AGENT_HZ)
        leg = next(x for x in self.live(call.phone.user)["legs"] if x["role"] == "callee")
        self.assertTrue(leg["held"])
        before = other.rtp.packets
        self.hears_music(call, AGENT_HZ)  # two seconds
        self.assertLessEqual(other.rtp.packets - before, 3)
        self.assertEqual(other.reinvite("sendonly").status, 200)
        self.cluster.must("call", "resume", call_id)
        self.hears_music(call, AGENT_HZ)  # his telephone still does
        self.assertEqual(other.reinvite("sendrecv").status, 200)
        self.hear_each_other(call, other)
        self.cluster.must("call", "mute", call_id, "--leg", "caller")
        wait_for(lambda: self.live(call.phone.user)["legs"][0]["muted"], 5, "muted")
        self.silent(other, CALLER_HZ)
        self.hears(call, AGENT_HZ)
        self.cluster.must("call", "unmute", call_id, "--leg", "caller")
        self.hear_each_other(call, other)
        call.hangup()
        other.wait_ended()
        self.assertEqual([q["rx_lost"] for q in self.record(call.phone.user)["quality"]], [0, 0])

    @staticmethod
    def last_told(sipp):
        """What its last NOTIFY said; None: it has not come. It was hung up on then, too."""
        with open(sipp.messages, encoding="ISO-8859-1") as f:
            seen = f.read()
        last = re.search(r"(?s)terminated;reason=noresource.*?\n\r?\nSIP/2.0 ([^\r\n]*)", seen)
        return last.group(1) if last and "\nBYE sip:" in seen else None

    def test_sipp(self):
        """A third kind of telephone: blind, then attended, its second line being another device of the same extension."""
        with open(os.path.join(os.path.dirname(__file__), "sipp_refer.xml"), encoding="ISO-8859-1") as f:
            scenario = f.read()
        ip = self.cluster.network.client()
        port = free_port(ip, socket.SOCK_DGRAM)
        self.cluster.apply({"extensions": [{"number": "8031", "password": "second-line", "contact": "sip:8031@%s:%d" % (ip, port)}]})
        self.passwords["8031"] = "second-line"
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/extensions/8031").status == 200, 10, "the telephone is known")
        third, second = self.third(), self.extension("8031", self.b, register=False, tone=AGENT_HZ)
        for i, attended in enumerate((False, True), 1):
            to, line = "sip:%s@%s" % (THIRD, self.a.ip), None
            if attended:
                line = second.invite(THIRD).wait_answered()
                there = third.wait_call(i)
                to += "?Replaces=" + self.names(line)
            sipp = Sipp(self.cluster, scenario, self.a.ip, ip=ip, port=port, args=("-key", "to", to))
            self.addCleanup(sipp.end)
            caller = self.extension("8016", self.a, tone=CALLER_HZ)
            call = caller.invite("8031").wait_answered()
            self.assertEqual(wait_for(lambda: self.last_told(sipp), 10, "sipp is told the end of it"), "200 OK")
            sipp.end()
            if attended:
                line.wait_ended()
            else:
                there = third.wait_call(i)
            self.hears(call, THIRD_HZ)
            self.hears(there, CALLER_HZ)
            call.hangup()
            there.wait_ended()
            self.assertEqual(self.parts(self.record("8016", count=i)), [
                ("callee", "8031", "", "transfer"), ("caller", "8016", "", "hang_up"), ("callee", THIRD, "", "end")])

    def test_baresip(self):
        """Another kind of telephone: baresip's /transfer."""
        number = str(next(self.agents))
        phone = Baresip(self.cluster, "8" + number[1:], self.b.ip, self.passwords["8" + number[1:]])
        self.addCleanup(phone.end)
        self.known("8" + number[1:], self.b)
        self.ready(number)
        third = self.third()
        call = self.caller(tone=CALLER_HZ).invite("10003").wait_answered()
        self.wait_phase(call.phone.user, "talking")
        phone.wait("CALL_ESTABLISHED")
        heard = len(call.rtp.heard)
        wait_for(lambda: len(call.rtp.heard) > heard + 50, 10, "a second of the telephone that will have left")
        at = phone.mark()
        phone.command("transfer", "sip:%s@%s" % (THIRD, self.b.ip))
        phone.wait("CALL_CLOSED", after=at)
        there = third.wait_call()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        self.assertFalse([e for e in phone.events[at:] if e.get("type") == "TRANSFER_FAILED"])
        there.hangup()
        call.wait_ended()
        record = self.record(call.phone.user)
        self.assertEqual(record["answered_by"], THIRD)
        # how all three sounded, who has left among them
        self.assertEqual([q["role"] for q in record["quality"]], ["callee", "caller", "callee"])
        for q in record["quality"]:
            self.assertGreater(q["mos"], 4, record["quality"])


class NodesDie(Parties, test_takeover.Takeover):
    def test_right_after_the_commit(self):
        """It is in the state, and its owner says nothing any more: who leaves is hung up on by the next one, who rings the third."""
        caller, call, _, there = self.connected()
        third = self.third()
        self.cluster.hand_over(self.a)
        call_id = self.call_of(caller)["call_id"]
        pids = self.victim.workers()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        r = self.a.api("POST", "/v1/calls/%s:transfer" % call_id, {"extension": THIRD})
        self.assertEqual(r.status, 202, r)
        self.assertFalse(there.ended)
        self.kill_and_see(caller)
        there.wait_ended()
        got = third.wait_call()
        self.hears(call, THIRD_HZ)
        self.hears(got, CALLER_HZ)
        self.one_source(call)
        call.hangup()
        got.wait_ended()
        self.assertEqual(self.record(caller, transfers=1)["answered_by"], THIRD)
        self.idle("1001")

    def test_while_the_third_rings(self):
        """The one who called leaves, so that both seats change; then his node dies."""
        mine, his = self.extension("8017", self.victim, tone=CALLER_HZ), self.extension("8018", self.b, tone=AGENT_HZ)
        third = self.third(on_invite="ring")
        call = mine.invite("8018").wait_answered()
        there = his.wait_call()
        self.hears(there, CALLER_HZ)
        self.assertEqual(self.refer(call, THIRD).status, 202)
        call.wait_ended()
        third.wait_call().wait_status("INVITE")
        wait_for(lambda: self.a.api("GET", "/v1/calls?caller=8018").json["items"][0]["phase"] == "dialling", 10, "it rings")
        self.kill()
        wait_for(lambda: self.a.api("GET", "/v1/calls?caller=8018").json["items"][0]["epoch"] == 2, 10, "carried on")
        third.on_invite = "answer"
        ringing = wait_for(lambda: [c for c in third.incoming if not c.ended][-1], 10, "it rings on, or again")
        ringing.answer()
        self.hears(there, THIRD_HZ)
        self.hears(ringing, AGENT_HZ)
        ringing.hangup()
        there.wait_ended()
        self.assertEqual(self.parts(self.record(mine)), [("caller", "8017", "", "transfer"), ("caller", "8018", "", "end"),
                                                         ("callee", THIRD, "", "hang_up")])

    def test_attended_at_a_node_that_dies(self):
        """Right behind the commit, of which the owner says nothing any more; who consulted has his second line at another node."""
        caller, call, agent, there = self.connected()
        third = self.third()
        self.cluster.hand_over(self.a)
        second = agent.invite(THIRD).wait_answered()
        got = third.wait_call()
        self.hears(got, AGENT_HZ)
        refer = self.attended(there, second)
        self.kill_and_see(caller)
        self.assertEqual(refer.status, 202)
        self.hears(call, THIRD_HZ)
        self.hears(got, CALLER_HZ)
        there.wait_ended()
        second.wait_ended()
        self.one_source(call)
        call.hangup()
        got.wait_ended()
        self.record(caller, ended_by="caller")
        self.idle("1001")

    def test_attended_after_the_node_died(self):
        """Both calls of the telephone are owned by a node that dies while he consults; wherever each goes on, they become one."""
        caller, call, agent, there = self.connected()
        third = self.third()
        self.assertEqual(there.reinvite("sendonly").status, 200)
        second = agent.invite(THIRD, server=self.victim.ip).wait_answered()
        got = third.wait_call()
        self.hears(got, AGENT_HZ)
        self.kill_and_see(caller)
        wait_for(lambda: self.a.api("GET", "/v1/calls?caller=8001").json["items"][0]["epoch"] == 2, 10, "the second one is carried on")
        self.hears(got, AGENT_HZ)
        self.assertEqual(self.attended(there, second).status, 202)
        self.wait_told(there, 100, 200)
        second.wait_ended()
        self.hears(call, THIRD_HZ)
        self.hears(got, CALLER_HZ)
        got.hangup()
        call.wait_ended()
        self.record(caller, ended_by="callee", answered_by=THIRD)
        self.idle("1001")

    def quiet(self, yes):
        r = self.a.api("PATCH", "/v1/access-numbers/10003", {"quiet": yes}, headers={"Content-Type": "application/merge-patch+json"})
        self.assertEqual(r.status, 200, r)

    def test_in_the_queue_that_it_went_to(self):
        self.quiet(False)  # who calls it hears music
        self.addCleanup(self.quiet, True)
        caller, call, agent, there = self.connected()
        self.cluster.apply({"queues": [{"name": "sales", "members": [{"agent": "1019"}]}]})
        self.assertEqual(self.refer(there, "10000").status, 202)
        there.wait_ended()
        self.call_of(caller, phase="menu")
        call.rtp.wait_samples(8000, after=call.rtp.mark())
        self.cluster.must("agent", "set-state", "1001", "not_ready")
        call.rtp.send_digits("1")
        before = self.call_of(caller, phase="waiting")
        self.music(call)
        after = self.kill_and_see(caller)
        self.assertEqual((after["phase"], after["queued_at"]), ("waiting", before["queued_at"]))
        self.music(call)
        self.cluster.must("agent", "set-state", "1001", "ready")
        back = self.rung(agent, 2)
        back.wait_answered()
        self.hears(call, AGENT_HZ)
        self.hears(back, CALLER_HZ)
        self.one_source(call)
        call.hangup()
        back.wait_ended()
        self.record(caller, transfers=1)

    def test_held_and_muted_by_request(self):
        caller, call, _, there = self.connected()
        call_id = self.call_of(caller)["call_id"]
        for verb in ("hold", "mute"):
            self.assertEqual(self.a.api("POST", "/v1/calls/%s:%s" % (call_id, verb), {}).status, 202)
        self.hears_music(call, AGENT_HZ)
        after = self.kill_and_see(caller)
        self.assertEqual([(x["held"], x["muted"]) for x in after["legs"]], [(False, False), (True, True)])
        self.hears_music(call, AGENT_HZ)
        self.assertEqual(self.a.api("POST", "/v1/calls/%s:resume" % call_id, {}).status, 202)
        self.hears(there, CALLER_HZ)
        self.silent(call, AGENT_HZ)
        self.assertEqual(self.a.api("POST", "/v1/calls/%s:unmute" % call_id, {}).status, 202)
        self.hears(call, AGENT_HZ)
        self.one_source(call, there)
        call.hangup()
        there.wait_ended()
        self.record(caller, ended_by="caller")
