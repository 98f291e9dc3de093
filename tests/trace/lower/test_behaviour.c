/*
 * What scripts compute: small programs through the whole compiler, run once in
 * the kernel, and their maps read back. What is expected is what C says, or
 * what the language's reference says where C is silent.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiled.h"

/* A body of BEGIN, and what the map @x then shows (without "@x: "). */
struct row {
	const char *body, *expected;
};

static void check_script(const char *script, const char *expected)
{
	struct compiled c;

	compiled_run(&c, script);
	const char *got = compiled_map(&c, "@x");
	if (strcmp(got, expected) != 0)
		fail_msg("%s\n  gives: %s  not:   %s", script, got, expected);
	compiled_done(&c);
}

static void check_body(const char *body, const char *expected)
{
	_cleanup_buf_ struct skep_buf script = {0}, shown = {0};

	skep_buf_printf(&script, "BEGIN { %s }", body);
	skep_buf_printf(&shown, "@x: %s\n", expected);
	check_script(script.data, shown.data);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_body(rows[i].body, rows[i].expected);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

/* What is kept by thread is kept by CPU in the same way, but elsewhere. */
static void check_by_cpu(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_buf_ struct skep_buf body = {0};
		skep_buf_puts(&body, rows[i].body);
		for (char *at = body.data; (at = strstr(at, "tid"));)
			memcpy(at, "cpu", 3);
		check_body(body.data, rows[i].expected);
	}
}

/* --- Arithmetic ------------------------------------------------------------------------- */

struct operation {
	const char *a, *op, *b, *expected;
};

/* Known when compiling, in variables, and in maps: always the same. */
static void check_operation(const struct operation *o)
{
	_cleanup_buf_ struct skep_buf body = {0};

	skep_buf_printf(&body, "@x = %s %s %s;", o->a, o->op, o->b);
	check_body(body.data, o->expected);
	skep_buf_clear(&body);
	skep_buf_printf(&body, "$a = %s; $b = %s; @x = $a %s $b;", o->a, o->b, o->op);
	check_body(body.data, o->expected);
	skep_buf_clear(&body);
	skep_buf_printf(&body, "@a = %s; @b = %s; @x = @a %s @b;", o->a, o->b, o->op);
	check_body(body.data, o->expected);
}

static void test_operations(void **state)
{
	static const struct operation operations[] = {
		{"7", "+", "5", "12"},
		{"7", "-", "9", "-2"},
		{"-3", "*", "5", "-15"},
		{"7", "/", "2", "3"},
		{"-7", "/", "2", "-3"},
		{"7", "/", "-2", "-3"},
		{"-7", "/", "-2", "3"},
		{"7", "%", "3", "1"},
		{"-7", "%", "3", "-1"},
		{"7", "%", "-3", "1"},
		{"(uint64)-8", "/", "(uint64)2", "9223372036854775804"},
		{"(uint64)-1", "%", "(uint64)10", "5"},
		{"-8", ">>", "1", "-4"},
		{"(uint64)-8", ">>", "60", "15"},
		{"1", "<<", "40", "1099511627776"},
		{"1", "<<", "63", "-9223372036854775808"},
		{"12", "&", "10", "8"},
		{"12", "|", "10", "14"},
		{"12", "^", "10", "6"},
		{"-1", "&", "255", "255"},
		{"9223372036854775807", "+", "1", "-9223372036854775808"},
		{"0x7fffffff", "*", "2", "4294967294"},
		{"0x7fffffff", "+", "1", "2147483648"},
		{"(uint32)0xffffffff", "+", "(uint32)1", "4294967296"},
		{"(int32)-1", "+", "(uint32)1", "0"},
		{"(int8)-128", "-", "(int8)1", "-129"},
	};

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		check_operation(&operations[i]);
}

static void test_comparisons(void **state)
{
	static const struct operation operations[] = {
		{"1", "<", "2", "true"},
		{"2", "<", "1", "false"},
		{"-1", "<", "1", "true"},
		{"-1", ">", "-2", "true"},
		{"-1", ">=", "-1", "true"},
		{"-2", "<=", "-3", "false"},
		{"5", "==", "5", "true"},
		{"5", "!=", "5", "false"},
		{"(int32)-1", "==", "-1", "true"},
		{"(uint8)255", "==", "255", "true"},
		{"(uint64)-1", ">", "(uint64)1", "true"},
		{"1", "&&", "2", "true"},
		{"1", "&&", "0", "false"},
		{"0", "||", "3", "true"},
		{"0", "||", "0", "false"},
	};

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		check_operation(&operations[i]);
}

/* Of a value that may be negative and one that may not, the latter decides, as in C. */
static void test_mixed_signs(void **state)
{
	static const struct row rows[] = {
		{"$a = (int64)-1; $b = (uint64)1; @x = $a < $b;", "false"},
		{"$a = (int64)-1; $b = (uint64)1; @x = $a > $b;", "true"},
		{"$a = (int32)-1; $b = (uint32)1; @x = $a < $b;", "true"},
		{"$a = (int32)-1; @x = $a < 1;", "true"},
		{"$a = (int64)-1; @x = $a < cpu;", "true"},
		{"$a = (uint8)200; @x = $a > (int8)-1;", "true"},
		{"$a = (uint64)-1; @x = $a > 1;", "true"},
		{"$a = (int8)-1; $b = (uint64)0; @x = $a == $b - 1;", "true"},
		{"if ((int64)pid > -1) { @x = 1 } else { @x = 0 }", "1"},
	};

	CHECK_ROWS(rows);
}

static void test_zero_divisors(void **state)
{
	static const struct row rows[] = {
		{"@z = 0; @x = 5 / @z;", "0"},
		{"@z = 0; @x = 5 % @z;", "5"},
		{"$z = pid - pid; @x = -5 / $z;", "0"},
		{"$z = (uint64)0; @x = (uint64)5 % $z;", "5"},
	};

	CHECK_ROWS(rows);
}

static void test_unary(void **state)
{
	static const struct row rows[] = {
		{"$a = 5; @x = -$a;", "-5"},
		{"$a = 5; @x = ~$a;", "-6"},
		{"$a = 5; @x = !$a;", "false"},
		{"$a = 0; @x = !$a;", "true"},
		{"$a = (uint8)1; @x = -$a;", "-1"},
		{"$a = (int64)-9223372036854775807 - 1; @x = -$a;", "-9223372036854775808"},
		{"@x = - -3;", "3"},
		{"@x = !!7;", "true"},
	};

	CHECK_ROWS(rows);
}

static void test_casts(void **state)
{
	static const struct row rows[] = {
		{"$a = 0x1ff; @x = (uint8)$a;", "255"},
		{"$a = 0xff; @x = (int8)$a;", "-1"},
		{"$a = 0x8000; @x = (int16)$a;", "-32768"},
		{"$a = 0x18000; @x = (uint16)$a;", "32768"},
		{"$a = 0xffffffff; @x = (int32)$a;", "-1"},
		{"$a = -1; @x = (uint32)$a;", "4294967295"},
		{"$a = -1; @x = (uint64)$a;", "18446744073709551615"},
		{"$a = (uint8)-1; @x = (int64)$a;", "255"},
		{"$a = (int8)-1; @x = (uint32)$a;", "4294967295"},
		{"$a = 300; @x = (int64)(int8)(uint8)$a;", "44"},
		{"$a = 5; @x = (bool)$a;", "true"},
		{"$a = (uint8[4])(uint32)0x04030201; @x = $a[2];", "3"},
		{"$a = (uint8[8])(uint64)0x0807060504030201; $i = pid - pid + 7; @x = $a[$i];",
		 "8"},
		{"@x = (uint32)(uint8[4])(uint32)0x01020304;", "16909060"},
	};

	CHECK_ROWS(rows);
}

static void test_widths(void **state)
{
	static const struct row rows[] = {
		{"let $a: uint8 = 255; $a++; @x = $a;", "0"},
		{"let $a: uint8 = 0; $a--; @x = $a;", "255"},
		{"let $a: int8 = 127; $a++; @x = $a;", "-128"},
		{"let $a: uint16 = 65535; $a += 2; @x = $a;", "1"},
		{"let $a: int32 = 2147483647; $a += 1; @x = $a;", "-2147483648"},
		{"let $a: uint8 = 1; $a <<= 8; @x = $a;", "0"},
		{"let $a: uint8 = 200; $b = $a + 100; @x = $b;", "300"},
		{"$a = 1; $a += 0x100000000; @x = $a;", "4294967297"},
		{"@x = bswap((uint16)0x1234);", "13330"},
		{"@x = bswap((uint32)0x12345678);", "2018915346"},
		{"@x = bswap((uint8)0x12);", "18"},
	};

	CHECK_ROWS(rows);
}

static void test_steps(void **state)
{
	static const struct row rows[] = {
		{"$a = 1; $b = $a++; @x = ($a, $b);", "(2, 1)"},
		{"$a = 1; $b = ++$a; @x = ($a, $b);", "(2, 2)"},
		{"$a = 1; $b = $a--; @x = ($a, $b);", "(0, 1)"},
		{"@a = 5; $b = @a++; @x = (@a, $b);", "(6, 5)"},
		{"@a = 5; $b = --@a; @x = (@a, $b);", "(4, 4)"},
		{"@a[1] = 5; $b = @a[1]++; @x = (@a[1], $b);", "(6, 5)"},
		{"$b = @a[7]++; @x = (@a[7], $b);", "(1, 0)"},
		{"$b = --@a[7]; @x = (@a[7], $b);", "(-1, -1)"},
		{"@x = 100; @x -= 1; @x *= 2; @x /= 3; @x %= 50; @x <<= 2; @x |= 1; @x ^= 3;",
		 "66"},
		{"@a[1] += 5; @a[1] += 6; @x = @a[1];", "11"},
		{"@a[1] -= 5; @x = @a[1];", "-5"},
		{"@a[1] = -9; @a[1] >>= 1; @x = @a[1];", "-5"},
	};

	CHECK_ROWS(rows);
}

/* --- Choice, and what it leaves undone ---------------------------------------------------- */

static void test_short_circuit(void **state)
{
	static const struct row rows[] = {
		{"$n = 0; $r = $n++ > 0 && $n++ > 0; @x = ($n, $r);", "(1, false)"},
		{"$n = 0; $r = $n++ == 0 && $n++ == 1; @x = ($n, $r);", "(2, true)"},
		{"$n = 0; $r = $n++ == 0 || $n++ > 0; @x = ($n, $r);", "(1, true)"},
		{"$n = 0; $r = $n++ > 0 || $n++ > 5; @x = ($n, $r);", "(2, false)"},
		{"$n = 0; if (!($n++ && $n++) && $n++) { } @x = $n;", "2"},
		{"$n = 0; $r = 1 ? $n : $n++; @x = ($n, $r);", "(0, 0)"},
		{"$n = 0; $c = pid > 0; $r = $c ? $n + 5 : $n++; @x = ($n, $r);", "(0, 5)"},
		{"$c = pid == 0; @x = $c ? \"yes\" : \"not at all\";", "not at all"},
		{"$c = pid > 0; @x = $c ? (1, \"a\") : (2, \"longer\");", "(1, a)"},
		{"@n = 0; $r = @n++ == 0 || @n++ == 0; @x = @n;", "1"},
		{"$x = if (pid > 0) { $y = 4; $y * 2 } else { 1 }; @x = $x;", "8"},
		{"$r = 5; @x = $r < 3 ? 1 : $r < 6 ? 2 : 3;", "2"},
	};

	CHECK_ROWS(rows);
}

static void test_loops(void **state)
{
	static const struct row rows[] = {
		{"$s = 0; for $i : 0..10 { $s += $i; } @x = $s;", "45"},
		{"$s = 0; for $i : -3..3 { $s += $i * $i; } @x = $s;", "19"},
		{"$s = 0; for $i : 5..5 { $s++; } @x = $s;", "0"},
		{"$s = 0; for $i : 5..1 { $s++; } @x = $s;", "0"},
		{"$s = 0; for $i : 0..10 { $i = 100; $s++; } @x = $s;", "10"},
		{"$s = 0; $n = 3; for $i : 0..$n { $n = 10; $s++; } @x = $s;", "3"},
		{"$s = 0; for $i : 0..10 { if ($i == 3) { continue; } if ($i == 6) { break; } $s "
		 "+= $i; } @x = $s;",
		 "12"},
		{"$s = 0; $i = 0; while ($i < 100) { $i++; if ($i % 2) { continue; } $s += $i; } "
		 "@x = $s;",
		 "2550"},
		{"$s = 0; for $i : 0..5 { for $j : 0..5 { if ($j > $i) { break; } $s++; } } @x = "
		 "$s;",
		 "15"},
		{"$s = 0; unroll (5) { $s = $s * 2 + 1; } @x = $s;", "31"},
		{"@x = 1; for $i : 0..10 { @x = @x * 2; if ($i == 4) { return; } }", "32"},
		{"$n = 0; while (1) { $n++; if ($n > 50000) { break; } } @x = $n;", "50001"},
		{"$a = 1071; $b = 462; while ($b) { $t = $a % $b; $a = $b; $b = $t; } @x = $a;",
		 "21"},
		{"$y = 5; $p = &$y; $i = 0; while ($i < 3) { $p = &$y; $i++; } @x = *$p;", "5"},
		{"$n = 0; $i = 0; while ($i < 9) { if ($i == 0) { $n = 4; } $i++; } @x = $n + $i;",
		 "13"},
	};

	CHECK_ROWS(rows);
}

static void test_loops_over_maps(void **state)
{
#define MAP "@m[1] = 10; @m[2] = 20; @m[3] = 30; "
	static const struct row rows[] = {
		{MAP "$s = 0; for $kv : @m { $s += $kv.0 * $kv.1; } @x = $s;", "140"},
		{MAP "$n = 0; for $kv : @m { $n++; break; } @x = $n;", "1"},
		{MAP "$n = 0; for $kv : @m { if ($kv.0 == 2) { continue; } $n += $kv.1; } @x = $n;",
		 "40"},
		{MAP "@x = 1; for $kv : @m { return; } @x = 2;", "1"},
		{MAP
		 "$s = \"none\"; for $kv : @m { if ($kv.1 == 20) { $s = \"found\"; } } @x = $s;",
		 "found"},
		{MAP "@k[7] = 1; @k[8] = 2; $s = 0; for $a : @m { for $b : @k { $s += $a.1 * $b.1; "
		     "} } @x = $s;",
		 "180"},
		{MAP "@x = 0; for $a : @m { for $b : @m { if ($b.0 == 2) { break; } } @x++; }",
		 "3"},
		{MAP "@x = 0; for $a : @m { for $b : @m { return; } @x++; }", "0"},
		{MAP "$s = 0; for $kv : @m { for $i : 0..$kv.0 { $s++; } } @x = $s;", "6"},
		{MAP "$s = 0; unroll (2) { for $kv : @m { $t = $kv.1; $s += $t; } } @x = $s;",
		 "120"},
		{MAP "$s = 0; $i = 0; while ($i < 3) { for $kv : @m { $s++; } $i++; } @x = $s;",
		 "9"},
		{MAP "for $kv : @m { delete(@m, $kv.0); } @x = len(@m);", "0"},
		{MAP "$s = 0; unroll (3) { for $i : 0..2 { for $kv : @m { $t = $kv.1 > 10; $s += "
		     "$t; } } } @x = $s;",
		 "12"},
		{MAP
		 "$v = if (pid) { $s = 0; for $kv : @m { $s += $kv.1; } $s } else { 0 }; @x = $v;",
		 "60"},
		{"@c[\"a\"] = count(); @c[\"a\"] = count(); @c[\"b\"] = count(); $s = 0; for $kv : "
		 "@c { $s += $kv.1; } @x = $s;",
		 "3"},
		{"@t[1, \"a\"] = (2, \"b\"); for $kv : @t { @x = ($kv.0.0, $kv.0.1, $kv.1.0, "
		 "$kv.1.1); }",
		 "(1, a, 2, b)"},
	};
#undef MAP
	CHECK_ROWS(rows);
}

/* --- Strings and tuples --------------------------------------------------------------------- */

static void test_strings(void **state)
{
	static const struct row rows[] = {
		{"@x = \"abc\" == \"abc\";", "true"},
		{"$a = \"abc\"; @x = $a == \"abc\";", "true"},
		{"$a = \"abc\"; @x = $a == \"abcd\";", "false"},
		{"$a = \"abcd\"; @x = $a == \"abc\";", "false"},
		{"$a = \"abc\"; $b = \"abcdefghijklmnop\"; @x = $a == $b;", "false"},
		{"$a = \"\"; @x = $a == \"\";", "true"},
		{"$a = \"abcdefgh\"; $b = \"abcdefgh\"; @x = $a != $b;", "false"},
		{"$a = \"abcdef\"; @x = strncmp($a, \"abcxyz\", 3);", "0"},
		{"$a = \"abcdef\"; @x = strncmp($a, \"abcxyz\", 4);", "1"},
		{"$a = \"abc\"; @x = strncmp($a, \"abc\", 10);", "0"},
		{"$a = \"abc\"; @x = strlen($a);", "3"},
		{"$a = \"\"; @x = strlen($a);", "0"},
		{"$a = \"a longer text of bees\"; @x = strcontains($a, \"bee\");", "true"},
		{"$a = \"a longer text of bees\"; @x = strcontains($a, \"beef\");", "false"},
		{"$a = \"aaaab\"; @x = strcontains($a, \"aab\");", "true"},
		{"$a = \"abc\"; @x = strcontains($a, \"\");", "true"},
		{"$a = \"abc\"; @x = strcontains($a, \"abcd\");", "false"},
		{"$a = \"abc\"; $a = \"a much longer one\"; $a = \"xy\"; @x = $a;", "xy"},
		{"@x = \"long text\"; @x = \"no\";", "no"},
		{"@k[\"long key\"] = 1; @k[\"long\"] = 2; @x = @k[\"long\"] * 10 + @k[\"long "
		 "key\"];",
		 "21"},
		{"$a = \"bees\"; @k[$a] = 5; @x = @k[\"bees\"];", "5"},
		{"$a = \"abc\"; @x = $a[1];", "98"},
		{"$i = pid - pid + 2; $a = \"abc\"; @x = $a[$i];", "99"},
	};

	CHECK_ROWS(rows);
}

static void test_tuples(void **state)
{
	static const struct row rows[] = {
		{"@x = (1, \"two\", (3, \"four\"));", "(1, two, (3, four))"},
		{"$t = (1, (2, (3, 4))); @x = $t.1.1.0;", "3"},
		{"$t = (1, \"a\"); $t = (2, \"longer\"); @x = $t;", "(2, longer)"},
		{"@m[(1, 2)] = 3; @x = @m[1, 2];", "3"},
		{"@m[(int8)1, \"k\", (uint8)2] = 3; @x = @m[1, \"k\", 2];", "3"},
		{"$t = ((int8)-1, (uint8)200); @x = $t;", "(-1, 200)"},
		{"$a = (1, \"x\"); $b = (1, \"x\"); @x = $a == $b;", "true"},
		{"$a = (1, \"x\"); $b = (1, \"y\"); @x = $a == $b;", "false"},
		{"$t = (first = 5, second = 6); @x = $t.second * 10 + $t.first;", "65"},
		{"$t = (1, 2); @m[$t] = 1; $t = (1, 3); @x = has_key(@m, $t);", "false"},
	};

	CHECK_ROWS(rows);
}

/* A map's strings are as long as config says. */
static void test_string_limits(void **state)
{
	struct compiled c;

	check_script("config = { max_map_strlen=8 } BEGIN { $s = \"abcdefghijkl\"; @x = $s; }",
		     "@x: abcdefg\n");
	check_script("config = { max_map_strlen=8 } BEGIN { $s = \"abcdefg\"; @x = $s; }",
		     "@x: abcdefg\n");
	compiled_run(&c,
		     "config = { max_map_strlen=8 } BEGIN { $s = \"abcdefghijkl\"; @x[$s] = 1; }");
	assert_int_equal(compiled_loss(&c, SKEP_LOSS_STRING), 1);
	compiled_done(&c);
}

/* --- Maps ---------------------------------------------------------------------------------- */

static void test_maps(void **state)
{
	static const struct row rows[] = {
		{"@m[1] = 5; delete(@m[1]); @x = @m[1];", "0"},
		{"@m[1] = 5; delete(@m, 1); @x = has_key(@m, 1);", "false"},
		{"@m[1] = 5; @x = has_key(@m, 1);", "true"},
		{"@m[1] = 1; @m[2] = 2; @m[1] = 3; @x = len(@m);", "2"},
		{"@s = 5; delete(@s); @x = @s;", "0"},
		{"@m[1] = \"a\"; @m[2] = @m[1]; @x = @m[2];", "a"},
		{"@m[1] = (1, \"a\"); @x = @m[1].1;", "a"},
		{"@m[1] = (1, \"a\"); @x = @m[2].1;", ""},
		{"@s = (1, \"a\"); @x = @s.1;", "a"},
		{"$i = 0; while ($i < 3) { @m[$i == 0 ? \"nine byte\" : $i == 1 ? \"a\" : \"bc\"] "
		 "= $i; "
		 "$i++; } @x = (@m[\"nine byte\"], @m[\"a\"], @m[\"bc\"], @m[\"none\"]);",
		 "(0, 1, 2, 0)"},
		{"@m[comm, pid] = 3; @x = @m[comm, pid];", "3"},
		{"@m[-1] = 4; @x = @m[-1];", "4"},
		{"@c = count(); @c = count(); @x = @c;", "2"},
		{"@c = sum(5); @c = sum(-7); @x = @c;", "-2"},
		{"@c = min(5); @c = min(-7); @c = min(3); @x = @c;", "-7"},
		{"@c = max(-5); @c = max(-7); @x = @c;", "-5"},
		{"@c = max((uint64)-1); @c = max((uint64)1); @x = @c;", "18446744073709551615"},
		{"@c = avg(-5); @c = avg(-8); @x = @c;", "-6"},
		{"@c[1] = avg(10); @c[1] = avg(21); @x = @c[1];", "15"},
		{"@c[1] = count(); @x = @c[2];", "0"},
		{"@x = stats(2); @x = stats(5);", "{ .count = 2, .average = 3, .total = 7 }"},
		{"@x = stats(-2); @x = stats(-5);", "{ .count = 2, .average = -3, .total = -7 }"},
	};

	CHECK_ROWS(rows);
}

/* Values of threads and CPUs. Where a condition has found the entry, it is not looked up again: all
 * the same, it is the entry as it is now, there only, and of that map only. */
static void test_own_entries(void **state)
{
	static const struct row rows[] = {
		{"@t[tid] = 7; if (@t[tid]) { @x = @t[tid]; }", "7"},
		{"@t[tid] = 7; if (@t[tid]) { @t[tid] = 8; @x = @t[tid]; }", "8"},
		{"@t[tid] = 7; if (@t[tid]) { @t[tid]++; @t[tid] += 2; @x = @t[tid]; }", "10"},
		{"@t[tid] = 7; if (@t[tid]) { delete(@t[tid]); @x = @t[tid]; }", "0"},
		{"@t[tid] = 7; if (@t[tid]) { delete(@t[tid]); } @x = has_key(@t, tid);", "false"},
		{"@t[tid] = 7; if (@t[tid]) { delete(@t[tid]); @t[tid] = 5; } @x = @t[tid];", "5"},
		{"if (@t[tid]) { @x = 1; } else { @t[tid] = 3; @x = @t[tid]; }", "3"},
		{"if (!@t[tid]) { @t[tid] = 3; @x = @t[tid]; }", "3"},
		{"if (@t[tid] || 1) { @t[tid] = 3; @x = @t[tid]; }", "3"},
		{"@t[tid] = 0; $y = 0; if ($y || @t[tid]) { @x = 1; } else { @x = @t[tid]; }", "0"},
		{"@t[tid] = 2; if (@t[tid] && @t[tid] > 1) { @x = @t[tid]; }", "2"},
		{"@t[tid] = 2; @u[tid] = 9; if (@t[tid] && @u[tid]) { @x = @t[tid] + @u[tid]; }",
		 "11"},
		{"@t[tid] = 0; @u[tid] = 9; if (@t[tid] && @u[tid]) { @x = 1; } else { @x = "
		 "@u[tid] + @t[tid]; "
		 "}",
		 "9"},
		{"@t[tid] = 2; @u[tid] = 9; if (@t[tid]) { delete(@t[tid]); @x = @u[tid]; }", "9"},
		{"@t[tid] = 2; @x = @t[tid] ? @t[tid] : 5;", "2"},
		{"@t[tid] = 0; @x = @t[tid] != 0 ? @t[tid] : 5;", "5"},
		{"@t[tid] = 3; $n = 0; while (@t[tid]) { @t[tid]--; $n++; } @x = $n;", "3"},
		{"@t[tid] = 3; if (@t[tid]) { for $i : 0..4 { @t[tid]++; } @x = @t[tid]; }", "7"},
		{"@m[1] = 1; @t[tid] = 3; if (@t[tid]) { for ($e : @m) { @t[tid]++; @x = @t[tid]; "
		 "} "
		 "@t[tid]++; @x = @x + @t[tid]; }",
		 "9"},
		{"@t[tid] = 7; @x = @t[tid];", "7"},
		{"@t[tid] = 7; delete(@t[tid]); @x = @t[tid];", "0"},
		{"@t[tid] = \"text\"; @t[tid] = \"other\"; @x = @t[tid];", "other"},
		{"@t[tid]++; @t[tid] += 5; @x = @t[tid];", "6"},
		{"@t[tid] = (5, \"bee\"); if (@t[tid].0) { @x = @t[tid].1; }", "bee"},
		{"@t[tid] = (0, \"bee\"); if (@t[tid].0) { @x = 1; } else { @x = 2; }", "2"},
		{"@t[tid] = (5, \"bee\"); if (@t[tid].0) { delete(@t, tid); @x = @t[tid].1; }", ""},
		{"@t[tid] = (1, (2, 3)); if (@t[tid].0) { @x = @t[tid].1.1; }", "3"},
		{"@t[tid] = (1, \"a\"); if (@t[tid].0) { @t[tid] = (@t[tid].0 + 1, \"b\"); } "
		 "@x = @t[tid];",
		 "(2, b)"},
	};

	CHECK_ROWS(rows);
	check_by_cpu(rows, sizeof(rows) / sizeof(rows[0]));
}

/* --- Structs over memory --------------------------------------------------------------------- */

struct inner {
	int16_t a;
	uint8_t b[3];
};

struct outer {
	uint32_t flags_a : 3, flags_b : 5;
	int32_t flags_c : 8;
	int8_t small;
	uint64_t big;
	struct inner inner[2];
	char name[8];
	const struct outer *next;
	union {
		uint32_t word;
		uint8_t bytes[4];
	};
};

#define OUTER                                                                                      \
	"struct inner { int16_t a; uint8_t b[3]; };"                                               \
	"struct outer { uint32_t flags_a : 3; uint32_t flags_b : 5; int32_t flags_c : 8; "         \
	"int8_t small; uint64_t big; struct inner inner[2]; char name[8]; struct outer *next; "    \
	"union { uint32_t word; uint8_t bytes[4]; }; };"

static void check_member(const struct outer *at, const char *member, const char *expected)
{
	_cleanup_buf_ struct skep_buf script = {0}, shown = {0};

	skep_buf_printf(&script,
			OUTER
			"BEGIN { $p = (struct outer *)uptr(%p); $i = pid - pid + 1; @x = %s; }",
			(const void *)at, member);
	skep_buf_printf(&shown, "@x: %s\n", expected);
	check_script(script.data, shown.data);
}

static void test_structs(void **state)
{
	static const struct outer last = {.small = 9, .name = "last"};
	static const struct outer first = {.flags_a = 5,
					   .flags_b = 17,
					   .flags_c = -100,
					   .small = -3,
					   .big = 0x123456789abcdef0,
					   .inner = {{-2, {1, 2, 3}}, {300, {4, 5, 255}}},
					   .name = "first",
					   .next = &last,
					   .word = 0x04030201};

	check_member(&first, "$p->flags_a", "5");
	check_member(&first, "$p->flags_b", "17");
	check_member(&first, "$p->flags_c", "156"); /* bit fields have no sign */
	check_member(&first, "$p->small", "-3");
	check_member(&first, "$p->big", "1311768467463790320");
	check_member(&first, "$p->inner[0].a", "-2");
	check_member(&first, "$p->inner[1].a", "300");
	check_member(&first, "$p->inner[$i].b[2]", "255");
	check_member(&first, "$p->inner[0].b[$i]", "2");
	check_member(&first, "$p->name", "first");
	check_member(&first, "str($p->name, 4)", "fir");
	check_member(&first, "$p->next->name", "last");
	check_member(&first, "$p->next->small", "9");
	check_member(&first, "$p->next->next", "0x0");
	check_member(&first, "$p->bytes[3] * 100 + (uint8)$p->word", "401");
	check_member(&first, "(*$p).small", "-3");
	check_member(&first, "*(int8 *)uptr((uint64)$p + offsetof(struct outer, small))", "-3");
	check_member(&first, "sizeof(struct outer)", "56");
	check_member(&first, "$p[0].next == $p[0].next->next", "false");
}

/* What cannot be read is 0 or "", and counted. */
static void test_failed_reads(void **state)
{
	struct compiled c;

	compiled_run(&c, "BEGIN { @x = *(uint64 *)uptr(8); @s = str(uptr(16)); }");
	assert_string_equal(compiled_map(&c, "@x"), "@x: 0\n");
	assert_string_equal(compiled_map(&c, "@s"), "@s: \n");
	assert_int_equal(compiled_loss(&c, SKEP_LOSS_READ), 2);
	compiled_done(&c);
}

static void check_read(const char *body, const void *at, const char *expected, uint64_t cut)
{
	_cleanup_buf_ struct skep_buf script = {0}, shown = {0};
	struct compiled c;

	skep_buf_printf(&script, "config = { max_strlen=10 } BEGIN { $p = uptr(%p); %s }", at,
			body);
	skep_buf_printf(&shown, "@x: %s\n", expected);
	compiled_run(&c, script.data);
	assert_string_equal(compiled_map(&c, "@x"), shown.data);
	assert_int_equal(compiled_loss(&c, SKEP_LOSS_STRING), cut);
	compiled_done(&c);
}

static void test_reading_strings(void **state)
{
	static const char text[] = "the bees fly";

	check_read("@x = str($p);", "the bees", "the bees", 0);
	check_read("@x = str($p, 4);", text, "the", 0);
	check_read("$n = pid - pid + 3; @x = str($p, $n);", text, "th", 0);
	check_read("@x = str($p, 100) == \"the bees\";", "the bees", "true", 0);
	check_read("@x = strlen(str($p));", "", "0", 0);
	check_read("@x = buf($p, 3);", text, "the", 0);
	check_read("$n = pid - pid + 5; @x = buf($p, $n);", text, "the b", 0);
	check_read("@x = ((char *)$p)[4];", text, "98", 0);
	check_read("@x = str((char *)$p + 4);", "the bees", "bees", 0);
	check_read("@x = *(int32 *)$p == 0x20656874;", text, "true", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_mixed_signs),
		cmocka_unit_test(test_zero_divisors),
		cmocka_unit_test(test_unary),
		cmocka_unit_test(test_casts),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_short_circuit),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_loops_over_maps),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_tuples),
		cmocka_unit_test(test_string_limits),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_own_entries),
		cmocka_unit_test(test_structs),
		cmocka_unit_test(test_failed_reads),
		cmocka_unit_test(test_reading_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
