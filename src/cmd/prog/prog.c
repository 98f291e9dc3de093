/*
 * skep prog: eBPF programs by themselves. Reads the options, finds the verb, shows what it found;
 * the verbs are in the files of their names, and all they know comes from src/engine.
 */
#include "cmd/prog/prog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "cmd/commands.h"

static const struct skep_option options[] = {
#define OPTION(id, short_name, name, arg, choices, help)                                           \
	{PROG_OPT_##id, short_name, name, arg, choices, help},
#include "cmd/prog/options.def"
#undef OPTION
};

const struct skep_command skep_command_prog = {
	.name = "prog",
	.usage = "VERB FILE|ID [PROG] [OPTIONS]",
	.description =
		"Run, take apart and list eBPF programs. FILE is an object that clang built, or "
		"the\n"
		"instructions of one program, as text or raw; ID is a program in the kernel.\n"
		"\n"
		"run needs no privileges: where the kernel lets nobody, skep's own machine runs "
		"it. It\n"
		"verifies a program as the kernel does, and runs none that is refused; with "
		"--checked it\n"
		"runs any, looks at every access and stops at the first that is wrong, with its "
		"source\n"
		"line. A program runs for a second or so (2^28 instructions) at most.\n"
		"\n"
		"Verbs:\n"
#define VERB(name, words, help) "  " #name " " words "\n        " help "\n"
#include "cmd/prog/verbs.def"
#undef VERB
	,
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples =
		"  skep prog run filter.bpf.o --pcap traffic.pcap --out-pcap passed.pcap\n"
		"  skep prog run filter.bpf.o drop_udp --hex 'ffffffffffff 0242ac110002 0800'\n"
		"  skep prog run filter.bpf.o --data packet.bin --engine user --jit -n 1000000\n"
		"  skep prog disasm filter.bpf.o\n"
		"  printf 'r0 = 2\\nexit\\n' | skep prog asm - | skep prog disasm -\n"
		"  skep prog list --json | jq -r 'select(.type == \"xdp\") | .id'\n",
	.exit_status =
		"0 ok (whatever the program returned), 1 failed, or the program was stopped, "
		"2 wrong usage.",
	.arg = "FILE",
};

static const struct {
	const char *name;
	prog_verb *run;
} verbs[] = {
#define VERB(name, ...) {#name, prog_verb_##name},
#include "cmd/prog/verbs.def"
#undef VERB
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

volatile sig_atomic_t prog_interrupted;

static void on_interrupt(int sig)
{
	prog_interrupted = 1;
}

void prog_catch_interrupts(void)
{
	const struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

const char *prog_given(const struct prog_job *job, int option)
{
	return job->options.values[option];
}

int prog_needs(struct prog_job *job, const char *what)
{
	skep_diag_add(&job->diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE, "prog", what);
	skep_diag_try(&job->diag, "skep prog --help");
	return 2;
}

void prog_flush(struct prog_job *job)
{
	if (job->out.len)
		fwrite(job->out.data, 1, job->out.len, stdout);
	skep_buf_clear(&job->out);
}

int prog_read_file(struct prog_job *job, const char *path, size_t most, struct skep_buf *ret)
{
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	int err =
		is_stdin ? skep_fd_read(STDIN_FILENO, most, ret) : skep_file_read(path, most, ret);

	if (err == -EFBIG)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_TOO_LARGE, SKEP_NOWHERE, name,
				      most);
	if (err)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, name,
				      strerror(-err));
	return 0;
}

/* --- The engine ------------------------------------------------------------------------------ */

#define BUDGET (UINT64_C(1) << 28)

static void keep_printed(void *ctx, const char *text, size_t len)
{
	struct skep_buf *printed = ctx;

	if (printed->len < 1 << 20)
		skep_buf_add(printed, text, len);
}

static void note_verified(void *ctx, const struct skep_verify_program *program,
			  const struct skep_verify_opts *opts, int err,
			  const struct skep_verify_report *report)
{
	struct prog_job *job = ctx;

	job->refused |= err != 0;
}

static enum skep_engine_code wanted_code(const struct prog_job *job,
					 enum skep_engine_code otherwise)
{
	if (prog_given(job, PROG_OPT_CHECKED))
		return SKEP_CODE_CHECKED;
	if (prog_given(job, PROG_OPT_JIT))
		return SKEP_CODE_JIT;
	return prog_given(job, PROG_OPT_INTERP) ? SKEP_CODE_INTERP : otherwise;
}

static bool names_code(const struct prog_job *job)
{
	return prog_given(job, PROG_OPT_JIT) || prog_given(job, PROG_OPT_INTERP) ||
	       prog_given(job, PROG_OPT_CHECKED);
}

static enum skep_engine_kind wanted_kind(const struct prog_job *job,
					 enum skep_engine_kind otherwise)
{
	const char *name = prog_given(job, PROG_OPT_ENGINE);

	if (name && !strcmp(name, "linux"))
		return SKEP_ENGINE_LINUX;
	if (name && !strcmp(name, "user"))
		return SKEP_ENGINE_USER;
	return names_code(job) ? SKEP_ENGINE_USER : otherwise;
}

int prog_open_engine(struct prog_job *job, enum skep_engine_kind kind, enum skep_engine_code code)
{
	const struct skep_engine_opts opts = {
		.kind = wanted_kind(job, kind),
		.code = wanted_code(job, code),
		.budget = BUDGET,
		.verified = note_verified,
		.verified_ctx = job,
		.trace = keep_printed,
		.trace_ctx = &job->printed,
	};
	int err = skep_engine_open(&opts, &job->engine, &job->diag);

	if (err)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_PROG_RUN, SKEP_NOWHERE,
				      job->words[0], "user", strerror(-err));
	return 0;
}

/* --- The command ----------------------------------------------------------------------------- */

static int both(struct prog_job *job, const char *one, const char *other)
{
	skep_diag_add(&job->diag, SKEP_DIAG_OPTION_BOTH, SKEP_NOWHERE, one, other);
	return 2;
}

/* Options that cannot be meant together. Return 0 | 2 */
static int check_options(struct prog_job *job)
{
	static const struct {
		int one, other;
		const char *one_name, *other_name;
	} pairs[] = {
		{PROG_OPT_DATA, PROG_OPT_HEX, "--data", "--hex"},
		{PROG_OPT_PCAP, PROG_OPT_HEX, "--pcap", "--hex"},
		{PROG_OPT_PCAP, PROG_OPT_DATA, "--pcap", "--data"},
		{PROG_OPT_PCAP, PROG_OPT_REPEAT, "--pcap", "--repeat"},
		{PROG_OPT_CTX, PROG_OPT_CTX_HEX, "--ctx", "--ctx-hex"},
		{PROG_OPT_CHECKED, PROG_OPT_JIT, "--checked", "--jit"},
		{PROG_OPT_CHECKED, PROG_OPT_INTERP, "--checked", "--interp"},
		{PROG_OPT_INTERP, PROG_OPT_JIT, "--interp", "--jit"},
	};
	const char *engine = prog_given(job, PROG_OPT_ENGINE);

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (prog_given(job, pairs[i].one) && prog_given(job, pairs[i].other))
			return both(job, pairs[i].one_name, pairs[i].other_name);
	}
	if (engine && !strcmp(engine, "linux") &&
	    (prog_given(job, PROG_OPT_INTERP) || prog_given(job, PROG_OPT_CHECKED)))
		return both(job, "--engine linux",
			    prog_given(job, PROG_OPT_INTERP) ? "--interp" : "--checked");
	return 0;
}

static int unknown_verb(struct prog_job *job, const char *word)
{
	const char *names[N_VERBS];

	for (size_t i = 0; i < N_VERBS; i++)
		names[i] = verbs[i].name;
	skep_diag_add(&job->diag, SKEP_DIAG_VERB_UNKNOWN, SKEP_NOWHERE, "prog", word);
	skep_diag_try(&job->diag, "skep prog --help lists what it does");
	skep_diag_did_you_mean(&job->diag, word, names, N_VERBS);
	return 2;
}

static int dispatch(struct prog_job *job)
{
	const char *format = prog_given(job, PROG_OPT_FORMAT);
	const char *word = job->options.n_args ? job->options.args[0] : NULL;
	int status = check_options(job);

	if (status)
		return status;
	if (!word)
		return prog_needs(job, "a verb: run, verify, disasm, asm, list, show or maps");
	job->json = prog_given(job, PROG_OPT_JSON) || (format && !strcmp(format, "json"));
	job->words = job->options.args + 1;
	job->n_words = job->options.n_args - 1;
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!strcmp(verbs[i].name, word))
			return verbs[i].run(job);
	}
	return unknown_verb(job, word);
}

static void done(struct prog_job *job)
{
	skep_elffile_close(&job->elf);
	skep_engine_close(&job->engine);
	skep_buf_done(&job->out);
	skep_buf_done(&job->printed);
}

int skep_cmd_prog(int argc, char **argv)
{
	struct prog_job job = {0};
	int status = skep_options_parse(&skep_command_prog, argc, argv, false, &job.options);

	if (status)
		return status;
	if (prog_given(&job, PROG_OPT_HELP)) {
		skep_options_help(&skep_command_prog, stdout);
		return 0;
	}
	status = dispatch(&job);
	prog_flush(&job);
	skep_diag_show(&job.diag);
	done(&job);
	return status < 0 ? 1 : status;
}
