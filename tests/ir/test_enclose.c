/*
 * Callbacks with loops: the call stands in a loop (see enclose.c), which never
 * goes round, and which is all the loop there is in the kernel's books.
 */
#include "support.h"

#include <string.h>

static const uint64_t inputs[N_INPUTS] = {7, 5};

/* Adds the rounds of a loop of its own to the number at the context, which stays below @most. */
static struct skep_ir_func *build_callback(struct module *m, bool has_loop, int64_t most)
{
	struct skep_ir_func *f = skep_ir_subprog(m->f, "callback", 2);
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f), done = skep_ir_block(f);
	uint32_t ctx = skep_ir_param(f, 1), sum = skep_ir_var(f);

	skep_ir_set(f, sum, R(skep_ir_load(f, 8, R(ctx), 0)));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	if (has_loop)
		skep_ir_loop_guard(f, done);
	skep_ir_branch(f, SKEP_IR_ULT, R(sum), I(most), body, done);
	skep_ir_at(f, body);
	skep_ir_set(f, sum, R(skep_ir_alu(f, SKEP_IR_ADD, R(sum), I(1))));
	skep_ir_jump(f, has_loop ? head : done);
	skep_ir_at(f, done);
	skep_ir_store(f, 8, R(ctx), 0, R(sum));
	skep_ir_exit(f, I(0));
	return f;
}

static void build(struct module *m, bool has_loop, int64_t most)
{
	struct skep_ir_func *callback = build_callback(m, has_loop, most);
	uint32_t ctx = skep_ir_slot(m->f, 8, 8);

	skep_ir_store(m->f, 8, S(ctx, 0), 0,
		      R(skep_ir_load(m->f, 8, R(skep_ir_param(m->f, 0)), 0)));
	skep_ir_calln(m->f, BPF_FUNC_loop, I(10), R(skep_ir_func_addr(m->f, callback)), S(ctx, 0),
		      I(0));
	skep_ir_exit(m->f, R(skep_ir_load(m->f, 8, S(ctx, 0), 0)));
}

static bool is_call_of_loop(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == 0 && insn->imm == BPF_FUNC_loop;
}

/* Does a conditional jump lead from behind the call to before it? */
static bool is_enclosed(const struct module *m)
{
	const struct skep_object_prog *prog = &m->object.progs[0];
	size_t call = 0;

	while (call < prog->n_insns && !is_call_of_loop(&prog->insns[call]))
		call++;
	assert_true(call < prog->n_insns);
	for (size_t i = call + 1; i < prog->n_insns; i++) {
		const struct skep_insn *insn = &prog->insns[i];
		if ((insn->code & 7) == SKEP_JMP && insn->off < 0 &&
		    i + 1 + (size_t)(ssize_t)insn->off <= call)
			return true;
	}
	return false;
}

static void test_enclosed(void **state)
{
	struct module m;

	module_init(&m, &newest);
	build(&m, true, 12);
	module_make(&m);
	assert_true(is_enclosed(&m));
	assert_int_equal(module_run(&m, inputs), 12);
	module_done(&m);
}

/* Without a loop in it there is nothing to record. */
static void test_not_enclosed(void **state)
{
	struct module m;

	module_init(&m, &newest);
	build(&m, false, 100);
	module_make(&m);
	assert_false(is_enclosed(&m));
	assert_int_equal(module_run(&m, inputs), 17);
	module_done(&m);
}

/* A callback's callback has it: the outer call is enclosed too. */
static void test_nested(void **state)
{
	struct module m;
	struct skep_ir_func *inner, *outer;
	uint32_t ctx;

	module_init(&m, &newest);
	inner = build_callback(&m, true, 30);
	outer = skep_ir_subprog(m.f, "outer", 2);
	skep_ir_calln(outer, BPF_FUNC_loop, I(2), R(skep_ir_func_addr(outer, inner)),
		      R(skep_ir_param(outer, 1)), I(0));
	skep_ir_exit(outer, I(0));
	ctx = skep_ir_slot(m.f, 8, 8);
	skep_ir_store(m.f, 8, S(ctx, 0), 0, I(3));
	skep_ir_calln(m.f, BPF_FUNC_loop, I(2), R(skep_ir_func_addr(m.f, outer)), S(ctx, 0), I(0));
	skep_ir_exit(m.f, R(skep_ir_load(m.f, 8, S(ctx, 0), 0)));
	module_make(&m);
	assert_true(is_enclosed(&m));
	assert_int_equal(module_run(&m, inputs), 30);
	module_done(&m);
}

/* The log tells which calls lead to the loop that is walked: "SCC enter (12,3)", "SCC enter (3)".
 */
static void test_kernel_sees_one_loop(void **state)
{
	_cleanup_buf_ struct skep_buf log = {0};
	struct module m;

	module_init(&m, &newest);
	build(&m, true, 12);
	module_emit(&m);
	m.log_level = 2;
	assert_int_equal(module_load(&m, &log), 0);
	module_done(&m);
	if (!strstr(log.data, "SCC enter ("))
		skip(); /* a kernel before 6.17, which does not count loops */
	for (const char *at = log.data; (at = strstr(at, "SCC enter (")); at++)
		assert_true(strcspn(at, ",") > strcspn(at, ")"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enclosed),
		cmocka_unit_test(test_not_enclosed),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_kernel_sees_one_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
