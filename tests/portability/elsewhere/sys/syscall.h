/* There is no Linux to be asked: tests that compare with its kernel find that they cannot. */
#ifndef TESTS_PORTABILITY_ELSEWHERE_SYSCALL_H
#define TESTS_PORTABILITY_ELSEWHERE_SYSCALL_H

#include <errno.h>

#define __NR_bpf 321

static inline long syscall(long number, ...)
{
	errno = ENOSYS;
	return -1;
}

#endif
