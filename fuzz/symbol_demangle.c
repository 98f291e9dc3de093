/* Any text behind "_Z" or "_R": ends, within the promised length. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/symbol.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name, *shown;

	if (!size)
		return 0;
	name = calloc(1, size + 3);
	name[0] = '_';
	name[1] = data[0] & 1 ? 'R' : 'Z';
	memcpy(name + 2, data + 1, size - 1);
	shown = skep_demangle(name);
	if (shown && strlen(shown) > 64 * 1024)
		abort();
	free(shown);
	free(name);
	return 0;
}
