/* OpenSSL's headers in one place. */
#ifndef RAFT_TLS_H
#define RAFT_TLS_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#endif
