/* The encodings behind asm.h: the fixed bits of each instruction, and where its operands go. */
#include <string.h>

#include "jit/aarch64/asm.h"

enum {
	I_ADD_IMM = 0x11000000,
	I_SUB_IMM = 0x51000000,
	I_ADDS_IMM = 0x31000000,
	I_SUBS_IMM = 0x71000000,
	I_MOVN = 0x12800000,
	I_MOVZ = 0x52800000,
	I_MOVK = 0x72800000,
	I_MADD = 0x1b000000,
	I_MSUB = 0x1b008000,
	I_UDIV = 0x1ac00800,
	I_SDIV = 0x1ac00c00,
	I_SHIFT = 0x1ac02000, /* lslv, lsrv, asrv: | op << 10 */
	I_UBFM = 0x53000000,
	I_SBFM = 0x13000000,
	I_REV16 = 0x5ac00400,
	I_REV32 = 0x5ac00800,
	I_REV64 = 0x5ac00c00,
	I_CSEL = 0x1a800000,
	I_UNSCALED = 0x38000000,
	I_SCALED = 0x39000000,
	I_INDEXED = 0x38206800,
	I_LDAR = 0x08dffc00,
	I_STLR = 0x089ffc00,
	I_LDXR = 0x085f7c00,
	I_STLXR = 0x0800fc00,
	I_STP_PRE = (int)0xa9800000,
	I_LDP_POST = (int)0xa8c00000,
	I_B = 0x14000000,
	I_BL = (int)0x94000000,
	I_B_COND = 0x54000000,
	I_CBNZ = 0x35000000,
	I_BLR = (int)0xd63f0000,
	I_RET = (int)0xd65f03c0,
	I_DMB_ISH = (int)0xd5033bbf,
	SHIFTED_12 = 1 << 22,
	BITFIELD_64 = 1 << 22,
};

static void word(struct jit_unit *u, uint32_t value)
{
	if (u->len + 4 <= u->cap)
		memcpy(u->code + u->len, &value, 4);
	u->len += 4;
}

static uint32_t sf(enum a_width w)
{
	return w == W64 ? 1u << 31 : 0;
}

static uint32_t size(enum a_width w)
{
	return (uint32_t)w << 30;
}

/* The three registers of most instructions. */
static uint32_t regs(enum a_reg d, enum a_reg n, enum a_reg m)
{
	return (uint32_t)d | (uint32_t)n << 5 | (uint32_t)m << 16;
}

/* --- Arithmetic ------------------------------------------------------------------------------ */

void a_alu(struct jit_unit *u, enum a_alu op, enum a_width w, enum a_reg dst, enum a_reg a,
	   enum a_reg b)
{
	static const uint32_t ops[] = {
		[A_ADD] = 0x0b000000,  [A_SUB] = 0x4b000000, [A_SUBS] = 0x6b000000,
		[A_AND] = 0x0a000000,  [A_ORR] = 0x2a000000, [A_EOR] = 0x4a000000,
		[A_ANDS] = 0x6a000000,
	};
	word(u, ops[op] | sf(w) | regs(dst, a, b));
}

static uint32_t imm12(int64_t imm)
{
	return imm < 4096 ? (uint32_t)imm << 10 : SHIFTED_12 | (uint32_t)(imm >> 12) << 10;
}

bool a_fits_add(int64_t imm)
{
	uint64_t size_of = imm < 0 ? -(uint64_t)imm : (uint64_t)imm;
	return size_of < 4096 || (size_of < 4096 << 12 && !(size_of & 4095));
}

void a_add_imm(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg a, int64_t imm)
{
	uint32_t op = imm < 0 ? I_SUB_IMM : I_ADD_IMM;
	word(u, op | sf(w) | imm12(imm < 0 ? -imm : imm) | regs(dst, a, 0));
}

void a_cmp_imm(struct jit_unit *u, enum a_width w, enum a_reg a, int64_t imm)
{
	uint32_t op = imm < 0 ? I_ADDS_IMM : I_SUBS_IMM;
	word(u, op | sf(w) | imm12(imm < 0 ? -imm : imm) | regs(XZR, a, 0));
}

void a_mov(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg src)
{
	a_alu(u, A_ORR, w, dst, XZR, src);
}

static void mov_half(struct jit_unit *u, uint32_t op, enum a_reg dst, uint64_t value, int half)
{
	uint32_t bits = (uint32_t)(value >> 16 * half & 0xffff);
	word(u, op | sf(W64) | (uint32_t)half << 21 | bits << 5 | (uint32_t)dst);
}

void a_mov_imm32(struct jit_unit *u, enum a_reg dst, uint32_t value)
{
	mov_half(u, I_MOVZ, dst, value, 0);
	mov_half(u, I_MOVK, dst, value, 1);
}

void a_mov_imm64(struct jit_unit *u, enum a_reg dst, uint64_t value)
{
	mov_half(u, I_MOVZ, dst, value, 0);
	for (int half = 1; half < 4; half++)
		mov_half(u, I_MOVK, dst, value, half);
}

/* Begin with all zeros or all ones, whichever there are more halves of. */
void a_mov_imm(struct jit_unit *u, enum a_reg dst, uint64_t value)
{
	int zeros = 0, ones = 0;
	for (int half = 0; half < 4; half++) {
		uint64_t bits = value >> 16 * half & 0xffff;
		zeros += bits == 0;
		ones += bits == 0xffff;
	}
	uint64_t filler = ones > zeros ? 0xffff : 0;
	bool begun = false;
	for (int half = 0; half < 4; half++) {
		if ((value >> 16 * half & 0xffff) == filler)
			continue;
		if (begun)
			mov_half(u, I_MOVK, dst, value, half);
		else
			mov_half(u, filler ? I_MOVN : I_MOVZ, dst, filler ? ~value : value, half);
		begun = true;
	}
	if (!begun)
		mov_half(u, filler ? I_MOVN : I_MOVZ, dst, 0, 0);
}

void a_mul(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg a, enum a_reg b)
{
	word(u, I_MADD | sf(w) | regs(dst, a, b) | XZR << 10);
}

void a_msub(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg a, enum a_reg b,
	    enum a_reg from)
{
	word(u, I_MSUB | sf(w) | regs(dst, a, b) | (uint32_t)from << 10);
}

void a_div(struct jit_unit *u, bool is_signed, enum a_width w, enum a_reg dst, enum a_reg a,
	   enum a_reg b)
{
	word(u, (is_signed ? I_SDIV : I_UDIV) | sf(w) | regs(dst, a, b));
}

void a_shift(struct jit_unit *u, enum a_shift op, enum a_width w, enum a_reg dst, enum a_reg a,
	     enum a_reg count)
{
	word(u, I_SHIFT | sf(w) | (uint32_t)op << 10 | regs(dst, a, count));
}

/* Bits [@from, @to] of @a, moved down, or up if from > to. */
static void bitfield(struct jit_unit *u, bool is_signed, enum a_width w, enum a_reg dst,
		     enum a_reg a, int from, int to)
{
	uint32_t op = (is_signed ? I_SBFM : I_UBFM) | sf(w) | (w == W64 ? BITFIELD_64 : 0);
	word(u, op | (uint32_t)from << 16 | (uint32_t)to << 10 | regs(dst, a, 0));
}

void a_shift_imm(struct jit_unit *u, enum a_shift op, enum a_width w, enum a_reg dst, enum a_reg a,
		 int count)
{
	int bits = w == W64 ? 64 : 32;
	if (op == A_LSL)
		bitfield(u, false, w, dst, a, (bits - count) % bits, bits - 1 - count);
	else
		bitfield(u, op == A_ASR, w, dst, a, count, bits - 1);
}

void a_extend(struct jit_unit *u, bool is_signed, enum a_width from, enum a_width to,
	      enum a_reg dst, enum a_reg src)
{
	bitfield(u, is_signed, to, dst, src, 0, (8 << from) - 1);
}

void a_rev(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg src)
{
	uint32_t op = w == W16 ? I_REV16 : w == W32 ? I_REV32 : I_REV64;
	word(u, op | sf(w) | regs(dst, src, 0));
}

void a_csel(struct jit_unit *u, enum a_cond cc, enum a_reg dst, enum a_reg yes, enum a_reg no)
{
	word(u, I_CSEL | sf(W64) | (uint32_t)cc << 12 | regs(dst, yes, no));
}

/* --- Memory ---------------------------------------------------------------------------------- */

void a_access(struct jit_unit *u, enum a_access op, enum a_width w, enum a_reg reg, enum a_reg base,
	      int32_t off)
{
	uint32_t what = size(w) | (uint32_t)op << 22 | regs(reg, base, 0);
	if (off >= 0 && off % (1 << w) == 0 && off >> w < 4096)
		word(u, I_SCALED | what | (uint32_t)(off >> w) << 10);
	else
		word(u, I_UNSCALED | what | (uint32_t)(off & 0x1ff) << 12);
}

void a_access_index(struct jit_unit *u, enum a_access op, enum a_width w, enum a_reg reg,
		    enum a_reg base, enum a_reg index)
{
	word(u, I_INDEXED | size(w) | (uint32_t)op << 22 | regs(reg, base, index));
}

void a_load_acquire(struct jit_unit *u, enum a_width w, enum a_reg reg, enum a_reg at)
{
	word(u, I_LDAR | size(w) | regs(reg, at, 0));
}

void a_store_release(struct jit_unit *u, enum a_width w, enum a_reg reg, enum a_reg at)
{
	word(u, I_STLR | size(w) | regs(reg, at, 0));
}

void a_load_exclusive(struct jit_unit *u, enum a_width w, enum a_reg reg, enum a_reg at)
{
	word(u, I_LDXR | size(w) | regs(reg, at, 0));
}

void a_store_exclusive(struct jit_unit *u, enum a_width w, enum a_reg failed, enum a_reg reg,
		       enum a_reg at)
{
	word(u, I_STLXR | size(w) | regs(reg, at, failed));
}

void a_barrier(struct jit_unit *u)
{
	word(u, (uint32_t)I_DMB_ISH);
}

/* stp a, b, [sp, -16]! and ldp a, b, [sp], 16: the offset is in words of 8 bytes */
void a_push2(struct jit_unit *u, enum a_reg a, enum a_reg b)
{
	word(u, (uint32_t)I_STP_PRE | (-2 & 0x7f) << 15 | (uint32_t)b << 10 | regs(a, SP, 0));
}

void a_pop2(struct jit_unit *u, enum a_reg a, enum a_reg b)
{
	word(u, (uint32_t)I_LDP_POST | 2 << 15 | (uint32_t)b << 10 | regs(a, SP, 0));
}

/* --- Control --------------------------------------------------------------------------------- */

static uint32_t distance(const struct jit_unit *u, size_t to, int bits)
{
	return (uint32_t)((int64_t)(to - u->len) >> 2) & ((1u << bits) - 1);
}

void a_jump(struct jit_unit *u, size_t to)
{
	word(u, I_B | distance(u, to, 26));
}

void a_jump_if(struct jit_unit *u, enum a_cond cc, size_t to)
{
	word(u, I_B_COND | distance(u, to, 19) << 5 | (uint32_t)cc);
}

void a_jump_nonzero(struct jit_unit *u, enum a_reg reg, size_t to)
{
	word(u, I_CBNZ | distance(u, to, 19) << 5 | (uint32_t)reg);
}

size_t a_jump_ahead(struct jit_unit *u, enum a_cond cc)
{
	a_jump_if(u, cc, u->len);
	return u->len - 4;
}

void a_land(struct jit_unit *u, size_t jump)
{
	uint32_t value;
	if (u->len > u->cap)
		return;
	memcpy(&value, u->code + jump, 4);
	value |= (uint32_t)(u->len - jump) >> 2 << 5;
	memcpy(u->code + jump, &value, 4);
}

void a_call(struct jit_unit *u, size_t to)
{
	word(u, (uint32_t)I_BL | distance(u, to, 26));
}

void a_call_c(struct jit_unit *u, uintptr_t function)
{
	a_mov_imm(u, X16, function);
	word(u, (uint32_t)I_BLR | regs(0, X16, 0));
}

void a_ret(struct jit_unit *u)
{
	word(u, (uint32_t)I_RET);
}
