/* G.711 A-law and mu-law by table (ITU-T G.711). Any thread once g711_setup has returned; nothing fails or allocates. */
#ifndef TELEPHONY_G711_H
#define TELEPHONY_G711_H

#include <stddef.h>
#include <stdint.h>

#define G711_ULAW_SILENCE 0xFFu
#define G711_ALAW_SILENCE 0xD5u

/* Fills the tables; any number of times, from any thread. */
void g711_setup(void);

extern int16_t g711_ulaw_linear[256], g711_alaw_linear[256];
/* Direct conversion from one law to the other. */
extern uint8_t g711_ulaw_alaw[256], g711_alaw_ulaw[256];

uint8_t g711_ulaw_encode(int16_t sample);
uint8_t g711_alaw_encode(int16_t sample);

#endif
