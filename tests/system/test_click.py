"""Click to dial: an agent's telephone is rung first, then the other side, outside or here; and nodes that die meanwhile."""
import unittest

import test_outside
from callcase import AGENT_HZ, CALLER_HZ
from everline import Baresip, wait_for

NUMBER = "13800001111"
CARRIER_HZ = AGENT_HZ  # of test_outside
PHONE_HZ = CALLER_HZ


class Click(test_outside.Outside):
    def agent_phone(self, **options):
        phone = self.extension("8001", self.b, **dict({"tone": PHONE_HZ}, **options))
        self.ready("1001")
        return phone

    def dial(self, *args):
        """Of agent 1001; its call id."""
        return self.cluster.must("agent", "dial", "1001", *args, "-o", "json").json["call_id"]

    def clicked(self, call_id, **match):
        def found():
            r = self.a.api("GET", "/v1/calls/" + call_id).json
            return r if all(r.get(k) == v for k, v in match.items()) else None
        return wait_for(found, 10, "call %s with %s" % (call_id, match))

    def written(self, call_id, **match):
        def both():
            rows = [n.api("GET", "/v1/cdrs/" + call_id) for n in (self.a, self.b)]
            return rows[0].json if rows[0].status == rows[1].status == 200 else None
        r = wait_for(both, 10, "record of %s" % call_id)
        for k, v in match.items():
            self.assertEqual(r[k], v, r)
        return r

    def parties(self, mine, theirs, hz=CARRIER_HZ):
        self.hears(mine, hz)
        self.hears(theirs, PHONE_HZ)


class NobodyDies(Click):
    def test_outside(self):
        """His own number is shown; who is used is busy; the other one is called back from the record."""
        must = self.cluster.must
        must("agent", "set", "1001", "--caller-id", "02155550001")
        self.addCleanup(must, "agent", "set", "1001", "--caller-id", "")
        must("extension", "set", "8001", "--auto-answer", "yes")
        self.addCleanup(must, "extension", "set", "8001", "--auto-answer", "no")
        for n in self.cluster:
            wait_for(lambda: n.api("GET", "/v1/extensions/8001").json["auto_answer"], 10, "%s has it" % n.name)
        phone = self.agent_phone(on_invite="ring")
        call_id = self.dial(NUMBER)
        mine = phone.wait_call()
        self.assertRegex(mine.request.get("from"), r'^"Call %s" <sip:%s@' % (NUMBER, NUMBER))
        self.assertIn("answer-after=0", mine.request.get("call-info"))
        self.assertIn("info=alert-autoanswer", mine.request.get("alert-info"))
        self.assertEqual((self.state("1001"), len(self.carrier.incoming)), ("ringing", 0))
        self.clicked(call_id, phase="dialling", direction="outbound", dialled_by="1001", out_trunk="")
        again = self.cluster.ccctl("agent", "dial", "1001", NUMBER)
        self.assertNotEqual(again.code, 0)
        self.assertIn("in use", again.err)
        mine.answer()
        theirs = self.carrier.wait_call()
        self.assertIn("sip:%s@" % NUMBER, theirs.request.first)
        self.assertIn("sip:02155550001@", theirs.request.get("from"))
        self.assertEqual(theirs.request.get("call-info"), "")
        self.parties(mine, theirs)
        self.clicked(call_id, phase="talking", out_trunk="carrier", out_caller="02155550001", agent="1001")
        mine.hangup()
        theirs.wait_ended()
        self.written(call_id, direction="outbound", agent="1001", caller="8001", called=NUMBER, answered_by=NUMBER, trunk="carrier",
                     shown="02155550001", dialled_by="1001", calls_back=None, ended_by="agent", cause="normal")
        self.wait_state("1001", "idle")
        self.cluster.must("cdr", "call-back", call_id, "--agent", "1001")
        phone.wait_call(2).answer()
        theirs = self.carrier.wait_call(2)
        self.assertIn("sip:%s@" % NUMBER, theirs.request.first)
        theirs.hangup()
        rows = wait_for(lambda: [r for r in self.a.api("GET", "/v1/cdrs?called=" + NUMBER).json["items"] if r["calls_back"]], 10, "record")
        self.assertEqual((rows[0]["calls_back"], rows[0]["dialled_by"]), (call_id, "1001"))
        audit = self.a.api("GET", "/v1/audit?object=agent/1001&action=agent.call_back").json["items"]
        self.assertEqual(audit[0]["after"], {"number": NUMBER, "record_id": call_id})

    def test_inside(self):
        """A telephone, and what hears itself; baresip is the agent's."""
        phone = Baresip(self.cluster, "8001", self.b.ip, self.passwords["8001"])
        self.addCleanup(phone.end)
        self.known("8001", self.b)
        self.ready("1001")
        other = self.extension("8002", self.a, tone=AGENT_HZ)
        call_id = self.dial("--extension", "8002")
        there = other.wait_call()
        phone.wait("CALL_ESTABLISHED")
        self.assertIn("sip:8001@", there.request.get("from"))
        self.clicked(call_id, phase="talking", direction="internal")
        self.assertGreater(len(there.rtp.wait_samples(4000, after=there.rtp.mark())), 0)
        there.hangup()
        self.written(call_id, direction="internal", caller="8001", called="8002", answered_by="8002", ended_by="callee", dialled_by="1001")
        self.wait_state("1001", "idle")
        call_id = self.dial("10001")
        self.clicked(call_id, phase="app", direction="internal")
        self.cluster.must("call", "hangup", call_id)
        self.written(call_id, called="10001", dialled_by="1001", cause="operator")

    def test_hears_himself(self):
        phone = self.agent_phone()
        call_id = self.dial("10001")
        mine = phone.wait_call()
        self.hears(mine, PHONE_HZ)
        mine.hangup()
        self.written(call_id, called="10001", ended_by="caller", cause="normal")

    def test_in_vain(self):
        """He refuses: no record, an event, and he is free again. The other side is busy: a record."""
        phone = self.agent_phone(on_invite="busy")
        call_id = self.dial(NUMBER)
        wait_for(lambda: self.a.api("GET", "/v1/calls/" + call_id).status == 404, 10, "the call is gone")
        self.assertEqual(self.a.api("GET", "/v1/cdrs/" + call_id).status, 404)
        self.wait_state("1001", "idle")
        phone.on_invite, self.carrier.on_invite = "answer", "busy"
        call_id = self.dial(NUMBER)
        self.written(call_id, cause="busy", agent="1001", sip_status=486, called=NUMBER, direction="outbound")


    def test_missed(self):
        """He gives up waiting, and is called back by click: first in vain, then he is reached."""
        caller = self.caller(self.a)
        call = caller.invite("10003").wait_answered()
        call_id = self.call_of(caller, phase="waiting")["call_id"]
        call.hangup()

        def row(**match):
            def found():
                rows = self.cluster.must("missed", "list", "--kind", "queue", "--caller", caller.user, "-o", "json").json
                return rows[0] if rows and all(rows[0][k] == v for k, v in match.items()) else None
            return wait_for(found, 10, "missed with %s" % match)
        self.assertEqual(row(call_id=call_id, call_backs=0)["queue"], "service")
        phone = self.agent_phone()
        self.carrier.on_invite = "busy"
        self.cluster.must("cdr", "call-back", call_id, "--agent", "1001")
        phone.wait_call().wait_ended()
        self.assertIsNone(row(call_backs=1, called_back_by="1001")["reached_at"])
        self.wait_state("1001", "idle")
        self.carrier.on_invite = "answer"
        self.cluster.must("cdr", "call-back", call_id, "--agent", "1001")
        mine = phone.wait_call(2)
        theirs = self.carrier.wait_call(2)
        self.parties(mine, theirs)
        mine.hangup()
        self.assertTrue(row(call_backs=2, reached_by="1001")["reached_at"])


class NodesDie(Click):
    def test_while_his_telephone_rings(self):
        self.lead(self.victim)
        phone = self.agent_phone(on_invite="ring")
        call_id = self.dial(NUMBER)
        first = phone.wait_call()
        self.clicked(call_id, owner=self.victim.name)
        self.kill()
        first.wait_ended(15)  # called off, then rung anew
        self.clicked(call_id, epoch=2, phase="dialling")
        mine = wait_for(lambda: next((c for c in reversed(phone.incoming[1:]) if not c.ended), None), 10, "it rings").answer()
        theirs = self.carrier.wait_call()
        self.parties(mine, theirs)
        theirs.hangup()
        self.written(call_id, taken_over=1, agent="1001", called=NUMBER, ended_by="callee")
        self.idle("1001")

    def test_while_the_other_side_rings(self):
        """Here, and the call goes on at a node that has never seen it."""
        other = self.extension("8002", self.a, tone=AGENT_HZ, on_invite="ring")
        self.lead(self.victim)
        phone = self.agent_phone()
        call_id = self.dial("8002")
        mine = phone.wait_call().wait_answered()
        other.wait_call()
        self.clicked(call_id, owner=self.victim.name, phase="dialling", direction="internal")
        self.kill()
        self.clicked(call_id, epoch=2, phase="dialling")
        theirs = wait_for(lambda: next((c for c in reversed(other.incoming) if not c.ended), None), 10, "it rings").answer()
        self.parties(mine, theirs, AGENT_HZ)
        self.one_source(mine)
        mine.hangup()
        theirs.wait_ended()
        self.written(call_id, taken_over=1, direction="internal", caller="8001", answered_by="8002", ended_by="caller")
        self.idle("1001")


if __name__ == "__main__":
    unittest.main()
