/*
 * Where a file's code may lie, and which symbols name it how well: what the table of a file
 * (table.c) and a pass for some addresses (pass.c) have in common. Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_CODE_H
#define SKEP_SYMBOL_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/elf.h>

#define SKEP_CODE_RANGES_MAX 256

struct skep_code_range {
	uint64_t start, end;
};

struct skep_code {
	struct skep_code_range ranges[SKEP_CODE_RANGES_MAX];
	uint32_t n;
};

/** The sections of code; where a file has lost them, its segments. */
void skep_code_find(const struct skep_elf *elf, struct skep_code *ret);
/** The range that holds @addr, or NULL. */
const struct skep_code_range *skep_code_at(const struct skep_code *code, uint64_t addr);
/** May a symbol of @type (STT_*) be one of code? */
bool skep_code_may_be(uint8_t type);
/** Is it a name for people? */
bool skep_code_is_name(const char *name);
/** Of several names of one address that of the highest rank is a person's: functions before
 *  labels, sized before unsized, exported before local, fewer leading '_', strong before weak. */
uint32_t skep_code_rank(const struct skep_elf_sym *sym);

#endif
