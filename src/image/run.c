/*
 * Running: how a program is entered, by whom it is called back, and where
 * bpf_throw() and tail calls lead. Engines differ in how they execute; all of
 * this is the same for them.
 */
#include <skep/image.h>

#include <errno.h>

#include <skep/check.h>
#include <skep/map.h>

/* What a program that threw returns: its exception callback's result, or the cookie itself. */
static uint64_t caught(const struct skep_program *program, struct skep_run *run)
{
	const struct skep_image *image = program->image;
	const uint64_t args[5] = {run->thrown};

	for (uint32_t i = 1; i < image->n_funcs; i++) {
		if (image->funcs[i].is_exception)
			return program->exec->call(program, i, args, run);
	}
	return run->thrown;
}

static uint64_t call_main_catching(const struct skep_program *program, void *ctx,
				   struct skep_run *run)
{
	uint32_t depth = run->depth;
	uint64_t mark = skep_check_mark(run);
	jmp_buf unwind, *outer = run->unwind;
	uint64_t r0;

	run->unwind = &unwind;
	if (!setjmp(unwind)) {
		r0 = program->exec->enter(program, ctx, run);
	} else {
		run->unwind = outer;
		run->program = program;
		run->depth = depth;
		skep_check_unwind(run, mark);
		r0 = caught(program, run);
	}
	run->unwind = outer;
	return r0;
}

uint64_t skep_program_run(const struct skep_program *program, void *ctx, struct skep_run *run)
{
	const struct skep_image *image = program->image;
	uint64_t r0;

	run->program = program;
	run->ctx = ctx;
	run->stop = SKEP_STOP_NONE;
	run->tail_calls = 0;
	run->depth = 1;
	run->unwind = NULL;
	if (image->n_calls)
		run->cpu = skep_cpu_current();
	/* setjmp() is paid for by programs only that can throw. */
	r0 = image->may_throw ? call_main_catching(program, ctx, run)
			      : program->exec->enter(program, ctx, run);
	return run->stop ? 0 : r0;
}

/* Which program is running says what engine its callback is for: an image does not. */
uint64_t skep_run_callback(struct skep_run *run, uint64_t callback, const uint64_t args[5])
{
	const struct skep_callback *back = (const void *)(uintptr_t)callback;
	uint64_t r0 = 0;

	if (run->stop)
		return 0;
	if (run->depth >= SKEP_MOST_FRAMES) {
		skep_check_refuse(run, 0, "callbacks go deeper than %d frames", SKEP_MOST_FRAMES);
		return 0;
	}
	run->depth++;
	r0 = run->program->exec->call(run->program, back->func, args, run);
	run->depth--;
	return r0;
}

bool skep_run_tail_call(struct skep_run *run, void *ctx, struct skep_map *map, uint64_t index,
			uint64_t *ret_r0)
{
	const struct skep_program *caller = run->program;
	uint32_t key = (uint32_t)index, depth = run->depth;

	const struct skep_program *callee = skep_map_object(map, &key);
	if (!callee || run->tail_calls >= SKEP_MOST_TAIL_CALLS) {
		*ret_r0 = (uint64_t)(callee ? -E2BIG : -ENOENT);
		return false;
	}
	run->tail_calls++;
	run->program = callee;
	run->depth = 1;
	uint64_t r0 = callee->image->may_throw ? call_main_catching(callee, ctx, run)
					       : callee->exec->enter(callee, ctx, run);
	run->program = caller;
	run->depth = depth;
	*ret_r0 = r0;
	return true;
}
