#include "core/agent_state.h"

#include <string.h>

static const struct agent_state builtin[] = {
    {"away", "离开", "Away", "2", true},
    {"break", "小休", "Break", "3", true},
    {"busy", "忙碌", "Busy", "1", false},
    {AGENT_STATE_NOT_READY, "忙碌", "Not ready", "0", false},
    {AGENT_STATE_READY, "空闲", "Ready", "", false},
};

const struct agent_state *agent_state_builtin(size_t i)
{
    return i < sizeof builtin / sizeof *builtin ? &builtin[i] : NULL;
}

const struct agent_state *agent_state_find_builtin(const char *name)
{
    for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++) {
        if (strcmp(builtin[i].name, name) == 0)
            return &builtin[i];
    }
    return NULL;
}

bool agent_state_reserved(const char *name)
{
    static const char *const words[] = {AGENT_STATE_READY, "idle",    "available", "free",
                                        "logged_out",      "ringing", "talking",   "wrap_up"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], name) == 0)
            return true;
    }
    return false;
}

bool agent_state_get(const Ev__AgentState *cfg, const char *name, struct agent_state *out)
{
    const struct agent_state *b = agent_state_find_builtin(name);
    if (!cfg && !b)
        return false;
    static const struct agent_state unknown = {.zh = "", .en = "", .code = "", .pause = true};
    struct agent_state s = b ? *b : unknown;
    s.name = b ? b->name : cfg->name;
    if (cfg) {
        s.zh = cfg->name_zh[0] ? cfg->name_zh : s.zh;
        s.en = cfg->name_en[0] ? cfg->name_en : s.en;
        s.code = cfg->code[0] ? cfg->code : s.code;
        s.pause = cfg->counts_as[0] ? strcmp(cfg->counts_as, "break") == 0 : s.pause;
    }
    *out = s;
    return true;
}
