/* Windows: memory for code; what memory.c has for systems with mmap(). */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <windows.h>

#include "jit/jit.h"

#define NEAR_START ((uintptr_t)1 << 30)
#define NEAR_BYTES ((uintptr_t)3 << 28)
#define NEAR_TRIES 8
#define UNIT_BYTES 65536 /* where reservations begin */

/* The next place to try, from NEAR_START on. */
static atomic_uintptr_t next_near;

static size_t up_to(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) & ~(unit - 1);
}

static size_t page_bytes(void)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	return info.dwPageSize;
}

static void *reserve_near(size_t bytes)
{
	uintptr_t here =
		((uintptr_t)skep_jit_memory_new & ~(uintptr_t)(UNIT_BYTES - 1)) + NEAR_START;

	bytes = up_to(bytes, UNIT_BYTES);
	for (int i = 0; i < NEAR_TRIES; i++) {
		uintptr_t off = atomic_fetch_add(&next_near, bytes) % NEAR_BYTES;
		void *at = VirtualAlloc((void *)(here + off), bytes, MEM_RESERVE, PAGE_NOACCESS);

		if (at)
			return at;
	}
	return NULL;
}

int skep_jit_memory_new(size_t bytes, struct skep_code *code)
{
	size_t page = page_bytes(), all = up_to(bytes, page) + 2 * page;
	uint8_t *at = reserve_near(all);

	if (!at)
		at = VirtualAlloc(NULL, all, MEM_RESERVE, PAGE_NOACCESS);
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
	DWORD before;

	if (!VirtualAlloc(to, bytes, MEM_COMMIT, PAGE_READWRITE))
		return -ENOMEM;
	memcpy(to, from, bytes);
	if (!VirtualProtect(to, bytes, PAGE_EXECUTE_READ, &before))
		return -EACCES;
	FlushInstructionCache(GetCurrentProcess(), to, bytes);
	code->code_bytes = bytes;
	return 0;
}

void skep_jit_memory_free(struct skep_code *code)
{
	if (code->memory)
		VirtualFree(code->memory, 0, MEM_RELEASE);
}
