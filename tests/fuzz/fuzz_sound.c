/* Files that people upload, as ccsound takes them: refused with a text, or a WAV file that the prompt store takes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sound/sound.h"
#include "telephony/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int in = memfd_create("in", 0), out = memfd_create("out", 0);
    struct err_info info = {0};
    assert(in >= 0 && out >= 0 && write(in, data, size) == (ssize_t)size && lseek(in, 0, SEEK_SET) == 0);
    int rc = sound_convert(in, out, &info);
    off_t len = lseek(out, 0, SEEK_END);
    if (rc) {
        assert(info.code == rc && info.text[0]);
    } else {
        struct prompt *p = NULL;
        char *wav = malloc((size_t)len);
        assert(wav && pread(out, wav, (size_t)len, 0) == len);
        assert(prompt_parse_wav(wav, (size_t)len, &p, &info) == 0);
        prompt_unref(p);
        free(wav);
    }
    close(in);
    close(out);
    return 0;
}
