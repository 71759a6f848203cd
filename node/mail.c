#include "node/mail.h"

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#define MAIL_CA_FOLDER "/etc/ssl/certs" /* hashed, as for HTTP */

/* ---- what is said */

static void put_line(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 1 < size; text++)
        out[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text;
    out[n] = '\0';
}

static bool is_zh(const struct mail_about *a)
{
    return strcmp(a->language, "en") != 0;
}

static void length_of(const struct mail_about *a, char out[16])
{
    unsigned s = (a->duration_ms + 500u) / 1000u;
    snprintf(out, 16, "%u:%02u", s / 60u % 1000u, s % 60u);
}

static void when(uint64_t us, bool header, char *out, size_t size)
{
    time_t at = (time_t)(us / 1000000u);
    struct tm tm;
    size_t n = 0;
    if (localtime_r(&at, &tm))
        n = header ? strftime(out, size, "%a, %d %b %Y %H:%M:%S %z", &tm)
                   : strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm);
    out[n] = '\0';
}

void mail_subject(const struct mail_about *a, char out[MAIL_LINE_MAX])
{
    char caller[64], length[16], text[160], word[240];
    put_line(caller, sizeof caller, a->caller[0] ? a->caller : is_zh(a) ? "未知号码" : "an unknown number");
    length_of(a, length);
    if (is_zh(a))
        snprintf(text, sizeof text, "来自 %.63s 的语音留言（%s）", caller, length);
    else
        snprintf(text, sizeof text, "Voice message from %.63s (%s)", caller, length);
    bool plain = true;
    for (const char *p = text; *p; p++)
        plain = plain && (unsigned char)*p < 0x80;
    if (plain) {
        snprintf(out, MAIL_LINE_MAX, "%s", text);
        return;
    }
    /* One encoded word for each 36 bytes, cut between characters: none is longer than 75 (RFC 2047 section 2). */
    size_t at = 0, used = 0;
    out[0] = '\0';
    while (text[at]) {
        size_t n = strlen(text + at) < 36 ? strlen(text + at) : 36;
        while (n > 1 && ((unsigned char)text[at + n] & 0xc0) == 0x80)
            n--;
        int len = EVP_EncodeBlock((unsigned char *)word, (const unsigned char *)text + at, (int)n);
        used += (size_t)snprintf(out + used, MAIL_LINE_MAX - used, "%s=?UTF-8?B?%.*s?=", used ? " " : "", len, word);
        at += n;
    }
}

void mail_text(const struct mail_about *a, char out[MAIL_TEXT_MAX])
{
    char caller[64], called[64], length[16], at[40];
    put_line(caller, sizeof caller, a->caller);
    put_line(called, sizeof called, a->called);
    length_of(a, length);
    when(a->started_us, false, at, sizeof at);
    if (is_zh(a))
        snprintf(out, MAIL_TEXT_MAX,
                 "留言信箱：%s\r\n主叫号码：%s\r\n被叫号码：%s\r\n时间：%s\r\n时长：%s\r\n留言编号：%s\r\n", a->box,
                 caller, called, at, length, a->id);
    else
        snprintf(out, MAIL_TEXT_MAX, "Box: %s\r\nCaller: %s\r\nCalled: %s\r\nTime: %s\r\nLength: %s\r\nMessage: %s\r\n",
                 a->box, caller, called, at, length, a->id);
}

char *mail_hook_body(const struct mail_about *a, const char *sha256, uint64_t sent_us)
{
    char started[CLOCK_TEXT_MAX], sent[CLOCK_TEXT_MAX], caller[64], called[64];
    put_line(caller, sizeof caller, a->caller);
    put_line(called, sizeof called, a->called);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s, s:s, s:I, s:s}", "type", "message.new", "message_id", a->id,
                          "box", a->box, "caller", caller, "called", called, "started_at",
                          clock_wall_text((struct clock_wall){a->started_us}, started), "sent_at",
                          clock_wall_text((struct clock_wall){sent_us}, sent), "duration_ms",
                          (json_int_t)a->duration_ms, "sha256", sha256);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

void mail_hook_sign(const char *secret, const char *body, char out[MAIL_SIGNATURE_MAX])
{
    uint8_t mac[32];
    unsigned size = sizeof mac;
    memset(mac, 0, sizeof mac);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)body, strlen(body), mac, &size);
    size_t n = (size_t)snprintf(out, MAIL_SIGNATURE_MAX, "sha256=");
    for (size_t i = 0; i < sizeof mac; i++)
        n += (size_t)snprintf(out + n, MAIL_SIGNATURE_MAX - n, "%02x", mac[i]);
}

/* ---- sending */

#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(e, option, value))

static CURLcode part(curl_mime *mime, const void *data, size_t len, const char *type, const char *file)
{
    curl_mimepart *p = curl_mime_addpart(mime);
    CURLcode rc = p ? curl_mime_data(p, data, len) : CURLE_OUT_OF_MEMORY;
    rc = rc ? rc : curl_mime_type(p, type);
    rc = rc ? rc : curl_mime_encoder(p, "base64");
    return rc || !file ? rc : curl_mime_filename(p, file);
}

static CURLcode compose(CURL *e, curl_mime *mime, const struct mail *m, const char *text)
{
    char file[64];
    CURLcode rc = part(mime, text, strlen(text), "text/plain; charset=utf-8", NULL);
    snprintf(file, sizeof file, "%.40s.%s", m->about.id, m->mp3 ? "mp3" : "wav");
    if (!rc && m->sound)
        rc = part(mime, m->sound, m->sound_len, m->mp3 ? "audio/mpeg" : "audio/wav", file);
    SET(CURLOPT_MIMEPOST, mime);
    return rc;
}

static bool header(struct curl_slist **list, const char *name, const char *value)
{
    char line[MAIL_LINE_MAX + 40];
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

/* The same Message-ID whenever it is sent: who gets it twice may know. */
static struct curl_slist *headers(const struct mail *m)
{
    struct curl_slist *list = NULL;
    char subject[MAIL_LINE_MAX], date[64], id[192], to[MAIL_LINE_MAX] = "";
    const char *at = strchr(m->from, '@');
    mail_subject(&m->about, subject);
    when(m->about.started_us, true, date, sizeof date);
    snprintf(id, sizeof id, "<%.40s.voicemail@%.128s>", m->about.id, at ? at + 1 : "localhost");
    for (unsigned i = 0; i < m->n_to; i++) {
        size_t n = strlen(to);
        if (n + strlen(m->to[i]) + 4 < sizeof to)
            snprintf(to + n, sizeof to - n, "%s%s", i ? ", " : "", m->to[i]);
    }
    if (header(&list, "From", m->from) && header(&list, "To", to) && header(&list, "Subject", subject) &&
        header(&list, "Date", date) && header(&list, "Message-ID", id) &&
        header(&list, "Auto-Submitted", "auto-generated"))
        return list;
    curl_slist_free_all(list);
    return NULL;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct mail *m = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return m->stop && atomic_load(m->stop);
}

static CURLcode set_up(CURL *e, const struct mail *m, struct curl_slist *to, struct curl_slist *head)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_URL, m->url);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_USE_SSL, m->tls == MAIL_TLS_NONE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAINFO, (char *)NULL);
    SET(CURLOPT_CAPATH, MAIL_CA_FOLDER);
    if (m->ca[0]) {
        struct curl_blob ca = {.data = (void *)(uintptr_t)m->ca, .len = strlen(m->ca), .flags = CURL_BLOB_COPY};
        SET(CURLOPT_CAINFO_BLOB, &ca);
    }
    if (m->user[0]) {
        SET(CURLOPT_USERNAME, m->user);
        SET(CURLOPT_PASSWORD, m->password);
    }
    SET(CURLOPT_TIMEOUT_MS, MAIL_LIMIT_MS);
    SET(CURLOPT_CONNECTTIMEOUT_MS, MAIL_LIMIT_MS / 3);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, m);
    SET(CURLOPT_MAIL_FROM, m->from);
    SET(CURLOPT_MAIL_RCPT, to);
    SET(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L); /* one wrong address is no reason for the others */
    SET(CURLOPT_HTTPHEADER, head);
    return rc;
}

static void judge(CURL *e, CURLcode rc, struct mail_result *out)
{
    long status = 0;
    (void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_OK)
        return;
    bool said = status >= 400 && status < 600;
    out->code = rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : rc == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_IO;
    /* A password that is wrong today may be put right; an address that is not there will not come. */
    out->for_good = said && status >= 500 && rc != CURLE_LOGIN_DENIED;
    if (said)
        snprintf(out->why, sizeof out->why, "the mail server said %ld", status);
    else
        snprintf(out->why, sizeof out->why, "%s", curl_easy_strerror(rc));
}

void mail_send(const struct mail *m, struct mail_result *out)
{
    char text[MAIL_TEXT_MAX];
    struct curl_slist *to = NULL, *head = headers(m);
    CURL *e = curl_easy_init();
    curl_mime *mime = e ? curl_mime_init(e) : NULL;
    CURLcode rc = head && mime ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    *out = (struct mail_result){.code = 0};
    if (m->tls == MAIL_TLS_NONE && m->user[0]) {
        out->code = ERR_DENIED;
        snprintf(out->why, sizeof out->why, "no password is sent without TLS");
        goto done;
    }
    for (unsigned i = 0; !rc && i < m->n_to; i++) {
        struct curl_slist *longer = curl_slist_append(to, m->to[i]);
        rc = longer ? CURLE_OK : CURLE_OUT_OF_MEMORY;
        to = longer ? longer : to;
    }
    mail_text(&m->about, text);
    if (!rc)
        rc = set_up(e, m, to, head);
    if (!rc)
        rc = compose(e, mime, m, text);
    if (!rc)
        rc = curl_easy_perform(e);
    if (e)
        judge(e, rc, out);
    else
        out->code = ERR_NOMEM;
done:
    curl_mime_free(mime);
    curl_slist_free_all(to);
    curl_slist_free_all(head);
    if (e)
        curl_easy_cleanup(e);
}
