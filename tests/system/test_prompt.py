"""Prompts that are uploaded: made, spread, heard at every node, versions, damaged and hostile files, new nodes."""
import hashlib
import math
import os
import struct
import unittest
import wave

from callcase import CallCase
from everline import rms, tone_share, wait_for, wav_samples

MP3 = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tone.mp3")  # 3 s of 1400 Hz
FLOW = {"languages": ["zh"], "start": "menu", "nodes": {
    "menu": {"type": "menu", "prompts": ["promo"], "keys": {"0": "bye"}, "timeout_s": 1, "retries": 9, "timeout_prompts": ["promo"], "on_fail": "bye"},
    "bye": {"type": "hangup"}}}


def stereo_file(path, hz, seconds=4, rate=44100):
    with wave.open(path, "wb") as w:
        w.setnchannels(2)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(b"".join(struct.pack("<hh", v, v) for v in (int(20000 * math.sin(2 * math.pi * hz * i / rate)) for i in range(rate * seconds))))
    return path


class Prompt(CallCase):
    deadline = 240

    def put(self, node, name, body, language="zh"):
        return node.api("PUT", "/v1/prompts/%s?language=%s" % (name, language), body, timeout=60)

    def versions(self, node, name="promo"):
        r = node.api("GET", "/v1/prompts/" + name)
        return [(v["version"], v["version"] == s["current"]) for s in r.json["sounds"] for v in s["versions"]] if r.status == 200 else []

    def current(self, node, name="promo"):
        s = node.api("GET", "/v1/prompts/" + name).json["sounds"][0]
        return next(v["sha256"] for v in s["versions"] if v["version"] == s["current"])

    def blob(self, node, sha256):
        """Its bytes on that node's disk; None when they are not there."""
        try:
            with open(os.path.join(node.data, "blobs", sha256), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def whole(self, node, sha256):
        data = self.blob(node, sha256)
        return data is not None and hashlib.sha256(data).hexdigest() == sha256

    def hears(self, node, hz):
        call = self.caller(node).invite("10020").wait_answered()
        call.rtp.wait_tone(hz, seconds=0.5, share=0.8, deadline=15)
        call.hangup()

    def test_upload_is_heard_everywhere_and_survives(self):
        c = self.cluster
        wav = stereo_file(c.path("promo.wav"), 700)
        out = c.must("prompt", "upload", "promo", wav, "--language", "zh", node=0, deadline=60)
        self.assertIn("prompt promo uploaded", out.out)
        first = self.current(self.a)
        self.assertGreaterEqual(sum(self.whole(n, first) for n in c), 2, "a majority has it when it is acknowledged")
        for path, body in (("/v1/flows/promo", {"definition": FLOW}), ("/v1/access-numbers/10020", {"flow": "promo"})):
            r = self.a.api("PUT", path, body)
            self.assertIn(r.status, (200, 201), r)
        for n in c:
            wait_for(lambda: n.api("GET", "/v1/access-numbers/10020").status == 200, 10, "%s has the number" % n.name)
            wait_for(lambda: self.whole(n, first), 10, "%s has the sound" % n.name)
        self.hears(self.c, 700)

        # as loud as it is said to be, and to be listened to at any node
        copy = c.path("copy.wav")
        c.must("prompt", "download", "promo", "--language", "zh", "-f", copy, node=1)
        samples = wav_samples(copy)
        self.assertAlmostEqual(len(samples) / 8000, 4, delta=0.05)
        self.assertAlmostEqual(20 * math.log10(rms(samples) / 32768), -24, delta=1)
        self.assertGreater(tone_share(samples, 700), 0.95)

        # an MP3 becomes the next version; the first is played again after a rollback
        c.must("prompt", "upload", "promo", MP3, "--language", "zh", node=1, deadline=60)
        for n in c:
            wait_for(lambda: self.versions(n) == [(1, False), (2, True)], 10, "%s has both versions" % n.name)
        second = self.current(self.c)
        wait_for(lambda: self.whole(self.c, second), 10, "n3 has the second")
        self.hears(self.c, 1400)
        c.must("prompt", "rollback", "promo", "--language", "zh", node=2)
        self.hears(self.c, 700)
        rows = c.must("prompt", "versions", "promo", "-o", "json", node=0).json
        self.assertEqual([(r["version"], r["file"], r["by"]) for r in rows], [(1, "promo.wav", "token:admin"), (2, "tone.mp3", "token:admin")])

        # the same sound again is no new version, under another name no new file
        self.assertEqual(self.put(self.a, "promo", open(wav, "rb").read()).status, 200)
        self.assertEqual(len(self.versions(self.a)), 2)
        self.assertEqual(self.put(self.a, "other", open(wav, "rb").read()).status, 201)
        self.assertEqual(self.current(self.a, "other"), first)

        # what a flow plays stays; what nothing plays goes
        p = c.ccctl("prompt", "delete", "promo", node=0)
        self.assertEqual(p.code, 4, p)
        self.assertIn('in use by flow promo', p.err)
        c.must("prompt", "delete", "other", node=0)

        self.spoken()
        self.texts()
        self.damaged(first)
        self.replaced(first)

    def spoken(self):
        for language, text in (("en", "We are closed today."), ("zh", "今天休息。")):
            self.cluster.must("prompt", "say", "closed", "--text", text, "--language", language, node=1, deadline=60)
            copy = self.cluster.path("said.wav")
            self.cluster.must("prompt", "download", "closed", "--language", language, "-f", copy, node=2)
            samples = wav_samples(copy)
            self.assertGreater(len(samples), 4000)
            self.assertAlmostEqual(20 * math.log10(rms(samples) / 32768), -24, delta=4)
        rows = self.cluster.must("prompt", "versions", "closed", "-o", "json").json
        self.assertEqual({r["language"]: r["text"] for r in rows}, {"en": "We are closed today.", "zh": "今天休息。"})
        self.assertEqual(self.cluster.ccctl("prompt", "say", "closed", "--text", "x", "--language", "xx").code, 1)

    def texts(self):
        """A flow says texts: what is fixed is made when it is stored, and is on all nodes; a caller who is taken over hears them too."""
        flow = {"languages": ["en"], "start": "a", "nodes": {
            "a": {"type": "menu", "prompts": [{"text": "Please wait a moment, we are looking for somebody who can help you with that."}],
                  "keys": {"1": "b"}, "timeout_s": 1, "retries": 9, "on_fail": "c"},
            "b": {"type": "hangup", "prompts": [{"text": "It is ${caller} who calls."}]}, "c": {"type": "hangup"}}}
        for path, body in (("/v1/flows/texts", {"definition": flow}), ("/v1/access-numbers/10021", {"flow": "texts"})):
            r = self.a.api("PUT", path, body)
            self.assertIn(r.status, (200, 201), r)
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/access-numbers/10021").status == 200, 10, "%s has the number" % n.name)
            wait_for(lambda: any(self.whole(n, sha) for sha in self.spoken_files(n)), 20, "%s has the sound" % n.name)
        call = self.caller(self.b).invite("10021").wait_answered()
        self.hears_speech(call)
        call.rtp.send_digits("1")
        call.wait_ended(20)  # the text with the caller's number is made meanwhile
        wait_for(lambda: len(self.spoken_files(self.b)) == 2, 10, "both texts are kept")

    def spoken_files(self, node):
        found = {}
        for name in os.listdir(os.path.join(node.data, "spoken")):
            with open(os.path.join(node.data, "spoken", name)) as f:
                found[name] = f.read()
        return {sha for name, sha in found.items() if "." not in name}

    def hears_speech(self, call):
        at = call.rtp.mark()
        wait_for(lambda: rms(call.rtp.received[at:]) > 300, 15, "speech is heard")

    def damaged(self, sha256):
        """A file that was changed behind our back is found by its hash and fetched again."""
        path = os.path.join(self.b.data, "blobs", sha256)
        self.b.stop()
        with open(path, "r+b") as f:
            f.seek(1000)
            f.write(b"damage" * 100)
        self.assertFalse(self.whole(self.b, sha256))
        self.b.start().wait_ready()
        wait_for(lambda: self.whole(self.b, sha256), 20, "n2 has it again")
        self.hears(self.b, 700)

    def replaced(self, sha256):
        """A node is killed: its caller goes on hearing the prompt from another. An empty one takes its place: it gets all sounds, also
        those that are not played now."""
        call = self.caller(self.c).invite("10020").wait_answered()
        call.rtp.wait_tone(700, seconds=0.5, share=0.8, deadline=15)
        listener = self.caller(self.c).invite("10021").wait_answered()
        self.hears_speech(listener)
        self.c.kill9()
        at = call.rtp.mark()
        call.rtp.wait_tone(700, seconds=0.5, share=0.8, deadline=15, after=at)
        self.hears_speech(listener)
        call.rtp.send_digits("0")
        call.wait_ended()
        listener.hangup()
        self.cluster.must("node", "remove", self.c.name, node=0, deadline=60)
        fresh = self.cluster.add_node()
        for blob in {v["sha256"] for v in self.a.api("GET", "/v1/prompts/promo").json["sounds"][0]["versions"]}:
            wait_for(lambda: self.whole(fresh, blob), 30, "the new node has the sounds")
        self.hears(fresh, 700)


class Hostile(CallCase):
    def test_files_that_are_none(self):
        wav = open(stereo_file(self.cluster.path("t.wav"), 500, seconds=1), "rb").read()
        with open(MP3, "rb") as f:
            mp3 = f.read()
        silent = wav[:44] + bytes(len(wav) - 44)
        cases = {
            "text": b"this is not a sound" * 100, "zeros": bytes(5000), "header": wav[:44], "silence": silent,
            "rate": wav[:24] + struct.pack("<I", 1) + wav[28:], "channels": wav[:22] + struct.pack("<H", 999) + wav[24:],
        }
        for what, body in cases.items():
            r = self.a.api("PUT", "/v1/prompts/bad?language=zh", body, timeout=60)
            self.assertEqual(r.status, 422, (what, r))
            self.assertTrue(r.json["detail"], what)
        self.assertIn("silence", self.a.api("PUT", "/v1/prompts/bad?language=zh", silent, timeout=60).json["detail"])
        # damaged ones may be sound or not; the node goes on in either case
        for i in range(0, 12):
            at = 200 + 311 * i
            broken = mp3[:at] + bytes((b * 7 + i) & 255 for b in mp3[at:at + 200]) + mp3[at + 200:]
            self.assertIn(self.a.api("PUT", "/v1/prompts/odd?language=zh", broken, timeout=60).status, (200, 201, 422))
        for path, status in (("/v1/prompts/bad", 422), ("/v1/prompts/b*d?language=zh", 422), ("/v1/prompts/bad?language=../x", 422)):
            self.assertEqual(self.a.api("PUT", path, wav).status, status, path)
        self.assertEqual(self.a.api("PUT", "/v1/prompts/bad?language=zh").status, 422)
        self.assertEqual(self.a.api("PUT", "/v1/prompts/bad?language=zh", wav, token="x" * 20).status, 401)
        p = self.cluster.ccctl("prompt", "upload", "bad", self.a.conf, "--language", "zh")
        self.assertEqual(p.code, 1, p)
        self.assertIn("not a sound file", p.err)
        self.assertEqual(self.a.api("GET", "/v1/prompts/bad").status, 404)
        self.assertTrue(self.a.ready())


if __name__ == "__main__":
    unittest.main()
