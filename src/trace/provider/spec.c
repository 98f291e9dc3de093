/*
 * Reading specs ("kprobe:vfs_read+0x10") and reporting on them: numbers, where a
 * part stands in the source, lists of names.
 */
#include "trace/provider/provider.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

/* --- Where a part is ---------------------------------------------------------------------- */

/* The raw text of a spec differs from its parts by quotes, escapes and $1; parts are told apart
 * by the colons outside of quotes, as the parser does. Return how many parts there are; the
 * @want-th one's place goes to @ret. */
static uint32_t find_part(const char *raw, uint32_t len, uint32_t want, struct skep_span *ret)
{
	bool quoted = false;
	uint32_t n = 0, start = 0;

	for (uint32_t i = 0; i <= len; i++) {
		if (i < len && raw[i] == '"')
			quoted = !quoted;
		if (i < len && quoted && raw[i] == '\\')
			i++;
		if (i < len && (raw[i] != ':' || quoted))
			continue;
		if (n++ == want)
			*ret = (struct skep_span){start, i - start};
		start = i + 1;
	}
	return n;
}

struct skep_span skep_spec_span(const struct skep_expand *x, const struct skep_probe_spec *spec,
				uint32_t i)
{
	const struct skep_source *source = x->diag ? x->diag->source : NULL;
	struct skep_span part = {0, 0};

	if (!source || spec->span.off > source->len ||
	    spec->span.len > source->len - spec->span.off)
		return spec->span;
	const char *raw = source->text + spec->span.off;
	if (find_part(raw, spec->span.len, i, &part) != spec->n_parts || !part.len)
		return spec->span;
	part.off += spec->span.off;
	return part;
}

/* --- Numbers ------------------------------------------------------------------------------ */

static const struct unit {
	const char *suffix;
	uint64_t factor, max; /* max 0: what fits */
} units[] = {
	{"", 1, 0},
	{"u", 1, UINT32_MAX},
	{"ul", 1, 0},
	{"ull", 1, 0},
	{"l", 1, INT64_MAX},
	{"ll", 1, INT64_MAX},
	{"ns", 1, 0},
	{"us", 1000, 0},
	{"ms", 1000000, 0},
	{"s", 1000000000, 0},
	{"m", 60000000000, 0},
	{"h", 3600000000000, 0},
	{"d", 86400000000000, 0},
};

/* The prefix of a base other than ten; returns the base. */
static int take_base(const char **text)
{
	const char *p = *text;

	if (p[0] != '0' || !p[1])
		return 10;
	if (p[1] == 'x' || p[1] == 'X' || p[1] == 'b' || p[1] == 'B') {
		*text += 2;
		return p[1] == 'x' || p[1] == 'X' ? 16 : 2;
	}
	return isdigit((unsigned char)p[1]) ? 8 : 10;
}

/* "e6" behind a single digit */
static int take_exponent(const char **text, uint64_t *value)
{
	char *end;

	if ((**text != 'e' && **text != 'E') || !isdigit((unsigned char)(*text)[1]))
		return 0;
	unsigned long exponent = strtoul(*text + 1, &end, 10);
	if (!*value || *value > 9 || exponent > 19)
		return -EINVAL;
	for (; exponent; exponent--) {
		if (__builtin_mul_overflow(*value, 10, value))
			return -ERANGE;
	}
	*text = end;
	return 0;
}

static int apply_unit(const char *suffix, uint64_t *value)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].suffix, suffix) != 0)
			continue;
		if (units[i].max && *value > units[i].max)
			return -ERANGE;
		return __builtin_mul_overflow(*value, units[i].factor, value) ? -ERANGE : 0;
	}
	return -EINVAL;
}

int skep_parse_uint(const char *text, uint64_t *ret)
{
	enum { MAX_DIGITS = 80 };
	char digits[MAX_DIGITS];
	const char *at = digits;
	size_t n = 0;
	char *end;

	for (; *text; text++) {
		if (*text == '_')
			continue;
		if (n == MAX_DIGITS - 1)
			return -ERANGE;
		digits[n++] = *text;
	}
	digits[n] = '\0';
	int base = take_base(&at);
	if (!isxdigit((unsigned char)*at))
		return -EINVAL;
	errno = 0;
	uint64_t value = strtoull(at, &end, base);
	if (end == at || errno)
		return errno ? -ERANGE : -EINVAL;
	at = end;
	int err = take_exponent(&at, &value);
	err = err ? err : apply_unit(at, &value);
	if (!err)
		*ret = value;
	return err;
}

/* --- Reports ------------------------------------------------------------------------------ */

int skep_spec_bad_parts(struct skep_expand *x, const struct skep_provider *provider,
			const struct skep_probe_spec *spec)
{
	return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_PARTS, spec->span, provider->name,
			      provider->synopsis);
}

int skep_spec_bad_number(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t i,
			 const char *what)
{
	return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_NUMBER, skep_spec_span(x, spec, i),
			      spec->parts[i], what);
}

enum missing_mode { MISSING_IGNORE, MISSING_WARN, MISSING_ERROR };

static enum missing_mode missing_mode(const struct skep_expand *x)
{
	const char *said =
		x->config && x->config->missing_probes ? x->config->missing_probes : "warn";

	if (!strcmp(said, "error") || x->n_specs <= 1 || x->must_find)
		return MISSING_ERROR;
	return strcmp(said, "warn") ? MISSING_IGNORE : MISSING_WARN;
}

int skep_expand_missing(struct skep_expand *x, struct skep_span span, const char *what,
			const char *word, const struct skep_names *names)
{
	enum missing_mode mode = missing_mode(x);

	if (mode == MISSING_IGNORE)
		return 0;
	skep_diag_add(x->diag,
		      mode == MISSING_ERROR ? SKEP_DIAG_PROBE_MISSING
					    : SKEP_DIAG_PROBE_MISSING_SKIPPED,
		      span, what);
	if (names)
		skep_diag_did_you_mean(x->diag, word, names->data, names->len);
	return mode == MISSING_ERROR ? -ENOENT : 0;
}

int skep_expand_refused(struct skep_expand *x, const struct skep_provider *provider,
			struct skep_span span, const char *why, const char *hint)
{
	enum missing_mode mode = missing_mode(x);

	if (mode == MISSING_IGNORE)
		return 0;
	skep_diag_add(x->diag,
		      mode == MISSING_ERROR ? SKEP_DIAG_PROBE_REFUSED
					    : SKEP_DIAG_PROBE_REFUSED_SKIPPED,
		      span, provider->name);
	skep_diag_why(x->diag, "%s", why);
	if (hint)
		skep_diag_try(x->diag, "%s", hint);
	return mode == MISSING_ERROR ? -EOPNOTSUPP : 0;
}

void skep_probe_name(struct skep_expand *x, struct skep_probe *probe, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	probe->name = skep_arena_vprintf(x->arena, fmt, ap);
	va_end(ap);
	probe->attach.target = probe->name;
	probe->attach.span = probe->spec->span;
}

/* --- Names -------------------------------------------------------------------------------- */

void skep_spec_names_done(struct skep_names *names)
{
	skep_vec_done(names);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void skep_spec_names_sort(struct skep_names *names)
{
	if (names->len)
		qsort(names->data, names->len, sizeof(*names->data), compare_names);
}

void skep_spec_names_sort_unique(struct skep_names *names)
{
	size_t n = 0;

	skep_spec_names_sort(names);
	for (size_t i = 0; i < names->len; i++) {
		if (!n || strcmp(names->data[n - 1], names->data[i]) != 0)
			names->data[n++] = names->data[i];
	}
	names->len = n;
}

void skep_spec_names_list(const struct skep_names *names, const char *provider,
			  struct skep_buf *out)
{
	for (size_t i = 0; i < names->len; i++)
		skep_buf_printf(out, "%s:%s\n", provider, names->data[i]);
}
