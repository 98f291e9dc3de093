/* helpers.def against the enum bpf_func_id of the running kernel's BTF, row by row. */
#include "isa_test.h"

#include <linux/btf.h>

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

struct blob {
	const char *types, *types_end, *strings;
};

/* Bytes behind a type's header, by kind. */
static size_t tail_bytes(uint32_t kind, uint32_t vlen)
{
	static const struct {
		size_t fixed, each;
	} tails[] = {
		[BTF_KIND_INT] = {4, 0},
		[BTF_KIND_ARRAY] = {sizeof(struct btf_array), 0},
		[BTF_KIND_STRUCT] = {0, sizeof(struct btf_member)},
		[BTF_KIND_UNION] = {0, sizeof(struct btf_member)},
		[BTF_KIND_ENUM] = {0, sizeof(struct btf_enum)},
		[BTF_KIND_FUNC_PROTO] = {0, sizeof(struct btf_param)},
		[BTF_KIND_VAR] = {sizeof(struct btf_var), 0},
		[BTF_KIND_DATASEC] = {0, sizeof(struct btf_var_secinfo)},
		[BTF_KIND_DECL_TAG] = {sizeof(struct btf_decl_tag), 0},
		[BTF_KIND_ENUM64] = {0, sizeof(struct btf_enum64)},
	};

	return kind < sizeof(tails) / sizeof(tails[0]) ? tails[kind].fixed + tails[kind].each * vlen
						       : 0;
}

static const struct btf_type *find_enum(const struct blob *btf, const char *name)
{
	for (const char *at = btf->types; at < btf->types_end;) {
		const struct btf_type *type = (const struct btf_type *)at;
		uint32_t kind = BTF_INFO_KIND(type->info), vlen = BTF_INFO_VLEN(type->info);

		if (kind == BTF_KIND_ENUM && !strcmp(btf->strings + type->name_off, name))
			return type;
		at += sizeof(*type) + tail_bytes(kind, vlen);
	}
	return NULL;
}

static void check_row(const struct blob *btf, const struct btf_enum *row)
{
	const char *name = btf->strings + row->name_off;

	if (!strcmp(name, "__BPF_FUNC_MAX_ID")) {
		assert_null(skep_helper_name(row->val));
		assert_non_null(skep_helper_name(row->val - 1));
		return;
	}
	assert_memory_equal(name, "BPF_FUNC_", 9);
	assert_non_null(skep_helper_name(row->val));
	assert_string_equal(skep_helper_name(row->val), name + 9);
	assert_int_equal(skep_helper_id(name + 9, strlen(name + 9)), row->val);
}

static void test_kernel_names(void **state)
{
	_cleanup_buf_ struct skep_buf file = {0};

	if (skep_file_read(KERNEL_BTF, 64u << 20, &file)) {
		print_message("no %s here\n", KERNEL_BTF);
		skip();
	}
	const struct btf_header *header = (const void *)file.data;
	const char *types = file.data + header->hdr_len + header->type_off;
	struct blob btf = {types, types + header->type_len,
			   file.data + header->hdr_len + header->str_off};

	const struct btf_type *type = find_enum(&btf, "bpf_func_id");
	assert_non_null(type);
	const struct btf_enum *rows = (const void *)(type + 1);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++)
		check_row(&btf, &rows[i]);
	print_message("%u rows\n", BTF_INFO_VLEN(type->info));
}

static void test_lookups(void **state)
{
	assert_string_equal(skep_helper_name(1), "map_lookup_elem");
	assert_null(skep_helper_name(-1));
	assert_null(skep_helper_name(INT32_MAX));
	assert_int_equal(skep_helper_id("bpf_loop", 8), 181);
	assert_int_equal(skep_helper_id("loop", 4), 181);
	assert_int_equal(skep_helper_id("loops", 5), -1);
	assert_int_equal(skep_helper_id("", 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_names),
		cmocka_unit_test(test_lookups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
