/*
 * isa.def as a table, and what is derived from it once: which rows share a
 * code, and which fields each row's text uses. Constant after that.
 */
#include "isa/table.h"

#include <string.h>
#include <pthread.h>

#define ROW(name_, class, op, arg, src_, off_, imm_, text_)                                        \
	{                                                                                          \
		.name = #name_,                                                                    \
		.text = text_,                                                                     \
		.code = SKEP_##class | SKEP_##op | SKEP_##arg,                                     \
		.src = src_,                                                                       \
		.off = off_,                                                                       \
		.imm = imm_,                                                                       \
	},

const struct skep_isa_row skep_isa_rows[] = {
	{NULL, NULL, 0, 0, 0, 0},
#define INSN(...) ROW(__VA_ARGS__)
#include <skep/isa.def>
#define INSN_INTERNAL(...) ROW(__VA_ARGS__)
#undef INSN
#define INSN(...)
#include <skep/isa.def>
#undef INSN
};

#define N_ROWS (sizeof(skep_isa_rows) / sizeof(skep_isa_rows[0]))
const size_t skep_isa_n_rows = N_ROWS;

static const struct {
	const char *name;
	unsigned uses;
} operands[] = {
#define OPERAND(name, uses) {#name, uses},
#include "isa/operands.def"
#undef OPERAND
};

static struct {
	uint8_t first[256], next[N_ROWS], uses[N_ROWS];
} derived;
static pthread_once_t derived_once = PTHREAD_ONCE_INIT;

_Static_assert(N_ROWS <= UINT8_MAX, "row numbers are kept in bytes");

static enum skep_operand find_operand(const char *name, size_t len)
{
	for (unsigned i = 0; i < N_OPERANDS; i++) {
		if (strlen(operands[i].name) == len && !memcmp(operands[i].name, name, len))
			return i;
	}
	return NO_OPERAND;
}

bool skep_isa_piece(const char **text, enum skep_operand *ret_operand, char *ret_plain)
{
	const char *at = *text;

	if (!*at)
		return false;
	*ret_operand = NO_OPERAND;
	*ret_plain = *at;
	*text = at + 1;
	if (*at == '{') {
		const char *end = strchr(at, '}');
		*ret_operand = find_operand(at + 1, (size_t)(end - at - 1));
		*text = end + 1;
	}
	return true;
}

static unsigned text_uses(const char *text)
{
	enum skep_operand operand;
	unsigned uses = 0;
	char plain;

	while (skep_isa_piece(&text, &operand, &plain)) {
		if (operand != NO_OPERAND)
			uses |= operands[operand].uses;
	}
	return uses;
}

/* From the last row to the first, so that each chain comes out in the table's order. */
static void derive(void)
{
	for (unsigned i = N_ROWS - 1; i > 0; i--) {
		uint8_t *first = &derived.first[skep_isa_rows[i].code];

		derived.next[i] = *first;
		*first = (uint8_t)i;
		derived.uses[i] = (uint8_t)text_uses(skep_isa_rows[i].text);
	}
}

unsigned skep_isa_first(uint8_t code)
{
	pthread_once(&derived_once, derive);
	return derived.first[code];
}

unsigned skep_isa_next(unsigned row)
{
	return derived.next[row];
}

unsigned skep_isa_uses(unsigned row)
{
	pthread_once(&derived_once, derive);
	return derived.uses[row];
}

bool skep_isa_fits(unsigned row, const struct skep_insn *insn)
{
	const struct skep_isa_row *r = &skep_isa_rows[row];
	unsigned uses = skep_isa_uses(row);

	return (uses & USES_DST || insn->dst == 0) && (uses & USES_SRC || insn->src == r->src) &&
	       (uses & USES_OFF || insn->off == r->off) && (uses & USES_IMM || insn->imm == r->imm);
}

const char *skep_isa_op_name(enum skep_op op)
{
	return op > SKEP_OP_INVALID && op < SKEP_OP_CNT ? skep_isa_rows[op].name : NULL;
}

const char *skep_isa_op_text(enum skep_op op)
{
	return op > SKEP_OP_INVALID && op < SKEP_OP_CNT ? skep_isa_rows[op].text : NULL;
}
