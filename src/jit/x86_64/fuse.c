/*
 * Several BPF instructions in fewer of the processor's. BPF has two operands
 * where x86-64 often has three, no rotation and no conditional move; compilers
 * write them in pieces that are put together again here. A group is fused only
 * if nothing jumps into its middle, and every register that may still be read
 * holds afterwards what it would have held.
 */
#include "jit/x86_64/emit.h"

static enum skep_op op_at(const struct jit_unit *u, uint32_t slot)
{
	return slot < u->image->n_insns ? u->image->ops[slot] : SKEP_OP_INVALID;
}

/* Is slot + k reached from slot + k - 1 only? */
static bool follows(const struct jit_unit *u, uint32_t slot)
{
	return slot < u->image->n_insns && !(u->marks[slot] & JIT_TARGET);
}

/* Does nobody read BPF register @r behind slot @slot? */
static bool is_dead(const struct jit_unit *u, uint32_t slot, int r)
{
	return !(u->live[slot] >> r & 1);
}

static enum x_width width_of(const struct skep_insn *insn)
{
	return (insn->code & 7) == SKEP_ALU64 || (insn->code & 7) == SKEP_JMP ? W64 : W32;
}

/* --- a = b; a op= c: three operands ---------------------------------------------------------- */

static bool fuse_lea(struct jit_unit *u, const struct skep_insn *mov)
{
	const struct skep_insn *add = mov + 1;
	enum x_reg base = x_of(mov->src);
	struct x_mem sum = x_at(base, add->imm);
	if (add->code & SKEP_X)
		sum = x_sum(base, add->src == add->dst ? base : x_of(add->src));
	else if (u->blind)
		return false;
	x_lea(u, width_of(mov), x_of(mov->dst), sum);
	return true;
}

static bool fuse_shift(struct jit_unit *u, const struct skep_insn *mov)
{
	const struct skep_insn *shift = mov + 1;
	int op = shift->code & 0xf0;
	if (!(shift->code & SKEP_X) || shift->src == shift->dst || !(u->features & SKEP_JIT_BMI2))
		return false;
	x_shift_by(u,
		   op == SKEP_LSH   ? X_SHL
		   : op == SKEP_RSH ? X_SHR
				    : X_SAR,
		   width_of(mov), x_of(mov->dst), x_of(mov->src), x_of(shift->src));
	return true;
}

static bool fuse_mul(struct jit_unit *u, const struct skep_insn *mov)
{
	const struct skep_insn *mul = mov + 1;
	bool power = mul->imm > 0 && !(mul->imm & (mul->imm - 1));
	if (mul->code & SKEP_X || u->blind || power)
		return false;
	x_imul_imm(u, width_of(mov), x_of(mov->dst), x_of(mov->src), mul->imm);
	return true;
}

static bool is_mov(enum skep_op op)
{
	return op == SKEP_OP_MOV64_REG || op == SKEP_OP_MOV32_REG;
}

static uint32_t three_operands(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *mov = jit_insn(u, slot), *next = mov + 1;
	if (!is_mov(op_at(u, slot)) || !follows(u, slot + 1) || next->dst != mov->dst ||
	    (next->code & 7) != (mov->code & 7) || next->off || mov->src == mov->dst)
		return 0;
	switch (next->code & 0xf0) {
	case SKEP_ADD: return fuse_lea(u, mov) ? 2 : 0;
	case SKEP_LSH:
	case SKEP_RSH:
	case SKEP_ARSH: return fuse_shift(u, mov) ? 2 : 0;
	case SKEP_MUL: return fuse_mul(u, mov) ? 2 : 0;
	default: return 0;
	}
}

/* --- b = a; b += c; … *(b + n) …: addresses that are sums
 *
 * Where b is wanted for these accesses only, it is never made: they add by themselves.
 * ---------------------------------------------------------------------------------------- */

#define MOST_ACCESSES 4 /* each has a longer form; from so many on, a sum would be shorter */

/* A load or store that is at no other place for being an instruction of its own. */
static bool is_plain_access(const struct jit_unit *u, uint32_t slot)
{
	int cls = jit_insn(u, slot)->code & 7, mode = jit_insn(u, slot)->code & 0xe0;
	return op_at(u, slot) != SKEP_OP_INVALID &&
	       (cls == SKEP_LDX || cls == SKEP_ST || cls == SKEP_STX) &&
	       (mode == SKEP_MEM || mode == SKEP_MEMSX);
}

/* Does the access at @slot read @b as its address, and for nothing else? */
static bool goes_by(const struct jit_unit *u, uint32_t slot, int b)
{
	const struct skep_insn *insn = jit_insn(u, slot);
	int cls = insn->code & 7;
	if (!follows(u, slot) || !is_plain_access(u, slot))
		return false;
	return cls == SKEP_LDX ? insn->src == b
			       : insn->dst == b && (cls == SKEP_ST || insn->src != b);
}

static bool loads(const struct skep_insn *insn, int r)
{
	return (insn->code & 7) == SKEP_LDX && insn->dst == r;
}

/* How many accesses behind the sum at @slot take it in; 0: others need it too. */
static uint32_t accesses_by(const struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *mov = jit_insn(u, slot), *add = mov + 1;
	for (uint32_t n = 1; n <= MOST_ACCESSES; n++) {
		uint32_t at = slot + 1 + n;
		if (!goes_by(u, at, mov->dst))
			return 0;
		if (loads(jit_insn(u, at), mov->dst) || is_dead(u, at, mov->dst))
			return n;
		if (loads(jit_insn(u, at), mov->src) ||
		    (add->code & SKEP_X && loads(jit_insn(u, at), add->src)))
			return 0;
	}
	return 0;
}

static uint32_t sum_address(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *mov = jit_insn(u, slot), *add = mov + 1;
	bool reg = op_at(u, slot + 1) == SKEP_OP_ADD64_REG;
	if (op_at(u, slot) != SKEP_OP_MOV64_REG || mov->src == mov->dst || !follows(u, slot + 1) ||
	    add->dst != mov->dst || (reg && add->src == mov->dst) ||
	    (!reg && (op_at(u, slot + 1) != SKEP_OP_ADD64_IMM || u->blind ||
		      add->imm != (int16_t)add->imm)))
		return 0;
	struct x_mem sum =
		reg ? x_sum(x_of(mov->src), x_of(add->src)) : x_at(x_of(mov->src), add->imm);
	uint32_t n = accesses_by(u, slot);
	for (uint32_t i = 0; i < n; i++)
		skep_jit_x86_access(u, slot + 2 + i, sum);
	return n ? 2 + n : 0;
}

/* --- b = a; b >>= n; a <<= width - n; a |= b: rotation --------------------------------------- */

static bool is_imm_op(const struct skep_insn *insn, const struct skep_insn *like, int op, int dst)
{
	return insn->code == ((like->code & 7) | op | SKEP_K) && insn->dst == dst;
}

/* b may shift to the right and a to the left, or the other way round. */
static bool is_rotation(const struct skep_insn *mov, int width)
{
	int a = mov->src, b = mov->dst;
	const struct skep_insn *on_b = mov + 1, *on_a = mov + 2, *merge = mov + 3;
	bool right = is_imm_op(on_b, mov, SKEP_RSH, b) && is_imm_op(on_a, mov, SKEP_LSH, a);
	bool left = is_imm_op(on_b, mov, SKEP_LSH, b) && is_imm_op(on_a, mov, SKEP_RSH, a);
	bool merges = merge->code == ((mov->code & 7) | SKEP_OR | SKEP_X) && merge->dst == a &&
		      merge->src == b;
	return (right || left) && merges && on_a->imm > 0 && on_b->imm > 0 &&
	       on_a->imm + on_b->imm == width;
}

static uint32_t rotation(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *mov = jit_insn(u, slot);
	int width = width_of(mov) == W64 ? 64 : 32;
	if (!is_mov(op_at(u, slot)) || mov->src == mov->dst || !follows(u, slot + 1) ||
	    !follows(u, slot + 2) || !follows(u, slot + 3) || !is_rotation(mov, width))
		return 0;
	bool right = (mov[1].code & 0xf0) == SKEP_RSH;
	enum x_reg a = x_of(mov->src), b = x_of(mov->dst);
	bool alone = is_dead(u, slot + 3, mov->dst);
	if (!alone)
		x_mov(u, width_of(mov), b, a);
	x_shift_imm(u, X_ROL, width_of(mov), a, right ? mov[2].imm : mov[1].imm);
	if (alone)
		return 4;
	x_shift_imm(u, right ? X_SHR : X_SHL, width_of(mov), b, mov[1].imm);
	return 4;
}

/* --- a <<= 32; a >>= 32: an upper half made 0, or the sign's --------------------------------- */

static uint32_t extension(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *left = jit_insn(u, slot), *right = left + 1;
	if (op_at(u, slot) != SKEP_OP_LSH64_IMM || left->imm != 32 || !follows(u, slot + 1) ||
	    right->dst != left->dst || right->imm != 32)
		return 0;
	enum x_reg reg = x_of(left->dst);
	if (op_at(u, slot + 1) == SKEP_OP_RSH64_IMM)
		x_mov(u, W32, reg, reg);
	else if (op_at(u, slot + 1) == SKEP_OP_ARSH64_IMM)
		x_movsx(u, W32, W64, reg, reg);
	else
		return 0;
	return 2;
}

/* --- 16 bits of a packet: a = *(u16 *); a = be16 a ------------------------------------------- */

static uint32_t network_order(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *load = jit_insn(u, slot);
	enum skep_op next = op_at(u, slot + 1);
	if (op_at(u, slot) != SKEP_OP_LDX16 || !follows(u, slot + 1) || load[1].dst != load->dst ||
	    (next != SKEP_OP_BE16 && next != SKEP_OP_BSWAP16))
		return 0;
	x_load(u, W16, x_of(load->dst), x_at(x_of(load->src), load->off));
	x_shift_imm(u, X_ROL, W16, x_of(load->dst), 8);
	return 2;
}

/* --- if a > b goto over a = b: the smaller or larger of two
 *
 * A conditional move only where it takes no more than the branch: elsewhere compilers (gcc on
 * x86-64) and the kernel branch, and what is skipped costs nothing where it is foreseen. Which of
 * two numbers is larger seldom is.
 * ---------------------------------------------------------------------------------------- */

static bool is_branch(const struct jit_unit *u, uint32_t slot)
{
	int cls = jit_insn(u, slot)->code & 7, op = jit_insn(u, slot)->code & 0xf0;
	return (cls == SKEP_JMP || cls == SKEP_JMP32) && op != SKEP_JA && op != SKEP_CALL &&
	       op != SKEP_EXIT && op != SKEP_JCOND && op_at(u, slot) != SKEP_OP_INVALID;
}

static bool is_plain_mov(const struct jit_unit *u, uint32_t slot)
{
	enum skep_op op = op_at(u, slot);
	bool imm = op == SKEP_OP_MOV64_IMM || op == SKEP_OP_MOV32_IMM;
	return is_mov(op) || (imm && !u->blind);
}

/* "if … goto +1; a = b" */
static bool skips_move(const struct jit_unit *u, uint32_t slot)
{
	return is_branch(u, slot) && follows(u, slot + 1) && is_plain_mov(u, slot + 1) &&
	       skep_jit_target(u->image, slot) == (int64_t)slot + 2;
}

/* A register whose 64 bits are what the move would put into its own. */
static enum x_reg moved_value(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *mov = jit_insn(u, slot);
	if (op_at(u, slot) == SKEP_OP_MOV64_REG || x_is_narrow(u, slot, mov->src))
		return x_of(mov->src);
	x_mov(u, W32, R11, x_of(mov->src));
	return R11;
}

static uint32_t conditional_move(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *branch = jit_insn(u, slot), *mov = branch + 1;
	if (!skips_move(u, slot) || !is_mov(op_at(u, slot + 1)) || !(branch->code & SKEP_X) ||
	    mov->dst + mov->src != branch->dst + branch->src ||
	    (mov->dst != branch->dst && mov->dst != branch->src))
		return 0;
	enum x_reg value = moved_value(u, slot + 1);
	enum x_cond taken = skep_jit_x86_compare(u, branch);
	x_cmov(u, x_not(taken), x_of(mov->dst), value);
	return 2;
}

/* --- b = a; b op= c; if … goto over; b = a: not done where it would be undone
 *
 * The branch is as foreseeable the other way round, and what it skips is never waited for. Behind
 * the second move may stand a jump to where the branch goes.
 * ---------------------------------------------------------------------------------------- */

/* Arithmetic of a few bytes that writes @dst only. */
static bool is_short_alu(const struct jit_unit *u, uint32_t slot, int dst)
{
	static const uint16_t ops = 1 << (SKEP_ADD >> 4) | 1 << (SKEP_SUB >> 4) |
				    1 << (SKEP_MUL >> 4) | 1 << (SKEP_OR >> 4) |
				    1 << (SKEP_AND >> 4) | 1 << (SKEP_XOR >> 4) |
				    1 << (SKEP_LSH >> 4) | 1 << (SKEP_RSH >> 4) |
				    1 << (SKEP_ARSH >> 4) | 1 << (SKEP_NEG >> 4);
	const struct skep_insn *insn = jit_insn(u, slot);
	int cls = insn->code & 7;
	return op_at(u, slot) != SKEP_OP_INVALID && (cls == SKEP_ALU || cls == SKEP_ALU64) &&
	       ops >> (insn->code >> 4) & 1 && insn->dst == dst;
}

static bool is_undone(const struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *mov = jit_insn(u, slot), *branch = mov + 2;
	int b = mov->dst;
	return is_mov(op_at(u, slot)) && mov->src != b && follows(u, slot + 1) &&
	       is_short_alu(u, slot + 1, b) && follows(u, slot + 2) && is_branch(u, slot + 2) &&
	       branch->dst != b && !(branch->code & SKEP_X && branch->src == b) &&
	       follows(u, slot + 3) && op_at(u, slot + 3) == op_at(u, slot) && mov[3].dst == b &&
	       mov[3].src == mov->src;
}

static uint32_t undone(struct jit_unit *u, uint32_t slot)
{
	if (!is_undone(u, slot))
		return 0;
	int64_t over = skep_jit_target(u->image, slot + 2);
	bool jumps = over != slot + 4 && !u->budget && follows(u, slot + 4) &&
		     op_at(u, slot + 4) == SKEP_OP_JA &&
		     skep_jit_target(u->image, slot + 4) == over;
	if (over != slot + 4 && !jumps)
		return 0;
	skep_jit_x86_one(u, slot);
	enum x_cond unwanted = x_not(skep_jit_x86_compare(u, jit_insn(u, slot + 2)));
	size_t undo = 0;
	if (jumps)
		skep_jit_x86_jump_to(u, slot + 4, unwanted);
	else
		undo = x_jump_ahead(u, unwanted);
	skep_jit_x86_one(u, slot + 1);
	if (jumps)
		skep_jit_x86_jump_to(u, slot + 4, CC_ALWAYS);
	else
		x_land(u, undo);
	return jumps ? 5 : 4;
}

/* --- a = 1; if … goto +1; a = 0: the condition itself ---------------------------------------- */

static bool is_mov_of(const struct jit_unit *u, uint32_t slot, int dst, int32_t imm)
{
	const struct skep_insn *insn = jit_insn(u, slot);
	enum skep_op op = op_at(u, slot);
	return (op == SKEP_OP_MOV64_IMM || op == SKEP_OP_MOV32_IMM) && insn->dst == dst &&
	       insn->imm == imm;
}

static uint32_t set_condition(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *insn = jit_insn(u, slot), *branch = insn + 1;
	bool one = is_mov_of(u, slot, insn->dst, 1);
	if ((!one && !is_mov_of(u, slot, insn->dst, 0)) || !follows(u, slot + 1) || u->blind ||
	    !skips_move(u, slot + 1) || !is_mov_of(u, slot + 2, insn->dst, !one))
		return 0;
	if (branch->dst == insn->dst || (branch->code & SKEP_X && branch->src == insn->dst))
		return 0;
	x_zero(u, x_of(insn->dst));
	enum x_cond taken = skep_jit_x86_compare(u, branch);
	x_setcc(u, one ? taken : x_not(taken), x_of(insn->dst));
	return 3;
}

/* --- b = a; b >>= n; if a >= 1 << n goto +1; b = a: shifted if anything is left -------------- */

static bool is_reg_mov(const struct jit_unit *u, uint32_t slot, int dst, int src)
{
	const struct skep_insn *mov = jit_insn(u, slot);
	return is_mov(op_at(u, slot)) && mov->dst == dst && mov->src == src;
}

/* a > (1 << n) - 1, which is what tells whether a >> n is 0. */
static bool asks_for_bits(const struct skep_insn *branch, const struct skep_insn *shift)
{
	bool w64 = (shift->code & 7) == SKEP_ALU64;
	int cls = w64 ? SKEP_JMP : SKEP_JMP32;
	return branch->code == (cls | SKEP_JGT | SKEP_K) && shift->imm > 0 && shift->imm < 31 &&
	       branch->imm == (int32_t)((1u << shift->imm) - 1);
}

static uint32_t shift_if_any(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *mov = jit_insn(u, slot), *shift = mov + 1, *branch = mov + 2;
	int a = mov->src, b = mov->dst;
	if (!is_mov(op_at(u, slot)) || a == b || u->blind || !follows(u, slot + 1) ||
	    !is_imm_op(shift, mov, SKEP_RSH, b) || !follows(u, slot + 2) ||
	    !asks_for_bits(branch, shift) || branch->dst != a || !skips_move(u, slot + 2) ||
	    !is_reg_mov(u, slot + 3, b, a))
		return 0;
	enum x_reg value = moved_value(u, slot + 3);
	x_mov(u, width_of(mov), x_of(b), x_of(a));
	x_shift_imm(u, X_SHR, width_of(mov), x_of(b), shift->imm);
	x_cmov(u, CC_E, x_of(b), value);
	return 4;
}

/* --- a += n; if a != 0 goto …: addition has compared already --------------------------------- */

static bool is_zero_test(const struct skep_insn *branch, const struct skep_insn *add)
{
	int cls = (add->code & 7) == SKEP_ALU64 ? SKEP_JMP : SKEP_JMP32, op = branch->code & 0xf0;
	return (branch->code & 7) == cls && !(branch->code & SKEP_X) && branch->dst == add->dst &&
	       (op == SKEP_JEQ || op == SKEP_JNE) && branch->imm == 0;
}

/* A move may stand between. */
static uint32_t count_down(struct jit_unit *u, uint32_t slot)
{
	const struct skep_insn *add = jit_insn(u, slot), *mov = add + 1;
	enum skep_op op = op_at(u, slot);
	if ((op != SKEP_OP_ADD64_IMM && op != SKEP_OP_ADD32_IMM) || u->blind || u->budget ||
	    !follows(u, slot + 1))
		return 0;
	bool moves = is_mov(op_at(u, slot + 1)) && mov->dst != add->dst && mov->src != mov->dst;
	uint32_t at = slot + (moves ? 2 : 1);
	if (!follows(u, at) || !is_zero_test(jit_insn(u, at), add) || skips_move(u, at))
		return 0;
	/* First, where it may: the processor fuses an addition with a jump right behind it. */
	bool first = moves && mov->src != add->dst;
	if (first)
		x_mov(u, width_of(mov), x_of(mov->dst), x_of(mov->src));
	x_alu_imm(u, X_ADD, width_of(add), x_of(add->dst), add->imm);
	if (moves && !first)
		x_mov(u, width_of(mov), x_of(mov->dst), x_of(mov->src));
	bool equal = (jit_insn(u, at)->code & 0xf0) == SKEP_JEQ;
	skep_jit_x86_jump_to(u, at, equal ? CC_E : CC_NE);
	return at + 1 - slot;
}

/* --- if … goto +1; goto t: the branch the other way round ------------------------------------ */

static uint32_t branch_over_jump(struct jit_unit *u, uint32_t slot)
{
	if (!is_branch(u, slot) || skep_jit_target(u->image, slot) != (int64_t)slot + 2 ||
	    op_at(u, slot + 1) != SKEP_OP_JA || !follows(u, slot + 1))
		return 0;
	enum x_cond taken = skep_jit_x86_compare(u, jit_insn(u, slot));
	skep_jit_x86_jump_to(u, slot + 1, x_not(taken));
	return 2;
}

uint32_t skep_jit_x86_fuse(struct jit_unit *u, uint32_t slot)
{
	static uint32_t (*const rules[])(struct jit_unit * u, uint32_t slot) = {
		shift_if_any,     undone,     sum_address,      three_operands,
		rotation,         extension,  network_order,    set_condition,
		conditional_move, count_down, branch_over_jump,
	};
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		uint32_t slots = rules[i](u, slot);
		if (slots)
			return slots;
	}
	return 0;
}
