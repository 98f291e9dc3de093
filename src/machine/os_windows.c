/* What the machine asks of Windows. Is a page there? VirtualQuery() tells. */
#define _WIN32_WINNT 0x0602 /* Windows 8: where a thread's stack ends */
#include <windows.h>

#include "machine/machine.h"

#define WRITABLE (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)

/* The rights of the page at @at, PAGE_…; 0: it is not there. */
static DWORD rights_at(uintptr_t at)
{
	MEMORY_BASIC_INFORMATION area;

	if (!VirtualQuery((const void *)at, &area, sizeof(area)) || area.State != MEM_COMMIT)
		return 0;
	return area.Protect & (PAGE_NOACCESS | PAGE_GUARD) ? 0 : area.Protect;
}

bool machine_os_page_is_readable(uintptr_t at)
{
	return rights_at(at);
}

bool machine_os_page_is_writable(uintptr_t at)
{
	return rights_at(at) & WRITABLE;
}

/* From this frame up to where the stack began. */
bool machine_os_is_own_stack(uintptr_t at, size_t n)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	ULONG_PTR start = 0, end = 0;

	GetCurrentThreadStackLimits(&start, &end);
	return at > here && at < end && n <= end - at;
}

uint32_t machine_os_uid(void)
{
	return 0;
}
