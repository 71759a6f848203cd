/* Configuration objects as JSON from API clients: the first byte chooses the kind, the rest is the text. What is taken can be shown,
 * and what is shown is taken again and gives the same object. */
#include <stdlib.h>
#include <string.h>

#include "core/config_json.h"
#include "core/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum cfg_kind kind = (enum cfg_kind)(1 + data[0] % (CFG_KINDS - 1));
    json_t *j = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!j)
        return 0;
    struct err_info info = {0};
    struct Ev__ConfigObject *out = NULL;
    int err = view_config_from_json(config_kind_name(kind), j, "everline", &out, &info);
    json_decref(j);
    if (err) {
        must(info.text[0] != '\0' || err == ERR_NOMEM);
        return 0;
    }
    Ev__ConfigObject *o = out;
    enum cfg_kind again;
    ProtobufCMessage *m = config_object(o, &again), *m2 = NULL;
    must(m && again == kind);
    json_t *shown = config_to_json(kind, m, false);
    must(shown != NULL);
    must(config_from_json(kind, shown, "everline", &m2, &info) == 0);
    json_t *shown2 = config_to_json(kind, m2, false);
    must(json_equal(shown, shown2));
    json_decref(shown);
    json_decref(shown2);
    protobuf_c_message_free_unpacked(m2, NULL);
    ev__config_object__free_unpacked(o, NULL);
    return 0;
}
