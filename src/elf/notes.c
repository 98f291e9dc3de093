/*
 * Notes: small tagged records in SHT_NOTE sections and PT_NOTE segments. Here
 * are the walk over them, the build-id, and the debug link (which is not a
 * note, but answers the same question: where is this file's debug file).
 *
 *	 4 bytes   4 bytes   4 bytes   owner_len      desc_len
 *	+---------+---------+------+--------------+--------------+
 *	|owner_len|desc_len | type | owner NUL pad| desc      pad|
 *	+---------+---------+------+--------------+--------------+
 */
#include "elf/image.h"

#include <errno.h>
#include <string.h>

/* Where a build-id is looked for; a hostile file could list one huge note section many times. */
#define BUILD_ID_NOTES_BYTES (1ULL << 20)
#define BUILD_ID_MAX_PLACES  64

static uint64_t align_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

int skep_elf_for_each_note(const void *data, uint64_t size, uint64_t align,
			   int (*fn)(void *ctx, const struct skep_elf_note *note), void *ctx)
{
	const uint8_t *at = data;
	uint64_t off = 0;

	while (size - off >= sizeof(Elf64_Nhdr)) {
		struct skep_elf_note note;
		uint64_t desc_off, next;
		Elf64_Nhdr h;
		int err;

		memcpy(&h, at + off, sizeof(h));
		desc_off = align_up(off + sizeof(h) + h.n_namesz, align);
		next = align_up(desc_off + h.n_descsz, align);
		if (desc_off > size || h.n_descsz > size - desc_off)
			return 0;
		note.type = h.n_type;
		note.owner_len = h.n_namesz;
		note.desc_len = h.n_descsz;
		note.owner = (const char *)at + off + sizeof(h);
		note.desc = at + desc_off;
		err = fn(ctx, &note);
		if (err)
			return err;
		if (next > size) /* the last one's padding may be left out */
			return 0;
		off = next;
	}
	return 0;
}

struct build_id {
	const uint8_t *data;
	size_t len;
	int n_places; /* looked at so far */
};

static int take_build_id(void *ctx, const struct skep_elf_note *note)
{
	struct build_id *id = ctx;

	if (note->type != NT_GNU_BUILD_ID || note->owner_len != sizeof("GNU") ||
	    memcmp(note->owner, "GNU", sizeof("GNU")) != 0)
		return 0;
	if (note->desc_len == 0 || note->desc_len > SKEP_ELF_BUILD_ID_MOST)
		return 0;
	id->data = note->desc;
	id->len = note->desc_len;
	return 1;
}

size_t skep_elf_notes_build_id(const void *notes, size_t size, size_t align, const uint8_t **ret)
{
	struct build_id id = {0};

	skep_elf_for_each_note(notes, size, align, take_build_id, &id);
	if (id.len)
		*ret = id.data;
	return id.len;
}

struct place {
	uint64_t off, size, align;
};

static void search_notes(const struct skep_elf *elf, const struct place *place, struct build_id *id)
{
	const void *data;

	if (id->len || id->n_places++ >= BUILD_ID_MAX_PLACES || place->size > BUILD_ID_NOTES_BYTES)
		return;
	data = skep_elf_bytes(elf, place->off, place->size);
	if (data)
		id->len = skep_elf_notes_build_id(data, place->size, place->align == 8 ? 8 : 4,
						  &id->data);
}

/* A program's file keeps its segments even where the section headers are stripped: look there too.
 */
size_t skep_elf_build_id(const struct skep_elf *elf, const uint8_t **ret)
{
	struct build_id id = {0};
	Elf64_Shdr s;
	Elf64_Phdr p;

	for (uint32_t i = 1; i < elf->n_sections && !id.len; i++)
		if (skep_elf_shdr(elf, i, &s) && s.sh_type == SHT_NOTE)
			search_notes(elf, &(struct place){s.sh_offset, s.sh_size, s.sh_addralign},
				     &id);
	for (uint32_t i = 0; i < elf->n_segments && !id.len; i++)
		if (skep_elf_phdr(elf, i, &p) && p.p_type == PT_NOTE)
			search_notes(elf, &(struct place){p.p_offset, p.p_filesz, p.p_align}, &id);
	if (id.len)
		*ret = id.data;
	return id.len;
}

/* The name, NUL, padding to 4, then the CRC. */
int skep_elf_debug_link(const struct skep_elf *elf, const char **ret_name, uint32_t *ret_crc)
{
	struct skep_elf_section s;
	const char *end;
	uint64_t crc_off;

	if (skep_elf_find_section(elf, ".gnu_debuglink", &s) < 0 || !s.data)
		return -ENOENT;
	end = memchr(s.data, 0, s.size);
	if (!end || end == s.data)
		return -ENOENT;
	crc_off = align_up((uint64_t)(end - (const char *)s.data) + 1, 4);
	if (crc_off > s.size || s.size - crc_off < sizeof(*ret_crc))
		return -ENOENT;
	*ret_name = s.data;
	memcpy(ret_crc, (const uint8_t *)s.data + crc_off, sizeof(*ret_crc));
	return 0;
}
