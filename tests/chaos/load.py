"""The calls of a round: which states, how many, over which network, and what is done with each when the fault is over."""
import collections
import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from everline import SIP, elapse, until, wait_for
from judge import HEARD_S
from service import SITUATIONS
from strangers import Baresips, Sipps, Stranger

Unsure = collections.namedtuple("Unsure", "agent reason node")  # a command whose answer did not come: it may be done, now or later

LAST_S = 2.0   # before the fault
SHARED = 8     # addresses of telephones in each network: the kernel keeps 512 neighbours for all namespaces together before it throws some out
WAYS = {"address": (1, "udp"), "reinvite": (2, "udp"), "tcp": (3, "tcp")}   # network, transport
# state: calls at the node that is struck, by way
FULL = {
    "talking": {"address": 10, "reinvite": 6, "tcp": 3}, "held by caller": {"address": 2, "reinvite": 1}, "held by agent": {"address": 2, "reinvite": 1},
    "waiting": {"address": 4, "reinvite": 2, "tcp": 1}, "menu": {"address": 3, "reinvite": 1, "tcp": 1}, "half a choice": {"address": 2, "reinvite": 1},
    "ringing": {"address": 3, "reinvite": 1}, "dialling": {"address": 2}, "not ACKed": {"address": 2}, "answering": {"address": 2},
    "re-INVITE": {"address": 2}, "hanging up": {"address": 3, "reinvite": 1}, "echo": {"address": 2, "reinvite": 1}, "tone": {"address": 2, "reinvite": 1, "tcp": 1},
}
ELSEWHERE = {"talking": {"address": 4, "reinvite": 2}, "waiting": {"address": 2}, "tone": {"address": 2}}
AT_AGENT = ("talking", "held by caller", "held by agent", "re-INVITE", "hanging up")
RING = ("ringing", "answering")


class Call:
    def __init__(self, state, way, home, phone, dialog):
        self.state, self.way, self.home, self.phone, self.dialog = state, way, home, phone, dialog
        self.agent = None        # dialog at the agent's or the extension's telephone
        self.struck = False
        self.ending = None       # from then on it may end
        self.special = None      # Situation that knows what becomes of it
        self.wrong = []          # what it was lost by

    @property
    def number(self):
        return self.phone.number

    def fail(self, why):
        self.wrong.append(why)

    def __repr__(self):
        return "%s/%s %s at n%d" % (self.state, self.way, self.number, self.home + 1)


def scaled(plan, factor):
    return {s: {w: max(1, round(n * factor)) for w, n in ways.items()} for s, ways in plan.items()}


class Load:
    def __init__(self, cluster, exchange, seed, victim, struck, elsewhere, homes):
        self.cluster, self.ex, self.random, self.victim = cluster, exchange, random.Random(seed), victim
        self.struck, self.elsewhere, self.homes = struck, elsewhere, homes
        self.addresses = {way: itertools.cycle([cluster.network.client(net) for _ in range(SHARED)]) for way, (net, _) in WAYS.items()}
        self.calls, self.numbers = [], itertools.count(4255000001)
        self.agents = {}         # number: (Phone, queue)
        self.extensions = {}     # number: Phone, dialled directly
        self.servers = []        # agents who serve those that wait, by and by
        self.acked, self.unsure = {}, []
        self.order = []          # callers in the order in which they began to wait
        self.pool = ThreadPoolExecutor(4)
        self.strangers, self.patient = [], set()
        self.rank, self.resting = {}, {}   # caller who goes before others: place; agent: the state he has put himself in
        self.situations = [s(self) for s in SITUATIONS]

    # -- configuration

    def configure(self):
        """Agents, queues, numbers: what the plan needs and nothing more."""
        net = self.cluster.network
        need = {}                # (kind, way): agents
        for plan in (self.struck, self.elsewhere):
            for state, ways in plan.items():
                kind = "talk" if state in AT_AGENT else "ring" if state in RING else "ext" if state == "dialling" else None
                for way, n in ways.items():
                    if kind:
                        need[kind, way] = need.get((kind, way), 0) + n
        doc = {"trunks": [], "extensions": [], "agents": [], "queues": [], "access_numbers": [
            {"number": "10000", "flow": "chaos"}, {"number": "10001", "app": "echo"}, {"number": "10002", "app": "tone"}, {"number": "10003", "queue": "wait"}],
            "flows": [{"name": "chaos", "languages": ["en"], "start": "main", "nodes": {
                "main": {"type": "menu", "prompts": ["main_menu"] * 12, "timeout_s": 60, "digit_timeout_s": 60, "keys": {"12": "bye", "3": "wait"}, "retries": 0},
                "wait": {"type": "queue", "queue": "wait"}, "bye": {"type": "hangup"}}}]}
        number = itertools.count(1001)

        def agent(way, queue, conduct):
            n = str(next(number))
            phone = self.ex.phone(self.address(way), "8" + n[1:], WAYS[way][1])
            phone.conduct = conduct
            doc["extensions"].append({"number": phone.number, "contact": phone.uri})
            doc["agents"].append({"number": n, "name": "Agent " + n, "extension": phone.number, "type": "agent"})
            if queue:
                queue["members"].append({"agent": n})
                self.agents[n] = (phone, queue["name"])
            return n

        for (kind, way), n in sorted(need.items()):
            if kind == "ext":
                for i in range(n):
                    phone = self.ex.phone(self.address(way), str(9001 + len(self.extensions)), WAYS[way][1])
                    doc["extensions"].append({"number": phone.number, "contact": phone.uri})
                    doc["access_numbers"].append({"number": "2" + phone.number, "extension": phone.number})
                    self.extensions[phone.number] = phone
                continue
            queue = {"name": "%s-%s" % (kind, way), "strategy": "longest_idle", "ring_time_s": 120, "wrap_up_s": 2 if kind == "talk" else 0, "members": []}
            doc["queues"].append(queue)
            doc["access_numbers"].append({"number": self.queue_number(kind, way), "queue": queue["name"]})
            for _ in range(n):
                agent(way, queue, "answer" if kind == "talk" else "ring")
        for s in self.situations:
            s.configure(doc, agent)
        wait_queue = {"name": "wait", "strategy": "longest_idle", "ring_time_s": 120, "wrap_up_s": 0, "members": []}
        self.servers = [agent("address", wait_queue, "answer") for _ in range(2)]
        doc["queues"].append(wait_queue)
        doc["access_numbers"] += [{"number": "10013", "queue": "wait", "vip": True}, {"number": "10014", "queue": "wait", "priority": 5}]
        # These take no calls: commands about them are given throughout, and must be there in the end.
        self.clerks = [agent("address", None, "ring") for _ in range(6)]
        for n in self.clerks:
            self.agents[n] = (None, "")
        doc["trunks"] += [{"name": way, "sources": net.ranges(no), "takeover": "reinvite" if way == "reinvite" else "address"} for way, (no, _) in WAYS.items()]
        doc["networks"] = [{"name": way, "ranges": net.ranges(no), "takeover": "reinvite" if way == "reinvite" else "address"} for way, (no, _) in WAYS.items()]
        self.cluster.apply(doc)

    @staticmethod
    def queue_number(kind, way):
        return "1%d%d00" % (1 if kind == "talk" else 2, WAYS[way][0])

    def address(self, way):
        return next(self.addresses[way])

    @staticmethod
    def transport(way):
        return WAYS[way][1]

    def server(self, node, way):
        n = self.cluster[node]
        return (n.ip if way == "reinvite" else n.service, SIP)

    def do(self, agent, verb, body=None):
        r = self.cluster.alive()[0].api("POST", "/v1/agents/%s:%s" % (agent, verb), body)
        if r.status != 200:
            raise AssertionError("%s of %s: %r" % (verb, agent, r))

    def log_in(self, agents):
        list(self.pool.map(lambda a: (self.do(a, "login"), self.do(a, "set-state", {"state": "ready"})), agents))

    # -- before

    def call(self, state, way, home, number, **options):
        phone = self.ex.phone(self.address(way), str(next(self.numbers)), self.transport(way))
        c = Call(state, way, home, phone, phone.invite(number, self.server(home, way), state, **options))
        c.struck = home in self.homes
        self.calls.append(c)
        return c

    def begin(self):
        """All calls of the plan, each in its state but for those that get there in the instant of the fault."""
        self.log_in([a for a in self.agents if a not in self.servers and a not in self.clerks])
        list(self.pool.map(lambda a: self.do(a, "login"), self.clerks))
        todo = []
        others = [i for i in range(len(self.cluster.nodes)) if i != self.victim]
        for plan, homes in ((self.struck, [self.victim]), (self.elsewhere, others)):
            for state, ways in plan.items():
                for way, n in ways.items():
                    todo += [(state, way, homes[i % len(homes)]) for i in range(n)]
        self.random.shuffle(todo)
        extensions = iter(sorted(self.extensions))
        for state, way, home in todo:
            kind = "talk" if state in AT_AGENT else "ring"
            to = {"waiting": "10003", "menu": "10000", "half a choice": "10000", "echo": "10001", "tone": "10002", "not ACKed": "10002"}.get(state)
            if state == "dialling":
                to = "2" + next(extensions)
            c = self.call(state, way, home, to or self.queue_number(kind, way), withhold=state == "not ACKed")
            if state == "waiting":
                c.dialog.wait("answered")
                self.order.append(c.number)
        # Who came last and goes first: important, and a VIP.
        for number, rank in (("10014", 1), ("10013", 0)):
            c = self.call("waiting", "address", self.victim, number)
            c.dialog.wait("answered")
            self.rank[c.number] = rank
            self.order.append(c.number)
        self.order.sort(key=lambda n: self.rank.get(n, 2))
        plain = list(self.calls)
        for s in self.situations:
            s.begin()
        for c in plain:
            if c.state == "dialling":
                c.agent = wait_for(lambda: self.to_agent(c, False), 10, "%r rings" % c)
                continue
            c.dialog.wait("answered")
            if c.state in AT_AGENT + RING:
                c.agent = wait_for(lambda: self.to_agent(c, c.state in AT_AGENT), 15, "%r has its agent" % c)
        for c in plain:
            if c.state in AT_AGENT:
                c.agent.wait(lambda: c.agent.acked)
            if c.state == "held by caller":
                c.dialog.hold()
            elif c.state == "held by agent":
                c.agent.hold()
            elif c.state == "half a choice":
                c.dialog.digits("1")
        for c in plain:
            d = c.dialog if c.state == "held by caller" else c.agent if c.state == "held by agent" else None
            if d:
                d.wait("re-INVITE 200")
        ids = {c.number: c for c in self.calls}
        if self.cluster.network.kinds:
            self.strangers += [Baresips(self, 2)]
            self.strangers += [Sipps(self, 3)]
        for group in self.strangers:
            for phone, s in group.phones:
                c = Call(group.state, "address", self.victim, s, s)
                c.struck = True
                self.calls.append(c)
                if group.state == "sipp":
                    self.patient.add(s.number)

        def keys_known():
            items = self.cluster.alive()[0].api("GET", "/v1/calls?limit=1000").json["items"]
            seen = {i["caller"]: i for i in items}
            return all(n in seen for n in ids)
        wait_for(keys_known, 10, "all calls are in the state")

    def last_second(self):
        """By which the judge knows who was hearing something."""
        strikes = time.monotonic() + LAST_S
        for s in self.situations:
            s.begin_last(strikes - time.monotonic())
        until(strikes, "the second before the fault")

    def to_agent(self, c, answered):
        with self.ex.changed:
            found = [d for d in self.ex.incoming if d.caller == c.number and not d.ended and (d.answered or not answered)]
        return found[-1] if found else None

    # -- the instant

    def instant(self):
        """What happens while the node dies: started a few milliseconds before."""
        for c in self.calls:
            if not c.struck:
                continue
            when = self.random.uniform(0, 0.010)
            what = {"re-INVITE": lambda c=c: c.dialog._reinvite("sendonly"), "hanging up": lambda c=c: c.dialog._bye(),
                    "answering": lambda c=c: c.agent._answer()}.get(c.state)
            if what:
                if c.state == "hanging up":
                    c.ending = time.time()
                self.ex.do(lambda w=what, s=when: self.ex.later(s, w))
        for s in self.situations:
            for c, what in s.instant():
                self.ex.do(lambda w=what, s=self.random.uniform(0, 0.010): self.ex.later(s, w))

    # -- meanwhile

    def command_forever(self, stop):
        """Agents' states by API, at any node that lives; what was acknowledged is noted."""
        i = 0
        while not stop.is_set():
            i += 1
            a, reason = self.clerks[i % len(self.clerks)], "r%d" % i
            nodes = [n for n in self.cluster.nodes if n.alive()]
            if not nodes:
                return
            node = nodes[i % len(nodes)]
            try:
                r = node.api("POST", "/v1/agents/%s:set-state" % a, {"state": "not_ready", "reason": reason}, timeout=1)
                if r.status == 200:
                    self.acked[a] = reason
                    # What a node took before is done or never will be (it keeps the order); what another took may still come.
                    self.unsure = [u for u in self.unsure if u.node != node.name]
                elif r.status >= 500:
                    self.unsure.append(Unsure(a, reason, node.name))
            except Exception:  # noqa: BLE001  whatever happened to the connection
                self.unsure.append(Unsure(a, reason, node.name))
            stop.wait(0.05)

    def probe(self, began, span=3.0):
        """New calls to the others, one each 50 ms. Returns their dialogs."""
        out, others = [], [i for i in range(len(self.cluster.nodes)) if i not in self.homes]
        phones = [self.ex.phone(self.address("address"), str(next(self.numbers)), "udp") for _ in range(4)]

        def work():
            i = 0
            while time.monotonic() < began + span:
                d = phones[i % len(phones)].invite("10002", self.server(others[i % len(others)], "address"), "probe")
                out.append(d)
                i += 1
                until(began + 0.05 * i, "the pace of new calls")
        t = threading.Thread(target=work, daemon=True)
        t.start()
        return t, out

    # -- after

    def go_on(self):
        """Everything that callers and agents do with their calls afterwards. Marks what fails."""
        ours = [c for c in self.calls if not isinstance(c.dialog, Stranger)]
        foreign = {id(c.dialog): c for c in self.calls if c not in ours}
        special = [threading.Thread(target=s.go_on, daemon=True) for s in self.situations]
        for t in special:
            t.start()

        def of(*states):
            return [c for c in self.calls if c.state in states]

        def attempt(c, what, *args, **options):
            try:
                return what(*args, **options)
            except AssertionError as e:
                c.fail("%s: %s" % (time.strftime("%H:%M:%S"), str(e)[:300]))
                return None

        for c in of("ringing", "dialling"):
            now = attempt(c, wait_for, lambda c=c: self.to_agent(c, False), 5, "%r rings" % c)
            if now:
                c.agent = now
                now.answer()
        for c in of("answering"):
            now = attempt(c, wait_for, lambda c=c: self.to_agent(c, False), 5, "%r rings or talks" % c)
            if now:
                c.agent = now
                now.answer()
        for c in of("ringing", "dialling", "answering"):
            if c.agent and not c.wrong:
                attempt(c, c.agent.wait, lambda d=c.agent: d.acked, 5)
                attempt(c, c.dialog.wait, "answered", 5)
        for c in of("not ACKed"):
            c.dialog.release()
        for c in of("re-INVITE"):
            attempt(c, c.dialog.wait, lambda d=c.dialog: not d.inviting and d.reinvited is not None, 10)
            if c.dialog.reinvited != 200:
                c.fail("re-INVITE: %s" % c.dialog.reinvited)
        resumed = [(c, c.dialog) for c in of("held by caller", "re-INVITE")] + [(c, c.agent) for c in of("held by agent")]
        for c, d in resumed:
            d.reinvited = None
            d.resume()
        for c, d in resumed:
            attempt(c, d.wait, lambda d=d: d.reinvited is not None and not d.inviting, 10)
            if d.reinvited != 200:
                c.fail("resume: %s" % d.reinvited)
        for t in special:
            t.join()
        elapse(HEARD_S + 0.05, "each hears the other for the span that the judge looks at")
        # Menus: the choice.
        for c in of("menu", "half a choice"):
            c.ending = time.time()
            c.dialog.digits("12" if c.state == "menu" else "2")
        for c in of("menu", "half a choice"):
            attempt(c, c.dialog.wait, "ended", 15)
        # Those that wait are served, in order.
        waiting = {c.number: c for c in of("waiting")}
        for c in [*waiting.values(), *foreign.values()]:
            c.ending = time.time()
        served, by_server = [], collections.defaultdict(list)
        seen = set(id(d) for d in self.ex.incoming)
        self.log_in(self.servers)
        mine = {self.agents[a][0] for a in self.servers}
        end = time.monotonic() + 20
        while time.monotonic() < end and len(served) < len(self.order) + len(self.patient):
            with self.ex.changed:
                new = self.ex.changed.wait_for(lambda: [d for d in self.ex.incoming if id(d) not in seen and d.phone in mine], max(0.0, end - time.monotonic()))
            for d in new:
                seen.add(id(d))
                served.append(d.caller)
                by_server[d.phone].append(d.caller)
                try:
                    d.wait(lambda: d.acked or d.ended, 5)
                except AssertionError as e:
                    if d.caller in waiting:
                        waiting[d.caller].fail(str(e))
                if d.caller in waiting:
                    waiting[d.caller].agent = d
                d.bye()
        self.by_server = by_server
        for n, c in waiting.items():
            if n not in served:
                c.fail("was not served")
            else:
                attempt(c, c.dialog.wait, "ended", 5)
        # The rest hangs up, one side or the other.
        for group in self.strangers:
            for s, why in group.end():
                foreign[id(s)].fail(why)
        rest = [c for c in ours if c.ending is None]
        for i, c in enumerate(rest):
            c.ending = time.time()
            (c.agent if c.agent and c.agent.answered and i % 2 else c.dialog).bye()
        for c in [c for c in ours if c.state != "waiting"]:
            for d in (c.dialog, c.agent):
                if d:
                    attempt(c, d.wait, "ended", 10)

    def close(self):
        for s in self.situations:
            s.close()
        for group in self.strangers:
            group.close()

    def hang_up_rest(self):
        with self.ex.changed:
            left = [d for d in self.ex.dialogs.values() if not d.ended]
        for d in left:
            d.bye()
