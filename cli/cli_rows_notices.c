/* Rows of areas, and of notices for their callers. */
#include "cli/cli_rows.h"
#include "cli/cli_run.h"

static const struct cli_option area_filters[] = {
    TEXT("parent", "NAME", "parent", "only what lies directly within this area", "@area"),
    LIMIT,
    END,
};
static const struct cli_option area_fields[] = {
    TEXT("name-zh", "TEXT", "name_zh", "name for people, in Chinese", NULL),
    TEXT("name-en", "TEXT", "name_en", "name for people, in English", NULL),
    TEXT("parent", "NAME", "parent", "the area that it lies within; \"\" for none", "@area"),
    {"numbers", 0, CLI_LIST, "NUMBER", "numbers",
     "where its callers call from: 0212*, 13800000000-13800999999; all anew: repeat it or separate by commas", NULL,
     true},
    BOOL("mass", "mass", "whether who calls again is answered at once with the notice that he has heard"),
    END,
};
static const struct cli_option notice_filters[] = {
    TEXT("area", "NAME", "areas", "only those that name this area", "@area"),
    TEXT("state", "WORD", "state", "only those that hold now, later, are over, or disabled", "now later over disabled"),
    LIMIT,
    END,
};
static const struct cli_option notice_fields[] = {
    TEXT("title", "TEXT", "title", "for people", NULL),
    {"areas", 0, CLI_LIST, "NAME", "areas",
     "whose callers it concerns, with all areas within; all anew: repeat it or separate by commas; \"\" for everybody",
     "@area", true},
    TEXT("from", "TIME", "from", "when it begins to hold: 2026-11-22T08:00 in the zone, or 2026-11-22T08:00:00+08:00",
         NULL),
    TEXT("until", "TIME", "until", "when it stops; \"\": when it is removed", NULL),
    TEXT("zone", "ZONE", "zone", "time zone of these times: Asia/Shanghai", NULL),
    TEXT("text-zh", "TEXT", "text_zh", "what is said in Chinese, by synthesis", NULL),
    TEXT("text-en", "TEXT", "text_en", "what is said in English, by synthesis", NULL),
    TEXT("prompt", "NAME", "prompt", "what is played instead of the texts: a prompt that was uploaded", "@prompt"),
    TEXT("short-zh", "TEXT", "short_zh", "what a repeat caller hears in Chinese (default: the whole)", NULL),
    TEXT("short-en", "TEXT", "short_en", "what a repeat caller hears in English (default: the whole)", NULL),
    TEXT("short-prompt", "NAME", "short_prompt", "what a repeat caller hears, as a prompt", "@prompt"),
    NUMBER("order", "N", "order", "the smallest is heard first"),
    BOOL("automatic", "automatic", "whether it is heard by itself before what the number leads to"),
    TEXT("play", "HOW", "play", "by itself: always (default), or once within repeat-h", "always once"),
    TEXT("skip", "KEY", "skip", "any key ends it (default), or none", "any none"),
    BOOL("mass", "mass", "whether who calls again within repeat-h is answered with its short form at once"),
    NUMBER("repeat-h", "HOURS", "repeat_h", "how long a caller is one who has heard it (default 24)"),
    BOOL("disabled", "disabled", "whether it is switched off"),
    END,
};
static const struct cli_option notice_test[] = {
    TEXT("caller", "NUMBER", "caller", "the number he calls from (default: withheld)", NULL),
    TEXT("called", "NUMBER", "called", "the number he calls, for its region", "@access-number"),
    TEXT("area", "NAME", "area", "where he is, whatever his number says", "@area"),
    TEXT("at", "TIME", "at", "at this time: 2026-10-01T09:30:00+08:00, or \"2026-10-01 09:30\" here (default: now)",
         NULL),
    END,
};

#define AREA_COLUMNS                                                                                 \
    "NAME=name ZH=name_zh EN=name_en PARENT=parent NUMBERS=numbers MASS=mass/yes | VERSION=version " \
    "UPDATED=updated_at/time"
#define NOTICE_COLUMNS                                                                                     \
    "NAME=name TITLE=title AREAS=areas STATE=state FROM=from_at/time UNTIL=until_at/time "                 \
    "AUTOMATIC=automatic/yes MASS=mass/yes HEARD=stats.heard | ORDER=order PLAY=play SKIP=skip ZONE=zone " \
    "REPEAT-H=repeat_h VERSION=version UPDATED=updated_at/time"
#define STATS_COLUMNS                                                                                  \
    "NAME=name STATE=state BEGAN=stats.began HEARD=stats.heard SKIPPED=stats.skipped MENU=stats.menu " \
    "AGAIN=stats.again REPEATS=stats.repeats WENT-ON=stats.went_on LAST=stats.last_at/time"

const struct cli_verb cli_rows_notices[] = {
    V("area", "list", "where callers are", .method = "GET", .path = "/v1/areas", .columns = AREA_COLUMNS,
      .options = area_filters, .run = cli_run_list, .example = "area list\narea list --parent shanghai"),
    V("area", "show", "one area", .args = "NAME", .method = "GET", .path = "/v1/areas/{NAME}", .run = cli_run_show,
      .example = "area show pudong"),
    V("area", "set", "create an area or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/areas/{NAME}", .options = area_fields, .done = "area {NAME} set", .run = cli_run_set,
      .example =
          "area set shanghai --name-zh 上海 --numbers \"021*\"\n"
          "area set pudong --parent shanghai --numbers \"0215*,13800000000-13800999999\"\narea set pudong --mass yes"),
    V("area", "remove", "remove an area that no notice and no other area names", .args = "NAME", .method = "DELETE",
      .path = "/v1/areas/{NAME}", .done = "area {NAME} removed", .run = cli_run_change,
      .example = "area remove pudong"),

    V("notice", "list", "what callers of an area are told", .method = "GET", .path = "/v1/notices",
      .columns = NOTICE_COLUMNS, .options = notice_filters, .run = cli_run_list,
      .example = "notice list\nnotice list --state now --area pudong"),
    V("notice", "show", "one notice", .args = "NAME", .method = "GET", .path = "/v1/notices/{NAME}",
      .run = cli_run_show, .example = "notice show water"),
    V("notice", "set", "create a notice or change the given fields", .args = "NAME", .method = "PATCH",
      .path = "/v1/notices/{NAME}", .options = notice_fields, .done = "notice {NAME} set", .run = cli_run_set,
      .example =
          "notice set water --areas pudong --zone Asia/Shanghai --from 2026-11-22T08:00 --until 2026-11-22T20:00 "
          "--text-zh 今晚八点前浦东停水。 --text-en \"No water in Pudong until eight.\" --automatic yes\n"
          "notice set water --mass yes --short-zh 停水仍在抢修。"),
    V("notice", "remove", "remove a notice and its counts", .args = "NAME", .method = "DELETE",
      .path = "/v1/notices/{NAME}", .done = "notice {NAME} removed", .run = cli_run_change,
      .example = "notice remove water"),
    V("notice", "stats", "how many callers have heard which notice", .method = "GET", .path = "/v1/notices",
      .columns = STATS_COLUMNS, .options = notice_filters, .run = cli_run_list,
      .example = "notice stats\nnotice stats --state now -o csv"),
    V("notice", "test", "which notices a caller would be told, and in which area he is", .method = "GET",
      .path = "/v1/notices:test", .options = notice_test,
      .columns = "NAME=name TITLE=title AUTOMATIC=automatic/yes MASS=mass/yes", .run = cli_run_notice_test,
      .example =
          "notice test --caller 02151234567 --called 10000\nnotice test --area pudong --at \"2026-11-22 09:00\""),
    {.noun = NULL},
};
