/*
 * Packets: how many bytes are there, as comparisons with the end tell.
 *
 *	r3 = r2; r3 += 8
 *	if r3 > end goto …      not taken: 8 bytes behind r2 are there (range = 8)
 *	                        taken: r3 is behind the end (RANGE_BEYOND_END)
 *
 * All pointers of one id differ by constants only, so that one comparison tells of each. The
 * metadata in front of a packet ends where the packet begins; there only how much is there is told.
 *
 * What was found behind the end stays there: a later comparison of the same pointer is decided.
 *
 * Source  behaviour of Linux 6.18, try_match_pkt_pointers(), find_good_pkt_pointers(),
 *         is_pkt_ptr_branch_taken()
 */
#include "verify/branch.h"

#define MOST_PACKET_OFF 0xffff

/* --- Is it decided --------------------------------------------------------------------------- */

/* a <op> b as b <op> a */
static uint8_t mirrored(uint8_t op)
{
	switch (op) {
	case SKEP_JGT: return SKEP_JLT;
	case SKEP_JLT: return SKEP_JGT;
	case SKEP_JGE: return SKEP_JLE;
	case SKEP_JLE: return SKEP_JGE;
	default: return op;
	}
}

enum skep_branch verify_packet_branch(const struct reg *dst, const struct reg *src, uint8_t op)
{
	const struct reg *at = dst;
	bool behind, behind_or_at;

	if (src->kind != REG_PACKET_END) {
		if (dst->kind != REG_PACKET_END)
			return SKEP_BRANCH_EITHER;
		at = src;
		op = mirrored(op);
	}
	if (at->kind == REG_PACKET_END)
		return SKEP_BRANCH_EITHER;
	behind = at->range == RANGE_BEYOND_END;
	behind_or_at = behind || at->range == RANGE_AT_END;
	if (behind && (op == SKEP_JGT || op == SKEP_JLE))
		return op == SKEP_JGT ? SKEP_BRANCH_ALWAYS : SKEP_BRANCH_NEVER;
	if (behind_or_at && (op == SKEP_JGE || op == SKEP_JLT))
		return op == SKEP_JGE ? SKEP_BRANCH_ALWAYS : SKEP_BRANCH_NEVER;
	return SKEP_BRANCH_EITHER;
}

/* --- What it tells --------------------------------------------------------------------------- */

struct found {
	uint8_t kind;
	uint32_t id;
	int32_t range;
};

static void widen_range(struct reg *reg, void *ctx)
{
	const struct found *found = ctx;

	if (reg->kind == found->kind && reg->id == found->id && reg->range < found->range)
		reg->range = found->range;
}

/* The end is at @regno or behind it; with @less, behind it for certain. What comes near to wrap
 * around tells nothing. */
static void bytes_are_there(struct state *state, unsigned regno, bool less)
{
	const struct reg *reg = &top_frame(state)->regs[regno];
	struct found found = {reg->kind, reg->id, reg->off + less};

	if (reg->off < 0 || (reg->off == 0 && less))
		return;
	if (reg->value.full.umax > MOST_PACKET_OFF ||
	    reg->value.full.umax + (uint64_t)reg->off > MOST_PACKET_OFF)
		return;
	verify_each_reg(state, widen_range, &found);
}

static void is_at_end(struct state *state, unsigned regno, bool beyond)
{
	struct reg *reg = &top_frame(state)->regs[regno];

	if (reg->kind == REG_PACKET)
		reg->range = beyond ? RANGE_BEYOND_END : RANGE_AT_END;
}

static bool is_first_byte(const struct reg *reg)
{
	return reg->kind == REG_PACKET && !reg->id && !reg->off &&
	       skep_tnum_is_const(reg->value.bits) && !reg->value.bits.value;
}

/* Does @end end what @at points into? */
static bool ends(const struct reg *end, const struct reg *at)
{
	return (at->kind == REG_PACKET && end->kind == REG_PACKET_END) ||
	       (at->kind == REG_PACKET_META && is_first_byte(end));
}

bool verify_packet_compared(struct state *here, struct state *there, const struct skep_insn *insn)
{
	const struct reg *dst = &top_frame(here)->regs[insn->dst];
	const struct reg *src = &top_frame(here)->regs[insn->src];
	uint8_t op = insn->code & 0xf0;
	unsigned at = insn->dst;

	if (ends(dst, src)) {
		at = insn->src;
		op = mirrored(op);
	} else if (!ends(src, dst)) {
		return false;
	}
	switch (op) {
	case SKEP_JGT:
		bytes_are_there(here, at, false);
		is_at_end(there, at, true);
		return true;
	case SKEP_JLT:
		bytes_are_there(there, at, true);
		is_at_end(here, at, false);
		return true;
	case SKEP_JGE:
		bytes_are_there(here, at, true);
		is_at_end(there, at, false);
		return true;
	case SKEP_JLE:
		bytes_are_there(there, at, false);
		is_at_end(here, at, true);
		return true;
	default: return false;
	}
}
