/* What skep help can print; each is made from the tables of commands, options and the language. */
#ifndef SKEP_CMD_HELP_H
#define SKEP_CMD_HELP_H

#include "base/buf.h"
#include "cmd/commands.h"

/** Manual page source (man macros) of one command; @row NULL: of skep itself. */
void skep_help_man(const struct skep_command_row *row, struct skep_buf *out);
/** A completion script; @shell is a choice of --completion. */
void skep_help_completion(const char *shell, struct skep_buf *out);
/** docs/language.md: docs/language.in.md with its tables filled in. */
void skep_help_language(struct skep_buf *out);
/** docs/diagnostics.md: the rows of diag.def. */
void skep_help_diagnostics(struct skep_buf *out);

/** docs/language.in.md, put into the program when it is built. */
extern const char skep_help_language_text[];

#endif
