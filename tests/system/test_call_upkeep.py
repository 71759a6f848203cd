"""What happens in a call of which nobody says anything: our refreshes of its session, and the end of one that fell silent."""
from callcase import CALLER_HZ, CallCase
from everline import wait_for
from sip_phone import read_sdp


class Upkeep(CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Both count from the start of a node.
        cls.cluster.must("parameter", "set", "media_dead_ms", "3000")
        cls.cluster.must("parameter", "set", "session_expires_s", "90")
        cls.cluster.stop()
        cls.cluster.start_again()

    def echo(self, **extra):
        """A call with sound that is left alone."""
        p = self.caller(tone=CALLER_HZ)
        call = p.invite("10001", **extra).wait_answered()
        self.wait_phase(p.user, "app")
        return call

    def test_silent_phone_and_refreshed_sessions(self):
        """An interval of 90 s, the least there is, is refreshed after 45: calls of other kinds fill the time."""
        plain = self.echo()
        knows_update = self.echo(extra=[("allow", "UPDATE")])

        call, other = self.talking()
        other.rtp.silence()
        call.wait_ended()
        other.wait_ended()
        self.assertEqual((call.by, other.by), ("them", "them"))
        r = self.record(call.phone.user)
        self.assertEqual((r["cause"], r["ended_by"], r["agent"]), ("media_timeout", "system", self.agent_number))
        self.wait_state(self.agent_number, "idle")

        # A phone that does not say that it takes UPDATE gets a re-INVITE with the description it had, the other an UPDATE.
        plain.wait_reinvite(deadline=60)
        self.assertEqual(read_sdp(plain.reinvites[0])[0], plain.rtp.remote)
        wait_for(lambda: any(way == "<" and first.startswith("UPDATE ") for _, way, first in knows_update.phone.log), 20, "UPDATE")
        self.assertEqual(knows_update.reinvites, [])
        for c in (plain, knows_update):
            mark = c.rtp.mark()
            c.rtp.wait_tone(CALLER_HZ, after=mark)
            c.hangup()
            self.assertEqual(self.record(c.phone.user)["cause"], "normal")
