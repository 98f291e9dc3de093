/*
 * A unit's header and first entry. The header:
 *
 *	to version 4:   length  version 2  abbreviations 4|8  address size 1
 *	version 5:      length  version 2  kind 1  address size 1  abbreviations 4|8  …
 *	                … of type units: signature 8, type 4|8; of skeletons: id 8
 *
 * Strings and addresses of the first entry may be numbers in tables whose places other attributes
 * of it say, so all are read before any is understood.
 *
 * Source: DWARF 5, section 7.5.1
 */
#include <errno.h>
#include <string.h>

#include "dwarf/impl.h"
#include "dwarf/ranges.h"

enum { KIND_COMPILE = 1, KIND_TYPE, KIND_PARTIAL, KIND_SKELETON, KIND_SPLIT, KIND_SPLIT_TYPE };
#define TAG_COMPILE_UNIT  0x11
#define TAG_SKELETON_UNIT 0x4a
#define HEADER_MOST       64u

uint64_t skep_dwarf_length_read(struct skep_reader *r, struct skep_dwarf_widths *widths)
{
	uint64_t length = skep_read_fixed(r, 4);

	widths->offset = 4;
	if (length < 0xfffffff0)
		return length;
	widths->offset = 8;
	r->is_bad |= length != 0xffffffff;
	return skep_read_fixed(r, 8);
}

static uint64_t read_header(struct skep_reader *r, struct skep_dwarf_unit *unit)
{
	uint64_t abbrevs = 0;
	uint8_t kind = KIND_COMPILE;

	unit->widths.version = (uint16_t)skep_read_fixed(r, 2);
	if (unit->widths.version >= 5) {
		kind = (uint8_t)skep_read_fixed(r, 1);
		unit->widths.address = (uint8_t)skep_read_fixed(r, 1);
		abbrevs = skep_read_fixed(r, unit->widths.offset);
	} else {
		abbrevs = skep_read_fixed(r, unit->widths.offset);
		unit->widths.address = (uint8_t)skep_read_fixed(r, 1);
	}
	if (kind == KIND_TYPE || kind == KIND_SPLIT_TYPE)
		skep_read_bytes(r, 8u + unit->widths.offset);
	else if (kind == KIND_SKELETON || kind == KIND_SPLIT)
		skep_read_bytes(r, 8);
	unit->has_code = kind == KIND_COMPILE || kind == KIND_SKELETON;
	return abbrevs;
}

/* Sets where it ends, and where its abbreviations are. */
static int take_header(struct skep_dwarf_unit *unit, uint64_t *ret_abbrevs)
{
	struct skep_dwarf_input *input = &unit->dwarf->input;
	struct skep_reader r;
	uint64_t length;

	if (!skep_dwarf_reader(input, SKEP_DWARF_INFO, unit->off, HEADER_MOST, &r))
		return skep_dwarf_wrong(input, "a unit is not there");
	const uint8_t *start = r.at;
	length = skep_dwarf_length_read(&r, &unit->widths);
	unit->end = unit->off + (uint64_t)(r.at - start);
	if (r.is_bad || length > skep_dwarf_size(input, SKEP_DWARF_INFO) - unit->end)
		return skep_dwarf_wrong(input, "a unit is cut off");
	unit->end += length;
	*ret_abbrevs = read_header(&r, unit);
	unit->first = unit->off + (uint64_t)(r.at - start);
	if (r.is_bad || unit->first > unit->end)
		return skep_dwarf_wrong(input, "a unit is cut off");
	if (unit->widths.version < 2 || unit->widths.version > 5)
		return skep_dwarf_wrong(input, "a unit of an unknown version");
	if (unit->widths.address != 4 && unit->widths.address != 8)
		return skep_dwarf_wrong(input, "addresses of an unknown width");
	return 0;
}

struct first {
	struct skep_dwarf_value low, lines, comp_dir;
};

static void take_attribute(struct skep_dwarf_unit *unit, const struct skep_dwarf_value *value,
			   struct first *first)
{
	switch (value->name) {
	case DW_AT_low_pc: first->low = *value; break;
	case DW_AT_stmt_list: first->lines = *value; break;
	case DW_AT_comp_dir: first->comp_dir = *value; break;
	case DW_AT_str_offsets_base: unit->str_offsets_base = value->n; break;
	case DW_AT_dwo_name:
	case DW_AT_GNU_dwo_name: unit->is_split = true; break;
	case DW_AT_GNU_addr_base:
	case DW_AT_addr_base: unit->addr_base = value->n; break;
	case DW_AT_rnglists_base: unit->rnglists_base = value->n; break;
	}
}

static int take_first(struct skep_dwarf_unit *unit)
{
	struct skep_dwarf_entry entry;
	struct skep_dwarf_value value;
	struct first first = {0};

	if (!skep_dwarf_entry_at(unit, unit->first, &entry))
		return skep_dwarf_wrong(&unit->dwarf->input, "a unit's first entry makes no sense");
	while (skep_dwarf_entry_next(&entry, &value))
		take_attribute(unit, &value, &first);
	if (entry.r.is_bad)
		return skep_dwarf_wrong(&unit->dwarf->input, "a unit's first entry makes no sense");
	unit->has_code &= entry.abbrev && (entry.abbrev->tag == TAG_COMPILE_UNIT ||
					   entry.abbrev->tag == TAG_SKELETON_UNIT);
	/* Some compilers leave functions that others are inlined into with the lines. */
	unit->is_split &= entry.abbrev && !entry.abbrev->has_children;
	unit->has_lines = first.lines.form;
	unit->lines_off = first.lines.n;
	unit->comp_dir = skep_dwarf_value_text(unit, &first.comp_dir);
	if (!skep_dwarf_value_address(unit, &first.low, &unit->low_pc))
		unit->low_pc = 0;
	return 0;
}

int skep_dwarf_unit_read(struct skep_dwarf *dwarf, uint64_t off, struct skep_dwarf_unit *ret)
{
	uint64_t abbrevs = 0;

	*ret = (struct skep_dwarf_unit){.dwarf = dwarf, .off = off};
	int err = take_header(ret, &abbrevs);
	if (err)
		return err;
	ret->bytes = skep_dwarf_bytes(&dwarf->input, SKEP_DWARF_INFO, off, ret->end - off);
	if (!ret->bytes)
		return skep_dwarf_wrong(&dwarf->input, "a unit cannot be read");
	err = skep_dwarf_abbrevs_read(&dwarf->input, abbrevs, &ret->widths, &ret->abbrevs);
	uint64_t n_wrong = dwarf->input.n_wrong;
	err = err ? err : take_first(ret);
	ret->is_harmed = dwarf->input.n_wrong != n_wrong;
	return err;
}

size_t skep_dwarf_unit_memory(const struct skep_dwarf_unit *unit)
{
	return sizeof(*unit) + skep_dwarf_abbrevs_memory(&unit->abbrevs) +
	       skep_dwarf_scopes_memory(&unit->scopes) + skep_dwarf_lines_memory(&unit->lines);
}

void skep_dwarf_unit_done(struct skep_dwarf_unit *unit)
{
	skep_dwarf_scopes_done(&unit->scopes);
	skep_dwarf_lines_done(&unit->lines);
	skep_dwarf_abbrevs_done(&unit->abbrevs);
}
