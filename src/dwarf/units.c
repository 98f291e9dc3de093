/*
 * Which unit an address lies in, or an entry. Units are read when they are asked for and kept until
 * they have become much: an answer then begins with none.
 *
 * .debug_aranges says what units cover, but not every compiler writes it, and not for every unit.
 * If it does not have an address, the first entries of all other units are read, once.
 */
#include <errno.h>
#include <stdlib.h>

#include "dwarf/impl.h"
#include "dwarf/ranges.h"

#define MEMORY_MOST     (16u << 20) /* of units, between two answers */
#define MEMORY_MOST_NOW (64u << 20) /* and within one */
#define UNITS_MOST      (1u << 20)
#define LOOK_BACK       16 /* stretches that begin before an address and may hold it */

/* --- Units that were read -------------------------------------------------------------------- */

/* How many of those that were read begin at or before @off. */
static size_t count_until(const struct skep_dwarf *dwarf, uint64_t off)
{
	size_t low = 0, high = dwarf->units.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (dwarf->units.data[mid]->off <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert(struct skep_dwarf *dwarf, size_t at, struct skep_dwarf_unit *unit)
{
	skep_vec_push(&dwarf->units, unit);
	for (size_t i = dwarf->units.len - 1; i > at; i--)
		dwarf->units.data[i] = dwarf->units.data[i - 1];
	dwarf->units.data[at] = unit;
}

static void free_unit(struct skep_dwarf_unit *unit)
{
	skep_dwarf_unit_done(unit);
	free(unit);
}

int skep_dwarf_unit_at(struct skep_dwarf *dwarf, uint64_t off, struct skep_dwarf_unit **ret)
{
	size_t at = count_until(dwarf, off);

	if (at && dwarf->units.data[at - 1]->off == off) {
		*ret = dwarf->units.data[at - 1];
		return 0;
	}
	if (dwarf->memory > MEMORY_MOST_NOW)
		return skep_dwarf_wrong(&dwarf->input, "a function is in too many units");
	struct skep_dwarf_unit *unit = skep_xmalloc(sizeof(*unit));
	int err = skep_dwarf_unit_read(dwarf, off, unit);
	if (err) {
		free_unit(unit);
		return err;
	}
	insert(dwarf, at, unit);
	dwarf->memory += skep_dwarf_unit_memory(unit);
	*ret = unit;
	return 0;
}

/* Where units begin: a header after the other. */
static void read_offsets(struct skep_dwarf *dwarf)
{
	uint64_t size = skep_dwarf_size(&dwarf->input, SKEP_DWARF_INFO), off = 0;
	struct skep_dwarf_widths widths;
	struct skep_reader r;

	dwarf->has_offsets = true;
	while (off < size) {
		if (dwarf->offsets.len == UNITS_MOST) {
			skep_dwarf_wrong(&dwarf->input, "it has more units than are read");
			break;
		}
		if (!skep_dwarf_reader(&dwarf->input, SKEP_DWARF_INFO, off, 12, &r))
			break;
		const uint8_t *start = r.at;
		uint64_t length = skep_dwarf_length_read(&r, &widths);
		uint64_t head = (uint64_t)(r.at - start);
		if (r.is_bad || length > size - off - head) {
			skep_dwarf_wrong(&dwarf->input, "a unit is cut off");
			break;
		}
		if (length)
			skep_vec_push(&dwarf->offsets, off);
		off += head + length;
	}
}

int skep_dwarf_unit_with(struct skep_dwarf *dwarf, uint64_t off, struct skep_dwarf_unit **ret)
{
	size_t at = count_until(dwarf, off), low = 0, high;

	if (at && off < dwarf->units.data[at - 1]->end) {
		*ret = dwarf->units.data[at - 1];
		return 0;
	}
	if (!dwarf->has_offsets)
		read_offsets(dwarf);
	for (high = dwarf->offsets.len; low < high;) {
		size_t mid = low + (high - low) / 2;
		if (dwarf->offsets.data[mid] <= off)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return skep_dwarf_wrong(&dwarf->input, "an entry that is not there");
	return skep_dwarf_unit_at(dwarf, dwarf->offsets.data[low - 1], ret);
}

static void free_units(struct skep_dwarf *dwarf)
{
	for (size_t i = 0; i < dwarf->units.len; i++)
		free_unit(dwarf->units.data[i]);
	dwarf->units.len = 0;
	dwarf->memory = 0;
}

void skep_dwarf_units_shrink(struct skep_dwarf *dwarf)
{
	if (dwarf->memory > MEMORY_MOST)
		free_units(dwarf);
}

void skep_dwarf_units_done(struct skep_dwarf *dwarf)
{
	free_units(dwarf);
	skep_vec_done(&dwarf->units);
	skep_vec_done(&dwarf->offsets);
	skep_vec_done(&dwarf->tabled.list);
	skep_vec_done(&dwarf->scanned.list);
	skep_vec_done(&dwarf->listed);
}

/* --- What they cover ------------------------------------------------------------------------- */

static void add_cover(struct skep_dwarf *dwarf, struct skep_dwarf_covers *covers, uint64_t low,
		      uint64_t high, uint64_t unit)
{
	if (low >= high || low < dwarf->code_start)
		return;
	if (dwarf->tabled.list.len + dwarf->scanned.list.len == DWARF_RANGES_MOST)
		skep_dwarf_wrong(&dwarf->input, "it has more ranges than are read");
	else
		skep_vec_push(&covers->list,
			      ((struct skep_dwarf_cover){.low = low, .high = high, .unit = unit}));
}

static int by_low(const void *a, const void *b)
{
	const struct skep_dwarf_cover *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return (x->unit > y->unit) - (x->unit < y->unit);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void sort_covers(struct skep_dwarf_covers *covers)
{
	if (covers->list.len)
		qsort(covers->list.data, covers->list.len, sizeof(*covers->list.data), by_low);
}

/* One unit's part of .debug_aranges, @start being where it begins. */
static void read_set(struct skep_dwarf *dwarf, struct skep_reader *r, const uint8_t *start,
		     size_t offset)
{
	uint64_t version = skep_read_fixed(r, 2), unit = skep_read_fixed(r, offset);
	size_t width = skep_read_fixed(r, 1);

	skep_read_fixed(r, 1);
	if (r->is_bad || version != 2 || (width != 4 && width != 8))
		return;
	size_t past = (size_t)(r->at - start) % (2 * width);
	skep_read_bytes(r, past ? 2 * width - past : 0);
	skep_vec_push(&dwarf->listed, unit);
	while ((size_t)(r->end - r->at) >= 2 * width) {
		uint64_t low = skep_read_fixed(r, width), bytes = skep_read_fixed(r, width);
		if (!low && !bytes)
			break;
		add_cover(dwarf, &dwarf->tabled, low, low + bytes, unit);
	}
}

static void read_aranges(struct skep_dwarf *dwarf)
{
	struct skep_dwarf_widths widths;
	struct skep_reader r;

	dwarf->has_aranges = true;
	if (!skep_dwarf_reader(&dwarf->input, SKEP_DWARF_ARANGES, 0, UINT64_MAX, &r))
		return;
	while (r.at < r.end) {
		struct skep_reader set = {.at = r.at};
		uint64_t length = skep_dwarf_length_read(&r, &widths);
		const uint8_t *start = set.at, *at = skep_read_bytes(&r, length);
		if (!at || dwarf->listed.len == UNITS_MOST) {
			skep_dwarf_wrong(&dwarf->input, "its table of addresses is cut off");
			break;
		}
		set = (struct skep_reader){.at = at, .end = at + length};
		read_set(dwarf, &set, start, widths.offset);
	}
	if (dwarf->listed.len)
		qsort(dwarf->listed.data, dwarf->listed.len, sizeof(uint64_t), by_number);
	sort_covers(&dwarf->tabled);
}

static bool is_listed(const struct skep_dwarf *dwarf, uint64_t unit)
{
	return dwarf->listed.len &&
	       bsearch(&unit, dwarf->listed.data, dwarf->listed.len, sizeof(uint64_t), by_number);
}

static void cover(void *ctx, uint64_t low, uint64_t high)
{
	const struct skep_dwarf_unit *unit = ctx;

	add_cover(unit->dwarf, &unit->dwarf->scanned, low, high, unit->off);
}

static void scan_unit(struct skep_dwarf_unit *unit)
{
	struct skep_dwarf_extent extent = {0};
	struct skep_dwarf_entry entry;
	struct skep_dwarf_value value;

	if (!unit->has_code || !skep_dwarf_entry_at(unit, unit->first, &entry))
		return;
	while (skep_dwarf_entry_next(&entry, &value))
		skep_dwarf_extent_add(&extent, &value);
	skep_dwarf_extent_each(unit, &extent, cover, unit);
}

/* What the units say themselves that are not listed. */
static void scan(struct skep_dwarf *dwarf)
{
	dwarf->has_scanned = true;
	dwarf->ranges_left = DWARF_RANGES_MOST;
	if (!dwarf->has_offsets)
		read_offsets(dwarf);
	for (size_t i = 0; i < dwarf->offsets.len; i++) {
		struct skep_dwarf_unit unit;
		if (is_listed(dwarf, dwarf->offsets.data[i]))
			continue;
		if (skep_dwarf_unit_read(dwarf, dwarf->offsets.data[i], &unit) == 0)
			scan_unit(&unit);
		skep_dwarf_unit_done(&unit);
	}
	sort_covers(&dwarf->scanned);
}

static const struct skep_dwarf_cover *find_cover(const struct skep_dwarf_covers *covers,
						 uint64_t addr)
{
	size_t low = 0, high = covers->list.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (covers->list.data[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low; i > 0 && low - i < LOOK_BACK; i--) {
		if (addr < covers->list.data[i - 1].high)
			return &covers->list.data[i - 1];
	}
	return NULL;
}

/* --- The unit of an address ------------------------------------------------------------------ */

/* A unit whose functions or lines make no sense has what of them came before that. */
static void read_rest(struct skep_dwarf *dwarf, struct skep_dwarf_unit *unit)
{
	if (unit->has_read_rest)
		return;
	uint64_t n_wrong = dwarf->input.n_wrong;
	dwarf->memory -= skep_dwarf_unit_memory(unit);
	dwarf->ranges_left = DWARF_RANGES_MOST;
	unit->has_read_rest = true;
	skep_dwarf_scopes_read(unit, &unit->scopes);
	if (unit->has_lines)
		skep_dwarf_lines_read(unit, &unit->lines);
	unit->is_harmed |= dwarf->input.n_wrong != n_wrong;
	dwarf->memory += skep_dwarf_unit_memory(unit);
}

static const struct skep_dwarf_cover *cover_of(struct skep_dwarf *dwarf, uint64_t addr)
{
	uint64_t n_wrong = dwarf->input.n_wrong;
	const struct skep_dwarf_cover *found;

	if (!dwarf->has_aranges)
		read_aranges(dwarf);
	found = find_cover(&dwarf->tabled, addr);
	if (!found && !dwarf->has_scanned)
		scan(dwarf);
	if (!found)
		found = find_cover(&dwarf->scanned, addr);
	dwarf->is_harmed |= dwarf->input.n_wrong != n_wrong;
	return found;
}

int skep_dwarf_unit_of(struct skep_dwarf *dwarf, uint64_t addr, struct skep_dwarf_unit **ret)
{
	const struct skep_dwarf_cover *found = cover_of(dwarf, addr);

	if (!found)
		return dwarf->is_harmed ? -EBADMSG : -ENOENT;
	int err = skep_dwarf_unit_at(dwarf, found->unit, ret);
	if (!err && (*ret)->is_split)
		return skep_dwarf_wrong(
			&dwarf->input,
			"its functions are in files apart (.dwo), which are not read");
	if (!err)
		read_rest(dwarf, *ret);
	return err;
}
