/* A list of telephone numbers, ranges and prefixes (base/number.h), and whether a number is on it.
 *
 * A number is looked for in time that grows with its own length and with the logarithm of the ranges, not with the other entries.
 * The values are the caller's. Memory that runs out ends the process, as everywhere in apply. Core thread only. */
#ifndef CORE_NUMBER_LIST_H
#define CORE_NUMBER_LIST_H

#include "base/map.h"
#include "base/number.h"

struct number_list {                  /* all zero: empty */
    struct map ones, prefixes, spans; /* by the text of the entry; prefixes without the * */
    size_t of_length[NUMBER_MAX];     /* prefixes of so many digits */
    struct number_range *ranges;      /* of spans, made when they are looked at */
    size_t n_ranges;
    bool sorted;
};

void number_list_free(struct number_list *l); /* empty afterwards */
/* Puts the entry in, or another value in its place. */
void number_list_put(struct number_list *l, const struct number_pattern *p, void *value);
void number_list_drop(struct number_list *l, const struct number_pattern *p);
/* Value of the entry that names the number (in its form, number_form): the number itself before ranges before the longest prefix; of
 * ranges the one that reaches furthest. NULL: none does. */
void *number_list_find(const struct number_list *l, const char *form);

#endif
