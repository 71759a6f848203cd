"""Which node a phone should use, the DNS records that tell it, and a phone that registered at two nodes (RFC 5626)."""
import urllib.parse
import uuid

import contract
from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import SIP, wait_for
from test_flow import TcpPhone


class Ranking(CallCase):
    def get(self, node, path, status=200, **query):
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        r = node.ask("GET", target)
        contract.check("GET", target, r.status, r.headers, r.body)
        self.assertEqual(r.status, status, r.text)
        return r.json

    def test_nearest(self):
        for n in self.cluster:
            rows = self.get(n, "/v1/nodes/nearest")["items"]
            self.assertEqual({r["name"] for r in rows}, {x.name for x in self.cluster})
            me = next(r for r in rows if r["self"])
            self.assertEqual((me["name"], me["rtt_us"], me["sip"]), (n.name, 0, ["%s:%d" % (n.ip, SIP)]))
            self.assertEqual(me["uris"], ["sip:%s:%d" % (n.ip, SIP)])
            wait_for(lambda: all(r["rtt_us"] is not None for r in self.get(n, "/v1/nodes/nearest")["items"]), 10, "round trips")
        # By the network of the address, or as asked for.
        self.cluster.must("network", "set", "branch", "--range", "198.51.100.0/24", "--site", "nowhere")
        wait_for(lambda: self.get(self.a, "/v1/nodes/nearest", address="198.51.100.7")["site"] == "nowhere", 10, "the network is known")
        self.assertIsNone(self.get(self.a, "/v1/nodes/nearest", address="198.51.101.7")["site"])
        site = self.a.api("GET", "/v1/nodes/" + self.a.name).json["site"]
        answer = self.get(self.a, "/v1/nodes/nearest", address="198.51.100.7", site=site, transport="tcp")
        self.assertTrue(all(r["same_site"] and r["uris"][0].endswith(";transport=tcp") for r in answer["items"]), answer)
        self.get(self.a, "/v1/nodes/nearest", 400, address="198.51.100.300")
        self.assertIn(self.b.ip, self.cluster.must("node", "nearest", "--site", site).out)

    def test_a_node_that_drains_is_not_named(self):
        self.cluster.must("node", "drain", self.b.name, node=0)
        try:
            wait_for(lambda: self.b.name not in {r["name"] for r in self.get(self.a, "/v1/nodes/nearest")["items"]}, 10, "it is left out")
            self.assertIn("n2.a.cn", self.get(self.a, "/v1/dns/records", domain="a.cn")["zone"])  # DNS is for longer than that
        finally:
            self.cluster.must("node", "undrain", self.b.name, node=0)
        wait_for(lambda: self.b.name in {r["name"] for r in self.get(self.a, "/v1/nodes/nearest")["items"]}, 20, "it is back")

    def test_zone(self):
        zone = self.cluster.must("dns", "records", "--domain", "SIP.example.cn", "--ttl", "60").out
        records = [line.split(None, 4) for line in zone.splitlines() if not line.startswith(";")]
        for r in records:
            self.assertEqual(r[1:3], ["60", "IN"], zone)
        hosts = {r[0]: r[4] for r in records if r[3] == "A"}
        self.assertEqual(sorted(hosts.values()), sorted(n.ip for n in self.cluster))
        for prefix in ("_sip._udp.", "_sip._tcp."):
            srv = [r[4].split() for r in records if r[3] == "SRV" and r[0] == prefix + "sip.example.cn."]
            self.assertEqual(len(srv), 3, zone)
            for priority, weight, port, target in srv:
                self.assertEqual((priority, weight, port), ("10", "10", str(SIP)))
                self.assertIn(target, hosts)
            self.assertIn(prefix + "sip.example.cn.", " ".join(r[4] for r in records if r[3] == "NAPTR"))
        self.assertEqual(self.get(self.a, "/v1/dns/records", domain="a.cn", site="here")["site"], "here")
        self.get(self.a, "/v1/dns/records", 400, domain="a_b.cn")


class TwoFlows(CallCase):
    """One telephone with a connection to two nodes each."""

    def phone(self, number, *nodes, **options):
        instance = uuid.uuid4()
        flows = []
        for i, n in enumerate(nodes):
            p = TcpPhone(self.cluster.network.client(), number, n.ip, self.passwords[number], tone=AGENT_HZ, **options)
            self.addCleanup(p.close)
            p.contact += ';+sip.instance="<urn:uuid:%s>";reg-id=%d' % (instance, i + 1)
            p.register()
            self.known(number, n)
            flows.append(p)
        rows = self.a.api("GET", "/v1/extensions/" + number).json["registrations"]
        self.assertEqual(len(rows), len(nodes), rows)
        return flows

    def hear(self, call, other):
        marks = call.rtp.mark(), other.rtp.mark()
        call.rtp.wait_tone(AGENT_HZ, after=marks[0])
        other.rtp.wait_tone(CALLER_HZ, after=marks[1])

    def back(self, node):
        if not node.alive():
            node.restart()

    def test_what_the_phone_says_counts(self):
        """Refused by the telephone, a call does not come to it a second time by its other flow."""
        first, second = self.phone("8001", self.b, self.c, on_invite="ring")
        p = self.extension("8003", self.a)
        call = p.invite("8001")
        second.wait_call().refuse(480, "Temporarily Unavailable")
        self.assertEqual(call.wait_ended().status, 480)
        self.assertEqual((len(first.incoming), len(second.incoming)), (0, 1))

    def test_a_node_dies(self):
        first, second = self.phone("8002", self.b, self.c)
        self.ready("1002")
        self.addCleanup(self.back, self.c)
        self.c.kill9()
        p = self.caller(tone=CALLER_HZ)
        call = p.invite("10003").wait_answered()
        other = first.wait_call(deadline=20)
        self.hear(call, other)
        self.assertIn(self.b.ip, other.request.all("via")[0])
        other.hangup()
        call.wait_ended()
        for n in (self.a, self.b):
            wait_for(lambda: self.state("1002", n) == "idle", 10, "ready again")
        self.back(self.c)
        r = self.record(p.user, deadline=20)
        self.assertEqual((r["agent"], r["offers"]), ("1002", 1))
        self.assertEqual(len(second.incoming), 0)

    def test_a_node_dies_while_it_is_rung(self):
        first, second = self.phone("8004", self.b, self.c, on_invite="ring")
        self.ready("1004")
        self.addCleanup(self.back, self.c)
        p = self.caller(tone=CALLER_HZ)
        call = p.invite("10003").wait_answered()
        second.wait_call()
        self.assertEqual(len(first.incoming), 0)
        self.c.kill9()
        other = first.wait_call(deadline=20)
        other.answer()
        self.hear(call, other)
        other.hangup()
        call.wait_ended()
        for n in (self.a, self.b):
            wait_for(lambda: self.state("1004", n) == "idle", 10, "ready again")
        self.back(self.c)
        self.assertEqual(self.record(p.user, deadline=20)["offers"], 1)
