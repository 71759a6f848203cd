"""Nodes that die, come back, join and leave, while calls go on."""
import contextlib
import datetime
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from everline import HTTPS, PEER, SIP, Cluster, Events, wait_for
from sip_phone import SipPhone
from sipua import Ua

MERGE = {"Content-Type": "application/merge-patch+json"}


class ClusterCase(unittest.TestCase):
    """A cluster for each test: what is done to it is not undone."""

    deadline = 120
    conf = None  # more keys for the node files

    def setUp(self):
        self.cluster = Cluster(3, conf=self.conf)
        self.addCleanup(self.cluster.close)
        self.cluster.apply_demo()
        r = self.cluster[0].ask("PATCH", "/v1/queues/service", {"wrap_up_s": 0}, headers=MERGE)
        self.assertEqual(r.status, 200, r)
        self.numbers = itertools.count(4255990000)
        self.agents = {}

    # -- telephones

    def phone(self, node=None, user=None, **options):
        p = SipPhone(self.cluster.network.client(), user or str(next(self.numbers)), (node or self.cluster[0]).ip, **options)
        self.addCleanup(p.close)
        return p

    def agent(self, number, **options):
        """Logged in and idle, at a telephone with a fixed contact: it belongs to no node."""
        extension = "8" + number[1:]
        p = self.phone(user=extension, **options)
        self.cluster.must("extension", "set", extension, "--contact", "sip:%s@%s:%d" % (extension, p.ip, p.port))
        self.cluster.must("agent", "login", number)
        self.cluster.must("agent", "set-state", number, "ready")
        for n in self.cluster.alive():
            wait_for(lambda: self.state(number, n) == "idle", 10, "agent %s is idle at %s" % (number, n.name))
        self.agents[number] = p
        return p

    def state(self, number, node=None):
        return (node or self.cluster.alive()[0]).api("GET", "/v1/agents/" + number).json["state"]

    def talk(self, node, number):
        """A call at this node, with a tone each way, that the agent has answered. Returns both sides."""
        agent = self.agent(number, tone=800)
        call = self.phone(node, tone=1200).invite("10003")
        leg = agent.wait_call(1)
        call.wait_answered()
        call.rtp.wait_tone(800)
        leg.rtp.wait_tone(1200)
        return call, leg

    def hears(self, call, leg):
        """From now on, both ways."""
        marks = call.rtp.mark(), leg.rtp.mark()
        call.rtp.wait_tone(800, after=marks[0])
        leg.rtp.wait_tone(1200, after=marks[1])

    def record(self, caller, nodes=None):
        rows = []
        for n in nodes or self.cluster.alive():
            rows.append(wait_for(lambda: n.api("GET", "/v1/cdrs?caller=" + caller).json["items"], 10, "record of %s at %s" % (caller, n.name)))
        for r in rows:
            self.assertEqual(r, rows[0])
            self.assertEqual(len(r), 1, r)
        return rows[0][0]

    @staticmethod
    def kept(agent, node):
        row = node.api("GET", "/v1/agents/" + agent).json
        return {k: row[k] for k in ("state", "since", "login_at", "answered", "call_id", "extension_in_use")}

    @staticmethod
    def call_of(caller, node):
        (row,) = node.api("GET", "/v1/calls?caller=" + caller).json["items"]
        return row

    def at_home(self):
        """Each service address is at its own node again."""
        wait_for(lambda: all(a["holder"] == a["home"] and a["bound"] for n in self.cluster.alive()
                             for a in n.api("GET", "/v1/addresses").json["items"]), 30, "addresses are at home")

    def call_goes_on(self, node, number):
        """A new call there, to an agent and back; and a command."""
        call, leg = self.talk(node, number)
        call.hangup()
        leg.wait_ended()
        self.assertEqual(self.record(call.phone.user)["agent"], number)
        self.cluster.must("agent", "logout", number)  # the next call is the next agent's

    def verified(self):
        self.assertTrue(wait_for(lambda: self.cluster.must("cluster", "verify", "-o", "json").json, 10)["equal"])

    def votes(self, names):
        def check():
            nodes = self.cluster.status()["nodes"]
            return {n["name"] for n in nodes if n["role"] == "voter" and n["up"]} == set(names) == {n["name"] for n in nodes}
        wait_for(check, 30, "%s are the members, vote and are up" % names)

    def undisturbed(self, call, leg):
        """As if nothing had happened to the others: the same dialogs, without a new description; sound; an orderly end."""
        self.hears(call, leg)
        self.assertEqual((call.ended, leg.ended), (False, False))
        self.assertEqual((call.reinvites, leg.reinvites), ([], []))
        self.assertEqual(leg.history, ["INVITE", "ACK"])
        call.hangup()
        leg.wait_ended()
        self.assertEqual(leg.history, ["INVITE", "ACK", "BYE"])
        self.cluster.must("agent", "logout", "1" + leg.phone.user[1:])


class Death(ClusterCase):
    def die(self, victim_leads, kill):
        leader = self.cluster.leader()
        others = [n for n in self.cluster if n is not leader]
        victim = leader if victim_leads else others[0]
        third = others[1]
        living = [n for n in self.cluster if n is not victim]
        call, leg = self.talk(third, "1001")
        moved, moved_leg = self.talk(victim, "1002")
        echo = self.phone(victim, tone=400).invite("10001").wait_answered()
        echo.rtp.wait_tone(400)
        agents = [self.kept(a, living[0]) for a in ("1001", "1002")]
        kill(victim)
        # They are heard again, by an owner of a later epoch; their telephones have not been told of anything.
        for p in (moved.phone, echo.phone):
            wait_for(lambda: self.call_of(p.user, living[0])["epoch"] > 1, 10, "the call of %s is taken over" % p.user)
        self.hears(moved, moved_leg)
        echo.rtp.wait_tone(400, after=echo.rtp.mark())
        self.assertEqual([c.reinvites for c in (moved, moved_leg, echo)], [[], [], []])
        # Their agents are what they were, with times and counters.
        for n in living:
            self.assertEqual([self.kept(a, n) for a in ("1001", "1002")], agents, n.name)
        for i, n in enumerate(living):
            self.call_goes_on(n, "%d" % (1003 + i))
        moved.hangup()
        moved_leg.wait_ended()
        echo.hangup()
        for c, agent in ((moved, "1002"), (echo, "")):
            r = self.record(c.phone.user, living)
            self.assertEqual((r["cause"], r["ended_by"], r["agent"]), ("normal", "caller", agent))
            # Once, unless the victim has come back already and has them again.
            self.assertGreaterEqual(r["taken_over"], 1)
            if not victim.alive():
                self.assertEqual(r["taken_over"], 1)
                self.assertIn(r["owner"], [n.name for n in living])
        for n in living:
            wait_for(lambda: self.state("1002", n) in ("idle", "wrap_up"), 5, "agent 1002 is released at %s" % n.name)
        self.cluster.must("agent", "logout", "1002")
        self.undisturbed(call, leg)
        r = self.record(call.phone.user, living)
        self.assertEqual((r["cause"], r["ended_by"], r["agent"], r["owner"], r["taken_over"]), ("normal", "caller", "1001", third.name, 0))
        self.assertGreater(min(q["rx_packets"] for q in r["quality"]), 50)
        return victim, living

    def end_of_the_machine(self, victim_leads):
        victim, living = self.die(victim_leads, lambda n: n.kill9())
        for n in living:
            self.assertFalse(next(x for x in n.api("GET", "/v1/nodes").json["items"] if x["name"] == victim.name)["up"])
        victim.start().wait_ready()
        self.votes(["n1", "n2", "n3"])
        self.call_goes_on(victim, "1010")
        self.verified()

    def test_leader_dies(self):
        self.end_of_the_machine(True)

    def test_follower_dies(self):
        self.end_of_the_machine(False)

    def worker_dies(self, victim_leads):
        before = {}

        def kill(n):
            before["pid"] = n.workers()
            self.assertEqual(len(before["pid"]), 1)
            os.kill(before["pid"][0], signal.SIGKILL)
        victim, _ = self.die(victim_leads, kill)
        victim.wait_ready()
        self.assertNotEqual(victim.workers(), before["pid"])
        self.assertIn("ended by signal 9", victim.log_text())
        self.votes(["n1", "n2", "n3"])
        self.call_goes_on(victim, "1010")
        self.verified()

    def test_process_of_the_leader_dies(self):
        self.worker_dies(True)

    def test_process_of_a_follower_dies(self):
        self.worker_dies(False)

    def test_commands_go_on_while_the_leader_dies(self):
        """Each is answered, by a node that lives, within the seconds that an election takes."""
        leader = self.cluster.leader()
        living = [n for n in self.cluster if n is not leader]
        done = threading.Event()

        def work(n):
            count = 0
            while not done.is_set():
                r = n.api("PUT", "/v1/extensions/77%s%04d" % (n.name[1:], count), {"display_name": "x"}, timeout=15)
                self.assertEqual(r.status, 201, r)
                count += 1
            return count
        with ThreadPoolExecutor(2) as pool:
            try:
                tasks = [pool.submit(work, n) for n in living]
                leader.kill9()
                new = self.cluster.leader()
                index = new.api("GET", "/v1/cluster").json["nodes"]
                self.assertTrue(index)
                r = new.api("PUT", "/v1/extensions/7890", {"display_name": "after"})
                self.assertEqual(r.status, 201, r)
            finally:
                done.set()
            counts = [t.result() for t in tasks]
        self.assertTrue(all(counts), counts)
        leader.start().wait_ready()
        self.votes(["n1", "n2", "n3"])
        for n in self.cluster:
            for name, count in zip(living, counts):
                wait_for(lambda: n.api("GET", "/v1/extensions/77%s%04d" % (name.name[1:], count - 1)).status == 200, 10)
        self.verified()


class Membership(ClusterCase):
    conf = {"snapshot_entries": 512}

    def test_join_and_remove(self):
        call, leg = self.talk(self.cluster[1], "1001")
        new = self.cluster.add_node()
        self.votes(["n1", "n2", "n3", "n4"])
        self.call_goes_on(new, "1002")
        self.verified()
        # The leader itself is removed: it hands over first.
        leader = self.cluster.leader()
        gone = leader if leader is not self.cluster[1] else self.cluster[0]
        moved, moved_leg = self.talk(gone, "1004")
        self.cluster.must("node", "remove", gone.name)
        wait_for(lambda: not gone.alive(), 20, "the removed node ends")
        self.hears(moved, moved_leg)
        self.assertRegex(gone.last_words(), "removed|no longer a member")
        rest = sorted(n.name for n in self.cluster if n is not gone)
        self.votes(rest)
        for n in self.cluster.alive():
            wait_for(lambda: sorted(x["name"] for x in n.api("GET", "/v1/nodes").json["items"]) == rest, 10, "%s lists them" % n.name)
        self.undisturbed(call, leg)
        moved.hangup()
        moved_leg.wait_ended()
        self.cluster.must("agent", "logout", "1004")
        r = self.record(moved.phone.user)
        self.assertEqual((r["cause"], r["ended_by"], r["agent"], r["taken_over"]), ("normal", "caller", "1004", 1))
        self.call_goes_on(new, "1003")
        self.verified()
        self.trail_tells([("node.add", "node/n2"), ("node.add", "node/n3"), ("node.add", "node/" + new.name), ("node.remove", "node/" + gone.name)])
        # One that was added and has not run yet is not dead.
        self.assertFalse(any("node n4 is dead" in n.log_text() for n in self.cluster))
        # It stays outside, whatever it believes.
        gone.start()
        wait_for(lambda: not gone.alive(), 20, "a removed node does not come back by itself")
        self.votes(rest)

    def trail_tells(self, operations):
        """On every node, in this order, with who and when."""
        for n in self.cluster.alive():
            rows = [r for r in n.api("GET", "/v1/audit?limit=1000").json["items"] if r["object"].startswith("node/")][::-1]
            self.assertEqual([(r["action"], r["object"], r["actor"], r["code"]) for r in rows],
                             [(action, what, "token:admin", "ok") for action, what in operations], n.name)
            self.assertTrue(all(r["time"] and r["origin"] for r in rows))
        told = self.cluster.must("events", "--type", "everline.cluster", "--since", "0", "--count", str(len(operations)), "-o", "json").out
        self.assertEqual([e["data"]["action"] for e in map(json.loads, told.splitlines())], [action for action, _ in operations])

    def test_replaced_under_a_new_id(self):
        old = next(n for n in self.cluster if n is not self.cluster.leader())
        call, leg = self.talk(self.cluster.leader(), "1001")
        first_id = next(x for x in self.cluster.status()["nodes"] if x["name"] == old.name)["node_id"]
        old.kill9()
        shutil.rmtree(old.data)
        # Wiped, it might vote away what it has acknowledged: refused in plain words.
        old.start()
        wait_for(lambda: not old.alive(), 20, "a wiped node is refused")
        self.assertNotEqual(old.process.returncode, 0)
        self.assertRegex(old.last_words(), r"remove.*add|add.*again")
        self.cluster.must("node", "remove", old.name)
        self.votes(sorted(n.name for n in self.cluster if n is not old))
        shutil.rmtree(old.data, ignore_errors=True)
        # Started before it is added, it says what it waits for, and goes on by itself.
        old.start()
        wait_for(lambda: "%s has not been added yet" % old.name in old.log_text(), 20, "the node says what it waits for")
        self.cluster.must("node", "add", old.name, "%s:%d" % (old.ip, PEER))
        old.wait_ready()
        self.votes(["n1", "n2", "n3"])
        self.assertGreater(next(x for x in self.cluster.status()["nodes"] if x["name"] == old.name)["node_id"], first_id)
        self.undisturbed(call, leg)
        self.call_goes_on(old, "1002")
        self.verified()

    def test_join_with_a_snapshot(self):
        """More commands than a log keeps, so that the newcomer gets an image of the state; while more of them come."""
        status = self.cluster.leader().api("GET", "/v1/nodes/%s/status" % self.cluster.leader().name).json
        self.assertTrue(status)
        written = []
        enough = threading.Event()

        def load(k):
            n = self.cluster[k % 3]
            c = http.client.HTTPSConnection(n.ip, HTTPS, timeout=20, context=self.cluster.tls)
            headers = {"Authorization": "Bearer " + self.cluster.token, "Content-Type": "application/json"}
            for i in itertools.count():
                if enough.is_set():
                    break
                # Large ones: the log is cut by entries, the disk filled by bytes.
                c.request("PUT", "/v1/extensions/6%d%02d" % (k, i % 100), json.dumps({"display_name": "%d" % i}), headers)
                r = c.getresponse()
                r.read()
                self.assertIn(r.status, (200, 201))
                written.append((k, i))
            c.close()
        with ThreadPoolExecutor(3) as pool:
            try:
                tasks = [pool.submit(load, k) for k in range(3)]
                wait_for(lambda: all(self.snapshot_index(n) > 0 for n in self.cluster), 60, "all nodes have taken a snapshot", 0.2)
                new = self.cluster.add_node()
            finally:
                enough.set()
            for t in tasks:
                t.result()
        self.votes(["n1", "n2", "n3", "n4"])
        self.assertIn("snapshot at index", new.log_text())
        self.verified()
        self.call_goes_on(new, "1001")
        # Whoever leads knows that the changes before are done, though they came among many other entries.
        for heir in [n for n in self.cluster if n is not self.cluster.leader()]:
            self.cluster.hand_over(heir)
            gone = next(n for n in self.cluster if n not in (heir, new))
            if len(self.cluster.nodes) == 4:
                self.cluster.must("node", "remove", gone.name)
                wait_for(lambda: not gone.alive(), 20, "the removed node ends")
                self.cluster.nodes.remove(gone)
                gone.kill9()
                self.votes([n.name for n in self.cluster])
        for n in self.cluster:
            n.stop()
        self.cluster.start_again()
        self.verified()

    @staticmethod
    def snapshot_index(n):
        return n.api("GET", "/v1/cluster").json["snapshot_index"]


class Restart(ClusterCase):
    KINDS = ("extensions", "agents", "queues", "trunks", "access-numbers", "flows", "parameters", "tokens", "cdrs", "audit")

    def everything(self, n):
        """All that stands still while nothing happens: how long agents have been in their states does not."""
        out = {k: n.api("GET", "/v1/%s?limit=1000" % k).json["items"] for k in self.KINDS}
        for agent in out["agents"]:
            for field in ("work_s", "break_s", "times"):
                agent.pop(field)
        out["config"] = n.api("GET", "/v1/config").text
        return out

    def times(self, n):
        return {(a["number"], t["state"], t["reason"]): t["seconds"] for a in n.api("GET", "/v1/agents?limit=1000").json["items"] for t in a["times"]}

    def prepare(self):
        self.agent("1001")
        self.cluster.must("agent", "set-state", "1001", "not_ready", "--reason", "lunch")
        self.cluster.must("agent", "login", "1002")
        self.cluster.must("agent", "set-state", "1002", "not_ready")
        call = self.phone(self.cluster[1]).invite("10002").wait_answered()
        call.hangup()
        self.record(call.phone.user)
        with_agent, leg = self.talk(self.cluster[2], "1003")
        with_agent.hangup()
        leg.wait_ended()
        self.record(with_agent.phone.user)
        # Nothing comes any more that would change what is compared.
        wait_for(lambda: self.state("1003") == "idle", 10, "the agent is free")
        self.verified()
        before = self.everything(self.cluster[0])
        self.assertEqual(len(before["cdrs"]), 2)
        self.assertGreater(len(before["audit"]), 40)
        self.spent = self.times(self.cluster[0])
        return before

    def after(self, before):
        self.votes(["n1", "n2", "n3"])
        for n in self.cluster:
            self.assertEqual(self.everything(n), before, n.name)
            now = self.times(n)
            self.assertEqual({k: now[k] >= s for k, s in self.spent.items()}, dict.fromkeys(self.spent, True), n.name)
        self.verified()
        self.call_goes_on(self.cluster[0], "1003")

    def test_all_stopped_and_started(self):
        before = self.prepare()
        self.assertEqual(self.cluster.stop(), [0, 0, 0])
        self.cluster.start_again()
        self.after(before)

    def test_all_killed_and_started(self):
        before = self.prepare()
        for n in self.cluster:
            n.kill9()
        self.cluster.start_again()
        self.after(before)

    @staticmethod
    def in_database(n, sql):
        with contextlib.closing(sqlite3.connect(os.path.join(n.data, "state.db"))) as db, db:
            return db.execute(sql).fetchone()

    def test_off_for_days(self):
        """The clock of the state has stood for three days: no node is followed alone, two are."""
        # All at one index and at one moment, so that none has entries to apply again to a clock that we have set.
        wait_for(lambda: len({n.api("GET", "/v1/cluster").json["applied_index"] for n in self.cluster}) == 1, 10, "all are at one index")
        for n in self.cluster:
            n.sigstop()
        for n in self.cluster:
            n.kill9()
        self.assertEqual(len({self.in_database(n, "SELECT idx FROM applied") for n in self.cluster}), 1)
        for n in self.cluster:
            self.in_database(n, "UPDATE applied SET time_us = time_us - 3 * 86400 * 1000000")
        self.cluster.start_again()
        value = itertools.count()

        def in_time():
            self.cluster.must("parameter", "set", "note", str(next(value)))
            row = self.cluster[0].api("GET", "/v1/audit?limit=1").json["items"][0]
            then = datetime.datetime.fromisoformat(row["time"].replace("Z", "+00:00"))
            return abs(then.timestamp() - time.time()) < 60
        wait_for(in_time, 10, "times are those of today")
        self.assertGreaterEqual(sum("ahead of the cluster's" in n.log_text() for n in self.cluster), 2)
        self.verified()

    def test_one_after_another(self):
        """As in an update: the cluster serves all the time."""
        before = self.prepare()
        for n in self.cluster:
            self.assertEqual(n.stop(), 0)
            self.cluster.leader()
            n.start().wait_ready()
            self.votes(["n1", "n2", "n3"])
        self.after(before)


class Minority(ClusterCase):
    def test_cut_off_node_refuses_and_comes_back(self):
        alone = next(n for n in self.cluster if n is not self.cluster.leader())
        others = [n for n in self.cluster if n is not alone]
        # Its service address is no place to say no from: it lets go of that. It has another one, which is its own for ever.
        fixed = self.cluster.network.client()
        self.assertEqual(alone.stop(), 0)
        alone.configure(join=others[0], listen={"sip": [alone.sip, "%s:%d" % (fixed, SIP)], "https": "%s:%d" % (alone.ip, HTTPS),
                                                "peer": "%s:%d" % (alone.ip, PEER), "rtp": {"ports": "20000-29999"}})
        alone.start().wait_ready()
        self.votes(["n1", "n2", "n3"])
        self.at_home()
        with Ua(self.cluster.network.client(), fixed) as ua:
            self.assertEqual(ua.request("OPTIONS", "sip:" + fixed).status, 200)
        self.assertEqual(self.isolated(alone), (False, False, []))
        for n in others:
            n.sigstop()
        try:
            wait_for(lambda: alone.api("GET", "/readyz", token=None).status == 503, 10, "the cut-off node is not ready")
            r = alone.api("GET", "/readyz", token=None)
            self.assertIn("cut off from the majority", r.text)
            self.assertEqual(alone.api("GET", "/healthz", token=None).status, 200)
            wait_for(lambda: self.isolated(alone) == (True, True, [alone.name]), 10, "it says that it is cut off")
            wait_for(lambda: free(alone.ip, SIP), 10, "it has let go of its service address")
            ua = Ua(self.cluster.network.client(), fixed)
            self.addCleanup(ua.close)
            answer = ua.invite("10001").final()
            self.assertEqual(answer.status, 503)
            self.assertGreater(int(answer.get("retry-after")), 0)
            shown = self.cluster.ccctl("cluster", "status", node=self.cluster.nodes.index(alone))
            self.assertEqual(shown.code, 6, shown)
            self.assertIn("node %s is cut off from the majority" % alone.name, shown.out)
            r = alone.api("PUT", "/v1/extensions/7700", {"display_name": "x"}, timeout=20)
            self.assertIn(r.status, (503, 504), r)
            # What it knows it still tells.
            self.assertEqual(alone.api("GET", "/v1/agents?limit=5").status, 200)
            self.assertFalse(alone.api("GET", "/v1/cluster").json["has_quorum"])
        finally:
            for n in others:
                n.sigcont()
        for n in self.cluster:
            n.wait_ready()
        self.votes(["n1", "n2", "n3"])
        self.at_home()
        self.assertEqual(self.isolated(alone), (False, False, []))
        self.call_goes_on(alone, "1001")
        self.verified()

    def isolated(self, node):
        """As it tells itself: in the cluster's status, in its metrics, in the list of nodes."""
        figures = node.api("GET", "/metrics").text
        rows = json.loads(self.cluster.must("node", "list", "-o", "json", node=self.cluster.nodes.index(node)).out)
        return (node.api("GET", "/v1/cluster").json["isolated"], "\neverline_node_isolated 1\n" in figures,
                [n["name"] for n in rows if n["isolated"]])

    def test_frozen_node_finds_its_calls_elsewhere(self):
        """The others take it for dead and carry its calls on; when it wakes it has to learn so, without a word to the telephones, and
        take part again. Its address cannot move while it has it: the telephones are told of another."""
        frozen = next(n for n in self.cluster if n is not self.cluster.leader())
        living = [n for n in self.cluster if n is not frozen]
        call, leg = self.talk(frozen, "1001")
        frozen.sigstop()
        try:
            wait_for(lambda: self.call_of(call.phone.user, living[0])["owner"] != frozen.name, 10, "the call has another owner")
            for c in (call, leg):
                c.wait_reinvite()
            self.hears(call, leg)
            for n in living:
                self.assertEqual(self.state("1001", n), "talking")
            before = [len(c.phone.log) for c in (call, leg)]
            for c in (call, leg):
                c.rtp.sources.clear()
        finally:
            frozen.sigcont()
        frozen.wait_ready()
        self.votes(["n1", "n2", "n3"])
        self.at_home()
        self.call_goes_on(frozen, "1002")
        # Nothing came from it: no request, no sound.
        self.hears(call, leg)
        self.assertEqual([[x for _, way, x in c.phone.log[n:] if way == "<"] for c, n in zip((call, leg), before)], [[], []])
        for c in (call, leg):
            self.assertEqual({ip for ip, _ in c.rtp.sources} & {frozen.ip}, set())
        leg.hangup()
        call.wait_ended()
        r = self.record(call.phone.user)
        self.assertEqual((r["cause"], r["ended_by"], r["taken_over"]), ("normal", "agent", 1))
        self.assertNotEqual(r["owner"], frozen.name)
        self.verified()


def free(ip, port):
    """Whether nobody has this UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.bind((ip, port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    unittest.main()
