/* Forwarding (core/core_forward.c) as telephones and trunks see it: the codes by which it is set, and what an INVITE to somebody outside says of
 * it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "node/call_int.h"

/* ---- codes */

static void code_done(struct call *k, int status, const struct core_answer *a)
{
    const struct core_call *s = call_state(k);
    if (k->ending || k->gone || !s)
        return;
    if (status || a->code)
        log_info("call", "%s: code refused: %s", k->text_id, status ? err_text(status) : a->text);
    call_app_say(k, status || a->code ? "agent_code_failed" : s->app_argument[0] ? "forward_on" : "forward_off");
}

/* As people dial it: *57*8002# as well as *578002. */
static void bare(const char *argument, char *number, size_t size)
{
    (void)snprintf(number, size, "%s", argument[0] == '*' ? argument + 1 : argument);
    size_t n = strlen(number);
    if (n && number[n - 1] == '#')
        number[n - 1] = '\0';
}

bool call_forward_code(struct call *k, const struct core_call *s)
{
    static const char prefix[] = "code:forward_";
    if (strncmp(s->app, prefix, sizeof prefix - 1) != 0)
        return false;
    Ev__Command cmd = EV__COMMAND__INIT;
    Ev__ForwardSet m = EV__FORWARD_SET__INIT;
    char actor[80], number[80];
    snprintf(actor, sizeof actor, "phone:%s", s->extension);
    bare(s->app_argument, number, sizeof number);
    cmd.actor = actor;
    cmd.body_case = EV__COMMAND__BODY_FORWARD_SET;
    cmd.forward_set = &m;
    m.telephone = (char *)(uintptr_t)s->extension;
    m.when = (char *)(uintptr_t)(s->app + sizeof prefix - 1);
    m.dialled = number;
    if (call_propose(k, &cmd, code_done))
        call_app_say(k, "agent_code_failed");
    return true;
}

/* ---- headers */

/* Of a call that goes outside by rules of forwarding: for whom it was, as the number that the trunk knows him by. Diversion is what most
 * carriers look at (RFC 5806), History-Info (RFC 7044) its successor, whose causes are those of RFC 4458. */
const char *call_forward_headers(const struct call *k, const struct core_call *s, const char *number,
                                 char text[CALL_HEADERS_MAX])
{
    static const struct {
        const char *why, *reason;
        int status;
    } reasons[] = {{"always", "unconditional", 302},
                   {"busy", "user-busy", 486},
                   {"no_answer", "no-answer", 408},
                   {"unavailable", "unavailable", 480}};
    const struct node *n = call_node(k);
    const Ev__Trunk *t = core_trunk(n->core, s->out_trunk);
    const Ev__CallForward *f = s->forward;
    const char *contact = f && t ? core_trunk_contact(n->core, s->out_trunk) : NULL;
    if (!contact || !f->shown[0])
        return NULL;
    const char *at = strchr(contact, '@'), *host = at ? at + 1 : contact + strlen("sip:");
    int len = (int)strcspn(host, ";");
    size_t i = 0;
    while (i + 1 < sizeof reasons / sizeof *reasons && strcmp(reasons[i].why, f->why) != 0)
        i++;
    bool both = strcmp(t->diversion, "both") == 0, history = both || strcmp(t->diversion, "history_info") == 0;
    bool diversion = both || !t->diversion[0] || strcmp(t->diversion, "diversion") == 0;
    size_t used = 0;
    text[0] = '\0';
    if (diversion)
        used = (size_t)snprintf(text, CALL_HEADERS_MAX, "Diversion: <sip:%.40s@%.*s>;reason=%s;counter=%u\r\n",
                                f->shown, len, host, reasons[i].reason, f->hops);
    if (history)
        (void)snprintf(text + used, CALL_HEADERS_MAX - used,
                       "History-Info: <sip:%.40s@%.*s>;index=1,"
                       "<sip:%.40s@%.*s;cause=%d>;index=1.1;mp=1\r\n",
                       f->shown, len, host, number, len, host, reasons[i].status);
    return text[0] ? text : NULL;
}
