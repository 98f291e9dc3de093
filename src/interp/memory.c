/* See memory.h. */
#include "interp/memory.h"

#include <errno.h>
#include <sys/uio.h>

static int read_process(void *ctx, uint64_t addr, void *ret, size_t n)
{
	const pid_t *pid = ctx;
	const struct iovec to = {.iov_base = ret, .iov_len = n};
	const struct iovec from = {.iov_base = (void *)(uintptr_t)addr, .iov_len = n};
	ssize_t got = process_vm_readv(*pid, &to, 1, &from, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == n ? 0 : -EFAULT;
}

struct skep_interp_memory skep_interp_memory_of(const pid_t *pid)
{
	return (struct skep_interp_memory){.read = read_process, .ctx = (void *)(uintptr_t)pid};
}
