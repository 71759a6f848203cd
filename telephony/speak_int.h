/* What the grammars of the languages share: keys as they are gathered. */
#ifndef TELEPHONY_SPEAK_INT_H
#define TELEPHONY_SPEAK_INT_H

#include "telephony/speak.h"

struct speak_out {
    const char **keys;
    size_t n, max; /* n goes on counting beyond max: then it does not fit */
};
void speak_say(struct speak_out *o, const char *key);

/* num_0 to num_9: alike in all languages. */
extern const char *const speak_digit[10];
/* weekday_1 (Monday) to weekday_7 of a value with a date. */
const char *speak_weekday(const struct speak_value *v);
/* The decimals of a number after "point", one by one; nothing when there are none. */
void speak_decimals(struct speak_out *o, const struct speak_value *v);
/* A digit string, `one` being the key for 1. */
void speak_digits(struct speak_out *o, const char *digits, const char *one);

void speak_zh(struct speak_out *o, const struct speak_value *v);
void speak_en(struct speak_out *o, const struct speak_value *v);

#endif
