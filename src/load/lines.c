/*
 * Line info of programs; see lines.h. Texts go into the BTF once for each
 * source line, however many programs were made from it.
 */
#include "load/lines.h"

#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"

/* The kernel packs both into 32 bits: line << 10 | column. */
enum { COL_BITS = 10, LINE_MAX_NO = (1 << 22) - 1, COL_MAX_NO = (1 << COL_BITS) - 1 };
enum { TEXT_LIMIT_BYTES = 200 };

static uint32_t count_lines(const struct skep_source *source)
{
	uint32_t n = 1;

	for (size_t i = 0; i < source->len; i++)
		n += source->text[i] == '\n';
	return n;
}

static void index_lines(struct load_lines *lines)
{
	const struct skep_source *source = lines->source;
	uint32_t at = 1;

	lines->n = count_lines(source);
	lines->starts = skep_xcalloc(lines->n, sizeof(*lines->starts));
	lines->texts = skep_xcalloc(lines->n, sizeof(*lines->texts));
	for (size_t i = 0; i < source->len; i++) {
		if (source->text[i] == '\n')
			lines->starts[at++] = (uint32_t)i + 1;
	}
}

/* The line (from 0) that holds byte @off. */
static uint32_t line_at(const struct load_lines *lines, uint32_t off)
{
	uint32_t low = 0, high = lines->n;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (lines->starts[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* Without the blanks before it; the log has its own indentation. */
static uint32_t add_text(const struct load_lines *lines, struct skep_btf_writer *btf, uint32_t line)
{
	const char *at = lines->source->text + lines->starts[line];
	const char *limit = lines->source->text + lines->source->len;
	size_t len;

	while (at < limit && (*at == ' ' || *at == '\t'))
		at++;
	const char *end = memchr(at, '\n', (size_t)(limit - at));
	len = (size_t)((end ? end : limit) - at);
	len = strnlen(at, len < TEXT_LIMIT_BYTES ? len : TEXT_LIMIT_BYTES);
	return skep_btf_add_string(btf, at, len);
}

/* Spans are a compiler's word: one that points outside the source has no line. */
static bool has_place(const struct load_lines *lines, struct skep_span span)
{
	return span.len && span.off < lines->source->len;
}

static void add_texts(struct load_lines *lines, const struct skep_object *object,
		      const struct skep_object_prog *prog)
{
	for (size_t i = 0; i < prog->n_lines; i++) {
		if (!has_place(lines, prog->lines[i].span))
			continue;
		uint32_t line = line_at(lines, prog->lines[i].span.off);
		if (!lines->texts[line])
			lines->texts[line] = add_text(lines, object->btf, line);
	}
}

void load_lines_init(struct load_lines *lines, const struct skep_object *object)
{
	const struct skep_source *source = object->source;

	*lines = (struct load_lines){0};
	if (!source || !object->btf || source->len > UINT32_MAX - 1)
		return;
	lines->source = source;
	index_lines(lines);
	lines->file = skep_btf_add_string(object->btf, source->name, strlen(source->name));
	for (size_t i = 0; i < object->n_progs; i++)
		add_texts(lines, object, &object->progs[i]);
}

void load_lines_done(struct load_lines *lines)
{
	free(lines->starts);
	free(lines->texts);
	*lines = (struct load_lines){0};
}

static uint32_t clamp(uint32_t value, uint32_t max)
{
	return value < max ? value : max;
}

static struct bpf_line_info line_info(const struct load_lines *lines, uint32_t insn,
				      struct skep_span span)
{
	uint32_t line = line_at(lines, span.off);

	return (struct bpf_line_info){
		.insn_off = insn,
		.file_name_off = lines->file,
		.line_off = lines->texts[line],
		.line_col = clamp(line + 1, LINE_MAX_NO) << COL_BITS |
			    clamp(span.off - lines->starts[line] + 1, COL_MAX_NO),
	};
}

/* The second half of a 64-bit load is no instruction of its own. */
static bool is_insn(const struct skep_object_prog *prog, uint32_t insn)
{
	return insn < prog->n_insns && prog->insns[insn].code;
}

static bool starts_func(const struct skep_object_prog *prog, size_t func, uint32_t insn)
{
	return func < prog->n_funcs && prog->funcs[func].insn <= insn;
}

/* Functions that begin before @insn and have no line of their own take @span's. */
static size_t begin_funcs(const struct load_lines *lines, const struct skep_object_prog *prog,
			  size_t func, const struct skep_object_line *line,
			  struct load_line_vec *ret)
{
	for (; starts_func(prog, func, line->insn); func++) {
		if (prog->funcs[func].insn < line->insn)
			skep_vec_push(ret, line_info(lines, prog->funcs[func].insn, line->span));
	}
	return func;
}

void load_lines_of(const struct load_lines *lines, const struct skep_object_prog *prog,
		   struct load_line_vec *ret)
{
	const struct skep_object_line *last = NULL;
	size_t func = 0;

	ret->len = 0;
	for (size_t i = 0; lines->source && i < prog->n_lines; i++) {
		const struct skep_object_line *line = &prog->lines[i];
		bool again = ret->len && skep_vec_last(ret)->insn_off >= line->insn;
		if (again || !is_insn(prog, line->insn) || !has_place(lines, line->span))
			continue;
		func = begin_funcs(lines, prog, func, line, ret);
		skep_vec_push(ret, line_info(lines, line->insn, line->span));
		last = line;
	}
	for (; last && func < prog->n_funcs; func++)
		skep_vec_push(ret, line_info(lines, prog->funcs[func].insn, last->span));
}
