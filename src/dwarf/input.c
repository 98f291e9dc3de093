/*
 * Sections are brought in page by page as they are asked for, by the ELF file's reader; one that is
 * kept deflated is inflated as a whole when it is first needed.
 */
#include "dwarf/input.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef SKEP_HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/arena.h"
#include "base/fd.h"

#define STRING_FIRST 256u
#define STRING_MOST  65536u
#define TYPE_ZSTD    2 /* ELFCOMPRESS_ZSTD, which older headers lack */

static const char *const names[] = {
#define SECTION(ID, name) name,
#include "dwarf/sections.def"
#undef SECTION
};

int skep_dwarf_wrong(struct skep_dwarf_input *input, const char *why)
{
	if (!input->why)
		input->why = why;
	input->n_wrong++;
	return -EBADMSG;
}

static void take(struct skep_dwarf_input *input, const struct skep_elf_section *section)
{
	for (size_t i = 0; i < SKEP_DWARF_SECTION_CNT; i++) {
		struct skep_dwarf_content *content = &input->contents[i];
		if (strcmp(section->name, names[i]) || content->section.type != SHT_NULL ||
		    section->type == SHT_NOBITS)
			continue;
		content->section = *section;
		content->size = section->size;
		content->is_deflated = section->flags & SHF_COMPRESSED;
	}
}

/* --- Deflated ones --------------------------------------------------------------------------- */

struct packed {
	uint32_t type;
	uint64_t size; /* of what comes out */
	const uint8_t *at;
	uint64_t len; /* of what goes in */
};

static bool read_head(const struct skep_dwarf_input *input, const struct skep_elf_section *section,
		      struct packed *ret)
{
	bool is_64 = skep_elf_is_64(input->elf);
	uint64_t head = is_64 ? sizeof(Elf64_Chdr) : sizeof(Elf32_Chdr);
	const uint8_t *at = skep_elf_section_bytes(input->elf, section, 0, section->size);
	struct skep_reader r = {.at = at};

	if (!at || section->size < head)
		return false;
	r.end = at + section->size;
	ret->type = (uint32_t)skep_read_fixed(&r, 4);
	skep_read_fixed(&r, is_64 ? 4 : 0);
	ret->size = skep_read_fixed(&r, is_64 ? 8 : 4);
	ret->at = at + head;
	ret->len = section->size - head;
	return true;
}

static const char *unpack(const struct packed *packed, uint8_t *to)
{
	uLongf n = packed->size;

	if (packed->type == ELFCOMPRESS_ZLIB)
		return uncompress(to, &n, packed->at, packed->len) == Z_OK && n == packed->size
			       ? NULL
			       : "a section cannot be inflated";
#ifdef SKEP_HAVE_ZSTD
	if (packed->type == TYPE_ZSTD)
		return ZSTD_decompress(to, packed->size, packed->at, packed->len) == packed->size
			       ? NULL
			       : "a section cannot be decompressed";
#endif
	return packed->type == TYPE_ZSTD ? "it is compressed by zstd, which is not built in"
					 : "a section is compressed in an unknown way";
}

static void inflate_content(struct skep_dwarf_input *input, struct skep_dwarf_content *content)
{
	_cleanup_free_ uint8_t *to = NULL;
	const char *why = "a compressed section is cut off";
	struct packed packed;

	if (read_head(input, &content->section, &packed)) {
		/* deflate makes no more than 1032 bytes of one */
		if (packed.size > DWARF_INFLATED_MOST - input->inflated_bytes ||
		    (packed.type == ELFCOMPRESS_ZLIB && packed.size / 1040 > packed.len)) {
			why = "its compressed sections are too large";
		} else {
			to = skep_xmalloc(packed.size + 1);
			why = unpack(&packed, to);
		}
	}
	content->is_deflated = false;
	content->size = 0;
	if (why) {
		content->section.type = SHT_NULL;
		skep_dwarf_wrong(input, why);
		return;
	}
	content->size = packed.size;
	input->inflated_bytes += packed.size;
	content->inflated = TAKE_PTR(to);
}

/* --- Access ---------------------------------------------------------------------------------- */

void skep_dwarf_input_init(struct skep_dwarf_input *ret, const struct skep_elf *elf)
{
	struct skep_elf_section section;

	*ret = (struct skep_dwarf_input){.elf = elf};
	for (uint32_t i = 1; i < skep_elf_n_sections(elf); i++) {
		if (skep_elf_section_info(elf, i, &section) == 0)
			take(ret, &section);
	}
}

void skep_dwarf_input_done(struct skep_dwarf_input *input)
{
	for (size_t i = 0; i < SKEP_DWARF_SECTION_CNT; i++)
		free(input->contents[i].inflated);
	*input = (struct skep_dwarf_input){0};
}

uint64_t skep_dwarf_size(struct skep_dwarf_input *input, enum skep_dwarf_section section)
{
	struct skep_dwarf_content *content = &input->contents[section];

	if (content->is_deflated)
		inflate_content(input, content);
	return content->size;
}

const uint8_t *skep_dwarf_bytes(struct skep_dwarf_input *input, enum skep_dwarf_section section,
				uint64_t off, uint64_t len)
{
	const struct skep_dwarf_content *content = &input->contents[section];
	uint64_t size = skep_dwarf_size(input, section);

	if (off > size || len > size - off)
		return NULL;
	if (content->inflated)
		return content->inflated + off;
	return skep_elf_section_bytes(input->elf, &content->section, off, len);
}

bool skep_dwarf_reader(struct skep_dwarf_input *input, enum skep_dwarf_section section,
		       uint64_t off, uint64_t len, struct skep_reader *ret)
{
	uint64_t size = skep_dwarf_size(input, section);
	uint64_t room = off < size ? size - off : 0;

	len = len < room ? len : room;
	*ret = (struct skep_reader){.at = len ? skep_dwarf_bytes(input, section, off, len) : NULL};
	ret->end = ret->at ? ret->at + len : NULL;
	return ret->at;
}

const char *skep_dwarf_string(struct skep_dwarf_input *input, enum skep_dwarf_section section,
			      uint64_t off)
{
	struct skep_reader r;

	for (uint32_t len = STRING_FIRST; len <= STRING_MOST; len *= 4) {
		if (!skep_dwarf_reader(input, section, off, len, &r))
			return NULL;
		if (memchr(r.at, 0, (size_t)(r.end - r.at)))
			return (const char *)r.at;
	}
	return NULL;
}

bool skep_dwarf_number(struct skep_dwarf_input *input, enum skep_dwarf_section section,
		       uint64_t off, size_t size, uint64_t *ret)
{
	const uint8_t *at = skep_dwarf_bytes(input, section, off, size);

	*ret = 0;
	if (at)
		memcpy(ret, at, size);
	return at;
}
