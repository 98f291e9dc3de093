/*
 * A growing array of any type, on the heap.
 *
 *	SKEP_VEC(int) fds = {0};
 *	skep_vec_push(&fds, 3);
 *	skep_vec_foreach(int, fd, &fds) close(*fd);
 *	skep_vec_done(&fds);
 *
 * The vector owns its array, not what the elements point to. A pointer to an
 * element is good until the next push.
 */
#ifndef SKEP_BASE_VEC_H
#define SKEP_BASE_VEC_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define SKEP_VEC(type)                                                                             \
	struct {                                                                                   \
		type *data;                                                                        \
		size_t len, cap;                                                                   \
	}

/** Make room for one more; returns the (zeroed) new last element's address. */
#define skep_vec_add(v)                                                                            \
	((v)->data = skep_vec_grow_((v)->data, (v)->len, &(v)->cap, sizeof(*(v)->data)),           \
	 memset(&(v)->data[(v)->len], 0, sizeof(*(v)->data)), &(v)->data[(v)->len++])
#define skep_vec_push(v, x)                                                                        \
	((v)->data = skep_vec_grow_((v)->data, (v)->len, &(v)->cap, sizeof(*(v)->data)),           \
	 (v)->data[(v)->len++] = (x))
#define skep_vec_pop(v)  ((v)->data[--(v)->len])
#define skep_vec_last(v) (&(v)->data[(v)->len - 1])
#define skep_vec_foreach(type, it, v)                                                              \
	for (type *it = (v)->data; it && it < (v)->data + (v)->len; it++)
#define skep_vec_done(v)                                                                           \
	do {                                                                                       \
		free((v)->data);                                                                   \
		(v)->data = NULL;                                                                  \
		(v)->len = (v)->cap = 0;                                                           \
	} while (0)

static inline void *skep_vec_grow_(void *data, size_t len, size_t *cap, size_t size)
{
	if (len < *cap)
		return data;
	*cap = *cap ? *cap * 2 : 8;
	return skep_xrealloc(data, *cap * size);
}

#endif
