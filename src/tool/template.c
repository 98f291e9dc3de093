/* Fills the gaps of scripts; see template.h. */
#include "tool/template.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "tool/spec.h"

#define EACH "%each "
#define END  "%end"

struct filler {
	struct skep_arena *arena;
	const struct skep_tool_spec *spec;
	struct skep_buf *out;
};

/* --- The gaps -------------------------------------------------------------------------------- */

static void put_probe(struct filler *f)
{
	skep_buf_puts(f->out, skep_tool_spec_place(f->arena, f->spec, SKEP_SPEC_HIT));
}

static void put_enter(struct filler *f)
{
	skep_buf_puts(f->out, skep_tool_spec_place(f->arena, f->spec, SKEP_SPEC_ENTER));
}

static void put_leave(struct filler *f)
{
	skep_buf_puts(f->out, skep_tool_spec_place(f->arena, f->spec, SKEP_SPEC_LEAVE));
}

static void put_name(struct filler *f)
{
	skep_buf_puts(f->out, strchr("pr", f->spec->kind) ? "func" : "probe");
}

static void put_written(struct filler *f)
{
	skep_buf_add_quoted(f->out, f->spec->written);
}

static void put_place(struct filler *f)
{
	skep_buf_add_quoted(f->out, f->spec->function);
}

static void put_label(struct filler *f)
{
	skep_buf_add_quoted(f->out, f->spec->label);
}

static void put_number(struct filler *f)
{
	skep_buf_printf(f->out, "%u", f->spec->number);
}

static void put_filter(struct filler *f)
{
	const struct skep_tool_spec *spec = f->spec;

	if (spec->wants_latency)
		skep_buf_printf(f->out, "@entered_%u[tid] && ", spec->number);
	skep_buf_printf(f->out, "(%s)", spec->filter);
}

static void put_entry(struct filler *f)
{
	const struct skep_tool_spec *spec = f->spec;

	if (!spec->wants_latency)
		return;
	skep_buf_printf(f->out, "%s\n/selected()/\n{\n\t@entered_%u[tid] = nsecs;\n",
			skep_tool_spec_place(f->arena, spec, SKEP_SPEC_ENTER), spec->number);
	for (uint32_t i = 0; i < spec->n_params; i++) {
		if (spec->wants_entry[i])
			skep_buf_printf(f->out, "\t@entry_%u_%u[tid] = %s;\n", spec->number, i,
					spec->params[i].text);
	}
	skep_buf_puts(f->out, "}\n");
}

static void put_forget(struct filler *f)
{
	const struct skep_tool_spec *spec = f->spec;

	if (!spec->wants_latency)
		return;
	skep_buf_printf(f->out, "delete(@entered_%u, tid);", spec->number);
	for (uint32_t i = 0; i < spec->n_params; i++) {
		if (spec->wants_entry[i])
			skep_buf_printf(f->out, " delete(@entry_%u_%u, tid);", spec->number, i);
	}
}

/* %K and %U are names of addresses in these formats. */
static bool is_address(const char *at, char *ret)
{
	if (at[0] != '%' || (at[1] != 'K' && at[1] != 'U'))
		return false;
	*ret = at[1];
	return true;
}

static void put_format(struct filler *f)
{
	char which;

	for (const char *at = f->spec->format ? f->spec->format : ""; *at; at++) {
		if (at[0] == '%' && at[1] == '%') {
			skep_buf_puts(f->out, "%%");
			at++;
		} else if (is_address(at, &which)) {
			skep_buf_puts(f->out, "%s");
			at++;
		} else {
			skep_buf_addc(f->out, *at);
		}
	}
}

/* The letter of the @n-th conversion; 0: there is none. */
static char conversion(const char *format, uint32_t n)
{
	for (const char *at = format ? format : ""; *at; at++) {
		if (*at != '%')
			continue;
		at++;
		if (*at == '%')
			continue;
		at += strspn(at, "-+ #0123456789.hlzjt");
		if (!*at)
			break;
		if (!n--)
			return *at;
	}
	return '\0';
}

/* Is it an address that %s is to read a string at? */
static bool is_pointer(const char *text)
{
	return !strncmp(text, "arg", 3) || !strncmp(text, "uptr(", 5) || !strcmp(text, "retval");
}

static void put_args(struct filler *f)
{
	for (uint32_t i = 0; i < f->spec->n_values; i++) {
		const char *text = f->spec->values[i].text;
		char type = conversion(f->spec->format, i);
		const char *how = "%s";
		if (type == 's' && is_pointer(text) && !strchr(text, '.') && !strchr(text, '>'))
			how = "str(%s)";
		else if (type == 'K')
			how = "ksym(%s)";
		else if (type == 'U')
			how = "usym(%s)";
		const char *at = strstr(how, "%s");
		skep_buf_puts(f->out, ", ");
		skep_buf_add(f->out, how, (size_t)(at - how));
		skep_buf_puts(f->out, text);
		skep_buf_puts(f->out, at + 2);
	}
}

static void put_keys(struct filler *f)
{
	if (!f->spec->n_values)
		skep_buf_puts(f->out, f->spec->kind == 'r' ? "retval" : "probe");
	for (uint32_t i = 0; i < f->spec->n_values; i++)
		skep_buf_printf(f->out, "%s%s", i ? ", " : "", f->spec->values[i].text);
}

/* Of one number. What has none is told so, if histograms are asked for. */
static void put_histogram(struct filler *f)
{
	const struct skep_tool_spec *spec = f->spec;
	const char *value = spec->kind == 'r' ? "retval" : NULL;

	if (spec->n_values == 1 && strncmp(spec->values[0].text, "str(", 4) != 0)
		value = spec->values[0].text;
	if (spec->n_values > 1 || !value || (spec->n_values && value != spec->values[0].text)) {
		skep_buf_puts(f->out, "fail(\"a histogram needs one number: TYPE:EXPRESSION\"); ");
		value = "0";
	}
	skep_buf_printf(f->out, "@hist_%u = hist(%s);", spec->number, value);
}

/* Names of columns have no blanks, and nothing that ends them. */
static void put_column(struct skep_buf *out, const char *name)
{
	size_t start = out->len;

	for (; *name; name++) {
		if (!strchr(" \t:?%\"\\+", *name))
			skep_buf_addc(out, *name);
	}
	if (out->len == start)
		skep_buf_puts(out, "VALUE");
	skep_buf_puts(out, ":%-16s");
}

static void put_columns(struct filler *f)
{
	if (!f->spec->n_values)
		put_column(f->out, f->spec->kind == 'r' ? "$retval" : "EVENT");
	for (uint32_t i = 0; i < f->spec->n_values; i++) {
		skep_buf_puts(f->out, i ? " " : "");
		put_column(f->out, f->spec->values[i].written);
	}
}

static const struct {
	const char *name;
	void (*put)(struct filler *f);
} gaps[] = {
#define GAP(name, put) {"$(" #name ")", put},
#include "tool/template.def"
#undef GAP
};

/* --- The script ------------------------------------------------------------------------------ */

static bool is_line(const char *at, const char *text)
{
	return !strncmp(at, text, strlen(text));
}

static const char *next_line(const char *at)
{
	const char *end = strchr(at, '\n');

	return end ? end + 1 : at + strlen(at);
}

/* A block, once. */
static void fill(struct filler *f, const char *at, const char *end)
{
	while (at < end) {
		size_t i = 0;
		while (i < sizeof(gaps) / sizeof(*gaps) && !is_line(at, gaps[i].name))
			i++;
		if (i == sizeof(gaps) / sizeof(*gaps)) {
			skep_buf_addc(f->out, *at++);
			continue;
		}
		gaps[i].put(f);
		at += strlen(gaps[i].name);
	}
}

static bool find_grammar(const char *at, enum skep_spec_grammar *ret)
{
	static const char *const names[] = {"pattern", "message", "values"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (is_line(at, names[i])) {
			*ret = (enum skep_spec_grammar)i;
			return true;
		}
	}
	return false;
}

/* The block at @at, for each of the arguments; @at moves behind it. */
static int fill_each(struct skep_arena *arena, const char **at, const char *const *args,
		     uint32_t n_args, struct skep_buf *out, struct skep_diag *diag)
{
	enum skep_spec_grammar grammar;
	const char *from = next_line(*at), *end = from;

	while (*end && !is_line(end, END))
		end = next_line(end);
	if (!find_grammar(*at + strlen(EACH), &grammar) || !*end)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_TOOL_GAP, SKEP_NOWHERE);
	for (uint32_t i = 0; i < n_args; i++) {
		struct skep_tool_spec spec;
		struct filler f = {.arena = arena, .spec = &spec, .out = out};
		int err = skep_tool_spec_read(arena, grammar, args[i], i, &spec, diag);
		if (err)
			return err;
		fill(&f, from, end);
	}
	*at = next_line(end);
	return 0;
}

bool skep_tool_has_gaps(const struct skep_source *source)
{
	return memmem(source->text, source->len, "\n" EACH, strlen("\n" EACH)) != NULL;
}

int skep_tool_fill(struct skep_arena *arena, const struct skep_source *source,
		   const char *const *args, uint32_t n_args, struct skep_buf *ret,
		   struct skep_diag *diag)
{
	const char *at = skep_arena_printf(arena, "%.*s", (int)source->len, source->text);
	int err = 0;

	while (*at && !err) {
		if (is_line(at, EACH)) {
			err = fill_each(arena, &at, args, n_args, ret, diag);
			continue;
		}
		const char *next = next_line(at);
		skep_buf_add(ret, at, (size_t)(next - at));
		at = next;
	}
	return err;
}
