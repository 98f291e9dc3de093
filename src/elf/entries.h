/*
 * Symbols without their names, for whoever goes through all of them to find a few: of a large file
 * most is names. Tables are read piece by piece, and nothing of them is kept; only the names that
 * are asked for are. For src/symbol, beside skep/elf.h.
 */
#ifndef SKEP_ELF_ENTRIES_H
#define SKEP_ELF_ENTRIES_H

#include <skep/elf.h>

struct skep_elf_entry {
	uint64_t addr, size;
	uint8_t type, bind; /* STT_*, STB_* */
	uint8_t table;      /* 0: .symtab, 1: .dynsym */
	uint16_t section;
	uint32_t name_off, number; /* in the table's names, and in the table */
};

/** Where the tables are, as offsets in the file. */
struct skep_elf_entries {
	const struct skep_elf *elf; /* borrowed */
	struct {
		uint64_t off, n; /* n 0: there is none */
		uint64_t names_off, names_bytes;
		uint64_t versions_off; /* 0: none */
	} tables[2];
};

void skep_elf_entries_find(const struct skep_elf *elf, struct skep_elf_entries *ret);
/** The entries that skep_elf_for_each_symbol() would tell of, in its order; some of those may turn
 *  out to have no name. A return value != 0 from @fn stops and is returned. */
int skep_elf_entries_each(const struct skep_elf_entries *entries,
			  int (*fn)(void *ctx, const struct skep_elf_entry *entry), void *ctx);
/** One of them as skep_elf_for_each_symbol() tells it. Its name is borrowed from the file; "": it
 *  has none, or one of over 4 KiB. */
void skep_elf_entries_symbol(const struct skep_elf_entries *entries,
			     const struct skep_elf_entry *entry, struct skep_elf_sym *ret);

#endif
