/*
 * The verifier, as the list of its passes. What they share: verifier.h.
 *
 * Before: the linker (src/image) has seen that instructions are known, jumps stay inside, every
 * instruction is reached, and what 64-bit loads and calls name exists.
 */
#include "verify/explain_trail.h"
#include "verify/program.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "verify/wide.h"

/* --- Each function on its own ---------------------------------------------------------------- */

static int walk_function(struct verifier *v, uint32_t func)
{
	int err;

	v->func = func;
	v->at = v->funcs[func].start;
	v->prev_at = NOWHERE;
	v->last_line = 0;
	if (v->trail)
		verify_trail_cut(v, 0);
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
	verify_unprivileged,   /* what not everyone may have */
	verify_maps,           /* that its type may use */
	verify_graph,          /* where paths meet, and loops */
	verify_attach,         /* to what its type may */
	verify_live_registers, /* what is read again */
	verify_live_stack,
	verify_fastcall, /* spills around quick calls, that need no stack */
	walk_main,
	walk_globals,
	verify_rounds, /* extended mode: loops that were not gone round to their end have one */
	verify_fastcall_stack, /* without those spills */
	verify_stack_depth,
	verify_no_absent_kfunc, /* where the program can come to */
};

/* --- Begin and end --------------------------------------------------------------------------- */

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
	if (v->trail) {
		va_start(ap, fmt);
		verify_trail_refused(v, row, fmt, ap);
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

/* A program that replaces another's function is as that one is: it attaches where that does. */
static const struct skep_verify_program *as_target(struct verifier *v,
						   const struct skep_verify_program *program)
{
	struct skep_verify_program *copy;

	if (program->image->type != PROGRAM_EXT || !program->target_type)
		return program;
	copy = skep_arena_array(&v->arena, struct skep_verify_program, 1);
	*copy = *program;
	copy->attach_type = program->target_attach_type;
	return copy;
}

void verify_begin(struct verifier *v, const struct skep_verify_program *program,
		  const struct skep_verify_opts *opts, struct skep_buf *log)
{
	memset(v, 0, sizeof(*v));
	skep_arena_init(&v->arena);
	v->program = as_target(v, program);
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

int verify_passes(struct verifier *v)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(passes) / sizeof(*passes) && !err; i++)
		err = passes[i](v);
	verify_note_peak(v);
	return err;
}

void verify_report(struct verifier *v, int err, struct skep_verify_report *ret)
{
	struct chain_length chain = {0};

	if (!err)
		chain = verify_longest_chain(v);
	*ret = (struct skep_verify_report){
		.n_processed = v->n_processed,
		.most_states_per_insn = v->most_states_per_insn,
		.n_states = v->n_states,
		.peak_states = v->peak_states,
		.stack_bytes = v->stack_bytes,
		.chain_bytes = chain.bytes,
		.most_frames = chain.frames,
		.most_branches = v->most_branches,
		.peak_bytes = v->peak_bytes,
		.refused_at = err ? v->refused_at : NOWHERE,
		.refusal = err ? refusal_name(v->refusal) : NULL,
		.log_bytes = verify_log_most(v),
		.ctx_bytes = err ? 0 : v->ctx_bytes,
		.kernel_pointers = !err && v->kernel_pointers,
	};
	memcpy(ret->context_fields, v->context_fields, sizeof(ret->context_fields));
}

void verify_end(struct verifier *v)
{
	verify_wide_done(v);
	skep_vec_done(&v->pending);
	pool_done(&v->pool);
	skep_arena_done(&v->arena);
}

static int verify_as_kernel(struct verifier *v, struct skep_verify_report *ret)
{
	int err;

	verify_log_functions(v);
	err = verify_passes(v);
	verify_note_peak(v);
	if (v->trail)
		verify_trail_ends(v);
	verify_log_summary(v);
	verify_report(v, err, ret);
	if (v->trail)
		v->trail->tell(v, v->trail, v->trail->ctx);
	verify_end(v);
	return err;
}

int skep_verify(const struct skep_verify_program *program, const struct skep_verify_opts *opts,
		struct skep_buf *log, struct skep_verify_report *ret)
{
	struct skep_verify_report report;
	struct verifier v;
	int err;

	if (opts->mode == SKEP_VERIFY_EXTENDED) {
		err = verify_extended(program, opts, log, &report);
	} else {
		verify_begin(&v, program, opts, log);
		err = verify_as_kernel(&v, &report);
	}
	if (ret)
		*ret = report;
	return err;
}

int verify_with_trail(const struct skep_verify_program *program,
		      const struct skep_verify_opts *opts, struct trail *trail,
		      struct skep_verify_report *ret)
{
	struct verifier v;

	verify_begin(&v, program, opts, NULL);
	v.log = &trail->said;
	v.trail = trail;
	if (opts->mode == SKEP_VERIFY_EXTENDED)
		verify_wide_patiently(&v);
	return verify_as_kernel(&v, ret);
}

int skep_verify_function_effects(const struct skep_verify_program *program, uint32_t type_id,
				 struct skep_verify_effects *ret)
{
	static const struct skep_verify_opts quiet;
	struct verifier v;
	int err;

	verify_begin(&v, program, &quiet, NULL);
	err = verify_function_facts(&v);
	*ret = (struct skep_verify_effects){0};
	for (uint32_t f = 0; f < program->n_funcs && !err; f++)
		if (program->funcs[f].type_id == type_id)
			*ret = (struct skep_verify_effects){v.funcs[f].changes_packet,
							    v.funcs[f].might_sleep};
	verify_end(&v);
	return err;
}
