/* Bodies of requests: configurations as YAML and as JSON (first byte chooses), and what is written for them again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const json_t *json)
{
    char *text = api_yaml_write(json);
    json_t *back = NULL;
    struct err_info info = {0};
    if (!text)
        abort();
    if (yaml_load(text, strlen(text), &back, NULL, &info) != 0 || !json_equal((json_t *)(uintptr_t)json, back)) {
        fprintf(stderr, "%s\n%s line %u\n", text, info.text, info.line);
        abort(); /* an export must always be readable */
    }
    json_decref(back);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct api_document *doc = NULL;
    struct err_info info = {0};
    bool unreadable = false;
    int err = api_document_read("everline", (const char *)data + 1, size - 1, data[0] & 1, &unreadable, &doc, &info);
    if (err) {
        if (info.text[0] == '\0')
            abort(); /* every refusal says why */
        return 0;
    }
    for (size_t i = 0; i < doc->n; i++) {
        json_t *json = api_object_json(doc->objects[i].o, false);
        if (!json || api_object_key(doc->objects[i].o)[0] == '\0')
            abort();
        (void)api_object_equal(doc->objects[i].o, doc->objects[0].o);
        json_decref(json);
    }
    write_again(doc->json);
    api_document_free(doc);
    return 0;
}
