"""Callers about whom a business system is asked: yes, no, nonsense, silence; secrets that nobody sees; and a node that dies over it."""
import threading
import unittest

import contract
from business import Business
from everline import wait_for
from test_queue import QueueCase

SECRET = "k9-not-for-anybodys-eyes"


class Lookup(QueueCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vips, cls.known, cls.go = set(), {}, threading.Event()
        cls.go.set()
        cls.crm = Business(cls.cluster.network.client(), cls.answer)
        cls.addClassCleanup(cls.crm.close)
        cls.cluster.must("secret", "set", "crm-key", "--value-stdin", stdin=SECRET + "\n")
        cls.cluster.must("lookup", "set", "crm", "--url", cls.crm.url + "/vip?tel=${caller}&to=${called}&queue=${queue}",
                         "--header", "X-Api-Key=crm-key", "--timeout-ms", "5000")
        cls.queue(vip_lookup="crm")

    @classmethod
    def answer(cls, request):
        cls.go.wait()
        if request.headers.get("x-api-key") != SECRET:
            return 401, {}
        tel = request.query["tel"]
        return cls.known.get(tel) or (200, {"vip": tel in cls.vips})

    def entries(self, node=0):
        return [(e["caller"], e["vip"]) for e in self.cluster[node].api("GET", "/v1/queues/service/status").json["entries"]]

    def wait_entries(self, want, deadline=10):
        for i in range(len(self.cluster.nodes)):
            wait_for(lambda: self.entries(i) == want, deadline, "the queue is %s at node %d, not %s" % (want, i, self.entries(i)))

    def explained(self, party):
        return self.cluster.must("queue", "explain", self.live(party)["call_id"], "--consistent").out

    def hung_up(self, *parties):
        for p in parties:
            p.hangup()
        for p in parties:
            self.record(p)

    def number(self, vip=None, **known):
        n = str(next(self.numbers))
        if vip:
            self.vips.add(n)
        if known:
            self.known[n] = known["reply"]
        return n

    def call(self, number, node=0):
        p = self.crowd.invite("10003", self.cluster[node].ip, number).wait_answered()
        self.wait_phase(p, "waiting")
        return p

    def counter(self, node, name):
        text = self.cluster[node].api("GET", "/metrics").text
        return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " "))))

    def test_yes_no_and_nonsense(self):
        plain = self.call(self.number())
        vip = self.call(self.number(vip=True), node=1)
        unknown = self.call(self.number(reply=(404, b"who?")))
        nonsense = self.call(self.number(reply=(200, b"<html>")), node=2)
        order = [(vip.number, True), (plain.number, False), (unknown.number, False), (nonsense.number, False)]
        self.wait_entries(order)
        wait_for(lambda: self.counter(2, "everline_vip_lookup_errors_total") == 1, 5, "the error is counted")
        asked = next(r for r in self.crm.asked if r.query["tel"] == vip.number)
        self.assertEqual((asked.method, asked.query["to"], asked.query["queue"]), ("GET", "10003", "service"))
        self.assertIn("business system says that the caller is a VIP", self.explained(vip))
        self.hung_up(plain, vip, unknown, nonsense)
        # what is known, yes or no, is not asked again by the same node
        again, before = [self.call(vip.number, node=1), self.call(plain.number)], len(self.crm.asked)
        self.wait_entries([(vip.number, True), (plain.number, False)])
        self.assertEqual(len(self.crm.asked), before)
        for p in again:
            p.hangup()
        self.nobody_sees_the_secret()

    def nobody_sees_the_secret(self):
        for path in ("/v1/secrets", "/v1/secrets/crm-key", "/v1/lookups", "/v1/config", "/v1/audit", "/v1/events", "/v1/queues/service"):
            r = self.cluster[0].api("GET", path) if path != "/v1/events" else None
            text = r.text if r else self.cluster.must("events", "--since", "0", "--count", "20", "-o", "json").out
            self.assertNotIn(SECRET, text, path)
            if path.startswith(("/v1/secrets", "/v1/lookups")):
                contract.check("GET", path, r.status, r.headers, r.body)
        self.assertNotIn(SECRET, self.cluster.must("secret", "list").out)
        r = self.cluster.ccctl("lookup", "set", "crm", "--header", "X-Api-Key=no-such-secret")
        self.assertEqual((r.code, "no-such-secret" in r.err), (1, True), r)
        self.assertEqual(self.cluster.ccctl("secret", "delete", "crm-key").code, 4)  # in use
        for n in self.cluster:
            self.assertNotIn(SECRET, n.log_text())
            self.assertNotIn("/vip?tel=", n.log_text())  # nor whose number was asked about

    def test_silence(self):
        """A dead system costs a caller nothing but the advantage; or gives it to all, if that is what was asked for."""
        self.go.clear()
        self.addCleanup(self.go.set)
        self.cluster.must("lookup", "set", "crm", "--timeout-ms", "300")
        self.addCleanup(self.cluster.must, "lookup", "set", "crm", "--timeout-ms", "5000", "--on-error", "normal")
        self.idle("1001")
        p = self.dial().wait_answered()
        self.assertEqual(self.rung("1001").caller, p.number)  # at once: nobody waits for the answer
        self.wait_phase(p, "talking")
        self.hung_up(p)
        self.do("1001", "set-state", {"state": "not_ready"})
        self.cluster.must("lookup", "set", "crm", "--on-error", "vip")
        errors = self.counter(0, "everline_vip_lookup_errors_total")
        q = self.call(self.number())
        self.wait_entries([(q.number, True)])
        self.assertIn("could not be asked", self.explained(q))
        wait_for(lambda: self.counter(0, "everline_vip_lookup_errors_total") > errors, 5, "the error is counted")
        q.hangup()

    def test_node_dies_while_it_asks(self):
        self.go.clear()
        self.addCleanup(self.go.set)
        dies = self.cluster[2]
        plain = self.call(self.number())
        vip = self.call(self.number(vip=True), node=2)
        wait_for(lambda: self.crm.count(tel=vip.number) == 1, 5, "the business system is asked")
        since = self.live(vip)["queued_at"]
        dies.kill9()
        wait_for(lambda: self.crm.count(tel=vip.number) == 2, 10, "it is asked again by the new owner")
        self.go.set()
        for i in (0, 1):
            wait_for(lambda: self.entries(i) == [(vip.number, True), (plain.number, False)], 10, "raised")
        self.assertEqual(self.live(vip)["queued_at"], since)
        dies.restart()
        self.hung_up(plain, vip)


if __name__ == "__main__":
    unittest.main()
