/* Specifications of probes: what they are in scripts, what is refused, and how gaps are filled. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "tool/spec.h"
#include "tool/template.h"

static struct skep_arena arena;

static int set_up(void **state)
{
	skep_arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	skep_arena_done(&arena);
	return 0;
}

static const char *place_of(const char *pattern, enum skep_spec_place place)
{
	struct skep_diag diag = {0};
	struct skep_tool_spec spec;

	assert_int_equal(skep_tool_spec_read(&arena, SKEP_SPEC_PATTERN, pattern, 0, &spec, &diag),
			 0);
	return skep_tool_spec_place(&arena, &spec, place);
}

static void places(void **state)
{
	assert_string_equal(place_of("vfs_*", SKEP_SPEC_HIT), "kprobe:\"vfs_*\"");
	assert_string_equal(place_of("p::f+0x12", SKEP_SPEC_HIT), "kprobe:\"f+0x12\"");
	assert_string_equal(place_of("r::f", SKEP_SPEC_HIT), "kretprobe:\"f\"");
	assert_string_equal(place_of("c:open", SKEP_SPEC_HIT), "uprobe:\"c\":\"open\"");
	assert_string_equal(place_of("c:open", SKEP_SPEC_LEAVE), "uretprobe:\"c\":\"open\"");
	assert_string_equal(place_of("t:a:b", SKEP_SPEC_ENTER), "tracepoint:\"a\":\"b\"");
	assert_string_equal(place_of("U:node:gc*", SKEP_SPEC_HIT), "usdt:\"node\":\"gc*\"");
}

static void values(void **state)
{
	struct skep_diag diag = {0};
	struct skep_tool_spec spec;

	assert_int_equal(skep_tool_spec_read(&arena, SKEP_SPEC_VALUES,
					     "r:c:read(int fd, const char *b):u64,char *:"
					     "$latency/$entry(fd),$retval:$PID==3#of three",
					     7, &spec, &diag),
			 0);
	assert_int_equal(spec.n_values, 2);
	assert_string_equal(spec.values[0].text,
			    "(uint64)((nsecs - @entered_7[tid])/@entry_7_0[tid])");
	assert_string_equal(spec.values[1].text, "str(retval)");
	assert_string_equal(spec.filter, "pid==3");
	assert_string_equal(spec.label, "of three");
	assert_true(spec.wants_latency && spec.wants_entry[0] && !spec.wants_entry[1]);
}

static void messages(void **state)
{
	struct skep_diag diag = {0};
	struct skep_tool_spec spec;

	assert_int_equal(skep_tool_spec_read(&arena, SKEP_SPEC_MESSAGE,
					     "c:f(char *a, size_t n) (STRCMP(\"x;\", a) && n) "
					     "\"%s \\\"%d\\\"\", arg1@user, n",
					     0, &spec, &diag),
			 0);
	assert_string_equal(spec.filter, "(str(arg0) == \"x;\") && (uint64)(arg1)");
	assert_string_equal(spec.format, "%s \\\"%d\\\"");
	assert_string_equal(spec.values[0].text, "uptr(arg0)");
}

static void refused(void **state)
{
	static const struct {
		enum skep_spec_grammar grammar;
		const char *text, *why;
	} cases[] = {
		{SKEP_SPEC_PATTERN, "", "names no function"},
		{SKEP_SPEC_PATTERN, "q:c:f", "none of p, r, t, u"},
		{SKEP_SPEC_PATTERN, "c:f {", "a character that none has"},
		{SKEP_SPEC_PATTERN, "u::f", "needs its program"},
		{SKEP_SPEC_MESSAGE, "f \"%d\", 1; 2", "no expression"},
		{SKEP_SPEC_MESSAGE, "f \"%d\", (1", "no expression"},
		{SKEP_SPEC_MESSAGE, "f \"%d\", 1 /* x", "no expression"},
		{SKEP_SPEC_MESSAGE, "f \"%d\", $entry(x)", "no expression"},
		{SKEP_SPEC_MESSAGE, "f \"%d\", arg0", "no expression"},
		{SKEP_SPEC_MESSAGE, "f \"%d\" 1", "a comma is missing"},
		{SKEP_SPEC_MESSAGE, "f \"a\nb\"", "control characters"},
		{SKEP_SPEC_VALUES, "p:c:f(int a):int", "no values"},
		{SKEP_SPEC_VALUES, "p:c:f(a):int:a", "no list of TYPE NAME"},
		{SKEP_SPEC_VALUES, "p:c:f(int a):int:$latency", "for returns"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_buf_ struct skep_buf said = {0};
		struct skep_diag diag = {0};
		struct skep_tool_spec spec;
		assert_int_equal(skep_tool_spec_read(&arena, cases[i].grammar, cases[i].text, 0,
						     &spec, &diag),
				 -EINVAL);
		assert_int_equal(diag.items[0].id, SKEP_DIAG_TOOL_SPEC);
		skep_diag_render(&diag, false, &said);
		if (!strstr(said.data, cases[i].why))
			fail_msg("%s: %s", cases[i].text, said.data);
		skep_diag_done(&diag);
	}
}

static void fill(const char *text, const char *const *args, uint32_t n, struct skep_buf *ret,
		 enum skep_diag_id want)
{
	const struct skep_source source = {"small.bt", text, strlen(text)};
	struct skep_diag diag = {0};

	assert_true(skep_tool_has_gaps(&source));
	int err = skep_tool_fill(&arena, &source, args, n, ret, &diag);
	assert_int_equal(err, want ? -EINVAL : 0);
	if (want)
		assert_int_equal(diag.items[0].id, want);
	skep_diag_done(&diag);
}

static void gaps(void **state)
{
	static const char *const two[] = {"f", "t:a:b"};
	_cleanup_buf_ struct skep_buf out = {0}, none = {0};

	fill("a\n%each pattern\n$(probe) { $(number) $(name) $(other) }\n%end\nb\n", two, 2, &out,
	     0);
	assert_string_equal(out.data, "a\nkprobe:\"f\" { 0 func $(other) }\n"
				      "tracepoint:\"a\":\"b\" { 1 probe $(other) }\nb\n");
	fill("a\n%each pattern\nx\n", two, 2, &none, SKEP_DIAG_TOOL_GAP);
	fill("a\n%each what\n%end\n", two, 2, &none, SKEP_DIAG_TOOL_GAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),  cmocka_unit_test(values), cmocka_unit_test(messages),
		cmocka_unit_test(refused), cmocka_unit_test(gaps),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
