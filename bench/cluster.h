/* What measurements of a cluster of raft/repl.h in processes of its own share: certificates, configuration, ending. */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "raft/repl.h"
#include "raft/tls.h"

static inline uint64_t now_us(void)
{
    return uv_hrtime() / 1000u;
}

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(EXIT_FAILURE);
}

/* By ca_key in the name of ca_cert; without ca_cert an authority by its own key. */
static inline X509 *bench_cert(const char *cn, EVP_PKEY *key, long serial, EVP_PKEY *ca_key, X509 *ca_cert)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(ca_cert ? ca_cert : x));
    if (!ca_cert) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(x, ext, -1);
        X509_EXTENSION_free(ext);
    }
    X509_sign(x, ca_cert ? ca_key : key, EVP_sha256());
    return x;
}

static inline void bench_pem(const char *root, const char *name, const char *kind, EVP_PKEY *key, X509 *cert)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.%s", root, name, kind);
    FILE *f = fopen(path, "w");
    if (!f)
        die("cannot write a certificate");
    if (key)
        PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    if (cert)
        PEM_write_X509(f, cert);
    fclose(f);
}

/* ROOT/ca.crt, and ROOT/nK.crt and .key for each node. */
static inline void bench_certificates(const char *root, int nodes)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    X509 *ca_cert = bench_cert("bench", ca_key, 1, ca_key, NULL);
    bench_pem(root, "ca", "crt", NULL, ca_cert);
    for (int i = 0; i < nodes; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i + 1);
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *cert = bench_cert(name, key, i + 2, ca_key, ca_cert);
        bench_pem(root, name, "crt", NULL, cert);
        bench_pem(root, name, "key", key, NULL);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    X509_free(ca_cert);
    EVP_PKEY_free(ca_key);
}

/* What a configuration points into. */
struct bench_texts {
    char name[16], listen[32], join[32], ca[160], crt[160], key[160];
};

/* Of node i (from 0; that one founds the cluster) at 127.0.0.1:base_port + i, with its log in `dir`. */
static inline struct repl_config bench_config(struct bench_texts *t, const char *root, const char *dir, int i,
                                              unsigned base_port)
{
    snprintf(t->name, sizeof t->name, "n%d", i + 1);
    snprintf(t->listen, sizeof t->listen, "127.0.0.1:%u", base_port + (unsigned)i);
    snprintf(t->join, sizeof t->join, "127.0.0.1:%u", base_port);
    snprintf(t->ca, sizeof t->ca, "%s/ca.crt", root);
    snprintf(t->crt, sizeof t->crt, "%s/%s.crt", root, t->name);
    snprintf(t->key, sizeof t->key, "%s/%s.key", root, t->name);
    return (struct repl_config){.name = t->name,
                                .dir = dir,
                                .listen = t->listen,
                                .ca_file = t->ca,
                                .cert_file = t->crt,
                                .key_file = t->key,
                                .join = i ? t->join : NULL,
                                .bootstrap = i == 0,
                                .snapshot_threshold = 1u << 30};
}

static inline int bench_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void bench_remove(const char *root)
{
    nftw(root, bench_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
