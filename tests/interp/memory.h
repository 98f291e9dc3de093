/* Memory of a process that is not there: a stretch of bytes, and objects of CPython in it. */
#ifndef TESTS_INTERP_MEMORY_H
#define TESTS_INTERP_MEMORY_H

#include <errno.h>
#include <string.h>

#include "interp/memory.h"

#define FAKE_START 0x10000u
#define FAKE_BYTES 65536u

struct fake {
	uint8_t bytes[FAKE_BYTES];
	uint32_t used;
	uint64_t n_read; /* bytes that were asked for, in all */
};

static inline int fake_read(void *ctx, uint64_t addr, void *ret, size_t n)
{
	struct fake *fake = ctx;

	fake->n_read += n;
	if (addr < FAKE_START || addr - FAKE_START > FAKE_BYTES ||
	    n > FAKE_BYTES - (addr - FAKE_START))
		return -EFAULT;
	memcpy(ret, fake->bytes + (addr - FAKE_START), n);
	return 0;
}

static inline struct skep_interp_memory fake_memory(struct fake *fake)
{
	return (struct skep_interp_memory){fake_read, fake};
}

static inline uint64_t fake_put(struct fake *fake, const void *data, size_t n)
{
	uint64_t addr = FAKE_START + fake->used;

	memcpy(fake->bytes + fake->used, data, n);
	fake->used += ((uint32_t)n + 15) & ~15u;
	return addr;
}

/* @width bytes a character; of ASCII 0. */
static inline uint64_t fake_string(struct fake *fake, uint32_t ascii, uint32_t compact,
				   const void *data, uint64_t length, uint32_t width)
{
	uint8_t head[512] = {0};
	uint32_t at = width ? compact : ascii;

	memcpy(head + 16, &length, 8);
	head[32] = (uint8_t)((width ? width : 1) << 2 | 32 | (width ? 0 : 64));
	memcpy(head + at, data, length * (width ? width : 1));
	return fake_put(fake, head, sizeof(head));
}

static inline uint64_t fake_bytes(struct fake *fake, const void *data, uint64_t size)
{
	uint8_t head[512] = {0};

	memcpy(head + 16, &size, 8);
	memcpy(head + 32, data, size);
	return fake_put(fake, head, sizeof(head));
}

#endif
