"""The place where a round happens: a cluster whose nodes have a network namespace each, telephones in one more, a bridge between
them in a last one; and what can befall it. All of it is made here, carries our process number in its name, and goes again.

Where namespaces may not be made, Loopback stands in: addresses of 127/8, nothing but processes can fail there.
"""
import atexit
import ctypes
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
import everline  # noqa: E402
from everline import HTTPS, PEER, ROOT, SIP, Cluster, Network, Node, spawn, wait_for  # noqa: E402

CLONE_NEWNET = 0x40000000
DEVICE = "eth0"
HOOK = os.path.join(ROOT, "etc", "address-hook")
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def sh(*args, check=True):
    r = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and r.returncode:
        raise RuntimeError("%s: %s" % (" ".join(map(str, args)), r.stdout.strip()))
    return r


class NotPermitted(Exception):
    pass


class Spaces:
    """Nodes are 10.9.0.1, .2, ...; service addresses 10.9.0.101, ...; phones that go on by address 10.9.1.x and 10.9.3.x (TCP), by
    re-INVITE 10.9.2.x."""

    kinds = True
    prefix = "10.9."

    def __init__(self, nodes):
        self.tag = "ev%d" % os.getpid()
        self.names = []
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        atexit.register(self.close)
        try:
            self.bridge, self.phones = self._make("b"), self._make("p")
            sh("ip", "-n", self.bridge, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            sh("ip", "-n", self.bridge, "link", "set", "br0", "up")
            self._join(self.phones, "p", "02:00:00:00:01:00")
            sh("ip", "-n", self.phones, "addr", "add", self.prefix + "9.1/16", "dev", DEVICE)
            for net in (1, 2, 3):
                # Every address of these networks is ours.
                sh("ip", "-n", self.phones, "route", "add", "local", "%s%d.0/24" % (self.prefix, net), "dev", "lo")
            for i in range(nodes):
                self.add_node(i)
        except (RuntimeError, OSError) as e:
            self.close()
            raise NotPermitted(str(e)) from None
        self.used = {}
        # This process, and the programs it starts from now on, live among the telephones.
        self._enter(self.phones)

    def _make(self, suffix):
        name = self.tag + suffix
        sh("ip", "netns", "add", name)
        self.names.append(name)
        sh("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def _join(self, name, port, mac):
        sh("ip", "-n", name, "link", "add", DEVICE, "address", mac, "type", "veth", "peer", "name", port, "netns", self.bridge)
        sh("ip", "-n", self.bridge, "link", "set", port, "master", "br0", "up")
        sh("ip", "-n", name, "link", "set", DEVICE, "up")

    def add_node(self, i):
        name = self._make("n%d" % (i + 1))
        self._join(name, "n%d" % (i + 1), self.mac(i))
        sh("ip", "-n", name, "addr", "add", self.node(i) + "/16", "dev", DEVICE)

    def _enter(self, name):
        fd = os.open("/run/netns/" + name, os.O_RDONLY)
        try:
            self._setns(fd)
        finally:
            os.close(fd)

    @staticmethod
    def _setns(fd):
        if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        if self.names:
            self._setns(self.home)
            for n in self.names:
                sh("ip", "netns", "del", n, check=False)
            self.names = []
            os.close(self.home)
            atexit.unregister(self.close)

    # -- addresses

    def mac(self, i):
        return "02:00:00:00:00:%02x" % (i + 1)

    def node(self, i):
        return "%s0.%d" % (self.prefix, i + 1)

    def service(self, i):
        return "%s0.%d" % (self.prefix, i + 101)

    def space(self, i):
        return "%sn%d" % (self.tag, i + 1)

    def client(self, net=1):
        self.used[net] = self.used.get(net, 0) + 1
        return "%s%d.%d" % (self.prefix, net, self.used[net] % 250 + 2)

    def real_client(self):
        """One that stands on the interface, for programs that look for it there."""
        ip = self.client(1)
        sh("ip", "-n", self.phones, "addr", "add", ip + "/16", "dev", DEVICE)
        return ip

    def ranges(self, net):
        return ["%s%d.0/24" % (self.prefix, net)]

    def within(self, i):
        """What a program is started by that is to live at node i."""
        return ["nsenter", "--net=/run/netns/" + self.space(i), "--"]

    # -- faults

    def link(self, i, up):
        sh("ip", "-n", self.bridge, "link", "set", "n%d" % (i + 1), "up" if up else "down")

    def cut(self, a, b):
        """Nothing from node a reaches node b any more: it sends to a machine that is not there."""
        sh("ip", "-n", self.space(a), "neigh", "replace", self.node(b), "lladdr", "02:00:00:00:ff:ff", "dev", DEVICE, "nud", "permanent")

    def mend(self, a, b):
        sh("ip", "-n", self.space(a), "neigh", "del", self.node(b), "dev", DEVICE, check=False)


class Loopback(Network):
    kinds = False

    def __init__(self, nodes):
        super().__init__()
        self.count = nodes

    def mac(self, i):
        return None

    def service(self, i):
        return "%s%d" % (self.prefix, 51 + i)

    def client(self, net=1):
        # /26 of its own for each kind of network.
        self.used = getattr(self, "used", {})
        self.used[net] = self.used.get(net, 0) + 1
        return "%s%d" % (self.prefix, 64 * net + self.used[net] % 62 + 1)

    def real_client(self):
        return self.client(1)

    def ranges(self, net):
        return ["%s%d/26" % (self.prefix, 64 * net)]

    def within(self, i):
        return []


class ChaosNode(Node):
    def __init__(self, cluster, name, ip, number):
        super().__init__(cluster, name, ip)
        self.number = number
        self.service = cluster.network.service(number)
        self.clock = None
        os.makedirs(self.data, mode=0o700)
        if cluster.network.kinds and cluster.disks:
            sh("mount", "-t", "tmpfs", "-o", "size=160m,mode=0700", "everline-chaos", self.data)
            cluster.mounted.append(self.data)

    def configure(self, join=None, **extra):
        listen = {"sip": [self.sip, "%s:%d" % (self.service, SIP)], "https": "%s:%d" % (self.ip, HTTPS), "peer": "%s:%d" % (self.ip, PEER),
                  "rtp": {"ports": "20000-29999"}}
        more = {"listen": listen, "service_addresses": [self.service]}
        if self.cluster.network.kinds:
            more["address_hook"] = self.cluster.hook
        super().configure(join=join, **{**more, **extra})

    def start(self, *args):
        env = dict(os.environ)
        if self.cluster.clocks:
            self.clock = self.cluster.path(self.name + ".clock")
            if not os.path.exists(self.clock):
                self.step_clock(0)
            env.update(LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=self.clock, FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1")
        self.process = spawn([*self.cluster.network.within(self.number), os.path.join(everline.BUILD, "ccnode"), *args, self.conf], log=self.log, env=env)
        return self

    def step_clock(self, seconds):
        with open(self.clock + ".new", "w") as f:
            f.write("%+d\n" % seconds)
        os.rename(self.clock + ".new", self.clock)

    def fill_disk(self):
        try:
            with open(os.path.join(self.data, "filler"), "wb", buffering=0) as f:
                while True:
                    f.write(b"\0" * (1 << 20))
        except OSError:
            pass

    def free_disk(self):
        os.unlink(os.path.join(self.data, "filler"))


class ChaosCluster(Cluster):
    def __init__(self, network, nodes, disks=False, clocks=False):
        self.disks, self.clocks, self.mounted = disks, clocks, []
        super().__init__(nodes, start=False, network=network)

    def make_node(self, name, i):
        if i == 0 and self.network.kinds:
            # One that only we can change, with the interface beside it.
            self.hook = shutil.copy(HOOK, self.path("address-hook"))
            os.chmod(self.hook, 0o700)
            self._write("address-hook.device", DEVICE + "\n")
        return ChaosNode(self, name, self.network.node(i), i)

    def node_up(self, node):
        """Its new process is known to the cluster."""
        others = [n for n in self.alive() if n is not node]
        return node.alive() and node.api("GET", "/healthz", token=None, timeout=2).status == 200 and next(
            n["up"] for n in others[0].api("GET", "/v1/cluster").json["nodes"] if n["name"] == node.name)

    def close(self, keep=False):
        for n in self.nodes:
            n.kill9()
        for m in self.mounted:
            sh("umount", "-l", m, check=False)
        self.mounted = []
        super().close(keep)


def world(nodes):
    """Namespaces if they may be made, else loopback; and why not."""
    try:
        return Spaces(nodes), ""
    except NotPermitted as e:
        return Loopback(nodes), str(e)


__all__ = ["ChaosCluster", "Loopback", "NotPermitted", "Spaces", "wait_for", "world"]
