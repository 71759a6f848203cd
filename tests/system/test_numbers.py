"""Callers by their numbers: those who are refused, those who go first; on three nodes, and after one of them has died."""
import os
import unittest

import contract
from everline import wait_for
from test_queue import QueueCase


class Numbers(QueueCase):
    def ask(self, path, node=0):
        r = self.cluster[node].api("GET", path)
        contract.check("GET", path, r.status, r.headers, r.body)
        self.assertEqual(r.status, 200, r)
        return r.json

    def settled(self):
        def read():
            r = self.cluster[0].api("GET", "/v1/config?consistent=true")
            return r.headers["everline-index"] if r.status == 200 else None
        self.everywhere(int(wait_for(read, 20, "the leader says how far it is")))

    def test_blacklisted_callers_are_refused(self):
        must = self.cluster.must
        known, other = str(next(self.numbers)), str(next(self.numbers))
        self.assertEqual(must("blacklist", "add", "+" + known, "--note", "silent calls").out, "00%s is on the blacklist\n" % known)
        must("blacklist", "remove", "+" + known)
        must("blacklist", "add", known, "--note", "silent calls")
        self.settled()
        for i, number in enumerate(("10000", "10003", "10001")):
            p = self.crowd.invite(number, self.cluster[i].ip, known)
            wait_for(lambda: p.status == 603, 10, "%s is refused" % number)
        records = wait_for(lambda: [r for r in [self.ask("/v1/cdrs?caller=" + known)["items"]] if len(r) == 3], 10, "three records")[0]
        for r in records:
            self.assertEqual((r["cause"], r["sip_status"], r["menu_at"], r["queued_at"], r["answered_at"]), ("blacklisted", 603, None, None, None))
        self.assertIn("blacklisted (in) by entry %s: silent calls" % known, must("blacklist", "test", known, node=2).out)
        self.assertFalse(self.ask("/v1/blacklist/%s/test?direction=out" % known, 1)["listed"])
        p = self.crowd.invite("10001", self.cluster[0].ip, other).wait_answered()
        p.hangup()
        self.record(p)

    def test_vip_waits_through_the_death_of_his_node(self):
        must = self.cluster.must
        first = self.waiting(node=0)
        vip, number = None, str(next(self.numbers))
        must("queue", "set", "service", "--vip", "list")
        must("vip", "add", number, "--queue", "service", "--note", "Li Na")
        self.settled()
        vip = self.crowd.invite("10003", self.cluster[2].ip, number).wait_answered()
        self.wait_phase(vip, "waiting")
        call = self.live(vip)["call_id"]
        self.assertIn("VIP by entry %s of the queue's own list" % number, must("queue", "explain", call, "--consistent", node=1).out)
        dies = self.cluster[2]
        dies.kill9()
        wait_for(lambda: self.live(vip)["owner"] != dies.name, 10, "his call is carried on elsewhere")
        must("vip", "remove", number, "--queue", "service")  # he has his place already
        dies.restart()
        self.settled()

        def places(n):
            return [(e["caller"], e["position"], e["vip"]) for e in self.ask("/v1/queues/service/status", n)["entries"]]

        for n in range(3):
            wait_for(lambda: places(n) == [(vip.number, 1, True), (first.number, 2, False)], 10, "the places at node %d" % n)
        self.idle("1001")
        for i, p in enumerate((vip, first)):
            self.assertEqual(self.rung("1001", i + 1).caller, p.number)
            self.wait_phase(p, "talking")
            p.hangup()
            self.record(p)
        self.wait_agent("1001", "idle")
        must("queue", "set", "service", "--vip", "none")

    def test_ten_thousand_numbers(self):
        path = os.path.join(self.cluster.path(), "numbers.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write("号码,方向,备注\n" + "".join("139%08d,呼入,no %d\n" % (i, i) for i in range(10000)))
        r = self.cluster.must("blacklist", "import", path)
        self.assertIn("10000 entries of %s: 10000 created" % path, r.out)
        self.assertIn("9000 of 10000 entries", r.err)
        self.settled()
        for n in range(3):
            self.assertEqual(self.ask("/v1/blacklist/+8613900009999/test".replace("+", "%2B"), n)["note"], "no 9999")
        with open(path, "a", encoding="utf-8") as f:
            f.write("139,sideways,\n")
        self.assertIn(path + ":10002:", self.cluster.ccctl("blacklist", "import", path).err)
        self.cluster.must("config", "apply", "--prune", "-f", "-", stdin="blacklist: []\n")
        self.settled()
        self.assertFalse(self.ask("/v1/blacklist/13900009999/test", 2)["listed"])


if __name__ == "__main__":
    unittest.main()
