/*
 * What one slot holds: known by its code first, for all slots; later, along
 * the program's paths, every field. isa.def decides; this file finds the
 * kernel's words for its refusals.
 */
#include "image/link.h"

#include <errno.h>
#include <stdio.h>

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
	struct skep_insn *insn = &image->insns[at];
	enum skep_diag_id why = SKEP_DIAG_NONE;

	if (is_ldx_reserved(insn)) {
		skep_link_log(linker, "BPF_LDX uses reserved fields\n");
		return -EINVAL;
	}
	if (linker->env->by_register && skep_is_call_by_register(insn)) {
		image->ops[at] = SKEP_OP_CALL_HELPER;
		return 0;
	}
	/* which the kernel does not look at */
	if (linker->env->verified && insn->code == (SKEP_JMP | SKEP_EXIT))
		insn->off = 0;
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

/* Known, but not in this width. */
static bool is_atomic_of_words(const struct skep_insn *insn)
{
	switch (insn->imm & ~SKEP_FETCH) {
	case SKEP_ADD:
	case SKEP_AND:
	case SKEP_OR:
	case SKEP_XOR: return true;
	default: return insn->imm == SKEP_XCHG || insn->imm == SKEP_CMPXCHG;
	}
}

static void tell_field(const struct skep_image *image, uint32_t at,
		       char text[SKEP_FAULT_TEXT_BYTES])
{
	const struct skep_insn *insn = &image->insns[at];
	enum skep_diag_id why = SKEP_DIAG_NONE;

	decode(image, at, &why);
	if (why == SKEP_DIAG_INSN_REGISTER)
		snprintf(text, SKEP_FAULT_TEXT_BYTES, "R%d is invalid",
			 insn->src >= SKEP_N_REGS && insn->dst < SKEP_N_REGS ? insn->src
									     : insn->dst);
	else if (insn->code == (SKEP_JMP | SKEP_JCOND))
		snprintf(text, SKEP_FAULT_TEXT_BYTES, "invalid may_goto imm %d", insn->imm);
	else if (is_atomic(insn) && is_atomic_of_words(insn))
		snprintf(text, SKEP_FAULT_TEXT_BYTES, "invalid atomic operand size");
	else if (is_atomic(insn))
		snprintf(text, SKEP_FAULT_TEXT_BYTES, "BPF_ATOMIC uses invalid atomic opcode %02x",
			 (unsigned)insn->imm);
	else
		snprintf(text, SKEP_FAULT_TEXT_BYTES, "%s", reserved_words(insn));
}

/* A cast between the two address spaces of an arena, and so of a program that has one. */
static const char *cast_words(const struct skep_image *image, const struct skep_insn *insn)
{
	if (insn->imm != 1 && insn->imm != 1 << 16)
		return "addr_space_cast insn can only convert between address space 1 and 0";
	if (!image->arena)
		return "addr_space_cast insn can only be used in a program that has an associated "
		       "arena";
	return NULL;
}

const char *skep_image_fault(const struct skep_image *image, uint32_t at,
			     char text[SKEP_FAULT_TEXT_BYTES])
{
	if (image->ops[at] == SKEP_OP_ADDR_SPACE_CAST)
		return cast_words(image, &image->insns[at]);
	if (image->ops[at] != SKEP_OP_INVALID)
		return NULL;
	tell_field(image, at, text);
	return text;
}

int skep_link_fields(struct skep_linker *linker)
{
	for (uint32_t i = 0; !linker->env->verified && i < linker->n_order; i++) {
		char text[SKEP_FAULT_TEXT_BYTES];
		const char *fault = skep_image_fault(linker->image, linker->order[i], text);

		if (fault) {
			skep_link_log(linker, "%s\n", fault);
			return -EINVAL;
		}
	}
	return 0;
}

void skep_image_bury_faults(struct skep_image *image)
{
	char text[SKEP_FAULT_TEXT_BYTES];
	uint32_t n;

	for (uint32_t at = 0; at < image->n_insns; at += n) {
		n = skep_is_ld64(&image->insns[at]) ? 2 : 1;
		if (!skep_image_fault(image, at, text))
			continue;
		for (uint32_t i = at; i < at + n; i++) {
			image->insns[i] = skep_ja(-1);
			image->ops[i] = SKEP_OP_JA;
		}
	}
}
