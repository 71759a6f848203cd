#include "raft/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/folder.h"
#include "raft/crc32c.h"
#include "raft/wire.h"

#define IDENTITY_MAGIC 0x31495645u /* "EVI1" */
#define IDENTITY_FILE "identity"
#define IDENTITY_BYTES 128u

int identity_write_file(const char *dir, const char *name, const void *data, size_t len)
{
    char path[512], temp[520];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return ERR_TOOBIG;
    snprintf(temp, sizeof temp, "%s.new", path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    int rc = 0;
    ssize_t n = write(fd, data, len);
    if (n < 0 || (size_t)n != len)
        rc = n < 0 ? err_from_errno(errno) : ERR_NOSPACE;
    else if (fsync(fd))
        rc = err_from_errno(errno);
    if (close(fd) && !rc)
        rc = err_from_errno(errno);
    if (!rc && rename(temp, path))
        rc = err_from_errno(errno);
    if (rc) {
        (void)unlink(temp);
        return rc;
    }
    return folder_sync(dir);
}

bool identity_random(void *out, size_t len)
{
    return getrandom(out, len, 0) == (ssize_t)len;
}

int identity_load(const char *dir, struct identity *out)
{
    char path[512];
    uint8_t buf[IDENTITY_BYTES + 1];
    struct wire_reader r;
    struct identity id = {0};
    if (snprintf(path, sizeof path, "%s/" IDENTITY_FILE, dir) >= (int)sizeof path)
        return ERR_TOOBIG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : err_from_errno(errno);
    ssize_t n = read(fd, buf, sizeof buf);
    close(fd);
    if (n != (ssize_t)IDENTITY_BYTES)
        return ERR_CORRUPT;
    wire_reader_init(&r, buf, IDENTITY_BYTES);
    uint32_t magic = wire_get32(&r), crc = wire_get32(&r);
    if (magic != IDENTITY_MAGIC || crc != crc32c(0, buf + 8, IDENTITY_BYTES - 8))
        return ERR_CORRUPT;
    id.id = wire_get64(&r);
    id.cluster = wire_get64(&r);
    id.incarnation = wire_get64(&r);
    id.state = wire_get8(&r);
    wire_get_str(&r, id.name, sizeof id.name);
    if (r.bad || !id.id || !id.cluster || (id.state != IDENTITY_BOOTSTRAPPING && id.state != IDENTITY_MEMBER))
        return ERR_CORRUPT;
    *out = id;
    return 0;
}

int identity_store(const char *dir, const struct identity *ident)
{
    uint8_t buf[IDENTITY_BYTES] = {0};
    uint8_t *p = wire_put32(buf, IDENTITY_MAGIC) + 4;
    p = wire_put64(p, ident->id);
    p = wire_put64(p, ident->cluster);
    p = wire_put64(p, ident->incarnation);
    p = wire_put8(p, ident->state);
    wire_put_str(p, ident->name);
    wire_put32(buf + 4, crc32c(0, buf + 8, IDENTITY_BYTES - 8));
    return identity_write_file(dir, IDENTITY_FILE, buf, sizeof buf);
}
