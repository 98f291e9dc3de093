/*
 * Where there is no code generator for the processor, or no way to memory for
 * code: the JIT is there and says that it cannot. Interpreters can.
 */
#include <errno.h>

#include <skep/jit.h>

unsigned skep_jit_features(void)
{
	return 0;
}

int skep_jit_compile(const struct skep_image *image, const struct skep_exec_opts *opts,
		     unsigned features, struct skep_code **ret)
{
	return -ENOTSUP;
}

static int compile(const struct skep_image *image, const struct skep_exec_opts *opts,
		   struct skep_code **ret)
{
	return -ENOTSUP;
}

static uint64_t call(const struct skep_program *program, uint32_t func, const uint64_t args[5],
		     struct skep_run *run)
{
	return 0;
}

static uint64_t enter(const struct skep_program *program, void *ctx, struct skep_run *run)
{
	return 0;
}

static void free_code(struct skep_code *code)
{
}

const void *skep_jit_code(const struct skep_code *code, size_t *ret_bytes)
{
	*ret_bytes = 0;
	return NULL;
}

size_t skep_jit_offset(const struct skep_code *code, uint32_t slot)
{
	return 0;
}

const struct skep_exec skep_exec_jit = {
	.name = "jit",
	.compile = compile,
	.call = call,
	.free = free_code,
	.enter = enter,
};
