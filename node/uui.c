#include "node/uui.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUI_IA5 "04"

struct uui_text {
    char at[UUI_BYTES_MAX]; /* one less than what is sent, and a NUL */
    size_t len;
};

static void uui_byte(struct uui_text *t, unsigned char c)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char escaped[4] = {(char)c, '\0'};
    if (!c || !strchr(plain, c))
        (void)snprintf(escaped, sizeof escaped, "%%%02X", c);
    size_t n = strlen(escaped);
    if (t->len + n < sizeof t->at)
        memcpy(t->at + t->len, escaped, n);
    t->len += n; /* beyond the end: it does not fit */
}

static void uui_word(struct uui_text *t, const char *word)
{
    for (; *word; word++)
        uui_byte(t, (unsigned char)*word);
}

static void uui_sign(struct uui_text *t, char sign)
{
    if (t->len + 1 < sizeof t->at)
        t->at[t->len] = sign;
    t->len++;
}

static void uui_entry(struct uui_text *t, const char *name, const char *value)
{
    size_t before = t->len;
    if (before)
        uui_sign(t, '&');
    uui_word(t, name);
    uui_sign(t, '=');
    uui_word(t, value);
    if (t->len >= sizeof t->at)
        t->len = before;
}

static int uui_by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void uui_data(struct uui_text *t, const char *data)
{
    json_t *o = data[0] ? json_loads(data, 0, NULL) : NULL, *value;
    size_t n = json_object_size(o), i = 0;
    const char **names = n ? calloc(n, sizeof *names) : NULL, *name;
    if (names) {
        json_object_foreach(o, name, value) names[i++] = name;
        qsort(names, n, sizeof *names, uui_by_name);
        for (i = 0; i < n; i++)
            if (json_is_string(json_object_get(o, names[i])))
                uui_entry(t, names[i], json_string_value(json_object_get(o, names[i])));
    }
    free(names);
    json_decref(o);
}

void uui_header(const char *call_id, const char *customer, const char *data, char out[UUI_HEADER_MAX])
{
    struct uui_text t = {.len = 0};
    uui_entry(&t, "call_id", call_id);
    if (customer[0])
        uui_entry(&t, "customer", customer);
    uui_data(&t, data);
    size_t at = (size_t)snprintf(out, UUI_HEADER_MAX, "User-to-User: " UUI_IA5);
    for (size_t i = 0; i < t.len; i++)
        at += (size_t)snprintf(out + at, UUI_HEADER_MAX - at, "%02x", (unsigned char)t.at[i]);
    (void)snprintf(out + at, UUI_HEADER_MAX - at, ";encoding=hex\r\n");
}
