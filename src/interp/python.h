/*
 * Code objects of CPython: which function it is, of which file, and in which line an instruction
 * is. See code.h.
 */
#ifndef SKEP_INTERP_PYTHON_H
#define SKEP_INTERP_PYTHON_H

#include "interp/code.h"

/** How lines are told. */
enum skep_python_table {
	SKEP_PYTHON_LNOTAB,    /* steps of (instructions, lines), since ever */
	SKEP_PYTHON_RANGES,    /* the same, but the line holds up to the step; PEP 626 */
	SKEP_PYTHON_POSITIONS, /* of variable length, with columns; since 3.11 */
};

int skep_python_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		     struct skep_interp_code *code);
uint32_t skep_python_code_line(const struct skep_interp_code *code, uint32_t at);

/** The line of the byte @at of the instructions, by a table; @at below 0: the first line. */
uint32_t skep_python_line(enum skep_python_table form, const uint8_t *table, size_t size,
			  uint32_t first_line, int64_t at);

#endif
