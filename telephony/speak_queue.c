#include "telephony/speak_queue.h"

#include <string.h>

#include "telephony/speak_int.h"

#define COARSE_MIN 10u /* from here on in steps of five minutes */
#define LONG_MIN 60u

static int out(const struct speak_out *o)
{
    return o->n > o->max ? ERR_TOOBIG : (int)o->n;
}

static bool chinese(const char *language)
{
    return strncmp(language, "zh", 2) == 0;
}

/* `before`, the number, `after`. */
static int numbered(const char *language, const char *before, uint32_t value, const char *after, const char **keys,
                    size_t max)
{
    const char *number[SPEAK_KEYS_MAX];
    const struct speak_value v = {.kind = SPEAK_NUMBER, .whole = value};
    struct speak_out o = {keys, 0, max};
    int n = speak_keys(language, &v, number, SPEAK_KEYS_MAX);
    if (n < 0)
        return n;
    speak_say(&o, before);
    for (int i = 0; i < n; i++)
        speak_say(&o, number[i]);
    speak_say(&o, after);
    return out(&o);
}

static int whole(const char *language, const char *key, const char **keys, size_t max)
{
    struct speak_out o = {keys, 0, max};
    if (!speak_language(language))
        return ERR_UNSUPPORTED;
    speak_say(&o, key);
    return out(&o);
}

int speak_queue_position(const char *language, uint32_t place, const char **keys, size_t max)
{
    if (!speak_language(language))
        return ERR_UNSUPPORTED;
    return place ? numbered(language, "queue_position_before", place, "queue_position_after", keys, max) : 0;
}

int speak_queue_wait(const char *language, uint32_t seconds, const char **keys, size_t max)
{
    uint32_t minutes = seconds / 60 + (seconds % 60 != 0);
    if (seconds < SPEAK_QUEUE_SHORT_S)
        return whole(language, "queue_time_short", keys, max);
    if (minutes > LONG_MIN)
        return whole(language, "queue_time_long", keys, max);
    if (minutes > COARSE_MIN)
        minutes = (minutes + 4) / 5 * 5;
    int n = numbered(language, "queue_time_before", minutes, minutes == 1 ? "queue_time_after_one" : "queue_time_after",
                     keys, max);
    if (n > 1 && minutes == 2 && chinese(language))
        keys[1] = "num_liang";
    return n;
}

int speak_queue_agent(const char *language, const char *number, const char **keys, size_t max)
{
    struct speak_out o = {keys, 0, max};
    if (!speak_language(language))
        return ERR_UNSUPPORTED;
    if (!number[0] || number[strspn(number, "0123456789*#")] || strlen(number) > SPEAK_TEXT_MAX)
        return 0;
    speak_say(&o, "agent_number_before");
    speak_digits(&o, number, speak_digit[1]);
    speak_say(&o, "agent_number_after");
    return out(&o);
}
