/* Reference-counted memory with a destructor, for things with several holders (calls, legs, connections).
 *
 * The count is not atomic: an object belongs to one thread. mem_unref of the last reference runs the destructor, then
 * frees. Allocation may fail: NULL, and the caller refuses the request. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

typedef void mem_destroy_fn(void *obj);

/* Zeroed memory with one reference; NULL when out of memory. */
void *mem_new(size_t bytes, mem_destroy_fn *destroy);
/* Returns obj with one more reference; NULL stays NULL. */
void *mem_ref(void *obj);
/* Drops a reference; always returns NULL, so that `p = mem_unref(p)` clears the pointer. NULL is fine. */
void *mem_unref(void *obj);

/* strdup that takes NULL (and gives NULL). */
char *mem_strdup(const char *s);
/* Replaces *dst (freed) with a copy of s. 0 or ERR_NOMEM, *dst then untouched. */
int mem_strset(char **dst, const char *s);

#endif
