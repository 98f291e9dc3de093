/*
 * Manual pages from the tables, in the man macros: one page a command and one
 * of skep. Text goes through escape(), so that no word becomes a request.
 */
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
	while (*text) {
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

static void section(struct skep_buf *out, const char *title, const char *text)
{
	skep_buf_printf(out, ".SH %s\n", title);
	wrap(out, text);
}

static void verbatim(struct skep_buf *out, const char *title, const char *text)
{
	skep_buf_printf(out, ".SH %s\n.nf\n", title);
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

static void see_also(struct skep_buf *out, const struct skep_command_row *self)
{
	const char *sep = "";

	skep_buf_puts(out, ".SH SEE ALSO\n");
	if (self) {
		skep_buf_puts(out, "\\fBskep\\fR(1)");
		sep = ", ";
	}
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++) {
		if (&skep_commands[i] == self)
			continue;
		skep_buf_printf(out, "%s\\fBskep\\-%s\\fR(1)", sep, skep_commands[i].name);
		sep = ", ";
	}
	skep_buf_addc(out, '\n');
}

static void overview(struct skep_buf *out)
{
	header(out, "skep", "skep - what this Linux machine is doing, by eBPF");
	skep_buf_puts(out, ".SH SYNOPSIS\n\\fBskep\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n");
	skep_buf_puts(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++) {
		skep_buf_printf(out, ".TP\n\\fBskep %s\\fR\n", skep_commands[i].name);
		wrap(out, skep_commands[i].summary);
	}
	section(out, "EXIT STATUS",
		"0 ok, 1 failed, 2 wrong usage; a command may say more of its own.");
	skep_buf_printf(out, ".SH ENVIRONMENT\n%s", environment);
	see_also(out, NULL);
}

void skep_help_man(const struct skep_command_row *row, struct skep_buf *out)
{
	char name[64], summary[256];

	if (!row)
		return overview(out);
	const struct skep_command *command = row->command;
	snprintf(name, sizeof(name), "skep-%s", row->name);
	snprintf(summary, sizeof(summary), "%s - %s", name, row->summary);
	header(out, name, summary);
	skep_buf_printf(out, ".SH SYNOPSIS\n\\fBskep %s\\fR ", row->name);
	escape(out, command->usage);
	skep_buf_addc(out, '\n');
	section(out, "DESCRIPTION", command->description);
	skep_buf_puts(out, ".SH OPTIONS\n");
	for (size_t i = 0; i < command->n_options; i++)
		option_item(out, &command->options[i]);
	verbatim(out, "EXAMPLES", command->examples);
	section(out, "EXIT STATUS", skep_options_exit_status(command));
	skep_buf_printf(out, ".SH ENVIRONMENT\n%s", environment);
	see_also(out, row);
}
