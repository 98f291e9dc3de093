/* What the machine asks of Windows: a copy that fails where a load would raise an exception. */
#include <windows.h>

#include "machine/machine.h"

int machine_os_read(void *ret, uint64_t from, size_t n)
{
	SIZE_T done = 0;

	ReadProcessMemory(GetCurrentProcess(), (const void *)(uintptr_t)from, ret, n, &done);
	return done == n ? 0 : -EFAULT;
}

int machine_os_write(uint64_t to, const void *data, size_t n)
{
	SIZE_T done = 0;

	WriteProcessMemory(GetCurrentProcess(), (void *)(uintptr_t)to, data, n, &done);
	return done == n ? 0 : -EFAULT;
}

uint32_t machine_os_uid(void)
{
	return 0;
}

/* Numbers of devices are Linux's: any may be meant. */
bool machine_os_has_device(uint32_t ifindex)
{
	return true;
}
