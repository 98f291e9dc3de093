/*
 * What programs are made of. A unit is a few instructions that leave every
 * register and word of the stack a number again, so that units can follow one
 * another in any order; what it needs of pointers it fetches and forgets.
 */
#include <stddef.h>
#include <string.h>

#include "units.h"

#define N_OF(array) ((uint32_t)(sizeof(array) / sizeof(*(array))))

/* --- Rows of isa.def ------------------------------------------------------------------------- */

struct row {
	uint8_t code, src;
	int16_t off;
	int32_t imm;
	const char *text;
};

static const struct row rows[SKEP_OP_CNT] = {
#define INSN(name, class, op, source, src, off, imm, text)                                         \
	[SKEP_OP_##name] = {SKEP_##class | SKEP_##op | SKEP_##source, src, off, imm, text},
#include <skep/isa.def>
#undef INSN
};

static bool has(const struct row *row, const char *operand)
{
	return strstr(row->text, operand) != NULL;
}

static bool is_arithmetic(const struct row *row)
{
	int class = row->code & 7;

	return (class == SKEP_ALU || class == SKEP_ALU64) && !has(row, "addr_space");
}

static bool is_test(const struct row *row)
{
	int class = row->code & 7, op = row->code & 0xf0;

	return (class == SKEP_JMP || class == SKEP_JMP32) && op != SKEP_JA && op != SKEP_CALL &&
	       op != SKEP_EXIT && op != SKEP_JCOND;
}

static bool is_access(const struct row *row)
{
	int class = row->code & 7, mode = row->code & 0xe0;

	return (class == SKEP_LDX || class == SKEP_ST || class == SKEP_STX) && mode &&
	       !has(row, "nospec");
}

static const struct row *pick(struct gen *g, bool (*wanted)(const struct row *))
{
	for (;;) {
		const struct row *row = &rows[gen_below(g, SKEP_OP_CNT)];

		if (row->text && wanted(row))
			return row;
	}
}

/* The verifier refuses shifts by constants out of range, and division by a constant 0. */
static int32_t number_for(struct gen *g, const struct row *row)
{
	int op = row->code & 0xf0;
	int32_t imm = gen_number(g);

	if (op == SKEP_LSH || op == SKEP_RSH || op == SKEP_ARSH)
		imm &= (row->code & 7) == SKEP_ALU64 ? 63 : 31;
	if ((op == SKEP_DIV || op == SKEP_MOD) && !imm)
		imm = 3;
	return imm;
}

static struct skep_insn fill(struct gen *g, const struct row *row, int dst, int src, int off)
{
	bool uses_dst = has(row, "{rd}") || has(row, "{wd}");
	bool uses_src = has(row, "{rs}") || has(row, "{ws}");
	bool uses_off = has(row, "{off}") || has(row, "{pc}");
	bool uses_imm = has(row, "{imm}") || has(row, "{hex}");

	return skep_insn_raw(row->code, uses_dst ? dst : 0, uses_src ? src : row->src,
			     uses_off ? off : row->off, uses_imm ? number_for(g, row) : row->imm);
}

/* --- Arithmetic and jumps -------------------------------------------------------------------- */

static void put_arithmetic(struct gen *g)
{
	for (uint32_t n = 1 + gen_below(g, 4); n; n--) {
		int dst = gen_dst(g);

		gen_put(g, fill(g, pick(g, is_arithmetic), dst, gen_src(g), 0));
	}
}

static uint32_t put_test(struct gen *g)
{
	return gen_jump(g, fill(g, pick(g, is_test), gen_src(g), gen_src(g), 0));
}

static void put_if(struct gen *g)
{
	uint32_t over = put_test(g);

	put_arithmetic(g);
	if (gen_below(g, 3)) {
		gen_land(g, over);
		return;
	}
	bool wide = gen_below(g, 2);
	struct skep_insn insn = wide ? skep_insn_raw(SKEP_JMP32 | SKEP_JA, 0, 0, 0, 0) : skep_ja(0);
	uint32_t end = gen_jump(g, insn);
	gen_land(g, over);
	put_arithmetic(g);
	if (wide)
		g->lab->insns[end].imm = (int32_t)(g->lab->n - end - 1);
	else
		gen_land(g, end);
}

/* if … goto +1; a = b, perhaps after a = 1: what engines make a selection of. */
static void put_choice(struct gen *g)
{
	int dst = gen_dst(g), one = (int)gen_below(g, 2);
	bool sets = gen_below(g, 2);

	if (sets)
		gen_put(g, skep_alu64_imm(SKEP_MOV, dst, one));
	uint32_t over = put_test(g);
	if (sets)
		gen_put(g, skep_alu32_imm(SKEP_MOV, dst, !one));
	else
		gen_put(g, skep_alu64_reg(SKEP_MOV, dst, gen_src(g)));
	gen_land(g, over);
}

static void put_rotation(struct gen *g)
{
	int a = gen_dst(g), b = gen_dst(g);
	int class = gen_below(g, 2) ? SKEP_ALU64 : SKEP_ALU, width = class == SKEP_ALU64 ? 64 : 32;
	int by = 1 + (int)gen_below(g, (uint32_t)width - 1), right = (int)gen_below(g, 2);

	gen_put(g, skep_insn_raw(class | SKEP_MOV | SKEP_X, b, a, 0, 0));
	gen_put(g, skep_insn_raw(class | (right ? SKEP_RSH : SKEP_LSH), b, 0, 0, by));
	gen_put(g, skep_insn_raw(class | (right ? SKEP_LSH : SKEP_RSH), a, 0, 0, width - by));
	gen_put(g, skep_insn_raw(class | SKEP_OR | SKEP_X, a, b, 0, 0));
}

static void put_loop(struct gen *g)
{
	int class = gen_below(g, 2) ? SKEP_ALU64 : SKEP_ALU;
	int jump = class == SKEP_ALU64 ? SKEP_JMP : SKEP_JMP32;

	if (g->in_loop)
		return;
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R9, 1 + (int32_t)gen_below(g, 4)));
	uint32_t head = g->lab->n;
	g->in_loop = true;
	for (uint32_t n = 1 + gen_below(g, 2); n; n--)
		gen_unit(g);
	g->in_loop = false;
	gen_put(g, skep_insn_raw(class | SKEP_ADD, SKEP_R9, 0, 0, -1));
	gen_put(g, skep_insn_raw(jump | SKEP_JNE, SKEP_R9, 0, (int)head - (int)g->lab->n - 1, 0));
}

/* --- Memory ---------------------------------------------------------------------------------- */

static uint32_t bytes_of(uint8_t code)
{
	static const uint8_t bytes[4] = {4, 2, 1, 8};

	return bytes[code >> 3 & 3];
}

/* A load, store or atomic somewhere in [@off, @off + @room) of @base, aligned. */
static void put_access_at(struct gen *g, int base, int off, uint32_t room)
{
	const struct row *row = pick(g, is_access);
	bool loads = (row->code & 7) == SKEP_LDX || has(row, "load_acquire");
	uint32_t bytes = bytes_of(row->code);
	int at = off + (int)(gen_below(g, room / bytes) * bytes);
	int other = loads || has(row, "fetch") || has(row, "xchg") ? gen_dst(g) : gen_src(g);

	if (other == base)
		other = SKEP_R0;
	gen_put(g, fill(g, row, loads ? other : base, loads ? base : other, at));
}

static void put_stack_access(struct gen *g)
{
	for (uint32_t n = 1 + gen_below(g, 3); n; n--)
		put_access_at(g, SKEP_R10, -8 * STACK_WORDS, 8 * STACK_WORDS);
}

/* --- The context ----------------------------------------------------------------------------- */

struct field {
	uint16_t off;
	uint8_t bytes;
	enum { NEVER, WHOLE, HALF } written;
};
#define FIELD(name, written)                                                                       \
	{                                                                                          \
		offsetof(struct __sk_buff, name), sizeof(((struct __sk_buff *)NULL)->name),        \
			written                                                                    \
	}

static const struct field skb_fields[] = {
	FIELD(len, NEVER),       FIELD(pkt_type, NEVER),
	FIELD(mark, WHOLE),      FIELD(queue_mapping, HALF),
	FIELD(protocol, NEVER),  FIELD(vlan_present, NEVER),
	FIELD(vlan_tci, NEVER),  FIELD(vlan_proto, NEVER),
	FIELD(priority, WHOLE),  FIELD(ingress_ifindex, NEVER),
	FIELD(ifindex, NEVER),   FIELD(tc_index, HALF),
	FIELD(cb[0], WHOLE),     FIELD(cb[2], WHOLE),
	FIELD(cb[4], WHOLE),     FIELD(hash, NEVER),
	FIELD(tc_classid, HALF), FIELD(napi_id, NEVER),
	FIELD(tstamp, WHOLE),    FIELD(wire_len, NEVER),
	FIELD(gso_segs, NEVER),  FIELD(gso_size, NEVER),
};
static const struct field xdp_fields[] = {
	{offsetof(struct xdp_md, ingress_ifindex), 4, NEVER},
	{offsetof(struct xdp_md, rx_queue_index), 4, NEVER},
};

static void put_context(struct gen *g)
{
	const struct field *field = g->lab->is_xdp ? &xdp_fields[gen_below(g, N_OF(xdp_fields))]
						   : &skb_fields[gen_below(g, N_OF(skb_fields))];
	int size = field->bytes == 8 ? SKEP_DW : SKEP_W, src = gen_src(g);

	if (!field->written || gen_below(g, 2)) {
		gen_put(g, skep_ldx_mem(size, gen_dst(g), SKEP_R6, field->off));
		return;
	}
	/* The kernel has 16 bits for these, and cuts a store short; the machine, whose programs
	 * have the context as it is, keeps all 32. */
	if (field->written == HALF) {
		gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R0, src));
		gen_put(g, skep_alu64_imm(SKEP_AND, SKEP_R0, 0x7fff));
		src = SKEP_R0;
	}
	gen_put(g, skep_stx_mem(size, SKEP_R6, src, field->off));
}

/* Parts of cb[], whose every byte may be seen and written. */
static void put_cb(struct gen *g)
{
	static const int sizes[] = {SKEP_B, SKEP_H, SKEP_W, SKEP_DW};
	uint32_t which = gen_below(g, 4), bytes = 1u << which;
	int at = (int)offsetof(struct __sk_buff, cb) + (int)(gen_below(g, 16 / bytes) * bytes);

	if (g->lab->is_xdp)
		return;
	if (gen_below(g, 2))
		gen_put(g, skep_stx_mem(sizes[which], SKEP_R6, gen_src(g), at));
	else
		gen_put(g, skep_ldx_mem(sizes[which], gen_dst(g), SKEP_R6, at));
}

/* --- The packet ------------------------------------------------------------------------------ */

static bool is_plain_access(const struct row *row)
{
	return is_access(row) && (row->code & 0xe0) != SKEP_ATOMIC;
}

static void put_packet_access(struct gen *g, uint32_t room)
{
	const struct row *row = pick(g, is_plain_access);
	bool loads = (row->code & 7) == SKEP_LDX;
	uint32_t bytes = bytes_of(row->code);
	int off = (int)gen_below(g, room - bytes + 1);
	int other = loads ? SKEP_R0 : (int[]){SKEP_R0, SKEP_R3, SKEP_R7, SKEP_R8}[gen_below(g, 4)];

	gen_put(g, fill(g, row, loads ? other : SKEP_R4, loads ? SKEP_R4 : other, off));
}

/*
 *	r4 = data (+ a few bytes, known or not); r5 = data_end
 *	if r4 + room > r5 goto over
 *	accesses to [r4, r4 + room)
 * over:	r4 = r5 = numbers
 */
static void put_packet(struct gen *g)
{
	bool xdp = g->lab->is_xdp;
	int data = xdp ? (int)offsetof(struct xdp_md, data) : (int)offsetof(struct __sk_buff, data);
	int end = xdp ? (int)offsetof(struct xdp_md, data_end)
		      : (int)offsetof(struct __sk_buff, data_end);
	uint32_t room = 8 + gen_below(g, 56);
	uint32_t kind = gen_below(g, 3);

	gen_put(g, skep_ldx_mem(SKEP_W, SKEP_R4, SKEP_R6, data));
	gen_put(g, skep_ldx_mem(SKEP_W, SKEP_R5, SKEP_R6, end));
	if (kind == 0)
		gen_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R4, (int32_t)gen_below(g, 40)));
	if (kind == 1) {
		gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R2, gen_below(g, 2) ? SKEP_R7 : SKEP_R8));
		gen_put(g, skep_alu64_imm(SKEP_AND, SKEP_R2, 63));
		gen_put(g, skep_alu64_reg(SKEP_ADD, SKEP_R4, SKEP_R2));
	}
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R2, SKEP_R4));
	gen_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R2, (int32_t)room));
	uint32_t over = gen_jump(g, skep_jmp_reg(SKEP_JGT, SKEP_R2, SKEP_R5, 0));
	for (uint32_t n = 1 + gen_below(g, 3); n; n--)
		put_packet_access(g, room);
	gen_land(g, over);
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R2, SKEP_R0));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R4, gen_number(g)));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R5, gen_number(g)));
}

/* The loads of classic BPF: out of the packet they end the program. */
static void put_classic_load(struct gen *g)
{
	static const int sizes[] = {SKEP_B, SKEP_H, SKEP_W};
	static const int32_t from[] = {0, 0, 0, 12, -0x100000, -0x200000, -0x200000};
	int size = sizes[gen_below(g, 3)];
	int32_t off = from[gen_below(g, 7)] + (int32_t)gen_below(g, gen_below(g, 4) ? 10 : 100);

	if (g->lab->is_xdp)
		return;
	if (gen_below(g, 2)) {
		gen_put(g, skep_insn_raw(SKEP_LD | SKEP_ABS | size, 0, 0, 0, off));
	} else {
		int by = gen_below(g, 2) ? SKEP_R7 : SKEP_R8;
		gen_put(g, skep_alu64_imm(SKEP_AND, by, 15));
		gen_put(g, skep_insn_raw(SKEP_LD | SKEP_IND | size, 0, by, 0, off));
	}
	gen_reset(g, false);
}

/* --- Maps ------------------------------------------------------------------------------------ */

static void put_key(struct gen *g, uint32_t n_keys)
{
	if (gen_below(g, 2)) {
		gen_put(g, skep_st_mem(SKEP_W, SKEP_R10, KEY_OFF, (int32_t)gen_below(g, n_keys)));
		return;
	}
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R0, gen_src(g)));
	gen_put(g, skep_alu64_imm(SKEP_AND, SKEP_R0, (int32_t)n_keys - 1));
	gen_put(g, skep_stx_mem(SKEP_W, SKEP_R10, SKEP_R0, KEY_OFF));
}

static void put_map_and_key(struct gen *g, enum lab_map map)
{
	put_key(g, map == LAB_ARRAY ? 2 * ARRAY_ENTRIES : HASH_KEYS);
	gen_put64(g, SKEP_R1, SKEP_PSEUDO_MAP_FD, map);
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R2, SKEP_R10));
	gen_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R2, KEY_OFF));
}

/* A value is read and written where it is. */
static void put_lookup(struct gen *g)
{
	enum lab_map map = gen_below(g, 2) ? LAB_ARRAY : LAB_HASH;

	put_map_and_key(g, map);
	gen_put(g, skep_call(BPF_FUNC_map_lookup_elem));
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R4, SKEP_R0));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R0, gen_number(g)));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R1, gen_number(g)));
	uint32_t over = gen_jump(g, skep_jmp_imm(SKEP_JEQ, SKEP_R4, 0, 0));
	for (uint32_t n = 1 + gen_below(g, 3); n; n--) {
		const struct row *row = pick(g, is_access);
		bool loads = (row->code & 7) == SKEP_LDX || has(row, "load_acquire");
		uint32_t bytes = bytes_of(row->code);
		uint32_t room = map == LAB_ARRAY ? ARRAY_BYTES : HASH_BYTES;
		int off = (int)(gen_below(g, room / bytes) * bytes);
		int other = gen_below(g, 2) ? SKEP_R0 : SKEP_R1;

		gen_put(g, fill(g, row, loads ? other : SKEP_R4, loads ? SKEP_R4 : other, off));
	}
	gen_land(g, over);
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R2, SKEP_R1));
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R3, SKEP_R0));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R4, gen_number(g)));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R5, gen_number(g)));
}

static void put_update(struct gen *g)
{
	enum lab_map map = gen_below(g, 3) ? LAB_HASH : LAB_ARRAY;
	bool deletes = map == LAB_HASH && !gen_below(g, 3);

	put_map_and_key(g, map);
	if (!deletes) {
		gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R3, SKEP_R10));
		gen_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R3, BUFFER_OFF));
		gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R4, (int32_t)gen_below(g, 4)));
	}
	gen_put(g, skep_call(deletes ? BPF_FUNC_map_delete_elem : BPF_FUNC_map_update_elem));
	gen_reset(g, false);
}

/* --- Helpers --------------------------------------------------------------------------------- */

enum arg {
	A_NONE,
	A_CTX,
	A_BUFFER,
	A_WORD,
	A_BYTES,
	A_BYTES_4,
	A_NUMBER,
	A_SMALL,
	A_OFF,
	A_ZERO,
	A_FLAG
};
enum where { SKB = 1, XDP = 2, ANY = 3 };

static const struct {
	int32_t helper;
	enum where where;
	enum arg args[5];
} helper_calls[] = {
	{BPF_FUNC_csum_diff, ANY, {A_BUFFER, A_BYTES_4, A_BUFFER, A_BYTES_4, A_NUMBER}},
	{BPF_FUNC_strtol, ANY, {A_BUFFER, A_BYTES, A_ZERO, A_WORD}},
	{BPF_FUNC_strtoul, ANY, {A_BUFFER, A_BYTES, A_ZERO, A_WORD}},
	{BPF_FUNC_skb_load_bytes, SKB, {A_CTX, A_OFF, A_BUFFER, A_BYTES}},
	{BPF_FUNC_skb_load_bytes_relative, SKB, {A_CTX, A_OFF, A_BUFFER, A_BYTES, A_FLAG}},
	{BPF_FUNC_skb_store_bytes, SKB, {A_CTX, A_OFF, A_BUFFER, A_BYTES, A_FLAG}},
	{BPF_FUNC_skb_pull_data, SKB, {A_CTX, A_OFF}},
	{BPF_FUNC_skb_change_tail, SKB, {A_CTX, A_OFF, A_ZERO}},
	{BPF_FUNC_skb_change_head, SKB, {A_CTX, A_SMALL, A_ZERO}},
	{BPF_FUNC_skb_vlan_push, SKB, {A_CTX, A_NUMBER, A_NUMBER}},
	{BPF_FUNC_skb_vlan_pop, SKB, {A_CTX}},
	{BPF_FUNC_skb_adjust_room, SKB, {A_CTX, A_SMALL, A_FLAG, A_ZERO}},
	{BPF_FUNC_l3_csum_replace, SKB, {A_CTX, A_OFF, A_NUMBER, A_NUMBER, A_FLAG}},
	{BPF_FUNC_l4_csum_replace, SKB, {A_CTX, A_OFF, A_NUMBER, A_NUMBER, A_FLAG}},
	{BPF_FUNC_csum_update, SKB, {A_CTX, A_NUMBER}},
	{BPF_FUNC_set_hash, SKB, {A_CTX, A_NUMBER}},
	{BPF_FUNC_skb_ecn_set_ce, SKB, {A_CTX}},
	{BPF_FUNC_xdp_adjust_head, XDP, {A_CTX, A_SMALL}},
	{BPF_FUNC_xdp_adjust_tail, XDP, {A_CTX, A_SMALL}},
	{BPF_FUNC_xdp_adjust_meta, XDP, {A_CTX, A_SMALL}},
	{BPF_FUNC_xdp_load_bytes, XDP, {A_CTX, A_OFF, A_BUFFER, A_BYTES}},
	{BPF_FUNC_xdp_store_bytes, XDP, {A_CTX, A_OFF, A_BUFFER, A_BYTES}},
	{BPF_FUNC_xdp_get_buff_len, XDP, {A_CTX}},
};

static void put_argument(struct gen *g, int reg, enum arg arg)
{
	int32_t value = 0;

	switch (arg) {
	case A_CTX: gen_put(g, skep_alu64_reg(SKEP_MOV, reg, SKEP_R6)); return;
	case A_BUFFER:
	case A_WORD:
		gen_put(g, skep_alu64_reg(SKEP_MOV, reg, SKEP_R10));
		gen_put(g, skep_alu64_imm(SKEP_ADD, reg, arg == A_WORD ? -8 : BUFFER_OFF));
		return;
	case A_NUMBER:
		if (gen_below(g, 2)) {
			gen_put(g, skep_alu64_reg(SKEP_MOV, reg, SKEP_R7));
			return;
		}
		value = gen_number(g);
		break;
	case A_BYTES: value = 1 + (int32_t)gen_below(g, BUFFER_BYTES); break;
	case A_BYTES_4: value = 4 * (int32_t)gen_below(g, BUFFER_BYTES / 4 + 1); break;
	case A_SMALL: value = (int32_t)gen_below(g, 48) - 24; break;
	case A_OFF: value = (int32_t)gen_below(g, 160); break;
	case A_FLAG: value = (int32_t)gen_below(g, 3); break;
	default: break;
	}
	gen_put(g, skep_alu64_imm(SKEP_MOV, reg, value));
}

static void put_helper(struct gen *g)
{
	uint32_t which;

	do
		which = gen_below(g, N_OF(helper_calls));
	while (!(helper_calls[which].where & (g->lab->is_xdp ? XDP : SKB)));
	for (int i = 0; i < 5 && helper_calls[which].args[i]; i++)
		put_argument(g, SKEP_R1 + i, helper_calls[which].args[i]);
	gen_put(g, skep_call(helper_calls[which].helper));
	gen_reset(g, false);
}

/* --- Functions ------------------------------------------------------------------------------- */

static void note_call(struct gen *g, uint32_t func)
{
	g->calls[g->n_calls++] = (struct call){g->lab->n, func};
}

static void put_call(struct gen *g)
{
	if (g->n_calls == MOST_CALLS)
		return;
	note_call(g, gen_below(g, 2) ? FUNC_A : FUNC_B);
	gen_put(g, skep_insn_raw(SKEP_JMP | SKEP_CALL, 0, SKEP_CALL_LOCAL, 0, 0));
	gen_reset(g, false);
}

static void put_bpf_loop(struct gen *g)
{
	if (g->n_calls == MOST_CALLS)
		return;
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R1, (int32_t)gen_below(g, 6)));
	note_call(g, FUNC_LOOP);
	gen_put64(g, SKEP_R2, SKEP_PSEUDO_FUNC, 0);
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R3, SKEP_R10));
	gen_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R3, -8 * STACK_WORDS));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R4, 0));
	gen_put(g, skep_call(BPF_FUNC_loop));
	gen_reset(g, false);
}

/* r1: the round, r2: the caller's lowest word of numbers. Goes on for as long as it returns 0. */
static void put_loop_body(struct gen *g)
{
	gen_put(g, skep_ldx_mem(SKEP_DW, SKEP_R3, SKEP_R2, 0));
	gen_put(g, skep_alu64_reg(SKEP_ADD, SKEP_R3, SKEP_R1));
	gen_put(g, skep_alu64_imm(SKEP_MUL, SKEP_R3, gen_number(g)));
	gen_put(g, skep_stx_mem(SKEP_DW, SKEP_R2, SKEP_R3, 0));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R0, 0));
	gen_put(g, skep_jmp_imm(SKEP_JLT, SKEP_R1, 1 + (int32_t)gen_below(g, 6), 1));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R0, 1));
	gen_put(g, skep_exit());
}

void gen_function(struct gen *g, uint32_t func)
{
	if (func == FUNC_LOOP) {
		put_loop_body(g);
		return;
	}
	g->in_function = true;
	for (int i = 0; i < 5; i++)
		gen_put(g, skep_alu64_reg(SKEP_MOV, i ? SKEP_R5 + i : 0, SKEP_R1 + i));
	gen_stack(g);
	for (uint32_t n = 1 + gen_below(g, 3); n; n--)
		gen_unit(g);
	gen_sum(g);
	g->in_function = false;
}

/* --- All of them ----------------------------------------------------------------------------- */

void gen_unit(struct gen *g)
{
	static void (*const anywhere[])(struct gen *) = {
		put_arithmetic, put_arithmetic,   put_arithmetic,
		put_rotation,   put_stack_access, put_stack_access,
	};
	static void (*const branching[])(struct gen *) = {put_if, put_if, put_choice, put_loop};
	static void (*const of_main[])(struct gen *) = {
		put_context, put_cb,     put_packet, put_packet, put_classic_load, put_lookup,
		put_lookup,  put_update, put_helper, put_helper, put_call,         put_bpf_loop,
	};
	uint32_t kind = gen_below(g, 8);

	if (g->lab->n > MOST_INSNS - MOST_TAIL)
		return;
	if (kind < 3 || (kind >= 5 && g->in_function))
		anywhere[gen_below(g, N_OF(anywhere))](g);
	else if (kind < 5 && !g->size->straight)
		branching[gen_below(g, N_OF(branching))](g);
	else if (!g->in_function)
		of_main[gen_below(g, N_OF(of_main))](g);
}
