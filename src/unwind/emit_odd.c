/*
 * What frames have seldom, see emit.h: the frame of a signal, a CFA by another
 * register or in memory, registers saved far from it, and ends.
 */
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "unwind/emit.h"

/* Where the kernel's struct ucontext has registers, from a signal frame's stack pointer. */
#define SIGNAL_FP   120
#define SIGNAL_BASE 128
#define SIGNAL_SP   160
#define SIGNAL_PC   168

/* By DWARF's numbers of registers: where struct pt_regs has them, in words that four bits can
 * say. That of rsp cannot be, and is not asked for: a CFA by it is of another kind. */
static const uint8_t in_pt_regs[] = {10, 12, 11, 5, 13, 14, 4, 15, 9, 8, 7, 6, 3, 2, 1, 0};
#define REGISTERS_CNT (sizeof(in_pt_regs))

/* Go to @then where it is of the kind wanted. */
static void if_kind(const struct emit_func *at, uint32_t kind, uint32_t wanted, uint32_t then)
{
	uint32_t other = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(kind), I(wanted), then, other);
	skep_ir_at(at->f, other);
}

/* --- No table --------------------------------------------------------------------------------- */

/* Say it in the ring; if that is full, it is to be asked for again. */
static void tell(const struct emit_func *at, uint32_t key)
{
	uint32_t err = skep_ir_calln(at->f, BPF_FUNC_ringbuf_output,
				     R(skep_ir_map(at->f, at->e->maps->asks)), R(key),
				     I(FIELD_BYTES(asked)), I(0));
	uint32_t full = skep_ir_block(at->f), done = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_NE, R(err), I(0), full, done);
	skep_ir_at(at->f, full);
	skep_ir_calln(at->f, BPF_FUNC_map_delete_elem, R(skep_ir_map(at->f, at->e->maps->asked)),
		      R(key));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

/* The first stack that ends for want of what asked says makes the entry. */
static void ask_first(const struct emit_func *at, uint32_t key)
{
	uint32_t told = skep_ir_block(at->f), new = skep_ir_block(at->f), err;

	PUT(at, one, I(1));
	err = skep_ir_calln(at->f, BPF_FUNC_map_update_elem,
			    R(skep_ir_map(at->f, at->e->maps->asked)), R(key), R(ADDRESS(at, one)),
			    I(BPF_NOEXIST));
	skep_ir_branch(at->f, SKEP_IR_EQ, R(err), I(0), new, told);
	skep_ir_at(at->f, new);
	tell(at, key);
	skep_ir_jump(at->f, told);
	skep_ir_at(at->f, told);
}

void skep_emit_ask(const struct emit_func *at)
{
	struct skep_ir_func *f = at->f;
	uint32_t again = skep_ir_block(f), first = skep_ir_block(f), done = skep_ir_block(f);
	uint32_t map = skep_ir_map(f, at->e->maps->asked), key = ADDRESS(at, asked);
	uint32_t entry = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(map), R(key));

	skep_ir_branch(f, SKEP_IR_NE, R(entry), I(0), again, first);
	skep_ir_at(f, again);
	skep_ir_atomic_add(f, 8, R(entry), 0, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, first);
	ask_first(at, key);
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

struct skep_ir_func *skep_emit_missing(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_missing", 1);

	skep_emit_end_if(&at, SKEP_IR_NE, GET(&at, file), I(SKEP_UNWIND_FILE_ASK),
			 SKEP_UNWIND_UNMAPPED);
	PUT(&at, asked.number, R(GET(&at, number)));
	skep_emit_ask(&at);
	skep_emit_end(&at, SKEP_UNWIND_ASKED);
	return at.f;
}

/* --- No return address below the CFA ---------------------------------------------------------- */

/* The innermost frame's register number @number: of those of other frames only one is known. */
static uint32_t register_of(const struct emit_func *at, uint32_t number, uint32_t index)
{
	uint32_t base = skep_ir_block(at->f), done = skep_ir_block(at->f);
	uint32_t value = skep_ir_var(at->f);
	uint64_t places = 0;

	if_kind(at, number, SKEP_UNWIND_REG_BASE, base);
	for (size_t i = 0; i < REGISTERS_CNT; i++)
		places |= (uint64_t)in_pt_regs[i] << 4 * i;
	skep_emit_end_if(at, SKEP_IR_NE, index, I(0), SKEP_UNWIND_REGISTER);
	skep_emit_end_if(at, SKEP_IR_UGE, number, I(REGISTERS_CNT), SKEP_UNWIND_REGISTER);
	uint32_t shift = skep_emit_alu(at, SKEP_IR_SHL, number, I(2));
	uint32_t place = skep_ir_alu(at->f, SKEP_IR_SHR, I((int64_t)places), R(shift));
	place = skep_emit_alu(at, SKEP_IR_AND, place, I(REGISTERS_CNT - 1));
	uint32_t off = skep_emit_alu(at, SKEP_IR_SHL, place, I(3));
	uint32_t from = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(off));
	skep_ir_set(at->f, value, R(skep_ir_load(at->f, 8, R(from), FIELD(at, regs))));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, base);
	skep_ir_set(at->f, value, R(GET(at, base)));
	skep_emit_end_if(at, SKEP_IR_EQ, value, I(0), SKEP_UNWIND_REGISTER);
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
	return value;
}

/* All registers of what a signal interrupted. */
static void leave_signal(const struct emit_func *at)
{
	uint32_t from = skep_emit_alu(at, SKEP_IR_ADD, GET(at, sp), I(SIGNAL_FP)), pc;
	uint32_t failed = skep_emit_read(at, ADDRESS(at, below), SIGNAL_PC + 8 - SIGNAL_FP, from);

	skep_emit_end_if(at, SKEP_IR_NE, failed, I(0), SKEP_UNWIND_UNREADABLE);
	pc = GET(at, below[(SIGNAL_PC - SIGNAL_FP) / 8]);
	PUT(at, fp, R(GET(at, below[0])));
	PUT(at, base, R(GET(at, below[(SIGNAL_BASE - SIGNAL_FP) / 8])));
	PUT(at, sp, R(GET(at, below[(SIGNAL_SP - SIGNAL_FP) / 8])));
	PUT(at, pc, R(pc));
	PUT(at, back, I(0));
	skep_emit_end_if(at, SKEP_IR_EQ, pc, I(0), SKEP_UNWIND_ROOT);
	skep_ir_exit(at->f, I(0));
}

static uint32_t rule_at(const struct emit_func *at, uint32_t addr)
{
	struct emit_array rules = {at->e->maps->of[SKEP_UNWIND_MAP_RULES], at->e->maps->sizes.rules,
				   sizeof(struct skep_unwind_rule)};

	return skep_emit_element(at, rules, skep_emit_rule(at, addr));
}

/* Leave an interrupted frame of code that is not described by a return address into code that is.
 * Small functions, as those that begin and end a program, have nothing else, or one word below it:
 * by the psABI it lies 8 above a multiple of 16. In line: the calls from here on are as many as
 * may be nested. */
static void leave_bare(const struct emit_func *at)
{
	uint32_t slot = skep_emit_alu(at, SKEP_IR_OR, GET(at, sp), I(8)), pc, call;
	uint32_t none = skep_ir_block(at->f);

	skep_emit_go_if(at, SKEP_IR_EQ, GET(at, back), I(0), none);
	skep_emit_go_if(at, SKEP_IR_EQ, skep_emit_read(at, ADDRESS(at, below), 8, slot), I(0),
			none);
	pc = GET(at, below[0]);
	call = skep_emit_alu(at, SKEP_IR_SUB, pc, I(1));
	CALL(at, at->e->mapping, R(call));
	skep_emit_go_if(at, SKEP_IR_UGE, GET(at, file), I(SKEP_UNWIND_FILE_FIRST), none);
	skep_emit_go_if(at, SKEP_IR_NE, RULE_KIND(at, rule_at(at, call), cfa), I(SKEP_CFA_NONE),
			none);
	PUT(at, sp, R(skep_emit_alu(at, SKEP_IR_ADD, slot, I(8))));
	PUT(at, pc, R(pc));
	PUT(at, back, I(1));
	skep_ir_exit(at->f, I(0));
	skep_ir_at(at->f, none);
	PUT(at, n_bytes, I(0)); /* of the mapping: another one may have been looked up */
}

/* As if code that is not described had a frame pointer; where a thread begins, that is 0. */
static void guess_pointer(const struct emit_func *at)
{
	uint32_t cfa = skep_emit_alu(at, SKEP_IR_ADD, GET(at, fp), I(16)), failed, pc;

	PUT(at, by_pointer, I(1));
	skep_emit_end_if(at, SKEP_IR_EQ, GET(at, fp), I(0), SKEP_UNWIND_ROOT);
	skep_emit_end_if(at, SKEP_IR_ULE, cfa, R(GET(at, sp)), SKEP_UNWIND_NO_RULE);
	failed = skep_emit_read(at, ADDRESS(at, below), 16, GET(at, fp));
	skep_emit_end_if(at, SKEP_IR_NE, failed, I(0), SKEP_UNWIND_NO_RULE);
	pc = GET(at, below[1]);
	PUT(at, fp, R(GET(at, below[0])));
	PUT(at, base, I(0));
	PUT(at, sp, R(cfa));
	PUT(at, pc, R(pc));
	PUT(at, back, I(1));
	skep_emit_end_if(at, SKEP_IR_EQ, pc, I(0), SKEP_UNWIND_ROOT);
	skep_ir_exit(at->f, I(0));
}

/* What returns from a signal ends in a call to the kernel: behind that nothing is described. */
static void go_if_behind_signal(const struct emit_func *at, uint32_t signal)
{
	uint32_t before = skep_emit_alu(at, SKEP_IR_SUB, GET(at, pc), I(1));
	uint32_t other = skep_ir_block(at->f);

	skep_emit_go_if(at, SKEP_IR_EQ, GET(at, back), I(0), other);
	if_kind(at, RULE_KIND(at, rule_at(at, before), cfa), SKEP_CFA_SIGNAL, signal);
	skep_ir_jump(at->f, other);
	skep_ir_at(at->f, other);
}

/* A thread that has not run yet is behind the call to the kernel that made it, which returns 0 to
 * nobody else. With a stack of its own it begins there; without, what called is described. */
static void end_if_new(const struct emit_func *at)
{
	uint32_t made = skep_ir_block(at->f), other = skep_ir_block(at->f);
	uint32_t call = GET(at, regs[PT_ORIG]);

	skep_emit_go_if(at, SKEP_IR_EQ, GET(at, stack.n), I(1), other);
	skep_emit_go_if(at, SKEP_IR_EQ, GET(at, regs[PT_RAX]), I(0), other);
	if_kind(at, call, SYS_clone, made);
	if_kind(at, call, SYS_clone3, made);
	skep_ir_jump(at->f, other);
	skep_ir_at(at->f, made);
	skep_emit_end(at, SKEP_UNWIND_ROOT);
	skep_ir_at(at->f, other);
}

static void guess(const struct emit_func *at)
{
	uint32_t first = skep_ir_block(at->f), go = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, guessed)), I(0), first, go);
	skep_ir_at(at->f, first);
	PUT(at, guessed, R(GET(at, stack.n)));
	skep_ir_jump(at->f, go);
	skep_ir_at(at->f, go);
	leave_bare(at);
	guess_pointer(at);
}

/* The return address is in a register, and the stack may be as high as the caller's. */
static void leave_by_register(const struct emit_func *at, uint32_t rule)
{
	uint32_t index = skep_emit_alu(at, SKEP_IR_SUB, GET(at, stack.n), I(1));
	uint32_t pc = register_of(at, RULE_NUMBER(at, rule, cfa_add), index);
	uint32_t cfa =
		skep_emit_alu(at, SKEP_IR_ADD, GET(at, sp), R(RULE_NUMBER(at, rule, cfa_off)));

	skep_emit_end_if(at, SKEP_IR_ULT, cfa, R(GET(at, sp)), SKEP_UNWIND_STUCK);
	PUT(at, sp, R(cfa));
	PUT(at, pc, R(pc));
	PUT(at, back, I(1));
	skep_emit_end_if(at, SKEP_IR_EQ, pc, I(0), SKEP_UNWIND_ROOT);
	skep_ir_exit(at->f, I(0));
}

struct skep_ir_func *skep_emit_odd(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_odd", 2);
	uint32_t rule = skep_ir_param(at.f, 1), kind = RULE_KIND(&at, rule, cfa);
	uint32_t signal = skep_ir_block(at.f), none = skep_ir_block(at.f);
	uint32_t in_reg = skep_ir_block(at.f);

	if_kind(&at, kind, SKEP_CFA_SIGNAL, signal);
	if_kind(&at, kind, SKEP_CFA_NONE, none);
	if_kind(&at, RULE_KIND(&at, rule, ra), SKEP_CFI_IN_REG, in_reg);
	skep_emit_end_if(&at, SKEP_IR_EQ, RULE_KIND(&at, rule, ra), I(SKEP_CFI_UNDEFINED),
			 SKEP_UNWIND_ROOT);
	skep_emit_end(&at, SKEP_UNWIND_EXPRESSION);
	skep_ir_at(at.f, none);
	go_if_behind_signal(&at, signal);
	end_if_new(&at);
	guess(&at);
	skep_ir_at(at.f, signal);
	leave_signal(&at);
	skep_ir_at(at.f, in_reg);
	leave_by_register(&at, rule);
	return at.f;
}

/* --- The CFA ---------------------------------------------------------------------------------- */

/* What kinds of rules share. Registers: */
struct odd_cfa {
	uint32_t rule, kind, index;
	uint32_t addr;         /* the register's value, with the rule's offset */
	uint32_t deref, plain; /* blocks: it is where the CFA is; it is the CFA */
};

static void set_addr(const struct emit_func *at, const struct odd_cfa *o, uint32_t base)
{
	uint32_t off = RULE_NUMBER(at, o->rule, cfa_off);

	skep_ir_set(at->f, o->addr, R(skep_emit_alu(at, SKEP_IR_ADD, base, R(off))));
}

static void by_register(const struct emit_func *at, const struct odd_cfa *o)
{
	set_addr(at, o, register_of(at, RULE_KIND(at, o->rule, cfa_reg), o->index));
	skep_ir_branch(at->f, SKEP_IR_EQ, R(o->kind), I(SKEP_CFA_REG), o->plain, o->deref);
}

/* An entry of the procedure linkage table pushes a word at its instruction at cfa_add. */
static void in_plt(const struct emit_func *at, const struct odd_cfa *o)
{
	uint32_t in = skep_emit_alu(at, SKEP_IR_AND, GET(at, pc), I(15));
	uint32_t is_behind =
		skep_ir_cmp(at->f, SKEP_IR_UGE, R(in), R(RULE_NUMBER(at, o->rule, cfa_add)));
	uint32_t pushed = skep_emit_alu(at, SKEP_IR_SHL, is_behind, I(3));

	set_addr(at, o, skep_emit_alu(at, SKEP_IR_ADD, GET(at, sp), R(pushed)));
	skep_ir_jump(at->f, o->plain);
}

static void finish_cfa(const struct emit_func *at, const struct odd_cfa *o)
{
	skep_ir_at(at->f, o->deref);
	uint32_t failed = skep_emit_read(at, ADDRESS(at, cfa), 8, o->addr);
	skep_emit_end_if(at, SKEP_IR_NE, failed, I(0), SKEP_UNWIND_UNREADABLE);
	uint32_t add = RULE_NUMBER(at, o->rule, cfa_add);
	PUT(at, cfa, R(skep_emit_alu(at, SKEP_IR_ADD, GET(at, cfa), R(add))));
	skep_ir_exit(at->f, I(0));
	skep_ir_at(at->f, o->plain);
	PUT(at, cfa, R(o->addr));
	skep_ir_exit(at->f, I(0));
}

struct skep_ir_func *skep_emit_odd_cfa(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_cfa", 3);
	struct odd_cfa o = {.rule = skep_ir_param(at.f, 1),
			    .index = skep_ir_param(at.f, 2),
			    .addr = skep_ir_var(at.f),
			    .deref = skep_ir_block(at.f),
			    .plain = skep_ir_block(at.f)};
	uint32_t plt = skep_ir_block(at.f), by_sp = skep_ir_block(at.f);
	uint32_t by_fp = skep_ir_block(at.f), by_reg = skep_ir_block(at.f);

	o.kind = RULE_KIND(&at, o.rule, cfa);
	if_kind(&at, o.kind, SKEP_CFA_PLT, plt);
	if_kind(&at, o.kind, SKEP_CFA_DEREF_SP, by_sp);
	if_kind(&at, o.kind, SKEP_CFA_DEREF_FP, by_fp);
	if_kind(&at, o.kind, SKEP_CFA_REG, by_reg);
	if_kind(&at, o.kind, SKEP_CFA_DEREF_REG, by_reg);
	skep_emit_end_if(&at, SKEP_IR_EQ, o.kind, I(SKEP_CFA_NONE), SKEP_UNWIND_NO_RULE);
	skep_emit_end(&at, SKEP_UNWIND_EXPRESSION);
	skep_ir_at(at.f, plt);
	in_plt(&at, &o);
	skep_ir_at(at.f, by_sp);
	set_addr(&at, &o, GET(&at, sp));
	skep_ir_jump(at.f, o.deref);
	skep_ir_at(at.f, by_fp);
	set_addr(&at, &o, GET(&at, fp));
	skep_ir_jump(at.f, o.deref);
	skep_ir_at(at.f, by_reg);
	by_register(&at, &o);
	finish_cfa(&at, &o);
	return at.f;
}

/* --- What was saved, word by word ------------------------------------------------------------- */

static void read_or_end(const struct emit_func *at, uint32_t to, uint32_t from)
{
	uint32_t failed = skep_emit_read(at, to, 8, from);

	skep_emit_end_if(at, SKEP_IR_NE, failed, I(0), SKEP_UNWIND_UNREADABLE);
}

/* Unchanged, or lost, the frame pointer stays what it is: who needs it will find out. */
struct skep_ir_func *skep_emit_apart(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_apart", 3);
	uint32_t rule = skep_ir_param(at.f, 1), cfa = skep_ir_param(at.f, 2);
	uint32_t place = RULE_KIND(&at, rule, fp), base = skep_ir_var(at.f);
	uint32_t saved = skep_ir_block(at.f);

	read_or_end(&at, ADDRESS(&at, below[BELOW_BYTES / 8 - 1]),
		    skep_emit_alu(&at, SKEP_IR_SUB, cfa, I(8)));
	skep_ir_set(at.f, base, R(cfa));
	if_kind(&at, place, SKEP_CFI_AT_CFA, saved);
	skep_ir_set(at.f, base, R(GET(&at, fp)));
	if_kind(&at, place, SKEP_CFI_AT_FP, saved);
	skep_ir_set(at.f, base, R(GET(&at, sp)));
	if_kind(&at, place, SKEP_CFI_AT_SP, saved);
	skep_ir_exit(at.f, I(0));
	skep_ir_at(at.f, saved);
	uint32_t off = RULE_FP_OFF(&at, rule);
	read_or_end(&at, ADDRESS(&at, fp), skep_emit_alu(&at, SKEP_IR_ADD, base, R(off)));
	skep_ir_exit(at.f, I(0));
	return at.f;
}
