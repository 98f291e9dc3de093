/*
 * Tables of lines, see python.h. Each is a list of steps from instruction to instruction, with the
 * change of line; the last step that begins at or before an instruction has its line.
 *
 * Source: Objects/lnotab_notes.txt and Objects/locations.md of CPython, PEP 626
 */
#include "interp/python.h"

#include <stdbool.h>

#define NO_LINE    (-128) /* of RANGES, as the change of line */
#define UNIT_BYTES 2      /* POSITIONS counts instructions of two bytes */

/* Kinds of entries of POSITIONS. */
enum { ONE_LINE_FIRST = 10, ONE_LINE_LAST = 12, NO_COLUMNS = 13, LONG = 14, NONE = 15 };

struct bytes {
	const uint8_t *at, *end;
};

static uint32_t of_number(int64_t line)
{
	return line > 0 && line <= UINT32_MAX ? (uint32_t)line : 0;
}

static uint32_t lnotab(struct bytes table, uint32_t first_line, int64_t at)
{
	int64_t line = first_line, instr = 0;

	for (; table.end - table.at >= 2; table.at += 2) {
		instr += table.at[0];
		if (instr > at)
			break;
		line += (int8_t)table.at[1];
	}
	return of_number(line);
}

static uint32_t ranges(struct bytes table, uint32_t first_line, int64_t at)
{
	int64_t line = first_line, instr = 0;

	if (at < 0)
		return first_line;
	for (; table.end - table.at >= 2; table.at += 2) {
		int8_t change = (int8_t)table.at[1];
		instr += table.at[0];
		if (change != NO_LINE)
			line += change;
		if (instr > at)
			return change == NO_LINE ? 0 : of_number(line);
	}
	return 0;
}

/* Six bits a byte, the lowest first; the seventh says that there are more. */
static uint32_t varint(struct bytes *table)
{
	uint32_t value = 0;

	for (uint32_t shift = 0; table->at < table->end; shift += 6) {
		uint8_t byte = *table->at++;
		if (shift < 32)
			value |= (uint32_t)(byte & 63) << shift;
		if (!(byte & 64))
			break;
	}
	return value;
}

static int64_t svarint(struct bytes *table)
{
	uint32_t value = varint(table);

	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* Behind the first byte of an entry of @kind: the change of line. */
static int64_t change_of(struct bytes *table, unsigned kind)
{
	if (kind == NO_COLUMNS || kind == LONG)
		return svarint(table);
	return kind >= ONE_LINE_FIRST && kind <= ONE_LINE_LAST ? kind - ONE_LINE_FIRST : 0;
}

/* An entry's first byte is the only one with the highest bit. */
static void skip_entry(struct bytes *table)
{
	while (table->at < table->end && !(*table->at & 0x80))
		table->at++;
}

static uint32_t positions(struct bytes table, uint32_t first_line, int64_t at)
{
	int64_t line = first_line, instr = 0;

	if (at < 0)
		return first_line;
	while (table.at < table.end) {
		uint8_t first = *table.at++;
		unsigned kind = first >> 3 & 15;
		line += change_of(&table, kind);
		instr += UNIT_BYTES * ((first & 7) + 1);
		if (instr > at)
			return kind == NONE ? 0 : of_number(line);
		skip_entry(&table);
	}
	return 0;
}

uint32_t skep_python_line(enum skep_python_table form, const uint8_t *table, size_t size,
			  uint32_t first_line, int64_t at)
{
	if (!size) /* there may be none */
		return first_line;
	const struct bytes bytes = {table, table + size};
	switch (form) {
	case SKEP_PYTHON_RANGES: return ranges(bytes, first_line, at);
	case SKEP_PYTHON_POSITIONS: return positions(bytes, first_line, at);
	default: return lnotab(bytes, first_line, at);
	}
}
