"""A bare SIP client over UDP or TCP, IPv4 or IPv6, that does nothing by itself: for tests that look at single messages and
send what no proper telephone would. Calls with sound: sip_phone.py.

    ua = Ua(cluster.network.client(), node.ip, transport="tcp")
    r = ua.request("OPTIONS", "sip:%s" % node.ip)
    d = ua.invite("10001", body=sdp(...)); d.final(); d.ack(); d.send("BYE")
"""
import re
import secrets
import socket
import threading

from everline import SIP
from sip_phone import bracketed, family_of
from sipmsg import Message, tag_of, uri_of


def free_port6():
    """A port of ::1 that is free for UDP and TCP both."""
    for _ in range(50):
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as u:
            s.bind(("::1", 0))
            try:
                u.bind(("::1", s.getsockname()[1]))
                return u.getsockname()[1]
            except OSError:
                continue
    raise RuntimeError("no free port")


class Ua:
    def __init__(self, ip, server, port=SIP, transport="udp", user="4711"):
        self.ip, self.server, self.server_port, self.transport, self.user = ip, server, port, transport, user
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.sock = socket.socket(family_of(ip), kind)
        self.sock.bind((ip, 0))
        if transport != "udp":
            self.sock.settimeout(10)
        self.sock.connect((server, port))
        self.sock.settimeout(None)
        self.port = self.sock.getsockname()[1]
        self.inbox, self.changed, self.closed = [], threading.Condition(), False
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    # -- bytes

    def send(self, data):
        self.sock.send(data) if self.transport == "udp" else self.sock.sendall(data)

    def _read(self):
        data = b""
        try:
            while True:
                more = self.sock.recv(65536)
                if self.transport == "udp":
                    self._came(more)
                    continue
                if not more:
                    break
                data = self._frames((data + more).lstrip(b"\r\n"))
        except OSError:
            pass
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _frames(self, data):
        """Takes whole messages off a stream."""
        while b"\r\n\r\n" in data:
            head = data[:data.index(b"\r\n\r\n") + 4]
            length = re.search(rb"\r\n(?:content-length|l)\s*:\s*(\d+)", head, re.I)
            whole = len(head) + (int(length.group(1)) if length else 0)
            if len(data) < whole:
                break
            self._came(data[:whole])
            data = data[whole:].lstrip(b"\r\n")
        return data

    def _came(self, data):
        if data.strip(b"\r\n\0 "):
            with self.changed:
                self.inbox.append(Message.parse(data))
                self.changed.notify_all()

    # -- messages

    def wait(self, match, deadline=10, what="a message"):
        """Takes the first message that matches out of the inbox."""
        def found():
            return next((m for m in self.inbox if match(m)), None)
        with self.changed:
            if not self.changed.wait_for(found, deadline):
                raise AssertionError("no %s within %.1f s; inbox: %s" % (what, deadline, [m.first for m in self.inbox]))
            m = found()
            self.inbox.remove(m)
            return m

    def wait_closed(self, deadline=10):
        with self.changed:
            if not self.changed.wait_for(lambda: self.closed, deadline):
                raise AssertionError("the connection is still open after %.1f s" % deadline)

    def branch(self):
        return "z9hG4bK" + secrets.token_hex(8)

    @property
    def here(self):
        return "%s:%d" % (bracketed(self.ip), self.port)

    def message(self, method, uri, headers=(), body="", kind="application/sdp", branch=None, call_id=None, cseq=1, from_tag=None, to=None):
        h = [("via", "SIP/2.0/%s %s;branch=%s;rport" % (self.transport.upper(), self.here, branch or self.branch())),
             ("max-forwards", "70"), ("from", "<sip:%s@%s>;tag=%s" % (self.user, bracketed(self.server), from_tag or secrets.token_hex(6))),
             ("to", to or "<%s>" % uri), ("call-id", call_id or secrets.token_hex(10)), ("cseq", "%d %s" % (cseq, method)),
             ("contact", "<sip:%s@%s;transport=%s>" % (self.user, self.here, self.transport)), *headers]
        if body:
            h.append(("content-type", kind))
        return Message("%s %s SIP/2.0" % (method, uri), h, body)

    def answer_to(self, request, deadline=10, least=200):
        """The response of at least that status."""
        return self.wait(lambda m: m.status >= least and m.get("call-id") == request.get("call-id") and m.cseq == request.cseq,
                         deadline, "answer to %s" % request.first)

    def request(self, method, uri, headers=(), body="", **more):
        m = self.message(method, uri, headers, body, **more)
        self.send(m.text())
        return self.answer_to(m)

    def reply(self, request, status, reason="OK"):
        to = request.get("to")
        keep = [(k, v) for k, v in request.headers if k in ("via", "from", "call-id", "cseq", "record-route")]
        self.send(Message("SIP/2.0 %d %s" % (status, reason), keep + [("to", to)], "").text())

    def uri(self, number):
        return "sip:%s@%s" % (number, bracketed(self.server))

    def invite(self, number, body="", headers=(), authorize=None):
        """`authorize`: a function of the 407 and the URI that makes the credentials; the INVITE is then sent again with it."""
        d = Dialog(self, number, body, headers)
        if authorize:
            r = d.final()
            d.ack()
            d.start([("proxy-authorization", authorize(r, d.uri))])
        return d


class Dialog:
    """What follows from an INVITE of ours."""

    def __init__(self, ua, number, body, headers):
        self.ua, self.uri, self.body, self.headers = ua, ua.uri(number), body, list(headers)
        self.call_id, self.from_tag, self.cseq = secrets.token_hex(10), secrets.token_hex(6), 0
        self.start()

    def start(self, more=()):
        self.cseq += 1
        self.branch = self.ua.branch()
        self.to, self.target = "<%s>" % self.uri, self.uri
        self.request = self._message("INVITE", self.headers + list(more), self.body, self.branch)
        self.ua.send(self.request.text())

    def _message(self, method, headers=(), body="", branch=None, cseq=None, kind="application/sdp"):
        return self.ua.message(method, self.target, headers, body, kind, branch, self.call_id, cseq or self.cseq, self.from_tag, self.to)

    def wait(self, *statuses, deadline=10):
        r = self.ua.wait(lambda m: m.status in statuses and m.get("call-id") == self.call_id and m.cseq == self.request.cseq, deadline,
                         "answer %s" % (statuses,))
        return self._learn(r)

    def final(self, deadline=10):
        return self._learn(self.ua.answer_to(self.request, deadline))

    def _learn(self, r):
        self.response = r
        if tag_of(r.get("to")):
            self.to = r.get("to")
        if r.status < 300 and r.get("contact"):
            self.target = uri_of(r.get("contact"))
        return r

    def ack(self, body=""):
        if self.response.status >= 300:
            self.target = self.uri
        branch = self.branch if self.response.status >= 300 else self.ua.branch()
        self.ua.send(self._message("ACK", body=body, branch=branch).text())

    def cancel(self):
        m = self.ua.message("CANCEL", self.uri, branch=self.branch, call_id=self.call_id, cseq=self.cseq, from_tag=self.from_tag)
        self.ua.send(m.text())

    def send(self, method, headers=(), body="", kind="application/sdp"):
        """A request inside the dialog; returns the final response."""
        number = self.cseq = self.cseq + 1
        m = self._message(method, headers, body, cseq=number, kind=kind)
        self.ua.send(m.text())
        return self.ua.answer_to(m)
