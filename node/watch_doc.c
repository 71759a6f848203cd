#include "node/watch_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is no character of XML 1.0 is left out; all else is UTF-8 as it came (display names are checked where they come from). */
static void put(FILE *f, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '&')
            fputs("&amp;", f);
        else if (*p == '<')
            fputs("&lt;", f);
        else if (*p == '>')
            fputs("&gt;", f);
        else if (*p == '"')
            fputs("&quot;", f);
        else if ((unsigned char)*p >= ' ' && *p != 0x7f)
            fputc(*p, f);
    }
}

static void attribute(FILE *f, const char *name, const char *value)
{
    if (!value[0])
        return;
    fprintf(f, " %s=\"", name);
    put(f, value);
    fputc('"', f);
}

/* The memory of f, once it is closed; NULL when it ran out. */
static char *finish(FILE *f, char **text)
{
    bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed) {
        free(*text);
        return NULL;
    }
    return *text;
}

char *watch_doc_messages(const char *account, uint32_t fresh, uint32_t heard)
{
    char *text = NULL;
    if (asprintf(&text, "Messages-Waiting: %s\r\nMessage-Account: %s\r\nVoice-Message: %u/%u (0/0)\r\n",
                 fresh ? "yes" : "no", account, fresh, heard) < 0)
        return NULL;
    return text;
}

/* "sip:NUMBER@host" with the host of entity. */
static void uri(FILE *f, const char *entity, const char *number)
{
    const char *at = strchr(entity, '@');
    fputs("sip:", f);
    put(f, number[0] ? number : "anonymous");
    put(f, at ? at : "@anonymous.invalid");
}

static void side(FILE *f, const char *name, const char *entity, const char *number, const char *display)
{
    fprintf(f, "<%s><identity", name);
    attribute(f, "display", display);
    fputc('>', f);
    if (number)
        uri(f, entity, number);
    else
        put(f, entity);
    fputs("</identity><target uri=\"", f);
    if (number)
        uri(f, entity, number);
    else
        put(f, entity);
    fprintf(f, "\"/></%s>", name);
}

static void dialog(FILE *f, const char *entity, const struct watch_dialog *d)
{
    static const char *const states[] = {"trying", "early", "confirmed", "terminated"};
    fputs("<dialog", f);
    attribute(f, "id", d->id);
    attribute(f, "call-id", d->call_id);
    attribute(f, "local-tag", d->local_tag);
    attribute(f, "remote-tag", d->remote_tag);
    attribute(f, "direction", d->initiator ? "initiator" : "recipient");
    fprintf(f, "><state>%s</state>", states[d->state]);
    side(f, "local", entity, NULL, "");
    side(f, "remote", entity, d->remote, d->remote_name);
    fputs("</dialog>\r\n", f);
}

char *watch_doc_dialogs(const char *entity, uint32_t version, const struct watch_dialog *d, unsigned n)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fprintf(f,
            "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"%u\" "
            "state=\"full\"",
            version);
    attribute(f, "entity", entity);
    fputs(">\r\n", f);
    for (unsigned i = 0; i < n; i++)
        dialog(f, entity, &d[i]);
    fputs("</dialog-info>\r\n", f);
    return finish(f, &text);
}

char *watch_doc_presence(const char *entity, enum watch_activity what, const char *note)
{
    static const char *const activities[] = {"", "on-the-phone", "busy", "away", ""};
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
          "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"",
          f);
    attribute(f, "entity", entity);
    fprintf(f, ">\r\n<tuple id=\"telephone\"><status><basic>%s</basic></status><note>",
            what == WATCH_CLOSED ? "closed" : "open");
    put(f, note);
    fputs("</note></tuple>\r\n", f);
    if (activities[what][0])
        fprintf(f, "<dm:person id=\"person\"><rpid:activities><rpid:%s/></rpid:activities></dm:person>\r\n",
                activities[what]);
    fputs("</presence>\r\n", f);
    return finish(f, &text);
}
