"""Callers leave messages: by flows and by actions of queues, kept on all nodes, listened to at any, and recorded on when a node dies."""
import os
import struct
import subprocess
import unittest

from callcase import CallCase, wait_prompt
from everline import Events, elapse, tone_share, wait_for
from sip_phone import DECODE, RATE

FIRST_HZ, SECOND_HZ = 700, 1100
MERGE = {"Content-Type": "application/merge-patch+json"}


def alaw(data):
    """The samples of a WAV file of A-law, its header held against its length."""
    riff, size, wave, fmt, n, kind, channels, rate = struct.unpack("<4sI4s4sIHHI", data[:28])
    assert (riff, wave, fmt, kind, channels, rate) == (b"RIFF", b"WAVE", b"fmt ", 6, 1, RATE), data[:58]
    assert size == len(data) - 8
    count = struct.unpack("<I", data[54:58])[0]
    assert data[50:54] == b"data" and count + count % 2 == len(data) - 58
    return [DECODE[8][b] for b in data[58:58 + count]]


def tone_from_to(samples, hz):
    """[s] Where this tone begins and ends, to 100 ms."""
    n = RATE // 10
    at = [i for i in range(0, len(samples) - n + 1, n) if sum(abs(s) for s in samples[i:i + n]) > 200 * n and tone_share(samples[i:i + n], hz) > 0.8]
    return (at[0] / RATE, (at[-1] + n) / RATE) if at else None


class Voicemail(CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        flow = {"name": "notes", "languages": ["en"], "start": "note", "nodes": {
            "note": {"type": "record", "variable": "note", "max_s": 60, "silence_s": 2, "next": "said", "on_fail": "bye"},
            "said": {"type": "branch", "cases": [{"if": "note == ''", "next": "bye"}], "else": "again"},
            "again": {"type": "voicemail", "box": "night", "prompts": ["voicemail_greeting"], "max_s": 2, "next": "bye"},
            "bye": {"type": "hangup"}}}
        reviewed = {"name": "reviewed", "languages": ["en"], "start": "leave", "nodes": {
            "leave": {"type": "voicemail", "box": "reviewed", "review": True}}}
        queues = [{"name": "night", "strategy": "longest_idle", "no_agents_action": {"type": "voicemail"}, "voicemail_greeting": "queue_no_agent"}]
        cls.cluster.apply({"flows": [flow, reviewed], "queues": queues,
                           "access_numbers": [{"number": "10042", "flow": "reviewed"}, {"number": "10040", "flow": "notes"},
                                              {"number": "10041", "queue": "night"}]})
        for n in cls.cluster:
            wait_for(lambda: n.api("GET", "/v1/access-numbers/10041").status == 200, 10, "%s has the numbers" % n.name)

    def setUp(self):
        self.victim = None
        self.addCleanup(self.come_back)

    def come_back(self):
        if self.victim and not self.victim.alive():
            self.victim.restart()
            wait_for(lambda: all(a["holder"] == a["home"] and a["bound"] for a in self.a.api("GET", "/v1/addresses").json["items"]), 20,
                     "addresses are at home")

    def messages(self, caller, node=None, **filters):
        query = "".join("&%s=%s" % f for f in filters.items())
        return (node or self.a).api("GET", "/v1/messages?caller=%s%s" % (caller.user, query)).json["items"]

    def message(self, caller, count=1, node=None, deadline=10):
        rows = wait_for(lambda: len(self.messages(caller, node)) == count and (self.messages(caller, node) or [None]), deadline, "%d messages of %s" % (count, caller.user))
        return rows[0]

    def audio(self, row, node=None):
        r = (node or self.a).api("GET", "/v1/messages/%s/audio" % row["message_id"])
        self.assertEqual((r.status, r.headers["content-type"]), (200, "audio/wav"), r)
        samples = alaw(r.body)
        self.assertEqual(len(samples) // 8, row["duration_ms"])
        self.assertEqual(len(r.body), row["bytes"])
        return r.body, samples

    def recording(self, call, caller, node):
        """Until the flow records there, and what he says from now on is recorded."""
        return wait_for(lambda: (self.live(caller.user) or {}).get("flow_node") == node and self.live(caller.user), 10, "%s records at %s" % (caller.user, node))

    def test_recorded_and_kept(self):
        caller = self.caller(tone=FIRST_HZ)
        with Events(self.b) as events:
            call = caller.invite("10040").wait_answered()
            self.recording(call, caller, "note")
            elapse(2.5, "what he has to say")
            call.rtp.silence()
            first = self.message(caller)  # ended by silence, which is not kept
            self.assertEqual((first["box"], first["called"], first["flow"], first["heard"]), ("record", "10040", "notes", False))
            new = events.wait("everline.message.new", match=lambda e: e["data"]["message_id"] == first["message_id"])
            self.assertEqual((new["data"]["caller"], new["data"]["duration_ms"]), (caller.user, first["duration_ms"]))
        row = wait_for(lambda: (self.live(caller.user) or {}).get("flow_node") == "again" and self.live(caller.user), 10, "the greeting")
        self.assertEqual(row["variables"]["note"], first["message_id"])
        begins, ends = tone_from_to(self.audio(first)[1], FIRST_HZ)
        self.assertAlmostEqual(first["duration_ms"] / 1000, ends + 0.5, delta=0.2)
        self.assertGreater(ends - begins, 2.0)

        # a key ends the greeting; a tone; as long as it may be; thanks; and the flow goes on
        call.rtp.send_tone(SECOND_HZ)
        call.rtp.send_digits("1")
        call.rtp.wait_tone(1000, seconds=0.2, deadline=10, after=call.rtp.mark())
        second = self.message(caller, 2)
        self.assertEqual((second["box"], second["duration_ms"]), ("night", 2000))
        begins, ends = tone_from_to(self.audio(second)[1], SECOND_HZ)
        self.assertGreater(ends - begins, 1.7)
        call.wait_ended(20)
        record = self.record(caller.user)
        self.assertEqual((record["ended_by"], record["cause"]), ("system", "normal"))
        self.everywhere(caller, first, second)

    def everywhere(self, caller, first, second):
        """Each node lists and plays both; a range of one; marked, found by it, deleted."""
        for n in self.cluster:
            self.assertEqual([m["message_id"] for m in self.messages(caller, n)], [second["message_id"], first["message_id"]])
            whole, _ = self.audio(first, n)
        path = "/v1/messages/" + first["message_id"]
        r = self.c.api("GET", path + "/audio", headers={"Range": "bytes=58-157"})
        self.assertEqual((r.status, r.body, r.headers["content-range"]), (206, whole[58:158], "bytes 58-157/%d" % len(whole)))
        self.assertEqual(self.c.api("GET", path + "/audio", headers={"Range": "bytes=%d-" % len(whole)}).status, 416)
        copy = self.cluster.path("message.wav")
        self.cluster.must("message", "save", first["message_id"], copy, node=1)
        with open(copy, "rb") as f:
            self.assertEqual(f.read(), whole)
        self.cluster.must("message", "heard", first["message_id"], node=2)
        wait_for(lambda: [m["message_id"] for m in self.messages(caller, heard="false")] == [second["message_id"]], 5, "one is new")
        self.cluster.must("message", "heard", first["message_id"], "--not", node=2)
        wait_for(lambda: len(self.messages(caller, heard="false")) == 2, 5, "both are new")
        self.cluster.must("message", "heard", first["message_id"], node=2)
        wait_for(lambda: len(self.messages(caller, self.c, heard="false")) == 1, 5, "one is new")
        self.assertIn(first["message_id"], self.cluster.must("message", "list", "--heard", "yes", "--box", "record", node=2).out)
        self.assertEqual(self.a.api("PATCH", path, {"box": "x"}, headers=MERGE).status, 422)
        self.cluster.must("message", "delete", first["message_id"], node=2)
        for n in self.cluster:
            wait_for(lambda: len(self.messages(caller, n)) == 1, 5, "it is gone at " + n.name)
        self.assertEqual(self.a.api("GET", path + "/audio").status, 404)
        self.assertEqual(self.cluster.ccctl("message", "show", first["message_id"]).code, 3)
        actions = [r["action"] for r in self.a.api("GET", "/v1/audit?object=message/" + first["message_id"]).json["items"]]
        self.assertEqual([a for a in actions if a != "message.play"], ["message.delete", "message.heard", "message.unheard", "message.heard"])
        self.assertIn("message.play", actions)

    def left(self, call, hz):
        """From the tone on he says something, and presses #; then he is told his choice."""
        call.rtp.wait_tone(1000, seconds=0.2, deadline=20, after=call.rtp.mark())
        call.rtp.send_tone(hz)
        elapse(1.5, "what he has to say")
        call.rtp.send_digits("#")
        call.rtp.silence()
        wait_prompt(call.rtp, "en", "review_menu", after=call.rtp.mark())

    def test_reviewed_while_the_node_dies(self):
        """Listened to, while the node dies; at the next one recorded again, and kept; then one that is discarded."""
        self.victim = self.c
        caller = self.caller(self.c)
        call = caller.invite("10042").wait_answered()
        call.rtp.send_digits("1")
        self.left(call, FIRST_HZ)
        first = self.message(caller)
        call.rtp.send_digits("1")
        call.rtp.wait_tone(FIRST_HZ, seconds=0.3, deadline=10, after=call.rtp.mark())
        self.c.kill9()
        wait_for(lambda: (self.live(caller.user) or {}).get("epoch") == 2, 10, "another node has the call")
        call.rtp.wait_tone(FIRST_HZ, seconds=0.5, deadline=15, after=call.rtp.mark())
        wait_prompt(call.rtp, "en", "review_menu", after=call.rtp.mark())
        call.rtp.send_digits("3")
        self.left(call, SECOND_HZ)
        self.assertNotEqual(self.message(caller)["message_id"], first["message_id"])
        call.rtp.send_digits("2")
        wait_prompt(call.rtp, "en", "voicemail_thanks", after=call.rtp.mark())
        call.wait_ended(20)
        kept = self.message(caller)
        begins, ends = tone_from_to(self.audio(kept)[1], SECOND_HZ)
        self.assertGreater(ends - begins, 1.0)
        self.assertEqual([m["message_id"] for m in self.messages(caller, self.b)], [kept["message_id"]])
        self.assertEqual(self.a.api("GET", "/v1/messages/" + first["message_id"]).status, 404)

        other = self.caller(self.a)
        call = other.invite("10042").wait_answered()
        call.rtp.send_digits("1")
        self.left(call, FIRST_HZ)
        self.message(other)
        call.rtp.send_digits("*")
        wait_prompt(call.rtp, "en", "review_discarded", after=call.rtp.mark())
        call.wait_ended(20)
        self.message(other, 0)

    def test_queue_without_agents(self):
        """An action leads to the queue's box; who hangs up has left his message as well."""
        caller = self.caller(tone=FIRST_HZ)
        call = caller.invite("10041").wait_answered()
        call.rtp.send_digits("1")
        call.rtp.wait_tone(1000, seconds=0.2, deadline=20)
        elapse(1.5, "what he has to say")
        call.hangup()
        row = self.message(caller)
        self.assertEqual((row["box"], row["queue"], row["flow"]), ("night", "night", "voicemail:night"))
        begins, ends = tone_from_to(self.audio(row)[1], FIRST_HZ)
        self.assertGreater(ends - begins, 1.0)
        self.assertEqual(self.record(caller.user)["queue"], "night")

        # nothing said is nothing kept, and a full box takes no more
        caller = self.caller()
        call = caller.invite("10041").wait_answered()
        call.rtp.send_digits("1")
        call.rtp.wait_tone(1000, seconds=0.2, deadline=20)
        call.rtp.send_digits("#")
        call.wait_ended(20)
        self.assertEqual(self.messages(caller), [])
        self.cluster.must("parameter", "set", "message_box_max", "1")
        self.addCleanup(self.cluster.must, "parameter", "delete", "message_box_max")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/parameters/message_box_max").status == 200, 5, "the limit")
        caller = self.caller(tone=FIRST_HZ)
        call = caller.invite("10041").wait_answered()
        call.rtp.send_digits("1")
        call.wait_ended(20)
        self.assertEqual(self.messages(caller), [])
        self.assertEqual(self.record(caller.user)["cause"], "normal")

    def test_nothing_can_be_written(self):
        """The caller is told, the call ends in order, the node goes on, and records again when it can."""
        folder = os.path.join(self.c.data, "recordings")
        os.rename(folder, folder + ".away")
        caller = self.caller(self.c, tone=FIRST_HZ)
        call = caller.invite("10041").wait_answered()
        call.rtp.send_digits("1")
        wait_prompt(call.rtp, "zh", "voicemail_failed", 20)
        call.wait_ended(20)
        self.assertEqual(self.record(caller.user)["cause"], "normal")
        self.assertEqual(self.messages(caller), [])
        os.rename(folder + ".away", folder)
        self.leaves_a_message_at(self.c)

    def leaves_a_message_at(self, node):
        caller = self.caller(node, tone=FIRST_HZ)
        call = caller.invite("10041").wait_answered()
        call.rtp.send_digits("1")
        call.rtp.wait_tone(1000, seconds=0.2, deadline=20)
        elapse(1.5, "what he has to say")
        call.hangup()
        self.message(caller)

    @unittest.skipUnless(os.geteuid() == 0, "only root mounts a small disk")
    def test_disk_becomes_full(self):
        """Two seconds of sound fit: the caller is told in the middle of his message, nothing of it stays anywhere, and the node goes on."""
        folder = os.path.join(self.c.data, "recordings")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "small", folder], check=True)
        self.addCleanup(lambda: os.path.ismount(folder) and subprocess.run(["umount", "-l", folder], check=True))
        caller = self.caller(self.c, tone=FIRST_HZ)
        with Events(self.b) as events:
            call = caller.invite("10041").wait_answered()
            call.rtp.send_digits("1")
            wait_for(lambda: os.listdir(folder), 20, "it is recorded")
            name = os.listdir(folder)[0]
            wait_prompt(call.rtp, "zh", "voicemail_failed", 20)
            dropped = events.wait("everline.message.dropped", match=lambda e: e["data"]["caller"] == caller.user)
            self.assertEqual(dropped["data"]["reason"], "no_space")
        call.wait_ended(20)
        self.assertEqual(self.record(caller.user)["cause"], "normal")
        self.assertEqual(self.messages(caller), [])
        for n in self.cluster:
            wait_for(lambda: not os.path.exists(os.path.join(n.data, "recordings", name)), 5, "it is gone at " + n.name)
        self.assertEqual(self.c.api("GET", "/readyz").status, 200)
        subprocess.run(["umount", "-l", folder], check=True)
        self.leaves_a_message_at(self.c)

    def test_owner_dies(self):
        """Killed in the middle: the same message goes on at another node, at most 2 s of it are missing."""
        self.victim = self.c
        caller = self.caller(self.victim, tone=FIRST_HZ)
        call = caller.invite("10040").wait_answered()
        self.recording(call, caller, "note")
        elapse(3.0, "what he has to say")
        self.victim.kill9()
        wait_for(lambda: (self.live(caller.user) or {}).get("owner") not in (None, self.victim.name), 10, "another node has the call")
        call.rtp.send_tone(SECOND_HZ)
        elapse(2.5, "what he has to say")
        call.rtp.send_digits("#")
        row = self.message(caller)
        _, samples = self.audio(row, self.b)
        first, second = tone_from_to(samples, FIRST_HZ), tone_from_to(samples, SECOND_HZ)
        self.assertGreater(first[1], 1.0, (first, second))
        self.assertLess(second[0] - first[1], 2.0, (first, second))
        self.assertGreater(second[1] - second[0], 1.8, (first, second))
        wait_for(lambda: (self.live(caller.user) or {}).get("flow_node") == "again", 10, "the flow goes on")
        call.hangup()
        rows = [wait_for(lambda: n.api("GET", "/v1/cdrs?caller=" + caller.user).json["items"], 10, "a record") for n in (self.a, self.b)]
        self.assertEqual([len(r) for r in rows], [1, 1])
        self.assertEqual(len(self.messages(caller)), 1)

    def test_owner_dies_after_hangup(self):
        """Whoever inherits a recording whose caller has gone brings it to the disks."""
        self.victim = self.c
        caller = self.caller(self.victim, tone=FIRST_HZ)
        call = caller.invite("10040").wait_answered()
        self.recording(call, caller, "note")
        elapse(2.5, "what he has to say")
        self.victim.kill9()
        call.hangup()
        row = self.message(caller, deadline=20)
        first = tone_from_to(self.audio(row)[1], FIRST_HZ)
        self.assertGreater(first[1] - first[0], 1.0)


if __name__ == "__main__":
    unittest.main()
