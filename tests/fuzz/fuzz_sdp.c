/* SDP from strangers: parsing, answering it, taking it as an answer. What we write must be readable to ourselves. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "telephony/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parsed(const struct sdp *s)
{
    if (s->n_media > SDP_MEDIA_MAX)
        abort();
    for (size_t i = 0; i < s->n_media; i++) {
        const struct sdp_media *m = &s->media[i];
        if (m->n_formats > SDP_FORMATS_MAX || !memchr(m->kind, 0, sizeof m->kind) ||
            !memchr(m->proto, 0, sizeof m->proto) || !memchr(m->formats_raw, 0, sizeof m->formats_raw))
            abort();
        for (size_t k = 0; k < m->n_formats; k++) {
            if (m->formats[k].pt > 127 || !memchr(m->formats[k].name, 0, sizeof m->formats[k].name) ||
                !memchr(m->formats[k].fmtp, 0, sizeof m->formats[k].fmtp))
                abort();
        }
    }
}

/* Numbers of ours are dynamic ones unless the other side has said otherwise, and no two are one, unless it has no room left. */
static void check_numbers(struct sdp_local *local, const struct sdp_media *m)
{
    sdp_keep_numbers(&local->numbers, m);
    const struct sdp_numbers *n = &local->numbers;
    if (n->opus > 127 || n->event > 127 || n->event48 > 127 || !n->opus || !n->event || !n->event48)
        abort();
    if (m->n_formats < 29 && (n->opus == n->event || n->event == n->event48 || n->opus == n->event48))
        abort();
}

static void check_answer(const struct sdp *offer, const struct sdp_local *local)
{
    static char text[SDP_TEXT_MAX];
    static struct sdp back;
    struct sdp_session_params p;
    int n = sdp_write_answer(offer, local, text, sizeof text, &p);
    if (n < 0)
        return;
    if (sdp_parse(text, (size_t)n, &back, NULL) != 0 || back.n_media != offer->n_media)
        abort();
    for (size_t i = 0; i < back.n_media; i++) {
        bool taken = p.active && p.media_index == i;
        if (taken != (back.media[i].port == local->rtp_port) || strcmp(back.media[i].kind, offer->media[i].kind) != 0)
            abort();
    }
    /* A later offer of ours has the same lines in the same places. */
    struct sdp_local again = *local;
    again.line = sdp_own_line(&back);
    if (p.active && again.line != p.media_index)
        abort();
    if (p.active)
        check_numbers(&again, &offer->media[p.media_index]);
    n = sdp_write_offer(&again, &back, text, sizeof text);
    size_t lines = back.n_media + (again.line == back.n_media);
    if (n >= 0 && sdp_parse(text, (size_t)n, &back, NULL) != 0)
        abort();
    if (n >= 0 && (back.n_media != lines || back.media[again.line].port != local->rtp_port))
        abort();
    if (p.active && (p.recv_pt > 127 || p.dtmf_pt > 127 || p.ptime_ms < 10 || p.ptime_ms > 60))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sdp s;
    struct err_info info;
    struct sdp_session_params p;
    struct sdp_local local = {.session_id = 1,
                              .version = 1,
                              .ip = "192.0.2.9",
                              .rtp_port = 20000,
                              .dir = size & 1 ? SDP_SENDRECV : SDP_SENDONLY,
                              .prefer = {size & 4 ? SDP_OPUS : SDP_PCMA, size & 2 ? SDP_PCMU : SDP_OTHER, SDP_G722},
                              .dtmf = true};
    if (sdp_parse((const char *)data, size, &s, &info) != 0) {
        if (info.code == 0 || info.text[0] == '\0')
            abort();
        return 0;
    }
    check_parsed(&s);
    check_answer(&s, &local);
    int rc = sdp_take_answer(&local, &s, &p);
    local.ip = "2001:db8::1";
    check_answer(&s, &local);
    return rc == 0 && !p.active ? (abort(), 0) : 0;
}
