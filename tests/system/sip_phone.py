"""A small SIP telephone in Python, for tests that must see or do what finished programs hide: exact messages and times, tones
sent and found in the sound, an agent who does not answer. UDP, G.711, one thread each; RFC 3261 as far as that needs.

    phone = SipPhone(cluster.network.client(), "8001", node.ip, password)
    phone.register()
    phone.on_invite = "answer"           # or "ring", "busy", "ignore"
    call = SipPhone(...).invite("10000")
    call.wait_answered(); call.rtp.send_tone(600); call.rtp.wait_tone(1004); call.hangup()
"""
import bisect
import hashlib
import math
import random
import re
import secrets
import socket
import struct
import threading
import time

from everline import SIP, rms, tone_share, until
from rtp_numbers import Packet
from sipmsg import Message, address_of, sdp, tag_of, uri_of

RATE, FRAME = 8000, 160


# ---------------------------------------------------------------- G.711

def _ulaw_decode(u):
    u = ~u & 0xFF
    t = (((u & 0x0F) << 3) + 0x84) << ((u & 0x70) >> 4)
    return 0x84 - t if u & 0x80 else t - 0x84


def _alaw_decode(a):
    a ^= 0x55
    t = (a & 0x0F) << 4
    seg = (a & 0x70) >> 4
    t += 8 if seg == 0 else 0x108
    if seg > 1:
        t <<= seg - 1
    return t if a & 0x80 else -t


DECODE = {0: [_ulaw_decode(i) for i in range(256)], 8: [_alaw_decode(i) for i in range(256)]}


def encode(samples, payload_type):
    """Nearest code word of each sample."""
    words = sorted((v, i) for i, v in enumerate(DECODE[payload_type]))
    values = [v for v, _ in words]
    out = bytearray()
    for x in samples:
        k = bisect.bisect_left(values, x)
        best = min((abs(values[j] - x), words[j][1]) for j in (k - 1, k) if 0 <= j < 256)
        out.append(best[1])
    return bytes(out)


def family_of(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def bracketed(ip):
    """As written in URIs and Via."""
    return "[%s]" % ip if ":" in ip else ip


class Rtp:
    """One RTP stream each way. Keeps what arrives as samples; sends a tone, digits (RFC 4733) or nothing."""

    def __init__(self, ip, payload_type=0, event_type=101):
        self.sock = socket.socket(family_of(ip), socket.SOCK_DGRAM)
        self.sock.bind((ip, 0))
        self.sock.settimeout(0.1)
        self.ip, self.port = self.sock.getsockname()[:2]
        self.payload_type, self.event_type = payload_type, event_type
        self.remote = None
        self.received, self.packets, self.events, self.sources, self.kinds = [], 0, [], set(), set()
        self.heard = []  # rtp_numbers.Packet
        self.last_packet = None
        self.sent = 0
        self.lock = threading.Condition()
        self.ssrc, self.sequence, self.timestamp = secrets.randbits(32), secrets.randbits(15), secrets.randbits(31)
        self.sound = None
        self.digits_left = []
        self.closed = False
        for work in (self._receive, self._send):
            threading.Thread(target=work, daemon=True).start()

    def close(self):
        self.closed = True
        self.sock.close()

    def send_tone(self, hz, amplitude=8000):
        """From now on; 400 Hz steps fit a second exactly, others click once a second, which does no harm."""
        samples = [amplitude * math.sin(2 * math.pi * hz * i / RATE) for i in range(RATE)]
        coded = encode(samples, self.payload_type)
        self.sound = [coded[i:i + FRAME] for i in range(0, RATE, FRAME)]

    def send_digits(self, text):
        """Each for 100 ms with 60 ms between them."""
        with self.lock:
            self.digits_left += list(text)

    def silence(self):
        self.sound = None

    def _packet(self, payload, payload_type, marker=0, timestamp=None):
        self.sequence = (self.sequence + 1) & 0xFFFF
        return struct.pack("!BBHII", 0x80, payload_type | marker << 7, self.sequence,
                           (self.timestamp if timestamp is None else timestamp) & 0xFFFFFFFF, self.ssrc) + payload

    def _digit(self, digit):
        """Yields what is sent in each tick of one digit."""
        code, start = "0123456789*#ABCD".index(digit), self.timestamp
        for i in range(1, 9):
            over = i > 5
            payload = struct.pack("!BBH", code, 10 | (0x80 if over else 0), min(i, 6) * FRAME)
            yield self._packet(payload, self.event_type, i == 1, start)
        for _ in range(3):
            yield None

    def _send(self):
        due, frame, digit = time.monotonic(), 0, None
        while not self.closed:
            due += 0.02
            until(due, "the pace of RTP")
            remote, sound = self.remote, self.sound
            if not remote:
                continue
            with self.lock:
                if digit is None and self.digits_left:
                    digit = self._digit(self.digits_left.pop(0))
            packet = None
            if digit is not None:
                packet = next(digit, StopIteration)
                if packet is StopIteration:
                    digit, packet = None, None
            elif sound:
                packet = self._packet(sound[frame % len(sound)], self.payload_type)
                frame += 1
            self.timestamp += FRAME
            if packet:
                try:
                    self.sock.sendto(packet, remote)
                    self.sent += 1
                except OSError:
                    pass

    def _receive(self):
        while not self.closed:
            try:
                data, source = self.sock.recvfrom(2048)
            except socket.timeout:
                continue
            except OSError:
                return
            if len(data) < 12 or data[0] >> 6 != 2:
                continue
            kind = data[1] & 0x7F
            payload = data[12 + 4 * (data[0] & 0x0F):]
            sequence, stamp, ssrc = struct.unpack("!HII", data[2:12])
            with self.lock:
                self.heard.append(Packet(time.time(), kind, ssrc, sequence, stamp))
                self.packets += 1
                self.last_packet = time.monotonic()
                self.sources.add(source[:2])
                self.kinds.add(kind)
                if kind in DECODE:
                    table = DECODE[kind]
                    self.received += [table[b] for b in payload]
                elif kind == self.event_type and len(payload) >= 4 and payload[1] & 0x80:
                    digit = "0123456789*#ABCD"[payload[0] & 0x0F]
                    if (stamp, digit) not in self.events:
                        self.events.append((stamp, digit))
                self.lock.notify_all()

    def mark(self):
        """How many samples have come so far: to be given to wait_tone()."""
        with self.lock:
            return len(self.received)

    def wait_samples(self, n, deadline=10, after=0):
        with self.lock:
            if not self.lock.wait_for(lambda: len(self.received) - after >= n, deadline):
                raise AssertionError("only %d of %d samples within %.1f s" % (len(self.received) - after, n, deadline))
            return self.received[after:]

    def wait_tone(self, hz, seconds=0.5, share=0.8, deadline=10, after=0):
        """Until the last `seconds` of what came are this tone. Returns its share of the energy."""
        n, end = int(seconds * RATE), time.monotonic() + deadline
        best = 0.0
        need = after + n
        while True:
            with self.lock:
                left = end - time.monotonic()
                if left <= 0 or not self.lock.wait_for(lambda: len(self.received) >= need, left):
                    raise AssertionError("no tone of %d Hz for %.1f s within %.1f s (best share %.2f, %d packets)" % (
                        hz, seconds, deadline, best, self.packets))
                window = self.received[-n:]
                need = len(self.received) + FRAME * 5
            found = tone_share(window, hz) if rms(window) > 100 else 0.0
            best = max(best, found)
            if found >= share:
                return found


# ---------------------------------------------------------------- descriptions

def read_sdp(text):
    """(ip, port), payload types, direction of the audio in an SDP."""
    ip = re.search(r"^c=IN IP[46] (\S+)", text, re.M)
    m = re.search(r"^m=audio (\d+) RTP/AVP ([\d ]+)", text, re.M)
    d = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", text, re.M)
    return (ip.group(1), int(m.group(1))), [int(x) for x in m.group(2).split()], d.group(1) if d else "sendrecv"


# ---------------------------------------------------------------- telephone

class Call:
    """One dialog with its sound."""

    def __init__(self, phone, call_id, remote_uri, outbound, payload_types):
        self.phone, self.call_id, self.remote_uri, self.outbound = phone, call_id, remote_uri, outbound
        self.local_tag, self.remote_tag = secrets.token_hex(6), ""
        self.target, self.route = remote_uri, []
        self.cseq = random.randrange(1, 1000)
        self.changed = phone.changed
        self.status, self.answered, self.ended, self.by, self.reason = 0, False, False, "", ""
        self.cancelled = None    # what cancel() was answered
        self.final = None        # the answer that refused it
        self.history = []        # statuses and requests, in order
        self.acknowledged = set()  # CSeq of the INVITEs of which an ACK came
        self.reinvites = []      # SDP of each re-INVITE that came
        self.lose_answer = False  # to the next one, and to its repetitions
        self.lost_cseq = None
        self.request = None      # the INVITE that came
        self.payload_types = payload_types
        self.sdp_version = 1
        self.rtp = Rtp(phone.ip, payload_types[0])
        self.times = {}

    # -- what tests wait for

    def _wait(self, condition, deadline, what):
        with self.changed:
            if not self.changed.wait_for(condition, deadline):
                raise AssertionError("call %s: not %s within %.1f s; seen %s" % (self.call_id, what, deadline, self.history))
        return self

    def wait_status(self, *statuses, deadline=10):
        """That one of them has come; others may have come after it."""
        return self._wait(lambda: any(s in self.history for s in statuses), deadline, "status %s" % (statuses,))

    def wait_answered(self, deadline=10):
        self._wait(lambda: self.answered or self.ended, deadline, "answered")
        if not self.answered:
            raise AssertionError("call %s was refused: %s" % (self.call_id, self.history))
        return self

    def wait_ended(self, deadline=10):
        return self._wait(lambda: self.ended, deadline, "ended")

    def wait_reinvite(self, n=1, deadline=10):
        return self._wait(lambda: len(self.reinvites) >= n, deadline, "%d re-INVITEs" % n)

    # -- what tests do

    def answer(self):
        """Of a call that rings."""
        self.phone._answer(self)
        return self

    def refuse(self, status, reason="Refused"):
        self.phone._reply(self.request, status, reason, self)
        self._end("us", reason)

    def cancel(self, deadline=30):
        """Again and again, until that is answered (wait_cancelled); hangup() says it once."""
        def send():
            try:
                self.cancelled = self.phone._transact(self.phone._cancel_of(self), self.invite_to, deadline).status
            except AssertionError as e:
                self.cancelled = str(e)
            self._note("CANCEL answered %s" % self.cancelled)
            if self.cancelled != 200:
                self._end("us", "nobody knows of it any more")
        threading.Thread(target=send, daemon=True).start()

    def wait_cancelled(self, deadline=10):
        return self._wait(lambda: self.cancelled is not None, deadline, "CANCEL answered")

    def hangup(self):
        if self.ended:
            return self
        if self.outbound and not self.answered:
            self.phone._cancel(self)
            return self
        if not self.outbound and not self.answered:
            self.refuse(486, "Busy Here")
            return self
        self._end("us", "BYE")
        self.phone._in_dialog(self, "BYE")
        return self

    def description(self, direction="sendrecv"):
        return sdp(self.rtp.ip, self.rtp.port, self.payload_types, direction, self.sdp_version, self.phone.events)

    def reinvite(self, direction="sendrecv", deadline=5, delayed=False, body=None):
        """Hold with "sendonly", resume with "sendrecv". `delayed`: asks for the other side's offer, answers it in the ACK.
        `body`: instead of our own description. Returns the final response."""
        self.sdp_version += 1
        r = self.phone._in_dialog(self, "INVITE", "" if delayed else body or self.description(direction), deadline)
        self.phone._ack(self, r, self.description(direction) if delayed and r.status < 300 else "")
        if r.status < 300:
            self._media(r.body)
        return r

    def send(self, method, body="", kind="application/sdp", extra=(), deadline=5):
        """A request inside the dialog; returns the final response."""
        return self.phone._in_dialog(self, method, body, deadline, kind, extra)

    # -- inside

    def _note(self, what):
        with self.changed:
            self.history.append(what)
            self.times.setdefault(what, time.monotonic())
            self.changed.notify_all()

    def _media(self, body):
        if "m=audio" in body:
            self.rtp.remote, types, _ = read_sdp(body)
            common = [t for t in types if t in self.payload_types]
            if common and common[0] != self.rtp.payload_type:
                self.rtp.payload_type = common[0]

    def _end(self, by, reason):
        with self.changed:
            if not self.ended:
                self.ended, self.by, self.reason = True, by, reason
            self.changed.notify_all()
        self.rtp.close()

    @property
    def local(self):
        return "<%s>;tag=%s" % (self.phone.aor, self.local_tag)

    @property
    def remote(self):
        return "<%s>%s" % (self.remote_uri, ";tag=" + self.remote_tag if self.remote_tag else "")


class SipPhone:
    """Its own address and thread. `on_invite`: "answer", "ring" (until told), "busy" or "ignore". `tone`: sent in each call.
    `events`: offers RFC 4733. `demands` (user, password): challenges each INVITE and BYE that comes, as carriers do; a nonce is good for
    one request."""

    def __init__(self, ip, user, server, password=None, port=0, payload_types=(0, 8), on_invite="answer", tone=None,
                 events=True):
        self.ip, self.user, self.server, self.password = ip, user, server, password
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((ip, port))
        self.port = self.sock.getsockname()[1]
        self.aor = "sip:%s@%s" % (user, server)
        self.contact = "<sip:%s@%s:%d>" % (user, ip, self.port)
        self.payload_types, self.on_invite, self.tone, self.events = payload_types, on_invite, tone, events
        self.loses_cancels = False  # on their way to it
        self.allow_events = ""      # in its REGISTER
        self.unsolicited = False    # takes NOTIFYs that it has not asked for
        self.demands, self.nonces, self.refused, self.proven = None, set(), 0, []
        self.changed = threading.Condition(threading.RLock())
        self.calls = {}         # by Call-ID
        self.incoming = []      # calls that came, in order
        self.requests = []      # all that was asked of it, repetitions too
        self.waiting = {}       # (branch, method): list of responses
        self.replied = {}       # (branch, method) of a request: last reply, sent again for a repetition
        self.log = []           # (time, "<" or ">", first line)
        self.register_cseq, self.register_id = 0, secrets.token_hex(8)
        self.closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def close(self):
        self.closed = True
        for c in list(self.calls.values()):
            c.rtp.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- transport

    def _transmit(self, message, to):
        self.log.append((time.monotonic(), ">", message.first))
        try:
            self.sock.sendto(message.text(), to)
        except OSError:
            pass

    def _read(self):
        while not self.closed:
            try:
                data, source = self.sock.recvfrom(65536)
            except OSError:
                return
            if data.strip(b"\r\n\0 "):
                m = Message.parse(data)
                self.log.append((time.monotonic(), "<", m.first))
                try:
                    self._response(m) if m.status else self._request(m, source)
                except (ValueError, KeyError, IndexError, AttributeError) as e:
                    self.log.append((time.monotonic(), "!", repr(e)))

    def _branch(self):
        return "z9hG4bK" + secrets.token_hex(8)

    def _base(self, method, uri, branch, from_, to, call_id, cseq, body="", extra=(), kind="application/sdp"):
        headers = [("via", "SIP/2.0/UDP %s:%d;branch=%s;rport" % (self.ip, self.port, branch)), ("max-forwards", "70"), ("from", from_),
                   ("to", to), ("call-id", call_id), ("cseq", "%d %s" % (cseq, method)), ("contact", self.contact),
                   ("user-agent", "everline-test"), *extra]
        if body:
            headers.append(("content-type", kind))
        return Message("%s %s SIP/2.0" % (method, uri), headers, body)

    def _transact(self, request, to, deadline, provisional=None):
        """Sends with repetitions (RFC 3261, timer E/A) until a final response."""
        branch = re.search(r"branch=([^;]+)", request.get("via")).group(1), request.method
        with self.changed:
            self.waiting[branch] = []
        end, pause, seen = time.monotonic() + deadline, 0.5, 0
        self._transmit(request, to)
        again = time.monotonic() + pause
        while True:
            with self.changed:
                self.changed.wait_for(lambda: len(self.waiting[branch]) > seen, max(0.0, min(again, end) - time.monotonic()))
                news = self.waiting[branch][seen:]
                seen += len(news)
            for r in news:
                if r.status >= 200:
                    return r
                again = end if request.method == "INVITE" else again
                if provisional:
                    provisional(r)
            if time.monotonic() >= end:
                raise AssertionError("no answer to %s within %.1f s" % (request.first, deadline))
            if time.monotonic() >= again:
                self._transmit(request, to)
                pause = min(2 * pause, 4)
                again = time.monotonic() + pause

    def _response(self, m):
        # The CANCEL of an INVITE has its branch: the method is part of the transaction's name.
        branch = re.search(r"branch=([^;,]+)", m.get("via")).group(1), m.cseq[1]
        with self.changed:
            if branch in self.waiting:
                self.waiting[branch].append(m)
            self.changed.notify_all()
        call = self.calls.get(m.get("call-id"))
        # A repeated 200 of an INVITE asks for the ACK again.
        if call and call.answered and m.status // 100 == 2 and m.cseq[1] == "INVITE" and getattr(call, "ack", None) and m.cseq[0] == call.ack[0]:
            self._transmit(call.ack[1], call.ack[2])

    # -- registration

    def _authorize(self, challenge, method, uri):
        p = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
        algorithm = p.get("algorithm", "MD5")
        h = hashlib.sha256 if algorithm.upper().startswith("SHA-256") else hashlib.md5
        def digest(s):
            return h(s.encode()).hexdigest()
        cnonce, nc = secrets.token_hex(8), "00000001"
        a1, a2 = digest("%s:%s:%s" % (self.user, p["realm"], self.password)), digest("%s:%s" % (method, uri))
        if "qop" in p:
            response = digest(":".join((a1, p["nonce"], nc, cnonce, "auth", a2)))
            more = ", qop=auth, nc=%s, cnonce=\"%s\"" % (nc, cnonce)
        else:
            response, more = digest(":".join((a1, p["nonce"], a2))), ""
        opaque = ', opaque="%s"' % p["opaque"] if "opaque" in p else ""
        return 'Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s%s%s' % (
            self.user, p["realm"], p["nonce"], uri, response, algorithm, opaque, more)

    def register(self, expires=300, deadline=10, algorithm=None, server=None):
        """Returns the final response; raises unless it is 200. `algorithm`: picks the challenge ("MD5", "SHA-256"). 503: once more, as
        telephones do."""
        r = self.try_register(expires, deadline, algorithm, server)
        tries = 1
        while r.status == 503 and tries < 50:
            until(time.monotonic() + 0.2, "telephones leave some time between two tries")
            r = self.try_register(expires, deadline, algorithm, server)
            tries += 1
        if r.status != 200:
            raise AssertionError("registration of %s: %s" % (self.user, r.first))
        return r

    def try_register(self, expires=300, deadline=10, algorithm=None, server=None):
        server = server or self.server
        uri, extra = "sip:%s" % server, []
        for attempt in range(2):
            self.register_cseq += 1
            m = self._base("REGISTER", uri, self._branch(), "<%s>;tag=%s" % (self.aor, secrets.token_hex(4)), "<%s>" % self.aor,
                           self.register_id, self.register_cseq, extra=[("expires", str(expires)), *([("allow-events", self.allow_events)] if self.allow_events else []), *extra])
            r = self._transact(m, (server, SIP), deadline)
            if r.status not in (401, 407) or attempt or not self.password:
                return r
            challenges = r.all("www-authenticate") + r.all("proxy-authenticate")
            chosen = next((c for c in challenges if algorithm and re.search(r"algorithm=\"?%s\b" % algorithm, c)), challenges[0])
            name = "authorization" if r.status == 401 else "proxy-authorization"
            extra = [(name, self._authorize(chosen, "REGISTER", uri))]
        return r

    # -- calls out

    def invite(self, number, server=None, body=None, extra=(), deadline=60):
        """Starts a call and returns at once; a thread carries the transaction through. `body` "": the other side offers."""
        server = server or self.server
        call = Call(self, secrets.token_hex(10), "sip:%s@%s" % (number, server), True, list(self.payload_types))
        if self.tone:
            call.rtp.send_tone(self.tone)
        self.calls[call.call_id] = call
        offer = call.description() if body is None else body
        threading.Thread(target=self._invite, args=(call, (server, SIP), offer, list(extra), deadline), daemon=True).start()
        return call

    def _invite(self, call, to, offer, extra, deadline):
        def provisional(r):
            with self.changed:
                call.status = r.status
            call._note(r.status)
            if tag_of(r.get("to")):
                call.remote_tag = tag_of(r.get("to"))
            call._media(r.body)
        auth = []
        try:
            for attempt in range(2):
                call.cseq += 1
                call.branch, call.invite_to = self._branch(), to
                request = self._base("INVITE", call.remote_uri, call.branch, call.local, "<%s>" % call.remote_uri, call.call_id, call.cseq,
                                     offer, [("allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"), *extra, *auth])
                call.request = request
                r = self._transact(request, to, deadline, provisional)
                call.remote_tag = tag_of(r.get("to"))
                if r.status >= 300:
                    ack = self._base("ACK", call.remote_uri, call.branch, call.local, r.get("to"), call.call_id, call.cseq)
                    self._transmit(ack, to)
                if r.status not in (401, 407) or attempt or not self.password:
                    break
                name = "authorization" if r.status == 401 else "proxy-authorization"
                auth = [(name, self._authorize((r.all("www-authenticate") + r.all("proxy-authenticate"))[0], "INVITE", call.remote_uri))]
        except AssertionError as e:
            call._note(str(e))
            call._end("us", "no answer")
            return
        if r.status < 300:
            call.target = uri_of(r.get("contact")) or call.remote_uri
            call.route = list(reversed(r.all("record-route")))
            call._media(r.body)
            self._ack(call, r, "" if offer else call.description())
            with self.changed:
                call.status, call.answered = r.status, True
            call._note(r.status)
        else:
            with self.changed:
                call.status, call.final = r.status, r
            call._note(r.status)
            call._end("them", r.first)

    def _next_hop(self, call):
        return address_of(uri_of(call.route[0])) if call.route else address_of(call.target)

    def _ack(self, call, response, body=""):
        extra = [("route", x) for x in call.route]
        # Of a refusal it belongs to the INVITE's transaction (RFC 3261 17.1.1.3).
        branch = self._branch() if response.status < 300 else re.search(r"branch=([^;,]+)", response.get("via")).group(1)
        ack = self._base("ACK", call.target, branch, call.local, call.remote, call.call_id, response.cseq[0], body, extra)
        call.ack = (response.cseq[0], ack, self._next_hop(call))
        self._transmit(ack, call.ack[2])

    def _cancel_of(self, call):
        return self._base("CANCEL", call.remote_uri, call.branch, call.local, "<%s>" % call.remote_uri, call.call_id, call.cseq)

    def _cancel(self, call):
        self._transmit(self._cancel_of(call), call.invite_to)

    def _in_dialog(self, call, method, body="", deadline=5, kind="application/sdp", extra=()):
        call.cseq += 1
        extra = [("route", x) for x in call.route] + list(extra)
        m = self._base(method, call.target, self._branch(), call.local, call.remote, call.call_id, call.cseq, body, extra, kind)
        return self._transact(m, self._next_hop(call), deadline)

    # -- requests that come

    def _reply(self, request, status, reason, call=None, body="", extra=()):
        if request is None or request.status:
            return
        to = request.get("to")
        if call and not tag_of(to):
            to += ";tag=" + call.local_tag
        headers = [("via", v) for v in request.all("via")] + [("record-route", v) for v in request.all("record-route")]
        headers += [("from", request.get("from")), ("to", to), ("call-id", request.get("call-id")), ("cseq", request.get("cseq")),
                    ("contact", self.contact), *extra]
        if body:
            headers.append(("content-type", "application/sdp"))
        m = Message("SIP/2.0 %d %s" % (status, reason), headers, body)
        top = request.get("via")
        host = re.match(r"SIP/2.0/UDP\s+\[?([^\s;\]:]+)\]?(?::(\d+))?", top)
        where = request.source if hasattr(request, "source") else (host.group(1), int(host.group(2) or SIP))
        branch = re.search(r"branch=([^;,]+)", top)
        self.replied[(branch and branch.group(1), request.method)] = (m, where)
        self._transmit(m, where)

    def _proved(self, m):
        """Whether it carries the password; else it is challenged."""
        p = dict(re.findall(r'(\w+)="?([^",]+)"?', m.get("proxy-authorization") or ""))
        def digest(*parts):
            return hashlib.sha256(":".join(parts).encode()).hexdigest()
        user, password = self.demands
        if p.get("nonce") in self.nonces and p["uri"] == m.first.split()[1] and p["response"] == digest(
                digest(user, "carrier", password), p["nonce"], p["nc"], p["cnonce"], "auth", digest(m.method, p["uri"])):
            self.nonces.remove(p["nonce"])
            self.proven.append(m.method)
            return True
        nonce = secrets.token_hex(8)
        self.nonces.add(nonce)
        self.refused += 1
        self._reply(m, 407, "Proxy Authentication Required", extra=[("proxy-authenticate",
            'Digest realm="carrier", nonce="%s", algorithm=SHA-256, qop="auth"%s' % (nonce, ", stale=true" if p else ""))])
        return False

    def _request(self, m, source):
        m.source = source
        self.requests.append(m)
        branch = re.search(r"branch=([^;,]+)", m.get("via"))
        again = self.replied.get((branch and branch.group(1), m.method))
        if again:
            self._transmit(*again)
            return
        if self.demands and m.method in ("INVITE", "BYE") and not self._proved(m):
            return
        call = self.calls.get(m.get("call-id"))
        if m.method == "INVITE" and not (call and tag_of(m.get("to"))):
            self._incoming(m)
        elif m.method == "ACK":
            if call:
                call._media(m.body)
                # Whoever repeats its 200, being slow, is acknowledged again: that is no news.
                if m.cseq[0] not in call.acknowledged:
                    call.acknowledged.add(m.cseq[0])
                    call._note("ACK")
        elif m.method == "OPTIONS":
            self._reply(m, 200, "OK", call)
        elif not call and m.method == "NOTIFY" and self.unsolicited:
            self._reply(m, 200, "OK")
        elif not call:
            self._reply(m, 481, "Call/Transaction Does Not Exist")
        elif m.method == "BYE":
            self._reply(m, 200, "OK", call)
            call._note("BYE")
            call._end("them", "BYE")
        elif m.method == "CANCEL" and self.loses_cancels:
            return
        elif m.method == "CANCEL":
            self._reply(m, 200, "OK", call)
            if not call.answered and not call.ended:
                self._reply(call.request, 487, "Request Terminated", call)
                call._note("CANCEL")
                call._end("them", "CANCEL")
        elif m.method == "INVITE":
            call.target = uri_of(m.get("contact")) or call.target
            if m.body:
                call._media(m.body)
            if call.lose_answer:
                call.lost_cseq, call.lose_answer = m.cseq[0], False
                with self.changed:
                    call.reinvites.append(m.body)
            if m.cseq[0] == call.lost_cseq:
                return
            call.sdp_version += 1
            direction = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}.get(read_sdp(m.body)[2] if m.body else "", "sendrecv")
            self._reply(m, 200, "OK", call, call.description(direction))
            with self.changed:
                call.reinvites.append(m.body)
            call._note("INVITE")
        else:
            self._reply(m, 200 if m.method in ("INFO", "UPDATE", "PRACK", "NOTIFY") else 501, "OK", call)

    def _incoming(self, m):
        call = Call(self, m.get("call-id"), uri_of(m.get("from")), False, list(self.payload_types))
        call.remote_tag, call.request = tag_of(m.get("from")), m
        call.target, call.route = uri_of(m.get("contact")), m.all("record-route")
        if self.tone:
            call.rtp.send_tone(self.tone)
        with self.changed:
            self.calls[call.call_id] = call
            self.incoming.append(call)
        call._note("INVITE")
        if self.on_invite == "ignore":
            return
        if self.on_invite == "busy":
            call.refuse(486, "Busy Here")
            return
        self._reply(m, 180, "Ringing", call)
        if self.on_invite == "answer":
            self._answer(call)

    def _answer(self, call):
        m = call.request
        if m.body:
            call._media(m.body)
            _, types, _ = read_sdp(m.body)
            call.payload_types = [t for t in types if t in call.payload_types] or call.payload_types
            call.rtp.payload_type = call.payload_types[0]
            if self.tone:
                call.rtp.send_tone(self.tone)
        with self.changed:
            call.answered, call.status = True, 200
            self.changed.notify_all()
        self._reply(m, 200, "OK", call, call.description())

    def wait_call(self, n=1, deadline=10):
        """The n-th call that came."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.incoming) >= n, deadline):
                raise AssertionError("telephone %s was not called (%d calls) within %.1f s" % (self.user, n, deadline))
            return self.incoming[n - 1]
