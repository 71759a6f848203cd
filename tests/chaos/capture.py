"""What went over the telephones' network, and a small reader of it: the kernel's times, the sender's hardware address, RTP, SIP.

The judge believes nothing else: no log of a node, no counter of a telephone."""
import collections
import os
import re
import signal
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
from everline import HTTPS, PEER, SIP, end, spawn, wait_for  # noqa: E402

from rtp_numbers import Packet  # noqa: E402
from sipmsg import Message, tag_of  # noqa: E402

RTP_LOW, RTP_HIGH = 20000, 29999
NOWHERE = bytes.fromhex("0180c200000e")  # no bridge passes this on (IEEE 802.1Q, 8.6.3)

Sip = collections.namedtuple("Sip", "t mac src dst m")     # m: Message
Sound = collections.namedtuple("Sound", "t mac src packet")  # packet: rtp_numbers.Packet


class Capture:
    """Two files, as sound needs its first bytes only."""

    def __init__(self, folder, device, prefix):
        self.folder, self.processes = folder, []
        for name, size, what in (("sip", 65535, "udp port %d or (tcp and not port %d and not port %d)" % (SIP, HTTPS, PEER)), ("rtp", 60, "udp portrange %d-%d" % (RTP_LOW, RTP_HIGH))):
            log = os.path.join(folder, name + ".tcpdump.log")
            p = spawn(["tcpdump", "-i", device, "-n", "-U", "-s", size, "-B", 65536, "-Z", "root"] + (["-p"] if name == "rtp" else []) + ["-w",
                       os.path.join(folder, name + ".pcap"), "(%s) and net %s" % (what, prefix)], log=log)
            self.processes.append((p, log))
        self.device, self.prefix = device, prefix
        for p, log in self.processes:
            wait_for(lambda: "listening on" in open(log).read(), 10, "tcpdump listens: " + open(log).read())

    def stop(self):
        """Once all that came before is in the files. Returns how many packets it did not see."""
        try:
            if self.processes:
                self._write_last()
        finally:
            missed = self.close()
        return missed

    def _write_last(self):
        """The kernel hands packets over in blocks: a packet of our own, behind all others, tells when they are written."""
        word = os.urandom(8).hex().encode()
        files = {port: os.path.join(self.folder, name + ".pcap") for name, port in (("sip", SIP), ("rtp", RTP_LOW))}
        before = {port: os.path.getsize(f) for port, f in files.items()}
        ip = socket.inet_aton(self.prefix.partition("/")[0])
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((self.device, 0))
            for port in files:
                udp = struct.pack("!HHHH", 9, port, 8 + len(word), 0) + word
                head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0, ip, ip)
                s.send(NOWHERE + bytes(6) + b"\x08\x00" + head + udp)

        def written(port):
            with open(files[port], "rb") as f:
                f.seek(max(0, before[port] - len(word)))
                return word in f.read()
        for port in files:
            wait_for(lambda p=port: written(p), 10, "tcpdump has written all", interval=0.05)

    def close(self):
        """At once. Returns how many packets it did not see."""
        missed = 0
        for p, log in self.processes:
            end(p, signal.SIGINT)
            m = re.search(r"(\d+) packets dropped by kernel", open(log).read())
            missed += int(m.group(1)) if m else 0
        self.processes = []
        return missed

    def packets(self, name):
        """(time, source MAC or "", protocol, source ip, port, destination ip, port, TCP sequence, payload)."""
        with open(os.path.join(self.folder, name + ".pcap"), "rb") as f:
            data = f.read()
        magic = struct.unpack_from("<I", data)[0]
        unit = 1e-9 if magic == 0xA1B23C4D else 1e-6
        at, size, head = 24, len(data), struct.Struct("<IIII")
        while at + 16 <= size:
            sec, part, kept, _ = head.unpack_from(data, at)
            at += 16
            p = data[at:at + kept]
            at += kept
            if len(p) < 42 or p[12:14] != b"\x08\x00":
                continue
            ip = 14 + (p[14] & 15) * 4
            src, dst = "%d.%d.%d.%d" % tuple(p[26:30]), "%d.%d.%d.%d" % tuple(p[30:34])
            sport, dport = struct.unpack_from("!HH", p, ip)
            total = 14 + struct.unpack_from("!H", p, 16)[0]
            mac = p[6:12].hex(":")
            if p[23] == 17:
                yield sec + part * unit, mac, 17, src, sport, dst, dport, 0, p[ip + 8:total]
            elif p[23] == 6 and len(p) >= ip + 20:
                off = ip + (p[ip + 12] >> 4) * 4
                yield sec + part * unit, mac, 6, src, sport, dst, dport, struct.unpack_from("!I", p, ip + 4)[0], p[off:total] if off < total else b""

    def sip(self):
        out, streams = [], {}
        for t, mac, proto, src, sport, dst, dport, seq, payload in self.packets("sip"):
            if not payload.strip(b"\r\n\0 "):
                continue
            if proto == 17:
                self._one(out, t, mac, (src, sport), (dst, dport), payload)
                continue
            key = (src, sport, dst, dport)
            nxt, buffer = streams.get(key, (seq, b""))
            ahead = (seq - nxt) & 0xFFFFFFFF
            if ahead > 1 << 31:  # sent again
                over = (nxt - seq) & 0xFFFFFFFF
                if over >= len(payload):
                    continue
                payload = payload[over:]
            elif ahead:
                buffer = b""     # a new stream with the same ports, or a hole: from here on
            nxt = (nxt + len(payload)) & 0xFFFFFFFF if not ahead or ahead > 1 << 31 else (seq + len(payload)) & 0xFFFFFFFF
            buffer += payload
            while True:
                buffer = buffer.lstrip(b"\r\n")
                h = buffer.find(b"\r\n\r\n")
                if h < 0:
                    break
                m = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", buffer[:h])
                n = h + 4 + (int(m.group(1)) if m else 0)
                if len(buffer) < n:
                    break
                self._one(out, t, mac, key[:2], key[2:], buffer[:n])
                buffer = buffer[n:]
            streams[key] = (nxt, buffer)
        return out

    @staticmethod
    def _one(out, t, mac, src, dst, data):
        try:
            m = Message.parse(data)
            if m.get("call-id") and m.cseq:
                out.append(Sip(t, mac, src, dst, m))
        except (ValueError, IndexError):
            pass

    def rtp(self):
        """({(ip, port) of a telephone: [Sound that came there]}, {(ip, port): [times at which it sent]})."""
        came, sent = collections.defaultdict(list), collections.defaultdict(list)
        for t, mac, proto, src, sport, dst, dport, _, payload in self.packets("rtp"):
            if proto != 17 or len(payload) < 12 or payload[0] >> 6 != 2 or 72 <= (payload[1] & 0x7F) <= 76:
                continue
            if RTP_LOW <= sport <= RTP_HIGH:
                seq, ts, ssrc = struct.unpack_from("!HII", payload, 2)
                came[(dst, dport)].append(Sound(t, mac, (src, sport), Packet(t, payload[1] & 0x7F, ssrc, seq, ts)))
            else:
                sent[(src, sport)].append(t)
        return came, sent


__all__ = ["Capture", "Sip", "Sound", "tag_of"]
