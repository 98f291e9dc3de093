/*
 * Reads tracepoint format files:
 *
 *	name: sched_switch
 *	ID: 372
 *	format:
 *		field:unsigned short common_type;	offset:0;	size:2;	signed:0;
 *		(the other common fields, then an empty line)
 *		field:char prev_comm[16];	offset:8;	size:16;	signed:0;
 *		field:__data_loc char[] name;	offset:24;	size:4;	signed:0;
 *
 *	print fmt: …
 *
 * Only field lines are looked at. Nothing is assumed of the bytes: every number is
 * bounded, and a field that does not look like one is an error rather than a guess.
 */
#include "trace/provider/format.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

enum { MAX_FIELDS = 1024, MAX_DECL_LEN = 512, MAX_RECORD_BYTES = 65536 };

/** A stretch of the text. */
struct slice {
	const char *at, *end;
};

static size_t slice_len(struct slice s)
{
	return (size_t)(s.end - s.at);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static struct slice trim(struct slice s)
{
	while (s.at < s.end && is_blank(*s.at))
		s.at++;
	while (s.at < s.end && is_blank(s.end[-1]))
		s.end--;
	return s;
}

/* "KEY" at the line's start, then all up to ';': that goes to @ret, and @line goes on behind. */
static bool take_item(struct slice *line, const char *key, struct slice *ret)
{
	struct slice s = trim(*line);
	size_t len = strlen(key);
	const char *end;

	if (slice_len(s) < len || memcmp(s.at, key, len) != 0)
		return false;
	s.at += len;
	end = memchr(s.at, ';', slice_len(s));
	if (!end)
		return false;
	*ret = trim((struct slice){s.at, end});
	line->at = end + 1;
	return true;
}

static bool take_number(struct slice *line, const char *key, uint32_t *ret)
{
	struct slice s;
	uint32_t value = 0;

	if (!take_item(line, key, &s) || s.at == s.end)
		return false;
	for (; s.at < s.end; s.at++) {
		if (!isdigit((unsigned char)*s.at))
			return false;
		value = value * 10 + (uint32_t)(*s.at - '0');
		if (value > MAX_RECORD_BYTES)
			return false;
	}
	*ret = value;
	return true;
}

/* Array bounds at the end of "comm[16]", "char[]", "x[4][2]" are cut off. */
static bool cut_bounds(struct slice *s)
{
	bool any = false;

	while (s->at < s->end && s->end[-1] == ']') {
		const char *open = s->end - 1;
		while (open > s->at && *open != '[')
			open--;
		if (*open != '[')
			break;
		*s = trim((struct slice){s->at, open});
		any = true;
	}
	return any;
}

/* The last word is the name, what is before it the type. */
static bool split_plain(struct slice decl, struct slice *type, struct slice *name)
{
	const char *start = decl.end;

	while (start > decl.at && is_word(start[-1]))
		start--;
	*name = (struct slice){start, decl.end};
	*type = trim((struct slice){decl.at, start});
	return slice_len(*name) && slice_len(*type) && !isdigit((unsigned char)*start);
}

/* "void (*fn)(int)": the name is between "(*" and ")". */
static bool split_func(struct slice decl, struct slice *type, struct slice *name)
{
	const char *open = memmem(decl.at, slice_len(decl), "(*", 2);
	const char *close = open ? memchr(open, ')', (size_t)(decl.end - open)) : NULL;

	if (!close)
		return false;
	*name = trim((struct slice){open + 2, close});
	*type = (struct slice){decl.at, open};
	for (const char *c = name->at; c < name->end; c++) {
		if (!is_word(*c))
			return false;
	}
	return slice_len(*name) > 0;
}

static bool cut_word(struct slice *s, const char *word)
{
	size_t len = strlen(word);

	if (slice_len(*s) <= len || memcmp(s->at, word, len) != 0 || is_word(s->at[len]))
		return false;
	*s = trim((struct slice){s->at + len, s->end});
	return true;
}

static const char *to_text(struct skep_arena *arena, struct slice s)
{
	return skep_arena_dup(arena, s.at, slice_len(s));
}

static bool parse_decl(struct skep_arena *arena, struct slice decl, struct skep_format_field *field)
{
	struct slice rest = decl, type = {0}, name = {0};
	bool is_func = slice_len(decl) && decl.end[-1] == ')';

	if (!slice_len(decl) || slice_len(decl) > MAX_DECL_LEN ||
	    memchr(decl.at, '\0', slice_len(decl)))
		return false;
	field->is_array = cut_bounds(&rest);
	if (is_func ? !split_func(rest, &type, &name) : !split_plain(rest, &type, &name))
		return false;
	field->is_array |= cut_bounds(&type);
	field->is_data_loc = cut_word(&type, "__data_loc");
	field->is_rel_loc = !field->is_data_loc && cut_word(&type, "__rel_loc");
	if (!slice_len(type))
		return false;
	field->decl = to_text(arena, decl);
	field->name = to_text(arena, name);
	field->type = is_func ? "void *" : to_text(arena, type);
	return true;
}

static bool parse_field(struct skep_arena *arena, struct slice line,
			struct skep_format_field *field)
{
	uint32_t is_signed = 0;
	struct slice decl;

	if (!take_item(&line, "field:", &decl) || !take_number(&line, "offset:", &field->off) ||
	    !take_number(&line, "size:", &field->size) ||
	    field->off + field->size > MAX_RECORD_BYTES)
		return false;
	take_number(&line, "signed:", &is_signed); /* before Linux 2.6.31 there was none */
	field->is_signed = is_signed == 1;
	return parse_decl(arena, decl, field);
}

static bool is_field(struct slice line)
{
	struct slice s = trim(line);

	return slice_len(s) >= 6 && !memcmp(s.at, "field:", 6);
}

struct fields {
	struct skep_format_field *data;
	size_t len, cap;
};

static int parse_lines(struct skep_arena *arena, struct slice text, struct fields *fields,
		       uint32_t *line_no)
{
	bool common = true;

	for (*line_no = 1; text.at < text.end; (*line_no)++) {
		const char *newline = memchr(text.at, '\n', slice_len(text));
		struct slice line = {text.at, newline ? newline : text.end};
		text.at = newline ? newline + 1 : text.end;
		if (!is_field(line)) {
			common = common && (!fields->len || slice_len(trim(line)));
			continue;
		}
		if (fields->len == MAX_FIELDS)
			return -E2BIG;
		struct skep_format_field *field = skep_vec_add(fields);
		field->is_common = common;
		if (!parse_field(arena, line, field))
			return -EINVAL;
	}
	return 0;
}

int skep_format_parse(struct skep_arena *arena, const char *text, size_t len,
		      struct skep_format *ret, uint32_t *ret_line)
{
	struct fields fields = {0};
	int err = parse_lines(arena, (struct slice){text, text + len}, &fields, ret_line);

	if (!err) {
		ret->fields = skep_arena_dup(arena, fields.data, fields.len * sizeof(*fields.data));
		ret->n_fields = (uint32_t)fields.len;
	}
	skep_vec_done(&fields);
	return err;
}
