#include <string.h>

#include "raft/mesh_int.h"

const char *mesh_tls_error(char *out, size_t cap)
{
    unsigned long e = ERR_get_error();
    if (e)
        ERR_error_string_n(e, out, cap);
    else
        out[0] = '\0';
    ERR_clear_error();
    return out;
}

int mesh_tls_open(struct mesh *m, const struct mesh_config *cfg, struct err_info *info)
{
    char text[160];
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (!ctx)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    /* tickets would let a peer resume without showing its certificate, and cost a record each */
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ERR_clear_error();
    int rc = 0;
    if (SSL_CTX_load_verify_locations(ctx, cfg->ca_file, NULL) != 1)
        rc = err_set(info, ERR_IO, "ca_file", "cannot use %s: %s", cfg->ca_file, mesh_tls_error(text, sizeof text));
    else if (SSL_CTX_use_certificate_chain_file(ctx, cfg->cert_file) != 1)
        rc = err_set(info, ERR_IO, "cert_file", "cannot use %s: %s", cfg->cert_file, mesh_tls_error(text, sizeof text));
    else if (SSL_CTX_use_PrivateKey_file(ctx, cfg->key_file, SSL_FILETYPE_PEM) != 1)
        rc = err_set(info, ERR_IO, "key_file", "cannot use the private key: %s", mesh_tls_error(text, sizeof text));
    else if (SSL_CTX_check_private_key(ctx) != 1)
        rc = err_set(info, ERR_INVAL, "key_file", "the private key does not belong to %s", cfg->cert_file);
    if (rc) {
        SSL_CTX_free(ctx);
        return rc;
    }
    m->tls = ctx;
    return 0;
}

bool mesh_tls_peer_name(SSL *ssl, char *out, size_t cap)
{
    bool ok = false;
    X509 *cert = SSL_get1_peer_certificate(ssl);
    if (!cert)
        return false;
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    /* two names in one certificate could be read differently by two readers */
    if (at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0 &&
        SSL_get_verify_result(ssl) == X509_V_OK) {
        unsigned char *utf8 = NULL;
        int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        if (n > 0 && (size_t)n < cap && !memchr(utf8, 0, (size_t)n)) {
            memcpy(out, utf8, (size_t)n);
            out[n] = '\0';
            ok = true;
        }
        if (n >= 0)
            OPENSSL_free(utf8);
    }
    X509_free(cert);
    return ok;
}
