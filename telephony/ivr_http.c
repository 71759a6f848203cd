/* What an http node asks, with its values in their places, and what comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "telephony/ivr_int.h"

#define IVR_URL_BYTES_MAX 2048u /* node/http_client.h takes no longer one */
#define IVR_HEADER_BYTES_MAX 2049u
#define IVR_BODY_TEXT_BYTES_MAX 16384u

struct ivr_secrets {
    const struct ivr_run *run;
    const char *(*secret)(void *ctx, const char *name);
    void *ctx;
    bool missing;
};

static const char *ivr_lookup_secret(void *ctx, const char *name)
{
    struct ivr_secrets *s = ctx;
    if (strncmp(name, "secret.", 7) != 0)
        return ivr_run_variable(s->run, name, NULL);
    const char *value = s->secret ? s->secret(s->ctx, name + 7) : NULL;
    s->missing |= !value;
    return value ? value : "";
}

static char *ivr_filled(struct ivr_secrets *s, const char *text, enum ivr_text_form form, size_t size, int *rc)
{
    char *out = malloc(size);
    if (!out) {
        *rc = ERR_NOMEM;
        return NULL;
    }
    if (!ivr_text_fill(text, form, ivr_lookup_secret, s, out, size))
        *rc = ERR_TOOBIG;
    return out;
}

/* A copy with every text filled in: jansson escapes what stands in it when it is written. */
static json_t *ivr_fill_body(struct ivr_secrets *s, const json_t *v, int *rc)
{
    const char *name;
    json_t *inner, *out;
    size_t i;
    if (json_is_string(v)) {
        char *text = ivr_filled(s, json_string_value(v), IVR_TEXT_PLAIN, IVR_BODY_TEXT_BYTES_MAX, rc);
        out = text ? json_string(text) : NULL;
        free(text);
        return out;
    }
    if (json_is_object(v)) {
        out = json_object();
        json_object_foreach((json_t *)(uintptr_t)v, name, inner)
        {
            if (json_object_set_new(out, name, ivr_fill_body(s, inner, rc)) != 0 && !*rc)
                *rc = ERR_NOMEM;
        }
        return out;
    }
    if (!json_is_array(v))
        return json_incref((json_t *)(uintptr_t)v);
    out = json_array();
    json_array_foreach(v, i, inner)
    {
        if (json_array_append_new(out, ivr_fill_body(s, inner, rc)) != 0 && !*rc)
            *rc = ERR_NOMEM;
    }
    return out;
}

static int ivr_add_header(struct ivr_request *q, struct ivr_secrets *s, const char *name, const char *text)
{
    char line[IVR_HEADER_BYTES_MAX + 128];
    int rc = 0;
    char *value = ivr_filled(s, text, IVR_TEXT_PLAIN, IVR_HEADER_BYTES_MAX, &rc);
    /* A secret that somebody stored with a line end must not become a header of its own. */
    for (char *c = value; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    if (!rc) {
        snprintf(line, sizeof line, "%s: %s", name, value);
        q->headers[q->n_headers] = strdup(line);
        rc = q->headers[q->n_headers++] ? 0 : ERR_NOMEM;
        explicit_bzero(line, sizeof line);
    }
    free(value);
    return rc;
}

static int ivr_add_headers(struct ivr_request *q, struct ivr_secrets *s, const struct ivr_node *n)
{
    bool typed = false;
    int rc = 0;
    for (unsigned i = 0; !rc && i < n->http.n_headers; i++) {
        typed |= strcasecmp(n->http.headers[i].name, "Content-Type") == 0;
        rc = ivr_add_header(q, s, n->http.headers[i].name, n->http.headers[i].text);
    }
    if (!rc && n->http.body && !typed)
        rc = ivr_add_header(q, s, "Content-Type", "application/json");
    return rc;
}

int ivr_run_request(const struct ivr_run *r, const char *(*secret)(void *ctx, const char *name), void *ctx,
                    struct ivr_request *out)
{
    const struct ivr_node *n = ivr_present(r);
    if (r->phase != IVR_BUSY || n->type != IVR_NODE_HTTP)
        return ERR_BADSTATE;
    struct ivr_secrets s = {r, secret, ctx, false};
    struct ivr_request q = {.timeout_ms = n->timeout_ms};
    int rc = 0;
    snprintf(q.id, sizeof q.id, "%.64s-%u", r->call_id, r->asked);
    q.method = strdup(n->http.method);
    q.url = ivr_filled(&s, n->http.url, IVR_TEXT_URL, IVR_URL_BYTES_MAX, &rc);
    if (!q.method)
        rc = ERR_NOMEM;
    if (!rc)
        rc = ivr_add_headers(&q, &s, n);
    if (!rc && n->http.body) {
        json_t *body = ivr_fill_body(&s, n->http.body, &rc);
        q.body = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        json_decref(body);
        if (!q.body && !rc)
            rc = ERR_NOMEM;
        q.body_len = q.body ? strlen(q.body) : 0;
    }
    if (!rc && s.missing)
        rc = ERR_NOTFOUND;
    if (rc)
        ivr_request_free(&q);
    else
        *out = q;
    return rc;
}

static void ivr_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void ivr_request_free(struct ivr_request *q)
{
    free(q->method);
    ivr_wipe(q->url);
    ivr_wipe(q->body);
    for (unsigned i = 0; i < q->n_headers; i++)
        ivr_wipe(q->headers[i]);
    memset(q, 0, sizeof *q);
}

/* 2xx with an answer that can be read (if anything is wanted of it) goes on at next; all else at on_error. */
int ivr_http_answered(struct ivr_steps *s, const struct ivr_event *ev)
{
    struct ivr_run *r = s->run;
    const struct ivr_node *n = ivr_present(r);
    char status[16], value[IVR_VALUE_MAX];
    bool good = ev->status >= 200 && ev->status <= 299;
    json_t *answer = NULL;
    snprintf(status, sizeof status, "%d", ev->status);
    (void)ivr_vars_set(&r->vars, IVR_HTTP_STATUS, status, false);
    if (good && n->n_sets)
        good = ev->body && ev->body_len <= IVR_ANSWER_BYTES_MAX &&
               json_load_text(ev->body, ev->body_len, &answer, NULL) == 0;
    for (unsigned i = 0; good && i < n->n_sets; i++) {
        ivr_path_text(answer, n->sets[i].text, value, sizeof value);
        (void)ivr_vars_set(&r->vars, n->sets[i].name, value, n->sets[i].secret);
    }
    explicit_bzero(value, sizeof value);
    json_decref(answer);
    return good ? n->next : n->on_fail;
}
