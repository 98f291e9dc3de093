/*
 * What libbpf said, and what the verifier said through it, told to the person whose program it is.
 *
 *	libbpf: prog 'count': BPF program load failed: Permission denied
 *	libbpf: prog 'count': -- BEGIN PROG LOAD LOG --
 *	; return *value; @ count.bpf.c:21
 *	7: (61) r0 = *(u32 *)(r0 +0)
 *	R0 invalid mem access 'map_value_or_null'
 *	-- END PROG LOAD LOG --
 *
 * The verifier's line comes from skep/load.h, which knows it in plain words; the source's line is
 * the last "; …" before it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <skep/load.h>

#include "engine/elffile.h"
#include "linux/privilege.h"

#define LOG_BEGIN "-- BEGIN PROG LOAD LOG --\n"
#define LOG_END   "-- END PROG LOAD LOG --"
#define PROG      "prog '"

static const struct {
	const char *pattern, *what, *hint;
} words[] = {
#define SAID(pattern, what, hint) {pattern, what, hint},
#include "engine/said.def"
#undef SAID
};

static const char *strerror_of(int err)
{
	return err == -524 ? "not supported" : strerror(-err);
}

/* --- Programs -------------------------------------------------------------------------------- */

/* The last line of the source that the log names before @end. */
static void why_source(const char *log, const char *end, struct skep_diag *diag)
{
	const char *found = NULL;

	for (const char *at = log; at && at < end; at = strchr(at, '\n'), at += at != NULL) {
		if (!strncmp(at, "; ", 2))
			found = at + 2;
	}
	if (found && found < end)
		skep_diag_why(diag, "in the source: %.*s", (int)strcspn(found, "\n"), found);
}

int skep_engine_refused(const char *name, const char *log, size_t len, int err,
			struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_refusal refusal;

	skep_buf_add(&text, log, len);
	skep_buf_addc(&text, '\0');
	refusal = skep_refusal_read(text.data);
	if (!refusal.len) {
		skep_diag_add(diag, SKEP_DIAG_PROG_REFUSED, SKEP_NOWHERE, name, strerror_of(err));
		return err;
	}
	skep_diag_add(diag, SKEP_DIAG_PROG_UNVERIFIED, SKEP_NOWHERE, name,
		      refusal.what ? refusal.what : "it is not accepted");
	if (refusal.has_insn)
		skep_diag_why(diag, "the log says, at instruction %u: %.*s", refusal.insn,
			      (int)(refusal.len < 400 ? refusal.len : 400), refusal.line);
	else
		skep_diag_why(diag, "the log says: %.*s",
			      (int)(refusal.len < 400 ? refusal.len : 400), refusal.line);
	why_source(text.data, refusal.line, diag);
	if (refusal.hint && refusal.hint[0])
		skep_diag_try(diag, "%s", refusal.hint);
	return err;
}

/* The name before a log begins: prog 'NAME': -- BEGIN … */
static void name_before(const char *said, const char *log, char ret[64])
{
	const char *at = NULL;

	for (const char *next = said; (next = strstr(next, PROG)) && next < log; next++)
		at = next + strlen(PROG);
	snprintf(ret, 64, "%.*s", at ? (int)strcspn(at, "'\n") : 1, at ? at : "?");
}

/* The last program load's log; NULL: there is none. */
static const char *find_log(const char *said, size_t *ret_len)
{
	const char *log = NULL, *end;

	for (const char *at = said; (at = strstr(at, LOG_BEGIN)); at++)
		log = at + strlen(LOG_BEGIN);
	end = log ? strstr(log, LOG_END) : NULL;
	*ret_len = end ? (size_t)(end - log) : log ? strlen(log) : 0;
	return log;
}

/* --- Everything else ------------------------------------------------------------------------- */

static const char *without_prefix(const char *line)
{
	static const char prefix[] = "libbpf:";

	line += strncmp(line, prefix, sizeof(prefix) - 1) ? 0 : sizeof(prefix) - 1;
	return line + strspn(line, " ");
}

/* The first few lines: what comes behind them follows from them. */
static void why_said(const char *said, struct skep_diag *diag)
{
	int n = 0;

	for (const char *at = said; n < 4 && *at; at += strcspn(at, "\n"), at += *at == '\n') {
		const char *line = without_prefix(at);
		size_t len = strcspn(line, "\n");

		if (len)
			skep_diag_why(diag, "libbpf says: %.*s", (int)(len < 300 ? len : 300),
				      line);
		n += len > 0;
	}
}

/* The kernel refused before there was a program to speak of. */
static int explain_rights(const struct skep_elffile *elf, int err, struct skep_diag *diag)
{
	char action[128];

	snprintf(action, sizeof(action), "load %s into the kernel", elf->path);
	return skep_privilege_fail(diag, err, SKEP_PRIVILEGE_NETWORK, SKEP_NOWHERE, action);
}

static int explain_words(const struct skep_elffile *elf, bool loading, const char *said, int err,
			 struct skep_diag *diag)
{
	const char *what = strerror_of(err), *hint = NULL;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !hint; i++) {
		if (strstr(said, words[i].pattern)) {
			what = words[i].what;
			hint = words[i].hint;
		}
	}
	skep_diag_add(diag, loading ? SKEP_DIAG_ELF_LOAD : SKEP_DIAG_ELF_OPEN, SKEP_NOWHERE,
		      elf->path, what);
	why_said(said, diag);
	if (hint && hint[0])
		skep_diag_try(diag, "%s", hint);
	return err;
}

int skep_elffile_explain(const struct skep_elffile *elf, bool loading, int err,
			 struct skep_diag *diag)
{
	const char *said = elf->said.data ? elf->said.data : "";
	char name[64];
	size_t len;
	const char *log = find_log(said, &len);

	if (loading && err == -EPERM && (!log || !len))
		return explain_rights(elf, err, diag);
	if (!log || !len)
		return explain_words(elf, loading, said, err, diag);
	name_before(said, log, name);
	return skep_engine_refused(name, log, len, err, diag);
}
