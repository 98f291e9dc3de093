/*
 * A smaller case: first each instruction is tried without (a `goto +0` stands
 * for it), in halving stretches, then those are taken out and jumps put right.
 */
#include <string.h>

#include "lab.h"

static const struct skep_insn nothing = {.code = SKEP_JMP | SKEP_JA};

static bool is_wide(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM);
}

static bool is_nothing(const struct skep_insn *insn)
{
	return !memcmp(insn, &nothing, sizeof(nothing));
}

static bool is_local_target(const struct skep_insn *insn)
{
	return (insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == SKEP_CALL_LOCAL) ||
	       insn->code == (SKEP_JMP32 | SKEP_JA) ||
	       (is_wide(insn) && insn->src == SKEP_PSEUDO_FUNC);
}

static bool is_jump(const struct skep_insn *insn)
{
	int class = insn->code & 7, op = insn->code & 0xf0;

	return (class == SKEP_JMP || class == SKEP_JMP32) && op != SKEP_CALL && op != SKEP_EXIT &&
	       !is_local_target(insn);
}

/* A map's address without its call would stay in r1. */
static bool are_maps_used(const struct lab_case *lab)
{
	for (uint32_t i = 0; i < lab->n; i++) {
		uint32_t k = i + 2;

		if (!is_wide(&lab->insns[i]) || !lab->insns[i].src)
			continue;
		while (k < lab->n && k < i + 8 && lab->insns[k].code != (SKEP_JMP | SKEP_CALL))
			k++;
		if (k == lab->n || k == i + 8)
			return false;
	}
	return true;
}

/** What a smaller case must still show. */
struct dispute {
	enum lab_engine a, b;
	bool refused; /* by the checked interpreter, where the kernel takes it */
};

/* Do they still disagree, on a program that nothing else is wrong with? What the checked
 * interpreter refuses would do anything elsewhere. */
static bool still(const struct lab_case *lab, const struct dispute *dispute)
{
	struct lab_outcome checked, of_a, of_b;
	char text[200];

	if (!are_maps_used(lab))
		return false;
	if (dispute->a == LAB_KERNEL || dispute->b == LAB_KERNEL) {
		lab_run(LAB_KERNEL, lab, &of_b, NULL);
		if (of_b.load_err || of_b.run_err)
			return false;
	}
	lab_run(LAB_CHECKED, lab, &checked, NULL);
	if (checked.load_err || *checked.fault)
		return !checked.load_err && dispute->refused;
	lab_run(dispute->a, lab, &of_a, NULL);
	lab_run(dispute->b, lab, &of_b, NULL);
	return !dispute->refused && lab_differ(&of_a, &of_b, text);
}

static bool has_loop(const struct lab_case *lab)
{
	for (uint32_t i = 0; i < lab->n; i++)
		if (is_jump(&lab->insns[i]) && lab->insns[i].off < 0)
			return true;
	return false;
}

/* Whatever makes an address a number again stays as long as there are addresses: they are never
 * the same in two engines. So does what counts loops, r9: programs must end. */
static bool is_needed(const struct skep_insn *insn, bool loops, bool addresses)
{
	int class = insn->code & 7;
	bool moves = (class == SKEP_ALU64 && (insn->code & 0xf0) == SKEP_MOV) || class == SKEP_LDX;

	if (loops && insn->dst == SKEP_R9 && !is_jump(insn))
		return true;
	return addresses && moves && insn->src != SKEP_R6 && insn->dst <= SKEP_R5;
}

static bool makes_address(const struct skep_insn *insn)
{
	return (is_wide(insn) && insn->src) ||
	       (insn->code == (SKEP_LDX | SKEP_MEM | SKEP_W) && insn->src == SKEP_R6 &&
		insn->dst >= SKEP_R4 && insn->dst <= SKEP_R5);
}

static bool has_addresses(const struct lab_case *lab)
{
	for (uint32_t i = 0; i < lab->n; i++)
		if (makes_address(&lab->insns[i]))
			return true;
	return false;
}

/* Without [from, from + n). Second slots go with their first. */
static void blank(struct lab_case *lab, uint32_t from, uint32_t n)
{
	bool loops = has_loop(lab), addresses = has_addresses(lab);

	for (uint32_t i = from; i < from + n && i < lab->n; i++) {
		bool wide = is_wide(&lab->insns[i]);

		if (i < 2 || is_wide(&lab->insns[i - 1]) ||
		    is_needed(&lab->insns[i], loops, addresses))
			continue;
		lab->insns[i] = nothing;
		if (wide)
			lab->insns[i + 1] = nothing;
	}
}

static void blank_what_can_be(struct lab_case *lab, const struct dispute *dispute)
{
	for (uint32_t n = lab->n / 2; n; n /= 2)
		for (uint32_t from = 0; from < lab->n; from += n) {
			struct lab_case smaller = *lab;

			blank(&smaller, from, n);
			if (memcmp(&smaller, lab, sizeof(smaller)) && still(&smaller, dispute))
				*lab = smaller;
		}
}

/* Take out the blanks. */
static void compact(struct lab_case *lab)
{
	uint32_t place[MOST_INSNS + 1], n = 0;
	struct lab_case out = *lab;

	for (uint32_t i = 0; i < lab->n; i++) {
		place[i] = n;
		n += !is_nothing(&lab->insns[i]);
	}
	place[lab->n] = n;
	for (uint32_t i = 0; i < lab->n; i++) {
		struct skep_insn insn = lab->insns[i];

		if (is_nothing(&insn))
			continue;
		if (is_jump(&insn))
			insn.off = (int16_t)(place[(int)i + 1 + insn.off] - place[i] - 1);
		else if (is_local_target(&insn))
			insn.imm = (int32_t)(place[(int)i + 1 + insn.imm] - place[i] - 1);
		out.insns[place[i]] = insn;
		if (is_wide(&insn)) {
			i++;
			out.insns[place[i]] = lab->insns[i];
		}
	}
	out.n = n;
	*lab = out;
}

void lab_shrink(struct lab_case *lab, enum lab_engine a, enum lab_engine b)
{
	struct dispute dispute = {a, b, false};
	struct lab_outcome checked;

	lab_run(LAB_CHECKED, lab, &checked, NULL);
	/* Nothing but the kernel's word says that a refused program is one. */
	dispute.refused = *checked.fault && (a == LAB_KERNEL || b == LAB_KERNEL);
	for (int round = 0; round < 2 && still(lab, &dispute); round++) {
		blank_what_can_be(lab, &dispute);
		struct lab_case compacted = *lab;
		compact(&compacted);
		if (still(&compacted, &dispute))
			*lab = compacted;
	}
}
