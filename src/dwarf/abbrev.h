/* Shapes of entries: what .debug_abbrev says of a unit's. Private to src/dwarf. */
#ifndef SKEP_DWARF_ABBREV_H
#define SKEP_DWARF_ABBREV_H

#include "base/vec.h"
#include "dwarf/input.h"

enum skep_dwarf_how {
	DWARF_HOW_UNKNOWN,
	DWARF_HOW_FIXED,
	DWARF_HOW_ADDRESS, /* these three become FIXED once a unit tells how wide they are */
	DWARF_HOW_OFFSET,
	DWARF_HOW_REFERENCE,
	DWARF_HOW_ULEB,
	DWARF_HOW_SLEB,
	DWARF_HOW_TEXT,
	DWARF_HOW_BLOCK,
	DWARF_HOW_CONSTANT,
	DWARF_HOW_INDIRECT,
};

enum skep_dwarf_form {
#define FORM(code, NAME, how, size) DW_FORM_##NAME = (code),
#include "dwarf/forms.def"
#undef FORM
};

/** Widths that a unit's header tells. */
struct skep_dwarf_widths {
	uint16_t version;
	uint8_t address, offset; /* bytes: 4 or 8 */
};

struct skep_dwarf_spec {
	uint16_t name, form; /* DW_AT_*, DW_FORM_* */
	uint8_t how, size;   /* enum skep_dwarf_how */
	int64_t constant;
};

struct skep_dwarf_abbrev {
	uint64_t code;
	uint32_t first, n; /* of the specs */
	uint32_t bytes;    /* of all values, if `is_fixed` */
	uint16_t tag;
	bool has_children, is_fixed;
};

struct skep_dwarf_abbrevs {
	SKEP_VEC(struct skep_dwarf_abbrev) list; /* codes rise */
	SKEP_VEC(struct skep_dwarf_spec) specs;
};

/** How a value of @form lies there, widths applied. Its `how` is UNKNOWN if no such form is. */
struct skep_dwarf_spec skep_dwarf_form(uint64_t form, const struct skep_dwarf_widths *widths);
/** Read the table at @off. Return 0 | -EBADMSG */
int skep_dwarf_abbrevs_read(struct skep_dwarf_input *input, uint64_t off,
			    const struct skep_dwarf_widths *widths, struct skep_dwarf_abbrevs *ret);
void skep_dwarf_abbrevs_done(struct skep_dwarf_abbrevs *abbrevs);
size_t skep_dwarf_abbrevs_memory(const struct skep_dwarf_abbrevs *abbrevs);
/** NULL: there is none of that code. */
const struct skep_dwarf_abbrev *skep_dwarf_abbrev(const struct skep_dwarf_abbrevs *abbrevs,
						  uint64_t code);

#endif
