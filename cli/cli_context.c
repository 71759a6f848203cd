#include "cli/cli_context.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/yaml.h"

#define CONFIG_BYTES_MAX (256u << 10)
#define SECRET_BYTES_MAX 4096u

int cli_read_file(const char *path, size_t max, char **text, size_t *len, struct err_info *info)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(info, err_from_errno(errno), "", "%s: %s", path, strerror(errno));
    int rc = 0;
    size_t cap = 4096, n = 0;
    char *buf = malloc(cap + 1);
    for (;;) {
        if (!buf) {
            rc = err_set(info, ERR_NOMEM, "", "%s: out of memory", path);
            break;
        }
        ssize_t got = read(fd, buf + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            rc = err_set(info, err_from_errno(errno), "", "%s: %s", path, strerror(errno));
            break;
        }
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max) {
            rc = err_set(info, ERR_TOOBIG, "", "%s: larger than %zu bytes", path, max);
            break;
        }
        if (n == cap) {
            char *more = realloc(buf, cap * 2 + 1);
            if (!more)
                free(buf);
            buf = more;
            cap *= 2;
        }
    }
    if (!is_stdin)
        close(fd);
    if (rc) {
        free(buf);
        return rc;
    }
    buf[n] = 0;
    *text = buf;
    *len = n;
    return 0;
}

int cli_read_secret(const char *path, char **out, struct err_info *info)
{
    struct stat st;
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
        return err_set(info, ERR_DENIED, "", "%s: everybody can read this secret; do: chmod 600 %s", path, path);
    char *text;
    size_t len;
    int rc = cli_read_file(path, SECRET_BYTES_MAX, &text, &len, info);
    if (rc)
        return rc;
    size_t line = strcspn(text, "\r\n");
    if (line == 0 || strlen(text) != len) {
        explicit_bzero(text, len);
        free(text);
        return err_set(info, ERR_INVAL, "", "%s: the first line must hold the secret",
                       strcmp(path, "-") ? path : "standard input");
    }
    if (len > line)
        explicit_bzero(text + line, len - line);
    *out = text;
    return 0;
}

static char *beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    char *out = NULL;
    if (path[0] == '/' || !slash)
        return strdup(path);
    if (asprintf(&out, "%.*s/%s", (int)(slash - file), file, path) < 0)
        return NULL;
    return out;
}

static int add_server(struct cli_context *c, const char *url, struct err_info *info)
{
    if (c->n_servers == CLI_SERVERS_MAX)
        return err_set(info, ERR_TOOBIG, "", "more than %u servers", CLI_SERVERS_MAX);
    const char *scheme = strstr(url, "://");
    if (scheme && strncmp(url, "https://", 8) != 0)
        return err_set(info, ERR_INVAL, "", "server %s: only https:// is spoken, so that the token stays secret", url);
    const char *host = scheme ? url + 8 : url;
    size_t len = strlen(host);
    while (len > 0 && host[len - 1] == '/')
        len--;
    if (len == 0 || memchr(host, '/', len) || memchr(host, '@', len) || memchr(host, ' ', len))
        return err_set(info, ERR_INVAL, "", "server \"%s\": expected https://HOST:PORT", url);
    char *out;
    if (asprintf(&out, "https://%.*s", (int)len, host) < 0)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    c->servers[c->n_servers++] = out;
    return 0;
}

struct file {
    const char *path;
    json_t *root;
    struct yaml_marks *marks;
};

static int complain(const struct file *f, const char *field, const char *what, struct err_info *info)
{
    unsigned line = 0, column = 0;
    (void)yaml_position(f->marks, field, &line, &column);
    return err_set(info, ERR_INVAL, field, "%s:%u:%u: %s: %s", f->path, line, column, *field ? field : "file", what);
}

static int take_context(const struct file *f, const json_t *o, unsigned index, bool want_servers, struct cli_context *c,
                        struct err_info *info)
{
    const char *key;
    json_t *v;
    char field[80];
    json_object_foreach((json_t *)o, key, v)
    {
        snprintf(field, sizeof field, "contexts[%u].%.40s", index, key);
        if (strcmp(key, "name") == 0)
            continue;
        if (strcmp(key, "servers") == 0) {
            size_t i;
            json_t *s;
            if (!json_is_array(v) || json_array_size(v) == 0)
                return complain(f, field, "expected a list of https://HOST:PORT", info);
            json_array_foreach(v, i, s)
            {
                if (!json_is_string(s))
                    return complain(f, field, "expected a list of https://HOST:PORT", info);
                int rc = want_servers ? add_server(c, json_string_value(s), info) : 0;
                if (rc)
                    return rc;
            }
            continue;
        }
        if (strcmp(key, "ca") != 0 && strcmp(key, "token_file") != 0)
            return complain(f, field, "unknown key; known are name, servers, ca, token_file", info);
        if (!json_is_string(v) || !*json_string_value(v))
            return complain(f, field, "expected a file name", info);
        char *path = beside(f->path, json_string_value(v));
        if (!path)
            return err_set(info, ERR_NOMEM, "", "out of memory");
        if (strcmp(key, "ca") == 0) {
            free(c->ca);
            c->ca = path;
        } else {
            int rc = c->token ? 0 : cli_read_secret(path, &c->token, info);
            free(path);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int pick_context(const struct file *f, const char *wanted, bool want_servers, struct cli_context *c,
                        struct err_info *info)
{
    const char *key;
    json_t *v;
    if (!json_is_object(f->root))
        return complain(f, "", "expected a mapping with contexts and current", info);
    json_object_foreach(f->root, key, v)
    {
        if (strcmp(key, "contexts") != 0 && strcmp(key, "current") != 0)
            return complain(f, key, "unknown key; known are contexts and current", info);
    }
    json_t *contexts = json_object_get(f->root, "contexts"), *current = json_object_get(f->root, "current");
    if (!json_is_array(contexts) || json_array_size(contexts) == 0)
        return complain(f, "contexts", "expected a list of contexts", info);
    if (current && !json_is_string(current))
        return complain(f, "current", "expected the name of a context", info);
    if (!wanted && current)
        wanted = json_string_value(current);
    if (!wanted && json_array_size(contexts) > 1)
        return complain(f, "", "which context? Use --context NAME or set `current`", info);
    size_t i;
    json_array_foreach(contexts, i, v)
    {
        const char *name = json_string_value(json_object_get(v, "name"));
        char field[40];
        snprintf(field, sizeof field, "contexts[%zu]", i);
        if (!name)
            return complain(f, field, "a context needs a name", info);
        if (!wanted || strcmp(name, wanted) == 0)
            return take_context(f, v, (unsigned)i, want_servers, c, info);
    }
    return err_set(info, ERR_NOTFOUND, "", "%s: no context named \"%s\"", f->path, wanted);
}

static int from_file(const char *path, const char *wanted, bool want_servers, struct cli_context *c,
                     struct err_info *info)
{
    char *text;
    size_t len;
    struct file f = {.path = path};
    int rc = cli_read_file(path, CONFIG_BYTES_MAX, &text, &len, info);
    if (rc)
        return rc;
    struct err_info why = {0};
    rc = yaml_load(text, len, &f.root, &f.marks, &why);
    if (rc)
        rc = err_set(info, rc, why.field, "%s:%u:%u: %.180s", path, why.line, why.column, why.text);
    else
        rc = pick_context(&f, wanted, want_servers, c, info);
    json_decref(f.root);
    yaml_marks_free(f.marks);
    free(text);
    return rc;
}

int cli_context_load(const struct cli_args *a, struct cli_context *out, struct err_info *info)
{
    struct cli_context c = {0};
    char *path = NULL;
    int rc = 0;
    const char *token = getenv("CCCTL_TOKEN"), *named = cli_args_value(a, "config"), *env = getenv("CCCTL_CONFIG");
    const char *home = getenv("HOME");

    for (unsigned i = 0; i < a->n_set && rc == 0; i++)
        if (strcmp(a->set[i].option->name, "server") == 0)
            rc = add_server(&c, a->set[i].value, info);
    if (rc == 0 && token && *token && !(c.token = strdup(token)))
        rc = err_set(info, ERR_NOMEM, "", "out of memory");
    if (rc)
        goto out;
    if (named || (env && *env)) {
        path = strdup(named ? named : env);
    } else if (home && asprintf(&path, "%s/.config/ccctl.yaml", home) < 0) {
        path = NULL;
    } else if (home && access(path, F_OK) != 0) {
        free(path);
        path = NULL;
    }
    if (path)
        rc = from_file(path, cli_args_value(a, "context"), c.n_servers == 0, &c, info);
    else if (cli_args_given(a, "context"))
        rc = err_set(info, ERR_NOTFOUND, "", "--context needs a configuration file: --config FILE or CCCTL_CONFIG");
    if (rc == 0 && cli_args_value(a, "ca")) {
        free(c.ca);
        c.ca = strdup(cli_args_value(a, "ca"));
    }
    if (rc == 0 && c.n_servers == 0)
        rc = err_set(
            info, ERR_INVAL, "",
            "which server? Use --server https://HOST:PORT, --config FILE, CCCTL_CONFIG or ~/.config/ccctl.yaml");
out:
    free(path);
    if (rc)
        cli_context_free(&c);
    else
        *out = c;
    return rc;
}

void cli_context_free(struct cli_context *c)
{
    for (unsigned i = 0; i < c->n_servers; i++)
        free(c->servers[i]);
    free(c->ca);
    if (c->token)
        explicit_bzero(c->token, strlen(c->token));
    free(c->token);
    *c = (struct cli_context){0};
}
