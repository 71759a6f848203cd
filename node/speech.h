/* Speech synthesis by a program of the node file (speech_command), espeak-ng without it. The text goes to its standard input, a
 * sound file comes from its standard output; `{voice}` and `{language}` in its arguments are replaced. No shell. It runs under the limits of ccsound. */
#ifndef NODE_SPEECH_H
#define NODE_SPEECH_H

#include "base/err.h"
#include "node/config.h"

/* The voice that stands for a language; NULL: there is none. */
const char *speech_voice(const char *language);
/* Any worker thread; see child_run. */
ERR_CHECKED int speech_run(const struct node_config *cfg, const char *language, int in_fd, int out_fd, int stop_fd,
                           unsigned timeout_ms, struct err_info *info);
/* What the sound depends on beside text and language: program, arguments, voice. Into `out`. */
void speech_engine(const struct node_config *cfg, const char *language, char *out, size_t size);

#endif
