/*
 * Line info; see object.h. A line's text goes into the BTF once, however many
 * instructions came from it.
 */
#include <skep/object.h>

#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/vec.h"

/* The kernel packs both into 32 bits: line << 10 | column. */
enum { COL_BITS = 10, MAX_LINE = (1 << 22) - 1, MAX_COL = (1 << COL_BITS) - 1 };
enum { TEXT_LIMIT_BYTES = 200 };

void skep_line_index_init(struct skep_line_index *index, const struct skep_source *source,
			  struct skep_btf_writer *btf)
{
	uint32_t at = 1;

	*index = (struct skep_line_index){0};
	if (!source || !source->len || !btf || source->len >= UINT32_MAX)
		return;
	index->source = source;
	index->btf = btf;
	for (size_t i = 0; i < source->len; i++)
		index->n += source->text[i] == '\n';
	index->n++;
	index->starts = skep_xcalloc(index->n, sizeof(*index->starts));
	index->texts = skep_xcalloc(index->n, sizeof(*index->texts));
	for (size_t i = 0; i < source->len; i++) {
		if (source->text[i] == '\n')
			index->starts[at++] = (uint32_t)i + 1;
	}
	index->file = skep_btf_add_string(btf, source->name, strlen(source->name));
}

void skep_line_index_done(struct skep_line_index *index)
{
	free(index->starts);
	free(index->texts);
	*index = (struct skep_line_index){0};
}

/* The line (from 0) that holds byte @off. */
static uint32_t line_at(const struct skep_line_index *index, uint32_t off)
{
	uint32_t low = 0, high = index->n;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (index->starts[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* Without the blanks before it: dumps have an indentation of their own. */
static uint32_t text_of(struct skep_line_index *index, uint32_t line)
{
	const char *at = index->source->text + index->starts[line];
	const char *limit = index->source->text + index->source->len;

	if (index->texts[line])
		return index->texts[line];
	while (at < limit && (*at == ' ' || *at == '\t'))
		at++;
	const char *end = memchr(at, '\n', (size_t)(limit - at));
	size_t len = (size_t)((end ? end : limit) - at);
	index->texts[line] = skep_btf_add_string(index->btf, at,
						 len < TEXT_LIMIT_BYTES ? len : TEXT_LIMIT_BYTES);
	return index->texts[line];
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
	return value < max ? value : max;
}

static void add_record(struct skep_line_index *index, uint32_t insn, struct skep_span span,
		       struct skep_line_records *ret)
{
	uint32_t line = line_at(index, span.off);
	uint32_t col = span.off - index->starts[line] + 1;
	struct skep_line_record record = {
		.insn = insn,
		.file = index->file,
		.text = text_of(index, line),
		.line_col = at_most(line + 1, MAX_LINE) << COL_BITS | at_most(col, MAX_COL),
	};

	skep_vec_push(ret, record);
}

/* The second half of a 64-bit load is no instruction; a span outside the source has no line. */
static bool is_good(const struct skep_line_index *index, const struct skep_object_prog *prog,
		    const struct skep_object_line *line)
{
	return line->insn < prog->n_insns && prog->insns[line->insn].code && line->span.len &&
	       line->span.off < index->source->len;
}

void skep_line_index_records(struct skep_line_index *index, const struct skep_object_prog *prog,
			     struct skep_line_records *ret)
{
	const struct skep_object_line *last = NULL;
	size_t func = 0;

	for (size_t i = 0; index->source && i < prog->n_lines; i++) {
		const struct skep_object_line *line = &prog->lines[i];
		if (!is_good(index, prog, line) || (last && line->insn <= last->insn))
			continue;
		/* functions up to here that have no line of their own take this one */
		for (; func < prog->n_funcs && prog->funcs[func].insn <= line->insn; func++) {
			if (prog->funcs[func].insn < line->insn)
				add_record(index, prog->funcs[func].insn, line->span, ret);
		}
		add_record(index, line->insn, line->span, ret);
		last = line;
	}
	for (; last && func < prog->n_funcs; func++)
		add_record(index, prog->funcs[func].insn, last->span, ret);
}
