/*
 * Linking: from a program's instructions to an image that engines can run.
 *
 * The steps stand in the kernel's order. After the last of them every slot
 * that can be reached has its row of isa.def in `ops`, every jump lands on a
 * first slot of its own function, every call has its callable: engines rely
 * on that and check none of it again.
 */
#include <skep/image.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/map.h>

#include "base/arena.h"
#include "base/fd.h"
#include "image/link.h"

void skep_link_log(struct skep_linker *linker, const char *fmt, ...)
{
	va_list ap;

	if (!linker->log)
		return;
	va_start(ap, fmt);
	skep_buf_vprintf(linker->log, fmt, ap);
	va_end(ap);
}

static struct skep_image *new_image(const struct skep_insn *insns, uint32_t n, uint32_t type)
{
	struct skep_image *image = skep_xcalloc(1, sizeof(*image));

	image->type = type;
	image->n_insns = n;
	image->tail_call = UINT32_MAX;
	image->insns = skep_xmalloc(n * sizeof(*insns));
	memcpy(image->insns, insns, n * sizeof(*insns));
	image->ops = skep_xcalloc(n, sizeof(*image->ops));
	image->refs = skep_xcalloc(n, sizeof(*image->refs));
	return image;
}

void skep_image_free(struct skep_image *image)
{
	if (!image)
		return;
	for (uint32_t i = 0; i < image->n_maps; i++)
		skep_map_unref(image->maps[i]);
	free(image->maps);
	free(image->calls);
	free(image->callbacks);
	free(image->funcs);
	free(image->refs);
	free(image->ops);
	free(image->insns);
	free(image);
}

static void image_freep(struct skep_image **image)
{
	skep_image_free(*image);
}

/* Slots in the order they stand: codes are known, 64-bit loads have what they name. */
static int link_slots(struct skep_linker *linker)
{
	const struct skep_image *image = linker->image;
	int err = 0;

	for (uint32_t at = 0; !err && at < image->n_insns; at++) {
		bool wide = skep_is_ld64(&image->insns[at]);
		err = skep_link_codes(linker, at);
		if (!err && wide)
			err = skep_link_load(linker, at++);
	}
	return err;
}

/* --- stack ---------------------------------------------------------------------------------- */

/*
 * How deep a function reaches below r10. Where r10 is anything but the base of
 * an access, what is made of it may reach all of the stack.
 */
static uint32_t reach_of(const struct skep_insn *insn)
{
	uint8_t class = insn->code & 7, mode = insn->code & 0xe0;
	bool by_src = class == SKEP_LDX ||
		      (class == SKEP_STX && mode == SKEP_ATOMIC && insn->imm == SKEP_LOAD_ACQ);
	bool by_dst = !by_src && (class == SKEP_ST || class == SKEP_STX);

	if ((insn->src == SKEP_R10 && !by_src) || (insn->dst == SKEP_R10 && !by_dst))
		return SKEP_STACK_BYTES;
	if ((by_src && insn->src == SKEP_R10) || (by_dst && insn->dst == SKEP_R10))
		return insn->off < 0 ? (uint32_t)-insn->off : 0;
	return 0;
}

static void measure_stack(const struct skep_image *image, struct skep_image_func *func)
{
	uint32_t most = 0;

	for (uint32_t at = func->start; at < func->end; at++) {
		uint32_t reach = reach_of(&image->insns[at]);
		most = reach > most ? reach : most;
	}
	most = (most + 7) & ~7u;
	func->stack_bytes = most > SKEP_STACK_BYTES ? SKEP_STACK_BYTES : most;
}

/* --- all of it ------------------------------------------------------------------------------ */

static int link_all(struct skep_linker *linker)
{
	static int (*const steps[])(struct skep_linker *) = {
		skep_link_functions, skep_link_jumps, link_slots,      skep_link_walk,
		skep_link_fields,    skep_link_depth, skep_link_calls,
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(steps) / sizeof(steps[0]); i++)
		err = steps[i](linker);
	return err;
}

int skep_image_link(const struct skep_insn *insns, uint32_t n, uint32_t type,
		    const struct skep_link_env *env, struct skep_buf *log, struct skep_image **ret)
{
	if (!n || n > MOST_INSNS)
		return -E2BIG;

	__attribute__((cleanup(image_freep))) struct skep_image *image = new_image(insns, n, type);
	struct skep_linker linker = {.image = image, .env = env, .log = log};
	int err = link_all(&linker);

	free(linker.order);
	if (err)
		return err;
	for (uint32_t i = 0; i < image->n_funcs; i++)
		measure_stack(image, &image->funcs[i]);
	*ret = TAKE_PTR(image);
	return 0;
}
