/* Who calls, as a trusted network says it: P-Asserted-Identity (RFC 3325). */
#include <string.h>
#include <strings.h>

#include "telephony/sip_int.h"

bool sip_is_number(const char *user)
{
    const char *digits = user + (*user == '+');
    return *digits && digits[strspn(digits, "0123456789")] == '\0';
}

void sip_display_text(const char *display, char *out, size_t size)
{
    const char *d = display ? display : "";
    size_t n = 0;
    for (size_t i = 0; d[i] && n + 1 < size; i++) {
        if (d[i] == '"')
            continue;
        if (d[i] == '\\' && d[i + 1])
            i++;
        out[n++] = d[i];
    }
    out[n] = '\0';
}

bool sip_withheld(const sip_t *sip)
{
    msg_param_t const *v = sip->sip_privacy ? sip->sip_privacy->priv_values : NULL;
    bool asked = false;
    for (; v && *v; v++)
        asked = asked || strcasecmp(*v, "id") == 0 || strcasecmp(*v, "user") == 0;
    return asked;
}

/* RFC 3966 section 5.1.1: separators in a tel URI are for the eye. */
static void drop_separators(char *number)
{
    char *to = number;
    for (const char *p = number; *p; p++) {
        if (!strchr("-.()", *p))
            *to++ = *p;
    }
    *to = '\0';
}

static bool number_of(const url_t *url, char *out, size_t size)
{
    bool tel = url->url_type == url_tel;
    if ((!tel && !sip_url_is_sip(url)) || sip_url_user(url, out, size) != 0)
        return false;
    if (tel)
        drop_separators(out);
    return sip_is_number(out);
}

bool sip_asserted(const sip_t *sip, char *number, size_t number_size, char *display, size_t display_size)
{
    bool found = false;
    su_home_t home[1] = {SU_HOME_INIT(home)};
    for (const sip_unknown_t *u = sip->sip_unknown; u && !found; u = u->un_next) {
        if (!u->un_name || !u->un_value || strcasecmp(u->un_name, "P-Asserted-Identity") != 0)
            continue;
        /* The form of its values is that of a Contact: name-addr or addr-spec, separated by commas. */
        for (const sip_contact_t *c = sip_contact_make(home, u->un_value); c && !found; c = c->m_next) {
            found = number_of(c->m_url, number, number_size);
            if (found)
                sip_display_text(c->m_display, display, display_size);
        }
    }
    su_home_deinit(home);
    if (!found)
        number[0] = display[0] = '\0';
    return found;
}
