/* Invariants, checked by otree_check: in-order traversal is strictly ascending; n->count = 1 + counts of its children; with
 * weight = count + 1 (1 for no child) no child weighs more than OTREE_DELTA times its sibling. Each insertion and removal
 * changes the weights on one path to the root by one and repairs them from the bottom up with at most one rotation a level. */
#include "core/otree.h"

enum { OTREE_DELTA = 3, OTREE_GAMMA = 2 };

void otree_init(struct otree *t, otree_cmp_fn *cmp)
{
    t->root = NULL;
    t->cmp = cmp;
}

static uint64_t otree_weight(const struct otree_node *n)
{
    return n ? (uint64_t)n->count + 1 : 1;
}

static void otree_recount(struct otree_node *n)
{
    n->count = 1 + (n->left ? n->left->count : 0) + (n->right ? n->right->count : 0);
}

/* Puts `with` (may be NULL) where `n` hangs below `parent`. */
static void otree_replace_child(struct otree *t, struct otree_node *parent, struct otree_node *n,
                                struct otree_node *with)
{
    if (!parent)
        t->root = with;
    else if (parent->left == n)
        parent->left = with;
    else
        parent->right = with;
    if (with)
        with->parent = parent;
}

/* The right child rises above n. */
static struct otree_node *otree_rotate_left(struct otree *t, struct otree_node *n)
{
    struct otree_node *up = n->right;
    n->right = up->left;
    if (n->right)
        n->right->parent = n;
    otree_replace_child(t, n->parent, n, up);
    up->left = n;
    n->parent = up;
    otree_recount(n);
    otree_recount(up);
    return up;
}

static struct otree_node *otree_rotate_right(struct otree *t, struct otree_node *n)
{
    struct otree_node *up = n->left;
    n->left = up->right;
    if (n->left)
        n->left->parent = n;
    otree_replace_child(t, n->parent, n, up);
    up->right = n;
    n->parent = up;
    otree_recount(n);
    otree_recount(up);
    return up;
}

/* One element came (change 1) or went (-1) below n, on its left or right. The weight of the other side follows from the count, so
 * that only nodes on the path are touched: they are what costs time when a tree does not fit the cache. */
static void otree_repair(struct otree *t, struct otree_node *n, bool on_left, int change)
{
    while (n) {
        n->count = change > 0 ? n->count + 1 : n->count - 1;
        uint64_t near = otree_weight(on_left ? n->left : n->right), far = (uint64_t)n->count + 1 - near;
        uint64_t left = on_left ? near : far, right = on_left ? far : near;
        if (right > OTREE_DELTA * left) {
            if (otree_weight(n->right->left) >= OTREE_GAMMA * otree_weight(n->right->right))
                otree_rotate_right(t, n->right);
            n = otree_rotate_left(t, n);
        } else if (left > OTREE_DELTA * right) {
            if (otree_weight(n->left->right) >= OTREE_GAMMA * otree_weight(n->left->left))
                otree_rotate_left(t, n->left);
            n = otree_rotate_right(t, n);
        }
        on_left = n->parent && n->parent->left == n;
        n = n->parent;
    }
}

bool otree_insert(struct otree *t, struct otree_node *n)
{
    struct otree_node *parent = NULL, **at = &t->root;
    while (*at) {
        parent = *at;
        int order = t->cmp(n, parent);
        if (order == 0)
            return false;
        at = order < 0 ? &parent->left : &parent->right;
    }
    *at = n;
    *n = (struct otree_node){.parent = parent, .count = 1};
    otree_repair(t, parent, parent && parent->left == n, 1);
    return true;
}

void otree_remove(struct otree *t, struct otree_node *n)
{
    struct otree_node *from = n->parent; /* lowest node whose subtree lost one, and on which side */
    bool on_left = from && from->left == n;
    if (n->left && n->right) {
        struct otree_node *next = n->right;
        while (next->left)
            next = next->left;
        on_left = next->parent != n;
        from = on_left ? next->parent : next;
        otree_replace_child(t, next->parent, next, next->right);
        next->left = n->left;
        next->left->parent = next;
        next->right = n->right;
        if (next->right)
            next->right->parent = next;
        next->count = n->count;
        otree_replace_child(t, n->parent, n, next);
    } else {
        otree_replace_child(t, from, n, n->left ? n->left : n->right);
    }
    *n = (struct otree_node){0};
    otree_repair(t, from, on_left, -1);
}

struct otree_node *otree_find(const struct otree *t, const struct otree_node *probe)
{
    struct otree_node *n = t->root;
    while (n) {
        int order = t->cmp(probe, n);
        if (order == 0)
            return n;
        n = order < 0 ? n->left : n->right;
    }
    return NULL;
}

struct otree_node *otree_first(const struct otree *t)
{
    struct otree_node *n = t->root;
    while (n && n->left)
        n = n->left;
    return n;
}

struct otree_node *otree_next(const struct otree_node *n)
{
    if (n->right) {
        struct otree_node *next = n->right;
        while (next->left)
            next = next->left;
        return next;
    }
    while (n->parent && n->parent->right == n)
        n = n->parent;
    return n->parent;
}

struct otree_node *otree_at(const struct otree *t, uint32_t i)
{
    struct otree_node *n = t->root;
    while (n) {
        uint32_t before = n->left ? n->left->count : 0;
        if (i == before)
            return n;
        if (i < before) {
            n = n->left;
        } else {
            i -= before + 1;
            n = n->right;
        }
    }
    return NULL;
}

uint32_t otree_rank(const struct otree_node *n)
{
    uint32_t rank = n->left ? n->left->count : 0;
    for (; n->parent; n = n->parent)
        if (n->parent->right == n)
            rank += 1 + (n->parent->left ? n->parent->left->count : 0);
    return rank;
}

/* Recursion is bounded by the height, which the balance checked on the way down keeps logarithmic. */
static bool otree_check_node(const struct otree *t, const struct otree_node *n)
{
    if (!n)
        return true;
    uint64_t left = otree_weight(n->left), right = otree_weight(n->right);
    if (left > OTREE_DELTA * right || right > OTREE_DELTA * left)
        return false;
    if (left + right != (uint64_t)n->count + 1)
        return false;
    if ((n->left && n->left->parent != n) || (n->right && n->right->parent != n))
        return false;
    return otree_check_node(t, n->left) && otree_check_node(t, n->right);
}

bool otree_check(const struct otree *t)
{
    if (!t->root)
        return true;
    if (t->root->parent || !otree_check_node(t, t->root))
        return false;
    const struct otree_node *prev = otree_first(t);
    for (const struct otree_node *n = otree_next(prev); n; prev = n, n = otree_next(n))
        if (t->cmp(prev, n) >= 0)
            return false;
    return true;
}
