/*
 * What is kept, compared and gone back along, against the running kernel: the same verdict, and the
 * same number of instructions looked at and states kept, for random programs of arithmetic,
 * branches, loops, calls and numbers on the stack. One rule of states.c, same.c, loops.c or
 * precision.c that is another than the kernel's shows in those numbers, though not in verdicts.
 *
 * Following every path to its end must come to the same verdict. Of some programs it is compared,
 * to the letter, how it was found out what must be exact: the log's lines about that.
 *
 *	SKEP_STATES_PROGRAMS, SKEP_STATES_SEED   how many (400), from which seed (1)
 *	SKEP_STATES_NOTE                         a file that always has the seed under way
 *
 * The kernel's part runs in a child. Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include <skep/diag.h>
#include <skep/helper.h>
#include <skep/image.h>
#include <skep/isa.h>
#include <skep/verify.h>

#include "base/buf.h"

#define LOG_BYTES  (16u << 20)
#define MOST_INSNS 600
#define N_NUMBERS  4 /* r6 to r9; r9 counts loops */
#define FIRST      SKEP_R6
#define N_SLOTS    4
#define MOST_JUMPS 8      /* forward, not landed yet */
#define MOST_PATHS 200000 /* instructions on all of them, where none is cut short */

static uint64_t random_state;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static unsigned pick(unsigned n)
{
	return (unsigned)(random64() >> 33) % n;
}

/* --- Programs -------------------------------------------------------------------------------- */

struct program {
	struct skep_insn insns[MOST_INSNS];
	unsigned n;
	struct {
		unsigned at, items; /* lands after so many */
	} jumps[MOST_JUMPS];
	unsigned n_jumps;
	struct {
		unsigned at, func;
	} calls[16];
	unsigned n_calls;
};

static void add(struct program *p, uint8_t code, unsigned dst, unsigned src, int off, int32_t imm)
{
	p->insns[p->n++] =
		(struct skep_insn){code, (uint8_t)dst & 15, (uint8_t)src & 15, (int16_t)off, imm};
}

static unsigned number(void)
{
	return FIRST + pick(N_NUMBERS - 1);
}

static void add_unknown(struct program *p, unsigned reg)
{
	add(p, SKEP_JMP | SKEP_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, reg, SKEP_R0, 0, 0);
	if (pick(3))
		add(p, SKEP_ALU64 | SKEP_AND | SKEP_K, reg, 0, 0, (1 << pick(6)) - 1);
}

static void add_alu(struct program *p)
{
	static const uint8_t ops[] = {SKEP_ADD, SKEP_SUB, SKEP_AND, SKEP_OR,
				      SKEP_XOR, SKEP_MUL, SKEP_MOV, SKEP_MOV};
	uint8_t code = ops[pick(sizeof(ops))] | (pick(4) ? SKEP_ALU64 : SKEP_ALU);
	unsigned dst = number();

	if (pick(2))
		add(p, code | SKEP_K, dst, 0, 0, (int32_t)pick(9) - 2);
	else
		add(p, code | SKEP_X, dst, number(), 0, 0);
}

static int slot(void)
{
	return -8 * (int)(1 + pick(N_SLOTS));
}

static void add_spill(struct program *p)
{
	uint8_t size = pick(4) ? SKEP_DW : SKEP_W;

	if (pick(4))
		add(p, SKEP_STX | SKEP_MEM | size, SKEP_R10, number(), slot(), 0);
	else
		add(p, SKEP_ST | SKEP_MEM | size, SKEP_R10, 0, slot(), (int32_t)pick(3));
}

static void add_fill(struct program *p)
{
	add(p, SKEP_LDX | SKEP_MEM | (pick(4) ? SKEP_DW : SKEP_W), number(), SKEP_R10, slot(), 0);
}

static uint8_t condition(void)
{
	static const uint8_t ops[] = {SKEP_JEQ, SKEP_JNE,  SKEP_JGT,  SKEP_JGE, SKEP_JLT,
				      SKEP_JLE, SKEP_JSGT, SKEP_JSLT, SKEP_JSET};

	return ops[pick(sizeof(ops))] | (pick(4) ? SKEP_JMP : SKEP_JMP32);
}

static void add_jump(struct program *p)
{
	if (p->n_jumps == MOST_JUMPS)
		return;
	p->jumps[p->n_jumps].at = p->n;
	p->jumps[p->n_jumps++].items = 1 + pick(5);
	if (pick(3))
		add(p, condition() | SKEP_K, number(), 0, 0, (int32_t)pick(9) - 2);
	else
		add(p, condition() | SKEP_X, FIRST + pick(2), FIRST + 2, 0, 0);
}

/* A byte of the stack, which one a number tells: it must be exact, and may be out of bounds. */
static void add_pointer(struct program *p)
{
	unsigned reg = number();

	if (pick(8))
		add(p, SKEP_ALU64 | SKEP_AND | SKEP_K, reg, 0, 0, (1 << (1 + pick(4))) - 1);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, SKEP_R1, SKEP_R10, 0, 0);
	add(p, SKEP_ALU64 | SKEP_ADD | SKEP_X, SKEP_R1, reg, 0, 0);
	add(p, SKEP_ST | SKEP_MEM | SKEP_B, SKEP_R1, 0, -64, 1);
}

/* r0 and r6 to r9 are what they were, r1 to r5 are not. */
static void add_call(struct program *p)
{
	if (p->n_calls == sizeof(p->calls) / sizeof(p->calls[0]))
		return;
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, SKEP_R1, number(), 0, 0);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, SKEP_R2, number(), 0, 0);
	p->calls[p->n_calls].at = p->n;
	p->calls[p->n_calls++].func = pick(2);
	add(p, SKEP_JMP | SKEP_CALL, 0, 1, 0, 0);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, number(), SKEP_R0, 0, 0);
}

static void land(struct program *p)
{
	for (unsigned i = 0; i < p->n_jumps;) {
		if (p->jumps[i].items-- && p->jumps[i].items) {
			i++;
			continue;
		}
		p->insns[p->jumps[i].at].off = (int16_t)(p->n - p->jumps[i].at - 1);
		p->jumps[i] = p->jumps[--p->n_jumps];
	}
}

static void add_item(struct program *p, bool calls)
{
	static void (*const items[])(struct program * p) = {
		add_alu,  add_alu,  add_alu,  add_spill, add_fill,    add_spill, add_fill,
		add_jump, add_jump, add_jump, add_jump,  add_pointer, add_call,
	};
	unsigned n = sizeof(items) / sizeof(items[0]) - !calls;

	items[pick(n)](p);
	land(p);
	if (!pick(8))
		add_unknown(p, number());
}

static void add_items(struct program *p, unsigned n, bool calls)
{
	for (unsigned i = 0; i < n; i++)
		add_item(p, calls);
	while (p->n_jumps)
		land(p);
}

/* r9 counts down; in what is repeated nothing else writes it. */
static void add_loop(struct program *p)
{
	unsigned head;

	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_K, SKEP_R9, 0, 0, 1 + (int32_t)pick(12));
	head = p->n;
	add_items(p, 1 + pick(4), false);
	add(p, SKEP_ALU64 | SKEP_ADD | SKEP_K, SKEP_R9, 0, 0, -1);
	add(p, SKEP_JMP | SKEP_JNE | SKEP_K, SKEP_R9, 0, (int)head - (int)p->n - 1, 0);
}

static void add_beginning(struct program *p)
{
	for (unsigned i = 0; i < N_NUMBERS; i++)
		add(p, SKEP_ALU64 | SKEP_MOV | SKEP_K, FIRST + i, 0, 0, (int32_t)pick(4));
	for (int i = 1; i <= N_SLOTS; i++)
		add(p, SKEP_STX | SKEP_MEM | SKEP_DW, SKEP_R10, number(), -8 * i, 0);
	add_unknown(p, FIRST);
	add_unknown(p, FIRST + 1);
}

static void add_function(struct program *p, unsigned func)
{
	for (unsigned i = 0; i < p->n_calls; i++)
		if (p->calls[i].func == func)
			p->insns[p->calls[i].at].imm = (int32_t)(p->n - p->calls[i].at - 1);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, SKEP_R6, SKEP_R1, 0, 0);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, SKEP_R7, SKEP_R2, 0, 0);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_K, SKEP_R8, 0, 0, 1);
	for (int i = 1; i <= N_SLOTS; i++)
		add(p, SKEP_ST | SKEP_MEM | SKEP_DW, SKEP_R10, 0, -8 * i, 0);
	add_items(p, 1 + pick(5), false);
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, SKEP_R0, number(), 0, 0);
	add(p, SKEP_JMP | SKEP_EXIT, 0, 0, 0, 0);
}

static void make_program(struct program *p, uint64_t seed)
{
	unsigned parts;

	random_state = seed * 0x9e3779b97f4a7c15 + 1;
	pick(1);
	p->n = p->n_jumps = p->n_calls = 0;
	add_beginning(p);
	parts = 1 + pick(3);
	for (unsigned i = 0; i < parts; i++) {
		add_items(p, 2 + pick(8), true);
		if (!pick(3))
			add_loop(p);
	}
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_K, SKEP_R0, 0, 0, 0);
	add(p, SKEP_JMP | SKEP_EXIT, 0, 0, 0, 0);
	for (unsigned func = 0; func < 2; func++)
		for (unsigned i = 0; i < p->n_calls; i++)
			if (p->calls[i].func == func) {
				add_function(p, func);
				break;
			}
}

/* --- What a verifier says -------------------------------------------------------------------- */

struct outcome {
	int err; /* 0 | -errno */
	unsigned processed, per_insn, states, peak;
};

static char kernel_log[LOG_BYTES];

static bool by_kernel(const struct program *p, unsigned flags, unsigned level, struct outcome *ret)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			       .insns = (uintptr_t)p->insns,
			       .insn_cnt = p->n,
			       .license = (uintptr_t) "GPL",
			       .prog_flags = flags,
			       .log_level = level,
			       .log_buf = (uintptr_t)kernel_log,
			       .log_size = LOG_BYTES};
	int fd;
	const char *line;

	kernel_log[0] = '\0';
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	*ret = (struct outcome){.err = fd < 0 ? -errno : 0};
	if (fd >= 0)
		close(fd);
	line = strstr(kernel_log, "processed ");
	return line && sscanf(line,
			      "processed %u insns (limit 1000000) max_states_per_insn %u "
			      "total_states %u peak_states %u",
			      &ret->processed, &ret->per_insn, &ret->states, &ret->peak) == 4;
}

static int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = skep_helper(id);
	return *ret ? 0 : -EINVAL;
}

static bool by_us(const struct program *p, const struct skep_verify_opts *opts,
		  struct skep_buf *log, struct outcome *ret)
{
	static const struct skep_link_env env = {.helper = find_helper};
	struct skep_verify_program program = {.insns = p->insns, .gpl = true};
	struct skep_verify_report report;
	struct skep_image *image = NULL;

	if (skep_image_link(p->insns, p->n, BPF_PROG_TYPE_SOCKET_FILTER, &env, log, &image))
		return false;
	program.image = image;
	ret->err = skep_verify(&program, opts, log, &report);
	ret->processed = report.n_processed;
	ret->per_insn = report.most_states_per_insn;
	ret->states = report.n_states;
	ret->peak = report.peak_states;
	skep_image_free(image);
	return true;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->err == b->err && a->processed == b->processed && a->per_insn == b->per_insn &&
	       a->states == b->states && a->peak == b->peak;
}

static void print_outcome(const char *who, const struct outcome *o)
{
	fprintf(stderr, "%s: %d, processed %u per_insn %u states %u peak %u\n", who, o->err,
		o->processed, o->per_insn, o->states, o->peak);
}

/* --- The comparison -------------------------------------------------------------------------- */

/** Shared with the child. */
struct progress {
	uint64_t seed;
	unsigned n_compared, n_accepted, n_refused, n_wrong;
	unsigned n_lines; /* about precision, the same */
};

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void note(uint64_t seed)
{
	const char *path = getenv("SKEP_STATES_NOTE");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	fprintf(file, "%llu\n", (unsigned long long)seed);
	fflush(file);
	fsync(fileno(file));
	fclose(file);
}

static void complain(const struct program *p, uint64_t seed, unsigned flags)
{
	const struct skep_verify_opts opts = {.log_level = 2, .test_state_freq = flags};
	_cleanup_buf_ struct skep_buf log = {0};
	struct outcome kernel, ours;

	by_kernel(p, flags, 2, &kernel);
	by_us(p, &opts, &log, &ours);
	fprintf(stderr, "seed %llu, flags %u\n", (unsigned long long)seed, flags);
	print_outcome("kernel", &kernel);
	print_outcome("ours", &ours);
	if (getenv("SKEP_STATES_LOGS"))
		fprintf(stderr, "--- kernel\n%s--- ours\n%s", kernel_log, log.data ? log.data : "");
}

/* The next line about precision, without what is between; NULL: no more. */
static const char *precision_line(const char **log, size_t *ret_len)
{
	static const char *const begins[] = {"mark_precise: ", "force_precise: ", "frame "};

	while (**log) {
		const char *line = *log, *end = strchrnul(line, '\n');

		*log = end + (*end == '\n');
		*ret_len = (size_t)(end - line);
		for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
			if (!strncmp(line, begins[i], strlen(begins[i])))
				return line;
	}
	return NULL;
}

/* Two logs say the same of precision. */
static bool same_precision(const char *a, const char *b, unsigned *lines)
{
	for (;; ++*lines) {
		size_t a_len = 0, b_len = 0;
		const char *a_line = precision_line(&a, &a_len);
		const char *b_line = precision_line(&b, &b_len);

		if (!a_line || !b_line)
			return !a_line && !b_line;
		if (a_len != b_len || memcmp(a_line, b_line, a_len))
			return false;
	}
}

static bool logs_agree(const struct program *p, unsigned flags, unsigned *lines)
{
	const struct skep_verify_opts opts = {.log_level = 2, .test_state_freq = flags};
	_cleanup_buf_ struct skep_buf log = {0};
	struct outcome kernel, ours;

	return by_kernel(p, flags, 2, &kernel) && by_us(p, &opts, &log, &ours) &&
	       same_precision(kernel_log, log.data ? log.data : "", lines);
}

/* Every path to its end: the same verdict, if that is not too many. */
static bool agrees_without_pruning(const struct program *p, const struct outcome *kernel)
{
	const struct skep_verify_opts opts = {.no_pruning = true, .most_insns = MOST_PATHS};
	struct outcome ours;

	if (!by_us(p, &opts, NULL, &ours))
		return false;
	return ours.err == -E2BIG || ours.err == kernel->err;
}

static bool agree(const struct program *p, unsigned flags, struct outcome *kernel)
{
	const struct skep_verify_opts opts = {.test_state_freq = flags};
	struct outcome ours;

	if (!by_kernel(p, flags, 4, kernel) || !by_us(p, &opts, NULL, &ours))
		return false;
	return same(kernel, &ours) && agrees_without_pruning(p, kernel);
}

static void compare_all(struct progress *progress)
{
	uint64_t n = from_environment("SKEP_STATES_PROGRAMS", 400);
	uint64_t seed = from_environment("SKEP_STATES_SEED", 1);
	struct program p;

	for (uint64_t i = 0; i < n && progress->n_wrong < 3; i++) {
		unsigned flags = (seed + i) % 4 ? 0 : BPF_F_TEST_STATE_FREQ;
		struct outcome kernel = {0};

		progress->seed = seed + i;
		note(seed + i);
		make_program(&p, seed + i);
		if (!agree(&p, flags, &kernel) ||
		    (i % 8 < 2 && !logs_agree(&p, flags, &progress->n_lines))) {
			complain(&p, seed + i, flags);
			progress->n_wrong++;
		}
		progress->n_compared++;
		progress->n_accepted += !kernel.err;
		progress->n_refused += !!kernel.err;
	}
}

static bool kernel_answers(void)
{
	struct program p = {.n = 0};
	struct outcome kernel;

	add(&p, SKEP_ALU64 | SKEP_MOV | SKEP_K, SKEP_R0, 0, 0, 0);
	add(&p, SKEP_JMP | SKEP_EXIT, 0, 0, 0, 0);
	return by_kernel(&p, 0, 4, &kernel) && !kernel.err;
}

static void test_states_are_the_kernels(void **state)
{
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(progress, MAP_FAILED);
	if (!kernel_answers()) {
		print_message("skipped: bpf(2) is refused\n");
		skip();
	}
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		compare_all(progress);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("seed %llu ended the child: %x", (unsigned long long)progress->seed,
			 (unsigned)status);
	print_message("%u programs, %u accepted, %u refused; %u lines about precision\n",
		      progress->n_compared, progress->n_accepted, progress->n_refused,
		      progress->n_lines);
	assert_int_equal(progress->n_wrong, 0);
	assert_true(progress->n_accepted && progress->n_refused && progress->n_lines);
	munmap(progress, sizeof(*progress));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_are_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
