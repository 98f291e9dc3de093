/* Types: sizes and layouts, printing, names in C and in the language, the kernel's BTF. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/type.h"

struct fixture {
	struct skep_arena arena;
	struct skep_types types;
};

static int setup(void **state)
{
	static struct fixture f;

	skep_arena_init(&f.arena);
	skep_types_init(&f.types, &f.arena);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	skep_types_done(&f->types);
	skep_arena_done(&f->arena);
	return 0;
}

static void assert_prints(const struct skep_type *type, const char *text)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	assert_non_null(type);
	skep_type_print(type, &buf);
	assert_string_equal(buf.data, text);
}

static void tuples_are_laid_out_naturally(void **state)
{
	struct fixture *f = *state;
	const struct skep_type *fields[] = {&skep_type_u8, &skep_type_u64,
					    skep_type_string(&f->types, 3), &skep_type_u16};
	const struct skep_type *type = skep_type_tuple(&f->types, fields, 4);

	assert_int_equal(type->fields[0].off, 0);
	assert_int_equal(type->fields[1].off, 8);
	assert_int_equal(type->fields[2].off, 16);
	assert_int_equal(type->fields[3].off, 20);
	assert_int_equal(type->size, 24);
	assert_int_equal(type->align, 8);
	assert_prints(type, "(uint8,uint64,string[3],uint16)");
	const struct skep_type *inner[] = {type, &skep_type_bool};
	assert_prints(skep_type_tuple(&f->types, inner, 2),
		      "((uint8,uint64,string[3],uint16),bool)");
	assert_int_equal(skep_type_tuple(&f->types, NULL, 0)->size, 0);
}

static void histograms_have_room_for_every_value(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(skep_type_hist(&f->types, 0)->n, 66);
	assert_int_equal(skep_type_hist(&f->types, 5)->n, (60 << 5) + 1);
	assert_int_equal(skep_type_lhist(&f->types, 0, 100, 10)->n, 12);
	assert_int_equal(skep_type_lhist(&f->types, -5, 5, 3)->n, 5);
}

static void sameness_is_of_bytes(void **state)
{
	struct fixture *f = *state;
	struct skep_types *t = &f->types;

	assert_true(skep_type_same(&skep_type_u32, &skep_type_s32));
	assert_false(skep_type_same(&skep_type_u32, &skep_type_u64));
	assert_true(skep_type_same(skep_type_string(t, 16), skep_type_string(t, 16)));
	assert_false(skep_type_same(skep_type_string(t, 16), skep_type_string(t, 17)));
	assert_false(skep_type_same(skep_type_hist(t, 0), skep_type_hist(t, 1)));
	assert_false(skep_type_same(skep_type_lhist(t, 0, 10, 1), skep_type_lhist(t, 1, 11, 1)));
	assert_false(skep_type_same(skep_type_stack(t, true, SKEP_STACK_PERF, 5),
				    skep_type_stack(t, true, SKEP_STACK_RAW, 5)));
	assert_true(skep_type_same(skep_type_array(t, &skep_type_u8, 4),
				   skep_type_array(t, &skep_type_s8, 4)));
}

static void names_are_read_as_written(void **state)
{
	static const struct {
		const char *name, *prints;
	} rows[] = {
		{"uint64", "uint64"},
		{"long unsigned int", "uint64"},
		{"unsigned", "uint32"},
		{"short", "int16"},
		{"char", "int8"},
		{"signed char", "int8"},
		{"const char *", "int8 *"},
		{"char **", "int8 * *"},
		{"char[16]", "string[16]"},
		{"int8[16]", "int8[16]"},
		{"string[64]", "string[64]"},
		{"buffer[12]", "buffer[12]"},
		{"uint8[8]", "uint8[8]"},
		{"int32*[4]", "int32 *[4]"},
		{"int32[4]*", "int32[4] *"},
		{"void *", "void *"},
		{"u32", "uint32"},
		{"__be32", "uint32"},
		{"size_t", "uint64"},
		{"bool", "bool"},
		{"_Bool", "bool"},
		{"int8[]", "int8[0]"},
		{"unsigned long long", "uint64"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_prints(skep_type_by_name(&f->types, rows[i].name, SKEP_SPACE_KERNEL),
			      rows[i].prints);
	assert_null(f->types.btf); /* none of these needs the kernel's types */
}

static void arrays_of_arrays_are_cs(void **state)
{
	struct fixture *f = *state;
	const struct skep_type *type = skep_type_by_name(&f->types, "int[4][2]", SKEP_SPACE_NONE);

	assert_int_equal(type->n, 4);
	assert_int_equal(type->elem->n, 2);
	assert_int_equal(type->size, 32);
}

static void bad_names_have_no_type(void **state)
{
	static const char *const names[] = {"",
					    " ",
					    "*",
					    "[4]",
					    "int[",
					    "int[4",
					    "int[x]",
					    "long long long",
					    "int )",
					    "no such_thing",
					    "struct no_such_struct_at_all",
					    "int[99999999999]"};
	struct fixture *f = *state;
	char too_long[600];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(skep_type_by_name(&f->types, names[i], SKEP_SPACE_NONE));
	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_null(skep_type_by_name(&f->types, too_long, SKEP_SPACE_NONE));
}

static struct skep_field find(struct fixture *f, const struct skep_type *type, const char *name)
{
	struct skep_field field;

	assert_int_equal(type->kind, SKEP_T_RECORD);
	assert_int_equal(skep_record_find(&f->types, type->record, name, type->space, &field), 0);
	return field;
}

static void the_kernels_structs_are_found(void **state)
{
	struct fixture *f = *state;
	struct skep_field field;
	const struct skep_type *task =
		skep_type_by_name(&f->types, "struct task_struct", SKEP_SPACE_KERNEL);

	if (!f->types.btf)
		skip();
	assert_prints(task, "struct task_struct");
	assert_prints(skep_type_by_name(&f->types, "task_struct *", SKEP_SPACE_KERNEL),
		      "struct task_struct *");
	assert_prints(find(f, task, "comm").type, "string[16]");
	field = find(f, task, "mm");
	assert_prints(field.type, "struct mm_struct *");
	assert_int_equal(field.type->space, SKEP_SPACE_KERNEL);
	assert_int_equal(field.type->elem->space, SKEP_SPACE_KERNEL);
	assert_prints(find(f, task, "pid").type, "int32");
	assert_int_equal(skep_record_find(&f->types, task->record, "no_such_member",
					  SKEP_SPACE_KERNEL, &field),
			 -ENOENT);
}

static void bit_fields_say_where_their_bits_are(void **state)
{
	struct fixture *f = *state;
	const struct skep_type *task =
		skep_type_by_name(&f->types, "struct task_struct", SKEP_SPACE_KERNEL);

	if (!f->types.btf)
		skip();
	struct skep_field field = find(f, task, "in_execve");
	struct skep_btf_member member;
	assert_int_equal(
		skep_btf_find_member(f->types.btf, task->record->btf_id, "in_execve", 9, &member),
		0);
	assert_int_equal(field.bit_size, 1);
	assert_int_equal(field.off * 8 + field.bit_off, member.bit_off);
	assert_true(field.bit_off + field.bit_size <= field.type->size * 8);
	assert_int_equal(field.off % field.type->size, 0);
}

static void anonymous_members_are_looked_into(void **state)
{
	struct fixture *f = *state;
	const struct skep_type *sock =
		skep_type_by_name(&f->types, "struct sock_common", SKEP_SPACE_KERNEL);

	if (!f->types.btf)
		skip();
	struct skep_field field = find(f, sock, "skc_daddr");
	assert_prints(field.type, "uint32");
	assert_int_equal(field.off, 0);
	assert_int_equal(find(f, sock, "skc_rcv_saddr").off, 4);
}

static void a_record_only_named_is_found_on_demand(void **state)
{
	struct fixture *f = *state;
	static const struct skep_record task = {.name = "struct task_struct"};
	struct skep_field field;

	if (!skep_types_btf(&f->types))
		skip();
	assert_int_equal(skep_record_find(&f->types, &task, "comm", SKEP_SPACE_KERNEL, &field), 0);
	assert_prints(field.type, "string[16]");
}

static void enums_keep_their_names(void **state)
{
	struct fixture *f = *state;
	const struct skep_type *type =
		skep_type_by_name(&f->types, "enum bpf_map_type", SKEP_SPACE_NONE);

	if (!f->types.btf)
		skip();
	assert_int_equal(type->kind, SKEP_T_INT);
	assert_int_not_equal(type->enum_btf, 0);
	assert_int_equal(type->size, 4);
}

static void pointers_in_the_context_do_not_point_there(void **state)
{
	struct fixture *f = *state;
	const struct skep_type *file = skep_type_by_name(&f->types, "struct file", SKEP_SPACE_CTX);

	if (!f->types.btf)
		skip();
	assert_int_equal(find(f, file, "f_op").type->space, SKEP_SPACE_NONE);
	assert_int_equal(find(f, file, "f_path").type->space, SKEP_SPACE_CTX);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(tuples_are_laid_out_naturally),
		TEST(histograms_have_room_for_every_value),
		TEST(sameness_is_of_bytes),
		TEST(names_are_read_as_written),
		TEST(arrays_of_arrays_are_cs),
		TEST(bad_names_have_no_type),
		TEST(the_kernels_structs_are_found),
		TEST(bit_fields_say_where_their_bits_are),
		TEST(anonymous_members_are_looked_into),
		TEST(a_record_only_named_is_found_on_demand),
		TEST(enums_keep_their_names),
		TEST(pointers_in_the_context_do_not_point_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
