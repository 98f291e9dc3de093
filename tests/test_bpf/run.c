/*
 * Runs the table of cases that test.py cut out of Linux's lib/test_bpf.c (cases.h)
 * with the macros of its tools/include (macros.h): each eBPF case in each way that
 * libskep can run it. A shim stands for what the kernel's headers would bring.
 *
 * The kernel runs these without its verifier. Some are programs that it would
 * refuse: linking does (unreachable instructions, no end), or the checked
 * interpreter (what was never written is read). They are "refused", no more.
 *
 * Prints "passed P failed F refused R" after a line for each that is not passed.
 */
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <skep/check.h>
#include <skep/helper.h>
#include <skep/image.h>

#include "base/buf.h"

/* --- what the table asks of the kernel ------------------------------------------------------- */

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
typedef int64_t s64;
typedef int32_t s32;
typedef int16_t s16;
typedef int8_t s8;

#define BIT(n)                        (1u << (n))
#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define GFP_KERNEL                    0
#define kmalloc_array(n, size, flags) malloc((n) * (size))
#define kcalloc(n, size, flags)       calloc(n, size)
#define kzalloc(size, flags)          calloc(1, size)
#define kmalloc(size, flags)          malloc(size)
#define kfree(at)                     free(at)
#define vmalloc(size)                 malloc(size)
#define vzalloc(size)                 calloc(1, size)
#define vfree(at)                     free(at)
#define kvfree(at)                    free(at)
#define noinline                      __attribute__((noinline))
#define min(a, b)                     ((a) < (b) ? (a) : (b))
#define max(a, b)                     ((a) > (b) ? (a) : (b))
#define abs_diff(a, b)                ((a) > (b) ? (a) - (b) : (b) - (a))
#define swap(a, b)                                                                                 \
	do {                                                                                       \
		typeof(a) t_ = (a);                                                                \
		(a) = (b);                                                                         \
		(b) = t_;                                                                          \
	} while (0)
#define div64_u64(a, b)        ((u64)(a) / (u64)(b))
#define div64_u64_rem(a, b, r) ((*(r) = (u64)(a) % (u64)(b)), (u64)(a) / (u64)(b))
#define div64_s64(a, b)        ((s64)(a) / (s64)(b))
#define do_div(n, base)                                                                            \
	({                                                                                         \
		u64 rest_ = (n) % (base);                                                          \
		(n) /= (base);                                                                     \
		rest_;                                                                             \
	})
/* Constants; the test is for hosts with the lower byte first. */
#define cpu_to_le16(x) (x)
#define cpu_to_le32(x) (x)
#define cpu_to_le64(x) (x)
#define cpu_to_be16(x) __builtin_bswap16(x)
#define cpu_to_be32(x) __builtin_bswap32(x)
#define cpu_to_be64(x) __builtin_bswap64(x)
#define WARN_ON(x)     (x)
#define BUG_ON(x)      ((x) ? abort() : (void)0)
#define ETH_HLEN       14

#define S8_MIN         INT8_MIN
#define S8_MAX         INT8_MAX
#define S16_MIN        INT16_MIN
#define S16_MAX        INT16_MAX
#define S32_MIN        INT32_MIN
#define S32_MAX        INT32_MAX
#define S64_MIN        INT64_MIN
#define S64_MAX        INT64_MAX
#define U8_MAX         UINT8_MAX
#define U16_MAX        UINT16_MAX
#define U32_MAX        UINT32_MAX
#define U64_MAX        UINT64_MAX

/* Only classic programs, which are not run, have random constants. */
struct rnd_state {
	u32 state;
};
#define prandom_seed_state(rnd, seed) ((rnd)->state = (u32)(seed))
#define prandom_u32_state(rnd)        ((rnd)->state = (rnd)->state * 1103515245u + 12345)

#include "macros.h"

/* Forms of instructions that the macros of the kernel's tools leave out. */
#define RAW(code_, dst, src, off_, imm_)                                                           \
	((struct bpf_insn){.code = (code_),                                                        \
			   .dst_reg = (dst),                                                       \
			   .src_reg = (src),                                                       \
			   .off = (off_),                                                          \
			   .imm = (imm_)})
#define __BPF_STMT(code, k)            ((struct sock_filter)BPF_STMT(code, k))
#define __BPF_JUMP(code, k, jt, jf)    ((struct sock_filter)BPF_JUMP(code, k, jt, jf))
#define BPF_ALU64_REG_OFF(op, d, s, o) RAW(BPF_ALU64 | BPF_OP(op) | BPF_X, d, s, o, 0)
#define BPF_ALU64_IMM_OFF(op, d, i, o) RAW(BPF_ALU64 | BPF_OP(op) | BPF_K, d, 0, o, i)
#define BPF_ALU32_REG_OFF(op, d, s, o) RAW(BPF_ALU | BPF_OP(op) | BPF_X, d, s, o, 0)
#define BPF_ALU32_IMM_OFF(op, d, i, o) RAW(BPF_ALU | BPF_OP(op) | BPF_K, d, 0, o, i)
#define BPF_MOVSX64_REG(d, s, o)       RAW(BPF_ALU64 | BPF_MOV | BPF_X, d, s, o, 0)
#define BPF_MOVSX32_REG(d, s, o)       RAW(BPF_ALU | BPF_MOV | BPF_X, d, s, o, 0)
#define BPF_BSWAP(d, bits)             RAW(BPF_ALU64 | BPF_END | BPF_K, d, 0, 0, bits)
#define BPF_LDX_MEMSX(size, d, s, o)   RAW(BPF_LDX | BPF_SIZE(size) | BPF_MEMSX, d, s, o, 0)
#ifndef BPF_MEMSX
#define BPF_MEMSX 0x80
#endif
#define BPF_JMP32_A(i) RAW(BPF_JMP32 | BPF_JA, 0, 0, 0, i)
/* The kernel's mark for its JITs; what it does is to zero the upper half. */
#define BPF_ZEXT_REG(r) RAW(BPF_ALU | BPF_MOV | BPF_X, r, r, 0, 0)

/* The kernel defines one of the two, and the table asks which. */
#undef __BIG_ENDIAN
#include "cases.h"

/* --- a case ---------------------------------------------------------------------------------- */

static const struct skep_exec *const execs[] = {&skep_exec_interp, &skep_exec_checked,
						&skep_exec_jit};
static unsigned passed, failed, refused;

static uint32_t length_of(const struct bpf_test *test)
{
	uint32_t n = MAX_INSNS;

	if (test->fill_helper)
		return test->u.ptr.len;
	while (n > 1 && !test->u.insns_int[n - 1].code && !test->u.insns_int[n - 1].imm)
		n--;
	return n;
}

/* The kernel's test has its packet as an skb in r1; here r1 is a context, the packet is the
 * world's. */
struct setting {
	struct skep_packet packet;
	struct skep_world world;
	struct skep_run run;
	uint8_t ctx[192];
};

static void set(struct setting *s, struct bpf_test *test, int sub)
{
	int size = test->test[sub].data_size;

	*s = (struct setting){.run = {.budget = 100000000, .check = skep_check_new()}};
	if (test->aux & (FLAG_NO_DATA | FLAG_LARGE_MEM))
		return;
	s->packet = (struct skep_packet){.buf = test->data,
					 .meta = test->data,
					 .data = test->data,
					 .end = test->data + size,
					 .limit = test->data + size,
					 .ctx = s->ctx,
					 .network_off = (uint32_t)min(size, ETH_HLEN)};
	if (test->aux & FLAG_SKB_FRAG) {
		s->packet.frags = test->frag_data;
		s->packet.frags_bytes = MAX_DATA;
	}
	s->world.packet = &s->packet;
	s->run.world = &s->world;
	skep_run_grant(&s->run, s->ctx, sizeof(s->ctx), SKEP_MAY_READ | SKEP_MAY_WRITE);
}

static void report(const struct bpf_test *test, const char *exec, uint32_t got, uint32_t expected,
		   const struct setting *s)
{
	const char *why = "";
	uint32_t insn = 0;

	skep_check_fault(s->run.check, &insn, &why);
	printf("%s: %s: %#x, not %#x; stop %d %u %s\n", test->descr, exec, got, expected,
	       s->run.stop, insn, why);
}

/* Did the checked interpreter find what a verifier would? */
static bool is_refusal(const struct setting *s)
{
	const char *why = "";
	uint32_t insn;

	return s->run.stop == SKEP_STOP_FAULT && skep_check_fault(s->run.check, &insn, &why) &&
	       (strstr(why, "never written") || strstr(why, "nothing was put into it"));
}

static enum verdict {
	PASSED,
	REFUSED,
	FAILED
} run_sub(const struct skep_program *program, struct bpf_test *test, int sub)
{
	struct setting s;
	void *ctx = NULL;

	set(&s, test, sub);
	if (test->aux & FLAG_LARGE_MEM) {
		ctx = calloc(1, (size_t)test->test[sub].data_size);
		skep_run_grant(&s.run, ctx, (size_t)test->test[sub].data_size,
			       SKEP_MAY_READ | SKEP_MAY_WRITE);
	} else if (!(test->aux & FLAG_NO_DATA)) {
		ctx = s.ctx;
	}
	uint32_t r0 = (uint32_t)skep_program_run(program, ctx, &s.run);
	bool ok = !s.run.stop && r0 == test->test[sub].result;
	enum verdict verdict = ok ? PASSED : is_refusal(&s) ? REFUSED : FAILED;
	if (!ok)
		report(test, program->exec->name, r0, test->test[sub].result, &s);
	skep_check_free(s.run.check);
	if (test->aux & FLAG_LARGE_MEM)
		free(ctx);
	return verdict;
}

static enum verdict run_in(const struct skep_exec *exec, const struct skep_image *image,
			   struct bpf_test *test)
{
	struct skep_program program = {image, exec, NULL};
	enum verdict worst = PASSED;

	if (exec->compile(image, &(struct skep_exec_opts){.budget = true}, &program.code))
		return FAILED;
	for (int sub = 0; sub < MAX_SUBTESTS; sub++) {
		if (sub && !test->test[sub].data_size && !test->test[sub].result)
			break;
		enum verdict verdict = run_sub(&program, test, sub);
		worst = max(worst, verdict);
	}
	exec->free(program.code);
	return worst;
}

static int no_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	return -ENOENT;
}

static enum verdict link_and_run(struct bpf_test *test, const void *insns)
{
	static const struct skep_link_env env = {.helper = no_helper};
	_cleanup_buf_ struct skep_buf log = {0};
	struct skep_image *image = NULL;
	enum verdict worst = PASSED;

	int err = skep_image_link(insns, length_of(test), 1, &env, &log, &image);
	if (err) {
		printf("%s: not linked: %d %s", test->descr, err, log.data ? log.data : "\n");
		return log.data && (strstr(log.data, "unreachable insn") ||
				    strstr(log.data, "last insn is not an exit or jmp"))
			       ? REFUSED
			       : FAILED;
	}
	/* What the checked interpreter refuses is nothing for the JIT, which trusts. */
	for (size_t i = 0; i < ARRAY_SIZE(execs) && worst != REFUSED; i++) {
		enum verdict verdict = run_in(execs[i], image, test);
		worst = max(worst, verdict);
	}
	skep_image_free(image);
	return worst;
}

static void run_case(struct bpf_test *test)
{
	bool filled = test->fill_helper;

	if (filled && test->fill_helper(test) < 0)
		abort();
	enum verdict verdict =
		link_and_run(test, filled ? test->u.ptr.insns : (void *)test->u.insns_int);
	passed += verdict == PASSED;
	refused += verdict == REFUSED;
	failed += verdict == FAILED;
	if (filled)
		free(test->u.ptr.insns);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		if ((tests[i].aux & TEST_TYPE_MASK) == INTERNAL)
			run_case(&tests[i]);
	}
	printf("passed %u failed %u refused %u\n", passed, failed, refused);
	return failed != 0;
}
