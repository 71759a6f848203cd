"""A small HTTPS server that behaves like the API of a node, for tests of ccctl alone.

It holds configuration in memory and checks each request against api/openapi.yaml (path, method, query, body): what ccctl sends
that the contract does not know ends up in `breaches`. Its answers are checked the same way, so that it cannot drift either.
"""
import http.server
import json
import os
import re
import ssl
import threading
import urllib.parse

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
NOW = "2026-03-01T09:30:00.125Z"
TOKEN = "test-token-0123456789"

KINDS = {  # path: (kind, key, fields that the server adds)
    "extensions": ("Extension", "number", {"display_name": "", "contact": "", "site": "", "disabled": False, "auto_answer": False, "has_password": False,
                                           "registrations": [], "auto_answer_all": False, "mwi": "", "mailbox": "", "subscriptions": []}),
    "agents": ("Agent", "number", {"name": "", "extension": "", "group": "", "type": "agent", "level": 0, "region": "", "skills": [], "customers": [], "min_busy_s": 0, "wrap_up_s": 0, "manages_groups": [], "manages_queues": [], "outbound_trunk": "", "caller_id": "", "activity": "", "until": None, "work_s": 0, "break_s": 0, "times": [],
                                   "state": "logged_out",
                                   "reason": "", "since": None, "login_at": None, "extension_in_use": None, "call_id": None,
                                   "answered": 0, "queues": []}),
    "queues": ("Queue", "name", {"display_name": "", "strategy": "longest_idle", "ring_time_s": 20, "wrap_up_s": 0, "after_call": "", "quiet": False, "music": "", "welcome": "", "announce_first_s": 0, "announce_every_s": 0, "announce": [], "keys": [],
                                 "announce_agent": False, "notices": False, "announce_position_max": 0,
                                 "members": [], "max_waiting": 0, "preferences": [], "priority_step_s": 0, "target_s": 0, "last_served_h": 0, "vip": "", "ring_max": 0, "ring_no_answer": "", "vip_lookup": "", "rating_flow": "",
                                 "full_action": None, "max_wait_s": 0, "max_wait_action": None, "no_agents_wait_s": 0, "no_agents_action": None,
                                 "overflow": [], "keep_idle": 0, "dedicated_wait_s": 0, "callback_tries": 0, "callback_interval_s": 0, "callback_ring_s": 0, "callback_trunk": "", "callback_caller_id": "", "waiting_home": 0, "estimated_wait_s": None, "waiting": 0, "available": 0, "logged_in": 0, "talking": 0,
                                 "longest_wait_ms": 0, "entries": []}),
    "agent-states": ("AgentStateConfig", "name", {"name_zh": "", "name_en": "", "code": "", "reasons": [], "reason_required": False, "limit_s": 0,
                                                  "then": "ready", "counts_as": "break", "built_in": False}),
    "recording-rules": ("RecordingRule", "name", {"order": 0, "queue": "", "agent": "", "agent_group": "", "access_number": "",
                                                  "direction": "any", "percent": 100, "exempt": False, "disabled": False, "format": ""}),
    "mailboxes": ("Mailbox", "name", {"greeting": "", "agents": [], "language": "", "email": [], "email_format": "wav", "hook_url": "", "hook_secret": "",
                                       "new_messages": 0, "old_messages": 0, "pending_deliveries": 0, "given_up_deliveries": 0}),
    "forwards": ("Forward", "name", {"order": 0, "agent": "", "extension": "", "when": "always", "after_s": 20, "time_group": "", "disabled": False}),
    "agent-groups": ("AgentGroup", "name", {"display_name": "", "min_busy_s": 0, "wrap_up_s": 0, "outbound_trunk": "", "caller_id": ""}),
    "trunks": ("Trunk", "name", {"sources": [], "contact": "", "disabled": False, "takeover": "", "identity": "", "outbound": False, "caller_id": "", "diversion": "", "pass_caller": False, "caller_ids": [], "username": "", "secret": ""}),
    "networks": ("Network", "name", {"ranges": [], "takeover": "", "site": ""}),
    "access-numbers": ("AccessNumber", "number", {"flow": "", "queue": "", "app": "", "extension": "", "agent": "", "outside": "", "priority": 0, "quiet": False,
                                                  "language": "", "region": "", "skills": [], "vip": False, "schedule": [], "dedicated_agent": "", "no_notices": False}),
    "time-groups": ("TimeGroup", "name", dict({d: [] for d in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")},
                                              zone="", tz="CST-8", holidays="", holiday_hours=[], work_as="monday")),
    "holiday-lists": ("HolidayList", "name", {"days": []}),
    "blacklist": ("BlacklistEntry", "number", {"direction": "in", "note": ""}),
    "vips": ("VipEntry", "entry", {"note": "", "number": "", "queue": ""}),
    "flows": ("Flow", "name", {"note": ""}),
    "parameters": ("Parameter", "name", {}),
    "tokens": ("Token", "name", {"agent": ""}),
    "secrets": ("Secret", "name", {}),
    "lookups": ("Lookup", "name", {"headers": [], "timeout_ms": 1000, "cache_s": 300, "on_error": "normal"}),
}
HIDDEN = ("password", "ha1_md5", "ha1_sha256", "sha256", "token")


class Contract:
    def __init__(self):
        with open(os.path.join(ROOT, "api", "openapi.yaml")) as f:
            self.doc = yaml.load(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.paths = [(re.compile("^" + re.sub(r"\\\{[^}]*\\\}", "[^/:]+", re.escape(p).replace(r"\{ip\}", "[0-9A-Fa-f.:]+")) + "$"), p, o) for p, o in self.doc["paths"].items()]

    def resolve(self, x):
        while isinstance(x, dict) and "$ref" in x:
            node = self.doc
            for part in x["$ref"][2:].split("/"):
                node = node[part]
            x = node
        return x

    def check(self, schema, value):
        # References are relative to the whole document, which therefore goes along.
        whole = dict(schema, components=self.doc["components"])
        jsonschema.Draft202012Validator(whole).validate(value)

    def fit(self, schema, value):
        """The same with "" where the contract has no null for an absent text, and 0 where it has a number for no."""
        properties = self.resolve({"$ref": "#/components/schemas/" + schema} if isinstance(schema, str) else schema)["properties"]
        for k, v in value.items():
            field = self.resolve(properties.get(k, {}))
            if v is None and field.get("type") == "string":
                value[k] = ""
            elif v is False and field.get("type") == "integer":
                value[k] = 0
            elif isinstance(v, list) and "properties" in self.resolve(field.get("items", {})):
                value[k] = [self.fit(field["items"], dict(x)) for x in v]
        return value

    def operation(self, method, path):
        for pattern, name, item in self.paths:
            if pattern.match(path) and method.lower() in item:
                return name, item, item[method.lower()]
        return None, None, None

    def request(self, method, path, query, content_type, body):
        """Texts of what breaks the contract."""
        name, item, op = self.operation(method, path)
        if not op:
            return ["%s %s is not in the contract" % (method, path)]
        known = [self.resolve(p) for p in item.get("parameters", []) + op.get("parameters", [])]
        names = {p["name"] for p in known if p["in"] == "query"}
        out = ["%s: query %s is not in the contract" % (name, q) for q in query if q not in names]
        content = self.resolve(op.get("requestBody", {})).get("content", {})
        if body:
            if content_type not in content:
                out.append("%s: body of type %s" % (name, content_type))
            else:
                value = yaml.safe_load(body) if "yaml" in content_type else json.loads(body)
                try:
                    self.check(content[content_type]["schema"], value)
                except jsonschema.ValidationError as e:
                    out.append("%s: %s" % (name, e.message[:300]))
        return out

    def answer(self, method, path, status, body):
        _, _, op = self.operation(method, path)
        response = self.resolve(op["responses"].get(str(status))) if op else None
        if response is None:
            return ["%s %s answered %d, which is not in the contract" % (method, path, status)]
        schema = next((c["schema"] for t, c in response.get("content", {}).items() if "json" in t), None)
        try:
            if schema and body is not None:
                self.check(schema, body)
        except jsonschema.ValidationError as e:
            return ["%s %s %d: %s" % (method, path, status, e.message[:300])]
        return []


CONTRACT = Contract()


class Problem(Exception):
    def __init__(self, status, code, detail, **more):
        super().__init__(detail)
        self.status = status
        self.body = dict({"type": "about:blank", "title": code.replace("_", " "), "status": status, "detail": detail, "code": code,
                          "request_id": "req-1"}, **more)


class State:
    """Shared by the servers of one fake cluster."""

    def __init__(self):
        self.lock = threading.RLock()
        self.objects = {k: {} for k in KINDS}
        self.calls, self.cdrs, self.audit, self.missed, self.ratings = {}, [], [], [], []
        self.live = {"agents": [], "waiting": [], "queues": []}
        self.recordings, self.damaged = [], ()
        self.archive, self.archive_cut = b"", None  # bytes of it; how many come before it breaks off
        self.nodes = []
        self.verify_equal = True
        self.has_quorum = True
        self.isolated = False
        self.log = []        # (method, path with query, headers, body)
        self.breaches = []
        self.events = []     # (id, event)
        self.event_limit = None  # events per connection, then it is cut
        self.done = {}       # idempotency key: answer
        self.before = None   # called with (handler, method, path) before each request; may raise Problem

    def node(self, name, up=True, https="127.0.0.1:8443", leader=False):
        self.nodes.append({"name": name, "node_id": len(self.nodes) + 1, "site": "default", "sip": ["127.0.0.1:5060"], "https": https,
                           "peer": "127.0.0.1:7400", "version": "0.1.0", "up": up, "since": NOW, "incarnation": 1, "role": "voter",
                           "draining": False, "calls": 0, "home_addresses": ["127.0.0.1"], "held_addresses": ["127.0.0.1"],
                           "leader": leader, "self": leader, "isolated": False, "connected": up, "rtt_us": 120, "match_index": 40})

    def put(self, path, key, body, merge=False):
        kind, keyname, defaults = KINDS[path]
        old = self.objects[path].get(key)
        new = dict(old) if merge and old else CONTRACT.fit(kind, dict({keyname: key}, **defaults))
        for k, v in body.items():
            if k == "password":
                new["has_password"] = True
            elif k not in HIDDEN and (path, k) != ("secrets", "value"):
                new[k] = v
        new["version"] = (old["version"] if old else 0) + 1
        new["updated_at"] = NOW
        self.objects[path][key] = new
        return new, old


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _send(self, status, body, headers=(), type_="application/json"):
        data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body, ensure_ascii=False).encode()
        if body is not None and not isinstance(body, str):
            self.state.breaches += CONTRACT.answer(self.command, self.path_only, status, body)
        self.send_response(status)
        if body is not None:
            self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(data)))
        for k, v in headers:
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(data)

    @property
    def state(self):
        return self.server.state

    def handle_any(self):
        s = self.state
        url = urllib.parse.urlsplit(self.path)
        self.path_only = urllib.parse.unquote(url.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        type_ = (self.headers.get("Content-Type") or "").split(";")[0]
        with s.lock:
            s.log.append((self.command, self.path, dict(self.headers), body))
            key = self.headers.get("Idempotency-Key")
            try:
                if s.before:
                    s.before(self, self.command, self.path_only)
                if self.headers.get("Authorization") != "Bearer " + TOKEN:
                    raise Problem(401, "denied", "no such token")
                s.breaches += CONTRACT.request(self.command, self.path_only, self.query, type_, body)
                if self.path_only == "/v1/recordings/archive":
                    self.archive()
                    return
                if self.path_only == "/v1/events":
                    self.stream()
                    return
                if key and key in s.done:
                    self._send(*s.done[key])
                    return
                value = (yaml.safe_load(body) if "yaml" in type_ else json.loads(body)) if body else {}
                answer = self.route(value)
                if key and answer[0] < 300:
                    s.done[key] = answer
                self._send(*answer)
            except Problem as p:
                self._send(p.status, p.body, type_="application/problem+json")

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = handle_any

    def archive(self):
        """In chunks, as it is made."""
        s = self.state
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = s.archive if s.archive_cut is None else s.archive[:s.archive_cut]
        for i in range(0, len(data), 1000):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data[i:i + 1000]), data[i:i + 1000]))
        if s.archive_cut is None:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def recording(self, m, parts):
        s = self.state
        if m == "GET" and len(parts) == 1:
            return self.page(s.recordings)
        found = [r for r in s.recordings if r["recording_id"] + ":verify" == parts[1]]
        if not found:
            raise Problem(404, "not_found", "there is no such recording")
        id_ = found[0]["recording_id"]
        fault = "the seal of chunk 7 is broken" if id_ in s.damaged else None
        return 200, {"recording_id": id_, "node": "n1", "ok": not fault,
                     "files": [{"format": "wav", "sha256": "ab" * 32, "bytes": 8058, "fault": fault},
                               {"format": "mp3", "sha256": "cd" * 32, "bytes": 2000, "fault": None}]}

    def page(self, rows):
        limit = int(self.query.get("limit", 100))
        start = int(self.query.get("cursor", 0))
        if not 1 <= limit <= 1000:
            raise Problem(400, "out_of_range", "limit is 1 to 1000", field="limit")
        limit = min(limit, self.server.page_max)
        rest = rows[start:start + limit]
        more = start + limit < len(rows)
        return 200, {"items": rest, "next_cursor": str(start + limit) if more else None, "index": 40}

    def filtered(self, rows):
        skip = ("limit", "cursor", "consistent", "from", "to")
        return [r for r in rows if all(str(r.get(k)) == v for k, v in self.query.items() if k not in skip)]

    def find(self, table, key):
        if key not in table:
            raise Problem(404, "not_found", "there is no %s" % key)
        return table[key]

    def route(self, body):
        s, m = self.state, self.command
        parts = self.path_only.split("/")[2:]
        if parts[0] == "cluster":
            return 200, {"cluster_id": "ab" * 16, "node": "n1", "state": "leader", "leader": "n1" if s.has_quorum else None, "term": 3,
                         "has_quorum": s.has_quorum, "isolated": s.isolated, "ready": s.has_quorum, "reason": "" if s.has_quorum else "no quorum", "last_index": 40,
                         "commit_index": 40, "applied_index": 40, "snapshot_index": 0, "log_bytes": 4096, "nodes": s.nodes}
        if parts[0] == "cluster:verify":
            rows = [{"name": n["name"], "index": 40, "digest": ("%064x" % (1 if s.verify_equal else i)), "ok": True, "error": None, "different_tables": []}
                    for i, n in enumerate(s.nodes)]
            return 200, {"index": 40, "equal": s.verify_equal, "nodes": rows}
        if parts[0] == "cluster:transfer":
            return 200, {"leader": body.get("to", "n2")}
        if parts[0] == "nodes" and parts[1:] == ["nearest"]:
            tail = ";transport=tcp" if self.query.get("transport") == "tcp" else ""
            rows = [{"name": n["name"], "site": n["site"], "self": not i, "same_site": n["site"] == self.query.get("site"),
                     "rtt_us": i * 900 or (0 if not i else None), "calls": n["calls"], "sip": n["sip"], "https": n["https"],
                     "uris": ["sip:" + a + tail for a in n["sip"]], "reason": "same site"} for i, n in enumerate(s.nodes) if n["up"]]
            return 200, {"node": "n1", "site": self.query.get("site"), "address": self.query.get("address", "127.0.0.1"), "items": rows}
        if parts == ["dns", "records"]:
            if "_" in self.query["domain"]:
                raise Problem(400, "invalid", "must have labels of letters", field="domain")
            ttl, name = int(self.query.get("ttl", 300)), "n1." + self.query["domain"]
            return 200, {"domain": self.query["domain"], "site": self.query.get("site"), "ttl": ttl,
                         "records": [{"name": name, "ttl": ttl, "type": "A", "data": "127.0.0.1"}],
                         "zone": "; SIP servers\n%s.\t%d\tIN\tA\t127.0.0.1\x1b\n" % (name, ttl)}
        if parts[0] == "nodes":
            return self.nodes(parts, body)
        if parts[0] == "addresses":
            return self.addresses(parts, body)
        if parts[0] == "calls":
            if len(parts) == 1:
                return self.page(self.filtered(list(s.calls.values())))
            key, _, verb = parts[1].partition(":")
            call = self.find(s.calls, key)
            if len(parts) == 3:
                return 200, {"call_id": key, "phase": "waiting", "queue": "service", "strategy": "random", "position": 1, "estimated_wait_s": 40, "members": 1,
                             "lines": ["Caller 1234 waits in queue service: place 1 of 1."],
                             "agents": [{"agent": "1001", "level": 3, "state": "idle", "verdict": "unskilled",
                                         "reason": "lacks skill english (level 3 is needed)"}]}
            return (202, {"call_id": key}) if verb or m == "PATCH" else (200, call)
        if parts[0] == "recordings":
            return self.recording(m, parts)
        if parts[0] == "cdrs":
            if len(parts) == 1:
                return self.page(self.filtered(s.cdrs))
            key, _, verb = parts[1].partition(":")
            found = self.find({c["call_id"]: c for c in s.cdrs}, key)
            return (202, {"call_id": "00000000000000c1"}) if verb else (200, found)
        if len(parts) == 2 and parts[1].endswith((":next-to", ":cancel-next", ":forward", ":forward-off")):
            return 204, None
        if parts[0] == "live":
            return self.page(self.filtered(s.live[parts[1]]))
        if parts[0] == "missed":
            if len(parts) == 2:
                return self.page([{"kind": "queue", "calls": len(s.missed), "called_back": 0, "reached": 0}])
            return self.page(self.filtered(s.missed))
        if parts[0] == "ratings":
            return self.page(self.filtered(s.ratings))
        if parts[0] == "audit":
            return self.page(self.filtered(s.audit))
        if parts[0] == "config":
            export = {k.replace("-", "_"): [] for k in KINDS}
            return (200, yaml.safe_dump(export), (), "application/yaml") if self.query.get("format") == "yaml" else (200, export)
        if parts[0] in ("config:apply", "config:diff"):
            return self.config(parts[0], body)
        if parts[0] in KINDS and m == "GET" and len(parts) == 1:
            return self.page(self.filtered([s.objects[parts[0]][k] for k in sorted(s.objects[parts[0]])]))
        return self.object(parts, body)

    def nodes(self, parts, body):
        s, by_name = self.state, {n["name"]: n for n in self.state.nodes}
        if len(parts) == 1 and self.command == "GET":
            return self.page(s.nodes)
        if len(parts) == 1:
            if body["name"] in by_name:
                raise Problem(409, "exists", "node %s is a member already" % body["name"], field="name")
            s.node(body["name"], up=False)
            return 202, {"name": body["name"], "node_id": len(s.nodes), "detail": "start it now"}
        name, _, verb = parts[1].partition(":")
        node = self.find(by_name, name)
        if verb:
            if node["draining"] == (verb == "drain"):
                raise Problem(409, "stale", "node %s %s" % (name, "drains already" if node["draining"] else "does not drain"))
            node["draining"] = verb == "drain"
            return 202, {k: node[k] for k in ("name", "draining", "calls", "home_addresses", "held_addresses")}
        if node["draining"] and self.command == "GET":  # each look finds less
            node["calls"], node["held_addresses"] = max(0, node["calls"] - 1), node["held_addresses"] if node["calls"] else []
        if len(parts) == 3:
            if node["name"] != self.server.node_name:
                raise Problem(421, "invalid", "ask %s" % node["https"])
            return 200, {"name": node["name"], "node_id": 1, "version": "0.1.0", "uptime_s": 77, "ready": True, "reason": "",
                         "threads": [{"name": "core", "cpu_us": 1500}], "queues": [{"name": "in", "length": 0, "capacity": 64, "refused": 0}],
                         "disk": {"data_bytes": 1, "free_bytes": 2, "log_bytes": 3, "database_bytes": 4}, "counters": {}}
        if self.command == "DELETE":
            s.nodes.remove(node)
            return 204, None
        return 200, node

    def addresses(self, parts, body):
        rows = {ip: {"ip": ip, "home": n["name"], "holder": n["name"], "target": "", "epoch": 1, "bound": True, "state": "bound", "why": ""}
                for n in self.state.nodes for ip in n["home_addresses"]}
        if len(parts) == 1:
            return self.page(list(rows.values()))
        ip = parts[1][:-len(":move")] if parts[1].endswith(":move") else parts[1]
        row = self.find(rows, ip)
        if parts[1].endswith(":move"):
            return 202, dict(row, target=body["to"], state="moving")
        return 200, row

    def config(self, what, body):
        dry = what == "config:diff" or self.query.get("dry_run") == "true"
        changes = []
        for e in body.get("extensions", []):
            old = self.state.objects["extensions"].get(e["number"])
            if e.get("contact", "").startswith("bad"):
                raise Problem(422, "invalid", "contact is no SIP URI", field="extensions[0].contact", line=4, column=7)
            new, _ = self.state.put("extensions", e["number"], e) if not dry else (dict(old or {}, **e), old)
            changes.append({"kind": "extension", "name": e["number"], "action": "update" if old else "create", "before": old, "after": new})
        for what, path, key in (("blacklist", "blacklist", "number"), ("vip", "vips", "entry")):
            if any(e["note"] == "refused" for e in body.get(path, [])):  # all or nothing
                raise Problem(422, "invalid", "must not be so", field="%s[0].note" % path)
            for e in body.get(path, []):
                new, old = self.state.put(path, e[key], e)
                same = old and all(old[k] == new[k] for k in e)
                changes.append({"kind": what, "name": e[key], "action": "unchanged" if same else "update" if old else "create", "before": old, "after": new})
        return 200, {"dry_run": dry, "index": 41, "changes": changes}

    def object(self, parts, body):
        s, m = self.state, self.command
        table = s.objects[parts[0]]
        key, _, verb = parts[1].partition(":")
        old = table.get(key)
        if parts[-1] == "explanation" and len(parts) == 5:
            agent = self.find(s.objects["agents"], parts[3])
            return 200, {"agent": parts[3], "queue": self.find(table, key)["name"], "state": agent["state"], "available": False,
                         "lines": ["Agent %s is not logged in." % parts[3]]}
        if len(parts) == 3 and parts[2] == "test" and parts[0] in ("blacklist", "vips"):
            listed = key in table
            out = {"number": key, "listed": listed, "entry": key if listed else "", "note": table[key]["note"] if listed else ""}
            return 200, dict(out, **({"list": "list" if self.query.get("queue") else "global"} if parts[0] == "vips" else {"direction": self.query.get("direction", "in")}))
        if len(parts) == 3 and parts[2] == "test":
            self.find(table, key)
            at = self.query.get("at", NOW)
            return 200, {"name": key, "open": False, "at": at, "local": "2026-10-01T09:30:00+08:00", "day": "off", "holiday": "National Day",
                         "why": "closed: no hours of thursday 2026-10-01, a holiday (National Day) cover this time"}
        if verb == "status" or len(parts) == 3:
            q = self.find(table, key)
            out = {k: q[k] for k in ("name", "display_name", "strategy", "waiting", "waiting_home", "estimated_wait_s", "available", "logged_in", "talking", "longest_wait_ms", "entries")}
            return 200, dict(out, agents=[])
        if verb:
            agent = self.find(table, key)
            if verb == "dial":
                return 202, {"call_id": "00000000000000c1"}
            if verb == "set-state" and body["state"] not in ("ready", "not_ready", "wrap_up") and body["state"] not in s.objects["agent-states"]:
                raise Problem(422, "invalid", "state: there is no state %s" % body["state"], field="state")
            if verb == "set-state" and agent["state"] == "logged_out":
                raise Problem(409, "wrong_state", "agent %s is logged out" % key)
            agent["state"] = {"login": "idle", "logout": "logged_out"}.get(verb) or ("idle" if body["state"] == "ready" else "not_ready")
            agent["reason"] = body.get("reason", "")
            return 200, agent
        if m == "GET":
            o = self.find(table, key)
            return 200, o, [("ETag", '"%d"' % o["version"])]
        if self.headers.get("If-None-Match") == "*" and old:
            raise Problem(412, "exists", "%s is there already" % key)
        want = self.headers.get("If-Match")
        if want and (not old or want != '"%d"' % old["version"]):
            raise Problem(412, "conflict", "it was changed in between")
        if m in ("PATCH", "DELETE"):
            self.find(table, key)
        if m == "DELETE":
            del table[key]
            return 204, None
        if body.get("contact", "").startswith("bad"):
            raise Problem(422, "invalid", "contact is no SIP URI", field="contact")
        if parts[0] == "flows" and "nodes" in body["definition"] and body["definition"]["start"] not in body["definition"]["nodes"]:
            raise Problem(422, "invalid", "there is no such node", field="definition.start")
        new, _ = s.put(parts[0], key, body, merge=m == "PATCH")
        return (200 if old else 201), new, [("ETag", '"%d"' % new["version"])]

    def stream(self):
        s = self.state
        since = self.headers.get("Last-Event-ID") or self.query.get("after")
        rows = s.events
        if since and since != "0":
            rows = rows[[i for i, _ in rows].index(since) + 1:] if since in [i for i, _ in rows] else []
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b": hello\n\n")
        for i, e in rows[:s.event_limit]:
            self.wfile.write(("event: %s\nid: %s\ndata: %s\n\n" % (e["type"], i, json.dumps(e))).encode())
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state, certs, node_name="n1", page_max=1000):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(certs, "n1", "cert.pem"), os.path.join(certs, "n1", "key.pem"))
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.state, self.node_name, self.page_max = state, node_name, page_max
        self.url = "https://127.0.0.1:%d" % self.server_port
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def stop(self):
        self.shutdown()
        self.server_close()
