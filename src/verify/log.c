/*
 * What is said on the way, in the kernel's form.
 */
#include "verify/verifier.h"

#include <stdarg.h>

void verify_log(struct verifier *v, const char *fmt, ...)
{
	va_list ap;

	if (!v->log)
		return;
	va_start(ap, fmt);
	skep_buf_vprintf(v->log, fmt, ap);
	va_end(ap);
}

void verify_log_step(struct verifier *v)
{
	if (!v->log)
		return;
	skep_buf_printf(v->log, "%u: (%02x) ", v->at, v->insns[v->at].code);
	skep_disasm_insn(v->insns, v->n_insns, v->at, NULL, v->log);
	skep_buf_puts(v->log, "\n");
}

void verify_log_safe(struct verifier *v)
{
}

void verify_log_function_safe(struct verifier *v, uint32_t func)
{
}

void verify_log_summary(struct verifier *v)
{
}
