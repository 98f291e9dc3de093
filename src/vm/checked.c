/*
 * The checked interpreter: one instruction after the other, each looked at
 * before it acts. It reads no register and no byte of the stack that was not
 * written, touches no memory that the program was not given (skep/check.h),
 * and stops where something is wrong with the number of the instruction and a
 * sentence. It shares no code with the threaded interpreter, and so each is a
 * check of the other.
 */
#include "vm/checked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/check.h>
#include <skep/helper.h>
#include <skep/map.h>

#include "base/arena.h"
#include "vm/packet.h"

struct skep_code {
	const struct skep_image *image;
	struct skep_exec_opts opts;
};

#define CALLER_SAVED 0x3eu /* r1 to r5 */

/* --- what is refused ------------------------------------------------------------------------ */

bool skep_checked_refuse(struct skep_checked *vm, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	skep_check_note_registers(vm->run, vm->frame->r, vm->frame->set);
	skep_check_refuse(vm->run, vm->pc, "%s", why);
	return false;
}

bool skep_checked_reads(struct skep_checked *vm, unsigned reg)
{
	if (vm->frame->set & 1u << reg)
		return true;
	return skep_checked_refuse(vm, "r%u is read, but nothing was put into it", reg);
}

static bool writes(struct skep_checked *vm, unsigned reg, uint64_t value)
{
	if (reg == SKEP_R10)
		return skep_checked_refuse(vm, "r10, the frame pointer, cannot be written");
	vm->frame->r[reg] = value;
	vm->frame->set |= (uint16_t)(1u << reg);
	return true;
}

/* Addresses near NULL were NULL before something was added. */
#define NEAR_NULL 4096

static bool is_unwritten(const struct skep_checked *vm, uint64_t at)
{
	return skep_check_look(vm->run, (void *)(uintptr_t)at, 1, SKEP_MAY_READ) == SKEP_UNWRITTEN;
}

/* Which bytes: those between the members of a struct are easily forgotten. */
static bool refuse_unwritten(struct skep_checked *vm, unsigned reg, uint64_t at, unsigned bytes)
{
	unsigned first = 0, n = 0;

	while (first < bytes && !is_unwritten(vm, at + first))
		first++;
	while (first + n < bytes && is_unwritten(vm, at + first + n))
		n++;
	if (n == bytes)
		return skep_checked_refuse(
			vm, "reads %u bytes of the stack by r%u that were never written", bytes,
			reg);
	return skep_checked_refuse(vm,
				   "reads %u bytes of the stack by r%u, of which %u at offset %u "
				   "were never written (padding of a struct?)",
				   bytes, reg, n, first);
}

bool skep_checked_access(struct skep_checked *vm, unsigned reg, uint64_t at, size_t bytes,
			 unsigned rights)
{
	const char *verb = rights & SKEP_MAY_WRITE ? "writes" : "reads";
	unsigned n = (unsigned)bytes;

	switch (skep_check_look(vm->run, (void *)(uintptr_t)at, bytes, rights)) {
	case SKEP_MAY: return true;
	case SKEP_NO_RIGHT:
		return skep_checked_refuse(vm, "%s %u bytes by r%u where that is not allowed", verb,
					   n, reg);
	case SKEP_UNWRITTEN: return refuse_unwritten(vm, reg, at, n);
	case SKEP_UNKNOWN: break;
	}
	if (at < NEAR_NULL || at > UINT64_MAX - NEAR_NULL)
		return skep_checked_refuse(vm, "%s %u bytes by r%u, which is NULL", verb, n, reg);
	return skep_checked_refuse(vm, "%s %u bytes by r%u outside of what the program was given",
				   verb, n, reg);
}

/* --- arithmetic ----------------------------------------------------------------------------- */

static uint64_t divide64(unsigned op, bool is_signed, uint64_t a, uint64_t b)
{
	if (!b)
		return op == SKEP_DIV ? 0 : a;
	if (!is_signed)
		return op == SKEP_DIV ? a / b : a % b;
	if (b == UINT64_MAX)
		return op == SKEP_DIV ? 0 - a : 0;
	return (uint64_t)(op == SKEP_DIV ? (int64_t)a / (int64_t)b : (int64_t)a % (int64_t)b);
}

static uint64_t sign_extend(uint64_t value, unsigned bits)
{
	uint64_t sign = (uint64_t)1 << (bits - 1);

	return ((value & ((sign << 1) - 1)) ^ sign) - sign;
}

static uint64_t arith64(const struct skep_insn *insn, uint64_t a, uint64_t b)
{
	unsigned op = insn->code & 0xf0;

	switch (op) {
	case SKEP_ADD: return a + b;
	case SKEP_SUB: return a - b;
	case SKEP_MUL: return a * b;
	case SKEP_DIV:
	case SKEP_MOD: return divide64(op, insn->off == 1, a, b);
	case SKEP_OR: return a | b;
	case SKEP_AND: return a & b;
	case SKEP_XOR: return a ^ b;
	case SKEP_LSH: return a << (b & 63);
	case SKEP_RSH: return a >> (b & 63);
	case SKEP_ARSH: return (uint64_t)((int64_t)a >> (b & 63));
	case SKEP_NEG: return 0 - a;
	default: /* MOV */ return insn->off ? sign_extend(b, (unsigned)insn->off) : b;
	}
}

/* By 64 bits where that gives the same lower half. */
static uint64_t arith32(const struct skep_insn *insn, uint32_t a, uint32_t b)
{
	unsigned op = insn->code & 0xf0;

	switch (op) {
	case SKEP_DIV:
	case SKEP_MOD:
		if (insn->off == 1)
			return (uint32_t)divide64(op, true, sign_extend(a, 32), sign_extend(b, 32));
		return divide64(op, false, a, b);
	case SKEP_LSH: return (uint32_t)(a << (b & 31));
	case SKEP_RSH: return a >> (b & 31);
	case SKEP_ARSH: return (uint32_t)((int32_t)a >> (b & 31));
	default: return (uint32_t)arith64(insn, a, b);
	}
}

/* The low @bits of @value, their bytes in the other order. */
static uint64_t reversed(uint64_t value, unsigned bits)
{
	uint64_t out = 0;

	for (unsigned i = 0; i < bits; i += 8)
		out = out << 8 | (value >> i & 0xff);
	return out;
}

static uint64_t byte_order(const struct skep_insn *insn, uint64_t value)
{
	const uint16_t one = 1;
	bool is_little = *(const uint8_t *)&one;
	bool to_big = (insn->code & 7) == SKEP_ALU && insn->code & SKEP_X;
	bool reverse = (insn->code & 7) == SKEP_ALU64 || to_big == is_little;
	unsigned bits = (unsigned)insn->imm;

	if (reverse)
		return reversed(value, bits);
	return bits == 64 ? value : value & (((uint64_t)1 << bits) - 1);
}

static bool arith(struct skep_checked *vm, const struct skep_insn *insn)
{
	unsigned op = insn->code & 0xf0;
	bool wide = (insn->code & 7) == SKEP_ALU64, by_reg = insn->code & SKEP_X;
	const uint64_t *r = vm->frame->r;

	if (op != SKEP_MOV && !skep_checked_reads(vm, insn->dst))
		return false;
	if (op == SKEP_END)
		return writes(vm, insn->dst, byte_order(insn, r[insn->dst]));
	if (by_reg && !skep_checked_reads(vm, insn->src))
		return false;
	if (vm->image->ops[vm->pc] == SKEP_OP_ADDR_SPACE_CAST)
		return writes(vm, insn->dst,
			      skep_vm_cast(vm->image->arena, r[insn->src], (uint32_t)insn->imm));

	uint64_t a = r[insn->dst], b = by_reg ? r[insn->src] : (uint64_t)(int64_t)insn->imm;
	return writes(vm, insn->dst,
		      wide ? arith64(insn, a, b) : arith32(insn, (uint32_t)a, (uint32_t)b));
}

/* --- jumps ---------------------------------------------------------------------------------- */

static bool compare(unsigned op, uint64_t a, uint64_t b, int64_t sa, int64_t sb)
{
	switch (op) {
	case SKEP_JEQ: return a == b;
	case SKEP_JNE: return a != b;
	case SKEP_JGT: return a > b;
	case SKEP_JGE: return a >= b;
	case SKEP_JLT: return a < b;
	case SKEP_JLE: return a <= b;
	case SKEP_JSET: return a & b;
	case SKEP_JSGT: return sa > sb;
	case SKEP_JSGE: return sa >= sb;
	case SKEP_JSLT: return sa < sb;
	default: /* JSLE */ return sa <= sb;
	}
}

static bool test(struct skep_checked *vm, const struct skep_insn *insn)
{
	bool by_reg = insn->code & SKEP_X;
	const uint64_t *r = vm->frame->r;

	if (!skep_checked_reads(vm, insn->dst) || (by_reg && !skep_checked_reads(vm, insn->src)))
		return false;
	uint64_t a = r[insn->dst], b = by_reg ? r[insn->src] : (uint64_t)(int64_t)insn->imm;
	int64_t sa = (int64_t)a, sb = (int64_t)b;
	if ((insn->code & 7) == SKEP_JMP32) {
		sa = (int32_t)a;
		sb = (int32_t)b;
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	vm->pc += compare(insn->code & 0xf0, a, b, sa, sb) ? 1u + (uint32_t)insn->off : 1;
	return true;
}

static bool jump(struct skep_checked *vm, const struct skep_insn *insn)
{
	switch (vm->image->ops[vm->pc]) {
	case SKEP_OP_JA: vm->pc += 1u + (uint32_t)insn->off; return true;
	case SKEP_OP_JA32: vm->pc += 1u + (uint32_t)insn->imm; return true;
	case SKEP_OP_MAY_GOTO:
		vm->pc += vm->frame->rounds ? 1 : 1u + (uint32_t)insn->off;
		vm->frame->rounds -= vm->frame->rounds > 0;
		return true;
	default: return test(vm, insn);
	}
}

/* --- memory --------------------------------------------------------------------------------- */

static unsigned bytes_of(const struct skep_insn *insn)
{
	static const uint8_t bytes[] = {4, 2, 1, 8};

	return bytes[insn->code >> 3 & 3];
}

static uint64_t fetch(uint64_t at, unsigned bytes)
{
	uint8_t b8;
	uint16_t b16;
	uint32_t b32;
	uint64_t b64;

	switch (bytes) {
	case 1: memcpy(&b8, (void *)(uintptr_t)at, 1); return b8;
	case 2: memcpy(&b16, (void *)(uintptr_t)at, 2); return b16;
	case 4: memcpy(&b32, (void *)(uintptr_t)at, 4); return b32;
	default: memcpy(&b64, (void *)(uintptr_t)at, 8); return b64;
	}
}

static void put(uint64_t at, unsigned bytes, uint64_t value)
{
	uint8_t b8 = (uint8_t)value;
	uint16_t b16 = (uint16_t)value;
	uint32_t b32 = (uint32_t)value;
	const void *from = bytes == 1   ? (void *)&b8
			   : bytes == 2 ? (void *)&b16
			   : bytes == 4 ? (void *)&b32
					: (void *)&value;

	memcpy((void *)(uintptr_t)at, from, bytes);
}

static uint64_t address(const struct skep_checked *vm, unsigned reg, int16_t off)
{
	return vm->frame->r[reg] + (uint64_t)(int64_t)off;
}

static bool load(struct skep_checked *vm, const struct skep_insn *insn)
{
	uint64_t at = address(vm, insn->src, insn->off);
	unsigned bytes = bytes_of(insn);

	if (!skep_checked_reads(vm, insn->src) ||
	    !skep_checked_access(vm, insn->src, at, bytes, SKEP_MAY_READ))
		return false;
	uint64_t value = fetch(at, bytes);
	if ((insn->code & 0xe0) == SKEP_MEMSX)
		value = sign_extend(value, bytes * 8);
	return writes(vm, insn->dst, value);
}

static bool store(struct skep_checked *vm, const struct skep_insn *insn)
{
	bool by_reg = (insn->code & 7) == SKEP_STX;
	uint64_t at = address(vm, insn->dst, insn->off);
	unsigned bytes = bytes_of(insn);

	if (!skep_checked_reads(vm, insn->dst) || (by_reg && !skep_checked_reads(vm, insn->src)) ||
	    !skep_checked_access(vm, insn->dst, at, bytes, SKEP_MAY_WRITE))
		return false;
	put(at, bytes, by_reg ? vm->frame->r[insn->src] : (uint64_t)(int64_t)insn->imm);
	skep_check_written(vm->run, (void *)(uintptr_t)at, bytes);
	return true;
}

/* What memory becomes: @old by the operation with @value. */
static uint64_t combined(int32_t op, uint64_t old, uint64_t value)
{
	switch (op & ~SKEP_FETCH) {
	case SKEP_ADD: return old + value;
	case SKEP_OR: return old | value;
	case SKEP_AND: return old & value;
	case SKEP_XOR: return old ^ value;
	default: /* XCHG, CMPXCHG that found what it expected */ return value;
	}
}

/* By compare and exchange, whatever the operation: other threads do it at once too. */
static uint64_t modify(const struct skep_insn *insn, void *at, uint64_t value, uint64_t expected)
{
	bool narrow = bytes_of(insn) == 4;
	uint32_t old32;
	uint64_t old, next;

	for (;;) {
		old = narrow ? __atomic_load_n((uint32_t *)at, __ATOMIC_SEQ_CST)
			     : __atomic_load_n((uint64_t *)at, __ATOMIC_SEQ_CST);
		next = combined(insn->imm, old, value);
		if (insn->imm == SKEP_CMPXCHG && old != (narrow ? (uint32_t)expected : expected))
			next = old;
		old32 = (uint32_t)old;
		if (narrow ? __atomic_compare_exchange_n((uint32_t *)at, &old32, (uint32_t)next,
							 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
			   : __atomic_compare_exchange_n((uint64_t *)at, &old, next, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return old;
	}
}

static bool is_aligned(struct skep_checked *vm, uint64_t at, unsigned bytes)
{
	return !(at % bytes) || skep_checked_refuse(vm,
						    "an atomic access to %u bytes that are "
						    "not aligned",
						    bytes);
}

static bool read_modify_write(struct skep_checked *vm, const struct skep_insn *insn)
{
	uint64_t at = address(vm, insn->dst, insn->off);
	bool is_cmpxchg = insn->imm == SKEP_CMPXCHG;
	unsigned bytes = bytes_of(insn);

	if (!skep_checked_reads(vm, insn->dst) || !skep_checked_reads(vm, insn->src) ||
	    (is_cmpxchg && !skep_checked_reads(vm, SKEP_R0)) ||
	    !skep_checked_access(vm, insn->dst, at, bytes, SKEP_MAY_READ | SKEP_MAY_WRITE) ||
	    !is_aligned(vm, at, bytes))
		return false;
	uint64_t old =
		modify(insn, (void *)(uintptr_t)at, vm->frame->r[insn->src], vm->frame->r[SKEP_R0]);
	if (!(insn->imm & SKEP_FETCH))
		return true;
	return writes(vm, is_cmpxchg ? SKEP_R0 : insn->src, old);
}

static bool atomic(struct skep_checked *vm, const struct skep_insn *insn)
{
	bool is_load = insn->imm == SKEP_LOAD_ACQ, is_store = insn->imm == SKEP_STORE_REL;
	unsigned reg = is_load ? insn->src : insn->dst;

	if (!is_load && !is_store)
		return read_modify_write(vm, insn);
	if (!is_aligned(vm, address(vm, reg, insn->off), bytes_of(insn)))
		return false;
	if (is_store)
		__atomic_thread_fence(__ATOMIC_RELEASE);
	bool ok = is_load ? load(vm, insn) : store(vm, insn);
	if (is_load)
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return ok;
}

/* --- calls and returns ---------------------------------------------------------------------- */

static void enter(struct skep_checked *vm, const uint64_t args[5], unsigned set)
{
	struct skep_checked_frame *frame = vm->frame;

	memcpy(&frame->r[1], args, 5 * sizeof(args[0]));
	frame->r[SKEP_R10] = (uintptr_t)(frame->stack + SKEP_STACK_BYTES);
	frame->set = (uint16_t)(set | 1u << SKEP_R10);
	frame->rounds = SKEP_MAY_GOTO_ROUNDS;
	skep_check_grant_stack(vm->run, frame->stack, sizeof(frame->stack), frame->written);
}

static bool call_local(struct skep_checked *vm, const struct skep_insn *insn)
{
	struct skep_checked_frame *caller = vm->frame++;

	caller->back = vm->pc + 1;
	vm->run->depth++;
	enter(vm, &caller->r[1], caller->set & CALLER_SAVED);
	vm->pc += 1u + (uint32_t)insn->imm;
	return true;
}

/* False at the end of the run: the first frame is left. */
static bool leave(struct skep_checked *vm, const struct skep_checked_frame *first)
{
	struct skep_checked_frame *frame = vm->frame;

	skep_run_revoke(vm->run, frame->stack);
	if (frame == first)
		return false;
	vm->frame--;
	vm->run->depth--;
	vm->frame->r[SKEP_R0] = frame->r[SKEP_R0];
	vm->frame->set &= (uint16_t) ~(CALLER_SAVED | 1);
	vm->frame->set |= frame->set & 1;
	vm->pc = vm->frame->back;
	return true;
}

static bool exits(struct skep_checked *vm, const struct skep_checked_frame *first)
{
	/* A function without a result may leave r0 as it is; the program may not. */
	if (vm->frame == first && !skep_checked_reads(vm, SKEP_R0))
		return false;
	return leave(vm, first);
}

static bool call_out(struct skep_checked *vm, const struct skep_callable *row)
{
	const struct skep_proto *proto = row->proto;
	uint64_t args[6], *r = vm->frame->r;

	if (!skep_checked_arguments(vm, row))
		return false;
	memcpy(args, r, sizeof(args));
	uint64_t r0 = row->call(args[1], args[2], args[3], args[4], args[5], vm->run);
	if (vm->run->stop)
		return false;
	vm->frame->set &= (uint16_t) ~(CALLER_SAVED | 1);
	if (!proto || (proto->ret & SKEP_RET_KIND_MASK) != SKEP_RET_VOID)
		writes(vm, SKEP_R0, r0);
	skep_checked_result(vm, row, args, r0);
	vm->pc++;
	return true;
}

static bool is_own_map(const struct skep_checked *vm, uint64_t value)
{
	for (uint32_t i = 0; i < vm->image->n_maps; i++) {
		if ((uintptr_t)vm->image->maps[i] == value)
			return true;
	}
	return false;
}

/* Returns whether this function goes on; what else a tail call does is leave it. */
static bool tail_call(struct skep_checked *vm, const struct skep_checked_frame *first)
{
	uint64_t *r = vm->frame->r, r0 = 0;

	if (!skep_checked_reads(vm, 1) || !skep_checked_reads(vm, 2) || !skep_checked_reads(vm, 3))
		return false;
	if (!is_own_map(vm, r[2]))
		return skep_checked_refuse(vm, "r2, argument 2 of bpf_tail_call, is no map");
	bool left = skep_run_tail_call(vm->run, (void *)(uintptr_t)r[1], (void *)(uintptr_t)r[2],
				       r[3], &r0);
	if (vm->run->stop)
		return false;
	vm->frame->set &= (uint16_t)~CALLER_SAVED;
	writes(vm, SKEP_R0, r0);
	vm->pc++;
	return left ? leave(vm, first) : true;
}

static bool call_or_exit(struct skep_checked *vm, const struct skep_insn *insn,
			 const struct skep_checked_frame *first)
{
	switch (vm->image->ops[vm->pc]) {
	case SKEP_OP_CALL_LOCAL: return call_local(vm, insn);
	case SKEP_OP_EXIT: return exits(vm, first);
	default:
		if (vm->image->ops[vm->pc] == SKEP_OP_CALL_HELPER &&
		    (uint32_t)insn->imm == vm->image->tail_call)
			return tail_call(vm, first);
		return call_out(vm, vm->image->calls[insn->imm]);
	}
}

/* --- loads of constants and of the packet ---------------------------------------------------- */

static bool load_packet(struct skep_checked *vm, const struct skep_insn *insn,
			const struct skep_checked_frame *first)
{
	bool indirect = (insn->code & 0xe0) == SKEP_IND;
	uint32_t off = (uint32_t)insn->imm;
	uint64_t value = 0;

	if (!skep_checked_reads(vm, SKEP_R6) || (indirect && !skep_checked_reads(vm, insn->src)))
		return false;
	if (vm->frame->r[SKEP_R6] != (uintptr_t)vm->run->ctx)
		return skep_checked_refuse(vm, "r6 is not the packet's context");
	if (indirect)
		off += (uint32_t)vm->frame->r[insn->src];
	bool there = skep_vm_load_packet(vm->run, (int32_t)off, bytes_of(insn), &value);
	vm->frame->set &= (uint16_t)~CALLER_SAVED;
	writes(vm, SKEP_R0, there ? value : 0);
	vm->pc++;
	return there || leave(vm, first);
}

static bool load_constant(struct skep_checked *vm, const struct skep_insn *insn)
{
	uint64_t value = (uint64_t)(uint32_t)insn[1].imm << 32 | (uint32_t)insn->imm;

	vm->pc += 2;
	return writes(vm, insn->dst, value);
}

/* --- the loop ------------------------------------------------------------------------------- */

static bool one_slot(struct skep_checked *vm, const struct skep_insn *insn)
{
	bool ok;

	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64: ok = arith(vm, insn); break;
	case SKEP_LDX: ok = load(vm, insn); break;
	default:
		ok = (insn->code & 0xe7) == (SKEP_STX | SKEP_ATOMIC) ? atomic(vm, insn)
								     : store(vm, insn);
	}
	vm->pc += ok;
	return ok;
}

/* One instruction; false: the run is over, or stopped. */
static bool step(struct skep_checked *vm, const struct skep_checked_frame *first)
{
	const struct skep_insn *insn = &vm->image->insns[vm->pc];
	unsigned class = insn->code & 7, op = insn->code & 0xf0;

	if (class == SKEP_LD)
		return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM) ? load_constant(vm, insn)
								    : load_packet(vm, insn, first);
	if (class != SKEP_JMP && class != SKEP_JMP32)
		return one_slot(vm, insn);
	if (class == SKEP_JMP && (op == SKEP_CALL || op == SKEP_EXIT))
		return call_or_exit(vm, insn, first);
	return jump(vm, insn);
}

static bool spend(struct skep_run *run)
{
	if (run->budget == UINT64_MAX)
		return true;
	if (!run->budget) {
		run->stop = SKEP_STOP_BUDGET;
		return false;
	}
	run->budget--;
	return true;
}

/* What the program may touch without having asked: the one value of its variables' maps. */
static void grant_maps(const struct skep_image *image, struct skep_run *run)
{
	for (uint32_t i = 0; i < image->n_maps; i++) {
		const struct skep_map *map = image->maps[i];
		unsigned rights =
			map->flags & 1u << 7 ? SKEP_MAY_READ : SKEP_MAY_READ | SKEP_MAY_WRITE;
		if (map->type == SKEP_MAP_ARRAY && map->max_entries == 1)
			skep_run_grant(run, map->values, map->value_size, rights);
		if (map->type == SKEP_MAP_ARENA)
			skep_run_grant(run,
				       (void *)(skep_arena_base(map) +
						(uint32_t)skep_arena_user_start(map)),
				       (size_t)map->max_entries << 12, rights);
	}
}

/* Which registers a function starts with: callbacks get all five, main what there is. */
static unsigned given(uint32_t func, const uint64_t args[5])
{
	unsigned set = func ? CALLER_SAVED : 2;

	for (unsigned i = 0; i < 5; i++)
		set |= (unsigned)(args[i] != 0) << (i + 1);
	return set;
}

static void go(struct skep_checked *vm, const struct skep_checked_frame *first)
{
	while (spend(vm->run) && step(vm, first))
		;
}

/* The same, and somebody is told of every step. */
static void go_telling(struct skep_checked *vm, const struct skep_checked_frame *first,
		       const struct skep_exec_opts *opts)
{
	do {
		if (!spend(vm->run))
			return;
		opts->step(opts->step_ctx, vm->pc, vm->frame->r, vm->frame->set);
	} while (step(vm, first));
}

static uint64_t execute(const struct skep_code *code, uint32_t func, const uint64_t args[5],
			struct skep_run *run)
{
	const struct skep_image *image = code->image;
	struct skep_checked_frame frames[SKEP_MOST_FRAMES];
	struct skep_checked vm = {image, run, frames, image->funcs[func].start};

	enter(&vm, args, given(func, args));
	if (code->opts.step)
		go_telling(&vm, frames, &code->opts);
	else
		go(&vm, frames);
	if (!run->stop)
		return frames[0].r[SKEP_R0];
	/* What was left on the way is not given any more. */
	for (struct skep_checked_frame *f = frames; f <= vm.frame; f++)
		skep_run_revoke(run, f->stack);
	return 0;
}

static int compile(const struct skep_image *image, const struct skep_exec_opts *opts,
		   struct skep_code **ret)
{
	struct skep_code *code = skep_xmalloc(sizeof(*code));

	code->image = image;
	code->opts = opts ? *opts : (struct skep_exec_opts){0};
	*ret = code;
	return 0;
}

/* A run without regions gets its own, with nothing in it but what the program brings. */
static uint64_t call(const struct skep_program *program, uint32_t func, const uint64_t args[5],
		     struct skep_run *run)
{
	const struct skep_image *image = program->code->image;
	struct skep_check *own = run->check ? NULL : skep_check_new();

	run->check = own ? own : run->check;
	if (!func)
		grant_maps(image, run);
	uint64_t r0 = execute(program->code, func, args, run);
	if (own) {
		run->check = NULL;
		skep_check_free(own);
	}
	return r0;
}

static uint64_t enter_main(const struct skep_program *program, void *ctx, struct skep_run *run)
{
	return call(program, 0, (uint64_t[5]){(uintptr_t)ctx}, run);
}

static void free_code(struct skep_code *code)
{
	free(code);
}

const struct skep_exec skep_exec_checked = {"checked", compile, call, free_code, enter_main};
