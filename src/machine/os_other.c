/* What the machine asks of the system, where it is neither Linux nor Windows. */
#include "machine/machine.h"

#define PAGE 4096

bool machine_os_page_is_readable(uintptr_t at)
{
	return at >= PAGE;
}

bool machine_os_page_is_writable(uintptr_t at)
{
	return at >= PAGE;
}

bool machine_os_is_own_stack(uintptr_t at, size_t n)
{
	return false;
}

uint32_t machine_os_uid(void)
{
	return 0;
}
