/* Keeps name resolution off the core thread.
 *
 * Sofia-SIP calls getaddrinfo() inside its event loop when a stranger writes a host name into Via; the node would stand
 * still until a name server answers. The program defines the symbol itself, so the library's call lands here: on a
 * thread that has called sip_resolve_guard(true) only numeric addresses are taken, on all others nothing changes.
 *
 * Its own DNS resolver is withheld from a guarded thread too: it would be asked about the Contact of a stray 2xx, and loops
 * for as long as no name server can be reached. Without it such a request fails at once. */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <sofia-sip/sresolv.h>
#include <sofia-sip/su_tagarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "telephony/sip_guard.h"

static _Thread_local bool numeric_only;

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

void sip_resolve_guard(bool on)
{
    numeric_only = on;
}

bool sip_resolve_guarded(void)
{
    return numeric_only;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict res)
{
    static getaddrinfo_fn *real;
    if (!__atomic_load_n(&real, __ATOMIC_RELAXED)) {
        getaddrinfo_fn *fn = NULL;
        *(void **)&fn = dlsym(RTLD_NEXT, "getaddrinfo");
        if (!fn)
            return EAI_SYSTEM;
        __atomic_store_n(&real, fn, __ATOMIC_RELAXED);
    }
    if (!numeric_only)
        return real(node, service, hints, res);
    struct addrinfo h = {.ai_family = AF_UNSPEC};
    if (hints)
        h = *hints;
    h.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    h.ai_flags &= ~AI_ADDRCONFIG;
    return real(node, service, &h, res);
}

sres_resolver_t *sres_resolver_create(su_root_t *root, char const *resolv_conf, tag_type_t tag, tag_value_t value, ...)
{
    sres_resolver_t *(*real)(su_root_t *, char const *, tag_type_t, tag_value_t, ...) = NULL;
    if (!numeric_only)
        *(void **)&real = dlsym(RTLD_NEXT, "sres_resolver_create");
    if (!real) {
        errno = ENOSYS;
        return NULL;
    }
    ta_list ta;
    ta_start(ta, tag, value);
    sres_resolver_t *resolver = real(root, resolv_conf, ta_tags(ta));
    ta_end(ta);
    return resolver;
}
