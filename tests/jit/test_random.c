/* Random programs give the same state in the interpreter and in the JIT, whatever abilities of the
 * processor and whatever options it uses. SKEP_JIT_PROGRAMS says how many (20,000). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "generate.h"

static uint64_t random_state = 0x5eed;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void random_state_of(struct state *state)
{
	static const uint64_t edges[] = {
		0,          1,         UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN,
		UINT32_MAX, INT32_MAX, 0x80000000, 16};
	uint64_t *words = (uint64_t *)state;
	for (size_t i = 0; i < sizeof(*state) / 8; i++) {
		uint64_t r = random64();
		words[i] = r % 3 ? r >> (r >> 8) % 64 : edges[r / 3 % 9];
	}
}

static int complain(const struct code *code, const struct frame *want, const struct frame *got)
{
	for (int r = 0; r < N_SEEN; r++)
		if (want->out.regs[r] != got->out.regs[r])
			print_message("r%d: interpreter %#llx, JIT %#llx\n", r,
				      (unsigned long long)want->out.regs[r],
				      (unsigned long long)got->out.regs[r]);
	for (uint32_t i = 0; i < code->n; i++)
		print_message("%016llx%c", *(const unsigned long long *)&code->insns[i],
			      i % 8 == 7 ? '\n' : ' ');
	fail_msg("the engines differ");
	return 0;
}

static void compare(const struct code *code, const struct skep_image *image,
		    const struct skep_code *interp, struct skep_code *jit)
{
	struct ready by_interp = {{image, &skep_exec_interp, (struct skep_code *)interp}};
	struct ready by_jit = {{image, &skep_exec_jit, jit}};
	for (int i = 0; i < 4; i++) {
		struct frame want, got;
		struct state in;
		random_state_of(&in);
		uint64_t a = run_state(&by_interp, &in, &want), b = run_state(&by_jit, &in, &got);
		if (a != b || memcmp(&want.out, &got.out, sizeof(want.out)))
			complain(code, &want, &got);
	}
}

static void one_program(const uint8_t *bytes, size_t n_bytes, uint32_t round)
{
	static const struct skep_link_env no_names;
	struct skep_exec_opts opts = {.blind_constants = round % 4 == 1, .budget = round % 4 == 2};
	unsigned features = round % 4 == 3 ? 0 : skep_jit_features();
	struct code code;
	struct skep_image *image;
	struct skep_code *interp, *jit;
	make_program(bytes, n_bytes, &code);
	assert_int_equal(skep_image_link(code.insns, code.n, 0, &no_names, NULL, &image), 0);
	assert_int_equal(skep_exec_interp.compile(image, &opts, &interp), 0);
	assert_int_equal(skep_jit_compile(image, &opts, features, &jit), 0);
	compare(&code, image, interp, jit);
	skep_exec_jit.free(jit);
	skep_exec_interp.free(interp);
	skep_image_free(image);
}

static void engines_agree(void **state)
{
	const char *wanted = getenv("SKEP_JIT_PROGRAMS"), *seed = getenv("SKEP_JIT_SEED");
	uint32_t n = wanted ? (uint32_t)atoi(wanted) : 20000;
	random_state ^= seed ? strtoull(seed, NULL, 0) : 0;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t bytes[256];
		size_t n_bytes = 8 + random64() % (sizeof(bytes) - 8);
		for (size_t k = 0; k < n_bytes; k++)
			bytes[k] = (uint8_t)random64();
		one_program(bytes, n_bytes, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(engines_agree)};
	return cmocka_run_group_tests_name("jit/random", tests, NULL, NULL);
}
