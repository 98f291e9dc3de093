/* Any bytes as /etc/ld.so.cache. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "elf/ldcache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = skep_elf_ldcache_find(data, size, "c");

	if (path && path[0] != '/')
		abort();
	return 0;
}
