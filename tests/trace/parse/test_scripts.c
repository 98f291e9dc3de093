/*
 * Whole scripts parse: those of tools/, and the ones that Debian's bpftrace brings,
 * where it is installed. And what the tree of a file cannot show: spans, constants.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "base/fd.h"
#include "script.h"

static void parse_file(const char *path)
{
	_cleanup_buf_ struct skep_buf text = {0}, out = {0};
	struct script s;

	assert_int_equal(skep_file_read(path, 1 << 20, &text), 0);
	script_parse(&s, text.data, text.len);
	skep_diag_render(&s.diag, false, &out);
	if (s.err || s.diag.n_items)
		fail_msg("%s: %s", path, out.data);
	skep_script_print(s.tree, &out);
	assert_non_null(strstr(out.data, "probe\n"));
	script_done(&s);
}

static size_t parse_all(const char *pattern)
{
	glob_t found = {0};
	size_t n;

	if (glob(pattern, 0, NULL, &found))
		return 0;
	n = found.gl_pathc;
	for (size_t i = 0; i < n; i++)
		parse_file(found.gl_pathv[i]);
	globfree(&found);
	return n;
}

static void test_own_tools(void **state)
{
	/* but those of misc, which are templates: tests/tools has what becomes of them */
	assert_true(parse_all(TESTS "/../tools/[!m]*/*.bt") > 50);
	assert_true(parse_all(TESTS "/../tools/memory/*.bt") > 5);
}

static void test_debian_tools(void **state)
{
	if (!parse_all("/usr/sbin/*.bt") && !parse_all("/usr/share/bpftrace/tools/*.bt"))
		skip();
}

/* --- spans ----------------------------------------------------------------------------------- */

static void assert_span(const struct script *s, struct skep_span span, const char *text)
{
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(s->source.text + span.off, text, span.len);
}

static void test_spans(void **state)
{
	static const char text[] = "#define N 5\n"
				   "/* c */ kprobe:f, uprobe:\"/a b\":g /* d */ /pid == N/ // e\n"
				   "{ $x = (1 + @m[N, 2]) * N; print(-$x.a); }\n";
	const struct skep_probe_def *probe;
	const struct skep_expr *e;
	struct script s;

	script_parse(&s, text, sizeof(text) - 1);
	assert_int_equal(s.err, 0);
	probe = s.tree->probes;
	assert_span(&s, probe->specs->span, "kprobe:f");
	assert_span(&s, probe->specs->next->span, "uprobe:\"/a b\":g");
	assert_span(&s, probe->predicate->span, "pid == N");
	assert_span(&s, probe->predicate->right->span, "N");
	assert_span(&s, probe->body->span, "$x = (1 + @m[N, 2]) * N");
	e = probe->body->value;
	assert_span(&s, e->span, "(1 + @m[N, 2]) * N");
	assert_span(&s, e->left->span, "(1 + @m[N, 2])");
	assert_span(&s, e->left->right->span, "@m[N, 2]");
	assert_span(&s, e->left->right->args->span, "N");
	e = probe->body->next->value;
	assert_span(&s, e->span, "print(-$x.a)");
	assert_span(&s, e->args->span, "-$x.a");
	script_done(&s);
}

/* "kprobe:$1" in messages is what was written, in the spec what was meant. */
static void test_params(void **state)
{
	static const char text[] = "kprobe:$1,kprobe:x$2 { print($1) }";
	struct script s;

	script_parse(&s, text, sizeof(text) - 1);
	assert_int_equal(s.err, 0);
	assert_string_equal(s.tree->probes->specs->text, "kprobe:one");
	assert_string_equal(s.tree->probes->specs->next->text, "kprobe:xa:b");
	assert_int_equal(s.tree->probes->specs->next->n_parts, 3);
	assert_span(&s, s.tree->probes->specs->next->span, "kprobe:x$2");
	script_done(&s);
}

/* --- constants ------------------------------------------------------------------------------- */

static void assert_constant(const char *name, int64_t value)
{
	int64_t found = -12345;

	assert_true(skep_constant_find(name, &found));
	assert_int_equal(found, value);
}

static void test_constants(void **state)
{
	int64_t untouched = 7;

	assert_constant("AF_INET", AF_INET);
	assert_constant("AF_INET6", AF_INET6);
	assert_constant("SOCK_STREAM", SOCK_STREAM);
	assert_constant("IPPROTO_TCP", IPPROTO_TCP);
	assert_constant("ENOENT", ENOENT);
	assert_constant("O_CREAT", O_CREAT);
	assert_constant("NULL", 0);
	assert_constant("TASK_COMM_LEN", 16);
	assert_constant("PATH_MAX", 4096);
	assert_constant("SIGKILL", 9);
	assert_constant("INADDR_NONE", 0xffffffff);
	assert_constant("LONG_MIN", INT64_MIN);
	assert_false(skep_constant_find("AF_NOTHING", &untouched));
	assert_false(skep_constant_find("", &untouched));
	assert_int_equal(untouched, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_tools), cmocka_unit_test(test_debian_tools),
		cmocka_unit_test(test_spans),     cmocka_unit_test(test_params),
		cmocka_unit_test(test_constants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
