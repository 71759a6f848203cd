"""What callers hear in a queue: welcome, music, their place again and again, who answers them; also when their node dies."""
import unittest

from callcase import AGENT_HZ, CALLER_HZ, CallCase, find, prompt_piece, wait_prompt
from everline import wait_for
from test_prompt import stereo_file
from test_takeover import Takeover

MUSIC_HZ = 520
FIRST_S, EVERY_S = 4, 8
NUMBER = "10030"


def configure(case, **queue):
    """Queue `service` for number 10030 in English; each node has it."""
    case.cluster.must("prompt", "upload", "tune", stereo_file(case.cluster.path("tune.wav"), MUSIC_HZ, seconds=2), "--language", "en", deadline=60)
    heard = dict({"music": "tune", "welcome": "queue_wait", "announce": ["position"], "announce_first_s": FIRST_S, "announce_every_s": EVERY_S}, **queue)
    r = case.a.api("PATCH", "/v1/queues/service", heard, headers={"Content-Type": "application/merge-patch+json"})
    case.assertEqual(r.status, 200, r)
    r = case.a.api("PUT", "/v1/access-numbers/" + NUMBER, {"queue": "service", "language": "en"})
    case.assertIn(r.status, (200, 201), r)
    for n in case.cluster:
        wait_for(lambda: n.api("GET", "/v1/access-numbers/" + NUMBER).status == 200, 10, "%s has the number" % n.name)


def times_of(call, key, language="en"):
    """When the prompt was heard, in seconds of what was received."""
    with call.rtp.lock:
        samples = list(call.rtp.received)
    piece, at, out = prompt_piece(language, key), 0, []
    while True:
        found = find(samples[at:], piece)
        if found is None:
            return out
        at += found + len(piece)
        out.append(at / 8000)


class Heard(CallCase):
    deadline = 120

    def tearDown(self):
        r = self.a.api("PATCH", "/v1/queues/service", {"announce_agent": False, "announce": [], "music": "", "welcome": "", "announce_position_max": 0, "keys": []},
                       headers={"Content-Type": "application/merge-patch+json"})
        self.assertEqual(r.status, 200, r)

    def test_place_and_who_answers(self):
        configure(self, announce_agent=True)
        first = self.caller(self.a, tone=CALLER_HZ).invite(NUMBER).wait_answered()
        wait_prompt(first.rtp, "en", "queue_wait")
        second = self.caller(self.c).invite(NUMBER).wait_answered()
        for call, place in ((first, "num_1"), (second, "num_2")):
            wait_prompt(call.rtp, "en", "queue_position_before", deadline=20)
            wait_prompt(call.rtp, "en", place)
            wait_prompt(call.rtp, "en", "queue_position_after")
            call.rtp.wait_tone(MUSIC_HZ, after=call.rtp.mark())
        phone = self.extension("8001", self.b, tone=AGENT_HZ)
        self.cluster.must("agent", "login", "1001")
        self.addCleanup(self.logout, "1001")
        self.addCleanup(first.hangup)
        self.addCleanup(second.hangup)
        self.cluster.must("agent", "set-state", "1001", "ready")
        there = phone.wait_call().wait_answered()
        at = first.rtp.mark()
        wait_prompt(first.rtp, "en", "agent_number_after", after=max(0, at - 4000))
        with first.rtp.lock:
            said = first.rtp.received[max(0, at - 4000):]
        for key in ("agent_number_before", "num_1", "num_0", "num_0", "num_1", "agent_number_after"):
            piece = prompt_piece("en", key)
            begin = find(said, piece)
            self.assertIsNotNone(begin, key)
            said = said[begin + len(piece):]
        self.hear_each_other(first, there)
        # the place of the other is told anew, and is another one
        at = second.rtp.mark()
        wait_prompt(second.rtp, "en", "num_1", deadline=20, after=at)
        second.hangup()
        first.hangup()
        self.assertEqual(self.record(first.phone.user)["agent"], "1001")

    def test_silence_and_a_limit(self):
        configure(self, music="silence", welcome="", announce_first_s=0, announce_every_s=1, announce=["position", "queue_still_waiting"], announce_position_max=1)
        first, second = (self.caller(n).invite(NUMBER).wait_answered() for n in (self.a, self.b))
        wait_prompt(first.rtp, "en", "queue_position_before")
        wait_prompt(second.rtp, "en", "queue_still_waiting")
        wait_prompt(first.rtp, "en", "queue_still_waiting")
        self.assertEqual(times_of(second, "queue_position_before"), [])
        for c in (first, second):
            c.hangup()
            self.record(c.phone.user)

    def test_keys(self):
        """In an announcement and in the music; what is chosen is in the state of all nodes and is done once."""
        r = self.a.api("PUT", "/v1/flows/night", {"definition": {"languages": ["en"], "start": "say", "nodes": {
            "say": {"type": "hangup", "prompts": ["outage"]}}}})
        self.assertIn(r.status, (200, 201), r)
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/flows/night").status == 200, 10, "%s has the flow" % n.name)
        configure(self, welcome="", announce=["position", "queue_still_waiting"], announce_first_s=0, announce_every_s=60)
        self.cluster.must("queue", "set", "service", "--key", "1=stay", "--key", "2=flow:night", "--key", "0=hangup:goodbye")
        call = self.caller(self.b).invite(NUMBER).wait_answered()
        wait_prompt(call.rtp, "en", "queue_position_before")
        call.rtp.send_digits("1")
        call.rtp.wait_tone(MUSIC_HZ, after=call.rtp.mark())
        self.assertEqual(times_of(call, "queue_still_waiting"), [], "he did not want to hear it")
        self.assertEqual(self.live(call.phone.user)["phase"], "waiting")
        call.rtp.send_digits("72")
        wait_prompt(call.rtp, "en", "outage", after=call.rtp.mark())
        for n in self.cluster:
            c = self.live(call.phone.user, n)
            self.assertEqual((c["phase"], c["flow"]), ("menu", "night"))
        call.hangup()
        self.record(call.phone.user)
        call = self.caller(self.c).invite(NUMBER).wait_answered()
        wait_prompt(call.rtp, "en", "queue_position_before")
        call.rtp.send_digits("0")
        wait_prompt(call.rtp, "en", "goodbye", after=call.rtp.mark())
        call.wait_ended()
        self.assertEqual(self.record(call.phone.user)["cause"], "choice")

    def test_estimated_wait(self):
        """As reckoned for somebody with one agent, who talks: three minutes each."""
        configure(self, welcome="", announce=["wait"], announce_first_s=1, announce_every_s=5)
        phone = self.extension("8002", self.b)
        self.ready("1002")
        first = self.caller(self.a).invite(NUMBER).wait_answered()
        phone.wait_call().wait_answered()
        second = self.caller(self.c).invite(NUMBER).wait_answered()
        wait_prompt(second.rtp, "en", "queue_time_before")
        wait_prompt(second.rtp, "en", "num_3")
        wait_prompt(second.rtp, "en", "queue_time_after")
        second.hangup()
        first.hangup()
        self.record(first.phone.user)

    def test_refused(self):
        for body, field in (({"music": "nothing-like-it"}, "music"), ({"welcome": "nothing-like-it"}, "welcome"),
                            ({"announce": ["position", "nothing-like-it"]}, "announce[1]"), ({"announce_every_s": 3601}, "announce_every_s"),
                            ({"keys": [{"key": "x"}]}, "keys[0].key"), ({"keys": [{"key": "1", "action": {"type": "flow", "target": "none"}}]}, "keys[0].action.target")):
            r = self.a.api("PATCH", "/v1/queues/service", body, headers={"Content-Type": "application/merge-patch+json"})
            self.assertEqual((r.status, r.json["field"]), (422, field), r)
        self.cluster.must("queue", "set", "service", "--music", "queue_wait", "--announce", "position", "--announce-first", "5", "--announce-every", "30")
        p = self.cluster.must("queue", "show", "service", "-o", "json").json
        self.assertEqual((p["music"], p["announce"], p["announce_first_s"], p["announce_every_s"]), ("queue_wait", ["position"], 5, 30))


class Carried(Takeover):
    deadline = 120

    def test_nothing_twice_nothing_left_out(self):
        """The node dies between the first and the second announcement: welcome, then three times his place, and nothing else."""
        configure(self)
        caller = self.caller(self.victim)
        call = caller.invite(NUMBER).wait_answered()
        wait_prompt(call.rtp, "en", "queue_position_after", deadline=20)
        self.kill_and_see(caller)
        for _ in (2, 3):
            wait_prompt(call.rtp, "en", "queue_position_after", deadline=20, after=call.rtp.mark())
        call.rtp.wait_tone(MUSIC_HZ, after=call.rtp.mark())
        keys = ("queue_position_before", "num_1", "queue_position_after")
        said = sorted((at, key) for key in keys + ("queue_wait",) for at in times_of(call, key))
        self.assertEqual([key for _, key in said], ["queue_wait", *keys * 3])
        call.hangup()
        self.record(caller, ended_by="caller")

    def test_agent_number(self):
        """The node dies while it is said who answers: they are joined at once at the next one, and neither stays behind."""
        configure(self, announce_agent=True, announce=[], welcome="")
        phone = self.extension("8001", self.b, tone=AGENT_HZ)
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite(NUMBER).wait_answered()
        self.call_of(caller, phase="waiting", owner=self.victim.name)
        self.cluster.must("agent", "login", "1001")
        self.addCleanup(self.logout, "1001")
        there = phone.wait_call().wait_answered()
        wait_prompt(call.rtp, "en", "agent_number_before")
        self.kill_and_see(caller)
        self.hear_each_other(call, there)
        self.assertEqual(times_of(call, "agent_number_after"), [], "it died in the middle of it")
        there.rtp.wait_samples(8000, after=there.rtp.mark())
        self.one_source(call, there)
        self.assertEqual(len(phone.incoming), 1)
        call.hangup()
        there.wait_ended()
        self.record(caller, agent="1001", ended_by="caller", cause="normal")
        self.idle("1001")


if __name__ == "__main__":
    unittest.main()
