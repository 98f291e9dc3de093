/* A program of a test, linked with maps by number and kernel functions by number, and run. */
#ifndef SKEP_TESTS_RUN_PROGRAM_H
#define SKEP_TESTS_RUN_PROGRAM_H

#include "helper_test.h"

#include <errno.h>

#include <skep/check.h>
#include <skep/diag.h>
#include <skep/isa.h>

struct test_program {
	struct skep_insn insns[256];
	uint32_t n;
	struct skep_map *maps[4];
	const char *kfuncs[8];
	struct skep_program program;
	struct skep_image *image;
};

/* Text as skep_asm() has it; "map[id:N]" is maps[N], "call x#N" is kfuncs[N]. */
static inline struct test_program assemble(const char *text)
{
	struct test_program p = {.n = 0};
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_free_ struct skep_insn *insns = NULL;
	_cleanup_buf_ struct skep_buf said = {0};
	struct skep_source source = {"test", text, strlen(text)};
	size_t n = 0;

	diag.source = &source;
	if (skep_asm(text, strlen(text), &insns, &n, &diag)) {
		skep_diag_render(&diag, false, &said);
		fail_msg("%s", said.data);
	}
	assert_true(n <= sizeof(p.insns) / sizeof(p.insns[0]));
	memcpy(p.insns, insns, n * sizeof(*insns));
	p.n = (uint32_t)n;
	return p;
}

static inline int find_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	struct test_program *p = ctx;

	skep_map_ref(p->maps[insn->imm]);
	*ret = p->maps[insn->imm];
	return 0;
}

static inline int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = skep_helper(id);
	return *ret && (*ret)->call ? 0 : -EINVAL;
}

static inline int find_kfunc(void *ctx, const struct skep_insn *insn,
			     const struct skep_callable **ret)
{
	struct test_program *p = ctx;

	*ret = skep_kfunc(p->kfuncs[insn->imm]);
	return *ret ? 0 : -EINVAL;
}

static inline void link_program(struct test_program *p, const struct skep_exec *exec)
{
	const struct skep_link_env env = {find_map, find_helper, find_kfunc, NULL, p};
	const struct skep_exec_opts opts = {0};
	_cleanup_buf_ struct skep_buf log = {0};

	if (skep_image_link(p->insns, p->n, 1, &env, &log, &p->image))
		fail_msg("not linked: %s", log.data ? log.data : "");
	p->program = (struct skep_program){p->image, exec, NULL};
	assert_int_equal(exec->compile(p->image, &opts, &p->program.code), 0);
}

static inline uint64_t run_linked(struct test_program *p, struct skep_world *world)
{
	struct skep_run run = {.budget = UINT64_MAX, .world = world};
	bool checked = p->program.exec == &skep_exec_checked;
	uint64_t ctx[8] = {0};

	if (checked) {
		run.check = skep_check_new();
		skep_run_grant(&run, ctx, sizeof(ctx), SKEP_MAY_READ | SKEP_MAY_WRITE);
	}
	run.cpu = skep_cpu_enter();
	uint64_t r0 = skep_program_run(&p->program, ctx, &run);
	skep_cpu_leave();
	if (run.stop)
		fail_msg("stopped: %u", run.stop);
	skep_check_free(run.check);
	return r0;
}

static inline void free_program(struct test_program *p)
{
	p->program.exec->free(p->program.code);
	skep_image_free(p->image);
}

/* In both interpreters; the same result, which is returned. */
static inline uint64_t run_program(struct test_program *p, struct skep_world *world)
{
	static const struct skep_exec *const execs[] = {&skep_exec_interp, &skep_exec_checked};
	uint64_t results[2];

	for (int i = 0; i < 2; i++) {
		link_program(p, execs[i]);
		results[i] = run_linked(p, world);
		free_program(p);
	}
	assert_int_equal(results[0], results[1]);
	return results[0];
}

static inline struct skep_map *make_map(uint32_t type, uint32_t key, uint32_t value, uint32_t n)
{
	const struct skep_map_attr attr = {
		.type = type, .key_size = key, .value_size = value, .max_entries = n};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

#endif
