"""What is done with calls, by telephones of two other makers: baresip's agent and supervisor, sipp's customer and colleague. Who hears whom is told by
the tones that all of them send, in each state, before and after. (sipp does the SIP; its sound is ours: it has no ears.)"""
import re
import socket

from callcase import CallCase
from everline import Baresip, Sipp, tone_file, tone_share, wait_for, wav_samples
from sip_phone import Rtp
from test_consult import Room
from test_listen import SUPERVISOR
from test_transfer import THIRD

CUSTOMER_HZ, AGENT_HZ, COLLEAGUE_HZ, BOSS_HZ = 700, 1100, 1700, 2300
COLLEAGUE = "8003"

SDP = """v=0
o=x 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio %d RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
"""
DIALOG = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[service]@[remote_ip]>;tag=[call_number]
To: %s
Call-ID: [call_id]
CSeq: %d %s
Contact: <sip:[local_ip]:[local_port]>
Max-Forwards: 70
"""
ANSWER = """[last_Via:]
[last_From:]
[last_To:]%s
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
"""


def send(first, headers, body="", **attributes):
    more = "Content-Type: application/sdp\nContent-Length: [len]\n\n" + body if body else "Content-Length: 0\n\n"
    return "<send%s><![CDATA[\n%s\n%s%s\n]]></send>" % ("".join(' %s="%s"' % a for a in attributes.items()), first, headers, more)


def recv(**attributes):
    return "<recv%s/>" % "".join(' %s="%s"' % a for a in attributes.items())


def scenario(*steps):
    return '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="phone">\n%s\n</scenario>\n' % "\n".join(steps)


HUNG_UP = recv(request="BYE") + send("SIP/2.0 200 OK", ANSWER % "")


def calls_out(media_port):
    invite = send("INVITE sip:[field0]@[remote_ip]:[remote_port] SIP/2.0", DIALOG % ("<sip:[field0]@[remote_ip]>", 1, "INVITE"), SDP % media_port, retrans=500)
    ack = send("ACK [next_url] SIP/2.0", "[routes]\n" + DIALOG % ("<sip:[field0]@[remote_ip]>[peer_tag_param]", 1, "ACK"))
    early = "".join(recv(response=status, optional="true") for status in (100, 180, 183))
    return scenario(invite, early, recv(response=200, rrs="true"), ack, HUNG_UP)


def is_called(media_port):
    tag = ";tag=[call_number]"
    return scenario(recv(request="INVITE"), send("SIP/2.0 180 Ringing", ANSWER % tag), send("SIP/2.0 200 OK", ANSWER % tag, SDP % media_port, retrans=500),
                    recv(request="ACK"), HUNG_UP)


def registers():
    register = DIALOG % ("<sip:[service]@[remote_ip]>", 1, "REGISTER") + "Expires: 300\n"
    first = "REGISTER sip:[remote_ip] SIP/2.0"
    return scenario(send(first, register, retrans=500), recv(response=401, auth="true"),
                    send(first, register.replace("CSeq: 1", "CSeq: 2") + "[field0]\n", retrans=500), recv(response=200))


class SippPhone:
    """One call of it: `calls` a number, or waits for one who calls. `rtp`: what it says and hears."""

    def __init__(self, case, node, user, hz, calls=None, password=None):
        ip = case.cluster.network.client()
        self.rtp = Rtp(ip, 8)
        case.addCleanup(self.rtp.close)
        self.rtp.send_tone(hz)
        args = {"ip": ip, "port": 5060, "args": ("-s", user)}
        if password:
            Sipp(case.cluster, registers(), node.ip, rows=[["[authentication username=%s password=%s]" % (user, password)]], **args).must()
            case.known(user, node)
        text = calls_out(self.rtp.port) if calls else is_called(self.rtp.port)
        self.sipp = Sipp(case.cluster, text, node.ip, rows=[[calls]] if calls else None, **args)
        case.addCleanup(self.sipp.end)
        wait_for(lambda: self.listens(ip), 10, "sipp listens")

    @staticmethod
    def listens(ip):
        here = "%s:%04X" % (socket.inet_aton(ip)[::-1].hex().upper(), 5060)
        with open("/proc/net/udp") as f:
            return any(line.split()[1] == here for line in f)

    def connected(self):
        """Sound goes where the description says that came in the answer, or in the INVITE."""
        def described():
            with open(self.sipp.messages, errors="replace") as f:
                came = [m for m in f.read().split("-----------------------------------------------") if "message received" in m and "m=audio" in m]
            ip, port = re.search(r"c=IN IP4 (\S+)", came[0]), re.search(r"m=audio (\d+)", came[0])
            return ip.group(1), int(port.group(1))
        self.rtp.remote = wait_for(described, 10, "somebody talks with sipp")
        return self


class Ear:
    """What a baresip hears, as Rtp has it."""

    def __init__(self, phone):
        self.phone = phone

    def samples(self):
        files = self.phone.heard()
        return wav_samples(files[-1]) if files else []

    def mark(self):
        return len(self.samples())

    def wait_samples(self, n, deadline=10, after=0):
        return wait_for(lambda: [s for s in [self.samples()[after:]] if len(s) >= n], deadline, "%d samples" % n)[0]

    def wait_tone(self, hz, seconds=0.5, share=0.8, deadline=10, after=0):
        n = int(seconds * 8000)
        return wait_for(lambda: tone_share(self.wait_samples(n, deadline, after)[-n:], hz) >= share, deadline, "a tone of %d Hz" % hz)


class Phones(Room, CallCase):
    deadline = 180

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.apply(SUPERVISOR)

    def baresip(self, number, hz):
        phone = Baresip(self.cluster, number, self.b.ip, self.passwords[number], sound=tone_file(self.cluster.path("tone-%d.wav" % hz), hz))
        self.addCleanup(phone.end)
        self.known(number, self.b)
        phone.rtp = Ear(phone)
        return phone

    def test_consulted_listened_to_and_taken_over(self):
        agent, boss = self.baresip("8001", AGENT_HZ), self.baresip(THIRD, BOSS_HZ)
        self.ready("1001")
        number = str(next(self.numbers))
        customer = SippPhone(self, self.a, number, CUSTOMER_HZ, calls="10003").connected()
        self.wait_phase(number, "talking")
        call_id = self.live(number)["call_id"]
        self.hears(customer, AGENT_HZ)
        self.hears(agent, CUSTOMER_HZ)
        for leg, other, hz in ((agent, customer, AGENT_HZ), (customer, agent, CUSTOMER_HZ)):
            self.cluster.must("call", "mute", call_id, "--leg", "callee" if leg is agent else "caller")
            self.hears_not(other, hz)
            self.cluster.must("call", "unmute", call_id, "--leg", "callee" if leg is agent else "caller")
            self.hears(other, hz)
        self.cluster.must("call", "hold", call_id)
        self.hears_not(customer, AGENT_HZ)
        self.cluster.must("call", "resume", call_id)
        self.hears(customer, AGENT_HZ)

        colleague = SippPhone(self, self.a, COLLEAGUE, COLLEAGUE_HZ, password=self.passwords[COLLEAGUE])
        self.do(call_id, "consult", {"extension": COLLEAGUE})
        colleague.connected()
        self.hears(colleague, AGENT_HZ)
        self.hears(agent, COLLEAGUE_HZ)
        self.hears_not(customer, AGENT_HZ, COLLEAGUE_HZ)
        self.do(call_id, "toggle")
        self.hears(customer, AGENT_HZ)
        self.hears(agent, CUSTOMER_HZ)
        self.hears_not(colleague, AGENT_HZ, CUSTOMER_HZ)
        self.do(call_id, "conference")
        self.hears_all(customer, AGENT_HZ, COLLEAGUE_HZ)
        self.hears_all(agent, CUSTOMER_HZ, COLLEAGUE_HZ)
        self.hears_all(colleague, CUSTOMER_HZ, AGENT_HZ)

        self.do(call_id, "listen", {"agent": "1020"})
        self.hears_all(boss, CUSTOMER_HZ, AGENT_HZ, COLLEAGUE_HZ)
        for ear in (customer, agent, colleague):
            self.hears_not(ear, BOSS_HZ)
        self.do(call_id, "whisper", {"agent": "1020"})
        self.hears_all(agent, CUSTOMER_HZ, BOSS_HZ)
        self.hears_not(customer, BOSS_HZ)
        boss.digits("6")  # barges in
        self.hears_all(customer, AGENT_HZ, COLLEAGUE_HZ, BOSS_HZ)
        self.cluster.must("call", "drop", call_id, "--party", COLLEAGUE)
        colleague.sipp.must()
        self.hears_not(customer, COLLEAGUE_HZ)
        self.hears_all(customer, AGENT_HZ, BOSS_HZ)
        self.do(call_id, "take-over", {"agent": "1020"})
        agent.wait("CALL_CLOSED")
        self.hears(customer, BOSS_HZ)
        self.hears(boss, CUSTOMER_HZ)
        boss.hangup()
        customer.sipp.must()
        record = self.record(number)
        self.assertEqual((record["cause"], record["ended_by"]), ("normal", "callee"))  # the supervisor, who has the agent's place
