#include "api/dns.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

#define DNS_NODES_MAX 64u
#define DNS_PORTS_MAX 8u
#define DNS_STEP 10u /* between priorities, and the weight of each node: room for changes by hand */

struct dns_node {
    const json_t *row;
    const char *site;
    char label[64];
    unsigned n_ports;
    unsigned ports[DNS_PORTS_MAX];
};

struct dns_site {
    const char *name;
    char label[64];
    bool known;
    json_int_t rtt_us;
};

struct dns_build {
    const struct dns_query *q;
    struct err_info *info;
    json_t *out;
    struct dns_node nodes[DNS_NODES_MAX];
    unsigned n_nodes;
    struct dns_site sites[DNS_NODES_MAX];
    unsigned n_sites;
};

/* ---- names */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_ld(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int dns_domain(const char *text, char out[DNS_NAME_MAX + 1], struct err_info *info)
{
    size_t len = strlen(text), label = 0;
    if (len && text[len - 1] == '.')
        len--;
    if (len == 0 || len > DNS_NAME_MAX)
        return err_set(info, ERR_INVAL, "domain", "must be a domain name of at most %u characters", DNS_NAME_MAX);
    for (size_t i = 0; i < len; i++) {
        char c = lower(text[i]);
        bool edge = label == 0 || i + 1 == len || text[i + 1] == '.';
        if (c == '.' ? label == 0 || i + 1 == len : !is_ld(c) && (c != '-' || edge))
            return err_set(info, ERR_INVAL, "domain",
                           "must have labels of letters, digits and inner hyphens (others as xn--...)");
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return err_set(info, ERR_INVAL, "domain", "has a label of more than 63 characters");
        out[i] = c;
    }
    out[len] = '\0';
    return 0;
}

/* A name of ours as one label: what DNS does not take becomes a hyphen. */
static void to_label(const char *name, char out[64])
{
    size_t n = 0;
    for (; *name && n < 63; name++) {
        char c = lower(*name);
        if (is_ld(c) || n > 0)
            out[n++] = is_ld(c) ? c : '-';
    }
    while (n > 0 && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    if (n == 0)
        (void)strcpy(out, "x");
}

/* ---- what there is */

/* false: not an address that anybody could be sent to. */
static bool reachable(const json_t *sip, struct addr *out)
{
    return addr_parse(json_string_value(sip), out) == 0 && strcmp(out->ip, "::") != 0 &&
           strcmp(out->ip, "0.0.0.0") != 0;
}

static int note_site(struct dns_build *b, const struct dns_node *node)
{
    const json_t *rtt = json_object_get(node->row, "rtt_us");
    struct dns_site *s = NULL;
    char label[64];
    to_label(node->site, label);
    for (unsigned i = 0; i < b->n_sites && !s; i++) {
        if (strcmp(b->sites[i].name, node->site) == 0)
            s = &b->sites[i];
        else if (strcmp(b->sites[i].label, label) == 0)
            return err_set(b->info, ERR_CONFLICT, "", "sites %s and %s are one name in DNS", b->sites[i].name,
                           node->site);
    }
    if (!s) {
        s = &b->sites[b->n_sites++];
        *s = (struct dns_site){.name = node->site};
        (void)strcpy(s->label, label);
    }
    if (json_is_integer(rtt) && (!s->known || json_integer_value(rtt) < s->rtt_us)) {
        s->known = true;
        s->rtt_us = json_integer_value(rtt);
    }
    return 0;
}

static void name_node(struct dns_build *b, struct dns_node *node, const char *name)
{
    to_label(name, node->label);
    for (unsigned n = 2, i = 0; i < b->n_nodes; i++) {
        if (strcmp(b->nodes[i].label, node->label) != 0)
            continue;
        char base[64];
        to_label(name, base);
        base[52] = '\0';
        (void)snprintf(node->label, sizeof node->label, "%s-%u", base, n++);
        i = (unsigned)-1; /* against all of them again */
    }
}

static int by_name(const void *a, const void *b)
{
    const struct dns_node *x = a, *y = b;
    return strcmp(json_string_value(json_object_get(x->row, "name")),
                  json_string_value(json_object_get(y->row, "name")));
}

static int gather(struct dns_build *b, const json_t *rows)
{
    size_t i, k;
    json_t *row, *sip;
    json_array_foreach(rows, i, row)
    {
        struct dns_node *node = &b->nodes[b->n_nodes];
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *site = json_string_value(json_object_get(row, "site"));
        if (b->n_nodes == DNS_NODES_MAX || !name)
            break;
        *node = (struct dns_node){.row = row, .site = site ? site : ""};
        json_array_foreach(json_object_get(row, "sip"), k, sip)
        {
            struct addr a;
            unsigned at = 0;
            if (!reachable(sip, &a))
                continue;
            while (at < node->n_ports && node->ports[at] != a.port)
                at++;
            if (at == node->n_ports && at < DNS_PORTS_MAX)
                node->ports[node->n_ports++] = a.port;
        }
        b->n_nodes += node->n_ports > 0;
    }
    if (!b->n_nodes)
        return err_set(b->info, ERR_NOTFOUND, "", "no node has an address for SIP");
    /* the order of nodes within a site is not to change with the load: names in DNS stay what they are */
    qsort(b->nodes, b->n_nodes, sizeof *b->nodes, by_name);
    unsigned all = b->n_nodes;
    int err = 0;
    for (b->n_nodes = 0; !err && b->n_nodes < all; b->n_nodes++) {
        struct dns_node *node = &b->nodes[b->n_nodes];
        name_node(b, node, json_string_value(json_object_get(node->row, "name")));
        err = note_site(b, node);
    }
    b->n_nodes = all;
    return err;
}

/* ---- records */

__attribute__((format(printf, 4, 5))) static int add(struct dns_build *b, const char *name, const char *type,
                                                     const char *fmt, ...)
{
    char data[2 * DNS_NAME_MAX + 64];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(data, sizeof data, fmt, ap);
    va_end(ap);
    if (strlen(name) > DNS_NAME_MAX || n < 0 || (size_t)n >= sizeof data)
        return err_set(b->info, ERR_INVAL, "domain", "a name under it gets longer than %u characters", DNS_NAME_MAX);
    json_t *r = json_pack("{s:s, s:i, s:s, s:s}", "name", name, "ttl", (int)b->q->ttl, "type", type, "data", data);
    return r && json_array_append_new(b->out, r) == 0 ? 0 : err_set(b->info, ERR_NOMEM, "", "out of memory");
}

/* The host of a node at its i-th port: addresses that have another port need a name of their own. */
static void host_of(const struct dns_build *b, const struct dns_node *node, unsigned i, char out[2 * DNS_NAME_MAX])
{
    if (i == 0)
        (void)snprintf(out, 2 * DNS_NAME_MAX, "%s.%s", node->label, b->q->domain);
    else
        (void)snprintf(out, 2 * DNS_NAME_MAX, "%.50s-%u.%s", node->label, node->ports[i], b->q->domain);
}

static int add_hosts(struct dns_build *b, const struct dns_node *node)
{
    int err = 0;
    for (unsigned i = 0; !err && i < node->n_ports; i++) {
        char host[2 * DNS_NAME_MAX];
        size_t k;
        json_t *sip;
        host_of(b, node, i, host);
        json_array_foreach(json_object_get(node->row, "sip"), k, sip)
        {
            struct addr at;
            if (!err && reachable(sip, &at) && at.port == node->ports[i])
                err = add(b, host, at.ipv6 ? "AAAA" : "A", "%s", at.ip);
        }
    }
    return err;
}

/* The place of `of` for phones of `site`: 0 for itself, then the others, the nearer first where we can know. */
static unsigned place(const struct dns_build *b, const char *site, const struct dns_site *of)
{
    if (strcmp(of->name, site) == 0)
        return 0;
    if (!b->q->own_site || strcmp(site, b->q->own_site) != 0)
        return 1;
    unsigned before = 1;
    for (unsigned i = 0; i < b->n_sites; i++) {
        const struct dns_site *s = &b->sites[i];
        if (s == of || strcmp(s->name, site) == 0)
            continue;
        before += s->known && (!of->known || s->rtt_us / 1000 < of->rtt_us / 1000);
    }
    return before;
}

static const struct dns_site *site_of(const struct dns_build *b, const struct dns_node *node)
{
    const struct dns_site *s = b->sites;
    while (strcmp(s->name, node->site) != 0)
        s++;
    return s;
}

/* What phones of `site` ask for under `domain`. UDP is named first; whoever wants TCP takes the second. */
static int add_services(struct dns_build *b, const char *domain, const char *site)
{
    static const struct {
        const char *prefix, *service;
    } transports[] = {{"_sip._udp", "SIP+D2U"}, {"_sip._tcp", "SIP+D2T"}};
    char name[2 * DNS_NAME_MAX];
    int err = 0;
    for (unsigned t = 0; !err && t < 2; t++)
        err = add(b, domain, "NAPTR", "%u 10 \"s\" \"%s\" \"\" %s.%s.", (t + 1) * DNS_STEP, transports[t].service,
                  transports[t].prefix, domain);
    for (unsigned t = 0; t < 2; t++) {
        (void)snprintf(name, sizeof name, "%s.%s", transports[t].prefix, domain);
        for (unsigned p = 0; p <= b->n_sites; p++) {
            for (unsigned i = 0; i < b->n_nodes; i++) {
                const struct dns_node *node = &b->nodes[i];
                if (place(b, site, site_of(b, node)) != p)
                    continue;
                for (unsigned k = 0; !err && k < node->n_ports; k++) {
                    char host[2 * DNS_NAME_MAX];
                    host_of(b, node, k, host);
                    err = add(b, name, "SRV", "%u %u %u %s.", (p + 1) * DNS_STEP, DNS_STEP, node->ports[k], host);
                }
            }
        }
    }
    return err;
}

int dns_records(const json_t *nodes, const struct dns_query *q, json_t **out, struct err_info *info)
{
    struct dns_build *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(info, ERR_NOMEM, "", "out of memory");
    *b = (struct dns_build){.q = q, .info = info, .out = json_array()};
    int err = b->out ? gather(b, nodes) : err_set(info, ERR_NOMEM, "", "out of memory");
    if (!err)
        err = add_services(b, q->domain, q->site ? q->site : q->own_site ? q->own_site : "");
    for (unsigned i = 0; !err && !q->site && i < b->n_sites; i++) {
        char domain[2 * DNS_NAME_MAX];
        (void)snprintf(domain, sizeof domain, "%s.%s", b->sites[i].label, q->domain);
        err = add_services(b, domain, b->sites[i].name);
    }
    for (unsigned i = 0; !err && i < b->n_nodes; i++)
        err = add_hosts(b, &b->nodes[i]);
    if (err)
        json_decref(b->out);
    else
        *out = b->out;
    free(b);
    return err;
}

char *dns_zone(const json_t *records, const struct dns_query *q)
{
    char *text = NULL;
    size_t len = 0, i;
    const json_t *r;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    (void)fprintf(f, "; SIP servers of %s", q->domain);
    if (q->site)
        (void)fprintf(f, " for site %s", q->site);
    (void)fputc('\n', f);
    json_array_foreach(records, i, r)
    {
        (void)fprintf(f, "%s.\t%u\tIN\t%s\t%s\n", json_string_value(json_object_get(r, "name")), q->ttl,
                      json_string_value(json_object_get(r, "type")), json_string_value(json_object_get(r, "data")));
    }
    bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(text);
        return NULL;
    }
    return text;
}
