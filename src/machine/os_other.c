/* What the machine asks of the system, where it is neither Linux nor Windows. */
#include "machine/machine.h"

int machine_os_read(void *ret, uint64_t from, size_t n)
{
	return -ENOSYS;
}

int machine_os_write(uint64_t to, const void *data, size_t n)
{
	return -ENOSYS;
}

uint32_t machine_os_uid(void)
{
	return 0;
}

bool machine_os_has_device(uint32_t ifindex)
{
	return true;
}
