/* Symbols without names, see skep/elf.h. What symbols are is symbols.c's; this only reads less. */

#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "elf/symbols.h"

#define PIECE          2048 /* entries read at a time: 48 KiB */
#define NAME_MAX_BYTES 4096
#define NAME_STEP      64

static bool is_in_file(const struct skep_elf *elf, uint64_t off, uint64_t bytes)
{
	return off <= elf->size && bytes <= elf->size - off;
}

static void find_table(const struct skep_elf *elf, int i, uint32_t type,
		       struct skep_elf_entries *ret)
{
	uint64_t bytes = skep_elf_sym_bytes(elf);
	Elf64_Shdr s, names, versions;

	if (!skep_elf_section_of_type(elf, type, &s) || s.sh_entsize != bytes ||
	    !skep_elf_shdr(elf, s.sh_link, &names) || !s.sh_link || names.sh_type != SHT_STRTAB)
		return;
	uint64_t n = s.sh_size / bytes < ELF_MAX_SYMBOLS ? s.sh_size / bytes : ELF_MAX_SYMBOLS;
	if (!is_in_file(elf, s.sh_offset, n * bytes) ||
	    !is_in_file(elf, names.sh_offset, names.sh_size) || !names.sh_size)
		return;
	ret->tables[i].off = s.sh_offset;
	ret->tables[i].n = n;
	ret->tables[i].names_off = names.sh_offset;
	ret->tables[i].names_bytes = names.sh_size;
	if (type == SHT_DYNSYM && skep_elf_section_of_type(elf, SHT_GNU_versym, &versions) &&
	    versions.sh_size / 2 >= n)
		ret->tables[i].versions_off = versions.sh_offset;
}

/* The table lies in what was read of the file. */
static void find_dynamic(const struct skep_elf *elf, struct skep_elf_entries *ret)
{
	struct skep_elf_symtab table;

	if (!skep_elf_dynamic_symtab(elf, &table))
		return;
	ret->tables[1].off = (uint64_t)(table.syms - elf->data);
	ret->tables[1].n = table.n;
	ret->tables[1].names_off = (uint64_t)((const uint8_t *)table.names.data - elf->data);
	ret->tables[1].names_bytes = table.names.size;
	if (table.versions)
		ret->tables[1].versions_off = (uint64_t)(table.versions - elf->data);
}

void skep_elf_entries_find(const struct skep_elf *elf, struct skep_elf_entries *ret)
{
	*ret = (struct skep_elf_entries){.elf = elf};
	find_table(elf, 0, SHT_SYMTAB, ret);
	find_table(elf, 1, SHT_DYNSYM, ret);
	if (!ret->tables[1].n)
		find_dynamic(elf, ret);
}

/* --- Entries --------------------------------------------------------------------------------- */

static int each_of_piece(const struct skep_elf_entries *entries, uint8_t table,
			 const uint8_t *piece, uint64_t first, uint64_t n,
			 int (*fn)(void *ctx, const struct skep_elf_entry *entry), void *ctx)
{
	for (uint64_t i = first ? 0 : 1; i < n; i++) { /* the first of all is none */
		Elf64_Sym s = skep_elf_read_sym(entries->elf, piece, i);
		struct skep_elf_entry entry = {.addr = s.st_value,
					       .size = s.st_size,
					       .type = ELF64_ST_TYPE(s.st_info),
					       .bind = ELF64_ST_BIND(s.st_info),
					       .table = table,
					       .section = s.st_shndx,
					       .name_off = s.st_name,
					       .number = (uint32_t)(first + i)};
		if (!skep_elf_sym_has_address(&s) ||
		    s.st_name >= entries->tables[table].names_bytes)
			continue;
		int err = fn(ctx, &entry);
		if (err)
			return err;
	}
	return 0;
}

static int each_of_table(const struct skep_elf_entries *entries, uint8_t table,
			 int (*fn)(void *ctx, const struct skep_elf_entry *entry), void *ctx)
{
	uint64_t bytes = skep_elf_sym_bytes(entries->elf), n = entries->tables[table].n;
	_cleanup_free_ uint8_t *piece = n ? skep_xmalloc(PIECE * bytes) : NULL;

	for (uint64_t at = 0; at < n; at += PIECE) {
		uint64_t some = n - at < PIECE ? n - at : PIECE;
		if (!skep_elf_copy(entries->elf, entries->tables[table].off + at * bytes,
				   some * bytes, piece))
			return 0;
		int err = each_of_piece(entries, table, piece, at, some, fn, ctx);
		if (err)
			return err;
	}
	return 0;
}

int skep_elf_entries_each(const struct skep_elf_entries *entries,
			  int (*fn)(void *ctx, const struct skep_elf_entry *entry), void *ctx)
{
	int err = each_of_table(entries, 0, fn, ctx);

	return err ? err : each_of_table(entries, 1, fn, ctx);
}

/* --- Names ----------------------------------------------------------------------------------- */

/* As much as it takes to its NUL, which must lie in the table. */
static const char *name_at(const struct skep_elf_entries *entries, uint8_t table, uint64_t off)
{
	uint64_t room = entries->tables[table].names_bytes - off;

	for (uint64_t len = NAME_STEP; len <= NAME_MAX_BYTES; len *= 4) {
		uint64_t some = len < room ? len : room;
		const char *name =
			skep_elf_bytes(entries->elf, entries->tables[table].names_off + off, some);
		if (!name)
			break;
		if (memchr(name, 0, some))
			return name;
		if (some == room)
			break;
	}
	return "";
}

static bool is_hidden(const struct skep_elf_entries *entries, const struct skep_elf_entry *entry,
		      const char *name)
{
	uint64_t versions_off = entries->tables[entry->table].versions_off;
	const void *at =
		versions_off ? skep_elf_bytes(entries->elf, versions_off + 2ull * entry->number, 2)
			     : NULL;

	return skep_elf_version_is_hidden(at, name);
}

void skep_elf_entries_symbol(const struct skep_elf_entries *entries,
			     const struct skep_elf_entry *entry, struct skep_elf_sym *ret)
{
	const char *name = name_at(entries, entry->table, entry->name_off);

	*ret = (struct skep_elf_sym){
		.name = name,
		.addr = entry->addr,
		.size = entry->size,
		.type = entry->type,
		.bind = entry->bind,
		.section = entry->section,
		.hidden = is_hidden(entries, entry, name),
	};
}
