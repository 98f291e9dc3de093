/* Walking up a stack by unwind tables, see walk.h. */
#include "unwind/walk.h"

#include <stdbool.h>

#include "unwind/table.h"

/* Where the kernel's struct ucontext keeps registers, from the stack pointer of a signal frame on
 * x86-64: rbp, rbx, rsp, rip. */
#define SIGNAL_FP   120
#define SIGNAL_BASE 128
#define SIGNAL_SP   160
#define SIGNAL_PC   168

struct walk {
	const struct skep_unwind_process *process;
	struct skep_unwind_regs regs;
	bool is_exact;    /* pc is where it was interrupted, no return address */
	uint32_t n;       /* frames so far, */
	uint32_t guessed; /* and how many before one was left for want of a rule; 0: all had one */
	bool by_pointer;  /* a frame pointer was followed then */
	enum skep_unwind_end end;
};

const char *skep_unwind_end_words(enum skep_unwind_end end)
{
	static const char *const words[] = {
#define UNWIND_END(name, text) [SKEP_UNWIND_##name] = text,
#include "unwind/ends.def"
#undef UNWIND_END
	};

	return end < SKEP_UNWIND_END_CNT ? words[end] : "";
}

static bool ends(struct walk *walk, enum skep_unwind_end end)
{
	walk->end = end;
	return false;
}

static bool read_word(struct walk *walk, uint64_t addr, uint64_t *ret)
{
	if (!walk->process->read(walk->process->ctx, addr, ret, sizeof(*ret)))
		return true;
	return ends(walk, SKEP_UNWIND_UNREADABLE);
}

/* What lies at a register's value and the rule's offset, and what that adds. */
static bool deref(struct walk *walk, const struct skep_unwind_rule *rule, uint64_t base,
		  uint64_t *ret)
{
	if (!read_word(walk, base + (uint64_t)(int64_t)rule->cfa_off, ret))
		return false;
	*ret += (uint64_t)(int64_t)rule->cfa_add;
	return true;
}

/* Any register: of callers only one is followed. */
static bool register_of(struct walk *walk, uint32_t reg, uint64_t *ret)
{
	bool is_base = reg == SKEP_UNWIND_REG_BASE;

	if (is_base ? !walk->regs.base : !walk->regs.all || reg >= SKEP_UNWIND_REGS_CNT)
		return ends(walk, SKEP_UNWIND_REGISTER);
	*ret = is_base ? walk->regs.base : walk->regs.all[reg];
	return true;
}

static bool by_register(struct walk *walk, const struct skep_unwind_rule *rule, uint64_t *ret)
{
	uint64_t base;

	if (!register_of(walk, rule->cfa_reg, &base))
		return false;
	if (rule->cfa == SKEP_CFA_DEREF_REG)
		return deref(walk, rule, base, ret);
	*ret = base + (uint64_t)(int64_t)rule->cfa_off;
	return true;
}

static bool find_cfa(struct walk *walk, const struct skep_unwind_rule *rule, uint64_t *ret)
{
	const struct skep_unwind_regs *regs = &walk->regs;
	uint64_t off = (uint64_t)(int64_t)rule->cfa_off, add = (uint64_t)(int64_t)rule->cfa_add;

	switch (rule->cfa) {
	case SKEP_CFA_SP: *ret = regs->sp + off; return true;
	case SKEP_CFA_FP: *ret = regs->fp + off; return true;
	case SKEP_CFA_PLT: *ret = regs->sp + off + ((regs->pc & 15) >= add ? 8 : 0); return true;
	case SKEP_CFA_DEREF_SP: return deref(walk, rule, regs->sp, ret);
	case SKEP_CFA_DEREF_FP: return deref(walk, rule, regs->fp, ret);
	case SKEP_CFA_REG:
	case SKEP_CFA_DEREF_REG: return by_register(walk, rule, ret);
	default: return ends(walk, SKEP_UNWIND_EXPRESSION);
	}
}

static bool find_fp(struct walk *walk, const struct skep_unwind_rule *rule, uint64_t cfa,
		    uint64_t *ret)
{
	uint64_t off = (uint64_t)(int64_t)rule->fp_off;

	*ret = walk->regs.fp;
	switch (rule->fp) {
	case SKEP_CFI_AT_CFA: return read_word(walk, cfa + off, ret);
	case SKEP_CFI_AT_FP: return read_word(walk, walk->regs.fp + off, ret);
	case SKEP_CFI_AT_SP: return read_word(walk, walk->regs.sp + off, ret);
	default: return true; /* unchanged, or lost: what needs it will be found unreadable */
	}
}

static uint64_t base_at(const struct walk *walk, const struct skep_unwind_rule *rule, uint64_t cfa)
{
	uint64_t base;

	if (!rule->base)
		return walk->regs.base;
	if (rule->base > SKEP_CFI_BASE_MOST ||
	    walk->process->read(walk->process->ctx, cfa - 8u * rule->base, &base, sizeof(base)))
		return 0;
	return base;
}

/* All registers of what a signal interrupted. */
static bool leave_signal(struct walk *walk)
{
	struct skep_unwind_regs regs = walk->regs;

	if (!read_word(walk, walk->regs.sp + SIGNAL_FP, &regs.fp) ||
	    !read_word(walk, walk->regs.sp + SIGNAL_BASE, &regs.base) ||
	    !read_word(walk, walk->regs.sp + SIGNAL_PC, &regs.pc) ||
	    !read_word(walk, walk->regs.sp + SIGNAL_SP, &regs.sp))
		return false;
	regs.all = NULL;
	regs.is_new = false;
	walk->regs = regs;
	walk->is_exact = true;
	return true;
}

/* Small functions, as those that begin and end a program, have nothing but a return address, or one
 * word below it: by the psABI it lies 8 above a multiple of 16. It is to lead to code that is
 * described. */
static bool leave_bare(struct walk *walk)
{
	struct skep_unwind_regs regs = {
		.sp = (walk->regs.sp | 8) + 8, .fp = walk->regs.fp, .base = walk->regs.base};
	const struct skep_unwind_process *process = walk->process;
	const struct skep_unwind_table *table = NULL;
	uint64_t bias;

	if (!walk->is_exact)
		return false;
	if (!process->read(process->ctx, regs.sp - 8, &regs.pc, sizeof(regs.pc)))
		table = process->table(process->ctx, regs.pc - 1, &bias);
	if (!table || !table->n_pages ||
	    skep_unwind_table_find(table, regs.pc - 1 - bias)->cfa == SKEP_CFA_NONE)
		return false;
	walk->regs = regs;
	walk->is_exact = false;
	return true;
}

/* As if the code had a frame pointer. It is 0 where a thread begins, which is what the psABI wants
 * and all that the loader's first code, written by hand, tells of being it. */
static bool guess_pointer(struct walk *walk)
{
	struct skep_unwind_regs regs = {.sp = walk->regs.fp + 16};

	walk->by_pointer = true;
	if (!walk->regs.fp)
		return ends(walk, SKEP_UNWIND_ROOT);
	if (regs.sp <= walk->regs.sp || !read_word(walk, walk->regs.fp, &regs.fp) ||
	    !read_word(walk, walk->regs.fp + 8, &regs.pc))
		return ends(walk, SKEP_UNWIND_NO_RULE);
	walk->regs = regs;
	walk->is_exact = false;
	return true;
}

static bool guess(struct walk *walk)
{
	if (!walk->guessed)
		walk->guessed = walk->n;
	return leave_bare(walk) || guess_pointer(walk);
}

/* The return address is in a register, and the stack may be as high as the caller's. */
static bool leave_by_register(struct walk *walk, const struct skep_unwind_rule *rule)
{
	struct skep_unwind_regs regs = {.sp = walk->regs.sp + (uint64_t)(int64_t)rule->cfa_off,
					.fp = walk->regs.fp,
					.base = walk->regs.base};

	if (!register_of(walk, (uint32_t)rule->cfa_add, &regs.pc))
		return false;
	if (regs.sp < walk->regs.sp)
		return ends(walk, SKEP_UNWIND_STUCK);
	walk->regs = regs;
	walk->is_exact = false;
	return true;
}

/* To the caller. A frame that does not lie above this one would lead in circles. */
static bool leave(struct walk *walk, const struct skep_unwind_rule *rule)
{
	struct skep_unwind_regs regs = {0};

	if (rule->cfa == SKEP_CFA_SIGNAL)
		return leave_signal(walk);
	if (rule->cfa == SKEP_CFA_NONE)
		return walk->regs.is_new ? ends(walk, SKEP_UNWIND_ROOT) : guess(walk);
	if (rule->ra == SKEP_CFI_UNDEFINED)
		return ends(walk, SKEP_UNWIND_ROOT);
	if (rule->ra == SKEP_CFI_IN_REG)
		return leave_by_register(walk, rule);
	if (rule->ra != SKEP_CFI_AT_CFA)
		return ends(walk, SKEP_UNWIND_EXPRESSION);
	if (!find_cfa(walk, rule, &regs.sp) || !find_fp(walk, rule, regs.sp, &regs.fp) ||
	    !read_word(walk, regs.sp - 8, &regs.pc))
		return false;
	if (regs.sp <= walk->regs.sp)
		return ends(walk, SKEP_UNWIND_STUCK);
	regs.base = base_at(walk, rule, regs.sp);
	walk->regs = regs;
	walk->is_exact = false;
	return true;
}

/* A return address may be the first behind a function that ends in a call: so it is the call that
 * is looked up. What returns from a signal ends in a call to the kernel. */
static bool step(struct walk *walk)
{
	uint64_t pc = walk->regs.pc - !walk->is_exact, bias;
	const struct skep_unwind_table *table;
	const struct skep_unwind_rule *rule, *before;

	if (!walk->regs.pc)
		return ends(walk, SKEP_UNWIND_ROOT);
	table = walk->process->table(walk->process->ctx, pc, &bias);
	if (!table)
		return ends(walk, SKEP_UNWIND_UNMAPPED);
	rule = skep_unwind_table_find(table, pc - bias);
	before = skep_unwind_table_find(table, pc - 1 - bias);
	if (walk->is_exact && rule->cfa == SKEP_CFA_NONE && before->cfa == SKEP_CFA_SIGNAL)
		rule = before;
	return leave(walk, rule);
}

/* Was it a good one? What still waits for a table cannot be told yet. Frame pointers may have left
 * out some frames; a return address that all the others agree with has not. */
static void judge_guess(struct walk *walk)
{
	if (walk->end == SKEP_UNWIND_ROOT) {
		walk->end = walk->by_pointer ? SKEP_UNWIND_GUESSED : SKEP_UNWIND_ROOT;
	} else if (walk->end != SKEP_UNWIND_FULL && walk->end != SKEP_UNWIND_ASKED) {
		walk->end = SKEP_UNWIND_NO_RULE;
		walk->n = walk->guessed;
	}
}

uint32_t skep_unwind_walk(const struct skep_unwind_process *process, struct skep_unwind_regs regs,
			  uint64_t *ret_pcs, uint32_t max, enum skep_unwind_end *ret_end)
{
	struct walk walk = {.process = process, .regs = regs, .is_exact = true};

	if (regs.all)
		walk.regs.base = regs.all[SKEP_UNWIND_REG_BASE];
	walk.end = SKEP_UNWIND_FULL;
	while (walk.n < max) {
		ret_pcs[walk.n++] = walk.regs.pc;
		if (!step(&walk))
			break;
		if (!walk.regs.pc) { /* how some programs mark their first frame */
			walk.end = SKEP_UNWIND_ROOT;
			break;
		}
	}
	if (walk.guessed)
		judge_guess(&walk);
	*ret_end = walk.end;
	return walk.n;
}
