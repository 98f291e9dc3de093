/*
 * A unit's table of shapes. Codes mostly count from 1, so that a code is a place in the table;
 * where they do not, the table is sorted and searched.
 *
 * Nothing tells how long a table is but its end, so more and more of the section is looked at.
 */
#include "dwarf/abbrev.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BYTES 4096u
#define SHAPES_MOST (1u << 18) /* of one unit */
#define SPECS_MOST  (1u << 20) /* attributes of all its shapes */

static const struct {
	uint16_t form;
	uint8_t how, size;
} forms[] = {
#define FORM(code, NAME, how, size) {code, DWARF_HOW_##how, size},
#include "dwarf/forms.def"
#undef FORM
};

struct skep_dwarf_spec skep_dwarf_form(uint64_t form, const struct skep_dwarf_widths *widths)
{
	struct skep_dwarf_spec spec = {.how = DWARF_HOW_UNKNOWN};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].form != form)
			continue;
		spec.form = forms[i].form;
		spec.how = forms[i].how;
		spec.size = forms[i].size;
		break;
	}
	if (spec.how == DWARF_HOW_REFERENCE)
		spec.how = widths->version < 3 ? DWARF_HOW_ADDRESS : DWARF_HOW_OFFSET;
	if (spec.how == DWARF_HOW_ADDRESS || spec.how == DWARF_HOW_OFFSET) {
		spec.size = spec.how == DWARF_HOW_ADDRESS ? widths->address : widths->offset;
		spec.how = DWARF_HOW_FIXED;
	}
	return spec;
}

static bool read_specs(struct skep_reader *r, const struct skep_dwarf_widths *widths,
		       struct skep_dwarf_abbrevs *ret, struct skep_dwarf_abbrev *abbrev)
{
	for (;;) {
		uint64_t name = skep_read_uleb(r), form = skep_read_uleb(r);
		struct skep_dwarf_spec spec = skep_dwarf_form(form, widths);
		if (spec.how == DWARF_HOW_CONSTANT)
			spec.constant = skep_read_sleb(r);
		if (r->is_bad || (!name && !form))
			return !r->is_bad;
		if (spec.how == DWARF_HOW_UNKNOWN || ret->specs.len == SPECS_MOST)
			return false;
		spec.name = name < UINT16_MAX ? (uint16_t)name : UINT16_MAX;
		abbrev->n++;
		abbrev->bytes += spec.how == DWARF_HOW_FIXED ? spec.size : 0;
		abbrev->is_fixed &= spec.how == DWARF_HOW_FIXED || spec.how == DWARF_HOW_CONSTANT;
		skep_vec_push(&ret->specs, spec);
	}
}

static bool read_table(struct skep_reader *r, const struct skep_dwarf_widths *widths,
		       struct skep_dwarf_abbrevs *ret)
{
	while (!r->is_bad) {
		struct skep_dwarf_abbrev abbrev = {.code = skep_read_uleb(r), .is_fixed = true};
		if (!abbrev.code)
			return !r->is_bad;
		abbrev.tag = (uint16_t)skep_read_uleb(r);
		abbrev.has_children = skep_read_fixed(r, 1);
		abbrev.first = (uint32_t)ret->specs.len;
		if (ret->list.len == SHAPES_MOST || !read_specs(r, widths, ret, &abbrev))
			return false;
		skep_vec_push(&ret->list, abbrev);
	}
	return false;
}

static int by_code(const void *a, const void *b)
{
	uint64_t x = ((const struct skep_dwarf_abbrev *)a)->code;
	uint64_t y = ((const struct skep_dwarf_abbrev *)b)->code;

	return (x > y) - (x < y);
}

static void sort(struct skep_dwarf_abbrevs *abbrevs)
{
	for (size_t i = 1; i < abbrevs->list.len; i++) {
		if (abbrevs->list.data[i - 1].code < abbrevs->list.data[i].code)
			continue;
		qsort(abbrevs->list.data, abbrevs->list.len, sizeof(*abbrevs->list.data), by_code);
		return;
	}
}

int skep_dwarf_abbrevs_read(struct skep_dwarf_input *input, uint64_t off,
			    const struct skep_dwarf_widths *widths, struct skep_dwarf_abbrevs *ret)
{
	uint64_t size = skep_dwarf_size(input, SKEP_DWARF_ABBREV);
	struct skep_reader r;

	for (uint64_t len = FIRST_BYTES;; len *= 4) {
		if (!skep_dwarf_reader(input, SKEP_DWARF_ABBREV, off, len, &r))
			return skep_dwarf_wrong(input, "a unit has no abbreviations");
		if (read_table(&r, widths, ret))
			break;
		skep_dwarf_abbrevs_done(ret);
		if (!r.is_bad || len >= size - off)
			return skep_dwarf_wrong(input, "abbreviations that make no sense");
	}
	sort(ret);
	return 0;
}

void skep_dwarf_abbrevs_done(struct skep_dwarf_abbrevs *abbrevs)
{
	skep_vec_done(&abbrevs->list);
	skep_vec_done(&abbrevs->specs);
}

size_t skep_dwarf_abbrevs_memory(const struct skep_dwarf_abbrevs *abbrevs)
{
	return abbrevs->list.cap * sizeof(*abbrevs->list.data) +
	       abbrevs->specs.cap * sizeof(*abbrevs->specs.data);
}

const struct skep_dwarf_abbrev *skep_dwarf_abbrev(const struct skep_dwarf_abbrevs *abbrevs,
						  uint64_t code)
{
	const struct skep_dwarf_abbrev key = {.code = code};

	if (code - 1 < abbrevs->list.len && abbrevs->list.data[code - 1].code == code)
		return &abbrevs->list.data[code - 1];
	if (!abbrevs->list.len)
		return NULL;
	return bsearch(&key, abbrevs->list.data, abbrevs->list.len, sizeof(key), by_code);
}
