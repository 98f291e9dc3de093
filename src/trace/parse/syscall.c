/*
 * System calls by number and by name; the rows are made from the C library's header when building,
 * then those that it may not have yet. A name that is in both has the same number.
 */
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "trace/parse.h"

/* The names, one behind the other: pointers to them would take as much room as most names. */
static const struct names {
#define SYSCALL(name)       char of_##name[sizeof(#name)];
#define NEWER(name, number) char newer_##name[sizeof(#name)];
#include "trace/parse/syscalls.def"
#include "trace/parse/syscalls_newer.def"
#undef SYSCALL
#undef NEWER
} names = {
#define SYSCALL(name)       #name,
#define NEWER(name, number) #name,
#include "trace/parse/syscalls.def"
#include "trace/parse/syscalls_newer.def"
#undef SYSCALL
#undef NEWER
};

static const struct {
	uint16_t number, name_off;
} syscalls[] = {
#define SYSCALL(name)       {__NR_##name, offsetof(struct names, of_##name)},
#define NEWER(name, number) {number, offsetof(struct names, newer_##name)},
#include "trace/parse/syscalls.def"
#include "trace/parse/syscalls_newer.def"
#undef SYSCALL
#undef NEWER
};

#define N_SYSCALLS (sizeof(syscalls) / sizeof(syscalls[0]))

static const char *name_of(size_t i)
{
	return (const char *)&names + syscalls[i].name_off;
}

const char *skep_syscall_name(uint32_t number)
{
	for (size_t i = 0; i < N_SYSCALLS; i++) {
		if (syscalls[i].number == number)
			return name_of(i);
	}
	return NULL;
}

uint32_t skep_syscall_end(void)
{
	uint32_t end = 0;

	for (size_t i = 0; i < N_SYSCALLS; i++)
		end = syscalls[i].number >= end ? syscalls[i].number + 1u : end;
	return end;
}

bool skep_syscall_find(const char *name, int64_t *ret)
{
	for (size_t i = 0; i < N_SYSCALLS; i++) {
		if (strcmp(name_of(i), name))
			continue;
		*ret = syscalls[i].number;
		return true;
	}
	return false;
}
