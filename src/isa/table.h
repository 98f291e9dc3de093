/*
 * isa.def as a table, for the files of this folder: rows, the operands of
 * their texts, and an index by code.
 */
#ifndef SKEP_ISA_TABLE_H
#define SKEP_ISA_TABLE_H

#include <skep/isa.h>

/* The fields of an instruction that its text shows; the others have one value. */
enum skep_uses {
	USES_DST = 1,
	USES_SRC = 2,
	USES_OFF = 4,
	USES_IMM = 8,
	USES_NEXT = 16, /* the second slot's imm */
};

enum skep_operand {
#define OPERAND(name, uses) OPERAND_##name,
#include "isa/operands.def"
#undef OPERAND
	N_OPERANDS,
	NO_OPERAND = N_OPERANDS,
};

struct skep_isa_row {
	const char *name, *text;
	uint8_t code, src; /* src, off, imm: what the field must be if unused */
	int16_t off;
	int32_t imm;
};

/* Rows SKEP_OP_INVALID + 1 … SKEP_OP_CNT - 1 are enum skep_op's, from there on the kernel's own. */
extern const struct skep_isa_row skep_isa_rows[];
extern const size_t skep_isa_n_rows;

#define SKEP_LDDW (SKEP_LD | SKEP_DW | SKEP_IMM)

/** The first row with @code, and the next one after @row; 0: none. */
unsigned skep_isa_first(uint8_t code);
unsigned skep_isa_next(unsigned row);
/** Fields the row's text shows, a mask of enum skep_uses. */
unsigned skep_isa_uses(unsigned row);
/** Does each field that @row does not use hold the value it must? */
bool skep_isa_fits(unsigned row, const struct skep_insn *insn);

/** One step through a row's text: an operand, or NO_OPERAND and a plain character.
 *  False at its end. */
bool skep_isa_piece(const char **text, enum skep_operand *ret_operand, char *ret_plain);

#endif
