#include "base/utf8.h"

/* RFC 3629 section 4: the second byte's range depends on the first. */
size_t utf8_sequence(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    unsigned char low = 0x80, high = 0xbf;
    size_t len;
    if (u[0] == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    if (u[0] >= 0xc2 && u[0] <= 0xdf) {
        len = 2;
    } else if (u[0] >= 0xe0 && u[0] <= 0xef) {
        len = 3;
        low = u[0] == 0xe0 ? 0xa0 : low;
        high = u[0] == 0xed ? 0x9f : high;
    } else if (u[0] >= 0xf0 && u[0] <= 0xf4) {
        len = 4;
        low = u[0] == 0xf0 ? 0x90 : low;
        high = u[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (u[1] < low || u[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool utf8_valid(const char *s)
{
    for (size_t n; (n = utf8_sequence(s)) > 0;)
        s += n;
    return *s == '\0';
}

void utf8_clean(char *s)
{
    while (*s) {
        size_t n = utf8_sequence(s);
        if (n == 0)
            *s = '?';
        s += n ? n : 1;
    }
}
