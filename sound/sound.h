/* Sound files of people, made into what telephones are played: 8 kHz, mono, 16-bit WAV, all equally loud.
 *
 * Part of the program ccsound (main.c), which the node runs for each file as a child with little memory, little time and no way
 * to open anything: decoders of MP3 and the like have a history, and whoever uploads a prompt may not bring a node down.
 * One thread; waits for the disk. Owner of the descriptors: the caller.
 *
 * Loudness: SOUND_LUFS integrated over the whole (EBU R 128, ITU-R BS.1770-4; for sound shorter than one gate of 400 ms its plain
 * mean power), which for speech is the -18 dBm0 of the prompts that are built in. Peaks stay below SOUND_PEAK: a file with a few
 * loud moments in much silence comes out softer than that rather than clipped. Errors: ERR_INVAL (no sound, or none that
 * is known), ERR_TOOBIG, ERR_IO, ERR_NOMEM; info->text is for the person who uploaded. */
#ifndef SOUND_SOUND_H
#define SOUND_SOUND_H

#include <stdint.h>

#include "base/err.h"

#define SOUND_RATE_HZ 8000u
#define SOUND_SECONDS_MAX 600u /* longest sound */
#define SOUND_CHANNELS_MAX 8u
#define SOUND_LUFS (-24.0)
#define SOUND_PEAK 0.891    /* -1 dB of full scale */
#define SOUND_GAIN_MAX 31.6 /* 30 dB: what is softer than that is noise */

/* Reads from the present place of in_fd, which must be a file, writes a WAV file to out_fd. */
ERR_CHECKED int sound_convert(int in_fd, int out_fd, struct err_info *info);

#endif
