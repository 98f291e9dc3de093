/* Any bytes as /proc/self/mounts, as a list of CPUs and as the lockdown state. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "linux/privilege.h"
#include "linux/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32], *text = malloc(size + 1);
	unsigned cpus[16];

	memcpy(text, data, size);
	text[size] = '\0';
	skep_cpulist_parse(text, cpus, 16);
	skep_mounts_find(text, "t", "/a b", path, sizeof(path));
	skep_lockdown_parse(text);
	free(text);
	return 0;
}
