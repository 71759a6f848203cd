"""What queues and menus do beyond waiting and ringing, as situations of a round: each makes its calls, knows what happens in the instant of the fault
and what has to become of them afterwards. Their calls are among those of the load, so the verdict on sound, sources, owners and
records is the same for them; what is particular to a situation it says itself (`Call.fail`).

    ring all         three telephones ring; afterwards one of them answers and the others are called off
    crossing         all three answer in the instant of the fault: one has the caller, the others are hung up on
    preferred        the agent of the highest level rings; he refuses afterwards, and the next level rings
    announced        hears his place by the wait clock, before and after (judge.announced); then leaves by a key
    key              presses the key in the instant: it is done once, or he can press it again
    collecting       half-way through four digits in a flow that another one called; a time node and two variables after them
    asking           at an http node whose business system has not answered yet
    max wait         falls due just before, while nobody owns the call, and a little later: a flow
    overflow         likewise, into a queue whose agents are free
    outside          talks to a number outside from a flow; outside rings: it rings there

Beside them agents: some in a state of their own that ends while the fault lasts, or does not; those who talk are members of a second queue with another
wrap-up."""
import itertools
import threading
import time

from business import Business
from everline import until, wait_for

ALL_DAY = {d: ["00:00-24:00"] for d in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")}
PROMPTS = ["main_menu"] * 12
FIRST_S, EVERY_S = 2, 5     # announcements
REST_S = 5                  # of the state that ends by itself
NET = {"address": 1, "reinvite": 2, "tcp": 3}


def chosen():
    """Where keys and times lead: 5 ends the call, and so does a key that was taken twice."""
    return {"name": "chosen", "languages": ["en"], "start": "main", "nodes": {
        "main": {"type": "menu", "prompts": PROMPTS, "timeout_s": 60, "keys": {"5": "bye", "1": "bye"}, "retries": 0}, "bye": {"type": "hangup"}}}


class Situation:
    plan = {}                # state: calls at the struck node, by way

    def __init__(self, load):
        self.load, self.ex, self.calls = load, load.ex, []

    def of(self, state):
        return [c for c in self.calls if c.state == state]

    def configure(self, doc, agent):
        """`agent(way, queue, conduct)`: a new one, who is logged in before the calls come."""

    def dial(self, state, way, number):
        c = self.load.call(state, way, self.load.victim, number)
        c.special = self
        self.calls.append(c)
        return c

    def begin(self):
        pass

    def begin_last(self, left_s):
        """In the last second: the fault strikes so many seconds from now."""

    def instant(self):
        """(call, what is done then), for each."""
        return []

    def go_on(self):
        """Until what the situation is about is over, and those who still talk have someone to talk to."""

    def close(self):
        pass

    def legs(self, c):
        with self.ex.changed:
            return [d for d in self.ex.incoming if d.caller == c.number]

    def leave_by_5(self, c):
        c.ending = time.time()
        c.dialog.digits("5")
        c.dialog.wait("ended", 15)

    def seen(self, c):
        rows = self.load.cluster.alive()[0].api("GET", "/v1/calls?caller=" + c.number).json["items"]
        return rows[0] if rows else {}

    def comes_to(self, c, deadline=10, **fields):
        wait_for(lambda: all(self.seen(c).get(k) == v for k, v in fields.items()), deadline, "%r is at %s, not %s" % (c, fields, self.seen(c)))

    def each(self, what, calls=None):
        """All at once, so that one that has to be waited for does not hold up the others."""
        def one(c):
            try:
                what(c)
            except AssertionError as e:
                c.fail("%s: %s" % (time.strftime("%H:%M:%S"), str(e)[:300]))
        threads = [threading.Thread(target=one, args=(c,), daemon=True) for c in (self.calls if calls is None else calls)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


class RingAll(Situation):
    plan = {"ring all": {"address": 2, "reinvite": 1}, "crossing": {"address": 2, "reinvite": 1}}

    def configure(self, doc, agent):
        for i, (state, ways) in enumerate(self.plan.items()):
            for way, n in ways.items():
                name = "%s-%s" % (state.replace(" ", "-"), way)
                queue = {"name": name, "strategy": "ring_all", "ring_max": 3, "ring_time_s": 120, "wrap_up_s": 0, "members": []}
                doc["queues"].append(queue)
                doc["access_numbers"].append({"number": "13%d%d0" % (i, NET[way]), "queue": name})
                for _ in range(3 * n):
                    agent(way, queue, "ring")

    def begin(self):
        for i, (state, ways) in enumerate(self.plan.items()):
            for way, n in ways.items():
                for _ in range(n):
                    self.dial(state, way, "13%d%d0" % (i, NET[way])).dialog.wait("answered")
        for c in self.calls:
            wait_for(lambda: len(self.legs(c)) == 3, 10, "%r rings at three" % c)

    def instant(self):
        return [(c, d._answer) for c in self.of("crossing") for d in self.legs(c)]

    def live(self, c):
        """Not those who have picked up and are heard by nobody: without the address of the node that rang them their 200 finds no one, and they give
        up after 64*T1 (docs/failover.md)."""
        return [d for d in self.legs(c) if not d.ended and not (c.way == "reinvite" and d.answered and not d.acked)]

    def won(self, c, deadline):
        """One leg has the caller, all others are over."""
        def one():
            live = self.live(c)
            return live[0] if len(live) == 1 and live[0].acked and live[0].answered else None
        return wait_for(one, deadline, "one telephone has %r, no other rings: %s" % (c, self.legs(c)))

    def rings(self, c):
        def three():
            live = self.live(c)
            return live if len(live) == 3 and not any(d.answered for d in live) else None
        for_all = wait_for(three, 10, "%r rings at three: %s" % (c, self.legs(c)))
        self.load.random.choice(for_all).answer()
        c.agent = self.won(c, 10)

    def crossed(self, c):
        """Where their first owner died before it took an answer they ring again."""
        for _ in range(5):
            live = self.live(c)
            if live and not any(d.answered for d in live):
                live[0].answer()
            try:
                c.agent = self.won(c, 2)
                break
            except AssertionError:
                pass
        c.agent = self.won(c, 2)
        for d in self.legs(c):
            if not d.ended and d is not c.agent:
                d.bye()

    def go_on(self):
        self.each(lambda c: self.rings(c) if c.state == "ring all" else self.crossed(c))


class Preferred(Situation):
    plan = {"preferred": {"address": 1, "reinvite": 1}}
    LEVELS = (1, 9, 5)

    def configure(self, doc, agent):
        self.phones = {}
        for way in self.plan["preferred"]:
            queue = {"name": "preferred-" + way, "strategy": "login_order", "preferences": ["level"], "ring_time_s": 120, "wrap_up_s": 0, "members": []}
            doc["queues"].append(queue)
            doc["access_numbers"].append({"number": "14%d0" % NET[way], "queue": queue["name"]})
            self.phones[way] = {}
            for level in self.LEVELS:
                a = agent(way, queue, "ring")
                queue["members"][-1]["level"] = level
                self.phones[way][level] = (a, self.load.agents[a][0])

    def begin(self):
        for way in self.plan["preferred"]:
            c = self.dial("preferred", way, "14%d0" % NET[way])
            c.dialog.wait("answered")
            self.at_level(c, 9)

    def at_level(self, c, level):
        phone = self.phones[c.way][level][1]

        def rings():
            live = [d for d in self.legs(c) if not d.ended]
            return live[0] if [d.phone for d in live] == [phone] else None
        return wait_for(rings, 10, "%r rings at level %d: %s" % (c, level, self.legs(c)))

    def refused(self, c):
        self.at_level(c, 9).bye()
        c.agent = self.at_level(c, 5)
        c.agent.answer()
        c.agent.wait(lambda: c.agent.acked, 5)

    def go_on(self):
        self.each(self.refused)
        for c in self.calls:
            a = self.phones[c.way][9][0]
            wait_for(lambda: self.load.cluster.alive()[0].api("GET", "/v1/agents/" + a).json["state"] == "not_ready", 5, "%s has refused" % a)
            self.load.do(a, "set-state", {"state": "ready"})


class Announced(Situation):
    plan = {"announced": {"address": 2, "reinvite": 1}, "key": {"address": 3, "reinvite": 1}}

    def configure(self, doc, agent):
        doc["flows"].append(chosen())
        doc["queues"].append({"name": "told", "strategy": "longest_idle", "music": "silence", "announce": ["position"], "announce_first_s": FIRST_S,
                              "announce_every_s": EVERY_S, "keys": [{"key": "1", "action": {"type": "flow", "target": "chosen"}}], "members": []})
        doc["access_numbers"].append({"number": "15000", "queue": "told", "language": "en"})

    def begin(self):
        for state, ways in self.plan.items():
            for way, n in ways.items():
                for _ in range(n):
                    self.dial(state, way, "15000").dialog.wait("answered")

    def instant(self):
        return [(c, lambda d=c.dialog: d.digits("1")) for c in self.of("key")]

    def leaves(self, c):
        if c.state == "announced":
            self.comes_to(c, phase="waiting")
            c.dialog.digits("1")
        else:
            try:
                self.comes_to(c, 1, phase="menu")
            except AssertionError:  # it was not taken
                self.comes_to(c, phase="waiting")
                c.dialog.digits("1")
        self.comes_to(c, phase="menu", flow="chosen")
        c.moved_on = time.time()
        self.leave_by_5(c)

    def go_on(self):
        self.each(self.leaves)


class Flows(Situation):
    plan = {"collecting": {"address": 3, "reinvite": 1, "tcp": 1}, "asking": {"address": 2, "reinvite": 1}}

    def configure(self, doc, agent):
        self.go = threading.Event()
        self.business = Business(self.load.cluster.network.real_client(), self.reply)
        wait = {"prompts": PROMPTS, "timeout_s": 60, "digit_timeout_s": 60}
        good = {"type": "menu", "prompts": PROMPTS, "timeout_s": 60, "keys": {"5": "bye"}, "retries": 0}
        doc["time_groups"] = [dict(ALL_DAY, name="always", zone="Asia/Shanghai"), {"name": "never", "zone": "Asia/Shanghai"}]
        doc["flows"] += [
            {"name": "digits", "languages": ["en"], "start": "ask", "variables": {"account": ""}, "nodes": {
                "ask": {"type": "collect", "variable": "account", "min": 4, "max": 4, "next": "back", **wait}, "back": {"type": "return"}}},
            {"name": "account", "languages": ["en"], "start": "who", "variables": {"who": "", "account": ""}, "nodes": {
                "who": {"type": "set", "set": {"who": "${caller}"}, "next": "sub"},
                "sub": {"type": "flow", "flow": "digits", "next": "hours", "on_fail": "bye"},
                "hours": {"type": "time", "cases": [{"group": "never", "next": "bye"}, {"group": "always", "next": "right"}], "else": "bye"},
                "right": {"type": "branch", "cases": [{"if": "account == '1234' and who == caller", "next": "good"}], "else": "bye"},
                "good": good, "bye": {"type": "hangup"}}},
            {"name": "asking", "languages": ["en"], "start": "ask", "variables": {"due": ""}, "nodes": {
                "ask": {"type": "http", "url": self.business.url + "/bills/${caller}", "timeout_s": 30, "answer": {"due": "$.due"}, "next": "right", "on_error": "bye"},
                "right": {"type": "branch", "cases": [{"if": "due == caller", "next": "good"}], "else": "bye"},
                "good": good, "bye": {"type": "hangup"}}}]
        doc["access_numbers"] += [{"number": "16000", "flow": "account"}, {"number": "16001", "flow": "asking"}]

    def reply(self, request):
        self.go.wait()
        return 200, {"due": request.path.rpartition("/")[2]}

    def asked(self, c):
        with self.business.lock:
            return any(r.path == "/bills/" + c.number for r in self.business.asked)

    def begin(self):
        for state, ways in self.plan.items():
            for way, n in ways.items():
                for _ in range(n):
                    c = self.dial(state, way, "16000" if state == "collecting" else "16001")
                    c.dialog.wait("answered")
                    if state == "collecting":
                        c.dialog.digits("12")
        for c in self.of("asking"):
            wait_for(lambda: self.asked(c), 10, "%r: the business system is asked" % c)

    def instant(self):
        threading.Timer(2, self.go.set).start()
        return []

    def finishes(self, c):
        if c.state == "collecting":
            c.dialog.digits("34")
        self.comes_to(c, phase="menu", flow_node="good")
        self.leave_by_5(c)

    def go_on(self):
        self.each(self.finishes)

    def close(self):
        self.go.set()
        self.business.close()


class Due(Situation):
    """Rules that fall due 0.3 s before the fault, 0.1, 0.5 and 1.2 s after it."""

    plan = {"max wait": {"address": 4, "reinvite": 2}, "overflow": {"address": 2, "reinvite": 1}}
    WHEN = (0.1, 0.5, 1.2, -0.3)
    WAIT_S = 2

    def configure(self, doc, agent):
        doc["queues"].append({"name": "patience", "strategy": "longest_idle", "max_wait_s": self.WAIT_S, "max_wait_action": {"type": "flow", "target": "chosen"}, "members": []})
        doc["access_numbers"].append({"number": "17000", "queue": "patience"})
        for way, n in self.plan["overflow"].items():
            helpers = {"name": "helpers-" + way, "strategy": "longest_idle", "wrap_up_s": 0, "ring_time_s": 120, "members": []}
            doc["queues"] += [helpers, {"name": "spill-" + way, "strategy": "longest_idle", "members": [],
                                        "overflow": [{"queue": helpers["name"], "after_wait_s": self.WAIT_S}]}]
            doc["access_numbers"].append({"number": "1710%d" % NET[way], "queue": "spill-" + way})
            for _ in range(n):
                agent(way, helpers, "answer")

    def begin_last(self, left_s):
        strikes, todo = time.monotonic() + left_s, []
        for state, ways in self.plan.items():
            for way, n in ways.items():
                todo += [(self.WHEN[i] - self.WAIT_S, state, way) for i in range(n)]
        for when, state, way in sorted(todo):
            until(strikes + when, "a rule falls due around the fault")
            self.dial(state, way, "17000" if state == "max wait" else "1710%d" % NET[way])

    def follow(self, c):
        if c.state == "max wait":
            self.comes_to(c, phase="menu", flow="chosen")
            self.leave_by_5(c)
            return
        c.agent = wait_for(lambda: self.load.to_agent(c, True), 10, "%r talks" % c)
        c.agent.wait(lambda: c.agent.acked, 5)

    def go_on(self):
        self.each(self.follow)


class Outside(Situation):
    plan = {"outside": {"address": 2, "reinvite": 1}, "outside rings": {"address": 1}}

    def configure(self, doc, agent):
        self.carriers, numbers = [], itertools.count(1)
        doc["parameters"] = [{"name": "outside_prefix", "value": "9"}]
        for state, ways in self.plan.items():
            for way, n in ways.items():
                for _ in range(n):
                    i = next(numbers)
                    phone = self.ex.phone(self.load.address(way), "carrier%d" % i, self.load.transport(way))
                    phone.conduct = "answer" if state == "outside" else "ring"
                    doc["trunks"].append({"name": "carrier-%d" % i, "contact": phone.uri, "outbound": True, "takeover": "reinvite" if way == "reinvite" else "address"})
                    doc["flows"].append({"name": "out-%d" % i, "languages": ["en"], "start": "out", "nodes": {
                        "out": {"type": "outside", "number": "+861085550%03d" % i, "trunk": "carrier-%d" % i, "ring_time_s": 120, "on_fail": "bye"},
                        "bye": {"type": "hangup"}}})
                    doc["access_numbers"].append({"number": "180%02d" % i, "flow": "out-%d" % i})
                    self.carriers.append((state, way, "180%02d" % i, phone))

    def begin(self):
        for state, way, number, phone in self.carriers:
            c = self.dial(state, way, number)
            c.carrier = phone
        for c in self.calls:
            c.agent = wait_for(lambda: self.there(c, c.state == "outside"), 10, "%r: the carrier is called" % c)

    def there(self, c, answered):
        with self.ex.changed:
            live = [d for d in self.ex.incoming if d.phone is c.carrier and not d.ended and (d.answered or not answered)]
        return live[-1] if live else None

    def answered(self, c):
        c.agent = wait_for(lambda: self.there(c, False), 10, "%r rings" % c)
        c.agent.answer()
        c.agent.wait(lambda: c.agent.acked, 5)

    def go_on(self):
        self.each(self.answered, self.of("outside rings"))


class Agents(Situation):
    """No calls: agents in states of their own, two of which end while the fault lasts."""

    def configure(self, doc, agent):
        doc["agent_states"] = [{"name": "rest", "limit_s": REST_S}, {"name": "desk", "limit_s": 3600}]
        queue = {"name": "resting", "strategy": "longest_idle", "members": []}
        doc["queues"].append(queue)
        self.rest = [agent("address", queue, "ring") for _ in range(2)]
        self.desk = [agent("address", queue, "ring") for _ in range(2)]
        talkers = [m for q in doc["queues"] if q["name"].startswith("talk-") for m in q["members"]]
        doc["queues"].append({"name": "side", "strategy": "longest_idle", "wrap_up_s": 300, "members": [{"agent": m["agent"]} for m in talkers]})

    def begin(self):
        for a in self.desk:
            self.load.do(a, "set-state", {"state": "desk"})
            self.load.resting[a] = "desk"

    def begin_last(self, left_s):
        for a in self.rest:
            self.load.do(a, "set-state", {"state": "rest"})


SITUATIONS = (RingAll, Preferred, Announced, Flows, Due, Outside, Agents)
