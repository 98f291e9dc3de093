/*
 * The caller's memory. The caller is this process, so a plain copy does; but the kernel answers a
 * bad address with EFAULT, and so does this: before memory is used, a system call that changes
 * nothing touches each of its pages, and it is the kernel that says EFAULT. The part of the
 * thread's own stack that is in use needs no such question; keys and values mostly lie there.
 *
 * Memory that another thread unmaps meanwhile is not caught.
 */
#include "machine/machine.h"

#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define PAGE 4096

#ifdef __linux__
#define WORD 8

/* rt_sigprocmask() copies the new set before it finds that "how" is none; NULL would be no set. */
static bool page_is_readable(uintptr_t at)
{
	if (at < PAGE)
		return false;
	return syscall(SYS_rt_sigprocmask, -1, at & ~(uintptr_t)(WORD - 1), NULL, WORD) == 0 ||
	       errno != EFAULT;
}

/* FUTEX_WAKE_OP does "|= 0" at the address; that nobody is woken, a word of our own sees to. */
static bool page_is_writable(uintptr_t at)
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
static bool is_own_stack(uintptr_t at, size_t n)
{
	static _Thread_local uintptr_t end;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (!end)
		end = find_stack_end();
	return here < end && at > here && at < end && n <= end - at;
}
#else
static bool page_is_readable(uintptr_t at)
{
	return at >= PAGE;
}

static bool page_is_writable(uintptr_t at)
{
	return at >= PAGE;
}

static bool is_own_stack(uintptr_t at, size_t n)
{
	return false;
}
#endif

size_t machine_user_span(uint64_t at, size_t n, bool write)
{
	size_t span = 0;

	if (is_own_stack(at, n))
		return n;
	while (span < n && at + span >= at) {
		bool there = write ? page_is_writable(at + span) : page_is_readable(at + span);
		if (!there)
			break;
		span += PAGE - (at + span) % PAGE;
	}
	return span < n ? span : n;
}

int machine_user_read(void *ret, uint64_t from, size_t n)
{
	if (machine_user_span(from, n, false) < n)
		return -EFAULT;
	if (n)
		memcpy(ret, (const void *)(uintptr_t)from, n);
	return 0;
}

int machine_user_write(uint64_t to, const void *data, size_t n)
{
	if (machine_user_span(to, n, true) < n)
		return -EFAULT;
	if (n)
		memcpy((void *)(uintptr_t)to, data, n);
	return 0;
}

int machine_user_dup(uint64_t from, size_t n, void **ret)
{
	_cleanup_free_ void *copy = malloc(n ? n : 1);
	int err;

	if (!copy)
		return -ENOMEM;
	err = machine_user_read(copy, from, n);
	if (err)
		return err;
	*ret = TAKE_PTR(copy);
	return 0;
}

/* Page by page: what is behind the string's end may not be there. */
int machine_user_string(uint64_t from, char *ret, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		size_t n = PAGE - (from + len) % PAGE;
		const char *end;
		int err;

		if (n > size - 1 - len)
			n = size - 1 - len;
		err = machine_user_read(ret + len, from + len, n);
		if (err)
			return err;
		end = memchr(ret + len, 0, n);
		if (end)
			return (int)(end - ret);
		len += n;
	}
	ret[len] = 0;
	return (int)len;
}

int machine_user_check_tail(uint64_t from, uint32_t known, uint64_t given)
{
	uint8_t tail[PAGE];
	int err;

	if (given > PAGE)
		return -E2BIG;
	if (given <= known)
		return 0;
	err = machine_user_read(tail, from + known, given - known);
	if (err)
		return err;
	for (size_t i = 0; i < given - known; i++)
		if (tail[i])
			return -E2BIG;
	return 0;
}
