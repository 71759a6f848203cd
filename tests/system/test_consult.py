"""More than two parties: consultation, conference, who leaves and who goes on. Who hears whom is told by the tones that all of them send; by
API and ccctl, and while the node that carries them dies."""
import test_takeover
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import tone_share, wait_for
from test_transfer import THIRD, THIRD_HZ, Parties

FOURTH = "8018"
FOURTH_HZ = 2000


class Room(Parties):
    def hears_all(self, call, *hz):
        """Several at once: each has its part in what is heard."""
        def all_there():
            heard = call.rtp.wait_samples(8000, after=call.rtp.mark())[-6000:]
            return all(tone_share(heard, f) > 0.15 for f in hz)
        wait_for(all_there, 10, "hears %s" % (hz,))

    def beeps(self, call, hz, since):
        """A tone of 150 ms, among what came since then."""
        def there():
            got = call.rtp.received[since:]
            return any(tone_share(got[i:i + 800], hz) > 0.6 for i in range(0, len(got) - 800, 200))
        wait_for(there, 10, "a tone of %d Hz" % hz)

    def hears_not(self, call, *hz):
        heard = call.rtp.wait_samples(8000, after=call.rtp.mark())[-6000:]
        for f in hz:
            self.assertLess(tone_share(heard, f), 0.05)

    def call(self, call_id):
        return self.a.api("GET", "/v1/calls/" + call_id).json

    def parties(self, call_id):
        return [(p["mode"], p["phase"], p["party"]) for p in self.call(call_id)["parties"]]

    def do(self, call_id, verb, body=None):
        r = self.a.ask("POST", "/v1/calls/%s:%s" % (call_id, verb), body)
        self.assertEqual(r.status, 202, r)

    def cdr(self, call_id):
        def there():
            r = self.a.api("GET", "/v1/cdrs/" + call_id)
            return r.status == 200 and r.json
        return wait_for(there, 10, "record")


class Consult(Room, CallCase):
    def begin(self):
        call, agent = self.talking()
        return call, agent, self.live(call.phone.user)["call_id"]

    def test_toggle_and_complete(self):
        """The agent consults while the customer hears music, turns to and fro, and leaves both to each other."""
        call, agent, call_id = self.begin()
        third = self.third(on_invite="ring")
        self.cluster.must("call", "consult", call_id, "--extension", THIRD)
        there = third.wait_call()
        self.hears_music(call, AGENT_HZ)
        self.hears(agent, 450)
        there.answer()
        self.hears(agent, THIRD_HZ)
        self.hears(there, AGENT_HZ)
        self.hears_music(call, AGENT_HZ, THIRD_HZ)
        self.assertEqual(self.parties(call_id), [("consult", "joined", THIRD)])
        self.assertIn(THIRD, self.cluster.must("call", "show", call_id).out)
        self.cluster.must("call", "toggle", call_id)
        self.hear_each_other(call, agent)
        self.hears_music(there, AGENT_HZ, CALLER_HZ)
        self.cluster.must("call", "toggle", call_id)
        self.hears(there, AGENT_HZ)
        consultation = self.call(call_id)["parties"][0]["call_id"]
        self.cluster.must("call", "complete", call_id)
        self.wait_state(self.agent_number, "wrap_up")
        agent.wait_ended()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        self.hears_not(call, AGENT_HZ)
        there.hangup()
        call.wait_ended()
        r = self.record(call.phone.user)
        self.assertEqual([(s["number"], s["ended"]) for s in r["segments"]],
                         [(agent.phone.user, "transfer"), (call.phone.user, "end"), (THIRD, "hang_up")])
        s = self.cdr(consultation)
        self.assertEqual((s["cause"], s["caller"], s["answered_by"], s["segments"][0]["call_id"]), ("merged", agent.phone.user, THIRD, call_id))

    def test_conference(self):
        """Consult, then all three; a fourth is rung into it and sent away; the customer hangs up and the others go on."""
        call, agent, call_id = self.begin()
        third, fourth = self.third(), self.extension(FOURTH, self.b, tone=FOURTH_HZ)
        self.do(call_id, "consult", {"extension": THIRD})
        there = third.wait_call()
        self.hears(there, AGENT_HZ)
        self.cluster.must("parameter", "set", "conference_tones", "on")
        before = there.rtp.mark()
        self.do(call_id, "conference")
        self.beeps(there, 880, before)
        self.hears_all(call, AGENT_HZ, THIRD_HZ)
        self.hears_all(agent, CALLER_HZ, THIRD_HZ)
        self.hears_all(there, CALLER_HZ, AGENT_HZ)
        self.cluster.must("call", "conference", call_id, "--extension", FOURTH)
        last = fourth.wait_call()
        self.hears_all(last, CALLER_HZ, AGENT_HZ, THIRD_HZ)
        self.hears_all(call, AGENT_HZ, THIRD_HZ, FOURTH_HZ)
        before = call.rtp.mark()
        self.cluster.must("call", "drop", call_id, "--party", FOURTH)
        self.beeps(call, 440, before)
        self.cluster.must("parameter", "set", "conference_tones", "off")
        last.wait_ended()
        self.hears_not(call, FOURTH_HZ)
        self.hears_all(call, AGENT_HZ, THIRD_HZ)
        call.hangup()
        self.hears(there, AGENT_HZ)
        self.hears(agent, THIRD_HZ)
        self.hears_not(agent, CALLER_HZ)
        self.assertEqual([leg["number"] for leg in self.call(call_id)["legs"]], [THIRD, agent.phone.user])
        agent.hangup()
        there.wait_ended()
        self.assertEqual([(s["number"], s["ended"]) for s in self.cdr(call_id)["segments"]],
                         [(call.phone.user, "hang_up"), (THIRD, "end"), (agent.phone.user, "hang_up")])

    def test_cancelled_and_hung_up(self):
        """A consultation is cancelled while it rings; another one is completed by hanging up."""
        call, agent, call_id = self.begin()
        third = self.third(on_invite="ring")
        self.do(call_id, "consult", {"extension": THIRD})
        third.wait_call().wait_status("INVITE")
        self.do(call_id, "cancel")
        wait_for(lambda: all(c.ended for c in third.incoming), 10, "it rings no more")
        self.hear_each_other(call, agent)
        third.on_invite = "answer"
        self.do(call_id, "consult", {"extension": THIRD})
        there = wait_for(lambda: [c for c in third.incoming if not c.ended][-1:], 10, "rung")[0]
        self.hears(there, AGENT_HZ)
        agent.hangup()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        call.hangup()
        there.wait_ended()
        self.assertEqual(self.record(call.phone.user)["answered_by"], THIRD)


class NodesDie(Room, test_takeover.Takeover):
    def test_owner_dies(self):
        """In a consultation, and once more in a conference: all go on at another node, and each hears whom he heard."""
        caller, call, _, agent = self.connected()
        third = self.third()
        call_id = self.call_of(caller)["call_id"]
        self.do(call_id, "consult", {"extension": THIRD})
        there = third.wait_call()
        self.hears(there, AGENT_HZ)
        self.hears(agent, THIRD_HZ)
        after = self.kill_and_see(caller)
        self.assertEqual([p["mode"] for p in after["parties"]], ["consult"])
        self.hears(there, AGENT_HZ)
        self.hears(agent, THIRD_HZ)
        self.hears_music(call, AGENT_HZ, THIRD_HZ)
        self.cluster.must("parameter", "set", "conference_tones", "on")
        before = there.rtp.mark()
        self.do(call_id, "conference")
        self.beeps(there, 880, before)
        self.hears_all(call, AGENT_HZ, THIRD_HZ)
        self.hears_all(agent, CALLER_HZ, THIRD_HZ)
        self.hears_all(there, CALLER_HZ, AGENT_HZ)
        self.do(call_id, "drop", {"party": "callee"})
        agent.wait_ended()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        call.hangup()
        there.wait_ended()
        self.record(caller, ended_by="caller")

    def test_conference_of_a_dying_node(self):
        caller, call, _, agent = self.connected()
        third = self.third()
        call_id = self.call_of(caller)["call_id"]
        self.do(call_id, "conference", {"extension": THIRD})
        there = third.wait_call()
        self.hears_all(call, AGENT_HZ, THIRD_HZ)
        self.kill_and_see(caller)
        self.hears_all(call, AGENT_HZ, THIRD_HZ)
        self.hears_all(agent, CALLER_HZ, THIRD_HZ)
        self.hears_all(there, CALLER_HZ, AGENT_HZ)
        self.one_source(call)
        agent.hangup()
        self.hears(call, THIRD_HZ)
        self.hears(there, CALLER_HZ)
        there.hangup()
        call.wait_ended()
