/* Shared between prompt.c, prompt_wav.c and music.c. */
#ifndef TELEPHONY_PROMPT_INT_H
#define TELEPHONY_PROMPT_INT_H

#include "telephony/prompt.h"

/* One reference, n_samples of silence; NULL when out of memory. */
struct prompt *prompt_new(uint32_t n_samples);

/* Renders the hold music (about 30 ms of CPU). NULL when out of memory. */
struct prompt *music_hold(void);

#endif
