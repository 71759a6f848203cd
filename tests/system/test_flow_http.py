"""Flows that ask business systems: what comes of each kind of answer, music meanwhile, and a node that dies over it."""
import ssl
import threading
import unittest

from business import Business
from everline import free_port, wait_for
from test_queue import QueueCase

SECRET = "f7-not-for-anybodys-eyes"


class FlowHttp(QueueCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ip = cls.cluster.network.client()
        cls.go = threading.Event()
        cls.go.set()
        cls.reply = (200, {"bill": {"due": "12.50"}, "pin": "4711"})
        cls.crm = Business(ip, cls.answer)
        cls.addClassCleanup(cls.crm.close)
        cls.tls = Business(ip, lambda request: (200, {}))
        cls.addClassCleanup(cls.tls.close)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # of the cluster's own authority, which is none of the machine's
        context.load_cert_chain(cls.cluster.path("certs/n1/cert.pem"), cls.cluster.path("certs/n1/key.pem"))
        cls.tls.server.socket = context.wrap_socket(cls.tls.server.socket, server_side=True, do_handshake_on_connect=False)
        cls.cluster.must("secret", "set", "crm", "--value-stdin", stdin=SECRET + "\n")
        refused = "http://%s:%d" % (ip, free_port(ip))
        flows = [cls.flow("bill", cls.crm.url), cls.flow("refused", refused),
                 cls.flow("untrusted", cls.tls.url.replace("http:", "https:"))]
        cls.apply({"flows": flows, "access_numbers": [{"number": "100%d" % (30 + i), "flow": f["name"]} for i, f in enumerate(flows)]})

    @staticmethod
    def flow(name, url):
        menu = {"type": "menu", "prompts": ["main_menu"], "timeout_s": 60, "keys": {"0": "bye"}}
        return {"name": name, "languages": ["zh"], "start": "ask", "nodes": {
            "ask": {"type": "http", "method": "POST", "url": url + "/bills/${caller}", "timeout_s": 10,
                    "headers": {"Authorization": "Bearer ${secret.crm}"}, "body": {"called": "${called}"},
                    "answer": {"due": "$.bill.due"}, "next": "good", "on_error": "bad"},
            "good": menu, "bad": menu, "bye": {"type": "hangup"}}}

    @classmethod
    def answer(cls, request):
        cls.go.wait()
        return cls.reply

    def at(self, party, node, deadline=10):
        """The caller has come to this node of the flow."""
        return wait_for(lambda: (self.live(party) or {}).get("flow_node") == node and self.live(party), deadline,
                        "%s is at %s, not %s" % (party.number, node, self.live(party)))

    def asked_by(self, party):
        return [r for r in list(self.crm.asked) if r.path == "/bills/" + party.number]

    def over(self, party):
        party.hangup()
        self.record(party)

    def answered_with(self, reply, node, status):
        type(self).reply = reply
        p = self.dial("10030").wait_answered()
        call = self.at(p, node)
        self.assertEqual(call["variables"]["http_status"], status)
        self.over(p)

    def test_answers(self):
        good = self.reply
        self.addCleanup(setattr, type(self), "reply", good)
        p = self.dial("10030", 1).wait_answered()
        call = self.at(p, "good")
        self.assertEqual(call["variables"], {"due": "12.50", "http_status": "200"})
        request, = self.asked_by(p)
        self.assertEqual((request.method, request.body), ("POST", b'{"called":"10030"}'))
        self.assertEqual(request.headers["authorization"], "Bearer " + SECRET)
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertIn(call["call_id"], request.headers["idempotency-key"])
        self.over(p)
        self.answered_with((500, {}), "bad", "500")
        self.answered_with((200, b"<html>"), "bad", "200")
        self.answered_with((302, b""), "bad", "302")
        self.answered_with((200, b"x" * 70000), "bad", "0")
        for number in ("10031", "10032"):  # refused, and by one that nobody vouches for
            p = self.dial(number, 2).wait_answered()
            self.assertEqual(self.at(p, "bad")["variables"]["http_status"], "0")
            self.over(p)
        self.assertEqual(self.tls.asked, [])
        for n in self.cluster:
            self.assertNotIn(SECRET, n.log_text())
            self.assertNotIn("/bills/", n.log_text())

    def test_node_dies_while_the_request_is_out(self):
        self.go.clear()
        self.addCleanup(self.go.set)
        dies = self.cluster[2]
        p, other = self.dial("10030", 2).wait_answered(), self.dial("10030", 0).wait_answered()
        wait_for(lambda: len(self.asked_by(p)) == 1 and len(self.asked_by(other)) == 1, 10, "both requests are out")
        dies.kill9()
        wait_for(lambda: len(self.asked_by(p)) == 2, 10, "the new owner makes the request again")
        first, second = self.asked_by(p)
        self.assertEqual(first.headers["idempotency-key"], second.headers["idempotency-key"])
        self.assertEqual((first.method, first.path, first.body), (second.method, second.path, second.body))
        self.assertNotEqual(first.headers["idempotency-key"], self.asked_by(other)[0].headers["idempotency-key"])
        self.go.set()
        for party in (p, other):
            self.assertEqual(self.at(party, "good")["variables"]["due"], "12.50")
        self.assertEqual(len(self.asked_by(other)), 1)
        dies.restart()
        self.over(p)
        self.over(other)


if __name__ == "__main__":
    unittest.main()
