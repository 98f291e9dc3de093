/*
 * Memory: which bytes are accessed, which there are, a number with which it goes wrong, and the
 * check that is missing.
 *
 * A number is given only if the register can have it as far as the verification knows; the
 * program's author may know more, so the sentence says whose knowledge it is.
 */
#include "verify/explain_tell.h"

#include <string.h>

#include <skep/btf.h>

#include "verify/call.h"
#include "verify/explain_source.h"

/* What is added to a pointer, before it was scaled. */
struct offset {
	bool known;
	uint32_t step;  /* where it stands in a register of its own */
	unsigned regno; /* at that step, before it */
	uint64_t scale;
	struct skep_scalar value;
};

static const struct reg *subject(const struct telling *t)
{
	return t->subject >= 0 ? &t->trail->regs[t->subject] : &verify_reg_unset;
}

/* --- The index ------------------------------------------------------------------------------- */

/* How an instruction scales: r <<= 3, r *= 12. 0: it does not. */
static uint64_t scale_of(const struct skep_insn *insn)
{
	uint8_t op = insn->code & 0xf0, class = insn->code & 7;

	if ((class != SKEP_ALU64 && class != SKEP_ALU) || insn->code & SKEP_X)
		return 0;
	if (op == SKEP_LSH && insn->imm >= 0 && insn->imm < 32)
		return 1ull << insn->imm;
	return op == SKEP_MUL && insn->imm > 0 ? (uint64_t)insn->imm : 0;
}

static bool is_copy(const struct skep_insn *insn)
{
	return (insn->code & ~7) == (SKEP_MOV | SKEP_X) && !insn->off;
}

/* Does the instruction leave something else in the register? */
static bool overwrites(const struct skep_insn *insn, unsigned regno)
{
	switch (insn->code & 7) {
	case SKEP_ST:
	case SKEP_JMP32: return false;
	case SKEP_STX: return (insn->code & 0xe0) == SKEP_ATOMIC;
	case SKEP_JMP: return (insn->code & 0xf0) == SKEP_CALL && regno <= SKEP_R5;
	default: return insn->dst == regno;
	}
}

static bool adds_constant(const struct skep_insn *insn)
{
	return insn->code == (SKEP_ALU64 | SKEP_ADD | SKEP_K);
}

/* The step that added a number to the subject, which was the only one: copies of the pointer, and
 * constants that were added, are passed over. */
static bool find_addition(struct telling *t, uint32_t *ret_step, unsigned *ret_regno)
{
	unsigned regno = (unsigned)t->subject;

	for (uint32_t i = t->trail->len - 1; i-- > trail_first(t->trail);) {
		const struct trail_step *step = trail_step(t->trail, i);
		const struct skep_insn *insn = &t->v->insns[step->at];
		const struct reg *pointer = step->dst.kind == REG_SCALAR ? &step->src : &step->dst;

		if (step->frame != t->step->frame)
			return false;
		if (!overwrites(insn, regno) || adds_constant(insn))
			continue;
		if ((insn->code & 7) == SKEP_ALU64 && is_copy(insn)) {
			regno = insn->src;
			continue;
		}
		*ret_step = i;
		*ret_regno = pointer == &step->dst ? insn->src : insn->dst;
		return insn->code == (SKEP_ALU64 | SKEP_ADD | SKEP_X) &&
		       skep_tnum_is_const(pointer->value.bits) && !pointer->value.bits.value;
	}
	return false;
}

static bool learns_of(const struct trail_step *step, const struct skep_insn *insn, unsigned regno)
{
	return explain_is_condition(insn) &&
	       (insn->dst == regno || insn->src == regno || step->alike_regs >> regno & 1);
}

static bool scales(const struct trail_step *step, const struct skep_insn *insn, uint64_t *ret_scale)
{
	uint64_t most = (insn->code & 7) == SKEP_ALU64 ? INT64_MAX : UINT32_MAX;

	*ret_scale = scale_of(insn);
	/* what overflowed is no multiple any more */
	return *ret_scale && step->dst.value.full.umax <= most / *ret_scale;
}

/* Back over shifts and multiplications, while they are all there is to the number. */
static void unscale(struct telling *t, struct offset *o)
{
	for (uint32_t i = o->step; i-- > trail_first(t->trail);) {
		const struct trail_step *step = trail_step(t->trail, i);
		const struct skep_insn *insn = &t->v->insns[step->at];
		uint64_t scale;

		if (step->frame != t->step->frame || learns_of(step, insn, o->regno))
			return;
		if (!overwrites(insn, o->regno))
			continue;
		if (!scales(step, insn, &scale))
			return;
		o->scale *= scale;
		o->step = i;
		o->value = step->dst.value;
	}
}

static struct offset find_offset(struct telling *t)
{
	struct offset o = {.scale = 1};
	const struct trail_step *step;

	if (t->subject < 0 || !find_addition(t, &o.step, &o.regno))
		return o;
	step = trail_step(t->trail, o.step);
	o.known = true;
	o.value = t->v->insns[step->at].src == o.regno ? step->src.value : step->dst.value;
	unscale(t, &o);
	return o;
}

/* --- Regions --------------------------------------------------------------------------------- */

#define MOST_SIZE (1u << 29)
#define LOOKED_AT 4096 /* numbers, for one that the bits allow */

struct region {
	uint64_t size;       /* of the memory */
	int64_t off;         /* fixed: of the pointer and the instruction */
	uint32_t bytes;      /* accessed */
	struct offset added; /* what is not fixed */
};

static bool region_size(const struct reg *reg, uint64_t *ret)
{
	switch (reg->kind) {
	case REG_MAP_VALUE: *ret = reg->map->value_size; return true;
	case REG_MAP_KEY: *ret = reg->map->key_size; return true;
	case REG_MEM: *ret = reg->mem_bytes; return true;
	default: return false;
	}
}

/* The lowest number, not below @from, that the register can have. */
static bool lowest_possible(const struct skep_scalar *value, uint64_t from, uint64_t *ret)
{
	if (from < value->full.umin)
		from = value->full.umin;
	for (uint64_t n = from; n - from < LOOKED_AT && n <= value->full.umax; n++)
		if (skep_scalar_has(value, n)) {
			*ret = n;
			return true;
		}
	return false;
}

static const char *bytes_from(struct telling *t, int64_t first, uint32_t n)
{
	if (n == 1)
		return skep_arena_printf(t->arena, "byte %lld", (long long)first);
	return skep_arena_printf(t->arena, "bytes %lld..%lld", (long long)first,
				 (long long)first + n - 1);
}

static const char *verb(struct telling *t)
{
	return skep_arena_printf(t->arena, !strcmp(explain_verb(t), "access") ? "%ses" : "%ss",
				 explain_verb(t));
}

/* "with r1 = 64 (line 12)": a number of a register at the step where it is the index. */
static void tell_number(struct telling *t, const struct region *r, int64_t number)
{
	const struct trail_step *at = trail_step(t->trail, r->added.step);
	struct skep_explain_place place = explain_place(t, at->at);
	int64_t first = r->off + number * (int64_t)r->added.scale;
	const char *where = place.line ? skep_arena_printf(t->arena, " at line %u", place.line)
				       : skep_arena_printf(t->arena, " at instruction %u", at->at);

	t->ret->counterexample = skep_arena_printf(
		t->arena, "with r%u = %lld%s, which the verifier cannot rule out, it %s %s of %llu",
		r->added.regno, (long long)number, where, verb(t), bytes_from(t, first, r->bytes),
		(unsigned long long)r->size);
}

static void find_number(struct telling *t, const struct region *r)
{
	const struct skep_scalar *value = &r->added.value;
	int64_t room = (int64_t)r->size - r->off - r->bytes;
	uint64_t from = room < 0 ? 0 : (uint64_t)room / r->added.scale + 1, number;

	if (value->full.smin < 0 && value->full.smin > INT32_MIN && value->full.smax < INT32_MAX &&
	    skep_scalar_has(value, UINT64_MAX) && r->off < (int64_t)r->added.scale)
		tell_number(t, r, -1);
	else if (lowest_possible(value, from, &number) && number < INT32_MAX)
		tell_number(t, r, (int64_t)number);
}

/* The check that is missing. How many elements there are the line of the source knows best; the
 * memory may hold more than the array. */
static void tell_check(struct telling *t, const struct region *r)
{
	const char *text = explain_place(t, t->step->at).text;
	const char *index = explain_name_of_index(t->arena, text);
	const char *array = explain_name_of_array(t->arena, text);

	t->ret->hint = "hold the index against the number of elements first; a number that may be "
		       "negative is compared as unsigned";
	if (index && array && r->added.scale >= r->bytes)
		t->ret->code = skep_arena_printf(
			t->arena, "if (%s >= sizeof(%s) / sizeof(%s[0]))\n\treturn %s;", index,
			array, array, explain_result(t));
}

static void tell_fixed(struct telling *t, struct region *r, const struct reg *reg)
{
	int64_t first = r->off + (int64_t)reg->value.bits.value;

	t->ret->what = skep_arena_printf(t->arena, "this %s outside of %s", verb(t),
					 explain_pointee(t, reg));
	if (r->bytes)
		t->ret->why = skep_arena_printf(t->arena, "it %s %s, and there are %llu bytes",
						verb(t), bytes_from(t, first, r->bytes),
						(unsigned long long)r->size);
	r->added = find_offset(t);
	if (r->added.known)
		tell_check(t, r);
}

void explain_region(struct telling *t)
{
	const struct reg *reg = subject(t);
	struct region r = {.bytes = explain_access_bytes(t->insn)};
	bool memory = region_size(reg, &r.size);

	if (!memory)
		return;
	r.off = reg->off + (r.bytes ? t->insn->off : 0);
	if (!r.bytes && t->trail->n_args == 3 && !t->trail->args[2].text)
		r.bytes = (uint32_t)t->trail->args[2].number;
	if (skep_tnum_is_const(reg->value.bits)) {
		tell_fixed(t, &r, reg);
		return;
	}
	r.added = find_offset(t);
	t->ret->what =
		skep_arena_printf(t->arena, "this may be outside of %s", explain_pointee(t, reg));
	t->ret->why = skep_arena_printf(
		t->arena, "there are %llu bytes; the pointer may lead %s bytes on%s",
		(unsigned long long)r.size, explain_number(t, &reg->value),
		r.off ? skep_arena_printf(t->arena, ", and %lld more", (long long)r.off) : "");
	if (!r.added.known)
		return;
	if (r.bytes)
		find_number(t, &r);
	tell_check(t, &r);
}

/* --- Packets --------------------------------------------------------------------------------- */

static void tell_packet_check(struct telling *t, int64_t need)
{
	const char *text = explain_place(t, t->step->at).text;
	const char *name = explain_name_followed(t->arena, text);
	const struct reg *reg = subject(t);

	t->ret->hint = "compare a pointer behind what is accessed with data_end first";
	if (name)
		t->ret->code = skep_arena_printf(t->arena,
						 "if ((void *)(%s + 1) > data_end)\n\treturn %s;",
						 name, explain_result(t));
	else if (skep_tnum_is_const(reg->value.bits) && !reg->value.bits.value)
		t->ret->code =
			skep_arena_printf(t->arena, "if (data + %lld > data_end)\n\treturn %s;",
					  (long long)need, explain_result(t));
}

void explain_packet(struct telling *t)
{
	const struct reg *reg = subject(t);
	uint32_t bytes = explain_access_bytes(t->insn);
	int64_t first = reg->off + t->insn->off;

	if (reg->kind != REG_PACKET || !bytes)
		return;
	if (reg->value.full.smin < 0) {
		t->ret->what = "this may be before the packet";
		t->ret->why = "what is added to the pointer may be negative";
		return;
	}
	t->ret->what =
		skep_arena_printf(t->arena, "the packet may end before what this %s", verb(t));
	if (skep_tnum_is_const(reg->value.bits) && !reg->value.bits.value) {
		int range = reg->range > 0 ? reg->range : 0;

		t->ret->why = skep_arena_printf(
			t->arena, "it %s %s of the packet, and %d bytes are known to be there",
			verb(t), bytes_from(t, first, bytes), range);
		t->ret->counterexample =
			skep_arena_printf(t->arena,
					  "a packet of %d bytes, which the verifier cannot rule "
					  "out, has no byte %lld",
					  range, (long long)(first + bytes - 1));
	}
	tell_packet_check(t, first + bytes);
}

/* --- The stack ------------------------------------------------------------------------------- */

static bool is_unwritten(const struct telling *t, int64_t off)
{
	int64_t slot = (-off - 1) / SLOT_BYTES, byte = (-off - 1) % SLOT_BYTES;

	return off < 0 && slot < MOST_SLOTS && t->trail->slots[slot].kinds[byte] == SLOT_INVALID;
}

/* Which bytes of @size from fp + @off were never written; counted from @off. */
static const char *holes(struct telling *t, int64_t off, int64_t size)
{
	struct skep_buf out = {0};
	const char *copy;

	for (int64_t i = 0; i < size; i++) {
		int64_t first = i;

		if (!is_unwritten(t, off + i))
			continue;
		while (i + 1 < size && is_unwritten(t, off + i + 1))
			i++;
		skep_buf_printf(&out, first == i ? "%s%lld" : "%s%lld..%lld", out.len ? ", " : "",
				(long long)first, (long long)i);
	}
	copy = out.len ? skep_arena_strdup(t->arena, out.data) : NULL;
	skep_buf_done(&out);
	return copy;
}

void explain_stack(struct telling *t)
{
	const struct trail *trail = t->trail;
	const struct reg *reg = subject(t);
	int64_t off = 0, size = trail->n_args ? trail->args[trail->n_args - 1].number : 0;
	const char *where;

	for (uint32_t i = 0; i < trail->n_args && !off; i++)
		if (!trail->args[i].text && trail->args[i].number < 0)
			off = trail->args[i].number;
	if (!off || size <= 0 || size > SKEP_STACK_BYTES)
		return;
	if (reg->kind == REG_STACK && reg->frame != t->step->frame)
		return;
	where = holes(t, off, size);
	if (!where)
		return;
	t->ret->why = skep_arena_printf(t->arena,
					"of the %lld bytes at fp%lld, bytes %s were never written "
					"on this path",
					(long long)size, (long long)off, where);
}

/* --- Sizes that calls are given -------------------------------------------------------------- */

void explain_size(struct telling *t)
{
	const struct reg *reg = subject(t);

	if (reg->kind != REG_SCALAR)
		return;
	t->ret->why = skep_arena_printf(t->arena, "the size in r%d is %s", t->subject,
					explain_number(t, &reg->value));
	if (t->trail->refusal == REFUSE_SIZE_ZERO && reg->value.full.umax > MOST_SIZE)
		t->ret->code = skep_arena_printf(
			t->arena, "if (!size || size > sizeof(buffer))\n\treturn %s;",
			explain_result(t));
}

/* The multiplication before @i that made the register what it is; NULL: something else did. */
static const struct trail_step *scaling_before(struct telling *t, uint32_t i, unsigned regno)
{
	while (i-- > trail_first(t->trail)) {
		const struct trail_step *step = trail_step(t->trail, i);
		const struct skep_insn *insn = &t->v->insns[step->at];

		if (step->frame != t->step->frame)
			return NULL;
		if (overwrites(insn, regno))
			return scale_of(insn) ? step : NULL;
	}
	return NULL;
}

/* The number in an addition to a pointer. */
void explain_offset(struct telling *t)
{
	unsigned regno =
		t->trail->regs[t->insn->src].kind == REG_SCALAR ? t->insn->src : t->insn->dst;
	const struct reg *reg = &t->trail->regs[regno];
	const struct trail_step *scaled;

	if ((t->insn->code & 7) != SKEP_ALU64 || !(t->insn->code & SKEP_X) ||
	    reg->kind != REG_SCALAR)
		return;
	scaled = scaling_before(t, t->trail->len - 1, regno);
	if (scaled)
		t->ret->why = skep_arena_printf(
			t->arena, "the index in r%u is %s, and then multiplied by %llu", regno,
			explain_number(t, &scaled->dst.value),
			(unsigned long long)scale_of(&t->v->insns[scaled->at]));
	else
		t->ret->why = skep_arena_printf(t->arena, "r%u, which is added, is %s", regno,
						explain_number(t, &reg->value));
	tell_check(t, &(struct region){.bytes = 1, .added = {.scale = 1}});
}

/* --- The context ----------------------------------------------------------------------------- */

void explain_context(struct telling *t)
{
	uint32_t id, bytes = explain_access_bytes(t->insn);
	const char *name = explain_context_name(t, &id), *member;
	const struct skep_btf *btf = t->v->program->kernel_btf;
	int64_t off = t->trail->n_args ? t->trail->args[0].number : 0, size;

	if (!name || !bytes)
		return;
	size = skep_btf_size(btf, id);
	member = explain_member(btf, id, off);
	if (off < 0 || off + bytes > size)
		t->ret->what = skep_arena_printf(
			t->arena,
			"the context, a struct %s, has %lld bytes, and this %s %u at %lld", name,
			(long long)size, verb(t), (unsigned)bytes, (long long)off);
	else if (member)
		t->ret->what = skep_arena_printf(
			t->arena,
			"programs of this type may not %s %u bytes of the field %s of struct %s",
			explain_verb(t), (unsigned)bytes, member, name);
}
