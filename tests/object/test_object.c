/* An object's life, and what the ELF writer refuses. */
#include "object_test.h"

#include <errno.h>
#include <fcntl.h>

static void test_lifecycle(void **state)
{
	struct skep_object object;
	struct skep_object_map map = {.name = "counts", .type = BPF_MAP_TYPE_HASH};

	skep_object_init(&object);
	assert_string_equal(object.license, "GPL");
	assert_int_equal(skep_object_add_map(&object, &map), 0);
	assert_int_equal(skep_object_add_map(&object, &map), 1);
	assert_string_equal(object.maps[1].name, "counts");
	object.btf = skep_btf_writer_new();
	add_func(add_prog(&object, "p", "socket", "exit"), 0, 0, "p");
	skep_object_done(&object);
	assert_int_equal(object.n_maps, 0);
	skep_object_done(&object); /* twice does no harm */
}

static const struct refusal {
	const char *id, *what, *text, *section;
	uint32_t funcs[3]; /* first slots; 0: no more */
} refusals[] = {
	{"I0101", "program bad names map 7 of 3", "r1 = map[idx:7]\nexit", "socket", {0}},
	{"I0102",
	 "an ELF file cannot say that map one is used by address and as a map",
	 "r1 = map[idx:1]\nr1 = map[idx:1]+0\nexit",
	 "socket",
	 {0}},
	{"I0103",
	 "an ELF file cannot hold the first contents of map full",
	 "r1 = map[idx:2]\nexit",
	 "socket",
	 {0}},
	{"I0104",
	 "map many is used by address but is no array of one value",
	 "r1 = map[idx:0]+0\nexit",
	 "socket",
	 {0}},
	{"I0105", "program bad needs a section name other than none", "exit", "", {0}},
	{"I0105", "program bad needs a section name other than none", "exit", NULL, {0}},
	{"I0105", "program bad needs a section name other than .text", "exit", ".text", {0}},
	{"I0106", "the functions of program bad do not divide its instructions", "", "socket", {0}},
	{"I0106",
	 "the functions of program bad do not divide its instructions",
	 "exit\nexit",
	 "socket",
	 {1, 5}},
	{"I0107",
	 "instruction 0 of program bad leads to no function",
	 "call pc+0\nexit",
	 "socket",
	 {0}},
	{"I0107",
	 "instruction 0 of program bad leads to no function",
	 "call pc+1\nexit\nexit",
	 "socket",
	 {1}},
	{"I0107",
	 "instruction 1 of program bad leads to no function",
	 "r0 = 0\nr1 = subprog[-2]\nexit",
	 "socket",
	 {0}},
};

static const char contents[8] = {0, 0, 0, 1};

static void make_maps(struct skep_object *object)
{
	struct skep_object_map map = {.name = "many",
				      .type = BPF_MAP_TYPE_ARRAY,
				      .key_size = 4,
				      .value_size = 8,
				      .max_entries = 2};

	skep_object_add_map(object, &map);
	map.max_entries = 1;
	strcpy(map.name, "one");
	skep_object_add_map(object, &map);
	map.init = contents;
	strcpy(map.name, "full");
	skep_object_add_map(object, &map);
}

static void test_refusals(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		_cleanup_diag_ struct skep_diag diag = {0};
		struct skep_object object;

		skep_object_init(&object);
		make_maps(&object);
		struct skep_object_prog *prog = add_prog(&object, "bad", r->section, r->text);
		for (size_t f = 0; r->funcs[f]; f++) {
			if (!f)
				add_func(prog, 0, 0, "bad");
			add_func(prog, r->funcs[f], 0, "sub");
		}
		assert_int_equal(skep_object_write_elf(&object, -1, &diag), -EINVAL);
		assert_string_equal(diag.items[0].what, r->what);
		assert_string_equal(skep_diag_code(diag.items[0].id), r->id);
		skep_object_done(&object);
	}
}

static void test_write_fails(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct skep_object object;

	skep_object_init(&object);
	add_prog(&object, "p", "socket", "r0 = 0\nexit");
	assert_int_equal(skep_object_write_elf(&object, full, &diag), -ENOSPC);
	assert_string_equal(skep_diag_code(diag.items[0].id), "B0002");
	skep_object_done(&object);
}

static void test_too_many_sections(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_object object;
	enum { N = 65280 };

	skep_object_init(&object);
	object.maps = skep_xcalloc(N, sizeof(*object.maps));
	object.n_maps = N;
	for (size_t i = 0; i < N; i++)
		object.maps[i] = (struct skep_object_map){.name = "m",
							  .type = BPF_MAP_TYPE_ARRAY,
							  .key_size = 4,
							  .value_size = 8,
							  .max_entries = 1,
							  .init = contents};
	assert_int_equal(skep_object_write_elf(&object, -1, &diag), -E2BIG);
	assert_string_equal(skep_diag_code(diag.items[0].id), "I0108");
	skep_object_done(&object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lifecycle),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_too_many_sections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
