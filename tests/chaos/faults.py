"""What befalls a node, and how it ends. `moves`: its calls have to go to others ("all": those of every node once)."""
import os
import signal

from everline import until
from world import FAKETIME, sh, wait_for

WATCH_S = 6.5  # more than a call may be silent without being lost


class Fault:
    changes = (1, 1)  # of the owner of a call, before the fault is over and afterwards
    moves, probes, disks, clocks, skew_s, after_s = True, True, False, False, 0, 3.0

    def struck(self, c, node):
        """Who else it befalls."""
        return [node]

    def strike(self, c, node):
        raise NotImplementedError

    def watch(self, c, node, began):
        until(began + WATCH_S, "the span in which no call may fall silent")

    def heal(self, c, node):
        raise NotImplementedError

    def wait_home(self, c, node):
        """Ready, and its service address on it again."""
        node.wait_ready(60)
        if c.network.kinds:
            wait_for(lambda: node.service + "/" in sh("ip", "-n", c.network.space(node.number), "addr").stdout, 20, "%s is on %s" % (node.service, node.name))


class Kill(Fault):
    def strike(self, c, node):
        node.kill9()

    def heal(self, c, node):
        node.start()


class Crash(Fault):
    """The process alone; its supervisor starts it again at once."""
    moves, changes = None, (2, 0)

    def strike(self, c, node):
        for pid in node.workers():
            os.kill(pid, signal.SIGKILL)

    def heal(self, c, node):
        pass


class Stop(Fault):
    """All of it stands still, its connections stay open; then it goes on as if nothing had been."""

    def strike(self, c, node):
        node.sigstop()

    def heal(self, c, node):
        node.sigcont()


class Hang(Fault):
    """The process stands still, its supervisor does not."""
    changes = (2, 1)

    def strike(self, c, node):
        for pid in node.workers():
            os.kill(pid, signal.SIGSTOP)

    def heal(self, c, node):
        for pid in node.workers():
            os.kill(pid, signal.SIGCONT)


class Power(Fault):
    def strike(self, c, node):
        c.network.link(node.number, False)
        node.kill9()

    def heal(self, c, node):
        sh("ip", "-n", c.network.space(node.number), "addr", "del", node.service + "/32", "dev", "eth0", check=False)
        c.network.link(node.number, True)
        node.start()


class Link(Fault):
    def strike(self, c, node):
        c.network.link(node.number, False)

    def heal(self, c, node):
        c.network.link(node.number, True)


class Isolated(Fault):
    """Cut off from the other nodes, not from the telephones. With five nodes one more goes with it."""
    ways = ("in", "out")

    def struck(self, c, node):
        others = [n for n in c.nodes if n is not node]
        return [node, others[-1]] if len(c.nodes) == 5 and self.ways == ("in", "out") else [node]

    def pairs(self, c, node):
        here = [n.number for n in self.struck(c, node)]
        for a in here:
            for b in (n.number for n in c.nodes if n.number not in here):
                if "out" in self.ways:
                    yield a, b
                if "in" in self.ways:
                    yield b, a

    def strike(self, c, node):
        for a, b in self.pairs(c, node):
            c.network.cut(a, b)

    def heal(self, c, node):
        for a, b in self.pairs(c, node):
            c.network.mend(a, b)


class Deaf(Isolated):
    ways = ("in",)


class Mute(Isolated):
    ways = ("out",)


class Disk(Fault):
    disks, moves = True, None

    def strike(self, c, node):
        node.fill_disk()

    def heal(self, c, node):
        node.free_disk()
        if not node.alive():
            node.start()


class Clock(Fault):
    clocks, moves, skew_s = True, False, 3600

    def strike(self, c, node):
        node.step_clock(3600)

    def heal(self, c, node):
        node.step_clock(0)


class Drain(Fault):
    def strike(self, c, node):
        c.must("node", "drain", node.name, "--wait")

    def heal(self, c, node):
        c.must("node", "undrain", node.name)


class Leave(Fault):
    """An orderly stop without a word before."""

    def strike(self, c, node):
        node.stop()

    def heal(self, c, node):
        node.start()


class Rolling(Fault):
    """All nodes, one after the other."""
    moves, probes, changes = "all", False, None  # as often as there are nodes to go to and come from

    def strike(self, c, node):
        for n in sorted(c.nodes, key=lambda n: n is not node):
            c.must("node", "drain", n.name, "--wait")
            n.stop()
            n.start()
            wait_for(lambda: c.node_up(n), 60, "%s is up" % n.name)
            c.must("node", "undrain", n.name)
            self.wait_home(c, n)

    def heal(self, c, node):
        pass


FAULTS = {"kill": Kill(), "crash": Crash(), "stop": Stop(), "hang": Hang(), "power": Power(), "link": Link(), "isolated": Isolated(), "deaf": Deaf(),
          "mute": Mute(), "disk": Disk(), "clock": Clock(), "drain": Drain(), "leave": Leave(), "rolling": Rolling()}
ANYWHERE = ("kill", "crash", "drain", "leave", "rolling")  # need no network of their own
DEFAULT = [f for f in FAULTS if f != "clock" or os.path.exists(FAKETIME)]
