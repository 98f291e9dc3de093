/*
 * The shape of a program: which functions it has, that jumps stay within
 * theirs, that everything is reached, and that calls do not go too deep.
 * All of it before any path is followed; the words are the kernel's.
 */
#include "image/link.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/fd.h"

uint32_t skep_image_func_at(const struct skep_image *image, uint32_t at)
{
	uint32_t low = 0, high = image->n_funcs;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (image->funcs[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* --- functions ------------------------------------------------------------------------------ */

static int note_start(struct skep_linker *linker, uint8_t *starts, uint32_t *n, int64_t at)
{
	if (at < 0 || at >= linker->image->n_insns) {
		skep_link_log(linker, "call to invalid destination\n");
		return -EINVAL;
	}
	if (starts[at])
		return 0;
	if (*n >= MOST_FUNCS) {
		skep_link_log(linker, "too many subprograms\n");
		return -E2BIG;
	}
	starts[at] = 1;
	++*n;
	return 0;
}

static void list_functions(struct skep_image *image, const uint8_t *starts, uint32_t n)
{
	image->funcs = skep_xcalloc(n, sizeof(*image->funcs));
	for (uint32_t at = 0; at < image->n_insns; at++) {
		if (!starts[at])
			continue;
		if (image->n_funcs)
			image->funcs[image->n_funcs - 1].end = at;
		image->funcs[image->n_funcs++].start = at;
	}
	image->funcs[n - 1].end = image->n_insns;
}

int skep_link_functions(struct skep_linker *linker)
{
	struct skep_image *image = linker->image;
	_cleanup_free_ uint8_t *starts = skep_xcalloc(image->n_insns, 1);
	uint32_t n = 0, exception = linker->env->exception_callback;
	int err = note_start(linker, starts, &n, 0);

	for (uint32_t at = 0; !err && at < image->n_insns; at++) {
		const struct skep_insn *insn = &image->insns[at];
		if (skep_is_local_call(insn) || skep_is_ld64_func(insn))
			err = note_start(linker, starts, &n, (int64_t)at + insn->imm + 1);
		else if (skep_is_kfunc_call(insn))
			err = skep_link_kfunc(linker, at);
	}
	if (!err && exception)
		err = note_start(linker, starts, &n, exception);
	if (err)
		return err;
	list_functions(image, starts, n);
	if (exception)
		image->funcs[skep_image_func_at(image, exception)].is_exception = true;
	return 0;
}

/* --- jumps ---------------------------------------------------------------------------------- */

static bool is_jump(const struct skep_insn *insn)
{
	uint8_t class = insn->code & 7, op = insn->code & 0xf0;

	return (class == SKEP_JMP || class == SKEP_JMP32) && op != SKEP_CALL && op != SKEP_EXIT;
}

static bool may_be_last(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_EXIT) || insn->code == (SKEP_JMP | SKEP_JA) ||
	       insn->code == (SKEP_JMP32 | SKEP_JA);
}

static int check_jumps(struct skep_linker *linker, const struct skep_image_func *func)
{
	const struct skep_insn *insns = linker->image->insns;

	for (uint32_t at = func->start; at < func->end; at++) {
		int64_t to = skep_jump_target(&insns[at], at);
		if (is_jump(&insns[at]) && (to < func->start || to >= func->end)) {
			skep_link_log(linker, "jump out of range from insn %u to %d\n", at,
				      (int)to);
			return -EINVAL;
		}
	}
	if (!may_be_last(&insns[func->end - 1])) {
		skep_link_log(linker, "last insn is not an exit or jmp\n");
		return -EINVAL;
	}
	return 0;
}

int skep_link_jumps(struct skep_linker *linker)
{
	const struct skep_link_env *env = linker->env;
	struct skep_image *image = linker->image;
	int err = 0;

	for (uint32_t i = 0; !err && i < image->n_funcs; i++)
		err = check_jumps(linker, &image->funcs[i]);
	return err || !env->layout ? err : env->layout(env->ctx, image);
}

/* --- what is reached ------------------------------------------------------------------------ */

/* Depth first, straight on before aside, as the verifier follows paths. */
struct walk {
	struct skep_linker *linker;
	uint8_t *seen;
	uint32_t *later, n_later; /* each slot puts off at most one */
};

static void put_off(struct walk *walk, uint32_t at)
{
	if (!walk->seen[at])
		walk->later[walk->n_later++] = at;
}

/* Where to go from @at; UINT32_MAX: nowhere. What is aside is put off. */
static uint32_t follow(struct walk *walk, uint32_t at)
{
	const struct skep_image *image = walk->linker->image;
	const struct skep_insn *insn = &image->insns[at];
	uint32_t next = at + (skep_is_ld64(insn) ? 2 : 1);

	if (is_jump(insn)) {
		uint32_t to = (uint32_t)skep_jump_target(insn, at);
		if ((insn->code & 0xf0) == SKEP_JA)
			return to;
		put_off(walk, to);
	} else if ((insn->code & 0xf7) == (SKEP_JMP32 | SKEP_EXIT) ||
		   (insn->code & 0xf7) == (SKEP_JMP | SKEP_EXIT)) {
		return UINT32_MAX;
	} else if (skep_is_local_call(insn)) {
		put_off(walk, next);
		return at + 1 + (uint32_t)insn->imm;
	} else if (image->refs[at].kind == SKEP_REF_FUNC) {
		put_off(walk, image->funcs[image->callbacks[image->refs[at].index].func].start);
	}
	return next;
}

static void walk_from(struct walk *walk, uint32_t start)
{
	put_off(walk, start);
	while (walk->n_later) {
		uint32_t at = walk->later[--walk->n_later];
		while (at < walk->linker->image->n_insns && !walk->seen[at]) {
			walk->seen[at] = 1;
			walk->linker->order[walk->linker->n_order++] = at;
			at = follow(walk, at);
		}
	}
}

static int check_reached(struct skep_linker *linker, const uint8_t *seen)
{
	const struct skep_image *image = linker->image;

	for (uint32_t at = 0; at < image->n_insns; at++) {
		if (!seen[at]) {
			skep_link_log(linker, "unreachable insn %u\n", at);
			return -EINVAL;
		}
		if (!skep_is_ld64(&image->insns[at]))
			continue;
		if (seen[at + 1]) {
			skep_link_log(linker, "jump into the middle of ldimm64 insn %u\n", at);
			return -EINVAL;
		}
		at++;
	}
	return 0;
}

int skep_link_walk(struct skep_linker *linker)
{
	const struct skep_image *image = linker->image;
	_cleanup_free_ uint8_t *seen = skep_xcalloc(image->n_insns, 1);
	_cleanup_free_ uint32_t *later = skep_xcalloc(image->n_insns + 2, sizeof(*later));
	struct walk walk = {linker, seen, later, 0};

	linker->order = skep_xcalloc(image->n_insns, sizeof(*linker->order));
	walk_from(&walk, 0);
	if (linker->env->exception_callback)
		walk_from(&walk, linker->env->exception_callback);
	return check_reached(linker, seen);
}

/* --- depth ---------------------------------------------------------------------------------- */

/* Frames that function @func takes with all it calls; over the limit: -E2BIG. */
static int frames_of(const struct skep_image *image, uint32_t func, uint8_t *known, int above)
{
	const struct skep_image_func *f = &image->funcs[func];
	int most = 0;

	if (above >= SKEP_MOST_FRAMES)
		return -E2BIG;
	if (known[func])
		return above + known[func] > SKEP_MOST_FRAMES ? -E2BIG : known[func];
	for (uint32_t at = f->start; at < f->end; at++) {
		if (!skep_is_local_call(&image->insns[at]))
			continue;
		uint32_t callee =
			skep_image_func_at(image, at + 1 + (uint32_t)image->insns[at].imm);
		int frames = frames_of(image, callee, known, above + 1);
		if (frames < 0)
			return frames;
		most = frames > most ? frames : most;
	}
	known[func] = (uint8_t)(most + 1);
	return most + 1;
}

int skep_link_depth(struct skep_linker *linker)
{
	const struct skep_image *image = linker->image;
	uint8_t known[MOST_FUNCS] = {0};

	if (linker->env->verified)
		return 0;
	for (uint32_t i = 0; i < image->n_funcs; i++) {
		if (frames_of(image, i, known, 0) < 0) {
			skep_link_log(linker, "the call stack of %d frames is too deep !\n",
				      SKEP_MOST_FRAMES);
			return -E2BIG;
		}
	}
	return 0;
}
