/* Feeds files to a fuzz target outside the fuzzer, so that every past finding is tried again in the normal test run:
 *   replay_NAME FILE|FOLDER...
 * Folders are walked in order of names. Each input gets a heap block of exactly its size, so that a sanitizer sees a read past its
 * end. What is wrong ends the program by itself (sanitizer, assertion, signal); the name of the input is then the last line on
 * standard error. An empty input is always among those tried. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may define it; libFuzzer would call it too. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { INPUT_MAX_BYTES = 16 << 20 };

static unsigned long passed, unreadable;

static void replay_fail(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    unreadable++;
}

static void replay_bytes(const char *name, const uint8_t *data, size_t size)
{
    fprintf(stderr, "%s\n", name);
    LLVMFuzzerTestOneInput(data, size);
    passed++;
}

static void replay_file(const char *path, size_t size)
{
    if (size > INPUT_MAX_BYTES) {
        replay_fail(path, "larger than an input may be");
        return;
    }
    FILE *f = fopen(path, "rb");
    if (!f) {
        replay_fail(path, strerror(errno));
        return;
    }
    uint8_t *data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, f) != size)
        replay_fail(path, "cannot be read");
    else
        replay_bytes(path, data, size);
    free(data);
    fclose(f);
}

static void replay_path(const char *path);

static int replay_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, replay_visible, alphasort);
    if (n < 0) {
        replay_fail(path, strerror(errno));
        return;
    }
    for (int i = 0; i < n; i++) {
        char *child;
        if (asprintf(&child, "%s/%s", path, entries[i]->d_name) >= 0) {
            replay_path(child);
            free(child);
        } else {
            replay_fail(path, "out of memory");
        }
        free(entries[i]);
    }
    free(entries);
}

static void replay_path(const char *path)
{
    struct stat st;
    if (lstat(path, &st))
        replay_fail(path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        replay_folder(path);
    else if (S_ISREG(st.st_mode))
        replay_file(path, (size_t)st.st_size);
    else
        replay_fail(path, "neither a file nor a folder");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    uint8_t *nothing = malloc(1);
    if (!nothing)
        return EXIT_FAILURE;
    replay_bytes("(empty input)", nothing, 0);
    free(nothing);
    for (int i = 1; i < argc; i++)
        replay_path(argv[i]);
    printf("%lu passed, %lu failed\n", passed, unreadable);
    return unreadable ? EXIT_FAILURE : EXIT_SUCCESS;
}
