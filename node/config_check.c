/* What `ccnode --check` looks at beyond the text of the node file. */
#include "node/config.h"

static void config_report(FILE *to, const char *path, const struct err_info *info)
{
    fprintf(to, "%s:%u:%u: %s%s%s\n", path, info->line, info->column, info->field, info->field[0] ? ": " : "", info->text);
}

int node_config_check(const char *path, FILE *to)
{
    struct node_config c;
    struct err_info info;
    int rc = node_config_load(path, &c, &info);
    if (rc) {
        config_report(to, path, &info);
        return rc;
    }
    node_config_free(&c);
    fprintf(to, "%s: ok\n", path);
    return 0;
}
