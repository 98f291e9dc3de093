/*
 * ELF files as the tracer sees them: symbols, sections, segments, USDT notes,
 * build-ids, debug links. Every byte is hostile: all access is checked, limits
 * are explicit, malformed parts are skipped or reported, never trusted.
 * 64- and 32-bit, little-endian.
 */
#ifndef SKEP_ELF_H
#define SKEP_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_diag;
struct skep_elf;

/** Map the file read-only. Return 0 | -ENOEXEC not an ELF file we read | -errno (see @diag) */
int skep_elf_open(const char *path, struct skep_elf **ret, struct skep_diag *diag);
/** The same from memory, which is borrowed and must outlive it (fuzzing, tests). */
int skep_elf_parse(const void *data, size_t size, struct skep_elf **ret, struct skep_diag *diag);
void skep_elf_free(struct skep_elf *elf);

uint16_t skep_elf_machine(const struct skep_elf *elf);
bool skep_elf_is_exec_or_dyn(const struct skep_elf *elf);

/** File offset of virtual address @addr by the program headers. Return 0 | -ENOENT */
int skep_elf_addr_to_off(const struct skep_elf *elf, uint64_t addr, uint64_t *ret_off);
int skep_elf_off_to_addr(const struct skep_elf *elf, uint64_t off, uint64_t *ret_addr);

struct skep_elf_section {
	const char *name; /* borrowed; "" when it has none */
	uint32_t type;
	uint64_t flags, addr, off, size, entsize;
	const void *data; /* borrowed; NULL for SHT_NOBITS and out-of-file ranges */
};
uint32_t skep_elf_n_sections(const struct skep_elf *elf);
int skep_elf_section(const struct skep_elf *elf, uint32_t i, struct skep_elf_section *ret);
/** Return 0 | -ENOENT */
int skep_elf_find_section(const struct skep_elf *elf, const char *name,
			  struct skep_elf_section *ret);

struct skep_elf_sym {
	const char *name; /* borrowed, NUL-terminated */
	uint64_t addr, size;
	uint8_t type, bind; /* STT_*, STB_* */
};
/** Every defined symbol of .symtab then .dynsym; return != 0 from @fn to stop (it is returned). */
int skep_elf_for_each_symbol(const struct skep_elf *elf,
			     int (*fn)(void *ctx, const struct skep_elf_sym *sym), void *ctx);
/** The first function symbol called @name. Return 0 | -ENOENT */
int skep_elf_find_symbol(const struct skep_elf *elf, const char *name, struct skep_elf_sym *ret);

struct skep_elf_usdt {
	const char *provider, *name, *args; /* borrowed; args as in the note: "-4@%eax 8@-8(%rbp)" */
	uint64_t addr;	    /* of the probe's nop, corrected for prelink (.stapsdt.base) */
	uint64_t off;	    /* the same as a file offset */
	uint64_t semaphore_off; /* file offset of the semaphore, 0: none */
};
int skep_elf_for_each_usdt(const struct skep_elf *elf,
			   int (*fn)(void *ctx, const struct skep_elf_usdt *usdt), void *ctx);

/** The build-id; returns its length (0: none), at most 64. */
size_t skep_elf_build_id(const struct skep_elf *elf, const uint8_t **ret);
/** Name of the separate debug file and its CRC. Return 0 | -ENOENT */
int skep_elf_debug_link(const struct skep_elf *elf, const char **ret_name, uint32_t *ret_crc);

/** A bare library name ("libc", "libc.so.6", "c") or command name to a path: PATH, the linker's
 *  cache (/etc/ld.so.cache) and default folders. Return 0 | -ENOENT */
int skep_elf_resolve_path(const char *name, char *ret_path, size_t size);

#endif
