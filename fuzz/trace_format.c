/* The reader of tracepoint format files, fed any bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "trace/provider/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_format format = {0};
	struct skep_arena arena;
	uint32_t line;

	skep_arena_init(&arena);
	if (!skep_format_parse(&arena, (const char *)data, size, &format, &line)) {
		for (uint32_t i = 0; i < format.n_fields; i++) {
			const struct skep_format_field *field = &format.fields[i];
			if (!field->name[0] || !field->type[0] ||
			    !strstr(field->decl, field->name) || field->off + field->size > 65536)
				abort();
		}
	}
	skep_arena_done(&arena);
	return 0;
}
