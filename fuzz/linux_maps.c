/* Any text as /proc/PID/maps: what is taken must ascend and be found again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "linux/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_maps maps;
	size_t sum = 0;

	skep_maps_parse((const char *)data, size, &maps);
	for (size_t i = 0; i < maps.n; i++) {
		sum += strlen(maps.paths + maps.data[i].path);
		if (skep_maps_find(&maps, maps.data[i].start) != &maps.data[i] ||
		    skep_maps_find(&maps, maps.data[i].end - 1) != &maps.data[i])
			abort();
	}
	if (sum > size * (maps.n + 1))
		abort();
	skep_maps_done(&maps);
	return 0;
}
