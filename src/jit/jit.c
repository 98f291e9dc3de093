/*
 * The JIT's driver: from an image to code that runs, and the two functions by
 * which the world calls it (struct skep_exec).
 *
 * Four passes of the processor's emitter (see enum jit_pass) over a scratch
 * buffer, then one copy into memory that becomes executable. The first pass's
 * distances are upper bounds, so jumps it finds short stay short whatever later
 * passes save.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "jit/jit.h"

/* --- For the emitters ------------------------------------------------------------------------ */

bool skep_jit_reserve(struct jit_unit *unit, size_t bytes)
{
	if (unit->len + bytes <= unit->cap)
		return true;
	size_t cap = unit->cap * 2 + bytes;
	uint8_t *code = realloc(unit->code, cap);
	if (!code) {
		unit->error = -ENOMEM;
		return false;
	}
	unit->code = code;
	unit->cap = cap;
	return true;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9;
	return x ^ x >> 32;
}

uint32_t skep_jit_mask(const struct jit_unit *unit)
{
	return ((uint32_t)mix(unit->seed + unit->slot) & 0x3fffffff) | 0x40000000;
}

/* --- Compiling ------------------------------------------------------------------------------- */

static void unit_done(struct jit_unit *unit)
{
	free(unit->at);
	free(unit->marks);
	free(unit->narrow);
	free(unit->live);
	free(unit->map_at);
	free(unit->calls);
	free(unit->funcs);
	free(unit->code);
}
#define _cleanup_unit_ __attribute__((cleanup(unit_done)))

static int unit_init(struct jit_unit *unit)
{
	const struct skep_image *image = unit->image;
	size_t n = (size_t)image->n_insns + 1;
	unit->at = calloc(n, sizeof(*unit->at));
	unit->marks = calloc(n, sizeof(*unit->marks));
	unit->narrow = calloc(n, sizeof(*unit->narrow));
	unit->live = calloc(n, sizeof(*unit->live));
	unit->map_at = calloc(n, sizeof(*unit->map_at));
	unit->calls = calloc((size_t)image->n_calls + 1, sizeof(*unit->calls));
	unit->funcs = calloc(image->n_funcs, sizeof(*unit->funcs));
	if (!unit->at || !unit->marks || !unit->narrow || !unit->live || !unit->map_at ||
	    !unit->calls || !unit->funcs)
		return -ENOMEM;
	if (unit->blind && getrandom(&unit->seed, sizeof(unit->seed), 0) != sizeof(unit->seed))
		return -EIO;
	return skep_jit_reserve(unit, n * 32) ? 0 : -ENOMEM;
}

static int check_known(const struct skep_image *image)
{
	for (uint32_t i = 0; i < image->n_insns; i++)
		if (image->ops[i] != SKEP_OP_INVALID && !skep_jit_knows(image->ops[i]))
			return -ENOTSUP;
	return 0;
}

/* By the offsets of a bounding pass: which jumps can be short? */
static void mark_near(struct jit_unit *unit)
{
	for (uint32_t i = 0; i < unit->image->n_insns; i++) {
		int64_t target = skep_jit_target(unit->image, i);
		if (target < 0)
			continue;
		int64_t from = target > i ? unit->at[i] : unit->at[i + 1];
		int64_t distance = (int64_t)unit->at[target] - from;
		if (distance <= skep_jit_near_bytes && distance >= -skep_jit_near_bytes)
			unit->marks[i] |= JIT_NEAR;
	}
}

static void emit_functions(struct jit_unit *unit)
{
	for (uint32_t f = 0; f < unit->image->n_funcs && skep_jit_reserve(unit, MOST_BYTES); f++) {
		unit->func = &unit->funcs[f];
		skep_jit_emit(unit, &unit->image->funcs[f]);
	}
}

static int run_pass(struct jit_unit *unit, enum jit_pass pass)
{
	unit->pass = pass;
	unit->len = 0;
	emit_functions(unit);
	unit->at[unit->image->n_insns] = (uint32_t)unit->len;
	if (pass <= JIT_BOUND_NEAR)
		mark_near(unit);
	return unit->error;
}

static int emit_all(struct jit_unit *unit, struct skep_code *code)
{
	int r = run_pass(unit, JIT_BOUND);
	if (!r)
		r = run_pass(unit, JIT_BOUND_NEAR);
	if (!r)
		r = skep_jit_memory_new(unit->len, code);
	if (r)
		return r;
	unit->base = (uintptr_t)code->code;
	r = run_pass(unit, JIT_LAYOUT);
	if (!r)
		r = run_pass(unit, JIT_WRITE);
	return r ? r : skep_jit_memory_seal(code, unit->code, unit->len);
}

static void code_free(struct skep_code *code)
{
	if (!code)
		return;
	skep_jit_memory_free(code);
	free(code->at);
	free(code->entry);
	free(code);
}

static void code_free_p(struct skep_code **code)
{
	code_free(*code);
}
#define _cleanup_code_ __attribute__((cleanup(code_free_p)))

static void set_entries(const struct jit_unit *unit, struct skep_code *code)
{
	for (uint32_t f = 0; f < unit->image->n_funcs; f++) {
		uintptr_t at = (uintptr_t)code->code + unit->funcs[f].entry;
		code->entry[f] = (jit_function *)at;
	}
	code->main = code->entry[0];
}

int skep_jit_compile(const struct skep_image *image, const struct skep_exec_opts *opts,
		     unsigned features, struct skep_code **ret)
{
	_cleanup_unit_ struct jit_unit unit = {.image = image, .features = features};
	_cleanup_code_ struct skep_code *code = calloc(1, sizeof(*code));
	unit.budget = opts && opts->budget;
	unit.blind = opts && opts->blind_constants;
	int r = check_known(image);
	if (!r)
		r = unit_init(&unit);
	if (r)
		return r;
	skep_jit_flow(&unit);
	if (!code || !(code->entry = calloc(image->n_funcs, sizeof(*code->entry))))
		return -ENOMEM;
	r = emit_all(&unit, code);
	if (r)
		return r;
	set_entries(&unit, code);
	code->n_insns = image->n_insns;
	code->budget = unit.budget;
	code->at = unit.at;
	unit.at = NULL;
	*ret = code;
	code = NULL;
	return 0;
}

static int compile(const struct skep_image *image, const struct skep_exec_opts *opts,
		   struct skep_code **ret)
{
	return skep_jit_compile(image, opts, skep_jit_features(), ret);
}

/* Entering costs a function's length, so that helpers cannot call back for ever. */
static bool pay(const struct skep_image *image, uint32_t func, struct skep_run *run)
{
	uint32_t price = image->funcs[func].end - image->funcs[func].start;
	if (!run->budget) {
		run->stop = SKEP_STOP_BUDGET;
		return false;
	}
	run->budget = run->budget > price ? run->budget - price : 0;
	return true;
}

static uint64_t call(const struct skep_program *program, uint32_t func, const uint64_t args[5],
		     struct skep_run *run)
{
	const struct skep_code *code = program->code;
	if (code->budget && !pay(program->image, func, run))
		return 0;
	return code->entry[func](args[0], args[1], args[2], args[3], args[4], run);
}

static uint64_t enter(const struct skep_program *program, void *ctx, struct skep_run *run)
{
	const struct skep_code *code = program->code;
	if (code->budget && !pay(program->image, 0, run))
		return 0;
	return code->main((uintptr_t)ctx, 0, 0, 0, 0, run);
}

const void *skep_jit_code(const struct skep_code *code, size_t *ret_bytes)
{
	*ret_bytes = code->code_bytes;
	return code->code;
}

size_t skep_jit_offset(const struct skep_code *code, uint32_t slot)
{
	return slot <= code->n_insns ? code->at[slot] : code->code_bytes;
}

const struct skep_exec skep_exec_jit = {
	.name = "jit",
	.compile = compile,
	.call = call,
	.free = code_free,
	.enter = enter,
};
