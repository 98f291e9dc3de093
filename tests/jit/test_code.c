/* The code itself: never writable and executable, fenced, without the program's constants if so
 * wished, no larger than needed, and right when it is large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skep/diag.h>
#include <skep/image.h>
#include <skep/jit.h>

#include "jit/jit.h"
#include "rights.h"

static struct skep_image *link_insns(const struct skep_insn *insns, uint32_t n)
{
	static const struct skep_link_env no_names;
	struct skep_image *image;
	assert_int_equal(skep_image_link(insns, n, 0, &no_names, NULL, &image), 0);
	return image;
}

static struct skep_image *link_text(const char *text)
{
	struct skep_insn *insns;
	size_t n;
	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	struct skep_image *image = link_insns(insns, (uint32_t)n);
	free(insns);
	return image;
}

static struct skep_code *compiled(const struct skep_image *image, bool blind)
{
	const struct skep_exec_opts opts = {.blind_constants = blind};
	struct skep_code *code;
	assert_int_equal(skep_exec_jit.compile(image, &opts, &code), 0);
	return code;
}

static uint64_t run_code(const struct skep_image *image, struct skep_code *code, uint64_t r1)
{
	struct skep_program program = {image, &skep_exec_jit, code};
	struct skep_run run = {.program = &program, .budget = UINT64_MAX};
	const uint64_t args[5] = {r1};
	return skep_exec_jit.call(&program, 0, args, &run);
}

/* --- Memory ---------------------------------------------------------------------------------- */

static void code_is_executable_and_fenced(void **state)
{
	struct skep_image *image = link_text("r0 = 7\nexit\n");
	struct skep_code *code = compiled(image, false);
	size_t bytes;
	char rights[8];
	uintptr_t at = (uintptr_t)skep_jit_code(code, &bytes);
	assert_true(bytes > 0 && bytes < 4096);
	rights_at(at, rights);
	assert_string_equal(rights, "r-xp");
	rights_at(at - 1, rights);
	assert_string_equal(rights, "---p");
	rights_at(at + 4096, rights);
	assert_string_equal(rights, "---p");
	assert_int_equal(run_code(image, code, 0), 7);
	skep_exec_jit.free(code);
	rights_at(at, rights);
	assert_string_not_equal(rights, "r-xp");
	skep_image_free(image);
}

/* Whoever has the code can call it as it is, whatever functions follow. */
static void code_begins_with_the_first_function(void **state)
{
	struct skep_image *image = link_text("r1 += 2\ncall pc+1\nexit\nr0 = r1\nr0 *= 3\nexit\n");
	struct skep_code *code = compiled(image, false);
	struct skep_program program = {image, &skep_exec_jit, code};
	struct skep_run run = {.program = &program, .budget = UINT64_MAX};
	size_t bytes;
	jit_function *function = (jit_function *)(uintptr_t)skep_jit_code(code, &bytes);
	assert_int_equal(function(5, 0, 0, 0, 0, &run), 21);
	skep_exec_jit.free(code);
	skep_image_free(image);
}

/* --- Constants ------------------------------------------------------------------------------- */

static bool has_bytes(const struct skep_code *code, uint32_t value)
{
	size_t bytes;
	const uint8_t *at = skep_jit_code(code, &bytes);
	for (size_t i = 0; i + 4 <= bytes; i++)
		if (!memcmp(at + i, &value, 4))
			return true;
	return false;
}

static const char *const constants =
	"r0 = 0x5a5a1234\nw2 = 0x5a5a1234\nr3 = 0x11223344aabbccdd ll\nr0 += 0x3c3c4321\n"
	"w0 ^= 0x71828182\nr0 *= 0x31415926\nr0 |= 0x27182818\nr0 &= 0x7eeeeeee\n"
	"r0 -= 0x16180339\nr0 /= 0x14142135\nr2 s%= 0x17320508\n*(u64 *)(r10 -8) = 0x22360679\n"
	"*(u32 *)(r10 -16) = 0x26457513\nif r0 == 0x33166247 goto +1\n"
	"if w0 s> 0x36055512 goto +0\nif r2 & 0x41231056 goto +0\nr0 += r2\nr0 += r3\n"
	"r2 = *(u64 *)(r10 -8)\nr0 += r2\nexit\n";
static const uint32_t numbers[] = {0x5a5a1234, 0x11223344, 0xaabbccdd, 0x3c3c4321,
				   0x71828182, 0x31415926, 0x27182818, 0x7eeeeeee,
				   0x16180339, 0x14142135, 0x17320508, 0x22360679,
				   0x26457513, 0x33166247, 0x36055512, 0x41231056};

static void hidden_constants_are_not_in_the_code(void **state)
{
	struct skep_image *image = link_text(constants);
	struct skep_code *plain = compiled(image, false), *first = compiled(image, true);
	struct skep_code *second = compiled(image, true);
	size_t bytes, other;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		assert_false(has_bytes(first, numbers[i]));
#ifdef __x86_64__
	assert_true(has_bytes(plain, 0x31415926)); /* the test sees what it looks for */
#endif
	assert_int_equal(run_code(image, first, 0), run_code(image, plain, 0));
	const void *a = skep_jit_code(first, &bytes), *b = skep_jit_code(second, &other);
	assert_int_equal(bytes, other);
	assert_true(memcmp(a, b, bytes) != 0);
	skep_exec_jit.free(plain);
	skep_exec_jit.free(first);
	skep_exec_jit.free(second);
	skep_image_free(image);
}

/* --- Sizes ----------------------------------------------------------------------------------- */

static size_t bytes_of(const char *text)
{
	struct skep_image *image = link_text(text);
	struct skep_code *code = compiled(image, false);
	size_t bytes;
	skep_jit_code(code, &bytes);
	skep_exec_jit.free(code);
	skep_image_free(image);
	return bytes;
}

#ifdef __x86_64__
static uint64_t result_of(const char *text, uint64_t r1)
{
	struct skep_image *image = link_text(text);
	struct skep_code *code = compiled(image, false);
	uint64_t r0 = run_code(image, code, r1);
	skep_exec_jit.free(code);
	skep_image_free(image);
	return r0;
}
#endif

static void frames_hold_what_is_used(void **state)
{
	size_t least = bytes_of("r0 = 0\nexit\n");
	assert_true(least <= 20);
	assert_true(bytes_of("r6 = 0\nr0 = 0\nexit\n") > least);
	assert_true(bytes_of("r6 = 0\nr0 = 0\nexit\n") < bytes_of("r6 = 0\nr7 = 0\nr0 = 0\nr8 = 0\n"
								  "r9 = 0\nexit\n"));
	assert_true(bytes_of("*(u64 *)(r10 -8) = 0\nr0 = 0\nexit\n") > least + 8);
}

#ifdef __x86_64__
/* Each is written in as much as what it means, though it has more instructions. */
static void groups_take_no_more_than_what_they_mean(void **state)
{
	assert_true(bytes_of("r0 = r1\nr0 |= 8\nif r2 > 255 goto +1\nr0 = r1\nexit\n") <=
		    bytes_of("r0 = r1\nif r2 <= 255 goto +1\nr0 |= 8\nexit\n"));
	assert_true(bytes_of("r4 = r1\nr4 += r2\nr0 = *(u64 *)(r4 +8)\nexit\n") <=
		    bytes_of("r1 += r2\nr0 = *(u64 *)(r1 +8)\nexit\n"));
	assert_true(
		bytes_of("r4 = r1\nr4 += 16\nr0 = *(u64 *)(r4 +8)\n*(u8 *)(r4 +1) = r2\nexit\n") <=
		bytes_of("r0 = *(u64 *)(r1 +24)\n*(u8 *)(r1 +17) = r2\nexit\n"));
}

/* What nobody reads afterwards need not be there; what is read must be. */
static void only_what_is_read_is_made(void **state)
{
	static const char rotation[] = "r2 = r1\nr2 >>= 37\nr1 <<= 27\nr1 |= r2\n";
	char dead[128], read[128];
	snprintf(dead, sizeof(dead), "%sr0 = r1\nexit\n", rotation);
	snprintf(read, sizeof(read), "%sr0 = r2\nexit\n", rotation);
	assert_true(bytes_of(dead) + 6 < bytes_of(read));
	uint64_t r1 = 0x123456789abcdef0;
	assert_int_equal(result_of(dead, r1), r1 << 27 | r1 >> 37);
	assert_int_equal(result_of(read, r1), r1 >> 37);
}
#endif

static void offsets_lead_through_the_code(void **state)
{
	struct skep_image *image = link_text(constants);
	struct skep_code *code = compiled(image, false);
	size_t bytes;
	skep_jit_code(code, &bytes);
	for (uint32_t i = 0; i < image->n_insns; i++)
		assert_true(skep_jit_offset(code, i) <= skep_jit_offset(code, i + 1));
	assert_true(skep_jit_offset(code, image->n_insns) <= bytes);
	skep_exec_jit.free(code);
	skep_image_free(image);
}

/* Distances around the limits of short jumps, and one of many kilobytes: r0 counts what ran. */
static void check_distance(uint32_t n)
{
	struct skep_insn *insns = calloc(n + 10, sizeof(*insns));
	uint32_t at = 0;
	assert_non_null(insns);
	insns[at++] = skep_alu64_imm(SKEP_MOV, SKEP_R0, 0);
	insns[at++] = skep_jmp_imm(SKEP_JEQ, SKEP_R1, 0, 1);
	insns[at++] = skep_ja(1);
	insns[at++] = skep_insn_raw(SKEP_JMP32 | SKEP_JA, 0, 0, 0, (int32_t)n + 1);
	for (uint32_t i = 0; i < n; i++)
		insns[at++] = skep_alu64_imm(SKEP_ADD, SKEP_R0, i % 2 ? 1 : 1000);
	insns[at++] = skep_alu64_imm(SKEP_ADD, SKEP_R1, -1);
	/* back over everything, or on */
	insns[at++] = skep_jmp_imm(SKEP_JEQ, SKEP_R1, 0, 1);
	insns[at] = skep_insn_raw(SKEP_JMP32 | SKEP_JA, 0, 0, 0, 3 - (int32_t)at);
	at++;
	insns[at++] = skep_exit();
	struct skep_image *image = link_insns(insns, at);
	struct skep_code *code = compiled(image, false);
	uint64_t once = (uint64_t)n / 2 * 1001 + n % 2 * 1000;
	assert_int_equal(run_code(image, code, 1), once);
	assert_int_equal(run_code(image, code, 3), 3 * once);
	skep_exec_jit.free(code);
	skep_image_free(image);
	free(insns);
}

static void jumps_of_all_lengths_arrive(void **state)
{
	for (uint32_t n = 1; n < 80; n++)
		check_distance(n);
	check_distance(30000);
	check_distance(900000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_is_executable_and_fenced),
		cmocka_unit_test(code_begins_with_the_first_function),
		cmocka_unit_test(hidden_constants_are_not_in_the_code),
		cmocka_unit_test(frames_hold_what_is_used),
#ifdef __x86_64__
		cmocka_unit_test(groups_take_no_more_than_what_they_mean),
		cmocka_unit_test(only_what_is_read_is_made),
#endif
		cmocka_unit_test(offsets_lead_through_the_code),
		cmocka_unit_test(jumps_of_all_lengths_arrive),
	};
	return cmocka_run_group_tests_name("jit/code", tests, NULL, NULL);
}
