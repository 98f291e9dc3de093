/* Any text as a perf-PID.map, given in two pieces as a growing file is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/perfmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct skep_perfmap map = {0};
	size_t used = skep_perfmap_parse(&map, text, size / 2);
	uint64_t start;

	if (used > size / 2)
		abort();
	skep_perfmap_find(&map, 0x1000, &start);
	skep_perfmap_parse(&map, text + used, size - used);
	for (size_t i = 0; i < map.entries.len; i++) {
		uint64_t addr = map.entries.data[i].start;
		const char *name = skep_perfmap_find(&map, addr, &start);

		if (name && (start > addr || strlen(name) > SKEP_PERFMAP_NAME_MAX))
			abort();
	}
	skep_perfmap_done(&map);
	return 0;
}
