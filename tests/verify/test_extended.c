/*
 * Extended mode: programs that Linux finds too large are accepted where they are safe and end, and
 * refused where they are not, by a rule of the same name.
 *
 * Each row is a program, what the kernel's mode says of it, and what extended mode does.
 */
#include "alone.h"

#include <stdio.h>

#define SAFE       NULL
#define MOST_INSNS 50000 /* a limit that is soon come to */

struct row {
	const char *name, *kernel, *extended; /* rules; SAFE: accepted */
	const char *text;
};

static bool is_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void expect(const struct row *row, enum skep_verify_mode mode, const char *rule)
{
	const struct skep_verify_opts opts = {
		.mode = mode, .log_level = 1, .most_insns = MOST_INSNS};
	struct skep_verify_report report;
	struct skep_buf log = {0};
	int err = verify(row->text, &opts, &log, &report);

	if (!is_same(report.refusal, rule))
		fail_msg("%s: %s instead of %s\n%.*s", row->name,
			 report.refusal ? report.refusal : "accepted", rule ? rule : "accepted",
			 (int)log.len, log.data);
	assert_int_equal(!err, !rule);
	if (mode == SKEP_VERIFY_EXTENDED && !err && row->kernel)
		assert_true(report.linux_budget > 100);
	skep_buf_done(&log);
}

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		expect(&rows[i], SKEP_VERIFY_KERNEL, rows[i].kernel);
		expect(&rows[i], SKEP_VERIFY_EXTENDED, rows[i].extended);
	}
}

/* --- Loops that end -------------------------------------------------------------------------- */

static const struct row ends[] = {
	{"two loops, a masked index", "too_many_insns", SAFE,
	 "r6 = 0\nouter:\nr7 = 0\ninner:\nr1 = r7\nr1 &= 7\nr2 = r10\nr2 += -8\nr2 += r1\n"
	 "*(u8 *)(r2 +0) = 1\nr7 += 1\nif r7 < 2000 goto inner\nr6 += 1\n"
	 "if r6 < 1000 goto outer\nr0 = 0\nexit\n"},
	{"two loops, an index that the limit bounds", "too_many_insns", SAFE,
	 "r6 = 0\nouter:\nr7 = 0\ninner:\nr2 = r10\nr2 += -512\nr1 = r7\nr1 <<= 3\nr2 += r1\n"
	 "*(u64 *)(r2 +0) = 1\nr7 += 1\nif r7 != 64 goto inner\nr6 += 1\n"
	 "if r6 != 2000000 goto outer\nr0 = 0\nexit\n"},
	{"three loops, of 32 bits", "too_many_insns", SAFE,
	 "w6 = 0\na:\nw7 = 0\nb:\nw8 = 0\nc:\nw8 += 1\nif w8 < 300 goto c\nw7 += 1\n"
	 "if w7 < 300 goto b\nw6 += 1\nif w6 < 300 goto a\nr0 = 0\nexit\n"},
	{"down, signed", "too_many_insns", SAFE,
	 "r6 = 1000000\nagain:\nr6 += -1\nif r6 s> -1000000 goto again\nr0 = 0\nexit\n"},
	{"a limit in a register", "too_many_insns", SAFE,
	 "r7 = 3000000\nr6 = 0\nagain:\nr6 += 3\nr8 = r6\nr8 += 5\nif r6 < r7 goto again\nr0 = 0\n"
	 "if r6 > 3000002 goto bad\nexit\nbad:\n*(u64 *)(r10 +8) = 0\nexit\n"},
	{"a counter on the stack", "too_many_insns", SAFE,
	 "r1 = 0\n*(u64 *)(r10 -8) = r1\nagain:\nr2 = *(u64 *)(r10 -8)\nr2 += 1\n"
	 "*(u64 *)(r10 -8) = r2\nif r2 < 2000000 goto again\nr0 = 0\nexit\n"},
	{"a counter of 32 bits on the stack", "too_many_insns", SAFE,
	 "w1 = 2000000\n*(u32 *)(r10 -8) = r1\nagain:\nr2 = *(u32 *)(r10 -8)\nw2 += -1\n"
	 "*(u32 *)(r10 -8) = r2\nif w2 != 0 goto again\nr0 = 0\nexit\n"},
	{"a limit that is not known", "too_many_insns", SAFE,
	 "r1 = *(u32 *)(r1 +0)\nif r1 == 0 goto out\nw2 = 0\nagain:\nw2 += 1\n"
	 "if w2 < w1 goto again\nout:\nr0 = 0\nexit\n"},
	{"a step that is not known", "too_many_insns", SAFE,
	 "r6 = *(u32 *)(r1 +0)\nr6 &= 7\nr6 += 1\nr7 = 0\nagain:\nr7 += r6\n"
	 "if r7 < 5000000 goto again\nr0 = 0\nexit\n"},
	{"bits, one after the other", "too_many_jumps", SAFE,
	 "r6 = *(u32 *)(r1 +0)\nr0 = 0\nagain:\nif r6 == 0 goto out\nr7 = r6\nr7 += -1\nr6 &= r7\n"
	 "r0 = 1\ngoto again\nout:\nexit\n"},
	{"two ways around, two counters", "too_many_jumps", SAFE,
	 "r9 = r1\nr6 = 3000000\nr7 = 3000000\nagain:\nr1 = *(u32 *)(r9 +0)\nif r1 > 9 goto other\n"
	 "if r6 == 0 goto out\nr6 += -1\ngoto again\nother:\nif r7 == 0 goto out\nr7 += -1\n"
	 "goto again\nout:\nr0 = 0\nexit\n"},
	{"in a function", "too_many_insns", SAFE,
	 "r6 = 0\nagain:\nr1 = r6\ncall inner\nr6 += 1\nif r6 < 100000 goto again\nr0 = 0\nexit\n"
	 "inner:\nr2 = 0\nmore:\nr2 += 1\nif r2 < 100 goto more\nr0 = r1\nexit\n"},
};

static void test_ends(void **state)
{
	check(ends, sizeof(ends) / sizeof(*ends));
}

/* --- What is refused ------------------------------------------------------------------------- */

static const struct row refused[] = {
	{"never ends, and is seen to", "infinite_loop", "infinite_loop",
	 "r0 = 0\nagain:\nif r0 == 0 goto again\nexit\n"},
	{"waits for what may not come", "infinite_loop", "infinite_loop",
	 "r6 = r1\nr0 = 0\nagain:\nr1 = *(u32 *)(r6 +0)\nif r1 != 7 goto again\nexit\n"},
	{"steps over its end", "too_many_insns", "loop_without_end",
	 "r6 = 0\nagain:\nr6 += 2\nif r6 != 20000001 goto again\nr0 = 0\nexit\n"},
	{"goes back as far as it went", "infinite_loop", "infinite_loop",
	 "r9 = r1\nr6 = 30000000\nagain:\nr6 += 1\nr1 = *(u32 *)(r9 +0)\nif r1 > 9 goto on\n"
	 "r6 += -1\non:\nif r6 < 60000000 goto again\nr0 = 0\nexit\n"},
	{"the outer counter begins anew", "too_many_insns", "loop_without_end",
	 "r9 = r1\nr6 = 0\nouter:\nr7 = 0\ninner:\nr7 += 1\nif r7 < 30000000 goto inner\nr6 += 1\n"
	 "r1 = *(u32 *)(r9 +0)\nif r1 > 9 goto on\nr6 = 0\non:\nif r6 < 1000 goto outer\nr0 = 0\n"
	 "exit\n"},
	{"a store that comes late", "too_many_insns", "outside_stack",
	 "r6 = 0\nagain:\nr6 += 1\nif r6 != 15000000 goto on\n*(u64 *)(r10 -520) = 1\non:\n"
	 "if r6 < 20000000 goto again\nr0 = 0\nexit\n"},
	{"an index one too far", "too_many_insns", "outside_stack",
	 "r6 = 0\nagain:\nr6 += 1\nif r6 < 15000000 goto again\nr1 = r6\nr1 += -14999992\n"
	 "r2 = r10\nr2 += -8\nr2 += r1\n*(u8 *)(r2 +0) = 1\nr0 = 0\nexit\n"},
};

static void test_refused(void **state)
{
	check(refused, sizeof(refused) / sizeof(*refused));
}

/* --- What it would take ---------------------------------------------------------------------- */

static uint32_t budget(const char *text)
{
	const struct skep_verify_opts opts = {.mode = SKEP_VERIFY_EXTENDED,
					      .most_insns = MOST_INSNS};
	struct skep_verify_report report;

	assert_int_equal(verify(text, &opts, NULL, &report), 0);
	return report.linux_budget;
}

static void test_budget(void **state)
{
	assert_int_equal(budget("r0 = 0\nagain:\nr0 += 1\nif r0 < 10000 goto again\nexit\n"), 41);
	assert_int_equal(budget("r0 = 0\nagain:\nr0 += 1\nif r0 < 35000 goto again\nexit\n"), 141);
	assert_int_equal(budget("r0 = 0\nagain:\nr0 += 1\nif r0 < 300000 goto again\nexit\n"),
			 UINT32_MAX);
}

/* Each of 9,000 jumps leaves a path that waits. */
static void test_jumps(void **state)
{
	struct skep_buf text = {0};
	struct row row = {"more jumps than may wait", "too_many_jumps", SAFE, NULL};

	skep_buf_puts(&text, "r6 = *(u32 *)(r1 +0)\nr0 = 0\n");
	for (unsigned i = 0; i < 9000; i++)
		skep_buf_printf(&text, "if r6 == %u goto out%u\n", i * 3, i);
	for (unsigned i = 0; i < 9000; i++)
		skep_buf_printf(&text, "out%u:\nr0 += %u\n", i, i);
	skep_buf_puts(&text, "r0 = 0\nexit\n");
	skep_buf_addc(&text, '\0');
	row.text = text.data;
	check(&row, 1);
	skep_buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
