/* Prompts: audio by language and key, kept decoded in memory and shared by all streams. How values are spoken: speak.h.
 *
 * A folder holds <language>/<key>.wav (8 kHz mono, 16-bit PCM or G.711), made at build time from etc/prompts/<language>.yaml
 * (scripts/make-prompts). All are loaded when the store is opened; a broken file is logged and answers ERR_INVAL. What is uploaded
 * later is read elsewhere and put in by prompt_store_put.
 * Reference-counted with an atomic count because media threads drop references too. Core thread unless said otherwise. */
#ifndef TELEPHONY_PROMPT_H
#define TELEPHONY_PROMPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PROMPT_RATE_HZ 8000u
#define PROMPT_BYTES_MAX (16u << 20)

struct prompt {
    int16_t *pcm; /* n_samples at PROMPT_RATE_HZ */
    uint32_t n_samples;
    uint32_t refs; /* atomic; use prompt_ref / prompt_unref */
};
struct prompt *prompt_ref(struct prompt *p); /* any thread */
void prompt_unref(struct prompt *p);         /* any thread; NULL is fine */

struct prompt_store;
/* `dir` is copied. Missing folder: ERR_NOTFOUND with the path in info. */
ERR_CHECKED int prompt_store_open(const char *dir, struct prompt_store **out, struct err_info *info);
void prompt_store_close(struct prompt_store *s);
/* A prompt that goes before the one of the folder: uploaded, or spoken by synthesis. NULL: the folder's again. Takes a reference of its
 * own; whoever plays the former one keeps it. 0 or ERR_NOMEM, ERR_TOOBIG (a name that is too long). */
ERR_CHECKED int prompt_store_put(struct prompt_store *s, const char *language, const char *key, struct prompt *p);
/* A new reference, or ERR_NOTFOUND / ERR_INVAL (broken file). Falls back to language "zh", then "en", when the key does
 * not exist in `language`. */
ERR_CHECKED int prompt_get(struct prompt_store *s, const char *language, const char *key, struct prompt **out);
int prompt_exists(struct prompt_store *s, const char *language, const char *key);

/* Reads a WAV file (PCM 16, A-law, mu-law; 8 kHz mono). Exposed for fuzzing: input of any content is refused cleanly. */
ERR_CHECKED int prompt_parse_wav(const void *data, size_t len, struct prompt **out, struct err_info *info);

/* 30 s of generated hold music that loops without a click; made once. A new reference, never NULL. */
struct prompt *prompt_hold_music(struct prompt_store *s);

#endif
