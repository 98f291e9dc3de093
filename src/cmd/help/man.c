/*
 * Manual pages from the tables, in the man macros: one page a command or tool,
 * and one of skep. Text goes through escape(), so that no word becomes a request.
 */
#include <ctype.h>
#include <string.h>

#include "cmd/help/help.h"

/* Backslashes and dashes have meanings in roff; so do dots and quotes that begin a line. */
static void escape(struct skep_buf *out, const char *text)
{
	bool line_start = !out->len || out->data[out->len - 1] == '\n';

	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			skep_buf_puts(out, "\\&");
		if (*text == '\\')
			skep_buf_puts(out, "\\e");
		else if (*text == '-')
			skep_buf_puts(out, "\\-");
		else if (*text == '\'')
			skep_buf_puts(out, "\\(aq");
		else
			skep_buf_addc(out, *text);
		line_start = *text == '\n';
	}
}

/* Prose, broken into lines of source at spaces; man fills them again. */
static void wrap(struct skep_buf *out, const char *text)
{
	while (*(text += strspn(text, " "))) {
		char line[256];
		size_t len = strcspn(text, "\n");
		for (size_t at = 0; at < len; at++) {
			if (at >= 60 && text[at] == ' ')
				len = at;
		}
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		escape(out, line);
		skep_buf_addc(out, '\n');
		text += len + (text[len] != '\0');
	}
}

static void title(struct skep_buf *out, const char *text)
{
	skep_buf_puts(out, ".SH ");
	for (; *text; text++)
		skep_buf_addc(out, (char)toupper((unsigned char)*text));
	skep_buf_addc(out, '\n');
}

static void section(struct skep_buf *out, const char *name, const char *text)
{
	title(out, name);
	wrap(out, text);
}

static void verbatim(struct skep_buf *out, const char *name, const char *text)
{
	title(out, name);
	skep_buf_puts(out, ".nf\n");
	escape(out, text);
	if (!out->len || out->data[out->len - 1] != '\n')
		skep_buf_addc(out, '\n');
	skep_buf_puts(out, ".fi\n");
}

static void option_item(struct skep_buf *out, const struct skep_option *option)
{
	skep_buf_puts(out, ".TP\n");
	if (option->short_name)
		skep_buf_printf(out, "\\fB\\-%c\\fR, ", option->short_name);
	skep_buf_puts(out, "\\fB\\-\\-");
	escape(out, option->name);
	skep_buf_puts(out, "\\fR");
	if (option->arg)
		skep_buf_printf(out, " \\fI%s\\fR", option->arg);
	skep_buf_addc(out, '\n');
	wrap(out, option->help);
}

static void header(struct skep_buf *out, const char *name, const char *summary)
{
	skep_buf_puts(out, ".TH \"");
	for (; *name; name++)
		skep_buf_addc(out, *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
	skep_buf_puts(out, "\" 1 \"\" \"skep " SKEP_VERSION "\" \"User Commands\"\n.SH NAME\n");
	escape(out, summary);
	skep_buf_addc(out, '\n');
}

static const char environment[] =
	"NO_COLOR: if set and not empty, nothing is coloured.\n"
	".br\n"
	"SKEP_BTF_PATH: a file to read the kernel\\(aqs types from, in place of\n"
	"/sys/kernel/btf/vmlinux.\n"
	".br\n"
	"SKEP_WITHOUT: features, by their names in \\fBskep doctor\\fR and with commas\n"
	"between, that count as absent: what is done on older kernels is done on this one.\n"
	"An underscore may stand for a space.\n"
	".br\n"
	"SKEP_\\fINAME\\fR or BPFTRACE_\\fINAME\\fR: a setting of the tracing language.\n";

/* Of tools, there are too many to name. */
static void see_also(struct skep_buf *out, const struct skep_help_topic *topic)
{
	skep_buf_puts(out, ".SH SEE ALSO\n");
	if (topic->command)
		skep_buf_puts(out, "\\fBskep\\fR(1), ");
	if (topic->is_tool) {
		skep_buf_puts(out, "\\fBskep\\-tool\\fR(1), \\fBskep\\-trace\\fR(1)\n");
		return;
	}
	for (size_t i = 0, n = 0; i < SKEP_COMMAND_CNT; i++) {
		if (skep_commands[i].command == topic->command)
			continue;
		skep_buf_printf(out, "%s\\fBskep\\-%s\\fR(1)", n++ ? ", " : "",
				skep_commands[i].name);
	}
	skep_buf_addc(out, '\n');
}

static void overview(const struct skep_help_topic *topic, struct skep_buf *out)
{
	header(out, "skep", "skep - what this Linux machine is doing, by eBPF");
	skep_buf_puts(out, ".SH SYNOPSIS\n\\fBskep\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n");
	skep_buf_puts(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++) {
		skep_buf_printf(out, ".TP\n\\fBskep %s\\fR\n", skep_commands[i].name);
		wrap(out, skep_commands[i].summary);
	}
	section(out, "exit status",
		"0 ok, 1 failed, 2 wrong usage; a command may say more of its own.");
	skep_buf_printf(out, ".SH ENVIRONMENT\n%s", environment);
	see_also(out, topic);
}

void skep_help_man(const struct skep_help_topic *topic, struct skep_buf *out)
{
	const struct skep_command *command = topic->command;
	_cleanup_buf_ struct skep_buf name = {0}, summary = {0};

	if (!command)
		return overview(topic, out);
	skep_buf_printf(&name, "skep-%s", topic->name);
	skep_buf_printf(&summary, "%s - %s", name.data, topic->summary);
	header(out, name.data, summary.data);
	skep_buf_printf(out, ".SH SYNOPSIS\n\\fBskep %s\\fR ", command->name);
	escape(out, command->usage);
	skep_buf_addc(out, '\n');
	section(out, "description", command->description);
	if (command->arguments)
		verbatim(out, "arguments", command->arguments);
	skep_buf_puts(out, ".SH OPTIONS\n");
	for (size_t i = 0; i < command->n_options; i++)
		option_item(out, &command->options[i]);
	if (command->examples)
		verbatim(out, "examples", command->examples);
	for (size_t i = 0; i < command->n_sections; i++)
		section(out, command->sections[i].title, command->sections[i].text);
	section(out, "exit status", skep_options_exit_status(command));
	skep_buf_printf(out, ".SH ENVIRONMENT\n%s", environment);
	see_also(out, topic);
}
