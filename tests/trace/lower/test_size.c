/*
 * Large scripts: a thousand map assignments in one probe, scripts with many
 * variables, maps, strings and probes. How long compiling and loading take is
 * printed (the aim: a thousand assignments compile within 50 ms), not judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compiled.h"

#define MOST_STACK 512

static void check(const char *what, const char *script)
{
	struct compiled c;

	compiled_run(&c, script);
	fprintf(stderr, "%s: compiled in %.1f ms, loaded in %.1f ms, %zu instructions\n", what,
		(double)c.compile_ns / 1e6, (double)c.load_ns / 1e6,
		c.program.object.progs[0].n_insns);
	assert_true(compiled_stack_bytes(&c) <= MOST_STACK);
	compiled_done(&c);
}

static void test_assignments(void **state)
{
	static const char *const forms[] = {
		"\t@m%d[%d] = %d;\n",
		"\t@m%d[%d, comm] = %d;\n",
		"\t@m%d[%d] = count(); @n = %d;\n",
		"\t@m%d[%d, \"key\"] += %d;\n",
	};

	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		_cleanup_buf_ struct skep_buf script = {0};
		skep_buf_puts(&script, "config = { max_map_keys=2000 }\nBEGIN {\n");
		for (int i = 0; i < 1000; i++) {
			/* forms are this file's own */
			skep_buf_printf(&script, forms[f], i % 7, i, i * 3);
		}
		skep_buf_puts(&script, "}\n");
		check("1000 assignments", script.data);
	}
}

static void test_variables(void **state)
{
	_cleanup_buf_ struct skep_buf script = {0};

	skep_buf_puts(&script, "BEGIN {\n");
	for (int i = 0; i < 300; i++)
		skep_buf_printf(&script, "\t$a%d = nsecs + %d; $s%d = comm;\n", i, i, i);
	skep_buf_puts(&script, "\t@x = 0;\n");
	for (int i = 0; i < 300; i++)
		skep_buf_printf(&script, "\t@x += $a%d; @s = $s%d;\n", i, i);
	skep_buf_puts(&script, "}\n");
	check("600 variables alive", script.data);
}

static void test_texts(void **state)
{
	_cleanup_buf_ struct skep_buf script = {0}, format = {0};

	skep_buf_puts(&script, "BEGIN {\n");
	for (int i = 0; i < 60; i++)
		skep_buf_puts(&format, "%s ");
	for (int i = 0; i < 10; i++) {
		skep_buf_printf(&script, "\tprintf(\"%s\"", format.data);
		for (int j = 0; j < 60; j++)
			skep_buf_puts(&script, j % 3 ? ", comm" : ", curtask->comm");
		skep_buf_puts(&script, ");\n");
	}
	skep_buf_puts(&script, "}\n");
	check("printf() of 60 texts, 10 times", script.data);
}

static void test_long_texts(void **state)
{
	_cleanup_buf_ struct skep_buf script = {0};

	skep_buf_puts(&script, "BEGIN {\n\tprintf(\"%s %s %s %s %s %s %s %s %s %s\\n\"");
	for (int i = 0; i < 10; i++)
		skep_buf_printf(&script, ", str(kptr((uint64)curtask + %d))", i);
	skep_buf_puts(&script, ");\n}\n");
	check("printf() of 10 texts of 1024 bytes", script.data);
}

/*
 * Ways through loops must not multiply: each of these leaves strings of other lengths behind. On
 * the stack they would be told apart, and eight of them be 58,000 instructions for the verifier.
 */
static void walk_ways(const char *what, const char *loops)
{
	_cleanup_buf_ struct skep_buf script = {0};
	struct compiled c;

	skep_buf_printf(&script, "BEGIN { @m[1] = 1; %s\n", loops);
	for (int i = 0; i < 8; i++)
		skep_buf_printf(&script,
				"\tif ((nsecs & %d ? pcomm : str(curtask->comm)) == \"%.*s\") {\n"
				"\t\t@a[$j & 3 ? (string[32])comm : \"%.*s\"] = count(); }\n",
				1 << i, i + 1, "abcdefgh", 2 * i + 2, "zyxwvutsrqponmlk");
	skep_buf_puts(&script, "} } }\n");
	compiled_run(&c, script.data);
	fprintf(stderr, "8 ways through %s: the verifier walked through %u instructions\n", what,
		compiled_verified_insns(&c));
	assert_true(compiled_verified_insns(&c) < 10000);
	compiled_done(&c);
}

static void test_ways(void **state)
{
	walk_ways("loops", "for $i : 1..cpid { for $j : 1..ppid {");
	/* Here the callback has a scratch of its own, of one of eight levels. */
	walk_ways("a loop in a callback", "for ($kv : @m) { for $j : 1..$kv.1 {");
}

static void test_probes(void **state)
{
	check("2000 places of one body",
	      "BEGIN { @x[probe] = count(); } tracepoint:*:*a* { @x[probe] = count(); }");
}

static bool grows(const struct compiled *c, const char *name)
{
	const struct skep_trace_map *map = compiled_find(c, name);

	return c->program.object.maps[map->bpf_map].prefer_no_prealloc;
}

/* A script that watches the kernel's memory must take none of it by its own maps. */
static void test_declared_maps_have_their_memory(void **state)
{
	struct compiled c;

	assert_int_equal(compiled_open(&c, "let @whole = hash(10); let @counts = percpuhash(10); "
					   "BEGIN { @whole[1] = 1; @counts[1] = count(); "
					   "@grown[1] = 1; @grown_counts[pid] = count(); }"),
			 0);
	assert_false(grows(&c, "@whole"));
	assert_false(grows(&c, "@counts"));
	assert_true(grows(&c, "@grown"));
	assert_true(grows(&c, "@grown_counts"));
	compiled_done(&c);
}

static uint32_t ring_bytes(const char *script)
{
	struct compiled c;

	assert_int_equal(compiled_open(&c, script), 0);
	uint32_t bytes = c.program.ring_bytes;
	compiled_done(&c);
	return bytes;
}

/* As much as is sent before anybody takes it; what a script says holds. */
static void test_rings(void **state)
{
	enum { PAGE = 4096, READ_LEAST = 256 * PAGE, MOST = 1024 * PAGE, FEW = 64 * PAGE };
	static const char read[] = "tracepoint:syscalls:sys_enter_read { ";
	_cleanup_buf_ struct skep_buf script = {0};

	assert_int_equal(ring_bytes("BEGIN { print(@x); @x[1] = 1; }"), 16 * PAGE);
	assert_int_equal(ring_bytes("BEGIN { printf(\"hello\"); }"), FEW);
	assert_int_equal(ring_bytes("interval:s:1 { printf(\"hello\"); }"), FEW);
	assert_int_equal(ring_bytes("interval:s:1 { for ($i : 0..9) { printf(\"%d\", $i); } }"),
			 MOST);
	assert_int_equal(ring_bytes("END { for ($kv : @x) { print($kv); } @x[1] = 1; }"), MOST);
	assert_int_equal(ring_bytes("iter:task { printf(\"%d\", ctx.task.pid); }"), MOST);
	skep_buf_printf(&script, "%sprintf(\"hello\"); }", read);
	assert_in_range(ring_bytes(script.data), READ_LEAST, MOST);
	skep_buf_puts(&script, " END { for ($kv : @x) { print($kv); } @x[1] = 1; }");
	assert_int_equal(ring_bytes(script.data), MOST);
	skep_buf_clear(&script);
	skep_buf_printf(&script, "config = { perf_rb_pages = 100 } %sprintf(\"hello\"); }", read);
	assert_int_equal(ring_bytes(script.data), 128 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_assignments),
					   cmocka_unit_test(test_variables),
					   cmocka_unit_test(test_texts),
					   cmocka_unit_test(test_long_texts),
					   cmocka_unit_test(test_probes),
					   cmocka_unit_test(test_ways),
					   cmocka_unit_test(test_rings),
					   cmocka_unit_test(test_declared_maps_have_their_memory)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
