/*
 * Events: records in the ring buffer, laid out as in program.h.
 *
 * When every argument has a fixed size, the record is reserved in the ring and
 * the arguments are evaluated straight into it. When one varies (a long string,
 * a buffer), the record is put together in a slot, its bytes one behind the
 * other, and only what was used is sent.
 *
 * Kernels before 5.8 have no ring buffer. There every record is put together in
 * a slot, and copied to the CPU's perf buffer.
 *
 * The control ring is the second chance of events that must not be lost (exit,
 * clear, zero, print of a map) when the first ring is full.
 */
#include <linux/bpf.h>

#include "trace/lower/lower.h"

#define HDR_BYTES     sizeof(struct skep_event_hdr)
#define VARYING_BYTES 8 /* u32 offset, u32 length */

struct layout {
	struct skep_event_arg *args;
	uint32_t n_args;
	uint32_t fixed_bytes, most_bytes; /* without and with the varying parts */
	uint32_t id;                      /* of the event */
};

static bool is_varying(const struct skep_type *type)
{
	return (type->kind == SKEP_T_STRING || type->kind == SKEP_T_BUFFER) &&
	       type->size > SKEP_INLINE_MAX;
}

static void place_arg(struct layout *layout, struct skep_event_arg *arg,
		      const struct skep_type *type)
{
	bool varying = is_varying(type);
	uint32_t align = varying ? 4 : type->align ? type->align : 1;
	uint32_t size = varying ? VARYING_BYTES : type->size;

	layout->fixed_bytes = (layout->fixed_bytes + align - 1) / align * align;
	*arg = (struct skep_event_arg){.type = type,
				       .off = layout->fixed_bytes,
				       .is_varying = varying,
				       .is_signed = type->is_signed};
	layout->fixed_bytes += size;
	layout->most_bytes += varying ? type->size : 0;
}

static struct layout lay_out(struct skep_lower *l, const struct skep_expr *args, uint32_t n_args)
{
	struct layout layout = {.fixed_bytes = HDR_BYTES, .n_args = n_args};

	layout.args = skep_arena_array(l->arena, struct skep_event_arg, n_args);
	for (uint32_t i = 0; i < n_args; i++, args = args->next)
		place_arg(&layout, &layout.args[i], args->type);
	layout.fixed_bytes = (layout.fixed_bytes + 7) & ~7u;
	layout.most_bytes += layout.fixed_bytes;
	return layout;
}

static void header(struct skep_lower *l, const struct layout *layout, struct skep_opnd at)
{
	skep_ir_store(l->f, 8, at, 0, I(layout->id | (uint64_t)layout->fixed_bytes << 32));
}

/* --- Fixed ------------------------------------------------------------------------------- */

static bool is_control(enum skep_event_kind kind)
{
	return kind == SKEP_EV_EXIT || kind == SKEP_EV_CLEAR || kind == SKEP_EV_ZERO ||
	       kind == SKEP_EV_PRINT_MAP || kind == SKEP_EV_TABLE || kind == SKEP_EV_REFRESH;
}

/* Room in the ring, or control goes to @full. */
static uint32_t reserve(struct skep_lower *l, uint32_t bytes, bool control, uint32_t full)
{
	struct skep_ir_func *f = l->f;
	uint32_t record = skep_ir_var(f), got = skep_ir_block(f);
	uint32_t ring = skep_lower_ring(l);

	skep_ir_set(f, record,
		    R(skep_ir_calln(f, BPF_FUNC_ringbuf_reserve, R(skep_ir_map(f, ring)), I(bytes),
				    I(0))));
	if (control) {
		uint32_t again = skep_ir_block(f);
		uint32_t spare = skep_lower_control_ring(l);
		skep_ir_branch(f, SKEP_IR_NE, R(record), I(0), got, again);
		skep_ir_at(f, again);
		skep_ir_set(f, record,
			    R(skep_ir_calln(f, BPF_FUNC_ringbuf_reserve, R(skep_ir_map(f, spare)),
					    I(bytes), I(0))));
	}
	skep_ir_branch(f, SKEP_IR_NE, R(record), I(0), got, full);
	skep_ir_at(f, got);
	return record;
}

static void send_fixed(struct skep_lower *l, const struct layout *layout,
		       const struct skep_expr *args, bool control)
{
	struct skep_ir_func *f = l->f;
	uint32_t full = skep_ir_block(f), done = skep_ir_block(f);
	struct skep_opnd record = R(reserve(l, layout->fixed_bytes, control, full));

	header(l, layout, record);
	for (uint32_t i = 0; i < layout->n_args; i++, args = args->next)
		skep_lower_into(l, args, record, (int32_t)layout->args[i].off,
				layout->args[i].type);
	skep_ir_calln(f, BPF_FUNC_ringbuf_submit, record, I(control ? BPF_RB_FORCE_WAKEUP : 0));
	skep_ir_jump(f, done);
	skep_ir_at(f, full);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_EVENT));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

/* --- Varying, and without a ring buffer all -------------------------------------------------- */

/*
 * Whichever way a length came about, the verifier knows the same of the sum
 * afterwards, so that the paths meet again; else they would double with each
 * string.
 */
void skep_lower_advance(struct skep_lower *l, uint32_t end, struct skep_opnd len, uint32_t most)
{
	struct skep_ir_func *f = l->f;
	uint32_t over = skep_ir_block(f), on = skep_ir_block(f);

	skep_ir_set(f, end, skep_lower_blur(l, R(skep_ir_alu(f, SKEP_IR_ADD, R(end), len))));
	skep_ir_branch_cold(f, SKEP_IR_UGT, R(end), I(most), over);
	skep_ir_jump(f, on);
	skep_ir_at(f, over);
	skep_ir_set(f, end, I(most));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

/*
 * Put a string or buffer at the end of the record in @slot, whose length so far
 * is in @end and at most @most before it. Strings lose their NUL's successor
 * bytes, buffers their unused room. Returns the most that @end then can be.
 */
static uint32_t append(struct skep_lower *l, const struct skep_event_arg *arg,
		       const struct skep_expr *expr, uint32_t slot, uint32_t end, uint32_t most)
{
	struct skep_ir_func *f = l->f;
	uint32_t at = skep_ir_alu(f, SKEP_IR_ADD, R(skep_ir_addr(f, S(slot, 0), 0)), R(end));
	uint32_t mark = skep_ir_slot_mark(f);
	struct skep_opnd len;

	if (arg->type->kind == SKEP_T_STRING) {
		struct skep_value text = skep_lower_string_source(l, expr);
		len = skep_lower_read_str(l, R(at), 0, arg->type->size, &text);
	} else {
		len = skep_lower_buffer_bytes(l, expr, R(at), arg->type->size - 4);
	}
	skep_ir_store(f, 4, S(slot, 0), (int32_t)arg->off, R(end));
	skep_ir_store(f, 4, S(slot, 0), (int32_t)arg->off + 4, len);
	most += arg->type->size;
	skep_lower_advance(l, end, len, most);
	skep_ir_slot_release(f, mark);
	return most;
}

/* 0, or what the kernel said. Only what runs on a CPU knows that CPU's perf buffer. */
static struct skep_opnd copy_to(struct skep_lower *l, uint32_t ring, uint32_t slot,
				struct skep_opnd bytes)
{
	struct skep_opnd map = R(skep_ir_map(l->f, ring));

	if (skep_lower_has_ringbuf(l))
		return R(
			skep_ir_calln(l->f, BPF_FUNC_ringbuf_output, map, S(slot, 0), bytes, I(0)));
	return R(skep_ir_calln(l->f, BPF_FUNC_perf_event_output, l->ctx, map, I(BPF_F_CURRENT_CPU),
			       S(slot, 0), bytes));
}

void skep_lower_output(struct skep_lower *l, uint32_t slot, struct skep_opnd bytes, bool control)
{
	struct skep_ir_func *f = l->f;
	uint32_t full = skep_ir_block(f), done = skep_ir_block(f);
	struct skep_opnd err = copy_to(l, skep_lower_ring(l), slot, bytes);

	if (control) {
		uint32_t again = skep_ir_block(f);
		skep_ir_branch_cold(f, SKEP_IR_NE, err, I(0), again);
		skep_ir_jump(f, done);
		skep_ir_at(f, again);
		err = copy_to(l, skep_lower_control_ring(l), slot, bytes);
	}
	skep_ir_branch_cold(f, SKEP_IR_NE, err, I(0), full);
	skep_ir_jump(f, done);
	skep_ir_at(f, full);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_EVENT));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

static void send_built(struct skep_lower *l, const struct layout *layout,
		       const struct skep_expr *args, bool control)
{
	struct skep_ir_func *f = l->f;
	uint32_t slot = skep_ir_slot(f, layout->most_bytes, 8), end = skep_ir_var(f);
	uint32_t most = layout->fixed_bytes;

	skep_ir_set(f, end, I(layout->fixed_bytes));
	skep_lower_zero(l, S(slot, 0), 0, layout->fixed_bytes);
	header(l, layout, S(slot, 0));
	for (uint32_t i = 0; i < layout->n_args; i++, args = args->next) {
		const struct skep_event_arg *arg = &layout->args[i];
		if (arg->is_varying)
			most = append(l, arg, args, slot, end, most);
		else
			skep_lower_into(l, args, S(slot, 0), (int32_t)arg->off, arg->type);
	}
	skep_lower_output(l, slot, R(end), control);
}

void skep_lower_event(struct skep_lower *l, enum skep_event_kind kind, const char *text,
		      uint32_t map, const struct skep_expr *args, uint32_t n_args)
{
	struct layout layout = lay_out(l, args, n_args);

	if (!is_control(kind) && kind != SKEP_EV_TIME)
		skep_lower_ring_for_data(l);
	layout.id = (uint32_t)l->events.len;
	skep_vec_push(&l->events, ((struct skep_event){.kind = kind,
						       .text = text,
						       .map = map,
						       .span = l->span,
						       .args = layout.args,
						       .n_args = n_args}));
	if (layout.most_bytes > layout.fixed_bytes || !skep_lower_has_ringbuf(l))
		send_built(l, &layout, args, is_control(kind));
	else
		send_fixed(l, &layout, args, is_control(kind));
}

uint32_t skep_lower_string_id(struct skep_lower *l, const char *text)
{
	skep_vec_push(&l->strings, text);
	return (uint32_t)l->strings.len - 1;
}
