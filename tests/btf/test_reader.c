/* What the reader says about types of every kind, made by hand; BTF on top of BTF. */
#include "raw.h"

#include <errno.h>
#include <stdio.h>

static void strip_and_target(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "int", 4, WIRE_INT_SIGNED << 24 | 32);
	raw_type(&raw, SKEP_BTF_CONST, "", 0, 1);
	raw_type(&raw, SKEP_BTF_VOLATILE, "", 0, 2);
	raw_type(&raw, SKEP_BTF_TYPE_TAG, "user", 0, 3);
	raw_type(&raw, SKEP_BTF_TYPEDEF, "pid_t", 0, 4);
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 5);
	raw_type(&raw, SKEP_BTF_RESTRICT, "", 0, 6);
	raw_type(&raw, SKEP_BTF_DECL_TAG, "tag", 0, 5);
	raw_word(&raw, UINT32_MAX);
	raw_type(&raw, SKEP_BTF_FLOAT, "double", 0, 8);
	raw_type(&raw, SKEP_BTF_FWD, "later", 0, 0);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_strip(btf, 5), 1);
	assert_int_equal(skep_btf_strip(btf, 7), 6);
	assert_int_equal(skep_btf_strip(btf, 1), 1);
	assert_int_equal(skep_btf_target(btf, 5), 4);
	assert_int_equal(skep_btf_target(btf, 6), 5);
	assert_int_equal(skep_btf_target(btf, 8), 5);
	assert_int_equal(skep_btf_target(btf, 9), 0);
	assert_int_equal(skep_btf_size(btf, 5), 4);
	assert_int_equal(skep_btf_size(btf, 7), 8);
	assert_int_equal(skep_btf_size(btf, 9), 8);
	assert_int_equal(skep_btf_size(btf, 10), -ENOENT);
	assert_int_equal(skep_btf_size(btf, 8), -ENOENT);
	assert_int_equal(skep_btf_find(btf, "later", 5, SKEP_BTF_MASK(SKEP_BTF_STRUCT)), 0);
	assert_int_equal(skep_btf_find(btf, "later", 5, SKEP_BTF_MASK(SKEP_BTF_FWD)), 10);
	skep_btf_free(btf);
}

static void long_chain(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "int", 4, 32);
	for (uint32_t i = 1; i <= 40; i++)
		raw_type(&raw, SKEP_BTF_TYPEDEF, "t", 0, i);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_strip(btf, 33), 1);
	assert_int_equal(skep_btf_size(btf, 33), 4);
	assert_int_equal(skep_btf_strip(btf, 34), 0);
	assert_int_equal(skep_btf_size(btf, 34), -ELOOP);
	skep_btf_free(btf);
}

static void integers(void **state)
{
	struct skep_btf_int info;
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "_Bool", 1, WIRE_INT_BOOL << 24 | 8);
	raw_int(&raw, "char", 1, WIRE_INT_CHAR << 24 | WIRE_INT_SIGNED << 24 | 8);
	raw_int(&raw, "__int128", 16, WIRE_INT_SIGNED << 24 | 128);
	raw_type(&raw, SKEP_BTF_ENUM, "e", KFLAG, 2);
	raw_type(&raw, SKEP_BTF_ENUM64, "e", 0, 8);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_int_info(btf, 1, &info), 0);
	assert_true(info.bits == 8 && info.is_bool && !info.is_signed && !info.is_char);
	assert_int_equal(skep_btf_int_info(btf, 2, &info), 0);
	assert_true(info.bits == 8 && !info.is_bool && info.is_signed && info.is_char);
	assert_int_equal(skep_btf_int_info(btf, 3, &info), 0);
	assert_true(info.bits == 128 && info.is_signed);
	assert_int_equal(skep_btf_int_info(btf, 4, &info), 0);
	assert_true(info.bits == 16 && info.is_signed);
	assert_int_equal(skep_btf_int_info(btf, 5, &info), 0);
	assert_true(info.bits == 64 && !info.is_signed);
	skep_btf_free(btf);
}

static void bit_fields(void **state)
{
	struct skep_btf_member found;
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "unsigned int", 4, 32);
	raw_int(&raw, "unsigned int", 4, 3);           /* before kflag: of 3 bits */
	raw_int(&raw, "unsigned int", 4, 5 << 16 | 2); /* of 2, 5 bits in */
	raw_type(&raw, SKEP_BTF_TYPEDEF, "three", 0, 2);
	raw_type(&raw, SKEP_BTF_STRUCT, "new", KFLAG | 3, 8);
	raw_element(&raw, "whole", 1, 0);
	raw_element(&raw, "a", 1, 5u << 24 | 32);
	raw_element(&raw, "b", 1, 27u << 24 | 37);
	raw_type(&raw, SKEP_BTF_STRUCT, "old", 3, 8);
	raw_element(&raw, "whole", 1, 0);
	raw_element(&raw, "a", 4, 32);
	raw_element(&raw, "b", 3, 32);
	raw_type(&raw, SKEP_BTF_STRUCT, "outer", 1, 16);
	raw_element(&raw, "", 8, 64);
	raw_type(&raw, SKEP_BTF_UNION, "", KFLAG | 1, 4);
	raw_element(&raw, "deep", 1, 4u << 24 | 3);
	btf = raw_parse(&raw, NULL);
	found = member(btf, 5, "whole");
	assert_true(found.bit_off == 0 && found.bit_size == 0);
	found = member(btf, 5, "b");
	assert_true(found.bit_off == 37 && found.bit_size == 27);
	found = member(btf, 6, "a");
	assert_true(found.bit_off == 32 && found.bit_size == 3 && found.type == 4);
	found = member(btf, 6, "b");
	assert_true(found.bit_off == 37 && found.bit_size == 2);
	found = member(btf, 7, "deep");
	assert_true(found.bit_off == 67 && found.bit_size == 4);
	skep_btf_free(btf);
}

static void members_by_name(void **state)
{
	struct skep_btf_member found;
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "int", 4, 32);
	raw_type(&raw, SKEP_BTF_STRUCT, "", 2, 8);
	raw_element(&raw, "x", 1, 0);
	raw_element(&raw, "y", 1, 32);
	raw_type(&raw, SKEP_BTF_CONST, "", 0, 2);
	raw_type(&raw, SKEP_BTF_UNION, "", 2, 8);
	raw_element(&raw, "", 3, 0);
	raw_element(&raw, "whole", 1, 0);
	raw_type(&raw, SKEP_BTF_STRUCT, "s", 3, 24);
	raw_element(&raw, "first", 1, 0);
	raw_element(&raw, "", 4, 64);
	raw_element(&raw, "named", 2, 128);
	raw_type(&raw, SKEP_BTF_TYPEDEF, "s_t", 0, 5);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(member(btf, 5, "y").bit_off, 96);
	assert_int_equal(member(btf, 6, "y").bit_off, 96);
	assert_int_equal(member(btf, 5, "whole").bit_off, 64);
	assert_int_equal(member(btf, 5, "named").bit_off, 128);
	assert_int_equal(skep_btf_find_member(btf, 5, "yy", 2, &found), -ENOENT);
	assert_int_equal(skep_btf_find_member(btf, 5, "fir", 3, &found), -ENOENT);
	assert_int_equal(skep_btf_find_member(btf, 5, "first", 3, &found), -ENOENT);
	assert_int_equal(skep_btf_find_member(btf, 5, "", 0, &found), -ENOENT);
	assert_int_equal(skep_btf_find_member(btf, 5, "x\0z", 3, &found), -ENOENT);
	assert_int_equal(skep_btf_find_member(btf, 1, "x", 1, &found), -ENOENT);
	assert_int_equal(skep_btf_find_member(btf, 5, "xyz", 1, &found), 0);
	skep_btf_free(btf);
}

static void enumerators(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;
	const char *name;
	int64_t value;
	uint32_t id;

	raw_type(&raw, SKEP_BTF_ENUM, "signed", KFLAG | 1, 4);
	raw_pair(&raw, "MINUS", (uint32_t)-5);
	raw_type(&raw, SKEP_BTF_ENUM, "unsigned", 2, 4);
	raw_pair(&raw, "ALL", UINT32_MAX);
	raw_pair(&raw, "ONE", 1);
	raw_type(&raw, SKEP_BTF_ENUM64, "wide", KFLAG | 1, 8);
	raw_element(&raw, "MINUS_WIDE", (uint32_t)-2, UINT32_MAX);
	raw_type(&raw, SKEP_BTF_ENUM64, "", 1, 8);
	raw_element(&raw, "HIGH", 7, 1);
	btf = raw_parse(&raw, NULL);
	assert_int_equal(skep_btf_find_enumerator(btf, "MINUS", 5, &value, &id), 0);
	assert_true(value == -5 && id == 1);
	assert_int_equal(skep_btf_find_enumerator(btf, "ALL", 3, &value, &id), 0);
	assert_true(value == UINT32_MAX && id == 2);
	assert_int_equal(skep_btf_find_enumerator(btf, "MINUS_WIDE", 10, &value, &id), 0);
	assert_true(value == -2 && id == 3);
	assert_int_equal(skep_btf_find_enumerator(btf, "HIGH", 4, &value, &id), 0);
	assert_true(value == 0x100000007 && id == 4);
	assert_int_equal(skep_btf_find_enumerator(btf, "NONE", 4, &value, &id), -ENOENT);
	assert_int_equal(skep_btf_enumerator(btf, 2, 1, &name, &value), 0);
	assert_string_equal(name, "ONE");
	assert_int_equal(skep_btf_enumerator(btf, 2, 2, &name, &value), -EINVAL);
	assert_int_equal(skep_btf_n_members(btf, 2), 2);
	skep_btf_free(btf);
}

/* Names of all lengths around the fingerprint's word, at all distances from the strings' end. */
static void names_of_every_length(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;
	char name[64];

	for (uint32_t i = 1; i < 60; i++) {
		snprintf(name, sizeof(name), "%.*s%u", (int)i,
			 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh", i);
		raw_type(&raw, SKEP_BTF_STRUCT, name, 0, i);
	}
	btf = raw_parse(&raw, NULL);
	for (uint32_t i = 1; i < 60; i++) {
		snprintf(name, sizeof(name), "%.*s%u", (int)i,
			 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh", i);
		assert_int_equal(find(btf, name), i);
		assert_int_equal(skep_btf_find(btf, name, strlen(name) - 1, SKEP_BTF_ANY_KIND), 0);
	}
	skep_btf_free(btf);
}

/* More types than the walk takes in one go, and the first of those called alike. */
static void first_of_many(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;
	char name[16];

	for (uint32_t i = 1; i <= 10000; i++) {
		snprintf(name, sizeof(name), "f%u", i % 9000);
		raw_type(&raw, i > 9000 ? SKEP_BTF_UNION : SKEP_BTF_STRUCT, name, 0, i);
	}
	btf = raw_parse(&raw, NULL);
	for (uint32_t i = 1; i < 9000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(find(btf, name), i);
		assert_int_equal(skep_btf_size(btf, i), i);
	}
	assert_int_equal(skep_btf_find(btf, "f7", 2, SKEP_BTF_MASK(SKEP_BTF_UNION)), 9007);
	assert_int_equal(skep_btf_find(btf, "f7", 2, SKEP_BTF_MASK(SKEP_BTF_FUNC)), 0);
	skep_btf_free(btf);
}

static void on_top_of_a_base(void **state)
{
	struct raw below = {0}, above = {0}, twice = {0};
	struct skep_btf *base, *module, *third;
	int64_t value;
	uint32_t id;

	raw_int(&below, "int", 4, 32);
	raw_type(&below, SKEP_BTF_STRUCT, "shared", 1, 4);
	raw_element(&below, "x", 1, 0);
	raw_type(&below, SKEP_BTF_ENUM, "e", 1, 4);
	raw_pair(&below, "LOW", 1);
	above.first_str =
		1 + sizeof("int") + sizeof("shared") + sizeof("x") + sizeof("e") + sizeof("LOW");
	base = raw_parse(&below, NULL);
	raw_type(&above, SKEP_BTF_STRUCT, "own", 1, 8);
	raw_element(&above, "inner", 2, 0);
	raw_type(&above, SKEP_BTF_STRUCT, "shared", 0, 99);
	raw_type(&above, SKEP_BTF_ENUM, "", 1, 4);
	raw_pair(&above, "HIGH", 2);
	module = raw_parse(&above, base);
	raw_type(&twice, SKEP_BTF_PTR, "", 0, 4);
	third = raw_parse(&twice, module);

	assert_int_equal(skep_btf_n_types(base), 3);
	assert_int_equal(skep_btf_n_types(module), 6);
	assert_int_equal(find(module, "own"), 4);
	assert_int_equal(find(module, "shared"), 2);
	assert_int_equal(find(base, "own"), 0);
	assert_string_equal(skep_btf_name(module, 2), "shared");
	assert_string_equal(skep_btf_name(module, 5), "shared");
	assert_int_equal(skep_btf_size(module, member(module, 4, "inner").type), 4);
	assert_int_equal(skep_btf_kind(module, 7), SKEP_BTF_VOID);
	assert_int_equal(skep_btf_find_enumerator(module, "LOW", 3, &value, &id), 0);
	assert_true(value == 1 && id == 3);
	assert_int_equal(skep_btf_find_enumerator(module, "HIGH", 4, &value, &id), 0);
	assert_true(value == 2 && id == 6);
	assert_int_equal(skep_btf_n_types(third), 7);
	assert_string_equal(skep_btf_name(third, skep_btf_target(third, 7)), "own");
	skep_btf_free(third);
	skep_btf_free(module);
	skep_btf_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strip_and_target), cmocka_unit_test(long_chain),
		cmocka_unit_test(integers),         cmocka_unit_test(bit_fields),
		cmocka_unit_test(members_by_name),  cmocka_unit_test(enumerators),
		cmocka_unit_test(first_of_many),    cmocka_unit_test(names_of_every_length),
		cmocka_unit_test(on_top_of_a_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
