/* What `ccnode --check` looks at beyond the text of the node file: everything that would make the node fail later. Faults are
 * told all at once, so that one run is enough. */
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

#include "base/yaml.h"
#include "node/config.h"

struct config_checker {
    FILE *to;
    const char *path;
    struct yaml_marks *marks; /* may be NULL */
    int first;                /* code of the first fault; 0: none */
};

static void config_report(struct config_checker *k, struct err_info *info)
{
    fprintf(k->to, "%s:%u:%u: %s%s%s\n", k->path, info->line, info->column, info->field, info->field[0] ? ": " : "",
            info->text);
    if (!k->first)
        k->first = info->code;
}

static void config_fault(struct config_checker *k, int code, const char *field, const char *text)
{
    struct err_info info;
    err_set(&info, code, field, "%s", text);
    yaml_locate(k->marks, &info);
    config_report(k, &info);
}

static X509 *config_read_cert(const char *path)
{
    FILE *f = fopen(path, "re");
    X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (f)
        fclose(f);
    return cert;
}

/* A key with a pass phrase is not asked for: a node starts without anybody at hand. */
static int config_no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *config_read_key(const char *path)
{
    FILE *f = fopen(path, "re");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, config_no_passphrase, NULL) : NULL;
    if (f)
        fclose(f);
    return key;
}

/* 0, or OpenSSL's reason (X509_V_ERR_...). */
static int config_verify(X509 *ca, X509 *cert)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int why = X509_V_ERR_OUT_OF_MEM;
    if (store && ctx && X509_STORE_add_cert(store, ca) == 1 && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1)
        why = X509_verify_cert(ctx) == 1 ? 0 : X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return why;
}

static void config_check_cert(struct config_checker *k, const struct node_config *c, X509 *ca, X509 *cert)
{
    char cn[128] = "", text[ERR_INFO_TEXT_MAX];
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof cn);
    if (strcmp(cn, c->name) != 0) {
        snprintf(text, sizeof text, "is for '%s', not for '%s'", cn, c->name);
        config_fault(k, ERR_INVAL, "tls.cert", text);
    }
    int why = ca ? config_verify(ca, cert) : 0;
    if (why) {
        snprintf(text, sizeof text, "not accepted by the authority of tls.ca: %s", X509_verify_cert_error_string(why));
        config_fault(k, ERR_INVAL, "tls.cert", text);
    }
}

static void config_check_tls(struct config_checker *k, const struct node_config *c)
{
    X509 *ca = config_read_cert(c->tls_ca), *cert = config_read_cert(c->tls_cert);
    EVP_PKEY *key = config_read_key(c->tls_key);
    if (!ca)
        config_fault(k, ERR_INVAL, "tls.ca", "holds no certificate (PEM)");
    if (!cert)
        config_fault(k, ERR_INVAL, "tls.cert", "holds no certificate (PEM)");
    else
        config_check_cert(k, c, ca, cert);
    if (!key)
        config_fault(k, ERR_INVAL, "tls.key", "holds no private key (PEM, without a pass phrase)");
    else if (cert && X509_check_private_key(cert, key) != 1)
        config_fault(k, ERR_INVAL, "tls.key", "does not belong to the certificate");
    EVP_PKEY_free(key);
    X509_free(cert);
    X509_free(ca);
    ERR_clear_error();
}

/* The data folder is made by the daemon: missing is fine, in the way is not. */
static void config_check_folder(struct config_checker *k, const char *field, const char *path, bool may_be_missing)
{
    DIR *d = opendir(path);
    char text[ERR_INFO_TEXT_MAX];
    if (d) {
        closedir(d);
        if (may_be_missing && access(path, W_OK) != 0)
            config_fault(k, ERR_DENIED, field, "cannot be written to");
        return;
    }
    if (errno == ENOENT && may_be_missing)
        return;
    int sys_errno = errno;
    snprintf(text, sizeof text, "%.150s: %s", path, strerror(sys_errno));
    config_fault(k, err_from_errno(sys_errno), field, text);
}

/* Only for positions: the text has just been read without a fault. */
static struct yaml_marks *config_marks(const char *path)
{
    static char text[NODE_CONFIG_BYTES_MAX];
    struct yaml_marks *marks = NULL;
    json_t *tree = NULL;
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f)
        fclose(f);
    if (yaml_load(text, n, &tree, &marks, NULL) == 0)
        json_decref(tree);
    return marks;
}

int node_config_check(const char *path, FILE *to)
{
    struct node_config c;
    struct err_info info;
    struct config_checker k = {.to = to, .path = path};
    if (node_config_load(path, &c, &info)) {
        config_report(&k, &info);
        return k.first;
    }
    k.marks = config_marks(path);
    config_check_folder(&k, "prompts", c.prompts, false);
    config_check_folder(&k, "data", c.data, true);
    config_check_tls(&k, &c);
    node_config_free(&c);
    yaml_marks_free(k.marks);
    if (!k.first)
        fprintf(to, "%s: ok\n", path);
    return k.first;
}
