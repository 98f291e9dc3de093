/* Any bytes as a program: linked, and run for a while by the checked interpreter, which is to let
 * nothing pass that touches memory it was not given. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/check.h>
#include <skep/helper.h>
#include <skep/image.h>
#include <skep/map.h>

#include "base/buf.h"

#define MOST_BYTES 8192
#define BUDGET     20000

static uint64_t scratch[8];
static struct skep_map *maps[3];

static uint64_t number(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		       struct skep_run *run)
{
	return a ^ b;
}

static uint64_t memory(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		       struct skep_run *run)
{
	skep_run_grant(run, scratch, sizeof(scratch), SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)scratch;
}

/* r1 to r2 bytes at it are written, r3 to r4 read. */
static uint64_t copy(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		     struct skep_run *run)
{
	for (uint64_t i = 0; i < b && i < d; i++)
		((uint8_t *)(uintptr_t)a)[i] = ((const uint8_t *)(uintptr_t)c)[i];
	return 0;
}

static uint64_t look_up(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			struct skep_run *run)
{
	return (uintptr_t)skep_map_lookup((void *)(uintptr_t)a, (void *)(uintptr_t)b);
}

static uint64_t back(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		     struct skep_run *run)
{
	const uint64_t args[5] = {a, c};

	return skep_run_callback(run, b, args);
}

static uint64_t throw(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		      struct skep_run *run)
{
	run->thrown = a;
	longjmp(*run->unwind, 1);
}

static const struct skep_proto look_up_proto = {SKEP_RET_MAP_VALUE | SKEP_RET_MAYBE_NULL,
						{SKEP_ARG_CONST_MAP_PTR, SKEP_ARG_MAP_KEY}},
			       copy_proto = {SKEP_RET_INTEGER,
					     {SKEP_ARG_MEM | SKEP_ARG_UNINIT, SKEP_ARG_SIZE,
					      SKEP_ARG_MEM, SKEP_ARG_SIZE_OR_ZERO}},
			       back_proto = {SKEP_RET_INTEGER,
					     {SKEP_ARG_ANYTHING, SKEP_ARG_FUNC, SKEP_ARG_ANYTHING}};

static const struct skep_callable callables[] = {
	{"number", number, NULL},      {"look_up", look_up, &look_up_proto},
	{"copy", copy, &copy_proto},   {"memory", memory, NULL},
	{"back", back, &back_proto},   {"bpf_throw", throw, NULL},
	{"bpf_tail_call", NULL, NULL},
};

static int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = &callables[id == 12 ? 6 : (uint32_t)id % 5];
	return 0;
}

static int find_kfunc(void *ctx, const struct skep_insn *insn, const struct skep_callable **ret)
{
	*ret = &callables[5];
	return 0;
}

static int find_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	*ret = maps[(uint32_t)insn->imm % 3];
	skep_map_ref(*ret);
	return 0;
}

static void make_maps(void)
{
	static const struct skep_map_attr attrs[] = {
		{.type = SKEP_MAP_ARRAY, .key_size = 4, .value_size = 24, .max_entries = 1},
		{.type = SKEP_MAP_HASH, .key_size = 8, .value_size = 8, .max_entries = 4},
		{.type = SKEP_MAP_PROG_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 4},
	};

	for (size_t i = 0; i < 3 && !maps[i]; i++) {
		if (skep_map_create(&attrs[i], &maps[i]))
			abort();
	}
}

static void run(const struct skep_image *image)
{
	static uint8_t frame[64];
	struct skep_program program = {image, &skep_exec_checked, NULL};
	uint64_t ctx[8] = {1, 2, 3};
	struct skep_packet packet = {.buf = frame,
				     .meta = frame,
				     .data = frame,
				     .end = frame + sizeof(frame),
				     .limit = frame + sizeof(frame),
				     .ctx = ctx,
				     .network_off = 14};
	struct skep_world world = {.packet = &packet};
	struct skep_run run = {.budget = BUDGET, .check = skep_check_new(), .world = &world};

	if (skep_exec_checked.compile(image, &(struct skep_exec_opts){.budget = true},
				      &program.code))
		abort();
	skep_run_grant(&run, ctx, sizeof(ctx), SKEP_MAY_READ | SKEP_MAY_WRITE);
	skep_program_run(&program, ctx, &run);
	skep_exec_checked.free(program.code);
	/* It compiles for the other one, too. */
	if (skep_exec_interp.compile(image, &(struct skep_exec_opts){.budget = true},
				     &program.code))
		abort();
	skep_exec_interp.free(program.code);
	skep_check_free(run.check);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct skep_link_env env = {
		.map = find_map, .helper = find_helper, .kfunc = find_kfunc};
	struct skep_insn insns[MOST_BYTES / sizeof(struct skep_insn)];
	uint32_t n = (uint32_t)((size < MOST_BYTES ? size : MOST_BYTES) / sizeof(insns[0]));
	_cleanup_buf_ struct skep_buf log = {0};
	struct skep_image *image = NULL;

	make_maps();
	memcpy(insns, data, n * sizeof(insns[0]));
	if (!skep_image_link(insns, n, 3, &env, &log, &image))
		run(image);
	skep_image_free(image);
	return 0;
}
