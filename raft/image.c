#include "raft/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "raft/crc32c.h"
#include "raft/tls.h"
#include "raft/wire.h"

#define IMAGE_MAGIC 0x31535645u /* "EVS1" */
#define IMAGE_READ_BYTES (256u * 1024u)

void image_manifest_encode(uint8_t out[IMAGE_MANIFEST_BYTES], const struct image_manifest *m)
{
    memset(out, 0, IMAGE_MANIFEST_BYTES);
    uint8_t *p = wire_put32(out, IMAGE_MAGIC) + 4;
    p = wire_put32(p, IMAGE_MANIFEST_BYTES);
    p = wire_put32(p, m->n_origins);
    p = wire_put64(p, m->index);
    p = wire_put64(p, m->bytes);
    memcpy(p, m->sha256, sizeof m->sha256);
    p += sizeof m->sha256;
    for (unsigned i = 0; i < m->n_origins; i++) {
        p = wire_put64(p, m->origins[i].id);
        p = wire_put64(p, m->origins[i].incarnation);
        p = wire_put64(p, m->origins[i].seq);
    }
    wire_put32(out + 4, crc32c(0, out + 8, IMAGE_MANIFEST_BYTES - 8));
}

int image_manifest_decode(const void *data, size_t len, struct image_manifest *out)
{
    struct wire_reader r;
    struct image_manifest m = {0};
    if (len != IMAGE_MANIFEST_BYTES)
        return ERR_CORRUPT;
    wire_reader_init(&r, data, len);
    uint32_t magic = wire_get32(&r), crc = wire_get32(&r), own = wire_get32(&r);
    m.n_origins = wire_get32(&r);
    if (magic != IMAGE_MAGIC || own != len || crc != crc32c(0, (const uint8_t *)data + 8, len - 8) ||
        m.n_origins > IMAGE_ORIGINS_MAX)
        return ERR_CORRUPT;
    m.index = wire_get64(&r);
    m.bytes = wire_get64(&r);
    const uint8_t *sha = wire_take(&r, sizeof m.sha256);
    if (!sha)
        return ERR_CORRUPT;
    memcpy(m.sha256, sha, sizeof m.sha256);
    for (unsigned i = 0; i < m.n_origins; i++) {
        m.origins[i].id = wire_get64(&r);
        m.origins[i].incarnation = wire_get64(&r);
        m.origins[i].seq = wire_get64(&r);
    }
    if (r.bad)
        return ERR_CORRUPT;
    *out = m;
    return 0;
}

void image_name(char out[IMAGE_NAME_MAX], const struct image_manifest *m)
{
    int n = snprintf(out, IMAGE_NAME_MAX, "%020llu-", (unsigned long long)m->index);
    for (unsigned i = 0; i < 12; i++)
        n += snprintf(out + n, IMAGE_NAME_MAX - (size_t)n, "%02x", m->sha256[i]);
    snprintf(out + n, IMAGE_NAME_MAX - (size_t)n, ".image");
}

bool image_present(const char *dir, const struct image_manifest *m)
{
    char path[512], name[IMAGE_NAME_MAX];
    struct stat st;
    image_name(name, m);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return !stat(path, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == m->bytes;
}

int image_check(const char *path, uint64_t bytes, const uint8_t sha256[32])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    uint64_t total = 0;
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    uint8_t *buf = malloc(IMAGE_READ_BYTES);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (!buf || !md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        rc = ERR_NOMEM;
    while (!rc) {
        ssize_t n = read(fd, buf, IMAGE_READ_BYTES);
        if (n < 0)
            rc = err_from_errno(errno);
        if (n <= 0)
            break;
        total += (uint64_t)n;
        if (EVP_DigestUpdate(md, buf, (size_t)n) != 1)
            rc = ERR_NOMEM;
    }
    if (!rc && (EVP_DigestFinal_ex(md, digest, &digest_len) != 1 || digest_len != 32 || total != bytes ||
                memcmp(digest, sha256, 32) != 0))
        rc = ERR_CORRUPT;
    EVP_MD_CTX_free(md);
    free(buf);
    close(fd);
    return rc;
}

int image_settle(const char *from, const char *dir, const char *name)
{
    char path[512];
    int rc = 0;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return ERR_TOOBIG;
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    if (fsync(fd))
        rc = err_from_errno(errno);
    close(fd);
    if (!rc && strcmp(from, path) != 0 && rename(from, path))
        rc = err_from_errno(errno);
    if (rc)
        return rc;
    return folder_sync(dir);
}

void image_sweep(const char *dir, char keep[][IMAGE_NAME_MAX], unsigned n)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        bool wanted = e->d_name[0] == '.';
        for (unsigned i = 0; i < n; i++)
            wanted = wanted || strcmp(e->d_name, keep[i]) == 0;
        if (!wanted)
            (void)unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}
