"""Outage notices: by the area that a caller is in, by himself or from a menu, mass outages, and who has heard what."""
import csv
import io
import time
import unittest

from callcase import CallCase, prompt_piece, wait_prompt
from everline import wait_for
from test_announce import times_of
from test_takeover import Takeover

FLOW = {"languages": ["en", "zh"], "start": "main", "nodes": {
    "main": {"type": "menu", "prompts": ["queue_position_before"], "keys": {"2": "notices", "0": "bye"}, "timeout_s": 5, "retries": 5},
    "notices": {"type": "notices", "next": "main", "none": "none"},
    "none": {"type": "play", "prompts": ["notice_none"], "next": "main"},
    "bye": {"type": "hangup", "prompts": ["agent_ready"]}}}


def tidy(case):
    """Nothing of the demonstration's, or of the test before."""
    for kind in ("notice", "area"):
        for o in case.a.api("GET", "/v1/%ss" % kind).json["items"]:
            case.cluster.must(kind, "remove", o["name"])


def configure(case):
    c = case.cluster
    tidy(case)
    r = case.a.ask("PUT", "/v1/flows/told", {"definition": FLOW})
    case.assertIn(r.status, (200, 201), r)
    c.must("access-number", "set", "10030", "--flow", "told", "--language", "en")
    c.must("area", "set", "shanghai", "--name-zh", "上海", "--numbers", "425*")
    for n in case.cluster:
        wait_for(lambda: n.api("GET", "/v1/areas/shanghai").status == 200, 10, "%s has the area" % n.name)


def stats(case, name, node=None):
    return (node or case.a).api("GET", "/v1/notices/" + name).json["stats"]


class Told(CallCase):
    deadline = 180

    def setUp(self):
        configure(self)

    def notice(self, name, *options):
        self.cluster.must("notice", "set", name, *options)
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/notices/" + name).status == 200, 10, "%s has the notice" % n.name)

    def told(self, caller):
        return {n["name"]: n["how"] for n in self.record(caller.user)["notices"]}

    def test_by_itself_by_area(self):
        self.notice("water", "--areas", "shanghai", "--prompt", "outage", "--automatic", "yes", "--order", "1")
        self.notice("spoken", "--text-en", "No water in your street.", "--automatic", "yes", "--order", "2")
        self.notice("far", "--prompt", "goodbye", "--automatic", "yes", "--until", "2026-01-01T00:00:00Z")
        caller = self.caller(self.b)
        call = caller.invite("10030").wait_answered()
        wait_prompt(call.rtp, "en", "outage")
        for n in self.cluster:
            c = wait_for(lambda: self.live(caller.user, n), 5, "%s knows the call" % n.name)
            self.assertEqual((c["phase"], c["flow"]), ("notice", ""))
        at = call.rtp.mark()
        call.rtp.send_digits("5")  # enough of it: the next one, then the menu
        wait_prompt(call.rtp, "en", "queue_position_before", deadline=30, after=at)
        self.assertEqual((stats(self, "water")["skipped"], stats(self, "water")["heard"]), (1, 0))
        self.assertEqual((stats(self, "spoken", self.c)["began"], stats(self, "spoken", self.c)["heard"]), (1, 1))
        at = call.rtp.mark()
        call.rtp.send_digits("2")  # from the menu as well: two of them, each again by *
        wait_prompt(call.rtp, "en", "notice_count", after=at)
        wait_prompt(call.rtp, "en", "outage", after=at)
        at = call.rtp.mark()
        call.rtp.send_digits("*")
        wait_prompt(call.rtp, "en", "outage", after=at)
        wait_for(lambda: self.live(caller.user)["notice"] == "spoken", 30, "the second one")
        at = call.rtp.mark()
        wait_prompt(call.rtp, "en", "notice_again", deadline=30, after=at)
        call.rtp.send_digits("0")  # ends the last one, and is taken by the menu
        call.wait_ended(20)
        self.assertEqual(self.told(caller), {"water": "heard", "spoken": "skipped"})
        s = stats(self, "water")
        self.assertEqual((s["began"], s["heard"], s["skipped"], s["menu"], s["again"]), (2, 1, 1, 1, 1))
        # somebody whose number says nothing hears what is for everybody
        self.cluster.must("area", "set", "shanghai", "--numbers", "021*")
        other = self.caller()
        call = other.invite("10030").wait_answered()
        wait_prompt(call.rtp, "en", "queue_position_before", deadline=30)
        call.hangup()
        self.assertEqual(self.told(other), {"spoken": "heard"})
        rows = list(csv.DictReader(io.StringIO(self.cluster.must("notice", "stats", "-o", "csv").out)))
        self.assertEqual({r["name"]: (r["state"], r["stats.began"], r["stats.heard"]) for r in rows},
                         {"water": ("now", "2", "1"), "spoken": ("now", "3", "2"), "far": ("over", "0", "0")})
        p = self.cluster.must("notice", "test", "--caller", "021 5555 0000", "--called", "10030", "-o", "json").json
        self.assertEqual((p["area"], [n["name"] for n in p["notices"]]), ("shanghai", ["water", "spoken"]))
        p = self.cluster.must("flow", "test", "told", "--keys", "2", "--area", "shanghai", "--at", "2025-06-01T00:00:00Z").out
        self.assertIn("3 heard: far, water, spoken", p)

    def test_mass_outage(self):
        self.notice("water", "--areas", "shanghai", "--prompt", "notice_none", "--short-prompt", "agent_logged_out", "--automatic", "yes", "--mass", "yes")
        caller = self.caller()
        call = caller.invite("10030").wait_answered()
        wait_prompt(call.rtp, "en", "notice_none")
        wait_prompt(call.rtp, "en", "queue_position_before")
        call.hangup()
        self.record(caller.user)
        call = caller.invite("10030").wait_answered()  # again: the short form at once, and nothing else unless he wants it
        wait_prompt(call.rtp, "en", "agent_logged_out")
        wait_prompt(call.rtp, "en", "notice_go_on")
        self.assertEqual(times_of(call, "notice_none"), [])
        call.rtp.send_digits("7")
        at = call.rtp.mark()
        call.rtp.send_digits("1")
        wait_prompt(call.rtp, "en", "queue_position_before", after=at)
        call.hangup()
        self.record(caller.user, count=2)
        call = caller.invite("10030").wait_answered()
        wait_prompt(call.rtp, "en", "notice_goodbye", deadline=30)
        call.wait_ended(20)
        r = self.record(caller.user, count=3)
        self.assertEqual((r["ended_by"], r["cause"], r["notices"]), ("system", "notice", [{"name": "water", "how": "repeat"}]))
        s = stats(self, "water")
        self.assertEqual((s["began"], s["heard"], s["repeats"], s["went_on"]), (1, 1, 2, 1))

    def test_refused(self):
        c = self.cluster
        for args, words in ((("notice", "set", "x"), "one of text_zh"), (("notice", "set", "x", "--prompt", "nothing-like-it"), 'no prompt "nothing-like-it"'),
                            (("notice", "set", "x", "--text-en", "t", "--areas", "nowhere"), 'no area "nowhere"'),
                            (("notice", "set", "x", "--text-en", "t", "--zone", "Asia/Nowhere"), "time zone"),
                            (("area", "set", "b", "--numbers", "425*"), "425* is of area"), (("area", "set", "shanghai", "--parent", "shanghai"), "within")):
            p = c.ccctl(*args)
            self.assertNotEqual(p.code, 0, p)
            self.assertIn(words, p.err)
        self.notice("x", "--text-en", "t", "--zone", "Europe/Berlin", "--from", "2026-10-25T02:30", "--until", "2026-10-25T03:30", "--areas", "shanghai")
        n = c.must("notice", "show", "x", "-o", "json").json
        self.assertEqual((n["from_at"][:19], n["until_at"][:19], n["tz"]), ("2026-10-25T00:30:00", "2026-10-25T02:30:00", "CET-1CEST,M3.5.0,M10.5.0/3"))
        self.assertEqual(c.ccctl("area", "remove", "shanghai").code, 4)


class Waiting(Takeover):
    def test_owner_dies_while_one_who_waits_is_told(self):
        """A notice that comes while he waits: said before an announcement, once more by the node that gets the call, and counted once."""
        configure(self)
        c = self.cluster
        c.must("queue", "set", "service", "--notices", "yes", "--announce-every", "1")
        self.addCleanup(c.must, "queue", "set", "service", "--notices", "no", "--announce-every", "0")
        c.must("access-number", "set", "10050", "--queue", "service", "--language", "en")
        for n in c:
            wait_for(lambda: n.api("GET", "/v1/access-numbers/10050").status == 200, 10, "%s has the number" % n.name)
        caller = self.caller(self.victim)
        call = caller.invite("10050").wait_answered()
        self.call_of(caller, phase="waiting")
        c.must("notice", "set", "water", "--prompt", "outage", "--automatic", "yes")
        wait_for(lambda: stats(self, "water")["began"] == 1, 15, "it begins")
        at = call.rtp.mark()
        self.kill_and_see(caller)
        wait_prompt(call.rtp, "en", "outage", 15, after=at)
        wait_for(lambda: stats(self, "water")["heard"] == 1, 20, "it is heard")
        self.assertEqual(stats(self, "water")["began"], 1)
        call.hangup()
        self.assertEqual(self.record(caller)["notices"], [{"name": "water", "how": "heard"}])


class Carried(Takeover):
    deadline = 120

    def test_in_the_middle_of_a_notice(self):
        """It goes on where it was, is counted once, and the flow begins after it."""
        configure(self)
        self.cluster.must("notice", "set", "water", "--areas", "shanghai", "--prompt", "outage", "--automatic", "yes")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/notices/water").status == 200, 10, "%s has the notice" % n.name)
        caller = self.caller(self.victim)
        call = caller.invite("10030").wait_answered()
        began = time.monotonic()
        wait_prompt(call.rtp, "en", "outage")
        self.kill_and_see(caller)
        wait_prompt(call.rtp, "en", "queue_position_before", deadline=30, after=call.rtp.mark())
        self.assertEqual(len(times_of(call, "outage")), 1)
        self.assertGreater(time.monotonic() - began, len(prompt_piece("en", "outage")) / 8000)
        self.assertEqual((stats(self, "water")["began"], stats(self, "water")["heard"]), (1, 1))
        self.assertEqual(stats(self, "water", self.b), stats(self, "water"))
        call.hangup()
        row = self.record(caller, ended_by="caller")
        self.assertEqual(row["notices"], [{"name": "water", "how": "heard"}])

    def test_from_a_menu_and_in_short(self):
        """A node of a flow tells it; later, of a mass outage, the short form to whoever calls again. The owner dies in the middle of both."""
        configure(self)
        self.cluster.must("notice", "set", "water", "--areas", "shanghai", "--prompt", "queue_no_agent")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/notices/water").status == 200, 10, "%s has the notice" % n.name)
        caller = self.caller(self.victim)
        call = caller.invite("10030").wait_answered()
        wait_prompt(call.rtp, "en", "queue_position_before")
        call.rtp.send_digits("2")
        wait_prompt(call.rtp, "en", "queue_no_agent", deadline=20)
        self.kill_and_see(caller)
        wait_prompt(call.rtp, "en", "queue_position_before", deadline=30, after=call.rtp.mark())
        self.assertEqual(len(times_of(call, "queue_no_agent")), 1)
        call.hangup()
        self.assertEqual(self.record(caller)["notices"], [{"name": "water", "how": "heard"}])
        for n in (self.a, self.b):
            s = stats(self, "water", n)
            self.assertEqual((s["began"], s["heard"], s["menu"]), (1, 1, 1))
        self.come_back()
        self.cluster.must("notice", "set", "water", "--prompt", "notice_none", "--short-prompt", "queue_no_agent", "--automatic", "yes", "--mass", "yes")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/notices/water").json["mass"], 10, "%s has the mass outage" % n.name)
        before = stats(self, "water")
        call = caller.invite("10030").wait_answered()
        wait_prompt(call.rtp, "en", "queue_no_agent")
        self.kill_and_see(caller)
        wait_prompt(call.rtp, "en", "notice_go_on", deadline=20, after=call.rtp.mark())
        call.rtp.send_digits("1")
        wait_prompt(call.rtp, "en", "queue_position_before", deadline=20, after=call.rtp.mark())
        self.assertEqual(len(times_of(call, "queue_no_agent")), 1)
        call.hangup()
        def counted():
            rows = [n.api("GET", "/v1/cdrs?caller=" + caller.user).json["items"] for n in (self.a, self.b)]
            return rows[0] if len(rows[0]) == 2 and rows[0] == rows[1] else None
        rows = wait_for(counted, 10, "two records")
        self.assertEqual([(r["taken_over"], r["notices"][0]["how"]) for r in rows], [(1, "repeat"), (1, "heard")])
        for n in (self.a, self.b):
            s = stats(self, "water", n)
            self.assertEqual([s[k] - before[k] for k in ("began", "heard", "repeats", "went_on")], [0, 0, 1, 1])


if __name__ == "__main__":
    unittest.main()
