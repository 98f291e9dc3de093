/*
 * Reads the verifier's log for its verdict.
 *
 * A log lists the instructions of the path that failed, the reason, and
 * statistics:
 *
 *	3: (61) r0 = *(u32 *)(r2 +0)
 *	R2 invalid mem access 'scalar'
 *	processed 4 insns (limit 1000000) max_states_per_insn 0 …
 *
 * so the verdict is the last line that is neither statistics nor an
 * instruction, and it is about the instruction before it, unless it names one
 * itself ("back-edge from insn 7 to 3"). The words for it are in verifier.def.
 */
#include "load/explain.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <skep/load.h>

#include "linux/privilege.h"

static const struct words {
	const char *pattern, *what, *hint;
} words[] = {
#define VERIFIER(pattern, what, hint) {pattern, what, hint},
#include "load/verifier.def"
#undef VERIFIER
};

/* Lines that say nothing about why. */
static const char *const noise[] = {
	"processed ",
	"old state:",
	"cur state:",
	"verification time ",
	"stack depth ",
	"mark_precise",
	"; ",
	"func#",
	"Live regs",
	"insn_processed",
	"from ",
	"max_states",
	"parent ",
	"last_idx",
	"regs=",
	"caller:",
	"callee:",
	"arg#",
	"Global function ",
	"Validating ",
	"returning from callee",
	"to caller at",
};

static bool is_noise(const char *line, size_t len)
{
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		size_t n = strlen(noise[i]);
		if (len >= n && memcmp(line, noise[i], n) == 0)
			return true;
	}
	return len == 0;
}

/* "12: (61) …" or "12: R0=…": the number before the colon. */
static bool numbered(const char *line, size_t len, uint32_t *ret)
{
	uint32_t value = 0;
	size_t i = 0;

	for (; i < len && isdigit((unsigned char)line[i]) && i < 9; i++)
		value = value * 10 + (uint32_t)(line[i] - '0');
	if (i == 0 || i + 1 >= len || line[i] != ':' || line[i + 1] != ' ')
		return false;
	*ret = value;
	return true;
}

static const char *find_in_line(const char *line, size_t len, const char *text)
{
	return memmem(line, len, text, strlen(text));
}

/* The instruction a verdict names itself: "from insn 7 to 3", "unreachable insn 12", "… at insn 4"
 */
static bool names_insn(const char *line, size_t len, uint32_t *ret)
{
	const char *at = find_in_line(line, len, "insn ");
	uint32_t value = 0;
	size_t n = 0;

	if (!at)
		return false;
	at += strlen("insn ");
	for (; at + n < line + len && isdigit((unsigned char)at[n]) && n < 9; n++)
		value = value * 10 + (uint32_t)(at[n] - '0');
	if (n)
		*ret = value;
	return n > 0;
}

struct load_verdict load_log_verdict(const char *log)
{
	struct load_verdict verdict = {.line = ""};
	uint32_t insn = 0;
	bool has_insn = false;

	while (*log) {
		size_t len = strcspn(log, "\n");
		if (numbered(log, len, &insn)) {
			has_insn = true;
		} else if (!is_noise(log, len)) {
			verdict = (struct load_verdict){log, len, has_insn, insn};
		}
		log += len + (log[len] == '\n');
	}
	if (names_insn(verdict.line, verdict.len, &insn)) {
		verdict.has_insn = true;
		verdict.insn = insn;
	}
	return verdict;
}

struct skep_span load_insn_span(const struct skep_object_prog *prog, uint32_t insn)
{
	struct skep_span span = SKEP_NOWHERE;

	for (size_t i = 0; i < prog->n_lines && prog->lines[i].insn <= insn; i++) {
		if (prog->lines[i].span.len)
			span = prog->lines[i].span;
	}
	return span;
}

static const struct words *find_words(const struct load_verdict *verdict)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (find_in_line(verdict->line, verdict->len, words[i].pattern))
			return &words[i];
	}
	return NULL;
}

struct skep_refusal skep_refusal_read(const char *log)
{
	struct load_verdict verdict = load_log_verdict(log);
	const struct words *known = find_words(&verdict);

	return (struct skep_refusal){
		.line = verdict.line,
		.len = verdict.len,
		.has_insn = verdict.has_insn,
		.insn = verdict.insn,
		.what = known ? known->what : NULL,
		.hint = known ? known->hint : NULL,
	};
}

static int explain_verdict(const struct skep_object_prog *prog, const struct load_verdict *verdict,
			   int err, struct skep_diag *diag)
{
	const struct words *known = find_words(verdict);
	struct skep_span span =
		verdict->has_insn ? load_insn_span(prog, verdict->insn) : SKEP_NOWHERE;
	int len = verdict->len < 400 ? (int)verdict->len : 400;

	skep_diag_add(diag, SKEP_DIAG_PROG_REJECTED, span, prog->name,
		      known ? known->what : "its verifier does not accept it");
	if (verdict->has_insn)
		skep_diag_why(diag, "the kernel said, at instruction %u: %.*s", verdict->insn, len,
			      verdict->line);
	else
		skep_diag_why(diag, "the kernel said: %.*s", len, verdict->line);
	if (known && known->hint[0])
		skep_diag_try(diag, "%s", known->hint);
	return err;
}

/* What the error number alone says of a program the verifier had no words for. */
static const struct {
	int err;
	const char *why, *hint;
} bare_errors[] = {
	{-E2BIG,
	 "it is longer than this kernel allows (or uses a field of bpf(2) that this kernel does "
	 "not know)",
	 "split the script into fewer or shorter probes; Linux 5.2 and later take a million "
	 "instructions"},
	{-EINVAL,
	 "this kernel does not know this kind of program, one of its flags or its attach type",
	 "skep doctor shows which kinds of programs this kernel has"},
	{-ENOSYS, "this kernel was built without BPF", "a kernel with CONFIG_BPF_SYSCALL"},
	{-ENOMEM, "the kernel has no memory for it",
	 "free memory, or raise the memory cgroup's limit"},
	{-ENOTSUP, "this kernel cannot compile its instructions",
	 "a newer kernel, or sysctl net.core.bpf_jit_enable=1"},
	{-ENOENT, "what it names is not there on this kernel", ""},
	{-EAGAIN, "signals kept interrupting the kernel while it checked the program", "try again"},
};

static int explain_bare(const struct skep_object_prog *prog, int err, struct skep_diag *diag)
{
	skep_diag_add(diag, SKEP_DIAG_PROG_REFUSED, SKEP_NOWHERE, prog->name, strerror(-err));
	skep_diag_why(diag, "program type %u, attach type %u, %zu instructions", prog->type,
		      prog->expected_attach_type, prog->n_insns);
	for (size_t i = 0; i < sizeof(bare_errors) / sizeof(bare_errors[0]); i++) {
		if (bare_errors[i].err != err)
			continue;
		skep_diag_why(diag, "%s", bare_errors[i].why);
		if (bare_errors[i].hint[0])
			skep_diag_try(diag, "%s", bare_errors[i].hint);
	}
	return err;
}

int load_explain(const struct skep_object_prog *prog, const char *log, int err,
		 struct skep_diag *diag)
{
	struct load_verdict verdict = load_log_verdict(log);

	if (verdict.len)
		return explain_verdict(prog, &verdict, err, diag);
	if (err == -EPERM)
		return skep_privilege_fail(diag, err, SKEP_PRIVILEGE_TRACING, SKEP_NOWHERE,
					   "load BPF programs");
	return explain_bare(prog, err, diag);
}
