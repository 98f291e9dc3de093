/*
 * Building a file's unwind table, see table.h.
 *
 * Rows come in the order of their addresses, and are written where they stay. At
 * one address the end of a function gives way to the beginning of the next.
 */
#include "unwind/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

#define BUCKETS    4096 /* a power of two */
#define NO_RULE    0
#define PAGE_BYTES (1u << SKEP_UNWIND_PAGE_BITS)
#define PAGES_MOST (1u << 24)
#define CHAIN_MOST 256 /* rules of one bucket: only who knows the hash has so many */

struct builder {
	const struct skep_cfi_machine *machine;
	SKEP_VEC(struct skep_unwind_row) rows;
	SKEP_VEC(uint32_t) pages; /* where in `rows` each begins, as far as they do */
	uint64_t first_page;
	uint32_t rule; /* that holds now */
	uint32_t n_rows_most;
	SKEP_VEC(struct skep_unwind_rule) rules;
	SKEP_VEC(uint32_t) next; /* of each rule: the next one in its bucket; 0: none */
	uint32_t buckets[BUCKETS];
	uint32_t last; /* rule that was met last */
	bool too_many;
};

/* --- Rules ------------------------------------------------------------------------------------ */

/*
 * A rule is made and compared as two words: writing its fields one by one, and reading them back
 * as words at once, is what a processor waits for.
 *
 *	words[0]  cfa | cfa_reg << 8 | fp << 16 | ra << 24 | cfa_off << 32
 *	words[1]  cfa_add | fp_off << 32 | base << 48
 */
union packed {
	uint64_t words[2];
	struct skep_unwind_rule rule;
};
_Static_assert(offsetof(struct skep_unwind_rule, ra) == 3 &&
		       offsetof(struct skep_unwind_rule, cfa_off) == 4 &&
		       offsetof(struct skep_unwind_rule, cfa_add) == 8 &&
		       offsetof(struct skep_unwind_rule, fp_off) == 12 &&
		       offsetof(struct skep_unwind_rule, base) == 14 &&
		       __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "as drawn");

static uint32_t bucket_of(const union packed *packed)
{
	uint64_t mixed = (packed->words[0] ^ packed->words[1] * 0x9e3779b97f4a7c15ull) *
			 0xff51afd7ed558ccdull;

	return (uint32_t)(mixed >> 32) % BUCKETS;
}

static bool is_same(const struct builder *b, uint32_t number, const union packed *packed)
{
	union packed other = {.rule = b->rules.data[number]};

	return other.words[0] == packed->words[0] && other.words[1] == packed->words[1];
}

static uint32_t number_of(struct builder *b, const union packed *packed)
{
	if ((uint8_t)packed->words[0] == SKEP_CFA_NONE)
		return NO_RULE;
	if (is_same(b, b->last, packed))
		return b->last;
	uint32_t *bucket = &b->buckets[bucket_of(packed)];
	uint32_t n = 0;
	for (uint32_t i = *bucket; i; i = b->next.data[i], n++) {
		if (is_same(b, i, packed))
			return b->last = i;
	}
	if (b->rules.len == SKEP_UNWIND_RULES_MOST || n == CHAIN_MOST) {
		b->too_many = true;
		return NO_RULE;
	}
	skep_vec_push(&b->rules, packed->rule);
	skep_vec_push(&b->next, *bucket);
	*bucket = (uint32_t)b->rules.len - 1;
	return b->last = *bucket;
}

static bool has_offset(const struct skep_cfi_row *row)
{
	return row->fp == SKEP_CFI_AT_CFA || row->fp == SKEP_CFI_AT_FP || row->fp == SKEP_CFI_AT_SP;
}

/* No compiler saves it further away: what does not fit is not followed. */
static bool fits(const struct skep_cfi_row *row)
{
	return row->fp_off >= INT16_MIN && row->fp_off <= INT16_MAX;
}

/* The one form of it that is walked: the caller's registers but for the stack pointer. */
static bool is_left_in_register(const struct builder *b, const struct skep_cfi_row *row)
{
	return row->cfa == SKEP_CFA_SP && row->fp == SKEP_CFI_SAME && row->ra_off != b->machine->sp;
}

/* What is of no use above the first frame, or not meant, is left out, so that rules are few. */
static union packed rule_of(const struct builder *b, const struct skep_cfi_row *row)
{
	int32_t ra_off = b->machine->ra_in_register ? row->ra_off : -8;
	uint32_t ra = row->ra, fp = row->fp, fp_off = 0;
	int32_t cfa_add = row->cfa_add;

	if (row->cfa == SKEP_CFA_NONE || row->cfa == SKEP_CFA_SIGNAL)
		return (union packed){.words = {row->cfa}};
	if (has_offset(row) && fits(row))
		fp_off = (uint16_t)row->fp_off;
	else if (has_offset(row))
		fp = SKEP_CFI_OTHER;
	if (ra == SKEP_CFI_AT_CFA && row->ra_off != ra_off)
		ra = SKEP_CFI_OTHER;
	if (ra == SKEP_CFI_IN_REG) {
		ra = is_left_in_register(b, row) ? SKEP_CFI_IN_REG : SKEP_CFI_OTHER;
		cfa_add = row->ra_off; /* of no use otherwise */
	}
	uint32_t kinds = row->cfa | (uint32_t)row->cfa_reg << 8 | fp << 16 | ra << 24;
	return (union packed){
		.words = {kinds | (uint64_t)(uint32_t)row->cfa_off << 32,
			  (uint32_t)cfa_add | (uint64_t)fp_off << 32 | (uint64_t)row->base << 48}};
}

/* --- Rows ------------------------------------------------------------------------------------- */

static bool push_row(struct builder *b, uint16_t low, uint32_t rule)
{
	if (b->rows.len >= b->n_rows_most)
		return false;
	skep_vec_push(&b->rows, ((struct skep_unwind_row){low, (uint16_t)rule}));
	return true;
}

/* Pages up to @page begin, each with the rule that holds there. */
static bool open_pages(struct builder *b, uint64_t page)
{
	if (!b->pages.len)
		b->first_page = page;
	if (page - b->first_page >= PAGES_MOST)
		return false;
	while (b->pages.len <= page - b->first_page) {
		skep_vec_push(&b->pages, (uint32_t)b->rows.len);
		if (!push_row(b, 0, b->rule))
			return false;
	}
	return true;
}

static bool put_row(struct builder *b, uint64_t addr, uint32_t rule)
{
	uint16_t low = (uint16_t)(addr & (PAGE_BYTES - 1));
	struct skep_unwind_row *last = skep_vec_last(&b->rows);

	if (last->low == low) { /* of this page, whose first row is at its beginning */
		last->rule = (uint16_t)rule;
		return true;
	}
	return rule == b->rule || push_row(b, low, rule);
}

static int take(void *ctx, const struct skep_cfi_row *row)
{
	struct builder *b = ctx;
	union packed rule = rule_of(b, row);
	uint32_t number = number_of(b, &rule);

	if (b->too_many || !open_pages(b, row->addr >> SKEP_UNWIND_PAGE_BITS) ||
	    !put_row(b, row->addr, number))
		return -E2BIG;
	b->rule = number;
	return 0;
}

static int build(struct builder *b, const struct skep_cfi_section *section, uint64_t *ret_skipped)
{
	struct skep_cfi_counts counts;
	int err;

	skep_vec_push(&b->rules, (struct skep_unwind_rule){.cfa = SKEP_CFA_NONE});
	skep_vec_push(&b->next, 0);
	/* Each function has a row at least, unless it lies in another one. */
	err = skep_cfi_read_sorted(section, b->n_rows_most, take, b, &counts);
	*ret_skipped = counts.n_skipped;
	if (err)
		return err;
	if (!b->pages.len)
		return counts.n_skipped ? -EBADMSG : -ENODATA;
	if (b->first_page > UINT32_MAX)
		return -E2BIG;
	skep_vec_push(&b->pages, (uint32_t)b->rows.len);
	return 0;
}

int skep_unwind_table_build(const struct skep_cfi_section *section, struct skep_unwind_table *ret)
{
	return skep_unwind_table_build_within(section, UINT32_MAX, ret);
}

int skep_unwind_table_build_within(const struct skep_cfi_section *section, uint32_t n_rows_most,
				   struct skep_unwind_table *ret)
{
	struct builder *b = skep_xcalloc(1, sizeof(*b));
	uint64_t n_skipped;

	b->n_rows_most = n_rows_most;
	b->machine = section->machine;
	int err = build(b, section, &n_skipped);
	if (!err)
		*ret = (struct skep_unwind_table){
			.rows = b->rows.data,
			.rules = b->rules.data,
			.pages = b->pages.data,
			.n_rows = (uint32_t)b->rows.len,
			.n_rules = (uint32_t)b->rules.len,
			.n_pages = (uint32_t)b->pages.len - 1,
			.first_page = (uint32_t)b->first_page,
			.n_skipped = n_skipped,
		};
	skep_vec_done(&b->next);
	if (err) {
		skep_vec_done(&b->rows);
		skep_vec_done(&b->rules);
		skep_vec_done(&b->pages);
	}
	free(b);
	return err;
}

void skep_unwind_table_done(struct skep_unwind_table *table)
{
	free(table->rows);
	free(table->rules);
	free(table->pages);
	*table = (struct skep_unwind_table){0};
}

const struct skep_unwind_rule *skep_unwind_table_find(const struct skep_unwind_table *table,
						      uint64_t addr)
{
	uint64_t page = (addr >> SKEP_UNWIND_PAGE_BITS) - table->first_page;
	uint16_t low = (uint16_t)(addr & (PAGE_BYTES - 1));

	if (page >= table->n_pages)
		return &table->rules[NO_RULE];
	uint32_t from = table->pages[page], to = table->pages[page + 1];
	while (to - from > 1) {
		uint32_t middle = from + (to - from) / 2;
		if (table->rows[middle].low <= low)
			from = middle;
		else
			to = middle;
	}
	return &table->rules[table->rows[from].rule];
}
