/*
 * Folded stacks: one line a stack, from the outermost frame inwards.
 *
 *	proc;main;work_[k] 12
 *
 * Marks tell what a frame is: _[k] of the kernel, _[i] inlined, _[j] made at run time.
 * Two numbers are what was before and what is now. Lines are sorted by their bytes. A line that
 * begins with "# " is a comment.
 *
 * Source: what FlameGraph's scripts print and its flamegraph.pl reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/format_impl.h"
#include "profile/text.h"
#include "sink/number.h"

static const char *const marks[SKEP_FRAME_KIND_CNT] = {
	[SKEP_FRAME_KERNEL] = "_[k]",
	[SKEP_FRAME_INLINE] = "_[i]",
	[SKEP_FRAME_JIT] = "_[j]",
};

/* --- Writing -------------------------------------------------------------------------------- */

struct folding {
	const struct skep_profile_job *job;
	struct skep_profile shown;
	SKEP_VEC(uint32_t) stack; /* frames, from the innermost outwards */
	struct skep_buf text;     /* all stacks, a NUL behind each */
	SKEP_VEC(struct line {
		size_t off;
		const char *stack; /* set before they are sorted */
		const int64_t *values;
	})
	lines;
};

/* Blanks in a process's name would be taken for the end of the stack by some. */
static void add_frame(struct folding *f, const struct skep_profile_frame *frame)
{
	size_t from = f->text.len;

	skep_profile_add_name(&f->text, f->shown.strings[frame->name], ';');
	for (; frame->kind == SKEP_FRAME_PROCESS && from < f->text.len; from++) {
		if (f->text.data[from] == ' ')
			f->text.data[from] = '_';
	}
	if (f->job->options->marks & 1u << frame->kind && marks[frame->kind])
		skep_buf_puts(&f->text, marks[frame->kind]);
}

/* What readers would take for something else: a number behind the innermost frame's name is not
 * a value, and a stack that begins like a comment is none. */
static void guard_stack(char *stack, char *end)
{
	char *at;

	while (end > stack && end[-1] == ' ')
		end--;
	at = end;
	while (at > stack && (skep_char_is_digit(at[-1]) || at[-1] == '.'))
		at--;
	if (at < end && at > stack && at[-1] == '-')
		at--;
	if (at < end && at > stack && at[-1] == ' ')
		at[-1] = '_';
	if (!strncmp(stack, "# ", 2))
		stack[1] = '_';
}

static void add_stack(struct folding *f, uint32_t node)
{
	const struct skep_profile *p = &f->shown;
	size_t from = f->text.len;

	f->stack.len = 0;
	for (; node; node = p->nodes[node].parent)
		skep_vec_push(&f->stack, p->nodes[node].frame);
	for (size_t i = f->stack.len; i-- > 0;) {
		const struct skep_profile_frame *frame = &p->frames[f->stack.data[i]];
		add_frame(f, frame);
		if (i)
			skep_buf_addc(&f->text, ';');
	}
	if (!f->stack.len)
		skep_buf_puts(&f->text, "[unknown]");
	guard_stack(f->text.data + from, f->text.data + f->text.len);
	skep_buf_addc(&f->text, '\0');
}

static bool is_shown(const struct folding *f, const int64_t *values)
{
	return f->shown.is_diff ? values[0] || values[1] : values[f->job->type];
}

static int by_stack(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->stack, ((const struct line *)b)->stack);
}

static void sort_lines(struct folding *f)
{
	skep_vec_foreach (struct line, line, &f->lines)
		line->stack = f->text.data + line->off;
	if (f->lines.len)
		qsort(f->lines.data, f->lines.len, sizeof(*f->lines.data), by_stack);
}

/* Where the lines of lines[from]'s stack end: frames may differ by what is not shown here. */
static size_t end_of_stack(const struct folding *f, size_t from)
{
	size_t end = from + 1;

	while (end < f->lines.len && !by_stack(&f->lines.data[from], &f->lines.data[end]))
		end++;
	return end;
}

static void write_lines(const struct folding *f, struct skep_buf *buf)
{
	uint32_t first = f->shown.is_diff ? 0 : f->job->type;
	uint32_t last = f->shown.is_diff ? 1 : f->job->type;

	for (size_t i = 0, end; i < f->lines.len; i = end) {
		end = end_of_stack(f, i);
		skep_buf_puts(buf, f->lines.data[i].stack);
		for (uint32_t type = first; type <= last; type++) {
			int64_t sum = 0;
			for (size_t k = i; k < end; k++)
				sum = skep_profile_sum(sum, f->lines.data[k].values[type]);
			skep_buf_addc(buf, ' ');
			skep_sink_s64(buf, sum);
		}
		skep_buf_addc(buf, '\n');
	}
}

int skep_profile_write_folded(const struct skep_profile_job *job, struct skep_buf *buf)
{
	struct folding f = {.job = job};

	skep_profile_shown(job, &f.shown);
	for (uint32_t i = 0; i < f.shown.n_samples; i++) {
		const struct skep_profile_sample *sample = &f.shown.samples[i];
		if (!is_shown(&f, sample->values))
			continue;
		*skep_vec_add(&f.lines) =
			(struct line){.off = f.text.len, .values = sample->values};
		add_stack(&f, sample->node);
	}
	sort_lines(&f);
	write_lines(&f, buf);
	skep_vec_done(&f.stack);
	skep_vec_done(&f.lines);
	skep_buf_done(&f.text);
	skep_profile_done(&f.shown);
	return 0;
}

/* --- Reading -------------------------------------------------------------------------------- */

struct reading {
	struct skep_profile *profile;
	uint64_t n_stacks, n_strange, n_fractions;
};

/* Digits as a number, rounded where there is a fraction. Return 0 | -EINVAL | -ERANGE */
static int parse_value(const char *at, const char *end, int64_t *ret, bool *ret_has_fraction)
{
	bool is_negative = at < end && *at == '-';
	int64_t value = 0;

	at += is_negative;
	if (at == end || !skep_char_is_digit(*at))
		return -EINVAL;
	for (; at < end && skep_char_is_digit(*at); at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *at - '0', &value))
			return -ERANGE;
	}
	*ret_has_fraction = at < end;
	if (at < end && *at++ != '.')
		return -EINVAL;
	if (at < end && *at >= '5' && value < INT64_MAX)
		value++;
	while (at < end && skep_char_is_digit(*at))
		at++;
	*ret = is_negative ? -value : value;
	return at == end ? 0 : -EINVAL;
}

/* Cut a number, and the blanks before it, off the end of @line. */
static int cut_value(struct skep_span_text *line, int64_t *ret, bool *ret_has_fraction)
{
	const char *at = line->end;

	while (at > line->at && !skep_char_is_blank(at[-1]))
		at--;
	if (at == line->at || parse_value(at, line->end, ret, ret_has_fraction))
		return -EINVAL;
	while (at > line->at && skep_char_is_blank(at[-1]))
		at--;
	line->end = at;
	return at == line->at ? -EINVAL : 0;
}

/* A stack may begin like that, too: "#0_main". */
static bool is_comment(struct skep_span_text line)
{
	return line.at == line.end ||
	       (*line.at == '#' && (line.at + 1 == line.end || skep_char_is_blank(line.at[1])));
}

/* What was before and what is now is in the file if every stack has two numbers. */
static bool has_two_values(struct skep_span_text text)
{
	size_t n = 0;

	while (text.at < text.end) {
		struct skep_span_text line = skep_span_cut_line(&text);
		int64_t value;
		bool fraction;
		if (is_comment(line) || cut_value(&line, &value, &fraction))
			continue;
		if (cut_value(&line, &value, &fraction))
			return false;
		n++;
	}
	return n > 0;
}

static uint32_t frame_of(struct skep_profile *profile, struct skep_span_text name)
{
	struct skep_profile_frame frame = {.kind = SKEP_FRAME_USER};

	for (unsigned kind = 0; kind < SKEP_FRAME_KIND_CNT; kind++) {
		if (!marks[kind] || skep_span_len(name) == 4 || !skep_span_ends(name, marks[kind]))
			continue;
		frame.kind = (uint8_t)kind;
		name.end -= 4;
		break;
	}
	frame.name = skep_profile_string(profile, name.at, skep_span_len(name));
	return skep_profile_frame(profile, &frame);
}

static uint32_t read_stack(struct skep_profile *profile, struct skep_span_text stack)
{
	uint32_t node = 0;
	const char *end;

	do {
		end = memchr(stack.at, ';', skep_span_len(stack));
		struct skep_span_text name = {stack.at, end ? end : stack.end};
		stack.at = end ? end + 1 : stack.end;
		node = skep_profile_node(profile, node, frame_of(profile, name));
	} while (end);
	return node;
}

static void read_line(struct reading *r, struct skep_span_text line)
{
	struct skep_profile_sample sample = {0};
	bool fraction = false;
	int err = 0;

	for (uint32_t i = r->profile->n_types; i-- > 0 && !err;) {
		err = cut_value(&line, &sample.values[i], &fraction);
		r->n_fractions += !err && fraction;
	}
	if (err) {
		r->n_strange++;
		return;
	}
	sample.node = read_stack(r->profile, line);
	skep_profile_add(r->profile, &sample);
	r->n_stacks++;
}

/* How many frames, if that could be more than are read at all. */
static size_t depth_of(struct skep_span_text line)
{
	size_t n = 0;

	if (skep_span_len(line) < SKEP_PROFILE_FILE_MOST_NODES)
		return 0;
	for (const char *at = line.at; at < line.end; at++)
		n += *at == ';';
	return n;
}

static void add_types(struct skep_profile *profile, bool is_diff)
{
	profile->is_diff = is_diff;
	skep_profile_add_type(profile, is_diff ? "before" : "samples", "count");
	if (is_diff)
		skep_profile_add_type(profile, "now", "count");
}

int skep_profile_read_folded(const struct skep_profile_bytes *bytes, struct skep_profile *ret,
			     struct skep_diag *diag)
{
	struct skep_span_text text = {bytes->data, bytes->data + bytes->len};
	struct reading r = {.profile = ret};
	int err = 0;

	add_types(ret, has_two_values(text));
	while (!err && text.at < text.end) {
		struct skep_span_text line = skep_span_cut_line(&text);
		err = skep_profile_check_size(ret, depth_of(line), bytes->name, diag);
		if (!err && !is_comment(line))
			read_line(&r, line);
	}
	if (err)
		return err;
	if (!r.n_stacks)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_PROFILE_UNKNOWN, SKEP_NOWHERE,
				      bytes->name);
	if (r.n_strange)
		skep_profile_lose(ret, "lines that are no folded stacks", r.n_strange);
	if (r.n_fractions)
		skep_profile_lose(ret, "values whose fractions were rounded", r.n_fractions);
	return 0;
}
