/* Any line as one of /proc/kallsyms. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "symbol/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size;
	struct skep_kallsyms_line parsed;

	if (skep_kallsyms_parse(line, end, &parsed) < 0)
		return 0;
	if (!parsed.name_len || parsed.name < line || parsed.name + parsed.name_len > end)
		abort();
	if (parsed.module_len && parsed.module + parsed.module_len >= end)
		abort();
	return 0;
}
