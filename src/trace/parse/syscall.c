/*
 * System calls by number and by name; the rows are made from the C library's header when building,
 * then those that it may not have yet. A name that is in both has the same number.
 */
#include <string.h>
#include <sys/syscall.h>

#include "trace/parse.h"

static const struct {
	const char *name;
	uint32_t number;
} syscalls[] = {
#define SYSCALL(name) {#name, __NR_##name},
#include "trace/parse/syscalls.def"
#undef SYSCALL
#define NEWER(name, number) {#name, number},
#include "trace/parse/syscalls_newer.def"
#undef NEWER
};

#define N_SYSCALLS (sizeof(syscalls) / sizeof(syscalls[0]))

const char *skep_syscall_name(uint32_t number)
{
	for (size_t i = 0; i < N_SYSCALLS; i++) {
		if (syscalls[i].number == number)
			return syscalls[i].name;
	}
	return NULL;
}

uint32_t skep_syscall_end(void)
{
	uint32_t end = 0;

	for (size_t i = 0; i < N_SYSCALLS; i++)
		end = syscalls[i].number >= end ? syscalls[i].number + 1 : end;
	return end;
}

bool skep_syscall_find(const char *name, int64_t *ret)
{
	for (size_t i = 0; i < N_SYSCALLS; i++) {
		if (strcmp(syscalls[i].name, name))
			continue;
		*ret = syscalls[i].number;
		return true;
	}
	return false;
}
