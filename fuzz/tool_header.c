/* Any bytes as a tool's header: what was promised of its texts and of spans is checked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "tool/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No text acts on a terminal. */
static void check_text(const char *text)
{
	for (; text && *text; text++) {
		if ((unsigned char)*text < 0x20 && *text != '\t')
			abort();
	}
}

static void check(const struct skep_tool_header *header)
{
	check_text(header->name);
	check_text(header->summary);
	if (!header->name[0] || !header->summary[0])
		abort();
	for (uint32_t i = 0; i < header->n_options; i++) {
		check_text(header->options[i].arg);
		check_text(header->options[i].help);
	}
	for (uint32_t i = 0; i < header->n_arguments; i++) {
		check_text(header->arguments[i].fallback);
		if (header->arguments[i].takes_rest && i + 1 < header->n_arguments)
			abort();
	}
	for (uint32_t i = 0; i < header->n_aliases; i++)
		check_text(header->aliases[i].words);
	for (uint32_t i = 0; i < header->n_examples; i++)
		check_text(header->examples[i].command);
	for (int i = 0; i < SKEP_TOOL_PARAGRAPH_CNT; i++)
		check_text(header->paragraphs[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct skep_source source = {"fuzz", (const char *)data, size};
	struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf out = {0};
	struct skep_tool_header header;
	struct skep_arena arena;

	skep_arena_init(&arena);
	if (!skep_tool_header_read(&arena, &source, &header, &diag))
		check(&header);
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
