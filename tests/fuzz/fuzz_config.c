/* The node file: refused with field, place and text, or a configuration that keeps what it promises. Files that it names do not
 * exist in the folder given, except /dev/null, which is none: a whole configuration is refused at its certificates, after
 * everything else has been read. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "node/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_addr(const uint8_t *data, size_t size)
{
    char text[128];
    struct addr a, again;
    if (size >= sizeof text)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (addr_parse(text, &a))
        return;
    assert(a.port > 0 && a.ip[0] && (strchr(a.ip, ':') != NULL) == a.ipv6);
    assert(addr_parse(a.text, &again) == 0);
    assert(strcmp(a.text, again.text) == 0 && strcmp(a.ip, again.ip) == 0 && a.port == again.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct node_config c;
    struct err_info info;
    fuzz_addr(data, size);
    int rc = node_config_parse((const char *)data, size, "/nonexistent", &c, &info);
    if (rc) {
        assert(info.code == rc && info.text[0] && utf8_valid(info.text) && utf8_valid(info.field));
        assert(rc == ERR_TOOBIG || info.line >= 1);
        return 0;
    }
    assert(c.name[0] && c.site[0] && c.data && c.prompts && c.tls_ca && c.tls_cert && c.tls_key);
    assert(c.n_sip >= 1 && c.n_sip <= NODE_ADDRESSES_MAX && c.n_rtp >= 1 && c.n_rtp <= NODE_ADDRESSES_MAX);
    assert(c.rtp_port_min >= 1024 && c.rtp_port_min < c.rtp_port_max && c.media_threads <= 64);
    assert(strlen(c.admin_token) >= 16);
    node_config_free(&c);
    return 0;
}
