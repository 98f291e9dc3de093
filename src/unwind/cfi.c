/*
 * Reading .eh_frame: entries, and the programs of functions. See cfi.h; the
 * expressions are in expression.c.
 *
 * Invariant: every byte is read through struct skep_reader, which ends where
 * the entry ends; a program's rows are bounded by its length.
 */
#include "unwind/cfi.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/vec.h"
#include "unwind/expression.h"

#define EXTENDED_LENGTH 0xffffffffu
#define REMEMBERED_MOST 32
#define CIE_BYTES_MOST  1024
#define CIES_KEPT       16 /* a power of two */
#define CIE_BUDGET                                                                                 \
	4 /* times the section's size: of CIEs that are read, again and again where
			    * another has taken their place. Real files are far below one. */

/* How a pointer is stored (LSB: DWARF exception header encoding). */
enum {
	PE_ABSPTR = 0x00,
	PE_ULEB128 = 0x01,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SLEB128 = 0x09,
	PE_SDATA2 = 0x0a,
	PE_SDATA4 = 0x0b,
	PE_SDATA8 = 0x0c,
	PE_FORMAT = 0x0f,
	PE_PCREL = 0x10,
	PE_BASE = 0x70,
	PE_OMIT = 0xff,
};

/* Instructions; the first three have their operand in the low six bits. */
enum {
	CFA_ADVANCE = 1,
	CFA_OFFSET = 2,
	CFA_RESTORE = 3,
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE1 = 0x02,
	CFA_ADVANCE2 = 0x03,
	CFA_ADVANCE4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_NEGATE_RA_STATE = 0x2d, /* AArch64: the return address is signed, or not any more */
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET = 0x2f,
};

/* The rules at one address. */
struct rules {
	struct skep_cfi_row row;
	uint64_t cfa_reg; /* as DWARF has it; which kind that is, is said when a row is made */
	bool by_register;
};

struct cie {
	const uint8_t *at; /* its entry; NULL: none was read yet */
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra;
	uint8_t pointers; /* encoding of an FDE's addresses */
	bool has_augmentation, is_signal, is_good;
	struct rules initial; /* what its program leaves: a function begins with them */
};

struct walk {
	const struct skep_cfi_section *section;
	int (*row)(void *ctx, const struct skep_cfi_row *row);
	void *ctx;
	struct skep_cfi_counts counts;
	struct cie cies[CIES_KEPT];
	uint64_t cie_budget;   /* bytes that may still be read of them */
	const struct cie *cie; /* of the function that is read */
	struct rules rules, remembered[REMEMBERED_MOST];
	uint32_t n_remembered;
	uint64_t next; /* address that the rules hold from */
	uint64_t end;
};

const struct skep_cfi_machine *skep_cfi_machine(uint16_t elf_machine)
{
	static const struct skep_cfi_machine x86_64 = {.sp = 7, .fp = 6, .ra = 16, .base = 3},
					     aarch64 = {.sp = 31,
							.fp = 29,
							.ra = 30,
							.base = UINT8_MAX,
							.ra_in_register = true};

	switch (elf_machine) {
	case EM_X86_64: return &x86_64;
	case EM_AARCH64: return &aarch64;
	default: return NULL;
	}
}

/* --- Pointers --------------------------------------------------------------------------------- */

static uint64_t read_format(struct skep_reader *r, uint8_t encoding)
{
	switch (encoding & PE_FORMAT) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8: return skep_read_fixed(r, 8);
	case PE_ULEB128: return skep_read_uleb(r);
	case PE_SLEB128: return (uint64_t)skep_read_sleb(r);
	case PE_UDATA2: return skep_read_fixed(r, 2);
	case PE_SDATA2: return (uint64_t)skep_read_signed(r, 2);
	case PE_UDATA4: return skep_read_fixed(r, 4);
	case PE_SDATA4: return (uint64_t)skep_read_signed(r, 4);
	default: r->is_bad = true; return 0;
	}
}

/* Absolute, or relative to where it is stored; no compiler has functions by another base. */
static uint64_t read_pointer(const struct walk *walk, struct skep_reader *r, uint8_t encoding)
{
	uint64_t here = walk->section->addr + (uint64_t)(r->at - walk->section->data);
	uint64_t value = read_format(r, encoding);

	switch (encoding & PE_BASE) {
	case 0: return value;
	case PE_PCREL: return here + value;
	default: r->is_bad = true; return 0;
	}
}

/* --- Augmentation ----------------------------------------------------------------------------- */

/* "zPLRS" and its like: a letter for each thing that the augmentation data have. */
static void read_augmentation(struct walk *walk, struct skep_reader *r, const char *letters,
			      struct cie *cie)
{
	uint64_t size = skep_read_uleb(r);
	const uint8_t *data = skep_read_bytes(r, size);
	struct skep_reader in = {.at = data, .end = data ? data + size : NULL};

	for (; data && *letters && !in.is_bad; letters++) {
		switch (*letters) {
		case 'R': cie->pointers = (uint8_t)skep_read_fixed(&in, 1); break;
		case 'L': skep_read_fixed(&in, 1); break;
		case 'P': {
			/* The personality routine: not called here, so its place is passed over. */
			uint8_t encoding = (uint8_t)skep_read_fixed(&in, 1);
			read_format(&in, encoding);
			break;
		}
		case 'S': cie->is_signal = true; break;
		case 'B': break; /* AArch64: signed by the other key */
		default: return; /* unknown: what follows cannot be told apart, but is not needed */
		}
	}
	r->is_bad |= in.is_bad;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static void name_cfa(const struct walk *walk, const struct rules *rules, struct skep_cfi_row *row)
{
	const struct skep_cfi_machine *machine = walk->section->machine;

	if (!rules->by_register)
		return;
	row->cfa = rules->cfa_reg == machine->sp   ? SKEP_CFA_SP
		   : rules->cfa_reg == machine->fp ? SKEP_CFA_FP
						   : SKEP_CFA_REG;
	row->cfa_reg = (uint8_t)rules->cfa_reg;
}

static int emit(struct walk *walk)
{
	struct skep_cfi_row row = walk->rules.row;

	name_cfa(walk, &walk->rules, &row);
	if (walk->cie->is_signal)
		row = (struct skep_cfi_row){.cfa = SKEP_CFA_SIGNAL};
	row.addr = walk->next;
	walk->counts.n_rows++;
	return walk->row(walk->ctx, &row);
}

/* The rules so far hold up to @addr. */
static int advance(struct walk *walk, uint64_t addr)
{
	int err;

	if (addr <= walk->next || addr >= walk->end)
		return 0; /* backwards, or out of the function: never of a compiler */
	err = emit(walk);
	walk->next = addr;
	return err;
}

/* --- Instructions ---------------------------------------------------------------------- */

static uint8_t base_place(enum skep_cfi_place place, int64_t off)
{
	if (place == SKEP_CFI_SAME)
		return 0;
	return place == SKEP_CFI_AT_CFA && off < 0 && off >= -8 * SKEP_CFI_BASE_MOST && off % 8 == 0
		       ? (uint8_t)(-off / 8)
		       : SKEP_CFI_BASE_LOST;
}

static void set_place(struct walk *walk, uint64_t reg, enum skep_cfi_place place, int64_t off)
{
	const struct skep_cfi_machine *machine = walk->section->machine;
	struct skep_cfi_row *row = &walk->rules.row;

	if (off < INT32_MIN || off > INT32_MAX)
		place = SKEP_CFI_OTHER;
	if (reg == machine->fp) {
		row->fp = place;
		row->fp_off = (int32_t)off;
	} else if (reg == machine->ra) {
		row->ra = place;
		row->ra_off = (int32_t)off;
	} else if (reg == machine->base) {
		row->base = base_place(place, off);
	}
}

static void restore(struct walk *walk, uint64_t reg)
{
	const struct skep_cfi_machine *machine = walk->section->machine;
	const struct skep_cfi_row *row = &walk->cie->initial.row;

	if (reg == machine->fp)
		set_place(walk, reg, row->fp, row->fp_off);
	else if (reg == machine->ra)
		set_place(walk, reg, row->ra, row->ra_off);
	else if (reg == machine->base)
		walk->rules.row.base = row->base;
}

static void set_cfa(struct walk *walk, uint64_t reg, int64_t off)
{
	struct rules *rules = &walk->rules;

	rules->by_register = reg < 256 && off >= INT32_MIN && off <= INT32_MAX;
	rules->row.cfa = SKEP_CFA_OTHER;
	rules->cfa_reg = reg;
	rules->row.cfa_off = (int32_t)off;
	rules->row.cfa_add = 0;
}

static struct skep_reader read_block(struct skep_reader *r)
{
	uint64_t size = skep_read_uleb(r);
	const uint8_t *data = skep_read_bytes(r, size);

	return (struct skep_reader){.at = data, .end = data ? data + size : NULL};
}

static void cfa_by_expression(struct walk *walk, struct skep_reader *r)
{
	struct skep_reader expression = read_block(r);

	walk->rules.by_register = false;
	skep_expression_cfa(walk->section->machine, expression, &walk->rules.row);
}

static void place_by_expression(struct walk *walk, struct skep_reader *r)
{
	uint64_t reg = skep_read_uleb(r);
	int64_t off = 0;
	enum skep_cfi_place place =
		skep_expression_place(walk->section->machine, read_block(r), &off);

	set_place(walk, reg, place, off);
}

static void remember(struct walk *walk, struct skep_reader *r)
{
	if (walk->n_remembered == REMEMBERED_MOST)
		r->is_bad = true;
	else
		walk->remembered[walk->n_remembered++] = walk->rules;
}

static void recall(struct walk *walk, struct skep_reader *r)
{
	if (!walk->n_remembered)
		r->is_bad = true;
	else
		walk->rules = walk->remembered[--walk->n_remembered];
}

static int64_t scaled(const struct walk *walk, int64_t factor)
{
	int64_t ret;

	return __builtin_mul_overflow(factor, walk->cie->data_align, &ret) ? INT64_MAX : ret;
}

static int64_t opposite(int64_t off)
{
	return off == INT64_MIN ? INT64_MAX : -off;
}

/* Those that change where registers are. False: it is none of them. */
static bool run_place(struct walk *walk, struct skep_reader *r, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case CFA_OFFSET_EXTENDED:
		reg = skep_read_uleb(r);
		set_place(walk, reg, SKEP_CFI_AT_CFA, scaled(walk, (int64_t)skep_read_uleb(r)));
		return true;
	case CFA_OFFSET_EXTENDED_SF:
		reg = skep_read_uleb(r);
		set_place(walk, reg, SKEP_CFI_AT_CFA, scaled(walk, skep_read_sleb(r)));
		return true;
	case CFA_GNU_NEGATIVE_OFFSET:
		reg = skep_read_uleb(r);
		set_place(walk, reg, SKEP_CFI_AT_CFA,
			  opposite(scaled(walk, (int64_t)skep_read_uleb(r))));
		return true;
	case CFA_RESTORE_EXTENDED: restore(walk, skep_read_uleb(r)); return true;
	case CFA_UNDEFINED: set_place(walk, skep_read_uleb(r), SKEP_CFI_UNDEFINED, 0); return true;
	case CFA_SAME_VALUE: set_place(walk, skep_read_uleb(r), SKEP_CFI_SAME, 0); return true;
	case CFA_REGISTER:
		reg = skep_read_uleb(r);
		set_place(walk, reg, SKEP_CFI_IN_REG, (int64_t)(skep_read_uleb(r) & INT32_MAX));
		return true;
	case CFA_VAL_OFFSET:
		set_place(walk, skep_read_uleb(r), SKEP_CFI_OTHER, 0);
		skep_read_uleb(r);
		return true;
	case CFA_VAL_OFFSET_SF:
		set_place(walk, skep_read_uleb(r), SKEP_CFI_OTHER, 0);
		skep_read_sleb(r);
		return true;
	case CFA_EXPRESSION: place_by_expression(walk, r); return true;
	case CFA_VAL_EXPRESSION:
		set_place(walk, skep_read_uleb(r), SKEP_CFI_OTHER, 0);
		read_block(r);
		return true;
	default: return false;
	}
}

/* Those that change the CFA, or all at once. Anything else ends the program. */
static void run_cfa(struct walk *walk, struct skep_reader *r, uint8_t op)
{
	const struct rules *rules = &walk->rules;
	uint64_t reg;

	switch (op) {
	case CFA_NOP:
	case CFA_NEGATE_RA_STATE: break;
	case CFA_GNU_ARGS_SIZE: skep_read_uleb(r); break;
	case CFA_REMEMBER_STATE: remember(walk, r); break;
	case CFA_RESTORE_STATE: recall(walk, r); break;
	case CFA_DEF_CFA:
		reg = skep_read_uleb(r);
		set_cfa(walk, reg, (int64_t)skep_read_uleb(r));
		break;
	case CFA_DEF_CFA_SF:
		reg = skep_read_uleb(r);
		set_cfa(walk, reg, scaled(walk, skep_read_sleb(r)));
		break;
	case CFA_DEF_CFA_REGISTER: set_cfa(walk, skep_read_uleb(r), rules->row.cfa_off); break;
	case CFA_DEF_CFA_OFFSET: set_cfa(walk, rules->cfa_reg, (int64_t)skep_read_uleb(r)); break;
	case CFA_DEF_CFA_OFFSET_SF:
		set_cfa(walk, rules->cfa_reg, scaled(walk, skep_read_sleb(r)));
		break;
	case CFA_DEF_CFA_EXPRESSION: cfa_by_expression(walk, r); break;
	default: r->is_bad = true; break;
	}
}

/* How far an instruction of the kind "advance" goes; false: it is none. */
static bool read_advance(const struct walk *walk, struct skep_reader *r, uint8_t op, uint64_t *ret)
{
	uint64_t delta;

	if (op >> 6 == CFA_ADVANCE)
		delta = op & 0x3f;
	else if (op >= CFA_ADVANCE1 && op <= CFA_ADVANCE4)
		delta = skep_read_fixed(r, 1u << (op - CFA_ADVANCE1));
	else
		return false;
	*ret = walk->next + delta * walk->cie->code_align;
	return true;
}

static int run(struct walk *walk, struct skep_reader *r)
{
	int err = 0;

	while (r->at < r->end && !r->is_bad && !err) {
		uint8_t op = *r->at++;
		uint64_t addr;
		if (read_advance(walk, r, op, &addr))
			err = advance(walk, addr);
		else if (op == CFA_SET_LOC)
			err = advance(walk, read_pointer(walk, r, walk->cie->pointers));
		else if (op >> 6 == CFA_OFFSET)
			set_place(walk, op & 0x3f, SKEP_CFI_AT_CFA,
				  scaled(walk, (int64_t)skep_read_uleb(r)));
		else if (op >> 6 == CFA_RESTORE)
			restore(walk, op & 0x3f);
		else if (!run_place(walk, r, op))
			run_cfa(walk, r, op);
	}
	return err;
}

/* --- CIE -------------------------------------------------------------------------------------- */

/* The rules at a function's start: the CIE's program has no addresses, so nothing is to advance. */
static bool run_initial(struct walk *walk, struct skep_reader program, struct rules *ret)
{
	walk->rules = (struct rules){.row = {.cfa = SKEP_CFA_OTHER,
					     .ra = walk->section->machine->ra_in_register
							   ? SKEP_CFI_SAME
							   : SKEP_CFI_OTHER}};
	walk->n_remembered = 0;
	walk->next = walk->end = 0;
	run(walk, &program);
	*ret = walk->rules;
	return !program.is_bad;
}

static void read_cie(struct walk *walk, struct skep_reader r, struct cie *cie)
{
	cie->pointers = PE_ABSPTR;
	uint8_t version = (uint8_t)skep_read_fixed(&r, 1);
	const char *letters = (const char *)r.at;
	const uint8_t *nul = memchr(r.at, 0, (size_t)(r.end - r.at));
	if (!nul || (version != 1 && version != 3 && version != 4))
		return;
	r.at = nul + 1;
	if (version == 4)
		skep_read_fixed(&r, 2); /* sizes of addresses and segments */
	cie->code_align = skep_read_uleb(&r);
	cie->data_align = skep_read_sleb(&r);
	cie->ra = version == 1 ? skep_read_fixed(&r, 1) : skep_read_uleb(&r);
	if (letters[0] == 'z') {
		cie->has_augmentation = true;
		read_augmentation(walk, &r, letters + 1, cie);
	} else if (letters[0]) {
		return; /* "eh": of a compiler of the last century */
	}
	if (r.is_bad || cie->ra != walk->section->machine->ra || cie->pointers == PE_OMIT)
		return;
	walk->cie = cie;
	cie->is_good = run_initial(walk, r, &cie->initial);
}

/* --- Functions -------------------------------------------------------------------- */

/* What an entry says before its program: which function it is of. False: malformed. */
static bool read_range(struct walk *walk, struct skep_reader *r)
{
	const struct cie *cie = walk->cie;
	uint64_t from = read_pointer(walk, r, cie->pointers);
	uint64_t size = read_format(r, cie->pointers);

	if (cie->has_augmentation)
		skep_read_bytes(r, skep_read_uleb(r));
	walk->next = from;
	walk->end = from + size;
	return !r->is_bad && size && walk->end > from;
}

static int run_function(struct walk *walk, struct skep_reader r)
{
	int err;

	walk->rules = walk->cie->initial;
	walk->n_remembered = 0;
	walk->counts.n_functions++;
	if ((err = run(walk, &r)) || (err = emit(walk)))
		return err;
	walk->counts.n_skipped += r.is_bad;
	walk->next = walk->end;
	struct skep_cfi_row last = {.addr = walk->end, .cfa = SKEP_CFA_NONE};
	walk->counts.n_rows++;
	return walk->row(walk->ctx, &last);
}

/* False: so much has been read of others that this cannot be a compiler's. */
static bool pay(struct walk *walk, uint64_t bytes)
{
	bool can = walk->cie_budget >= bytes;

	walk->cie_budget -= can ? bytes : 0;
	return can;
}

/* The CIE at @at, as it was read before or is read now. */
static const struct cie *cie_at(struct walk *walk, const uint8_t *at)
{
	const uint8_t *data = walk->section->data;
	struct cie *cie = &walk->cies[(size_t)(at - data) / 8 % CIES_KEPT];

	if (cie->at == at)
		return cie;
	struct skep_reader head = {.at = at, .end = data + walk->section->size};
	uint64_t size = skep_read_fixed(&head, 4);
	bool is_cie = size >= 4 && size <= CIE_BYTES_MOST && size <= (uint64_t)(head.end - head.at);
	head.end = is_cie ? head.at + size : head.at;
	*cie = (struct cie){.at = at};
	if (is_cie && skep_read_fixed(&head, 4) == 0 && pay(walk, size))
		read_cie(walk, head, cie);
	return cie;
}

/* One entry of the section: its bytes behind its length. */
struct entry {
	struct skep_reader r;
	uint64_t back; /* an FDE names its CIE by how far that lies before; 0: it is a CIE */
};

/* False: the end, or nothing that one could find the next entry by. */
static bool next_entry(struct walk *walk, struct skep_reader *r, struct entry *ret)
{
	uint64_t size;

	if (r->at >= r->end)
		return false;
	size = skep_read_fixed(r, 4);
	if (size == EXTENDED_LENGTH)
		size = skep_read_fixed(r, 8);
	if (!size || r->is_bad || size < 4 || size > (uint64_t)(r->end - r->at)) {
		walk->counts.n_skipped += size != 0 || r->is_bad;
		return false;
	}
	ret->r = (struct skep_reader){.at = r->at, .end = r->at + size};
	ret->back = skep_read_fixed(&ret->r, 4);
	r->at += size;
	return true;
}

/* Up to where the function's program begins. False: it cannot be read, which is counted. */
static bool begin_function(struct walk *walk, struct entry *entry)
{
	const uint8_t *id_at = entry->r.at - 4;

	if (entry->back <= (uint64_t)(id_at - walk->section->data)) {
		walk->cie = cie_at(walk, id_at - entry->back);
		if (walk->cie->is_good && read_range(walk, &entry->r))
			return true;
	}
	walk->counts.n_skipped++;
	return false;
}

/* Both ways of reading begin so. */
static struct walk walk_of(const struct skep_cfi_section *section,
			   int (*row)(void *ctx, const struct skep_cfi_row *row), void *ctx)
{
	return (struct walk){.section = section,
			     .row = row,
			     .ctx = ctx,
			     .cie_budget = CIE_BUDGET * (uint64_t)section->size};
}

int skep_cfi_read(const struct skep_cfi_section *section,
		  int (*row)(void *ctx, const struct skep_cfi_row *row), void *ctx,
		  struct skep_cfi_counts *ret_counts)
{
	struct walk walk = walk_of(section, row, ctx);
	struct skep_reader r = {.at = section->data, .end = section->data + section->size};
	struct entry entry;
	int err = 0;

	while (!err && next_entry(&walk, &r, &entry)) {
		if (entry.back && begin_function(&walk, &entry))
			err = run_function(&walk, entry.r);
	}
	if (ret_counts)
		*ret_counts = walk.counts;
	return err;
}

/* --- In the order of addresses ---------------------------------------------------------------- */

struct function {
	uint64_t from;
	uint32_t size, at; /* bytes; where its entry is in the section */
};

struct functions {
	struct function *list; /* owned */
	size_t n;
};

/* Where the run of rising addresses ends that begins at @i. */
static size_t end_of_run(const struct functions *functions, size_t i)
{
	const struct function *list = functions->list;

	if (i >= functions->n)
		return functions->n;
	for (i++; i < functions->n && list[i].from >= list[i - 1].from; i++)
		;
	return i;
}

/* The runs [a, b) and [b, end) as one, to @to. */
static void merge(const struct function *list, size_t a, size_t b, size_t end, struct function *to)
{
	for (size_t i = a, j = b; i < b || j < end;) {
		bool is_left = j == end || (i < b && list[i].from <= list[j].from);
		*to++ = is_left ? list[i++] : list[j++];
	}
}

/* A linker leaves a few runs of functions, one for each section of code that it laid side by side:
 * merging them takes a fraction of what sorting does. */
static void sort(struct functions *functions)
{
	size_t n = functions->n, n_runs = 2;
	struct function *other = skep_xcalloc(n, sizeof(*other)), *was;

	while (n_runs > 1) {
		n_runs = 0;
		for (size_t a = 0, b, end; a < n; a = end, n_runs++) {
			b = end_of_run(functions, a);
			end = end_of_run(functions, b);
			merge(functions->list, a, b, end, other + a);
		}
		was = functions->list;
		functions->list = other;
		other = was;
	}
	free(other);
}

/* No function of a program is larger; where one says so, it hides others up to that. */
static uint32_t function_size(const struct walk *walk)
{
	uint64_t size = walk->end - walk->next;

	return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

/* -E2BIG: more than @n_most, or in a section larger than any program's. */
static int list_functions(struct walk *walk, uint32_t n_most, struct functions *ret)
{
	const uint8_t *data = walk->section->data;
	struct skep_reader r = {.at = data, .end = data + walk->section->size};
	SKEP_VEC(struct function) list = {0};
	const uint8_t *at = r.at;
	struct entry entry;
	bool is_sorted = true, is_small = walk->section->size <= UINT32_MAX;

	for (; is_small && list.len <= n_most && next_entry(walk, &r, &entry); at = r.at) {
		if (!entry.back || !begin_function(walk, &entry))
			continue;
		is_sorted &= !list.len || skep_vec_last(&list)->from <= walk->next;
		skep_vec_push(&list, ((struct function){walk->next, function_size(walk),
							(uint32_t)(at - data)}));
	}
	*ret = (struct functions){list.data, list.len};
	if (!is_small || list.len > n_most)
		return -E2BIG;
	if (!is_sorted)
		sort(ret);
	return 0;
}

static int read_listed(struct walk *walk, uint32_t at)
{
	const uint8_t *data = walk->section->data;
	struct skep_reader r = {.at = data + at, .end = data + walk->section->size};
	struct entry entry;

	if (!next_entry(walk, &r, &entry) || !begin_function(walk, &entry))
		return 0;
	return run_function(walk, entry.r);
}

int skep_cfi_read_sorted(const struct skep_cfi_section *section, uint32_t n_functions_most,
			 int (*row)(void *ctx, const struct skep_cfi_row *row), void *ctx,
			 struct skep_cfi_counts *ret_counts)
{
	struct walk walk = walk_of(section, row, ctx);
	struct functions functions = {0};
	uint64_t end = 0;
	int err = list_functions(&walk, n_functions_most, &functions);

	for (size_t i = 0; i < functions.n && !err; i++) {
		const struct function *function = &functions.list[i];
		if (function->from < end) /* within another: it has been told already */
			continue;
		end = function->from + function->size;
		err = read_listed(&walk, function->at);
	}
	free(functions.list);
	if (ret_counts)
		*ret_counts = walk.counts;
	return err;
}
