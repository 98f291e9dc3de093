/*
 * Any bytes as a script. Found trees are printed, so that they are walked; what was
 * promised about their depth and about spans is checked.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const values[] = {"one", "a:b"};
	static const struct skep_params params = {values, 2};
	const struct skep_source source = {"fuzz", (const char *)data, size};
	struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf out = {0};
	struct skep_script *script = NULL;
	struct skep_arena arena;

	skep_arena_init(&arena);
	if (!skep_parse(&arena, &source, &params, &script, &diag))
		skep_script_print(script, &out);
	else if (!diag.n_errors)
		abort(); /* refused without a word */
	for (size_t i = 0; i < diag.n_items; i++) {
		if (diag.items[i].span.off > size ||
		    diag.items[i].span.len > size - diag.items[i].span.off)
			abort();
	}
	skep_diag_render(&diag, false, &out);
	skep_diag_done(&diag);
	skep_arena_done(&arena);
	return 0;
}
