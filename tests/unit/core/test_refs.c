/* References between configuration objects: each field that names another object keeps that one from being removed, and takes none that is
 * not there. The table below has a line for each such field; the first tests see to it that no field is without. */
#include "core/core_int.h"
#include "core/refs.h"
#include "tests/unit/core/core_fixture.h"
#include "tests/unit/suite.h"

static struct fx f;

#define SOUND                                                                                    \
    "'sounds':[{'language':'en','current':1,'versions':[{'version':1,'bytes':4,'duration_ms':1," \
    "'sha256':'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}]}]"

/* What there is to be named, in an order in which it can be removed. */
static const char targets[] =
    "[{'kind':'secret','name':'key','value':'x'},{'kind':'lookup','name':'crm','url':'https://crm.example/'},"
    "{'kind':'trunk','name':'line','outbound':true,'contact':'sip:127.0.0.1:5099'},{'kind':'holiday_list','name':'days','days':[]},"
    "{'kind':'time_group','name':'hours','tz':'CST-8'},{'kind':'extension','number':'8101'},{'kind':'extension','number':'8102'},"
    "{'kind':'agent','number':'1101','extension':'8102'},{'kind':'agent_group','name':'team'},{'kind':'queue','name':'spare'},"
    "{'kind':'flow','name':'side','definition':{'nodes':{}}},{'kind':'area','name':'east'},"
    "{'kind':'access_number','number':'77','app':'echo'},"
    "{'kind':'prompt','name':'tune'," SOUND "}]";

#define NODE(fields) "'definition':{'name':'u','start':'n','nodes':{'n':{" fields "}}}"
#define QUEUE "queue", "u", "'name':'u',"
#define FLOW(target, fields, path) target, "flow", "u", "'name':'u'," NODE(fields), "", "definition.nodes.n." path
#define DRAFT(target, fields, path) target, "flow_draft", "u", "'name':'u'," NODE(fields), "", "definition.nodes.n." path
#define NUMBER "access_number", "u", "'number':'u',"
#define PLACE "access_number", "u", "'number':'u','app':'echo','schedule':[{'time_group':'hours',"

static const struct line {
    const char *target;         /* "kind/name" */
    const char *kind, *user;    /* who names it */
    const char *fields;         /* of that one, in all */
    const char *row;            /* of the table in core/refs.c; "": of core/refs_flow.c or core/action.c */
    const char *path;           /* where it does */
    bool loose;
} lines[] = {
    {"extension/8101", "agent", "u", "'number':'u','extension':'8101'", "Agent.extension", "extension", false},
    {"agent_group/team", "agent", "u", "'number':'u','extension':'8101','group':'team'", "Agent.group", "group", true},
    {"agent_group/team", "agent", "u", "'number':'u','extension':'8101','type':'supervisor','manages_groups':['west','team']",
     "Agent.manages_groups", "manages_groups[1]", true},
    {"queue/spare", "agent", "u", "'number':'u','extension':'8101','type':'supervisor','manages_queues':['spare']", "Agent.manages_queues",
     "manages_queues[0]", false},
    {"agent/1101", "token", "u", "'name':'u','role':'supervisor','agent':'1101','token':'0123456789abcdef'", "Token.agent", "agent", false},
    {"trunk/line", "agent", "u", "'number':'u','extension':'8101','outbound_trunk':'line'", "Agent.outbound_trunk", "outbound_trunk", false},
    {"trunk/line", "agent_group", "u", "'name':'u','outbound_trunk':'line'", "AgentGroup.outbound_trunk", "outbound_trunk", false},
    {"agent/1101", QUEUE "'members':[{'agent':'1101'}]", "QueueMember.agent", "members[0].agent", false},
    {"queue/spare", QUEUE "'overflow':[{'queue':'spare','if_waiting':3}]", "QueueOverflow.queue", "overflow[0].queue", false},
    {"trunk/line", QUEUE "'callback_trunk':'line'", "Queue.callback_trunk", "callback_trunk", false},
    {"lookup/crm", QUEUE "'vip_lookup':'crm'", "Queue.vip_lookup", "vip_lookup", false},
    {"prompt/tune", QUEUE "'music':'tune'", "Queue.music", "music", true},
    {"prompt/tune", QUEUE "'welcome':'tune'", "Queue.welcome", "welcome", true},
    {"prompt/tune", QUEUE "'announce':['position','tune'],'announce_first_s':3", "Queue.announce", "announce[1]", true},
    {"prompt/tune", QUEUE "'voicemail_greeting':'tune'", "Queue.voicemail_greeting", "voicemail_greeting", true},
    {"flow/side", QUEUE "'rating_flow':'side'", "Queue.rating_flow", "rating_flow", false},
    {"flow/side", QUEUE "'full_action':{'type':'flow','target':'side'}", "", "full_action.target", false},
    {"queue/spare", QUEUE "'no_agents_action':{'type':'queue','target':'spare'}", "", "no_agents_action.target", false},
    {"agent/1101", QUEUE "'max_wait_s':5,'max_wait_action':{'type':'agent','target':'1101'}", "", "max_wait_action.target", false},
    {"extension/8101", QUEUE "'keys':[{'key':'1','action':{'type':'extension','target':'8101'}}]", "", "keys[0].action.target", false},
    {"prompt/tune", QUEUE "'full_action':{'type':'hangup','prompts':['a','tune']}", "", "full_action.prompts[1]", true},
    {"secret/key", "lookup", "u", "'name':'u','url':'https://a.example/','headers':[{'name':'A','secret':'key'}]", "LookupHeader.secret",
     "headers[0].secret", false},
    {"secret/key", "trunk", "u", "'name':'u','contact':'sip:127.0.0.1:5098','outbound':true,'username':'x','secret':'key'", "Trunk.secret",
     "secret", false},
    {"flow/side", NUMBER "'flow':'side'", "AccessNumber.flow", "flow", false},
    {"flow/side", NUMBER "'flow':'side@draft'", "AccessNumber.flow", "flow", false},
    {"queue/spare", NUMBER "'queue':'spare'", "AccessNumber.queue", "queue", false},
    {"extension/8101", NUMBER "'extension':'8101'", "AccessNumber.extension", "extension", false},
    {"agent/1101", NUMBER "'agent':'1101'", "AccessNumber.agent", "agent", false},
    {"agent/1101", NUMBER "'queue':'spare','dedicated_agent':'1101'", "AccessNumber.dedicated_agent", "dedicated_agent", false},
    {"time_group/hours", PLACE "'app':'tone'}]", "ScheduleEntry.time_group", "schedule[0].time_group", false},
    {"flow/side", PLACE "'flow':'side'}]", "ScheduleEntry.flow", "schedule[0].flow", false},
    {"queue/spare", PLACE "'queue':'spare'}]", "ScheduleEntry.queue", "schedule[0].queue", false},
    {"extension/8101", PLACE "'extension':'8101'}]", "ScheduleEntry.extension", "schedule[0].extension", false},
    {"agent/1101", PLACE "'agent':'1101'}]", "ScheduleEntry.agent", "schedule[0].agent", false},
    {"queue/spare", "vip", "555@spare", "'entry':'555@spare'", "VipEntry.entry", "entry", false},
    {"holiday_list/days", "time_group", "u", "'name':'u','tz':'CST-8','holidays':'days'", "TimeGroup.holidays", "holidays", false},
    {"trunk/line", "parameter", "outbound_trunk", "'name':'outbound_trunk','value':'line'", "Parameter.value", "value", false},
    {"queue/spare", "recording_rule", "u", "'name':'u','queue':'spare'", "RecordingRule.queue", "queue", false},
    {"agent/1101", "recording_rule", "u", "'name':'u','agent':'1101'", "RecordingRule.agent", "agent", false},
    {"agent_group/team", "recording_rule", "u", "'name':'u','agent_group':'team'", "RecordingRule.agent_group", "agent_group", true},
    {"access_number/77", "recording_rule", "u", "'name':'u','access_number':'77'", "RecordingRule.access_number", "access_number", false},
    {"prompt/tune", "mailbox", "u", "'name':'u','greeting':'tune'", "Mailbox.greeting", "greeting", true},
    {"secret/key", "mailbox", "u", "'name':'u','hook_url':'https://a.example/','hook_secret':'key'", "Mailbox.hook_secret", "hook_secret", false},
    {"secret/key", "parameter", "smtp_secret", "'name':'smtp_secret','value':'key'", "Parameter.value", "value", false},
    {"agent/1101", "mailbox", "u", "'name':'u','agents':['1101']", "Mailbox.agents", "agents[0]", false},
    {"agent/1101", "forward", "u", "'name':'u','agent':'1101','to':{'type':'queue','target':'service'}", "Forward.agent", "agent", false},
    {"extension/8101", "forward", "u", "'name':'u','extension':'8101','to':{'type':'queue','target':'service'}", "Forward.extension", "extension", false},
    {"time_group/hours", "forward", "u", "'name':'u','agent':'1001','time_group':'hours','to':{'type':'queue','target':'service'}", "Forward.time_group",
     "time_group", false},
    {"area/east", "area", "u", "'name':'u','parent':'east'", "Area.parent", "parent", false},
    {"area/east", "notice", "u", "'name':'u','text_en':'x','areas':['east']", "Notice.areas", "areas[0]", false},
    {"prompt/tune", "notice", "u", "'name':'u','prompt':'tune'", "Notice.prompt", "prompt", true},
    {"prompt/tune", "notice", "u", "'name':'u','text_en':'x','automatic':true,'mass':true,'short_prompt':'tune'", "Notice.short_prompt",
     "short_prompt", true},
    {FLOW("queue/spare", "'type':'queue','queue':'spare'", "queue"), false},
    {FLOW("agent/1101", "'type':'queue','queue':'service','agent':'1101'", "agent"), false},
    {FLOW("agent/1101", "'type':'agent','agent':'1101'", "agent"), false},
    {FLOW("trunk/line", "'type':'outside','number':'1','trunk':'line'", "trunk"), false},
    {FLOW("flow/side", "'type':'flow','flow':'side','next':'n'", "flow"), false},
    {FLOW("area/east", "'type':'notices','area':'east','next':'n'", "area"), false},
    {FLOW("time_group/hours", "'type':'time','cases':[{'group':'hours','next':'n'}],'else':'n'", "cases[0].group"), false},
    {FLOW("queue/spare", "'type':'callback','queue':'spare'", "queue"), false},
    {FLOW("time_group/hours", "'type':'callback','at':'18:30','group':'hours'", "group"), false},
    {FLOW("secret/key", "'type':'http','url':'https://a/','headers':{'A':'b${secret.key}'}", "headers.A"), false},
    {FLOW("secret/key", "'type':'http','url':'https://a/?${secret.key}'", "url"), false},
    {FLOW("secret/key", "'type':'http','url':'https://a/','body':{'a':[{'b':'${secret.key}'}]}", "body"), false},
    {FLOW("prompt/tune", "'type':'play','prompts':[{'text':'x'},'tune']", "prompts[1]"), true},
    {FLOW("prompt/tune", "'type':'menu','invalid_prompts':['tune']", "invalid_prompts[0]"), true},
    {FLOW("prompt/tune", "'type':'menu','timeout_prompts':['tune']", "timeout_prompts[0]"), true},
    {FLOW("prompt/tune", "'type':'voicemail','thanks':['tune']", "thanks[0]"), true},
    {DRAFT("queue/spare", "'type':'queue','queue':'spare'", "queue"), true},
    {DRAFT("flow/side", "'type':'flow','flow':'side'", "flow"), true},
    {DRAFT("prompt/tune", "'type':'play','prompts':['tune']", "prompts[0]"), true},
};
#define LINES (int)(sizeof lines / sizeof lines[0])

static void setup(void)
{
    fx_open(&f);
    fx_demo(&f, 1);
    ck_assert_int_eq(fx_raise(&f, 4), 0);
}

static void teardown(void)
{
    fx_close(&f);
}

static void set(const char *text)
{
    ck_assert_msg(fx_set(&f, text) == 0, "%s: %s", f.last.field, f.last.text);
}

static int apply(const char *objects, const char *removed, const char *pruned)
{
    return fx_config(&f, objects, removed, pruned, NULL);
}

static void user_of(const struct line *l, char *out, size_t size)
{
    snprintf(out, size, "[{'kind':'%s',%s}]", l->kind, l->fields);
}

/* "agent/1101" -> "agent 1101" */
static void spaced(const char *target, char out[64])
{
    snprintf(out, 64, "%s", target);
    *strchr(out, '/') = ' ';
}

/* ---- no field without a line */

/* Fields of text that name no other object. */
static const char *const names_nothing[] = {
    "Extension.display_name", "Extension.contact", "Extension.ha1_md5", "Extension.ha1_sha256", "Extension.site", "Extension.mwi", "Extension.mailbox", "Agent.name", "Agent.type",
    "Agent.region", "Agent.customers", "AgentSkill.skill", "AgentSkill.until", "AgentGroup.display_name", "AgentState.name_zh",
    "AgentState.name_en", "AgentState.code", "AgentState.reasons", "AgentState.then", "AgentState.counts_as", "Queue.display_name",
    "Queue.strategy", "Queue.preferences", "Queue.ring_no_answer", "Queue.after_call", "Queue.vip", "Queue.callback_caller_id", "QueueKey.key",
    "Trunk.sources", "Trunk.contact", "Trunk.takeover", "Trunk.identity", "Trunk.caller_id", "Trunk.caller_ids", "Agent.caller_id",
    "AgentGroup.caller_id", "Trunk.username", "Network.ranges",
    "Network.takeover", "Network.site", "AccessNumber.app", "AccessNumber.language", "AccessNumber.region", "AccessNumber.outside",
    "SkillNeed.skill", "ScheduleEntry.app", "ScheduleEntry.outside", "TimeGroup.zone", "TimeGroup.tz", "TimeGroup.monday", "TimeGroup.tuesday",
    "TimeGroup.wednesday", "TimeGroup.thursday", "TimeGroup.friday", "TimeGroup.saturday", "TimeGroup.sunday", "TimeGroup.holiday_hours",
    "TimeGroup.work_as", "HolidayDay.date", "HolidayDay.name", "HolidayDay.kind", "BlacklistEntry.direction", "BlacklistEntry.note",
    "VipEntry.note", "Flow.note", "PromptSound.language", "PromptVersion.sha256", "PromptVersion.text", "PromptVersion.file",
    "PromptVersion.by", "PromptVersion.at", "Secret.value", "Lookup.url", "Lookup.on_error", "LookupHeader.name", "LookupHeader.value",
    "Area.name_zh", "Area.name_en", "Area.numbers", "Notice.title", "Notice.from", "Notice.until", "Notice.zone", "Notice.tz", "Notice.text_zh",
    "Notice.text_en", "Notice.short_zh", "Notice.short_en", "Notice.play", "Notice.skip", "RecordingRule.direction", "RecordingRule.format", "Mailbox.language", "Mailbox.email", "Mailbox.email_format", "Mailbox.hook_url", "Forward.when", "Trunk.diversion", "Token.sha256", "Token.role",
    /* read by others: the definition by core/refs_flow.c, actions by core/action.c */
    "Flow.definition", "FlowDraft.definition", "Action.type", "Action.target", "Action.prompts",
};

static bool has_line(const char *row)
{
    for (int i = 0; i < LINES; i++)
        if (strcmp(lines[i].row, row) == 0)
            return true;
    return false;
}

static bool known_to_name_nothing(const char *row)
{
    for (size_t i = 0; i < sizeof names_nothing / sizeof names_nothing[0]; i++)
        if (strcmp(names_nothing[i], row) == 0)
            return true;
    return false;
}

static void look_at(const ProtobufCMessageDescriptor *d, bool object)
{
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &d->fields[i];
        char row[128];
        snprintf(row, sizeof row, "%s.%s", d->short_name, field->name);
        bool holds_names = refs_is_row(d->short_name, field->name);
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            look_at(field->descriptor, false);
        } else if (field->type == PROTOBUF_C_TYPE_STRING && !(object && i == 0 && !holds_names)) { /* the first is the key */
            ck_assert_msg(holds_names != known_to_name_nothing(row), "%s: a row of core/refs.c, or it names nothing?", row);
            ck_assert_msg(!holds_names || has_line(row), "%s has no line in this test", row);
        }
    }
}

START_TEST(test_every_field_is_decided_on)
{
    for (int kind = CFG_EXTENSION; kind < CFG_KINDS; kind++)
        look_at(config_descriptor((enum cfg_kind)kind), true);
}
END_TEST

struct found {
    const struct line *l;
    bool hit;
};

static int find(void *ctx, const struct ref *r)
{
    struct found *at = ctx;
    char target[64];
    snprintf(target, sizeof target, "%s/%.40s", config_kind_name(r->kind), r->name);
    char *draft = strstr(target, "@draft");
    if (draft)
        *draft = '\0';
    at->hit |= strcmp(target, at->l->target) == 0 && strcmp(r->path, at->l->path) == 0 && r->loose == at->l->loose;
    return 0;
}

/* The object that is stored, straight and as it is kept for flows. */
START_TEST(test_each_is_found)
{
    const struct line *l = &lines[_i];
    struct found straight = {l, false}, kept = {l, false};
    char user[512];
    set(targets);
    user_of(l, user, sizeof user);
    set(user);
    const struct cfg *o = core_cfg(f.c, config_kind(l->kind), l->user);
    ck_assert_ptr_nonnull(o);
    struct refs *k = NULL;
    ck_assert_int_eq(refs_each(o->kind, o->msg, find, &straight), 0);
    ck_assert_int_eq(refs_keep(o->kind, o->msg, &k), 0);
    ck_assert_int_eq(refs_kept_each(k, find, &kept), 0);
    refs_free(k);
    ck_assert_msg(straight.hit && kept.hit, "%s of %s", l->path, user);
    char kind[32];
    snprintf(kind, sizeof kind, "%.*s", (int)strcspn(l->target, "/"), l->target);
    ck_assert(refs_targets(o->kind) & 1u << config_kind(kind));
}
END_TEST

/* ---- in apply */

START_TEST(test_what_is_named_stays)
{
    const struct line *l = &lines[_i];
    char user[512], both[256], target[64], text[256], prune[64], removed[128];
    set(targets);
    user_of(l, user, sizeof user);
    set(user);
    spaced(l->target, target);
    snprintf(removed, sizeof removed, "['%s']", l->target);
    ck_assert_int_eq(apply(NULL, removed, NULL), ERR_CONFLICT);
    snprintf(text, sizeof text, "%s is in use by %s %s", target, l->kind, l->user);
    ck_assert_str_eq(f.last.text, text);
    ck_assert_str_eq(f.last.field, l->target);
    fx_reopen(&f);
    ck_assert_int_eq(apply(NULL, removed, NULL), ERR_CONFLICT);
    ck_assert_str_eq(f.last.text, text);
    /* what names it is pruned, and it goes in the same change */
    snprintf(prune, sizeof prune, "['%s']", l->kind);
    snprintf(both, sizeof both, "['%s','%s/%s']", l->target, l->kind, l->user);
    bool same_kind = strncmp(l->target, l->kind, strlen(l->kind)) == 0 && l->target[strlen(l->kind)] == '/';
    if (_i % 2 == 0 || same_kind || strcmp(l->kind, "queue") == 0 || strcmp(l->kind, "agent") == 0 || strcmp(l->kind, "flow") == 0 ||
        strcmp(l->kind, "trunk") == 0)
        ck_assert_msg(apply(NULL, both, NULL) == 0, "%s", f.last.text);
    else
        ck_assert_msg(apply(NULL, removed, prune) == 0, "%s", f.last.text);
}
END_TEST

START_TEST(test_what_is_not_there_is_not_named)
{
    const struct line *l = &lines[_i];
    char user[512], field[160], removed[64];
    user_of(l, user, sizeof user);
    set(targets);
    snprintf(removed, sizeof removed, "['%s']", l->target);
    ck_assert_msg(apply(NULL, removed, NULL) == 0, "%s", f.last.text);
    int code = fx_set(&f, user);
    if (l->loose) {
        ck_assert_msg(code == 0, "%s: %s", f.last.field, f.last.text);
        return;
    }
    ck_assert_int_eq(code, ERR_INVAL);
    snprintf(field, sizeof field, "%s/%s.%s", l->kind, l->user, l->path);
    ck_assert_str_eq(f.last.field, field);
    ck_assert_msg(strncmp(f.last.text, "there is no ", 12) == 0, "%s", f.last.text);
    /* both in one change */
    char at_once[2048];
    snprintf(at_once, sizeof at_once, "%.*s,%s", (int)strlen(targets) - 1, targets, user + 1);
    ck_assert_msg(fx_set(&f, at_once) == 0, "%s: %s", f.last.field, f.last.text);
}
END_TEST

/* Named by something new in the very change that removes it. */
START_TEST(test_not_named_from_now_on)
{
    const struct line *l = &lines[_i];
    char user[512], removed[64];
    user_of(l, user, sizeof user);
    set(targets);
    snprintf(removed, sizeof removed, "['%s']", l->target);
    ck_assert_msg(apply(user, removed, NULL) == ERR_CONFLICT, "%s", user);
    ck_assert_msg(strstr(f.last.text, "in use by") || strstr(f.last.text, "after this no"), "%s", f.last.text);
}
END_TEST

/* ---- who is named */

START_TEST(test_the_first_and_how_many)
{
    set(targets);
    char text[8192] = "[";
    for (int i = 0; i < 9; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at,
                 "{'kind':'access_number','number':'7%d','queue':'spare'},{'kind':'flow','name':'z%d','definition':{'nodes':{"
                 "'a':{'type':'queue','queue':'spare'},'b':{'type':'queue','queue':'spare'}}}}%s",
                 9 - i, 9 - i, i == 8 ? "]" : ",");
    }
    set(text);
    ck_assert_int_eq(apply(NULL, "['queue/spare']", NULL), ERR_CONFLICT);
    ck_assert_str_eq(f.last.text, "queue spare is in use by access_number 71, access_number 72, access_number 73 and 15 more");
    set("[{'kind':'queue','name':'main','overflow':[{'queue':'spare','if_waiting':1}]}]");
    ck_assert_int_eq(apply(NULL, "['queue/spare']", NULL), ERR_CONFLICT);
    ck_assert_str_eq(f.last.text, "queue spare is in use by queue main, access_number 71, access_number 72 and 16 more");
    /* the later ones by what they will be after the change */
    ck_assert_int_eq(apply("[{'kind':'access_number','number':'71','app':'echo'}]", "['queue/spare','queue/main']", NULL), ERR_CONFLICT);
    ck_assert_str_eq(f.last.text, "queue spare is in use by access_number 72, access_number 73, access_number 74 and 14 more");
}
END_TEST

START_TEST(test_long_names_leave_room_for_the_count)
{
    char name[64], text[4096] = "[", end[32];
    memset(name, 'q', 63);
    name[63] = '\0';
    snprintf(text, sizeof text, "[{'kind':'time_group','name':'%s','tz':'CST-8'}", name);
    for (int i = 0; i < 5; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at,
                 ",{'kind':'access_number','number':'%d%.62s','app':'echo','schedule':[{'time_group':'%s','app':'tone'}]}", i, name, name);
    }
    (void)strcat(text, "]");
    set(text);
    snprintf(text, sizeof text, "['time_group/%s']", name);
    ck_assert_int_eq(apply(NULL, text, NULL), ERR_CONFLICT);
    snprintf(end, sizeof end, "%s", f.last.text + strlen(f.last.text) - strlen(" and 2 more"));
    ck_assert_str_eq(end, " and 2 more");
}
END_TEST

/* A prompt that is built in as well may go: whoever names it hears that one. */
START_TEST(test_built_in_prompts)
{
    char *built_in[] = {(char *)(uintptr_t) "tune"};
    Ev__ConfigRef ref = EV__CONFIG_REF__INIT, *refs[] = {&ref};
    Ev__ConfigApply m = EV__CONFIG_APPLY__INIT;
    set(targets);
    set("[{'kind':'queue','name':'u','welcome':'tune'}]");
    ref.kind = (char *)(uintptr_t) "prompt";
    ref.name = (char *)(uintptr_t) "tune";
    m.n_remove = 1;
    m.remove = refs;
    FX_BODY(CONFIG_APPLY, config_apply, m);
    ck_assert_uint_eq(core_feature_of(&cmd), 1);
    ck_assert_int_eq(fx_run(&f, &cmd), ERR_CONFLICT);
    m.n_built_in = 1;
    m.built_in = built_in;
    cmd.time_us = 0;
    ck_assert_uint_eq(core_feature_of(&cmd), 4);
    ck_assert_int_eq(fx_run(&f, &cmd), 0);
}
END_TEST

/* Words of a field are no prompts, whatever there is of that name. */
START_TEST(test_words_are_no_names)
{
    set(targets);
    set("[{'kind':'prompt','name':'silence'," SOUND "},{'kind':'prompt','name':'position'," SOUND "},"
        "{'kind':'queue','name':'u','music':'silence','announce':['position'],'announce_first_s':3}]");
    ck_assert_int_eq(apply(NULL, "['prompt/silence','prompt/position']", NULL), 0);
    set("[{'kind':'prompt','name':'silence'," SOUND "},{'kind':'queue','name':'u','welcome':'silence'}]");
    ck_assert_int_eq(apply(NULL, "['prompt/silence']", NULL), ERR_CONFLICT);
}
END_TEST

/* Names made of variables are known when somebody calls. */
START_TEST(test_names_of_variables)
{
    set(targets);
    set("[{'kind':'flow','name':'u','definition':{'nodes':{'a':{'type':'agent','agent':'${x}'},'b':{'type':'http','url':'https://a/$${secret.key}'},"
        "'c':{'type':'notices','area':'e${x}'},'d':{'type':'play','queue':'spare','trunk':'line'},'e':7,'g':{'type':3,'queue':'spare'}}}},"
        "{'kind':'flow','name':'v','definition':{'nodes':[1]}},{'kind':'flow','name':'w','definition':{}}]");
    ck_assert_int_eq(apply(NULL, "['agent/1101','secret/key','area/east','queue/spare','trunk/line']", NULL), 0);
}
END_TEST

/* ---- before level 4: as it was */

START_TEST(test_older_logs)
{
    struct fx old;
    fx_open(&old);
    fx_demo(&old, 2);
    ck_assert_int_eq(fx_raise(&old, 3), 0);
    ck_assert_int_eq(fx_set(&old, "[{'kind':'flow','name':'f','definition':{'nodes':{'a':{'type':'queue','queue':'nowhere'}}}},"
                                  "{'kind':'queue','name':'a','music':'x','overflow':[{'queue':'service','if_waiting':1}]},"
                                  "{'kind':'queue','name':'b','overflow':[{'queue':'service','if_waiting':1}]},"
                                  "{'kind':'parameter','name':'outbound_trunk','value':'nowhere'},"
                                  "{'kind':'agent_group','name':'team'},{'kind':'agent','number':'1002','extension':'8002','group':'team'}]"), 0);
    ck_assert_int_eq(fx_config(&old, NULL, "['agent_group/team']", NULL, NULL), 0);
    ck_assert_int_eq(fx_config(&old, NULL, "['queue/service']", NULL, NULL), ERR_CONFLICT);
    ck_assert_str_eq(old.last.text, "queue service is in use by queue a");
    /* the new object is refused, not the one that goes */
    ck_assert_int_eq(fx_config(&old, "[{'kind':'agent','number':'1009','extension':'8009'},{'kind':'extension','number':'8009'}]", NULL, NULL, NULL), 0);
    ck_assert_int_eq(fx_config(&old, "[{'kind':'access_number','number':'1','queue':'b'}]", "['queue/b']", NULL, NULL), ERR_CONFLICT);
    ck_assert_str_eq(old.last.text, "there is after this no queue b");
    ck_assert_int_eq(fx_raise(&old, 4), 0);
    ck_assert_int_eq(fx_config(&old, NULL, "['queue/service']", NULL, NULL), ERR_CONFLICT);
    ck_assert_str_eq(old.last.text, "queue service is in use by queue a, queue b, access_number 10003");
    fx_close(&old);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("references");
    TCase *t = tcase_create("references");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_every_field_is_decided_on);
    tcase_add_loop_test(t, test_each_is_found, 0, LINES);
    tcase_add_loop_test(t, test_what_is_named_stays, 0, LINES);
    tcase_add_loop_test(t, test_what_is_not_there_is_not_named, 0, LINES);
    tcase_add_loop_test(t, test_not_named_from_now_on, 0, LINES);
    tcase_add_test(t, test_the_first_and_how_many);
    tcase_add_test(t, test_long_names_leave_room_for_the_count);
    tcase_add_test(t, test_built_in_prompts);
    tcase_add_test(t, test_words_are_no_names);
    tcase_add_test(t, test_names_of_variables);
    tcase_add_test(t, test_older_logs);
    suite_add_tcase(s, t);
    return run_suite(s);
}
