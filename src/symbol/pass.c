/*
 * Names places of a file in one pass over its symbols; see pass.h.
 *
 * Places are sorted by address. What starts at S matters to the first place at or behind S, and
 * through it to those further on; and as what comes next to the place before it. So each symbol is
 * noted at those two, and what is noted is carried along both ways in the end:
 *
 *	addresses   --------[S        E)-----------
 *	places         p0      p1   p2      p3
 *	S is noted     next    last
 *	carried                     last    last, which ended: only its end counts
 *
 * Only of those that hold a place (p1, p2) each must be told, which is one or two as a rule, but
 * may be all in a file that somebody made so: such steps are counted.
 */
#include "symbol/pass.h"

#include <elf.h>
#include <stdlib.h>

#include "symbol/code.h"
#include "symbol/table.h"

/** Symbols told to places, beyond the first for each. */
#define STEPS_MOST (16U << 20)

struct pass {
	struct skep_pass_place *places;
	size_t n; /* those with an address, which come first */
	struct skep_code code;
	const struct skep_elf_entries *entries; /* of the file that is gone through */
	uint32_t n_symbols, steps;
};

/* --- Places ---------------------------------------------------------------------------------- */

static bool find_segment(const struct skep_elf *elf, bool code, struct skep_pass_place *place)
{
	struct skep_elf_segment s;

	for (uint32_t i = 0; i < skep_elf_n_segments(elf); i++) {
		if (skep_elf_segment(elf, i, &s) < 0 || s.type != PT_LOAD ||
		    !!(s.flags & PF_X) != code || place->off < s.off ||
		    place->off - s.off >= s.file_bytes)
			continue;
		place->seg_off = s.off;
		place->seg_addr = s.addr;
		place->seg_bytes = s.file_bytes;
		place->addr = s.addr + (place->off - s.off);
		return true;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct skep_pass_place *x = a, *y = b;

	if (!x->seg_bytes != !y->seg_bytes)
		return x->seg_bytes ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

static void prepare(struct pass *pass, const struct skep_elf *elf, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct skep_pass_place *place = &pass->places[i];
		*place = (struct skep_pass_place){.off = place->off,
						  .tag = place->tag,
						  .from = place->off,
						  .to = place->off + 1,
						  .next = UINT64_MAX};
		if (!find_segment(elf, true, place))
			find_segment(elf, false, place);
		pass->n += place->seg_bytes != 0;
	}
	qsort(pass->places, n, sizeof(*pass->places), compare);
}

/* --- Symbols --------------------------------------------------------------------------------- */

/* The first place at or behind @addr. */
static size_t first_from(const struct pass *pass, uint64_t addr)
{
	size_t low = 0, high = pass->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (pass->places[mid].addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const char *name_of(struct skep_pass_symbol *symbol)
{
	struct skep_elf_sym sym;

	if (!symbol->name) {
		skep_elf_entries_symbol(symbol->of, &symbol->entry, &sym);
		symbol->name = sym.name;
		symbol->rank = skep_code_rank(&sym);
	}
	return symbol->name;
}

/* Closer is what starts later; of those that start together the one of the better name. */
static void prefer(struct skep_pass_symbol *known, struct skep_pass_symbol *symbol)
{
	if (known->of && symbol->start < known->start)
		return;
	/* a label may be one for the linker; a function never is */
	if (symbol->entry.type == STT_NOTYPE && !skep_code_is_name(name_of(symbol)))
		return;
	if (known->of && symbol->start == known->start) {
		name_of(known);
		name_of(symbol);
		if (symbol->rank <= known->rank)
			return;
	}
	*known = *symbol;
}

static int tell(void *ctx, const struct skep_elf_entry *entry)
{
	struct pass *pass = ctx;
	const struct skep_code_range *code =
		skep_code_may_be(entry->type) ? skep_code_at(&pass->code, entry->addr) : NULL;

	if (!code)
		return 0;
	if (++pass->n_symbols > SKEP_TABLE_MAX_SYMBOLS)
		return 1;
	uint64_t room = code->end - entry->addr;
	struct skep_pass_symbol symbol = {.start = entry->addr,
					  .end = entry->addr +
						 (entry->size < room ? entry->size : room),
					  .of = pass->entries,
					  .entry = *entry};
	size_t i = first_from(pass, symbol.start);
	if (i && symbol.start < pass->places[i - 1].next)
		pass->places[i - 1].next = symbol.start;
	if (i == pass->n)
		return 0;
	prefer(&pass->places[i].last, &symbol);
	if (symbol.end > symbol.start && symbol.end > pass->places[i].covered)
		pass->places[i].covered = symbol.end;
	for (; i < pass->n && pass->places[i].addr < symbol.end; i++) {
		prefer(&pass->places[i].held, &symbol);
		if (++pass->steps > STEPS_MOST)
			return 1;
	}
	return 0;
}

static void carry(struct pass *pass)
{
	struct skep_pass_place *places = pass->places;

	for (size_t i = 1; i < pass->n; i++) {
		if (places[i - 1].last.of)
			prefer(&places[i].last, &places[i - 1].last);
		if (places[i - 1].covered > places[i].covered)
			places[i].covered = places[i - 1].covered;
	}
	for (size_t i = pass->n; i-- > 1;) {
		if (places[i].next < places[i - 1].next)
			places[i - 1].next = places[i].next;
	}
}

/* --- Answers --------------------------------------------------------------------------------- */

/* As offsets, within the segment. */
static void put_range(struct skep_pass_place *place, uint64_t from, uint64_t to)
{
	uint64_t end = place->seg_addr + place->seg_bytes;

	from = from > place->seg_addr ? from : place->seg_addr;
	to = to < end ? to : end;
	if (from > place->addr || to <= place->addr) /* of a file that means no address */
		return;
	place->from = place->seg_off + (from - place->seg_addr);
	place->to = place->seg_off + (to - place->seg_addr);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static const char *shown(struct skep_pass_symbol *symbol)
{
	return skep_code_is_name(name_of(symbol)) ? symbol->name : NULL;
}

/* A label reaches to the next symbol, or its section's end; inside of a function it is none. */
static void answer(const struct pass *pass, struct skep_pass_place *place)
{
	struct skep_pass_symbol *held = &place->held, *last = &place->last;

	if (held->of) {
		place->name = shown(held);
		put_range(place, held->start == last->start ? held->start : place->addr,
			  least(held->end, place->next));
		return;
	}
	uint64_t from = last->of && last->start > place->covered ? last->start : place->covered;
	if (last->of && last->start == last->end && last->start >= place->covered) {
		uint64_t end = skep_code_at(&pass->code, last->start)->end;
		if (place->addr < end) {
			place->name = shown(last);
			put_range(place, last->start, least(place->next, end));
			return;
		}
		from = end;
	}
	put_range(place, from, place->next);
}

/* Return whether it was gone through. */
static bool go_through(struct pass *pass, const struct skep_elf *elf, struct skep_elf_entries *ret)
{
	skep_elf_entries_find(elf, ret);
	pass->entries = ret;
	return !skep_elf_entries_each(ret, tell, pass);
}

void skep_pass(const struct skep_elf *elf, const struct skep_elf *debug,
	       struct skep_pass_place *places, size_t n)
{
	struct pass pass = {.places = places};
	struct skep_elf_entries own, others;

	prepare(&pass, elf, n);
	skep_code_find(elf, &pass.code);
	if (!go_through(&pass, elf, &own) || (debug && !go_through(&pass, debug, &others)))
		return;
	carry(&pass);
	for (size_t i = 0; i < pass.n; i++)
		answer(&pass, &places[i]);
}
