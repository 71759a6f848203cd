"""Service addresses: they move when their node dies or leaves, come home with it, and go away in order when it drains."""
import os
import re
import signal
import socket
import unittest

from everline import HTTPS, PEER, SIP, Cluster, wait_for
from sip_phone import SipPhone


class AddressCase(unittest.TestCase):
    deadline = 90

    def cluster_of(self, n, **conf):
        self.cluster = Cluster(n, conf=conf)
        self.addCleanup(self.cluster.close)
        return self.cluster

    def addresses(self, node=None):
        n = node or self.cluster.alive()[0]
        return {a["ip"]: a for a in n.api("GET", "/v1/addresses").json["items"]}

    def holder(self, ip, node=None):
        """Who has it, once that one has said that it is bound; None before."""
        a = self.addresses(node).get(ip)
        return a["holder"] if a and a["state"] == "bound" else None

    def wait_at(self, ip, *names, deadline=20):
        wait_for(lambda: self.holder(ip) in names, deadline, "%s is at %s" % (ip, " or ".join(names)))
        return self.holder(ip)

    def options(self, ip):
        """Status of the answer to OPTIONS; None when nothing came to one request."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((self.cluster.network.client(), 0))
            s.settimeout(1)
            me = "%s:%d" % s.getsockname()
            tag = os.urandom(6).hex()
            s.sendto(("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:t@%s>;tag=%s\r\n"
                      "To: <sip:%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" % (ip, me, tag, me, tag, ip, tag)).encode(), (ip, SIP))
            try:
                return int(s.recv(4096).split()[1])
            except (OSError, IndexError, ValueError):
                return None

    def wait_answers(self, ip, deadline=20):
        wait_for(lambda: self.options(ip) == 200, deadline, "%s answers" % ip)


class Moving(AddressCase):
    def setUp(self):
        self.cluster_of(3)
        for n in self.cluster.nodes:
            self.wait_at(n.ip, n.name)

    def test_killed_and_back(self):
        a, b, c = self.cluster.nodes
        password = self.cluster.apply_demo()["8001"]
        self.wait_answers(a.ip)
        a.kill9()
        holder = self.wait_at(a.ip, b.name, c.name)
        self.wait_answers(a.ip)
        with SipPhone(self.cluster.network.client(), "8001", a.ip, password) as phone:
            self.assertEqual(phone.register().status, 200)
        node = b.api("GET", "/v1/nodes/" + holder).json
        self.assertEqual(sorted(node["held_addresses"]), sorted([a.ip, self.cluster.node(holder).ip]))
        self.assertEqual(node["home_addresses"], [self.cluster.node(holder).ip])
        # A process that comes back does not take it: it asks for it.
        before = self.addresses(b)[a.ip]["epoch"]
        a.start().wait_ready()
        self.wait_at(a.ip, a.name)
        self.assertGreater(self.addresses(b)[a.ip]["epoch"], before)
        self.assertIn("%s given away" % a.ip, self.cluster.node(holder).log_text())
        self.wait_answers(a.ip)

    def test_sigterm_hands_over(self):
        a, b, c = self.cluster.nodes
        self.assertEqual(a.stop(), 0)
        # Committed before it ended, so that the others need not find out.
        self.assertIn("calls and addresses are the others' now", a.log_text())
        self.assertIn(self.addresses(b)[a.ip]["holder"], (b.name, c.name))
        self.wait_at(a.ip, b.name, c.name)
        self.wait_answers(a.ip)
        self.assertNotIn("declares node %s down" % a.name, b.log_text() + c.log_text())
        a.start().wait_ready()
        self.wait_at(a.ip, a.name)
        node = b.api("GET", "/v1/nodes/" + a.name).json
        self.assertTrue(node["up"])
        self.assertFalse(node["draining"])

    def test_drain_and_undrain(self):
        a, b, c = self.cluster.nodes
        r = self.cluster.must("node", "drain", a.name, "--wait")
        self.assertIn("0 calls and 0 addresses left", r.err)
        self.wait_at(a.ip, b.name, c.name)
        self.wait_answers(a.ip)
        wait_for(lambda: a.api("GET", "/readyz", token=None).status == 503, 10, "%s is not ready" % a.name)
        self.assertIn("draining", a.api("GET", "/readyz", token=None).text)
        shown = {n["name"]: n for n in self.cluster.must("node", "list", "-o", "json").json}
        self.assertTrue(shown[a.name]["draining"])
        self.assertEqual((shown[a.name]["held_addresses"], shown[a.name]["home_addresses"]), ([], [a.ip]))
        self.assertEqual(self.cluster.ccctl("node", "drain", a.name).code, 4)
        # It stays so over a restart.
        a.stop()
        a.start()
        wait_for(lambda: b.api("GET", "/v1/nodes/" + a.name).json["up"], 20, "%s is up again" % a.name)
        self.assertNotEqual(self.addresses(b)[a.ip]["holder"], a.name)
        self.cluster.must("node", "undrain", a.name)
        self.wait_at(a.ip, a.name)
        a.wait_ready()
        self.wait_answers(a.ip)
        trail = [(t["action"], t["object"]) for t in self.cluster.must("audit", "list", "-o", "json").json]
        for action in ("node.drain", "node.undrain"):
            self.assertIn((action, "node/" + a.name), trail)

    def test_moved_on_request(self):
        a, b, c = self.cluster.nodes
        self.cluster.must("address", "move", a.ip, c.name)
        self.wait_at(a.ip, c.name)
        self.wait_answers(a.ip)
        # Its home has nowhere to be called at now, and says so; it does not fetch back what was moved on request.
        wait_for(lambda: "addresses are at other nodes" in a.api("GET", "/readyz", token=None).text, 10, "%s says why" % a.name)
        self.assertIn(c.name, self.cluster.must("address", "list").out)
        self.cluster.must("address", "move", a.ip, a.name)
        self.wait_at(a.ip, a.name)
        a.wait_ready()
        self.assertEqual(self.cluster.ccctl("address", "move", "192.0.2.77", a.name).code, 3)
        self.assertEqual(self.cluster.ccctl("address", "move", a.ip, "nobody").code, 3)

    def test_a_hung_node_loses_its_addresses_and_is_started_again(self):
        a, b, c = self.cluster.nodes
        worker = a.workers()[0]
        os.kill(worker, signal.SIGSTOP)
        self.addCleanup(lambda: os.path.exists("/proc/%d" % worker) and os.kill(worker, signal.SIGKILL))
        wait_for(lambda: "node process %d hangs" % worker in a.log_text(), 30, "the supervisor finds out")
        wait_for(lambda: a.workers() and a.workers()[0] != worker, 20, "a new process runs")
        a.wait_ready()
        wait_for(lambda: self.holder(a.ip, b) == a.name, 20, "%s is home" % a.ip)
        self.wait_answers(a.ip)


class Hook(AddressCase):
    def record(self, node):
        try:
            with open(self.cluster.path("hook.%s" % node.name)) as f:
                return [tuple(line.split()) for line in f]
        except FileNotFoundError:
            return []

    def write_hook(self, node, fails=False):
        path = self.cluster.path("hook-%s.sh" % node.name)
        with open(path + ".new", "w") as f:
            f.write("#!/bin/sh\necho \"$@\" >>%s\n%s\n" % (self.cluster.path("hook.%s" % node.name),
                                                        "[ \"$1\" = del ] || { echo no such device >&2; exit 1; }" if fails else "exit 0"))
        os.chmod(path + ".new", 0o700)
        os.rename(path + ".new", path)
        return path

    def test_hook(self):
        self.cluster = Cluster(3, start=False)
        self.addCleanup(self.cluster.close)
        a, b, c = self.cluster.nodes
        at = {}
        for i, n in enumerate(self.cluster.nodes):
            at[n] = self.cluster.network.node(50 + i)
            listen = {"sip": ["%s:%d" % (at[n], SIP)], "https": "%s:%d" % (n.ip, HTTPS), "peer": "%s:%d" % (n.ip, PEER)}
            n.configure(join=None if n is a else a, listen=listen, service_addresses=[at[n]], address_hook=self.write_hook(n))
        self.cluster.start()
        for n in self.cluster.nodes:
            self.wait_at(at[n], n.name)
            # Whatever a former process may have left is taken off first.
            self.assertEqual(self.record(n)[:2], [("del", at[n]), ("add", at[n])])
        self.cluster.must("address", "move", at[a], b.name)
        self.wait_at(at[a], b.name)
        self.assertEqual(self.record(a)[-1], ("del", at[a]))
        self.assertEqual(self.record(b)[-1], ("add", at[a]))
        self.wait_answers(at[a])

        # It cannot be had there: ccctl shows it and why, and it is tried again.
        self.write_hook(c, fails=True)
        self.cluster.must("address", "move", at[a], c.name)
        wait_for(lambda: self.addresses()[at[a]]["state"] == "failed", 20, "the failure is known")
        self.assertIn("no such device", self.addresses()[at[a]]["why"])
        self.assertRegex(self.cluster.must("address", "list").out, re.escape(at[a]) + r"\s+failed\s+" + c.name)
        tries = len(self.record(c))
        wait_for(lambda: len(self.record(c)) > tries, 20, "it is tried again")
        self.write_hook(c)
        self.wait_at(at[a], c.name)
        self.wait_answers(at[a])

        # A process that crashes leaves it on the interface: its supervisor takes it off, the next process once more before it begins.
        seen = len(self.record(b))
        (worker,) = b.workers()
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: self.record(b)[seen:].count(("del", at[b])) >= 2, 20, "taken off by the supervisor and at the start")
        self.wait_at(at[b], b.name)

        # An ordered end takes it off before the next holder puts it on.
        self.assertEqual(c.stop(), 0)
        self.assertIn(("del", at[a]), self.record(c)[-2:])
        self.assertIn(("del", at[c]), self.record(c)[-2:])
        self.wait_at(at[c], a.name, b.name)


if __name__ == "__main__":
    unittest.main()
