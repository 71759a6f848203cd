/* Rows of the rules of forwarding. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

#define WHENS "always busy no_answer unavailable"
#define WHEN(help) TEXT("when", "WORD", "when", help, WHENS)
#define HOW                                                                                                            \
    WHEN("always, busy (he talks, or refuses), no_answer, unavailable (logged out, or his telephone not registered)"), \
        ACTION("to", "to",                                                                                             \
               "agent:NUMBER, extension:NUMBER, queue:NAME, flow:NAME, outside:NUMBER, voicemail (his own box) or "    \
               "voicemail:BOX"),                                                                                       \
        NUMBER("after", "SECONDS", "after_s", "of no_answer: so long he is rung (default 20)"),                        \
        TEXT("time-group", "NAME", "time_group", "only while it is open (default: at all times)", "@time-group")

const struct cli_option cli_forward_fields[] = {HOW, END};
const struct cli_option cli_forward_off[] = {WHEN("which: always, busy, no_answer or unavailable"), END};

static const struct cli_option filters[] = {
    TEXT("agent", "NUMBER", "agent", "only rules of this agent", "@agent"),
    TEXT("extension", "NUMBER", "extension", "only rules of this telephone", "@extension"),
    WHEN("only rules of this kind"),
    LIMIT,
    END,
};
static const struct cli_option fields[] = {
    TEXT("agent", "NUMBER", "agent", "whose calls: this agent's", "@agent"),
    TEXT("extension", "NUMBER", "extension", "or this telephone's", "@extension"),
    HOW,
    NUMBER("order", "N", "order", "of those that apply the smallest, then the first by name"),
    BOOL("disabled", "disabled", "whether it is switched off"),
    END,
};

#define COLUMNS                                                                                              \
    "NAME=name AGENT=agent EXTENSION=extension WHEN=when TO=to.type TARGET=to.target TIME-GROUP=time_group " \
    "DISABLED=disabled/yes | ORDER=order AFTER=after_s VERSION=version UPDATED=updated_at/time"

const struct cli_verb cli_rows_forward[] = {
    V("forward", "list", "where calls go that are for somebody else at first", .method = "GET", .path = "/v1/forwards",
      .columns = COLUMNS, .options = filters, .run = cli_run_list,
      .example = "forward list\nforward list --agent 1001"),
    V("forward", "show", "one rule", .args = "NAME", .method = "GET", .path = "/v1/forwards/{NAME}",
      .run = cli_run_show, .example = "forward show agent-1001-busy"),
    V("forward", "set", "create a rule or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/forwards/{NAME}", .options = fields, .done = "forward {NAME} set", .run = cli_run_set,
      .example = "forward set night --agent 1001 --when always --time-group night --to outside:13800001111\n"
                 "forward set desk --extension 8001 --when no_answer --after 15 --to queue:service"),
    V("forward", "delete", "remove a rule", .args = "NAME", .method = "DELETE", .path = "/v1/forwards/{NAME}",
      .done = "forward {NAME} deleted", .run = cli_run_change, .example = "forward delete night"),
    {.noun = NULL},
};
