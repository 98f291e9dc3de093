/*
 * Programs made of the bytes (tests/jit/generate.h) leave the same registers and stack in the
 * interpreter and in the JIT. The first byte chooses the JIT's ways.
 */
#include <stdlib.h>

#include "../tests/jit/generate.h"

static void check(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void compare(const struct skep_image *image, const struct skep_exec_opts *opts,
		    unsigned features)
{
	struct skep_code *interp, *jit;
	check(!skep_exec_interp.compile(image, opts, &interp));
	check(!skep_jit_compile(image, opts, features, &jit));
	struct ready by_interp = {{image, &skep_exec_interp, interp}};
	struct ready by_jit = {{image, &skep_exec_jit, jit}};
	struct frame want, got;
	struct state in;
	for (int i = 0; i < N_SEEN; i++)
		in.regs[i] = 0x0123456789abcdef >> 5 * i;
	for (int i = 0; i < STACK_WORDS; i++)
		in.stack[i] = 0x8000000080000000 + (uint64_t)i;
	uint64_t a = run_state(&by_interp, &in, &want), b = run_state(&by_jit, &in, &got);
	check(a == b && !memcmp(&want.out, &got.out, sizeof(want.out)));
	skep_exec_interp.free(interp);
	skep_exec_jit.free(jit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct skep_link_env no_names;
	struct code code;
	struct skep_image *image;
	if (!size || size > 4096)
		return 0;
	const struct skep_exec_opts opts = {.blind_constants = *data & 1, .budget = *data & 2};
	make_program(data + 1, size - 1, &code);
	check(!skep_image_link(code.insns, code.n, 0, &no_names, NULL, &image));
	compare(image, &opts, *data & 4 ? 0 : skep_jit_features());
	skep_image_free(image);
	return 0;
}
