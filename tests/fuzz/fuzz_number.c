/* Numbers as callers send them and operators write them: the form of a form is itself, and so is the text of an entry. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), form[NUMBER_MAX], again[NUMBER_MAX];
    struct number_pattern p, q;
    struct err_info info = {0};
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    number_form(text, form);
    if (strlen(form) >= NUMBER_MAX)
        abort();
    number_form(form, again);
    if (strcmp(form, again) != 0)
        abort();
    if (number_pattern_parse(text, &p, &info) == 0) {
        number_pattern_text(&p, form);
        if (number_pattern_parse(form, &q, &info) != 0 || p.kind != q.kind)
            abort();
        number_pattern_text(&q, again);
        if (strcmp(form, again) != 0)
            abort();
    } else if (!info.text[0]) {
        abort();
    }
    free(text);
    return 0;
}
