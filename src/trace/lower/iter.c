/*
 * Iterators. The kernel runs the program for each object, and once more when
 * there are none left: then pointers of the context are NULL, and a script is
 * not to see that.
 *
 * What a script prints goes to its ring, which nobody empties while a pass goes
 * on within one read(). So each object also leaves a byte in the kernel's own
 * output of the iterator, and who reads few bytes at a time (run/iter.c) gets
 * the ring emptied in between.
 */
#include <linux/bpf.h>
#include <string.h>

#include <skep/btf.h>

#include "trace/lower/lower.h"

/* Members are pointers within unions that align them to 8 bytes. */
static bool is_pointer(const struct skep_btf *btf, uint32_t id)
{
	struct skep_btf_member first;

	id = skep_btf_strip(btf, id);
	if (skep_btf_kind(btf, id) != SKEP_BTF_UNION)
		return skep_btf_kind(btf, id) == SKEP_BTF_PTR;
	return !skep_btf_member(btf, id, 0, &first) &&
	       skep_btf_kind(btf, skep_btf_strip(btf, first.type)) == SKEP_BTF_PTR;
}

static void leave_if_null(struct skep_lower *l, int32_t off)
{
	uint32_t over = skep_ir_block(l->f), on = skep_ir_block(l->f);
	uint32_t ptr = skep_ir_load(l->f, 8, l->ctx, off);

	skep_ir_branch_cold(l->f, SKEP_IR_EQ, R(ptr), I(0), over);
	skep_ir_jump(l->f, on);
	skep_ir_at(l->f, over);
	skep_ir_exit(l->f, I(0));
	skep_ir_at(l->f, on);
}

/* seq_write(ctx->meta->seq, a byte, 1): both are first members. */
static void leave_a_byte(struct skep_lower *l)
{
	uint32_t mark = skep_ir_slot_mark(l->f), slot = skep_ir_slot(l->f, 8, 8);
	uint32_t meta = skep_ir_load(l->f, 8, l->ctx, 0);
	uint32_t seq = skep_ir_load(l->f, 8, R(meta), 0);

	skep_ir_store(l->f, 8, S(slot, 0), 0, I(0));
	skep_ir_calln(l->f, BPF_FUNC_seq_write, R(seq), S(slot, 0), I(1));
	skep_ir_slot_release(l->f, mark);
}

void skep_lower_iter_object(struct skep_lower *l)
{
	const struct skep_btf *btf = skep_types_btf(l->types);
	struct skep_btf_member member;

	if (l->probe->provider->ctx != SKEP_CTX_ITER)
		return;
	const char *name = skep_arena_printf(l->arena, "bpf_iter__%s", l->probe->spec->parts[1]);
	uint32_t id = skep_btf_find(skep_types_btf(l->types), name, strlen(name),
				    SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	for (uint32_t i = 1; !skep_btf_member(btf, id, i, &member); i++) {
		if (is_pointer(btf, member.type))
			leave_if_null(l, (int32_t)(member.bit_off / 8));
	}
	leave_a_byte(l);
}
