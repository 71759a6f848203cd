/* Files of the tree that tests read: YAML as it is shipped, catalogues of prompts among them. */
#ifndef TESTS_SHIPPED_H
#define TESTS_SHIPPED_H

#include <check.h>
#include <jansson.h>
#include <stdio.h>

#include "base/yaml.h"

/* The caller's, to be given back by json_decref. */
static inline json_t *shipped(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: run from the top of the tree", path);
    static char text[1 << 16];
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    json_t *tree = NULL;
    struct err_info info;
    int rc = yaml_load(text, n, &tree, NULL, &info);
    ck_assert_msg(rc == 0, "%s:%u:%u %s", path, info.line, info.column, info.text);
    return tree;
}

/* What a catalogue has for a key; NULL: nothing. */
static inline const char *shipped_text(const json_t *catalogue, const char *key)
{
    json_t *v = json_object_get(catalogue, key);
    return json_string_value(json_is_string(v) ? v : json_object_get(v, "text"));
}

#endif
