/*
 * bpf_strtol(), bpf_strtoul() and bpf_strncmp(): the kernel's results for the same bytes.
 * The text and the buffer for the number are on the program's stack.
 */
#include "kernel_run.h"

#include <linux/if_ether.h>

enum { STRTOL = 105, STRTOUL = 106 };

static void emit_text(struct program *p, const char *text)
{
	char bytes[40] = {0};
	uint64_t word;

	strncpy(bytes, text, sizeof(bytes) - 1);
	for (int i = 0; i < 40; i += 8) {
		memcpy(&word, bytes + i, 8);
		emit_number(p, SKEP_R1, word);
		emit(p, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R1, i - 40));
	}
}

/* r0, or r0 and the number together as the program's 32 bits have place for */
static uint32_t mixed(uint64_t r0, uint64_t number)
{
	return (uint32_t)r0 * 31 + (uint32_t)number + 7 * (uint32_t)(number >> 32);
}

static int run_kernel(int helper, const char *text, uint32_t len, uint64_t flags, uint32_t *ret)
{
	struct program p = {.n = 0};
	uint8_t data[64] = {0};

	emit_text(&p, text);
	emit(&p, skep_st_mem(SKEP_DW, SKEP_R10, -48, 99));
	emit(&p, skep_alu64_reg(SKEP_MOV, SKEP_R1, SKEP_R10));
	emit(&p, skep_alu64_imm(SKEP_ADD, SKEP_R1, -40));
	emit(&p, skep_alu64_imm(SKEP_MOV, SKEP_R2, (int32_t)len));
	emit_number(&p, SKEP_R3, flags);
	emit(&p, skep_alu64_reg(SKEP_MOV, SKEP_R4, SKEP_R10));
	emit(&p, skep_alu64_imm(SKEP_ADD, SKEP_R4, -48));
	emit(&p, skep_call(helper));
	emit(&p, skep_alu32_imm(SKEP_MUL, SKEP_R0, 31));
	emit(&p, skep_ldx_mem(SKEP_DW, SKEP_R1, SKEP_R10, -48));
	emit(&p, skep_alu32_reg(SKEP_ADD, SKEP_R0, SKEP_R1));
	emit(&p, skep_alu64_imm(SKEP_RSH, SKEP_R1, 32));
	emit(&p, skep_alu32_imm(SKEP_MUL, SKEP_R1, 7));
	emit(&p, skep_alu32_reg(SKEP_ADD, SKEP_R0, SKEP_R1));
	emit(&p, skep_exit());
	_cleanup_close_ int fd = load_program(&p, BPF_PROG_TYPE_SCHED_CLS, 0);
	if (fd < 0)
		return fd;
	union bpf_attr attr = {
		.test.prog_fd = (uint32_t)fd,
		.test.data_in = (uintptr_t)data,
		.test.data_size_in = sizeof(data),
	};
	int err = sys_bpf(BPF_PROG_TEST_RUN, &attr);
	*ret = attr.test.retval;
	return err;
}

static const char *const texts[] = {
	"0",
	"1",
	"12345",
	"-1",
	"-0",
	"  42",
	"\t\n 42x",
	"0x1f",
	"0X1F",
	"0x",
	"0xg",
	"010",
	"08",
	"9223372036854775807",
	"9223372036854775808",
	"-9223372036854775808",
	"-9223372036854775809",
	"18446744073709551615",
	"18446744073709551616",
	"",
	" ",
	"-",
	"- 1",
	"+1",
	"ff",
	"FFg",
	"7f",
	"00000000000000000000000000000000001",
	"1 2",
	"--1",
	"0xffffffffffffffff",
	"0x10000000000000000",
	"777",
	"a",
	"x1",
};
static const uint64_t bases[] = {0, 8, 10, 16, 2, 32, 1ull << 40};

static void test_numbers(void **state)
{
	static const int helpers[] = {STRTOL, STRTOUL};
	unsigned n = 0, n_differ = 0;
	struct skep_run run = {0};
	uint32_t theirs;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) * 7 * 2; i++) {
		const char *text = texts[i / 14];
		uint64_t base = bases[i / 2 % 7], number = 99;
		int helper = helpers[i % 2];
		uint32_t len = (uint32_t)strlen(text) + (i % 3 == 0);
		char bytes[40] = {0};

		if (!len)
			len = 1;
		strncpy(bytes, text, sizeof(bytes) - 1);
		int err = run_kernel(helper, text, len, base, &theirs);
		if (err == -EPERM)
			skip();
		assert_int_equal(err, 0);
		uint64_t r0 = skep_helper(helper)->call((uintptr_t)bytes, len, base,
							(uintptr_t)&number, 0, &run);
		n++;
		if (mixed(r0, number) != theirs) {
			n_differ++;
			print_error("%d \"%s\" length %u base %#llx: here %lld, %llu\n", helper,
				    text, len, (unsigned long long)base, (long long)r0,
				    (unsigned long long)number);
		}
	}
	print_message("%u numbers\n", n);
	assert_int_equal(n_differ, 0);
}

static int64_t compare_text(const char *a, uint32_t len, const char *b)
{
	struct skep_run run = {0};

	return (int64_t)skep_helper(182)->call((uintptr_t)a, len, (uintptr_t)b, 0, 0, &run);
}

static void test_compare(void **state)
{
	assert_int_equal(compare_text("abc", 4, "abc"), 0);
	assert_int_equal(compare_text("abc", 2, "abd"), 0);
	assert_int_equal(compare_text("abc", 3, "abd"), -1);
	assert_int_equal(compare_text("abd", 3, "abc"), 1);
	assert_int_equal(compare_text("\xff", 1, "a"), 1);
	assert_int_equal(compare_text("", 1, "a"), -1);
	assert_int_equal(compare_text("a\0x", 3, "a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_compare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
