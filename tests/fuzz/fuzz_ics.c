/* Calendar files: what is taken is days that there are, each once, in order; what is refused says why and where. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_ics.h"
#include "core/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"班", "workday"};
    struct err_info info = {0};
    json_t *days = NULL, *day;
    size_t i;
    char *exact = malloc(size + !size); /* a byte read beyond it is found */
    if (!exact)
        abort();
    memcpy(exact, data, size);
    int err = cli_ics_parse(exact, size, words, 2, &days, &info);
    free(exact);
    if (err) {
        if (!info.text[0] || days || (!info.line && err != ERR_TOOBIG))
            abort();
        return 0;
    }
    int64_t last = -1;
    if (json_array_size(days) == 0 || json_array_size(days) > CLI_ICS_DAYS_MAX)
        abort();
    json_array_foreach(days, i, day)
    {
        int64_t d;
        const char *kind = json_string_value(json_object_get(day, "kind"));
        if (calendar_date_parse(json_string_value(json_object_get(day, "date")), &d) != 0 || d <= last)
            abort();
        if (strcmp(kind, "off") != 0 && strcmp(kind, "work") != 0)
            abort();
        if (json_string_length(json_object_get(day, "name")) > 128)
            abort();
        last = d;
    }
    json_decref(days);
    return 0;
}
