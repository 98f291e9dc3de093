/*
 * What we know of numbers, against what the running kernel knows of them: random programs of
 * arithmetic and conditions are loaded with the verifier's log at level 2, which shows after each
 * instruction what it knows of the registers. Each of those must be, to the letter, what ours says.
 *
 * All conditions jump to the end, so that the first path in the log is the program from top to
 * bottom, until a jump is certain.
 *
 * SKEP_SCALAR_PROGRAMS, SKEP_SCALAR_SEED: how many, from which seed.
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include <skep/isa.h>

#include "base/buf.h"
#include "verify/scalar.h"

#define LOG_BYTES (4u << 20)
#define N_INSNS   40
#define FIRST     SKEP_R6
#define N_NUMBERS 4

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

/* --- programs -------------------------------------------------------------------------------- */

struct program {
	struct skep_insn insns[N_INSNS + 16];
	unsigned n, first; /* the first after the beginning */
};

static void add(struct program *p, uint8_t code, unsigned dst, unsigned src, int off, int32_t imm)
{
	p->insns[p->n++] =
		(struct skep_insn){code, (uint8_t)dst & 15, (uint8_t)src & 15, (int16_t)off, imm};
}

static int32_t random_imm(void)
{
	static const int32_t edges[] = {0,         1,      -1,     2,      7,
					8,         255,    256,    -128,   INT32_MAX,
					INT32_MIN, 0xffff, 0x7fff, -32768, 0x10000};
	unsigned how = pick(4);

	if (how == 0)
		return edges[pick(sizeof(edges) / sizeof(edges[0]))];
	if (how == 1)
		return (int32_t)random64();
	return (int32_t)random64() >> pick(31);
}

static void add_alu(struct program *p)
{
	static const uint8_t ops[] = {SKEP_ADD, SKEP_SUB, SKEP_MUL, SKEP_OR,   SKEP_AND, SKEP_XOR,
				      SKEP_LSH, SKEP_RSH, SKEP_AND, SKEP_ARSH, SKEP_DIV, SKEP_NEG};
	uint8_t op = ops[pick(sizeof(ops) - (pick(4) ? 2 : 0))];
	uint8_t class = pick(2) ? SKEP_ALU64 : SKEP_ALU;
	bool shift = op == SKEP_LSH || op == SKEP_RSH || op == SKEP_ARSH;
	int32_t imm = shift            ? (int32_t)pick(class == SKEP_ALU ? 32 : 64)
		      : op == SKEP_DIV ? 1 + (int32_t)pick(100)
				       : random_imm();

	if (op == SKEP_NEG)
		add(p, class | op, FIRST + pick(N_NUMBERS), 0, 0, 0);
	else if (pick(3))
		add(p, class | op | SKEP_K, FIRST + pick(N_NUMBERS), 0, 0, imm);
	else
		add(p, class | op | SKEP_X, FIRST + pick(N_NUMBERS), FIRST + pick(N_NUMBERS), 0, 0);
}

/* Within one register: one number in two would be linked, which is another matter. */
static void add_mov(struct program *p)
{
	static const int bits[] = {8, 16, 32};
	unsigned dst = FIRST + pick(N_NUMBERS), how = pick(4);

	if (how == 0)
		add(p, SKEP_ALU | SKEP_MOV | SKEP_X, dst, dst, 0, 0);
	else if (how == 1)
		add(p, (pick(2) ? SKEP_ALU64 : SKEP_ALU) | SKEP_MOV | SKEP_K, dst, 0, 0,
		    random_imm());
	else if (how == 2)
		add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, dst, dst, bits[pick(3)], 0);
	else
		add(p, SKEP_ALU | SKEP_MOV | SKEP_X, dst, dst, bits[pick(2)], 0);
}

static void add_jump(struct program *p)
{
	static const uint8_t ops[] = {SKEP_JEQ, SKEP_JNE,  SKEP_JSET, SKEP_JGT,  SKEP_JGE, SKEP_JLT,
				      SKEP_JLE, SKEP_JSGT, SKEP_JSGE, SKEP_JSLT, SKEP_JSLE};
	uint8_t code = ops[pick(sizeof(ops))] | (pick(2) ? SKEP_JMP : SKEP_JMP32);
	unsigned dst = pick(N_NUMBERS), src = (dst + 1 + pick(N_NUMBERS - 1)) % N_NUMBERS;

	/* The kernel compares a register with itself as it does two. */
	if (pick(3))
		add(p, code | SKEP_K, FIRST + dst, 0, 0, random_imm());
	else
		add(p, code | SKEP_X, FIRST + dst, FIRST + src, 0, 0);
}

static bool is_jump(const struct skep_insn *insn)
{
	unsigned class = insn->code & 7;

	return class == SKEP_JMP || class == SKEP_JMP32;
}

/* Four numbers of which nothing is known, operations and conditions, the end. */
static void make_program(struct program *p)
{
	p->n = 0;
	for (unsigned i = 0; i < N_NUMBERS; i++) {
		add(p, SKEP_JMP | SKEP_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32);
		add(p, SKEP_ALU64 | SKEP_MOV | SKEP_X, FIRST + i, SKEP_R0, 0, 0);
	}
	add(p, SKEP_ALU64 | SKEP_MOV | SKEP_K, SKEP_R0, 0, 0, 0);
	p->first = p->n;
	for (unsigned i = 0; i < N_INSNS; i++) {
		unsigned what = pick(8);
		if (what < 4)
			add_alu(p);
		else if (what < 5)
			add_mov(p);
		else
			add_jump(p);
	}
	for (unsigned i = p->first; i < p->n; i++) {
		if (is_jump(&p->insns[i]))
			p->insns[i].off = (int16_t)(p->n - i - 1);
	}
	add(p, SKEP_JMP | SKEP_EXIT, 0, 0, 0, 0);
}

/* --- ours ------------------------------------------------------------------------------------ */

struct numbers {
	struct skep_scalar r[SKEP_N_REGS];
};

static void compute(struct numbers *now, const struct skep_insn *insn)
{
	unsigned width = (insn->code & 7) == SKEP_ALU ? 32 : 64;
	struct skep_scalar *dst = &now->r[insn->dst], zero;
	struct skep_scalar src = insn->code & SKEP_X
					 ? now->r[insn->src]
					 : skep_scalar_const((uint64_t)(int64_t)insn->imm);

	/* The log's first path has -1. */
	skep_scalar_fork(dst, &src, insn->code & 0xf0, &zero);
	if ((insn->code & 0xf0) == SKEP_MOV && insn->off)
		skep_scalar_sign_extend(dst, (unsigned)insn->off / 8, width);
	else
		skep_scalar_alu(dst, &src, insn->code & 0xf0, width);
}

enum next { GOES_ON, JUMPS, CONTRADICTS };

/* Whether the program goes on with the next instruction. */
static enum next decide(struct numbers *now, const struct skep_insn *insn)
{
	unsigned width = (insn->code & 7) == SKEP_JMP32 ? 32 : 64;
	struct skep_scalar constant = skep_scalar_const((uint64_t)(int64_t)insn->imm);
	struct skep_scalar *src = insn->code & SKEP_X ? &now->r[insn->src] : &constant;
	uint8_t op = insn->code & 0xf0;
	enum skep_branch way = skep_scalar_branch(&now->r[insn->dst], src, op, width);

	if (way == SKEP_BRANCH_EITHER &&
	    !skep_scalar_assume(&now->r[insn->dst], src, op, width, false))
		return CONTRADICTS;
	return way == SKEP_BRANCH_ALWAYS ? JUMPS : GOES_ON;
}

/* --- the kernel's ---------------------------------------------------------------------------- */

static char kernel_log[LOG_BYTES];

static int load(const struct program *p)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			       .insns = (uintptr_t)p->insns,
			       .insn_cnt = p->n,
			       .license = (uintptr_t) "GPL",
			       .log_level = 2,
			       .log_buf = (uintptr_t)kernel_log,
			       .log_size = LOG_BYTES};

	kernel_log[0] = '\0';
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* The line of instruction @i in the log's first path; NULL: it does not come there. */
static const char *line_of(unsigned i)
{
	const char *end = strstr(kernel_log, "\nfrom ");
	char start[32];

	snprintf(start, sizeof(start), "\n%u: (", i);
	const char *at = strstr(kernel_log, start);
	return at && (!end || at < end) ? at + 1 : NULL;
}

/* "R6=Pscalar(id=3+8,smin=0)" as "scalar(smin=0)": precision and links are not numbers. */
static void number_in(const char *line, unsigned reg, char *ret, size_t size)
{
	const char *end = strchr(line, '\n'), *at = strchr(line, ';');
	char name[2][8];
	size_t n = 0;

	snprintf(name[0], sizeof(name[0]), " R%u=", reg);
	snprintf(name[1], sizeof(name[1]), " R%u_w=", reg);
	ret[0] = '\0';
	for (int i = 0; i < 2 && at; i++) {
		const char *found = strstr(at, name[i]);
		if (!found || found > end)
			continue;
		found += strlen(name[i]);
		found += *found == 'P';
		for (bool inside = false;
		     *found != '\n' && (inside || *found != ' ') && n < size - 1;) {
			if (!strncmp(found, "id=", 3)) {
				found += strcspn(found, ",)");
				found += *found == ',';
				continue;
			}
			inside = *found == '(' || (inside && *found != ')') ||
				 (inside && found[1] == ')');
			ret[n++] = *found++;
		}
	}
	ret[n] = '\0';
}

static unsigned seed; /* of the program at hand */

/* The log is longer than cmocka prints at once. */
#define fail_here(...)                                                                             \
	do {                                                                                       \
		fputs(kernel_log, stderr);                                                         \
		print_error("seed %u: ", seed);                                                    \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

/* --- both ------------------------------------------------------------------------------------ */

static void compare(const struct program *p, const struct numbers *now, unsigned i, unsigned reg,
		    unsigned *compared)
{
	_cleanup_buf_ struct skep_buf ours = {0};
	char theirs[512];

	number_in(line_of(i), reg, theirs, sizeof(theirs));
	if (!theirs[0])
		return;
	skep_scalar_print(&now->r[reg], &ours);
	(*compared)++;
	if (strcmp(ours.data, theirs))
		fail_here("instruction %u, R%u:\n  kernel %s\n  ours   %s", i, reg, theirs,
			  ours.data);
}

/* Return whether the path ended in a contradiction, behind which nothing is compared: it is never
 * taken, and there is no right answer to what is known on it. */
static bool follow(const struct program *p, unsigned *compared)
{
	struct numbers now;
	enum next next;

	for (unsigned reg = 0; reg < SKEP_N_REGS; reg++)
		now.r[reg] = skep_scalar_any;
	now.r[0] = skep_scalar_const(0);
	for (unsigned i = p->first; i < p->n - 1; i++) {
		const struct skep_insn *insn = &p->insns[i];

		if (!line_of(i))
			fail_here("the kernel does not come to instruction %u", i);
		next = is_jump(insn) ? decide(&now, insn) : (compute(&now, insn), GOES_ON);
		if (next == JUMPS && i + 2 < p->n && line_of(i + 1))
			fail_here("the kernel goes on behind instruction %u", i);
		if (next != GOES_ON)
			return next == CONTRADICTS;
		compare(p, &now, i, insn->dst, compared);
		if (is_jump(insn) && insn->code & SKEP_X)
			compare(p, &now, i, insn->src, compared);
	}
	return false;
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

static void test_numbers_are_the_kernels(void **state)
{
	unsigned programs = from_environment("SKEP_SCALAR_PROGRAMS", 300);
	unsigned compared = 0, contradictions = 0;
	struct program p;

	seed = from_environment("SKEP_SCALAR_SEED", 1);

	for (unsigned i = 0; i < programs; i++, seed++) {
		random_state = seed * 0x9e3779b97f4a7c15;
		make_program(&p);
		int fd = load(&p);
		if (fd < 0 && errno == EPERM) {
			print_message("bpf(2) is refused here\n");
			skip();
		}
		if (fd < 0)
			fail_here("%s", strerror(errno));
		close(fd);
		contradictions += follow(&p, &compared);
	}
	print_message("%u programs, %u numbers compared; %u paths ended in a contradiction\n",
		      programs, compared, contradictions);
	assert_true(compared > programs * 4);
	assert_true(contradictions < programs / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers_are_the_kernels)};

	return cmocka_run_group_tests_name("verify/scalar_kernel", tests, NULL, NULL);
}
