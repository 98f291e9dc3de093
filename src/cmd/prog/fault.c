/* Runs that did not go well, told with the instruction and the source line they ended at. */
#include <errno.h>
#include <string.h>

#include <skep/machine.h>

#include "base/fd.h"
#include "cmd/prog/prog.h"
#include "engine/test.h"

/* The instructions before it show how its registers came about. */
static void why_insns(struct prog_job *job, struct skep_prog *prog, uint32_t insn)
{
	uint32_t start, from;
	const char *func = skep_prog_func(prog, insn, &start);

	from = insn >= start + 3 ? insn - 3 : start;
	skep_diag_why(&job->diag, "at instruction %u, in %s:", insn, func);
	for (uint32_t at = from; at <= insn && at < prog->n_insns; at++) {
		_cleanup_buf_ struct skep_buf text = {0};

		skep_prog_insn_text(prog, false, at, &text);
		skep_diag_why(&job->diag, "%s%5u: %s", at == insn ? " >" : "  ", at,
			      text.data ? text.data : "");
		at += prog->insns[at].code == (SKEP_LD | SKEP_DW | SKEP_IMM);
	}
}

bool prog_tell_fault(struct prog_job *job, struct skep_prog *prog)
{
	struct skep_prog_line line;
	struct skep_fault fault;

	if (!skep_engine_fault(&job->engine, prog->fd, &fault))
		return false;
	skep_diag_add(&job->diag, SKEP_DIAG_PROG_FAULT, SKEP_NOWHERE, prog->info.name, fault.why);
	if (fault.insn >= prog->n_insns)
		return true;
	if (skep_prog_line(prog, fault.insn, &line))
		skep_diag_why(&job->diag, "%s:%u:%u: %s", line.file, line.line, line.col,
			      line.text);
	why_insns(job, prog, fault.insn);
	if (fault.registers[0])
		skep_diag_why(&job->diag, "registers: %s", fault.registers);
	return true;
}

int prog_tell_refused_run(struct prog_job *job, const struct skep_prog *prog, uint32_t data_len,
			  int err)
{
	bool packet = skep_testable(prog->info.type)->data;

	skep_diag_add(&job->diag, SKEP_DIAG_PROG_RUN, SKEP_NOWHERE, prog->info.name,
		      skep_engine_name(&job->engine), strerror(-err));
	if (packet && data_len < SKEP_TEST_LEAST_BYTES)
		skep_diag_why(&job->diag,
			      "a packet has at least its Ethernet header: %d bytes, not %u",
			      SKEP_TEST_LEAST_BYTES, data_len);
	else if (err == -EINVAL)
		skep_diag_why(
			&job->diag,
			packet ? "the packet of %u bytes is too long for this program, or its "
				 "context has fields that cannot be set"
			       : "the context is not of the size or form that it must have",
			data_len);
	return err;
}
