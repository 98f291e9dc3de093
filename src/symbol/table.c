/*
 * Builds and searches the table of one file's functions; see table.h.
 *
 * Symbols are gathered, sorted, and then settled in one pass over ascending
 * addresses: of those at one address the best stays; one without size reaches
 * to the next symbol or the end of its section; one without size inside a
 * sized one is a label and goes.
 */
#include "symbol/table.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <skep/elf.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/vec.h"
#include "symbol/code.h"

/* How many functions that start before an address may be looked at for one that holds it. */
#define LOOK_BACK 16

struct candidate {
	uint64_t addr, size;
	const char *name; /* borrowed from the image */
	uint32_t rank, order;
};

struct build {
	struct skep_code code;
	SKEP_VEC(struct candidate) candidates;
};

static int gather(void *ctx, const struct skep_elf_sym *sym)
{
	struct build *build = ctx;

	if (!skep_code_may_be(sym->type) || !skep_code_is_name(sym->name) ||
	    !skep_code_at(&build->code, sym->addr))
		return 0;
	if (build->candidates.len == SKEP_TABLE_MAX_SYMBOLS)
		return 1;
	skep_vec_push(&build->candidates, ((struct candidate){
						  .addr = sym->addr,
						  .size = sym->size,
						  .name = sym->name,
						  .rank = skep_code_rank(sym),
						  .order = (uint32_t)build->candidates.len,
					  }));
	return 0;
}

/* The best of one address first. */
static int compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Keep the first of each address, and no label inside a function. Returns how many stay. */
static size_t thin_out(struct candidate *data, size_t n)
{
	uint64_t covered = 0;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept && data[kept - 1].addr == data[i].addr)
			continue;
		if (!data[i].size && data[i].addr < covered)
			continue;
		if (data[i].size && data[i].addr + data[i].size > covered)
			covered = data[i].addr + data[i].size;
		data[kept++] = data[i];
	}
	return kept;
}

/* Never past the end of its section; without a size of its own, never past the next one. */
static uint32_t size_of(const struct build *build, size_t i, size_t n)
{
	const struct candidate *c = &build->candidates.data[i];
	const struct skep_code_range *code = skep_code_at(&build->code, c->addr);
	uint64_t room = code ? code->end - c->addr : 1;
	uint64_t size = c->size ? c->size : room;

	if (!c->size && i + 1 < n && c[1].addr - c->addr < size)
		size = c[1].addr - c->addr;
	if (size > room)
		size = room;
	return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

static void settle(struct build *build, struct skep_table *ret)
{
	struct candidate *data = build->candidates.data;
	struct skep_buf names = {0};
	size_t n = build->candidates.len;

	if (!n)
		return;
	qsort(data, n, sizeof(*data), compare);
	n = thin_out(data, n);
	ret->entries = skep_xcalloc(n, sizeof(*ret->entries));
	for (size_t i = 0; i < n && names.len < SKEP_TABLE_MAX_NAME_BYTES; i++) {
		ret->entries[ret->n++] = (struct skep_table_entry){
			.addr = data[i].addr,
			.size = size_of(build, i, n),
			.name = (uint32_t)names.len,
		};
		skep_buf_add(&names, data[i].name, strnlen(data[i].name, SKEP_TABLE_MAX_NAME_LEN));
		skep_buf_addc(&names, '\0');
	}
	ret->names = skep_xrealloc(names.data, names.len);
	ret->names_bytes = names.len;
}

static void take_segments(const struct skep_elf *elf, bool code, struct skep_table *ret)
{
	struct skep_elf_segment s;

	for (uint32_t i = 0; i < skep_elf_n_segments(elf); i++) {
		if (skep_elf_segment(elf, i, &s) < 0 || s.type != PT_LOAD ||
		    !!(s.flags & PF_X) != code || ret->n_segments == SKEP_TABLE_MAX_SEGMENTS)
			continue;
		ret->segments[ret->n_segments++] =
			(struct skep_table_segment){s.off, s.addr, s.file_bytes};
	}
}

static void take_build_id(const struct skep_elf *elf, struct skep_table *table)
{
	const uint8_t *id;

	table->build_id_bytes = (uint32_t)skep_elf_build_id(elf, &id);
	if (table->build_id_bytes)
		memcpy(table->build_id, id, table->build_id_bytes);
}

void skep_table_build_head(const struct skep_elf *elf, struct skep_table *ret)
{
	*ret = (struct skep_table){0};
	take_segments(elf, true, ret);
	take_segments(elf, false, ret);
	take_build_id(elf, ret);
}

void skep_table_build(const struct skep_elf *elf, const struct skep_elf *debug,
		      struct skep_table *ret)
{
	_cleanup_free_ struct build *build = skep_xcalloc(1, sizeof(*build));

	skep_table_build_head(elf, ret);
	skep_code_find(elf, &build->code);
	skep_elf_for_each_symbol(elf, gather, build);
	if (debug)
		skep_elf_for_each_symbol(debug, gather, build);
	settle(build, ret);
	skep_vec_done(&build->candidates);
}

void skep_table_done(struct skep_table *table)
{
	free(table->entries);
	free(table->names);
	*table = (struct skep_table){0};
}

size_t skep_table_memory(const struct skep_table *table)
{
	return sizeof(*table) + table->n * sizeof(*table->entries) + table->names_bytes;
}

int skep_table_off_to_addr(const struct skep_table *table, uint64_t off, uint64_t *ret_addr)
{
	for (uint32_t i = 0; i < table->n_segments; i++) {
		const struct skep_table_segment *s = &table->segments[i];

		if (off >= s->off && off - s->off < s->bytes) {
			*ret_addr = s->addr + (off - s->off);
			return 0;
		}
	}
	return -ENOENT;
}

const char *skep_table_find(const struct skep_table *table, uint64_t addr, uint64_t *ret_start)
{
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (table->entries[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low; i > 0 && low - i < LOOK_BACK; i--) {
		const struct skep_table_entry *entry = &table->entries[i - 1];

		if (addr - entry->addr < entry->size) {
			*ret_start = entry->addr;
			return table->names + entry->name;
		}
	}
	return NULL;
}
