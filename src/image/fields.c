/*
 * What one slot holds: known by its code first, for all slots; later, along
 * the program's paths, every field. isa.def decides; this file finds the
 * kernel's words for its refusals.
 */
#include "image/link.h"

#include <errno.h>

#include <skep/diag.h>

/* The row of the slot at @at, or INVALID and why it is none. */
static enum skep_op decode(const struct skep_image *image, uint32_t at, enum skep_diag_id *ret_why)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	enum skep_op op = SKEP_OP_INVALID;
	unsigned slots;

	if (skep_isa_decode(&image->insns[at], image->n_insns - at, &op, &slots, &diag))
		*ret_why = diag.items[0].id;
	return op;
}

static bool is_ldx_reserved(const struct skep_insn *insn)
{
	uint8_t mode = insn->code & 0xe0;

	return (insn->code & 7) == SKEP_LDX &&
	       ((mode != SKEP_MEM && mode != SKEP_MEMSX) || insn->imm);
}

int skep_link_codes(struct skep_linker *linker, uint32_t at)
{
	struct skep_image *image = linker->image;
	const struct skep_insn *insn = &image->insns[at];
	enum skep_diag_id why = SKEP_DIAG_NONE;

	if (is_ldx_reserved(insn)) {
		skep_link_log(linker, "BPF_LDX uses reserved fields\n");
		return -EINVAL;
	}
	if (linker->env->by_register && skep_is_call_by_register(insn)) {
		image->ops[at] = SKEP_OP_CALL_HELPER;
		return 0;
	}
	image->ops[at] = (uint16_t)decode(image, at, &why);
	if (why == SKEP_DIAG_INSN_CODE) {
		skep_link_log(linker, "unknown opcode %02x\n", insn->code);
		return -EINVAL;
	}
	return 0;
}

/* --- the kernel's words --------------------------------------------------------------------- */

static const char *alu_words(const struct skep_insn *insn)
{
	switch (insn->code & 0xf0) {
	case SKEP_END: return "BPF_END uses reserved fields";
	case SKEP_NEG: return "BPF_NEG uses reserved fields";
	case SKEP_MOV: return "BPF_MOV uses reserved fields";
	default: return "BPF_ALU uses reserved fields";
	}
}

static const char *jump_words(const struct skep_insn *insn)
{
	switch (insn->code & 0xf0) {
	case SKEP_CALL: return "BPF_CALL uses reserved fields";
	case SKEP_EXIT: return "BPF_EXIT uses reserved fields";
	case SKEP_JA: return "BPF_JA uses reserved fields";
	case SKEP_JCOND: return "BPF_JCOND uses reserved fields";
	default: return "BPF_JMP/JMP32 uses reserved fields";
	}
}

static const char *reserved_words(const struct skep_insn *insn)
{
	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64: return alu_words(insn);
	case SKEP_JMP:
	case SKEP_JMP32: return jump_words(insn);
	case SKEP_ST: return "BPF_ST uses reserved fields";
	case SKEP_STX: return "BPF_STX uses reserved fields";
	case SKEP_LDX: return "BPF_LDX uses reserved fields";
	default:
		return skep_is_ld64(insn) ? "BPF_LD_IMM64 uses reserved fields"
					  : "BPF_LD_[ABS|IND] uses reserved fields";
	}
}

static bool is_atomic(const struct skep_insn *insn)
{
	return (insn->code & 0xe7) == (SKEP_STX | SKEP_ATOMIC);
}

static void log_field(struct skep_linker *linker, uint32_t at)
{
	const struct skep_insn *insn = &linker->image->insns[at];
	enum skep_diag_id why = SKEP_DIAG_NONE;

	decode(linker->image, at, &why);
	if (why == SKEP_DIAG_INSN_REGISTER)
		skep_link_log(linker, "R%d is invalid\n",
			      insn->src >= SKEP_N_REGS && insn->dst < SKEP_N_REGS ? insn->src
										  : insn->dst);
	else if (is_atomic(insn))
		skep_link_log(linker, "BPF_ATOMIC uses invalid atomic opcode %02x\n", insn->imm);
	else
		skep_link_log(linker, "%s\n", reserved_words(insn));
}

/* A cast between the two address spaces of an arena, and so of a program that has one. */
static int check_cast(struct skep_linker *linker, const struct skep_insn *insn)
{
	if (insn->imm != 1 && insn->imm != 1 << 16) {
		skep_link_log(linker, "addr_space_cast insn can only convert between address "
				      "space 1 and 0\n");
		return -EINVAL;
	}
	if (!linker->image->arena) {
		skep_link_log(linker, "addr_space_cast insn can only be used in a program that "
				      "has an associated arena\n");
		return -EINVAL;
	}
	return 0;
}

int skep_link_fields(struct skep_linker *linker)
{
	const struct skep_image *image = linker->image;
	int err = 0;

	for (uint32_t i = 0; !err && i < linker->n_order; i++) {
		uint32_t at = linker->order[i];
		if (image->ops[at] == SKEP_OP_INVALID) {
			log_field(linker, at);
			err = -EINVAL;
		} else if (image->ops[at] == SKEP_OP_ADDR_SPACE_CAST) {
			err = check_cast(linker, &image->insns[at]);
		}
	}
	return err;
}
