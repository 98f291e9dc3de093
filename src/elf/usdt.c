/*
 * USDT probes as SystemTap's <sys/sdt.h> writes them: notes owned by "stapsdt"
 * in sections called .note.stapsdt.
 *
 *	word       word       word        text
 *	+----------+----------+-----------+--------------+----------+----------+
 *	| address  | base     | semaphore | provider NUL | name NUL | args NUL |
 *	+----------+----------+-----------+--------------+----------+----------+
 *
 * `base` is where section .stapsdt.base was when the note was written; if that
 * section lies elsewhere now (prelink), addresses moved by the same distance.
 */
#include "elf/image.h"

#include <errno.h>
#include <string.h>

#define NT_STAPSDT        3
#define NOTES_MAX_BYTES   (64ULL << 20) /* in one section */
#define USDT_MAX_SECTIONS 64
#define USDT_MAX_PROBES   (128U << 10) /* in one file */

struct walk {
	const struct skep_elf *elf;
	uint64_t base;     /* address of .stapsdt.base; 0: none */
	uint32_t n_probes; /* so far */
	int (*fn)(void *ctx, const struct skep_elf_usdt *usdt);
	void *ctx;
};

static const char *take_string(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

static bool take_texts(const struct skep_elf_note *note, uint64_t skip, struct skep_elf_usdt *usdt)
{
	const char *at = (const char *)note->desc + skip;
	const char *end = (const char *)note->desc + note->desc_len;

	usdt->provider = take_string(&at, end);
	usdt->name = usdt->provider ? take_string(&at, end) : NULL;
	usdt->args = usdt->name ? take_string(&at, end) : NULL;
	return usdt->args && usdt->provider[0] && usdt->name[0];
}

/* @words: address, base, semaphore. A probe outside the file's code is none. */
static bool take_addresses(const struct walk *walk, const uint64_t words[3],
			   struct skep_elf_usdt *usdt)
{
	uint64_t moved = walk->base && words[1] ? walk->base - words[1] : 0;

	usdt->addr = words[0] + moved;
	usdt->semaphore_off = 0;
	if (words[2] && skep_elf_addr_to_off(walk->elf, words[2] + moved, &usdt->semaphore_off) < 0)
		return false;
	return skep_elf_addr_to_off(walk->elf, usdt->addr, &usdt->off) == 0;
}

static int take_note(void *ctx, const struct skep_elf_note *note)
{
	struct walk *walk = ctx;
	uint64_t word = walk->elf->is64 ? 8 : 4;
	uint64_t words[3] = {0};
	struct skep_elf_usdt usdt;

	if (note->type != NT_STAPSDT || note->owner_len != sizeof("stapsdt") ||
	    memcmp(note->owner, "stapsdt", sizeof("stapsdt")) != 0 || note->desc_len < 3 * word)
		return 0;
	if (walk->n_probes++ == USDT_MAX_PROBES)
		return -E2BIG;
	for (int i = 0; i < 3; i++)
		memcpy(&words[i], note->desc + (uint64_t)i * word, word);
	if (!take_texts(note, 3 * word, &usdt) || !take_addresses(walk, words, &usdt))
		return 0;
	return walk->fn(walk->ctx, &usdt);
}

static int walk_section(struct walk *walk, uint32_t i)
{
	const void *data;
	Elf64_Shdr s;

	if (!skep_elf_shdr(walk->elf, i, &s) || s.sh_type != SHT_NOTE ||
	    s.sh_size > NOTES_MAX_BYTES)
		return 0;
	data = skep_elf_bytes(walk->elf, s.sh_offset, s.sh_size);
	if (!data)
		return 0;
	return skep_elf_for_each_note(data, s.sh_size, s.sh_addralign == 8 ? 8 : 4, take_note,
				      walk);
}

int skep_elf_for_each_usdt(const struct skep_elf *elf,
			   int (*fn)(void *ctx, const struct skep_elf_usdt *usdt), void *ctx)
{
	struct walk walk = {.elf = elf, .fn = fn, .ctx = ctx};
	uint32_t n_seen = 0;
	Elf64_Shdr s;
	int err;

	if (skep_elf_shdr(elf, skep_elf_section_index(elf, ".stapsdt.base"), &s))
		walk.base = s.sh_addr;
	/* Relocatable links and section groups leave several sections of that name. */
	for (uint32_t i = 1; i < elf->n_sections && n_seen < USDT_MAX_SECTIONS; i++) {
		if (!skep_elf_shdr(elf, i, &s) ||
		    strcmp(skep_elf_string(&elf->names, s.sh_name), ".note.stapsdt") != 0)
			continue;
		n_seen++;
		err = walk_section(&walk, i);
		if (err)
			return err;
	}
	return 0;
}
