/*
 * Symbol tables: .symtab, then .dynsym; where a file has lost its section
 * headers, what the dynamic segment says (dynamic.c).
 *
 * A symbol may exist in several versions. The linker's choice for new programs
 * is the default one ("name@@V" in .symtab, no hidden bit in .gnu.version);
 * the others are marked `hidden`, so that a search does not end in a function
 * kept only for old programs.
 */
#include "elf/symbols.h"

#include <errno.h>
#include <string.h>

#define VERSYM_HIDDEN 0x8000
/* Where "@VERSION" is looked for: a hostile file may have many symbols share one huge name. */
#define NAME_MAX_BYTES 4096

uint32_t skep_elf_section_of_type(const struct skep_elf *elf, uint32_t type, Elf64_Shdr *ret)
{
	for (uint32_t i = 1; i < elf->n_sections; i++)
		if (skep_elf_shdr(elf, i, ret) && ret->sh_type == type)
			return i;
	return 0;
}

uint64_t skep_elf_sym_bytes(const struct skep_elf *elf)
{
	return elf->is64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
}

static void take_versions(const struct skep_elf *elf, struct skep_elf_symtab *table)
{
	Elf64_Shdr s;

	if (!skep_elf_section_of_type(elf, SHT_GNU_versym, &s) || s.sh_size / 2 < table->n)
		return;
	table->versions = skep_elf_bytes(elf, s.sh_offset, table->n * 2);
}

static bool take_table(const struct skep_elf *elf, uint32_t type, struct skep_elf_symtab *ret)
{
	uint64_t entry = skep_elf_sym_bytes(elf);
	struct skep_elf_symtab table = {0};
	Elf64_Shdr s;

	if (!skep_elf_section_of_type(elf, type, &s) || s.sh_entsize != entry)
		return false;
	table.n = s.sh_size / entry;
	if (table.n > ELF_MAX_SYMBOLS)
		table.n = ELF_MAX_SYMBOLS;
	table.syms = skep_elf_bytes(elf, s.sh_offset, table.n * entry);
	table.names = skep_elf_strings(elf, s.sh_link);
	if (!table.syms || !table.names.size)
		return false;
	if (type == SHT_DYNSYM)
		take_versions(elf, &table);
	*ret = table;
	return true;
}

Elf64_Sym skep_elf_read_sym(const struct skep_elf *elf, const uint8_t *syms, uint64_t i)
{
	Elf64_Sym sym;
	Elf32_Sym s;

	if (elf->is64) {
		memcpy(&sym, syms + i * sizeof(sym), sizeof(sym));
		return sym;
	}
	memcpy(&s, syms + i * sizeof(s), sizeof(s));
	return (Elf64_Sym){
		.st_name = s.st_name,
		.st_info = s.st_info,
		.st_other = s.st_other,
		.st_shndx = s.st_shndx,
		.st_value = s.st_value,
		.st_size = s.st_size,
	};
}

bool skep_elf_version_is_hidden(const void *version, const char *name)
{
	const char *at;
	uint16_t number;

	if (version) {
		memcpy(&number, version, 2);
		return number & VERSYM_HIDDEN;
	}
	at = memchr(name, '@', strnlen(name, NAME_MAX_BYTES));
	return at && at != name && at[1] != '@';
}

/* Sections, source files and thread-local variables have no address of their own. */
bool skep_elf_sym_has_address(const Elf64_Sym *sym)
{
	uint8_t type = ELF64_ST_TYPE(sym->st_info);

	return sym->st_shndx != SHN_UNDEF && type != STT_SECTION && type != STT_FILE &&
	       type != STT_TLS;
}

static int each_of_table(const struct skep_elf *elf, const struct skep_elf_symtab *table,
			 int (*fn)(void *ctx, const struct skep_elf_sym *sym), void *ctx)
{
	for (uint64_t i = 1; i < table->n; i++) {
		Elf64_Sym s = skep_elf_read_sym(elf, table->syms, i);
		const char *name = skep_elf_string(&table->names, s.st_name);
		struct skep_elf_sym sym;
		int err;

		if (!skep_elf_sym_has_address(&s) || !name[0])
			continue;
		sym = (struct skep_elf_sym){
			.name = name,
			.addr = s.st_value,
			.size = s.st_size,
			.type = ELF64_ST_TYPE(s.st_info),
			.bind = ELF64_ST_BIND(s.st_info),
			.section = s.st_shndx,
			.hidden = skep_elf_version_is_hidden(
				table->versions ? table->versions + i * 2 : NULL, name),
		};
		err = fn(ctx, &sym);
		if (err)
			return err;
	}
	return 0;
}

bool skep_elf_has_symtab(const struct skep_elf *elf)
{
	struct skep_elf_symtab table;

	return take_table(elf, SHT_SYMTAB, &table);
}

int skep_elf_for_each_symbol(const struct skep_elf *elf,
			     int (*fn)(void *ctx, const struct skep_elf_sym *sym), void *ctx)
{
	struct skep_elf_symtab table;
	int err = 0;

	if (take_table(elf, SHT_SYMTAB, &table))
		err = each_of_table(elf, &table, fn, ctx);
	if (err)
		return err;
	if (take_table(elf, SHT_DYNSYM, &table) || skep_elf_dynamic_symtab(elf, &table))
		err = each_of_table(elf, &table, fn, ctx);
	return err;
}

/* "memcpy" is also the name of "memcpy@@GLIBC_2.14". */
static bool same_name(const char *sym, const char *wanted, size_t len)
{
	return strncmp(sym, wanted, len) == 0 && (sym[len] == '\0' || sym[len] == '@');
}

struct search {
	const char *name;
	size_t len;
	bool functions_only;
	int rank; /* of best; 0: none yet */
	struct skep_elf_sym best;
};

static int rank_of(const struct search *search, const struct skep_elf_sym *sym)
{
	bool function = sym->type == STT_FUNC || sym->type == STT_GNU_IFUNC;

	if (search->functions_only && !function && sym->type != STT_NOTYPE)
		return 0;
	return 1 + 2 * !sym->hidden + 4 * (sym->type != STT_NOTYPE) + 8 * function;
}

static int consider(void *ctx, const struct skep_elf_sym *sym)
{
	struct search *search = ctx;
	int rank;

	if (!same_name(sym->name, search->name, search->len))
		return 0;
	rank = rank_of(search, sym);
	if (rank > search->rank) {
		search->rank = rank;
		search->best = *sym;
	}
	return 0;
}

static int find(const struct skep_elf *elf, const char *name, bool functions_only,
		struct skep_elf_sym *ret)
{
	struct search search = {
		.name = name,
		.len = strlen(name),
		.functions_only = functions_only,
	};

	skep_elf_for_each_symbol(elf, consider, &search);
	if (!search.rank)
		return -ENOENT;
	*ret = search.best;
	return 0;
}

int skep_elf_find_symbol(const struct skep_elf *elf, const char *name, struct skep_elf_sym *ret)
{
	return find(elf, name, true, ret);
}

int skep_elf_find_any_symbol(const struct skep_elf *elf, const char *name, struct skep_elf_sym *ret)
{
	return find(elf, name, false, ret);
}
