/* skep prog asm: the kernel's text form of instructions into raw ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/prog/prog.h"
#include "engine/value.h"
#include "sink/jsonw.h"

/* A terminal gets digits, one instruction a line: raw bytes would only disturb it. */
static void put_hex(struct prog_job *job, const struct skep_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		skep_hex_print(&insns[i], sizeof(insns[i]), " ", &job->out);
		skep_buf_addc(&job->out, '\n');
	}
}

static void put_json(struct prog_job *job, const struct skep_insn *insns, size_t n)
{
	_cleanup_buf_ struct skep_buf hex = {0};
	struct skep_jsonw w = {.buf = &job->out};

	skep_hex_print(insns, n * sizeof(*insns), "", &hex);
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type"), skep_jsonw_string(&w, "insns");
	skep_jsonw_key(&w, "insns"), skep_jsonw_u64(&w, n);
	skep_jsonw_key(&w, "bytes"), skep_jsonw_string(&w, hex.data ? hex.data : "");
	skep_jsonw_close(&w);
	skep_buf_addc(w.buf, '\n');
}

static int put_file(struct prog_job *job, const char *path, const struct skep_insn *insns, size_t n)
{
	FILE *file = fopen(path, "we");
	bool ok = file && fwrite(insns, sizeof(*insns), n, file) == n;

	if (file && fclose(file))
		ok = false;
	return ok ? 0
		  : skep_diag_fail(&job->diag, -EIO, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, path,
				   strerror(errno));
}

int prog_verb_asm(struct prog_job *job)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	_cleanup_free_ struct skep_insn *insns = NULL;
	const char *output = prog_given(job, PROG_OPT_OUTPUT);
	size_t n;
	int err;

	if (!job->n_words)
		return prog_needs(job, "a FILE to assemble; -: standard input");
	err = prog_read_file(job, job->words[0], SKEP_ELFFILE_MOST_BYTES, &bytes);
	if (!err)
		err = prog_read_insns(job, job->words[0], &bytes, &insns, &n);
	if (err)
		return err;
	if (output)
		return put_file(job, output, insns, n);
	if (job->json)
		put_json(job, insns, n);
	else if (isatty(STDOUT_FILENO))
		put_hex(job, insns, n);
	else
		skep_buf_add(&job->out, insns, n * sizeof(*insns));
	return 0;
}
