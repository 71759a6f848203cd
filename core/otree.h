/* Ordered tree with positions: find, first, next, the i-th element and the position of an element, all logarithmic.
 *
 * Intrusive: the element embeds a struct otree_node; the tree owns nothing and allocates nothing, so no operation can fail
 * for lack of memory. The key of a linked element must not change: take it out, change it, put it back.
 * Balanced by the subtree counts it needs anyway (weight-balanced tree with the parameters 3 and 2; Hirai and Yamamoto, Balancing
 * weight-balanced trees, JFP 21, 2011), so its shape depends on nothing but the history: no random source, no addresses.
 * One thread at a time. Limit: 2^32 - 1 elements. */
#ifndef CORE_OTREE_H
#define CORE_OTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct otree_node {
    struct otree_node *parent, *left, *right;
    uint32_t count; /* of this subtree; 0: in no tree */
};

/* Below zero: a comes before b; zero: the same key. Must be a total order. */
typedef int otree_cmp_fn(const struct otree_node *a, const struct otree_node *b);

struct otree {
    struct otree_node *root;
    otree_cmp_fn *cmp;
};

#define otree_entry(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

void otree_init(struct otree *t, otree_cmp_fn *cmp);

static inline uint32_t otree_count(const struct otree *t)
{
    return t->root ? t->root->count : 0;
}

static inline bool otree_linked(const struct otree_node *n)
{
    return n->count != 0;
}

/* n is in no tree. false, and nothing changed, when the key is there already. */
bool otree_insert(struct otree *t, struct otree_node *n);
/* n is in t. Afterwards it is in no tree. */
void otree_remove(struct otree *t, struct otree_node *n);

/* The element with the key of `probe` (an element in no tree, of which only the key is looked at), or NULL. */
struct otree_node *otree_find(const struct otree *t, const struct otree_node *probe);
struct otree_node *otree_first(const struct otree *t);
/* The one after n in order, or NULL. */
struct otree_node *otree_next(const struct otree_node *n);
/* The i-th (0-based) in order, NULL past the end. */
struct otree_node *otree_at(const struct otree *t, uint32_t i);
/* How many come before n, which is linked. */
uint32_t otree_rank(const struct otree_node *n);

/* Whether order, links, counts and balance hold; linear. */
bool otree_check(const struct otree *t);

#endif
