/* docs/tools.md: every tool, from its header: what it shows, takes and costs. */
#include <string.h>

#include "cmd/help/help.h"
#include "cmd/tool/command.h"

static const char intro[] =
	"# Tools of skep\n\n"
	"Made by `skep help --tools` from the headers of the scripts in `tools/`. How tools are "
	"run and\n"
	"written: [toolbox.md](toolbox.md).\n\n"
	"Every tool that is a script has these options as well; a letter that a tool uses itself "
	"is the tool's.\n\n";

static void option_row(struct skep_buf *out, const struct skep_option *option)
{
	skep_buf_puts(out, "| ");
	if (option->short_name)
		skep_buf_printf(out, "`-%c`, ", option->short_name);
	skep_buf_printf(out, "`--%s%s", option->name, option->arg ? "=" : "");
	for (const char *at = option->arg ? option->arg : ""; *at; at++)
		skep_buf_printf(out, *at == '|' ? "\\%c" : "%c", *at);
	skep_buf_puts(out, "` | ");
	skep_help_cell(out, option->help);
	skep_buf_puts(out, " |\n");
}

static bool is_of_all(const struct skep_option *option)
{
	return option->id >= SKEP_TOOL_FILTER_CNT && option->id < TOOL_OPT_OWN &&
	       option->id != TOOL_OPT_UNSAFE;
}

static void option_rows(struct skep_buf *out, const struct skep_command *command, bool of_all)
{
	bool any = false;

	for (size_t i = 0; i < command->n_options; i++) {
		if (is_of_all(&command->options[i]) != of_all)
			continue;
		if (!any)
			skep_buf_puts(out, "| option | |\n|---|---|\n");
		option_row(out, &command->options[i]);
		any = true;
	}
	if (any)
		skep_buf_addc(out, '\n');
}

static void argument_rows(struct skep_buf *out, const struct skep_tool_header *header)
{
	if (!header->n_arguments)
		return;
	skep_buf_puts(out, "| argument | if not given | |\n|---|---|---|\n");
	for (uint32_t i = 0; i < header->n_arguments; i++) {
		const struct skep_tool_argument *argument = &header->arguments[i];
		skep_buf_printf(out, "| `%s` | ", argument->name);
		if (argument->fallback && argument->fallback[0])
			skep_help_code_cell(out, argument->fallback);
		else
			skep_buf_puts(out, argument->fallback ? "" : "it must be");
		skep_buf_puts(out, " | ");
		skep_help_cell(out, argument->help);
		skep_buf_puts(out, " |\n");
	}
	skep_buf_addc(out, '\n');
}

static void aliases(struct skep_buf *out, const struct skep_tool_header *header)
{
	for (uint32_t i = 0; i < header->n_aliases; i++)
		skep_buf_printf(out, "* `%s` is `%s %s`: %s\n", header->aliases[i].name,
				header->name, header->aliases[i].words, header->aliases[i].summary);
	if (header->n_aliases)
		skep_buf_addc(out, '\n');
}

/* Prose in which a star is a star. */
static void paragraph(struct skep_buf *out, const char *title, const char *text)
{
	if (!text)
		return;
	skep_buf_printf(out, "%s%s", title, title[0] ? " " : "");
	for (; *text; text++) {
		if (*text == '<')
			skep_buf_puts(out, "&lt;");
		else
			skep_buf_printf(out, strchr("*`\\", *text) ? "\\%c" : "%c", *text);
	}
	skep_buf_puts(out, "\n\n");
}

static void tool(struct skep_buf *out, const struct skep_tool_header *header,
		 const struct skep_command *command)
{
	skep_buf_printf(out, "### %s\n\n%s\n\n    skep %s %s\n\n", header->name, header->summary,
			command->name, command->usage);
	paragraph(out, "", header->paragraphs[SKEP_TOOL_SHOWS]);
	paragraph(out, "**Unsafe:**", header->unsafe);
	if (!header->has_script)
		skep_buf_puts(out, "It is no script: of the options of all tools it has `--json` "
				   "and `--help`.\n\n");
	argument_rows(out, header);
	option_rows(out, command, false);
	aliases(out, header);
	if (command->examples)
		skep_buf_printf(out, "```\n%s```\n\n", command->examples);
	paragraph(out, "**How it works.**", header->paragraphs[SKEP_TOOL_HOW]);
	paragraph(out, "**Overhead.**", header->paragraphs[SKEP_TOOL_OVERHEAD]);
	paragraph(out, "**Caveats.**", header->paragraphs[SKEP_TOOL_CAVEATS]);
}

/* The heading of a group, and its tools with links to their sections. */
static void contents(struct skep_buf *out, const struct skep_catalogue *catalogue,
		     enum skep_tool_group group)
{
	skep_buf_printf(out, "## %s: %s\n\n| tool | shows |\n|---|---|\n",
			skep_tool_group_name(group), skep_tool_group_summary(group));
	for (size_t i = 0; i < catalogue->n_tools; i++) {
		const struct skep_tool_header *header = &catalogue->tools[i].header;
		if (catalogue->tools[i].group != group)
			continue;
		skep_buf_printf(out, "| [%s](#%s) | ", header->name, header->name);
		skep_help_cell(out, header->summary);
		skep_buf_puts(out, " |\n");
	}
	skep_buf_addc(out, '\n');
}

int skep_help_tools(struct skep_catalogue *catalogue, struct skep_buf *out, struct skep_diag *diag)
{
	const struct skep_tool *before = NULL;

	skep_buf_puts(out, intro);
	for (size_t i = 0; i < catalogue->n_tools; i++) {
		const struct skep_tool *this = &catalogue->tools[i];
		struct skep_tool_command command = {0};
		int err = skep_tool_command_make(&catalogue->arena, &this->header,
						 this->header.name, &command, diag);
		if (err)
			return err;
		if (!before)
			option_rows(out, &command.command, true);
		if (!before || before->group != this->group)
			contents(out, catalogue, this->group);
		tool(out, &this->header, &command.command);
		before = this;
	}
	return 0;
}
