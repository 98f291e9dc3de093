/*
 * libskep's own ways to run a program, and native code. "jit" is the code
 * itself, a function that is called as native code is; "interp" is the
 * interpreter behind its struct skep_exec; "run" is what everybody calls,
 * skep_program_run() on the JIT's code.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <skep/jit.h>

/* --- native ----------------------------------------------------------------------------------- */

static int open_native(const struct subject *subject, void **ret)
{
	*ret = NULL;
	return subject->native ? 0 : -ENOTSUP;
}

static double batch_native(const struct subject *subject, void *state, unsigned long n,
			   uint64_t *ret_result)
{
	uint64_t (*native)(const struct context *ctx) = subject->native;
	double start = bench_now_ns();
	volatile uint64_t result = 0;

	for (unsigned long i = 0; i < n; i++)
		result = native(subject->ctx);
	*ret_result = result;
	return bench_now_ns() - start;
}

static void close_native(void *state)
{
}

const struct way way_native = {"native", open_native, batch_native, close_native};

/* --- ours ------------------------------------------------------------------------------------- */

static int open_exec(const struct subject *subject, const struct skep_exec *exec, void **ret)
{
	struct skep_program *program = calloc(1, sizeof(*program));

	program->image = subject->image;
	program->exec = exec;
	*ret = program;
	return exec->compile(subject->image, &(struct skep_exec_opts){0}, &program->code);
}

static int open_interp(const struct subject *subject, void **ret)
{
	return open_exec(subject, &skep_exec_interp, ret);
}

static int open_jit(const struct subject *subject, void **ret)
{
	return open_exec(subject, &skep_exec_jit, ret);
}

static double batch_call(const struct subject *subject, void *state, unsigned long n,
			 uint64_t *ret_result)
{
	const struct skep_program *program = state;
	const uint64_t args[5] = {(uintptr_t)subject->ctx};
	struct skep_run run = {.program = program, .budget = UINT64_MAX, .depth = 1};
	volatile uint64_t result = 0;
	double start = bench_now_ns(), took;

	for (unsigned long i = 0; i < n; i++)
		result = program->exec->call(program, 0, args, &run);
	took = bench_now_ns() - start;
	bench_drain(&subject->ring);
	*ret_result = result;
	return took;
}

/* The code begins with the program's function. */
typedef uint64_t code_function(const struct context *ctx, uint64_t r2, uint64_t r3, uint64_t r4,
			       uint64_t r5, struct skep_run *run);

static double batch_code(const struct subject *subject, void *state, unsigned long n,
			 uint64_t *ret_result)
{
	const struct skep_program *program = state;
	struct skep_run run = {.program = program, .budget = UINT64_MAX, .depth = 1};
	size_t bytes;
	code_function *code = (code_function *)skep_jit_code(program->code, &bytes);
	volatile uint64_t result = 0;
	double start = bench_now_ns(), took;

	for (unsigned long i = 0; i < n; i++)
		result = code(subject->ctx, 0, 0, 0, 0, &run);
	took = bench_now_ns() - start;
	bench_drain(&subject->ring);
	*ret_result = result;
	return took;
}

static double batch_run(const struct subject *subject, void *state, unsigned long n,
			uint64_t *ret_result)
{
	const struct skep_program *program = state;
	struct skep_run run = {.budget = UINT64_MAX};
	volatile uint64_t result = 0;
	double start = bench_now_ns(), took;

	for (unsigned long i = 0; i < n; i++)
		result = skep_program_run(program, subject->ctx, &run);
	took = bench_now_ns() - start;
	bench_drain(&subject->ring);
	*ret_result = result;
	return took;
}

static void close_exec(void *state)
{
	struct skep_program *program = state;

	program->exec->free(program->code);
	free(program);
}

const struct way way_interp = {"interp", open_interp, batch_call, close_exec};
const struct way way_jit = {"jit", open_jit, batch_code, close_exec};
const struct way way_run = {"run", open_jit, batch_run, close_exec};
