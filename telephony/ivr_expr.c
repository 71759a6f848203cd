/*   or      = and { "or" and }
 *   and     = not { "and" not }
 *   not     = "not" not | compare
 *   compare = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum ]
 *   sum     = term { ("+" | "-") term }
 *   term    = "-" term | "(" or ")" | integer | text | "true" | "false" | function "(" or { "," or } ")" | variable
 * Parts are kept in the order in which they were finished; a part names the parts it is made of by their numbers. */
#include "telephony/ivr_expr.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "telephony/ivr_text.h"

enum expr_op {
    EXPR_NUMBER,
    EXPR_TEXT,
    EXPR_BOOL,
    EXPR_NAME,
    EXPR_NOT,
    EXPR_AND,
    EXPR_OR,
    EXPR_EQ,
    EXPR_NE,
    EXPR_LT,
    EXPR_LE,
    EXPR_GT,
    EXPR_GE,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_NEG,
    EXPR_LEN,
    EXPR_NUMBER_OF,
    EXPR_STARTS_WITH,
    EXPR_ENDS_WITH,
    EXPR_CONTAINS,
    EXPR_SUBSTR,
    EXPR_MATCHES,
};

#define EXPR_ARGUMENTS_MAX 3u

struct expr_part {
    enum expr_op op;
    int64_t number;   /* also true and false */
    const char *text; /* in `words`: a text, or the name of a variable */
    unsigned n_args;
    unsigned args[EXPR_ARGUMENTS_MAX];
};

struct ivr_expr {
    unsigned n;
    struct expr_part parts[IVR_EXPR_PARTS_MAX];
    char *words; /* texts and names, each with its NUL */
};

static const struct {
    const char *name;
    enum expr_op op;
    unsigned least, most;
} expr_functions[] = {
    {"len", EXPR_LEN, 1, 1},
    {"number", EXPR_NUMBER_OF, 1, 1},
    {"starts_with", EXPR_STARTS_WITH, 2, 2},
    {"ends_with", EXPR_ENDS_WITH, 2, 2},
    {"contains", EXPR_CONTAINS, 2, 2},
    {"substr", EXPR_SUBSTR, 2, 3},
    {"matches", EXPR_MATCHES, 2, 2},
};

/* ---- reading */

struct expr_reader {
    struct ivr_expr *e;
    const char *text, *at;
    char *word; /* where the next one goes */
    unsigned depth;
    struct err_info *info;
};

__attribute__((format(printf, 3, 4))) static int expr_refuse(struct expr_reader *r, int code, const char *fmt, ...)
{
    char why[ERR_INFO_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    unsigned column = (unsigned)(r->at - r->text) + 1;
    (void)err_set(r->info, code, "", "column %u: %s", column, why);
    if (r->info)
        r->info->column = column;
    return code;
}

static void expr_space(struct expr_reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

/* Takes the sign if it comes next. Longer signs are asked for first. */
static bool expr_sign(struct expr_reader *r, const char *sign)
{
    expr_space(r);
    size_t n = strlen(sign);
    if (strncmp(r->at, sign, n) != 0)
        return false;
    r->at += n;
    return true;
}

static size_t expr_word_length(const char *s)
{
    return strspn(s, IVR_VARIABLE_CHARS);
}

static bool expr_word(struct expr_reader *r, const char *word)
{
    expr_space(r);
    size_t n = strlen(word);
    if (expr_word_length(r->at) != n || strncmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

static int expr_add(struct expr_reader *r, enum expr_op op, unsigned *out)
{
    if (r->e->n == IVR_EXPR_PARTS_MAX)
        return expr_refuse(r, ERR_TOOBIG, "more than %u parts", IVR_EXPR_PARTS_MAX);
    *out = r->e->n++;
    r->e->parts[*out] = (struct expr_part){.op = op};
    return 0;
}

static int expr_add_with(struct expr_reader *r, enum expr_op op, unsigned a, unsigned b, unsigned n, unsigned *out)
{
    int rc = expr_add(r, op, out);
    if (rc)
        return rc;
    struct expr_part *p = &r->e->parts[*out];
    p->n_args = n;
    p->args[0] = a;
    p->args[1] = b;
    return 0;
}

static int expr_or(struct expr_reader *r, unsigned *out);

static int expr_integer(struct expr_reader *r, unsigned *out)
{
    size_t n = strspn(r->at, "0123456789");
    int64_t v = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, r->at[i] - '0', &v))
            return expr_refuse(r, ERR_INVAL, "a number beyond 64 bits");
    if (n > 1 && r->at[0] == '0')
        return expr_refuse(r, ERR_INVAL, "a number has no leading zeros; between quotes it is a text");
    if (expr_word_length(r->at) != n || r->at[n] == '.')
        return expr_refuse(r, ERR_INVAL, "only whole numbers; texts stand between quotes");
    int rc = expr_add(r, EXPR_NUMBER, out);
    if (rc)
        return rc;
    r->e->parts[*out].number = v;
    r->at += n;
    return 0;
}

static int expr_quoted(struct expr_reader *r, unsigned *out)
{
    char quote = *r->at;
    const char *s = r->at + 1;
    int rc = expr_add(r, EXPR_TEXT, out);
    if (rc)
        return rc;
    r->e->parts[*out].text = r->word;
    for (; *s && *s != quote; s++) {
        if (*s == '\\' && !strchr("\\'\"", s[1]))
            return expr_refuse(r, ERR_INVAL, "after a backslash only a backslash or a quote");
        if (*s == '\\' && !*++s)
            break;
        *r->word++ = *s;
    }
    if (!*s)
        return expr_refuse(r, ERR_INVAL, "a text without its closing quote");
    *r->word++ = '\0';
    r->at = s + 1;
    return 0;
}

static int expr_call(struct expr_reader *r, size_t name_length, unsigned *out)
{
    size_t f = 0, n_functions = sizeof expr_functions / sizeof *expr_functions;
    unsigned args[EXPR_ARGUMENTS_MAX] = {0}, n = 0;
    while (f < n_functions &&
           (strlen(expr_functions[f].name) != name_length || strncmp(expr_functions[f].name, r->at, name_length) != 0))
        f++;
    if (f == n_functions)
        return expr_refuse(r, ERR_INVAL, "there is no function '%.*s'", (int)name_length, r->at);
    r->at += name_length;
    (void)expr_sign(r, "(");
    do {
        if (n == expr_functions[f].most)
            return expr_refuse(r, ERR_INVAL, "%s takes no more than %u", expr_functions[f].name, n);
        int rc = expr_or(r, &args[n++]);
        if (rc)
            return rc;
    } while (expr_sign(r, ","));
    if (n < expr_functions[f].least)
        return expr_refuse(r, ERR_INVAL, "%s takes %u", expr_functions[f].name, expr_functions[f].least);
    if (!expr_sign(r, ")"))
        return expr_refuse(r, ERR_INVAL, "')' is missing");
    int rc = expr_add_with(r, expr_functions[f].op, args[0], args[1], n, out);
    if (!rc)
        r->e->parts[*out].args[2] = args[2];
    return rc;
}

static int expr_named(struct expr_reader *r, unsigned *out)
{
    static const char *const signs[] = {"and", "or", "not"};
    size_t n = expr_word_length(r->at);
    const char *after = r->at + n + strspn(r->at + n, " \t\r\n");
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strlen(signs[i]) == n && strncmp(signs[i], r->at, n) == 0)
            return expr_refuse(r, ERR_INVAL, "a value is missing before '%s'", signs[i]);
    if (*after == '(')
        return expr_call(r, n, out);
    bool known = ivr_known_is(r->at);
    if (known)
        n = strspn(r->at, IVR_KNOWN_CHARS);
    if (known && (n == sizeof IVR_KNOWN - 1 || n >= sizeof IVR_KNOWN - 1 + IVR_KNOWN_NAME_MAX))
        return expr_refuse(r, ERR_INVAL, "behind data. stands a name of 1 to %u letters, digits, \"_.\"",
                           IVR_KNOWN_NAME_MAX - 1);
    bool yes = n == 4 && strncmp(r->at, "true", 4) == 0, no = n == 5 && strncmp(r->at, "false", 5) == 0;
    if (!known && !yes && !no && (n >= IVR_VARIABLE_MAX || !ivr_variable_ok(r->at, n)))
        return expr_refuse(r, ERR_INVAL,
                           "a variable begins with a small letter and has at most %u of a-z 0-9 _; texts stand "
                           "between quotes",
                           IVR_VARIABLE_MAX - 1);
    int rc = expr_add(r, yes || no ? EXPR_BOOL : EXPR_NAME, out);
    if (rc)
        return rc;
    r->e->parts[*out].number = yes;
    r->e->parts[*out].text = r->word;
    memcpy(r->word, r->at, n);
    r->word[n] = '\0';
    r->word += n + 1;
    r->at += n;
    return 0;
}

static int expr_term(struct expr_reader *r, unsigned *out)
{
    expr_space(r);
    if (expr_sign(r, "-")) {
        unsigned a;
        int rc = r->depth == IVR_EXPR_DEPTH_MAX ? expr_refuse(r, ERR_TOOBIG, "too deep") : 0;
        r->depth++;
        if (!rc)
            rc = expr_term(r, &a);
        r->depth--;
        return rc ? rc : expr_add_with(r, EXPR_NEG, a, 0, 1, out);
    }
    if (*r->at == '(') {
        r->at++;
        int rc = expr_or(r, out);
        if (!rc && !expr_sign(r, ")"))
            rc = expr_refuse(r, ERR_INVAL, "')' is missing");
        return rc;
    }
    if (*r->at >= '0' && *r->at <= '9')
        return expr_integer(r, out);
    if (*r->at == '"' || *r->at == '\'')
        return expr_quoted(r, out);
    if (expr_word_length(r->at))
        return expr_named(r, out);
    return *r->at ? expr_refuse(r, ERR_INVAL, "a value is missing before '%.4s'", r->at)
                  : expr_refuse(r, ERR_INVAL, "a value is missing at the end");
}

static int expr_sum(struct expr_reader *r, unsigned *out)
{
    int rc = expr_term(r, out);
    while (!rc) {
        bool plus = expr_sign(r, "+");
        unsigned b;
        if (!plus && !expr_sign(r, "-"))
            break;
        rc = expr_term(r, &b);
        if (!rc)
            rc = expr_add_with(r, plus ? EXPR_ADD : EXPR_SUB, *out, b, 2, out);
    }
    return rc;
}

static int expr_compare(struct expr_reader *r, unsigned *out)
{
    static const struct {
        const char *sign;
        enum expr_op op;
    } signs[] = {{"==", EXPR_EQ}, {"!=", EXPR_NE}, {"<=", EXPR_LE}, {">=", EXPR_GE}, {"<", EXPR_LT}, {">", EXPR_GT}};
    int rc = expr_sum(r, out);
    for (size_t i = 0; !rc && i < sizeof signs / sizeof *signs; i++) {
        unsigned b;
        if (!expr_sign(r, signs[i].sign))
            continue;
        rc = expr_sum(r, &b);
        return rc ? rc : expr_add_with(r, signs[i].op, *out, b, 2, out);
    }
    return rc;
}

static int expr_not(struct expr_reader *r, unsigned *out)
{
    unsigned a;
    if (!expr_word(r, "not"))
        return expr_compare(r, out);
    if (r->depth == IVR_EXPR_DEPTH_MAX)
        return expr_refuse(r, ERR_TOOBIG, "too deep");
    r->depth++;
    int rc = expr_not(r, &a);
    r->depth--;
    return rc ? rc : expr_add_with(r, EXPR_NOT, a, 0, 1, out);
}

static int expr_and(struct expr_reader *r, unsigned *out)
{
    int rc = expr_not(r, out);
    while (!rc && expr_word(r, "and")) {
        unsigned b;
        rc = expr_not(r, &b);
        if (!rc)
            rc = expr_add_with(r, EXPR_AND, *out, b, 2, out);
    }
    return rc;
}

static int expr_or(struct expr_reader *r, unsigned *out)
{
    if (r->depth == IVR_EXPR_DEPTH_MAX)
        return expr_refuse(r, ERR_TOOBIG, "more than %u levels of parentheses", IVR_EXPR_DEPTH_MAX);
    r->depth++;
    int rc = expr_and(r, out);
    while (!rc && expr_word(r, "or")) {
        unsigned b;
        rc = expr_and(r, &b);
        if (!rc)
            rc = expr_add_with(r, EXPR_OR, *out, b, 2, out);
    }
    r->depth--;
    return rc;
}

int ivr_expr_parse(const char *text, struct ivr_expr **out, struct err_info *info)
{
    size_t len = strlen(text);
    if (len > IVR_EXPR_BYTES_MAX)
        return err_set(info, ERR_TOOBIG, "", "column %u: longer than %u bytes", IVR_EXPR_BYTES_MAX + 1,
                       IVR_EXPR_BYTES_MAX);
    struct ivr_expr *e = calloc(1, sizeof *e);
    /* each word is followed by its NUL instead of its quote, or of the sign that parts it from the next */
    char *words = malloc(2 * len + 2);
    if (!e || !words) {
        free(e);
        free(words);
        return err_set(info, ERR_NOMEM, "", "%s", err_text(ERR_NOMEM));
    }
    e->words = words;
    struct expr_reader r = {.e = e, .text = text, .at = text, .word = words, .info = info};
    unsigned top;
    int rc = expr_or(&r, &top);
    expr_space(&r);
    if (!rc && *r.at)
        rc = expr_refuse(&r, ERR_INVAL, "an operator or the end is expected before '%.10s'", r.at);
    if (rc)
        ivr_expr_free(e);
    else
        *out = e; /* the top is the last part */
    return rc;
}

void ivr_expr_free(struct ivr_expr *e)
{
    if (!e)
        return;
    free(e->words);
    free(e);
}

void ivr_expr_names(const struct ivr_expr *e, void (*cb)(void *ctx, const char *name), void *ctx)
{
    for (unsigned i = 0; i < e->n; i++)
        if (e->parts[i].op == EXPR_NAME)
            cb(ctx, e->parts[i].text);
}

/* ---- values */

struct expr_value {
    enum { VALUE_NONE, VALUE_BOOL, VALUE_NUMBER, VALUE_TEXT } kind;
    int64_t number;
    const char *text; /* with `len`, not ended by a NUL */
    size_t len;
};

static const struct expr_value expr_none = {.kind = VALUE_NONE};

static struct expr_value expr_bool(bool yes)
{
    return (struct expr_value){.kind = VALUE_BOOL, .number = yes};
}

static struct expr_value expr_number(int64_t n)
{
    return (struct expr_value){.kind = VALUE_NUMBER, .number = n};
}

/* Digits, with or without leading zeros. */
static bool expr_digits(const char *s, size_t len, bool zeros, int64_t *out)
{
    bool minus = len && s[0] == '-';
    int64_t v = 0;
    size_t i = minus;
    if (i == len || (!zeros && s[i] == '0' && (len - i > 1 || minus)))
        return false;
    for (; i < len; i++) {
        if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            (minus ? __builtin_sub_overflow(v, s[i] - '0', &v) : __builtin_add_overflow(v, s[i] - '0', &v)))
            return false;
    }
    *out = v;
    return true;
}

static bool expr_as_number(const struct expr_value *v, int64_t *out)
{
    if (v->kind == VALUE_NUMBER)
        *out = v->number;
    return v->kind == VALUE_NUMBER || (v->kind == VALUE_TEXT && expr_digits(v->text, v->len, false, out));
}

static bool expr_is(const struct expr_value *v, const char *text)
{
    return v->kind == VALUE_TEXT && v->len == strlen(text) && memcmp(v->text, text, v->len) == 0;
}

static bool expr_as_bool(const struct expr_value *v, bool *out)
{
    *out = v->kind == VALUE_BOOL ? v->number != 0 : expr_is(v, "true");
    return v->kind == VALUE_BOOL || *out || expr_is(v, "false");
}

/* Room for what is no text yet. */
struct expr_written {
    char text[24];
};

static bool expr_as_text(struct expr_value *v, struct expr_written *room)
{
    if (v->kind == VALUE_NUMBER)
        snprintf(room->text, sizeof room->text, "%" PRId64, v->number);
    else if (v->kind == VALUE_BOOL)
        snprintf(room->text, sizeof room->text, "%s", v->number ? "true" : "false");
    if (v->kind == VALUE_NUMBER || v->kind == VALUE_BOOL) {
        v->text = room->text;
        v->len = strlen(room->text);
    }
    return v->kind != VALUE_NONE;
}

static bool expr_same(struct expr_value *a, struct expr_value *b)
{
    struct expr_written rooms[2];
    int64_t x, y;
    if (expr_as_number(a, &x) && expr_as_number(b, &y))
        return x == y;
    (void)expr_as_text(a, &rooms[0]);
    (void)expr_as_text(b, &rooms[1]);
    return a->len == b->len && (a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
}

static struct expr_value expr_compared(enum expr_op op, struct expr_value *a, struct expr_value *b)
{
    int64_t x, y;
    if (a->kind == VALUE_NONE || b->kind == VALUE_NONE)
        return expr_none;
    if (op == EXPR_EQ || op == EXPR_NE)
        return expr_bool(expr_same(a, b) == (op == EXPR_EQ));
    if (!expr_as_number(a, &x) || !expr_as_number(b, &y))
        return expr_none;
    return expr_bool(op == EXPR_LT ? x < y : op == EXPR_LE ? x <= y : op == EXPR_GT ? x > y : x >= y);
}

static struct expr_value expr_summed(enum expr_op op, const struct expr_value *a, const struct expr_value *b)
{
    int64_t x, y, z;
    if (!expr_as_number(a, &x) || !expr_as_number(b, &y))
        return expr_none;
    bool over = op == EXPR_ADD ? __builtin_add_overflow(x, y, &z) : __builtin_sub_overflow(x, y, &z);
    return over ? expr_none : expr_number(z);
}

static size_t expr_step(const char *s, size_t left)
{
    size_t n = 1;
    while (n < left && ((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static size_t expr_characters(const struct expr_value *v)
{
    size_t count = 0;
    for (size_t at = 0; at < v->len; at += expr_step(v->text + at, v->len - at))
        count++;
    return count;
}

/* From the character `from` on (below nothing: counted from the end), `count` of them. */
static struct expr_value expr_part_of(const struct expr_value *v, int64_t from, int64_t count)
{
    int64_t all = (int64_t)expr_characters(v);
    if (from < 0)
        from = from < -all ? 0 : all + from;
    size_t at = 0;
    for (int64_t i = 0; i < from && at < v->len; i++)
        at += expr_step(v->text + at, v->len - at);
    size_t end = at;
    for (int64_t i = 0; i < count && end < v->len; i++)
        end += expr_step(v->text + end, v->len - end);
    return (struct expr_value){.kind = VALUE_TEXT, .text = v->text + at, .len = end - at};
}

static struct expr_value expr_substr(const struct expr_value *v, unsigned n)
{
    int64_t from, count = INT64_MAX;
    if (v[0].kind != VALUE_TEXT || !expr_as_number(&v[1], &from) || (n == 3 && !expr_as_number(&v[2], &count)))
        return expr_none;
    return expr_part_of(&v[0], from, count);
}

/* Digits against a pattern: X any digit, Z 1 to 9, N 2 to 9, '.' at the end: one or more of anything; else the character. */
static bool expr_matches(const struct expr_value *v, const struct expr_value *pattern)
{
    size_t i = 0;
    for (; i < pattern->len; i++) {
        char p = pattern->text[i];
        if (p == '.' && i + 1 == pattern->len)
            return i < v->len;
        if (i == v->len)
            return false;
        char low = p == 'X' ? '0' : p == 'Z' ? '1' : p == 'N' ? '2' : p;
        char high = p == 'X' || p == 'Z' || p == 'N' ? '9' : p;
        if (v->text[i] < low || v->text[i] > high)
            return false;
    }
    return i == v->len;
}

static struct expr_value expr_about_texts(enum expr_op op, struct expr_value *a, struct expr_value *b)
{
    struct expr_written rooms[2];
    if (!expr_as_text(a, &rooms[0]) || !expr_as_text(b, &rooms[1]))
        return expr_none;
    if (op == EXPR_MATCHES)
        return expr_bool(expr_matches(a, b));
    if (b->len == 0 || a->len < b->len)
        return expr_bool(b->len == 0);
    if (op == EXPR_CONTAINS)
        return expr_bool(memmem(a->text, a->len, b->text, b->len) != NULL);
    return expr_bool(memcmp(op == EXPR_STARTS_WITH ? a->text : a->text + a->len - b->len, b->text, b->len) == 0);
}

struct expr_run {
    const struct ivr_expr *e;
    ivr_lookup_fn *lookup;
    void *ctx;
};

static struct expr_value expr_evaluate(const struct expr_run *run, unsigned at);

/* Decided by the left side alone, else by the right; when one has no value, by the other if that is enough. */
static struct expr_value expr_logic(const struct expr_run *run, const struct expr_part *p)
{
    bool decides = p->op == EXPR_OR, value[2], known[2];
    for (unsigned i = 0; i < 2; i++) {
        struct expr_value v = expr_evaluate(run, p->args[i]);
        known[i] = expr_as_bool(&v, &value[i]);
        if (known[i] && value[i] == decides)
            return expr_bool(decides);
    }
    return known[0] && known[1] ? expr_bool(!decides) : expr_none;
}

static struct expr_value expr_evaluate(const struct expr_run *run, unsigned at)
{
    const struct expr_part *p = &run->e->parts[at];
    struct expr_value v[EXPR_ARGUMENTS_MAX] = {expr_none};
    struct expr_written room;
    const char *text = p->text;
    int64_t number;
    bool yes;
    if (p->op == EXPR_AND || p->op == EXPR_OR)
        return expr_logic(run, p);
    for (unsigned i = 0; i < p->n_args; i++)
        v[i] = expr_evaluate(run, p->args[i]);
    switch (p->op) {
    case EXPR_NUMBER:
        return expr_number(p->number);
    case EXPR_BOOL:
        return expr_bool(p->number != 0);
    case EXPR_NAME:
        text = run->lookup(run->ctx, p->text);
        return (struct expr_value){.kind = VALUE_TEXT, .text = text, .len = strlen(text)};
    case EXPR_TEXT:
        return (struct expr_value){.kind = VALUE_TEXT, .text = text, .len = strlen(text)};
    case EXPR_NOT:
        return expr_as_bool(&v[0], &yes) ? expr_bool(!yes) : expr_none;
    case EXPR_EQ:
    case EXPR_NE:
    case EXPR_LT:
    case EXPR_LE:
    case EXPR_GT:
    case EXPR_GE:
        return expr_compared(p->op, &v[0], &v[1]);
    case EXPR_ADD:
    case EXPR_SUB:
        return expr_summed(p->op, &v[0], &v[1]);
    case EXPR_NEG:
        v[1] = v[0];
        v[0] = expr_number(0);
        return expr_summed(EXPR_SUB, &v[0], &v[1]);
    case EXPR_LEN:
        return expr_as_text(&v[0], &room) ? expr_number((int64_t)expr_characters(&v[0])) : expr_none;
    case EXPR_NUMBER_OF:
        return expr_as_text(&v[0], &room) && expr_digits(v[0].text, v[0].len, true, &number) ? expr_number(number)
                                                                                             : expr_none;
    case EXPR_STARTS_WITH:
    case EXPR_ENDS_WITH:
    case EXPR_CONTAINS:
    case EXPR_MATCHES:
        return expr_about_texts(p->op, &v[0], &v[1]);
    case EXPR_SUBSTR:
        return expr_substr(v, p->n_args);
    case EXPR_AND:
    case EXPR_OR:
        break;
    }
    return expr_none;
}

static struct expr_value expr_value_of(const struct ivr_expr *e, ivr_lookup_fn *lookup, void *ctx)
{
    struct expr_run run = {.e = e, .lookup = lookup, .ctx = ctx};
    return expr_evaluate(&run, e->n - 1);
}

bool ivr_expr_true(const struct ivr_expr *e, ivr_lookup_fn *lookup, void *ctx)
{
    struct expr_value v = expr_value_of(e, lookup, ctx);
    bool yes;
    return expr_as_bool(&v, &yes) && yes;
}

void ivr_expr_text(const struct ivr_expr *e, ivr_lookup_fn *lookup, void *ctx, char *out, size_t size)
{
    struct expr_value v = expr_value_of(e, lookup, ctx);
    struct expr_written room;
    size_t len = expr_as_text(&v, &room) ? v.len : 0;
    if (len >= size)
        for (len = size - 1; len && ((unsigned char)v.text[len] & 0xc0) == 0x80;)
            len--;
    if (len)
        memmove(out, v.text, len);
    out[len] = '\0';
}
