/* What a page may be used for, in the words of Linux. */
#ifndef TESTS_JIT_RIGHTS_H
#define TESTS_JIT_RIGHTS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>

static inline void rights_at(uintptr_t at, char rights[8])
{
	MEMORY_BASIC_INFORMATION area;

	strcpy(rights, "none");
	if (!VirtualQuery((void *)at, &area, sizeof(area)) || area.State == MEM_FREE)
		return;
	if (area.State == MEM_RESERVE || area.Protect == PAGE_NOACCESS)
		strcpy(rights, "---p");
	else if (area.Protect == PAGE_EXECUTE_READ)
		strcpy(rights, "r-xp");
	else
		strcpy(rights, "rw-p");
}

#else

/* The rights of the mapping that holds @at, as /proc/self/maps has them. */
static inline void rights_at(uintptr_t at, char rights[5])
{
	char line[512];
	FILE *file = fopen("/proc/self/maps", "r");
	assert_non_null(file);
	strcpy(rights, "none");
	while (fgets(line, sizeof(line), file)) {
		unsigned long long start, end;
		char found[8];
		if (sscanf(line, "%llx-%llx %4s", &start, &end, found) == 3 && at >= start &&
		    at < end)
			memcpy(rights, found, 5);
	}
	fclose(file);
}

#endif
#endif
