/* YAML and JSON text: whatever is taken can be written as JSON, read again and is the same; every field has a position inside
 * the text; a refusal says why and where. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned fuzz_lines(const char *text, size_t size)
{
    unsigned lines = 2; /* positions may lie just behind the end */
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n' || text[i] == '\r' || (unsigned char)text[i] >= 0x80;
    return lines;
}

static void fuzz_positions(const struct yaml_marks *m, json_t *v, const char *path, unsigned lines)
{
    char sub[256];
    const char *key;
    json_t *member;
    unsigned line = 0, column = 0;
    yaml_position(m, path, &line, &column);
    assert(line >= 1 && line <= lines && column >= 1);
    if (strlen(path) > 128)
        return;
    json_object_foreach(v, key, member)
    {
        snprintf(sub, sizeof sub, "%s%s%.100s", path, *path ? "." : "", key);
        fuzz_positions(m, member, sub, lines);
    }
    for (size_t i = 0; i < json_array_size(v) && i < 50; i++) {
        snprintf(sub, sizeof sub, "%s[%zu]", path, i);
        fuzz_positions(m, json_array_get(v, i), sub, lines);
    }
}

static void fuzz_round_trip(json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    assert(text);
    json_t *again = NULL;
    struct err_info info;
    if (json_is_array(v) || json_is_object(v)) {
        assert(json_load_text(text, strlen(text), &again, &info) == 0);
        assert(json_equal(v, again));
        json_decref(again);
    }
    free(text);
}

static void fuzz_refusal(const struct err_info *info, int rc)
{
    assert(rc < 0 && info->code == rc && info->text[0]);
    assert(utf8_valid(info->text) && utf8_valid(info->field));
    assert(rc == ERR_TOOBIG || (info->line >= 1 && info->column >= 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    json_t *tree = NULL;
    struct yaml_marks *marks = NULL;
    struct err_info info;
    int rc = yaml_load(text, size, &tree, &marks, &info);
    if (rc == 0) {
        if (size < 4096)
            fuzz_positions(marks, tree, "", fuzz_lines(text, size));
        fuzz_round_trip(tree);
        json_decref(tree);
        yaml_marks_free(marks);
    } else {
        fuzz_refusal(&info, rc);
    }
    tree = NULL;
    rc = json_load_text(text, size, &tree, &info);
    if (rc == 0) {
        fuzz_round_trip(tree);
        json_decref(tree);
    } else {
        fuzz_refusal(&info, rc);
    }
    return 0;
}
