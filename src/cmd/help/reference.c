/*
 * The references in Markdown: docs/language.in.md with its tables put in, and
 * the list of messages. A line "@table NAME" of the text stands for a table.
 */
#include <string.h>

#include "cmd/help/help.h"
#include "linux/choice.h"
#include "trace/table.h"

/* A cell of a table: a bar would end it, "<" might begin a tag. */
void skep_help_cell(struct skep_buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			skep_buf_puts(out, "\\|");
		else if (*text == '<')
			skep_buf_puts(out, "&lt;");
		else
			skep_buf_addc(out, *text == '\n' ? ' ' : *text);
	}
}

/* The same in code: there only the bar matters. */
void skep_help_code_cell(struct skep_buf *out, const char *text)
{
	skep_buf_addc(out, '`');
	for (; *text; text++)
		skep_buf_printf(out, *text == '|' ? "\\%c" : "%c", *text);
	skep_buf_addc(out, '`');
}

static void row(struct skep_buf *out, const char *code, const char *text)
{
	skep_buf_puts(out, "| ");
	skep_help_code_cell(out, code);
	skep_buf_puts(out, " | ");
	skep_help_cell(out, text);
	skep_buf_puts(out, " |\n");
}

/* --- The tables ---------------------------------------------------------------------------- */

static void functions(struct skep_buf *out)
{
	skep_buf_puts(out, "| function | what it does |\n|---|---|\n");
	for (int id = SKEP_FN_NONE + 1; id < SKEP_FN_CNT; id++) {
		const struct skep_function *fn = &skep_functions[id];
		_cleanup_buf_ struct skep_buf text = {0};
		skep_buf_puts(&text, fn->help);
		if (fn->flags & FN_UNSAFE)
			skep_buf_puts(&text, " (needs --unsafe)");
		row(out, fn->synopsis, text.data);
	}
}

static void builtins(struct skep_buf *out)
{
	skep_buf_puts(out, "| name | what it is |\n|---|---|\n");
#define BUILTIN(name, help) row(out, #name, help);
#include "trace/builtins.def"
#undef BUILTIN
}

static void config_row(struct skep_buf *out, const char *name, const char *initial,
		       const char *range, const char *help)
{
	skep_buf_printf(out, "| `%s` | ", name);
	skep_help_code_cell(out, initial);
	skep_buf_puts(out, " | ");
	skep_help_cell(out, range);
	skep_buf_puts(out, " | ");
	skep_help_cell(out, help);
	skep_buf_puts(out, " |\n");
}

/* The initial value of stack_mode is the name of an enum, its help lists the choices. */
static void settings(struct skep_buf *out)
{
	skep_buf_puts(out, "| setting | at first | values | what it does |\n|---|---|---|---|\n");
#define CONFIG_UINT(name, initial, min, max, help)                                                 \
	config_row(out, #name, #initial, #min " to " #max, help);
#define CONFIG_BOOL(name, initial, help)       config_row(out, #name, #initial, "true, false", help);
#define CONFIG_STACK_MODE(name, initial, help) config_row(out, #name, "bpftrace", "modes", help);
#define CONFIG_CHOICE(name, initial, choices, help)                                                \
	config_row(out, #name, initial, choices[0] ? choices : "text", help);
#include "trace/config.def"
#undef CONFIG_UINT
#undef CONFIG_BOOL
#undef CONFIG_STACK_MODE
#undef CONFIG_CHOICE
}

static void losses(struct skep_buf *out)
{
	skep_buf_puts(out, "| what is counted | what to try |\n|---|---|\n");
#define LOSS(name, what, hint)                                                                     \
	skep_buf_puts(out, "| ");                                                                  \
	skep_help_cell(out, what);                                                                 \
	skep_buf_puts(out, " | ");                                                                 \
	skep_help_cell(out, hint);                                                                 \
	skep_buf_puts(out, " |\n");
#include "trace/losses.def"
#undef LOSS
}

/* The ways of each purpose, the best first. */
static void choices(struct skep_buf *out)
{
	skep_buf_puts(out, "| for | skep uses | what is lost |\n|---|---|---|\n");
	for (int i = 0; i < SKEP_PURPOSE_CNT; i++) {
		const struct skep_way *way = skep_best_way(i);
		for (size_t n = skep_n_ways(i); n--; way++) {
			skep_buf_puts(out, "| ");
			skep_help_cell(out, way == skep_best_way(i) ? skep_purpose_name(i) : "");
			skep_buf_puts(out, " | ");
			skep_help_cell(out, way->by);
			skep_buf_puts(out, " | ");
			skep_help_cell(out, way->lost);
			skep_buf_puts(out, " |\n");
		}
	}
}

static void provider(struct skep_buf *out, const char *name, const char *const *aliases, size_t n,
		     const char *synopsis)
{
	skep_buf_printf(out, "| `%s` | ", name);
	for (size_t i = 0; i < n && aliases[i]; i++)
		skep_buf_printf(out, "%s`%s`", i ? ", " : "", aliases[i]);
	skep_buf_puts(out, " | ");
	skep_help_code_cell(out, synopsis);
	skep_buf_puts(out, " |\n");
}

static void providers(struct skep_buf *out)
{
	skep_buf_puts(out, "| probe | short | written |\n|---|---|---|\n");
#define ALIASES(...)                                                                               \
	(const char *const[]){__VA_ARGS__},                                                        \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)
#define PROVIDER(name, aliases, synopsis, listed, ctx, prog_type, space, is_return, fn, layout)    \
	provider(out, #name, aliases, synopsis);
#include "trace/provider/providers.def"
#undef PROVIDER
#undef ALIASES
}

static const struct {
	const char *name;
	void (*write)(struct skep_buf *out);
} tables[] = {
	{"functions", functions}, {"builtins", builtins},   {"settings", settings},
	{"losses", losses},       {"providers", providers}, {"choices", choices},
};

/* --- The documents ------------------------------------------------------------------------- */

static void table(struct skep_buf *out, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (strlen(tables[i].name) == len && !strncmp(tables[i].name, name, len))
			tables[i].write(out);
	}
}

void skep_help_language(struct skep_buf *out)
{
	static const char mark[] = "@table ";

	for (const char *line = skep_help_language_text; *line;) {
		size_t len = strcspn(line, "\n");
		if (!strncmp(line, mark, strlen(mark)))
			table(out, line + strlen(mark), len - strlen(mark));
		else
			skep_buf_printf(out, "%.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void diagnostic(struct skep_buf *out, enum skep_diag_id id)
{
	skep_buf_printf(out, "| %s | %s | ", skep_diag_code(id),
			skep_severity_name(skep_diag_severity(id)));
	skep_help_cell(out, skep_diag_format(id));
	skep_buf_puts(out, " | ");
	skep_help_cell(out, skep_diag_hint(id));
	skep_buf_puts(out, " |\n");
}

void skep_help_diagnostics(struct skep_buf *out)
{
	skep_buf_puts(out,
		      "# Messages of skep\n\n"
		      "Made by `skep help --diagnostics` from `include/skep/diag.def`.\n\n"
		      "Every message has an id that does not change. It stands behind the word\n"
		      "error, warning or note. `%s`, `%d` and the like are filled in. The hint is\n"
		      "what skep says behind `try:`; a message may come with a better one.\n\n"
		      "The letter says where a message comes from: B command line and files,\n"
		      "I instructions, Y BTF, E ELF, R code generation, K kernel interface,\n"
		      "L loading and attaching, S symbols, P parsing a script, T meaning of a\n"
		      "script, U run time.\n\n"
		      "| id | kind | message | hint |\n|---|---|---|---|\n");
	for (int id = SKEP_DIAG_NONE + 1; id < SKEP_DIAG_CNT; id++)
		diagnostic(out, (enum skep_diag_id)id);
}
