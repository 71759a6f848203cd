#include "storage/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC "EVSEAL1"
#define MAGIC_BYTES 8u
#define ID_BYTES 8u
#define NONCE_BYTES 12u
#define TAG_BYTES 16u
#define KEY_BYTES 32u
#define WRAPPED_AT (MAGIC_BYTES + ID_BYTES)
#define KEY_CHUNK UINT64_MAX /* the number under which a key is wrapped: no chunk has it */

_Static_assert(SEAL_EXTRA_BYTES == NONCE_BYTES + TAG_BYTES, "chunk");
_Static_assert(SEAL_HEADER_BYTES == WRAPPED_AT + KEY_BYTES + SEAL_EXTRA_BYTES, "header");

struct seal_keys {
    unsigned n;
    uint8_t id[SEAL_KEYS_MAX][ID_BYTES];
    uint8_t key[SEAL_KEYS_MAX][KEY_BYTES];
};

/* ---- master keys */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int read_key(const char *line, uint8_t out[KEY_BYTES])
{
    bool varies = false;
    for (size_t i = 0; i < 2 * KEY_BYTES; i++) {
        int v = hex_of(line[i]);
        if (v < 0)
            return ERR_INVAL;
        varies |= line[i] != line[0];
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | v);
    }
    return varies && (line[2 * KEY_BYTES] == '\n' || line[2 * KEY_BYTES] == '\0') ? 0 : ERR_INVAL;
}

static int read_lines(FILE *f, struct seal_keys *k, const char *path, struct err_info *info)
{
    char line[128];
    int rc = 0;
    for (unsigned at = 1; !rc && fgets(line, sizeof line, f); at++) {
        uint8_t sum[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        if (k->n == SEAL_KEYS_MAX)
            rc = err_set(info, ERR_TOOBIG, "recording_key_file", "%s: more than %u keys", path, SEAL_KEYS_MAX);
        else if (read_key(line, k->key[k->n]))
            rc = err_set(info, ERR_INVAL, "recording_key_file",
                         "%s, line %u: a key is 64 hexadecimal digits, not all the same", path, at);
        else if (EVP_Digest(k->key[k->n], KEY_BYTES, sum, &n, EVP_sha256(), NULL) != 1)
            rc = ERR_IO;
        else
            memcpy(k->id[k->n++], sum, ID_BYTES);
    }
    OPENSSL_cleanse(line, sizeof line);
    if (!rc && ferror(f))
        rc = err_set(info, ERR_IO, "recording_key_file", "%s cannot be read", path);
    return !rc && k->n == 0 ? err_set(info, ERR_INVAL, "recording_key_file", "%s holds no key", path) : rc;
}

int seal_keys_load(const char *path, struct seal_keys **out, struct err_info *info)
{
    struct stat st;
    struct seal_keys *k = calloc(1, sizeof *k);
    FILE *f = k ? fopen(path, "re") : NULL;
    int rc = 0;
    if (!k)
        return ERR_NOMEM;
    if (!f)
        rc = err_set(info, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "recording_key_file", "%s cannot be opened: %s",
                     path, strerror(errno));
    else if (fstat(fileno(f), &st) != 0 || (st.st_mode & 077) != 0)
        rc = err_set(info, ERR_DENIED, "recording_key_file", "%s may be read by others: chmod 600", path);
    else
        rc = read_lines(f, k, path, info);
    if (f)
        (void)fclose(f);
    if (rc)
        seal_keys_free(k);
    else
        *out = k;
    return rc;
}

void seal_keys_free(struct seal_keys *k)
{
    if (k)
        OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

/* ---- chunks */

/* What is authenticated beside the bytes: which file and which chunk of it. */
static void number_put(uint8_t out[16], uint64_t file, uint64_t chunk)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(file >> (8 * i));
        out[8 + i] = (uint8_t)(chunk >> (8 * i));
    }
}

static bool encrypt(EVP_CIPHER_CTX *x, const uint8_t *key, const uint8_t about[16], const void *plain, size_t len,
                    uint8_t *out)
{
    int n = 0;
    return EVP_EncryptInit_ex(x, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
           EVP_EncryptUpdate(x, NULL, &n, about, 16) == 1 &&
           EVP_EncryptUpdate(x, out + NONCE_BYTES, &n, plain, (int)len) == 1 &&
           EVP_EncryptFinal_ex(x, out + NONCE_BYTES + len, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + NONCE_BYTES + len) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *x, const uint8_t *key, const uint8_t about[16], const uint8_t *sealed, size_t len,
                    uint8_t *out)
{
    int n = 0;
    uint8_t tag[TAG_BYTES];
    memcpy(tag, sealed + NONCE_BYTES + len, TAG_BYTES);
    return EVP_DecryptInit_ex(x, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
           EVP_DecryptUpdate(x, NULL, &n, about, 16) == 1 &&
           EVP_DecryptUpdate(x, out, &n, sealed + NONCE_BYTES, (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(x, out + len, &n) == 1;
}

static int close_with(const uint8_t *key, uint64_t file, uint64_t chunk, const void *plain, size_t len, uint8_t *out)
{
    uint8_t about[16];
    number_put(about, file, chunk);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool done = x && RAND_bytes(out, NONCE_BYTES) == 1 && encrypt(x, key, about, plain, len, out);
    EVP_CIPHER_CTX_free(x);
    return done ? 0 : ERR_IO;
}

static int open_with(const uint8_t *key, uint64_t file, uint64_t chunk, const uint8_t *sealed, size_t len, uint8_t *out)
{
    uint8_t about[16];
    if (len < SEAL_EXTRA_BYTES)
        return ERR_CORRUPT;
    number_put(about, file, chunk);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    if (!x)
        return ERR_IO;
    bool done = decrypt(x, key, about, sealed, len - SEAL_EXTRA_BYTES, out);
    EVP_CIPHER_CTX_free(x);
    return done ? 0 : ERR_CORRUPT;
}

int seal_close(const struct seal_key *k, uint64_t chunk, const void *plain, size_t len, uint8_t *out)
{
    return close_with(k->bytes, k->file, chunk, plain, len, out);
}

int seal_open(const struct seal_key *k, uint64_t chunk, const void *sealed, size_t len, uint8_t *out)
{
    return open_with(k->bytes, k->file, chunk, sealed, len, out);
}

bool seal_hole(const void *sealed, size_t len)
{
    const uint8_t *p = sealed;
    return len > 0 && p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* ---- keys of files */

bool seal_is(const void *data, size_t len)
{
    return len >= SEAL_HEADER_BYTES && memcmp(data, MAGIC, MAGIC_BYTES) == 0;
}

int seal_new(const struct seal_keys *k, uint64_t file, struct seal_key *out, uint8_t header[SEAL_HEADER_BYTES])
{
    out->file = file;
    if (RAND_bytes(out->bytes, KEY_BYTES) != 1)
        return ERR_IO;
    memcpy(header, MAGIC, MAGIC_BYTES);
    memcpy(header + MAGIC_BYTES, k->id[0], ID_BYTES);
    return close_with(k->key[0], file, KEY_CHUNK, out->bytes, KEY_BYTES, header + WRAPPED_AT);
}

int seal_find(const struct seal_keys *k, uint64_t file, const uint8_t header[SEAL_HEADER_BYTES], struct seal_key *out)
{
    if (!seal_is(header, SEAL_HEADER_BYTES))
        return ERR_CORRUPT;
    out->file = file;
    for (unsigned i = 0; i < k->n; i++)
        if (memcmp(header + MAGIC_BYTES, k->id[i], ID_BYTES) == 0)
            return open_with(k->key[i], file, KEY_CHUNK, header + WRAPPED_AT, KEY_BYTES + SEAL_EXTRA_BYTES, out->bytes);
    return ERR_DENIED;
}

uint64_t seal_content(uint64_t bytes, size_t chunk)
{
    uint64_t body = bytes > SEAL_HEADER_BYTES ? bytes - SEAL_HEADER_BYTES : 0, sealed = chunk + SEAL_EXTRA_BYTES;
    uint64_t rest = body % sealed;
    return body / sealed * chunk + (rest > SEAL_EXTRA_BYTES ? rest - SEAL_EXTRA_BYTES : 0);
}

uint64_t seal_bytes(uint64_t content, size_t chunk)
{
    return SEAL_HEADER_BYTES + content + (content + chunk - 1) / chunk * SEAL_EXTRA_BYTES;
}
