/*
 * What each pass does to a small function, seen in the code that comes out.
 *
 * A case builds a function of the context (x, y are the first two words of
 * it); the expected code follows "r.. = *(u64 *)(r1 +0)" style of the kernel.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

struct context {
	struct module *m;
	struct skep_ir_func *f;
	uint32_t ctx;
};

static uint32_t word(struct context *c, int32_t i)
{
	return skep_ir_load(c->f, 8, R(c->ctx), 8 * i);
}

static void leave(struct context *c, uint32_t reg)
{
	skep_ir_exit(c->f, R(reg));
}

/* --- fold.c -------------------------------------------------------------------------- */

static void constants(struct context *c)
{
	uint32_t a = skep_ir_mov(c->f, I(6)), b = skep_ir_alu(c->f, SKEP_IR_MUL, R(a), I(7));

	leave(c, skep_ir_alu(c->f, SKEP_IR_SUB, R(b), R(a)));
}

static void identities(struct context *c)
{
	uint32_t x = word(c, 0);

	x = skep_ir_alu(c->f, SKEP_IR_ADD, R(x), I(0));
	x = skep_ir_alu(c->f, SKEP_IR_MUL, I(1), R(x));
	x = skep_ir_alu(c->f, SKEP_IR_UDIV, R(x), I(8));
	x = skep_ir_alu(c->f, SKEP_IR_UMOD, R(x), I(1024));
	leave(c, skep_ir_alu(c->f, SKEP_IR_OR, R(x), I(0)));
}

static void add_chain(struct context *c)
{
	uint32_t x = word(c, 0);

	x = skep_ir_alu(c->f, SKEP_IR_ADD, R(x), I(10));
	x = skep_ir_alu(c->f, SKEP_IR_SUB, R(x), I(3));
	leave(c, skep_ir_alu(c->f, SKEP_IR_ADD, R(x), I(5)));
}

static void zero_extension_of_narrow(struct context *c)
{
	uint32_t slot = skep_ir_slot(c->f, 8, 8), x;

	skep_ir_store(c->f, 8, S(slot, 0), 0, R(word(c, 0)));
	x = skep_ir_load(c->f, 2, S(slot, 0), 2);
	leave(c, skep_ir_extend(c->f, R(x), 4, false));
}

static void fused_branch(struct context *c)
{
	uint32_t x = word(c, 0), small = skep_ir_cmp(c->f, SKEP_IR_ULT, R(x), I(10));
	uint32_t not = skep_ir_cmp(c->f, SKEP_IR_EQ, R(small), I(0));
	uint32_t yes = skep_ir_block(c->f), no = skep_ir_block(c->f);

	skep_ir_branch(c->f, SKEP_IR_NE, R(not ), I(0), yes, no);
	skep_ir_at(c->f, yes);
	skep_ir_exit(c->f, I(1));
	skep_ir_at(c->f, no);
	skep_ir_exit(c->f, I(2));
}

static void mask_test(struct context *c)
{
	uint32_t x = word(c, 0), bit = skep_ir_alu(c->f, SKEP_IR_AND, R(x), I(4));
	uint32_t yes = skep_ir_block(c->f), no = skep_ir_block(c->f);

	skep_ir_branch(c->f, SKEP_IR_EQ, R(bit), I(0), no, yes);
	skep_ir_at(c->f, yes);
	skep_ir_exit(c->f, I(1));
	skep_ir_at(c->f, no);
	skep_ir_exit(c->f, I(2));
}

static void folded_address(struct context *c)
{
	uint32_t at = skep_ir_alu(c->f, SKEP_IR_ADD, R(c->ctx), I(16));

	at = skep_ir_addr(c->f, R(at), 8);
	leave(c, skep_ir_load(c->f, 8, R(at), 8));
}

/* --- dead.c -------------------------------------------------------------------------- */

static void unused(struct context *c)
{
	uint32_t x = word(c, 0), n = skep_ir_var(c->f);

	word(c, 3);
	skep_ir_set(c->f, n, I(0));
	skep_ir_set(c->f, n, R(skep_ir_alu(c->f, SKEP_IR_ADD, R(n), R(x))));
	skep_ir_map_value(c->f, 0, 0);
	skep_ir_exit(c->f, I(0));
}

static void overwritten(struct context *c)
{
	uint32_t n = skep_ir_var(c->f), yes = skep_ir_block(c->f), no = skep_ir_block(c->f);

	skep_ir_set(c->f, n, R(word(c, 1)));
	skep_ir_branch(c->f, SKEP_IR_EQ, R(word(c, 0)), I(0), yes, no);
	skep_ir_at(c->f, yes);
	skep_ir_set(c->f, n, I(5));
	skep_ir_jump(c->f, no);
	skep_ir_at(c->f, no);
	skep_ir_set(c->f, n, R(skep_ir_alu(c->f, SKEP_IR_AND, R(word(c, 2)), I(3))));
	leave(c, n);
}

/* --- cfg.c, thread.c ----------------------------------------------------------------- */

static void unreachable(struct context *c)
{
	uint32_t nowhere = skep_ir_block(c->f), next = skep_ir_block(c->f);

	skep_ir_jump(c->f, next);
	skep_ir_call(c->f, BPF_FUNC_ktime_get_ns, 0, NULL); /* the block has ended */
	skep_ir_at(c->f, nowhere);
	skep_ir_call(c->f, BPF_FUNC_ktime_get_ns, 0, NULL);
	skep_ir_jump(c->f, next);
	skep_ir_at(c->f, next);
	skep_ir_exit(c->f, I(3));
}

/* if (x < 5 && y < 6) return 1; return 0; through a variable */
static void and_condition(struct context *c)
{
	struct skep_ir_func *f = c->f;
	uint32_t both = skep_ir_var(f), second = skep_ir_block(f), no = skep_ir_block(f);
	uint32_t join = skep_ir_block(f), yes = skep_ir_block(f), end = skep_ir_block(f);
	uint32_t x = word(c, 0), y = word(c, 1);

	skep_ir_branch(f, SKEP_IR_ULT, R(x), I(5), second, no);
	skep_ir_at(f, second);
	skep_ir_set(f, both, R(skep_ir_cmp(f, SKEP_IR_ULT, R(y), I(6))));
	skep_ir_jump(f, join);
	skep_ir_at(f, no);
	skep_ir_set(f, both, I(0));
	skep_ir_jump(f, join);
	skep_ir_at(f, join);
	skep_ir_branch(f, SKEP_IR_NE, R(both), I(0), yes, end);
	skep_ir_at(f, yes);
	skep_ir_exit(f, I(1));
	skep_ir_at(f, end);
	skep_ir_exit(f, I(0));
}

/* for (i = 0; i < x; i++) sum += i */
static void loop(struct context *c)
{
	struct skep_ir_func *f = c->f;
	uint32_t x = word(c, 0), i = skep_ir_var(f), sum = skep_ir_var(f);
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f), out = skep_ir_block(f);

	skep_ir_set(f, i, I(0));
	skep_ir_set(f, sum, I(0));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_loop_guard(f, out);
	skep_ir_branch(f, SKEP_IR_UGE, R(i), R(x), out, body);
	skep_ir_at(f, body);
	skep_ir_set(f, sum, R(skep_ir_alu(f, SKEP_IR_ADD, R(sum), R(i))));
	skep_ir_set(f, i, R(skep_ir_alu(f, SKEP_IR_ADD, R(i), I(1))));
	skep_ir_jump(f, head);
	skep_ir_at(f, out);
	leave(c, sum);
}

/* --- lower.c, encode.c --------------------------------------------------------------- */

static void wide_constants(struct context *c)
{
	uint32_t x = word(c, 0);

	x = skep_ir_alu(c->f, SKEP_IR_AND, R(x), I(UINT32_MAX));
	x = skep_ir_alu(c->f, SKEP_IR_XOR, R(x), I(0x80000000u));
	leave(c, skep_ir_alu(c->f, SKEP_IR_ADD, R(x), I(0x100000000)));
}

static void stored_constants(struct context *c)
{
	uint32_t slot = skep_ir_slot(c->f, 16, 8);

	skep_ir_store(c->f, 8, S(slot, 0), 0, I(-1));
	skep_ir_store(c->f, 4, S(slot, 8), 0, I(0xffffffff));
	skep_ir_store(c->f, 1, S(slot, 0), 15, I(255));
	leave(c, skep_ir_load(c->f, 8, R(skep_ir_addr(c->f, S(slot, 0), 8)), 0));
}

static void private_atomic(struct context *c)
{
	uint32_t slot = skep_ir_slot(c->f, 8, 8);

	skep_ir_store(c->f, 8, S(slot, 0), 0, I(4));
	skep_ir_atomic_add(c->f, 8, S(slot, 0), 0, I(2));
	leave(c, skep_ir_xchg(c->f, 8, S(slot, 0), 0, I(0)));
}

static void not_commuting(struct context *c)
{
	uint32_t v = skep_ir_var(c->f), x = word(c, 0);

	skep_ir_set(c->f, v, R(word(c, 1)));
	skep_ir_set(c->f, v, R(skep_ir_alu(c->f, SKEP_IR_SUB, R(x), R(v))));
	leave(c, v);
}

/* A comparison whose result replaces one of its operands. */
static void compared_with_itself(struct context *c)
{
	uint32_t v = skep_ir_var(c->f), x = word(c, 0);

	skep_ir_set(c->f, v, R(word(c, 1)));
	skep_ir_call(c->f, BPF_FUNC_ktime_get_ns, 0, NULL);
	skep_ir_set(c->f, v, R(skep_ir_cmp(c->f, SKEP_IR_ULE, R(x), R(v))));
	leave(c, v);
}

/* --- alloc.c ------------------------------------------------------------------------- */

/* Arguments are computed where the call wants them, results left where it puts them. */
static void coalesced(struct context *c)
{
	uint32_t x = word(c, 0), slot = skep_ir_slot(c->f, 16, 8);

	skep_ir_zero(c->f, S(slot, 0), 0, 16, 8);
	x = skep_ir_alu(c->f, SKEP_IR_AND, R(x), I(8));
	leave(c, skep_ir_calln(c->f, BPF_FUNC_probe_read_kernel, S(slot, 0), R(x), I(0)));
}

static const struct test {
	const char *name;
	void (*build)(struct context *c);
	uint32_t result; /* for x = 9, y = 4 and a third word of 7 */
	const char *code;
} tests[] = {
	{"constants", constants, 36, "r0 = 36; exit"},
	{"identities", identities, 1, "r0 = *(u64 *)(r1 +0); r0 >>= 3; r0 &= 1023; exit"},
	{"add_chain", add_chain, 21, "r0 = *(u64 *)(r1 +0); r0 += 12; exit"},
	{"zero_extension_of_narrow", zero_extension_of_narrow, 0,
	 "r5 = *(u64 *)(r1 +0); *(u64 *)(r10 -8) = r5; r0 = *(u16 *)(r10 -6); exit"},
	{"fused_branch", fused_branch, 2,
	 "r5 = *(u64 *)(r1 +0); if r5 < 0xa goto pc+2; r0 = 1; exit; r0 = 2; exit"},
	{"mask_test", mask_test, 2,
	 "r5 = *(u64 *)(r1 +0); if r5 & 0x4 goto pc+2; r0 = 2; exit; r0 = 1; exit"},
	{"folded_address", folded_address, 0, "r0 = *(u64 *)(r1 +32); exit"},
	{"unused", unused, 0, "r0 = 0; exit"},
	{"overwritten", overwritten, 3, "r0 = *(u64 *)(r1 +16); r0 &= 3; exit"},
	{"unreachable", unreachable, 3, "r0 = 3; exit"},
	{"and_condition", and_condition, 0,
	 "r5 = *(u64 *)(r1 +0); r4 = *(u64 *)(r1 +8); if r5 >= 0x5 goto pc+3; "
	 "if r4 >= 0x6 goto pc+2; r0 = 1; exit; r0 = 0; exit"},
	{"loop", loop, 36,
	 "r5 = *(u64 *)(r1 +0); r4 = 0; r0 = 0; may_goto pc+4; if r4 >= r5 goto pc+3; "
	 "r0 += r4; r4 += 1; goto pc-5; exit"},
	{"wide_constants", wide_constants, 0x80000009,
	 "r0 = *(u64 *)(r1 +0); w0 = w0; w5 = -2147483648; r0 ^= r5; r5 = 0x100000000; "
	 "r0 += r5; exit"},
	{"stored_constants", stored_constants, 0xffffffff,
	 "*(u64 *)(r10 -16) = -1; *(u32 *)(r10 -8) = -1; *(u8 *)(r10 -1) = 255; "
	 "r0 = *(u64 *)(r10 -8); exit"},
	{"private_atomic", private_atomic, 6,
	 "*(u64 *)(r10 -8) = 4; r5 = *(u64 *)(r10 -8); r5 += 2; *(u64 *)(r10 -8) = r5; "
	 "r0 = *(u64 *)(r10 -8); *(u64 *)(r10 -8) = 0; exit"},
	{"not_commuting", not_commuting, 5,
	 "r0 = *(u64 *)(r1 +0); r5 = *(u64 *)(r1 +8); r0 -= r5; exit"},
	{"compared_with_itself", compared_with_itself, 0,
	 "r6 = *(u64 *)(r1 +0); r7 = *(u64 *)(r1 +8); call bpf_ktime_get_ns#5; r0 = 1; "
	 "if r6 <= r7 goto pc+1; r0 = 0; exit"},
	{"coalesced", coalesced, (uint32_t)-ERANGE, /* what reading address 0 gives */
	 "r2 = *(u64 *)(r1 +0); *(u64 *)(r10 -16) = 0; *(u64 *)(r10 -8) = 0; r2 &= 8; "
	 "r1 = r10; r1 += -16; r3 = 0; call bpf_probe_read_kernel#113; exit"},
};

/* The disassembly without positions and codes, joined by "; ". */
static char *plain(const char *code)
{
	struct skep_buf out = {0};

	while (*code) {
		const char *text = strstr(code, ") ") + 2, *end = strchr(code, '\n');

		if (out.len)
			skep_buf_puts(&out, "; ");
		skep_buf_add(&out, text, (size_t)(end - text));
		code = end + 1;
	}
	return out.data;
}

static void test_code(void **state)
{
	static const uint64_t inputs[N_INPUTS] = {9, 4, 7};

	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		struct module m;
		struct context c = {.m = &m};
		char *code, *text;

		module_init(&m, &newest);
		module_add_map(&m, BPF_MAP_TYPE_ARRAY, 4, 8, 1);
		c.f = m.f;
		c.ctx = skep_ir_param(m.f, 0);
		tests[i].build(&c);
		module_make(&m);
		code = module_code(&m);
		text = plain(code);
		if (strcmp(text, tests[i].code))
			fprintf(stderr, "%s:\n  is     %s\n  should %s\n", tests[i].name, text,
				tests[i].code);
		assert_string_equal(text, tests[i].code);
		assert_int_equal(module_run(&m, inputs), tests[i].result);
		free(code);
		free(text);
		module_done(&m);
	}
}

static void test_print(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct module m;
	struct context c = {.m = &m};
	uint32_t slot, next;

	module_init(&m, &newest);
	c.f = m.f;
	c.ctx = skep_ir_param(m.f, 0);
	slot = skep_ir_slot(m.f, 16, 8);
	skep_ir_store(m.f, 4, S(slot, 8), 4, R(word(&c, 1)));
	next = skep_ir_block(m.f);
	skep_ir_branch(m.f, SKEP_IR_SLT, R(c.ctx), I(-3), next, next);
	skep_ir_at(m.f, next);
	leave(&c, skep_ir_calln(m.f, 113, S(slot, 0), I(16)));
	skep_ir_print(m.ir, &text);
	assert_string_equal(text.data, "prog test\n"
				       "\t$0: 16 bytes\n"
				       "b0:\n"
				       "\t%0 = param 0\n"
				       "\t%1 = load u64 [%0+8]\n"
				       "\tstore u32 [$0+8+4], %1\n"
				       "\tbranch slt %0, -3 b1 else b1\n"
				       "b1:\n"
				       "\t%2 = call 113 $0, 16\n"
				       "\texit %2\n");
	module_done(&m);
}

/* The arithmetic that folding does is the machine's, corners included. */
static void test_eval(void **state)
{
	assert_int_equal(skep_ir_eval_alu(SKEP_IR_SDIV, 1ull << 63, ~0ull), 1ull << 63);
	assert_int_equal(skep_ir_eval_alu(SKEP_IR_SMOD, 1ull << 63, ~0ull), 0);
	assert_int_equal(skep_ir_eval_alu(SKEP_IR_UDIV, 5, 0), 0);
	assert_int_equal(skep_ir_eval_alu(SKEP_IR_SMOD, (uint64_t)-5, 0), (uint64_t)-5);
	assert_int_equal(skep_ir_eval_alu(SKEP_IR_SMOD, (uint64_t)-5, 3), (uint64_t)-2);
	assert_int_equal(skep_ir_eval_alu(SKEP_IR_SHL, 1, 65), 2);
	assert_int_equal(skep_ir_eval_alu(SKEP_IR_SAR, 1ull << 63, 63), ~0ull);
	assert_int_equal(skep_ir_eval_extend(0x80, 1, true), ~0x7full);
	assert_int_equal(skep_ir_eval_bswap(0x1122334455667788, 2), 0x8877);
	assert_int_equal(skep_ir_eval_bswap(0x1122334455667788, 4), 0x88776655);
	for (int cond = 0; cond < SKEP_IR_TEST; cond++) {
		enum skep_ir_cond opposite;

		assert_true(skep_ir_cond_not(cond, &opposite));
		for (int64_t a = -1; a <= 1; a++) {
			for (int64_t b = -1; b <= 1; b++) {
				bool is = skep_ir_eval_cond(cond, a, b);

				assert_int_equal(is, !skep_ir_eval_cond(opposite, a, b));
				assert_int_equal(is,
						 skep_ir_eval_cond(skep_ir_cond_swap(cond), b, a));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_eval),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
