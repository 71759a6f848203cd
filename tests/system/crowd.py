"""Many telephones on one socket and one thread, without sound: callers and agents of the queue tests. Each keeps its own dialogs;
what it does when it rings is set for each number beforehand, and may be changed at any time.

    crowd = Crowd(cluster.network.client())
    cluster.must("extension", "set", "8001", "--contact", crowd.contact("8001"))
    crowd.on("8001", "answer", talk=0.5)      # or "ring", "ignore", a status such as 486, or a list of such
    d = crowd.invite("10003", node.ip, "42550001"); d.wait_answered(); d.bye()
"""
import heapq
import itertools
import re
import secrets
import socket
import threading
import time

from everline import SIP
from sipmsg import Message, address_of, sdp, tag_of, uri_of

T1 = 0.5  # RFC 3261: first pause before a message is sent again
TRIES = 7


class Party:
    """One dialog of one telephone. `history`: statuses and methods that came, in order."""

    def __init__(self, crowd, number, call_id, outbound):
        self.crowd, self.number, self.call_id, self.outbound = crowd, number, call_id, outbound
        self.local_tag, self.cseq = secrets.token_hex(6), 1
        self.local = self.remote = self.target = ""
        self.invite = self.source = self.branch = None
        self.status, self.answered, self.ended, self.by, self.refusal = 0, False, False, "", None
        self.history = []
        self.described = ""  # by the other side: where it hears us
        self.reason = None  # that header of what ended it from the other side
        self.began = time.monotonic()
        self.over = None  # when it ended

    def _wait(self, condition, deadline, what):
        with self.crowd.changed:
            if not self.crowd.changed.wait_for(condition, deadline):
                raise AssertionError("call of %s: not %s within %.1f s; seen %s" % (self.number, what, deadline, self.history))
        return self

    def wait_answered(self, deadline=10):
        self._wait(lambda: self.answered or self.ended, deadline, "answered")
        if not self.answered:
            raise AssertionError("call of %s was refused: %s" % (self.number, self.history))
        return self

    def wait_ended(self, deadline=10):
        return self._wait(lambda: self.ended, deadline, "ended")

    def wait_seen(self, what, deadline=10):
        return self._wait(lambda: what in self.history, deadline, what)

    def answer(self):
        with self.crowd.changed:
            self.crowd._answer(self)
        return self

    def refuse(self, status):
        with self.crowd.changed:
            self.crowd._refuse(self, status)
        return self

    def hangup(self):
        with self.crowd.changed:
            self.crowd._hangup(self)
        return self

    def _end(self, by):
        if not self.ended:
            self.ended, self.by, self.over = True, by, time.monotonic()
            self.crowd.changed.notify_all()


class Crowd:
    def __init__(self, ip):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((ip, 0))
        self.sock.settimeout(0.01)
        # What is said to us goes here and is not read.
        self.sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sound.bind((ip, 0))
        self.ip, self.port = self.sock.getsockname()
        self.changed = threading.Condition(threading.RLock())
        self.parties = {}            # by (Call-ID, local tag's side)
        self.incoming = []           # those that rang here, in order
        self.conduct = {}            # number: (what, seconds of talk or None)
        self.sent = {}               # (branch, method) of requests of ours that wait for their answer
        self.replied = {}            # (branch, method) of requests to us: the last reply
        self.owed = {}               # Call-ID: a 200 of ours that waits for its ACK
        self.timers, self.order = [], itertools.count()
        self.faults = []
        self.closed = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        self.closed = True
        self.thread.join(2)
        self.sock.close()
        self.sound.close()

    def hang_up_all(self):
        with self.changed:
            for p in list(self.parties.values()):
                self._hangup(p)

    def contact(self, number):
        return "sip:%s@%s:%d" % (number, self.ip, self.port)

    def on(self, number, what, talk=None):
        """What this number does when it is called: "answer" (and hangs up after `talk` seconds), "ring", "ignore", or a status."""
        with self.changed:
            self.conduct[number] = (what, talk)

    def rung(self, number):
        """Calls that came to this number, oldest first."""
        with self.changed:
            return [p for p in self.incoming if p.number == number]

    def wait_rung(self, number, n=1, deadline=10):
        """The n-th call to this number."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.rung(number)) >= n, deadline):
                raise AssertionError("%s was not called %d times within %.1f s but %d" % (number, n, deadline, len(self.rung(number))))
            return self.rung(number)[n - 1]

    def at_once(self, number):
        """The most calls that this number ever had at the same time."""
        edges = []
        for p in self.rung(number):
            edges += [(p.began, 1), (p.over or float("inf"), -1)]
        now = most = 0
        for _, step in sorted(edges, key=lambda e: (e[0], e[1])):
            now += step
            most = max(most, now)
        return most

    # -- calls out

    def invite(self, number, server, caller):
        with self.changed:
            p = Party(self, caller, secrets.token_hex(10), True)
            uri = "sip:%s@%s" % (number, server)
            p.target, p.remote = uri, "<%s>" % uri
            p.local = "<sip:%s@%s>;tag=%s" % (caller, self.ip, p.local_tag)
            p.source, p.branch = (server, SIP), self._branch()
            self.parties[p.call_id] = p
            p.invite = self._request(p, "INVITE", uri, p.branch, p.remote, self._sdp(p))
            self._send(p.invite, p.source, p)
            return p

    def _sdp(self, _):
        return sdp(self.ip, self.sound.getsockname()[1], (8, 0))

    def _hangup(self, p):
        if p.ended:
            return
        if not p.answered:
            if not p.outbound:
                self._refuse(p, 486)
                return
            self._send(self._request(p, "CANCEL", p.target, p.branch, p.remote), p.source, p)
            return
        p._end("us")
        self.owed.pop(p.call_id, None)
        p.cseq += 1
        self._send(self._request(p, "BYE", p.target, self._branch(), p.remote), address_of(p.target), p)

    # -- messages

    @staticmethod
    def _branch():
        return "z9hG4bK" + secrets.token_hex(8)

    def _request(self, p, method, uri, branch, to, body=""):
        h = [("via", "SIP/2.0/UDP %s:%d;branch=%s;rport" % (self.ip, self.port, branch)), ("max-forwards", "70"), ("from", p.local),
             ("to", to), ("call-id", p.call_id), ("cseq", "%d %s" % (p.cseq, method)),
             ("contact", "<sip:%s@%s:%d>" % (p.number, self.ip, self.port))]
        if body:
            h.append(("content-type", "application/sdp"))
        return Message("%s %s SIP/2.0" % (method, uri), h, body)

    def _transmit(self, message, to):
        try:
            self.sock.sendto(message.text(), to)
        except OSError:
            pass

    def _later(self, seconds, what):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), what))

    def _send(self, m, to, p):
        """Sends a request again until its answer comes."""
        key = re.search(r"branch=([^;]+)", m.get("via")).group(1), m.cseq[1]
        self.sent[key] = p
        self._repeat(m, to, lambda: key in self.sent, T1, TRIES)

    def _repeat(self, m, to, wanted, pause, tries):
        if not wanted() or not tries:
            return
        self._transmit(m, to)
        self._later(pause, lambda: self._repeat(m, to, wanted, min(2 * pause, 4), tries - 1))

    def _run(self):
        while not self.closed:
            try:
                data, source = self.sock.recvfrom(65536)
            except socket.timeout:
                data = None
            except OSError:
                return
            with self.changed:
                while self.timers and self.timers[0][0] <= time.monotonic():
                    heapq.heappop(self.timers)[2]()
                if data and data.strip(b"\r\n\0 "):
                    try:
                        m = Message.parse(data)
                        self._response(m) if m.status else self._came(m, source)
                    except (ValueError, KeyError, IndexError, AttributeError, TypeError) as e:
                        self.faults.append("%r: %r" % (e, data[:200]))

    def _response(self, m):
        key = re.search(r"branch=([^;,]+)", m.get("via")).group(1), m.cseq[1]
        p = self.parties.get(m.get("call-id"))
        if m.status >= 200 or m.cseq[1] == "INVITE":
            self.sent.pop(key, None)
        if not p or m.cseq[1] != "INVITE":
            return
        first = m.status not in p.history
        p.history.append(m.status)
        p.status = m.status
        if 200 <= m.status < 300:
            p.remote, p.target = m.get("to"), uri_of(m.get("contact"))
            if first:
                p.described = m.body
                p.answered = True
            ack = self._request(p, "ACK", p.target, self._branch(), p.remote)
            ack.headers = [(k, "%d ACK" % m.cseq[0] if k == "cseq" else v) for k, v in ack.headers]
            self._transmit(ack, address_of(p.target))
        elif m.status >= 300:
            self._transmit(self._request(p, "ACK", p.target, key[0], m.get("to")), p.source)
            p.refusal = m
            p._end("them")
        self.changed.notify_all()

    # -- calls in

    def _reply(self, m, to, status, p=None, body=""):
        tag = "" if tag_of(m.get("to")) or not p else ";tag=" + p.local_tag
        h = [("via", v) for v in m.all("via")] + [("record-route", v) for v in m.all("record-route")]
        h += [("from", m.get("from")), ("to", m.get("to") + tag), ("call-id", m.get("call-id")), ("cseq", m.get("cseq"))]
        if p:
            h.append(("contact", "<%s>" % self.contact(p.number)))
        if body:
            h.append(("content-type", "application/sdp"))
        r = Message("SIP/2.0 %d Any" % status, h, body)
        self.replied[(re.search(r"branch=([^;,]+)", m.get("via")).group(1), m.method)] = (r, to)
        self._transmit(r, to)
        return r

    def _came(self, m, source):
        again = self.replied.get((re.search(r"branch=([^;,]+)", m.get("via")).group(1), m.method))
        if again:
            self._transmit(*again)
            return
        p = self.parties.get(m.get("call-id"))
        if m.method == "INVITE" and not p:
            self._invited(m, source)
            return
        if m.method == "ACK":
            self.owed.pop(m.get("call-id"), None)
        if not p:
            if m.method != "ACK":
                self._reply(m, source, 481)
            return
        if m.method == "INVITE":
            return  # sent again, or in the dialog: nobody is at this telephone
        if m.method == "ACK" and m.method in p.history:
            return  # of an answer that went twice, one of the two being slow
        p.history.append(m.method)
        if m.method in ("CANCEL", "BYE"):
            p.reason = m.get("reason")
        if m.method == "CANCEL":
            self._reply(m, source, 200, p)
            if not p.answered and not p.ended:
                self._reply(p.invite, p.source, 487, p)
                p._end("them")
        elif m.method == "BYE":
            self._reply(m, source, 200, p)
            self.owed.pop(p.call_id, None)
            p._end("them")
        elif m.method != "ACK":
            self._reply(m, source, 200 if m.method == "OPTIONS" else 501, p)
        self.changed.notify_all()

    def _invited(self, m, source):
        number = re.match(r"sips?:([^@;]+)@", m.first.split()[1]).group(1)
        p = Party(self, number, m.get("call-id"), False)
        p.invite, p.source, p.target, p.described = m, source, uri_of(m.get("contact")), m.body
        p.local, p.remote = "%s;tag=%s" % (m.get("to"), p.local_tag), m.get("from")
        p.caller = re.search(r"sips?:([^@;>]+)@", m.get("from")).group(1)
        self.parties[p.call_id] = p
        self.incoming.append(p)
        p.history.append("INVITE")
        what, p.talk = self.conduct.get(number, (404, None))
        if isinstance(what, list):  # one after another, the last one for ever
            what = what.pop(0) if len(what) > 1 else what[0]
        if what == "ring":
            self._reply(m, source, 180, p)
        elif what == "answer":
            self._answer(p)
        elif what != "ignore":
            self._refuse(p, what)
        self.changed.notify_all()

    def _refuse(self, p, status):
        if not p.answered and not p.ended:
            self._reply(p.invite, p.source, status, p)
            p._end("us")

    def _answer(self, p):
        if p.ended or p.answered:
            return
        p.answered = True
        r = self._reply(p.invite, p.source, 200, p, self._sdp(p))
        self.owed[p.call_id] = p
        self._later(T1, lambda: self._repeat(r, p.source, lambda: p.call_id in self.owed, T1, TRIES))
        if p.talk is not None:
            self._later(p.talk, lambda: self._hangup(p))
        self.changed.notify_all()
