/* Other programs of one, and smaller ones: see typed_changes.h. */
#include <string.h>

#include "typed_changes.h"

#define N_OF(a)      (sizeof(a) / sizeof((a)[0]))
#define MOST_HELPERS 212

static const struct skep_insn nothing = {.code = SKEP_JMP | SKEP_JA};

static bool is_wide(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM);
}

static bool is_nothing(const struct skep_insn *insn)
{
	return !memcmp(insn, &nothing, sizeof(nothing));
}

static bool is_call(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL);
}

static bool is_exit(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_EXIT);
}

/* Its imm tells how far a function, or the jump's target, is. */
static bool has_far_target(const struct skep_insn *insn)
{
	return (is_call(insn) && insn->src == SKEP_CALL_LOCAL) ||
	       insn->code == (SKEP_JMP32 | SKEP_JA) ||
	       (is_wide(insn) && insn->src == SKEP_PSEUDO_FUNC);
}

static bool is_of_jumps(const struct skep_insn *insn)
{
	return (insn->code & 7) == SKEP_JMP || (insn->code & 7) == SKEP_JMP32;
}

static bool is_jump(const struct skep_insn *insn)
{
	return is_of_jumps(insn) && !is_call(insn) && !is_exit(insn) && !has_far_target(insn);
}

static bool is_second_slot(const struct typed_program *program, uint32_t at)
{
	return at && is_wide(&program->insns[at - 1]);
}

/* --- Other programs -------------------------------------------------------------------------- */

static uint32_t below(uint64_t *random, uint32_t n)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (uint32_t)((*random * 0x2545f4914f6cdd1dull) >> 32) % n;
}

static void change_registers(struct skep_insn *insn, uint64_t *random)
{
	if (is_call(insn) || is_wide(insn))
		return;
	if (below(random, 2))
		insn->dst = (uint8_t)below(random, 11);
	else
		insn->src = (uint8_t)below(random, 11);
}

static void change_offset(struct skep_insn *insn, uint64_t *random)
{
	static const int16_t by[] = {1, -1, 2, -2, 4, -4, 8, -8, 64};

	if (!is_call(insn))
		insn->off = (int16_t)(insn->off + by[below(random, N_OF(by))]);
}

static void change_number(struct skep_insn *insn, uint64_t *random)
{
	static const int32_t edges[] = {0,  1,   -1,  7,      8,       31,        32,       63,
					64, 255, 256, 0xffff, 0x10000, INT32_MAX, INT32_MIN};

	if (is_call(insn) && insn->src == SKEP_CALL_HELPER)
		insn->imm = 1 + (int32_t)below(random, MOST_HELPERS);
	else if (has_far_target(insn) || (is_wide(insn) && insn->src))
		return;
	else if (below(random, 2))
		insn->imm += below(random, 2) ? 1 : -1;
	else
		insn->imm = edges[below(random, N_OF(edges))];
}

/* Another operation, width or mode of the same class; or its neighbour's class. */
static void change_operation(struct skep_insn *insn, uint64_t *random)
{
	if (is_call(insn) || is_exit(insn) || is_wide(insn))
		return;
	switch (below(random, 4)) {
	case 0: insn->code ^= SKEP_ALU ^ SKEP_ALU64; break;
	case 1: insn->code ^= 1u << 3; break;
	default: insn->code = (uint8_t)((insn->code & 0x0f) | below(random, 14) << 4);
	}
}

static void leave_out(struct skep_insn *insn, uint64_t *random)
{
	if (!is_wide(insn) && !is_exit(insn))
		*insn = nothing;
}

static void exchange(struct typed_program *program, uint32_t at)
{
	struct skep_insn *pair = &program->insns[at], first = pair[0];

	if (at + 1 >= program->n || is_of_jumps(&pair[0]) || is_of_jumps(&pair[1]) ||
	    is_wide(&pair[0]) || is_wide(&pair[1]))
		return;
	pair[0] = pair[1];
	pair[1] = first;
}

void typed_mutate(struct typed_program *program, uint64_t random)
{
	static void (*const changes[])(struct skep_insn * insn, uint64_t * random) = {
		change_registers, change_registers, change_offset,    change_offset,
		change_number,    change_number,    change_operation, leave_out,
	};
	uint64_t chance = (random + 1) * 0x9e3779b97f4a7c15ull;

	for (uint32_t n = 1 + below(&chance, 3); n; n--) {
		uint32_t at = below(&chance, program->n), which = below(&chance, N_OF(changes) + 1);

		if (is_second_slot(program, at))
			continue;
		if (which < N_OF(changes))
			changes[which](&program->insns[at], &chance);
		else
			exchange(program, at);
	}
}

/* --- Smaller ones ---------------------------------------------------------------------------- */

/* Without [from, from + n): a jump to the next stands for each. Second slots go with their first.
 */
static void blank(struct typed_program *program, uint32_t from, uint32_t n)
{
	for (uint32_t at = from; at < from + n && at < program->n; at++) {
		bool wide = is_wide(&program->insns[at]);

		if (is_second_slot(program, at))
			continue;
		program->insns[at] = nothing;
		if (wide)
			program->insns[at + 1] = nothing;
	}
}

static void put_targets_right(struct skep_insn *insn, uint32_t at, const uint32_t *place)
{
	if (is_jump(insn))
		insn->off = (int16_t)(place[(int)at + 1 + insn->off] - place[at] - 1);
	else if (has_far_target(insn))
		insn->imm = (int32_t)(place[(int)at + 1 + insn->imm] - place[at] - 1);
}

static bool targets_are_inside(const struct typed_program *program)
{
	for (uint32_t at = 0; at < program->n; at++) {
		const struct skep_insn *insn = &program->insns[at];
		int64_t target = (int64_t)at + 1;

		if (is_second_slot(program, at))
			continue;
		target += is_jump(insn) ? insn->off : has_far_target(insn) ? insn->imm : 0;
		if (target < 0 || target > program->n)
			return false;
	}
	return true;
}

/* Functions that nobody is left to call have nothing in them. */
static void move_functions(struct typed_program *program, const uint32_t *place)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < program->n_funcs; i++) {
		uint32_t end = i + 1 < program->n_funcs ? program->funcs[i + 1].start : program->n;
		struct typed_func func = program->funcs[i];

		if (place[func.start] == place[end])
			continue;
		func.start = place[func.start];
		program->funcs[n++] = func;
	}
	program->n_funcs = n;
}

/* Take out the blanks. */
static void compact(struct typed_program *program)
{
	uint32_t place[TYPED_MOST_INSNS + 1], n = 0;
	struct typed_program out = *program;

	if (!targets_are_inside(program))
		return;
	for (uint32_t at = 0; at < program->n; at++) {
		place[at] = n;
		n += !is_nothing(&program->insns[at]) || is_second_slot(program, at);
	}
	place[program->n] = n;
	for (uint32_t at = 0; at < program->n; at++) {
		bool second = is_second_slot(program, at);

		if (is_nothing(&program->insns[at]) && !second)
			continue;
		out.insns[place[at]] = program->insns[at];
		if (!second)
			put_targets_right(&out.insns[place[at]], at, place);
	}
	move_functions(&out, place);
	out.n = n;
	*program = out;
}

void typed_shrink(struct typed_program *program,
		  bool (*still)(void *ctx, const struct typed_program *program), void *ctx)
{
	struct typed_program smaller;

	for (int round = 0; round < 3; round++) {
		for (uint32_t n = program->n / 2; n; n /= 2)
			for (uint32_t from = 0; from < program->n; from += n) {
				smaller = *program;
				blank(&smaller, from, n);
				if (memcmp(&smaller, program, sizeof(smaller)) &&
				    still(ctx, &smaller))
					*program = smaller;
			}
		smaller = *program;
		compact(&smaller);
		if (still(ctx, &smaller))
			*program = smaller;
	}
}

/* --- Harm ------------------------------------------------------------------------------------ */

static bool calls_back(const struct typed_program *program)
{
	for (uint32_t at = 0; at < program->n; at++)
		if (is_wide(&program->insns[at]) && program->insns[at].src == SKEP_PSEUDO_FUNC)
			return true;
	return false;
}

bool typed_is_harmful(const struct typed_program *program)
{
	if (!calls_back(program))
		return false;
	for (uint32_t at = 0; at < program->n; at++) {
		const struct skep_insn *insn = &program->insns[at];

		if (is_second_slot(program, at) || !is_of_jumps(insn))
			continue;
		if ((is_jump(insn) && insn->off < 0) ||
		    (insn->code == (SKEP_JMP32 | SKEP_JA) && insn->imm < 0) ||
		    (is_call(insn) && insn->src == SKEP_CALL_KFUNC))
			return true;
	}
	return false;
}
