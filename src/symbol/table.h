/*
 * One file's functions, sorted by address, with the way from file offsets to
 * addresses. Compact and independent of the ELF image it came from.
 * Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_TABLE_H
#define SKEP_SYMBOL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <skep/elf.h>

#define SKEP_TABLE_MAX_SYMBOLS    (4U << 20)
#define SKEP_TABLE_MAX_NAME_BYTES (256UL << 20)
#define SKEP_TABLE_MAX_NAME_LEN   4096
#define SKEP_TABLE_MAX_SEGMENTS   32

struct skep_table_entry {
	uint64_t addr;
	uint32_t size; /* at least 1 */
	uint32_t name; /* offset in names */
};

struct skep_table_segment {
	uint64_t off, addr, bytes;
};

struct skep_table {
	struct skep_table_entry *entries; /* owned; addresses ascend and differ */
	size_t n;
	char *names; /* owned */
	size_t names_bytes;
	struct skep_table_segment segments[SKEP_TABLE_MAX_SEGMENTS]; /* code first */
	uint32_t n_segments;
	uint32_t build_id_bytes; /* 0: it has none */
	uint8_t build_id[SKEP_ELF_BUILD_ID_MOST];
};

/**
 * Take the functions of @elf and of @debug (its separate debug file, or NULL).
 * Where several names have one address, one is kept: functions before labels,
 * sized before unsized, exported before local, fewer leading '_', strong before
 * weak. Cost O(n log n) in symbols.
 */
void skep_table_build(const struct skep_elf *elf, const struct skep_elf *debug,
		      struct skep_table *ret);
/** The same without functions: segments and build id. */
void skep_table_build_head(const struct skep_elf *elf, struct skep_table *ret);
void skep_table_done(struct skep_table *table);
size_t skep_table_memory(const struct skep_table *table);
/** Return 0 | -ENOENT */
int skep_table_off_to_addr(const struct skep_table *table, uint64_t off, uint64_t *ret_addr);
/** Name and start of the function that holds @addr, or NULL. */
const char *skep_table_find(const struct skep_table *table, uint64_t addr, uint64_t *ret_start);

#endif
