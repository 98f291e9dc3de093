/*
 * The caller's memory. The caller is this process, so a plain copy does; but the kernel answers a
 * bad address with EFAULT, and so does this: before memory is used, the system is asked about each
 * of its pages (os_*.c). The part of the thread's own stack that is in use needs no such question;
 * keys and values mostly lie there.
 *
 * Memory that another thread unmaps meanwhile is not caught.
 */
#include "machine/machine.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096

size_t machine_user_span(uint64_t at, size_t n, bool write)
{
	size_t span = 0;

	if (machine_os_is_own_stack(at, n))
		return n;
	while (span < n && at + span >= at) {
		bool there = write ? machine_os_page_is_writable(at + span)
				   : machine_os_page_is_readable(at + span);
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

/* Page by page: what is behind the string's end may not be there, and is not looked at. */
int machine_user_string(uint64_t from, char *ret, size_t size)
{
	size_t len = 0, n, part;

	do {
		const char *at = (const char *)(uintptr_t)(from + len);

		n = PAGE - (from + len) % PAGE;
		if (n > size - 1 - len)
			n = size - 1 - len;
		if (machine_user_span(from + len, n, false) < n)
			return -EFAULT;
		part = strnlen(at, n);
		memcpy(ret + len, at, part);
		len += part;
	} while (part == n && len < size - 1);
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
