"""ccctl against a live cluster of three nodes: every noun and verb, exit codes, forms of output. What only a fake server can
provoke (lost answers, hostile text) is in tests/unit/cli."""
import csv
import io
import json
import os
import signal
import subprocess
import time
import unittest

import everline
from everline import wait_for
from sip_phone import SipPhone

SCHEMAS = {"agent-state": "AgentStateConfig", "node": "Node", "agent": "Agent", "queue": "Queue", "call": "Call", "cdr": "Cdr", "extension": "Extension", "trunk": "Trunk",
           "access-number": "AccessNumber", "flow": "Flow", "parameter": "Parameter", "token": "Token", "audit": "AuditRecord"}


def contract():
    import jsonschema
    import yaml
    with open(os.path.join(everline.ROOT, "api", "openapi.yaml")) as f:
        doc = yaml.load(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return lambda name, value: jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/" + name, "components": doc["components"]}).validate(value)


class Ccctl(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.c = everline.Cluster(3)
        cls.passwords = cls.c.apply_demo()
        cls.check = staticmethod(contract())

    @classmethod
    def tearDownClass(cls):
        cls.c.close()

    def ok(self, *args, **options):
        r = self.c.ccctl(*args, **options)
        self.assertEqual(r.code, 0, "%s: %r" % (args, r))
        return r

    def json(self, *args, **options):
        return self.ok(*args, "-o", "json", **options).json

    def fails(self, code, *args, **options):
        r = self.c.ccctl(*args, **options)
        self.assertEqual(r.code, code, "%s: %r" % (args, r))
        self.assertTrue(r.err.startswith("ccctl: "), r)
        return r

    def rows(self, noun, *args, **options):
        """A list as JSON, each row held against the contract."""
        rows = self.json(noun, "list", *args, **options)
        self.assertIsInstance(rows, list)
        for row in rows:
            self.check(SCHEMAS[noun], row)
        return rows

    def show(self, noun, key, **options):
        o = self.json(noun, "show", key, **options)
        self.check(SCHEMAS[noun], o)
        return o

    def call_to(self, number, node=0, caller="42555000"):
        phone = SipPhone(self.c.network.client(), caller, self.c[node].ip)
        self.addCleanup(phone.close)
        return phone.invite(number).wait_answered()

    # -- cluster and nodes

    def test_cluster_status(self):
        s = self.json("cluster", "status")
        self.check("Cluster", s)
        self.assertEqual({n["name"]: n["up"] for n in s["nodes"]}, {"n1": True, "n2": True, "n3": True})
        self.assertEqual([n["name"] for n in s["nodes"] if n["leader"]], [s["leader"]])
        text = self.ok("cluster", "status").out
        self.assertIn("leader " + s["leader"], text)
        self.assertEqual(len(self.ok("cluster", "status", "-o", "csv").out.splitlines()), 4)
        for i in range(3):
            self.assertEqual(self.json("cluster", "status", node=i)["node"], "n%d" % (i + 1))

    def test_cluster_verify(self):
        v = self.json("cluster", "verify")
        self.check("ClusterVerify", v)
        self.assertTrue(v["equal"])
        self.assertEqual(len({n["digest"] for n in v["nodes"]}), 1)
        self.assertIn("same state", self.ok("cluster", "verify").out)

    def test_cluster_transfer(self):
        leader = self.c.leader().name
        to = next(n.name for n in self.c.nodes if n.name != leader)
        self.ok("cluster", "transfer", "--to", to)
        wait_for(lambda: self.c.leader().name == to, 10, to + " leads")
        told = self.c[0].api("POST", "/v1/cluster:transfer", {}).json["leader"]  # to whoever is fit
        self.assertNotEqual(told, to)
        wait_for(lambda: self.c.leader().name == told, 10, told + " leads")

    def test_nodes(self):
        self.assertEqual([n["name"] for n in self.rows("node")], ["n1", "n2", "n3"])
        self.assertEqual(self.show("node", "n2")["https"], "%s:8443" % self.c[1].ip)
        for name in ("n1", "n2", "n3"):
            s = self.json("node", "status", name)
            self.check("NodeStatus", s)
            self.assertEqual(s["name"], name)
            threads = [t["name"] for t in s["threads"]]
            self.assertEqual([threads.count(t) for t in ("core", "api", "http")], [1, 1, 1], threads)
            self.assertEqual(set(threads) - {"worker", "media", "sound"}, {"core", "api", "http"})
        self.fails(3, "node", "show", "n9")
        self.fails(3, "node", "remove", "n9")
        self.fails(4, "node", "add", "n2", "%s:7400" % self.c[1].ip)

    # -- configuration

    def test_extensions(self):
        self.assertEqual(len(self.rows("extension")), 20)
        self.assertEqual(len(self.rows("extension", "--limit", "3")), 3)
        self.ok("extension", "set", "8030", "--contact", "sip:8030@127.0.0.1:5099", "--display-name", "Gateway")
        self.ok("extension", "set", "8030", "--display-name", "门口")
        o = self.show("extension", "8030", node=2)
        self.assertEqual((o["contact"], o["display_name"], o["has_password"]), ("sip:8030@127.0.0.1:5099", "门口", False))
        self.ok("extension", "set", "8030", "--password-stdin", stdin="a-new-password\n")
        self.assertTrue(self.show("extension", "8030")["has_password"])
        self.assertIn("contact", self.fails(1, "extension", "set", "8030", "--contact", "nonsense").err)
        self.ok("extension", "delete", "8030")
        self.fails(3, "extension", "show", "8030")
        self.fails(3, "extension", "delete", "8030")

    def test_a_password_set_here_registers_a_phone(self):
        self.ok("extension", "set", "8031", "--password-stdin", stdin="first-password-1\n")
        with SipPhone(self.c.network.client(), "8031", self.c[1].ip, "first-password-1") as phone:
            phone.register()
            seen = wait_for(lambda: self.show("extension", "8031", node=2)["registrations"], 5, "n3 knows where 8031 is")
            self.assertEqual(seen[0]["node"], "n2")
            self.ok("extension", "set", "8031", "--password-stdin", stdin="second-password-2\n")
            self.assertIn(phone.try_register().status, (401, 403))
        self.ok("extension", "delete", "8031")

    def test_agents_as_configured(self):
        self.assertEqual(len(self.rows("agent")), 20)
        self.ok("agent", "set", "1090", "--name", "Zoë", "--extension", "8020", "--level", "9", "--type", "supervisor", "--group", "x")
        o = self.show("agent", "1090")
        self.assertEqual((o["name"], o["extension"], o["level"], o["type"], o["group"]), ("Zoë", "8020", 9, "supervisor", "x"))
        self.assertEqual([a["number"] for a in self.rows("agent", "--group", "x")], ["1090"])
        self.ok("agent", "set", "1090", "--manages-group", "x,y", "--manages-queue", "service")
        o = self.show("agent", "1090")
        self.assertEqual((o["manages_groups"], o["manages_queues"]), (["x", "y"], ["service"]))
        self.fails(1, "agent", "set", "1090", "--type", "agent")
        self.fails(1, "agent", "set", "1090", "--level", "10")
        self.ok("agent", "delete", "1090")
        self.fails(3, "agent", "show", "1090")

    def test_queues_as_configured(self):
        self.ok("queue", "set", "sales", "--ring-time", "15", "--wrap-up", "3", "--member", "1001,1002:5", "--display-name", "销售")
        q = self.show("queue", "sales")
        self.assertEqual((q["ring_time_s"], q["wrap_up_s"], q["display_name"]), (15, 3, "销售"))
        self.assertEqual([(m["agent"], m["level"]) for m in q["members"]], [("1001", 0), ("1002", 5)])
        self.ok("queue", "add-member", "sales", "1003", "--level", "2", node=1)
        self.ok("queue", "remove-member", "sales", "1001", node=2)
        self.assertEqual([(m["agent"], m["level"]) for m in self.show("queue", "sales")["members"]], [("1002", 5), ("1003", 2)])
        self.fails(3, "queue", "remove-member", "sales", "1001")
        self.fails(1, "queue", "set", "sales", "--strategy", "by_chance")
        self.assertIn("sales", [q["name"] for q in self.rows("queue")])
        self.ok("queue", "delete", "sales")
        self.fails(3, "queue", "status", "sales")

    def test_trunks(self):
        self.ok("trunk", "set", "carrier", "--source", "192.0.2.0/24,2001:db8::/32", "--contact", "sip:192.0.2.10:5060")
        self.assertEqual(self.show("trunk", "carrier")["sources"], ["192.0.2.0/24", "2001:db8::/32"])
        self.fails(1, "trunk", "set", "carrier", "--source", "300.1.1.1/8")
        self.assertEqual({t["name"] for t in self.rows("trunk")}, {"carrier", "demo"})
        self.ok("trunk", "delete", "carrier")

    def test_access_numbers(self):
        self.ok("access-number", "set", "10099", "--queue", "service", "--priority", "5")
        self.assertEqual(self.show("access-number", "10099")["priority"], 5)
        self.fails(1, "access-number", "set", "10098", "--queue", "service", "--flow", "welcome")
        self.assertIn("10099", [n["number"] for n in self.rows("access-number", "--queue", "service")])
        self.ok("access-number", "delete", "10099")

    def test_flows(self):
        file = self.c._write("flow.yaml", "start: bye\nlanguages: [en]\nnodes:\n  bye: {type: hangup}\n")
        self.ok("flow", "set", "short", "-f", file)
        self.assertEqual(self.show("flow", "short")["definition"]["start"], "bye")
        file = self.c._write("flow.yaml", "languages: [en]\nnodes:\n  bye: {type: hangup}\nstart: nowhere\n")
        r = self.fails(1, "flow", "set", "short", "-f", file)
        self.assertIn("flow.yaml:4:", r.err)
        self.assertEqual({f["name"] for f in self.rows("flow")}, {"leave-message", "rate", "short", "welcome"})
        self.ok("flow", "set", "short", "-f", self.c._write("flow.yaml", "start: ask\nlanguages: [en]\nnodes:\n"
                "  ask: {type: collect, variable: pin, secret: true, max: 2, next: bye}\n  bye: {type: hangup}\n"))
        r = self.ok("flow", "test", "short", "--keys", "42")
        self.assertIn("hung up", r.out)
        self.assertNotIn("42", r.out)
        live, former = self.json("flow", "versions", "short")
        self.assertEqual((live["live"], former["live"]), (True, False))
        self.ok("flow", "rollback", "short", str(former["version"]))
        self.assertEqual(self.show("flow", "short")["definition"]["start"], "bye")
        self.assertEqual(len(self.json("flow", "versions", "short")), 3)
        self.fails(2, "flow", "rollback", "short", "newest")
        # a draft may have faults: they are shown where they stand; published it is not
        r = self.ok("flow", "draft", "set", "short", "-f", self.c._write("flow.yaml", "languages: [en]\nstart: ask\nnodes:\n"
                    "  ask: {type: play, prompts: [nothing], next: bay}\n  bye: {type: dance}\n"))
        self.assertIn("flow.yaml:4:", r.out)
        self.assertIn("flow.yaml:5:", r.out)
        self.fails(1, "flow", "publish", "short")
        self.ok("flow", "draft", "set", "short", "-f", self.c._write("flow.yaml", "languages: [en]\nstart: ask\nnodes:\n"
                "  ask: {type: collect, variable: pin, max: 1, next: bye}\n  bye: {type: hangup}\n"))
        self.assertIn("no faults", self.ok("flow", "draft", "show", "short").out)
        self.assertIn("nodes.ask", self.ok("flow", "draft", "diff", "short").out)
        self.assertIn("waits for keys", self.ok("flow", "test", "short", "--draft").out)
        self.ok("flow", "set", "short", "-f", self.c._write("flow.yaml", "languages: [zh]\nstart: bye\nnodes:\n  bye: {type: hangup}\n"))
        r = self.fails(4, "flow", "publish", "short")
        self.assertIn("force", r.err)
        self.ok("flow", "publish", "short", "--force", "--note", "asks for a pin")
        self.assertEqual(self.json("flow", "versions", "short")[0]["note"], "asks for a pin")
        self.assertIn("languages[0]", self.ok("flow", "diff", "short").out)
        self.fails(3, "flow", "draft", "show", "short")
        self.assertEqual(json.loads(self.ok("flow", "schema").out)["title"], "Flow of Everline")
        self.assertIn("set, show", self.fails(2, "flow", "draft").err)
        self.ok("flow", "delete", "short")

    def test_parameters(self):
        self.ok("parameter", "set", "session_expires_s", "900")
        self.assertEqual([p["value"] for p in self.rows("parameter") if p["name"] == "session_expires_s"], ["900"])
        self.ok("parameter", "delete", "session_expires_s")
        self.fails(3, "parameter", "delete", "session_expires_s")

    def test_tokens(self):
        secret = self.ok("token", "create", "wall", "--role", "read").out.strip()
        self.assertEqual(len(self.rows("agent", "--limit", "1", env={"CCCTL_TOKEN": secret})), 1)
        self.fails(5, "agent", "login", "1001", env={"CCCTL_TOKEN": secret})
        self.fails(4, "token", "create", "wall")
        self.assertNotIn(secret[4:], self.ok("token", "list", "-o", "json").out)
        self.assertIn("wall", [t["name"] for t in self.rows("token")])
        self.ok("token", "delete", "wall")
        self.fails(5, "agent", "list", env={"CCCTL_TOKEN": secret})

    def test_config(self):
        exported = self.ok("config", "export").out
        self.assertIn("welcome", exported)
        self.assertNotIn("ha1", exported)
        file = self.c._write("site.yaml", exported)
        self.assertIn("0 created, 0 updated, 0 deleted", self.ok("config", "diff", "-f", file).out)
        self.assertIn("0 created, 0 updated, 0 deleted", self.ok("config", "apply", "-f", file).out)
        new = self.c._write("new.yaml", "trunks:\n  - {name: other, sources: [\"198.51.100.0/24\"]}\n")
        self.assertIn("1 created", self.ok("config", "apply", "-f", new, "--dry-run").out)
        self.fails(3, "trunk", "show", "other")
        self.assertEqual(self.json("config", "apply", "-f", new)["changes"][0]["action"], "create")
        self.ok("trunk", "show", "other")
        self.assertIn("1 deleted", self.ok("config", "diff", "-f", new, "--prune").out)
        bad = self.c._write("bad.yaml", "queues:\n  - name: q\n    ring_time_s: soon\n")
        r = self.fails(1, "config", "apply", "-f", bad)
        self.assertIn("bad.yaml:3:", r.err)
        self.assertIn("queues[0].ring_time_s", r.err)
        bad = self.c._write("bad.yaml", "trunks: [{name: x, sourcse: []}]\n")
        self.assertIn("sourcse", self.fails(1, "config", "apply", "-f", bad).err)
        # what others name stays, unless they go as well
        new = self.c._write("new.yaml", "parameters: [{name: outbound_trunk, value: other}]\n")
        self.ok("config", "apply", "-f", new)
        self.assertIn("trunk other is in use by parameter outbound_trunk", self.fails(4, "trunk", "delete", "other").err)
        self.assertIn("no trunk", self.fails(1, "parameter", "set", "outbound_trunk", "nowhere").err)
        self.ok("parameter", "delete", "outbound_trunk")
        self.assertIn("queue service is in use by access_number 10003, flow welcome", self.fails(4, "queue", "delete", "service").err)
        self.ok("trunk", "delete", "other")
        self.assertIn("parameters", self.json("config", "export"))

    # -- life

    def test_agents_at_work(self):
        self.assertEqual(self.json("agent", "login", "1005")["state"], "idle")
        self.assertEqual(self.json("agent", "set-state", "1005", "not-ready", "--reason", "lunch", node=1)["reason"], "lunch")
        wait_for(lambda: self.show("agent", "1005", node=2)["state"] == "not_ready", 5, "n3 knows")
        self.assertEqual([a["number"] for a in self.rows("agent", "--state", "not_ready")], ["1005"])
        self.ok("agent", "set-state", "1005", "ready")
        for words, state, activity, reason in ((["busy"], "not_ready", "busy", ""), ([], "idle", "ready", ""), (["idle"], "idle", "ready", ""),
                                               (["away", "--reason", "dentist"], "not_ready", "away", "dentist")):
            got = self.json("agent", "set-state", "1005", *words)
            self.assertEqual((got["state"], got["activity"], got["reason"]), (state, activity, reason), words)
        self.assertEqual([a["number"] for a in self.rows("agent", "--activity", "away")], ["1005"])
        self.ok("agent-state", "set", "lunch", "--name-zh", "午餐", "--code", "5", "--reason", "meal", "--reason-required", "yes", "--limit", "60")
        self.assertIn("one of meal", self.fails(1, "agent", "set-state", "1005", "lunch").err)
        self.assertIsNotNone(self.json("agent", "set-state", "1005", "lunch", "--reason", "meal")["until"])
        self.assertIn("1005", self.fails(4, "agent-state", "delete", "lunch").err)
        self.assertRegex(self.ok("agent", "show", "1005").out, r"lunch +meal +break")
        self.ok("agent-group", "set", "east", "--min-busy", "300")
        self.ok("agent", "set", "1005", "--group", "east")
        self.assertIn("300 s is the least", self.fails(4, "agent", "set-state", "1005", "ready").err)
        self.ok("agent", "set-state", "1005", "ready", "--force")
        self.assertIn("in use by agent 1005", self.fails(4, "agent-group", "delete", "east").err)
        self.ok("agent", "set", "1005", "--group", "")
        self.ok("agent-group", "delete", "east")
        self.ok("agent-state", "delete", "lunch")
        self.assertEqual([s["name"] for s in self.rows("agent-state")], ["away", "break", "busy", "not_ready", "ready"])
        err = self.fails(1, "agent", "set-state", "1005", "gone").err
        self.assertIn("known are away, break, busy, not_ready, ready", err)
        self.assertEqual(self.json("agent", "logout", "1005")["state"], "logged_out")
        self.fails(4, "agent", "set-state", "1005", "ready")
        self.fails(3, "agent", "login", "1999")

    def test_calls_and_records(self):
        call = self.call_to("10001", caller="42555001")
        row = wait_for(lambda: self.rows("call", "--caller", "42555001"), 5, "the call is listed")[0]
        self.assertEqual((row["phase"], row["owner"], row["called"]), ("app", "n1", "10001"))
        self.assertEqual(self.show("call", row["call_id"], node=1)["call_id"], row["call_id"])
        self.ok("call", "hangup", row["call_id"], node=2)
        call.wait_ended()
        self.assertEqual(call.by, "them")
        for i in range(3):
            wait_for(lambda: self.rows("cdr", "--caller", "42555001", node=i), 5, "node %d has the record" % (i + 1))
        record = self.show("cdr", row["call_id"])
        self.assertEqual(record["caller"], "42555001")
        self.assertNotIn(record["ended_by"], ("caller", "callee", "agent"))
        self.fails(3, "call", "hangup", row["call_id"])
        self.fails(3, "cdr", "show", "0" * 16)
        table = list(csv.DictReader(io.StringIO(self.ok("cdr", "list", "--called", "10001", "-o", "csv").out)))
        self.assertIn(row["call_id"], [r["call_id"] for r in table])
        self.assertIn(row["call_id"], [r["call_id"] for r in self.rows("cdr", "--from", "1h")])
        self.assertEqual(self.rows("cdr", "--to", "1d"), [])

    def test_queue_status_shows_who_waits(self):
        self.ok("queue", "set", "empty")
        self.ok("access-number", "set", "10090", "--queue", "empty")
        call = self.call_to("10090", node=1, caller="42555002")
        q = wait_for(lambda: (lambda s: s if s["waiting"] == 1 else None)(self.json("queue", "status", "empty", node=2)), 5, "one waits")
        self.check("QueueStatus", q)
        self.assertEqual((q["entries"][0]["caller"], q["entries"][0]["position"]), ("42555002", 1))
        self.assertIn("42555002", self.ok("queue", "status", "empty").out)
        self.assertEqual([x["waiting"] for x in self.json("queue", "status") if x["name"] == "empty"], [1])
        self.fails(4, "queue", "delete", "empty")
        call.hangup()
        wait_for(lambda: self.json("queue", "status", "empty")["waiting"] == 0, 5, "nobody waits")
        self.ok("access-number", "delete", "10090")
        self.ok("queue", "delete", "empty")

    def test_events(self):
        p = subprocess.Popen([os.path.join(everline.BUILD, "ccctl"), "events", "--type", "everline.call", "-o", "json", "--count", "2",
                              "--since", "0"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, CCCTL_CONFIG=self.c.path("ccctl.yaml")))
        self.addCleanup(everline.end, p, signal.SIGKILL)
        self.call_to("10002", caller="42555003").hangup()
        out, _ = p.communicate(timeout=20)
        events = [json.loads(line) for line in out.splitlines()]
        for e in events:
            self.check("Event", e)
        self.assertEqual(p.returncode, 0)
        again = self.ok("events", "--since", "0", "--type", "everline.call", "-o", "json", "--count", "2", node=2).out
        self.assertEqual([json.loads(line)["id"] for line in again.splitlines()], [e["id"] for e in events])

    def test_audit(self):
        self.ok("parameter", "set", "note", "x")
        rows = wait_for(lambda: self.rows("audit", "--limit", "50"), 5, "audit records")
        self.assertTrue(any("note" in r["object"] for r in rows), rows[:3])
        self.ok("audit", "list", "--from", "1h")
        self.ok("parameter", "delete", "note")

    def test_forms_of_output(self):
        for noun in SCHEMAS:
            self.rows(noun)
            for form in ("table", "wide", "csv"):
                self.ok(noun, "list", "-o", form)

    def test_watch(self):
        p = subprocess.Popen([os.path.join(everline.BUILD, "ccctl"), "queue", "list", "--watch", "0.1", "-o", "csv"], stdout=subprocess.PIPE,
                             text=True, env=dict(os.environ, CCCTL_CONFIG=self.c.path("ccctl.yaml")))
        self.addCleanup(everline.end, p, signal.SIGKILL)
        seen = 0
        while seen < 2:
            seen += p.stdout.readline().startswith("service,")
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)
        self.assertEqual(p.returncode, 0)

    def test_completion_knows_the_cluster(self):
        out = self.ok("__complete", "agent", "show", "").out.split()
        self.assertIn("1001", out)

    def test_idempotency(self):
        self.ok("queue", "set", "service", "--max-waiting", "500", "--idempotency-key", "only-once")
        self.ok("queue", "set", "service", "--max-waiting", "501")
        for node in (0, 1, 2):
            self.ok("queue", "set", "service", "--max-waiting", "500", "--idempotency-key", "only-once", node=node)
        self.assertEqual(self.show("queue", "service")["max_waiting"], 501)

    def test_wrong_token(self):
        self.assertIn("token", self.fails(5, "agent", "list", env={"CCCTL_TOKEN": "wrong-token-0123456789"}).err)


class CcctlWithoutNodes(unittest.TestCase):
    """What it says while nodes are missing."""

    def test_nodes_go_and_come(self):
        with everline.Cluster(3) as c:
            c.apply_demo()
            c[2].kill9()
            def one_down():
                r = c.ccctl("cluster", "status", "-o", "json")
                return r.code == 10 and [n["name"] for n in r.json["nodes"] if not n["up"]] == ["n3"]
            wait_for(one_down, 15, "n3 is shown down")
            r = c.ccctl("cluster", "verify")
            self.assertEqual(r.code, 10, r)
            self.assertIn("not connected", r.out)
            dead_first = c.ccctl("agent", "login", "1001", "--server", "https://%s:8443" % c[2].ip, "--server", "https://%s:8443" % c[0].ip)
            self.assertEqual(dead_first.code, 0, dead_first)
            c[1].kill9()
            wait_for(lambda: c.ccctl("agent", "logout", "1001").code == 6, 30, "without a majority nothing is changed")
            self.assertEqual(wait_for(lambda: c.ccctl("cluster", "status").code, 10), 6)
            for i in (1, 2):
                c[i].start()
            for n in c.nodes:
                n.wait_ready()
            wait_for(lambda: c.ccctl("cluster", "status").code == 0, 20, "all well again")
            self.assertEqual(c.ccctl("agent", "logout", "1001").code, 0)
            for n in c.nodes:
                n.kill9()
            self.assertEqual(c.ccctl("cluster", "status").code, 1)

    def test_a_frozen_node_is_passed_over(self):
        with everline.Cluster(3) as c:
            c[0].sigstop()
            began = time.monotonic()
            r = c.ccctl("node", "list", "-o", "json", "--timeout", "12")
            c[0].sigcont()
            self.assertEqual(r.code, 0, r)
            self.assertLess(time.monotonic() - began, 12)


if __name__ == "__main__":
    unittest.main()
