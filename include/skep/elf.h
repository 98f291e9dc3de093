/*
 * ELF files as the tracer sees them: symbols, sections, segments, USDT notes,
 * build-ids, debug links. Every byte is hostile: all access is checked, limits
 * are explicit, malformed parts are skipped or reported, never trusted.
 * 64- and 32-bit, little-endian.
 *
 * A struct skep_elf brings the file's bytes in as they are asked for (and keeps
 * them: what was checked cannot change), so use one from one thread at a time.
 * Whatever is borrowed from it is good until skep_elf_free().
 */
#ifndef SKEP_ELF_H
#define SKEP_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_diag;
struct skep_elf;

/** Open a file. Return 0 | -ENOEXEC not an ELF file we read | -EFBIG | -errno (see @diag) */
int skep_elf_open(const char *path, struct skep_elf **ret, struct skep_diag *diag);
/** The same from @fd, which is taken over in any case. @path is for messages only. */
int skep_elf_open_fd(int fd, const char *path, struct skep_elf **ret, struct skep_diag *diag);
/** The same from memory, which is borrowed and must outlive it (fuzzing, tests). */
int skep_elf_parse(const void *data, size_t size, struct skep_elf **ret, struct skep_diag *diag);
void skep_elf_free(struct skep_elf *elf);
/** The descriptor that it is read from, borrowed; -1: none, it is memory. */
int skep_elf_fd(const struct skep_elf *elf);
void skep_elf_freep(struct skep_elf **elf);
#define _cleanup_elf_ __attribute__((cleanup(skep_elf_freep)))

uint16_t skep_elf_machine(const struct skep_elf *elf);
bool skep_elf_is_exec_or_dyn(const struct skep_elf *elf);

/** File offset of virtual address @addr by the program headers. Return 0 | -ENOENT */
int skep_elf_addr_to_off(const struct skep_elf *elf, uint64_t addr, uint64_t *ret_off);
int skep_elf_off_to_addr(const struct skep_elf *elf, uint64_t off, uint64_t *ret_addr);

struct skep_elf_segment {
	uint32_t type, flags; /* PT_*, PF_* */
	uint64_t addr, off, file_bytes, mem_bytes;
};
uint32_t skep_elf_n_segments(const struct skep_elf *elf);
int skep_elf_segment(const struct skep_elf *elf, uint32_t i, struct skep_elf_segment *ret);

struct skep_elf_section {
	const char *name; /* borrowed; "" when it has none */
	uint32_t type;
	uint64_t flags, addr, off, size, entsize;
	const void *data; /* borrowed; NULL for SHT_NOBITS and out-of-file ranges */
};
uint32_t skep_elf_n_sections(const struct skep_elf *elf);
int skep_elf_section(const struct skep_elf *elf, uint32_t i, struct skep_elf_section *ret);
/** The same without bringing the section's bytes in: data is NULL. */
int skep_elf_section_info(const struct skep_elf *elf, uint32_t i, struct skep_elf_section *ret);
/** Return 0 | -ENOENT */
int skep_elf_find_section(const struct skep_elf *elf, const char *name,
			  struct skep_elf_section *ret);
/** Bytes [off, off + len) of a section of @elf, of which no more is brought in. NULL: not all are
 *  in it, or it has none in the file (SHT_NOBITS). */
const void *skep_elf_section_bytes(const struct skep_elf *elf,
				   const struct skep_elf_section *section, uint64_t off,
				   uint64_t len);
/** Are its addresses 64 bits wide? */
bool skep_elf_is_64(const struct skep_elf *elf);

struct skep_elf_sym {
	const char *name; /* borrowed, NUL-terminated; in .symtab it may end in "@VERSION" */
	uint64_t addr, size;
	uint8_t type, bind; /* STT_*, STB_* */
	bool hidden;        /* an old version, kept for programs linked long ago */
	uint16_t section;   /* index of the section it lies in, or SHN_ABS, SHN_COMMON, … */
};
/**
 * Every defined symbol of .symtab then .dynsym (so most exported ones twice);
 * sections, source files and thread-local variables are left out. A return
 * value != 0 from @fn stops and is returned.
 */
int skep_elf_for_each_symbol(const struct skep_elf *elf,
			     int (*fn)(void *ctx, const struct skep_elf_sym *sym), void *ctx);
/* Symbols without their names, for whoever goes through all of them to find a few: of a large file
 * most is names. Tables are read piece by piece, and nothing of them is kept; of names only those
 * that are asked for. */
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
/** Is there a .symtab, with local functions too? False: stripped. */
bool skep_elf_has_symtab(const struct skep_elf *elf);
/**
 * The function called @name (an assembler label without type, if there is no
 * function); of several versions the default one. Return 0 | -ENOENT
 */
int skep_elf_find_symbol(const struct skep_elf *elf, const char *name, struct skep_elf_sym *ret);
/** The same, but variables count too. */
int skep_elf_find_any_symbol(const struct skep_elf *elf, const char *name,
			     struct skep_elf_sym *ret);

struct skep_elf_usdt {
	const char *provider, *name,
		*args;          /* borrowed; args as in the note: "-4@%eax 8@-8(%rbp)" */
	uint64_t addr;          /* of the probe's nop, corrected for prelink (.stapsdt.base) */
	uint64_t off;           /* the same as a file offset */
	uint64_t semaphore_off; /* file offset of the semaphore, 0: none */
};
/** Every probe; a return value != 0 from @fn stops and is returned. Else 0 | -E2BIG over 131072 */
int skep_elf_for_each_usdt(const struct skep_elf *elf,
			   int (*fn)(void *ctx, const struct skep_elf_usdt *usdt), void *ctx);

/** Registers a probe's argument may be in; those of struct pt_regs, by their 64-bit names. */
enum skep_reg {
	SKEP_REG_NONE,
	/* x86-64 */
	SKEP_REG_RAX,
	SKEP_REG_RBX,
	SKEP_REG_RCX,
	SKEP_REG_RDX,
	SKEP_REG_RSI,
	SKEP_REG_RDI,
	SKEP_REG_RBP,
	SKEP_REG_RSP,
	SKEP_REG_R8,
	SKEP_REG_R9,
	SKEP_REG_R10,
	SKEP_REG_R11,
	SKEP_REG_R12,
	SKEP_REG_R13,
	SKEP_REG_R14,
	SKEP_REG_R15,
	SKEP_REG_RIP,
	/* aarch64 */
	SKEP_REG_X0,
	SKEP_REG_X30 = SKEP_REG_X0 + 30,
	SKEP_REG_SP,
	SKEP_REG_PC,
	SKEP_REG_CNT,
};
/** Where the kernel keeps it: byte offset in struct pt_regs of its machine; -1 for NONE. */
int skep_reg_pt_regs_off(enum skep_reg reg);

enum skep_usdt_kind {
	SKEP_USDT_CONST,   /* `value` */
	SKEP_USDT_REG,     /* `base`, shifted right by `shift` bits, cut to `size` */
	SKEP_USDT_MEM,     /* `size` bytes at base + index × scale + value */
	SKEP_USDT_SYMBOL,  /* `size` bytes at the address of `symbol`, + value */
	SKEP_USDT_UNKNOWN, /* well-formed, but out of a tracer's reach: floating point, %fs: … */
};

/** One argument of a USDT probe. Widths: bytes, negative for a signed value. */
struct skep_usdt_arg {
	enum skep_usdt_kind kind;
	int8_t size;        /* ±1, ±2, ±4, ±8 */
	uint8_t shift;      /* REG: 8 for %ah and its like, else 0 */
	uint8_t scale;      /* MEM: 1, 2, 4, 8; 0 without index */
	int8_t index_width; /* MEM: 8; 4 and -4: only the low half of index counts (uxtw, sxtw) */
	enum skep_reg base, index;
	int64_t value;
	const char *symbol; /* SYMBOL: borrowed from the text, not terminated */
	uint32_t symbol_len;
};
#define SKEP_USDT_MAX_ARGS 12 /* <sys/sdt.h> has no more */

/**
 * Parse a probe's argument text ("-4@%eax 8@-8(%rbp)").
 *
 * @machine  EM_X86_64, EM_386 or EM_AARCH64: decides the notation
 * @ret      room for @max arguments; untouched on error
 * Return    how many there are | -EINVAL malformed | -E2BIG more than @max |
 *           -EOPNOTSUPP another machine
 * Source    <sys/sdt.h> (SystemTap); operands as GNU as writes them
 */
int skep_usdt_parse_args(const char *args, uint16_t machine, struct skep_usdt_arg *ret, size_t max);

/** Call @fn for the name of each library that is loaded with the file, of 256 at most: what
 *  DT_NEEDED says ("libc.so.6"). */
void skep_elf_for_each_needed(const struct skep_elf *elf, void (*fn)(void *ctx, const char *name),
			      void *ctx);

#define SKEP_ELF_BUILD_ID_MOST 64
/** The build-id; returns its length (0: none), at most SKEP_ELF_BUILD_ID_MOST. */
size_t skep_elf_build_id(const struct skep_elf *elf, const uint8_t **ret);
/** The same among notes; @align  4 or 8. */
size_t skep_elf_notes_build_id(const void *notes, size_t size, size_t align, const uint8_t **ret);
/** Name of the separate debug file and its CRC. Return 0 | -ENOENT */
int skep_elf_debug_link(const struct skep_elf *elf, const char **ret_name, uint32_t *ret_crc);

/**
 * What a person calls a binary, as a path: with a slash, unchanged (it must
 * exist); else a command, through PATH; else a library ("c", "libc", "libc.so",
 * "libc.so.6") through LD_LIBRARY_PATH, the linker's cache (/etc/ld.so.cache)
 * and the default folders. Names that begin with "lib" or hold ".so" are looked
 * for as libraries first.
 * Return 0 | -ENOENT | -ENAMETOOLONG does not fit in @size
 */
int skep_elf_resolve_path(const char *name, char *ret_path, size_t size);

#endif
