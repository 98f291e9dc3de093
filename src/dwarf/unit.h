/* One unit: its header, its first entry, its entries. Private to src/dwarf. */
#ifndef SKEP_DWARF_UNIT_H
#define SKEP_DWARF_UNIT_H

#include "dwarf/abbrev.h"
#include "dwarf/lines.h"
#include "dwarf/scopes.h"

struct skep_dwarf;

/* Tags and attributes that are looked at. Source: DWARF 5, tables 7.3 and 7.5 */
enum {
	DW_TAG_inlined_subroutine = 0x1d,
	DW_TAG_subprogram = 0x2e,

	DW_AT_sibling = 0x01,
	DW_AT_name = 0x03,
	DW_AT_stmt_list = 0x10,
	DW_AT_low_pc = 0x11,
	DW_AT_high_pc = 0x12,
	DW_AT_comp_dir = 0x1b,
	DW_AT_abstract_origin = 0x31,
	DW_AT_specification = 0x47,
	DW_AT_ranges = 0x55,
	DW_AT_call_file = 0x58,
	DW_AT_call_line = 0x59,
	DW_AT_linkage_name = 0x6e,
	DW_AT_str_offsets_base = 0x72,
	DW_AT_addr_base = 0x73,
	DW_AT_rnglists_base = 0x74,
	DW_AT_dwo_name = 0x76,
	DW_AT_MIPS_linkage_name = 0x2007,
	DW_AT_GNU_dwo_name = 0x2130,
	DW_AT_GNU_addr_base = 0x2133,
};

struct skep_dwarf_unit {
	struct skep_dwarf *dwarf; /* borrowed: whose it is */
	uint64_t off, end;        /* in .debug_info */
	uint64_t first;           /* its first entry, there, too */
	const uint8_t *bytes;     /* all of it, from `off` on */
	struct skep_dwarf_widths widths;
	bool has_code;  /* of a kind that covers code: no type unit, no partial one */
	bool is_split;  /* its functions are in a file apart, and nothing of them is here */
	bool is_harmed; /* some of it made no sense */
	struct skep_dwarf_abbrevs abbrevs;

	/* By its first entry. */
	uint64_t low_pc, addr_base, str_offsets_base, rnglists_base;
	const char *comp_dir; /* NULL: not said */
	bool has_lines;
	uint64_t lines_off; /* in .debug_line */

	/* When they are first needed. */
	bool has_read_rest;
	struct skep_dwarf_scopes scopes;
	struct skep_dwarf_lines lines;
};

/** An attribute's value as it lies there. */
struct skep_dwarf_value {
	uint16_t name, form;
	uint64_t n;        /* a number, an offset, an index */
	const uint8_t *at; /* DW_FORM_string: its text */
};

/** The attributes of one entry, one after the other. */
struct skep_dwarf_entry {
	const struct skep_dwarf_unit *unit;
	const struct skep_dwarf_abbrev *abbrev; /* NULL: the end of a list of siblings */
	uint32_t next;
	struct skep_reader r;
};

/** Read the header at @off and the first entry. Return 0 | -EBADMSG. @ret: done in either case. */
int skep_dwarf_unit_read(struct skep_dwarf *dwarf, uint64_t off, struct skep_dwarf_unit *ret);
void skep_dwarf_unit_done(struct skep_dwarf_unit *unit);
size_t skep_dwarf_unit_memory(const struct skep_dwarf_unit *unit);

/** The entry at @off in .debug_info. False: it makes no sense. */
bool skep_dwarf_entry_at(const struct skep_dwarf_unit *unit, uint64_t off,
			 struct skep_dwarf_entry *ret);
/** The next attribute. False: there are no more (or, with entry->r.is_bad, no sense in them). */
bool skep_dwarf_entry_next(struct skep_dwarf_entry *entry, struct skep_dwarf_value *ret);
/** Pass over those that are left. */
void skep_dwarf_entry_skip(struct skep_dwarf_entry *entry);

/** Read one value of the form of @spec, which is no indirect one. */
void skep_dwarf_value_read(struct skep_reader *r, const struct skep_dwarf_spec *spec,
			   struct skep_dwarf_value *ret);
/** The length that a unit begins with: 4 bytes, or 12 if that is how wide its offsets are, which is
 *  noted in @widths. */
uint64_t skep_dwarf_length_read(struct skep_reader *r, struct skep_dwarf_widths *widths);
/** What a value means. NULL, false: nothing. */
const char *skep_dwarf_value_text(const struct skep_dwarf_unit *unit,
				  const struct skep_dwarf_value *value);
bool skep_dwarf_value_address(const struct skep_dwarf_unit *unit,
			      const struct skep_dwarf_value *value, uint64_t *ret);
bool skep_dwarf_form_is_address(uint16_t form);

#endif
