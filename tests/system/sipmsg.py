"""SIP messages as the telephones of the tests read and write them, and the descriptions (SDP) in them."""
import re

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type", "k": "supported"}


class Message:
    """`first` line, headers in order (names lower case and long), body."""
    __slots__ = ("first", "headers", "body", "source")  # source: where it came from, for whoever notes it

    def __init__(self, first, headers, body=""):
        self.first, self.headers, self.body, self.source = first, headers, body, None

    @classmethod
    def parse(cls, data):
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        lines = head.split("\r\n")
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.append((COMPACT.get(name, name), value.strip()))
        return cls(lines[0], headers, body)

    def all(self, name):
        return [v for k, v in self.headers if k == name]

    def get(self, name, default=""):
        for k, v in self.headers:
            if k == name:
                return v
        return default

    @property
    def status(self):
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0

    @property
    def method(self):
        return "" if self.first.startswith("SIP/2.0") else self.first.split()[0]

    @property
    def cseq(self):
        n, m = self.get("cseq").split()
        return int(n), m

    @property
    def branch(self):
        m = re.search(r"branch=([^;,\s]+)", self.get("via"))
        return m.group(1) if m else ""

    def text(self):
        """As it is sent: bytes, with its Content-Length."""
        head = "".join("%s: %s\r\n" % (k.title(), v) for k, v in self.headers if k != "content-length")
        return ("%s\r\n%sContent-Length: %d\r\n\r\n%s" % (self.first, head, len(self.body.encode()), self.body)).encode()


def uri_of(value):
    m = re.search(r"<([^>]+)>", value)
    return m.group(1) if m else value.split(";")[0].strip()


def tag_of(value):
    m = re.search(r";tag=([^;>\s]+)", value)
    return m.group(1) if m else ""


def address_of(uri):
    m = re.match(r"sips?:(?:[^@]*@)?\[?([0-9.]+|[0-9a-fA-F:]+)\]?(?::(\d+))?", uri)
    return (m.group(1), int(m.group(2) or 5060)) if m else None


def sdp(ip, port, payload_types=(0, 8), direction="sendrecv", version=1, events=True):
    names, address = {0: "PCMU", 8: "PCMA"}, "IN IP%d %s" % (6 if ":" in ip else 4, ip)
    return ("v=0\r\no=- 1 %d %s\r\ns=-\r\nc=%s\r\nt=0 0\r\nm=audio %d RTP/AVP %s%s\r\n" % (
        version, address, address, port, " ".join(map(str, payload_types)), " 101" if events else "") +
        "".join("a=rtpmap:%d %s/8000\r\n" % (p, names[p]) for p in payload_types) +
        ("a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" if events else "") + "a=ptime:20\r\na=%s\r\n" % direction)
