/*
 * Attach points: text up to a blank, ',', '{' or a predicate's '/'.
 *
 * They are no tokens, since they hold what the language otherwise has no
 * words for: paths, wildcards, addresses, names of C++ functions. Parts are
 * separated by ':'; quotes keep a part together; $1 stands for the first
 * positional parameter, whose text may itself have several parts, and
 * getopt("name", default) for an option's value.
 *
 *	uprobe:/bin/bash:readline   uprobe:"/a b":f   kprobe:vfs_*   name=interval:1s
 *	profile:hz:getopt("frequency", 49)
 *
 * A '/' belongs to the attach point only if its kind of probe has paths;
 * anywhere else it begins the predicate: kprobe:f/pid == 1/ needs no blank.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "trace/parse/parser.h"

#define ATTACH_POINTS_MAX 16384

static const char *const pathless[] = {
	"kprobe",        "kretprobe", "k",        "kr",  "fentry",   "fexit", "f",          "fr",
	"kfunc",         "kretfunc",  "interval", "i",   "profile",  "p",     "tracepoint", "t",
	"rawtracepoint", "rt",        "software", "s",   "hardware", "h",     "begin",      "end",
	"BEGIN",         "END",       "self",     "lsm", "fmod_ret",
};

/* The raw text of an attach point and what is made of it. */
struct attach {
	struct skep_parser *p;
	const char *raw;
	uint32_t off, len; /* of raw in the source */
	uint32_t at;
	struct skep_buf text, part;
	SKEP_VEC(const char *) parts;
};

/* --- its end ----------------------------------------------------------------------------- */

static bool has_paths(const char *raw, uint32_t len)
{
	const char *colon = memchr(raw, ':', len);
	const char *equals = colon ? memchr(raw, '=', colon - raw) : NULL;

	if (!colon)
		return false;
	if (equals)
		raw = equals + 1;
	for (size_t i = 0; i < sizeof(pathless) / sizeof(*pathless); i++) {
		if (strlen(pathless[i]) == (size_t)(colon - raw) &&
		    !memcmp(pathless[i], raw, colon - raw))
			return false;
	}
	return true;
}

/* Behind the closing quote, or at the line's end. */
static uint32_t skip_quotes(const struct skep_pp *pp, uint32_t at)
{
	for (at++; at < pp->len && pp->text[at] != '"' && pp->text[at] != '\n'; at++) {
		if (pp->text[at] == '\\' && at + 1 < pp->len && pp->text[at + 1] != '\n')
			at++;
	}
	return at < pp->len && pp->text[at] == '"' ? at + 1 : at;
}

static uint32_t find_end(const struct skep_pp *pp, uint32_t from)
{
	uint32_t at = from;

	while (at < pp->len) {
		char c = pp->text[at];

		if (skep_is_space(c) || strchr(",;{}", c))
			break;
		if (c == '/' && !has_paths(pp->text + from, at - from))
			break;
		if (skep_is_spec_option(pp->text + at, pp->len - at))
			at += skep_spec_option_len(pp->text + at, pp->len - at);
		else
			at = c == '"' ? skip_quotes(pp, at) : at + 1;
	}
	return at;
}

/* --- its parts --------------------------------------------------------------------------- */

static void end_part(struct attach *a)
{
	const char *part = skep_arena_strdup(a->p->arena, a->part.data ? a->part.data : "");

	skep_vec_push(&a->parts, part);
	skep_buf_clear(&a->part);
}

static void add_char(struct attach *a, char c)
{
	skep_buf_addc(&a->text, c);
	if (c == ':')
		end_part(a);
	else
		skep_buf_addc(&a->part, c);
}

static bool add_quoted(struct attach *a)
{
	uint32_t from = a->at++;

	for (; a->at < a->len && a->raw[a->at] != '"'; a->at++) {
		if (a->raw[a->at] == '\\' && a->at + 1 < a->len)
			a->at++;
		skep_buf_addc(&a->text, a->raw[a->at]);
		skep_buf_addc(&a->part, a->raw[a->at]);
	}
	if (a->at++ < a->len)
		return true;
	skep_parse_fail(a->p, SKEP_DIAG_ATTACH_QUOTE, (struct skep_span){a->off + from, 1}, NULL,
			NULL);
	return false;
}

static bool bad_param(struct attach *a, enum skep_diag_id id, uint32_t from)
{
	uint32_t len = a->at > from + 1 ? a->at - from : 2;

	if (from + len > a->len)
		len = a->len - from;
	skep_parse_fail(a->p, id, (struct skep_span){a->off + from, len},
			skep_arena_dup(a->p->arena, a->raw + from, len), NULL);
	return false;
}

/* $1 and its like; what stands behind the digits goes on. */
static bool add_param(struct attach *a)
{
	const struct skep_params *params = a->p->params;
	uint32_t from = a->at++;
	uint64_t number = 0;

	for (; a->at < a->len && skep_is_digit(a->raw[a->at]); a->at++) {
		if (number < UINT32_MAX)
			number = number * 10 + (a->raw[a->at] - '0');
	}
	if (a->at == from + 1 || !number)
		return bad_param(a, SKEP_DIAG_ATTACH_DOLLAR, from);
	if (!params || number > params->n)
		return bad_param(a, SKEP_DIAG_PARAM_MISSING, from);
	for (const char *c = params->values[number - 1]; *c; c++)
		add_char(a, *c);
	return true;
}

/* getopt("name", default): the value in its place. */
static bool add_option(struct attach *a)
{
	struct skep_span span = {a->off + a->at,
				 skep_spec_option_len(a->raw + a->at, a->len - a->at)};
	const char *value = skep_parse_spec_option(a->p, span);

	if (!value)
		return false;
	for (; *value; value++)
		add_char(a, *value);
	a->at += span.len;
	return true;
}

static bool split(struct attach *a)
{
	bool ok = true;

	while (ok && a->at < a->len) {
		char c = a->raw[a->at];

		if (c == '"')
			ok = add_quoted(a);
		else if (c == '$')
			ok = add_param(a);
		else if (skep_is_spec_option(a->raw + a->at, a->len - a->at))
			ok = add_option(a);
		else
			add_char(a, a->raw[a->at++]);
	}
	end_part(a);
	if (ok && !a->parts.data[0][0]) {
		skep_parse_fail(a->p, SKEP_DIAG_ATTACH_KIND, (struct skep_span){a->off, a->len},
				NULL, NULL);
		ok = false;
	}
	return ok;
}

/* name=kprobe:f: the name is bpftrace's own affair and means nothing here. */
static void drop_name(struct attach *a)
{
	uint32_t at = 0;

	while (at < a->len && skep_is_word(a->raw[at]))
		at++;
	if (at && at + 1 < a->len && a->raw[at] == '=')
		a->at = at + 1;
}

static struct skep_probe_spec *make_spec(struct attach *a)
{
	struct skep_probe_spec *spec = skep_arena_new(a->p->arena, struct skep_probe_spec);
	size_t size = a->parts.len * sizeof(*a->parts.data);

	spec->span = (struct skep_span){a->off, a->len};
	spec->text = skep_arena_strdup(a->p->arena, a->text.data ? a->text.data : "");
	spec->parts = skep_arena_dup(a->p->arena, a->parts.data, size);
	spec->n_parts = a->parts.len;
	return spec;
}

bool skep_parse_attach_point(struct skep_parser *p, uint32_t at, uint32_t *ret_end,
			     struct skep_probe_spec **ret)
{
	uint32_t end = find_end(&p->pp, at);
	struct attach a = {.p = p, .raw = p->pp.text + at, .off = at, .len = end - at};
	bool ok;

	if (a.len && ++p->n_specs > ATTACH_POINTS_MAX) {
		p->err = -E2BIG;
		skep_parse_fail(p, SKEP_DIAG_TOO_MANY_PROBES, (struct skep_span){at, a.len}, NULL,
				NULL);
		p->stop = true;
		return false;
	}
	drop_name(&a);
	ok = a.len && split(&a);
	if (ok)
		*ret = make_spec(&a);
	else if (!a.len)
		skep_parse_fail(p, SKEP_DIAG_ATTACH_POINT, (struct skep_span){at, at < p->pp.len},
				NULL, NULL);
	*ret_end = end;
	skep_vec_done(&a.parts);
	skep_buf_done(&a.text);
	skep_buf_done(&a.part);
	return ok;
}
