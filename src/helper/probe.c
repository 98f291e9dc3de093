/*
 * The helpers that read memory by address. To a program in user space the
 * kernel's memory and the process's are one: its own process's.
 */
#include "helper/probe.h"

#include <string.h>

#include "helper/helpers.h"
#include "helper/os.h"

#define PAGE 4096u

/* A page at a time: a string may end just before memory that is not there. */
long probe_string(char *to, uint64_t from, size_t size)
{
	size_t done = 0;

	if (!size)
		return 0;
	while (done < size) {
		size_t part = PAGE - ((from + done) & (PAGE - 1));

		part = part < size - done ? part : size - done;
		if (skep_os_read(to + done, from + done, part))
			return -EFAULT;
		const char *nul = memchr(to + done, 0, part);
		if (nul)
			return nul - to + 1;
		done += part;
	}
	to[size - 1] = 0;
	return (long)size;
}

/* What could not be read reads as zeros. */
static uint64_t read_memory(void *to, uint32_t size, uint64_t from)
{
	int err = skep_os_read(to, from, size);

	if (err)
		memset(to, 0, size);
	return as_r0(err);
}

static uint64_t read_string(char *to, uint32_t size, uint64_t from)
{
	long len = probe_string(to, from, size);

	if (len < 0)
		memset(to, 0, size);
	return (uint64_t)len;
}

DEFINE_HELPER(probe_read)
{
	return read_memory(ptr_of(r1), (uint32_t)r2, r3);
}

DEFINE_HELPER(probe_read_user)
{
	return read_memory(ptr_of(r1), (uint32_t)r2, r3);
}

DEFINE_HELPER(probe_read_kernel)
{
	return read_memory(ptr_of(r1), (uint32_t)r2, r3);
}

DEFINE_HELPER(copy_from_user)
{
	return read_memory(ptr_of(r1), (uint32_t)r2, r3);
}

DEFINE_HELPER(copy_from_user_task)
{
	if (r5)
		return as_r0(-EINVAL);
	return (uint32_t)r2 ? read_memory(ptr_of(r1), (uint32_t)r2, r3) : 0;
}

DEFINE_HELPER(probe_read_str)
{
	return read_string(ptr_of(r1), (uint32_t)r2, r3);
}

DEFINE_HELPER(probe_read_user_str)
{
	return read_string(ptr_of(r1), (uint32_t)r2, r3);
}

DEFINE_HELPER(probe_read_kernel_str)
{
	return read_string(ptr_of(r1), (uint32_t)r2, r3);
}

DEFINE_HELPER(probe_write_user)
{
	return skep_os_write(r1, ptr_of(r2), (uint32_t)r3) ? as_r0(-EPERM) : 0;
}
