/*
 * Memory for code: written first, executable afterwards, never both, and with a
 * page on either side that faults, so that running off an end is found out.
 *
 * Code wants to lie within 2 GiB of what it calls, for short calls. So places
 * are tried from a gibibyte behind this library on; if all are taken, anywhere
 * will do.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jit/jit.h"

#define NEAR_START ((uintptr_t)1 << 30)
#define NEAR_BYTES ((uintptr_t)3 << 28)
#define NEAR_TRIES 8

/* The next place to try, from NEAR_START on. */
static atomic_uintptr_t next_near;

static void *map_at(uintptr_t where, size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED_NOREPLACE : 0);
	void *at = mmap((void *)where, bytes, PROT_NONE, flags, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	/* Kernels before 4.17 take the address for a hint. */
	if (where && (uintptr_t)at != where) {
		munmap(at, bytes);
		return NULL;
	}
	return at;
}

static void *map_near(size_t bytes, size_t page)
{
	uintptr_t here = ((uintptr_t)skep_jit_memory_new & ~(page - 1)) + NEAR_START;
	for (int i = 0; i < NEAR_TRIES; i++) {
		uintptr_t off = atomic_fetch_add(&next_near, bytes) % NEAR_BYTES;
		void *at = off + bytes <= NEAR_BYTES ? map_at(here + off, bytes) : NULL;
		if (at)
			return at;
	}
	return NULL;
}

int skep_jit_memory_new(size_t bytes, struct skep_code *code)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t all = ((bytes + page - 1) & ~(page - 1)) + 2 * page;
	uint8_t *at = map_near(all, page);
	if (!at)
		at = map_at(0, all);
	if (!at)
		return -ENOMEM;
	code->memory = at;
	code->memory_bytes = all;
	code->code = at + page;
	return 0;
}

int skep_jit_memory_seal(struct skep_code *code, const uint8_t *from, size_t bytes)
{
	uint8_t *to = code->memory + (code->code - code->memory);
	if (mprotect(to, bytes, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	memcpy(to, from, bytes);
	if (mprotect(to, bytes, PROT_READ | PROT_EXEC) < 0)
		return -errno;
	__builtin___clear_cache((char *)to, (char *)to + bytes);
	code->code_bytes = bytes;
	return 0;
}

void skep_jit_memory_free(struct skep_code *code)
{
	if (code->memory)
		munmap(code->memory, code->memory_bytes);
}
