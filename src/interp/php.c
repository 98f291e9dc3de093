/*
 * Functions of PHP, see php.h. Each instruction has its line in itself: of a function's all lines
 * are read at once. An instruction is known by the lower half of its address.
 */
#include "interp/php.h"

#include <errno.h>
#include <string.h>

#define FUNCTION_BYTES 168                          /* of a function, that are read at once */
#define OPS_MOST       (SKEP_INTERP_TABLE_MOST / 4) /* a line each */
#define MAIN           "{main}"
#define EVALUATED      "eval"
#define ADDRESS_MASK   INT32_MAX

/* The same in all versions. */
#define LENGTH_OFF     16 /* of a string: its bytes; */
#define BYTES_OFF      24 /* they themselves */
#define CLASS_NAME_OFF 8

static const struct layout {
	uint16_t name, scope, last, opcodes, file, op_bytes, line;
} layouts[SKEP_INTERP_VERSION_CNT] = {
#define PHP(Major, Minor, Current, Opline, Func, Flags, Previous, Name, Scope, Last, Opcodes,      \
	    File, Op_bytes, Line)                                                                  \
	[SKEP_INTERP_PHP_##Major##_##Minor] = {Name, Scope, Last, Opcodes, File, Op_bytes, Line},
#include "interp/phps.def"
#undef PHP
};

static int add_string(const struct skep_interp_memory *memory, uint64_t addr, size_t most,
		      struct skep_buf *ret)
{
	_cleanup_buf_ struct skep_buf raw = {0};
	uint64_t len;
	int err = memory->read(memory->ctx, addr + LENGTH_OFF, &len, sizeof(len));

	if (!err)
		err = skep_interp_read_to(memory, addr + BYTES_OFF, len < most ? len : most, &raw);
	if (!err)
		skep_buf_add_printable(ret, raw.len ? raw.data : "", raw.len);
	return err;
}

/* Kinds of functions: one of PHP's own, that is written in C; what eval() was given. */
enum { OWN = 1, EVAL = 4 };

/* Class::name; neither a file itself nor what eval() was given has a name. */
static int read_name(const struct skep_interp_memory *memory, const struct layout *layout,
		     const uint8_t *function, struct skep_interp_code *code)
{
	uint64_t name = skep_interp_word(function, layout->name), class_name;
	uint64_t scope = skep_interp_word(function, layout->scope);

	if (!name) {
		skep_buf_puts(&code->function, function[0] == EVAL ? EVALUATED : MAIN);
		return 0;
	}
	if (scope &&
	    !memory->read(memory->ctx, scope + CLASS_NAME_OFF, &class_name, sizeof(class_name)) &&
	    !add_string(memory, class_name, SKEP_INTERP_NAME_MOST / 2, &code->function))
		skep_buf_puts(&code->function, "::");
	return add_string(memory, name, SKEP_INTERP_NAME_MOST / 2, &code->function);
}

static void read_lines(const struct skep_interp_memory *memory, const struct layout *layout,
		       const uint8_t *function, struct skep_interp_code *code)
{
	uint64_t opcodes = skep_interp_word(function, layout->opcodes);
	uint32_t n = (uint32_t)skep_interp_word(function, layout->last);
	_cleanup_buf_ struct skep_buf ops = {0};

	code->base = opcodes & ADDRESS_MASK;
	if (n > OPS_MOST || skep_interp_read_to(memory, opcodes, n * layout->op_bytes, &ops))
		return;
	for (uint32_t i = 0; i < n; i++)
		skep_buf_add(&code->lines, ops.data + i * layout->op_bytes + layout->line,
			     sizeof(uint32_t));
}

int skep_php_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		  struct skep_interp_code *code)
{
	const struct layout *layout = &layouts[code->version];
	uint8_t function[FUNCTION_BYTES] = {0};
	int err = memory->read(memory->ctx, addr, function, sizeof(function));

	if (err)
		return err;
	if (!skep_interp_is_same(function, layout->name, check))
		return -ESTALE;
	err = read_name(memory, layout, function, code);
	if (err || function[0] == OWN)
		return err;
	read_lines(memory, layout, function, code);
	return add_string(memory, skep_interp_word(function, layout->file), SKEP_INTERP_FILE_MOST,
			  &code->file);
}

uint32_t skep_php_code_line(const struct skep_interp_code *code, uint32_t at)
{
	uint32_t n = ((at - code->base) & ADDRESS_MASK) / layouts[code->version].op_bytes, line = 0;

	if (n < code->lines.len / sizeof(line))
		memcpy(&line, code->lines.data + n * sizeof(line), sizeof(line));
	return line;
}
