/* What callers do in menus, in queues, and when they are asked where they may be called back; each key is followed by a command. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_owner.h"

void keys_menu(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallMenu menu = EV__CALL_MENU__INIT;
    Ev__CallQueue queue = EV__CALL_QUEUE__INIT;
    Ev__CallDial dial = EV__CALL_DIAL__INIT;
    Ev__RecordBegin record;
    char flow[] = "welcome", node[8], service[] = "service", vip[] = "vip", agent[] = "1001", ext[] = "8006";
    switch (sim_below(s, 8)) {
    case 0:
    case 1:
        (void)snprintf(node, sizeof node, "n%u", (unsigned)sim_below(s, 10));
        cmd.body_case = EV__COMMAND__BODY_CALL_MENU;
        cmd.call_menu = &menu;
        menu.call_id = k->id;
        menu.flow = flow;
        menu.node = node;
        if (sim_chance(s, 70) && message_begin(s, n, &record))
            menu.record = &record;
        break;
    case 2:
    case 3:
    case 4:
        cmd.body_case = EV__COMMAND__BODY_CALL_QUEUE;
        cmd.call_queue = &queue;
        queue.call_id = k->id;
        queue.queue = sim_chance(s, 60) ? service : vip;
        break;
    case 5:
    case 6:
        cmd.body_case = EV__COMMAND__BODY_CALL_DIAL;
        cmd.call_dial = &dial;
        dial.call_id = k->id;
        if (sim_chance(s, 50)) {
            agent[3] = (char)('1' + sim_below(s, SIM_AGENTS));
            dial.agent = agent;
        } else {
            dial.extension = ext;
        }
        break;
    default:
        ocall_end(s, n, k, "system", "flow_end");
        return;
    }
    raft_propose(s, n, &cmd, SIM_P_CALL, ocall_index(n, k), k->epoch);
}

static void look_later(struct sim *s, struct sim_node *n, struct sim_ocall *k)
{
    struct sim_event ev = {.type = EV_MENU, .node = n->i, .life = n->life, .a = ocall_index(n, k), .b = ++k->timer};
    sim_at(s, s->now + sim_between(s, 50, 1500) * SIM_MS, ev);
}

/* Waiting, or asked for his number: a key comes, later. */
void keys_follow(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    if (c->phase == CORE_CALL_WAITING && strcmp(c->queue, "back") == 0 && sim_chance(s, 85))
        look_later(s, n, k);
    if (c->phase == CORE_CALL_APP && strcmp(c->app, "callback") == 0)
        look_later(s, n, k);
}

void keys_queue(struct sim *s, struct sim_node *n, struct sim_ocall *k, const struct core_call *c)
{
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__CallQueue key = EV__CALL_QUEUE__INIT;
    Ev__CallBackAsk ask = EV__CALL_BACK_ASK__INIT;
    char two[] = "2", number[16];
    (void)snprintf(number, sizeof number, "%s", sim_chance(s, 85) ? c->caller : "");
    if (c->phase == CORE_CALL_WAITING) {
        cmd.body_case = EV__COMMAND__BODY_CALL_QUEUE;
        cmd.call_queue = &key;
        key.call_id = k->id;
        key.choice = two;
    } else if (c->phase == CORE_CALL_APP) {
        cmd.body_case = EV__COMMAND__BODY_CALL_BACK_ASK;
        cmd.call_back_ask = &ask;
        ask.call_id = k->id;
        ask.number = number;
    } else {
        return;
    }
    sim_maybe_strike(s, n, 3);
    raft_propose(s, n, &cmd, SIM_P_CALL, ocall_index(n, k), k->epoch);
}
