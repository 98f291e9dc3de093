/*
 * What entries cover: from one address to another, or a list of stretches.
 *
 *	.debug_ranges    pairs of addresses from a base on; (0, 0) ends it, (~0, x) sets the base
 *	.debug_rnglists  entries of several kinds, by a byte before each
 *
 * The linker leaves functions out, and what is said of them stays: at address 0 or thereabouts,
 * where no code is, or at the end of all addresses.
 */
#include "dwarf/ranges.h"

#include "dwarf/impl.h"

#define ENTRY_BYTES 32u /* no entry of a list is longer */

/* Source: DWARF 5, table 7.30 */
enum {
	END,
	BASE_ADDRESSX,
	STARTX_ENDX,
	STARTX_LENGTH,
	OFFSET_PAIR,
	BASE_ADDRESS,
	START_END,
	START_LENGTH
};

struct walk {
	const struct skep_dwarf_unit *unit;
	enum skep_dwarf_section section;
	uint64_t off, base;
	void (*fn)(void *ctx, uint64_t low, uint64_t high);
	void *ctx;
};

static void tell(const struct walk *walk, uint64_t low, uint64_t high)
{
	if (low < high && low >= walk->unit->dwarf->code_start)
		walk->fn(walk->ctx, low, high);
}

static uint64_t address_by_number(const struct walk *walk, struct skep_reader *r)
{
	const struct skep_dwarf_value value = {.form = DW_FORM_ADDRX, .n = skep_read_uleb(r)};
	uint64_t address = 0;

	if (!skep_dwarf_value_address(walk->unit, &value, &address))
		r->is_bad = true;
	return address;
}

/* One of .debug_ranges. False: the list ends. */
static bool pair(struct walk *walk, struct skep_reader *r)
{
	uint8_t width = walk->unit->widths.address;
	uint64_t low = skep_read_fixed(r, width), high = skep_read_fixed(r, width);

	if (low == UINT64_MAX >> (64 - 8 * width)) {
		walk->base = high;
		return true;
	}
	if (low || high)
		tell(walk, walk->base + low, walk->base + high);
	return low || high;
}

/* One of .debug_rnglists. */
static bool entry(struct walk *walk, struct skep_reader *r)
{
	uint8_t kind = (uint8_t)skep_read_fixed(r, 1), width = walk->unit->widths.address;
	uint64_t low = 0, high = 0;

	switch (kind) {
	case BASE_ADDRESSX: walk->base = address_by_number(walk, r); return true;
	case BASE_ADDRESS: walk->base = skep_read_fixed(r, width); return true;
	case STARTX_ENDX:
		low = address_by_number(walk, r);
		high = address_by_number(walk, r);
		break;
	case STARTX_LENGTH:
		low = address_by_number(walk, r);
		high = low + skep_read_uleb(r);
		break;
	case OFFSET_PAIR:
		low = walk->base + skep_read_uleb(r);
		high = walk->base + skep_read_uleb(r);
		break;
	case START_END:
		low = skep_read_fixed(r, width);
		high = skep_read_fixed(r, width);
		break;
	case START_LENGTH:
		low = skep_read_fixed(r, width);
		high = low + skep_read_uleb(r);
		break;
	default: r->is_bad |= kind != END; return false;
	}
	if (!r->is_bad)
		tell(walk, low, high);
	return true;
}

/* One of the list; moves behind it. False: the list ends. */
static bool walk_one(struct walk *walk)
{
	struct skep_dwarf_input *input = &walk->unit->dwarf->input;
	struct skep_reader r;
	bool more;

	if (!skep_dwarf_reader(input, walk->section, walk->off, ENTRY_BYTES, &r)) {
		skep_dwarf_wrong(input, "a list of ranges that makes no sense");
		return false;
	}
	const uint8_t *start = r.at;
	more = walk->section == SKEP_DWARF_RANGES ? pair(walk, &r) : entry(walk, &r);
	if (r.is_bad)
		skep_dwarf_wrong(input, "a list of ranges that makes no sense");
	walk->off += (uint64_t)(r.at - start);
	return more && !r.is_bad;
}

/* Lists may be long, and many entries may have the same: what counts is how many are walked. */
static void walk_list(struct walk *walk)
{
	struct skep_dwarf *dwarf = walk->unit->dwarf;

	for (; dwarf->ranges_left; dwarf->ranges_left--) {
		if (!walk_one(walk))
			return;
	}
	skep_dwarf_wrong(&dwarf->input, "it has more ranges than are read");
}

/* Where a unit's list number @number begins. */
static bool list_by_number(const struct skep_dwarf_unit *unit, uint64_t number, uint64_t *ret)
{
	uint64_t off;

	if (__builtin_mul_overflow(number, unit->widths.offset, &off) ||
	    __builtin_add_overflow(off, unit->rnglists_base, &off) ||
	    !skep_dwarf_number(&unit->dwarf->input, SKEP_DWARF_RNGLISTS, off, unit->widths.offset,
			       ret))
		return false;
	return !__builtin_add_overflow(*ret, unit->rnglists_base, ret);
}

void skep_dwarf_extent_add(struct skep_dwarf_extent *extent, const struct skep_dwarf_value *value)
{
	if (value->name == DW_AT_low_pc)
		extent->low = *value;
	else if (value->name == DW_AT_high_pc)
		extent->high = *value;
	else if (value->name == DW_AT_ranges)
		extent->ranges = *value;
}

static void tell_pair(const struct walk *walk, const struct skep_dwarf_extent *extent)
{
	uint64_t low, high;

	if (!skep_dwarf_value_address(walk->unit, &extent->low, &low))
		return;
	if (!skep_dwarf_form_is_address(extent->high.form))
		high = low + extent->high.n;
	else if (!skep_dwarf_value_address(walk->unit, &extent->high, &high))
		return;
	tell(walk, low, high);
}

void skep_dwarf_extent_each(const struct skep_dwarf_unit *unit,
			    const struct skep_dwarf_extent *extent,
			    void (*fn)(void *ctx, uint64_t low, uint64_t high), void *ctx)
{
	struct walk walk = {
		.unit = unit,
		.section = unit->widths.version < 5 ? SKEP_DWARF_RANGES : SKEP_DWARF_RNGLISTS,
		.off = extent->ranges.n,
		.base = unit->low_pc,
		.fn = fn,
		.ctx = ctx,
	};

	if (!extent->ranges.form) {
		if (extent->low.form && extent->high.form)
			tell_pair(&walk, extent);
		return;
	}
	if (extent->ranges.form == DW_FORM_RNGLISTX &&
	    !list_by_number(unit, extent->ranges.n, &walk.off)) {
		skep_dwarf_wrong(&unit->dwarf->input, "a list of ranges that is not there");
		return;
	}
	walk_list(&walk);
}
