/* What callers are told about their waiting, as prompt keys: their place, how long it will take, who answers them.
 *
 * Waiting times are not promised more exactly than they are known: below SPEAK_QUEUE_SHORT_S "less than a minute", then minutes rounded
 * up, above ten minutes to the next five, above an hour "more than an hour". In Chinese two minutes are "liang".
 * The number of an agent is spoken digit by digit; 1 is "yi" there, unlike in the digit strings of speak.h.
 * Pure functions of their arguments; any thread; nothing is allocated. */
#ifndef TELEPHONY_SPEAK_QUEUE_H
#define TELEPHONY_SPEAK_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "telephony/speak.h"

/* A mean is told: half of the callers wait up to a third longer, which is still less than a minute. */
#define SPEAK_QUEUE_SHORT_S 45u

/* Keys, static texts, in order. Return how many, 0: there is nothing to say (place 0; a number with other signs than digits, * and #),
 * ERR_TOOBIG (more than `max`; never with SPEAK_KEYS_MAX) or ERR_UNSUPPORTED (a language without grammar: speak_language). */
int speak_queue_position(const char *language, uint32_t place, const char **keys, size_t max);
int speak_queue_wait(const char *language, uint32_t seconds, const char **keys, size_t max);
int speak_queue_agent(const char *language, const char *number, const char **keys, size_t max);

#endif
