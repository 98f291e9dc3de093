/* The chain of an interpreter's frames, followed in the kernel; see program.h. */
#include "interp/program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

#include "interp/keep.h"

#define FRESH_BYTES (64 * 1024)
#define HASH_FACTOR 0x9e3779b97f4a7c15ull
#define INDEX_MASK  255
#define RAW_MASK    (SKEP_INTERP_RAW_BYTES - 1)
#define AT_MASK     INT32_MAX
_Static_assert((RAW_MASK & (RAW_MASK + 1)) == 0, "one less than a power of two");
_Static_assert(SKEP_INTERP_FRAMES_MOST <= INDEX_MASK + 1, "a masked index is behind none of them");

/* Of glibc's struct pthread, on x86-64 since 2.4: the first 32 thread-specific data, each with a
 * number of its own before it. */
#define SPECIFIC_OFF   0x310
#define SPECIFIC_BYTES 16
#define SPECIFIC_CNT   32
/* And its table of threads' variables: a pair of words for each module that has any. */
#define TABLE_OFF  8
#define PAIR_SHIFT 4

/* All that is known while the chain is followed, in memory of the program's own of which the
 * verifier remembers nothing: so each frame looks the same to it. */
struct chain {
	uint64_t frame;
	uint64_t word; /* read last */
	uint64_t thread;
	uint64_t hash;
	uint64_t limit;         /* where a stack of frames ends */
	uint64_t cop, contexts; /* of Perl: the statement, where the contexts of the stack lie, */
	uint32_t sub;           /* and the index of the next one that is a frame */
	uint32_t is_starting;
	uint32_t key; /* the stack's number */
	uint32_t unused;
	struct skep_interp_fresh fresh;
	struct skep_interp_runtime runtime;
	uint8_t raw[SKEP_INTERP_RAW_BYTES + 8];
	uint64_t object[SKEP_INTERP_CHECK_WORDS];
	struct skep_interp_stack stack;
	struct skep_interp_frame behind[INDEX_MASK + 1 - SKEP_INTERP_FRAMES_MOST];
};
_Static_assert(offsetof(struct chain, behind) ==
		       offsetof(struct chain, stack) + sizeof(struct skep_interp_stack),
	       "what is behind the last frame");

struct func {
	struct skep_ir_func *f;
	uint32_t c; /* the register that has the chain's address */
};

#define FIELD(field)   (int32_t) offsetof(struct chain, field)
#define BYTES(field)   (uint32_t)sizeof(((struct chain *)0)->field)
#define GET(at, field) skep_ir_load((at)->f, BYTES(field), R((at)->c), FIELD(field))
#define PUT(at, field, value)                                                                      \
	skep_ir_store((at)->f, BYTES(field), R((at)->c), FIELD(field), (value))
#define ADDRESS(at, field) skep_ir_addr((at)->f, R((at)->c), FIELD(field))

static uint32_t alu(const struct func *at, enum skep_ir_alu op, uint32_t a, struct skep_opnd b)
{
	return skep_ir_alu(at->f, op, R(a), b);
}

/* Go to @cold where the condition holds, on where it does not. */
static void leave_if(const struct func *at, enum skep_ir_cond cond, uint32_t a, struct skep_opnd b,
		     uint32_t cold)
{
	skep_ir_branch_cold(at->f, cond, R(a), b, cold);
}

/* The word at @from of the process; to @failed where it cannot be read. */
static uint32_t read_word(const struct func *at, uint32_t from, uint32_t failed)
{
	uint32_t err =
		skep_ir_calln(at->f, BPF_FUNC_probe_read_user, R(ADDRESS(at, word)), I(8), R(from));

	leave_if(at, SKEP_IR_NE, err, I(0), failed);
	return GET(at, word);
}

/* The same at an offset that a field of the runtime says. */
#define READ(at, base, field, failed)                                                              \
	read_word(at, alu(at, SKEP_IR_ADD, base, R(GET(at, runtime.field))), failed)

/* --- The thread's state ----------------------------------------------------------------------- */

/* To @other where @state is not that of this thread. */
static void leave_if_not_own(const struct func *at, uint32_t state, uint32_t other)
{
	leave_if(at, SKEP_IR_EQ, state, I(0), other);
	leave_if(at, SKEP_IR_NE, READ(at, state, thread_id, other), R(GET(at, thread)), other);
}

static void take_current(const struct func *at, uint32_t base, uint32_t ret_state, uint32_t other)
{
	leave_if(at, SKEP_IR_EQ, GET(at, runtime.current), I(0), other);
	skep_ir_set(at->f, ret_state, R(READ(at, base, current, other)));
	leave_if_not_own(at, ret_state, other);
}

/* The thread's own data of this number. */
static uint32_t read_specific(const struct func *at, uint32_t number, uint32_t none)
{
	uint32_t off = alu(at, SKEP_IR_MUL, number, I(SPECIFIC_BYTES));

	leave_if(at, SKEP_IR_UGE, number, I(SPECIFIC_CNT), none);
	off = alu(at, SKEP_IR_ADD, off, I(SPECIFIC_OFF + 8));
	return read_word(at, alu(at, SKEP_IR_ADD, GET(at, thread), R(off)), none);
}

/* A key is whether it was made, and a number, 32 bits each. */
static void take_specific(const struct func *at, uint32_t base, uint32_t ret_state, uint32_t none)
{
	uint32_t key = READ(at, base, key, none), number = alu(at, SKEP_IR_SHR, key, I(32));

	leave_if(at, SKEP_IR_EQ, alu(at, SKEP_IR_AND, key, I(UINT32_MAX)), I(0), none);
	skep_ir_set(at->f, ret_state, R(read_specific(at, number, none)));
	leave_if_not_own(at, ret_state, none);
}

/* What a thread has not used yet is not there: nor are frames. */
static void take_variable(const struct func *at, uint32_t base, uint32_t ret_state, uint32_t none)
{
	uint32_t module = read_word(at, base, none),
		 pair = alu(at, SKEP_IR_SHL, module, I(PAIR_SHIFT));
	uint32_t table = read_word(at, alu(at, SKEP_IR_ADD, GET(at, thread), I(TABLE_OFF)), none);
	uint32_t block = read_word(at, alu(at, SKEP_IR_ADD, table, R(pair)), none);

	skep_ir_set(at->f, ret_state, R(READ(at, block, key, none)));
}

static uint32_t find_state(const struct func *at, uint32_t base, uint32_t none)
{
	uint32_t state = skep_ir_var(at->f), other = skep_ir_block(at->f);
	uint32_t found = skep_ir_block(at->f), by_key = skep_ir_block(at->f);
	uint32_t by_tls = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, runtime.way)), I(SKEP_INTERP_BY_TLS), by_tls,
		       by_key);
	skep_ir_at(at->f, by_tls);
	take_variable(at, base, state, none);
	skep_ir_jump(at->f, found);
	skep_ir_at(at->f, by_key);
	take_current(at, base, state, other);
	skep_ir_jump(at->f, found);
	skep_ir_at(at->f, other);
	take_specific(at, base, state, none);
	skep_ir_jump(at->f, found);
	skep_ir_at(at->f, found);
	return state;
}

/* The frame that is the outermost has nothing but its place. */
static void find_limit(const struct func *at, uint32_t state, uint32_t none)
{
	uint32_t stack = skep_ir_block(at->f), done = skep_ir_block(at->f), at_stack, start, size;

	PUT(at, limit, I(-1));
	skep_ir_branch(at->f, SKEP_IR_NE, R(GET(at, runtime.stack)), I(SKEP_INTERP_NO_OFF), stack,
		       done);
	skep_ir_at(at->f, stack);
	at_stack = alu(at, SKEP_IR_ADD, state, R(GET(at, runtime.stack)));
	start = skep_ir_mov(at->f, R(read_word(at, at_stack, none)));
	size = read_word(at, alu(at, SKEP_IR_ADD, at_stack, I(8)), none);
	start = alu(at, SKEP_IR_ADD, start, R(alu(at, SKEP_IR_SHL, size, I(3))));
	PUT(at, limit, R(alu(at, SKEP_IR_SUB, start, R(GET(at, runtime.bytes)))));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

static void follow_inner(const struct func *at, uint32_t frame, uint32_t none)
{
	uint32_t further = skep_ir_block(at->f), found = skep_ir_block(at->f);
	uint32_t inner = GET(at, runtime.inner);

	skep_ir_branch(at->f, SKEP_IR_NE, R(inner), I(SKEP_INTERP_NO_OFF), further, found);
	skep_ir_at(at->f, further);
	skep_ir_set(at->f, frame, R(read_word(at, alu(at, SKEP_IR_ADD, frame, R(inner)), none)));
	skep_ir_jump(at->f, found);
	skep_ir_at(at->f, found);
}

static void find_frame(const struct func *at, uint32_t base, uint32_t none)
{
	uint32_t frame = skep_ir_var(at->f), state, found = skep_ir_block(at->f);
	uint32_t alone = skep_ir_block(at->f), threaded = skep_ir_block(at->f);

	PUT(at, limit, I(-1));
	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, runtime.way)), I(SKEP_INTERP_ALONE), alone,
		       threaded);
	skep_ir_at(at->f, alone);
	skep_ir_set(at->f, frame, R(READ(at, base, current, none)));
	skep_ir_jump(at->f, found);
	skep_ir_at(at->f, threaded);
	state = find_state(at, base, none);
	find_limit(at, state, none);
	skep_ir_set(at->f, frame, R(READ(at, state, frame, none)));
	follow_inner(at, frame, none);
	skep_ir_jump(at->f, found);
	skep_ir_at(at->f, found);
	leave_if(at, SKEP_IR_EQ, frame, I(0), none);
	leave_if(at, SKEP_IR_UGE, frame, R(GET(at, limit)), none);
	PUT(at, frame, R(frame));
}

/* --- One frame -------------------------------------------------------------------------------- */

/* @bytes of what was read, at an offset that may be any. */
static uint32_t raw_at(const struct func *at, uint32_t off, uint32_t bytes)
{
	uint32_t inside = alu(at, SKEP_IR_AND, off, I(RAW_MASK));

	return skep_ir_load(at->f, bytes, R(alu(at, SKEP_IR_ADD, at->c, R(inside))), FIELD(raw));
}
#define RAW(at, field, bytes) raw_at(at, GET(at, runtime.field), bytes)

static void read_flags(const struct func *at, uint32_t failed)
{
	uint32_t some = skep_ir_block(at->f), done = skep_ir_block(at->f), flags;

	skep_ir_branch(at->f, SKEP_IR_NE, R(GET(at, runtime.flags)), I(SKEP_INTERP_NO_OFF), some,
		       done);
	skep_ir_at(at->f, some);
	flags = read_word(at, RAW(at, flags, 8), failed);
	skep_ir_store(at->f, 8, R(at->c), FIELD(raw) + SKEP_INTERP_FLAGS_AT, R(flags));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

static void read_bytes(const struct func *at, uint32_t from, uint32_t failed)
{
	uint32_t n = alu(at, SKEP_IR_AND, GET(at, runtime.bytes), I(RAW_MASK));
	uint32_t err =
		skep_ir_calln(at->f, BPF_FUNC_probe_read_user, R(ADDRESS(at, raw)), R(n), R(from));

	leave_if(at, SKEP_IR_NE, err, I(0), failed);
}

static void read_raw(const struct func *at, uint32_t failed)
{
	read_bytes(at, alu(at, SKEP_IR_ADD, GET(at, frame), R(GET(at, runtime.start))), failed);
	read_flags(at, failed);
}

/* How far into the code object the interpreter is; the highest bit: C code called the frame. */
static uint32_t where(const struct func *at, uint32_t code, uint32_t is_entry)
{
	uint32_t base = alu(at, SKEP_IR_AND, code, R(GET(at, runtime.code_mask)));
	uint32_t instr = alu(at, SKEP_IR_SUB, RAW(at, instr, 8), R(base));

	instr = alu(at, SKEP_IR_SUB, instr, R(GET(at, runtime.instructions)));
	instr = alu(at, SKEP_IR_AND, instr, I(AT_MASK));
	return alu(at, SKEP_IR_OR, instr, R(alu(at, SKEP_IR_SHL, is_entry, I(31))));
}

static uint32_t is_entry(const struct func *at)
{
	uint32_t byte = alu(at, SKEP_IR_XOR, RAW(at, entry, 1), R(GET(at, runtime.entry_xor)));

	byte = alu(at, SKEP_IR_AND, byte, R(GET(at, runtime.entry_mask)));
	return skep_ir_cmp(at->f, SKEP_IR_EQ, R(byte), I(0));
}

/* The code object; 0: the frame is C code's own. */
static uint32_t own_code(const struct func *at)
{
	uint32_t code = skep_ir_var(at->f), none = skep_ir_block(at->f);
	uint32_t done = skep_ir_block(at->f);

	skep_ir_set(at->f, code, R(RAW(at, code, 8)));
	skep_ir_branch(at->f, SKEP_IR_TEST, R(RAW(at, entry, 1)), R(GET(at, runtime.c_mask)), none,
		       done);
	skep_ir_at(at->f, none);
	skep_ir_set(at->f, code, I(0));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
	return code;
}

/* As skep_interp_check(), of the words at @off behind @object. */
static uint32_t check(const struct func *at, uint32_t object, uint32_t off, uint32_t failed)
{
	uint32_t err = skep_ir_calln(at->f, BPF_FUNC_probe_read_user, R(ADDRESS(at, object)),
				     I(BYTES(object)), R(alu(at, SKEP_IR_ADD, object, R(off))));
	uint32_t mixed;

	leave_if(at, SKEP_IR_NE, err, I(0), failed);
	mixed = alu(at, SKEP_IR_MUL, GET(at, object[0]), I((int64_t)HASH_FACTOR));
	for (int i = 1; i < SKEP_INTERP_CHECK_WORDS; i++) {
		uint32_t word = skep_ir_load(at->f, 8, R(at->c), FIELD(object) + 8 * i);
		mixed = alu(at, SKEP_IR_XOR, mixed, R(word));
		mixed = alu(at, SKEP_IR_MUL, mixed, I((int64_t)HASH_FACTOR));
	}
	return alu(at, SKEP_IR_SHR, mixed, I(32));
}

static void mix(const struct func *at, uint32_t value)
{
	uint32_t hash = alu(at, SKEP_IR_XOR, GET(at, hash), R(value));

	hash = alu(at, SKEP_IR_MUL, hash, I((int64_t)HASH_FACTOR));
	PUT(at, hash, R(alu(at, SKEP_IR_XOR, hash, R(alu(at, SKEP_IR_SHR, hash, I(32))))));
}

static void record(const struct func *at, uint32_t index, uint32_t code, uint32_t where_and_check)
{
	uint32_t inside = alu(at, SKEP_IR_AND, index, I(INDEX_MASK));
	uint32_t off = alu(at, SKEP_IR_MUL, inside, I(sizeof(struct skep_interp_frame)));
	uint32_t to = alu(at, SKEP_IR_ADD, at->c, R(off));

	skep_ir_store(at->f, 8, R(to), FIELD(stack.frames), R(code));
	skep_ir_store(at->f, 8, R(to), FIELD(stack.frames) + 8, R(where_and_check));
	PUT(at, stack.n, R(alu(at, SKEP_IR_ADD, index, I(1))));
	mix(at, code);
	mix(at, where_and_check);
}
_Static_assert(offsetof(struct skep_interp_frame, check) ==
		       offsetof(struct skep_interp_frame, at) + 4,
	       "one word of 64 bits");

static void end(const struct func *at, enum skep_interp_end why)
{
	PUT(at, stack.end, I(why));
	skep_ir_exit(at->f, I(1));
}

/* To the frame that called this one, if there is one. */
static void go_on(const struct func *at)
{
	uint32_t previous = skep_ir_var(at->f), last = skep_ir_block(at->f);
	uint32_t linked = skep_ir_block(at->f), behind = skep_ir_block(at->f);
	uint32_t there = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, runtime.previous)), I(SKEP_INTERP_NO_OFF),
		       behind, linked);
	skep_ir_at(at->f, behind);
	skep_ir_set(at->f, previous,
		    R(alu(at, SKEP_IR_ADD, GET(at, frame), R(GET(at, runtime.bytes)))));
	skep_ir_jump(at->f, there);
	skep_ir_at(at->f, linked);
	skep_ir_set(at->f, previous, R(RAW(at, previous, 8)));
	skep_ir_jump(at->f, there);
	skep_ir_at(at->f, there);
	PUT(at, frame, R(previous));
	leave_if(at, SKEP_IR_EQ, previous, I(0), last);
	leave_if(at, SKEP_IR_UGE, previous, R(GET(at, limit)), last);
	skep_ir_exit(at->f, I(0));
	skep_ir_at(at->f, last);
	end(at, SKEP_INTERP_WHOLE);
}

/* The callback of bpf_loop(): (number of the frame, where the chain's address is). */
static struct skep_ir_func *one_frame(struct skep_ir_func *prog)
{
	struct func at = {.f = skep_ir_subprog(prog, "interp_frame", 2)};
	uint32_t index = skep_ir_param(at.f, 0), failed = skep_ir_block(at.f);
	uint32_t shim = skep_ir_block(at.f), shimless = skep_ir_block(at.f);
	uint32_t plain = skep_ir_block(at.f), done = skep_ir_block(at.f), entry, code, word;

	at.c = skep_ir_load(at.f, 8, R(skep_ir_param(at.f, 1)), 0);
	read_raw(&at, failed);
	entry = is_entry(&at);
	code = own_code(&at);
	skep_ir_branch(at.f, SKEP_IR_TEST, R(entry), R(GET(&at, runtime.has_shims)), shim,
		       shimless);
	skep_ir_at(at.f, shimless);
	skep_ir_branch(at.f, SKEP_IR_NE, R(code), I(0), plain, shim);
	skep_ir_at(at.f, shim);
	record(&at, index, skep_ir_mov(at.f, I(0)), alu(&at, SKEP_IR_SHL, entry, I(31)));
	skep_ir_jump(at.f, done);
	skep_ir_at(at.f, plain);
	word = alu(&at, SKEP_IR_SHL, check(&at, code, GET(&at, runtime.check), failed), I(32));
	record(&at, index, code, alu(&at, SKEP_IR_OR, word, R(where(&at, code, entry))));
	skep_ir_jump(at.f, done);
	skep_ir_at(at.f, done);
	go_on(&at);
	skep_ir_at(at.f, failed);
	end(&at, SKEP_INTERP_UNREADABLE);
	return at.f;
}

/* --- Perl ------------------------------------------------------------------------------------- */

/* The lower bits of a context's first byte, and two of the others: of one that stands for code in a
 * regular expression, whose subroutine has a context of its own; and of an eval of a block. */
enum { NOTHING = 0, BLOCK = 2, EVAL = 11, TYPE_MASK = 15 };
#define IN_EXPRESSION (9 | 0x40 | 0x80)
#define BLOCK_SHIFT   6
#define CLOSURE       0xc0 /* bits of a subroutine's flags: without a name, and one of several */
#define PHASE_RUN     4    /* and those before it: the program is being compiled */

static void enter_stack(const struct func *at, uint32_t stack, uint32_t failed)
{
	PUT(at, frame, R(stack));
	PUT(at, contexts, R(READ(at, stack, perl.contexts, failed)));
	PUT(at, sub, R(READ(at, stack, perl.last_sub, failed)));
}

static void find_contexts(const struct func *at, uint32_t base, uint32_t none)
{
	uint32_t number = alu(at, SKEP_IR_AND, read_word(at, base, none), I(UINT32_MAX));
	uint32_t state = read_specific(at, number, none), phase;

	leave_if(at, SKEP_IR_EQ, state, I(0), none);
	phase = alu(at, SKEP_IR_AND, READ(at, state, perl.phase, none), I(UINT32_MAX));
	PUT(at, is_starting, R(skep_ir_cmp(at->f, SKEP_IR_ULT, R(phase), I(PHASE_RUN))));
	PUT(at, cop, R(READ(at, state, perl.cop, none)));
	enter_stack(at, READ(at, state, frame, none), none);
}

/* Where the statement is, and whether what it is in was called by C code. */
static uint32_t line_of(const struct func *at, uint32_t cop, uint32_t is_entry, uint32_t failed)
{
	uint32_t line =
		read_word(at, alu(at, SKEP_IR_ADD, cop, R(GET(at, runtime.perl.line))), failed);

	line = alu(at, SKEP_IR_AND, line, I(AT_MASK));
	return alu(at, SKEP_IR_OR, line, R(alu(at, SKEP_IR_SHL, is_entry, I(31))));
}

static void record_next(const struct func *at, uint32_t code, uint32_t line, uint32_t check)
{
	check = alu(at, SKEP_IR_SHL, check, I(32));
	record(at, GET(at, stack.n), code, alu(at, SKEP_IR_OR, check, R(line)));
}

/* What is known by a statement of it. */
static void record_statement(const struct func *at, uint32_t cop, uint32_t kind, uint32_t line,
			     uint32_t failed)
{
	uint32_t words = check(at, cop, GET(at, runtime.perl.cop_check), failed);

	record_next(at, alu(at, SKEP_IR_OR, cop, R(kind)), line, words);
}

static void record_call(const struct func *at)
{
	record(at, GET(at, stack.n), skep_ir_mov(at->f, I(0)),
	       skep_ir_mov(at->f, I(SKEP_INTERP_ENTRY)));
}

/* Where nothing is to be returned to in an eval of a block, C code has made it for its call. */
static void take_eval(const struct func *at, uint32_t cop, uint32_t type, uint32_t failed)
{
	uint32_t is_called = skep_ir_cmp(at->f, SKEP_IR_EQ, R(RAW(at, perl.return_op, 8)), I(0));
	uint32_t is_block = alu(at, SKEP_IR_SHR, type, I(BLOCK_SHIFT));
	uint32_t is_scope = alu(at, SKEP_IR_AND, is_called, R(is_block)), kind;

	kind = alu(at, SKEP_IR_MUL, is_scope, I(SKEP_PERL_SCOPE - SKEP_PERL_EVAL));
	kind = alu(at, SKEP_IR_ADD, kind, I(SKEP_PERL_EVAL));
	is_called = alu(at, SKEP_IR_XOR, is_called, R(is_scope));
	record_statement(at, cop, kind, line_of(at, cop, is_called, failed), failed);
}

/* After check(): its first word was the package. */
static void record_closure(const struct func *at, uint32_t cop, uint32_t line)
{
	uint32_t package = GET(at, object[0]);
	uint32_t high = alu(at, SKEP_IR_SHR, package, I(SKEP_PERL_PACKAGE_BITS));

	high = alu(at, SKEP_IR_SHL, high, I(SKEP_PERL_ADDRESS_BITS));
	cop = alu(at, SKEP_IR_OR, alu(at, SKEP_IR_OR, cop, R(high)), I(SKEP_PERL_CLOSURE));
	record_next(at, cop, line, alu(at, SKEP_IR_SHR, package, I(SKEP_PERL_PACKAGE_SHIFT)));
}

/* What was read of the context stays where it is, so it is looked at when it is needed. */
static void take_sub(const struct func *at, uint32_t cop, uint32_t failed)
{
	uint32_t body = skep_ir_mov(at->f, R(read_word(at, RAW(at, code, 8), failed)));
	uint32_t flags = alu(at, SKEP_IR_AND, READ(at, body, perl.flags, failed), I(CLOSURE));
	uint32_t words = check(at, body, GET(at, runtime.check), failed), line, is_called;
	uint32_t closure = skep_ir_block(at->f), other = skep_ir_block(at->f);

	is_called = skep_ir_cmp(at->f, SKEP_IR_EQ, R(RAW(at, perl.return_op, 8)), I(0));
	line = line_of(at, cop, is_called, failed);
	skep_ir_branch(at->f, SKEP_IR_EQ, R(flags), I(CLOSURE), closure, other);
	skep_ir_at(at->f, closure);
	record_closure(at, cop, line);
	skep_ir_exit(at->f, I(0));
	skep_ir_at(at->f, other);
	record_next(at, RAW(at, code, 8), line, words);
	skep_ir_exit(at->f, I(0));
}

/* A context that is a frame; the statement that called it is in the one outside of it. */
static void take_context(const struct func *at, uint32_t sub, uint32_t failed)
{
	uint32_t off = alu(at, SKEP_IR_MUL, sub, R(GET(at, runtime.bytes)));
	uint32_t eval = skep_ir_block(at->f), other = skep_ir_block(at->f);
	uint32_t own = skep_ir_block(at->f), none = skep_ir_block(at->f), type, kind, cop;

	read_bytes(at, alu(at, SKEP_IR_ADD, GET(at, contexts), R(off)), failed);
	type = skep_ir_load(at->f, 1, R(at->c), FIELD(raw));
	kind = alu(at, SKEP_IR_AND, type, I(TYPE_MASK));
	cop = GET(at, cop);
	PUT(at, cop, R(RAW(at, perl.old_cop, 8)));
	PUT(at, sub, R(RAW(at, perl.old_sub, 4)));
	skep_ir_branch(at->f, SKEP_IR_EQ, R(kind), I(EVAL), eval, other);
	skep_ir_at(at->f, eval);
	take_eval(at, cop, type, failed);
	skep_ir_exit(at->f, I(0));
	skep_ir_at(at->f, other);
	type = alu(at, SKEP_IR_AND, type, I(IN_EXPRESSION));
	skep_ir_branch(at->f, SKEP_IR_EQ, R(type), I(IN_EXPRESSION), none, own);
	skep_ir_at(at->f, own);
	take_sub(at, cop, failed);
	skep_ir_at(at->f, none);
	PUT(at, cop, R(cop)); /* its statements are of the frame outside of it */
	record_call(at);
	skep_ir_exit(at->f, I(0));
}

/* What is the outermost context of the stack, whether it is a frame or not? */
static uint32_t outermost(const struct func *at, uint32_t failed)
{
	uint32_t type = skep_ir_var(at->f), some = skep_ir_block(at->f),
		 done = skep_ir_block(at->f);
	uint32_t last = READ(at, GET(at, frame), perl.last, failed);

	last = alu(at, SKEP_IR_AND, last, I(UINT32_MAX));
	skep_ir_set(at->f, type, I(TYPE_MASK));
	skep_ir_branch(at->f, SKEP_IR_UGT, R(last), I(INT32_MAX), done, some);
	skep_ir_at(at->f, some);
	last = read_word(at, GET(at, contexts), failed);
	skep_ir_set(at->f, type, R(alu(at, SKEP_IR_AND, last, I(TYPE_MASK))));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
	return type;
}

/* The program's own file, if it runs: then it is in a block; or is compiled, if that is what goes
 * on. Threads, and programs that have Perl in them, have none. */
static void take_main(const struct func *at, uint32_t type, uint32_t failed)
{
	uint32_t is_run = skep_ir_cmp(at->f, SKEP_IR_EQ, R(type), I(BLOCK)), cop = GET(at, cop);
	uint32_t some = skep_ir_block(at->f), none = skep_ir_block(at->f), line, is_there;

	is_there = alu(at, SKEP_IR_OR, is_run, R(GET(at, is_starting)));
	skep_ir_branch(at->f, SKEP_IR_NE, R(is_there), I(0), some, none);
	skep_ir_at(at->f, some);
	line = line_of(at, cop, is_run, failed);
	leave_if(at, SKEP_IR_EQ, line, I(0), none);
	record_statement(at, cop, skep_ir_mov(at->f, I(SKEP_PERL_MAIN)), line, failed);
	skep_ir_jump(at->f, none);
	skep_ir_at(at->f, none);
	end(at, SKEP_INTERP_WHOLE);
}

/* Perl has begun a stack of contexts for what it does on the side, mostly as C code calls a
 * subroutine; or for the block that it sorts by, which is none. */
static void leave_stack(const struct func *at, uint32_t failed)
{
	uint32_t type = outermost(at, failed), block = skep_ir_block(at->f);
	uint32_t on = skep_ir_block(at->f), last = skep_ir_block(at->f), previous;

	previous = skep_ir_mov(at->f, R(READ(at, GET(at, frame), perl.previous, failed)));
	leave_if(at, SKEP_IR_EQ, previous, I(0), last);
	skep_ir_branch(at->f, SKEP_IR_EQ, R(type), I(NOTHING), block, on);
	skep_ir_at(at->f, block);
	record_call(at);
	skep_ir_jump(at->f, on);
	skep_ir_at(at->f, on);
	enter_stack(at, previous, failed);
	skep_ir_exit(at->f, I(0));
	skep_ir_at(at->f, last);
	take_main(at, type, failed);
}

/* The callback of bpf_loop() for Perl: a frame, or a step to the next stack of contexts. */
static struct skep_ir_func *one_context(struct skep_ir_func *prog)
{
	struct func at = {.f = skep_ir_subprog(prog, "interp_perl", 2)};
	uint32_t failed = skep_ir_block(at.f), frame = skep_ir_block(at.f);
	uint32_t none = skep_ir_block(at.f), sub;

	at.c = skep_ir_load(at.f, 8, R(skep_ir_param(at.f, 1)), 0);
	sub = GET(&at, sub);
	skep_ir_branch(at.f, SKEP_IR_ULE, R(sub), I(INT32_MAX), frame, none);
	skep_ir_at(at.f, frame);
	take_context(&at, sub, failed);
	skep_ir_at(at.f, none);
	leave_stack(&at, failed);
	skep_ir_at(at.f, failed);
	end(&at, SKEP_INTERP_UNREADABLE);
	return at.f;
}

/* --- The whole -------------------------------------------------------------------------------- */

uint32_t skep_interp_thread_pointer(struct skep_btf *btf)
{
#ifdef __x86_64__
	static const char *const path[][2] = {{"task_struct", "thread"},
					      {"thread_struct", "fsbase"}};
	uint32_t off = 0;

	for (int i = 0; i < 2; i++) {
		struct skep_btf_member member;
		uint32_t id = btf ? skep_btf_find(btf, path[i][0], strlen(path[i][0]),
						  SKEP_BTF_MASK(SKEP_BTF_STRUCT))
				  : 0;
		if (!id || skep_btf_find_member(btf, id, path[i][1], strlen(path[i][1]), &member))
			return 0;
		off += (uint32_t)(member.bit_off / 8);
	}
	return off;
#else
	return 0;
#endif
}

void skep_interp_add_maps(struct skep_object *object, uint32_t stacks_cnt,
			  struct skep_interp_maps *ret)
{
	const struct skep_object_map stacks = {.name = "in_stacks",
					       .type = BPF_MAP_TYPE_HASH,
					       .key_size = 4,
					       .value_size = sizeof(struct skep_interp_stack),
					       .max_entries = stacks_cnt,
					       .prefer_no_prealloc = true};
	const struct skep_object_map fresh = {
		.name = "in_fresh", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = FRESH_BYTES};

	ret->stacks = skep_object_add_map(object, &stacks);
	ret->fresh = skep_object_add_map(object, &fresh);
}

static void take_runtime(const struct func *at, const struct skep_interp_maps *maps, uint32_t file)
{
	uint32_t inside = alu(at, SKEP_IR_AND, file, I(maps->runtimes_cnt - 1));
	uint32_t off = alu(at, SKEP_IR_MUL, inside, I(sizeof(struct skep_interp_runtime)));
	uint32_t from = alu(at, SKEP_IR_ADD, skep_ir_map_value(at->f, maps->runtimes, 0), R(off));

	skep_ir_copy(at->f, R(at->c), FIELD(runtime), R(from), 0, BYTES(runtime), 8);
}

static void take_thread(const struct func *at, const struct skep_interp_maps *maps)
{
	uint32_t task = skep_ir_call(at->f, BPF_FUNC_get_current_task_btf, 0, NULL);
	uint32_t from = skep_ir_addr(at->f, R(task), maps->thread_pointer_off);
	uint32_t both = skep_ir_call(at->f, BPF_FUNC_get_current_pid_tgid, 0, NULL);

	skep_ir_calln(at->f, BPF_FUNC_probe_read_kernel, R(ADDRESS(at, thread)), I(8), R(from));
	PUT(at, fresh.tgid, R(alu(at, SKEP_IR_SHR, both, I(32))));
	PUT(at, hash, R(GET(at, fresh.tgid)));
	PUT(at, stack.n, I(0));
	PUT(at, stack.end, I(SKEP_INTERP_FULL));
	PUT(at, stack.version, R(GET(at, runtime.version)));
}

/* Keep it, and tell who reads names of one that is new. */
static void keep(const struct func *at, const struct skep_interp_maps *maps)
{
	struct skep_ir_func *f = at->f;
	const struct skep_keeping keeping = {.f = f,
					     .map = maps->stacks,
					     .key = ADDRESS(at, key),
					     .value = ADDRESS(at, stack),
					     .lost_map = maps->lost_map,
					     .lost_off = maps->lost_off};
	uint32_t hash = alu(at, SKEP_IR_XOR, GET(at, hash), R(GET(at, stack.end)));
	uint32_t is_fresh, number = skep_keep(&keeping, hash, &is_fresh);
	uint32_t tell = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_NE, R(is_fresh), I(0), tell, done);
	skep_ir_at(f, tell);
	PUT(at, fresh.number, R(number));
	skep_ir_calln(f, BPF_FUNC_ringbuf_output, R(skep_ir_map(f, maps->fresh)),
		      R(ADDRESS(at, fresh)), I(sizeof(struct skep_interp_fresh)), I(0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	skep_ir_exit(f, R(number));
}

static void follow(const struct func *at, uint32_t box, struct skep_ir_func *step, uint32_t done)
{
	skep_ir_calln(at->f, BPF_FUNC_loop, I(SKEP_INTERP_FRAMES_MOST),
		      R(skep_ir_func_addr(at->f, step)), S(box, 0), I(0));
	skep_ir_jump(at->f, done);
}

struct skep_ir_func *skep_interp_program(struct skep_ir_func *prog,
					 const struct skep_interp_maps *maps)
{
	struct func at = {.f = skep_ir_subprog(prog, "interp", 2)};
	uint32_t chain = skep_ir_slot(at.f, sizeof(struct chain), 8);
	uint32_t box = skep_ir_slot(at.f, 8, 8), none = skep_ir_block(at.f), base;
	uint32_t perl = skep_ir_block(at.f), other = skep_ir_block(at.f);
	uint32_t done = skep_ir_block(at.f);

	at.c = skep_ir_addr(at.f, S(chain, 0), 0);
	take_runtime(&at, maps, skep_ir_param(at.f, 0));
	take_thread(&at, maps);
	base = alu(&at, SKEP_IR_ADD, GET(&at, runtime.addr), R(skep_ir_param(at.f, 1)));
	skep_ir_store(at.f, 8, S(box, 0), 0, R(at.c));
	skep_ir_branch(at.f, SKEP_IR_EQ, R(GET(&at, runtime.way)), I(SKEP_INTERP_PERLS), perl,
		       other);
	skep_ir_at(at.f, perl);
	find_contexts(&at, base, none);
	follow(&at, box, one_context(prog), done);
	skep_ir_at(at.f, other);
	find_frame(&at, base, none);
	follow(&at, box, one_frame(prog), done);
	skep_ir_at(at.f, done);
	keep(&at, maps);
	skep_ir_at(at.f, none);
	skep_ir_exit(at.f, I(0));
	return at.f;
}
