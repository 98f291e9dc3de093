/* Which engine, and why: see engine.h. */
#include "engine/engine.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include <skep/image.h>
#include <skep/machine.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "linux/privilege.h"

/* What most programs that can be run on data are; the kernel asks for more rights than for a
 * socket filter. */
static int try_kernel(void)
{
	const struct skep_insn insns[] = {skep_alu64_imm(SKEP_MOV, 0, 2), skep_exit()};
	union bpf_attr attr;
	_cleanup_close_ int fd = -1;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = 2;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	fd = skep_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd < 0 ? fd : 0;
}

/* The capabilities that would do, those that are there left out. */
static void list_missing(struct skep_buf *ret)
{
	static const int caps[] = {CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN};

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (!skep_has_cap(caps[i]))
			skep_buf_printf(ret, "%s%s", ret->len ? ", " : "", skep_cap_name(caps[i]));
	}
}

static void say_why(int err, struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf missing = {0};

	list_missing(&missing);
	if (err != -EPERM)
		skep_diag_add(diag, SKEP_DIAG_ENGINE_USER, SKEP_NOWHERE,
			      "the kernel cannot load programs", strerror(-err));
	else if (missing.len)
		skep_diag_add(diag, SKEP_DIAG_ENGINE_USER, SKEP_NOWHERE,
			      "the kernel wants root, or", missing.data);
	else
		skep_diag_add(
			diag, SKEP_DIAG_ENGINE_USER, SKEP_NOWHERE,
			"the kernel refuses to load programs",
			"a security module, seccomp or a container's user namespace forbids it");
}

static int open_machine(const struct skep_engine_opts *opts, struct skep_engine *ret)
{
	static const struct skep_exec *const execs[] = {
		[SKEP_CODE_CHECKED] = &skep_exec_checked,
		[SKEP_CODE_INTERP] = &skep_exec_interp,
		[SKEP_CODE_JIT] = &skep_exec_jit,
	};
	const struct skep_machine_opts machine = {
		.exec = execs[opts->code],
		.exec_opts = {.budget = opts->budget != 0},
		.budget = opts->budget,
		.unverified = opts->code == SKEP_CODE_CHECKED,
		.verify_opts = opts->verify_opts,
		.verified = opts->verified,
		.verified_ctx = opts->verified_ctx,
		.trace = opts->trace,
		.trace_ctx = opts->trace_ctx,
	};
	int err = skep_machine_new(&machine, &ret->machine);

	if (err)
		return err;
	ret->kind = SKEP_ENGINE_USER;
	ret->code = opts->code;
	skep_machine_route(ret->machine);
	return 0;
}

int skep_engine_open(const struct skep_engine_opts *opts, struct skep_engine *ret,
		     struct skep_diag *diag)
{
	int err = opts->kind == SKEP_ENGINE_AUTO ? try_kernel() : 0;

	*ret = (struct skep_engine){.kind = SKEP_ENGINE_LINUX};
	if (err)
		say_why(err, diag);
	return err || opts->kind == SKEP_ENGINE_USER ? open_machine(opts, ret) : 0;
}

void skep_engine_close(struct skep_engine *engine)
{
	if (!engine->machine)
		return;
	skep_machine_route(NULL);
	skep_machine_free(engine->machine);
	engine->machine = NULL;
}

const char *skep_engine_name(const struct skep_engine *engine)
{
	return engine->machine ? "user" : "linux";
}

const char *skep_engine_code_name(const struct skep_engine *engine)
{
	static const char *const names[] = {
		[SKEP_CODE_CHECKED] = "checked",
		[SKEP_CODE_INTERP] = "interp",
		[SKEP_CODE_JIT] = "jit",
	};

	return engine->machine ? names[engine->code] : "kernel";
}

bool skep_engine_fault(const struct skep_engine *engine, int prog_fd, struct skep_fault *ret)
{
	const struct skep_program *program =
		engine->machine ? skep_machine_program(engine->machine, prog_fd) : NULL;
	bool faulted = program && skep_machine_fault(engine->machine, program, ret);

	if (program)
		skep_machine_program_put(engine->machine, program);
	return faulted;
}
