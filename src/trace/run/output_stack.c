/*
 * Addresses as symbols, alone and in stacks.
 *
 * Modes as in bpftrace: by its own form "name+off" indented by eight, in
 * perf's "\taddr name+off (module)", or bare addresses; folded, as flame graphs
 * are made of. Stacks are kept as addresses, so build_id, too, is shown as
 * addresses. With config = { show_debug_info = true }, names have places in the
 * source, and functions that are inlined have lines of their own.
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
	bool is_return; /* an address that a call returns to: behind the line of the call */
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

/* Where it is in the source, if the script asks for that: the function last, before it what is
 * inlined there. */
static uint32_t get_sources(const struct frame *frame, const struct skep_source_frame **ret)
{
	if (!frame->is_user || !frame->out->usyms)
		return 0;
	return skep_usyms_lines(frame->out->usyms, frame->pid, frame->addr - frame->is_return, ret);
}

static void add_beginning(const struct frame *frame, enum skep_stack_mode mode,
			  enum skep_style style, struct skep_buf *buf)
{
	if (mode == SKEP_STACK_PERF) {
		skep_buf_addc(buf, '\t');
		skep_sink_hex(buf, frame->addr);
		skep_buf_addc(buf, ' ');
	} else if (style == SKEP_STYLE_TEXT) {
		skep_buf_puts(buf, INDENT);
	}
}

static void add_place(const struct skep_source_frame *source, struct skep_buf *buf)
{
	if (!source->file)
		return;
	skep_buf_addc(buf, '@');
	skep_buf_puts(buf, source->file);
	if (source->line) {
		skep_buf_addc(buf, ':');
		skep_sink_u64(buf, source->line);
	}
}

static const char *name_of(const struct skep_source_frame *source)
{
	return source->name ? source->name : "[unknown]";
}

/* "name+off@file:line", before it "name@file:line [inlined]". */
static void add_named_frame(const struct frame *frame, enum skep_stack_mode mode,
			    enum skep_style style, struct skep_buf *buf)
{
	const struct skep_source_frame *sources;
	uint32_t n = get_sources(frame, &sources);

	for (uint32_t i = 0; i + 1 < n; i++) {
		add_beginning(frame, mode, style, buf);
		skep_buf_puts(buf, name_of(&sources[i]));
		add_place(&sources[i], buf);
		skep_buf_puts(buf, " [inlined]\n");
	}
	add_beginning(frame, mode, style, buf);
	add_symbol(frame, true, mode == SKEP_STACK_PERF, buf);
	if (n)
		add_place(&sources[n - 1], buf);
}

static void add_frame(const struct frame *frame, enum skep_stack_mode mode, enum skep_style style,
		      struct skep_buf *buf)
{
	if (mode == SKEP_STACK_RAW || mode == SKEP_STACK_BUILD_ID)
		skep_sink_hex(buf, frame->addr);
	else
		add_named_frame(frame, mode, style, buf);
	skep_buf_addc(buf, '\n');
}

static void add_folded_name(const char *name, const char *mark, struct skep_buf *buf)
{
	skep_buf_addc(buf, ';');
	for (size_t i = 0; name[i]; i++)
		skep_buf_addc(buf, name[i] == ';' || name[i] == '\n' ? ':' : name[i]);
	skep_buf_puts(buf, mark);
}

static void add_folded_function(const struct frame *frame, bool is_marked, struct skep_buf *buf)
{
	const char *mark = is_marked && !frame->is_user ? "_[k]" : "";
	_cleanup_buf_ struct skep_buf unnamed = {0};
	struct skep_symbol sym;

	if (look_up(frame, &sym)) {
		add_folded_name(sym.name, mark, buf);
		return;
	}
	skep_buf_printf(&unnamed, "[%s]", sym.module ? sym.module : "unknown");
	add_folded_name(unnamed.data, mark, buf);
}

/* ";name": frames of one function are alike, wherever in it they are. */
static void add_folded(const struct frame *frame, bool is_marked, bool outermost_first,
		       struct skep_buf *buf)
{
	const struct skep_source_frame *sources;
	uint32_t n = get_sources(frame, &sources), n_inlined = n ? n - 1 : 0;

	if (outermost_first)
		add_folded_function(frame, is_marked, buf);
	for (uint32_t i = 0; i < n_inlined; i++) {
		uint32_t at = outermost_first ? n_inlined - 1 - i : i;
		add_folded_name(name_of(&sources[at]), is_marked ? "_[i]" : "", buf);
	}
	if (!outermost_first)
		add_folded_function(frame, is_marked, buf);
}

/* The addresses, innermost first, in the output's own room. */
static uint32_t get_frames(struct skep_output *out, const struct skep_view *view,
			   struct skep_stack_key *ret)
{
	uint64_t *frames = skep_output_state(out)->frames;
	uint32_t max =
		view->type->n && view->type->n < SKEP_MAX_FRAMES ? view->type->n : SKEP_MAX_FRAMES;
	bool is_user = view->type->kind == SKEP_T_USTACK;
	int n = 0;

	if (view->len < sizeof(*ret))
		return 0;
	memcpy(ret, view->at, sizeof(*ret));
	if (ret->stack_id != UINT32_MAX && out->stack)
		n = out->stack(out->ctx, is_user, ret->stack_id, frames, max);
	return n < 0 ? 0 : n < (int)max ? (uint32_t)n : max;
}

/* Why a user stack is not whole; NULL: it is, or has as many frames as were asked for. */
static const char *why_cut(const struct skep_output *out, const struct skep_view *view,
			   const struct skep_stack_key *key, uint32_t n)
{
	enum skep_unwind_end end = SKEP_UNWIND_ROOT;

	if (n && view->type->kind == SKEP_T_USTACK && out->stack_end)
		end = out->stack_end(out->ctx, key->stack_id);
	if (end == SKEP_UNWIND_ROOT || end == SKEP_UNWIND_GUESSED ||
	    (end == SKEP_UNWIND_FULL && n == view->type->n))
		return NULL;
	return skep_unwind_end_words(end);
}

static void add_cut(const char *why, bool is_folded, enum skep_style style, struct skep_buf *buf)
{
	if (is_folded)
		skep_buf_printf(buf, ";[broken: %s]", why);
	else
		skep_buf_printf(buf, "%s[broken: %s]\n", style == SKEP_STYLE_TEXT ? INDENT : "",
				why);
}

void skep_text_stack(struct skep_printer *p, const struct skep_view *view)
{
	struct skep_output *out = p->out;
	enum skep_stack_mode mode = view->type->stack_mode;
	bool is_folded = mode >= SKEP_STACK_FOLDED;
	int folds = is_folded ? mode - SKEP_STACK_FOLDED : 0;
	bool is_marked = folds & 1, outermost_first = is_folded && !(folds & 2);
	struct skep_stack_key key = {0};
	uint32_t n = get_frames(out, view, &key);
	const char *why = why_cut(out, view, &key, n);

	if (!is_folded)
		skep_buf_addc(p->buf, '\n');
	if (why && outermost_first)
		add_cut(why, true, p->style, p->buf);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = outermost_first ? n - 1 - i : i;
		struct frame frame = {
			.out = out,
			.addr = skep_output_state(out)->frames[at],
			.pid = (pid_t)key.pid,
			.is_user = view->type->kind == SKEP_T_USTACK,
			.is_return = at > 0,
		};
		if (is_folded)
			add_folded(&frame, is_marked, outermost_first, p->buf);
		else
			add_frame(&frame, mode, p->style, p->buf);
	}
	if (why && !outermost_first)
		add_cut(why, is_folded, p->style, p->buf);
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
