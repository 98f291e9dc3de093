/* What scripts mean: types of maps and expressions, constants, scopes, what maps are used for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "script.h"

static const char *const params[] = {"42", "abc"};

static void check(struct script *s, const char *text)
{
	if (!script_check(s, text, params, 2, true) && !s->diag.n_items)
		return;
	_cleanup_buf_ struct skep_buf out = {0};
	skep_diag_render(&s->diag, false, &out);
	print_message("%s\n%s\n", text, out.data ? out.data : "");
	if (s->err)
		fail();
}

struct row {
	const char *text, *maps;
};

static void assert_maps(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_buf_ struct skep_buf out = {0};
		struct script s;

		check(&s, rows[i].text);
		script_print_maps(&s, &out);
		assert_string_equal(out.data ? out.data : "", rows[i].maps);
		script_done(&s);
	}
}

#define ASSERT_MAPS(rows) assert_maps(rows, sizeof(rows) / sizeof(rows[0]))

static void maps_get_their_types_from_all_uses(void **state)
{
	static const struct row rows[] = {
		{"BEGIN { @[comm] = count() }", "@[string[16]]: count_t"},
		{"BEGIN { @[comm, pid] = count() }", "@[(string[16],uint64)]: count_t"},
		{"BEGIN { @[(comm, pid)] = count() }", "@[(string[16],uint64)]: count_t"},
		{"BEGIN { @x = 1 }", "@x: int64"},
		{"BEGIN { @x = (uint8)1 }", "@x: uint64"},
		{"BEGIN { @x = nsecs; @x = -1 }", "@x: uint64"},
		{"BEGIN { @x = \"a\"; @x = \"long text\" }", "@x: string[10]"},
		{"BEGIN { @x[\"a\"] = 1; @x[\"abc\"] = 1 }", "@x[string[4]]: int64"},
		{"BEGIN { @x[1, \"a\"] = 1; @x[2, comm] = 1 }", "@x[(int64,string[16])]: int64"},
		{"BEGIN { @x = true }", "@x: bool"},
		{"BEGIN { @x = true; @x = 5 }", "@x: int64"},
		{"BEGIN { @x = 1 == 2 }", "@x: bool"},
		{"BEGIN { @x++ }", "@x: int64"},
		{"BEGIN { @x += nsecs }", "@x: uint64"},
		{"BEGIN { @x[1]--; @x[2] -= 5 }", "@x[int64]: int64"},
		{"BEGIN { print(@x); } END { @x = \"later\" }", "@x: string[6]"},
		{"BEGIN { @y = @x; } END { @x = comm }", "@y: string[16]; @x: string[16]"},
		{"BEGIN { @a = @b; @b = @c; @c = @d; } END { @d = 5 }",
		 "@a: int64; @b: int64; @c: int64; @d: int64"},
		{"BEGIN { @x = (1, \"a\", (comm, pid)) }",
		 "@x: (int64,string[2],(string[16],uint64))"},
		{"BEGIN { @x = (a = 1, b = comm); @y = @x.b }",
		 "@x: record { .a = int64, .b = string[16] }; @y: string[16]"},
	};

	(void)state;
	ASSERT_MAPS(rows);
}

static void aggregates_have_a_sign_and_can_be_read(void **state)
{
	static const struct row rows[] = {
		{"BEGIN { @x = sum(5) }", "@x: sum_t"},
		{"BEGIN { @x = sum(nsecs) }", "@x: usum_t"},
		{"BEGIN { @x = max(pid); @y = @x + 1; }", "@x: umax_t; @y: uint64"},
		{"BEGIN { @x = count(); @y = (int64)@x; }", "@x: count_t; @y: int64"},
		{"BEGIN { @x = avg(-1); if (@x > 5) { printf(\"%d\", @x) } }", "@x: avg_t"},
		{"BEGIN { @x = hist(pid, 3); @y = lhist(pid, 0, 100, 5); }",
		 "@x: hist_t; @y: lhist_t"},
		{"BEGIN { @x[1] = count(); for ($kv : @x) { @y[$kv.0] = $kv.1; } }",
		 "@x[int64]: count_t; @y[int64]: uint64"},
	};

	(void)state;
	ASSERT_MAPS(rows);
}

static void strings_in_maps_are_bounded_unless_asked_for(void **state)
{
	static const struct row rows[] = {
		{"kprobe:f { @x[str(arg0)] = 1 }", "@x[string[256]]: int64"},
		{"kprobe:f { @x[str(arg0, 500)] = 1 }", "@x[string[500]]: int64"},
		{"kprobe:f { $s = str(arg0, 500); @x = $s }", "@x: string[500]"},
		{"kprobe:f { @x = str(arg0, 32) }", "@x: string[32]"},
		{"config = { max_map_strlen=64 } kprobe:f { @x[1, str(arg0)] = 1 }",
		 "@x[(int64,string[64])]: int64"},
		{"config = { max_strlen=100 } kprobe:f { @x = str(arg0) }", "@x: string[101]"},
		{"kprobe:f { @x = buf(arg0, 10); @y = buf(arg0, pid) }",
		 "@x: buffer[10]; @y: buffer[1024]"},
	};

	(void)state;
	ASSERT_MAPS(rows);
}

static void structs_are_laid_out_as_in_c(void **state)
{
	static const struct row rows[] = {
		{"struct a { char c; int i; } BEGIN { @ = sizeof(struct a) }", "@: uint64"},
		{"struct a { char b[10]; struct a *next; } kprobe:f { "
		 "@ = ((struct a *)arg0)->next->b }",
		 "@: string[10]"},
		{"struct a { struct { int x; } in; } kprobe:f { @ = ((struct a *)arg0)->in.x }",
		 "@: int64"},
		{"struct a { union { int x; char y; }; } kprobe:f { @ = ((struct a *)arg0)->y }",
		 "@: int64"},
		{"struct a { int x[4]; } kprobe:f { $a = (struct a *)arg0; @ = $a->x; "
		 "@y = $a.x[1] }",
		 "@: int32[4]; @y: int64"},
		{"struct a { int x; } kprobe:f { @ = *(struct a *)arg0; @y = @.x }",
		 "@: struct a; @y: int64"},
	};

	(void)state;
	ASSERT_MAPS(rows);
}

static void functions_give_their_types(void **state)
{
	static const struct row rows[] = {
		{"BEGIN { @ = ntop(0x0100007f) }", "@: inet"},
		{"BEGIN { @ = ntop(10, pton(\"::1\")) }", "@: inet"},
		{"BEGIN { @ = pton(\"127.0.0.1\") }", "@: uint8[4]"},
		{"BEGIN { @ = (uint32)pton(\"127.0.0.1\") }", "@: uint64"},
		{"BEGIN { @ = strftime(\"%H\", nsecs) }", "@: timestamp"},
		{"BEGIN { @ = kstack; @b = ustack(perf, 5) }", "@: kstack; @b: ustack"},
		{"BEGIN { @ = bswap((uint16)1) }", "@: uint64"},
		{"BEGIN { @ = ksym(0); @u = usym(0) }", "@: ksym_t; @u: usym_t"},
		{"BEGIN { @ = username; @p = probe }", "@: username_t; @p: probe_t"},
		{"BEGIN { @ = strerror(2); @s = signal_name(9) }", "@: strerror_t; @s: signal_t"},
		{"BEGIN { @ = cgroup_path(cgroup) }", "@: cgroup_path_t"},
		{"BEGIN { @[1] = 1; @h = has_key(@, 1); @l = len(@) }",
		 "@[int64]: int64; @h: bool; @l: uint64"},
		{"BEGIN { @ = pid(); @n = nsecs(boot) }", "@: uint64; @n: uint64"},
		{"BEGIN { signal(\"KILL\"); signal(\"SIGTERM\"); signal(9) }", ""},
		{"BEGIN { @ = (uint8[8])12345; @a = (uint64)@ }", "@: uint8[8]; @a: uint64"},
		{"BEGIN { @ = (int8[])\"abc\" }", "@: int8[4]"},
	};

	(void)state;
	ASSERT_MAPS(rows);
}

static void a_block_leaves_its_variables_to_the_block_around(void **state)
{
	static const struct row rows[] = {
		{"BEGIN { if (pid) { $x = 1 } else { $x = 2 } @ = $x }", "@: int64"},
		{"BEGIN { if (pid) { $x = 1 } else { $x = \"a\"; @y = $x } }", "@y: string[2]"},
		{"BEGIN { let $x; if (pid) { $x = comm } @ = $x }", "@: string[16]"},
		{"BEGIN { let $s: string = \"hi\"; $s = \"much longer\"; @ = $s }",
		 "@: string[12]"},
		{"BEGIN { $x = 0; $x = nsecs; @ = $x }", "@: uint64"},
		{"BEGIN { $s = \"\"; while (pid) { @ = $s; $s = \"grown\" } }", "@: string[6]"},
		{"BEGIN { $a = 1; for ($i : 0..5) { $a += $i } @ = $a }", "@: int64"},
	};

	(void)state;
	ASSERT_MAPS(rows);
}

/* --- Constants --------------------------------------------------------------------------- */

static const struct skep_expr *only_value(const struct script *s)
{
	return s->script->probes->body->value;
}

static void constants_are_folded(void **state)
{
	static const struct {
		const char *expr;
		int64_t value;
	} rows[] = {
		{"1 + 2 * 3", 7},
		{"-7 / 2", -3},
		{"(int8)-1", -1},
		{"(int32)-2", -2},
		{"(uint32)-2", 4294967294},
		{"(int16)0x18000", -32768},
		{"-7 % 3", -1},
		{"(uint64)-1 / 2", INT64_MAX},
		{"1 << 10 | 3", 1027},
		{"-8 >> 1", -4},
		{"~0", -1},
		{"!5", 0},
		{"1 < 2 && 2 < 1", 0},
		{"-1 < 1", 1},
		{"(uint64)-1 > 1", 1},
		{"(int8)200", -56},
		{"(uint8)-1", 255},
		{"(bool)17", 1},
		{"1 ? 10 : 20", 10},
		{"0 ? 10 : 20", 20},
		{"sizeof(uint16)", 2},
		{"sizeof(struct a)", 12},
		{"sizeof(pid)", 4},
		{"offsetof(struct a, y)", 4},
		{"offsetof(struct a, z.w)", 8},
		{"$1", 42},
		{"$1 + 1", 43},
		{"$3", 0},
		{"$#", 2},
		{"$1 == 42 ? 7 : 8", 7},
		{"GREEN + 1", 8},
		{"true", 1},
		{"9223372036854775807 + 1", INT64_MIN},
		{"-9223372036854775807 - 1", INT64_MIN},
		{"(-9223372036854775807 - 1) / -1", INT64_MIN},
	};
	char text[256];
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
			 "struct a { char x; int y; struct { int w; } z; } enum c { RED, GREEN = 7 "
			 "} "
			 "BEGIN { @ = %s }",
			 rows[i].expr);
		check(&s, text);
		assert_true(only_value(&s)->is_const);
		if (only_value(&s)->integer != rows[i].value)
			print_message("%s\n", rows[i].expr);
		assert_int_equal(only_value(&s)->integer, rows[i].value);
		script_done(&s);
	}
}

static void what_runs_is_no_constant(void **state)
{
	static const char *const exprs[] = {"pid", "pid + 1", "1 ? pid : 2", "nsecs == 0", "@x"};
	char text[128];
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(exprs) / sizeof(exprs[0]); i++) {
		snprintf(text, sizeof(text), "BEGIN { @ = %s } END { @x = 1 }", exprs[i]);
		check(&s, text);
		assert_false(only_value(&s)->is_const);
		script_done(&s);
	}
}

static void parameters_are_text_to_str(void **state)
{
	static const struct {
		const char *expr, *text;
	} rows[] = {
		{"str($2)", "abc"},    {"str($1)", "42"},    {"str($3)", ""},
		{"str($2 + 1)", "bc"}, {"str($2, 3)", "ab"}, {"$2", "abc"},
	};
	char text[128];
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "BEGIN { @ = %s }", rows[i].expr);
		check(&s, text);
		assert_true(only_value(&s)->is_const);
		assert_string_equal(only_value(&s)->text, rows[i].text);
		assert_int_equal(only_value(&s)->type->size, strlen(rows[i].text) + 1);
		script_done(&s);
	}
}

static void a_let_that_is_never_given_a_value_is_a_number(void **state)
{
	struct script s;

	(void)state;
	check(&s, "BEGIN { let $a; if ($a) { exit() } $b = $a; print($b) }");
	assert_ptr_equal(s.script->probes->body->target->var->type, &skep_type_s64);
	script_done(&s);
}

static void the_mode_is_known_in_every_probe(void **state)
{
	struct script s;

	(void)state;
	check(&s, "uprobe:f { @ = usermode }");
	assert_true(only_value(&s)->is_const && only_value(&s)->integer == 1);
	script_done(&s);
	check(&s, "kprobe:f { @ = usermode }");
	assert_true(only_value(&s)->is_const && only_value(&s)->integer == 0);
	script_done(&s);
	check(&s, "kprobe:f { @ = __builtin_usermode }");
	assert_true(only_value(&s)->is_const && only_value(&s)->integer == 0);
	script_done(&s);
	check(&s, "profile:f { @ = usermode }");
	assert_false(only_value(&s)->is_const);
	script_done(&s);
}

static void options_are_constants(void **state)
{
	static const char *const given[] = {"--n=0x10", "--name=abc", "--yes", "--no=False"};
	static const struct {
		const char *expr, *text;
		int64_t integer;
	} rows[] = {
		{"getopt(\"n\", 1)", NULL, 16},
		{"getopt(\"none\", -7, \"what it is\")", NULL, -7},
		{"getopt(\"yes\")", NULL, 1},
		{"getopt(\"no\", true)", NULL, 0},
		{"getopt(\"missing\")", NULL, 0},
		{"getopt(\"name\", \"\")", "abc", 0},
		{"getopt(\"other\", \"def\")", "def", 0},
	};
	char text[256];
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
			 "BEGIN { @ = %s; print((getopt(\"n\", 1), getopt(\"name\", \"\"), "
			 "getopt(\"yes\"), getopt(\"no\"))) }",
			 rows[i].expr);
		assert_int_equal(script_check_options(&s, text, given, 4), 0);
		const struct skep_expr *value = s.script->probes->body->value;
		assert_true(value->is_const);
		assert_int_equal(value->integer, rows[i].integer);
		if (rows[i].text)
			assert_string_equal(value->text, rows[i].text);
		script_done(&s);
	}
}

static void options_in_vain_are_errors(void **state)
{
	static const struct {
		const char *option;
		enum skep_diag_id id;
	} rows[] = {
		{"--m=1", SKEP_DIAG_GETOPT_NONE},
		{"--help", SKEP_DIAG_GETOPT_HELP},
		{"--n=many", SKEP_DIAG_GETOPT_VALUE},
	};
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const given[] = {rows[i].option};
		assert_int_equal(
			script_check_options(&s, "BEGIN { print(getopt(\"n\", 1)) }", given, 1),
			-EINVAL);
		assert_int_equal(s.diag.items[0].id, rows[i].id);
		script_done(&s);
	}
}

static void system_calls_have_numbers(void **state)
{
	struct script s;

	(void)state;
	check(&s, "BEGIN { @ = __NR_openat }");
	assert_int_equal(only_value(&s)->integer, SYS_openat);
	script_done(&s);
	assert_string_equal(skep_syscall_name(SYS_openat), "openat");
	assert_null(skep_syscall_name(skep_syscall_end()));
}

static void a_dead_branch_does_not_fail(void **state)
{
	struct script s;

	(void)state;
	check(&s, "BEGIN { if ($1 < 2) { fail(\"too small: %d\", $1) } }");
	script_done(&s);
	check(&s, "BEGIN { if ($1 > 2) { exit() } else { static_assert(0, \"no\") } }");
	script_done(&s);
}

/* --- What is noted for lowering ------------------------------------------------------------ */

static void maps_note_what_they_are_used_for(void **state)
{
	const struct skep_map *map;
	struct script s;

	(void)state;
	check(&s, "kprobe:f { @s[tid] = nsecs } "
		  "kretprobe:f /@s[tid]/ { @d = nsecs - @s[tid]; delete(@s[tid]) } "
		  "END { clear(@d); @o[pid] = 1; print(@o); @p[tid] = 1; @p[5] = 2 }");
	map = s.script->maps;
	assert_string_equal(map->name, "@s");
	assert_true(map->only_tid_keys && !map->only_cpu_keys && map->is_assigned && map->is_read &&
		    map->is_deleted);
	assert_false(map->is_iterated || map->is_cleared);
	map = map->next;
	assert_true(map->is_cleared && map->is_assigned);
	assert_false(map->only_tid_keys || map->is_deleted);
	map = map->next;
	assert_true(map->is_iterated);
	assert_false(map->only_tid_keys);
	assert_false(map->next->only_tid_keys);
	script_done(&s);
}

static void loops_over_maps_note_what_they_capture(void **state)
{
	const struct skep_stmt *loop;
	struct script s;

	(void)state;
	check(&s, "BEGIN { $a = 1; $b = 2; @[1] = 1; "
		  "for ($kv : @) { $c = $a; $a += $c; for ($k2 : @) { $a++; print($kv.0) } } "
		  "print($b) }");
	for (loop = s.script->probes->body; loop->kind != SKEP_S_FOR_MAP;)
		loop = loop->next;
	assert_int_equal(loop->n_captures, 1);
	assert_string_equal(loop->captures[0]->name, "$a");
	loop = loop->body->next->next;
	assert_int_equal(loop->n_captures, 2);
	script_done(&s);
}

static void hoisted_variables_are_marked(void **state)
{
	struct script s;
	const struct skep_stmt *stmt;

	(void)state;
	check(&s, "BEGIN { if (pid) { $x = 1; $y = 2; print($y) } print($x) }");
	stmt = s.script->probes->body->body;
	assert_true(stmt->target->var->is_hoisted);
	assert_false(stmt->next->target->var->is_hoisted);
	script_done(&s);
}

static void every_place_has_its_own_types(void **state)
{
	struct script s;
	const struct skep_stmt *stmt;

	(void)state;
	check(&s, "tracepoint:test:a, tracepoint:test:other { $fd = args.fd; print($fd) }");
	assert_true(s.places[0]->def->uses_args);
	stmt = s.places[0]->def->body;
	assert_int_equal(skep_check_probe(&s.check, s.places[0]), 0);
	assert_int_equal(stmt->target->type->size, 4);
	assert_int_equal(skep_check_probe(&s.check, s.places[1]), 0);
	assert_int_equal(stmt->target->type->size, 8);
	assert_int_equal(skep_check_probe(&s.check, s.places[0]), 0);
	assert_int_equal(stmt->target->type->size, 4);
	script_done(&s);
}

static void pointers_know_whose_they_are(void **state)
{
	struct script s;

	(void)state;
	check(&s, "tracepoint:test:a { $p = args.filename; } uprobe:x { $p = (int32 *)arg0; } "
		  "kprobe:f { $p = (int32 *)arg0; $q = uptr($p) }");
	const struct skep_probe_def *def = s.script->probes;
	assert_int_equal(def->body->target->type->space, SKEP_SPACE_USER);
	def = def->next;
	assert_int_equal(def->body->target->type->space, SKEP_SPACE_USER);
	def = def->next;
	assert_int_equal(def->body->target->type->space, SKEP_SPACE_KERNEL);
	assert_int_equal(def->body->next->target->type->space, SKEP_SPACE_USER);
	script_done(&s);
}

/* --- Speed ------------------------------------------------------------------------------------ */

static void simple_scripts_do_not_open_btf(void **state)
{
	static const char *const texts[] = {
		"BEGIN { @[comm] = count() }",
		"tracepoint:test:a { @[comm, str(args.filename)] = hist(args.count) }",
		"kprobe:f { @[curtask, kstack] = count(); @p = (uint64)arg0; @t = AF_INET }",
	};
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		check(&s, texts[i]);
		assert_null(s.types.btf);
		assert_int_equal(s.types.btf_err, 0);
		script_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_get_their_types_from_all_uses),
		cmocka_unit_test(aggregates_have_a_sign_and_can_be_read),
		cmocka_unit_test(strings_in_maps_are_bounded_unless_asked_for),
		cmocka_unit_test(structs_are_laid_out_as_in_c),
		cmocka_unit_test(functions_give_their_types),
		cmocka_unit_test(a_block_leaves_its_variables_to_the_block_around),
		cmocka_unit_test(constants_are_folded),
		cmocka_unit_test(what_runs_is_no_constant),
		cmocka_unit_test(parameters_are_text_to_str),
		cmocka_unit_test(a_let_that_is_never_given_a_value_is_a_number),
		cmocka_unit_test(the_mode_is_known_in_every_probe),
		cmocka_unit_test(options_are_constants),
		cmocka_unit_test(options_in_vain_are_errors),
		cmocka_unit_test(system_calls_have_numbers),
		cmocka_unit_test(a_dead_branch_does_not_fail),
		cmocka_unit_test(maps_note_what_they_are_used_for),
		cmocka_unit_test(loops_over_maps_note_what_they_capture),
		cmocka_unit_test(hoisted_variables_are_marked),
		cmocka_unit_test(every_place_has_its_own_types),
		cmocka_unit_test(pointers_know_whose_they_are),
		cmocka_unit_test(simple_scripts_do_not_open_btf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
