/*
 * Looking up, see emit.h: which mapping an address is in, and which rule its
 * file's table has there. Both are binary searches of a fixed number of steps
 * without a branch: the verifier walks through them once, and the processor has
 * nothing to guess. But most pages have so few rows that half the steps do, and
 * most processes so few mappings.
 *
 * What is read may be garbage: an index is masked before it is used, and that is
 * all that is asked of it.
 */
#include "unwind/emit.h"

#define MAPPING_STEPS     12 /* SKEP_UNWIND_MAPPINGS_MOST */
#define MAPPING_STEPS_FEW 6
#define ROW_STEPS         SKEP_UNWIND_PAGE_BITS
#define ROW_STEPS_FEW     5
_Static_assert(1 << MAPPING_STEPS == SKEP_UNWIND_MAPPINGS_MOST, "a step halves what is left");

/* What is searched: elements that begin with a number of `key_bytes`, rising. */
struct search {
	struct emit_array array;
	uint32_t key_bytes;
	uint32_t from, cnt; /* registers, changed: what is left begins where, and is how many */
	uint32_t above;     /* register: one more than what is looked for */
};

/* The first half of what is left is skipped if the second begins at or below what is looked for:
 * then the difference is negative, and its sign a mask of all ones. */
static void halve(const struct emit_func *at, const struct search *s)
{
	uint32_t half = skep_emit_alu(at, SKEP_IR_SHR, s->cnt, I(1));
	uint32_t middle = skep_emit_alu(at, SKEP_IR_ADD, s->from, R(half));
	uint32_t element = skep_emit_element(at, s->array, middle);
	uint32_t key = skep_ir_load(at->f, s->key_bytes, R(element), 0);
	uint32_t diff = skep_emit_alu(at, SKEP_IR_SUB, key, R(s->above));
	uint32_t sign = skep_emit_alu(at, SKEP_IR_SAR, diff, I(63));
	uint32_t skip = skep_emit_alu(at, SKEP_IR_AND, sign, R(half));

	skep_ir_set(at->f, s->from, R(skep_emit_alu(at, SKEP_IR_ADD, s->from, R(skip))));
	skep_ir_set(at->f, s->cnt, R(skep_emit_alu(at, SKEP_IR_SUB, s->cnt, R(half))));
}

/* So many steps are enough for all, @few_steps for most. */
static void search(const struct emit_func *at, const struct search *s, int steps, int few_steps)
{
	uint32_t many = skep_ir_block(at->f), few = skep_ir_block(at->f);

	skep_ir_branch_cold(at->f, SKEP_IR_UGT, R(s->cnt), I(1 << few_steps), many);
	skep_ir_jump(at->f, few);
	skep_ir_at(at->f, many);
	for (int i = few_steps; i < steps; i++)
		halve(at, s);
	skep_ir_jump(at->f, few);
	skep_ir_at(at->f, few);
	for (int i = 0; i < few_steps; i++)
		halve(at, s);
}

static uint32_t variable(const struct emit_func *at, uint32_t value)
{
	uint32_t reg = skep_ir_var(at->f);

	skep_ir_set(at->f, reg, R(value));
	return reg;
}

/* --- Mappings --------------------------------------------------------------------------------- */

static void copy(const struct emit_func *at, int32_t to, uint32_t mapping, size_t from,
		 uint32_t bytes)
{
	uint32_t value = skep_ir_load(at->f, bytes, R(mapping), (int32_t)from);

	skep_ir_store(at->f, bytes, R(at->w), to, R(value));
}
#define COPY(at, mapping, field)                                                                   \
	copy(at, FIELD(at, field), mapping, offsetof(struct skep_unwind_mapping, field),           \
	     FIELD_BYTES(field))

static uint32_t start_of(const struct emit_func *at, uint32_t mapping)
{
	return skep_ir_load(at->f, 8, R(mapping), offsetof(struct skep_unwind_mapping, start));
}

/* Whose frames are to be taken, too, when the walk has ended. */
static void note_runtime(const struct emit_func *at)
{
	struct emit_array runtimes = {at->e->maps->of[SKEP_UNWIND_MAP_RUNTIMES],
				      at->e->maps->sizes.files, sizeof(struct skep_interp_runtime)};
	uint32_t file = GET(at, file), runtime = skep_emit_element(at, runtimes, file);
	uint32_t some = skep_ir_block(at->f), done = skep_ir_block(at->f), version;

	version = skep_ir_load(at->f, 2, R(runtime), offsetof(struct skep_interp_runtime, version));
	skep_ir_branch(at->f, SKEP_IR_NE, R(version), I(SKEP_INTERP_NONE), some, done);
	skep_ir_at(at->f, some);
	PUT(at, runtime, R(file));
	PUT(at, runtime_bias, R(GET(at, bias)));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

static void end_with_mapping(const struct emit_func *at)
{
	if (at->e->maps->interp.thread_pointer_off)
		note_runtime(at);
	skep_ir_exit(at->f, I(0));
}

/* What the process's mappings do not have, it may have mapped a moment ago. */
static void take_none(const struct emit_func *at, uint32_t addr)
{
	if (at->e->maps->mm.is_known)
		CALL(at, skep_emit_code(at->e), R(addr));
	end_with_mapping(at);
}

/* Below the first mapping there is none; behind the last one is an entry that says so. */
static void take_mapping(const struct emit_func *at, const struct search *s, uint32_t addr)
{
	uint32_t mapping = skep_emit_element(at, s->array, s->from), start = start_of(at, mapping);
	uint32_t next = skep_emit_alu(at, SKEP_IR_ADD, s->from, I(1));
	uint32_t end = start_of(at, skep_emit_element(at, s->array, next));
	uint32_t n_bytes = skep_emit_alu(at, SKEP_IR_SUB, end, R(start));
	uint32_t off = skep_emit_alu(at, SKEP_IR_SUB, addr, R(start));
	uint32_t in = skep_ir_block(at->f), out = skep_ir_block(at->f);
	uint32_t some = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_ULT, R(off), R(n_bytes), in, out);
	skep_ir_at(at->f, in);
	PUT(at, n_bytes, R(n_bytes));
	COPY(at, mapping, file); /* before what is written before it, see layout.h */
	COPY(at, mapping, start);
	COPY(at, mapping, bias);
	COPY(at, mapping, number);
	skep_ir_branch(at->f, SKEP_IR_NE, R(GET(at, file)), I(SKEP_UNWIND_FILE_NONE), some, out);
	skep_ir_at(at->f, some);
	end_with_mapping(at);
	skep_ir_at(at->f, out);
	PUT(at, file, I(SKEP_UNWIND_FILE_NONE));
	take_none(at, addr);
}

/* Nothing is known of the process: it is asked for, unless the kernel knows enough. */
static void if_unknown(const struct emit_func *at, uint32_t addr)
{
	uint32_t unknown = skep_ir_block(at->f), known = skep_ir_block(at->f);

	skep_ir_branch_cold(at->f, SKEP_IR_EQ, R(GET(at, n)), I(0), unknown);
	skep_ir_jump(at->f, known);
	skep_ir_at(at->f, unknown);
	PUT(at, file, I(SKEP_UNWIND_FILE_ASK));
	PUT(at, number, I(SKEP_UNWIND_ASK_PROCESS));
	take_none(at, addr);
	skep_ir_at(at->f, known);
}

struct skep_ir_func *skep_emit_mapping(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_mapping", 2);
	uint32_t addr = skep_ir_param(at.f, 1);

	if_unknown(&at, addr);
	struct search s = {.array = {e->maps->of[SKEP_UNWIND_MAP_MAPPINGS], e->maps->sizes.mappings,
				     sizeof(struct skep_unwind_mapping)},
			   .key_bytes = sizeof(((struct skep_unwind_mapping *)0)->start),
			   .from = variable(&at, GET(&at, first)),
			   .cnt = variable(&at, GET(&at, n)),
			   .above = skep_emit_alu(&at, SKEP_IR_ADD, addr, I(1))};

	search(&at, &s, MAPPING_STEPS, MAPPING_STEPS_FEW);
	take_mapping(&at, &s, addr);
	return at.f;
}

/* --- Rules ------------------------------------------------------------------------------------ */

static uint32_t rows_of_page(const struct emit_func *at, uint32_t page)
{
	struct emit_array pages = {at->e->maps->of[SKEP_UNWIND_MAP_PAGES], at->e->maps->sizes.pages,
				   4};

	return skep_ir_load(at->f, 4, R(skep_emit_element(at, pages, page)), 0);
}

/* The rule's number within its file: @page is one of `pages`. */
static uint32_t find_row(const struct emit_func *at, uint32_t page, uint32_t addr)
{
	uint32_t from = variable(at, rows_of_page(at, page));
	uint32_t end = rows_of_page(at, skep_emit_alu(at, SKEP_IR_ADD, page, I(1)));
	uint32_t low = skep_emit_alu(at, SKEP_IR_AND, addr, I((1 << SKEP_UNWIND_PAGE_BITS) - 1));
	struct search s = {.array = {at->e->maps->of[SKEP_UNWIND_MAP_ROWS], at->e->maps->sizes.rows,
				     sizeof(struct skep_unwind_row)},
			   .key_bytes = sizeof(((struct skep_unwind_row *)0)->low),
			   .from = from,
			   .cnt = variable(at, skep_emit_alu(at, SKEP_IR_SUB, end, R(from))),
			   .above = skep_emit_alu(at, SKEP_IR_ADD, low, I(1))};

	search(at, &s, ROW_STEPS, ROW_STEPS_FEW);
	return skep_ir_load(at->f, 2, R(skep_emit_element(at, s.array, s.from)),
			    offsetof(struct skep_unwind_row, rule));
}

/* Outside of the file's pages it is the file's first rule: nothing is known. */
uint32_t skep_emit_rule(const struct emit_func *at, uint32_t addr)
{
	struct emit_array files = {at->e->maps->of[SKEP_UNWIND_MAP_FILES], at->e->maps->sizes.files,
				   sizeof(struct skep_unwind_file)};
	uint32_t in_file = skep_emit_alu(at, SKEP_IR_SUB, addr, R(GET(at, bias)));
	uint32_t file = skep_emit_element(at, files, GET(at, file));
#define FILE_FIELD(name) skep_ir_load(at->f, 4, R(file), offsetof(struct skep_unwind_file, name))
	uint32_t rule = variable(at, FILE_FIELD(rules));
	uint32_t page = skep_emit_alu(at, SKEP_IR_SHR, in_file, I(SKEP_UNWIND_PAGE_BITS));
	uint32_t in = skep_ir_block(at->f), out = skep_ir_block(at->f), row;

	page = skep_emit_alu(at, SKEP_IR_SUB, page, R(FILE_FIELD(first_page)));
	skep_ir_branch(at->f, SKEP_IR_ULT, R(page), R(FILE_FIELD(n_pages)), in, out);
	skep_ir_at(at->f, in);
	row = find_row(at, skep_emit_alu(at, SKEP_IR_ADD, page, R(FILE_FIELD(pages))), in_file);
	skep_ir_set(at->f, rule, R(skep_emit_alu(at, SKEP_IR_ADD, rule, R(row))));
	skep_ir_jump(at->f, out);
	skep_ir_at(at->f, out);
	return rule;
#undef FILE_FIELD
}
