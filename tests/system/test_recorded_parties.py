"""Calls of more than two parties that are recorded: who is heard in which channel while they consult, talk all together, are listened to; by codes
of the telephone the recording is paused and the call marked; and the node that carries them dies."""
import csv
import io
import os
import time
import unittest
import zipfile

import test_recording
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import elapse, rms, tone_share, wait_for
from sip_phone import RATE
from test_consult import FOURTH, FOURTH_HZ, Room
from test_listen import SUPERVISOR
from test_transfer import THIRD, THIRD_HZ

ALL_HZ = (CALLER_HZ, AGENT_HZ, THIRD_HZ, FOURTH_HZ)


class Recorded(Room, test_recording.Recordings, CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.apply(SUPERVISOR)

    def passes(self, name, seconds=0.9):
        """So long things stay as they are; noted where that is."""
        begun = time.time()
        elapse(seconds, name)
        self.stages[name] = (begun, time.time())

    def heard(self, row, name, left, right):
        """In that stage exactly these are heard in both channels."""
        at = [t - self.began for t in self.stages[name]]
        for channel, tones in ((row[0], left), (row[1], right)):
            piece = channel[int((at[0] + 0.25) * RATE):int((at[1] - 0.2) * RATE)]
            if not tones:
                self.assertLess(rms(piece), 50, name)
                continue
            shares = {hz: round(tone_share(piece, hz), 3) for hz in ALL_HZ}
            self.assertEqual({hz for hz in ALL_HZ if shares[hz] > 0.15}, set(tones), (name, shares))
            self.assertLess(max(shares[hz] for hz in ALL_HZ if hz not in tones) if set(ALL_HZ) - set(tones) else 0, 0.03, (name, shares))

    def paused(self, call_id, on):
        wait_for(lambda: self.call(call_id)["recording_paused"] == on, 5, "paused" if on else "goes on")

    def test_all_who_take_part(self):
        self.victim, self.stages = self.c, {}
        agent = self.extension("8019", self.b, tone=AGENT_HZ)
        self.ready("1019")
        caller = self.caller(self.victim, tone=CALLER_HZ)
        call = caller.invite("10003").wait_answered()
        there = agent.wait_call()
        self.hear_each_other(call, there)
        call_id = self.live(caller.user)["call_id"]
        self.passes("two")
        third, fourth = self.third(), self.extension(FOURTH, self.b, tone=FOURTH_HZ)
        self.do(call_id, "consult", {"extension": FOURTH})
        colleague = fourth.wait_call()
        self.hears(colleague, AGENT_HZ)
        self.passes("consultation")
        self.cluster.must("call", "toggle", call_id)
        self.hear_each_other(call, there)
        self.passes("toggled")
        self.do(call_id, "conference")
        self.hears_all(call, AGENT_HZ, FOURTH_HZ)
        self.passes("conference")
        self.cluster.must("call", "listen", call_id, "--agent", "1020")
        boss = third.wait_call()
        self.hears_all(boss, CALLER_HZ, AGENT_HZ)
        self.passes("listened to")
        self.cluster.must("call", "barge", call_id, "--agent", "1020")
        self.hears_all(call, AGENT_HZ, FOURTH_HZ, THIRD_HZ)
        self.passes("barged into")
        self.keys(call, there, call_id)
        there.rtp.send_digits("*84")
        self.paused(call_id, True)
        self.passes("paused")
        self.victim.kill9()
        wait_for(lambda: (self.live(caller.user) or {}).get("owner") not in (None, self.victim.name), 10, "another node has the call")
        self.hears_all(call, AGENT_HZ, FOURTH_HZ, THIRD_HZ)
        self.passes("paused still")
        there.rtp.send_digits("*84")
        self.paused(call_id, False)
        self.passes("carried on", 1.2)
        for c in (boss, colleague, call):
            c.hangup()
        there.wait_ended()
        self.judged(caller, call_id)

    def keys(self, call, there, call_id):
        """A customer's keys do nothing, nor do others than these; one `*` does when no further key comes."""
        call.rtp.send_digits("*83")
        there.rtp.send_digits("*5")
        there.rtp.send_digits("83")
        there.rtp.wait_samples(12000, after=there.rtp.mark())
        self.assertFalse(self.call(call_id)["marked"])
        there.rtp.send_digits("*")
        wait_for(lambda: self.call(call_id)["marked"], 10, "marked")
        self.cluster.must("call", "set", call_id, "--marked", "no")
        there.rtp.send_digits("*83")
        wait_for(lambda: self.call(call_id)["marked"], 10, "marked")
        self.hears_all(there, CALLER_HZ, FOURTH_HZ)  # and no tone any more

    def judged(self, caller, call_id):
        row = self.recording(caller.user, self.b)
        self.began = self.call_began(row)
        whole, *sound = self.audio(row, self.b)
        ours, all_ours = [AGENT_HZ], [AGENT_HZ, FOURTH_HZ, THIRD_HZ]
        self.heard(sound, "two", [CALLER_HZ], ours)
        self.heard(sound, "consultation", [CALLER_HZ], [AGENT_HZ, FOURTH_HZ])
        self.heard(sound, "toggled", [CALLER_HZ], ours)
        self.heard(sound, "conference", [CALLER_HZ], [AGENT_HZ, FOURTH_HZ])
        self.heard(sound, "listened to", [CALLER_HZ], [AGENT_HZ, FOURTH_HZ])
        self.heard(sound, "barged into", [CALLER_HZ], all_ours)
        self.heard(sound, "paused", [], [])
        self.heard(sound, "paused still", [], [])
        self.heard(sound, "carried on", [CALLER_HZ], all_ours)
        self.assertEqual({(s["role"], s["number"], s["channel"]) for s in row["segments"]},
                         {("caller", caller.user, "left"), ("callee", "8019", "right"), ("joined", FOURTH, "right"), ("joined", THIRD, "right")})
        self.assertTrue(row["marked"])
        self.assertIn("1020", row["agents"])
        for noun in ("cdr", "recording"):
            self.assertIn(call_id, self.cluster.must(noun, "list", "--marked", "yes", "--caller", caller.user, node=1).out)
            self.assertNotIn(call_id, self.cluster.must(noun, "list", "--marked", "no", "--caller", caller.user, node=1).out)
        done = [(a["actor"], a["action"]) for a in self.a.api("GET", "/v1/audit?object=recording/" + call_id).json["items"]]
        self.kept_and_true(row, whole)
        self.assertEqual(done[-2:], [("agent:1019", "recording.resume"), ("agent:1019", "recording.pause")])

    def kept_and_true(self, row, whole):
        """The hash in the state is of what is stored, pauses and takeover and all; as one file with others; damage is told, and made good."""
        recording = row["recording_id"]
        self.assertIn("1 recordings verified, 0 of them", self.cluster.must("recording", "verify", recording, node=1).out)
        self.cluster.must("recording", "verify", "--all", node=0)
        path = self.cluster.path("case.zip")
        self.cluster.must("recording", "archive", path, "--caller", row["caller"], node=1)
        with zipfile.ZipFile(path) as z:
            self.assertIsNone(z.testzip())
            sound, index = z.namelist()
            self.assertEqual((index, z.read(sound)), ("index.csv", whole))
            [line] = csv.DictReader(io.StringIO(z.read(index).decode("utf-8-sig")))
            self.assertEqual((line["file"], line["recording_id"], line["sha256"], line["why_not"]), (sound, recording, row["sha256"], ""))
        blob = os.path.join(self.b.data, "blobs", row["sha256"])
        with open(blob, "r+b") as f:
            f.seek(5000)
            f.write(b"damage")
        r = self.cluster.ccctl("recording", "verify", recording, node=1)
        self.assertEqual(r.code, 10, r)
        self.assertIn("not the file whose hash is in the state", r.out)
        wait_for(lambda: self.cluster.ccctl("recording", "verify", recording, node=1).code == 0, 10, "fetched anew")

    @staticmethod
    def call_began(row):
        return time.mktime(time.strptime(row["started_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0" + row["started_at"][19:-1])


if __name__ == "__main__":
    unittest.main()
