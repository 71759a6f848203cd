"""`make run` and `make demo` as a newcomer meets them: with their own fixed addresses, 127.0.0.1 to 127.0.0.3.

A network namespace keeps these addresses apart from whatever else uses them; where none may be made they must be free. What the
Makefile runs after building is run here, with the signals that a terminal sends.
"""
import contextlib
import csv
import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

import everline
from everline import BUILD, ROOT, wait_for

CLONE_NEWNET = 0x40000000
NODES = ["n1", "n2", "n3"]
FIXED = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
TALK_S = 3  # both speak for so long, enough for the demonstration to judge what was heard


class NotPermitted(Exception):
    pass


def libc(function, *args):
    c = ctypes.CDLL(None, use_errno=True)
    if getattr(c, function)(*args):
        raise NotPermitted("%s: %s" % (function, os.strerror(ctypes.get_errno())))


@contextlib.contextmanager
def network_of_our_own():
    """This process, and what it starts meanwhile, see a loopback interface that nobody else does."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        libc("unshare", CLONE_NEWNET)
        try:
            up = subprocess.run(["ip", "link", "set", "lo", "up"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if up.returncode:
                raise NotPermitted(up.stdout.strip())
            yield
        finally:
            libc("setns", home, CLONE_NEWNET)
    finally:
        os.close(home)


def recipe(target, **variables):
    """The last command of a target of the Makefile: its words, and the variables it sets."""
    with open(os.path.join(ROOT, "Makefile")) as f:
        lines = re.search(r"^%s:.*\n((?:\t.*\n)+)" % target, f.read(), re.M).group(1).splitlines()
    line = re.sub(r"\$\((\w+)\)", lambda m: variables.get(m.group(1), ""), lines[-1].strip().lstrip("@"))
    env, words = {}, shlex.split(line)
    while "=" in words[0]:
        name, _, env[name] = words.pop(0).partition("=")
    return words, env


class Demonstration(unittest.TestCase):
    deadline = 180

    def setUp(self):
        try:
            space = network_of_our_own()
            space.__enter__()
            self.addCleanup(space.__exit__, None, None, None)
        except NotPermitted as e:
            if not all(map(everline.unused, FIXED)):
                self.skipTest("no network namespace (%s), and 127.0.0.1-3 are in use" % e)
        self.dir = tempfile.mkdtemp(prefix="everline-test-demo-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.run_dir = os.path.join(self.dir, "run")
        self.addCleanup(self.end_what_is_left)
        self.logs = 0

    def made(self, *parts):
        return os.path.join(self.run_dir, *parts)

    def make(self, target, run_dir=None, **variables):
        """`make TARGET VARIABLE=...` once all is built; the process, and the file of what it says."""
        words, env = recipe(target, BUILD=BUILD, **variables)
        self.logs += 1
        log = os.path.join(self.dir, "%s-%d.log" % (target, self.logs))
        clean = {k: v for k, v in os.environ.items() if k not in ("CLEAN", "ADDRESSES") and not k.startswith("CCCTL_")}
        env = dict(clean, RUN_DIR=run_dir or self.run_dir, TALK_S=str(TALK_S), **env)
        return everline.spawn(words, log=log, cwd=ROOT, env=env), log

    @staticmethod
    def said(log):
        with open(log, errors="replace") as f:
            return f.read()

    def started(self, **variables):
        process, log = self.make("run", **variables)

        def ready():
            if process.poll() is not None:
                raise RuntimeError("make run ended with %d:\n%s" % (process.returncode, self.said(log)))
            # The last line it prints before it waits for Ctrl-C.
            return re.search("^ready$.*^Ctrl-C", self.said(log), re.M | re.S)
        wait_for(ready, 60, "make run is ready")
        return process, self.said(log)

    def refused(self, run_dir=None):
        """`make run` that must not start; what it says."""
        process, log = self.make("run", run_dir)
        self.assertEqual(process.wait(20), 1, self.said(log))
        everline.end(process)
        self.assertNotIn("ready", self.said(log).split())
        return self.said(log)

    def ours(self):
        """Pids of all processes that carry our folder in their environment, whatever session or parent they have."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/environ" % pid, "rb") as f:
                    if b"RUN_DIR=" + self.run_dir.encode() in f.read() and int(pid) != os.getpid():
                        found.append(int(pid))
        return found

    def end_what_is_left(self):
        for pid in self.ours():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ctrl_c(self, process):
        """As a terminal does it: to all of the foreground. No process may be left."""
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(30), 0)
        everline.end(process)
        self.assertEqual(self.ours(), [])

    def ccctl(self, *args):
        done = subprocess.run([os.path.join(BUILD, "ccctl"), *args], env=dict(os.environ, CCCTL_CONFIG=self.made("ccctl.yaml")),
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def phones(self):
        path = self.made("phones.csv")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, newline="") as f:
            rows = list(csv.DictReader(f))
        self.assertEqual([r["extension"] for r in rows], [str(n) for n in range(8001, 8021)])
        self.assertTrue(all(len(r["password"]) >= 12 for r in rows))
        self.assertEqual(len({r["password"] for r in rows}), len(rows))
        return rows

    def records(self, *filters):
        """The same at all nodes."""
        def agreed():
            seen = [self.ccctl("cdr", "list", *filters, "-o", "json", "--server", "https://%s:8443" % ip) for ip in FIXED]
            self.assertTrue(all(s == seen[0] for s in seen), seen)
            return [seen[0]]
        return wait_for(agreed, 10, "the nodes agree on their records")[0]

    def call_the_echo(self, printed):
        """With the command that make run prints."""
        command = re.search(r"^  (sipp .*?)  ", printed, re.M).group(1)
        p = everline.spawn(shlex.split(command) + ["-nostdin"], log=os.path.join(self.dir, "sipp.log"), cwd=self.dir)
        self.assertEqual(p.wait(20), 0, self.said(os.path.join(self.dir, "sipp.log"))[-1500:])
        everline.end(p)
        return wait_for(lambda: self.records("--called", "10001"), 10, "the call has a record")

    def test_run_demo_stop_go_on_clean(self):
        run, printed = self.started()
        self.assertIn("n1 founds the cluster", printed)
        status = self.ccctl("cluster", "status", "-o", "json")
        self.assertEqual(sorted(n["name"] for n in status["nodes"]), NODES)
        self.assertIn(status["leader"], NODES)
        phones = self.phones()

        # A second one beside it: in the same folder, and in another one.
        self.assertIn("a cluster is running in %s already" % self.run_dir, self.refused())
        self.assertRegex(self.refused(os.path.join(self.dir, "other")), r"cannot listen on:\s+127\.0\.0\.1:5060/udp")
        self.assertTrue(all(n["up"] for n in self.ccctl("cluster", "status", "-o", "json")["nodes"]))

        echo = self.call_the_echo(printed)
        self.assertEqual(len(echo), 1, echo)

        demo, log = self.make("demo")
        self.assertEqual(demo.wait(90), 0, self.said(log))
        everline.end(demo)
        told = self.said(log)
        self.assertIn("using the running cluster", told)
        for name in NODES:
            # What each node recorded follows its name: the agent's extension 8001 and who hung up are in the table.
            self.assertRegex(told, r"(?m)^node %s: ccctl cdr list .*\n    \S.*\n    .*\b1001\b" % name)
        before = self.records()
        self.assertEqual(len(before), 2, before)
        talked = next(r for r in before if r["called"] == "10000")
        self.assertEqual((talked["agent"], talked["queue"]), ("1001", "service"))

        self.ctrl_c(run)
        run, printed = self.started()
        self.assertIn("go on with the data that is there", printed)
        self.assertEqual(self.records(), before)
        self.assertEqual(self.phones(), phones)

        self.ctrl_c(run)
        run, printed = self.started(CLEAN="1")
        self.assertIn("n1 founds the cluster", printed)
        self.assertEqual(self.records(), [])
        self.assertNotEqual(self.phones(), phones)
        self.ctrl_c(run)
