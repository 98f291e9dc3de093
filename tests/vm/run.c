/* Programs linked and run: in both interpreters, and on the running kernel. */
#include "run.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/bpf.h>

#include <skep/diag.h>

#include "base/arena.h"

void code_add(struct code *code, struct skep_insn insn)
{
	if (code->n == code->cap) {
		code->cap = code->cap ? code->cap * 2 : 64;
		code->insns = skep_xrealloc(code->insns, code->cap * sizeof(insn));
	}
	code->insns[code->n++] = insn;
}

void code_imm64(struct code *code, int dst, uint64_t value)
{
	struct skep_insn both[2];

	skep_ld_imm64(both, dst, 0, value);
	code_add(code, both[0]);
	code_add(code, both[1]);
}

void code_done(struct code *code)
{
	free(code->insns);
	*code = (struct code){0};
}

struct skep_image *link_code(const struct code *code, const struct skep_link_env *env)
{
	static const struct skep_link_env nothing;
	_cleanup_buf_ struct skep_buf log = {0};
	struct skep_image *image = NULL;

	int err = skep_image_link(code->insns, code->n, 3, env ? env : &nothing, &log, &image);
	if (err)
		fail_msg("not linked: %d %s", err, log.data ? log.data : "");
	return image;
}

struct skep_image *link_text(const char *text, const struct skep_link_env *env)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_insn *insns = NULL;
	size_t n = 0;

	if (skep_asm(text, strlen(text), &insns, &n, &diag))
		fail_msg("not assembled: %s", diag.items[0].what);
	struct code code = {insns, (uint32_t)n, (uint32_t)n};
	struct skep_image *image = link_code(&code, env);
	code_done(&code);
	return image;
}

struct outcome run_in(const struct skep_exec *exec, const struct skep_image *image,
		      const struct skep_run *with)
{
	struct skep_program program = {image, exec, NULL};
	struct skep_run run = with ? *with : (struct skep_run){.budget = UINT64_MAX};
	struct skep_exec_opts opts = {.budget = run.budget != UINT64_MAX};
	struct skep_check *own = run.check ? NULL : skep_check_new();
	struct outcome outcome = {0};
	const char *why = "";

	run.check = own ? own : run.check;
	assert_int_equal(exec->compile(image, &opts, &program.code), 0);
	outcome.r0 = skep_program_run(&program, run.ctx, &run);
	exec->free(program.code);
	outcome.stop = run.stop;
	if (skep_check_fault(run.check, &outcome.fault_insn, &why))
		snprintf(outcome.why, sizeof(outcome.why), "%s", why);
	skep_check_free(own);
	return outcome;
}

/* --- the kernel ----------------------------------------------------------------------------- */

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	long result = syscall(__NR_bpf, cmd, attr, sizeof(*attr));

	return result < 0 ? -errno : (int)result;
}

int kernel_load(const struct code *code, struct skep_buf *log)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS,
			       .insns = (uintptr_t)code->insns,
			       .insn_cnt = code->n,
			       .license = (uintptr_t) "GPL"};
	char *text = skep_xcalloc(1, 1 << 20);

	attr.log_buf = (uintptr_t)text;
	attr.log_size = 1 << 20;
	attr.log_level = log ? 1 : 0;
	if (!log)
		attr.log_buf = attr.log_size = 0;
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);
	if (log)
		skep_buf_puts(log, text);
	free(text);
	return fd;
}

int kernel_run(int fd, const void *packet, uint32_t len, uint32_t *ret)
{
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)fd,
					.data_in = (uintptr_t)packet,
					.data_size_in = len}};
	int err = sys_bpf(BPF_PROG_TEST_RUN, &attr);

	if (!err)
		*ret = attr.test.retval;
	return err;
}

bool kernel_usable(void)
{
	struct code code = {0};

	code_add(&code, skep_alu64_imm(SKEP_MOV, SKEP_R0, 0));
	code_add(&code, skep_exit());
	int fd = kernel_load(&code, NULL);
	code_done(&code);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}
