"""Telephones for the fault tests: hundreds in one process, over UDP and TCP, with sound, behaving by RFC 3261 and nothing more.

One thread serves all sockets; a process of its own sends the sound (20 ms a packet), so that signalling does not hold it up. What
the telephones hear is not read here: it is captured on their network (capture.py), and the verdict comes from there.

    ex = Exchange()
    phone = ex.phone("10.9.1.5", "42550001", "udp")
    d = phone.invite("10003", ("10.9.0.11", 5060), "talking"); d.wait("answered")
    d.hold(); d.digits("12"); d.bye(); ex.close()
"""
import heapq
import itertools
import json
import os
import random
import re
import select
import socket
import struct
import threading
import time

from everline import until
from sipmsg import Message, address_of, sdp, tag_of, uri_of

T1, T2, T64 = 0.5, 4.0, 32.0
FRAME = 160


# ---------------------------------------------------------------- sound

def _sound_process(control, parent):
    """Sends what it was told to: messages are JSON with the socket beside them. Ends with the other end of `control`."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        try:
            os.nice(-10)
        except OSError:
            pass
    parent.close()
    control.setblocking(False)
    flows, slots = {}, 4
    due, turn = time.monotonic(), 0
    voice = bytes(range(0x40, 0x48)) * (FRAME // 8)
    while True:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(control, 65536, 1)
            except BlockingIOError:
                break
            if not data:
                os._exit(0)
            m = json.loads(data)
            f = flows.setdefault(m["id"], {"seq": random.getrandbits(15), "ts": random.getrandbits(30), "ssrc": random.getrandbits(32), "to": None,
                                           "digits": [], "slot": len(flows) % slots, "sock": None, "pt": 8})
            if fds:
                f["sock"] = socket.socket(fileno=fds[0])
            if m.get("end"):
                f = flows.pop(m["id"])
                if f["sock"]:
                    f["sock"].close()
                continue
            f["pt"] = m.get("pt", f["pt"])
            if "to" in m:
                f["to"] = tuple(m["to"]) if m["to"] else None
            for d in m.get("digits", ""):
                # Six packets of the tone, three of its end, three pauses.
                f["digits"] += [(d, i) for i in range(9)] + [None] * 3
        for f in flows.values():
            if f["slot"] != turn or not f["sock"]:
                continue
            f["ts"] = (f["ts"] + FRAME) & 0xFFFFFFFF
            if not f["to"]:
                continue
            pt, ts, payload = f["pt"], f["ts"], voice
            if f["digits"]:
                digit = f["digits"].pop(0)
                if digit is None:
                    continue
                d, i = digit
                if i == 0:
                    f["began"] = ts
                pt, ts = 101 | (0x80 if i == 0 else 0), f["began"]
                payload = struct.pack("!BBH", "0123456789*#".index(d), 10 | (0x80 if i > 5 else 0), min(i + 1, 6) * FRAME)
            f["seq"] = (f["seq"] + 1) & 0xFFFF
            try:
                f["sock"].sendto(struct.pack("!BBHII", 0x80, pt, f["seq"], ts, f["ssrc"]) + payload, f["to"])
            except OSError:
                pass
        turn = (turn + 1) % slots
        due += 0.02 / slots
        until(due, "the pace of RTP")
        if time.monotonic() > due + 1:
            due = time.monotonic()


# ---------------------------------------------------------------- messages

def hx(n):
    return "%0*x" % (n, random.getrandbits(4 * n))


def read_sdp(text):
    """((ip, port), direction) of the audio, or None."""
    ip, m = re.search(r"^c=IN IP4 (\S+)", text, re.M), re.search(r"^m=audio (\d+) ", text, re.M)
    d = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", text, re.M)
    return ((ip.group(1), int(m.group(1))), d.group(1) if d else "sendrecv") if ip and m else None


MIRROR = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "sendrecv": "sendrecv"}


# ---------------------------------------------------------------- dialogs

class Dialog:
    """One dialog of one telephone. `seen`: (time, what) of all that came."""

    def __init__(self, phone, call_id, outbound):
        self.phone, self.ex, self.call_id, self.outbound = phone, phone.ex, call_id, outbound
        self.local_tag, self.cseq, self.remote_cseq = hx(10), random.randrange(1, 1000), 0
        self.local = self.remote = self.target = ""
        self.route, self.peer = [], None
        self.answered = self.ended = self.acked = False
        self.by = ""
        self.withhold = False          # no ACK until release()
        self.acks = {}                 # CSeq: (bytes, where)
        self.invite = None             # that came
        self.inviting = False          # an INVITE of ours in this dialog has no final response yet
        self.reinvited = None          # final status of the last re-INVITE of ours
        self.version, self.direction, self.remote_direction = 1, "sendrecv", "sendrecv"
        self.seen, self.began, self.over = [], time.time(), None
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        self.sock.bind((phone.ip, 0))
        self.media = self.sock.getsockname()
        self.id = next(self.ex.ids)
        self.ex.sound({"id": self.id}, self.sock)
        self.sources = {}              # (branch, method): where a request came from
        self.label, self.caller, self.refusal = "", "", None

    def __repr__(self):
        return "<%s %s %s %s>" % (self.phone.number, self.call_id, "ended by " + self.by if self.ended else "up" if self.answered else "early",
                                  [w for _, w in self.seen][-8:])

    # -- for tests, from any thread

    def wait(self, what, deadline=10.0):
        """what: "answered", "ended", a condition, or something that is in `seen`."""
        test = what if callable(what) else {"answered": lambda: self.answered or self.ended, "ended": lambda: self.ended}.get(
            what, lambda: any(w == what for _, w in self.seen))
        with self.ex.changed:
            if not self.ex.changed.wait_for(test, deadline):
                raise AssertionError("%r: not %s within %.1f s" % (self, what if not callable(what) else "as wanted", deadline))
        if what == "answered" and not self.answered:
            raise AssertionError("%r: refused" % self)
        return self

    def bye(self):
        self.ex.do(self._bye)

    def answer(self):
        self.ex.do(self._answer)

    def hold(self):
        self.ex.do(lambda: self._reinvite("sendonly"))

    def resume(self):
        self.ex.do(lambda: self._reinvite("sendrecv"))

    def release(self):
        """Sends the ACK that was withheld."""
        def now():
            self.withhold = False
            for data, to in self.acks.values():
                self.phone.transmit(data, to)
        self.ex.do(now)

    def digits(self, text):
        self.ex.sound({"id": self.id, "digits": text})

    # -- inside, in the thread of the exchange

    def note(self, what):
        self.seen.append((time.time(), what))
        self.ex.changed.notify_all()

    def end(self, by):
        if not self.ended:
            self.ended, self.by, self.over = True, by, time.time()
            self.ex.sound({"id": self.id, "end": True})
            self.ex.ended.append(self)
            self.ex.changed.notify_all()

    def description(self):
        return sdp(*self.media, (8,), self.direction, self.version)

    def heard(self, body):
        got = read_sdp(body) if body else None
        if got:
            self.peer, self.remote_direction = got
            sends = self.remote_direction in ("sendrecv", "recvonly") and self.direction in ("sendrecv", "sendonly")
            self.ex.sound({"id": self.id, "to": self.peer if sends and self.peer[0] != "0.0.0.0" and self.peer[1] else None})

    def request(self, method, cseq, body="", branch=None, uri=None, extra=()):
        p = self.phone
        h = [("via", "SIP/2.0/%s %s:%d;branch=%s;rport" % (p.transport.upper(), p.ip, p.port, branch or self.ex.branch())), ("max-forwards", "70"),
             ("from", self.local), ("to", self.remote), ("call-id", self.call_id), ("cseq", "%d %s" % (cseq, method)), ("contact", p.contact),
             *(("route", r) for r in self.route), *extra]
        if body:
            h.append(("content-type", "application/sdp"))
        return Message("%s %s SIP/2.0" % (method, uri or self.target), h, body)

    @property
    def next_hop(self):
        return address_of(uri_of(self.route[0]) if self.route else self.target)

    def _bye(self):
        if self.ended:
            return
        if not self.answered:
            if self.outbound:
                m = self.request("CANCEL", self.cseq, branch=self.first_branch, uri=self.first_uri)
                m.headers = [(k, "<%s>" % self.first_uri if k == "to" else v) for k, v in m.headers]
                self.ex.transact(self.phone, m, self.server, lambda r: None)
            else:
                self.phone.reply(self.invite, 486, self)
                self.end("us")
            return
        self.cseq += 1
        self.end("us")
        self.ex.transact(self.phone, self.request("BYE", self.cseq), self.next_hop, lambda r: self.note("BYE %d" % r.status if r else "BYE lost"))

    def _reinvite(self, direction):
        if self.ended:
            return
        self.cseq += 1
        self.version += 1
        self.direction, self.inviting, self.reinvited, number = direction, True, None, self.cseq
        m = self.request("INVITE", number, self.description())

        def final(r):
            if r is not None and r.status < 200:
                return
            self.inviting = False
            if r is not None and r.status == 503 and r.get("retry-after"):
                self.note("re-INVITE 503")
                self.ex.later(int(re.match(r"\d+", r.get("retry-after")).group()), lambda: self._reinvite(direction))
                return
            self.reinvited = r.status if r else 408
            self.note("re-INVITE %d" % self.reinvited)
            if r is None or r.status in (408, 481):
                self._bye()  # RFC 3261, 12.2.1.2
            elif r.status < 300:
                if r.get("contact"):
                    self.target = uri_of(r.get("contact"))
                self.ack(number)
                self.heard(r.body)
            elif r.status == 491:
                self.ex.later(random.uniform(2.1, 4.0) if self.outbound else random.uniform(0, 2), lambda: self._reinvite(direction))
        self.ex.transact(self.phone, m, self.next_hop, final)

    def ack(self, cseq):
        m = self.request("ACK", cseq).text()
        self.acks[cseq] = (m, self.next_hop)
        if not self.withhold:
            self.acked = True
            self.phone.transmit(m, self.next_hop)

    def _answer(self):
        if self.answered or self.ended:
            return
        self.answered = True
        self.phone.reply(self.invite, 200, self, self.description())
        self.note("answered")


class Phone:
    """`conduct`: what it does when it is called: "answer", "ring", or a status."""

    def __init__(self, ex, ip, number, transport="udp"):
        self.ex, self.ip, self.number, self.transport = ex, ip, number, transport
        self.conduct, self.dialogs = "ring", []
        self.withhold = False
        self.tcp = {}                 # where: connection
        if transport == "udp":
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.sock.bind((ip, 0))
        else:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.sock.bind((ip, 0))
            self.sock.listen(16)
        self.sock.setblocking(False)
        self.port = self.sock.getsockname()[1]
        self.uri = "sip:%s@%s:%d%s" % (number, ip, self.port, ";transport=tcp" if transport == "tcp" else "")
        self.contact = "<%s>" % self.uri
        ex.watch(self.sock, self._datagram if transport == "udp" else self._accept)

    # -- transport

    def _datagram(self):
        for _ in range(50):
            try:
                data, source = self.sock.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                continue  # ICMP about something that was sent
            self.ex.came(self, data, source, None)

    def _accept(self):
        try:
            s, source = self.sock.accept()
        except OSError:
            return
        Connection(self, s, source)

    def transmit(self, data, to, conn=None):
        """Of TCP: over the connection that a request came by if it lives, else over the one to there."""
        if self.transport == "udp":
            try:
                self.sock.sendto(data, to)
            except OSError:
                pass
            return True
        if conn is not None and not conn.closed:
            conn.send(data)
            return True
        c = self.tcp.get(to)
        if c is None or c.closed:
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            s.setblocking(False)
            s.bind((self.ip, 0))
            s.connect_ex(to)
            c = self.tcp[to] = Connection(self, s, to)
        c.send(data)
        return True

    # -- calls

    def invite(self, number, server, label="", withhold=False):
        with self.ex.changed:
            d = Dialog(self, hx(20), True)
            d.label, d.withhold, d.server = label, withhold, server
            d.first_uri = d.target = "sip:%s@%s:%d" % (number, *server)
            d.local, d.remote = "<sip:%s@%s>;tag=%s" % (self.number, self.ip, d.local_tag), "<%s>" % d.first_uri
            d.first_branch = self.ex.branch()
            self.dialogs.append(d)
            self.ex.dialogs[d.call_id] = d
        self.ex.do(lambda: self._begin(d))
        return d

    def _begin(self, d):
        number = d.cseq
        m = d.request("INVITE", number, d.description(), branch=d.first_branch)

        def response(r):
            if r is None:
                d.note("no answer")
                d.end("nobody")
                return
            d.note(r.status)
            if r.status < 200:
                return
            if r.status < 300:
                d.remote, d.target = r.get("to"), uri_of(r.get("contact"))
                d.route = r.all("record-route")[::-1]
                d.answered = True
                d.heard(r.body)
                d.ack(number)
            else:
                d.refusal = r
                d.end("them")
            d.ex.changed.notify_all()
        self.ex.transact(self, m, d.server, response)

    # -- requests that came

    def reply(self, m, status, d=None, body="", conn=None):
        to = m.get("to")
        if not tag_of(to) and d:
            to += ";tag=" + d.local_tag
        h = [("via", v) for v in m.all("via")] + [("record-route", v) for v in m.all("record-route")]
        h += [("from", m.get("from")), ("to", to), ("call-id", m.get("call-id")), ("cseq", m.get("cseq")), ("contact", self.contact)]
        if body:
            h.append(("content-type", "application/sdp"))
        data = Message("SIP/2.0 %d Any" % status, h, body).text()
        via = m.get("via")
        sent = re.match(r"SIP/2.0/\w+\s+([0-9.]+)(?::(\d+))?", via)
        where = getattr(self.ex, "source", None) if d is None else d.sources.get((m.branch, m.method)) or self.ex.source
        if where is None:
            where = (sent.group(1), int(sent.group(2) or 5060))
        self.ex.replied[(m.branch, m.method)] = (data, where)
        self.transmit(data, where, conn or self.ex.conn)
        if m.method == "INVITE" and status >= 200:
            key = (m.get("call-id"), m.cseq[0])
            self.ex.owed[key] = True
            self.ex.repeat(self, data, where, lambda: key in self.ex.owed, T1, T2, time.monotonic() + T64, first=False)


class Connection:
    def __init__(self, phone, sock, peer):
        self.phone, self.sock, self.peer, self.closed = phone, sock, peer, False
        self.out, self.buffer = b"", b""
        sock.setblocking(False)
        phone.ex.watch(sock, self._ready, lambda: self.out)

    def send(self, data):
        self.out += data
        self._flush()

    def _flush(self):
        try:
            n = self.sock.send(self.out)
            self.out = self.out[n:]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as e:
            if e.errno != 107:  # not connected yet
                self.close()
                return
        if not self.closed:
            self.phone.ex.rearm(self.sock)

    def close(self):
        if not self.closed:
            self.closed = True
            self.phone.ex.unwatch(self.sock)
            self.sock.close()
            self.phone.ex.hung(self.phone, self.peer)

    def _ready(self):
        if self.out:
            self._flush()
        if self.closed:
            return
        try:
            data = self.sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as e:
            if e.errno == 107:
                return
            data = b""
        if not data:
            self.close()
            return
        self.buffer += data
        while True:
            self.buffer = self.buffer.lstrip(b"\r\n")
            at = self.buffer.find(b"\r\n\r\n")
            if at < 0:
                return
            m = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", self.buffer[:at])
            size = at + 4 + (int(m.group(1)) if m else 0)
            if len(self.buffer) < size:
                return
            one, self.buffer = self.buffer[:size], self.buffer[size:]
            self.phone.ex.came(self.phone, one, self.peer, self)


class Exchange:
    def __init__(self):
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sounder = os.fork()
        if self.sounder == 0:
            try:
                _sound_process(there, here)
            finally:
                os._exit(1)
        there.close()
        self.control = here
        self.changed = threading.Condition(threading.RLock())
        self.ids, self.order = itertools.count(1), itertools.count()
        self.poll, self.sockets = select.epoll(), {}
        self.timers, self.orders = [], []
        self.dialogs, self.transactions, self.replied, self.owed, self.ended = {}, {}, {}, {}, []
        self.incoming, self.faults = [], []
        self.conn = self.source = None
        self.phones = []
        self.wake, self.waker = socket.socketpair()
        self.wake.setblocking(False)
        self.watch(self.wake, lambda: self.wake.recv(4096))
        self.closed = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        self.closed = True
        self.waker.send(b"x")
        self.thread.join(5)
        self.control.close()
        os.waitpid(self.sounder, 0)
        for s, _, _ in list(self.sockets.values()):
            s.close()
        for d in self.dialogs.values():
            d.sock.close()
        self.poll.close()

    def phone(self, ip, number, transport="udp"):
        with self.changed:
            p = Phone(self, ip, number, transport)
            self.phones.append(p)
            return p

    def sound(self, message, sock=None):
        socket.send_fds(self.control, [json.dumps(message).encode()], [sock.fileno()] if sock else [])

    def branch(self):
        return "z9hG4bK" + hx(16)

    # -- the loop

    def watch(self, sock, ready, writing=None):
        self.sockets[sock.fileno()] = (sock, ready, writing)
        self.poll.register(sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if writing else 0))

    def rearm(self, sock):
        entry = self.sockets.get(sock.fileno())
        if entry:
            self.poll.modify(sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if entry[2] and entry[2]() else 0))

    def unwatch(self, sock):
        if self.sockets.pop(sock.fileno(), None):
            self.poll.unregister(sock.fileno())

    def do(self, what):
        """In the thread of the exchange, at once."""
        with self.changed:
            self.orders.append(what)
        self.waker.send(b"x")

    def later(self, seconds, what):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), what))

    def _run(self):
        while not self.closed:
            pause = max(0.0, min(0.2, self.timers[0][0] - time.monotonic())) if self.timers else 0.2
            ready = self.poll.poll(pause)
            with self.changed:
                orders, self.orders = self.orders, []
                self.source = self.conn = None
                for o in orders:
                    self._safely(o)
                for fd, events in ready:
                    entry = self.sockets.get(fd)
                    if entry:
                        self._safely(entry[1])
                        if events & select.EPOLLOUT and entry[2]:
                            self.rearm(entry[0])
                self.source = self.conn = None
                while self.timers and self.timers[0][0] <= time.monotonic():
                    self._safely(heapq.heappop(self.timers)[2])

    def _safely(self, what):
        try:
            what()
        except (ValueError, KeyError, IndexError, AttributeError, TypeError, OSError) as e:
            import traceback
            self.faults.append("%r %s" % (e, traceback.format_exc()))

    # -- transactions

    def repeat(self, phone, data, to, wanted, pause, most, end, first=True):
        if not wanted() or time.monotonic() > end:
            return
        if first:
            phone.transmit(data, to)
        if phone.transport == "udp" or not first:
            self.later(pause, lambda: self.repeat(phone, data, to, wanted, min(2 * pause, most), most, end))

    def transact(self, phone, m, to, response):
        """`response` is given each response, None when none came in time."""
        key = (m.branch, m.method)
        tx = {"response": response, "open": True, "quiet": False, "again": 5, "phone": phone, "to": to, "request": m}
        self.transactions[key] = tx
        most = T64 if m.method == "INVITE" else T2
        self.repeat(phone, m.text(), to, lambda: tx["open"] and not tx["quiet"], T1, most, time.monotonic() + T64)

        def late():
            if tx["open"] and not (m.method == "INVITE" and tx["quiet"]):
                tx["open"] = False
                response(None)
        self.later(T64, late)

    def hung(self, phone, peer):
        """A connection broke: what waits for its answer goes out once more, over a new one."""
        for tx in self.transactions.values():
            if tx["open"] and tx["phone"] is phone and tx["to"] == peer and tx["again"]:
                tx["again"] -= 1
                self.later(0.2, lambda tx=tx: tx["open"] and phone.transmit(tx["request"].text(), peer))

    def came(self, phone, data, source, conn):
        if not data.strip(b"\r\n\0 "):
            return
        self.source, self.conn = source, conn
        try:
            m = Message.parse(data)
            if m.status:
                self._response(phone, m)
            else:
                self._request(phone, m, source, conn)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError) as e:
            import traceback
            self.faults.append("%r %r %s" % (e, data[:300], traceback.format_exc()))

    def _response(self, phone, m):
        number, method = m.cseq
        d = self.dialogs.get(m.get("call-id"))
        tx = self.transactions.get((m.branch, method))
        if method == "INVITE" and 200 <= m.status < 300 and d and number in d.acks:
            if not d.withhold:
                phone.transmit(*d.acks[number])
            return
        if not tx:
            return
        if m.status < 200:
            if method == "INVITE":
                tx["quiet"] = True
            if tx["open"]:
                tx["response"](m)
            return
        if method == "INVITE" and m.status >= 300:
            h = [("via", tx["request"].get("via")), ("max-forwards", "70"), ("from", m.get("from")), ("to", m.get("to")), ("call-id", m.get("call-id")),
                 ("cseq", "%d ACK" % number)]
            phone.transmit(Message("ACK %s SIP/2.0" % tx["request"].first.split()[1], h).text(), tx["to"])
        if tx["open"]:
            tx["open"] = False
            tx["response"](m)

    def _request(self, phone, m, source, conn):
        d = self.dialogs.get(m.get("call-id"))
        if m.method == "ACK":
            self.owed.pop((m.get("call-id"), m.cseq[0]), None)
            if d:
                d.acked = True
                d.heard(m.body)
                d.note("ACK")
            return
        again = self.replied.get((m.branch, m.method))
        if again:
            phone.transmit(again[0], again[1], conn)
            return
        if m.method == "INVITE" and not tag_of(m.get("to")):
            self._invited(phone, m, source, d)
            return
        if m.method == "OPTIONS":
            phone.reply(m, 200, None)
            return
        if d:
            d.sources[(m.branch, m.method)] = source
        if not d or (d.ended and m.method != "CANCEL") or tag_of(m.get("to")) not in ("", d.local_tag):
            phone.reply(m, 481, None)
            return
        if m.method == "CANCEL":
            phone.reply(m, 200, d)
            if not d.answered and not d.ended:
                phone.reply(d.invite, 487, d)
                d.note("CANCEL")
                d.end("them")
            return
        if d.remote_cseq and m.cseq[0] < d.remote_cseq:
            phone.reply(m, 500, d)  # RFC 3261, 12.2.2
            return
        d.remote_cseq = m.cseq[0]
        d.note(m.method)
        if m.method == "BYE":
            phone.reply(m, 200, d)
            d.end("them")
        elif m.method == "INVITE":
            if d.inviting:
                phone.reply(m, 491, d)
                return
            if m.get("contact"):
                d.target = uri_of(m.get("contact"))
            d.version += 1
            theirs = read_sdp(m.body)[1] if m.body else "sendrecv"
            mine = d.direction
            if m.body:
                # What they do not want is not done; a hold of ours stays.
                answer = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}.get(theirs, "sendrecv")
                if mine in ("sendonly", "inactive") and answer in ("sendrecv", "recvonly"):
                    answer = "sendonly" if answer == "sendrecv" else "inactive"
                body = sdp(*d.media, (8,), answer, d.version)
            else:
                body = d.description()
            phone.reply(m, 200, d, body)
            d.heard(m.body)
        else:
            phone.reply(m, 200 if m.method in ("INFO", "UPDATE", "NOTIFY") else 501, d)

    def _invited(self, phone, m, source, known):
        if known:
            phone.reply(m, 482, None)  # merged request
            return
        d = Dialog(phone, m.get("call-id"), False)
        d.invite, d.target, d.remote_cseq = m, uri_of(m.get("contact")), m.cseq[0]
        d.sources[(m.branch, m.method)] = source
        d.local, d.remote = "%s;tag=%s" % (m.get("to"), d.local_tag), m.get("from")
        d.route = m.all("record-route")
        d.caller = (re.search(r"sips?:([^@;>]+)@", m.get("from")) or [None, ""])[1]
        d.label = "agent"
        self.dialogs[d.call_id] = d
        phone.dialogs.append(d)
        self.incoming.append(d)
        d.note("INVITE")
        if isinstance(phone.conduct, int):
            phone.reply(m, phone.conduct, d)
            d.end("us")
            return
        d.heard(m.body)
        phone.reply(m, 180, d)
        if phone.conduct == "answer":
            d._answer()
