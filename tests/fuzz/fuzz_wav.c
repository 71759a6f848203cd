/* WAV files: refused with a text, or sound that is no longer than the file. */
#include <assert.h>
#include <stdint.h>

#include "telephony/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prompt *p = NULL;
    struct err_info info;
    int rc = prompt_parse_wav(data, size, &p, &info);
    if (rc) {
        assert(!p && info.code == rc && info.text[0]);
        return 0;
    }
    assert(p->refs == 1 && p->n_samples > 0 && p->n_samples <= size);
    int32_t sum = 0;
    for (uint32_t i = 0; i < p->n_samples; i++)
        sum = (sum + p->pcm[i]) % 65536;
    assert(sum > -65536 && sum < 65536);
    prompt_unref(p);
    return 0;
}
