/* Entries of .debug_info: their attributes by the shapes of abbrev.c, and what values mean. */
#include <string.h>

#include "dwarf/impl.h"

bool skep_dwarf_entry_at(const struct skep_dwarf_unit *unit, uint64_t off,
			 struct skep_dwarf_entry *ret)
{
	uint64_t code;

	*ret = (struct skep_dwarf_entry){.unit = unit};
	if (off < unit->first || off >= unit->end)
		return false;
	ret->r = (struct skep_reader){
		.at = unit->bytes + (off - unit->off),
		.end = unit->bytes + (unit->end - unit->off),
	};
	code = skep_read_uleb(&ret->r);
	if (code)
		ret->abbrev = skep_dwarf_abbrev(&unit->abbrevs, code);
	return !ret->r.is_bad && (!code || ret->abbrev);
}

static void read_block(struct skep_reader *r, size_t size)
{
	skep_read_bytes(r, size ? skep_read_fixed(r, size) : skep_read_uleb(r));
}

static void read_text(struct skep_reader *r, struct skep_dwarf_value *ret)
{
	const uint8_t *end = memchr(r->at, 0, (size_t)(r->end - r->at));

	ret->at = r->at;
	if (!end)
		r->is_bad = true;
	else
		r->at = end + 1;
}

void skep_dwarf_value_read(struct skep_reader *r, const struct skep_dwarf_spec *spec,
			   struct skep_dwarf_value *ret)
{
	ret->form = spec->form;
	switch (spec->how) {
	case DWARF_HOW_FIXED:
		if (spec->size <= 8)
			ret->n = skep_read_fixed(r, spec->size);
		else
			skep_read_bytes(r, spec->size);
		return;
	case DWARF_HOW_ULEB: ret->n = skep_read_uleb(r); return;
	case DWARF_HOW_SLEB: ret->n = (uint64_t)skep_read_sleb(r); return;
	case DWARF_HOW_CONSTANT: ret->n = (uint64_t)spec->constant; return;
	case DWARF_HOW_TEXT: read_text(r, ret); return;
	case DWARF_HOW_BLOCK: read_block(r, spec->size); return;
	default: r->is_bad = true;
	}
}

bool skep_dwarf_entry_next(struct skep_dwarf_entry *entry, struct skep_dwarf_value *ret)
{
	const struct skep_dwarf_unit *unit = entry->unit;

	if (!entry->abbrev || entry->next == entry->abbrev->n)
		return false;
	struct skep_dwarf_spec spec =
		unit->abbrevs.specs.data[entry->abbrev->first + entry->next++];
	*ret = (struct skep_dwarf_value){.name = spec.name};
	if (spec.how == DWARF_HOW_INDIRECT) /* of which none is behind another */
		spec = skep_dwarf_form(skep_read_uleb(&entry->r), &unit->widths);
	skep_dwarf_value_read(&entry->r, &spec, ret);
	return !entry->r.is_bad;
}

void skep_dwarf_entry_skip(struct skep_dwarf_entry *entry)
{
	struct skep_dwarf_value value;

	if (entry->abbrev && entry->abbrev->is_fixed && !entry->next) {
		skep_read_bytes(&entry->r, entry->abbrev->bytes);
		return;
	}
	while (skep_dwarf_entry_next(entry, &value))
		;
}

/* --- What values mean ------------------------------------------------------------------------ */

bool skep_dwarf_form_is_address(uint16_t form)
{
	return form == DW_FORM_ADDR || form == DW_FORM_ADDRX || form == DW_FORM_GNU_ADDR_INDEX ||
	       (form >= DW_FORM_ADDRX1 && form <= DW_FORM_ADDRX4);
}

bool skep_dwarf_value_address(const struct skep_dwarf_unit *unit,
			      const struct skep_dwarf_value *value, uint64_t *ret)
{
	uint64_t off;

	*ret = value->n;
	if (value->form == DW_FORM_ADDR)
		return true;
	return skep_dwarf_form_is_address(value->form) &&
	       !__builtin_mul_overflow(value->n, unit->widths.address, &off) &&
	       !__builtin_add_overflow(off, unit->addr_base, &off) &&
	       skep_dwarf_number(&unit->dwarf->input, SKEP_DWARF_ADDR, off, unit->widths.address,
				 ret);
}

static const char *text_by_number(const struct skep_dwarf_unit *unit, uint64_t number)
{
	uint64_t off;

	if (__builtin_mul_overflow(number, unit->widths.offset, &off) ||
	    __builtin_add_overflow(off, unit->str_offsets_base, &off) ||
	    !skep_dwarf_number(&unit->dwarf->input, SKEP_DWARF_STR_OFFSETS, off,
			       unit->widths.offset, &off))
		return NULL;
	return skep_dwarf_string(&unit->dwarf->input, SKEP_DWARF_STR, off);
}

const char *skep_dwarf_value_text(const struct skep_dwarf_unit *unit,
				  const struct skep_dwarf_value *value)
{
	struct skep_dwarf *dwarf = unit->dwarf;

	switch (value->form) {
	case DW_FORM_STRING: return (const char *)value->at;
	case DW_FORM_STRP: return skep_dwarf_string(&dwarf->input, SKEP_DWARF_STR, value->n);
	case DW_FORM_LINE_STRP:
		return skep_dwarf_string(&dwarf->input, SKEP_DWARF_LINE_STR, value->n);
	case DW_FORM_STRP_SUP:
	case DW_FORM_GNU_STRP_ALT:
		if (dwarf->alt)
			return skep_dwarf_string(&dwarf->alt->input, SKEP_DWARF_STR, value->n);
		skep_dwarf_wrong(&dwarf->input, SKEP_DWARF_NO_ALT);
		return NULL;
	case DW_FORM_STRX:
	case DW_FORM_STRX1:
	case DW_FORM_STRX2:
	case DW_FORM_STRX3:
	case DW_FORM_STRX4:
	case DW_FORM_GNU_STR_INDEX: return text_by_number(unit, value->n);
	default: return NULL;
	}
}
