/*
 * What the machine asks of Linux beside descriptors. Is a page there? A system call that changes
 * nothing touches it, and it is the kernel that says EFAULT.
 */
#include "machine/machine.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define WORD 8

/* rt_sigprocmask() copies the new set before it finds that "how" is none; NULL would be no set. */
bool machine_os_page_is_readable(uintptr_t at)
{
	if (at < PAGE)
		return false;
	return syscall(SYS_rt_sigprocmask, -1, at & ~(uintptr_t)(WORD - 1), NULL, WORD) == 0 ||
	       errno != EFAULT;
}

/* FUTEX_WAKE_OP does "|= 0" at the address; that nobody is woken, a word of our own sees to. */
bool machine_os_page_is_writable(uintptr_t at)
{
	static uint32_t nobody;

	return syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
		       at & ~(uintptr_t)3, FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)) >= 0 ||
	       errno != EFAULT;
}

/* Where this thread's stack ends; 0: not known. */
static uintptr_t find_stack_end(void)
{
	pthread_attr_t attr;
	void *start = NULL;
	size_t size = 0;

	if (pthread_getattr_np(pthread_self(), &attr))
		return 0;
	pthread_attr_getstack(&attr, &start, &size);
	pthread_attr_destroy(&attr);
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	bool inside = here - (uintptr_t)start < size; /* or on a stack of somebody's making */
	return inside ? (uintptr_t)start + size : 0;
}

/* From this frame up; callers' callers may be on another stack, and then further down or up. */
bool machine_os_is_own_stack(uintptr_t at, size_t n)
{
	static _Thread_local uintptr_t end;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (!end)
		end = find_stack_end();
	return here < end && at > here && at < end && n <= end - at;
}

uint32_t machine_os_uid(void)
{
	return getuid();
}
