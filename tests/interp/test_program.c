/*
 * The chain of an interpreter's frames, followed in the running kernel, in our own memory: an
 * interpreter that is made here, whole, broken and endless. That it finds those of real ones is
 * tests/scripts/test_interpreters.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "../unwind/kernelside.h"
#include "linux/bpf.h"
#include "linux/ringbuf.h"

#define STACKS_CNT     1024
#define HOSTILE_ROUNDS 3000
#define FILE_NUMBER    SKEP_UNWIND_FILE_FIRST

static const struct skep_unwind_sizes small = {
	.processes = 16, .mappings = 16, .files = 8, .pages = 16, .rows = 1024, .rules = 64};

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

/* --- An interpreter --------------------------------------------------------------------------- */

struct frame {
	uint64_t code, previous, instr;
	uint8_t entry;
};

struct thread {
	uint64_t id, frame;
	uint64_t stack, stack_words; /* of frames that lie behind one another */
};

#define FRAMES_CNT 300
static struct {
	uint64_t first; /* as 0 means that there is none */
	struct thread *current;
	struct {
		int32_t is_made;
		uint32_t number;
	} key;
} interpreter;
static struct thread threads[2];
static struct frame frames[FRAMES_CNT];
static struct {
	uint64_t words[SKEP_INTERP_CHECK_WORDS];
	uint8_t code[64];
} objects[FRAMES_CNT];

static uint64_t address(const volatile void *at)
{
	return (uint64_t)(uintptr_t)at;
}

static const struct skep_interp_runtime plain = {
	.code_mask = UINT64_MAX,
	.version = SKEP_INTERP_PYTHON_3_11,
	.current = offsetof(__typeof__(interpreter), current),
	.key = offsetof(__typeof__(interpreter), key),
	.thread_id = offsetof(struct thread, id),
	.frame = offsetof(struct thread, frame),
	.inner = SKEP_INTERP_NO_OFF,
	.stack = SKEP_INTERP_NO_OFF,
	.flags = SKEP_INTERP_NO_OFF,
	.bytes = sizeof(struct frame),
	.code = offsetof(struct frame, code),
	.previous = offsetof(struct frame, previous),
	.instr = offsetof(struct frame, instr),
	.entry = offsetof(struct frame, entry),
	.entry_xor = 1,
	.entry_mask = 1,
	.instructions = sizeof(objects[0].words),
};

/* A chain of so many frames: each in its own object, as far in as its number, each third called by
 * C code. */
static void make_frames(uint32_t n)
{
	memset(frames, 0, sizeof(frames));
	for (uint32_t i = 0; i < n; i++) {
		for (int j = 0; j < SKEP_INTERP_CHECK_WORDS; j++)
			objects[i].words[j] = seed + any(1 << 30);
		frames[i] = (struct frame){
			.code = address(&objects[i]),
			.previous = i + 1 < n ? address(&frames[i + 1]) : 0,
			.instr = address(&objects[i].code[i % 64]),
			.entry = i % 3 == 2,
		};
	}
	threads[0] = (struct thread){pthread_self(), address(frames), 0, 0};
	interpreter.current = &threads[0];
}

/* --- The program ------------------------------------------------------------------------------ */

static void open_with(struct kernelside *k, const struct skep_interp_runtime *runtime)
{
	struct skep_unwind_process_entry entry = {.first = 0, .n = 2};

	if (!skep_unwind_is_possible()) {
		print_message("not here: unwinding: no bpf_loop() and registers, or no rights\n");
		skip();
	}
	kernelside_open(k, &kernelside_with_interpreters, &small, STACKS_CNT);
	kernelside_watch(k, getpid());
	k->arrays->mappings[0] = (struct skep_unwind_mapping){.file = FILE_NUMBER, .bias = 4096};
	k->arrays->mappings[1] = (struct skep_unwind_mapping){.start = INT64_MAX};
	k->arrays->runtimes[FILE_NUMBER] = *runtime;
	k->arrays->runtimes[FILE_NUMBER].addr = address(&interpreter) - 4096;
	assert_int_equal(k->arrays->set_process(k->arrays->ctx, (uint32_t)getpid(), &entry), 0);
}

/* The number of our frames; 0: there are none. */
static uint32_t number_of(struct kernelside *k)
{
	struct skep_unwind_stack stack;

	kernelside_run(k);
	assert_true(kernelside_stack(k, kernelside_number(k, getpid()), &stack));
	return stack.interp;
}

static bool frames_of(struct kernelside *k, struct skep_interp_stack *ret)
{
	uint32_t number = number_of(k);

	return number &&
	       !skep_bpf_map_lookup(skep_session_map_fd(k->session, k->maps.interp.stacks), &number,
				    ret, 0);
}

/* --- Chains ----------------------------------------------------------------------------------- */

static void check_chain(struct kernelside *k, uint32_t n, enum skep_interp_end end)
{
	struct skep_interp_stack stack;

	assert_true(frames_of(k, &stack));
	assert_int_equal(stack.n, n);
	assert_int_equal(stack.end, end);
	assert_int_equal(stack.version, SKEP_INTERP_PYTHON_3_11);
	for (uint32_t i = 0; i < n; i++) {
		assert_true(stack.frames[i].code == address(&objects[i]));
		assert_int_equal(stack.frames[i].at, i % 64 | (i % 3 == 2 ? SKEP_INTERP_ENTRY : 0));
		assert_int_equal(stack.frames[i].check, skep_interp_check(objects[i].words));
	}
}

static void chains(void **state)
{
	struct kernelside k;

	open_with(&k, &plain);
	make_frames(1);
	check_chain(&k, 1, SKEP_INTERP_WHOLE);
	make_frames(17);
	check_chain(&k, 17, SKEP_INTERP_WHOLE);
	make_frames(SKEP_INTERP_FRAMES_MOST);
	check_chain(&k, SKEP_INTERP_FRAMES_MOST, SKEP_INTERP_WHOLE);
	make_frames(FRAMES_CNT);
	check_chain(&k, SKEP_INTERP_FRAMES_MOST, SKEP_INTERP_FULL);
	kernelside_close(&k);
}

static void broken_chains(void **state)
{
	struct skep_interp_stack stack;
	struct kernelside k;

	open_with(&k, &plain);
	make_frames(10);
	frames[4].previous = 8;
	check_chain(&k, 5, SKEP_INTERP_UNREADABLE);
	make_frames(10);
	frames[4].code = 8;
	check_chain(&k, 4, SKEP_INTERP_UNREADABLE);
	make_frames(10);
	frames[9].previous = address(frames);
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, SKEP_INTERP_FRAMES_MOST);
	assert_int_equal(stack.end, SKEP_INTERP_FULL);
	threads[0].frame = 0;
	assert_int_equal(number_of(&k), 0);
	kernelside_close(&k);
}

/* That of the lock, if it is ours; else our own. */
static void whose_frames(void **state)
{
	pthread_key_t key;
	struct kernelside k;

	assert_int_equal(pthread_key_create(&key, NULL), 0);
	assert_int_equal(pthread_setspecific(key, &threads[1]), 0);
	open_with(&k, &plain);
	make_frames(5);
	threads[0].id++;
	threads[1] = (struct thread){pthread_self(), address(&frames[0]), 0, 0};
	assert_int_equal(number_of(&k), 0); /* no key was made */
	interpreter.key.number = key;
	interpreter.key.is_made = 1;
	check_chain(&k, 5, SKEP_INTERP_WHOLE);
	interpreter.current = NULL;
	check_chain(&k, 5, SKEP_INTERP_WHOLE);
	threads[1].id++;
	assert_int_equal(number_of(&k), 0);
	interpreter.key.number = UINT32_MAX;
	assert_int_equal(number_of(&k), 0);
	kernelside_close(&k);
	memset(&interpreter.key, 0, sizeof(interpreter.key));
	pthread_key_delete(key);
}

/* Numbers of instructions, frames a step further in, and frames that only stand for a call. */
static void other_versions(void **state)
{
	struct skep_interp_runtime runtime = plain;
	struct skep_interp_stack stack;
	struct kernelside k;

	runtime.code_mask = runtime.instructions = 0;
	runtime.has_shims = 1;
	runtime.inner = offsetof(struct frame, previous);
	open_with(&k, &runtime);
	make_frames(4);
	frames[1].instr = (uint64_t)-1;
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 3);
	assert_true(stack.frames[0].code == address(&objects[1]));
	assert_int_equal(stack.frames[0].at, INT32_MAX);
	assert_int_equal(stack.frames[1].code, 0);
	assert_int_equal(stack.frames[1].at, SKEP_INTERP_ENTRY);
	assert_true(stack.frames[2].code == address(&objects[3]));
	kernelside_close(&k);
}

/* Frames that lie behind one another, of a thread that is in a variable of threads; the flags of a
 * frame are elsewhere, and its outermost is none. */
static void a_stack_of_frames(void **state)
{
	static __thread struct thread *own;
	static uint64_t flags[2] = {0, 0x20 | 0x80};
	const uint64_t *table = ((const uint64_t *const *)__builtin_thread_pointer())[1];
	struct skep_interp_runtime runtime = plain;
	struct skep_interp_stack stack;
	struct kernelside k;

	runtime.way = SKEP_INTERP_BY_TLS;
	runtime.key = (uint32_t)(address(&own) - table[2 * 1]);
	runtime.code_mask = runtime.instructions = 0;
	runtime.stack = offsetof(struct thread, stack);
	runtime.previous = SKEP_INTERP_NO_OFF;
	runtime.flags = offsetof(struct frame, previous);
	runtime.entry = SKEP_INTERP_FLAGS_AT;
	runtime.entry_xor = runtime.entry_mask = 0x20;
	runtime.c_mask = 0x80;
	open_with(&k, &runtime);
	make_frames(5);
	for (int i = 0; i < 5; i++)
		frames[i].previous = address(&flags[i == 2]);
	interpreter.first = 1; /* the module: this program */
	own = &threads[0];
	threads[0].stack = address(frames);
	threads[0].stack_words = 5 * sizeof(frames[0]) / 8;
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 4);
	assert_int_equal(stack.end, SKEP_INTERP_WHOLE);
	assert_true(stack.frames[1].code == address(&objects[1]) &&
		    stack.frames[3].code == address(&objects[3]));
	assert_int_equal(stack.frames[2].code, 0);
	assert_int_equal(stack.frames[2].at, SKEP_INTERP_ENTRY);
	threads[0].stack_words = 0;
	assert_int_equal(number_of(&k), 0);
	own = NULL;
	assert_int_equal(number_of(&k), 0);
	interpreter.first = UINT64_MAX;
	assert_int_equal(number_of(&k), 0);
	interpreter.first = 0;
	kernelside_close(&k);
}

/* --- Perl ------------------------------------------------------------------------------------- */

struct statement {
	uint64_t words[SKEP_INTERP_CHECK_WORDS];
	uint32_t line, unused;
};

struct context {
	uint8_t type, unused[7];
	uint64_t old_cop, return_op;
	uint32_t old_sub, unused_too;
	uint64_t sub;
};

struct stack_of_contexts {
	uint64_t contexts, previous;
	int32_t last, most, last_sub, unused;
};

enum { SUB = 9, EVAL = 11, NOTHING = 0, BLOCK = 2, LOOP = 8, BY_BLOCK = 0x40, FAKE = 0xc0 };
#define STATEMENTS_CNT 16
static struct {
	uint64_t first, cop, stack;
	uint32_t phase, key;
} perl;
static struct statement statements[STATEMENTS_CNT];
static struct context contexts[3][4];
static struct stack_of_contexts stacks[3];
static struct {
	uint64_t body;
	uint64_t words[SKEP_INTERP_CHECK_WORDS];
	uint32_t flags, unused;
} subs[STATEMENTS_CNT];

static const struct skep_interp_runtime perls = {
	.version = SKEP_INTERP_PERL_5_36,
	.way = SKEP_INTERP_PERLS,
	.frame = offsetof(__typeof__(perl), stack),
	.bytes = sizeof(struct context),
	.code = offsetof(struct context, sub),
	.perl = {.cop = offsetof(__typeof__(perl), cop),
		 .phase = offsetof(__typeof__(perl), phase),
		 .contexts = offsetof(struct stack_of_contexts, contexts),
		 .previous = offsetof(struct stack_of_contexts, previous),
		 .last = offsetof(struct stack_of_contexts, last),
		 .last_sub = offsetof(struct stack_of_contexts, last_sub),
		 .old_cop = offsetof(struct context, old_cop),
		 .return_op = offsetof(struct context, return_op),
		 .old_sub = offsetof(struct context, old_sub),
		 .line = offsetof(struct statement, line),
		 .flags = 8 * SKEP_INTERP_CHECK_WORDS},
};

/* A context of the stack; the number of the statement that made it; who called it: a statement, or
 * C code. Those that are frames are linked. */
static void push(int stack, uint8_t type, int number, bool is_called_by_c)
{
	struct stack_of_contexts *at = &stacks[stack];
	uint8_t kind = type & 15;

	contexts[stack][++at->last] = (struct context){
		.type = type,
		.old_cop = address(&statements[number]),
		.return_op = !is_called_by_c,
		.old_sub = (uint32_t)at->last_sub,
		.sub = address(&subs[number]),
	};
	if (kind == SUB || kind == EVAL)
		at->last_sub = at->last;
}

static void make_perl(void)
{
	memset(contexts, 0, sizeof(contexts));
	for (int i = 0; i < STATEMENTS_CNT; i++) {
		for (int j = 0; j < SKEP_INTERP_CHECK_WORDS; j++) {
			statements[i].words[j] = seed + any(1 << 30);
			subs[i].words[j] = seed + any(1 << 30);
		}
		subs[i].body = address(subs[i].words);
		subs[i].flags = 0x80; /* anonymous */
		statements[i].line = 100 + (uint32_t)i;
	}
	for (int i = 0; i < 3; i++)
		stacks[i] = (struct stack_of_contexts){
			.contexts = address(contexts[i]),
			.previous = i ? address(&stacks[i - 1]) : 0,
			.last = -1,
			.last_sub = -1,
		};
	perl.cop = address(&statements[9]);
	perl.stack = address(&stacks[2]);
	perl.phase = 4;
}

/* The file calls a subroutine, which evaluates something that sorts by a block; that calls one
 * whose object goes. */
static void push_all(void)
{
	make_perl();
	push(0, BLOCK, 0, false);
	push(0, SUB, 1, false);
	push(0, LOOP, 2, false);
	push(0, EVAL, 3, false);
	push(1, NOTHING, 4, false);
	push(1, SUB, 5, false);
	push(2, EVAL | BY_BLOCK, 6, true);
	push(2, SUB, 7, true);
}

static void check_sub(const struct skep_interp_frame *frame, int number, uint32_t at)
{
	assert_true(frame->code == address(&subs[number]));
	assert_int_equal(frame->check, skep_interp_check(subs[number].words));
	assert_int_equal(frame->at, at);
}

static void check_statement(const struct skep_interp_frame *frame, int number,
			    enum skep_perl_kind kind, uint32_t at)
{
	assert_true(frame->code == (address(&statements[number]) | kind));
	assert_int_equal(frame->check, skep_interp_check(statements[number].words));
	assert_int_equal(frame->at, at);
}

static void check_call(const struct skep_interp_frame *frame)
{
	assert_int_equal(frame->code, 0);
	assert_int_equal(frame->at, SKEP_INTERP_ENTRY);
}

static void open_perl(struct kernelside *k, pthread_key_t *ret)
{
	assert_int_equal(pthread_key_create(ret, NULL), 0);
	assert_int_equal(pthread_setspecific(*ret, &perl), 0);
	perl.key = *ret;
	open_with(k, &perls);
	k->arrays->runtimes[FILE_NUMBER].addr = address(&perl.key) - 4096;
}

static void close_perl(struct kernelside *k, pthread_key_t key)
{
	kernelside_close(k);
	pthread_key_delete(key);
}

static void contexts_of_perl(void **state)
{
	struct skep_interp_stack stack;
	struct kernelside k;
	pthread_key_t key;

	open_perl(&k, &key);
	push_all();
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 7);
	assert_int_equal(stack.end, SKEP_INTERP_WHOLE);
	check_sub(&stack.frames[0], 7, 109 | SKEP_INTERP_ENTRY);
	check_statement(&stack.frames[1], 7, SKEP_PERL_SCOPE, 107);
	check_sub(&stack.frames[2], 5, 106);
	check_call(&stack.frames[3]);
	check_statement(&stack.frames[4], 5, SKEP_PERL_EVAL, 105);
	check_sub(&stack.frames[5], 1, 103);
	check_statement(&stack.frames[6], 1, SKEP_PERL_MAIN, 101 | SKEP_INTERP_ENTRY);
	perl.key = 31; /* nobody has */
	assert_int_equal(number_of(&k), 0);
	perl.key = UINT32_MAX;
	assert_int_equal(number_of(&k), 0);
	close_perl(&k, key);
}

/* What C code calls by itself; code in a regular expression is of what it is in. */
static void other_contexts_of_perl(void **state)
{
	struct skep_interp_stack stack;
	struct kernelside k;
	pthread_key_t key;

	open_perl(&k, &key);
	make_perl();
	push(0, BLOCK, 0, false);
	push(0, SUB, 1, false);
	push(1, SUB | FAKE, 2, true);
	push(2, EVAL, 3, true);
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 4);
	check_statement(&stack.frames[0], 9, SKEP_PERL_EVAL, 109 | SKEP_INTERP_ENTRY);
	check_call(&stack.frames[1]);
	check_sub(&stack.frames[2], 1, 103);
	check_statement(&stack.frames[3], 1, SKEP_PERL_MAIN, 101 | SKEP_INTERP_ENTRY);
	close_perl(&k, key);
}

static void closures_of_perl(void **state)
{
	struct skep_interp_stack stack;
	struct kernelside k;
	pthread_key_t key;

	open_perl(&k, &key);
	make_perl();
	push(0, BLOCK, 0, false);
	push(0, SUB, 1, true);
	subs[1].flags = 0xc0 | 1 << 12;
	subs[1].words[0] = 0x7f1234567898;
	perl.stack = address(&stacks[0]);
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 2);
	assert_true(stack.frames[0].code ==
		    (address(&statements[9]) | SKEP_PERL_CLOSURE | 0x7f1234567898 >> 35 << 48));
	assert_int_equal(stack.frames[0].check, (uint32_t)(0x7f1234567898 >> 3));
	assert_int_equal(stack.frames[0].at, 109 | SKEP_INTERP_ENTRY);
	check_statement(&stack.frames[1], 1, SKEP_PERL_MAIN, 101 | SKEP_INTERP_ENTRY);
	close_perl(&k, key);
}

/* A thread has no file that it runs; one that is compiled is there, but is not run. */
static void without_a_file(void **state)
{
	struct skep_interp_stack stack;
	struct kernelside k;
	pthread_key_t key;

	open_perl(&k, &key);
	make_perl();
	push(0, EVAL | BY_BLOCK, 0, true);
	push(0, SUB, 1, true);
	perl.stack = address(&stacks[0]);
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 2);
	assert_int_equal(stack.end, SKEP_INTERP_WHOLE);
	check_statement(&stack.frames[1], 1, SKEP_PERL_SCOPE, 101);
	perl.phase = 1;
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 3);
	check_statement(&stack.frames[2], 0, SKEP_PERL_MAIN, 100);
	statements[0].line = 0;
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 2);
	close_perl(&k, key);
}

static void broken_contexts_of_perl(void **state)
{
	struct skep_interp_stack stack;
	struct kernelside k;
	pthread_key_t key;

	open_perl(&k, &key);
	push_all();
	contexts[1][1].sub = 8;
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 2);
	assert_int_equal(stack.end, SKEP_INTERP_UNREADABLE);
	push_all();
	stacks[1].previous = 8;
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.n, 4);
	assert_int_equal(stack.end, SKEP_INTERP_UNREADABLE);
	push_all();
	contexts[0][1].old_sub = 3; /* endless */
	assert_true(frames_of(&k, &stack));
	assert_in_range(stack.n, SKEP_INTERP_FRAMES_MOST - 4, SKEP_INTERP_FRAMES_MOST);
	assert_int_equal(stack.end, SKEP_INTERP_FULL);
	push_all();
	stacks[0].previous = address(&stacks[2]);
	assert_true(frames_of(&k, &stack));
	assert_int_equal(stack.end, SKEP_INTERP_FULL);
	perl.stack = 8;
	assert_int_equal(number_of(&k), 0);
	close_perl(&k, key);
}

/* --- Telling of them -------------------------------------------------------------------------- */

static int count_fresh(void *ctx, const void *data, size_t size)
{
	const struct skep_interp_fresh *fresh = data;
	uint32_t *n = ctx;

	assert_int_equal(size, sizeof(*fresh));
	assert_int_equal(fresh->tgid, getpid());
	assert_int_not_equal(fresh->number, 0);
	++*n;
	return 0;
}

static void new_ones_are_told(void **state)
{
	struct skep_ringbuf *ring;
	struct kernelside k;
	uint32_t n = 0;

	open_with(&k, &plain);
	uint32_t bytes = k.object.maps[k.maps.interp.fresh].max_entries;
	assert_int_equal(skep_ringbuf_open(skep_session_map_fd(k.session, k.maps.interp.fresh),
					   bytes, &ring),
			 0);
	make_frames(3);
	uint32_t first = number_of(&k);
	assert_int_equal(number_of(&k), first);
	frames[2].instr++;
	assert_int_not_equal(number_of(&k), first);
	skep_ringbuf_consume(ring, 0, count_fresh, &n);
	assert_int_equal(n, 2);
	skep_ringbuf_free(ring);
	kernelside_close(&k);
}

/* --- Garbage ---------------------------------------------------------------------------------- */

static uint64_t any_address(void)
{
	switch (any(4)) {
	case 0: return address(&frames[any(FRAMES_CNT)]) + 8 * any(4);
	case 1: return address(&objects[any(FRAMES_CNT)]);
	case 2: return (uint64_t)any(UINT32_MAX) << any(33);
	default: return address(&threads[0]);
	}
}

static void scramble(struct skep_interp_runtime *runtime)
{
	const struct skep_interp_runtime was = *runtime;

	for (int i = 0; i < 4; i++)
		((uint8_t *)runtime)[any(sizeof(*runtime))] = (uint8_t)any(256);
	if (any(4)) { /* the thread is found */
		runtime->addr = was.addr;
		runtime->current = was.current;
		runtime->thread_id = was.thread_id;
		runtime->frame = was.frame;
	}
	for (int i = 0; i < 30; i++) {
		struct frame *frame = &frames[any(FRAMES_CNT)];
		frame->previous = any_address();
		frame->code = any_address();
		frame->entry = (uint8_t)any(256);
	}
}

static void garbage(void **state)
{
	uint32_t n_stacks = 0, per_end[SKEP_INTERP_END_CNT] = {0};
	struct skep_interp_stack stack;
	struct kernelside k;

	open_with(&k, &plain);
	struct skep_interp_runtime *runtime = &k.arrays->runtimes[FILE_NUMBER];
	const struct skep_interp_runtime good = *runtime;
	for (int round = 0; round < HOSTILE_ROUNDS && n_stacks < STACKS_CNT / 2; round++) {
		make_frames(FRAMES_CNT);
		*runtime = good;
		scramble(runtime);
		if (!frames_of(&k, &stack))
			continue;
		n_stacks++;
		assert_in_range(stack.n, 0, SKEP_INTERP_FRAMES_MOST);
		assert_in_range(stack.end, 0, SKEP_INTERP_END_CNT - 1);
		per_end[stack.end]++;
	}
	assert_true(n_stacks > 100);
	assert_true(per_end[SKEP_INTERP_WHOLE] && per_end[SKEP_INTERP_FULL] &&
		    per_end[SKEP_INTERP_UNREADABLE]);
	kernelside_close(&k);
}

/* --- Verifiers -------------------------------------------------------------------------------- */

static void is_soon_verified(void **state)
{
	const uint8_t exchange = BPF_STX | BPF_ATOMIC | BPF_DW;
	struct bpf_prog_info info = {0};
	struct kernelside k;
	uint32_t n = 0;

	open_with(&k, &plain);
	assert_int_equal(skep_bpf_info(skep_session_prog_fd(k.session, 0), &info, sizeof(info)), 0);
	print_message("%u bytes, %u instructions verified\n", info.xlated_prog_len,
		      info.verified_insns);
	assert_true(info.verified_insns < 100000);
	/* memory is claimed by the walk and by this, and never for a frame */
	const struct skep_object_prog *prog = &k.object.progs[0];
	for (size_t i = 0; i < prog->n_insns; i++)
		n += prog->insns[i].code == exchange && prog->insns[i].imm == BPF_XCHG;
	assert_in_range(n, 3, 4);
	kernelside_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains),
		cmocka_unit_test(broken_chains),
		cmocka_unit_test(whose_frames),
		cmocka_unit_test(other_versions),
		cmocka_unit_test(a_stack_of_frames),
		cmocka_unit_test(contexts_of_perl),
		cmocka_unit_test(other_contexts_of_perl),
		cmocka_unit_test(closures_of_perl),
		cmocka_unit_test(without_a_file),
		cmocka_unit_test(broken_contexts_of_perl),
		cmocka_unit_test(new_ones_are_told),
		cmocka_unit_test(garbage),
		cmocka_unit_test(is_soon_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
