/* The node file: what is taken, what is refused and where, secrets, and `--check`. Each test has a folder with made certificates. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/config.h"
#include "tests/unit/suite.h"

static char folder[64];

static void path_of(char out[160], const char *name)
{
    snprintf(out, 160, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[160];
    path_of(path, name);
    FILE *f = fopen(path, "w");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/config-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file("ca.pem", "made up", 0644);
    write_file("cert.pem", "made up", 0644);
    write_file("key.pem", "made up", 0600);
    write_file("token", "0123456789abcdef-secret\n", 0600);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

#define LEAST                                           \
    "name: node1\n"                                     \
    "data: data\n"                                      \
    "prompts: /usr/share/prompts\n"                     \
    "listen:\n"                                         \
    "  sip: [\"127.0.0.1:5060\"]\n"                     \
    "  https: \"127.0.0.1:8443\"\n"                     \
    "  peer: \"127.0.0.1:7400\"\n"                      \
    "tls: {ca: ca.pem, cert: cert.pem, key: key.pem}\n" \
    "admin_token_file: token\n"

static int parse(const char *text, struct node_config *c, struct err_info *info)
{
    return node_config_parse(text, strlen(text), folder, c, info);
}

START_TEST(defaults)
{
    struct node_config c;
    struct err_info info;
    char path[160];
    int rc = parse(LEAST, &c, &info);
    ck_assert_msg(rc == 0, "%u:%u %s: %s", info.line, info.column, info.field, info.text);
    ck_assert_str_eq(c.name, "node1");
    ck_assert_str_eq(c.site, "default");
    path_of(path, "data");
    ck_assert_str_eq(c.data, path);
    ck_assert_str_eq(c.prompts, "/usr/share/prompts");
    ck_assert_uint_eq(c.n_sip, 1);
    ck_assert_str_eq(c.sip[0].ip, "127.0.0.1");
    ck_assert_str_eq(c.sip[0].text, "127.0.0.1:5060");
    ck_assert_uint_eq(c.sip[0].port, 5060);
    ck_assert(!c.sip[0].ipv6);
    ck_assert_uint_eq(c.https.port, 8443);
    ck_assert_uint_eq(c.peer.port, 7400);
    ck_assert_uint_eq(c.n_rtp, 1);
    ck_assert_str_eq(c.rtp_ip[0], "127.0.0.1");
    ck_assert_uint_eq(c.rtp_port_min, 20000);
    ck_assert_uint_eq(c.rtp_port_max, 29999);
    path_of(path, "key.pem");
    ck_assert_str_eq(c.tls_key, path);
    ck_assert_uint_eq(c.join.port, 0);
    ck_assert_str_eq(c.admin_token, "0123456789abcdef-secret");
    ck_assert_int_eq(c.log_level, LOG_INFO);
    ck_assert(!c.log_json);
    ck_assert_uint_eq(c.media_threads, 0);
    ck_assert_uint_eq(c.snapshot_entries, 8192);
    ck_assert_uint_eq(c.detect_ms, 300);
    node_config_free(&c);
    ck_assert_ptr_null(c.data);
    ck_assert_str_eq(c.admin_token, "");
}
END_TEST

START_TEST(everything)
{
    struct node_config c;
    struct err_info info;
    int rc = parse("name: n-1_A\nsite: east\ndata: /var/lib/x\nprompts: p\n"
                   "listen:\n"
                   "  sip:\n    - \"10.0.0.1:5060\"\n    - \"[2001:DB8:0:0::1]:5061\"\n    - 10.0.0.1:5070\n"
                   "  https: \"0.0.0.0:443\"\n"
                   "  peer: \"[::1]:7400\"\n"
                   "  rtp: {addresses: [10.0.0.2, \"2001:db8::2\"], ports: \"1024-1033\"}\n"
                   "tls:\n  ca: ca.pem\n  cert: cert.pem\n  key: key.pem\n"
                   "join: \"10.0.0.9:7400\"\nadmin_token_file: token\n"
                   "log: {level: debug, json: true}\nmedia_threads: 4\nsnapshot_entries: 256\ndetect_ms: 1000\n",
                   &c, &info);
    ck_assert_msg(rc == 0, "%u:%u %s: %s", info.line, info.column, info.field, info.text);
    ck_assert_str_eq(c.name, "n-1_A");
    ck_assert_str_eq(c.site, "east");
    ck_assert_uint_eq(c.n_sip, 3);
    ck_assert_str_eq(c.sip[1].text, "[2001:db8::1]:5061");
    ck_assert_str_eq(c.sip[1].ip, "2001:db8::1");
    ck_assert(c.sip[1].ipv6);
    ck_assert_str_eq(c.https.text, "0.0.0.0:443");
    ck_assert_str_eq(c.peer.text, "[::1]:7400");
    ck_assert_uint_eq(c.n_rtp, 2);
    ck_assert_str_eq(c.rtp_ip[1], "2001:db8::2");
    ck_assert_uint_eq(c.rtp_port_min, 1024);
    ck_assert_uint_eq(c.rtp_port_max, 1033);
    ck_assert_str_eq(c.join.text, "10.0.0.9:7400");
    ck_assert_int_eq(c.log_level, LOG_DEBUG);
    ck_assert(c.log_json);
    ck_assert_uint_eq(c.media_threads, 4);
    ck_assert_uint_eq(c.snapshot_entries, 256);
    ck_assert_uint_eq(c.detect_ms, 1000);
    node_config_free(&c);
}
END_TEST

START_TEST(rtp_addresses_come_from_sip_once)
{
    struct node_config c;
    struct err_info info;
    const char *text = "name: n\ndata: d\nprompts: p\nlisten:\n"
                       "  sip: [\"10.0.0.1:5060\", \"10.0.0.1:5070\", \"10.0.0.2:5060\"]\n"
                       "  https: \"10.0.0.1:443\"\n  peer: \"10.0.0.1:7400\"\n"
                       "tls: {ca: ca.pem, cert: cert.pem, key: key.pem}\nadmin_token_file: token\n";
    ck_assert_int_eq(parse(text, &c, &info), 0);
    ck_assert_uint_eq(c.n_rtp, 2);
    ck_assert_str_eq(c.rtp_ip[0], "10.0.0.1");
    ck_assert_str_eq(c.rtp_ip[1], "10.0.0.2");
    node_config_free(&c);
}
END_TEST

/* Replaces the line of LEAST that begins with `start` by `with`. */
static void changed(char out[2048], const char *start, const char *with)
{
    *out = '\0';
    bool done = false;
    for (const char *line = LEAST; *line;) {
        size_t n = strcspn(line, "\n") + 1;
        bool this_one = strncmp(line, start, strlen(start)) == 0;
        size_t at = strlen(out);
        if (this_one)
            snprintf(out + at, 2048 - at, "%s\n", with);
        else
            snprintf(out + at, 2048 - at, "%.*s", (int)n, line);
        done = done || this_one;
        line += n;
    }
    ck_assert_msg(done, "no line begins with '%s'", start);
}

START_TEST(refusals)
{
    static const struct {
        const char *start, *with;
        unsigned line, column;
        const char *field, *words;
    } cases[] = {
        {"name", "", 2, 1, "name", "missing"},
        {"name", "name:", 1, 1, "name", "no value"},
        {"name", "name: \"\"", 1, 1, "name", "1 to 32"},
        {"name", "name: a b", 1, 1, "name", "1 to 32"},
        {"name", "name: node.1", 1, 1, "name", "1 to 32"},
        {"name", "name: abcdefghijklmnopqrstuvwxyz0123456", 1, 1, "name", "1 to 32"},
        {"name", "name: [x]", 1, 1, "name", "single value"},
        {"name", "name: {x: y}", 1, 1, "name", "single value"},
        {"name", "name: a\nname: b", 2, 1, "", "duplicate"},
        {"name", "name: a\nnmae: b", 2, 1, "nmae", "unknown key"},
        {"name", "name: a\nsite: ''", 2, 1, "site", "1 to 32"},
        {"name", "name: &x a", 1, 7, "", "anchors"},
        {"data", "", 1, 1, "data", "missing"},
        {"data", "data: ''", 2, 1, "data", "path"},
        {"prompts", "", 1, 1, "prompts", "missing"},
        {"  sip", "", 4, 1, "listen.sip", "missing"},
        {"  sip", "  sip: []", 5, 3, "listen.sip", "1 to 16"},
        {"  sip", "  sip: \"127.0.0.1:5060\"", 5, 3, "listen.sip", "list"},
        {"  sip", "  sip: [a, [b]]", 5, 12, "listen.sip[1]", "single value"},
        {"  sip", "  sip: [\"127.0.0.1\"]", 5, 9, "listen.sip[0]", "IP:PORT"},
        {"  sip", "  sip: [\"127.0.0.1:5060\", \"localhost:5060\"]", 5, 27, "listen.sip[1]", "numeric"},
        {"  sip", "  sip: [\"127.0.0.1:0\"]", 5, 9, "listen.sip[0]", "port"},
        {"  sip", "  sip: [\"127.0.0.1:65536\"]", 5, 9, "listen.sip[0]", "port"},
        {"  sip", "  sip: [\"::1:5060\"]", 5, 9, "listen.sip[0]", "IPv6"},
        {"  sip", "  sip: [\"[127.0.0.1]:5060\"]", 5, 9, "listen.sip[0]", "IPv6"},
        {"  sip", "  sip: [\"0.0.0.0:5060\"]", 5, 9, "listen.sip[0]", "one address"},
        {"  sip", "  sip: [\"[::]:5060\"]", 5, 9, "listen.sip[0]", "one address"},
        {"  sip", "  sip: [\"224.0.0.1:5060\"]", 5, 9, "listen.sip[0]", "multicast"},
        {"  sip", "  sip: [\"[ff02::1]:5060\"]", 5, 9, "listen.sip[0]", "multicast"},
        {"  sip", "  sip: [\"127.0.0.1:5060\", \"127.0.0.1:5060\"]", 5, 27, "listen.sip[1]", "twice"},
        {"  sip", "  sip: [\"127.0.0.1:7400\"]", 5, 3, "listen.sip", "same address"},
        {"  sip", "  sip: [null]", 5, 9, "listen.sip[0]", "no value"},
        {"  https", "", 4, 1, "listen.https", "missing"},
        {"  https", "  https: 8443", 6, 3, "listen.https", "IP:PORT"},
        {"  peer", "  peer: \"127.0.0.1:8443\"", 7, 3, "listen.peer", "same address"},
        {"  peer", "  peer: \"0.0.0.0:7400\"", 7, 3, "listen.peer", "one address"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {ports: \"20000\"}", 8, 9, "listen.rtp.ports", "LOW-HIGH"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {ports: \"20000-20008\"}", 8, 9, "listen.rtp.ports",
         "at least 10"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {ports: \"1000-2000\"}", 8, 9, "listen.rtp.ports", "below 1024"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {ports: \"20000-70000\"}", 8, 9, "listen.rtp.ports", "LOW-HIGH"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {ports: \"29999-20000\"}", 8, 9, "listen.rtp.ports",
         "at least 10"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {addresses: []}", 8, 9, "listen.rtp.addresses", "1 to 16"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {addresses: [x]}", 8, 21, "listen.rtp.addresses[0]", "numeric"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {addresses: [1.2.3.4, 1.2.3.4]}", 8, 30,
         "listen.rtp.addresses[1]", "twice"},
        {"  peer", "  peer: \"127.0.0.1:7400\"\n  rtp: {prots: x}", 8, 9, "listen.rtp.prots", "unknown key"},
        {"tls", "tls: {ca: ca.pem, cert: cert.pem}", 8, 1, "tls.key", "missing"},
        {"tls", "tls: x", 8, 1, "tls", "group"},
        {"tls", "tls: {ca: ca.pem, cert: nowhere.pem, key: key.pem}", 8, 19, "tls.cert", "No such file"},
        {"tls", "tls: {ca: ., cert: cert.pem, key: key.pem}", 8, 7, "tls.ca", "not a file"},
        {"admin", "", 1, 1, "admin_token_file", "missing"},
        {"admin", "admin_token_file: nowhere", 9, 1, "admin_token_file", "No such file"},
        {"admin", "admin_token_file: token\njoin: 127.0.0.1", 10, 1, "join", "IP:PORT"},
        {"admin", "admin_token_file: token\njoin: 127.0.0.1:7400", 10, 1, "join", "own peer address"},
        {"admin", "admin_token_file: token\nlog: {level: loud}", 10, 7, "log.level", "debug, info"},
        {"admin", "admin_token_file: token\nlog: {json: maybe}", 10, 7, "log.json", "true or false"},
        {"admin", "admin_token_file: token\nlog: {json: 1}", 10, 7, "log.json", "true or false"},
        {"admin", "admin_token_file: token\nmedia_threads: 65", 10, 1, "media_threads", "0 to 64"},
        {"admin", "admin_token_file: token\nsnapshot_entries: 255", 10, 1, "snapshot_entries", "256 to 1000000"},
        {"admin", "admin_token_file: token\ndetect_ms: 299", 10, 1, "detect_ms", "300 to 10000"},
        {"admin", "admin_token_file: token\nmedia_threads: -1", 10, 1, "media_threads", "-1"},
        {"admin", "admin_token_file: token\nmedia_threads: 3x", 10, 1, "media_threads", "0 to 64"},
        {"admin", "admin_token_file: token\nmedia_threads: \"2\"", 10, 1, "media_threads", "0 to 64"},
        {"admin", "admin_token_file: token\nmedia_threads: 99999999999999", 10, 1, "media_threads", "9999"},
        {"admin", "admin_token_file: token\n---\nmore: 1", 10, 1, "", "one document"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        struct node_config c;
        struct err_info info = {.code = 0};
        memset(&c, 0x5a, sizeof c);
        struct node_config before = c;
        changed(text, cases[i].start, cases[i].with);
        int rc = parse(text, &c, &info);
        ck_assert_msg(rc < 0 && rc == info.code, "'%s' gave %d", cases[i].with, rc);
        ck_assert_msg(strcmp(info.field, cases[i].field) == 0, "'%s': field '%s': %s", cases[i].with, info.field,
                      info.text);
        ck_assert_msg(strstr(info.text, cases[i].words) != NULL, "'%s': %s", cases[i].with, info.text);
        ck_assert_msg(info.line == cases[i].line && info.column == cases[i].column, "'%s' blamed %u:%u", cases[i].with,
                      info.line, info.column);
        ck_assert_msg(memcmp(&c, &before, sizeof c) == 0, "'%s' changed the output", cases[i].with);
    }
}
END_TEST

START_TEST(not_a_mapping)
{
    static const char *const texts[] = {"", "- a", "just text", "5", "\xff", "a: [", "---\n---\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct node_config c;
        struct err_info info;
        ck_assert_int_eq(parse(texts[i], &c, &info), ERR_INVAL);
        ck_assert_uint_ge(info.line, 1);
    }
    struct node_config c;
    ck_assert_int_eq(node_config_parse(LEAST, NODE_CONFIG_BYTES_MAX + 1, folder, &c, NULL), ERR_TOOBIG);
    ck_assert_int_eq(parse("- a", &c, NULL), ERR_INVAL);
}
END_TEST

START_TEST(secrets)
{
    static const struct {
        const char *file;
        const char *text;
        mode_t mode;
        int code;
        const char *field, *words;
    } cases[] = {
        {"token", "0123456789abcdef\n", 0604, ERR_DENIED, "admin_token_file", "chmod 600"},
        {"token", "0123456789abcdef\n", 0602, ERR_DENIED, "admin_token_file", "chmod 600"},
        {"token", "0123456789abcdef\n", 0640, 0, "", ""},
        {"token", "0123456789abcdef\r\n", 0600, 0, "", ""},
        {"token", "short\n", 0600, ERR_INVAL, "admin_token_file", "16 to 256"},
        {"token", "", 0600, ERR_INVAL, "admin_token_file", "16 to 256"},
        {"token", "0123456789 abcdef\n", 0600, ERR_INVAL, "admin_token_file", "visible"},
        {"token", "0123456789abcdef\n0123456789abcdef\n", 0600, ERR_INVAL, "admin_token_file", "one line"},
        {"key.pem", "made up", 0644, ERR_DENIED, "tls.key", "chmod 600"},
        {"key.pem", "", 0600, ERR_INVAL, "tls.key", "empty"},
        {"cert.pem", "made up", 0666, 0, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct node_config c;
        struct err_info info;
        write_file(cases[i].file, cases[i].text, cases[i].mode);
        int rc = parse(LEAST, &c, &info);
        ck_assert_msg(rc == cases[i].code, "case %zu: %d %s", i, rc, rc ? info.text : "");
        if (rc) {
            ck_assert_str_eq(info.field, cases[i].field);
            ck_assert_ptr_nonnull(strstr(info.text, cases[i].words));
            ck_assert_ptr_null(strstr(info.text, "abcdef"));
        } else {
            ck_assert_str_eq(c.admin_token,
                             strcmp(cases[i].file, "token") ? "0123456789abcdef-secret" : "0123456789abcdef");
            node_config_free(&c);
        }
        write_file("token", "0123456789abcdef-secret\n", 0600);
        write_file("key.pem", "made up", 0600);
    }
}
END_TEST

START_TEST(from_a_file)
{
    struct node_config c;
    struct err_info info;
    char path[160], want[160];
    write_file("node.conf", LEAST, 0644);
    path_of(path, "node.conf");
    int rc = node_config_load(path, &c, &info);
    ck_assert_msg(rc == 0, "%s: %s", info.field, info.text);
    path_of(want, "ca.pem");
    ck_assert_str_eq(c.tls_ca, want);
    node_config_free(&c);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(node_config_load("node.conf", &c, &info), 0);
    ck_assert_str_eq(c.tls_ca, "./ca.pem");
    node_config_free(&c);
    ck_assert_int_eq(node_config_load("missing.conf", &c, &info), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(info.text, "missing.conf"));
    ck_assert_int_eq(node_config_load(".", &c, &info), ERR_INVAL);
    ck_assert_int_eq(node_config_load("/dev/zero", &c, &info), ERR_INVAL);
    ck_assert_int_eq(fchdir(here), 0);
    close(here);
}
END_TEST

/* ---- --check ---- */

static char said[4096];

static int check_file(const char *name)
{
    char path[160];
    path_of(path, name);
    FILE *to = tmpfile();
    ck_assert_ptr_nonnull(to);
    int rc = node_config_check(path, to);
    rewind(to);
    said[fread(said, 1, sizeof said - 1, to)] = '\0';
    fclose(to);
    return rc;
}

static void make_certs(const char *names)
{
    char command[256];
    snprintf(command, sizeof command, "scripts/make-certs %s/pki %s >/dev/null", folder, names);
    ck_assert_int_eq(system(command), 0);
}

/* LEAST with certificates made by scripts/make-certs, of which `ca`, `cert` and `key` are taken. */
static void write_conf(const char *ca, const char *cert, const char *key)
{
    char text[2048], tls[256];
    snprintf(tls, sizeof tls, "tls: {ca: pki/%s/cert.pem, cert: pki/%s/cert.pem, key: pki/%s/key.pem}", ca, cert, key);
    changed(text, "tls", tls);
    write_file("node.conf", text, 0644);
}

START_TEST(check_says_ok_or_why_not)
{
    char want[200];
    make_certs("node1 127.0.0.1 node2 127.0.0.2");
    char text[2048];
    changed(text, "prompts", "prompts: .");
    write_conf("ca", "node1", "node1");
    ck_assert_int_eq(check_file("node.conf"), ERR_NOTFOUND);
    ck_assert_msg(strstr(said, ":3:1: prompts: ") != NULL, "%s", said);

    changed(text, "prompts", "prompts: .\nsite: x");
    char *tls = strstr(text, "tls:");
    snprintf(tls, sizeof text - (size_t)(tls - text),
             "tls: {ca: pki/ca/cert.pem, cert: pki/node1/cert.pem, key: pki/node1/key.pem}\nadmin_token_file: token\n");
    write_file("node.conf", text, 0644);
    int rc = check_file("node.conf");
    snprintf(want, sizeof want, "%s/node.conf: ok\n", folder);
    ck_assert_msg(rc == 0 && strcmp(said, want) == 0, "%s", said);

    write_file("node.conf", "name: x\nfoo: 1\n", 0644);
    ck_assert_int_eq(check_file("node.conf"), ERR_INVAL);
    snprintf(want, sizeof want, "%s/node.conf:2:1: foo: unknown key\n", folder);
    ck_assert_str_eq(said, want);
    ck_assert_int_eq(check_file("gone.conf"), ERR_NOTFOUND);
}
END_TEST

START_TEST(check_looks_into_certificates)
{
    char other[160], command[600];
    make_certs("node1 127.0.0.1 node2 127.0.0.2");
    write_conf("ca", "node2", "node2");
    ck_assert_int_eq(check_file("node.conf"), ERR_NOTFOUND); /* the first error: the prompt folder; all are told */
    ck_assert_msg(strstr(said, "tls.cert: is for 'node2', not for 'node1'") != NULL, "%s", said);
    write_conf("ca", "node1", "node2");
    check_file("node.conf");
    ck_assert_msg(strstr(said, "tls.key: does not belong to the certificate") != NULL, "%s", said);
    path_of(other, "other");
    snprintf(command, sizeof command,
             "scripts/make-certs %s node1 127.0.0.1 >/dev/null && cp %s/ca/cert.pem %s/pki/ca/cert.pem", other, other,
             folder);
    ck_assert_int_eq(system(command), 0);
    write_conf("ca", "node1", "node1");
    check_file("node.conf");
    ck_assert_msg(strstr(said, "tls.cert: not accepted by the authority") != NULL, "%s", said);
    write_file("pki/node1/cert.pem", "made up", 0644);
    check_file("node.conf");
    ck_assert_msg(strstr(said, "tls.cert: holds no certificate") != NULL, "%s", said);
    write_file("pki/node1/key.pem", "made up", 0600);
    check_file("node.conf");
    ck_assert_msg(strstr(said, "tls.key: holds no private key") != NULL, "%s", said);
    write_file("pki/ca/cert.pem", "made up", 0644);
    check_file("node.conf");
    ck_assert_msg(strstr(said, "tls.ca: holds no certificate") != NULL, "%s", said);
}
END_TEST

static int parse_more(const char *more, struct node_config *c, struct err_info *info)
{
    char text[1024];
    snprintf(text, sizeof text, "%s%s", LEAST, more);
    return parse(text, c, info);
}

START_TEST(service_addresses)
{
    struct node_config c;
    struct err_info info;
    ck_assert_int_eq(parse(LEAST, &c, &info), 0);
    ck_assert_uint_eq(c.n_service, 0);
    ck_assert_ptr_null(c.address_hook);
    ck_assert(!node_config_service(&c, "127.0.0.1"));
    node_config_free(&c);

    ck_assert_int_eq(parse_more("service_addresses: [127.0.0.1]\n", &c, &info), 0);
    ck_assert_uint_eq(c.n_service, 1);
    ck_assert_str_eq(c.service_ip[0], "127.0.0.1");
    ck_assert(node_config_service(&c, "127.0.0.1"));
    ck_assert(!node_config_service(&c, "127.0.0.2"));
    node_config_free(&c);

    static const struct {
        const char *more, *field, *text;
    } bad[] = {
        {"service_addresses: [127.0.0.2]\n", "service_addresses[0]", "not among"},
        {"service_addresses: [\"127.0.0.1:5060\"]\n", "service_addresses[0]", "without a port"},
        {"service_addresses: [127.0.0.1, 127.0.0.1]\n", "service_addresses[1]", "listed twice"},
        {"service_addresses: [host]\n", "service_addresses[0]", "numeric"},
        {"service_addresses: 127.0.0.1\n", "service_addresses", "must be a list"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_ne(parse_more(bad[i].more, &c, &info), 0);
        ck_assert_str_eq(info.field, bad[i].field);
        ck_assert_msg(strstr(info.text, bad[i].text) != NULL, "%s", info.text);
        ck_assert_uint_eq(info.line, 10);
    }
}
END_TEST

START_TEST(a_service_address_has_to_be_one_that_is_told)
{
    struct node_config c;
    struct err_info info;
    ck_assert_int_eq(parse_more("service_addresses: [a, b, c, d, e, f, g, h, i]\n", &c, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "service_addresses");
    ck_assert_msg(strstr(info.text, "at most 8") != NULL, "%s", info.text);
}
END_TEST

START_TEST(address_hook)
{
    struct node_config c;
    struct err_info info;
    char path[160];
    static const struct {
        mode_t mode;
        int code;
        const char *text;
    } cases[] = {
        {0700, 0, NULL},
        {0755, 0, NULL},
        {0600, ERR_DENIED, "chmod +x"},
        {0775, ERR_DENIED, "chmod go-w"},
        {0757, ERR_DENIED, "chmod go-w"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("hook", "#!/bin/sh\n", cases[i].mode);
        int rc = parse_more("address_hook: hook\n", &c, &info);
        ck_assert_int_eq(rc, cases[i].code);
        path_of(path, "hook");
        if (rc == 0) {
            ck_assert_str_eq(c.address_hook, path);
            node_config_free(&c);
        } else {
            ck_assert_str_eq(info.field, "address_hook");
            ck_assert_msg(strstr(info.text, cases[i].text) != NULL, "%s", info.text);
        }
    }
    /* What the hook takes away must not be what the others reach this node at. */
    write_file("hook", "#!/bin/sh\n", 0700);
    ck_assert_int_eq(parse_more("address_hook: hook\nservice_addresses: [127.0.0.1]\n", &c, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "listen.peer");
    ck_assert_int_eq(parse_more("address_hook: none\n", &c, &info), ERR_NOTFOUND);
    ck_assert_int_eq(parse_more("address_hook: .\n", &c, &info), ERR_INVAL);
    ck_assert_str_eq(info.field, "address_hook");
}
END_TEST

START_TEST(the_sample_is_good)
{
    struct node_config c;
    struct err_info info;
    static char text[NODE_CONFIG_BYTES_MAX];
    FILE *f = fopen("etc/ccnode.conf", "r");
    ck_assert_msg(f != NULL, "run from the top of the tree");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    /* Its certificates are the reader's business: everything before them has been taken when the first is missed. */
    ck_assert_int_eq(node_config_parse(text, n, folder, &c, &info), ERR_NOTFOUND);
    ck_assert_str_eq(info.field, "tls.ca");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, defaults);
    tcase_add_test(t, everything);
    tcase_add_test(t, rtp_addresses_come_from_sip_once);
    tcase_add_test(t, refusals);
    tcase_add_test(t, not_a_mapping);
    tcase_add_test(t, secrets);
    tcase_add_test(t, from_a_file);
    tcase_add_test(t, check_says_ok_or_why_not);
    tcase_add_test(t, check_looks_into_certificates);
    tcase_add_test(t, service_addresses);
    tcase_add_test(t, a_service_address_has_to_be_one_that_is_told);
    tcase_add_test(t, address_hook);
    tcase_add_test(t, the_sample_is_good);
    suite_add_tcase(s, t);
    return run_suite(s);
}
