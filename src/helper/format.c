/*
 * Format strings as the kernel understands them: %d %i %u %x %X with l and ll,
 * %c %s, and pointers (%p %px %pK %ps %pS %pB %pks %pus %pI4 %pi4 %pI6 %pi6), with
 * flags "0+- " and a width.
 *
 * Two passes, as nothing is written when anything is wrong: the first reads
 * every specifier and its argument (strings and addresses from memory that may
 * not be there), the second writes. Letters that follow a pointer's specifier
 * are passed over, as the kernel does.
 */
#include "helper/format.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <skep/helper.h>

#include "helper/os.h"
#include "helper/probe.h"

enum conversion {
	CONV_SIGNED,
	CONV_UNSIGNED,
	CONV_HEX,
	CONV_HEX_UPPER,
	CONV_CHAR,
	CONV_STRING,
	CONV_POINTER,
	CONV_SYMBOL,
	CONV_TEXT, /* what the first pass wrote, without width */
};

struct spec {
	const char *start, *end; /* in the format string */
	enum conversion conv;
	bool zero, plus, minus, space;
	int width; /* -1: none */
	uint64_t value;
	const char *text;
};

/* The first pass: where it is, and what is left for texts. */
struct parse {
	const char *at;
	char texts[FORMAT_TEXT_BYTES];
	size_t used;
	struct spec specs[FORMAT_MOST_ARGS];
	uint32_t n_specs;
};

static bool ends_word(char c)
{
	return !c || isspace((unsigned char)c) || ispunct((unsigned char)c);
}

static void parse_flags(struct parse *p, struct spec *spec)
{
	for (;; p->at++) {
		switch (*p->at) {
		case '0': spec->zero = true; continue;
		case '+': spec->plus = true; continue;
		case '-': spec->minus = true; continue;
		case ' ': spec->space = true; continue;
		}
		break;
	}
	spec->width = isdigit((unsigned char)*p->at) ? 0 : -1;
	for (; isdigit((unsigned char)*p->at); p->at++) {
		if (spec->width < 100000000)
			spec->width = spec->width * 10 + *p->at - '0';
	}
	if (spec->width > 8388607)
		spec->width = 8388607;
}

/* Numbers lie in the kernel's buffer too, at multiples of 4. */
static int take_room(struct parse *p, size_t bytes, size_t align)
{
	p->used = (p->used + align - 1) & ~(align - 1);
	if (p->used > sizeof(p->texts) || sizeof(p->texts) - p->used < bytes)
		return -ENOSPC;
	p->used += bytes;
	return 0;
}

static int take_string(struct parse *p, struct spec *spec)
{
	size_t room = sizeof(p->texts) - p->used;

	if (p->used >= sizeof(p->texts))
		return -ENOSPC;
	char *text = p->texts + p->used;
	long len = probe_string(text, (uintptr_t)spec->value, room);
	if (len <= 0) {
		text[0] = 0;
		len = 1;
	}
	spec->text = text;
	p->used += (size_t)len;
	return 0;
}

static int print_ip(char *out, size_t cap, const uint8_t *ip, char kind, char version)
{
	int len = 0;

	if (version == '4')
		return snprintf(out, cap, kind == 'I' ? "%u.%u.%u.%u" : "%03u.%03u.%03u.%03u",
				ip[0], ip[1], ip[2], ip[3]);
	for (int i = 0; i < 16; i += 2)
		len += snprintf(out + len, cap - (size_t)len, "%02x%02x%s", ip[i], ip[i + 1],
				kind == 'I' && i < 14 ? ":" : "");
	return len;
}

static int take_ip(struct parse *p, struct spec *spec, char kind, char version)
{
	char text[48];
	uint8_t ip[16] = {0};
	size_t bytes = version == '4' ? 4 : 16;

	if (sizeof(p->texts) - p->used < bytes)
		return -ENOSPC;
	if (skep_os_read(ip, spec->value, bytes))
		memset(ip, 0, sizeof(ip));
	size_t len = (size_t)print_ip(text, sizeof(text), ip, kind, version);
	size_t room = sizeof(p->texts) - p->used;
	spec->conv = CONV_TEXT;
	spec->text = p->texts + p->used;
	snprintf(p->texts + p->used, room, "%s", text);
	p->used += len + 1 < room ? len + 1 : room;
	return 0;
}

/* The name of code at an address: nothing here has one that the kernel knows. */
static int take_backtrace(struct parse *p, struct spec *spec)
{
	char text[24];
	size_t room = sizeof(p->texts) - p->used;
	int len = snprintf(text, sizeof(text), "0x%llx", (unsigned long long)spec->value);

	if ((size_t)len >= room)
		return -ENOSPC;
	spec->conv = CONV_TEXT;
	spec->text = memcpy(p->texts + p->used, text, (size_t)len + 1);
	p->used += (size_t)len + 1;
	return 0;
}

static int parse_string(struct parse *p, struct spec *spec)
{
	p->at++;
	return ends_word(*p->at) ? take_string(p, spec) : -EINVAL;
}

/* p->at is behind the "p". */
static int parse_pointer(struct parse *p, struct spec *spec)
{
	char kind = *p->at;

	spec->conv = CONV_POINTER;
	if ((kind == 'k' || kind == 'u') && p->at[1] == 's') {
		spec->conv = CONV_TEXT;
		p->at++;
		return parse_string(p, spec);
	}
	if (ends_word(kind))
		return kind == '%' ? -EINVAL : take_room(p, 8, 4);
	p->at++;
	switch (kind) {
	case 's':
	case 'S': spec->conv = CONV_SYMBOL; return take_room(p, 8, 4);
	case 'K':
	case 'x': return take_room(p, 8, 4);
	case 'B': return take_backtrace(p, spec);
	case 'i':
	case 'I':
		if (*p->at != '4' && *p->at != '6')
			return -EINVAL;
		return take_ip(p, spec, kind, *p->at++);
	default: return -EINVAL;
	}
}

static int parse_number(struct parse *p, struct spec *spec)
{
	int longs = 0;

	for (; longs < 2 && *p->at == 'l'; longs++)
		p->at++;
	switch (*p->at++) {
	case 'd':
	case 'i': spec->conv = CONV_SIGNED; break;
	case 'u': spec->conv = CONV_UNSIGNED; break;
	case 'x': spec->conv = CONV_HEX; break;
	case 'X': spec->conv = CONV_HEX_UPPER; break;
	default: return -EINVAL;
	}
	if (!longs)
		spec->value = spec->conv == CONV_SIGNED ? (uint64_t)(int64_t)(int32_t)spec->value
							: (uint32_t)spec->value;
	return take_room(p, longs ? 8 : 4, 4);
}

/* p->at is behind the "%". */
static int parse_spec(struct parse *p, struct spec *spec)
{
	parse_flags(p, spec);
	switch (*p->at) {
	case 'p':
		p->at++;
		int err = parse_pointer(p, spec);
		while (!err && isalnum((unsigned char)*p->at))
			p->at++;
		return err;
	case 's': spec->conv = CONV_STRING; return parse_string(p, spec);
	case 'c':
		p->at++;
		spec->conv = CONV_CHAR;
		return take_room(p, 1, 1);
	default: return parse_number(p, spec);
	}
}

/* What stands between specifiers: anything that prints, and other alphabets' bytes. */
static bool is_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x80 || isprint(u) || isspace(u);
}

static int parse_format(struct parse *p, const char *fmt, const uint64_t *args, uint32_t n_args)
{
	for (p->at = fmt; *p->at;) {
		if (!is_plain(*p->at))
			return -EINVAL;
		if (*p->at != '%') {
			p->at++;
			continue;
		}
		if (p->at[1] == '%') {
			p->at += 2;
			continue;
		}
		if (p->n_specs >= n_args || p->n_specs >= FORMAT_MOST_ARGS)
			return -EINVAL;
		struct spec *spec = &p->specs[p->n_specs];
		*spec = (struct spec){.start = p->at++, .value = args[p->n_specs]};
		int err = parse_spec(p, spec);
		if (err)
			return err;
		spec->end = p->at;
		p->n_specs++;
	}
	return 0;
}

/* --- The second pass ------------------------------------------------------------------------- */

struct sink {
	char *out;
	size_t cap, len; /* len may go past cap: what the text would take */
};

static void put(struct sink *sink, const char *text, size_t len)
{
	if (sink->len < sink->cap) {
		size_t room = sink->cap - sink->len;
		memcpy(sink->out + sink->len, text, len < room ? len : room);
	}
	sink->len += len;
}

static void pad(struct sink *sink, char c, size_t n)
{
	if (sink->len < sink->cap) {
		size_t room = sink->cap - sink->len;
		memset(sink->out + sink->len, c, n < room ? n : room);
	}
	sink->len += n;
}

static void put_padded(struct sink *sink, const struct spec *spec, const char *text, size_t len)
{
	size_t fill = spec->width > 0 && (size_t)spec->width > len ? (size_t)spec->width - len : 0;

	if (!spec->minus)
		pad(sink, ' ', fill);
	put(sink, text, len);
	if (spec->minus)
		pad(sink, ' ', fill);
}

/* Sign, zeros, digits; zeros fill the width between them. */
static void put_digits(struct sink *sink, const struct spec *spec, char sign, const char *digits)
{
	char text[40];
	size_t n = strlen(digits), len = n + (sign != 0);

	if (spec->zero && !spec->minus && spec->width > 0 && (size_t)spec->width > len) {
		if (sign)
			put(sink, &sign, 1);
		pad(sink, '0', (size_t)spec->width - len);
		put(sink, digits, n);
		return;
	}
	if (sign)
		text[0] = sign;
	memcpy(text + (sign != 0), digits, n + 1);
	put_padded(sink, spec, text, len);
}

static void put_number(struct sink *sink, const struct spec *spec)
{
	char digits[24], sign = 0;
	uint64_t value = spec->value;

	if (spec->conv == CONV_SIGNED) {
		bool below = (int64_t)value < 0;
		sign = below ? '-' : spec->plus ? '+' : spec->space ? ' ' : 0;
		value = below ? 0 - value : value;
	}
	snprintf(digits, sizeof(digits),
		 spec->conv == CONV_HEX         ? "%llx"
		 : spec->conv == CONV_HEX_UPPER ? "%llX"
						: "%llu",
		 (unsigned long long)value);
	put_digits(sink, spec, sign, digits);
}

static void put_pointer(struct sink *sink, const struct spec *spec)
{
	struct spec as = *spec;
	char digits[24];

	if (as.width < 0) {
		as.width = 16;
		as.zero = true;
	}
	snprintf(digits, sizeof(digits), "%llx", (unsigned long long)as.value);
	put_digits(sink, &as, 0, digits);
}

static void put_spec(struct sink *sink, const struct spec *spec)
{
	char text[24] = {(char)spec->value};

	switch (spec->conv) {
	case CONV_CHAR: put_padded(sink, spec, text, 1); return;
	case CONV_STRING: put_padded(sink, spec, spec->text, strlen(spec->text)); return;
	case CONV_TEXT: put(sink, spec->text, strlen(spec->text)); return;
	case CONV_SYMBOL:
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)spec->value);
		put_padded(sink, spec, text, strlen(text));
		return;
	case CONV_POINTER: put_pointer(sink, spec); return;
	default: put_number(sink, spec); return;
	}
}

/* Text without specifiers; "%%" is one. */
static void put_plain(struct sink *sink, const char *from, const char *to)
{
	while (from < to) {
		const char *sign = memchr(from, '%', (size_t)(to - from));
		const char *stop = sign ? sign + 1 : to;

		put(sink, from, (size_t)(stop - from));
		from = sign ? sign + 2 : to;
	}
}

long format_text(char *out, size_t cap, const char *fmt, uint32_t fmt_size, const uint64_t *args,
		 uint32_t n_args)
{
	struct parse p;
	struct sink sink = {out, cap, 0};
	const char *end = memchr(fmt, 0, fmt_size);

	if (!end)
		return -EINVAL;
	p.used = p.n_specs = 0;
	int err = parse_format(&p, fmt, args, n_args);
	if (err)
		return err;
	const char *at = fmt;
	for (uint32_t i = 0; i < p.n_specs; i++) {
		put_plain(&sink, at, p.specs[i].start);
		put_spec(&sink, &p.specs[i]);
		at = p.specs[i].end;
	}
	put_plain(&sink, at, end);
	if (cap)
		out[sink.len < cap ? sink.len : cap - 1] = 0;
	return (long)sink.len;
}

bool skep_format_is_valid(const char *fmt, uint32_t n_args)
{
	static const uint64_t nothing[FORMAT_MOST_ARGS];

	return n_args <= FORMAT_MOST_ARGS &&
	       format_text(NULL, 0, fmt, UINT32_MAX, nothing, n_args) != -EINVAL;
}
