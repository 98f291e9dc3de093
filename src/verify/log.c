/*
 * What is said on the way, in the kernel's form: people read it, and tools parse it.
 *
 *	; key = 0; @ counts.bpf.c:12              the source line, when it is another than before
 *	1: (63) *(u32 *)(r10 -4) = r1             the instruction
 *	2: R1=0 R10=fp0 fp-8=0000????             what is known now of what it changed
 *	2: (bf) r2 = r10                      ; R2=fp0 R10=fp0
 *
 * What an instruction changed is known when the next one is looked at, and goes behind the
 * instruction's text if nothing else was said in between, else on a line of its own. "Changed" is
 * what it looked at or wrote: v->changed_regs, v->changed_slots.
 *
 * Level 2 has all paths, and all that is known where each begins; level 1 the one that failed:
 * what was said of a path that came to a good end is taken back (walk.c), and so is all of a
 * function that was. Numbers of how much was looked at come last, at every level.
 *
 * Source  behaviour of Linux 6.18, do_check(), print_insn_state(), verbose_linfo()
 */
#include "verify/verifier.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include <skep/btf.h>

#define LEVEL_ALL      2
#define LEVEL_STATS    4

#define COMMENT_COLUMN 40
#define COMMENT_STEP   8

void verify_log(struct verifier *v, const char *fmt, ...)
{
	va_list ap;

	if (!v->log)
		return;
	va_start(ap, fmt);
	skep_buf_vprintf(v->log, fmt, ap);
	va_end(ap);
}

/* --- Source lines ----------------------------------------------------------------------------- */

/* The last line that begins at or before slot @at; lines are in ascending order. */
static const struct skep_verify_line *line_of(const struct verifier *v, uint32_t at)
{
	const struct skep_verify_program *p = v->program;
	uint32_t low = 0, high = p->n_lines;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (p->lines[middle].insn <= at)
			low = middle;
		else
			high = middle;
	}
	return p->n_lines ? &p->lines[low] : NULL;
}

static const char *string_at(const struct verifier *v, uint32_t off)
{
	const char *text = v->program->btf ? skep_btf_string(v->program->btf, off) : NULL;

	return text ? text : "";
}

static bool is_same_place(const struct skep_verify_line *a, const struct skep_verify_line *b)
{
	return a == b || (a->file_off == b->file_off && a->line_col >> 10 == b->line_col >> 10);
}

void verify_log_line(struct verifier *v, uint32_t at, const char *prefix)
{
	const struct skep_verify_line *line = v->log ? line_of(v, at) : NULL;
	const char *text, *file, *slash;

	if (!line || (v->last_line && is_same_place(line, &v->program->lines[v->last_line - 1])))
		return;
	for (text = string_at(v, line->text_off); isspace((unsigned char)*text);)
		text++;
	file = string_at(v, line->file_off);
	slash = strrchr(file, '/');
	verify_log(v, "%s%s @ %s:%u\n", prefix, text, slash ? slash + 1 : file,
		   line->line_col >> 10);
	v->last_line = (uint32_t)(line - v->program->lines) + 1;
}

/* --- Instructions ----------------------------------------------------------------------------- */

static const char *kfunc_name(void *ctx, const struct skep_insn *insn)
{
	const struct verifier *v = ctx;

	if (insn->off || !v->program->kernel_btf)
		return NULL;
	return skep_btf_name(v->program->kernel_btf, (uint32_t)insn->imm);
}

/* A map's or a variable's address, as the program will have it; a function's as it was written. */
void verify_log_insn(struct verifier *v, uint32_t at)
{
	const struct skep_disasm_names names = {.kfunc = kfunc_name, .ctx = v};
	struct skep_insn insns[2] = {v->insns[at]};
	size_t n = insns[0].code == (SKEP_LD | SKEP_IMM | SKEP_DW) && at + 1 < v->n_insns ? 2 : 1;

	if (n == 2) {
		insns[1] = v->insns[at + 1];
		if (insns[0].src && v->image->refs[at].kind != SKEP_REF_FUNC) {
			insns[0].imm = v->privileged ? v->image->insns[at].imm : 0;
			insns[1].imm = v->privileged ? v->image->insns[at + 1].imm : 0;
		}
		insns[0].src = 0;
	}
	skep_buf_printf(v->log, "(%02x) ", insns[0].code);
	skep_disasm_insn(insns, n, 0, &names, v->log);
	skep_buf_puts(v->log, "\n");
}

static size_t spaces_to_comment(size_t width)
{
	size_t least = width + COMMENT_STEP / 2;
	size_t column = least > COMMENT_COLUMN ? least : COMMENT_COLUMN;

	return (column + COMMENT_STEP - 1) / COMMENT_STEP * COMMENT_STEP - width - 1;
}

void verify_log_changes(struct verifier *v, const struct state *state)
{
	if (!verify_logs_steps(v))
		return;
	if (v->insn_end && v->insn_end == v->log->len) {
		v->log->len--;
		skep_buf_fill(v->log, ' ', spaces_to_comment(v->insn_width));
		skep_buf_puts(v->log, ";");
	} else {
		skep_digits_print(v->at, 10, v->log);
		skep_buf_puts(v->log, ":");
	}
	verify_log_frame(v, state, top_frame(state), false);
}

static void log_whole_state(struct verifier *v)
{
	verify_log(v, "\nfrom %d to %u%s:", (int)v->prev_at, v->at,
		   v->state->speculative ? " (speculative execution)" : "");
	verify_log_frame(v, v->state, top_frame(v->state), true);
}

void verify_log_step(struct verifier *v)
{
	size_t start;

	if (!verify_logs_steps(v))
		return;
	if (!v->state_shown && v->level & LEVEL_ALL) {
		log_whole_state(v);
		v->state_shown = true;
	}
	if (v->changed_regs || v->changed_slots)
		verify_log_changes(v, v->state);
	verify_log_line(v, v->at, "; ");
	start = v->log->len;
	skep_digits_print(v->at, 10, v->log);
	skep_buf_puts(v->log, ": ");
	verify_log_insn(v, v->at);
	v->insn_end = v->log->len;
	v->insn_width = v->insn_end - start;
}

/* --- Ends ------------------------------------------------------------------------------------- */

void verify_log_safe(struct verifier *v)
{
	if (!(v->level & VERIFY_LOG_STEPS))
		return;
	if (v->state_shown)
		verify_log(v, "%u: safe\n", v->at);
	else
		verify_log(v, "\nfrom %d to %u%s: safe\n", (int)v->prev_at, v->at,
			   v->state->speculative ? " (speculative execution)" : "");
}

void verify_log_cut(struct verifier *v, size_t len)
{
	if (v->log->len > v->log_most)
		v->log_most = v->log->len;
	v->log->len = len;
}

size_t verify_log_most(const struct verifier *v)
{
	size_t len = v->log ? v->log->len : 0;

	return (len > v->log_most ? len : v->log_most) - v->log_start;
}

void verify_log_forget(struct verifier *v)
{
	if (v->log && !(v->level & LEVEL_ALL))
		verify_log_cut(v, v->log_start);
}

void verify_log_functions(struct verifier *v)
{
	if (!(v->level & LEVEL_ALL))
		return;
	for (uint32_t f = 0; f < v->n_funcs; f++)
		verify_log(v, "func#%u @%u\n", f, v->image->funcs[f].start);
}

void verify_log_function_safe(struct verifier *v, uint32_t func)
{
	if (v->level & VERIFY_LOG_STEPS)
		verify_log(v, "Func#%u ('%s') is safe for any args that match its prototype\n",
			   func, v->funcs[func].name);
}

static void log_statistics(struct verifier *v)
{
	const char *separator = "stack depth ";

	verify_log(v, "verification time %llu usec\n",
		   (unsigned long long)(verify_elapsed_ns(v) / 1000));
	for (uint32_t f = 0; f < v->n_funcs; f++) {
		verify_log(v, "%s%u", separator, v->funcs[f].stack_bytes);
		separator = "+";
	}
	verify_log(v, "\n");
}

void verify_log_summary(struct verifier *v)
{
	if (v->level & LEVEL_STATS)
		log_statistics(v);
	verify_log(v,
		   "processed %u insns (limit 1000000) max_states_per_insn %u total_states %u "
		   "peak_states %u mark_read 0\n",
		   v->n_processed, v->most_states_per_insn, v->n_states, v->peak_states);
}
