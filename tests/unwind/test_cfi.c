/* Call frame information put together by hand: every instruction, expressions, broken bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <string.h>

#include "unwind/cfi.h"

#define BASE       0x10000
#define ROWS_MOST  64
#define BYTES_MOST 512

struct read {
	struct skep_cfi_row rows[ROWS_MOST];
	uint32_t n;
	struct skep_cfi_counts counts;
};

static int take(void *ctx, const struct skep_cfi_row *row)
{
	struct read *got = ctx;

	assert_true(got->n < ROWS_MOST);
	got->rows[got->n++] = *row;
	return 0;
}

static struct read read_bytes(const uint8_t *bytes, size_t size)
{
	struct skep_cfi_section section = {
		.data = bytes, .size = size, .addr = BASE, .machine = skep_cfi_machine(EM_X86_64)};
	struct read got = {0};

	assert_int_equal(skep_cfi_read(&section, take, &got, &got.counts), 0);
	return got;
}

/*
 * length, 0, version 1, "zR\0", code align 1, data align -8, ra 16, 1 byte more: addresses are
 * four bytes, absolute; CFA = rsp + 8, ra at CFA - 8.
 */
static const uint8_t cie[] = {20, 0,    0,  0, 0,    0,    0, 0, 1,    'z', 'R', 0,
			      1,  0x78, 16, 1, 0x03, 0x0c, 7, 8, 0x90, 1,   0,   0};

static uint8_t bytes[BYTES_MOST];

static void put32(size_t at, uint32_t value)
{
	memcpy(bytes + at, &value, 4);
}

/* A function of 0x100 bytes at 0x1000, with @program. */
static struct read read_program(const uint8_t *program, uint8_t n)
{
	size_t fde = sizeof(cie), size = 4 + 4 + 4 + 1 + n;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, cie, sizeof(cie));
	put32(fde, (uint32_t)size);
	put32(fde + 4, (uint32_t)fde + 4);
	put32(fde + 8, 0x1000);
	put32(fde + 12, 0x100);
	memcpy(bytes + fde + 17, program, n);
	return read_bytes(bytes, fde + 4 + size);
}

#define PROGRAM(...) read_program((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void check_row(const struct skep_cfi_row *row, uint64_t addr, enum skep_cfa_kind cfa,
		      int32_t off)
{
	assert_int_equal(row->addr, addr);
	assert_int_equal(row->cfa, cfa);
	assert_int_equal(row->cfa_off, off);
}

static void frame_pointer(void **state)
{
	/* push rbp; mov rsp, rbp; …; leave */
	struct read got =
		PROGRAM(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x50, 0x0c, 7, 8, 0xc6);

	assert_int_equal(got.counts.n_functions, 1);
	assert_int_equal(got.counts.n_skipped, 0);
	assert_int_equal(got.n, 5);
	check_row(&got.rows[0], 0x1000, SKEP_CFA_SP, 8);
	assert_int_equal(got.rows[0].fp, SKEP_CFI_SAME);
	assert_int_equal(got.rows[0].ra, SKEP_CFI_AT_CFA);
	assert_int_equal(got.rows[0].ra_off, -8);
	check_row(&got.rows[1], 0x1001, SKEP_CFA_SP, 16);
	assert_int_equal(got.rows[1].fp, SKEP_CFI_AT_CFA);
	assert_int_equal(got.rows[1].fp_off, -16);
	check_row(&got.rows[2], 0x1004, SKEP_CFA_FP, 16);
	check_row(&got.rows[3], 0x1054, SKEP_CFA_SP, 8);
	assert_int_equal(got.rows[3].fp, SKEP_CFI_SAME);
	check_row(&got.rows[4], 0x1100, SKEP_CFA_NONE, 0);
}

static void remembered(void **state)
{
	struct read got =
		PROGRAM(0x0a, 0x41, 0x0e, 32, 0x0a, 0x41, 0x0e, 64, 0x41, 0x0b, 0x41, 0x0b);

	assert_int_equal(got.n, 6);
	check_row(&got.rows[1], 0x1001, SKEP_CFA_SP, 32);
	check_row(&got.rows[2], 0x1002, SKEP_CFA_SP, 64);
	check_row(&got.rows[3], 0x1003, SKEP_CFA_SP, 32);
	check_row(&got.rows[4], 0x1004, SKEP_CFA_SP, 8);
}

static void every_way_to_advance(void **state)
{
	struct read got = PROGRAM(0x41, 0x02, 0x10, 0x03, 0x20, 0x00, 0x04, 0x30, 0, 0, 0, 0x01,
				  0x90, 0x10, 0, 0, 0x03, 0xff, 0xff, 0x41);
	static const uint64_t addrs[] = {0x1000, 0x1001, 0x1011, 0x1031, 0x1061, 0x1090, 0x1091};

	assert_int_equal(got.n, sizeof(addrs) / sizeof(addrs[0]) + 1); /* not out of the function */
	for (uint32_t i = 0; i + 1 < got.n; i++)
		assert_int_equal(got.rows[i].addr, addrs[i]);
}

static void places(void **state)
{
	struct read got = PROGRAM(0x07, 16, 0x41, 0x05, 6, 3, 0x41, 0x11, 6, 0x7e, 0x41, 0x2f, 6, 2,
				  0x41, 0x08, 6, 0x06, 16, 0x41, 0x09, 6, 3, 0x41, 0x14, 6, 1);
	static const struct {
		enum skep_cfi_place fp, ra;
		int32_t fp_off;
	} want[] = {
		{SKEP_CFI_SAME, SKEP_CFI_UNDEFINED, 0},
		{SKEP_CFI_AT_CFA, SKEP_CFI_UNDEFINED, -24},
		{SKEP_CFI_AT_CFA, SKEP_CFI_UNDEFINED, 16},
		{SKEP_CFI_AT_CFA, SKEP_CFI_UNDEFINED, 16},
		{SKEP_CFI_SAME, SKEP_CFI_AT_CFA, 0},
		{SKEP_CFI_IN_REG, SKEP_CFI_AT_CFA, 3},
		{SKEP_CFI_OTHER, SKEP_CFI_AT_CFA, 0},
	};

	assert_int_equal(got.n, sizeof(want) / sizeof(want[0]) + 1);
	for (uint32_t i = 0; i + 1 < got.n; i++) {
		assert_int_equal(got.rows[i].fp, want[i].fp);
		assert_int_equal(got.rows[i].ra, want[i].ra);
		assert_int_equal(got.rows[i].fp_off, want[i].fp_off);
	}
}

/* rbx: in the first eight words below the CFA, or lost. */
static void base_register(void **state)
{
	struct read got = PROGRAM(0x83, 7, 0x41, 0xc3, 0x41, 0x83, 9, 0x41, 0x05, 3, 8, 0x41, 0x09,
				  3, 12, 0x41, 0x08, 3, 0x41, 0x10, 3, 2, 0x76, 0);
	static const uint8_t want[] = {
		7, 0, SKEP_CFI_BASE_LOST, 8, SKEP_CFI_BASE_LOST, 0, SKEP_CFI_BASE_LOST};

	assert_int_equal(got.n, sizeof(want) + 1);
	for (uint32_t i = 0; i + 1 < got.n; i++)
		assert_int_equal(got.rows[i].base, want[i]);
}

/* The least of all numbers has no opposite. */
static void endless_offsets(void **state)
{
	/* 2^60 times the alignment of -8 */
	struct read got = PROGRAM(0x2f, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10);

	assert_int_equal(got.counts.n_skipped, 0);
	assert_int_equal(got.rows[0].fp, SKEP_CFI_OTHER);
}

static void cfa_by_other_registers(void **state)
{
	struct read got = PROGRAM(0x0c, 10, 0, 0x41, 0x12, 6, 0x7f, 0x41, 0x13, 0x7d, 0x41, 0x0c,
				  0xff, 0x7f, 8);

	check_row(&got.rows[0], 0x1000, SKEP_CFA_REG, 0);
	assert_int_equal(got.rows[0].cfa_reg, 10);
	check_row(&got.rows[1], 0x1001, SKEP_CFA_FP, 8);
	check_row(&got.rows[2], 0x1002, SKEP_CFA_FP, 24);
	assert_int_equal(got.rows[3].cfa, SKEP_CFA_OTHER);
}

static void expressions(void **state)
{
	/* CFA: mem[rbp - 8]; rbp: mem[rbp + 0] */
	struct read got = PROGRAM(0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0);

	check_row(&got.rows[0], 0x1000, SKEP_CFA_DEREF_FP, -8);
	assert_int_equal(got.rows[0].fp, SKEP_CFI_AT_FP);
	assert_int_equal(got.rows[0].fp_off, 0);
	/* mem[rsp + 0x98] + 8; mem[r10 + 0]; rsp + 8 + 0x100 */
	got = PROGRAM(0x0f, 6, 0x77, 0x98, 0x01, 0x06, 0x23, 8);
	check_row(&got.rows[0], 0x1000, SKEP_CFA_DEREF_SP, 0x98);
	assert_int_equal(got.rows[0].cfa_add, 8);
	got = PROGRAM(0x0f, 3, 0x7a, 0, 0x06);
	check_row(&got.rows[0], 0x1000, SKEP_CFA_DEREF_REG, 0);
	assert_int_equal(got.rows[0].cfa_reg, 10);
	got = PROGRAM(0x0f, 6, 0x77, 8, 0x0a, 0, 1, 0x22);
	check_row(&got.rows[0], 0x1000, SKEP_CFA_SP, 0x108);
	/* an entry of the procedure linkage table */
	got = PROGRAM(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
	check_row(&got.rows[0], 0x1000, SKEP_CFA_PLT, 8);
	assert_int_equal(got.rows[0].cfa_add, 11);
	/* one that is none of these, and one that ends too early */
	got = PROGRAM(0x0f, 3, 0x77, 8, 0x1f);
	assert_int_equal(got.rows[0].cfa, SKEP_CFA_OTHER);
	got = PROGRAM(0x0f, 1, 0x77);
	assert_int_equal(got.rows[0].cfa, SKEP_CFA_OTHER);
}

static void signal_frames(void **state)
{
	static const uint8_t nop[] = {0};
	uint8_t with_signal[sizeof(cie)];

	memcpy(with_signal, cie, sizeof(cie));
	read_program(nop, 1);
	/* "zRS" in the place of "zR": one byte more, one less of padding */
	memmove(bytes + 12, bytes + 11, sizeof(cie) - 12);
	bytes[11] = 'S';
	struct read got = read_bytes(bytes, sizeof(cie) + 4 + 13 + 1);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.rows[0].cfa, SKEP_CFA_SIGNAL);
}

/* What cannot be an instruction ends the function's rows, which is counted; others go on. */
static void unknown_instructions(void **state)
{
	struct read got = PROGRAM(0x41, 0x0e, 16, 0x3e);

	assert_int_equal(got.counts.n_skipped, 1);
	assert_int_equal(got.n, 3);
	got = PROGRAM(0x0b); /* nothing was remembered */
	assert_int_equal(got.counts.n_skipped, 1);
}

/* Every cut and every changed byte: no crash, no endless row (what sanitizers watch). */
static void broken_bytes(void **state)
{
	static const uint8_t program[] = {0x41, 0x0e, 16,   0x86, 2,    0x0a, 0x43, 0x0d,
					  6,    0x0b, 0x0f, 3,    0x76, 0x78, 0x06};
	size_t size = sizeof(cie) + 17 + sizeof(program);
	uint32_t n_rows = 0;

	read_program(program, sizeof(program));
	for (size_t cut = 0; cut < size; cut++)
		n_rows += read_bytes(bytes, cut).n;
	for (size_t at = 0; at < size; at++) {
		uint8_t was = bytes[at];
		for (int bit = 0; bit < 8; bit++) {
			bytes[at] = (uint8_t)(was ^ 1 << bit);
			n_rows += read_bytes(bytes, size).n;
		}
		bytes[at] = was;
	}
	assert_true(n_rows > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_pointer),          cmocka_unit_test(remembered),
		cmocka_unit_test(every_way_to_advance),   cmocka_unit_test(places),
		cmocka_unit_test(cfa_by_other_registers), cmocka_unit_test(expressions),
		cmocka_unit_test(signal_frames),          cmocka_unit_test(unknown_instructions),
		cmocka_unit_test(broken_bytes),           cmocka_unit_test(endless_offsets),
		cmocka_unit_test(base_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
