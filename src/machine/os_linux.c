/* What the machine asks of Linux beside descriptors. */
#include "machine/machine.h"

#include <net/if.h>
#include <sys/uio.h>
#include <unistd.h>

static int result_of(ssize_t done, size_t n)
{
	if (done == (ssize_t)n)
		return 0;
	return done < 0 && (errno == ENOSYS || errno == EPERM) ? -ENOSYS : -EFAULT;
}

int machine_os_read(void *ret, uint64_t from, size_t n)
{
	struct iovec here = {ret, n}, there = {(void *)(uintptr_t)from, n};

	return result_of(process_vm_readv(getpid(), &here, 1, &there, 1, 0), n);
}

int machine_os_write(uint64_t to, const void *data, size_t n)
{
	struct iovec here = {(void *)(uintptr_t)data, n}, there = {(void *)(uintptr_t)to, n};

	return result_of(process_vm_writev(getpid(), &here, 1, &there, 1, 0), n);
}

uint32_t machine_os_uid(void)
{
	return getuid();
}

bool machine_os_has_device(uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	return if_indextoname(ifindex, name);
}
