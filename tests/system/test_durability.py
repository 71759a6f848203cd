"""What has been acknowledged is there: whatever is killed, whatever the disk does."""
import glob
import http.client
import itertools
import json
import os
import random
import secrets
import shutil
import ssl
import subprocess
import tempfile
import threading
import unittest

from everline import HTTPS, Cluster, elapse, wait_for


class Writer(threading.Thread):
    """Makes extensions with numbers of its own, one after another, each with a key; repeats at another node, with the same key,
    until it knows what became of it."""

    def __init__(self, cluster, k):
        super().__init__(daemon=True)
        self.cluster, self.k = cluster, k
        self.done = threading.Event()
        self.acknowledged, self.odd, self.repeated = [], [], 0
        self.connections = {}

    def run(self):
        for i in itertools.count():
            if self.done.is_set():
                break
            self.make("%d%05d" % (self.k, i))

    def make(self, number):
        key, body = secrets.token_hex(8), json.dumps({"display_name": "of " + number})
        for attempt in itertools.count():
            node = self.cluster[(self.k + attempt) % 3]
            status, text = self.request(node, number, body, key)
            if status in (200, 201):
                self.acknowledged.append(number)
                return
            if status is not None and status not in (429, 500, 503, 504):
                self.odd.append((number, status, text))
                return
            if attempt and self.done.is_set() and attempt > 300:
                self.odd.append((number, status, "given up"))
                return
            self.repeated += 1
            elapse(0.02, "a client's pause between two tries")

    def request(self, node, number, body, key):
        headers = {"Authorization": "Bearer " + self.cluster.token, "Content-Type": "application/json", "Idempotency-Key": key}
        c = self.connections.get(node) or http.client.HTTPSConnection(node.ip, HTTPS, timeout=8, context=self.cluster.tls)
        try:
            c.request("PUT", "/v1/extensions/" + number, body, headers)
            r = c.getresponse()
            text = r.read()
            self.connections[node] = c
            return r.status, text
        except (OSError, http.client.HTTPException, ssl.SSLError):
            c.close()
            self.connections.pop(node, None)
            return None, ""

    def stop(self):
        self.done.set()
        self.join(60)
        for c in self.connections.values():
            c.close()


def pages(node, path):
    """All items of a list."""
    cursor = ""
    while True:
        r = node.api("GET", path + ("&" if "?" in path else "?") + "limit=1000" + cursor).json
        yield from r["items"]
        if not r["next_cursor"]:
            return
        cursor = "&cursor=" + r["next_cursor"]


class DurabilityCase(unittest.TestCase):
    deadline = 150

    def begin(self, **conf):
        self.cluster = Cluster(3, conf=conf)
        self.addCleanup(self.cluster.close)

    def load(self, threads=4):
        writers = [Writer(self.cluster, 1 + k) for k in range(threads)]
        for w in writers:
            w.start()
        self.addCleanup(lambda: [w.done.set() for w in writers])
        return writers

    def progress(self, writers, more=10, deadline=30):
        """Until each of them has got further."""
        marks = [len(w.acknowledged) for w in writers]
        wait_for(lambda: all(len(w.acknowledged) >= m + more or not w.is_alive() for w, m in zip(writers, marks)), deadline, "commands go on")

    def votes(self):
        seen = []

        def check():
            seen[:] = self.cluster.status()["nodes"]
            return len(seen) == 3 and all(n["role"] == "voter" and n["up"] for n in seen)
        try:
            wait_for(check, 30, "all three vote and are up")
        except AssertionError as e:
            raise AssertionError("%s: %r" % (e, seen)) from None

    def all_there(self, writers):
        """Each acknowledged command exactly once, on each node."""
        for w in writers:
            w.stop()
            self.assertFalse(w.is_alive())
            self.assertEqual(w.odd, [])
        known = [n for w in writers for n in w.acknowledged]
        self.assertEqual(len(known), len(set(known)))
        self.assertTrue(self.cluster.must("cluster", "verify", "-o", "json", deadline=60).json["equal"])
        for n in self.cluster:
            there = {e["number"]: e for e in pages(n, "/v1/extensions")}
            self.assertEqual([x for x in known if x not in there], [], n.name)
            changes = [a for a in pages(n, "/v1/audit") if a["object"].startswith("extension/")]
            count = {}
            for a in changes:
                self.assertEqual(a["code"], "ok", a)
                count[a["object"]] = count.get(a["object"], 0) + 1
            self.assertEqual({k: v for k, v in count.items() if v != 1}, {}, n.name)
            self.assertEqual([x for x in known if "extension/" + x not in count], [], n.name)
            for x in known:
                self.assertEqual((there[x]["display_name"], there[x]["version"] > 0), ("of " + x, True))
        return known


class Kills(DurabilityCase):
    ROUNDS = 14

    def test_killed_again_and_again_under_load(self):
        self.begin(snapshot_entries=256)
        seed = int(os.environ.get("EVERLINE_SEED") or random.SystemRandom().randrange(1 << 30))
        choice = random.Random(seed)
        writers = self.load()
        self.progress(writers)
        try:
            for r in range(self.ROUNDS):
                # One of any, two, or all at once; the whole machine, or only the process under the supervisor.
                victims = choice.choice([[choice.randrange(3)], [choice.randrange(3)], choice.sample(range(3), 2), [0, 1, 2]])
                whole = choice.random() < 0.7
                for i in victims:
                    self.kill(self.cluster[i], whole)
                if len(victims) == 1:
                    self.progress(writers, 2)
                for i in victims:
                    if not self.cluster[i].alive():
                        self.cluster[i].start()
                for i in victims:
                    self.cluster[i].wait_ready()
                self.progress(writers, 5)
            self.votes()
            known = self.all_there(writers)
            self.assertGreater(len(known), 4 * 5 * self.ROUNDS)
            self.assertGreater(sum(w.repeated for w in writers), 0)
            for n in self.cluster:
                self.assertGreater(n.api("GET", "/v1/cluster").json["snapshot_index"], 0)
                self.assertNotIn("thrown away", n.log_text())
        except AssertionError as e:
            raise AssertionError("EVERLINE_SEED=%d: %s" % (seed, e)) from e

    @staticmethod
    def kill(node, whole):
        if whole:
            node.kill9()
        else:
            for pid in node.workers():
                os.kill(pid, 9)


class Disk(DurabilityCase):
    def follower(self):
        return next(n for n in self.cluster if n is not self.cluster.leader())

    def goes_on(self, writers):
        self.progress(writers)
        self.assertTrue(self.cluster.leader().alive())

    def back(self, node):
        node.wait_ready()
        self.votes()

    def full(self, leads):
        """The data folder of one node lies on a small disk."""
        self.begin(snapshot_entries=256)
        writers = self.load(2)
        self.progress(writers)
        victim = self.cluster.leader() if leads else self.follower()
        victim.stop()
        # Its data moves onto the small disk, as it is.
        shutil.move(victim.data, victim.data + ".old")
        os.mkdir(victim.data, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m,mode=700", "tmpfs", victim.data], check=True)
        self.addCleanup(lambda: (victim.kill9(), subprocess.run(["umount", "-l", victim.data], check=False)))
        subprocess.run("cp -a %s.old/. %s/" % (victim.data, victim.data), shell=True, check=True)
        victim.start()
        self.back(victim)
        if leads:
            self.cluster.hand_over(victim)
        self.progress(writers)
        ballast = os.path.join(victim.data, "ballast")
        with open(ballast, "wb", buffering=0) as f:  # nothing kept back that closing would have to write
            try:
                while True:
                    f.write(b"\0" * 65536)
            except OSError:
                pass
        # What is open already may be filled; then it has to end, in plain words, and not to be tried again and again.
        wait_for(lambda: not victim.alive(), 60, "a node with a full disk ends")
        self.assertRegex(victim.last_words(30).lower(), r"disk|space|full")
        self.assertNotIn("ended by signal", victim.log_text())
        self.goes_on(writers)
        os.unlink(ballast)
        victim.start()
        self.back(victim)
        self.all_there(writers)

    @unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
    def test_full_disk_of_a_follower(self):
        self.full(False)

    @unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
    def test_full_disk_of_the_leader(self):
        self.full(True)

    def test_damaged_database_is_rebuilt(self):
        """Once from the log alone, once from a snapshot and the log behind it."""
        self.begin(snapshot_entries=256)
        writers = self.load(2)
        self.progress(writers, 20)
        for snapshots in (False, True):
            victim = self.follower()
            if snapshots:
                wait_for(lambda: victim.api("GET", "/v1/cluster").json["snapshot_index"] > 0, 60, "a snapshot is taken")
            victim.kill9()
            self.damage(self.database(victim), 0.3)
            victim.start()
            self.goes_on(writers)
            self.back(victim)
            self.assertIn("thrown away", victim.log_text())
        self.all_there(writers)

    def test_missing_database_is_rebuilt(self):
        self.begin(snapshot_entries=256)
        writers = self.load(2)
        self.progress(writers, 20)
        victim = self.follower()
        wait_for(lambda: victim.api("GET", "/v1/cluster").json["snapshot_index"] > 0, 60, "a snapshot is taken")
        victim.kill9()
        for f in glob.glob(self.database(victim) + "*"):
            os.unlink(f)
        victim.start()
        self.back(victim)
        self.all_there(writers)

    def test_damaged_log_is_refused(self):
        """In plain words; the cluster goes on; replaced, the node is there again."""
        self.begin()
        writers = self.load(2)
        self.progress(writers, 20)
        victim = self.follower()
        victim.kill9()
        segments = sorted(f for f in glob.glob(os.path.join(victim.data, "log", "log", "*")) + glob.glob(os.path.join(victim.data, "log", "*"))
                          if os.path.isfile(f) and (os.path.basename(f)[0].isdigit() or os.path.basename(f).startswith("open-")))
        self.assertTrue(segments, victim.data)
        self.damage(segments[0], None)
        victim.start()
        wait_for(lambda: not victim.alive(), 20, "a node with a damaged log ends")
        self.assertNotEqual(victim.process.returncode, 0)
        self.assertRegex(victim.last_words(), r"remove th[ei]s? node from the cluster, and add it again with an empty folder|remove this node from the cluster, empty its folder and add it again")
        self.goes_on(writers)
        self.cluster.must("node", "remove", victim.name)
        shutil.rmtree(victim.data)
        self.cluster.join(victim)
        self.votes()
        self.all_there(writers)

    @staticmethod
    def database(node):
        return max((f for f in glob.glob(os.path.join(node.data, "*")) if os.path.isfile(f) and open(f, "rb").read(15) == b"SQLite format 3"),
                   key=os.path.getsize)

    @staticmethod
    def damage(path, where):
        """Turns bytes over; where: as a share of the file; None: in the middle of what is written."""
        with open(path, "r+b") as f:
            data = f.read()
            if where is None:
                used = len(data.rstrip(b"\0"))
                f.seek(used // 2)
                n = 16
            else:
                f.seek(0)
                n = min(8192, len(data))
                f.write(bytes(b ^ 0xA5 for b in data[:n]))
                f.seek(int(len(data) * where))
            at = f.tell()
            f.write(bytes(b ^ 0xA5 for b in data[at:at + n]))


if __name__ == "__main__":
    unittest.main()
