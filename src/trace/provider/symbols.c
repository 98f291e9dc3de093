/*
 * Functions of a binary. Symbols come as they lie in the file; several may name
 * one address (malloc and __libc_malloc), and some have no size, so a function
 * ends where its size says, or the next one starts, or its section ends.
 */
#include "trace/provider/symbols.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/symbol.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"

void skep_funcs_done(struct skep_funcs *funcs)
{
	skep_vec_done(funcs);
}

static bool is_func(const struct skep_elf_sym *sym)
{
	return (sym->type == STT_FUNC || sym->type == STT_GNU_IFUNC) && sym->name[0];
}

/* --- Names ---------------------------------------------------------------------------------- */

/* Length of @name without its parameters: up to the bracket that the last one closes, if only
 * qualifiers follow. */
static size_t len_without_params(const char *name)
{
	const char *close = strrchr(name, ')'), *open = close;
	int depth = 0;

	if (!close || (close[1] && close[1] != ' '))
		return strlen(name);
	do {
		depth += *open == ')' ? 1 : *open == '(' ? -1 : 0;
	} while (depth && open-- > name);
	return depth || open == name ? strlen(name) : (size_t)(open - name);
}

/* Old Rust names end in a hash: "::h0123456789abcdef". */
static size_t len_without_hash(const char *name, size_t len)
{
	if (len < 20 || memcmp(name + len - 19, "::h", 3) != 0)
		return len;
	for (size_t i = len - 16; i < len; i++) {
		if (!isxdigit((unsigned char)name[i]))
			return len;
	}
	return len - 19;
}

bool skep_demangled_match(const char *pattern, const char *name)
{
	_cleanup_free_ char *bare = NULL;

	if (skep_wildcard_match(pattern, name))
		return true;
	size_t len = len_without_hash(name, len_without_params(name));
	bare = skep_xstrdup(name);
	bare[len] = '\0';
	return skep_wildcard_match(pattern, bare);
}

static bool may_be_mangled(const char *name)
{
	return name[0] == '_' &&
	       (name[1] == 'Z' || name[1] == 'R' || (name[1] == '_' && name[2] == 'Z'));
}

static const char *shown_name(struct skep_arena *arena, const char *name)
{
	_cleanup_free_ char *demangled = may_be_mangled(name) ? skep_demangle(name) : NULL;

	return demangled ? skep_arena_strdup(arena, demangled) : name;
}

/* --- Matching ------------------------------------------------------------------------------- */

struct match {
	struct skep_arena *arena;
	const char *pattern;
	bool demangle;
	struct skep_funcs *ret;
};

static bool matches(const struct match *m, const char *name)
{
	_cleanup_free_ char *demangled = NULL;

	if (!m->demangle)
		return skep_wildcard_match(m->pattern, name);
	demangled = may_be_mangled(name) ? skep_demangle(name) : NULL;
	return demangled && skep_demangled_match(m->pattern, demangled);
}

static int add_match(void *ctx, const struct skep_elf_sym *sym)
{
	const struct match *m = ctx;

	if (!is_func(sym) || !matches(m, sym->name))
		return 0;
	struct skep_func *func = skep_vec_add(m->ret);
	func->name = skep_arena_strdup(m->arena, sym->name);
	func->shown = func->name;
	func->addr = sym->addr;
	func->end = sym->addr + sym->size;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct skep_func *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : (left->addr > right->addr) - (left->addr < right->addr);
}

/* Of several names the plainest first: few leading underscores, short. */
static int compare_addrs(const void *a, const void *b)
{
	const struct skep_func *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	size_t marks_left = strspn(left->name, "_"), marks_right = strspn(right->name, "_");
	if (marks_left != marks_right)
		return marks_left < marks_right ? -1 : 1;
	size_t len_left = strlen(left->name), len_right = strlen(right->name);
	if (len_left != len_right)
		return len_left < len_right ? -1 : 1;
	return strcmp(left->name, right->name);
}

/* Drop what has the same name, or the same address, as the one before. */
static void drop_repeated(struct skep_funcs *funcs, bool by_addr)
{
	size_t n = 0;

	for (size_t i = 0; i < funcs->len; i++) {
		const struct skep_func *last = n ? &funcs->data[n - 1] : NULL;
		if (last && (by_addr ? last->addr == funcs->data[i].addr
				     : !strcmp(last->name, funcs->data[i].name)))
			continue;
		funcs->data[n++] = funcs->data[i];
	}
	funcs->len = n;
}

static void sort(struct skep_funcs *funcs, int (*compare)(const void *, const void *))
{
	if (funcs->len)
		qsort(funcs->data, funcs->len, sizeof(*funcs->data), compare);
}

void skep_funcs_match(struct skep_arena *arena, const struct skep_elf *elf, const char *pattern,
		      bool demangle, bool each_once, struct skep_funcs *ret)
{
	struct match m = {arena, pattern, demangle, ret};

	skep_elf_for_each_symbol(elf, add_match, &m);
	if (each_once) {
		sort(ret, compare_addrs);
		drop_repeated(ret, true);
	}
	sort(ret, compare_names);
	drop_repeated(ret, false);
	for (size_t i = 0; demangle && i < ret->len; i++)
		ret->data[i].shown = shown_name(arena, ret->data[i].name);
}

/* --- Single functions ----------------------------------------------------------------------- */

bool skep_elf_is_code(const struct skep_elf *elf, uint64_t addr)
{
	struct skep_elf_section section;
	uint32_t n = skep_elf_n_sections(elf);
	uint64_t off;

	for (uint32_t i = 0; i < n; i++) {
		if (!skep_elf_section_info(elf, i, &section) && (section.flags & SHF_EXECINSTR) &&
		    addr >= section.addr && addr - section.addr < section.size)
			return true;
	}
	return n == 0 && !skep_elf_addr_to_off(elf, addr, &off);
}

struct next_func {
	uint64_t addr, next;
};

static int note_next(void *ctx, const struct skep_elf_sym *sym)
{
	struct next_func *find = ctx;

	if (is_func(sym) && sym->addr > find->addr && sym->addr < find->next)
		find->next = sym->addr;
	return 0;
}

/* For functions written in assembler, without a size. */
static uint64_t find_end(const struct skep_elf *elf, uint64_t addr)
{
	struct next_func find = {addr, UINT64_MAX};
	struct skep_elf_section section;

	skep_elf_for_each_symbol(elf, note_next, &find);
	for (uint32_t i = 0; i < skep_elf_n_sections(elf); i++) {
		if (skep_elf_section_info(elf, i, &section) || addr < section.addr ||
		    addr - section.addr >= section.size)
			continue;
		if (section.addr + section.size < find.next)
			find.next = section.addr + section.size;
	}
	return find.next == UINT64_MAX ? addr : find.next;
}

static void fill(struct skep_arena *arena, const struct skep_elf *elf,
		 const struct skep_elf_sym *sym, struct skep_func *ret)
{
	ret->name = skep_arena_strdup(arena, sym->name);
	ret->shown = shown_name(arena, ret->name);
	ret->addr = sym->addr;
	ret->end = sym->size ? sym->addr + sym->size : find_end(elf, sym->addr);
}

int skep_funcs_find(struct skep_arena *arena, const struct skep_elf *elf, const char *name,
		    struct skep_func *ret)
{
	struct skep_elf_sym sym;
	int err = skep_elf_find_symbol(elf, name, &sym);

	if (!err)
		fill(arena, elf, &sym, ret);
	return err;
}

struct by_addr {
	uint64_t addr;
	struct skep_elf_sym sym;
	bool found;
};

static int note_at(void *ctx, const struct skep_elf_sym *sym)
{
	struct by_addr *find = ctx;
	uint64_t size = sym->size ? sym->size : 1;

	if (!is_func(sym) || find->addr < sym->addr || find->addr - sym->addr >= size)
		return 0;
	find->sym = *sym;
	find->found = true;
	return 1;
}

int skep_funcs_find_addr(struct skep_arena *arena, const struct skep_elf *elf, uint64_t addr,
			 struct skep_func *ret)
{
	struct by_addr find = {.addr = addr};

	skep_elf_for_each_symbol(elf, note_at, &find);
	if (!find.found)
		return -ENOENT;
	fill(arena, elf, &find.sym, ret);
	return 0;
}
