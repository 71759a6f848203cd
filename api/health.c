/* For machines that watch: metrics and health. No token is needed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_int.h"

void api_get_healthz(struct api_request *q)
{
    api_reply(q, 200, json_pack("{s:s, s:s}", "status", "ok", "node", q->s->node));
}

void api_get_readyz(struct api_request *q)
{
    const char *why = "";
    if (q->s->be.ready(q->s->be.ctx, &why)) {
        api_get_healthz(q);
        return;
    }
    struct err_info info;
    err_set(&info, ERR_BADSTATE, "", "%s", why);
    api_fail_status(q, 503, &info);
}

static char *own_metrics(const struct api_server *s)
{
    char *p = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&p, &len);
    if (!f)
        return NULL;
    fprintf(f, "# HELP everline_api_requests_total Requests by class of their answer.\n# TYPE "
               "everline_api_requests_total counter\n");
    for (unsigned i = 2; i < 6; i++)
        fprintf(f, "everline_api_requests_total{class=\"%uxx\"} %" PRIu64 "\n", i, s->n.by_class[i]);
    fprintf(f,
            "# HELP everline_api_connections Open connections.\n# TYPE everline_api_connections gauge\n"
            "everline_api_connections %u\n"
            "# HELP everline_api_event_streams Open event streams.\n# TYPE everline_api_event_streams gauge\n"
            "everline_api_event_streams %u\n"
            "# HELP everline_api_waiting_requests Requests that wait for the core.\n# TYPE "
            "everline_api_waiting_requests gauge\n"
            "everline_api_waiting_requests %zu\n"
            "# HELP everline_api_refused_connections_total Connections over a limit.\n"
            "# TYPE everline_api_refused_connections_total counter\neverline_api_refused_connections_total %" PRIu64
            "\n"
            "# HELP everline_api_timeouts_total Requests that the core did not answer in time.\n"
            "# TYPE everline_api_timeouts_total counter\neverline_api_timeouts_total %" PRIu64 "\n"
            "# HELP everline_api_received_bytes_total Bytes of request bodies.\n"
            "# TYPE everline_api_received_bytes_total counter\neverline_api_received_bytes_total %" PRIu64 "\n"
            "# HELP everline_api_sent_bytes_total Bytes of answers.\n# TYPE everline_api_sent_bytes_total counter\n"
            "everline_api_sent_bytes_total %" PRIu64 "\n",
            s->n_connections, s->n_streams, map_count(&s->tickets), s->n.refused_connections, s->n.timeouts,
            s->n.bytes_in, s->n.bytes_out);
    if (fclose(f) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

void api_get_metrics(struct api_request *q)
{
    char *node = q->s->be.metrics(q->s->be.ctx), *own = own_metrics(q->s), *all = NULL;
    int n = node && own ? asprintf(&all, "%s%s", node, own) : -1;
    free(node);
    free(own);
    if (n < 0) {
        api_fail_code(q, ERR_NOMEM, NULL, "out of memory");
        return;
    }
    api_reply_text(q, 200, "text/plain; version=0.0.4; charset=utf-8", all, (size_t)n);
}
