/*
 * Unwind tables of real files: at every row's address, just before it and just behind it, the
 * table has the rule that the rows themselves give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/vec.h"
#include "unwind/table.h"

struct rows {
	SKEP_VEC(struct skep_cfi_row) list;
};

static int take(void *ctx, const struct skep_cfi_row *row)
{
	struct rows *rows = ctx;

	skep_vec_push(&rows->list, *row);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct skep_cfi_row *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (x->cfa != SKEP_CFA_NONE) - (y->cfa != SKEP_CFA_NONE);
}

static void check_at(const struct skep_unwind_table *table, uint64_t addr,
		     const struct skep_cfi_row *want)
{
	const struct skep_unwind_rule *rule = skep_unwind_table_find(table, addr);

	if (rule->cfa != want->cfa)
		fail_msg("at %llx the table has %u, the rows %u", (unsigned long long)addr,
			 rule->cfa, want->cfa);
	if (want->cfa == SKEP_CFA_NONE || want->cfa == SKEP_CFA_SIGNAL)
		return;
	assert_int_equal(rule->cfa_off, want->cfa_off);
	assert_int_equal(rule->fp, want->fp);
	assert_int_equal(rule->base, want->base);
	if (want->fp == SKEP_CFI_AT_CFA)
		assert_int_equal(rule->fp_off, want->fp_off);
}

static bool find_section(const char *path, struct skep_elf **ret_elf, struct skep_cfi_section *ret)
{
	struct skep_elf_section found;

	if (skep_elf_open(path, ret_elf, NULL) ||
	    skep_elf_find_section(*ret_elf, ".eh_frame", &found) || !found.data)
		return false;
	*ret = (struct skep_cfi_section){.data = found.data,
					 .size = found.size,
					 .addr = found.addr,
					 .machine = skep_cfi_machine(skep_elf_machine(*ret_elf))};
	return ret->machine;
}

static void check_file(const char *path)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_cfi_section section;
	struct skep_unwind_table table;
	struct rows rows = {0};

	assert_true(find_section(path, &elf, &section));
	assert_int_equal(skep_unwind_table_build(&section, &table), 0);
	assert_int_equal(table.n_skipped, 0);
	skep_cfi_read(&section, take, &rows, NULL);
	qsort(rows.list.data, rows.list.len, sizeof(*rows.list.data), compare);
	assert_true(rows.list.len > 100);
	for (size_t i = 0; i < rows.list.len; i++) {
		const struct skep_cfi_row *row = &rows.list.data[i], *next = row + 1;
		if (i + 1 == rows.list.len || next->addr > row->addr)
			check_at(&table, row->addr, row);
		if (i + 1 < rows.list.len && next->addr > row->addr)
			check_at(&table, next->addr - 1, row);
	}
	struct skep_cfi_row none = {.cfa = SKEP_CFA_NONE};
	check_at(&table, 0, &none);
	check_at(&table, UINT64_MAX, &none);
	skep_unwind_table_done(&table);
	skep_vec_done(&rows.list);
}

static void itself(void **state)
{
	check_file("/proc/self/exe");
}

static void check_if_there(const char *path)
{
	if (access(path, R_OK))
		skip();
	check_file(path);
}

static void libc(void **state)
{
	check_if_there("/lib/x86_64-linux-gnu/libc.so.6");
}

static void python(void **state)
{
	check_if_there("/usr/bin/python3");
}

/* --- Functions in any order ------------------------------------------------------------------- */

struct bytes {
	uint8_t data[4096];
	size_t n;
};

static void put(struct bytes *to, const void *data, size_t n)
{
	memcpy(to->data + to->n, data, n);
	to->n += n;
}

/* Version 1, no augmentation, alignments of 1 and -8, return address 16; CFA rsp+8, ra at CFA-8. */
static void put_cie(struct bytes *to)
{
	static const uint8_t cie[] = {16, 0,    0,  0,    0, 0, 0,    0, 1, 0,
				      1,  0x78, 16, 0x0c, 7, 8, 0x90, 1, 0, 0};

	put(to, cie, sizeof(cie));
}

/* A function of 16 bytes whose CFA is rsp + @off from its second byte on. */
static void put_function(struct bytes *to, uint64_t from, uint64_t size, uint8_t off)
{
	const uint8_t program[] = {0x41, 0x0e, off, 0};
	uint32_t head[2] = {24, (uint32_t)to->n + 4};

	put(to, head, sizeof(head));
	put(to, &from, sizeof(from));
	put(to, &size, sizeof(size));
	put(to, program, sizeof(program));
}

static void any_order(void **state)
{
	static const uint8_t order[] = {3, 9, 1, 2, 8, 7, 0, 6, 4, 5};
	struct skep_unwind_table table;
	struct bytes bytes = {.n = 0};

	put_cie(&bytes);
	for (size_t i = 0; i < sizeof(order); i++)
		put_function(&bytes, 0x1fff0 + order[i] * 0x20u, 16, 16 + order[i]);
	put_function(&bytes, 0x1fff8, 16, 99); /* begins within the first: it is passed over */
	struct skep_cfi_section section = {
		.data = bytes.data, .size = bytes.n, .machine = skep_cfi_machine(62)};
	assert_int_equal(skep_unwind_table_build(&section, &table), 0);
	assert_int_equal(table.n_skipped, 0);
	for (uint64_t i = 0; i < sizeof(order); i++) {
		uint64_t at = 0x1fff0 + i * 0x20;
		assert_int_equal(skep_unwind_table_find(&table, at - 1)->cfa, SKEP_CFA_NONE);
		assert_int_equal(skep_unwind_table_find(&table, at)->cfa_off, 8);
		assert_int_equal(skep_unwind_table_find(&table, at + 1)->cfa_off, 16 + i);
		assert_int_equal(skep_unwind_table_find(&table, at + 15)->cfa_off, 16 + i);
		assert_int_equal(skep_unwind_table_find(&table, at + 16)->cfa, SKEP_CFA_NONE);
	}
	skep_unwind_table_done(&table);
	/* Three rows for each, and the first page's; the second begins where the first one ends. */
	assert_int_equal(skep_unwind_table_build_within(&section, 30, &table), -E2BIG);
	assert_int_equal(skep_unwind_table_build_within(&section, 31, &table), 0);
	skep_unwind_table_done(&table);
}

/* Functions as far apart as can be do not fill memory with pages. */
static void far_apart(void **state)
{
	struct skep_unwind_table table;
	struct bytes bytes = {.n = 0};

	put_cie(&bytes);
	put_function(&bytes, 0, 16, 16);
	put_function(&bytes, 1ull << 39, 16, 16);
	struct skep_cfi_section section = {
		.data = bytes.data, .size = bytes.n, .machine = skep_cfi_machine(62)};
	assert_int_equal(skep_unwind_table_build_within(&section, 1 << 16, &table), -E2BIG);
}

static void nothing_there(void **state)
{
	static const uint8_t zeroes[8];
	struct skep_cfi_section section = {
		.data = zeroes, .size = sizeof(zeroes), .machine = skep_cfi_machine(62)};
	struct skep_unwind_table table;

	assert_int_equal(skep_unwind_table_build(&section, &table), -ENODATA);
	section.data = (const uint8_t[]){9, 9, 9, 9, 9};
	section.size = 5;
	assert_int_equal(skep_unwind_table_build(&section, &table), -EBADMSG);
	assert_null(skep_cfi_machine(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(itself),    cmocka_unit_test(libc),
		cmocka_unit_test(python),    cmocka_unit_test(any_order),
		cmocka_unit_test(far_apart), cmocka_unit_test(nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
