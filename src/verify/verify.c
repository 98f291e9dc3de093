/*
 * The verifier, as the list of its passes. What they share: verifier.h.
 *
 * Before: the linker (src/image) has seen that instructions are known, jumps stay inside, every
 * instruction is reached, and what 64-bit loads and calls name exists.
 */
#include "verify/verifier.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/* --- Each function on its own --------------------------------------------------------------------
 */

static int walk_function(struct verifier *v, uint32_t func)
{
	int err;

	v->func = func;
	v->at = v->funcs[func].start;
	v->prev_at = NOWHERE;
	v->last_line = 0;
	verify_note_all(v);
	v->state_shown = true;
	v->state = verify_state_new(v);
	if (!v->state)
		return -ENOMEM;
	v->state->first_at = v->at;
	err = verify_frame_push(v, v->state, func, NOWHERE);
	if (!err)
		err = verify_first_state(v);
	if (!err)
		err = verify_walk(v);
	verify_state_free(v, v->state);
	v->state = NULL;
	while (v->pending.len)
		verify_state_free(v, skep_vec_pop(&v->pending).state);
	verify_states_done(v);
	if (!err)
		verify_log_forget(v);
	return err;
}

static int walk_main(struct verifier *v)
{
	return walk_function(v, 0);
}

/* Global functions are verified for any arguments that their types allow, and only if called. One
 * may call another that nobody else does. */
static int walk_globals(struct verifier *v)
{
	bool again = true;

	while (again) {
		again = false;
		for (uint32_t f = 1; f < v->n_funcs; f++) {
			struct func_facts *func = &v->funcs[f];
			int err;

			if (!func->is_global || !func->called || func->verified)
				continue;
			err = walk_function(v, f);
			if (err)
				return err;
			func->verified = true;
			again = true;
			verify_log_function_safe(v, f);
		}
	}
	return 0;
}

static int (*const passes[])(struct verifier *v) = {
	verify_maps,               /* that its type may use */
	verify_exception_callback, /* where bpf_throw() goes on */
	verify_graph,              /* where paths meet, and loops */
	verify_live_registers,     /* what is read again */
	verify_live_stack,
	verify_fastcall, /* spills around quick calls, that need no stack */
	walk_main,
	walk_globals,
	verify_fastcall_stack, /* without those spills */
	verify_stack_depth,
};

/* --- Begin and end
 * --------------------------------------------------------------------------------- */

int verify_refuse_row(struct verifier *v, enum refusal row, const char *fmt, ...)
{
	static const int errors[] = {
#define REFUSAL(NAME, name, err, fmt) [REFUSE_##NAME] = (err),
#include "verify/refusals.def"
#undef REFUSAL
	};
	va_list ap;

	if (v->log) {
		va_start(ap, fmt);
		skep_buf_vprintf(v->log, fmt, ap);
		va_end(ap);
	}
	v->refusal = row;
	v->refused_at = v->at;
	return errors[row];
}

static const char *refusal_name(enum refusal row)
{
	static const char *const names[] = {
#define REFUSAL(NAME, name, err, fmt) [REFUSE_##NAME] = name,
#include "verify/refusals.def"
#undef REFUSAL
	};

	return names[row];
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t verify_elapsed_ns(const struct verifier *v)
{
	return now_ns() - v->started_ns;
}

int verify_check_time(struct verifier *v)
{
	if (v->opts->time_ns && verify_elapsed_ns(v) > v->opts->time_ns)
		return verify_refuse(v, TIME_IS_UP, v->n_processed);
	return 0;
}

static void init(struct verifier *v, const struct skep_verify_program *program,
		 const struct skep_verify_opts *opts, struct skep_buf *log)
{
	memset(v, 0, sizeof(*v));
	skep_arena_init(&v->arena);
	v->program = program;
	v->opts = opts;
	v->image = program->image;
	v->insns = program->insns;
	v->n_insns = program->image->n_insns;
	v->n_funcs = program->image->n_funcs;
	v->facts = skep_arena_array(&v->arena, struct insn_facts, v->n_insns);
	v->funcs = skep_arena_array(&v->arena, struct func_facts, v->n_funcs);
	v->privileged = !opts->unprivileged;
	v->strict_alignment = opts->strict_alignment;
	v->level = opts->log_level;
	v->log = opts->log_level ? log : NULL;
	v->log_start = v->log ? v->log->len : 0;
	v->refused_at = NOWHERE;
	v->started_ns = now_ns();
}

static void report(const struct verifier *v, int err, struct skep_verify_report *ret)
{
	*ret = (struct skep_verify_report){
		.n_processed = v->n_processed,
		.most_states_per_insn = v->most_states_per_insn,
		.n_states = v->n_states,
		.peak_states = v->peak_states,
		.stack_bytes = v->stack_bytes,
		.refused_at = err ? v->refused_at : NOWHERE,
		.refusal = err ? refusal_name(v->refusal) : NULL,
		.ctx_bytes = err ? 0 : v->ctx_bytes,
		.kernel_pointers = !err && v->kernel_pointers,
	};
}

int skep_verify(const struct skep_verify_program *program, const struct skep_verify_opts *opts,
		struct skep_buf *log, struct skep_verify_report *ret)
{
	struct verifier v;
	int err = 0;

	init(&v, program, opts, log);
	verify_log_functions(&v);
	for (size_t i = 0; i < sizeof(passes) / sizeof(*passes) && !err; i++)
		err = passes[i](&v);
	verify_log_summary(&v);
	if (ret)
		report(&v, err, ret);
	skep_vec_done(&v.pending);
	skep_arena_done(&v.arena);
	return err;
}
