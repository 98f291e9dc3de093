/*
 * What the JIT knows of a program before it writes code: where jumps go, which
 * registers have a clear upper half, which map a call is on, what a function's
 * frame must hold.
 *
 * Widths are a forward analysis. For each slot, the set of registers whose
 * upper 32 bits are surely 0 is the meet (∩) over all ways there:
 *
 *	in(entry) = ∅	in(s) = ∩ out(p) over predecessors p	out(s) = transfer(s, in(s))
 *
 * begun at "all" everywhere, so that loops keep what they do not break. Sets
 * only shrink, each slot at most 11 times; a program that is not done after a
 * few sweeps gives up all knowledge, so the cost stays O(n).
 *
 * Maps are followed along fall-through paths only: from the load of a map's
 * address to a call, with no jump target between.
 */
#include <string.h>

#include "jit/jit.h"

#define MOST_SWEEPS 12
#define REG(r)      ((uint16_t)(1u << (r)))
#define CALLER_REGS ((uint16_t)0x3f) /* r0 to r5: what a call destroys */

int64_t skep_jit_target(const struct skep_image *image, uint32_t slot)
{
	const struct skep_insn *insn = &image->insns[slot];
	int cls = insn->code & 7, op = insn->code & 0xf0;
	if (image->ops[slot] == SKEP_OP_INVALID || (cls != SKEP_JMP && cls != SKEP_JMP32))
		return -1;
	if (op == SKEP_CALL || op == SKEP_EXIT)
		return -1;
	return (int64_t)slot + 1 + (cls == SKEP_JMP32 && op == SKEP_JA ? insn->imm : insn->off);
}

static bool is_always_jump(enum skep_op op)
{
	return op == SKEP_OP_JA || op == SKEP_OP_JA32;
}

static bool is_call(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL);
}

static bool is_packet_load(const struct skep_insn *insn)
{
	int mode = insn->code & 0xe0;
	return (insn->code & 7) == SKEP_LD && (mode == SKEP_ABS || mode == SKEP_IND);
}

/* --- Which registers an instruction writes --------------------------------------------------- */

static uint16_t atomic_writes(const struct skep_insn *insn)
{
	if (insn->imm == SKEP_LOAD_ACQ)
		return REG(insn->dst);
	if (insn->imm == SKEP_CMPXCHG)
		return REG(SKEP_R0);
	return insn->imm != SKEP_STORE_REL && insn->imm & SKEP_FETCH ? REG(insn->src) : 0;
}

uint16_t skep_jit_writes(const struct skep_insn *insn)
{
	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64:
	case SKEP_LDX: return REG(insn->dst);
	case SKEP_LD: return is_packet_load(insn) ? CALLER_REGS : REG(insn->dst);
	case SKEP_STX: return (insn->code & 0xe0) == SKEP_ATOMIC ? atomic_writes(insn) : 0;
	case SKEP_JMP: return is_call(insn) ? CALLER_REGS : 0;
	default: return 0;
	}
}

/* --- Widths ---------------------------------------------------------------------------------- */

static bool narrow_alu64(const struct skep_insn *insn, uint16_t in)
{
	bool dst = in & REG(insn->dst);
	bool reg = insn->code & SKEP_X, src = reg ? in & REG(insn->src) : insn->imm >= 0;
	switch (insn->code & 0xf0) {
	case SKEP_MOV: return src && !insn->off;
	case SKEP_AND: return dst || src;
	case SKEP_OR:
	case SKEP_XOR: return dst && src;
	case SKEP_RSH: return dst || (!reg && (insn->imm & 63) >= 32);
	case SKEP_MOD:
	case SKEP_DIV: return dst && !insn->off;
	case SKEP_END: return insn->imm != 64;
	default: return false;
	}
}

/* Is what @insn leaves in the registers it writes narrow? */
static bool narrow_result(const struct skep_insn *insn, uint16_t in)
{
	int size = insn->code & 0x18;
	switch (insn->code & 7) {
	case SKEP_ALU: return (insn->code & 0xf0) != SKEP_END || insn->imm != 64;
	case SKEP_ALU64: return narrow_alu64(insn, in);
	case SKEP_LDX: return (insn->code & 0xe0) == SKEP_MEM && size != SKEP_DW;
	case SKEP_LD: return !is_packet_load(insn) && insn[1].imm == 0;
	case SKEP_STX: return size != SKEP_DW;
	default: return false;
	}
}

static uint16_t transfer(const struct skep_insn *insn, uint16_t in)
{
	uint16_t writes = skep_jit_writes(insn);
	return narrow_result(insn, in) ? in | writes : in & ~writes;
}

static bool meet(uint16_t *set, uint16_t with)
{
	uint16_t before = *set;
	*set &= with;
	return *set != before;
}

/* One sweep over a function; whether anything changed. */
static bool sweep_widths(struct jit_unit *unit, uint32_t start, uint32_t end)
{
	const struct skep_image *image = unit->image;
	bool changed = false;
	for (uint32_t i = start; i < end; i++) {
		if (image->ops[i] == SKEP_OP_INVALID)
			continue;
		uint16_t out = transfer(&image->insns[i], unit->narrow[i]);
		int64_t target = skep_jit_target(image, i);
		uint32_t next = i + (image->ops[i] == SKEP_OP_LD64_IMM ? 2 : 1);
		if (target >= 0)
			changed |= meet(&unit->narrow[target], out);
		if (next < end && !is_always_jump(image->ops[i]) && image->ops[i] != SKEP_OP_EXIT)
			changed |= meet(&unit->narrow[next], out);
	}
	return changed;
}

static void find_widths(struct jit_unit *unit, const struct skep_image_func *func)
{
	uint16_t *narrow = unit->narrow + func->start;
	size_t bytes = (func->end - func->start) * sizeof(*narrow);
	memset(narrow, 0xff, bytes);
	*narrow = 0;
	for (int i = 0; i < MOST_SWEEPS; i++)
		if (!sweep_widths(unit, func->start, func->end))
			return;
	memset(narrow, 0, bytes);
}

/* --- Maps ------------------------------------------------------------------------------------ */

static void step_maps(struct jit_unit *unit, uint32_t i, int32_t known[16])
{
	const struct skep_image *image = unit->image;
	const struct skep_insn *insn = &image->insns[i];
	int32_t moved = image->ops[i] == SKEP_OP_MOV64_REG ? known[insn->src] : -1;
	if (image->ops[i] == SKEP_OP_LD64_IMM && image->refs[i].kind == SKEP_REF_MAP)
		moved = (int32_t)image->refs[i].index;
	unit->map_at[i] = is_call(insn) ? known[SKEP_R1] : -1;
	for (int r = 0; r < SKEP_N_REGS; r++)
		if (skep_jit_writes(insn) & REG(r))
			known[r] = moved;
}

static void find_maps(struct jit_unit *unit, const struct skep_image_func *func)
{
	int32_t known[16];
	for (uint32_t i = func->start; i < func->end; i++) {
		if (i == func->start || unit->marks[i] & JIT_TARGET)
			memset(known, 0xff, sizeof(known));
		if (unit->image->ops[i] != SKEP_OP_INVALID)
			step_maps(unit, i, known);
	}
}

/* --- Frames ---------------------------------------------------------------------------------- */

static bool names_frame(const struct skep_insn *insn)
{
	int cls = insn->code & 7;
	bool reads_src = cls == SKEP_LDX || cls == SKEP_STX || insn->code & SKEP_X;
	return insn->dst == SKEP_R10 || (reads_src && insn->src == SKEP_R10);
}

static void add_to_frame(struct jit_unit *unit, uint32_t i, struct jit_func *func)
{
	const struct skep_insn *insn = jit_insn(unit, i);
	bool calls = is_call(insn) || is_packet_load(insn);
	func->writes |= skep_jit_writes(insn);
	func->uses_frame |= names_frame(insn);
	func->calls |= calls;
	func->uses_run |= calls;
	func->has_may_goto |= unit->image->ops[i] == SKEP_OP_MAY_GOTO;
}

static void find_frame(struct jit_unit *unit, const struct skep_image_func *from,
		       struct jit_func *func)
{
	for (uint32_t i = from->start; i < from->end; i++)
		if (unit->image->ops[i] != SKEP_OP_INVALID)
			add_to_frame(unit, i, func);
	func->uses_run |= unit->budget;
	func->uses_frame |= func->has_may_goto;
	func->stack_bytes = func->uses_frame ? (from->stack_bytes + 15) & ~15u : 0;
}

/* --- All of it ------------------------------------------------------------------------------- */

static void find_targets(struct jit_unit *unit)
{
	for (uint32_t i = 0; i < unit->image->n_insns; i++) {
		int64_t target = skep_jit_target(unit->image, i);
		if (target >= 0)
			unit->marks[target] |= JIT_TARGET | (target <= i ? JIT_LOOP : 0);
	}
}

static void find_calls(struct jit_unit *unit)
{
	static const struct {
		const char *name;
		enum jit_call call;
	} known[] = {
		{"map_lookup_elem", JIT_CALL_MAP_LOOKUP},
		{"get_smp_processor_id", JIT_CALL_CPU},
	};
	for (uint32_t i = 0; i < unit->image->n_calls; i++) {
		const char *name = unit->image->calls[i]->name;
		if (!strncmp(name, "bpf_", 4))
			name += 4;
		for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
			if (!strcmp(name, known[k].name))
				unit->calls[i] = known[k].call;
	}
	if (unit->image->has_tail_call)
		unit->calls[unit->image->tail_call] = JIT_CALL_TAIL;
}

void skep_jit_flow(struct jit_unit *unit)
{
	const struct skep_image *image = unit->image;
	find_targets(unit);
	find_calls(unit);
	for (uint32_t f = 0; f < image->n_funcs; f++) {
		find_widths(unit, &image->funcs[f]);
		skep_jit_live(unit, &image->funcs[f]);
		find_maps(unit, &image->funcs[f]);
		find_frame(unit, &image->funcs[f], &unit->funcs[f]);
	}
}

uint32_t skep_jit_price(const struct skep_image *image, uint32_t func)
{
	uint32_t insns = image->funcs[func].end - image->funcs[func].start;
	return insns < INT16_MAX ? insns : INT16_MAX;
}

/* Elements whose places are sums of what is known now. */
static bool is_plain_array(const struct skep_map *map)
{
	return (map->type == SKEP_MAP_ARRAY || map->type == SKEP_MAP_PERCPU_ARRAY) && map->values &&
	       map->max_entries <= INT32_MAX && map->elem_size <= INT32_MAX;
}

struct jit_lookup skep_jit_lookup(const struct jit_unit *unit)
{
	int32_t index = unit->map_at[unit->slot];
	const struct skep_map *map = index < 0 ? NULL : unit->image->maps[index];
	if (!map)
		return (struct jit_lookup){0};
	if (is_plain_array(map))
		return (struct jit_lookup){.array = map};
	return (struct jit_lookup){.function = skep_map_lookup_of(map)};
}

bool skep_jit_may_stop(const struct jit_unit *unit)
{
	return unit->budget || unit->image->has_tail_call || unit->image->n_callbacks;
}
