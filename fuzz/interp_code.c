/*
 * Any bytes as the memory of an interpreter's process: what is read of a function stays within its
 * limits, as do its lines; and as a chain of frames, a table of lines and a name.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "interp/code.h"
#include "interp/hotspot.h"
#include "interp/merge.h"
#include "interp/python.h"
#include "interp/v8.h"

#define START  4096
#define NATIVE 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *data;
	size_t size;
};

static int read_bytes(void *ctx, uint64_t addr, void *ret, size_t n)
{
	const struct bytes *bytes = ctx;

	if (addr < START || addr - START > bytes->size || n > bytes->size - (addr - START))
		return -EFAULT;
	memcpy(ret, bytes->data + (addr - START), n);
	return 0;
}

/* The check is whichever it has: of the words at @words_at. */
static void read_code(struct bytes *bytes, uint32_t version, uint64_t addr, uint64_t words_at)
{
	const struct skep_interp_memory memory = {read_bytes, bytes};
	uint64_t words[SKEP_INTERP_CHECK_WORDS];
	struct skep_interp_code code;

	if (read_bytes(bytes, words_at, words, sizeof(words)) ||
	    skep_interp_code_read(&memory, version, addr, skep_interp_check(words), &code))
		return;
	if (code.function.len > 4 * SKEP_INTERP_NAME_MOST ||
	    code.file.len > 4 * SKEP_INTERP_FILE_MOST || code.lines.len > SKEP_INTERP_TABLE_MOST)
		abort();
	for (uint32_t at = 0; at < 64; at++)
		skep_interp_code_line(&code, at * 0x2000009u);
	skep_interp_code_done(&code);
}

/* Of Perl, an object says where they are; what is none of these is a statement; of a closure it is
 * the package's address. */
static void read_perl(struct bytes *bytes)
{
	const struct skep_interp_memory memory = {read_bytes, bytes};
	const uint32_t check_off = 32, cop_check_off = 40, package_off = 288;
	struct skep_interp_code code;
	uint64_t body;

	for (uint32_t kind = 0; kind <= SKEP_PERL_KIND_MASK; kind++)
		read_code(bytes, SKEP_INTERP_PERL_5_36, START | kind, START + cop_check_off);
	if (!read_bytes(bytes, START, &body, sizeof(body)))
		read_code(bytes, SKEP_INTERP_PERL_5_36, START, body + check_off);
	if (!skep_interp_code_read(&memory, SKEP_INTERP_PERL_5_36, START | SKEP_PERL_CLOSURE,
				   (START + package_off) >> SKEP_PERL_PACKAGE_SHIFT, &code))
		skep_interp_code_done(&code);
}

static void merge(const uint8_t *data, size_t size)
{
	struct skep_interp_stack stack = {0};
	struct skep_interp_run runs[NATIVE];
	bool is_evaluator[NATIVE] = {false};

	memcpy(&stack, data, size < sizeof(stack) ? size : sizeof(stack));
	for (size_t i = 0; i < NATIVE && i < size; i++)
		is_evaluator[i] = data[size - 1 - i] & 1;
	skep_interp_merge(&stack, is_evaluator, NATIVE, size & 1, runs);
	for (int i = 0; i < NATIVE; i++) {
		if (runs[i].first + runs[i].n > SKEP_INTERP_FRAMES_MOST)
			abort();
	}
}

/* Names of HotSpot's, by offsets that are any, too. Its description is one of the versions. */
static void read_method(struct bytes *bytes)
{
	const struct skep_interp_memory memory = {read_bytes, bytes};
	struct skep_hotspot_names names;
	struct skep_interp_code code = {0};
	uint64_t words[SKEP_INTERP_CHECK_WORDS], part;

	if (bytes->size < sizeof(names))
		return;
	memcpy(&names, bytes->data + bytes->size - sizeof(names), sizeof(names));
	if (!read_bytes(bytes, START + names.const_method, &part, sizeof(part)) &&
	    !read_bytes(bytes, part + names.constants, words, sizeof(words)) &&
	    !skep_hotspot_read_method(&memory, &names, START, skep_interp_check(words), &code) &&
	    code.function.len > 2 * SKEP_INTERP_NAME_MOST + 1)
		abort();
	skep_interp_code_done(&code);
}

static void place(const uint8_t *data, size_t size)
{
	struct skep_interp_stack stack = {0};
	struct skep_interp_run runs[NATIVE];

	memcpy(&stack, data, size < sizeof(stack) ? size : sizeof(stack));
	skep_interp_place(&stack, NATIVE, runs);
	for (int i = 0; i < NATIVE; i++) {
		if (runs[i].first + runs[i].n > SKEP_INTERP_FRAMES_MOST)
			abort();
	}
}

static void parse_name(const uint8_t *data, size_t size)
{
	struct skep_v8_name name;
	char text[256] = "JS:";
	size_t n = size < sizeof(text) - 4 ? size : sizeof(text) - 4;

	memcpy(text + 3, data, n);
	if (skep_v8_parse(text, &name) && name.file && name.file + name.file_len > text + 3 + n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t check_offs[] = {8, 96, 112};
	struct bytes bytes = {data, size};

	for (uint32_t version = 0; version <= SKEP_INTERP_VERSION_CNT; version++) {
		for (int i = 0; i < 3; i++)
			read_code(&bytes, version, START, START + check_offs[i]);
	}
	read_perl(&bytes);
	for (int form = SKEP_PYTHON_LNOTAB; form <= SKEP_PYTHON_POSITIONS; form++)
		skep_python_line(form, data, size, 1, (int64_t)size);
	merge(data, size);
	place(data, size);
	read_method(&bytes);
	parse_name(data, size);
	return 0;
}
