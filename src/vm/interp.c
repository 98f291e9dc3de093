/*
 * The threaded interpreter: fast, and trusting. What it runs was verified, or
 * is run by someone who may do everything the process may.
 *
 * compile() turns each slot into the address of its handler and the operands,
 *
 *	+----------------+-----+-----+---------+-------------+
 *	| handler        | dst | src | off     | imm         |
 *	+----------------+-----+-----+---------+-------------+
 *
 * and a handler ends by jumping to the next one's. There is one handler for
 * each row of isa.def, generated from it with the bodies of semantics.h; some
 * more for pairs (fuse.def); and for jumps backward when a budget is kept:
 * those, calls and entries are where instructions are counted, as nothing else
 * can make a run long.
 *
 * Slots and operations correspond one to one, so displacements stay as they
 * are. A function's callees get a frame each of the stack of this call.
 */
#include <skep/image.h>

#include <errno.h>
#include <stdlib.h>
#include <pthread.h>

#include <skep/map.h>

#include "base/arena.h"
#include "vm/packet.h"
#include "vm/semantics.h"

struct op {
	const void *handler;
	uint8_t dst, src;
	int16_t off;
	int32_t imm;
};

struct skep_code {
	const struct skep_image *image;
	bool budget;
	struct op ops[];
};

/* Rows of isa.def that may jump, and so have a second handler that counts. */
#define EACH_TEST_OF(X, test) X(test##64_IMM) X(test##64_REG) X(test##32_IMM) X(test##32_REG)
#define EACH_TEST(X)                                                                               \
	EACH_TEST_OF(X, JEQ)                                                                       \
	EACH_TEST_OF(X, JGT)                                                                       \
	EACH_TEST_OF(X, JGE)                                                                       \
	EACH_TEST_OF(X, JSET)                                                                      \
	EACH_TEST_OF(X, JNE)                                                                       \
	EACH_TEST_OF(X, JSGT)                                                                      \
	EACH_TEST_OF(X, JSGE)                                                                      \
	EACH_TEST_OF(X, JLT)                                                                       \
	EACH_TEST_OF(X, JLE)                                                                       \
	EACH_TEST_OF(X, JSLT)                                                                      \
	EACH_TEST_OF(X, JSLE)
#define EACH_COUNTED(X) EACH_TEST(X) X(JA) X(JA32) X(MAY_GOTO) X(CALL_LOCAL)

enum handler {
	H_INVALID,
#define INSN(name, ...) H_##name,
#include <skep/isa.def>
#undef INSN
#define COUNTED(name) H_COUNTED_##name,
	EACH_COUNTED(COUNTED)
#undef COUNTED
		H_TAIL_CALL,
#define FUSE(kind, name, ...) H_##kind##_##name,
#include "vm/fuse.def"
#undef FUSE
	N_HANDLERS
};

_Static_assert((int)H_EXIT == (int)SKEP_OP_EXIT, "a row's handler has its number");

/* --- running -------------------------------------------------------------------------------- */

/* What a caller gets back: where it goes on, its r6 to r10, its rounds of may_goto. */
struct frame {
	const struct op *back;
	uint64_t saved[5];
	uint32_t rounds;
};

/* Whether there is budget for what follows, of at most @n instructions. */
static inline bool charge(struct skep_run *run, uint64_t n)
{
	if (!run->budget) {
		run->stop = SKEP_STOP_BUDGET;
		return false;
	}
	run->budget = run->budget > n ? run->budget - n : 0;
	return true;
}

#define NEXT(n)                                                                                    \
	do {                                                                                       \
		p += (n);                                                                          \
		goto * p->handler;                                                                 \
	} while (0)
#define DST(i) uint64_t *d##i = &r[p[i].dst]
#define SRC(i) const uint64_t *s##i = &r[p[i].src]
#define CHARGE(n)                                                                                  \
	do {                                                                                       \
		if (!charge(run, (uint64_t)(n)))                                                   \
			return 0;                                                                  \
	} while (0)

/* Handlers of one row, by its class and operation. */
#define PLAIN(name)                                                                                \
	L_##name:                                                                                  \
	{                                                                                          \
		uint64_t *d = &r[p->dst], *s = &r[p->src];                                         \
		(void)d, (void)s;                                                                  \
		DO_##name(d, s, p);                                                                \
		NEXT(1);                                                                           \
	}
#define TEST(label, name, count)                                                                   \
	label : {                                                                                  \
		const uint64_t *d = &r[p->dst], *s = &r[p->src];                                   \
		(void)s;                                                                           \
		if (IF_##name(d, s, p)) {                                                          \
			count;                                                                     \
			NEXT(1 + p->off);                                                          \
		}                                                                                  \
		NEXT(1);                                                                           \
	}

/* Rows of the pairs and triples: operands are found before anything is written. */
#define BODY_PAIR(label, a, b)                                                                     \
	label : {                                                                                  \
		DST(0);                                                                            \
		SRC(0);                                                                            \
		DST(1);                                                                            \
		SRC(1);                                                                            \
		(void)s0, (void)s1;                                                                \
		DO_##a(d0, s0, &p[0]);                                                             \
		DO_##b(d1, s1, &p[1]);                                                             \
		NEXT(2);                                                                           \
	}
#define BODY_SAME(label, a, b)                                                                     \
	label : {                                                                                  \
		DST(0);                                                                            \
		SRC(0);                                                                            \
		SRC(1);                                                                            \
		uint64_t value = *d0, *v = &value;                                                 \
		(void)s0, (void)s1;                                                                \
		DO_##a(v, s0, &p[0]);                                                              \
		DO_##b(v, s1, &p[1]);                                                              \
		*d0 = value;                                                                       \
		NEXT(2);                                                                           \
	}
#define BODY_LEAP(label, a, j)                                                                     \
	label : {                                                                                  \
		DST(0);                                                                            \
		SRC(0);                                                                            \
		DST(1);                                                                            \
		SRC(1);                                                                            \
		(void)s0, (void)s1;                                                                \
		DO_##a(d0, s0, &p[0]);                                                             \
		NEXT(IF_##j(d1, s1, &p[1]) ? 2 + p[1].off : 2);                                    \
	}
#define BODY_COUNT(label, a, j)                                                                    \
	label : {                                                                                  \
		DST(0);                                                                            \
		SRC(0);                                                                            \
		SRC(1);                                                                            \
		uint64_t value = *d0, *v = &value;                                                 \
		(void)s0, (void)s1;                                                                \
		DO_##a(v, s0, &p[0]);                                                              \
		*d0 = value;                                                                       \
		if (IF_##j(v, s1, &p[1]))                                                          \
			NEXT(2 + p[1].off);                                                        \
		NEXT(2);                                                                           \
	}
#define BODY_SELECT(label, j, a)                                                                   \
	label : {                                                                                  \
		DST(0);                                                                            \
		SRC(0);                                                                            \
		DST(1);                                                                            \
		SRC(1);                                                                            \
		uint64_t keep = IF_##j(d0, s0, &p[0]) ? UINT64_MAX : 0;                            \
		uint64_t value = *d1, *v = &value;                                                 \
		(void)s0, (void)s1;                                                                \
		DO_##a(v, s1, &p[1]);                                                              \
		*d1 = value ^ ((value ^ *d1) & keep);                                              \
		NEXT(2);                                                                           \
	}
#define BODY_BOUND(label, a, b, j)                                                                 \
	label : {                                                                                  \
		DST(0);                                                                            \
		SRC(0);                                                                            \
		SRC(2);                                                                            \
		uint64_t value, *v = &value;                                                       \
		DO_##a(v, s0, &p[0]);                                                              \
		DO_##b(v, s0, &p[1]);                                                              \
		*d0 = value;                                                                       \
		if (IF_##j(v, s2, &p[2]))                                                          \
			NEXT(3 + p[2].off);                                                        \
		NEXT(3);                                                                           \
	}

/* Jumps that always go, and the one that counts rounds. */
#define GOTO(label, count, delta)                                                                  \
	label:                                                                                     \
	count;                                                                                     \
	NEXT(1 + (delta));
#define ROUND(label, count)                                                                        \
	label:                                                                                     \
	if (!rounds) {                                                                             \
		count;                                                                             \
		NEXT(1 + p->off);                                                                  \
	}                                                                                          \
	rounds--;                                                                                  \
	NEXT(1);

/* Calls. A helper may have stopped the run; r1 to r5 keep what they held, as unverified code may
 * look. */
#define CALL_OUT(name)                                                                             \
	L_##name : r[0] = code->image->calls[p->imm]->call(r[1], r[2], r[3], r[4], r[5], run);     \
	if (run->stop)                                                                             \
		return 0;                                                                          \
	NEXT(1);
#define CALL_IN(label, count)                                                                      \
	label : {                                                                                  \
		count;                                                                             \
		struct frame *f = &frames[depth++];                                                \
		*f = (struct frame){p + 1, {r[6], r[7], r[8], r[9], r[10]}, rounds};               \
		r[10] = (uintptr_t)(stacks[depth] + SKEP_STACK_BYTES);                             \
		rounds = SKEP_MAY_GOTO_ROUNDS;                                                     \
		run->depth++;                                                                      \
		NEXT(1 + p->imm);                                                                  \
	}
#define RETURN()                                                                                   \
	do {                                                                                       \
		if (!depth)                                                                        \
			return r[0];                                                               \
		const struct frame *f = &frames[--depth];                                          \
		__builtin_memcpy(&r[6], f->saved, sizeof(f->saved));                               \
		rounds = f->rounds;                                                                \
		p = f->back;                                                                       \
		run->depth--;                                                                      \
		goto * p->handler;                                                                 \
	} while (0)
#define BYTES_B 1
#define BYTES_H 2
#define BYTES_W 4
#define PACKET(name, arg, at)                                                                      \
	L_##name : if (!skep_vm_load_packet(run, (int32_t)(at), BYTES_##arg, &r[0]))               \
	{                                                                                          \
		r[0] = 0;                                                                          \
		RETURN();                                                                          \
	}                                                                                          \
	NEXT(1);

#define ROW_LD_DW(name, arg)                                                                       \
	L_##name : r[p->dst] = (uint64_t)(uint32_t)p[1].imm << 32 | (uint32_t)p->imm;              \
	NEXT(2);
#define ROW_LD_ABS(name, arg)     PACKET(name, arg, p->imm)
#define ROW_LD_IND(name, arg)     PACKET(name, arg, (uint32_t)r[p->src] + (uint32_t)p->imm)
#define ROW_ALU64_ADD(name, arg)  PLAIN(name)
#define ROW_ALU64_SUB(name, arg)  PLAIN(name)
#define ROW_ALU64_MUL(name, arg)  PLAIN(name)
#define ROW_ALU64_DIV(name, arg)  PLAIN(name)
#define ROW_ALU64_OR(name, arg)   PLAIN(name)
#define ROW_ALU64_AND(name, arg)  PLAIN(name)
#define ROW_ALU64_LSH(name, arg)  PLAIN(name)
#define ROW_ALU64_RSH(name, arg)  PLAIN(name)
#define ROW_ALU64_NEG(name, arg)  PLAIN(name)
#define ROW_ALU64_MOD(name, arg)  PLAIN(name)
#define ROW_ALU64_XOR(name, arg)  PLAIN(name)
#define ROW_ALU64_MOV(name, arg)  PLAIN(name)
#define ROW_ALU64_ARSH(name, arg) PLAIN(name)
#define ROW_ALU64_END(name, arg)  PLAIN(name)
#define ROW_ALU_ADD(name, arg)    PLAIN(name)
#define ROW_ALU_SUB(name, arg)    PLAIN(name)
#define ROW_ALU_MUL(name, arg)    PLAIN(name)
#define ROW_ALU_DIV(name, arg)    PLAIN(name)
#define ROW_ALU_OR(name, arg)     PLAIN(name)
#define ROW_ALU_AND(name, arg)    PLAIN(name)
#define ROW_ALU_LSH(name, arg)    PLAIN(name)
#define ROW_ALU_RSH(name, arg)    PLAIN(name)
#define ROW_ALU_NEG(name, arg)    PLAIN(name)
#define ROW_ALU_MOD(name, arg)    PLAIN(name)
#define ROW_ALU_XOR(name, arg)    PLAIN(name)
#define ROW_ALU_MOV(name, arg)    PLAIN(name)
#define ROW_ALU_ARSH(name, arg)   PLAIN(name)
#define ROW_ALU_END(name, arg)    PLAIN(name)
#define ROW_LDX_MEM(name, arg)    PLAIN(name)
#define ROW_LDX_MEMSX(name, arg)  PLAIN(name)
#define ROW_ST_MEM(name, arg)     PLAIN(name)
#define ROW_STX_MEM(name, arg)    PLAIN(name)
#define ROW_STX_ATOMIC(name, arg) PLAIN(name)
#define ROW_JMP_JEQ(name, arg)    TEST(L_##name, name, )
#define ROW_JMP_JGT(name, arg)    TEST(L_##name, name, )
#define ROW_JMP_JGE(name, arg)    TEST(L_##name, name, )
#define ROW_JMP_JSET(name, arg)   TEST(L_##name, name, )
#define ROW_JMP_JNE(name, arg)    TEST(L_##name, name, )
#define ROW_JMP_JSGT(name, arg)   TEST(L_##name, name, )
#define ROW_JMP_JSGE(name, arg)   TEST(L_##name, name, )
#define ROW_JMP_JLT(name, arg)    TEST(L_##name, name, )
#define ROW_JMP_JLE(name, arg)    TEST(L_##name, name, )
#define ROW_JMP_JSLT(name, arg)   TEST(L_##name, name, )
#define ROW_JMP_JSLE(name, arg)   TEST(L_##name, name, )
#define ROW_JMP32_JEQ(name, arg)  TEST(L_##name, name, )
#define ROW_JMP32_JGT(name, arg)  TEST(L_##name, name, )
#define ROW_JMP32_JGE(name, arg)  TEST(L_##name, name, )
#define ROW_JMP32_JSET(name, arg) TEST(L_##name, name, )
#define ROW_JMP32_JNE(name, arg)  TEST(L_##name, name, )
#define ROW_JMP32_JSGT(name, arg) TEST(L_##name, name, )
#define ROW_JMP32_JSGE(name, arg) TEST(L_##name, name, )
#define ROW_JMP32_JLT(name, arg)  TEST(L_##name, name, )
#define ROW_JMP32_JLE(name, arg)  TEST(L_##name, name, )
#define ROW_JMP32_JSLT(name, arg) TEST(L_##name, name, )
#define ROW_JMP32_JSLE(name, arg) TEST(L_##name, name, )
#define ROW_JMP_JA(name, arg)     GOTO(L_##name, , p->off)
#define ROW_JMP32_JA(name, arg)   GOTO(L_##name, , p->imm)
#define ROW_JMP_JCOND(name, arg)  ROUND(L_##name, )
#define ROW_JMP_CALL(name, arg)   ROW_##name(name)
#define ROW_CALL_HELPER(name)     CALL_OUT(name)
#define ROW_CALL_KFUNC(name)      CALL_OUT(name)
#define ROW_CALL_LOCAL(name)      CALL_IN(L_##name, )
#define ROW_JMP_EXIT(name, arg)   L_##name : RETURN();

#define COUNTED_TEST(name)        TEST(L_COUNTED_##name, name, CHARGE(-p->off))

/*
 * With @ret_handlers only the handlers' addresses are given out. Sanitizers would look at every
 * access of every handler, to find what the programs do, not us, and take minutes to compile it.
 */
#ifdef __clang__
__attribute__((no_sanitize("address", "undefined", "coverage")))
#else
__attribute__((no_sanitize("address,undefined")))
#endif
static uint64_t
execute(const struct skep_code *code, const struct op *p, const uint64_t args[5],
	struct skep_run *run, const void *const **ret_handlers)
{
	static const void *const handlers[N_HANDLERS] = {
		&&L_INVALID,
#define INSN(name, ...) &&L_##name,
#include <skep/isa.def>
#undef INSN
#define COUNTED(name) &&L_COUNTED_##name,
		EACH_COUNTED(COUNTED)
#undef COUNTED
			[H_TAIL_CALL] = &&L_TAIL_CALL,
#define FUSE(kind, name, ...) [H_##kind##_##name] = &&L_##kind##_##name,
#include "vm/fuse.def"
#undef FUSE
	};
	uint64_t r[SKEP_N_REGS] = {0};
	_Alignas(16) uint8_t stacks[SKEP_MOST_FRAMES][SKEP_STACK_BYTES];
	struct frame frames[SKEP_MOST_FRAMES];
	uint32_t depth = 0, rounds = SKEP_MAY_GOTO_ROUNDS;

	if (ret_handlers) {
		*ret_handlers = handlers;
		return 0;
	}
	const struct skep_map *arena = code->image->arena;
	__builtin_memcpy(&r[1], args, 5 * sizeof(r[0]));
	r[10] = (uintptr_t)(stacks[0] + SKEP_STACK_BYTES);
	goto * p->handler;

#define INSN(name, class, op, arg, ...) ROW_##class##_##op(name, arg)
#include <skep/isa.def>
#undef INSN
#define FUSE(kind, name, ...) BODY_##kind(L_##kind##_##name, __VA_ARGS__)
#include "vm/fuse.def"
#undef FUSE
	EACH_TEST(COUNTED_TEST)
	GOTO(L_COUNTED_JA, CHARGE(-p->off), p->off)
	GOTO(L_COUNTED_JA32, CHARGE(-(int64_t)p->imm), p->imm)
	ROUND(L_COUNTED_MAY_GOTO, CHARGE(-p->off))
	CALL_IN(L_COUNTED_CALL_LOCAL, CHARGE(p->off))
L_TAIL_CALL:
	if (skep_run_tail_call(run, (void *)(uintptr_t)r[1], (void *)(uintptr_t)r[2], r[3], &r[0]))
		RETURN();
	NEXT(1);
L_INVALID:
	return 0;
}

/* --- compiling ------------------------------------------------------------------------------ */

enum fuse_kind { FUSE_PAIR, FUSE_SAME, FUSE_LEAP, FUSE_COUNT, FUSE_SELECT, FUSE_BOUND };

struct fused {
	uint8_t kind, ops[3];   /* ops[2] 0: two instructions */
	uint16_t handler, next; /* next: with the same first instruction; 0: none */
};

/* Row 0 is no row, so that 0 can say "none". */
static struct fused fused[] = {
	{0},
#define OPS_PAIR(a, b)        SKEP_OP_##a, SKEP_OP_##b
#define OPS_SAME(a, b)        SKEP_OP_##a, SKEP_OP_##b
#define OPS_LEAP(a, b)        SKEP_OP_##a, SKEP_OP_##b
#define OPS_COUNT(a, b)       SKEP_OP_##a, SKEP_OP_##b
#define OPS_SELECT(a, b)      SKEP_OP_##a, SKEP_OP_##b
#define OPS_BOUND(a, b, j)    SKEP_OP_##a, SKEP_OP_##b, SKEP_OP_##j
#define FUSE(kind, name, ...) {FUSE_##kind, {OPS_##kind(__VA_ARGS__)}, H_##kind##_##name, 0},
#include "vm/fuse.def"
#undef FUSE
};
static uint16_t fused_first[SKEP_OP_CNT];
static const void *const *handlers;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void prepare(void)
{
	execute(NULL, NULL, NULL, NULL, &handlers);
	for (size_t i = 1; i < sizeof(fused) / sizeof(fused[0]); i++) {
		uint16_t *first = &fused_first[fused[i].ops[0]];
		fused[i].next = *first;
		*first = (uint16_t)i;
	}
}

/* Both write one register, and @b (arithmetic or a jump) takes it from nowhere else. */
static bool is_same(const struct skep_insn *a, const struct skep_insn *b)
{
	return a->dst == b->dst && (!(b->code & SKEP_X) || a->dst != b->src);
}

/* Do the instructions at @at fit the row? What they are is known to fit. */
static bool operands_fit(const struct fused *row, const struct skep_insn *insns, bool budget)
{
	switch ((enum fuse_kind)row->kind) {
	case FUSE_PAIR: return true;
	case FUSE_SAME: return is_same(&insns[0], &insns[1]);
	case FUSE_LEAP: return !budget || insns[1].off >= 0;
	case FUSE_COUNT: return is_same(&insns[0], &insns[1]) && (!budget || insns[1].off >= 0);
	case FUSE_SELECT: return insns[0].off == 1;
	case FUSE_BOUND:
		return is_same(&insns[0], &insns[1]) && is_same(&insns[0], &insns[2]) &&
		       (!budget || insns[2].off >= 0);
	}
	return false;
}

/* The best row for what begins at @at; rows that say more win. 0: none. */
static const struct fused *fuse(const struct skep_code *code, uint32_t at)
{
	const struct skep_image *image = code->image;
	const uint16_t *ops = &image->ops[at];
	const struct fused *best = NULL;

	for (uint16_t i = fused_first[ops[0]]; i; i = fused[i].next) {
		const struct fused *row = &fused[i];
		unsigned n = row->ops[2] ? 3 : 2;
		if (at + n > image->n_insns || row->ops[1] != ops[1] ||
		    (n == 3 && row->ops[2] != ops[2]))
			continue;
		if (operands_fit(row, &image->insns[at], code->budget) &&
		    (!best || row->kind > best->kind))
			best = row;
	}
	return best;
}

static enum handler counted(uint16_t op)
{
	switch (op) {
#define COUNTED(name)                                                                              \
	case SKEP_OP_##name: return H_COUNTED_##name;
		EACH_COUNTED(COUNTED)
#undef COUNTED
	default: return H_INVALID;
	}
}

static bool is_backward(uint16_t op, const struct skep_insn *insn)
{
	return (op == SKEP_OP_JA32 ? insn->imm : insn->off) < 0;
}

static enum handler handler_of(const struct skep_code *code, uint32_t at)
{
	const struct skep_image *image = code->image;
	const struct skep_insn *insn = &image->insns[at];
	uint16_t op = image->ops[at];

	if (op == SKEP_OP_CALL_HELPER && (uint32_t)insn->imm == image->tail_call)
		return H_TAIL_CALL;
	if (code->budget && (op == SKEP_OP_CALL_LOCAL || is_backward(op, insn)) &&
	    counted(op) != H_INVALID)
		return counted(op);
	const struct fused *row = fuse(code, at);
	return row ? (enum handler)row->handler : (enum handler)op;
}

/* The length of the function that a local call goes to, as far as 15 bits hold it. */
static int16_t callee_insns(const struct skep_image *image, uint32_t start)
{
	for (uint32_t i = 0; i < image->n_funcs; i++) {
		uint32_t n = image->funcs[i].end - image->funcs[i].start;
		if (image->funcs[i].start == start)
			return n < INT16_MAX ? (int16_t)n : INT16_MAX;
	}
	return 1;
}

static int compile(const struct skep_image *image, const struct skep_exec_opts *opts,
		   struct skep_code **ret)
{
	struct skep_code *code =
		skep_xcalloc(1, sizeof(*code) + image->n_insns * sizeof(code->ops[0]));

	pthread_once(&prepared, prepare);
	code->image = image;
	code->budget = opts && opts->budget;
	for (uint32_t at = 0; at < image->n_insns; at++) {
		const struct skep_insn *insn = &image->insns[at];
		struct op *op = &code->ops[at];
		*op = (struct op){NULL, insn->dst, insn->src, insn->off, insn->imm};
		op->handler = handlers[handler_of(code, at)];
		if (image->ops[at] == SKEP_OP_CALL_LOCAL)
			op->off = callee_insns(image, at + 1 + (uint32_t)insn->imm);
	}
	*ret = code;
	return 0;
}

static uint64_t call(const struct skep_program *program, uint32_t func, const uint64_t args[5],
		     struct skep_run *run)
{
	const struct skep_code *code = program->code;
	const struct skep_image_func *f = &code->image->funcs[func];

	if (code->budget && !charge(run, f->end - f->start))
		return 0;
	return execute(code, &code->ops[f->start], args, run, NULL);
}

static uint64_t enter_main(const struct skep_program *program, void *ctx, struct skep_run *run)
{
	return call(program, 0, (uint64_t[5]){(uintptr_t)ctx}, run);
}

static void free_code(struct skep_code *code)
{
	free(code);
}

const struct skep_exec skep_exec_interp = {"interp", compile, call, free_code, enter_main};
