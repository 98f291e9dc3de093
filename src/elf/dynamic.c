/*
 * The dynamic symbol table of a file without section headers, found the way
 * the program's loader finds it: PT_DYNAMIC names the addresses of symbols and
 * strings, and one of the two hash tables tells how many symbols there are.
 */
#include "elf/symbols.h"

#include <string.h>

#define DYNAMIC_MAX_ENTRIES 4096U
#define DYNAMIC_MAX_NEEDED  256U

struct dynamic {
	uint64_t symtab, strtab, strsz, hash, gnu_hash; /* addresses; 0: absent */
	uint64_t needed[DYNAMIC_MAX_NEEDED];            /* offsets in strtab */
	uint32_t n_needed;
};

static void take_needed(struct dynamic *dyn, uint64_t name)
{
	if (dyn->n_needed < DYNAMIC_MAX_NEEDED)
		dyn->needed[dyn->n_needed++] = name;
}

static void take_entry(struct dynamic *dyn, uint64_t tag, uint64_t value)
{
	switch (tag) {
	case DT_SYMTAB: dyn->symtab = value; break;
	case DT_STRTAB: dyn->strtab = value; break;
	case DT_STRSZ: dyn->strsz = value; break;
	case DT_HASH: dyn->hash = value; break;
	case DT_GNU_HASH: dyn->gnu_hash = value; break;
	case DT_NEEDED: take_needed(dyn, value); break;
	default: break;
	}
}

static bool read_entries(const struct skep_elf *elf, const Elf64_Phdr *p, struct dynamic *dyn)
{
	uint64_t word = elf->is64 ? 8 : 4;
	uint64_t n = p->p_filesz / (2 * word);
	const uint8_t *at;

	n = n < DYNAMIC_MAX_ENTRIES ? n : DYNAMIC_MAX_ENTRIES;
	at = skep_elf_bytes(elf, p->p_offset, n * 2 * word);
	if (!at)
		return false;
	for (uint64_t i = 0; i < n; i++, at += 2 * word) {
		uint64_t tag = 0, value = 0;

		memcpy(&tag, at, word);
		memcpy(&value, at + word, word);
		if (tag == DT_NULL)
			break;
		take_entry(dyn, tag, value);
	}
	return dyn->symtab && dyn->strtab && dyn->strsz;
}

static bool read_dynamic(const struct skep_elf *elf, struct dynamic *dyn)
{
	Elf64_Phdr p;

	for (uint32_t i = 0; i < elf->n_segments; i++)
		if (skep_elf_phdr(elf, i, &p) && p.p_type == PT_DYNAMIC)
			return read_entries(elf, &p, dyn);
	return false;
}

static const void *bytes_at(const struct skep_elf *elf, uint64_t addr, uint64_t len)
{
	uint64_t off;

	return skep_elf_addr_to_off(elf, addr, &off) < 0 ? NULL : skep_elf_bytes(elf, off, len);
}

static bool word_at(const struct skep_elf *elf, uint64_t addr, uint32_t *ret)
{
	const void *at = bytes_at(elf, addr, sizeof(*ret));

	if (at)
		memcpy(ret, at, sizeof(*ret));
	return at;
}

/* DT_HASH: n_buckets, n_chains, …; there is one chain entry a symbol. */
static uint64_t count_by_hash(const struct skep_elf *elf, uint64_t addr)
{
	uint32_t n = 0;

	return addr && word_at(elf, addr + 4, &n) ? n : 0;
}

/* One past the last symbol of the chain that symbol @at is in; chains start at @off with @first. */
static uint64_t chain_end(const struct skep_elf *elf, uint64_t off, uint32_t first, uint32_t at)
{
	for (; at < ELF_MAX_SYMBOLS; at++) {
		const void *word = skep_elf_bytes(elf, off + 4ULL * (at - first), 4);
		uint32_t hash;

		if (!word)
			return 0;
		memcpy(&hash, word, sizeof(hash));
		if (hash & 1)
			return at + 1ULL;
	}
	return 0;
}

/*
 * DT_GNU_HASH: n_buckets, first hashed symbol, n_bloom, shift, bloom words,
 * buckets, chains. The last symbol is the end of the chain that starts last;
 * a chain's end has its lowest bit set.
 */
static uint64_t count_by_gnu_hash(const struct skep_elf *elf, uint64_t addr)
{
	uint32_t n_buckets, first, n_bloom, last = 0;
	const uint8_t *buckets;
	uint64_t off;

	if (!addr || !word_at(elf, addr, &n_buckets) || !word_at(elf, addr + 4, &first) ||
	    !word_at(elf, addr + 8, &n_bloom) || n_buckets > ELF_MAX_SYMBOLS)
		return 0;
	addr += 16 + (uint64_t)n_bloom * (elf->is64 ? 8 : 4);
	if (skep_elf_addr_to_off(elf, addr, &off) < 0)
		return 0;
	buckets = skep_elf_bytes(elf, off, 4ULL * n_buckets);
	for (uint32_t i = 0; buckets && i < n_buckets; i++) {
		uint32_t bucket;

		memcpy(&bucket, buckets + 4ULL * i, sizeof(bucket));
		last = bucket > last ? bucket : last;
	}
	return last < first ? first : chain_end(elf, off + 4ULL * n_buckets, first, last);
}

static bool take_strings(const struct skep_elf *elf, const struct dynamic *dyn,
			 struct skep_elf_strings *ret)
{
	const char *data = bytes_at(elf, dyn->strtab, dyn->strsz);
	const char *last = data ? memrchr(data, 0, dyn->strsz) : NULL;

	if (!last)
		return false;
	ret->data = data;
	ret->size = (uint64_t)(last - data) + 1;
	return true;
}

bool skep_elf_dynamic_symtab(const struct skep_elf *elf, struct skep_elf_symtab *ret)
{
	struct skep_elf_symtab table = {0};
	struct dynamic dyn = {0};

	if (!read_dynamic(elf, &dyn))
		return false;
	table.n = count_by_hash(elf, dyn.hash);
	if (!table.n)
		table.n = count_by_gnu_hash(elf, dyn.gnu_hash);
	if (!table.n || table.n > ELF_MAX_SYMBOLS)
		return false;
	table.syms = bytes_at(elf, dyn.symtab, table.n * skep_elf_sym_bytes(elf));
	if (!table.syms || !take_strings(elf, &dyn, &table.names))
		return false;
	*ret = table;
	return true;
}

void skep_elf_for_each_needed(const struct skep_elf *elf, void (*fn)(void *ctx, const char *name),
			      void *ctx)
{
	struct skep_elf_strings names;
	struct dynamic dyn = {0};

	if (!read_dynamic(elf, &dyn) || !take_strings(elf, &dyn, &names))
		return;
	for (uint32_t i = 0; i < dyn.n_needed; i++) {
		const char *name = skep_elf_string(&names, dyn.needed[i]);
		if (name[0])
			fn(ctx, name);
	}
}
