"""Calls are recorded: who is heard in which channel, at which node it is listened to, and what is left of it when its node dies."""
import os
import struct
import unittest

from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import Events, elapse, tone_share, wait_for
from sip_phone import DECODE, RATE
from speakers import Speakers, plan, survived, talk

OTHER_HZ, LAST_HZ = 1500, 1900


def stereo(data):
    """Left and right of a WAV file of A-law, its header held against its length."""
    riff, size, wave, fmt, n, kind, channels, rate = struct.unpack("<4sI4s4sIHHI", data[:28])
    assert (riff, wave, fmt, kind, channels, rate) == (b"RIFF", b"WAVE", b"fmt ", 6, 2, RATE), data[:58]
    assert size == len(data) - 8
    count = struct.unpack("<I", data[54:58])[0]
    assert data[50:54] == b"data" and count == len(data) - 58
    return [[DECODE[8][b] for b in data[58 + ch::2]] for ch in (0, 1)]


def heard(samples, *tones):
    """What is heard in each tenth of a second: one of the tones, 0 (silence) or None (anything else)."""
    n, out = RATE // 10, []
    for i in range(0, len(samples) - n + 1, n):
        piece = samples[i:i + n]
        quiet = sum(abs(s) for s in piece) < 200 * n
        out.append(0 if quiet else next((hz for hz in tones if tone_share(piece, hz) > 0.8), None))
    return out


class Recordings:
    """What the tests of recordings share, beside CallCase."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.must("recording-rule", "set", "all", "--direction", "inbound")
        for n in cls.cluster:
            wait_for(lambda: n.api("GET", "/v1/recording-rules/all").status == 200, 10, "%s has the rule" % n.name)

    def setUp(self):
        self.victim = None
        self.addCleanup(self.come_back)

    def come_back(self):
        if self.victim and not self.victim.alive():
            self.victim.restart()
            wait_for(lambda: all(a["holder"] == a["home"] and a["bound"] for a in self.a.api("GET", "/v1/addresses").json["items"]), 20,
                     "addresses are at home")

    def recording(self, caller, node=None, deadline=15):
        def there():
            rows = (node or self.a).api("GET", "/v1/recordings?caller=" + caller).json["items"]
            self.assertLessEqual(len(rows), 1)
            return rows and rows[0]
        return wait_for(there, deadline, "the recording of %s" % caller)

    def audio(self, row, node=None):
        r = (node or self.a).api("GET", "/v1/recordings/%s/audio" % row["recording_id"])
        self.assertEqual((r.status, r.headers["content-type"], len(r.body)), (200, "audio/wav", row["bytes"]), r)
        left, right = stereo(r.body)
        self.assertEqual(len(left) // 8, row["duration_ms"])
        return r.body, left, right


class Recording(Recordings, CallCase):
    def no_clear_text(self, whole):
        """Neither the tone of the caller nor that of the agent lies on any disk as it was heard."""
        piece = whole[4058:4122]
        for n in self.cluster:
            for folder, _, files in os.walk(n.data):
                for name in files:
                    with open(os.path.join(folder, name), "rb") as f:
                        self.assertNotIn(piece, f.read(), name)

    def test_both_sides_from_talk_to_end(self):
        call, there = self.talking()
        live = self.live(call.phone.user)
        self.assertIsNotNone(live["recorded_at"])
        elapse(1.0, "they talk")
        # a hold: the caller hears music, the agent is not heard; the recording goes on
        there.rtp.silence()
        there.reinvite("sendonly")
        wait_for(lambda: self.live(call.phone.user)["legs"][1]["held"], 5, "held")
        elapse(1.0, "on hold")
        there.reinvite("sendrecv")
        there.rtp.send_tone(AGENT_HZ)
        self.hear_each_other(call, there)
        # paused: nothing is recorded of either, and again
        self.cluster.must("recording", "pause", live["call_id"], node=2)
        wait_for(lambda: self.live(call.phone.user)["recording_paused"], 5, "paused")
        call.rtp.send_tone(OTHER_HZ)
        elapse(1.2, "a card number")
        call.rtp.send_tone(CALLER_HZ)
        there.rtp.wait_tone(CALLER_HZ, after=there.rtp.mark())
        self.cluster.must("recording", "resume", live["call_id"], node=1)
        elapse(1.0, "they talk")
        call.hangup()
        there.wait_ended()
        row = self.recording(call.phone.user)
        record = self.record(call.phone.user)
        self.assertEqual((row["recording_id"], row["agent"], row["queue"], row["direction"], row["rule"], row["gaps"], row["hold"]),
                         (record["call_id"], self.agent_number, "service", "inbound", "all", [], False))
        self.assertEqual(record["recording_id"], row["recording_id"])
        self.assertAlmostEqual(row["duration_ms"], record["talk_ms"], delta=500)
        whole, left, right = self.audio(row)
        customer, agent = heard(left, CALLER_HZ, OTHER_HZ), heard(right, AGENT_HZ)
        self.assertNotIn(OTHER_HZ, customer)
        self.assertGreater(customer.count(CALLER_HZ), 25, customer)
        self.assertGreater(customer.count(0), 8, customer)  # the pause
        self.assertGreater(agent.count(AGENT_HZ), 15, agent)
        self.assertGreater(agent.count(0), 15, agent)  # hold and pause
        self.assertEqual((heard(left, AGENT_HZ).count(AGENT_HZ), heard(right, CALLER_HZ).count(CALLER_HZ)), (0, 0))
        self.listened(row, whole)

    def listened(self, row, whole):
        """At each node, in ranges, by ccctl; held, deleted; all of it in the audit trail; on the disks nobody reads it."""
        path = "/v1/recordings/" + row["recording_id"]
        for n in self.cluster:
            wait_for(lambda: n.api("GET", path).status == 200, 5, "%s has it" % n.name)
            self.assertEqual(self.audio(row, n)[0], whole)
        r = self.c.api("GET", path + "/audio", headers={"Range": "bytes=3990-8100"})
        self.assertEqual((r.status, r.body, r.headers["content-range"]), (206, whole[3990:8101], "bytes 3990-8100/%d" % len(whole)))
        self.assertEqual(self.c.api("GET", path + "/audio", headers={"Range": "bytes=%d-" % len(whole)}).status, 416)
        copy = self.cluster.path("call.wav")
        self.cluster.must("recording", "download", row["recording_id"], copy, node=1)
        with open(copy, "rb") as f:
            self.assertEqual(f.read(), whole)
        self.no_clear_text(whole)
        other = self.cluster.path("call.mp3")
        self.cluster.must("recording", "download", row["recording_id"], other, "--format", "mp3", node=2)
        with open(other, "rb") as f:
            self.assertEqual(f.read(1), b"\xff")
        self.assertEqual(self.audio(row, self.b)[0], whole)
        self.assertIn(row["recording_id"], self.cluster.must("recording", "list", "--agent", row["agent"], "--min-duration-ms", "1000", node=2).out)
        self.cluster.must("recording", "hold", row["recording_id"], node=2)
        self.assertNotEqual(self.cluster.ccctl("recording", "delete", row["recording_id"]).code, 0)
        self.cluster.must("recording", "hold", row["recording_id"], "--release")
        self.cluster.must("recording", "delete", row["recording_id"])
        self.assertEqual(self.a.api("GET", path + "/audio").status, 404)
        actions = [r["action"] for r in self.a.api("GET", "/v1/audit?object=recording/" + row["recording_id"]).json["items"]]
        self.assertEqual(actions, ["recording.delete", "recording.release", "recording.delete", "recording.hold"] + 9 * ["recording.play"] +
                         ["recording.resume", "recording.pause"])

    def test_owner_dies(self):
        """Killed in the middle: the same recording goes on at another node, at most 2 s of it are missing, and they are listed."""
        self.victim = self.c
        agent = self.extension("8020", self.b, tone=AGENT_HZ)
        self.ready("1020")
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003").wait_answered()
        there = agent.wait_call()
        self.hear_each_other(call, there)
        elapse(3.0, "they talk")
        self.victim.kill9()
        wait_for(lambda: (self.live(caller.user) or {}).get("owner") not in (None, self.victim.name), 10, "another node has the call")
        call.rtp.send_tone(OTHER_HZ)
        elapse(3.0, "they talk on")
        call.hangup()
        there.wait_ended()
        row = self.recording(caller.user, self.b)
        _, left, right = self.audio(row, self.b)
        self.assertLess(sum(g["to_ms"] - g["from_ms"] for g in row["gaps"]), 2000, row)
        customer, other = heard(left, CALLER_HZ, OTHER_HZ), heard(right, AGENT_HZ)
        before = len(customer) - 1 - customer[::-1].index(CALLER_HZ)
        after = customer.index(OTHER_HZ)
        self.assertGreater(before, 15, customer)
        self.assertLess(after - before, 20, customer)
        # What is missing is listed. Who dies at the end of a chunk and is followed at once leaves nothing missing but a part of the next one.
        unlisted = [i for i in range(before + 1, after) if not customer[i] and not any(g["from_ms"] <= i * 100 <= g["to_ms"] for g in row["gaps"])]
        self.assertLess(len(unlisted), 5, (row["gaps"], customer))
        self.assertGreater(customer.count(OTHER_HZ), 22, customer)
        self.assertGreater(other.count(AGENT_HZ), 45, other)
        for g in row["gaps"]:
            self.assertEqual(set(customer[g["from_ms"] // 100 + 1:g["to_ms"] // 100 - 1]) - {0}, set(), (g, customer))
        self.assertEqual(len([r for r in self.a.api("GET", "/v1/cdrs?caller=" + caller.user).json["items"] if r["recording_id"]]), 1)

    def test_twelve_calls_whose_node_dies(self):
        """Each 20 ms of each party is known by its mark: one file for each call, 2 s of it missing at most, and all that is missing listed. The same with
        50 calls is a figure of `make bench`."""
        self.victim = self.c
        with Speakers(self.cluster.network.client()) as crowd:
            plan(self.cluster, crowd, 12)
            callers = talk(self.cluster, crowd, 12, self.victim)
            elapse(2.0, "they talk")
            self.victim.kill9()

            def carried_on():
                rows = self.a.api("GET", "/v1/calls?phase=talking").json["items"]
                return len([r for r in rows if r["caller"] in callers and r["owner"] != self.victim.name]) == 12
            wait_for(carried_on, 15, "all go on at other nodes")
            elapse(3.0, "they talk on")
            crowd.hang_up_all()
            for i, s in enumerate(survived(self.b, callers)):
                self.assertEqual([{(who, side) for who, side in x} for x in s.sides], [{(int(callers[i]) % 64, 0)}, {((8500 + i) % 64, 1)}])
                self.assertLessEqual(s.lost_ms, 2000, s.row)
                self.assertGreater(s.duration_ms, 5000, s.row)
                self.assertLess(s.unmarked_ms, 100, s.row)
                self.assertLessEqual(len(s.gaps), 4, s.row)
            rows = [r for n in (self.a, self.b) for r in n.api("GET", "/v1/cdrs?limit=100").json["items"] if r["caller"] in callers]
            self.assertEqual((len(rows), len({r["recording_id"] for r in rows})), (24, 12))

    def test_one_recording_across_transfers(self):
        """To an agent, then his node dies, then to a queue: one file, in which the customer is left and right each who served him, found by all."""
        self.victim = self.c
        self.cluster.apply({"queues": [{"name": "sales", "ring_time_s": 20, "members": [{"agent": "1012"}]}]})
        first, second, third = (self.extension(n, self.b, tone=hz) for n, hz in (("8010", AGENT_HZ), ("8011", OTHER_HZ), ("8012", LAST_HZ)))
        self.ready("1010")
        self.ready("1011")
        self.cluster.must("agent", "set-state", "1011", "not_ready")
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003").wait_answered()
        there = first.wait_call()
        self.hear_each_other(call, there)
        elapse(1.0, "they talk")
        call_id = self.live(caller.user)["call_id"]
        self.cluster.must("agent", "set-state", "1011", "ready")
        self.cluster.must("call", "transfer", call_id, "--agent", "1011")
        there.wait_ended()
        there = second.wait_call()
        call.rtp.wait_tone(OTHER_HZ, after=call.rtp.mark())
        elapse(1.5, "they talk")
        self.victim.kill9()
        wait_for(lambda: (self.live(caller.user) or {}).get("owner") not in (None, self.victim.name), 10, "another node has the call")
        call.rtp.wait_tone(OTHER_HZ, after=call.rtp.mark())
        elapse(1.0, "they talk on")
        self.cluster.must("call", "transfer", call_id, "--queue", "sales", node=0)
        there.wait_ended()
        self.ready_of_two("1012")
        there = third.wait_call()
        call.rtp.wait_tone(LAST_HZ, after=call.rtp.mark())
        elapse(1.0, "they talk")
        call.hangup()
        there.wait_ended()
        row = self.recording(caller.user, self.b)
        self.assertEqual((row["recording_id"], row["agent"], row["agents"]), (call_id, "1010", ["1010", "1011", "1012"]))
        self.assertEqual([(s["number"], s["agent"], s["queue"], s["channel"]) for s in row["segments"]],
                         [("8010", "1010", "service", "right"), ("8011", "1011", "", "right"), (caller.user, "", "", "left"), ("8012", "1012", "sales", "right")])
        _, left, right = self.audio(row, self.b)
        self.assertLess(sum(g["to_ms"] - g["from_ms"] for g in row["gaps"]), 2000, row)
        customer, ours = heard(left, CALLER_HZ), heard(right, AGENT_HZ, OTHER_HZ, LAST_HZ)
        self.assertEqual(set(customer) - {None}, {0, CALLER_HZ})
        self.assertEqual(sorted(h for h in set(ours) if h), sorted((AGENT_HZ, OTHER_HZ, LAST_HZ)))
        for s, hz in ((row["segments"][0], AGENT_HZ), (row["segments"][1], OTHER_HZ), (row["segments"][3], LAST_HZ)):
            during = ours[s["from_ms"] // 100 + 3:s["to_ms"] // 100 - 3]
            self.assertEqual(set(during) - {hz, 0, None}, set(), (s, ours))
            self.assertGreater(during.count(hz), 4, (s, ours))
        for wanted in ("--agent=1011", "--agent=1012", "--number=8011", "--queue=sales", "--called=10003"):
            self.assertIn(call_id, self.cluster.must("recording", "list", wanted, "--caller", caller.user, node=0).out, wanted)
        self.assertNotIn(call_id, self.cluster.must("recording", "list", "--agent", "1013", node=1).out)

    def ready_of_two(self, agent):
        """While a node is away."""
        self.cluster.must("agent", "login", agent, node=0)
        self.working.add(agent)
        self.addCleanup(self.logout, agent)
        self.cluster.must("agent", "set-state", agent, "ready", node=0)

    def as_mp3(self, row):
        """By its rule it is kept so: made by one node, then the WAV file is gone; heard at each, whole and in ranges. One that is kept as WAV is made when
        somebody asks."""
        path = "/v1/recordings/" + row["recording_id"]
        done = wait_for(lambda: next((r for r in [self.b.api("GET", path).json] if r["format"] == "mp3"), None), 20, "it is kept as MP3")
        self.assertEqual((done["wav"], done["mp3"]["bytes"], done["duration_ms"]), (None, done["bytes"], row["duration_ms"]))
        self.assertLess(done["bytes"], row["bytes"] / 3)
        whole = None
        for n in self.cluster:
            wait_for(lambda: n.api("GET", path).json["format"] == "mp3", 5, "%s has it" % n.name)
            r = n.api("GET", path + "/audio")
            self.assertEqual((r.status, r.headers["content-type"], len(r.body)), (200, "audio/mpeg", done["bytes"]))
            self.assertEqual((r.body[0], r.body[1] & 0xFE, r.body[3] & 0xC0), (0xFF, 0xE2, 0))  # MPEG 2.5 layer 3, stereo
            whole = whole or r.body
            self.assertEqual(r.body, whole)
        r = self.c.api("GET", path + "/audio?format=mp3", headers={"Range": "bytes=3990-8100"})
        self.assertEqual((r.status, r.body), (206, whole[3990:8101]))
        self.assertEqual(self.a.api("GET", path + "/audio?format=wav").status, 409)
        self.assertEqual(self.a.api("GET", path + "/audio?format=ogg").status, 422)

    def test_nothing_can_be_written(self):
        """The call is as any other; what it would have been recorded to is told; and the next one is recorded."""
        agent = self.extension("8019", self.b, tone=AGENT_HZ)
        self.ready("1019")
        folder = os.path.join(self.c.data, "recordings")
        os.rename(folder, folder + ".away")
        with Events(self.a) as events:
            caller = self.caller(self.c, tone=CALLER_HZ)
            call = caller.invite("10003").wait_answered()
            there = agent.wait_call()
            self.hear_each_other(call, there)
            dropped = events.wait("everline.recording.dropped", deadline=15)
            self.assertEqual(dropped["data"]["recording_id"], self.live(caller.user)["call_id"])
            self.hear_each_other(call, there)
            self.assertIsNone(self.live(caller.user)["recorded_at"])
        os.rename(folder + ".away", folder)
        call.hangup()
        there.wait_ended()
        self.assertIsNone(self.record(caller.user)["recording_id"])
        self.wait_state("1019", "idle")
        caller = self.caller(self.c, tone=CALLER_HZ)
        call = caller.invite("10003").wait_answered()
        self.hear_each_other(call, agent.wait_call(2))
        call.hangup()
        self.recording(caller.user)

    def test_between_two_of_ours(self):
        """The caller is left, by a rule of their own; what a muted one says is not recorded."""
        self.cluster.must("recording-rule", "set", "internal", "--direction", "internal", "--order", "1", "--format", "mp3")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/recording-rules/internal").status == 200, 10, "%s has the rule" % n.name)
        first, second = self.extension("8017", self.a, tone=CALLER_HZ), self.extension("8018", self.b, tone=AGENT_HZ)
        call = first.invite("8018").wait_answered()
        there = second.wait_call()
        self.hear_each_other(call, there)
        elapse(1.0, "they talk")
        self.cluster.must("call", "mute", self.live("8017")["call_id"], "--leg", "caller")
        wait_for(lambda: self.live("8017")["legs"][0]["muted"], 5, "muted")
        call.rtp.send_tone(OTHER_HZ)
        elapse(1.0, "he asks a colleague")
        # who called leaves: who stays takes his seat, and is right as before
        third = self.extension("8016", self.a, tone=LAST_HZ)
        self.cluster.must("call", "transfer", self.live("8017")["call_id"], "--extension", "8016", "--leg", "caller")
        call.wait_ended()
        last = third.wait_call()
        there.rtp.wait_tone(LAST_HZ, after=there.rtp.mark())
        elapse(1.0, "they talk")
        last.hangup()
        there.wait_ended()
        row = self.recording("8017")
        self.assertEqual([(s["number"], s["channel"]) for s in row["segments"]], [("8017", "left"), ("8018", "right"), ("8016", "left")])
        self.assertEqual((row["direction"], row["answered_by"], row["rule"]), ("internal", "8018", "internal"))
        _, left, right = self.audio(row)
        said = heard(left, CALLER_HZ, OTHER_HZ, LAST_HZ)
        self.assertGreater(said.count(CALLER_HZ), 8, said)
        self.assertNotIn(OTHER_HZ, said)
        self.assertGreater(said.count(0), 6, said)
        self.assertGreater(said.count(LAST_HZ), 8, said)
        self.assertEqual(set(heard(right, AGENT_HZ, LAST_HZ)) - {None, 0}, {AGENT_HZ})
        self.as_mp3(row)
        self.assertGreater(heard(right, AGENT_HZ).count(AGENT_HZ), 18)


class WithoutKey(CallCase):
    conf = {"recording_key_file": None}

    def test_nothing_is_recorded_in_clear(self):
        self.cluster.must("recording-rule", "set", "all")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/recording-rules/all").status == 200, 10, "%s has the rule" % n.name)
            self.assertIn("no recording_key_file", n.log_text())
        call, there = self.talking()
        elapse(1.0, "they talk")
        self.hear_each_other(call, there)
        call.hangup()
        there.wait_ended()
        self.assertIsNone(self.record(call.phone.user)["recording_id"])
        for n in self.cluster:
            self.assertEqual(os.listdir(os.path.join(n.data, "recordings")), [])


if __name__ == "__main__":
    unittest.main()
