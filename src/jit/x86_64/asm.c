/*
 * The encodings behind asm.h. An opcode is written here as the manual writes
 * it, with its prefix and escape bytes in front: PREFIX_66 | ESC_0F | 0xb6.
 */
#include <string.h>

#include "jit/x86_64/asm.h"

enum {
	ESC_0F = 1 << 8,
	PREFIX_66 = 1 << 9,
	PREFIX_LOCK = 1 << 10,
	BYTE_REG = 1 << 11, /* reg names a byte register: sil and the like need a REX prefix */
	BYTE_RM = 1 << 12,

	OP_ALU_R_RM = 0x03, /* | number << 3 */
	OP_ALU_RM_R = 0x01, /* | number << 3 */
	OP_ALU_RAX_IMM32 = 0x05,
	OP_ALU_IMM32 = 0x81,
	OP_ALU_IMM8 = 0x83,
	OP_PUSH = 0x50,
	OP_POP = 0x58,
	OP_MOVSXD = 0x63,
	OP_IMUL_IMM32 = 0x69,
	OP_IMUL_IMM8 = 0x6b,
	OP_JCC8 = 0x70,
	OP_TEST = 0x85,
	OP_XCHG8 = 0x86,
	OP_XCHG = 0x87,
	OP_STORE8 = 0x88,
	OP_STORE = 0x89,
	OP_LOAD = 0x8b,
	OP_LEA = 0x8d,
	OP_CDQ = 0x99,
	OP_MOV_IMM = 0xb8,
	OP_SHIFT_IMM8 = 0xc1,
	OP_RET = 0xc3,
	OP_STORE_IMM8 = 0xc6,
	OP_STORE_IMM32 = 0xc7,
	OP_LEAVE = 0xc9,
	OP_SHIFT_1 = 0xd1,
	OP_SHIFT_CL = 0xd3,
	OP_CALL = 0xe8,
	OP_JMP = 0xe9,
	OP_JMP8 = 0xeb,
	OP_TEST_IMM8 = 0xf6,
	OP_GROUP3 = 0xf7,
	OP_GROUP5 = 0xff,
	GROUP5_CALL = 2,
	OP_CMOV = ESC_0F | 0x40,
	OP_JCC = ESC_0F | 0x80,
	OP_SETCC = ESC_0F | 0x90,
	OP_IMUL = ESC_0F | 0xaf,
	OP_CMPXCHG = ESC_0F | 0xb1,
	OP_MOVZX8 = ESC_0F | 0xb6,
	OP_MOVZX16 = ESC_0F | 0xb7,
	OP_MOVSX8 = ESC_0F | 0xbe,
	OP_MOVSX16 = ESC_0F | 0xbf,
	OP_XADD = ESC_0F | 0xc1,
	OP_BSWAP = ESC_0F | 0xc8,

	BYTE_66 = 0x66,
	BYTE_LOCK = 0xf0,
	BYTE_0F = 0x0f,
	BYTE_VEX3 = 0xc4,
	VEX_MAP_0F38 = 2,
	OP_VEX_SHIFT = 0xf7,
	VEX_PP_66 = 1, /* shlx */
	VEX_PP_F3 = 2, /* sarx */
	VEX_PP_F2 = 3, /* shrx */
	REX = 0x40,
	REX_W = 8,
};

/* --- Bytes ----------------------------------------------------------------------------------- */

static void byte(struct jit_unit *u, int value)
{
	if (u->len < u->cap)
		u->code[u->len] = (uint8_t)value;
	u->len++;
}

static void bytes(struct jit_unit *u, uint64_t value, int n)
{
	for (int i = 0; i < n; i++)
		byte(u, (int)(value >> 8 * i & 0xff));
}

static bool fits8(int64_t value)
{
	return value == (int8_t)value;
}

/* --- Prefixes, opcode, ModRM ----------------------------------------------------------------- */

static void opcode(struct jit_unit *u, int op, int rex)
{
	if (op & PREFIX_LOCK)
		byte(u, BYTE_LOCK);
	if (op & PREFIX_66)
		byte(u, BYTE_66);
	if (rex)
		byte(u, REX | (rex & 15));
	if (op & ESC_0F)
		byte(u, BYTE_0F);
	byte(u, op & 0xff);
}

static int rex_bits(enum x_width w, int reg, int index, int base)
{
	return (w == W64 ? REX_W : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
}

/* spl, bpl, sil and dil exist with a REX prefix only. */
static int byte_rex(bool is_byte, int reg)
{
	return is_byte && reg >= RSP && reg <= RDI ? REX : 0;
}

static void op_reg(struct jit_unit *u, int op, enum x_width w, int reg, enum x_reg rm)
{
	int rex =
		rex_bits(w, reg, 0, rm) | byte_rex(op & BYTE_REG, reg) | byte_rex(op & BYTE_RM, rm);
	opcode(u, op, rex);
	byte(u, 3 << 6 | (reg & 7) << 3 | (rm & 7));
}

static void op_mem(struct jit_unit *u, int op, enum x_width w, int reg, struct x_mem m)
{
	int index = m.index == NO_REG ? RSP : m.index; /* RSP as index: none */
	bool sib = m.index != NO_REG || (m.base & 7) == RSP;
	/* rbp and r13 as base have no form without displacement */
	int mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : fits8(m.disp) ? 1 : 2;
	opcode(u, op,
	       rex_bits(w, reg, m.index == NO_REG ? 0 : index, m.base) |
		       byte_rex(op & BYTE_REG, reg));
	byte(u, mod << 6 | (reg & 7) << 3 | (sib ? RSP : m.base & 7));
	if (sib)
		byte(u, m.scale << 6 | (index & 7) << 3 | (m.base & 7));
	bytes(u, (uint32_t)m.disp, mod == 0 ? 0 : mod == 1 ? 1 : 4);
}

/* --- Moves ----------------------------------------------------------------------------------- */

void x_mov(struct jit_unit *u, enum x_width w, enum x_reg dst, enum x_reg src)
{
	op_reg(u, OP_LOAD, w, dst, src);
}

void x_zero(struct jit_unit *u, enum x_reg dst)
{
	x_alu(u, X_XOR, W32, dst, dst);
}

void x_mov_imm32(struct jit_unit *u, enum x_reg dst, uint32_t value)
{
	opcode(u, OP_MOV_IMM + (dst & 7), rex_bits(W32, 0, 0, dst));
	bytes(u, value, 4);
}

void x_mov_imm64(struct jit_unit *u, enum x_reg dst, uint64_t value)
{
	opcode(u, OP_MOV_IMM + (dst & 7), rex_bits(W64, 0, 0, dst));
	bytes(u, value, 8);
}

void x_mov_imm(struct jit_unit *u, enum x_reg dst, uint64_t value)
{
	if (!value) {
		x_zero(u, dst);
	} else if (value <= UINT32_MAX) {
		x_mov_imm32(u, dst, (uint32_t)value);
	} else if ((int64_t)value == (int32_t)value) {
		op_reg(u, OP_STORE_IMM32, W64, 0, dst);
		bytes(u, value, 4);
	} else {
		x_mov_imm64(u, dst, value);
	}
}

void x_movzx(struct jit_unit *u, enum x_width from, enum x_reg dst, enum x_reg src)
{
	if (from == W8)
		op_reg(u, OP_MOVZX8 | BYTE_RM, W32, dst, src);
	else if (from == W16)
		op_reg(u, OP_MOVZX16, W32, dst, src);
	else
		x_mov(u, from, dst, src);
}

void x_movsx(struct jit_unit *u, enum x_width from, enum x_width to, enum x_reg dst, enum x_reg src)
{
	static const int ops[] = {
		[W8] = OP_MOVSX8 | BYTE_RM, [W16] = OP_MOVSX16, [W32] = OP_MOVSXD};
	op_reg(u, ops[from], to, dst, src);
}

void x_cmov(struct jit_unit *u, enum x_cond cc, enum x_reg dst, enum x_reg src)
{
	op_reg(u, OP_CMOV + cc, W64, dst, src);
}

void x_setcc(struct jit_unit *u, enum x_cond cc, enum x_reg dst)
{
	op_reg(u, (OP_SETCC | BYTE_RM) + cc, W32, 0, dst);
}

void x_lea(struct jit_unit *u, enum x_width w, enum x_reg dst, struct x_mem mem)
{
	op_mem(u, OP_LEA, w, dst, mem);
}

void x_push(struct jit_unit *u, enum x_reg reg)
{
	opcode(u, OP_PUSH + (reg & 7), rex_bits(W32, 0, 0, reg));
}

void x_pop(struct jit_unit *u, enum x_reg reg)
{
	opcode(u, OP_POP + (reg & 7), rex_bits(W32, 0, 0, reg));
}

/* --- Memory ---------------------------------------------------------------------------------- */

void x_load(struct jit_unit *u, enum x_width w, enum x_reg dst, struct x_mem mem)
{
	static const int ops[] = {
		[W8] = OP_MOVZX8, [W16] = OP_MOVZX16, [W32] = OP_LOAD, [W64] = OP_LOAD};
	op_mem(u, ops[w], w, dst, mem);
}

void x_load_signed(struct jit_unit *u, enum x_width w, enum x_reg dst, struct x_mem mem)
{
	static const int ops[] = {
		[W8] = OP_MOVSX8, [W16] = OP_MOVSX16, [W32] = OP_MOVSXD, [W64] = OP_LOAD};
	op_mem(u, ops[w], W64, dst, mem);
}

static int sized(int op, int op8, enum x_width w)
{
	return w == W8 ? op8 | BYTE_REG : w == W16 ? op | PREFIX_66 : op;
}

void x_store(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src)
{
	op_mem(u, sized(OP_STORE, OP_STORE8, w), w, src, mem);
}

void x_store_imm(struct jit_unit *u, enum x_width w, struct x_mem mem, int32_t imm)
{
	op_mem(u, w == W8 ? OP_STORE_IMM8 : sized(OP_STORE_IMM32, 0, w), w, 0, mem);
	bytes(u, (uint32_t)imm, w == W8 ? 1 : w == W16 ? 2 : 4);
}

void x_alu_mem_imm(struct jit_unit *u, enum x_alu op, enum x_width w, struct x_mem mem, int32_t imm)
{
	op_mem(u, fits8(imm) ? OP_ALU_IMM8 : OP_ALU_IMM32, w, op, mem);
	bytes(u, (uint32_t)imm, fits8(imm) ? 1 : 4);
}

void x_lock_alu(struct jit_unit *u, enum x_alu op, enum x_width w, struct x_mem mem, enum x_reg src)
{
	op_mem(u, PREFIX_LOCK | OP_ALU_RM_R | op << 3, w, src, mem);
}

void x_lock_xadd(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src)
{
	op_mem(u, PREFIX_LOCK | OP_XADD, w, src, mem);
}

void x_lock_cmpxchg(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src)
{
	op_mem(u, PREFIX_LOCK | OP_CMPXCHG, w, src, mem);
}

void x_xchg(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src)
{
	op_mem(u, sized(OP_XCHG, OP_XCHG8, w), w, src, mem);
}

/* --- Arithmetic ------------------------------------------------------------------------------ */

void x_alu(struct jit_unit *u, enum x_alu op, enum x_width w, enum x_reg dst, enum x_reg src)
{
	op_reg(u, OP_ALU_R_RM | op << 3, w, dst, src);
}

void x_alu_imm(struct jit_unit *u, enum x_alu op, enum x_width w, enum x_reg dst, int32_t imm)
{
	if (fits8(imm)) {
		op_reg(u, OP_ALU_IMM8, w, op, dst);
		byte(u, imm & 0xff);
		return;
	}
	if (dst == RAX)
		opcode(u, OP_ALU_RAX_IMM32 | op << 3, rex_bits(w, 0, 0, 0));
	else
		op_reg(u, OP_ALU_IMM32, w, op, dst);
	bytes(u, (uint32_t)imm, 4);
}

void x_test(struct jit_unit *u, enum x_width w, enum x_reg a, enum x_reg b)
{
	op_reg(u, OP_TEST, w, a, b);
}

void x_test_imm(struct jit_unit *u, enum x_width w, enum x_reg reg, int32_t imm)
{
	if (imm >= 0 && imm < 128) {
		op_reg(u, OP_TEST_IMM8 | BYTE_RM, W32, 0, reg);
		byte(u, imm);
		return;
	}
	/* What is not negative has no bits up there to test. */
	op_reg(u, OP_GROUP3, imm >= 0 ? W32 : w, 0, reg);
	bytes(u, (uint32_t)imm, 4);
}

void x_unary(struct jit_unit *u, enum x_unary op, enum x_width w, enum x_reg reg)
{
	op_reg(u, OP_GROUP3, w, op, reg);
}

void x_imul(struct jit_unit *u, enum x_width w, enum x_reg dst, enum x_reg src)
{
	op_reg(u, OP_IMUL, w, dst, src);
}

void x_imul_imm(struct jit_unit *u, enum x_width w, enum x_reg dst, enum x_reg src, int32_t imm)
{
	op_reg(u, fits8(imm) ? OP_IMUL_IMM8 : OP_IMUL_IMM32, w, dst, src);
	bytes(u, (uint32_t)imm, fits8(imm) ? 1 : 4);
}

void x_sign_into_rdx(struct jit_unit *u, enum x_width w)
{
	opcode(u, OP_CDQ, rex_bits(w, 0, 0, 0));
}

void x_shift_imm(struct jit_unit *u, enum x_shift op, enum x_width w, enum x_reg reg, int count)
{
	op_reg(u, (count == 1 ? OP_SHIFT_1 : OP_SHIFT_IMM8) | (w == W16 ? PREFIX_66 : 0), w, op,
	       reg);
	if (count != 1)
		byte(u, count);
}

void x_shift_cl(struct jit_unit *u, enum x_shift op, enum x_width w, enum x_reg reg)
{
	op_reg(u, OP_SHIFT_CL, w, op, reg);
}

/* VEX: c4 | ~R ~X ~B map:5 | W ~vvvv:4 L pp:2 | opcode | ModRM */
void x_shift_by(struct jit_unit *u, enum x_shift op, enum x_width w, enum x_reg dst, enum x_reg src,
		enum x_reg count)
{
	int pp = op == X_SHL ? VEX_PP_66 : op == X_SHR ? VEX_PP_F2 : VEX_PP_F3;
	byte(u, BYTE_VEX3);
	byte(u, (dst < R8) << 7 | 1 << 6 | (src < R8) << 5 | VEX_MAP_0F38);
	byte(u, (w == W64) << 7 | (~count & 15) << 3 | pp);
	byte(u, OP_VEX_SHIFT);
	byte(u, 3 << 6 | (dst & 7) << 3 | (src & 7));
}

void x_bswap(struct jit_unit *u, enum x_width w, enum x_reg reg)
{
	opcode(u, OP_BSWAP + (reg & 7), rex_bits(w, 0, 0, reg));
}

/* --- Control --------------------------------------------------------------------------------- */

size_t x_jump_ahead(struct jit_unit *u, enum x_cond cc)
{
	byte(u, cc == CC_ALWAYS ? OP_JMP8 : OP_JCC8 + cc);
	byte(u, 0);
	return u->len;
}

void x_land(struct jit_unit *u, size_t jump)
{
	if (u->len <= u->cap)
		u->code[jump - 1] = (uint8_t)(u->len - jump);
}

void x_jump_near(struct jit_unit *u, enum x_cond cc, size_t to)
{
	byte(u, cc == CC_ALWAYS ? OP_JMP8 : OP_JCC8 + cc);
	byte(u, (int)((to - u->len - 1) & 0xff));
}

void x_jump_back(struct jit_unit *u, enum x_cond cc, size_t to)
{
	x_jump_near(u, cc, to);
}

void x_jump_far(struct jit_unit *u, enum x_cond cc, size_t to)
{
	opcode(u, cc == CC_ALWAYS ? OP_JMP : OP_JCC + cc, 0);
	bytes(u, to - u->len - 4, 4);
}

void x_call(struct jit_unit *u, size_t to)
{
	byte(u, OP_CALL);
	bytes(u, to - u->len - 4, 4);
}

/* Can all of the code reach @function with 32 bits? Before the address is known: no. */
static bool reaches(const struct jit_unit *u, uintptr_t function)
{
	int64_t first = (int64_t)(function - u->base), last = first - (int64_t)u->cap;
	return u->base && first == (int32_t)first && last == (int32_t)last;
}

void x_call_abs(struct jit_unit *u, const void *function)
{
	uintptr_t at = (uintptr_t)function;
	if (reaches(u, at)) {
		x_call(u, at - u->base);
		return;
	}
	x_mov_imm64(u, R11, at);
	op_reg(u, OP_GROUP5, W32, GROUP5_CALL, R11);
}

void x_leave(struct jit_unit *u)
{
	byte(u, OP_LEAVE);
}

void x_ret(struct jit_unit *u)
{
	byte(u, OP_RET);
}

/* Nothing, in as few instructions as can be. */
void x_align(struct jit_unit *u, size_t to)
{
	static const uint8_t nops[9][9] = {
		{0x90},
		{0x66, 0x90},
		{0x0f, 0x1f, 0x00},
		{0x0f, 0x1f, 0x40, 0x00},
		{0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
		{0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	};
	size_t n = u->pass <= JIT_BOUND_NEAR ? to - 1 : -u->len & (to - 1);
	while (n) {
		size_t some = n < 9 ? n : 9;
		for (size_t i = 0; i < some; i++)
			byte(u, nops[some - 1][i]);
		n -= some;
	}
}
