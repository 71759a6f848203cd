"""What strangers send: after each of it the same processes run, calls are served, and nothing was lost."""
import glob
import itertools
import os
import random
import re
import secrets
import socket
import ssl
import struct
import subprocess

from callcase import CallCase
from everline import HTTPS, PEER, ROOT, SIP, wait_for
from sip_phone import Rtp
from sipua import Ua

SEED = int(os.environ.get("SEED") or secrets.randbits(32))


class Hostile(CallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print("  seed of %s: %d" % (cls.__name__, SEED))
        cls.strangers = itertools.cycle([cls.cluster.network.client() for _ in range(8)])

    def setUp(self):
        self.random = random.Random(SEED)
        self.workers = [n.workers() for n in self.cluster]
        self.config = [n.api("GET", "/v1/config").body for n in self.cluster]
        self.records = len(self.cdrs())
        self.calls_made = 0

    def cdrs(self, node=None):
        return (node or self.a).api("GET", "/v1/cdrs?limit=1000").json["items"]

    def tearDown(self):
        self.lives()

    def lives(self):
        """The same processes, ready, serving; state complete and equal."""
        for n, before in zip(self.cluster, self.workers):
            n.wait_ready()
            self.assertEqual(n.workers(), before, n.last_words())
            self.serves(n)
        self.assertEqual([n.api("GET", "/v1/config").body for n in self.cluster], self.config)
        self.assertTrue(self.a.api("POST", "/v1/cluster:verify").json["equal"])
        for n in self.cluster:
            self.assertEqual(len(self.cdrs(n)), self.records + self.calls_made)
            wait_for(lambda: n.api("GET", "/v1/calls").json["items"] == [], 5, "no call is left at %s" % n.name)

    def serves(self, node):
        p = self.caller(node, tone=900)
        call = p.invite("10001").wait_answered()
        call.rtp.wait_tone(900, seconds=0.2)
        call.hangup()
        self.record(p.user)
        self.calls_made += 1

    def noise(self, n):
        return bytes(self.random.getrandbits(8) for _ in range(n))

    def tcp(self, node, port):
        s = socket.socket()
        s.bind((next(self.strangers), 0))
        s.settimeout(10)
        s.connect((node.ip, port))
        self.addCleanup(s.close)
        return s

    def closed_by_peer(self, s, deadline=10):
        s.settimeout(deadline)
        try:
            while s.recv(65536):
                pass
        except ConnectionError:
            pass  # a reset is a close too


class Sip(Hostile):
    def test_torture_messages(self):
        """RFC 4475, over UDP and TCP, at every node."""
        files = sorted(glob.glob(os.path.join(ROOT, "tests", "fuzz", "corpus", "sip", "rfc4475_*")))
        self.assertGreaterEqual(len(files), 49)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.bind((next(self.strangers), 0))
            for file in files:
                with open(file, "rb") as f:
                    data = f.read()
                for n in self.cluster:
                    u.sendto(data, (n.ip, SIP))
                t = self.tcp(self.b, SIP)
                t.sendall(data)
                t.close()
        # Those of them that are calls to us have been refused.
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/calls").json["items"] == [], 10, "no call came of it")

    def test_each_mistake_has_its_answer(self):
        for transport in ("udp", "tcp"):
            with Ua(self.cluster.network.client(), self.a.ip, transport=transport) as ua:
                here = "sip:%s" % self.a.ip
                self.assertEqual(ua.request("DANCE", here).status, 501)
                self.assertEqual(ua.request("OPTIONS", "gopher:x").status, 416)
                self.assertEqual(ua.request("OPTIONS", here, [("require", "teleport")]).get("unsupported"), "teleport")
                r = ua.request("INVITE", ua.uri("10001"), body="<x/>", kind="application/xml")
                self.assertEqual(r.status, 415)
                self.assertIn("application/sdp", r.get("accept"))
                r = ua.request("INVITE", ua.uri("10001"), body="v=0\r\nx" * 10000)
                self.assertEqual(r.status, 413)
                self.assertEqual(ua.request("BYE", ua.uri("10001")).status, 481)
            # What cannot be read is answered; a stream that carried it is not trusted any further.
            for status, change in ((505, ("first", "OPTIONS %s SIP/7.0" % here)), (400, ("cseq", "x y z")), (400, ("content-length", "-1"))):
                with Ua(next(self.strangers), self.a.ip, transport=transport) as ua:
                    m = ua.message("OPTIONS", here)
                    text = m.text().decode()
                    if change[0] == "first":
                        text = text.replace(m.first, change[1])
                    else:
                        text = re.sub("(?im)^%s: .*?\r$" % change[0], "%s: %s\r" % change, text)
                    ua.send(text.encode())
                    r = ua.wait(lambda r: r.status and r.get("call-id") == m.get("call-id"), what="answer to " + change[0])
                    self.assertEqual(r.status, status)
                    if transport == "tcp":
                        ua.wait_closed()
                    else:
                        self.assertEqual(ua.request("OPTIONS", here).status, 200)

    def test_garbage(self):
        for n in self.cluster:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                u.bind((next(self.strangers), 0))
                u.sendto(b"", (n.ip, SIP))
                for size in (1, 2, 4, 12, 100, 1000, 65000):
                    for _ in range(20 if size < 65000 else 2):
                        u.sendto(self.noise(size) if size < 65000 else b"A" * size, (n.ip, SIP))
                u.sendto(b"INVITE " + b"x" * 40000 + b" SIP/2.0\r\n\r\n", (n.ip, SIP))
                u.sendto(b"\r\n\r\n" * 1000, (n.ip, SIP))
            for data in (self.noise(3000), b"\0" * 100, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"INVITE sip:10001@x SIP/2.0\r\nContent-Length: -5\r\n\r\n",
                         b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n"):
                t = self.tcp(n, SIP)
                t.sendall(data)
                t.shutdown(socket.SHUT_WR)
            t = self.tcp(n, SIP)
            try:
                for _ in range(64):
                    t.sendall(b"X-Endless: " + b"y" * 32768)
            except OSError:
                pass
            self.closed_by_peer(t, 30)

    def test_half_open_connections(self):
        """A stranger opens all he may and sends half a message; others are not kept waiting, and his number is limited."""
        ip = self.cluster.network.client()
        held, refused = [], 0
        for _ in range(40):
            s = socket.socket()
            s.bind((ip, 0))
            s.settimeout(5)
            s.connect((self.a.ip, SIP))
            self.addCleanup(s.close)
            held.append(s)
        for s in held:
            try:
                s.sendall(b"INVITE sip:10001@%s SIP/2.0\r\nVia: SIP/2.0/TCP " % self.a.ip.encode())
            except OSError:
                refused += 1
        self.serves(self.a)
        with Ua(self.cluster.network.client(), self.a.ip, transport="tcp") as ua:
            self.assertEqual(ua.request("OPTIONS", "sip:%s" % self.a.ip).status, 200)
        for s in held:
            s.settimeout(0.01)
            try:
                refused += s.recv(10) == b""
            except socket.timeout:
                pass
            except OSError:
                refused += 1
        self.assertGreaterEqual(refused, 8)

    def test_noise_at_a_talking_call(self):
        call, other = self.talking()
        self.calls_made += 1
        intruder = Rtp(self.cluster.network.client())
        self.addCleanup(intruder.close)
        ports = [call.rtp.remote[1], other.rtp.remote[1]]
        intruder.send_tone(1900)
        for port in ports:
            for k in (0, 1):
                to = (self.a.ip, port + k)
                for size in (0, 1, 11, 12, 13, 50, 172, 1400, 60000):
                    for _ in range(5):
                        intruder.sock.sendto(self.noise(size), to)
                intruder.sock.sendto(b"\x80\xc9" + b"\xff" * 6, to)
                intruder.sock.sendto(b"\x9f\xc8\xff\xff" + self.noise(100), to)
                intruder.sock.sendto(struct.pack("!BBHII", 0x9F, 0, 1, 1, 1) + self.noise(20), to)
            # Well-formed sound from a stranger is not let in while the right one talks.
            intruder.remote = (self.a.ip, port)
            sent = intruder.sent
            wait_for(lambda: intruder.sent > sent + 50, 5, "a second of foreign sound")
        self.hear_each_other(call, other)
        self.assertEqual(intruder.packets, 0)
        call.hangup()
        other.wait_ended()
        self.assertEqual([q["rx_lost"] for q in self.record(call.phone.user)["quality"]], [0, 0])
        self.wait_state(self.agent_number, "idle")


class Http(Hostile):
    def problem(self, r, status, field=None, line=None):
        self.assertEqual(r.status, status, r)
        self.assertEqual(r.headers["content-type"].split(";")[0], "application/problem+json")
        p = r.json
        self.assertEqual(p["status"], status)
        self.assertTrue(p["detail"])
        if field:
            self.assertEqual(p.get("field"), field, p)
        if line:
            self.assertEqual(p.get("line"), line, p)

    def test_broken_bodies(self):
        put = {"Content-Type": "application/json"}
        q = "/v1/queues/q9"
        self.problem(self.a.api("PUT", q, '{\n "strategy": "longest_idle",\n "ring_time_s": }', headers=put), 400, line=3)
        self.problem(self.a.api("PUT", q, '{"ring_time_s": 20, "ring_time_s": 30}', headers=put), 400)
        self.problem(self.a.api("PUT", q, b'{"display_name": "\xff\xfe"}', headers=put), 400)
        self.problem(self.a.api("PUT", q, "[" * 5000, headers=put), 400)
        self.problem(self.a.api("PUT", q, "", headers=put), 400)
        self.problem(self.a.api("PUT", q, '{\n\n"ring_time_s": "soon"}', headers=put), 422, field="ring_time_s", line=3)
        self.problem(self.a.api("PUT", q, {"strategy": "longest_idle", "colour": "red"}), 422, field="colour")
        self.problem(self.a.api("PUT", q, "ring_time_s: 5", headers={"Content-Type": "text/csv"}), 415)
        self.assertEqual(self.a.api("GET", q).status, 404)

    def test_broken_documents(self):
        kind = {"Content-Type": "application/yaml"}
        for text, status, field, line in (
                ("queues:\n  - name: a\n   strategy: x\n", 400, None, 3),
                ("queues:\n  - {name: q9, strategy: longest_idle, ring_time_s: 99999999}\n", 422, "queues[0].ring_time_s", 2),
                ("queues:\n  - name: q9\n    members:\n      - {agent: \"7777\"}\n", 422, "queues[0].members[0].agent", 4),
                ("agents:\n  - number: \"1099\"\n    shoe_size: 43\n", 422, "agents[0].shoe_size", 3),
                ("flows:\n  - name: f9\n    start: nowhere\n    nodes: {a: {type: hangup}}\n", 422, None, None),
                ("a: &x [1]\nb: [*x, *x]\n", 400, None, None),
                ("\x00\x01", 400, None, None)):
            r = self.a.api("POST", "/v1/config:apply", text, headers=kind)
            self.assertIn(r.status, (400, 422), (text, r))
            self.problem(r, r.status, field, line)
        done = self.cluster.ccctl("config", "apply", "-f", "-", stdin="queues:\n  - name: q9\n    ring_time_s: soon\n")
        self.assertEqual(done.code, 1, done)
        self.assertIn("3", done.err)
        self.assertIn("ring_time_s", done.err)

    def test_too_much(self):
        big = b'{"display_name": "' + b"x" * (9 << 20) + b'"}'
        self.problem(self.a.api("PUT", "/v1/queues/q9", big, headers={"Content-Type": "application/json"}, timeout=30), 413)
        s = self.tls()
        self.tell(s, b"GET /v1/cluster HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 70000 + b"\r\n\r\n")
        answer = self.first_line(s)
        self.assertTrue(not answer or b" 431 " in answer or b" 400 " in answer, answer)
        for uri in (b"/" + b"a" * 9000, b"/v1/queues/%00", b"/v1/../../etc/passwd", b"/v1/queues/" + b"%C3%28"):
            s = self.tls()
            self.tell(s, b"GET " + uri + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.cluster.token.encode() + b"\r\n\r\n")
            answer = self.first_line(s)
            self.assertTrue(not answer or answer.split()[1][:1] == b"4", (uri, answer))

    def tls(self):
        return self.cluster.tls.wrap_socket(self.tcp(self.a, HTTPS), server_hostname=self.a.ip)

    @staticmethod
    def tell(s, data):
        """The server may close as soon as it has read too much."""
        try:
            s.sendall(data)
        except OSError:
            pass

    @staticmethod
    def first_line(s):
        try:
            return s.recv(4096).split(b"\r\n")[0]
        except OSError:
            return b""

    def test_wrong_tokens(self):
        for token in (None, "x", self.cluster.token[:-1], self.cluster.token + "0", "\u00fc" * 10, "y" * 5000):
            headers = {} if token is None else {"Authorization": ("Bearer " + token).encode("utf-8")}
            for method, path in (("GET", "/v1/agents"), ("DELETE", "/v1/queues/service"), ("POST", "/v1/cluster:transfer")):
                r = self.a.api(method, path, token=None, headers=headers)
                self.assertIn(r.status, (401, 431) if token and len(token) > 1000 else (401,), (token, r))
        r = self.a.api("GET", "/v1/agents", token=None, headers={"Authorization": "Basic " + self.cluster.token})
        self.problem(r, 401)
        self.assertIn("Bearer", r.headers["www-authenticate"])

    def test_garbage_and_half_open(self):
        held = [self.tcp(self.a, HTTPS) for _ in range(50)]
        for i, s in enumerate(held):
            s.sendall((self.noise(200), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x16")[i % 4])
        slow = self.tls()
        slow.sendall(b"PUT /v1/queues/q9 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        self.assertEqual(self.a.api("GET", "/v1/agents").status, 200)
        for i in range(0, 50, 4):
            self.closed_by_peer(held[i])


class Mesh(Hostile):
    def refused(self, context):
        """The TLS alert by which the mesh's port refuses a client; "" when it was let in (its bytes were read, then it was closed)."""
        raw = self.tcp(self.b, PEER)
        try:
            s = context.wrap_socket(raw, server_hostname=self.b.ip)
            # In TLS 1.3 the refusal of a certificate comes with the first read.
            while s.recv(65536):
                pass
        except ssl.SSLError as e:
            return e.reason or str(e)
        return ""

    def context(self, cert=None, key=None):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        if cert:
            c.load_cert_chain(cert, key)
        return c

    def test_garbage(self):
        for n in self.cluster:
            for data in (b"", b"\0" * 1000, self.noise(5000), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + self.noise(3000)):
                s = self.tcp(n, PEER)
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                self.closed_by_peer(s)
            for _ in range(80):
                self.tcp(n, PEER)  # says nothing

    def test_without_certificate(self):
        self.assertIn("CERTIFICATE_REQUIRED", self.refused(self.context()))

    def test_certificate_of_another_authority(self):
        other = self.cluster.path("other")
        subprocess.run([os.path.join(ROOT, "scripts", "make-certs"), other, "n1", self.a.ip], check=True, stdout=subprocess.DEVNULL)
        self.assertIn("UNKNOWN_CA", self.refused(self.context(other + "/n1/cert.pem", other + "/n1/key.pem")))

    def test_garbage_with_a_right_certificate(self):
        """A member gone mad: its connection is dropped, not the node."""
        folder = self.cluster.path("certs", "n3")
        for data in (b"EVM1" + self.noise(4096), b"\x31\x4d\x56\x45" + b"\xff" * 64, self.noise(100000)):
            s = self.context(folder + "/cert.pem", folder + "/key.pem").wrap_socket(self.tcp(self.b, PEER))
            try:
                s.sendall(data)
            except OSError:
                pass
            self.closed_by_peer(s)

    def test_old_tls(self):
        folder = self.cluster.path("certs", "n3")
        c = self.context(folder + "/cert.pem", folder + "/key.pem")
        c.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertIn("PROTOCOL_VERSION", self.refused(c))
