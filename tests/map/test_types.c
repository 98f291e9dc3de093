/* map_types.def against the running kernel's BTF: every type, with its number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/map.h>

#include "map/ops.h"

static const struct {
	int number;
	const char *name;
} rows[] = {
#define SKEP_MAP_TYPE(number, NAME, name, help) {number, "BPF_MAP_TYPE_" #NAME},
#include <skep/map_types.def>
#undef SKEP_MAP_TYPE
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static int64_t enumerator(struct skep_btf *btf, const char *name)
{
	int64_t value = -1;
	uint32_t type;

	if (skep_btf_find_enumerator(btf, name, strlen(name), &value, &type))
		fail_msg("the kernel has no %s", name);
	return value;
}

static void test_rows_are_the_kernels(void **state)
{
	struct skep_btf *btf = NULL;

	if (skep_btf_open_kernel(&btf, NULL))
		skip();
	for (size_t i = 0; i < N_ROWS; i++) {
		assert_int_equal(enumerator(btf, rows[i].name), rows[i].number);
	}
	if (enumerator(btf, "__MAX_BPF_MAP_TYPE") != SKEP_MAP_TYPE_CNT)
		print_message("the kernel is not Linux 6.18: it has other types, too\n");
	skep_btf_free(btf);
}

static void test_flags_are_the_kernels(void **state)
{
	static const struct {
		const char *name;
		int64_t value;
	} flags[] = {
		{"BPF_F_NO_PREALLOC", SKEP_F_NO_PREALLOC},
		{"BPF_F_NO_COMMON_LRU", SKEP_F_NO_COMMON_LRU},
		{"BPF_F_NUMA_NODE", SKEP_F_NUMA_NODE},
		{"BPF_F_RDONLY", SKEP_F_RDONLY},
		{"BPF_F_WRONLY", SKEP_F_WRONLY},
		{"BPF_F_STACK_BUILD_ID", SKEP_F_STACK_BUILD_ID},
		{"BPF_F_ZERO_SEED", SKEP_F_ZERO_SEED},
		{"BPF_F_RDONLY_PROG", SKEP_F_RDONLY_PROG},
		{"BPF_F_WRONLY_PROG", SKEP_F_WRONLY_PROG},
		{"BPF_F_CLONE", SKEP_F_CLONE},
		{"BPF_F_MMAPABLE", SKEP_F_MMAPABLE},
		{"BPF_F_PRESERVE_ELEMS", SKEP_F_PRESERVE_ELEMS},
		{"BPF_F_INNER_MAP", SKEP_F_INNER_MAP},
		{"BPF_F_LINK", SKEP_F_LINK},
		{"BPF_F_PATH_FD", SKEP_F_PATH_FD},
		{"BPF_F_VTYPE_BTF_OBJ_FD", SKEP_F_VTYPE_BTF_OBJ_FD},
		{"BPF_F_TOKEN_FD", SKEP_F_TOKEN_FD},
		{"BPF_F_SEGV_ON_FAULT", SKEP_F_SEGV_ON_FAULT},
		{"BPF_F_NO_USER_CONV", SKEP_F_NO_USER_CONV},
		{"BPF_ANY", SKEP_ANY},
		{"BPF_NOEXIST", SKEP_NOEXIST},
		{"BPF_EXIST", SKEP_EXIST},
		{"BPF_F_LOCK", SKEP_LOCK},
	};
	struct skep_btf *btf = NULL;

	if (skep_btf_open_kernel(&btf, NULL))
		skip();
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_int_equal(enumerator(btf, flags[i].name), flags[i].value);
	}
	skep_btf_free(btf);
}

static void test_every_row_has_operations(void **state)
{
	assert_null(skep_map_type_ops(0));
	assert_null(skep_map_type_ops(SKEP_MAP_TYPE_CNT));
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct skep_map_ops *ops = skep_map_type_ops((uint32_t)rows[i].number);

		assert_non_null(ops);
		assert_non_null(ops->create);
		assert_non_null(ops->free);
		assert_true(!ops->has_lookup_and_delete_batch || ops->lookup_batch);
		assert_true(!ops->has_lookup_batch || ops->lookup_batch || ops->next_key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_the_kernels),
		cmocka_unit_test(test_flags_are_the_kernels),
		cmocka_unit_test(test_every_row_has_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
