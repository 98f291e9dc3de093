/*
 * The inside of struct skep_elf: a window onto a file's bytes and the few
 * header fields everything else starts from. Private to src/elf.
 *
 * Bytes of a file are copied when first asked for (skep_elf_bytes), never
 * mapped: the file belongs to somebody else, who may shorten it while we read
 * (a mapping would then kill us with SIGBUS) or change a field after we
 * checked it. What was read once stays as it was.
 *
 * Invariant: whatever skep_elf_bytes() returns is inside the image and stays
 * readable, unchanged and at the same place until skep_elf_free().
 */
#ifndef SKEP_ELF_IMAGE_H
#define SKEP_ELF_IMAGE_H

#include <elf.h>

#include <skep/elf.h>

/* Limits. Real files stay far below; hostile ones are cut off here. */
#define ELF_MAX_BYTES      (16ULL << 30)
#define ELF_MAX_COPY_BYTES (512ULL << 20) /* brought in of one file, which may be all holes */
#define ELF_MAX_SECTIONS   (1U << 20)
#define ELF_MAX_SEGMENTS   1024U
#define ELF_MAX_SYMBOLS    (8ULL << 20)

/** A string table: every offset below `size` starts a string that ends inside it. */
struct skep_elf_strings {
	const char *data;
	uint64_t size;
};

struct skep_elf_pages; /* which pages of a file have been copied */

struct skep_elf {
	const uint8_t *data;          /* the image; of a file: only copied pages are valid */
	uint64_t size;                /* bytes */
	struct skep_elf_pages *pages; /* owned; NULL: all of data is there (borrowed memory) */

	bool is64;
	uint16_t type, machine; /* ET_*, EM_* */
	uint64_t phoff, shoff;
	uint32_t n_segments, n_sections;
	struct skep_elf_strings names; /* of the sections */
};

/** Bytes [off, off + len), or NULL when they are not all in the file (or cannot be read). */
const void *skep_elf_bytes(const struct skep_elf *elf, uint64_t off, uint64_t len);

/** Copy them to @at, without keeping them: asked for again they may be others. False: as above. */
bool skep_elf_copy(const struct skep_elf *elf, uint64_t off, uint64_t len, void *at);

/** Headers in their 64-bit form, whatever the class. False: outside the file. */
bool skep_elf_shdr(const struct skep_elf *elf, uint32_t i, Elf64_Shdr *ret);
bool skep_elf_phdr(const struct skep_elf *elf, uint32_t i, Elf64_Phdr *ret);

/** Section @i as a string table; an empty one if it is none. */
struct skep_elf_strings skep_elf_strings(const struct skep_elf *elf, uint32_t i);
/** "" when @off lies outside. */
static inline const char *skep_elf_string(const struct skep_elf_strings *strings, uint64_t off)
{
	return off < strings->size ? strings->data + off : "";
}

/** Index of the first section called @name, or 0 (which is never a real section). */
uint32_t skep_elf_section_index(const struct skep_elf *elf, const char *name);

/** One note; both parts are inside the image. */
struct skep_elf_note {
	uint32_t type;
	uint32_t owner_len, desc_len; /* owner_len counts its NUL */
	const char *owner;
	const uint8_t *desc;
};
/**
 * Every note in the @size bytes at @data, with @align (4 or 8) between its
 * parts; stops at the first malformed one. Return what @fn returned if not 0.
 */
int skep_elf_for_each_note(const void *data, uint64_t size, uint64_t align,
			   int (*fn)(void *ctx, const struct skep_elf_note *note), void *ctx);

#endif
