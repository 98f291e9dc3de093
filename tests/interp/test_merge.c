/* An interpreter's frames among the processor's: which stands in place of which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "interp/merge.h"

#define MOST 64

/* Frames as letters, innermost first: a capital is one that C code called, '|' a shim; natively 'e'
 * is the interpreter's function. What comes out has the letters in its place. */
struct merged {
	char text[256], outer[256];
	uint32_t n_displaced;
};

static struct skep_interp_stack stack_of(const char *frames, enum skep_interp_end end)
{
	struct skep_interp_stack stack = {.n = (uint16_t)strlen(frames), .end = end};

	for (uint32_t i = 0; i < stack.n; i++) {
		bool is_shim = frames[i] == '|';
		bool is_entry = is_shim || (frames[i] >= 'A' && frames[i] <= 'Z');
		stack.frames[i] =
			(struct skep_interp_frame){.code = is_shim ? 0 : (uint64_t)frames[i],
						   .at = is_entry ? SKEP_INTERP_ENTRY : 0};
	}
	return stack;
}

static struct merged merge(const char *native, const char *frames, bool is_whole,
			   enum skep_interp_end end)
{
	const struct skep_interp_stack stack = stack_of(frames, end);
	struct skep_interp_run runs[MOST];
	bool is_evaluator[MOST] = {false};
	uint32_t n = (uint32_t)strlen(native), at = 0;
	struct merged merged = {0};

	for (uint32_t i = 0; i < n; i++)
		is_evaluator[i] = native[i] == 'e';
	struct skep_interp_rest rest = skep_interp_merge(&stack, is_evaluator, n, is_whole, runs);
	merged.n_displaced = rest.n_displaced;
	for (uint32_t j = 0; j < rest.outer.n; j++)
		merged.outer[j] = frames[rest.outer.first + j];
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = 0; j < runs[i].n; j++) {
			if (stack.frames[runs[i].first + j].code)
				merged.text[at++] = (char)stack.frames[runs[i].first + j].code;
		}
		if (!runs[i].n)
			merged.text[at++] = native[i];
	}
	return merged;
}

static void check(const char *native, const char *frames, const char *expected)
{
	struct merged merged = merge(native, frames, true, SKEP_INTERP_WHOLE);

	assert_string_equal(merged.text, expected);
	assert_int_equal(merged.n_displaced, 0);
}

static void whole_stacks(void **state)
{
	check("e.0", "abC", "abC.0");          /* all in one */
	check(".e..e.0", "aBcD", ".aB..cD.0"); /* C code between */
	check("eeee", "ABCD", "ABCD");         /* one each */
	check("e.e.0", "ab|c|", "ab.c.0");     /* shims are none of the program */
	check("...0", "", "...0");             /* no program */
	check("e.e.0", "", "e.e.0");
}

static void between(void **state)
{
	check("e.e.0", "abC", "e.abC.0"); /* just entered, or about to be left */
	check("e.e.0", "|a|", "e.a.0");   /* the shim is there, its frame is not yet */
	check("ee.e.0", "A", "ee.A.0");
}

static void incomplete(void **state)
{
	struct merged merged = merge("e.e", "aBcDeF", false, SKEP_INTERP_WHOLE);

	assert_string_equal(merged.text, "aB.cD"); /* from the innermost on */
	assert_string_equal(merged.outer, "eF");
	assert_int_equal(merged.n_displaced, 0);
	merged = merge("e.", "a|b|c|", false, SKEP_INTERP_WHOLE);
	assert_string_equal(merged.text, "a.");
	assert_string_equal(merged.outer, "b|c|");
	merged = merge("e.e.e.0", "aBc", true, SKEP_INTERP_FULL);
	assert_string_equal(merged.text, "aB.c.e.0");
	assert_int_equal(merged.n_displaced, 0);
	merged = merge("e.0", "aBcD", true, SKEP_INTERP_WHOLE);
	assert_string_equal(merged.text, "aBcD.0");
	assert_int_equal(merged.n_displaced, 2);
	merged = merge(".e..e.0", "A|BcD", true, SKEP_INTERP_WHOLE);
	assert_string_equal(merged.text, ".AB..cD.0");
	assert_int_equal(merged.n_displaced, 1);
	merged = merge("..0", "aB", true, SKEP_INTERP_WHOLE);
	assert_string_equal(merged.text, "..0");
	assert_string_equal(merged.outer, "aB");
	assert_int_equal(merged.n_displaced, 2);
}

static void hostile(void **state)
{
	struct skep_interp_stack stack;
	struct skep_interp_run runs[MOST];
	bool is_evaluator[MOST];

	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < sizeof(stack); i++)
			((uint8_t *)&stack)[i] = (uint8_t)rand();
		uint32_t n = (uint32_t)rand() % MOST, limit = SKEP_INTERP_FRAMES_MOST;
		for (uint32_t i = 0; i < n; i++)
			is_evaluator[i] = rand() & 1;
		struct skep_interp_rest rest =
			skep_interp_merge(&stack, is_evaluator, n, rand() & 1, runs);
		assert_true(rest.outer.first + rest.outer.n <= limit && rest.n_displaced <= limit);
		for (uint32_t i = 0; i < n; i++)
			assert_true(runs[i].first + runs[i].n <= limit);
	}
}

static void evaluators(void **state)
{
	assert_true(skep_interp_is_evaluator(SKEP_INTERP_PYTHON_3_11, "_PyEval_EvalFrameDefault"));
	assert_true(
		skep_interp_is_evaluator(SKEP_INTERP_PYTHON_3_11, "_PyEval_EvalFrameDefault.cold"));
	assert_false(
		skep_interp_is_evaluator(SKEP_INTERP_PYTHON_3_11, "_PyEval_EvalFrameDefaults"));
	assert_false(skep_interp_is_evaluator(SKEP_INTERP_PYTHON_3_11, "_PyEval_EvalFrame"));
	assert_false(skep_interp_is_evaluator(SKEP_INTERP_PYTHON_3_11, ""));
	assert_false(skep_interp_is_evaluator(SKEP_INTERP_PYTHON_3_11, NULL));
	assert_false(skep_interp_is_evaluator(SKEP_INTERP_PYTHON_3_11, "vm_exec"));
	assert_true(skep_interp_is_evaluator(SKEP_INTERP_RUBY_3_1, "vm_exec"));
	assert_true(skep_interp_is_evaluator(SKEP_INTERP_PHP_8_2, "execute_ex"));
	assert_false(skep_interp_is_evaluator(SKEP_INTERP_NONE, "execute_ex"));
	assert_false(skep_interp_is_evaluator(SKEP_INTERP_VERSION_CNT, "execute_ex"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_stacks), cmocka_unit_test(between),
		cmocka_unit_test(incomplete),   cmocka_unit_test(hostile),
		cmocka_unit_test(evaluators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
