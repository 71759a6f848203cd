"""Telephones of G.722 and Opus (baresip) in calls with one of G.711: who hears whom is told by tones, also after their node was killed."""
import struct
import unittest

from callcase import AGENT_HZ, CALLER_HZ
from everline import Baresip, rms, tone_file, tone_share, wait_for
from sip_phone import RATE
from test_recording import heard as said, stereo
from test_takeover import Takeover

MODULES = {"G722": ("module g722.so",), "opus": ("module opus.so", "opus_bitrate 28000", "ausrc_channels 1")}
NAMES = {"G722": "G722/16000/1", "opus": "opus/48000/2"}


def samples_heard(phone):
    """What a baresip has heard so far, 8 kHz mono, whatever its codec's rate is. Low tones only: nothing is filtered."""
    files = phone.heard()
    if not files:
        return []
    with open(files[-1], "rb") as f:
        data = f.read()
    channels, rate = struct.unpack("<HI", data[22:28])
    at = data.find(b"data") + 8
    n = (len(data) - at) // (2 * channels) * channels
    return list(struct.unpack("<%dh" % n, data[at:at + 2 * n]))[::channels * rate // RATE]


class Wide(Takeover):
    def phone(self, codec, number, node, hz):
        sound = tone_file(self.cluster.path("tone-%d.wav" % hz), hz)
        p = Baresip(self.cluster, number, node.ip, self.passwords[number], sound=sound, codecs=NAMES[codec], extra=MODULES[codec])
        self.addCleanup(p.end)
        self.known(number, node)
        return p

    def baresip_hears(self, phone, test, what, n=4000):
        """From now on, in the newest n samples."""
        mark = len(samples_heard(phone))
        wait_for(lambda: len(samples_heard(phone)) > mark + n and test(samples_heard(phone)[-n:]), 10, "baresip hears " + what, 0.1)

    def tone(self, hz):
        return lambda s: tone_share(s, hz) > 0.7

    def codecs(self, caller):
        return [leg["codec"] for leg in self.live(caller)["legs"]]

    def served(self, codec):
        """A wide caller at the victim: menu, a key, music, an agent of A-law; his node dies; they talk on."""
        agent = self.extension("8001", self.b, tone=AGENT_HZ, payload_types=(8,))
        phone = self.phone(codec, "8017", self.victim, CALLER_HZ)
        mark = phone.mark()
        phone.dial("10000")
        phone.wait("CALL_ESTABLISHED", after=mark)
        self.baresip_hears(phone, lambda s: rms(s) > 300, "the menu")
        self.assertEqual(self.codecs("8017"), [codec])
        self.wait_phase("8017", "menu")
        wait_for(lambda: phone.digits("1") or self.live("8017")["phase"] == "waiting", 20, "the key is taken", 1.0)
        self.baresip_hears(phone, lambda s: rms(s) > 100, "music")
        self.cluster.must("agent", "login", "1001")
        self.addCleanup(self.logout, "1001")
        self.cluster.must("agent", "set-state", "1001", "ready")
        there = agent.wait_call().wait_answered()
        self.wait_phase("8017", "talking")
        self.baresip_hears(phone, self.tone(AGENT_HZ), "the agent")
        self.hears(there, CALLER_HZ)
        self.assertEqual(self.codecs("8017"), [codec, "PCMA"])
        call_id = self.live("8017")["call_id"]
        self.assertIn(codec, self.cluster.must("call", "show", call_id).out)
        self.victim.kill9()
        wait_for(lambda: self.live("8017")["epoch"] == 2, 10, "it goes on at another node")
        self.baresip_hears(phone, self.tone(AGENT_HZ), "the agent again")
        self.hears(there, CALLER_HZ)
        self.one_source(there)
        self.assertEqual(self.codecs("8017"), [codec, "PCMA"])
        phone.hangup()
        there.wait_ended(30)
        return call_id

    def recorded(self, call_id):
        """Both sides of it, the caller left."""
        path = "/v1/recordings/%s/audio" % call_id
        wait_for(lambda: self.a.api("GET", path).status == 200, 15, "its recording")
        left, right = stereo(self.a.api("GET", path).body)
        self.assertGreater(said(left, CALLER_HZ).count(CALLER_HZ), 5)
        self.assertGreater(said(right, AGENT_HZ).count(AGENT_HZ), 5)

    def test_opus(self):
        self.cluster.must("recording-rule", "set", "all")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/recording-rules/all").status == 200, 10, "%s has the rule" % n.name)
        self.addCleanup(self.cluster.must, "recording-rule", "delete", "all")
        self.recorded(self.served("opus"))

    def test_g722(self):
        self.served("G722")

    def test_two_of_a_kind(self):
        """Nothing is transcoded that need not be: the second telephone is offered the codec of the first, first."""
        a, b = self.phone("G722", "8017", self.a, CALLER_HZ), self.phone("G722", "8018", self.b, AGENT_HZ)
        a.dial("8018")
        b.wait("CALL_ESTABLISHED")
        self.baresip_hears(a, self.tone(AGENT_HZ), "the other one")
        self.baresip_hears(b, self.tone(CALLER_HZ), "the other one")
        self.assertEqual(self.codecs("8017"), ["G722", "G722"])
        call_id = self.live("8017")["call_id"]
        a.hangup()
        b.wait("CALL_CLOSED")
        wait_for(lambda: self.a.api("GET", "/v1/cdrs/" + call_id).status == 200, 10, "the record")
        quality = self.a.api("GET", "/v1/cdrs/" + call_id).json["quality"]
        self.assertEqual([(q["role"], q["codec"]) for q in quality], [("caller", "G722"), ("callee", "G722")])
        for q in quality:
            self.assertGreater(q["mos"], 4, quality)
        shown = self.cluster.must("cdr", "show", call_id).out
        self.assertIn("G722", shown)
        self.assertIn(str(quality[0]["mos"]), shown)


del Takeover

if __name__ == "__main__":
    unittest.main()
