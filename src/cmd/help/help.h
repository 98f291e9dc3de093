/* What skep help can print; each is made from the tables of commands, options and the language, and
 * from the tools' headers. */
#ifndef SKEP_CMD_HELP_H
#define SKEP_CMD_HELP_H

#include "base/buf.h"
#include "cmd/commands.h"
#include "tool/catalogue.h"

/** What help is asked about: a command, or a tool. */
struct skep_help_topic {
	const char *name; /* "trace", "opensnoop" */
	const char *summary;
	const struct skep_command *command; /* NULL: skep itself */
	bool is_tool;
};

/** Manual page source (man macros). */
void skep_help_man(const struct skep_help_topic *topic, struct skep_buf *out);
/** A completion script; @shell is a choice of --completion. */
void skep_help_completion(const struct skep_catalogue *catalogue, const char *shell,
			  struct skep_buf *out);
/** docs/language.md: docs/language.in.md with its tables filled in. */
void skep_help_language(struct skep_buf *out);
/** docs/diagnostics.md: the rows of diag.def. */
void skep_help_diagnostics(struct skep_buf *out);
/** docs/tools.md: the headers of the tools. Return 0 | -EINVAL one is wrong (see @diag) */
int skep_help_tools(struct skep_catalogue *catalogue, struct skep_buf *out, struct skep_diag *diag);
/** A cell of a Markdown table: text, or code. */
void skep_help_cell(struct skep_buf *out, const char *text);
void skep_help_code_cell(struct skep_buf *out, const char *text);

/** docs/language.in.md, put into the program when it is built. */
extern const char skep_help_language_text[];

#endif
