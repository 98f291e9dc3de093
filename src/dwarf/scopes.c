/*
 * A unit's functions: its entries are walked once, in the order they lie in, which is that of a
 * tree from its root on. Of each function and each inlined call the stretches of code are kept.
 *
 * Whatever else entries nest in (blocks, name spaces, classes) does not count: what a call is
 * inlined into is the closest function or inlined call around it.
 *
 * Invariant: a scope's stretches, and those of all that is in it, are [first, end) of the list.
 */
#include "dwarf/scopes.h"

#include <errno.h>

#include "dwarf/impl.h"
#include "dwarf/ranges.h"

#define DEPTH_MOST  1024
#define SCOPES_MOST (4u << 20)
#define LOOK_BACK   64 /* functions that begin before an address and may hold it */

struct level {
	uint32_t scope; /* closest around this level's entries */
	uint32_t own;   /* whose children these are, if that is a scope; else DWARF_NO_SCOPE */
};

struct walk {
	const struct skep_dwarf_unit *unit;
	struct skep_dwarf_scopes *scopes;
	struct level levels[DEPTH_MOST];
	uint32_t depth;
};

static void add_stretch(void *ctx, uint64_t low, uint64_t high)
{
	struct walk *walk = ctx;
	struct skep_dwarf_scopes *scopes = walk->scopes;

	if (scopes->stretches.len == DWARF_RANGES_MOST)
		skep_dwarf_wrong(&walk->unit->dwarf->input, "it has more ranges than are read");
	else
		skep_vec_push(&scopes->stretches, ((struct skep_dwarf_stretch){
							  .low = low,
							  .high = high,
							  .scope = (uint32_t)scopes->list.len - 1,
						  }));
}

static bool is_scope(const struct skep_dwarf_entry *entry)
{
	return entry->abbrev->tag == DW_TAG_subprogram ||
	       entry->abbrev->tag == DW_TAG_inlined_subroutine;
}

/* A scope that covers nothing is kept as long as there are scopes in it. */
static uint32_t add_scope(struct walk *walk, struct skep_dwarf_entry *entry, uint64_t off)
{
	struct skep_dwarf_scopes *scopes = walk->scopes;
	bool is_inlined = entry->abbrev->tag == DW_TAG_inlined_subroutine;
	struct skep_dwarf_extent extent = {0};
	struct skep_dwarf_value value;
	struct skep_dwarf_scope scope = {
		.outer = is_inlined ? walk->levels[walk->depth].scope : DWARF_NO_SCOPE,
		.entry = (uint32_t)(off - walk->unit->off),
		.first = (uint32_t)scopes->stretches.len,
	};

	while (skep_dwarf_entry_next(entry, &value)) {
		skep_dwarf_extent_add(&extent, &value);
		if (value.name == DW_AT_call_file)
			scope.call_file = (uint32_t)value.n;
		else if (value.name == DW_AT_call_line)
			scope.call_line = (uint32_t)value.n;
	}
	skep_vec_push(&scopes->list, scope);
	skep_dwarf_extent_each(walk->unit, &extent, add_stretch, walk);
	return (uint32_t)scopes->list.len - 1;
}

static void end_scope(struct walk *walk, uint32_t scope)
{
	if (scope != DWARF_NO_SCOPE)
		walk->scopes->list.data[scope].end = (uint32_t)walk->scopes->stretches.len;
}

static void leave(struct walk *walk)
{
	end_scope(walk, walk->levels[walk->depth].own);
	walk->depth--;
}

static bool enter(struct walk *walk, uint32_t own)
{
	if (walk->depth + 1 == DEPTH_MOST)
		return false;
	uint32_t around = walk->levels[walk->depth].scope;
	walk->levels[++walk->depth] = (struct level){
		.scope = own == DWARF_NO_SCOPE ? around : own,
		.own = own,
	};
	return true;
}

/* One entry; moves @off behind it. False: it makes no sense. */
static bool walk_entry(struct walk *walk, uint64_t *off)
{
	struct skep_dwarf_entry entry;
	uint32_t own = DWARF_NO_SCOPE;

	if (!skep_dwarf_entry_at(walk->unit, *off, &entry))
		return false;
	if (walk->scopes->list.len == SCOPES_MOST) {
		skep_dwarf_wrong(&walk->unit->dwarf->input, "it has more functions than are read");
		return false;
	}
	if (entry.abbrev && is_scope(&entry))
		own = add_scope(walk, &entry, *off);
	else
		skep_dwarf_entry_skip(&entry);
	*off = walk->unit->off + (uint64_t)(entry.r.at - walk->unit->bytes);
	if (!entry.abbrev && !walk->depth)
		return false; /* the end of a list that has not begun */
	if (!entry.abbrev)
		leave(walk);
	else if (entry.abbrev->has_children)
		return enter(walk, own) && !entry.r.is_bad;
	else
		end_scope(walk, own);
	return !entry.r.is_bad;
}

static int by_low(const void *a, const void *b)
{
	const struct skep_dwarf_stretch *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return (x->scope > y->scope) - (x->scope < y->scope);
}

static void gather_functions(struct skep_dwarf_scopes *scopes)
{
	skep_vec_foreach (struct skep_dwarf_stretch, stretch, &scopes->stretches) {
		if (scopes->list.data[stretch->scope].outer == DWARF_NO_SCOPE)
			skep_vec_push(&scopes->functions, *stretch);
	}
	if (scopes->functions.len)
		qsort(scopes->functions.data, scopes->functions.len,
		      sizeof(*scopes->functions.data), by_low);
}

int skep_dwarf_scopes_read(const struct skep_dwarf_unit *unit, struct skep_dwarf_scopes *ret)
{
	struct walk walk = {.unit = unit, .scopes = ret};
	uint64_t off = unit->first;
	bool good = unit->end - unit->off < UINT32_MAX;

	walk.levels[0] = (struct level){.scope = DWARF_NO_SCOPE, .own = DWARF_NO_SCOPE};
	do
		good = good && walk_entry(&walk, &off);
	while (good && walk.depth && off < unit->end);
	while (walk.depth)
		leave(&walk);
	gather_functions(ret);
	return good ? 0 : skep_dwarf_wrong(&unit->dwarf->input, "an entry that makes no sense");
}

void skep_dwarf_scopes_done(struct skep_dwarf_scopes *scopes)
{
	skep_vec_done(&scopes->list);
	skep_vec_done(&scopes->stretches);
	skep_vec_done(&scopes->functions);
}

size_t skep_dwarf_scopes_memory(const struct skep_dwarf_scopes *scopes)
{
	return scopes->list.cap * sizeof(*scopes->list.data) +
	       scopes->stretches.cap * sizeof(*scopes->stretches.data) +
	       scopes->functions.cap * sizeof(*scopes->functions.data);
}

/* --- Search ---------------------------------------------------------------------------------- */

static const struct skep_dwarf_stretch *find_function(const struct skep_dwarf_scopes *scopes,
						      uint64_t addr)
{
	size_t low = 0, high = scopes->functions.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (scopes->functions.data[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low; i > 0 && low - i < LOOK_BACK; i--) {
		if (addr < scopes->functions.data[i - 1].high)
			return &scopes->functions.data[i - 1];
	}
	return NULL;
}

/* The last that holds it: inner ones come after outer ones. */
uint32_t skep_dwarf_scopes_find(const struct skep_dwarf_scopes *scopes, uint64_t addr)
{
	const struct skep_dwarf_stretch *function = find_function(scopes, addr);
	uint32_t found = DWARF_NO_SCOPE;

	if (!function)
		return found;
	const struct skep_dwarf_scope *scope = &scopes->list.data[function->scope];
	for (uint32_t i = scope->first; i < scope->end; i++) {
		const struct skep_dwarf_stretch *stretch = &scopes->stretches.data[i];
		if (addr >= stretch->low && addr < stretch->high)
			found = stretch->scope;
	}
	return found;
}
