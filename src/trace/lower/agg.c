/*
 * count(), sum(), avg(), min(), max(), stats(), hist(), lhist(): kept per CPU,
 * added to in place, summed when read.
 *
 * Programs on tracepoints and perf events are not preempted by others that
 * write the same CPU's copy, so a plain load, add and store will do; programs
 * on uprobes may be preempted between the two, and add atomically.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "linux/bpf.h"
#include "trace/lower/lower.h"

#define FIRST_SLOT_BYTES 64 /* larger first values come from the map of zeroes */

struct place {
	struct skep_opnd base;
	int32_t off;
	const struct skep_type *type;
};

static void add(struct skep_lower *l, struct skep_opnd base, int32_t off, struct skep_opnd value)
{
	if (l->probe->provider->prog_type == BPF_PROG_TYPE_KPROBE) {
		skep_ir_atomic_add(l->f, 8, base, off, value);
		return;
	}
	uint32_t sum = skep_ir_alu(l->f, SKEP_IR_ADD, R(skep_ir_load(l->f, 8, base, off)), value);
	skep_ir_store(l->f, 8, base, off, R(sum));
}

/* min and max: { value, is set }. */
static void keep_extreme(struct skep_lower *l, const struct place *at, struct skep_opnd value,
			 enum skep_ir_cond better)
{
	struct skep_ir_func *f = l->f;
	uint32_t compare = skep_ir_block(f), keep = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_EQ, R(skep_ir_load(f, 8, at->base, at->off + 8)), I(0), keep,
		       compare);
	skep_ir_at(f, compare);
	skep_ir_branch(f, better, value, R(skep_ir_load(f, 8, at->base, at->off)), keep, done);
	skep_ir_at(f, keep);
	skep_ir_store(f, 8, at->base, at->off, value);
	skep_ir_store(f, 8, at->base, at->off + 8, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

/* One of the buckets; the bound is what proves the access to the verifier. */
static void add_bucket(struct skep_lower *l, const struct place *at, uint32_t index)
{
	struct skep_ir_func *f = l->f;
	uint32_t fine = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_ULT, R(index), I(at->type->n), fine, done);
	skep_ir_at(f, fine);
	uint32_t step = skep_ir_alu(f, SKEP_IR_SHL, R(index), I(3));
	uint32_t bucket = skep_ir_alu(f, SKEP_IR_ADD, R(skep_ir_addr(f, at->base, 0)), R(step));
	add(l, R(bucket), at->off, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

/*
 * Position of the highest bit of @value (positive), by halving: if it is 2^half
 * or more, 2^half - 1 - value is negative, and its sign bit says so. Without a
 * branch, as each would be another path for the verifier to follow.
 */
static uint32_t log2_of(struct skep_lower *l, struct skep_opnd value)
{
	struct skep_ir_func *f = l->f;
	uint32_t rest = skep_ir_mov(f, value), log = skep_ir_mov(f, I(0));

	for (int stage = 5; stage >= 0; stage--) {
		uint32_t below =
			skep_ir_alu(f, SKEP_IR_SUB, I((1ull << (1 << stage)) - 1), R(rest));
		uint32_t above = skep_ir_alu(f, SKEP_IR_SHR, R(below), I(63));
		uint32_t shift = skep_ir_alu(f, SKEP_IR_SHL, R(above), I(stage));
		rest = skep_ir_alu(f, SKEP_IR_SHR, R(rest), R(shift));
		log = skep_ir_alu(f, SKEP_IR_ADD, R(log), R(shift));
	}
	return log;
}

/*
 * The bucket of a power-of-two histogram, k bits of which cut each power:
 *
 *	v < 0            0
 *	v < 2^k          1 + v
 *	otherwise        1 + ((a + 1) << k) + b, a: position of the highest bit - k,
 *	                                         b: the k bits below the highest
 *
 * v >> a is 2^k + b, and v where v is below 2^k and a is taken as 0: so it is
 * 1 + (a << k) + (v >> a) for both.
 */
static uint32_t hist_index(struct skep_lower *l, struct skep_opnd value, uint32_t k)
{
	struct skep_ir_func *f = l->f;
	uint32_t least = skep_ir_alu(f, SKEP_IR_OR, value, I(1ull << k));
	uint32_t a = skep_ir_alu(f, SKEP_IR_SUB, R(log2_of(l, R(least))), I(k));
	uint32_t power = skep_ir_alu(f, SKEP_IR_SHL, R(a), I(k));
	uint32_t within = skep_ir_alu(f, SKEP_IR_SHR, value, R(a));
	uint32_t sum = skep_ir_alu(f, SKEP_IR_ADD, R(power), R(within));
	uint32_t index = skep_ir_alu(f, SKEP_IR_ADD, R(sum), I(1));
	uint32_t negative = skep_ir_alu(f, SKEP_IR_SAR, value, I(63));

	return skep_ir_alu(f, SKEP_IR_AND, R(index),
			   R(skep_ir_alu(f, SKEP_IR_XOR, R(negative), I(-1))));
}

/* Below min: 0; min + i*step: 1 + i; from max on: the last. */
static uint32_t lhist_index(struct skep_lower *l, struct skep_opnd value,
			    const struct skep_type *type)
{
	struct skep_ir_func *f = l->f;
	uint32_t not_below = skep_ir_block(f), inside = skep_ir_block(f), above = skep_ir_block(f);
	uint32_t done = skep_ir_block(f), index = skep_ir_var(f);

	if (l->loop) /* what is found out of the value here is not to divide a loop's rounds */
		value = skep_lower_blur(l, value);
	skep_ir_set(f, index, I(0));
	skep_ir_branch(f, SKEP_IR_SLT, value, I(type->lhist.min), done, not_below);
	skep_ir_at(f, not_below);
	skep_ir_branch(f, SKEP_IR_SGE, value, I(type->lhist.max), above, inside);
	skep_ir_at(f, above);
	skep_ir_set(f, index, I(type->n - 1));
	skep_ir_jump(f, done);
	skep_ir_at(f, inside);
	uint32_t from = skep_ir_alu(f, SKEP_IR_SUB, value, I(type->lhist.min));
	uint32_t step = skep_ir_alu(f, SKEP_IR_UDIV, R(from), I(type->lhist.step));
	skep_ir_set(f, index, R(skep_ir_alu(f, SKEP_IR_ADD, R(step), I(1))));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return index;
}

static void apply(struct skep_lower *l, const struct place *at, struct skep_opnd value)
{
	bool is_signed = at->type->is_signed;

	switch (at->type->kind) {
	case SKEP_T_COUNT: add(l, at->base, at->off, I(1)); break;
	case SKEP_T_SUM: add(l, at->base, at->off, value); break;
	case SKEP_T_AVG:
	case SKEP_T_STATS:
		add(l, at->base, at->off, value);
		add(l, at->base, at->off + 8, I(1));
		break;
	case SKEP_T_MIN: keep_extreme(l, at, value, is_signed ? SKEP_IR_SLT : SKEP_IR_ULT); break;
	case SKEP_T_MAX: keep_extreme(l, at, value, is_signed ? SKEP_IR_SGT : SKEP_IR_UGT); break;
	case SKEP_T_HIST: add_bucket(l, at, hist_index(l, value, at->type->hist_bits)); break;
	default: add_bucket(l, at, lhist_index(l, value, at->type)); break;
	}
}

/* The address of @bytes of zeroes. */
static struct skep_opnd zeroes(struct skep_lower *l, uint32_t bytes)
{
	if (bytes > FIRST_SLOT_BYTES)
		return R(skep_ir_map_value(l->f, skep_lower_zeroes(l, bytes), 0));
	uint32_t slot = skep_ir_slot(l->f, bytes, 8);
	skep_lower_zero(l, S(slot, 0), 0, bytes);
	return S(slot, 0);
}

/* This CPU's copy of an entry, made if it is not there; a full map ends in @done. */
static struct skep_opnd entry(struct skep_lower *l, const struct skep_trace_map *map,
			      struct skep_opnd key, uint32_t done)
{
	struct skep_ir_func *f = l->f;
	uint32_t create = skep_ir_block(f), full = skep_ir_block(f), found = skep_ir_block(f);
	uint32_t at = skep_ir_var(f);
	uint32_t lookup = BPF_FUNC_map_lookup_elem;

	skep_ir_set(f, at, R(skep_ir_calln(f, lookup, R(skep_ir_map(f, map->bpf_map)), key)));
	skep_ir_branch_cold(f, SKEP_IR_EQ, R(at), I(0), create);
	skep_ir_jump(f, found);
	skep_ir_at(f, create);
	if (map->storage == SKEP_STORE_CPU_HASH) {
		struct skep_opnd first = zeroes(l, (map->value->size + 7) & ~7u);
		skep_ir_calln(f, BPF_FUNC_map_update_elem, R(skep_ir_map(f, map->bpf_map)), key,
			      first, I(BPF_NOEXIST));
		skep_ir_set(f, at,
			    R(skep_ir_calln(f, lookup, R(skep_ir_map(f, map->bpf_map)), key)));
		skep_ir_branch(f, SKEP_IR_NE, R(at), I(0), found, full);
	} else {
		skep_ir_jump(f, full);
	}
	skep_ir_at(f, full);
	if (map->storage == SKEP_STORE_CPU_HASH)
		skep_lower_loss(l, skep_loss_map_off(l, (uint32_t)(map - l->program->maps)));
	skep_ir_jump(f, done);
	skep_ir_at(f, found);
	return R(at);
}

/* Go on to value @number of those at @at, and say that it is set. */
static void choose(struct skep_lower *l, const struct skep_trace_map *map, struct skep_opnd number,
		   struct place *at, uint32_t done)
{
	uint32_t stride = skep_choice_stride(map->value), fine = skep_ir_block(l->f);

	if (number.kind == SKEP_OPND_IMM) {
		at->off += (int32_t)(number.imm * stride);
		skep_ir_jump(l->f, fine);
	} else {
		/* One way for the verifier, whichever it is. */
		number = skep_lower_blur(l, number);
		skep_ir_branch(l->f, SKEP_IR_ULT, number, I(map->n_choices), fine, done);
	}
	skep_ir_at(l->f, fine);
	if (number.kind != SKEP_OPND_IMM) {
		uint32_t step = skep_ir_alu(l->f, SKEP_IR_MUL, number, I(stride));
		at->base = R(skep_ir_alu(l->f, SKEP_IR_ADD, at->base, R(step)));
	}
	skep_ir_store(l->f, 8, at->base, at->off, I(1));
	at->off += 8;
}

void skep_lower_aggregate(struct skep_lower *l, const struct skep_expr *target,
			  const struct skep_expr *call)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, target->map);
	bool is_choice = map->storage == SKEP_STORE_CHOICE;
	struct skep_opnd value = call->args ? skep_lower_scalar(l, call->args) : I(1);
	struct skep_opnd number = is_choice ? skep_lower_choice(l, target->map, target->key) : I(0);
	struct skep_opnd key = skep_lower_key(l, map, target->key);
	uint32_t done = skep_ir_block(l->f);
	struct place at = {.base = entry(l, map, key, done), .type = map->value};

	at.off = (int32_t)map->off;
	if (is_choice)
		choose(l, map, number, &at, done);
	apply(l, &at, value);
	skep_ir_jump(l->f, done);
	skep_ir_at(l->f, done);
}

/* --- Reading ------------------------------------------------------------------------------- */

struct total {
	uint32_t sum, n; /* registers */
};

/* Take one CPU's copy into the total. */
static void fold_copy(struct skep_lower *l, const struct skep_type *type, const struct total *total,
		      struct skep_opnd at, int32_t off)
{
	struct skep_ir_func *f = l->f;
	uint32_t value = skep_ir_load(f, 8, at, off);

	if (type->kind == SKEP_T_COUNT || type->kind == SKEP_T_SUM) {
		skep_ir_set(f, total->sum, R(skep_ir_alu(f, SKEP_IR_ADD, R(total->sum), R(value))));
		return;
	}
	uint32_t n = skep_ir_load(f, 8, at, off + 8);
	if (type->kind == SKEP_T_AVG || type->kind == SKEP_T_STATS) {
		skep_ir_set(f, total->sum, R(skep_ir_alu(f, SKEP_IR_ADD, R(total->sum), R(value))));
		skep_ir_set(f, total->n, R(skep_ir_alu(f, SKEP_IR_ADD, R(total->n), R(n))));
		return;
	}
	static const enum skep_ir_cond better[2][2] = {{SKEP_IR_ULT, SKEP_IR_SLT},
						       {SKEP_IR_UGT, SKEP_IR_SGT}};
	uint32_t set = skep_ir_block(f), compare = skep_ir_block(f), take = skep_ir_block(f);
	uint32_t done = skep_ir_block(f);
	skep_ir_branch(f, SKEP_IR_NE, R(n), I(0), set, done);
	skep_ir_at(f, set);
	skep_ir_branch(f, SKEP_IR_EQ, R(total->n), I(0), take, compare);
	skep_ir_at(f, compare);
	skep_ir_branch(f, better[type->kind == SKEP_T_MAX][type->is_signed], R(value),
		       R(total->sum), take, done);
	skep_ir_at(f, take);
	skep_ir_set(f, total->sum, R(value));
	skep_ir_set(f, total->n, R(n));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

static struct skep_opnd finish_total(struct skep_lower *l, const struct skep_type *type,
				     const struct total *total)
{
	if (type->kind != SKEP_T_AVG && type->kind != SKEP_T_STATS)
		return R(total->sum);
	return R(skep_ir_alu(l->f, type->is_signed ? SKEP_IR_SDIV : SKEP_IR_UDIV, R(total->sum),
			     R(total->n)));
}

struct skep_opnd skep_lower_agg_read(struct skep_lower *l, const struct skep_trace_map *map,
				     struct skep_opnd key)
{
	struct skep_ir_func *f = l->f;
	struct total total = {.sum = skep_ir_var(f), .n = skep_ir_var(f)};
	uint32_t cpu = skep_ir_var(f);
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f), found = skep_ir_block(f);
	uint32_t next = skep_ir_block(f), done = skep_ir_block(f);

	if (!skep_lower_best(l, SKEP_FOR_COPIES))
		skep_lower_cannot(l, l->span,
				  "a count's value is used, but this kernel's programs do not see "
				  "what other CPUs have counted");
	/* What no round and what some rounds have found are to look alike to the verifier. */
	skep_ir_set(f, total.sum, skep_lower_blur(l, I(0)));
	skep_ir_set(f, total.n, skep_lower_blur(l, I(0)));
	skep_ir_set(f, cpu, skep_lower_blur(l, I(0)));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_loop_guard(f, done);
	skep_ir_branch(f, SKEP_IR_ULT, R(cpu), I(skep_possible_cpus()), body, done);
	skep_ir_at(f, body);
	uint32_t at = skep_ir_calln(f, BPF_FUNC_map_lookup_percpu_elem,
				    R(skep_ir_map(f, map->bpf_map)), key, R(cpu));
	skep_ir_branch(f, SKEP_IR_NE, R(at), I(0), found, next);
	skep_ir_at(f, found);
	fold_copy(l, map->value, &total, R(at),
		  map->storage == SKEP_STORE_CPU_GLOBAL ? (int32_t)map->off : 0);
	skep_ir_jump(f, next);
	skep_ir_at(f, next);
	skep_ir_set(f, cpu, R(skep_ir_alu(f, SKEP_IR_ADD, R(cpu), I(1))));
	skep_ir_jump(f, head);
	skep_ir_at(f, done);
	return finish_total(l, map->value, &total);
}
