/* Which node a phone or trunk should use, and the DNS records that say so. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"
#include "api/dns.h"

static bool refuse(struct api_request *q, const char *field, const char *text)
{
    struct err_info info = {.code = 0};
    (void)err_set(&info, ERR_INVAL, field, "%s", text);
    api_fail_status(q, 400, &info);
    return false;
}

static bool is_address(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

/* The parameter, NULL when it was not given; answers and returns false when it cannot be a site's name. */
static bool read_site(struct api_request *q, const char **site)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    *site = api_query(q, "site");
    if (*site && (!**site || strlen(*site) > 63 || strspn(*site, letters) != strlen(*site)))
        return refuse(q, "site", "must be the name of a site");
    return true;
}

/* ---- nearest */

static int add_uris(json_t *row, bool tcp)
{
    json_t *uris = json_array(), *sip;
    size_t i;
    int err = uris ? 0 : ERR_NOMEM;
    json_array_foreach(json_object_get(row, "sip"), i, sip)
    {
        json_t *uri = json_sprintf("sip:%s%s", json_string_value(sip), tcp ? ";transport=tcp" : "");
        err |= json_array_append_new(uris, uri);
    }
    err |= json_object_set_new(row, "uris", uris);
    err |= json_object_del(row, "up"); /* all that are listed are */
    err |= json_object_del(row, "draining");
    return err ? ERR_NOMEM : 0;
}

static void on_nearest(struct api_request *q, const struct api_result *r)
{
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    const char *transport = api_query(q, "transport"), *address = api_query(q, "address");
    bool tcp = transport && strcmp(transport, "tcp") == 0;
    json_t *items = json_incref(json_object_get(r->json, "items")), *row;
    size_t i;
    int err = items ? 0 : ERR_NOMEM;
    json_array_foreach(items, i, row) err |= add_uris(row, tcp);
    if (err) {
        json_decref(items);
        api_reply(q, 200, NULL);
        return;
    }
    api_reply(q, 200,
              json_pack("{s:O, s:O, s:s, s:o}", "node", json_object_get(r->json, "node"), "site",
                        json_object_get(r->json, "site"), "address", address ? address : q->origin, "items", items));
}

void api_nearest_nodes(struct api_request *q)
{
    const char *site, *address = api_query(q, "address"), *transport = api_query(q, "transport");
    if (!read_site(q, &site))
        return;
    if (address && !is_address(address)) {
        refuse(q, "address", "must be an IPv4 or IPv6 address");
        return;
    }
    if (transport && strcmp(transport, "udp") != 0 && strcmp(transport, "tcp") != 0) {
        refuse(q, "transport", "must be udp or tcp");
        return;
    }
    api_operation(q, API_OP_NODES_NEAREST,
                  json_pack("{s:s?, s:s, s:b}", "site", site, "address", address ? address : q->origin, "all", 0),
                  on_nearest);
}

/* ---- DNS */

static bool read_dns(struct api_request *q, struct dns_query *d)
{
    const char *domain = api_query(q, "domain"), *ttl = api_query(q, "ttl");
    struct err_info info = {.code = 0};
    if (dns_domain(domain ? domain : "", d->domain, &info)) {
        api_fail_status(q, 400, &info);
        return false;
    }
    d->ttl = DNS_TTL_DEFAULT;
    if (ttl) {
        char *end;
        unsigned long n = strtoul(ttl, &end, 10);
        if (*end || ttl[0] < '0' || ttl[0] > '9' || n < 1 || n > DNS_TTL_MAX)
            return refuse(q, "ttl", "must be 1 to 604800 seconds");
        d->ttl = (unsigned)n;
    }
    return read_site(q, &d->site);
}

static void on_dns(struct api_request *q, const struct api_result *r)
{
    struct dns_query d = {.ttl = 0};
    struct err_info info = {.code = 0};
    json_t *records = NULL;
    if (r->code) {
        api_fail_result(q, r);
        return;
    }
    if (!read_dns(q, &d))
        return;
    d.own_site = json_string_value(json_object_get(r->json, "own_site"));
    if (dns_records(json_object_get(r->json, "items"), &d, &records, &info)) {
        api_fail(q, &info);
        return;
    }
    char *zone = dns_zone(records, &d);
    api_reply(q, 200,
              zone ? json_pack("{s:s, s:s?, s:i, s:O, s:s}", "domain", d.domain, "site", d.site, "ttl", (int)d.ttl,
                               "records", records, "zone", zone)
                   : NULL);
    json_decref(records);
    free(zone);
}

void api_dns_records(struct api_request *q)
{
    struct dns_query d = {.ttl = 0};
    if (read_dns(q, &d))
        api_operation(q, API_OP_NODES_NEAREST, json_pack("{s:s?, s:b}", "site", d.site, "all", 1), on_dns);
}
