"""Telephones that only one node can reach: over the TCP connection that they opened, or through the mapping of a NAT. Calls of
other nodes go through that node (RFC 5626, RFC 3327)."""
import re
import socket
import threading

from callcase import AGENT_HZ, CALLER_HZ, CallCase
from everline import SIP, wait_for
from sip_phone import SipPhone
from sipmsg import Message, address_of, sdp, tag_of, uri_of
from sipua import Ua


class TcpPhone(SipPhone):
    """All its messages go over one connection that it opened; nothing listens at its Contact."""

    def __init__(self, ip, user, server, password=None, **options):
        self.ip, self.server = ip, server
        self.stream = self._connected()
        super().__init__(ip, user, server, password, **options)
        self.sock.close()
        self.port = self.stream.getsockname()[1]
        self.contact = "<sip:%s@%s:%d;transport=tcp>" % (user, ip, self.port)

    def _connected(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.bind((self.ip, 0))
        s.settimeout(10)
        s.connect((self.server, SIP))
        s.settimeout(None)
        return s

    def connect(self):
        """Again, from another port, without registering."""
        self.stream = self._connected()
        threading.Thread(target=self._read, daemon=True).start()

    def cut(self):
        """Ends the connection and leaves the registration."""
        try:
            self.stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.stream.close()

    def close(self):
        self.cut()
        super().close()

    def _base(self, *args, **more):
        m = super()._base(*args, **more)
        m.headers = [(k, v.replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace(";rport", "") if k == "via" else v) for k, v in m.headers]
        return m

    def _transmit(self, message, to):
        self.log.append((0, ">", message.first))
        try:
            self.stream.sendall(message.text())
        except OSError:
            pass

    def _read(self):
        data = b""
        while not self.closed:
            try:
                more = self.stream.recv(65536)
            except OSError:
                return
            if not more:
                return
            data = (data + more).lstrip(b"\r\n")
            while b"\r\n\r\n" in data:
                head = data.index(b"\r\n\r\n") + 4
                whole = head + int(re.search(rb"\r\nContent-Length: *(\d+)", data[:head], re.I).group(1))
                if len(data) < whole:
                    break
                m = Message.parse(data[:whole])
                data = data[whole:].lstrip(b"\r\n")
                self.log.append((0, "<", m.first))
                self._response(m) if m.status else self._request(m, (self.server, SIP))


class NatPhone(SipPhone):
    """Says a private address that nobody can reach, and hears only from where it sends to, as behind a NAT."""

    def __init__(self, ip, user, server, password=None, **options):
        super().__init__(ip, user, server, password, **options)
        self.sock.connect((server, SIP))
        self.contact = "<sip:%s@10.255.255.1:5062>" % user

    def _base(self, *args, **more):
        m = super()._base(*args, **more)
        m.headers = [(k, re.sub(r"UDP [^;]+", "UDP 10.255.255.1:5062", v) if k == "via" else v) for k, v in m.headers]
        return m


class FlowCase(CallCase):
    def phone(self, kind, number, node=None, **options):
        options.setdefault("tone", AGENT_HZ)
        p = kind(self.cluster.network.client(), number, (node or self.b).ip, self.passwords[number], **options)
        self.addCleanup(p.close)
        p.register()
        self.known(number, node or self.b)
        return p

    def through(self, other):
        """That the INVITE came through node B, as a proxy leaves it. Returns the token's URI."""
        m = other.request
        self.assertEqual(len(m.all("via")), 2, m.text())
        self.assertIn(self.b.ip, m.all("via")[0])
        self.assertEqual(m.get("max-forwards"), "68")  # the call is one hop, the node that forwards another
        self.assertEqual(m.all("route"), [])
        routes = m.all("record-route")
        self.assertEqual(len(routes), 1, m.text())
        self.assertRegex(routes[0], r"^<sip:flow1-[^@]+@%s:%d(;transport=tcp)?;lr>$" % (re.escape(self.b.ip), SIP))
        return uri_of(routes[0])

    def conversation(self, phone, caller, owner, end):
        count = len(phone.incoming) + 1
        phone.on_invite = "ring"
        call = caller.invite(phone.user)
        other = phone.wait_call(count)
        call.wait_status(180)
        self.assertEqual(self.wait_phase(caller.user, "dialling")["owner"], owner.name)
        self.through(other)
        self.assertEqual(address_of(other.target)[0], owner.ip)
        other.answer()
        call.wait_answered()
        other.wait_status("ACK")
        self.hear(call, other)
        # Hold and resume, from the telephone.
        self.assertEqual(other.reinvite("sendonly").status, 200)
        self.assertEqual(other.reinvite("sendrecv").status, 200)
        self.hear(call, other)
        if end == "phone":
            other.hangup()
            self.assertEqual(call.wait_ended().by, "them")
        else:
            call.hangup()
            self.assertEqual((other.wait_ended().by, other.history[-1]), ("them", "BYE"))

    def hear(self, call, other):
        marks = call.rtp.mark(), other.rtp.mark()
        call.rtp.wait_tone(AGENT_HZ, after=marks[0])
        other.rtp.wait_tone(CALLER_HZ, after=marks[1])

    def both_ways(self, kind, number, callers):
        phone = self.phone(kind, number)
        for caller, owner, end in zip(callers, (self.a, self.c), ("phone", "caller")):
            p = self.extension(caller, owner, tone=CALLER_HZ)
            self.conversation(phone, p, owner, end)
            r = self.record(p.user)
            self.assertEqual((r["cause"], r["ended_by"]), ("normal", "callee" if end == "phone" else "caller"))
        # From the node that holds the flow.
        p = self.extension(callers[2], self.b, tone=CALLER_HZ)
        call = p.invite(number).wait_status(180)
        other = phone.wait_call(3)
        other.answer()
        call.wait_answered()
        self.assertEqual(other.request.all("record-route"), [])
        self.hear(call, other)
        self.assertEqual(other.reinvite("sendrecv").status, 200)
        call.hangup()
        other.wait_ended()


class Flow(FlowCase):
    def test_tcp(self):
        self.both_ways(TcpPhone, "8001", ("8002", "8003", "8004"))

    def test_udp_behind_nat(self):
        self.both_ways(NatPhone, "8005", ("8006", "8007", "8008"))

    def test_cancel_and_busy(self):
        for kind, number, caller in ((TcpPhone, "8009", "8010"), (NatPhone, "8011", "8012")):
            phone, p = self.phone(kind, number, on_invite="ring"), self.extension(caller, self.a)
            call = p.invite(number).wait_status(180)
            other = phone.wait_call()
            call.hangup()
            call.wait_ended()
            self.assertEqual((other.wait_ended().by, other.reason), ("them", "CANCEL"))
            self.assertEqual(self.record(p.user)["cause"], "cancelled")
            phone.on_invite = "busy"
            self.assertEqual(p.invite(number).wait_ended().status, 486)

    def test_agents(self):
        """Served from a queue at another node, he is ready again afterwards."""
        for kind, agent in ((TcpPhone, "1013"), (NatPhone, "1014")):
            phone = self.phone(kind, "8" + agent[1:])
            self.ready(agent)
            p = self.caller(tone=CALLER_HZ)
            call = p.invite("10003").wait_answered()
            other = phone.wait_call()
            self.hear(call, other)
            self.through(other)
            other.hangup()
            call.wait_ended()
            self.wait_state(agent, "idle")
            r = self.record(p.user)
            self.assertEqual((r["agent"], r["ended_by"], r["offers"]), (agent, "agent", 1))
            self.logout(agent)

    def test_operator_hangs_up(self):
        phone, p = self.phone(TcpPhone, "8015"), self.extension("8016", self.c, tone=CALLER_HZ)
        call = p.invite(phone.user).wait_answered()
        other = phone.wait_call()
        self.hear(call, other)
        self.cluster.must("call", "hangup", self.wait_phase(p.user, "talking")["call_id"], node=1)
        for c in (call, other):
            self.assertEqual((c.wait_ended().by, c.history[-1]), ("them", "BYE"))


class Tokens(FlowCase):
    """A token opens nothing to anybody but the two ends that it is for."""

    def setUp(self):
        self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.sink.close)
        self.sink.bind((self.cluster.network.client(), 0))
        self.sink.setblocking(False)

    def nothing_came(self):
        self.assertRaises(BlockingIOError, self.sink.recv, 65536)

    def stranger(self, transport="udp", node=None):
        ua = Ua(self.cluster.network.client(), (node or self.b).ip, transport=transport)
        self.addCleanup(ua.close)
        return ua

    @property
    def sink_text(self):
        return "%s:%d" % self.sink.getsockname()

    def test_forged(self):
        ip, port = self.sink.getsockname()
        for transport in ("udp", "tcp"):
            ua = self.stranger(transport)
            for token in ("flow1-" + 32 * "0" + "-udp_%s_%d" % (ip, port), "flow1-", "flow1-" + 400 * "a", "flow1-" + 32 * "0" + "-"):
                for method in ("INVITE", "OPTIONS", "BYE", "REGISTER"):
                    r = ua.request(method, "sip:8001@" + self.sink_text, [("route", "<sip:%s@%s:%d;lr>" % (token, self.b.ip, SIP))])
                    self.assertEqual(r.status, 403, r.text())
        self.nothing_came()

    def test_genuine_in_wrong_hands(self):
        phone, p = self.phone(NatPhone, "8017"), self.extension("8018", self.a)
        call = p.invite(phone.user).wait_answered()
        other = phone.wait_call()
        token = self.through(other)
        other.wait_status("ACK")
        seen = len(phone.log)
        # From a stranger, in the dialog or not; and at a node that it was not made for.
        ua = self.stranger()
        route = [("route", "<%s>" % token)]
        self.assertEqual(ua.request("INVITE", uri_of(phone.contact), route, sdp(ua.ip, 40000)).status, 403)
        inside = {"call_id": other.call_id, "from_tag": other.remote_tag, "to": "<%s>;tag=%s" % (phone.aor, other.local_tag), "cseq": 99}
        self.assertEqual(ua.request("BYE", uri_of(phone.contact), route, **inside).status, 403)
        elsewhere = self.stranger(node=self.c)
        moved = [("route", "<%s>" % token.replace(self.b.ip, self.c.ip))]
        self.assertEqual(elsewhere.request("INVITE", uri_of(phone.contact), moved).status, 403)
        # From the telephone itself: to others than nodes, and to nodes without a dialog.
        other.target, right = "sip:" + self.sink_text, other.target
        self.assertEqual(other.send("INFO").status, 403)
        other.target = right
        m = phone._base("INVITE", "sip:10001@%s" % self.a.ip, phone._branch(), "<%s>;tag=1" % phone.aor, "<sip:10001@%s>" % self.a.ip,
                        "outside-any-dialog", 1, sdp(phone.ip, 40000), route)
        self.assertEqual(phone._transact(m, (self.b.ip, SIP), 5).status, 403)
        self.nothing_came()
        self.assertEqual([x for _, way, x in phone.log[seen:] if way == "<" and not x.startswith("SIP/2.0 403")], [])
        # The call is none the worse for it.
        self.assertEqual(other.send("INFO").status, 200)
        call.hangup()
        other.wait_ended()

    def test_responses_of_strangers(self):
        """A response is passed on only if its request went through us: else anybody could have us send to anywhere."""
        ua = self.stranger()
        via = ["SIP/2.0/UDP %s:%d;branch=z9hG4bK-e%s" % (self.b.ip, SIP, 32 * "0"), "SIP/2.0/UDP %s;branch=z9hG4bKx" % self.sink_text]
        ua.send(Message("SIP/2.0 200 OK", [("via", v) for v in via] + [
            ("from", "<sip:a@b>;tag=1"), ("to", "<sip:a@b>;tag=2"), ("call-id", "nobody"), ("cseq", "1 OPTIONS")]).text())
        self.assertEqual(ua.request("OPTIONS", "sip:" + self.b.ip).status, 200)  # it has been looked at by now
        self.nothing_came()

    def test_hops_run_out(self):
        phone, p = self.phone(NatPhone, "8019"), self.extension("8020", self.a)
        call = p.invite(phone.user).wait_answered()
        other = phone.wait_call()
        m = phone._base("INFO", other.target, phone._branch(), other.local, other.remote, other.call_id, 900, "", [("route", other.route[0])])
        m.headers = [(k, "0" if k == "max-forwards" else v) for k, v in m.headers]
        self.assertEqual(phone._transact(m, (self.b.ip, SIP), 5).status, 483)
        call.hangup()
        other.wait_ended()


class Broken(FlowCase):
    def closed(self, phone):
        """Cuts its connection; until node B has seen it, as it has once it answers what came after."""
        phone.cut()
        with Ua(self.cluster.network.client(), self.b.ip) as ua:
            self.assertEqual(ua.request("OPTIONS", "sip:" + self.b.ip).status, 200)

    def test_unreachable(self):
        phone = self.phone(TcpPhone, "8001")
        self.ready("1001")
        self.closed(phone)
        p = self.caller()
        call = p.invite("10003").wait_answered()
        self.wait_state("1001", "not_ready")
        self.assertEqual(self.a.api("GET", "/v1/agents/1001").json["reason"], "unreachable")
        # It comes again, and is served at once.
        again = self.phone(TcpPhone, "8001")
        other = again.wait_call().wait_status("ACK")
        self.through(other)
        other.hangup()
        call.wait_ended()

    def test_another_contact(self):
        """The flow that is newest is broken; an older one of the same extension rings, and nobody becomes not ready."""
        old = self.extension("8002", self.c, tone=AGENT_HZ)
        phone = self.phone(TcpPhone, "8002")
        self.ready("1002")
        self.closed(phone)
        p = self.caller(tone=CALLER_HZ)
        call = p.invite("10003").wait_answered()
        other = old.wait_call()
        self.hear(call, other)
        other.hangup()
        call.wait_ended()
        self.wait_state("1002", "idle")
        self.assertEqual(self.record(p.user)["offers"], 1)

    def test_in_the_middle(self):
        phone, p = self.phone(TcpPhone, "8003"), self.extension("8004", self.a, tone=CALLER_HZ)
        call = p.invite(phone.user).wait_answered()
        other = phone.wait_call()
        self.hear(call, other)
        self.closed(phone)
        self.hear(call, other)  # the sound goes on
        call.hangup()
        r = self.record(p.user)
        self.assertEqual((r["cause"], r["ended_by"]), ("normal", "caller"))
        # Its telephone comes again and can be called; and it comes again inside that call, and hangs up.
        again = self.phone(TcpPhone, "8003")
        call = p.invite("8003").wait_answered()
        other = again.wait_call()
        self.hear(call, other)
        self.closed(again)
        again.connect()
        other.hangup()
        self.assertEqual(call.wait_ended().by, "them")


class HolderDead(FlowCase):
    """The node that a telephone registered at is dead."""

    def setUp(self):
        self.addCleanup(self.come_back)

    def come_back(self):
        if not self.b.alive():
            self.b.start().wait_ready()
        wait_for(lambda: self.holder_of_b() == self.b.name, 20, "node B has its address again")

    def holder_of_b(self):
        """The node that has node B's address now."""
        row = next(a for a in self.a.api("GET", "/v1/addresses").json["items"] if a["ip"] == self.b.ip)
        return row["holder"] if row["bound"] else None

    def kill(self):
        self.b.kill9()
        holder = wait_for(lambda: self.holder_of_b() in (self.a.name, self.c.name) and self.holder_of_b(), 15, "another has node B's address")
        return self.cluster.node(holder)

    def known(self, number, node):
        for n in self.cluster.alive():
            wait_for(lambda: any(b["node"] == node.name for b in n.api("GET", "/v1/extensions/" + number).json["registrations"]), 5,
                     "%s knows where %s is" % (n.name, number))

    def rings_through_the_address(self, phone, caller, node, holder):
        """The INVITE comes from the address that the telephone registered at: only that passes its NAT."""
        count = len(phone.incoming) + 1
        call = self.extension(caller, node, tone=CALLER_HZ).invite(phone.user).wait_answered()
        other = phone.wait_call(count)
        self.assertEqual(other.request.source[0], self.b.ip)
        if node is holder:
            self.assertEqual(other.request.all("record-route"), [])
        else:
            self.through(other)
        self.hear(call, other)
        self.assertEqual(other.reinvite("sendrecv").status, 200)
        other.hangup()
        call.wait_ended()

    def test_nat(self):
        phone = self.phone(NatPhone, "8005")
        holder = self.kill()
        for caller, node in (("8006", holder), ("8007", next(n for n in (self.a, self.c) if n is not holder))):
            self.rings_through_the_address(phone, caller, node, holder)
        # Home again, the same.
        self.come_back()
        for caller, node in (("8008", self.b), ("8009", self.a)):
            self.rings_through_the_address(phone, caller, node, self.b)

    def test_contact_is_tried(self):
        """The connection died with its node: the Contact is all there is."""
        stand_in = SipPhone(self.cluster.network.client(), "8001", self.a.ip, tone=AGENT_HZ)
        self.addCleanup(stand_in.close)
        phone = TcpPhone(self.cluster.network.client(), "8001", self.b.ip, self.passwords["8001"], tone=AGENT_HZ)
        self.addCleanup(phone.close)
        phone.contact = stand_in.contact
        phone.register()
        self.known("8001", self.b)
        p = self.extension("8002", self.a, tone=CALLER_HZ)
        # While it lives the flow is taken, not the Contact.
        call = p.invite("8001").wait_answered()
        self.through(phone.wait_call())
        call.hangup()
        phone.wait_call().wait_ended()
        self.assertEqual(stand_in.incoming, [])
        self.kill()
        call = p.invite("8001").wait_answered()
        other = stand_in.wait_call()
        self.assertEqual(tag_of(other.request.get("to")), "")
        self.hear(call, other)
        other.hangup()
        call.wait_ended()
