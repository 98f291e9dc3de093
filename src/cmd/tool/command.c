/*
 * From a tool's header to a struct skep_command, of which options.c parses the command line and
 * prints the help, and help/ makes manual pages and the reference.
 */
#include "cmd/tool/command.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

#define HELP_COLUMNS 80

static const struct skep_option filters[] = {
#define FILTER(id, word, short_name, name, arg, help)                                              \
	{TOOL_FILTER_##id, short_name, name, arg, NULL, help},
#include "tool/filters.def"
#undef FILTER
};

static const struct skep_option standard[] = {
#define OPTION(id, short_name, name, arg, choices, help)                                           \
	{TOOL_OPT_##id, short_name, name, arg, choices, help},
#include "cmd/tool/standard.def"
#undef OPTION
};
#define N_STANDARD (sizeof(standard) / sizeof(standard[0]))

_Static_assert(SKEP_TOOL_OPTIONS_MOST + SKEP_TOOL_FILTER_CNT + N_STANDARD <= SKEP_OPTIONS_MOST,
	       "a tool's options fit a command");

/* --- Options --------------------------------------------------------------------------------- */

static void add_own(struct skep_command *command, struct skep_option *options,
		    const struct skep_tool_header *header)
{
	for (uint32_t i = 0; i < header->n_options; i++) {
		const struct skep_tool_option *option = &header->options[i];
		options[command->n_options++] = (struct skep_option){
			.id = TOOL_OPT_OWN + (int)i,
			.short_name = option->short_name,
			.name = option->name,
			.arg = option->arg,
			.choices = option->choices,
			.help = option->help,
		};
	}
}

/* One that the tool did not think of: what is the tool's remains so. */
static int add(struct skep_command *command, struct skep_option *options,
	       const struct skep_option *option, struct skep_diag *diag)
{
	struct skep_option added = *option;

	for (size_t i = 0; i < command->n_options; i++) {
		if (!strcmp(options[i].name, option->name)) {
			char dashed[48];
			snprintf(dashed, sizeof(dashed), "--%s", option->name);
			skep_diag_add(diag, SKEP_DIAG_TOOL_TWICE, SKEP_NOWHERE, dashed);
			skep_diag_why(diag,
				      "it is an option of every tool, or this one's by filter:");
			return -EINVAL;
		}
		if (options[i].short_name == option->short_name)
			added.short_name = 0;
	}
	options[command->n_options++] = added;
	return 0;
}

/* What is about a script and its run is only for tools that have one. */
static bool has_standard(const struct skep_tool_header *header, int id)
{
	if (id == TOOL_OPT_UNSAFE)
		return header->unsafe;
	return header->has_script || id == TOOL_OPT_JSON || id == TOOL_OPT_HELP;
}

static int add_all(struct skep_command *command, struct skep_option *options,
		   const struct skep_tool_header *header, struct skep_diag *diag)
{
	int err = 0;

	add_own(command, options, header);
	for (uint32_t i = 0; !err && i < SKEP_TOOL_FILTER_CNT; i++) {
		if (header->filters & 1u << i)
			err = add(command, options, &filters[i], diag);
	}
	for (size_t i = 0; !err && i < N_STANDARD; i++) {
		if (has_standard(header, standard[i].id))
			err = add(command, options, &standard[i], diag);
	}
	return err;
}

/* --- Words ----------------------------------------------------------------------------------- */

/* How many columns @len bytes of UTF-8 take. */
static size_t columns(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/* @text in lines of HELP_COLUMNS, each behind @indent. */
static void wrap(struct skep_buf *out, const char *indent, const char *text)
{
	size_t used = 0;

	while (*(text += strspn(text, " \t"))) {
		size_t len = strcspn(text, " \t");
		if (used && used + 1 + columns(text, len) > HELP_COLUMNS) {
			skep_buf_addc(out, '\n');
			used = 0;
		}
		skep_buf_puts(out, used ? " " : indent);
		skep_buf_add(out, text, len);
		used += (used ? 1 : strlen(indent)) + columns(text, len);
		text += len;
	}
	skep_buf_addc(out, '\n');
}

static char *finish(struct skep_arena *arena, struct skep_buf *buf)
{
	char *text = skep_arena_dup(arena, buf->data ? buf->data : "", buf->len);

	skep_buf_done(buf);
	return text;
}

/* "[OPTIONS] PID [INTERVAL [COUNT]]" */
static char *usage(struct skep_arena *arena, const struct skep_tool_header *header)
{
	struct skep_buf buf = {0};
	size_t n_open = 0;

	skep_buf_puts(&buf, "[OPTIONS]");
	for (uint32_t i = 0; i < header->n_arguments; i++) {
		const struct skep_tool_argument *argument = &header->arguments[i];
		skep_buf_printf(&buf, " %s%s%s", argument->fallback ? "[" : "", argument->name,
				argument->takes_rest ? "…" : "");
		n_open += argument->fallback != NULL;
	}
	skep_buf_fill(&buf, ']', n_open);
	return finish(arena, &buf);
}

static char *arguments(struct skep_arena *arena, const struct skep_tool_header *header)
{
	struct skep_buf buf = {0};

	for (uint32_t i = 0; i < header->n_arguments; i++) {
		const struct skep_tool_argument *argument = &header->arguments[i];
		skep_buf_printf(&buf, "  %-28s %s", argument->name, argument->help);
		if (argument->fallback && argument->fallback[0])
			skep_buf_printf(&buf, " (%s)", argument->fallback);
		skep_buf_addc(&buf, '\n');
	}
	return header->n_arguments ? finish(arena, &buf) : NULL;
}

/* By its own name, or as the alias that it is called by. */
static void summary(struct skep_buf *out, const struct skep_tool_header *header, const char *name)
{
	for (uint32_t i = 0; i < header->n_aliases; i++) {
		const struct skep_tool_alias *alias = &header->aliases[i];
		if (strcmp(alias->name, name) != 0)
			continue;
		skep_buf_printf(out, "%s: %s (%s %s)\n", name, alias->summary, header->name,
				alias->words);
		return;
	}
	skep_buf_printf(out, "%s: %s\n", header->name, header->summary);
}

static char *description(struct skep_arena *arena, const struct skep_tool_header *header,
			 const char *name)
{
	struct skep_buf buf = {0};

	summary(&buf, header, name);
	if (header->paragraphs[SKEP_TOOL_SHOWS]) {
		skep_buf_addc(&buf, '\n');
		wrap(&buf, "", header->paragraphs[SKEP_TOOL_SHOWS]);
	}
	if (header->unsafe) {
		skep_buf_addc(&buf, '\n');
		wrap(&buf, "",
		     skep_arena_printf(arena, "It is unsafe: %s. So it asks for --unsafe.",
				       header->unsafe));
	}
	buf.len--; /* the last line's end is the help's */
	return finish(arena, &buf);
}

static char *examples(struct skep_arena *arena, const struct skep_tool_header *header)
{
	struct skep_buf buf = {0};

	for (uint32_t i = 0; i < header->n_examples; i++) {
		skep_buf_printf(&buf, "  skep tool %s\n", header->examples[i].command);
		wrap(&buf, "      ", header->examples[i].words);
	}
	return header->n_examples ? finish(arena, &buf) : NULL;
}

/* All paragraphs but the one that is the description. */
static void add_sections(struct skep_arena *arena, const struct skep_tool_header *header,
			 struct skep_tool_command *ret)
{
	static const char *const titles[] = {
		[SKEP_TOOL_HOW] = "How it works",
		[SKEP_TOOL_OVERHEAD] = "Overhead",
		[SKEP_TOOL_CAVEATS] = "Caveats",
	};

	for (int i = SKEP_TOOL_HOW; i < SKEP_TOOL_PARAGRAPH_CNT; i++) {
		struct skep_buf buf = {0};
		if (!header->paragraphs[i])
			continue;
		wrap(&buf, "  ", header->paragraphs[i]);
		ret->sections[ret->command.n_sections++] =
			(struct skep_help_section){titles[i], finish(arena, &buf)};
	}
}

int skep_tool_command_make(struct skep_arena *arena, const struct skep_tool_header *header,
			   const char *name, struct skep_tool_command *ret, struct skep_diag *diag)
{
	ret->command = (struct skep_command){
		.name = skep_arena_printf(arena, "tool %s", name),
		.usage = usage(arena, header),
		.description = description(arena, header, name),
		.options = ret->options,
		.arguments = arguments(arena, header),
		.examples = examples(arena, header),
		.sections = ret->sections,
	};
	add_sections(arena, header, ret);
	return add_all(&ret->command, ret->options, header, diag);
}
