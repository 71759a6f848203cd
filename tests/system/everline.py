"""Harness of the whole-system tests: real ccnode processes on loopback addresses of their own, and real clients.

Every cluster lives in a temporary folder and on addresses 127.A.B.x that nobody else uses, so that runs side by side do not
meet. Nothing waits for a fixed time: wait_for() looks again and again until what is expected is there, or its
deadline has passed. All that is started here is ended here, by its pid; should the test program be killed, the kernel ends it.
"""
import atexit
import ctypes
import http.client
import json
import math
import os
import random
import secrets
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import wave

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD") or "build")
SIP, HTTPS, PEER = 5060, 8443, 7400
clusters = []   # those that live now, for the runner to keep their logs
processes = []  # all that was started and may still run


def wait_for(condition, deadline=10.0, what="", interval=0.02):
    """The first true value of condition(); AssertionError when it stays false for `deadline` seconds. An exception that it
    raises counts as false, and is told of at the end."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, OSError, KeyError, IndexError, ValueError, TypeError, http.client.HTTPException) as e:
            last = e
        if time.monotonic() >= end:
            raise AssertionError("not within %.1f s: %s (last: %r)" % (deadline, what or condition, last))
        time.sleep(interval)


def until(moment, why):
    """For time that is itself part of a test: a pace that is kept, a span that is observed; `why` says which. Never to wait for
    something to happen: that is wait_for. `moment`: of time.monotonic()."""
    assert why
    left = moment - time.monotonic()
    if left > 0:
        time.sleep(left)


def elapse(seconds, why):
    """until() from now."""
    until(time.monotonic() + seconds, why)


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def spawn(args, log=None, **options):
    """A process in a session of its own, ended with the test program at the latest."""
    out = open(log, "ab") if log else subprocess.DEVNULL
    try:
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", out)
        options.setdefault("stderr", subprocess.STDOUT if options["stdout"] is not subprocess.PIPE else out)
        p = subprocess.Popen([str(a) for a in args], start_new_session=True, preexec_fn=_die_with_parent, **options)
    finally:
        if log:
            out.close()
    processes.append(p)
    return p


def end(p, sig=signal.SIGTERM, deadline=15):
    """Ends a process and whatever it started in its session; returns its exit code."""
    if p is None:
        return None
    if p.poll() is None:
        _signal_session(p, sig)
        try:
            p.wait(deadline)
        except subprocess.TimeoutExpired:
            pass
    _signal_session(p, signal.SIGKILL)
    if p.poll() is None:
        p.wait()
    if p in processes:
        processes.remove(p)
    return p.returncode


def _signal_session(p, sig):
    try:
        os.killpg(p.pid, sig)
    except (ProcessLookupError, PermissionError):
        pass


@atexit.register
def end_all():
    for c in list(clusters):
        c.close()
    for p in list(processes):
        end(p, signal.SIGKILL)


# ---------------------------------------------------------------- addresses

def unused(ip):
    """Whether a node could listen there."""
    for kind, port in ((socket.SOCK_DGRAM, SIP), (socket.SOCK_STREAM, SIP), (socket.SOCK_STREAM, HTTPS), (socket.SOCK_STREAM, PEER)):
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind((ip, port))
            except OSError:
                return False
    return True


class Network:
    """A loopback network 127.A.B.0/24 of our own. A file lock keeps runs apart that choose at the same moment."""

    def __init__(self):
        choice = random.SystemRandom()
        for _ in range(200):
            self.prefix = "127.%d.%d." % (choice.randrange(16, 250), choice.randrange(1, 250))
            try:
                self.lock = os.open(os.path.join(tempfile.gettempdir(), ".everline-net-" + self.prefix), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            except FileExistsError:
                continue
            if unused(self.prefix + "1"):
                self.next_client = 100
                return
            self.close()
        raise RuntimeError("no free loopback network")

    def node(self, i):
        return self.prefix + str(i + 1)

    def client(self):
        """An address for a phone or a carrier, never given twice."""
        self.next_client += 1
        return self.prefix + str(self.next_client)

    def close(self):
        try:
            os.close(self.lock)
            os.unlink(os.path.join(tempfile.gettempdir(), ".everline-net-" + self.prefix))
        except OSError:
            pass


def free_port(ip, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind((ip, 0))
        return s.getsockname()[1]


# ---------------------------------------------------------------- nodes

class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %s>" % (self.status, self.text[:300])


class Result:
    """What a program said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return "<exit %d, out %r, err %r>" % (self.code, self.out[:400], self.err[:400])


# What every node file says unless its test says otherwise.
node_file = {}


class Node:
    def __init__(self, cluster, name, ip):
        self.cluster, self.name, self.ip = cluster, name, ip
        self.process = None
        self.conf = cluster.path(name + ".conf")
        self.log = cluster.path(name + ".log")
        self.data = cluster.path(name)

    @property
    def sip(self):
        return "%s:%d" % (self.ip, SIP)

    def configure(self, join=None, **extra):
        """Writes the node file; `extra` replaces keys at its top; rtp_ports is the range of ports for sound."""
        conf = {
            "name": self.name, "data": self.data, "prompts": os.path.join(BUILD, "prompts"),
            "listen": {"sip": [self.sip], "https": "%s:%d" % (self.ip, HTTPS), "peer": "%s:%d" % (self.ip, PEER),
                       "rtp": {"ports": extra.pop("rtp_ports", "20000-29999")}},
            "tls": {"ca": "certs/ca/cert.pem", "cert": "certs/%s/cert.pem" % self.name, "key": "certs/%s/key.pem" % self.name},
            "admin_token_file": "admin.token", "recording_key_file": "certs/recording.key", **node_file,
            "log": {"level": os.environ.get("LOG_LEVEL", "info"), "json": False},
        }
        if join:
            conf["join"] = "%s:%d" % (join.ip, PEER)
        conf.update(extra)
        conf = {k: v for k, v in conf.items() if v is not None}
        if any(a.startswith(self.ip + ":") for a in conf["listen"]["sip"]):
            conf.setdefault("service_addresses", [self.ip])
        with open(self.conf, "w") as f:
            yaml.safe_dump(conf, f, sort_keys=False)

    def start(self, *args):
        """Starts the process; does not wait for it to be ready."""
        self.process = spawn([os.path.join(BUILD, "ccnode"), *args, self.conf], log=self.log)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        return self.alive() and self.api("GET", "/readyz", token=None, timeout=2).status == 200

    def wait_ready(self, deadline=30):
        def check():
            # A process that has ended never gets ready: do not wait for it.
            if not self.alive():
                raise RuntimeError("node %s ended with %s; %s says:\n%s" % (
                    self.name, self.process and self.process.returncode, self.log, self.last_words()))
            return self.ready()
        wait_for(check, deadline, "node %s is ready" % self.name)
        return self

    def last_words(self, lines=15):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def stop(self, deadline=20):
        """Orderly; returns the exit code."""
        code = end(self.process, signal.SIGTERM, deadline)
        self.process = None
        return code

    def kill9(self):
        """Supervisor and worker at once, as when the machine loses its power (but for the disk)."""
        end(self.process, signal.SIGKILL)
        self.process = None

    def workers(self):
        """Pids of the processes under the supervisor."""
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            return [int(p) for p in f.read().split()]

    def sigstop(self):
        """Freezes it: its connections stay open, nothing moves."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def sigcont(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def restart(self, deadline=30):
        self.stop()
        return self.start().wait_ready(deadline)

    def api(self, method, path, body=None, token="", headers=None, timeout=10):
        """One request. `body`: an object (sent as JSON), text or bytes. `token`: None for none, "" for the administrator's."""
        h = dict(headers or {})
        if token is not None:
            h.setdefault("Authorization", "Bearer " + (token or self.cluster.token))
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            h.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        c = http.client.HTTPSConnection(self.ip, HTTPS, timeout=timeout, context=self.cluster.tls)
        try:
            c.request(method, path, body, h)
            r = c.getresponse()
            return Reply(r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read())
        finally:
            c.close()


    def ask(self, method, path, body=None, deadline=20, **options):
        """As api(), of a cluster in which nothing is wrong: a node that was late for once refuses (503, nothing was done) and is asked again."""
        def answered():
            r = self.api(method, path, body, **options)
            return None if r.status == 503 and r.json.get("code") == "no_quorum" else r
        return wait_for(answered, deadline, "%s %s is not refused for want of a majority" % (method, path), 0.1)


class Cluster:
    """`with Cluster(3) as c:` gives three nodes that are ready. `start=False` only writes certificates and node files."""

    def __init__(self, nodes=3, start=True, conf=None, network=None):
        self.dir = tempfile.mkdtemp(prefix="everline-")
        self.network = network or Network()
        self.conf_extra = conf or {}
        self.token = secrets.token_hex(24)
        self._write("admin.token", self.token + "\n")
        self.nodes = []
        clusters.append(self)
        try:
            for _ in range(nodes):
                self.new_node()
            self.nodes[0].configure(**self.conf_extra)
            for n in self.nodes[1:]:
                n.configure(join=self.nodes[0], **self.conf_extra)
            self._write_ccctl()
            if start:
                self.start()
        except BaseException:
            self.close(keep=True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getitem__(self, i):
        return self.nodes[i]

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def _write(self, name, text):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
        return self.path(name)

    def _write_ccctl(self):
        context = {"name": "test", "servers": ["https://%s:%d" % (n.ip, HTTPS) for n in self.nodes],
                   "ca": "certs/ca/cert.pem", "token_file": "admin.token"}
        self._write("ccctl.yaml", yaml.safe_dump({"contexts": [context], "current": "test"}))

    def make_node(self, name, i):
        return Node(self, name, self.network.node(i))

    def new_node(self):
        """Certificate and name for one more node; configure() and start() are the caller's."""
        i = len(self.nodes)
        node = self.make_node("n%d" % (i + 1), i)
        done = subprocess.run([os.path.join(ROOT, "scripts", "make-certs"), self.path("certs"), node.name, node.ip],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError(done.stdout)
        self.tls = ssl.create_default_context(cafile=self.path("certs/ca/cert.pem"))
        self.nodes.append(node)
        return node

    def add_node(self):
        """A new node that has joined and is ready."""
        node = self.new_node()
        node.configure(join=next(n for n in self.nodes if n.alive()), **self.conf_extra)
        self.join(node)
        self._write_ccctl()
        return node

    def join(self, node):
        self.must("node", "add", node.name, "%s:%d" % (node.ip, PEER))
        node.start().wait_ready()

    def start(self):
        self.nodes[0].start("--bootstrap").wait_ready()
        for n in self.nodes[1:]:
            self.join(n)
        wait_for(lambda: all(n["role"] == "voter" and n["up"] for n in self.status()["nodes"]) and
                 len(self.status()["nodes"]) == len(self.nodes), 30, "all nodes vote")

    def start_again(self):
        """All nodes with the data they have."""
        for n in self.nodes:
            n.start()
        for n in self.nodes:
            n.wait_ready()

    def stop(self):
        return [n.stop() for n in self.nodes if n.process]

    def close(self, keep=False):
        """Ends what runs and removes the folder (unless kept for its logs)."""
        for n in self.nodes:
            n.kill9()
        self.network.close()
        if self in clusters:
            clusters.remove(self)
        if not keep and not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def alive(self):
        return [n for n in self.nodes if n.alive()]

    def node(self, name):
        return next(n for n in self.nodes if n.name == name)

    def api(self, node, method, path, body=None, **options):
        return self.nodes[node].api(method, path, body, **options)

    def status(self, node=None):
        n = self.nodes[node] if node is not None else self.alive()[0]
        return n.api("GET", "/v1/cluster").json

    def leader(self, deadline=15):
        """The node that leads, as a majority of the living sees it."""
        def agreed():
            seen = [n.api("GET", "/v1/cluster", timeout=2).json for n in self.alive()]
            names = {s["leader"] for s in seen if s["has_quorum"]}
            name = names.pop() if len(names) == 1 else None
            return name and self.node(name).alive() and self.node(name)
        return wait_for(agreed, deadline, "one leader")

    def hand_over(self, node, deadline=40):
        """Until this node leads; a hand-over under load may run out of time and is asked for again."""
        wait_for(lambda: self.leader() is node or (self.ccctl("cluster", "transfer", "--to", node.name) and self.leader() is node),
                 deadline, "%s leads" % node.name)

    def ccctl(self, *args, node=None, stdin=None, env=None, deadline=30):
        """ccctl with the cluster's configuration; `node`: asks this one only."""
        e = {k: v for k, v in os.environ.items() if not k.startswith("CCCTL_")}
        e["CCCTL_CONFIG"] = self.path("ccctl.yaml")
        e.update(env or {})
        args = [str(a) for a in args]
        if node is not None:
            args += ["--server", "https://%s:%d" % (self.nodes[node].ip, HTTPS)]
        done = subprocess.run([os.path.join(BUILD, "ccctl"), *args], input=stdin, text=True, env=e, timeout=deadline,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Result(done.returncode, done.stdout, done.stderr)

    def must(self, *args, **options):
        def answered():  # as Node.ask
            r = self.ccctl(*args, **options)
            return None if r.code == 6 and "no majority of nodes is reachable" in r.err else r
        r = wait_for(answered, 20, "ccctl %s is not refused for want of a majority" % " ".join(map(str, args)), 0.1)
        if r.code:
            raise AssertionError("ccctl %s: %r" % (" ".join(map(str, args)), r))
        return r

    def apply(self, document, **options):
        """Configuration as a Python object."""
        # As JSON, which is YAML too: PyYAML leaves strings such as 12e34 bare, which YAML 1.2 reads as numbers.
        return self.must("config", "apply", "-f", "-", "-o", "json", stdin=json.dumps(document, ensure_ascii=False), **options).json

    def apply_demo(self):
        """etc/demo.yaml with passwords of its own; returns {extension: password}."""
        with open(os.path.join(ROOT, "etc", "demo.yaml")) as f:
            demo = yaml.safe_load(f)
        known = {}
        for e in demo["extensions"]:
            e["password"] = known[e["number"]] = secrets.token_hex(8)
        self.apply(demo)
        return known

    def cdrs(self, node=None, **filters):
        args = [a for k, v in filters.items() for a in ("--" + k, v)]
        return self.must("cdr", "list", "-o", "json", *args, node=node).json

    def keep_logs(self, folder):
        """Copies logs and node files, for a failed test."""
        os.makedirs(folder, exist_ok=True)
        for name in sorted(os.listdir(self.dir)):
            if name.endswith((".log", ".conf", ".xml", ".txt")):
                shutil.copy(self.path(name), folder)


# ---------------------------------------------------------------- events

class Events:
    """Follows /v1/events of a node in a thread; `with Events(node) as ev: ... ev.wait("everline.call.ended")`."""

    def __init__(self, node, since=None):
        self.node, self.since = node, since
        self.seen = []
        self.changed = threading.Condition()
        self.response = None

    def __enter__(self):
        h = {"Authorization": "Bearer " + self.node.cluster.token, "Accept": "text/event-stream"}
        if self.since is not None:
            h["Last-Event-ID"] = self.since
        self.connection = http.client.HTTPSConnection(self.node.ip, HTTPS, timeout=120, context=self.node.cluster.tls)
        self.connection.request("GET", "/v1/events", headers=h)
        self.response = self.connection.getresponse()
        if self.response.status != 200:
            raise AssertionError("events: %d %s" % (self.response.status, self.response.read()[:300]))
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_):
        sock = self.connection.sock
        if sock:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connection.close()

    def _read(self):
        data = []
        try:
            for raw in self.response:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if line.startswith("data:"):
                    data.append(line[5:].lstrip(" "))
                elif not line and data:
                    with self.changed:
                        self.seen.append(json.loads("\n".join(data)))
                        self.changed.notify_all()
                    data = []
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass

    def wait(self, type_, deadline=10, match=lambda e: True):
        """The first event of that type (a beginning will do) that matches."""
        def found():
            return next((e for e in self.seen if e["type"].startswith(type_) and match(e)), None)
        with self.changed:
            if not self.changed.wait_for(found, deadline):
                raise AssertionError("no event %s within %.1f s; seen %s" % (type_, deadline, [e["type"] for e in self.seen][-30:]))
            return found()


# ---------------------------------------------------------------- sipp

class Sipp:
    """One sipp process. `scenario`: name of a built-in one, or the text of an XML scenario. `rows`: lists, the injection file."""

    count = 0

    def __init__(self, cluster, scenario, target, ip=None, port=None, calls=1, args=(), rows=None, rows_order="SEQUENTIAL"):
        Sipp.count += 1
        self.name = "sipp-%d" % Sipp.count
        self.cluster = cluster
        self.ip = ip or cluster.network.client()
        self.port = port or free_port(self.ip, socket.SOCK_DGRAM)
        self.messages = cluster.path(self.name + "-messages.txt")
        command = ["sipp", target, "-i", self.ip, "-mi", self.ip, "-p", self.port, "-m", calls, "-nostdin",
                   "-trace_err", "-error_file", cluster.path(self.name + "-errors.txt"), "-trace_msg", "-message_file", self.messages]
        if scenario.lstrip().startswith("<"):
            file = cluster.path(self.name + ".xml")
            with open(file, "w", encoding="ISO-8859-1") as f:
                f.write(scenario)
            command += ["-sf", file]
        else:
            command += ["-sn", scenario]
        if rows is not None:
            file = cluster.path(self.name + ".csv")
            with open(file, "w") as f:
                f.write(rows_order + "\n" + "".join(";".join(map(str, r)) + "\n" for r in rows))
            command += ["-inf", file]
        self.process = spawn(command + list(args), log=cluster.path(self.name + ".log"), cwd=cluster.dir)

    def wait(self, deadline=60):
        """Exit code; 0 is success of all calls."""
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError("sipp did not end within %d s: %s" % (deadline, self.words())) from None

    def must(self, deadline=60):
        code = self.wait(deadline)
        if code:
            raise AssertionError("sipp ended with %d: %s" % (code, self.words()))

    def words(self):
        out = ""
        for suffix in ("-errors.txt", ".log"):
            try:
                with open(self.cluster.path(self.name + suffix), errors="replace") as f:
                    out += f.read()[-1500:]
            except OSError:
                pass
        return out

    def end(self):
        end(self.process, signal.SIGTERM, 2)


# ---------------------------------------------------------------- baresip

class Baresip:
    """A baresip without sound card: speaks a WAV file, keeps what it hears, is driven and watched over its control port.
    What was heard is in heard() after the call (8 kHz mono WAV)."""

    count = 0

    def __init__(self, cluster, user, server, password=None, sound=None, answer="auto", transport="udp", register=True,
                 codecs="PCMU,PCMA", ip=None, extra=()):
        Baresip.count += 1
        self.cluster, self.user, self.server = cluster, user, server
        self.ip = ip or cluster.network.client()
        self.dir = cluster.path("baresip-%d" % Baresip.count)
        self.log = cluster.path("baresip-%d.log" % Baresip.count)
        self.port = free_port(self.ip)
        self.events = []
        self.changed = threading.Condition()
        os.makedirs(self.dir, mode=0o700)
        sound = sound or tone_file(cluster.path("tone-600.wav"), 600)
        with open(os.path.join(self.dir, "config"), "w") as f:
            f.write("\n".join([
                "sip_listen %s:5060" % self.ip, "net_interface %s" % self.ip, "call_max_calls 8", "rtp_ports 31000-49999",
                "audio_source aufile,%s" % sound, "ausrc_srate 8000", "auplay_srate 8000", "snd_path %s" % self.dir,
                "module_path /usr/lib/baresip/modules", "module g711.so", "module aufile.so", "module sndfile.so",
                "module_tmp account.so", "module_app menu.so", "module_app ctrl_tcp.so",
                "ctrl_tcp_listen %s:%d" % (self.ip, self.port), *extra, ""]))
        account = "<sip:%s@%s;transport=%s>;audio_codecs=%s;answermode=%s;regint=%d" % (
            user, server, transport, codecs, answer, 300 if register else 0)
        if password:
            account += ";auth_user=%s;auth_pass=%s" % (user, password)
        # The account is made over the control port, so that no event of its registration is missed.
        for name, text in (("accounts", ""), ("contacts", "")):
            with open(os.open(os.path.join(self.dir, name), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(text)
        self.process = spawn(["baresip", "-f", self.dir], log=self.log, cwd=self.dir)
        self.sock = wait_for(lambda: socket.create_connection((self.ip, self.port), 1), 10, "baresip's control port")
        self.sock.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()
        self.command("uanew", account)
        if register:
            self.wait("REGISTER_OK", 15)
        else:
            self.wait_response()

    def _read(self):
        data = b""
        try:
            while True:
                more = self.sock.recv(65536)
                if not more:
                    return
                data += more
                while b":" in data:
                    head, rest = data.split(b":", 1)
                    n = int(head)
                    if len(rest) < n + 1:
                        break
                    with self.changed:
                        self.events.append(json.loads(rest[:n]))
                        self.changed.notify_all()
                    data = rest[n + 1:]
        except (OSError, ValueError):
            pass

    def command(self, name, parameters=""):
        m = json.dumps({"command": name, "params": str(parameters), "token": "t"})
        self.sock.sendall(("%d:%s," % (len(m), m)).encode())

    def wait_response(self, deadline=10):
        """The answer to the last command."""
        with self.changed:
            self.changed.wait_for(lambda: any(e.get("response") for e in self.events), deadline)

    def mark(self):
        """Events from here on: to be given to wait()."""
        with self.changed:
            return len(self.events)

    def wait(self, type_, deadline=10, after=0):
        def found():
            return next((e for e in self.events[after:] if e.get("type") == type_), None)
        with self.changed:
            if not self.changed.wait_for(found, deadline):
                raise AssertionError("baresip %s: no %s within %.1f s; seen %s; %s" % (
                    self.user, type_, deadline, [e.get("type") for e in self.events][-15:], self.log))
            return found()

    def dial(self, number):
        self.command("dial", "sip:%s@%s" % (number, self.server))

    def digits(self, text):
        for d in text:
            self.command("sndcode", d)

    def hangup(self):
        self.command("hangup")

    def heard(self):
        """Paths of the recordings of what came in, oldest first."""
        return sorted(os.path.join(self.dir, f) for f in os.listdir(self.dir) if f.endswith("-dec.wav"))

    def end(self):
        try:
            self.sock.close()
        except OSError:
            pass
        end(self.process, signal.SIGTERM, 5)


# ---------------------------------------------------------------- sound

def tone_file(path, hz, seconds=60):
    """A WAV file with a tone; long, because baresip hangs up at the end of its file."""
    if not os.path.exists(path):
        with wave.open(path + ".new", "wb") as w:
            w.setnchannels(1)
            w.setsampwidth(2)
            w.setframerate(8000)
            w.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * hz * i / 8000))) for i in range(8000)) * seconds)
        os.rename(path + ".new", path)
    return path


def wav_samples(path):
    """Samples of a 16-bit mono file. A file still being written has a short header: what is there counts."""
    with open(path, "rb") as f:
        data = f.read()
    start = data.find(b"data") + 8
    data = data[start:len(data) - (len(data) - start) % 2]
    return list(struct.unpack("<%dh" % (len(data) // 2), data))


def tone_share(samples, hz, rate=8000):
    """Share of the energy that lies at `hz` (Goertzel over blocks of 50 ms): near 1 for a clean tone, near 0 without it."""
    block = rate // 20
    at, total = 0.0, 0.0
    coefficient = 2 * math.cos(2 * math.pi * hz / rate)
    for start in range(0, len(samples) - block + 1, block):
        s1 = s2 = energy = 0.0
        for x in samples[start:start + block]:
            s1, s2 = x + coefficient * s1 - s2, s1
            energy += x * x
        at += (s1 * s1 + s2 * s2 - coefficient * s1 * s2) * 2 / block
        total += energy
    return at / total if total else 0.0


def rms(samples):
    return math.sqrt(sum(x * x for x in samples) / len(samples)) if samples else 0.0
