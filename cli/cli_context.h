/* Where the cluster is and who we are: options, environment and the configuration file together.
 *
 *   contexts:
 *     - name: production
 *       servers: ["https://192.0.2.1:8443", "https://192.0.2.2:8443"]
 *       ca: ca.pem                relative to the folder of this file
 *       token_file: admin.token   first line; not readable by others
 *   current: production
 *
 * The file is --config, else $CCCTL_CONFIG, else ~/.config/ccctl.yaml; without any of them --server and $CCCTL_TOKEN do.
 * A token is never taken from the command line, where every user of the machine could read it. Owner: the caller. */
#ifndef CLI_CLI_CONTEXT_H
#define CLI_CLI_CONTEXT_H

#include "base/err.h"
#include "cli/cli_args.h"

#define CLI_SERVERS_MAX 16u

struct cli_context {
    char *servers[CLI_SERVERS_MAX]; /* "https://host:port", no trailing slash */
    unsigned n_servers;
    char *ca;    /* file, or NULL: those of the system */
    char *token; /* secret; NULL: none */
};

/* Errors: ERR_INVAL, ERR_NOTFOUND, ERR_DENIED, ERR_IO, ERR_NOMEM with a text that names file, line and column. */
ERR_CHECKED int cli_context_load(const struct cli_args *a, struct cli_context *out, struct err_info *info);
void cli_context_free(struct cli_context *c);

/* A whole file ("-": standard input) of at most max bytes, NUL-terminated, malloc'ed. */
ERR_CHECKED int cli_read_file(const char *path, size_t max, char **text, size_t *len, struct err_info *info);
/* First line of a file that holds a secret ("-": standard input). Refused when the file can be read by everybody. */
ERR_CHECKED int cli_read_secret(const char *path, char **out, struct err_info *info);

#endif
