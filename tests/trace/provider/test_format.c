/* The reader of tracepoint format files: what the kernel writes, and what it does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/provider/format.h"

static struct skep_arena arena;

static int setup(void **state)
{
	skep_arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	skep_arena_done(&arena);
	return 0;
}

static int parse(const char *text, struct skep_format *ret, uint32_t *line)
{
	return skep_format_parse(&arena, text, strlen(text), ret, line);
}

static const struct skep_format_field *only(const char *decl)
{
	struct skep_format format = {0};
	char text[256];
	uint32_t line;

	snprintf(text, sizeof(text), "\tfield:%s;\toffset:8;\tsize:4;\tsigned:1;\n", decl);
	assert_int_equal(parse(text, &format, &line), 0);
	assert_int_equal(format.n_fields, 1);
	return format.fields;
}

static void whole_file(void **state)
{
	static const char text[] =
		"name: sched_x\nID: 7\nformat:\n"
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
		"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
		"\n"
		"\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
		"\tfield:__data_loc char[] name;\toffset:24;\tsize:4;\tsigned:0;\n"
		"\n"
		"print fmt: \"field:%s offset:1;\", REC->comm\n";
	struct skep_format format = {0};
	uint32_t line;

	assert_int_equal(parse(text, &format, &line), 0);
	assert_int_equal(format.n_fields, 4);
	assert_string_equal(format.fields[0].type, "unsigned short");
	assert_string_equal(format.fields[0].name, "common_type");
	assert_true(format.fields[0].is_common && format.fields[1].is_common);
	assert_true(format.fields[1].is_signed && !format.fields[0].is_signed);
	const struct skep_format_field *comm = &format.fields[2], *name = &format.fields[3];
	assert_true(!comm->is_common && comm->is_array && !comm->is_data_loc);
	assert_string_equal(comm->type, "char");
	assert_string_equal(comm->decl, "char comm[16]");
	assert_int_equal(comm->off, 8);
	assert_int_equal(comm->size, 16);
	assert_true(name->is_data_loc && name->is_array);
	assert_string_equal(name->type, "char");
	assert_string_equal(name->name, "name");
	assert_string_equal(name->decl, "__data_loc char[] name");
}

static void declarations(void **state)
{
	static const struct {
		const char *decl, *type, *name;
		bool is_array;
	} cases[] = {
		{"const char * filename", "const char *", "filename", false},
		{"const char *filename", "const char *", "filename", false},
		{"struct task_struct * p", "struct task_struct *", "p", false},
		{"unsigned long args[6]", "unsigned long", "args", true},
		{"char name[TASK_COMM_LEN]", "char", "name", true},
		{"u8 x[4][2]", "u8", "x", true},
		{"char buf[]", "char", "buf", true},
		{"void (*fn)(int)", "void *", "fn", false},
		{"enum hrtimer_mode mode", "enum hrtimer_mode", "mode", false},
		{"__rel_loc char[] x", "char", "x", true},
		{"__data_loc cpumask_t mask", "cpumask_t", "mask", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct skep_format_field *field = only(cases[i].decl);
		assert_string_equal(field->type, cases[i].type);
		assert_string_equal(field->name, cases[i].name);
		assert_string_equal(field->decl, cases[i].decl);
		assert_int_equal(field->is_array, cases[i].is_array);
	}
	assert_true(only("__rel_loc char[] x")->is_rel_loc);
	assert_false(only("__rel_loc char[] x")->is_data_loc);
}

static void refuses(void **state)
{
	static const char *const cases[] = {
		"\tfield:int x\toffset:8;\tsize:4;\tsigned:1;\n", /* swallows the offset */
		"\tfield:int x;\tsize:4;\n",
		"\tfield:int x;\toffset:;\tsize:4;\n",
		"\tfield:int x;\toffset:-1;\tsize:4;\n",
		"\tfield:int x;\toffset:8;\tsize:4x;\n",
		"\tfield:int x;\toffset:65536;\tsize:1;\n",
		"\tfield:int x;\toffset:99999999999999999999;\tsize:4;\n",
		"\tfield:x;\toffset:8;\tsize:4;\n",
		"\tfield:;\toffset:8;\tsize:4;\n",
		"\tfield:int ;\toffset:8;\tsize:4;\n",
		"\tfield:int 9x;\toffset:8;\tsize:4;\n",
		"\tfield:int [4];\toffset:8;\tsize:4;\n",
		"\tfield:void (*)(int);\toffset:8;\tsize:8;\n",
		"\tfield:f);\toffset:8;\tsize:8;\n",
		"\tfield:[4] x;\toffset:8;\tsize:8;\n", /* bounds of nothing */
		"\tfield:]];\toffset:8;\tsize:8;\n",
		"\tfield:",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skep_format format = {.n_fields = 77};
		uint32_t line = 0;
		if (parse(cases[i], &format, &line) != -EINVAL)
			fail_msg("taken: %s", cases[i]);
		assert_int_equal(line, 1);
		assert_int_equal(format.n_fields, 77);
	}
}

static void too_many(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_format format = {0};
	uint32_t line;

	for (int i = 0; i < 1025; i++)
		skep_buf_printf(&text, "\tfield:int x%d;\toffset:8;\tsize:4;\n", i);
	assert_int_equal(parse(text.data, &format, &line), -E2BIG);
	assert_int_equal(line, 1025);
}

static void empty(void **state)
{
	struct skep_format format = {.n_fields = 77};
	uint32_t line;

	assert_int_equal(parse("", &format, &line), 0);
	assert_int_equal(format.n_fields, 0);
	assert_int_equal(skep_format_parse(&arena, "\0\0\n\0", 4, &format, &line), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_file), cmocka_unit_test(declarations),
		cmocka_unit_test(refuses),    cmocka_unit_test(too_many),
		cmocka_unit_test(empty),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
