/* Commands as they come out of the log: any bytes, in any order, applied to a small call centre. Each input begins with the same state.
 * Input: commands one after the other, each with its length in two bytes (little-endian) before it. Whatever they are, every
 * one gets an answer, and what is stored afterwards fits together (core_reload says so). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/core_int.h"
#include "core/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[128];
static uint8_t *image;
static size_t image_len;

static void must(int ok)
{
    if (!ok)
        abort();
}

static void path_of(char out[256], const char *name)
{
    (void)snprintf(out, 256, "%s/%s", dir, name);
}

static void put(struct core *c, uint64_t *index, Ev__Command *m)
{
    void *p;
    size_t len;
    struct core_answer *a;
    m->time_us = 1700000000000000ull;
    must(core_pack(m, &p, &len) == 0);
    ++*index;
    struct core_item it = {1, 1, *index, p, len};
    must(core_apply(c, *index, 1, &it, 1, &a) == 0 && a->code == 0);
    free(p);
}

static void object(struct core *c, uint64_t *index, const char *kind, const char *json)
{
    struct err_info info = {0};
    struct Ev__ConfigObject *o = NULL;
    json_t *j = json_loads(json, 0, NULL);
    must(view_config_from_json(kind, j, "everline", &o, &info) == 0);
    json_decref(j);
    Ev__ConfigObject *list[1] = {o};
    Ev__ConfigApply a = EV__CONFIG_APPLY__INIT;
    Ev__Command m = EV__COMMAND__INIT;
    a.n_set = 1;
    a.set = list;
    m.body_case = EV__COMMAND__BODY_CONFIG_APPLY;
    m.config_apply = &a;
    put(c, index, &m);
    ev__config_object__free_unpacked(o, NULL);
}

static void at_exit(void)
{
    struct err_info info;
    int err = storage_discard(dir, &info);
    (void)err; /* nothing can be done about it here */
    (void)rmdir(dir);
    free(image);
}

/* The state that every input begins with, as a file image in memory. */
static void prepare(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/everline-fuzz-XXXXXX", base ? base : "/tmp");
    must(mkdtemp(dir) != NULL);
    (void)atexit(at_exit);
    struct storage *st;
    struct core *c;
    struct err_info info = {0};
    must(storage_open(dir, &st, &info) == 0);
    must(core_open(st, NULL, &c, &info) == 0);
    uint64_t index = 0;
    Ev__NodeUp up = EV__NODE_UP__INIT;
    up.name = (char *)(uintptr_t) "n1";
    up.incarnation = 1;
    Ev__Command m = EV__COMMAND__INIT;
    m.body_case = EV__COMMAND__BODY_NODE_UP;
    m.node_up = &up;
    put(c, &index, &m);
    object(c, &index, "trunk", "{\"name\":\"demo\",\"sources\":[\"127.0.0.0/8\"]}");
    object(c, &index, "extension", "{\"number\":\"8001\",\"contact\":\"sip:127.0.0.1:9001\"}");
    object(c, &index, "extension", "{\"number\":\"8002\",\"password\":\"x\"}");
    object(c, &index, "agent", "{\"number\":\"1001\",\"extension\":\"8001\"}");
    object(c, &index, "agent", "{\"number\":\"1002\",\"extension\":\"8002\"}");
    object(c, &index, "queue", "{\"name\":\"service\",\"wrap_up_s\":1,\"members\":[{\"agent\":\"1001\"},{\"agent\":\"1002\"}]}");
    object(c, &index, "flow", "{\"name\":\"welcome\",\"definition\":{}}");
    object(c, &index, "access_number", "{\"number\":\"10000\",\"flow\":\"welcome\"}");
    object(c, &index, "access_number", "{\"number\":\"10003\",\"queue\":\"service\"}");
    core_close(c);
    storage_close(st);
    char path[256];
    path_of(path, "state.db");
    FILE *f = fopen(path, "rb");
    must(f != NULL);
    must(fseek(f, 0, SEEK_END) == 0);
    image_len = (size_t)ftell(f);
    image = malloc(image_len);
    must(image && fseek(f, 0, SEEK_SET) == 0 && fread(image, 1, image_len, f) == image_len);
    (void)fclose(f);
}

static void restore(void)
{
    struct err_info info;
    char path[256];
    must(storage_discard(dir, &info) == 0);
    path_of(path, "state.db");
    FILE *f = fopen(path, "wb");
    must(f && fwrite(image, 1, image_len, f) == image_len);
    (void)fclose(f);
    path_of(path, "state.clean");
    f = fopen(path, "wb");
    must(f != NULL);
    (void)fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!image)
        prepare();
    restore();
    struct storage *st;
    struct core *c;
    struct err_info info = {0};
    must(storage_open(dir, &st, &info) == 0);
    must(core_open(st, NULL, &c, &info) == 0);
    uint64_t index = core_applied_index(c), seq = 0;
    int err = 0;
    while (size > 2 && !err) {
        size_t len = (size_t)data[0] | (size_t)data[1] << 8;
        len = len < size - 2 ? len : size - 2;
        struct core_answer *a;
        struct core_item it = {2, 1, ++seq, data + 2, len};
        err = core_apply(c, ++index, 1, &it, 1, &a);
        must(err == 0 || err == ERR_UNSUPPORTED); /* a feature level from the future stops the node */
        must(err || !a->skipped);
        core_apply_done(c);
        data += 2 + len;
        size -= 2 + len;
    }
    if (!err) {
        must(acd_check(c->acd, &info) == 0);
        must(core_reload(c, &info) == 0);
        must(acd_check(c->acd, &info) == 0);
    }
    core_close(c);
    storage_close(st);
    return 0;
}
