#include "node/speech.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "node/child.h"

enum { SPEECH_OWN = 2 }; /* ccsound --run */

/* The plain cmn voice reads Latin letters as English; this one takes pinyin and characters alike. */
static const struct {
    const char *language, *voice;
} speech_voices[] = {{"zh", "cmn-latn-pinyin"}, {"en", "en-us"}};

static const char *const speech_default[] = {"espeak-ng", "--stdin", "--stdout", "-s", "150", "-v", "{voice}"};

const char *speech_voice(const char *language)
{
    for (size_t i = 0; i < sizeof speech_voices / sizeof *speech_voices; i++)
        if (strcmp(speech_voices[i].language, language) == 0)
            return speech_voices[i].voice;
    return NULL;
}

static const char *word(const struct node_config *cfg, unsigned i)
{
    if (cfg->n_speech)
        return i < cfg->n_speech ? cfg->speech_command[i] : NULL;
    return i < sizeof speech_default / sizeof *speech_default ? speech_default[i] : NULL;
}

/* A copy with the placeholders filled in. */
static char *fill(const char *from, const char *voice, const char *language)
{
    char out[512];
    size_t n = 0;
    while (*from && n < sizeof out - 64) {
        const char *put = strncmp(from, "{voice}", 7) == 0       ? voice
                          : strncmp(from, "{language}", 10) == 0 ? language
                                                                 : NULL;
        if (put) {
            n += (size_t)snprintf(out + n, sizeof out - n, "%.32s", put);
            from = strchr(from, '}') + 1;
        } else {
            out[n++] = *from++;
        }
    }
    out[n] = '\0';
    return mem_strdup(out);
}

int speech_run(const struct node_config *cfg, const char *language, int in_fd, int out_fd, int stop_fd,
               unsigned timeout_ms, struct err_info *info)
{
    static char run[] = "--run";
    char helper[CHILD_PATH_MAX];
    char *argv[SPEECH_OWN + NODE_SPEECH_MAX + 1] = {helper, run};
    const char *voice = speech_voice(language);
    if (!voice)
        return err_set(info, ERR_INVAL, "language", "there is no voice for it");
    int rc = child_ccsound(helper, info);
    unsigned n = 0;
    for (const char *w; !rc && n < NODE_SPEECH_MAX && (w = word(cfg, n)); n++) {
        argv[SPEECH_OWN + n] = fill(w, voice, language);
        if (!argv[SPEECH_OWN + n])
            rc = err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    }
    if (!rc)
        rc = child_run(argv, in_fd, out_fd, stop_fd, timeout_ms, info);
    while (n > 0)
        free(argv[SPEECH_OWN + --n]);
    return rc;
}

void speech_engine(const struct node_config *cfg, const char *language, char *out, size_t size)
{
    size_t n = 0;
    const char *w, *voice = speech_voice(language);
    for (unsigned i = 0; n < size && (w = word(cfg, i)); i++)
        n += (size_t)snprintf(out + n, size - n, "%s\n", w);
    if (n < size)
        snprintf(out + n, size - n, "%s\n%s", voice ? voice : "", language);
}
