/*
 * Registers: what they can be made, and how instructions read and write them.
 */
#include "verify/verifier.h"

#include <errno.h>
#include <stdio.h>

const struct reg verify_reg_unset = {
	.kind = REG_UNSET,
	.value = {{0, UINT64_MAX},
		  {0, UINT64_MAX, INT64_MIN, INT64_MAX},
		  {0, UINT32_MAX, INT32_MIN, INT32_MAX}},
};

/* Without privileges states are only the same when numbers are, so every number counts. */
void verify_reg_unknown(const struct verifier *v, struct reg *reg)
{
	*reg = (struct reg){
		.kind = REG_SCALAR, .value = skep_scalar_any, .precise = !v->privileged};
}

void verify_reg_const(const struct verifier *v, struct reg *reg, uint64_t value)
{
	*reg = (struct reg){
		.kind = REG_SCALAR, .value = skep_scalar_const(value), .precise = !v->privileged};
}

void verify_reg_pointer(struct reg *reg, enum reg_kind kind, unsigned flags)
{
	*reg = (struct reg){
		.kind = (uint8_t)kind, .flags = (uint16_t)flags, .value = skep_scalar_const(0)};
}

bool verify_reg_is_const(const struct reg *reg)
{
	return reg->kind == REG_SCALAR && skep_tnum_is_const(reg->value.bits);
}

bool verify_reg_is_null(const struct reg *reg)
{
	return verify_reg_is_const(reg) && !reg->value.bits.value;
}

bool verify_reg_is_packet(const struct reg *reg)
{
	return reg->kind == REG_PACKET || reg->kind == REG_PACKET_META;
}

uint32_t verify_new_id(struct verifier *v)
{
	return ++v->last_id;
}

void verify_each_reg(struct state *state, void (*each)(struct reg *reg, void *ctx), void *ctx)
{
	for (uint32_t f = 0; f < state->n_frames; f++) {
		struct frame *frame = state->frames[f];

		for (unsigned r = 0; r < SKEP_N_REGS; r++)
			each(&frame->regs[r], ctx);
		for (uint32_t s = 0; s < frame->n_slots; s++)
			if (slot_is_spill(&frame->slots[s]))
				each(&frame->slots[s].spilled, ctx);
	}
}

/* --- Words ----------------------------------------------------------------------------------- */

const char *verify_kind_text(const struct reg *reg, char text[VERIFY_KIND_TEXT_BYTES])
{
	static const char *const words[] = {
#define REG_KIND(NAME, word) word,
#include "verify/reg_kinds.def"
#undef REG_KIND
	};
	static const struct {
		unsigned flag;
		const char *word;
	} prefixes[] = {
		{MEM_RDONLY, "rdonly_"},   {MEM_RINGBUF, "ringbuf_"}, {MEM_USER, "user_"},
		{MEM_PERCPU, "percpu_"},   {MEM_RCU, "rcu_"},         {PTR_UNTRUSTED, "untrusted_"},
		{PTR_TRUSTED, "trusted_"},
	};
	size_t len = 0;

	if (!reg->flags)
		return words[reg->kind];
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (reg->flags & prefixes[i].flag)
			len += (size_t)snprintf(text + len, VERIFY_KIND_TEXT_BYTES - len, "%s",
						prefixes[i].word);
	len += (size_t)snprintf(text + len, VERIFY_KIND_TEXT_BYTES - len, "%s", words[reg->kind]);
	if (reg->flags & PTR_MAYBE_NULL)
		snprintf(text + len, VERIFY_KIND_TEXT_BYTES - len, "%s",
			 reg->kind == REG_BTF_PTR ? "or_null_" : "_or_null");
	return text;
}

const char *verify_tnum_text(struct skep_tnum t, char text[VERIFY_TNUM_TEXT_BYTES])
{
	unsigned long long value = t.value, mask = t.mask;

	if (mask)
		snprintf(text, VERIFY_TNUM_TEXT_BYTES, "(0x%llx; 0x%llx)", value, mask);
	else if (value <= UINT16_MAX)
		snprintf(text, VERIFY_TNUM_TEXT_BYTES, "%llu", value);
	else
		snprintf(text, VERIFY_TNUM_TEXT_BYTES, "0x%llx", value);
	return text;
}

/* --- Operands -------------------------------------------------------------------------------- */

int verify_read_reg(struct verifier *v, unsigned regno)
{
	verify_note_reg(v, regno);
	if (verify_reg(v, regno)->kind == REG_UNSET)
		return verify_refuse(v, UNINIT_REGISTER, regno);
	return 0;
}

int verify_write_reg(struct verifier *v, unsigned regno)
{
	verify_note_reg(v, regno);
	if (regno == SKEP_R10)
		return verify_refuse(v, FRAME_POINTER_WRITE);
	return 0;
}

bool verify_leaks_pointer(struct verifier *v, unsigned regno)
{
	return !v->privileged && reg_is_pointer(verify_reg(v, regno));
}
