/*
 * .debug_line: a header with the names of folders and files, then a program for a machine with an
 * address and a line, which appends a row to a table now and then.
 *
 * A row that says the same as the one before is left out, and of several at one address the last
 * one counts, which makes tables smaller by half.
 *
 * Source: DWARF 5, section 6.2
 */
#include "dwarf/lines.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "dwarf/impl.h"

#define ROWS_MOST  (8u << 20)
#define NAMES_MOST (1u << 20)
#define PATH_MOST  4096

/* Source: DWARF 5, tables 7.25 to 7.27 */
enum {
	OP_EXTENDED,
	OP_COPY,
	OP_ADVANCE_PC,
	OP_ADVANCE_LINE,
	OP_SET_FILE,
	OP_CONST_ADD_PC = 8,
	OP_FIXED_ADVANCE_PC = 9,
	EXT_END_SEQUENCE = 1,
	EXT_SET_ADDRESS = 2,
	EXT_DEFINE_FILE = 3,
	CONTENT_PATH = 1,
	CONTENT_DIRECTORY = 2,
};

struct program {
	const struct skep_dwarf_unit *unit;
	struct skep_dwarf_lines *lines;
	struct skep_dwarf_widths widths; /* of this program */
	struct skep_reader r;            /* all of it */
	const uint8_t *code;             /* where the header ends */
	uint8_t step, base_opcode, line_range;
	int8_t line_base;
	uint8_t operands[256];

	uint64_t addr;
	uint32_t file, line;
	size_t first; /* row of this sequence */
	bool falls;   /* an address was below the one before */
};

/* --- The header ------------------------------------------------------------------------------ */

static const char *read_text(struct skep_reader *r)
{
	const char *text = (const char *)r->at;
	const void *end = memchr(r->at, 0, (size_t)(r->end - r->at));

	r->is_bad |= !end;
	r->at = end ? (const uint8_t *)end + 1 : r->end;
	return end ? text : "";
}

static void add_file(struct skep_dwarf_lines *lines, struct skep_reader *r, const char *name)
{
	struct skep_dwarf_file file = {.name = name, .dir = skep_read_uleb(r)};

	skep_read_uleb(r); /* when it was changed */
	skep_read_uleb(r); /* its length */
	if (lines->files.len < NAMES_MOST)
		skep_vec_push(&lines->files, file);
}

/* To version 4, numbers begin at 1; number 0 is the unit's own. */
static void read_old_names(struct program *p)
{
	const char *text;

	skep_vec_push(&p->lines->dirs, p->unit->comp_dir ? p->unit->comp_dir : "");
	while (*(text = read_text(&p->r)) && p->lines->dirs.len < NAMES_MOST)
		skep_vec_push(&p->lines->dirs, text);
	*skep_vec_add(&p->lines->files) = (struct skep_dwarf_file){.name = ""};
	while (!p->r.is_bad && *(text = read_text(&p->r)))
		add_file(p->lines, &p->r, text);
}

#define COLUMNS_MOST 16

struct columns {
	struct skep_dwarf_spec specs[COLUMNS_MOST];
	uint32_t n;
};

static void read_columns(struct program *p, struct columns *ret)
{
	uint8_t n = (uint8_t)skep_read_fixed(&p->r, 1);

	ret->n = 0;
	p->r.is_bad |= n > COLUMNS_MOST;
	while (!p->r.is_bad && ret->n < n) {
		uint64_t content = skep_read_uleb(&p->r);
		struct skep_dwarf_spec spec = skep_dwarf_form(skep_read_uleb(&p->r), &p->widths);
		spec.name = content < UINT16_MAX ? (uint16_t)content : UINT16_MAX;
		p->r.is_bad |= spec.how == DWARF_HOW_UNKNOWN;
		ret->specs[ret->n++] = spec;
	}
}

static struct skep_dwarf_file read_name(struct program *p, const struct columns *columns)
{
	struct skep_dwarf_file file = {.name = ""};

	for (uint32_t i = 0; i < columns->n && !p->r.is_bad; i++) {
		struct skep_dwarf_value value = {.name = columns->specs[i].name};
		skep_dwarf_value_read(&p->r, &columns->specs[i], &value);
		const char *text = NULL;
		if (value.name == CONTENT_PATH && !p->r.is_bad)
			text = skep_dwarf_value_text(p->unit, &value);
		if (text)
			file.name = text;
		if (value.name == CONTENT_DIRECTORY)
			file.dir = value.n;
	}
	return file;
}

/* Since version 5: what columns there are, how many rows, rows; for folders, then for files. */
static void read_new_names(struct program *p)
{
	struct columns columns;
	uint64_t n;

	read_columns(p, &columns);
	n = skep_read_uleb(&p->r);
	p->r.is_bad |= n > NAMES_MOST || (n && !columns.n);
	for (uint64_t i = 0; i < n && !p->r.is_bad; i++)
		skep_vec_push(&p->lines->dirs, read_name(p, &columns).name);
	read_columns(p, &columns);
	n = skep_read_uleb(&p->r);
	p->r.is_bad |= n > NAMES_MOST || (n && !columns.n);
	for (uint64_t i = 0; i < n && !p->r.is_bad; i++)
		skep_vec_push(&p->lines->files, read_name(p, &columns));
}

static void read_numbers(struct program *p)
{
	p->step = (uint8_t)skep_read_fixed(&p->r, 1);
	if (p->widths.version >= 4)
		skep_read_fixed(&p->r, 1); /* operations of one instruction: of VLIW machines */
	skep_read_fixed(&p->r, 1);         /* whether rows are statements at first */
	p->line_base = (int8_t)skep_read_fixed(&p->r, 1);
	p->line_range = (uint8_t)skep_read_fixed(&p->r, 1);
	p->base_opcode = (uint8_t)skep_read_fixed(&p->r, 1);
	for (unsigned i = 1; i < p->base_opcode; i++)
		p->operands[i] = (uint8_t)skep_read_fixed(&p->r, 1);
}

/* Takes the program's bytes: p->r is then behind its length. */
static bool take_bytes(struct program *p)
{
	struct skep_dwarf_input *input = &p->unit->dwarf->input;
	uint64_t off = p->unit->lines_off, length;
	struct skep_reader r;

	if (!skep_dwarf_reader(input, SKEP_DWARF_LINE, off, 12, &r))
		return false;
	const uint8_t *start = r.at;
	length = skep_dwarf_length_read(&r, &p->widths);
	off += (uint64_t)(r.at - start);
	return !r.is_bad && length && length <= skep_dwarf_size(input, SKEP_DWARF_LINE) - off &&
	       skep_dwarf_reader(input, SKEP_DWARF_LINE, off, length, &p->r);
}

static bool read_header(struct program *p)
{
	uint64_t length;

	if (!take_bytes(p))
		return false;
	p->widths.version = (uint16_t)skep_read_fixed(&p->r, 2);
	p->widths.address = p->unit->widths.address;
	if (p->widths.version < 2 || p->widths.version > 5)
		return false;
	if (p->widths.version >= 5)
		skep_read_fixed(&p->r, 2); /* widths of addresses and of segments' numbers */
	length = skep_read_fixed(&p->r, p->widths.offset);
	if (p->r.is_bad || length > (uint64_t)(p->r.end - p->r.at))
		return false;
	p->code = p->r.at + length;
	p->lines->version = p->widths.version;
	read_numbers(p);
	if (p->r.is_bad || !p->line_range || !p->base_opcode)
		return false;
	if (p->widths.version >= 5)
		read_new_names(p);
	else
		read_old_names(p);
	return !p->r.is_bad;
}

/* --- The program ----------------------------------------------------------------------------- */

static bool add_row(struct program *p)
{
	struct skep_dwarf_lines *lines = p->lines;
	struct skep_dwarf_row row = {.addr = p->addr, .file = p->file, .line = p->line};
	struct skep_dwarf_row *last =
		lines->rows.len > p->first ? skep_vec_last(&lines->rows) : NULL;

	p->falls |= last && row.addr < last->addr;
	if (last && last->addr == row.addr)
		*last = row;
	else if (!last || last->file != row.file || last->line != row.line)
		skep_vec_push(&lines->rows, row);
	return lines->rows.len < ROWS_MOST;
}

/* Of code that was left out (ranges.c), or in no order, nothing is kept. */
static void end_sequence(struct program *p)
{
	struct skep_dwarf_lines *lines = p->lines;
	size_t n = lines->rows.len - p->first;
	struct skep_dwarf_sequence sequence = {
		.high = p->addr, .first = (uint32_t)p->first, .n = (uint32_t)n};

	if (n)
		sequence.low = lines->rows.data[p->first].addr;
	if (!n || p->falls || sequence.low >= sequence.high ||
	    sequence.low < p->unit->dwarf->code_start)
		lines->rows.len = p->first;
	else
		skep_vec_push(&lines->sequences, sequence);
}

static void begin_sequence(struct program *p)
{
	p->addr = 0;
	p->file = p->line = 1;
	p->first = p->lines->rows.len;
	p->falls = false;
}

static void run_extended(struct program *p)
{
	uint64_t size = skep_read_uleb(&p->r);
	const uint8_t *at = skep_read_bytes(&p->r, size);
	struct skep_reader r = {.at = at};

	if (!at || !size)
		return;
	r.end = at + size;
	switch (skep_read_fixed(&r, 1)) {
	case EXT_END_SEQUENCE:
		end_sequence(p);
		begin_sequence(p);
		return;
	case EXT_SET_ADDRESS: p->addr = skep_read_fixed(&r, size - 1 < 8 ? size - 1 : 8); return;
	case EXT_DEFINE_FILE: add_file(p->lines, &r, read_text(&r)); return;
	}
}

static void advance(struct program *p, uint64_t steps)
{
	p->addr += steps * p->step;
}

/* False: too many rows. */
static bool run_special(struct program *p, uint8_t opcode)
{
	unsigned n = opcode - p->base_opcode;

	advance(p, n / p->line_range);
	p->line += (uint32_t)(p->line_base + (int)(n % p->line_range));
	return add_row(p);
}

static bool run_standard(struct program *p, uint8_t opcode)
{
	switch (opcode) {
	case OP_EXTENDED: run_extended(p); return true;
	case OP_COPY: return add_row(p);
	case OP_ADVANCE_PC: advance(p, skep_read_uleb(&p->r)); return true;
	case OP_ADVANCE_LINE: p->line += (uint32_t)skep_read_sleb(&p->r); return true;
	case OP_SET_FILE: p->file = (uint32_t)skep_read_uleb(&p->r); return true;
	case OP_CONST_ADD_PC: advance(p, (255u - p->base_opcode) / p->line_range); return true;
	case OP_FIXED_ADVANCE_PC: p->addr += skep_read_fixed(&p->r, 2); return true;
	}
	for (unsigned i = 0; i < p->operands[opcode]; i++) /* columns, marks, what is newer */
		skep_read_uleb(&p->r);
	return true;
}

static bool run(struct program *p)
{
	bool has_room = true;

	p->r.at = p->code;
	begin_sequence(p);
	while (p->r.at < p->r.end && !p->r.is_bad && has_room) {
		uint8_t opcode = (uint8_t)skep_read_fixed(&p->r, 1);
		has_room =
			opcode < p->base_opcode ? run_standard(p, opcode) : run_special(p, opcode);
	}
	p->lines->rows.len = p->first; /* rows whose sequence has no end */
	return !p->r.is_bad && has_room;
}

static int by_low(const void *a, const void *b)
{
	const struct skep_dwarf_sequence *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

int skep_dwarf_lines_read(const struct skep_dwarf_unit *unit, struct skep_dwarf_lines *ret)
{
	struct program program = {.unit = unit, .lines = ret};

	if (!read_header(&program))
		return skep_dwarf_wrong(&unit->dwarf->input, "a table of lines has no good header");
	bool good = run(&program);
	if (ret->sequences.len)
		qsort(ret->sequences.data, ret->sequences.len, sizeof(*ret->sequences.data),
		      by_low);
	return good ? 0 : skep_dwarf_wrong(&unit->dwarf->input, "a table of lines is cut off");
}

void skep_dwarf_lines_done(struct skep_dwarf_lines *lines)
{
	skep_vec_done(&lines->dirs);
	skep_vec_done(&lines->files);
	skep_vec_done(&lines->rows);
	skep_vec_done(&lines->sequences);
}

size_t skep_dwarf_lines_memory(const struct skep_dwarf_lines *lines)
{
	return lines->dirs.cap * sizeof(*lines->dirs.data) +
	       lines->files.cap * sizeof(*lines->files.data) +
	       lines->rows.cap * sizeof(*lines->rows.data) +
	       lines->sequences.cap * sizeof(*lines->sequences.data);
}

/* --- Search ---------------------------------------------------------------------------------- */

static const struct skep_dwarf_sequence *find_sequence(const struct skep_dwarf_lines *lines,
						       uint64_t addr)
{
	size_t low = 0, high = lines->sequences.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (lines->sequences.data[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr >= lines->sequences.data[low - 1].high)
		return NULL;
	return &lines->sequences.data[low - 1];
}

const struct skep_dwarf_row *skep_dwarf_lines_find(const struct skep_dwarf_lines *lines,
						   uint64_t addr)
{
	const struct skep_dwarf_sequence *sequence = find_sequence(lines, addr);

	if (!sequence)
		return NULL;
	const struct skep_dwarf_row *rows = &lines->rows.data[sequence->first];
	size_t low = 0, high = sequence->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (rows[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &rows[low - 1] : NULL;
}

static void add_part(struct skep_buf *out, const char *part)
{
	skep_buf_add(out, part, strnlen(part, PATH_MOST));
}

static void add_dir(struct skep_buf *out, const char *dir)
{
	add_part(out, dir);
	if (*dir)
		skep_buf_addc(out, '/');
}

void skep_dwarf_lines_path(const struct skep_dwarf_unit *unit, uint32_t number,
			   struct skep_buf *out)
{
	const struct skep_dwarf_lines *lines = &unit->lines;
	const char *dir = "";

	if (number >= lines->files.len || !*lines->files.data[number].name)
		return;
	const struct skep_dwarf_file *file = &lines->files.data[number];
	if (file->dir < lines->dirs.len)
		dir = lines->dirs.data[file->dir];
	if (*file->name != '/') {
		if (*dir != '/' && unit->comp_dir)
			add_dir(out, unit->comp_dir);
		if (!unit->comp_dir || *dir == '/' || file->dir)
			add_dir(out, dir);
	}
	add_part(out, file->name);
}
