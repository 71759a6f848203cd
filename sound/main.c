/* ccsound: the node's helper for sound, never run by people.
 *
 *   ccsound                     standard input (a file) converted to standard output; see sound.h
 *   ccsound --run PROGRAM ...   runs a speech synthesis in its place, within limits
 *
 * Exit code 0; 1: the reason is one line on standard error; 2: fault of ours. Either way it dies with its parent, has limits on
 * processor time, memory and what it writes, and gains no rights. Converting it cannot open anything either: of its limit of
 * descriptors all three are taken. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sound/sound.h"

#define CPU_S 30u
#define MEMORY_BYTES (512ull << 20)
#define OUTPUT_BYTES (64ull << 20)
#define RUN_FILES 64u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static bool limit(int what, rlim_t most)
{
    struct rlimit r;
    if (getrlimit((__rlimit_resource_t)what, &r) != 0)
        return false;
    r.rlim_cur = most < r.rlim_max ? most : r.rlim_max;
    r.rlim_max = r.rlim_cur;
    return setrlimit((__rlimit_resource_t)what, &r) == 0;
}

static bool confine(rlim_t files)
{
#ifndef SANITIZED /* their shadow memory is larger than any limit */
    if (!limit(RLIMIT_AS, MEMORY_BYTES))
        return false;
#endif
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           limit(RLIMIT_CPU, CPU_S) && limit(RLIMIT_FSIZE, OUTPUT_BYTES) && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_NOFILE, files);
}

int main(int argc, char **argv)
{
    bool run = argc > 2 && strcmp(argv[1], "--run") == 0;
    struct err_info info = {0};
    if (argc != 1 && !run) {
        fprintf(stderr, "usage: ccsound | ccsound --run PROGRAM [ARGUMENT ...]\n");
        return 2;
    }
    if (!confine(run ? RUN_FILES : 3)) {
        perror("ccsound: limits cannot be set");
        return 2;
    }
    if (run) {
        (void)execvp(argv[2], argv + 2);
        fprintf(stderr, "%s cannot be run: ", argv[2]);
        perror("");
        return 2;
    }
    int rc = sound_convert(STDIN_FILENO, STDOUT_FILENO, &info);
    if (!rc)
        return 0;
    fprintf(stderr, "%s\n", info.text);
    return rc == ERR_INVAL || rc == ERR_TOOBIG ? 1 : 2;
}
