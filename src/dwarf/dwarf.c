/*
 * An address's answer. The innermost frame is where the table of lines says; each other one is
 * where the call was that is inlined into it.
 *
 * An inlined call has no name of its own: it refers to the function that was inlined, which may
 * refer to what declares it, and these may lie in another unit or in the supplementary file.
 */
#include "dwarf/dwarf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "dwarf/impl.h"

#define HOPS_MOST 16
#define NAME_MOST 4096

/* --- Names ----------------------------------------------------------------------------------- */

/* What of an entry names it, and where it refers to. */
struct naming {
	const char *linkage, *name;
	struct skep_dwarf_value origin; /* form 0: nowhere */
};

static void read_naming(struct skep_dwarf_entry *entry, struct naming *ret)
{
	struct skep_dwarf_value value;

	while (skep_dwarf_entry_next(entry, &value)) {
		if (value.name == DW_AT_linkage_name || value.name == DW_AT_MIPS_linkage_name)
			ret->linkage = skep_dwarf_value_text(entry->unit, &value);
		else if (value.name == DW_AT_name && !ret->name)
			ret->name = skep_dwarf_value_text(entry->unit, &value);
		else if (value.name == DW_AT_abstract_origin || value.name == DW_AT_specification)
			ret->origin = value;
	}
}

/* Moves @unit and @off to what @value refers to. */
static bool follow(const struct skep_dwarf_unit **unit, const struct skep_dwarf_value *value,
		   uint64_t *off)
{
	struct skep_dwarf *dwarf = (*unit)->dwarf;
	struct skep_dwarf_unit *other;

	*off = value->n;
	switch (value->form) {
	case DW_FORM_REF1:
	case DW_FORM_REF2:
	case DW_FORM_REF4:
	case DW_FORM_REF8:
	case DW_FORM_REF_UDATA: return !__builtin_add_overflow((*unit)->off, value->n, off);
	case DW_FORM_REF_ADDR: break;
	case DW_FORM_GNU_REF_ALT:
	case DW_FORM_REF_SUP4:
	case DW_FORM_REF_SUP8: dwarf = dwarf->alt; break;
	default: return false;
	}
	if (!dwarf)
		skep_dwarf_wrong(&(*unit)->dwarf->input, SKEP_DWARF_NO_ALT);
	if (!dwarf || skep_dwarf_unit_with(dwarf, *off, &other))
		return false;
	*unit = other;
	return true;
}

static const char *name_of(const struct skep_dwarf_unit *unit, uint64_t off)
{
	struct naming naming = {0};
	struct skep_dwarf_entry entry;

	for (int i = 0; i < HOPS_MOST && !naming.linkage; i++) {
		naming.origin.form = 0;
		if (!skep_dwarf_entry_at(unit, off, &entry))
			break;
		read_naming(&entry, &naming);
		if (!naming.origin.form || !follow(&unit, &naming.origin, &off))
			break;
	}
	return naming.linkage ? naming.linkage : naming.name;
}

/* --- Frames ---------------------------------------------------------------------------------- */

struct spot {
	uint32_t file, line;
};

static uint32_t add_text(struct skep_buf *text, size_t from)
{
	if (text->len == from)
		return 0;
	skep_buf_addc(text, '\0');
	return (uint32_t)from;
}

static void add_frame(const struct skep_dwarf_unit *unit, const char *name, struct spot spot,
		      struct skep_dwarf_answer *ret)
{
	struct skep_dwarf_frame *frame = &ret->frames[ret->n++];
	size_t from = ret->text.len;

	if (name)
		skep_buf_add(&ret->text, name, strnlen(name, NAME_MOST));
	frame->name = add_text(&ret->text, from);
	from = ret->text.len;
	skep_dwarf_lines_path(unit, spot.file, &ret->text);
	frame->file = add_text(&ret->text, from);
	frame->line = spot.line;
}

static void add_frames(const struct skep_dwarf_unit *unit, uint64_t addr,
		       struct skep_dwarf_answer *ret)
{
	const struct skep_dwarf_row *row = skep_dwarf_lines_find(&unit->lines, addr);
	uint32_t at = skep_dwarf_scopes_find(&unit->scopes, addr);
	struct spot spot = {0};

	if (row)
		spot = (struct spot){.file = row->file, .line = row->line};
	if (at == DWARF_NO_SCOPE && row)
		add_frame(unit, NULL, spot, ret);
	while (at != DWARF_NO_SCOPE && ret->n < SKEP_DWARF_FRAMES_MOST) {
		const struct skep_dwarf_scope *scope = &unit->scopes.list.data[at];
		const char *name = name_of(unit, unit->off + scope->entry);
		add_frame(unit, name, spot, ret);
		/* Of one that is not inlined the symbol has it. */
		ret->is_partial |= !name && scope->outer != DWARF_NO_SCOPE;
		spot = (struct spot){.file = scope->call_file, .line = scope->call_line};
		at = scope->outer;
	}
}

void skep_dwarf_answer_done(struct skep_dwarf_answer *answer)
{
	skep_buf_done(&answer->text);
	answer->n = 0;
}

static void clear(struct skep_dwarf_answer *answer)
{
	answer->n = 0;
	answer->is_partial = false;
	skep_buf_clear(&answer->text);
	skep_buf_addc(&answer->text, '\0');
}

int skep_dwarf_find(struct skep_dwarf *dwarf, uint64_t addr, struct skep_dwarf_answer *ret)
{
	struct skep_dwarf_unit *unit;

	clear(ret);
	skep_dwarf_units_shrink(dwarf);
	if (dwarf->alt)
		skep_dwarf_units_shrink(dwarf->alt);
	int err = skep_dwarf_unit_of(dwarf, addr, &unit);
	if (err)
		return err;
	ret->is_partial = unit->is_harmed;
	add_frames(unit, addr, ret);
	if (ret->is_partial && !skep_dwarf_why(dwarf))
		skep_dwarf_wrong(&dwarf->input, "functions in it have no names");
	if (!ret->n)
		return unit->is_harmed ? -EBADMSG : -ENOENT;
	return 0;
}

/* --- Opening --------------------------------------------------------------------------------- */

static uint64_t code_start(const struct skep_elf *elf)
{
	const uint64_t wanted = SHF_ALLOC | SHF_EXECINSTR;
	struct skep_elf_section section;
	uint64_t start = UINT64_MAX;

	for (uint32_t i = 1; i < skep_elf_n_sections(elf); i++) {
		if (skep_elf_section_info(elf, i, &section) == 0 &&
		    (section.flags & wanted) == wanted && section.addr < start)
			start = section.addr;
	}
	return start == UINT64_MAX ? 0 : start;
}

static struct skep_dwarf *new_dwarf(const struct skep_elf *elf)
{
	struct skep_dwarf *dwarf = skep_xcalloc(1, sizeof(*dwarf));

	skep_dwarf_input_init(&dwarf->input, elf);
	dwarf->code_start = code_start(elf);
	return dwarf;
}

int skep_dwarf_open(const struct skep_elf *elf, const struct skep_elf *alt, struct skep_dwarf **ret,
		    const char **ret_why)
{
	struct skep_dwarf *dwarf = new_dwarf(elf);

	if (!skep_dwarf_size(&dwarf->input, SKEP_DWARF_INFO)) {
		*ret_why = dwarf->input.why ? dwarf->input.why : "there is none";
		int err = dwarf->input.why ? -EBADMSG : -ENODATA;
		skep_dwarf_free(dwarf);
		return err;
	}
	if (alt)
		dwarf->alt = new_dwarf(alt);
	*ret = dwarf;
	return 0;
}

void skep_dwarf_free(struct skep_dwarf *dwarf)
{
	if (!dwarf)
		return;
	skep_dwarf_free(dwarf->alt);
	skep_dwarf_units_done(dwarf);
	skep_dwarf_input_done(&dwarf->input);
	free(dwarf);
}

const char *skep_dwarf_why(const struct skep_dwarf *dwarf)
{
	return dwarf->input.why ? dwarf->input.why : dwarf->alt ? dwarf->alt->input.why : NULL;
}
