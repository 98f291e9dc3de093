/* See keep.h. */
#include "interp/keep.h"

#include <errno.h>
#include <linux/bpf.h>

#define FACTOR    0xff51afd7ed558ccdull
#define CHECK_OFF 4
#define NUMBERS   2 /* are tried for a value whose first is another's */

struct keep {
	const struct skep_keeping *it;
	uint32_t number, is_fresh;  /* registers */
	uint32_t kept, fresh, lost; /* blocks: where it is there, has been put there, cannot be */
};

static uint32_t alu(const struct keep *keep, enum skep_ir_alu op, uint32_t a, struct skep_opnd b)
{
	return skep_ir_alu(keep->it->f, op, R(a), b);
}

/* A number is neither 0 nor one of 32 bits of ones: both can mean none. */
static uint32_t as_number(const struct keep *keep, uint32_t value)
{
	return alu(keep, SKEP_IR_ADD, alu(keep, SKEP_IR_AND, value, I(INT32_MAX)), I(1));
}

/* The number and the check are the halves of the hash. */
static void number(const struct keep *keep, uint32_t hash)
{
	hash = alu(keep, SKEP_IR_MUL, hash, I((int64_t)FACTOR));
	hash = alu(keep, SKEP_IR_XOR, hash, R(alu(keep, SKEP_IR_SHR, hash, I(29))));
	skep_ir_store(keep->it->f, 4, R(keep->it->value), CHECK_OFF, R(hash));
	skep_ir_set(keep->it->f, keep->number,
		    R(as_number(keep, alu(keep, SKEP_IR_SHR, hash, I(32)))));
}

/* Put it where nothing has its number. Goes on where another CPU has just done so. */
static void put(const struct keep *keep)
{
	struct skep_ir_func *f = keep->it->f;
	uint32_t failed = skep_ir_block(f), again = skep_ir_block(f);
	uint32_t err = skep_ir_calln(f, BPF_FUNC_map_update_elem, R(skep_ir_map(f, keep->it->map)),
				     R(keep->it->key), R(keep->it->value), I(BPF_NOEXIST));

	skep_ir_branch(f, SKEP_IR_EQ, R(err), I(0), keep->fresh, failed);
	skep_ir_at(f, failed);
	skep_ir_branch(f, SKEP_IR_EQ, R(err), I(-EEXIST), again, keep->lost);
	skep_ir_at(f, again);
}

static void try_number(const struct keep *keep)
{
	struct skep_ir_func *f = keep->it->f;
	uint32_t there = skep_ir_block(f), absent = skep_ir_block(f);
	uint32_t other = skep_ir_block(f), next = skep_ir_block(f), entry, check, own;

	skep_ir_store(f, 4, R(keep->it->key), 0, R(keep->number));
	entry = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, keep->it->map)),
			      R(keep->it->key));
	skep_ir_branch(f, SKEP_IR_NE, R(entry), I(0), there, absent);
	skep_ir_at(f, there);
	check = skep_ir_load(f, 4, R(entry), CHECK_OFF);
	own = skep_ir_load(f, 4, R(keep->it->value), CHECK_OFF);
	skep_ir_branch(f, SKEP_IR_EQ, R(check), R(own), keep->kept, other);
	skep_ir_at(f, other);
	own = alu(keep, SKEP_IR_OR, own, I(1));
	skep_ir_set(f, keep->number,
		    R(as_number(keep, alu(keep, SKEP_IR_ADD, keep->number, R(own)))));
	skep_ir_jump(f, next);
	skep_ir_at(f, absent);
	put(keep);
	skep_ir_jump(f, next);
	skep_ir_at(f, next);
}

uint32_t skep_keep(const struct skep_keeping *keeping, uint32_t hash, uint32_t *ret_is_fresh)
{
	struct skep_ir_func *f = keeping->f;
	struct keep keep = {.it = keeping,
			    .number = skep_ir_var(f),
			    .is_fresh = skep_ir_var(f),
			    .kept = skep_ir_block(f),
			    .fresh = skep_ir_block(f),
			    .lost = skep_ir_block(f)};
	uint32_t done = skep_ir_block(f);

	number(&keep, hash);
	for (int i = 0; i < NUMBERS; i++)
		try_number(&keep);
	skep_ir_jump(f, keep.lost);
	skep_ir_at(f, keep.lost);
	skep_ir_atomic_add(f, 8, R(skep_ir_map_value(f, keeping->lost_map, keeping->lost_off)), 0,
			   I(1));
	skep_ir_exit(f, I(0));
	skep_ir_at(f, keep.fresh);
	skep_ir_set(f, keep.is_fresh, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, keep.kept);
	skep_ir_set(f, keep.is_fresh, I(0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	*ret_is_fresh = keep.is_fresh;
	return keep.number;
}
