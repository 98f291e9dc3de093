/* Code objects of CPython, see python.h. */
#include "interp/python.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define CODE_BYTES 160 /* of a code object, that are read at once */

/* The same in all versions. */
#define SIZE_OFF   16 /* of bytes: how many; */
#define BYTES_OFF  32 /* they themselves */
#define LENGTH_OFF 16 /* of a string: characters; */
#define STATE_OFF  32 /* what kind of them */

/* Where a version has what, see pythons.def. */
static const struct layout {
	uint16_t check, first_line, file, name, table, table_form, instr_bytes, ascii, compact;
} layouts[SKEP_INTERP_VERSION_CNT] = {
#define PYTHON(Major, Minor, Current, Key, Thread_id, Frame, Inner, Start, Bytes, Code, Previous,  \
	       Instr, Is_pointer, Entry, Entry_xor, Entry_mask, Has_shims, Instructions, Check,    \
	       First_line, File, Name, Table, Form, Instr_bytes, Ascii, Compact)                   \
	[SKEP_INTERP_PYTHON_##Major##_##Minor] = {Check,       First_line, File,                   \
						  Name,        Table,      SKEP_PYTHON_##Form,     \
						  Instr_bytes, Ascii,      Compact},
#include "interp/pythons.def"
#undef PYTHON
};

struct reader {
	const struct skep_interp_memory *memory;
	const struct layout *layout;
};

/* --- Strings ---------------------------------------------------------------------------------- */

/* What a string's head says: bits 2 to 4, 5 and 6 of its state are the bytes of a character,
 * whether they are behind the head, and whether all of them are ASCII. */
static int read_string(const struct reader *r, uint64_t addr, size_t most, struct skep_buf *ret)
{
	uint8_t head[STATE_OFF + 4];
	_cleanup_buf_ struct skep_buf raw = {0};
	int err = r->memory->read(r->memory->ctx, addr, head, sizeof(head));

	if (err)
		return err;
	uint64_t length = skep_interp_word(head, LENGTH_OFF);
	uint32_t state = head[STATE_OFF], width = state >> 2 & 7;
	bool is_ascii = state & 64;
	if (!(state & 32) || (width != 1 && width != 2 && width != 4))
		return -EINVAL;
	size_t n = length < most ? length : most;
	err = skep_interp_read_to(r->memory,
				  addr + (is_ascii ? r->layout->ascii : r->layout->compact),
				  n * width, &raw);
	if (err)
		return err;
	skep_interp_add_characters(raw.data, n, width, ret);
	return 0;
}

static int read_bytes(const struct reader *r, uint64_t addr, size_t most, struct skep_buf *ret)
{
	uint64_t size;
	int err = r->memory->read(r->memory->ctx, addr + SIZE_OFF, &size, sizeof(size));

	if (err)
		return err;
	return size > most ? -E2BIG : skep_interp_read_to(r->memory, addr + BYTES_OFF, size, ret);
}

/* --- Code objects ----------------------------------------------------------------------------- */

static int read_parts(const struct reader *r, const uint8_t *object, struct skep_interp_code *ret)
{
	int err = read_string(r, skep_interp_word(object, r->layout->name), SKEP_INTERP_NAME_MOST,
			      &ret->function);

	if (!err)
		err = read_string(r, skep_interp_word(object, r->layout->file),
				  SKEP_INTERP_FILE_MOST, &ret->file);
	/* the function is known without, too */
	if (!err && read_bytes(r, skep_interp_word(object, r->layout->table),
			       SKEP_INTERP_TABLE_MOST, &ret->lines))
		skep_buf_done(&ret->lines);
	ret->first_line = (uint32_t)skep_interp_word(object, r->layout->first_line);
	return err;
}

int skep_python_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		     struct skep_interp_code *code)
{
	const struct reader r = {memory, &layouts[code->version]};
	uint8_t object[CODE_BYTES];
	int err = memory->read(memory->ctx, addr, object, sizeof(object));

	if (!err && !skep_interp_is_same(object, r.layout->check, check))
		err = -ESTALE;
	return err ? err : read_parts(&r, object, code);
}

uint32_t skep_python_code_line(const struct skep_interp_code *code, uint32_t at)
{
	const struct layout *layout = &layouts[code->version];
	int64_t instr = (int32_t)(at << 1) >> 1;

	return skep_python_line(layout->table_form, (const uint8_t *)code->lines.data,
				code->lines.len, code->first_line, instr * layout->instr_bytes);
}
