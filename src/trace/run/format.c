/*
 * Formats of printf(): cut into steps once for each event and kept; running
 * one is a walk over its steps.
 *
 * What the conversions mean is bpftrace's: %d, %u, %x take 32 bits unless a
 * length says otherwise, %s takes anything, %r bytes, %p an address. Widths,
 * flags and precisions are C's.
 *
 * Invariant: an argument that the record does not hold is printed as "?".
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "sink/number.h"
#include "trace/run/output_impl.h"
#include "trace/types/format.h"

#define WIDTH_MOST 65536

struct step {
	const char *text; /* printed before the conversion; borrowed from the format */
	uint32_t text_len;
	char type, style; /* as struct skep_conversion; type '\0': there is none here */
	uint8_t bits;     /* integers: how many are taken */
	bool left, plus, space, alternate, zero;
	bool is_plain; /* no flag, width or precision */
	bool star_width, star_precision;
	int width, precision; /* -1: no precision */
};

struct skep_format {
	const char *text; /* what was cut up; borrowed */
	SKEP_VEC(struct step) steps;
};

void skep_format_free(struct skep_format *format)
{
	if (format)
		skep_vec_done(&format->steps);
	free(format);
}

/* --- Cutting up ------------------------------------------------------------------------------ */

static int take_number(const char **at)
{
	int value = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		value = value < WIDTH_MOST ? value * 10 + (**at - '0') : WIDTH_MOST;
	return value < WIDTH_MOST ? value : WIDTH_MOST;
}

static void take_flags(struct step *step, const char **at)
{
	for (;; (*at)++) {
		switch (**at) {
		case '-': step->left = true; break;
		case '+': step->plus = true; break;
		case ' ': step->space = true; break;
		case '#': step->alternate = true; break;
		case '0': step->zero = true; break;
		default: return;
		}
	}
}

static uint8_t bits_of(const struct skep_conversion *conv)
{
	static const struct {
		char name[3];
		uint8_t bits;
	} lengths[] = {{"hh", 8}, {"h", 16}, {"l", 64}, {"ll", 64},
		       {"j", 64}, {"z", 64}, {"t", 64}};

	if (conv->type == 'p' || conv->type == 'g')
		return 64;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		if (!strcmp(lengths[i].name, conv->length))
			return lengths[i].bits;
	}
	return 32;
}

static struct step cut_step(const char *text, const struct skep_conversion *conv)
{
	struct step step = {.text = text,
			    .text_len = (uint32_t)(conv->start - text),
			    .type = conv->type,
			    .style = conv->style,
			    .bits = bits_of(conv),
			    .star_width = conv->star_width,
			    .star_precision = conv->star_precision,
			    .precision = -1};
	const char *at = conv->start + 1;

	take_flags(&step, &at);
	if (*at == '*')
		at++;
	else
		step.width = take_number(&at);
	if (*at == '.') {
		at++;
		step.precision = take_number(&at);
	}
	step.is_plain = !step.plus && !step.space && !step.alternate && !step.width &&
			step.precision < 0 && !step.star_width && !step.star_precision;
	return step;
}

static struct skep_format *cut_format(const char *format)
{
	struct skep_format *ret = skep_xcalloc(1, sizeof(*ret));
	struct skep_conversion conv;
	const char *at = format, *text = format;

	ret->text = format;
	while (skep_format_next(&at, &conv)) {
		struct step step = cut_step(text, &conv);
		if (!conv.type) { /* no conversion: text as it stands, of which a NUL is no part */
			continue;
		}
		if (conv.type == '%') {
			step.type = '\0';
			step.text_len++; /* "%%": the first of them */
		}
		skep_vec_push(&ret->steps, step);
		text = at;
	}
	struct step rest = {.text = text, .text_len = (uint32_t)strlen(text)};
	if (rest.text_len)
		skep_vec_push(&ret->steps, rest);
	return ret;
}

/* --- Conversions ----------------------------------------------------------------------------- */

static uint64_t narrow(uint64_t value, uint8_t bits, bool is_signed)
{
	unsigned shift = 64 - bits;

	return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value << shift >> shift;
}

static char *digits_of(const struct step *step, char *room, uint64_t value)
{
	if (step->type == 'o')
		return skep_sink_digits_pow2(room, value, 3, false);
	if (step->type == 'x' || step->type == 'X' || step->type == 'p')
		return skep_sink_digits_pow2(room, value, 4, step->type == 'X');
	return skep_sink_digits(room, value);
}

static const char *prefix_of(const struct step *step, bool negative, uint64_t value)
{
	bool is_signed = step->type == 'd' || step->type == 'i';

	if (negative)
		return "-";
	if (is_signed && step->plus)
		return "+";
	if (is_signed && step->space)
		return " ";
	if (value && (step->type == 'p' || (step->alternate && step->type == 'x')))
		return "0x";
	if (value && step->alternate && step->type == 'X')
		return "0X";
	return "";
}

/* Sign or base, zeroes, digits, within the width. */
static void add_padded(const struct step *step, const char *prefix, const char *digits, size_t n,
		       struct skep_buf *buf)
{
	size_t start = buf->len, zeroes = 0, prefix_len = strlen(prefix);

	if (step->precision >= 0)
		zeroes = (size_t)step->precision > n ? (size_t)step->precision - n : 0;
	else if (step->zero && !step->left && (size_t)step->width > n + prefix_len)
		zeroes = (size_t)step->width - n - prefix_len;
	if (step->type == 'o' && step->alternate && !zeroes && (!n || digits[0] != '0'))
		zeroes = 1;
	skep_buf_add(buf, prefix, prefix_len);
	skep_buf_fill(buf, '0', zeroes);
	skep_buf_add(buf, digits, n);
	skep_sink_pad(buf, start, (size_t)step->width, step->left, ' ');
}

static void print_number(const struct step *step, uint64_t value, struct skep_buf *buf)
{
	bool is_signed = step->type == 'd' || step->type == 'i';
	char room[SKEP_DIGITS_MAX];

	value = narrow(value, step->bits, is_signed);
	bool negative = is_signed && (int64_t)value < 0;
	uint64_t magnitude = negative ? -value : value;
	char *digits = digits_of(step, room, magnitude);
	size_t n = (size_t)(room + SKEP_DIGITS_MAX - digits);
	if (step->is_plain && step->type != 'p') {
		if (negative) {
			*--digits = '-';
			n++;
		}
		skep_buf_add(buf, digits, n);
		return;
	}
	if (!value && step->precision == 0)
		n = 0;
	add_padded(step, prefix_of(step, negative, value), digits, n, buf);
}

static void print_text(struct skep_output *out, const struct step *step,
		       const struct skep_view *view, struct skep_buf *buf)
{
	struct skep_printer p = {.out = out, .buf = buf, .style = SKEP_STYLE_TEXT};
	size_t start = buf->len;

	skep_print_value(&p, view);
	if (step->is_plain)
		return;
	if (step->precision >= 0 && buf->len - start > (size_t)step->precision) {
		buf->len = start + (size_t)step->precision;
		buf->data[buf->len] = '\0';
	}
	skep_sink_pad(buf, start, (size_t)step->width, step->left, step->zero ? '0' : ' ');
}

static void print_bytes(struct skep_output *out, const struct step *step,
			const struct skep_view *view, struct skep_buf *buf)
{
	size_t start = buf->len, len;

	if (view->type->kind != SKEP_T_BUFFER) {
		print_text(out, step, view, buf);
		return;
	}
	const char *bytes = skep_view_bytes(view, &len);
	skep_print_bytes(buf, bytes, len, step->style != '\0', step->style == 'h');
	skep_sink_pad(buf, start, (size_t)step->width, step->left, ' ');
}

static void print_char(const struct step *step, uint64_t value, struct skep_buf *buf)
{
	size_t start = buf->len;

	skep_buf_addc(buf, (char)value);
	skep_sink_pad(buf, start, (size_t)step->width, step->left, ' ');
}

static void print_flags(struct skep_output *out, const struct step *step, uint64_t value,
			struct skep_buf *buf)
{
	size_t start = buf->len;

	skep_text_gfp(out, value, buf);
	skep_sink_pad(buf, start, (size_t)step->width, step->left, ' ');
}

static void convert(struct skep_output *out, const struct step *step, const struct skep_view *view,
		    struct skep_buf *buf)
{
	if (!view->at) {
		skep_buf_addc(buf, '?');
		return;
	}
	switch (step->type) {
	case 's': print_text(out, step, view, buf); break;
	case 'r': print_bytes(out, step, view, buf); break;
	case 'c': print_char(step, skep_view_int(view), buf); break;
	case 'g': print_flags(out, step, skep_view_int(view), buf); break;
	default: print_number(step, skep_view_int(view), buf); break;
	}
}

/* --- Running --------------------------------------------------------------------------------- */

/* The record, and which of its arguments comes next. */
struct cursor {
	const struct skep_event *event;
	const void *data;
	size_t size;
	uint32_t next;
};

static bool take(struct cursor *cursor, struct skep_view *ret)
{
	if (cursor->next >= cursor->event->n_args)
		return false;
	*ret = skep_view_arg(&cursor->event->args[cursor->next++], cursor->data, cursor->size);
	return true;
}

static int take_star(struct cursor *cursor)
{
	struct skep_view view;

	if (!take(cursor, &view))
		return 0;
	int64_t value = (int32_t)skep_view_int(&view);
	return value > WIDTH_MOST ? WIDTH_MOST : value < -WIDTH_MOST ? -WIDTH_MOST : (int)value;
}

/* Widths and precisions from arguments: a negative width is to the left, a negative precision
 * none. */
static struct step with_stars(const struct step *step, struct cursor *cursor)
{
	struct step ret = *step;

	if (step->star_width) {
		ret.width = take_star(cursor);
		ret.left |= ret.width < 0;
		ret.width = abs(ret.width);
	}
	if (step->star_precision) {
		ret.precision = take_star(cursor);
		ret.precision = ret.precision < 0 ? -1 : ret.precision;
	}
	return ret;
}

static void run_step(struct skep_output *out, const struct step *step, struct cursor *cursor,
		     struct skep_buf *buf)
{
	struct skep_view view;

	skep_buf_add(buf, step->text, step->text_len);
	if (!step->type)
		return;
	if (step->star_width || step->star_precision) {
		struct step starred = with_stars(step, cursor);
		if (take(cursor, &view))
			convert(out, &starred, &view, buf);
	} else if (take(cursor, &view)) {
		convert(out, step, &view, buf);
	}
}

void skep_format_value(struct skep_output *out, const struct skep_conversion *conv,
		       const struct skep_view *view, struct skep_buf *buf)
{
	struct step step = cut_step(conv->start, conv);

	step.bits = 64;
	convert(out, &step, view, buf);
}

/* The event's own format is kept; any other is cut up for this one time. */
static struct skep_format *known_format(struct skep_output *out, const struct skep_event *event,
					const char *format)
{
	struct skep_output_state *state = skep_output_state(out);
	const struct skep_trace_program *program = out->program;
	size_t index = (size_t)((uintptr_t)event - (uintptr_t)program->events) / sizeof(*event);

	if (format != event->text || index >= state->n_formats || event != &program->events[index])
		return NULL;
	struct skep_format **known = &state->formats[index];
	if (!*known || (*known)->text != format) {
		skep_format_free(*known);
		*known = cut_format(format);
	}
	return *known;
}

void skep_output_format(struct skep_output *out, const struct skep_event *event, const void *data,
			size_t size, const char *format, struct skep_buf *buf)
{
	struct cursor cursor = {.event = event, .data = data, .size = size};
	struct skep_format *known = known_format(out, event, format);
	struct skep_format *steps = known ? known : cut_format(format);

	skep_vec_foreach (struct step, step, &steps->steps)
		run_step(out, step, &cursor, buf);
	if (!known)
		skep_format_free(steps);
}
