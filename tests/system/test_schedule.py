"""Access numbers that lead elsewhere by time: hours around now, hours that are over, holidays."""
import datetime
import os

import contract
from callcase import CallCase
from everline import wait_for

CHINA = datetime.timezone(datetime.timedelta(hours=8))
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def hours(begin, end):
    """Option of `ccctl time-group set`; over midnight they belong to the day on which they begin."""
    return "--" + DAYS[begin.weekday()], "%s-%s" % (begin.strftime("%H:%M"), end.strftime("%H:%M"))


class Schedule(CallCase):
    def leads_to(self, hz, number="10010"):
        """From every node: 900 Hz comes back from the echo, 1004 Hz is the tone."""
        for node in self.cluster:
            p = self.caller(node, tone=900)
            call = p.invite(number).wait_answered()
            call.rtp.wait_tone(hz)
            call.hangup()
            self.assertEqual(self.record(p.user)["called"], number)

    def everywhere(self, path, field, value):
        for n in self.cluster:
            wait_for(lambda: n.api("GET", path).json.get(field) == value, 10, "%s has %s" % (n.name, path))

    def verdict(self, group, **query):
        target = "/v1/time-groups/%s/test" % group + ("?at=" + query["at"] if query else "")
        r = self.a.api("GET", target)
        contract.check("GET", target, r.status, r.headers, r.body)
        return r.json

    def test_by_the_hour_and_on_holidays(self):
        now, hour = datetime.datetime.now(CHINA), datetime.timedelta(hours=1)
        must = self.cluster.must
        must("time-group", "set", "now", "--zone", "Asia/Shanghai", *hours(now - hour, now + hour))
        must("time-group", "set", "later", "--zone", "Asia/Shanghai", *hours(now + 2 * hour, now + 3 * hour))
        self.assertTrue(self.verdict("now")["open"])
        self.assertFalse(self.verdict("later")["open"])
        must("access-number", "set", "10010", "--app", "tone", "--when", "later:app:tone,now:app:echo")
        must("access-number", "set", "10011", "--app", "tone", "--when", "later:app:echo")
        for number in ("10010", "10011"):
            self.everywhere("/v1/access-numbers/" + number, "app", "tone")
        self.leads_to(900, "10010")
        self.leads_to(1004, "10011")

        # A holiday closes it at once: today, and yesterday for hours that began before midnight.
        path = os.path.join(self.cluster.path(), "days.ics")
        with open(path, "w", encoding="utf-8", newline="\r\n") as f:
            f.write("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:%s\nDTEND;VALUE=DATE:%s\nSUMMARY:放假\nEND:VEVENT\nEND:VCALENDAR\n" % tuple(
                (now + datetime.timedelta(days=d)).strftime("%Y%m%d") for d in (-1, 2)))
        must("holiday", "import", "china", path)
        must("time-group", "set", "now", "--holidays", "china")
        self.everywhere("/v1/time-groups/now", "holidays", "china")
        self.assertIn("a holiday (放假)", must("time-group", "test", "now").out)
        self.leads_to(1004, "10010")
        self.assertIn("in use by time_group now", self.cluster.ccctl("holiday", "delete", "china").err)

        must("access-number", "delete", "10010")
        must("access-number", "delete", "10011")
        must("time-group", "delete", "now")
        must("holiday", "delete", "china")

    def test_open_and_closed_by_the_calendar(self):
        must = self.cluster.must
        must("holiday", "add", "days", "2026-10-01", "--name", "National Day")
        must("holiday", "add", "days", "2026-10-10", "--kind", "work")
        must("time-group", "set", "office", "--zone", "Asia/Shanghai", "--monday", "08:30-12:00", "--thursday", "08:30-12:00", "--holidays", "days")
        for at, is_open, day in (("2026-10-01T01:00:00Z", False, "off"), ("2026-10-08T01:00:00Z", True, "week"),
                                 ("2026-10-10T01:00:00Z", True, "work"), ("2026-10-08T08:29:59%2B08:00", False, "week")):
            v = self.verdict("office", at=at)
            self.assertEqual((v["open"], v["day"]), (is_open, day), v)
        self.assertEqual(self.a.api("GET", "/v1/time-groups/office").json["tz"], "CST-8")
        r = self.cluster.ccctl("time-group", "set", "office", "--zone", "Asia/Nowhere")
        self.assertEqual(r.code, 1, r)
        self.assertIn("Asia/Nowhere", r.err)
