/*
 * skep prog verify: would the kernel take these programs? Said by skep's own verifier, which needs
 * no kernel and no rights; with --kernel the running one is asked too.
 *
 * Each program is loaded from an object opened anew, so that one which is refused says nothing of
 * the next.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/arena.h>

#include "base/fd.h"
#include "cmd/prog/budget.h"
#include "cmd/prog/prog.h"
#include "cmd/prog/requirements.h"
#include "engine/explanation.h"
#include "sink/columns.h"
#include "sink/jsonw.h"

#define LOG_BYTES (64u << 20)
#define LOG_STATS 4

/* What one engine said of a program. */
struct verdict {
	bool asked;
	int err; /* 0: accepted */
	uint64_t n_insns, n_states, time_us;
	const char *log; /* the bytes of struct asking, until the next is asked */
	struct skep_diag why;
	/* skep's own verifier tells more; its texts are in the arena of struct asking */
	bool explained;
	struct skep_explanation explanation;
	struct prog_requirements requirements; /* of one that was accepted */
	struct prog_budget budget;
};

struct asking {
	struct prog_job *job;
	const char *path;
	const struct skep_buf *bytes;
	char *log;               /* LOG_BYTES */
	uint32_t level, target;  /* target: --target */
	bool whole;              /* one program is asked for: all is told of it */
	struct skep_arena arena; /* of one program's explanation */
	struct verdict *asked;   /* whose program is being loaded */
	const char *name;        /* and its name */
	struct skep_columns table;
	unsigned n, n_refused, n_differ;
};

/* --- Asking ---------------------------------------------------------------------------------- */

static uint64_t number_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

/*
 * How a log of level 4 ends, on either engine:
 *
 *	verification time 12 usec
 *	stack depth 8
 *	processed 12 insns (limit 1000000) max_states_per_insn 1 total_states 2 …
 */
static void read_counts(struct verdict *verdict)
{
	const char *end = verdict->log;

	for (const char *at = end; (at = strstr(at, "verification time ")); at++)
		end = at;
	verdict->time_us = number_behind(end, "verification time ");
	verdict->n_insns = number_behind(end, "processed ");
	verdict->n_states = number_behind(end, "total_states ");
}

static int load_one(struct asking *asking, const char *name, struct verdict *ret)
{
	_cleanup_elffile_ struct skep_elffile elf = {0};
	_cleanup_buf_ struct skep_buf copy = {0};
	struct bpf_program *prog = NULL;
	int err;

	skep_buf_add(&copy, asking->bytes->data, asking->bytes->len);
	err = skep_elffile_open(asking->path, &copy, &elf, &ret->why);
	if (!err)
		err = skep_elffile_find(&elf, name, &prog, &ret->why);
	if (err)
		return err;
	asking->log[0] = '\0';
	bpf_program__set_log_buf(prog, asking->log, LOG_BYTES);
	bpf_program__set_log_level(prog, asking->level | LOG_STATS);
	err = skep_elffile_load(&elf, prog, &ret->why);
	ret->log = asking->log;
	read_counts(ret);
	return err;
}

/* libbpf loads small programs of its own, before and after, to see what there is: they have other
 * names, or none. The kernel's have 15 bytes. */
static bool is_asked_for(const struct asking *asking, const struct skep_verify_program *program)
{
	return !strncmp(program->image->name, asking->name, sizeof(program->image->name) - 1);
}

static void verified(void *ctx, const struct skep_verify_program *program,
		     const struct skep_verify_opts *opts, int err,
		     const struct skep_verify_report *report)
{
	struct asking *asking = ctx;
	struct verdict *verdict = asking->asked;

	if (!is_asked_for(asking, program))
		return;
	verdict->explained = err && !skep_verify_explain(program, opts, report, &asking->arena,
							 &verdict->explanation);
	verdict->requirements = (struct prog_requirements){.target = asking->target};
	prog_budget_take(opts, report, &verdict->budget);
	if (!err)
		prog_requirements_take(program, report, &asking->arena, &verdict->requirements);
}

/* The log tells more of a refusal than libbpf does. */
static void explain(const char *name, struct verdict *verdict)
{
	if (verdict->err)
		verdict->requirements.known = false;
	else
		verdict->explained = false;
	if (!verdict->err || !verdict->log || !verdict->log[0])
		return;
	skep_diag_done(&verdict->why);
	verdict->why = (struct skep_diag){0};
	skep_engine_refused(name, verdict->log, strlen(verdict->log), verdict->err, &verdict->why);
}

static void ask(struct asking *asking, const char *name, enum skep_engine_kind kind,
		struct verdict *ret)
{
	struct skep_verify_opts how;
	const struct skep_engine_opts opts = {
		.kind = kind, .verify_opts = &how, .verified = verified, .verified_ctx = asking};

	prog_read_mode(asking->job, &how);
	ret->asked = true;
	asking->asked = ret;
	asking->name = name;
	ret->err = skep_engine_open(&opts, &asking->job->engine, &ret->why);
	if (!ret->err)
		ret->err = load_one(asking, name, ret);
	skep_engine_close(&asking->job->engine);
	explain(name, ret);
}

/* --- Telling --------------------------------------------------------------------------------- */

/* By its rules, or by the version of Linux it is for. */
static bool is_refused(const struct verdict *verdict)
{
	return verdict->err || prog_requirements_lacking(&verdict->requirements);
}

static const char *word(const struct verdict *verdict)
{
	return !verdict->asked ? "" : is_refused(verdict) ? "refused" : "accepted";
}

static void verdict_json(struct skep_jsonw *w, const struct verdict *verdict)
{
	skep_jsonw_open(w, '{');
	skep_jsonw_key(w, "verdict"), skep_jsonw_string(w, word(verdict));
	skep_jsonw_key(w, "errno"), skep_jsonw_u64(w, (uint64_t)-verdict->err);
	skep_jsonw_key(w, "insns"), skep_jsonw_u64(w, verdict->n_insns);
	skep_jsonw_key(w, "states"), skep_jsonw_u64(w, verdict->n_states);
	skep_jsonw_key(w, "time_us"), skep_jsonw_u64(w, verdict->time_us);
	if (verdict->why.n_items) {
		const struct skep_diag_item *item = &verdict->why.items[verdict->why.n_items - 1];

		skep_jsonw_key(w, "what"), skep_jsonw_string(w, item->what);
		skep_jsonw_key(w, "why"), skep_jsonw_string(w, item->why ? item->why : "");
		skep_jsonw_key(w, "try"), skep_jsonw_string(w, item->hint ? item->hint : "");
	}
	if (verdict->explained)
		skep_jsonw_key(w, "explanation"), skep_explanation_json(&verdict->explanation, w);
	prog_requirements_json(&verdict->requirements, w);
	prog_budget_json(&verdict->budget, w);
	skep_jsonw_close(w);
}

static void tell_json(struct asking *asking, const char *name, const struct verdict *skep,
		      const struct verdict *kernel)
{
	struct skep_jsonw w = {.buf = &asking->job->out};

	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "file"), skep_jsonw_string(&w, asking->path);
	skep_jsonw_key(&w, "program"), skep_jsonw_string(&w, name);
	skep_jsonw_key(&w, "skep"), verdict_json(&w, skep);
	if (kernel->asked)
		skep_jsonw_key(&w, "kernel"), verdict_json(&w, kernel);
	skep_jsonw_close(&w);
	skep_buf_addc(w.buf, '\n');
}

static void tell_row(struct asking *asking, const struct bpf_program *prog,
		     const struct verdict *skep, const struct verdict *kernel)
{
	struct skep_columns *table = &asking->table;
	char ms[32], since[16];

	snprintf(ms, sizeof(ms), "%.2f", (double)skep->time_us / 1000);
	skep_columns_add(table, bpf_program__name(prog), -1);
	skep_columns_add(table, bpf_program__section_name(prog), -1);
	skep_columns_add(table, word(skep), -1);
	skep_columns_u64(table, skep->n_insns);
	skep_columns_u64(table, skep->n_states);
	skep_columns_add(table, ms, -1);
	skep_columns_add(table, prog_requirements_since(&skep->requirements, since), -1);
	if (kernel->asked)
		skep_columns_add(table, word(kernel), -1);
}

/* Reasons stand below the table; the kernel's only where it is alone with them. */
static void keep_reasons(struct asking *asking, const char *name, const struct verdict *skep,
			 const struct verdict *kernel)
{
	struct skep_buf *out = &asking->job->printed;

	if (skep->explained)
		skep_explanation_render(&skep->explanation, name, out);
	else if (skep->err)
		skep_diag_render(&skep->why, false, out);
	prog_requirements_text(&skep->requirements, name, asking->whole, out);
	prog_budget_text(&skep->budget, name, out);
	if (skep->err || !kernel->err)
		return;
	skep_buf_puts(out, "the kernel alone:\n");
	skep_diag_render(&kernel->why, false, out);
}

static void verify_one(struct asking *asking, const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog);
	struct verdict skep = {0}, kernel = {0};

	skep_arena_init(&asking->arena);
	ask(asking, name, SKEP_ENGINE_USER, &skep);
	if (prog_given(asking->job, PROG_OPT_LOG) && skep.log)
		skep_buf_puts(&asking->job->printed, skep.log);
	if (prog_given(asking->job, PROG_OPT_KERNEL))
		ask(asking, name, SKEP_ENGINE_LINUX, &kernel);
	asking->n++;
	asking->n_refused += is_refused(&skep);
	asking->n_differ += kernel.asked && !kernel.err != !skep.err;
	if (asking->job->json)
		tell_json(asking, name, &skep, &kernel);
	else
		tell_row(asking, prog, &skep, &kernel);
	if (!asking->job->json)
		keep_reasons(asking, name, &skep, &kernel);
	skep_diag_done(&skep.why);
	skep_diag_done(&kernel.why);
	skep_arena_done(&asking->arena);
}

/* --- Objects --------------------------------------------------------------------------------- */

static bool is_wanted(const struct prog_job *job, const char *name)
{
	for (int i = 1; i < job->n_words; i++)
		if (!strcmp(job->words[i], name))
			return true;
	return job->n_words < 2;
}

static void heads(struct asking *asking)
{
	static const char *const names[] = {"PROGRAM", "SECTION", "VERDICT", "INSNS",
					    "STATES",  "MS",      "LINUX",   "KERNEL"};
	uint32_t n = prog_given(asking->job, PROG_OPT_KERNEL) ? 8 : 7;

	skep_columns_init(&asking->table, n, n == 8 ? "lllrrrrl" : "lllrrrr");
	for (uint32_t i = 0; i < n; i++)
		skep_columns_add(&asking->table, names[i], -1);
}

/* What programs bring along (lines of source, names, all of a log) is shown, but not acted upon by
 * the terminal. */
static void put_printed(const struct skep_buf *printed, struct skep_buf *out)
{
	for (size_t at = 0; at < printed->len;) {
		const char *line = printed->data + at, *end = memchr(line, '\n', printed->len - at);
		size_t len = end ? (size_t)(end - line) : printed->len - at;

		skep_buf_add_printable(out, line, len);
		skep_buf_addc(out, '\n');
		at += len + 1;
	}
}

static void tell_sum(struct asking *asking)
{
	struct skep_buf *out = &asking->job->out;

	if (asking->job->json)
		return;
	skep_columns_render(&asking->table, out);
	put_printed(&asking->job->printed, out);
	if (prog_interrupted)
		skep_buf_puts(out, "interrupted: what is behind was not looked at\n");
	skep_buf_printf(out, "%u of %u accepted", asking->n - asking->n_refused, asking->n);
	if (prog_given(asking->job, PROG_OPT_KERNEL))
		skep_buf_printf(out, ", the kernel decides otherwise of %u", asking->n_differ);
	skep_buf_addc(out, '\n');
}

static unsigned n_programs(const struct prog_job *job)
{
	struct bpf_program *prog;
	unsigned n = 0;

	bpf_object__for_each_program(prog, job->elf.object) n++;
	return n;
}

static int verify_all(struct asking *asking)
{
	struct prog_job *job = asking->job;
	struct bpf_program *prog, *named;
	int err = 0;

	for (int i = 1; i < job->n_words && !err; i++)
		err = skep_elffile_find(&job->elf, job->words[i], &named, &job->diag);
	if (err)
		return err;
	asking->whole = job->n_words == 2 || n_programs(job) == 1;
	heads(asking);
	prog_catch_interrupts();
	bpf_object__for_each_program(prog, job->elf.object)
	{
		if (is_wanted(job, bpf_program__name(prog)) && !prog_interrupted)
			verify_one(asking, prog);
	}
	tell_sum(asking);
	skep_columns_done(&asking->table);
	return asking->n_refused || prog_interrupted ? 1 : 0;
}

int prog_verb_verify(struct prog_job *job)
{
	_cleanup_buf_ struct skep_buf bytes = {0}, copy = {0};
	_cleanup_free_ char *log = NULL;
	const char *level = prog_given(job, PROG_OPT_LOG);
	struct asking asking = {.job = job, .bytes = &bytes};
	int err;

	if (!job->n_words)
		return prog_needs(job, "the FILE of an object");
	err = prog_read_target(job, &asking.target);
	if (err)
		return err;
	asking.path = job->words[0];
	asking.level = level && !strcmp(level, "2") ? 2 : 1;
	asking.log = log = malloc(LOG_BYTES);
	if (!log)
		return -ENOMEM;
	err = prog_read_file(job, asking.path, SKEP_ELFFILE_MOST_BYTES, &bytes);
	if (err)
		return err;
	skep_buf_add(&copy, bytes.data, bytes.len);
	err = skep_elffile_open(asking.path, &copy, &job->elf, &job->diag);
	return err ? err : verify_all(&asking);
}
