/*
 * A dynamic pointer as it lies on a program's stack: Linux's 16 bytes.
 *
 *	 0        8             12       16
 *	| memory | size, marks | offset |
 *	           bits 0-23: size · 28-30: kind · 31: read-only
 *
 * `memory` is NULL in one that stands for nothing, and the packet for those
 * over a packet. Programs do not look inside; only functions here do.
 */
#ifndef SKEP_HELPER_DYNPTR_H
#define SKEP_HELPER_DYNPTR_H

#include "helper/helpers.h"

#define DYNPTR_MOST   0xffffffu
#define DYNPTR_RDONLY (1u << 31)

enum dynptr_kind { DYNPTR_NONE, DYNPTR_LOCAL, DYNPTR_RINGBUF, DYNPTR_SKB, DYNPTR_XDP };

struct dynptr {
	void *memory;
	uint32_t size_marks;
	uint32_t off;
};
_Static_assert(sizeof(struct dynptr) == 16, "as Linux's struct bpf_dynptr");

static inline uint32_t dynptr_size(const struct dynptr *ptr)
{
	return ptr->size_marks & DYNPTR_MOST;
}

static inline enum dynptr_kind dynptr_kind(const struct dynptr *ptr)
{
	return (enum dynptr_kind)(ptr->size_marks >> 28 & 7);
}

static inline bool dynptr_is_rdonly(const struct dynptr *ptr)
{
	return (ptr->size_marks & DYNPTR_RDONLY) != 0;
}

static inline void dynptr_init(struct dynptr *ptr, void *memory, enum dynptr_kind kind,
			       uint32_t size)
{
	*ptr = (struct dynptr){memory, size | (uint32_t)kind << 28, 0};
}

static inline void dynptr_set_size(struct dynptr *ptr, uint32_t size)
{
	ptr->size_marks = (ptr->size_marks & ~DYNPTR_MOST) | size;
}

/** Is [off, off + len) within it? 0 | -E2BIG */
static inline int dynptr_check(const struct dynptr *ptr, uint32_t off, uint32_t len)
{
	uint32_t size = dynptr_size(ptr);

	return len > size || off > size - len ? -E2BIG : 0;
}

/** Copy out of or into what it points to. 0 | -EINVAL | -E2BIG */
int dynptr_copy_out(const struct dynptr *ptr, uint32_t off, void *to, uint32_t len);
int dynptr_copy_in(const struct dynptr *ptr, uint32_t off, const void *from, uint32_t len,
		   uint64_t flags);

/** Where [off, off + len) lies in one piece; NULL: nowhere. */
void *dynptr_at(const struct dynptr *ptr, uint32_t off, uint32_t len);

#endif
