"""The main job: a caller at one node, the agent's telephone at another, both hear each other, every node knows and records it."""
from callcase import AGENT_HZ, CALLER_HZ, STAGES, WRAP_UP_S, CallCase, wait_prompt
from everline import Baresip, Events, tone_file, tone_share, wait_for, wav_samples


class QueueCall(CallCase):
    """Caller at node A; the agent is a baresip, registered by digest at node B, with a tone of its own."""

    def agent_phone(self, transport):
        sound = tone_file(self.cluster.path("tone-%d.wav" % AGENT_HZ), AGENT_HZ)
        p = Baresip(self.cluster, "8001", self.b.ip, self.passwords["8001"], sound=sound, answer="manual", transport=transport)
        self.addCleanup(p.end)
        self.known("8001", self.b)
        self.ready("1001")
        return p

    def served(self, transport, menu):
        """Up to both tones heard; returns agent's telephone, its events' mark, the caller's call."""
        phone, caller = self.agent_phone(transport), self.caller(tone=CALLER_HZ)
        mark = phone.mark()
        if menu:
            call = caller.invite("10000").wait_answered()
            wait_prompt(call.rtp, "zh", "main_menu", 20)
            self.wait_phase(caller.user, "menu")
            call.rtp.send_digits("1")
        else:
            call = caller.invite("10003").wait_answered()
        phone.wait("CALL_INCOMING", after=mark)
        self.wait_state("1001", "ringing")
        for n in self.cluster:
            c = self.live(caller.user, n)
            self.assertEqual((c["phase"], c["owner"], c["queue"], c["agent"]), ("offered", self.a.name, "service", "1001"))
        at = call.rtp.mark()
        phone.command("accept")
        phone.wait("CALL_ESTABLISHED", after=mark)
        self.wait_state("1001", "talking")
        for n in self.cluster:
            c = self.live(caller.user, n)
            self.assertEqual((c["phase"], c["owner"], c["agent"]), ("talking", self.a.name, "1001"))
            self.assertEqual([leg["number"] for leg in c["legs"]], [caller.user, "8001"])
            for leg in c["legs"]:
                # Sound passes through the node that owns the call.
                self.assertTrue(leg["media_address"].startswith(self.a.ip + ":"), leg)
        call.rtp.wait_tone(AGENT_HZ, after=at)
        self.assertEqual({ip for ip, _ in call.rtp.sources}, {self.a.ip})
        call.rtp.wait_samples(16000, after=at)
        return phone, mark, call

    def agent_heard(self, phone):
        samples = wav_samples(phone.heard()[-1])
        last = samples[-8000:-800]
        self.assertGreater(len(last), 4000)
        self.assertGreater(tone_share(last, CALLER_HZ), 0.8)
        self.assertLess(tone_share(last, AGENT_HZ), 0.1)

    def recorded(self, call, ended_by, stages):
        caller = call.phone.user
        r = self.record(caller)
        self.in_order(r, *stages)
        self.assertEqual((r["ended_by"], r["cause"], r["agent"], r["answered_by"], r["queue"], r["owner"], r["direction"], r["trunk"]),
                         (ended_by, "normal", "1001", "8001", "service", self.a.name, "inbound", "demo"))
        self.assertEqual((r["offers"], r["taken_over"]), (1, 0))
        self.assertGreater(r["talk_ms"], 1000)
        self.assertEqual(sorted(q["role"] for q in r["quality"]), ["callee", "caller"])
        for q in r["quality"]:
            self.assertEqual((q["rx_lost"], q["remote_lost"]), (0, 0), q)
            self.assertGreater(q["rx_packets"], 80)
            self.assertGreater(q["tx_packets"], 80)
        caller_leg = next(q for q in r["quality"] if q["role"] == "caller")
        self.assertLessEqual(abs(caller_leg["rx_packets"] - call.rtp.sent), 3)
        self.assertLessEqual(abs(caller_leg["tx_packets"] - call.rtp.packets), 3)
        self.wait_state("1001", "idle", WRAP_UP_S + 5)
        self.assertTrue(all(n.api("GET", "/v1/agents/1001").json["answered"] >= 1 for n in self.cluster))

    def run_call(self, transport, menu, ended_by):
        stages = [s for s in STAGES if menu or s != "menu_at"]
        with Events(self.c) as events:
            phone, mark, call = self.served(transport, menu)
            if ended_by == "caller":
                call.hangup()
                phone.wait("CALL_CLOSED", after=mark)
            else:
                phone.hangup()
                call.wait_ended()
                self.assertEqual(call.by, "them")
            self.agent_heard(phone)
            # The state between talking and idle is short: seen in the events, in order.
            events.wait("everline.call.ended", match=lambda e: e["data"]["caller"] == call.phone.user)
            self.recorded(call, ended_by, stages)
            wait_for(lambda: self.agent_states(events)[-2:] == ["wrap_up", "idle"], 10, "events of the agent")
            self.assertEqual(self.agent_states(events)[-4:], ["ringing", "talking", "wrap_up", "idle"])

    @staticmethod
    def agent_states(events):
        return [e["data"]["state"] for e in list(events.seen) if e["type"].startswith("everline.agent") and e["data"].get("state")]

    def test_queue_number_udp_caller_hangs_up(self):
        self.run_call("udp", False, "caller")

    def test_queue_number_tcp_agent_hangs_up(self):
        self.run_call("tcp", False, "agent")

    def test_menu_udp_agent_hangs_up(self):
        self.run_call("udp", True, "agent")
