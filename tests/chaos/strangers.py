"""Telephones that we did not write, in the same calls: baresip hears a tone, callers of sipp wait in the queue until they are served.
They know nothing of the test; what became of them is read from the capture, and from sipp's exit code."""
from everline import SIP, Baresip, Sipp, wait_for

WAITS = """<?xml version="1.0" encoding="ISO-8859-1"?>
<scenario name="waits until hung up">
<send retrans="500"><![CDATA[
INVITE sip:10003@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:10003@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: sip:[field0]@[local_ip]:[local_port]
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 8
]]></send>
<recv response="100" optional="true"/>
<recv response="200"/>
<send><![CDATA[
ACK sip:10003@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""


class Stranger:
    """Stands where a Dialog of ours does; the judge fills in call_id and media from the capture."""

    def __init__(self, number, server):
        self.number, self.server = number, server
        self.call_id, self.media, self.over, self.answered = "", None, None, True


class Baresips:
    state = "baresip"

    def __init__(self, load, n):
        server = load.server(load.victim, "address")
        self.load, self.phones = load, []
        for _ in range(n):
            number = str(next(load.numbers))
            b = Baresip(load.cluster, number, server[0], register=False, ip=load.cluster.network.real_client())
            b.dial("10002")
            b.wait("CALL_ESTABLISHED")
            self.phones.append((b, Stranger(number, server)))

    def end(self):
        for b, _ in self.phones:
            b.hangup()
        for b, s in self.phones:
            try:
                b.wait("CALL_CLOSED", 5)
            except AssertionError as e:
                yield s, str(e)

    def close(self):
        for b, _ in self.phones:
            b.end()


class Sipps:
    state = "sipp"

    def __init__(self, load, n):
        server = load.server(load.victim, "address")
        self.strangers = [Stranger(str(next(load.numbers)), server) for _ in range(n)]
        self.process = Sipp(load.cluster, WAITS, "%s:%d" % (server[0], SIP), ip=load.cluster.network.real_client(), calls=n,
                            args=("-r", 20, "-l", n, "-timeout", "150s"), rows=[[s.number] for s in self.strangers])
        wanted = {s.number for s in self.strangers}
        wait_for(lambda: wanted <= {i["caller"] for i in load.cluster.alive()[0].api("GET", "/v1/calls?limit=1000").json["items"]
                                    if i["phase"] == "waiting"}, 10, "sipp's callers wait")

    @property
    def phones(self):
        return [(self.process, s) for s in self.strangers]

    def end(self):
        try:
            self.process.must(15)
        except AssertionError as e:
            yield self.strangers[0], str(e)[-300:]

    def close(self):
        self.process.end()
