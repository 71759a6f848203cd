/* For tests: every allocation of the program is counted, and after a budget is used up they all fail. A test runs its
 * subject with budgets 0, 1, 2 ... until it succeeds, and looks each time that it was refused cleanly and that as much was
 * freed as was taken. Under a sanitizer (which brings its own malloc and its own leak check) the budget is without
 * effect: alloc_budget_works() tells. Include it in one file of a program. */
#ifndef TESTS_ALLOC_BUDGET_H
#define TESTS_ALLOC_BUDGET_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOC_BUDGET_OFF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define ALLOC_BUDGET_OFF 1
#endif
#endif

static long alloc_budget_left = -1; /* -1: no limit */
static long alloc_budget_live __attribute__((unused));
static bool alloc_budget_refused;

static inline bool alloc_budget_works(void)
{
#ifdef ALLOC_BUDGET_OFF
    return false;
#else
    return true;
#endif
}

/* From now on the first `n` allocations succeed. */
static inline void alloc_budget_set(long n)
{
    alloc_budget_left = n;
    alloc_budget_refused = false;
}

/* No limit any more; returns whether an allocation was refused meanwhile. */
static inline bool alloc_budget_clear(void)
{
    alloc_budget_left = -1;
    return alloc_budget_refused;
}

#ifndef ALLOC_BUDGET_OFF
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

static bool alloc_budget_take(void)
{
    if (alloc_budget_left == 0) {
        alloc_budget_refused = true;
        errno = ENOMEM;
        return false;
    }
    if (alloc_budget_left > 0)
        alloc_budget_left--;
    return true;
}

void *malloc(size_t size)
{
    void *p = alloc_budget_take() ? __libc_malloc(size) : NULL;
    alloc_budget_live += p != NULL;
    return p;
}

void *calloc(size_t n, size_t size)
{
    void *p = alloc_budget_take() ? __libc_calloc(n, size) : NULL;
    alloc_budget_live += p != NULL;
    return p;
}

void *realloc(void *old, size_t size)
{
    void *p = alloc_budget_take() ? __libc_realloc(old, size) : NULL;
    alloc_budget_live += p && !old;
    return p;
}

void free(void *p)
{
    alloc_budget_live -= p != NULL;
    __libc_free(p);
}
#endif

#endif
