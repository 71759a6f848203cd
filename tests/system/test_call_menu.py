"""Voice menus by keys of all kinds, and the codes that agents dial."""
from callcase import CallCase, contains, dtmf_samples, find, prompt_piece, wait_prompt
from everline import wait_for
from sip_phone import FRAME, encode

# Like the demonstration's menu, with short texts and times.
QUICK = {
    "languages": ["en", "zh"], "start": "main",
    "nodes": {
        "main": {"type": "menu", "prompts": ["queue_position_before"], "keys": {"1": "service", "2": "outage", "8": "language", "0": "bye", "33": "outage", "5": "bill"},
                 "timeout_s": 1, "retries": 2, "invalid_prompts": ["invalid_key"], "timeout_prompts": ["no_input"], "on_fail": "bye"},
        "service": {"type": "queue", "queue": "service", "on_fail": "main"},
        "outage": {"type": "play", "prompts": ["agent_logged_out"]},
        "language": {"type": "language", "language": "toggle", "next": "main"},
        "bill": {"type": "play", "prompts": [{"money": "-12.05"}, {"date": "11-22"}]},
        "bye": {"type": "hangup", "prompts": ["agent_ready"]},
    },
}


class Menu(CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for path, body in (("/v1/flows/quick", {"definition": QUICK}), ("/v1/access-numbers/10010", {"flow": "quick"})):
            r = cls.a.api("PUT", path, body)
            if r.status not in (200, 201):
                raise AssertionError(r)
        wait_for(lambda: all(n.api("GET", "/v1/access-numbers/10010").status == 200 for n in cls.cluster), 10, "all have the menu")

    def dial(self, number="10010", node=None, **options):
        call = self.caller(node, **options).invite(number).wait_answered()
        if number == "10010":
            wait_prompt(call.rtp, "en", "queue_position_before")
        return call

    def press(self, call, digits):
        """By RFC 4733; what is heard from then on counts."""
        at = call.rtp.mark()
        call.rtp.send_digits(digits)
        return at

    def hung_up(self, call, deadline=10):
        """By us, properly; returns the record."""
        call.wait_ended(deadline)
        self.assertEqual((call.by, call.history[-1]), ("them", "BYE"))
        r = self.record(call.phone.user)
        self.assertEqual((r["ended_by"], r["cause"], r["sip_status"]), ("system", "normal", 200))
        self.in_order(r, "arrived_at", "answered_at", "menu_at", "ended_at")
        return r

    def test_demonstration_languages_and_barge_in(self):
        call = self.dial("10000", self.b)
        wait_prompt(call.rtp, "zh", "welcome")
        for n in self.cluster:
            c = self.live(call.phone.user, n)
            self.assertEqual((c["phase"], c["flow"], c["owner"]), ("menu", "welcome", self.b.name))
        at = self.press(call, "8")  # into the greeting
        wait_prompt(call.rtp, "en", "main_menu", after=at)
        self.assertFalse(contains(call.rtp.received, prompt_piece("zh", "main_menu")))
        for n in self.cluster:
            wait_for(lambda: self.live(call.phone.user, n)["language"] == "en", 5, "%s knows the language" % n.name)
        at = self.press(call, "2")
        wait_prompt(call.rtp, "en", "outage", after=at)
        wait_for(lambda: self.live(call.phone.user, self.c)["flow_node"] == "outage", 5, "the menu's place at another node")
        at = self.press(call, "8")  # breaks the notice off and counts in the menu
        wait_prompt(call.rtp, "zh", "main_menu", after=at)
        at = self.press(call, "0")
        wait_prompt(call.rtp, "zh", "goodbye", after=at)
        self.assertEqual(self.hung_up(call)["flow"], "welcome")

    def test_notice_and_back(self):
        call = self.dial()
        at = self.press(call, "2")
        wait_prompt(call.rtp, "en", "agent_logged_out", after=at)
        wait_prompt(call.rtp, "en", "queue_position_before", after=call.rtp.mark())
        at = self.press(call, "0")
        wait_prompt(call.rtp, "en", "agent_ready", after=at)
        self.hung_up(call)

    def test_values_are_spoken(self):
        call = self.dial()
        for language, keys in (("en", "num_minus num_12 money_yuan num_and num_5 money_fen month_11 num_20 ord_2"),
                               ("zh", "num_minus num_10 num_2 money_yuan num_0 num_5 money_fen num_10 num_1 date_month "
                                      "num_2 num_10 num_2 date_day")):
            at = self.press(call, "5")
            wait_prompt(call.rtp, language, "queue_position_before", deadline=30, after=at)
            with call.rtp.lock:
                heard = call.rtp.received[at:]
            for key in keys.split():
                piece = prompt_piece(language, key)
                begin = find(heard, piece)
                self.assertIsNotNone(begin, "%s/%s, in its place" % (language, key))
                heard = heard[begin + len(piece):]
            at = self.press(call, "8")
            wait_prompt(call.rtp, "zh" if language == "en" else "en", "queue_position_before", after=at)
        call.hangup()

    def test_wrong_keys_end_the_call(self):
        call = self.dial()
        for _ in range(2):
            at = self.press(call, "9")
            wait_prompt(call.rtp, "en", "invalid_key", after=at)
        at = self.press(call, "#")
        wait_prompt(call.rtp, "en", "agent_ready", after=at)
        self.hung_up(call)

    def test_silence_ends_the_call(self):
        call = self.dial()
        for _ in range(2):
            wait_prompt(call.rtp, "en", "no_input", after=call.rtp.mark())
        wait_prompt(call.rtp, "en", "agent_ready", after=call.rtp.mark())
        self.hung_up(call)

    def test_keys_of_two_digits(self):
        call = self.dial()
        at = self.press(call, "33")
        wait_prompt(call.rtp, "en", "agent_logged_out", after=at)
        at = self.press(call, "3")  # alone it is no key
        wait_prompt(call.rtp, "en", "invalid_key", after=at)
        call.hangup()
        self.assertEqual(self.record(call.phone.user)["ended_by"], "caller")

    def test_keys_in_the_sound(self):
        """A telephone without RFC 4733: the tones are found in the sound."""
        for codec in (0, 8):
            call = self.dial(events=False, payload_types=(codec,))
            at = call.rtp.mark()
            coded = encode(dtmf_samples("2") + [0] * 8000 * 30, codec)
            call.rtp.sound = [coded[i:i + FRAME] for i in range(0, len(coded), FRAME)]
            wait_prompt(call.rtp, "en", "agent_logged_out", after=at)
            call.hangup()

    def test_keys_by_info(self):
        call = self.dial()
        for digit, kind, key in (("Signal=2\r\nDuration=160\r\n", "application/dtmf-relay", "agent_logged_out"),
                                 ("9", "application/dtmf", "invalid_key")):
            at = call.rtp.mark()
            self.assertEqual(call.send("INFO", digit, kind).status, 200)
            wait_prompt(call.rtp, "en", key, after=at)
        call.hangup()

    def test_queue_and_caller_gives_up(self):
        call = self.dial()
        self.press(call, "1")
        self.wait_phase(call.phone.user, "waiting")
        call.hangup()
        r = self.record(call.phone.user)
        self.in_order(r, "arrived_at", "answered_at", "menu_at", "queued_at", "ended_at")
        self.assertEqual((r["ended_by"], r["queue"], r["agent"], r["offers"]), ("caller", "service", "", 0))

    def test_straight_into_the_queue_without_music(self):
        p, q = self.caller(), self.caller()
        silent = p.invite("10003").wait_answered()
        self.wait_phase(p.user, "waiting")
        call = q.invite("10000").wait_answered()
        call.rtp.send_digits("1")
        self.wait_phase(q.user, "waiting")
        call.rtp.wait_samples(8000, after=call.rtp.mark())
        self.assertEqual(silent.rtp.packets, 0)
        silent.hangup()
        call.hangup()


class Codes(CallCase):
    """What an agent dials at the telephone."""

    def code(self, phone, number, prompt, language="zh"):
        call = phone.invite(number).wait_answered()
        wait_prompt(call.rtp, language, prompt)
        call.wait_ended()
        self.assertEqual(call.by, "them")

    def test_own_agent(self):
        phone = self.extension("8001", self.b)
        self.addCleanup(self.logout, "1001")
        self.code(phone, "*71", "agent_logged_in")
        self.assertNotEqual(self.state("1001"), "logged_out")
        self.code(phone, "*74", "agent_not_ready")
        self.wait_state("1001", "not_ready")
        self.code(phone, "*73", "agent_ready")
        self.wait_state("1001", "idle")
        # He is really served now.
        call = self.caller().invite("10003").wait_answered()
        phone.wait_call().hangup()
        call.hangup()
        self.code(phone, "*72", "agent_logged_out")
        self.wait_state("1001", "logged_out")
        self.code(phone, "*73", "agent_code_failed")
        self.wait_state("1001", "logged_out")

    def test_another_agent_at_this_telephone(self):
        phone = self.extension("8002", self.b)
        self.addCleanup(self.logout, "1005")
        self.code(phone, "*711005", "agent_logged_in")
        for n in self.cluster:
            self.assertEqual(n.api("GET", "/v1/agents/1005").json["extension_in_use"], "8002")
        self.code(phone, "*73", "agent_ready")
        self.wait_state("1005", "idle")
        self.assertEqual(self.state("1002"), "logged_out")
        self.code(phone, "*719999", "agent_unknown")

    def test_not_for_strangers(self):
        self.assertEqual(self.caller().invite("*711001").wait_ended().status, 404)
        self.assertEqual(self.state("1001"), "logged_out")
