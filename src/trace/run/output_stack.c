/*
 * Addresses as symbols, alone and in stacks.
 *
 * Modes as in bpftrace: by its own form "name+off" indented by eight, in
 * perf's "\taddr name+off (module)", or bare addresses. Stacks are kept as
 * addresses, so build_id, too, is shown as addresses.
 */
#include <errno.h>
#include <string.h>

#include <skep/symbol.h>

#include "sink/number.h"
#include "trace/run/output_impl.h"

#define INDENT "        "

/* As C++ prints a pointer: nothing before a zero. */
static void add_address(struct skep_buf *buf, uint64_t addr)
{
	if (addr)
		skep_buf_add(buf, "0x", 2);
	skep_sink_hex(buf, addr);
}

struct frame {
	struct skep_output *out;
	uint64_t addr;
	pid_t pid; /* 0: the kernel's */
	bool is_user;
};

static bool look_up(const struct frame *frame, struct skep_symbol *ret)
{
	struct skep_output *out = frame->out;

	*ret = (struct skep_symbol){0};
	if (frame->is_user)
		return out->usyms && !skep_usyms_lookup(out->usyms, frame->pid, frame->addr, ret) &&
		       ret->name;
	return out->ksyms && !skep_ksyms_lookup(out->ksyms, frame->addr, ret) && ret->name;
}

static void add_symbol(const struct frame *frame, bool with_offset, bool with_module,
		       struct skep_buf *buf)
{
	struct skep_symbol sym;

	if (look_up(frame, &sym)) {
		skep_buf_puts(buf, sym.name);
		if (with_offset) {
			skep_buf_addc(buf, '+');
			skep_sink_u64(buf, sym.offset);
		}
	} else {
		add_address(buf, frame->addr);
		if (sym.file_missing && !with_module)
			skep_buf_printf(buf, " (%s)", sym.module);
		sym.module = NULL;
	}
	if (!with_module || !frame->is_user)
		return;
	skep_buf_puts(buf, " (");
	skep_buf_puts(buf, sym.module ? sym.module : "[unknown]");
	skep_buf_addc(buf, ')');
}

static void add_frame(const struct frame *frame, enum skep_stack_mode mode, enum skep_style style,
		      struct skep_buf *buf)
{
	if (mode == SKEP_STACK_RAW || mode == SKEP_STACK_BUILD_ID) {
		skep_sink_hex(buf, frame->addr);
	} else if (mode == SKEP_STACK_PERF) {
		skep_buf_addc(buf, '\t');
		skep_sink_hex(buf, frame->addr);
		skep_buf_puts(buf, " ");
		add_symbol(frame, true, true, buf);
	} else {
		if (style == SKEP_STYLE_TEXT)
			skep_buf_puts(buf, INDENT);
		add_symbol(frame, true, false, buf);
	}
	skep_buf_addc(buf, '\n');
}

void skep_text_stack(struct skep_printer *p, const struct skep_view *view)
{
	struct skep_output *out = p->out;
	struct skep_stack_key key;
	bool is_user = view->type->kind == SKEP_T_USTACK;
	uint64_t *frames = skep_output_state(out)->frames;
	uint32_t max =
		view->type->n && view->type->n < SKEP_MAX_FRAMES ? view->type->n : SKEP_MAX_FRAMES;
	int n = 0;

	skep_buf_addc(p->buf, '\n');
	if (view->len < sizeof(key))
		return;
	memcpy(&key, view->at, sizeof(key));
	if (key.stack_id != UINT32_MAX && out->stack)
		n = out->stack(out->ctx, is_user, key.stack_id, frames, max);
	for (int i = 0; i < n && i < (int)max; i++) {
		struct frame frame = {
			.out = out, .addr = frames[i], .pid = (pid_t)key.pid, .is_user = is_user};
		add_frame(&frame, view->type->stack_mode, p->style, p->buf);
	}
}

void skep_text_ksym(struct skep_printer *p, const struct skep_view *view)
{
	struct frame frame = {.out = p->out, .addr = skep_view_int(view)};

	add_symbol(&frame, false, false, p->buf);
}

void skep_text_usym(struct skep_printer *p, const struct skep_view *view)
{
	struct frame frame = {.out = p->out, .is_user = true};
	uint32_t pid;

	if (view->len < 12)
		return;
	memcpy(&frame.addr, view->at, sizeof(frame.addr));
	memcpy(&pid, view->at + 8, sizeof(pid));
	frame.pid = (pid_t)pid;
	add_symbol(&frame, false, false, p->buf);
}
